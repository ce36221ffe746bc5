use super::*;

#[test]
fn times_are_written_for_programs_and_for_people() {
    assert_eq!(rfc3339(Wall(0)), "1970-01-01T00:00:00.000Z");
    assert_eq!(rfc3339(Wall(1_710_331_500_042)), "2024-03-13T12:05:00.042Z");
    assert_eq!(moment(Wall(1_710_331_500_042)), "2024-03-13 12:05:00 UTC");
    assert_eq!(rfc3339(Wall(i64::MAX)), "9999-12-30T22:00:00.000Z");
    assert_eq!(rfc3339(Wall(i64::MIN)), "1970-01-01T00:00:00.000Z");
}

#[test]
fn durations_show_two_units() {
    let shown = [
        0,
        999,
        1_000,
        61_000,
        3_600_000,
        3_661_000,
        90_000_000,
        864_000_000,
    ]
    .map(|span| duration(Span(span)));
    assert_eq!(
        shown,
        [
            "0 s", "999 ms", "1 s", "1 m 1 s", "1 h", "1 h 1 m", "1 d 1 h", "10 d"
        ]
    );
}

#[test]
fn a_group_says_where_it_runs() {
    let subject = Subject::Group {
        group: "prod".into(),
        service: "MSSQL$PROD".into(),
    };
    let told = |kind, event, states: [State; 2]| {
        let mut notice = Notice::new(kind, event, Wall(0), subject.clone(), 1);
        let running = states.iter().filter(|state| **state == State::Running);
        notice.group = Some(std::sync::Arc::new(GroupSeen {
            name: "prod".into(),
            expected: svcwatch_core::plan::Wanted::Exactly(1),
            running: u32::try_from(running.count()).unwrap(),
            members: vec![("a".into(), states[0]), ("b".into(), states[1])],
        }));
        sentences(&notice, None)
    };
    let (up, down) = (State::Running, State::Stopped);
    let shown = [
        told(Kind::Info, ToldEvent::Moved, [down, up]),
        told(Kind::Opened, ToldEvent::Stopped, [down, State::Unknown]),
        told(Kind::Opened, ToldEvent::Stopped, [down, down]),
        told(Kind::Reminder, ToldEvent::Started, [up, up]),
        told(Kind::Resolved, ToldEvent::Started, [up, down]),
    ];
    assert_eq!(
        shown,
        [
            "MSSQL$PROD of prod runs on b now. Expected on 1 of its hosts, seen running on 1: a: stopped, b: running.",
            "MSSQL$PROD of prod runs on too few hosts. Expected on 1 of its hosts, seen running on 0: a: stopped, b: unknown.",
            "MSSQL$PROD of prod runs nowhere. Expected on 1 of its hosts, seen running on 0: a: stopped, b: stopped.",
            "MSSQL$PROD of prod still runs on too many hosts. Expected on 1 of its hosts, seen running on 2: a: running, b: running.",
            "MSSQL$PROD of prod runs on as many hosts as it should again. Expected on 1 of its hosts, seen running on 1: a: running, b: stopped.",
        ]
    );
}

#[test]
fn a_restart_says_how_often() {
    let told = |count| {
        let subject = Subject::Service {
            host: "a".into(),
            service: "App".into(),
        };
        let mut notice = Notice::new(Kind::Info, ToldEvent::Restarted, Wall(0), subject, 1);
        notice.counts = vec![(ToldEvent::Restarted, count)];
        sentences(&notice, None)
    };
    assert_eq!(told(1), "App on a restarted.");
    assert_eq!(told(4), "App on a restarted, 4 times by now.");
}
