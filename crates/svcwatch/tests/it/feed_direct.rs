//! Feeds as the loop uses them: a buffer that is too small for the time that its database is down, services that go,
//! and feeds that a reload takes away and brings back.

use crate::feed_support::{AT, Answer, Database};
use crate::run_support::eventually;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use svcwatch::{
    board::Board,
    dest::{Settings, sender::Destinations},
    facts::{Build, Facts},
    feed::{
        Feeds, Reading, Surroundings,
        influxdb::{Settings as Influxdb, Version},
    },
    store::{AnyStore, MemoryStore, Store as _, Writer, WriterSettings},
};
use svcwatch_core::{
    id::{Name, StoreId, Subject},
    observe::State,
    plan::Expect,
    record::{HistoryRow, Record, Restored},
    time::Wall,
    view::{HostView, ServiceView, View},
};

fn at(second: i64) -> Wall {
    Wall(AT.0 + second * 1_000)
}

fn host(name: &str) -> View {
    View::Host(HostView {
        name: name.into(),
        address: name.to_owned(),
        site: None,
        fault: None,
        cause: None,
        since: Some(at(0)),
        checked_at: Some(at(0)),
        visible: Some(1),
        watched: 1,
        labels: Arc::from([]),
    })
}

fn service(name: &str, state: State) -> View {
    View::Service(ServiceView {
        host: name.into(),
        service: "Spooler".into(),
        display_name: Some(Arc::from("Print Spooler")),
        friendly_name: None,
        state,
        since: at(0),
        expected: Expect::Running,
        as_expected: state == State::Running,
        group: None,
        start_type: None,
        trigger_start: None,
        details: None,
        pid: None,
        exit_code: None,
        incident: None,
        muted: None,
        labels: Arc::from([]),
    })
}

fn transition(record: u64, name: &str, from: State, to: State, second: i64) -> Record {
    Record::History(HistoryRow {
        record,
        subject: Subject::Service {
            host: name.into(),
            service: "Spooler".into(),
        },
        seq: record,
        at: at(second),
        from: Some(from),
        to: Some(to),
        fault: None,
        event: None,
        incident: None,
        exit_code: None,
        service_exit_code: None,
        pid: None,
        cause: None,
    })
}

/// What the loop does with the answer of one host: records are durable, then views are shown.
fn round(
    feeds: &mut Feeds,
    store: &AnyStore,
    name: &str,
    change: Option<(u64, State, State)>,
    second: i64,
) {
    if let Some((record, from, to)) = change {
        let records = [transition(record, name, from, to, second)];
        store.commit(&records).expect("a memory takes it");
        feeds.durable(&records);
        feeds.show(service(name, to));
    }
    feeds.show(View::Checked {
        host: name.into(),
        at: at(second),
        read: true,
    });
}

/// The destinations with one feed.
async fn destinations(database: &Database) -> Destinations {
    let settings = Influxdb {
        database: Some("butler".to_owned()),
        ..Influxdb::new(database.url(), Version::V1)
    };
    let list = [(Name::new("metrics"), Settings::Influxdb(settings))];
    let made = tokio::task::spawn_blocking(|| Destinations::new(list, None));
    made.await.expect("no panic").expect("good settings")
}

/// A feed with room for a few readings.
async fn narrow(database: &Database, store: &Arc<AnyStore>, facts: &Arc<Facts>) -> Feeds {
    let writer = Writer::start(Arc::clone(store), WriterSettings::default()).expect("a thread");
    let around = Surroundings {
        board: Arc::new(Board::new()),
        store: Arc::clone(store),
        writer: Arc::new(writer),
        facts: Arc::clone(facts),
        room: 10 * size_of::<Reading>(),
    };
    Feeds::new(around, &Restored::default(), &destinations(database).await)
}

fn around() -> (Arc<AnyStore>, Arc<Facts>) {
    let store = Arc::new(AnyStore::Memory(MemoryStore::new(StoreId([1; 16]))));
    let build = Build {
        version: "0",
        commit: "0",
    };
    (store, Arc::new(Facts::new(build)))
}

/// What the metrics say was given up.
fn given_up(facts: &Facts) -> String {
    let mut metrics = String::new();
    facts.encode(&mut metrics).expect("text");
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("svcwatch_feed_dropped_total"));
    line.expect("it is there").to_owned()
}

/// Lets the feeds send what they have, and ends them.
async fn ended(mut feeds: Feeds) {
    let until = Instant::now() + Duration::from_secs(3);
    feeds.end(until).await;
}

