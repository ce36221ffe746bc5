//! The event log, read remotely: MS-EVEN, both sides, as far as reading the last lines of a log needs it. Section numbers
//! are those of MS-EVEN.
//!
//! An answer ends with an NTSTATUS, which is what [`Reply::code`](crate::scmr::Reply::code) gives here.

mod calls;
mod reading;
mod record;
#[cfg(test)]
mod tests;

pub use crate::pdu::EVENT_LOG;
pub use calls::{
    CloseEventLog, CloseEventLogReply, NumberOfRecords, NumberReply, OldestRecord, OpenEventLog,
    OpenEventLogReply, ReadEventLog, ReadEventLogReply, flags, status,
};
pub use reading::{Bounds, Ended, LogReading, ReadingError, Step};
pub use record::{EventRecord, kind};
