//! How a restart ended, and all that is to be told of it.

use super::{Asked, Outcome, Role, Verb};
use crate::id::Name;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// One thing that is done to one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What.
    pub verb: Verb,
    /// To which service.
    pub service: Name,
    /// Why.
    pub role: Role,
}

impl fmt::Display for Deed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            service,
            role,
        } = self;
        match role {
            Role::Service => write!(formatter, "{verb} {service}"),
            Role::Dependency | Role::Dependent => write!(formatter, "{verb} {service} ({role})"),
        }
    }
}

/// How a restart ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The word for it.
    pub outcome: Outcome,
    /// The service that the word is about: the one asked for, or one that stood in its way.
    pub about: Name,
    /// What it rests on, a lower-case fragment; empty where the word says all.
    pub because: String,
    /// The Win32 code that was answered, or that the service ended with.
    pub code: Option<u32>,
    /// What was to be done, in order; empty where that was not found out.
    pub planned: Vec<Deed>,
    /// What was done, in order.
    pub done: Vec<Deed>,
    /// Dependents that ran before and do not run now, as far as is known.
    pub left_down: Vec<Name>,
    /// What is worth knowing besides, each a lower-case fragment.
    pub notes: Vec<String>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            outcome: Outcome::HostFault,
            about: Name::new(""),
            because: String::new(),
            code: None,
            planned: Vec::new(),
            done: Vec::new(),
            left_down: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// What ends a restart, or a part of it, before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) outcome: Outcome,
    pub(super) about: Name,
    pub(super) because: String,
    pub(super) code: Option<u32>,
}

impl Problem {
    pub(super) fn new(outcome: Outcome, about: &Name, because: impl Into<String>) -> Self {
        Self {
            outcome,
            about: about.clone(),
            because: because.into(),
            code: None,
        }
    }
}

impl Report {
    /// One that ended before anything was done. A dependency or dependent that stands in the way is named.
    pub(super) fn of(problem: Problem, asked: &Asked) -> Self {
        let mut report = problem.alone();
        if report.about.as_str().is_empty() {
            report.about = asked.service.clone();
        }
        report
    }

    pub(super) fn dry_run(asked: &Asked) -> Self {
        Self {
            outcome: Outcome::DryRun,
            about: asked.service.clone(),
            ..Self::default()
        }
    }

    /// Everything in one sentence without a stop, for a notice, a log and a terminal; `service` is the one asked for.
    pub fn sentence(&self, service: &Name) -> String {
        let mut parts = Vec::new();
        let about = if self.about == *service {
            String::new()
        } else {
            format!(" ({})", self.about)
        };
        parts.push(format!("{service}: {}{about}", self.outcome));
        if !self.because.is_empty() {
            parts.push(self.because.clone());
        }
        let again: Vec<&str> = self
            .done
            .iter()
            .filter(|deed| deed.role == Role::Dependent && deed.verb == Verb::Start)
            .map(|deed| deed.service.as_str())
            .collect();
        if !again.is_empty() {
            parts.push(format!("started again: {}", again.join(", ")));
        }
        if !self.left_down.is_empty() {
            let down: Vec<String> = self.left_down.iter().map(ToString::to_string).collect();
            parts.push(format!("left down: {}", down.join(", ")));
        }
        parts.join("; ")
    }
}
