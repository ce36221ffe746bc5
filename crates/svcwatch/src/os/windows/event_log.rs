//! The Windows event log: what an administrator looks for there. The texts stand in the exe (packaging/windows/messages.mc)
//! and have one place for a sentence of ours.

use super::wide;
use std::{
    fmt::{self, Write as _},
    ptr,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};
use windows_sys::Win32::{
    Foundation::HANDLE,
    System::EventLog::{
        EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
        RegisterEventSourceW, ReportEventW,
    },
};

/// The source that our messages bear.
pub const SOURCE: &str = "svcwatch";
/// Messages that are written in one minute, at most; how many more there were is said afterwards.
const PER_MINUTE: u32 = 60;
/// Characters of one message, at most (ReportEventW, lpStrings).
const CHARACTERS_MAX: usize = 31_000;

/// What a message is about; the numbers of packaging/windows/messages.mc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// svcwatch runs.
    Started,
    /// svcwatch has ended as it was told to.
    Stopped,
    /// svcwatch could not start.
    NotStarted,
    /// svcwatch ended although nobody wanted it.
    Broken,
    /// Something that somebody should look at.
    Warning,
    /// Something that does not work.
    Fault,
    /// An incident is over.
    News,
}

impl Message {
    const fn number(self) -> (u32, u16) {
        match self {
            Self::Started => (0x4000_0064, EVENTLOG_INFORMATION_TYPE),
            Self::Stopped => (0x4000_0065, EVENTLOG_INFORMATION_TYPE),
            Self::NotStarted => (0xC000_0066, EVENTLOG_ERROR_TYPE),
            Self::Broken => (0xC000_0067, EVENTLOG_ERROR_TYPE),
            Self::Warning => (0x8000_006E, EVENTLOG_WARNING_TYPE),
            Self::Fault => (0xC000_006F, EVENTLOG_ERROR_TYPE),
            Self::News => (0x4000_0070, EVENTLOG_INFORMATION_TYPE),
        }
    }
}

/// The handle of the source, as a number; 0 where there is none.
static OPENED: OnceLock<usize> = OnceLock::new();

/// Writes a message. Where the log cannot be written, nobody is told: it is the last place to tell anybody.
pub fn write(message: Message, text: &str) {
    let handle = *OPENED.get_or_init(|| {
        let source = wide(SOURCE);
        // SAFETY: the name ends with a zero and outlives the call.
        let handle = unsafe { RegisterEventSourceW(ptr::null(), source.as_ptr()) };
        handle.expose_provenance()
    });
    if handle == 0 {
        return;
    }
    let (number, kind) = message.number();
    let text: String = text.chars().take(CHARACTERS_MAX).collect();
    let text = wide(&text);
    let texts = [text.as_ptr()];
    let handle: HANDLE = ptr::with_exposed_provenance_mut(handle);
    // SAFETY: the handle stays open as long as the process lives; the one text ends with a zero and outlives the call.
    unsafe {
        ReportEventW(
            handle,
            kind,
            0,
            number,
            ptr::null_mut(),
            1,
            0,
            texts.as_ptr(),
            ptr::null(),
        )
    };
}

/// Takes what is logged as a warning or an error, and the ends of incidents, into the event log.
#[derive(Debug, Default)]
pub struct EventLog {
    minute: Mutex<Minute>,
}

/// What was written in the minute that runs.
#[derive(Debug, Default)]
struct Minute {
    begun: Option<Instant>,
    written: u32,
    left_out: u32,
}

impl Minute {
    /// Whether one more may be written, and how many were left out before it.
    fn takes(&mut self, now: Instant) -> Option<u32> {
        let over = |begun: Instant| now.duration_since(begun) >= Duration::from_mins(1);
        if self.begun.is_none_or(over) {
            self.begun = Some(now);
            self.written = 0;
        }
        if self.written >= PER_MINUTE {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl<S: Subscriber> Layer<S> for EventLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let message = match *event.metadata().level() {
            Level::ERROR => Message::Fault,
            Level::WARN => Message::Warning,
            // The end of an incident is no warning, and its beginning would look as if it went on for ever.
            Level::INFO if event.metadata().fields().field("incident").is_some() => Message::News,
            _ => return,
        };
        let taken = self
            .minute
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .takes(Instant::now());
        let Some(left_out) = taken else {
            return;
        };
        let mut sentence = Sentence::default();
        event.record(&mut sentence);
        let mut text = format!("{}{}", sentence.message, sentence.fields);
        if left_out > 0 {
            text = format!("{text}\n({left_out} messages before it were left out)");
        }
        write(message, &text);
    }
}

/// The words of a logged line.
#[derive(Debug, Default)]
struct Sentence {
    message: String,
    fields: String,
}

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, "\n{name}: {value:?}"),
        };
        debug_assert!(written.is_ok(), "a text takes whatever is written to it");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
