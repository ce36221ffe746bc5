//! Guests: how long one is left alone, and that what it says and does not say takes the account from nobody.

use super::{
    Story, at, fault, host,
    visited::{of, planned, refused, running},
};
use crate::{
    effect::Effect,
    engine::Engine,
    event::Event,
    guest::{Full, Met, VisitAnswer, VisitEnded},
    id::{Name, StoreId},
    limits,
    notice::{Kind, ToldEvent},
    observe::{Fault, HostFault, Logon, Outcome, Refusal},
    plan::{HostPlan, Plan},
    record::{Record, Restored},
    time::{Now, Span, Tick},
};
use alloc::{format, string::ToString, sync::Arc, vec, vec::Vec};

fn met(fault: Fault) -> Met {
    Met::Fault(HostFault {
        fault,
        cause: "as the story says".to_string(),
        refusal: None,
    })
}

/// The same plan with one host more, which is read with `ops`.
fn with_host(name: &str) -> Event {
    Event::PlanReplaced(Arc::new(planned(&[name])))
}

impl Story {
    /// How often a host was begun to be read.
    fn probes_of(&self, host: &str) -> usize {
        let effects = self.steps.iter().flat_map(|step| &step.effects);
        effects
            .filter(
                |effect| matches!(effect, Effect::Probe(request) if request.host == host.into()),
            )
            .count()
    }
}

#[test]
fn a_logon_that_was_not_answered_is_not_repeated_at_every_scrape() {
    for unanswered in [Fault::Timeout, Fault::ProtocolError] {
        let mut story = Story::new(planned(&[]));
        let visit = of("g.corp.example", "ops");
        assert!(story.asks("g.corp.example", "ops").unwrap().may_log_on);
        story.comes(&visit, met(unanswered));
        for _ in 0..19 {
            story.pass(Span::seconds(15), &running());
            assert_eq!(story.asks("g.corp.example", "ops"), None, "{unanswered}");
            assert_eq!(story.fault_of(&visit), Some(unanswered));
        }
        let others = story.asks("h.corp.example", "ops");
        assert!(others.is_some(), "it holds up no other one");
        story.comes(&of("h.corp.example", "ops"), Met::Read);
        story.pass(Span::seconds(15), &running());
        assert!(story.asks("g.corp.example", "ops").is_some());
        // Nobody knows whether it was refused, so that it counts for nothing.
        story.comes(&visit, met(unanswered));
        assert_eq!(story.words(), []);
    }
}

#[test]
fn a_paused_account_is_not_tried_again_because_a_guest_did_not_answer() {
    let mut story = Story::new(planned(&[]));
    for number in 0..3 {
        let guest = format!("g{number}.corp.example");
        story.asks(&guest, "ops");
        story.comes(
            &of(&guest, "ops"),
            Met::Fault(refused(Refusal::WrongPassword)),
        );
    }
    story.pass(limits::REFUSED_WAIT, &running());
    let mut tried = 0;
    for minute in 0..120_u64 {
        let guest = format!("hangs{}.corp.example", minute % 4);
        if story.asks(&guest, "ops").is_some() {
            tried += 1;
            story.comes(&of(&guest, "ops"), met(Fault::Timeout));
        }
        story.pass(Span::minutes(1), &running());
    }
    assert_eq!(tried, 2, "once an hour");
}

#[test]
fn a_guest_that_is_silent_is_answered_for_from_memory() {
    let mut story = Story::new(planned(&[]));
    let visit = of("g.corp.example", "ops");
    for silent in [Fault::Unreachable, Fault::NameNotResolved] {
        assert!(story.asks("g.corp.example", "ops").is_some());
        story.comes(&visit, met(silent));
        story.pass(Span::seconds(45), &running());
        assert_eq!(story.asks("g.corp.example", "ops"), None);
        let Some(VisitAnswer::Fault(answer)) = story.answer_to(&visit) else {
            panic!("no fault");
        };
        assert_eq!(answer.fault, silent);
        let wanted = format!("45 s ago it was {silent}; it is asked again in 15 s");
        assert_eq!(answer.cause, wanted);
        story.pass(Span::seconds(15), &running());
    }
}

