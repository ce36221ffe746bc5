//! Whose turn it is to act on a host: one at a time, whoever it is. A file in the folder of the data is locked by the
//! system, so that the program and a command on the same machine keep out of each other's way, and a process that dies
//! gives it back.

use crate::os;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};
use svcwatch_core::id::{Name, stable_hash};
use thiserror::Error;

/// The folder of the locks, inside that of the data.
const FOLDER: &str = "acting";

/// Why it is not our turn.
#[derive(Debug, Error)]
pub enum TurnError {
    /// Somebody else acts there now.
    #[error(
        "somebody else acts on {host} at this moment, and one at a time may; try again when that is over"
    )]
    Taken {
        /// The host.
        host: Name,
    },
    /// The lock cannot be made.
    #[error("{} cannot be written, and without it nobody would know that we act: {source}; name a folder with --data", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The right to act on one host, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    /// Closed with this value, which gives the lock back.
    _file: File,
}

impl Turn {
    /// Takes it, or says that it is not our turn. It does not wait.
    pub fn take(data: &Path, host: &Name) -> Result<Self, TurnError> {
        let folder = data.join(FOLDER);
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            |source| TurnError::Unwritable { path, source }
        };
        os::make_private_folder(&folder).map_err(unwritable(&folder))?;
        // The name of a host may hold what no file may be called.
        let path = folder.join(format!("{:016x}.lock", stable_hash(host.key(), 0)));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(unwritable(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(TurnError::Taken { host: host.clone() }),
            Err(TryLockError::Error(source)) => Err(unwritable(&path)(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_acts_on_a_host_and_others_on_others() {
        let data = tempfile::tempdir().unwrap();
        let host = |name: &str| Name::new(name);
        let first = Turn::take(data.path(), &host("SRV01/a")).unwrap();
        let second = Turn::take(data.path(), &host("srv01/A"));
        assert!(matches!(second, Err(TurnError::Taken { .. })), "{second:?}");
        let other = Turn::take(data.path(), &host("srv02")).unwrap();
        drop((first, other));
        Turn::take(data.path(), &host("srv01/a")).unwrap();
        let nowhere = data.path().join("file");
        std::fs::write(&nowhere, "").unwrap();
        let error = Turn::take(&nowhere, &host("srv01")).unwrap_err();
        assert!(error.to_string().contains("--data"), "{error}");
    }
}
