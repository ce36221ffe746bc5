//! Windows.

use super::{Signal, Stamp};
use std::{
    env, io,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Instant, UNIX_EPOCH},
};
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

/// When the program began.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds of a clock that only goes forward. The performance counter counts the time that the machine was
/// suspended.
pub fn tick() -> u64 {
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Where the store is kept unless somebody says otherwise.
pub fn data_folder() -> Option<PathBuf> {
    Some(PathBuf::from(env::var_os("ProgramData")?).join("svcwatch"))
}

/// There is no such limit here.
pub const fn raise_open_files(_wanted: u64) -> Result<(), u64> {
    Ok(())
}

/// What tells this version of a file from another; nothing where there is no such file.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    let written = metadata.modified().ok()?;
    Some(Stamp {
        written: written
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos()),
        length: metadata.len(),
        number: 0,
    })
}

/// What is listened to: Ctrl+C and Ctrl+Break, both to end.
#[derive(Debug)]
pub struct Signals {
    interrupt: CtrlC,
    broken: CtrlBreak,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            broken: ctrl_break()?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.broken.recv() => Signal::Stop,
        }
    }
}
