//! What the monitor may know: every reading that truly came back, in time and from the right computer, as runs of equal
//! readings. What the monitor says is judged against these, not against what it believes itself.

use crate::setup::start_type_of;
use std::collections::BTreeMap;
use svcwatch_core::{
    glob::Glob,
    id::Name,
    notice::ToldEvent,
    observe::{Asked, Fault, HostReading, Observation, Outcome, Reading, State},
    plan::{EntryPlan, Expect, HostPlan, Plan, Selector, StoppedOk},
};

/// What was seen of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Its state.
    State(State),
    /// It may not be seen: refused with 5, or left out of the list.
    Hidden,
}

/// Equal readings one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<T> {
    /// What was seen.
    pub(crate) sight: T,
    /// When first.
    pub(crate) first: u64,
    /// When last.
    pub(crate) last: u64,
    /// How often.
    pub(crate) count: u32,
}

/// A reading of a service: what, and its checkpoint where it is pending or its exit code where it is stopped.
pub(crate) type ServiceSight = (Sight, u32);

/// Runs that are kept of one thing.
const RUNS_MAX: usize = 400;

/// All readings of a run of the world.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    targets: BTreeMap<Name, BTreeMap<Name, Vec<Run<ServiceSight>>>>,
    hosts: BTreeMap<Name, Vec<Run<Option<Fault>>>>,
    visible: BTreeMap<Name, Vec<Run<usize>>>,
}

fn add<T: PartialEq>(runs: &mut Vec<Run<T>>, at: u64, sight: T) {
    if let Some(run) = runs.last_mut()
        && run.sight == sight
    {
        run.last = at;
        run.count += 1;
        return;
    }
    if runs.len() >= RUNS_MAX {
        runs.drain(..RUNS_MAX / 2);
    }
    runs.push(Run {
        sight,
        first: at,
        last: at,
        count: 1,
    });
}

impl Readings {
    /// A host was read.
    pub(crate) fn read(&mut self, at: u64, host: &Name, reading: &HostReading) {
        add(self.hosts.entry(host.clone()).or_default(), at, None);
        add(
            self.visible.entry(host.clone()).or_default(),
            at,
            reading.services.len(),
        );
        let mut seen: Vec<(Name, ServiceSight)> = Vec::new();
        for service in &reading.services {
            if !service.name.starts_with("Fill") {
                seen.push((Name::new(&service.name), sight_of(&service.reading)));
            }
        }
        for (name, asked) in &reading.asked {
            let sight = match asked {
                Asked::Missing => (Sight::State(State::Missing), 0),
                Asked::Hidden => (Sight::Hidden, 0),
                Asked::Read(reading) => sight_of(reading),
            };
            seen.push((name.clone(), sight));
        }
        let targets = self.targets.entry(host.clone()).or_default();
        for (name, runs) in targets.iter_mut() {
            if !seen.iter().any(|(other, _)| other == name) {
                add(runs, at, (Sight::Hidden, 0));
            }
        }
        for (name, sight) in seen {
            add(targets.entry(name).or_default(), at, sight);
        }
    }

    /// A host was not read.
    pub(crate) fn failed(&mut self, at: u64, host: &Name, fault: Fault) {
        add(self.hosts.entry(host.clone()).or_default(), at, Some(fault));
    }

    /// The runs of a service.
    pub(crate) fn of_service(&self, host: &Name, service: &Name) -> &[Run<ServiceSight>] {
        self.targets
            .get(host)
            .and_then(|targets| targets.get(service))
            .map_or(&[], Vec::as_slice)
    }

    /// The services of a host that were ever seen or asked for.
    pub(crate) fn known_of(&self, host: &Name) -> Vec<(Name, Name)> {
        let targets = self.targets.get(host).into_iter().flatten();
        targets
            .map(|(name, _)| (host.clone(), name.clone()))
            .collect()
    }

    /// The runs of a host.
    pub(crate) fn of_host(&self, host: &Name) -> &[Run<Option<Fault>>] {
        self.hosts.get(host).map_or(&[], Vec::as_slice)
    }

    /// The greatest drop of the visible services between an earlier and a later reading.
    pub(crate) fn greatest_drop(&self, host: &Name) -> usize {
        let (mut most, mut drop) = (0_usize, 0_usize);
        for run in self.visible.get(host).map_or(&[] as &[_], Vec::as_slice) {
            most = most.max(run.sight);
            drop = drop.max(most - run.sight);
        }
        drop
    }
}

fn sight_of(reading: &Reading) -> ServiceSight {
    (
        Sight::State(reading.state),
        match reading.state {
            State::Stopped => reading.exit_code.unwrap_or(0),
            state if state.is_pending() => reading.checkpoint,
            _ => 0,
        },
    )
}

