//! What a reading means for one service.

use super::Engine;
use crate::{
    effect::{Effect, Fact, Step},
    id::{IncidentId, Name, Subject},
    notice::{ToldEvent, Why},
    observe::State,
    per_user::NEVER_STARTED,
    plan::{EntryPlan, Expect},
    record::{DroppedRow, HistoryRow, Record},
    target::{Meaning, Seen, Sight, Target},
    time::Now,
};
use alloc::string::String;

/// What happens to the incident of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It opens.
    Opens(ToldEvent),
    /// It goes on in another way.
    Updates(ToldEvent),
    /// It is over.
    Ends(ToldEvent),
}

impl Turn {
    /// The event of this turn.
    pub(super) const fn event(self) -> ToldEvent {
        match self {
            Self::Opens(event) | Self::Updates(event) | Self::Ends(event) => event,
        }
    }
}

/// Why a service is not as expected, where its state alone does not say it.
fn cause(target: &Target, entry: &EntryPlan) -> Option<String> {
    let never_started = target.row.exit_code == Some(NEVER_STARTED);
    if target.row.state == State::Missing {
        target.hint.clone()
    } else if entry.expect == Expect::Absent {
        Some(String::from("it is installed and should not be"))
    } else if target.row.state == State::Stopped && never_started {
        Some(String::from("it did not start since the machine did"))
    } else if target.row.restarts.as_ref().is_some_and(|one| one.mending) {
        Some(String::from(
            "it ended unexpectedly, and its host did not bring it back",
        ))
    } else {
        None
    }
}

impl Engine {
    /// Takes in what a check says of one target. Where the host shows us so many fewer services that this is told as
    /// one, a service that is hidden is not told by itself.
    pub(super) fn see(
        &mut self,
        now: Now,
        host_name: &Name,
        place: usize,
        sight: Sight,
        hidden_is_told: bool,
        step: &mut Step,
    ) {
        let stuck_after = self.plan.stuck_after;
        let Some(host) = self.hosts.get_mut(host_name) else {
            return;
        };
        host.calm = None;
        let Some(target) = host.targets.get_mut(place) else {
            return;
        };
        let Some(entry) = host.plan.services.get(target.entry) else {
            return;
        };
        let code = target.row.exit_code;
        let seen = target.see(now, sight, entry, stuck_after, host.boot.starting_until);
        let muted = target.muted(entry);
        let service = target.row.service.clone();
        let first_look = target.first_look;
        let ended_anew = target.row.exit_code != code;
        let gone = matches!(seen.changed_from, Some(Some(_))) && target.row.state == State::Missing;
        let cause = cause(target, entry);
        let subject = Subject::Service {
            host: host_name.clone(),
            service: service.clone(),
        };
        let turn = self.turn(&subject, seen.meaning, hidden_is_told);
        if let Meaning::WrongAt(at) = seen.meaning {
            self.schedule.no_later(host_name, at);
        }
        if let (Some(Some(State::Running)), Sight::Read(reading)) = (seen.changed_from, sight)
            && matches!(reading.state, State::StopPending | State::Stopped)
        {
            self.leaves_running(now, host_name, step);
        }
        if seen.changed_from.is_some() || turn.is_some() {
            self.write_change(now, &subject, seen, turn, step);
        } else if seen.dirty
            && let Some(target) = self.target_mut(host_name, &service)
        {
            step.commit.push(Record::Target(target.row.clone()));
        }
        if let (Some(why), Some(_)) = (muted, seen.changed_from) {
            self.not_told(now, &subject, ToldEvent::Stopped, why, step);
        }
        let open = turn.is_some() || self.incidents.of(&subject).is_some();
        self.look_at_mending(now, host_name, place, open, step);
        match turn {
            Some(Turn::Opens(event)) => self.open(now, &subject, event, cause, first_look, step),
            Some(Turn::Updates(event)) => self.update(now, &subject, event, None, step),
            Some(Turn::Ends(event)) => self.end(now, &subject, event, step),
            // An end by being uninstalled is told as one.
            None => {
                if gone {
                    self.vanished(now, host_name, &service, step);
                } else if open {
                    self.look_why(now, &subject, ended_anew, step);
                }
            }
        }
        if seen.changed_from.is_some() || turn.is_some() || seen.dirty {
            self.show_service(host_name, &service, step);
        }
    }

    /// Looks into an open incident where that is still to be done, and anew where its service has ended in another way:
    /// what a plan acts upon is the cause of the last end, not of the one that the incident began with.
    fn look_why(&mut self, now: Now, subject: &Subject, ended_anew: bool, step: &mut Step) {
        if !ended_anew {
            self.look_again(now, subject);
            return;
        }
        self.look_anew(now, subject);
        if let Some(incident) = self.incidents.of(subject) {
            step.commit.push(Record::Incident(incident.row.clone()));
        }
    }

