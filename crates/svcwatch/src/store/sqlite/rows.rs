//! Rows of the database as the rows that are used.
//!
//! A row that this version cannot use (a subject of an unknown kind, a notice that does not parse) is left out and said
//! in the log; it stays in the database for the version that can.

use crate::store::evidence::evidence_of_json;
use crate::store::matcher::matcher_of_json;
use crate::store::notice::{details_of_json, notice_of_json};
use crate::store::record::{
    TargetFlags, counted, delivery_state, event, fault, left_alone_of_json, muted, names_of_json,
    refusal, restarts_of_json, result, severity, start_type, state, subject,
};
use rusqlite::{Connection, Row};
use std::{collections::HashMap, sync::Arc};
use svcwatch_core::{
    evidence::Evidence,
    id::{DeliveryKey, IncidentId, Name, Subject},
    notice::{ToldEvent, Why},
    observe::{ServiceDetails, State},
    record::{
        AccountRow, Acknowledged, AttemptRow, BootRow, DeliveryRow, DestinationRow, DroppedRow,
        FeedRow, GroupRow, HistoryRow, HostRow, IncidentRow, LaneRow, TargetRow, Told,
    },
    silence::{SilenceId, SilenceRow},
    time::Wall,
};

/// Columns of a subject, joined as `s`; they stand first where a row has one.
macro_rules! subject_columns {
    () => {
        "s.kind, coalesce(s.host_shown, s.host), coalesce(s.name_shown, s.name)"
    };
}

pub(super) const TARGET: &str = "host, coalesce(host_shown, host), coalesce(service_shown, service), state, since, previous_state, flags, seq,
    wrong_since, pid, exit_code, service_exit_code, start_type, display_name, selected_start, details, restarts";
pub(super) const HOST: &str =
    "coalesce(host_shown, host), computer_name, fault, cause, wrong_since, since, visible, seq,
    visibility_seq, refused_until, removed, listed, booted_at, grace_until, shutting_down_until";
pub(super) const ACCOUNT: &str =
    "coalesce(account_shown, account), paused, paused_at, next_try, refused_by, seq, left_alone";
pub(super) const DESTINATION: &str =
    "coalesce(destination_shown, destination), failing_since, last_sent, seq";
pub(super) const INCIDENT: &str = concat!(
    subject_columns!(),
    ", i.id, i.seq, i.event, i.severity, i.opened_at, i.resolved_at, i.acknowledged_by, i.acknowledged_at,
    i.acknowledged_note, i.cause, i.previous_state, i.told, i.held_until, i.reminded_at, i.number, i.first_look,
    i.muted, i.untold, i.evidence"
);
pub(super) const SILENCE: &str =
    "id, matcher, author, comment, from_at, until_at, ended_at, ended_by";
pub(super) const HISTORY: &str = concat!(
    subject_columns!(),
    ", h.record, h.seq, h.at, h.from_state, h.to_state, h.fault, h.event, h.incident, h.exit_code, h.service_exit_code,
    h.pid, h.cause"
);
pub(super) const LANE: &str = concat!(
    subject_columns!(),
    ", coalesce(l.destination_shown, l.destination), l.recipient, l.told_incident, l.told_opened_at, l.owes_state,
    l.last_sent, l.behind"
);
pub(super) const DELIVERY: &str = "key, place, coalesce(destination_shown, destination), recipient, notice, state, reason, frozen,
    payload, attempts, created, due, number";
pub(super) const GROUP: &str = "coalesce(name_shown, name), coalesce(service_shown, service), seq, wrong_since, ran_on, removed";
pub(super) const FEED: &str = "coalesce(destination_shown, destination), record";
pub(super) const ATTEMPT: &str = "delivery, number, at, result, answer";
pub(super) const DROPPED: &str = concat!(
    subject_columns!(),
    ", d.seq, coalesce(d.destination_shown, d.destination), d.at, d.event, d.why"
);

fn word(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    row.get(column)
}

/// A word that may be missing, as what it means.
pub(super) fn meaning<T>(
    row: &Row<'_>,
    column: usize,
    of: impl FnOnce(&str) -> T,
) -> rusqlite::Result<Option<T>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(of))
}

fn must<T>(row: &Row<'_>, column: usize, of: impl FnOnce(&str) -> T) -> rusqlite::Result<T> {
    Ok(of(row.get_ref(column)?.as_str()?))
}

fn wall(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Wall>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Wall))
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(counted(row.get(column)?))
}

