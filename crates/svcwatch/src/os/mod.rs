//! What differs between operating systems: one file for each, and no other place asks which one it is.

#[cfg(any(windows, test))]
mod event_text;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
pub mod windows;

#[cfg(unix)]
pub use unix::{
    Signals, computer_name, data_folder, is_this_computer, make_private_folder, raise_open_files,
    stamp, tick,
};
#[cfg(windows)]
pub use windows::{
    Signals, computer_name, data_folder, is_this_computer, make_private_folder, raise_open_files,
    stamp, tick,
};

/// What somebody outside asks of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// To end.
    Stop,
    /// To read the configuration again.
    Reload,
}

/// What tells one version of a file from another without reading it: when it was written, how long it is, and which
/// file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When it was written, in nanoseconds.
    pub written: u128,
    /// Its length in bytes.
    pub length: u64,
    /// Which file it is.
    pub number: u64,
}
