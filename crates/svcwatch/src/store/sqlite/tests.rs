//! Tests of the store in the data folder.

use super::*;
use crate::store::{
    MemoryStore,
    any::any_batches,
    conformance::{conformance, everything, everything_in_pages},
    samples::{delivery_row, history_row, host_row, incident_row, target_row},
};
use proptest::prelude::*;
use std::fs;
use svcwatch_core::observe::State;
use tempfile::TempDir;

const SMALL: StoreOptions = StoreOptions { ballast: 0 };

fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (SqliteStore::open(folder.path(), SMALL).unwrap(), folder)
}

fn open(folder: &TempDir) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(folder.path(), SMALL)
}

pub(super) fn history(count: u64) -> Vec<Record> {
    (1..=count)
        .map(|number| Record::History(history_row("srv01", "Spooler", number)))
        .collect()
}

conformance!(fresh);

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever rows come in whatever order: what is read back is what was written, and writing it again or opening the
    /// database again changes nothing.
    #[test]
    fn any_rows_are_given_back_as_they_were_written(batches in any_batches()) {
        let (store, folder) = fresh();
        let memory = MemoryStore::new(store.id());
        for batch in &batches {
            store.commit(batch).unwrap();
            memory.commit(batch).unwrap();
        }
        let expected = everything_in_pages(&memory, 3);
        prop_assert_eq!(&everything_in_pages(&store, 3), &expected);
        if let Some(last) = batches.last() {
            store.commit(last).unwrap();
            memory.commit(last).unwrap();
            prop_assert_eq!(&everything(&store), &everything(&memory));
        }
        let before = everything(&store);
        drop(store);
        let again = open(&folder).unwrap();
        prop_assert_eq!(&everything(&again), &before);
    }
}

#[test]
fn the_identity_is_made_once_and_kept() {
    let (store, folder) = fresh();
    let id = store.id();
    assert_ne!(id, StoreId::default());
    drop(store);
    assert_eq!(open(&folder).unwrap().id(), id);
    assert_ne!(fresh().0.id(), id);
}

#[test]
fn a_commit_is_safe_against_a_loss_of_power() {
    let (store, _folder) = fresh();
    let writing = store.writing().unwrap();
    let pragma = |name: &str| -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        writing
            .connection
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2", "FULL");
    assert_eq!(pragma("foreign_keys"), "1");
}

#[cfg(unix)]
#[test]
fn the_database_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (store, folder) = fresh();
    store.commit(&history(1)).unwrap();
    let mut seen = 0;
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
        seen += 1;
    }
    assert!(
        seen >= 4,
        "the database, its log, the log's index and the lock"
    );
}

#[test]
fn a_second_svcwatch_is_refused_and_readers_are_not() {
    let (store, folder) = fresh();
    let error = open(&folder).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    store.commit(&history(3)).unwrap();
    let reader = SqliteStore::open_to_read(folder.path()).unwrap();
    assert_eq!(reader.id(), store.id());
    assert_eq!(everything(&reader), everything(&store));
    let error = reader.commit(&history(1)).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    drop(store);
    assert_eq!(reader.load().unwrap().last_record, 3);
    drop(reader);
    let reader = SqliteStore::open_to_read(folder.path()).unwrap();
    assert_eq!(reader.load().unwrap().last_record, 3, "nobody holds it");
    assert!(open(&folder).is_ok(), "a reader holds nothing");
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let (store, folder) = fresh();
    drop(store);
    let path = folder.path().join(DATABASE_FILE);
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    for result in [open(&folder), SqliteStore::open_to_read(folder.path())] {
        let error = result.unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 99, .. }),
            "{error}"
        );
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn words_of_a_newer_version_lose_no_row() {
    let (store, _folder) = fresh();
    store
        .commit(&[
            Record::Target(target_row("srv01", "Spooler")),
            Record::Host(host_row("srv01")),
            Record::Incident(incident_row("srv01", "Spooler", 1)),
            Record::Delivery(delivery_row("srv01", "Spooler", 2)),
        ])
        .unwrap();
    let words = "UPDATE target SET state = 'hibernating', start_type = 'weekly';
        UPDATE host SET fault = 'bored';
        UPDATE incident SET event = 'flapping', severity = 'fatal';
        UPDATE delivery SET notice = replace(notice, '\"opened\"', '\"escalated\"');";
    store
        .writing()
        .unwrap()
        .connection
        .execute_batch(words)
        .unwrap();
    let restored = store.load().unwrap();
    assert_eq!(restored.targets[0][0].state, State::Unknown);
    assert_eq!(restored.targets[0][0].start_type, None);
    assert!(restored.hosts[0].fault.is_some());
    assert_eq!(restored.incidents.len(), 1);
    assert_eq!(restored.deliveries.len(), 1);
    // Where one notice cannot be read at all, the others are.
    let broken = "UPDATE delivery SET notice = '{'";
    store
        .writing()
        .unwrap()
        .connection
        .execute_batch(broken)
        .unwrap();
    store
        .commit(&[Record::Delivery(delivery_row("srv01", "Spooler", 3))])
        .unwrap();
    let restored = store.load().unwrap();
    assert_eq!(restored.deliveries, [delivery_row("srv01", "Spooler", 3)]);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DATABASE_FILE);
    let text = "not a database at all, but long enough to be one. ".repeat(100);
    fs::write(&path, &text).unwrap();
    for result in [open(&folder), SqliteStore::open_to_read(folder.path())] {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_damaged_database_is_said_so() {
    let (store, folder) = fresh();
    store.commit(&history(3_000)).unwrap();
    assert!(store.check().is_ok());
    assert!(store.health().checked);
    drop(store);
    let path = folder.path().join(DATABASE_FILE);
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    // Everything behind the pages that tell the tables.
    bytes[length / 4..].fill(0x5a);
    fs::write(&path, &bytes).unwrap();
    let store = open(&folder).unwrap();
    let error = store.check().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(store.health().damage.is_some());
    let error = store
        .history(&HistoryQuery {
            limit: 1_000,
            ..HistoryQuery::default()
        })
        .unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_check_that_is_not_wanted_any_more_says_nothing() {
    let (store, _folder) = fresh();
    store.stop_check();
    store.check().unwrap();
    assert!(!store.health().checked);
}

#[cfg(unix)]
#[test]
fn a_database_that_cannot_be_read_is_said_so() {
    // A folder in its place cannot be opened by anybody, not even by root.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(DATABASE_FILE)).unwrap();
    for result in [open(&folder), SqliteStore::open_to_read(folder.path())] {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::NotOpened { .. }), "{error}");
    }
}

