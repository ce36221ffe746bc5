//! Stories of hosts that shut down and boot.

use super::*;
use crate::view::View;

/// A list in which every running service runs as another process after each boot.
fn boot_list(boot: u32, uptime: Option<Span>, services: &[(&str, State)]) -> Outcome {
    let Outcome::Read(mut reading) = list(services) else {
        unreachable!("a list is a reading");
    };
    for (place, service) in reading.services.iter_mut().enumerate() {
        let number = u32::try_from(place).unwrap();
        service.reading.pid = service.reading.pid.map(|_| boot * 1_000 + 4 * number + 8);
    }
    reading.uptime = uptime;
    Outcome::Read(reading)
}

const ALL: [(&str, State); 3] = [
    ("a", State::Running),
    ("b", State::Running),
    ("c", State::Running),
];
const LACKS_B: [(&str, State); 3] = [
    ("a", State::Running),
    ("b", State::Stopped),
    ("c", State::Running),
];

fn one_host() -> Story {
    let mut story = Story::new(plan(vec![host("srv01", &["a", "b", "c"])]));
    story.pass(Span::minutes(2), &boot_list(1, None, &ALL));
    assert_eq!(story.words(), []);
    story
}

#[test]
fn what_did_not_come_back_is_one_notice_after_the_grace() {
    let mut story = one_host();
    story.pass(Span::seconds(60), &fault(Fault::Unreachable));
    story.pass(Span::minutes(9), &boot_list(2, None, &LACKS_B));
    assert_eq!(story.words(), [], "it may still come");
    let shown = story.steps.iter().flat_map(|step| &step.effects);
    let muted = shown.filter(|effect| {
        matches!(effect, Effect::Show(View::Service(view))
            if view.muted == Some(crate::notice::Why::BootGrace))
    });
    assert!(muted.count() >= 3, "each service is shown as muted");
    story.pass(Span::minutes(3), &boot_list(2, None, &LACKS_B));
    assert_eq!(story.words(), [(Kind::Summary, ToldEvent::AfterBoot)]);
    let notice = Arc::clone(&story.told[0]);
    assert_eq!(notice.subject.host(), Some(&"srv01".into()));
    assert_eq!(notice.subject.service(), None);
    assert_eq!(notice.items.len(), 1);
    assert_eq!(notice.items[0].service, Some("b".into()));
    story.pass(Span::minutes(30), &boot_list(2, None, &ALL));
    assert_eq!(story.words()[1..], [(Kind::Resolved, ToldEvent::Started)]);
}

#[test]
fn a_boot_after_which_all_come_back_is_no_notice() {
    let mut story = one_host();
    story.pass(Span::seconds(80), &fault(Fault::Unreachable));
    story.pass(Span::minutes(5), &boot_list(2, None, &LACKS_B));
    story.pass(Span::minutes(30), &boot_list(2, None, &ALL));
    assert_eq!(story.words(), []);
}

#[test]
fn one_service_that_was_started_anew_is_no_boot() {
    let mut story = one_host();
    let mut other = boot_list(1, None, &LACKS_B);
    if let Outcome::Read(reading) = &mut other {
        reading.services[0].reading.pid = Some(777);
    }
    story.pass(Span::minutes(2), &other);
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}

#[test]
fn a_host_with_the_uptime_it_should_have_was_not_booted() {
    let mut story = Story::new(plan(vec![host("srv01", &["a", "b", "c"])]));
    let up = |minutes| Some(Span::minutes(minutes));
    story.pass(Span::seconds(20), &boot_list(1, up(100), &ALL));
    story.pass(Span::seconds(100), &boot_list(1, None, &ALL));
    story.pass(Span::minutes(2), &boot_list(2, up(102), &LACKS_B));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
}

#[test]
fn three_that_stop_at_once_are_a_shutdown_and_the_host_one_notice() {
    let mut story = one_host();
    let down = ALL.map(|(name, _)| (name, State::Stopped));
    story.pass(Span::seconds(40), &boot_list(1, None, &down));
    story.pass(Span::minutes(4), &fault(Fault::Unreachable));
    assert_eq!(story.words(), [], "it may still come back");
    story.pass(Span::minutes(3), &fault(Fault::Unreachable));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::HostUnreachable)]);
    let cause = story.told[0].cause.clone().unwrap_or_default();
    assert!(cause.starts_with("it shut down"), "{cause}");
    story.pass(Span::minutes(1), &boot_list(2, None, &ALL));
    assert_eq!(
        story.words()[1..],
        [(Kind::Resolved, ToldEvent::HostRecovered)]
    );
}

#[test]
fn three_that_stop_on_a_host_that_stays_are_one_notice_soon() {
    let mut story = one_host();
    let down = ALL.map(|(name, _)| (name, State::Stopped));
    story.pass(Span::minutes(3), &boot_list(1, None, &down));
    assert_eq!(story.words(), [(Kind::Summary, ToldEvent::Stopped)]);
    assert_eq!(story.told[0].items.len(), 3);
    assert_eq!(story.told[0].subject.host(), Some(&"srv01".into()));
}

#[test]
fn without_settle_three_that_stop_are_three() {
    let mut at_once = host("srv01", &["a", "b", "c"]);
    at_once.settle = Span::ZERO;
    let mut story = Story::new(plan(vec![at_once]));
    story.pass(Span::minutes(2), &boot_list(1, None, &ALL));
    let down = ALL.map(|(name, _)| (name, State::Stopped));
    story.pass(Span::seconds(31), &boot_list(1, None, &down));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped); 3]);
}