/// The subject in the first three columns.
fn about(row: &Row<'_>) -> rusqlite::Result<Option<Subject>> {
    let kind = row.get_ref(0)?.as_str()?;
    let found = subject(kind, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
    if found.is_none() {
        tracing::warn!(kind, "a row about a subject of a newer version is left out");
    }
    Ok(found)
}

/// The details of services by their numbers. What cannot be read is left out: it is asked for again.
pub(super) fn details(reading: &Connection) -> rusqlite::Result<HashMap<i64, Arc<ServiceDetails>>> {
    let mut statement = reading.prepare_cached("SELECT number, text FROM details")?;
    let mut found = statement.query([])?;
    let mut all = HashMap::new();
    while let Some(row) = found.next()? {
        if let Ok(details) = must(row, 1, details_of_json)? {
            all.insert(row.get(0)?, Arc::new(details));
        }
    }
    Ok(all)
}

/// A target, with names and details that the caller makes, because at a start most of them have been made already.
pub(super) fn target(
    row: &Row<'_>,
    host: Name,
    service: Name,
    display_name: Option<Arc<str>>,
    details: &HashMap<i64, Arc<ServiceDetails>>,
) -> rusqlite::Result<TargetRow> {
    let flags = TargetFlags(row.get(6)?);
    Ok(TargetRow {
        host,
        service,
        state: must(row, 3, state)?,
        since: Wall(row.get(4)?),
        previous_state: meaning(row, 5, state)?,
        hidden: flags.hidden(),
        seq: number(row, 7)?,
        seen_running: flags.seen_running(),
        wrong_since: wall(row, 8)?,
        pid: row.get(9)?,
        exit_code: row.get(10)?,
        service_exit_code: row.get(11)?,
        start_type: meaning(row, 12, start_type)?.flatten(),
        trigger_start: flags.trigger_start(),
        per_user: flags.per_user(),
        selected_start: meaning(row, 14, start_type)?.flatten(),
        display_name,
        details: row
            .get::<_, Option<i64>>(15)?
            .and_then(|number| details.get(&number).cloned()),
        restarts: meaning(row, 16, restarts_of_json)?.flatten().map(Box::new),
        removed: flags.removed(),
    })
}

pub(super) fn group(row: &Row<'_>) -> rusqlite::Result<GroupRow> {
    Ok(GroupRow {
        group: must(row, 0, Name::new)?,
        service: must(row, 1, Name::new)?,
        seq: number(row, 2)?,
        wrong_since: wall(row, 3)?,
        // Without the list only a move is not told.
        ran_on: meaning(row, 4, names_of_json)?.and_then(Result::ok),
        removed: row.get(5)?,
    })
}

pub(super) fn host(row: &Row<'_>) -> rusqlite::Result<HostRow> {
    Ok(HostRow {
        host: must(row, 0, Name::new)?,
        computer_name: word(row, 1)?,
        fault: meaning(row, 2, fault)?,
        cause: word(row, 3)?,
        wrong_since: wall(row, 4)?,
        since: Wall(row.get(5)?),
        visible: row.get(6)?,
        seq: number(row, 7)?,
        visibility_seq: number(row, 8)?,
        refused_until: wall(row, 9)?,
        boot: BootRow {
            booted_at: wall(row, 12)?,
            grace_until: wall(row, 13)?,
            shutting_down_until: wall(row, 14)?,
        },
        removed: row.get(10)?,
        listed: row.get(11)?,
    })
}

pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    Ok(AccountRow {
        account: must(row, 0, Name::new)?,
        paused: meaning(row, 1, refusal)?,
        paused_at: wall(row, 2)?,
        next_try: wall(row, 3)?,
        // Without the list the account is only tried at a few more hosts until it is paused.
        refused_by: must(row, 4, names_of_json)?.unwrap_or_default(),
        seq: number(row, 5)?,
        // Without the list each of them is only tried once more.
        left_alone: meaning(row, 6, left_alone_of_json)?
            .and_then(Result::ok)
            .unwrap_or_default(),
    })
}

pub(super) fn destination(row: &Row<'_>) -> rusqlite::Result<DestinationRow> {
    Ok(DestinationRow {
        destination: must(row, 0, Name::new)?,
        failing_since: wall(row, 1)?,
        last_sent: wall(row, 2)?,
        seq: number(row, 3)?,
    })
}

pub(super) fn feed(row: &Row<'_>) -> rusqlite::Result<FeedRow> {
    Ok(FeedRow {
        destination: must(row, 0, Name::new)?,
        record: number(row, 1)?,
    })
}

fn acknowledged(row: &Row<'_>) -> rusqlite::Result<Option<Acknowledged>> {
    Ok(match (word(row, 9)?, wall(row, 10)?) {
        (Some(by), Some(at)) => Some(Acknowledged {
            by,
            at,
            note: word(row, 11)?.unwrap_or_default(),
        }),
        _ => None,
    })
}

/// What was found out about an incident; evidence that cannot be read is as good as none.
fn evidence(row: &Row<'_>, place: usize) -> rusqlite::Result<Option<Arc<Evidence>>> {
    let json: Option<String> = row.get(place)?;
    Ok(json.and_then(|json| match evidence_of_json(&json) {
        Ok(evidence) => Some(evidence),
        Err(error) => {
            tracing::warn!(error = %error, "stored evidence cannot be used and is left out");
            None
        }
    }))
}

