//! Guests: who is let in, and that their logons count as those of hosts do.

use super::{Story, at, host, list, plan};
use crate::{
    effect::Effect,
    engine::Engine,
    event::Event,
    guest::{Allowed, Full, GuestPlan, Met, Visit, VisitAnswer, VisitEnded, VisitRequest, name},
    id::StoreId,
    limits,
    notice::{Kind, ToldEvent},
    observe::{Fault, HostFault, Logon, Outcome, Refusal, State},
    plan::{HostPlan, Plan},
    record::{AccountRow, Record, Restored},
    time::{Now, Span, Tick},
};
use alloc::{format, string::ToString, sync::Arc, vec, vec::Vec};
use core::slice::from_ref;

/// Hosts that are read with `ops`, and guests with `ops` and `lab`.
pub(super) fn planned(hosts: &[&str]) -> Plan {
    let hosts: Vec<HostPlan> = hosts
        .iter()
        .map(|name| HostPlan {
            account: Some("ops".into()),
            ..host(name, &["Spooler"])
        })
        .collect();
    Plan {
        accounts: vec!["lab".into(), "ops".into()],
        guests: GuestPlan {
            allow: Allowed::parse("*.corp.example").into_iter().collect(),
            accounts: vec!["lab".into(), "ops".into()],
            timeout: Span::seconds(10),
        },
        ..plan(hosts)
    }
}

pub(super) fn of(guest: &str, account: &str) -> Visit {
    Visit {
        guest: name(guest).expect("a name"),
        account: account.into(),
    }
}

pub(super) fn refused(refusal: Refusal) -> HostFault {
    HostFault {
        fault: Fault::LogonRefused,
        cause: "wrong user name or password".to_string(),
        refusal: Some(refusal),
    }
}

impl Story {
    /// Somebody asks for a guest; the reading that begins with that, where one does.
    pub(super) fn asks(&mut self, guest: &str, account: &str) -> Option<VisitRequest> {
        let before = self.visits.len();
        self.apply(Event::Visit(of(guest, account)));
        (self.visits.len() > before).then(|| self.visits[before].clone())
    }

    /// A reading of a guest ends. One that was read was logged on to where that was needed.
    pub(super) fn comes(&mut self, visit: &Visit, met: Met) {
        let place = self
            .visits
            .iter()
            .position(|one| one.visit == *visit)
            .expect("it is being read");
        let request = self.visits.remove(place);
        let read = met == Met::Read;
        let refused = matches!(&met, Met::Fault(fault) if fault.refusal.is_some());
        self.apply(Event::Visited(VisitEnded {
            visit: request.visit,
            logon: if read && request.may_log_on {
                Logon::Accepted
            } else {
                Logon::None
            },
            refusals: u8::from(refused),
            met,
            session_kept: read,
        }));
    }

    /// What those were told last who asked for this guest.
    pub(super) fn answer_to(&self, visit: &Visit) -> Option<&VisitAnswer> {
        let mut answers = self.answers.iter().rev();
        answers
            .find(|(known, _)| known == visit)
            .map(|(_, answer)| answer)
    }

    pub(super) fn fault_of(&self, visit: &Visit) -> Option<Fault> {
        match self.answer_to(visit) {
            Some(VisitAnswer::Fault(fault)) => Some(fault.fault),
            _ => None,
        }
    }

    /// What is stored of an account.
    pub(super) fn account(&self, account: &str) -> AccountRow {
        let mut stored = None;
        for record in self.steps.iter().flat_map(|step| &step.commit) {
            if let Record::Account(row) = record
                && row.account == account.into()
            {
                stored = Some(row.clone());
            }
        }
        stored.expect("a row of the account")
    }
}

pub(super) fn running() -> Outcome {
    list(&[("Spooler", State::Running)])
}

