//! What the codes of Windows mean for a host: NTSTATUS values of SMB, Win32 errors of the service control
//! manager, and faults of RPC.

use svcwatch_core::observe::{Fault, HostFault, Refusal};
use svcwatch_wire::WireError;
use svcwatch_wire::pdu::{FAULT_ACCESS_DENIED, FAULT_CONTEXT_MISMATCH};

use super::transport::TransportError;

/// The message is longer than what was read of it; a warning (MS-ERREF 2.3.1).
pub const STATUS_BUFFER_OVERFLOW: u32 = 0x8000_0005;
/// The user may not do this (MS-ERREF 2.3.1).
pub const STATUS_ACCESS_DENIED: u32 = 0xC000_0022;
/// The session is over and wants a new logon (MS-ERREF 2.3.1).
pub const STATUS_NETWORK_SESSION_EXPIRED: u32 = 0xC000_035C;

/// The user may not do this (MS-ERREF 2.2).
pub const ERROR_ACCESS_DENIED: u32 = 5;
/// The handle means nothing to the host any more (MS-ERREF 2.2).
pub const ERROR_INVALID_HANDLE: u32 = 6;
/// There is no such service (MS-ERREF 2.2).
pub const ERROR_SERVICE_DOES_NOT_EXIST: u32 = 1060;
/// The host is shutting down (MS-ERREF 2.2).
pub const ERROR_SHUTDOWN_IN_PROGRESS: u32 = 1115;

/// What an NTSTATUS says about the host or the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The logon was refused.
    Refused(Refusal),
    /// The host has this fault.
    Fault(Fault),
}

/// The NTSTATUS values that are told apart: value, name, words, meaning (MS-ERREF 2.3.1).
const STATUSES: &[(u32, &str, &str, Meaning)] = &[
    (
        0xC000_0064,
        "STATUS_NO_SUCH_USER",
        "wrong user name or password",
        Meaning::Refused(Refusal::WrongPassword),
    ),
    (
        0xC000_006A,
        "STATUS_WRONG_PASSWORD",
        "wrong user name or password",
        Meaning::Refused(Refusal::WrongPassword),
    ),
    (
        0xC000_006D,
        "STATUS_LOGON_FAILURE",
        "wrong user name or password",
        Meaning::Refused(Refusal::WrongPassword),
    ),
    (
        0xC000_0234,
        "STATUS_ACCOUNT_LOCKED_OUT",
        "the account is locked out",
        Meaning::Refused(Refusal::LockedOut),
    ),
    (
        0xC000_0071,
        "STATUS_PASSWORD_EXPIRED",
        "the password has expired",
        Meaning::Refused(Refusal::Expired),
    ),
    (
        0xC000_0193,
        "STATUS_ACCOUNT_EXPIRED",
        "the account has expired",
        Meaning::Refused(Refusal::Expired),
    ),
    (
        0xC000_0224,
        "STATUS_PASSWORD_MUST_CHANGE",
        "the password must be changed before the first logon",
        Meaning::Refused(Refusal::Expired),
    ),
    (
        0xC000_0072,
        "STATUS_ACCOUNT_DISABLED",
        "the account is disabled",
        Meaning::Refused(Refusal::Disabled),
    ),
    (
        0xC000_006E,
        "STATUS_ACCOUNT_RESTRICTION",
        "a restriction of the account forbids it, such as an empty password",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_006F,
        "STATUS_INVALID_LOGON_HOURS",
        "the account may not log on at this hour",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_0070,
        "STATUS_INVALID_WORKSTATION",
        "the account may not log on from this machine",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_015B,
        "STATUS_LOGON_TYPE_NOT_GRANTED",
        "the account has no right to log on over the network",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_0133,
        "STATUS_TIME_DIFFERENCE_AT_DC",
        "the clocks of the host and its domain controller differ too much",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_018C,
        "STATUS_TRUSTED_DOMAIN_FAILURE",
        "the trust between the domains is broken",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_018D,
        "STATUS_TRUSTED_RELATIONSHIP_FAILURE",
        "the trust between the host and its domain is broken",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_0388,
        "STATUS_DOWNGRADE_DETECTED",
        "a weaker logon was detected",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_0418,
        "STATUS_NTLM_BLOCKED",
        "NTLM is not allowed there",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_0413,
        "STATUS_AUTHENTICATION_FIREWALL_FAILED",
        "the account may not log on to this host",
        Meaning::Refused(Refusal::Other),
    ),
    (
        0xC000_005E,
        "STATUS_NO_LOGON_SERVERS",
        "the host reaches no domain controller that could check the logon",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        STATUS_ACCESS_DENIED,
        "STATUS_ACCESS_DENIED",
        "access denied",
        Meaning::Fault(Fault::AccessDenied),
    ),
    (
        0xC000_0061,
        "STATUS_PRIVILEGE_NOT_HELD",
        "a privilege is missing",
        Meaning::Fault(Fault::AccessDenied),
    ),
    (
        0xC000_02FE,
        "STATUS_SHUTDOWN_IN_PROGRESS",
        "the host is shutting down",
        Meaning::Fault(Fault::ShuttingDown),
    ),
    (
        0xC000_00B5,
        "STATUS_IO_TIMEOUT",
        "the host waited in vain",
        Meaning::Fault(Fault::Timeout),
    ),
    (
        0xC000_00D0,
        "STATUS_REQUEST_NOT_ACCEPTED",
        "the host takes no more connections",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_00AC,
        "STATUS_PIPE_NOT_AVAILABLE",
        "the service control manager takes no more connections",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_0205,
        "STATUS_INSUFF_SERVER_RESOURCES",
        "the host is out of resources",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_0034,
        "STATUS_OBJECT_NAME_NOT_FOUND",
        "there is no such pipe; the host has no service control manager, or closed it for the network",
        Meaning::Fault(Fault::ProtocolError),
    ),
    (
        0xC000_00CC,
        "STATUS_BAD_NETWORK_NAME",
        "there is no share IPC$",
        Meaning::Fault(Fault::ProtocolError),
    ),
    (
        0xC000_00BB,
        "STATUS_NOT_SUPPORTED",
        "not supported",
        Meaning::Fault(Fault::ProtocolError),
    ),
    (
        0xC000_000D,
        "STATUS_INVALID_PARAMETER",
        "invalid parameter",
        Meaning::Fault(Fault::ProtocolError),
    ),
    (
        STATUS_NETWORK_SESSION_EXPIRED,
        "STATUS_NETWORK_SESSION_EXPIRED",
        "the session expired",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_0203,
        "STATUS_USER_SESSION_DELETED",
        "the session was ended",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_00C9,
        "STATUS_NETWORK_NAME_DELETED",
        "the share was disconnected",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_00B0,
        "STATUS_PIPE_DISCONNECTED",
        "the pipe was closed",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_00B1,
        "STATUS_PIPE_CLOSING",
        "the pipe was closed",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_014B,
        "STATUS_PIPE_BROKEN",
        "the pipe was closed",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_0128,
        "STATUS_FILE_CLOSED",
        "the pipe was closed",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_0008,
        "STATUS_INVALID_HANDLE",
        "the pipe was closed",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_020C,
        "STATUS_CONNECTION_DISCONNECTED",
        "the pipe was closed",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_020D,
        "STATUS_CONNECTION_RESET",
        "the connection was reset",
        Meaning::Fault(Fault::Unreachable),
    ),
    (
        0xC000_0241,
        "STATUS_CONNECTION_ABORTED",
        "the connection was reset",
        Meaning::Fault(Fault::Unreachable),
    ),
];

