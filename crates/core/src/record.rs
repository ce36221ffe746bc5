//! What is durable. A record is a whole row with a natural key, so that writing it twice is the same as once.
//! What is stored is not what is used: the store keeps these rows in a versioned form of its own.

use crate::{
    evidence::Evidence,
    id::{DeliveryKey, IncidentId, Name, StoreId, Subject},
    notice::{Notice, Severity, ToldEvent, Why},
    observe::{Fault, Refusal, ServiceDetails, StartType, State},
    remedy::RemedyRow,
    silence::SilenceRow,
    time::Wall,
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

/// One row to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// What is known of a target. Key: host and service.
    Target(TargetRow),
    /// What is known of a host. Key: its name.
    Host(HostRow),
    /// What is known of an account. Key: its name.
    Account(AccountRow),
    /// What is known of a destination. Key: its name.
    Destination(DestinationRow),
    /// An incident. Key: its id.
    Incident(IncidentRow),
    /// A line of history; never changed. Key: subject and seq.
    History(HistoryRow),
    /// What one recipient was told last of one subject. Key: destination, recipient, subject.
    Lane(LaneRow),
    /// A delivery. Key: its key.
    Delivery(DeliveryRow),
    /// A delivery that was merged into another one and is no more.
    DeliveryMerged(DeliveryKey),
    /// One try of a delivery; never changed. Key: delivery and number.
    Attempt(AttemptRow),
    /// Something that was not told. Key: subject, seq and destination.
    Dropped(DroppedRow),
    /// A silence. Key: its id.
    Silence(SilenceRow),
    /// How far a feed is. Key: its destination.
    Feed(FeedRow),
    /// What is known of a service of a group. Key: group and service.
    Group(GroupRow),
    /// A try to start a service again. Key: its id.
    Remedy(RemedyRow),
}

/// What is known of a target: a service on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRow {
    /// The host.
    pub host: Name,
    /// The service, by key name.
    pub service: Name,
    /// The last confirmed state.
    pub state: State,
    /// Since when.
    pub since: Wall,
    /// The state before that; none at first sight.
    pub previous_state: Option<State>,
    /// Whether the service is hidden from us.
    pub hidden: bool,
    /// Counts changes and incidents of this target; never goes back.
    pub seq: u64,
    /// Whether it was ever seen running.
    pub seen_running: bool,
    /// When the first reading was taken that was not as expected, while it still is not.
    pub wrong_since: Option<Wall>,
    /// The process.
    pub pid: Option<u32>,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// The service's own exit code.
    pub service_exit_code: Option<u32>,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// Whether an event starts or stops it.
    pub trigger_start: Option<bool>,
    /// Whether it is a per-user service.
    pub per_user: Option<bool>,
    /// Its display name.
    pub display_name: Option<Arc<str>>,
    /// What else is known of its configuration. Services that are set up alike share it.
    pub details: Option<Arc<ServiceDetails>>,
    /// The start type by which a `start` entry selected it: such a selection stays when the start type changes.
    pub selected_start: Option<StartType>,
    /// How often it was started again lately.
    pub restarts: Option<Box<Restarts>>,
    /// Whether it is not watched any more: the row stays so that `seq` never goes back.
    pub removed: bool,
}

/// How often a service was started again, without having been told as stopped. A series goes on as long as one comes
/// soon after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restarts {
    /// How often, in this series.
    pub count: u32,
    /// When the first of them was seen.
    pub since: Wall,
    /// When the last of them was seen.
    pub last: Wall,
    /// How many of the ends were seen as failures, upon which the host does something itself.
    pub failures: u32,
    /// Whether it has failed and the host may be about to start it again.
    pub mending: bool,
}

/// What is known of a service that is counted over the hosts of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    /// The group.
    pub group: Name,
    /// The service, by key name.
    pub service: Name,
    /// Counts changes and incidents of it; never goes back.
    pub seq: u64,
    /// When too few or too many of it were seen running first, while it still is so.
    pub wrong_since: Option<Wall>,
    /// The hosts on which it ran when it was last seen to run on as many as it should.
    pub ran_on: Option<Vec<Name>>,
    /// Whether it is not watched any more: the row stays so that `seq` never goes back.
    pub removed: bool,
}

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRow {
    /// Its name.
    pub host: Name,
    /// The computer name that it gave at its first good logon.
    pub computer_name: Option<String>,
    /// Its confirmed fault.
    pub fault: Option<Fault>,
    /// The sentence of the fault.
    pub cause: Option<String>,
    /// When the first reading was taken that failed, while it still fails.
    pub wrong_since: Option<Wall>,
    /// Since when it is as it is, up or not.
    pub since: Wall,
    /// How many services it shows us.
    pub visible: Option<u32>,
    /// Counts changes and incidents of the host itself; never goes back.
    pub seq: u64,
    /// The same for what it shows us.
    pub visibility_seq: u64,
    /// Until when no logon is tried because it refused the last one.
    pub refused_until: Option<Wall>,
    /// What is known of its last boot, and of the next one.
    pub boot: BootRow,
    /// Whether a list of hosts named it when it was watched last.
    pub listed: bool,
    /// Whether it is not watched any more.
    pub removed: bool,
}

