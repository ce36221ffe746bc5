//! Why the store cannot do what it was asked: each a sentence that says what, where and what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder does not exist and cannot be made.
    #[error(
        "the data folder {} cannot be made: {source}; make it by hand for the user that runs svcwatch, or give another one with --data",
        path.display()
    )]
    FolderNotMade {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder is something else.
    #[error("{} is not a folder; give a folder for the data with --data", path.display())]
    NotAFolder {
        /// What should be a folder.
        path: PathBuf,
    },
    /// Nothing can be written to the data folder.
    #[error(
        "the data folder {} cannot be written to: {source}; give it to the user that runs svcwatch, or give another one with --data",
        path.display()
    )]
    FolderNotWritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder lies where locks and shared memory do not hold.
    #[error(
        "the data folder {} lies on a network file system ({kind}), where a database gets damaged sooner or later; give a folder on a disk of this machine with --data",
        path.display()
    )]
    NetworkFileSystem {
        /// The folder.
        path: PathBuf,
        /// Which kind of file system.
        kind: &'static str,
    },
    /// Another process holds the store.
    #[error(
        "the data folder {} is in use by another svcwatch{}; stop that one, or give this one a folder of its own with --data",
        path.display(),
        of_process(*pid)
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other process, where it wrote its number and that could be read.
        pid: Option<u32>,
    },
    /// There is no database to read.
    #[error(
        "there is no database at {}; give the data folder of the svcwatch that is meant with --data",
        path.display()
    )]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database exists, but cannot be opened.
    #[error(
        "the database {} cannot be opened: {detail}; run svcwatch as the user that owns it, or give the file to that user",
        path.display()
    )]
    NotOpened {
        /// The file.
        path: PathBuf,
        /// What was said.
        detail: String,
    },
    /// The file is something else.
    #[error(
        "{} is not a database of svcwatch; move it away, or give another data folder with --data",
        path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database has a form that this program does not know.
    #[error(
        "the database {} has form {found} of a newer svcwatch, and this one knows forms up to {known}; install the newer version again, or put back a backup from before it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: i64,
        /// The newest form that this program knows.
        known: i64,
    },
    /// The database has an old form, and was opened for reading only.
    #[error(
        "the database {} has form {found} of an older svcwatch and is not changed by reading it; start svcwatch once with `run`, which brings it to form {known}",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: i64,
        /// The form that is needed.
        known: i64,
    },
    /// The database is damaged.
    #[error(
        "the database {} is damaged ({detail}); stop svcwatch, keep a copy of the file, and put back a backup, or move it away to begin anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// There is no room for what is to be written.
    #[error(
        "the disk that holds {} is full; free some space there, and svcwatch goes on by itself",
        path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// All places for readers stayed taken.
    #[error("too many readers of {} at once; try again", path.display())]
    TooManyReaders {
        /// The file.
        path: PathBuf,
    },
    /// A store that was opened for reading only was to be changed.
    #[error("the database {} was opened for reading only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The thread that writes is gone.
    #[error("the writer of the store has ended; start svcwatch again")]
    WriterGone,
    /// The thread that was to read is gone.
    #[error("a question to the store came to no answer; ask again")]
    NoAnswer,
    /// A thread could not be started.
    #[error(
        "the thread {name} cannot be started: {source}; raise the limit of processes of the user that runs svcwatch"
    )]
    NoThread {
        /// What it was to be.
        name: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file that a backup is to be written to exists.
    #[error("{} exists already; give a backup a new name", path.display())]
    BackupExists {
        /// The file.
        path: PathBuf,
    },
    /// A backup could not be written.
    #[error("the backup {} cannot be written: {detail}; look at its folder, its owner and the free space", path.display())]
    BackupNotWritten {
        /// The file.
        path: PathBuf,
        /// What was said.
        detail: String,
    },
    /// Anything else that the database said.
    #[error("the database {} failed while {doing}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: Box<rusqlite::Error>,
    },
}

impl StoreError {
    /// Whether there is no room for what is to be written.
    pub const fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }

    /// What the database said, as one of the reasons that people can do something about.
    pub(super) fn of_sqlite(path: &Path, doing: &'static str, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_path_buf();
        let extended = error.sqlite_error().map_or(0, |inner| inner.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            // The index of the write-ahead log could not grow: the file system has no room for it either.
            Some(ErrorCode::SystemIoFailure) if extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
                Self::DiskFull { path }
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                path,
                detail: error.to_string(),
            },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::NotOpened {
                    path,
                    detail: error.to_string(),
                }
            }
            _ => Self::Database {
                path,
                doing,
                source: Box::new(error),
            },
        }
    }
}

fn of_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_says_where_and_what_to_do() {
        let path = || PathBuf::from("/data");
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let errors = [
            StoreError::FolderNotMade {
                path: path(),
                source: denied(),
            },
            StoreError::NotAFolder { path: path() },
            StoreError::FolderNotWritable {
                path: path(),
                source: denied(),
            },
            StoreError::NetworkFileSystem {
                path: path(),
                kind: "NFS",
            },
            StoreError::InUse {
                path: path(),
                pid: Some(7),
            },
            StoreError::NoDatabase { path: path() },
            StoreError::NotOpened {
                path: path(),
                detail: "no".to_owned(),
            },
            StoreError::NotADatabase { path: path() },
            StoreError::Newer {
                path: path(),
                found: 9,
                known: 1,
            },
            StoreError::Older {
                path: path(),
                found: 0,
                known: 1,
            },
            StoreError::Damaged {
                path: path(),
                detail: "no".to_owned(),
            },
            StoreError::DiskFull { path: path() },
            StoreError::TooManyReaders { path: path() },
            StoreError::BackupExists { path: path() },
            StoreError::BackupNotWritten {
                path: path(),
                detail: "no".to_owned(),
            },
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.contains("/data"), "says where: {text}");
            assert!(text.contains("; "), "says what to do: {text}");
            assert!(!text.ends_with('.'), "is a fragment: {text}");
        }
    }

    #[test]
    fn the_other_process_is_named_where_it_is_known() {
        let error = |pid| {
            StoreError::InUse {
                path: PathBuf::from("/data"),
                pid,
            }
            .to_string()
        };
        assert!(error(Some(77)).contains("another svcwatch (process 77);"));
        assert!(error(None).contains("another svcwatch;"));
    }
}
