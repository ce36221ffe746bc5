//! Which silences and windows hold, and that very many of them are found quickly.

use super::*;
use crate::{glob::Glob, plan::MaintenancePlan, time::Span};
use alloc::{format, string::ToString, vec, vec::Vec};
use proptest::prelude::*;

const NOW: Wall = Wall(1_000_000);

fn row(id: &str, matcher: Matcher) -> SilenceRow {
    SilenceRow {
        id: SilenceId(Arc::from(id)),
        matcher,
        author: "ann".to_string(),
        comment: "work".to_string(),
        from: NOW,
        until: NOW + Span::hours(1),
        ended_at: None,
        ended_by: None,
    }
}

fn hosts(patterns: &[&str]) -> Matcher {
    Matcher {
        host: patterns.iter().map(|one| Glob::new(one)).collect(),
        ..Matcher::default()
    }
}

fn about<'a>(host: &'a Name, service: &'a Name) -> About<'a> {
    About {
        host: Some(host),
        service: Some(service),
        site: Some("oslo"),
        severity: Severity::Critical,
        event: ToldEvent::Stopped,
        labels: [&[], &[]],
    }
}

#[test]
fn they_hold_from_their_start_until_before_their_end() {
    let mut mutes = Mutes::default();
    mutes.add(SilenceRow {
        from: NOW + Span::minutes(5),
        ..row("a", hosts(&["srv01"]))
    });
    mutes.set_windows(&[MaintenancePlan {
        name: "night".into(),
        matcher: hosts(&["srv*"]),
        ranges: Arc::from([(NOW + Span::minutes(70), NOW + Span::minutes(80))]),
    }]);
    let (host, service) = (Name::new("SRV01"), Name::new("Spooler"));
    let mut why = |minutes| {
        let wall = NOW + Span::minutes(minutes);
        if mutes.is_due(wall) {
            mutes.look(wall);
        }
        mutes
            .find(&about(&host, &service))
            .map(|mute| mute.by.why())
    };
    assert_eq!(why(0), None);
    assert_eq!(why(4), None);
    assert_eq!(why(5), Some(Why::Silenced));
    assert_eq!(why(59), Some(Why::Silenced));
    assert_eq!(why(60), None);
    assert_eq!(why(70), Some(Why::Maintenance));
    assert_eq!(why(80), None);
    let turned = mutes.take_turned();
    assert_eq!(turned.changed.len(), 4, "each began and ended");
    assert_eq!(turned.over.len(), 1);
    assert_eq!(mutes.deadline(), None);
}

#[test]
fn a_clock_that_is_set_moves_them_with_it() {
    let mut mutes = Mutes::default();
    mutes.add(row("a", hosts(&["srv01"])));
    mutes.look(NOW);
    assert!(!mutes.is_quiet());
    mutes.clock_set();
    assert!(mutes.is_due(NOW));
    let back = Wall(NOW.0 - 60_000);
    mutes.look(back);
    assert!(mutes.is_quiet(), "it is yet to begin");
    mutes.foresee(Now {
        tick: Tick(500),
        wall: back,
    });
    assert_eq!(mutes.deadline(), Some(Tick(60_500)));
}

/// Matchers of all forms that the index tells apart.
fn any_matcher() -> impl Strategy<Value = Matcher> {
    let globs = |texts: &'static [&'static str]| {
        proptest::collection::vec(proptest::sample::select(texts).prop_map(Glob::new), 0..3)
    };
    (
        globs(&["srv1", "SRV2", "srv*", "*1", "s?v2", "web-*", "*"]),
        globs(&["Spooler", "spool*", "w32time"]),
        globs(&["oslo", "b*"]),
    )
        .prop_map(|(host, service, site)| Matcher {
            host,
            site,
            service,
            ..Matcher::default()
        })
}

proptest! {
    #[test]
    fn the_index_finds_what_a_walk_over_all_finds(
        matchers in proptest::collection::vec(any_matcher(), 1..12),
        gone in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let mut mutes = Mutes::default();
        for (number, matcher) in matchers.iter().enumerate() {
            mutes.add(row(&format!("{number:02}"), matcher.clone()));
        }
        mutes.look(NOW);
        for (number, _) in gone.iter().enumerate().filter(|(_, gone)| **gone) {
            mutes.end(&SilenceId(Arc::from(format!("{number:02}"))), NOW, String::new());
        }
        mutes.look(NOW);
        for host in ["srv1", "Srv2", "srv", "web-1", "other"] {
            for service in ["Spooler", "W32Time", "x"] {
                let (host, service) = (Name::new(host), Name::new(service));
                let about = about(&host, &service);
                let mut walk = matchers.iter().enumerate().filter(|(number, matcher)| {
                    !gone.get(*number).copied().unwrap_or(false) && route::means(matcher, &about)
                });
                let expected = walk.next().map(|(number, _)| format!("{number:02}"));
                let found = mutes.find(&about).map(|mute| match &mute.by {
                    By::Silence(id) => id.to_string(),
                    By::Window(name) => name.to_string(),
                });
                prop_assert_eq!(found, expected);
            }
        }
    }
}

#[test]
fn labels_of_the_service_count_before_those_of_the_host() {
    let matcher = Matcher {
        labels: vec![("team".to_string(), vec![Glob::new("db")])],
        ..Matcher::default()
    };
    let team =
        |value: &str| -> Vec<(String, String)> { vec![("team".to_string(), value.to_string())] };
    let (host, service) = (Name::new("a"), Name::new("b"));
    let (db, web) = (team("db"), team("web"));
    let with = |labels| About {
        labels,
        ..about(&host, &service)
    };
    assert!(route::means(&matcher, &with([&db, &web])));
    assert!(!route::means(&matcher, &with([&web, &db])));
    assert!(route::means(&matcher, &with([&[], &db])));
    assert!(!route::means(&matcher, &with([&[], &[]])));
}
