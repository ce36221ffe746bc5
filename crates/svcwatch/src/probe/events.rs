//! The lines of event logs that are about a service: which they are, and how much of them is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use svcwatch_wire::even::{Bounds, Ended, EventRecord, Step, kind};
use thiserror::Error;

use super::reports::Report;

/// The logs that are read: that of the service control manager, and that of services themselves.
pub(super) const LOGS: [&str; 2] = ["System", "Application"];

/// Who reports what happens to services, and the numbers of its events.
const MANAGER: &str = "Service Control Manager";
const MANAGER_EVENTS: std::ops::RangeInclusive<u32> = 7000..=7045;

/// The file that many services share.
const SHARED: &str = "svchost.exe";

/// How many lines are kept, and how long their strings may be, in characters.
const LINES: usize = 20;
const STRINGS: usize = 8;
const STRING_CHARS: usize = 300;

/// How much of one log is read: a log of a million records costs no more.
const RECORDS: u32 = 2_000;
const BYTES: u32 = 1024 * 1024;
const CALLS: u32 = 24;
const BUFFER: u32 = 64 * 1024;

/// How much of a log is read, from this time on.
pub(super) const fn bounds(since: u32) -> Bounds {
    Bounds {
        records: RECORDS,
        bytes: BYTES,
        calls: CALLS,
        buffer: BUFFER,
        since,
    }
}

/// Whether more of a log is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// There is more, and it is wanted.
    More,
    /// There is enough, or no more.
    Enough,
}

/// The table of what the manager's events say.
const TABLE: &str = include_str!("events.csv");

/// What the manager's events say, by their numbers.
static MEANINGS: LazyLock<BTreeMap<u32, &'static str>> = LazyLock::new(|| {
    rows()
        .filter_map(|(id, words, _)| Some((id.parse().ok()?, words)))
        .collect()
});

/// The rows of the table: number, words, source.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.skip(1).filter_map(|line| {
        let (id, rest) = line.split_once(',')?;
        let (words, source) = rest.rsplit_once(',')?;
        Some((id, words, source))
    })
}

/// Of which service lines are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsAsked {
    /// Its key name.
    pub service: String,
    /// Its display name, which is what the service control manager writes.
    pub display_name: Option<String>,
    /// Further names under which it reports events itself.
    pub sources: Vec<String>,
    /// The file that it runs, by which reports of crashes name it.
    pub executable: Option<String>,
    /// From when on, in seconds since 1970-01-01T00:00:00Z.
    pub since: u32,
}

impl EventsAsked {
    /// Asks for nothing but whether the log may be read: the first record of each log ends the reading.
    pub fn whether_it_may() -> Self {
        Self {
            service: String::new(),
            display_name: None,
            sources: Vec::new(),
            executable: None,
            since: u32::MAX,
        }
    }
}

/// How grave an event is, as its reporter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// Anything else.
    Information,
}

/// A line of an event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLine {
    /// The log that it stands in.
    pub log: &'static str,
    /// When it happened, in seconds since 1970-01-01T00:00:00Z.
    pub at: u32,
    /// The number of the event, as people know it.
    pub id: u32,
    /// Who reported it.
    pub source: String,
    /// How grave it is.
    pub level: Level,
    /// What its text is filled with; the text itself stands in a library on the host. May hold secrets.
    pub strings: Vec<String>,
}

impl EventLine {
    /// Whether the service control manager reported it.
    pub fn is_of_manager(&self) -> bool {
        self.source.eq_ignore_ascii_case(MANAGER) && MANAGER_EVENTS.contains(&self.id)
    }

    /// Whether it says that a process had just crashed.
    pub fn is_of_crash(&self) -> bool {
        Report::of(&self.source, self.id).is_some_and(|report| report.proves_crash)
    }

    /// The exception of a crash, where the report names it: the seventh string of `Application Error` 1000, in hexadecimal.
    pub fn exception(&self) -> Option<u32> {
        let text = self.strings.get(6).filter(|_| self.is_of_crash())?;
        u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    }

    /// What it says, where the service control manager reported it or it is a report about a process: to be read behind the
    /// name of the service.
    pub fn meaning(&self) -> Option<&'static str> {
        if self.is_of_manager() {
            return MEANINGS.get(&self.id).copied();
        }
        Report::of(&self.source, self.id).map(|report| report.words)
    }
}

/// The lines that were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsFound {
    /// The lines, the newest first.
    pub lines: Vec<EventLine>,
    /// Whether there may be more that were not looked at, because a bound was reached.
    pub cut: bool,
}

