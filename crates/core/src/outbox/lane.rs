//! A lane: what one recipient at one destination was told, and is still to be told, about one subject.

use super::dropped;
use crate::{
    effect::Step,
    id::{DeliveryKey, Name, Subject},
    notice::{Kind, Notice, Why},
    policy::dedupe,
    record::{DeliveryRow, DeliveryState, LaneRow, Record, Told},
    time::{Now, Tick},
};
use alloc::{sync::Arc, vec::Vec};

/// Which lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
    /// The destination.
    pub destination: Name,
    /// The recipient; empty where the destination itself is.
    pub recipient: Arc<str>,
    /// The subject.
    pub subject: Subject,
}

impl LaneKey {
    /// The key of a stored lane.
    pub fn of(row: &LaneRow) -> Self {
        Self {
            destination: row.destination.clone(),
            recipient: Arc::clone(&row.recipient),
            subject: row.subject.clone(),
        }
    }

    /// The key of the pool that it belongs to.
    pub fn pool(&self) -> (Name, Arc<str>) {
        (self.destination.clone(), Arc::clone(&self.recipient))
    }

    /// The natural key of a delivery of this notice in this lane.
    pub fn delivery(&self, notice: &Notice) -> DeliveryKey {
        let subject;
        let about = if let Some(incident) = &notice.incident {
            incident.id.as_str()
        } else {
            subject = notice.subject.key();
            subject.as_str()
        };
        DeliveryKey::new(
            &self.destination,
            &self.recipient,
            about,
            notice.kind.as_str(),
            notice.seq,
        )
    }
}

/// What one recipient was told, and is still to be told, about one subject.
#[derive(Debug, Clone)]
pub struct Lane {
    /// What is durable of it, besides its deliveries.
    pub row: LaneRow,
    /// The delivery that is frozen.
    pub head: Option<DeliveryRow>,
    /// What waits behind it, in order; it merges only among itself.
    pub waiting: Vec<DeliveryRow>,
    /// Whether the head is being rendered or sent.
    pub under_way: bool,
    /// Whether the plan lacked its recipient.
    pub away: bool,
    /// Whether what is under way pays a debt: where even that is never taken, nothing more is owed.
    pub paying: bool,
    /// The last that waited when the destination refused an end. An opening among these goes out without the end that
    /// would be made for it, or the two would go round in a circle; the end stays owed.
    pub end_refused: Option<u64>,
    /// When the last message was given out, for limits.
    pub last_sent: Option<Tick>,
    /// When it is looked at next, and its place among those of the same time.
    pub look_at: Option<(Tick, u64)>,
}

impl Lane {
    /// A lane, empty but for what the store knows.
    pub fn new(key: &LaneKey, row: Option<LaneRow>) -> Self {
        let row = row.unwrap_or_else(|| LaneRow {
            destination: key.destination.clone(),
            recipient: Arc::clone(&key.recipient),
            subject: key.subject.clone(),
            told: None,
            behind: None,
            owes_state: false,
            last_sent: None,
            removed: false,
        });
        Self {
            row,
            head: None,
            waiting: Vec::new(),
            under_way: false,
            away: false,
            paying: false,
            end_refused: None,
            last_sent: None,
            look_at: None,
        }
    }

    /// The order of what is next in it.
    pub fn first_order(&self) -> Option<u64> {
        self.head
            .iter()
            .chain(&self.waiting)
            .map(|row| row.order)
            .next()
    }

    /// Whether nothing is left to remember.
    pub const fn is_spent(&self) -> bool {
        self.head.is_none()
            && self.waiting.is_empty()
            && self.row.told.is_none()
            && !self.row.owes_state
    }

    /// Whether the recipient knows, or will know from what waits, that something is wrong.
    pub fn will_know(&self) -> bool {
        let waiting = self.head.iter().chain(&self.waiting);
        // What stands for itself says nothing of any incident.
        waiting
            .map(|row| row.notice.kind)
            .rfind(|kind| !matches!(kind, Kind::Info | Kind::Summary))
            .map_or(self.row.told.is_some(), |last| last != Kind::Resolved)
    }

    /// What the recipient will know as open once the frozen delivery has arrived.
    fn told_after_head(&self) -> Option<Told> {
        let told = self.row.told.clone();
        let Some(head) = &self.head else { return told };
        let Some(incident) = &head.notice.incident else {
            return told;
        };
        match head.notice.kind {
            Kind::Opened | Kind::Updated | Kind::Reminder => Some(Told {
                incident: incident.id.clone(),
                opened_at: incident.opened_at,
            }),
            Kind::Resolved => told.filter(|told| told.incident != incident.id),
            Kind::Info | Kind::Summary => told,
        }
    }

    /// Freezes the first of what waits: nothing merges with it any more.
    pub fn freeze_first(&mut self, step: &mut Step) {
        if self.head.is_none() && !self.waiting.is_empty() {
            let mut head = self.waiting.remove(0);
            head.frozen = true;
            step.commit.push(Record::Delivery(head.clone()));
            self.head = Some(head);
        }
    }

