//! The calls: open (7), count (4), oldest (5), read (10), close (2).

use crate::WireError;
use crate::limits::{EVENT_LOG_BYTES_MAX, NAME_UNITS_MAX};
use crate::ndr::{Reader, Writer, count, length, text};
use crate::scmr::{Code, Handle, Reply, Request};
use alloc::string::String;
use alloc::vec::Vec;

/// The versions that a client names (3.1.4.3); servers look at neither.
const VERSION: u32 = 1;

/// How a log is read (2.2.14, `ReadFlags`).
pub mod flags {
    /// From where the last read ended.
    pub const SEQUENTIAL: u32 = 1;
    /// From a record of a given number.
    pub const SEEK: u32 = 2;
    /// From older to newer ones.
    pub const FORWARDS: u32 = 4;
    /// From newer to older ones.
    pub const BACKWARDS: u32 = 8;
}

/// What calls answer with (MS-ERREF 2.3.1).
pub mod status {
    use crate::scmr::Code;

    /// `STATUS_SUCCESS`.
    pub const SUCCESS: Code = Code(0);
    /// `STATUS_INVALID_HANDLE`.
    pub const INVALID_HANDLE: Code = Code(0xc000_0008);
    /// `STATUS_INVALID_PARAMETER`.
    pub const INVALID_PARAMETER: Code = Code(0xc000_000d);
    /// `STATUS_END_OF_FILE`: there are no further records.
    pub const END_OF_FILE: Code = Code(0xc000_0011);
    /// `STATUS_ACCESS_DENIED`.
    pub const ACCESS_DENIED: Code = Code(0xc000_0022);
    /// `STATUS_BUFFER_TOO_SMALL`: not even one record fits.
    pub const BUFFER_TOO_SMALL: Code = Code(0xc000_0023);
}

/// `ElfrOpenELW` (3.1.4.3): opens a log for reading. Windows opens `Application` where there is no such log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenEventLog {
    /// The name of the log, as `System`.
    pub log: String,
}

impl Request for OpenEventLog {
    const OPNUM: u16 = 7;
    type Reply = OpenEventLogReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        // No server name.
        writer.pointer(false);
        counted(&mut writer, &self.log);
        counted(&mut writer, "");
        writer.u32(VERSION).u32(VERSION);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        if reader.pointer("the name of the server")? {
            reader.u16("the name of the server")?;
        }
        let log = read_counted(&mut reader, "the name of the log")?;
        read_counted(&mut reader, "the second name of the log")?;
        Ok(Self { log })
    }
}

/// Writes an `RPC_UNICODE_STRING` (MS-DTYP 2.3.10) and what it points to.
fn counted(writer: &mut Writer, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(NAME_UNITS_MAX).collect();
    let size = u16::try_from(units.len().saturating_mul(2)).unwrap_or(0);
    writer.align(4).u16(size).u16(size);
    writer.pointer(size != 0);
    if size != 0 {
        let number = count(units.len());
        writer.u32(number).u32(0).u32(number);
        for unit in units {
            writer.u16(unit);
        }
    }
}

/// Reads an `RPC_UNICODE_STRING` and what it points to.
fn read_counted(reader: &mut Reader<'_>, what: &'static str) -> Result<String, WireError> {
    reader.align(what, 4)?;
    let size = reader.u16(what)?;
    reader.u16(what)?;
    if !reader.pointer(what)? {
        return Ok(String::new());
    }
    reader.u32(what)?;
    let offset = reader.u32(what)?;
    let units = reader.count(what, count(NAME_UNITS_MAX))?;
    if offset != 0 || length(units).saturating_mul(2) < usize::from(size) {
        return Err(WireError::BadValue {
            what,
            value: offset,
        });
    }
    let bytes = reader.bytes(what, length(units).saturating_mul(2))?;
    Ok(text(bytes.get(..usize::from(size)).unwrap_or(bytes)))
}

/// The answer to [`OpenEventLog`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenEventLogReply {
    /// The log, where it was opened.
    pub handle: Option<Handle>,
    /// The NTSTATUS.
    pub code: Code,
}

