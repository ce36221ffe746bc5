//! How rows are stored, where that differs from how they are used.
//!
//! Lists of words are stored as their words. A newer version of the same form may write words that this one does not
//! know: each list says what such a word is taken for, so that going back one version loses no incident and no delivery.
//! A notice is stored as JSON with a version of its own: fields that are not known are skipped, and fields that are
//! missing are unknown.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use svcwatch_core::{
    id::{IncidentId, Name, Subject},
    notice::{IncidentRef, Item, Kind, Merged, Notice, Severity, ToldEvent},
    observe::{Fault, Refusal, ServiceDetails, StartType, State},
    record::{DeliveryState, TargetRow},
    time::Wall,
};

/// The form of a stored notice.
const NOTICE_VERSION: u32 = 1;

/// The spelling of a name, where it is not its key.
pub(super) fn shown(name: &Name) -> Option<&str> {
    Some(name.as_str()).filter(|shown| *shown != name.key())
}

/// A subject in three parts: the word of its kind, its host, and the name of its service, account or destination.
pub(super) struct SubjectParts<'a> {
    /// The word of its kind.
    pub(super) kind: &'static str,
    /// Its host, where it belongs to one.
    pub(super) host: Option<&'a Name>,
    /// The name of its service, account or destination.
    pub(super) name: Option<&'a Name>,
}

impl<'a> SubjectParts<'a> {
    pub(super) const fn of(subject: &'a Subject) -> Self {
        let (kind, host, name) = match subject {
            Subject::Service { host, service } => ("service", Some(host), Some(service)),
            Subject::Host(host) => ("host", Some(host), None),
            Subject::Visibility(host) => ("visibility", Some(host), None),
            Subject::Account(account) => ("account", None, Some(account)),
            Subject::Destination(destination) => ("destination", None, Some(destination)),
            Subject::Fleet => ("fleet", None, None),
        };
        Self { kind, host, name }
    }
}

/// The subject of a kind, a host and a name as they are written; none where the kind is not known.
pub(super) fn subject(kind: &str, host: &str, name: &str) -> Option<Subject> {
    Some(match kind {
        "service" => Subject::Service {
            host: Name::new(host),
            service: Name::new(name),
        },
        "host" => Subject::Host(Name::new(host)),
        "visibility" => Subject::Visibility(Name::new(host)),
        "account" => Subject::Account(Name::new(name)),
        "destination" => Subject::Destination(Name::new(name)),
        "fleet" => Subject::Fleet,
        _ => return None,
    })
}

/// A stored state; a word of a newer version is a state that we cannot tell.
pub(super) fn state(word: &str) -> State {
    State::parse(word).unwrap_or(State::Unknown)
}

/// A stored start type; a word of a newer version is none that we know.
pub(super) fn start_type(word: &str) -> Option<StartType> {
    StartType::parse(word)
}

/// A stored fault; a word of a newer version is still a fault.
pub(super) fn fault(word: &str) -> Fault {
    Fault::parse(word).unwrap_or(Fault::ProtocolError)
}

/// A stored refusal; a word of a newer version is still a refusal.
pub(super) fn refusal(word: &str) -> Refusal {
    Refusal::parse(word).unwrap_or(Refusal::Other)
}

/// A stored severity; a word of a newer version is worth a look.
pub(super) fn severity(word: &str) -> Severity {
    Severity::parse(word).unwrap_or(Severity::Warning)
}

/// A stored kind of notice; a word of a newer version is good to know.
pub(super) fn kind(word: &str) -> Kind {
    Kind::parse(word).unwrap_or(Kind::Info)
}

/// Where a stored delivery stands; a word of a newer version is nothing that this one may send.
pub(super) fn delivery_state(word: &str) -> DeliveryState {
    DeliveryState::parse(word).unwrap_or(DeliveryState::Parked)
}

/// How a stored try ended.
pub(super) fn result(word: &str) -> &'static str {
    ["delivered", "retry", "rejected"]
        .into_iter()
        .find(|known| *known == word)
        .unwrap_or("unknown")
}

/// What is told, of a stored word; a word of a newer version is taken for the plainest thing that can be wrong with
/// such a subject, so that an open incident stays open until its subject is read again.
pub(super) fn event(word: &str, subject: &Subject) -> ToldEvent {
    ToldEvent::parse(word).unwrap_or(match subject {
        Subject::Service { .. } => ToldEvent::Stopped,
        Subject::Host(_) => ToldEvent::HostUnreachable,
        Subject::Visibility(_) => ToldEvent::Hidden,
        Subject::Account(_) => ToldEvent::AccountPaused,
        Subject::Destination(_) => ToldEvent::DestinationFailing,
        Subject::Fleet => ToldEvent::Test,
    })
}

