//! Services that are started again by us.

use super::*;
use crate::{
    effect::ActRequest,
    observe::{FailureAction, FailureActions},
    plan::MaintenancePlan,
    remedy::{
        Budget, EntryRemedy, Outcome as Came, RemedyPlan, RemedyRow,
        decide::{Held, Ruling},
    },
    silence::{SilenceId, SilenceRow},
};

/// A host whose services are to be started again.
pub(super) fn remedied(services: &[&str], change: impl FnOnce(&mut RemedyPlan)) -> Plan {
    let mut remedy = RemedyPlan::new(&"restart".into());
    change(&mut remedy);
    let remedy = Arc::new(remedy);
    let mut lab = host("lab", services);
    for entry in &mut lab.services {
        entry.remedy = Some(Arc::new(EntryRemedy {
            plan: Arc::clone(&remedy),
            group: Some("web".into()),
            may_act: true,
        }));
    }
    plan(vec![lab])
}

/// The state and exit code of each service.
pub(super) fn are(services: &[(&str, State, u32)]) -> Outcome {
    let line = |(name, state, exit_code): &(&str, State, u32)| ServiceReading {
        name: (*name).to_string(),
        display_name: (*name).to_string(),
        reading: Reading {
            exit_code: Some(*exit_code),
            ..reading(*state)
        },
    };
    Outcome::Read(HostReading {
        services: services.iter().map(line).collect(),
        ..HostReading::default()
    })
}

pub(super) const RUNS: [(&str, State, u32); 1] = [("App", State::Running, 0)];
pub(super) const FAILED: [(&str, State, u32); 1] = [("App", State::Stopped, 1_067)];

/// A story in which the service has failed.
pub(super) fn failed(change: impl FnOnce(&mut RemedyPlan)) -> Story {
    let mut story = Story::new(remedied(&["App"], change));
    story.pass(Span::minutes(2), &are(&RUNS));
    story.pass(Span::minutes(1), &are(&FAILED));
    story
}

fn acts(story: &Story) -> Vec<ActRequest> {
    let effects = story.steps.iter().flat_map(|step| &step.effects);
    effects
        .filter_map(|effect| {
            let Effect::Act(request) = effect else {
                return None;
            };
            Some(request.clone())
        })
        .collect()
}

/// The newest row of each try.
fn rows(story: &Story) -> Vec<RemedyRow> {
    let mut rows: Vec<RemedyRow> = Vec::new();
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Remedy(row) = record {
            rows.retain(|known| known.id != row.id);
            rows.push(row.clone());
        }
    }
    rows
}

pub(super) fn ends(story: &mut Story, outcome: Came) {
    let act = acts(story).pop().expect("something was begun").act;
    story.apply(Event::Acted {
        act,
        outcome,
        text: "as the story says".to_string(),
    });
}

pub(super) fn ruling(story: &Story) -> Option<Ruling> {
    let key = (Name::new("lab"), Name::new("App"));
    story.engine.rule(at(story.now), &key)
}

#[test]
fn a_service_that_failed_is_started_again_once_and_that_is_told_with_its_end() {
    let mut story = failed(|_| {});
    let begun = acts(&story);
    assert_eq!(begun.len(), 1, "once, however often it is read");
    assert_eq!((begun[0].attempt, begun[0].dry_run), (1, false));
    assert_eq!(begun[0].service, "App".into());
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    ends(&mut story, Came::Started);
    assert!(!story.probes.is_empty(), "it is read at once");
    story.pass(Span::seconds(5), &are(&RUNS));
    assert_eq!(
        story.words(),
        [
            (Kind::Opened, ToldEvent::Stopped),
            (Kind::Resolved, ToldEvent::Started)
        ]
    );
    let told = &story.told[1].remedy;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].outcome, Some(Came::Started));
    assert_eq!(told[0].text, "as the story says");
    assert!(story.told[0].remedy.is_empty());
    let row = rows(&story).pop().expect("it is written down");
    assert_eq!(row.outcome, Some(Came::Started));
    assert!(row.ended_at.is_some());
}

