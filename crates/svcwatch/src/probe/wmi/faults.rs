//! What the error codes of COM and WMI (HRESULT; MS-ERREF 2.1, MS-WMI 2.2.11) say of a host.

use svcwatch_core::observe::{Fault, HostFault};

use crate::probe::rpc::After;
use crate::probe::scm::faults as windows;

/// `WBEM_E_ACCESS_DENIED`: the namespace or the object is not for us.
const WBEM_ACCESS_DENIED: u32 = 0x8004_1003;
/// `WBEM_E_NOT_FOUND`: there is no such object.
const WBEM_NOT_FOUND: u32 = 0x8004_1002;
/// `E_ACCESSDENIED`.
const ACCESS_DENIED: u32 = 0x8007_0005;
/// The errors of Windows itself are carried in codes that begin so (FACILITY_WIN32).
const OF_WINDOWS: u32 = 0x8007_0000;

/// The codes that mean more than that something went wrong: code, fault, words, what becomes of the connection.
const KNOWN: &[(u32, Fault, &str, After)] = &[
    (
        0x8001_0002,
        Fault::Timeout,
        "it did not answer in time",
        After::Drop,
    ),
    (
        0x8001_0108,
        Fault::Unreachable,
        "the connection was broken",
        After::Reopen,
    ),
    (
        0x8001_011f,
        Fault::Timeout,
        "it did not answer in time",
        After::Drop,
    ),
    (
        0x8004_0154,
        Fault::ProtocolError,
        "WMI is not installed",
        After::Drop,
    ),
    (
        WBEM_ACCESS_DENIED,
        Fault::AccessDenied,
        "the account that svcwatch runs as may not read it by WMI",
        After::Drop,
    ),
    (
        0x8004_100e,
        Fault::ProtocolError,
        r"its WMI has no namespace root\cimv2",
        After::Drop,
    ),
    (
        0x8004_1010,
        Fault::ProtocolError,
        "its WMI has no class Win32_Service",
        After::Drop,
    ),
    (
        0x8004_1015,
        Fault::Unreachable,
        "the connection was broken",
        After::Reopen,
    ),
    (
        0x8004_1032,
        Fault::Timeout,
        "it gave the query up",
        After::Drop,
    ),
    (
        0x8004_1033,
        Fault::ShuttingDown,
        "its WMI is shutting down",
        After::Drop,
    ),
    (
        0x8004_1045,
        Fault::Unreachable,
        "it is too busy to answer",
        After::Drop,
    ),
    (
        ACCESS_DENIED,
        Fault::AccessDenied,
        "the account that svcwatch runs as may not start programs there over the network (DCOM) or read it by WMI",
        After::Drop,
    ),
    (
        0x8007_0422,
        Fault::Unreachable,
        "its service Winmgmt is disabled",
        After::Drop,
    ),
    (
        0x8007_05b4,
        Fault::Timeout,
        "it did not answer in time",
        After::Drop,
    ),
    (
        0x8007_06ba,
        Fault::Unreachable,
        "nothing answers under its address, or a firewall keeps WMI from us",
        After::Reopen,
    ),
    (
        0x8008_0005,
        Fault::Unreachable,
        "its WMI does not start",
        After::Drop,
    ),
];

/// What a computer answered in place of an object or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A code of COM or WMI.
    Code(u32),
    /// What it said cannot be read.
    Unreadable(String),
}

impl Trouble {
    /// Whether it says that there is no such object.
    pub(super) const fn is_missing(&self) -> bool {
        matches!(self, Self::Code(WBEM_NOT_FOUND))
    }

    /// Whether it says that an object is not for us.
    pub(super) const fn is_denied(&self) -> bool {
        matches!(self, Self::Code(WBEM_ACCESS_DENIED | ACCESS_DENIED))
    }