#[test]
fn there_is_nothing_to_read_where_there_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteStore::open_to_read(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NoDatabase { .. }), "{error}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is made"
    );
}

#[test]
fn a_transaction_that_fails_leaves_nothing_and_is_taken_again() {
    let (store, _folder) = fresh();
    store.commit(&history(1)).unwrap();
    let sql =
        "CREATE TRIGGER refuse BEFORE INSERT ON host BEGIN SELECT RAISE(ABORT, 'refused'); END";
    store
        .writing()
        .unwrap()
        .connection
        .execute_batch(sql)
        .unwrap();
    let before = everything(&store);
    let batch = [
        Record::Incident(incident_row("srv02", "Spooler", 5)),
        Record::Host(host_row("srv02")),
    ];
    let error = store.commit(&batch).unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error}");
    assert_eq!(everything(&store), before);
    store
        .writing()
        .unwrap()
        .connection
        .execute_batch("DROP TRIGGER refuse")
        .unwrap();
    store.commit(&batch).unwrap();
    assert_eq!(
        store.load().unwrap().incidents,
        [incident_row("srv02", "Spooler", 5)]
    );
}

#[test]
fn a_backup_holds_what_the_store_holds_while_it_is_written_to() {
    let (store, folder) = fresh();
    store.commit(&history(5_000)).unwrap();
    let expected = everything(&store);
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("copy.db");
    let mut reports = Vec::new();
    backup(folder.path(), &target, |progress| {
        // A commit in the middle does not make it begin anew, nor get into the copy.
        let number = 10_000 + u64::try_from(reports.len()).unwrap();
        let row = Record::History(history_row("srv02", "Spooler", number));
        store.commit(&[row]).unwrap();
        reports.push(progress);
    })
    .unwrap();
    let last = reports.last().unwrap();
    assert_eq!(last.done, last.of);
    assert!(last.of > 100);
    assert_eq!(
        fs::read_dir(place.path()).unwrap().count(),
        1,
        "one file and nothing beside it"
    );

    let error = backup(folder.path(), &target, |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::BackupExists { .. }), "{error}");

    let other = tempfile::tempdir().unwrap();
    fs::copy(&target, other.path().join(DATABASE_FILE)).unwrap();
    let copy = open(&other).unwrap();
    assert_eq!(copy.id(), store.id());
    assert_eq!(everything(&copy), expected);
}

#[test]
fn a_backup_that_cannot_be_written_leaves_nothing() {
    let (store, folder) = fresh();
    store.commit(&history(1)).unwrap();
    let target = folder.path().join("no such folder").join("copy.db");
    let error = backup(folder.path(), &target, |_| {}).unwrap_err();
    assert!(
        matches!(error, StoreError::BackupNotWritten { .. }),
        "{error}"
    );
    let empty = tempfile::tempdir().unwrap();
    let error = backup(empty.path(), &target, |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::NoDatabase { .. }), "{error}");
}

#[test]
fn questions_do_not_wait_for_a_commit_and_more_come_than_there_are_places() {
    let (store, _folder) = fresh();
    store.commit(&history(500)).unwrap();
    let held = store.writing().unwrap();
    held.connection
        .execute_batch("BEGIN IMMEDIATE; DELETE FROM history;")
        .unwrap();
    thread::scope(|scope| {
        let askers: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| store.history(&HistoryQuery::default()).unwrap().items[0].record)
            })
            .collect();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), 500);
        }
    });
    held.connection.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn rest_empties_the_log_so_that_it_is_written_from_its_start_again() {
    let (store, folder) = fresh();
    store.commit(&history(2_000)).unwrap();
    let log = folder.path().join(format!("{DATABASE_FILE}-wal"));
    store.rest().unwrap();
    let size = fs::metadata(&log).unwrap().len();
    for number in 0..20 {
        store
            .commit(&[Record::History(history_row(
                "srv02",
                "W3SVC",
                3_000 + number,
            ))])
            .unwrap();
        store.rest().unwrap();
    }
    assert_eq!(fs::metadata(&log).unwrap().len(), size);
}
