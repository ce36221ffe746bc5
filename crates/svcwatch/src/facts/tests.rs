use super::*;
use svcwatch_core::{id::StoreId, notice::Severity, time::Wall};

fn facts() -> Facts {
    Facts::new(Build {
        version: "1.2.3",
        commit: "abc",
    })
}

fn text(facts: &Facts) -> String {
    let mut text = String::new();
    facts.encode(&mut text).unwrap();
    text
}

fn has(facts: &Facts, line: &str) {
    let text = text(facts);
    assert!(
        text.lines().any(|other| other == line),
        "no line {line} in\n{text}"
    );
}

fn incident(event: ToldEvent, resolved: bool) -> Record {
    let subject = Subject::Host("h".into());
    Record::Incident(IncidentRow {
        id: IncidentId::new(StoreId::default(), &subject, 1),
        subject,
        seq: 1,
        event,
        severity: Severity::Critical,
        opened_at: Wall(1),
        resolved_at: resolved.then_some(Wall(2)),
        acknowledged: None,
        cause: None,
        evidence: None,
        previous_state: None,
        told: true,
        held_until: None,
        first_look: false,
        reminded_at: None,
        muted: None,
        untold: None,
    })
}

#[test]
fn closed_lists_begin_at_zero() {
    let facts = facts();
    for line in [
        "svcwatch_checks_total{result=\"ok\"} 0",
        "svcwatch_checks_total{result=\"wrong_host\"} 0",
        "svcwatch_checks_total{result=\"late\"} 0",
        "svcwatch_transitions_total{event=\"host_unreachable\"} 0",
        "svcwatch_transitions_total{event=\"stop_pending\"} 0",
        "svcwatch_drops_total{reason=\"no_route\"} 0",
        "svcwatch_incidents_open{event=\"stopped\",severity=\"critical\"} 0",
        "svcwatch_missed_rounds_total 0",
        "svcwatch_build_info{version=\"1.2.3\",commit=\"abc\"} 1",
    ] {
        has(&facts, line);
    }
    let board = Board::new();
    facts.destinations(&board, &["duty".into()]);
    has(
        &facts,
        "svcwatch_deliveries_total{destination=\"duty\",result=\"retry\"} 0",
    );
    has(
        &facts,
        "svcwatch_template_failures_total{destination=\"duty\"} 0",
    );
    facts.fallbacks().count(&"duty".into(), 2);
    has(
        &facts,
        "svcwatch_template_failures_total{destination=\"duty\"} 2",
    );
    assert_eq!(board.outbox(), [("duty".into(), 0)]);
}

#[test]
fn every_fact_moves_its_metric() {
    let facts = facts();
    let host: Name = "h".into();
    let subject = Subject::Host(host.clone());
    let fact = Fact::Checked {
        host: host.clone(),
        fault: Some(Fault::Timeout),
        took: Span(40),
        lag: Span(7),
    };
    facts.note(&fact);
    facts.note(&Fact::MissedRounds {
        host: host.clone(),
        rounds: 3,
    });
    facts.note(&Fact::Transition {
        host: host.clone(),
        service: "s".into(),
        from: None,
        to: State::Running,
    });
    facts.note(&Fact::HostChanged {
        host: host.clone(),
        fault: Some(Fault::Unreachable),
        cause: None,
    });
    facts.note(&Fact::Dropped {
        subject,
        destination: None,
        why: Why::NoRoute,
    });
    facts.note(&Fact::Attempted {
        delivery: DeliveryKey("k".into()),
        destination: "duty".into(),
        result: "rejected",
        answer: "550 no such user".to_owned(),
    });
    facts.note(&Fact::LateAnswer { host });
    facts.note(&Fact::AccountPaused {
        account: "ops".into(),
        paused: true,
    });
    facts.note(&Fact::NotOpen {
        incident: IncidentId("x-1".into()),
    });
    facts.commit_failed("disk full", Duration::from_millis(1));
    for line in [
        "svcwatch_checks_total{result=\"timeout\"} 1",
        "svcwatch_checks_total{result=\"late\"} 1",
        "svcwatch_check_duration_seconds_bucket{le=\"0.025\"} 0",
        "svcwatch_check_duration_seconds_bucket{le=\"0.05\"} 1",
        "svcwatch_schedule_lag_seconds_count 1",
        "svcwatch_missed_rounds_total 3",
        "svcwatch_transitions_total{event=\"started\"} 1",
        "svcwatch_transitions_total{event=\"host_unreachable\"} 1",
        "svcwatch_drops_total{reason=\"no_route\"} 1",
        "svcwatch_deliveries_total{destination=\"duty\",result=\"rejected\"} 1",
        "svcwatch_accounts_paused 1",
        "svcwatch_late_acknowledgements_total 1",
        "svcwatch_commit_failures_total 1",
    ] {
        has(&facts, line);
    }
    facts.note(&Fact::AccountPaused {
        account: "OPS".into(),
        paused: false,
    });
    has(&facts, "svcwatch_accounts_paused 0");
}

#[test]
fn open_incidents_follow_their_rows() {
    let facts = facts();
    let line = |event: &str, count: u8| {
        format!("svcwatch_incidents_open{{event=\"{event}\",severity=\"critical\"}} {count}")
    };
    facts.committed(&[incident(ToldEvent::Stopped, false)], Duration::ZERO);
    has(&facts, &line("stopped", 1));
    facts.committed(&[incident(ToldEvent::Paused, false)], Duration::ZERO);
    has(&facts, &line("stopped", 0));
    has(&facts, &line("paused", 1));
    facts.committed(&[incident(ToldEvent::Paused, false)], Duration::ZERO);
    has(&facts, &line("paused", 1));
    facts.committed(&[incident(ToldEvent::Paused, true)], Duration::ZERO);
    has(&facts, &line("paused", 0));
    has(&facts, "svcwatch_commit_duration_seconds_count 4");
}