/// A number that only rises, as the database holds it.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same back.
pub(super) fn counted(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The yes and no of a target in one number, because there are millions of targets and each column costs time at a
/// start. Bits: 1 hidden, 2 seen running, 4 removed, 8 trigger start known, 16 trigger start, 32 per user known,
/// 64 per user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TargetFlags(pub(super) i64);

impl TargetFlags {
    const HIDDEN: i64 = 1;
    const SEEN_RUNNING: i64 = 2;
    const REMOVED: i64 = 4;
    const TRIGGER_KNOWN: i64 = 8;
    const TRIGGER: i64 = 16;
    const PER_USER_KNOWN: i64 = 32;
    const PER_USER: i64 = 64;

    pub(super) fn of(row: &TargetRow) -> Self {
        let bit = |set: bool, bit: i64| if set { bit } else { 0 };
        Self(
            bit(row.hidden, Self::HIDDEN)
                | bit(row.seen_running, Self::SEEN_RUNNING)
                | bit(row.removed, Self::REMOVED)
                | bit(row.trigger_start.is_some(), Self::TRIGGER_KNOWN)
                | bit(row.trigger_start == Some(true), Self::TRIGGER)
                | bit(row.per_user.is_some(), Self::PER_USER_KNOWN)
                | bit(row.per_user == Some(true), Self::PER_USER),
        )
    }

    const fn has(self, bit: i64) -> bool {
        self.0 & bit != 0
    }

    pub(super) const fn hidden(self) -> bool {
        self.has(Self::HIDDEN)
    }

    pub(super) const fn seen_running(self) -> bool {
        self.has(Self::SEEN_RUNNING)
    }

    pub(super) const fn removed(self) -> bool {
        self.has(Self::REMOVED)
    }

    pub(super) const fn trigger_start(self) -> Option<bool> {
        if self.has(Self::TRIGGER_KNOWN) {
            Some(self.has(Self::TRIGGER))
        } else {
            None
        }
    }

    pub(super) const fn per_user(self) -> Option<bool> {
        if self.has(Self::PER_USER_KNOWN) {
            Some(self.has(Self::PER_USER))
        } else {
            None
        }
    }
}

/// Names as a JSON list.
pub(super) fn names_to_json(names: &[Name]) -> Result<String, serde_json::Error> {
    serde_json::to_string(&names.iter().map(Name::as_str).collect::<Vec<_>>())
}

/// Names of a JSON list.
pub(super) fn names_of_json(json: &str) -> Result<Vec<Name>, serde_json::Error> {
    let names: Vec<Cow<'_, str>> = serde_json::from_str(json)?;
    Ok(names.iter().map(|name| Name::new(name)).collect())
}

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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incident: Option<StoredIncident<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    merged: Vec<StoredMerged<'a>>,
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
struct StoredItem<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'a, str>>,
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
}

impl<'a> StoredDetails<'a> {
    fn of(details: &'a ServiceDetails) -> Self {
        let list = |names: &'a Arc<[Arc<str>]>| names.iter().map(|name| text(name)).collect();
        Self {
            binary_path: details.binary_path.as_deref().map(text),
            run_as: details.run_as.as_deref().map(text),
            dependencies: details.dependencies.as_ref().map(list),
        }
    }

    fn into_details(self) -> ServiceDetails {
        let list = |names: Vec<Cow<'_, str>>| names.into_iter().map(Arc::from).collect();
        ServiceDetails {
            binary_path: self.binary_path.map(Arc::from),
            run_as: self.run_as.map(Arc::from),
            dependencies: self.dependencies.map(list),
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
            items: notice
                .items
                .iter()
                .map(|item| StoredItem {
                    host: name_text(item.host.as_ref()),
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

    #[test]
    fn words_of_a_newer_version_are_taken_for_something_harmless() {
        let service = Subject::Service {
            host: "a".into(),
            service: "b".into(),
        };
        assert_eq!(state("hibernating"), State::Unknown);
        assert_eq!(start_type("weekly"), None);
        assert_eq!(fault("bored"), Fault::ProtocolError);
        assert_eq!(refusal("mood"), Refusal::Other);
        assert_eq!(severity("fatal"), Severity::Warning);
        assert_eq!(kind("rumour"), Kind::Info);
        assert_eq!(delivery_state("postponed"), DeliveryState::Parked);
        assert_eq!(result("maybe"), "unknown");
        assert_eq!(event("flapping", &service), ToldEvent::Stopped);
        assert_eq!(event("paused", &service), ToldEvent::Paused);
        assert_eq!(subject("cluster", "a", "b"), None);
    }

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

    #[test]
    fn numbers_beyond_the_database_stop_at_its_greatest() {
        assert_eq!(counted(stored(u64::MAX)), i64::MAX.unsigned_abs());
        assert_eq!((counted(-1), counted(stored(17))), (0, 17));
    }
}
