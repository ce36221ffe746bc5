//! Evidence of the kinds that not every end has: the process, the host's boot, what the host does about a failure. From
//! real peers, each as far as it gives them: neither Wine nor Samba names what a service depends on or what depends on
//! it, and Wine knows no failure actions.

use crate::{
    evidence::texts,
    story::{Arrived, webhook},
    support::{
        ADMINISTRATOR, PASSWORD,
        process::Running,
        prometheus::ask,
        samba::{Samba, Settings},
        wine::WineHost,
    },
};
use serde_json::Value;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// What neither peer gives.
const UNKNOWN_TO_BOTH: [&str; 2] = ["dependency", "dependent"];

/// A svcwatch that watches services of one host and tells a webhook.
struct Watch {
    _running: Running,
    told: Arrived,
    folder: tempfile::TempDir,
}

impl Watch {
    /// Starts it; the services run that are to.
    fn start(port: u16, services: &str, run: &[&str]) -> Self {
        let (hook, told) = webhook();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let config = format!(
            "listen: 127.0.0.1:0\n\
             credentials: {{ ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }} }}\n\
             defaults: {{ every: 1s, timeout: 20s, settle: 0s, host_for: 1s, boot_grace: 5s, credentials: ops }}\n\
             hosts: [{{ name: lab, address: 127.0.0.1, port: {port}, services: [{services}] }}]\n\
             evidence: {{ wait: 20s, deadline: 30s }}\n\
             destinations: {{ hook: {{ type: webhook, url: 'http://127.0.0.1:{hook}/in' }} }}\n"
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
        let watch = Self {
            _running: running,
            told,
            folder,
        };
        watch.until("the services are read", |watch| {
            let services = watch.get("/api/v1/services")?;
            let runs = |name: &&str| {
                let mut items = services["items"].as_array().into_iter().flatten();
                items.any(|one| one["service"] == **name && one["state"] == "running")
            };
            run.iter().all(runs).then_some(())
        });
        watch
    }

    /// What the API answers, once it listens.
    fn get(&self, path: &str) -> Option<Value> {
        let said = fs::read_to_string(self.folder.path().join("log")).ok()?;
        let rest = said.split("listens http://").nth(1)?;
        let (_, body) = ask(rest.lines().next()?.trim(), "GET", path, "")?;
        serde_json::from_str(&body).ok()
    }

    fn until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                println!("{what}: after {:.1?}", begun.elapsed());
                return found;
            }
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(
                begun.elapsed() < crate::story::DEADLINE,
                "not in time: {what}\n{:#?}\n{}",
                self.told,
                log()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The newest incident of a service, once it has evidence of this kind.
    fn incident(&self, service: &str, kind: &str) -> Value {
        self.until("the incident is explained", |watch| {
            let list = watch.get("/api/v1/incidents")?;
            let of_it = |one: &&Value| one["service"] == service && !texts(one, kind).is_empty();
            list["items"].as_array()?.iter().find(of_it).cloned()
        })
    }
}

#[test]
fn what_did_not_come_back_with_its_host_says_when_that_was_booted_and_which_process_it_was() {
    let mut host = WineHost::start();
    host.start_service("Spooler");
    let watch = Watch::start(host.port(), "PlugPlay, Spooler", &["PlugPlay", "Spooler"]);
    let services = watch.get("/api/v1/services").expect("the API answers");
    let mut items = services["items"].as_array().expect("a list").iter();
    let spooler = items.find(|one| one["service"] == "Spooler");
    let process = spooler.expect("it is watched")["pid"].clone();

    host.shut_down();
    watch.until("the host is seen as gone", |watch| {
        let hosts = watch.get("/api/v1/hosts")?;
        (hosts["items"][0]["state"] == "unknown").then_some(())
    });
    host.boot();
    // It starts on demand, so it does not come back.
    let incident = watch.incident("Spooler", "process");
    assert_eq!(incident["cause_kind"], "host_rebooted", "{incident:#}");
    assert_eq!(texts(&incident, "boot"), ["its host was booted"]);
    let booted = incident["evidence"].as_array().expect("a list");
    let booted = booted.iter().find(|clue| clue["kind"] == "boot");
    assert!(
        booted.is_some_and(|clue| !clue["at"].is_null()),
        "{incident:#}"
    );
    assert_eq!(
        texts(&incident, "process"),
        [format!(
            "its last process was {process}, in which no service runs any more"
        )]
    );
    for kind in UNKNOWN_TO_BOTH {
        assert_eq!(texts(&incident, kind), [] as [&str; 0], "{incident:#}");
    }
}

#[test]
fn what_a_host_does_about_a_failure_is_evidence() {
    let samba = Samba::start(&Settings::default());
    let watch = Watch::start(samba.port(), "Spooler", &["Spooler"]);
    samba.net_rpc_service(&["stop", "Spooler"]);
    let incident = watch.incident("Spooler", "failure_actions");
    assert_eq!(incident["cause_kind"], "stopped_cleanly", "{incident:#}");
    assert_eq!(
        texts(&incident, "failure_actions"),
        ["its host does nothing when it fails"]
    );
    for kind in UNKNOWN_TO_BOTH {
        assert_eq!(texts(&incident, kind), [] as [&str; 0], "{incident:#}");
    }
}