impl Reply for OpenEventLogReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.handle.unwrap_or(Handle::NULL).encode(&mut writer);
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let (handle, code) = Handle::decode_with_code(&mut Reader::new(stub))?;
        Ok(Self { handle, code })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// A call about an open log that has no other argument.
macro_rules! about_a_log {
    ($(#[doc = $doc:literal])+ $call:ident, $number:literal, $reply:ty) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $call {
            /// The log.
            pub log: Handle,
        }

        impl Request for $call {
            const OPNUM: u16 = $number;
            type Reply = $reply;

            fn encode(&self) -> Vec<u8> {
                let mut writer = Writer::new();
                self.log.encode(&mut writer);
                writer.finish()
            }

            fn decode(stub: &[u8]) -> Result<Self, WireError> {
                let log = Handle::decode(&mut Reader::new(stub))?;
                Ok(Self { log })
            }
        }
    };
}

about_a_log! {
    /// `ElfrCloseEL` (3.1.4.21): closes a log.
    CloseEventLog, 2, CloseEventLogReply
}
about_a_log! {
    /// `ElfrNumberOfRecords` (3.1.4.18): how many records a log has.
    NumberOfRecords, 4, NumberReply
}
about_a_log! {
    /// `ElfrOldestRecord` (3.1.4.19): the number of a log's oldest record.
    OldestRecord, 5, NumberReply
}

/// The answer to [`CloseEventLog`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseEventLogReply {
    /// The NTSTATUS.
    pub code: Code,
}

impl Reply for CloseEventLogReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        Handle::NULL.encode(&mut writer);
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Handle::decode(&mut reader)?;
        let code = Code(reader.u32("the status of the answer")?);
        Ok(Self { code })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// The answer to [`NumberOfRecords`] and [`OldestRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberReply {
    /// The number, where the call succeeded.
    pub number: Option<u32>,
    /// The NTSTATUS.
    pub code: Code,
}

impl Reply for NumberReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(self.number.unwrap_or(0)).u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let number = reader.u32("the number of records")?;
        let code = Code(reader.u32("the status of the answer")?);
        Ok(Self {
            number: code.is_success().then_some(number),
            code,
        })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// `ElfrReadELW` (3.1.4.7): reads whole records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadEventLog {
    /// The log.
    pub log: Handle,
    /// Of [`flags`].
    pub flags: u32,
    /// The number of the first record, where it is sought.
    pub offset: u32,
    /// The size of the buffer, in bytes, at most [`EVENT_LOG_BYTES_MAX`].
    pub buffer_size: u32,
}

impl Request for ReadEventLog {
    const OPNUM: u16 = 10;
    type Reply = ReadEventLogReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.log.encode(&mut writer);
        writer
            .u32(self.flags)
            .u32(self.offset)
            .u32(self.buffer_size);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            log: Handle::decode(&mut reader)?,
            flags: reader.u32("the flags of a read")?,
            offset: reader.u32("the first record of a read")?,
            buffer_size: reader.count("the size of a read", EVENT_LOG_BYTES_MAX)?,
        })
    }
}

/// The answer to [`ReadEventLog`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadEventLogReply {
    /// The records, as [`super::EventRecord::decode_all`] reads them; empty without success.
    pub records: Vec<u8>,
    /// The size that the next record needs, in bytes, where the buffer was too small for it.
    pub needed: u32,
    /// The NTSTATUS.
    pub code: Code,
}

impl Reply for ReadEventLogReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .conformant_bytes(&self.records)
            .u32(count(self.records.len()))
            .u32(self.needed)
            .u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let buffer = reader.conformant_bytes("the events", EVENT_LOG_BYTES_MAX)?;
        let used = reader.u32("the size of the events")?;
        let needed = reader.u32("the size of the next event")?;
        let code = Code(reader.u32("the status of the answer")?);
        // The buffer comes back whole, whatever of it is used.
        let used = if code.is_success() { used } else { 0 };
        let records = buffer.get(..length(used)).ok_or(WireError::OverLimit {
            what: "the size of the events",
            value: used.into(),
            limit: u64::try_from(buffer.len()).unwrap_or(u64::MAX),
        })?;
        Ok(Self {
            records: records.to_vec(),
            needed,
            code,
        })
    }

    fn code(&self) -> Code {
        self.code
    }
}
