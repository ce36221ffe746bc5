//! Why something is told, or not: which entry of the plan applies to a service, how it stands, and who is told what.

pub use super::{explain_group::GroupExplained, explain_remedy::RemedyExplained};

use super::Engine;
use crate::{
    health,
    hearing::Hears,
    id::{IncidentId, Name, Subject},
    notice::{Kind, Severity, ToldEvent, Why},
    observe::{Fault, StartType, State},
    plan::{EntryPlan, Expect, HostPlan, Limit, StoppedOk},
    policy::recovery,
    record::BootRow,
    rhythm::Rhythm,
    silence::{By, Mute},
    time::{Now, Span, Wall},
};
use alloc::{format, string::String, sync::Arc, vec::Vec};

/// What applies to a host or one of its services, and why it is told or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The host.
    pub host: Name,
    /// Where it is reached.
    pub address: String,
    /// The computer name that it gave at its first good logon.
    pub computer_name: Option<String>,
    /// The account that it is read with.
    pub account: Option<Name>,
    /// Why the account is paused, where it is.
    pub account_paused: Option<&'static str>,
    /// When it is read.
    pub every: Rhythm,
    /// When it is read next by its schedule; none where that goes by an interval, or is over.
    pub next_round: Option<Wall>,
    /// How long a fault of it must last.
    pub host_for: Span,
    /// How long notices about its services are held.
    pub settle: Span,
    /// How long they are held after a boot.
    pub boot_grace: Span,
    /// What is known of its last boot, and whether something is held because of one.
    pub boot: BootRow,
    /// Its confirmed fault.
    pub fault: Option<Fault>,
    /// The sentence of the fault.
    pub cause: Option<String>,
    /// Since when it is as it is.
    pub since: Wall,
    /// When it was last checked; none where it was not since the start.
    pub checked_at: Option<Wall>,
    /// How many services it shows us.
    pub visible: Option<u32>,
    /// Watched services that are installed and that we may not see.
    pub hidden: Vec<Name>,
    /// Whether the account is an administrator there, as far as a logon since the start told.
    pub administrator: Option<bool>,
    /// The open incident of the host.
    pub incident: Option<IncidentId>,
    /// One service, or all that are watched.
    pub services: Vec<ServiceExplained>,
}

/// What applies to one service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceExplained {
    /// Its key name.
    pub service: Name,
    /// The place of the entry that selects it, from 1, in the order of precedence.
    pub entry: usize,
    /// That entry in words.
    pub selector: String,
    /// How it should be.
    pub expect: Expect,
    /// How long it must be otherwise.
    pub for_span: Span,
    /// How long its host is given to start it again, where it fails and its failure actions say so.
    pub recovery: Option<Span>,
    /// How often it was started again lately, and since when.
    pub restarts: Option<(u32, Wall)>,
    /// How many readings must agree.
    pub confirm: u32,
    /// Its last confirmed state.
    pub state: State,
    /// Since when.
    pub since: Wall,
    /// The state before.
    pub previous_state: Option<State>,
    /// Since when it is not as expected, while it is not.
    pub wrong_since: Option<Wall>,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// Whether an event starts it.
    pub trigger_start: Option<bool>,
    /// Whether it is a per-user service.
    pub per_user: Option<bool>,
    /// Which stops are as good as running.
    pub stopped_ok: StoppedOk,
    /// Whether it is told when it is not installed.
    pub required: bool,
    /// Whether changes of how it is set up are told.
    pub changes: bool,
    /// Why nothing is said of its stops and changes: it is known for them.
    pub noise: Option<String>,
    /// Its severity, where it is set.
    pub severity: Option<Severity>,
    /// The group that counts it.
    pub group: Option<alloc::boxed::Box<GroupExplained>>,
    /// Whether it is started again by us, and why not now; nothing where that was not asked for.
    pub remedy: Option<alloc::boxed::Box<RemedyExplained>>,
    /// Its open incident.
    pub incident: Option<IncidentId>,
    /// Until when the opening is held.
    pub held_until: Option<Wall>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Why it is not told.
    pub muted: Option<Why>,
    /// The silence or maintenance window that covers it, in words, with its end.
    pub muted_by: Option<(String, Wall)>,
    /// How its changes come to us, where they are to be heard at once.
    pub hears: Option<Hears>,
    /// Where it would be told, with the state of each lane.
    pub lanes: Vec<LaneExplained>,
}

/// What one recipient knows of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneExplained {
    /// The destination.
    pub destination: Name,
    /// The recipient; empty where the destination itself is.
    pub recipient: Arc<str>,
    /// How often it is reminded.
    pub reminder: Option<Span>,
    /// Its limit.
    pub limit: Option<Limit>,
    /// The incident that it was told as open.
    pub told: Option<IncidentId>,
    /// How many messages wait for it.
    pub waiting: usize,
}

