//! The judge: it knows what the world truly did and what the monitor could know, and holds what the monitor wrote
//! against that. Here are its facts and the rules about incidents (P4: nothing is taken for something else).

use crate::{
    boots::Boots,
    changes::Written,
    ledger::Ledger,
    logons::Logons,
    readings::{
        Readings, Run, ServiceSight, Sight, agreeing, ends, entry_of, fine, host_of, streak,
        told_as, wrong,
    },
    store::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};
use svcwatch_core::{
    id::{IncidentId, Name, Subject},
    limits,
    notice::ToldEvent,
    observe::{Fault, State},
    plan::{EntryPlan, Plan},
    record::{HostRow, IncidentRow, Record, TargetRow},
};

/// A rule that was broken.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// The promise or invariant.
    pub(crate) rule: &'static str,
    /// What was seen.
    pub(crate) sentence: String,
    /// When, in the world's time.
    pub(crate) at: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {} (at {})",
            self.rule,
            self.sentence,
            crate::story::clock(self.at).trim()
        )
    }
}

/// What is decided in a batch was decided between these two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Not before.
    pub(crate) from: u64,
    /// Not after.
    pub(crate) until: u64,
}

/// The judge.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// The first rule that was broken.
    pub(crate) found: Option<Violation>,
    /// The world's time.
    pub(crate) now: u64,
    /// Every configuration so far, with its time; the last one holds.
    pub(crate) plans: Vec<(u64, Arc<Plan>)>,
    /// What the monitor may know of hosts and services.
    pub(crate) readings: Readings,
    /// Messages.
    pub(crate) ledger: Ledger,
    /// Logons.
    pub(crate) logons: Logons,
    /// Boots.
    pub(crate) boots: Boots,
    /// Tries to start services.
    pub(crate) acts: crate::remedies::Acts,
    /// Ends that wait for tries.
    pub(crate) held: crate::held::Held,
    /// What the batch that is being written says of changes.
    pub(crate) changes: Written,
    /// When the monitor died.
    pub(crate) crashes: Vec<u64>,
    /// When the wall clock was set, and by how much.
    pub(crate) jumps: Vec<(u64, i64)>,
    /// When each destination last did not take something: for now, and for ever.
    pub(crate) refusals: BTreeMap<Name, Vec<u64>>,
    /// When each destination last took something.
    pub(crate) takings: BTreeMap<Name, u64>,
    /// When the store was last slow or failing.
    pub(crate) store_slow_at: u64,
    /// Services that were ever seen running.
    pub(crate) ran: BTreeSet<(Name, Name)>,
    /// The reading from which each incident could be known.
    grounds: BTreeMap<IncidentId, u64>,
}

