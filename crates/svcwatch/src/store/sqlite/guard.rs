//! What is looked at before a database is opened, and held as long as it is: the folder, the lock, the reserve.

use crate::{os, store::StoreError};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
};

/// The file whose lock says that a process holds the store. It is beside the database, so that other programs may read that one.
const LOCK_FILE: &str = "svcwatch.lock";
/// The file that is given free when the disk is full.
const BALLAST_FILE: &str = "svcwatch.reserve";
/// The reserve is written in blocks of so many random bytes, so that a file system that packs data cannot make them small.
const BALLAST_BLOCK: usize = 1024 * 1024;

/// The folder of a store, held against any other process until it is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    folder: PathBuf,
    ballast: u64,
    /// Its lock is given up by the system when it is closed, however the process ends.
    _lock: File,
}

impl Guard {
    /// Makes the folder where it does not exist, and takes it.
    pub(super) fn take(folder: &Path, ballast: u64) -> Result<Self, StoreError> {
        make_folder(folder)?;
        refuse_network(folder)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            ballast,
            _lock: lock(folder)?,
        })
    }

    fn ballast_path(&self) -> PathBuf {
        self.folder.join(BALLAST_FILE)
    }

    /// Whether the reserve is there in its full size.
    pub(super) fn has_ballast(&self) -> bool {
        self.ballast == 0
            || fs::metadata(self.ballast_path()).is_ok_and(|file| file.len() == self.ballast)
    }

    /// Makes the reserve where it is not there and there is room for it and as much again. Says whether it is there.
    pub(super) fn make_ballast(&self) -> bool {
        if self.has_ballast() {
            return true;
        }
        if free_bytes(&self.folder).is_some_and(|free| free < self.ballast.saturating_mul(2)) {
            return false;
        }
        let path = self.ballast_path();
        match write_ballast(&path, self.ballast) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "the reserve of the disk cannot be made");
                // Half a reserve would take room and count for nothing.
                self.free_ballast();
                false
            }
        }
    }

    /// Gives the reserve free; says whether there was one.
    pub(super) fn free_ballast(&self) -> bool {
        fs::remove_file(self.ballast_path()).is_ok()
    }
}

fn write_ballast(path: &Path, size: u64) -> io::Result<()> {
    let mut block = vec![0; BALLAST_BLOCK];
    getrandom::fill(&mut block).map_err(io::Error::other)?;
    let mut file =
        private(OpenOptions::new().write(true).create(true).truncate(true)).open(path)?;
    let mut left = size;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(block.get(..part).unwrap_or(&block))?;
        left = left.saturating_sub(u64::try_from(part).unwrap_or(u64::MAX));
    }
    file.sync_all()
}

/// Files of the store are for its owner alone.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => {
            return Err(StoreError::NotAFolder {
                path: folder.to_path_buf(),
            });
        }
        Err(_) => {}
    }
    os::make_private_folder(folder).map_err(|source| StoreError::FolderNotMade {
        path: folder.to_path_buf(),
        source,
    })
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let not_writable = |source: io::Error| {
        if source.kind() == io::ErrorKind::StorageFull {
            return StoreError::DiskFull {
                path: folder.to_path_buf(),
            };
        }
        StoreError::FolderNotWritable {
            path: folder.to_path_buf(),
            source,
        }
    };
    let mut file = private(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
    )
    .open(folder.join(LOCK_FILE))
    .map_err(not_writable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse {
                path: folder.to_path_buf(),
                pid: pid_of(&mut file),
            });
        }
        Err(TryLockError::Error(source)) => return Err(not_writable(source)),
    }
    // The number is for people only. On a full disk the lock holds without it.
    if let Err(error) = write_pid(&mut file) {
        tracing::debug!(%error, "the number of this process cannot be written to the lock file");
    }
    Ok(file)
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

