//! Why a service ended, found out on real peers: its state from Wine's service control manager, the event log from Samba,
//! both over one session.

use crate::story::{Arrived, webhook};
use crate::support::eventlog::{LOGS, event, let_administrators_read, write};
use crate::support::process::Running;
use crate::support::prometheus::ask;
use crate::support::samba::Settings;
use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD, USER};
use serde_json::Value;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// What an event holds that must not leave.
const CANARY: &str = "hunter2canary";

/// A svcwatch that watches one service of a Wine host and tells a webhook.
struct Watch {
    running: Running,
    told: Arrived,
    folder: tempfile::TempDir,
}

impl Watch {
    fn start(host: &WineHost, user: &str, evidence: &str) -> Self {
        let (hook, told) = webhook();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let config = format!(
            "listen: 127.0.0.1:0\n\
             credentials: {{ ops: {{ user: {user}, password: {{ file: password }} }} }}\n\
             defaults: {{ every: 1s, timeout: 20s, settle: 0s, credentials: ops }}\n\
             hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\n\
             evidence: {evidence}\n\
             destinations: {{ hook: {{ type: webhook, url: 'http://127.0.0.1:{hook}/in' }} }}\n",
            host.port()
        );
        fs::write(folder.path().join("svcwatch.yaml"), config).expect("a file can be written");
        let log = folder.path().join("log");
        let running = Running::start(
            Command::new(env!("CARGO_BIN_EXE_svcwatch"))
                .arg("run")
                .arg("-c")
                .arg(folder.path().join("svcwatch.yaml"))
                .arg("--data")
                .arg(folder.path().join("data"))
                .env("RUST_LOG", "svcwatch=debug")
                .stdout(File::create(folder.path().join("out")).expect("a file can be written"))
                .stderr(File::create(&log).expect("a file can be written")),
        );
        let mut watch = Self {
            running,
            told,
            folder,
        };
        watch.until("the service runs", |watch| {
            let (_, services) = watch.get("/api/v1/services")?;
            services.contains("\"state\":\"running\"").then_some(())
        });
        watch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the API answers, once it listens.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let said = fs::read_to_string(self.path("log")).ok()?;
        let rest = said.split("listens http://").nth(1)?;
        ask(rest.lines().next()?.trim(), "GET", path, "")
    }

    fn until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let folder = self.folder.path().to_owned();
        let told = Arc::clone(&self.told);
        let seen = move || {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            format!("{:#?}\n{log}", told.lock().expect("nobody panicked"))
        };
        let begun = std::time::Instant::now();
        loop {
            if let Some(found) = look(self) {
                println!("{what}: after {:.1?}", begun.elapsed());
                return found;
            }
            assert!(
                begun.elapsed() < crate::story::DEADLINE,
                "not in time: {what}\n{}",
                seen()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// The opening that was told, as JSON.
    fn opened(&mut self) -> Value {
        let body = self.until("the end is told", |watch| {
            let told = watch.told.lock().expect("nobody panicked");
            let opened = told.iter().find(|message| message.kind == "opened");
            opened.map(|message| message.body().to_owned())
        });
        serde_json::from_str(&body).expect("JSON")
    }

    /// The incident as the API shows it, once its host has answered.
    fn incident(&mut self) -> Value {
        let text = self.until("the incident is explained", |watch| {
            let (_, text) = watch.get("/api/v1/incidents")?;
            let answered = ["event", "lacking"].map(|kind| format!("\"kind\":\"{kind}\""));
            answered
                .iter()
                .any(|kind| text.contains(kind))
                .then_some(text)
        });
        let list: Value = serde_json::from_str(&text).expect("JSON");
        list["items"][0].clone()
    }
}

/// A Wine host with a service that runs, and logs that administrators may read.
pub(crate) fn host() -> WineHost {
    let host = WineHost::start_with(&Settings {
        extra: vec![LOGS],
        ..Settings::default()
    });
    let_administrators_read(host.samba());
    host.start_service("Spooler");
    host
}

/// Has the service end as one whose process died, with lines about that in the host's log.
pub(crate) fn crash(host: &WineHost) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("the clock is right").as_secs();
    let now = u32::try_from(now).expect("not yet 2106");
    let manager = "Service Control Manager";
    let lines = [
        event(
            now,
            manager,
            7040,
            &["Other", "auto start", "disabled", "Other"],
        ),
        event(now, manager, 7034, &["Print Spooler", "1"]),
    ];
    write(host.samba(), "System", &lines);
    let connects = format!("connect --password {CANARY}");
    let own = event(now, "Spooler", 12, &[connects.as_str()]);
    write(host.samba(), "Application", &[own]);
    let mut control = host.control();
    let service = control.open_as_its_own("Spooler");
    control.set_ended(service, 1067);
}

/// The texts of one kind of evidence.
pub(crate) fn texts<'a>(of: &'a Value, kind: &str) -> Vec<&'a str> {
    let evidence = of["evidence"].as_array().into_iter().flatten();
    let of_kind = evidence.filter(|clue| clue["kind"] == kind);
    of_kind.filter_map(|clue| clue["text"].as_str()).collect()
}

