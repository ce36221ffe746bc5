//! Feeds in the whole program: every reading goes out, what a feed missed is sent again, and nothing else waits for it.

use crate::{
    feed_support::{Answer, Database},
    run_support::{Host, House, Receiver, eventually, get, shown},
};
use svcwatch::{app::App, web::client::Client};

fn house(host: &Host, receiver: &Receiver, database: &Database) -> House {
    let head = House::head(receiver).replace(
        "destinations: { ",
        &format!(
            "destinations: {{ metrics: {{ type: influxdb, url: '{}', version: 1, database: butler, timeout: 1s }}, ",
            database.url()
        ),
    );
    House::new(&format!(
        "{head}hosts:\n  - {{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler, {{ name: W32Time, friendly_name: Clock }}] }}\n",
        host.address.port()
    ))
}

/// The lines of a service in a state.
fn lines(database: &Database, service: &str, state: &str) -> Vec<String> {
    let (service, state) = (
        format!("service_name={service},"),
        format!("state_text=\"{state}\""),
    );
    let mut lines = database.lines();
    lines.retain(|line| line.contains(&service) && line.contains(&state));
    lines
}

fn time_of(line: &str) -> i64 {
    let time = line.rsplit_once(' ').expect("a time").1;
    time.parse::<i64>().expect("a number") / 1_000_000
}

