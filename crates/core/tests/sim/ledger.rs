//! Rules about messages, as they are sent and as destinations take them (P1, I2, I3, I5, limits, asked waits).

use crate::{
    heard::{Belief, Heard, hear, owed_end, refused_end, subject_of},
    oracle::Oracle,
    store::{Recipient, Store, Stored},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use svcwatch_core::{
    id::{DeliveryKey, Name, Subject},
    limits,
    notice::{Kind, Notice},
    plan::LimitPer,
    record::{DeliveryRow, DeliveryState},
};

/// A message, by its key.
#[derive(Debug, Clone)]
struct Taken {
    payload: Arc<[u8]>,
    /// Whether the monitor was told that it was taken.
    known: bool,
}

/// A message under way.
#[derive(Debug, Clone)]
struct Sent {
    lane: (Recipient, Subject),
    payload: Arc<[u8]>,
}

/// A destination asked us to wait.
#[derive(Debug, Clone, Copy)]
struct Asked {
    since: u64,
    until: u64,
}

/// All messages.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// When each recipient last took something.
    pub(crate) took: BTreeMap<Recipient, u64>,
    taken: BTreeMap<DeliveryKey, Taken>,
    under_way: BTreeMap<DeliveryKey, Sent>,
    first_sent: BTreeMap<DeliveryKey, u64>,
    /// When each delivery may be tried again, where the destination said so.
    not_before: BTreeMap<DeliveryKey, Asked>,
    /// The latest such wait of each recipient.
    recipient_not_before: BTreeMap<Recipient, Asked>,
    /// What each recipient heard.
    pub(crate) heard: BTreeMap<(Recipient, Subject), Heard>,
    /// When the message that each recipient took last was sent first, with its subject.
    recipient_begun: BTreeMap<Recipient, u64>,
    /// Deliveries that a destination said it would never take.
    rejected: BTreeSet<DeliveryKey>,
    /// How many different messages arrived.
    pub(crate) messages: u64,
}

impl Oracle {
    /// A delivery is about to be written.
    pub(crate) fn judge_delivery(&mut self, store: &Store, row: &DeliveryRow) {
        let before = store.deliveries.get(&row.key);
        if before.is_some_and(|before| before.row.state == row.state) {
            return;
        }
        match row.state {
            DeliveryState::Expired => self.judge_expiry(store, row),
            DeliveryState::Parked => {
                let removed = row.reason.as_deref() == Some("destination_removed");
                if !removed && !self.ledger.rejected.contains(&row.key) {
                    self.broken(
                        "P1",
                        format!("delivery {} was parked, but nobody rejected it", row.key),
                    );
                }
            }
            DeliveryState::Delivered => {
                if !self
                    .ledger
                    .taken
                    .get(&row.key)
                    .is_some_and(|taken| taken.known)
                {
                    self.broken(
                        "P1",
                        format!(
                            "delivery {} counts as delivered, but was not taken",
                            row.key
                        ),
                    );
                }
            }
            DeliveryState::Pending | DeliveryState::Sending => {
                if before.is_none() && row.notice.kind == Kind::Reminder {
                    self.judge_reminder(store, row);
                }
            }
        }
    }

    fn judge_expiry(&mut self, store: &Store, row: &DeliveryRow) {
        let first = store
            .deliveries
            .values()
            .filter(|stored| {
                stored.row.created == row.created && stored.row.notice.subject == row.notice.subject
            })
            .map(|stored| stored.first_at)
            .min()
            .unwrap_or(self.now);
        let expiry = self
            .plans
            .iter()
            .map(|(_, plan)| plan.notices.expiry.0)
            .min()
            .unwrap_or(0);
        let age = self.now - first + self.forward_since(first) + 2_000;
        if age < expiry {
            let sentence = format!(
                "delivery {} was given up after {age} ms, of {expiry}",
                row.key
            );
            self.broken("P1", sentence);
        }
    }

    fn judge_reminder(&mut self, store: &Store, row: &DeliveryRow) {
        let Some(incident) = row
            .notice
            .incident
            .as_ref()
            .and_then(|one| store.incidents.get(&one.id))
        else {
            return;
        };
        if incident.acknowledged.is_some() {
            self.broken(
                "policy",
                format!("incident {} was acknowledged and is repeated", incident.id),
            );
        }
        let host = match &row.notice.subject {
            Subject::Service { host, .. } => store.hosts.get(host),
            _ => None,
        };
        if host.is_some_and(|host| host.fault.is_some()) {
            let sentence = format!(
                "{:?} is repeated although its host cannot be read",
                row.notice.subject
            );
            self.broken("P4", sentence);
        }
    }

