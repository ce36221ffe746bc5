//! Bad input gets a sentence that says what, where and what to write instead, the exit code of its kind, and leaves
//! nothing half started.

use crate::cli_support::{Done, arg, command, done, svcwatch};
use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A folder with a configuration.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(config: impl AsRef<[u8]>) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.config(), config).unwrap();
        folder
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("svcwatch.yaml")
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, more: &[&str]) -> Done {
        let (config, data) = (self.config(), self.data());
        let mut arguments = vec!["run", "-c", arg(&config), "--data", arg(&data)];
        arguments.extend(more);
        svcwatch(&arguments)
    }

    /// Both `run` and `check` refuse it, with each of these texts, and nothing is started.
    fn is_refused(&self, said: &[&str]) {
        for done in [
            self.run(&[]),
            svcwatch(&["check", "-c", arg(&self.config())]),
        ] {
            assert_eq!(done.code, Some(2), "{}", done.err);
            for said in said {
                assert!(done.err.contains(said), "{said:?} is not in {}", done.err);
            }
            assert_eq!(done.out, "");
            assert!(!done.err.contains("panicked"), "{}", done.err);
        }
        assert!(!self.data().exists(), "nothing is half started");
    }
}

/// A good configuration; nothing answers at its host.
fn good() -> Folder {
    Folder::new(
        "listen: 127.0.0.1:0\n\
         credentials: { ops: { user: u, password: { env: PATH } } }\n\
         defaults: { credentials: ops }\n\
         hosts: [{ name: one, address: 127.0.0.1, port: 1, services: [Spooler] }]\n\
         destinations: { out: { type: log } }\n",
    )
}

/// Starts the program and waits until it is ready.
fn start(folder: &Folder) -> std::process::Child {
    let (config, data) = (folder.config(), folder.data());
    let log = fs::File::create(folder.0.path().join("log")).unwrap();
    let mut starting = command(&["run", "-c", arg(&config), "--data", arg(&data)]);
    let child = starting.stderr(log).spawn().unwrap();
    wait_for_log(folder, "svcwatch is ready");
    child
}

fn wait_for_log(folder: &Folder, what: &str) -> String {
    let begun = Instant::now();
    loop {
        let log = fs::read_to_string(folder.0.path().join("log")).unwrap();
        if log.contains(what) {
            return log;
        }
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "{what:?} did not come: {log}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &std::process::Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn random_bytes() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let bytes: Vec<u8> = (0..4_096)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    Folder::new(bytes).is_refused(&["svcwatch.yaml", "1 problem"]);
}

#[test]
fn a_bomb_of_aliases() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ["b", "c", "d", "e", "f", "g", "h", "i"]
        .iter()
        .zip(["a", "b", "c", "d", "e", "f", "g", "h"])
    {
        let nine = vec![format!("*{before}"); 9].join(", ");
        writeln!(bomb, "{name}: &{name} [{nine}]").unwrap();
    }
    let begun = Instant::now();
    Folder::new(bomb).is_refused(&["svcwatch.yaml"]);
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "it took {:?}",
        begun.elapsed()
    );
}

#[test]
fn one_typo_in_a_thousand_hosts_is_found_with_its_line() {
    let mut text = "credentials: { ops: { user: u, password: { env: PATH } } }\ndefaults: { credentials: ops }\nhosts:\n".to_owned();
    for number in 0..1_000 {
        let key = if number == 613 { "servces" } else { "services" };
        writeln!(text, "  - {{ name: host{number}, {key}: [Spooler] }}").unwrap();
    }
    Folder::new(text).is_refused(&["svcwatch.yaml:617:", "servces", "did you mean `services`?"]);
}

#[test]
fn an_unknown_key_an_interval_of_nothing_and_a_duplicate_host() {
    let head = "credentials: { ops: { user: u, password: { env: PATH } } }\n";
    let with = |rest: &str| Folder::new(format!("{head}{rest}"));
    with("hsots: []\n").is_refused(&["svcwatch.yaml:2:1", "hsots", "did you mean `hosts`?"]);
    with("defaults: { credentials: ops, every: 0s }\nhosts: [{ name: a, services: [x] }]\n")
        .is_refused(&["svcwatch.yaml:2:", "defaults.every", "out of range"]);
    with("defaults: { credentials: ops }\nhosts: [{ name: a, services: [x] }, { name: A, services: [x] }]\n")
        .is_refused(&["svcwatch.yaml:3:", "A"]);
}

