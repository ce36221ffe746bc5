//! A real Prometheus and a real Alertmanager.

use super::process::{Running, free_port, need};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

/// One of the two, in a folder of its own.
#[derive(Debug)]
pub(crate) struct Server {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Running>,
}

impl Server {
    /// A Prometheus that scrapes this address each second, with these files of rules, and tells this Alertmanager.
    pub(crate) fn prometheus(scraped: &str, rules: &[&str], alertmanager: &Self) -> Self {
        let jobs = format!(
            "scrape_configs: [{{ job_name: svcwatch, static_configs: [{{ targets: ['{scraped}'] }}] }}]\n"
        );
        Self::prometheus_with(&jobs, rules, alertmanager)
    }

    /// The same with these jobs.
    pub(crate) fn prometheus_with(jobs: &str, rules: &[&str], alertmanager: &Self) -> Self {
        let server = Self::new();
        let files: Vec<String> = rules
            .iter()
            .enumerate()
            .map(|(number, text)| {
                let path = server.path(&format!("rules-{number}.yaml"));
                fs::write(&path, text).expect("a file can be written");
                path.display().to_string()
            })
            .collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: {files:?}\n\
             alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['{}'] }}] }}] }}\n\
             {jobs}",
            alertmanager.address()
        );
        server.start_prometheus(&config)
    }

    /// A Prometheus with this configuration.
    pub(crate) fn prometheus_of(config: &str) -> Self {
        Self::new().start_prometheus(config)
    }

    fn start_prometheus(self, config: &str) -> Self {
        need("prometheus", "prometheus");
        let data = ["--storage.tsdb.path"];
        self.start("prometheus", "--config.file", config, &data)
    }

    /// An Alertmanager that tells this webhook of one notification a host, with these rules of what hides what.
    pub(crate) fn alertmanager(webhook: u16, inhibit_rules: &str) -> Self {
        need("prometheus-alertmanager", "prometheus-alertmanager");
        let config = format!(
            "route: {{ receiver: hook, group_by: [host], group_wait: 3s, group_interval: 5s, repeat_interval: 1h }}\n\
             receivers: [{{ name: hook, webhook_configs: [{{ url: 'http://127.0.0.1:{webhook}/', send_resolved: true }}] }}]\n\
             {inhibit_rules}"
        );
        Self::new().start(
            "prometheus-alertmanager",
            "--config.file",
            &config,
            &["--cluster.listen-address=", "--storage.path"],
        )
    }

    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            port: free_port(),
            running: None,
        }
    }

    /// Starts the program; the last argument gets the folder of its data.
    fn start(mut self, program: &str, flag: &str, config: &str, arguments: &[&str]) -> Self {
        let path = self.path("config.yaml");
        fs::write(&path, config).expect("a file can be written");
        let log = self.path("log");
        let mut running = Running::start(
            Command::new(program)
                .arg(format!("--web.listen-address={}", self.address()))
                .arg(format!("{flag}={}", path.display()))
                .args(arguments)
                .arg(self.path("data"))
                .stdout(File::create(self.path("output")).expect("its log"))
                .stderr(File::create(&log).expect("its log")),
        );
        let address = self.address();
        running.wait_until(
            &format!("{program} is ready"),
            || ask(&address, "GET", "/-/ready", "").is_some_and(|(status, _)| status == 200),
            || fs::read_to_string(&log).unwrap_or_default(),
        );
        self.running = Some(running);
        self
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it answers; fails the test where that is an error.
    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = ask(&self.address(), "GET", path, "").expect("an answer");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}

/// One question over HTTP; nothing where nobody answers.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
