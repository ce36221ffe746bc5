//! Plain rows for tests.

use std::sync::Arc;
use svcwatch_core::{
    glob::Glob,
    id::{DeliveryKey, IncidentId, StoreId, Subject},
    notice::{IncidentRef, Kind, Notice, Severity, ToldEvent, Why},
    observe::{FailureAction, FailureActions, Fault, ServiceDetails, StartType, State},
    plan::Matcher,
    record::{
        AttemptRow, BootRow, DeliveryRow, DeliveryState, DroppedRow, HistoryRow, HostRow,
        IncidentRow, LaneRow, Restarts, TargetRow, Told,
    },
    remedy::{ActId, RemedyRow, Scope},
    silence::{SilenceId, SilenceRow},
    time::{Span, Wall},
};

pub(super) const STORE: StoreId = StoreId([7; 16]);

pub(super) fn service(host: &str, service: &str) -> Subject {
    Subject::Service {
        host: host.into(),
        service: service.into(),
    }
}

pub(super) fn target_row(host: &str, service: &str) -> TargetRow {
    TargetRow {
        host: host.into(),
        service: service.into(),
        state: State::Running,
        since: Wall(1_700_000_000_000),
        previous_state: Some(State::StartPending),
        hidden: false,
        seq: 3,
        seen_running: true,
        wrong_since: None,
        pid: Some(1_234),
        exit_code: Some(0),
        service_exit_code: Some(0),
        start_type: Some(StartType::Automatic),
        trigger_start: Some(false),
        per_user: None,
        display_name: Some(Arc::from("Print Spooler")),
        details: Some(Arc::new(details())),
        selected_start: Some(StartType::Automatic),
        restarts: Some(Box::new(Restarts {
            count: 3,
            since: Wall(1_699_999_000_000),
            last: Wall(1_700_000_000_000),
            failures: 2,
            mending: true,
        })),
        removed: false,
    }
}

fn details() -> ServiceDetails {
    ServiceDetails {
        binary_path: Some(Arc::from(r"C:\Windows\System32\spoolsv.exe")),
        run_as: Some(Arc::from("LocalSystem")),
        dependencies: Some(Arc::from([Arc::from("RPCSS"), Arc::from("http")])),
        arguments_hash: Some(4_711),
        failure_actions: Some(FailureActions {
            reset_after: Some(Span::hours(24)),
            actions: vec![(FailureAction::RestartService, Span::minutes(1))],
            on_error_exit: true,
        }),
    }
}

pub(super) fn host_row(host: &str) -> HostRow {
    HostRow {
        host: host.into(),
        computer_name: Some("SRV01".to_owned()),
        fault: Some(Fault::Timeout),
        cause: Some("no answer within 10 s".to_owned()),
        wrong_since: Some(Wall(1_700_000_000_000)),
        since: Wall(1_700_000_000_000),
        visible: Some(210),
        seq: 4,
        visibility_seq: 1,
        refused_until: None,
        boot: BootRow {
            booted_at: Some(Wall(1_699_999_000_000)),
            ..BootRow::default()
        },
        listed: true,
        removed: false,
    }
}

/// The time of the change with this number.
pub(super) fn at(number: u64) -> Wall {
    Wall(1_700_000_000_000 + i64::try_from(number).unwrap() * 1_000)
}

pub(super) fn history_row(host: &str, name: &str, number: u64) -> HistoryRow {
    HistoryRow {
        record: number,
        subject: service(host, name),
        seq: number,
        at: at(number),
        from: Some(State::Running),
        to: Some(State::Stopped),
        fault: None,
        event: Some(ToldEvent::Stopped),
        incident: Some(IncidentId::new(STORE, &service(host, name), number)),
        exit_code: Some(1_067),
        service_exit_code: None,
        pid: None,
        cause: Some("ended by itself with exit code 1067".to_owned()),
    }
}

pub(super) fn incident_row(host: &str, name: &str, number: u64) -> IncidentRow {
    IncidentRow {
        id: IncidentId::new(STORE, &service(host, name), number),
        subject: service(host, name),
        seq: number,
        event: ToldEvent::Stopped,
        severity: Severity::Critical,
        opened_at: at(number),
        resolved_at: None,
        acknowledged: None,
        cause: None,
        evidence: None,
        previous_state: Some(State::Running),
        told: true,
        held_until: None,
        reminded_at: None,
        first_look: false,
        muted: None,
        untold: None,
    }
}

