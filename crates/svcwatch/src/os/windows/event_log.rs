//! The Windows event log: what an administrator looks for there. The texts stand in the exe (packaging/windows/messages.mc)
//! and have one place for a sentence of ours.

use super::super::event_text::{Minute, cut, with_left_out};
use super::wide;
use std::{
    fmt::{self, Write as _},
    ptr,
    sync::{Mutex, OnceLock, PoisonError},
    time::Instant,
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};
use windows_sys::Win32::{
    Foundation::HANDLE,
    System::EventLog::{RegisterEventSourceW, ReportEventW},
};

pub use super::super::event_text::Message;

/// The source that our messages bear.
pub const SOURCE: &str = "svcwatch";
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
    let text = wide(&cut(text));
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

impl<S: Subscriber> Layer<S> for EventLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let of_an_incident = metadata.fields().field("incident").is_some();
        let Some(message) = Message::of(*metadata.level(), of_an_incident) else {
            return;
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
        let text = format!("{}{}", sentence.message, sentence.fields);
        write(message, &with_left_out(text, left_out));
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
