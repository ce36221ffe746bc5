//! Where notices go. A destination is one file: its settings, their check, `render` (notice → message) and `judge`
//! (reply → verdict), both pure. Sending is done by [`crate::transport`] alone; [`sender`] puts the two together.

pub mod body;
pub mod butler;
pub mod clean;
pub mod codes;
pub mod email;
pub mod endpoint;
mod facts;
pub mod judge;
mod layout;
pub mod log;
pub mod mailbox;
pub mod mqtt;
pub mod newrelic;
pub mod payload;
pub mod redact;
pub mod sender;
pub mod slack;
mod slack_words;
pub mod teams;
pub mod text;
pub mod webhook;
pub mod wording;

use crate::{feed::influxdb, runbook};
use endpoint::Endpoint;
use payload::Outgoing;
use std::{path::Path, sync::Arc, time::Duration};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name, Subject},
    limits,
    notice::{Kind, Notice, ToldEvent},
    time::Wall,
};
use wording::{Drawn, Fallback, Wording};

/// How long a whole delivery may take unless the configuration says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest and the longest `timeout` that is allowed.
pub const TIMEOUT_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_mins(1);

/// The page about many things at once.
const FLEET: &str = "fleet";

/// What is the same for all destinations when a message is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The base of links, as `web.url` says it, without a slash at its end; none where there is nothing to link to.
    pub base_url: Option<Arc<str>>,
    /// When the message is made.
    pub now: Wall,
}

impl Context {
    /// Where an incident can be looked at.
    pub fn incident_url(&self, incident: &IncidentId) -> Option<String> {
        let base = self.base_url.as_deref()?.trim_end_matches('/');
        Some(format!("{base}/api/v1/incidents?id={incident}"))
    }

    /// Where it is said what a notice means and what to do; none where nothing is to be done.
    pub fn runbook_url(&self, notice: &Notice) -> Option<String> {
        let base = self.base_url.as_deref()?.trim_end_matches('/');
        if notice.kind == Kind::Resolved {
            return None;
        }
        let name = match (notice.kind, notice.event) {
            // A summary has the event of the worst that it counts, and its page would be about one of many.
            (Kind::Summary, event)
                if !matches!(event, ToldEvent::AfterBoot | ToldEvent::Unwatched) =>
            {
                FLEET
            }
            (_, event) => runbook::name_of(event)?,
        };
        let about = [
            ("host", notice.subject.host()),
            ("service", notice.subject.service()),
        ];
        let named = about
            .iter()
            .filter_map(|(word, name)| Some((*word, name.as_ref()?.as_str())));
        let query = body::pairs(named);
        let mark = if query.is_empty() { "" } else { "?" };
        Some(format!("{base}/runbooks/{name}{mark}{query}"))
    }
}

/// The settings of a destination, as the configuration gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// `type: log`.
    Log(log::Settings),
    /// `type: webhook`.
    Webhook(webhook::Settings),
    /// `type: email`.
    Email(email::Settings),
    /// `type: slack`.
    Slack(slack::Settings),
    /// `type: teams`.
    Teams(teams::Settings),
    /// `type: newrelic`.
    NewRelic(newrelic::Settings),
    /// `type: mqtt`.
    Mqtt(mqtt::Settings),
    /// `type: influxdb`.
    Influxdb(influxdb::Settings),
}

/// A message that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The message, as it is stored.
    pub bytes: Vec<u8>,
    /// The templates that were not used for it.
    pub fallbacks: Vec<Fallback>,
}

/// For whom and of what size a message is made.
#[derive(Debug, Clone, Copy)]
struct Order<'a> {
    destination: &'a Name,
    key: &'a DeliveryKey,
    recipient: &'a str,
    lines: usize,
}