async fn metric(app: &App, name: &str) -> u64 {
    let metrics = get(app, "/metrics").await.1;
    let line = metrics
        .lines()
        .find(|line| line.starts_with(&format!("{name}{{destination=\"metrics\"}}")));
    let value = line.and_then(|line| line.rsplit_once(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
        .1
        .parse()
        .expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reading_of_every_service_goes_out() {
    let (host, receiver, database) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
        Database::start().await,
    );
    let house = house(&host, &receiver, &database);
    let app = house.start().await;
    eventually("three readings of each", async || {
        let enough = ["Spooler", "W32Time"]
            .iter()
            .all(|service| lines(&database, service, "RUNNING").len() >= 3);
        enough.then_some(())
    })
    .await;
    let clock = lines(&database, "W32Time", "RUNNING")
        .pop()
        .expect("a line");
    assert!(
        clock.starts_with(r"win_service_state,host=lab,service_name=W32Time,display_name=The\ W32Time\ service,friendly_name=Clock startup_mode_num=0,startup_mode_text="),
        "{clock}"
    );
    host.set("Spooler", false);
    eventually("the stop", async || {
        lines(&database, "Spooler", "STOPPED").pop()
    })
    .await;
    assert_eq!(metric(&app, "svcwatch_feed_dropped_total").await, 0);
    assert!(metric(&app, "svcwatch_feed_sent_total").await >= 6);
    let client = Client::new(&format!("http://{}", app.address())).unwrap();
    let explained = client.explain("lab", Some("Spooler")).await.unwrap();
    assert!(
        explained
            .lines
            .iter()
            .any(|line| line.about == "feed" && line.text.contains("metrics")),
        "{explained:?}"
    );
    // A host that cannot be read gives no readings, but says once that nothing is known any more.
    // STATUS_WRONG_PASSWORD (MS-ERREF 2.3.1).
    host.refuse(0xC000_006A);
    app.stop().await.unwrap();
    let app = house.start().await;
    eventually("the word that nothing is known", async || {
        lines(&database, "W32Time", "UNKNOWN").pop()
    })
    .await;
    let unknown = lines(&database, "W32Time", "UNKNOWN");
    assert!(unknown[0].contains("state_num=-1"), "{unknown:?}");
    app.stop().await.unwrap();
    assert_eq!(lines(&database, "W32Time", "UNKNOWN").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_are_kept_while_the_database_is_down_and_delay_nothing() {
    let (host, receiver, database) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
        Database::start().await,
    );
    let house = house(&host, &receiver, &database);
    let app = house.start().await;
    eventually("the first reading", async || {
        lines(&database, "Spooler", "RUNNING").pop()
    })
    .await;
    for answer in [Answer::Hang, Answer::Status(503, "")] {
        database.usually(answer);
        host.set("Spooler", false);
        let told = receiver.told().len();
        receiver.wait_for(told + 1).await;
        host.set("Spooler", true);
        receiver.wait_for(told + 2).await;
    }
    let waiting = eventually("readings that wait", async || {
        let waiting = metric(&app, "svcwatch_feed_waiting").await;
        (waiting >= 2).then_some(waiting)
    })
    .await;
    let stopped: Vec<i64> = lines(&database, "Spooler", "STOPPED")
        .iter()
        .map(|line| time_of(line))
        .collect();
    database.usually(Answer::Status(204, ""));
    let sent = metric(&app, "svcwatch_feed_sent_total").await;
    eventually("what waited", async || {
        (metric(&app, "svcwatch_feed_sent_total").await >= sent + waiting).then_some(())
    })
    .await;
    let later: Vec<i64> = lines(&database, "Spooler", "STOPPED")
        .iter()
        .map(|line| time_of(line))
        .collect();
    assert!(
        stopped.iter().all(|time| later.contains(time)),
        "each keeps the time at which it was read"
    );
    assert_eq!(metric(&app, "svcwatch_feed_dropped_total").await, 0);
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn transitions_that_a_feed_missed_are_sent_again_from_history() {
    let (host, receiver, database) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
        Database::start().await,
    );
    let house = house(&host, &receiver, &database);
    let app = house.start().await;
    eventually("the first reading", async || {
        lines(&database, "Spooler", "RUNNING").pop()
    })
    .await;
    // It is down while a service stops and starts, and the program ends meanwhile: what waited is lost.
    database.usually(Answer::Status(503, ""));
    host.set("Spooler", false);
    receiver.wait_for(1).await;
    host.set("Spooler", true);
    receiver.wait_for(2).await;
    app.stop().await.unwrap();
    let refused = database.lines().len();

    database.usually(Answer::Status(204, ""));
    let app = house.start().await;
    let after = |state: &str| {
        let taken = database.lines().split_off(refused);
        let wanted = format!("state_text=\"{state}\"");
        taken
            .into_iter()
            .find(|line| line.contains("service_name=Spooler,") && line.contains(&wanted))
    };
    let stopped = eventually("the stop, from history", async || after("STOPPED")).await;
    assert!(
        stopped.contains(r"display_name=The\ Spooler\ service"),
        "{stopped}"
    );
    let client = Client::new(&format!("http://{}", app.address())).unwrap();
    let history = client
        .history(&[("host", "lab"), ("service", "Spooler")])
        .await
        .unwrap();
    let written = history
        .items
        .iter()
        .find(|item| item.to.as_deref() == Some("stopped"))
        .expect("a line of history");
    let time: i64 = time_of(&stopped);
    let read = svcwatch::dest::text::rfc3339(svcwatch_core::time::Wall(time));
    assert_eq!(read, written.at, "with the time at which it was read");
    app.stop().await.unwrap();

    // All was sent: another start sends nothing of it again.
    let sent = database.lines().len();
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    eventually("readings after the start", async || {
        (database.lines().len() > sent + 3).then_some(())
    })
    .await;
    let again = database.lines().split_off(sent);
    assert!(
        again.iter().all(|line| !line.contains("STOPPED")),
        "{again:#?}"
    );
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_what_waits_and_sends_it_to_the_new_place() {
    let (host, receiver) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
    );
    let (down, up) = (Database::start().await, Database::start().await);
    down.usually(Answer::Status(401, r#"{"error":"authorization failed"}"#));
    let house = house(&host, &receiver, &down);
    let app = house.start().await;
    eventually("readings that were refused and wait", async || {
        let waiting = metric(&app, "svcwatch_feed_waiting").await;
        (waiting >= 4 && !down.lines().is_empty()).then_some(())
    })
    .await;
    let config = std::fs::read_to_string(house.config()).unwrap();
    house.write(&config.replace(&down.url(), &up.url()));
    app.reload().await.unwrap();
    let first = eventually("a reading at the new place", async || {
        lines(&up, "Spooler", "RUNNING").into_iter().next()
    })
    .await;
    let refused = down.lines();
    assert!(
        refused.contains(&first),
        "the first that it gets is one that waited"
    );
    app.stop().await.unwrap();
}