#[test]
fn a_guest_that_lets_us_in_and_denies_its_services_is_no_logon_each_scrape() {
    let mut story = Story::new(planned(&[]));
    let visit = of("g.corp.example", "ops");
    assert!(story.asks("g.corp.example", "ops").is_some());
    story.visits.clear();
    story.apply(Event::Visited(VisitEnded {
        visit: visit.clone(),
        logon: Logon::Accepted,
        refusals: 0,
        met: met(Fault::AccessDenied),
        session_kept: false,
    }));
    for _ in 0..4 {
        story.pass(Span::minutes(1), &running());
        assert_eq!(story.asks("g.corp.example", "ops"), None);
        assert_eq!(story.fault_of(&visit), Some(Fault::AccessDenied));
    }
    story.pass(Span::minutes(1), &running());
    assert!(story.asks("g.corp.example", "ops").is_some());
}

#[test]
fn one_guest_does_not_pause_the_account_by_what_it_says() {
    let mut story = Story::new(planned(&["srv01"]));
    story.pass(Span::minutes(1), &running());
    for number in 0..2 {
        let guest = format!("liar{number}.corp.example");
        let visit = of(&guest, "ops");
        assert!(story.asks(&guest, "ops").is_some());
        story.comes(&visit, Met::Fault(refused(Refusal::LockedOut)));
        assert_eq!(story.asks(&guest, "ops"), None);
        assert_eq!(story.fault_of(&visit), Some(Fault::LogonRefused));
    }
    assert_eq!(story.words(), []);
    let row = story.account("ops");
    assert_eq!((row.paused, row.left_alone.len()), (None, 2));
    story.asks("third.corp.example", "ops");
    let third = of("third.corp.example", "ops");
    story.comes(&third, Met::Fault(refused(Refusal::Disabled)));
    story.pass(Span::minutes(1), &running());
    let paused = (Kind::Opened, ToldEvent::AccountPaused);
    assert_eq!(story.words().first(), Some(&paused));
}

#[test]
fn a_host_that_does_not_answer_does_not_keep_guests_from_mending_the_account() {
    let mut story = Story::new(planned(&["srv01"]));
    let dead = fault(Fault::Unreachable);
    story.pass(Span::minutes(5), &dead);
    for number in 0..3 {
        let guest = format!("g{number}.corp.example");
        assert!(story.asks(&guest, "ops").is_some());
        story.comes(
            &of(&guest, "ops"),
            Met::Fault(refused(Refusal::WrongPassword)),
        );
    }
    story.pass(limits::REFUSED_WAIT, &dead);
    story.pass(Span::minutes(1), &dead);
    assert!(story.asks("good.corp.example", "ops").is_some());
    story.comes(&of("good.corp.example", "ops"), Met::Read);
    assert_eq!(story.account("ops").paused, None);
}

#[test]
fn guests_that_refuse_for_their_own_reasons_shut_nobody_out() {
    let mut story = Story::new(planned(&[]));
    for number in 0..limits::GUESTS_REFUSED_MAX + 10 {
        let guest = format!("g{number}.corp.example");
        assert!(story.asks(&guest, "ops").is_some(), "{guest}");
        story.comes(&of(&guest, "ops"), Met::Fault(refused(Refusal::Other)));
        assert_eq!(story.asks(&guest, "ops"), None);
    }
    assert!(story.asks("good.corp.example", "ops").is_some());
}

#[test]
fn so_many_guests_that_refuse_the_password_are_told_as_that() {
    let mut story = Story::new(planned(&[]));
    for number in 0..limits::GUESTS_REFUSED_MAX {
        let guest = format!("g{number}.corp.example");
        assert!(story.asks(&guest, "ops").is_some(), "{guest}");
        story.comes(
            &of(&guest, "ops"),
            Met::Fault(refused(Refusal::WrongPassword)),
        );
        let good = format!("good{number}.corp.example");
        if number + 1 < limits::GUESTS_REFUSED_MAX {
            assert!(story.asks(&good, "ops").is_some());
            story.comes(&of(&good, "ops"), Met::Read);
            story.pass(Span::seconds(10), &running());
        }
    }
    assert_eq!(story.asks("next.corp.example", "ops"), None);
    assert_eq!(
        story.answer_to(&of("next.corp.example", "ops")),
        Some(&VisitAnswer::TooMany(Full::Refusals))
    );
}

