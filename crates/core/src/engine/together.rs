//! What is told of many things at once.

use super::Engine;
use crate::{
    effect::{Effect, Fact, Step},
    id::{Name, Subject},
    limits,
    notice::{Item, Kind, Notice, ToldEvent, Why},
    record::{DroppedRow, Record, Told},
    time::Now,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

/// How many openings are told as one.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    /// What the message is about: the fleet, or the one host that has it all.
    pub(super) about: Subject,
    /// More than so many at one destination are told as one.
    pub(super) above: usize,
    /// The event of the message, and of its lines as routes see them; else each has its own, and the message the worst.
    pub(super) event: Option<ToldEvent>,
    /// Why they come at once.
    pub(super) cause: String,
    /// Of how many hosts those are that have it, where the cause says so.
    pub(super) of_hosts: Option<usize>,
}

impl Summary {
    /// The summary of what happens to come at once, with this cause.
    pub(super) fn of(engine: &Engine, cause: &str) -> Self {
        Self {
            about: Subject::Fleet,
            above: engine.plan.notices.summary_above,
            event: None,
            cause: cause.to_string(),
            of_hosts: None,
        }
    }

    /// The cause in a message with these lines.
    fn cause(&self, notices: &[(Subject, Notice)]) -> String {
        let Some(of) = self.of_hosts else {
            return self.cause.clone();
        };
        let hosts: BTreeSet<&Name> = notices.iter().filter_map(|(one, _)| one.host()).collect();
        format!(
            "{} of {} hosts: {}",
            with_commas(hosts.len()),
            with_commas(of),
            self.cause
        )
    }
}

impl Engine {
    /// Tells of openings that come at once: one summary for each destination that would get too many.
    pub(super) fn tell_together(
        &mut self,
        now: Now,
        subjects: Vec<Subject>,
        summary: &Summary,
        step: &mut Step,
    ) {
        let mut by_destination: BTreeMap<Name, Vec<(Subject, Notice)>> = BTreeMap::new();
        for subject in subjects {
            self.tell_owed_end(now, &subject, step);
            self.mark_told(now, &subject, step);
            let seq = self.seq_of(&subject);
            let Some(notice) = self.notice(now, &subject, Kind::Opened, seq) else {
                continue;
            };
            let line = summary
                .event
                .map(|event| self.as_line(&subject, event, notice.clone()));
            let destinations = self.destinations_of(line.as_ref().unwrap_or(&notice));
            if destinations.is_empty() {
                self.not_told(now, &subject, notice.event, Why::NoRoute, step);
            }
            for (destination, _) in destinations {
                by_destination
                    .entry(destination)
                    .or_default()
                    .push((subject.clone(), notice.clone()));
            }
            self.plan_reminder(now, &subject);
        }
        for (destination, notices) in by_destination {
            // What has something to say in its own lane already is told there, in order.
            let (summed, single): (Vec<_>, Vec<_>) = notices
                .into_iter()
                .partition(|(subject, _)| self.outbox.may_summarize(&destination, subject));
            let many = summed.len() > summary.above;
            if many {
                self.summarize(now, &destination, &summed, summary, step);
            }
            for (_, notice) in single.iter().chain(summed.iter().filter(|_| !many)) {
                self.tell_one(now, notice, &destination, step);
            }
        }
    }

    /// What a service of a summary with an event of its own is for routes.
    fn as_line(&self, subject: &Subject, event: ToldEvent, mut notice: Notice) -> Notice {
        let own = subject.host().and_then(|name| {
            let host = self.hosts.get(name)?;
            let target = host.targets.get(host.find(subject.service()?)?)?;
            host.plan.services.get(target.entry)?.severity
        });
        notice.severity = own.unwrap_or(event.severity());
        notice.kind = Kind::Summary;
        notice.event = event;
        notice
    }

    /// Tells many openings as one. The lanes of its subjects then know of their incidents, so that each end is told.
    fn summarize(
        &mut self,
        now: Now,
        destination: &Name,
        notices: &[(Subject, Notice)],
        summary: &Summary,
        step: &mut Step,
    ) {
        let mut counts: BTreeMap<ToldEvent, u64> = BTreeMap::new();
        for (subject, notice) in notices {
            let count = counts.entry(notice.event).or_default();
            *count = count.saturating_add(1);
            step.effects.push(Effect::Note(Fact::Dropped {
                subject: subject.clone(),
                destination: Some(destination.clone()),
                why: Why::Summarized,
            }));
            step.commit.push(Record::Dropped(DroppedRow {
                subject: subject.clone(),
                seq: notice.seq,
                destination: Some(destination.clone()),
                at: now.wall,
                event: notice.event,
                why: Why::Summarized,
            }));
        }
        let lines = notices.iter().map(|(subject, notice)| match summary.event {
            Some(event) => self.as_line(subject, event, notice.clone()),
            None => notice.clone(),
        });
        let Some(worst) = lines.min_by_key(|line| line.severity) else {
            return;
        };
        let seq = self.bump(&summary.about, step);
        let items = notices
            .iter()
            .take(limits::SUMMARY_ITEMS_MAX)
            .map(|(subject, notice)| Item {
                host: subject.host().cloned(),
                group: subject.group().cloned(),
                service: subject.service().cloned(),
                state: notice.state,
                event: notice.event,
            });
        let about = summary.about.clone();
        let mut message = Notice::new(Kind::Summary, worst.event, now.wall, about, seq);
        self.describe(&summary.about, &mut message);
        message.severity = worst.severity;
        message.cause = Some(summary.cause(notices));
        message.items = items.collect();
        message.counts = counts.into_iter().collect();
        self.tell_one(now, &message, destination, step);
        for (subject, notice) in notices {
            if let Some(incident) = &notice.incident {
                let told = Told {
                    incident: incident.id.clone(),
                    opened_at: incident.opened_at,
                };
                self.outbox
                    .know(destination, &message, subject, &told, step);
            }
        }
    }
}

/// A number as people read it: 2,900.
fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(place);
        if place > 0 && left.checked_rem(3) == Some(0) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_commas;

    #[test]
    fn numbers_are_written_for_people() {
        let written = [0, 999, 2_900, 1_000_000].map(with_commas);
        assert_eq!(written, ["0", "999", "2,900", "1,000,000"]);
    }
}
