//! Services that are started again by us: who is, when, and what comes of it.
//!
//! It is decided after a reading of the host and by nothing older, so that whatever we did before shows in it. What ends
//! a wait has the host read again rather than anything done. The try is written down together with the line of history
//! that tells it, and carried out only when both are durable.

use super::Engine;
use crate::{
    effect::{ActRequest, Effect, Fact, Step},
    host::Host,
    id::{IncidentId, Name, Subject},
    limits,
    notice::{Kind, ToldEvent},
    planted::{self, Planted},
    policy::recovery,
    record::{HistoryRow, IncidentRow, Record},
    remedy::{
        ActId, EntryRemedy, Outcome, RemedyRow, RemedyTold, Scope,
        decide::{self, BEGUN_WITHIN, Case, Cover, Incident, Known, Ruling, Service},
    },
    silence::By,
    target::Target,
    time::Now,
};
use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

/// A host and a service of it.
pub(super) type Key = (Name, Name);

fn subject_of(key: &Key) -> Subject {
    Subject::Service {
        host: key.0.clone(),
        service: key.1.clone(),
    }
}

/// What the plan says of starting a service again.
fn asked<'a>(host: &'a Host, target: &Target) -> Option<&'a Arc<EntryRemedy>> {
    host.plan.services.get(target.entry)?.remedy.as_ref()
}

/// What is told as a try begins.
fn words_of_begin(row: &RemedyRow, attempts: u32) -> String {
    let which = format!("try {} of {attempts}, remedy {}", row.attempt, row.plan);
    if row.dry_run {
        format!("svcwatch would start it again ({which}, a dry run)")
    } else {
        format!("svcwatch starts it again ({which})")
    }
}

/// What is told as a try ends.
fn words_of_end(row: &RemedyRow) -> String {
    let word = row.outcome.map_or("", Outcome::as_str);
    let which = format!("try {}, remedy {}", row.attempt, row.plan);
    if row.text.is_empty() {
        format!("{which}: {word}")
    } else {
        format!("{which}: {word}: {}", row.text)
    }
}

impl Engine {
    /// A host was read: what is stopped there is started again, where that is asked for and nothing speaks against it.
    pub(super) fn look_at_remedies(&mut self, now: Now, name: &Name, step: &mut Step) {
        for key in self.to_remedy(name) {
            self.remedies.seen(&key);
            match self.rule(now, &key) {
                Some(Ruling::Act(attempt)) => self.begin_act(now, &key, attempt, step),
                Some(Ruling::Wait(at, why)) => {
                    self.schedule.no_later(name, at);
                    let scopes = Scope::ALL.iter().copied();
                    if let Some(scope) = { scopes }.find(|scope| scope.held() == why) {
                        self.tell_used_up(now, &key, scope, step);
                    }
                }
                Some(Ruling::No(_)) | None => {}
            }
        }
    }

    /// Something else than a reading may have ended a wait: where it has, the host is read.
    pub(super) fn look_for_remedies(&mut self, now: Now) {
        for name in core::mem::take(&mut self.unremedied) {
            for key in self.to_remedy(&name) {
                match self.rule(now, &key) {
                    Some(Ruling::Act(_)) => self.schedule.no_later(&name, now.tick),
                    Some(Ruling::Wait(at, _)) => self.schedule.no_later(&name, at),
                    Some(Ruling::No(_)) | None => {}
                }
            }
        }
    }

    /// Looks soon whether something of a host is to be started again.
    pub(super) fn remedy_soon(&mut self, name: &Name) {
        let host = self.hosts.get(name);
        if host.is_some_and(|host| host.plan.services.iter().any(|one| one.remedy.is_some())) {
            self.unremedied.insert(name.clone());
        }
    }

    /// The services of a host that have an open incident and a plan, where its last reading can be believed.
    fn to_remedy(&self, name: &Name) -> Vec<Key> {
        let Some(host) = self.hosts.get(name) else {
            return Vec::new();
        };
        let blind = host.stale && !planted::is(Planted::ActsTwice);
        if self.stopping || blind || !host.plan.services.iter().any(|one| one.remedy.is_some()) {
            return Vec::new();
        }
        let has_plan = |service: &&Name| {
            let target = host.find(service).and_then(|place| host.targets.get(place));
            target.is_some_and(|target| asked(host, target).is_some())
        };
        let services = self.incidents.services_of(name).filter(has_plan);
        services
            .map(|service| (name.clone(), service.clone()))
            .collect()
    }

