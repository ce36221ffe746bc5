//! Windows Management Instrumentation, on Windows alone: Win32_Service of this computer and of others, as the account that
//! svcwatch runs as, for hosts that allow nothing else. It is slower than the service control manager, and tells less.
//!
//! What objects say is read on any system (`row`, `faults`), so that this is tested everywhere; only the calls are not.

#[cfg(any(windows, test))]
mod faults;
#[cfg(any(windows, test))]
mod row;
#[cfg(windows)]
mod session;
#[cfg(any(windows, test))]
mod worker;

#[cfg(windows)]
pub(super) use session::Session;
