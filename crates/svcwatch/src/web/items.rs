//! The items of the API, as they stand in its JSON. Fields may be added, none taken away; times are RFC 3339 in UTC
//! with milliseconds, and what is unknown is null.

use crate::{board::Seen, dest::text::rfc3339, store::query::DeliveryItem as DeliveryRead};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use svcwatch_core::{plan::Labels, record::HistoryRow, view::HostView};

pub use super::explanation::{Explanation, ExplanationLine};
pub use super::incidents::{AcknowledgedItem, ClueItem, IncidentItem};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to give as `next` for those that follow; none where there are no more.
    pub next: Option<String>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostItem {
    /// Its name.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Its site.
    pub site: Option<String>,
    /// `up` or `unknown`.
    pub state: String,
    /// Why it cannot be read.
    pub fault: Option<String>,
    /// Since when it is as it is.
    pub since: Option<String>,
    /// When it was last checked.
    pub checked_at: Option<String>,
    /// How many services it shows us.
    pub visible: Option<u32>,
    /// How many of them are watched.
    pub watched: u32,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceItem {
    /// The host.
    pub host: String,
    /// Its key name.
    pub service: String,
    /// Its display name.
    pub display_name: Option<String>,
    /// What people call it.
    pub friendly_name: Option<String>,
    /// Its state; `unknown` while its host cannot be read.
    pub state: String,
    /// Since when.
    pub since: String,
    /// How it should be.
    pub expected: String,
    /// The group that counts on how many hosts it runs.
    pub group: Option<String>,
    /// How it is started.
    pub start_type: Option<String>,
    /// The process; none while its host cannot be read.
    pub pid: Option<u32>,
    /// Win32's exit code; none while its host cannot be read.
    pub exit_code: Option<u32>,
    /// Its open incident.
    pub incident: Option<String>,
    /// Why it is not told although it is not as expected.
    pub muted: Option<String>,
    /// Labels of the host and its own.
    pub labels: BTreeMap<String, String>,
}

/// A try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptItem {
    /// When it ended.
    pub at: String,
    /// `delivered`, `retry` or `rejected`.
    pub result: String,
    /// What the destination answered.
    pub answer: String,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryItem {
    /// Which.
    pub key: String,
    /// Where.
    pub destination: String,
    /// To whom; empty where the destination itself is the recipient.
    pub recipient: String,
    /// The incident it tells of; none for summaries and tests.
    pub incident: Option<String>,
    /// Where in its incident the notice stands.
    pub kind: String,
    /// Where the delivery stands.
    pub state: String,
    /// Why it is parked or expired.
    pub reason: Option<String>,
    /// Its tries, the first one first.
    pub attempts: Vec<AttemptItem>,
}

/// A line of history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryItem {
    /// Its number in the whole store, rising.
    pub record: u64,
    /// When.
    pub at: String,
    /// The host; none where it is about an account or a destination.
    pub host: Option<String>,
    /// The service; none where it is about a whole host.
    pub service: Option<String>,
    /// The group, where the service is counted over its hosts.
    pub group: Option<String>,
    /// From which state.
    pub from: Option<String>,
    /// To which state.
    pub to: Option<String>,
    /// The fault, for hosts.
    pub fault: Option<String>,
    /// What it means for the incident.
    pub event: Option<String>,
    /// The incident it belongs to.
    pub incident: Option<String>,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// The service's own exit code.
    pub service_exit_code: Option<u32>,
    /// The process.
    pub pid: Option<u32>,
    /// Why, in one sentence.
    pub cause: Option<String>,
}

/// What an acknowledgement says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckBody {
    /// Who takes note.
    pub by: String,
    /// What they want others to know.
    #[serde(default)]
    pub note: String,
}

impl From<&HostView> for HostItem {
    fn from(view: &HostView) -> Self {
        Self {
            name: view.name.as_str().to_owned(),
            address: view.address.clone(),
            site: view.site.as_deref().map(str::to_owned),
            state: state_of_host(view.is_up()).to_owned(),
            fault: view.fault.map(|fault| fault.as_str().to_owned()),
            since: view.since.map(rfc3339),
            checked_at: view.checked_at.map(rfc3339),
            visible: view.visible,
            watched: view.watched,
            labels: labels(&view.labels),
        }
    }
}

