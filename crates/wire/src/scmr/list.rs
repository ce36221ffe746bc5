//! The buffer that lists of services come in, and what stands around it.

use super::buffer::{OffsetReader, append, text_bytes};
use super::handle::decode_code;
use super::{Code, ProcessStatus, ServiceStatus};
use crate::WireError;
use crate::limits::{ENUMERATION_BYTES_MAX, NAME_UNITS_MAX};
use crate::ndr::{Reader, Writer, count, length};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

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
pub(super) enum Entry {
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
    pub(super) fn decode(
        self,
        buffer: &[u8],
        returned: u32,
    ) -> Result<Vec<EnumeratedService>, WireError> {
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
    pub(super) fn fit(self, services: &[EnumeratedService], size: u32) -> (usize, u32) {
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

pub(super) fn decode_resume(reader: &mut Reader<'_>) -> Result<Option<u32>, WireError> {
    if !reader.pointer("the resume index")? {
        return Ok(None);
    }
    reader.u32("the resume index").map(Some)
}

pub(super) fn encode_resume(writer: &mut Writer, resume: Option<u32>) {
    writer.pointer(resume.is_some());
    if let Some(resume) = resume {
        writer.u32(resume);
    }
}

/// The parts that the answers to 14, 42 and 13 share, as they stand on the wire.
pub(super) struct List<'a> {
    pub(super) services: Cow<'a, [EnumeratedService]>,
    pub(super) buffer_size: u32,
    pub(super) needed: u32,
    pub(super) resume: Option<u32>,
    pub(super) code: Code,
}

impl<'a> List<'a> {
    pub(super) fn decode(stub: &[u8], entry: Entry, resumes: bool) -> Result<Self, WireError> {
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
            services: services.into(),
            buffer_size: count(buffer.len()),
            needed,
            resume,
            code,
        })
    }

    pub(super) fn encode(&self, entry: Entry, resumes: bool) -> Vec<u8> {
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
    pub(super) fn page(
        services: &'a [EnumeratedService],
        entry: Entry,
        size: u32,
        resume: u32,
    ) -> Self {
        let size = size.min(ENUMERATION_BYTES_MAX);
        let rest = services.get(length(resume)..).unwrap_or(&[]);
        let (fitting, needed) = entry.fit(rest, size);
        let complete = fitting == rest.len();
        let next = count(length(resume).saturating_add(fitting));
        Self {
            services: rest.get(..fitting).unwrap_or(rest).into(),
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

    pub(super) fn refused(code: Code, size: u32) -> Self {
        Self {
            services: Cow::default(),
            buffer_size: size.min(ENUMERATION_BYTES_MAX),
            needed: 0,
            resume: Some(0),
            code,
        }
    }
}
