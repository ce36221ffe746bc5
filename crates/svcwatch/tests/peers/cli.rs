//! The commands that look at hosts, against real ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::samba::{COMPUTER_NAME, Samba, Settings};
use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD, USER};

/// A secret in a command line.
const CANARY: &str = "hunter2-canary";
/// The NT hash of the password (MS-NLMP 3.3.1): MD4 of it in UTF-16.
const NT_HASH: &str = "fc525c9683e8fe067095ba2ddc971889";

/// What a command came to: its exit code, and what it printed.
fn svcwatch(arguments: &[&str], password: &str) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
        .args(arguments)
        .env("SVCWATCH_PASSWORD", password)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("svcwatch can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn services(port: u16, user: &str, password: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let port = port.to_string();
    let arguments = ["services", "127.0.0.1", "--port", &port, "--user", user];
    svcwatch(&[&arguments, more].concat(), password)
}

#[test]
fn services_prints_a_real_samba_and_says_what_is_wrong_with_a_logon() {
    let samba = Samba::start(&Settings {
        extra: vec!["[IPC$]", "path = /tmp", "invalid users = svcuser"],
        ..Settings::default()
    });
    let (code, out, err) = services(samba.port(), ADMINISTRATOR, PASSWORD, &[]);
    assert_eq!(code, Some(0), "{err}\n{}", samba.logs());
    assert!(out.starts_with("NAME "), "{out}");
    let spooler = out.lines().find(|line| line.starts_with("Spooler "));
    assert!(
        spooler.is_some_and(|line| line.contains("Print Spooler")),
        "{out}"
    );

    recorded("samba", samba.port());

    let (code, out, err) = services(samba.port(), ADMINISTRATOR, "wrong", &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(
        err.contains("logon_refused") && !err.contains("panicked"),
        "{err}"
    );
    assert_eq!(err.trim_end().lines().count(), 1, "one sentence: {err}");

    let (code, _, err) = services(samba.port(), USER, PASSWORD, &[]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("access_denied"), "{err}");
}

#[test]
fn services_and_check_read_a_real_wine_host() {
    let host = WineHost::start();
    host.start_service("Spooler");
    let line = format!(r#""C:\windows\system32\spoolsv.exe" --port 80 --password {CANARY}"#);
    host.run(&["sc", "create", "Canary", "binPath=", &line]);
    recorded("wine", host.port());
    let (code, out, err) = services(host.port(), ADMINISTRATOR, PASSWORD, &["-o", "json"]);
    assert_eq!(code, Some(0), "{err}");
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    let list = answer["services"].as_array().expect("a list");
    assert!(list.len() >= 10, "{out}");
    let spooler = list.iter().find(|service| service["name"] == "Spooler");
    let spooler = spooler.expect("the spooler is there");
    assert_eq!(
        (&spooler["state"], &spooler["start_type"]),
        (&"running".into(), &"manual".into())
    );
    assert!(
        spooler["pid"].as_u64().is_some_and(|pid| pid > 4),
        "{spooler}"
    );

    check(&host);
}

/// A record of a real host gives the same when it is replayed, and holds no secret. It is kept under the folder of
/// temporary files of the tests, from which those in tests/data/records were taken.
fn recorded(name: &str, port: u16) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.jsonl"));
    drop(fs::remove_file(&file));
    let path = file.to_str().expect("a path in UTF-8");
    let (code, out, err) = services(
        port,
        ADMINISTRATOR,
        PASSWORD,
        &["-o", "json", "--record", path],
    );
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("no password"), "{err}");
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let record = fs::read_to_string(&file).expect("it is text");
    let hex = |bytes: Vec<u8>| -> String {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    };
    let wide =
        |text: &str| -> String { hex(text.encode_utf16().flat_map(u16::to_le_bytes).collect()) };
    assert!(record.contains(&wide("Spooler")), "names are kept");
    for secret in [PASSWORD, CANARY, NT_HASH, ADMINISTRATOR] {
        let narrow = hex(secret.as_bytes().to_vec());
        for form in [secret.to_owned(), wide(secret), narrow] {
            assert!(
                !record.contains(&form),
                "{secret} is in the record as {form}"
            );
        }
    }
    assert!(record.contains("\"dialect\":\"3.1.1\"") && record.contains("\"logon\":\"ntlm\""));

    let (code, again, err) = svcwatch(&["services", "--replay", path, "-o", "json"], "");
    assert_eq!((code, again), (Some(0), out), "{err}");
    let (code, _, err) = services(port, ADMINISTRATOR, PASSWORD, &["--record", path]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("exists already"), "{err}");
}

