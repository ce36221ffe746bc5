//! Why a service is not as expected: a cause at once, and another look with what its host answers.

use super::Engine;
use crate::{
    effect::{Effect, Fact, Step},
    evidence::{
        self, Circumstances, Evidence, GatherId, GatherRequest, GatherService, Gathered, GivenUp,
        Heard, Late, LogUse, Waiting,
    },
    host::Host,
    id::{IncidentId, Name, Subject},
    limits,
    notice::Kind,
    observe::State,
    per_user::NEVER_STARTED,
    planted::{self, Planted},
    policy::Ruling,
    record::{HistoryRow, IncidentRow, Record, TargetRow},
    target::Target,
    time::{Now, Span, Tick, Wall},
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};

/// What is known of a host, for the cause of what one of its services does.
fn circumstances(now: Now, host: &Host, row: &TargetRow) -> Circumstances {
    let booted = host.boot.grace().is_some_and(|until| now.tick < until);
    // What is not running since the first reading after the boot did not come back; what ran since then was stopped.
    // Windows itself says of some that they were not started since the boot.
    let first = host.boot.booted_at().map(|tick| now.wall_of(tick));
    let not_since = row.exit_code == Some(NEVER_STARTED)
        || row.previous_state != Some(State::Running)
        || first.is_some_and(|first| row.since <= first);
    Circumstances {
        goes_down: host.boot.shutting_down().is_some(),
        booted_at: host.row.boot.booted_at.filter(|_| booted),
        not_since,
    }
}

/// Whether the host of a service can say more about its state than the reading does.
const fn is_asked_about(target: &Target) -> bool {
    !target.row.hidden
        && !matches!(
            target.row.state,
            State::Missing | State::Unknown | State::Running
        )
}

/// Since when events of the log are about this end: a little before it was seen, for it was seen only at a round. The
/// incident may have opened long after that.
fn events_since(incident: &IncidentRow, row: &TargetRow) -> Wall {
    let opened = incident.opened_at;
    let seen = row.wrong_since.unwrap_or(opened).min(opened);
    Wall(seen.0.saturating_sub(limits::EVENTS_BEFORE))
}

/// How long a host may take that is given up after so long: less, so that what it answered in part still counts.
fn answered_within(left: Span) -> Span {
    let half = left.0.div_euclid(2);
    Span(left.0.saturating_sub(limits::GATHER_SPARE.0.min(half)))
}

/// What came of asking a host about a service.
#[derive(Debug, Clone, Copy)]
enum Came<'a> {
    /// This answer.
    Answer(&'a Gathered),
    /// Nothing, for this reason.
    Nothing(Heard),
}

impl Came<'_> {
    const fn heard(self) -> Heard {
        match self {
            Self::Answer(_) => Heard::Answered,
            Self::Nothing(heard) => heard,
        }
    }
}

/// Why nothing came, for people.
const fn why_nothing(heard: Heard) -> &'static str {
    match heard {
        Heard::Answered | Heard::Silent => "its host did not answer in time when it was asked why",
        Heard::Queued | Heard::NotAsked => {
            "its host was not asked why in time, because too many hosts were asked at once"
        }
    }
}

impl Engine {
    /// The cause of an incident that opens, as far as it is known. Where its host is asked for more, that is what the
    /// opening waits for a little.
    pub(super) fn look_into(
        &mut self,
        now: Now,
        subject: &Subject,
        id: &IncidentId,
        (first_look, hold): (bool, Ruling),
    ) -> (Option<Arc<Evidence>>, Ruling) {
        let Some(mut evidence) = self.evidence_of_reading(now, subject) else {
            return (None, hold);
        };
        let held_until = match hold {
            Ruling::Wait(at) => Some(at),
            Ruling::Pass | Ruling::Drop(_) => None,
        };
        let wait = self.plan.evidence.map_or(Span::ZERO, |plan| plan.wait);
        let waits_until = (!first_look && wait > Span::ZERO).then(|| {
            let wait = if planted::is(Planted::EvidenceHoldsBack) {
                limits::NEVER
            } else {
                wait
            };
            (now.tick + wait).max(held_until.unwrap_or(Tick(0)))
        });
        let asked = !evidence.complete && self.ask_why(now, subject, id, waits_until, held_until);
        evidence.complete = !asked;
        let hold = waits_until.filter(|_| asked).map_or(hold, Ruling::Wait);
        (Some(Arc::new(evidence)), hold)
    }

