//! What is to be done next, and what came of it.

use super::{Aim, Report};
use crate::{
    id::Name,
    observe::{HostFault, Reading, StartType},
    time::Span,
};
use alloc::{boxed::Box, string::String, vec::Vec};

/// What a restart is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The service, by its key name.
    pub service: Name,
    /// What is wanted of it.
    pub aim: Aim,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
    /// How long all of it may take; starting again what was stopped gets [`crate::limits::RESTART_AGAIN`] besides.
    pub time: Span,
    /// How long a service may be without progress, or three of its own wait hints if that is longer.
    pub still: Span,
}

/// What is to be done next. Whoever does it answers with what came of it, and does nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask for the state of a service: [`Answer::Status`].
    Query(Name),
    /// Ask how a service is set up: [`Answer::Setup`].
    Setup(Name),
    /// Ask which services depend on one and do not stand still: [`Answer::Dependents`], or [`Answer::NotOffered`].
    Dependents(Name),
    /// Open a service with the right to start it, and with that to stop it where so is said, and close it again:
    /// [`Answer::Done`].
    May {
        /// The service.
        service: Name,
        /// Whether it is to be stopped too.
        stop: bool,
    },
    /// Ask a service to stop: [`Answer::Done`] or [`Answer::Lost`].
    Stop(Name),
    /// Start a service: [`Answer::Done`] or [`Answer::Lost`].
    Start(Name),
    /// Wait so long: [`Answer::Done`].
    Wait(Span),
    /// It is over.
    Done(Box<Report>),
}

/// How a service is set up, as far as a restart needs it. What was denied or not told is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setup {
    /// How it is started.
    pub start_type: Option<StartType>,
    /// The services that it depends on, and groups with a `+` in front.
    pub dependencies: Option<Vec<String>>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The state of the service.
    Status(Reading),
    /// How it is set up.
    Setup(Setup),
    /// The services that depend on it and do not stand still.
    Dependents(Vec<Name>),
    /// The host does not offer what was asked, or does not let this account ask it.
    NotOffered,
    /// It was done; of a control, that the manager took it.
    Done,
    /// The manager refused with this Win32 code.
    Code(u32),
    /// The host could not be asked, so nothing was done.
    Fault(HostFault),
    /// A control was sent and no answer came, so nobody knows whether it was done.
    Lost {
        /// What was seen instead, a lower-case fragment.
        cause: String,
    },
}
