//! The machine that svcwatch stands on, with no config or with one that it wrote itself, and `instant: off` there.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use super::Watch;
use crate::support::process::{free_port, wait_until};
use crate::support::windows::Windows;

#[test]
fn without_a_config_the_machine_itself_is_watched() {
    let windows = Windows::start();
    // It ends with an error, for a service that starts by itself may stop without one.
    windows.service(&["install", "obedient", "obey", "77"]);
    windows.service(&["automatic", "obedient"]);
    windows.service(&["start", "obedient"]);
    let log = windows.drive().join("svcwatch.log");
    let listen = format!("127.0.0.1:{}", free_port());
    let words = ["run", "--data", r"C:\own", "--listen", &listen];
    let mut running = windows.start_svcwatch(&words, &log);
    let read = || fs::read_to_string(&log).unwrap_or_default();
    // Two services of Wine start by themselves, and run, and one of ours.
    let seen = || {
        ["Eventlog", "PlugPlay", "obedient"]
            .iter()
            .all(|name| read().contains(&format!("service={name} to=running")))
    };
    running.wait_until("its services are seen", seen, read);
    let said = read();
    assert!(said.contains("watches 1 host"), "{said}");
    assert!(said.contains("tells   console"), "{said}");
    let metrics = answer(&listen, "/metrics");
    let line = r#"name="eventlog",status="ok"} 1"#;
    assert!(metrics.to_lowercase().contains(line), "{metrics}");
    let services = answer(&listen, "/api/v1/services");
    assert!(services.contains(r#""Eventlog""#), "{services}");

    // Who stands before it sees a stop when it happens, and `explain` says why.
    let host = computer(&services);
    let path = format!("/api/v1/explain?host={host}&service=obedient");
    let why = answer(&listen, &path);
    assert!(why.contains("heard at once"), "{why}");
    // What is not heard the machine is read for, seldom.
    assert!(why.contains("every 5 m"), "{why}");
    assert!(why.contains("told without `settle`"), "{why}");
    windows.service(&["control", "obedient", "201"]);
    let begun = Instant::now();
    let incidents = || answer(&listen, "/api/v1/incidents");
    wait_until(
        "the stop is told",
        || incidents().contains(r#""service":"obedient""#),
        read,
    );
    println!("an incident stands {:?} after the stop", begun.elapsed());
    let metrics = answer(&listen, "/metrics");
    let refused = r#"svcwatch_instant_events_total{event="not_offered"} 0"#;
    assert!(metrics.contains(refused), "{metrics}");
}

/// The host of the first service of a list.
fn computer(services: &str) -> String {
    let body = services.split_once("\r\n\r\n").expect("a body").1;
    let list: Value = serde_json::from_str(body).expect("JSON");
    list["items"][0]["host"]
        .as_str()
        .expect("a host")
        .to_owned()
}

/// What is served under a path.
fn answer(listen: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(listen).expect("it listens");
    let request = format!("GET {path} HTTP/1.0\r\nHost: {listen}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("it can be asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    assert!(text.starts_with("HTTP/1.0 200"), "{path}: {text}");
    text
}

#[test]
fn init_writes_a_config_of_the_machine_itself_that_check_takes_and_run_uses() {
    let windows = Windows::start();
    windows.service(&["install", "obedient", "obey"]);
    windows.service(&["automatic", "obedient"]);
    windows.service(&["start", "obedient"]);
    let written = windows.svcwatch(&["init", "-o", r"C:\own.yaml"]);
    assert!(written.status.success(), "{written:?}");
    let drive = windows.drive();
    let text = fs::read_to_string(drive.join("own.yaml")).expect("it is written");
    assert!(text.contains("transport: local"), "{text}");
    assert!(text.contains("- obedient  #"), "{text}");
    assert!(!text.contains("credentials"), "{text}");
    let checked = windows.svcwatch(&["check", "-c", r"C:\own.yaml", "--connect"]);
    assert!(checked.status.success(), "{checked:?}");

    // Another host without an account is read by the Windows API too.
    let other = windows.svcwatch(&["init", "--host", "127.0.0.1"]);
    let text = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(other.status.success(), "{other:?}");
    assert!(text.contains("name: '127.0.0.1'"), "{text}");

    let log = drive.join("svcwatch.log");
    let listen = format!("127.0.0.1:{}", free_port());
    let words = [
        "run",
        "-c",
        r"C:\own.yaml",
        "--data",
        r"C:\data",
        "--listen",
        &listen,
    ];
    let mut running = windows.start_svcwatch(&words, &log);
    let read = || fs::read_to_string(&log).unwrap_or_default();
    let seen = || read().contains("service=obedient to=running");
    running.wait_until("it is watched", seen, read);
}

#[test]
fn instant_off_ends_listening_to_the_machine_itself_at_a_reload_and_on_begins_it_again() {
    const LISTENER: &str = "scm-news";
    let windows = Windows::start();
    windows.service(&["install", "obedient", "obey"]);
    windows.service(&["start", "obedient"]);
    let watch = Watch::start_with(windows, "obedient", "every: 2s, settle: 0s");
    let listens = || {
        watch
            .threads()
            .iter()
            .any(|name| name.starts_with(LISTENER))
    };
    let threads = || format!("{:?}\n{}", watch.threads(), watch.seen());
    wait_until("it listens", listens, threads);

    let path = watch.windows.drive().join("svcwatch.yaml");
    let heard = fs::read_to_string(&path).expect("the config is there");
    fs::write(&path, format!("instant: off\n{heard}")).expect("a file can be written");
    wait_until("it does not listen", || !listens(), threads);
    watch.windows.service(&["stop", "obedient"]);
    watch.until_last("obedient", "stopped");
    assert!(!listens(), "{}", threads());

    fs::write(&path, heard).expect("a file can be written");
    wait_until("it listens again", listens, threads);
}
