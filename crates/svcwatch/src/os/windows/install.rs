//! Making svcwatch a Windows service, and undoing it.

use super::{event_log, logon_right, service::NAME, wide};
use crate::{
    probe::scm::calls::{Code, Handle, last_error},
    secret::Secret,
};
use std::{
    ffi::c_void,
    io, ptr, thread,
    time::{Duration, Instant},
};
use windows_sys::Win32::{
    Foundation::{
        ERROR_FILE_NOT_FOUND, ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_DOES_NOT_EXIST,
        ERROR_SERVICE_NOT_ACTIVE, ERROR_SUCCESS,
    },
    System::{
        Registry::{HKEY_LOCAL_MACHINE, REG_DWORD, REG_EXPAND_SZ, RegDeleteKeyW, RegSetKeyValueW},
        Services::{
            ChangeServiceConfig2W, ControlService, CreateServiceW, DeleteService, SC_ACTION,
            SC_ACTION_RESTART, SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE, SERVICE_ALL_ACCESS,
            SERVICE_AUTO_START, SERVICE_CONFIG_DESCRIPTION, SERVICE_CONFIG_FAILURE_ACTIONS,
            SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, SERVICE_CONFIG_PRESHUTDOWN_INFO,
            SERVICE_CONTROL_STOP, SERVICE_DESCRIPTIONW, SERVICE_ERROR_NORMAL,
            SERVICE_FAILURE_ACTIONS_FLAG, SERVICE_FAILURE_ACTIONSW, SERVICE_PRESHUTDOWN_INFO,
            SERVICE_QUERY_CONFIG, SERVICE_QUERY_STATUS, SERVICE_RUNNING, SERVICE_START,
            SERVICE_STATUS, SERVICE_STOP, SERVICE_STOPPED, SERVICE_WIN32_OWN_PROCESS,
            StartServiceW,
        },
    },
};

/// The system's own account, as services name it.
const SYSTEM: &str = "LocalSystem";
/// What stands in the list of services.
const DESCRIPTION: &str = "Tells that a Windows service stopped, and why.";
/// After how many milliseconds it is started again where it fails: the first, the second, and each further time.
const RESTARTS: [u32; 3] = [10_000, 60_000, 300_000];
/// After how many seconds without a failure the count begins anew.
const RESET_AFTER: u32 = 86_400;
/// How long a shutdown of the machine waits for it, in milliseconds.
const PRESHUTDOWN: u32 = 20_000;
/// How long a start or a stop is waited for.
const WAIT: Duration = Duration::from_mins(1);
/// Where event sources are known.
const SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";

/// How the service is to be.
#[derive(Debug)]
pub struct Installation {
    /// The program with its arguments.
    pub command_line: String,
    /// The account that it runs as; the system's own where none is named.
    pub account: Option<Account>,
}

/// An account for the service.
#[derive(Debug)]
pub struct Account {
    /// `DOMAIN\name`, `.\name`, or `DOMAIN\name$` for a managed one.
    pub name: String,
    /// Its password; none for a managed one and those of the system.
    pub password: Option<Secret>,
}

/// How the service is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its state, raw.
    pub state: u32,
    /// Its process; 0 where none runs.
    pub pid: u32,
    /// The Win32 code of its last end.
    pub exit_code: u32,
    /// Its own code, where that is 1066.
    pub service_exit_code: u32,
}

fn failed(code: Code) -> io::Error {
    io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(i32::MAX))
}

fn opened(access: u32) -> io::Result<Handle> {
    let manager = Handle::manager(None, SC_MANAGER_CONNECT).map_err(failed)?;
    manager.service(NAME, access).map_err(failed)
}

