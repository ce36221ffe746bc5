//! The service control manager by the Windows API, on Windows alone: that of this computer, and those of others as the
//! account that svcwatch runs as, by whatever Windows itself logs on with.
//!
//! What the API writes is read on any system (`buffer`), so that this is tested everywhere; only the calls are not.

#[cfg(any(windows, test))]
mod buffer;
#[cfg(windows)]
pub(crate) mod calls;
#[cfg(windows)]
mod dependents;
#[cfg(any(windows, test))]
mod down;
#[cfg(any(windows, test))]
mod ends;
#[cfg(windows)]
mod events;
#[cfg(any(windows, test))]
pub(super) mod faults;
#[cfg(windows)]
mod hand;
#[cfg(windows)]
mod machine;
#[cfg(windows)]
mod news;
#[cfg(any(windows, test))]
mod pace;
#[cfg(any(windows, test))]
mod pulse;
#[cfg(windows)]
mod session;
#[cfg(any(windows, test))]
mod thread;
#[cfg(windows)]
mod watched;

#[cfg(windows)]
pub(super) use calls::Handle;
#[cfg(windows)]
pub(super) use events::read as read_events;
#[cfg(windows)]
pub(super) use news::Listening;
#[cfg(windows)]
pub(super) use session::Session;

/// Whether this computer shuts down.
#[cfg(windows)]
pub(super) static GOES_DOWN: down::Down = down::Down::new();
