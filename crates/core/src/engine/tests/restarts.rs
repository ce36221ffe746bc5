//! Services that are started again by their hosts, or between two looks.

use super::*;
use crate::observe::{FailureAction, FailureActions};

/// A host whose services are left to their failure actions.
fn plan_of(services: &[&str]) -> Plan {
    let mut lab = host("lab", services);
    lab.settle = Span::ZERO;
    for entry in &mut lab.services {
        entry.recovery = true;
    }
    plan(vec![lab])
}

/// The state, process and exit code of each service.
fn are(services: &[(&str, State, u32, u32)]) -> Outcome {
    let line = |(name, state, pid, exit_code): &(&str, State, u32, u32)| ServiceReading {
        name: (*name).to_string(),
        display_name: (*name).to_string(),
        reading: Reading {
            pid: (*pid > 0).then_some(*pid),
            exit_code: Some(*exit_code),
            ..reading(*state)
        },
    };
    Outcome::Read(HostReading {
        services: services.iter().map(line).collect(),
        asked: Vec::new(),
        uptime: None,
    })
}

/// Tells the engine that the host starts the service again after a minute, and again after another one.
fn mends(story: &mut Story, service: &str) {
    let name = Name::new(service);
    let start = (FailureAction::RestartService, Span::minutes(1));
    story.apply(Event::ConfigRead {
        host: "lab".into(),
        services: Ok(vec![ServiceConfig {
            failure_actions: Some(FailureActions {
                reset_after: Some(Span::hours(1)),
                actions: vec![start, start, (FailureAction::None, Span::ZERO)],
                on_error_exit: false,
            }),
            ..config(&name)
        }]),
    });
}

fn ready() -> Story {
    let mut story = Story::new(plan_of(&["App"]));
    story.pass(Span::minutes(2), &are(&[("App", State::Running, 4, 0)]));
    mends(&mut story, "App");
    story
}

/// The host reads configurations anew after each change, which this world answers without failure actions.
fn fails(story: &mut Story, span: Span) {
    story.pass(
        Span::seconds(31),
        &are(&[("App", State::Stopped, 0, 1_067)]),
    );
    mends(story, "App");
    story.pass(
        Span(span.0 - 31_000),
        &are(&[("App", State::Stopped, 0, 1_067)]),
    );
}

#[test]
fn a_failure_that_its_host_mends_is_told_as_a_restart() {
    let mut story = ready();
    fails(&mut story, Span::seconds(90));
    assert_eq!(story.words(), [], "its host has its turn");
    story.pass(Span::minutes(1), &are(&[("App", State::Running, 8, 0)]));
    assert_eq!(story.words(), [(Kind::Info, ToldEvent::Restarted)]);
    assert_eq!(story.told[0].counts, [(ToldEvent::Restarted, 1)]);
    assert!(story.told[0].incident.is_none());
    story.pass(Span::minutes(9), &are(&[("App", State::Running, 8, 0)]));
    assert_eq!(story.told.len(), 1, "once");
}

#[test]
fn a_failure_that_its_host_does_not_mend_is_told_after_its_turns() {
    let mut story = ready();
    fails(&mut story, Span::seconds(145));
    assert_eq!(story.words(), [], "two turns of a minute and some slack");
    story.pass(Span::minutes(1), &are(&[("App", State::Stopped, 0, 1_067)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    let cause = story.told[0].cause.as_deref().unwrap_or_default();
    assert!(cause.contains("did not bring it back"), "{cause}");
    story.pass(Span::minutes(1), &are(&[("App", State::Running, 8, 0)]));
    assert_eq!(
        story.words()[1..],
        [(Kind::Resolved, ToldEvent::Started)],
        "what was told as stopped is not told as a restart too"
    );
}

#[test]
fn an_orderly_stop_is_told_at_once() {
    let mut story = ready();
    story.pass(Span::seconds(31), &are(&[("App", State::Stopped, 0, 0)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}

#[test]
fn a_written_time_leaves_nothing_to_the_host() {
    let mut planned = plan_of(&["App", "Web"]);
    Arc::make_mut(&mut planned.hosts[0]).services[0].recovery = false;
    let mut story = Story::new(planned);
    let runs = |app, web| {
        are(&[
            ("App", State::Running, app, 0),
            ("Web", State::Running, web, 0),
        ])
    };
    story.pass(Span::minutes(2), &runs(4, 6));
    mends(&mut story, "App");
    story.pass(Span::minutes(2), &runs(8, 6));
    assert_eq!(story.words(), [], "its restarts are not told either");
    let stopped = are(&[
        ("App", State::Stopped, 0, 1_067),
        ("Web", State::Running, 6, 0),
    ]);
    story.pass(Span::seconds(31), &stopped);
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}

#[test]
fn another_process_is_a_restart_and_they_are_counted() {
    let mut story = Story::new(plan_of(&["App", "Web"]));
    let runs = |app, web| {
        are(&[
            ("App", State::Running, app, 0),
            ("Web", State::Running, web, 0),
        ])
    };
    for app in 1..=9 {
        story.pass(Span::minutes(2), &runs(app, 100));
    }
    let counts: Vec<u64> = story.told.iter().map(|told| told.counts[0].1).collect();
    assert_eq!(counts, [1, 2, 4, 8], "told when their number has doubled");
    assert!(
        story
            .told
            .iter()
            .all(|told| told.subject.service() == Some(&"App".into()))
    );
    let told = story.told.len();
    story.pass(Span::minutes(2), &runs(200, 300));
    assert_eq!(story.told.len(), told, "both at once is a boot");
}

#[test]
fn a_host_that_was_away_was_not_watched() {
    let one = |pid| are(&[("App", State::Running, pid, 0)]);
    let mut story = Story::new(plan_of(&["App"]));
    story.pass(Span::minutes(2), &one(4));
    story.pass(Span::minutes(1), &fault(Fault::Unreachable));
    story.pass(Span::minutes(2), &one(8));
    assert_eq!(story.words(), [], "it may have been started anew");
    story.pass(Span::minutes(2), &one(12));
    assert_eq!(story.words(), [(Kind::Info, ToldEvent::Restarted)]);
}
