//! The story that must hold: a real service process stops, one incident, one webhook and one mail tell it, it starts
//! again and both tell that, and killing svcwatch at any moment of it changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::process::Running;
use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD, webhook};

/// How long anything may take: svcwatch starts in a debug build beside other tests, and Wine is slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// How often svcwatch is killed.
const KILLS: u64 = 50;

/// How often the service stops and starts meanwhile.
const OUTAGES: u64 = 5;

/// The longest that svcwatch lives before it is killed.
const LIFE_MAX: u64 = 1_800;

/// Debian's own Python, which sees Debian's modules whatever other Python comes first in the path.
const PYTHON: &str = "/usr/bin/python3";

/// What one message said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    key: String,
    pub(crate) kind: String,
    body: String,
}

impl Message {
    /// What it says.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }
}

/// What arrived at one destination, in order.
pub(crate) type Arrived = Arc<Mutex<Vec<Message>>>;

/// A webhook that keeps what it was given.
pub(crate) fn webhook() -> (u16, Arrived) {
    let arrived = Arrived::default();
    let kept = Arc::clone(&arrived);
    let port = webhook::webhook(move |body| {
        let json: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        kept.lock().expect("nobody panicked").push(Message {
            key: text("key"),
            kind: text("kind"),
            body: String::from_utf8_lossy(body).into_owned(),
        });
        Some(())
    });
    (port, arrived)
}

/// A mail server that keeps what it was given; it ends with the value that stands for it.
fn mail_server() -> (Running, u16, Arrived) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dest_mail_server.py");
    let mut server = Running::start(
        Command::new(PYTHON)
            .arg(script)
            .args(["--mode", "off"])
            .stdout(Stdio::piped()),
    );
    let output = server.take_output().expect("its output is a pipe");
    let mut lines = BufReader::new(output).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    let said: Value = serde_json::from_str(&first).unwrap_or_default();
    let port = said["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_else(|| {
        panic!("the mail server said {first:?}; run `cargo xtask peers`, which installs python3-aiosmtpd")
    });
    let arrived = Arrived::default();
    let kept = Arc::clone(&arrived);
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let mail: Value = serde_json::from_str(&line).expect("a line of JSON");
            kept.lock().expect("nobody panicked").push(of_mail(&mail));
        }
    });
    (server, port, arrived)
}

fn of_mail(mail: &Value) -> Message {
    let header = |wanted: &str| {
        let headers = mail["headers"].as_array().into_iter().flatten();
        let mut found = headers.filter(|pair| {
            pair[0]
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        });
        found
            .next()
            .and_then(|pair| pair[1].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let subject = header("subject");
    let kind = if subject.contains("RESOLVED") || subject.contains("runs again") {
        "resolved"
    } else {
        "opened"
    };
    Message {
        key: header("message-id"),
        kind: kind.to_owned(),
        body: format!("{subject}\n{}", mail["plain"]),
    }
}

/// Numbers that are the same for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let given = std::env::var("SVCWATCH_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            u64::try_from(now.as_micros()).unwrap_or(1)
        });
        println!("seed {seed}: set SVCWATCH_SEED={seed} to kill at the same moments again");
        Self(seed.max(1))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// svcwatch as a process, with its configuration, its store and everything around it.
struct Story {
    host: Arc<WineHost>,
    hooks: Arrived,
    mails: Arrived,
    folder: tempfile::TempDir,
    svcwatch: Option<Child>,
    _mail_server: Running,
}

