//! Lists of services: 14, 42 and 13.

use super::handle::{decode_optional_string, encode_optional_string};
use super::list::{Entry, EnumeratedService, List, decode_resume, encode_resume};
use super::{Code, Handle, Reply, Request};
use crate::WireError;
use crate::limits::ENUMERATION_BYTES_MAX;
use crate::ndr::{Reader, Writer};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// Which services a list should hold (3.1.4.14).
pub mod filter {
    /// Services that run in any way: everything but stopped.
    pub const ACTIVE: u32 = 1;
    /// Stopped services.
    pub const INACTIVE: u32 = 2;
    /// Both.
    pub const ALL: u32 = 3;
}

/// `REnumServicesStatusW` (3.1.4.14): the list without processes, which every server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumServicesStatus {
    /// The manager.
    pub manager: Handle,
    /// Bits of [`super::service_type`].
    pub service_type: u32,
    /// One of [`filter`].
    pub state: u32,
    /// Size of the buffer, in bytes; all of it comes back, whatever is used.
    pub buffer_size: u32,
    /// Where to go on; 0 for the beginning.
    pub resume: Option<u32>,
}

impl Request for EnumServicesStatus {
    const OPNUM: u16 = 14;
    type Reply = EnumServicesStatusReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.manager.encode(&mut writer);
        writer
            .u32(self.service_type)
            .u32(self.state)
            .u32(self.buffer_size);
        encode_resume(&mut writer, self.resume);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            manager: Handle::decode(&mut reader)?,
            service_type: reader.u32("the service type")?,
            state: reader.u32("the service state")?,
            buffer_size: reader.count("the size of the buffer", ENUMERATION_BYTES_MAX)?,
            resume: decode_resume(&mut reader)?,
        })
    }
}

/// `REnumServicesStatusExW` (3.1.4.40): the list with processes. Samba does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumServicesStatusEx {
    /// The manager.
    pub manager: Handle,
    /// Bits of [`super::service_type`].
    pub service_type: u32,
    /// One of [`filter`].
    pub state: u32,
    /// Size of the buffer, in bytes; all of it comes back, whatever is used.
    pub buffer_size: u32,
    /// Where to go on; 0 for the beginning.
    pub resume: Option<u32>,
    /// A load-order group; none means every group.
    pub group: Option<String>,
}

impl EnumServicesStatusEx {
    /// `SC_ENUM_PROCESS_INFO` (2.2.20), the only level.
    const LEVEL: u32 = 0;
}

impl Request for EnumServicesStatusEx {
    const OPNUM: u16 = 42;
    type Reply = EnumServicesStatusExReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.manager.encode(&mut writer);
        writer
            .u32(Self::LEVEL)
            .u32(self.service_type)
            .u32(self.state)
            .u32(self.buffer_size);
        encode_resume(&mut writer, self.resume);
        encode_optional_string(&mut writer, self.group.as_deref());
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let manager = Handle::decode(&mut reader)?;
        reader.count("the level of the list", Self::LEVEL)?;
        Ok(Self {
            manager,
            service_type: reader.u32("the service type")?,
            state: reader.u32("the service state")?,
            buffer_size: reader.count("the size of the buffer", ENUMERATION_BYTES_MAX)?,
            resume: decode_resume(&mut reader)?,
            group: decode_optional_string(&mut reader, "the load-order group")?,
        })
    }
}