/// The account of the service where it is installed already. It is an error where nobody may install here.
pub fn account_of_installed() -> io::Result<Option<String>> {
    let rights = SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE;
    let manager = Handle::manager(None, rights).map_err(failed)?;
    match manager.service(NAME, SERVICE_QUERY_CONFIG) {
        Ok(service) => {
            let account = service.account().map_err(failed)?;
            Ok(Some(account.unwrap_or_else(|| SYSTEM.to_owned())))
        }
        Err(ERROR_SERVICE_DOES_NOT_EXIST) => Ok(None),
        Err(code) => Err(failed(code)),
    }
}

/// Installs it: started with the machine, and again where it fails. Gives what could not be set, which leaves it usable.
pub fn install(wanted: &Installation) -> io::Result<Vec<String>> {
    let manager =
        Handle::manager(None, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE).map_err(failed)?;
    if let Some(account) = &wanted.account {
        logon_right::grant(&account.name)?;
    }
    let (name, line) = (wide(NAME), wide(&wanted.command_line));
    let account = wanted.account.as_ref();
    let user = account.map(|account| wide(&account.name));
    let password = account.and_then(|account| account.password.as_ref());
    let password = password.map(|password| wide(password.reveal()));
    let text = |text: &Option<Vec<u16>>| text.as_ref().map_or(ptr::null(), Vec::as_ptr);
    // SAFETY: the handle is open; every text is null or ends with a zero, and all outlive the call.
    let raw = unsafe {
        CreateServiceW(
            manager.raw(),
            name.as_ptr(),
            name.as_ptr(),
            SERVICE_ALL_ACCESS,
            SERVICE_WIN32_OWN_PROCESS,
            SERVICE_AUTO_START,
            SERVICE_ERROR_NORMAL,
            line.as_ptr(),
            ptr::null(),
            ptr::null_mut(),
            ptr::null(),
            text(&user),
            text(&password),
        )
    };
    let service = Handle::of(raw).map_err(failed)?;
    let mut lacks = settings(&service);
    if let Err(error) = event_source() {
        lacks.push(format!(
            "the source of event log messages cannot be registered: {error}"
        ));
    }
    Ok(lacks)
}

/// Sets what a service has beside its start; gives what could not be set.
fn settings(service: &Handle) -> Vec<String> {
    let mut lacks = Vec::new();
    let mut set = |what: &str, level: u32, information: *const c_void| {
        // SAFETY: the handle is open; the structure is the one of its level, and it and what it names outlive the call.
        if unsafe { ChangeServiceConfig2W(service.raw(), level, information) } == 0 {
            lacks.push(format!("{what} cannot be set: {}", failed(last_error())));
        }
    };
    let mut description = wide(DESCRIPTION);
    let description = SERVICE_DESCRIPTIONW {
        lpDescription: description.as_mut_ptr(),
    };
    set(
        "the description",
        SERVICE_CONFIG_DESCRIPTION,
        (&raw const description).cast(),
    );
    let mut actions = RESTARTS.map(|delay| SC_ACTION {
        Type: SC_ACTION_RESTART,
        Delay: delay,
    });
    let restarts = SERVICE_FAILURE_ACTIONSW {
        dwResetPeriod: RESET_AFTER,
        cActions: 3,
        lpsaActions: actions.as_mut_ptr(),
        ..SERVICE_FAILURE_ACTIONSW::default()
    };
    set(
        "the start after a failure",
        SERVICE_CONFIG_FAILURE_ACTIONS,
        (&raw const restarts).cast(),
    );
    // Also where it ends by itself with an error: what was wrong may be mended by then.
    let flag = SERVICE_FAILURE_ACTIONS_FLAG {
        fFailureActionsOnNonCrashFailures: 1,
    };
    set(
        "the start after an end with an error",
        SERVICE_CONFIG_FAILURE_ACTIONS_FLAG,
        (&raw const flag).cast(),
    );
    let preshutdown = SERVICE_PRESHUTDOWN_INFO {
        dwPreshutdownTimeout: PRESHUTDOWN,
    };
    set(
        "the time for a shutdown",
        SERVICE_CONFIG_PRESHUTDOWN_INFO,
        (&raw const preshutdown).cast(),
    );
    lacks
}

