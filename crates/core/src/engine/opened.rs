//! The life of an incident: opened, held, told, updated, repeated, over.

use super::{Engine, service::Turn};
use crate::{
    effect::{Effect, Fact, Step},
    id::{IncidentId, Name, Subject},
    limits,
    notice::{Kind, Severity, ToldEvent, Why},
    plan::Expect,
    planted::{self, Planted},
    policy::{Ruling, mute, remind},
    record::{HistoryRow, IncidentRow, Record},
    time::{Now, Span},
};
use alloc::{string::String, sync::Arc};

impl Engine {
    /// A subject other than a service is wrong: its incident opens, or goes on in another way.
    pub(super) fn wrong(
        &mut self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        cause: Option<String>,
        first_look: bool,
        step: &mut Step,
    ) {
        match self
            .incidents
            .of(subject)
            .map(|incident| incident.row.event)
        {
            Some(known) if known == event => {}
            Some(_) => {
                self.write_turn(now, subject, Turn::Updates(event), cause.clone(), step);
                self.update(now, subject, event, cause, step);
            }
            None => {
                self.write_turn(now, subject, Turn::Opens(event), cause.clone(), step);
                self.open(now, subject, event, cause, first_look, step);
            }
        }
    }

    /// A subject other than a service is as it should be: its incident is over, where it has one.
    pub(super) fn fine(&mut self, now: Now, subject: &Subject, event: ToldEvent, step: &mut Step) {
        if self.incidents.of(subject).is_some() {
            self.write_turn(now, subject, Turn::Ends(event), None, step);
            self.end(now, subject, event, step);
        }
    }

    /// Writes a line of history for a subject that is not a service.
    pub(super) fn write_turn(
        &mut self,
        now: Now,
        subject: &Subject,
        turn: Turn,
        cause: Option<String>,
        step: &mut Step,
    ) {
        let seq = self.bump(subject, step);
        let incident = match turn {
            Turn::Opens(_) => Some(IncidentId::new(self.store, subject, seq)),
            Turn::Updates(_) | Turn::Ends(_) => self
                .incidents
                .of(subject)
                .map(|incident| incident.row.id.clone()),
        };
        let fault = subject
            .host()
            .and_then(|host| self.hosts.get(host))
            .and_then(|host| host.row.fault);
        let row = HistoryRow {
            record: self.next_record(),
            subject: subject.clone(),
            seq,
            at: now.wall,
            from: None,
            to: None,
            fault,
            event: Some(turn.event()),
            incident,
            exit_code: None,
            service_exit_code: None,
            pid: None,
            cause,
        };
        step.commit.push(Record::History(row));
    }

    /// Opens the incident of a subject. Its number was given by the line of history written just before.
    pub(super) fn open(
        &mut self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        cause: Option<String>,
        first_look: bool,
        step: &mut Step,
    ) {
        let seq = self.seq_of(subject);
        let (severity, previous_state, settle) = self.circumstances(subject, event);
        let settle = self.held_for(now, subject, settle);
        let hold = if first_look {
            Ruling::Pass
        } else {
            mute::hold(now.tick, settle)
        };
        let hold = if first_look {
            hold
        } else {
            self.hold_in_night(now, subject, event, hold)
        };
        let id = IncidentId::new(self.store, subject, seq);
        let (evidence, hold) = self.look_into(now, subject, &id, (first_look, hold));
        let held_until = if let Ruling::Wait(at) = hold {
            Some(now.wall_of(at))
        } else {
            None
        };
        let row = IncidentRow {
            id,
            subject: subject.clone(),
            seq,
            event,
            severity,
            opened_at: now.wall,
            resolved_at: None,
            acknowledged: None,
            cause,
            evidence,
            previous_state,
            told: false,
            held_until,
            first_look,
            reminded_at: None,
            muted: None,
            untold: None,
        };
        step.commit.push(Record::Incident(row.clone()));
        let incident = row.id.clone();
        step.effects.push(Effect::Note(Fact::IncidentOpened {
            incident,
            subject: subject.clone(),
            event,
        }));
        self.incidents
            .add(now, row, settle.max(limits::NIGHT_EVERY));
        if first_look {
            self.first_look.gather(now, subject.clone());
        } else if held_until.is_none() {
            self.tell_opening(now, subject, step);
        }
    }

