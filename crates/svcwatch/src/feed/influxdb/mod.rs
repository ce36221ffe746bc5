//! `type: influxdb`: every reading as a point, in InfluxDB 1, 2 and 3. It is a feed and takes no notices.

pub mod judge;
pub mod lines;

use crate::{
    dest::{
        Problem, TIMEOUT,
        judge::HttpReply,
        redact::Redactor,
        webhook::{self, place},
    },
    feed::{Fed, Next, Reading},
    secret::Secret,
    transport::influxdb::Influx,
};
use judge::Meaning;
use lines::Beginning;
use std::{collections::VecDeque, ops::Range, path::PathBuf, time::Duration};
use svcwatch_core::time::Wall;

/// Lines of one request, unless the configuration says otherwise.
pub const BATCH: usize = 5_000;
/// Bytes of one request before it is compressed, about, at most. InfluxDB 1 takes 25 MB.
const BODY_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// How often one batch is divided to find what is bad in it; what is still not found then is given up with it.
const SPLITS_MAX: usize = 64;

/// Which InfluxDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// InfluxDB 1: databases and retention policies, users with passwords.
    V1,
    /// InfluxDB 2: organizations and buckets, tokens.
    V2,
    /// InfluxDB 3: databases, tokens.
    V3,
}

/// A retention policy that is made together with a database that lacks (InfluxDB 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Its name.
    pub name: String,
    /// How long points are kept, as InfluxDB writes durations: `10d`, `INF`.
    pub duration: String,
}

/// The settings of an `influxdb` destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is: scheme, host, port and, behind a proxy, the path before its own.
    pub url: Secret,
    /// Which InfluxDB it is.
    pub version: Version,
    /// The database (1 and 3).
    pub database: Option<String>,
    /// The retention policy that is written to; the database's own default where there is none (1).
    pub retention_policy: Option<String>,
    /// What a database that lacks is made with (1).
    pub retention: Option<Retention>,
    /// The organization (2).
    pub org: Option<String>,
    /// The bucket (2).
    pub bucket: Option<String>,
    /// The token (2 and 3).
    pub token: Option<Secret>,
    /// The user (1).
    pub user: Option<Secret>,
    /// Its password (1).
    pub password: Option<Secret>,
    /// Further tags of each point.
    pub tags: Vec<(String, String)>,
    /// Lines of one request, at most.
    pub batch: usize,
    /// A file of certificates (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

impl Settings {
    /// Plain settings of a database.
    pub fn new(url: impl Into<Secret>, version: Version) -> Self {
        Self {
            url: url.into(),
            version,
            database: None,
            retention_policy: None,
            retention: None,
            org: None,
            bucket: None,
            token: None,
            user: None,
            password: None,
            tags: Vec::new(),
            batch: BATCH,
            ca: None,
            timeout: TIMEOUT,
        }
    }

