//! The procedure against a manager that keeps the rules of Windows, or breaks them.

mod manager;
mod properties;

use self::manager::{Habit, Manager, told};
use super::*;
use crate::id::Name;
use crate::observe::{Fault, HostFault, StartType, State};
use crate::time::Span;
use alloc::{format, string::ToString, vec};

fn asked(service: &str) -> Asked {
    Asked {
        service: Name::new(service),
        aim: Aim::Restart,
        dry_run: false,
        time: Span::minutes(5),
        still: Span::seconds(30),
    }
}

#[test]
fn a_service_is_stopped_and_started() {
    let mut manager = Manager::of(&[("A", true, &[])]);
    let report = manager.run(asked("A"));
    assert_eq!(report.outcome, Outcome::Restarted);
    assert_eq!(manager.controls, ["stop A", "start A"]);
    assert!(report.because.is_empty() && report.left_down.is_empty());
    assert_eq!(report.sentence(&Name::new("A")), "A: restarted");
}

#[test]
fn one_that_is_stopped_is_started_and_nothing_is_stopped_for_it() {
    let mut manager = Manager::of(&[("A", false, &[]), ("B", true, &["A"])]);
    assert_eq!(manager.run(asked("A")).outcome, Outcome::Started);
    assert_eq!(manager.controls, ["start A"]);
    let mut again = asked("A");
    again.aim = Aim::Run;
    assert_eq!(manager.run(again).outcome, Outcome::AlreadyRunning);
    assert_eq!(manager.controls, ["start A"]);
}

#[test]
fn dependencies_come_first_and_dependents_that_ran_come_back_in_order() {
    let services: &[(&str, bool, &[&str])] = &[
        ("Base", false, &[]),
        ("Middle", false, &["Base"]),
        ("A", true, &["Middle", "+Group"]),
        ("Near", true, &["A"]),
        ("Far", true, &["Near", "A"]),
        ("Idle", false, &["A"]),
    ];
    for deep in [false, true] {
        let mut manager = Manager::of(services);
        manager.lists_all = deep;
        let report = manager.run(asked("A"));
        assert_eq!(report.outcome, Outcome::Restarted, "{report:?}");
        assert_eq!(
            manager.controls,
            [
                "start Base",
                "start Middle",
                "stop Far",
                "stop Near",
                "stop A",
                "start A",
                "start Near",
                "start Far"
            ]
        );
        let planned: Vec<String> = report.planned.iter().map(ToString::to_string).collect();
        assert_eq!(planned[2], "stop Far (dependent)");
        assert_eq!(report.planned, report.done);
        assert_eq!(
            report.sentence(&Name::new("A")),
            "A: restarted; started again: Near, Far"
        );
        assert!(report.notes[0].contains("group Group"), "{report:?}");
    }
}

#[test]
fn a_dry_run_says_all_of_it_and_does_nothing() {
    let mut manager = Manager::of(&[("D", false, &[]), ("A", true, &["D"]), ("B", true, &["A"])]);
    let mut dry = asked("A");
    dry.dry_run = true;
    let report = manager.run(dry);
    assert_eq!(report.outcome, Outcome::DryRun);
    let planned: Vec<String> = report.planned.iter().map(ToString::to_string).collect();
    assert_eq!(
        planned,
        [
            "start D (dependency)",
            "stop B (dependent)",
            "stop A",
            "start A",
            "start B (dependent)"
        ]
    );
    assert!(manager.controls.is_empty() && report.done.is_empty());
}

