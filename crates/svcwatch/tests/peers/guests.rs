//! A real server that is not in the config, read through `/probe` as a guest.

use crate::support::{
    ADMINISTRATOR, PASSWORD, USER,
    process::Running,
    samba::{Samba, Settings},
};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

/// A password that is none, and that nobody may see.
const WRONG: &str = "hunter2-canary";

/// A svcwatch that watches nothing and lets this server in, and where it listens.
fn svcwatch(samba: &Samba, folder: &Path) -> (Running, String) {
    for (name, secret) in [("password", PASSWORD), ("wrong", WRONG)] {
        let path = folder.join(name);
        fs::write(&path, secret).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let config = format!(
        "listen: 127.0.0.1:0\n\
         credentials:\n  \
           ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }}\n  \
           other: {{ user: {USER}, password: {{ file: wrong }} }}\n\
         defaults: {{ timeout: 20s, credentials: ops, port: {} }}\n\
         hosts: []\n\
         probe: {{ allow: ['127.0.0.1'], modules: {{ print: {{ services: ['Spool*'] }}, wrong: {{ credentials: other }} }} }}\n\
         destinations: {{ out: {{ type: log }} }}\n",
        samba.port()
    );
    fs::write(folder.join("svcwatch.yaml"), config).expect("a file can be written");
    let log = folder.join("log");
    let mut running = Running::start(
        Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .arg("run")
            .arg("-c")
            .arg(folder.join("svcwatch.yaml"))
            .arg("--data")
            .arg(folder.join("data"))
            .env("RUST_LOG", "svcwatch=trace")
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
        "svcwatch listens",
        || address().is_some_and(|address| get(&address, "/-/ready").0 == 200),
        said,
    );
    (running, address().expect("it listens"))
}

fn get(address: &str, path: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return (0, String::new());
    };
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .expect("it can be asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}

#[test]
fn a_server_that_is_not_in_the_config_is_read_where_that_is_allowed() {
    let samba = Samba::start(&Settings {
        // It writes down whom it refuses from this level on.
        extra: vec!["log level = 3"],
        ..Settings::default()
    });
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (_running, address) = svcwatch(&samba, folder.path());
    let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let probe = |query: &str| get(&address, &format!("/probe?target={query}"));

    let (status, text) = probe("127.0.0.1");
    assert_eq!(status, 200, "{text}\n{}", log());
    for line in [
        "probe_success 1",
        "windows_service_state{name=\"spooler\",state=\"running\"} 1",
        "windows_service_state{name=\"netlogon\",state=\"stopped\"} 1",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}\n{}", log());
    }
    let (_, text) = probe("::ffff:127.0.0.1&module=print");
    assert!(
        text.contains("name=\"spooler\"") && !text.contains("netlogon"),
        "{text}"
    );

    // A wrong password is tried once.
    let refusals = || samba.logs().matches("NT_STATUS_WRONG_PASSWORD").count();
    let refused = "svcwatch_host_fault{fault=\"logon_refused\"} 1";
    let (status, text) = probe("127.0.0.1&module=wrong");
    assert!(status == 200 && text.contains(refused), "{text}\n{}", log());
    let once = refusals();
    assert!(once > 0, "{}", samba.logs());
    for _ in 0..10 {
        let (status, text) = probe("127.0.0.1&module=wrong");
        assert!(status == 200 && text.contains(refused), "{text}\n{}", log());
    }
    assert_eq!(refusals(), once, "{}", samba.logs());
    // And that is no matter of the other account.
    let (_, text) = probe("127.0.0.1");
    assert!(text.contains("probe_success 1"), "{text}");

    for target in ["localhost", "127.0.0.2", "127.1", "::1", "127.0.0.1:445"] {
        let (status, text) = probe(target);
        assert_eq!(status, 403, "{target}: {text}");
    }
    let (_, metrics) = get(&address, "/metrics");
    assert!(!metrics.contains("127.0.0.1"), "{metrics}");
    let told = fs::read_to_string(folder.path().join("told")).unwrap_or_default();
    for text in [log(), told, metrics] {
        assert!(!text.contains(WRONG) && !text.contains(PASSWORD), "{text}");
    }
}
