//! What was done to services, kept beside the store: one line of JSON for each thing, durable before it is done.
//!
//! A restart has a line when it begins, one before each control, and one at its end with everything. A line is appended
//! whole and never changed, so the program and a command may write at the same time. A file that has grown too long is
//! kept as the old one, and what was the old one goes.

use super::act::Act;
use crate::os;
use serde::Serialize;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};
use thiserror::Error;

/// The file, in the folder of the data.
const FILE: &str = "acts.jsonl";
/// What becomes of it when it has grown too long.
const OLD_FILE: &str = "acts.old.jsonl";
/// How long it may grow, in bytes; a restart takes some thousands.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why nothing can be kept, and so nothing is done.
#[derive(Debug, Error)]
#[error("{} cannot be written, and nothing is done that is not on record: {source}; name a folder with --data", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

impl JournalError {
    /// The writing itself broke off, which is a fault of svcwatch.
    pub(super) fn broken(error: &tokio::task::JoinError) -> Self {
        Self {
            path: PathBuf::from(FILE),
            source: io::Error::other(error.to_string()),
        }
    }
}

/// The file.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// One line at a time.
    writing: Mutex<()>,
}

/// A line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// A restart begins.
    Begun {
        #[serde(flatten)]
        act: &'a Act,
    },
    /// A control is sent now.
    Control {
        id: &'a str,
        at: &'a str,
        host: &'a str,
        step: &'a str,
    },
    /// It is over.
    Ended {
        #[serde(flatten)]
        act: &'a Act,
    },
}

impl Journal {
    /// The journal in a folder, which is made with the first line where it is not there.
    pub fn new(data: &Path) -> Self {
        Self {
            folder: data.to_owned(),
            writing: Mutex::new(()),
        }
    }

    /// A restart begins.
    pub(super) fn begun(&self, act: &Act) -> Result<(), JournalError> {
        self.write(&Line::Begun { act })
    }

    /// A control is about to be sent.
    pub(super) fn control(&self, act: &Act, at: &str, step: &str) -> Result<(), JournalError> {
        let (id, host) = (act.id.as_str(), act.host.as_str());
        self.write(&Line::Control { id, at, host, step })
    }

    /// A restart is over.
    pub(super) fn ended(&self, act: &Act) -> Result<(), JournalError> {
        self.write(&Line::Ended { act })
    }

    fn write(&self, line: &Line<'_>) -> Result<(), JournalError> {
        let path = self.folder.join(FILE);
        let written = self.append(&path, line);
        written.map_err(|source| JournalError { path, source })
    }

    fn append(&self, path: &Path, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        os::make_private_folder(&self.folder)?;
        let _one = self.writing.lock();
        if fs::metadata(path).is_ok_and(|found| found.len() > BYTES_MAX) {
            fs::rename(path, self.folder.join(OLD_FILE))?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(&text)?;
        file.sync_data()
    }
}