#[test]
fn a_guest_is_read_when_it_is_asked_for_and_never_else() {
    let mut story = Story::new(planned(&["srv01"]));
    story.pass(Span::minutes(1), &running());
    let visit = of("g.corp.example", "ops");
    let request = story.asks("G.Corp.Example.", "ops").expect("it is read");
    assert_eq!(request.visit, visit);
    assert!(request.may_log_on);
    // Who asks meanwhile shares the reading.
    assert_eq!(story.asks("g.corp.example", "ops"), None);
    story.comes(&visit, Met::Read);
    assert_eq!(story.answers, [(visit.clone(), VisitAnswer::Read)]);
    // A minute later it is read over its session.
    story.pass(Span::minutes(1), &running());
    let again = story.asks("g.corp.example", "ops").expect("it is read");
    assert!(!again.may_log_on);
    story.comes(&visit, Met::Read);
    assert!(story.left.is_empty());
    story.pass(limits::GUEST_KEPT, &running());
    assert_eq!(story.left, [visit], "nobody asked for it");
    assert_eq!((story.visits.len(), story.answers.len()), (0, 2));
    assert_eq!(story.words(), []);
    let names_it = |words: &str| words.contains("g.corp.example");
    for step in &story.steps {
        assert!(!names_it(&format!("{:?}", step.commit)), "{step:?}");
        let shown = step.effects.iter();
        let mut shown = shown.filter(|effect| matches!(effect, Effect::Show(_) | Effect::Note(_)));
        assert!(shown.all(|effect| !names_it(&format!("{effect:?}"))));
    }
}

#[test]
fn who_is_not_let_in_is_not_read() {
    let mut story = Story::new(planned(&["srv01.corp.example"]));
    for (guest, account) in [
        ("g.other.example", "ops"),
        ("g.corp.example.evil.example", "ops"),
        ("10.0.0.7", "ops"),
        ("g.corp.example", "acting"),
        // A host of the plan is read as that.
        ("srv01.corp.example", "ops"),
    ] {
        assert_eq!(story.asks(guest, account), None, "{guest}");
        assert_eq!(
            story.answer_to(&of(guest, account)),
            Some(&VisitAnswer::NotAllowed),
            "{guest}"
        );
    }
}

#[test]
fn a_session_that_was_gone_is_opened_again_by_the_rules_of_logons() {
    let mut story = Story::new(planned(&[]));
    let visit = of("g.corp.example", "lab");
    story.asks("g.corp.example", "lab");
    story.comes(&visit, Met::Read);
    story.pass(Span::minutes(2), &running());
    assert!(!story.asks("g.corp.example", "lab").unwrap().may_log_on);
    // The account is being tried elsewhere by now.
    assert!(story.asks("h.corp.example", "lab").unwrap().may_log_on);
    story.comes(&visit, Met::LogonNeeded);
    assert!(story.visits.iter().all(|one| one.visit != visit));
    story.comes(&of("h.corp.example", "lab"), Met::Read);
    let again = story.visits.iter().find(|one| one.visit == visit).unwrap();
    assert!(again.may_log_on);
    story.comes(&visit, Met::Read);
    assert_eq!(story.answer_to(&visit), Some(&VisitAnswer::Read));
    assert_eq!(story.answers.len(), 3);
}

#[test]
fn a_wrong_password_is_tried_once_and_then_left_alone() {
    let mut story = Story::new(planned(&[]));
    let visit = of("g.corp.example", "ops");
    let request = story.asks("g.corp.example", "ops").expect("it is read");
    assert_eq!(request.logons, 2, "the second one is the previous password");
    story.comes(&visit, Met::Fault(refused(Refusal::WrongPassword)));
    assert_eq!(story.fault_of(&visit), Some(Fault::LogonRefused));
    assert_eq!(story.left, from_ref(&visit));
    let row = story.account("ops");
    assert_eq!(row.refused_by, from_ref(&visit.guest));
    assert_eq!(row.left_alone[0].guest, visit.guest);
    for _ in 0..59 {
        story.pass(Span::minutes(1), &running());
        assert_eq!(story.asks("g.corp.example", "ops"), None);
        assert_eq!(story.fault_of(&visit), Some(Fault::LogonRefused));
    }
    // Another account is another logon.
    assert!(story.asks("g.corp.example", "lab").is_some());
    story.pass(Span::minutes(1), &running());
    assert!(story.asks("g.corp.example", "ops").is_some());
    story.comes(&visit, Met::Fault(refused(Refusal::WrongPassword)));
    assert_eq!(
        story.account("ops").refused_by,
        from_ref(&visit.guest),
        "the same host again counts once"
    );
    // Another secret may be tried at once.
    story.apply(Event::SecretChanged {
        account: "ops".into(),
    });
    assert!(story.asks("g.corp.example", "ops").is_some());
}

