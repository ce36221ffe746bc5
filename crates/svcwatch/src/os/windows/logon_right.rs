//! The right to log on as a service, which an account needs that a service runs as.

use super::wide;
use std::{io, ptr};
use windows_sys::Win32::{
    Foundation::{ERROR_INSUFFICIENT_BUFFER, NTSTATUS},
    Security::{
        Authentication::Identity::{
            LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaAddAccountRights, LsaClose,
            LsaNtStatusToWinError, LsaOpenPolicy, POLICY_CREATE_ACCOUNT, POLICY_LOOKUP_NAMES,
        },
        LookupAccountNameW, SID_NAME_USE,
    },
};

/// The right (ntsecapi.h, SE_SERVICE_LOGON_NAME).
const RIGHT: &str = "SeServiceLogonRight";

/// Gives an account the right; nothing changes where it has it.
pub(super) fn grant(account: &str) -> io::Result<()> {
    let sid = sid_of(account)?;
    let attributes = LSA_OBJECT_ATTRIBUTES::default();
    let mut policy: LSA_HANDLE = 0;
    let access = u32::try_from(POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES).unwrap_or(0);
    // SAFETY: no system is named; the attributes and the place for the answer outlive the call.
    checked(unsafe { LsaOpenPolicy(ptr::null(), &raw const attributes, access, &raw mut policy) })?;
    let mut right = wide(RIGHT);
    let bytes = u16::try_from(2 * RIGHT.len()).unwrap_or(0);
    let text = LSA_UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes + 2,
        Buffer: right.as_mut_ptr(),
    };
    // SAFETY: the handle is open; the account and the one right outlive the call.
    let given =
        unsafe { LsaAddAccountRights(policy, sid.as_ptr().cast_mut().cast(), &raw const text, 1) };
    // SAFETY: the handle was opened by us and is closed here only.
    unsafe { LsaClose(policy) };
    checked(given)
}

fn checked(status: NTSTATUS) -> io::Result<()> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: it takes a number and gives one.
    let code = unsafe { LsaNtStatusToWinError(status) };
    Err(io::Error::from_raw_os_error(
        i32::try_from(code).unwrap_or(i32::MAX),
    ))
}

/// The SID of an account, aligned as Windows wants it.
pub(super) fn sid_of(account: &str) -> io::Result<Vec<u64>> {
    // `.\name` means this computer, which the call does not know.
    let account = wide(account.strip_prefix(r".\").unwrap_or(account));
    let (mut sid_bytes, mut domain_units) = (64_u32, 256_u32);
    for _ in 0..2 {
        let mut sid = vec![0_u64; usize::try_from(sid_bytes).unwrap_or(0).div_ceil(8)];
        let mut domain = vec![0_u16; usize::try_from(domain_units).unwrap_or(0)];
        let mut kind: SID_NAME_USE = 0;
        // SAFETY: the name ends with a zero; the buffers have the lengths that are named; all outlive the call.
        let found = unsafe {
            LookupAccountNameW(
                ptr::null(),
                account.as_ptr(),
                sid.as_mut_ptr().cast(),
                &raw mut sid_bytes,
                domain.as_mut_ptr(),
                &raw mut domain_units,
                &raw mut kind,
            )
        };
        if found != 0 {
            return Ok(sid);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != i32::try_from(ERROR_INSUFFICIENT_BUFFER).ok() {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(
        i32::try_from(ERROR_INSUFFICIENT_BUFFER).unwrap_or(i32::MAX),
    ))
}
