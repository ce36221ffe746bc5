//! svcwatch.exe on Wine: the service control manager by the Windows API, and news of it at once.

mod alone;
mod broken;
mod evidence;
mod guarded;
mod heard;
mod wmi;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::process::{Running, wait_until};
use crate::support::windows::Windows;

/// How the machine is read where nothing else is asked for: seldom, so that what is told quickly was heard. Wine does not
/// tell of new services, so that the machine is read each 30 s all the same, as it is wherever not all is heard; what a test
/// says of "at once" has to be far quicker than that.
const SELDOM: &str = "every: 1h, settle: 0s";
/// How long something may take that is heard, at most: a third of what passes between two readings.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A svcwatch.exe that watches its own machine and writes what it tells to a file.
struct Watch {
    windows: Windows,
    told: PathBuf,
    log: PathBuf,
    running: Running,
}

impl Watch {
    /// Starts it on services of these names.
    fn start(windows: Windows, services: &str) -> Self {
        Self::start_with(windows, services, SELDOM)
    }

    /// The same, with these keys of the host.
    fn start_with(windows: Windows, services: &str, keys: &str) -> Self {
        let drive = windows.drive();
        let config = format!(
            "listen: 127.0.0.1:0\n\
             hosts:\n  - {{ name: localhost, {keys}, services: [{services}] }}\n\
             destinations:\n  file: {{ type: log, path: 'C:\\told.jsonl' }}\n\
             notices: {{ summary_above: off }}\n\
             stuck_after: {{ start: 10s }}\n"
        );
        fs::write(drive.join("svcwatch.yaml"), config).expect("a file can be written");
        let log = drive.join("svcwatch.log");
        let words = ["run", "-c", r"C:\svcwatch.yaml", "--data", r"C:\data"];
        let mut running = windows.start_svcwatch(&words, &log);
        let read = || fs::read_to_string(&log).unwrap_or_default();
        running.wait_until("svcwatch is ready", || read().contains("is ready"), read);
        Self {
            told: drive.join("told.jsonl"),
            windows,
            log,
            running,
        }
    }

    /// What was told up to now.
    fn told(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.told).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }

    /// What it told and logged, for a reader of a test that failed.
    fn seen(&self) -> String {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        format!("{}\n{}", text(&self.told), text(&self.log))
    }

    /// Waits until so many notices were told, and gives the last one.
    fn until(&self, count: usize) -> Value {
        wait_until(
            &format!("{count} notices"),
            || self.told().len() >= count,
            || self.seen(),
        );
        let told = self.told();
        assert_eq!(told.len(), count, "{told:#?}");
        told[count - 1].clone()
    }

    /// The same for something that was just brought about: it comes before any reading could have found it.
    fn at_once(&self, count: usize) -> Value {
        let begun = Instant::now();
        let notice = self.until(count);
        let took = begun.elapsed();
        assert!(took < AT_ONCE, "{took:?}\n{}", self.seen());
        notice
    }
}

fn words(notice: &Value) -> (&str, &str, &str) {
    let word = |key: &str| notice[key].as_str().unwrap_or("");
    (word("kind"), word("event"), word("service"))
}

