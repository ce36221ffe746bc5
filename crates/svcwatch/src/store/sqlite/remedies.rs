//! Tries to start services again.

use crate::store::remedy::{Columns, try_of_json, try_to_json};
use rusqlite::{Connection, Row, Transaction, params};
use std::sync::Arc;
use svcwatch_core::{limits, remedy::RemedyRow, time::Wall};

const WRITE: &str =
    "INSERT OR REPLACE INTO remedy (id, incident, at, ended_at, text) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Those that still count for something: a week before the newest one is the longest time of a budget.
pub(super) const COUNTED_TRIES: &str =
    "(ended_at IS NULL OR at >= (SELECT max(at) FROM remedy) - 604800000
    OR incident IN (SELECT id FROM incident WHERE resolved_at IS NULL))";

const _: () = assert!(
    limits::BUDGET_WITHIN_MAX.0 == 604_800_000,
    "what counts is asked for so"
);

/// Writes a try as it is now.
pub(super) fn write(step: &Transaction<'_>, row: &RemedyRow) -> rusqlite::Result<()> {
    let text = try_to_json(row)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let ended_at = row.ended_at.map(|at| at.0);
    let (id, incident) = (row.id.as_str(), row.incident.as_str());
    step.prepare_cached(WRITE)?
        .execute(params![id, incident, row.at.0, ended_at, text])
        .map(drop)
}

/// Those that count, oldest first.
pub(super) fn counted(reading: &Connection) -> rusqlite::Result<Vec<RemedyRow>> {
    let sql = format!(
        "SELECT id, incident, at, ended_at, text FROM remedy WHERE {COUNTED_TRIES} ORDER BY at, id"
    );
    let mut statement = reading.prepare(&sql)?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.extend(read(row)?);
    }
    Ok(rows)
}

/// A try; one that cannot be read is left out, and is counted by no budget.
fn read(row: &Row<'_>) -> rusqlite::Result<Option<RemedyRow>> {
    let ended_at: Option<i64> = row.get(3)?;
    let columns = Columns {
        id: row.get(0)?,
        incident: row.get(1)?,
        at: Wall(row.get(2)?),
        ended_at: ended_at.map(Wall),
    };
    let id = Arc::clone(&columns.id);
    Ok(match try_of_json(columns, row.get_ref(4)?.as_str()?) {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!(act = %id, error = %error, "a stored try to start a service cannot be used and is not counted");
            None
        }
    })
}
