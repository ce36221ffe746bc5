//! Any rows at all, for tests of what holds for all of them.

use super::samples::STORE;
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::sync::Arc;
use svcwatch_core::{
    cause::Cause,
    evidence::{Clue, ClueKind, Evidence},
    id::{DeliveryKey, IncidentId, Name, Subject},
    notice::{GroupSeen, IncidentRef, Item, Kind, Merged, Notice, Severity, ToldEvent, Why},
    observe::{FailureAction, FailureActions, Fault, Refusal, ServiceDetails, StartType, State},
    plan::Wanted,
    record::{
        AccountRow, Acknowledged, AttemptRow, BootRow, DeliveryRow, DeliveryState, DestinationRow,
        DroppedRow, FeedRow, GroupRow, HistoryRow, HostRow, IncidentRow, LaneRow, LeftAlone,
        Record, Restarts, TargetRow, Told,
    },
    remedy::{ActId, Outcome, RemedyRow, RemedyTold, Scope},
    time::{Span, Wall},
};

fn any_name() -> impl Strategy<Value = Name> {
    // Few enough that rows meet each other; with spellings, and with characters that need care somewhere.
    select(vec![
        "srv01", "SRV01", "Ærø", "ærø", "a b", "o'x\"y", "%_", "z",
    ])
    .prop_map(Name::new)
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~]{0,12}",
        "\\PC{0,12}",
        "[\\x00-\\x1f]{1,3}"
    ]
}

fn any_wall() -> impl Strategy<Value = Wall> {
    prop_oneof![0_i64..10, Just(1_700_000_000_000), any::<i64>()].prop_map(Wall)
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..6, 0..=i64::MAX.unsigned_abs()]
}

fn any_subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        (any_name(), any_name()).prop_map(|(host, service)| Subject::Service { host, service }),
        any_name().prop_map(Subject::Host),
        any_name().prop_map(Subject::Visibility),
        (any_name(), any_name()).prop_map(|(group, service)| Subject::Group { group, service }),
        any_name().prop_map(Subject::Account),
        any_name().prop_map(Subject::Destination),
        Just(Subject::Fleet),
    ]
}

fn any_incident_id() -> impl Strategy<Value = IncidentId> {
    (any_subject(), 0_u64..4).prop_map(|(subject, seq)| IncidentId::new(STORE, &subject, seq))
}

fn any_recipient() -> impl Strategy<Value = Arc<str>> {
    select(vec!["", "ops@corp.example", "x"]).prop_map(Arc::from)
}

fn any_key() -> impl Strategy<Value = DeliveryKey> {
    (any_name(), any_recipient(), 0_u64..3)
        .prop_map(|(name, recipient, seq)| DeliveryKey::new(&name, &recipient, "i", "opened", seq))
}

prop_compose! {
    fn any_target()(
        (host, service) in (any_name(), any_name()),
        (state, previous_state) in (select(State::ALL), option::of(select(State::ALL))),
        (since, wrong_since) in (any_wall(), option::of(any_wall())),
        (hidden, seen_running, removed) in any::<(bool, bool, bool)>(),
        seq in any_number(),
        (pid, exit_code, service_exit_code) in any::<(Option<u32>, Option<u32>, Option<u32>)>(),
        (start_type, selected_start) in (option::of(select(StartType::ALL)), option::of(select(StartType::ALL))),
        (trigger_start, per_user) in any::<(Option<bool>, Option<bool>)>(),
        (display_name, details) in (option::of(any_text()), option::of(any_details())),
        restarts in option::of((any::<u32>(), any_wall(), any_wall(), any::<u32>(), any::<bool>())),
    ) -> TargetRow {
        TargetRow {
            host, service, state, since, previous_state, hidden, seq, seen_running, wrong_since, pid, exit_code,
            service_exit_code, start_type, trigger_start, per_user, display_name: display_name.map(Arc::from),
            details: details.map(Arc::new), selected_start, removed,
            restarts: restarts.map(|(count, since, last, failures, mending)| {
                Box::new(Restarts { count, since, last, failures, mending })
            }),
        }
    }
}