    /// Whether a service is started again now.
    pub(super) fn rule(&self, now: Now, key: &Key) -> Option<Ruling> {
        let host = self.hosts.get(&key.0)?;
        let target = host.targets.get(host.find(&key.1)?)?;
        let remedy = asked(host, target).map(|remedy| &**remedy);
        let case = Case {
            asked: remedy,
            service: self.service_to_remedy(now, key, host, target)?,
            host: decide::Host {
                readable: host.readable(),
                shutting_down: host.boot.shutting_down(),
                grace: host.boot.grace(),
                busy: self.remedies.busy(&key.0),
            },
            incident: self.incident_to_remedy(key),
        };
        let used_up = || remedy.and_then(|remedy| self.remedies.used_up(now.tick, key, remedy));
        Some(decide::decide(now.tick, &case, used_up))
    }

    fn service_to_remedy(
        &self,
        now: Now,
        key: &Key,
        host: &Host,
        target: &Target,
    ) -> Option<Service> {
        let entry = host.plan.services.get(target.entry)?;
        let row = &target.row;
        let cover = self.mute_for(&subject_of(key)).map(|mute| match mute.by {
            By::Window(_) => Cover::Window,
            By::Silence(_) => Cover::Silence,
        });
        let since = row.wrong_since.unwrap_or(row.since);
        let recovery = recovery::left_to_host(row).map(|span| {
            // What failed again after a try of ours failed after that, though it may never have been read running.
            let tried = self.remedies.touched(key).map(|ended| ended + span);
            tried.max(Some(now.tick_of(since + span, span)))
        });
        Some(Service {
            expect: entry.expect,
            counted: entry.counted,
            state: row.state,
            sure: target.is_sure(),
            configured: target.config_read,
            start_type: row.start_type,
            exit_code: row.exit_code,
            cover,
            recovery: recovery.flatten(),
        })
    }

    fn incident_to_remedy(&self, key: &Key) -> Option<Incident> {
        let incident = self.incidents.of(&subject_of(key))?;
        let evidence = incident.row.evidence.as_ref();
        let found = evidence.filter(|evidence| evidence.complete);
        Some(Incident {
            told: incident.row.told,
            held_until: incident.held_until,
            cause: found.map_or(Known::NotYet, |evidence| Known::Cause(evidence.cause)),
            past: self.remedies.past(key, &incident.row.id),
        })
    }

    /// Begins a try: it is written down, and carried out when that is durable.
    fn begin_act(&mut self, now: Now, key: &Key, attempt: u32, step: &mut Step) {
        let subject = subject_of(key);
        let Some(incident) = self.incidents.of(&subject).map(|one| one.row.id.clone()) else {
            return;
        };
        let Some(remedy) = self.remedy_of(key) else {
            return;
        };
        let seq = self.bump(&subject, step);
        let row = RemedyRow {
            id: ActId::new(&incident, seq),
            host: key.0.clone(),
            service: key.1.clone(),
            group: remedy.group.clone(),
            incident,
            plan: remedy.plan.name.clone(),
            attempt,
            dry_run: remedy.plan.dry_run,
            at: now.wall,
            ended_at: None,
            outcome: None,
            text: String::new(),
            budgets_told: Vec::new(),
        };
        let text = words_of_begin(&row, remedy.plan.attempts);
        self.write_deed(now, &row, (seq, text), step);
        let open = &self.incidents;
        self.remedies
            .forget(now.tick, |id| open.subject_of(id).is_some());
        self.remedies.begin(now.tick, row.clone());
        step.effects.push(Effect::Note(Fact::Acting {
            act: row.id.clone(),
            host: row.host.clone(),
            service: row.service.clone(),
            plan: row.plan.clone(),
            attempt,
            dry_run: row.dry_run,
        }));
        let host = self.hosts.get(&row.host);
        step.effects.push(Effect::Act(ActRequest {
            act: row.id,
            computer: host.and_then(|host| host.row.computer_name.clone()),
            host: row.host,
            service: row.service,
            plan: row.plan,
            attempt,
            dry_run: row.dry_run,
            begin_before: now.tick + BEGUN_WITHIN,
        }));
    }

