//! The form of the database, and how an older form becomes the newest.
//!
//! Names that compare without case are kept as their key (lower case) with their spelling beside it in a column
//! `…_shown`, which is NULL where it is the same. Times are milliseconds since 1970 in UTC. Words are those of the
//! core's lists.

use crate::store::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// Says in the header that the database is ours: "SVCW".
pub(super) const APPLICATION_ID: i64 = 0x5356_4357;

/// One step from a form to the next, run inside a transaction of its own.
pub(super) type Migration = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// All steps; the form of a database is the number of steps it has been through.
pub(super) const MIGRATIONS: &[Migration] = &[
    form_1, form_2, form_3, form_4, form_5, form_6, form_7, form_8, form_9, form_10,
];

/// The newest form.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The form of a database; refuses one that is not ours.
pub(super) fn form_of(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let doing = "its form was read";
    let of_sqlite = |error| StoreError::of_sqlite(path, doing, error);
    let number = |pragma: &str| {
        connection
            .query_row(pragma, [], |row| row.get::<_, i64>(0))
            .map_err(of_sqlite)
    };
    let form = number("PRAGMA user_version")?;
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let new = form == 0 && tables == 0 && application == 0;
    if new || application == APPLICATION_ID {
        Ok(form)
    } else {
        Err(StoreError::NotADatabase {
            path: path.to_path_buf(),
        })
    }
}

/// Brings a database to the newest of these forms, step by step; refuses a newer one.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let of_sqlite = |error| StoreError::of_sqlite(path, "its form was brought up to date", error);
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let found = form_of(connection, path)?;
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found,
            known,
        });
    }
    for (form, migration) in (1_i64..).zip(migrations) {
        if form <= found {
            continue;
        }
        let step = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(of_sqlite)?;
        migration(&step).map_err(of_sqlite)?;
        step.pragma_update(None, "user_version", form)
            .map_err(of_sqlite)?;
        step.commit().map_err(of_sqlite)?;
    }
    Ok(())
}

/// The first form.
fn form_1(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.execute_batch(FORM_1)?;
    let mut id = [0; 16];
    // A store without an identity must not be made: the identities of its incidents would be those of another one.
    getrandom::fill(&mut id)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    step.execute(
        "INSERT INTO meta (key, value) VALUES ('store_id', ?1), ('last_record', 0)",
        [id],
    )?;
    Ok(())
}

/// What services run, as whom and what they need: few such rows belong to many targets, so a target holds a number.
fn form_2(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.execute_batch(FORM_2)
}