#[test]
fn who_starts_again_and_again_tries_no_password_again() {
    let mut story = Story::new(planned(&[]));
    let visit = of("g.corp.example", "ops");
    story.asks("g.corp.example", "ops");
    story.comes(&visit, Met::Fault(refused(Refusal::WrongPassword)));
    let mut row = story.account("ops");
    for start in 1..20_u64 {
        let now = Now {
            tick: Tick(7),
            ..at(start * 120_000)
        };
        let restored = Restored {
            store: StoreId([1; 16]),
            accounts: vec![row.clone()],
            ..Restored::default()
        };
        let (mut engine, _) = Engine::restore(restored, &Arc::new(planned(&[])), now);
        let step = engine.apply(now, Event::Visit(visit.clone()));
        let begun = step.effects.iter();
        let begun = begun.filter(|effect| matches!(effect, Effect::Visit(_)));
        assert_eq!(begun.count(), 0, "start {start}");
        for record in step.commit {
            if let Record::Account(written) = record {
                row = written;
            }
        }
    }
}

#[test]
fn guests_that_refuse_pause_the_account_as_hosts_do_and_none_is_tried_then() {
    let mut story = Story::new(planned(&[]));
    for number in 0..3 {
        let guest = format!("g{number}.corp.example");
        assert!(story.asks(&guest, "ops").is_some(), "{guest}");
        story.comes(
            &of(&guest, "ops"),
            Met::Fault(refused(Refusal::WrongPassword)),
        );
    }
    story.pass(Span::minutes(1), &running());
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::AccountPaused)]);
    let visit = of("g4.corp.example", "ops");
    assert_eq!(story.asks("g4.corp.example", "ops"), None);
    assert_eq!(story.fault_of(&visit), Some(Fault::AccountPaused));
    let refuser = of("g0.corp.example", "ops");
    assert_eq!(story.asks("g0.corp.example", "ops"), None);
    assert_eq!(story.fault_of(&refuser), Some(Fault::AccountPaused));
    // It reads no host, so a guest tries it once an hour.
    story.pass(limits::REFUSED_WAIT, &running());
    assert!(story.asks("g4.corp.example", "ops").is_some());
    assert_eq!(story.asks("g5.corp.example", "ops"), None);
    story.comes(&visit, Met::Read);
    story.pass(Span::minutes(1), &running());
    assert_eq!(
        story.words().last(),
        Some(&(Kind::Resolved, ToldEvent::AccountPaused))
    );
}

#[test]
fn a_paused_account_that_reads_hosts_is_tried_by_hosts() {
    let mut story = Story::new(planned(&["srv01", "srv02"]));
    let locked = Outcome::Fault(refused(Refusal::LockedOut));
    story.pass(Span::minutes(1), &locked);
    let visit = of("g.corp.example", "ops");
    for _ in 0..58 {
        story.pass(Span::minutes(1), &locked);
        assert_eq!(story.asks("g.corp.example", "ops"), None);
        assert_eq!(story.fault_of(&visit), Some(Fault::AccountPaused));
    }
    // One of the hosts refused it, and the other one was not asked yet: it is its turn.
    story.now += 2 * limits::FAULT_RETRY.0 + Span::minutes(2).0;
    assert_eq!(story.asks("g.corp.example", "ops"), None);
    assert_eq!(story.fault_of(&visit), Some(Fault::AccountPaused));
    assert_eq!(story.probes.len(), 1);
}

#[test]
fn a_first_logon_runs_alone_whoever_it_is_at() {
    let mut story = Story::new(planned(&["srv01", "srv02"]));
    story.now = 1_000;
    story.apply(Event::Tick);
    assert_eq!(story.probes.len(), 1, "a host logs on alone");
    assert_eq!(story.asks("g.corp.example", "ops"), None);
    assert_eq!(story.asks("h.corp.example", "ops"), None);
    // The hosts come first.
    let (first, probe) = story.probes.remove(0);
    story.answer(first, probe, running());
    assert_eq!(story.visits.len(), 2, "it is proven");
    let visit = of("g.corp.example", "ops");
    story.comes(&visit, Met::Read);
    // And the other way round, with another account.
    assert!(story.asks("g.corp.example", "lab").is_some());
    assert_eq!(story.asks("h.corp.example", "lab"), None);
    story.comes(
        &of("g.corp.example", "lab"),
        Met::Fault(HostFault {
            refusal: None,
            ..refused(Refusal::Other)
        }),
    );
    let turn = story.visits.iter();
    let turn = turn.filter(|one| one.visit == of("h.corp.example", "lab"));
    assert_eq!(turn.count(), 1, "the turn passes on");
}