pub(super) fn incident(row: &Row<'_>) -> rusqlite::Result<Option<(u64, IncidentRow)>> {
    let Some(subject) = about(row)? else {
        return Ok(None);
    };
    let found = IncidentRow {
        id: IncidentId(row.get(3)?),
        seq: number(row, 4)?,
        event: must(row, 5, |word| event(word, &subject))?,
        severity: must(row, 6, severity)?,
        opened_at: Wall(row.get(7)?),
        resolved_at: wall(row, 8)?,
        acknowledged: acknowledged(row)?,
        cause: word(row, 12)?,
        previous_state: meaning(row, 13, state)?,
        told: row.get(14)?,
        held_until: wall(row, 15)?,
        reminded_at: wall(row, 16)?,
        first_look: row.get(18)?,
        muted: meaning(row, 19, muted)?,
        untold: meaning(row, 20, |word| event(word, &subject))?,
        evidence: evidence(row, 21)?,
        subject,
    };
    Ok(Some((number(row, 17)?, found)))
}

pub(super) fn silence(row: &Row<'_>) -> rusqlite::Result<Option<SilenceRow>> {
    let id = SilenceId(row.get(0)?);
    let matcher = match matcher_of_json(row.get_ref(1)?.as_str()?) {
        Ok(matcher) => matcher,
        Err(error) => {
            // A silence that is understood only in part could silence too much.
            tracing::warn!(silence = %id, error = %error, "a stored silence cannot be used and silences nothing");
            return Ok(None);
        }
    };
    Ok(Some(SilenceRow {
        id,
        matcher,
        author: row.get(2)?,
        comment: row.get(3)?,
        from: Wall(row.get(4)?),
        until: Wall(row.get(5)?),
        ended_at: wall(row, 6)?,
        ended_by: word(row, 7)?,
    }))
}

pub(super) fn history(row: &Row<'_>) -> rusqlite::Result<Option<HistoryRow>> {
    let Some(subject) = about(row)? else {
        return Ok(None);
    };
    let states = |column| -> rusqlite::Result<Option<State>> { meaning(row, column, state) };
    Ok(Some(HistoryRow {
        record: number(row, 3)?,
        seq: number(row, 4)?,
        at: Wall(row.get(5)?),
        from: states(6)?,
        to: states(7)?,
        fault: meaning(row, 8, fault)?,
        event: meaning(row, 9, ToldEvent::parse)?.flatten(),
        incident: row.get::<_, Option<Arc<str>>>(10)?.map(IncidentId),
        exit_code: row.get(11)?,
        service_exit_code: row.get(12)?,
        pid: row.get(13)?,
        cause: word(row, 14)?,
        subject,
    }))
}

pub(super) fn lane(row: &Row<'_>) -> rusqlite::Result<Option<LaneRow>> {
    let Some(subject) = about(row)? else {
        return Ok(None);
    };
    let told = match (row.get::<_, Option<Arc<str>>>(5)?, wall(row, 6)?) {
        (Some(incident), Some(opened_at)) => Some(Told {
            incident: IncidentId(incident),
            opened_at,
        }),
        _ => None,
    };
    Ok(Some(LaneRow {
        destination: must(row, 3, Name::new)?,
        recipient: row.get(4)?,
        subject,
        told,
        owes_state: row.get(7)?,
        last_sent: wall(row, 8)?,
        behind: row.get::<_, Option<Arc<str>>>(9)?.map(DeliveryKey),
        removed: false,
    }))
}

pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<Option<(u64, DeliveryRow)>> {
    let key = DeliveryKey(row.get(0)?);
    let notice = match must(row, 4, notice_of_json)? {
        Ok(notice) => Arc::new(notice),
        Err(reason) => {
            tracing::error!(delivery = %key, reason, "a delivery cannot be read and is left out");
            return Ok(None);
        }
    };
    let found = DeliveryRow {
        key,
        order: number(row, 1)?,
        destination: must(row, 2, Name::new)?,
        recipient: row.get(3)?,
        notice,
        state: must(row, 5, delivery_state)?,
        reason: word(row, 6)?,
        frozen: row.get(7)?,
        payload: row.get(8)?,
        attempts: row.get(9)?,
        created: Wall(row.get(10)?),
        due: Wall(row.get(11)?),
    };
    Ok(Some((number(row, 12)?, found)))
}

pub(super) fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        key: DeliveryKey(row.get(0)?),
        number: row.get(1)?,
        at: Wall(row.get(2)?),
        result: must(row, 3, result)?,
        answer: row.get(4)?,
    })
}

pub(super) fn dropped(row: &Row<'_>) -> rusqlite::Result<Option<DroppedRow>> {
    let Some(subject) = about(row)? else {
        return Ok(None);
    };
    // A reason of a newer version cannot be said in the words of this one.
    let Some(why) = must(row, 7, Why::parse)? else {
        return Ok(None);
    };
    let destination = row.get_ref(4)?.as_str()?;
    Ok(Some(DroppedRow {
        seq: number(row, 3)?,
        destination: (!destination.is_empty()).then(|| Name::new(destination)),
        at: Wall(row.get(5)?),
        event: must(row, 6, |word| event(word, &subject))?,
        why,
        subject,
    }))
}
