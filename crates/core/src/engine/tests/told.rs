//! Who is told what, and how much of it.

use super::*;

#[test]
fn who_wants_ends_alone_gets_them_without_an_opening() {
    let mut planned = plan(vec![host("srv01", &["Spooler"])]);
    planned.destinations.push(DestinationPlan {
        name: "ends".into(),
        ..planned.destinations[0].clone()
    });
    let route = |to: &str, kind: &[Kind]| RoutePlan {
        matcher: Matcher {
            kind: kind.to_vec(),
            ..Matcher::default()
        },
        to: vec![to.into()],
        go_on: true,
        reminder: None,
    };
    planned.routes = vec![
        route("ends", &[Kind::Resolved]),
        route("hook", &[Kind::Opened, Kind::Updated]),
    ];
    let mut story = Story::new(planned);
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Running)]));
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Stopped)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Running)]));
    assert_eq!(
        story.words()[1..],
        [(Kind::Resolved, ToldEvent::Started)],
        "once, and not to who wants openings alone"
    );
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Stopped)]));
    assert_eq!(
        story.words()[2..],
        [(Kind::Opened, ToldEvent::Stopped)],
        "the next opening brings no end of the one before"
    );
}

#[test]
fn what_was_wrong_already_is_told_with_how_the_service_is_set_up() {
    let mut plan = plan(vec![
        host("srv01", &["Spooler"]),
        host("srv02", &["Spooler"]),
    ]);
    for host in &mut plan.hosts {
        Arc::make_mut(host).settle = Span::ZERO;
    }
    let mut story = Story::new(plan);
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Stopped)]));
    let [first, second] = story.told.as_slice() else {
        panic!("{:?}", story.words());
    };
    let details = first.details.as_ref().expect("they were read before");
    assert_eq!(details.binary_path.as_deref(), Some("svchost.exe -k net"));
    assert_eq!(details.run_as.as_deref(), Some("LocalSystem"));
    assert_eq!(
        details.dependencies.as_deref(),
        Some(&[Arc::from("RPCSS")][..])
    );
    assert_eq!(first.start_type, Some(StartType::Manual));
    let other = second.details.as_ref().expect("they were read before");
    assert!(
        Arc::ptr_eq(details, other),
        "services that are set up alike share it"
    );
    let written = story.steps.iter().flat_map(|step| &step.commit);
    let configured = written
        .filter(
            |record| matches!(record, Record::Target(row) if row.details.is_some() && row.seq == 1),
        )
        .count();
    assert_eq!(
        configured, 2,
        "a row is written where it changed and not at each reading"
    );
}

#[test]
fn a_pending_state_that_does_not_move_is_stuck() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler"])]));
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    story.pass(Span::minutes(4), &list(&[("Spooler", State::StartPending)]));
    assert_eq!(story.words(), []);
    story.pass(Span::minutes(3), &list(&[("Spooler", State::StartPending)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stuck)]);
}
