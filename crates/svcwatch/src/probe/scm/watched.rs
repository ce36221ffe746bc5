//! What one thread waits for: news of services, the ends of their processes, and a word from the rest of the program.
//! News comes as calls that Windows makes in the waiting thread while it waits (alertable waits and APCs), and each
//! registration is good for one piece of news.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_SUCCESS, HANDLE, INVALID_HANDLE_VALUE, LocalFree, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Services::{
    NotifyServiceStatusChangeW, SERVICE_NOTIFY_2W, SERVICE_NOTIFY_STATUS_CHANGE,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, GetExitCodeProcess, INFINITE, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, RegisterWaitForSingleObject, SetEvent, SleepEx, UnregisterWaitEx,
    WT_EXECUTEONLYONCE, WaitForSingleObject, WaitForSingleObjectEx,
};

use super::calls::{Code, Handle, last_error};

/// An event of Windows: wakes the thread that waits for it.
#[derive(Debug)]
pub(super) struct Bell(HANDLE);

// SAFETY: the handle is a number that any thread of the process may use at any time.
unsafe impl Send for Bell {}
// SAFETY: as above; ringing and waiting may happen at once.
unsafe impl Sync for Bell {}

impl Bell {
    /// A bell that nobody has rung.
    pub(super) fn new() -> Result<Self, Code> {
        // SAFETY: it takes no pointer but null ones.
        let handle = unsafe { CreateEventW(ptr::null(), 0, 0, ptr::null()) };
        if handle.is_null() {
            Err(last_error())
        } else {
            Ok(Self(handle))
        }
    }

    /// Wakes who waits, now or at its next wait.
    pub(super) fn ring(&self) {
        // SAFETY: the handle is open as long as this value lives.
        if unsafe { SetEvent(self.0) } == 0 {
            tracing::debug!(code = last_error(), "a thread could not be woken");
        }
    }

    /// Waits until somebody rings, until news comes, or so long; for ever where no time is given.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        let milliseconds = limit.map_or(INFINITE, |limit| {
            // A wait that ends a little early would only begin again.
            u32::try_from(limit.as_millis() + 1).unwrap_or(INFINITE - 1)
        });
        // SAFETY: the handle is open; calls that Windows makes meanwhile are ours and only set numbers.
        unsafe { WaitForSingleObjectEx(self.0, milliseconds, 1) };
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: the handle was opened by us and is closed here only.
        unsafe { CloseHandle(self.0) };
    }
}

/// What the registration of an [`Ear`] writes to; its address must not change while it stands.
struct Heard {
    notify: SERVICE_NOTIFY_2W,
    /// What happened, as bits of SERVICE_NOTIFY; 0 as long as nothing has.
    triggered: AtomicU32,
    /// The status that came with it.
    status: AtomicU32,
    /// The state that it told.
    state: AtomicU32,
}

/// A piece of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// What happened, as bits of SERVICE_NOTIFY.
    pub(super) triggered: u32,
    /// The code that came with it: 0, or why there will be no more.
    pub(super) code: Code,
    /// The state of the service.
    pub(super) state: u32,
}

/// A registration for news of one service, or of the manager itself.
pub(super) struct Ear {
    /// None only while it is being dropped.
    handle: Option<Handle>,
    heard: *mut Heard,
    mask: u32,
    /// Whether a registration stands.
    armed: bool,
}

/// Windows calls this in the thread that waits.
unsafe extern "system" fn news_came(parameter: *const c_void) {
    let notify = parameter.cast::<SERVICE_NOTIFY_2W>();
    // SAFETY: Windows hands back the structure that was registered, which lives as long as its ear does.
    let told = unsafe { &*notify };
    if !told.pszServiceNames.is_null() {
        // SAFETY: Windows made the list for us, and asks that we free it so.
        unsafe { LocalFree(told.pszServiceNames.cast()) };
    }
    // SAFETY: the context is the place that the structure itself stands in; it lives as long, and only its numbers are
    // touched, by this thread alone.
    let heard = unsafe { &*told.pContext.cast::<Heard>() };
    let state = told.ServiceStatus.dwCurrentState;
    heard
        .status
        .store(told.dwNotificationStatus, Ordering::Relaxed);
    heard.state.store(state, Ordering::Relaxed);
    // A status alone is news too.
    let triggered = told.dwNotificationTriggered | (1 << 31);
    heard.triggered.store(triggered, Ordering::Relaxed);
}

impl Ear {
    /// Registers with a service or a manager. It tells of what is so at once, and then of changes.
    pub(super) fn new(handle: Handle, mask: u32) -> Result<Self, Code> {
        let heard = Box::into_raw(Box::new(Heard {
            notify: SERVICE_NOTIFY_2W::default(),
            triggered: AtomicU32::new(0),
            status: AtomicU32::new(0),
            state: AtomicU32::new(0),
        }));
        let mut ear = Self {
            handle: Some(handle),
            heard,
            mask,
            armed: false,
        };
        ear.arm()?;
        Ok(ear)
    }

