//! Services that are heard at once, beside the same service polled, and what an idle registration costs: a whole svcwatch
//! in a process of its own, against Wine's service control manager behind Samba.

use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD, webhook as hook};
use crate::table::{Promise, Table, kibibytes, percentile, seconds};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// This part, for the table.
const PART: &str = "instant";
/// How often the service stops.
const STOPS: usize = 50;
/// The host that is heard, and how many names the same host has beside it that are only read.
const HEARD: &str = "heard";
const POLLED: usize = 25;
/// How long the service is left alone after it was started.
const PAUSE: Duration = Duration::from_millis(2_300);
/// The environment may ask for fewer.
const STOPS_VARIABLE: &str = "SVCWATCH_BENCH_STOPS";
/// Hosts of which eight services each are heard, for what an idle registration costs.
const HOSTS: u32 = 16;
const EACH: u32 = 8;
/// How long nothing happens while CPU time is counted.
const IDLE: Duration = Duration::from_secs(30);
/// How long anything may take.
const DEADLINE: Duration = Duration::from_mins(3);
/// Seconds from the order to stop until the webhook has it, by the median and by the slowest of a hundred.
const PROMISED: (f64, f64) = (0.1, 0.5);
/// Bytes of an idle registration.
const MEMORY: f64 = 4.0 * 1024.0;
/// CPU seconds of all idle registrations together in a second: what nobody can tell from nothing.
const CPU: f64 = 0.001;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    let host = WineHost::start();
    host.start_service("Spooler");
    measure_stops(table, &host);
    measure_idle(table, &host);
}

/// Which host a message was about, and when it came.
type Told = Receiver<(String, Instant)>;

/// svcwatch as a process.
struct Watch {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("svcwatch could not be ended: {error}");
        }
    }
}

