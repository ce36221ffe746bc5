//! Slack, Teams and New Relic as receivers know and answer them, error bodies included.

use crate::dest_support::{AT, Outcome, stopped};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use svcwatch::{
    dest::{
        Settings, newrelic,
        sender::{Destinations, Senders},
        slack, teams, webhook,
    },
    secret::Secret,
};
use svcwatch_core::{
    event::Verdict,
    id::{DeliveryKey, Name},
    notice::{Kind, Notice, ToldEvent},
    observe::State as ServiceState,
    time::Span,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// What the services answer on these paths.
fn answer(path: &str, uri: &Uri) -> (StatusCode, Option<&'static str>, String) {
    let (status, wait, body) = match path {
        "/slack/ok" => (200, None, "ok"),
        "/slack/payload" => (400, None, "invalid_payload"),
        "/slack/forbidden" => (403, None, "action_prohibited"),
        "/slack/channel" => (404, None, "channel_not_found"),
        "/slack/gone" => (404, None, "no_service"),
        "/slack/old" => (410, None, "channel_is_archived"),
        "/slack/limited" => (429, Some("30"), "rate_limited"),
        "/slack/broken" => (500, None, "rollup_error"),
        "/teams/ok" => (202, None, ""),
        "/teams/schema" => (
            400,
            None,
            r#"{"error":{"code":"TriggerInputSchemaMismatch","message":"The input body for trigger 'manual' did not match its schema definition."}}"#,
        ),
        "/teams/off" => (
            400,
            None,
            r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"The workflow trigger is not enabled."}}"#,
        ),
        "/teams/limited" => (
            429,
            Some("12"),
            r#"{"error":{"code":"WorkflowTriggerRequestThrottled","message":"slow down"}}"#,
        ),
        "/teams/connector" => (
            200,
            None,
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0",
        ),
        "/nr/v1/accounts/111/events" => (200, None, r#"{"success":true, "uuid":"4c4c4544"}"#),
        "/nr/v1/accounts/403/events" => (403, None, r#"{"error":"Invalid license key"}"#),
        "/nr/v1/accounts/413/events" => (413, None, "Request Entity Too Large"),
        "/nr/v1/accounts/429/events" => (429, Some("60"), r#"{"error":"rate limited"}"#),
        "/nrlog" => (202, None, r#"{"requestId":"e8fa21d8"}"#),
        "/echo/canary-path" => (403, None, "echo"),
        _ => (404, None, "not found"),
    };
    let body = if body == "echo" {
        format!("refused {uri}")
    } else {
        body.to_owned()
    };
    let status = StatusCode::from_u16(status).expect("a status");
    (status, wait, body)
}

/// A receiver that answers as the services do.
pub(crate) async fn services() -> (SocketAddr, Log) {
    async fn take(
        State(log): State<Log>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let (status, wait, text) = answer(uri.path(), &uri);
        log.lock().expect("the log").push(Seen {
            method,
            uri,
            headers,
            body,
        });
        let mut response = (status, text).into_response();
        if let Some(wait) = wait {
            let wait = wait.parse().expect("a value");
            response.headers_mut().insert("retry-after", wait);
        }
        response
    }
    let log = Log::default();
    let router = Router::new().fallback(take).with_state(Arc::clone(&log));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, log)
}

/// Renders and sends a notice to one recipient.
async fn deliver_to(settings: Settings, recipient: &str, notice: Notice) -> Outcome {
    let name = Name::new("duty");
    let list = [(name.clone(), settings)];
    let destinations =
        tokio::task::spawn_blocking(|| Destinations::new(list, Some("http://127.0.0.1:7467")));
    let senders = Senders::new(
        destinations
            .await
            .expect("no panic")
            .expect("good settings"),
    );
    let key = DeliveryKey::new(&name, recipient, "0123456789abcdef-7", "opened", notice.seq);
    let made = senders.render(
        key.clone(),
        name.clone(),
        Arc::from(recipient),
        Arc::new(notice),
        AT,
    );
    let payload = made.await.expect("a message");
    let began = Instant::now();
    let (verdict, answer) = senders.send(key.clone(), name, payload, AT).await;
    Outcome {
        verdict,
        answer,
        took: began.elapsed(),
        key,
    }
}

fn after(outcome: &Outcome) -> Option<Span> {
    match &outcome.verdict {
        Verdict::Retry { after, .. } => *after,
        Verdict::Delivered | Verdict::Rejected { .. } => None,
    }
}

#[tokio::test]
async fn slack_answers_with_words() {
    let (address, log) = services().await;
    for (path, word, says) in [
        ("ok", "delivered", "ok"),
        ("payload", "rejected", "invalid_payload"),
        ("forbidden", "rejected", "administrator"),
        ("channel", "rejected", "no such channel"),
        ("gone", "rejected", "make a new one"),
        ("old", "rejected", "archived"),
        ("limited", "retry", "rate_limited"),
        ("broken", "retry", "rollup_error"),
    ] {
        let settings = slack::Settings::new(format!("http://{address}/slack/{path}"));
        let outcome = deliver_to(Settings::Slack(settings), "", stopped()).await;
        outcome.expect(word, says);
        let wait = (path == "limited").then_some(Span::seconds(30));
        assert_eq!(after(&outcome), wait);
    }
    let seen = log.lock().expect("the log");
    assert!(
        seen.iter()
            .all(|one| one.method == Method::POST
                && one.headers["content-type"] == "application/json")
    );
    let body: serde_json::Value = serde_json::from_slice(&seen[0].body).expect("JSON");
    assert_eq!(body["blocks"][0]["type"], "header");
}

#[tokio::test]
async fn what_is_over_goes_to_its_own_address() {
    let (address, log) = services().await;
    let mut settings = slack::Settings::new(format!("http://{address}/slack/gone"));
    settings.resolved = Some(slack::Envelope {
        url: Secret::from(format!("http://{address}/slack/ok")),
        ..settings.usual.clone()
    });
    let over = Notice {
        kind: Kind::Resolved,
        event: ToldEvent::Started,
        state: Some(ServiceState::Running),
        ..stopped()
    };
    let outcome = deliver_to(Settings::Slack(settings.clone()), "", over).await;
    outcome.expect("delivered", "ok");
    deliver_to(Settings::Slack(settings), "", stopped())
        .await
        .expect("rejected", "no_service");
    let seen = log.lock().expect("the log");
    let paths: Vec<&str> = seen.iter().map(|one| one.uri.path()).collect();
    assert_eq!(paths, ["/slack/ok", "/slack/gone"]);
}

#[tokio::test]
async fn teams_answers_202_or_says_why_not() {
    let (address, log) = services().await;
    for (path, word, says) in [
        ("ok", "delivered", "202"),
        ("schema", "rejected", "did not match its schema"),
        ("off", "rejected", "turn it on"),
        ("limited", "retry", "slow down"),
        ("connector", "retry", "HTTP error 429"),
    ] {
        let settings = teams::Settings::new(format!("http://{address}/teams/{path}"));
        let outcome = deliver_to(Settings::Teams(settings), "", stopped()).await;
        outcome.expect(word, says);
        let wait = (path == "limited").then_some(Span::seconds(12));
        assert_eq!(after(&outcome), wait);
    }
    let seen = log.lock().expect("the log");
    let body: serde_json::Value = serde_json::from_slice(&seen[0].body).expect("JSON");
    assert_eq!(body["attachments"][0]["content"]["type"], "AdaptiveCard");
}

#[tokio::test]
async fn new_relic_gets_an_event_and_a_log_entry_an_account() {
    let (address, log) = services().await;
    let account = |name: &str, id| newrelic::Account {
        name: name.to_owned(),
        id,
        key: Secret::from(format!("KEY-{name}")),
    };
    let mut settings = newrelic::Settings::new(vec![
        account("First", 111),
        account("Wrong", 403),
        account("Large", 413),
        account("Busy", 429),
    ]);
    settings.event_url = Secret::from(format!("http://{address}/nr/"));
    settings.log_url = Secret::from(format!("http://{address}/nrlog"));
    settings.headers = vec![("X-My-Header".to_owned(), Secret::from("v"))];
    for (recipient, word, says) in [
        ("event:First", "delivered", "success"),
        ("event:Wrong", "rejected", "does not take the key"),
        ("event:Large", "rejected", "too large"),
        ("event:Busy", "retry", "429"),
        ("log:First", "delivered", "requestId"),
        (
            "log:Nobody",
            "rejected",
            "not in the configuration any more",
        ),
    ] {
        let outcome = deliver_to(Settings::NewRelic(settings.clone()), recipient, stopped()).await;
        outcome.expect(word, says);
        let wait = (recipient == "event:Busy").then_some(Span::seconds(60));
        assert_eq!(after(&outcome), wait);
    }
    let seen = log.lock().expect("the log");
    assert_eq!(seen.len(), 5);
    for one in seen.iter() {
        assert_eq!(
            one.headers["content-type"],
            "application/json; charset=utf-8"
        );
        assert_eq!(one.headers["x-my-header"], "v");
    }
    assert_eq!(seen[0].headers["api-key"], "KEY-First");
    assert_eq!(seen[1].headers["api-key"], "KEY-Wrong");
    assert_eq!(seen[0].uri.path(), "/nr/v1/accounts/111/events");
    let event: serde_json::Value = serde_json::from_slice(&seen[0].body).expect("JSON");
    assert_eq!(event[0]["eventType"], "qs_serviceStateEvent");
    let entry: serde_json::Value = serde_json::from_slice(&seen[4].body).expect("JSON");
    assert_eq!(
        entry[0]["common"]["attributes"]["butler_servicePrevStatus"],
        "RUNNING"
    );
}

#[tokio::test]
async fn butlers_get_keeps_the_query_of_its_address() {
    let (address, log) = services().await;
    let mut settings = webhook::Settings::new(format!("http://{address}/slack/ok?keep=1"));
    settings.method = webhook::Method::Get;
    settings.body = webhook::Body::Butler;
    deliver_to(Settings::Webhook(settings), "", stopped())
        .await
        .expect("delivered", "ok");
    let seen = log.lock().expect("the log").pop().expect("a request");
    let query = seen.uri.query().expect("a query");
    assert!(
        query.starts_with("keep=1&event=Windows+service+monitor&host=srv01&servicestatus=STOPPED&"),
        "{query}"
    );
}

#[tokio::test]
async fn an_echo_of_an_address_or_key_is_masked() {
    let (address, _) = services().await;
    let url = format!("http://canary:canary@{address}/echo/canary-path?sig=canary");
    let mut newrelic = newrelic::Settings::new(vec![newrelic::Account {
        name: "First".to_owned(),
        id: 1,
        key: Secret::from("canary"),
    }]);
    newrelic.log_url = Secret::from(url.as_str());
    for (settings, recipient) in [
        (Settings::Slack(slack::Settings::new(url.as_str())), ""),
        (Settings::Teams(teams::Settings::new(url.as_str())), ""),
        (Settings::NewRelic(newrelic), "log:First"),
    ] {
        let outcome = deliver_to(settings, recipient, stopped()).await;
        outcome.expect("rejected", "refused");
        assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
    }
}

/// Answers every request with a short yes, as fast as it can.
async fn fast_receiver() -> (SocketAddr, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let count = Arc::new(Mutex::new(0));
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_fast(stream, Arc::clone(&counting)));
        }
    });
    (address, count)
}

