//! The seeded simulator: the deciding part with its pipeline, against a world that does everything that may go wrong.
//!
//! A seed makes a world (machines, accounts, destinations, a configuration) and a story of what happens to it. The world
//! is run through hours or days of virtual time, then everything is well for a while, and a judge who knows the truth
//! holds what was written, sent and shown against the promises. A broken rule is printed with its seed and with the
//! shortest story that still breaks it.
//!
//! `SVCWATCH_SIM_SEEDS=2000` runs so many seeds, from `SVCWATCH_SIM_FROM` on; `SVCWATCH_SIM_SEED=7` runs one and prints
//! its story;
//! `SVCWATCH_SIM_ALOUD=1` prints what the monitor decides and sends in the short story;
//! `SVCWATCH_SIM_DEAF=1` leaves out what is heard at once, to see whether a broken rule has to do with that;
//! `SVCWATCH_SIM_PLANTED=heard` plants only the faults that have this in their name;
//! `SVCWATCH_SIM_ALL=1` goes on after the first broken rule and lists one line for each seed that breaks one.

mod boots;
mod changes;
mod clusters;
mod guests;
mod happen;
mod heard;
mod held;
mod instant;
mod item;
mod last;
mod ledger;
mod logons;
mod machines;
mod mutes;
mod oracle;

mod oracle_tests;
mod perform;
mod readings;
mod reasons;
mod recoveries;
mod remedies;
mod rng;
mod scan;
mod services;
mod setup;
mod shrink;
mod stirs;
mod store;
mod story;
mod tale;
mod vanished;
mod world;

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use world::Ended;

/// Seeds that once broke a rule, each with what was wrong. They are run for ever.
const FOUND_SEEDS: &[(u64, &str)] = &[
    (2, "a dead host used up the hourly try of a paused account"),
    (
        3,
        "a host that said for hours that it shuts down was given time for ever",
    ),
    (
        8,
        "the end of an incident expired and the next one opened over it",
    ),
    (
        25,
        "an update was told over an incident that was never told to be over",
    ),
    (26, "nothing was told to be over after a restart"),
    (
        40,
        "answers that waited for the store were given up as missing",
    ),
    (
        42,
        "the end of an incident was tried, expired and forgotten",
    ),
    (43, "an uptime that was soon to begin anew hid a boot"),
    (79, "a clock set forward gave up everything that waited"),
    (86, "a restart forgot how long a destination asked to wait"),
    (
        106,
        "a boot grace that was over when its host went down again was told one by one",
    ),
    (
        205,
        "one answer that waited for the store made the others late",
    ),
    (226, "a summary hid that an incident told before was over"),
    (
        374,
        "what waited behind a message that expired waited for its next try",
    ),
    (418, "a limit of a service was counted from the first try"),
    (
        958,
        "two ends of what is not watched any more bore the same key",
    ),
    (
        1137,
        "a lost end was not owed any more once another end was refused",
    ),
    (
        322,
        "a host that had said before a crash that it shuts down was judged as if it had said so first after it",
    ),
    (
        407,
        "a host that said a second time within its five minutes that it shuts down was held to have five more",
    ),
    (
        431,
        "a line of a summary about a group did not say which group it is",
    ),
    (
        485,
        "what did not come back on a host was repeated in the report although it had gone down again",
    ),
    (
        860,
        "a route that led to no destination any more swallowed a restart without a reason",
    ),
    (
        939,
        "a route that led to no destination any more swallowed the move of a group without a reason",
    ),
    (
        542,
        "a reading that was lost as the monitor died was held to have ended what was wrong",
    ),
    (
        827,
        "a refusal that was heeded only when the store worked again was held to be an hour old",
    ),
    (
        977,
        "a host that lost its name after a boot was held to be shutting down still",
    ),
    (
        1023,
        "a host that once seemed to shut down and stayed was not given its time when it did shut down later",
    ),
    (
        1291,
        "what was silent before it said that it shuts down was judged as if it had gone silent by that",
    ),
    (
        387,
        "a boot in the minute in which its count of the uptime begins anew was held to be one that can be seen",
    ),
    (
        1198,
        "a reminder that waited for a summary was taken for one that is late",
    ),
    (
        101,
        "a host was asked why for longer than until it was given up",
    ),
    (
        398,
        "the process of a service that nobody watches was held to be known after the monitor died",
    ),
    (
        1165,
        "a host that had refused a logon, and took a later one, was taken to refuse again after a restart",
    ),
    (
        1720,
        "what a host refused before the clock was set back and a start held when it came back into the plan",
    ),
];

/// Only one test at a time: a planted fault is planted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs the world of a seed.
fn run_seed(seed: u64) -> Ended {
    let mut setup = setup::setup(seed);
    if number("SVCWATCH_SIM_DEAF").is_some() {
        setup = instant::deaf(setup);
    }
    let story = tale::story(seed, &setup);
    world::run(seed, &setup, &story)
}

