//! /metrics as Prometheus reads it: promtool must accept both formats, whatever names there are.

use crate::web_server::{DEADLINE, Server, host_view, service_view};
use std::{
    fmt,
    io::Write as _,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use svcwatch::{
    board::Board,
    facts::{Build, Facts},
    web::metrics::{Format, Metrics},
};
use svcwatch_core::{
    effect::Fact,
    observe::{Fault, State},
    time::Span,
    view::View,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const OPEN_METRICS: (&str, &str) = ("Accept", "application/openmetrics-text; version=1.0.0");

/// Names that break whoever puts them together carelessly.
const ODD: [&str; 9] = [
    "MSSQL$PROD",
    "quo\"te",
    "back\\slash",
    "ends with \\",
    "new\nline",
    "tab\tand\rreturn",
    "Ærøskøbing 😀",
    "{a=\"b\"} 1",
    "# HELP me",
];

/// Runs promtool with this input. Without it the test fails: a test that is left out proves nothing.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> Output {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = started.expect(
        "promtool is needed for this test and is not installed: install Debian's package prometheus, for instance with `cargo xtask peers`",
    );
    let mut stdin = promtool.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = promtool.wait_with_output().unwrap();
    writing.join().unwrap();
    output
}

pub(crate) fn accepted(output: &Output, text: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool says: {said}\n{text}");
}

async fn odd_server() -> Server {
    let server = Server::with_samples().await;
    // A name of 300 characters, and one that was no valid UTF-16 and came with a mark in place of what was wrong.
    for service in ["Ü".repeat(300), "half\u{fffd}pair".to_owned()] {
        let view = service_view("srv01", &service);
        server.board.apply(View::Service(view));
    }
    for name in ODD {
        let mut host = host_view(name);
        host.fault = Some(Fault::AccessDenied);
        server.board.apply(View::Host(host));
        for service in ODD {
            let mut view = service_view(name, service);
            view.display_name = Some(name.into());
            server.board.apply(View::Service(view));
        }
    }
    server
        .facts
        .destinations(&server.board, &ODD.map(Into::into));
    server.facts.note(&Fact::Checked {
        host: "srv01".into(),
        fault: None,
        took: Span(12),
        lag: Span(3),
    });
    server
}