impl Story {
    fn begin() -> Self {
        let host = Arc::new(WineHost::start());
        host.start_service("Spooler");
        let ((hook, hooks), (mail_server, mail, mails)) = (webhook(), mail_server());
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let config = format!(
            "listen: 127.0.0.1:0\n\
             credentials: {{ ops: {{ user: {ADMINISTRATOR}, password: {{ file: password }} }} }}\n\
             defaults: {{ every: 1s, timeout: 20s, settle: 0s, credentials: ops }}\n\
             hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\n\
             destinations:\n\
             \x20 hook: {{ type: webhook, url: 'http://127.0.0.1:{hook}/in' }}\n\
             \x20 duty: {{ type: email, smtp: {{ host: 127.0.0.1, port: {mail}, tls: off }}, from: svcwatch@corp.example, to: [ops@corp.example] }}\n",
            host.port()
        );
        fs::write(folder.path().join("svcwatch.yaml"), config).expect("a file can be written");
        let mut story = Self {
            host,
            hooks,
            mails,
            folder,
            svcwatch: None,
            _mail_server: mail_server,
        };
        story.start();
        story.wait("the service is shown as running", |story| {
            story
                .items("/api/v1/services")
                .iter()
                .any(|service| service["state"] == "running")
        });
        story
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts svcwatch; its log is a file.
    fn start(&mut self) {
        let log = fs::File::create(self.path("log")).expect("a file can be written");
        let child = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .arg("run")
            .arg("-c")
            .arg(self.path("svcwatch.yaml"))
            .arg("--data")
            .arg(self.path("data"))
            .env("RUST_LOG", "svcwatch=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.svcwatch = Some(child.expect("svcwatch can be started"));
    }

    /// Ends svcwatch as a crash does.
    fn kill(&mut self) {
        if let Some(mut child) = self.svcwatch.take() {
            let ended = child.try_wait().expect("it is our child");
            assert!(
                ended.is_none(),
                "svcwatch ended by itself ({ended:?}): {}",
                self.log()
            );
            // SIGKILL.
            child.kill().expect("it is our child");
            child.wait().expect("it is our child");
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The items of a list of the API; none while svcwatch is not there yet.
    fn items(&self, path: &str) -> Vec<Value> {
        self.ask(path)
            .and_then(|list| list["items"].as_array().cloned())
            .unwrap_or_default()
    }

    fn ask(&self, path: &str) -> Option<Value> {
        let log = self.log();
        let address = log.split("listens http://").nth(1)?.lines().next()?;
        let mut stream = TcpStream::connect(address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(
                begun.elapsed() < DEADLINE,
                "not within {DEADLINE:?}: {what}\nwebhooks: {:#?}\nmails: {:#?}\nincidents: {:#?}\n{}",
                keys_of(&self.hooks),
                keys_of(&self.mails),
                self.items("/api/v1/incidents"),
                self.log()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until both destinations have been told of so many openings or ends.
    fn wait_told(&self, kind: &str, count: u64) {
        for (name, arrived) in [("webhook", &self.hooks), ("mail", &self.mails)] {
            self.wait(&format!("{kind} number {count} by {name}"), |_| {
                distinct(arrived, kind) >= count
            });
        }
    }

    /// Stops or starts the service on the host itself, while svcwatch is killed so often at random moments.
    fn change(&mut self, starts: bool, kills: u64, dice: &mut Dice) {
        let host = Arc::clone(&self.host);
        let changing = thread::spawn(move || {
            if starts {
                host.start_service("Spooler");
            } else {
                host.stop_service("Spooler");
            }
        });
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(dice.below(LIFE_MAX)));
            self.kill();
            self.start();
        }
        changing.join().expect("the service obeys");
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if let Some(child) = &mut self.svcwatch {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn keys_of(arrived: &Arrived) -> Vec<(String, String)> {
    let arrived = arrived.lock().expect("nobody panicked");
    arrived
        .iter()
        .map(|message| (message.kind.clone(), message.key.clone()))
        .collect()
}

/// How many different messages of a kind arrived.
fn distinct(arrived: &Arrived, kind: &str) -> u64 {
    let arrived = arrived.lock().expect("nobody panicked");
    let keys: BTreeSet<&String> = arrived
        .iter()
        .filter(|message| message.kind == kind)
        .map(|message| &message.key)
        .collect();
    u64::try_from(keys.len()).unwrap_or(u64::MAX)
}

/// Nothing lost, nothing told twice, and in order: an opening and an end for each outage, in turn. A repeat is allowed
/// only with the same key and body.
fn is_told_in_turn(name: &str, arrived: &Arrived, outages: u64) {
    let arrived = arrived.lock().expect("nobody panicked");
    let mut told: Vec<&Message> = Vec::new();
    for message in arrived.iter() {
        match told.iter().find(|earlier| earlier.key == message.key) {
            Some(earlier) => assert_eq!(
                earlier.body, message.body,
                "{name}: a repeat has the same body"
            ),
            None => told.push(message),
        }
    }
    let kinds: Vec<&str> = told.iter().map(|message| message.kind.as_str()).collect();
    let wanted: Vec<&str> = (0..outages).flat_map(|_| ["opened", "resolved"]).collect();
    assert_eq!(kinds, wanted, "{name}: {told:#?}");
    println!(
        "{name}: {} messages, {} of them repeats",
        arrived.len(),
        arrived.len() - told.len()
    );
}

#[test]
fn a_stopped_service_is_one_incident_one_webhook_and_one_mail() {
    let mut story = Story::begin();
    story.host.stop_service("Spooler");
    story.wait_told("opened", 1);
    let open = story.items("/api/v1/incidents?resolved_at=null");
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(
        (&open[0]["event"], &open[0]["service"]),
        (&"stopped".into(), &"Spooler".into())
    );
    story.host.start_service("Spooler");
    story.wait_told("resolved", 1);
    story.wait("the incident is over", |story| {
        story.items("/api/v1/incidents?resolved_at=null").is_empty()
    });
    for (name, arrived) in [("webhook", &story.hooks), ("mail", &story.mails)] {
        is_told_in_turn(name, arrived, 1);
        assert_eq!(keys_of(arrived).len(), 2, "{name}: each once");
    }
    let process = story
        .svcwatch
        .as_ref()
        .map(Pid::from_child)
        .expect("it runs");
    kill_process(process, Signal::TERM).expect("it runs");
    let ended = story.svcwatch.take().map(|mut child| child.wait());
    assert!(
        matches!(ended, Some(Ok(status)) if status.success()),
        "{ended:?}: {}",
        story.log()
    );
}

#[test]
fn killed_at_fifty_random_moments_nothing_is_lost_and_nothing_opens_twice() {
    let mut dice = Dice::new();
    let mut story = Story::begin();
    let kills = KILLS / OUTAGES / 2;
    for outage in 1..=OUTAGES {
        story.change(false, kills, &mut dice);
        story.wait_told("opened", outage);
        story.change(true, kills, &mut dice);
        story.wait_told("resolved", outage);
    }
    story.wait("everything is delivered", |story| {
        let deliveries = story.items("/api/v1/deliveries");
        !deliveries.is_empty()
            && deliveries
                .iter()
                .all(|delivery| delivery["state"] == "delivered")
    });
    let incidents = story.items("/api/v1/incidents");
    assert_eq!(incidents.len() as u64, OUTAGES, "{incidents:#?}");
    assert!(
        incidents
            .iter()
            .all(|incident| incident["event"] == "stopped" && incident["resolved_at"].is_string()),
        "{incidents:#?}"
    );
    is_told_in_turn("webhook", &story.hooks, OUTAGES);
    is_told_in_turn("mail", &story.mails, OUTAGES);
}
