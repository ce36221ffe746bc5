//! Feeds into a real InfluxDB 1.

use crate::feed_support::{AT, reading, readings, ready};
use crate::run_support::{Host, House, Receiver, eventually};
use crate::support::influx::Influx;
use std::time::{Duration, Instant};
use svcwatch::{
    dest::{Settings, sender::Destination},
    feed::{
        Fed, Next, Reading,
        influxdb::{Retention, Settings as Influxdb, Version},
    },
    secret::Secret,
};
use svcwatch_core::observe::State;

fn settings(influx: &Influx) -> Influxdb {
    Influxdb {
        database: Some("butler".to_owned()),
        retention: Some(Retention {
            name: "10d".to_owned(),
            duration: "INF".to_owned(),
        }),
        ..Influxdb::new(influx.url(), Version::V1)
    }
}

async fn feed(destination: &Destination, readings: &[Reading]) -> Fed {
    let all: Vec<&Reading> = readings.iter().collect();
    destination.feed(&all, AT).await
}

fn count(influx: &Influx) -> i64 {
    let answer = influx.ask("butler", "SELECT count(state_num) FROM win_service_state");
    answer["results"][0]["series"][0]["values"][0][1]
        .as_i64()
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_made_and_ten_thousand_readings_are_in_it_within_a_second() {
    let influx = Influx::start(false);
    let destination = ready(Settings::Influxdb(settings(&influx))).await;
    // The first write makes the database.
    assert_eq!(
        feed(&destination, &[reading("first", "Spooler", State::Paused)]).await,
        Fed::all(1)
    );
    let policies = influx.ask("butler", "SHOW RETENTION POLICIES");
    let default = policies["results"][0]["series"][0]["values"]
        .as_array()
        .expect("policies")
        .iter()
        .find(|row| row[4] == true);
    assert_eq!(default.expect("a default")[0], "10d");

    let all = readings(10_000);
    let begun = Instant::now();
    assert_eq!(feed(&destination, &all).await, Fed::all(10_000));
    let took = begun.elapsed();
    println!("10,000 readings into InfluxDB 1: {took:?}");
    assert_eq!(count(&influx), 10_001);
    assert!(took < Duration::from_secs(10), "{took:?}");
    // The same again is the same points: nothing is there twice.
    assert_eq!(feed(&destination, &all).await, Fed::all(10_000));
    assert_eq!(count(&influx), 10_001);

    let fields = influx.ask("butler", "SHOW FIELD KEYS FROM win_service_state");
    let fields = fields["results"][0]["series"][0]["values"].to_string();
    assert_eq!(
        fields,
        r#"[["startup_mode_num","float"],["startup_mode_text","string"],["state_num","float"],["state_text","string"]]"#
    );
    let last = influx.ask(
        "butler",
        "SELECT last(state_num), state_text, host FROM win_service_state WHERE host = 'first'",
    );
    let row = &last["results"][0]["series"][0]["values"][0];
    assert_eq!(
        row.to_string(),
        r#"["2024-03-13T12:05:00.042Z",7,"PAUSED","first"]"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_every_kind_come_back_as_they_were() {
    let influx = Influx::start(false);
    let destination = ready(Settings::Influxdb(settings(&influx))).await;
    let names = [
        "MSSQL$PROD",
        r"a\,b",
        "x=y, z",
        "\"quoted\"",
        "Ünï 👩",
        "(a) 'b'",
        r"C:\dir",
        "tab\tand\nline",
    ];
    let all: Vec<Reading> = names
        .iter()
        .map(|name| reading("h", name, State::Running))
        .collect();
    assert_eq!(feed(&destination, &all).await, Fed::all(names.len()));
    let answer = influx.ask(
        "butler",
        "SHOW TAG VALUES FROM win_service_state WITH KEY = service_name",
    );
    let rows = answer["results"][0]["series"][0]["values"]
        .as_array()
        .expect("values");
    let mut found: Vec<&str> = rows.iter().filter_map(|row| row[1].as_str()).collect();
    found.sort_unstable();
    let mut wanted: Vec<String> = names
        .iter()
        .map(|name| name.replace(['\t', '\n'], " "))
        .collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_another_type_is_counted_and_named() {
    let influx = Influx::start(false);
    let destination = ready(Settings::Influxdb(settings(&influx))).await;
    assert!(
        destination
            .try_feed(AT)
            .await
            .is_some_and(|tried| tried.verdict.as_str() == "delivered")
    );
    // Another program has written integers there.
    let script = "import sys, urllib.request\n\
        urllib.request.urlopen(sys.argv[1] + '/write?db=butler', b'win_service_state,host=x state_num=4i 1710331500042000000')";
    crate::support::process::run(std::process::Command::new("/usr/bin/python3").args([
        "-c",
        script,
        &influx.url(),
    ]));
    let fed = feed(&destination, &readings(20)).await;
    assert_eq!((fed.done, &fed.next), (20, &Next::GoOn), "{fed:?}");
    assert_eq!(fed.dropped, 20);
    assert!(
        fed.reason
            .is_some_and(|reason| reason.contains("field type conflict"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_needed_where_the_database_has_users() {
    let influx = Influx::start(true);
    let nobody = ready(Settings::Influxdb(settings(&influx))).await;
    let fed = feed(&nobody, &readings(1)).await;
    let Next::Retry { reason, .. } = &fed.next else {
        panic!("{fed:?}");
    };
    assert!(reason.contains("create admin user"), "{reason}");
    influx.ask(
        "",
        "CREATE USER monitor WITH PASSWORD 'canary-password' WITH ALL PRIVILEGES",
    );
    let user = |password: &str| Influxdb {
        user: Some(Secret::from("monitor")),
        password: Some(Secret::from(password)),
        ..settings(&influx)
    };
    let wrong = ready(Settings::Influxdb(user("canary-wrong"))).await;
    let fed = feed(&wrong, &readings(1)).await;
    assert!(
        matches!(&fed.next, Next::Retry { reason, .. } if reason.contains("401") && !reason.contains("canary")),
        "{fed:?}"
    );
    assert!(
        wrong
            .check()
            .await
            .is_err_and(|said| said.contains("authorization failed"))
    );
    let right = ready(Settings::Influxdb(user("canary-password"))).await;
    assert_eq!(feed(&right, &readings(1)).await, Fed::all(1));
    assert!(
        right
            .check()
            .await
            .is_ok_and(|said| said.contains("the database butler is there"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_down_gets_every_transition_with_its_time() {
    let mut influx = Influx::start(false);
    let (host, receiver) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
    );
    let head = House::head(&receiver).replace(
        "destinations: { ",
        &format!(
            "destinations: {{ metrics: {{ type: influxdb, url: '{}', version: 1, database: butler, timeout: 2s }}, ",
            influx.url()
        ),
    );
    let house = House::new(&format!(
        "{head}hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler, W32Time] }}]\n",
        host.address.port()
    ));
    let app = house.start().await;
    eventually("the first readings", async || {
        (count(&influx) >= 2).then_some(())
    })
    .await;
    influx.down();
    let mut told = 0;
    for runs in [false, true, false] {
        host.set("Spooler", runs);
        told += 1;
        receiver.wait_for(told).await;
    }
    app.stop().await.unwrap();
    influx.up();
    let app = house.start().await;
    let states = eventually("the transitions", async || {
        let answer = influx.ask(
            "butler",
            "SELECT state_text FROM win_service_state WHERE service_name = 'Spooler'",
        );
        let rows = answer["results"][0]["series"][0]["values"]
            .as_array()?
            .clone();
        let mut states: Vec<String> = rows
            .iter()
            .filter_map(|row| Some(row[1].as_str()?.to_owned()))
            .collect();
        states.dedup();
        (states.len() >= 4).then_some(states)
    })
    .await;
    assert_eq!(states, ["RUNNING", "STOPPED", "RUNNING", "STOPPED"]);
    app.stop().await.unwrap();
}
