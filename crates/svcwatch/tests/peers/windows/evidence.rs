//! Why a service ended, found out by the Windows API: Wine's event logs are always empty, and those of other computers it
//! does not reach.

use std::fs;

use serde_json::Value;

use super::Watch;
use crate::evidence::texts;
use crate::support::windows::Windows;

impl Watch {
    /// Starts it on this configuration.
    fn configured(windows: Windows, config: &str) -> Self {
        let drive = windows.drive();
        fs::write(drive.join("svcwatch.yaml"), config).expect("a file can be written");
        let log = drive.join("svcwatch.log");
        let words = ["run", "-c", r"C:\svcwatch.yaml", "--data", r"C:\data"];
        let mut running = windows.start_svcwatch(&words, &log);
        let read = || fs::read_to_string(&log).unwrap_or_default();
        let seen = || read().matches("service=obedient to=running").count() == 2;
        running.wait_until("the service is seen on both", seen, read);
        Self {
            told: drive.join("told.jsonl"),
            windows,
            log,
            running,
        }
    }
}

#[test]
fn the_event_log_is_asked_by_the_windows_api_and_what_lacks_is_said() {
    let windows = Windows::start();
    windows.service(&["install", "obedient", "obey", "0"]);
    windows.service(&["start", "obedient"]);
    // Under another name Wine shows its own services.
    let watch = Watch::configured(
        windows,
        "listen: 127.0.0.1:0\n\
         defaults: { every: 1s, settle: 0s, transport: local }\n\
         hosts: [{ name: localhost, services: [obedient] }, { name: other, services: [obedient] }]\n\
         evidence: { event_log: tell, wait: 20s, deadline: 30s }\n\
         destinations: { file: { type: log, path: 'C:\\told.jsonl' } }\n\
         notices: { summary_above: off }\n",
    );
    watch.windows.service(&["stop", "obedient"]);
    watch.until(2);
    let told = watch.told();
    let of = |host: &str| {
        let found = told.iter().find(|notice| notice["host"] == host);
        found.unwrap_or_else(|| panic!("{host}: {told:#?}")).clone()
    };
    let (own, other) = (of("localhost"), of("other"));
    let both: [&Value; 2] = [&own, &other];
    for notice in both {
        assert_eq!(notice["cause_kind"], "stopped_cleanly", "{notice:#}");
        for kind in ["state", "exit_code", "start_type", "path"] {
            assert_eq!(texts(notice, kind).len(), 1, "{kind}: {notice:#}");
        }
        assert_eq!(texts(notice, "event"), [] as [&str; 0], "{notice:#}");
    }
    // It was read to its end, and nothing stands in it.
    assert_eq!(texts(&own, "lacking"), [] as [&str; 0], "{own:#}");
    let lacking = texts(&other, "lacking");
    assert_eq!(lacking.len(), 1, "{other:#}");
    assert!(
        lacking[0].contains("offers no event log to be read remotely"),
        "{other:#}"
    );
}
