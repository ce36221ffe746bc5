//! Stories of silences and windows.

use super::{Story, at, fault, host, list, plan};
use crate::{
    effect::{Effect, Fact},
    event::Event,
    glob::Glob,
    id::Name,
    notice::{Kind, ToldEvent, Why},
    observe::{Fault, Outcome, State},
    plan::{MaintenancePlan, Matcher, Plan, Ranges},
    record::Record,
    silence::{SilenceId, SilenceRow},
    time::{Span, Wall},
};
use alloc::{boxed::Box, string::ToString, sync::Arc, vec, vec::Vec};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn all(state: State) -> Outcome {
    list(&NAMES.map(|name| (name, state)))
}

fn of_host(name: &str) -> Matcher {
    Matcher {
        host: vec![Glob::new(name)],
        ..Matcher::default()
    }
}

impl Story {
    /// Silences a host from now on.
    fn silence(&mut self, matcher: Matcher, length: Span) {
        let now = at(self.now).wall;
        self.apply(Event::Silence(Box::new(SilenceRow {
            id: SilenceId(Arc::from("s1")),
            matcher,
            author: "ann".to_string(),
            comment: "work".to_string(),
            from: now,
            until: now + length,
            ended_at: None,
            ended_by: None,
        })));
    }

    fn end_silence(&mut self) {
        self.apply(Event::EndSilence {
            id: SilenceId(Arc::from("s1")),
            by: "bo".to_string(),
        });
    }

    fn dropped(&self, wanted: Why) -> usize {
        let records = self.steps.iter().flat_map(|step| &step.commit);
        records
            .filter(|record| matches!(record, Record::Dropped(row) if row.why == wanted))
            .count()
    }
}

#[test]
fn what_came_and_went_is_not_told_and_what_is_still_wrong_is_opened() {
    let mut story = Story::new(plan(vec![host("srv01", &["a", "b"])]));
    let both = |a, b| list(&[("a", a), ("b", b)]);
    story.pass(Span::minutes(2), &both(State::Running, State::Running));
    story.silence(of_host("SRV*"), Span::minutes(30));
    story.pass(Span::minutes(5), &both(State::Stopped, State::Stopped));
    story.pass(Span::minutes(5), &both(State::Stopped, State::Running));
    assert_eq!(story.words(), []);
    assert!(story.dropped(Why::Silenced) >= 2, "it says why");
    story.pass(Span::minutes(25), &both(State::Stopped, State::Running));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    let incident = story.told[0].incident.clone().unwrap();
    assert_eq!(story.told[0].at, incident.opened_at, "since when it is so");
    story.pass(Span::hours(3), &both(State::Stopped, State::Running));
    assert_eq!(story.told.len(), 1, "once");
}

#[test]
fn many_that_are_still_wrong_after_a_window_are_one_summary() {
    let mut plan = plan(vec![host("srv01", &NAMES)]);
    plan.maintenance = vec![MaintenancePlan {
        name: "night".into(),
        matcher: of_host("srv01"),
        ranges: Arc::from([(at(180_000).wall, at(600_000).wall)]),
    }];
    let mut story = Story::new(plan);
    story.pass(Span::minutes(2), &all(State::Running));
    story.pass(Span::minutes(1), &all(State::Running));
    story.pass(Span::minutes(5), &all(State::Stopped));
    assert_eq!(story.words(), []);
    assert!(story.dropped(Why::Maintenance) >= 6);
    story.pass(Span::minutes(3), &all(State::Stopped));
    assert_eq!(story.words(), [(Kind::Summary, ToldEvent::Stopped)]);
    let cause = story.told[0].cause.clone().unwrap();
    assert!(cause.contains("maintenance window"), "{cause}");
    story.pass(Span::minutes(3), &all(State::Running));
    assert_eq!(story.told.len(), 7, "and each end");
}

