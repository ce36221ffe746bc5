//! Why a service is not as expected: a word from a closed list, by rules, each with the facts that it rests on.
//!
//! The first rule that holds decides; `docs/evidence.md` lists them in the same order. A rule says no more than its
//! facts do: an end without a stop is no crash until an event says that one happened. What no rule explains is
//! [`Cause::Unknown`], with the facts that there are.

mod codes;
#[cfg(test)]
mod tests;

pub use codes::{Win32, exit_meaning, service_exit_meaning};

use crate::observe::{Fault, StartType, State};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

words! {
    /// Why a service is not as expected.
    pub enum Cause {
        /// It was stopped and reported no error (exit code 0).
        StoppedCleanly = "stopped_cleanly",
        /// It ended without having been stopped (1067): Windows saw its process end, or we did on our own machine.
        EndedUnexpectedly = "ended_unexpectedly",
        /// An event says that its process crashed.
        Crashed = "crashed",
        /// It stopped and reported an error of its own or of Windows.
        EndedWithCode = "ended_with_code",
        /// It was to start and did not.
        FailedToStart = "failed_to_start",
        /// It was to start, and Windows could not log on its account (1069).
        LogonFailed = "logon_failed",
        /// It was to start, and what it depends on did not (1068, 1075).
        DependencyFailed = "dependency_failed",
        /// It was to start, and its start is disabled (1058).
        StartDisabled = "start_disabled",
        /// What it depends on does not run.
        DependencyDown = "dependency_down",
        /// It is not installed.
        Uninstalled = "uninstalled",
        /// Its host booted, or goes down.
        HostRebooted = "host_rebooted",
        /// Its host cannot be reached.
        Unreachable = "unreachable",
        /// We may not see it.
        Denied = "denied",
        /// Nothing that is known explains it.
        Unknown = "unknown",
    }
}

impl Cause {
    /// The cause as a sentence begins; nothing where it is not known.
    pub const fn in_words(self) -> Option<&'static str> {
        Some(match self {
            Self::StoppedCleanly => "stopped without an error",
            Self::EndedUnexpectedly => "ended unexpectedly",
            Self::Crashed => "crashed",
            Self::EndedWithCode => "ended with an error",
            Self::FailedToStart => "failed to start",
            Self::LogonFailed => "its account could not be logged on",
            Self::DependencyFailed => "what it depends on did not start",
            Self::StartDisabled => "its start is disabled",
            Self::DependencyDown => "what it depends on does not run",
            Self::Uninstalled => "not installed",
            Self::HostRebooted => "its host was restarted",
            Self::Unreachable => "its host cannot be reached",
            Self::Denied => "we may not see it",
            Self::Unknown => return None,
        })
    }
}

/// What was seen of the service last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// This state.
    Service(State),
    /// Its host hides it from us.
    Hidden,
    /// Its host could not be read.
    Host(Fault),
}

/// An event of the host's log about the service that says more than its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Its process crashed, with this exception where the event names one.
    Crash {
        /// The exception, an NTSTATUS.
        exception: Option<u32>,
    },
    /// It did not report in time that it started (7009, 7022).
    StartTimeout,
    /// Its account could not be logged on (7038, 7041).
    LogonFailure,
    /// It could not start because this service did not (7001).
    DependencyFailure(String),
}

/// What is known. Nothing is assumed where nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What was seen last.
    pub seen: Seen,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// The service's own, where `exit_code` is 1066.
    pub service_exit_code: Option<u32>,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// The services that it depends on and that do not run.
    pub dependencies_down: Vec<String>,
    /// Whether its host is shutting down.
    pub goes_down: bool,
    /// Whether its host booted since it last ran.
    pub rebooted: bool,
    /// What the log says of it, the newest first, of the time of its end.
    pub told: Vec<Told>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            seen: Seen::Service(State::Unknown),
            exit_code: None,
            service_exit_code: None,
            start_type: None,
            dependencies_down: Vec::new(),
            goes_down: false,
            rebooted: false,
            told: Vec::new(),
        }
    }
}

/// A cause and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// The facts: lower-case fragments for people, the decisive one first.
    pub because: Vec<String>,
    /// Whether the decisive one stands in the event log.
    pub from_log: bool,
}

impl Finding {
    fn new(cause: Cause, because: impl Into<String>) -> Self {
        Self {
            cause,
            because: vec![because.into()],
            from_log: false,
        }
    }
}

/// The cause that the facts prove.
pub fn find(facts: &Facts) -> Finding {
    let state = match facts.seen {
        Seen::Host(fault) => return of_host(fault),
        Seen::Hidden => {
            return Finding::new(Cause::Denied, "the host hides the service from our account");
        }
        Seen::Service(State::Missing) => {
            return Finding::new(
                Cause::Uninstalled,
                "the host says that it is not installed (1060)",
            );
        }
        Seen::Service(state) => state,
    };
    let from_log = |finding| Finding {
        from_log: true,
        ..finding
    };
    let mut finding = told(facts)
        .map(from_log)
        .or_else(|| end(facts, state))
        .unwrap_or_else(|| Finding::new(Cause::Unknown, format!("it is {}", state.still())));
    beside(facts, &mut finding);
    finding
}

