//! What is heard at once is read before it is told, and what is not heard any more is asked for again.

use super::*;
use crate::{
    effect::Fact,
    hearing::{Hears, News},
    limits,
};

/// A host with services of which every change is to be heard.
fn instant(services: &[&str]) -> Plan {
    let mut plan = plan(vec![host("srv01", services)]);
    for host in &mut plan.hosts {
        for entry in &mut Arc::make_mut(host).services {
            entry.instant = true;
        }
    }
    plan
}

impl Story {
    fn hear(&mut self, service: &str, news: News) {
        let known = self
            .ears
            .iter()
            .rev()
            .find(|(name, _)| *name == service.into());
        let ear = known.expect("it is listened to").1;
        self.hear_from(service, ear, news);
    }

    fn hear_from(&mut self, service: &str, ear: EarId, news: News) {
        self.apply(Event::Heard {
            host: "srv01".into(),
            service: service.into(),
            ear,
            news,
        });
    }

    fn hears(&self, service: &str) -> Option<Hears> {
        let explained = self.engine.explain(at(self.now), &"srv01".into(), None);
        let services = explained.expect("it is watched").services;
        let wanted = |one: &&crate::engine::ServiceExplained| one.service == service.into();
        services
            .iter()
            .find(wanted)
            .and_then(|one| one.hears.clone())
    }

    /// How many registrations the last fact says that there are.
    fn counted(&self) -> Option<usize> {
        let mut effects = self.steps.iter().flat_map(|step| &step.effects);
        effects
            .rfind(|effect| matches!(effect, Effect::Note(Fact::Ear { .. })))
            .and_then(|effect| {
                if let Effect::Note(Fact::Ear { ears, .. }) = effect {
                    Some(*ears)
                } else {
                    None
                }
            })
    }
}

fn changed() -> News {
    News::Changed {
        state: State::Stopped,
    }
}

fn lost() -> News {
    News::Lost {
        cause: "the pipe broke".to_string(),
    }
}

#[test]
fn a_change_is_read_before_it_is_told_and_told_without_being_held() {
    let mut story = Story::new(instant(&["Spooler"]));
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Running)]));
    assert_eq!(story.ears.len(), 1);
    assert_eq!(story.hears("Spooler"), Some(Hears::Soon));
    story.hear("Spooler", News::Listening);
    assert!(matches!(story.hears("Spooler"), Some(Hears::AtOnce { .. })));
    story.pass(Span(1), &list(&[("Spooler", State::Running)]));
    // A host that says so and is not so.
    story.hear("Spooler", changed());
    assert_eq!(story.probes.len(), 1, "it is read at once");
    story.pass(Span(10), &list(&[("Spooler", State::Running)]));
    assert_eq!(story.words(), []);
    story.hear("Spooler", changed());
    story.pass(Span(10), &list(&[("Spooler", State::Stopped)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}

#[test]
fn a_host_that_shuts_down_says_so_first_here() {
    let mut story = Story::new(instant(&["One", "Two"]));
    let running = list(&[("One", State::Running), ("Two", State::Running)]);
    story.pass(Span::minutes(2), &running);
    story.hear("One", News::Listening);
    story.pass(Span(100), &running);
    let cause = "error 1115".to_string();
    story.hear("One", News::ShuttingDown { cause });
    // What stops now stops with its host, and is not told even where it is to be told at once.
    let stopped = list(&[("One", State::Stopped), ("Two", State::Running)]);
    story.pass(Span::seconds(5), &stopped);
    story.pass(Span::minutes(4), &fault(Fault::Unreachable));
    assert_eq!(story.words(), [], "it is given time to come back");
    story.pass(Span::minutes(3), &fault(Fault::Unreachable));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::HostUnreachable)]);

    // One that says so and stays is told after all.
    let mut story = Story::new(instant(&["One", "Two"]));
    story.pass(Span::minutes(2), &running);
    let cause = "error 1115".to_string();
    story.hear("One", News::ShuttingDown { cause });
    story.pass(Span::seconds(5), &stopped);
    assert_eq!(story.words(), []);
    story.pass(limits::SHUTTING_DOWN_QUIET, &stopped);
    assert_eq!(story.words().len(), 1);
    assert!(story.ears.iter().any(|(name, _)| *name == "One".into()));
}