/// The key of our event source.
fn source_key() -> Vec<u16> {
    wide(&format!(r"{SOURCES}\{}", event_log::SOURCE))
}

/// Tells the event log where the texts of our messages stand.
fn event_source() -> io::Result<()> {
    let exe = wide(&std::env::current_exe()?.display().to_string());
    let exe_bytes = size_of_val(exe.as_slice());
    // Information, warnings and errors.
    let types: u32 = 7;
    let values: [(&str, u32, *const c_void, usize); 2] = [
        (
            "EventMessageFile",
            REG_EXPAND_SZ,
            exe.as_ptr().cast(),
            exe_bytes,
        ),
        (
            "TypesSupported",
            REG_DWORD,
            (&raw const types).cast(),
            size_of::<u32>(),
        ),
    ];
    let key = source_key();
    for (name, kind, data, bytes) in values {
        let name = wide(name);
        let bytes = u32::try_from(bytes).unwrap_or(0);
        // SAFETY: the names end with a zero; the data has the length that is named; all outlive the call.
        let code = unsafe {
            RegSetKeyValueW(
                HKEY_LOCAL_MACHINE,
                key.as_ptr(),
                name.as_ptr(),
                kind,
                data,
                bytes,
            )
        };
        if code != ERROR_SUCCESS {
            return Err(failed(code));
        }
    }
    Ok(())
}

/// Ends it and removes it. Its configuration and its data stay.
pub fn uninstall() -> io::Result<()> {
    stop()?;
    let service = opened(SERVICE_ALL_ACCESS)?;
    // SAFETY: the handle is open.
    if unsafe { DeleteService(service.raw()) } == 0 {
        return Err(failed(last_error()));
    }
    let key = source_key();
    // SAFETY: the name ends with a zero and outlives the call.
    match unsafe { RegDeleteKeyW(HKEY_LOCAL_MACHINE, key.as_ptr()) } {
        ERROR_SUCCESS | ERROR_FILE_NOT_FOUND => Ok(()),
        code => Err(failed(code)),
    }
}

/// Starts it and waits until it runs, or has ended again.
pub fn start() -> io::Result<Seen> {
    let service = opened(SERVICE_START | SERVICE_QUERY_STATUS)?;
    // SAFETY: the handle is open; no arguments are given.
    if unsafe { StartServiceW(service.raw(), 0, ptr::null()) } == 0 {
        let code = last_error();
        if code != ERROR_SERVICE_ALREADY_RUNNING {
            return Err(failed(code));
        }
    }
    until(&service, |state| {
        matches!(state, SERVICE_RUNNING | SERVICE_STOPPED)
    })
}

/// Ends it and waits until it has ended.
pub fn stop() -> io::Result<Seen> {
    let service = opened(SERVICE_STOP | SERVICE_QUERY_STATUS)?;
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the handle is open; the place for the answer outlives the call.
    if unsafe { ControlService(service.raw(), SERVICE_CONTROL_STOP, &raw mut status) } == 0 {
        let code = last_error();
        if code != ERROR_SERVICE_NOT_ACTIVE {
            return Err(failed(code));
        }
    }
    until(&service, |state| state == SERVICE_STOPPED)
}

/// How it is.
pub fn status() -> io::Result<Seen> {
    seen(&opened(SERVICE_QUERY_STATUS)?)
}

fn seen(service: &Handle) -> io::Result<Seen> {
    let process = service.status().map_err(failed)?;
    Ok(Seen {
        state: process.status.current_state,
        pid: process.pid,
        exit_code: process.status.win32_exit_code,
        service_exit_code: process.status.service_exit_code,
    })
}

fn until(service: &Handle, is_so: impl Fn(u32) -> bool) -> io::Result<Seen> {
    let begun = Instant::now();
    loop {
        let now = seen(service)?;
        if is_so(now.state) || begun.elapsed() >= WAIT {
            return Ok(now);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
