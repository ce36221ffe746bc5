//! A copy of the database while it is in use.

use super::{DATABASE_FILE, guard::private, pool::open_to_read, schema};
use crate::store::StoreError;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};
use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Pages that are copied between two reports: 8 MiB.
const PAGES_PER_STEP: i32 = 2_048;
/// The pause where the database is busy for a moment.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupProgress {
    /// Pages that are copied.
    pub done: u64,
    /// Pages in all.
    pub of: u64,
}

/// Copies the database of a data folder to a new file, whether or not a svcwatch holds it. The copy is of one moment,
/// and appears under its name only when it is whole. To put it back, it is copied into an empty data folder under the
/// name [`DATABASE_FILE`].
pub fn backup(
    folder: &Path,
    target: &Path,
    progress: impl FnMut(BackupProgress),
) -> Result<(), StoreError> {
    let path = folder.join(DATABASE_FILE);
    if target.exists() {
        return Err(StoreError::BackupExists {
            path: target.to_path_buf(),
        });
    }
    let source = open_to_read(&path)?;
    if schema::form_of(&source, &path)? == 0 {
        return Err(StoreError::NoDatabase { path });
    }
    let partial = with_ending(target, ".partial");
    let copied = copy(&source, &path, &partial, progress)
        .and_then(|()| fs::rename(&partial, target).map_err(|error| not_written(&partial, &error)));
    if copied.is_err() {
        // What is there of the copy is of no use. Where it cannot be removed, the error says where it is.
        drop(fs::remove_file(&partial));
        drop(fs::remove_file(with_ending(&partial, "-journal")));
    }
    copied
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn not_written(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::BackupNotWritten {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}

fn copy(
    source: &Connection,
    path: &Path,
    partial: &Path,
    mut progress: impl FnMut(BackupProgress),
) -> Result<(), StoreError> {
    match fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(not_written(partial, &error));
        }
        _ => {}
    }
    private(OpenOptions::new().write(true).create_new(true))
        .open(partial)
        .map_err(|error| not_written(partial, &error))?;
    let mut target = Connection::open(partial).map_err(|error| not_written(partial, &error))?;
    // One reading over the whole copy: otherwise each commit meanwhile would make it begin anew.
    let reading = source
        .unchecked_transaction()
        .and_then(|reading| {
            reading.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
            Ok(reading)
        })
        .map_err(|error| StoreError::of_sqlite(path, "it was copied", error))?;
    {
        let copy =
            Backup::new(&reading, &mut target).map_err(|error| not_written(partial, &error))?;
        loop {
            let step = copy
                .step(PAGES_PER_STEP)
                .map_err(|error| not_written(partial, &error))?;
            let found = copy.progress();
            let pages = |count: i32| u64::try_from(count).unwrap_or(0);
            progress(BackupProgress {
                done: pages(found.pagecount).saturating_sub(pages(found.remaining)),
                of: pages(found.pagecount),
            });
            match step {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => thread::sleep(BUSY_PAUSE),
                _ => {}
            }
        }
    }
    // The copy is one file that needs nothing beside it.
    target
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .and_then(|()| target.close().map_err(|(_, error)| error))
        .map_err(|error| not_written(partial, &error))?;
    OpenOptions::new()
        .write(true)
        .open(partial)
        .and_then(|file| file.sync_all())
        .map_err(|error| not_written(partial, &error))
}
