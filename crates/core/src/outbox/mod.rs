//! The outbox: what is still to be told, one lane for each recipient at each destination and each subject.
//!
//! In a lane one delivery at a time is under way. It is frozen (key and content) at its first try; what comes later
//! queues behind it and merges only among itself. Lanes of one recipient share a few places, so that one that hangs
//! delays no other recipient.

mod expire;
mod lane;
mod restore;
mod settle;

pub use lane::{Lane, LaneKey};
pub use settle::Signal;

use crate::{
    effect::{Effect, Fact, Step},
    id::{DeliveryKey, Name, Subject},
    limits,
    notice::{Notice, Why},
    plan::{Limit, LimitPer, Plan},
    planted::{self, Planted},
    policy::{Ruling, limit},
    record::{DeliveryRow, DeliveryState, DestinationRow, DroppedRow, Record},
    time::{Now, Span, Tick},
    view::View,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::ToString,
    sync::Arc,
    vec::Vec,
};

/// The lanes of one recipient at one destination.
#[derive(Debug, Clone, Default)]
struct Pool {
    /// When which lane is to be looked at.
    agenda: BTreeSet<(Tick, u64, Subject)>,
    /// Deliveries under way.
    busy: usize,
    /// The destination asked us to wait until then.
    not_before: Tick,
}

/// A delivery that is not at its end.
#[derive(Debug, Clone)]
struct Kept {
    /// Its lane.
    lane: LaneKey,
    /// Since when it waits. The wall clock may be set meanwhile; this one cannot.
    since: Tick,
}

/// A destination, as the outbox knows it.
#[derive(Debug, Clone)]
pub struct Destination {
    /// What is durable of it.
    pub row: DestinationRow,
    /// Whether the plan has it; a destination that was removed keeps what waits for it.
    pub present: bool,
    recipients: BTreeSet<Arc<str>>,
    limit: Option<Limit>,
    last_sent: Option<Tick>,
    failing_since: Option<Tick>,
    failing: BTreeSet<Arc<str>>,
    pending: u64,
    /// Deliveries under way, to all recipients.
    busy: usize,
}

/// What is still to be told.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    lanes: BTreeMap<LaneKey, Lane>,
    pools: BTreeMap<(Name, Arc<str>), Pool>,
    destinations: BTreeMap<Name, Destination>,
    keys: BTreeMap<DeliveryKey, Kept>,
    /// Lanes that wait for a summary to be delivered, by its key.
    behind: BTreeMap<DeliveryKey, BTreeSet<LaneKey>>,
    /// Lanes that owe their recipient the state as it is now.
    debts: BTreeSet<LaneKey>,
    /// Lanes whose debt is to be paid now, and not only after a success.
    overdue: Vec<LaneKey>,
    /// Counts how often lanes were put on an agenda: among those of the same time, who waits longest is first.
    turns: u64,
    expiry: Span,
    swept: Tick,
}

/// How often everything is looked through for what has expired or is not needed any more.
const SWEEP_EVERY: Span = Span::hours(1);

impl Outbox {
    fn count(&mut self, destination: &Name, by: i64) {
        if let Some(known) = self.destinations.get_mut(destination) {
            known.pending = known.pending.saturating_add_signed(by);
        }
    }

    /// Takes in a plan. What waits for a destination that is gone stays, and goes out if its name returns.
    pub fn replan(&mut self, now: Now, plan: &Plan) {
        self.expiry = plan.notices.expiry;
        for known in self.destinations.values_mut() {
            known.present = false;
        }
        for planned in &plan.destinations {
            let known = self
                .destinations
                .entry(planned.name.clone())
                .or_insert_with(|| Destination::new(planned.name.clone(), None));
            known.present = true;
            known.recipients = planned.recipients.iter().cloned().collect();
            let recipients = &known.recipients;
            known
                .failing
                .retain(|recipient| recipients.contains(recipient));
            known.limit = planned.limit;
        }
        let idle =
            |lane: &Lane| lane.first_order().is_some() && lane.look_at.is_none() && !lane.under_way;
        let waiting: Vec<LaneKey> = self
            .lanes
            .iter()
            .filter(|(_, lane)| idle(lane))
            .map(|(key, _)| key.clone())
            .collect();
        for key in waiting {
            self.look_at(&key, now.tick);
        }
    }

    /// Whether the plan has a destination with this recipient.
    fn is_planned(&self, destination: &Name, recipient: &Arc<str>) -> bool {
        self.destinations
            .get(destination)
            .is_some_and(|known| known.present && known.recipients.contains(recipient))
    }

