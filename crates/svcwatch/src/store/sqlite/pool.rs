//! Connections that only read, so that a question never waits for a commit.

use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Readers at once, at most.
const READERS_MAX: usize = 8;
/// How long a question waits for a place, and any statement for a lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that only read.
#[derive(Debug)]
pub(super) struct ReadPool {
    path: PathBuf,
    places: Mutex<Places>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Places {
    idle: Vec<Connection>,
    taken: usize,
}

/// Opens one connection that only reads.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    look_at(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;",
        )?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    };
    open().map_err(|error| StoreError::of_sqlite(path, "it was opened for reading", error))
}

/// The system says more about a file that cannot be opened than the database does. The file is not opened for that: on
/// Unix, closing it would give up the locks that other connections of this process hold on it.
fn look_at(path: &Path) -> Result<(), StoreError> {
    let detail = match fs::metadata(path) {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => "it is not a file".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NoDatabase {
                path: path.to_path_buf(),
            });
        }
        Err(error) => error.to_string(),
    };
    Err(StoreError::NotOpened {
        path: path.to_path_buf(),
        detail,
    })
}

impl ReadPool {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            places: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Asks in one short transaction, so that all of the answer is of the same moment.
    pub(super) fn ask<T>(
        &self,
        doing: &'static str,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let taken = self.take()?;
        let asked = taken
            .connection
            .unchecked_transaction()
            .and_then(|reading| {
                let answer = question(&reading)?;
                reading.commit()?;
                Ok(answer)
            });
        match asked {
            Ok(answer) => {
                taken.give_back();
                Ok(answer)
            }
            // The connection is not used again: whatever is wrong may be wrong with it alone.
            Err(error) => Err(StoreError::of_sqlite(&self.path, doing, error)),
        }
    }

    fn take(&self) -> Result<Taken<'_>, StoreError> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut places, _) = self
            .freed
            .wait_timeout_while(places, PATIENCE, |places| places.taken >= READERS_MAX)
            .unwrap_or_else(PoisonError::into_inner);
        if places.taken >= READERS_MAX {
            return Err(StoreError::TooManyReaders {
                path: self.path.clone(),
            });
        }
        places.taken += 1;
        let idle = places.idle.pop();
        drop(places);
        // From here on the place is given free when this is dropped.
        let place = Place(self);
        let connection = match idle {
            Some(connection) => connection,
            None => open_to_read(&self.path)?,
        };
        Ok(Taken { connection, place })
    }
}

struct Place<'a>(&'a ReadPool);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.taken = places.taken.saturating_sub(1);
        drop(places);
        self.0.freed.notify_one();
    }
}

struct Taken<'a> {
    connection: Connection,
    place: Place<'a>,
}

impl Taken<'_> {
    fn give_back(self) {
        let mut places = self
            .place
            .0
            .places
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        places.idle.push(self.connection);
    }
}
