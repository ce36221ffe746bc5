//! Starting a service (19) and sending it a control (1).

use super::handle::decode_code;
use super::{Code, Handle, Reply, Request, ServiceStatus};
use crate::WireError;
use crate::limits::{ARGUMENTS_MAX, STRING_UNITS_MAX};
use crate::ndr::{Reader, Writer, count};
use alloc::string::String;
use alloc::vec::Vec;

/// Controls that a service can be sent (3.1.4.2).
pub mod controls {
    /// Stop.
    pub const STOP: u32 = 1;
    /// Pause.
    pub const PAUSE: u32 = 2;
    /// Continue after a pause.
    pub const CONTINUE: u32 = 3;
    /// Report the status again.
    pub const INTERROGATE: u32 = 4;
}

/// `RStartServiceW` (3.1.4.19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartService {
    /// The service, opened with the right to start it.
    pub service: Handle,
    /// Arguments for the service; a string may be missing on the wire.
    pub arguments: Vec<Option<String>>,
}

impl Request for StartService {
    const OPNUM: u16 = 19;
    type Reply = StartServiceReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        let arguments = count(self.arguments.len());
        writer.u32(arguments).pointer(arguments != 0);
        if arguments != 0 {
            // An array of pointers first, then what they point to (C706, 14.3.12.3).
            writer.u32(arguments);
            for argument in &self.arguments {
                writer.pointer(argument.is_some());
            }
            for argument in self.arguments.iter().flatten() {
                writer.string(argument);
            }
        }
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let what = "the arguments of the start";
        let mut reader = Reader::new(stub);
        let service = Handle::decode(&mut reader)?;
        let stated = reader.count(what, ARGUMENTS_MAX)?;
        let mut arguments = Vec::new();
        if reader.pointer(what)? {
            let size = reader.count(what, ARGUMENTS_MAX)?;
            if size != stated {
                return Err(WireError::BadValue { what, value: size });
            }
            let mut present = Vec::new();
            for _ in 0..size {
                present.push(reader.pointer(what)?);
            }
            for present in present {
                arguments.push(if present {
                    Some(reader.string(what, STRING_UNITS_MAX)?)
                } else {
                    None
                });
            }
        }
        Ok(Self { service, arguments })
    }
}

/// The answer to [`StartService`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartServiceReply {
    /// The code.
    pub code: Code,
}

impl Reply for StartServiceReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let code = decode_code(&mut Reader::new(stub))?;
        Ok(Self { code })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// `RControlService` (3.1.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlService {
    /// The service, opened with the right for the control.
    pub service: Handle,
    /// One of [`controls`], or 128 to 255 for the service's own.
    pub control: u32,
}

impl Request for ControlService {
    const OPNUM: u16 = 1;
    type Reply = ControlServiceReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.u32(self.control);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            service: Handle::decode(&mut reader)?,
            control: reader.u32("the control")?,
        })
    }
}

/// The answer to [`ControlService`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlServiceReply {
    /// The status after the control, where the call succeeded.
    pub status: Option<ServiceStatus>,
    /// The code.
    pub code: Code,
}

impl Reply for ControlServiceReply {
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
        // Windows fills the status for 1051, 1052, 1061 and 1062 too, but Wine sends memory as it lies.
        let status = code.is_success().then_some(status);
        Ok(Self { status, code })
    }

    fn code(&self) -> Code {
        self.code
    }
}