#[test]
fn a_try_is_written_down_in_the_step_that_begins_it() {
    let story = failed(|_| {});
    let step = story.steps.iter().find(|step| {
        let mut effects = step.effects.iter();
        effects.any(|effect| matches!(effect, Effect::Act(_)))
    });
    let step = step.expect("something was begun");
    let mut records = step.commit.iter();
    assert!(records.any(|record| matches!(record, Record::Remedy(row) if row.outcome.is_none())));
    let mut effects = step.effects.iter();
    assert!(effects.any(|effect| matches!(effect, Effect::Act(_)) && !effect.only_reads()));
}

#[test]
fn tries_that_do_not_help_are_told_and_come_to_an_end() {
    let mut story = failed(|_| {});
    for wanted in [1, 2, 3] {
        assert_eq!(acts(&story).len(), wanted);
        ends(&mut story, Came::Failed);
        story.pass(Span::minutes(10), &are(&FAILED));
    }
    assert_eq!(acts(&story).len(), 3, "three attempts are all");
    let updates = story.told.iter().filter(|one| one.kind == Kind::Updated);
    let lines: Vec<usize> = updates.map(|one| one.remedy.len()).collect();
    assert_eq!(lines, [1, 2, 3], "each try is told with those before");
    assert_eq!(ruling(&story), Some(Ruling::No(Held::AttemptsUsed)));
}

#[test]
fn the_next_try_waits_twice_as_long() {
    let mut story = failed(|plan| {
        plan.attempts = 9;
        plan.budget.service.acts = 9;
    });
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(story.now);
        ends(&mut story, Came::Failed);
        story.pass(Span::minutes(5), &are(&FAILED));
    }
    let begun: Vec<i64> = rows(&story).iter().map(|row| row.at.0).collect();
    let waits: Vec<i64> = begun[1..]
        .iter()
        .zip(&ended)
        .map(|(begun, ended)| (begun - at(*ended).wall.0) / 60_000)
        .collect();
    assert_eq!(waits, [1, 2, 4]);
}

#[test]
fn a_budget_that_is_used_up_is_told_once_and_slides() {
    let mut story = failed(|plan| {
        plan.budget.service = Budget {
            acts: 2,
            within: Span::hours(1),
        };
    });
    for round in 0..2 {
        assert_eq!(acts(&story).len(), round + 1);
        ends(&mut story, Came::Started);
        story.pass(Span::minutes(3), &are(&RUNS));
        story.pass(Span::minutes(3), &are(&FAILED));
    }
    assert_eq!(acts(&story).len(), 2, "the third one has no budget");
    story.pass(Span::minutes(30), &are(&FAILED));
    let told = |story: &Story| {
        let used = (Kind::Info, ToldEvent::RemedyBudgetUsed);
        story.words().iter().filter(|one| **one == used).count()
    };
    assert_eq!(told(&story), 1);
    assert_eq!(acts(&story).len(), 2);
    story.pass(Span::minutes(30), &are(&FAILED));
    assert_eq!(acts(&story).len(), 3, "the first one is an hour old");
    assert_eq!(told(&story), 1);
}

#[test]
fn clean_stops_and_what_no_start_mends_are_left_alone() {
    for code in [0, 5, 1_058, 1_068, 1_069, 1_075, 193] {
        let mut story = Story::new(remedied(&["App"], |plan| {
            plan.causes = crate::remedy::Occasion::DEFAULT.to_vec();
        }));
        story.pass(Span::minutes(2), &are(&RUNS));
        story.pass(Span::minutes(30), &are(&[("App", State::Stopped, code)]));
        assert_eq!(story.told.len(), 1, "{code} is told");
        assert!(acts(&story).is_empty(), "{code}");
    }
}