/// A silence that is not over.
pub(super) fn remedy_row(host: &str, service: &str, number: u64) -> RemedyRow {
    let subject = Subject::Service {
        host: host.into(),
        service: service.into(),
    };
    let incident = IncidentId::new(STORE, &subject, 1);
    RemedyRow {
        id: ActId::new(&incident, number),
        host: host.into(),
        service: service.into(),
        group: Some("Web".into()),
        incident,
        plan: "Restart".into(),
        attempt: 1,
        dry_run: false,
        at: Wall(5),
        ended_at: None,
        outcome: None,
        text: String::new(),
        budgets_told: vec![Scope::Service],
    }
}

pub(super) fn silence_row(id: &str) -> SilenceRow {
    let globs = |text: &str| vec![Glob::new(text)];
    SilenceRow {
        id: SilenceId(Arc::from(id)),
        matcher: Matcher {
            host: globs("Web-*"),
            site: globs("oslo"),
            service: globs("W3SVC"),
            severity: vec![Severity::Critical],
            kind: Vec::new(),
            event: vec![ToldEvent::Stopped],
            labels: vec![("team".to_owned(), globs("d*"))],
        },
        author: "anna".to_owned(),
        comment: "a new disk".to_owned(),
        from: at(1),
        until: at(2),
        ended_at: None,
        ended_by: None,
    }
}

pub(super) fn notice(host: &str, name: &str, number: u64) -> Notice {
    Notice {
        kind: Kind::Opened,
        event: ToldEvent::Stopped,
        at: at(number),
        severity: Severity::Critical,
        subject: service(host, name),
        site: Some(Arc::from("oslo")),
        display_name: Some(Arc::from("Print Spooler")),
        friendly_name: None,
        state: Some(State::Stopped),
        previous_state: Some(State::Running),
        since: Some(at(number)),
        start_type: Some(StartType::Automatic),
        details: Some(Arc::new(details())),
        exit_code: Some(1_067),
        service_exit_code: None,
        cause: Some("ended by itself".to_owned()),
        evidence: None,
        remedy: Vec::new(),
        labels: Arc::from([("team".to_owned(), "print \"ops\"\n".to_owned())]),
        incident: Some(IncidentRef {
            id: IncidentId::new(STORE, &service(host, name), number),
            opened_at: at(number),
        }),
        merged: Vec::new(),
        group: None,
        items: Vec::new(),
        counts: Vec::new(),
        seq: number,
    }
}

pub(super) fn delivery_row(host: &str, name: &str, number: u64) -> DeliveryRow {
    let notice = notice(host, name, number);
    DeliveryRow {
        key: DeliveryKey::new(
            &"duty".into(),
            "ops@corp.example",
            notice.incident.as_ref().unwrap().id.as_str(),
            notice.kind.as_str(),
            number,
        ),
        order: number,
        destination: "duty".into(),
        recipient: Arc::from("ops@corp.example"),
        notice: Arc::new(notice),
        state: DeliveryState::Pending,
        reason: None,
        frozen: false,
        payload: None,
        attempts: 0,
        created: at(number),
        due: at(number),
    }
}

pub(super) fn attempt_row(key: &DeliveryKey, number: u32) -> AttemptRow {
    AttemptRow {
        key: key.clone(),
        number,
        at: at(u64::from(number)),
        result: "retry",
        answer: "503 try later".to_owned(),
    }
}

pub(super) fn dropped_row(host: &str, name: &str, number: u64) -> DroppedRow {
    DroppedRow {
        subject: service(host, name),
        seq: number,
        destination: None,
        at: at(number),
        event: ToldEvent::Stopped,
        why: Why::NeverSeenRunning,
    }
}

pub(super) fn lane_row(host: &str, name: &str) -> LaneRow {
    LaneRow {
        destination: "duty".into(),
        recipient: Arc::from("ops@corp.example"),
        subject: service(host, name),
        told: Some(Told {
            incident: IncidentId::new(STORE, &service(host, name), 1),
            opened_at: at(1),
        }),
        behind: None,
        owes_state: true,
        last_sent: Some(at(2)),
        removed: false,
    }
}
