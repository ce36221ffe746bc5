//! Old rows go in small chunks, so that no commit waits long for them.

use super::remedies::COUNTED_TRIES;
use crate::store::record::stored;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use svcwatch_core::time::Wall;

/// Rows of one chunk, at most.
const CHUNK: u64 = 1_000;
/// Deliveries of one chunk, at most: each takes its tries with it.
const DELIVERIES_CHUNK: u64 = 100;

/// Removes one chunk of what is older than this and settled; says whether there may be more.
pub(super) fn expire(connection: &mut Connection, before: Wall) -> rusqlite::Result<bool> {
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut left = CHUNK;
    for sql in [HISTORY, DROPPED, INCIDENTS, SILENCES] {
        left = left.saturating_sub(delete(&step, sql, before, left)?);
    }
    let tries = format!(
        "DELETE FROM remedy WHERE id IN
            (SELECT id FROM remedy WHERE ended_at < ?1 AND NOT {COUNTED_TRIES} ORDER BY at LIMIT ?2)"
    );
    left = left.saturating_sub(delete(&step, &tries, before, left)?);
    let deliveries = left.min(DELIVERIES_CHUNK);
    delete(&step, ATTEMPTS, before, deliveries)?;
    let deleted = delete(&step, DELIVERIES, before, deliveries)?;
    step.commit()?;
    Ok(deleted == deliveries)
}

fn delete(step: &Transaction<'_>, sql: &str, before: Wall, limit: u64) -> rusqlite::Result<u64> {
    let deleted = step
        .prepare_cached(sql)?
        .execute(params![before.0, stored(limit)])?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}

const HISTORY: &str = "DELETE FROM history WHERE (subject, seq) IN
    (SELECT subject, seq FROM history WHERE at < ?1 ORDER BY at LIMIT ?2)";

const DROPPED: &str = "DELETE FROM dropped WHERE (subject, seq, destination) IN
    (SELECT subject, seq, destination FROM dropped WHERE at < ?1 ORDER BY at LIMIT ?2)";

const INCIDENTS: &str = "DELETE FROM incident WHERE number IN
    (SELECT number FROM incident WHERE resolved_at IS NOT NULL AND untold IS NULL AND resolved_at < ?1
        ORDER BY resolved_at LIMIT ?2)";

const SILENCES: &str = "DELETE FROM silence WHERE id IN
    (SELECT id FROM silence WHERE ended_at IS NOT NULL AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)";

/// The tries of the deliveries that [`DELIVERIES`] removes next.
const ATTEMPTS: &str = "DELETE FROM attempt WHERE delivery IN
    (SELECT key FROM delivery WHERE state NOT IN ('pending', 'sending') AND created < ?1 ORDER BY created, number LIMIT ?2)";

const DELIVERIES: &str = "DELETE FROM delivery WHERE number IN
    (SELECT number FROM delivery WHERE state NOT IN ('pending', 'sending') AND created < ?1 ORDER BY created, number LIMIT ?2)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{attempt_row, delivery_row, history_row};
    use crate::store::sqlite::{
        schema::{MIGRATIONS, migrate},
        write::Writing,
    };
    use std::path::Path;
    use svcwatch_core::record::{DeliveryState, Record};

    fn writing() -> Writing {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x"), MIGRATIONS).unwrap();
        Writing::new(connection)
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn history_goes_a_thousand_rows_at_a_time() {
        let mut writing = writing();
        let rows: Vec<_> = (1..=2_500)
            .map(|number| Record::History(history_row("srv01", "Spooler", number)))
            .collect();
        writing.write(&rows).unwrap();
        let cut = history_row("srv01", "Spooler", 2_401).at;
        let mut left = Vec::new();
        loop {
            let more = expire(&mut writing.connection, cut).unwrap();
            left.push(count(&writing.connection, "history"));
            if !more {
                break;
            }
        }
        assert_eq!(left, [1_500, 500, 100]);
    }

    #[test]
    fn a_settled_delivery_goes_with_its_tries_and_a_waiting_one_stays() {
        let mut writing = writing();
        let mut records = Vec::new();
        for number in 1..=250 {
            let mut row = delivery_row("srv01", "Spooler", number);
            row.state = if number % 50 == 0 {
                DeliveryState::Pending
            } else {
                DeliveryState::Delivered
            };
            records.push(Record::Attempt(attempt_row(&row.key, 1)));
            records.push(Record::Attempt(attempt_row(&row.key, 2)));
            records.push(Record::Delivery(row));
        }
        writing.write(&records).unwrap();
        while expire(&mut writing.connection, Wall(i64::MAX)).unwrap() {}
        assert_eq!(count(&writing.connection, "delivery"), 5);
        assert_eq!(count(&writing.connection, "attempt"), 10);
    }
}