impl Engine {
    /// Explains a host, and one or all of its services; nothing for a host that is not in the plan.
    pub fn explain(
        &self,
        now: Now,
        host_name: &Name,
        service: Option<&Name>,
    ) -> Option<Explanation> {
        let host = self.hosts.get(host_name)?;
        let wanted = host
            .targets
            .iter()
            .filter(|target| service.is_none_or(|service| target.row.service == *service));
        let services = wanted
            .filter_map(|target| self.explain_service(now, host, target))
            .collect();
        let account = host
            .plan
            .account
            .as_ref()
            .and_then(|name| self.accounts.get(name));
        Some(Explanation {
            host: host.plan.name.clone(),
            address: host.plan.address.clone(),
            computer_name: host.row.computer_name.clone(),
            account: host.plan.account.clone(),
            account_paused: account
                .and_then(|account| account.row.paused)
                .map(crate::observe::Refusal::as_str),
            every: host.plan.every.clone(),
            next_round: next_round(&host.plan, now),
            host_for: host.plan.host_for,
            settle: host.plan.settle,
            boot_grace: host.plan.boot_grace,
            boot: host.row.boot,
            fault: host.row.fault,
            cause: host.row.cause.clone(),
            since: host.row.since,
            checked_at: host.checked_at,
            visible: host.row.visible,
            hidden: host
                .targets
                .iter()
                .filter(|target| target.row.hidden)
                .map(|target| target.row.service.clone())
                .collect(),
            administrator: host.administrator,
            incident: self
                .incidents
                .of(&Subject::Host(host_name.clone()))
                .map(|incident| incident.row.id.clone()),
            services,
        })
    }

    fn explain_service(
        &self,
        now: Now,
        host: &crate::host::Host,
        target: &crate::target::Target,
    ) -> Option<ServiceExplained> {
        let entry = host.plan.services.get(target.entry)?;
        let row = &target.row;
        let subject = Subject::Service {
            host: row.host.clone(),
            service: row.service.clone(),
        };
        let incident = self.incidents.of(&subject).map(|incident| &incident.row);
        Some(ServiceExplained {
            service: row.service.clone(),
            entry: target.entry.saturating_add(1),
            selector: entry.selector.in_words(),
            expect: entry.expect,
            for_span: entry.for_span,
            recovery: recovery::would_be_due(row, entry, row.wrong_since.unwrap_or(now.wall)),
            restarts: row
                .restarts
                .as_ref()
                .filter(|one| one.count > 0)
                .map(|one| (one.count, one.since)),
            confirm: entry.confirm,
            state: row.state,
            since: row.since,
            previous_state: row.previous_state,
            wrong_since: row.wrong_since,
            start_type: row.start_type,
            trigger_start: row.trigger_start,
            per_user: row.per_user,
            stopped_ok: entry.stopped_ok,
            required: health::is_required(row, entry),
            changes: entry.changes,
            noise: health::noise(row, entry).map(String::from),
            severity: entry.severity,
            group: self
                .group_of(&row.host, &row.service)
                .map(|group| alloc::boxed::Box::new(self.explain_group(now, group))),
            remedy: self
                .explain_remedy(now, &(row.host.clone(), row.service.clone()))
                .map(alloc::boxed::Box::new),
            incident: incident.map(|incident| incident.id.clone()),
            held_until: incident.and_then(|incident| incident.held_until),
            acknowledged_by: incident
                .and_then(|incident| incident.acknowledged.as_ref())
                .map(|note| note.by.clone()),
            muted: target
                .muted(entry)
                .or_else(|| self.mute_of(&subject))
                .or(host.row.fault.map(|_| Why::HostFault)),
            muted_by: self.mute_for(&subject).map(|mute| self.mute_in_words(mute)),
            hears: self.hears(host, target),
            lanes: self.explain_lanes(now, &subject, usual_of(entry)),
        })
    }

    pub(super) fn mute_in_words(&self, mute: &Mute) -> (String, Wall) {
        let words = match &mute.by {
            By::Window(name) => format!("maintenance window {name}"),
            By::Silence(id) => {
                let said = self
                    .mutes
                    .silence(id)
                    .map(|row| format!(" of {}: {}", row.author, row.comment));
                format!("silence {id}{}", said.unwrap_or_default())
            }
        };
        (words, mute.until)
    }

    pub(super) fn explain_lanes(
        &self,
        now: Now,
        subject: &Subject,
        (event, severity): (ToldEvent, Severity),
    ) -> Vec<LaneExplained> {
        let Some(notice) = self
            .notice(now, subject, Kind::Opened, 0)
            .or_else(|| Some(self.imagined(now, subject, event, severity)))
        else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, reminder) in self.destinations_of(&notice) {
            let Some(planned) = self.plan.destinations.iter().find(|one| one.name == name) else {
                continue;
            };
            for recipient in &planned.recipients {
                let lane = self
                    .outbox
                    .lanes_of(subject)
                    .find(|(key, _)| key.destination == name && key.recipient == *recipient)
                    .map(|(_, lane)| lane);
                found.push(LaneExplained {
                    destination: name.clone(),
                    recipient: Arc::clone(recipient),
                    reminder,
                    limit: planned.limit,
                    told: lane
                        .and_then(|lane| lane.row.told.as_ref())
                        .map(|told| told.incident.clone()),
                    waiting: lane.map_or(0, |lane| {
                        lane.waiting
                            .len()
                            .saturating_add(usize::from(lane.head.is_some()))
                    }),
                });
            }
        }
        found
    }
}

/// What would be told of a service first, and how bad that is.
fn usual_of(entry: &EntryPlan) -> (ToldEvent, Severity) {
    let event = match entry.expect {
        Expect::Running | Expect::Either => ToldEvent::Stopped,
        Expect::Stopped | Expect::Absent => ToldEvent::Started,
    };
    (event, entry.severity.unwrap_or(event.severity()))
}

/// When the schedule of a host says that it is read next.
fn next_round(plan: &HostPlan, now: Now) -> Option<Wall> {
    match &plan.every {
        Rhythm::Interval(_) => None,
        Rhythm::Occurrences(_) => plan
            .every
            .until_first(&plan.name, now.wall)
            .map(|delay| now.wall + delay),
    }
}
