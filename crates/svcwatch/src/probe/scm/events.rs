//! The last lines of a computer's event logs about one service, by the Windows API (OpenEventLog, ReadEventLog). What it
//! writes are the records of MS-EVEN, so they are read as those are.

use std::ptr;

use svcwatch_wire::even::{LogReading, ReadEventLogReply, ReadingError, status};
use svcwatch_wire::scmr;
use tokio::time::Instant;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_HANDLE_EOF, ERROR_INSUFFICIENT_BUFFER, ERROR_PRIVILEGE_NOT_HELD,
    GetLastError, HANDLE,
};
use windows_sys::Win32::System::EventLog::{
    CloseEventLog, GetNumberOfEventLogRecords, GetOldestEventLogRecord, OpenEventLogW,
    ReadEventLogW,
};

use super::faults;
use super::machine::Machine;
use super::thread::blocking;
use crate::os::windows::wide;
use crate::probe::codes;
use crate::probe::events::{EventsAsked, EventsFound, LOGS, NoEvents, Sieve, Taken, bounds};

/// `RPC_S_SERVER_UNAVAILABLE` (winerror.h).
const RPC_SERVER_UNAVAILABLE: u32 = 1722;

/// Reads the lines, until `deadline`.
pub(in crate::probe) async fn read(
    address: &str,
    asked: &EventsAsked,
    deadline: Instant,
) -> Result<EventsFound, NoEvents> {
    let machine = Machine::at(address);
    let asked = asked.clone();
    // A call of its own, so that services can be read while a computer thinks about its log.
    let place = format!("{address} (event log)");
    let read = blocking(&place, deadline, "reading the event log", move || {
        let mut sieve = Sieve::new(&asked);
        for log in LOGS {
            read_log(&machine, log, &mut sieve, deadline)?;
        }
        Ok(sieve.found())
    });
    read.await
        .map_err(|failure| NoEvents::Failed(failure.fault.cause))?
}

/// An open log, closed when dropped.
struct Log(HANDLE);

impl Log {
    fn open(machine: &Machine, name: &str) -> Result<Self, u32> {
        let (server, name) = (machine.name().map(wide), wide(name));
        let server = server.as_ref().map_or(ptr::null(), Vec::as_ptr);
        // SAFETY: both are texts with an end, or none, and live until it returns.
        let handle = unsafe { OpenEventLogW(server, name.as_ptr()) };
        if handle.is_null() {
            Err(last_error())
        } else {
            Ok(Self(handle))
        }
    }

    /// How many records it has, and the number of the oldest.
    fn size(&self) -> Result<(u32, u32), u32> {
        let (mut count, mut oldest) = (0, 0);
        // SAFETY: the handle is open, and the number is ours.
        let counted = unsafe { GetNumberOfEventLogRecords(self.0, &raw mut count) };
        if counted == 0 {
            return Err(last_error());
        }
        // SAFETY: the handle is open, and the number is ours.
        let found = unsafe { GetOldestEventLogRecord(self.0, &raw mut oldest) };
        if found != 0 {
            Ok((count, oldest))
        } else {
            Err(last_error())
        }
    }

    /// What one call brings, in the words of MS-EVEN.
    fn read(&self, flags: u32, offset: u32, bytes: u32) -> Result<ReadEventLogReply, u32> {
        let mut records = vec![0; usize::try_from(bytes).unwrap_or(0)];
        let (mut got, mut needed) = (0, 0);
        // SAFETY: the handle is open, and the buffer is as large as is said.
        let read = unsafe {
            ReadEventLogW(
                self.0,
                flags,
                offset,
                records.as_mut_ptr().cast(),
                bytes,
                &raw mut got,
                &raw mut needed,
            )
        };
        let code = if read != 0 {
            records.truncate(usize::try_from(got).unwrap_or(0));
            status::SUCCESS
        } else {
            records.clear();
            match last_error() {
                ERROR_HANDLE_EOF => status::END_OF_FILE,
                ERROR_INSUFFICIENT_BUFFER => status::BUFFER_TOO_SMALL,
                other => return Err(other),
            }
        };
        Ok(ReadEventLogReply {
            records,
            needed,
            code,
        })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody uses it any more.
        unsafe { CloseEventLog(self.0) };
    }
}

fn last_error() -> u32 {
    // SAFETY: it takes nothing.
    unsafe { GetLastError() }
}

/// Reads one log from its end, until there is enough.
fn read_log(
    machine: &Machine,
    name: &'static str,
    sieve: &mut Sieve<'_>,
    deadline: Instant,
) -> Result<(), NoEvents> {
    let log = Log::open(machine, name).map_err(|code| refused(code, name))?;
    let (count, oldest) = log.size().map_err(|code| refused(code, name))?;
    if count == 0 {
        return Ok(());
    }
    let mut reading = LogReading::new(scmr::Handle::NULL, oldest, count, bounds(sieve.since()));
    loop {
        if Instant::now() >= deadline {
            sieve.cut();
            return Ok(());
        }
        let request = reading.next_request();
        let reply = log
            .read(request.flags, request.offset, request.buffer_size)
            .map_err(|code| refused(code, name))?;
        let step = reading.on_reply(&reply).map_err(|error| match error {
            ReadingError::Refused(code) => NoEvents::Failed(codes::status_text(code.0)),
            error @ (ReadingError::Wire(_) | ReadingError::Disorder { .. }) => {
                NoEvents::Failed(error.to_string())
            }
        })?;
        if sieve.take_step(name, &step) == Taken::Enough {
            return Ok(());
        }
    }
}

/// What a refusal means to who wanted the lines.
fn refused(code: u32, log: &'static str) -> NoEvents {
    let doing = if log == LOGS[0] {
        "reading the event log System"
    } else {
        "reading the event log Application"
    };
    match code {
        ERROR_ACCESS_DENIED | ERROR_PRIVILEGE_NOT_HELD => NoEvents::Denied { doing },
        RPC_SERVER_UNAVAILABLE => NoEvents::NoPipe,
        code => NoEvents::Failed(faults::fault(code, doing).cause),
    }
}