#[test]
fn what_cannot_be_started_again_is_not_stopped() {
    let untouched = |mut manager: Manager, outcome, about: &str| {
        let report = manager.run(asked("A"));
        assert_eq!((report.outcome, report.about.as_str()), (outcome, about));
        assert!(manager.controls.is_empty(), "{:?}", manager.controls);
    };
    let pair: &[(&str, bool, &[&str])] =
        &[("D", false, &[]), ("A", true, &["D"]), ("B", true, &["A"])];
    let with = |name: &str, habit| {
        let mut manager = Manager::of(pair);
        manager.service(name).habit = habit;
        manager
    };
    let disabled = |name: &str| {
        let mut manager = Manager::of(pair);
        manager.service(name).start_type = StartType::Disabled;
        manager
    };
    untouched(disabled("A"), Outcome::Disabled, "A");
    untouched(disabled("B"), Outcome::Disabled, "B");
    untouched(disabled("D"), Outcome::DependencyDown, "D");
    untouched(with("A", Habit::Denies), Outcome::Denied, "A");
    untouched(with("B", Habit::Denies), Outcome::Denied, "B");
    untouched(Manager::of(&[("B", true, &[])]), Outcome::Gone, "A");
    untouched(
        Manager::of(&[("A", false, &["NoSuch"])]),
        Outcome::DependencyDown,
        "NoSuch",
    );
    untouched(
        Manager::of(&[
            ("A", true, &["C"]),
            ("B", true, &["A"]),
            ("C", true, &["B"]),
        ]),
        Outcome::DependencyCircle,
        "A",
    );
    untouched(
        Manager::of(&[
            ("A", false, &["B"]),
            ("B", false, &["C"]),
            ("C", false, &["B"]),
        ]),
        Outcome::DependencyCircle,
        "B",
    );
}

#[test]
fn too_many_services_are_left_alone_whether_wide_or_deep() {
    let names: Vec<String> = (0..80).map(|number| format!("S{number}")).collect();
    let wide: Vec<(&str, bool, Vec<&str>)> = names
        .iter()
        .map(|name| (name.as_str(), true, vec!["A"]))
        .collect();
    let mut services: Vec<(&str, bool, &[&str])> = vec![("A", true, &[])];
    services.extend(
        wide.iter()
            .map(|(name, up, on)| (*name, *up, on.as_slice())),
    );
    let mut manager = Manager::of(&services);
    assert_eq!(manager.run(asked("A")).outcome, Outcome::TooMany);
    assert!(manager.controls.is_empty());

    let deep: Vec<(&str, bool, Vec<&str>)> = (0..20)
        .map(|at| (names[at].as_str(), false, vec![names[at + 1].as_str()]))
        .collect();
    let mut services: Vec<(&str, bool, &[&str])> = deep
        .iter()
        .map(|(name, up, on)| (*name, *up, on.as_slice()))
        .collect();
    services.push(("S20", false, &[]));
    let mut manager = Manager::of(&services);
    assert_eq!(manager.run(asked("S0")).outcome, Outcome::TooMany);
    assert!(manager.controls.is_empty());
}

#[test]
fn each_way_to_fail_has_its_word() {
    let of = |habit: Habit| {
        let mut manager = Manager::of(&[("A", true, &[]), ("B", true, &["A"])]);
        manager.service("A").habit = habit;
        let report = manager.run(asked("A"));
        (report.outcome, report.code, manager.told(), report)
    };
    let (outcome, _, told, report) = of(Habit::NeverStops);
    assert_eq!(
        (outcome, told.as_str()),
        (Outcome::StopTimeout, "stop B, stop A")
    );
    assert!(
        report.because.contains("still stopping without progress"),
        "{report:?}"
    );
    assert_eq!(report.left_down, [Name::new("B")]);
    // It did not stop at all, so what was stopped for it runs again.
    let (outcome, _, told, report) = of(Habit::Deaf);
    assert_eq!(
        (outcome, told.as_str()),
        (Outcome::StopTimeout, "stop B, stop A, start B")
    );
    assert!(report.left_down.is_empty(), "{report:?}");
    let (outcome, code, told, _) = of(Habit::RefusesStop(1052));
    assert_eq!((outcome, code), (Outcome::StopRefused, Some(1052)));
    assert_eq!(told, "stop B, stop A, start B");
    let (outcome, _, told, report) = of(Habit::NeverStarts);
    assert_eq!(
        (outcome, told.as_str()),
        (Outcome::StartTimeout, "stop B, stop A, start A")
    );
    assert_eq!(report.left_down, [Name::new("B")]);
    let (outcome, code, ..) = of(Habit::Ends(1067));
    assert_eq!((outcome, code), (Outcome::StartFailed, Some(1067)));
    for (code, outcome) in [
        (1069, Outcome::LogonFailure),
        (1058, Outcome::Disabled),
        (1068, Outcome::DependencyDown),
        (1059, Outcome::DependencyCircle),
        (1072, Outcome::Gone),
        (1115, Outcome::HostGoingDown),
        (1053, Outcome::StartTimeout),
        (5, Outcome::Denied),
        (2, Outcome::StartRefused),
    ] {
        let (was, answered, ..) = of(Habit::RefusesStart(code));
        assert_eq!((was, answered), (outcome, Some(code)));
    }
}

