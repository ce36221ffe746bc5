//! Fourth stage: what is the least that must be said, given what was told last?
//!
//! From what a recipient was told last and what has happened since comes the shortest sequence of messages after
//! which the recipient knows how things stand: the end of an incident that was told as open, then the opening of the
//! one that is open now. Incidents that came and went untold are named by the end that is told, or by one of their own.

use crate::{
    id::{IncidentId, Subject},
    limits,
    notice::{IncidentRef, Kind, Merged, Notice, ToldEvent},
    planted::{self, Planted},
    record::Told,
};
use alloc::{sync::Arc, vec::Vec};

/// The shortest sequence, and how many of the waiting notices it does without.
///
/// `told` is the incident that the recipient knows as open; `waiting` is in the order in which it happened.
pub fn shortest(told: Option<&Told>, waiting: &[Arc<Notice>]) -> Vec<Arc<Notice>> {
    if planted::is(Planted::LaneUnordered) {
        let mut backwards = waiting.to_vec();
        backwards.reverse();
        return backwards;
    }
    let mut walk = Walk::default();
    for notice in waiting {
        walk.take(told, notice);
    }
    walk.finish(told)
}

/// What was found so far while walking over the waiting notices.
#[derive(Default)]
struct Walk {
    /// The end of the incident that was told as open.
    end_of_told: Option<Arc<Notice>>,
    /// The newest word about the incident that is open now.
    open_now: Option<Arc<Notice>>,
    /// The opening of `open_now`, where it too is still untold.
    opening: Option<Arc<Notice>>,
    /// Incidents that came and went untold.
    untold: Vec<Merged>,
    /// The end of the last of them.
    end_of_untold: Option<Arc<Notice>>,
    /// Notices that stand for themselves: summaries and infos.
    others: Vec<Arc<Notice>>,
    /// Those of them that came before the newest word about an incident.
    before: Vec<Arc<Notice>>,
}

impl Walk {
    fn take(&mut self, told: Option<&Told>, notice: &Arc<Notice>) {
        let Some(incident) = &notice.incident else {
            // Of restarts and moves the newest word says all: one counts, the other says where it runs.
            let said = |other: &Arc<Notice>| {
                let newest_says_all =
                    matches!(notice.event, ToldEvent::Restarted | ToldEvent::Moved);
                newest_says_all
                    && notice.kind == Kind::Info
                    && other.kind == Kind::Info
                    && other.event == notice.event
            };
            self.before.retain(|other| !said(other));
            self.others.retain(|other| !said(other));
            self.others.push(Arc::clone(notice));
            return;
        };
        self.before.append(&mut self.others);
        match notice.kind {
            Kind::Info | Kind::Summary => self.others.push(Arc::clone(notice)),
            Kind::Opened => {
                self.opening = Some(Arc::clone(notice));
                self.open_now = Some(Arc::clone(notice));
            }
            Kind::Updated | Kind::Reminder => {
                let update_before = self.open_now.as_ref().is_some_and(|before| {
                    before.kind == Kind::Updated
                        && same(before, &incident.id)
                        && notice.kind == Kind::Reminder
                });
                // A reminder does not hide that something has changed since the last word.
                if !update_before {
                    self.open_now = Some(Arc::clone(notice));
                }
            }
            Kind::Resolved => {
                self.open_now = None;
                self.opening = None;
                if told.is_some_and(|told| told.incident == incident.id) {
                    self.end_of_told = Some(Arc::clone(notice));
                } else {
                    self.untold.extend(notice.merged.iter().cloned());
                    self.untold.push(Merged {
                        incident: incident.id.clone(),
                        opened_at: incident.opened_at,
                        resolved_at: notice.at,
                    });
                    self.end_of_untold = Some(Arc::clone(notice));
                }
            }
        }
    }

    fn finish(mut self, told: Option<&Told>) -> Vec<Arc<Notice>> {
        let mut sequence = Vec::new();
        let excess = self.untold.len().saturating_sub(limits::MERGED_MAX);
        self.untold.drain(..excess);
        if let Some(end) = self
            .end_of_told
            .take()
            .filter(|_| !merges_away(self.open_now.as_deref()))
        {
            sequence.push(with_merged(&end, &self.untold));
        } else if let Some(end) = &self.end_of_untold {
            if let Some(told) = told {
                // Its own end was lost; that another incident came after it proves that it is over.
                self.untold.insert(
                    0,
                    Merged {
                        incident: told.incident.clone(),
                        opened_at: told.opened_at,
                        resolved_at: end.at,
                    },
                );
            }
            sequence.push(with_merged(end, &self.untold));
        } else if let (Some(told), Some(newest)) = (told, &self.open_now)
            && !same(newest, &told.incident)
            && !merges_away(Some(newest))
        {
            sequence.push(lost_end(told, newest));
        }
        sequence.extend(self.before);
        if let Some(newest) = self.open_now {
            sequence.push(as_first_word(told, self.opening.as_ref(), newest));
        }
        sequence.extend(self.others);
        sequence
    }
}

fn merges_away(open_now: Option<&Notice>) -> bool {
    open_now.is_some() && planted::is(Planted::ResolveMergedAway)
}

/// The end of the incident that was told as open, where its own end was lost before it reached the recipient. What is
/// known of it is only that another incident of the same subject came after it.
fn lost_end(told: &Told, newest: &Notice) -> Arc<Notice> {
    let mut notice = Notice::clone(newest);
    notice.kind = Kind::Resolved;
    notice.event = match &newest.subject {
        Subject::Service { .. } | Subject::Group { .. } => ToldEvent::Started,
        Subject::Host(_) => ToldEvent::HostRecovered,
        Subject::Visibility(_) | Subject::Account(_) | Subject::Destination(_) | Subject::Fleet => {
            newest.event
        }
    };
    notice.incident = Some(IncidentRef {
        id: told.incident.clone(),
        opened_at: told.opened_at,
    });
    notice.state = None;
    notice.previous_state = None;
    notice.exit_code = None;
    notice.service_exit_code = None;
    notice.cause = None;
    Arc::new(notice)
}

/// Whether a notice is about this incident.
fn same(notice: &Notice, incident: &IncidentId) -> bool {
    notice
        .incident
        .as_ref()
        .is_some_and(|known| known.id == *incident)
}

/// The end with the incidents that it stands for; itself where there are none.
fn with_merged(end: &Arc<Notice>, merged: &[Merged]) -> Arc<Notice> {
    // An end that stands only for its own untold incident still says so: its recipient never saw the opening.
    if merged.is_empty() || end.merged == merged {
        return Arc::clone(end);
    }
    let mut notice = Notice::clone(end);
    notice.merged = merged.to_vec();
    Arc::new(notice)
}

/// The newest word about an incident is its opening for somebody who has not heard of it.
fn as_first_word(
    told: Option<&Told>,
    opening: Option<&Arc<Notice>>,
    newest: Arc<Notice>,
) -> Arc<Notice> {
    let known = newest
        .incident
        .as_ref()
        .is_some_and(|incident| told.is_some_and(|told| told.incident == incident.id));
    if known || newest.kind == Kind::Opened {
        return newest;
    }
    let mut notice = Notice::clone(&newest);
    notice.kind = Kind::Opened;
    if let Some(opening) = opening {
        notice.previous_state = opening.previous_state;
    }
    Arc::new(notice)
}