#[test]
fn init_writes_a_file_that_is_good_and_finds_all_well_on_a_real_wine_host() {
    let host = WineHost::start();
    host.start_service("Spooler");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (list, password, config) = (path("hosts.csv"), path("password"), path("svcwatch.yaml"));
    let rows = format!(
        "name,address,port,site\r\nlab,127.0.0.1,{},oslo\r\ndead,127.0.0.1,1,oslo\r\n",
        host.port()
    );
    fs::write(&list, rows).expect("a file can be written");
    fs::write(&password, PASSWORD).expect("a file can be written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let arguments = [
        "init",
        "--from",
        &list,
        "--user",
        ADMINISTRATOR,
        "--password-file",
        &password,
        "-o",
        &config,
    ];
    let (code, out, err) = svcwatch(&arguments, "");
    assert_eq!(
        (code, out.as_str()),
        (Some(1), ""),
        "one host is dead: {err}"
    );
    assert!(err.contains("dead cannot be read (unreachable)"), "{err}");
    let text = fs::read_to_string(&config).expect("the file is written");
    assert!(
        text.contains("- name: lab\n    address: '127.0.0.1'\n"),
        "{text}"
    );
    assert!(
        text.contains("# - { name: dead, address: '127.0.0.1', port: 1, site: oslo }")
            || text.contains("# dead cannot be read"),
        "{text}"
    );
    assert!(text.contains("#   Spooler: manual start"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");

    let (code, out, err) = svcwatch(&["check", "-c", &config, "--connect"], "");
    assert_eq!(code, Some(0), "{out}{err}\n{text}");
    assert!(
        out.contains("The configuration is good: 1 host at 1 site"),
        "{out}"
    );

    let (code, _, err) = svcwatch(&arguments, "");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--force"), "{err}");
    let (code, _, err) = svcwatch(&[&arguments[..], &["--force"]].concat(), "");
    assert_eq!(code, Some(1), "{err}");
}

fn check(host: &WineHost) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let password = folder.path().join("password");
    fs::write(&password, PASSWORD).expect("a file can be written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let config = folder.path().join("svcwatch.yaml");
    let port = host.port();
    let text = format!(
        "credentials: {{ ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }} }}\n\
         defaults: {{ credentials: ops, timeout: 30s }}\n\
         hosts:\n\
         \x20 - {{ name: lab, address: 127.0.0.1, port: {port}, services: [Spooler, NoSuch, 'Plug*', {{ start: automatic }}] }}\n\
         \x20 - {{ name: dead, address: 127.0.0.1, port: 1, services: [Spooler] }}\n\
         destinations: {{ out: {{ type: log, path: notices.log }} }}\n"
    );
    fs::write(&config, text).expect("a file can be written");
    let config = config.to_str().expect("a path in UTF-8");
    let (code, out, err) = svcwatch(&["check", "-c", config, "--connect", "-o", "json"], "");
    assert_eq!(code, Some(1), "{err}");
    let found: Value = serde_json::from_str(&out).expect("JSON");
    let hosts = &found["connected"]["hosts"];
    assert!(
        hosts[0]["fault"]
            .as_str()
            .is_some_and(|fault| fault.starts_with("unreachable")),
        "{out}"
    );
    let lab = &hosts[1];
    assert_eq!(lab["computer_name"], COMPUTER_NAME, "{out}");
    assert!(
        lab["visible"].as_u64().is_some_and(|count| count >= 10),
        "{out}"
    );
    assert_eq!(
        lab["lacks"],
        serde_json::json!(["NoSuch is not installed"]),
        "{out}"
    );
    // Wine asks nobody for rights, so everybody is an administrator there.
    assert_eq!(lab["administrator"], true, "{out}");
    assert!(
        lab["notes"].to_string().contains("query rights only"),
        "{out}"
    );
    assert_eq!(found["connected"]["destinations"][0]["reached"], true);

    let (code, out, _) = svcwatch(&["check", "-c", config, "--connect"], "");
    assert_eq!(code, Some(1));
    assert!(
        out.contains("NoSuch is not installed") && out.contains("The configuration is good"),
        "{out}"
    );
}
