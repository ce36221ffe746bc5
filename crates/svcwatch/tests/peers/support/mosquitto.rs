//! A real MQTT broker, and what hears its messages.

use super::process::{Running, free_port, listens, need, run};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// A broker in a folder of its own. What it keeps lives as long as the folder, over restarts.
#[derive(Debug)]
pub(crate) struct Broker {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    running: Option<Running>,
}

impl Broker {
    /// Starts a broker with these further lines of configuration; `{folder}` in them is its folder.
    pub(crate) fn start(lines: &str) -> Self {
        need("/usr/sbin/mosquitto", "mosquitto");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let config = format!(
            "user root\npersistence true\npersistence_location {}/\nlistener {port} 127.0.0.1\n{}\n",
            folder.path().display(),
            lines.replace("{folder}", &folder.path().display().to_string())
        );
        fs::write(folder.path().join("mosquitto.conf"), config).expect("its configuration");
        let mut broker = Self {
            folder,
            port,
            running: None,
        };
        broker.up();
        broker
    }

    /// One to which only users with a password may come.
    pub(crate) fn with_password(user: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("passwords");
        run(Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&file)
            .args([user, password]));
        let broker = Self::start(&format!(
            "allow_anonymous false\npassword_file {}",
            file.display()
        ));
        // It has read the file.
        drop(folder);
        broker
    }

    /// Starts it again.
    pub(crate) fn up(&mut self) {
        let log = File::create(self.folder.path().join("log")).expect("its log");
        let mut command = Command::new("/usr/sbin/mosquitto");
        command
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stderr(log);
        let mut running = Running::start(&mut command);
        let (port, log) = (self.port, self.folder.path().join("log"));
        running.wait_until(
            "the broker listens",
            || listens(port),
            || fs::read_to_string(&log).unwrap_or_default(),
        );
        self.running = Some(running);
    }

    /// Ends it; what it keeps is kept.
    pub(crate) fn down(&mut self) {
        self.running = None;
    }

    /// Hears all its messages from now on, those that it keeps first.
    pub(crate) fn listen(&self, arguments: &[&str]) -> Ear {
        need("mosquitto_sub", "mosquitto-clients");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let heard = folder.path().join("heard");
        let mut command = Command::new("mosquitto_sub");
        command
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-q",
                "1",
                "-t",
                "#",
            ])
            .args(["-V", "5", "-F", "%r|%t|%P|%p"])
            .args(arguments)
            .stdout(File::create(&heard).expect("what is heard"));
        Ear {
            running: Running::start(&mut command),
            heard,
            _folder: folder,
        }
    }
}

/// What hears the messages of a broker.
#[derive(Debug)]
pub(crate) struct Ear {
    running: Running,
    heard: PathBuf,
    _folder: tempfile::TempDir,
}

/// A message as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Whether the broker had kept it.
    pub(crate) kept: bool,
    pub(crate) topic: String,
    /// Names and values as they are printed.
    pub(crate) properties: String,
    pub(crate) payload: String,
}

impl Ear {
    /// What was heard so far, in its order.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        heard_in(&self.heard)
    }

    /// Waits until something was heard.
    pub(crate) fn wait_for(&mut self, what: &str, is_it: impl Fn(&Heard) -> bool) -> Heard {
        let file = &self.heard;
        let mut found = None;
        self.running.wait_until(
            what,
            || {
                found = heard_in(file).into_iter().find(|one| is_it(one));
                found.is_some()
            },
            || fs::read_to_string(file).unwrap_or_default(),
        );
        found.expect("it was found")
    }
}

fn heard_in(file: &Path) -> Vec<Heard> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let of_line = |line: &str| {
        let mut parts = line.splitn(4, '|');
        Some(Heard {
            kept: parts.next()? == "1",
            topic: parts.next()?.to_owned(),
            properties: parts.next()?.to_owned(),
            payload: parts.next()?.to_owned(),
        })
    };
    text.lines().filter_map(of_line).collect()
}
