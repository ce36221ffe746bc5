//! What the error codes of the Windows API (winerror.h; MS-ERREF 2.2) say of a host.

use svcwatch_core::observe::{Fault, HostFault, Refusal};

use crate::probe::codes;
use crate::probe::rpc::After;

/// The codes that mean more than that something went wrong: code, fault, words.
const KNOWN: &[(u32, Fault, &str)] = &[
    (53, Fault::Unreachable, "nothing answers under its address"),
    (64, Fault::Unreachable, "the connection was broken"),
    (121, Fault::Timeout, "it did not answer in time"),
    (
        1311,
        Fault::Unreachable,
        "it reaches no domain controller that could check the logon",
    ),
    (
        1326,
        Fault::LogonRefused,
        "it does not know the account that svcwatch runs as, or its password",
    ),
    (
        1327,
        Fault::LogonRefused,
        "a restriction of the account forbids it",
    ),
    (
        1330,
        Fault::LogonRefused,
        "the password of the account that svcwatch runs as has expired",
    ),
    (
        1331,
        Fault::LogonRefused,
        "the account that svcwatch runs as is disabled",
    ),
    (
        1385,
        Fault::LogonRefused,
        "the account that svcwatch runs as may not log on over the network",
    ),
    (
        1722,
        Fault::Unreachable,
        "nothing answers under its address",
    ),
    (1723, Fault::Unreachable, "it is too busy to answer"),
    (1726, Fault::Unreachable, "the connection was broken"),
    (1727, Fault::Unreachable, "the connection was broken"),
    (
        1753,
        Fault::Unreachable,
        "its service control manager is closed for the network",
    ),
    (1818, Fault::Timeout, "it did not answer in time"),
    (
        1825,
        Fault::LogonRefused,
        "it does not take the ticket that the domain gives for it",
    ),
    (
        1909,
        Fault::LogonRefused,
        "the account that svcwatch runs as is locked out",
    ),
    (11_001, Fault::NameNotResolved, "its name has no address"),
];

/// Codes after which another connection may well answer: the handle or the connection is no good any more.
const REOPENED: &[u32] = &[6, 64, 1722, 1726, 1727];

/// `ERROR_SERVICE_NOTIFY_CLIENT_LAGGING` (MS-ERREF 2.2).
const LAGGING: u32 = 1294;

/// The fault of a host whose answer was an error code.
pub(in crate::probe) fn fault(code: u32, doing: &str) -> HostFault {
    let Some((_, fault, words)) = KNOWN.iter().find(|(known, ..)| *known == code) else {
        return codes::win32_fault(code, doing);
    };
    let refusal = match (fault, code) {
        (Fault::LogonRefused, 1330) => Some(Refusal::Expired),
        (Fault::LogonRefused, 1331) => Some(Refusal::Disabled),
        (Fault::LogonRefused, 1909) => Some(Refusal::LockedOut),
        // It is Windows that logs on here, with what it holds itself: no password of ours is wrong.
        (Fault::LogonRefused, _) => Some(Refusal::Other),
        _ => None,
    };
    HostFault {
        fault: *fault,
        cause: format!("{words} (error {code} while {doing})"),
        refusal,
    }
}

/// What the code means for the connection.
pub(in crate::probe) fn after(code: u32) -> After {
    if REOPENED.contains(&code) {
        After::Reopen
    } else {
        After::Drop
    }
}

/// Whether a code means that the manager lost track of who listens, or is not there any more, so that all is to be opened
/// again: there were more changes than it could tell of (`ERROR_SERVICE_NOTIFY_CLIENT_LAGGING`), or what was open is no
/// good any more.
pub(super) fn lost_track(code: u32) -> bool {
    code == LAGGING || after(code) == After::Reopen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        let told = |code| fault(code, "listing services").fault;
        assert_eq!(told(5), Fault::AccessDenied);
        assert_eq!(told(1115), Fault::ShuttingDown);
        assert_eq!(told(1722), Fault::Unreachable);
        assert_eq!(told(1818), Fault::Timeout);
        assert_eq!(told(87), Fault::ProtocolError);
        assert_eq!(fault(1909, "x").refusal, Some(Refusal::LockedOut));
        assert_eq!(fault(1326, "x").refusal, Some(Refusal::Other));
        assert_eq!(fault(1722, "x").refusal, None);
        assert_eq!(
            fault(1722, "listing services").cause,
            "nothing answers under its address (error 1722 while listing services)"
        );
        assert_eq!((after(6), after(5)), (After::Reopen, After::Drop));
    }

    #[test]
    fn who_listens_opens_the_manager_again_where_it_lost_track_and_only_then() {
        for code in [1294, 6, 64, 1722, 1726, 1727] {
            assert!(lost_track(code), "{code}");
        }
        // One service refuses it, is to be deleted, is registered already, or the manager tells of nothing at all.
        for code in [0, 5, 1060, 1072, 1242, 120] {
            assert!(!lost_track(code), "{code}");
        }
    }

    #[test]
    fn each_code_stands_once_in_the_table() {
        for pair in KNOWN.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{}", pair[1].0);
        }
    }
}
