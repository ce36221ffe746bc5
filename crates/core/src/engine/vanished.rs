//! Hosts that a list named and does not name any more: each is told once, because nobody may have meant it. A host that
//! somebody takes out of the configuration itself is not told: who does that knows.

use super::{Engine, service::Turn};
use crate::{
    effect::{Effect, Fact, Step},
    id::{Name, Subject},
    limits,
    notice::{Item, Kind, Notice, Severity, ToldEvent, Why},
    planted::{self, Planted},
    record::{DroppedRow, Record},
    time::Now,
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

/// Why they are not watched any more.
const CAUSE: &str = "no list of hosts names it any more";

impl Engine {
    /// What is to be told of a host that is about to be forgotten; nothing where no list named it. Its incidents have
    /// ended already.
    pub(super) fn vanishing(&mut self, now: Now, name: &Name, step: &mut Step) -> Option<Notice> {
        if !self.hosts.get(name)?.row.listed || planted::is(Planted::VanishedUntold) {
            return None;
        }
        let subject = Subject::Host(name.clone());
        let cause: Option<String> = Some(CAUSE.to_string());
        self.write_turn(
            now,
            &subject,
            Turn::Ends(ToldEvent::Unwatched),
            cause.clone(),
            step,
        );
        if let Some(why) = self.mute_of(&subject) {
            self.not_told(now, &subject, ToldEvent::Unwatched, why, step);
            return None;
        }
        let seq = self.seq_of(&subject);
        let event = ToldEvent::Unwatched;
        let mut notice = Notice::new(Kind::Info, event, now.wall, subject.clone(), seq);
        self.describe(&subject, &mut notice);
        notice.cause = cause;
        Some(notice)
    }

    /// Tells which hosts vanished: one by one, or as one summary at a destination that would get too many.
    pub(super) fn tell_vanished(&mut self, now: Now, vanished: Vec<Notice>, step: &mut Step) {
        let mut by_destination: BTreeMap<Name, Vec<Notice>> = BTreeMap::new();
        for notice in vanished {
            let destinations = self.destinations_of(&notice);
            if destinations.is_empty() {
                note_dropped(now, &notice, None, Why::NoRoute, step);
            }
            for (destination, _) in destinations {
                by_destination
                    .entry(destination)
                    .or_default()
                    .push(notice.clone());
            }
        }
        for (destination, notices) in by_destination {
            if notices.len() > self.plan.notices.summary_above {
                self.sum_up_vanished(now, &destination, &notices, step);
            } else {
                for notice in notices {
                    self.tell_one(now, &notice, &destination, step);
                }
            }
        }
    }

    fn sum_up_vanished(
        &mut self,
        now: Now,
        destination: &Name,
        notices: &[Notice],
        step: &mut Step,
    ) {
        for notice in notices {
            note_dropped(now, notice, Some(destination), Why::Summarized, step);
        }
        let event = ToldEvent::Unwatched;
        let seq = self.bump(&Subject::Fleet, step);
        let mut summary = Notice::new(Kind::Summary, event, now.wall, Subject::Fleet, seq);
        summary.severity = Severity::Info;
        summary.cause = Some(CAUSE.to_string());
        summary.counts = [(event, u64::try_from(notices.len()).unwrap_or(u64::MAX))].into();
        let items = notices.iter().take(limits::SUMMARY_ITEMS_MAX);
        summary.items = items
            .map(|notice| Item {
                host: notice.subject.host().cloned(),
                group: None,
                service: None,
                state: None,
                event,
            })
            .collect();
        self.tell_one(now, &summary, destination, step);
    }
}

fn note_dropped(now: Now, notice: &Notice, destination: Option<&Name>, why: Why, step: &mut Step) {
    step.commit.push(Record::Dropped(DroppedRow {
        subject: notice.subject.clone(),
        seq: notice.seq,
        destination: destination.cloned(),
        at: now.wall,
        event: notice.event,
        why,
    }));
    step.effects.push(Effect::Note(Fact::Dropped {
        subject: notice.subject.clone(),
        destination: destination.cloned(),
        why,
    }));
}