    /// Registers for the next piece of news.
    pub(super) fn arm(&mut self) -> Result<(), Code> {
        let Some(handle) = self.handle.as_ref().filter(|_| !self.armed) else {
            return Ok(());
        };
        let notify = SERVICE_NOTIFY_2W {
            dwVersion: SERVICE_NOTIFY_STATUS_CHANGE,
            pfnNotifyCallback: Some(news_came),
            pContext: self.heard.cast(),
            ..SERVICE_NOTIFY_2W::default()
        };
        // SAFETY: the field is reached through its own address alone.
        let place = unsafe { &raw mut (*self.heard).notify };
        // SAFETY: no registration stands, so nobody else uses the structure; it is ours until this value is dropped.
        unsafe { place.write(notify) };
        // SAFETY: the field is read through its own address alone.
        let place = unsafe { &raw const (*self.heard).notify };
        // SAFETY: the handle is open; the structure stays where it is until the registration has ended.
        let code = unsafe { NotifyServiceStatusChangeW(handle.raw(), self.mask, place) };
        if code != ERROR_SUCCESS {
            return Err(code);
        }
        self.armed = true;
        Ok(())
    }

    /// Whether news has come since it was armed that was not taken.
    pub(super) fn has_news(&self) -> bool {
        // SAFETY: the place is ours until this value is dropped; news writes its numbers in this thread alone.
        let heard = unsafe { &(*self.heard).triggered };
        heard.load(Ordering::Relaxed) != 0
    }

    /// The news that has come since it was armed, once.
    pub(super) fn take(&mut self) -> Option<Told> {
        // SAFETY: the place is ours until this value is dropped; news writes its numbers in this thread alone.
        let heard = unsafe { &(*self.heard).triggered };
        let triggered = heard.swap(0, Ordering::Relaxed);
        if triggered == 0 {
            return None;
        }
        self.armed = false;
        // SAFETY: as above.
        let status = unsafe { &(*self.heard).status };
        // SAFETY: as above.
        let state = unsafe { &(*self.heard).state };
        Some(Told {
            triggered,
            code: status.load(Ordering::Relaxed),
            state: state.load(Ordering::Relaxed),
        })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Closing the handle ends the registration; news that came before is taken in now, while its place still is there.
        drop(self.handle.take());
        // SAFETY: calls that Windows makes meanwhile are ours and only set numbers.
        unsafe { SleepEx(0, 1) };
        // SAFETY: the place was made by a box, and no registration uses it any more.
        drop(unsafe { Box::from_raw(self.heard) });
    }
}

/// A process that is held on to, so that its end is seen and its exit code can be had.
#[derive(Debug)]
pub(super) struct Process {
    handle: HANDLE,
    waits: HANDLE,
}

/// Windows calls this in a thread of its own when a process has ended.
unsafe extern "system" fn process_ended(bell: *mut c_void, _timed_out: bool) {
    // SAFETY: the context is the handle of a bell that lives longer than every process that rings it.
    unsafe { SetEvent(bell) };
}

impl Process {
    /// Holds on to a process; its end rings the bell, which must live longer than this value.
    pub(super) fn hold(pid: u32, bell: &Bell) -> Result<Self, Code> {
        let rights = PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
        // SAFETY: it takes numbers alone.
        let handle = unsafe { OpenProcess(rights, 0, pid) };
        if handle.is_null() {
            return Err(last_error());
        }
        let mut process = Self {
            handle,
            waits: ptr::null_mut(),
        };
        // SAFETY: the handle is open; the place for the answer outlives the call; the context is a number.
        let registered = unsafe {
            RegisterWaitForSingleObject(
                &raw mut process.waits,
                handle,
                Some(process_ended),
                bell.0,
                INFINITE,
                WT_EXECUTEONLYONCE,
            )
        };
        if registered == 0 {
            return Err(last_error());
        }
        Ok(process)
    }

    /// Its exit code, once it has ended.
    pub(super) fn exit_code(&self) -> Option<u32> {
        // SAFETY: the handle is open as long as this value lives.
        if unsafe { WaitForSingleObject(self.handle, 0) } != WAIT_OBJECT_0 {
            return None;
        }
        let mut code = 0;
        // SAFETY: the handle is open; the number outlives the call.
        let ended = unsafe { GetExitCodeProcess(self.handle, &raw mut code) };
        (ended != 0).then_some(code)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.waits.is_null() {
            // SAFETY: the wait was registered by us; with this event the call returns only when nobody rings any more.
            unsafe { UnregisterWaitEx(self.waits, INVALID_HANDLE_VALUE) };
        }
        // SAFETY: the handle was opened by us and is closed here only.
        unsafe { CloseHandle(self.handle) };
    }
}
