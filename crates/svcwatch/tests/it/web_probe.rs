//! `/probe` and `/api/v1/sd`: one host read now, by the rules of the rounds, and the hosts by name.

use crate::{
    run_support::{
        DEADLINE, Described, Host, House, RUNNING, Receiver, STOPPED, eventually, get, shown,
    },
    web_metrics::{accepted, promtool},
};
use std::time::Instant;
use svcwatch::app::App;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Hosts that are read once a day, so that what is read is what a probe asks for.
fn rarely(host: &Host, receiver: &Receiver, more: &str) -> House {
    House::new(&format!(
        "{}hosts:\n  - {{ name: Lab, address: 127.0.0.1, port: {}, every: 1d, site: oslo, labels: {{ team: db }}, services: [Spooler] }}\n{more}",
        House::head(receiver),
        host.address.port()
    ))
}

/// A probe by a scraper that waits so long.
async fn probe(app: &App, query: &str, timeout: &str) -> (u16, String) {
    let (status, _, body) = probe_in(app, query, timeout, "text/plain").await;
    (status, body)
}

/// A probe by a scraper that waits so long and likes this format; the head of the answer stands between.
async fn probe_in(app: &App, query: &str, timeout: &str, format: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let request = format!(
        "GET /probe{query} HTTP/1.0\r\nHost: {}\r\nAccept: {format}\r\nX-Prometheus-Scrape-Timeout-Seconds: {timeout}\r\n\r\n",
        app.address()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

fn has(text: &str, line: &str) {
    assert!(
        text.lines().any(|other| other == line),
        "no {line} in\n{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_reads_the_host_now_and_gives_all_its_services() {
    let host = Host::start(&["Spooler", "W3SVC"]).await;
    let receiver = Receiver::start().await;
    host.describe("Quo\"te", Described::new("Quo\"te\nline", RUNNING));
    let more = "probe: { modules: { web: { services: [W3*, gone] }, all: {} } }\n";
    let app = rarely(&host, &receiver, more).start().await;
    shown(&app, "Spooler", "running").await;
    host.put("W3SVC", STOPPED);
    let (status, text) = probe(&app, "?target=lab", "30").await;
    assert_eq!(status, 200, "{text}");
    for line in [
        "probe_success 1",
        "svcwatch_host_up 1",
        "svcwatch_host_info{site=\"oslo\"} 1",
        "svcwatch_service_muted{name=\"spooler\"} 0",
        "svcwatch_service_start{name=\"spooler\",start_type=\"automatic\",trigger=\"\"} 1",
        "svcwatch_service_expected{name=\"spooler\",expected=\"running\"} 1",
        "windows_service_state{name=\"spooler\",state=\"running\"} 1",
        "windows_service_state{name=\"w3svc\",state=\"stopped\"} 1",
        "windows_service_state{name=\"w3svc\",state=\"running\"} 0",
        "windows_service_status{name=\"spooler\",status=\"ok\"} 1",
        "windows_service_info{name=\"quo\\\"te\",display_name=\"The Quo\\\"te\\nline service\",path_name=\"\",run_as=\"\"} 1",
        "svcwatch_service_state{name=\"w3svc\"} 1",
        "svcwatch_service_exit_code{name=\"w3svc\"} 1067",
        "svcwatch_service_process_id{name=\"spooler\"} 4711",
    ] {
        has(&text, line);
    }
    assert!(
        !text.contains("host="),
        "Prometheus gives the host its own label"
    );
    for of_watched in ["windows_service_status", "svcwatch_service_muted"] {
        assert!(
            !text.contains(&format!("{of_watched}{{name=\"w3svc\"")),
            "it is not watched"
        );
    }
    accepted(&promtool(&["check", "metrics"], &text), &text);

    let (_, text) = probe(&app, "?target=Lab&module=WEB", "30").await;
    has(
        &text,
        "windows_service_state{name=\"w3svc\",state=\"stopped\"} 1",
    );
    assert!(!text.contains("spooler"), "{text}");

    // What a probe sees counts as what a round sees.
    host.put("Spooler", STOPPED);
    let (_, text) = probe(&app, "?target=lab", "30").await;
    has(
        &text,
        "windows_service_status{name=\"spooler\",status=\"ok\"} 0",
    );
    assert_eq!(receiver.wait_for(1).await[0].1, "stopped");
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_speaks_both_formats() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let app = rarely(&host, &receiver, "").start().await;
    shown(&app, "Spooler", "running").await;
    for (format, ends) in [
        ("application/openmetrics-text; version=1.0.0", true),
        ("text/plain; version=0.0.4", false),
    ] {
        let accept = format!("{format},*/*;q=0.1");
        let (status, head, text) = probe_in(&app, "?target=lab", "30", &accept).await;
        assert_eq!(status, 200, "{text}");
        assert!(head.contains(&format!("content-type: {format}")), "{head}");
        assert_eq!(text.ends_with("\n# EOF\n"), ends, "{text}");
        assert_eq!(text.matches("# EOF").count(), usize::from(ends), "{text}");
        has(&text, "probe_success 1");
    }
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_fails_keeps_what_was_seen_of_watched_services() {
    let host = Host::start(&["Spooler", "W3SVC", "Other"]).await;
    let receiver = Receiver::start().await;
    let more = "probe: { modules: { web: { services: [W3*] } } }\n";
    let services = "services: [Spooler, { name: W3SVC, expect: either, stopped_ok: never }]";
    let house = House::new(&format!(
        "{}hosts:\n  - {{ name: Lab, address: 127.0.0.1, port: {}, every: 1d, {services} }}\n{more}",
        House::head(&receiver),
        host.address.port()
    ));
    let app = house.start().await;
    shown(&app, "Spooler", "running").await;
    host.put("W3SVC", STOPPED);
    assert_eq!(probe(&app, "?target=lab", "30").await.0, 200);
    host.hold(true);
    let (status, text) = probe(&app, "?target=lab", "1").await;
    assert_eq!(status, 200, "{text}");
    for line in [
        "probe_success 0",
        "svcwatch_host_up 0",
        "windows_service_status{name=\"spooler\",status=\"ok\"} 1",
        "windows_service_status{name=\"w3svc\",status=\"ok\"} 0",
        "windows_service_state{name=\"w3svc\",state=\"stopped\"} 1",
        "svcwatch_service_expected{name=\"w3svc\",expected=\"either\"} 1",
        "svcwatch_service_state{name=\"w3svc\"} 1",
    ] {
        has(&text, line);
    }
    assert!(
        !text.contains("name=\"other\""),
        "nobody watches it: {text}"
    );
    let (_, text) = probe(&app, "?target=lab&module=web", "1").await;
    has(
        &text,
        "windows_service_status{name=\"w3svc\",status=\"ok\"} 0",
    );
    assert!(!text.contains("spooler"), "{text}");
    host.hold(false);
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_probed_is_said_with_its_reason() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let app = rarely(&host, &receiver, "").start().await;
    shown(&app, "Spooler", "running").await;
    for (query, timeout, status, words) in [
        ("", "10", 400, "which host"),
        ("?target=", "10", 403, "no host of the config"),
        ("?target=127.0.0.1", "10", 403, "not logged on to"),
        ("?target=10.0.0.1:445", "10", 403, "not logged on to"),
        ("?target=lab%0aevil", "10", 403, "no host of the config"),
        ("?target=lab&target=lab", "10", 400, "twice"),
        ("?target=lab&module=nothing", "10", 400, "default"),
        ("?target=lab&auth=x", "10", 400, "use target or module."),
        (
            "?target=lab",
            "nonsense",
            400,
            "X-Prometheus-Scrape-Timeout-Seconds",
        ),
        ("?target=lab", "-5", 400, "above 0"),
        ("?target=lab", "NaN", 400, "above 0"),
        ("?target=lab", "1e999", 400, "above 0"),
    ] {
        let (got, body) = probe(&app, query, timeout).await;
        assert_eq!(got, status, "{query} {timeout}: {body}");
        assert!(body.contains(words), "{query} {timeout}: {body}");
    }
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stalls_is_given_up_before_the_scraper_does() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let app = rarely(&host, &receiver, "").start().await;
    shown(&app, "Spooler", "running").await;
    host.hold(true);
    let begun = Instant::now();
    let (status, text) = probe(&app, "?target=lab", "1").await;
    assert_eq!(status, 200, "{text}");
    has(&text, "probe_success 0");
    has(&text, "svcwatch_host_fault{fault=\"timeout\"} 1");
    assert!(begun.elapsed() < DEADLINE / 6, "{:?}", begun.elapsed());
    // Many at once share one check, and none of them is lost.
    host.hold(false);
    let app = std::sync::Arc::new(app);
    let probes: Vec<_> = (0..20)
        .map(|_| {
            let app = std::sync::Arc::clone(&app);
            tokio::spawn(async move { probe(&app, "?target=lab", "30").await })
        })
        .collect();
    for one in probes {
        let (status, text) = one.await.unwrap();
        assert_eq!(status, 200, "{text}");
    }
    let Some(app) = std::sync::Arc::into_inner(app) else {
        panic!("all probes have ended");
    };
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_logon_is_not_repeated_by_probes() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    // STATUS_LOGON_FAILURE (MS-ERREF 2.3.1).
    host.refuse(0xC000_006D);
    let app = rarely(&host, &receiver, "").start().await;
    eventually("the start", async || {
        (get(&app, "/-/ready").await.0 == 200).then_some(())
    })
    .await;
    let mut texts = Vec::new();
    for _ in 0..10 {
        texts.push(probe(&app, "?target=lab", "30").await.1);
    }
    for text in &texts {
        has(text, "probe_success 0");
        has(text, "svcwatch_host_fault{fault=\"logon_refused\"} 1");
    }
    // With the right password now, it still waits its hour: the account comes before the scraper.
    host.refuse(0);
    let (_, text) = probe(&app, "?target=lab", "30").await;
    has(&text, "svcwatch_host_fault{fault=\"logon_refused\"} 1");
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_named_for_service_discovery_and_follow_the_config() {
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = rarely(&host, &receiver, "");
    let app = house.start().await;
    let list = async || {
        let (status, body) = get(&app, "/api/v1/sd").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    eventually("the host", async || {
        (list().await != serde_json::json!([])).then_some(())
    })
    .await;
    let labels =
        serde_json::json!({ "__meta_svcwatch_site": "oslo", "__meta_svcwatch_label_team": "db" });
    assert_eq!(
        list().await,
        serde_json::json!([{ "targets": ["Lab"], "labels": labels }])
    );
    let renamed = std::fs::read_to_string(house.config()).unwrap();
    house.write(&renamed.replace("name: Lab", "name: other"));
    app.reload().await.unwrap();
    eventually("the other host", async || {
        (list().await[0]["targets"][0] == "other").then_some(())
    })
    .await;
    assert_eq!(probe(&app, "?target=lab", "10").await.0, 403);
    app.stop().await.unwrap();
}
