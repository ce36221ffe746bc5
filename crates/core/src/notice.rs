//! What is to be told.

use crate::{
    evidence::Evidence,
    id::{IncidentId, Name, Subject},
    observe::{ServiceDetails, StartType, State},
    plan::{Labels, Wanted},
    remedy::RemedyTold,
    time::Wall,
};
use alloc::{string::String, sync::Arc, vec::Vec};

words! {
    /// Where in its incident a notice stands.
    pub enum Kind {
        /// Something is wrong.
        Opened = "opened",
        /// It is wrong in another way.
        Updated = "updated",
        /// It is still wrong.
        Reminder = "reminder",
        /// It is over.
        Resolved = "resolved",
        /// Good to know.
        Info = "info",
        /// Many things at once.
        Summary = "summary",
    }
}

words! {
    /// How bad it is.
    pub enum Severity {
        /// Somebody should get up.
        Critical = "critical",
        /// Somebody should look.
        Warning = "warning",
        /// Good to know.
        Info = "info",
    }
}

words! {
    /// What is told, in one word.
    pub enum ToldEvent {
        /// A service stopped.
        Stopped = "stopped",
        /// A service runs.
        Started = "started",
        /// A service is paused.
        Paused = "paused",
        /// A service does not get on with starting or stopping.
        Stuck = "stuck",
        /// A service is not installed.
        Missing = "missing",
        /// We may not see it any more.
        Hidden = "hidden",
        /// It ended and was started again.
        Restarted = "restarted",
        /// It runs on another host of its group than before.
        Moved = "moved",
        /// It is set up in another way, is new or is gone; or it is there and should not be.
        Changed = "changed",
        /// It is not watched any more.
        Unwatched = "unwatched",
        /// A destination does not take what it is given.
        DestinationFailing = "destination_failing",
        /// A host cannot be reached.
        HostUnreachable = "host_unreachable",
        /// A host can be read again.
        HostRecovered = "host_recovered",
        /// A host does not let us read its services.
        AccessDenied = "access_denied",
        /// A host refuses our logon.
        LogonRefused = "logon_refused",
        /// An account is not used any more until it is mended.
        AccountPaused = "account_paused",
        /// Another computer answers.
        WrongHost = "wrong_host",
        /// A host answers what makes no sense.
        ProtocolError = "protocol_error",
        /// A host was booted and some of its services did not come back.
        AfterBoot = "after_boot",
        /// A service is not started again because what may be tried was tried.
        RemedyBudgetUsed = "remedy_budget_used",
        /// Somebody tries whether notices arrive.
        Test = "test",
    }
}

impl ToldEvent {
    /// Its severity unless the configuration says otherwise.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Stopped | Self::Stuck | Self::HostUnreachable => Severity::Critical,
            Self::Started
            | Self::Paused
            | Self::Missing
            | Self::Hidden
            | Self::AccessDenied
            | Self::LogonRefused
            | Self::AccountPaused
            | Self::WrongHost
            | Self::AfterBoot
            | Self::RemedyBudgetUsed
            | Self::ProtocolError
            | Self::DestinationFailing => Severity::Warning,
            Self::Restarted
            | Self::Moved
            | Self::Changed
            | Self::Unwatched
            | Self::HostRecovered
            | Self::Test => Severity::Info,
        }
    }
}

/// An incident, as a notice names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRef {
    /// Which.
    pub id: IncidentId,
    /// Since when it is open.
    pub opened_at: Wall,
}

/// An incident that came and went without having been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Which.
    pub incident: IncidentId,
    /// When it opened.
    pub opened_at: Wall,
    /// When it was over.
    pub resolved_at: Wall,
}

/// One line of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The host.
    pub host: Option<Name>,
    /// The group, where it is about a service on all hosts of one.
    pub group: Option<Name>,
    /// The service; none where the host itself is meant.
    pub service: Option<Name>,
    /// The state of the service.
    pub state: Option<State>,
    /// What is wrong.
    pub event: ToldEvent,
}

/// A group, as a notice about a service of it tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSeen {
    /// Its name.
    pub name: Name,
    /// On how many of its hosts the service should run.
    pub expected: Wanted,
    /// On how many it is seen running.
    pub running: u32,
    /// Its hosts, each with the state of the service there; unknown where it cannot be seen.
    pub members: Vec<(Name, State)>,
}