impl Oracle {
    /// A judge of a world with this configuration.
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plans: vec![(0, plan)],
            ..Self::default()
        }
    }

    /// Notes that a rule was broken. The first one counts.
    pub(crate) fn broken(&mut self, rule: &'static str, sentence: String) {
        if self.found.is_none() {
            self.found = Some(Violation {
                rule,
                sentence,
                at: self.now,
            });
        }
    }

    /// The configuration that holds.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        let last = self.plans.last();
        last.map(|(_, plan)| Arc::clone(plan)).unwrap_or_default()
    }

    /// The entries that a service ever fell under, newest first.
    fn entries(&self, host: &Name, service: &Name) -> Vec<EntryPlan> {
        let mut found: Vec<EntryPlan> = Vec::new();
        for (_, plan) in self.plans.iter().rev() {
            let entry = host_of(plan, host).and_then(|host| entry_of(host, service));
            if let Some(entry) = entry
                && !found.contains(entry)
            {
                found.push(entry.clone());
            }
        }
        found
    }

    /// Looks at a row before it is written.
    pub(crate) fn before_write(&mut self, store: &Store, window: Window, record: &Record) {
        self.changes_written(store, window, record);
        match record {
            Record::Incident(row) => self.judge_incident(store, window, row),
            Record::Remedy(row) => self.judge_remedy(store, window, row),
            Record::Target(row) => self.judge_target(store, window, row),
            Record::Host(row) => {
                self.judge_booted(store, row);
                self.judge_host(store, window, row);
            }
            Record::Delivery(row) => {
                if !store.deliveries.contains_key(&row.key) {
                    self.judge_early_end(store, window, row);
                    self.judge_muted(store, window, row);
                }
                self.judge_delivery(store, row);
            }
            _ => {}
        }
    }

    /// The reading from which an incident could be known.
    pub(crate) fn grounds_of_incident(&self, row: &IncidentRow) -> Option<u64> {
        self.grounds.get(&row.id).copied()
    }

    /// The same by its number.
    pub(crate) fn grounds_of_id(&self, id: Option<&IncidentId>) -> Option<u64> {
        id.and_then(|id| self.grounds.get(id)).copied()
    }

    fn judge_target(&mut self, store: &Store, window: Window, row: &TargetRow) {
        let before = store.targets.get(&(row.host.clone(), row.service.clone()));
        let known = before.map(|before| (before.state, before.hidden));
        if known == Some((row.state, row.hidden)) || row.removed {
            return;
        }
        let sight = match (row.hidden, row.state) {
            (true, _) => Sight::Hidden,
            (false, State::Unknown) => return,
            (false, state) => Sight::State(state),
        };
        let runs = self.readings.of_service(&row.host, &row.service);
        if !runs
            .iter()
            .any(|run| run.sight.0 == sight && in_window(run, window))
        {
            let sentence = format!(
                "{}/{} was taken to be {sight:?}, which no valid reading said",
                row.host, row.service
            );
            self.broken("P4", sentence);
        }
    }

    fn judge_host(&mut self, store: &Store, window: Window, row: &HostRow) {
        let before = store.hosts.get(&row.host);
        // What is watched again is not looked at yet.
        let returned = before.is_some_and(|before| before.removed) && row.fault.is_none();
        if before.and_then(|before| before.fault) == row.fault || row.removed || returned {
            return;
        }
        let runs = self.readings.of_host(&row.host);
        let seen = match row.fault {
            None => runs
                .iter()
                .any(|run| run.sight.is_none() && in_window(run, window)),
            Some(Fault::AccountPaused) => self.logons.was_refused_somewhere(),
            Some(Fault::LogonRefused) if self.refused_before(&row.host, window) => true,
            Some(fault) => runs
                .iter()
                .any(|run| run.sight == Some(fault) && in_window(run, window)),
        };
        if !seen {
            let sentence = format!(
                "{} was taken to be {:?}, which no valid check said",
                row.host, row.fault
            );
            self.broken("P4", sentence);
        }
    }

    fn judge_incident(&mut self, store: &Store, window: Window, row: &IncidentRow) {
        self.judge_hold(row);
        self.judge_wait(window, row);
        let before = store.incidents.get(&row.id);
        let grounds = match before {
            None => self.grounds_of(window, row, true),
            Some(before) if before.event != row.event && row.resolved_at.is_none() => {
                self.grounds_of(window, row, false)
            }
            Some(_) => Ok(0),
        };
        match grounds {
            Ok(0) => {}
            Ok(since) => {
                self.grounds.insert(row.id.clone(), since);
            }
            Err(sentence) => self.broken("P4", sentence),
        }
        if before.is_none() && row.resolved_at.is_none() {
            self.judge_failure(store, window, row);
        }
        let ended =
            before.is_none_or(|before| before.resolved_at.is_none()) && row.resolved_at.is_some();
        if ended && let Some(sentence) = self.false_end(window, row) {
            self.broken("P4", sentence);
        }
    }

    /// The reading from which an incident, or its change, could be known; or why it could not.
    fn grounds_of(&self, window: Window, row: &IncidentRow, opening: bool) -> Result<u64, String> {
        match &row.subject {
            Subject::Service { host, service } => {
                self.grounds_of_service(window, host, service, row.event, opening)
            }
            Subject::Host(host) => self.grounds_of_host(window, host, row.event, opening),
            Subject::Visibility(host) => {
                let hidden = self.readings.greatest_drop(host) >= limits::HIDDEN_MIN
                    || self.selects_nothing(host);
                let sentence = || format!("{host} was said to hide services, but it never did");
                hidden.then_some(window.until).ok_or_else(sentence)
            }
            Subject::Account(account) => {
                let sentence = || {
                    format!("the account {account} was said to be paused, but no host refused it")
                };
                self.logons
                    .was_refused(account)
                    .then_some(window.until)
                    .ok_or_else(sentence)
            }
            Subject::Destination(destination) => {
                let sentence = || format!("{destination} was said to fail, but it took everything");
                self.refusals
                    .contains_key(destination)
                    .then_some(window.from.saturating_sub(2_000))
                    .ok_or_else(sentence)
            }
            Subject::Fleet => Err("an incident of the whole fleet was opened".to_string()),
            Subject::Group { group, service } => {
                self.grounds_of_group(window, (group, service), row.event, opening)
            }
        }
    }

    /// Whether some entry of a host matched once and matches nothing now, which is told as hidden too.
    fn selects_nothing(&self, host: &Name) -> bool {
        self.ran
            .iter()
            .chain(self.readings.known_of(host).iter())
            .any(|(known, service)| {
                known == host
                    && self
                        .readings
                        .of_service(host, service)
                        .iter()
                        .any(|run| run.sight.0 == Sight::Hidden)
            })
            || self.readings.known_of(host).iter().any(|(_, service)| {
                self.readings
                    .of_service(host, service)
                    .iter()
                    .any(|run| run.sight.0 == Sight::State(State::Missing))
            })
    }

    fn grounds_of_service(
        &self,
        window: Window,
        host: &Name,
        service: &Name,
        event: ToldEvent,
        opening: bool,
    ) -> Result<u64, String> {
        let runs = self.readings.of_service(host, service);
        let entries = self.entries(host, service);
        let mut why = format!(
            "no valid reading said so; the last ones are {:?}",
            last_of(runs)
        );
        for entry in &entries {
            let learned =
                !entry.selector.is_named() && !self.ran.contains(&(host.clone(), service.clone()));
            if opening && learned {
                why = "it was never seen running".to_string();
                continue;
            }
            for (at, run) in runs
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, run)| in_window(run, window))
            {
                let Sight::State(state) = run.sight.0 else {
                    if event == ToldEvent::Hidden {
                        return Ok(run.first);
                    }
                    continue;
                };
                let stuck = event == ToldEvent::Stuck && state.is_pending();
                if !stuck && wrong(entry, run.sight) != Some(event) {
                    continue;
                }
                let first = streak(runs, at, |run| ends(entry, run, &self.crashes)).first;
                let slack = window.until - window.from + 20 + self.forward_since(first);
                let held = run.last.min(window.until) - first + slack;
                let still = run.last.min(window.until) - run.first + slack;
                let stuck_after = self.stuck_after(state);
                if opening && held < entry.for_span.0 {
                    why = format!("it was so for {held} ms only, of {}", entry.for_span.0);
                } else if !stuck && agreeing(runs, at, entry.confirm) < entry.confirm {
                    why = format!("{} readings agreed, of {}", run.count, entry.confirm);
                } else if stuck && still < stuck_after {
                    why = format!("its checkpoint stood for {still} ms only, of {stuck_after}");
                } else {
                    return Ok(first);
                }
            }
        }
        Err(format!(
            "{host}/{service} was said to be {event}, but {why}"
        ))
    }

    fn stuck_after(&self, state: State) -> u64 {
        let plan = self.plan();
        match state {
            State::StartPending | State::ContinuePending => plan.stuck_after.start.0,
            _ => plan.stuck_after.stop.0,
        }
    }

    fn grounds_of_host(
        &self,
        window: Window,
        host: &Name,
        event: ToldEvent,
        opening: bool,
    ) -> Result<u64, String> {
        let runs = self.readings.of_host(host);
        let least = self
            .plans
            .iter()
            .filter_map(|(_, plan)| host_of(plan, host))
            .map(|host| host.host_for.0)
            .min();
        let mut why = format!("no check said so; the last ones are {:?}", last_of(runs));
        for (at, run) in runs.iter().enumerate().rev() {
            let waits = at + 1 == runs.len()
                && run.sight == Some(Fault::LogonRefused)
                && run.first <= window.until;
            if !in_window(run, window) && !waits {
                continue;
            }
            if !run.sight.is_some_and(|fault| told_as(fault, event)) {
                continue;
            }
            let streak = streak(runs, at, |run| run.sight.is_none());
            let slack = window.until - window.from + 20 + self.forward_since(streak.first);
            let sure = matches!(
                event,
                ToldEvent::LogonRefused | ToldEvent::WrongHost | ToldEvent::AccountPaused
            );
            // A host that refused a logon is left alone for an hour, so nothing newer than the refusal can be had.
            let parked = matches!(event, ToldEvent::LogonRefused | ToldEvent::AccountPaused)
                && at + 1 == runs.len();
            let last = if parked {
                window.until
            } else {
                run.last.min(window.until)
            };
            let held = last - streak.first + slack;
            // What was paused with its account before was not seen for longer than the readings say.
            let unseen = self.logons.was_refused_lately(window.until);
            if opening && held < least.unwrap_or(0) && !unseen {
                why = format!("it was so for {held} ms only, of {}", least.unwrap_or(0));
            } else if !sure && streak.count < limits::FAULT_CONFIRM {
                why = "one check only said so".to_string();
            } else {
                return Ok(streak.first);
            }
        }
        if event == ToldEvent::AccountPaused && self.logons.was_refused_somewhere()
            || event == ToldEvent::LogonRefused && self.refused_before(host, window)
        {
            return Ok(window.until);
        }
        Err(format!("{host} was said to be {event}, but {why}"))
    }

    /// The configurations that held within a window.
    pub(crate) fn plans_within(&self, window: Window) -> Vec<Arc<Plan>> {
        let before = self.plans.iter().rposition(|(at, _)| *at <= window.from);
        let within = self.plans.iter().skip(before.unwrap_or(0));
        within.map(|(_, plan)| Arc::clone(plan)).collect()
    }

    /// Why an incident cannot be over, where it cannot.
    fn false_end(&self, window: Window, row: &IncidentRow) -> Option<String> {
        let since = self.grounds.get(&row.id).copied().unwrap_or(0);
        let plans = self.plans_within(window);
        match &row.subject {
            Subject::Service { host, service } => {
                let watched = plans.iter().all(|plan| {
                    host_of(plan, host).is_some_and(|host| entry_of(host, service).is_some())
                });
                let entries = self.entries(host, service);
                let runs = self.readings.of_service(host, service);
                let over =
                    |run: &Run<ServiceSight>| entries.iter().any(|entry| fine(entry, run.sight));
                let ended = runs
                    .iter()
                    .any(|run| over(run) && run.last > since && run.first <= window.until);
                // A change of the expectation ends an incident too, at a reading.
                (watched && !ended)
                    .then(|| format!("the incident of {host}/{service} was said to be over, but no valid reading was fine; the last ones are {:?}", last_of(runs)))
            }
            Subject::Host(host) => {
                let runs = self.readings.of_host(host);
                let ended = runs.iter().any(|run| {
                    run.sight.is_none() && run.last > since && run.first <= window.until
                });
                (plans.iter().all(|plan| host_of(plan, host).is_some())
                    && !ended
                    && !self.logons.was_refused_somewhere())
                .then(|| format!("{host} was said to be back, but it was not read"))
            }
            Subject::Destination(destination) => {
                let has = |plan: &&Arc<Plan>| {
                    plan.destinations
                        .iter()
                        .any(|known| known.name == *destination)
                };
                (plans.iter().all(|plan| has(&plan))
                    && self.takings.get(destination).copied().unwrap_or(0) < since)
                    .then(|| format!("{destination} was said to be back, but it took nothing"))
            }
            Subject::Group { .. } => self.false_end_of_group(window, row),
            Subject::Visibility(_) | Subject::Account(_) | Subject::Fleet => None,
        }
    }
}

/// The last few runs, for a sentence.
fn last_of<T: fmt::Debug + Copy>(runs: &[Run<T>]) -> Vec<(u64, u64, T)> {
    let from = runs.len().saturating_sub(4);
    runs[from..]
        .iter()
        .map(|run| (run.first, run.last, run.sight))
        .collect()
}

/// Whether a run could be known when a batch was decided, and was not over long before.
fn in_window<T>(run: &Run<T>, window: Window) -> bool {
    run.first <= window.until && run.last + 20 >= window.from
}