    /// The fault of the host.
    pub(super) fn fault(&self, doing: &str) -> HostFault {
        let plain = |fault, cause| HostFault {
            fault,
            cause,
            refusal: None,
        };
        let code = match self {
            Self::Code(code) => *code,
            Self::Unreadable(why) => {
                let cause = format!("its answer makes no sense while {doing}: {why}");
                return plain(Fault::ProtocolError, cause);
            }
        };
        if let Some((_, fault, words, _)) = known(code) {
            return plain(
                *fault,
                format!("{words} (error {code:#010x} while {doing})"),
            );
        }
        match of_windows(code) {
            Some(code) => windows::fault(code, doing),
            None => plain(
                Fault::ProtocolError,
                format!("the host answered with error {code:#010x} while {doing}"),
            ),
        }
    }

    /// What it means for the connection.
    pub(super) fn after(&self) -> After {
        let Self::Code(code) = self else {
            return After::Drop;
        };
        match (known(*code), of_windows(*code)) {
            (Some((.., after)), _) => *after,
            (None, Some(code)) => windows::after(code),
            (None, None) => After::Drop,
        }
    }
}

fn known(code: u32) -> Option<&'static (u32, Fault, &'static str, After)> {
    KNOWN.iter().find(|(known, ..)| *known == code)
}

/// The error of Windows that a code carries.
const fn of_windows(code: u32) -> Option<u32> {
    if code & 0xffff_0000 == OF_WINDOWS {
        Some(code & 0xffff)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::observe::Refusal;

    fn told(code: u32) -> Fault {
        Trouble::Code(code).fault("listing services").fault
    }

    #[test]
    fn codes_are_told_apart() {
        assert_eq!(told(0x8007_0005), Fault::AccessDenied);
        assert_eq!(told(0x8004_1003), Fault::AccessDenied);
        assert_eq!(told(0x8007_06ba), Fault::Unreachable);
        assert_eq!(told(0x8004_1033), Fault::ShuttingDown);
        assert_eq!(told(0x8001_011f), Fault::Timeout);
        assert_eq!(told(0x8004_1017), Fault::ProtocolError);
        assert_eq!(told(0xdead_beef), Fault::ProtocolError);
        let unreadable = Trouble::Unreadable("no text".to_owned());
        assert_eq!(unreadable.fault("x").fault, Fault::ProtocolError);
        assert_eq!(unreadable.after(), After::Drop);
    }

    #[test]
    fn errors_of_windows_say_what_they_say_to_its_service_control_manager() {
        assert_eq!(told(0x8007_2af9), Fault::NameNotResolved);
        assert_eq!(told(0x8007_06be), Fault::Unreachable, "the call broke off");
        let refused = Trouble::Code(0x8007_052e).fault("connecting");
        assert_eq!(
            (refused.fault, refused.refusal),
            (Fault::LogonRefused, Some(Refusal::Other))
        );
        assert_eq!(told(0x8007_045b), Fault::ShuttingDown);
        assert_eq!(
            told(0x8007_0424),
            Fault::ProtocolError,
            "that WMI is not there as a service is no missing service"
        );
    }

    #[test]
    fn only_an_explicit_answer_is_a_missing_service() {
        assert!(Trouble::Code(0x8004_1002).is_missing());
        for code in [0x8004_1003, 0x8007_0005, 0x8007_06ba, 0x8007_0424, 0] {
            assert!(!Trouble::Code(code).is_missing(), "{code:#x}");
        }
        assert!(Trouble::Code(0x8004_1003).is_denied());
        assert!(!Trouble::Unreadable(String::new()).is_missing());
    }

    #[test]
    fn a_broken_connection_is_tried_once_more() {
        let after = |code| Trouble::Code(code).after();
        for code in [0x8001_0108, 0x8007_06ba, 0x8007_06be, 0x8007_0006] {
            assert_eq!(after(code), After::Reopen, "{code:#x}");
        }
        assert_eq!(after(0x8007_0005), After::Drop);
        assert_eq!(after(0x8004_1017), After::Drop);
    }

    #[test]
    fn each_code_stands_once_in_the_table() {
        for pair in KNOWN.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{:#x}", pair[1].0);
        }
    }
}