#[tokio::test]
async fn promtool_accepts_the_classic_format() {
    let server = odd_server().await;
    let answer = server.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    accepted(&promtool(&["check", "metrics"], &answer.body), &answer.body);
    let states = answer
        .body
        .lines()
        .filter(|line| line.starts_with("windows_service_state{"))
        .count();
    assert_eq!(states, (6 + 81) * 7);
    for line in [
        "windows_service_status{host=\"srv02\",name=\"spooler\",status=\"ok\"} 0",
        "windows_service_status{host=\"srv03\",name=\"w32time\",status=\"ok\"} 1",
        "svcwatch_host_up{host=\"srv03\"} 0",
        "svcwatch_host_up{host=\"quo\\\"te\"} 0",
        "svcwatch_faults{fault=\"access_denied\"} 9",
        "windows_service_info{host=\"new\\nline\",name=\"back\\\\slash\",display_name=\"new\\nline\",path_name=\"\",run_as=\"\"} 1",
        "svcwatch_checks_total{result=\"ok\"} 1",
    ] {
        assert!(
            answer.body.lines().any(|other| other == line),
            "no {line} in\n{}",
            answer.body
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_packed_says_the_same() {
    let server = odd_server().await;
    let url = format!("{}/metrics", server.url());
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(&url).header("accept-encoding", "gzip");
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["vary"], "accept, accept-encoding");
    let packed = answer.bytes().await.unwrap();
    let mut text = String::new();
    let mut unpacking = flate2::read::GzDecoder::new(&*packed);
    std::io::Read::read_to_string(&mut unpacking, &mut text).unwrap();
    let watched = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("windows_"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = server.get("/metrics").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(watched(&text), watched(&plain.body));
    assert!(watched(&text).len() > 800);
    server.stop().await;
}

#[tokio::test]
async fn series_come_and_go_with_what_is_watched() {
    let server = Server::with_samples().await;
    let has = async |name: &str| server.get("/metrics").await.body.contains(name);
    let view = service_view("srv01", "Brief");
    assert!(!has("name=\"brief\"").await);
    server.board.apply(View::Service(view));
    assert!(has("name=\"brief\"").await);
    server.board.apply(View::ServiceGone {
        host: "srv01".into(),
        service: "brief".into(),
    });
    assert!(!has("name=\"brief\"").await);
    assert!(has("host=\"srv03\"").await);
    server.board.apply(View::HostGone("srv03".into()));
    assert!(!has("host=\"srv03\"").await);
    server.stop().await;
}

#[tokio::test]
async fn promtool_refuses_what_is_wrong() {
    // What makes the tests beside this one worth something.
    let broken = "# HELP a A.\n# TYPE a gauge\na{b=\"quo\"te\"} 1\n";
    assert!(!promtool(&["check", "metrics"], broken).status.success());
}

#[tokio::test]
async fn prometheus_reads_the_open_metrics_format() {
    let server = odd_server().await;
    let answer = server.send("GET", "/metrics", &[OPEN_METRICS], "").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(answer.body.ends_with("# EOF\n"));
    // promtool takes OpenMetrics only as a recording, where each sample has a time.
    let recording: String = answer
        .body
        .lines()
        .map(|line| {
            let time = if line.starts_with('#') {
                ""
            } else {
                " 1700000000"
            };
            [line, time, "\n"].concat()
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("metrics"), folder.path().join("blocks"));
    std::fs::write(&input, &recording).unwrap();
    let paths = [input.to_str().unwrap(), output.to_str().unwrap()];
    let arguments = [
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        paths[0],
        paths[1],
    ];
    accepted(&promtool(&arguments, ""), &recording);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_up_nobody() {
    let server = Server::start().await;
    server.board.apply_all((0..20_000).map(|number| {
        let host = format!("host-{:05}", number / 50);
        View::Service(service_view(&host, &format!("svc-{number}")))
    }));
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        stalled.push(stream);
    }
    let sentence = server.problem(503, "/metrics").await;
    assert!(sentence.contains("More than 4 scrapes"), "{sentence}");
    // The board takes views meanwhile.
    let mut view = service_view("host-00000", "svc-0");
    view.state = State::Stopped;
    let (board, begin) = (Arc::clone(&server.board), Instant::now());
    tokio::task::spawn_blocking(move || board.apply(View::Service(view)))
        .await
        .unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
    drop(stalled);
    let begin = Instant::now();
    while server.get("/metrics").await.status != 200 {
        assert!(begin.elapsed() < DEADLINE, "no place became free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
}

/// Counts what is written.
#[derive(Default)]
struct Counted {
    bytes: usize,
    lines: usize,
}

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        self.lines += text.bytes().filter(|byte| *byte == b'\n').count();
        Ok(())
    }
}

#[test]
fn a_hundred_thousand_services_are_written() {
    let board = Board::new();
    board.apply_all((0..2_000).map(|number| View::Host(host_view(&format!("host-{number:05}")))));
    board.apply_all((0..100_000).map(|number| {
        let host = format!("host-{:05}", number / 50);
        View::Service(service_view(&host, &format!("svc-{number}")))
    }));
    let facts = Arc::new(Facts::new(Build {
        version: "1.2.3",
        commit: "abc",
    }));
    let metrics = Metrics::new(Arc::new(board), facts);
    for format in [Format::Classic, Format::OpenMetrics] {
        let (mut counted, begin) = (Counted::default(), Instant::now());
        metrics.write(format, &mut counted).unwrap();
        let took = begin.elapsed();
        println!(
            "{format:?}: 100,000 services of 2,000 hosts, {} lines, {} MB: {took:?}",
            counted.lines,
            counted.bytes / 1_000_000
        );
        // muted, status, seven states, five start modes, info
        assert!(counted.lines > 100_000 * 15 + 2_000);
        assert!(took < DEADLINE, "{took:?}");
    }
}
