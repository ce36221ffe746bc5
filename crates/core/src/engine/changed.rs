//! Changes of how services are set up: every one is kept in history, and some are told.

use super::Engine;
use crate::{
    changes::{self, Change, Part},
    effect::Step,
    health,
    id::{Name, Subject},
    notice::{Kind, Notice, Severity, ToldEvent, Why},
    plan::EntryPlan,
    record::{HistoryRow, Record},
    target::Target,
    time::Now,
};
use alloc::{format, string::String, vec::Vec};

/// Whether a change of a service is told. That the start type changes by which it was selected is told in any case: it
/// stays watched although its entry does not say so any more. What is known to change by itself is told in no case.
pub(super) fn is_told(target: &Target, entry: &EntryPlan, changes: &[Change]) -> bool {
    if health::noise(&target.row, entry).is_some() {
        return false;
    }
    let selected = target.row.selected_start.is_some() && health::is_by_start(entry);
    entry.changes || (selected && changes.iter().any(|change| change.part == Part::StartType))
}

impl Engine {
    /// Keeps changes of a service, and tells them where the plan says so.
    pub(super) fn changed(
        &mut self,
        now: Now,
        host: &Name,
        service: &Name,
        changes: &[Change],
        step: &mut Step,
    ) {
        let told = self
            .target_and_entry(host, service)
            .is_some_and(|(target, entry)| is_told(target, entry, changes));
        let mut sentence = changes::sentence(changes);
        let start = |change: &&Change| change.part == Part::StartType;
        if told && changes.iter().any(|change| start(&change)) {
            sentence = format!("{sentence}; it stays watched");
        }
        self.keep_change(now, host, service, sentence, told, step);
    }

    /// A service that the host did not show before is watched from now on.
    pub(super) fn appeared(
        &mut self,
        now: Now,
        host: &Name,
        service: &Name,
        sentence: String,
        step: &mut Step,
    ) {
        let told = self
            .target_and_entry(host, service)
            .is_some_and(|(target, entry)| is_told(target, entry, &[]));
        self.keep_change(now, host, service, sentence, told, step);
    }

    /// A service that need not be there is not installed any more: its transition is in history already.
    pub(super) fn vanished(&mut self, now: Now, host: &Name, service: &Name, step: &mut Step) {
        let told = self
            .target_and_entry(host, service)
            .is_some_and(|(target, entry)| is_told(target, entry, &[]));
        if told {
            let subject = Subject::Service {
                host: host.clone(),
                service: service.clone(),
            };
            let seq = self.bump(&subject, step);
            let sentence = String::from("it is not installed any more");
            self.tell_change(now, &subject, seq, sentence, step);
        }
    }

    fn target_and_entry(&self, host: &Name, service: &Name) -> Option<(&Target, &EntryPlan)> {
        let host = self.hosts.get(host)?;
        let target = host.targets.get(host.find(service)?)?;
        Some((target, host.plan.services.get(target.entry)?))
    }

    fn keep_change(
        &mut self,
        now: Now,
        host: &Name,
        service: &Name,
        sentence: String,
        told: bool,
        step: &mut Step,
    ) {
        let subject = Subject::Service {
            host: host.clone(),
            service: service.clone(),
        };
        let seq = self.bump(&subject, step);
        let incident = self
            .incidents
            .of(&subject)
            .map(|incident| incident.row.id.clone());
        let row = HistoryRow {
            record: self.next_record(),
            subject: subject.clone(),
            seq,
            at: now.wall,
            from: None,
            to: None,
            fault: None,
            event: Some(ToldEvent::Changed),
            incident,
            exit_code: None,
            service_exit_code: None,
            pid: None,
            cause: Some(sentence.clone()),
        };
        self.evidence.changed(host, service, &row);
        step.commit.push(Record::History(row));
        if told {
            self.tell_change(now, &subject, seq, sentence, step);
        }
    }

    /// Tells a change to everyone who is to know. It is over as it is told: no incident opens, and none waits for it.
    fn tell_change(
        &mut self,
        now: Now,
        subject: &Subject,
        seq: u64,
        sentence: String,
        step: &mut Step,
    ) {
        let (severity, event) = (Severity::Info, ToldEvent::Changed);
        if let Some(mute) = self.mute_covering(subject, severity, event) {
            let why = mute.by.why();
            self.not_told(now, subject, event, why, step);
            return;
        }
        let mut notice = Notice::new(Kind::Info, event, now.wall, subject.clone(), seq);
        self.describe(subject, &mut notice);
        notice.cause = Some(sentence);
        let destinations: Vec<Name> = self
            .destinations_of(&notice)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        if destinations.is_empty() {
            self.not_told(now, subject, event, Why::NoRoute, step);
        }
        for destination in destinations {
            self.tell_one(now, &notice, &destination, step);
        }
    }
}
