//! Which services are watched and how their stops are judged, and what is kept and told of changes.

use super::*;
use crate::{glob::Glob, noise::Noise, plan::Selector, record::HistoryRow, record::Record};

/// A world of one host, whose services are set up as the test says.
struct World {
    story: Story,
    configs: Vec<ServiceConfig>,
}

fn named(service: &str, start_type: StartType) -> ServiceConfig {
    ServiceConfig {
        start_type: Some(start_type),
        trigger_start: Some(false),
        ..config(&Name::new(service))
    }
}

fn watching(entries: Vec<EntryPlan>) -> Plan {
    let mut lab = host("lab", &[]);
    lab.settle = Span::ZERO;
    lab.services = entries;
    plan(vec![lab])
}

/// An entry for everything that starts with the machine, as the config builds it.
fn by_start() -> EntryPlan {
    EntryPlan {
        selector: Selector::Start(StartType::Automatic),
        stopped_ok: StoppedOk::Exit0,
        ..entry("x")
    }
}

fn line(name: &str, state: State, exit_code: u32) -> ServiceReading {
    ServiceReading {
        name: name.to_string(),
        display_name: name.to_string(),
        reading: Reading {
            exit_code: Some(exit_code),
            ..reading(state)
        },
    }
}

fn services(lines: &[(&str, State, u32)]) -> Outcome {
    let lines = lines.iter();
    Outcome::Read(HostReading {
        services: lines
            .map(|(name, state, code)| line(name, *state, *code))
            .collect(),
        asked: Vec::new(),
        uptime: None,
    })
}

impl World {
    fn new(entries: Vec<EntryPlan>, configs: Vec<ServiceConfig>) -> Self {
        Self {
            story: Story::new(watching(entries)),
            configs,
        }
    }

    /// Lets time pass, and answers what is asked of the configuration.
    fn pass(&mut self, span: Span, outcome: &Outcome) {
        self.story.configs = self.configs.clone();
        self.story.pass(span, outcome);
    }

    fn history(&self) -> Vec<HistoryRow> {
        let records = self.story.steps.iter().flat_map(|step| &step.commit);
        let lines = records.filter_map(|record| {
            if let Record::History(row) = record {
                Some(row.clone())
            } else {
                None
            }
        });
        lines
            .filter(|row| row.event == Some(ToldEvent::Changed))
            .collect()
    }
}

#[test]
fn stops_of_what_its_start_type_selected_are_judged_by_their_exit_code() {
    let automatic = vec![named("Spooler", StartType::Automatic)];
    for (stopped_ok, orderly, crash) in [
        (StoppedOk::Exit0, 0, 1),
        (StoppedOk::Never, 1, 1),
        (StoppedOk::Always, 0, 0),
    ] {
        for (code, told) in [(0, orderly), (1067, crash), (1077, crash)] {
            let rule = EntryPlan {
                stopped_ok,
                ..by_start()
            };
            let mut world = World::new(vec![rule], automatic.clone());
            let runs = services(&[("Spooler", State::Running, 0)]);
            world.pass(Span::minutes(5), &runs);
            world.pass(
                Span::minutes(5),
                &services(&[("Spooler", State::Stopped, code)]),
            );
            assert_eq!(world.story.told.len(), told, "{stopped_ok} {code}");
            world.pass(Span::minutes(5), &runs);
            assert_eq!(world.story.told.len(), told * 2, "{stopped_ok} {code}");
        }
    }
}

#[test]
fn what_an_event_starts_may_wait_for_it_and_what_is_noise_may_do_anything() {
    let trigger = ServiceConfig {
        trigger_start: Some(true),
        ..named("Sensor", StartType::Automatic)
    };
    let configs = vec![
        trigger,
        named("Spooler", StartType::Automatic),
        named("sppsvc", StartType::Automatic),
    ];
    let noise = Noise::new([(Glob::new("sppsvc"), Arc::from("licences"))]);
    let rule = EntryPlan {
        noise: Some(Arc::new(noise)),
        changes: true,
        ..by_start()
    };
    let mut world = World::new(vec![rule], configs);
    let all = |state, code| {
        services(&[
            ("Sensor", state, code),
            ("Spooler", state, code),
            ("sppsvc", state, code),
        ])
    };
    world.pass(Span::minutes(5), &all(State::Running, 0));
    // The machine was started again meanwhile.
    world.pass(Span::minutes(5), &all(State::Stopped, 1077));
    let told: Vec<_> = world
        .story
        .told
        .iter()
        .map(|notice| (notice.subject.service().cloned(), notice.cause.clone()))
        .collect();
    let cause = "it did not start since the machine did".to_string();
    assert_eq!(told, [(Some("Spooler".into()), Some(cause))]);
    world.pass(Span::minutes(5), &all(State::Stopped, 1067));
    assert_eq!(world.story.told.len(), 2, "the sensor crashed too");
    world.configs[2].start_type = Some(StartType::Manual);
    world.pass(Span::hours(3), &all(State::Stopped, 1067));
    assert_eq!(world.story.told.len(), 2, "a change of noise is not told");
    assert_eq!(world.history().len(), 1, "but kept");
}