/// Nothing that svcwatch wrote or kept holds what must not leave.
fn holds_no_canary(folder: &Path) {
    for file in fs::read_dir(folder).expect("a folder").flatten() {
        let path = file.path();
        if path.is_dir() {
            holds_no_canary(&path);
        } else if let Ok(bytes) = fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(CANARY), "{}", path.display());
        }
    }
}

#[test]
fn an_end_is_told_with_its_cause_and_the_lines_of_the_log() {
    let host = host();
    let mut watch = Watch::start(
        &host,
        ADMINISTRATOR,
        "{ event_log: tell, wait: 20s, deadline: 30s }",
    );
    crash(&host);
    let told = watch.opened();
    assert_eq!(told["cause_kind"], "ended_unexpectedly", "{told:#}");
    assert_eq!(told["exit_code"], 1067);
    let cause = told["cause"].as_str().unwrap_or_default();
    assert!(
        cause.starts_with("ended unexpectedly: exit code 1067"),
        "{told:#}"
    );
    let events = texts(&told, "event");
    assert_eq!(
        events[0], "System 7034 Service Control Manager: ended unexpectedly (Print Spooler · 1)",
        "{told:#}"
    );
    assert!(
        events[1].starts_with("Application 12 Spooler: connect --password *"),
        "{told:#}"
    );
    assert_eq!(events.len(), 2, "lines about others are left out: {told:#}");
    for kind in ["state", "exit_code", "start_type", "account", "path"] {
        assert_eq!(texts(&told, kind).len(), 1, "{kind}: {told:#}");
    }
    // The same in the API, and on the page that the notice leads to.
    let incident = watch.incident();
    assert_eq!(texts(&incident, "event"), events);
    assert_eq!(incident["cause_kind"], "ended_unexpectedly");
    let page = told["runbook"].as_str().expect("a link");
    let path = page
        .split_once("/runbooks")
        .map(|(_, rest)| format!("/runbooks{rest}"));
    let (status, page) = watch.get(&path.expect("our own")).expect("an answer");
    assert_eq!(status, 200);
    assert!(
        page.contains("System 7034 Service Control Manager"),
        "{page}"
    );
    assert!(
        page.contains("<th>Cause</th><td>ended unexpectedly"),
        "{page}"
    );
    host.start_service("Spooler");
    watch.until("its end is told", |watch| {
        let told = watch.told.lock().expect("nobody panicked");
        told.iter()
            .any(|message| message.kind == "resolved")
            .then_some(())
    });
    drop(watch.running);
    holds_no_canary(watch.folder.path());
}

#[test]
fn a_start_type_that_was_changed_before_the_end_is_told_with_it() {
    let host = host();
    let mut watch = Watch::start(&host, ADMINISTRATOR, "{ wait: 20s, deadline: 30s }");
    watch.until("how it is set up is known", |watch| {
        let (_, services) = watch.get("/api/v1/services")?;
        (!services.contains("\"start_type\":null")).then_some(())
    });
    // As when somebody switches a service off for good: nobody looks at how it is set up between the two.
    let mut control = host.control();
    control.set_start("Spooler", 4);
    let service = control.open("Spooler");
    control.stop(service);
    let told = watch.opened();
    assert_eq!(told["cause_kind"], "stopped_cleanly", "{told:#}");
    let changed = texts(&told, "changed");
    assert!(
        matches!(changed[..], [one] if one.starts_with("start type: now disabled, before ")),
        "{told:#}"
    );
    assert!(
        texts(&told, "because").contains(&"its start is disabled"),
        "{told:#}"
    );
    // Nobody else runs in it, and the state says no more.
    let process = texts(&told, "process");
    assert!(
        matches!(process[..], [one] if one.ends_with(", in which no service runs any more")),
        "{told:#}"
    );
}

#[test]
fn what_is_only_kept_is_not_told_and_who_may_not_read_says_so() {
    let host = host();
    let mut watch = Watch::start(
        &host,
        ADMINISTRATOR,
        "{ event_log: store, wait: 20s, deadline: 30s }",
    );
    crash(&host);
    let told = watch.opened();
    assert_eq!(texts(&told, "event"), [] as [&str; 0], "{told:#}");
    let incident = watch.incident();
    assert_eq!(texts(&incident, "event").len(), 2, "{incident:#}");
    drop(watch);

    host.start_service("Spooler");
    let mut watch = Watch::start(&host, USER, "{ event_log: tell, wait: 20s, deadline: 30s }");
    crash(&host);
    let told = watch.opened();
    assert_eq!(told["cause_kind"], "ended_unexpectedly", "{told:#}");
    let lacking = texts(&told, "lacking").join("\n");
    assert!(lacking.contains("Event Log Readers"), "{told:#}");
}
