//! What holds for every host, however its services depend on each other and whatever they do.

use super::super::*;
use super::manager::{Habit, Manager};
use crate::{
    id::Name,
    limits::RESTART_AGAIN,
    observe::{StartType, State},
    time::Span,
};
use alloc::{format, string::String, vec, vec::Vec};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One service of a random host: whether it should run, on which it depends (by number), whether it may be started, and
/// what it does.
type Made = (bool, Vec<usize>, bool, Habit);

fn habit() -> impl Strategy<Value = Habit> {
    prop_oneof![
        8 => Just(Habit::Obeys),
        2 => (1_u64..120).prop_map(|seconds| Habit::Slow(Span::seconds(seconds))),
        1 => Just(Habit::NeverStops),
        1 => Just(Habit::Deaf),
        1 => Just(Habit::NeverStarts),
        1 => Just(Habit::Ends(1067)),
        1 => prop_oneof![Just(1051), Just(1052), Just(1053), Just(1061), Just(1115), Just(4711)].prop_map(Habit::RefusesStop),
        1 => prop_oneof![Just(2), Just(1053), Just(1055), Just(1068), Just(1069), Just(1115)].prop_map(Habit::RefusesStart),
        1 => (1_u32..40).prop_map(Habit::BusyFor),
        1 => Just(Habit::Denies),
        1 => any::<bool>().prop_map(|works| Habit::Loses { works }),
    ]
}

fn hosts(habits: impl Strategy<Value = Habit> + 'static) -> impl Strategy<Value = Vec<Made>> {
    let one = (
        any::<bool>(),
        prop::collection::vec(0_usize..9, 0..3),
        prop::bool::weighted(0.9),
        habits,
    );
    prop::collection::vec(one, 1..9)
}

/// A host of them. Without circles where `ordered`, and what runs has what it needs there.
fn manager(made: &[Made], ordered: bool) -> Manager {
    let names: Vec<String> = (0..made.len()).map(|number| format!("S{number}")).collect();
    let mut up: Vec<bool> = Vec::new();
    let mut needs: Vec<Vec<&str>> = Vec::new();
    for (number, (runs, on, ..)) in made.iter().enumerate() {
        let on: BTreeSet<usize> = on
            .iter()
            .map(|on| {
                if ordered && number > 0 {
                    on % number
                } else {
                    on % made.len()
                }
            })
            .filter(|_| !ordered || number > 0)
            .collect();
        let met = !ordered || on.iter().all(|on| up[*on]);
        up.push(*runs && met);
        needs.push(on.iter().map(|on| names[*on].as_str()).collect());
    }
    let services: Vec<(&str, bool, &[&str])> = (0..made.len())
        .map(|number| (names[number].as_str(), up[number], needs[number].as_slice()))
        .collect();
    let mut manager = Manager::of(&services);
    for (number, (_, _, startable, habit)) in made.iter().enumerate() {
        let service = manager.service(&names[number]);
        service.habit = *habit;
        if !startable {
            service.start_type = StartType::Disabled;
        }
    }
    manager
}

fn asked(service: usize, aim: Aim, dry_run: bool) -> Asked {
    Asked {
        service: Name::new(&format!("s{service}")),
        aim,
        dry_run,
        time: Span::minutes(5),
        still: Span::seconds(30),
    }
}

/// The services that hang on one, in one direction.
fn hanging(manager: &Manager, of: &Name, down: bool) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    let mut open = Vec::new();
    if manager.services().contains_key(of) {
        open.push(of.clone());
    }
    while let Some(next) = open.pop() {
        for name in manager.services().keys() {
            let needs = |from: &Name, to: &Name| {
                let from = &manager.services()[from];
                from.needs.iter().any(|need| Name::new(need) == *to)
            };
            let hangs = if down {
                needs(&next, name)
            } else {
                needs(name, &next)
            };
            if hangs && found.insert(name.clone()) {
                open.push(name.clone());
            }
        }
    }
    found
}

fn controls(manager: &Manager, verb: &str) -> Vec<Name> {
    let verb = format!("{verb} ");
    let controls = manager.controls.iter();
    controls
        .filter_map(|control| control.strip_prefix(&verb))
        .map(Name::new)
        .collect()
}

