//! The store in the data folder: one SQLite database, one connection that writes, a few that read.

mod backup;
mod guard;
mod load;
mod pool;
mod read;
mod remedies;
mod rows;
mod schema;
mod statements;
mod upkeep;
mod write;

#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod tests;

pub use backup::{BackupProgress, backup};

use super::{
    Store, StoreError, StoreOptions,
    query::{
        DeliveryItem, DeliveryQuery, DroppedQuery, Health, HistoryQuery, IncidentItem,
        IncidentQuery, Page,
    },
};
use guard::{Guard, private};
use pool::{PATIENCE, ReadPool, open_to_read};
use rusqlite::{Connection, InterruptHandle, OpenFlags};
use std::{
    fs::OpenOptions,
    io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use svcwatch_core::{
    id::{Name, StoreId},
    record::{DroppedRow, HistoryRow, HostRow, Record, Restored, TargetRow},
    time::Wall,
};
use write::Writing;

/// The name of the database in the data folder.
pub const DATABASE_FILE: &str = "svcwatch.db";

/// Threads that read the targets at a start, at most.
const LOADERS_MAX: usize = 4;
const LOADING: &str = "it was read at the start";

/// How the connection that writes is set up. A commit is durable when it returns (`synchronous`). The log is moved into
/// the database while the writer rests; a commit does it only where the log has grown to 64 MiB without any rest.
const SETTINGS: &str = "
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA journal_size_limit = 67108864;
PRAGMA wal_autocheckpoint = 16384;
PRAGMA cache_size = -65536;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
";

/// A store in a data folder.
#[derive(Debug)]
pub struct SqliteStore {
    // The order matters: connections are closed before the lock is given up.
    writing: Option<Mutex<Writing>>,
    pool: ReadPool,
    guard: Option<Guard>,
    path: PathBuf,
    id: StoreId,
    health: Mutex<Health>,
    check: Check,
}

/// A check that may be under way.
#[derive(Default)]
struct Check {
    stopped: AtomicBool,
    running: Mutex<Option<InterruptHandle>>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Check")
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqliteStore {
    /// Opens or makes the store of a data folder and holds it against any other process until it is dropped.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let guard = Guard::take(folder, options.ballast)?;
        let path = folder.join(DATABASE_FILE);
        let connection = open_to_write(&path)?;
        let id = identity(&connection, &path)?;
        let disk_full = !guard.make_ballast();
        if disk_full {
            tracing::warn!(
                folder = %folder.display(),
                "there is no room for the reserve of the store; free some space on its disk"
            );
        }
        Ok(Self {
            writing: Some(Mutex::new(Writing::new(connection))),
            pool: ReadPool::new(&path),
            guard: Some(guard),
            path,
            id,
            health: Mutex::new(Health {
                disk_full,
                ..Health::default()
            }),
            check: Check::default(),
        })
    }

    /// Opens the store of a data folder to read it, beside a process that may hold it.
    pub fn open_to_read(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(DATABASE_FILE);
        let connection = open_to_read(&path)?;
        let (found, known) = (schema::form_of(&connection, &path)?, schema::newest());
        if found == 0 {
            return Err(StoreError::NoDatabase { path });
        }
        if found < known {
            return Err(StoreError::Older { path, found, known });
        }
        if found > known {
            return Err(StoreError::Newer { path, found, known });
        }
        Ok(Self {
            writing: None,
            pool: ReadPool::new(&path),
            guard: None,
            id: identity(&connection, &path)?,
            path,
            health: Mutex::default(),
            check: Check::default(),
        })
    }

    fn writing(&self) -> Result<MutexGuard<'_, Writing>, StoreError> {
        self.writing
            .as_ref()
            .map(locked)
            .ok_or_else(|| StoreError::ReadOnly {
                path: self.path.clone(),
            })
    }

    fn of_sqlite(&self, doing: &'static str, error: rusqlite::Error) -> StoreError {
        let error = StoreError::of_sqlite(&self.path, doing, error);
        if let StoreError::Damaged { detail, .. } = &error {
            locked(&self.health).damage = Some(detail.clone());
        }
        error
    }

    /// After a write that found the disk full: gives the reserve free, and says whether that made room.
    fn make_room(&self) -> bool {
        locked(&self.health).disk_full = true;
        let freed = self.guard.as_ref().is_some_and(Guard::free_ballast);
        if freed {
            tracing::error!(
                database = %self.path.display(),
                "the disk is full; the reserve is given free so that what is pending can still be told; free some space there"
            );
        }
        freed
    }

    fn looked_through(&self) -> Result<Vec<String>, StoreError> {
        let connection = open_to_read(&self.path)?;
        *locked(&self.check.running) = Some(connection.get_interrupt_handle());
        let found = self.problems(&connection);
        *locked(&self.check.running) = None;
        found.map_err(|error| self.of_sqlite("it was looked through", error))
    }

    /// Table by table, so that no reading lasts long: the log could not be emptied meanwhile.
    fn problems(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
        let mut tables =
            connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let tables: Vec<String> = tables
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut problems = Vec::new();
        for table in tables {
            if self.check.stopped.load(Ordering::Acquire) {
                break;
            }
            let sql = format!("PRAGMA quick_check(\"{}\")", table.replace('"', "\"\""));
            let mut statement = connection.prepare(&sql)?;
            let found = statement.query_map([], |row| row.get::<_, String>(0))?;
            for line in found.take(3) {
                problems.extend(Some(line?).filter(|line| line != "ok"));
            }
        }
        Ok(problems)
    }
}

fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    make_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let of_sqlite = |error| StoreError::of_sqlite(path, "it was opened", error);
    let mut connection = Connection::open_with_flags(path, flags).map_err(of_sqlite)?;
    connection.busy_timeout(PATIENCE).map_err(of_sqlite)?;
    // Before anything is changed: a database that is not ours, or too new, stays as it is.
    let (found, known) = (schema::form_of(&connection, path)?, schema::newest());
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found,
            known,
        });
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(of_sqlite)?;
    if mode != "wal" {
        return Err(StoreError::NotOpened {
            path: path.to_path_buf(),
            detail: format!(
                "its file system allows the journal mode {mode} only, and not a write-ahead log"
            ),
        });
    }
    connection.execute_batch(SETTINGS).map_err(of_sqlite)?;
    schema::migrate(&mut connection, path, schema::MIGRATIONS)?;
    schema::tidy_details(&connection).map_err(of_sqlite)?;
    Ok(connection)
}

/// Makes an empty file for its owner alone where there is none; SQLite gives the files beside it the same rights. One
/// that is there is not opened: on Unix, closing it would give up the locks of other connections of this process.
fn make_file(path: &Path) -> Result<(), StoreError> {
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(StoreError::DiskFull {
            path: path.to_path_buf(),
        }),
        Err(error) => Err(StoreError::NotOpened {
            path: path.to_path_buf(),
            detail: error.to_string(),
        }),
    }
}

fn identity(connection: &Connection, path: &Path) -> Result<StoreId, StoreError> {
    write::store_id(connection)
        .map_err(|error| StoreError::of_sqlite(path, "its identity was read", error))?
        .map(StoreId)
        .ok_or_else(|| StoreError::Damaged {
            path: path.to_path_buf(),
            detail: "it has no identity".to_owned(),
        })
}

impl Store for SqliteStore {
    fn id(&self) -> StoreId {
        self.id
    }

