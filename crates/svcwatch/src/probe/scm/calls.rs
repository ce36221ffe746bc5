//! The calls of the Windows API (winsvc.h), each in a function that cannot be used wrongly. All of them may block.

use std::ptr;

use svcwatch_core::limits::SERVICES_PER_HOST_MAX;
use svcwatch_wire::scmr::{EnumeratedService, ProcessStatus, service_type};
use windows_sys::Win32::Foundation::{
    ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_DATA, ERROR_MORE_DATA, GetLastError,
};
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ControlService, ENUM_SERVICE_STATUS_PROCESSW, EnumDependentServicesW,
    EnumServicesStatusExW, OpenSCManagerW, OpenServiceW, QUERY_SERVICE_CONFIGW,
    QueryServiceConfig2W, QueryServiceConfigW, QueryServiceStatusEx, SC_ENUM_PROCESS_INFO,
    SC_HANDLE, SC_STATUS_PROCESS_INFO, SERVICE_CONTROL_STOP, SERVICE_STATE_ALL, SERVICE_STATUS,
    StartServiceW,
};

use super::buffer::{self, Buffer};
use crate::os::windows::wide;

/// The first buffer for a list, in bytes, and the smallest.
const LIST_BYTES: u32 = 64 * 1024;
const LIST_BYTES_MIN: u32 = 1024;
/// The largest one that the call takes (EnumServicesStatusExW, cbBufSize).
const LIST_BYTES_MAX: u32 = 256 * 1024;
/// The first buffer for a configuration, and the largest that the calls take (QueryServiceConfigW, cbBufSize).
const CONFIG_BYTES: u32 = 1024;
const CONFIG_BYTES_MAX: u32 = 8 * 1024;

/// An error code of Windows.
pub(crate) type Code = u32;

/// The code of the call that just failed.
pub(crate) fn last_error() -> Code {
    // SAFETY: it takes nothing and only reads a number of this thread.
    unsafe { GetLastError() }
}

/// A handle of a service control manager or of one of its services, closed with this value.
#[derive(Debug)]
pub(crate) struct Handle(SC_HANDLE);

// SAFETY: the handle is a number that any thread of the process may use, one after another.
unsafe impl Send for Handle {}

impl Handle {
    /// What a call gave that opens something.
    pub(crate) fn of(raw: SC_HANDLE) -> Result<Self, Code> {
        if raw.is_null() {
            Err(last_error())
        } else {
            Ok(Self(raw))
        }
    }

    /// Opens the service control manager of a computer; of this one where none is named.
    pub(crate) fn manager(machine: Option<&str>, access: u32) -> Result<Self, Code> {
        let machine = machine.map(wide);
        let machine = machine.as_ref().map_or(ptr::null(), Vec::as_ptr);
        // SAFETY: the name is null or ends with a zero and outlives the call.
        Self::of(unsafe { OpenSCManagerW(machine, ptr::null(), access) })
    }

    /// Opens a service of this manager.
    pub(crate) fn service(&self, name: &str, access: u32) -> Result<Self, Code> {
        let name = wide(name);
        // SAFETY: the handle is open as long as this value lives; the name ends with a zero and outlives the call.
        Self::of(unsafe { OpenServiceW(self.0, name.as_ptr(), access) })
    }

    /// The raw handle, for as long as this value lives.
    pub(crate) const fn raw(&self) -> SC_HANDLE {
        self.0
    }

    /// All services of this manager that are no drivers. `bytes` is how large a buffer the last list needed, and then
    /// how large a one this list did; nothing where there was none. The manager sends the whole buffer back, however
    /// little of it is filled, so that one which is much too large costs more than the list itself.
    pub(super) fn list(&self, bytes: &mut Option<u32>) -> Result<Vec<EnumeratedService>, Code> {
        let mut found = Vec::new();
        let mut resume = 0;
        let mut room = bytes.map_or(LIST_BYTES, |bytes| {
            bytes.clamp(LIST_BYTES_MIN, LIST_BYTES_MAX)
        });
        loop {
            let part = self.list_part(room, &mut resume)?;
            let read = part.lines.len();
            found.extend(part.lines);
            if !part.more {
                *bytes = Some(buffer::needed(&found));
                return Ok(found);
            }
            if found.len() > SERVICES_PER_HOST_MAX {
                // The caller says that they are too many.
                return Ok(found);
            }
            let larger = room.saturating_add(part.needed).min(LIST_BYTES_MAX);
            if read == 0 && larger == room {
                return Err(ERROR_MORE_DATA);
            }
            // A manager that gives no part of a list would else be asked for ever.
            room = larger;
        }
    }

    fn list_part(&self, bytes: u32, resume: &mut u32) -> Result<Part, Code> {
        let mut room = Room::new(bytes);
        let (mut needed, mut returned) = (0, 0);
        // SAFETY: the handle is open; the buffer has the size that is named; the numbers outlive the call.
        let ended = unsafe {
            EnumServicesStatusExW(
                self.0,
                SC_ENUM_PROCESS_INFO,
                service_type::WIN32,
                SERVICE_STATE_ALL,
                room.start(),
                room.length(),
                &raw mut needed,
                &raw mut returned,
                resume,
                ptr::null(),
            )
        };
        let more = ended == 0;
        if more {
            let code = last_error();
            if code != ERROR_MORE_DATA {
                return Err(code);
            }
        }
        let lines = room.read().lines(returned).ok_or(ERROR_INVALID_DATA)?;
        Ok(Part {
            lines,
            more,
            needed,
        })
    }