/// Rules about the host.
fn of_host(fault: Fault) -> Finding {
    match fault {
        Fault::NameNotResolved | Fault::Unreachable | Fault::Timeout => Finding::new(
            Cause::Unreachable,
            format!("its host cannot be reached ({fault})"),
        ),
        Fault::LogonRefused | Fault::AccountPaused | Fault::AccessDenied => Finding::new(
            Cause::Denied,
            format!("its host does not let us in ({fault})"),
        ),
        Fault::ShuttingDown => Finding::new(Cause::HostRebooted, "its host goes down (1115)"),
        Fault::WrongHost | Fault::ProtocolError => Finding::new(
            Cause::Unknown,
            format!("what its host answers is not believed ({fault})"),
        ),
    }
}

/// Rules about events, which say more than any code. Of several the newest counts.
fn told(facts: &Facts) -> Option<Finding> {
    // A code that says something else is about a later end than the event; one of 0 is that of an orderly stop, which no
    // event undoes.
    let fits = |codes: &[u32]| facts.exit_code.is_none_or(|code| codes.contains(&code));
    facts.told.iter().find_map(|told| match told {
        Told::Crash { exception } if fits(&[Win32::PROCESS_ABORTED, Win32::SERVICE_SPECIFIC]) => {
            let exception = exception.map_or_else(String::new, |exception| {
                format!(" with exception {}", status_words(exception))
            });
            Some(Finding::new(
                Cause::Crashed,
                format!("the event log says that its process crashed{exception}"),
            ))
        }
        Told::StartTimeout if fits(&[Win32::REQUEST_TIMEOUT]) => Some(Finding::new(
            Cause::FailedToStart,
            "the event log says that it did not report in time that it started",
        )),
        Told::LogonFailure if fits(&[Win32::LOGON_FAILED, Win32::NEVER_STARTED]) => {
            Some(Finding::new(
                Cause::LogonFailed,
                "the event log says that its account could not be logged on",
            ))
        }
        Told::DependencyFailure(name)
            if fits(&[Win32::DEPENDENCY_FAILED, Win32::NEVER_STARTED]) =>
        {
            Some(Finding::new(
                Cause::DependencyFailed,
                format!("the event log says that it depends on {name}, which did not start"),
            ))
        }
        Told::Crash { .. }
        | Told::StartTimeout
        | Told::LogonFailure
        | Told::DependencyFailure(_) => None,
    })
}

/// Rules about how it ended.
fn end(facts: &Facts, state: State) -> Option<Finding> {
    if state != State::Stopped {
        return None;
    }
    let code = facts.exit_code?;
    let said = |cause| {
        Some(Finding::new(
            cause,
            format!("exit code {}", exit_words(facts, code)),
        ))
    };
    match code {
        Win32::PROCESS_ABORTED => said(Cause::EndedUnexpectedly),
        Win32::LOGON_FAILED => said(Cause::LogonFailed),
        Win32::DEPENDENCY_FAILED | Win32::DEPENDENCY_MISSING => said(Cause::DependencyFailed),
        Win32::START_DISABLED => said(Cause::StartDisabled),
        code if codes::is_failed_start(code) => said(Cause::FailedToStart),
        0 | Win32::NEVER_STARTED if facts.goes_down => Some(Finding::new(
            Cause::HostRebooted,
            "its host is shutting down",
        )),
        0 | Win32::NEVER_STARTED if facts.rebooted => Some(Finding::new(
            Cause::HostRebooted,
            "its host booted since it last ran, and it did not come back",
        )),
        Win32::NEVER_STARTED if facts.start_type == Some(StartType::Disabled) => {
            said(Cause::StartDisabled)
        }
        0 | Win32::NEVER_STARTED if !facts.dependencies_down.is_empty() => Some(Finding::new(
            Cause::DependencyDown,
            format!("{} does not run", facts.dependencies_down.join(", ")),
        )),
        0 => said(Cause::StoppedCleanly),
        Win32::NEVER_STARTED => said(Cause::Unknown),
        _ => said(Cause::EndedWithCode),
    }
}

/// Facts that did not decide and are worth knowing all the same.
fn beside(facts: &Facts, finding: &mut Finding) {
    let code = facts.exit_code.filter(|code| *code != 0);
    if let Some(code) = code {
        finding.add(format!("exit code {}", exit_words(facts, code)));
    }
    if facts.start_type == Some(StartType::Disabled) {
        finding.add("its start is disabled".to_string());
    }
    if !facts.dependencies_down.is_empty() {
        finding.add(format!(
            "{} does not run",
            facts.dependencies_down.join(", ")
        ));
    }
    if facts.rebooted && finding.cause != Cause::HostRebooted {
        finding.add("its host booted since it last ran".to_string());
    }
}

impl Finding {
    /// Adds a fact that does not stand there yet.
    fn add(&mut self, fact: String) {
        if !self.because.contains(&fact) {
            self.because.push(fact);
        }
    }
}

/// An exit code with its meaning; where it says that the service has one of its own, that.
fn exit_words(facts: &Facts, code: u32) -> String {
    if code == Win32::SERVICE_SPECIFIC
        && let Some(own) = facts.service_exit_code
    {
        let meaning =
            service_exit_meaning(own).map_or_else(String::new, |words| format!(" ({words})"));
        return format!("{own} of the service's own{meaning}");
    }
    // That there was none is what the cause says.
    let meaning = exit_meaning(code).filter(|_| code != 0);
    let meaning = meaning.map_or_else(String::new, |words| format!(" ({words})"));
    format!("{code}{meaning}")
}

fn status_words(status: u32) -> String {
    service_exit_meaning(status).map_or_else(
        || format!("{status:#010x}"),
        |words| format!("{status:#010x} ({words})"),
    )
}
