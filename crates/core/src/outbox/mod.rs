//! The outbox: what is still to be told, one lane for each recipient at each destination and each subject.
//!
//! In a lane one delivery at a time is under way. It is frozen (key and content) at its first try; what comes later
//! queues behind it and merges only among itself. Lanes of one recipient share a few places, so that one that hangs
//! delays no other recipient.

mod expire;
mod lane;
mod pump;
mod restore;
mod settle;

pub use lane::{Lane, LaneKey};
pub use settle::Signal;

use crate::{
    effect::{Effect, Fact, Step},
    id::{DeliveryKey, Name, Subject},
    limits,
    notice::{Kind, Notice, Why},
    plan::{Limit, Plan},
    policy::route,
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
    /// Whether it is told of ends.
    ends: bool,
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
            known.ends = route::wants(plan, &planned.name, Kind::Resolved);
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
            ends: true,
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
