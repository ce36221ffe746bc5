//! Webhooks against a real HTTP receiver, and against servers that do everything wrong.

use crate::dest_support::{AT, Certificates, deliver, read_request, serve, stopped};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::any,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use svcwatch::{
    dest::{
        Settings, log,
        sender::{Destinations, Senders},
        webhook,
    },
    secret::Secret,
};
use svcwatch_core::{
    event::Verdict,
    id::{DeliveryKey, Name},
    time::Span,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// A receiver that answers `/STATUS` with that status, and repeats what it was asked.
async fn receiver() -> (SocketAddr, Log) {
    async fn take(
        State(log): State<Log>,
        status: Option<Path<u16>>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let status = status.map_or(204, |Path(status)| status);
        let echo = format!("you asked for {uri} with {headers:?}");
        log.lock().expect("the log").push(Seen {
            method,
            uri,
            headers,
            body,
        });
        let status = StatusCode::from_u16(status).expect("a status");
        let wait = (
            HeaderName::from_static("retry-after"),
            HeaderValue::from_static("7"),
        );
        (status, [wait], echo).into_response()
    }
    let log = Log::default();
    let router = Router::new()
        .route("/hook", any(take))
        .route("/hook/{status}", any(take))
        .with_state(Arc::clone(&log));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, log)
}

pub(crate) fn hook(url: impl Into<String>) -> webhook::Settings {
    let mut settings = webhook::Settings::new(url.into());
    settings.timeout = Duration::from_secs(1);
    settings
}

fn hmac(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    let mut hex = String::new();
    for byte in bytes {
        write!(hex, "{byte:02x}").expect("writing to a String");
    }
    hex
}

#[tokio::test]
async fn a_webhook_arrives_signed_and_keyed() {
    let (address, log) = receiver().await;
    let mut settings = hook(format!("http://me:pw@{address}/hook?a=b"));
    settings.method = webhook::Method::Put;
    settings.headers = vec![("X-Team".to_owned(), Secret::from("print"))];
    settings.secret = Some(Secret::from("whisper"));
    let outcome = deliver(Settings::Webhook(settings), stopped()).await;
    outcome.expect("delivered", "HTTP 204");

    let seen = log.lock().expect("the log").pop().expect("a request");
    let header = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(
        (seen.method, seen.uri.to_string()),
        (Method::PUT, "/hook?a=b".to_owned())
    );
    assert_eq!(header("idempotency-key"), Some(outcome.key.as_str()));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("x-team"), Some("print"));
    assert_eq!(header("authorization"), Some("Basic bWU6cHc="));
    assert_eq!(
        header("user-agent"),
        Some(concat!("svcwatch/", env!("CARGO_PKG_VERSION")))
    );
    let body = std::str::from_utf8(&seen.body).expect("UTF-8");
    let seconds = AT.0 / 1_000;
    let expected = format!(
        "t={seconds},v1={}",
        hmac("whisper", &format!("{seconds}.{body}"))
    );
    assert_eq!(header("x-svcwatch-signature"), Some(expected.as_str()));
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["key"], outcome.key.as_str());
    assert_eq!(body["host"], "srv01");
}

#[tokio::test]
async fn a_get_says_it_in_the_query() {
    let (address, log) = receiver().await;
    let mut settings = hook(format!("http://{address}/hook?a=b"));
    settings.method = webhook::Method::Get;
    settings.secret = Some(Secret::from("whisper"));
    let outcome = deliver(Settings::Webhook(settings), stopped()).await;
    outcome.expect("delivered", "HTTP 204");
    let seen = log.lock().expect("the log").pop().expect("a request");
    let query = seen.uri.query().expect("a query");
    assert!(query.starts_with("a=b&version=1&key="), "{query}");
    assert!(query.contains("&service=Spooler&"), "{query}");
    assert!(seen.body.is_empty() && seen.method == Method::GET);
    let seconds = AT.0 / 1_000;
    let expected = format!(
        "t={seconds},v1={}",
        hmac("whisper", &format!("{seconds}.{query}"))
    );
    assert_eq!(seen.headers["x-svcwatch-signature"], expected.as_str());
}

