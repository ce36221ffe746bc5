//! Messages of chat and New Relic: as snapshots, against published schemas and rules, and what must hold for all.

use super::{
    chat_rules::{card_faults, slack_faults},
    newrelic::{self, Account},
    payload::{Form, Outgoing},
    samples::{notices, resolved_with_merged, stopped},
    slack, teams, webhook,
    wording::Wording,
    *,
};
use crate::{
    secret::Secret,
    template::{self, Link, Origin, Target, Template, Templates, Word},
};
use serde_json::{Value, json};
use std::sync::Arc;
use svcwatch_core::observe::ServiceDetails;

fn links() -> Arc<[Link]> {
    let link = |id: &str, text: &str, url: &str| Link {
        id: id.to_owned(),
        text: text.to_owned(),
        comment: String::new(),
        url: url.to_owned(),
    };
    Arc::from([
        link("wiki", "Runbook", "https://wiki.example/run?book=1&page=2"),
        link("share", "Share", "file:///srv/share"),
    ])
}

fn worded(word: &str, origin: Origin, target: Target) -> Wording {
    let word = Word::parse(word).unwrap_or(Word::Any);
    Wording {
        message: Templates::new(vec![(word, Template::read(origin, target))]),
        subject: Templates::default(),
        links: links(),
    }
}

pub(super) fn text_template(word: &str, text: &str, target: Target) -> Wording {
    worded(word, Origin::Text(text.to_owned()), target)
}

pub(super) fn slack_settings() -> slack::Settings {
    let mut settings = slack::Settings::new("https://hooks.slack.example/services/T000");
    settings.usual.channel = Some("alerts".to_owned());
    settings.usual.username = Some("Monitor".to_owned());
    settings.usual.icon_emoji = Some(":ghost:".to_owned());
    settings.wording.links = links();
    settings
}

pub(super) fn teams_settings() -> teams::Settings {
    let mut settings = teams::Settings::new("https://flow.example/workflows/x?sig=y");
    settings.wording.links = links();
    settings
}

