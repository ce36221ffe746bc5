//! Every rule of the judge is broken once by a history made by hand, and a history that keeps them all breaks none.

use crate::{
    ledger::End,
    logons::probe,
    oracle::{Oracle, Window},
    store::Store,
};
use std::sync::Arc;
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name, StoreId, Subject},
    notice::{IncidentRef, Kind, Merged, Notice, ToldEvent},
    observe::{Fault, HostReading, Reading, ServiceReading, State},
    plan::{
        DestinationPlan, EntryPlan, Expect, HostPlan, Limit, LimitPer, NoticePlan, Plan, Selector,
        StoppedOk,
    },
    record::{Acknowledged, DeliveryRow, DeliveryState, IncidentRow, Record, TargetRow},
    time::{Span, Wall},
};

/// A judge with its store, and the numbers of what is written.
struct Court {
    oracle: Oracle,
    store: Store,
}

fn service() -> Subject {
    Subject::Service {
        host: "srv0".into(),
        service: "Svc0".into(),
    }
}

fn plan() -> Plan {
    let entry = EntryPlan {
        selector: Selector::Name("Svc0".into()),
        expect: Expect::Running,
        for_span: Span(60_000),
        confirm: 1,

        instant: false,
        required: true,
        counted: false,
        remedy: None,
        recovery: false,
        stopped_ok: StoppedOk::Never,
        changes: false,
        noise: None,
        friendly_name: None,
        severity: None,
        labels: Arc::from([]),
    };
    let host = |name: &str| {
        Arc::new(HostPlan {
            name: name.into(),
            address: String::new(),
            site: None,
            account: Some("corp".into()),
            every: Span(30_000).into(),
            timeout: Span(10_000),
            host_for: Span(90_000),
            settle: Span(0),
            boot_grace: Span(0),
            also_known_as: Vec::new(),
            listed: false,
            tells_by_itself: false,
            labels: Arc::from([]),
            services: vec![entry.clone()],
        })
    };
    Plan {
        hosts: vec![host("srv0"), host("srv1")],
        accounts: vec!["corp".into()],
        destinations: vec![DestinationPlan {
            name: "hook".into(),
            recipients: vec![Arc::from("")],
            limit: Some(Limit {
                per: LimitPer::Service,
                every: Span(30_000),
            }),
        }],
        notices: NoticePlan::default(),
        ..Plan::default()
    }
}

impl Court {
    fn new() -> Self {
        Self {
            oracle: Oracle::new(Arc::new(plan())),
            store: Store::default(),
        }
    }

    fn at(mut self, now: u64) -> Self {
        self.oracle.now = now;
        self
    }

    /// Both services are read in this state.
    fn read(mut self, now: u64, state: State) -> Self {
        let reading = Reading {
            state,
            pid: None,
            exit_code: None,
            service_exit_code: None,
            checkpoint: 0,
            wait_hint: Span(0),
        };
        let services = vec![ServiceReading {
            name: "Svc0".to_string(),
            display_name: String::new(),
            reading,
        }];
        let reading = HostReading {
            services,
            ..HostReading::default()
        };
        self.oracle.readings.read(now, &"srv0".into(), &reading);
        self.at(now)
    }

    fn fail(mut self, now: u64, fault: Fault) -> Self {
        self.oracle.readings.failed(now, &"srv0".into(), fault);
        self.at(now)
    }

    fn write(mut self, record: Record) -> Self {
        let now = self.oracle.now;
        let window = Window {
            from: now,
            until: now,
        };
        self.oracle.before_write(&self.store, window, &record);
        let wall = Wall(i64::try_from(now).expect("the time of a test is short"));
        if let Some((rule, sentence)) = self.store.apply((now, now), wall, &[record]) {
            self.oracle.broken(rule, sentence);
        }
        self
    }

    fn send(mut self, row: &DeliveryRow) -> Self {
        let payload = row.payload.clone().unwrap_or_else(|| Arc::from([]));
        self.oracle.sends(
            &self.store,
            &row.key,
            &row.destination,
            &row.recipient,
            &payload,
        );
        self
    }

    fn end(mut self, row: &DeliveryRow, end: End) -> Self {
        if end == End::Delivered {
            self.oracle.takes(&self.store, &row.key);
        }
        self.oracle.answers(&row.key, &row.destination, end);
        self
    }

    /// A message is written, sent and taken.
    fn deliver(self, row: &DeliveryRow) -> Self {
        let court = self
            .write(Record::Delivery(row.clone()))
            .send(row)
            .end(row, End::Delivered);
        let done = DeliveryRow {
            state: DeliveryState::Delivered,
            ..row.clone()
        };
        court.write(Record::Delivery(done))
    }

    fn breaks(self, rule: &str, words: &str) {
        let found = self.oracle.found.expect("a rule is broken");
        assert_eq!(found.rule, rule, "{found}");
        assert!(found.sentence.contains(words), "{found}");
    }

    fn breaks_nothing(self) {
        assert!(self.oracle.found.is_none(), "{:?}", self.oracle.found);
    }
}

