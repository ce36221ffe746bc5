use super::*;

fn stopped(exit_code: u32) -> Facts {
    Facts {
        seen: Seen::Service(State::Stopped),
        exit_code: Some(exit_code),
        service_exit_code: None,
        start_type: Some(StartType::Automatic),
        dependencies_down: Vec::new(),
        goes_down: false,
        rebooted: false,
        told: Vec::new(),
    }
}

fn cause(facts: &Facts) -> Cause {
    find(facts).cause
}

#[test]
fn a_stop_without_an_error_is_clean() {
    let finding = find(&stopped(0));
    assert_eq!(finding.cause, Cause::StoppedCleanly);
    assert_eq!(finding.because, ["exit code 0"]);
}

#[test]
fn an_end_without_a_stop_is_unexpected_and_no_crash() {
    let finding = find(&stopped(1067));
    assert_eq!(finding.cause, Cause::EndedUnexpectedly);
    assert_eq!(
        finding.because,
        ["exit code 1067 (its process ended unexpectedly)"]
    );
}

#[test]
fn a_crash_needs_an_event_that_fits_the_end() {
    let crash = Told::Crash {
        exception: Some(0xc000_0005),
    };
    let crashed = Facts {
        told: vec![crash.clone()],
        ..stopped(1067)
    };
    let finding = find(&crashed);
    assert_eq!(finding.cause, Cause::Crashed);
    assert_eq!(
        finding.because,
        [
            "the event log says that its process crashed with exception 0xc0000005 (access violation)",
            "exit code 1067 (its process ended unexpectedly)"
        ]
    );
    // It crashed earlier; this time its account could not be logged on.
    let later = Facts {
        told: vec![crash],
        ..stopped(1069)
    };
    assert_eq!(cause(&later), Cause::LogonFailed);
}

#[test]
fn codes_are_told_as_codes() {
    let finding = find(&stopped(10_048));
    assert_eq!(finding.cause, Cause::EndedWithCode);
    assert_eq!(
        finding.because,
        ["exit code 10048 (the network port is in use by another process)"]
    );
    let own = Facts {
        service_exit_code: Some(0x8007_0005),
        ..stopped(1066)
    };
    assert_eq!(
        find(&own).because,
        ["exit code 2147942405 of the service's own (access denied)"]
    );
    let small = Facts {
        service_exit_code: Some(17),
        ..stopped(1066)
    };
    assert_eq!(find(&small).because, ["exit code 17 of the service's own"]);
    assert_eq!(cause(&stopped(54_321)), Cause::EndedWithCode);
}

#[test]
fn failed_starts_are_told_apart() {
    for (code, due) in [
        (1053, Cause::FailedToStart),
        (2, Cause::FailedToStart),
        (193, Cause::FailedToStart),
        (1069, Cause::LogonFailed),
        (1068, Cause::DependencyFailed),
        (1075, Cause::DependencyFailed),
        (1058, Cause::StartDisabled),
    ] {
        assert_eq!(cause(&stopped(code)), due, "{code}");
    }
    for (told, due) in [
        (Told::StartTimeout, Cause::FailedToStart),
        (Told::LogonFailure, Cause::LogonFailed),
        (
            Told::DependencyFailure("RpcSs".into()),
            Cause::DependencyFailed,
        ),
    ] {
        let facts = |exit_code| Facts {
            told: vec![told.clone()],
            exit_code,
            ..stopped(0)
        };
        assert_eq!(cause(&facts(None)), due, "{told:?}");
        assert_eq!(
            cause(&facts(Some(1067))),
            Cause::EndedUnexpectedly,
            "{told:?}"
        );
        assert_eq!(cause(&facts(Some(0))), Cause::StoppedCleanly, "{told:?}");
    }
}

#[test]
fn what_never_started_is_disabled_waits_for_others_or_is_unknown() {
    let disabled = Facts {
        start_type: Some(StartType::Disabled),
        ..stopped(1077)
    };
    assert_eq!(cause(&disabled), Cause::StartDisabled);
    let waits = Facts {
        dependencies_down: vec!["RpcSs".into(), "Tcpip".into()],
        ..stopped(1077)
    };
    assert_eq!(
        find(&waits).because,
        [
            "RpcSs, Tcpip does not run",
            "exit code 1077 (it was not started since the last boot)"
        ]
    );
    assert_eq!(cause(&waits), Cause::DependencyDown);
    assert_eq!(cause(&stopped(1077)), Cause::Unknown);
}