/// What is known of a host's last boot, and of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BootRow {
    /// When it was booted, as far as its uptime tells, else when that was seen.
    pub booted_at: Option<Wall>,
    /// Until when notices about its services are held because it was booted; it stays until they are told.
    pub grace_until: Option<Wall>,
    /// Until when notices about it and its services are held because it is shutting down.
    pub shutting_down_until: Option<Wall>,
}

/// What is known of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its name in the configuration.
    pub account: Name,
    /// Why it is paused.
    pub paused: Option<Refusal>,
    /// Since when it is paused.
    pub paused_at: Option<Wall>,
    /// When one host may try again.
    pub next_try: Option<Wall>,
    /// Hosts that refused its password with no success between; one that refused two passwords stands twice.
    pub refused_by: Vec<Name>,
    /// Guests that refused it: they have no rows of their own.
    pub left_alone: Vec<LeftAlone>,
    /// Counts incidents of the account.
    pub seq: u64,
}

/// A guest that refused a logon and is left alone for a while. It is durable as it is of a host: who starts svcwatch again
/// and again would else have the same wrong password tried again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// The guest.
    pub guest: Name,
    /// Until when.
    pub until: Wall,
}

/// What is known of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRow {
    /// Its name.
    pub destination: Name,
    /// When it began to fail, while it still fails.
    pub failing_since: Option<Wall>,
    /// When the last message was given to it, for limits.
    pub last_sent: Option<Wall>,
    /// Counts incidents of the destination.
    pub seq: u64,
}

/// Who took note of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Who.
    pub by: String,
    /// When.
    pub at: Wall,
    /// What they wrote.
    pub note: String,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRow {
    /// Which.
    pub id: IncidentId,
    /// What it is about.
    pub subject: Subject,
    /// The sequence number of its opening within its subject.
    pub seq: u64,
    /// What is wrong now, or was last.
    pub event: ToldEvent,
    /// How bad.
    pub severity: Severity,
    /// When it opened.
    pub opened_at: Wall,
    /// When it was over.
    pub resolved_at: Option<Wall>,
    /// Who took note.
    pub acknowledged: Option<Acknowledged>,
    /// Why, in one sentence.
    pub cause: Option<String>,
    /// What was found out about why.
    pub evidence: Option<Arc<Evidence>>,
    /// The state before it opened.
    pub previous_state: Option<State>,
    /// Whether its opening has passed its hold and was routed.
    pub told: bool,
    /// Until when its opening is held.
    pub held_until: Option<Wall>,
    /// Whether it was already wrong at a first look, so that it may be told in a summary.
    pub first_look: bool,
    /// When it was last told or repeated, for reminders.
    pub reminded_at: Option<Wall>,
    /// Why something of it is not told for now: it is told when that is over.
    pub muted: Option<Why>,
    /// What was not told because of that, last: its opening, a change of it, or its end.
    pub untold: Option<ToldEvent>,
}

/// A line of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// Its number in the whole store, rising.
    pub record: u64,
    /// What changed.
    pub subject: Subject,
    /// Its number within the subject, rising.
    pub seq: u64,
    /// When.
    pub at: Wall,
    /// From which state.
    pub from: Option<State>,
    /// To which state.
    pub to: Option<State>,
    /// The fault, for hosts.
    pub fault: Option<Fault>,
    /// What it means for the incident of the subject.
    pub event: Option<ToldEvent>,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// The service's own exit code.
    pub service_exit_code: Option<u32>,
    /// The process.
    pub pid: Option<u32>,
    /// Why, in one sentence.
    pub cause: Option<String>,
}

/// One incident, as one recipient knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub incident: IncidentId,
    /// When it opened.
    pub opened_at: Wall,
}