    /// What was tried for the open incident of a service.
    pub(super) fn tries_of(&self, key: &Key) -> Vec<RemedyTold> {
        let incident = self.incidents.of(&subject_of(key));
        incident.map_or_else(Vec::new, |one| self.remedies.told(key, &one.row.id))
    }

    /// What the plan says of starting a service again.
    pub(super) fn remedy_of(&self, key: &Key) -> Option<Arc<EntryRemedy>> {
        let host = self.hosts.get(&key.0)?;
        let target = host.targets.get(host.find(&key.1)?)?;
        asked(host, target).map(Arc::clone)
    }

    /// Writes a line of history about a try, with a number of its service that was given before, and the try itself.
    fn write_deed(
        &mut self,
        now: Now,
        row: &RemedyRow,
        (seq, text): (u64, String),
        step: &mut Step,
    ) {
        let record = self.next_record();
        step.commit.push(Record::History(HistoryRow {
            record,
            subject: subject_of(&(row.host.clone(), row.service.clone())),
            seq,
            at: now.wall,
            from: None,
            to: None,
            fault: None,
            event: None,
            incident: Some(row.incident.clone()),
            exit_code: None,
            service_exit_code: None,
            pid: None,
            cause: Some(text),
        }));
        step.commit.push(Record::Remedy(row.clone()));
    }

    /// A try has ended. What it came to is read at once; where it did not help, that is told.
    pub(super) fn acted(
        &mut self,
        now: Now,
        act: &ActId,
        outcome: Outcome,
        text: &str,
        step: &mut Step,
    ) {
        let kept = limits::CAUSE_CHARACTERS_MAX;
        let text = text.chars().take(kept).collect();
        let Some(row) = self.remedies.end(now, act, outcome, text) else {
            return;
        };
        let key = (row.host.clone(), row.service.clone());
        let subject = subject_of(&key);
        let seq = self.bump(&subject, step);
        self.write_deed(now, &row, (seq, words_of_end(&row)), step);
        step.effects.push(Effect::Note(Fact::Acted {
            act: row.id.clone(),
            host: row.host.clone(),
            service: row.service.clone(),
            outcome,
            text: row.text.clone(),
        }));
        self.stirred(now, &row.host, step);
        let waits = self.incidents.held_end(&subject);
        if waits.is_some_and(|waiting| waiting.id == row.incident) {
            self.end_waited(now, &subject, step);
        }
        // That it runs is told by the end of its incident; what was not begun is tried again soon.
        if !matches!(outcome, Outcome::Started | Outcome::TooLate) {
            self.tell_try(now, &row, step);
        }
    }

    /// Tells those who know of an incident that a try did not help, or what would have been done.
    fn tell_try(&mut self, now: Now, row: &RemedyRow, step: &mut Step) {
        let subject = subject_of(&(row.host.clone(), row.service.clone()));
        let open = self.incidents.of(&subject);
        let told = open.is_some_and(|one| one.row.id == row.incident && one.row.told);
        if told && !self.withholds(now, &subject, step) {
            self.note_muted(&subject, None, None, step);
            self.tell(now, &subject, Kind::Updated, step);
        }
    }

    /// Holds the end of an incident that was told while a try for it is under way: whether that helped is told with it.
    /// It is the incident's last row.
    pub(super) fn end_waits(
        &mut self,
        now: Now,
        subject: &Subject,
        row: &mut IncidentRow,
        event: ToldEvent,
    ) -> bool {
        let (Some(host), Some(service)) = (subject.host(), subject.service()) else {
            return false;
        };
        let key = (host.clone(), service.clone());
        let brought = event == ToldEvent::Started && self.remedies.is_under_way(&key, &row.id);
        if !brought || planted::is(Planted::EndBeforeTry) {
            return false;
        }
        let until = now.tick + limits::ACT_END_WAIT;
        row.untold = Some(event);
        row.held_until = Some(now.wall_of(until));
        self.incidents.hold_end(row.clone(), until);
        true
    }

