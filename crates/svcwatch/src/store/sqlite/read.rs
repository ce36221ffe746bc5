//! Answers to the API and the command line.

use super::{load::Shared, rows};
use crate::store::query::{
    ATTEMPTS_MAX, DeliveryItem, DeliveryQuery, DroppedQuery, HistoryQuery, IncidentItem,
    IncidentQuery, Page, clamped,
};
use crate::store::record::{counted, stored};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use std::{cmp::Reverse, collections::BinaryHeap};
use svcwatch_core::{
    id::{DeliveryKey, Name},
    record::{AttemptRow, DeliveryState, DroppedRow, HistoryRow, HostRow, TargetRow},
};

/// Conditions that all must hold, with their values.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition with one `?` where a value is given.
    fn and(&mut self, condition: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(value.into());
        }
        self
    }

    /// A text as a value.
    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// Rows of a page and one more, so that it is known whether more follow.
    fn rows<T>(
        mut self,
        reading: &Connection,
        select: &str,
        order: &str,
        limit: usize,
        of: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> rusqlite::Result<Vec<T>> {
        let sql = format!("{select}{} ORDER BY {order} LIMIT ?", self.sql);
        self.values
            .push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        let mut statement = reading.prepare_cached(&sql)?;
        let found = statement.query_map(params_from_iter(self.values), of)?;
        found.filter_map(Result::transpose).collect()
    }
}

/// Incidents, the newest first.
pub(super) fn incidents(
    reading: &Connection,
    query: &IncidentQuery,
) -> rusqlite::Result<Page<IncidentItem>> {
    let limit = clamped(query.limit);
    let mut conditions = Conditions::default();
    conditions
        .and(
            "i.id = ?",
            query.id.as_ref().map(|id| Conditions::text(id.as_str())),
        )
        .and(
            "s.host = ?",
            query.host.as_ref().map(|host| Conditions::text(host.key())),
        )
        .and(
            "s.kind = 'service' AND s.name = ?",
            query
                .service
                .as_ref()
                .map(|service| Conditions::text(service.key())),
        )
        .and(
            "i.event = ?",
            query.event.map(|event| Conditions::text(event.as_str())),
        )
        .and(
            "i.severity = ?",
            query
                .severity
                .map(|severity| Conditions::text(severity.as_str())),
        )
        .and("i.number < ?", query.before.map(stored));
    match query.open {
        Some(true) => conditions.sql.push_str(" AND i.resolved_at IS NULL"),
        Some(false) => conditions.sql.push_str(" AND i.resolved_at IS NOT NULL"),
        None => {}
    }
    let select = format!(
        "SELECT {}, (SELECT count(*) FROM delivery d WHERE d.incident = i.id)
         FROM incident i JOIN subject s ON s.id = i.subject WHERE 1",
        rows::INCIDENT
    );
    let found = conditions.rows(
        reading,
        &select,
        "i.number DESC",
        limit.saturating_add(1),
        |row| {
            let Some((number, incident)) = rows::incident(row)? else {
                return Ok(None);
            };
            let deliveries = counted(row.get(22)?);
            Ok(Some((
                number,
                IncidentItem {
                    incident,
                    deliveries,
                },
            )))
        },
    )?;
    Ok(Page::of(found, limit))
}

/// Lines of history, the newest first.
pub(super) fn history(
    reading: &Connection,
    query: &HistoryQuery,
) -> rusqlite::Result<Page<HistoryRow>> {
    let limit = clamped(query.limit);
    let wanted = limit.saturating_add(1);
    let found = match &query.host {
        Some(host) => history_of_host(reading, host, query, wanted)?,
        None => history_of_all(reading, query, wanted)?,
    };
    let found = found.into_iter().map(|row| (row.record, row)).collect();
    Ok(Page::of(found, limit))
}