/// Makes the answers that are a list with a resume index.
macro_rules! list_reply {
    ($(#[doc = $doc:literal])+ $reply:ident, $entry:expr) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $reply {
            /// The services that fit the buffer; none unless the code is success or 234.
            pub services: Vec<EnumeratedService>,
            /// Size of the buffer that came, in bytes.
            pub buffer_size: u32,
            /// With 234: bytes that the services left out need.
            pub needed: u32,
            /// Where to go on; 0 at the end.
            pub resume: Option<u32>,
            /// The code: success, or 234 where services were left out.
            pub code: Code,
        }

        impl $reply {
            /// A server's answer as Windows pages: as many services as fit, from number `resume` on.
            #[must_use]
            pub fn page(services: &[EnumeratedService], buffer_size: u32, resume: u32) -> Self {
                List::page(services, $entry, buffer_size, resume).into()
            }

            /// A server's answer as Samba and Wine give it: all services, or none and the size to ask for.
            #[must_use]
            pub fn whole(services: &[EnumeratedService], buffer_size: u32) -> Self {
                let mut list = List::page(services, $entry, buffer_size, 0);
                if list.code == Code::MORE_DATA {
                    list.services = Cow::default();
                    list.resume = Some(0);
                    list.needed = $entry.fit(services, 0).1;
                }
                list.into()
            }

            /// A server's refusal.
            #[must_use]
            pub fn refused(code: Code, buffer_size: u32) -> Self {
                List::refused(code, buffer_size).into()
            }
        }

        impl From<List<'_>> for $reply {
            fn from(list: List<'_>) -> Self {
                let List { services, buffer_size, needed, resume, code } = list;
                Self { services: services.into_owned(), buffer_size, needed, resume, code }
            }
        }

        impl Reply for $reply {
            fn encode(&self) -> Vec<u8> {
                List {
                    services: Cow::Borrowed(&self.services),
                    buffer_size: self.buffer_size,
                    needed: self.needed,
                    resume: self.resume,
                    code: self.code,
                }
                .encode($entry, true)
            }

            fn decode(stub: &[u8]) -> Result<Self, WireError> {
                List::decode(stub, $entry, true).map(Self::from)
            }

            fn code(&self) -> Code {
                self.code
            }
        }
    };
}

list_reply! {
    /// The answer to [`EnumServicesStatus`].
    EnumServicesStatusReply, Entry::Plain
}
list_reply! {
    /// The answer to [`EnumServicesStatusEx`].
    EnumServicesStatusExReply, Entry::WithProcess
}

/// `REnumDependentServicesW` (3.1.4.13): the services that depend on one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumDependentServices {
    /// The service, opened with the right to list its dependents.
    pub service: Handle,
    /// One of [`filter`].
    pub state: u32,
    /// Size of the buffer, in bytes.
    pub buffer_size: u32,
}

impl Request for EnumDependentServices {
    const OPNUM: u16 = 13;
    type Reply = EnumDependentServicesReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.u32(self.state).u32(self.buffer_size);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            service: Handle::decode(&mut reader)?,
            state: reader.u32("the service state")?,
            buffer_size: reader.count("the size of the buffer", ENUMERATION_BYTES_MAX)?,
        })
    }
}

/// The answer to [`EnumDependentServices`]: there is no resume index, so 234 means ask again with more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumDependentServicesReply {
    /// The services, in the order in which they would have to be stopped.
    pub services: Vec<EnumeratedService>,
    /// Size of the buffer that came, in bytes.
    pub buffer_size: u32,
    /// With 234: bytes that are needed.
    pub needed: u32,
    /// The code.
    pub code: Code,
}

impl EnumDependentServicesReply {
    /// A server's answer: all services, or none and the size to ask for.
    #[must_use]
    pub fn whole(services: &[EnumeratedService], buffer_size: u32) -> Self {
        let EnumServicesStatusReply {
            services,
            buffer_size,
            needed,
            resume: _,
            code,
        } = EnumServicesStatusReply::whole(services, buffer_size);
        Self {
            services,
            buffer_size,
            needed,
            code,
        }
    }
}

impl Reply for EnumDependentServicesReply {
    fn encode(&self) -> Vec<u8> {
        List {
            services: Cow::Borrowed(&self.services),
            buffer_size: self.buffer_size,
            needed: self.needed,
            resume: None,
            code: self.code,
        }
        .encode(Entry::Plain, false)
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let List {
            services,
            buffer_size,
            needed,
            resume: _,
            code,
        } = List::decode(stub, Entry::Plain, false)?;
        Ok(Self {
            services: services.into_owned(),
            buffer_size,
            needed,
            code,
        })
    }

    fn code(&self) -> Code {
        self.code
    }
}
