//! What the codes of the service control manager mean for a restart (MS-SCMR 3.1.4.2, 3.1.4.19; MS-ERREF 2.2).

use super::{Outcome, Verb, report::Problem};
use crate::{
    cause::exit_meaning,
    id::Name,
    observe::{Fault, HostFault},
};
use alloc::{format, string::String};

/// `ERROR_ACCESS_DENIED`.
pub(super) const ACCESS_DENIED: u32 = 5;
/// `ERROR_SERVICE_REQUEST_TIMEOUT`.
pub(super) const REQUEST_TIMEOUT: u32 = 1053;
/// `ERROR_SERVICE_DATABASE_LOCKED`.
pub(super) const DATABASE_LOCKED: u32 = 1055;
/// `ERROR_SERVICE_ALREADY_RUNNING`.
pub(super) const ALREADY_RUNNING: u32 = 1056;
/// `ERROR_INVALID_SERVICE_ACCOUNT`.
const INVALID_ACCOUNT: u32 = 1057;
/// `ERROR_SERVICE_DISABLED`.
const DISABLED: u32 = 1058;
/// `ERROR_CIRCULAR_DEPENDENCY`.
const CIRCULAR: u32 = 1059;
/// `ERROR_SERVICE_DOES_NOT_EXIST`.
pub(super) const DOES_NOT_EXIST: u32 = 1060;
/// `ERROR_SERVICE_CANNOT_ACCEPT_CTRL`.
pub(super) const CANNOT_ACCEPT: u32 = 1061;
/// `ERROR_SERVICE_NOT_ACTIVE`.
pub(super) const NOT_ACTIVE: u32 = 1062;
/// `ERROR_SERVICE_DEPENDENCY_FAIL`.
const DEPENDENCY_FAILED: u32 = 1068;
/// `ERROR_SERVICE_LOGON_FAILED`.
const LOGON_FAILED: u32 = 1069;
/// `ERROR_SERVICE_MARKED_FOR_DELETE`.
const MARKED_FOR_DELETE: u32 = 1072;
/// `ERROR_SERVICE_DEPENDENCY_DELETED`.
const DEPENDENCY_DELETED: u32 = 1075;
/// `ERROR_SERVICE_NEVER_STARTED`.
pub(super) const NEVER_STARTED: u32 = 1077;
/// `ERROR_SHUTDOWN_IN_PROGRESS`.
const SHUTDOWN_IN_PROGRESS: u32 = 1115;

/// A code in words.
pub(super) fn words(code: u32) -> String {
    match (code, exit_meaning(code)) {
        (ACCESS_DENIED, _) => "access denied (5)".into(),
        (1051, _) => "other services that run depend on it (1051)".into(),
        (1052, _) => "it does not take this control (1052)".into(),
        (DATABASE_LOCKED, _) => "the list of services is locked there (1055)".into(),
        (CIRCULAR, _) => "services depend on each other in a circle (1059)".into(),
        (DOES_NOT_EXIST, _) => "it is not installed (1060)".into(),
        (CANNOT_ACCEPT, _) => "it cannot take a control now (1061)".into(),
        (MARKED_FOR_DELETE, _) => "it is marked for deletion (1072)".into(),
        (SHUTDOWN_IN_PROGRESS, _) => "the host is shutting down (1115)".into(),
        (_, Some(meaning)) => format!("{meaning} ({code})"),
        (_, None) => format!("error {code}"),
    }
}

/// The end that a refusal means; `verb` is what was refused, none for a question.
pub(super) fn refused(verb: Option<Verb>, about: &Name, code: u32) -> Problem {
    let outcome = match (code, verb) {
        (ACCESS_DENIED, _) => Outcome::Denied,
        (DOES_NOT_EXIST | MARKED_FOR_DELETE, _) => Outcome::Gone,
        (SHUTDOWN_IN_PROGRESS, _) => Outcome::HostGoingDown,
        (DISABLED, Some(Verb::Start)) => Outcome::Disabled,
        (CIRCULAR, Some(Verb::Start)) => Outcome::DependencyCircle,
        (DEPENDENCY_FAILED | DEPENDENCY_DELETED, Some(Verb::Start)) => Outcome::DependencyDown,
        (LOGON_FAILED | INVALID_ACCOUNT, Some(Verb::Start)) => Outcome::LogonFailure,
        (REQUEST_TIMEOUT, Some(Verb::Start)) => Outcome::StartTimeout,
        (_, Some(Verb::Start)) => Outcome::StartRefused,
        (_, Some(Verb::Stop)) => Outcome::StopRefused,
        (_, None) => Outcome::HostFault,
    };
    Problem {
        code: Some(code),
        ..Problem::new(outcome, about, words(code))
    }
}

/// The end that a fault of the host means.
pub(super) fn of_fault(about: &Name, fault: &HostFault) -> Problem {
    let outcome = match fault.fault {
        Fault::ShuttingDown => Outcome::HostGoingDown,
        Fault::AccessDenied => Outcome::Denied,
        Fault::NameNotResolved
        | Fault::Unreachable
        | Fault::Timeout
        | Fault::LogonRefused
        | Fault::AccountPaused
        | Fault::WrongHost
        | Fault::ProtocolError => Outcome::HostFault,
    };
    Problem::new(outcome, about, format!("{}: {}", fault.fault, fault.cause))
}

/// Whether asking again may help; a refused logon is never tried again, because accounts get locked out so.
pub(super) const fn may_pass(fault: Fault) -> bool {
    match fault {
        Fault::Unreachable | Fault::Timeout | Fault::NameNotResolved | Fault::ProtocolError => true,
        Fault::LogonRefused
        | Fault::AccountPaused
        | Fault::AccessDenied
        | Fault::WrongHost
        | Fault::ShuttingDown => false,
    }
}
