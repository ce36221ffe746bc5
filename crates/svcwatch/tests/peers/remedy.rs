//! Services that are really restarted: processes under Wine's service control manager behind Samba, and Samba's own, which
//! knows who is an administrator.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use svcwatch::clock;
use svcwatch::config::{self, LoadOptions};
use svcwatch::probe::Encryption;
use svcwatch::probe::hand::Hand;
use svcwatch::remedy::{Act, Actor, Journal, Order, Turn, restart};
use svcwatch::wiring::Reach;
use svcwatch_core::effect::ActRequest;
use svcwatch_core::id::Name;
use svcwatch_core::remedy::procedure::{Aim, Asked};
use svcwatch_core::remedy::{ActId, Outcome as Came};
use svcwatch_core::time::Span;

use crate::support::samba::{COMPUTER_NAME, Samba, Settings};
use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD, USER};
use crate::{HOST, access};

/// A folder with a configuration whose hosts are acted on with an account.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new(port: u16, hands: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let desk = Self { folder };
        let password = desk.path("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let text = format!(
            "credentials:\n\
             \x20 ops: {{ user: {USER}, password: {{ file: password }} }}\n\
             \x20 hands: {{ user: {hands}, password: {{ file: password }}, acting: true, hosts: ['la*', dead] }}\n\
             defaults: {{ credentials: ops, timeout: 30s }}\n\
             data: data\n\
             hosts:\n\
             \x20 - {{ name: lab, address: 127.0.0.1, port: {port}, services: [Spooler] }}\n\
             \x20 - {{ name: lab2, address: 127.0.0.1, port: {port}, services: [Spooler] }}\n\
             \x20 - {{ name: dead, address: 127.0.0.1, port: 1, services: [Spooler] }}\n\
             \x20 - {{ name: other, address: 127.0.0.1, port: {port}, services: [Spooler] }}\n\
             destinations: {{ out: {{ type: log, path: notices.log }} }}\n"
        );
        fs::write(desk.path("svcwatch.yaml"), text).expect("a file can be written");
        desk
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Runs the command; its exit code, and what it printed.
    fn restart(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let config = self.path("svcwatch.yaml");
        svcwatch(&[&["restart", "-c", &config, "--by", "grace"], words].concat())
    }

    /// The same as JSON.
    fn act(&self, words: &[&str]) -> (Option<i32>, Value) {
        let (code, out, err) = self.restart(&[words, &["-o", "json"]].concat());
        let act = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
        (code, act)
    }

    fn journal(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("data/acts.jsonl")).unwrap_or_default();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }
}

pub(crate) fn svcwatch(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
        .args(words)
        .env("SVCWATCH_PASSWORD", PASSWORD)
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

#[test]
fn a_real_service_is_restarted_by_the_command() {
    let host = WineHost::start();
    host.install("Good", "obey", "0");
    host.install("Slow", "slow", "2500");
    host.start_service("Good");
    let desk = Desk::new(host.port(), ADMINISTRATOR);

    let (code, act) = desk.act(&["LAB", "good", "--dry-run"]);
    assert_eq!(
        (code, &act["outcome"]),
        (Some(0), &"dry_run".into()),
        "{act}"
    );
    assert!(desk.journal().is_empty());
    let process = act["pid_before"].clone();
    assert!(process.as_u64().is_some_and(|pid| pid > 4), "{act}");

    let (code, act) = desk.act(&["LAB", "good"]);
    assert_eq!(
        (code, &act["outcome"]),
        (Some(0), &"restarted".into()),
        "{act:#}"
    );
    assert_eq!(
        (&act["pid_before"], &act["computer"]),
        (&process, &COMPUTER_NAME.into())
    );
    assert_ne!(act["pid_after"], process, "it is another process");
    assert_eq!(
        (&act["account"], &act["by"]),
        (&ADMINISTRATOR.into(), &"grace".into())
    );
    assert_eq!(act["host"], "lab", "as the configuration writes it");
    let events = desk.journal();
    let events: Vec<_> = events.iter().map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["begun", "control", "control", "ended"].map(Some));

    slow_and_by_hand(&host, &desk);
}