prop_compose! {
    fn any_host()(
        host in any_name(),
        (computer_name, cause) in (option::of(any_text()), option::of(any_text())),
        fault in option::of(select(Fault::ALL)),
        (wrong_since, refused_until, since) in (option::of(any_wall()), option::of(any_wall()), any_wall()),
        (booted_at, grace_until, shutting_down_until) in (option::of(any_wall()), option::of(any_wall()), option::of(any_wall())),
        visible in any::<Option<u32>>(),
        (seq, visibility_seq) in (any_number(), any_number()),
        (listed, removed) in (any::<bool>(), any::<bool>()),
    ) -> HostRow {
        HostRow {
            host, computer_name, fault, cause, wrong_since, since, visible, seq, visibility_seq, refused_until, listed, removed,
            boot: BootRow { booted_at, grace_until, shutting_down_until },
        }
    }
}

prop_compose! {
    fn any_account()(
        account in any_name(),
        paused in option::of(select(Refusal::ALL)),
        (paused_at, next_try) in (option::of(any_wall()), option::of(any_wall())),
        refused_by in vec(any_name(), 0..3),
        left_alone in vec((any_name(), any_wall()), 0..3),
        seq in any_number(),
    ) -> AccountRow {
        let left_alone = left_alone.into_iter().map(|(guest, until)| LeftAlone { guest, until }).collect();
        AccountRow { account, paused, paused_at, next_try, refused_by, left_alone, seq }
    }
}

prop_compose! {
    fn any_destination()(
        destination in any_name(),
        (failing_since, last_sent) in (option::of(any_wall()), option::of(any_wall())),
        seq in any_number(),
    ) -> DestinationRow {
        DestinationRow { destination, failing_since, last_sent, seq }
    }
}

prop_compose! {
    fn any_try()(
        (incident, number) in (any_incident_id(), 0_u64..3),
        (host, service, group, plan) in (any_name(), any_name(), option::of(any_name()), any_name()),
        (at, ended_at) in (any_wall(), option::of(any_wall())),
        (attempt, dry_run) in any::<(u32, bool)>(),
        (outcome, text) in (option::of(select(Outcome::ALL)), any_text()),
        budgets_told in vec(select(Scope::ALL), 0..3),
    ) -> RemedyRow {
        RemedyRow {
            id: ActId::new(&incident, number), host, service, group, incident, plan, attempt, dry_run, at, ended_at,
            outcome, text, budgets_told,
        }
    }
}

prop_compose! {
    fn any_told()(
        (at, plan, attempt) in (any_wall(), any_name(), any::<u32>()),
        (outcome, text) in (option::of(select(Outcome::ALL)), any_text()),
    ) -> RemedyTold {
        RemedyTold { at, plan, attempt, outcome, text }
    }
}

prop_compose! {
    fn any_evidence()(
        (cause, complete) in (select(Cause::ALL), any::<bool>()),
        clues in vec((select(ClueKind::ALL), option::of(any_wall()), any_text(), any::<bool>()), 0..3),
    ) -> Evidence {
        let clues = clues.into_iter().map(|(kind, at, text, told)| Clue { kind, at, text, told });
        Evidence { cause, clues: clues.collect(), complete }
    }
}

prop_compose! {
    fn any_incident()(
        (subject, seq) in (any_subject(), 0_u64..4),
        (event, severity) in (select(ToldEvent::ALL), select(Severity::ALL)),
        (opened_at, resolved_at) in (any_wall(), option::of(any_wall())),
        acknowledged in option::of((any_text(), any_wall(), any_text())),
        (cause, evidence) in (option::of(any_text()), option::of(any_evidence())),
        previous_state in option::of(select(State::ALL)),
        (told, first_look) in any::<(bool, bool)>(),
        (held_until, reminded_at) in (option::of(any_wall()), option::of(any_wall())),
        (muted, untold) in (option::of(select(Why::ALL)), option::of(select(ToldEvent::ALL))),
    ) -> IncidentRow {
        IncidentRow {
            id: IncidentId::new(STORE, &subject, seq),
            subject, seq, event, severity, opened_at, resolved_at,
            acknowledged: acknowledged.map(|(by, at, note)| Acknowledged { by, at, note }),
            cause, evidence: evidence.map(Arc::new), previous_state, told, held_until, reminded_at, first_look,
            muted, untold,
        }
    }
}

