//! What goes wrong around the program: a store that does not take anything, a destination that hangs, a configuration
//! that is bad.

use crate::run_support::{Host, House, Receiver, eventually, get, items, shown};
use std::time::{Duration, Instant};
use svcwatch::store::DATABASE_FILE;

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_takes_nothing_nothing_is_told_and_afterwards_it_is() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    let lock = rusqlite::Connection::open(house.data().join(DATABASE_FILE)).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    host.set("Spooler", false);
    let (_, body) = eventually("503", async || {
        Some(get(&app, "/-/ready").await).filter(|(status, _)| *status == 503)
    })
    .await;
    assert!(body.contains("The store cannot write"), "{body}");
    assert_eq!(receiver.told(), [], "nothing is sent from memory");
    lock.execute_batch("ROLLBACK").unwrap();
    assert_eq!(receiver.wait_for(1).await[0].1, "stopped");
    eventually("200", async || {
        Some(get(&app, "/-/ready").await).filter(|(status, _)| *status == 200)
    })
    .await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_hangs_does_not_hold_up_the_end_and_is_tried_again_with_the_same_key() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    receiver.hang(true);
    host.set("Spooler", false);
    receiver.wait_for(1).await;
    let begun = Instant::now();
    app.stop().await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "it took {:?}",
        begun.elapsed()
    );
    receiver.hang(false);
    let app = house.start().await;
    receiver.wait_for(2).await;
    let bodies = receiver.bodies();
    assert_eq!(bodies[0], bodies[1], "the same key and body");
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_reload_changes_nothing_and_tells_every_problem() {
    let receiver = Receiver::start().await;
    let good = |hosts: &str| format!("{}hosts: [{hosts}]\n", House::head(&receiver));
    let one = "{ name: one, address: 127.0.0.1, port: 1, services: [Spooler] }";
    let two = "{ name: two, address: 127.0.0.1, port: 1, services: [Spooler] }";
    let house = House::new(&good(one));
    let app = house.start().await;
    let names = async || {
        let hosts = items(&app, "/api/v1/hosts").await;
        hosts
            .iter()
            .map(|host| host["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    eventually("one", async || (names().await == ["one"]).then_some(())).await;

    house.write(&good(
        "{ name: two, adress: x, services: [Spooler] }, { name: two, services: [] }",
    ));
    let problems = app.reload().await.unwrap_err().join("\n");
    assert!(
        problems.contains("adress") && problems.contains("two"),
        "{problems}"
    );
    assert_eq!(names().await, ["one"]);

    house.write(&good(&format!("{one}, {two}")));
    app.reload().await.unwrap();
    eventually("two", async || {
        (names().await == ["one", "two"]).then_some(())
    })
    .await;

    // A changed file is noticed by itself.
    house.write(&good(two));
    eventually("only two", async || {
        (names().await == ["two"]).then_some(())
    })
    .await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_watched_any_more_takes_its_incident_with_it() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    host.set("Spooler", false);
    receiver.wait_for(1).await;
    house.write(&format!("{}hosts: []\n", House::head(&receiver)));
    app.reload().await.unwrap();
    let all = receiver.wait_for(2).await;
    assert_eq!(
        (all[1].0.as_str(), all[1].1.as_str()),
        ("resolved", "unwatched")
    );
    app.stop().await.unwrap();
}