impl From<Seen<'_>> for ServiceItem {
    fn from(seen: Seen<'_>) -> Self {
        let row = seen.row;
        // A process and an exit code belong to the state that we cannot see now.
        let visible = seen.fault().is_none();
        Self {
            host: seen.host.as_str().to_owned(),
            service: row.service.as_str().to_owned(),
            display_name: row.display_name.as_deref().map(str::to_owned),
            friendly_name: row.friendly_name.as_deref().map(str::to_owned),
            state: seen.state().as_str().to_owned(),
            since: rfc3339(seen.since()),
            expected: row.expected.as_str().to_owned(),
            group: row.group.as_ref().map(|of| of.group.as_str().to_owned()),
            start_type: row.start_type.map(|start| start.as_str().to_owned()),
            pid: row.pid.filter(|_| visible),
            exit_code: row.exit_code.filter(|_| visible),
            incident: row.incident.as_ref().map(|id| id.as_str().to_owned()),
            muted: seen.muted().map(|why| why.as_str().to_owned()),
            labels: labels(&row.labels),
        }
    }
}

impl From<DeliveryRead> for DeliveryItem {
    fn from(read: DeliveryRead) -> Self {
        let DeliveryRead { delivery, attempts } = read;
        let incident = delivery.notice.incident.as_ref();
        let attempts = attempts.into_iter().map(|attempt| AttemptItem {
            at: rfc3339(attempt.at),
            result: attempt.result.to_owned(),
            answer: attempt.answer,
        });
        Self {
            key: delivery.key.as_str().to_owned(),
            destination: delivery.destination.as_str().to_owned(),
            recipient: delivery.recipient.to_string(),
            incident: incident.map(|incident| incident.id.as_str().to_owned()),
            kind: delivery.notice.kind.as_str().to_owned(),
            state: delivery.state.as_str().to_owned(),
            reason: delivery.reason,
            attempts: attempts.collect(),
        }
    }
}

impl From<HistoryRow> for HistoryItem {
    fn from(row: HistoryRow) -> Self {
        let word = |state: svcwatch_core::observe::State| state.as_str().to_owned();
        Self {
            record: row.record,
            at: rfc3339(row.at),
            host: row.subject.host().map(|host| host.as_str().to_owned()),
            service: row.subject.service().map(|name| name.as_str().to_owned()),
            group: row.subject.group().map(|name| name.as_str().to_owned()),
            from: row.from.map(word),
            to: row.to.map(word),
            fault: row.fault.map(|fault| fault.as_str().to_owned()),
            event: row.event.map(|event| event.as_str().to_owned()),
            incident: row.incident.map(|id| id.as_str().to_owned()),
            exit_code: row.exit_code,
            service_exit_code: row.service_exit_code,
            pid: row.pid,
            cause: row.cause,
        }
    }
}

/// The word for whether a host can be read.
pub const fn state_of_host(up: bool) -> &'static str {
    if up { "up" } else { "unknown" }
}

fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, tests as sample};
    use crate::store::query::IncidentItem as IncidentRead;
    use std::{ops::ControlFlow, sync::Arc};
    use svcwatch_core::{
        id::{DeliveryKey, IncidentId, Subject},
        notice::{IncidentRef, Kind, Notice, Severity, ToldEvent, Why},
        observe::{Fault, StartType, State},
        record::{Acknowledged, AttemptRow, DeliveryRow, DeliveryState, IncidentRow},
        time::Wall,
        view::View,
    };

    fn golden<T: Serialize>(name: &str, item: &T) {
        insta::assert_snapshot!(name, serde_json::to_string_pretty(item).unwrap());
    }

    fn subject() -> Subject {
        Subject::Service {
            host: "SRV01".into(),
            service: "Spooler".into(),
        }
    }

    #[test]
    fn host_items() {
        let mut view = sample::host("SRV01");
        view.site = Some("oslo".into());
        view.labels = Arc::from([("team".to_owned(), "db".to_owned())]);
        golden("host_up", &HostItem::from(&view));
        view.fault = Some(Fault::AccessDenied);
        view.visible = None;
        golden("host_with_a_fault", &HostItem::from(&view));
        let mut unseen = sample::host("new");
        (unseen.since, unseen.checked_at, unseen.visible) = (None, None, None);
        golden("host_before_the_first_look", &HostItem::from(&unseen));
        // Its first look failed, and that is not confirmed yet.
        unseen.checked_at = Some(Wall(2_000));
        assert_eq!(HostItem::from(&unseen).state, "unknown");
    }

    #[test]
    fn service_items() {
        let board = Board::new();
        let mut view = sample::service("SRV01", "MSSQL$PROD");
        view.display_name = Some("SQL Server (PROD)".into());
        view.friendly_name = Some("Database".into());
        view.state = State::Stopped;
        view.as_expected = false;
        view.start_type = Some(StartType::AutomaticDelayed);
        (view.pid, view.exit_code) = (None, Some(1067));
        view.incident = Some(IncidentId("0123456789abcdef-7".into()));
        view.muted = Some(Why::Acknowledged);
        view.labels = Arc::from([("team".to_owned(), "db".to_owned())]);
        board.apply(View::Service(view));
        let golden_of = |name: &str| {
            board.walk_services(None, 1, |seen| {
                golden(name, &ServiceItem::from(seen));
                ControlFlow::Continue(())
            });
        };
        golden_of("service");
        let mut down = sample::host("SRV01");
        down.fault = Some(Fault::Timeout);
        board.apply(View::Host(down));
        golden_of("service_of_a_host_with_a_fault");
    }

    #[test]
    fn incident_items() {
        let mut incident = IncidentRow {
            id: IncidentId("0123456789abcdef-7".into()),
            subject: subject(),
            seq: 7,
            event: ToldEvent::Stopped,
            severity: Severity::Critical,
            opened_at: Wall(1_700_000_000_000),
            resolved_at: None,
            acknowledged: None,
            cause: None,
            evidence: None,
            previous_state: Some(State::Running),
            told: true,
            held_until: None,
            first_look: false,
            reminded_at: None,
            muted: None,
            untold: None,
        };
        let item = |incident: &IncidentRow| {
            IncidentItem::from(IncidentRead {
                incident: incident.clone(),
                deliveries: 2,
            })
        };
        golden("incident_open", &item(&incident));
        incident.resolved_at = Some(Wall(1_700_000_060_000));
        incident.acknowledged = Some(Acknowledged {
            by: "ola".to_owned(),
            at: Wall(1_700_000_030_000),
            note: "on it".to_owned(),
        });
        incident.cause = Some("it ended with exit code 1067".to_owned());
        golden("incident_over", &item(&incident));
    }

    #[test]
    fn delivery_items() {
        let id = IncidentId("0123456789abcdef-7".into());
        let opened = (Kind::Opened, ToldEvent::Stopped, Wall(1_700_000_000_000));
        let mut notice = Notice::new(opened.0, opened.1, opened.2, subject(), 7);
        notice.incident = Some(IncidentRef {
            id: id.clone(),
            opened_at: Wall(1_700_000_000_000),
        });
        let key = DeliveryKey::new(&"duty".into(), "ops@corp.example", id.as_str(), "opened", 7);
        let item = DeliveryItem::from(DeliveryRead {
            attempts: vec![AttemptRow {
                key: key.clone(),
                number: 1,
                at: Wall(1_700_000_001_000),
                result: "rejected",
                answer: "550 no such user".to_owned(),
            }],
            delivery: DeliveryRow {
                key,
                order: 3,
                destination: "duty".into(),
                recipient: "ops@corp.example".into(),
                notice: Arc::new(notice),
                state: DeliveryState::Parked,
                reason: Some("550 no such user".to_owned()),
                frozen: true,
                payload: Some(Arc::from(*b"the message")),
                attempts: 1,
                created: Wall(1_700_000_000_000),
                due: Wall(1_700_000_000_000),
            },
        });
        golden("delivery", &item);
    }

    #[test]
    fn history_items() {
        let row = HistoryRow {
            record: 41,
            subject: subject(),
            seq: 7,
            at: Wall(1_700_000_000_000),
            from: Some(State::Running),
            to: Some(State::Stopped),
            fault: None,
            event: Some(ToldEvent::Stopped),
            incident: Some(IncidentId("0123456789abcdef-7".into())),
            exit_code: Some(1066),
            service_exit_code: Some(3),
            pid: None,
            cause: None,
        };
        golden("history", &HistoryItem::from(row));
    }
}