#[test]
fn those_that_follow_are_held() {
    let mut story = Story::new(instant(&["One", "Two"]));
    let state = |two| list(&[("One", State::Stopped), ("Two", two)]);
    story.pass(
        Span::minutes(2),
        &list(&[("One", State::Running), ("Two", State::Running)]),
    );
    story.hear("One", changed());
    story.pass(Span(100), &state(State::Running));
    story.hear("Two", changed());
    story.pass(Span(100), &state(State::Stopped));
    assert_eq!(story.words().len(), 1, "the second one is held");
    story.pass(Span::seconds(3), &state(State::Stopped));
    assert_eq!(story.words().len(), 2);
}

#[test]
fn news_while_the_host_is_read_has_it_read_again() {
    let mut story = Story::new(instant(&["Spooler"]));
    let running = list(&[("Spooler", State::Running)]);
    story.pass(Span::minutes(2), &running);
    story.hear("Spooler", changed());
    let (host, probe) = story.probes.pop().expect("it is being read");
    // What it says now may be older than this.
    story.hear("Spooler", changed());
    assert_eq!(story.probes, []);
    story.answer(host, probe, running);
    assert_eq!(story.probes.len(), 1);
}

#[test]
fn what_is_lost_is_asked_for_again_after_a_reading() {
    let mut story = Story::new(instant(&["Spooler"]));
    let running = list(&[("Spooler", State::Running)]);
    story.pass(Span::minutes(2), &running);
    let (_, first) = story.ears[0].clone();
    story.hear("Spooler", News::Listening);
    story.hear("Spooler", lost());
    assert_eq!(story.counted(), Some(0));
    assert_eq!(story.ears.len(), 1, "not before the reading");
    story.pass(Span(10), &running);
    assert_eq!(story.ears.len(), 2);
    // News of the one that was lost counts for nothing.
    story.hear_from("Spooler", first, lost());
    assert_eq!(story.ears.len(), 2);
    // One that is lost again and again is asked for later each time, without a round of its host.
    for _ in 0..6 {
        story.hear("Spooler", lost());
        story.pass(Span::seconds(20), &running);
    }
    assert!((6..9).contains(&story.ears.len()), "{}", story.ears.len());
}

#[test]
fn a_host_that_does_not_offer_it_is_read_as_ever_and_says_so() {
    let mut story = Story::new(instant(&["One", "Two"]));
    let running = list(&[("One", State::Running), ("Two", State::Running)]);
    story.pass(Span::minutes(2), &running);
    story.hear(
        "One",
        News::NotOffered {
            cause: "it does not know the call".to_string(),
        },
    );
    assert_eq!(story.counted(), Some(0));
    for service in ["One", "Two"] {
        let cause = "it does not know the call".to_string();
        assert_eq!(story.hears(service), Some(Hears::ByReadings { cause }));
    }
    // A new session, which this world opens each time, is another chance.
    story.pass(Span::minutes(1), &running);
    assert_eq!(story.hears("One"), Some(Hears::Soon));
}