    /// What is wrong with them.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match webhook::parse_url(&self.url) {
            Err(text) => problems.push(Problem::new("url", text)),
            Ok(url) if url.query().is_some() => problems.push(Problem::new(
                "url",
                "has a part after ?; write only where InfluxDB is, such as http://influx.example:8086",
            )),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                problems.push(Problem::new(
                    "url",
                    "has a user or password in it; write them as user and password",
                ));
            }
            Ok(_) => {}
        }
        let wanted: &[(&'static str, bool)] = match self.version {
            Version::V1 => &[("database", self.database.is_some())],
            Version::V2 => &[
                ("org", self.org.is_some()),
                ("bucket", self.bucket.is_some()),
                ("token", self.token.is_some()),
            ],
            Version::V3 => &[
                ("database", self.database.is_some()),
                ("token", self.token.is_some()),
            ],
        };
        for (key, there) in wanted {
            if !there {
                problems.push(Problem::new(key, "lacks, and this version needs it"));
            }
        }
        if self.user.is_some() != self.password.is_some() {
            problems.push(Problem::new("user", "and password go together; write both"));
        }
        if self
            .retention
            .as_ref()
            .is_some_and(|retention| !is_duration(&retention.duration))
        {
            problems.push(Problem::new(
                "retention",
                "has no duration of InfluxDB; write it as 10d, 52w or INF",
            ));
        }
        if !(1..=50_000).contains(&self.batch) {
            problems.push(Problem::new("batch", "must be between 1 and 50000"));
        }
        problems
    }

    /// What is allowed but worth a warning.
    pub fn warnings(&self) -> Vec<Problem> {
        match webhook::parse_url(&self.url) {
            Ok(url)
                if url.scheme() == "http"
                    && !url.host_str().is_some_and(crate::dest::is_loopback) =>
            {
                vec![Problem::new(
                    "url",
                    "is not https, so others on the way can read the readings and the token or password",
                )]
            }
            _ => Vec::new(),
        }
    }

    /// The texts that must not be told.
    pub fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::default();
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            redactor.add_logon(user.reveal(), password.reveal());
        }
        if let Some(token) = &self.token {
            redactor.add(token.reveal());
        }
        redactor
    }

    /// The line of a try.
    pub fn test_line(&self, now: Wall) -> String {
        let computer = crate::probe::workstation();
        Beginning::new(lines::TEST_MEASUREMENT, &self.tags).test_line(&computer, now.0)
    }

    /// Writes readings, in as few requests as there may be.
    pub async fn feed(
        &self,
        influx: &Influx,
        redactor: &Redactor,
        readings: &[&Reading],
        now: Wall,
    ) -> Fed {
        if let Err(reason) = influx.prepare(now, redactor).await {
            return Fed::retry(0, None, reason);
        }
        let beginning = Beginning::new(lines::MEASUREMENT, &self.tags);
        let all: Vec<String> = readings
            .iter()
            .map(|reading| beginning.line(reading))
            .collect();
        let mut parts = parts(&all, influx.most().min(self.batch));
        let mut fed = Fed::default();
        let (mut splits, mut made) = (0, false);
        while let Some(part) = parts.pop_front() {
            let some = all.get(part.clone()).unwrap_or_default();
            let reply = influx.write(some.join("\n")).await;
            match judge::write(&reply, some.len(), now, redactor) {
                Meaning::Taken { dropped, reason } => fed.drop_some(dropped, reason),
                Meaning::Split(reason) if some.len() < 2 || splits >= SPLITS_MAX => {
                    fed.drop_some(some.len(), Some(reason));
                }
                Meaning::Split(_) => {
                    splits += 1;
                    if is_too_large(&reply) {
                        influx.at_most(some.len() / 2);
                    }
                    let middle = part.start + some.len() / 2;
                    parts.push_front(middle..part.end);
                    parts.push_front(part.start..middle);
                    continue;
                }
                Meaning::NotThere(reason) if made => {
                    fed.next = Next::retry(None, reason);
                    return fed;
                }
                Meaning::NotThere(reason) => {
                    made = true;
                    if let Err(error) = influx.make_what_lacks(&reason, now, redactor).await {
                        fed.next = Next::retry(None, error);
                        return fed;
                    }
                    parts.push_front(part);
                    continue;
                }
                Meaning::Retry { after, reason } => {
                    fed.next = Next::retry(after, format!("{}: {reason}", self.place()));
                    return fed;
                }
            }
            fed.done = part.end;
        }
        fed
    }

    /// Where it is, without what may be secret.
    fn place(&self) -> String {
        webhook::parse_url(&self.url).map_or_else(|_| "InfluxDB".to_owned(), |url| place(&url))
    }
}

const fn is_too_large(reply: &HttpReply) -> bool {
    matches!(reply, HttpReply::Answer { status: 413, .. })
}

/// Whether a text is a duration as InfluxQL writes it: numbers, each with its unit, or `INF`.
pub fn is_duration(text: &str) -> bool {
    if text.eq_ignore_ascii_case("INF") {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let after = rest.get(digits..).unwrap_or_default();
        let unit = ["ns", "ms", "us", "u", "µ", "s", "m", "h", "d", "w"]
            .into_iter()
            .find(|unit| after.starts_with(unit));
        let Some(unit) = unit.filter(|_| (1..=18).contains(&digits)) else {
            return false;
        };
        rest = after.get(unit.len()..).unwrap_or_default();
    }
    !text.is_empty()
}

/// Divides lines into parts of at most so many lines and bytes each; at least one line.
fn parts(lines: &[String], most: usize) -> VecDeque<Range<usize>> {
    let mut parts = VecDeque::new();
    let (mut start, mut bytes) = (0, 0);
    for (place, line) in lines.iter().enumerate() {
        if place > start && (place - start >= most || bytes + line.len() > BODY_BYTES_MAX) {
            parts.push_back(start..place);
            (start, bytes) = (place, 0);
        }
        bytes += line.len() + 1;
    }
    if start < lines.len() {
        parts.push_back(start..lines.len());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_divided_by_number_and_by_size() {
        let lines = |count: usize, length: usize| vec!["x".repeat(length); count];
        assert_eq!(parts(&lines(5, 3), 2), [0..2, 2..4, 4..5]);
        assert!(parts(&lines(0, 3), 2).is_empty());
        assert_eq!(
            parts(&lines(3, BODY_BYTES_MAX - 10), 100),
            [0..1, 1..2, 2..3]
        );
    }

    #[test]
    fn durations_are_those_of_influxql() {
        for good in ["10d", "INF", "inf", "1w3d", "90m", "5µ"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in [
            "",
            "10",
            "d",
            "10d; DROP DATABASE x",
            "10 d",
            "1000000000000000000000d",
            "-1d",
        ] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    #[test]
    fn bad_settings_are_named_without_their_secrets() {
        let mut settings = Settings::new("http://canary:canary@h:8086", Version::V2);
        settings.user = Some(Secret::from("canary"));
        settings.batch = 0;
        let keys: Vec<&str> = settings.check().iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["url", "org", "bucket", "token", "user", "batch"]);
        assert!(!format!("{:?}{settings:?}", settings.check()).contains("canary"));
        let with_query = Settings::new("http://h:8086/?db=x", Version::V1);
        let keys: Vec<&str> = with_query
            .check()
            .iter()
            .map(|problem| problem.key)
            .collect();
        assert_eq!(keys, ["url", "database"]);
    }
}
