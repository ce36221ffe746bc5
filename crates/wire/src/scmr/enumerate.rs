//! Lists of services: 14, 42 and 13.

use super::buffer::{OffsetReader, append, text_bytes};
use super::handle::{decode_code, decode_optional_string, encode_optional_string};
use super::{Code, Handle, ProcessStatus, Reply, Request, ServiceStatus};
use crate::WireError;
use crate::limits::{ENUMERATION_BYTES_MAX, NAME_UNITS_MAX};
use crate::ndr::{Reader, Writer, count, length};
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

/// A service in a list: `ENUM_SERVICE_STATUSW` (2.2.11) or `ENUM_SERVICE_STATUS_PROCESSW` (2.2.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumeratedService {
    /// The name that identifies it on its host, without regard to case.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// The status, raw.
    pub status: ServiceStatus,
    /// The process id, 0 where no process runs; `None` where the call does not tell it.
    pub pid: Option<u32>,
    /// The service flags; `None` where the call does not tell them.
    pub flags: Option<u32>,
}

/// What the entries of a list look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// `ENUM_SERVICE_STATUSW` (2.2.11): two offsets and a status.
    Plain,
    /// `ENUM_SERVICE_STATUS_PROCESSW` (2.2.13): two offsets and a status with its process.
    WithProcess,
}

impl Entry {
    /// Size of the fixed part, in bytes.
    const fn bytes(self) -> usize {
        match self {
            Self::Plain => 36,
            Self::WithProcess => 44,
        }
    }

    /// Size of a service in a buffer, in bytes.
    fn size_of(self, service: &EnumeratedService) -> usize {
        self.bytes()
            .saturating_add(text_bytes(&service.name))
            .saturating_add(text_bytes(&service.display_name))
    }

    /// Reads the services of a buffer.
    fn decode(self, buffer: &[u8], returned: u32) -> Result<Vec<EnumeratedService>, WireError> {
        let room = buffer.len().checked_div(self.bytes()).unwrap_or(0);
        crate::ndr::within("the number of services", returned, count(room))?;
        let mut strings = OffsetReader::new(buffer);
        let mut reader = strings.start();
        let mut services = Vec::with_capacity(length(returned));
        for _ in 0..returned {
            let name = reader.u32("the name of a service")?;
            let display_name = reader.u32("the display name of a service")?;
            let (status, pid, flags) = match self {
                Self::Plain => (ServiceStatus::decode(&mut reader)?, None, None),
                Self::WithProcess => {
                    let process = ProcessStatus::decode(&mut reader)?;
                    (process.status, Some(process.pid), Some(process.flags))
                }
            };
            services.push(EnumeratedService {
                name: strings.string("the name of a service", name, NAME_UNITS_MAX)?,
                display_name: strings.string(
                    "the display name of a service",
                    display_name,
                    NAME_UNITS_MAX,
                )?,
                status,
                pid,
                flags,
            });
        }
        Ok(services)
    }

    /// Writes services into a buffer of at least `size` bytes: entries in front, strings behind them.
    fn encode(self, services: &[EnumeratedService], size: u32) -> Vec<u8> {
        let mut strings = Writer::new();
        strings.zeros(services.len().saturating_mul(self.bytes()));
        let mut entries = Writer::new();
        for service in services {
            entries
                .u32(append(&mut strings, &service.name))
                .u32(append(&mut strings, &service.display_name));
            match self {
                Self::Plain => service.status.encode(&mut entries),
                Self::WithProcess => ProcessStatus {
                    status: service.status,
                    pid: service.pid.unwrap_or(0),
                    flags: service.flags.unwrap_or(0),
                }
                .encode(&mut entries),
            }
        }
        let mut buffer = entries.finish();
        buffer.extend_from_slice(strings.finish().get(buffer.len()..).unwrap_or(&[]));
        let size = length(size).max(buffer.len());
        buffer.resize(size, 0);
        buffer
    }

