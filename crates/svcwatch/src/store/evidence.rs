//! Evidence as it is stored: JSON, with incidents and with notices. Words of a newer version are left out.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use svcwatch_core::{
    cause::Cause,
    evidence::{Clue, ClueKind, Evidence},
    time::Wall,
};

/// Evidence as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredEvidence<'a> {
    cause: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clues: Vec<StoredClue<'a>>,
    complete: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredClue<'a> {
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    text: Cow<'a, str>,
    told: bool,
}

impl<'a> StoredEvidence<'a> {
    pub(super) fn of(evidence: &'a Evidence) -> Self {
        let clues = evidence.clues.iter().map(|clue| StoredClue {
            kind: Cow::Borrowed(clue.kind.as_str()),
            at: clue.at.map(|at| at.0),
            text: Cow::Borrowed(&clue.text),
            told: clue.told,
        });
        Self {
            cause: Cow::Borrowed(evidence.cause.as_str()),
            clues: clues.collect(),
            complete: evidence.complete,
        }
    }

    pub(super) fn used(self) -> Evidence {
        let clues = self.clues.into_iter().filter_map(|clue| {
            Some(Clue {
                kind: ClueKind::parse(&clue.kind)?,
                at: clue.at.map(Wall),
                text: clue.text.into_owned(),
                told: clue.told,
            })
        });
        Evidence {
            cause: Cause::parse(&self.cause).unwrap_or(Cause::Unknown),
            clues: clues.collect(),
            complete: self.complete,
        }
    }
}

/// Evidence as it is stored.
pub(super) fn evidence_to_json(evidence: &Evidence) -> Result<String, serde_json::Error> {
    serde_json::to_string(&StoredEvidence::of(evidence))
}

/// Stored evidence.
pub(super) fn evidence_of_json(json: &str) -> Result<Arc<Evidence>, serde_json::Error> {
    let stored: StoredEvidence<'_> = serde_json::from_str(json)?;
    Ok(Arc::new(stored.used()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_says_is_read_as_far_as_it_is_known() {
        let json = r#"{"cause":"haunted","complete":true,"mood":1,"clues":[
            {"kind":"ghost","text":"boo","told":true},{"kind":"event","at":5,"text":"System 7034","told":false}]}"#;
        let evidence = evidence_of_json(json).unwrap();
        assert_eq!(evidence.cause, Cause::Unknown);
        assert_eq!(evidence.clues.len(), 1);
        assert_eq!(evidence.clues[0].at, Some(Wall(5)));
        assert!(evidence_of_json("{").is_err());
    }
}
