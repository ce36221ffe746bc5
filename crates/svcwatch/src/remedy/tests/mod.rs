//! Restarts of services of a host on loopback that obeys, breaks off, denies or lies.

mod actor;
mod host;
mod trial;

use self::host::{Host, Trick};
use super::*;
use crate::config::{self, LoadOptions};
use crate::probe::{Access, hand::Hand};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use svcwatch_core::{
    remedy::procedure::{Aim, Asked},
    time::Span,
};
use svcwatch_wire::scmr::access;

fn order(service: &str, dry_run: bool) -> Order {
    Order {
        host: Name::new("web-1"),
        asked: Asked {
            service: Name::new(service),
            aim: Aim::Restart,
            dry_run,
            time: Span::seconds(60),
            still: Span::seconds(2),
        },
        by: "grace".to_owned(),
    }
}

/// A restart over a hand of its own, on record in the folder.
async fn done(access: &Access, order: &Order, data: &Path) -> Act {
    let mut hand = Hand::new(order.host.clone(), access.clone(), Span::seconds(5));
    let journal = Arc::new(Journal::new(data));
    let act = restart(&mut hand, order, &journal, |_| ()).await.unwrap();
    hand.end().await;
    act
}

fn journal(data: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(data.join("acts.jsonl")).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const FAMILY: &[(&str, bool, &[&str])] = &[
    ("Base", false, &[]),
    ("Web", true, &["Base"]),
    ("Shop", true, &["Web"]),
    ("Cart", true, &["Shop", "Web"]),
    ("Idle", false, &["Web"]),
];

#[tokio::test]
async fn a_service_is_restarted_with_its_family_and_on_record() {
    let data = tempfile::tempdir().unwrap();
    let (host, access) = Host::start(FAMILY, Trick::None).await;
    let act = done(&access, &order("web", false), data.path()).await;
    assert_eq!(act.outcome.as_deref(), Some("restarted"), "{act:#?}");
    assert_eq!(
        host.controls(),
        "start Base, stop Cart, stop Shop, stop web, start web, start Shop, start Cart"
            .replace("web", "Web")
    );
    assert_eq!(act.text, "web: restarted; started again: Shop, Cart");
    assert_eq!(
        (
            act.by.as_str(),
            act.account.as_deref(),
            act.computer.as_deref()
        ),
        ("grace", Some("hands"), Some("WEB-1"))
    );
    assert!(act.pid_before.is_some() && act.pid_after.is_some());
    assert_ne!(act.pid_before, act.pid_after);
    assert_eq!(host.logons.load(Ordering::SeqCst), 1);
    // No handle had more rights than its one call needs.
    assert_eq!(host.widest(), access::START | access::STOP);
    assert_eq!(
        host.rights(),
        access::START
            | access::STOP
            | access::QUERY_STATUS
            | access::QUERY_CONFIG
            | access::ENUMERATE_DEPENDENTS
    );

    let lines = journal(data.path());
    let events: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    let controls = ["control"; 7];
    assert_eq!(events, [&["begun"][..], &controls, &["ended"]].concat());
    assert!(lines.iter().all(|line| line["id"] == act.id.as_str()));
    assert_eq!(lines[1]["step"], "start Base");
    let kept: Act = serde_json::from_value(lines.last().unwrap().clone()).unwrap();
    assert_eq!(kept, act);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(data.path().join("acts.jsonl")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_dry_run_sends_no_control_and_leaves_no_record() {
    let data = tempfile::tempdir().unwrap();
    let (host, access) = Host::start(FAMILY, Trick::None).await;
    let act = done(&access, &order("Web", true), data.path()).await;
    assert_eq!(act.outcome.as_deref(), Some("dry_run"));
    assert_eq!((act.planned.len(), act.done.len()), (7, 0));
    assert_eq!(host.controls(), "");
    assert!(journal(data.path()).is_empty());
}

#[tokio::test]
async fn what_stands_in_the_way_is_named_before_anything_is_touched() {
    let data = tempfile::tempdir().unwrap();
    let circle: &[(&str, bool, &[&str])] = &[
        ("A", true, &["C"]),
        ("B", true, &["A"]),
        ("C", true, &["B"]),
    ];
    for (services, trick, service, outcome, words) in [
        (circle, Trick::None, "A", "dependency_circle", "A, B, C, A"),
        (
            FAMILY,
            Trick::Denies,
            "Web",
            "denied",
            "RemoteAccessCheckExemptionList",
        ),
        (FAMILY, Trick::None, "NoSuch", "gone", "not installed"),
        (
            FAMILY,
            Trick::RefusesLogon,
            "Web",
            "host_fault",
            "logon_refused",
        ),
    ] {
        let (host, access) = Host::start(services, trick).await;
        let act = done(&access, &order(service, false), data.path()).await;
        assert_eq!(act.outcome.as_deref(), Some(outcome), "{act:#?}");
        assert!(act.text.contains(words), "{}", act.text);
        assert_eq!(host.controls(), "");
        assert_eq!(host.logons.load(Ordering::SeqCst), 1, "{outcome}");
    }
}

#[tokio::test]
async fn a_refused_logon_is_never_tried_again_by_the_same_hand() {
    let data = tempfile::tempdir().unwrap();
    let (host, access) = Host::start(FAMILY, Trick::RefusesLogon).await;
    let mut hand = Hand::new("web-1".into(), access, Span::seconds(5));
    let journal = Arc::new(Journal::new(data.path()));
    for _ in 0..3 {
        let act = restart(&mut hand, &order("Web", false), &journal, |_| ()).await;
        assert_eq!(act.unwrap().outcome.as_deref(), Some("host_fault"));
    }
    assert_eq!(host.logons.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_control_without_an_answer_is_sent_once_and_the_state_says_what_became_of_it() {
    let data = tempfile::tempdir().unwrap();
    let alone: &[(&str, bool, &[&str])] = &[("Web", true, &[])];
    for (trick, outcome, controls) in [
        (
            Trick::BreaksAtStart { works: true },
            "restarted",
            "stop Web, start Web",
        ),
        (
            Trick::BreaksAtStart { works: false },
            "unknown_outcome",
            "stop Web, start Web",
        ),
        (Trick::Rubbish, "restarted", "stop Web, start Web"),
    ] {
        let (host, access) = Host::start(alone, trick).await;
        let act = done(&access, &order("Web", false), data.path()).await;
        assert_eq!(act.outcome.as_deref(), Some(outcome), "{act:#?}");
        assert_eq!(host.controls(), controls);
        assert!(
            act.steps
                .iter()
                .any(|step| step.answer.starts_with("no answer"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_answers_a_stop_is_given_up_in_time() {
    let data = tempfile::tempdir().unwrap();
    let alone: &[(&str, bool, &[&str])] = &[("Web", true, &[])];
    let (host, access) = Host::start(alone, Trick::SilentAtStop).await;
    let journal = Arc::new(Journal::new(data.path()));
    // Nothing else waits, so the paused clock goes on only where the hand gives an answer up.
    let mut hand = Hand::new("web-1".into(), access, Span::minutes(10));
    let mut given = order("Web", false);
    given.asked.still = Span(200);
    let act = restart(&mut hand, &given, &journal, |_| ()).await.unwrap();
    assert_eq!(act.outcome.as_deref(), Some("unknown_outcome"), "{act:#?}");
    assert_eq!(host.controls(), "stop Web");
    assert_eq!(host.logons.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_a_list_of_dependents_the_host_refuses_the_stop_and_nothing_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let (host, access) = Host::start(FAMILY, Trick::ListsNothing).await;
    let act = done(&access, &order("Web", false), data.path()).await;
    assert_eq!(
        (act.outcome.as_deref(), act.code),
        (Some("stop_refused"), Some(1051))
    );
    assert_eq!(host.controls(), "start Base, stop Web");
    assert!(act.notes[0].contains("does not tell"), "{:?}", act.notes);
}

#[tokio::test]
async fn another_computer_is_left_alone_and_nobody_is_a_fault() {
    let data = tempfile::tempdir().unwrap();
    let (host, access) = Host::start(FAMILY, Trick::None).await;
    let hand = Hand::new("web-1".into(), access.clone(), Span::seconds(5));
    let mut hand = hand.expecting(Some("WEB-2".to_owned()));
    let journal = Arc::new(Journal::new(data.path()));
    let act = restart(&mut hand, &order("Web", false), &journal, |_| ())
        .await
        .unwrap();
    assert!(
        act.text.contains("wrong_host: WEB-1 answers"),
        "{}",
        act.text
    );
    assert_eq!(host.controls(), "");

    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = nobody.local_addr().unwrap().port();
    let act = done(
        &Access { port, ..access },
        &order("Web", false),
        data.path(),
    )
    .await;
    assert!(act.text.contains("unreachable"), "{}", act.text);
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_done() {
    let data = tempfile::tempdir().unwrap();
    let (host, access) = Host::start(FAMILY, Trick::None).await;
    let journal = Arc::new(Journal::new(data.path()));
    std::fs::create_dir(data.path().join("acts.jsonl")).unwrap();
    let mut hand = Hand::new("web-1".into(), access, Span::seconds(5));
    let error = restart(&mut hand, &order("Web", false), &journal, |_| ()).await;
    assert!(error.unwrap_err().to_string().contains("not on record"));
    assert_eq!(host.controls(), "");
    assert_eq!(host.logons.load(Ordering::SeqCst), 0);
}

#[test]
fn the_first_account_that_is_for_acting_and_chooses_the_host_acts_and_reads_nothing() {
    let text = "
credentials:
  ops: { user: reader, password: one }
  first: { user: hands, password: two, acting: true, hosts: ['web-*'] }
  second: { user: others, password: three, acting: true, labels: { team: db } }
defaults: { credentials: ops }
destinations: { out: { type: log } }
hosts:
  - { name: web-1, services: [W3SVC] }
  - { name: sql-1, labels: { team: db }, services: [MSSQLSERVER] }
  - { name: lab, services: [Spooler] }
";
    let options = LoadOptions {
        look: false,
        ..LoadOptions::default()
    };
    let mut config = config::load_text(text.as_bytes(), Path::new("a.yaml"), options).unwrap();
    let reach = Reach::new(&config);
    let user = |host: &str| {
        let (_, account) = may_act(&reach, &Name::new(host)).unwrap();
        account.map(|(_, credential)| credential.user.as_str())
    };
    assert_eq!(user("WEB-1"), Some("hands"));
    assert_eq!(user("sql-1"), Some("others"));
    let refused = may_act(&reach, &Name::new("lab")).unwrap_err();
    assert!(refused.to_string().contains("acting: true"), "{refused}");
    let unknown = may_act(&reach, &Name::new("nobody")).unwrap_err();
    assert!(matches!(unknown, NotActing::NoSuchHost { .. }));
    for connection in config.connections.values() {
        assert_eq!(
            connection.credentials,
            Some(Name::new("ops")),
            "it is read as before"
        );
    }
    // Only a configuration on Windows can say so.
    let web = config.connections.get_mut(&Name::new("web-1")).unwrap();
    web.transport = Transport::Wmi;
    let by_wmi = may_act(&Reach::new(&config), &Name::new("web-1")).unwrap_err();
    assert!(by_wmi.to_string().contains("`transport: wmi`"), "{by_wmi}");
}
