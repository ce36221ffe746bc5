//! The world before anything happens: machines, services, accounts, destinations and the first configuration.

use crate::rng::Rng;
use std::sync::Arc;
use svcwatch_core::{
    glob::Glob,
    guest::GuestPlan,
    id::{Name, stable_hash},
    later::{Constraint, Field, Occurrences, Rule, Test, steps},
    limits,
    observe::{StartType, State},
    plan::{
        DestinationPlan, EntryPlan, Expect, HostPlan, Limit, LimitPer, Matcher, NoticePlan, Plan,
        RoutePlan, Selector, StoppedOk, StuckAfter,
    },
    rhythm::Rhythm,
    time::{Span, Wall},
};

/// A second of the world.
pub(crate) const SECOND: u64 = 1_000;
/// A minute of the world.
pub(crate) const MINUTE: u64 = 60 * SECOND;
/// An hour of the world.
pub(crate) const HOUR: u64 = 60 * MINUTE;

/// How long everything is well before the last checks: longer than any wait that the monitor may be in.
pub(crate) const QUIET: u64 = 3 * HOUR;
/// When in the quiet one service of each host goes down and up once, so that every destination has something to take.
pub(crate) const CANARY: u64 = 90 * MINUTE;
/// Checks of hosts in one run, at most, so that a run stays short.
const CHECKS_MAX: u64 = 4_000;

/// The world before anything happens.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The machines, in the order of their names.
    pub(crate) machines: Vec<MachineSetup>,
    /// The accounts.
    pub(crate) accounts: Vec<Name>,
    /// How many destinations there are.
    pub(crate) destinations: usize,
    /// The first configuration.
    pub(crate) plan: Plan,
    /// When the quiet begins, in milliseconds.
    pub(crate) horizon: u64,
}

/// A machine before anything happens.
#[derive(Debug, Clone)]
pub(crate) struct MachineSetup {
    /// Its computer name.
    pub(crate) computer: String,
    /// Its services of interest, each with its state.
    pub(crate) services: Vec<(Name, State)>,
    /// How many more it has that nobody watches.
    pub(crate) fillers: usize,
    /// How long it ran when the world began, in milliseconds, where it tells that.
    pub(crate) uptime: Option<u64>,
}

/// How a service is started: its name says so, which saves a catalogue.
pub(crate) fn start_type_of(service: &str) -> StartType {
    if service.to_lowercase().starts_with("auto") {
        StartType::Automatic
    } else {
        StartType::Manual
    }
}

/// The display name of a service.
pub(crate) fn display_name_of(service: &str) -> String {
    format!("The {} service", service.to_lowercase())
}

/// The name under which a machine is watched at first.
pub(crate) fn host_name(machine: usize) -> Name {
    Name::new(&format!("srv{machine}"))
}

/// The world of a seed.
pub(crate) fn setup(seed: u64) -> Setup {
    let mut rng = Rng::new(seed, 1);
    let count = rng.index(6) + 3;
    let accounts: Vec<Name> = ["corp", "lab"]
        .iter()
        .take(rng.index(2) + 1)
        .map(|name| Name::new(name))
        .collect();
    let horizon = horizon(&mut rng);
    let checks = |every: u64| u64::try_from(count).unwrap_or(1) * (horizon + QUIET) / every;
    let every = [
        10 * SECOND,
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
    ]
    .into_iter()
    .find(|every| checks(*every) <= CHECKS_MAX)
    .unwrap_or(20 * MINUTE);
    let troubled = rng.chance(15);
    let machines: Vec<MachineSetup> = (0..count)
        .map(|at| machine(&mut rng, at, troubled))
        .collect();
    let hosts = machines
        .iter()
        .enumerate()
        .map(|(at, machine)| Arc::new(host(&mut rng, at, machine, every, &accounts)))
        .collect();
    let destinations = destinations(&mut rng);
    let routes = routes(&mut rng, &destinations);
    let mut plan = Plan {
        hosts,
        accounts: accounts.clone(),
        destinations: destinations.clone(),
        routes,
        notices: NoticePlan {
            summary_above: rng.pick(&[5, 5, 2, 1_000]),
            reminder: rng.pick(&[None, None, Some(Span(30 * MINUTE)), Some(Span(2 * HOUR))]),
            expiry: Span(rng.pick(&[HOUR, 6 * HOUR, 24 * HOUR])),
        },
        stuck_after: rng.pick(&[
            StuckAfter::default(),
            StuckAfter {
                start: Span(MINUTE),
                stop: Span(2 * MINUTE),
                boot: Span(3 * MINUTE),
            },
        ]),
        instant_off: false,
        evidence: None,
        maintenance: crate::mutes::windows(&mut Rng::new(seed, 7), horizon),
        groups: Vec::new(),
        guests: GuestPlan::default(),
    };
    crate::changes::rules(seed, &mut plan);
    furnished(
        seed,
        Setup {
            machines,
            accounts,
            destinations: destinations.len(),
            plan,
            horizon,
        },
    )
}

