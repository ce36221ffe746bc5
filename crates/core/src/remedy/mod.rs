//! When a service is started again by us, and what became of it.
//!
//! A service says which [`RemedyPlan`] it has; nothing is done for one that says none. [`decide`] judges one service
//! after a reading of its host, [`Tries`] remembers what was tried, and [`budget`] counts it; [`procedure`] says what
//! one try does, step by step. A try is written down before it is begun, so that nothing is forgotten and nothing is
//! done twice, whenever we end.

pub mod budget;
pub mod decide;
pub mod plan;
pub mod procedure;
pub mod tries;

#[cfg(test)]
mod decide_tests;

pub use plan::{Budget, Budgets, EntryRemedy, Occasion, RemedyPlan};
pub use tries::Tries;

use crate::{
    id::{IncidentId, Name},
    time::Wall,
};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::fmt;

/// Which try: made from the incident that it is for and the number of the line of history that tells its beginning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActId(pub Arc<str>);

impl ActId {
    /// The identity of the try that was begun for an incident with this line of the history of its service.
    pub fn new(incident: &IncidentId, seq: u64) -> Self {
        Self(Arc::from(format!("{incident}-{seq}")))
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

words! {
    /// How a try ended.
    pub enum Outcome {
        /// The service runs.
        Started = "started",
        /// It does not run, and the host said why.
        Failed = "failed",
        /// The host does not let us start it.
        Denied = "denied",
        /// Nobody knows: the answer did not come, or we ended before it did. A fresh reading tells what it came to.
        Unknown = "unknown",
        /// It was not begun, because it could be only long after it had been decided.
        TooLate = "too_late",
        /// Nothing was done: it was only said what would have been.
        DryRun = "dry_run",
    }
}

impl From<procedure::Outcome> for Outcome {
    fn from(ended: procedure::Outcome) -> Self {
        use procedure::Outcome as Ended;
        match ended {
            // Whether what depends on it came back too is told beside.
            Ended::Restarted | Ended::Started | Ended::AlreadyRunning | Ended::DependentsDown => {
                Self::Started
            }
            Ended::DryRun => Self::DryRun,
            Ended::Denied => Self::Denied,
            // The host went away in the middle of it, or never answered: its next reading tells.
            Ended::UnknownOutcome | Ended::HostFault | Ended::HostGoingDown => Self::Unknown,
            Ended::Paused
            | Ended::Disabled
            | Ended::StopRefused
            | Ended::StopTimeout
            | Ended::StartRefused
            | Ended::StartTimeout
            | Ended::StartFailed
            | Ended::DependencyDown
            | Ended::DependencyCircle
            | Ended::LogonFailure
            | Ended::Gone
            | Ended::TooMany
            | Ended::OutOfTime => Self::Failed,
        }
    }
}

words! {
    /// What a budget counts.
    pub enum Scope {
        /// The tries for one service on one host.
        Service = "service",
        /// The tries for the services of one group.
        Group = "group",
        /// All tries.
        Fleet = "fleet",
    }
}

/// A try to start a service again. It is the record of what we did ourselves, and never goes while it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemedyRow {
    /// Which.
    pub id: ActId,
    /// The host.
    pub host: Name,
    /// The service, by key name.
    pub service: Name,
    /// The group by which the service got its plan.
    pub group: Option<Name>,
    /// The incident that it is for.
    pub incident: IncidentId,
    /// The plan.
    pub plan: Name,
    /// Which try for this incident, from 1.
    pub attempt: u32,
    /// Whether nothing was to be done but to say what would be.
    pub dry_run: bool,
    /// When it was decided.
    pub at: Wall,
    /// When it ended; none while it is under way.
    pub ended_at: Option<Wall>,
    /// How it ended; none while it is under way.
    pub outcome: Option<Outcome>,
    /// What happened, in one sentence for people, without secrets; empty while it is under way.
    pub text: String,
    /// The budgets that were told as used up after it: each is told once until something is tried again.
    pub budgets_told: Vec<Scope>,
}

/// A try, as a notice tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemedyTold {
    /// When it was begun.
    pub at: Wall,
    /// The plan.
    pub plan: Name,
    /// Which try for this incident, from 1.
    pub attempt: u32,
    /// How it ended; none while it is under way.
    pub outcome: Option<Outcome>,
    /// What happened, in one sentence for people; empty while it is under way.
    pub text: String,
}

impl From<&RemedyRow> for RemedyTold {
    fn from(row: &RemedyRow) -> Self {
        Self {
            at: row.at,
            plan: row.plan.clone(),
            attempt: row.attempt,
            outcome: row.outcome,
            text: row.text.clone(),
        }
    }
}