#[test]
fn what_stopped_with_what_it_depends_on_is_told_so() {
    let facts = Facts {
        dependencies_down: vec!["RpcSs".into()],
        ..stopped(0)
    };
    assert_eq!(cause(&facts), Cause::DependencyDown);
    // An error of its own is its own, whatever else does not run.
    let facts = Facts {
        dependencies_down: vec!["RpcSs".into()],
        ..stopped(1067)
    };
    assert_eq!(cause(&facts), Cause::EndedUnexpectedly);
    assert_eq!(find(&facts).because[1], "RpcSs does not run");
}

#[test]
fn a_clean_stop_is_one_whatever_crashed_before() {
    let facts = Facts {
        told: vec![Told::Crash { exception: None }],
        ..stopped(0)
    };
    assert_eq!(cause(&facts), Cause::StoppedCleanly);
}

#[test]
fn a_host_that_goes_down_explains_orderly_stops_alone() {
    for (code, due) in [
        (0, Cause::HostRebooted),
        (1066, Cause::EndedWithCode),
        (1067, Cause::EndedUnexpectedly),
    ] {
        let facts = Facts {
            goes_down: true,
            ..stopped(code)
        };
        assert_eq!(cause(&facts), due, "{code}");
    }
}

#[test]
fn a_boot_explains_what_did_not_come_back_and_no_error() {
    for (code, due) in [
        (0, Cause::HostRebooted),
        (1077, Cause::HostRebooted),
        (1069, Cause::LogonFailed),
        (1067, Cause::EndedUnexpectedly),
    ] {
        let facts = Facts {
            rebooted: true,
            ..stopped(code)
        };
        assert_eq!(cause(&facts), due, "{code}");
    }
}

#[test]
fn what_cannot_be_seen_is_not_explained_by_what_was_seen_before() {
    for fault in Fault::ALL {
        let facts = Facts {
            seen: Seen::Host(*fault),
            told: vec![Told::StartTimeout],
            ..stopped(1067)
        };
        let due = match fault {
            Fault::NameNotResolved | Fault::Unreachable | Fault::Timeout => Cause::Unreachable,
            Fault::LogonRefused | Fault::AccountPaused | Fault::AccessDenied => Cause::Denied,
            Fault::ShuttingDown => Cause::HostRebooted,
            Fault::WrongHost | Fault::ProtocolError => Cause::Unknown,
        };
        let finding = find(&facts);
        assert_eq!(finding.cause, due, "{fault}");
        assert_eq!(finding.because.len(), 1, "{finding:?}");
    }
    let hidden = Facts {
        seen: Seen::Hidden,
        ..stopped(0)
    };
    assert_eq!(cause(&hidden), Cause::Denied);
    let missing = Facts {
        seen: Seen::Service(State::Missing),
        ..stopped(0)
    };
    assert_eq!(cause(&missing), Cause::Uninstalled);
}

#[test]
fn what_is_not_known_is_not_made_up() {
    let nothing = Facts {
        exit_code: None,
        start_type: None,
        ..stopped(0)
    };
    assert_eq!(
        find(&nothing),
        Finding {
            cause: Cause::Unknown,
            because: vec!["it is stopped".into()],
            from_log: false,
        }
    );
    // An exit code of a service that does not stand still is that of an earlier end.
    for state in State::ALL {
        if matches!(state, State::Stopped | State::Missing) {
            continue;
        }
        let facts = Facts {
            seen: Seen::Service(*state),
            ..stopped(1067)
        };
        assert_eq!(cause(&facts), Cause::Unknown, "{state}");
    }
}

#[test]
fn every_fact_stands_there_once() {
    let all = Facts {
        start_type: Some(StartType::Disabled),
        dependencies_down: vec!["RpcSs".into()],
        rebooted: true,
        ..stopped(1067)
    };
    let because = find(&all).because;
    assert_eq!(
        because,
        [
            "exit code 1067 (its process ended unexpectedly)",
            "its start is disabled",
            "RpcSs does not run",
            "its host booted since it last ran"
        ]
    );
}