/// When the quiet begins.
fn horizon(rng: &mut Rng) -> u64 {
    rng.pick(&[
        30 * MINUTE,
        2 * HOUR,
        2 * HOUR,
        8 * HOUR,
        8 * HOUR,
        24 * HOUR,
        60 * HOUR,
    ])
}

/// The same world with what came later, each with a chance of its own, so that all else is as it was without it.
fn furnished(seed: u64, mut setup: Setup) -> Setup {
    crate::clusters::gather(seed, &mut setup);
    crate::recoveries::gather(seed, &mut setup);
    crate::remedies::gather(seed, &mut setup);
    crate::instant::with_instant(seed, &mut setup);
    boots(&mut Rng::new(seed, 9), &mut setup);
    crate::reasons::with_reasons(seed, &mut setup);
    crate::guests::gather(seed, &mut setup);
    setup
}

/// How the hosts of a world boot, with a chance of its own, so that all else is as it was without it.
fn boots(rng: &mut Rng, setup: &mut Setup) {
    for machine in &mut setup.machines {
        // Some count on past 49.7 days while the world lasts.
        machine.uptime = rng.pick(&[
            None,
            Some(20 * MINUTE),
            Some(40 * 24 * HOUR),
            Some(limits::UPTIME_WRAP - HOUR),
        ]);
    }
    let boot = Span(rng.pick(&[15 * MINUTE, 15 * MINUTE, 3 * MINUTE]));
    setup.plan.stuck_after.boot = boot;
    for host in &mut setup.plan.hosts {
        Arc::make_mut(host).boot_grace = Span(rng.pick(&[10 * MINUTE, 10 * MINUTE, 2 * MINUTE, 0]));
    }
}

fn machine(rng: &mut Rng, at: usize, troubled: bool) -> MachineSetup {
    let mut services = Vec::new();
    let down = if troubled { 60 } else { 8 };
    for (prefix, most) in [("Svc", 3), ("App", 2), ("Auto", 2)] {
        for number in 0..=rng.index(most) {
            let state = if rng.chance(down) {
                rng.pick(&[
                    State::Stopped,
                    State::Stopped,
                    State::Paused,
                    State::Missing,
                ])
            } else {
                State::Running
            };
            services.push((Name::new(&format!("{prefix}{number}")), state));
        }
    }
    MachineSetup {
        computer: format!("COMPUTER{at}"),
        services,
        fillers: rng.pick(&[0, 0, 12, 40]),
        uptime: None,
    }
}

fn host(
    rng: &mut Rng,
    at: usize,
    machine: &MachineSetup,
    every: u64,
    accounts: &[Name],
) -> HostPlan {
    let mut entries = Vec::new();
    for (service, _) in &machine.services {
        if service.key().starts_with("svc") {
            entries.push(entry(rng, Selector::Name(service.clone()), true));
        }
    }
    entries.push(entry(rng, Selector::NameGlob(Glob::new("App*")), false));
    if rng.chance(40) {
        entries.push(entry(rng, Selector::Start(StartType::Automatic), false));
    }
    HostPlan {
        name: host_name(at),
        address: format!("192.0.2.{at}"),
        site: rng
            .pick(&[Some("oslo"), Some("bergen"), None])
            .map(Arc::from),
        account: if rng.chance(10) {
            None
        } else {
            Some(accounts[rng.index(accounts.len())].clone())
        },
        every: Span(every).into(),
        timeout: Span(10 * SECOND),
        host_for: Span(rng.pick(&[90 * SECOND, 90 * SECOND, 0, 5 * MINUTE])),
        settle: Span(rng.pick(&[3 * SECOND, 3 * SECOND, 0])),
        boot_grace: Span::ZERO,
        also_known_as: Vec::new(),
        tells_by_itself: false,
        listed: stable_hash(&format!("{entries:?}{at}"), 3).is_multiple_of(2),
        labels: Arc::from([]),
        services: entries,
    }
}

