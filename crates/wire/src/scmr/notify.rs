//! Being told of changes: 47 registers, 48 waits, 49 gives up.

use super::handle::decode_code;
use super::{Code, Handle, ProcessStatus, Reply, Request};
use crate::WireError;
use crate::limits::{NOTIFICATIONS_MAX, STRING_UNITS_MAX};
use crate::ndr::{Reader, Writer, count};
use alloc::string::String;
use alloc::vec::Vec;

/// Bits of [`NotifyServiceStatusChange::mask`] (2.2.44).
pub mod notify_mask {
    /// It stopped.
    pub const STOPPED: u32 = 0x1;
    /// It is starting.
    pub const START_PENDING: u32 = 0x2;
    /// It is stopping.
    pub const STOP_PENDING: u32 = 0x4;
    /// It runs.
    pub const RUNNING: u32 = 0x8;
    /// It is continuing.
    pub const CONTINUE_PENDING: u32 = 0x10;
    /// It is pausing.
    pub const PAUSE_PENDING: u32 = 0x20;
    /// It is paused.
    pub const PAUSED: u32 = 0x40;
    /// It was created; on the handle of the manager.
    pub const CREATED: u32 = 0x80;
    /// It was deleted; on the handle of the manager.
    pub const DELETED: u32 = 0x100;
    /// It will be deleted.
    pub const DELETE_PENDING: u32 = 0x200;
}

/// The level of [`Notification`] that this crate speaks: `SERVICE_NOTIFY_STATUS_CHANGE_PARAMS_2`.
const LEVEL: u32 = 2;

/// A change that happened: `SERVICE_NOTIFY_STATUS_CHANGE_PARAMS_2` (2.2.44).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notification {
    /// Bits of [`notify_mask`] that were asked for.
    pub mask: u32,
    /// The status at the change.
    pub status: ProcessStatus,
    /// Whether the notification itself worked.
    pub notification_status: Code,
    /// Counts the notifications of a registration.
    pub sequence: u32,
    /// Bits of [`notify_mask`] that happened.
    pub triggered: u32,
    /// For created and deleted: the services, each begun with `/` if created.
    pub names: Option<String>,
}

impl Notification {
    /// Bytes that servers must ignore: where a callback lies in the client (2.2.44).
    const CALLBACK_BYTES: usize = 32;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let what = "a notification";
        reader.u64(what)?;
        let mask = reader.u32(what)?;
        reader.bytes(what, Self::CALLBACK_BYTES)?;
        let status = ProcessStatus::decode(reader)?;
        let notification_status = Code(reader.u32(what)?);
        let sequence = reader.u32(what)?;
        let triggered = reader.u32(what)?;
        let names = if reader.pointer(what)? {
            Some(reader.string("the names of a notification", STRING_UNITS_MAX)?)
        } else {
            None
        };
        Ok(Self {
            mask,
            status,
            notification_status,
            sequence,
            triggered,
            names,
        })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u64(0).u32(self.mask).zeros(Self::CALLBACK_BYTES);
        self.status.encode(writer);
        writer
            .u32(self.notification_status.0)
            .u32(self.sequence)
            .u32(self.triggered)
            .pointer(self.names.is_some());
        if let Some(names) = &self.names {
            writer.string(names);
        }
    }
}

/// Reads the level of a notification, its union's tag, and whether there is one (2.2.23).
fn decode_level(reader: &mut Reader<'_>) -> Result<bool, WireError> {
    for what in ["the level of a notification", "the kind of a notification"] {
        let value = reader.u32(what)?;
        if value != LEVEL {
            return Err(WireError::BadValue { what, value });
        }
    }
    reader.pointer("a notification")
}

/// `RNotifyServiceStatusChange` (3.1.4.43): asks to be told once of a change.
///
/// On a handle that was not asked with before, a state that is so already is told at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifyServiceStatusChange {
    /// The service, opened with the right to read its status; the manager for created and deleted.
    pub service: Handle,
    /// Bits of [`notify_mask`].
    pub mask: u32,
}