#[test]
fn what_was_told_before_is_repeated_once_updated_or_ended_after() {
    let mut at_once = host("srv01", &["a", "b", "c"]);
    // Three at once are no shutdown without it.
    at_once.settle = Span::ZERO;
    let mut story = Story::new(plan(vec![at_once]));
    let three = |a, b, c| list(&[("a", a), ("b", b), ("c", c)]);
    let (run, stop, pause) = (State::Running, State::Stopped, State::Paused);
    story.pass(Span::minutes(2), &three(run, run, run));
    story.pass(Span::minutes(2), &three(stop, stop, stop));
    assert_eq!(story.told.len(), 3);
    story.silence(of_host("srv01"), Span::hours(5));
    story.pass(Span::minutes(5), &three(stop, pause, run));
    assert_eq!(story.told.len(), 3);
    story.end_silence();
    let mut after: Vec<_> = story.told[3..]
        .iter()
        .map(|notice| {
            (
                notice.subject.service().unwrap().as_str(),
                notice.kind,
                notice.event,
            )
        })
        .collect();
    after.sort_unstable();
    assert_eq!(
        after,
        [
            ("a", Kind::Reminder, ToldEvent::Stopped),
            ("b", Kind::Updated, ToldEvent::Paused),
            ("c", Kind::Resolved, ToldEvent::Started),
        ]
    );
}

#[test]
fn what_is_held_back_waits_until_its_host_can_be_read() {
    let mut story = Story::new(plan(vec![host("srv01", &["a"])]));
    story.pass(Span::minutes(2), &list(&[("a", State::Running)]));
    story.silence(of_host("srv01"), Span::minutes(10));
    story.pass(Span::minutes(2), &list(&[("a", State::Stopped)]));
    story.pass(Span::minutes(10), &fault(Fault::Unreachable));
    assert_eq!(
        story.words(),
        [(Kind::Opened, ToldEvent::HostUnreachable)],
        "the host is told, and not its service"
    );
    story.pass(Span::minutes(2), &list(&[("a", State::Stopped)]));
    assert_eq!(
        story.words()[1..],
        [
            (Kind::Resolved, ToldEvent::HostRecovered),
            (Kind::Opened, ToldEvent::Stopped)
        ]
    );
}

#[test]
fn a_silence_of_a_severity_ends_for_what_becomes_worse() {
    let mut story = Story::new(plan(vec![host("srv01", &["a"])]));
    story.pass(Span::minutes(2), &list(&[("a", State::Running)]));
    let warnings = Matcher {
        severity: vec![crate::notice::Severity::Warning],
        ..of_host("srv01")
    };
    story.silence(warnings, Span::hours(5));
    story.pass(Span::minutes(2), &list(&[("a", State::Paused)]));
    assert_eq!(story.words(), []);
    story.pass(Span::minutes(2), &list(&[("a", State::Stopped)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    story.pass(Span::minutes(2), &list(&[("a", State::Paused)]));
    assert_eq!(story.told.len(), 1, "a warning again");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut story = Story::new(Plan::default());
    story.silence(of_host("a"), Span::ZERO);
    story.end_silence();
    let facts = story.steps.iter().flat_map(|step| &step.effects);
    let refused = facts.filter(|effect| {
        matches!(effect, Effect::Note(Fact::SilenceRefused { silence }) if silence.as_str() == "s1")
    });
    assert_eq!(
        refused.count(),
        2,
        "it was over, and so there is none to end"
    );
}

#[test]
fn new_times_of_a_window_count_at_once() {
    let mut plan = plan(vec![host("srv01", &["a"])]);
    plan.maintenance = vec![MaintenancePlan {
        name: "night".into(),
        matcher: of_host("srv01"),
        ranges: Arc::from([]),
    }];
    let mut story = Story::new(plan);
    story.pass(Span::minutes(2), &list(&[("a", State::Running)]));
    let times = |from: Wall, until: Wall| {
        let ranges: Ranges = Arc::from([(from, until)]);
        Event::Calendar(Arc::from([(Name::new("NIGHT"), ranges)]))
    };
    story.apply(times(at(0).wall, at(3_600_000).wall));
    story.pass(Span::minutes(2), &list(&[("a", State::Stopped)]));
    assert_eq!(story.words(), []);
    story.apply(times(at(9_000_000).wall, at(9_600_000).wall));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}
