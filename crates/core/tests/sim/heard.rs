//! What a recipient knows from the messages that arrived, and what is wrong with a message for somebody who knows that
//! (I3: no end before its opening, no second opening, no opening over one that is not over).

use crate::store::{Recipient, Store};
use std::collections::BTreeSet;
use svcwatch_core::{
    id::{IncidentId, Subject},
    notice::{Item, Kind, Notice, ToldEvent},
    record::{DeliveryRow, DeliveryState},
};

/// What a recipient believes of one subject after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    /// It is wrong, so.
    Wrong(ToldEvent),
    /// It is well.
    Fine,
}

/// What a recipient was told of one subject.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// The greatest order that arrived.
    pub(crate) order: u64,
    /// Incidents that were told as open and not yet as over.
    pub(crate) open: BTreeSet<IncidentId>,
    /// Incidents whose opening arrived, and the answer too.
    pub(crate) opened: BTreeSet<IncidentId>,
    /// Every incident of which anything arrived.
    pub(crate) known: BTreeSet<IncidentId>,
    /// Whether a summary named it, which bears no incident's name.
    pub(crate) summarized: bool,
    /// What is believed now.
    pub(crate) belief: Option<Belief>,
    /// When something arrived last.
    pub(crate) at: u64,
    /// When the message that was taken last was sent first.
    pub(crate) begun: Option<u64>,
}

/// A recipient hears a message; what is wrong with it, where something is.
pub(crate) fn hear(heard: &mut Heard, notice: &Notice) -> Option<String> {
    let Some(incident) = &notice.incident else {
        return None;
    };
    let id = &incident.id;
    let mut wrong = None;
    let untold: Vec<&IncidentId> = notice
        .merged
        .iter()
        .map(|merged| &merged.incident)
        .collect();
    match notice.kind {
        Kind::Opened | Kind::Updated | Kind::Reminder => {
            if notice.kind == Kind::Opened && heard.opened.contains(id) {
                wrong = Some(format!(
                    "incident {id} is opened a second time with another key"
                ));
            } else if let Some(other) = heard.open.iter().find(|other| *other != id) {
                wrong = Some(format!(
                    "incident {id} is {} while {other}, told before, was never told to be over",
                    notice.kind
                ));
            }
            heard.open.insert(id.clone());
            heard.belief = Some(Belief::Wrong(notice.event));
            if notice.kind == Kind::Opened {
                heard.opened.insert(id.clone());
            }
        }
        Kind::Resolved => {
            let summarized = std::mem::take(&mut heard.summarized);
            if !heard.known.contains(id) && !untold.contains(&id) && !summarized {
                wrong = Some(format!(
                    "incident {id} is resolved, but its opening never arrived"
                ));
            }
            heard.open.remove(id);
            for merged in &untold {
                heard.open.remove(*merged);
            }
            heard.belief = Some(Belief::Fine);
        }
        Kind::Info | Kind::Summary => {}
    }
    heard.known.insert(id.clone());
    heard.known.extend(untold.into_iter().cloned());
    wrong
}

/// An opening that was tried and given up may have arrived for all that the monitor knows, so its end is owed.
pub(crate) fn owed_end(
    store: &Store,
    lane: &(Recipient, Subject),
    row: &DeliveryRow,
) -> Option<IncidentId> {
    let id = incident_of(row).filter(|_| row.notice.kind == Kind::Resolved)?;
    let (recipient, subject) = lane;
    let lost =
        (store.given_up(lane)).any(|other| other.attempts > 0 && incident_of(other) == Some(id));
    let of_host = subject.host().map(|host| Subject::Host(host.clone()));
    let lost_with_others = [Some(Subject::Fleet), of_host]
        .into_iter()
        .flatten()
        .any(|about| {
            (store.given_up(&(recipient.clone(), about))).any(|other| {
                other.attempts > 0
                    && (other.notice.items.iter())
                        .any(|item| subject_of(item).as_ref() == Some(subject))
            })
        });
    (lost || lost_with_others).then(|| id.clone())
}

/// Whether the recipient of a message refused the end of an incident, which it then cannot know.
pub(crate) fn refused_end(store: &Store, lane: &(Recipient, Subject), id: &IncidentId) -> bool {
    store.given_up(lane).any(|other| {
        let merged = &other.notice.merged;
        other.state == DeliveryState::Parked
            && other.notice.kind == Kind::Resolved
            && (incident_of(other) == Some(id) || merged.iter().any(|one| one.incident == *id))
    })
}

fn incident_of(row: &DeliveryRow) -> Option<&IncidentId> {
    row.notice.incident.as_ref().map(|incident| &incident.id)
}

/// What one line of a summary is about.
pub(crate) fn subject_of(item: &Item) -> Option<Subject> {
    match (&item.host, &item.group, &item.service) {
        (Some(host), _, Some(service)) => Some(Subject::Service {
            host: host.clone(),
            service: service.clone(),
        }),
        (Some(host), _, None) => Some(Subject::Host(host.clone())),
        (None, Some(group), Some(service)) => Some(Subject::Group {
            group: group.clone(),
            service: service.clone(),
        }),
        _ => None,
    }
}