    /// Parks what waits for a destination or recipient that the plan lacks, where everybody can see it. Where its name
    /// has returned it is taken up again, and whatever happened meanwhile is owed.
    pub fn park_removed(&mut self, step: &mut Step) {
        let planned: BTreeSet<(Name, Arc<str>)> = self
            .pools
            .keys()
            .filter(|(name, recipient)| self.is_planned(name, recipient))
            .cloned()
            .collect();
        for (key, lane) in &mut self.lanes {
            let here = planned.contains(&key.pool());
            if here && lane.away {
                self.debts.insert(key.clone());
                self.overdue.push(key.clone());
                lane.row.owes_state = true;
                step.commit.push(Record::Lane(lane.row.clone()));
            }
            lane.away = !here;
            if lane.under_way {
                continue;
            }
            for row in lane.head.iter_mut().chain(&mut lane.waiting) {
                if mark(row, here) {
                    step.commit.push(Record::Delivery(row.clone()));
                }
            }
        }
    }

    /// The destinations that it knows.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination> {
        self.destinations.values()
    }

    /// A destination, to number an incident of it.
    pub fn destination_mut(&mut self, name: &Name) -> Option<&mut Destination> {
        self.destinations.get_mut(name)
    }

    /// The lanes of a subject.
    pub fn lanes_of<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> impl Iterator<Item = (&'a LaneKey, &'a Lane)> {
        self.destinations.values().flat_map(move |destination| {
            let pools = self
                .pools
                .range((destination.row.destination.clone(), Arc::from(""))..);
            pools
                .take_while(|((name, _), _)| *name == destination.row.destination)
                .filter_map(move |((name, recipient), _)| {
                    self.lanes.get_key_value(&LaneKey {
                        destination: name.clone(),
                        recipient: Arc::clone(recipient),
                        subject: subject.clone(),
                    })
                })
        })
    }

    /// Looks at a lane no later than at this time. It stands behind those that were put there before.
    fn look_at(&mut self, key: &LaneKey, at: Tick) {
        self.turns = self.turns.saturating_add(1);
        let turn = self.turns;
        self.look_in_turn(key, at, turn);
    }

    /// Looks at a lane no later than at this time, with a turn that it had already.
    fn look_in_turn(&mut self, key: &LaneKey, at: Tick, turn: u64) {
        let pool = self.pools.entry(key.pool()).or_default();
        if let Some(lane) = self.lanes.get_mut(key) {
            if let Some((before, turn)) = lane.look_at {
                if before <= at {
                    return;
                }
                pool.agenda.remove(&(before, turn, key.subject.clone()));
            }
            lane.look_at = Some((at, turn));
            pool.agenda.insert((at, turn, key.subject.clone()));
        }
    }

    /// Puts a notice into the lanes of a destination. `orders` gives each delivery its place in the whole store.
    pub fn tell(
        &mut self,
        now: Now,
        notice: &Arc<Notice>,
        destination: &Name,
        orders: &mut u64,
        step: &mut Step,
    ) {
        let Some(known) = self.destinations.get(destination) else {
            return;
        };
        for recipient in known.recipients.clone() {
            let key = LaneKey {
                destination: destination.clone(),
                recipient,
                subject: notice.subject.clone(),
            };
            self.enqueue(now, &key, notice, orders, step);
        }
    }

    /// Puts a notice into one lane.
    pub fn enqueue(
        &mut self,
        now: Now,
        key: &LaneKey,
        notice: &Arc<Notice>,
        orders: &mut u64,
        step: &mut Step,
    ) {
        *orders = orders.saturating_add(1);
        let mut row = DeliveryRow {
            key: key.delivery(notice),
            order: *orders,
            destination: key.destination.clone(),
            recipient: Arc::clone(&key.recipient),
            notice: Arc::clone(notice),
            state: DeliveryState::Pending,
            reason: None,
            frozen: false,
            payload: None,
            attempts: 0,
            created: now.wall,
            due: now.wall,
        };
        if self.keys.contains_key(&row.key) {
            return;
        }
        mark(&mut row, self.is_planned(&key.destination, &key.recipient));
        self.keys.insert(
            row.key.clone(),
            Kept {
                lane: key.clone(),
                since: now.tick,
            },
        );
        step.commit.push(Record::Delivery(row.clone()));
        let lane = self
            .lanes
            .entry(key.clone())
            .or_insert_with(|| Lane::new(key, None));
        lane.paying = false;
        lane.waiting.push(row);
        self.count(&key.destination, 1);
        self.show(&key.destination, step);
        if self
            .lanes
            .get(key)
            .is_some_and(|lane| lane.waiting.len() > limits::WAITING_PER_LANE_MAX)
        {
            self.merge(now, key, orders, step);
        }
        // Where one is under way or waits for its next try, the lane is looked at when that has ended.
        if self
            .lanes
            .get(key)
            .is_some_and(|lane| !lane.under_way && lane.head.is_none())
        {
            self.look_at(key, now.tick);
        }
    }

    fn show(&self, destination: &Name, step: &mut Step) {
        if let Some(known) = self.destinations.get(destination) {
            let view = View::Outbox {
                destination: destination.clone(),
                pending: known.pending,
            };
            step.effects.push(Effect::Show(view));
        }
    }

    /// Begins every delivery that may begin now.
    pub fn pump(&mut self, now: Now, orders: &mut u64, step: &mut Step) {
        if now.tick.since(self.swept) >= SWEEP_EVERY {
            self.swept = now.tick;
            self.sweep(now, step);
        }
        if planted::is(Planted::DestinationBlocksAll)
            && self.destinations.values().any(|one| {
                one.failing_since.is_some() && self.pools.values().any(|pool| pool.busy > 0)
            })
        {
            return;
        }
        // Whose turn is longest ago comes first, so that a limit of a destination is shared by its recipients.
        let mut due: Vec<(Tick, u64, (Name, Arc<str>))> = self
            .pools
            .iter()
            .filter_map(|(pool, known)| {
                known
                    .agenda
                    .first()
                    .map(|(at, turn, _)| (*at, *turn, pool.clone()))
            })
            .filter(|(at, ..)| *at <= now.tick)
            .collect();
        due.sort();
        for (_, _, (destination, recipient)) in due {
            if !self.is_planned(&destination, &recipient) {
                continue;
            }
            while let Some(subject) = self.next_of(now, &destination, &recipient) {
                let key = LaneKey {
                    destination: destination.clone(),
                    recipient: Arc::clone(&recipient),
                    subject,
                };
                self.work(now, &key, orders, step);
            }
        }
    }

    /// Takes the next lane of a recipient that is to be looked at now, where a place is free.
    fn next_of(&mut self, now: Now, destination: &Name, recipient: &Arc<str>) -> Option<Subject> {
        let pool = self
            .pools
            .get_mut(&(destination.clone(), Arc::clone(recipient)))?;
        if pool.busy >= limits::DELIVERIES_PER_RECIPIENT_MAX || now.tick < pool.not_before {
            return None;
        }
        let first = pool
            .agenda
            .first()
            .filter(|(at, _, _)| *at <= now.tick)
            .cloned()?;
        pool.agenda.remove(&first);
        Some(first.2)
    }

    /// Does what is next in a lane.
    fn work(&mut self, now: Now, key: &LaneKey, orders: &mut u64, step: &mut Step) {
        self.expire(now, key, step);
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let turn = lane.look_at.take().map_or(0, |(_, turn)| turn);
        if lane.under_way || lane.row.behind.is_some() {
            return;
        }
        if lane.first_order().is_none() {
            self.tidy(now, key, step);
            return;
        }
        // A limit of the destination counts every try; one of the service only what is said anew.
        let again = lane.head.is_some();
        let lane_last = lane.last_sent.filter(|_| !again);
        let known = self.destinations.get(&key.destination);
        let (limit, last) = known.map_or((None, None), |known| (known.limit, known.last_sent));
        let one_by_one = limit.is_some_and(|limit| limit.per == LimitPer::Destination);
        if one_by_one && known.is_some_and(|known| known.busy > 0) {
            // The interval counts from the end of the one that is under way.
            self.look_in_turn(key, now.tick + limits::RETRY_FIRST, turn);
            return;
        }
        if let Ruling::Wait(at) = limit::judge(now.tick, limit, lane_last, last) {
            self.look_in_turn(key, at, turn);
            return;
        }
        if again {
            // The next one about this service keeps its distance from the last try, not from the first.
            lane.last_sent = Some(now.tick);
            lane.row.last_sent = Some(now.wall);
            self.note_sent(now, key, step);
        } else {
            self.freeze(now, key, orders, step);
        }
        self.begin(key, step);
    }

    /// Notes for limits that a destination is given a message.
    pub(super) fn note_sent(&mut self, now: Now, key: &LaneKey, step: &mut Step) {
        if let Some(known) = self.destinations.get_mut(&key.destination) {
            known.last_sent = Some(now.tick);
            known.row.last_sent = Some(now.wall);
            if known.limit.is_some() {
                step.commit.push(Record::Destination(known.row.clone()));
            }
        }
    }

    /// Chooses what is said next and freezes it.
    fn freeze(&mut self, now: Now, key: &LaneKey, orders: &mut u64, step: &mut Step) {
        self.merge(now, key, orders, step);
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        lane.freeze_first(step);
        lane.last_sent = Some(now.tick);
        lane.row.last_sent = Some(now.wall);
        step.commit.push(Record::Lane(lane.row.clone()));
        self.note_sent(now, key, step);
        self.show(&key.destination, step);
    }

    /// Makes the shortest sequence of what waits in a lane.
    fn merge(&mut self, now: Now, key: &LaneKey, orders: &mut u64, step: &mut Step) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let before = lane.waiting.len();
        let gone = lane.merge(key, now, orders, step);
        let left = lane.waiting.len();
        // What stands for something that has waited already has waited as long itself.
        let mut since = now.tick;
        for delivery in &gone {
            if let Some(kept) = self.keys.remove(delivery) {
                since = since.min(kept.since);
            }
        }
        for row in &lane.waiting {
            let kept = || Kept {
                lane: key.clone(),
                since,
            };
            self.keys.entry(row.key.clone()).or_insert_with(kept);
        }
        let change = i64::try_from(left)
            .unwrap_or(0)
            .saturating_sub(i64::try_from(before).unwrap_or(0));
        self.count(&key.destination, change);
    }

    /// Renders or sends the frozen delivery of a lane.
    fn begin(&mut self, key: &LaneKey, step: &mut Step) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let Some(head) = &mut lane.head else { return };
        lane.under_way = true;
        let (delivery, destination, recipient) = (
            head.key.clone(),
            key.destination.clone(),
            Arc::clone(&key.recipient),
        );
        if let Some(payload) = &head.payload {
            let attempt = head.attempts.saturating_add(1);
            let payload = Arc::clone(payload);
            step.effects.push(Effect::Send {
                delivery,
                destination,
                recipient,
                payload,
                attempt,
            });
        } else {
            let notice = Arc::clone(&head.notice);
            step.effects.push(Effect::Render {
                delivery,
                destination,
                recipient,
                notice,
            });
        }
        if let Some(known) = self.destinations.get_mut(&key.destination) {
            known.busy = known.busy.saturating_add(1);
        }
        if let Some(pool) = self.pools.get_mut(&key.pool()) {
            pool.busy = pool.busy.saturating_add(1);
        }
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<Tick> {
        let next = self
            .pools
            .iter()
            .filter_map(|((destination, recipient), pool)| {
                let planned = self.is_planned(destination, recipient);
                let free = planned && pool.busy < limits::DELIVERIES_PER_RECIPIENT_MAX;
                pool.agenda
                    .first()
                    .filter(|_| free)
                    .map(|(at, _, _)| (*at).max(pool.not_before))
            });
        let sweep = (!self.lanes.is_empty()).then(|| self.swept + SWEEP_EVERY);
        next.chain(sweep).min()
    }
}

