use super::*;
use crate::{
    id::{Name, Subject},
    notice::ToldEvent,
    observe::{FailureAction, FailureActions, ServiceDetails, StartType},
    record::TargetRow,
    target::Target,
    time::{Now, Tick},
};
use alloc::{collections::BTreeMap, string::ToString, sync::Arc, vec};
use proptest::prelude::*;

const PLAN: EvidencePlan = EvidencePlan {
    wait: Span(500),
    deadline: Span::seconds(10),
    hosts_at_once: 2,
    log: LogUse::Tell,
    late: Late::Store,
};

fn stopped(exit_code: u32) -> TargetRow {
    let name = Name::new("Spooler");
    let row = Target::new(&Name::new("srv01"), &name, 0, 0, Now::default()).row;
    TargetRow {
        state: State::Stopped,
        previous_state: Some(State::Running),
        exit_code: Some(exit_code),
        start_type: Some(StartType::Automatic),
        details: Some(Arc::new(ServiceDetails {
            binary_path: Some("C:\\app\\spool.exe --key ****".into()),
            run_as: Some("LocalSystem".into()),
            failure_actions: Some(FailureActions {
                reset_after: None,
                actions: vec![(FailureAction::RestartService, Span(60_000))],
                on_error_exit: false,
            }),
            ..ServiceDetails::default()
        })),
        ..row
    }
}

fn texts(evidence: &Evidence, kind: ClueKind) -> Vec<&str> {
    let of_kind = evidence.clues.iter().filter(|clue| clue.kind == kind);
    of_kind.map(|clue| clue.text.as_str()).collect()
}

#[test]
fn a_reading_alone_says_what_it_can() {
    let evidence = of_reading(&stopped(1067), Circumstances::default());
    assert_eq!(evidence.cause, Cause::EndedUnexpectedly);
    assert_eq!(
        evidence.sentence().unwrap(),
        "ended unexpectedly: exit code 1067 (its process ended unexpectedly)"
    );
    assert_eq!(
        texts(&evidence, ClueKind::State),
        ["it is stopped, before that running"]
    );
    assert_eq!(
        texts(&evidence, ClueKind::Path),
        ["it runs C:\\app\\spool.exe"]
    );
    assert_eq!(
        texts(&evidence, ClueKind::FailureActions),
        ["when it fails its host is to start it again after 60 s"]
    );
}

#[test]
fn a_host_that_goes_down_or_booted_explains_its_services() {
    let goes_down = Circumstances {
        goes_down: true,
        ..Circumstances::default()
    };
    assert_eq!(
        of_reading(&stopped(0), goes_down).cause,
        Cause::HostRebooted
    );
    let booted = Circumstances {
        goes_down: false,
        booted_at: Some(Wall(5)),
        not_since: true,
    };
    let evidence = of_reading(&stopped(1077), booted);
    assert_eq!(evidence.cause, Cause::HostRebooted);
    assert_eq!(texts(&evidence, ClueKind::Boot), ["its host was booted"]);
    let ran_since = Circumstances {
        not_since: false,
        ..booted
    };
    assert_eq!(
        of_reading(&stopped(0), ran_since).cause,
        Cause::StoppedCleanly
    );
    assert_eq!(
        of_fault(crate::observe::Fault::Timeout).cause,
        Cause::Unreachable
    );
}

#[test]
fn only_changes_since_it_last_ran_count() {
    let row = |at, event, to, cause: &str| HistoryRow {
        record: 1,
        subject: Subject::Fleet,
        seq: 1,
        at: Wall(at),
        from: None,
        to,
        fault: None,
        event,
        incident: None,
        exit_code: None,
        service_exit_code: None,
        pid: None,
        cause: (!cause.is_empty()).then(|| cause.to_string()),
    };
    let answer = Gathered {
        history: vec![
            row(4, Some(ToldEvent::Stopped), Some(State::Stopped), ""),
            row(
                3,
                Some(ToldEvent::Changed),
                None,
                "account: now b, before a",
            ),
            row(2, None, Some(State::Running), ""),
            row(1, Some(ToldEvent::Changed), None, "start type: long ago"),
        ],
        ..Gathered::nothing("Spooler".into())
    };
    let evidence = of_answer(&stopped(1069), Circumstances::default(), &PLAN, &answer);
    assert_eq!(
        texts(&evidence, ClueKind::Changed),
        ["account: now b, before a"]
    );
}

