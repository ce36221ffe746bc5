//! The status of a service: `SERVICE_STATUS` (2.2.47) and `SERVICE_STATUS_PROCESS` (2.2.49).

use crate::WireError;
use crate::ndr::{Reader, Writer};

/// Bits of [`ServiceStatus::service_type`] (2.2.47).
pub mod service_type {
    /// A kernel driver.
    pub const KERNEL_DRIVER: u32 = 0x1;
    /// A file system driver.
    pub const FILE_SYSTEM_DRIVER: u32 = 0x2;
    /// A service with a process of its own.
    pub const OWN_PROCESS: u32 = 0x10;
    /// A service that shares its process.
    pub const SHARE_PROCESS: u32 = 0x20;
    /// Every service that is no driver.
    pub const WIN32: u32 = OWN_PROCESS | SHARE_PROCESS;
    /// The template of a per-user service, or one of its instances.
    pub const USER_SERVICE: u32 = 0x40;
    /// An instance of a per-user service.
    pub const USER_SERVICE_INSTANCE: u32 = 0x80;
    /// May show windows.
    pub const INTERACTIVE_PROCESS: u32 = 0x100;
}

/// Bits of [`ServiceStatus::controls_accepted`] (2.2.47).
pub mod accepts {
    /// Can be stopped.
    pub const STOP: u32 = 0x1;
    /// Can be paused and continued.
    pub const PAUSE_CONTINUE: u32 = 0x2;
    /// Is told of a shutdown.
    pub const SHUTDOWN: u32 = 0x4;
    /// Reads its parameters again on request.
    pub const PARAMETER_CHANGE: u32 = 0x8;
    /// Takes network binding changes.
    pub const NETWORK_BINDING_CHANGE: u32 = 0x10;
    /// Is told before a shutdown.
    pub const PRESHUTDOWN: u32 = 0x100;
}

/// The state of a service (2.2.47, `dwCurrentState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CurrentState {
    /// 1.
    Stopped,
    /// 2.
    StartPending,
    /// 3.
    StopPending,
    /// 4.
    Running,
    /// 5.
    ContinuePending,
    /// 6.
    PausePending,
    /// 7.
    Paused,
}

impl CurrentState {
    /// The state of a raw value; `None` for a value that the protocol does not have.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            1 => Self::Stopped,
            2 => Self::StartPending,
            3 => Self::StopPending,
            4 => Self::Running,
            5 => Self::ContinuePending,
            6 => Self::PausePending,
            7 => Self::Paused,
            _ => return None,
        })
    }

    /// The raw value.
    #[must_use]
    pub const fn raw(self) -> u32 {
        match self {
            Self::Stopped => 1,
            Self::StartPending => 2,
            Self::StopPending => 3,
            Self::Running => 4,
            Self::ContinuePending => 5,
            Self::PausePending => 6,
            Self::Paused => 7,
        }
    }
}

/// The status of a service as it stood on the wire (2.2.47): raw values, of which any may be impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ServiceStatus {
    /// Bits of [`service_type`].
    pub service_type: u32,
    /// The state; [`ServiceStatus::state`] says whether it is one.
    pub current_state: u32,
    /// Bits of [`accepts`].
    pub controls_accepted: u32,
    /// The Win32 code of the last end; 1066 means that the service's own code tells more.
    pub win32_exit_code: u32,
    /// The service's own exit code.
    pub service_exit_code: u32,
    /// Progress through a pending state.
    pub checkpoint: u32,
    /// How long until the next checkpoint, in ms.
    pub wait_hint: u32,
}

impl ServiceStatus {
    /// Size on the wire, in bytes.
    pub const BYTES: usize = 28;

    /// The state, or `None` where the raw value is impossible.
    #[must_use]
    pub const fn state(&self) -> Option<CurrentState> {
        CurrentState::from_raw(self.current_state)
    }

    /// Reads the seven words.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let what = "the status of a service";
        Ok(Self {
            service_type: reader.u32(what)?,
            current_state: reader.u32(what)?,
            controls_accepted: reader.u32(what)?,
            win32_exit_code: reader.u32(what)?,
            service_exit_code: reader.u32(what)?,
            checkpoint: reader.u32(what)?,
            wait_hint: reader.u32(what)?,
        })
    }

    /// Writes the seven words.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer
            .u32(self.service_type)
            .u32(self.current_state)
            .u32(self.controls_accepted)
            .u32(self.win32_exit_code)
            .u32(self.service_exit_code)
            .u32(self.checkpoint)
            .u32(self.wait_hint);
    }
}

/// The status of a service with its process (2.2.49).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ProcessStatus {
    /// The status.
    pub status: ServiceStatus,
    /// The process id; 0 where no process runs.
    pub pid: u32,
    /// 1 where the service runs in a process that must always run.
    pub flags: u32,
}

impl ProcessStatus {
    /// Size on the wire, in bytes.
    pub const BYTES: usize = 36;

    /// Reads the nine words.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            status: ServiceStatus::decode(reader)?,
            pid: reader.u32("the process id of a service")?,
            flags: reader.u32("the flags of a service")?,
        })
    }

    /// Writes the nine words.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.status.encode(writer);
        writer.u32(self.pid).u32(self.flags);
    }
}