#[test]
fn a_circle_of_which_one_service_is_down_is_left_alone() {
    let one = |runs, on| (runs, vec![on], true, Habit::Obeys);
    // S0 needs S1, which is down; S1 needs S2, and S2 needs S0.
    let made = [one(true, 1), one(false, 2), one(true, 0)];
    let mut manager = manager(&made, false);
    let report = manager.run(asked(0, Aim::Restart, false));
    assert_eq!(report.outcome, Outcome::DependencyCircle, "{report:?}");
    assert!(manager.controls.is_empty(), "{:?}", manager.controls);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_the_host_does_nothing_else_is_touched_and_it_ends(
        made in hosts(habit()),
        target in 0_usize..9,
        ordered in any::<bool>(),
        run in any::<bool>(),
        deep in any::<bool>(),
    ) {
        let mut manager = manager(&made, ordered);
        manager.lists_all = deep;
        let aim = if run { Aim::Run } else { Aim::Restart };
        let asked = asked(target, aim, false);
        let service = asked.service.clone();
        let report = manager.run(asked);
        let up = manager.services().get(&service).is_some_and(|service| service.ran);
        let (below, above) = (hanging(&manager, &service, true), hanging(&manager, &service, false));

        // It ends: in its time, what a host may be silent, and what starting again is given, for each that is started.
        let starts = controls(&manager, "start");
        let again = RESTART_AGAIN.times(2) + Span::minutes(5) + Span::seconds(60);
        prop_assert!(manager.clock.since(manager.began) < again, "{:?}", manager.clock);

        for stopped in controls(&manager, "stop") {
            prop_assert!(up && !run, "stops {stopped} although nothing had to stop");
            prop_assert!(stopped == service || above.contains(&stopped), "stops {stopped}");
            prop_assert!(manager.services()[&stopped].ran, "stops {stopped}, which did not run");
        }
        for started in &starts {
            let ran = manager.services()[started].ran;
            let right = *started == service
                || (below.contains(started) && !ran)
                || (above.contains(started) && ran);
            prop_assert!(right, "starts {started}: {:?}", manager.controls);
        }
        prop_assert!(manager.wrong.is_empty(), "{:?}", manager.wrong);
        if report.outcome == Outcome::AlreadyRunning || report.outcome == Outcome::Paused {
            prop_assert!(manager.controls.is_empty());
        }
        if matches!(report.outcome, Outcome::Restarted | Outcome::Started) {
            prop_assert_eq!(manager.services()[&service].state, State::Running);
            for name in &above {
                let one = &manager.services()[name];
                prop_assert!(!one.ran || one.state == State::Running || up == run, "{name} is down");
            }
        }
        // Whoever ran and does not is named, unless it is the one that the report is about.
        for name in above.iter().filter(|name| **name != service) {
            let one = &manager.services()[name];
            if one.ran && one.state == State::Stopped {
                prop_assert!(report.left_down.contains(name) || report.about == *name, "{name}: {report:?}");
            }
        }
    }

    #[test]
    fn a_host_that_obeys_has_everything_running_again(
        made in hosts(prop_oneof![Just(Habit::Obeys), Just(Habit::Slow(Span::seconds(4)))]),
        target in 0_usize..9,
        deep in any::<bool>(),
    ) {
        let made: Vec<Made> = made.into_iter().map(|(up, on, _, habit)| (up, on, true, habit)).collect();
        let target = target % made.len();
        let mut manager = manager(&made, true);
        manager.lists_all = deep;
        let asked = asked(target, Aim::Restart, false);
        let service = asked.service.clone();
        let up = manager.services()[&service].ran;
        let report = manager.run(asked);
        prop_assert_eq!(report.outcome, if up { Outcome::Restarted } else { Outcome::Started }, "{:?}", report);
        for (name, one) in manager.services() {
            prop_assert!(!one.ran || one.state == State::Running, "{name}");
        }
        prop_assert_eq!(&report.done, &report.planned);
    }

    #[test]
    fn a_dry_run_touches_nothing_and_says_what_a_run_does(
        made in hosts(Just(Habit::Obeys)),
        target in 0_usize..9,
    ) {
        let mut dry = manager(&made, true);
        let said = dry.run(asked(target, Aim::Restart, true));
        prop_assert!(dry.controls.is_empty());
        let mut real = manager(&made, true);
        let report = real.run(asked(target, Aim::Restart, false));
        if said.outcome == Outcome::DryRun {
            prop_assert_eq!(said.planned, report.done);
        } else {
            prop_assert_eq!(said.outcome, report.outcome);
            prop_assert!(real.controls.is_empty());
        }
    }
}