/// The seeds of these that break a rule, in order, and the sums of all that were run. Unless it is to go on, nothing
/// after the first of them is run.
fn broken_seeds(seeds: std::ops::Range<u64>, go_on: bool) -> (Vec<(u64, Ended)>, Sums) {
    let next = AtomicU64::new(seeds.start);
    let first = AtomicU64::new(u64::MAX);
    let found = Mutex::new((Vec::new(), Sums::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            let over = !go_on && first.load(Ordering::SeqCst) < seed;
            if seed >= seeds.end || over {
                return;
            }
            let ended = run_seed(seed);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.1.add(&ended);
            if ended.violation.is_some() {
                first.fetch_min(seed, Ordering::SeqCst);
                found.0.push((seed, ended));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let (mut broken, sums) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by_key(|(seed, _)| *seed);
    (broken, sums)
}

/// What was run in all.
#[derive(Debug, Default)]
struct Sums {
    runs: u64,
    events: u64,
    messages: u64,
    incidents: usize,
    crashes: usize,
    acts: usize,
}

impl Sums {
    fn add(&mut self, ended: &Ended) {
        self.runs += 1;
        self.events += ended.events;
        self.messages += ended.messages;
        self.incidents += ended.incidents;
        self.crashes += ended.crashes;
        self.acts += ended.acts;
    }
}

/// What is told of a seed that breaks a rule: the rule and the shortest story that still breaks it.
fn report(seed: u64, ended: &Ended) -> String {
    let setup = setup::setup(seed);
    let (short, end) = shrink::shrink(seed, &setup, &tale::story(seed, &setup), ended);
    let mut lines = vec![format!("seed {seed} broke a rule")];
    for (what, ended) in [("the whole story", ended), ("the short story", &end)] {
        if let Some(violation) = &ended.violation {
            lines.push(format!("  {what}: {violation}"));
        }
    }
    for happening in &short {
        lines.push(format!("  {happening}"));
    }
    if number("SVCWATCH_SIM_ALOUD").is_some() {
        world::run_aloud(seed, &setup, &short);
    }
    lines.push(format!("  (run it again with SVCWATCH_SIM_SEED={seed})"));
    lines.push(String::new());
    lines.join("\n")
}

#[test]
fn seeds() {
    let _alone = alone();
    let range = if let Some(seed) = number("SVCWATCH_SIM_SEED") {
        let setup = setup::setup(seed);
        println!("{:#?}", setup.plan);
        for happening in tale::story(seed, &setup) {
            println!("{happening}");
        }
        seed..seed + 1
    } else {
        let from = number("SVCWATCH_SIM_FROM").unwrap_or(0);
        from..from + number("SVCWATCH_SIM_SEEDS").unwrap_or(200)
    };
    let go_on = number("SVCWATCH_SIM_ALL").is_some();
    let (broken, sums) = broken_seeds(range, go_on);
    println!("{sums:?}");
    if go_on {
        for (seed, ended) in &broken {
            println!(
                "seed {seed} {}",
                ended
                    .violation
                    .as_ref()
                    .map_or_else(String::new, ToString::to_string)
            );
        }
    }
    if let Some((seed, ended)) = broken.first() {
        panic!("{}", report(*seed, ended));
    }
    assert!(
        sums.events > 100 * sums.runs,
        "the worlds are too quiet to prove anything: {sums:?}"
    );
    assert!(
        sums.runs < 20 || u64::try_from(sums.acts).unwrap_or(0) > sums.runs / 2,
        "hardly a service is started again: {sums:?}"
    );
}

#[test]
fn found_seeds() {
    let _alone = alone();
    for (seed, what) in FOUND_SEEDS {
        let ended = run_seed(*seed);
        assert!(
            ended.violation.is_none(),
            "it is back: {what}\n{}",
            report(*seed, &ended)
        );
        // As it was when it was found: without readings for other reasons than their time.
        let setup = guests::without(instant::deaf(setup::setup(*seed)));
        let ended = world::run(*seed, &setup, &tale::story(*seed, &setup));
        assert!(
            ended.violation.is_none(),
            "it is back: {what}: {:?}",
            ended.violation
        );
    }
}

#[test]
fn hosts_that_go_by_a_schedule_break_no_rule_either() {
    let _alone = alone();
    for seed in 0..40 {
        let setup = setup::by_schedule(setup::setup(seed));
        let story = tale::story(seed, &setup);
        let ended = world::run(seed, &setup, &story);
        assert!(
            ended.violation.is_none(),
            "seed {seed} by a schedule: {:?}",
            ended.violation
        );
    }
}

#[test]
fn a_seed_is_the_same_every_time() {
    let _alone = alone();
    let words = |seed| {
        let ended = run_seed(seed);
        (ended.events, ended.messages, ended.incidents, ended.crashes)
    };
    for seed in 0..3 {
        assert_eq!(words(seed), words(seed), "seed {seed}");
    }
}

/// Seeds that are tried until a planted fault is found, at most.
#[cfg(feature = "planted")]
const PLANTED_SEEDS: u64 = 300;

#[cfg(feature = "planted")]
#[test]
fn planted_faults_are_found() {
    use svcwatch_core::planted::{self, Planted};
    let _alone = alone();
    let mut table =
        vec!["planted fault | seed | the rule that caught it | events of the story".to_string()];
    let mut missed = Vec::new();
    let only = std::env::var("SVCWATCH_SIM_PLANTED").unwrap_or_default();
    for fault in Planted::ALL {
        if !fault.as_str().contains(&only) {
            continue;
        }
        planted::plant(Some(*fault));
        let (broken, _) = broken_seeds(0..PLANTED_SEEDS, false);
        match broken.into_iter().next() {
            Some((seed, ended)) => {
                let setup = setup::setup(seed);
                let (short, end) = shrink::shrink(seed, &setup, &tale::story(seed, &setup), &ended);
                let violation = end.violation.or(ended.violation);
                let words = violation.map_or_else(String::new, |violation| {
                    format!("{}: {}", violation.rule, violation.sentence)
                });
                table.push(format!("{fault} | {seed} | {words} | {}", short.len()));
            }
            None => missed.push(fault.as_str()),
        }
        planted::plant(None);
    }
    let table = table.join("\n");
    println!("{table}");
    assert!(
        missed.is_empty(),
        "no seed of {PLANTED_SEEDS} found: {missed:?}\n{table}"
    );
    assert!(
        Planted::ALL.len() >= 12,
        "a simulator that finds fewer faults proves little"
    );
}
