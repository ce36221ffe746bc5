//! The story of the rule that went silent: a real Prometheus scrapes svcwatch with that rule, unchanged, a real service
//! stops, and a real Alertmanager tells it.

use crate::support::{
    ADMINISTRATOR, PASSWORD,
    process::Running,
    prometheus::{Server, ask},
    webhook,
    wine::WineHost,
};
use crate::{evidence, story};
use serde_json::Value;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take. The rule alone waits for a minute.
const DEADLINE: Duration = Duration::from_mins(4);

/// The rule as people have it, but for its name and its minute.
const SHORTENED: &str = "groups:\n- name: shortened\n  rules:\n  - alert: Shortened\n    expr: windows_service_status{status=\"ok\"} != 1\n    for: 3s\n    labels: { severity: critical }\n";

/// What Alertmanager told, each notification as it came.
pub(crate) type Told = Arc<Mutex<Vec<Value>>>;

/// A webhook that keeps what it is told.
pub(crate) fn webhook() -> (u16, Told) {
    let told = Told::default();
    let kept = Arc::clone(&told);
    let port = webhook::webhook(move |body| {
        let notification = serde_json::from_slice(body).ok()?;
        kept.lock().expect("nobody panicked").push(notification);
        Some(())
    });
    (port, told)
}

/// The alerts of this name and status in all notifications.
fn alerts(told: &Told, name: &str, status: &str) -> Vec<Value> {
    let told = told.lock().expect("nobody panicked");
    told.iter()
        .filter_map(|notification| notification["alerts"].as_array())
        .flatten()
        .filter(|alert| alert["labels"]["alertname"] == name && alert["status"] == status)
        .cloned()
        .collect()
}

pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
        .args(arguments)
        .output()
        .expect("svcwatch can be started");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The configuration of a svcwatch that watches this host and tells a webhook. `remedy` is what it does about a service.
fn config(host: &WineHost, hook: u16, remedy: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\n\
         credentials:\n\
         \x20 ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }}\n\
         \x20 hands: {{ user: {ADMINISTRATOR}, password: {{ file: password }}, acting: true }}\n\
         defaults: {{ every: 1s, timeout: 20s, settle: 0s, credentials: ops }}\n\
         hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [{{ name: Spooler, remedy: {remedy} }}] }}]\n\
         evidence: {{ event_log: tell, wait: 20s, deadline: 30s }}\n\
         remedy: {{ restart: {{ attempts: 3, every: 10s }} }}\n\
         destinations: {{ hook: {{ type: webhook, url: 'http://127.0.0.1:{hook}/in' }} }}\n",
        host.port()
    )
}

/// A svcwatch that watches this host, and where it listens.
fn svcwatch(host: &WineHost, hook: u16, folder: &Path) -> (Running, String) {
    let password = folder.join("password");
    fs::write(&password, PASSWORD).expect("a file can be written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let config = config(host, hook, "off");
    fs::write(folder.join("svcwatch.yaml"), config).expect("a file can be written");
    let log = folder.join("log");
    let mut running = Running::start(
        Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .arg("run")
            .arg("-c")
            .arg(folder.join("svcwatch.yaml"))
            .arg("--data")
            .arg(folder.join("data"))
            .env("RUST_LOG", "svcwatch=info")
            .stdout(File::create(folder.join("told")).expect("a file can be written"))
            .stderr(File::create(&log).expect("a file can be written")),
    );
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let address = || {
        let said = said();
        let rest = said.split("listens http://").nth(1)?;
        Some(rest.lines().next()?.trim().to_owned())
    };
    running.wait_until(
        "the service is shown as running",
        || {
            address()
                .and_then(|address| ask(&address, "GET", "/metrics", ""))
                .is_some_and(|(_, text)| {
                    text.contains(
                        "windows_service_status{host=\"lab\",name=\"spooler\",status=\"ok\"} 1",
                    )
                })
        },
        said,
    );
    (running, address().expect("it listens"))
}

pub(crate) fn wait<T>(
    what: &str,
    seen: impl Fn() -> String,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            println!("{what}: after {:.1?}", begun.elapsed());
            return found;
        }
        assert!(
            begun.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}\n{}",
            seen()
        );
        thread::sleep(Duration::from_millis(200));
    }
}