/// An answer with something of everything.
fn answered() -> Gathered {
    Gathered {
        dependencies: vec![
            ("RpcSs".to_string(), Some(State::Stopped)),
            ("Gone".to_string(), None),
            ("+TDI".to_string(), None),
            ("Odd".to_string(), Some(State::Unknown)),
            ("Never".to_string(), Some(State::Missing)),
        ],
        dependents: vec![("Fax".to_string(), State::Running)],
        log: vec![LogLine {
            at: Wall(9),
            from: "System 7034 Service Control Manager".to_string(),
            meaning: Some("ended unexpectedly".to_string()),
            strings: vec!["Print Spooler".to_string(), "1".to_string()],
            proves: None,
        }],
        lacking: vec!["the event log was cut".to_string()],
        ..Gathered::nothing("Spooler".into())
    }
}

#[test]
fn what_depends_and_what_is_lacking_is_said_and_the_log_only_where_it_may() {
    let answer = answered();
    let evidence = of_answer(&stopped(0), Circumstances::default(), &PLAN, &answer);
    assert_eq!(evidence.cause, Cause::DependencyDown);
    assert_eq!(
        texts(&evidence, ClueKind::Because)[0],
        "RpcSs, Never does not run",
        "of which nothing is known, nothing is said"
    );
    assert_eq!(
        texts(&evidence, ClueKind::Dependency),
        [
            "it depends on RpcSs, which is stopped",
            "it depends on Gone, which its host does not show",
            "it depends on the group TDI, of which one service must run",
            "it depends on Odd, which its host does not show",
            "it depends on Never, which is not installed",
        ]
    );
    assert_eq!(
        texts(&evidence, ClueKind::Event),
        ["System 7034 Service Control Manager: ended unexpectedly (Print Spooler · 1)"]
    );
    assert_eq!(evidence.for_destinations(), evidence);
    let kept = EvidencePlan {
        log: LogUse::Store,
        ..PLAN
    };
    let crashed = Gathered {
        log: vec![LogLine {
            proves: Some(Told::Crash { exception: None }),
            ..answer.log[0].clone()
        }],
        ..answer.clone()
    };
    let evidence = of_answer(&stopped(1067), Circumstances::default(), &kept, &crashed);
    assert!(evidence.sentence().unwrap().contains("event log"));
    let told = evidence.for_destinations().sentence().unwrap();
    assert!(
        !told.contains("event log") && told.starts_with("crashed"),
        "{told}"
    );
    let evidence = of_answer(&stopped(0), Circumstances::default(), &kept, &answer);
    assert_eq!(texts(&evidence, ClueKind::Event).len(), 1);
    assert_eq!(
        texts(&evidence.for_destinations(), ClueKind::Event).len(),
        0
    );
    assert_eq!(
        texts(&evidence, ClueKind::Lacking),
        ["the event log was cut"]
    );
}

#[test]
fn a_host_without_end_is_cut() {
    let answer = Gathered {
        dependencies: (0..500)
            .map(|at| (at.to_string().repeat(500), None))
            .collect(),
        lacking: vec!["x".repeat(10_000)],
        ..Gathered::nothing("Spooler".into())
    };
    let evidence = of_answer(&stopped(0), Circumstances::default(), &PLAN, &answer);
    assert_eq!(
        texts(&evidence, ClueKind::Dependency).len(),
        crate::limits::CLUES_OF_A_KIND
    );
    let longest = evidence
        .clues
        .iter()
        .map(|clue| clue.text.chars().count())
        .max();
    assert_eq!(longest, Some(crate::limits::CLUE_CHARACTERS_MAX + 1));
}

