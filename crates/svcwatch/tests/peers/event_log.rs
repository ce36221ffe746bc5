//! `check --connect` tries the event logs of hosts, where the configuration wants them read.

use crate::{
    evidence,
    support::{ADMINISTRATOR, PASSWORD, USER, wine::WineHost},
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

/// What `check --connect` finds with this account: its exit code, the host, and what people are shown.
fn check(host: &WineHost, user: &str, evidence: &str) -> (Option<i32>, Value, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let password = folder.path().join("password");
    fs::write(&password, PASSWORD).expect("a file can be written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let config = folder.path().join("svcwatch.yaml");
    let text = format!(
        "credentials: {{ ops: {{ user: {user}, password: {{ file: password }} }} }}\n\
         defaults: {{ credentials: ops, timeout: 30s }}\n\
         hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\n\
         evidence: {evidence}\n\
         destinations: {{ out: {{ type: log, path: notices.log }} }}\n",
        host.port()
    );
    fs::write(&config, text).expect("a file can be written");
    let run = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .args(["check", "--connect", "-c"])
            .arg(&config)
            .args(more)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .output()
            .expect("svcwatch can be started");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, out) = run(&["-o", "json"]);
    let found: Value = serde_json::from_str(&out).expect("JSON");
    let (_, shown) = run(&[]);
    (code, found["connected"]["hosts"][0].clone(), shown)
}

#[test]
fn check_says_who_may_read_the_event_log_and_which_right_lacks() {
    let host = evidence::host();
    let (code, found, shown) = check(&host, ADMINISTRATOR, "{ event_log: store }");
    assert_eq!(code, Some(0), "{found:#}\n{shown}");
    assert_eq!(found["event_log"], true, "{found:#}");
    assert_eq!(found["lacks"], json!([]), "{found:#}");

    let (code, found, shown) = check(&host, USER, "{ event_log: store }");
    assert_eq!(code, Some(1), "{found:#}\n{shown}");
    assert_eq!(found["event_log"], false, "{found:#}");
    let lacks = found["lacks"].as_array().expect("a list");
    assert_eq!(lacks.len(), 1, "{found:#}");
    let why = lacks[0].as_str().expect("a text");
    assert!(
        why.starts_with("its event log cannot be read: ") && why.contains("Event Log Readers"),
        "{why}"
    );
    assert!(shown.contains("Event Log Readers"), "{shown}");

    // Where nobody wants it read, nobody asks for it, and nothing lacks.
    let (code, found, shown) = check(&host, USER, "{ event_log: off }");
    assert_eq!(code, Some(0), "{found:#}\n{shown}");
    assert_eq!(found["event_log"], Value::Null, "{found:#}");
}