/// The process that wrote its number to the lock file. On Windows a locked file cannot be read, so it is not known there.
fn pid_of(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Where the disk can tell it: the bytes that this user can still write.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

fn refuse_network(folder: &Path) -> Result<(), StoreError> {
    network_of(folder).map_or(Ok(()), |kind| {
        Err(StoreError::NetworkFileSystem {
            path: folder.to_path_buf(),
            kind,
        })
    })
}

#[cfg(target_os = "linux")]
fn network_of(folder: &Path) -> Option<&'static str> {
    let found = rustix::fs::statfs(folder).ok()?;
    network_file_system(i128::from(found.f_type))
}

#[cfg(windows)]
fn network_of(folder: &Path) -> Option<&'static str> {
    use std::path::{Component, Prefix};
    match folder.components().next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::UNC(..) | Prefix::VerbatimUNC(..) => Some("SMB"),
            Prefix::Verbatim(_)
            | Prefix::VerbatimDisk(_)
            | Prefix::DeviceNS(_)
            | Prefix::Disk(_) => None,
        },
        _ => None,
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
fn network_of(_folder: &Path) -> Option<&'static str> {
    None
}

/// The name of a network or cluster file system by the type that statfs gives (Linux, include/uapi/linux/magic.h and the
/// file systems' own headers). FUSE is not among them: it may be a local disk as well.
#[cfg(target_os = "linux")]
fn network_file_system(kind: i128) -> Option<&'static str> {
    // The field is a signed word on some machines, so only its low 32 bits tell the type.
    Some(match kind & 0xffff_ffff {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x7461_636f => "OCFS2",
        0x0116_1970 => "GFS2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Guard::take(folder.path(), 0).unwrap();
        match Guard::take(folder.path(), 0).unwrap_err() {
            StoreError::InUse { pid, .. } if cfg!(unix) => assert_eq!(pid, Some(process::id())),
            StoreError::InUse { pid, .. } => assert_eq!(pid, None),
            other => panic!("{other}"),
        }
        drop(first);
        assert!(Guard::take(folder.path(), 0).is_ok());
    }

    #[test]
    fn the_reserve_is_made_given_free_and_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::take(folder.path(), 3_000_000).unwrap();
        assert!(guard.make_ballast() && guard.has_ballast());
        let size = fs::metadata(guard.ballast_path()).unwrap().len();
        assert_eq!(size, 3_000_000);
        assert!(guard.free_ballast());
        assert!(!guard.has_ballast() && !guard.free_ballast());
        assert!(guard.make_ballast());
    }

    #[cfg(unix)]
    #[test]
    fn a_reserve_is_not_made_where_it_would_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::take(folder.path(), u64::MAX / 2).unwrap();
        assert!(!guard.make_ballast());
        assert!(!guard.ballast_path().exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_and_its_files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new").join("deep");
        let guard = Guard::take(&folder, 10).unwrap();
        assert!(guard.make_ballast());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(LOCK_FILE)), 0o600);
        assert_eq!(mode(&guard.ballast_path()), 0o600);
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_said_so() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "x").unwrap();
        let error = Guard::take(&path, 0).unwrap_err();
        assert!(matches!(error, StoreError::NotAFolder { .. }), "{error}");
        let error = Guard::take(&path.join("below"), 0).unwrap_err();
        assert!(matches!(error, StoreError::FolderNotMade { .. }), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_takes_no_files_is_said_so() {
        // No file can be made there, not even by root.
        let error = Guard::take(Path::new("/proc/self"), 0).unwrap_err();
        assert!(
            matches!(error, StoreError::FolderNotWritable { .. }),
            "{error}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_known_by_their_type() {
        for (kind, name) in [
            (0x6969, "NFS"),
            (0xff53_4d42, "CIFS"),
            // The same as a signed 32-bit word.
            (-0x00ac_b2be, "CIFS"),
            (0x0102_1997, "9p"),
        ] {
            assert_eq!(network_file_system(kind), Some(name));
        }
        for (kind, name) in [
            (0xef53, "ext4"),
            (0x0102_1994, "tmpfs"),
            (0x6573_5546, "FUSE"),
        ] {
            assert_eq!(network_file_system(kind), None, "{name}");
        }
    }
}
