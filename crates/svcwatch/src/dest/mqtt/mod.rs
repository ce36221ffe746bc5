//! `type: mqtt`: notices on a topic for services that stopped, one for those that run again, and the state of every
//! service at every reading on a third. The bodies and topics are those of Butler, so that its subscribers go on.

mod body;
mod reply;
pub mod topic;

pub use reply::{Code, Reply, judge};

use crate::{
    dest::{
        Context, Problem, TIMEOUT,
        payload::{Form, Outgoing},
        redact::Redactor,
        text,
    },
    feed::{Fed, Next, Reading, words},
    secret::Secret,
    transport::mqtt::{Message, Mqtt},
};
use std::{path::PathBuf, time::Duration};
use svcwatch_core::{
    event::Verdict,
    id::{DeliveryKey, Name, stable_hash},
    notice::{Kind, Notice, ToldEvent},
    time::Span,
};

/// Readings that are handed to the connection before their acknowledgements are waited for.
const AT_ONCE: usize = 200;
/// How long to wait where only people can mend what is wrong.
const UNTIL_MENDED: Span = Span::seconds(60);

/// The version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 3.1.1, which every broker speaks; its protocol level is 4.
    #[default]
    V4,
    /// 5, whose messages have properties and whose brokers say why they refuse.
    V5,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// A file of certificates (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// A file with our own certificate (PEM).
    pub cert: Option<PathBuf>,
    /// The file of its key (PEM).
    pub key: Option<PathBuf>,
}

/// Where messages go; what has no topic is not published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics {
    /// Services that stopped.
    pub stopped: Option<String>,
    /// Services that run again.
    pub running: Option<String>,
    /// Every reading, and everything else that is told.
    pub status: Option<String>,
}

/// The settings of an `mqtt` destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The broker's name or address.
    pub host: String,
    /// Its port; the usual one where there is none.
    pub port: Option<u16>,
    /// How the connection is encrypted; not at all where there is none.
    pub tls: Option<Tls>,
    /// The user.
    pub user: Option<Secret>,
    /// Its password.
    pub password: Option<Secret>,
    /// How we are called; made of this computer's name where there is none.
    pub client_id: Option<String>,
    /// The version of the protocol.
    pub version: Version,
    /// 1 where the broker acknowledges each message, 0 where it does not.
    pub qos: u8,
    /// Whether the broker keeps the last state of each service for those who come later.
    pub retain_status: bool,
    /// Where messages go.
    pub topics: Topics,
    /// How long one message may take in all.
    pub timeout: Duration,
    /// Whether the broker is asked to say when we are gone. Off while somebody only tries the settings.
    pub presence: bool,
}