#[test]
fn there_are_bounds_and_they_are_told() {
    let names: Vec<String> = (0..12)
        .map(|number| alloc::format!("S{number:02}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let states: Vec<(&str, State)> = names.iter().map(|name| (*name, State::Running)).collect();
    let mut story = Story::new(instant(&names));
    story.pass(Span::minutes(2), &list(&states));
    assert_eq!(story.ears.len(), limits::EARS_PER_HOST_MAX);
    assert!(matches!(story.hears("S11"), Some(Hears::ByReadings { .. })));
    // A service that vanishes makes room.
    let Outcome::Read(mut fewer) = list(&states[1..]) else {
        return;
    };
    fewer.asked = vec![("S00".into(), Asked::Missing)];
    story.pass(Span::minutes(1), &Outcome::Read(fewer));
    assert!(story.ears.iter().any(|(name, _)| *name == "S08".into()));
}

/// Hosts of which as many services each are to be heard as may be.
fn many(numbers: core::ops::Range<usize>) -> Plan {
    let names: Vec<String> = (0..limits::EARS_PER_HOST_MAX)
        .map(|number| alloc::format!("S{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut hosts = Vec::new();
    for number in numbers {
        let mut host = host(&alloc::format!("srv{number:03}"), &names);
        for entry in &mut host.services {
            entry.instant = true;
        }
        hosts.push(host);
    }
    plan(hosts)
}

/// Why only readings show services, each with its host.
fn by_readings(story: &Story, hosts: core::ops::Range<usize>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for number in hosts {
        let name = Name::new(&alloc::format!("srv{number:03}"));
        let explained = story.engine.explain(at(story.now), &name, None);
        for service in explained.expect("it is watched").services {
            if let Some(Hears::ByReadings { cause }) = service.hears {
                found.push((number, cause));
            }
        }
    }
    found
}

#[test]
fn no_more_are_heard_in_all_than_may_be_and_those_beyond_say_so() {
    const HOSTS: usize = limits::EARS_MAX / limits::EARS_PER_HOST_MAX;
    let states =
        ["S0", "S1", "S2", "S3", "S4", "S5", "S6", "S7"].map(|name| (name, State::Running));
    let running = list(&states);
    let mut story = Story::new(many(0..HOSTS + 1));
    story.pass(Span::minutes(2), &running);
    assert_eq!(story.ears.len(), 2_000);
    let beyond = by_readings(&story, 0..HOSTS + 1);
    let last = beyond.first().expect("one host is too many").0;
    let cause = "no more than 2000 services are heard at once".to_string();
    assert_eq!(beyond, vec![(last, cause); limits::EARS_PER_HOST_MAX]);
    // What they come to is told all the same.
    let mut stopped = states;
    stopped[3].1 = State::Stopped;
    story.pass_each(Span::minutes(1), |host| {
        let beyond = Name::new(host) == Name::new(&alloc::format!("srv{last:03}"));
        if beyond {
            list(&stopped)
        } else {
            running.clone()
        }
    });
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    story.pass(Span::minutes(1), &running);

    // Another host that goes makes room for them.
    let left = if last == 0 { 0..HOSTS } else { 1..HOSTS + 1 };
    story.apply(Event::PlanReplaced(Arc::new(many(left.clone()))));
    assert_eq!(story.counted(), Some(1_992));
    story.pass(Span::minutes(1), &running);
    assert_eq!(story.ears.len(), 2_000);
    assert_eq!(by_readings(&story, left), []);
}

#[test]
fn a_reload_ends_it_all_and_begins_it_again() {
    let mut story = Story::new(instant(&["Spooler"]));
    let running = list(&[("Spooler", State::Running)]);
    story.pass(Span::minutes(2), &running);
    story.hear("Spooler", News::Listening);
    let mut off = instant(&["Spooler"]);
    off.instant_off = true;
    story.apply(Event::PlanReplaced(Arc::new(off)));
    assert_eq!((story.ears.len(), story.counted()), (0, Some(0)));
    assert!(matches!(
        story.hears("Spooler"),
        Some(Hears::ByReadings { .. })
    ));
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Stopped)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    story.apply(Event::PlanReplaced(Arc::new(instant(&["Spooler"]))));
    story.pass(Span::minutes(1), &running);
    assert_eq!(story.ears.len(), 1);
    story.apply(Event::PlanReplaced(Arc::new(plan(Vec::new()))));
    assert_eq!((story.ears.len(), story.counted()), (0, Some(0)));
}

#[test]
fn a_machine_that_tells_by_itself_is_asked_for_nothing_and_instant_is_told_without_being_held() {
    let mut own = instant(&["Spooler"]);
    own.hosts = vec![{
        let mut host = host("srv01", &["Spooler", "Later"]);
        host.services[0].instant = true;
        host.tells_by_itself = true;
        Arc::new(host)
    }];
    let mut story = Story::new(own.clone());
    let states = |spooler, later| list(&[("Spooler", spooler), ("Later", later)]);
    story.pass(Span::minutes(2), &states(State::Running, State::Running));
    assert_eq!((story.ears.len(), story.counted()), (0, None));
    let held = |held| Some(Hears::ByItself { held });
    assert_eq!(story.hears("Spooler"), held(Span::ZERO));
    assert_eq!(story.hears("Later"), held(Span::seconds(3)));

    let stir = |story: &mut Story, outcome: &Outcome| {
        story.apply(Event::Stirred {
            host: "srv01".into(),
        });
        story.pass(Span(10), outcome);
    };
    stir(&mut story, &states(State::Running, State::Stopped));
    assert_eq!(story.words(), [], "it is held");
    stir(&mut story, &states(State::Stopped, State::Stopped));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);

    own.instant_off = true;
    story.apply(Event::PlanReplaced(Arc::new(own)));
    assert!(matches!(
        story.hears("Later"),
        Some(Hears::ByReadings { .. })
    ));
}
