//! svcwatch as a Windows service: what the service control manager asks of a program that it runs.

use super::wide;
use crate::probe;
use std::{
    ffi::c_void,
    io, ptr,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};
use tokio::sync::Notify;
use windows_sys::{
    Win32::{
        Foundation::{ERROR_CALL_NOT_IMPLEMENTED, ERROR_SERVICE_SPECIFIC_ERROR, NO_ERROR},
        System::Services::{
            RegisterServiceCtrlHandlerExW, SERVICE_ACCEPT_PRESHUTDOWN, SERVICE_ACCEPT_SHUTDOWN,
            SERVICE_ACCEPT_STOP, SERVICE_CONTROL_INTERROGATE, SERVICE_CONTROL_PRESHUTDOWN,
            SERVICE_CONTROL_SHUTDOWN, SERVICE_CONTROL_STOP, SERVICE_RUNNING, SERVICE_START_PENDING,
            SERVICE_STATUS, SERVICE_STATUS_CURRENT_STATE, SERVICE_STATUS_HANDLE,
            SERVICE_STOP_PENDING, SERVICE_STOPPED, SERVICE_TABLE_ENTRYW, SERVICE_WIN32_OWN_PROCESS,
            SetServiceStatus, StartServiceCtrlDispatcherW,
        },
    },
    core::PWSTR,
};

/// The key name of the service.
pub const NAME: &str = "svcwatch";

/// How often it is said that a start or a stop goes on.
const SAID_EVERY: Duration = Duration::from_secs(1);
/// How long the manager is asked to wait for the next such word, in milliseconds.
const WAIT_HINT: u32 = 10_000;

/// What the service does: it runs to its end and gives its exit code.
pub type Work = Box<dyn FnOnce() -> u8 + Send>;

/// The work, until the manager asks for it.
static WORK: Mutex<Option<Work>> = Mutex::new(None);
/// What the manager was told last.
static TOLD: Mutex<Told> = Mutex::new(Told {
    handle: None,
    state: SERVICE_STOPPED,
    checkpoint: 0,
});
/// Somebody asks for the end.
static STOP: OnceLock<Notify> = OnceLock::new();

struct Told {
    handle: Option<Handle>,
    state: SERVICE_STATUS_CURRENT_STATE,
    checkpoint: u32,
}

#[derive(Clone, Copy)]
struct Handle(SERVICE_STATUS_HANDLE);

// SAFETY: the handle is a number that any thread of the process may use; it is never closed.
unsafe impl Send for Handle {}

/// What is woken when the manager asks for the end.
pub(super) fn stop_asked() -> &'static Notify {
    STOP.get_or_init(Notify::new)
}

/// Does the work as a service; comes back when it has ended. It is an error where no service control manager started
/// this process.
pub fn serve(work: Work) -> io::Result<()> {
    *WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    let mut name = wide(NAME);
    let table = [
        SERVICE_TABLE_ENTRYW {
            lpServiceName: name.as_mut_ptr(),
            lpServiceProc: Some(begun),
        },
        SERVICE_TABLE_ENTRYW::default(),
    ];
    // SAFETY: the table ends with an empty entry; it and the name outlive the call, which returns when the service ends.
    if unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Says that all is started. Says nothing where no service control manager started this process.
pub fn ready() {
    tell(SERVICE_RUNNING, 0);
}

/// Windows calls this in a thread of its own.
unsafe extern "system" fn begun(_count: u32, _words: *mut PWSTR) {
    let name = wide(NAME);
    // SAFETY: the name ends with a zero and outlives the call; the handler takes no context.
    let handle = unsafe { RegisterServiceCtrlHandlerExW(name.as_ptr(), Some(asked), ptr::null()) };
    if handle.is_null() {
        return;
    }
    lock().handle = Some(Handle(handle));
    tell(SERVICE_START_PENDING, 0);
    let work = WORK.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(work) = work else {
        return tell(SERVICE_STOPPED, 0);
    };
    // A start that takes its time is alive as long as this says so.
    thread::spawn(|| {
        while lock().state != SERVICE_STOPPED {
            thread::sleep(SAID_EVERY);
            let state = lock().state;
            if matches!(state, SERVICE_START_PENDING | SERVICE_STOP_PENDING) {
                tell(state, 0);
            }
        }
    });
    let code = work();
    tell(SERVICE_STOPPED, u32::from(code));
}

/// Windows calls this when somebody asks something of the service.
unsafe extern "system" fn asked(
    control: u32,
    _kind: u32,
    _data: *mut c_void,
    _context: *mut c_void,
) -> u32 {
    match control {
        SERVICE_CONTROL_STOP => end(),
        SERVICE_CONTROL_PRESHUTDOWN | SERVICE_CONTROL_SHUTDOWN => {
            // From now on the services of this machine stop one after another, and nobody is to be told of that.
            probe::machine_goes_down();
            end();
        }
        SERVICE_CONTROL_INTERROGATE => {}
        _ => return ERROR_CALL_NOT_IMPLEMENTED,
    }
    NO_ERROR
}

fn end() {
    tell(SERVICE_STOP_PENDING, 0);
    stop_asked().notify_one();
}

fn lock() -> std::sync::MutexGuard<'static, Told> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the manager how far the service is. A stop that was begun is not taken back.
fn tell(state: SERVICE_STATUS_CURRENT_STATE, code: u32) {
    let mut told = lock();
    let Some(handle) = told.handle else {
        return;
    };
    let stops = matches!(told.state, SERVICE_STOP_PENDING) && state != SERVICE_STOPPED;
    let state = if stops { SERVICE_STOP_PENDING } else { state };
    let pending = matches!(state, SERVICE_START_PENDING | SERVICE_STOP_PENDING);
    told.checkpoint = match (pending, state == told.state) {
        (false, _) => 0,
        (true, true) => told.checkpoint.saturating_add(1),
        (true, false) => 1,
    };
    told.state = state;
    let accepted = if state == SERVICE_RUNNING || state == SERVICE_START_PENDING {
        SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN
    } else {
        0
    };
    let status = SERVICE_STATUS {
        dwServiceType: SERVICE_WIN32_OWN_PROCESS,
        dwCurrentState: state,
        dwControlsAccepted: accepted,
        dwWin32ExitCode: if code == 0 {
            NO_ERROR
        } else {
            ERROR_SERVICE_SPECIFIC_ERROR
        },
        dwServiceSpecificExitCode: code,
        dwCheckPoint: told.checkpoint,
        dwWaitHint: if pending { WAIT_HINT } else { 0 },
    };
    // SAFETY: the handle is that of this service; the status outlives the call.
    let taken = unsafe { SetServiceStatus(handle.0, &raw const status) };
    if taken == 0 {
        let error = io::Error::last_os_error();
        tracing::debug!(%error, "the service control manager does not take the status");
    }
}
