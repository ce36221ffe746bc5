//! Who is answered: names, origins, media types, sizes, and how many at once.

use crate::web_server::{Server, incident_id};
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream};

#[tokio::test]
async fn only_names_that_are_listened_on_are_answered() {
    let server = Server::with_samples().await;
    let port = server.address.port();
    for good in [
        format!("127.0.0.1:{port}"),
        "localhost".to_owned(),
        format!("LOCALHOST:{port}"),
        "watch.corp.example".to_owned(),
    ] {
        for path in ["/api/v1/hosts", "/metrics", "/-/healthy"] {
            let answer = server.send("GET", path, &[("Host", &good)], "").await;
            assert_eq!(answer.status, 200, "{good}");
        }
    }
    for bad in [
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "localhost@evil.example",
        "",
    ] {
        for path in ["/api/v1/hosts", "/metrics", "/-/healthy", "/nothing"] {
            let sentence = server
                .send("GET", path, &[("Host", bad)], "")
                .await
                .problem(421);
            assert!(sentence.contains("web.url"), "{sentence}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let server = Server::with_samples().await;
    let none = server.raw("GET /-/healthy HTTP/1.0\r\n\r\n").await;
    assert!(none.problem(400).contains("exactly one Host"));
    let host = server.address;
    let two = format!("GET /-/healthy HTTP/1.0\r\nHost: {host}\r\nHost: evil.example\r\n\r\n");
    assert!(
        server
            .raw(&two)
            .await
            .problem(400)
            .contains("exactly one Host")
    );
    let line = format!("GET http://evil.example/-/healthy HTTP/1.0\r\nHost: {host}\r\n\r\n");
    assert!(
        server
            .raw(&line)
            .await
            .problem(421)
            .contains("evil.example")
    );
    server.stop().await;
}

#[tokio::test]
async fn only_our_own_page_may_change_something() {
    let server = Server::with_samples().await;
    let path = format!("/api/v1/incidents/{}/ack", incident_id(1));
    let json = ("Content-Type", "application/json");
    let body = r#"{"by":"ola"}"#;
    let elsewhere = format!("http://evil.example:{}", server.address.port());
    for origin in [
        "null",
        "http://evil.example",
        "",
        elsewhere.as_str(),
        "http://127.0.0.1:1",
    ] {
        let sentence = server
            .post(&path, &[json, ("Origin", origin)], body)
            .await
            .problem(403);
        assert!(sentence.contains("Another site's page"), "{origin}");
    }
    let cross = server
        .post(&path, &[json, ("Sec-Fetch-Site", "cross-site")], body)
        .await;
    cross.problem(403);
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        let sentence = server
            .post(&path, &[("Content-Type", media)], body)
            .await
            .problem(415);
        assert!(sentence.contains("application/json"), "{media}");
    }
    let untouched = server.json("/api/v1/incidents?resolved_at=null").await;
    assert!(untouched["items"][0]["acknowledged"].is_null());
    let ours = format!("http://{}", server.address);
    let headers = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Origin", ours.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    assert_eq!(server.post(&path, &headers, body).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn every_answer_keeps_a_browser_careful() {
    let server = Server::with_samples().await;
    for path in [
        "/-/healthy",
        "/metrics",
        "/api/v1/hosts",
        "/nothing",
        "/api/v1/hosts?x=1",
    ] {
        let answer = server.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    let refused = server
        .send("GET", "/metrics", &[("Host", "evil.example")], "")
        .await;
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    let preflight = server
        .send(
            "OPTIONS",
            "/api/v1/hosts",
            &[("Origin", "http://evil.example")],
            "",
        )
        .await;
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    server.stop().await;
}

#[tokio::test]
async fn an_address_has_a_length() {
    let server = Server::with_samples().await;
    let long = format!("/api/v1/hosts?name={}", "x".repeat(9_000));
    assert!(server.problem(414, &long).await.contains("8192 bytes"));
    server.stop().await;
}

#[tokio::test]
async fn more_requests_than_there_are_places_are_refused_but_it_says_that_it_lives() {
    let server = Server::with_samples().await;
    let request = format!(
        "GET /api/v1/explain?host=silent HTTP/1.0\r\nHost: {}\r\n\r\n",
        server.address
    );
    let mut asking = Vec::new();
    for _ in 0..128 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        asking.push(stream);
    }
    let begin = std::time::Instant::now();
    while server.held.lock().unwrap().len() < 128 {
        assert!(
            begin.elapsed() < Duration::from_secs(8),
            "the questions did not arrive"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sentence = server.problem(503, "/api/v1/hosts").await;
    assert!(sentence.contains("More than 128 requests"), "{sentence}");
    assert_eq!(server.get("/-/healthy").await.status, 200);
    assert_eq!(server.get("/-/ready").await.status, 200);
    server.held.lock().unwrap().clear();
    let begin = std::time::Instant::now();
    while server.get("/api/v1/hosts").await.status != 200 {
        assert!(
            begin.elapsed() < Duration::from_secs(8),
            "no place became free"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(asking);
    server.stop().await;
}

#[tokio::test]
async fn garbage_is_refused_and_hurts_nobody() {
    let server = Server::with_samples().await;
    for garbage in [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "\u{0}\u{1}\u{2} / HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(garbage.as_bytes()).await.unwrap();
        drop(stream);
    }
    let many = "X-More: x\r\n".repeat(1_000);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(server.get("/-/healthy").await.status, 200);
    server.stop().await;
}
