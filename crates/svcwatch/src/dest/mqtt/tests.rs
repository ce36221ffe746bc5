//! Topics and bodies, held against what Butler 16.0.4 sent for the same services.

use super::*;
use crate::dest::{samples, test_notice};
use std::sync::Arc;
use svcwatch_core::{
    id::Subject,
    notice::{IncidentRef, Severity},
    observe::{ServiceDetails, StartType, State},
    time::Wall,
};

fn settings() -> Settings {
    Settings {
        topics: Topics {
            stopped: Some("qliksense/service_stopped".to_owned()),
            running: Some("qliksense/service_running".to_owned()),
            status: Some("qliksense/service_status".to_owned()),
        },
        ..Settings::new("127.0.0.1")
    }
}

fn context() -> Context {
    Context {
        base_url: Some(Arc::from("http://svcwatch.example")),
        now: samples::AT,
    }
}

fn key() -> DeliveryKey {
    DeliveryKey(Arc::from("0123456789abcdef0123456789abcdef"))
}

fn needs(names: &[&str]) -> Arc<[Arc<str>]> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn spooler() -> Notice {
    Notice {
        friendly_name: Some(Arc::from("Printing")),
        details: Some(Arc::new(ServiceDetails {
            binary_path: Some(Arc::from(r"C:\Windows\System32\spoolsv.exe")),
            run_as: None,
            dependencies: Some(needs(&["RPCSS", "http"])),
            ..ServiceDetails::default()
        })),
        ..samples::stopped()
    }
}

fn time() -> Notice {
    Notice {
        subject: Subject::Service {
            host: "srv01".into(),
            service: "W32Time".into(),
        },
        display_name: Some(Arc::from("Windows 'Time' <b>& co")),
        friendly_name: Some(Arc::from("Time \"sync\" <ntp> & co")),
        start_type: Some(StartType::Manual),
        details: Some(Arc::new(ServiceDetails {
            binary_path: Some(Arc::from(
                r"C:\Windows\system32\svchost.exe -k LocalService",
            )),
            run_as: None,
            dependencies: Some(needs(&[])),
            ..ServiceDetails::default()
        })),
        ..samples::stopped()
    }
}

fn reading(notice: &Notice, state: State) -> Reading {
    Reading {
        host: notice.subject.host().expect("a host").clone(),
        site: None,
        service: notice.subject.service().expect("a service").clone(),
        display_name: notice.display_name.clone(),
        friendly_name: notice.friendly_name.clone(),
        state,
        start_type: notice.start_type,
        details: notice.details.clone(),
        labels: Arc::from([]),
        at: samples::AT,
        changed: false,
        previous: None,
    }
}

fn told(notice: &Notice) -> (String, String, bool) {
    let outgoing = settings()
        .render(&key(), notice, &context())
        .expect("a good notice");
    let body = String::from_utf8(outgoing.bytes).expect("JSON");
    (outgoing.topic.expect("a topic"), body, outgoing.retain)
}

#[test]
fn bodies_and_topics_are_those_of_butler() {
    let (topic, body, retained) = told(&spooler());
    assert_eq!(topic, "qliksense/service_stopped/srv01/Spooler");
    assert_eq!(
        body,
        r#"{"serviceHost":"srv01","serviceName":"Spooler","serviceFriendlyName":"Printing","serviceDisplayName":"Print Spooler","serviceDependencies":["RPCSS","http"],"serviceStartType":"Automatic","serviceExePath":"C:\\Windows\\System32\\spoolsv.exe","serviceStatus":"STOPPED","servicePrevStatus":"RUNNING","serviceStatusChanged":true}"#
    );
    assert!(!retained, "what happened is not kept");

    let running = Notice {
        kind: Kind::Resolved,
        event: ToldEvent::Started,
        state: Some(State::Running),
        previous_state: Some(State::Stopped),
        ..time()
    };
    let (topic, body, _) = told(&running);
    assert_eq!(topic, "qliksense/service_running/srv01/W32Time");
    assert_eq!(
        body,
        r#"{"serviceHost":"srv01","serviceName":"W32Time","serviceDisplayName":"Windows 'Time' <b>& co","serviceFriendlyName":"Time \"sync\" <ntp> & co","serviceDependencies":[""],"serviceStartType":"Manual","serviceExePath":"C:\\Windows\\system32\\svchost.exe -k LocalService","serviceStatus":"RUNNING","servicePrevStatus":"STOPPED","serviceStatusChanged":true}"#
    );

    let message = settings()
        .message(&reading(&spooler(), State::Running))
        .expect("a topic");
    assert_eq!(message.topic, "qliksense/service_status/srv01/Spooler");
    assert_eq!(
        String::from_utf8_lossy(&message.payload),
        r#"{"serviceHost":"srv01","serviceName":"Spooler","serviceDisplayName":"Print Spooler","serviceFriendlyName":"Printing","serviceDependencies":["RPCSS","http"],"serviceStartType":"Automatic","serviceExePath":"C:\\Windows\\System32\\spoolsv.exe","serviceStatus":"RUNNING"}"#
    );
    assert!(message.retain, "the last state is kept");
}

