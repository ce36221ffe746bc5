//! The status of one service: 6 and 40.

use super::handle::decode_code;
use super::{Code, Handle, ProcessStatus, Reply, Request, ServiceStatus};
use crate::WireError;
use crate::limits::CONFIGURATION_BYTES_MAX;
use crate::ndr::{Reader, Writer, count};
use alloc::vec::Vec;

/// `RQueryServiceStatus` (3.1.4.7). Wine answers it with 120: ask [`QueryServiceStatusEx`] first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryServiceStatus {
    /// The service.
    pub service: Handle,
}

impl Request for QueryServiceStatus {
    const OPNUM: u16 = 6;
    type Reply = QueryServiceStatusReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let service = Handle::decode(&mut Reader::new(stub))?;
        Ok(Self { service })
    }
}

/// The answer to [`QueryServiceStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryServiceStatusReply {
    /// The status, where the call succeeded.
    pub status: Option<ServiceStatus>,
    /// The code.
    pub code: Code,
}

impl Reply for QueryServiceStatusReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.status.unwrap_or_default().encode(&mut writer);
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let status = ServiceStatus::decode(&mut reader)?;
        let code = decode_code(&mut reader)?;
        // With any other code the status is whatever lay in the server's memory.
        let status = code.is_success().then_some(status);
        Ok(Self { status, code })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// `RQueryServiceStatusEx` (3.1.4.38) at its only level, with the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryServiceStatusEx {
    /// The service.
    pub service: Handle,
}

impl QueryServiceStatusEx {
    /// `SC_STATUS_PROCESS_INFO` (2.2.29).
    const LEVEL: u32 = 0;
}

impl Request for QueryServiceStatusEx {
    const OPNUM: u16 = 40;
    type Reply = QueryServiceStatusExReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.u32(Self::LEVEL).u32(count(ProcessStatus::BYTES));
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let service = Handle::decode(&mut reader)?;
        let level = reader.count("the level of the status", Self::LEVEL)?;
        let size = reader.count("the size of the buffer", CONFIGURATION_BYTES_MAX)?;
        if level != Self::LEVEL || size < count(ProcessStatus::BYTES) {
            return Err(WireError::BadValue {
                what: "the size of the buffer",
                value: size,
            });
        }
        Ok(Self { service })
    }
}

/// The answer to [`QueryServiceStatusEx`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryServiceStatusExReply {
    /// The status, where the call succeeded.
    pub status: Option<ProcessStatus>,
    /// The code.
    pub code: Code,
}

impl Reply for QueryServiceStatusExReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(count(ProcessStatus::BYTES));
        self.status.unwrap_or_default().encode(&mut writer);
        writer.u32(count(ProcessStatus::BYTES)).u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let buffer = reader.conformant_bytes("the status buffer", CONFIGURATION_BYTES_MAX)?;
        reader.u32("the size that is needed")?;
        let code = decode_code(&mut reader)?;
        let status = if code.is_success() {
            Some(ProcessStatus::decode(&mut Reader::new(buffer))?)
        } else {
            None
        };
        Ok(Self { status, code })
    }

    fn code(&self) -> Code {
        self.code
    }
}
