//! Getting the whole list of a host with as few calls as can be.

use super::handle::Handle;
use super::{
    Code, EnumServicesStatus, EnumServicesStatusEx, EnumServicesStatusExReply,
    EnumServicesStatusReply, EnumeratedService, Reply, Request, filter, service_type,
};
use crate::WireError;
use crate::limits::{ENUMERATION_BYTES_MAX, ENUMERATION_CALLS_MAX, SERVICES_MAX};
use crate::ndr::count;
use crate::pdu::FAULT_NO_SUCH_OPERATION;
use alloc::vec::Vec;

/// Why a host's list could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnumerationError {
    /// The server answered with a code that is neither success nor 234.
    #[error("the list of services was refused with {0}")]
    Refused(Code),
    /// The bytes of an answer, or their order, were wrong.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server asks for more and more without giving the rest of the list.
    #[error("the list of services has no end: {what}")]
    Endless {
        /// What showed it.
        what: &'static str,
    },
    /// The list does not fit the largest buffer, and the server does not give it in parts.
    #[error("the list of services needs more than {limit} bytes at once")]
    TooLarge {
        /// The largest buffer, in bytes.
        limit: u32,
    },
}

/// Asks for the list of all services: once where the remembered buffer size suffices.
///
/// Send [`Enumeration::next_request`], give the answer to [`Enumeration::on_reply`], until it gives the
/// list. Keep [`Enumeration::buffer_size`] and [`Enumeration::has_processes`] for the next time.
///
/// The whole buffer comes back whatever is used, so it begins small and grows as the server says.
/// Windows gives the services that fit and goes on from there; Samba and Wine give none and must be
/// asked again with more: asking with what was given plus what is missing is right for both.
#[derive(Debug, Clone)]
pub struct Enumeration {
    manager: Handle,
    with_processes: bool,
    /// Size of the next buffer, in bytes.
    ask: u32,
    /// Size that would have held the whole list, in bytes: what to begin with the next time.
    remember: u32,
    resume: u32,
    calls: u32,
    services: Vec<EnumeratedService>,
}

impl Enumeration {
    /// Size of the first buffer where nothing is remembered, in bytes.
    pub const FIRST_BYTES: u32 = 4096;
    /// Sizes are rounded up to this, in bytes, so that a service more or less does not cost a call.
    const STEP_BYTES: u32 = 1024;

    /// Begins with what was remembered of this host: the size of the buffer, and whether its lists have
    /// processes (of a host not seen before, assume that they have).
    #[must_use]
    pub fn new(manager: Handle, remembered: Option<u32>, with_processes: bool) -> Self {
        let ask = remembered
            .unwrap_or(Self::FIRST_BYTES)
            .clamp(Self::STEP_BYTES, ENUMERATION_BYTES_MAX);
        Self {
            manager,
            with_processes,
            ask,
            remember: ask,
            resume: 0,
            calls: 0,
            services: Vec::new(),
        }
    }

    /// The next call: its operation and its stub.
    #[must_use]
    pub fn next_request(&self) -> (u16, Vec<u8>) {
        let service_type = service_type::WIN32;
        if self.with_processes {
            let request = EnumServicesStatusEx {
                manager: self.manager,
                service_type,
                state: filter::ALL,
                buffer_size: self.ask,
                resume: Some(self.resume),
                group: None,
            };
            return (EnumServicesStatusEx::OPNUM, request.encode());
        }
        let request = EnumServicesStatus {
            manager: self.manager,
            service_type,
            state: filter::ALL,
            buffer_size: self.ask,
            resume: Some(self.resume),
        };
        (EnumServicesStatus::OPNUM, request.encode())
    }

    /// Takes the answer to the last [`Enumeration::next_request`]: the list, or `None` to ask again.
    ///
    /// Once it gave the list it begins anew.
    pub fn on_reply(
        &mut self,
        reply: Result<Vec<u8>, WireError>,
    ) -> Result<Option<Vec<EnumeratedService>>, EnumerationError> {
        self.calls = self.calls.saturating_add(1);
        if self.calls > ENUMERATION_CALLS_MAX {
            return Err(EnumerationError::Endless {
                what: "too many calls",
            });
        }
        let stub = match reply {
            Ok(stub) => stub,
            Err(WireError::Fault(FAULT_NO_SUCH_OPERATION)) if self.with_processes => {
                self.with_processes = false;
                self.resume = 0;
                self.services.clear();
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if self.with_processes {
            let reply = EnumServicesStatusExReply::decode(&stub)?;
            self.take(reply.services, reply.needed, reply.resume, reply.code)
        } else {
            let reply = EnumServicesStatusReply::decode(&stub)?;
            self.take(reply.services, reply.needed, reply.resume, reply.code)
        }
    }

    fn take(
        &mut self,
        services: Vec<EnumeratedService>,
        needed: u32,
        resume: Option<u32>,
        code: Code,
    ) -> Result<Option<Vec<EnumeratedService>>, EnumerationError> {
        if self.services.len().saturating_add(services.len()) > SERVICES_MAX {
            return Err(EnumerationError::Endless {
                what: "too many services",
            });
        }
        let part = !services.is_empty();
        self.services.extend(services);
        match code {
            Code::SUCCESS => {
                self.calls = 0;
                self.resume = 0;
                self.ask = self.remember;
                Ok(Some(core::mem::take(&mut self.services)))
            }
            Code::MORE_DATA if part => self.go_on(needed, resume),
            Code::MORE_DATA => self.grow(needed),
            refused => Err(EnumerationError::Refused(refused)),
        }
    }

    /// Part of the list came: asks for the rest, from where the server says.
    fn go_on(
        &mut self,
        needed: u32,
        resume: Option<u32>,
    ) -> Result<Option<Vec<EnumeratedService>>, EnumerationError> {
        let resume = resume.unwrap_or(0);
        if resume <= self.resume {
            return Err(EnumerationError::Endless {
                what: "the resume index does not advance",
            });
        }
        self.resume = resume;
        self.remember = rounded(self.remember.saturating_add(needed));
        self.ask = self.ask.max(rounded(needed));
        Ok(None)
    }

    /// Nothing came: asks for the same with more room.
    fn grow(&mut self, needed: u32) -> Result<Option<Vec<EnumeratedService>>, EnumerationError> {
        if needed == 0 {
            return Err(EnumerationError::Endless {
                what: "nothing came and nothing more is needed",
            });
        }
        if self.ask >= ENUMERATION_BYTES_MAX {
            return Err(EnumerationError::TooLarge {
                limit: ENUMERATION_BYTES_MAX,
            });
        }
        self.ask = rounded(self.ask.saturating_add(needed));
        self.remember = self.remember.max(self.ask);
        Ok(None)
    }

    /// The size of the buffer to begin with the next time, in bytes.
    #[must_use]
    pub const fn buffer_size(&self) -> u32 {
        self.remember
    }

    /// Whether this host's lists have processes: `false` once it answered that it has no such call.
    #[must_use]
    pub const fn has_processes(&self) -> bool {
        self.with_processes
    }

    /// Services that came so far.
    #[must_use]
    pub fn gathered(&self) -> u32 {
        count(self.services.len())
    }
}

/// A size rounded up to the next step, at most the largest buffer.
fn rounded(size: u32) -> u32 {
    size.checked_next_multiple_of(Enumeration::STEP_BYTES)
        .unwrap_or(ENUMERATION_BYTES_MAX)
        .min(ENUMERATION_BYTES_MAX)
}