#[test]
fn an_answer_about_an_earlier_end_is_not_taken_for_a_later_one() {
    let (mut queue, host, name) = (Queue::default(), service(1), service(2));
    let waiting = || Waiting {
        incident: crate::id::IncidentId("x".into()),
        after: GatherId(0),
        until: Tick(10_000),
        late: false,
        waits_until: None,
        held_until: None,
        changes: vec![],
    };
    queue.add(&host, &name, waiting());
    let (_, first) = queue.begin(&PLAN, Tick(0)).remove(0);
    // It ended in another way while its host was being asked.
    queue.add(&host, &name, waiting());
    assert!(queue.answered(&host, first.gather).is_some());
    assert_eq!(queue.take_answered(&host, &name, Some(first.gather)), None);
    let (_, second) = queue.begin(&PLAN, Tick(1)).remove(0);
    assert!(queue.answered(&host, second.gather).is_some());
    assert!(
        queue
            .take_answered(&host, &name, Some(second.gather))
            .is_some()
    );
}

/// What may happen to a queue.
#[derive(Debug, Clone)]
enum Move {
    Add(u8, u8),
    Begin,
    Answer(u8),
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0..6_u8, 0..40_u8).prop_map(|(host, service)| Move::Add(host, service)),
        Just(Move::Begin),
        (0..6_u8).prop_map(Move::Answer),
        (1..4_000_u64).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 0..200)
}

fn service(at: u8) -> Name {
    Name::new(&alloc::format!("s{at}"))
}

#[test]
fn who_was_not_asked_in_time_is_asked_after_all_others() {
    let mut queue = Queue::default();
    let waiting = |until: u64| Waiting {
        incident: crate::id::IncidentId("x".into()),
        after: GatherId(0),
        until: Tick(until),
        late: false,
        waits_until: None,
        held_until: None,
        changes: vec![],
    };
    let one = EvidencePlan {
        hosts_at_once: 1,
        ..PLAN
    };
    let spooler = Name::new("Spooler");
    for at in 0..3 {
        queue.add(&service(at), &spooler, waiting(10_000));
    }
    let (first, asked) = queue.begin(&one, Tick(0)).remove(0);
    assert_eq!((&first, asked.until), (&service(0), Tick(10_000)));
    let overdue = queue.overdue(Tick(10_000));
    let heard: Vec<_> = overdue
        .iter()
        .map(|one| (one.host.clone(), one.heard))
        .collect();
    assert_eq!(
        heard,
        [
            (service(0), Heard::Silent),
            (service(1), Heard::Queued),
            (service(2), Heard::Queued),
        ]
    );
    // A new one comes first, and whoever is asked late has time to answer.
    queue.add(&service(3), &spooler, waiting(21_000));
    let begun = queue.begin(&one, Tick(11_000)).remove(0);
    assert_eq!((begun.0, begun.1.until), (service(3), Tick(21_000)));
    assert!(queue.answered(&service(3), begun.1.gather).is_some());
    let taken = queue.take_answered(&service(3), &spooler, Some(begun.1.gather));
    assert!(taken.is_some());
    let begun = queue.begin(&one, Tick(12_000)).remove(0);
    assert_eq!((begun.0, begun.1.until), (service(1), Tick(22_000)));
    // Nobody waits for ever.
    let overdue = queue.overdue(Tick(0) + Span::minutes(11));
    let heard: Vec<_> = overdue
        .iter()
        .map(|one| (one.host.clone(), one.heard))
        .collect();
    assert_eq!(
        heard,
        [(service(1), Heard::Silent), (service(2), Heard::NotAsked),]
    );
    assert_eq!(queue.begin(&one, Tick(700_000)), []);
    assert_eq!(queue.deadline(), None);
}

#[test]
fn what_became_of_the_process_is_said_as_far_as_it_is_known() {
    let ran = HistoryRow {
        record: 1,
        subject: Subject::Fleet,
        seq: 1,
        at: Wall(2),
        from: None,
        to: Some(State::Running),
        fault: None,
        event: None,
        incident: None,
        exit_code: None,
        service_exit_code: None,
        pid: Some(4711),
        cause: None,
    };
    let told = |exit_code, beside: Option<&[&str]>| {
        let answer = Gathered {
            history: vec![ran.clone()],
            beside: beside.map(|names| names.iter().map(ToString::to_string).collect()),
            ..Gathered::nothing("Spooler".into())
        };
        let host = Circumstances::default();
        let evidence = of_answer(&stopped(exit_code), host, &PLAN, &answer);
        texts(&evidence, ClueKind::Process).join("; ")
    };
    for (exit_code, beside, due) in [
        (0, None, ""),
        (0, Some(&[][..]), ", in which no service runs any more"),
        (
            0,
            Some(&["Fax", "Bits"]),
            ", which still runs: Fax, Bits in it",
        ),
        (1067, None, ", which is gone"),
        (1067, Some(&[]), ", which is gone"),
        // That the service says 1067 itself ends no process that it shares.
        (1067, Some(&["Fax"]), ", which still runs: Fax in it"),
    ] {
        let due = alloc::format!("its last process was 4711{due}");
        assert_eq!(told(exit_code, beside), due);
    }
    let hangs = TargetRow {
        state: State::StopPending,
        pid: Some(4711),
        ..stopped(0)
    };
    let nothing = Gathered::nothing("Spooler".into());
    let evidence = of_answer(&hangs, Circumstances::default(), &PLAN, &nothing);
    assert_eq!(
        texts(&evidence, ClueKind::Process),
        ["it runs in process 4711"]
    );
}