#[test]
fn a_host_that_says_that_it_shuts_down_is_given_time() {
    let mut story = one_host();
    story.pass(Span::seconds(40), &fault(Fault::ShuttingDown));
    story.pass(Span::minutes(4), &fault(Fault::Unreachable));
    assert_eq!(story.words(), []);
    story.pass(Span::minutes(12), &boot_list(2, None, &ALL));
    assert_eq!(story.words(), []);
}

#[test]
fn a_host_that_stayed_once_is_given_time_when_it_shuts_down_later() {
    let mut story = one_host();
    story.pass(Span::seconds(40), &fault(Fault::ShuttingDown));
    story.pass(Span::minutes(20), &boot_list(1, None, &ALL));
    story.pass(Span::seconds(40), &fault(Fault::ShuttingDown));
    story.pass(Span::minutes(4), &fault(Fault::Unreachable));
    assert_eq!(story.words(), []);
}

#[test]
fn the_first_that_stops_is_held_while_its_host_goes_away() {
    let mut story = one_host();
    story.pass(Span::seconds(30), &boot_list(1, None, &LACKS_B));
    let told = story.words().len();
    assert_eq!(
        told, 1,
        "the host goes on answering, so it is told after settle"
    );
    let mut story = one_host();
    // One reading sees it stopped, and the look before settle is over finds nobody.
    let probes = core::mem::take(&mut story.probes);
    assert!(probes.is_empty());
    while story.probes.is_empty() {
        story.now = story.engine.next_deadline().unwrap().0;
        story.apply(Event::Tick);
    }
    let (name, probe) = story.probes.remove(0);
    story.answer(name, probe, boot_list(1, None, &LACKS_B));
    story.pass(Span::seconds(70), &fault(Fault::Unreachable));
    assert_eq!(story.words(), [], "nobody knows how it is now");
    story.pass(Span::minutes(14), &boot_list(2, None, &ALL));
    assert_eq!(story.words(), []);
}

#[test]
fn a_night_is_one_report() {
    let names: Vec<String> = (0..8).map(|at| alloc::format!("srv{at}")).collect();
    let hosts = names.iter().map(|name| host(name, &["a", "b", "c"]));
    let mut story = Story::new(plan(hosts.collect()));
    story.pass(Span::minutes(2), &boot_list(1, None, &ALL));
    story.pass(Span::seconds(70), &fault(Fault::Unreachable));
    // Two of them lack a service.
    let end = story.now + Span::minutes(20).0;
    while story.now < end {
        for (name, probe) in core::mem::take(&mut story.probes) {
            let lacks = name.as_str() < "srv2";
            let services = if lacks { &LACKS_B } else { &ALL };
            story.answer(name, probe, boot_list(2, None, services));
        }
        story.now = story
            .engine
            .next_deadline()
            .map_or(end, |at| at.0)
            .max(story.now);
        story.apply(Event::Tick);
    }
    assert_eq!(story.words(), [(Kind::Summary, ToldEvent::AfterBoot)]);
    let notice = &story.told[0];
    assert_eq!(notice.subject, crate::id::Subject::Fleet);
    assert_eq!(notice.items.len(), 2);
    assert_eq!(
        notice.cause.as_deref(),
        Some("2 of 8 hosts: these services did not come back")
    );
}

#[test]
fn a_boot_grace_goes_on_after_a_restart_of_ours() {
    let mut rows = Restored {
        store: StoreId([1; 16]),
        ..Restored::default()
    };
    let planned = Arc::new(plan(vec![host("srv01", &["a", "b", "c"])]));
    let mut story = one_host();
    story.pass(Span::seconds(60), &fault(Fault::Unreachable));
    story.pass(Span::minutes(2), &boot_list(2, None, &LACKS_B));
    let mut targets = alloc::collections::BTreeMap::new();
    let mut incidents = alloc::collections::BTreeMap::new();
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Host(row) = record {
            rows.hosts = vec![row.clone()];
        } else if let Record::Target(row) = record {
            targets.insert(row.service.clone(), row.clone());
        } else if let Record::Incident(row) = record {
            incidents.insert(row.id.clone(), row.clone());
        }
    }
    assert!(rows.hosts[0].boot.grace_until.is_some());
    rows.targets = vec![targets.into_values().collect()];
    rows.incidents = incidents.into_values().collect();
    rows.last_record = 1_000;
    let (engine, step) = Engine::restore(rows, &planned, at(story.now));
    let mut again = Story {
        engine,
        now: story.now,
        steps: Vec::new(),
        probes: Vec::new(),
        ears: Vec::new(),
        told: Vec::new(),
        deliver: true,
        configs: Vec::new(),
        asked: Vec::new(),
        visits: Vec::new(),
        answers: Vec::new(),
        left: Vec::new(),
    };
    again.take(step);
    again.pass(Span::minutes(7), &boot_list(2, None, &LACKS_B));
    assert_eq!(again.words(), []);
    again.pass(Span::minutes(2), &boot_list(2, None, &LACKS_B));
    assert_eq!(again.words(), [(Kind::Summary, ToldEvent::AfterBoot)]);
}
