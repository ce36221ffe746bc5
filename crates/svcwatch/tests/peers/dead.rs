//! A host that dies, with forty services on it: the metrics of a svcwatch that watches it, a real Prometheus with our
//! rules, a real Alertmanager with what we say it is to hide, and one notification in the end. The same by /probe, with
//! the jobs that our documentation has.

use crate::{
    prometheus::{Told, printed, wait, webhook},
    run_support::{Host, House, STOPPED, shown},
    support::{process::free_port, prometheus::Server},
};
use serde_json::Value;
use std::{thread, time::Duration};
use svcwatch::app::App;
use tokio::runtime::Runtime;

/// Services on each host.
const SERVICES: usize = 40;
/// Longer than the rules and Alertmanager wait: what was to be told besides has been told by then.
const QUIET: Duration = Duration::from_secs(20);

/// Three hosts, a svcwatch that watches them, and what is told of them.
struct Scene {
    /// Where the one lives that is to die.
    doomed: Runtime,
    app: App,
    runtime: Runtime,
    _house: House,
}

fn names() -> Vec<String> {
    (1..=SERVICES)
        .map(|number| format!("service-{number}"))
        .collect()
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime can be started")
}

impl Scene {
    /// One host is well but for one service, one is well, and at one nobody ever listened.
    fn new() -> Self {
        let (runtime, doomed) = (runtime(), runtime());
        let names = names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let dies = doomed.block_on(Host::start(&names));
        let lives = runtime.block_on(Host::start(&names));
        lives.put("service-1", STOPPED);
        let host = |name: &str, port: u16| {
            let services = names.join(", ");
            format!(
                "- {{ name: {name}, address: 127.0.0.1, port: {port}, services: [{services}] }}\n"
            )
        };
        let house = House::new(&format!(
            "listen: 127.0.0.1:0\n\
             credentials: {{ ops: {{ user: watcher, password: {{ env: PATH }} }} }}\n\
             defaults: {{ every: 1s, timeout: 5s, host_for: 2s, settle: 0s, credentials: ops }}\n\
             destinations: {{ out: {{ type: log, path: told.jsonl }} }}\n\
             hosts:\n{}{}{}",
            host("dies", dies.address.port()),
            host("lives", lives.address.port()),
            host("never", free_port()),
        ));
        let app = runtime.block_on(async {
            let app = house.start().await;
            shown(&app, "service-40", "running").await;
            app
        });
        Self {
            doomed,
            app,
            runtime,
            _house: house,
        }
    }

    fn address(&self) -> String {
        self.app.address().to_string()
    }

    /// Plays it, with a Prometheus that has these jobs.
    fn play(self, jobs: &str) {
        let (hook, told) = webhook();
        let alertmanager = Server::alertmanager(hook, &printed(&["rules", "--inhibit"]));
        let prometheus = Server::prometheus_with(jobs, &[&shortened()], &alertmanager);
        let seen = || {
            let told = told.lock().expect("nobody panicked");
            format!("{told:#?}\n{:#}", prometheus.get("/api/v1/alerts"))
        };
        let is_told = |host: &str| {
            wait(&format!("{host} is told"), seen, || {
                firing(&told).iter().any(|(of, _)| of == host).then_some(())
            });
        };
        is_told("never");
        is_told("lives");
        thread::sleep(QUIET);
        let before = [
            ("lives", "WindowsServiceStopped"),
            ("never", "WindowsHostUnreachable"),
        ];
        assert_eq!(firing(&told), owned(&before), "{}", seen());

        self.doomed.shutdown_background();
        is_told("dies");
        thread::sleep(QUIET);
        let after = [
            ("dies", "WindowsHostUnreachable"),
            ("lives", "WindowsServiceStopped"),
            ("never", "WindowsHostUnreachable"),
        ];
        assert_eq!(firing(&told), owned(&after), "{}", seen());
        let notifications = told.lock().expect("nobody panicked").len();
        assert_eq!(notifications, after.len(), "{}", seen());
        self.runtime.block_on(self.app.stop()).expect("it stops");
    }
}

/// Our rules, but for how long something must last: all of them, also those of many at once.
fn shortened() -> String {
    let rules = printed(&["rules"]);
    let shortened = [("1m", "3s"), ("5m", "6s"), ("10m", "8s")]
        .iter()
        .fold(rules, |rules, (long, short)| {
            rules.replace(&format!("for: {long}\n"), &format!("for: {short}\n"))
        });
    assert!(shortened.contains("for: 3s"), "{shortened}");
    shortened
}

/// All that was told as firing, each as host and alert, sorted. A rule that hosts have nothing to do with has none.
fn firing(told: &Told) -> Vec<(String, String)> {
    let told = told.lock().expect("nobody panicked");
    let mut firing: Vec<(String, String)> = told
        .iter()
        .flat_map(|notification| notification["alerts"].as_array().expect("a list"))
        .map(|alert: &Value| {
            assert_eq!(alert["status"], "firing", "{alert:#}");
            let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
            (label("host").to_owned(), label("alertname").to_owned())
        })
        .collect();
    firing.sort();
    firing
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(host, alert)| ((*host).to_owned(), (*alert).to_owned()))
        .collect()
}

/// The jobs that the documentation has for /probe, for a svcwatch at this address, and more often.
fn documented(address: &str) -> String {
    let page = include_str!("../../../../docs/prometheus.md");
    let mut examples = page
        .split("```yaml\n")
        .filter_map(|rest| rest.split("```").next());
    let jobs = examples
        .find(|example| example.contains("metrics_path: /probe"))
        .expect("it has an example");
    assert!(jobs.contains("scrape_interval: 60s"), "{jobs}");
    jobs.replace("scrape_interval: 60s", "scrape_interval: 2s")
        .replace("127.0.0.1:7467", address)
}

#[test]
fn a_dead_host_with_forty_services_is_one_notification() {
    let scene = Scene::new();
    let jobs = format!(
        "scrape_configs: [{{ job_name: svcwatch, static_configs: [{{ targets: ['{}'] }}] }}]\n",
        scene.address()
    );
    scene.play(&jobs);
}

#[test]
fn a_dead_host_is_one_notification_by_probe_too() {
    let scene = Scene::new();
    let jobs = documented(&scene.address());
    scene.play(&jobs);
}
