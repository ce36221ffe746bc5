//! The Windows service control manager, spoken remotely: MS-SCMR, both sides.
//!
//! Every call is a [`Request`] with its [`Reply`]: encode the one, decode the other; a server does it the
//! other way round. What a reply carries besides its [`Code`] is `Some` only where the server gave it:
//! unsupported or denied is `None`, never a default. Section numbers are those of MS-SCMR 2.2 and 3.1.4.

mod buffer;
mod code;
mod config;
mod config2;
mod control;
mod enumerate;
mod enumeration;
mod handle;
mod list;
mod notify;
mod query;
mod status;
mod trigger;

#[cfg(test)]
mod tests;

pub use crate::pdu::SERVICE_CONTROL;
pub use code::Code;
pub use config::{QueryServiceConfig, QueryServiceConfigReply, ServiceConfig, StartType};
pub use config2::{
    Config2, Config2Level, FailureAction, FailureActions, QueryServiceConfig2,
    QueryServiceConfig2Reply,
};
pub use control::{ControlService, ControlServiceReply, StartService, StartServiceReply, controls};
pub use enumerate::{
    EnumDependentServices, EnumDependentServicesReply, EnumServicesStatus, EnumServicesStatusEx,
    EnumServicesStatusExReply, EnumServicesStatusReply, filter,
};
pub use enumeration::{Enumeration, EnumerationError};
pub use handle::{
    CloseServiceHandle, CloseServiceHandleReply, Handle, OpenScManager, OpenScManagerReply,
    OpenService, OpenServiceReply, access,
};
pub use list::EnumeratedService;
pub use notify::{
    CloseNotifyHandle, CloseNotifyHandleReply, GetNotifyResults, GetNotifyResultsReply,
    Notification, NotifyServiceStatusChange, NotifyServiceStatusChangeReply, notify_mask,
};
pub use query::{
    QueryServiceStatus, QueryServiceStatusEx, QueryServiceStatusExReply, QueryServiceStatusReply,
};
pub use status::{CurrentState, ProcessStatus, ServiceStatus, accepts, service_type};
pub use trigger::{
    QueryServiceConfigEx, QueryServiceConfigExReply, Trigger, TriggerItem, trigger_type,
};

use crate::WireError;
use alloc::vec::Vec;

/// A call of MS-SCMR.
pub trait Request: Sized {
    /// The operation number.
    const OPNUM: u16;
    /// What answers it.
    type Reply: Reply;

    /// The stub that a client sends.
    fn encode(&self) -> Vec<u8>;

    /// What a server reads from a stub.
    fn decode(stub: &[u8]) -> Result<Self, WireError>;
}

/// The answer to a call of MS-SCMR.
pub trait Reply: Sized {
    /// The stub that a server sends.
    fn encode(&self) -> Vec<u8>;

    /// What a client reads from a stub.
    fn decode(stub: &[u8]) -> Result<Self, WireError>;

    /// The Win32 code that every answer ends with.
    fn code(&self) -> Code;
}
