//! Notices and the details of services as they are stored: JSON. A notice has a version of its own: fields that are not
//! known are skipped, and fields that are missing are unknown.

use super::evidence::StoredEvidence;
use super::record::{SubjectParts, event, kind, severity, start_type, state, subject};
use super::remedy::StoredTold;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use svcwatch_core::{
    id::{IncidentId, Name, Subject},
    notice::{GroupSeen, IncidentRef, Item, Merged, Notice, ToldEvent},
    observe::{FailureAction, FailureActions, ServiceDetails},
    plan::Wanted,
    time::{Span, Wall},
};

/// The form of a stored notice.
const NOTICE_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StoredNotice<'a> {
    version: u32,
    kind: Cow<'a, str>,
    event: Cow<'a, str>,
    at: i64,
    severity: Cow<'a, str>,
    subject: StoredSubject<'a>,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    friendly_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_state: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_type: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<StoredDetails<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_exit_code: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<StoredEvidence<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remedy: Vec<StoredTold<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incident: Option<StoredIncident<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    merged: Vec<StoredMerged<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<StoredGroup<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    items: Vec<StoredItem<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    counts: Vec<(Cow<'a, str>, u64)>,
}

#[derive(Serialize, Deserialize)]
struct StoredSubject<'a> {
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct StoredIncident<'a> {
    id: Cow<'a, str>,
    opened_at: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredMerged<'a> {
    incident: Cow<'a, str>,
    opened_at: i64,
    resolved_at: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredGroup<'a> {
    name: Cow<'a, str>,
    expected: u32,
    exact: bool,
    running: u32,
    members: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> StoredGroup<'a> {
    fn of(group: &'a GroupSeen) -> Self {
        let members = group.members.iter();
        Self {
            name: text(group.name.as_str()),
            expected: group.expected.least(),
            exact: group.expected.is_exact(),
            running: group.running,
            members: members
                .map(|(host, state)| (text(host.as_str()), text(state.as_str())))
                .collect(),
        }
    }

    fn used(&self) -> GroupSeen {
        let members = self.members.iter();
        GroupSeen {
            name: Name::new(&self.name),
            expected: if self.exact {
                Wanted::Exactly(self.expected)
            } else {
                Wanted::AtLeast(self.expected)
            },
            running: self.running,
            members: members
                .map(|(host, word)| (Name::new(host), state(word)))
                .collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredItem<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Cow<'a, str>>,
    event: Cow<'a, str>,
}

/// The details of a service as JSON.
pub(super) fn details_to_json(details: &ServiceDetails) -> Result<String, serde_json::Error> {
    serde_json::to_string(&StoredDetails::of(details))
}

/// The details of a service of their JSON.
pub(super) fn details_of_json(json: &str) -> Result<ServiceDetails, serde_json::Error> {
    serde_json::from_str::<StoredDetails<'_>>(json).map(StoredDetails::into_details)
}

#[derive(Serialize, Deserialize)]
struct StoredDetails<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binary_path: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dependencies: Option<Vec<Cow<'a, str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arguments_hash: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_actions: Option<StoredFailureActions<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredFailureActions<'a> {
    /// In ms; none is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reset_after: Option<u64>,
    /// Words, and ms that are waited before.
    actions: Vec<(Cow<'a, str>, u64)>,
    #[serde(default)]
    on_error_exit: bool,
}

impl StoredFailureActions<'_> {
    fn of(kept: &FailureActions) -> Self {
        let action = |(action, wait): &(FailureAction, Span)| (text(action.as_str()), wait.0);
        Self {
            reset_after: kept.reset_after.map(|span| span.0),
            actions: kept.actions.iter().map(action).collect(),
            on_error_exit: kept.on_error_exit,
        }
    }

    /// A word of a newer version is no action that this one knows.
    fn into_actions(self) -> FailureActions {
        let action = |(word, wait): (Cow<'_, str>, u64)| {
            let action = FailureAction::parse(&word).unwrap_or(FailureAction::None);
            (action, Span(wait))
        };
        FailureActions {
            reset_after: self.reset_after.map(Span),
            actions: self.actions.into_iter().map(action).collect(),
            on_error_exit: self.on_error_exit,
        }
    }
}

impl<'a> StoredDetails<'a> {
    fn of(details: &'a ServiceDetails) -> Self {
        let list = |names: &'a Arc<[Arc<str>]>| names.iter().map(|name| text(name)).collect();
        Self {
            binary_path: details.binary_path.as_deref().map(text),
            run_as: details.run_as.as_deref().map(text),
            dependencies: details.dependencies.as_ref().map(list),
            arguments_hash: details.arguments_hash,
            failure_actions: details
                .failure_actions
                .as_ref()
                .map(StoredFailureActions::of),
        }
    }

    fn into_details(self) -> ServiceDetails {
        let list = |names: Vec<Cow<'_, str>>| names.into_iter().map(Arc::from).collect();
        ServiceDetails {
            binary_path: self.binary_path.map(Arc::from),
            run_as: self.run_as.map(Arc::from),
            dependencies: self.dependencies.map(list),
            arguments_hash: self.arguments_hash,
            failure_actions: self.failure_actions.map(StoredFailureActions::into_actions),
        }
    }
}

fn text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

fn name_text(name: Option<&Name>) -> Option<Cow<'_, str>> {
    name.map(|name| text(name.as_str()))
}

