//! What the store kept of the outbox.

use super::{Destination, Kept, Lane, LaneKey, Outbox};
use crate::{
    id::DeliveryKey,
    limits,
    plan::Plan,
    planted::{self, Planted},
    record::{DeliveryRow, DeliveryState, DestinationRow, LaneRow},
    time::{Now, Span, Tick},
};
use alloc::{sync::Arc, vec::Vec};

impl Outbox {
    /// An outbox with what the store kept.
    pub fn restore(
        now: Now,
        plan: &Plan,
        destinations: Vec<DestinationRow>,
        lanes: Vec<LaneRow>,
        deliveries: Vec<DeliveryRow>,
    ) -> Self {
        let mut outbox = Self {
            swept: now.tick,
            ..Self::default()
        };
        for row in destinations {
            let last_sent = row
                .last_sent
                .map(|at| past(now, at.since(now.wall), now.wall.since(at)));
            let failing_since = row
                .failing_since
                .map(|at| past(now, at.since(now.wall), now.wall.since(at)));
            let destination = Destination {
                last_sent,
                failing_since,
                ..Destination::new(row.destination.clone(), Some(row))
            };
            outbox
                .destinations
                .insert(destination.row.destination.clone(), destination);
        }
        outbox.replan(now, plan);
        for row in lanes {
            let key = LaneKey::of(&row);
            let last_sent = row
                .last_sent
                .map(|at| past(now, at.since(now.wall), now.wall.since(at)));
            if row.owes_state {
                outbox.debts.insert(key.clone());
            }
            outbox.pools.entry(key.pool()).or_default();
            outbox.lanes.insert(
                key.clone(),
                Lane {
                    last_sent,
                    ..Lane::new(&key, Some(row))
                },
            );
        }
        if !planted::is(Planted::OutboxForgotten) {
            for row in deliveries {
                outbox.take_back(now, row);
            }
        }
        outbox.restore_behind(now);
        outbox
    }

    /// Puts a delivery of the store back into its lane.
    fn take_back(&mut self, now: Now, mut row: DeliveryRow) {
        let key = LaneKey {
            destination: row.destination.clone(),
            recipient: Arc::clone(&row.recipient),
            subject: row.notice.subject.clone(),
        };
        // What was being sent when the program ended may have arrived.
        if row.state == DeliveryState::Sending {
            row.attempts = row.attempts.max(1);
            row.state = DeliveryState::Pending;
        }
        let expiry = self.expiry;
        let gives_up = now.tick_of(row.created + expiry, expiry);
        let since = Tick(gives_up.0.saturating_sub(expiry.0));
        self.keys.insert(
            row.key.clone(),
            Kept {
                lane: key.clone(),
                since,
            },
        );
        self.count(&row.destination, 1);
        let due = now.tick_of(row.due, limits::RETRY_AFTER_MAX);
        let lane = self
            .lanes
            .entry(key.clone())
            .or_insert_with(|| Lane::new(&key, None));
        if row.frozen && lane.head.is_none() {
            lane.head = Some(row);
        } else {
            row.frozen = false;
            lane.waiting.push(row);
            // What waits behind a message that is tried again later does not hasten it.
            if lane.head.is_some() {
                return;
            }
        }
        self.look_at(&key, due);
    }

    /// Lanes whose summary is still to be delivered wait for it; where it is not waiting any more, they go on.
    fn restore_behind(&mut self, now: Now) {
        let waiting: Vec<(LaneKey, DeliveryKey)> = self
            .lanes
            .iter()
            .filter_map(|(key, lane)| Some((key.clone(), lane.row.behind.clone()?)))
            .collect();
        for (key, summary) in waiting {
            if self.keys.contains_key(&summary) {
                self.behind.entry(summary).or_default().insert(key);
            } else if let Some(lane) = self.lanes.get_mut(&key) {
                lane.row.behind = None;
                if lane.first_order().is_some() {
                    self.look_at(&key, now.tick);
                }
            }
        }
    }
}

/// The tick of a moment that the wall clock says was so long ago; now where it says that it is still to come.
const fn past(now: Now, ahead: Span, ago: Span) -> Tick {
    if ahead.0 > 0 {
        now.tick
    } else {
        Tick(now.tick.0.saturating_sub(ago.0))
    }
}
