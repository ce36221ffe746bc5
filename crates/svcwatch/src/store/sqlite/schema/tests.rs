//! Old forms of the database become the newest.

use super::*;

fn path() -> &'static Path {
    Path::new("/data/svcwatch.db")
}

fn tables(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
        .unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

#[test]
fn an_empty_database_becomes_the_newest_form() {
    let mut connection = Connection::open_in_memory().unwrap();
    assert_eq!(form_of(&connection, path()).unwrap(), 0);
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    assert_eq!(form_of(&connection, path()).unwrap(), newest());
    assert_eq!(
        tables(&connection),
        [
            "account",
            "attempt",
            "counted",
            "delivery",
            "destination",
            "details",
            "dropped",
            "feed",
            "history",
            "host",
            "incident",
            "lane",
            "meta",
            "remedy",
            "silence",
            "subject",
            "target"
        ]
    );
    let id = |connection: &Connection| -> Vec<u8> {
        let sql = "SELECT value FROM meta WHERE key = 'store_id'";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let first = id(&connection);
    assert_eq!(first.len(), 16);
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    assert_eq!(id(&connection), first, "the identity is made once");
}

#[test]
fn only_the_steps_that_lack_are_taken() {
    fn moody(step: &Transaction<'_>) -> rusqlite::Result<()> {
        step.execute_batch("ALTER TABLE target ADD COLUMN mood TEXT")
    }
    fn broken(step: &Transaction<'_>) -> rusqlite::Result<()> {
        step.execute_batch("CREATE TABLE half (a); CREATE TABLE half (a);")
    }
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &[form_1]).unwrap();
    migrate(&mut connection, path(), &[form_1, moody]).unwrap();
    assert_eq!(form_of(&connection, path()).unwrap(), 2);

    let error = migrate(&mut connection, path(), &[form_1, moody, broken]).unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error}");
    assert_eq!(
        form_of(&connection, path()).unwrap(),
        2,
        "half a step is none"
    );
    assert!(!tables(&connection).contains(&"half".to_owned()));
}

#[test]
fn a_database_of_form_1_keeps_its_targets() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &[form_1]).unwrap();
    let row = "INSERT INTO target (host, service, state, since, flags, seq) VALUES ('h', 's', 'running', 1, 0, 7)";
    connection.execute_batch(row).unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let kept: (i64, Option<i64>) = connection
        .query_row("SELECT seq, details FROM target", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(kept, (7, None));
}

#[test]
fn a_database_of_form_2_keeps_its_incidents() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &[form_1, form_2]).unwrap();
    connection
        .execute_batch(
            "INSERT INTO subject (id, host, name, kind) VALUES (1, 'h', 's', 'service');
             INSERT INTO incident (id, subject, seq, event, severity, opened_at, told, first_look)
             VALUES ('a-1', 1, 1, 'stopped', 'critical', 5, 1, 0)",
        )
        .unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let kept: (i64, Option<String>, Option<String>) = connection
        .query_row("SELECT opened_at, muted, untold FROM incident", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(kept, (5, None, None));
}

#[test]
fn a_database_of_form_5_keeps_its_targets() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &MIGRATIONS[..5]).unwrap();
    let row = "INSERT INTO target (host, service, state, since, flags, seq) VALUES ('h', 's', 'running', 1, 0, 7)";
    connection.execute_batch(row).unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let kept: (i64, Option<String>) = connection
        .query_row("SELECT seq, restarts FROM target", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(kept, (7, None));
}

#[test]
fn a_database_of_form_4_keeps_its_hosts() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &MIGRATIONS[..4]).unwrap();
    let row =
        "INSERT INTO host (host, since, seq, visibility_seq, removed) VALUES ('h', 1, 7, 0, 0)";
    connection.execute_batch(row).unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let sql = "SELECT 10 * seq + listed FROM host";
    assert_eq!(connection.query_row(sql, [], |row| row.get(0)), Ok(70));
}

#[test]
fn a_database_of_form_6_keeps_its_hosts() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &MIGRATIONS[..6]).unwrap();
    let row =
        "INSERT INTO host (host, since, seq, visibility_seq, removed) VALUES ('h', 5, 3, 0, 0)";
    connection.execute_batch(row).unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let sql = "SELECT seq FROM host WHERE booted_at IS NULL AND grace_until IS NULL";
    assert_eq!(connection.query_row(sql, [], |row| row.get(0)), Ok(3));
}

#[test]
fn a_database_of_form_7_keeps_its_incidents() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &MIGRATIONS[..7]).unwrap();
    let rows = "INSERT INTO subject (id, host, name, kind) VALUES (1, 'h', 's', 'service');
        INSERT INTO incident (id, subject, seq, event, severity, opened_at, told, first_look)
        VALUES ('i', 1, 4, 'stopped', 'critical', 1, 1, 0);";
    connection.execute_batch(rows).unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let sql = "SELECT seq FROM incident WHERE evidence IS NULL";
    assert_eq!(connection.query_row(sql, [], |row| row.get(0)), Ok(4));
}

#[test]
fn a_database_of_form_8_gets_room_for_tries() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &MIGRATIONS[..8]).unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let row = "INSERT INTO remedy (id, incident, at, text) VALUES ('a', 'i', 1, '{}')";
    connection.execute_batch(row).unwrap();
}

#[test]
fn a_database_of_form_9_keeps_its_accounts() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), &MIGRATIONS[..9]).unwrap();
    let row = "INSERT INTO account (account, refused_by, seq) VALUES ('ops', '[\"h\"]', 3)";
    connection.execute_batch(row).unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let sql = "SELECT seq FROM account WHERE left_alone IS NULL";
    assert_eq!(connection.query_row(sql, [], |row| row.get(0)), Ok(3));
}

#[test]
fn details_that_nobody_has_go_once_they_are_many() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    let fill = |count: i64| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT OR IGNORE INTO details (text) SELECT 'text ' || i FROM n"
        )
    };
    let count = |connection: &Connection| -> i64 {
        let sql = "SELECT count(*) FROM details";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let row = "INSERT INTO target (host, service, state, since, flags, seq, details) VALUES ('h', 's', 'running', 1, 0, 7, 3)";
    connection.execute_batch(&fill(DETAILS_KEPT)).unwrap();
    connection.execute_batch(row).unwrap();
    tidy_details(&connection).unwrap();
    assert_eq!(count(&connection), DETAILS_KEPT);
    connection.execute_batch(&fill(DETAILS_KEPT + 1)).unwrap();
    tidy_details(&connection).unwrap();
    assert_eq!(count(&connection), 1);
}

#[test]
fn a_newer_form_is_refused() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, path(), MIGRATIONS).unwrap();
    connection
        .pragma_update(None, "user_version", newest() + 1)
        .unwrap();
    let error = migrate(&mut connection, path(), MIGRATIONS).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("form {} of a newer svcwatch", newest() + 1)),
        "{error}"
    );
}

#[test]
fn the_database_of_another_program_is_refused() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
    let error = migrate(&mut connection, path(), MIGRATIONS).unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
    assert_eq!(tables(&connection), ["theirs"]);
}