    /// Severity, the state before, and how long the opening is held.
    pub(super) fn circumstances(
        &self,
        subject: &Subject,
        event: ToldEvent,
    ) -> (Severity, Option<crate::observe::State>, Span) {
        let plain = (event.severity(), None, Span::ZERO);
        if let Subject::Group { group, service } = subject {
            // That too many run is as bad as that too few do: two hosts may write to the same data.
            let set = self.groups.get(group, service);
            let severity = set.and_then(|group| group.plan.severity);
            return (severity.unwrap_or(Severity::Critical), None, Span::ZERO);
        }
        let Subject::Service { host, service } = subject else {
            return plain;
        };
        let Some(host) = self.hosts.get(host) else {
            return plain;
        };
        let Some(target) = host.find(service).and_then(|place| host.targets.get(place)) else {
            return plain;
        };
        let entry = host.plan.services.get(target.entry);
        let severity = entry.and_then(|entry| entry.severity);
        // A change is good to know; that something forbidden is there is for somebody to look at.
        let usual = match entry.map(|entry| entry.expect) {
            Some(Expect::Absent) => Severity::Warning,
            Some(Expect::Running | Expect::Stopped | Expect::Either) | None => event.severity(),
        };
        (
            severity.unwrap_or(usual),
            target.row.previous_state,
            host.plan.settle,
        )
    }

    /// An open incident goes on in another way.
    pub(super) fn update(
        &mut self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        cause: Option<String>,
        step: &mut Step,
    ) {
        let (severity, ..) = self.circumstances(subject, event);
        let Some(incident) = self.incidents.of_mut(subject) else {
            return;
        };
        incident.row.event = event;
        incident.row.severity = severity;
        if cause.is_some() {
            incident.row.cause = cause;
        }
        let (told, muted) = (incident.row.told, incident.row.muted.is_some());
        self.look_anew(now, subject);
        let Some(incident) = self.incidents.of(subject) else {
            return;
        };
        step.commit.push(Record::Incident(incident.row.clone()));
        // What is not told yet is told with its newest word.
        if told {
            if planted::is(Planted::SilenceTellsChanges) || !self.withholds(now, subject, step) {
                self.note_muted(subject, None, None, step);
                self.tell(now, subject, Kind::Updated, step);
            }
        } else if muted {
            self.tell_opening(now, subject, step);
        }
    }

    /// An incident is over.
    pub(super) fn end(&mut self, now: Now, subject: &Subject, event: ToldEvent, step: &mut Step) {
        let Some(incident) = self.incidents.of_mut(subject) else {
            return;
        };
        incident.row.resolved_at = Some(now.wall);
        let muted = incident.row.muted.take();
        incident.row.untold = None;
        let (mut row, told) = (incident.row.clone(), incident.row.told);
        step.effects.push(Effect::Note(Fact::IncidentResolved {
            incident: row.id.clone(),
            subject: subject.clone(),
            event,
        }));
        if !told {
            self.not_told(now, subject, row.event, muted.unwrap_or(Why::Settled), step);
        } else if !self.withholds_end(now, subject, &mut row, event, step)
            && !self.end_waits(now, subject, &mut row, event)
        {
            self.tell_end(now, subject, event, step);
        }
        self.first_look.drop_one(subject);
        step.commit.push(Record::Incident(row));
        self.incidents.end(subject);
    }

    /// An incident's hold is over, or it is time to look whether it is repeated.
    pub(super) fn incident_due(&mut self, now: Now, subject: &Subject, step: &mut Step) {
        let Some(incident) = self.incidents.of(subject) else {
            return;
        };
        if incident.held_until.is_some_and(|until| now.tick >= until) {
            self.incidents.release(subject);
            if !self.first_look.has(subject) {
                self.tell_opening(now, subject, step);
            }
            return;
        }
        self.incidents.remind(subject, None);
        self.repeat(now, subject, step);
    }