#[test]
fn a_change_is_kept_once_and_told_where_the_plan_says_so() {
    for changes in [false, true] {
        let rule = EntryPlan {
            changes,
            ..entry("Spooler")
        };
        let mut world = World::new(vec![rule], vec![named("Spooler", StartType::Automatic)]);
        let runs = services(&[("Spooler", State::Running, 0)]);
        world.pass(Span::minutes(5), &runs);
        world.configs[0].account = Some(r"CORP\x".to_string());
        world.pass(Span::hours(4), &runs);
        let kept = world.history();
        assert_eq!(kept.len(), 1);
        let cause = r"account: now CORP\x, before LocalSystem";
        assert_eq!(kept[0].cause.as_deref(), Some(cause));
        assert_eq!((kept[0].from, kept[0].to), (None, None));
        let told: Vec<_> = world.story.words();
        if changes {
            assert_eq!(told, [(Kind::Info, ToldEvent::Changed)]);
            assert_eq!(world.story.told[0].cause.as_deref(), Some(cause));
            assert_eq!(world.story.told[0].severity, crate::notice::Severity::Info);
        } else {
            assert_eq!(told, []);
        }
    }
}

#[test]
fn what_starts_otherwise_is_found_within_a_day_and_what_is_new_at_once() {
    let rule = EntryPlan {
        changes: true,
        ..by_start()
    };
    let configs = vec![
        named("Spooler", StartType::Automatic),
        named("Agent", StartType::Manual),
        named("New", StartType::AutomaticDelayed),
    ];
    let mut world = World::new(vec![rule], configs);
    let before = services(&[("Agent", State::Running, 0), ("Spooler", State::Running, 0)]);
    world.pass(Span::hours(1), &before);
    assert_eq!(world.story.words(), []);
    world.configs[1].start_type = Some(StartType::Automatic);
    world.pass(Span::hours(27), &before);
    let causes = |world: &World| -> Vec<_> {
        let told = world.story.told.iter();
        told.filter_map(|notice| notice.cause.clone()).collect()
    };
    let found = "start type: now automatic, before manual; it is watched from now on";
    assert_eq!(causes(&world), [found]);
    let after = services(&[
        ("Agent", State::Running, 0),
        ("New", State::Running, 0),
        ("Spooler", State::Running, 0),
    ]);
    world.pass(Span::minutes(2), &after);
    let new = "it is new: the host did not show it before";
    assert_eq!(causes(&world), [found, new], "delayed is automatic too");
    assert_eq!(world.history().len(), 2);
}

#[test]
fn what_need_not_be_there_may_go_and_what_must_be_is_missed() {
    let gone = |name: &str| {
        Outcome::Read(HostReading {
            services: vec![line("Other", State::Running, 0)],
            asked: vec![(name.into(), Asked::Missing)],
            uptime: None,
        })
    };
    for (required, changes, told) in [
        (true, true, vec![(Kind::Opened, ToldEvent::Missing)]),
        (false, true, vec![(Kind::Info, ToldEvent::Changed)]),
        (false, false, vec![]),
    ] {
        let rule = EntryPlan {
            required,
            changes,
            ..entry("Spooler")
        };
        let mut world = World::new(vec![rule], vec![named("Spooler", StartType::Automatic)]);
        world.pass(
            Span::minutes(5),
            &services(&[("Other", State::Running, 0), ("Spooler", State::Running, 0)]),
        );
        world.pass(Span::minutes(5), &gone("Spooler"));
        assert_eq!(world.story.words(), told, "{required} {changes}");
    }
}