#[test]
fn nothing_is_done_in_a_window_or_a_silence_and_something_after_it() {
    let mut plan = remedied(&["App"], |_| {});
    plan.maintenance.push(MaintenancePlan {
        name: "patch night".into(),
        matcher: Matcher::default(),
        ranges: Arc::from([(at(0).wall, at(600_000).wall)]),
    });
    let mut story = Story::new(plan);
    story.pass(Span::minutes(2), &are(&RUNS));
    story.pass(Span::minutes(7), &are(&FAILED));
    assert!(acts(&story).is_empty());
    story.pass(Span::minutes(2), &are(&FAILED));
    assert_eq!(acts(&story).len(), 1);

    let mut story = Story::new(remedied(&["App"], |_| {}));
    story.pass(Span::minutes(2), &are(&RUNS));
    story.apply(Event::Silence(alloc::boxed::Box::new(SilenceRow {
        id: SilenceId(Arc::from("a")),
        matcher: Matcher::default(),
        author: "ann".to_string(),
        comment: "mine".to_string(),
        from: at(0).wall,
        until: at(3_600_000).wall,
        ended_at: None,
        ended_by: None,
    })));
    story.pass(Span::minutes(10), &are(&FAILED));
    assert!(acts(&story).is_empty());
}

#[test]
fn its_host_has_its_turn_first_whatever_the_entry_says() {
    let mut story = Story::new(remedied(&["App"], |_| {}));
    story.configs.push(ServiceConfig {
        failure_actions: Some(FailureActions {
            reset_after: Some(Span::hours(1)),
            actions: vec![(FailureAction::RestartService, Span::minutes(5))],
            on_error_exit: false,
        }),
        ..config(&"App".into())
    });
    story.pass(Span::minutes(2), &are(&RUNS));
    story.pass(Span::minutes(5), &are(&FAILED));
    assert_eq!(story.told.len(), 1, "it is told at once");
    assert!(acts(&story).is_empty());
    story.pass(Span::minutes(2), &are(&FAILED));
    assert_eq!(acts(&story).len(), 1);
}

#[test]
fn it_is_explained_why_nothing_is_done_and_until_when() {
    let mut story = failed(|_| {});
    ends(&mut story, Came::Denied);
    story.pass(Span::minutes(5), &are(&FAILED));
    assert_eq!(acts(&story).len(), 1, "rights do not mend themselves");
    let explained = |story: &Story| {
        let lab = story.engine.explain(at(story.now), &"lab".into(), None);
        let service = lab.expect("it is watched").services.remove(0);
        let remedy = service.remedy.expect("it was asked for");
        (remedy.held.map(Held::as_str), remedy.tries.len())
    };
    assert_eq!(explained(&story), (Some("access_denied"), 1));
    story.pass(Span::minutes(5), &are(&RUNS));
    assert_eq!(explained(&story), (Some("not_open"), 0));
}

#[test]
fn a_clean_stop_that_follows_a_failure_is_left_alone() {
    let mut story = failed(|_| {});
    ends(&mut story, Came::Failed);
    story.pass(Span::minutes(30), &are(&[("App", State::Stopped, 0)]));
    assert_eq!(
        acts(&story).len(),
        1,
        "somebody started and stopped it since"
    );
}

#[test]
fn what_fails_after_a_try_is_left_to_its_host_again() {
    let mut story = Story::new(remedied(&["App"], |plan| plan.every = Span::seconds(1)));
    story.configs.push(ServiceConfig {
        failure_actions: Some(FailureActions {
            reset_after: Some(Span::hours(1)),
            actions: vec![(FailureAction::RestartService, Span::minutes(5))],
            on_error_exit: false,
        }),
        ..config(&"App".into())
    });
    story.pass(Span::minutes(2), &are(&RUNS));
    story.pass(Span::minutes(8), &are(&FAILED));
    assert_eq!(acts(&story).len(), 1);
    ends(&mut story, Came::Started);
    story.pass(Span::minutes(5), &are(&FAILED));
    assert_eq!(acts(&story).len(), 1);
    story.pass(Span::minutes(2), &are(&FAILED));
    assert_eq!(acts(&story).len(), 2);
}

#[test]
fn a_dry_run_says_once_what_would_be_done() {
    let mut story = failed(|plan| plan.dry_run = true);
    assert!(acts(&story)[0].dry_run);
    ends(&mut story, Came::DryRun);
    story.pass(Span::hours(2), &are(&FAILED));
    assert_eq!(acts(&story).len(), 1);
    assert_eq!(
        story.words(),
        [
            (Kind::Opened, ToldEvent::Stopped),
            (Kind::Updated, ToldEvent::Stopped)
        ]
    );
    assert_eq!(story.told[1].remedy[0].outcome, Some(Came::DryRun));
}

