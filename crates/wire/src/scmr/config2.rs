//! The optional configuration of a service: 39, levels 1 to 7. Triggers have a call of their own (56).

use super::buffer::{OffsetReader, append};
use super::handle::decode_code;
use super::{Code, Handle, Reply, Request};
use crate::WireError;
use crate::limits::{CONFIGURATION_BYTES_MAX, FAILURE_ACTIONS_MAX};
use crate::ndr::{Reader, Writer, count, within};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Which piece of configuration is asked for (3.1.4.37, `dwInfoLevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Config2Level {
    /// 1.
    Description,
    /// 2.
    FailureActions,
    /// 3.
    DelayedAutoStart,
    /// 4.
    FailureActionsFlag,
    /// 5.
    ServiceSid,
    /// 6.
    RequiredPrivileges,
    /// 7.
    Preshutdown,
}

impl Config2Level {
    /// Every level, in order.
    pub const ALL: [Self; 7] = [
        Self::Description,
        Self::FailureActions,
        Self::DelayedAutoStart,
        Self::FailureActionsFlag,
        Self::ServiceSid,
        Self::RequiredPrivileges,
        Self::Preshutdown,
    ];

    /// The raw value.
    #[must_use]
    pub const fn raw(self) -> u32 {
        match self {
            Self::Description => 1,
            Self::FailureActions => 2,
            Self::DelayedAutoStart => 3,
            Self::FailureActionsFlag => 4,
            Self::ServiceSid => 5,
            Self::RequiredPrivileges => 6,
            Self::Preshutdown => 7,
        }
    }

    /// The level of a raw value.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.raw() == raw)
    }
}

/// What the manager does when the service fails once more: `SC_ACTION` (2.2.19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FailureAction {
    /// 0 nothing, 1 restart the service, 2 restart the computer, 3 run a command (2.2.18); raw.
    pub action: u32,
    /// How long it waits before, in ms.
    pub delay: u32,
}

/// What the manager does when the service fails: `SERVICE_FAILURE_ACTIONS_WOW64` (2.2.37).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailureActions {
    /// After this time without a failure the count begins anew, in s; 2³²−1 means never.
    pub reset_period: u32,
    /// What is told before the computer is restarted.
    pub reboot_message: Option<String>,
    /// What is run.
    pub command: Option<String>,
    /// The action for the first failure, the second, and so on; the last one repeats.
    pub actions: Vec<FailureAction>,
}

/// A piece of optional configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Config2 {
    /// `SERVICE_DESCRIPTION_WOW64` (2.2.36): the description, where there is one. Wine sends the text in the
    /// place of the offset to it, which is refused as a bad offset.
    Description(Option<String>),
    /// `SERVICE_FAILURE_ACTIONS_WOW64` (2.2.37).
    FailureActions(FailureActions),
    /// `SERVICE_DELAYED_AUTO_START_INFO` (2.2.33): whether an automatic start is delayed.
    DelayedAutoStart(bool),
    /// `SERVICE_FAILURE_ACTIONS_FLAG` (2.2.41): whether a stop with an error counts as a failure too.
    FailureActionsFlag(bool),
    /// `SERVICE_SID_INFO` (2.2.46): 0 none, 1 unrestricted, 3 restricted; raw.
    ServiceSid(u32),
    /// `SERVICE_REQUIRED_PRIVILEGES_INFO_WOW64` (2.2.38).
    RequiredPrivileges(Vec<String>),
    /// `SERVICE_PRESHUTDOWN_INFO` (2.2.45): time to prepare for a shutdown, in ms.
    Preshutdown(u32),
}

impl Config2 {
    /// The level that asks for this piece.
    #[must_use]
    pub const fn level(&self) -> Config2Level {
        match self {
            Self::Description(_) => Config2Level::Description,
            Self::FailureActions(_) => Config2Level::FailureActions,
            Self::DelayedAutoStart(_) => Config2Level::DelayedAutoStart,
            Self::FailureActionsFlag(_) => Config2Level::FailureActionsFlag,
            Self::ServiceSid(_) => Config2Level::ServiceSid,
            Self::RequiredPrivileges(_) => Config2Level::RequiredPrivileges,
            Self::Preshutdown(_) => Config2Level::Preshutdown,
        }
    }

    /// Reads the buffer of an answer.
    pub fn decode(level: Config2Level, buffer: &[u8]) -> Result<Self, WireError> {
        let mut strings = OffsetReader::new(buffer);
        let mut reader = strings.start();
        Ok(match level {
            Config2Level::Description => {
                let offset = reader.u32("the description")?;
                Self::Description(strings.optional_string("the description", offset)?)
            }
            Config2Level::FailureActions => {
                Self::FailureActions(FailureActions::decode(&mut reader, &mut strings)?)
            }
            Config2Level::DelayedAutoStart => {
                Self::DelayedAutoStart(reader.u32("the delayed start")? != 0)
            }
            Config2Level::FailureActionsFlag => {
                Self::FailureActionsFlag(reader.u32("the failure actions flag")? != 0)
            }
            Config2Level::ServiceSid => Self::ServiceSid(reader.u32("the kind of service SID")?),
            Config2Level::RequiredPrivileges => {
                let what = "the required privileges";
                Self::RequiredPrivileges(match reader.u32(what)? {
                    0 => Vec::new(),
                    offset => strings.strings(what, offset)?,
                })
            }
            Config2Level::Preshutdown => {
                Self::Preshutdown(reader.u32("the time before a shutdown")?)
            }
        })
    }

    /// Writes the buffer of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Self::Description(text) => {
                writer.u32(if text.is_some() { 4 } else { 0 });
                if let Some(text) = text {
                    writer.utf16(text);
                }
            }
            Self::FailureActions(actions) => return actions.encode(),
            Self::DelayedAutoStart(flag) | Self::FailureActionsFlag(flag) => {
                writer.u32((*flag).into());
            }
            Self::ServiceSid(value) | Self::Preshutdown(value) => {
                writer.u32(*value);
            }
            Self::RequiredPrivileges(names) => {
                writer.u32(if names.is_empty() { 0 } else { 4 });
                for name in names {
                    writer.utf16(name);
                }
                if !names.is_empty() {
                    writer.utf16("");
                }
            }
        }
        writer.finish()
    }
}

impl FailureActions {
    /// Size of the fixed part, in bytes.
    const BYTES: usize = 20;
    /// Size of an action, in bytes.
    const ACTION_BYTES: u32 = 8;

    fn decode(reader: &mut Reader<'_>, strings: &mut OffsetReader<'_>) -> Result<Self, WireError> {
        let what = "the failure actions";
        let reset_period = reader.u32(what)?;
        let reboot_message = reader.u32(what)?;
        let command = reader.u32(what)?;
        let number = reader.count(what, FAILURE_ACTIONS_MAX)?;
        let offset = reader.u32(what)?;
        let mut actions = Vec::new();
        if number != 0 {
            let bytes = strings.at(what, offset, 4)?;
            let room = count(bytes.len())
                .checked_div(Self::ACTION_BYTES)
                .unwrap_or(0);
            within(what, number, room)?;
            let mut reader = Reader::new(bytes);
            for _ in 0..number {
                actions.push(FailureAction {
                    action: reader.u32(what)?,
                    delay: reader.u32(what)?,
                });
            }
        }
        Ok(Self {
            reset_period,
            reboot_message: strings.optional_string("the reboot message", reboot_message)?,
            command: strings.optional_string("the command on failure", command)?,
            actions,
        })
    }

    fn encode(&self) -> Vec<u8> {
        // The actions come first behind the fixed part, where they are aligned; the strings follow.
        let mut tail = Writer::new();
        tail.zeros(Self::BYTES);
        let actions = if self.actions.is_empty() {
            0
        } else {
            count(Self::BYTES)
        };
        for action in &self.actions {
            tail.u32(action.action).u32(action.delay);
        }
        let message = self.reboot_message.as_deref();
        let message = message.map_or(0, |text| append(&mut tail, text));
        let command = self.command.as_deref();
        let command = command.map_or(0, |text| append(&mut tail, text));
        let mut writer = Writer::new();
        writer
            .u32(self.reset_period)
            .u32(message)
            .u32(command)
            .u32(count(self.actions.len()))
            .u32(actions);
        let mut bytes = writer.finish();
        bytes.extend_from_slice(tail.finish().get(Self::BYTES..).unwrap_or(&[]));
        bytes
    }
}

/// `RQueryServiceConfig2W` (3.1.4.37).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryServiceConfig2 {
    /// The service.
    pub service: Handle,
    /// The piece, raw; see [`Config2Level`].
    pub level: u32,
    /// Size of the buffer, in bytes; all of it comes back, whatever is used.
    pub buffer_size: u32,
}

impl QueryServiceConfig2 {
    /// Asks for a piece with a buffer that nearly always suffices for it.
    #[must_use]
    pub const fn new(service: Handle, level: Config2Level) -> Self {
        Self {
            service,
            level: level.raw(),
            buffer_size: match level {
                Config2Level::Description
                | Config2Level::FailureActions
                | Config2Level::RequiredPrivileges => 1024,
                Config2Level::DelayedAutoStart
                | Config2Level::FailureActionsFlag
                | Config2Level::ServiceSid
                | Config2Level::Preshutdown => 4,
            },
        }
    }

    /// Asks again, as 122 wants it; `None` where the answer asks for no more than it had, or for too much.
    #[must_use]
    pub fn again(&self, reply: &QueryServiceConfig2Reply) -> Option<Self> {
        let wanted = reply.code == Code::INSUFFICIENT_BUFFER
            && reply.needed > self.buffer_size
            && reply.needed <= CONFIGURATION_BYTES_MAX;
        wanted.then_some(Self {
            buffer_size: reply.needed,
            ..*self
        })
    }
}

impl Request for QueryServiceConfig2 {
    const OPNUM: u16 = 39;
    type Reply = QueryServiceConfig2Reply;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.service.encode(&mut writer);
        writer.u32(self.level).u32(self.buffer_size);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        Ok(Self {
            service: Handle::decode(&mut reader)?,
            level: reader.u32("the level of the configuration")?,
            buffer_size: reader.count("the size of the buffer", CONFIGURATION_BYTES_MAX)?,
        })
    }
}

/// The answer to [`QueryServiceConfig2`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryServiceConfig2Reply {
    /// The buffer; [`QueryServiceConfig2Reply::config`] reads it.
    pub buffer: Vec<u8>,
    /// With 122: the size to ask with.
    pub needed: u32,
    /// The code.
    pub code: Code,
}

impl QueryServiceConfig2Reply {
    /// A server's answer: the piece, or 122 where the buffer asked for is too small.
    #[must_use]
    pub fn of(config: &Config2, buffer_size: u32) -> Self {
        let buffer_size = buffer_size.min(CONFIGURATION_BYTES_MAX);
        let mut buffer = config.encode();
        let needed = count(buffer.len());
        let code = if needed > buffer_size {
            buffer.clear();
            Code::INSUFFICIENT_BUFFER
        } else {
            Code::SUCCESS
        };
        buffer.resize(crate::ndr::length(buffer_size), 0);
        Self {
            buffer,
            needed,
            code,
        }
    }

    /// A server's refusal.
    #[must_use]
    pub fn refused(code: Code, buffer_size: u32) -> Self {
        let buffer_size = buffer_size.min(CONFIGURATION_BYTES_MAX);
        Self {
            buffer: vec![0; crate::ndr::length(buffer_size)],
            needed: 0,
            code,
        }
    }

    /// The piece that was asked for; `None` where the server does not have it or does not give it.
    pub fn config(&self, level: Config2Level) -> Result<Option<Config2>, WireError> {
        if !self.code.is_success() {
            return Ok(None);
        }
        Config2::decode(level, &self.buffer).map(Some)
    }
}

impl Reply for QueryServiceConfig2Reply {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .conformant_bytes(&self.buffer)
            .u32(self.needed)
            .u32(self.code.0);
        writer.finish()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(stub);
        let buffer =
            reader.conformant_bytes("the configuration buffer", CONFIGURATION_BYTES_MAX)?;
        Ok(Self {
            buffer: buffer.to_vec(),
            needed: reader.u32("the size that is needed")?,
            code: decode_code(&mut reader)?,
        })
    }

    fn code(&self) -> Code {
        self.code
    }
}