    /// An incident goes on in another way: its cause is another one, and its host is asked again.
    pub(super) fn look_anew(&mut self, now: Now, subject: &Subject) {
        let Some(mut evidence) = self.evidence_of_reading(now, subject) else {
            return;
        };
        let Some(id) = self
            .incidents
            .of(subject)
            .map(|incident| incident.row.id.clone())
        else {
            return;
        };
        let asked = !evidence.complete && self.ask_why(now, subject, &id, None, None);
        evidence.complete = !asked;
        if let Some(incident) = self.incidents.of_mut(subject) {
            incident.row.evidence = Some(Arc::new(evidence));
        }
    }

    /// An incident of which nothing was found out before we ended last is looked into now that its host can be read.
    pub(super) fn look_again(&mut self, now: Now, subject: &Subject) {
        let Some(incident) = self.incidents.of(subject) else {
            return;
        };
        let (Some(host), Some(service)) = (subject.host(), subject.service()) else {
            return;
        };
        let row = &incident.row;
        let waits = row.evidence.as_ref().is_some_and(|known| !known.complete);
        if waits && self.evidence.of(host, service).is_none() {
            let id = row.id.clone();
            self.ask_why(now, subject, &id, None, None);
        }
    }

    pub(super) fn evidence_of_reading(&self, now: Now, subject: &Subject) -> Option<Evidence> {
        let host = self.hosts.get(subject.host()?)?;
        match subject {
            Subject::Service { service, .. } => {
                let target = host.targets.get(host.find(service)?)?;
                let mut evidence =
                    evidence::of_reading(&target.row, circumstances(now, host, &target.row));
                evidence.complete = self.plan.evidence.is_none() || !is_asked_about(target);
                Some(evidence)
            }
            Subject::Host(_) => Some(evidence::of_fault(host.row.fault?)),
            Subject::Visibility(_)
            | Subject::Account(_)
            | Subject::Destination(_)
            | Subject::Fleet
            | Subject::Group { .. } => None,
        }
    }

    /// Whether the host is to be asked; it is while it can be read and stays.
    fn ask_why(
        &mut self,
        now: Now,
        subject: &Subject,
        id: &IncidentId,
        waits_until: Option<Tick>,
        held_until: Option<Tick>,
    ) -> bool {
        let (Some(plan), Some(name), Some(service)) =
            (self.plan.evidence, subject.host(), subject.service())
        else {
            return false;
        };
        let Some(host) = self.hosts.get(name) else {
            return false;
        };
        if !host.readable() || host.boot.shutting_down().is_some() {
            return false;
        }
        let waiting = Waiting {
            incident: id.clone(),
            after: GatherId::default(),
            until: now.tick + plan.deadline,
            late: false,
            waits_until,
            held_until,
            changes: Vec::new(),
        };
        self.evidence.add(name, service, waiting)
    }

    /// Asks the hosts whose turn it is.
    pub(super) fn begin_gathering(&mut self, now: Now, step: &mut Step) {
        let Some(plan) = self.plan.evidence else {
            return;
        };
        for (name, asked) in self.evidence.begin(&plan, now.tick) {
            let Some(host) = self.hosts.get(&name) else {
                self.evidence.forget(&name);
                continue;
            };
            let services = asked.services.iter().filter_map(|service| {
                let target = host.targets.get(host.find(service)?)?;
                let subject = Subject::Service {
                    host: name.clone(),
                    service: service.clone(),
                };
                let incident = &self.incidents.of(&subject)?.row;
                Some(GatherService {
                    service: service.clone(),
                    display_name: target.row.display_name.as_deref().map(ToString::to_string),
                    since: events_since(incident, &target.row),
                })
            });
            step.effects.push(Effect::Gather(GatherRequest {
                host: name.clone(),
                gather: asked.gather,
                services: services.collect(),
                log: plan.log != LogUse::Off,
                timeout: answered_within(asked.until.since(now.tick)),
                question: host.plan.timeout,
            }));
        }
    }

    /// A host has answered.
    pub(super) fn gathered(
        &mut self,
        now: Now,
        name: &Name,
        gather: GatherId,
        found: &[Gathered],
        step: &mut Step,
    ) {
        let Some(asked) = self.evidence.answered(name, gather) else {
            return;
        };
        let configs: Vec<_> = found.iter().filter_map(|one| one.config.clone()).collect();
        if !configs.is_empty() {
            self.configured(now, name, &configs, step);
        }
        for service in &asked.services {
            let answer = found.iter().find(|one| one.service == *service);
            if let Some(waiting) = self.evidence.take_answered(name, service, Some(gather)) {
                let came = answer.map_or(Came::Nothing(Heard::Silent), Came::Answer);
                self.give_reasons(now, (name, service), &waiting, came, step);
            }
        }
    }

