//! Remembering: transitions from event to committed, and the newest lines of one service among a million.

use crate::made;
use crate::table::{Promise, Table, per_second, percentile, seconds};
use std::sync::Arc;
use std::time::{Duration, Instant};
use svcwatch::store::query::HistoryQuery;
use svcwatch::store::{AnyStore, Store, StoreError, StoreOptions, Writer, WriterSettings};
use svcwatch_core::effect::{Effect, ProbeRequest};
use svcwatch_core::engine::Engine;
use svcwatch_core::event::Event;
use svcwatch_core::id::{Name, Subject};
use svcwatch_core::limits::BATCH_EVENTS_MAX;
use svcwatch_core::observe::State;
use svcwatch_core::pipeline::{Action, BatchId, Pipeline};
use svcwatch_core::record::{HistoryRow, Record, Restored};
use tokio::task::JoinHandle;

/// This part, for the table.
const PART: &str = "store";
/// Hosts and services of each; in each round one service of each host changes its state.
const HOSTS: usize = 2_000;
const SERVICES: usize = 20;
/// Rounds that are measured.
const ROUNDS: u64 = 40;
/// Transitions in a second.
const PROMISED_RATE: f64 = 10_000.0;
/// Lines of history, and the services that they are about.
const LINES: u64 = 1_000_000;
const SUBJECTS: u64 = 1_000;
/// Lines that are asked for, and how often.
const NEWEST: usize = 100;
const ASKED: u64 = 501;
/// Seconds for an answer.
const PROMISED_ANSWER: f64 = 1e-3;
/// Rows that are written in one transaction while the store is made ready.
const CHUNK: u64 = 20_000;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    transitions(table);
    history(table);
}

/// The engine, its pipeline and the real writer, without the network.
struct Carried {
    pipeline: Pipeline,
    writer: Arc<Writer>,
    now: u64,
    probes: Vec<ProbeRequest>,
    /// The transaction that is being written; meanwhile the next one is gathered.
    writing: Option<(BatchId, JoinHandle<Result<(), StoreError>>)>,
    /// Lines of history that are durable, or being written.
    lines: u64,
    commits: u64,
}

impl Carried {
    /// Does what the pipeline wants now.
    fn turn(&mut self) {
        let actions = self.pipeline.poll(made::at(self.now));
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Do(effects) => {
                    let probes = effects.into_iter().filter_map(|effect| match effect {
                        Effect::Probe(request) => Some(request),
                        _ => None,
                    });
                    self.probes.extend(probes);
                }
                Action::Commit { batch, records } => {
                    let lines = records
                        .iter()
                        .filter(|record| matches!(record, Record::History(_)));
                    self.lines += u64::try_from(lines.count()).unwrap_or(0);
                    self.commits += 1;
                    let writer = Arc::clone(&self.writer);
                    let task = tokio::spawn(async move { writer.write(records).await });
                    self.writing = Some((batch, task));
                }
            }
        }
    }

    /// Waits until the transaction that is being written is durable.
    async fn written(&mut self) {
        if let Some((batch, task)) = self.writing.take() {
            let written = task.await.expect("writing does not break");
            written.expect("the store takes rows");
            let actions = self.pipeline.committed(made::at(self.now), batch);
            self.act(actions);
        }
    }

    /// Answers every probe of one round as fast as it is asked, and waits until all of it is durable. As in the
    /// program, the next transaction is gathered while one is being written.
    async fn round(&mut self, stopped: impl Fn(usize) -> bool + Copy) {
        let (mut answered, mut gathered) = (0, 0);
        while answered < HOSTS {
            self.turn();
            for request in std::mem::take(&mut self.probes) {
                answered += 1;
                gathered += 1;
                let observation = made::answer(&request, SERVICES, stopped);
                let event = Event::Observed(observation);
                self.pipeline.push(made::at(self.now), event);
            }
            let deadline = self.pipeline.next_deadline();
            let next = deadline.map(|tick| tick.0.saturating_sub(made::at(0).tick.0));
            // Ticks fill a transaction too; then what is due waits for the store, and there is no deadline.
            let held_up = self.probes.is_empty() && next.is_none_or(|next| next < self.now);
            if self.writing.is_some() && (held_up || gathered >= BATCH_EVENTS_MAX) {
                self.written().await;
                gathered = 0;
            } else if self.probes.is_empty() {
                self.now = next.unwrap_or(0).max(self.now + 1);
            }
        }
        while !self.pipeline.is_idle() {
            self.written().await;
            self.now += 5;
            self.turn();
        }
    }
}