/// What happens while the database is down: `a` stops and starts long before the end, `b` stops shortly before it.
fn outage(feeds: &mut Feeds, store: &AnyStore) {
    round(
        feeds,
        store,
        "a",
        Some((1, State::Running, State::Stopped)),
        10,
    );
    round(
        feeds,
        store,
        "a",
        Some((2, State::Stopped, State::Running)),
        11,
    );
    for second in 20..200 {
        round(feeds, store, "a", None, second);
        round(feeds, store, "b", None, second);
    }
    round(
        feeds,
        store,
        "b",
        Some((3, State::Running, State::Stopped)),
        200,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn transitions_of_readings_that_were_given_up_are_sent_again_before_what_came_after_them() {
    let database = Database::start().await;
    let (store, facts) = around();
    let mut feeds = narrow(&database, &store, &facts).await;
    for name in ["a", "b"] {
        feeds.show(host(name));
        feeds.show(service(name, State::Running));
    }
    feeds.show(View::Complete);
    round(&mut feeds, &store, "a", None, 0);
    eventually("the first reading", async || database.lines().pop()).await;
    database.usually(Answer::Status(503, ""));
    let down = database.lines().len();
    outage(&mut feeds, &store);
    eventually("a try while it is down", async || {
        (database.lines().len() > down).then_some(())
    })
    .await;
    let tried = database.lines().len();
    database.usually(Answer::Status(204, ""));
    round(&mut feeds, &store, "a", None, 201);
    let time = |second: i64| format!(" {}", at(second).0 * 1_000_000);
    let sent = eventually("the last reading", async || {
        let sent = database.lines().split_off(tried);
        sent.iter()
            .any(|line| line.contains("host=a,") && line.ends_with(&time(201)))
            .then_some(sent)
    })
    .await;
    let place = |host: &str, state: &str, second: i64| {
        let host = format!("host={host},");
        let state = format!("state_text=\"{state}\"");
        let found = sent.iter().position(|line| {
            line.contains(&host) && line.contains(&state) && line.ends_with(&time(second))
        });
        found.unwrap_or_else(|| panic!("{host} {state} at {second} s was not sent: {sent:#?}"))
    };
    let stop = place("a", "STOPPED", 10);
    let start = place("a", "RUNNING", 11);
    let last = place("a", "RUNNING", 201);
    assert!(stop < start && start < last, "in their order");
    assert!(place("b", "STOPPED", 200) > start);
    assert!(
        given_up(&facts).starts_with("{destination=\"metrics\"} 3"),
        "{}",
        given_up(&facts)
    );
    ended(feeds).await;
    assert_eq!(
        store.load().expect("a memory").feeds[0].record,
        3,
        "all is sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_watched_any_more_is_unknown_from_then_on() {
    let database = Database::start().await;
    let (store, facts) = around();
    let mut feeds = narrow(&database, &store, &facts).await;
    for name in ["a", "b"] {
        feeds.show(host(name));
        feeds.show(service(name, State::Running));
    }
    feeds.show(View::Complete);
    feeds.show(View::ServiceGone {
        host: "a".into(),
        service: "spooler".into(),
    });
    feeds.show(View::HostGone("b".into()));
    let lines = eventually("both", async || {
        Some(database.lines()).filter(|lines| lines.len() >= 2)
    })
    .await;
    for (line, host) in lines.iter().zip(["a", "b"]) {
        assert!(
            line.contains(&format!("host={host},"))
                && line.contains("state_num=-1,state_text=\"UNKNOWN\""),
            "{lines:#?}"
        );
    }
    // What is gone gives nothing any more.
    round(&mut feeds, &store, "a", None, 5);
    ended(feeds).await;
    assert_eq!(database.lines().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_comes_back_gets_what_happened_meanwhile() {
    let database = Database::start().await;
    let (store, facts) = around();
    let mut feeds = narrow(&database, &store, &facts).await;
    feeds.show(host("a"));
    feeds.show(service("a", State::Running));
    feeds.show(View::Complete);
    round(
        &mut feeds,
        &store,
        "a",
        Some((1, State::Running, State::Stopped)),
        1,
    );
    round(
        &mut feeds,
        &store,
        "a",
        Some((2, State::Stopped, State::Running)),
        2,
    );
    eventually("the first readings", async || {
        (database.lines().len() >= 2).then_some(())
    })
    .await;
    feeds.replace(&Destinations::default());
    round(
        &mut feeds,
        &store,
        "a",
        Some((3, State::Running, State::Paused)),
        3,
    );
    round(
        &mut feeds,
        &store,
        "a",
        Some((4, State::Paused, State::Running)),
        4,
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let known = database.lines().len();
    assert!(
        database.lines().iter().all(|line| !line.contains("PAUSED")),
        "nobody feeds it now"
    );
    feeds.replace(&destinations(&database).await);
    round(&mut feeds, &store, "a", None, 5);
    eventually("what happened meanwhile", async || {
        let later = database.lines().split_off(known);
        later
            .iter()
            .any(|line| line.contains("state_text=\"PAUSED\""))
            .then_some(())
    })
    .await;
    ended(feeds).await;
    assert_eq!(store.load().expect("a memory").feeds[0].record, 4);
}