fn history_of_all(
    reading: &Connection,
    query: &HistoryQuery,
    wanted: usize,
) -> rusqlite::Result<Vec<HistoryRow>> {
    let mut conditions = Conditions::default();
    conditions
        .and(
            "s.kind = 'service' AND s.name = ?",
            query
                .service
                .as_ref()
                .map(|service| Conditions::text(service.key())),
        )
        .and("h.record < ?", query.before.map(stored));
    let select = format!(
        "SELECT {} FROM history h JOIN subject s ON s.id = h.subject WHERE 1",
        rows::HISTORY
    );
    conditions.rows(reading, &select, "h.record DESC", wanted, rows::history)
}

/// Transitions of services behind a record, the oldest first.
pub(super) fn transitions(
    reading: &Connection,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<HistoryRow>> {
    let mut conditions = Conditions::default();
    conditions.and("h.record > ?", Some(stored(after)));
    let select = format!(
        "SELECT {} FROM history h JOIN subject s ON s.id = h.subject
         WHERE s.kind = 'service' AND h.to_state IS NOT NULL AND h.from_state IS NOT h.to_state",
        rows::HISTORY
    );
    conditions.rows(reading, &select, "h.record", clamped(limit), rows::history)
}

/// Each subject of the host is read newest first, and no further than it can still give one of the newest rows of all:
/// so the cost is bounded by the page and the number of services, not by the length of the history.
fn history_of_host(
    reading: &Connection,
    host: &Name,
    query: &HistoryQuery,
    wanted: usize,
) -> rusqlite::Result<Vec<HistoryRow>> {
    let before = stored(query.before.unwrap_or(u64::MAX));
    let mut newest: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut rows_of_all = Vec::new();
    let sql = format!(
        "SELECT {} FROM history h JOIN subject s ON s.id = h.subject
         WHERE h.subject = ?1 AND h.record < ?2
           AND h.seq <= coalesce((SELECT seq FROM history WHERE record = ?2 AND subject = ?1), ?3)
         ORDER BY h.seq DESC LIMIT ?4",
        rows::HISTORY
    );
    let mut statement = reading.prepare_cached(&sql)?;
    let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
    for subject in subjects(reading, host, query.service.as_ref())? {
        let mut found = statement.query(params![subject, before, i64::MAX, limit])?;
        while let Some(row) = found.next()? {
            let Some(row) = rows::history(row)? else {
                break;
            };
            if newest.len() == wanted {
                if newest
                    .peek()
                    .is_some_and(|Reverse(oldest)| row.record <= *oldest)
                {
                    break;
                }
                newest.pop();
            }
            newest.push(Reverse(row.record));
            rows_of_all.push(row);
        }
    }
    rows_of_all.sort_by_key(|row| Reverse(row.record));
    rows_of_all.truncate(wanted);
    Ok(rows_of_all)
}

fn subjects(
    reading: &Connection,
    host: &Name,
    service: Option<&Name>,
) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT id FROM subject WHERE host = ?1 AND (?2 IS NULL OR (name = ?2 AND kind = 'service'))";
    let one = "SELECT id FROM subject WHERE host = ?1 AND name = ?2 AND kind = 'service'";
    let mut statement = reading.prepare_cached(if service.is_some() { one } else { sql })?;
    let found = statement.query_map(params![host.key(), service.map(Name::key)], |row| {
        row.get(0)
    })?;
    found.collect()
}