impl Watch {
    fn start(rest: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
        write_config(&folder, rest);
        let log = fs::File::create(folder.path().join("log")).expect("a file can be written");
        let child = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .args(["run", "-c"])
            .arg(folder.path().join("svcwatch.yaml"))
            .arg("--data")
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.expect("svcwatch can be started");
        Self { child, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The value of a series of the metrics; nothing while svcwatch is not there yet.
    fn metric(&self, series: &str) -> Option<f64> {
        let log = self.log();
        let address = log.split("listens http://").nth(1)?.lines().next()?;
        let mut stream = TcpStream::connect(address).ok()?;
        write!(stream, "GET /metrics HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let line = answer.lines().find_map(|line| line.strip_prefix(series))?;
        line.trim().parse().ok()
    }

    fn wait(&self, series: &str, least: u32) {
        let begun = Instant::now();
        while self
            .metric(series)
            .is_none_or(|value| value < f64::from(least))
        {
            assert!(
                begun.elapsed() < DEADLINE,
                "no {least} of {series}: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Resident memory in bytes, without what stands in the file of the program and may be read from there again.
    fn memory(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).expect("svcwatch runs");
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let pages = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        pages.expect("Linux tells of memory") * 1024.0
    }

    /// CPU time so far, in seconds.
    fn cpu(&self) -> f64 {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let mut all = 0.0;
        for task in tasks.expect("svcwatch runs").flatten() {
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let spent = text
                .split_whitespace()
                .next()
                .and_then(|text| text.parse::<f64>().ok());
            all += spent.unwrap_or_else(|| panic!("no times in {path}"));
        }
        all / 1e9
    }
}

fn write_config(folder: &tempfile::TempDir, rest: &str) {
    let head = format!(
        "listen: 127.0.0.1:0\ncredentials: {{ ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }} }}\n"
    );
    fs::write(folder.path().join("svcwatch.yaml"), head + rest).expect("a file can be written");
}

/// The same service under many names: one is heard at once; all are read each 30 s, each at a moment of its own, so that
/// one stop is as many stops for polling.
fn measure_stops(table: &mut Table, host: &WineHost) {
    let (hook, told) = webhook();
    let port = host.port();
    let polled: Vec<String> = (0..POLLED)
        .map(|number| {
            format!("\x20 - {{ name: polled{number}, address: 127.0.0.1, port: {port}, services: [Spooler] }}\n")
        })
        .collect();
    let watch = Watch::start(&format!(
        "defaults: {{ every: 30s, timeout: 20s, credentials: ops }}\n\
         hosts:\n\
         \x20 - {{ name: {HEARD}, address: 127.0.0.1, port: {port}, services: [{{ name: Spooler, instant: true }}] }}\n\
         {}\
         destinations: {{ hook: {{ type: webhook, url: 'http://127.0.0.1:{hook}/in' }} }}\n",
        polled.join("")
    ));
    watch.wait("svcwatch_instant_events_total{event=\"listening\"}", 1);
    for number in 0..POLLED {
        watch.wait(&format!("svcwatch_host_up{{host=\"polled{number}\"}}"), 1);
    }
    let mut control = host.control();
    let spooler = control.open("Spooler");
    let asked = std::env::var(STOPS_VARIABLE).ok();
    let stops = asked.and_then(|text| text.parse().ok()).unwrap_or(STOPS);
    let mut by_polling = Vec::new();
    for _ in 0..stops.div_ceil(POLLED) {
        let begun = control.stop(spooler);
        // All and the one that hears.
        by_polling.extend(await_all(&told, begun));
        control.start(spooler);
        await_all(&told, Instant::now());
    }
    let mut heard = Vec::new();
    for _ in 0..stops {
        let begun = control.stop(spooler);
        heard.push(await_heard(&told).saturating_duration_since(begun));
        control.start(spooler);
        await_heard(&told);
        // News that does not end leads to one reading a second; an administrator is no faster either.
        thread::sleep(PAUSE);
    }
    for (percent, promised) in [(50, PROMISED.0), (99, PROMISED.1)] {
        table.promised(
            PART,
            format!("stop until a webhook has it, {stops} times, heard at once, p{percent}"),
            percentile(&mut heard, percent).as_secs_f64(),
            (Promise::AtMost, promised),
            seconds,
        );
    }
    let times = by_polling.len();
    let by_polling = [50, 99].map(|percent| percentile(&mut by_polling, percent).as_secs_f64());
    table.plain(
        PART,
        format!("… the same, {times} times, read each 30 s and held for `settle`, p50, p99"),
        by_polling.map(seconds).join(", "),
    );
}

/// Waits until every host has told once; gives how long it took those that are only read.
fn await_all(told: &Told, begun: Instant) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..=POLLED {
        let (about, at) = told.recv_timeout(DEADLINE).expect("all are told");
        if about != HEARD {
            took.push(at.saturating_duration_since(begun));
        }
    }
    took
}

/// When the host that is heard tells; what the others tell meanwhile is not waited for.
fn await_heard(told: &Told) -> Instant {
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        let (about, at) = told.recv_timeout(DEADLINE).expect("it is told");
        if about == HEARD {
            return at;
        }
    }
    panic!("nothing of what is heard was told within {DEADLINE:?}");
}

/// Memory and CPU of many registrations in which nothing happens.
fn measure_idle(table: &mut Table, host: &WineHost) {
    let port = host.port();
    let config = |instant: &str, every: u32| {
        let hosts: Vec<String> = (0..HOSTS)
            .map(|number| {
                format!("\x20 - {{ name: lab{number}, address: 127.0.0.1, port: {port}, services: [{{ name: '*', instant: true }}] }}\n")
            })
            .collect();
        format!(
            "instant: {instant}\ndefaults: {{ every: {every}s, timeout: 20s, credentials: ops }}\nhosts:\n{}",
            hosts.join("")
        )
    };
    let watch = Watch::start(&config("off", 19));
    watch.wait("svcwatch_checks_total{result=\"ok\"}", 2 * HOSTS);
    // What taking a new configuration costs is no part of a registration.
    write_config(&watch.folder, &config("off", 20));
    watch.wait("svcwatch_checks_total{result=\"ok\"}", 4 * HOSTS);
    let before = (watch.memory(), spent(&watch));
    write_config(&watch.folder, &config("on", 20));
    watch.wait(
        "svcwatch_instant_events_total{event=\"listening\"}",
        HOSTS * EACH,
    );
    // What was allocated while they were made is used again meanwhile.
    watch.wait("svcwatch_checks_total{result=\"ok\"}", 9 * HOSTS);
    let after = (watch.memory(), spent(&watch));
    table.promised(
        PART,
        format!("memory of an idle registration ({} of them)", HOSTS * EACH),
        (after.0 - before.0).max(0.0) / f64::from(HOSTS * EACH),
        (Promise::AtMost, MEMORY),
        kibibytes,
    );
    table.promised(
        PART,
        "CPU in a second of all of them together, idle, readings each 20 s taken off",
        (after.1 - before.1).max(0.0),
        (Promise::AtMost, CPU),
        seconds,
    );
}

/// CPU seconds that a second costs while nothing happens but readings.
fn spent(watch: &Watch) -> f64 {
    let before = watch.cpu();
    thread::sleep(IDLE);
    (watch.cpu() - before) / IDLE.as_secs_f64()
}

/// A webhook that notes when messages come and which host they are about.
fn webhook() -> (u16, Told) {
    let (sender, told) = mpsc::channel();
    let port = hook::webhook(move |body| {
        let now = Instant::now();
        let json: serde_json::Value = serde_json::from_slice(body).ok()?;
        sender.send((json["host"].as_str()?.to_owned(), now)).ok()
    });
    (port, told)
}
