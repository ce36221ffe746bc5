//! What exit codes mean, in words of our own. Win32's from MS-ERREF 2.2, those of a process from MS-ERREF 2.3.

/// Exit codes of Win32 that rules name (MS-ERREF 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Win32;

impl Win32 {
    /// `ERROR_SERVICE_REQUEST_TIMEOUT`.
    pub const REQUEST_TIMEOUT: u32 = 1053;
    /// `ERROR_SERVICE_DISABLED`.
    pub const START_DISABLED: u32 = 1058;
    /// `ERROR_SERVICE_SPECIFIC_ERROR`: the service has a code of its own.
    pub const SERVICE_SPECIFIC: u32 = 1066;
    /// `ERROR_PROCESS_ABORTED`.
    pub const PROCESS_ABORTED: u32 = 1067;
    /// `ERROR_SERVICE_DEPENDENCY_FAIL`.
    pub const DEPENDENCY_FAILED: u32 = 1068;
    /// `ERROR_SERVICE_LOGON_FAILED`.
    pub const LOGON_FAILED: u32 = 1069;
    /// `ERROR_SERVICE_DEPENDENCY_DELETED`.
    pub const DEPENDENCY_MISSING: u32 = 1075;
    /// `ERROR_SERVICE_NEVER_STARTED`.
    pub const NEVER_STARTED: u32 = 1077;
}

/// Codes with their meaning, sorted; and whether the code says that a start failed.
const WIN32: &[(u32, &str, bool)] = &[
    (0, "no error", false),
    (1, "a function that is wrong here", false),
    (2, "the executable or another file is not there", true),
    (3, "the path of the executable is not there", true),
    (5, "access denied", false),
    (8, "not enough memory", false),
    (13, "data that are not valid", false),
    (14, "not enough storage", false),
    (31, "a device does not work", false),
    (32, "a file is in use by another process", false),
    (50, "not supported", false),
    (53, "the network path was not found", false),
    (64, "the network name is not there any more", false),
    (87, "a parameter that is wrong", false),
    (109, "a pipe was ended", false),
    (112, "the disk is full", false),
    (121, "a device did not answer in time", false),
    (122, "a buffer that is too small", false),
    (126, "a library that it needs was not found", true),
    (127, "a function in a library was not found", true),
    (161, "a path that is wrong", true),
    (183, "it is there already", false),
    (193, "the executable is none for this Windows", true),
    (216, "the executable is none for this kind of machine", true),
    (225, "the executable was blocked as harmful", true),
    (
        577,
        "the signature of the executable cannot be verified",
        true,
    ),
    (995, "an operation was cancelled", false),
    (998, "access to memory that is not its own", false),
    (1053, "it did not answer the start in time", true),
    (1054, "no thread could be made for it", true),
    (1056, "it runs already", false),
    (1057, "its account is wrong or its password is", true),
    (1058, "its start is disabled", false),
    (1059, "its dependencies go in a circle", true),
    (1063, "it did not connect to the service manager", true),
    (1064, "an exception while it handled a request", false),
    (1066, "an error of the service's own", false),
    (1067, "its process ended unexpectedly", false),
    (
        1068,
        "a service or group that it depends on did not start",
        false,
    ),
    (1069, "its account could not be logged on", false),
    (1070, "it hung while it started", true),
    (1072, "it is marked to be removed", false),
    (1075, "a service that it depends on is not there", false),
    (1077, "it was not started since the last boot", false),
    (
        1079,
        "its account is not that of the other services in its process",
        true,
    ),
    (
        1083,
        "the executable is not set up to run this service",
        true,
    ),
    (1114, "a library could not be initialised", true),
    (1115, "the computer goes down", false),
    (1260, "a policy blocks the executable", true),
    (
        1290,
        "its security identifier does not fit its process",
        true,
    ),
    (1326, "wrong user name or password", false),
    (1330, "the password of its account has expired", false),
    (1331, "its account is disabled", false),
    (1385, "its account may not log on as a service", false),
    (1450, "not enough system resources", false),
    (1453, "not enough quota", false),
    (1455, "the paging file is too small", false),
    (1460, "it took too long", false),
    (1787, "the domain does not know this computer", false),
    (1909, "its account is locked out", false),
    (10013, "the network port may not be used", false),
    (
        10048,
        "the network port is in use by another process",
        false,
    ),
    (10049, "the network address is not this computer's", false),
    (10061, "a connection was refused", false),
];

/// Codes with which processes end, as services give them for their own; sorted.
const STATUS: &[(u32, &str)] = &[
    (0x4001_0004, "ended by a debugger"),
    (0x8000_0003, "a breakpoint"),
    (0xc000_0005, "access violation"),
    (0xc000_0006, "a page could not be read"),
    (0xc000_0017, "not enough memory"),
    (
        0xc000_001d,
        "an instruction that the processor does not know",
    ),
    (0xc000_0022, "access denied"),
    (0xc000_0094, "division by zero"),
    (0xc000_00fd, "stack overflow"),
    (0xc000_0135, "a library that it needs was not found"),
    (0xc000_0139, "a function in a library was not found"),
    (0xc000_013a, "ended by Ctrl+C"),
    (0xc000_0142, "a library could not be initialised"),
    (0xc000_0374, "heap corruption"),
    (
        0xc000_0409,
        "stack buffer overrun, or it ended itself at once",
    ),
    (0xc000_0417, "a parameter that the C runtime refuses"),
    (0xe043_4352, "an exception of .NET that nobody handled"),
];

/// What a Win32 exit code means, where it is one that services end with.
pub fn exit_meaning(code: u32) -> Option<&'static str> {
    let at = WIN32.binary_search_by_key(&code, |entry| entry.0).ok()?;
    WIN32.get(at).map(|entry| entry.1)
}

/// Whether a code says that a start failed.
pub(super) fn is_failed_start(code: u32) -> bool {
    WIN32
        .binary_search_by_key(&code, |entry| entry.0)
        .is_ok_and(|at| WIN32.get(at).is_some_and(|entry| entry.2))
}

/// What a service's own exit code means, as far as it is in one of the usual forms: the code of a process, or an
/// `HRESULT` of Win32 (MS-ERREF 2.1). A small number means what the service's maker says, and nobody else.
pub fn service_exit_meaning(code: u32) -> Option<&'static str> {
    if code & 0xffff_0000 == 0x8007_0000 {
        return exit_meaning(code & 0xffff);
    }
    let at = STATUS.binary_search_by_key(&code, |entry| entry.0).ok()?;
    STATUS.get(at).map(|entry| entry.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_say_something_else_each_time() {
        assert!(WIN32.is_sorted_by(|one, next| one.0 < next.0));
        assert!(STATUS.is_sorted_by(|one, next| one.0 < next.0));
        assert!(WIN32.iter().all(|entry| !entry.1.is_empty()));
    }

    #[test]
    fn codes_are_told_in_words() {
        assert_eq!(exit_meaning(1067), Some("its process ended unexpectedly"));
        assert_eq!(exit_meaning(4_711), None);
        assert_eq!(service_exit_meaning(0xc000_0005), Some("access violation"));
        assert_eq!(service_exit_meaning(0x8007_0005), Some("access denied"));
        assert_eq!(service_exit_meaning(3), None, "3 is the service's affair");
        assert!(is_failed_start(1053) && !is_failed_start(1067) && !is_failed_start(4_711));
    }
}
