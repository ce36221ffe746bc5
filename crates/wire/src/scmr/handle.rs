//! Opening and closing: the manager (15), a service (16), either (0).

use super::{Code, Reply, Request};
use crate::WireError;
use crate::limits::STRING_UNITS_MAX;
use crate::ndr::{Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

/// Access rights to ask for on opening (3.1.4).
pub mod access {
    /// The manager: connect.
    pub const MANAGER_CONNECT: u32 = 0x1;
    /// The manager: install a service.
    pub const MANAGER_CREATE_SERVICE: u32 = 0x2;
    /// The manager: list its services.
    pub const MANAGER_ENUMERATE: u32 = 0x4;
    /// A service: read its configuration.
    pub const QUERY_CONFIG: u32 = 0x1;
    /// A service: read its status, and be notified of it.
    pub const QUERY_STATUS: u32 = 0x4;
    /// A service: list those that depend on it.
    pub const ENUMERATE_DEPENDENTS: u32 = 0x8;
    /// A service: start it.
    pub const START: u32 = 0x10;
    /// A service: stop it.
    pub const STOP: u32 = 0x20;
    /// A service: pause and continue it.
    pub const PAUSE_CONTINUE: u32 = 0x40;
    /// A service: ask it for its status.
    pub const INTERROGATE: u32 = 0x80;
}

/// A handle that the server gave (2.2.4): valid on its connection until closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Handle(pub [u8; 20]);

impl Handle {
    /// The handle of nothing: what stands in an answer that gives none.
    pub const NULL: Self = Self([0; 20]);

    /// Whether it is the handle of nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        *self == Self::NULL
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        // A context handle is a structure that begins with a word (C706, 14.2.16.6), so it is aligned to four.
        reader.align("a handle", 4)?;
        Ok(Self(reader.array("a handle")?))
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.align(4).bytes(&self.0);
    }

    /// Reads a handle and the code behind it; a handle counts only with success.
    pub(crate) fn decode_with_code(
        reader: &mut Reader<'_>,
    ) -> Result<(Option<Self>, Code), WireError> {
        let handle = Self::decode(reader)?;
        let code = decode_code(reader)?;
        if code.is_success() && handle.is_null() {
            return Err(WireError::BadValue {
                what: "the handle of a successful call",
                value: 0,
            });
        }
        Ok((code.is_success().then_some(handle), code))
    }
}

/// Reads the code that every answer ends with.
pub(crate) fn decode_code(reader: &mut Reader<'_>) -> Result<Code, WireError> {
    Ok(Code(reader.u32("the code of the answer")?))
}

/// Reads an optional string behind a unique pointer that comes directly before it.
pub(crate) fn decode_optional_string(
    reader: &mut Reader<'_>,
    what: &'static str,
) -> Result<Option<String>, WireError> {
    if !reader.pointer(what)? {
        return Ok(None);
    }
    reader.string(what, STRING_UNITS_MAX).map(Some)
}

/// Writes an optional string behind a unique pointer.
pub(crate) fn encode_optional_string(writer: &mut Writer, text: Option<&str>) {
    writer.pointer(text.is_some());
    if let Some(text) = text {
        writer.string(text);
    }
}

/// `ROpenSCManagerW` (3.1.4.15): opens the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenScManager {
    /// The machine, which servers ignore.
    pub machine: Option<String>,
    /// The database; none means the active one.
    pub database: Option<String>,
    /// Rights of [`access`].
    pub access: u32,
}

impl Request for OpenScManager {
    const OPNUM: u16 = 15;
    type Reply = OpenScManagerReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        encode_optional_string(&mut writer, self.machine.as_deref());
        encode_optional_string(&mut writer, self.database.as_deref());
        writer.u32(self.access);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            machine: decode_optional_string(&mut reader, "the machine name")?,
            database: decode_optional_string(&mut reader, "the database name")?,
            access: reader.u32("the access rights")?,
        })
    }
}

/// `ROpenServiceW` (3.1.4.16): opens a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenService {
    /// The manager.
    pub manager: Handle,
    /// The name of the service, not its display name.
    pub name: String,
    /// Rights of [`access`].
    pub access: u32,
}

impl Request for OpenService {
    const OPNUM: u16 = 16;
    type Reply = OpenServiceReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.manager.encode(&mut writer);
        // A reference pointer has no referent id (C706, 14.3.12.1).
        writer.string(&self.name).u32(self.access);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            manager: Handle::decode(&mut reader)?,
            name: reader.string("the service name", STRING_UNITS_MAX)?,
            access: reader.u32("the access rights")?,
        })
    }
}

/// Makes the answers that are a handle and a code.
macro_rules! handle_reply {
    ($(#[doc = $doc:literal])+ $reply:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $reply {
            /// The handle, where the call succeeded.
            pub handle: Option<Handle>,
            /// The code.
            pub code: Code,
        }

        impl Reply for $reply {
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
    };
}

handle_reply! {
    /// The answer to [`OpenScManager`].
    OpenScManagerReply
}
handle_reply! {
    /// The answer to [`OpenService`].
    OpenServiceReply
}

/// `RCloseServiceHandle` (3.1.4.1): closes a manager or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseServiceHandle {
    /// What to close.
    pub handle: Handle,
}

impl Request for CloseServiceHandle {
    const OPNUM: u16 = 0;
    type Reply = CloseServiceHandleReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.handle.encode(&mut writer);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let handle = Handle::decode(&mut Reader::new(stub))?;
        Ok(Self { handle })
    }
}

/// The answer to [`CloseServiceHandle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseServiceHandleReply {
    /// The code.
    pub code: Code,
}

impl Reply for CloseServiceHandleReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        Handle::NULL.encode(&mut writer);
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Handle::decode(&mut reader)?;
        let code = decode_code(&mut reader)?;
        Ok(Self { code })
    }

    fn code(&self) -> Code {
        self.code
    }
}
