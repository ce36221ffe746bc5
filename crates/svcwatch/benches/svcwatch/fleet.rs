//! 5,000 simulated hosts in a process of their own: whether each is read every 30 s, and how long it takes from the
//! stop of a service until a webhook is told.

use crate::check::to_f64;
use crate::table::{Promise, Table, percentile, seconds};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use svcwatch::app::{App, Options};
use svcwatch::config::{
    Body, Config, DestinationSettings, Method, WebhookSettings, WordingSettings,
};
use svcwatch::demo::cast::Cast;
use svcwatch::demo::plan::{Pace, Reached, config};
use svcwatch::demo::{Difference, Fleet, World};
use svcwatch::os;
use svcwatch::secret::Secret;
use svcwatch::store::StoreOptions;
use svcwatch_core::id::Name;
use svcwatch_core::plan::DestinationPlan;
use svcwatch_core::time::Span;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The word by which the process of the fleet is started.
pub(crate) const CHILD: &str = "--fleet";
/// This part, for the table.
const PART: &str = "fleet";
/// The hosts.
const HOSTS: usize = 5_000;
/// How often each is read.
const EVERY: Duration = Duration::from_secs(30);
/// How long the first look may take.
const FIRST_LOOK: Duration = Duration::from_mins(5);
/// How long is measured, in which so many services are stopped, one after another, over the first part of it.
const MEASURED: Duration = Duration::from_mins(2);
const STOPS: u32 = 400;
const STOPPED_OVER: Duration = Duration::from_secs(75);
/// Seconds of lag.
const PROMISED_LAG: f64 = 1.0;
/// One round and a second.
const PROMISED_TOLD: f64 = 31.0;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(Box::pin(watch(table)));
}

/// The process of the fleet: says where it listens, then stops each service that it is told to.
pub(crate) fn child(words: &[String]) -> ExitCode {
    let hosts = words.get(1).and_then(|hosts| hosts.parse().ok());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    raise_open_files();
    let world = Arc::new(World::new(hosts.expect("a number of hosts is given")));
    let fleet = runtime.block_on(async { Fleet::start(Arc::clone(&world)) });
    let fleet = fleet.expect("a port can be had");
    println!("{}", fleet.address());
    for line in std::io::stdin().lines() {
        let line = line.expect("the other process writes text");
        let (host, service) = line
            .split_once(' ')
            .expect("a host and a service are given");
        let target = world.target(host, service).expect("there is that service");
        world.set(target, Some(Difference::stopped(1_067, 0)));
    }
    ExitCode::SUCCESS
}

fn raise_open_files() {
    if let Err(have) = os::raise_open_files(2 * u64::try_from(HOSTS).unwrap_or(0)) {
        eprintln!("only {have} files can be open at once, so some hosts will not be reached");
    }
}

/// The process of the fleet, ended with this value.
struct Apart {
    child: Child,
    orders: ChildStdin,
    address: SocketAddr,
}

