//! The end of the program: everybody hangs at once, and it ends in time with everything committed all the same.

use crate::{
    feed_support::{Answer, Database},
    run_support::{Host, House, Receiver, eventually, items, shown},
};
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// What is promised; a test that shares its machine allows ten times as much.
const PROMISED: Duration = Duration::from_secs(5);

fn house(hosts: [(&str, &Host); 2], receiver: &Receiver, feed: &str) -> House {
    let head = House::head(receiver)
        .replace("destinations: { ", &format!("destinations: {{ {feed}"))
        .replace("timeout: 5s", "timeout: 60s");
    let hosts = hosts.map(|(name, host)| {
        format!(
            "  - {{ name: {name}, address: 127.0.0.1, port: {}, services: [Spooler] }}\n",
            host.address.port()
        )
    });
    House::new(&format!("{head}hosts:\n{}", hosts.concat()))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_where_a_host_a_destination_a_feed_and_a_caller_hang_all_at_once() {
    let (lab, mute) = (
        Host::start(&["Spooler"]).await,
        Host::start(&["Spooler"]).await,
    );
    let (receiver, database) = (Receiver::start().await, Database::start().await);
    database.usually(Answer::Hang);
    mute.hold(true);
    let feed = format!(
        "metrics: {{ type: influxdb, url: '{}', version: 1, database: lab, timeout: 60s }}, ",
        database.url()
    );
    let house = house([("lab", &lab), ("mute", &mute)], &receiver, &feed);
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    receiver.hang(true);
    lab.set("Spooler", false);
    receiver.wait_for(1).await;
    eventually("a reading that hangs", async || {
        mute.is_asked().then_some(())
    })
    .await;
    eventually("a feed that hangs", async || {
        (!database.writes().is_empty()).then_some(())
    })
    .await;
    // A caller that never ends its question.
    let mut caller = TcpStream::connect(app.address()).await.unwrap();
    let half = "POST /api/v1/silences HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n";
    caller.write_all(half.as_bytes()).await.unwrap();
    let before = items(&app, "/api/v1/incidents").await;
    assert_eq!(before.len(), 1, "{before:?}");

    let begun = Instant::now();
    app.stop().await.unwrap();
    let took = begun.elapsed();
    println!("it ended within {took:?}");
    assert!(took < 10 * PROMISED, "it took {took:?}");
    drop(caller);

    // Nothing can be read anew: what is there was committed.
    lab.hold(true);
    receiver.hang(false);
    let app = house.start().await;
    let after = items(&app, "/api/v1/incidents").await;
    let known = |incidents: &[serde_json::Value]| {
        let one = &incidents[0];
        (
            one["id"].clone(),
            one["event"].clone(),
            one["opened_at"].clone(),
        )
    };
    assert_eq!(known(&after), known(&before));
    receiver.wait_for(2).await;
    let bodies = receiver.bodies();
    assert_eq!(bodies[0], bodies[1], "the same key and body");
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_under_way_is_given_up_and_nothing_of_it_counts() {
    let (lab, mute) = (
        Host::start(&["Spooler"]).await,
        Host::start(&["Spooler"]).await,
    );
    let receiver = Receiver::start().await;
    let house = house([("lab", &lab), ("mute", &mute)], &receiver, "");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    mute.hold(true);
    eventually("a reading that hangs", async || {
        mute.is_asked().then_some(())
    })
    .await;
    mute.set("Spooler", false);
    let begun = Instant::now();
    app.stop().await.unwrap();
    println!("it ended within {:?}", begun.elapsed());
    assert_eq!(receiver.told(), []);
    let app = house.start().await;
    let incidents = items(&app, "/api/v1/incidents").await;
    assert_eq!(incidents, [] as [serde_json::Value; 0]);
    mute.hold(false);
    assert_eq!(receiver.wait_for(1).await[0].1, "stopped");
    app.stop().await.unwrap();
}