proptest! {
    /// Never more hosts at once than may be, nobody asked twice at once, and nobody forgotten: who was added is asked or
    /// given up by its time.
    #[test]
    fn nobody_is_forgotten(moves in moves()) {
        let (mut queue, mut now) = (Queue::default(), Tick(1_000));
        let incident = crate::id::IncidentId("x".into());
        let mut open: BTreeMap<(Name, Name), Tick> = BTreeMap::default();
        let mut asked: BTreeMap<Name, Asked> = BTreeMap::default();
        let mut explained: BTreeMap<(Name, Name), Tick> = BTreeMap::default();
        let drop_overdue = |queue: &mut Queue, now: Tick, open: &mut BTreeMap<(Name, Name), Tick>, asked: &mut BTreeMap<Name, Asked>, explained: &mut BTreeMap<(Name, Name), Tick>| {
            for one in queue.overdue(now) {
                let key = (one.host, one.service);
                let first = explained.insert(key.clone(), now).is_none();
                // Explained at once, and once more when it is given up for good or has been answered.
                assert_eq!(one.heard == Heard::NotAsked, !first && one.heard != Heard::Silent);
                if one.heard != Heard::Queued {
                    open.remove(&key);
                }
            }
            for (key, until) in &*open {
                assert!(*until > now || explained.contains_key(key), "not explained in time");
            }
            asked.retain(|_, one| one.until > now);
        };
        for step in moves {
            match step {
                Move::Add(host, at) => {
                    let key = (service(host), service(at));
                    let waiting = Waiting { incident: incident.clone(), after: GatherId(0), until: now + PLAN.deadline, late: false, waits_until: None, held_until: None, changes: vec![] };
                    if queue.add(&key.0, &key.1, waiting) {
                        explained.remove(&key);
                        open.insert(key, now + PLAN.deadline);
                    }
                }
                Move::Begin => for (host, one) in queue.begin(&PLAN, now) {
                    prop_assert!(one.services.len() <= crate::limits::GATHERED_AT_ONCE);
                    prop_assert!(asked.insert(host, one).is_none(), "asked twice at once");
                    prop_assert!(asked.len() <= PLAN.hosts_at_once);
                },
                Move::Answer(host) => {
                    let host = service(host);
                    if let Some(one) = asked.remove(&host) {
                        prop_assert!(queue.answered(&host, GatherId(one.gather.0 + 1_000)).is_none());
                        let one = queue.answered(&host, one.gather).expect("it is the last asking");
                        for name in one.services {
                            if queue.take_answered(&host, &name, Some(one.gather)).is_some() {
                                open.remove(&(host.clone(), name));
                            }
                        }
                    }
                }
                Move::Pass(by) => {
                    now = now + Span(by);
                    drop_overdue(&mut queue, now, &mut open, &mut asked, &mut explained);
                }
            }
            prop_assert_eq!(queue.under_way(), asked.len());
        }
        now = now + Span::minutes(1);
        drop_overdue(&mut queue, now, &mut open, &mut asked, &mut explained);
        now = now + crate::limits::GATHER_LATE_MAX + Span::minutes(1);
        drop_overdue(&mut queue, now, &mut open, &mut asked, &mut explained);
        prop_assert!(open.is_empty(), "{:?} is forgotten", open);
        prop_assert_eq!(queue.deadline(), None);
    }
}
