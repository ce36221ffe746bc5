//! What a recipient knows from the messages that arrived, and what is wrong with a message for somebody who knows that
//! (I3: no end before its opening, no second opening, no opening over one that is not over).

use std::collections::BTreeSet;
use svcwatch_core::{
    id::IncidentId,
    notice::{Kind, Notice, ToldEvent},
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