#[tokio::test]
async fn statuses_become_verdicts() {
    let (address, _) = receiver().await;
    for (status, word) in [
        (200, "delivered"),
        (302, "rejected"),
        (401, "rejected"),
        (404, "rejected"),
        (413, "rejected"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
    ] {
        let settings = hook(format!("http://{address}/hook/{status}"));
        let outcome = deliver(Settings::Webhook(settings), stopped()).await;
        outcome.expect(word, &format!("HTTP {status}"));
        if let Verdict::Retry { after, .. } = outcome.verdict {
            assert_eq!(after, Some(Span::seconds(7)));
        }
    }
}

#[tokio::test]
async fn an_echo_of_secrets_is_masked() {
    let (address, _) = receiver().await;
    let mut settings = hook(format!(
        "http://canary:canary@{address}/hook/404?token=canary"
    ));
    settings.headers = vec![("X-Token".to_owned(), Secret::from("Bearer canary"))];
    settings.secret = Some(Secret::from("canary"));
    let outcome = deliver(Settings::Webhook(settings), stopped()).await;
    outcome.expect("rejected", "you asked for ********");
    let told = format!("{outcome:?}");
    assert!(
        !told.contains("canary") && !told.contains("Y2FuYXJ5OmNhbmFyeQ"),
        "{told}"
    );
}

/// An HTTPS server that answers 200.
async fn https(certificates: &Certificates) -> SocketAddr {
    let acceptor = certificates.acceptor();
    serve(move |stream: TcpStream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            read_request(&mut stream).await;
            drop(
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await,
            );
            drop(stream.shutdown().await);
        }
    })
    .await
}

#[tokio::test]
async fn certificates_are_checked() {
    let good = Certificates::new(&["127.0.0.1"], false);
    let wrong_name = Certificates::new(&["other.example"], false);
    let expired = Certificates::new(&["127.0.0.1"], true);
    for (server, ca, word, says) in [
        (&good, Some(good.ca()), "delivered", "HTTP 200 OK: ok"),
        (&good, None, "retry", "not signed by an authority"),
        (&good, Some(expired.ca()), "retry", "certificate"),
        (
            &wrong_name,
            Some(wrong_name.ca()),
            "retry",
            "for another name",
        ),
        (&expired, Some(expired.ca()), "retry", "has expired"),
    ] {
        let address = https(server).await;
        let mut settings = hook(format!("https://{address}/hook"));
        settings.ca = ca;
        deliver(Settings::Webhook(settings), stopped())
            .await
            .expect(word, says);
    }
    // Unless somebody says that it need not be.
    let mut settings = hook(format!("https://{}/hook", https(&expired).await));
    settings.verify = false;
    let unchecked = deliver(Settings::Webhook(settings), stopped()).await;
    unchecked.expect("delivered", "HTTP 200 OK: ok");
    let (plain, _) = receiver().await;
    let outcome = deliver(
        Settings::Webhook(hook(format!("https://{plain}/hook"))),
        stopped(),
    )
    .await;
    outcome.expect("retry", "does not speak TLS");
}