prop_compose! {
    fn any_history()(
        subject in any_subject(),
        at in any_wall(),
        (from, to) in (option::of(select(State::ALL)), option::of(select(State::ALL))),
        fault in option::of(select(Fault::ALL)),
        event in option::of(select(ToldEvent::ALL)),
        incident in option::of(any_incident_id()),
        (exit_code, service_exit_code, pid) in any::<(Option<u32>, Option<u32>, Option<u32>)>(),
        cause in option::of(any_text()),
    ) -> HistoryRow {
        // The numbers are given by `in_order`.
        HistoryRow {
            record: 0, subject, seq: 0, at, from, to, fault, event, incident, exit_code, service_exit_code, pid, cause,
        }
    }
}

prop_compose! {
    fn any_lane()(
        (destination, recipient, subject) in (any_name(), any_recipient(), any_subject()),
        told in option::of((any_incident_id(), any_wall())),
        behind in option::of(any_key()),
        owes_state in any::<bool>(),
        last_sent in option::of(any_wall()),
        removed in prop::bool::weighted(0.2),
    ) -> LaneRow {
        LaneRow {
            destination, recipient, subject,
            told: told.map(|(incident, opened_at)| Told { incident, opened_at }),
            behind, owes_state, last_sent, removed,
        }
    }
}

fn any_item() -> impl Strategy<Value = Item> {
    (
        option::of(any_name()),
        option::of(any_name()),
        option::of(any_name()),
        option::of(select(State::ALL)),
        select(ToldEvent::ALL),
    )
        .prop_map(|(host, group, service, state, event)| Item {
            host,
            group,
            service,
            state,
            event,
        })
}

fn any_merged() -> impl Strategy<Value = Merged> {
    (any_incident_id(), any_wall(), any_wall()).prop_map(|(incident, opened_at, resolved_at)| {
        Merged {
            incident,
            opened_at,
            resolved_at,
        }
    })
}

fn any_arc() -> impl Strategy<Value = Option<Arc<str>>> {
    option::of(any_text().prop_map(Arc::from))
}

prop_compose! {
    fn any_failure_actions()(
        reset_after in option::of(any::<u64>().prop_map(Span)),
        actions in vec((select(FailureAction::ALL), any::<u64>().prop_map(Span)), 0..4),
        on_error_exit in any::<bool>(),
    ) -> FailureActions {
        FailureActions { reset_after, actions, on_error_exit }
    }
}

prop_compose! {
    fn any_details()(
        (binary_path, run_as) in (any_arc(), any_arc()),
        dependencies in option::of(vec(any_text(), 0..3)),
        arguments_hash in option::of(any::<u64>()),
        failure_actions in option::of(any_failure_actions()),
    ) -> ServiceDetails {
        let dependencies = dependencies.map(|names| names.into_iter().map(Arc::from).collect());
        ServiceDetails { binary_path, run_as, dependencies, arguments_hash, failure_actions }
    }
}

prop_compose! {
    fn any_group_seen()(
        (name, exact) in (any_name(), any::<bool>()),
        (count, running) in any::<(u32, u32)>(),
        members in vec((any_name(), select(State::ALL)), 0..3),
    ) -> GroupSeen {
        let expected = if exact { Wanted::Exactly(count) } else { Wanted::AtLeast(count) };
        GroupSeen { name, expected, running, members }
    }
}

prop_compose! {
    fn any_group()(
        (group, service) in (any_name(), any_name()),
        seq in any_number(),
        wrong_since in option::of(any_wall()),
        ran_on in option::of(vec(any_name(), 0..3)),
        removed in any::<bool>(),
    ) -> GroupRow {
        GroupRow { group, service, seq, wrong_since, ran_on, removed }
    }
}