    /// An end that the store knows as owed. One that waited for a try waits on for as long as was left.
    pub(super) fn restore_end(&mut self, now: Now, row: IncidentRow) {
        match (row.muted, row.held_until) {
            (None, Some(until)) => {
                let until = now.tick_of(until, limits::ACT_END_WAIT);
                self.incidents.hold_end(row, until);
            }
            (Some(_), _) | (None, None) => self.incidents.owe_end(row),
        }
    }

    /// What the end of an incident waited for is over: it is told, or held back where a mute covers it by now.
    pub(super) fn end_waited(&mut self, now: Now, subject: &Subject, step: &mut Step) {
        let Some(why) = self.mute_for(subject).map(|mute| mute.by.why()) else {
            if planted::is(Planted::HeldEndForgotten) {
                self.incidents.take_owed_end(subject);
            }
            self.tell_owed_end(now, subject, step);
            return;
        };
        let Some(mut row) = self.incidents.take_owed_end(subject) else {
            return;
        };
        row.muted = Some(why);
        row.held_until = None;
        self.not_told(now, subject, row.untold.unwrap_or(row.event), why, step);
        step.commit.push(Record::Incident(row.clone()));
        self.incidents.owe_end(row);
    }

    /// What was tried for an incident, for a notice.
    pub(super) fn tries_for(&self, subject: &Subject, incident: &IncidentId) -> Vec<RemedyTold> {
        let (Some(host), Some(service)) = (subject.host(), subject.service()) else {
            return Vec::new();
        };
        let key = (host.clone(), service.clone());
        self.remedies.told(&key, incident)
    }

    /// Gives up tries of which nothing was heard.
    pub(super) fn give_up_acts(&mut self, now: Now, step: &mut Step) {
        for act in self.remedies.overdue(now.tick) {
            let text = "nothing was heard of it any more";
            self.acted(now, &act, Outcome::Unknown, text, step);
        }
    }

    /// After a start: nobody knows what came of the tries that were under way.
    pub(super) fn give_up_restored_acts(&mut self, now: Now, step: &mut Step) {
        let acts: Vec<ActId> = self
            .remedies
            .under_way()
            .map(|row| row.id.clone())
            .collect();
        for act in acts {
            let text = "svcwatch ended while it was under way";
            self.acted(now, &act, Outcome::Unknown, text, step);
        }
    }

    /// Tells once that a budget is used up.
    fn tell_used_up(&mut self, now: Now, key: &Key, scope: Scope, step: &mut Step) {
        let Some(remedy) = self.remedy_of(key) else {
            return;
        };
        let Some(row) = self.remedies.tell_used_up(scope, key, &remedy) else {
            return;
        };
        step.commit.push(Record::Remedy(row));
        let subject = subject_of(key);
        let budgets = remedy.plan.budget;
        let (of, budget) = match (scope, &remedy.group) {
            (Scope::Service, _) => ("this service".to_string(), budgets.service),
            (Scope::Group, Some(group)) => (format!("the group {group}"), budgets.group),
            (Scope::Group, None) | (Scope::Fleet, _) => ("all services".to_string(), budgets.fleet),
        };
        let cause = format!(
            "svcwatch does not start it again for now: the budget of remedy {} for {of} is used up ({})",
            remedy.plan.name,
            budget.in_words()
        );
        let seq = self.bump(&subject, step);
        let event = ToldEvent::RemedyBudgetUsed;
        let incident = self.incidents.of(&subject).map(|one| one.row.id.clone());
        let history = HistoryRow {
            record: self.next_record(),
            subject: subject.clone(),
            seq,
            at: now.wall,
            from: None,
            to: None,
            fault: None,
            event: Some(event),
            incident,
            exit_code: None,
            service_exit_code: None,
            pid: None,
            cause: Some(cause.clone()),
        };
        step.commit.push(Record::History(history));
        self.inform(now, &subject, event, (Some(cause), None), step);
    }
}