/// What is to be told, complete: all that a destination needs to write its message.
/// What is unknown is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Where in its incident it stands.
    pub kind: Kind,
    /// What happened.
    pub event: ToldEvent,
    /// When it happened.
    pub at: Wall,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// The site of the host.
    pub site: Option<Arc<str>>,
    /// The service's display name.
    pub display_name: Option<Arc<str>>,
    /// What people call the service.
    pub friendly_name: Option<Arc<str>>,
    /// The state now.
    pub state: Option<State>,
    /// The state before; none at first sight.
    pub previous_state: Option<State>,
    /// Since when the state is so.
    pub since: Option<Wall>,
    /// How the service is started.
    pub start_type: Option<StartType>,
    /// What else is known of the service's configuration.
    pub details: Option<Arc<ServiceDetails>>,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// The service's own exit code, where `exit_code` is 1066.
    pub service_exit_code: Option<u32>,
    /// Why, in one sentence for people.
    pub cause: Option<String>,
    /// What was tried to start the service again, oldest first, at most [`crate::limits::REMEDY_LINES_MAX`].
    pub remedy: Vec<RemedyTold>,
    /// What was found out about why, as far as it may be told.
    pub evidence: Option<Arc<Evidence>>,
    /// Labels of the host and the service.
    pub labels: Labels,
    /// The incident; none for tests and summaries.
    pub incident: Option<IncidentRef>,
    /// Incidents that came and went untold.
    pub merged: Vec<Merged>,
    /// The group, where the service is counted over one.
    pub group: Option<Arc<GroupSeen>>,
    /// The lines of a summary, at most [`crate::limits::SUMMARY_ITEMS_MAX`].
    pub items: Vec<Item>,
    /// How many things a notice stands for, by event (for a paused account: hosts unseen, under `host_unreachable`'s
    /// place `account_paused`).
    pub counts: Vec<(ToldEvent, u64)>,
    /// The sequence number, within its subject, of the change that it tells.
    pub seq: u64,
}

impl Notice {
    /// A notice of which nothing but this is known; its severity is the event's own.
    pub fn new(kind: Kind, event: ToldEvent, at: Wall, subject: Subject, seq: u64) -> Self {
        Self {
            kind,
            event,
            at,
            severity: event.severity(),
            subject,
            site: None,
            display_name: None,
            friendly_name: None,
            state: None,
            previous_state: None,
            since: None,
            start_type: None,
            details: None,
            exit_code: None,
            service_exit_code: None,
            cause: None,
            remedy: Vec::new(),
            evidence: None,
            labels: Arc::from([]),
            incident: None,
            merged: Vec::new(),
            group: None,
            items: Vec::new(),
            counts: Vec::new(),
            seq,
        }
    }
}

impl Why {
    /// Whether it is held back because its host goes down or comes back.
    pub const fn is_of_boot(self) -> bool {
        matches!(self, Self::BootGrace | Self::ShuttingDown)
    }
}

words! {
    /// Why something was not told. The same word stands in the API, the metrics, the logs and `explain`.
    pub enum Why {
        /// A learned service that was never seen running.
        NeverSeenRunning = "never_seen_running",
        /// It was over before its host's `settle` time was.
        Settled = "settled",
        /// No route leads anywhere for it.
        NoRoute = "no_route",
        /// The whole host is not readable; that is told instead.
        HostFault = "host_fault",
        /// The account of the host is paused; that is told instead.
        AccountPaused = "account_paused",
        /// It stands in a summary.
        Summarized = "summarized",
        /// A later notice of the same service says it too.
        MergedLater = "merged",
        /// Somebody has acknowledged the incident, so it is not repeated.
        Acknowledged = "acknowledged",
        /// Its host was booted a short while ago: what does not come back is told as one.
        BootGrace = "boot_grace",
        /// Its host is shutting down: it is told where the host does not come back.
        ShuttingDown = "shutting_down",
        /// A silence covers it.
        Silenced = "silenced",
        /// A maintenance window covers it.
        Maintenance = "maintenance",
        /// It could not be delivered before its expiry.
        Expired = "expired",
        /// The destination will never take it.
        Parked = "parked",
        /// The destination is not in the configuration any more.
        DestinationRemoved = "destination_removed",
        /// The destination that fails cannot be told of its own failure.
        OwnFailure = "own_failure",
        /// A bound of the program was reached.
        Limit = "limit",
    }
}