/// Why there are no lines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoEvents {
    /// The account lacks the right.
    #[error(
        "access denied while {doing}; put the account into the group Event Log Readers (S-1-5-32-573) of the host"
    )]
    Denied {
        /// What was asked for.
        doing: &'static str,
    },
    /// There is nothing that could be asked.
    #[error(
        "the host offers no event log to be read remotely; its service EventLog does not run, or its pipe is closed"
    )]
    NoPipe,
    /// The host does not seal calls as it must.
    #[error("the host does not seal calls about its event log: {0}")]
    NotSealed(String),
    /// The host did not believe who we are.
    #[error("the host refused our proof for its event log: {0}")]
    ProofRefused(String),
    /// It took too long.
    #[error("the event log was not read in time")]
    Timeout,
    /// No session is open, and none is opened for this.
    #[error("no session with the host is open")]
    NoSession,
    /// Anything else.
    #[error("the event log cannot be read: {0}")]
    Failed(String),
}

/// Keeps the lines that are about the service.
#[derive(Debug)]
pub(super) struct Sieve<'a> {
    asked: &'a EventsAsked,
    /// What the manager calls the service, in lower case.
    names: BTreeSet<String>,
    /// What the service may call itself, in lower case.
    sources: BTreeSet<String>,
    found: EventsFound,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(asked: &'a EventsAsked) -> Self {
        let names: BTreeSet<String> = [Some(&asked.service), asked.display_name.as_ref()]
            .into_iter()
            .flatten()
            .filter(|name| !name.is_empty())
            .map(|name| name.to_lowercase())
            .collect();
        let more = asked.sources.iter().map(|source| source.to_lowercase());
        Self {
            asked,
            sources: names.iter().cloned().chain(more).collect(),
            names,
            found: EventsFound::default(),
        }
    }

    /// From when on lines are wanted.
    pub(super) const fn since(&self) -> u32 {
        self.asked.since
    }

    /// Remembers that not everything was looked at.
    pub(super) const fn cut(&mut self) {
        self.found.cut = true;
    }

    /// Takes the records of a step of a reading.
    pub(super) fn take_step(&mut self, log: &'static str, step: &Step) -> Taken {
        let mut enough = false;
        for record in &step.records {
            enough |= self.take(log, record);
        }
        match step.ended {
            None if enough => Taken::Enough,
            None => Taken::More,
            Some(Ended::Bound) => {
                self.cut();
                Taken::Enough
            }
            Some(Ended::Start | Ended::Old) => Taken::Enough,
        }
    }

    /// Takes a record where it is about the service; whether there are enough of this log.
    pub(super) fn take(&mut self, log: &'static str, record: &EventRecord) -> bool {
        let of_log = self.found.lines.iter().filter(|line| line.log == log);
        if of_log.count() >= LINES {
            self.found.cut = true;
            return true;
        }
        if self.is_about(record) {
            self.found.lines.push(line(log, record));
        }
        false
    }

    fn is_about(&self, record: &EventRecord) -> bool {
        if record.source.eq_ignore_ascii_case(MANAGER) {
            return MANAGER_EVENTS.contains(&record.code())
                && record
                    .strings
                    .iter()
                    .any(|string| self.names.contains(&string.to_lowercase()));
        }
        if let Some(report) = Report::of(&record.source, record.code()) {
            return self.ran(report.file(&record.strings));
        }
        self.sources.contains(&record.source.to_lowercase())
    }

    /// Whether the service runs in this file, of which a report is.
    fn ran(&self, file: Option<String>) -> bool {
        let (Some(file), Some(ours)) = (file, &self.asked.executable) else {
            return false;
        };
        let ours = ours.to_lowercase();
        let shared = format!("{ours}_{}", self.asked.service.to_lowercase());
        file == shared || (file == ours && ours != SHARED)
    }

    /// The newest lines of all logs.
    pub(super) fn found(mut self) -> EventsFound {
        self.found
            .lines
            .sort_by_key(|line| std::cmp::Reverse(line.at));
        if self.found.lines.len() > LINES {
            self.found.lines.truncate(LINES);
            self.found.cut = true;
        }
        self.found
    }
}

fn line(log: &'static str, record: &EventRecord) -> EventLine {
    EventLine {
        log,
        at: record.generated,
        id: record.code(),
        level: match record.kind {
            kind::ERROR => Level::Error,
            kind::WARNING => Level::Warning,
            _ => Level::Information,
        },
        source: readable(&record.source),
        strings: record
            .strings
            .iter()
            .take(STRINGS)
            .map(|string| readable(string))
            .collect(),
    }
}