prop_compose! {
    pub(super) fn any_notice()(
        (kind, event, severity) in (select(Kind::ALL), select(ToldEvent::ALL), select(Severity::ALL)),
        (at, since, subject, seq) in (any_wall(), option::of(any_wall()), any_subject(), any::<u64>()),
        (site, display_name, friendly_name) in (any_arc(), any_arc(), any_arc()),
        (state, previous_state) in (option::of(select(State::ALL)), option::of(select(State::ALL))),
        start_type in option::of(select(StartType::ALL)),
        details in option::of(any_details()),
        (exit_code, service_exit_code) in any::<(Option<u32>, Option<u32>)>(),
        (cause, evidence) in (option::of(any_text()), option::of(any_evidence())),
        remedy in vec(any_told(), 0..3),
        labels in vec((any_text(), any_text()), 0..3),
        incident in option::of((any_incident_id(), any_wall())),
        (merged, items) in (vec(any_merged(), 0..3), vec(any_item(), 0..3)),
        group in option::of(any_group_seen()),
        counts in vec((select(ToldEvent::ALL), any::<u64>()), 0..3),
    ) -> Notice {
        Notice {
            kind, event, at, severity, subject, site, display_name, friendly_name, state, previous_state, since,
            start_type, details: details.map(Arc::new), exit_code, service_exit_code, cause,
            evidence: evidence.map(Arc::new), remedy, labels: labels.into(),
            incident: incident.map(|(id, opened_at)| IncidentRef { id, opened_at }),
            merged, group: group.map(Arc::new), items, counts, seq,
        }
    }
}

prop_compose! {
    fn any_delivery()(
        key in any_key(),
        (destination, recipient) in (any_name(), any_recipient()),
        notice in any_notice(),
        state in select(DeliveryState::ALL),
        reason in option::of(any_text()),
        frozen in any::<bool>(),
        payload in option::of(vec(any::<u8>(), 0..40)),
        attempts in any::<u32>(),
        (created, due) in (any_wall(), any_wall()),
    ) -> DeliveryRow {
        // The order is given by `in_order`.
        DeliveryRow {
            key, order: 0, destination, recipient, notice: Arc::new(notice), state, reason, frozen,
            payload: payload.map(Arc::from), attempts, created, due,
        }
    }
}

prop_compose! {
    fn any_attempt()(
        key in any_key(),
        number in 1_u32..5,
        at in any_wall(),
        result in select(vec!["delivered", "retry", "rejected"]),
        answer in any_text(),
    ) -> AttemptRow {
        AttemptRow { key, number, at, result, answer }
    }
}

prop_compose! {
    fn any_dropped()(
        (subject, seq) in (any_subject(), 0_u64..4),
        destination in option::of(any_name()),
        at in any_wall(),
        event in select(ToldEvent::ALL),
        why in select(Why::ALL),
    ) -> DroppedRow {
        DroppedRow { subject, seq, destination, at, event, why }
    }
}

prop_compose! {
    fn any_feed()(destination in any_name(), record in 0_u64..9) -> FeedRow {
        FeedRow { destination, record }
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        any_target().prop_map(Record::Target),
        any_host().prop_map(Record::Host),
        any_account().prop_map(Record::Account),
        any_destination().prop_map(Record::Destination),
        any_incident().prop_map(Record::Incident),
        any_history().prop_map(Record::History),
        any_lane().prop_map(Record::Lane),
        any_delivery().prop_map(Record::Delivery),
        any_key().prop_map(Record::DeliveryMerged),
        any_attempt().prop_map(Record::Attempt),
        any_dropped().prop_map(Record::Dropped),
        any_feed().prop_map(Record::Feed),
        any_group().prop_map(Record::Group),
        any_try().prop_map(Record::Remedy),
    ]
}

/// Any batches, with the numbers that rise over the whole store as the engine gives them.
pub(super) fn any_batches() -> impl Strategy<Value = Vec<Vec<Record>>> {
    vec(vec(any_record(), 0..20), 0..6).prop_map(in_order)
}

fn in_order(mut batches: Vec<Vec<Record>>) -> Vec<Vec<Record>> {
    for (number, record) in (1..).zip(batches.iter_mut().flatten()) {
        match record {
            Record::History(row) => {
                row.record = number;
                row.seq = number;
            }
            Record::Delivery(row) => row.order = number,
            _ => {}
        }
    }
    batches
}