#[test]
fn a_password_file_that_others_can_read() {
    let folder = Folder::new(
        "credentials: { ops: { user: u, password: { file: ops.password } } }\n\
         hosts: [{ name: a, credentials: ops, services: [x] }]\n",
    );
    folder.write("ops.password", "hunter2\n", 0o644);
    folder.is_refused(&["others can read", "chmod o=", "ops.password"]);
    let told = folder.run(&[]).err;
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_port_in_use() {
    let folder = good();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = folder.run(&["--listen", &address]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(
        done.err.contains(&address) && done.err.contains("in use") && done.err.contains("--listen"),
        "{}",
        done.err
    );
    assert!(!folder.data().exists(), "nothing is half started");
}

#[test]
fn an_address_that_others_can_reach_needs_to_be_meant() {
    let folder = good();
    let done = folder.run(&["--listen", "0.0.0.0:0"]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(done.err.contains("--insecure-listen"), "{}", done.err);
}

#[test]
fn a_database_that_is_none_and_one_of_a_newer_version() {
    let folder = good();
    fs::create_dir(folder.data()).unwrap();
    let database = folder.data().join("svcwatch.db");
    fs::write(
        &database,
        "this is not a database, however long it is looked at",
    )
    .unwrap();
    let done = folder.run(&[]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(
        done.err.contains("is not a database of svcwatch") && done.err.contains("--data"),
        "{}",
        done.err
    );

    fs::remove_file(&database).unwrap();
    make_newer(&folder, &database);
    let done = folder.run(&[]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(
        done.err.contains("newer svcwatch") && done.err.contains("backup"),
        "{}",
        done.err
    );
}

/// Makes a database as the next version would.
fn make_newer(folder: &Folder, database: &Path) {
    let child = start(folder);
    signal(&child, rustix::process::Signal::TERM);
    assert_eq!(done(child).code, Some(0));
    let connection = rusqlite::Connection::open(database).unwrap();
    connection
        .pragma_update(None, "user_version", 9_999)
        .unwrap();
}

#[test]
fn a_data_folder_that_is_a_file() {
    let folder = good();
    fs::write(folder.data(), "").unwrap();
    let done = folder.run(&[]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(done.err.contains("--data"), "{}", done.err);
}

#[test]
fn a_second_instance_is_refused_and_the_first_goes_on_until_it_is_stopped() {
    let folder = good();
    let first = start(&folder);
    let second = folder.run(&[]);
    assert_eq!(second.code, Some(3), "{}", second.err);
    let said = format!("in use by another svcwatch (process {})", first.id());
    assert!(second.err.contains(&said), "{}", second.err);

    let backup = folder.0.path().join("copy.db");
    let copied = svcwatch(&["backup", "--data", arg(&folder.data()), arg(&backup)]);
    assert_eq!(copied.code, Some(0), "{}", copied.err);
    assert!(backup.exists());
    let again = svcwatch(&["backup", "--data", arg(&folder.data()), arg(&backup)]);
    assert_eq!(again.code, Some(1), "{}", again.err);
    assert!(again.err.contains("exists already"), "{}", again.err);

    fs::write(folder.config(), "hosts: nonsense\n").unwrap();
    signal(&first, rustix::process::Signal::HUP);
    let log = wait_for_log(&folder, "the one before stays");
    assert!(log.contains("svcwatch.yaml:1:8"), "{log}");
    signal(&first, rustix::process::Signal::TERM);
    assert_eq!(done(first).code, Some(0));
}

#[test]
fn nobody_answers_at_the_api() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for arguments in [
        &["incidents"][..],
        &["history", "a"],
        &["ack", "x", "--by", "me"],
    ] {
        let mut all = arguments.to_vec();
        all.extend(["--api", &url]);
        let done = svcwatch(&all);
        assert_eq!(done.code, Some(1), "{arguments:?}: {}", done.err);
        assert!(done.err.contains("no svcwatch answers"), "{}", done.err);
    }
}

#[test]
fn explain_reads_the_configuration_where_nobody_runs() {
    let folder = good();
    let (config, data) = (folder.config(), folder.data());
    let done = svcwatch(&[
        "explain",
        "-c",
        arg(&config),
        "--data",
        arg(&data),
        "one",
        "Spooler",
    ]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out.contains("Spooler")
            && done.out.contains("out")
            && done.out.contains("logged on to with NTLM"),
        "{}",
        done.out
    );
    let done = svcwatch(&["explain", "-c", arg(&config), "--data", arg(&data), "two"]);
    assert_eq!(done.code, Some(2), "{}", done.err);
    assert!(
        done.err
            .contains("two is not in the configuration; it has one"),
        "{}",
        done.err
    );
}

#[test]
fn test_sends_through_the_real_destination_and_says_what_it_answered() {
    let folder = Folder::new(
        "destinations: { good: { type: log, path: notices.log }, bad: { type: webhook, url: 'http://127.0.0.1:1/' } }\nhosts: []\n",
    );
    let config = folder.config();
    let done = svcwatch(&["test", "-c", arg(&config), "good"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let line = fs::read_to_string(folder.0.path().join("notices.log")).unwrap();
    assert!(line.contains("\"event\":\"test\""), "{line}");
    let done = svcwatch(&["test", "-c", arg(&config), "-o", "json"]);
    assert_eq!(done.code, Some(1), "{}", done.err);
    let answers: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        (&answers[0]["destination"], &answers[0]["result"]),
        (&"bad".into(), &"retry".into())
    );
    assert_eq!(answers[1]["result"], "delivered");
    let done = svcwatch(&["test", "-c", arg(&config), "none"]);
    assert_eq!(done.code, Some(2), "{}", done.err);
    assert!(
        done.err.contains("no destination is called none"),
        "{}",
        done.err
    );
}

#[test]
fn a_program_that_prints_a_password_and_its_arguments_are_shown_nowhere() {
    let folder = good();
    let config = folder.config();
    for (program, said) in [
        ("[printf, canary-printed]", "is lost"),
        (
            "[sh, -c, 'echo canary-said >&2; exit 1', canary-argument]",
            "because it failed",
        ),
        (
            "[/no/such/canary-free-program, canary-argument]",
            "cannot be run",
        ),
    ] {
        let text = format!(
            "credentials: {{ ops: {{ user: u, password: {{ exec: {program} }} }} }}\n\
             defaults: {{ credentials: ops, timeout: 1s }}\n\
             hosts: [{{ name: lab, address: 127.0.0.1, port: 1, services: [Spooler] }}]\n\
             destinations: {{ out: {{ type: log, path: notices.log }} }}\n"
        );
        fs::write(&config, text).unwrap();
        for command in [
            &["check", "--connect", "-c"][..],
            &["check", "-o", "json", "-c"],
        ] {
            let done = svcwatch(&[command, &[arg(&config)]].concat());
            let shown = format!("{done:?}").replace("canary-free-program", "");
            assert!(!shown.contains("canary"), "{command:?}: {shown}");
            assert!(
                said == "is lost" || shown.contains(said),
                "{program}: {shown}"
            );
        }
    }
}