/// What one recipient was told last of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// The destination.
    pub destination: Name,
    /// The recipient; empty where the destination itself is.
    pub recipient: Arc<str>,
    /// The subject.
    pub subject: Subject,
    /// The incident that was told as open, and not yet as over.
    pub told: Option<Told>,
    /// The summary that tells it, where that is still to be delivered: what comes later waits for it.
    pub behind: Option<DeliveryKey>,
    /// Whether something was lost here (expired or parked), so that the current state is owed.
    pub owes_state: bool,
    /// When the last message was given to it, for limits.
    pub last_sent: Option<Wall>,
    /// Whether nothing is left to remember: the row can go.
    pub removed: bool,
}

words! {
    /// Where a delivery stands.
    pub enum DeliveryState {
        /// Waits for its turn, a limit or its next try.
        Pending = "pending",
        /// Is being sent.
        Sending = "sending",
        /// The destination took it.
        Delivered = "delivered",
        /// It can never succeed.
        Parked = "parked",
        /// It was given up.
        Expired = "expired",
    }
}

/// One notice to one recipient at one destination.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRow {
    /// Its natural key.
    pub key: DeliveryKey,
    /// Its place in the order of its lane, rising over the whole store.
    pub order: u64,
    /// The destination.
    pub destination: Name,
    /// The recipient; empty where the destination itself is.
    pub recipient: Arc<str>,
    /// What is told.
    pub notice: Arc<Notice>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it is parked or expired.
    pub reason: Option<String>,
    /// Whether it is frozen: later notices do not merge with it any more.
    pub frozen: bool,
    /// What is sent, from its first try on.
    pub payload: Option<Arc<[u8]>>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made.
    pub created: Wall,
    /// When it is tried next.
    pub due: Wall,
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Which delivery.
    pub key: DeliveryKey,
    /// Which try, from 1.
    pub number: u32,
    /// When it ended.
    pub at: Wall,
    /// How it ended: `delivered`, `retry` or `rejected`.
    pub result: &'static str,
    /// What the destination answered, shortened and without secrets.
    pub answer: String,
}

/// Something that was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedRow {
    /// What it was about.
    pub subject: Subject,
    /// Which change of the subject.
    pub seq: u64,
    /// At which destination; none where it did not get so far.
    pub destination: Option<Name>,
    /// When.
    pub at: Wall,
    /// What would have been told.
    pub event: ToldEvent,
    /// Why not.
    pub why: Why,
}

/// How far a feed is: every transition up to this record of history reached its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// The destination.
    pub destination: Name,
    /// The number of the record of history; never goes back.
    pub record: u64,
}

/// All that a store gives back at a start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restored {
    /// Which store.
    pub store: StoreId,
    /// The greatest number given to a record of history or a delivery's order.
    pub last_record: u64,
    /// Hosts, removed ones too.
    pub hosts: Vec<HostRow>,
    /// Targets, removed ones too, sorted by host key and service key; those of one host are one list. There may be
    /// millions of them, so each list is let go of as soon as it was taken in.
    pub targets: Vec<Vec<TargetRow>>,
    /// Open incidents, and those that are over but whose end is still to be told (`untold`).
    pub incidents: Vec<IncidentRow>,
    /// Accounts.
    pub accounts: Vec<AccountRow>,
    /// Destinations.
    pub destinations: Vec<DestinationRow>,
    /// Lanes.
    pub lanes: Vec<LaneRow>,
    /// Deliveries that are pending or being sent, or parked because their destination was removed, in order.
    pub deliveries: Vec<DeliveryRow>,
    /// Silences that are not known to be over, by their identity.
    pub silences: Vec<SilenceRow>,
    /// Services of groups, removed ones too.
    pub groups: Vec<GroupRow>,
    /// Tries to start services again: those that are not older than [`crate::limits::BUDGET_WITHIN_MAX`] before the
    /// newest one, those of open incidents and those that have not ended; oldest first.
    pub remedies: Vec<RemedyRow>,
    /// How far the feeds are. The engine decides nothing by it.
    pub feeds: Vec<FeedRow>,
}

impl Restored {
    /// Targets that come sorted by host, as one list for each host.
    pub fn by_host<E>(
        rows: impl IntoIterator<Item = Result<TargetRow, E>>,
    ) -> Result<Vec<Vec<TargetRow>>, E> {
        let mut hosts = Vec::new();
        let mut targets: Vec<TargetRow> = Vec::new();
        for row in rows {
            let row = row?;
            if targets.last().is_some_and(|last| last.host != row.host) {
                // Most hosts have about as many as the one before.
                let next = Vec::with_capacity(targets.len());
                hosts.push(core::mem::replace(&mut targets, next));
            }
            targets.push(row);
        }
        if !targets.is_empty() {
            hosts.push(targets);
        }
        Ok(hosts)
    }
}