impl Apart {
    fn start() -> Self {
        let program = std::env::current_exe().expect("this program knows its own path");
        let mut child = Command::new(program)
            .args([CHILD, &HOSTS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let orders = child.stdin.take().expect("its input is ours");
        let output = child.stdout.take().expect("its output is ours");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().parse().expect("that is an address");
        Self {
            child,
            orders,
            address,
        }
    }

    fn stop(&mut self, host: &str, service: &str) {
        writeln!(self.orders, "{host} {service}").expect("the fleet takes orders");
        self.orders.flush().expect("the fleet takes orders");
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// When the first byte about each host came in.
type Told = Arc<Mutex<HashMap<String, Instant>>>;

async fn watch(table: &mut Table) {
    let mut apart = Apart::start();
    let told = Told::default();
    let hook = receive(Arc::clone(&told)).await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let world = World::new(HOSTS);
    let config = configured(&world, apart.address, hook, folder.path());
    let options = Options {
        data: Some(folder.path().join("store")),
        store: StoreOptions { ballast: 0 },
        ..Options::default()
    };
    let app = Box::pin(App::start(config, options))
        .await
        .expect("svcwatch starts");
    first_look(&app).await;

    let before = Metrics::read(app.address()).await;
    let begun = Instant::now();
    let stopped = stop_some(&world, &mut apart).await;
    sleep(MEASURED.saturating_sub(begun.elapsed())).await;
    let after = Metrics::read(app.address()).await;
    let took = begun.elapsed();

    let mut waited: Vec<Duration> = {
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = stopped
            .iter()
            .filter_map(|(host, at)| Some(told.get(host)?.duration_since(*at)));
        waited.collect()
    };
    assert_eq!(waited.len(), stopped.len(), "every stop was told");
    report(table, &before, &after, took, &mut waited);
    app.stop().await.expect("svcwatch ends");
}

fn report(
    table: &mut Table,
    before: &Metrics,
    after: &Metrics,
    took: Duration,
    waited: &mut [Duration],
) {
    let checks = after.sum("svcwatch_checks_total") - before.sum("svcwatch_checks_total");
    let rounds =
        to_f64(u64::try_from(HOSTS).unwrap_or(0)) * took.as_secs_f64() / EVERY.as_secs_f64();
    let missed =
        after.sum("svcwatch_missed_rounds_total") - before.sum("svcwatch_missed_rounds_total");
    table.plain(
        PART,
        format!("checks of {HOSTS} hosts in {:.0} s", took.as_secs_f64()),
        format!("{checks:.0} of {rounds:.0}, {missed:.0} rounds missed"),
    );
    table.promised(
        PART,
        "schedule lag, p99 (the bound of its bucket)",
        after.lag(before, 0.99),
        (Promise::AtMost, PROMISED_LAG),
        seconds,
    );
    table.promised(
        PART,
        format!(
            "stop to first byte at the webhook, settle 0, p99 of {}",
            waited.len()
        ),
        percentile(waited, 99).as_secs_f64(),
        (Promise::AtMost, PROMISED_TOLD),
        seconds,
    );
    table.plain(
        PART,
        "… p50, where half a round passes until the next look",
        seconds(percentile(waited, 50).as_secs_f64()),
    );
}

/// The demo's configuration, with nothing held and a webhook in place of the terminal.
fn configured(world: &World, fleet: SocketAddr, hook: SocketAddr, folder: &Path) -> Config {
    let pace = Pace {
        every: Span(u64::try_from(EVERY.as_millis()).unwrap_or(u64::MAX)),
        timeout: Span::seconds(10),
        settle: Span::ZERO,
        ..Pace::new(HOSTS, 1.0)
    };
    let reached = Reached {
        hosts: fleet,
        nobody: fleet,
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = config(
        world,
        &Cast::default(),
        reached,
        pace,
        listen,
        folder.join("told"),
    );
    let name = Name::new("hook");
    config.core.destinations = vec![DestinationPlan {
        name: name.clone(),
        recipients: vec![Arc::from("")],
        limit: None,
    }];
    let settings = WebhookSettings {
        url: Secret::from(format!("http://{hook}/").as_str()),
        method: Method::Post,
        body: Body::Svcwatch,
        headers: Vec::new(),
        secret: None,
        wording: WordingSettings::default(),
        ca: None,
        verify: true,
        timeout: Span::seconds(10),
    };
    config.destinations = BTreeMap::from([(name, DestinationSettings::Webhook(settings))]);
    config
}

/// Waits until every host was read.
async fn first_look(app: &App) {
    let until = Instant::now() + FIRST_LOOK;
    loop {
        let mut read = 0;
        app.board().walk_hosts(None, usize::MAX, |host| {
            read += usize::from(host.fault.is_none() && host.checked_at.is_some());
            ControlFlow::Continue(())
        });
        if read == HOSTS {
            // The round that the last of them began is not measured.
            sleep(EVERY).await;
            return;
        }
        assert!(Instant::now() < until, "only {read} hosts were read");
        sleep(Duration::from_secs(1)).await;
    }
}

/// Stops a service on some of the hosts, evenly over time; gives when each was stopped.
async fn stop_some(world: &World, apart: &mut Apart) -> Vec<(String, Instant)> {
    let mut stopped = Vec::new();
    let begun = Instant::now();
    for number in 0..STOPS {
        sleep((STOPPED_OVER / STOPS * number).saturating_sub(begun.elapsed())).await;
        let host =
            usize::try_from(number).unwrap_or(0) * (HOSTS / usize::try_from(STOPS).unwrap_or(1));
        let name = world.host_name(host).to_owned();
        stopped.push((name.clone(), Instant::now()));
        apart.stop(&name, "Spooler");
    }
    stopped
}

/// A webhook that takes everything; gives where it listens.
async fn receive(told: Told) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port can be had");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            // A connection that breaks is one that svcwatch opens again.
            tokio::spawn(async move { drop(requests(stream, &told).await) });
        }
    });
    address
}

/// Answers every request of a connection, and notes when its first byte came.
async fn requests(mut stream: TcpStream, told: &Told) -> std::io::Result<()> {
    loop {
        let mut request = vec![stream.read_u8().await?];
        let first = Instant::now();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&request).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if let Ok(notice) = serde_json::from_slice::<serde_json::Value>(&body)
            && let Some(host) = notice["host"].as_str()
        {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.entry(host.to_owned()).or_insert(first);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
}

/// What svcwatch says of itself at one moment.
#[derive(Debug)]
struct Metrics(String);

impl Metrics {
    async fn read(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("svcwatch listens");
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("svcwatch listens");
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .await
            .expect("svcwatch answers");
        Self(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The values of a metric with all its labels.
    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let labels = series.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{'))
                .then(|| Some((labels, value.parse().ok()?)))?
        })
    }

    fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|(_, value)| value).sum()
    }

    /// The bound below which such a part of the lags since then lies, in seconds.
    fn lag(&self, since: &Self, part: f64) -> f64 {
        let buckets = "svcwatch_schedule_lag_seconds_bucket";
        let earlier: HashMap<&str, f64> = since.of(buckets).collect();
        let grown = self.of(buckets).filter_map(|(labels, value)| {
            let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().ok()?
            };
            Some((bound, value - earlier.get(labels).copied().unwrap_or(0.0)))
        });
        let grown: Vec<(f64, f64)> = grown.collect();
        let all = grown.iter().map(|(_, count)| *count).fold(0.0, f64::max);
        assert!(all > 0.0, "nothing was checked");
        let below = grown.iter().filter(|(_, count)| *count >= all * part);
        below.map(|(bound, _)| *bound).fold(f64::INFINITY, f64::min)
    }
}