    /// The status of this service.
    pub(crate) fn status(&self) -> Result<ProcessStatus, Code> {
        let mut room = Room::new(64);
        let mut needed = 0;
        // SAFETY: the handle is open; the buffer has the size that is named; the number outlives the call.
        let ended = unsafe {
            QueryServiceStatusEx(
                self.0,
                SC_STATUS_PROCESS_INFO,
                room.start(),
                room.length(),
                &raw mut needed,
            )
        };
        if ended == 0 {
            return Err(last_error());
        }
        room.read().status().ok_or(ERROR_INVALID_DATA)
    }

    /// Asks this service to stop. What it answers besides is not looked at: its state is asked for afterwards.
    pub(super) fn stop(&self) -> Result<(), Code> {
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the handle is open; the status outlives the call.
        let ended = unsafe { ControlService(self.0, SERVICE_CONTROL_STOP, &raw mut status) };
        if ended == 0 {
            Err(last_error())
        } else {
            Ok(())
        }
    }

    /// Starts this service, without arguments.
    pub(super) fn start(&self) -> Result<(), Code> {
        // SAFETY: the handle is open; no arguments are named.
        let ended = unsafe { StartServiceW(self.0, 0, ptr::null()) };
        if ended == 0 {
            Err(last_error())
        } else {
            Ok(())
        }
    }

    /// The services that depend on this one.
    pub(super) fn dependents(&self) -> Result<Vec<EnumeratedService>, Code> {
        let mut room = Room::new(CONFIG_BYTES);
        for _ in 0..3 {
            let (mut needed, mut returned) = (0, 0);
            // SAFETY: the handle is open; the buffer has the size that is named and the alignment of the structure; the
            // numbers outlive the call.
            let ended = unsafe {
                EnumDependentServicesW(
                    self.0,
                    SERVICE_STATE_ALL,
                    room.words.as_mut_ptr().cast(),
                    room.length(),
                    &raw mut needed,
                    &raw mut returned,
                )
            };
            if ended != 0 {
                return room.read().plain_lines(returned).ok_or(ERROR_INVALID_DATA);
            }
            let code = last_error();
            let larger = needed.min(LIST_BYTES_MAX);
            if code != ERROR_MORE_DATA || larger <= room.length() {
                return Err(code);
            }
            room = Room::new(larger);
        }
        Err(ERROR_MORE_DATA)
    }

    /// How this service is set up, read by `take`.
    pub(super) fn config<T>(&self, take: impl Fn(Buffer<'_>) -> Option<T>) -> Result<T, Code> {
        grown(take, |room, needed| {
            let start = room.words.as_mut_ptr().cast::<QUERY_SERVICE_CONFIGW>();
            // SAFETY: the handle is open; the buffer has the size that is named and the alignment of the structure; the
            // number outlives the call.
            unsafe { QueryServiceConfigW(self.0, start, room.length(), needed) }
        })
    }

    /// The account that this service runs as.
    pub(crate) fn account(&self) -> Result<Option<String>, Code> {
        self.config(|buffer| buffer.config())
            .map(|config| config.start_name)
    }

    /// A piece of how this service is set up, read by `take`.
    pub(super) fn config2<T>(
        &self,
        level: u32,
        take: impl Fn(Buffer<'_>) -> Option<T>,
    ) -> Result<T, Code> {
        grown(take, |room, needed| {
            // SAFETY: the handle is open; the buffer has the size that is named; the number outlives the call.
            unsafe { QueryServiceConfig2W(self.0, level, room.start(), room.length(), needed) }
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by us and is closed here only.
        let closed = unsafe { CloseServiceHandle(self.0) };
        if closed == 0 {
            tracing::debug!(code = last_error(), "a handle could not be closed");
        }
    }
}

/// What one call gave of a list.
struct Part {
    lines: Vec<EnumeratedService>,
    more: bool,
    needed: u32,
}

/// Asks with a buffer, and once more with a larger one where it was too small.
fn grown<T>(
    take: impl Fn(Buffer<'_>) -> Option<T>,
    ask: impl Fn(&mut Room, *mut u32) -> i32,
) -> Result<T, Code> {
    let mut room = Room::new(CONFIG_BYTES);
    for _ in 0..2 {
        let mut needed = 0;
        if ask(&mut room, &raw mut needed) != 0 {
            return take(room.read()).ok_or(ERROR_INVALID_DATA);
        }
        let code = last_error();
        if code != ERROR_INSUFFICIENT_BUFFER || needed > CONFIG_BYTES_MAX {
            return Err(code);
        }
        room = Room::new(needed);
    }
    Err(ERROR_INSUFFICIENT_BUFFER)
}

/// A buffer that the API fills; aligned for every structure.
struct Room {
    words: Vec<u64>,
}

impl Room {
    fn new(bytes: u32) -> Self {
        const _: () = assert!(align_of::<ENUM_SERVICE_STATUS_PROCESSW>() <= align_of::<u64>());
        let words = usize::try_from(bytes).unwrap_or(0).div_ceil(8);
        Self {
            words: vec![0; words],
        }
    }

    fn start(&mut self) -> *mut u8 {
        self.words.as_mut_ptr().cast()
    }

    fn length(&self) -> u32 {
        u32::try_from(self.words.len() * 8).unwrap_or(0)
    }

    fn read(&self) -> Buffer<'_> {
        let start = self.words.as_ptr();
        // SAFETY: the words are initialised, stay where they are while they are borrowed, and bytes need no alignment.
        let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), self.words.len() * 8) };
        Buffer::new(bytes, u64::try_from(start.addr()).unwrap_or(0))
    }
}