/// The entry of a host's plan that a service falls under.
pub(crate) fn entry_of<'plan>(host: &'plan HostPlan, service: &Name) -> Option<&'plan EntryPlan> {
    host.services.iter().find(|entry| match &entry.selector {
        Selector::Name(name) => name == service,
        Selector::NameGlob(glob) => glob.matches(service.as_str()),
        Selector::DisplayName(glob) => {
            Glob::matches(glob, &crate::setup::display_name_of(service.as_str()))
        }
        Selector::Start(start) => start_type_of(service.as_str()) == *start,
    })
}

/// The host of this name in a plan.
pub(crate) fn host_of<'plan>(plan: &'plan Plan, name: &Name) -> Option<&'plan HostPlan> {
    let mut hosts = plan.hosts.iter().map(|host| &**host);
    hosts.find(|host| host.name == *name)
}

/// What a lasting sight of a service means for an entry; a pending state is nothing unless it is stuck.
pub(crate) fn wrong(entry: &EntryPlan, (sight, exit_code): ServiceSight) -> Option<ToldEvent> {
    let Sight::State(state) = sight else {
        return Some(ToldEvent::Hidden);
    };
    match (state, entry.expect) {
        (State::Missing, _) if entry.required => Some(ToldEvent::Missing),
        (State::Paused, _) => Some(ToldEvent::Paused),
        (State::Stopped, Expect::Running) => {
            let fine = match entry.stopped_ok {
                StoppedOk::Always => true,
                StoppedOk::Exit0 => exit_code == 0,
                StoppedOk::Never => false,
            };
            (!fine).then_some(ToldEvent::Stopped)
        }
        (State::Running, Expect::Stopped) => Some(ToldEvent::Started),
        _ => None,
    }
}

/// Whether a sight ends an incident.
pub(crate) fn fine(entry: &EntryPlan, sight: ServiceSight) -> bool {
    match sight.0 {
        Sight::Hidden | Sight::State(State::Unknown) => false,
        Sight::State(state) => !state.is_pending() && wrong(entry, sight).is_none(),
    }
}

/// How many readings in a row saw the same state as this one, whatever the exit code; where that is less than `confirm`,
/// those that saw it last before something else that too few agreed on.
pub(crate) fn agreeing(runs: &[Run<ServiceSight>], at: usize, confirm: u32) -> u32 {
    let mut rows: Vec<(Sight, u32)> = Vec::new();
    for run in runs[..=at].iter().rev() {
        match rows.last_mut() {
            Some((sight, count)) if *sight == run.sight.0 => *count += run.count,
            _ => rows.push((run.sight.0, run.count)),
        }
    }
    let last = rows.first().copied();
    let known = rows.iter().find(|(_, count)| *count >= confirm);
    match (last, known) {
        (Some((sight, _)), Some((known, count))) if sight == *known => *count,
        (Some((_, count)), _) => count,
        (None, _) => 0,
    }
}

/// Whether a run of readings is one that ends what was wrong: fewer than `confirm` of them say nothing yet, and what was
/// read as the monitor died was not kept.
pub(crate) fn ends(entry: &EntryPlan, run: &Run<ServiceSight>, crashes: &[u64]) -> bool {
    let died = |at: &u64| run.count == 1 && (run.last..run.last + 1_000).contains(at);
    fine(entry, run.sight) && run.count >= entry.confirm && !crashes.iter().any(died)
}

/// Whether a fault is told as this event.
pub(crate) fn told_as(fault: Fault, event: ToldEvent) -> bool {
    match fault {
        Fault::NameNotResolved | Fault::Unreachable | Fault::Timeout | Fault::ShuttingDown => {
            event == ToldEvent::HostUnreachable
        }
        Fault::LogonRefused => matches!(event, ToldEvent::LogonRefused | ToldEvent::AccountPaused),
        Fault::AccountPaused => event == ToldEvent::AccountPaused,
        Fault::AccessDenied => event == ToldEvent::AccessDenied,
        Fault::WrongHost => event == ToldEvent::WrongHost,
        Fault::ProtocolError => event == ToldEvent::ProtocolError,
    }
}

/// The readings before and with this one that were not fine, as one run.
pub(crate) fn streak<T: Copy>(
    runs: &[Run<T>],
    at: usize,
    fine: impl Fn(&Run<T>) -> bool,
) -> Run<T> {
    let mut streak = runs[at];
    for run in runs[..at].iter().rev() {
        if fine(run) {
            break;
        }
        streak.first = run.first;
        streak.count += run.count;
    }
    streak
}

/// What an observation says, short.
pub(crate) fn words_of(observation: &Observation) -> String {
    let outcome = match &observation.outcome {
        Outcome::Read(reading) => reading
            .services
            .iter()
            .filter(|service| !service.name.starts_with("Fill"))
            .map(|service| format!("{} {}", service.name, service.reading.state))
            .chain(
                reading
                    .asked
                    .iter()
                    .map(|(name, asked)| format!("{name} {asked:?}")),
            )
            .collect::<Vec<_>>()
            .join(", "),
        other => format!("{other:?}"),
    };
    format!(
        "observed {} {:?} {:?} {outcome}",
        observation.host, observation.computer_name, observation.logon
    )
}
