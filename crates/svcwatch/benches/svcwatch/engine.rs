//! Deciding: one event at 100,000 targets, and a start with 2 million stored states.

use crate::check::thread_time;
use crate::made;
use crate::table::{Promise, Table, seconds};
use std::sync::Arc;
use std::time::{Duration, Instant};

use svcwatch::store::{AnyStore, Store, StoreOptions};
use svcwatch_core::effect::{Effect, ProbeRequest, Step};
use svcwatch_core::engine::Engine;
use svcwatch_core::event::Event;
use svcwatch_core::observe::State;
use svcwatch_core::record::{HostRow, Record, Restored, TargetRow};

/// This part, for the table.
const PART: &str = "engine";
/// Hosts and watched services of each: 100,000 targets.
const HOSTS: usize = 5_000;
const WATCHED: usize = 20;
/// Services that each host lists.
const LISTED: usize = 60;
/// Rounds of checks that are measured.
const ROUNDS: u64 = 6;
/// One host in so many has a service that changes in a round.
const CHANGED_ONE_IN: usize = 100;
/// Seconds for an event.
const PROMISED_EVENT: f64 = 5e-6;
/// Hosts and services of each with a stored state: 2 million.
const STORED_HOSTS: usize = 20_000;
const STORED_SERVICES: usize = 100;
/// Rows that are written in one transaction while the store is made ready.
const CHUNK: usize = 20_000;
/// Seconds for a start.
const PROMISED_START: f64 = 2.0;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    events(table);
    start(table);
}

/// How many events of one kind there were, and how long all of them took.
#[derive(Debug, Default, Clone, Copy)]
struct Spent {
    events: u32,
    time: Duration,
}

impl Spent {
    fn add(&mut self, time: Duration) {
        self.events += 1;
        self.time += time;
    }

    fn each(self) -> f64 {
        self.time.as_secs_f64() / f64::from(self.events.max(1))
    }
}

fn events(table: &mut Table) {
    let plan = Arc::new(made::plan(HOSTS, WATCHED));
    let (mut engine, first) = Engine::restore(Restored::default(), &plan, made::at(0));
    let (mut ticks, mut same, mut changed) = (Spent::default(), Spent::default(), Spent::default());
    let mut now = 0;
    let mut probes = Vec::new();
    take(&mut engine, 0, first, &mut probes);
    // The first looks, which nobody waits for, then the rounds.
    let measured_from = 30_000 * 6;
    let until = measured_from + 30_000 * ROUNDS;
    while now < until {
        let step = timed(&mut engine, now, Event::Tick, |time| {
            if now >= measured_from {
                ticks.add(time);
            }
        });
        take(&mut engine, now, step, &mut probes);
        for request in std::mem::take(&mut probes) {
            let number: usize = request
                .host
                .as_str()
                .trim_start_matches("srv-")
                .parse()
                .unwrap_or(0);
            let round = now / 30_000;
            let changes = (number + usize::try_from(round).unwrap_or(0))
                .is_multiple_of(CHANGED_ONE_IN)
                && now >= measured_from;
            let observation = made::answer(&request, LISTED, |service| changes && service == 7);
            let spent = if changes { &mut changed } else { &mut same };
            let step = timed(&mut engine, now, Event::Observed(observation), |time| {
                if now >= measured_from {
                    spent.add(time);
                }
            });
            let mut more = Vec::new();
            take(&mut engine, now, step, &mut more);
            assert!(more.len() <= HOSTS, "no host is probed twice at once");
            probes.extend(more);
        }
        if probes.is_empty() {
            let next = engine
                .next_deadline()
                .map_or(until, |tick| tick.0.saturating_sub(made::at(0).tick.0));
            now = next.max(now + 1);
        }
    }
    let all = Spent {
        events: ticks.events + same.events + changed.events,
        time: ticks.time + same.time + changed.time,
    };
    table.promised(
        PART,
        format!("one event at 100,000 targets, over {} events", all.events),
        all.each(),
        (Promise::AtMost, PROMISED_EVENT),
        seconds,
    );
    table.plain(
        PART,
        "… a tick, a host of 60 services as before, and one of which a service changed",
        format!(
            "{}, {}, {}",
            seconds(ticks.each()),
            seconds(same.each()),
            seconds(changed.each())
        ),
    );
}

