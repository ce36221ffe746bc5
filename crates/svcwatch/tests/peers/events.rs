//! The last lines of event logs, from Samba, over a session whose calls are sealed once more by RPC.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use svcwatch::probe::events::{EventLine, EventsAsked, EventsFound, Level, NoEvents};
use svcwatch::probe::{Access, Encryption, Prober};
use svcwatch::secret::Secret;
use svcwatch_core::id::Name;
use svcwatch_core::time::Span;

use crate::support::bridge::Bridge;
use crate::support::eventlog::{event, with_logs, write};
use crate::support::{ADMINISTRATOR, PASSWORD, USER};
use crate::{HOST, access, read, request};

fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u32::try_from(since.expect("the clock is right").as_secs()).expect("not yet 2106")
}

fn asked(since: u32) -> EventsAsked {
    EventsAsked {
        executable: None,
        service: "Spooler".into(),
        display_name: Some("Print Spooler".into()),
        sources: Vec::new(),
        since,
    }
}

/// Reads the services, then the lines over the same session.
async fn events(prober: &Prober, access: &Access, since: u32) -> Result<EventsFound, NoEvents> {
    read(prober.check(&request(&[]), access).await);
    let found = prober
        .events(
            &Name::new(HOST),
            access,
            &asked(since),
            Span::seconds(30),
            Span::ZERO,
        )
        .await;
    // Whatever came of it, the services can be read over the same session.
    let mut kept = request(&[]);
    kept.may_log_on = false;
    read(prober.check(&kept, access).await);
    found
}

#[tokio::test]
async fn the_last_lines_about_a_service_come_over_its_session() {
    let samba = with_logs();
    let begun = now();
    let mut lines: Vec<String> = (0..400)
        .map(|number| event(begun, "Noise", number, &["something else"]))
        .collect();
    lines.push(event(
        begun,
        "Service Control Manager",
        7034,
        &["Print Spooler", "1"],
    ));
    lines.push(event(
        begun,
        "Service Control Manager",
        7034,
        &["Another Service", "1"],
    ));
    lines.extend((0..400).map(|number| event(begun, "Noise", number, &["something else"])));
    write(&samba, "System", &lines);
    write(
        &samba,
        "Application",
        &[event(begun, "Spooler", 12, &["out of paper"])],
    );
    let prober = Prober::new();
    let access = access(samba.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    let found = events(&prober, &access, begun - 60).await;
    let found = found.unwrap_or_else(|error| panic!("{error}\n{}", samba.logs()));
    let line = |log, id, source: &str, strings: &[&str]| EventLine {
        log,
        at: begun,
        id,
        source: source.into(),
        level: Level::Error,
        strings: strings.iter().map(|string| (*string).into()).collect(),
    };
    assert_eq!(
        found.lines,
        [
            line(
                "System",
                7034,
                "Service Control Manager",
                &["Print Spooler", "1"]
            ),
            line("Application", 12, "Spooler", &["out of paper"]),
        ],
        "{found:?}"
    );
    assert!(!found.cut, "the lines before are older than was asked for");
    // The same once more, over the same session.
    let again = events(&prober, &access, begun - 60).await;
    assert_eq!(again.as_ref(), Ok(&found));
    assert_eq!(prober.sessions(), 1);
}

#[tokio::test]
async fn who_may_not_read_the_log_is_told_which_right_lacks() {
    let samba = with_logs();
    let access = access(samba.port(), USER, PASSWORD, Encryption::Required);
    let error = events(&Prober::new(), &access, 0).await.unwrap_err();
    assert_eq!(
        error,
        NoEvents::Denied {
            doing: "reading the event log System"
        },
        "{}",
        samba.logs()
    );
    assert!(error.to_string().contains("Event Log Readers"), "{error}");
}

#[tokio::test]
async fn a_wrong_proof_is_refused_and_the_session_stays() {
    let samba = with_logs();
    let prober = Prober::new();
    let good = access(samba.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    read(prober.check(&request(&[]), &good).await);
    // The password was changed behind the back of a kept session.
    let stale = Access {
        password: Secret::new("not the password"),
        ..good.clone()
    };
    let host = Name::new(HOST);
    let refused = prober
        .events(&host, &stale, &asked(0), Span::seconds(30), Span::ZERO)
        .await;
    assert!(
        matches!(refused, Err(NoEvents::ProofRefused(_))),
        "{refused:?}\n{}",
        samba.logs()
    );
    let found = prober
        .events(&host, &good, &asked(0), Span::seconds(30), Span::ZERO)
        .await;
    assert!(found.is_ok(), "{found:?}\n{}", samba.logs());
}

#[tokio::test]
async fn a_log_that_never_answers_holds_up_no_check_and_costs_no_session() {
    let samba = with_logs();
    // Whoever takes the pipe of the event log gets no further than the kernel's queue.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = deaf.local_addr().expect("it is bound").port();
    let pipe = samba.configuration().with_file_name("np/np/eventlog");
    let bridge = Bridge::start(&pipe, port);
    let prober = Arc::new(Prober::new());
    let access = access(samba.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    read(prober.check(&request(&[]), &access).await);
    let mut kept = request(&[]);
    kept.may_log_on = false;
    for round in 0..2 {
        let (reader, account) = (Arc::clone(&prober), access.clone());
        let reading = tokio::spawn(async move {
            let (host, asked) = (Name::new(HOST), asked(0));
            let (long, none) = (Span::seconds(4), Span::ZERO);
            reader.events(&host, &account, &asked, long, none).await
        });
        let end = Instant::now() + Duration::from_secs(10);
        while bridge.pipes() == 0 {
            assert!(Instant::now() < end, "{round}: {}", samba.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while !reading.is_finished() {
            let begun = Instant::now();
            read(prober.check(&kept, &access).await);
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(1), "{round}: {took:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = reading.await.expect("it does not panic");
        assert_eq!(found, Err(NoEvents::Timeout), "{round}");
        assert_eq!(prober.sessions(), 1, "{round}");
        assert!(bridge.pipes() <= 1, "{round}");
    }
    read(prober.check(&kept, &access).await);
}

#[tokio::test]
async fn no_session_is_opened_for_a_log() {
    let samba = with_logs();
    let access = access(samba.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    let none = Prober::new()
        .events(
            &Name::new(HOST),
            &access,
            &asked(0),
            Span::seconds(30),
            Span::ZERO,
        )
        .await;
    assert_eq!(none, Err(NoEvents::NoSession));
}
