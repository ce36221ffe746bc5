//! What Prometheus waits for: /metrics of 100,000 services, and /probe of one host with 300.

use crate::check::to_f64;
use crate::made;
use crate::run_support::{Host, House, Receiver, get, shown};
use crate::table::{Promise, Table, kibibytes, percentile, seconds};
use axum::body::HttpBody;
use std::fs;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use svcwatch::board::Board;
use svcwatch::facts::{Build, Facts};
use svcwatch::web::metrics::{Format, Metrics, Packing};
use svcwatch_core::observe::{ServiceDetails, StartType, State};
use svcwatch_core::plan::Expect;
use svcwatch_core::time::Wall;
use svcwatch_core::view::{HostView, ServiceView, View};

/// This part, for the table.
const PART: &str = "scrape";
/// The hosts, and the watched services of each.
const FLEET: (usize, usize) = (10_000, 10);
/// Seconds of a scrape, and bytes of memory for it.
const PROMISED: (f64, f64) = (1.0, 100.0 * 1024.0 * 1024.0);
/// Services of the host that is probed, and how often it is.
const PROBED: (usize, usize) = (300, 200);
/// Seconds of a probe.
const PROMISED_PROBE: f64 = 0.05;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        scrape(table).await;
        Box::pin(probe(table)).await;
    });
}

async fn scrape(table: &mut Table) {
    let facts = Arc::new(Facts::new(Build {
        version: "1.2.3",
        commit: "abc",
    }));
    let metrics = Arc::new(Metrics::new(Arc::new(board()), facts));
    let kinds = [(Packing::Plain, "as it is"), (Packing::Gzip, "by gzip")];
    for (packing, what) in kinds {
        // From here on the peak is counted anew (proc(5), clear_refs).
        fs::write("/proc/self/clear_refs", "5").expect("Linux forgets the peak");
        let before = memory("VmRSS:");
        let begun = Instant::now();
        let bytes = take(&metrics, packing).await;
        let took = begun.elapsed().as_secs_f64();
        let more = memory("VmHWM:").saturating_sub(before);
        let said = format!(
            "/metrics of {} hosts with {} services each, {what} ({:.0} MiB)",
            FLEET.0,
            FLEET.1,
            to_f64(bytes) / 1_048_576.0
        );
        table.promised(PART, said, took, (Promise::AtMost, PROMISED.0), seconds);
        table.promised(
            PART,
            "… memory for it at its peak",
            to_f64(more),
            (Promise::AtMost, PROMISED.1),
            kibibytes,
        );
    }
}

/// Takes a whole answer as a server would, and gives its length in bytes.
async fn take(metrics: &Arc<Metrics>, packing: Packing) -> u64 {
    let answer = metrics.answer(Format::OpenMetrics, packing);
    let mut body = pin!(answer.into_body());
    let mut bytes = 0;
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        let frame = frame.expect("the answer is whole");
        let length = frame.data_ref().map_or(0, axum::body::Bytes::len);
        bytes += u64::try_from(length).unwrap_or(0);
    }
    bytes
}

/// Bytes that Linux tells under this word of the process.
fn memory(word: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: Option<u64> = number.and_then(|number| number.parse().ok());
    kibibytes.expect("Linux tells how much memory a process has") * 1024
}

fn board() -> Board {
    let board = Board::new();
    let details = Arc::new(ServiceDetails {
        binary_path: Some(r"C:\Windows\System32\svchost.exe -k netsvcs".into()),
        run_as: Some("LocalSystem".into()),
        ..ServiceDetails::default()
    });
    for number in 0..FLEET.0 {
        let host = made::host(number);
        board.apply(View::Host(HostView {
            name: host.clone(),
            address: "192.0.2.1".to_owned(),
            site: None,
            fault: None,
            cause: None,
            since: Some(Wall(1_000)),
            checked_at: Some(Wall(2_000)),
            visible: Some(60),
            watched: 10,
            labels: Arc::from([]),
        }));
        let services = (0..FLEET.1).map(|service| {
            View::Service(ServiceView {
                host: host.clone(),
                service: made::service(service).as_str().into(),
                display_name: Some(Arc::from(format!("The Service {service:03}"))),
                friendly_name: None,
                state: State::Running,
                since: Wall(1_700_000_000_000),
                expected: Expect::Running,
                as_expected: true,
                group: None,
                start_type: Some(StartType::Automatic),
                trigger_start: Some(false),
                details: Some(Arc::clone(&details)),
                pid: Some(4_711),
                exit_code: Some(0),
                incident: None,
                muted: None,
                labels: Arc::from([]),
            })
        });
        board.apply_all(services);
    }
    board
}

/// The simulated host answers in this process, and its own time counts as ours.
async fn probe(table: &mut Table) {
    let names: Vec<String> = (0..PROBED.0).map(made::service).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (host, receiver) = (Host::start(&names).await, Receiver::start().await);
    let house = House::of(&host, &receiver, "[Service000]");
    let app = house.start().await;
    shown(&app, "Service000", "running").await;
    let mut took: Vec<Duration> = Vec::with_capacity(PROBED.1);
    for _ in 0..PROBED.1 {
        let begun = Instant::now();
        let (status, text) = get(&app, "/probe?target=lab").await;
        took.push(begun.elapsed());
        assert!(
            status == 200 && text.contains("\nprobe_success 1\n"),
            "{status} {text}"
        );
    }
    table.promised(
        PART,
        format!(
            "/probe of a host with {} services over a kept session, p99 of {}",
            PROBED.0, PROBED.1
        ),
        percentile(&mut took, 99).as_secs_f64(),
        (Promise::AtMost, PROMISED_PROBE),
        seconds,
    );
    table.plain(
        PART,
        "… p50",
        seconds(percentile(&mut took, 50).as_secs_f64()),
    );
    app.stop().await.expect("svcwatch ends");
}
