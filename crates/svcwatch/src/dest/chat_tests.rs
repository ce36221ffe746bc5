//! Messages of chat and New Relic: as snapshots, against published schemas and rules, and what must hold for all.

use super::{
    newrelic::{self, Account},
    payload::{Form, Outgoing},
    samples::{hostile, notices, resolved_with_merged, stopped, summary},
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
use svcwatch_core::{notice::Item, observe::ServiceDetails};

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

fn text_template(word: &str, text: &str, target: Target) -> Wording {
    worded(word, Origin::Text(text.to_owned()), target)
}

fn slack_settings() -> slack::Settings {
    let mut settings = slack::Settings::new("https://hooks.slack.example/services/T000");
    settings.usual.channel = Some("alerts".to_owned());
    settings.usual.username = Some("Monitor".to_owned());
    settings.usual.icon_emoji = Some(":ghost:".to_owned());
    settings.wording.links = links();
    settings
}

fn teams_settings() -> teams::Settings {
    let mut settings = teams::Settings::new("https://flow.example/workflows/x?sig=y");
    settings.wording.links = links();
    settings
}

fn newrelic_settings() -> newrelic::Settings {
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

fn made(settings: &Settings, recipient: &str, notice: &Notice) -> (Outgoing, Made) {
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

fn body(settings: &Settings, notice: &Notice) -> Value {
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
        "🔴 CRITICAL: Spooler on srv01 stopped (exit code 1067: the process ended unexpectedly). It has been stopped since 2024-03-13 12:04:58 UTC; before that it was running. <http://127.0.0.1:7467/api/v1/incidents?id=0123456789abcdef-7|Look at the incident> <https://wiki.example/run?book=1&page=2|Runbook>"
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
                    assert_eq!(slack_faults(&message), Vec::<String>::new(), "{name:?}")
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
fn long_messages_are_cut_to_what_each_service_takes() {
    let name = Name::new(&"W\u{1F600}".repeat(128));
    let item = Item {
        host: Some(name.clone()),
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

/// What of a message Slack would refuse, by the rules of its reference of messages and blocks.
fn slack_faults(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |good: bool, what: &str, of: &Value| {
        if !good {
            faults.push(format!("{what}: {of}"));
        }
    };
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.clone())
            .collect()
    };
    let known = ["text", "blocks", "channel", "username", "icon_emoji"];
    check(
        keys(message)
            .iter()
            .all(|key| known.contains(&key.as_str())),
        "keys",
        message,
    );
    check(
        (1..=40_000).contains(&length(&message["text"])),
        "text",
        message,
    );
    let none = Vec::new();
    let blocks = message
        .get("blocks")
        .map_or(&none, |blocks| blocks.as_array().expect("a list"));
    check(blocks.len() <= 50, "too many blocks", message);
    for block in blocks {
        let text = &block["text"];
        match block["type"].as_str() {
            Some("header") => {
                check(text["type"] == "plain_text", "header", block);
                check((1..=150).contains(&length(&text["text"])), "header", block);
            }
            Some("divider") => check(keys(block) == ["type"], "divider", block),
            Some("section") => {
                let fields = block["fields"].as_array().unwrap_or(&none);
                check(
                    text.is_object() || !fields.is_empty(),
                    "empty section",
                    block,
                );
                check(fields.len() <= 10, "too many fields", block);
                let texts = fields
                    .iter()
                    .map(|field| (field, 2_000))
                    .chain(text.is_object().then_some((text, 3_000)));
                for (text, most) in texts {
                    check((1..=most).contains(&length(&text["text"])), "length", text);
                    check(
                        ["mrkdwn", "plain_text"].contains(&text["type"].as_str().unwrap_or("")),
                        "type",
                        text,
                    );
                    if text["type"] == "mrkdwn" {
                        let text_of = text["text"].as_str().unwrap_or("");
                        let outside = text_of.split('<').skip(1).all(|link| {
                            link.starts_with("http") && link.contains("|") && link.contains('>')
                                || link.starts_with("mailto:")
                        });
                        check(outside, "a mention or broken link", text);
                    }
                }
            }
            _ => check(false, "a block that is not known", block),
        }
    }
    faults
}

/// What of a message Teams would refuse: by the published schema of Adaptive Cards, by the closed lists of its version
/// 1.4 for what is used here, and by Teams' limits.
fn card_faults(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/schemas/adaptive-card.json");
    let schema: Value =
        serde_json::from_slice(&std::fs::read(path).expect("the schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    if message.to_string().len() > 28 * 1_024 {
        faults.push(format!("{} bytes", message.to_string().len()));
    }
    if message["type"] != "message" || message["attachments"].as_array().map(Vec::len) != Some(1) {
        faults.push("no message with one attachment".to_owned());
    }
    let attachment = &message["attachments"][0];
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" {
        faults.push("no Adaptive Card".to_owned());
    }
    let card = &attachment["content"];
    faults.extend(validator.iter_errors(card).map(|error| error.to_string()));
    if card["version"] != "1.4" || card["body"].as_array().is_none_or(Vec::is_empty) {
        faults.push("no version or no body".to_owned());
    }
    for element in card["body"].as_array().into_iter().flatten() {
        let good = match element["type"].as_str() {
            Some("TextBlock") => {
                let text = element["text"].as_str().unwrap_or_default();
                let link = text
                    .split("](")
                    .skip(1)
                    .all(|link| link.starts_with("http") || link.starts_with("mailto:"));
                !text.is_empty() && link
            }
            Some("FactSet") => element["facts"].as_array().is_some_and(|facts| {
                !facts.is_empty()
                    && facts
                        .iter()
                        .all(|fact| fact["title"].is_string() && fact["value"].is_string())
            }),
            _ => false,
        };
        if !good {
            faults.push(element.to_string());
        }
    }
    let actions = card["actions"].as_array();
    for action in actions.into_iter().flatten() {
        if action["type"] != "Action.OpenUrl" || action["title"].as_str().is_none_or(str::is_empty)
        {
            faults.push(action.to_string());
        }
    }
    if actions.is_some_and(|actions| actions.len() > 6) {
        faults.push("too many actions".to_owned());
    }
    faults
}

#[test]
fn the_rules_find_what_is_wrong() {
    let bad = json!({ "text": "", "blocks": [{ "type": "header", "text": { "type": "mrkdwn", "text": "x".repeat(151) } }, { "type": "image" }, { "type": "section", "text": { "type": "mrkdwn", "text": "<!channel>" } }] });
    assert_eq!(slack_faults(&bad).len(), 5, "{:?}", slack_faults(&bad));
    let bad = json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": { "type": "AdaptiveCard", "body": [{ "type": "TextBlock", "text": 1 }], "actions": [{ "type": "Action.OpenUrl" }] } }] });
    assert!(card_faults(&bad).len() >= 4, "{:?}", card_faults(&bad));
}