/// A text of a host without what could change the meaning of a line, cut to its length.
fn readable(text: &str) -> String {
    text.chars()
        .take(STRING_CHARS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> EventsAsked {
        EventsAsked {
            service: "Spooler".into(),
            display_name: Some("Print Spooler".into()),
            sources: vec!["Microsoft-Windows-PrintService".into()],
            executable: Some("spoolsv.exe".into()),
            since: 0,
        }
    }

    fn record(source: &str, id: u32, strings: &[&str]) -> EventRecord {
        EventRecord {
            generated: 100,
            id: id | 0xc000_0000,
            kind: kind::ERROR,
            source: source.into(),
            strings: strings.iter().map(|string| (*string).into()).collect(),
            ..EventRecord::default()
        }
    }

    fn kept(record: &EventRecord) -> bool {
        let asked = asked();
        let mut sieve = Sieve::new(&asked);
        sieve.take("System", record);
        !sieve.found().lines.is_empty()
    }

    #[test]
    fn only_lines_about_the_service_are_kept() {
        assert!(kept(&record(MANAGER, 7034, &["Print Spooler", "1"])));
        assert!(kept(&record(MANAGER, 7034, &["print spooler", "1"])));
        assert!(kept(&record(
            MANAGER,
            7040,
            &["x", "auto", "disabled", "Spooler"]
        )));
        assert!(kept(&record("spooler", 12, &[])));
        assert!(kept(&record("Microsoft-Windows-PrintService", 808, &[])));
        assert!(!kept(&record(
            MANAGER,
            7034,
            &["Print Spooler Extensions", "1"]
        )));
        assert!(!kept(&record(MANAGER, 7046, &["Print Spooler"])));
        assert!(!kept(&record("Other", 7034, &["Print Spooler"])));
        assert!(!kept(&record(MANAGER, 7009, &["30000", "Other"])));
        let crashes = "Application Error";
        assert!(kept(&record(crashes, 1000, &["SPOOLSV.EXE", "1"])));
        assert!(kept(&record(crashes, 1000, &["spoolsv.exe_Spooler"])));
        assert!(!kept(&record(crashes, 1000, &["spoolsv.exe_Fax"])));
        assert!(!kept(&record(crashes, 1001, &["spoolsv.exe"])));
    }

    #[test]
    fn a_report_about_a_process_is_of_the_service_that_runs_its_file() {
        let exception = |file: &str| {
            let text = format!(
                "Application: {file}\r\nFramework Version: v4.0.30319\r\nDescription: The process was terminated due to an unhandled exception.\r\nException Info: System.IO.IOException\r\n"
            );
            record(".NET Runtime", 1026, &[&text])
        };
        assert!(kept(&exception("SpoolSv.exe")));
        assert!(!kept(&exception("other.exe")));
        assert!(!kept(&record(".NET Runtime", 1026, &["spoolsv.exe"])));
        assert!(!kept(&record(".NET Runtime", 1026, &[])));
        assert!(!kept(&record(
            ".NET Runtime",
            1022,
            &["Application: spoolsv.exe"]
        )));
        let told = line("Application", &exception("spoolsv.exe"));
        assert!(told.is_of_crash() && told.exception().is_none());
        assert!(told.meaning().unwrap().contains(".NET"));
        assert!(told.strings[0].starts_with("Application: spoolsv.exe  Framework Version:"));

        let kept_report = |file| {
            let strings = ["", "0", "APPCRASH", "Not available", "0", file, "10.0"];
            record("Windows Error Reporting", 1001, &strings)
        };
        assert!(kept(&kept_report("spoolsv.exe")));
        assert!(kept(&kept_report("spoolsv.exe_Spooler")));
        assert!(!kept(&kept_report("other.exe")));
        let told = line("Application", &kept_report("spoolsv.exe"));
        assert!(!told.is_of_crash(), "it may be of long ago");
        assert!(told.meaning().is_some());
    }

    #[test]
    fn the_table_is_whole_and_told_of_the_manager_alone() {
        let all: Vec<_> = rows().collect();
        assert!(
            all.len() > 35 && all.is_sorted_by(|one, next| one.0 < next.0),
            "{all:?}"
        );
        for (id, words, source) in all {
            let id: u32 = id.parse().unwrap();
            assert!(MANAGER_EVENTS.contains(&id) && !words.is_empty(), "{id}");
            assert!(source.starts_with("EVENT_"), "{source}");
        }
        let told = |source| line("System", &record(source, 7034, &[])).meaning();
        assert_eq!(told(MANAGER), Some("ended unexpectedly"));
        assert_eq!(told("Other"), None);
    }

    #[test]
    fn a_service_without_a_display_name_does_not_match_empty_strings() {
        let asked = EventsAsked {
            display_name: Some(String::new()),
            ..asked()
        };
        let mut sieve = Sieve::new(&asked);
        sieve.take("System", &record(MANAGER, 7034, &["", "1"]));
        assert_eq!(sieve.found().lines, []);
    }

    #[test]
    fn there_are_no_more_lines_than_can_be_read() {
        let asked = asked();
        let mut sieve = Sieve::new(&asked);
        for log in LOGS {
            for at in 0..40 {
                let mut record = record("Spooler", 1, &["a\nb", &"x".repeat(1000)]);
                record.generated = at;
                assert_eq!(sieve.take(log, &record), at >= 20);
            }
        }
        let found = sieve.found();
        assert_eq!((found.lines.len(), found.cut), (20, true));
        assert!(found.lines.is_sorted_by(|a, b| a.at >= b.at));
        assert_eq!(found.lines[0].strings, ["a b".to_owned(), "x".repeat(300)]);
    }
}