/// It starts only where that is wanted, waits for what takes its time, needs no configuration, and waits for its turn.
fn slow_and_by_hand(host: &WineHost, desk: &Desk) {
    let (code, act) = desk.act(&["lab", "Good", "--unless-running"]);
    assert_eq!(
        (code, &act["outcome"]),
        (Some(0), &"already_running".into()),
        "{act}"
    );

    // It takes its time for each, and counts meanwhile.
    let (code, out, err) = desk.restart(&["lab", "Slow"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("Slow: started on lab"), "{out}");
    assert_eq!(err, "", "it is quiet in a pipe");
    let (code, out, _) = desk.restart(&["lab", "Slow"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(
        out.contains("Slow: restarted on lab; PID ") && out.starts_with("WHAT "),
        "{out}"
    );

    // Without a configuration.
    let port = host.port().to_string();
    let data = desk.path("elsewhere");
    let by_hand = [
        "restart",
        "127.0.0.1",
        "Good",
        "--port",
        &port,
        "--data",
        &data,
    ];
    let (code, out, err) = svcwatch(&[&by_hand[..], &["--user", ADMINISTRATOR]].concat());
    assert_eq!(code, Some(0), "{out}{err}");

    // One at a time.
    let turn = Turn::take(Path::new(&desk.path("data")), &Name::new("lab")).expect("nobody acts");
    let (code, _, err) = desk.restart(&["lab", "Good"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("somebody else acts on lab"), "{err}");
    drop(turn);
}

#[test]
fn what_goes_wrong_at_a_real_host_has_its_word() {
    let host = WineHost::start();
    host.install("Good", "obey", "0");
    host.run(&[
        "sc",
        "create",
        "Off",
        "binPath=",
        "C:\\none.exe",
        "start=",
        "disabled",
    ]);
    host.run(&["sc", "create", "Bare", "binPath=", "C:\\none.exe"]);
    let desk = Desk::new(host.port(), ADMINISTRATOR);
    let word = |words: &[&str]| {
        let (code, act) = desk.act(words);
        assert_eq!(code, Some(1), "{act:#}");
        (act["outcome"].as_str().unwrap_or_default().to_owned(), act)
    };
    let (outcome, act) = word(&["lab", "NoSuch"]);
    assert_eq!((outcome.as_str(), &act["code"]), ("gone", &1060.into()));
    assert_eq!(word(&["lab", "Off"]).0, "disabled");
    let (outcome, act) = word(&["lab", "Bare"]);
    assert!(
        outcome == "start_refused" || outcome == "start_timeout",
        "{act:#}"
    );
    let (outcome, act) = word(&["dead", "Good"]);
    assert_eq!(outcome, "host_fault");
    assert!(
        act["because"]
            .as_str()
            .is_some_and(|why| why.starts_with("unreachable")),
        "{act}"
    );

    fs::write(desk.path("password"), "wrong").expect("it is ours");
    let (outcome, act) = word(&["lab", "Good"]);
    assert_eq!(outcome, "host_fault");
    assert!(
        act["because"]
            .as_str()
            .is_some_and(|why| why.starts_with("logon_refused")),
        "{act}"
    );

    // Nothing is tried where nobody may act, or where the host is unknown.
    let before = desk.journal().len();
    let (code, out, err) = desk.restart(&["other", "Good"]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(
        err.contains("acting: true") && err.contains("hosts: ['other']"),
        "{err}"
    );
    let (code, _, err) = desk.restart(&["nobody", "Good"]);
    assert_eq!(code, Some(2), "{err}");
    assert_eq!(desk.journal().len(), before);
    let file = desk.path("password");
    let (code, _, err) = desk.restart(&["lab", "Good", "--data", &file]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("--data"), "{err}");
}

#[tokio::test]
async fn services_that_hang_are_given_up_and_named() {
    let host = WineHost::start();
    for (name, how, number) in [
        ("Stuck", "stuck", "0"),
        ("Deaf", "deaf", "0"),
        ("Hang", "hang", "0"),
        ("Fails", "fails", "4711"),
    ] {
        host.install(name, how, number);
    }
    host.start_service("Stuck");
    host.start_service("Deaf");
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let journal = Arc::new(Journal::new(data.path()));
    let access = access(host.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    let mut hand = Hand::new(Name::new(HOST), access, Span::seconds(30));
    let mut of = async |service: &str| -> Act {
        let order = Order {
            host: Name::new(HOST),
            asked: Asked {
                service: Name::new(service),
                aim: Aim::Restart,
                dry_run: false,
                time: Span::minutes(2),
                // Three of its wait hints are nine seconds, which is longer.
                still: Span::seconds(2),
            },
            by: "grace".to_owned(),
        };
        let act = restart(&mut hand, &order, &journal, |_| ()).await;
        act.expect("it is on record")
    };
    let stuck = of("Stuck").await;
    assert_eq!(stuck.outcome.as_deref(), Some("stop_timeout"), "{stuck:#?}");
    assert!(
        stuck.text.contains("still stopping without progress"),
        "{}",
        stuck.text
    );
    let deaf = of("Deaf").await;
    assert_eq!(deaf.outcome.as_deref(), Some("stop_timeout"), "{deaf:#?}");
    assert!(deaf.text.contains("it is running"), "{}", deaf.text);
    let hang = of("Hang").await;
    assert_eq!(hang.outcome.as_deref(), Some("start_timeout"), "{hang:#?}");
    assert!(
        hang.text.contains("still starting without progress"),
        "{}",
        hang.text
    );
    let fails = of("Fails").await;
    assert_eq!(
        (fails.outcome.as_deref(), fails.code),
        (Some("start_failed"), Some(4711)),
        "{fails:#?}"
    );
    hand.end().await;
}

#[test]
fn samba_denies_who_is_no_administrator_and_obeys_who_is() {
    let samba = Samba::start(&Settings {
        extra: vec![EACH_LOGON],
        ..Settings::default()
    });
    let desk = Desk::new(samba.port(), USER);
    let (code, act) = desk.act(&["lab", "Spooler"]);
    assert_eq!(
        (code, &act["outcome"]),
        (Some(1), &"denied".into()),
        "{act:#}"
    );
    let text = act["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("access denied (5) for svcuser")
            && text.contains("RemoteAccessCheckExemptionList"),
        "{text}"
    );
    assert_eq!(act["done"], serde_json::json!([]));
    let desk = Desk::new(samba.port(), ADMINISTRATOR);
    let (code, act) = desk.act(&["lab", "Spooler"]);
    assert_eq!(
        (code, &act["outcome"]),
        (Some(0), &"restarted".into()),
        "{act:#}"
    );
    // Its other services have their own ideas.
    let (code, act) = desk.act(&["lab", "NETLOGON"]);
    assert_eq!(
        (code, &act["outcome"]),
        (Some(1), &"disabled".into()),
        "{act:#}"
    );
    // A wrong password is tried once for each restart.
    let (before, _) = logons(&samba);
    fs::write(desk.path("password"), "wrong").expect("it is ours");
    let (code, act) = desk.act(&["lab", "Spooler"]);
    assert_eq!((code, &act["outcome"]), (Some(1), &"host_fault".into()));
    assert_eq!(logons(&samba), (before, 1), "{}", samba.logs());
}

/// Samba writes one line for each logon, whatever comes of it.
pub(crate) const EACH_LOGON: &str = "log level = 1 auth_audit:3";

/// How many logons Samba accepted and refused.
pub(crate) fn logons(samba: &Samba) -> (usize, usize) {
    let ended = |status: &str| samba.logged(&format!("with [NTLMv2] status [{status}]"));
    (
        ended("NT_STATUS_OK"),
        ended("NT_STATUS_WRONG_PASSWORD") + ended("NT_STATUS_NO_SUCH_USER"),
    )
}

/// A domain counts wrong passwords for each account, so the one of the account that acts is tried once for all hosts.
#[tokio::test]
async fn a_wrong_password_of_the_acting_account_is_tried_once() {
    let samba = Samba::start(&Settings {
        extra: vec![EACH_LOGON],
        ..Settings::default()
    });
    let desk = Desk::new(samba.port(), ADMINISTRATOR);
    let config = config::load(&[desk.path("svcwatch.yaml").into()], LoadOptions::default());
    let reach = Reach::new(&config.expect("it can be loaded"));
    let (actor, secrets) = (Actor::new(desk.path("data").into()), Arc::default());
    let act = async |host: &str| {
        let request = ActRequest {
            act: ActId("one".into()),
            host: Name::new(host),
            service: Name::new("Spooler"),
            computer: None,
            plan: Name::new("restart"),
            attempt: 1,
            dry_run: false,
            begin_before: clock::now().tick + Span::seconds(30),
        };
        Box::pin(actor.act(&request, &reach, &secrets)).await
    };
    fs::write(desk.path("password"), "wrong").expect("it is ours");
    let (outcome, text) = act("lab").await;
    assert_eq!(outcome, Came::Denied, "{text}");
    assert!(text.contains("logon_refused"), "{text}");
    assert_eq!(logons(&samba), (0, 1), "{}", samba.logs());
    for host in ["lab", "lab2", "lab"] {
        let (outcome, text) = act(host).await;
        assert_eq!(outcome, Came::Denied);
        assert!(text.contains("left alone"), "{text}");
    }
    assert_eq!(logons(&samba), (0, 1), "{}", samba.logs());
    fs::write(desk.path("password"), PASSWORD).expect("it is ours");
    let (outcome, text) = act("lab2").await;
    assert_eq!(outcome, Came::Started, "{text}");
    assert_eq!(logons(&samba), (1, 1), "one logon more, which is let in");
}