impl<'a> StoredNotice<'a> {
    fn of(notice: &'a Notice) -> Self {
        let parts = SubjectParts::of(&notice.subject);
        Self {
            version: NOTICE_VERSION,
            kind: text(notice.kind.as_str()),
            event: text(notice.event.as_str()),
            at: notice.at.0,
            severity: text(notice.severity.as_str()),
            subject: StoredSubject {
                kind: text(parts.kind),
                host: name_text(parts.host),
                name: name_text(parts.name),
            },
            seq: notice.seq,
            site: notice.site.as_deref().map(text),
            display_name: notice.display_name.as_deref().map(text),
            friendly_name: notice.friendly_name.as_deref().map(text),
            state: notice.state.map(|state| text(state.as_str())),
            previous_state: notice.previous_state.map(|state| text(state.as_str())),
            since: notice.since.map(|since| since.0),
            start_type: notice.start_type.map(|start| text(start.as_str())),
            details: notice.details.as_deref().map(StoredDetails::of),
            exit_code: notice.exit_code,
            service_exit_code: notice.service_exit_code,
            cause: notice.cause.as_deref().map(text),
            evidence: notice.evidence.as_deref().map(StoredEvidence::of),
            remedy: notice.remedy.iter().map(StoredTold::of).collect(),
            labels: notice
                .labels
                .iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            incident: notice.incident.as_ref().map(|incident| StoredIncident {
                id: text(incident.id.as_str()),
                opened_at: incident.opened_at.0,
            }),
            merged: notice
                .merged
                .iter()
                .map(|merged| StoredMerged {
                    incident: text(merged.incident.as_str()),
                    opened_at: merged.opened_at.0,
                    resolved_at: merged.resolved_at.0,
                })
                .collect(),
            group: notice.group.as_deref().map(StoredGroup::of),
            items: notice
                .items
                .iter()
                .map(|item| StoredItem {
                    host: name_text(item.host.as_ref()),
                    group: name_text(item.group.as_ref()),
                    service: name_text(item.service.as_ref()),
                    state: item.state.map(|state| text(state.as_str())),
                    event: text(item.event.as_str()),
                })
                .collect(),
            counts: notice
                .counts
                .iter()
                .map(|(event, count)| (text(event.as_str()), *count))
                .collect(),
        }
    }

