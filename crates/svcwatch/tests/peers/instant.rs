//! Heard at once, from real servers: Wine's service control manager behind Samba tells of changes by itself, Samba's own
//! does not know how to.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use svcwatch::app::{App, Options};
use svcwatch::config::{self, LoadOptions};

use crate::story::{Arrived, webhook};
use crate::support::samba::{Samba, Settings};
use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(90);

/// How often the service stops.
const STOPS: usize = 20;

/// Ten times what is promised of a stop until it is told, by the median and by the slowest.
const MEDIAN: Duration = Duration::from_secs(1);
const SLOWEST: Duration = Duration::from_secs(5);

/// How often a session breaks.
const BREAKS: u64 = 3;

/// How many threads a host may begin and keep for reasons of its own.
const THREADS_OF_ITS_OWN: usize = 3;

/// How many threads of ours come and go with what is asked meanwhile: fewer than one for each session that broke.
const PASSING_THREADS: usize = 2;

/// What a host that vanishes without a word has before its session is given up: the minute between two signs of life, and how
/// long one is waited for (docs/instant.md).
const GIVEN_UP: Duration = Duration::from_secs(80);

/// How often a service changes as fast as it can, and how long nothing follows that.
const CHANGES: usize = 1_000;
const QUIET: Duration = Duration::from_secs(5);

/// svcwatch in this process, with a webhook.
struct Watch {
    app: App,
    told: Arrived,
    folder: tempfile::TempDir,
    port: u16,
    hook: u16,
}

