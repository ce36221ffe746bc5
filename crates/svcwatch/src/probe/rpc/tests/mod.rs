//! Sessions with a host that behaves and with hosts that do not.

mod acceptor;
mod dependents;
mod ears;
mod echo;
mod events;
pub(super) mod host;
mod uptime;

use std::sync::Arc;

use svcwatch_core::effect::ProbeRequest;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{
    Asked, FailureAction, FailureActions, Fault, Logon, Observation, Outcome, ProbeId, Refusal,
    StartType, State,
};
use svcwatch_core::time::Span;
use svcwatch_wire::pdu::FAULT_CONTEXT_MISMATCH;

use crate::probe::record::{Record, Recorder};
use crate::probe::{Access, Prober, command_line};
use crate::secret::Secret;
use host::{Host, Trick};

fn request(may_log_on: bool, ask: &[&str]) -> ProbeRequest {
    ProbeRequest {
        host: Name::new("web-1"),
        probe: ProbeId(7),
        may_log_on,
        logons: 1,
        ask: ask.iter().map(|name| Name::new(name)).collect(),
        uptime: false,
        timeout: Span(2_000),
    }
}

fn listed(observation: &Observation) -> usize {
    match &observation.outcome {
        Outcome::Read(reading) => reading.services.len(),
        other => panic!("not read: {other:?}"),
    }
}

fn fault(observation: &Observation) -> (Fault, Option<Refusal>) {
    match &observation.outcome {
        Outcome::Fault(fault) => (fault.fault, fault.refusal),
        other => panic!("no fault: {other:?}"),
    }
}

#[tokio::test]
async fn one_session_is_kept_and_its_buffer_size_remembered() {
    let (host, access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    let first = prober.check(&request(true, &[]), &access).await;
    assert_eq!(
        (listed(&first), first.logon, first.session_kept),
        (81, Logon::Accepted, true)
    );
    assert_eq!(first.computer_name.as_deref(), Some("WEB-1"));
    assert_eq!(host.counts(), (1, 2), "the first list asks for the size");

    let second = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (listed(&second), second.logon, second.session_kept),
        (81, Logon::None, true)
    );
    assert_eq!(second.computer_name.as_deref(), Some("WEB-1"));
    assert_eq!(host.counts(), (1, 3), "each further check is one call");
    assert_eq!(prober.sessions(), 1);

    prober.forget(&Name::new("WEB-1")).await;
    assert_eq!(prober.sessions(), 0);
    let third = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (third.outcome, third.session_kept),
        (Outcome::LogonNeeded, false)
    );
}

#[tokio::test]
async fn without_permission_nothing_is_tried() {
    let (host, access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    let observation = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (observation.outcome, observation.logon),
        (Outcome::LogonNeeded, Logon::None)
    );
    assert_eq!(host.counts(), (0, 0));
}

#[tokio::test]
async fn names_that_the_list_lacks_are_asked_for() {
    let (_host, access) = Host::start(Trick::None).await;
    let ask = ["SPOOLER", "Missing", "Hidden", "Bad/Name", "Template"];
    let observation = Prober::new().check(&request(true, &ask), &access).await;
    let Outcome::Read(reading) = observation.outcome else {
        panic!("not read")
    };
    let asked: Vec<_> = reading
        .asked
        .iter()
        .map(|(name, asked)| (name.as_str(), asked))
        .collect();
    assert_eq!(asked.len(), 4, "the list has Spooler: {asked:?}");
    assert_eq!(asked[0], ("Missing", &Asked::Missing));
    assert_eq!(asked[1], ("Hidden", &Asked::Hidden));
    assert!(
        matches!(asked[2], ("Bad/Name", Asked::Read(reading)) if reading.state == State::Unknown)
    );
    assert!(matches!(asked[3], ("Template", Asked::Read(reading)) if reading.pid == Some(12)));
}

