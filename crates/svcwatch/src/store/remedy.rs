//! Tries to start services again as they are stored: JSON beside what is looked for, and in notices. Words of a newer
//! version are taken for what makes us most careful.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use svcwatch_core::{
    id::{IncidentId, Name},
    remedy::{ActId, Outcome, RemedyRow, RemedyTold, Scope},
    time::Wall,
};

/// A try, but for the columns of its own: which, for which incident, when it began and when it ended.
#[derive(Debug, Serialize, Deserialize)]
struct StoredTry<'a> {
    host: Cow<'a, str>,
    service: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Cow<'a, str>>,
    plan: Cow<'a, str>,
    attempt: u32,
    #[serde(default)]
    dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Cow<'a, str>>,
    #[serde(default)]
    text: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    budgets_told: Vec<Cow<'a, str>>,
}

/// A try as a notice tells it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredTold<'a> {
    at: i64,
    plan: Cow<'a, str>,
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Cow<'a, str>>,
    #[serde(default)]
    text: Cow<'a, str>,
}

/// How a stored try ended; of a word of a newer version nobody knows what it came to.
fn outcome(word: &str) -> Outcome {
    Outcome::parse(word).unwrap_or(Outcome::Unknown)
}

impl<'a> StoredTold<'a> {
    pub(super) fn of(told: &'a RemedyTold) -> Self {
        Self {
            at: told.at.0,
            plan: Cow::Borrowed(told.plan.as_str()),
            attempt: told.attempt,
            outcome: told.outcome.map(|one| Cow::Borrowed(one.as_str())),
            text: Cow::Borrowed(&told.text),
        }
    }

    pub(super) fn used(self) -> RemedyTold {
        RemedyTold {
            at: Wall(self.at),
            plan: Name::new(&self.plan),
            attempt: self.attempt,
            outcome: self.outcome.as_deref().map(outcome),
            text: self.text.into_owned(),
        }
    }
}

/// What of a try stands in no column of its own.
pub(super) fn try_to_json(row: &RemedyRow) -> Result<String, serde_json::Error> {
    serde_json::to_string(&StoredTry {
        host: Cow::Borrowed(row.host.as_str()),
        service: Cow::Borrowed(row.service.as_str()),
        group: row
            .group
            .as_ref()
            .map(|group| Cow::Borrowed(group.as_str())),
        plan: Cow::Borrowed(row.plan.as_str()),
        attempt: row.attempt,
        dry_run: row.dry_run,
        outcome: row.outcome.map(|one| Cow::Borrowed(one.as_str())),
        text: Cow::Borrowed(&row.text),
        budgets_told: row
            .budgets_told
            .iter()
            .map(|scope| Cow::Borrowed(scope.as_str()))
            .collect(),
    })
}

/// The columns of a stored try.
pub(super) struct Columns {
    /// Which try.
    pub(super) id: Arc<str>,
    /// For which incident.
    pub(super) incident: Arc<str>,
    /// When it was decided.
    pub(super) at: Wall,
    /// When it ended.
    pub(super) ended_at: Option<Wall>,
}

/// A stored try.
pub(super) fn try_of_json(columns: Columns, json: &str) -> Result<RemedyRow, serde_json::Error> {
    let stored: StoredTry<'_> = serde_json::from_str(json)?;
    Ok(RemedyRow {
        id: ActId(columns.id),
        host: Name::new(&stored.host),
        service: Name::new(&stored.service),
        group: stored.group.as_deref().map(Name::new),
        incident: IncidentId(columns.incident),
        plan: Name::new(&stored.plan),
        attempt: stored.attempt,
        dry_run: stored.dry_run,
        at: columns.at,
        ended_at: columns.ended_at,
        outcome: stored.outcome.as_deref().map(outcome),
        text: stored.text.into_owned(),
        budgets_told: stored
            .budgets_told
            .iter()
            .filter_map(|word| Scope::parse(word))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_word_of_a_newer_version_nobody_knows_what_it_came_to() {
        let columns = Columns {
            id: Arc::from("i-1-2"),
            incident: Arc::from("i-1"),
            at: Wall(1),
            ended_at: Some(Wall(2)),
        };
        let json = r#"{"host":"srv01","service":"App","plan":"restart","attempt":2,"outcome":"sung",
            "budgets_told":["moon","fleet"],"mood":1}"#;
        let row = try_of_json(columns, json).unwrap();
        assert_eq!(row.outcome, Some(Outcome::Unknown));
        assert_eq!(row.budgets_told, [Scope::Fleet]);
        assert!(!row.dry_run);
    }
}
