//! A real InfluxDB 1.

use super::process::{Running, free_port, listens, need, run};
use std::{
    fs::{self, File},
    process::Command,
};

/// A database in a folder of its own.
#[derive(Debug)]
pub(crate) struct Influx {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    running: Option<Running>,
}

impl Influx {
    /// Starts one, with users where `logon` says so.
    pub(crate) fn start(logon: bool) -> Self {
        need("influxd", "influxdb");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (port, inner) = (free_port(), free_port());
        let path = folder.path().display();
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{inner}\"\n\
             [meta]\n  dir = \"{path}/meta\"\n\
             [data]\n  dir = \"{path}/data\"\n  wal-dir = \"{path}/wal\"\n\
             [monitor]\n  store-enabled = false\n\
             [http]\n  bind-address = \"127.0.0.1:{port}\"\n  auth-enabled = {logon}\n"
        );
        fs::write(folder.path().join("influxdb.conf"), config).expect("its configuration");
        let mut influx = Self {
            folder,
            port,
            running: None,
        };
        influx.up();
        influx
    }

    /// Starts it again.
    pub(crate) fn up(&mut self) {
        let log = self.folder.path().join("log");
        let mut command = Command::new("influxd");
        command
            .arg("-config")
            .arg(self.folder.path().join("influxdb.conf"))
            .stdout(File::create(&log).expect("its log"))
            .stderr(File::create(self.folder.path().join("errors")).expect("its log"));
        let mut running = Running::start(&mut command);
        let port = self.port;
        running.wait_until(
            "the database listens",
            || listens(port),
            || fs::read_to_string(&log).unwrap_or_default(),
        );
        self.running = Some(running);
    }

    /// Ends it; what it keeps is kept.
    pub(crate) fn down(&mut self) {
        self.running = None;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The answer to a question in InfluxQL, by Debian's own client of HTTP.
    pub(crate) fn ask(&self, database: &str, question: &str) -> serde_json::Value {
        let script = "import sys, urllib.parse, urllib.request\n\
            query = urllib.parse.urlencode({'db': sys.argv[2], 'q': sys.argv[3]}).encode()\n\
            print(urllib.request.urlopen(sys.argv[1] + '/query', query).read().decode())";
        let output = run(Command::new("/usr/bin/python3").args([
            "-c",
            script,
            &self.url(),
            database,
            question,
        ]));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}