#[test]
fn two_of_one_host_take_turns() {
    let mut story = Story::new(remedied(&["App", "Web"], |_| {}));
    let both = |state, code| are(&[("App", state, code), ("Web", state, code)]);
    story.pass(Span::minutes(2), &both(State::Running, 0));
    story.pass(Span::minutes(2), &both(State::Stopped, 1_067));
    assert_eq!(acts(&story).len(), 1);
    ends(&mut story, Came::Started);
    let one = are(&[("App", State::Running, 0), ("Web", State::Stopped, 1_067)]);
    story.pass(Span::seconds(5), &one);
    let begun: Vec<Name> = acts(&story).into_iter().map(|act| act.service).collect();
    assert_eq!(begun, ["App".into(), "Web".into()]);
}

#[test]
fn what_was_not_begun_in_time_is_tried_again() {
    let mut story = failed(|_| {});
    ends(&mut story, Came::TooLate);
    story.pass(Span::seconds(5), &are(&FAILED));
    let begun = acts(&story);
    assert_eq!(begun.len(), 2);
    assert_eq!(begun[1].attempt, 1, "it was none");
    assert_ne!(begun[0].act, begun[1].act);
}

#[test]
fn one_that_is_never_answered_is_given_up_and_ends_once() {
    let mut story = failed(|_| {});
    let act = acts(&story)[0].act.clone();
    story.pass(Span::minutes(25), &are(&FAILED));
    let first = &rows(&story)[0];
    assert_eq!(first.outcome, Some(Came::Unknown));
    assert_eq!(
        acts(&story).len(),
        2,
        "after a fresh reading it is tried again"
    );
    let steps = story.steps.len();
    story.apply(Event::Acted {
        act,
        outcome: Came::Started,
        text: String::new(),
    });
    assert!(
        story.steps[steps..]
            .iter()
            .all(|step| step.commit.is_empty())
    );
}

/// The same engine after it ended just now, with what it had written.
pub(super) fn again(story: &Story, plan: Plan) -> Story {
    let mut restored = Restored {
        store: StoreId([1; 16]),
        remedies: rows(story),
        ..Restored::default()
    };
    let (mut targets, mut incidents) = (Vec::new(), Vec::new());
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Host(row) = record {
            restored.hosts = vec![row.clone()];
        } else if let Record::Target(row) = record {
            targets = vec![row.clone()];
        } else if let Record::Incident(row) = record {
            incidents = vec![row.clone()];
        } else if let Record::History(row) = record {
            restored.last_record = row.record;
        } else if let Record::Lane(row) = record {
            restored.lanes.retain(|known| known.subject != row.subject);
            restored.lanes.push(row.clone());
        } else if let Record::Destination(row) = record {
            restored.destinations = vec![row.clone()];
        }
    }
    incidents.retain(|row| row.resolved_at.is_none() || row.untold.is_some());
    restored.targets = vec![targets];
    restored.incidents = incidents;
    let (engine, step) = Engine::restore(restored, &Arc::new(plan), at(story.now));
    let mut again = Story {
        engine,
        now: story.now,
        ..Story::new(remedied(&[], |_| {}))
    };
    again.steps.clear();
    again.probes.clear();
    again.take(step);
    again
}

#[test]
fn what_was_under_way_as_we_ended_is_not_repeated_blindly() {
    let story = failed(|_| {});
    let mut after = again(&story, remedied(&["App"], |_| {}));
    let row = rows(&after).pop().expect("it is written down");
    assert_eq!(row.outcome, Some(Came::Unknown));
    // It had helped.
    after.pass(Span::minutes(5), &are(&RUNS));
    assert!(acts(&after).is_empty());

    let mut after = again(&story, remedied(&["App"], |_| {}));
    after.pass(Span::seconds(50), &are(&FAILED));
    assert!(acts(&after).is_empty(), "not before its pause is over");
    after.pass(Span::minutes(2), &are(&FAILED));
    let begun = acts(&after);
    assert_eq!(begun.len(), 1);
    assert_eq!(begun[0].attempt, 2, "the one before counts");
}
