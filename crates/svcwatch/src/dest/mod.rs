//! Where notices go. A destination is one file: its settings, their check, `render` (notice → message) and `judge`
//! (reply → verdict), both pure. Sending is done by [`crate::transport`] alone; [`sender`] puts the two together.

pub mod body;
pub mod clean;
pub mod codes;
pub mod email;
pub mod judge;
mod layout;
pub mod log;
pub mod mqtt;
pub mod payload;
pub mod redact;
pub mod sender;
mod subject;
pub mod text;
pub mod webhook;

use crate::feed::influxdb;
use payload::Outgoing;
use std::{sync::Arc, time::Duration};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name, Subject},
    limits,
    notice::{Kind, Notice, ToldEvent},
    time::Wall,
};

/// How long a whole delivery may take unless the configuration says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest and the longest `timeout` that is allowed.
pub const TIMEOUT_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_mins(1);

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
    /// `type: mqtt`.
    Mqtt(mqtt::Settings),
    /// `type: influxdb`.
    Influxdb(influxdb::Settings),
}

impl Settings {
    /// What is wrong with them: each a key of the destination and a sentence. None of them names a secret.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = match self {
            Self::Log(settings) => settings.check(),
            Self::Webhook(settings) => settings.check(),
            Self::Email(settings) => settings.check(),
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
            Self::Mqtt(settings) => settings.warnings(),
            Self::Influxdb(settings) => settings.warnings(),
        }
    }

    /// Who gets deliveries of their own; one empty text where the destination itself is the recipient.
    pub fn recipients(&self) -> Vec<Arc<str>> {
        match self {
            Self::Log(_) | Self::Webhook(_) | Self::Mqtt(_) => vec![Arc::from("")],
            Self::Influxdb(_) => Vec::new(),
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
            Self::Mqtt(_) => "mqtt",
            Self::Influxdb(_) => "influxdb",
        }
    }

    /// Whether it takes every reading.
    pub const fn is_feed(&self) -> bool {
        match self {
            Self::Log(_) | Self::Webhook(_) | Self::Email(_) => false,
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

    /// The message of a notice to one recipient: the same bytes for the same notice, whenever and wherever it is made,
    /// but for a remark on how late it is. At most [`limits::PAYLOAD_BYTES_MAX`] bytes: of a summary that is too long
    /// fewer lines are named, its counts are whole.
    pub fn render(
        &self,
        destination: &Name,
        key: &DeliveryKey,
        recipient: &str,
        notice: &Notice,
        context: &Context,
    ) -> Result<Vec<u8>, String> {
        let mut last = String::new();
        for lines in [limits::SUMMARY_ITEMS_MAX, 40, 10, 0] {
            let outgoing: Outgoing = match self {
                Self::Log(settings) => settings.render(key, notice, context, lines)?,
                Self::Webhook(settings) => settings.render(key, notice, context, lines)?,
                Self::Mqtt(settings) => settings.render(key, notice, context)?,
                Self::Influxdb(_) => {
                    return Err("the destination is a feed and takes no notices".to_owned());
                }
                Self::Email(settings) => {
                    let letter = email::Letter {
                        destination,
                        key,
                        recipient,
                        lines,
                    };
                    settings.render(&letter, notice, context)?
                }
            };
            match outgoing.to_bytes() {
                Ok(stored) => return Ok(stored),
                Err(error) => last = error,
            }
        }
        Err(last)
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
        labels: Arc::from([]),
        incident: None,
        merged: Vec::new(),
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
mod samples;
#[cfg(test)]
mod tests;
