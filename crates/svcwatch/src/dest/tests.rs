//! Every message for a table of notices, as snapshots, and what must hold for all of them.

use super::{
    samples::{AT, at, hostile, notices, resolved_with_merged, stopped, summary},
    *,
};
use crate::secret::Secret;
use std::sync::Arc;
use svcwatch_core::notice::Item;

fn webhook_settings() -> webhook::Settings {
    webhook::Settings::new("https://chat.example/in")
}

fn email_settings() -> email::Settings {
    email::Settings::new(
        email::Server::new("mail.corp.example"),
        "svcwatch <svcwatch@corp.example>",
        vec!["Ops <ops@corp.example>".to_owned()],
    )
}

fn key_of(notice: &Notice, recipient: &str) -> DeliveryKey {
    let about = notice
        .incident
        .as_ref()
        .map_or("store", |incident| incident.id.as_str());
    DeliveryKey::new(
        &"duty".into(),
        recipient,
        about,
        notice.kind.as_str(),
        notice.seq,
    )
}

fn context(now: Wall) -> Context {
    Context {
        base_url: Some(Arc::from("http://127.0.0.1:7467/")),
        now,
    }
}

fn render(settings: &Settings, notice: &Notice, now: Wall) -> Outgoing {
    let recipient = settings.recipients().first().cloned().expect("a recipient");
    let key = key_of(notice, &recipient);
    let stored = settings
        .render(&"duty".into(), &key, &recipient, notice, &context(now))
        .expect("a message");
    Outgoing::from_bytes(&stored).expect("what was just written")
}

#[test]
fn the_webhook_body_of_every_notice() {
    let settings = Settings::Webhook(webhook_settings());
    for (name, notice) in notices() {
        let outgoing = render(&settings, &notice, notice.at);
        assert_eq!(outgoing.form, payload::Form::HttpBody);
        let body: serde_json::Value = serde_json::from_slice(&outgoing.bytes).expect("JSON");
        insta::with_settings!({ prepend_module_to_snapshot => false, sort_maps => false }, {
            insta::assert_snapshot!(
                format!("webhook_{name}"),
                serde_json::to_string_pretty(&body).expect("JSON")
            );
        });
    }
}

#[test]
fn every_body_has_every_key_in_the_order_of_version_1() {
    const KEYS: [&str; 29] = [
        "version",
        "key",
        "kind",
        "event",
        "at",
        "severity",
        "host",
        "site",
        "service",
        "display_name",
        "friendly_name",
        "state",
        "previous_state",
        "since",
        "start_type",
        "exit_code",
        "service_exit_code",
        "cause",
        "cause_kind",
        "evidence",
        "remedy",
        "labels",
        "incident",
        "merged",
        "group",
        "items",
        "counts",
        "text",
        "runbook",
    ];
    for (name, notice) in notices() {
        let outgoing = render(&Settings::Webhook(webhook_settings()), &notice, AT);
        let text = String::from_utf8(outgoing.bytes).expect("UTF-8");
        let body: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let body = body.as_object().expect("an object");
        assert_eq!(body.len(), KEYS.len(), "{name}");
        let mut place = 0;
        for key in KEYS {
            assert!(body.contains_key(key), "{name}: {key}");
            let found = text[place..]
                .find(&format!("\"{key}\":"))
                .expect("in order");
            place += found;
        }
        assert!(!text.contains('\n'), "one line, as the log writes it");
    }
}

#[test]
fn the_query_of_a_get() {
    let mut settings = webhook_settings();
    settings.method = webhook::Method::Get;
    let settings = Settings::Webhook(settings);
    for (name, notice) in [("opened_stopped", stopped()), ("hostile", hostile())] {
        let outgoing = render(&settings, &notice, AT);
        assert_eq!(outgoing.form, payload::Form::HttpQuery);
        let query = String::from_utf8(outgoing.bytes).expect("ASCII");
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("query_{name}"), query.replace('&', "\n&"));
        });
    }
}

#[test]
fn the_mail_of_every_notice() {
    let settings = Settings::Email(email_settings());
    for (name, notice) in notices() {
        let outgoing = render(&settings, &notice, notice.at);
        assert_eq!(outgoing.sender.as_deref(), Some("svcwatch@corp.example"));
        assert_eq!(outgoing.recipient.as_deref(), Some("ops@corp.example"));
        let mail = String::from_utf8(outgoing.bytes).expect("ASCII");
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("mail_{name}"), mail.replace("\r\n", "\n"));
        });
    }
}

#[test]
fn a_mail_is_ascii_in_short_lines_whose_headers_are_ours_alone() {
    for (name, notice) in notices() {
        let mail = render(&Settings::Email(email_settings()), &notice, AT).bytes;
        assert!(mail.is_ascii(), "{name}");
        let mail = String::from_utf8(mail).expect("ASCII");
        assert!(
            mail.split("\r\n")
                .all(|line| line.len() <= 998 && !line.contains(['\r', '\n']))
        );
        let head = mail.split("\r\n\r\n").next().expect("a head");
        for line in head.split("\r\n").filter(|line| !line.starts_with(' ')) {
            let header = line.split(':').next().expect("a name");
            assert!(
                [
                    "From",
                    "To",
                    "Subject",
                    "Date",
                    "Message-ID",
                    "In-Reply-To",
                    "References",
                    "Auto-Submitted",
                    "X-Auto-Response-Suppress",
                    "X-Priority",
                    "X-MSMail-Priority",
                    "Importance",
                    "MIME-Version",
                    "Content-Type",
                ]
                .contains(&header),
                "{name}: {line}"
            );
        }
        let (_, html) = mail.split_once("text/html").expect("an HTML part");
        assert!(
            !html.contains("<script>") && !html.contains("<img"),
            "{name}"
        );
    }
}