    /// Gives up those whose time is over: they are explained by what is known.
    pub(super) fn give_up_gathering(&mut self, now: Now, step: &mut Step) {
        for given_up in self.evidence.overdue(now.tick) {
            let GivenUp {
                host,
                service,
                waiting,
                heard,
            } = given_up;
            let came = Came::Nothing(heard);
            self.give_reasons(now, (&host, &service), &waiting, came, step);
        }
    }

    /// Writes down what was found out about an incident, and lets its opening go where that waited for nothing else.
    fn give_reasons(
        &mut self,
        now: Now,
        (host, service): (&Name, &Name),
        waiting: &Waiting,
        came: Came<'_>,
        step: &mut Step,
    ) {
        if matches!(came, Came::Nothing(_)) && planted::is(Planted::EvidenceHoldsBack) {
            return;
        }
        let subject = Subject::Service {
            host: host.clone(),
            service: service.clone(),
        };
        let Some(evidence) = self.evidence_of(now, &subject, came, &waiting.changes) else {
            return;
        };
        let cause = evidence.cause;
        let sentence = evidence.sentence();
        let Some(incident) = self.incidents.of_mut(&subject) else {
            return;
        };
        if incident.row.id != waiting.incident {
            return;
        }
        let before = incident.row.evidence.replace(Arc::new(evidence));
        let news = before.is_none_or(|before| before.sentence() != sentence);
        let row = incident.row.clone();
        step.commit.push(Record::Incident(row.clone()));
        step.effects.push(Effect::Note(Fact::Explained {
            incident: row.id.clone(),
            subject: subject.clone(),
            cause,
            heard: came.heard(),
        }));
        if news {
            self.write_cause(now, &row, sentence, step);
        }
        self.let_go(now, &subject, waiting, step);
        self.remedy_soon(host);
        let late = self.plan.evidence.map(|plan| plan.late);
        if row.told && news && late == Some(Late::Tell) && !self.withholds(now, &subject, step) {
            self.tell(now, &subject, Kind::Updated, step);
        }
    }

    fn evidence_of(
        &self,
        now: Now,
        subject: &Subject,
        came: Came<'_>,
        changes: &[HistoryRow],
    ) -> Option<Evidence> {
        let host = self.hosts.get(subject.host()?)?;
        let target = host.targets.get(host.find(subject.service()?)?)?;
        let plan = self.plan.evidence?;
        let found = match came {
            Came::Answer(answer) => answer.with_changes(changes),
            Came::Nothing(heard) => Gathered {
                lacking: vec![why_nothing(heard).to_string()],
                ..Gathered::nothing(target.row.service.clone()).with_changes(changes)
            },
        };
        Some(evidence::of_answer(
            &target.row,
            circumstances(now, host, &target.row),
            &plan,
            &found,
        ))
    }

    /// A line of history that says the cause, where it is another one than the reading said.
    fn write_cause(
        &mut self,
        now: Now,
        incident: &IncidentRow,
        sentence: Option<String>,
        step: &mut Step,
    ) {
        let seq = self.bump(&incident.subject, step);
        let row = HistoryRow {
            record: self.next_record(),
            subject: incident.subject.clone(),
            seq,
            at: now.wall,
            from: None,
            to: None,
            fault: None,
            event: Some(incident.event),
            incident: Some(incident.id.clone()),
            exit_code: None,
            service_exit_code: None,
            pid: None,
            cause: sentence,
        };
        step.commit.push(Record::History(row));
    }

    /// Ends the wait of an opening for evidence.
    fn let_go(&mut self, now: Now, subject: &Subject, waiting: &Waiting, step: &mut Step) {
        let Some(incident) = self.incidents.of(subject) else {
            return;
        };
        if incident.row.told || incident.held_until.is_none() {
            return;
        }
        if incident.held_until != waiting.waits_until {
            return;
        }
        match waiting.held_until {
            Some(at) if at > now.tick => self.incidents.hold(now, subject, at),
            Some(_) | None => {
                self.incidents.release(subject);
                if !self.first_look.has(subject) {
                    self.tell_opening(now, subject, step);
                }
            }
        }
    }
}
