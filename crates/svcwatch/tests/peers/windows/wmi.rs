//! Services read by WMI, as Wine has it: names, states and processes, and nothing else.

use serde_json::Value;

use super::{Watch, words};
use crate::support::windows::Windows;

#[test]
fn services_are_listed_and_watched_by_wmi() {
    let windows = Windows::start();
    windows.service(&["install", "obedient", "obey"]);
    windows.service(&["start", "obedient"]);

    let begun = std::time::Instant::now();
    let output = windows.svcwatch(&["services", "localhost", "--transport", "wmi", "-o", "json"]);
    println!("listed by WMI in {:?}", begun.elapsed());
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let services = answer["services"].as_array().expect("a list");
    assert!(services.len() >= 10, "{answer}");
    let obedient = services
        .iter()
        .find(|service| service["name"] == "obedient")
        .unwrap_or_else(|| panic!("obedient is not in {answer}"));
    assert_eq!(obedient["state"], "running");
    assert_eq!(obedient["start_type"], "manual");
    assert!(obedient["pid"].as_u64().is_some_and(|pid| pid > 0));
    assert_eq!(obedient["exit_code"], Value::Null, "Wine does not say it");

    let refused = windows.svcwatch(&[
        "services",
        "localhost",
        "--transport",
        "wmi",
        "--user",
        "somebody",
    ]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--transport wmi reads as whoever runs this"),
        "{said}"
    );

    let watch = Watch::start_with(
        windows,
        "{ name: obedient, instant: true }, later",
        "every: 1s, settle: 0s, transport: wmi",
    );
    let later = watch.until(1);
    assert_eq!(words(&later), ("opened", "missing", "later"));
    watch.windows.service(&["stop", "obedient"]);
    assert_eq!(words(&watch.until(2)), ("opened", "stopped", "obedient"));
    watch.windows.service(&["start", "obedient"]);
    assert_eq!(words(&watch.until(3)), ("resolved", "started", "obedient"));

    let config = r"C:\svcwatch.yaml";
    let connected = watch
        .windows
        .svcwatch(&["check", "-c", config, "--connect"]);
    let said = String::from_utf8_lossy(&connected.stdout).into_owned();
    println!("{said}");
    assert_eq!(connected.status.code(), Some(1), "{connected:?}");
    assert!(said.contains("later is not installed"), "{said}");
}