#[test]
fn everything_else_goes_to_the_status_topic_only() {
    let with = |kind, event, state| Notice {
        kind,
        event,
        state: Some(state),
        ..spooler()
    };
    for (notice, status) in [
        (
            with(Kind::Opened, ToldEvent::Paused, State::Paused),
            "PAUSED",
        ),
        (
            with(Kind::Opened, ToldEvent::Stuck, State::StartPending),
            "START_PENDING",
        ),
        (
            with(Kind::Opened, ToldEvent::Missing, State::Missing),
            "MISSING",
        ),
        (
            with(Kind::Opened, ToldEvent::Hidden, State::Unknown),
            "HIDDEN",
        ),
        (
            with(Kind::Resolved, ToldEvent::Stopped, State::Stopped),
            "STOPPED",
        ),
        (
            with(Kind::Opened, ToldEvent::Started, State::Running),
            "RUNNING",
        ),
    ] {
        let (topic, body, retained) = told(&notice);
        assert_eq!(topic, "qliksense/service_status/srv01/Spooler", "{status}");
        assert!(
            body.contains(&format!(r#""serviceStatus":"{status}""#)),
            "{body}"
        );
        assert!(!retained, "the readings of the service say its state");
    }
    let host = Notice {
        kind: Kind::Opened,
        event: ToldEvent::HostUnreachable,
        severity: Severity::Critical,
        subject: Subject::Host("svcwatch".into()),
        ..test_notice(samples::AT)
    };
    let (topic, body, retained) = told(&host);
    assert_eq!(topic, "qliksense/service_status/%73vcwatch");
    assert!(
        body.contains(r#""serviceName":null"#) && body.contains(r#""serviceStatus":"UNREACHABLE""#),
        "{body}"
    );
    assert!(retained, "only notices say what a host is");
    let (topic, body, _) = told(&samples::summary());
    assert_eq!(topic, "qliksense/service_status/svcwatch/stopped");
    assert!(body.contains(r#""text":""#), "{body}");
}

#[test]
fn what_has_no_topic_is_not_published_but_a_try_is() {
    let mut settings = settings();
    settings.topics.stopped = None;
    settings.topics.status = None;
    let topic = |notice: &Notice| {
        settings
            .render(&key(), notice, &context())
            .expect("good")
            .topic
    };
    assert_eq!(topic(&spooler()).as_deref(), Some(""));
    assert_eq!(
        topic(&test_notice(Wall(5))).as_deref(),
        Some("qliksense/service_running/svcwatch/test")
    );
    assert_eq!(settings.message(&reading(&spooler(), State::Running)), None);
    assert_eq!(settings.presence_topic(), None);
}

#[test]
fn properties_say_what_the_body_has_no_place_for() {
    let notice = Notice {
        incident: Some(IncidentRef {
            id: svcwatch_core::id::IncidentId(Arc::from("abc-7")),
            opened_at: samples::AT,
        }),
        ..spooler()
    };
    let outgoing = settings()
        .render(&key(), &notice, &context())
        .expect("good");
    let named: Vec<String> = outgoing
        .properties
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        named.join(" "),
        "key=0123456789abcdef0123456789abcdef kind=opened event=stopped at=2024-03-13T12:05:00.042Z incident=abc-7"
    );
    let mut paused = reading(&spooler(), State::Paused);
    (paused.changed, paused.previous) = (true, Some(State::Running));
    let message = settings().message(&paused).expect("a topic");
    assert!(
        message
            .properties
            .contains(&("previous".to_owned(), "RUNNING".to_owned()))
    );
}

#[test]
fn names_that_mean_something_in_topics_are_written_otherwise() {
    let notice = samples::hostile();
    let (topic, body, _) = told(&notice);
    let levels: Vec<&str> = topic.split('/').collect();
    assert_eq!(levels.len(), 4, "{topic}");
    assert!(
        !topic.contains(['\0', '\n', '\r', '#', '+', '\u{1b}']),
        "{topic}"
    );
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        body["serviceHost"].as_str(),
        notice.subject.host().map(Name::as_str),
        "the body has the name itself"
    );
}

#[test]
fn bad_settings_are_named_without_their_secrets() {
    let mut bad = settings();
    bad.host = String::new();
    bad.qos = 2;
    bad.password = Some(Secret::from("canary"));
    bad.tls = Some(Tls {
        cert: Some(PathBuf::from("x")),
        ..Tls::default()
    });
    bad.topics.status = Some("qliksense/#".to_owned());
    let keys: Vec<&str> = bad.check().iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["host", "qos", "password", "tls", "topics.status"]);
    assert!(!format!("{:?}{bad:?}", bad.check()).contains("canary"));
    assert!(settings().check().is_empty());
    let mut none = settings();
    none.topics = Topics::default();
    assert_eq!(none.check().len(), 1);
}

#[test]
fn a_try_has_another_client_id_and_the_usual_one_is_stable() {
    let settings = settings();
    assert_eq!(settings.client_id(), settings.client_id());
    assert!(
        settings.client_id().len() <= 23,
        "every broker takes 23 characters"
    );
    let mut other = settings.clone();
    other.trial();
    assert_ne!(other.client_id(), settings.client_id());
    assert_eq!(other.presence_topic(), None);
    assert_eq!(
        (
            settings.port(),
            Settings {
                tls: Some(Tls::default()),
                ..settings
            }
            .port()
        ),
        (1_883, 8_883)
    );
}