/// Deliveries with their tries, the newest first.
pub(super) fn deliveries(
    reading: &Connection,
    query: &DeliveryQuery,
) -> rusqlite::Result<Page<DeliveryItem>> {
    let limit = clamped(query.limit);
    let mut conditions = Conditions::default();
    conditions
        .and(
            "key = ?",
            query.key.as_ref().map(|key| Conditions::text(key.as_str())),
        )
        .and(
            "destination = ?",
            query
                .destination
                .as_ref()
                .map(|name| Conditions::text(name.key())),
        )
        .and(
            "recipient = ?",
            query.recipient.as_deref().map(Conditions::text),
        )
        .and(
            "incident = ?",
            query
                .incident
                .as_ref()
                .map(|id| Conditions::text(id.as_str())),
        )
        .and(
            "kind = ?",
            query.kind.map(|kind| Conditions::text(kind.as_str())),
        )
        .and("number < ?", query.before.map(stored));
    if let Some(state) = query.state {
        conditions.sql.push_str(in_state(state));
    }
    let select = format!("SELECT {} FROM delivery WHERE 1", rows::DELIVERY);
    let found = conditions.rows(
        reading,
        &select,
        "number DESC",
        limit.saturating_add(1),
        rows::delivery,
    )?;
    let page = Page::of(found, limit);
    let mut items = Vec::with_capacity(page.items.len());
    for delivery in page.items {
        let attempts = attempts(reading, &delivery.key)?;
        items.push(DeliveryItem { delivery, attempts });
    }
    Ok(Page {
        items,
        next: page.next,
    })
}

/// The condition of a state, with the words of the index that serves it. What is delivered needs none: it is nearly all.
const fn in_state(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => " AND state IN ('pending', 'sending') AND state = 'pending'",
        DeliveryState::Sending => " AND state IN ('pending', 'sending') AND state = 'sending'",
        DeliveryState::Delivered => " AND state = 'delivered'",
        DeliveryState::Parked => " AND state IN ('parked', 'expired') AND state = 'parked'",
        DeliveryState::Expired => " AND state IN ('parked', 'expired') AND state = 'expired'",
    }
}

fn attempts(reading: &Connection, key: &DeliveryKey) -> rusqlite::Result<Vec<AttemptRow>> {
    let sql = format!(
        "SELECT {} FROM attempt WHERE delivery = ?1 ORDER BY number DESC LIMIT ?2",
        rows::ATTEMPT
    );
    let mut statement = reading.prepare_cached(&sql)?;
    let limit = i64::try_from(ATTEMPTS_MAX).unwrap_or(i64::MAX);
    let found = statement.query_map(params![key.as_str(), limit], rows::attempt)?;
    let mut attempts: Vec<_> = found.collect::<rusqlite::Result<_>>()?;
    attempts.reverse();
    Ok(attempts)
}

/// What was not told, the newest first.
pub(super) fn dropped(
    reading: &Connection,
    query: &DroppedQuery,
) -> rusqlite::Result<Vec<DroppedRow>> {
    let mut conditions = Conditions::default();
    conditions
        .and(
            "s.host = ?",
            query.host.as_ref().map(|host| Conditions::text(host.key())),
        )
        .and(
            "s.kind = 'service' AND s.name = ?",
            query
                .service
                .as_ref()
                .map(|service| Conditions::text(service.key())),
        )
        .and("d.at >= ?", query.since.map(|since| since.0));
    let select = format!(
        "SELECT {} FROM dropped d JOIN subject s ON s.id = d.subject WHERE 1",
        rows::DROPPED
    );
    let limit = clamped(query.limit);
    conditions.rows(
        reading,
        &select,
        "d.at DESC, d.seq DESC",
        limit,
        rows::dropped,
    )
}

/// What is known of a host.
pub(super) fn host(reading: &Connection, host: &Name) -> rusqlite::Result<Option<HostRow>> {
    let sql = format!("SELECT {} FROM host WHERE host = ?1", rows::HOST);
    let mut statement = reading.prepare_cached(&sql)?;
    statement.query_row([host.key()], rows::host).optional()
}

/// What is known of the targets of a host, by service key.
pub(super) fn targets(reading: &Connection, host: &Name) -> rusqlite::Result<Vec<TargetRow>> {
    let sql = format!(
        "SELECT {} FROM target WHERE host = ?1 ORDER BY service",
        rows::TARGET
    );
    let mut statement = reading.prepare_cached(&sql)?;
    let mut shared = Shared::of(reading)?;
    let found = statement.query_map([host.key()], |row| shared.target(row))?;
    found.collect()
}