    /// What a meaning does to the incident of a target.
    fn turn(&self, subject: &Subject, meaning: Meaning, hidden_is_told: bool) -> Option<Turn> {
        let open = self
            .incidents
            .of(subject)
            .map(|incident| incident.row.event);
        match (meaning, open) {
            (Meaning::Wrong(ToldEvent::Hidden), _) if hidden_is_told => None,
            (Meaning::Wrong(event), None) => Some(Turn::Opens(event)),
            (Meaning::Wrong(event), Some(known)) if known != event => Some(Turn::Updates(event)),
            (Meaning::Fine, Some(_)) => Some(Turn::Ends(self.end_event(subject))),
            (Meaning::Wrong(_), Some(_))
            | (Meaning::Fine, None)
            | (Meaning::Nothing | Meaning::WrongAt(_), _) => None,
        }
    }

    /// The word for the end of an incident: what the service is now.
    pub(super) fn end_event(&self, subject: &Subject) -> ToldEvent {
        match self.state_of(subject) {
            Some(State::Running) => ToldEvent::Started,
            Some(State::Missing) => ToldEvent::Missing,
            Some(
                State::Stopped
                | State::StartPending
                | State::StopPending
                | State::ContinuePending
                | State::PausePending
                | State::Paused
                | State::Unknown,
            )
            | None => ToldEvent::Stopped,
        }
    }

    fn state_of(&self, subject: &Subject) -> Option<State> {
        let host = self.hosts.get(subject.host()?)?;
        host.targets
            .get(host.find(subject.service()?)?)
            .map(|target| target.row.state)
    }

    /// Writes one line of history for what changed, with the next number of the target.
    fn write_change(
        &mut self,
        now: Now,
        subject: &Subject,
        seen: Seen,
        turn: Option<Turn>,
        step: &mut Step,
    ) {
        let seq = self.bump(subject, step);
        let incident = match turn {
            Some(Turn::Opens(_)) => Some(IncidentId::new(self.store, subject, seq)),
            Some(Turn::Updates(_) | Turn::Ends(_)) | None => self
                .incidents
                .of(subject)
                .map(|incident| incident.row.id.clone()),
        };
        let cause = match turn {
            Some(Turn::Opens(_) | Turn::Updates(_)) => self
                .evidence_of_reading(now, subject)
                .and_then(|evidence| evidence.sentence()),
            Some(Turn::Ends(_)) | None => None,
        };
        let record = self.next_record();
        let (Some(host), Some(service)) = (subject.host(), subject.service()) else {
            return;
        };
        let Some(target) = self.target_mut(host, service) else {
            return;
        };
        let row = &target.row;
        step.commit.push(Record::History(HistoryRow {
            record,
            subject: subject.clone(),
            seq,
            at: now.wall,
            from: seen.changed_from.unwrap_or(Some(row.state)),
            to: Some(row.state),
            fault: None,
            event: turn.map(Turn::event),
            incident,
            exit_code: row.exit_code,
            service_exit_code: row.service_exit_code,
            pid: row.pid,
            cause,
        }));
        if let Some(from) = seen.changed_from {
            let (host, service, to) = (host.clone(), service.clone(), row.state);
            step.effects.push(Effect::Note(Fact::Transition {
                host,
                service,
                from,
                to,
            }));
        }
    }

    /// The next number of a line of history or a delivery.
    pub(super) const fn next_record(&mut self) -> u64 {
        self.last_record = self.last_record.saturating_add(1);
        self.last_record
    }

    /// Writes down that something is not told, and why.
    pub(super) fn not_told(
        &mut self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        why: Why,
        step: &mut Step,
    ) {
        let seq = self.seq_of(subject);
        let subject = subject.clone();
        step.commit.push(Record::Dropped(DroppedRow {
            subject: subject.clone(),
            seq,
            destination: None,
            at: now.wall,
            event,
            why,
        }));
        step.effects.push(Effect::Note(Fact::Dropped {
            subject,
            destination: None,
            why,
        }));
    }

    /// The number of the last change of a subject.
    pub(super) fn seq_of(&self, subject: &Subject) -> u64 {
        match subject {
            Subject::Service { host, service } => self
                .hosts
                .get(host)
                .and_then(|host| host.targets.get(host.find(service)?))
                .map_or(0, |target| target.row.seq),
            Subject::Host(host) => self.hosts.get(host).map_or(0, |host| host.row.seq),
            Subject::Visibility(host) => self
                .hosts
                .get(host)
                .map_or(0, |host| host.row.visibility_seq),
            Subject::Account(account) => self
                .accounts
                .get(account)
                .map_or(0, |account| account.row.seq),
            Subject::Destination(name) => self
                .outbox
                .destinations()
                .find(|destination| destination.row.destination == *name)
                .map_or(0, |destination| destination.row.seq),
            Subject::Fleet => self.last_record,
            Subject::Group { group, service } => self
                .groups
                .get(group, service)
                .map_or(0, |group| group.row.seq),
        }
    }
}