#[test]
fn what_should_not_be_there_is_told_for_as_long_as_it_is() {
    let rule = EntryPlan {
        selector: Selector::NameGlob(Glob::new("TeamViewer*")),
        expect: Expect::Absent,
        required: false,
        ..entry("x")
    };
    let mut world = World::new(vec![rule], vec![named("TeamViewer", StartType::Manual)]);
    let other = ("Other", State::Running, 0);
    world.pass(Span::minutes(5), &services(&[other]));
    assert_eq!(world.story.words(), []);
    let stopped = services(&[other, ("TeamViewer", State::Stopped, 0)]);
    world.pass(Span::minutes(5), &stopped);
    assert_eq!(world.story.words(), [(Kind::Opened, ToldEvent::Changed)]);
    let notice = &world.story.told[0];
    assert_eq!(notice.severity, crate::notice::Severity::Warning);
    let cause = "it is installed and should not be";
    assert_eq!(notice.cause.as_deref(), Some(cause));
    let runs = services(&[other, ("TeamViewer", State::Running, 0)]);
    world.pass(Span::minutes(5), &runs);
    assert_eq!(
        world.story.words()[1..],
        [(Kind::Updated, ToldEvent::Started)]
    );
    let gone = Outcome::Read(HostReading {
        services: vec![line("Other", State::Running, 0)],
        asked: vec![("TeamViewer".into(), Asked::Missing)],
        uptime: None,
    });
    world.pass(Span::minutes(5), &gone);
    assert_eq!(
        world.story.words()[2..],
        [(Kind::Resolved, ToldEvent::Missing)]
    );
}

#[test]
fn a_reload_judges_stops_anew() {
    let mut world = World::new(
        vec![entry("Spooler")],
        vec![named("Spooler", StartType::Automatic)],
    );
    world.pass(
        Span::minutes(5),
        &services(&[("Spooler", State::Running, 0)]),
    );
    let stopped = services(&[("Spooler", State::Stopped, 0)]);
    world.pass(Span::minutes(5), &stopped);
    assert_eq!(world.story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    let softer = EntryPlan {
        stopped_ok: StoppedOk::Exit0,
        ..entry("Spooler")
    };
    world
        .story
        .apply(Event::PlanReplaced(Arc::new(watching(vec![softer]))));
    world.pass(Span::minutes(5), &stopped);
    assert_eq!(
        world.story.words()[1..],
        [(Kind::Resolved, ToldEvent::Stopped)]
    );
    world
        .story
        .apply(Event::PlanReplaced(Arc::new(watching(vec![entry(
            "Spooler",
        )]))));
    world.pass(Span::minutes(5), &stopped);
    assert_eq!(
        world.story.words()[2..],
        [(Kind::Opened, ToldEvent::Stopped)]
    );
}

#[test]
fn a_change_in_a_silence_is_kept_and_not_told() {
    let rule = EntryPlan {
        changes: true,
        ..entry("Spooler")
    };
    let mut planned = watching(vec![rule]);
    planned.maintenance = vec![crate::plan::MaintenancePlan {
        name: "always".into(),
        matcher: Matcher {
            host: vec![Glob::new("lab")],
            ..Matcher::default()
        },
        ranges: Arc::from([(at(0).wall, at(0).wall + Span::hours(100))]),
    }];
    let mut world = World {
        story: Story::new(planned),
        configs: vec![named("Spooler", StartType::Automatic)],
    };
    let runs = services(&[("Spooler", State::Running, 0)]);
    world.pass(Span::minutes(5), &runs);
    world.configs[0].start_type = Some(StartType::Disabled);
    world.pass(Span::hours(3), &runs);
    assert_eq!(world.story.words(), []);
    assert_eq!(world.history().len(), 1);
}

#[test]
fn what_stops_after_its_configuration_was_first_read_is_told_at_once_and_no_first_look() {
    let spooler = ServiceConfig {
        per_user: Some(false),
        ..named("Spooler", StartType::Automatic)
    };
    let mut world = World::new(vec![entry("Spooler")], vec![spooler]);
    world.pass(
        Span::seconds(1),
        &services(&[("Spooler", State::Running, 0)]),
    );
    world.pass(
        Span::seconds(31),
        &services(&[("Spooler", State::Stopped, 1067)]),
    );
    let records = world.story.steps.iter().flat_map(|step| &step.commit);
    let mut opened = records.filter_map(|record| {
        if let Record::Incident(row) = record {
            Some(row.first_look)
        } else {
            None
        }
    });
    assert_eq!(opened.next(), Some(false));
    assert_eq!(world.story.told.len(), 1);
}