#[test]
fn what_a_guest_refused_holds_when_it_becomes_a_host_and_the_other_way_round() {
    let mut story = Story::new(planned(&[]));
    let guest = "g.corp.example";
    let visit = of(guest, "ops");
    story.asks(guest, "ops");
    story.comes(&visit, Met::Fault(refused(Refusal::WrongPassword)));
    story.pass(Span::minutes(1), &running());
    story.apply(with_host(guest));
    story.pass(Span::minutes(58), &running());
    assert_eq!(story.probes_of(guest), 0, "within the hour");
    story.pass(
        Span::minutes(2),
        &Outcome::Fault(refused(Refusal::WrongPassword)),
    );
    assert_eq!(story.probes_of(guest), 1);
    // And back again, also where the program was started anew in between.
    story.apply(Event::PlanReplaced(Arc::new(planned(&[]))));
    for _ in 0..57 {
        story.pass(Span::minutes(1), &running());
        assert_eq!(story.asks(guest, "ops"), None);
        assert_eq!(story.fault_of(&visit), Some(Fault::LogonRefused));
    }
    story.pass(Span::minutes(3), &running());
    assert!(story.asks(guest, "ops").is_some());
}

#[test]
fn a_host_that_left_the_plan_while_we_were_away_is_left_alone_as_a_guest() {
    let mut story = Story::new(planned(&["g.corp.example"]));
    story.pass(
        Span::minutes(1),
        &Outcome::Fault(refused(Refusal::WrongPassword)),
    );
    let mut restored = Restored {
        store: StoreId([1; 16]),
        ..Restored::default()
    };
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Host(row) = record {
            restored.hosts = vec![row.clone()];
        } else if let Record::Account(row) = record {
            restored.accounts = vec![row.clone()];
        }
    }
    let now = Now {
        tick: Tick(7),
        ..at(180_000)
    };
    let (mut engine, _) = Engine::restore(restored, &Arc::new(planned(&[])), now);
    let step = engine.apply(now, Event::Visit(of("g.corp.example", "ops")));
    let visits = step.effects.iter();
    let visits = visits.filter(|effect| matches!(effect, Effect::Visit(_)));
    assert_eq!(visits.count(), 0);
}

#[test]
fn a_guest_that_becomes_a_host_is_not_logged_on_to_twice_at_once() {
    let mut story = Story::new(planned(&[]));
    let guest = "g.corp.example";
    story.asks(guest, "ops");
    story.now = 1_000;
    story.apply(with_host(guest));
    story.pass(Span::seconds(5), &running());
    assert_eq!(story.probes_of(guest), 0, "it is still read as a guest");
    story.comes(&of(guest, "ops"), met(Fault::Unreachable));
    story.pass(Span::seconds(1), &running());
    assert_ne!(story.probes_of(guest), 0, "its turn comes at once");
    // And where it refused, it is left alone as a host.
    let mut story = Story::new(planned(&[]));
    story.asks(guest, "ops");
    story.now = 1_000;
    story.apply(with_host(guest));
    story.comes(
        &of(guest, "ops"),
        Met::Fault(refused(Refusal::WrongPassword)),
    );
    story.pass(Span::minutes(59), &running());
    assert_eq!(story.probes_of(guest), 0);
    // A host that goes while it is logged on to is not logged on to as a guest meanwhile.
    let mut story = Story::new(planned(&[guest]));
    story.now = 1_000;
    story.apply(Event::Tick);
    assert_eq!(story.probes_of(guest), 1);
    story.apply(Event::PlanReplaced(Arc::new(planned(&[]))));
    assert_eq!(story.asks(guest, "ops"), None);
    assert_eq!(story.fault_of(&of(guest, "ops")), Some(Fault::Timeout));
}

#[test]
fn a_host_of_the_plan_is_no_guest_under_another_spelling() {
    let other = HostPlan {
        address: "2001:DB8:0:0::7".to_string(),
        ..host("srv01.corp.example.", &[])
    };
    let third = HostPlan {
        address: "srv02.corp.example".to_string(),
        ..host("db", &[])
    };
    let mut plan: Plan = planned(&[]);
    plan.hosts = vec![Arc::new(other), Arc::new(third)];
    plan.guests.allow = crate::guest::Allowed::parse("*").into_iter().collect();
    let mut story = Story::new(plan);
    let hosts: Vec<Name> = [
        "srv01.corp.example",
        "2001:db8::7",
        "srv02.corp.example",
        "db",
    ]
    .map(Name::from)
    .to_vec();
    for guest in hosts {
        assert_eq!(story.asks(guest.as_str(), "ops"), None, "{guest}");
        assert_eq!(
            story.answer_to(&of(guest.as_str(), "ops")),
            Some(&VisitAnswer::NotAllowed),
            "{guest}"
        );
    }
    assert!(story.asks("srv03.corp.example", "ops").is_some());
}