    /// Whether the destination refused the end that was made for the newest opening that waits.
    fn end_was_refused(&self) -> bool {
        let openings = self.waiting.iter();
        let newest = openings
            .filter(|row| !matches!(row.notice.kind, Kind::Resolved | Kind::Info))
            .map(|row| row.order);
        newest
            .max()
            .is_some_and(|order| self.end_refused >= Some(order))
    }

    /// Makes the shortest sequence of what waits. Gives the keys of deliveries that are no more. Who is not told of
    /// ends (`ends`) gets none that was made only now either.
    pub fn merge(
        &mut self,
        key: &LaneKey,
        now: Now,
        ends: bool,
        orders: &mut u64,
        step: &mut Step,
    ) -> Vec<DeliveryKey> {
        let notices: Vec<Arc<Notice>> = self
            .waiting
            .iter()
            .map(|row| Arc::clone(&row.notice))
            .collect();
        let told = self.told_after_head().filter(|_| !self.end_was_refused());
        let mut before = core::mem::take(&mut self.waiting);
        for mut notice in dedupe::shortest(told.as_ref(), &notices) {
            let known = before
                .iter()
                .any(|row| Arc::ptr_eq(&row.notice, &notice) || row.key == key.delivery(&notice));
            if notice.kind == Kind::Resolved && !known {
                if !ends {
                    continue;
                }
                // It was made only now, and may be made again: no number of its subject would be its own.
                *orders = orders.saturating_add(1);
                let seq = *orders;
                notice = Arc::new(Notice {
                    seq,
                    ..Notice::clone(&notice)
                });
            }
            let delivery = key.delivery(&notice);
            let row = if let Some(place) = before.iter().position(|row| row.key == delivery) {
                DeliveryRow {
                    notice,
                    ..before.remove(place)
                }
            } else {
                *orders = orders.saturating_add(1);
                let created = before.first().map_or(now.wall, |row| row.created);
                DeliveryRow {
                    key: delivery,
                    order: *orders,
                    destination: key.destination.clone(),
                    recipient: Arc::clone(&key.recipient),
                    notice,
                    state: DeliveryState::Pending,
                    reason: None,
                    frozen: false,
                    payload: None,
                    attempts: 0,
                    created,
                    due: now.wall,
                }
            };
            self.waiting.push(row);
        }
        self.number_in_order(orders);
        step.commit
            .extend(self.waiting.iter().cloned().map(Record::Delivery));
        before
            .into_iter()
            .map(|row| {
                dropped(now, &row, Why::MergedLater, step);
                step.commit.push(Record::DeliveryMerged(row.key.clone()));
                row.key
            })
            .collect()
    }

    /// Gives what waits rising numbers: an end that is made only now comes before what waited already.
    fn number_in_order(&mut self, orders: &mut u64) {
        let mut last = self.head.as_ref().map_or(0, |head| head.order);
        for row in &mut self.waiting {
            if row.order <= last {
                *orders = orders.saturating_add(1);
                row.order = *orders;
            }
            last = row.order;
        }
    }

    /// Takes out what has waited for longer than the expiry.
    pub fn take_expired(&mut self, old: impl Fn(&DeliveryRow) -> bool) -> Vec<DeliveryRow> {
        let mut expired = Vec::new();
        if let Some(head) = self.head.take_if(|head| old(head)) {
            self.lost(&head, head.attempts > 0);
            expired.push(head);
        }
        let (gone, kept): (Vec<_>, Vec<_>) = core::mem::take(&mut self.waiting)
            .into_iter()
            .partition(&old);
        self.waiting = kept;
        for row in gone {
            self.lost(&row, false);
            expired.push(row);
        }
        expired
    }

    /// Something did not reach the recipient: the state as it is at the next success is owed.
    pub fn lost(&mut self, row: &DeliveryRow, may_have_arrived: bool) {
        // What is good to know is not owed: it says nothing of how things stand.
        if row.notice.kind == Kind::Info {
            return;
        }
        self.row.owes_state = true;
        if may_have_arrived {
            self.may_know(row);
        }
    }

    /// What was tried may have arrived although nobody said so, and then its end is owed as well. An end that was lost
    /// is different: until it surely arrived the recipient may still believe that it is wrong.
    pub fn may_know(&mut self, row: &DeliveryRow) {
        if row.notice.kind != Kind::Resolved {
            self.note_told(row);
        }
    }

    /// Notes what the recipient now knows.
    pub fn note_told(&mut self, row: &DeliveryRow) {
        let Some(incident) = &row.notice.incident else {
            return;
        };
        self.end_refused = None;
        match row.notice.kind {
            Kind::Opened | Kind::Updated | Kind::Reminder => {
                self.row.told = Some(Told {
                    incident: incident.id.clone(),
                    opened_at: incident.opened_at,
                });
            }
            Kind::Resolved => {
                self.row.told.take_if(|told| {
                    told.incident == incident.id
                        || row
                            .notice
                            .merged
                            .iter()
                            .any(|merged| merged.incident == told.incident)
                });
            }
            Kind::Info | Kind::Summary => {}
        }
    }
}