    /// A message is given to its destination.
    pub(crate) fn sends(
        &mut self,
        store: &Store,
        key: &DeliveryKey,
        destination: &Name,
        recipient: &Arc<str>,
        payload: &Arc<[u8]>,
    ) -> Option<Arc<Notice>> {
        let Some(stored) = store.deliveries.get(key).filter(|stored| !stored.merged) else {
            self.broken(
                "I5",
                format!("message {key} is sent, but the store has no such delivery"),
            );
            return None;
        };
        let row = &stored.row;
        self.judge_content(stored, destination, recipient, payload);
        self.judge_repeat(key, destination, payload);
        let lane = (
            (destination.clone(), Arc::clone(recipient)),
            row.notice.subject.clone(),
        );
        self.judge_order(store, row);
        let now = self.now;
        self.ledger.first_sent.entry(key.clone()).or_insert(now);
        self.ledger.under_way.insert(
            key.clone(),
            Sent {
                lane,
                payload: Arc::clone(payload),
            },
        );
        Some(Arc::clone(&row.notice))
    }

    /// What is sent is what the store has frozen, for whom it is, and still owed.
    fn judge_content(
        &mut self,
        stored: &Stored,
        destination: &Name,
        recipient: &Arc<str>,
        payload: &Arc<[u8]>,
    ) {
        let (row, key) = (&stored.row, &stored.row.key);
        if !row.frozen || row.payload.as_ref() != Some(payload) {
            self.broken(
                "I5",
                format!("message {key} is sent, but the store has not its frozen content"),
            );
        } else if row.destination != *destination || row.recipient != *recipient {
            self.broken(
                "I5",
                format!("message {key} is sent to {destination} {recipient}, which it is not for"),
            );
        } else if !stored.waits() && row.reason.as_deref() != Some("destination_removed") {
            self.broken(
                "P1",
                format!("message {key} is sent although it is {}", row.state),
            );
        }
    }

    /// A message is tried again only after its last try, unchanged, and not before the destination wants it.
    fn judge_repeat(&mut self, key: &DeliveryKey, destination: &Name, payload: &Arc<[u8]>) {
        if self.ledger.under_way.contains_key(key) {
            self.broken("P1", format!("message {key} is sent while it is under way"));
        }
        if let Some(taken) = self.ledger.taken.get(key) {
            if taken.known {
                self.broken(
                    "P1",
                    format!("message {key} is sent again although its answer came"),
                );
            } else if taken.payload != *payload {
                self.broken(
                    "P1",
                    format!("message {key} is sent again with another content"),
                );
            }
        }
        if self
            .ledger
            .not_before
            .get(key)
            .is_some_and(|asked| self.now + self.forward_since(asked.since) + 1 < asked.until)
        {
            self.broken(
                "P1",
                format!("message {key} is sent earlier than {destination} asked for"),
            );
        }
    }

    /// Nothing is sent while something earlier of the same service waits, or it would arrive in the wrong order.
    fn judge_order(&mut self, store: &Store, row: &DeliveryRow) {
        let key = &row.key;
        let earlier = store
            .waiting
            .range(..row.order)
            .map(|(_, key)| key)
            .find(|other| {
                store.deliveries.get(*other).is_some_and(|other| {
                    same_recipient(&other.row, row)
                        && other.row.notice.subject == row.notice.subject
                })
            });
        if let Some(earlier) = earlier {
            self.broken(
                "P1",
                format!("message {key} is sent before {earlier} of the same service"),
            );
        }
    }

    /// Until when a destination asked us to leave a recipient alone; an answer that waited for the store counts from
    /// when the monitor took it in.
    pub(crate) fn asked_until(&self, recipient: &Recipient) -> u64 {
        let asked = self.ledger.recipient_not_before.get(recipient);
        asked.map_or(0, |asked| {
            let taken_in = asked.since.max(self.store_slow_at);
            taken_in + asked.until - asked.since
        })
    }

    /// Whether a message is being sent.
    pub(crate) fn is_under_way(&self, key: &DeliveryKey) -> bool {
        self.ledger.under_way.contains_key(key)
    }

    /// A destination takes a message, whether or not its answer arrives.
    pub(crate) fn takes(&mut self, store: &Store, key: &DeliveryKey) {
        let now = self.now;
        let Some(sent) = self.ledger.under_way.get(key).cloned() else {
            return;
        };
        self.takings.insert(sent.lane.0.0.clone(), now);
        self.ledger.took.insert(sent.lane.0.clone(), now);
        if self.ledger.taken.contains_key(key) {
            return;
        }
        self.ledger.messages += 1;
        self.ledger.taken.insert(
            key.clone(),
            Taken {
                payload: sent.payload,
                known: false,
            },
        );
        let Some(row) = store.deliveries.get(key).map(|stored| stored.row.clone()) else {
            return;
        };
        self.judge_limit(key, &sent.lane);
        let mut heard = self.ledger.heard.remove(&sent.lane).unwrap_or_default();
        if row.order <= heard.order {
            self.broken(
                "P1",
                format!("message {key} arrives after a later one of the same service"),
            );
        }
        heard.order = row.order;
        heard.at = now;
        heard.known.extend(owed_end(store, &sent.lane, &row));
        // An end that the destination itself refused is its own loss.
        heard.open.retain(|id| !refused_end(store, &sent.lane, id));
        if let Some(sentence) = hear(&mut heard, &row.notice) {
            let who = &sent.lane.0;
            self.broken(
                "I3",
                format!("{} {}: {sentence} ({:?})", who.0, who.1, row.notice.subject),
            );
        }
        self.ledger.heard.insert(sent.lane.clone(), heard);
        self.hears_summary(store, &sent.lane.0, &row.notice);
    }

