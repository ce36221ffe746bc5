//! Services that are counted over the hosts of a group.

use super::*;
use crate::{glob::Glob, id::Subject, plan::MaintenancePlan, policy::quorum::Count, view::View};

/// Hosts of these names that all have one service, which should run on so many of them.
fn cluster(hosts: &[&str], expect: Wanted) -> Plan {
    let counted = |name: &&str| {
        let mut host = host(name, &["SQL"]);
        host.services[0] = EntryPlan {
            expect: Expect::Either,
            stopped_ok: StoppedOk::Always,
            required: false,
            counted: true,
            recovery: false,
            ..entry("SQL")
        };
        host
    };
    let mut plan = plan(hosts.iter().map(counted).collect());
    plan.groups = vec![Arc::new(GroupPlan {
        group: "prod".into(),
        service: "SQL".into(),
        expect,
        for_span: Span::minutes(2),
        members: hosts.iter().map(|name| Name::new(name)).collect(),
        friendly_name: None,
        severity: None,
        labels: Arc::from([]),
    })];
    plan
}

/// Where the service runs; on all others it is stopped.
fn runs_on<'a>(running: &'a [&'a str]) -> impl Fn(&str) -> Outcome + 'a {
    move |host| {
        let state = if running.contains(&host) {
            State::Running
        } else {
            State::Stopped
        };
        list(&[("SQL", state)])
    }
}

fn down(
    hosts: &'static [&'static str],
    running: &'static [&'static str],
) -> impl Fn(&str) -> Outcome {
    move |host| {
        if hosts.contains(&host) {
            fault(Fault::Unreachable)
        } else {
            runs_on(running)(host)
        }
    }
}

#[test]
fn a_move_is_told_as_one_and_is_no_outage() {
    let mut story = Story::new(cluster(&["a", "b"], Wanted::Exactly(1)));
    story.pass_each(Span::minutes(5), runs_on(&["a"]));
    assert_eq!(
        story.words(),
        [],
        "a stopped host of a cluster is no incident"
    );
    story.pass_each(Span::seconds(50), runs_on(&[]));
    story.pass_each(Span::minutes(5), runs_on(&["b"]));
    assert_eq!(story.words(), [(Kind::Info, ToldEvent::Moved)]);
    let told = &story.told[0];
    assert_eq!(told.severity, crate::notice::Severity::Info);
    assert_eq!(told.cause.as_deref(), Some("from a to b"));
    assert_eq!(told.subject.host(), None);
    let group = told.group.as_ref().expect("it is about a group");
    assert_eq!((group.name.as_str(), group.running), ("prod", 1));
    assert_eq!(
        group.members,
        [("a".into(), State::Stopped), ("b".into(), State::Running)]
    );
}