fn incident(subject: &Subject, seq: u64, event: ToldEvent) -> IncidentRow {
    IncidentRow {
        id: IncidentId::new(StoreId::default(), subject, seq),
        subject: subject.clone(),
        seq,
        event,
        severity: event.severity(),
        opened_at: Wall(0),
        resolved_at: None,
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
    }
}

fn opened(seq: u64) -> Record {
    Record::Incident(incident(&service(), seq, ToldEvent::Stopped))
}

fn over(seq: u64) -> Record {
    Record::Incident(IncidentRow {
        resolved_at: Some(Wall(1)),
        ..incident(&service(), seq, ToldEvent::Stopped)
    })
}

/// A frozen message about an incident of the service.
fn message(kind: Kind, incident: u64, order: u64) -> DeliveryRow {
    let id = IncidentId::new(StoreId::default(), &service(), incident);
    let mut notice = Notice::new(kind, ToldEvent::Stopped, Wall(0), service(), order);
    notice.incident = Some(IncidentRef {
        id: id.clone(),
        opened_at: Wall(0),
    });
    let hook = Name::new("hook");
    DeliveryRow {
        key: DeliveryKey::new(&hook, "", id.as_str(), kind.as_str(), order),
        order,
        destination: hook,
        recipient: Arc::from(""),
        notice: Arc::new(notice),
        state: DeliveryState::Sending,
        reason: None,
        frozen: true,
        payload: Some(Arc::from([1, 2, 3])),
        attempts: 0,
        created: Wall(0),
        due: Wall(0),
    }
}

fn target(state: State, seq: u64) -> Record {
    Record::Target(TargetRow {
        host: "srv0".into(),
        service: "Svc0".into(),
        state,
        since: Wall(0),
        previous_state: None,
        hidden: false,
        seq,
        seen_running: true,
        wrong_since: None,
        pid: None,
        exit_code: None,
        service_exit_code: None,
        start_type: None,
        trigger_start: None,
        per_user: None,
        display_name: None,
        details: None,
        selected_start: None,
        restarts: None,
        removed: false,
    })
}

/// The service ran, and stopped long enough ago.
fn stopped() -> Court {
    Court::new()
        .read(0, State::Running)
        .read(30_000, State::Stopped)
        .read(90_000, State::Stopped)
}

#[test]
fn a_true_history_breaks_nothing() {
    stopped()
        .write(target(State::Stopped, 1))
        .write(opened(1))
        .deliver(&message(Kind::Opened, 1, 1))
        .read(130_000, State::Running)
        .write(target(State::Running, 2))
        .write(over(1))
        .deliver(&message(Kind::Resolved, 1, 2))
        .breaks_nothing();
}

#[test]
fn what_no_reading_said_is_found() {
    let running = || Court::new().read(0, State::Running);
    running()
        .write(opened(1))
        .breaks("P4", "no valid reading said so");
    running()
        .write(target(State::Stopped, 1))
        .breaks("P4", "no valid reading");
    let short = running()
        .read(30_000, State::Stopped)
        .read(60_000, State::Stopped);
    short.write(opened(1)).breaks("P4", "of 60000");
    let blind = stopped().write(opened(1)).fail(120_000, Fault::Unreachable);
    blind.write(over(1)).breaks("P4", "said to be over");
}

#[test]
fn a_fault_of_a_host_needs_checks_and_time() {
    let host = Subject::Host("srv0".into());
    let unreachable = || Record::Incident(incident(&host, 1, ToldEvent::HostUnreachable));
    let once = Court::new().fail(0, Fault::Timeout).at(100_000);
    once.write(unreachable()).breaks("P4", "no check said so");
    let short = Court::new()
        .fail(0, Fault::Timeout)
        .fail(5_000, Fault::Timeout);
    short.write(unreachable()).breaks("P4", "of 90000");
    let other = Court::new()
        .fail(0, Fault::AccessDenied)
        .fail(95_000, Fault::AccessDenied);
    other.write(unreachable()).breaks("P4", "no check said so");
    let right = Court::new()
        .fail(0, Fault::Timeout)
        .fail(95_000, Fault::Timeout);
    right.write(unreachable()).breaks_nothing();
}

#[test]
fn numbers_and_incidents_are_never_used_again() {
    stopped()
        .write(target(State::Stopped, 5))
        .write(target(State::Stopped, 4))
        .breaks("P5", "went back from 5 to 4");
    stopped()
        .write(opened(1))
        .write(opened(2))
        .breaks("P5", "was still open");
    stopped()
        .write(opened(1))
        .read(130_000, State::Running)
        .write(over(1))
        .write(opened(1))
        .breaks("P5", "used again");
}