    /// How many of `services` fit a buffer of `size` bytes, and the bytes that the rest needs.
    fn fit(self, services: &[EnumeratedService], size: u32) -> (usize, u32) {
        let mut used: usize = 0;
        let mut fitting: usize = 0;
        let mut rest: usize = 0;
        for service in services {
            let bytes = self.size_of(service);
            used = used.saturating_add(bytes);
            if rest == 0 && used <= length(size) {
                fitting = fitting.saturating_add(1);
            } else {
                rest = rest.saturating_add(bytes);
            }
        }
        (fitting, count(rest))
    }
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

fn decode_resume(reader: &mut Reader<'_>) -> Result<Option<u32>, WireError> {
    if !reader.pointer("the resume index")? {
        return Ok(None);
    }
    reader.u32("the resume index").map(Some)
}

fn encode_resume(writer: &mut Writer, resume: Option<u32>) {
    writer.pointer(resume.is_some());
    if let Some(resume) = resume {
        writer.u32(resume);
    }
}

/// The parts that the answers to 14, 42 and 13 share, as they stand on the wire.
struct List {
    services: Vec<EnumeratedService>,
    buffer_size: u32,
    needed: u32,
    resume: Option<u32>,
    code: Code,
}

impl List {
    fn decode(stub: &[u8], entry: Entry, resumes: bool) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let buffer = reader.conformant_bytes("the list of services", ENUMERATION_BYTES_MAX)?;
        let needed = reader.u32("the size that is needed")?;
        let returned = reader.u32("the number of services")?;
        let resume = if resumes {
            decode_resume(&mut reader)?
        } else {
            None
        };
        let code = decode_code(&mut reader)?;
        let filled = code.is_success() || code == Code::MORE_DATA;
        let services = if filled {
            entry.decode(buffer, returned)?
        } else {
            Vec::new()
        };
        Ok(Self {
            services,
            buffer_size: count(buffer.len()),
            needed,
            resume,
            code,
        })
    }

    fn encode(&self, entry: Entry, resumes: bool) -> Vec<u8> {
        let buffer = entry.encode(&self.services, self.buffer_size);
        let mut writer = Writer::with_capacity(buffer.len().saturating_add(32));
        writer
            .conformant_bytes(&buffer)
            .u32(self.needed)
            .u32(count(self.services.len()));
        if resumes {
            encode_resume(&mut writer, self.resume);
        }
        writer.u32(self.code.0);
        writer.finish()
    }

    /// As Windows pages: as many services as fit, from the one numbered `resume`, and where to go on.
    fn page(services: &[EnumeratedService], entry: Entry, size: u32, resume: u32) -> Self {
        let rest = services.get(length(resume)..).unwrap_or(&[]);
        let (fitting, needed) = entry.fit(rest, size);
        let complete = fitting == rest.len();
        let next = count(length(resume).saturating_add(fitting));
        Self {
            services: rest.iter().take(fitting).cloned().collect(),
            buffer_size: size,
            needed,
            resume: Some(if complete { 0 } else { next }),
            code: if complete {
                Code::SUCCESS
            } else {
                Code::MORE_DATA
            },
        }
    }

    fn refused(code: Code, size: u32) -> Self {
        Self {
            services: Vec::new(),
            buffer_size: size,
            needed: 0,
            resume: Some(0),
            code,
        }
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
                    list.services = Vec::new();
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

        impl From<List> for $reply {
            fn from(list: List) -> Self {
                let List { services, buffer_size, needed, resume, code } = list;
                Self { services, buffer_size, needed, resume, code }
            }
        }

        impl Reply for $reply {
            fn encode(&self) -> Vec<u8> {
                List {
                    services: self.services.clone(),
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
            services: self.services.clone(),
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
            services,
            buffer_size,
            needed,
            code,
        })
    }

    fn code(&self) -> Code {
        self.code
    }
}