/// An NTSTATUS in words, with its name or number.
pub fn status_text(status: u32) -> String {
    match known(status) {
        Some((_, name, words, _)) => format!("{words} ({name})"),
        None => format!("the host answered with NTSTATUS 0x{status:08X}"),
    }
}

/// Which refusal of a logon this NTSTATUS is, if it is one.
pub fn refusal(status: u32) -> Option<Refusal> {
    match known(status)? {
        (_, _, _, Meaning::Refused(refusal)) => Some(*refusal),
        _ => None,
    }
}

fn known(status: u32) -> Option<&'static (u32, &'static str, &'static str, Meaning)> {
    STATUSES.iter().find(|(value, ..)| *value == status)
}

/// The fault of a host that could not be asked.
pub(super) fn transport_fault(error: &TransportError) -> HostFault {
    let (fault, refusal) = match error {
        TransportError::NameNotResolved { .. } => (Fault::NameNotResolved, None),
        TransportError::Unreachable { .. } | TransportError::Closed(_) => {
            (Fault::Unreachable, None)
        }
        // Who counts refused passwords counts one that was refused without a word, too.
        TransportError::Timeout { .. } | TransportError::LogonUnanswered(_) => {
            (Fault::Timeout, None)
        }
        TransportError::LogonRefused { status } => (
            Fault::LogonRefused,
            Some(refusal(*status).unwrap_or(Refusal::Other)),
        ),
        TransportError::Kerberos(error) => error.fault(),
        TransportError::GuestRefused { .. } | TransportError::TicketRefused { .. } => {
            (Fault::LogonRefused, Some(Refusal::Other))
        }
        TransportError::EncryptionDemanded => (Fault::AccessDenied, None),
        TransportError::NoEncryption { .. }
        | TransportError::OldVersion { .. }
        | TransportError::Protocol(_) => (Fault::ProtocolError, None),
        TransportError::Status { status, .. } => match known(*status) {
            Some((_, _, _, Meaning::Refused(refusal))) => (Fault::LogonRefused, Some(*refusal)),
            Some((_, _, _, Meaning::Fault(fault))) => (*fault, None),
            None => (Fault::ProtocolError, None),
        },
    };
    HostFault {
        fault,
        cause: error.to_string(),
        refusal,
    }
}

