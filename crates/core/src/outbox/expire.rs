//! What has waited too long, and what is not needed any more.

use super::{Lane, LaneKey, Outbox, dropped};
use crate::{
    effect::Step,
    notice::{Kind, Why},
    policy::{Ruling, limit},
    record::{DeliveryRow, DeliveryState, LaneRow, Record},
    time::Now,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

impl Outbox {
    /// Gives up what has waited too long. What a recipient was not told for that is owed as a whole: the first
    /// success is followed by the state as it then is.
    pub(super) fn expire(&mut self, now: Now, key: &LaneKey, step: &mut Step) {
        let expiry = self.expiry;
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if lane.under_way {
            return;
        }
        let keys = &self.keys;
        let expired = lane.take_expired(|row| {
            keys.get(&row.key)
                .is_some_and(|kept| now.tick.since(kept.since) >= expiry)
        });
        if expired.is_empty() {
            return;
        }
        step.commit.push(Record::Lane(lane.row.clone()));
        // The state as it is now takes the place of what was too old.
        if expired.iter().any(|row| row.notice.kind != Kind::Info) {
            self.debts.insert(key.clone());
            self.overdue.push(key.clone());
        }
        for row in expired {
            self.give_up(now, row, DeliveryState::Expired, Why::Expired, None, step);
        }
        // What waited behind the one that is gone does not wait for its next try.
        let waits = |lane: &Lane| lane.head.is_none() && lane.first_order().is_some();
        if self.lanes.get(key).is_some_and(waits) {
            self.look_at(key, now.tick);
        }
    }

    /// Ends a delivery that did not reach its destination.
    pub(super) fn give_up(
        &mut self,
        now: Now,
        mut row: DeliveryRow,
        state: DeliveryState,
        why: Why,
        reason: Option<String>,
        step: &mut Step,
    ) {
        let may_have_arrived = row.attempts > 0 && state == DeliveryState::Expired;
        row.state = state;
        row.reason = Some(reason.unwrap_or_else(|| why.as_str().to_string()));
        self.keys.remove(&row.key);
        self.release_behind(now, &row.key, may_have_arrived, step);
        self.count(&row.destination, -1);
        dropped(now, &row, why, step);
        self.show(&row.destination.clone(), step);
        step.commit.push(Record::Delivery(row));
    }

    /// Looks through all lanes for what has expired and for lanes with nothing left to remember.
    pub(super) fn sweep(&mut self, now: Now, step: &mut Step) {
        let keys: Vec<LaneKey> = self.lanes.keys().cloned().collect();
        for key in keys {
            self.expire(now, &key, step);
            self.tidy(now, &key, step);
        }
    }

    /// Forgets a lane with nothing left to remember.
    pub(super) fn tidy(&mut self, now: Now, key: &LaneKey, step: &mut Step) {
        let limit = self
            .destinations
            .get(&key.destination)
            .and_then(|known| known.limit);
        let Some(lane) = self.lanes.get(key) else {
            return;
        };
        let limited = limit::judge(now.tick, limit, lane.last_sent, None) != Ruling::Pass;
        if !lane.is_spent() || limited {
            return;
        }
        if let Some(lane) = self.lanes.remove(key) {
            step.commit.push(Record::Lane(LaneRow {
                removed: true,
                ..lane.row
            }));
            if let (Some((at, order)), Some(pool)) = (lane.look_at, self.pools.get_mut(&key.pool()))
            {
                pool.agenda.remove(&(at, order, key.subject.clone()));
            }
        }
    }
}