#[test]
fn a_refusal_for_a_moment_is_tried_again_and_no_other() {
    let mut manager = Manager::of(&[("A", true, &[])]);
    manager.service("A").habit = Habit::BusyFor(3);
    assert_eq!(manager.run(asked("A")).outcome, Outcome::Restarted);
    assert_eq!(
        manager.told(),
        "stop A, stop A, stop A, stop A, start A, start A, start A, start A"
    );
    let mut manager = Manager::of(&[("A", true, &[])]);
    manager.service("A").habit = Habit::BusyFor(1_000);
    let report = manager.run(asked("A"));
    assert_eq!(
        (report.outcome, report.code),
        (Outcome::StopRefused, Some(1061))
    );
}

#[test]
fn a_control_without_an_answer_is_never_sent_again() {
    for (works, outcome, told) in [
        (true, Outcome::Restarted, "stop A, start A"),
        (false, Outcome::UnknownOutcome, "stop A"),
    ] {
        let mut manager = Manager::of(&[("A", true, &[])]);
        manager.service("A").habit = Habit::Loses { works };
        let report = manager.run(asked("A"));
        assert_eq!(report.outcome, outcome, "{report:?}");
        assert_eq!(manager.told(), told);
    }
}

#[test]
fn a_dependent_that_does_not_come_back_is_named_and_the_others_do() {
    let mut manager = Manager::of(&[("A", true, &[]), ("B", true, &["A"]), ("C", true, &["A"])]);
    manager.service("B").habit = Habit::RefusesStart(1069);
    let report = manager.run(asked("A"));
    assert_eq!(report.outcome, Outcome::DependentsDown);
    assert_eq!(report.left_down, [Name::new("B")]);
    assert_eq!(manager.service("C").state, State::Running);
    assert!(
        report.notes[0].contains("B does not start again"),
        "{report:?}"
    );
    assert!(
        report
            .sentence(&Name::new("A"))
            .ends_with("started again: C; left down: B")
    );
}

#[test]
fn one_that_is_on_its_way_is_waited_for() {
    let mut manager = Manager::of(&[("A", true, &[])]);
    manager.set(
        "A",
        State::StopPending,
        Some((Span::seconds(12), State::Stopped)),
    );
    assert_eq!(manager.run(asked("A")).outcome, Outcome::Started);
    let mut manager = Manager::of(&[("A", true, &[])]);
    manager.set("A", State::StartPending, None);
    let report = manager.run(asked("A"));
    assert_eq!(report.outcome, Outcome::StartTimeout);
    assert!(manager.controls.is_empty(), "{report:?}");
}

#[test]
fn a_paused_service_is_restarted_only_where_that_was_asked_for() {
    let mut manager = Manager::of(&[("A", true, &[])]);
    manager.set("A", State::Paused, None);
    let mut run = asked("A");
    run.aim = Aim::Run;
    assert_eq!(manager.run(run).outcome, Outcome::Paused);
    assert!(manager.controls.is_empty());
    assert_eq!(manager.run(asked("A")).outcome, Outcome::Restarted);
}

#[test]
fn a_host_that_falls_silent_in_the_middle_ends_it_in_time() {
    let fault = || HostFault {
        fault: Fault::Unreachable,
        cause: "nothing answers".into(),
        refusal: None,
    };
    let (mut procedure, _) = Procedure::begin(asked("A"), Tick(0));
    let step = procedure.next(Tick(1), Answer::Fault(fault()));
    let Step::Done(report) = step else {
        panic!("{step:?}");
    };
    assert_eq!(report.outcome, Outcome::HostFault);

    for (goes_at, outcome, left) in [
        ("stop B", Outcome::UnknownOutcome, false),
        ("stop A", Outcome::UnknownOutcome, true),
    ] {
        let mut manager = Manager::of(&[("A", true, &[]), ("B", true, &["A"])]);
        manager.goes_at = Some(goes_at.to_string());
        let report = manager.run(asked("A"));
        assert_eq!(report.outcome, outcome, "{report:?}");
        assert_eq!(!report.left_down.is_empty(), left, "{report:?}");
        assert!(manager.clock.since(manager.began) < Span::minutes(2));
    }
    assert_eq!(told(&Step::Stop("A".into())), Some("stop A".to_string()));
}