    /// Tells an incident again to those whose interval has passed.
    fn repeat(&mut self, now: Now, subject: &Subject, step: &mut Step) {
        let Some(incident) = self.incidents.of(subject) else {
            return;
        };
        let (last, of) = (incident.reminded, incident.reminded_of.clone());
        let acknowledged = incident.row.acknowledged.is_some();
        let readable = match subject {
            Subject::Service { host, .. } => self
                .hosts
                .get(host)
                .is_some_and(crate::host::Host::readable),
            Subject::Group { group, service } => self.is_group_in_sight(group, service),
            Subject::Host(_)
            | Subject::Visibility(_)
            | Subject::Account(_)
            | Subject::Destination(_)
            | Subject::Fleet => true,
        };
        let event = incident.row.event;
        let muted = self
            .mute_of(subject)
            .filter(|_| !planted::is(Planted::SilenceTellsReminders));
        if let Ruling::Drop(why) = mute::repeats(acknowledged, readable, muted) {
            self.not_told(now, subject, event, why, step);
            if why != Why::Acknowledged {
                if let Some(incident) = self.incidents.of_mut(subject) {
                    incident.reminded = now.tick;
                    incident.reminded_of.clear();
                }
                self.plan_reminder(now, subject);
            }
            return;
        }
        let seq = self.bump(subject, step);
        let Some(notice) = self.notice(now, subject, Kind::Reminder, seq) else {
            return;
        };
        for (destination, every) in self.destinations_of(&notice) {
            let last = of.get(&destination).copied().unwrap_or(last);
            if remind::judge(now.tick, last, every) == Ruling::Pass {
                self.tell_one(now, &notice, &destination, step);
                if let Some(incident) = self.incidents.of_mut(subject) {
                    incident.reminded_of.insert(destination, now.tick);
                }
            }
        }
        if let Some(incident) = self.incidents.of_mut(subject) {
            incident.row.reminded_at = Some(now.wall);
            step.commit.push(Record::Incident(incident.row.clone()));
        }
        self.plan_reminder(now, subject);
    }

    /// Plans when an incident is looked at for a reminder.
    pub(super) fn plan_reminder(&mut self, now: Now, subject: &Subject) {
        let seq = self.seq_of(subject);
        let Some(notice) = self.notice(now, subject, Kind::Reminder, seq) else {
            return;
        };
        let Some(incident) = self.incidents.of(subject) else {
            return;
        };
        let next = self
            .destinations_of(&notice)
            .into_iter()
            .filter_map(|(name, every)| {
                let last = incident
                    .reminded_of
                    .get(&name)
                    .copied()
                    .unwrap_or(incident.reminded);
                remind::due(last, every)
            })
            .min();
        self.incidents.remind(subject, next);
    }

    /// The confirmed fault of a host changed: that is written and shown, with its services.
    pub(super) fn host_changed(&mut self, now: Now, name: &Name, step: &mut Step) {
        let subject = Subject::Host(name.clone());
        let seq = self.bump(&subject, step);
        let record = self.next_record();
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        let (fault, cause) = (host.row.fault, host.row.cause.clone());
        step.commit.push(Record::History(HistoryRow {
            record,
            subject,
            seq,
            at: now.wall,
            from: None,
            to: None,
            fault,
            event: None,
            incident: None,
            exit_code: None,
            service_exit_code: None,
            pid: None,
            cause: cause.clone(),
        }));
        step.effects.push(Effect::Note(Fact::HostChanged {
            host: name.clone(),
            fault,
            cause,
        }));
        self.show_host(name, step);
        if planted::is(Planted::FaultResolves) && fault.is_some() {
            let services: alloc::vec::Vec<Subject> = self
                .incidents
                .iter()
                .map(|(subject, _)| subject.clone())
                .filter(|subject| matches!(subject, Subject::Service { host, .. } if host == name))
                .collect();
            for subject in services {
                self.write_turn(now, &subject, Turn::Ends(ToldEvent::Started), None, step);
                self.end(now, &subject, ToldEvent::Started, step);
            }
        }
    }

    /// A destination does not take what it is given: the others are told.
    pub(super) fn destination_failing(
        &mut self,
        now: Now,
        destination: &Name,
        reason: String,
        step: &mut Step,
    ) {
        let subject = Subject::Destination(destination.clone());
        self.wrong(
            now,
            &subject,
            ToldEvent::DestinationFailing,
            Some(reason),
            false,
            step,
        );
    }

    /// A recipient was reached: what is owed to it is told.
    pub(super) fn destination_works(
        &mut self,
        now: Now,
        destination: &Name,
        recipient: &Arc<str>,
        healed: bool,
        step: &mut Step,
    ) {
        if healed {
            let subject = Subject::Destination(destination.clone());
            self.fine(now, &subject, ToldEvent::DestinationFailing, step);
        }
        let owing = self.outbox.owing(destination, recipient);
        self.pay_debts(now, owing, step);
    }
}
