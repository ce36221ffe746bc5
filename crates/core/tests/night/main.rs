//! A start with three thousand hosts, and a night in which a thousand of them are booted within ten minutes.

mod world;

use std::collections::BTreeSet;
use svcwatch_core::{
    id::Name,
    notice::{Kind, ToldEvent},
};
use world::{HOSTS, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// The most of these moments within one span of time.
fn most_within(moments: &[u64], span: u64) -> usize {
    let within = |from: u64| {
        let until = from + span;
        moments
            .iter()
            .filter(|at| (from..until).contains(*at))
            .count()
    };
    moments.iter().map(|from| within(*from)).max().unwrap_or(0)
}

#[test]
fn a_start_reads_every_host_within_a_minute_and_is_no_storm_of_logons() {
    let mut world = World::new();
    world.live_until(MINUTE);
    assert_eq!(world.read.len(), HOSTS, "every host was read once");
    let most = most_within(&world.logons, SECOND);
    println!(
        "{HOSTS} hosts read within {} ms, at most {most} logons a second",
        world.read.values().max().copied().unwrap_or(0)
    );
    assert!(most <= 200, "{most} logons within a second");
    world.live_until(6 * MINUTE);
    let steady: Vec<u64> = world
        .logons
        .iter()
        .copied()
        .filter(|at| *at > MINUTE)
        .collect();
    let most = most_within(&steady, SECOND);
    assert!(most <= 5, "{most} logons within a second in steady state");
    assert!(world.sent.is_empty(), "all is well, so nothing is told");
}

#[test]
fn two_hosts_with_another_password_do_not_keep_the_others_from_being_read() {
    let mut world = World::new();
    // The first host that is asked is one of them.
    let refusing = BTreeSet::from(["srv0000", "srv1500"].map(Name::new));
    world.refusing.clone_from(&refusing);
    world.live_until(MINUTE);
    assert_eq!(world.read.len(), HOSTS - refusing.len());
    assert!(refusing.iter().all(|host| !world.read.contains_key(host)));
    world.live_until(59 * MINUTE);
    println!("refused at {:?} ms", world.refused);
    assert_eq!(world.refused.len(), 2, "each is tried once an hour");
    let told: BTreeSet<(Name, ToldEvent)> = (world.sent.iter())
        .filter_map(|sent| Some((sent.notice.subject.host()?.clone(), sent.notice.event)))
        .collect();
    let expected = refusing.into_iter();
    let expected = expected.map(|host| (host, ToldEvent::LogonRefused));
    assert_eq!(told, expected.collect(), "and nothing else");
}

#[test]
fn a_patch_night_is_one_report_and_nothing_besides() {
    let mut world = World::new();
    let night = 10 * MINUTE;
    world.live_until(night);
    let started = world.logons.len();
    let busy = world.busy;
    let lacking = world.patch_night(night);
    let end = night + 40 * MINUTE;
    world.live_until(end);
    let told: Vec<String> = (world.sent.iter())
        .map(|sent| {
            let notice = &sent.notice;
            let (about, cause) = (&notice.subject, notice.cause.as_deref());
            let (at, to) = (sent.at / SECOND, &sent.destination);
            format!(
                "{at} s to {to}: {} {} {about:?} {cause:?}",
                notice.kind, notice.event
            )
        })
        .collect();
    for destination in ["duty", "hook"].map(Name::new) {
        let mine = || {
            world
                .sent
                .iter()
                .filter(|sent| sent.destination == destination)
        };
        let moments: Vec<u64> = mine().map(|sent| sent.at).collect();
        assert!(most_within(&moments, 5 * MINUTE) <= 1, "{told:#?}");
        let last = mine().next_back().expect("a report");
        let notice = &last.notice;
        assert_eq!(
            (notice.kind, notice.event),
            (Kind::Summary, ToldEvent::AfterBoot)
        );
        let listed: BTreeSet<Name> = notice
            .items
            .iter()
            .filter_map(|item| item.host.clone())
            .collect();
        assert_eq!(listed, lacking, "the report is right");
        let cause = notice.cause.as_deref().unwrap_or_default();
        assert_eq!(cause, "3 of 1,000 hosts: these services did not come back");
        assert_eq!(moments.len(), 1, "and the only message: {told:#?}");
    }
    let spent = world.busy.saturating_sub(busy);
    let most = most_within(&world.logons[started..], SECOND);
    println!(
        "a night of {} s: the engine took {:.1} s of the processor, at most {most} logons a second",
        (end - night) / SECOND,
        spent.as_secs_f64()
    );
    assert!(most <= 200, "{most} logons within a second");
    let length = std::time::Duration::from_millis(end - night);
    assert!(spent < length, "it took {spent:?} of {length:?}");

    // Nothing was lost: what the report named is told to be over when it is.
    world.repair(&lacking);
    let before = world.sent.len();
    world.live_until(end + 2 * MINUTE);
    let over: BTreeSet<Name> = world.sent[before..]
        .iter()
        .filter(|sent| sent.notice.kind == Kind::Resolved)
        .filter_map(|sent| sent.notice.subject.host().cloned())
        .collect();
    assert_eq!(over, lacking);
}