async fn answer_fast(mut stream: TcpStream, count: Arc<Mutex<usize>>) {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 16_384];
    loop {
        let text = String::from_utf8_lossy(&kept).into_owned();
        let whole = text.split_once("\r\n\r\n").and_then(|(head, _)| {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length?.parse().ok()?;
            Some(head.len() + 4 + length)
        });
        match whole {
            Some(whole) if kept.len() >= whole => {
                kept.drain(..whole);
                *count.lock().expect("the count") += 1;
                let yes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                if stream.write_all(yes).await.is_err() {
                    return;
                }
            }
            _ => match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => kept.extend_from_slice(&buffer[..read]),
            },
        }
    }
}

/// Memory that this process holds, in KiB (proc(5), VmRSS).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// Four deliveries at once are what the outbox lets out to one recipient.
const AT_ONCE: usize = 4;
const NOTICES: u64 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_notices_arrive_fast_and_in_little_memory() {
    let (address, count) = fast_receiver().await;
    let settings = Settings::Slack(slack::Settings::new(format!("http://{address}/in")));
    let name = Name::new("chat");
    let list = [(name.clone(), settings)];
    let made = tokio::task::spawn_blocking(|| Destinations::new(list, None)).await;
    let senders = Senders::new(made.expect("no panic").expect("good settings"));
    let before = resident();
    let began = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for lane in 0..u64::try_from(AT_ONCE).expect("a small number") {
        let (senders, name) = (senders.clone(), name.clone());
        under_way.spawn(async move {
            for seq in (lane..NOTICES).step_by(AT_ONCE) {
                let key = DeliveryKey::new(&name, "", "i", "opened", seq);
                let notice = Arc::new(Notice { seq, ..stopped() });
                let made = senders.render(key.clone(), name.clone(), Arc::from(""), notice, AT);
                let payload = made.await.expect("a message");
                let (verdict, answer) = senders.send(key, name.clone(), payload, AT).await;
                assert_eq!(verdict, Verdict::Delivered, "{answer}");
            }
        });
    }
    while let Some(ended) = under_way.join_next().await {
        ended.expect("no panic");
    }
    let took = began.elapsed();
    let grown = resident().saturating_sub(before) / 1_024;
    let rate = f64::from(u32::try_from(NOTICES).expect("a small number")) / took.as_secs_f64();
    println!(
        "{NOTICES} notices: {rate:.0} deliveries/s, {AT_ONCE} at once; memory grew by {grown} MiB"
    );
    assert_eq!(*count.lock().expect("the count"), 10_000);
    // A tenth of what is promised of the program as it is built for use.
    assert!(took < Duration::from_secs(100), "{took:?}");
    assert!(grown < 200, "{grown} MiB");
}