impl Settings {
    /// What is wrong with them: each a key of the destination and a sentence. None of them names a secret.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = match self {
            Self::Log(settings) => settings.check(),
            Self::Webhook(settings) => settings.check(),
            Self::Email(settings) => settings.check(),
            Self::Slack(settings) => settings.addresses().check(),
            Self::Teams(settings) => settings.addresses().check(),
            Self::NewRelic(settings) => settings.check(),
            Self::Mqtt(settings) => settings.check(),
            Self::Influxdb(settings) => settings.check(),
        };
        if !TIMEOUT_RANGE.contains(&self.timeout()) {
            problems.push(Problem::new("timeout", "must be between 1s and 60s"));
        }
        problems
    }

    /// What is allowed but worth a warning.
    pub fn warnings(&self) -> Vec<Problem> {
        match self {
            Self::Log(_) => Vec::new(),
            Self::Webhook(settings) => settings.warnings(),
            Self::Email(settings) => settings.warnings(),
            Self::Slack(settings) => settings.addresses().warnings(),
            Self::Teams(settings) => settings.addresses().warnings(),
            Self::NewRelic(settings) => settings.warnings(),
            Self::Mqtt(settings) => settings.warnings(),
            Self::Influxdb(settings) => settings.warnings(),
        }
    }

    /// Who gets deliveries of their own; one empty text where the destination itself is the recipient.
    pub fn recipients(&self) -> Vec<Arc<str>> {
        match self {
            Self::Log(_) | Self::Webhook(_) | Self::Slack(_) | Self::Teams(_) | Self::Mqtt(_) => {
                vec![Arc::from("")]
            }
            Self::Influxdb(_) => Vec::new(),
            Self::NewRelic(settings) => settings.recipients(),
            Self::Email(settings) => settings
                .to
                .iter()
                .map(|to| Arc::from(to.as_str()))
                .collect(),
        }
    }

    /// How long a whole delivery may take.
    pub const fn timeout(&self) -> Duration {
        match self {
            Self::Log(settings) => settings.timeout,
            Self::Webhook(settings) => settings.timeout,
            Self::Email(settings) => settings.timeout,
            Self::Slack(settings) => settings.timeout,
            Self::Teams(settings) => settings.timeout,
            Self::NewRelic(settings) => settings.timeout,
            Self::Mqtt(settings) => settings.timeout,
            Self::Influxdb(settings) => settings.timeout,
        }
    }

    /// The word of its type.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Log(_) => "log",
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::NewRelic(_) => "newrelic",
            Self::Mqtt(_) => "mqtt",
            Self::Influxdb(_) => "influxdb",
        }
    }

    /// Whether it takes every reading.
    pub const fn is_feed(&self) -> bool {
        match self {
            Self::Log(_)
            | Self::Webhook(_)
            | Self::Email(_)
            | Self::Slack(_)
            | Self::Teams(_)
            | Self::NewRelic(_) => false,
            Self::Mqtt(settings) => settings.topics.status.is_some(),
            Self::Influxdb(_) => true,
        }
    }

    /// Makes them fit for a try beside a svcwatch that runs.
    pub fn trial(&mut self) {
        if let Self::Mqtt(settings) = self {
            settings.trial();
        }
    }

    /// Its templates and links; none where messages have one form alone.
    pub const fn wording(&self) -> Option<&Wording> {
        match self {
            Self::Log(settings) => Some(&settings.wording),
            Self::Webhook(settings) => Some(&settings.wording),
            Self::Email(settings) => Some(&settings.wording),
            Self::Slack(settings) => Some(&settings.wording),
            Self::Teams(settings) => Some(&settings.wording),
            Self::NewRelic(settings) => Some(&settings.wording),
            Self::Mqtt(_) | Self::Influxdb(_) => None,
        }
    }

    /// Where its HTTP requests go; none where it makes no such requests.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        match self {
            Self::Log(_) | Self::Email(_) | Self::Mqtt(_) | Self::Influxdb(_) => Vec::new(),
            Self::Webhook(settings) => settings.endpoints(),
            Self::Slack(settings) => settings.addresses().endpoints(),
            Self::Teams(settings) => settings.addresses().endpoints(),
            Self::NewRelic(settings) => settings.endpoints(),
        }
    }

    /// The file of certificates that are trusted besides the system's.
    pub fn ca(&self) -> Option<&Path> {
        match self {
            Self::Log(_) => None,
            Self::Mqtt(settings) => settings.tls.as_ref().and_then(|tls| tls.ca.as_deref()),
            Self::Influxdb(settings) => settings.ca.as_deref(),
            Self::Webhook(settings) => settings.ca.as_deref(),
            Self::Email(settings) => settings.ca.as_deref(),
            Self::Slack(settings) => settings.ca.as_deref(),
            Self::Teams(settings) => settings.ca.as_deref(),
            Self::NewRelic(settings) => settings.ca.as_deref(),
        }
    }

    /// The message of a notice to one recipient, as [`Self::make`] makes it.
    pub fn render(
        &self,
        destination: &Name,
        key: &DeliveryKey,
        recipient: &str,
        notice: &Notice,
        context: &Context,
    ) -> Result<Vec<u8>, String> {
        let made = self.make(destination, key, recipient, notice, context)?;
        Ok(made.bytes)
    }

    /// The message of a notice to one recipient: the same bytes for the same notice, whenever and wherever it is made,
    /// but for a remark on how late it is. At most [`limits::PAYLOAD_BYTES_MAX`] bytes: of a summary that is too long
    /// fewer lines are named, its counts are whole. A template that cannot be used is told, and the built-in message
    /// made in its place.
    pub fn make(
        &self,
        destination: &Name,
        key: &DeliveryKey,
        recipient: &str,
        notice: &Notice,
        context: &Context,
    ) -> Result<Made, String> {
        let mut fallbacks = Vec::new();
        let wording = self.wording();
        let mut drawn = wording.map_or_else(Drawn::default, |wording| {
            wording.draw(key, notice, context, &mut fallbacks)
        });
        let make = |drawn: &Drawn, lines| {
            let order = Order {
                destination,
                key,
                recipient,
                lines,
            };
            self.render_lines(&order, notice, context, drawn)
                .and_then(|outgoing| outgoing.to_bytes())
        };
        if drawn.message.is_some() {
            if let Ok(bytes) = make(&drawn, limits::SUMMARY_ITEMS_MAX) {
                return Ok(Made { bytes, fallbacks });
            }
            fallbacks.extend(wording.and_then(|wording| wording.too_large(notice)));
            drawn.message = None;
        }
        let mut last = String::new();
        for lines in [limits::SUMMARY_ITEMS_MAX, 40, 10, 0] {
            match make(&drawn, lines) {
                Ok(bytes) => return Ok(Made { bytes, fallbacks }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn render_lines(
        &self,
        order: &Order<'_>,
        notice: &Notice,
        context: &Context,
        drawn: &Drawn,
    ) -> Result<Outgoing, String> {
        let Order {
            destination,
            key,
            recipient,
            lines,
        } = *order;
        match self {
            Self::Log(settings) => settings.render(key, notice, context, drawn, lines),
            Self::Webhook(settings) => settings.render(key, notice, context, drawn, lines),
            Self::Email(settings) => {
                let letter = email::Letter {
                    destination,
                    key,
                    recipient,
                    lines,
                };
                settings.render(&letter, notice, context, drawn)
            }
            Self::Slack(settings) => settings.render(notice, context, drawn, lines),
            Self::Teams(settings) => settings.render(notice, context, drawn, lines),
            Self::NewRelic(settings) => settings.render(recipient, notice, context, drawn),
            Self::Mqtt(settings) => settings.render(key, notice, context),
            Self::Influxdb(_) => Err("the destination is a feed and takes no notices".to_owned()),
        }
    }
}

/// Something wrong with the settings of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key within the destination, as it is written in the configuration: `smtp.host`.
    pub key: &'static str,
    /// What is wrong with it and what to write instead; without secrets.
    pub text: String,
}

impl Problem {
    /// A problem with a key.
    pub fn new(key: &'static str, text: impl Into<String>) -> Self {
        Self {
            key,
            text: text.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.key, self.text)
    }
}

/// The notice with which somebody tries whether messages arrive.
pub fn test_notice(now: Wall) -> Notice {
    Notice {
        kind: Kind::Info,
        event: ToldEvent::Test,
        at: now,
        severity: ToldEvent::Test.severity(),
        subject: Subject::Fleet,
        site: None,
        display_name: None,
        friendly_name: None,
        state: None,
        previous_state: None,
        since: None,
        start_type: None,
        details: None,
        exit_code: None,
        service_exit_code: None,
        cause: None,
        evidence: None,
        remedy: Vec::new(),
        labels: Arc::from([]),
        incident: None,
        merged: Vec::new(),
        group: None,
        items: Vec::new(),
        counts: Vec::new(),
        seq: 0,
    }
}

/// Whether a host name or address means this machine itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod chat_hostile_tests;
#[cfg(test)]
mod chat_rules;
#[cfg(test)]
mod chat_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
