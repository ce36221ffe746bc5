//! Security descriptors of files and folders: what stands in them as text (SDDL), and how they are set.

use super::wide;
use crate::rights::{Descriptor, Sid};
use std::{
    ffi::c_void,
    fs::{File, OpenOptions},
    io,
    os::windows::{
        fs::OpenOptionsExt,
        io::{AsRawHandle, FromRawHandle, OwnedHandle},
    },
    path::Path,
    ptr, slice,
};
use windows_sys::{
    Win32::{
        Foundation::{ERROR_NOT_ALL_ASSIGNED, ERROR_SUCCESS, LUID, LocalFree},
        Security::{
            AdjustTokenPrivileges,
            Authorization::{
                ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
                ConvertStringSecurityDescriptorToSecurityDescriptorW, ConvertStringSidToSidW,
                GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
            },
            DACL_SECURITY_INFORMATION, GetTokenInformation, LUID_AND_ATTRIBUTES, LookupAccountSidW,
            LookupPrivilegeValueW, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
            SE_PRIVILEGE_ENABLED, SetKernelObjectSecurity, TOKEN_ADJUST_PRIVILEGES,
            TOKEN_PRIVILEGES, TOKEN_QUERY, TOKEN_USER, TokenUser,
        },
        Storage::FileSystem::{
            FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
            READ_CONTROL, WRITE_DAC, WRITE_OWNER,
        },
        System::Threading::{GetCurrentProcess, OpenProcessToken},
    },
    core::PWSTR,
};

/// What of a descriptor is looked at.
const OWNER_AND_LIST: u32 = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
/// Names of accounts and their domains, in characters, at most.
const NAME_UNITS: u32 = 512;

/// What Windows has made for us on its heap.
struct Heap(*mut c_void);

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: it was made for us, is used by nobody any more, and is freed as its maker asks.
        unsafe { LocalFree(self.0) };
    }
}

impl Heap {
    /// A text that ends with a zero.
    fn text(&self) -> String {
        let start: PWSTR = self.0.cast();
        let mut length = 0;
        loop {
            // SAFETY: Windows made it with a zero at its end, beyond which this does not go.
            let place = unsafe { start.add(length) };
            // SAFETY: the place is in the text.
            if unsafe { *place } == 0 {
                break;
            }
            length += 1;
        }
        // SAFETY: so many characters were just read, and it lives as long as this value.
        String::from_utf16_lossy(unsafe { slice::from_raw_parts(start, length) })
    }
}

fn checked(ended: i32) -> io::Result<()> {
    if ended == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A descriptor, out of its text.
pub(super) struct Made(Heap);

impl Made {
    pub(super) fn of(text: &str) -> io::Result<Self> {
        let text = wide(text);
        let mut made = ptr::null_mut();
        // SAFETY: the text ends with a zero; the place for the answer outlives the call.
        checked(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut made,
                ptr::null_mut(),
            )
        })?;
        Ok(Self(Heap(made)))
    }

    pub(super) const fn raw(&self) -> PSECURITY_DESCRIPTOR {
        self.0.0
    }
}

/// A descriptor as text.
fn text_of(descriptor: PSECURITY_DESCRIPTOR) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the descriptor is whole; the place for the answer outlives the call.
    checked(unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor,
            SDDL_REVISION_1,
            OWNER_AND_LIST,
            &raw mut text,
            ptr::null_mut(),
        )
    })?;
    Ok(Heap(text.cast()).text())
}

/// A SID as text, of digits alone.
fn sid_text(sid: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the SID is whole; the place for the answer outlives the call.
    checked(unsafe { ConvertSidToStringSidW(sid, &raw mut text) })?;
    Ok(Heap(text.cast()).text())
}

/// A SID as it stands in descriptors: those that every machine or domain has are written with two letters there.
fn as_in_descriptors(sid: PSID) -> io::Result<Sid> {
    let text = text_of(Made::of(&format!("O:{}D:", sid_text(sid)?))?.raw())?;
    let owner = Descriptor::read(&text).ok().and_then(|read| read.owner);
    owner.ok_or_else(|| io::Error::other(format!("{text} names nobody")))
}

