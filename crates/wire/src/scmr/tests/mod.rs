//! Layouts by hand, hostile buffers, and conversations of the enumeration.

mod config;
mod enumeration;
mod layouts;
mod lists;

use super::{CurrentState, EnumeratedService, Handle, ServiceStatus, accepts, service_type};
use std::format;

/// A handle whose bytes are 1 to 20.
pub(super) const HANDLE: Handle = Handle([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
]);

/// The handle as it stands in a stub.
pub(super) const HANDLE_HEX: &str = "01020304 05060708 090a0b0c 0d0e0f10 11121314";

/// A status with a different value in each word.
pub(super) const STATUS: ServiceStatus = ServiceStatus {
    service_type: service_type::OWN_PROCESS,
    current_state: CurrentState::Running.raw(),
    controls_accepted: accepts::STOP | accepts::SHUTDOWN,
    win32_exit_code: 1066,
    service_exit_code: 3,
    checkpoint: 6,
    wait_hint: 7,
};

/// The status as it stands in a stub.
pub(super) const STATUS_HEX: &str =
    "10000000 04000000 05000000 2a040000 03000000 06000000 07000000";

/// A service with a process.
pub(super) fn service(name: &str) -> EnumeratedService {
    EnumeratedService {
        name: name.into(),
        display_name: format!("{name} display"),
        status: STATUS,
        pid: Some(264),
        flags: Some(1),
    }
}
