//! The record of one restart: what, on which host, for whom, with which account, each step with its answer, and how it
//! ended. It is what `svcwatch restart -o json` prints, and a line of the journal.

use serde::{Deserialize, Serialize};
use svcwatch_core::{
    id::Name,
    remedy::procedure::{self, Report},
};

/// The version of the record.
const VERSION: u32 = 1;

/// One restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The version of this record. Fields and values may be added; treat an unknown outcome as a failure.
    pub version: u32,
    /// Its natural key: when it began, the process that did it, and how many that had begun before.
    pub id: String,
    /// When it began (RFC 3339, UTC, milliseconds).
    pub at: String,
    /// When it ended; none where it is not over, or nobody saw its end.
    pub ended: Option<String>,
    /// Who asked for it: a person, or the plan of a remedy.
    pub by: String,
    /// The account that acted; none for the one that svcwatch runs as.
    pub account: Option<String>,
    /// The host.
    pub host: String,
    /// The name by which the computer called itself.
    pub computer: Option<String>,
    /// The service that it was for, by its key name.
    pub service: String,
    /// What was wanted: `restart` or `run`.
    pub aim: String,
    /// Whether it was only said what would be done.
    pub dry_run: bool,
    /// Its process before, where one ran and the host told it.
    pub pid_before: Option<u32>,
    /// Its process afterwards.
    pub pid_after: Option<u32>,
    /// What was to be done, in order.
    pub planned: Vec<Done>,
    /// What was done, in order.
    pub done: Vec<Done>,
    /// Every step with its answer, in order; a state that did not change stands once.
    pub steps: Vec<Step>,
    /// How it ended, from a closed list; none where it is not over.
    pub outcome: Option<String>,
    /// The service that the outcome is about: the one that it was for, or one that stood in its way.
    pub about: Option<String>,
    /// What the outcome rests on.
    pub because: Option<String>,
    /// The code of Windows that was answered, or that the service ended with.
    pub code: Option<u32>,
    /// Services that depend on it, ran before and do not run now, as far as is known.
    pub left_down: Vec<String>,
    /// What is worth knowing besides.
    pub notes: Vec<String>,
    /// All of it in one sentence.
    pub text: String,
}

/// Something that is done to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// `stop` or `start`.
    pub verb: String,
    /// The service.
    pub service: String,
    /// Why: `service`, `dependency` or `dependent`.
    pub role: String,
}

/// A step and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it was answered.
    pub at: String,
    /// What was done, in a few words.
    pub step: String,
    /// What came of it.
    pub answer: String,
}

impl Act {
    /// One that begins.
    pub(super) fn begun(
        id: String,
        at: String,
        by: &str,
        host: &Name,
        asked: &procedure::Asked,
    ) -> Self {
        Self {
            version: VERSION,
            id,
            at,
            ended: None,
            by: by.to_owned(),
            account: None,
            host: host.to_string(),
            computer: None,
            service: asked.service.to_string(),
            aim: asked.aim.to_string(),
            dry_run: asked.dry_run,
            pid_before: None,
            pid_after: None,
            planned: Vec::new(),
            done: Vec::new(),
            steps: Vec::new(),
            outcome: None,
            about: None,
            because: None,
            code: None,
            left_down: Vec::new(),
            notes: Vec::new(),
            text: String::new(),
        }
    }

    /// It is over.
    pub(super) fn over(&mut self, at: String, service: &Name, report: &Report) {
        self.ended = Some(at);
        self.planned = report.planned.iter().map(Done::of).collect();
        self.done = report.done.iter().map(Done::of).collect();
        self.outcome = Some(report.outcome.to_string());
        self.about = Some(report.about.to_string());
        self.because = Some(report.because.clone()).filter(|text| !text.is_empty());
        self.code = report.code;
        self.left_down = report.left_down.iter().map(ToString::to_string).collect();
        self.notes.clone_from(&report.notes);
        self.text = report.sentence(service);
    }
}

impl Done {
    fn of(deed: &procedure::Deed) -> Self {
        Self {
            verb: deed.verb.to_string(),
            service: deed.service.to_string(),
            role: deed.role.to_string(),
        }
    }
}