impl Destination {
    fn new(name: Name, row: Option<DestinationRow>) -> Self {
        let row = row.unwrap_or(DestinationRow {
            destination: name,
            failing_since: None,
            last_sent: None,
            seq: 0,
        });
        Self {
            row,
            present: false,
            recipients: BTreeSet::new(),
            limit: None,
            last_sent: None,
            failing_since: None,
            failing: BTreeSet::new(),
            pending: 0,
            busy: 0,
        }
    }
}

/// Marks a delivery as parked where the plan lacks its recipient, and as pending where it has it; whether that is new.
fn mark(row: &mut DeliveryRow, planned: bool) -> bool {
    if (row.state == DeliveryState::Parked) != planned {
        return false;
    }
    row.state = if planned {
        DeliveryState::Pending
    } else {
        DeliveryState::Parked
    };
    row.reason = (!planned).then(|| Why::DestinationRemoved.as_str().to_string());
    true
}

/// Records that something was not told.
fn dropped(now: Now, row: &DeliveryRow, why: Why, step: &mut Step) {
    let notice = &row.notice;
    step.commit.push(Record::Dropped(DroppedRow {
        subject: notice.subject.clone(),
        seq: notice.seq,
        destination: Some(row.destination.clone()),
        at: now.wall,
        event: notice.event,
        why,
    }));
    step.effects.push(Effect::Note(Fact::Dropped {
        subject: notice.subject.clone(),
        destination: Some(row.destination.clone()),
        why,
    }));
}