impl Watch {
    /// Watches a service that is to be heard at once, with readings so far apart.
    async fn begin(port: u16, service: &'static str, every: &str) -> Self {
        let (hook, told) = webhook();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let config = folder.path().join("svcwatch.yaml");
        fs::write(&config, text(port, hook, service, every, "on")).expect("a file can be written");
        let options = Options {
            data: Some(folder.path().join("data")),
            ..Options::default()
        };
        let loaded = config::load(&[config], LoadOptions::default());
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        let app = App::start(loaded, options).await;
        Self {
            app: app.expect("it starts"),
            told,
            folder,
            port,
            hook,
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("svcwatch.yaml")
    }

    async fn ask(&self, path: &str) -> String {
        let (address, path) = (self.app.address(), path.to_owned());
        let asked = tokio::task::spawn_blocking(move || fetch(address, &path));
        asked.await.expect("nobody panicked")
    }

    /// The value of a series of the metrics.
    async fn metric(&self, series: &str) -> u64 {
        let metrics = self.ask("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(series));
        let value = line.and_then(|rest| rest.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {series} in {metrics}"))
    }

    async fn wait(&self, what: &str, mut is_so: impl AsyncFnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self).await {
            assert!(
                begun.elapsed() < DEADLINE,
                "not within {DEADLINE:?}: {what}\n{}\n{}",
                self.ask("/api/v1/explain?host=lab").await,
                self.ask("/metrics").await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn wait_listening(&self, times: u64) {
        let series = "svcwatch_instant_events_total{event=\"listening\"}";
        self.wait("the host tells of changes", async |watch| {
            watch.metric(series).await >= times
        })
        .await;
    }

    /// The kind of the last message, where there is one.
    fn last_kind(&self) -> Option<String> {
        let told = self.told.lock().expect("nobody panicked");
        told.last().map(|message| message.kind.clone())
    }

    fn told(&self) -> usize {
        self.told.lock().expect("nobody panicked").len()
    }

    /// How long it takes from a moment until so many messages have arrived.
    async fn told_after(&self, begun: Instant, count: usize) -> Duration {
        while self.told() < count {
            if begun.elapsed() > DEADLINE {
                let told = &self.told;
                panic!("{count} messages did not come: {told:#?}");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        begun.elapsed()
    }
}

fn text(port: u16, hook: u16, service: &str, every: &str, instant: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\n\
         instant: {instant}\n\
         credentials: {{ ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }} }}\n\
         defaults: {{ every: {every}, timeout: 20s, credentials: ops }}\n\
         hosts: [{{ name: lab, address: 127.0.0.1, port: {port}, services: [{{ name: {service}, instant: true }}] }}]\n\
         destinations: {{ hook: {{ type: webhook, url: 'http://127.0.0.1:{hook}/in' }} }}\n"
    )
}

fn fetch(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the API listens");
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Our own threads and open descriptors: svcwatch runs in this process, and so does nothing else but the story.
fn own() -> (usize, usize) {
    let count = |what: &str| {
        let entries = fs::read_dir(format!("/proc/self/{what}"));
        entries.expect("Linux tells of us").count()
    };
    (count("task"), count("fd"))
}

/// The processes that a process has begun.
fn children(of: u32) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|id| Pid::from_raw(id.parse().ok()?))
        .collect()
}

/// Ends the processes that serve our sessions, as a host that goes down in the middle of a blocked call.
fn end_sessions(host: &WineHost) {
    signal_sessions(host, Signal::KILL);
}

fn signal_sessions(host: &WineHost, signal: Signal) -> Vec<Pid> {
    let sessions = children(host.samba().process_id());
    for child in &sessions {
        // One that has ended meanwhile is as good as ended by us.
        if let Err(error) = kill_process(*child, signal) {
            println!("{error}");
        }
    }
    sessions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_heard_at_once_and_told() {
    let host = WineHost::start();
    host.start_service("Spooler");
    let watch = Watch::begin(host.port(), "Spooler", "1h").await;
    watch.wait_listening(1).await;
    let mut control = host.control();
    let spooler = control.open("Spooler");
    let mut took = Vec::new();
    for round in 0..STOPS {
        let begun = control.stop(spooler);
        took.push(watch.told_after(begun, 2 * round + 1).await);
        control.start(spooler);
        watch.told_after(Instant::now(), 2 * round + 2).await;
        // Each piece of news may have the host read only so often; an administrator is no faster either.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    took.sort();
    println!(
        "from the order to stop until the webhook had it, {STOPS} times, readings an hour apart: median {:?}, slowest {:?}",
        took[STOPS / 2],
        took[STOPS - 1]
    );
    assert!(took[STOPS / 2] <= MEDIAN, "{took:?}");
    assert!(took[STOPS - 1] <= SLOWEST, "{took:?}");
    assert!(host.pipes() <= 2, "{} pipes are open", host.pipes());

    // One word ends it all.
    fs::write(
        watch.config(),
        text(watch.port, watch.hook, "Spooler", "1h", "off"),
    )
    .expect("a file can be written");
    watch.app.reload().await.expect("it is good");
    watch
        .wait("nothing is registered", async |watch| {
            watch.metric("svcwatch_instant_registrations ").await == 0 && host.pipes() <= 1
        })
        .await;
    let explained = watch.ask("/api/v1/explain?host=lab&service=Spooler").await;
    assert!(explained.contains("`instant: off`"), "{explained}");
    watch.app.stop().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_breaks_is_listened_to_anew_and_leaks_nothing() {
    let host = WineHost::start();
    host.start_service("Spooler");
    let watch = Watch::begin(host.port(), "Spooler", "1h").await;
    watch.wait_listening(1).await;
    let threads = host.threads();
    let before = own();
    for round in 1..=BREAKS {
        end_sessions(&host);
        watch.wait_listening(1 + round).await;
    }
    let nothing_left = || {
        let now = own();
        now.0 <= before.0 + PASSING_THREADS && now.1 <= before.1
    };
    watch
        .wait("we keep nothing of the broken sessions", async |_| {
            nothing_left()
        })
        .await;
    println!(
        "our threads and descriptors: {before:?} before, {:?} after",
        own()
    );
    let lost = watch
        .metric("svcwatch_instant_events_total{event=\"lost\"}")
        .await;
    assert!(lost >= BREAKS, "{lost}");
    let mut control = host.control();
    let spooler = control.open("Spooler");
    let begun = control.stop(spooler);
    let took = watch.told_after(begun, 1).await;
    println!("after {BREAKS} broken sessions a stop was told after {took:?}");
    watch
        .wait("the pipes of the broken sessions are closed", async |_| {
            host.pipes() <= 2
        })
        .await;
    watch
        .wait("the host waits for nobody any more", async |_| {
            host.threads() <= threads + THREADS_OF_ITS_OWN
        })
        .await;
    println!(
        "threads of the host: {threads} before, {} after",
        host.threads()
    );
    watch.app.stop().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_vanishes_without_a_word_is_noticed_by_the_echo() {
    let host = WineHost::start();
    host.start_service("Spooler");
    let watch = Watch::begin(host.port(), "Spooler", "1h").await;
    watch.wait_listening(1).await;
    let checks = "svcwatch_checks_total{result=\"ok\"}";
    let before = watch.metric(checks).await;
    // What serves our session answers nothing any more, and its connection stays; others would be served.
    let begun = Instant::now();
    let silent = signal_sessions(&host, Signal::STOP);
    assert!(!silent.is_empty(), "somebody serves our session");
    let lost = "svcwatch_instant_events_total{event=\"lost\"}";
    watch
        .wait("the session is given up", async |watch| {
            watch.metric(lost).await >= 1
        })
        .await;
    let took = begun.elapsed();
    println!("the session was given up after {took:?}");
    assert!(took <= GIVEN_UP + Duration::from_secs(5), "{took:?}");
    // Readings are an hour apart, so it is this one; and what it logs on for is heard again.
    watch
        .wait("the host was read", async |watch| {
            watch.metric(checks).await > before
        })
        .await;
    watch.wait_listening(2).await;
    let mut control = host.control();
    let spooler = control.open("Spooler");
    let begun = control.stop(spooler);
    let told = watch.told_after(begun, 1).await;
    assert!(told <= SLOWEST, "{told:?}");
    for one in silent {
        if let Err(error) = kill_process(one, Signal::KILL) {
            println!("{error}");
        }
    }
    watch.app.stop().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_changes_in_a_second_lose_nothing_at_the_end() {
    let host = WineHost::start();
    host.add_service("Busy");
    let mut control = host.control();
    let busy = control.open_as_its_own("Busy");
    control.set_runs(busy, true);
    let watch = Watch::begin(host.port(), "Busy", "1h").await;
    watch.wait_listening(1).await;
    let checks = "svcwatch_checks_total{result=\"ok\"}";
    for (runs, kind) in [(false, "opened"), (true, "resolved")] {
        let before = watch.metric(checks).await;
        let begun = Instant::now();
        for _ in 0..CHANGES / 2 {
            control.set_runs(busy, !runs);
            control.set_runs(busy, runs);
        }
        let took = begun.elapsed();
        let says = |watch: &Watch| watch.last_kind().as_deref() == Some(kind);
        watch
            .wait("the last message says how it is", async |watch| says(watch))
            .await;
        tokio::time::sleep(QUIET).await;
        assert!(says(&watch), "it is still the last one");
        let checked = watch.metric(checks).await - before;
        println!(
            "{CHANGES} changes in {took:?}: {checked} readings, {} messages in all",
            watch.told()
        );
        // Five at once, then one each second, and as many that a service which left running leads to.
        let most = 2 * (took + QUIET).as_secs() + 10;
        assert!(checked <= most, "{checked} readings, at most {most}");
    }
    assert_eq!(watch.metric("svcwatch_instant_registrations ").await, 1);
    assert!(host.pipes() <= 2, "{} pipes are open", host.pipes());
    watch.app.stop().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_booted_in_the_middle_of_a_wait_is_listened_to_again() {
    let mut host = WineHost::start();
    host.start_service("Spooler");
    let watch = Watch::begin(host.port(), "Spooler", "1s, boot_grace: 0s").await;
    watch.wait_listening(1).await;
    host.shut_down();
    watch
        .wait("the wait is broken", async |watch| {
            watch.metric("svcwatch_instant_registrations ").await == 0
        })
        .await;
    assert_eq!(watch.told(), 0, "nobody knows how the service is");
    host.boot();
    host.start_service("Spooler");
    watch.wait_listening(2).await;
    watch
        .wait("it is well", async |watch| {
            watch.last_kind().is_none_or(|kind| kind == "resolved")
        })
        .await;
    let told = watch.told();
    let heard = "svcwatch_instant_events_total{event=\"heard\"}";
    let before = watch.metric(heard).await;
    let mut control = host.control();
    let spooler = control.open("Spooler");
    let begun = control.stop(spooler);
    let took = watch.told_after(begun, told + 1).await;
    println!("after a boot a stop was told after {took:?}");
    watch
        .wait("the stop was heard and not only read", async |watch| {
            watch.metric(heard).await > before
        })
        .await;
    watch
        .wait("nothing of the first wait is left", async |_| {
            host.pipes() <= 2
        })
        .await;
    watch.app.stop().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_tell_is_read_as_ever_and_explain_says_so() {
    let samba = Samba::start(&Settings::default());
    let watch = Watch::begin(samba.port(), "Spooler", "1s").await;
    watch
        .wait("the host says that it cannot", async |watch| {
            watch
                .metric("svcwatch_instant_events_total{event=\"not_offered\"}")
                .await
                == 1
        })
        .await;
    let explained = watch.ask("/api/v1/explain?host=lab&service=Spooler").await;
    assert!(explained.contains("only readings show them"), "{explained}");
    samba.net_rpc_service(&["stop", "Spooler"]);
    watch.told_after(Instant::now(), 1).await;
    let asked = watch
        .metric("svcwatch_instant_events_total{event=\"not_offered\"}")
        .await;
    assert_eq!(asked, 1, "it is not asked again over the same session");
    watch.app.stop().await.expect("it ends");
}
