//! Incidents as the API shows them.

use crate::{dest::text::rfc3339, store::query::IncidentItem as IncidentRead};
use serde::{Deserialize, Serialize};
use svcwatch_core::evidence::Clue;

/// Who took note of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgedItem {
    /// Who.
    pub by: String,
    /// When.
    pub at: String,
    /// What they wrote.
    pub note: String,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentItem {
    /// Which.
    pub id: String,
    /// The host; none where it is about an account or a destination.
    pub host: Option<String>,
    /// The service; none where it is about a whole host.
    pub service: Option<String>,
    /// The group, where the service is counted over its hosts.
    pub group: Option<String>,
    /// What is wrong now, or was last.
    pub event: String,
    /// How bad.
    pub severity: String,
    /// When it opened.
    pub opened_at: String,
    /// When it was over.
    pub resolved_at: Option<String>,
    /// Who took note.
    pub acknowledged: Option<AcknowledgedItem>,
    /// Why, in one sentence.
    pub cause: Option<String>,
    /// The same as a word of the list in docs/evidence.md; none where nothing is known of it.
    #[serde(default)]
    pub cause_kind: Option<String>,
    /// What was found out about it.
    #[serde(default)]
    pub evidence: Vec<ClueItem>,
    /// How many deliveries belong to it.
    pub deliveries: u64,
}

/// One thing that was found out about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClueItem {
    /// What it is about, as a word of the list in docs/evidence.md.
    pub kind: String,
    /// When, where it is about a moment.
    pub at: Option<String>,
    /// It, for people.
    pub text: String,
}

impl From<&Clue> for ClueItem {
    fn from(clue: &Clue) -> Self {
        Self {
            kind: clue.kind.as_str().to_owned(),
            at: clue.at.map(rfc3339),
            text: clue.text.clone(),
        }
    }
}

impl From<IncidentRead> for IncidentItem {
    fn from(read: IncidentRead) -> Self {
        let IncidentRead {
            incident,
            deliveries,
        } = read;
        Self {
            id: incident.id.as_str().to_owned(),
            host: incident.subject.host().map(|host| host.as_str().to_owned()),
            service: incident
                .subject
                .service()
                .map(|name| name.as_str().to_owned()),
            group: incident
                .subject
                .group()
                .map(|name| name.as_str().to_owned()),
            event: incident.event.as_str().to_owned(),
            severity: incident.severity.as_str().to_owned(),
            opened_at: rfc3339(incident.opened_at),
            resolved_at: incident.resolved_at.map(rfc3339),
            acknowledged: incident.acknowledged.map(|taken| AcknowledgedItem {
                by: taken.by,
                at: rfc3339(taken.at),
                note: taken.note,
            }),
            cause: incident
                .cause
                .or_else(|| incident.evidence.as_ref()?.sentence()),
            cause_kind: incident
                .evidence
                .as_ref()
                .map(|evidence| evidence.cause.as_str().to_owned()),
            evidence: incident
                .evidence
                .iter()
                .flat_map(|evidence| &evidence.clues)
                .map(ClueItem::from)
                .collect(),
            deliveries,
        }
    }
}