/// The account that this process runs as.
pub(super) fn own_account() -> io::Result<Sid> {
    let token = token(TOKEN_QUERY)?;
    let mut user = [0_u64; 64];
    let mut bytes = 0;
    // SAFETY: the token is open; the buffer has the length that is named and is aligned as the structure is.
    checked(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            user.as_mut_ptr().cast(),
            u32::try_from(size_of_val(&user)).unwrap_or(0),
            &raw mut bytes,
        )
    })?;
    // SAFETY: Windows wrote such a structure to the buffer, whose SID lies in the buffer too.
    let sid = unsafe { (*user.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    as_in_descriptors(sid)
}

/// An account by its name; `sid` is aligned as Windows wants it.
pub(super) fn account(sid: &[u64]) -> io::Result<Sid> {
    as_in_descriptors(sid.as_ptr().cast_mut().cast())
}

/// What people call an account; its SID where nobody knows it.
pub(super) fn name_of(sid: &Sid) -> String {
    named(sid).unwrap_or_else(|| sid.as_str().to_owned())
}

fn named(sid: &Sid) -> Option<String> {
    let text = wide(sid.as_str());
    let mut raw = ptr::null_mut();
    // SAFETY: the text ends with a zero; the place for the answer outlives the call.
    if unsafe { ConvertStringSidToSidW(text.as_ptr(), &raw mut raw) } == 0 {
        return None;
    }
    let raw = Heap(raw);
    let (mut name, mut domain) = ([0_u16; 512], [0_u16; 512]);
    let (mut name_units, mut domain_units, mut kind) = (NAME_UNITS, NAME_UNITS, 0);
    // SAFETY: the SID is whole; the buffers have the lengths that are named; all outlive the call.
    let found = unsafe {
        LookupAccountSidW(
            ptr::null(),
            raw.0,
            name.as_mut_ptr(),
            &raw mut name_units,
            domain.as_mut_ptr(),
            &raw mut domain_units,
            &raw mut kind,
        )
    };
    if found == 0 {
        return None;
    }
    let text = |units: &[u16], length: u32| {
        let units = units.get(..usize::try_from(length).ok()?)?;
        Some(String::from_utf16_lossy(units))
    };
    let (name, domain) = (text(&name, name_units)?, text(&domain, domain_units)?);
    Some(if domain.is_empty() {
        name
    } else {
        format!(r"{domain}\{name}")
    })
}

fn token(access: u32) -> io::Result<OwnedHandle> {
    let mut raw = ptr::null_mut();
    // SAFETY: it takes nothing, and gives a name for this process that need not be closed.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: it names this process; the place for the answer outlives the call.
    checked(unsafe { OpenProcessToken(process, access, &raw mut raw) })?;
    // SAFETY: the handle was just opened for us, and nobody else closes it.
    Ok(unsafe { OwnedHandle::from_raw_handle(raw) })
}

/// Uses the rights of an administrator to open what lets nobody in, and to give it to somebody else.
pub(super) fn as_administrator() -> io::Result<()> {
    let token = token(TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY)?;
    for name in ["SeBackupPrivilege", "SeRestorePrivilege"] {
        let name = wide(name);
        let mut luid = LUID::default();
        // SAFETY: the name ends with a zero; the place for the answer outlives the call.
        checked(unsafe { LookupPrivilegeValueW(ptr::null(), name.as_ptr(), &raw mut luid) })?;
        let wanted = TOKEN_PRIVILEGES {
            PrivilegeCount: 1,
            Privileges: [LUID_AND_ATTRIBUTES {
                Luid: luid,
                Attributes: SE_PRIVILEGE_ENABLED,
            }],
        };
        // SAFETY: the token is open; the structure outlives the call, and what was before is not asked for.
        checked(unsafe {
            AdjustTokenPrivileges(
                token.as_raw_handle(),
                0,
                &raw const wanted,
                0,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        // The call succeeds also where it gave nothing.
        let code = io::Error::last_os_error();
        if code.raw_os_error() == i32::try_from(ERROR_NOT_ALL_ASSIGNED).ok() {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
    }
    Ok(())
}

/// Opens a file or folder to look who may do what there.
pub(super) fn opened(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(READ_CONTROL | FILE_READ_ATTRIBUTES)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

/// Opens a file or folder to set that; a link itself, and not what it leads to.
pub(super) fn opened_to_set(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(READ_CONTROL | FILE_READ_ATTRIBUTES | WRITE_DAC | WRITE_OWNER)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// Whose a file or folder is and who may do what there, as text.
pub(super) fn read(file: &File) -> io::Result<String> {
    let mut descriptor = ptr::null_mut();
    // SAFETY: the handle is open; only the descriptor is asked for, and its place outlives the call.
    let code = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_AND_LIST,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if code != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(
            i32::try_from(code).unwrap_or(i32::MAX),
        ));
    }
    let descriptor = Heap(descriptor);
    text_of(descriptor.0)
}

/// Sets that, for it alone: nothing below it changes.
pub(super) fn set(file: &File, descriptor: &Made) -> io::Result<()> {
    // SAFETY: the handle is open; the descriptor is whole and outlives the call.
    checked(unsafe {
        SetKernelObjectSecurity(file.as_raw_handle(), OWNER_AND_LIST, descriptor.raw())
    })
}