/// The fault of a host whose service control manager refused a call with a Win32 error (MS-ERREF 2.2).
pub(super) fn win32_fault(code: u32, doing: &str) -> HostFault {
    let (fault, cause) = match code {
        ERROR_ACCESS_DENIED => (
            Fault::AccessDenied,
            format!(
                "access denied while {doing} (error 5): the account lacks the right to query services over the network"
            ),
        ),
        ERROR_SHUTDOWN_IN_PROGRESS => (
            Fault::ShuttingDown,
            format!("the host is shutting down (error 1115 while {doing})"),
        ),
        code => (
            Fault::ProtocolError,
            format!("the service control manager answered with error {code} while {doing}"),
        ),
    };
    HostFault {
        fault,
        cause,
        refusal: None,
    }
}

/// The fault of a host whose answer could not be read, or that answered with a fault of RPC.
pub(super) fn wire_fault(error: &WireError, doing: &str) -> HostFault {
    match error {
        WireError::Fault(FAULT_ACCESS_DENIED) => win32_fault(ERROR_ACCESS_DENIED, doing),
        WireError::Fault(ERROR_SHUTDOWN_IN_PROGRESS) => {
            win32_fault(ERROR_SHUTDOWN_IN_PROGRESS, doing)
        }
        error => HostFault {
            fault: Fault::ProtocolError,
            cause: format!("{error} while {doing}"),
            refusal: None,
        },
    }
}

/// Whether the host forgot our handle, which a fresh connection mends.
pub(super) fn is_stale_wire(error: &WireError) -> bool {
    matches!(
        error,
        WireError::Fault(FAULT_CONTEXT_MISMATCH | ERROR_INVALID_HANDLE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refused_logon_is_told_apart_in_words() {
        let told = |status| {
            let fault = transport_fault(&TransportError::LogonRefused { status });
            assert_eq!(fault.fault, Fault::LogonRefused);
            (fault.refusal.unwrap(), fault.cause)
        };
        assert_eq!(
            told(0xC000_006D),
            (
                Refusal::WrongPassword,
                "logon refused: wrong user name or password (STATUS_LOGON_FAILURE)".into()
            )
        );
        assert_eq!(told(0xC000_0234).0, Refusal::LockedOut);
        assert_eq!(told(0xC000_0071).0, Refusal::Expired);
        assert_eq!(told(0xC000_0193).0, Refusal::Expired);
        assert_eq!(told(0xC000_0224).0, Refusal::Expired);
        assert_eq!(told(0xC000_0072).0, Refusal::Disabled);
        assert_eq!(told(0xC000_015B).0, Refusal::Other);
        assert_eq!(
            told(0xC000_9999),
            (
                Refusal::Other,
                "logon refused: the host answered with NTSTATUS 0xC0009999".into()
            )
        );
    }

    #[test]
    fn faults_of_the_transport_are_told_apart() {
        let fault = |error| transport_fault(&error).fault;
        let status = |status| TransportError::Status {
            status,
            doing: "opening",
        };
        assert_eq!(
            fault(TransportError::Timeout {
                doing: "connecting"
            }),
            Fault::Timeout
        );
        assert_eq!(
            fault(TransportError::LogonUnanswered("gone".into())),
            Fault::Timeout
        );
        assert_eq!(
            fault(TransportError::Closed("gone".into())),
            Fault::Unreachable
        );
        assert_eq!(
            fault(TransportError::Protocol("rubbish".into())),
            Fault::ProtocolError
        );
        assert_eq!(fault(status(STATUS_ACCESS_DENIED)), Fault::AccessDenied);
        assert_eq!(fault(status(0xC000_02FE)), Fault::ShuttingDown);
        assert_eq!(fault(status(0xC000_005E)), Fault::Unreachable);
        assert_eq!(fault(status(0xC000_0001)), Fault::ProtocolError);
        assert_eq!(fault(status(0xC000_006D)), Fault::LogonRefused);
    }

    #[test]
    fn answers_of_the_service_control_manager_are_told_apart() {
        assert_eq!(
            win32_fault(5, "listing services").fault,
            Fault::AccessDenied
        );
        assert_eq!(
            win32_fault(1115, "listing services").fault,
            Fault::ShuttingDown
        );
        assert_eq!(
            win32_fault(87, "listing services").fault,
            Fault::ProtocolError
        );
        assert_eq!(
            wire_fault(&WireError::Fault(5), "listing services").fault,
            Fault::AccessDenied
        );
        assert_eq!(
            wire_fault(&WireError::Broken, "listing services").fault,
            Fault::ProtocolError
        );
        assert!(is_stale_wire(&WireError::Fault(FAULT_CONTEXT_MISMATCH)));
        assert!(!is_stale_wire(&WireError::Fault(FAULT_ACCESS_DENIED)));
    }

    #[test]
    fn each_status_stands_once_in_the_table() {
        for (at, (value, name, ..)) in STATUSES.iter().enumerate() {
            assert!(
                STATUSES
                    .iter()
                    .skip(at + 1)
                    .all(|other| other.0 != *value && other.1 != *name),
                "{name}"
            );
        }
    }
}
