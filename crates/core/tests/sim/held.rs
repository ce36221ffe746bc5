//! The end of an incident waits for the answer of the try that brought it: as long as it may, and no longer.

use crate::{
    oracle::{Oracle, Window},
    rng::Rng,
    setup::{MINUTE, SECOND},
    store::Store,
    world::World,
};
use std::collections::BTreeMap;
use svcwatch_core::{
    id::{IncidentId, stable_hash},
    limits,
    notice::{Kind, ToldEvent},
    record::{DeliveryRow, IncidentRow},
    remedy::ActId,
};

/// What the judge knows of ends that wait.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Since when each end waits that did.
    since: BTreeMap<IncidentId, u64>,
    /// Those that wait still.
    waiting: BTreeMap<IncidentId, u64>,
}

/// How long after a service runs the try that started it is answered.
pub(crate) fn proof(act: &ActId) -> u64 {
    let mut rng = Rng::new(stable_hash(act.as_str(), 34), 4);
    rng.pick(&[0, SECOND, SECOND, 5 * SECOND, 50 * SECOND])
}

impl Oracle {
    /// An incident is about to be written.
    pub(crate) fn judge_wait(&mut self, window: Window, row: &IncidentRow) {
        let waits = row.resolved_at.is_some() && row.untold.is_some() && row.muted.is_none();
        if waits {
            self.held.since.entry(row.id.clone()).or_insert(window.from);
            (self.held.waiting.entry(row.id.clone())).or_insert(window.from);
        } else {
            self.held.waiting.remove(&row.id);
        }
    }

    /// A message is about to be written: no end is told before its try is answered, but where that takes too long or
    /// the service has failed again.
    pub(crate) fn judge_early_end(&mut self, store: &Store, window: Window, row: &DeliveryRow) {
        let notice = &row.notice;
        let open = notice.remedy.iter().any(|told| told.outcome.is_none());
        let ends = notice.kind == Kind::Resolved && notice.event == ToldEvent::Started;
        let incident = notice.incident.as_ref().filter(|_| open && ends);
        let Some(incident) = incident.and_then(|one| store.incidents.get(&one.id)) else {
            return;
        };
        let mut others = store.incidents.values();
        if others.any(|other| other.subject == incident.subject && other.seq > incident.seq) {
            return;
        }
        let since = self.held.since.get(&incident.id);
        if since.is_none_or(|since| window.until < since + limits::ACT_END_WAIT.0) {
            let sentence = format!(
                "the end of {} is told before the try that brought it is answered",
                incident.id
            );
            self.broken("remedy", sentence);
        }
    }
}

impl World {
    /// No end waits for ever.
    pub(crate) fn scan_ends(&mut self, steady: u64) {
        let bound = limits::ACT_END_WAIT.0 + MINUTE;
        let mut waiting = self.oracle.held.waiting.iter();
        let late = waiting.find(|(_, since)| self.now > steady.max(**since) + bound);
        if let Some((incident, since)) = late {
            let sentence = format!(
                "the end of {incident} waits for its try since {} s",
                (self.now - since) / SECOND
            );
            self.oracle.broken("P2", sentence);
        }
    }
}
