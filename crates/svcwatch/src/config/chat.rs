//! Settings of chat, New Relic and of what is said in the user's own words.

use std::path::PathBuf;

use svcwatch_core::time::Span;

use super::source::SecretSource;
use crate::dest::newrelic::{Attributes, Dynamic};
use crate::secret::Secret;
use crate::template::{Origin, Target, Word};

/// Where a template stands, for which notices it is, and what it is to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSettings {
    /// For which notices.
    pub word: Word,
    /// Where it stands.
    pub origin: Origin,
    /// What it is to give.
    pub target: Target,
}

/// The templates of a destination.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WordingSettings {
    /// In place of the built-in messages.
    pub message: Vec<TemplateSettings>,
    /// In place of the built-in subjects.
    pub subject: Vec<TemplateSettings>,
}

/// What a message of Slack looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlackFormat {
    /// Blocks.
    Blocks,
    /// A text.
    Text,
}

/// Where a message of Slack goes and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackEnvelope {
    /// The address of the incoming webhook.
    pub url: SecretSource,
    /// The channel.
    pub channel: Option<String>,
    /// The name that it is shown under.
    pub username: Option<String>,
    /// The sign beside the name.
    pub icon_emoji: Option<String>,
    /// What it looks like.
    pub format: SlackFormat,
}

/// Settings of a `slack` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackSettings {
    /// For everything that has no envelope of its own.
    pub usual: SlackEnvelope,
    /// For messages that something is over.
    pub resolved: Option<SlackEnvelope>,
    /// Templates.
    pub wording: WordingSettings,
    /// Certificates that are trusted besides the system's own.
    pub ca: Option<PathBuf>,
    /// How long one request may take in all.
    pub timeout: Span,
}

/// What a message of Teams looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamsFormat {
    /// An Adaptive Card.
    Card,
    /// A plain card with a title and a text.
    Text,
}

/// Where a message of Teams goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamsEnvelope {
    /// The address of the workflow.
    pub url: SecretSource,
    /// What it looks like.
    pub format: TeamsFormat,
}

/// Settings of a `teams` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamsSettings {
    /// For everything that has no envelope of its own.
    pub usual: TeamsEnvelope,
    /// For messages that something is over.
    pub resolved: Option<TeamsEnvelope>,
    /// Templates.
    pub wording: WordingSettings,
    /// Certificates that are trusted besides the system's own.
    pub ca: Option<PathBuf>,
    /// How long one request may take in all.
    pub timeout: Span,
}

/// An account of New Relic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRelicAccount {
    /// What it is called here.
    pub name: String,
    /// Its number there.
    pub id: u64,
    /// Its key for inserting.
    pub key: SecretSource,
}

/// Settings of a `newrelic` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRelicSettings {
    /// The base of the Event API.
    pub event_url: Secret,
    /// The Log API.
    pub log_url: Secret,
    /// Who gets it.
    pub accounts: Vec<NewRelicAccount>,
    /// Whether events are sent.
    pub events: bool,
    /// Whether log entries are sent.
    pub logs: bool,
    /// Further headers.
    pub headers: Vec<(String, SecretSource)>,
    /// Attributes of both.
    pub attributes: Attributes,
    /// Attributes of events alone.
    pub event_attributes: Attributes,
    /// Attributes of log entries alone.
    pub log_attributes: Attributes,
    /// Which values of a notice are sent.
    pub dynamic: Dynamic,
    /// Templates.
    pub wording: WordingSettings,
    /// Certificates that are trusted besides the system's own.
    pub ca: Option<PathBuf>,
    /// How long one request may take in all.
    pub timeout: Span,
}