impl Settings {
    /// Plain settings for a broker, without topics.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls: None,
            user: None,
            password: None,
            client_id: None,
            version: Version::default(),
            qos: 1,
            retain_status: true,
            topics: Topics::default(),
            timeout: TIMEOUT,
            presence: true,
        }
    }

    /// What is wrong with them.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.host.trim().is_empty() {
            problems.push(Problem::new(
                "host",
                "is empty; write the broker's name or address",
            ));
        }
        if self.qos > 1 {
            problems.push(Problem::new("qos", "must be 0 or 1"));
        }
        if self.password.is_some() && self.user.is_none() {
            problems.push(Problem::new("password", "stands without user; write both"));
        }
        if let Some(tls) = &self.tls
            && tls.cert.is_some() != tls.key.is_some()
        {
            problems.push(Problem::new("tls", "needs cert and key together"));
        }
        let topics = &self.topics;
        for (key, base) in [
            ("topics.stopped", &topics.stopped),
            ("topics.running", &topics.running),
            ("topics.status", &topics.status),
        ] {
            if let Some(Err(text)) = base.as_deref().map(topic::check) {
                problems.push(Problem::new(key, text));
            }
        }
        if topics.any().is_none() {
            problems.push(Problem::new(
                "topics",
                "names no topic; write at least one of stopped, running and status",
            ));
        }
        problems
    }

    /// What is allowed but worth a warning.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        if self.tls.is_none() && self.password.is_some() && !super::is_loopback(&self.host) {
            warnings.push(Problem::new(
                "password",
                "travels readable, because there is no tls",
            ));
        }
        if self.qos == 0 {
            warnings.push(Problem::new(
                "qos",
                "is 0, so a message that is lost on its way is not noticed",
            ));
        }
        warnings
    }

    /// The port: as written, or the usual one.
    pub const fn port(&self) -> u16 {
        match (self.port, &self.tls) {
            (Some(port), _) => port,
            (None, Some(_)) => 8_883,
            (None, None) => 1_883,
        }
    }

    /// How we are called. The same at every start, so that a broker that has not noticed the end of the connection
    /// before ends it when the next one comes.
    pub fn client_id(&self) -> String {
        if let Some(written) = &self.client_id {
            return written.clone();
        }
        let topics = &self.topics;
        let own = format!("{}\n{}\n{topics:?}", crate::probe::workstation(), self.host);
        format!(
            "svcwatch{:012x}",
            stable_hash(&own, 1_883) & 0xffff_ffff_ffff
        )
    }

    /// Where the broker says whether we are there.
    pub fn presence_topic(&self) -> Option<String> {
        let base = self.topics.status.as_deref().filter(|_| self.presence)?;
        Some(format!("{base}/{}", topic::OWN_LEVEL))
    }

    /// Makes them fit for a try beside a svcwatch that runs: a broker would end the connection of the other one.
    pub fn trial(&mut self) {
        self.client_id = Some(format!("{}t", self.client_id()));
        self.presence = false;
    }

    /// The texts that must not be told.
    pub fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::default();
        if let Some(password) = &self.password {
            redactor.add(password.reveal());
        }
        redactor
    }

    /// The message of a notice.
    pub fn render(
        &self,
        key: &DeliveryKey,
        notice: &Notice,
        context: &Context,
    ) -> Result<Outgoing, String> {
        let form = Which::of(notice);
        let topic = self.topic(form, notice);
        let body = body::of_notice(form, notice, context)?;
        let mut outgoing = Outgoing::new(Form::Publish, body);
        // An empty topic says that there is none, so that nothing is published.
        outgoing.topic = Some(topic.unwrap_or_default());
        // The state of a service is kept by its readings. What a host is, only notices say.
        outgoing.retain = form == Which::Status
            && self.retain_status
            && notice.subject.service().is_none()
            && notice.subject.host().is_some();
        outgoing.properties = properties(key, notice);
        Ok(outgoing)
    }

    fn topic(&self, form: Which, notice: &Notice) -> Option<String> {
        let topics = &self.topics;
        let base = match form {
            Which::Stopped => topics.stopped.as_deref(),
            Which::Running => topics.running.as_deref(),
            // A try must go somewhere.
            Which::Status if notice.event == ToldEvent::Test => topics.any(),
            Which::Status => topics.status.as_deref(),
        }?;
        // A group stands in the place of a host.
        let host = notice.subject.host().or(notice.subject.group());
        Some(match (host, notice.subject.service()) {
            (Some(host), Some(service)) => place(base, host, service),
            (Some(host), None) => format!("{base}/{}", topic::host_level(host.as_str())),
            (None, _) => format!("{base}/{}/{}", topic::OWN_LEVEL, notice.event),
        })
    }

    /// The message of a reading; nothing where there is no topic for it.
    pub fn message(&self, reading: &Reading) -> Option<Message> {
        let base = self.topics.status.as_deref()?;
        let mut properties = vec![("at".to_owned(), text::rfc3339(reading.at))];
        if let Some(site) = &reading.site {
            properties.push(("site".to_owned(), site.to_string()));
        }
        if reading.changed {
            let before = reading
                .previous
                .map_or_else(|| "UNKNOWN".to_owned(), words::status);
            properties.push(("previous".to_owned(), before));
        }
        Some(Message {
            topic: place(base, &reading.host, &reading.service),
            payload: body::of_reading(reading).ok()?,
            retain: self.retain_status,
            properties,
        })
    }
}

impl Settings {
    /// Publishes readings, in their order.
    pub async fn feed(&self, mqtt: &Mqtt, redactor: &Redactor, readings: &[&Reading]) -> Fed {
        let mut fed = Fed::default();
        for some in readings.chunks(AT_ONCE) {
            let mut pending = Vec::with_capacity(some.len());
            for reading in some {
                pending.push(match self.message(reading) {
                    Some(message) => Some(mqtt.begin(message).await),
                    None => None,
                });
            }
            for one in pending {
                let Some(one) = one else {
                    fed.done += 1;
                    continue;
                };
                let judgement = judge(&one.reply().await, redactor);
                match judgement.verdict {
                    Verdict::Delivered => fed.done += 1,
                    // The connection ended, or a right lacks that somebody may give: the reading is kept.
                    Verdict::Retry { .. } => {
                        fed.next = Next::retry(None, judgement.answer);
                        return fed;
                    }
                    Verdict::Rejected { .. } => {
                        fed.next = Next::retry(Some(UNTIL_MENDED), judgement.answer);
                        return fed;
                    }
                }
            }
        }
        fed
    }
}

impl Topics {
    /// One of them.
    fn any(&self) -> Option<&str> {
        [&self.status, &self.stopped, &self.running]
            .into_iter()
            .find_map(|base| base.as_deref())
    }
}

fn place(base: &str, host: &Name, service: &Name) -> String {
    let (host, service) = (
        topic::host_level(host.as_str()),
        topic::level(service.as_str()),
    );
    format!("{base}/{host}/{service}")
}

/// Which topic a notice goes to, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Stopped,
    Running,
    Status,
}

impl Which {
    fn of(notice: &Notice) -> Self {
        match (notice.kind, notice.event) {
            _ if notice.subject.service().is_none() => Self::Status,
            (Kind::Opened | Kind::Updated | Kind::Reminder, ToldEvent::Stopped) => Self::Stopped,
            (Kind::Resolved, ToldEvent::Started) => Self::Running,
            _ => Self::Status,
        }
    }
}

/// What stands beside a message where the protocol has a place for it.
fn properties(key: &DeliveryKey, notice: &Notice) -> Vec<(String, String)> {
    let mut properties = vec![
        ("key".to_owned(), key.to_string()),
        ("kind".to_owned(), notice.kind.to_string()),
        ("event".to_owned(), notice.event.to_string()),
        ("at".to_owned(), text::rfc3339(notice.at)),
    ];
    if let Some(incident) = &notice.incident {
        properties.push(("incident".to_owned(), incident.id.to_string()));
    }
    properties
}

#[cfg(test)]
mod tests;
