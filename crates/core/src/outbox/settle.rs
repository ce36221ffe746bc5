//! How deliveries end.

use super::{LaneKey, Outbox, mark};
use crate::{
    effect::{Effect, Fact, Step},
    event::Verdict,
    id::{DeliveryKey, Name, Subject},
    limits,
    notice::{Kind, Notice, Why},
    planted::{self, Planted},
    policy::limit,
    record::{AttemptRow, DeliveryRow, DeliveryState, Record, Told},
    time::{Now, Span},
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

/// What the end of a delivery means beyond its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The destination does not take what it is given, and others should be told.
    Failing {
        /// Which.
        destination: Name,
        /// Why, in words.
        reason: String,
    },
    /// A recipient was reached.
    Works {
        /// At which destination.
        destination: Name,
        /// Which.
        recipient: Arc<str>,
        /// Whether no recipient of the destination fails any more.
        healed: bool,
    },
}

impl Outbox {
    /// Takes in a rendered message: it is frozen with its delivery and then sent.
    pub fn rendered(
        &mut self,
        now: Now,
        delivery: &DeliveryKey,
        payload: Result<Arc<[u8]>, String>,
        step: &mut Step,
    ) -> Option<Signal> {
        let key = self.keys.get(delivery)?.lane.clone();
        let lane = self.lanes.get_mut(&key).filter(|lane| lane.under_way)?;
        let head = lane
            .head
            .as_mut()
            .filter(|head| head.key == *delivery && head.payload.is_none())?;
        match payload {
            Ok(payload) if payload.len() <= limits::PAYLOAD_BYTES_MAX => {
                head.payload = Some(Arc::clone(&payload));
                head.state = DeliveryState::Sending;
                step.commit.push(Record::Delivery(head.clone()));
                step.effects.push(Effect::Send {
                    delivery: delivery.clone(),
                    destination: key.destination,
                    recipient: key.recipient,
                    payload,
                    attempt: head.attempts.saturating_add(1),
                });
                None
            }
            Ok(_) => self.reject(now, &key, "the message is longer than the limit", step),
            Err(reason) => self.reject(now, &key, &reason, step),
        }
    }

    /// Takes in how a try ended.
    pub fn settled(
        &mut self,
        now: Now,
        delivery: &DeliveryKey,
        verdict: &Verdict,
        answer: &str,
        step: &mut Step,
    ) -> Option<Signal> {
        let key = self.keys.get(delivery)?.lane.clone();
        let lane = self.lanes.get_mut(&key).filter(|lane| lane.under_way)?;
        let head = lane
            .head
            .as_mut()
            .filter(|head| head.key == *delivery && head.payload.is_some())?;
        head.attempts = head.attempts.saturating_add(1);
        let answer: String = answer.chars().take(limits::ANSWER_CHARACTERS_MAX).collect();
        step.commit.push(Record::Attempt(AttemptRow {
            key: delivery.clone(),
            number: head.attempts,
            at: now.wall,
            result: verdict.as_str(),
            answer: answer.clone(),
        }));
        step.effects.push(Effect::Note(Fact::Attempted {
            delivery: delivery.clone(),
            destination: key.destination.clone(),
            result: verdict.as_str(),
            answer,
        }));
        self.note_sent(now, &key, step);
        match verdict {
            Verdict::Delivered => self.delivered(now, &key, step),
            Verdict::Retry { after, reason } => self.try_again(now, &key, *after, reason, step),
            Verdict::Rejected { reason } => self.reject(now, &key, reason, step),
        }
    }

    /// Frees the place of a delivery that has ended, and gives it out of its lane.
    fn take_head(&mut self, key: &LaneKey) -> Option<DeliveryRow> {
        let lane = self.lanes.get_mut(key)?;
        lane.under_way = false;
        if let Some(known) = self.destinations.get_mut(&key.destination) {
            known.busy = known.busy.saturating_sub(1);
        }
        if let Some(pool) = self.pools.get_mut(&key.pool()) {
            pool.busy = pool.busy.saturating_sub(1);
        }
        lane.head.take()
    }

