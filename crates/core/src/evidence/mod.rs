//! What is found out about why a service is not as expected: asked for when its incident opens, put in order here.
//!
//! A cause is found at once from what the reading says ([`of_reading`]). What its host can tell besides is asked for, of
//! a few hosts at a time ([`Queue`]), and waited for a short while; then the cause is found again from all of it
//! ([`of_answer`]).

mod clues;
mod queue;
#[cfg(test)]
mod tests;

pub use clues::{Circumstances, of_answer, of_fault, of_reading};
pub use queue::{Asked, GivenUp, Queue, Waiting};

use crate::{
    cause::{Cause, Told},
    id::Name,
    observe::{ServiceConfig, State},
    record::HistoryRow,
    time::{Span, Wall},
};
use alloc::{format, string::String, vec::Vec};

/// How evidence is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidencePlan {
    /// How long the first notice of an incident waits for it, at most.
    pub wait: Span,
    /// How long after an incident opened it is given up.
    pub deadline: Span,
    /// Of how many hosts it is gathered at a time.
    pub hosts_at_once: usize,
    /// What is done with the lines of event logs.
    pub log: LogUse,
    /// What is done with what comes after the first notice.
    pub late: Late,
}

words! {
    /// What is done with the lines of event logs. Their texts can hold secrets.
    pub enum LogUse {
        /// They are not read.
        Off = "off",
        /// They are read and kept: incidents and the API show them, notices do not.
        Store = "store",
        /// Notices show them too.
        Tell = "tell",
    }
}

words! {
    /// What is done with evidence that comes after the first notice.
    pub enum Late {
        /// Incidents and the API show it.
        Store = "store",
        /// It is told as an `updated` notice too, where it finds another cause than was told.
        Tell = "tell",
    }
}

/// Which asking: an answer to another one is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GatherId(pub u64);

/// What one host is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatherRequest {
    /// The host.
    pub host: Name,
    /// Which asking.
    pub gather: GatherId,
    /// About which services, at most [`crate::limits::GATHERED_AT_ONCE`].
    pub services: Vec<GatherService>,
    /// Whether the event log is read.
    pub log: bool,
    /// How long all of it may take.
    pub timeout: Span,
    /// How long one question may take: as long as a check of this host.
    pub question: Span,
}

/// A service about which a host is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatherService {
    /// Its key name.
    pub service: Name,
    /// Its display name, by which the service control manager's events name it.
    pub display_name: Option<String>,
    /// From when on events are about this.
    pub since: Wall,
}

/// What a host answered about one service. What was not asked for or not told is empty; why is in `lacking`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// The service.
    pub service: Name,
    /// How it is set up now.
    pub config: Option<ServiceConfig>,
    /// What it depends on, services and groups (`+name`), with the state; no state of a group, and none where the host does
    /// not show it.
    pub dependencies: Vec<(String, Option<State>)>,
    /// The services that run in the process that it ran in last; nothing where that or the process is not known.
    pub beside: Option<Vec<String>>,
    /// What depends on it, with the state.
    pub dependents: Vec<(String, State)>,
    /// The last lines of the event log about it, the newest first.
    pub log: Vec<LogLine>,
    /// Its lines of history, the newest first.
    pub history: Vec<HistoryRow>,
    /// What could not be found out, and why: fragments for people.
    pub lacking: Vec<String>,
}

impl Gathered {
    /// Nothing was found out about this service.
    pub const fn nothing(service: Name) -> Self {
        Self {
            service,
            config: None,
            dependencies: Vec::new(),
            beside: None,
            dependents: Vec::new(),
            log: Vec::new(),
            history: Vec::new(),
            lacking: Vec::new(),
        }
    }

    /// The same with changes, the newest first, that were found while its history was read.
    #[must_use]
    pub fn with_changes(&self, changes: &[HistoryRow]) -> Self {
        let known = |row: &&HistoryRow| self.history.iter().any(|known| known.seq == row.seq);
        let new = changes.iter().filter(|row| !known(row));
        Self {
            history: new.chain(&self.history).cloned().collect(),
            ..self.clone()
        }
    }
}

words! {
    /// What came of asking a host why a service is not as expected.
    pub enum Heard {
        /// It answered.
        Answered = "answered",
        /// It did not answer in time.
        Silent = "silent",
        /// It was not asked in time, because too many were asked at once. It still may be.
        Queued = "queued",
        /// It was not asked at all, for the same reason.
        NotAsked = "not_asked",
    }
}

/// A line of an event log, with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Wall,
    /// The log, the reporter and the number: `System 7034 Service Control Manager`.
    pub from: String,
    /// What is known of its meaning; nothing where only the host has its text.
    pub meaning: Option<String>,
    /// What its text is filled with, masked where it looks like a secret.
    pub strings: Vec<String>,
    /// What it proves.
    pub proves: Option<Told>,
}

words! {
    /// What a clue is about.
    pub enum ClueKind {
        /// A fact that the cause rests on.
        Because = "because",
        /// The state now and before, and since when.
        State = "state",
        /// How it ended.
        ExitCode = "exit_code",
        /// The process that it had last.
        Process = "process",
        /// How it is started.
        StartType = "start_type",
        /// The account it runs as.
        Account = "account",
        /// What it runs.
        Path = "path",
        /// What its host does when it fails.
        FailureActions = "failure_actions",
        /// Something that it depends on.
        Dependency = "dependency",
        /// Something that depends on it.
        Dependent = "dependent",
        /// A change since it last ran well.
        Changed = "changed",
        /// That its host booted or goes down.
        Boot = "boot",
        /// A line of the host's event log.
        Event = "event",
        /// What could not be found out.
        Lacking = "lacking",
    }
}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clue {
    /// What it is about.
    pub kind: ClueKind,
    /// When, where it is about a moment.
    pub at: Option<Wall>,
    /// It, for people: a fragment without a stop.
    pub text: String,
    /// Whether it may leave for destinations.
    pub told: bool,
}

/// The cause of an incident and what was found out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The cause.
    pub cause: Cause,
    /// What was found out: first what the cause rests on.
    pub clues: Vec<Clue>,
    /// Whether its host was asked and has answered, or will not.
    pub complete: bool,
}

impl Evidence {
    /// The cause in a sentence; nothing where it is not known.
    pub fn sentence(&self) -> Option<String> {
        let words = self.cause.in_words()?;
        let because = self
            .clues
            .iter()
            .find(|clue| clue.kind == ClueKind::Because)
            .filter(|clue| clue.text != words);
        Some(because.map_or_else(
            || String::from(words),
            |clue| format!("{words}: {}", clue.text),
        ))
    }

    /// The same without what stays with us.
    #[must_use]
    pub fn for_destinations(&self) -> Self {
        Self {
            clues: self
                .clues
                .iter()
                .filter(|clue| clue.told)
                .cloned()
                .collect(),
            ..self.clone()
        }
    }
}
