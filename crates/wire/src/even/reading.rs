//! Reading a log from its end, until there is enough: what a log of a million records costs is a matter of the bounds.

use super::{EventRecord, ReadEventLog, ReadEventLogReply, flags, status};
use crate::WireError;
use crate::limits::EVENT_LOG_BYTES_MAX;
use crate::scmr::{Code, Handle};
use alloc::vec::Vec;

/// How much of a log is read, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Records.
    pub records: u32,
    /// Bytes of records.
    pub bytes: u32,
    /// Calls.
    pub calls: u32,
    /// The size of the buffer of one call, in bytes.
    pub buffer: u32,
    /// Only what happened since then, in seconds since 1970-01-01T00:00:00Z.
    pub since: u32,
}

/// Why a reading is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The log has no older records.
    Start,
    /// The records further back are older than was asked for.
    Old,
    /// As much was read as may be.
    Bound,
}

/// What an answer leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The records in it, the newest first.
    pub records: Vec<EventRecord>,
    /// Set when nothing further is to be asked.
    pub ended: Option<Ended>,
}

/// Why a log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// The server refused with this NTSTATUS.
    #[error("the event log refused to be read with NTSTATUS {:#010x}", .0.0)]
    Refused(Code),
    /// What came is no answer.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The records do not get older.
    #[error("the event log does not go back: record {got} came after {before}")]
    Disorder {
        /// The record before.
        before: u32,
        /// The record that came.
        got: u32,
    },
}

/// How the server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It goes back from the end by itself, as Windows does.
    Back,
    /// It is told each time where to begin: one that went from the start instead.
    Sought,
}

/// Reads a log backwards: ask [`LogReading::next_request`], give the answer to [`LogReading::on_reply`], until it ended.
#[derive(Debug)]
pub struct LogReading {
    log: Handle,
    oldest: u32,
    newest: u32,
    bounds: Bounds,
    way: Way,
    buffer: u32,
    /// The number of the record that was read last.
    last: Option<u32>,
    records: u32,
    bytes: u32,
    calls: u32,
}

impl LogReading {
    /// Begins with an open log that holds `count` records from number `oldest` on.
    #[must_use]
    pub fn new(log: Handle, oldest: u32, count: u32, bounds: Bounds) -> Self {
        Self {
            log,
            oldest,
            newest: oldest.wrapping_add(count).wrapping_sub(1),
            bounds,
            way: Way::Back,
            buffer: bounds.buffer.min(EVENT_LOG_BYTES_MAX),
            last: None,
            records: 0,
            bytes: 0,
            calls: 0,
        }
    }

    /// What to ask next.
    #[must_use]
    pub fn next_request(&self) -> ReadEventLog {
        let (how, offset) = match self.way {
            Way::Back => (flags::SEQUENTIAL, 0),
            Way::Sought => (
                flags::SEEK,
                self.last.map_or(self.newest, |last| last.wrapping_sub(1)),
            ),
        };
        ReadEventLog {
            log: self.log,
            flags: how | flags::BACKWARDS,
            offset,
            buffer_size: self.buffer,
        }
    }

    /// Takes an answer.
    pub fn on_reply(&mut self, reply: &ReadEventLogReply) -> Result<Step, ReadingError> {
        self.calls = self.calls.saturating_add(1);
        let over = |ended| Step {
            records: Vec::new(),
            ended,
        };
        let spent = self.calls >= self.bounds.calls;
        let all = match reply.code {
            status::SUCCESS => EventRecord::decode_all(&reply.records)?,
            status::END_OF_FILE => Vec::new(),
            status::BUFFER_TOO_SMALL => {
                // Once, and only up to what a call may bring; a record that is larger ends the reading.
                let grows = reply.needed > self.buffer && reply.needed <= EVENT_LOG_BYTES_MAX;
                if !grows || spent {
                    return Ok(over(Some(Ended::Bound)));
                }
                self.buffer = reply.needed;
                return Ok(over(None));
            }
            code => return Err(ReadingError::Refused(code)),
        };
        let first = all.first().map(|record| record.number);
        let elsewhere = first.is_none_or(|number| number < self.newest);
        if self.way == Way::Back && self.last.is_none() && elsewhere {
            // It began at the other end, or even before it, so what came is not what was asked for.
            self.way = Way::Sought;
            return Ok(over(spent.then_some(Ended::Bound)));
        }
        if first.is_none() {
            return Ok(over(Some(Ended::Start)));
        }
        self.bytes = self
            .bytes
            .saturating_add(u32::try_from(reply.records.len()).unwrap_or(u32::MAX));
        self.take(all, spent)
    }

    /// Takes the records of an answer as far as the bounds go.
    fn take(&mut self, all: Vec<EventRecord>, spent: bool) -> Result<Step, ReadingError> {
        let mut records = Vec::new();
        for record in all {
            if let Some(before) = self.last.filter(|before| record.number >= *before) {
                return Err(ReadingError::Disorder {
                    before,
                    got: record.number,
                });
            }
            self.last = Some(record.number);
            // Written, not generated: the order of the log is that of writing.
            if record.written < self.bounds.since {
                return Ok(Step {
                    records,
                    ended: Some(Ended::Old),
                });
            }
            if self.records >= self.bounds.records {
                return Ok(Step {
                    records,
                    ended: Some(Ended::Bound),
                });
            }
            self.records = self.records.saturating_add(1);
            records.push(record);
        }
        let at_start = self
            .last
            .is_some_and(|last| last <= self.oldest || last == 0);
        let ended = if at_start {
            Some(Ended::Start)
        } else if spent || self.bytes >= self.bounds.bytes || self.records >= self.bounds.records {
            Some(Ended::Bound)
        } else {
            None
        };
        Ok(Step { records, ended })
    }
}