#[test]
fn what_is_sent_is_durable_frozen_and_in_order() {
    let row = message(Kind::Opened, 1, 1);
    stopped()
        .send(&row)
        .breaks("I5", "the store has no such delivery");
    let bare = DeliveryRow {
        payload: None,
        frozen: false,
        ..row.clone()
    };
    stopped()
        .write(Record::Delivery(bare))
        .send(&row)
        .breaks("I5", "frozen content");
    let changed = DeliveryRow {
        payload: Some(Arc::from([9])),
        ..row.clone()
    };
    stopped()
        .write(Record::Delivery(row.clone()))
        .write(Record::Delivery(changed))
        .breaks("P1", "changed after it was frozen");
    let later = message(Kind::Updated, 1, 2);
    stopped()
        .write(Record::Delivery(row.clone()))
        .write(Record::Delivery(later.clone()))
        .send(&later)
        .breaks("P1", "of the same service");
    stopped()
        .write(Record::Delivery(row.clone()))
        .write(Record::DeliveryMerged(row.key))
        .breaks("P1", "was merged away");
}

#[test]
fn a_repeat_needs_a_lost_answer() {
    let row = message(Kind::Opened, 1, 1);
    let taken = || {
        stopped()
            .write(opened(1))
            .write(Record::Delivery(row.clone()))
            .send(&row)
    };
    taken()
        .end(&row, End::Delivered)
        .send(&row)
        .breaks("P1", "although its answer came");
    let mut lost = taken();
    lost.oracle.takes(&lost.store, &row.key);
    lost.end(&row, End::Retry(None)).send(&row).breaks_nothing();
    let mut crashed = taken().end(&row, End::Delivered);
    crashed.oracle.crashed(&crashed.store);
    crashed.send(&row).breaks_nothing();
    taken()
        .end(&row, End::Retry(Some(60_000)))
        .send(&row)
        .breaks("P1", "earlier than hook asked for");
}

#[test]
fn what_is_given_up_needs_a_reason() {
    let row = message(Kind::Opened, 1, 1);
    let with = |state| {
        Record::Delivery(DeliveryRow {
            state,
            ..row.clone()
        })
    };
    let written = || stopped().write(Record::Delivery(row.clone()));
    written()
        .write(with(DeliveryState::Expired))
        .breaks("P1", "was given up after");
    written()
        .write(with(DeliveryState::Parked))
        .breaks("P1", "nobody rejected it");
    written()
        .write(with(DeliveryState::Delivered))
        .breaks("P1", "was not taken");
    written()
        .send(&row)
        .end(&row, End::Rejected)
        .write(with(DeliveryState::Parked))
        .breaks_nothing();
}

#[test]
fn recipients_hear_a_story_that_makes_sense() {
    stopped()
        .deliver(&message(Kind::Resolved, 1, 1))
        .breaks("I3", "its opening never arrived");
    let told = || stopped().deliver(&message(Kind::Opened, 1, 1)).at(200_000);
    told()
        .deliver(&message(Kind::Opened, 2, 2))
        .breaks("I3", "never told to be over");
    told()
        .deliver(&message(Kind::Opened, 1, 2))
        .breaks("I3", "opened a second time");
    let mut merged = message(Kind::Resolved, 3, 1);
    let mut notice = Notice::clone(&merged.notice);
    notice.merged = vec![Merged {
        incident: IncidentId::new(StoreId::default(), &service(), 3),
        opened_at: Wall(0),
        resolved_at: Wall(1),
    }];
    merged.notice = Arc::new(notice);
    stopped().deliver(&merged).breaks_nothing();
}

#[test]
fn limits_and_acknowledgements_are_kept() {
    stopped()
        .deliver(&message(Kind::Opened, 1, 1))
        .at(100_000)
        .deliver(&message(Kind::Resolved, 1, 2))
        .breaks("policy", "of 30000");
    let taken_note = Record::Incident(IncidentRow {
        acknowledged: Some(Acknowledged {
            by: "ann".to_string(),
            at: Wall(0),
            note: String::new(),
        }),
        ..incident(&service(), 1, ToldEvent::Stopped)
    });
    stopped()
        .write(taken_note)
        .write(Record::Delivery(message(Kind::Reminder, 1, 1)))
        .breaks("policy", "acknowledged");
}

#[test]
fn probes_and_logons_are_paced() {
    let begin = |mut court: Court, host: &str, number| {
        court.oracle.probe_begins(&probe(host, number), false);
        court
    };
    let first = || begin(Court::new(), "srv0", 1);
    begin(first(), "srv0", 2).breaks("P3", "is under way");
    begin(first(), "srv1", 2).breaks("logons", "beside the first logon");
    begin(first().at(10_000), "srv1", 2).breaks_nothing();

    let mut refused = Court::new();
    let (host, account) = (Name::new("srv0"), Name::new("corp"));
    refused.oracle.logons.turns(0, &account, true, (false, 1));
    for minute in 1..=3 {
        refused = refused.at(minute * 60_000);
        let now = refused.oracle.now;
        refused.oracle.logon_refused(&host, &account, now);
    }
    assert!(refused.oracle.found.is_none());
    refused = refused.at(240_000);
    refused.oracle.logon_refused(&host, &account, 240_000);
    refused.breaks("logons", "4 logons with corp");
}
