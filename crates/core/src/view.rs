//! What is shown: the newest state of one thing, as the page, the API and the metrics give it.

use crate::{
    id::{IncidentId, Name},
    notice::Why,
    observe::{Fault, ServiceDetails, StartType, State},
    plan::{Expect, GroupPlan, Labels},
    silence::{SilenceId, SilenceRow},
    time::Wall,
};
use alloc::{string::String, sync::Arc};

/// The newest state of one thing.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// Everything that was there at the start has been shown.
    Complete,
    /// A host.
    Host(HostView),
    /// A check of a host has ended, and all that it changed was shown before.
    Checked {
        /// The host.
        host: Name,
        /// When.
        at: Wall,
        /// Whether the host was read. Otherwise it has a fault that was known before, or is not confirmed yet.
        read: bool,
    },
    /// A host is not watched any more; its services are gone with it.
    HostGone(Name),
    /// A service.
    Service(ServiceView),
    /// A service is not watched any more.
    ServiceGone {
        /// The host.
        host: Name,
        /// The service.
        service: Name,
    },
    /// A silence.
    Silence(SilenceView),
    /// A silence is over.
    SilenceGone(SilenceId),
    /// How many deliveries wait at a destination.
    Outbox {
        /// The destination.
        destination: Name,
        /// How many.
        pending: u64,
    },
}

/// A host as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// Its name.
    pub name: Name,
    /// Where it is reached.
    pub address: String,
    /// Its site.
    pub site: Option<Arc<str>>,
    /// Its confirmed fault; none where it can be read, or was not looked at yet.
    pub fault: Option<Fault>,
    /// The sentence of the fault.
    pub cause: Option<String>,
    /// Since when it is as it is; none before the first look.
    pub since: Option<Wall>,
    /// When it was last checked; none before the first look.
    pub checked_at: Option<Wall>,
    /// How many services it shows us.
    pub visible: Option<u32>,
    /// How many of them are watched.
    pub watched: u32,
    /// Its labels.
    pub labels: Labels,
}

impl HostView {
    /// Whether it is read: it was at least once, and has no confirmed fault. The first look at a host that cannot be
    /// read confirms no fault yet.
    pub const fn is_up(&self) -> bool {
        self.fault.is_none() && self.checked_at.is_some() && self.visible.is_some()
    }
}

/// A silence as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct SilenceView {
    /// The silence.
    pub row: SilenceRow,
    /// Whether it holds now; one that does not is yet to begin.
    pub holds: bool,
}

/// A service as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// The host.
    pub host: Name,
    /// Its key name.
    pub service: Name,
    /// Its display name.
    pub display_name: Option<Arc<str>>,
    /// What people call it.
    pub friendly_name: Option<Arc<str>>,
    /// Its last confirmed state. Where its host has a fault, people are shown `unknown` and the metric keeps this one.
    pub state: State,
    /// Since when.
    pub since: Wall,
    /// How it should be.
    pub expected: Expect,
    /// Whether it is so; a service of which nothing is known is not.
    pub as_expected: bool,
    /// The group that counts it: whether it is as expected then depends on its other hosts too.
    pub group: Option<Arc<GroupPlan>>,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// Whether an event starts it; none where that could not be read.
    pub trigger_start: Option<bool>,
    /// What else is known of its configuration.
    pub details: Option<Arc<ServiceDetails>>,
    /// The process.
    pub pid: Option<u32>,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// Its open incident.
    pub incident: Option<IncidentId>,
    /// Why it is not told although it is not as expected.
    pub muted: Option<Why>,
    /// Labels of the host and its own.
    pub labels: Labels,
}
