//! What a probe saw, or why it saw nothing.

use crate::{id::Name, time::Span};
use alloc::{string::String, sync::Arc, vec::Vec};

words! {
    /// The state of a service: the seven of the service control manager (MS-SCMR 2.2.47, dwCurrentState) and two of ours.
    pub enum State {
        /// Not running.
        Stopped = "stopped",
        /// Starting.
        StartPending = "start_pending",
        /// Stopping.
        StopPending = "stop_pending",
        /// Running.
        Running = "running",
        /// Going on after a pause.
        ContinuePending = "continue_pending",
        /// Pausing.
        PausePending = "pause_pending",
        /// Paused.
        Paused = "paused",
        /// Not installed: the host said 1060 (ERROR_SERVICE_DOES_NOT_EXIST).
        Missing = "missing",
        /// Cannot be read.
        Unknown = "unknown",
    }
}

impl State {
    /// Whether the service is between two lasting states.
    pub const fn is_pending(self) -> bool {
        matches!(
            self,
            Self::StartPending | Self::StopPending | Self::ContinuePending | Self::PausePending
        )
    }

    /// The state as people say it, behind `it is`.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::StartPending => "starting",
            Self::StopPending => "stopping",
            Self::Running => "running",
            Self::ContinuePending => "continuing",
            Self::PausePending => "pausing",
            Self::Paused => "paused",
            Self::Missing => "not installed",
            Self::Unknown => "unknown",
        }
    }

    /// The same of a service that was asked again: it may still be on its way.
    pub const fn still(self) -> &'static str {
        match self {
            Self::StartPending => "still starting",
            Self::StopPending => "still stopping",
            Self::ContinuePending => "still continuing",
            Self::PausePending => "still pausing",
            Self::Stopped | Self::Running | Self::Paused | Self::Missing | Self::Unknown => {
                self.in_words()
            }
        }
    }
}

words! {
    /// How a service is started (MS-SCMR 2.2.15, dwStartType; delayed from SERVICE_DELAYED_AUTO_START_INFO 2.2.33).
    pub enum StartType {
        /// With the machine.
        Automatic = "automatic",
        /// Some minutes after the machine.
        AutomaticDelayed = "automatic_delayed",
        /// On demand.
        Manual = "manual",
        /// Not at all.
        Disabled = "disabled",
        /// By the boot loader (drivers).
        Boot = "boot",
        /// By the system's start (drivers).
        System = "system",
    }
}

words! {
    /// Why a host could not be read.
    pub enum Fault {
        /// Its name has no address.
        NameNotResolved = "name_not_resolved",
        /// Nothing answers at its address.
        Unreachable = "unreachable",
        /// It did not answer in time.
        Timeout = "timeout",
        /// It refused our user name or password.
        LogonRefused = "logon_refused",
        /// The account is not used any more until it is mended, so that it does not get locked out.
        AccountPaused = "account_paused",
        /// It let us log on, but not read its services.
        AccessDenied = "access_denied",
        /// Another computer answers under its address.
        WrongHost = "wrong_host",
        /// It is shutting down (error 1115).
        ShuttingDown = "shutting_down",
        /// It answered something that makes no sense.
        ProtocolError = "protocol_error",
    }
}

words! {
    /// Which refusal a refused logon was.
    pub enum Refusal {
        /// Unknown user or wrong password.
        WrongPassword = "wrong_password",
        /// The account is locked out.
        LockedOut = "locked_out",
        /// The account or its password has expired.
        Expired = "expired",
        /// The account is disabled.
        Disabled = "disabled",
        /// Refused for another reason: logon type, hours, workstation, guest.
        Other = "other",
    }
}

impl Refusal {
    /// Whether it says that every other host would refuse the account too.
    pub const fn concerns_the_account(self) -> bool {
        match self {
            Self::LockedOut | Self::Expired | Self::Disabled => true,
            Self::WrongPassword | Self::Other => false,
        }
    }
}

/// The state of one service at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The state; [`State::Unknown`] where the host gave a value that does not exist.
    pub state: State,
    /// The process, where there is one and the host told it.
    pub pid: Option<u32>,
    /// Win32's exit code (dwWin32ExitCode), where the host told it.
    pub exit_code: Option<u32>,
    /// The service's own exit code, meaningful where `exit_code` is 1066.
    pub service_exit_code: Option<u32>,
    /// Progress counter of a pending state.
    pub checkpoint: u32,
    /// How long the service asks to be waited for before its next checkpoint.
    pub wait_hint: Span,
}

/// One line of a host's list of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReading {
    /// Its key name, as the host writes it.
    pub name: String,
    /// Its display name.
    pub display_name: String,
    /// Its state.
    pub reading: Reading,
}

/// What the host answered to a name that its list lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is not installed (1060).
    Missing,
    /// We may not see it (5).
    Hidden,
    /// It is there although the list lacks it.
    Read(Reading),
}

