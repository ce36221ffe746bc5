//! Notices that stand for what happens, and for what should never happen.

use super::test_notice;
use std::sync::Arc;
use svcwatch_core::{
    cause::Cause,
    evidence::{Clue, ClueKind, Evidence},
    id::{IncidentId, Name, Subject},
    notice::{IncidentRef, Item, Kind, Merged, Notice, Severity, ToldEvent},
    observe::{StartType, State},
    time::Wall,
};

/// 2024-03-13T12:05:00.042Z.
pub(super) const AT: Wall = Wall(1_710_331_500_042);

pub(super) fn at(offset_seconds: i64) -> Wall {
    Wall(AT.0 + offset_seconds * 1_000)
}

fn incident(text: &str) -> IncidentId {
    IncidentId(Arc::from(text))
}

pub(super) fn stopped() -> Notice {
    Notice {
        kind: Kind::Opened,
        event: ToldEvent::Stopped,
        severity: Severity::Critical,
        subject: Subject::Service {
            host: "srv01".into(),
            service: "Spooler".into(),
        },
        site: Some(Arc::from("oslo")),
        display_name: Some(Arc::from("Print Spooler")),
        state: Some(State::Stopped),
        previous_state: Some(State::Running),
        since: Some(at(-2)),
        start_type: Some(StartType::Automatic),
        exit_code: Some(1067),
        service_exit_code: Some(0),
        labels: Arc::from([("team".to_owned(), "print".to_owned())]),
        incident: Some(IncidentRef {
            id: incident("0123456789abcdef-7"),
            opened_at: at(-2),
        }),
        seq: 7,
        ..test_notice(AT)
    }
}

/// A service that crashed, with what was found out about it.
pub(super) fn crashed() -> Notice {
    let clue = |kind, seconds: Option<i64>, text: &str| Clue {
        kind,
        at: seconds.map(at),
        text: text.to_owned(),
        told: true,
    };
    let because =
        "the event log says that its process crashed with exception 0xc0000005 (access violation)";
    Notice {
        cause: Some(format!("crashed: {because}")),
        evidence: Some(Arc::new(Evidence {
            cause: Cause::Crashed,
            clues: vec![
                clue(ClueKind::Because, None, because),
                clue(
                    ClueKind::Because,
                    None,
                    "exit code 1067 (its process ended unexpectedly)",
                ),
                clue(
                    ClueKind::State,
                    Some(-2),
                    "it is stopped, before that running",
                ),
                clue(ClueKind::Account, None, "it runs as LocalSystem"),
                clue(
                    ClueKind::Dependency,
                    None,
                    "it depends on RPCSS, which is running",
                ),
                clue(
                    ClueKind::Changed,
                    Some(-3_600),
                    "account: now CORP\\print, before LocalSystem",
                ),
                clue(
                    ClueKind::Event,
                    Some(-2),
                    "System 7034 Service Control Manager: ended unexpectedly (Print Spooler · 1)",
                ),
            ],
            complete: true,
        })),
        ..stopped()
    }
}

fn unreachable() -> Notice {
    Notice {
        kind: Kind::Opened,
        event: ToldEvent::HostUnreachable,
        severity: Severity::Critical,
        subject: Subject::Host("srv01".into()),
        site: Some(Arc::from("oslo")),
        cause: Some("timeout: nothing answered at 192.0.2.7:445 within 10 s".to_owned()),
        incident: Some(IncidentRef {
            id: incident("00112233aabbccdd-3"),
            opened_at: at(-90),
        }),
        seq: 3,
        ..test_notice(AT)
    }
}

pub(super) fn resolved_with_merged() -> Notice {
    Notice {
        kind: Kind::Resolved,
        event: ToldEvent::Started,
        state: Some(State::Running),
        previous_state: Some(State::Stopped),
        at: at(600),
        since: Some(at(590)),
        exit_code: Some(0),
        merged: vec![
            Merged {
                incident: incident("0123456789abcdef-9"),
                opened_at: at(100),
                resolved_at: at(130),
            },
            Merged {
                incident: incident("0123456789abcdef-11"),
                opened_at: at(200),
                resolved_at: at(204),
            },
        ],
        seq: 8,
        ..stopped()
    }
}

pub(super) fn summary() -> Notice {
    let item = |host: &str, service: Option<&str>, state, event| Item {
        host: Some(host.into()),
        group: None,
        service: service.map(Name::new),
        state,
        event,
    };
    let mut items = vec![
        item("srv02", None, None, ToldEvent::HostUnreachable),
        item(
            "srv03",
            Some("W3SVC"),
            Some(State::Missing),
            ToldEvent::Missing,
        ),
    ];
    for number in 10..21 {
        let host = format!("web{number}");
        items.push(item(
            &host,
            Some("WAS"),
            Some(State::Stopped),
            ToldEvent::Stopped,
        ));
    }
    Notice {
        kind: Kind::Summary,
        event: ToldEvent::Stopped,
        severity: Severity::Critical,
        items,
        counts: vec![
            (ToldEvent::Stopped, 11),
            (ToldEvent::Missing, 1),
            (ToldEvent::HostUnreachable, 1),
        ],
        seq: 1,
        ..test_notice(AT)
    }
}

pub(super) fn hostile() -> Notice {
    let label = (
        "x\r\nBcc: victim@b.example".to_owned(),
        "</td><script>alert(1)</script>".to_owned(),
    );
    Notice {
        subject: Subject::Service {
            host: "srv\r\nBcc: victim@b.example\r\n\r\n<img src=x onerror=alert(1)>".into(),
            service: "\u{202E}gnipoolS{{7*7}}${jndi:x}%n%s\0\u{1b}[31m".into(),
        },
        site: Some(Arc::from("oslo\"; DROP TABLE x;--")),
        display_name: Some(Arc::from("=cmd|'/C calc'!A1 {title} Ünïcode 👩\u{200D}💻")),
        friendly_name: None,
        cause: Some("\r\n.\r\nQUIT\r\n</script><img onerror=x>".to_owned()),
        labels: Arc::from([label]),
        ..stopped()
    }
}

pub(super) fn notices() -> Vec<(&'static str, Notice)> {
    let account = Notice {
        kind: Kind::Opened,
        event: ToldEvent::AccountPaused,
        severity: Severity::Warning,
        subject: Subject::Account(r"CORP\svcwatch".into()),
        cause: Some("the account is locked out".to_owned()),
        counts: vec![(ToldEvent::AccountPaused, 412)],
        incident: Some(IncidentRef {
            id: incident("aaaa000011112222-1"),
            opened_at: AT,
        }),
        seq: 1,
        ..test_notice(AT)
    };
    let own_code = Notice {
        kind: Kind::Reminder,
        friendly_name: Some(Arc::from("Printing")),
        exit_code: Some(1066),
        service_exit_code: Some(4711),
        seq: 7,
        ..stopped()
    };
    vec![
        ("opened_stopped", stopped()),
        ("opened_crashed", crashed()),
        ("reminder_own_code", own_code),
        ("host_unreachable", unreachable()),
        ("resolved_with_merged", resolved_with_merged()),
        ("account_paused", account),
        ("summary", summary()),
        ("test", test_notice(AT)),
        ("hostile", hostile()),
    ]
}