    /// A summary tells of many services at once, so each of them counts as heard of.
    fn hears_summary(&mut self, store: &Store, recipient: &Recipient, notice: &Notice) {
        for item in &notice.items {
            let Some(subject) = subject_of(item) else {
                continue;
            };
            let open = store.open.get(&subject).cloned();
            let told = self
                .ledger
                .heard
                .entry((recipient.clone(), subject))
                .or_default();
            told.summarized = true;
            told.belief = Some(Belief::Wrong(item.event));
            told.at = self.now;
            told.open.extend(open.clone());
            told.known.extend(open);
        }
    }

    fn judge_limit(&mut self, key: &DeliveryKey, lane: &(Recipient, Subject)) {
        let begun = self.ledger.first_sent.get(key).copied().unwrap_or(self.now);
        let plan = self.plan();
        let limit = plan
            .destinations
            .iter()
            .find(|known| known.name == lane.0.0)
            .and_then(|known| known.limit);
        let last = match limit.map(|limit| limit.per) {
            Some(LimitPer::Service) => self.ledger.heard.get(lane).and_then(|heard| heard.begun),
            Some(LimitPer::Destination) => self.ledger.recipient_begun.get(&lane.0).copied(),
            None => None,
        };
        if let (Some(limit), Some(last)) = (limit, last)
            && begun >= last
            && begun + 1_000 < last + limit.every.0
            && self.store_slow_at + 60_000 < last
            && !self.crashes.iter().any(|at| *at + limit.every.0 >= last)
        {
            let sentence = format!(
                "{} took two messages within {} ms, of {}",
                lane.0.0,
                begun - last,
                limit.every.0
            );
            self.broken("policy", sentence);
        }
        let told = self.ledger.heard.entry(lane.clone()).or_default();
        told.begun = told.begun.max(Some(begun));
        let told = self
            .ledger
            .recipient_begun
            .entry(lane.0.clone())
            .or_default();
        *told = begun.max(*told);
    }

    /// The try of a message ended, as the monitor is told.
    pub(crate) fn answers(&mut self, key: &DeliveryKey, destination: &Name, end: End) {
        let now = self.now;
        let Some(sent) = self.ledger.under_way.remove(key) else {
            return;
        };
        self.ledger.not_before.remove(key);
        match end {
            End::Delivered => {
                let incident = self
                    .ledger
                    .taken
                    .get_mut(key)
                    .map(|taken| taken.known = true);
                debug_assert!(incident.is_some());
            }
            End::Retry(after) => {
                self.refusals
                    .entry(destination.clone())
                    .or_default()
                    .push(now);
                if let Some(after) = after {
                    let clamped = after.clamp(limits::RETRY_AFTER_MIN.0, limits::RETRY_AFTER_MAX.0);
                    let asked = Asked {
                        since: now,
                        until: now + clamped,
                    };
                    self.ledger.not_before.insert(key.clone(), asked);
                    self.ledger.recipient_not_before.insert(sent.lane.0, asked);
                }
            }
            End::Rejected => {
                self.refusals
                    .entry(destination.clone())
                    .or_default()
                    .push(now);
                self.ledger.rejected.insert(key.clone());
            }
        }
    }

    /// The monitor died: what it had not written down it does not know.
    pub(crate) fn crashed(&mut self, store: &Store) {
        self.crashes.push(self.now);
        self.ledger.under_way.clear();
        let Ledger {
            taken, not_before, ..
        } = &mut self.ledger;
        for (key, taken) in taken.iter_mut().filter(|(_, taken)| taken.known) {
            let stored = store.deliveries.get(key).map(|stored| stored.row.state);
            taken.known = stored == Some(DeliveryState::Delivered);
        }
        not_before.retain(|key, asked| {
            store
                .deliveries
                .get(key)
                .is_some_and(|stored| stored.due_at >= asked.until)
        });
        self.logons.allow(None);
        self.logons.unproven(None);
        self.forget_boots(store);
    }
}

/// Whether two messages are for the same recipient: what one recipient lost says nothing of another.
fn same_recipient(one: &DeliveryRow, other: &DeliveryRow) -> bool {
    (&one.destination, &one.recipient) == (&other.destination, &other.recipient)
}

/// How a try ended, as the monitor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Taken.
    Delivered,
    /// Not now; perhaps after so many milliseconds.
    Retry(Option<u64>),
    /// Never.
    Rejected,
}
