//! Silences and maintenance windows through the whole program.

use crate::run_support::{Host, House, Receiver, eventually, get, items, shown};
use svcwatch::{
    app::App,
    web::{
        client::Client,
        silences::{MatcherItem, OneOrMany, SilenceBody, SilenceItem},
    },
};

fn told(kind: &str, event: &str, service: &str) -> (String, String, String) {
    (kind.to_owned(), event.to_owned(), service.to_owned())
}

fn client(app: &App) -> Client {
    Client::new(&format!("http://{}", app.address())).unwrap()
}

fn silence_of(host: &str) -> SilenceBody {
    SilenceBody {
        matcher: MatcherItem {
            host: Some(OneOrMany::One(host.to_owned())),
            ..MatcherItem::default()
        },
        author: "ann".to_owned(),
        comment: "a new disk".to_owned(),
        length: Some("1h".to_owned()),
        ..SilenceBody::default()
    }
}

async fn muted(app: &App, why: Option<&str>) {
    eventually("what is muted", async || {
        let services = items(app, "/api/v1/services").await;
        services
            .iter()
            .all(|one| one["muted"].as_str() == why)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_tells_nothing_says_so_and_ends_with_what_is_still_wrong() {
    let (host, receiver) = (
        Host::start(&["Spooler", "W32Time"]).await,
        Receiver::start().await,
    );
    let house = House::of(&host, &receiver, "[Spooler, W32Time]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    let silence = client(&app).silence(&silence_of("LAB")).await.unwrap();
    let matches = silence.matches.unwrap();
    assert_eq!(
        (matches.hosts, matches.services, silence.state.as_str()),
        (1, 2, "active")
    );
    muted(&app, Some("silenced")).await;

    host.set("Spooler", false);
    host.set("W32Time", false);
    shown(&app, "Spooler", "stopped").await;
    shown(&app, "W32Time", "stopped").await;
    host.set("W32Time", true);
    shown(&app, "W32Time", "running").await;
    let explained = client(&app).explain("lab", Some("Spooler")).await.unwrap();
    let said = |about: &str, text: &str| {
        let mut lines = explained.lines.iter();
        lines.any(|line| line.about == about && line.text.contains(text))
    };
    assert!(
        said("muted", "a silence covers it (silenced)"),
        "{explained:?}"
    );
    assert!(
        said("silence", "of ann: a new disk; until"),
        "{explained:?}"
    );

    // A restart in the middle changes nothing.
    app.stop().await.unwrap();
    let app = house.start().await;
    after_a_restart(&app, &receiver, &silence).await;
    ends(&app, &receiver, &silence.id).await;
    app.stop().await.unwrap();
    assert_eq!(
        receiver.told().len(),
        1,
        "what came and went in the silence is not told"
    );
}

/// What the silence says of itself after a restart in its middle.
async fn after_a_restart(app: &App, receiver: &Receiver, silence: &SilenceItem) {
    shown(app, "Spooler", "stopped").await;
    muted(app, Some("silenced")).await;
    let metrics = get(app, "/metrics").await.1;
    assert!(
        metrics.contains("svcwatch_service_muted{host=\"lab\",name=\"spooler\"} 1"),
        "{metrics}"
    );
    assert_eq!(receiver.told(), []);
    let listed = client(app).silences(&[]).await.unwrap().items;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].id, &listed[0].comment),
        (&silence.id, &silence.comment)
    );
}

/// Ends a silence in which the spooler stopped and stayed so.
async fn ends(app: &App, receiver: &Receiver, id: &str) {
    let ended = client(app).end_silence(id, "bo").await.unwrap();
    assert_eq!(ended.state, "ended");
    assert_eq!(
        receiver.wait_for(1).await,
        [told("opened", "stopped", "Spooler")]
    );
    muted(app, None).await;
    assert_eq!(client(app).silences(&[]).await.unwrap().items, []);
    let again = client(app).end_silence(id, "bo").await.unwrap_err();
    assert!(again.to_string().contains("There is no silence"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_and_ends_in_a_silence_is_told_after_it() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    host.set("Spooler", false);
    receiver.wait_for(1).await;
    let silence = client(&app).silence(&silence_of("l*")).await.unwrap();
    host.set("Spooler", true);
    shown(&app, "Spooler", "running").await;
    let over = items(&app, "/api/v1/incidents?resolved_at=*").await;
    assert_eq!(over.len(), 1, "a silence does not keep an incident open");
    assert_eq!(receiver.told().len(), 1);
    client(&app).end_silence(&silence.id, "").await.unwrap();
    assert_eq!(
        receiver.wait_for(2).await[1],
        told("resolved", "started", "Spooler")
    );
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_now_tells_nothing_until_a_reload_takes_it_away() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let plain = std::fs::read_to_string(house.config()).unwrap();
    let window = "maintenance:\n  - { name: patch night, match: { host: lab }, weekly: 'daily 00:00-24:00', zone: Europe/Oslo }\n";
    house.write(&format!("{plain}{window}"));
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    muted(&app, Some("maintenance")).await;
    host.set("Spooler", false);
    shown(&app, "Spooler", "stopped").await;
    let explained = client(&app).explain("lab", Some("Spooler")).await.unwrap();
    let mut lines = explained.lines.iter();
    assert!(
        lines.any(|line| line.about == "silence"
            && line.text.starts_with("maintenance window patch night")),
        "{explained:?}"
    );
    assert_eq!(receiver.told(), []);
    house.write(&plain);
    app.reload().await.unwrap();
    assert_eq!(
        receiver.wait_for(1).await,
        [told("opened", "stopped", "Spooler")]
    );
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_that_makes_no_sense_is_a_sentence() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Spooler]");
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    let nobody = client(&app).silence(&silence_of("lba")).await.unwrap();
    assert_eq!(
        nobody.matches,
        Some(svcwatch::web::silences::MatchesItem::default())
    );
    let mut past = silence_of("lab");
    past.length = None;
    past.until = Some("2020-01-01T00:00:00Z".to_owned());
    let error = client(&app).silence(&past).await.unwrap_err().to_string();
    assert!(error.contains("before it starts"), "{error}");
    let error = client(&app)
        .silence(&SilenceBody {
            matcher: MatcherItem::default(),
            ..silence_of("x")
        })
        .await;
    assert!(error.unwrap_err().to_string().contains("about everything"));
    app.stop().await.unwrap();
}
