//! Who may write what the service runs by. Wine keeps of a list of who may do what only what a Unix mode can say, and of
//! owners nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::windows::Windows;

/// Where the config is, as Windows names it.
const CONFIG: &str = r"C:\ProgramData\svcwatch\svcwatch.yaml";

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode can be set");
}

#[test]
fn the_folder_is_taken_over_and_the_service_does_not_start_where_others_may_write() {
    let windows = Windows::start();
    let said = |words: &[&str], code: i32| {
        let output = windows.svcwatch(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        said
    };
    // Somebody was here before, and lets everybody write.
    let folder = windows.drive().join("ProgramData/svcwatch");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let config = folder.join("svcwatch.yaml");
    let text = "listen: 127.0.0.1:0\n\
                hosts:\n  - { name: localhost, services: [Eventlog] }\n\
                destinations:\n  file: { type: log, path: 'C:\\told.jsonl' }\n";
    fs::write(&config, text).expect("a file can be written");
    mode(&folder, 0o777);
    mode(&config, 0o666);
    let log = windows.drive().join("svcwatch.log");
    let mut by_hand = windows.start_svcwatch(&["run", "-c", CONFIG], &log);
    let read = || fs::read_to_string(&log).unwrap_or_default();
    by_hand.wait_until("it is ready", || read().contains("is ready"), read);
    let warned = read();
    assert!(
        warned.contains("warning: ") && warned.contains("Everyone may change it"),
        "{warned}"
    );
    drop(by_hand);

    said(&["service", "install", "-c", CONFIG], 0);
    for path in [&folder, &config] {
        let mode = fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode();
        // Administrators are both owner and group to Wine.
        assert_eq!(mode & 0o007, 0, "{}: {mode:o}", path.display());
    }
    said(&["service", "start"], 0);
    said(&["service", "stop"], 0);

    mode(&config, 0o666);
    let refused = said(&["service", "start"], 1);
    assert!(refused.contains("exit code 3"), "{refused}");
    mode(&config, 0o600);
    mode(&folder, 0o777);
    said(&["service", "start"], 1);
    // What the sentence says is to be done.
    let again = said(&["service", "install"], 0);
    assert!(again.contains("is a service already"), "{again}");
    said(&["service", "start"], 0);
    said(&["service", "stop"], 0);
}
