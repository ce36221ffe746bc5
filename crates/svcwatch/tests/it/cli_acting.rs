//! `svcwatch check --connect`, of what acts on hosts.

use crate::cli_support::svcwatch;
use serde_json::Value;
use std::fs;

/// What nobody can do is told of each host, whether it can be read or not; a dry run needs nobody.
#[test]
fn a_host_on_which_nothing_may_act_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("svcwatch.yaml");
    let host = |name: &str, service: &str| {
        format!("  - {{ name: {name}, address: 127.0.0.1, port: 1, services: [{service}] }}\n")
    };
    let hosts = [
        host("web", "{ name: Spooler, remedy: restart }"),
        host("lab", "{ name: Spooler, remedy: said }"),
        host("plain", "Spooler"),
    ];
    let text = format!(
        "credentials: {{ ops: {{ user: u, password: {{ env: PATH }} }} }}\n\
         defaults: {{ credentials: ops, timeout: 5s }}\n\
         remedy: {{ restart: {{ attempts: 1 }}, said: {{ dry_run: true }} }}\n\
         destinations: {{ out: {{ type: log, path: notices.log }} }}\n\
         hosts:\n{}",
        hosts.concat()
    );
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let done = svcwatch(&["check", "-c", config, "--connect", "-o", "json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    let of = |name: &str| {
        let mut hosts = found["connected"]["hosts"].as_array().unwrap().iter();
        hosts.find(|host| host["host"] == name).unwrap()
    };
    let web = of("web");
    let why = web["acting"]["fault"].as_str().unwrap_or_default();
    assert!(why.starts_with("no account may act on web"), "{web:#}");
    assert!(web["lacks"].to_string().contains("acting: true"), "{web:#}");
    for name in ["lab", "plain"] {
        assert_eq!(of(name)["acting"], Value::Null);
        assert_eq!(of(name)["lacks"], serde_json::json!([]));
    }
}