/// Applies an event and says how much CPU time that took, with the reading of the clock.
fn timed(engine: &mut Engine, now: u64, event: Event, spent: impl FnOnce(Duration)) -> Step {
    let begun = thread_time();
    let step = engine.apply(made::at(now), event);
    spent(thread_time().saturating_sub(begun));
    step
}

/// Keeps the probes of a step, and answers what it asks about configuration, which nobody waits for.
fn take(engine: &mut Engine, now: u64, step: Step, probes: &mut Vec<ProbeRequest>) {
    let mut steps = vec![step];
    while let Some(step) = steps.pop() {
        for effect in step.effects {
            match effect {
                Effect::Probe(request) => probes.push(request),
                Effect::ReadConfig { host, services } => {
                    let event = made::config(host, &services);
                    steps.push(engine.apply(made::at(now), event));
                }
                _ => {}
            }
        }
    }
}

fn start(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let options = StoreOptions { ballast: 0 };
    fill(&AnyStore::open(folder.path(), options).expect("a new store can be made"));
    let plan = Arc::new(made::plan(STORED_HOSTS, STORED_SERVICES));

    let begun = Instant::now();
    let store = AnyStore::open(folder.path(), options).expect("the store can be opened");
    let restored = store.load().expect("the store can be read");
    let read = begun.elapsed();
    let before = thread_time();
    let states: usize = restored.targets.iter().map(Vec::len).sum();
    let (engine, _) = Engine::restore(restored, &plan, made::at(0));
    let decided = thread_time().saturating_sub(before);
    let whole = begun.elapsed();
    assert_eq!(states, STORED_HOSTS * STORED_SERVICES);
    drop(engine);
    table.promised(
        PART,
        format!("start with {states} stored states: open, read, decide"),
        whole.as_secs_f64(),
        (Promise::AtMost, PROMISED_START),
        seconds,
    );
    table.plain(
        PART,
        "… of that, reading the store; CPU time of deciding",
        format!(
            "{}; {}",
            seconds(read.as_secs_f64()),
            seconds(decided.as_secs_f64())
        ),
    );
}

/// Writes the states of all hosts.
fn fill(store: &AnyStore) {
    let now = made::at(0).wall;
    let mut rows: Vec<Record> = Vec::with_capacity(CHUNK);
    for number in 0..STORED_HOSTS {
        let host = made::host(number);
        rows.push(Record::Host(HostRow {
            host: host.clone(),
            computer_name: Some(host.as_str().to_uppercase()),
            fault: None,
            cause: None,
            wrong_since: None,
            since: now,
            visible: Some(60),
            seq: 1,
            visibility_seq: 0,
            refused_until: None,
            boot: svcwatch_core::record::BootRow::default(),
            listed: false,
            removed: false,
        }));
        rows.extend((0..STORED_SERVICES).map(|service| {
            Record::Target(TargetRow {
                host: host.clone(),
                service: made::service(service).as_str().into(),
                state: State::Running,
                since: now,
                previous_state: None,
                hidden: false,
                seq: 1,
                seen_running: true,
                wrong_since: None,
                pid: Some(4_711),
                exit_code: Some(0),
                service_exit_code: Some(0),
                start_type: None,
                trigger_start: Some(false),
                per_user: Some(false),
                display_name: Some(Arc::from(format!("The Service {service:03}"))),
                details: None,
                selected_start: None,
                restarts: None,
                removed: false,
            })
        }));
        if rows.len() >= CHUNK {
            store.commit(&rows).expect("rows can be written");
            rows.clear();
        }
    }
    store.commit(&rows).expect("rows can be written");
}
