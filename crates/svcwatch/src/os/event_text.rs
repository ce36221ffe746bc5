//! What is written to the Windows event log, and how much of it: decided here on every system, so that it is tested
//! everywhere; only the writing itself is Windows' own.

use std::time::{Duration, Instant};

use tracing::Level;

/// Messages that are written in one minute, at most; how many more there were is said afterwards.
const PER_MINUTE: u32 = 60;
/// Units of UTF-16 of one message, at most (`ReportEventW`, lpStrings).
const UNITS_MAX: usize = 31_000;

/// What a message is about; the numbers of packaging/windows/messages.mc.
#[cfg_attr(
    not(windows),
    expect(unreachable_pub, reason = "only Windows hands it on")
)]
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
    /// The number with its severity in the two highest bits, as the message compiler makes it, and the level of the event:
    /// `EVENTLOG_INFORMATION_TYPE`, `EVENTLOG_WARNING_TYPE` or `EVENTLOG_ERROR_TYPE` (winnt.h).
    pub(super) const fn number(self) -> (u32, u16) {
        const INFORMATION: u16 = 4;
        const WARNING: u16 = 2;
        const ERROR: u16 = 1;
        match self {
            Self::Started => (0x4000_0064, INFORMATION),
            Self::Stopped => (0x4000_0065, INFORMATION),
            Self::NotStarted => (0xC000_0066, ERROR),
            Self::Broken => (0xC000_0067, ERROR),
            Self::Warning => (0x8000_006E, WARNING),
            Self::Fault => (0xC000_006F, ERROR),
            Self::News => (0x4000_0070, INFORMATION),
        }
    }

    /// The message that a logged line is: warnings and errors, and of the rest what is told of an incident.
    pub(super) fn of(level: Level, of_an_incident: bool) -> Option<Self> {
        match level {
            Level::ERROR => Some(Self::Fault),
            Level::WARN => Some(Self::Warning),
            // The end of an incident is no warning, and its beginning would look as if it went on for ever.
            Level::INFO if of_an_incident => Some(Self::News),
            _ => None,
        }
    }
}

/// What was written in the minute that runs.
#[derive(Debug, Default)]
pub(super) struct Minute {
    begun: Option<Instant>,
    written: u32,
    left_out: u32,
}

impl Minute {
    /// Whether one more may be written, and how many were left out before it.
    pub(super) fn takes(&mut self, now: Instant) -> Option<u32> {
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

/// The text of a message before which so many were left out.
pub(super) fn with_left_out(text: String, left_out: u32) -> String {
    match left_out {
        0 => text,
        1 => format!("{text}\n(1 message before it was left out)"),
        _ => format!("{text}\n({left_out} messages before it were left out)"),
    }
}

/// As much of a text as the event log takes.
pub(super) fn cut(text: &str) -> String {
    let mut units = 0;
    let fits = |letter: &char| {
        units += letter.len_utf16();
        units <= UNITS_MAX
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    const ALL: [Message; 7] = [
        Message::Started,
        Message::Stopped,
        Message::NotStarted,
        Message::Broken,
        Message::Warning,
        Message::Fault,
        Message::News,
    ];

    fn file(path: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The name of the severity that stands in the two highest bits of a number.
    fn severity(number: u32) -> &'static str {
        ["Success", "Informational", "Warning", "Error"][(number >> 30) as usize]
    }

    #[test]
    fn the_numbers_are_those_of_the_texts_in_the_exe() {
        // Each text is a paragraph, the heading one more.
        let texts = file("../../packaging/windows/messages.mc");
        let mut made = BTreeMap::new();
        for text in texts.split("\nMessageId=").skip(1) {
            let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
            let number: u32 = text.lines().next().unwrap().trim().parse().unwrap();
            // `MESSAGE_NAME` is what a variant is called.
            let name = line("SymbolicName=").unwrap().trim().replace('_', "");
            made.insert((number, line("Severity=").unwrap().trim().to_owned()), name);
        }
        let ours = ALL.map(|message| {
            let (number, kind) = message.number();
            let level = ["", "Error", "Warning", "", "Informational"][usize::from(kind)];
            assert_eq!(level, severity(number), "{message:?}");
            let name = format!("{message:?}").to_uppercase();
            ((number & 0xffff, severity(number).to_owned()), name)
        });
        assert_eq!(made, BTreeMap::from(ours));
        // Neither facility nor the bit of customers is set, for the texts name none.
        assert!(ALL.iter().all(|one| one.number().0 & 0x3fff_0000 == 0));
    }

    #[test]
    fn the_numbers_are_those_that_the_docs_tell() {
        let docs = file("../../docs/windows.md");
        for message in ALL {
            let (number, _) = message.number();
            let level = match severity(number) {
                "Informational" => "Information",
                other => other,
            };
            let row = format!("\n| {} | {level} | ", number & 0xffff);
            assert!(docs.contains(&row), "{message:?}: {row}");
        }
    }

    #[test]
    fn what_is_logged_becomes_the_message_that_administrators_look_for() {
        assert_eq!(Message::of(Level::ERROR, false), Some(Message::Fault));
        assert_eq!(Message::of(Level::ERROR, true), Some(Message::Fault));
        assert_eq!(Message::of(Level::WARN, true), Some(Message::Warning));
        assert_eq!(Message::of(Level::INFO, true), Some(Message::News));
        assert_eq!(Message::of(Level::INFO, false), None);
        assert_eq!(Message::of(Level::DEBUG, true), None);
    }

    #[test]
    fn a_minute_takes_sixty_and_the_next_one_says_how_many_were_left_out() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut minute = Minute::default();
        for number in 0..60 {
            assert_eq!(minute.takes(after(number % 30)), Some(0), "{number}");
        }
        for _ in 0..7 {
            assert_eq!(minute.takes(after(59)), None);
        }
        assert_eq!(minute.takes(after(60)), Some(7));
        // Said once, and the new minute has begun with it.
        for number in 0..59 {
            assert_eq!(minute.takes(after(119)), Some(0), "{number}");
        }
        assert_eq!(minute.takes(after(119)), None);
        assert_eq!(minute.takes(after(120)), Some(1));
    }

    #[test]
    fn a_text_says_what_was_left_out_and_is_no_longer_than_the_log_takes() {
        let told = |left_out| with_left_out("it broke".to_owned(), left_out);
        assert_eq!(told(0), "it broke");
        assert_eq!(told(1), "it broke\n(1 message before it was left out)");
        assert_eq!(told(7), "it broke\n(7 messages before it were left out)");
        assert_eq!(cut(&"ü".repeat(31_001)).chars().count(), 31_000);
        // Letters beyond the first plane are two units each.
        assert_eq!(cut(&"😀".repeat(31_000)).encode_utf16().count(), 31_000);
        assert_eq!(cut("short"), "short");
    }
}
