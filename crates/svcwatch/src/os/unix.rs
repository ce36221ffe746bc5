//! Linux and its relatives.

use super::{Signal, Stamp};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use std::{
    env,
    fs::DirBuilder,
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// Milliseconds of a clock that only goes forward and counts the time that the machine was suspended.
pub fn tick() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(nanoseconds / 1_000_000)
}

/// Where the store is kept unless somebody says otherwise.
pub fn data_folder() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/svcwatch"));
    }
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".local/state"));
    let state = state.filter(|path| path.is_absolute()).or_else(home)?;
    Some(state.join("svcwatch"))
}

/// Raises how many files and connections may be open at once, as far as the system allows. Says how many may be where
/// that is fewer than wanted.
pub fn raise_open_files(wanted: u64) -> Result<(), u64> {
    let limit = getrlimit(Resource::Nofile);
    let enough = |have: Option<u64>| have.is_none_or(|have| have >= wanted);
    if enough(limit.current) {
        return Ok(());
    }
    // The hard limit can be raised by root only; where that fails, the soft one is raised up to it.
    let hard = limit.maximum.map(|hard| hard.max(wanted));
    let raised = Rlimit {
        current: Some(wanted),
        maximum: hard,
    };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let most = limit.maximum.map_or(wanted, |hard| hard.min(wanted));
    let to_the_most = Rlimit {
        current: Some(most),
        maximum: limit.maximum,
    };
    if setrlimit(Resource::Nofile, to_the_most).is_err() {
        return Err(limit.current.unwrap_or(wanted));
    }
    match getrlimit(Resource::Nofile).current {
        Some(have) if have < wanted => Err(have),
        _ => Ok(()),
    }
}

/// Whether an address is this computer's own. It is not asked here: only Windows has services of its own.
pub const fn is_this_computer(_address: &str) -> bool {
    false
}

/// The name of this computer. It is not asked for here: only Windows has services of its own.
pub const fn computer_name() -> Option<String> {
    None
}

/// Makes a folder, and those above it, that its owner alone can enter.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// What tells this version of a file from another; nothing where there is no such file.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    let seconds = u128::try_from(metadata.mtime()).unwrap_or(0);
    let nanoseconds = u128::try_from(metadata.mtime_nsec()).unwrap_or(0);
    Some(Stamp {
        written: seconds * 1_000_000_000 + nanoseconds,
        length: metadata.len(),
        number: metadata.ino(),
    })
}

/// The signals that are listened to: SIGTERM and SIGINT to end, SIGHUP to reload.
#[derive(Debug)]
pub struct Signals {
    terminate: Listener,
    interrupt: Listener,
    hang_up: Listener,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hang_up.recv() => Signal::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_or_another_length_is_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(stamp(&path), None);
        std::fs::write(&path, "one").unwrap();
        let first = stamp(&path);
        assert!(first.is_some());
        assert_eq!(stamp(&path), first);
        let other = folder.path().join("b");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(stamp(&path), first);
    }

    #[test]
    fn a_limit_that_is_high_enough_is_left_alone() {
        assert_eq!(raise_open_files(8), Ok(()));
    }
}
