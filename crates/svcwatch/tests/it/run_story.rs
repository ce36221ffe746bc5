//! From a reading to a message and back, through the whole program.

use crate::run_support::{Host, House, Receiver, eventually, get, items, shown};
use svcwatch::web::client::Client;

fn told(kind: &str, event: &str, service: &str) -> (String, String, String) {
    (kind.to_owned(), event.to_owned(), service.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_stops_and_starts_and_each_is_told_once() {
    let (host, receiver) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
    );
    let house = House::of(&host, &receiver, "[Spooler, { start: automatic }]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    shown(&app, "W32Time", "running").await;
    assert_eq!(get(&app, "/-/ready").await.0, 200);
    assert_eq!(receiver.told(), []);

    host.set("Spooler", false);
    assert_eq!(
        receiver.wait_for(1).await,
        [told("opened", "stopped", "Spooler")]
    );
    let body = receiver.bodies().remove(0);
    assert_eq!(
        (&body["exit_code"], &body["previous_state"]),
        (&1067.into(), &"running".into())
    );
    let open = items(&app, "/api/v1/incidents?resolved_at=null").await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["id"], body["incident"]["id"]);
    let metrics = get(&app, "/metrics").await.1;
    assert!(
        metrics.contains("windows_service_status{host=\"lab\",name=\"spooler\",status=\"ok\"} 0"),
        "{metrics}"
    );

    host.set("Spooler", true);
    let all = receiver.wait_for(2).await;
    assert_eq!(all[1..], [told("resolved", "started", "Spooler")]);
    assert_eq!(
        receiver.bodies()[1]["incident"]["id"],
        body["incident"]["id"]
    );
    assert!(
        items(&app, "/api/v1/incidents?resolved_at=null")
            .await
            .is_empty()
    );
    app.stop().await.unwrap();
    assert_eq!(receiver.told().len(), 2, "nothing else was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing_and_repeats_nothing() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    host.set("Spooler", false);
    receiver.wait_for(1).await;
    app.stop().await.unwrap();

    let app = house.start().await;
    shown(&app, "Spooler", "stopped").await;
    let incident = items(&app, "/api/v1/incidents?resolved_at=null")
        .await
        .remove(0);
    host.set("Spooler", true);
    assert_eq!(
        receiver.wait_for(2).await[1],
        told("resolved", "started", "Spooler")
    );
    assert_eq!(receiver.bodies()[1]["incident"]["id"], incident["id"]);
    app.stop().await.unwrap();

    // Stopped while nobody watched: it is told when somebody does again.
    host.set("Spooler", false);
    let app = house.start().await;
    assert_eq!(receiver.wait_for(3).await[2].0, "opened");
    app.stop().await.unwrap();
    assert_eq!(receiver.told().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_acknowledged_and_explained_through_the_api() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    host.set("Spooler", false);
    receiver.wait_for(1).await;
    let client = Client::new(&format!("http://{}", app.address())).unwrap();
    let id = client.incidents(&[]).await.unwrap().items.remove(0).id;
    let noted = client.acknowledge(&id, "ann", "on my way").await.unwrap();
    assert_eq!(
        noted.acknowledged.map(|note| (note.by, note.note)),
        Some(("ann".to_owned(), "on my way".to_owned()))
    );
    let explained = client.explain("LAB", Some("spooler")).await.unwrap();
    let says = |about: &str, text: &str| {
        explained
            .lines
            .iter()
            .any(|line| line.about == about && line.text.contains(text))
    };
    assert!(says("acknowledged", "ann has taken note"), "{explained:?}");
    assert!(
        says("rights", "the account is an administrator there"),
        "{explained:?}"
    );
    assert!(
        says("told", &format!("hook was told of {id} as open")),
        "{explained:?}"
    );
    let history = client
        .history(&[("host", "lab"), ("service", "Spooler")])
        .await
        .unwrap();
    assert_eq!(history.items[0].to.as_deref(), Some("stopped"));
    host.set("Spooler", true);
    receiver.wait_for(2).await;
    eventually("the end", async || {
        client
            .acknowledge(&id, "ann", "")
            .await
            .err()
            .filter(|error| error.to_string().contains("is over"))
    })
    .await;
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_logon_is_a_fault_of_the_host_and_not_of_its_services() {
    let (host, receiver) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
    );
    // STATUS_WRONG_PASSWORD (MS-ERREF 2.3.1).
    host.refuse(0xC000_006A);
    let house = House::of(&host, &receiver, "[Spooler, W32Time]");
    let app = house.start().await;
    assert_eq!(
        receiver.wait_for(1).await,
        [told("opened", "logon_refused", "-")]
    );
    shown(&app, "Spooler", "unknown").await;
    let metrics = get(&app, "/metrics").await.1;
    assert!(
        metrics.contains("svcwatch_host_up{host=\"lab\"} 0"),
        "{metrics}"
    );
    app.stop().await.unwrap();
    assert_eq!(receiver.told().len(), 1);
}