    fn used(self) -> Result<Notice, String> {
        if self.version != NOTICE_VERSION {
            return Err(format!("a notice of form {} is not known", self.version));
        }
        let arc = |text: Option<Cow<'_, str>>| text.map(|text| Arc::from(text.as_ref()));
        let subject = subject(
            &self.subject.kind,
            self.subject.host.as_deref().unwrap_or_default(),
            self.subject.name.as_deref().unwrap_or_default(),
        )
        .ok_or_else(|| format!("a subject of kind {} is not known", self.subject.kind))?;
        Ok(Notice {
            kind: kind(&self.kind),
            event: event(&self.event, &subject),
            at: Wall(self.at),
            severity: severity(&self.severity),
            subject,
            site: arc(self.site),
            display_name: arc(self.display_name),
            friendly_name: arc(self.friendly_name),
            state: self.state.as_deref().map(state),
            previous_state: self.previous_state.as_deref().map(state),
            since: self.since.map(Wall),
            start_type: self.start_type.as_deref().and_then(start_type),
            details: self.details.map(|details| Arc::new(details.into_details())),
            exit_code: self.exit_code,
            service_exit_code: self.service_exit_code,
            cause: self.cause.map(Cow::into_owned),
            evidence: self.evidence.map(|evidence| Arc::new(evidence.used())),
            remedy: self.remedy.into_iter().map(StoredTold::used).collect(),
            labels: self
                .labels
                .into_iter()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            incident: self.incident.map(|incident| IncidentRef {
                id: IncidentId(Arc::from(incident.id.as_ref())),
                opened_at: Wall(incident.opened_at),
            }),
            merged: self
                .merged
                .into_iter()
                .map(|merged| Merged {
                    incident: IncidentId(Arc::from(merged.incident.as_ref())),
                    opened_at: Wall(merged.opened_at),
                    resolved_at: Wall(merged.resolved_at),
                })
                .collect(),
            group: self.group.map(|group| Arc::new(group.used())),
            items: self.items.into_iter().map(StoredItem::used).collect(),
            // A count of something that this version has no word for cannot be shown.
            counts: self
                .counts
                .into_iter()
                .filter_map(|(event, count)| Some((ToldEvent::parse(&event)?, count)))
                .collect(),
            seq: self.seq,
        })
    }
}

impl StoredItem<'_> {
    fn used(self) -> Item {
        let host = self.host.as_deref().map(Name::new);
        let group = self.group.as_deref().map(Name::new);
        let service = self.service.as_deref().map(Name::new);
        let about = match (&host, &service) {
            (Some(host), Some(service)) => Subject::Service {
                host: host.clone(),
                service: service.clone(),
            },
            (Some(host), None) => Subject::Host(host.clone()),
            (None, _) => Subject::Fleet,
        };
        Item {
            event: event(&self.event, &about),
            state: self.state.as_deref().map(state),
            host,
            group,
            service,
        }
    }
}

/// A notice as it is stored.
pub(super) fn notice_to_json(notice: &Notice) -> Result<String, serde_json::Error> {
    serde_json::to_string(&StoredNotice::of(notice))
}

/// A stored notice, or why it cannot be used.
pub(super) fn notice_of_json(json: &str) -> Result<Notice, String> {
    serde_json::from_str::<StoredNotice<'_>>(json)
        .map_err(|error| error.to_string())?
        .used()
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::{notice::Kind, observe::State};

    #[test]
    fn a_notice_of_a_newer_version_of_the_same_form_is_read() {
        let json = r#"{"version":1,"kind":"escalated","event":"flapping","at":5,"severity":"fatal","mood":[1],
            "subject":{"kind":"service","host":"Srv01","name":"Spooler"},"seq":3,"state":"hibernating",
            "counts":[["flapping",2],["stopped",1]],"items":[{"event":"flapping","host":"x"}]}"#;
        let notice = notice_of_json(json).unwrap();
        assert_eq!(notice.event, ToldEvent::Stopped);
        assert_eq!(notice.kind, Kind::Info);
        assert_eq!(notice.state, Some(State::Unknown));
        assert_eq!(notice.counts, [(ToldEvent::Stopped, 1)]);
        assert_eq!(notice.items[0].event, ToldEvent::HostUnreachable);
        assert_eq!(notice.subject.host().unwrap().as_str(), "Srv01");
    }

    #[test]
    fn a_notice_that_cannot_be_used_says_why() {
        assert!(notice_of_json("{").unwrap_err().contains("EOF"));
        let form = r#"{"version":2,"kind":"opened","event":"stopped","at":5,"severity":"info","subject":{"kind":"fleet"},"seq":3}"#;
        assert_eq!(
            notice_of_json(form).unwrap_err(),
            "a notice of form 2 is not known"
        );
        let subject = form
            .replace("\"version\":2", "\"version\":1")
            .replace("fleet", "moon");
        assert_eq!(
            notice_of_json(&subject).unwrap_err(),
            "a subject of kind moon is not known"
        );
    }
}