#[test]
fn a_guest_that_hangs_holds_up_nobody_for_longer_than_its_time() {
    let mut story = Story::new(planned(&[]));
    assert!(story.asks("hangs.corp.example", "ops").is_some());
    let visit = of("g.corp.example", "ops");
    story.now = 2_000;
    assert_eq!(story.asks("g.corp.example", "ops"), None);
    story.apply(Event::PlanReplaced(Arc::new(planned(&["srv01"]))));
    story.pass(Span::seconds(9), &running());
    assert!(
        story
            .steps
            .iter()
            .flat_map(|step| &step.effects)
            .any(|effect| matches!(effect, Effect::Probe(request) if request.may_log_on)),
        "the host has its turn"
    );
    assert_eq!(story.visits.len(), 2, "and the other guest after it");
    story.comes(&visit, Met::Read);
    assert_eq!(story.answer_to(&visit), Some(&VisitAnswer::Read));
}

#[test]
fn who_waits_too_long_for_a_logon_is_told_so() {
    let mut story = Story::new(planned(&[]));
    for number in 0..4 {
        story.asks(&format!("g{number}.corp.example"), "ops");
    }
    assert_eq!(story.visits.len(), 1);
    story.pass(Span::seconds(11), &running());
    let late = of("g3.corp.example", "ops");
    assert_eq!(story.visits.len(), 2, "one after the other");
    assert_eq!(story.fault_of(&late), Some(Fault::Timeout));
}

#[test]
fn there_are_never_too_many() {
    let mut story = Story::new(planned(&[]));
    let proof = of("proof.corp.example", "ops");
    story.asks("proof.corp.example", "ops");
    story.comes(&proof, Met::Read);
    for number in 0..limits::VISITS_MAX + 5 {
        story.asks(&format!("g{number}.corp.example"), "ops");
    }
    let turned_away = story.answers.iter();
    let full = VisitAnswer::TooMany(Full::Readings);
    let turned_away = turned_away.filter(|(_, answer)| *answer == full);
    assert_eq!(turned_away.count(), 5);
    let mut read = 0;
    while let Some(request) = story.visits.first().cloned() {
        let passwords: u8 = story.visits.iter().map(|one| one.logons).sum();
        assert!(passwords <= 3, "{passwords} may be refused at once");
        story.comes(&request.visit, Met::Read);
        read += 1;
    }
    assert_eq!(read, limits::VISITS_MAX);
    for number in 0..limits::GUESTS_MAX + 5 {
        let visit = of(&format!("g{number}.corp.example"), "ops");
        if story.asks(visit.guest.as_str(), "ops").is_some() {
            story.comes(&visit, Met::Read);
        }
    }
    let last = of(&format!("g{}.corp.example", limits::GUESTS_MAX + 4), "ops");
    let full = VisitAnswer::TooMany(Full::Sessions);
    assert_eq!(story.answer_to(&last), Some(&full));
    assert!(story.left.is_empty(), "nobody is thrown out for another");
}

#[test]
fn another_plan_holds_at_once() {
    let mut story = Story::new(planned(&[]));
    let idle = of("idle.corp.example", "ops");
    let read = of("read.corp.example", "ops");
    let waits = of("waits.corp.example", "lab");
    story.asks("idle.corp.example", "ops");
    story.comes(&idle, Met::Read);
    story.asks("read.corp.example", "ops");
    story.asks("first.corp.example", "lab");
    assert_eq!(story.asks("waits.corp.example", "lab"), None);
    let other = Plan {
        guests: GuestPlan {
            allow: Allowed::parse("first.*").into_iter().collect(),
            ..planned(&[]).guests
        },
        ..planned(&[])
    };
    story.apply(Event::PlanReplaced(Arc::new(other)));
    assert_eq!(story.left, [idle.clone(), waits.clone()]);
    for visit in [&read, &waits] {
        assert_eq!(
            story.answer_to(visit),
            Some(&VisitAnswer::NotAllowed),
            "{visit:?}"
        );
    }
    assert_eq!(story.asks("idle.corp.example", "ops"), None);
    // What its logon came to counts all the same.
    story.comes(&read, Met::Fault(refused(Refusal::WrongPassword)));
    assert_eq!(story.account("ops").refused_by, from_ref(&read.guest));
    assert_eq!(story.left.last(), Some(&read));
    assert_eq!(story.answers.len(), 4, "nobody is told twice");
    // One that becomes a host is a guest no more.
    story.comes(&of("first.corp.example", "lab"), Met::Read);
    let mut watched = planned(&["first.corp.example"]);
    watched.guests.allow = Allowed::parse("*").into_iter().collect();
    story.apply(Event::PlanReplaced(Arc::new(watched)));
    assert_eq!(story.left.last(), Some(&of("first.corp.example", "lab")));
}
