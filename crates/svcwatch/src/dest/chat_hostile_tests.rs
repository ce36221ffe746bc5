//! Chat and New Relic with names that would break what is put together carelessly, with messages that are far too
//! long, and with secrets that must not be seen.

use super::{
    chat_rules::{card_faults, slack_faults},
    chat_tests::{body, made, newrelic_settings, slack_settings, teams_settings, text_template},
    samples::{hostile, stopped, summary},
    slack, teams, webhook, *,
};
use crate::{
    secret::Secret,
    template::{self, Link, Target},
};
use serde_json::Value;
use std::sync::Arc;
use svcwatch_core::notice::Item;

/// Names that break what is put together carelessly, each 300 characters long where it can be.
fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "\"",
        "\\",
        "$(x)`",
        "\r\n",
        "{{host}}",
        "<!channel>",
        "](http://x)",
        "\u{202E}",
        "\u{0}",
        "é",
        "👩‍💻",
        "%s",
        "</td>",
    ]
    .iter()
    .map(|piece| piece.repeat(300 / piece.chars().count()))
    .collect();
    let mixed: String = (0_u32..0x11_0000)
        .step_by(3_511)
        .filter_map(char::from_u32)
        .collect();
    names.push(mixed);
    names
}

#[test]
fn hostile_names_spoil_no_message() {
    let json = r#"{"text":"{{host}} {{{serviceName}}} {{serviceDisplayName}} {{#each items}}{{host}}{{/each}}"}"#;
    let mut formatted = slack_settings();
    formatted.wording = text_template("any", json, Target::Json);
    let mut card = teams_settings();
    card.wording = text_template("any", json, Target::Json);
    let mut line = slack_settings();
    line.wording = text_template("any", "down: {{host}} {{{serviceName}}}", Target::Line);
    let mut hook = webhook::Settings::new("https://hook.example/");
    hook.body = webhook::Body::Butler;
    let all = [
        Settings::Slack(slack_settings()),
        Settings::Teams(teams_settings()),
        Settings::Slack(formatted),
        Settings::Teams(card),
        Settings::Slack(line),
        Settings::Webhook(hook),
        Settings::NewRelic(newrelic_settings()),
    ];
    for name in hostile_names() {
        let text: Arc<str> = Arc::from(name.as_str());
        let notice = Notice {
            subject: Subject::Service {
                host: Name::new(&name),
                service: Name::new(&name),
            },
            display_name: Some(Arc::clone(&text)),
            friendly_name: Some(Arc::clone(&text)),
            cause: Some(name.clone()),
            labels: Arc::from([(name.clone(), name.clone())]),
            ..hostile()
        };
        for settings in &all {
            let recipient = settings.recipients().first().cloned().unwrap_or_default();
            let (outgoing, made) = made(settings, &recipient, &notice);
            assert_eq!(made.fallbacks, [], "{name:?}");
            let message: Value = serde_json::from_slice(&outgoing.bytes).expect("JSON");
            match settings {
                Settings::Slack(_) => {
                    assert_eq!(slack_faults(&message), Vec::<String>::new(), "{name:?}");
                }
                Settings::Teams(_) if message.get("attachments").is_some() => {
                    assert_eq!(card_faults(&message), Vec::<String>::new(), "{name:?}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_long_name_does_not_spoil_a_message_of_a_template() {
    let blocks = r#"{"text":"x","blocks":[{"type":"header","text":{"type":"plain_text","text":"{{serviceName}} {{serviceName}}"}},{"type":"section","fields":[{"type":"plain_text","text":"{{#each items}}{{../serviceName}}{{/each}}"}]}]}"#;
    let mut slack = slack_settings();
    slack.wording = text_template("any", blocks, Target::Json);
    let mut teams = teams_settings();
    let large = r#"{"text":"{{#each items}}{{../serviceName}}{{/each}}"}"#;
    teams.wording = text_template("any", large, Target::Json);
    let notice = Notice {
        items: vec![summary().items.remove(0); limits::SUMMARY_ITEMS_MAX],
        subject: Subject::Service {
            host: "srv01".into(),
            service: Name::new(&"s".repeat(300)),
        },
        ..stopped()
    };
    let message = body(&Settings::Slack(slack), &notice);
    assert_eq!(slack_faults(&message), Vec::<String>::new());
    // More than Teams takes: the built-in message goes out instead, and that is told.
    let (outgoing, made) = made(&Settings::Teams(teams), "", &notice);
    assert_eq!(made.fallbacks.len(), 1);
    let message: Value = serde_json::from_slice(&outgoing.bytes).expect("JSON");
    assert_eq!(card_faults(&message), Vec::<String>::new());
}

#[test]
fn long_messages_are_cut_to_what_each_service_takes() {
    let name = Name::new(&"W\u{1F600}".repeat(128));
    let item = Item {
        host: Some(name.clone()),
        group: None,
        service: Some(name),
        state: None,
        event: ToldEvent::Stopped,
    };
    let label = ("l".repeat(128), "v".repeat(256));
    let long: Arc<str> = Arc::from("n".repeat(256));
    let notices = [
        Notice {
            items: vec![item; limits::SUMMARY_ITEMS_MAX],
            labels: (0..64).map(|_| label.clone()).collect(),
            ..summary()
        },
        Notice {
            display_name: Some(Arc::clone(&long)),
            friendly_name: Some(long),
            cause: Some("c".repeat(5_000)),
            labels: (0..64).map(|_| label.clone()).collect(),
            ..stopped()
        },
    ];
    let many: Vec<Link> = (0..template::LINKS_MAX)
        .map(|number| Link {
            id: number.to_string(),
            text: "t".repeat(256),
            comment: String::new(),
            url: format!("https://wiki.example/{}", "p".repeat(1_900)),
        })
        .collect();
    let (mut slack, mut teams) = (slack_settings(), teams_settings());
    slack.wording.links = many.clone().into();
    teams.wording.links = many.into();
    for notice in &notices {
        let message = body(&Settings::Slack(slack.clone()), notice);
        assert_eq!(slack_faults(&message), Vec::<String>::new());
        let message = body(&Settings::Teams(teams.clone()), notice);
        assert_eq!(card_faults(&message), Vec::<String>::new());
        assert!(message.to_string().contains("AdaptiveCard"));
    }
}

#[test]
fn secrets_of_chat_are_in_no_message_and_in_no_debug_text() {
    let url = "https://canary:canary@chat.example/canary?sig=canary";
    let mut slack = slack::Settings::new(url);
    slack.resolved = Some(slack::Envelope {
        url: Secret::from(url),
        ..slack.usual.clone()
    });
    let mut newrelic = newrelic_settings();
    newrelic.event_url = Secret::from(url);
    newrelic.accounts[0].key = Secret::from("canary");
    newrelic.headers = vec![("X-Token".to_owned(), Secret::from("canary"))];
    for settings in [
        Settings::Slack(slack),
        Settings::Teams(teams::Settings::new(url)),
        Settings::NewRelic(newrelic),
    ] {
        let recipient = settings.recipients().first().cloned().unwrap_or_default();
        let (_, made) = made(&settings, &recipient, &stopped());
        let shown = format!(
            "{settings:?}{:?}{:?}{:?}{}",
            settings.check(),
            settings.warnings(),
            settings.endpoints(),
            String::from_utf8_lossy(&made.bytes)
        );
        assert!(!shown.contains("canary"), "{shown}");
    }
}