#[test]
fn a_repeat_has_the_same_bytes() {
    for settings in [
        Settings::Log(log::Settings::default()),
        Settings::Webhook(webhook_settings()),
        Settings::Email(email_settings()),
    ] {
        for (name, notice) in notices() {
            let one = render(&settings, &notice, notice.at);
            let other = render(&settings, &notice, notice.at);
            assert_eq!(one, other, "{name}");
        }
    }
}

#[test]
fn a_mail_made_late_says_so() {
    let settings = Settings::Email(email_settings());
    let late = |seconds| {
        let mail = render(&settings, &stopped(), at(seconds)).bytes;
        String::from_utf8(mail)
            .expect("ASCII")
            .contains("This message was made 3 h after")
    };
    assert!(!late(60));
    assert!(late(10_800));
}

#[test]
fn the_mails_of_an_incident_are_one_thread() {
    let settings = Settings::Email(email_settings());
    let header = |notice: &Notice, name: &str| {
        let mail = String::from_utf8(render(&settings, notice, AT).bytes).expect("ASCII");
        let mail = mail.replace("\r\n ", " ");
        let line = mail
            .lines()
            .find(|line| line.starts_with(&format!("{name}: ")));
        line.map(|line| line[name.len() + 2..].to_owned())
    };
    let opening = header(&stopped(), "Message-ID").expect("a Message-ID");
    let resolved = resolved_with_merged();
    assert_eq!(header(&resolved, "In-Reply-To"), Some(opening.clone()));
    let references = header(&resolved, "References").expect("references");
    assert!(references.contains(&opening));
    let root = header(&stopped(), "References").expect("references");
    assert!(references.starts_with(&root));
    assert_eq!(header(&test_notice(AT), "References"), None);
}

#[test]
fn a_message_of_any_size_is_cut_to_what_may_be_stored() {
    let mut notice = summary();
    let name = "\u{1}".repeat(256);
    notice.items = (0..limits::SUMMARY_ITEMS_MAX)
        .map(|_| Item {
            host: Some(Name::new(&name)),
            group: None,
            service: Some(Name::new(&name)),
            state: None,
            event: ToldEvent::Stopped,
        })
        .collect();
    for settings in [
        Settings::Webhook(webhook_settings()),
        Settings::Email(email_settings()),
    ] {
        let outgoing = render(&settings, &notice, AT);
        assert!(outgoing.bytes.len() < limits::PAYLOAD_BYTES_MAX);
    }
}

#[test]
fn priority_follows_the_settings_and_else_the_notice() {
    let importance = |priority, notice: &Notice| {
        let mut settings = email_settings();
        settings.priority = priority;
        let mail = render(&Settings::Email(settings), notice, AT).bytes;
        let mail = String::from_utf8(mail).expect("ASCII");
        let line = mail
            .lines()
            .find_map(|line| line.strip_prefix("Importance: "));
        line.map(str::to_owned)
    };
    assert_eq!(importance(None, &stopped()).as_deref(), Some("High"));
    assert_eq!(importance(None, &resolved_with_merged()), None);
    assert_eq!(
        importance(Some(email::Priority::Low), &stopped()).as_deref(),
        Some("Low")
    );
    assert_eq!(importance(Some(email::Priority::Normal), &stopped()), None);
}

#[test]
fn secrets_are_in_no_message_and_in_no_debug_text() {
    let mut hook =
        webhook::Settings::new("https://canary:canary@chat.example/canary?canary=canary");
    hook.headers = vec![("Authorization".to_owned(), Secret::from("Bearer canary"))];
    hook.secret = Some(Secret::from("canary"));
    let mut mail = email_settings();
    mail.smtp.user = Some(Secret::from("canary"));
    mail.smtp.password = Some(Secret::from("canary"));
    for settings in [Settings::Webhook(hook), Settings::Email(mail)] {
        let debug = format!(
            "{settings:?}{:?}{:?}",
            settings.check(),
            settings.warnings()
        );
        assert!(!debug.contains("canary"), "{debug}");
        let message = render(&settings, &stopped(), AT);
        assert!(!format!("{message:?}").contains("canary"));
        assert!(!String::from_utf8_lossy(&message.bytes).contains("canary"));
    }
}

#[test]
fn every_event_and_kind_has_a_sentence() {
    let subjects = [
        Subject::Service {
            host: "h".into(),
            service: "s".into(),
        },
        Subject::Host("h".into()),
        Subject::Visibility("h".into()),
        Subject::Account("a".into()),
        Subject::Destination("d".into()),
        Subject::Fleet,
    ];
    for &kind in Kind::ALL {
        for &event in ToldEvent::ALL {
            for subject in &subjects {
                let notice = Notice {
                    kind,
                    event,
                    subject: subject.clone(),
                    ..test_notice(AT)
                };
                let text = text::sentences(&notice, None);
                assert!(
                    text.ends_with('.') && !text.contains("  ") && !text.contains('_'),
                    "{text}"
                );
            }
        }
    }
}
