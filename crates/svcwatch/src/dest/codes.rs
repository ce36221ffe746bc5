//! The exit codes of services that are worth naming, each in a few words for people.
//!
//! A service tells the reason of its stop as a Win32 error (dwWin32ExitCode, MS-SCMR 2.2.47; values in MS-ERREF 2.2)
//! and, where that is 1066, as a number of its own. A process that is ended by Windows leaves an NTSTATUS there
//! (MS-ERREF 2.3).

/// What an exit code means, or nothing where it says no more than its number.
pub fn meaning(code: u32) -> Option<&'static str> {
    Some(match code {
        0 => "it ended without an error",
        2 => "a file was not found",
        3 => "a folder was not found",
        5 => "access denied",
        8 | 14 => "not enough memory",
        13 => "the data is invalid",
        21 => "a device is not ready",
        32 => "a file is in use by another process",
        53 => "the network path was not found",
        87 => "a parameter is wrong",
        112 => "the disk is full",
        126 => "a module was not found",
        127 => "a procedure was not found in a module",
        193 => "its program is not a valid program",
        216 => "its program is made for another kind of Windows",
        1053 => "it did not answer the start or control request in time",
        1054 => "no thread could be made for it",
        1055 => "the database of services is locked",
        1056 => "another instance of it is already running",
        1057 => "its account is invalid or does not exist",
        1058 => "it is disabled",
        1059 => "its dependencies form a circle",
        1061 => "it could not take the request at that time",
        1064 => "an exception happened while it handled a request",
        1066 => "an error of its own",
        1067 => "the process ended unexpectedly",
        1068 => "a service that it depends on did not start",
        1069 => "it could not log on; its password may have changed",
        1070 => "it hung while starting",
        1072 => "it is marked to be deleted",
        1075 => "a service that it depends on does not exist or is to be deleted",
        1077 => "it was never started since the machine booted",
        1079 => "its account differs from that of other services in its process",
        1115 => "the machine is shutting down",
        1326 => "its user name or password is wrong",
        1330 => "the password of its account has expired",
        1331 => "its account is disabled",
        1385 => "its account may not log on as a service",
        1450 => "the machine lacks resources",
        1455 => "the page file is too small",
        1907 => "the password of its account must be changed",
        1909 => "its account is locked out",
        14001 => "a component that it needs is not installed (side by side)",
        0x4001_0004 => "the process was ended by a debugger",
        0x8013_1506 => "an internal error of .NET",
        0xC000_0005 => "access violation: the process crashed",
        0xC000_0017 => "not enough virtual memory",
        0xC000_001D => "illegal instruction: the process crashed",
        0xC000_0094 => "division by zero: the process crashed",
        0xC000_00FD => "stack overflow: the process crashed",
        0xC000_0135 => "a library that it needs was not found",
        0xC000_0139 => "a library that it needs is of the wrong version",
        0xC000_013A => "the process was ended by Ctrl+C or a shutdown",
        0xC000_0142 => "a library failed to start",
        0xC000_0374 => "the heap was damaged: the process crashed",
        0xC000_0409 => "a damaged stack or a deliberate abort: the process crashed",
        0xE043_4352 => "an exception of .NET that was not handled",
        _ => return None,
    })
}

/// An exit code for people: decimal, large ones in hexadecimal too, with the meaning where there is one.
pub fn describe(code: u32) -> String {
    let number = if code >= 0x1000_0000 {
        format!("exit code {code}, 0x{code:08X}")
    } else {
        format!("exit code {code}")
    };
    match meaning(code) {
        Some(meaning) => format!("{number}: {meaning}"),
        None => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_where_that_says_more() {
        assert_eq!(
            describe(1067),
            "exit code 1067: the process ended unexpectedly"
        );
        assert_eq!(
            describe(0xC000_0005),
            "exit code 3221225477, 0xC0000005: access violation: the process crashed"
        );
        assert_eq!(describe(4711), "exit code 4711");
    }
}