const FORM_2: &str = "
-- text is JSON.
CREATE TABLE details (
    number INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;
ALTER TABLE target ADD COLUMN details INTEGER;
";

/// Guests that refused an account.
fn form_10(step: &Transaction<'_>) -> rusqlite::Result<()> {
    // JSON: guest and until when. NULL where there are none.
    step.execute_batch("ALTER TABLE account ADD COLUMN left_alone TEXT")
}

/// What was tried to start services again.
fn form_9(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.execute_batch(FORM_9)
}

const FORM_9: &str = "
-- text is JSON.
CREATE TABLE remedy (
    id TEXT PRIMARY KEY,
    incident TEXT NOT NULL,
    at INTEGER NOT NULL,
    ended_at INTEGER,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX remedy_at ON remedy (at);
";

/// What was found out about incidents.
fn form_8(step: &Transaction<'_>) -> rusqlite::Result<()> {
    // JSON.
    step.execute_batch("ALTER TABLE incident ADD COLUMN evidence TEXT")
}

/// What is known of a host's last boot, and of the next one.
fn form_7(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.execute_batch(
        "ALTER TABLE host ADD COLUMN booted_at INTEGER;
         ALTER TABLE host ADD COLUMN grace_until INTEGER;
         ALTER TABLE host ADD COLUMN shutting_down_until INTEGER;",
    )
}

/// Silences, and what of an incident is not told for now.
fn form_4(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.execute_batch(FORM_4)
}

const FORM_4: &str = "
-- matcher is JSON.
CREATE TABLE silence (
    id TEXT PRIMARY KEY,
    matcher TEXT NOT NULL,
    author TEXT NOT NULL,
    comment TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_by TEXT
) STRICT, WITHOUT ROWID;
ALTER TABLE incident ADD COLUMN muted TEXT;
ALTER TABLE incident ADD COLUMN untold TEXT;
CREATE INDEX incident_untold ON incident (number) WHERE untold IS NOT NULL;
";

/// Whether a list of hosts named a host.
fn form_5(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.execute_batch("ALTER TABLE host ADD COLUMN listed INTEGER NOT NULL DEFAULT 0")
}

/// Services that groups count, and how often services were started again.
fn form_6(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.execute_batch(FORM_6)
}

const FORM_6: &str = "
-- ran_on is a JSON list of hosts.
CREATE TABLE counted (
    name TEXT NOT NULL,
    service TEXT NOT NULL,
    name_shown TEXT,
    service_shown TEXT,
    seq INTEGER NOT NULL,
    wrong_since INTEGER,
    ran_on TEXT,
    removed INTEGER NOT NULL,
    PRIMARY KEY (name, service)
) STRICT, WITHOUT ROWID;
-- JSON: count, since, last, failures, mending.
ALTER TABLE target ADD COLUMN restarts TEXT;
";

/// Rows of details above which a start looks for those that no target has any more: it reads all targets for it.
const DETAILS_KEPT: i64 = 10_000;

/// Removes details that no target has any more, where there are many.
pub(super) fn tidy_details(connection: &Connection) -> rusqlite::Result<()> {
    let count: i64 = connection.query_row("SELECT count(*) FROM details", [], |row| row.get(0))?;
    if count > DETAILS_KEPT {
        connection.execute_batch(UNUSED_DETAILS)?;
    }
    Ok(())
}

const UNUSED_DETAILS: &str = "DELETE FROM details WHERE number NOT IN (SELECT details FROM target WHERE details IS NOT NULL)";

/// How far each feed is.
fn form_3(step: &Transaction<'_>) -> rusqlite::Result<()> {
    step.execute_batch(
        "CREATE TABLE feed (
            destination TEXT PRIMARY KEY,
            destination_shown TEXT,
            record INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;",
    )
}

const FORM_1: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- What history, incidents, lanes and dropped notices are about. An empty text where a part does not apply.
CREATE TABLE subject (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    host_shown TEXT,
    name_shown TEXT,
    UNIQUE (host, name, kind)
) STRICT;

-- Read whole at every start, in this order. flags: 1 hidden, 2 seen running, 4 removed, 8 trigger start known,
-- 16 trigger start, 32 per user known, 64 per user.
CREATE TABLE target (
    host TEXT NOT NULL,
    service TEXT NOT NULL,
    service_shown TEXT,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    previous_state TEXT,
    flags INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    wrong_since INTEGER,
    pid INTEGER,
    exit_code INTEGER,
    service_exit_code INTEGER,
    start_type TEXT,
    display_name TEXT,
    host_shown TEXT,
    selected_start TEXT,
    PRIMARY KEY (host, service)
) STRICT, WITHOUT ROWID;

CREATE TABLE host (
    host TEXT PRIMARY KEY,
    host_shown TEXT,
    computer_name TEXT,
    fault TEXT,
    cause TEXT,
    wrong_since INTEGER,
    since INTEGER NOT NULL,
    visible INTEGER,
    seq INTEGER NOT NULL,
    visibility_seq INTEGER NOT NULL,
    refused_until INTEGER,
    removed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    account TEXT PRIMARY KEY,
    account_shown TEXT,
    paused TEXT,
    paused_at INTEGER,
    next_try INTEGER,
    refused_by TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE destination (
    destination TEXT PRIMARY KEY,
    destination_shown TEXT,
    failing_since INTEGER,
    last_sent INTEGER,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    subject INTEGER NOT NULL REFERENCES subject (id),
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,
    severity TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    resolved_at INTEGER,
    acknowledged_by TEXT,
    acknowledged_at INTEGER,
    acknowledged_note TEXT,
    cause TEXT,
    previous_state TEXT,
    told INTEGER NOT NULL,
    held_until INTEGER,
    reminded_at INTEGER,
    first_look INTEGER NOT NULL
) STRICT;
CREATE INDEX incident_subject ON incident (subject);
CREATE INDEX incident_open ON incident (number) WHERE resolved_at IS NULL;
CREATE INDEX incident_resolved ON incident (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE history (
    subject INTEGER NOT NULL REFERENCES subject (id),
    seq INTEGER NOT NULL,
    record INTEGER NOT NULL,
    at INTEGER NOT NULL,
    from_state TEXT,
    to_state TEXT,
    fault TEXT,
    event TEXT,
    incident TEXT,
    exit_code INTEGER,
    service_exit_code INTEGER,
    pid INTEGER,
    cause TEXT,
    PRIMARY KEY (subject, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_record ON history (record);
CREATE INDEX history_at ON history (at);

CREATE TABLE lane (
    destination TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject INTEGER NOT NULL REFERENCES subject (id),
    destination_shown TEXT,
    told_incident TEXT,
    told_opened_at INTEGER,
    behind TEXT,
    owes_state INTEGER NOT NULL,
    last_sent INTEGER,
    PRIMARY KEY (destination, recipient, subject)
) STRICT, WITHOUT ROWID;

-- notice is JSON with a version of its own.
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL,
    destination TEXT NOT NULL,
    destination_shown TEXT,
    recipient TEXT NOT NULL,
    incident TEXT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    frozen INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    notice TEXT NOT NULL,
    payload BLOB
) STRICT;
CREATE INDEX delivery_waiting ON delivery (place) WHERE state IN ('pending', 'sending');
CREATE INDEX delivery_undelivered ON delivery (number) WHERE state IN ('parked', 'expired');
CREATE INDEX delivery_destination ON delivery (destination);
CREATE INDEX delivery_incident ON delivery (incident);
CREATE INDEX delivery_settled ON delivery (created) WHERE state NOT IN ('pending', 'sending');

CREATE TABLE attempt (
    delivery TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    result TEXT NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- destination is empty where it did not get so far.
CREATE TABLE dropped (
    subject INTEGER NOT NULL REFERENCES subject (id),
    seq INTEGER NOT NULL,
    destination TEXT NOT NULL,
    destination_shown TEXT,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (subject, seq, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX dropped_at ON dropped (at);
";

#[cfg(test)]
mod tests;