/// The alerts that a service that stopped leads to.
const ALERTS: [&str; 3] = [
    "Shortened",
    "WindowsServerServiceStatus",
    "WindowsServiceStopped",
];

/// The last message of a kind that svcwatch itself told.
fn last(own: &story::Arrived, kind: &str) -> Option<Value> {
    let own = own.lock().expect("nobody panicked");
    let message = own.iter().rev().find(|message| message.kind == kind)?;
    serde_json::from_str(message.body()).ok()
}

/// The notice says why, with the exit code and the lines of the event log.
fn explains_itself(notice: &Value) {
    assert_eq!(notice["cause_kind"], "ended_unexpectedly", "{notice:#}");
    assert_eq!(notice["exit_code"], 1067);
    let events = evidence::texts(notice, "event");
    assert!(
        events[0].starts_with("System 7034 Service Control Manager: ended unexpectedly"),
        "{notice:#}"
    );
}

/// The address in an alert leads to a page that knows what is wrong.
fn leads_to_its_page(alert: &Value, address: &str) {
    let url = alert["annotations"]["runbook_url"]
        .as_str()
        .expect("a link");
    let path = url
        .strip_prefix(&format!("http://{address}"))
        .expect("our own");
    let (status, page) = ask(address, "GET", path, "").expect("an answer");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("<th>State</th><td>stopped</td>"), "{page}");
}

#[test]
fn the_rule_that_went_silent_fires_unchanged_and_reaches_alertmanager() {
    let host = evidence::host();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (own_hook, own) = story::webhook();
    let (_running, address) = svcwatch(&host, own_hook, folder.path());
    let (hook, told) = webhook();
    // The rule alone is told here: with the others beside it, it would be hidden as it should be.
    let alertmanager = Server::alertmanager(hook, "");
    let rules = printed(&["rules", "--url", &format!("http://{address}")]);
    let prometheus = Server::prometheus(&address, &[&rules, SHORTENED], &alertmanager);
    let seen = || {
        format!(
            "{:#?}\n{:#}",
            told.lock().expect("nobody panicked"),
            prometheus.get("/api/v1/alerts")
        )
    };
    wait("Prometheus has the metric", seen, || {
        let answer = prometheus.get("/api/v1/query?query=windows_service_status");
        (answer["data"]["result"][0]["value"][1] == "1").then_some(())
    });

    evidence::crash(&host);
    let notice = wait("svcwatch tells it", seen, || last(&own, "opened"));
    explains_itself(&notice);
    for name in ALERTS {
        let alert = wait(&format!("{name} is told"), seen, || {
            alerts(&told, name, "firing").pop()
        });
        assert_eq!(alert["labels"]["host"], "lab");
        assert_eq!(alert["labels"]["name"], "spooler");
        assert_eq!(alert["labels"]["severity"], "critical");
    }
    leads_to_its_page(
        &alerts(&told, "WindowsServiceStopped", "firing").remove(0),
        &address,
    );

    // From now on svcwatch may do what the runbook would have somebody do.
    let allowed = config(&host, own_hook, "restart");
    fs::write(folder.path().join("svcwatch.yaml"), allowed).expect("a file can be written");
    let seen = || {
        let own = own.lock().expect("nobody panicked");
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        format!("{}\n{own:#?}\n{log}", seen())
    };
    let over = wait("svcwatch has started it again", seen, || {
        last(&own, "resolved")
    });
    assert_eq!(over["remedy"][0]["outcome"], "started", "{over:#}");
    for name in ALERTS {
        wait(&format!("{name} is over"), seen, || {
            alerts(&told, name, "resolved").pop()
        });
    }
}
