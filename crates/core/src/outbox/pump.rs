//! Whose turn it is: which lanes are worked on now, and what is done in them.

use super::{Kept, LaneKey, Outbox};
use crate::{
    effect::{Effect, Step},
    id::{Name, Subject},
    limits,
    plan::LimitPer,
    planted::{self, Planted},
    policy::{Ruling, limit},
    record::Record,
    time::{Now, Span, Tick},
};
use alloc::{sync::Arc, vec::Vec};

/// How often everything is looked through for what has expired or is not needed any more.
const SWEEP_EVERY: Span = Span::hours(1);

impl Outbox {
    /// Begins every delivery that may begin now.
    pub fn pump(&mut self, now: Now, orders: &mut u64, step: &mut Step) {
        if now.tick.since(self.swept) >= SWEEP_EVERY {
            self.swept = now.tick;
            self.sweep(now, step);
        }
        if self.is_blocked() {
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
    pub(super) fn next_of(
        &mut self,
        now: Now,
        destination: &Name,
        recipient: &Arc<str>,
    ) -> Option<Subject> {
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
    pub(super) fn work(&mut self, now: Now, key: &LaneKey, orders: &mut u64, step: &mut Step) {
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
    pub(super) fn freeze(&mut self, now: Now, key: &LaneKey, orders: &mut u64, step: &mut Step) {
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
    pub(super) fn merge(&mut self, now: Now, key: &LaneKey, orders: &mut u64, step: &mut Step) {
        let ends = self
            .destinations
            .get(&key.destination)
            .is_none_or(|known| known.ends);
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let before = lane.waiting.len();
        let gone = lane.merge(key, now, ends, orders, step);
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
    pub(super) fn begin(&mut self, key: &LaneKey, step: &mut Step) {
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

    /// The planted fault by which a destination that fails holds up all others while something is under way.
    fn is_blocked(&self) -> bool {
        planted::is(Planted::DestinationBlocksAll)
            && self
                .destinations
                .values()
                .any(|one| one.failing_since.is_some())
            && self.pools.values().any(|pool| pool.busy > 0)
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<Tick> {
        if self.is_blocked() {
            return None;
        }
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