fn transitions(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = AnyStore::open(folder.path(), StoreOptions { ballast: 0 });
    let store = Arc::new(store.expect("a new store can be made"));
    let settings = WriterSettings {
        check: false,
        ..WriterSettings::default()
    };
    let plan = Arc::new(made::plan(HOSTS, SERVICES));
    let restored = Restored {
        store: store.id(),
        ..Restored::default()
    };
    let (engine, first) = Engine::restore(restored, &plan, made::at(0));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let mut carried = Carried {
        pipeline: Pipeline::new(engine, first),
        writer: Arc::new(
            Writer::start(Arc::clone(&store), settings).expect("a thread can be made"),
        ),
        writing: None,
        now: 0,
        probes: Vec::new(),
        lines: 0,
        commits: 0,
    };
    let (lines, commits, took) = runtime.block_on(async {
        for _ in 0..3 {
            carried.round(|_| false).await;
        }
        let (lines, commits) = (carried.lines, carried.commits);
        let begun = Instant::now();
        for round in 0..ROUNDS {
            carried
                .round(|service| round % 2 == 0 && service == 7)
                .await;
        }
        (
            carried.lines - lines,
            carried.commits - commits,
            begun.elapsed(),
        )
    });
    assert!(
        lines >= ROUNDS * u64::try_from(HOSTS).unwrap_or(0),
        "{lines}"
    );
    table.promised(
        PART,
        format!("transitions from event to committed ({lines} in {commits} transactions, each with what becomes of its incident)"),
        crate::check::to_f64(lines) / took.as_secs_f64(),
        (Promise::AtLeast, PROMISED_RATE),
        per_second,
    );
}

fn history(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = AnyStore::open(folder.path(), StoreOptions { ballast: 0 });
    let store = store.expect("a new store can be made");
    for chunk in 0..LINES / CHUNK {
        let rows: Vec<Record> = (chunk * CHUNK..(chunk + 1) * CHUNK).map(line).collect();
        store.commit(&rows).expect("rows can be written");
    }
    let mut times: Vec<Duration> = (0..ASKED)
        .map(|number| {
            let query = HistoryQuery {
                host: Some(host_of(number * 7 % SUBJECTS)),
                service: Some(Name::new("Spooler")),
                before: None,
                limit: NEWEST,
            };
            let begun = Instant::now();
            let page = store.history(&query).expect("the store can be asked");
            let took = begun.elapsed();
            assert_eq!(page.items.len(), NEWEST);
            took
        })
        .collect();
    table.promised(
        PART,
        "newest 100 lines of one service among 1 million, p50",
        percentile(&mut times, 50).as_secs_f64(),
        (Promise::AtMost, PROMISED_ANSWER),
        seconds,
    );
    table.plain(
        PART,
        "… p99",
        seconds(percentile(&mut times, 99).as_secs_f64()),
    );
}

fn host_of(subject: u64) -> Name {
    made::host(usize::try_from(subject).unwrap_or(0))
}

/// A line of history; the lines of one service are spread over all of it.
fn line(number: u64) -> Record {
    let (stopped, running) = (State::Stopped, State::Running);
    let goes_down = (number / SUBJECTS).is_multiple_of(2);
    let (from, to) = if goes_down {
        (running, stopped)
    } else {
        (stopped, running)
    };
    Record::History(HistoryRow {
        record: number + 1,
        subject: Subject::Service {
            host: host_of(number % SUBJECTS),
            service: Name::new("Spooler"),
        },
        seq: number / SUBJECTS + 1,
        at: made::at(number * 10).wall,
        from: Some(from),
        to: Some(to),
        fault: None,
        event: None,
        incident: None,
        exit_code: Some(if goes_down { 1_067 } else { 0 }),
        service_exit_code: None,
        pid: None,
        cause: None,
    })
}