impl Request for NotifyServiceStatusChange {
    const OPNUM: u16 = 47;
    type Reply = NotifyServiceStatusChangeReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.u32(LEVEL).u32(LEVEL).pointer(true);
        let asked = Notification {
            mask: self.mask,
            ..Notification::default()
        };
        asked.encode(&mut writer);
        // The GUID of the client's process, which servers must ignore.
        writer.align(4).zeros(16);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let service = Handle::decode(&mut reader)?;
        let mask = if decode_level(&mut reader)? {
            Notification::decode(&mut reader)?.mask
        } else {
            0
        };
        reader.align("the client's process", 4)?;
        reader.bytes("the client's process", 16)?;
        Ok(Self { service, mask })
    }
}

/// The answer to [`NotifyServiceStatusChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifyServiceStatusChangeReply {
    /// The handle to wait with, where the call succeeded.
    pub notify: Option<Handle>,
    /// The code; 1294 means that the service's handle must be closed and opened anew.
    pub code: Code,
}

impl Reply for NotifyServiceStatusChangeReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        // The GUID of the manager's process and a flag, both of no use.
        writer.zeros(16).u32(0);
        self.notify.unwrap_or(Handle::NULL).encode(&mut writer);
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        reader.bytes("the manager's process", 16)?;
        reader.u32("the remote queue flag")?;
        let (notify, code) = Handle::decode_with_code(&mut reader)?;
        Ok(Self { notify, code })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// `RGetNotifyResults` (3.1.4.44): waits for the change. The answer may take days, and holds its connection.
///
/// Wine loses a change that comes between the registration and this call, so read the status once after both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetNotifyResults {
    /// The handle of the registration.
    pub notify: Handle,
}

impl Request for GetNotifyResults {
    const OPNUM: u16 = 48;
    type Reply = GetNotifyResultsReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.notify.encode(&mut writer);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let notify = Handle::decode(&mut Reader::new(stub))?;
        Ok(Self { notify })
    }
}

/// The answer to [`GetNotifyResults`]: `SC_RPC_NOTIFY_PARAMS_LIST` (2.2.24).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetNotifyResultsReply {
    /// The changes, where the call succeeded.
    pub notifications: Option<Vec<Notification>>,
    /// The code; 1235 means that the registration was given up.
    pub code: Code,
}

impl Reply for GetNotifyResultsReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.pointer(self.notifications.is_some());
        if let Some(notifications) = &self.notifications {
            // The size of the array comes before the structure that ends with it (C706, 14.3.7.1).
            let number = count(notifications.len());
            writer.u32(number).u32(number);
            for _ in notifications {
                writer.u32(LEVEL).u32(LEVEL).pointer(true);
            }
            for notification in notifications {
                notification.encode(&mut writer);
            }
        }
        writer.u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let what = "the notifications";
        let mut reader = Reader::new(stub);
        let mut notifications = Vec::new();
        if reader.pointer(what)? {
            let size = reader.count(what, NOTIFICATIONS_MAX)?;
            let number = reader.u32(what)?;
            if size != number {
                return Err(WireError::BadValue {
                    what,
                    value: number,
                });
            }
            let mut present: u32 = 0;
            for _ in 0..number {
                present = present.saturating_add(decode_level(&mut reader)?.into());
            }
            for _ in 0..present {
                notifications.push(Notification::decode(&mut reader)?);
            }
        }
        let code = decode_code(&mut reader)?;
        let notifications = code.is_success().then_some(notifications);
        Ok(Self {
            notifications,
            code,
        })
    }

    fn code(&self) -> Code {
        self.code
    }
}

/// `RCloseNotifyHandle` (3.1.4.45): gives up a registration, which ends its wait with 1235.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseNotifyHandle {
    /// The handle of the registration.
    pub notify: Handle,
}

impl Request for CloseNotifyHandle {
    const OPNUM: u16 = 49;
    type Reply = CloseNotifyHandleReply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.notify.encode(&mut writer);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let notify = Handle::decode(&mut Reader::new(stub))?;
        Ok(Self { notify })
    }
}

/// The answer to [`CloseNotifyHandle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseNotifyHandleReply {
    /// The code.
    pub code: Code,
}

impl Reply for CloseNotifyHandleReply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        Handle::NULL.encode(&mut writer);
        writer.u32(0).u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Handle::decode(&mut reader)?;
        reader.u32("the callback flag")?;
        let code = decode_code(&mut reader)?;
        Ok(Self { code })
    }

    fn code(&self) -> Code {
        self.code
    }
}