pub(super) fn newrelic_settings() -> newrelic::Settings {
    let account = |name: &str, id, key: &str| Account {
        name: name.to_owned(),
        id,
        key: Secret::from(key),
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut settings = newrelic::Settings::new(vec![
        account("First", 111, "KEY1"),
        account("Second", 222, "KEY2"),
    ]);
    settings.attributes = vec![pair("environment", "prod"), pair("team", "none")];
    settings.event_attributes = vec![pair("team", "ops")];
    settings
}

pub(super) fn made(settings: &Settings, recipient: &str, notice: &Notice) -> (Outgoing, Made) {
    let key = DeliveryKey::new(
        &"duty".into(),
        recipient,
        "x",
        notice.kind.as_str(),
        notice.seq,
    );
    let context = Context {
        base_url: Some(Arc::from("http://127.0.0.1:7467")),
        now: notice.at,
    };
    let made = settings
        .make(&"duty".into(), &key, recipient, notice, &context)
        .expect("a message");
    let outgoing = Outgoing::from_bytes(&made.bytes).expect("what was just written");
    (outgoing, made)
}

pub(super) fn body(settings: &Settings, notice: &Notice) -> Value {
    let (outgoing, _) = made(settings, "", notice);
    assert_eq!(outgoing.form, Form::HttpBody);
    serde_json::from_slice(&outgoing.bytes).expect("JSON")
}

fn all_notices() -> Vec<(&'static str, Notice)> {
    let details = ServiceDetails {
        binary_path: Some(Arc::from(r#""C:\Program Files\x\y.exe" -n "a b""#)),
        run_as: Some(Arc::from("LocalSystem")),
        dependencies: Some(Arc::from([
            Arc::from("RPCSS"),
            Arc::from("+NetworkProvider"),
        ])),
        ..ServiceDetails::default()
    };
    let detailed = Notice {
        friendly_name: Some(Arc::from("Printing")),
        details: Some(Arc::new(details)),
        ..stopped()
    };
    let mut all = notices();
    all.push(("detailed", detailed));
    all
}

fn snapshot(name: &str, value: &Value) {
    insta::with_settings!({ prepend_module_to_snapshot => false, sort_maps => false }, {
        insta::assert_snapshot!(name, serde_json::to_string_pretty(value).expect("JSON"));
    });
}

#[test]
fn slack_blocks_of_every_notice() {
    let settings = Settings::Slack(slack_settings());
    for (name, notice) in all_notices() {
        let message = body(&settings, &notice);
        assert_eq!(slack_faults(&message), Vec::<String>::new(), "{name}");
        snapshot(&format!("slack_{name}"), &message);
    }
}

#[test]
fn slack_text_is_one_line() {
    let mut settings = slack_settings();
    settings.usual.format = slack::Format::Text;
    let settings = Settings::Slack(settings);
    for (name, notice) in all_notices() {
        let message = body(&settings, &notice);
        assert_eq!(slack_faults(&message), Vec::<String>::new(), "{name}");
        let text = message["text"].as_str().expect("a text");
        assert!(
            !text.contains(['\n', '\r']) && message.get("blocks").is_none(),
            "{name}: {text}"
        );
    }
    assert_eq!(
        body(&settings, &stopped())["text"],
        "🔴 CRITICAL: Spooler on srv01 stopped (exit code 1067: the process ended unexpectedly). It has been stopped since 2024-03-13 12:04:58 UTC; before that it was running. <http://127.0.0.1:7467/api/v1/incidents?id=0123456789abcdef-7|Look at the incident> <http://127.0.0.1:7467/runbooks/stopped?host=srv01&service=Spooler|What to do> <https://wiki.example/run?book=1&page=2|Runbook>"
    );
}

#[test]
fn teams_cards_of_every_notice() {
    let settings = Settings::Teams(teams_settings());
    for (name, notice) in all_notices() {
        let message = body(&settings, &notice);
        assert_eq!(card_faults(&message), Vec::<String>::new(), "{name}");
        snapshot(&format!("teams_{name}"), &message);
    }
}

#[test]
fn teams_text_is_butlers_card_without_dead_buttons() {
    let mut settings = teams_settings();
    settings.usual.format = teams::Format::Text;
    settings.wording = text_template(
        "any",
        "up again: {{serviceName}} on {{host}} ({{serviceFriendlyName}})",
        Target::Line,
    );
    let notice = Notice {
        friendly_name: Some(Arc::from("Time \"sync\" <ntp> & co")),
        ..stopped()
    };
    let (outgoing, _) = made(&Settings::Teams(settings), "", &notice);
    let title = r#""up again: Spooler on srv01 (Time \"sync\" <ntp> & co)""#;
    assert_eq!(
        String::from_utf8_lossy(&outgoing.bytes),
        format!(
            r#"{{"@type":"MessageCard","@context":"https://schema.org/extensions","summary":{title},"themeColor":"0078D7","title":{title}}}"#
        )
    );
    let mut settings = teams_settings();
    settings.usual.format = teams::Format::Text;
    snapshot("teams_text", &body(&Settings::Teams(settings), &stopped()));
}

#[test]
fn new_relic_gets_butlers_fields_and_the_state_before() {
    let mut settings = newrelic_settings();
    let time = Notice {
        display_name: Some(Arc::from("Windows 'Time' <b>& co")),
        previous_state: None,
        ..stopped()
    };
    let of = |settings: &newrelic::Settings, recipient: &str, notice: &Notice| {
        let (outgoing, _) = made(&Settings::NewRelic(settings.clone()), recipient, notice);
        assert_eq!(
            outgoing.content_type.as_deref(),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(outgoing.endpoint.as_deref(), Some(recipient));
        String::from_utf8(outgoing.bytes).expect("UTF-8")
    };
    assert_eq!(
        of(&settings, "event:First", &time),
        r#"[{"environment":"prod","team":"ops","butler_serviceHost":"srv01","butler_serviceName":"Spooler","butler_serviceDisplayName":"Windows 'Time' <b>& co","butler_serviceStatus":"STOPPED","butler_servicePrevStatus":"UNKNOWN","eventType":"qs_serviceStateEvent"}]"#
    );
    settings.dynamic.display_name = false;
    assert_eq!(
        of(&settings, "log:First", &time),
        r#"[{"common":{"attributes":{"environment":"prod","team":"none","butler_serviceHost":"srv01","butler_serviceName":"Spooler","butler_serviceStatus":"STOPPED","butler_servicePrevStatus":"UNKNOWN","logtype":"qs_serviceStateLog"}},"logs":[{"message":"Windows service \"Windows 'Time' <b>& co\" on host \"srv01\" is STOPPED."}]}]"#
    );
    for (name, notice) in all_notices() {
        for recipient in ["event:Second", "log:Second"] {
            let text = of(&settings, recipient, &notice);
            let value: Value = serde_json::from_str(&text).expect("JSON");
            snapshot(&format!("newrelic_{}_{name}", &recipient[..3]), &value);
        }
    }
    let endpoints = settings.endpoints();
    let urls: Vec<&str> = endpoints.iter().map(|one| one.url.reveal()).collect();
    assert_eq!(
        urls[1],
        "https://insights-collector.newrelic.com/v1/accounts/222/events"
    );
    assert_eq!(urls[2], "https://log-api.newrelic.com/log/v1");
    settings.wording = text_template("stopped", "{{host}}: {{title}}", Target::Line);
    let log: Value = serde_json::from_str(&of(&settings, "log:First", &time)).expect("JSON");
    assert_eq!(
        log[0]["logs"][0]["message"],
        "srv01: Spooler on srv01 is stopped"
    );
}

#[test]
fn butlers_webhook_has_its_fields_in_its_order() {
    let mut settings = webhook::Settings::new("https://hook.example/in");
    settings.body = webhook::Body::Butler;
    let (outgoing, _) = made(&Settings::Webhook(settings.clone()), "", &stopped());
    assert_eq!(
        String::from_utf8_lossy(&outgoing.bytes),
        r#"{"event":"Windows service monitor","host":"srv01","serviceStatus":"STOPPED","serviceName":"Spooler","serviceDisplayName":"Print Spooler","serviceStartType":"Automatic","prevState":"RUNNING","currState":"STOPPED","stateChanged":true}"#
    );
    settings.method = webhook::Method::Get;
    let (outgoing, _) = made(&Settings::Webhook(settings), "", &resolved_with_merged());
    assert_eq!(outgoing.form, Form::HttpQuery);
    assert_eq!(
        String::from_utf8_lossy(&outgoing.bytes),
        "event=Windows+service+monitor&host=srv01&servicestatus=RUNNING&servicename=Spooler&servicedisplayname=Print+Spooler&servicestarttype=Automatic&prevstate=STOPPED&currstate=RUNNING&statechanged=true"
    );
}

#[test]
fn a_formatted_message_of_slack_is_merged_into_the_envelope_and_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("slack.handlebars");
    std::fs::write(
        &path,
        r#"{"channel":"mine","text":"{{{serviceExePath}}} {{serviceDisplayName}}"}"#,
    )
    .expect("a file");
    let mut settings = slack_settings();
    settings.wording = worded("stopped", Origin::File(path), Target::Json);
    let notice = Notice {
        display_name: Some(Arc::from("a \"quoted\" \\ name")),
        details: all_notices()
            .last()
            .and_then(|(_, notice)| notice.details.clone()),
        ..stopped()
    };
    assert_eq!(
        body(&Settings::Slack(settings.clone()), &notice),
        json!({
            "username": "Monitor",
            "icon_emoji": ":ghost:",
            "channel": "mine",
            "text": "\"C:\\Program Files\\x\\y.exe\" -n \"a b\" a \"quoted\" \\ name",
        })
    );
    settings.wording = text_template("stopped", "down: {{serviceName}} <{{host}}>", Target::Line);
    let settings = Settings::Slack(settings);
    assert_eq!(
        body(&settings, &notice)["blocks"],
        json!([
            { "type": "header", "text": { "type": "plain_text", "text": "down: Spooler <srv01>" } },
            { "type": "divider" },
        ])
    );
    assert_eq!(
        body(&settings, &notice)["text"],
        "down: Spooler &lt;srv01&gt;"
    );
}

#[test]
fn what_is_over_may_go_elsewhere() {
    let mut settings = slack_settings();
    settings.resolved = Some(slack::Envelope {
        url: Secret::from("https://hooks.slack.example/services/T111"),
        channel: Some("good".to_owned()),
        format: slack::Format::Text,
        ..settings.usual.clone()
    });
    let settings = Settings::Slack(settings);
    let (outgoing, _) = made(&settings, "", &resolved_with_merged());
    assert_eq!(outgoing.endpoint.as_deref(), Some("resolved"));
    let message: Value = serde_json::from_slice(&outgoing.bytes).expect("JSON");
    assert_eq!(
        (&message["channel"], message.get("blocks")),
        (&json!("good"), None)
    );
    let (outgoing, _) = made(&settings, "", &stopped());
    assert_eq!(outgoing.endpoint, None);
}

#[test]
fn a_template_that_cannot_be_used_gives_way_to_the_built_in_message() {
    let built_in = body(&Settings::Slack(slack_settings()), &stopped());
    let mut broken = slack_settings();
    broken.wording = worded(
        "stopped",
        Origin::File("/nowhere/at/all".into()),
        Target::Json,
    );
    let broken = Settings::Slack(broken);
    let (outgoing, first) = made(&broken, "", &stopped());
    assert_eq!(
        serde_json::from_slice::<Value>(&outgoing.bytes).ok(),
        Some(built_in)
    );
    assert_eq!(first.fallbacks.len(), 1);
    assert!(first.fallbacks[0].news);
    assert!(
        !made(&broken, "", &stopped()).1.fallbacks[0].news,
        "it is told once"
    );
    assert_eq!(made(&broken, "", &resolved_with_merged()).1.fallbacks, []);

    // What is within the limit of a template may be too much for a message.
    let mut much = webhook::Settings::new("https://hook.example/in");
    let text = format!(
        "{{\"a\":\"{}\"}}",
        "x".repeat(template::OUTPUT_BYTES_MAX - 20)
    );
    much.wording = text_template("stopped", &text, Target::Json);
    let (outgoing, made) = made(&Settings::Webhook(much), "", &stopped());
    assert!(outgoing.bytes.len() < 10_000);
    assert_eq!(made.fallbacks.len(), 1, "{:?}", made.fallbacks);
}

#[test]
fn a_mail_may_have_a_subject_and_a_page_of_its_own() {
    let mut settings = email::Settings::new(
        email::Server::new("mail.corp.example"),
        "Monitor (no-reply) <monitor@corp.example>",
        vec!["ops@corp.example".to_owned()],
    );
    settings.wording = text_template(
        "any",
        "<p>{{serviceDisplayName}}</p><a href=\"{{genericUrls.0.url}}\">x</a>",
        Target::Html,
    );
    let subject = Template::read(
        Origin::Text("❌ {{serviceDisplayName}}\r\nBcc: a@b.example".to_owned()),
        Target::Line,
    );
    settings.wording.subject = Templates::new(vec![(Word::Any, subject)]);
    settings.resolved.priority = Some(email::Priority::Low);
    settings.resolved.from = Some("Good news <good@corp.example>".to_owned());
    let settings = Settings::Email(settings);
    let notice = Notice {
        display_name: Some(Arc::from("Windows 'Time' <b>& co")),
        ..stopped()
    };
    let mail = |notice: &Notice| {
        let (outgoing, _) = made(&settings, "ops@corp.example", notice);
        String::from_utf8(outgoing.bytes).expect("ASCII")
    };
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("mail_templates", mail(&notice).replace("\r\n", "\n"));
    });
    assert!(!mail(&notice).contains("\r\nBcc:"));
    let over = mail(&resolved_with_merged());
    assert!(
        over.contains("From: \"Good news\" <good@corp.example>\r\n"),
        "{over}"
    );
    assert!(over.contains("X-Priority: 5 (Lowest)\r\n") && over.contains("Importance: Low\r\n"));
}
