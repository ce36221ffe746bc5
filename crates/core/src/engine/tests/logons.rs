//! Logons that are refused, and what is told and kept of that.

use super::{Story, fault, host, list, plan};
use crate::{
    effect::Effect,
    notice::{Kind, ToldEvent},
    observe::{Fault, HostFault, Outcome, Refusal, State},
    plan::HostPlan,
    record::{HostRow, Record},
    time::Span,
};
use alloc::{string::ToString, vec::Vec};

/// Hosts of one account.
fn of_one_account(names: &[&str]) -> Story {
    let hosts: Vec<HostPlan> = names
        .iter()
        .map(|name| HostPlan {
            account: Some("ops".into()),
            ..host(name, &["Spooler"])
        })
        .collect();
    let mut planned = plan(hosts);
    planned.accounts.push("ops".into());
    Story::new(planned)
}

/// How often a host was read meanwhile.
fn readings(story: &Story, before: usize) -> usize {
    let effects = story.steps[before..].iter().flat_map(|step| &step.effects);
    effects
        .filter(|effect| matches!(effect, Effect::Probe(_)))
        .count()
}

fn refused() -> Outcome {
    Outcome::Fault(HostFault {
        fault: Fault::LogonRefused,
        cause: "wrong user name or password".to_string(),
        refusal: Some(Refusal::WrongPassword),
    })
}

/// What is stored of the only host.
fn stored(story: &Story) -> HostRow {
    let mut stored = None;
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Host(row) = record {
            stored = Some(row.clone());
        }
    }
    stored.expect("a row of the host")
}

#[test]
fn three_refusals_are_one_notice_about_the_account() {
    let mut story = of_one_account(&["a", "b", "c", "d"]);
    story.pass(Span::minutes(30), &refused());
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::AccountPaused)]);
    assert_eq!(story.told[0].counts, [(ToldEvent::AccountPaused, 4)]);
    story.pass(Span::hours(2), &list(&[("Spooler", State::Running)]));
    assert_eq!(
        story.words().last(),
        Some(&(Kind::Resolved, ToldEvent::AccountPaused))
    );
}

#[test]
fn a_host_that_takes_a_logon_again_is_not_held_for_refusing_it() {
    let mut story = of_one_account(&["a"]);
    story.pass(Span::minutes(5), &refused());
    assert!(stored(&story).refused_until.is_some());
    // It lets us in after its hour, and denies its services.
    story.pass(Span::hours(2), &fault(Fault::AccessDenied));
    let row = stored(&story);
    assert_eq!(row.fault, Some(Fault::AccessDenied));
    assert_eq!(
        row.refused_until, None,
        "a restart would take it for refused"
    );
}

#[test]
fn a_host_that_denies_its_services_is_not_logged_on_to_each_round() {
    let mut story = of_one_account(&["a"]);
    story.pass(Span::minutes(5), &fault(Fault::AccessDenied));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::AccessDenied)]);
    let before = story.steps.len();
    story.pass(Span::hours(1), &fault(Fault::AccessDenied));
    assert!((10..=13).contains(&readings(&story, before)));
    // It is found when it denies them no more, and read each round from then on.
    story.pass(Span::minutes(6), &list(&[("Spooler", State::Running)]));
    assert_eq!(
        story.words().last(),
        Some(&(Kind::Resolved, ToldEvent::HostRecovered))
    );
    let before = story.steps.len();
    story.pass(Span::hours(1), &list(&[("Spooler", State::Running)]));
    assert!(readings(&story, before) > 100);
}

#[test]
fn a_host_that_may_be_booting_is_tried_each_round() {
    for answer in [Fault::Timeout, Fault::ProtocolError, Fault::ShuttingDown] {
        let mut story = of_one_account(&["a"]);
        story.pass(Span::minutes(5), &fault(answer));
        let before = story.steps.len();
        story.pass(Span::hours(1), &fault(answer));
        assert!(readings(&story, before) > 100, "{answer:?}");
    }
}