    fn load(&self) -> Result<Restored, StoreError> {
        // Nothing is written meanwhile, so that all parts are of the same moment.
        let writing = self.writing.as_ref().map(locked);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let parts = if writing.is_some() {
            cores.min(LOADERS_MAX)
        } else {
            1
        };
        let ask = |from: &str, to: Option<&str>| {
            self.pool
                .ask(LOADING, |reading| load::targets(reading, from, to))
        };
        let borders = self
            .pool
            .ask(LOADING, |reading| load::borders(reading, parts))?;
        let (mut restored, others) = thread::scope(|scope| {
            let ask = &ask;
            let others: Vec<_> = (1..)
                .zip(&borders)
                .map(|(next, from)| {
                    let to = borders.get(next).map(String::as_str);
                    scope.spawn(move || ask(from, to))
                })
                .collect();
            let own = self.pool.ask(LOADING, |reading| {
                let mut restored = load::load(reading, self.id)?;
                let to = borders.first().map(String::as_str);
                restored.targets = load::targets(reading, "", to)?;
                Ok(restored)
            });
            let others: Vec<_> = others
                .into_iter()
                .map(|other| other.join().unwrap_or(Err(StoreError::NoAnswer)))
                .collect();
            (own, others)
        });
        if let Ok(restored) = &mut restored {
            for other in others {
                restored.targets.append(&mut other?);
            }
        }
        restored
    }

    fn commit(&self, records: &[Record]) -> Result<(), StoreError> {
        let mut writing = self.writing()?;
        let doing = "rows were written";
        match writing.write(records) {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = self.of_sqlite(doing, error);
                if error.is_disk_full() && self.make_room() {
                    writing
                        .write(records)
                        .map_err(|error| self.of_sqlite(doing, error))
                } else {
                    Err(error)
                }
            }
        }
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Page<IncidentItem>, StoreError> {
        self.pool.ask("incidents were read", |reading| {
            read::incidents(reading, query)
        })
    }

    fn history(&self, query: &HistoryQuery) -> Result<Page<HistoryRow>, StoreError> {
        self.pool
            .ask("history was read", |reading| read::history(reading, query))
    }

    fn transitions(&self, after: u64, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
        self.pool.ask("transitions were read", |reading| {
            read::transitions(reading, after, limit)
        })
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<DeliveryItem>, StoreError> {
        self.pool.ask("deliveries were read", |reading| {
            read::deliveries(reading, query)
        })
    }

    fn dropped(&self, query: &DroppedQuery) -> Result<Vec<DroppedRow>, StoreError> {
        self.pool.ask("what was not told was read", |reading| {
            read::dropped(reading, query)
        })
    }

    fn host(&self, host: &Name) -> Result<Option<HostRow>, StoreError> {
        self.pool
            .ask("a host was read", |reading| read::host(reading, host))
    }

    fn targets(&self, host: &Name) -> Result<Vec<TargetRow>, StoreError> {
        self.pool
            .ask("targets were read", |reading| read::targets(reading, host))
    }

    fn expire(&self, before: Wall) -> Result<bool, StoreError> {
        let mut writing = self.writing()?;
        upkeep::expire(&mut writing.connection, before)
            .map_err(|error| self.of_sqlite("old rows were removed", error))
    }

    fn rest(&self) -> Result<(), StoreError> {
        let writing = self.writing()?;
        // PASSIVE waits for nobody: what a reader still needs stays in the log until the next rest.
        let moved = writing
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        drop(writing);
        if self.guard.as_ref().is_some_and(Guard::make_ballast) {
            let mut health = locked(&self.health);
            if std::mem::take(&mut health.disk_full) {
                tracing::info!(database = %self.path.display(), "there is room on the disk again");
            }
        }
        moved.map_err(|error| self.of_sqlite("its log was moved into it", error))
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.check.stopped.load(Ordering::Acquire) {
            return Ok(());
        }
        let problems = match self.looked_through() {
            // Its end was asked for, so nothing is known.
            Err(_) | Ok(_) if self.check.stopped.load(Ordering::Acquire) => return Ok(()),
            found => found?,
        };
        let mut health = locked(&self.health);
        health.checked = true;
        if problems.is_empty() {
            return Ok(());
        }
        let detail = problems.join("; ");
        health.damage = Some(detail.clone());
        Err(StoreError::Damaged {
            path: self.path.clone(),
            detail,
        })
    }

    fn stop_check(&self) {
        self.check.stopped.store(true, Ordering::Release);
        if let Some(running) = &*locked(&self.check.running) {
            running.interrupt();
        }
    }

    fn health(&self) -> Health {
        locked(&self.health).clone()
    }
}
