//! What a silence is about, as JSON: the keys and words of `match` in a route.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use svcwatch_core::{
    glob::Glob,
    notice::{Kind, Severity, ToldEvent},
    plan::Matcher,
};

/// A matcher as it is stored. An unknown key is an error: without it the silence would be about more.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoredMatcher {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    host: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    site: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    service: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    severity: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kind: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    event: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, Vec<String>>,
}

/// Why a stored matcher cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum MatcherError {
    /// It is not what this version writes.
    #[error("it is not in a form that this version knows: {0}")]
    Form(#[from] serde_json::Error),
    /// A word of a list that this version does not know.
    #[error("it names {0:?}, which this version does not know")]
    Word(String),
}

fn texts(globs: &[Glob]) -> Vec<String> {
    globs.iter().map(|glob| glob.as_str().to_owned()).collect()
}

fn globs(texts: &[String]) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(text)).collect()
}

fn words<T>(texts: Vec<String>, parse: fn(&str) -> Option<T>) -> Result<Vec<T>, MatcherError> {
    texts
        .into_iter()
        .map(|text| parse(&text).ok_or(MatcherError::Word(text)))
        .collect()
}

/// A matcher as JSON.
pub(super) fn matcher_to_json(matcher: &Matcher) -> Result<String, serde_json::Error> {
    let word = |text: &'static str| text.to_owned();
    serde_json::to_string(&StoredMatcher {
        host: texts(&matcher.host),
        site: texts(&matcher.site),
        service: texts(&matcher.service),
        severity: matcher
            .severity
            .iter()
            .map(|one| word(one.as_str()))
            .collect(),
        kind: matcher.kind.iter().map(|one| word(one.as_str())).collect(),
        event: matcher.event.iter().map(|one| word(one.as_str())).collect(),
        labels: matcher
            .labels
            .iter()
            .map(|(name, values)| (name.clone(), texts(values)))
            .collect(),
    })
}

/// A matcher of JSON; a label that was written twice is there once.
pub(super) fn matcher_of_json(json: &str) -> Result<Matcher, MatcherError> {
    let stored: StoredMatcher = serde_json::from_str(json)?;
    Ok(Matcher {
        host: globs(&stored.host),
        site: globs(&stored.site),
        service: globs(&stored.service),
        severity: words(stored.severity, Severity::parse)?,
        kind: words(stored.kind, Kind::parse)?,
        event: words(stored.event, ToldEvent::parse)?,
        labels: stored
            .labels
            .iter()
            .map(|(name, values)| (name.clone(), globs(values)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::silence_row;

    #[test]
    fn a_matcher_comes_back_as_it_was() {
        let matcher = silence_row("a").matcher;
        let json = matcher_to_json(&matcher).unwrap();
        assert_eq!(
            json,
            r#"{"host":["Web-*"],"site":["oslo"],"service":["W3SVC"],"severity":["critical"],"event":["stopped"],"labels":{"team":["d*"]}}"#
        );
        assert_eq!(matcher_of_json(&json).unwrap(), matcher);
    }

    #[test]
    fn what_is_not_understood_whole_is_refused() {
        for (json, said) in [
            (r#"{"host":["a"],"moon":["full"]}"#, "moon"),
            (r#"{"event":["eclipse"]}"#, "\"eclipse\""),
            ("nonsense", "form"),
        ] {
            let error = matcher_of_json(json).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