#[test]
fn the_exe_says_its_version_and_lists_the_services_of_its_own_machine() {
    let windows = Windows::start();
    let said = windows.svcwatch(&["--version"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.starts_with(concat!("svcwatch ", env!("CARGO_PKG_VERSION"))),
        "{said}"
    );

    windows.service(&["install", "obedient", "obey"]);
    windows.service(&["start", "obedient"]);
    let output = windows.svcwatch(&["services", "localhost", "-o", "json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let services = answer["services"].as_array().expect("a list");
    assert!(services.len() >= 10, "{answer}");
    let find = |name: &str| {
        let found = services.iter().find(|service| service["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is not in {answer}"))
    };
    let obedient = find("obedient");
    assert_eq!(obedient["state"], "running", "{errors}");
    assert!(obedient["pid"].as_u64().is_some_and(|pid| pid > 0));
    assert_eq!(obedient["start_type"], "manual");
    let spooler = find("Spooler");
    assert_eq!(
        (&spooler["state"], &spooler["exit_code"]),
        (&"stopped".into(), &1077.into())
    );
}

#[test]
fn what_happens_to_services_is_told_at_once() {
    let windows = Windows::start();
    for (name, how) in [
        ("obedient", "obey"),
        ("failing", "obey"),
        ("crashing", "obey"),
        ("pausing", "slow"),
    ] {
        windows.service(&[
            "install",
            name,
            how,
            if how == "slow" { "300" } else { "77" },
        ]);
        windows.service(&["start", name]);
    }
    let watch = Watch::start(windows, "obedient, failing, crashing, pausing, later");
    let later = watch.until(1);
    assert_eq!(words(&later), ("opened", "missing", "later"));

    watch.windows.service(&["stop", "obedient"]);
    let notice = watch.at_once(2);
    assert_eq!(words(&notice), ("opened", "stopped", "obedient"));
    assert_eq!(notice["exit_code"], 0);
    watch.windows.service(&["start", "obedient"]);
    assert_eq!(
        words(&watch.at_once(3)),
        ("resolved", "started", "obedient")
    );

    watch.windows.service(&["control", "failing", "201"]);
    let notice = watch.at_once(4);
    assert_eq!(words(&notice), ("opened", "stopped", "failing"));
    assert_eq!(
        (&notice["exit_code"], &notice["service_exit_code"]),
        (&1066.into(), &77.into())
    );

    // The manager of Wine never notices that a process is gone; who holds on to it does.
    watch.windows.service(&["control", "crashing", "202"]);
    let notice = watch.at_once(5);
    assert_eq!(words(&notice), ("opened", "stopped", "crashing"));
    assert_eq!(
        (&notice["exit_code"], &notice["service_exit_code"]),
        (&1067.into(), &77.into())
    );
    let text = notice["text"].as_str().unwrap_or_default();
    assert!(text.contains("77"), "{text}");
    watch.windows.service(&["start", "crashing"]);
    assert_eq!(
        words(&watch.at_once(6)),
        ("resolved", "started", "crashing")
    );

    watch.windows.service(&["pause", "pausing"]);
    assert_eq!(words(&watch.at_once(7)), ("opened", "paused", "pausing"));
    watch.windows.service(&["continue", "pausing"]);
    assert_eq!(words(&watch.at_once(8)), ("resolved", "started", "pausing"));
}

#[test]
fn it_runs_as_a_service_and_ends_when_it_is_told_to() {
    let windows = Windows::start();
    let drive = windows.drive();
    let failed = |words: &[&str], code: i32, what: &str| {
        let output = windows.svcwatch(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(what), "{said}");
    };
    let done = |words: &[&str]| {
        let output = windows.svcwatch(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        output
    };
    failed(&["service", "status"], 1, "svcwatch is no service here");
    failed(&["service", "run"], 2, "is for the service control manager");
    fs::write(drive.join("bad.yaml"), "hosts: 1\n").expect("a file can be written");
    failed(
        &["service", "install", "-c", r"C:\bad.yaml"],
        2,
        "bad.yaml:1",
    );

    windows.service(&["install", "obedient", "obey"]);
    windows.service(&["start", "obedient"]);
    let config = "listen: 127.0.0.1:0\n\
                  hosts:\n  - { name: localhost, settle: 0s, services: [obedient] }\n\
                  destinations:\n  file: { type: log, path: 'C:\\told.jsonl' }\n";
    fs::write(drive.join("service.yaml"), config).expect("a file can be written");
    done(&[
        "service",
        "install",
        "-c",
        r"C:\service.yaml",
        "--data",
        r"C:\data",
    ]);
    failed(&["service", "status"], 1, "");
    done(&["service", "start"]);
    let status = done(&["service", "status", "-o", "json"]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["state"], "running");
    assert!(
        status["pid"].as_u64().is_some_and(|pid| pid > 0),
        "{status}"
    );

    windows.service(&["stop", "obedient"]);
    let told = || fs::read_to_string(drive.join("told.jsonl")).unwrap_or_default();
    wait_until(
        "the stop is told",
        || told().contains("\"event\":\"stopped\""),
        told,
    );

    let asked = Instant::now();
    done(&["service", "stop"]);
    let took = asked.elapsed();
    println!("the service ended within {took:?}");
    assert!(took < Duration::from_secs(50), "{took:?}");
    let ended = windows.svcwatch(&["service", "status", "-o", "json"]);
    let ended: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(
        (&ended["state"], &ended["exit_code"]),
        (&"stopped".into(), &0.into())
    );
    // Wine keeps a deleted service in its list until it ends itself, so that nothing can be asked of it afterwards.
    done(&["service", "uninstall"]);
}