#[test]
fn too_few_and_too_many_are_the_incident_of_the_group() {
    let mut story = Story::new(cluster(&["a", "b"], Wanted::Exactly(1)));
    story.pass_each(Span::minutes(5), runs_on(&["a"]));
    story.pass_each(Span::seconds(100), runs_on(&[]));
    assert_eq!(story.words(), [], "it has not lasted");
    story.pass_each(Span::minutes(2), runs_on(&[]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    let cause = story.told[0].cause.as_deref();
    assert_eq!(
        cause,
        Some("it runs on none of 2 hosts, where 1 is expected")
    );
    story.pass_each(Span::minutes(4), runs_on(&["a", "b"]));
    assert_eq!(
        story.words()[1..],
        [
            (Kind::Resolved, ToldEvent::Started),
            (Kind::Opened, ToldEvent::Started)
        ]
    );
    assert_eq!(story.told[2].severity, crate::notice::Severity::Critical);
    story.pass_each(Span::minutes(5), down(&["b"], &["a"]));
    assert_eq!(
        story.words()[3..],
        [(Kind::Opened, ToldEvent::HostUnreachable)],
        "what cannot be seen may run still"
    );
    story.pass_each(Span::minutes(5), runs_on(&["b"]));
    let mut rest = story.words()[4..].to_vec();
    rest.sort();
    let recovered = (Kind::Resolved, ToldEvent::HostRecovered);
    assert_eq!(rest, [(Kind::Resolved, ToldEvent::Stopped), recovered]);
}

#[test]
fn what_cannot_be_seen_is_never_taken_for_stopped() {
    let mut story = Story::new(cluster(&["a", "b"], Wanted::Exactly(1)));
    story.pass_each(Span::minutes(5), runs_on(&["a"]));
    story.pass_each(Span::minutes(20), down(&["a"], &[]));
    let unreachable = (Kind::Opened, ToldEvent::HostUnreachable);
    assert_eq!(story.words(), [unreachable], "it may run on a");
    let explained = story
        .engine
        .explain_groups(at(story.now), &"PROD".into(), None);
    assert_eq!(
        (explained[0].count, explained[0].unknown),
        (Count::Unclear, 1)
    );
    story.pass_each(Span::minutes(5), down(&["a"], &["b"]));
    assert_eq!(story.words()[1..], [(Kind::Info, ToldEvent::Moved)]);
    story.pass_each(Span::minutes(5), runs_on(&["b"]));
    assert_eq!(
        story.words()[2..],
        [(Kind::Resolved, ToldEvent::HostRecovered)]
    );
    story.pass_each(Span::minutes(9), down(&["a", "b"], &[]));
    assert!(
        story
            .told
            .iter()
            .all(|notice| notice.event != ToldEvent::Stopped),
        "all that is known is that two hosts are down: {:?}",
        story.words()
    );
}

#[test]
fn at_least_so_many_may_be_more() {
    let mut story = Story::new(cluster(&["a", "b", "c"], Wanted::AtLeast(2)));
    for running in [&["a", "b", "c"][..], &["a", "c"], &["b", "c"]] {
        story.pass_each(Span::minutes(5), runs_on(running));
    }
    story.pass_each(Span::minutes(5), runs_on(&["a", "b"]));
    let moves = story.words();
    assert!(
        moves
            .iter()
            .all(|word| *word == (Kind::Info, ToldEvent::Moved)),
        "{moves:?}"
    );
    story.pass_each(Span::minutes(5), runs_on(&["b"]));
    assert_eq!(
        story.words()[moves.len()..],
        [(Kind::Opened, ToldEvent::Stopped)]
    );
}

#[test]
fn a_group_that_was_wrong_from_the_start_is_told_after_its_time() {
    let mut story = Story::new(cluster(&["a", "b"], Wanted::Exactly(1)));
    story.pass_each(Span::seconds(90), runs_on(&[]));
    assert_eq!(story.words(), []);
    story.pass_each(Span::minutes(3), runs_on(&[]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    story.apply(Event::PlanReplaced(Arc::new(plan(vec![host("a", &[])]))));
    story.pass_each(Span::minutes(1), runs_on(&[]));
    assert_eq!(story.words()[1..], [(Kind::Resolved, ToldEvent::Unwatched)]);
}

#[test]
fn a_service_that_is_installed_nowhere_runs_nowhere() {
    let mut story = Story::new(cluster(&["a"], Wanted::AtLeast(1)));
    let nothing = Outcome::Read(HostReading {
        services: Vec::new(),
        asked: vec![("SQL".into(), Asked::Missing)],
        uptime: None,
    });
    story.pass(Span::minutes(5), &nothing);
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    story.pass_each(Span::minutes(2), runs_on(&["a"]));
    assert_eq!(story.words()[1..], [(Kind::Resolved, ToldEvent::Started)]);
}

#[test]
fn a_window_covers_a_group_where_it_covers_every_host() {
    for (windows, told) in [(&["a"][..], true), (&["a", "b"], false), (&["?"], false)] {
        let mut planned = cluster(&["a", "b"], Wanted::Exactly(1));
        let window = |host: &&str| MaintenancePlan {
            name: Name::new(host),
            matcher: Matcher {
                host: vec![Glob::new(host)],
                ..Matcher::default()
            },
            ranges: Arc::from([(at(0).wall, at(3_600_000).wall)]),
        };
        planned.maintenance = windows.iter().map(window).collect();
        let mut story = Story::new(planned);
        story.pass_each(Span::minutes(5), runs_on(&["a"]));
        story.pass_each(Span::minutes(1), runs_on(&["b"]));
        story.pass_each(Span::minutes(5), runs_on(&[]));
        let words = [
            (Kind::Info, ToldEvent::Moved),
            (Kind::Opened, ToldEvent::Stopped),
        ];
        let expected = if told { &words[..] } else { &[] };
        assert_eq!(story.words(), expected, "windows for {windows:?}");
    }
}

#[test]
fn a_notice_goes_where_any_of_its_hosts_would_send_it() {
    let mut planned = cluster(&["a", "b"], Wanted::Exactly(1));
    Arc::make_mut(&mut planned.hosts[1]).site = Some(Arc::from("oslo"));
    planned.routes = vec![RoutePlan {
        matcher: Matcher {
            site: vec![Glob::new("oslo")],
            host: vec![Glob::new("b")],
            ..Matcher::default()
        },
        to: vec!["hook".into()],
        go_on: false,
        reminder: None,
    }];
    let mut story = Story::new(planned);
    story.pass_each(Span::minutes(5), runs_on(&[]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    assert_eq!(story.told[0].site, None, "its hosts stand in two places");
}

#[test]
fn a_host_is_shown_as_its_group_is() {
    let mut story = Story::new(cluster(&["a", "b"], Wanted::Exactly(1)));
    let shown = |story: &Story, host: &str| {
        let effects = story.steps.iter().flat_map(|step| &step.effects);
        let mut views = effects.filter_map(|effect| {
            let Effect::Show(View::Service(view)) = effect else {
                return None;
            };
            (view.host == host.into()).then(|| view.clone())
        });
        views.next_back().expect("it is shown")
    };
    let green = |story: &Story| ["a", "b"].map(|host| shown(story, host).as_expected);
    assert_eq!(green(&story), [false, false], "nobody has looked yet");
    for (running, expected) in [
        (&["a"][..], [true, true]),
        (&[], [false, false]),
        (&["b"], [true, true]),
        (&["a", "b"], [false, false]),
    ] {
        story.pass_each(Span::minutes(1), runs_on(running));
        assert_eq!(green(&story), expected, "it runs on {running:?}");
    }
    story.pass_each(Span::minutes(3), runs_on(&["a", "b"]));
    let incident = story.told.last().and_then(|notice| notice.incident.clone());
    assert_eq!(shown(&story, "a").incident, incident.map(|one| one.id));
}

#[test]
fn a_restart_forgets_nothing_of_a_group() {
    let planned = cluster(&["a", "b"], Wanted::Exactly(1));
    let mut story = Story::new(planned.clone());
    story.pass_each(Span::minutes(5), runs_on(&["a"]));
    story.pass_each(Span::seconds(60), runs_on(&[]));
    let mut restored = Restored {
        store: StoreId([1; 16]),
        ..Restored::default()
    };
    for record in story.steps.iter().flat_map(|step| &step.commit) {
        if let Record::Group(row) = record {
            restored.groups = vec![row.clone()];
        } else if let Record::Host(row) = record {
            restored.hosts.retain(|known| known.host != row.host);
            restored.hosts.push(row.clone());
        }
    }
    let row = &restored.groups[0];
    assert_eq!(row.ran_on, Some(vec!["a".into()]));
    assert!(row.wrong_since.is_some(), "its `for` is running");
    let again = |running: &[&str]| {
        let plan = Arc::new(planned.clone());
        let (engine, step) = Engine::restore(restored.clone(), &plan, at(story.now));
        let mut again = Story {
            engine,
            now: story.now,
            steps: Vec::new(),
            probes: Vec::new(),
            ears: Vec::new(),
            told: Vec::new(),
            configs: Vec::new(),
            asked: Vec::new(),
            visits: Vec::new(),
            answers: Vec::new(),
            left: Vec::new(),
            deliver: true,
        };
        again.take(step);
        again.pass_each(Span::seconds(100), runs_on(running));
        again
    };
    assert_eq!(again(&[]).words(), [(Kind::Opened, ToldEvent::Stopped)]);
    let moved = again(&["b"]);
    assert_eq!(moved.words(), [(Kind::Info, ToldEvent::Moved)]);
    let subject = Subject::Group {
        group: "prod".into(),
        service: "SQL".into(),
    };
    assert_eq!(moved.told[0].subject, subject);
}