/// All that one check read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostReading {
    /// The whole list of services that the host shows us.
    pub services: Vec<ServiceReading>,
    /// The names that were asked for and that the list lacked, each with the answer.
    pub asked: Vec<(Name, Asked)>,
    /// How long the host runs since its boot, where it was asked and knows: it counts in 32 bits of milliseconds and so
    /// begins anew after 49.7 days (MS-SRVS 2.2.4.105, tod_msecs).
    pub uptime: Option<Span>,
}

/// Why one check read nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFault {
    /// The kind of fault.
    pub fault: Fault,
    /// One sentence for people, without a stop, without secrets.
    pub cause: String,
    /// Which refusal, where the fault is a refused logon.
    pub refusal: Option<Refusal>,
}

/// Whether a check logged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logon {
    /// It used the kept session, or did not get so far as to log on.
    None,
    /// It logged on, and the host accepted.
    Accepted,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The host was read.
    Read(HostReading),
    /// The host was not read.
    Fault(HostFault),
    /// There is no kept session and the check was not allowed to log on. Nothing was tried.
    LogonNeeded,
}

/// Which probe of a host: an answer to an earlier one than the last is late and is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ProbeId(pub u64);

/// What a probe brings back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The host.
    pub host: Name,
    /// The probe that this answers.
    pub probe: ProbeId,
    /// How many of its logons were refused.
    pub refusals: u8,
    /// Whether the account may install services there, as only administrators may; nothing where it was not asked.
    pub administrator: Option<bool>,
    /// How long the check took.
    pub took: Span,
    /// Whether it logged on.
    pub logon: Logon,
    /// The computer name that the host gave at the logon of the session that was used, where it gave one.
    pub computer_name: Option<String>,
    /// What was seen.
    pub outcome: Outcome,
    /// Whether a session is kept open for the next check.
    pub session_kept: bool,
}

words! {
    /// What the service control manager does when a service fails (`SC_ACTION_TYPE`, MS-SCMR 2.2.18).
    pub enum FailureAction {
        /// Nothing.
        None = "none",
        /// It starts the service again.
        RestartService = "restart_service",
        /// It restarts the computer.
        RestartComputer = "restart_computer",
        /// It runs a command.
        RunCommand = "run_command",
    }
}

/// What the service control manager does when a service fails (`SERVICE_FAILURE_ACTIONS`, MS-SCMR 2.2.39).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FailureActions {
    /// After how long without a failure the count begins anew; `None` is never.
    pub reset_after: Option<Span>,
    /// The action for the first failure, the second and so on, each with the time that it waits before; the last one
    /// repeats. Empty: nothing is done.
    pub actions: Vec<(FailureAction, Span)>,
    /// Whether a stop with an error counts as a failure too, not only an end without a stop
    /// (`SERVICE_FAILURE_ACTIONS_FLAG`, MS-SCMR 2.2.41).
    pub on_error_exit: bool,
}

/// What is kept of a service's configuration beside how it starts. What was denied or never read is `None`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ServiceDetails {
    /// What it runs, with arguments; what looks like a secret in them is masked before it comes here.
    pub binary_path: Option<Arc<str>>,
    /// The account it runs as.
    pub run_as: Option<Arc<str>>,
    /// The services and groups (`+name`) it depends on.
    pub dependencies: Option<Arc<[Arc<str>]>>,
    /// A hash of the arguments of `binary_path` as they were before they were masked ([`ServiceConfig::arguments_hash`]).
    pub arguments_hash: Option<u64>,
    /// What is done when it fails.
    pub failure_actions: Option<FailureActions>,
}

impl ServiceDetails {
    /// What a host told of a service's configuration; none where it told nothing of this.
    pub fn of(config: &ServiceConfig) -> Option<Self> {
        let text = |text: &Option<String>| text.as_deref().map(Arc::from);
        let names =
            |names: &Vec<String>| names.iter().map(|name| Arc::from(name.as_str())).collect();
        let details = Self {
            binary_path: text(&config.binary_path),
            run_as: text(&config.account),
            dependencies: config.dependencies.as_ref().map(names),
            arguments_hash: config.arguments_hash,
            failure_actions: config.failure_actions.clone(),
        };
        (details != Self::default()).then_some(details)
    }
}

/// The configuration of one service. What was denied or is not supported by the host is `None`, never a default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceConfig {
    /// Its key name, as it was asked for.
    pub name: String,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// Whether an event starts or stops it.
    pub trigger_start: Option<bool>,
    /// Whether it is an instance or a template of a per-user service (service type bits 0x40, 0x80; MS-SCMR 2.2.15).
    pub per_user: Option<bool>,
    /// Its display name.
    pub display_name: Option<String>,
    /// What it runs, with arguments; what looks like a secret in them is masked before it comes here.
    pub binary_path: Option<String>,
    /// The account it runs as.
    pub account: Option<String>,
    /// The services it depends on.
    pub dependencies: Option<Vec<String>>,
    /// Its description.
    pub description: Option<String>,
    /// A hash of the arguments before they were masked, so that a change of a secret in them shows without the secret
    /// being kept. It is so short that no guess can be confirmed by it.
    pub arguments_hash: Option<u64>,
    /// What is done when it fails.
    pub failure_actions: Option<FailureActions>,
}
