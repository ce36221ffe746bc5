//! Silences as they stand in the JSON of the API.

use crate::dest::text::rfc3339;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use svcwatch_core::{glob::Glob, silence::SilenceRow};

/// One text, or several of which any counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

/// What a silence is about: the keys of `match` in a route, of which all must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatcherItem {
    /// Host names or patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<OneOrMany>,
    /// Sites or patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<OneOrMany>,
    /// Key names of services or patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<OneOrMany>,
    /// Severities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<OneOrMany>,
    /// Events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<OneOrMany>,
    /// Labels by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, OneOrMany>,
}

/// A silence that somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilenceBody {
    /// What it is about.
    pub matcher: MatcherItem,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// From when; now, if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// For how long, in the place of `until`.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
}

/// Who ends a silence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndBody {
    /// Who.
    pub by: String,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceItem {
    /// Which.
    pub id: String,
    /// What it is about.
    pub matcher: MatcherItem,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// From when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// `active`, `pending`, or in the answer to its end `ended`.
    pub state: String,
    /// Which of the hosts and services that are watched now it is about; only in the answer to the one who adds it.
    pub matches: Option<MatchesItem>,
}

/// How much a silence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MatchesItem {
    /// Hosts.
    pub hosts: u64,
    /// Services.
    pub services: u64,
}

/// A silence as the API shows it.
pub(super) fn item(row: &SilenceRow, state: &str) -> SilenceItem {
    let texts = |globs: &[Glob]| -> Option<OneOrMany> {
        let texts: Vec<String> = globs.iter().map(|glob| glob.as_str().to_owned()).collect();
        (!texts.is_empty()).then_some(OneOrMany::Many(texts))
    };
    let words = |words: Vec<&str>| {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        (!words.is_empty()).then_some(OneOrMany::Many(words))
    };
    let matcher = &row.matcher;
    SilenceItem {
        id: row.id.as_str().to_owned(),
        matcher: MatcherItem {
            host: texts(&matcher.host),
            site: texts(&matcher.site),
            service: texts(&matcher.service),
            severity: words(matcher.severity.iter().map(|one| one.as_str()).collect()),
            event: words(matcher.event.iter().map(|one| one.as_str()).collect()),
            labels: matcher
                .labels
                .iter()
                .filter_map(|(name, values)| Some((name.clone(), texts(values)?)))
                .collect(),
        },
        author: row.author.clone(),
        comment: row.comment.clone(),
        from: rfc3339(row.from),
        until: rfc3339(row.until),
        state: state.to_owned(),
        matches: None,
    }
}