    fn delivered(&mut self, now: Now, key: &LaneKey, step: &mut Step) -> Option<Signal> {
        let mut row = self.take_head(key)?;
        row.state = DeliveryState::Delivered;
        row.reason = None;
        self.keys.remove(&row.key);
        let lane = self.lanes.get_mut(key)?;
        lane.note_told(&row);
        step.commit.push(Record::Lane(lane.row.clone()));
        self.release_behind(now, &row.key, true, step);
        step.commit.push(Record::Delivery(row));
        self.count(&key.destination, -1);
        self.show(&key.destination, step);
        self.look_again(now, key, step);
        let destination = self.destinations.get_mut(&key.destination)?;
        destination.failing.remove(&key.recipient);
        let healed = destination.failing.is_empty();
        if healed {
            if destination.row.failing_since.take().is_some() {
                step.commit
                    .push(Record::Destination(destination.row.clone()));
            }
            destination.failing_since = None;
        }
        let (destination, recipient) = key.pool();
        Some(Signal::Works {
            destination,
            recipient,
            healed,
        })
    }

    fn try_again(
        &mut self,
        now: Now,
        key: &LaneKey,
        asked: Option<Span>,
        reason: &str,
        step: &mut Step,
    ) -> Option<Signal> {
        let mut row = self.take_head(key)?;
        if planted::is(Planted::RetryGivesUp) && row.attempts >= 3 {
            self.give_up(now, row, DeliveryState::Expired, Why::Limit, None, step);
            return None;
        }
        let wait = limit::retry_after(row.key.as_str(), row.attempts, asked);
        row.state = DeliveryState::Pending;
        row.reason = Some(reason.to_string());
        row.due = now.wall + wait;
        step.commit.push(Record::Delivery(row.clone()));
        if planted::is(Planted::KeyPerTry) {
            let other = DeliveryKey::new(
                &key.destination,
                &key.recipient,
                row.key.as_str(),
                "again",
                0,
            );
            if let Some(kept) = self.keys.remove(&row.key) {
                self.keys.insert(other.clone(), kept);
            }
            row.key = other;
        }
        let planned = self.is_planned(&key.destination, &key.recipient);
        if mark(&mut row, planned) {
            step.commit.push(Record::Delivery(row.clone()));
        }
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.away = !planned;
            lane.head = Some(row);
        }
        self.look_at(key, now.tick + wait);
        if let Some(asked) = asked
            && let Some(pool) = self.pools.get_mut(&key.pool())
        {
            // What it asked for holds for all it is given; how often this message was tried is its own affair.
            let open = now.tick + limit::asked_wait(asked);
            pool.not_before = pool.not_before.max(open);
        }
        self.note_failure(now, key, reason, limits::DESTINATION_FAILING_AFTER, step)
    }

    fn reject(&mut self, now: Now, key: &LaneKey, reason: &str, step: &mut Step) -> Option<Signal> {
        let mut row = self.take_head(key)?;
        if !self.is_planned(&key.destination, &key.recipient) {
            // It was removed while this was under way: it keeps its place, and goes out if the name returns.
            mark(&mut row, false);
            step.commit.push(Record::Delivery(row.clone()));
            let lane = self.lanes.get_mut(key)?;
            lane.away = true;
            lane.head = Some(row);
            return None;
        }
        let lane = self.lanes.get_mut(key)?;
        if row.notice.kind == Kind::Resolved {
            lane.end_refused = lane.waiting.last().map(|row| row.order);
        }
        // A summary or a test is not owed: nothing depends on it later.
        if !matches!(row.notice.kind, Kind::Info | Kind::Summary) {
            let may_have_arrived = row.attempts > 1;
            if !lane.paying {
                lane.lost(&row, may_have_arrived);
                self.debts.insert(key.clone());
            } else if may_have_arrived {
                lane.may_know(&row);
            }
        }
        step.commit.push(Record::Lane(lane.row.clone()));
        self.give_up(
            now,
            row,
            DeliveryState::Parked,
            Why::Parked,
            Some(reason.to_string()),
            step,
        );
        self.look_again(now, key, step);
        self.note_failure(now, key, reason, Span::ZERO, step)
    }

    /// Looks at a lane again at once, where something waits in it; else forgets it where nothing is left.
    fn look_again(&mut self, now: Now, key: &LaneKey, step: &mut Step) {
        if self
            .lanes
            .get(key)
            .is_some_and(|lane| lane.first_order().is_some())
        {
            self.look_at(key, now.tick);
        } else {
            self.tidy(now, key, step);
        }
    }

    /// Notes that a destination failed; tells of it once it has failed for so long.
    fn note_failure(
        &mut self,
        now: Now,
        key: &LaneKey,
        reason: &str,
        after: Span,
        step: &mut Step,
    ) -> Option<Signal> {
        let destination = self
            .destinations
            .get_mut(&key.destination)
            .filter(|known| known.present)?;
        let since = *destination.failing_since.get_or_insert(now.tick);
        if destination.row.failing_since.is_none() {
            destination.row.failing_since = Some(now.wall);
            step.commit
                .push(Record::Destination(destination.row.clone()));
        }
        destination.failing.insert(Arc::clone(&key.recipient));
        if now.tick.since(since) < after {
            return None;
        }
        Some(Signal::Failing {
            destination: key.destination.clone(),
            reason: reason.to_string(),
        })
    }

    /// Lanes of a recipient that owe it the state as it is now, and have nothing waiting that tells it. They are asked
    /// for after a success.
    pub fn owing(&self, destination: &Name, recipient: &Arc<str>) -> Vec<LaneKey> {
        let first = LaneKey {
            destination: destination.clone(),
            recipient: Arc::clone(recipient),
            subject: Subject::Service {
                host: "".into(),
                service: "".into(),
            },
        };
        self.debts
            .range(first..)
            .take_while(|key| key.destination == *destination && key.recipient == *recipient)
            .filter(|key| self.is_idle(key))
            .cloned()
            .collect()
    }

    /// Lanes whose debt is to be paid now: something of theirs has expired, or their recipient has returned.
    pub fn take_overdue(&mut self) -> Vec<LaneKey> {
        let mut overdue = core::mem::take(&mut self.overdue);
        overdue.retain(|key| self.debts.contains(key) && self.is_idle(key));
        overdue
    }

    fn is_idle(&self, key: &LaneKey) -> bool {
        !planted::is(Planted::ExpiredForgotten)
            && self
                .lanes
                .get(key)
                .is_none_or(|lane| lane.head.is_none() && lane.waiting.is_empty())
    }

    /// Whether a subject can be told in a summary: its lanes at this destination have nothing to say themselves.
    pub fn may_summarize(&self, destination: &Name, subject: &Subject) -> bool {
        self.lanes_of(subject)
            .filter(|(key, _)| key.destination == *destination)
            .all(|(_, lane)| {
                lane.head.is_none() && lane.waiting.is_empty() && lane.row.told.is_none()
            })
    }

    /// A lane's debt is paid by what was just put into it, or by there being nothing to tell.
    pub fn pay(&mut self, now: Now, key: &LaneKey, step: &mut Step) {
        self.debts.remove(key);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.row.owes_state = false;
            lane.paying = true;
            step.commit.push(Record::Lane(lane.row.clone()));
        }
        self.tidy(now, key, step);
    }

    /// Notes that the recipients of a destination learn of an incident from a summary.
    pub fn know(
        &mut self,
        destination: &Name,
        summary: &Notice,
        subject: &Subject,
        told: &Told,
        step: &mut Step,
    ) {
        let Some(known) = self.destinations.get(destination) else {
            return;
        };
        for recipient in known.recipients.clone() {
            let fleet = LaneKey {
                destination: destination.clone(),
                recipient,
                subject: summary.subject.clone(),
            };
            let delivery = fleet.delivery(summary);
            let key = LaneKey {
                subject: subject.clone(),
                ..fleet
            };
            self.pools.entry(key.pool()).or_default();
            let lane = self
                .lanes
                .entry(key.clone())
                .or_insert_with(|| super::Lane::new(&key, None));
            let another = lane
                .row
                .told
                .as_ref()
                .is_some_and(|known| known.incident != told.incident);
            if another {
                // The end of what was told before is still owed; how it stands now follows it.
                lane.row.owes_state = true;
                self.debts.insert(key.clone());
            } else {
                lane.row.told = Some(told.clone());
                lane.row.owes_state = false;
                self.debts.remove(&key);
            }
            lane.row.behind = Some(delivery.clone());
            step.commit.push(Record::Lane(lane.row.clone()));
            self.behind.entry(delivery).or_default().insert(key);
        }
    }

    /// A summary has come to its end: the lanes that waited for it go on. Where it was not delivered, their
    /// recipients know nothing yet, and the state as it is at the next success is owed.
    pub(super) fn release_behind(
        &mut self,
        now: Now,
        summary: &DeliveryKey,
        may_have_arrived: bool,
        step: &mut Step,
    ) {
        for key in self.behind.remove(summary).unwrap_or_default() {
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            lane.row.behind = None;
            if !may_have_arrived && self.debts.insert(key.clone()) {
                lane.row.told = None;
                lane.row.owes_state = true;
            }
            step.commit.push(Record::Lane(lane.row.clone()));
            if lane.first_order().is_some() {
                self.look_at(&key, now.tick);
            }
        }
    }

    /// One lane.
    pub fn lane(&self, key: &LaneKey) -> Option<&super::Lane> {
        self.lanes.get(key)
    }
}
