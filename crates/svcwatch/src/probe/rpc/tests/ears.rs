//! Those that listen: each fault is named, no change is lost at the end, and nothing is left open.

use std::sync::Arc;
use std::time::Duration;

use svcwatch_core::event::Event;
use svcwatch_core::hearing::{EarId, News};
use tokio::time::{Instant, sleep, timeout};

use super::host::{Host, Tells, Trick};
use super::{listed, request};
use crate::probe::{Access, Ears, Prober};
use svcwatch_core::id::Name;
use svcwatch_core::observe::State;

/// A host with a session, of which one service is listened to.
async fn listening(trick: Trick, service: &str) -> (Arc<Host>, Access, Arc<Prober>, Ears) {
    let (host, access) = Host::start(trick).await;
    let prober = Arc::new(Prober::new());
    listed(&prober.check(&request(true, &[]), &access).await);
    let mut ears = Ears::default();
    ears.begin(&prober, Name::new("web-1"), Name::new(service), EarId(1));
    (host, access, prober, ears)
}

async fn news(ears: &mut Ears) -> News {
    let event = timeout(Duration::from_secs(20), ears.next()).await;
    match event.expect("news comes") {
        Event::Heard { news, .. } => news,
        other => panic!("no news: {other:?}"),
    }
}

/// Waits until nobody listens and only so many connections are left.
async fn quiet(host: &Host, ears: &mut Ears, connections: usize) {
    let begun = Instant::now();
    while ears.count() > 0 || host.connections() != connections {
        let left = (ears.count(), host.connections());
        assert!(begun.elapsed() < Duration::from_secs(20), "left: {left:?}");
        drop(timeout(Duration::from_millis(20), ears.next()).await);
    }
}

#[tokio::test]
async fn a_thousand_changes_are_all_heard_and_the_end_leaves_nothing() {
    let (host, _, _prober, mut ears) =
        listening(Trick::Tells(Tells::Changes(1_000)), "Spooler").await;
    assert_eq!(news(&mut ears).await, News::Listening);
    let begun = Instant::now();
    for _ in 0..1_000 {
        let state = State::Running;
        assert_eq!(news(&mut ears).await, News::Changed { state });
    }
    println!("1,000 changes were heard in {:?}", begun.elapsed());
    assert_eq!((ears.count(), host.connections()), (1, 2));
    ears.end(EarId(1));
    quiet(&host, &mut ears, 1).await;
}

#[tokio::test]
async fn what_the_host_answers_instead_is_named() {
    let lost = |news: &News| matches!(news, News::Lost { .. } | News::ShuttingDown { .. });
    for (code, named) in [
        (1235, "1235"),
        (1294, "1294"),
        (1115, "shutting down"),
        (6, "error 6"),
    ] {
        let tells = Trick::Tells(Tells::Code(1, code));
        let (host, _, _prober, mut ears) = listening(tells, "Spooler").await;
        assert_eq!(news(&mut ears).await, News::Listening);
        assert!(matches!(news(&mut ears).await, News::Changed { .. }));
        let ended = news(&mut ears).await;
        assert!(
            lost(&ended) && format!("{ended:?}").contains(named),
            "{code}: {ended:?}"
        );
        let goes_down = matches!(ended, News::ShuttingDown { .. });
        assert_eq!(goes_down, code == 1115, "{ended:?}");
        quiet(&host, &mut ears, 1).await;
    }
    let tells = Trick::Tells(Tells::Refuses(5));
    let (host, _, _prober, mut ears) = listening(tells, "Spooler").await;
    let refused = news(&mut ears).await;
    assert!(matches!(refused, News::Refused { .. }), "{refused:?}");
    quiet(&host, &mut ears, 1).await;

    let tells = Trick::Tells(Tells::Changes(0));
    let (_, _, _prober, mut ears) = listening(tells, "Hidden").await;
    let refused = news(&mut ears).await;
    assert!(matches!(refused, News::Refused { .. }), "{refused:?}");
    let (_, _, _prober, mut ears) = listening(tells, "Missing").await;
    let vanished = news(&mut ears).await;
    assert!(
        lost(&vanished) && format!("{vanished:?}").contains("1060"),
        "{vanished:?}"
    );
}

#[tokio::test]
async fn a_service_that_is_to_be_deleted_is_not_held_back_by_us() {
    let tells = Trick::Tells(Tells::Deletion);
    let (host, _, _prober, mut ears) = listening(tells, "Spooler").await;
    assert_eq!(news(&mut ears).await, News::Listening);
    // It has the host read, and the handle that would keep the service is closed.
    assert!(matches!(news(&mut ears).await, News::Changed { .. }));
    let ended = news(&mut ears).await;
    let named = format!("{ended:?}").contains("1072");
    assert!(
        matches!(ended, News::Lost { .. }) && named,
        "it is to be deleted: {ended:?}"
    );
    quiet(&host, &mut ears, 1).await;
}

#[tokio::test]
async fn a_host_that_does_not_know_the_call_offers_nothing() {
    let (host, _, _prober, mut ears) = listening(Trick::None, "Spooler").await;
    assert!(matches!(news(&mut ears).await, News::NotOffered { .. }));
    quiet(&host, &mut ears, 1).await;
}

#[tokio::test]
async fn a_wait_that_breaks_or_whose_session_ends_is_lost() {
    let (host, access, prober, mut ears) = listening(Trick::Tells(Tells::Breaks), "Spooler").await;
    assert_eq!(news(&mut ears).await, News::Listening);
    assert!(matches!(news(&mut ears).await, News::Lost { .. }));
    quiet(&host, &mut ears, 1).await;
    listed(&prober.check(&request(false, &[]), &access).await);

    let (host, _, prober, mut ears) = listening(Trick::Tells(Tells::Changes(0)), "Spooler").await;
    assert_eq!(news(&mut ears).await, News::Listening);
    prober.forget(&Name::new("web-1")).await;
    let ended = news(&mut ears).await;
    assert!(format!("{ended:?}").contains("session"), "{ended:?}");
    quiet(&host, &mut ears, 0).await;
    // Without a session nobody logs on to listen.
    ears.begin(&prober, Name::new("web-1"), Name::new("Spooler"), EarId(2));
    assert!(matches!(news(&mut ears).await, News::Lost { .. }));
    assert_eq!(host.counts().0, 2, "the check, and the pipe beside it");
}

#[tokio::test]
async fn who_is_not_wanted_any_more_says_nothing_and_ends() {
    let (host, _, _prober, mut ears) = listening(Trick::Tells(Tells::Changes(0)), "Spooler").await;
    ears.end(EarId(1));
    sleep(Duration::from_millis(50)).await;
    quiet(&host, &mut ears, 1).await;
    let nothing = timeout(Duration::from_millis(50), ears.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