/// How long it is from one round of a host to the next, at most.
pub(crate) fn interval(host: &HostPlan) -> u64 {
    match &host.every {
        Rhythm::Interval(every) => every.0,
        Rhythm::Occurrences(occurrences) => {
            let gap = occurrences.gap(Wall(0)).unwrap_or(limits::NEVER);
            gap.0 + limits::OFFSET_MAX.0
        }
    }
}

/// The same world, but its hosts are read when a schedule says so.
pub(crate) fn by_schedule(mut setup: Setup) -> Setup {
    for host in &mut setup.plan.hosts {
        let seconds = i64::try_from(interval(host) / SECOND).unwrap_or(60);
        let (field, step) = if seconds < 60 {
            (Field::Second, seconds)
        } else {
            (Field::Minute, seconds / 60)
        };
        let test = Test::one_of(steps(0, 59, step));
        let rule = Rule::new(&[Constraint { field, test }]);
        let occurrences = Occurrences::new("a schedule", vec![rule], Vec::new()).unwrap();
        Arc::make_mut(host).every = Rhythm::Occurrences(Arc::new(occurrences));
    }
    setup
}

fn entry(rng: &mut Rng, selector: Selector, named: bool) -> EntryPlan {
    let expect = match rng.below(12) {
        0 => Expect::Either,
        1 if named => Expect::Stopped,
        _ => Expect::Running,
    };
    EntryPlan {
        selector,
        expect,
        for_span: Span(rng.pick(&[0, 0, 30 * SECOND, MINUTE, 5 * MINUTE])),
        confirm: rng.pick(&[1, 1, 1, 2]),
        instant: false,
        required: named,
        counted: false,
        remedy: None,
        recovery: false,
        stopped_ok: StoppedOk::Never,
        changes: false,
        noise: None,
        friendly_name: None,
        severity: None,
        labels: Arc::from([]),
    }
}

fn destinations(rng: &mut Rng) -> Vec<DestinationPlan> {
    let mut all = Vec::new();
    for name in ["hook", "duty", "chat"].into_iter().take(rng.index(3) + 1) {
        let recipients: Vec<Arc<str>> = if name == "duty" {
            vec![Arc::from("ann@example"), Arc::from("bo@example")]
        } else {
            vec![Arc::from("")]
        };
        let limit = match rng.below(6) {
            0 => Some(Limit {
                per: LimitPer::Service,
                every: Span(rng.pick(&[30 * SECOND, 10 * MINUTE])),
            }),
            1 => Some(Limit {
                per: LimitPer::Destination,
                every: Span(rng.pick(&[5 * SECOND, MINUTE])),
            }),
            _ => None,
        };
        all.push(DestinationPlan {
            name: Name::new(name),
            recipients,
            limit,
        });
    }
    all
}

fn routes(rng: &mut Rng, destinations: &[DestinationPlan]) -> Vec<RoutePlan> {
    let to = |at: usize| vec![destinations[at % destinations.len()].name.clone()];
    match rng.below(5) {
        0 => vec![
            RoutePlan {
                matcher: Matcher {
                    site: vec![Glob::new("o*")],
                    ..Matcher::default()
                },
                to: to(0),
                go_on: true,
                reminder: Some(Some(Span(HOUR))),
            },
            RoutePlan {
                to: to(1),
                ..RoutePlan::default()
            },
        ],
        1 => vec![
            RoutePlan {
                matcher: Matcher {
                    service: vec![Glob::new("app*")],
                    ..Matcher::default()
                },
                to: to(1),
                ..RoutePlan::default()
            },
            RoutePlan {
                to: to(0),
                ..RoutePlan::default()
            },
        ],
        _ => Vec::new(),
    }
}
