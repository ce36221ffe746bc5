//! Windows.

pub mod event_log;
pub mod folder;
pub mod install;
mod logon_right;
mod security;
pub mod service;

use self::security::Made;
use super::{Signal, Stamp};
use std::{
    env, io,
    net::IpAddr,
    os::windows::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Instant, UNIX_EPOCH},
};
use svcwatch_core::time::Span;
use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};
use windows_sys::Win32::{
    Foundation::ERROR_ALREADY_EXISTS,
    Security::SECURITY_ATTRIBUTES,
    Storage::FileSystem::CreateDirectoryW,
    System::SystemInformation::{
        COMPUTER_NAME_FORMAT, ComputerNameDnsFullyQualified, ComputerNameDnsHostname,
        ComputerNameNetBIOS, GetComputerNameExW, GetTickCount64,
    },
};

/// When the program began.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Names of this computer in characters, at most.
const NAME_UNITS_MAX: usize = 1_024;

/// Who may enter our folders, and nobody else, whatever those above them say: the system, administrators, and who owns
/// what stands there (S-1-3-4, OWNER RIGHTS), so that svcwatch may also run as an ordinary user.
const PRIVATE: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-3-4)";

/// Milliseconds of a clock that only goes forward. The performance counter counts the time that the machine was
/// suspended (Microsoft, "Acquiring high-resolution time stamps", "General FAQ about QPC and TSC").
pub fn tick() -> u64 {
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// How long this computer runs since its boot, the time included that it was suspended (Microsoft, "GetTickCount64").
pub fn uptime() -> Span {
    // SAFETY: it takes nothing and only reads a number.
    Span(unsafe { GetTickCount64() })
}

/// Says that all is started, to whom may wait for it.
pub fn ready() {
    event_log::write(
        event_log::Message::Started,
        &format!("svcwatch {} is ready", crate::VERSION),
    );
    service::ready();
}

/// A text as Windows takes it: in UTF-16, with a zero at its end.
pub(crate) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Where the store is kept unless somebody says otherwise.
pub fn data_folder() -> Option<PathBuf> {
    Some(PathBuf::from(env::var_os("ProgramData")?).join("svcwatch"))
}

/// There is no such limit here.
pub const fn raise_open_files(_wanted: u64) -> Result<(), u64> {
    Ok(())
}

/// Whether an address is this computer's own: loopback, or one of its names.
pub fn is_this_computer(address: &str) -> bool {
    if let Ok(address) = address.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let is = |name: &str| name.eq_ignore_ascii_case(address.trim_end_matches('.'));
    is("localhost")
        || [
            ComputerNameNetBIOS,
            ComputerNameDnsHostname,
            ComputerNameDnsFullyQualified,
        ]
        .into_iter()
        .any(|format| own_name(format).is_some_and(|name| is(&name)))
}

/// The name of this computer that others know it by.
pub fn computer_name() -> Option<String> {
    own_name(ComputerNameNetBIOS)
}

fn own_name(format: COMPUTER_NAME_FORMAT) -> Option<String> {
    let mut units = vec![0_u16; NAME_UNITS_MAX];
    let mut length = u32::try_from(units.len()).unwrap_or(0);
    // SAFETY: the buffer has the length that is named, and both outlive the call.
    let ended = unsafe { GetComputerNameExW(format, units.as_mut_ptr(), &raw mut length) };
    if ended == 0 {
        return None;
    }
    let name = units.get(..usize::try_from(length).ok()?)?;
    Some(String::from_utf16_lossy(name)).filter(|name| !name.is_empty())
}

/// Makes a folder, and those above it, that only administrators, the system and its owner can enter.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    if let Some(above) = folder.parent().filter(|above| !above.is_dir()) {
        std::fs::create_dir_all(above)?;
    }
    let descriptor = Made::of(PRIVATE)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(0),
        lpSecurityDescriptor: descriptor.raw(),
        bInheritHandle: 0,
    };
    let path: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: the path ends with a zero; the attributes and what they point at outlive the call.
    let made = unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) };
    let error = io::Error::last_os_error();
    let exists = error.raw_os_error() == i32::try_from(ERROR_ALREADY_EXISTS).ok();
    if made != 0 || (exists && folder.is_dir()) {
        Ok(())
    } else {
        Err(error)
    }
}

/// What tells this version of a file from another; nothing where there is no such file. The number of a file can only be
/// had by opening it; when it was made tells as much of one that took the place of another.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    let written = metadata.modified().ok()?;
    Some(Stamp {
        written: written
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos()),
        length: metadata.len(),
        number: metadata.creation_time(),
    })
}

/// What is listened to: Ctrl+C, Ctrl+Break, a console that is closed, a machine that shuts down, and
/// the service control manager, all to end.
#[derive(Debug)]
pub struct Signals {
    interrupt: CtrlC,
    broken: CtrlBreak,
    closed: CtrlClose,
    shut_down: CtrlShutdown,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            broken: ctrl_break()?,
            closed: ctrl_close()?,
            shut_down: ctrl_shutdown()?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.broken.recv() => Signal::Stop,
            _ = self.closed.recv() => Signal::Stop,
            _ = self.shut_down.recv() => {
                // As for the service: from now on the services of this machine stop, and nobody is to be told of that.
                crate::probe::machine_goes_down();
                Signal::Stop
            }
            () = service::stop_asked().notified() => Signal::Stop,
        }
    }
}