#[tokio::test]
async fn a_host_without_processes_in_its_list_is_remembered_as_one() {
    let (host, access) = Host::start(Trick::Old).await;
    let prober = Prober::new();
    for check in 0..2 {
        let observation = prober.check(&request(check == 0, &[]), &access).await;
        assert_eq!(listed(&observation), 81);
    }
    assert_eq!(
        host.counts(),
        (1, 1),
        "the unknown call is made once for a connection"
    );
}

#[tokio::test]
async fn a_session_that_is_over_is_renewed_where_that_is_allowed() {
    for trick in [
        Trick::CloseAfterList,
        Trick::ListCode(6),
        Trick::ListFault(FAULT_CONTEXT_MISMATCH),
    ] {
        let (host, access) = Host::start(trick).await;
        let prober = Prober::new();
        if trick == Trick::CloseAfterList {
            // The first connection ends between asking for the size and asking for the list: that is the host's fault.
            let first = prober.check(&request(true, &[]), &access).await;
            assert_eq!(fault(&first).0, Fault::Unreachable);
            continue;
        }
        prober.check(&request(true, &[]), &access).await;
        let renewed = prober.check(&request(true, &[]), &access).await;
        assert_eq!(
            (listed(&renewed), renewed.logon),
            (81, Logon::Accepted),
            "{trick:?}"
        );
        assert_eq!(host.counts().0, 2, "{trick:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_no_fault_where_logging_on_is_not_allowed() {
    let (_host, access) = Host::start(Trick::ListCode(6)).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let observation = prober.check(&request(false, &[]), &access).await;
    assert_eq!(
        (observation.outcome, observation.session_kept),
        (Outcome::LogonNeeded, false)
    );
}

#[tokio::test]
async fn another_user_means_another_logon_and_another_password_none() {
    let (host, mut access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    access.password = Secret::new("changed");
    let kept = prober.check(&request(false, &[]), &access).await;
    assert_eq!((listed(&kept), kept.logon), (81, Logon::None));
    access.user = "another".into();
    let denied = prober.check(&request(false, &[]), &access).await;
    assert_eq!(denied.outcome, Outcome::LogonNeeded);
    let allowed = prober.check(&request(true, &[]), &access).await;
    assert_eq!((listed(&allowed), allowed.logon), (81, Logon::Accepted));
    assert_eq!(host.counts().0, 2);
}

#[tokio::test]
async fn each_refusal_is_the_fault_that_it_is() {
    for (trick, expected, logon) in [
        (
            Trick::Refuse(0xC000_006D),
            (Fault::LogonRefused, Some(Refusal::WrongPassword)),
            Logon::None,
        ),
        (
            Trick::Refuse(0xC000_0234),
            (Fault::LogonRefused, Some(Refusal::LockedOut)),
            Logon::None,
        ),
        (
            Trick::RefuseManager(5),
            (Fault::AccessDenied, None),
            Logon::Accepted,
        ),
        (
            Trick::RefuseManager(1115),
            (Fault::ShuttingDown, None),
            Logon::Accepted,
        ),
        (
            Trick::Rubbish,
            (Fault::ProtocolError, None),
            Logon::Accepted,
        ),
    ] {
        let (host, access) = Host::start(trick).await;
        let observation = Prober::new().check(&request(true, &[]), &access).await;
        assert_eq!(
            (fault(&observation), observation.logon),
            (expected, logon),
            "{trick:?}"
        );
        assert!(!observation.session_kept);
        assert_eq!(
            host.counts().0,
            1,
            "a refusal is not tried again: {trick:?}"
        );
    }
}

#[tokio::test]
async fn a_host_that_shuts_down_says_so_on_the_kept_session() {
    let (host, access) = Host::start(Trick::ListCode(1115)).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let observation = prober.check(&request(true, &[]), &access).await;
    assert_eq!(fault(&observation).0, Fault::ShuttingDown);
    assert_eq!(host.counts().0, 1);
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_the_session_with_it() {
    let (host, access) = Host::start(Trick::Silent).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let mut short = request(true, &[]);
    short.timeout = Span(300);
    // The second waits for the first, and gives up before that does.
    let mut shorter = short.clone();
    shorter.timeout = Span(200);
    let (one, other) = tokio::join!(
        prober.check(&short, &access),
        prober.check(&shorter, &access)
    );
    for observation in [one, other] {
        assert_eq!(fault(&observation).0, Fault::Timeout);
        assert!(observation.took < Span(1_500), "{observation:?}");
        assert!(!observation.session_kept);
    }
    assert_eq!(
        host.counts().0,
        1,
        "a host is not read twice at once, nor tried again after silence"
    );
}

#[tokio::test]
async fn what_a_host_does_not_tell_of_a_configuration_stays_unknown() {
    let (_host, access) = Host::start(Trick::None).await;
    let prober = Prober::new();
    let names: Vec<Name> = ["Spooler", "Missing", "Hidden"]
        .iter()
        .map(|name| Name::new(name))
        .collect();
    let host = Name::new("web-1");
    let early = prober.read_config(&host, &names, Span(2_000)).await;
    assert_eq!(
        early.unwrap_err().fault,
        Fault::Unreachable,
        "there is no session yet"
    );

    prober.check(&request(true, &[]), &access).await;
    let configs = prober
        .read_config(&host, &names, Span(2_000))
        .await
        .unwrap();
    assert_eq!(configs.len(), 2, "the missing one is left out");
    let spooler = &configs[0];
    assert_eq!(spooler.start_type, Some(StartType::AutomaticDelayed));
    assert_eq!(spooler.per_user, Some(true));
    assert_eq!(spooler.binary_path.as_deref(), Some(r"C:\spoolsv.exe -x"));
    assert_eq!(
        (
            &spooler.account,
            &spooler.description,
            spooler.trigger_start
        ),
        (&None, &None, None)
    );
    assert_eq!(spooler.failure_actions, None);
    let hidden = &configs[1];
    assert_eq!(
        (hidden.name.as_str(), hidden.start_type, hidden.per_user),
        ("Hidden", None, None)
    );
    assert_eq!(
        prober.sessions(),
        1,
        "a session survives what a host does not know"
    );
}

#[tokio::test]
async fn failure_actions_are_read_where_the_host_knows_them() {
    use FailureAction::{None as Nothing, RestartComputer, RestartService, RunCommand};
    let (_host, access) = Host::start(Trick::FailureActions).await;
    let prober = Prober::new();
    prober.check(&request(true, &[]), &access).await;
    let names = [Name::new("Spooler")];
    let configs = prober
        .read_config(&Name::new("web-1"), &names, Span(2_000))
        .await
        .unwrap();
    let all = [
        Nothing,
        RestartService,
        RestartComputer,
        RunCommand,
        Nothing,
    ];
    let actions = all.into_iter().zip((0..5).map(Span::seconds)).collect();
    let wanted = FailureActions {
        reset_after: Some(Span::minutes(1)),
        actions,
        on_error_exit: true,
    };
    assert_eq!(configs[0].failure_actions, Some(wanted));
    assert_eq!(
        configs[0].arguments_hash,
        Some(command_line::arguments_hash("a.exe -x"))
    );
}

#[tokio::test]
async fn a_second_password_is_tried_where_the_first_is_refused_and_two_may_be() {
    const WRONG: u32 = 0xC000_006D;
    const LOCKED: u32 = 0xC000_0234;
    // The trick, how many logons may be tried, whether there is a second password; then what is said of it.
    let cases = [
        (Trick::RefuseFirst(1, WRONG), 2, true, (2, 1, None)),
        (
            Trick::RefuseFirst(1, WRONG),
            1,
            true,
            (1, 1, Some(Refusal::WrongPassword)),
        ),
        (
            Trick::RefuseFirst(1, WRONG),
            2,
            false,
            (1, 1, Some(Refusal::WrongPassword)),
        ),
        (
            Trick::Refuse(WRONG),
            2,
            true,
            (2, 2, Some(Refusal::WrongPassword)),
        ),
        (
            Trick::RefuseFirst(1, LOCKED),
            2,
            true,
            (1, 1, Some(Refusal::LockedOut)),
        ),
        (Trick::None, 2, true, (1, 0, None)),
    ];
    for (trick, logons, second, wanted) in cases {
        let (host, mut access) = Host::start(trick).await;
        access.second_password = second.then(|| Secret::new("previous"));
        let mut request = request(true, &[]);
        request.logons = logons;
        let seen = Prober::new().check(&request, &access).await;
        let refusal = match &seen.outcome {
            Outcome::Fault(fault) => fault.refusal,
            Outcome::Read(_) => None,
            Outcome::LogonNeeded => panic!("it may log on"),
        };
        assert_eq!(
            (host.counts().0, seen.refusals, refusal),
            wanted,
            "{trick:?} {logons}"
        );
        let accepted = seen.logon == Logon::Accepted;
        assert_eq!(accepted, refusal.is_none(), "{trick:?} {logons}");
    }
}

#[tokio::test]
async fn an_administrator_is_known_at_the_logon_and_nothing_is_done_with_it() {
    for (trick, wanted) in [(Trick::Administrator, true), (Trick::None, false)] {
        let (_host, access) = Host::start(trick).await;
        let prober = Prober::new();
        let seen = prober.check(&request(true, &[]), &access).await;
        assert_eq!((listed(&seen), seen.administrator), (81, Some(wanted)));
        let kept = prober.check(&request(false, &[]), &access).await;
        assert_eq!(
            (listed(&kept), kept.administrator),
            (81, None),
            "asked once"
        );
    }
}

#[tokio::test]
async fn a_record_of_an_exchange_gives_the_same_again() {
    for trick in [
        Trick::None,
        Trick::Old,
        Trick::RefuseManager(5),
        Trick::Rubbish,
        Trick::Administrator,
    ] {
        let (_host, access) = Host::start(trick).await;
        let access = Access {
            password: Secret::new("hunter2-canary"),
            ..access
        };
        let recorder = Arc::new(Recorder::default());
        let ask = request(true, &["Missing", "Hidden", "Template"]);
        let names = [Name::new("Spooler"), Name::new("Missing")];
        let prober = Prober::new().recording(Arc::clone(&recorder));
        let seen = prober.check(&ask, &access).await;
        let configs = prober.read_config(&ask.host, &names, Span(2_000)).await;

        let text = recorder.record("web-1", "seen").to_text();
        assert!(
            !text.contains("hunter2") && !text.contains("watcher"),
            "{text}"
        );
        let record = Record::read(text.as_bytes()).unwrap();
        assert_eq!(record.header.computer_name.as_deref(), Some("WEB-1"));
        let replayer = Prober::new().replaying(Arc::new(record));
        let again = replayer.check(&ask, &access).await;
        match (&seen.outcome, &again.outcome) {
            // A list that is rubbish is left out, and another rubbish stands in its place.
            (Outcome::Fault(one), Outcome::Fault(other)) if trick == Trick::Rubbish => {
                assert_eq!(one.fault, other.fault);
            }
            (one, other) => assert_eq!(one, other, "{trick:?}"),
        }
        assert_eq!(
            (seen.computer_name, seen.administrator),
            (again.computer_name, again.administrator)
        );
        let configs_again = replayer.read_config(&ask.host, &names, Span(2_000)).await;
        assert_eq!(configs, configs_again, "{trick:?}");
    }
}

#[tokio::test]
async fn the_right_that_lacks_on_the_manager_is_named() {
    for (trick, lacks) in [
        (Trick::ConnectOnly, "SC_MANAGER_ENUMERATE_SERVICE"),
        (Trick::RefuseManager(5), "SC_MANAGER_CONNECT"),
    ] {
        let (_host, access) = Host::start(trick).await;
        let seen = Prober::new().check(&request(true, &[]), &access).await;
        let Outcome::Fault(fault) = seen.outcome else {
            panic!("not refused")
        };
        assert_eq!(fault.fault, Fault::AccessDenied);
        assert!(fault.cause.contains(lacks), "{}", fault.cause);
    }
}