#[tokio::test]
async fn a_hung_destination_delays_no_other() {
    let hung = serve(|stream: TcpStream| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(stream);
    })
    .await;
    let (good, _) = receiver().await;
    let mut slow = hook(format!("http://{hung}/hook"));
    slow.timeout = Duration::from_secs(5);
    let waiting = tokio::spawn(deliver(Settings::Webhook(slow), stopped()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    for _ in 0..10 {
        let outcome = deliver(
            Settings::Webhook(hook(format!("http://{good}/hook"))),
            stopped(),
        )
        .await;
        outcome.expect("delivered", "");
    }
    assert!(
        !waiting.is_finished(),
        "ten deliveries took {:?}",
        began.elapsed()
    );
    waiting
        .await
        .expect("no panic")
        .expect("retry", "no complete answer within 5 s");
}

#[tokio::test]
async fn a_reload_replaces_all_and_leaves_what_is_under_way() {
    let (old, old_log) = receiver().await;
    let (new, new_log) = receiver().await;
    let duty = Name::new("duty");
    let build = |address: SocketAddr, name: &Name| {
        let settings = Settings::Webhook(hook(format!("http://{address}/hook")));
        Destinations::new([(name.clone(), settings)], None).expect("good settings")
    };
    let senders = Senders::new(build(old, &duty));
    let key = DeliveryKey::new(&duty, "", "a-1", "opened", 1);
    let payload = senders
        .render(
            key.clone(),
            duty.clone(),
            Arc::from(""),
            Arc::new(stopped()),
            AT,
        )
        .await
        .expect("a message");
    senders.replace(build(new, &duty));
    let (verdict, _) = senders
        .send(key.clone(), duty.clone(), Arc::clone(&payload), AT)
        .await;
    assert_eq!(verdict, Verdict::Delivered);
    assert_eq!(old_log.lock().expect("the log").len(), 0);
    assert_eq!(new_log.lock().expect("the log").len(), 1);
    // Another type, then nothing at all, under the same name.
    let file = Settings::Email(svcwatch::dest::email::Settings::new(
        svcwatch::dest::email::Server::new("127.0.0.1"),
        "a@b.example",
        vec!["c@d.example".to_owned()],
    ));
    senders.replace(Destinations::new([(duty.clone(), file)], None).expect("good settings"));
    let (verdict, answer) = senders
        .send(key.clone(), duty.clone(), Arc::clone(&payload), AT)
        .await;
    assert_eq!(verdict.as_str(), "rejected", "{answer}");
    senders.replace(Destinations::default());
    let (verdict, answer) = senders.send(key, duty, payload, AT).await;
    assert_eq!(verdict.as_str(), "retry", "{answer}");
}

#[tokio::test]
async fn a_log_writes_the_body_as_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notices.jsonl");
    for _ in 0..2 {
        let settings = log::Settings {
            path: Some(path.clone()),
            ..log::Settings::default()
        };
        deliver(Settings::Log(settings), stopped())
            .await
            .expect("delivered", "written");
    }
    let text = std::fs::read_to_string(&path).expect("the file");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[0]["service"], "Spooler");
}

#[tokio::test]
async fn a_destination_can_be_tried_without_a_message() {
    let (address, log) = receiver().await;
    let settings = Settings::Webhook(hook(format!("http://{address}/canary-path")));
    let list = [(Name::new("duty"), settings)];
    let destinations = Destinations::new(list, None).expect("good settings");
    let duty = destinations.get(&"duty".into()).expect("the destination");
    assert_eq!(
        duty.check().await,
        Ok(format!("http://{address} answers (HTTP 404)"))
    );
    assert_eq!(log.lock().expect("the log").len(), 0);
}

/// The proxy of the environment is read when a client is made, so this test runs itself again with one set.
#[tokio::test]
async fn the_proxy_of_the_environment_is_used() {
    const INNER: &str = "SVCWATCH_TEST_BEHIND_PROXY";
    if std::env::var_os(INNER).is_some() {
        let settings = hook("http://receiver.invalid/hook");
        let outcome = deliver(Settings::Webhook(settings), stopped()).await;
        outcome.expect("delivered", "HTTP 200 OK: by proxy");
        return;
    }
    let proxy = serve(|mut stream: TcpStream| async move {
        let request = read_request(&mut stream).await;
        let answer: &[u8] = if request.starts_with("POST http://receiver.invalid/hook HTTP/1.1\r\n")
        {
            b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nby proxy"
        } else {
            b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"
        };
        drop(stream.write_all(answer).await);
    })
    .await;
    let output = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "dest_http::the_proxy_of_the_environment_is_used"])
        .env(INNER, "1")
        .env("http_proxy", format!("http://{proxy}"))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .await
        .expect("this test, again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
