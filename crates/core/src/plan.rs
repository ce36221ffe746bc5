//! What is to be watched and told: the checked configuration, as core needs it.

use crate::{
    evidence::EvidencePlan,
    glob::Glob,
    guest::GuestPlan,
    id::Name,
    noise::Noise,
    notice::{Kind, Severity, ToldEvent},
    observe::StartType,
    remedy::EntryRemedy,
    rhythm::Rhythm,
    time::{Span, Wall},
};
use alloc::{format, string::String, sync::Arc, vec::Vec};

/// Label names with their values, sorted by name.
pub type Labels = Arc<[(String, String)]>;

/// The whole plan. It is replaced as one by a reload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The hosts; names are unique. They are shared with the engine's own, of which there may be very many.
    pub hosts: Vec<Arc<HostPlan>>,
    /// The accounts that hosts are read with; names are unique.
    pub accounts: Vec<Name>,
    /// Where notices go; names are unique.
    pub destinations: Vec<DestinationPlan>,
    /// Which notices go where, in order. Where there are none, everything goes to every destination.
    pub routes: Vec<RoutePlan>,
    /// Rules of all notices.
    pub notices: NoticePlan,
    /// When a pending state is stuck.
    pub stuck_after: StuckAfter,
    /// When what is not told because it is expected; names are unique.
    pub maintenance: Vec<MaintenancePlan>,
    /// Whether nothing is heard at once, whatever the entries say.
    pub instant_off: bool,
    /// How evidence is gathered; nothing where it is not.
    pub evidence: Option<EvidencePlan>,
    /// Services that are counted over several hosts; group and service together are unique.
    pub groups: Vec<Arc<GroupPlan>>,
    /// Who may be read without being watched.
    pub guests: GuestPlan,
}

/// A service that should run on so many of the hosts of a group. Each of these hosts has an entry that counts it
/// ([`EntryPlan::counted`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    /// The group.
    pub group: Name,
    /// The service, by its key name.
    pub service: Name,
    /// On how many hosts it should run.
    pub expect: Wanted,
    /// How long it must run on too few or too many before it is told. A move takes its time.
    pub for_span: Span,
    /// The hosts; names are unique. One that the plan lacks is not counted.
    pub members: Vec<Name>,
    /// What people call the service.
    pub friendly_name: Option<Arc<str>>,
    /// Instead of the usual severity.
    pub severity: Option<Severity>,
    /// Labels on top of those that its hosts share.
    pub labels: Labels,
}

/// On how many hosts of a group a service should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// On so many, no more and no fewer.
    Exactly(u32),
    /// On so many or more.
    AtLeast(u32),
}

impl Wanted {
    /// The least that is as expected.
    pub const fn least(self) -> u32 {
        match self {
            Self::Exactly(count) | Self::AtLeast(count) => count,
        }
    }

    /// Whether more than the least are too many.
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Exactly(_))
    }

    /// As it is said: `1`, `at least 2`.
    pub fn in_words(self) -> String {
        match self {
            Self::Exactly(count) => format!("{count}"),
            Self::AtLeast(count) => format!("at least {count}"),
        }
    }
}

/// Times from when until before when, in order.
pub type Ranges = Arc<[(Wall, Wall)]>;

/// The times of windows, by their names.
pub type Times = Arc<[(Name, Ranges)]>;

/// A maintenance window, as far as its times are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenancePlan {
    /// Its identity.
    pub name: Name,
    /// What is not told in it. Its kinds of notice play no part.
    pub matcher: Matcher,
    /// When it is. Whoever makes the plan gives them for some days ahead, and again before
    /// they run out ([`crate::event::Event::Calendar`]).
    pub ranges: Ranges,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    /// Its identity.
    pub name: Name,
    /// Where it is reached, for people: shown, never used here.
    pub address: String,
    /// The site it stands in.
    pub site: Option<Arc<str>>,
    /// The account it is read with; `None` where none is needed (the simulated fleet).
    pub account: Option<Name>,
    /// When it is read.
    pub every: Rhythm,
    /// How long one check may take.
    pub timeout: Span,
    /// How long a fault of the whole host must last before it is told.
    pub host_for: Span,
    /// How long a notice about its services is held.
    pub settle: Span,
    /// How long notices about its services are held after a boot.
    pub boot_grace: Span,
    /// Other computer names that it may give.
    pub also_known_as: Vec<Glob>,
    /// Whether a list of hosts names it, and not the configuration itself: that a list lets go of it is told.
    pub listed: bool,
    /// Whether it tells of all its changes at once without being asked to: the computer that svcwatch runs on.
    pub tells_by_itself: bool,
    /// Labels of the host; those of a service come on top.
    pub labels: Labels,
    /// Which services are watched, in the order of precedence: exact key names, display names, globs, start types,
    /// and among equals as they stand in the file.
    pub services: Vec<EntryPlan>,
}

impl HostPlan {
    /// Whether a service is to be told at once.
    pub fn hears(&self) -> bool {
        self.services.iter().any(|entry| entry.instant)
    }

    /// Whether a selector needs the start types of services that are not targets.
    pub fn selects_by_start(&self) -> bool {
        self.services
            .iter()
            .any(|entry| matches!(entry.selector, Selector::Start(_)))
    }

    /// The first entry of the plan that means this service. Exact names come first, then the rest as they stand.
    pub fn entry_for(
        &self,
        service: &Name,
        display_name: Option<&str>,
        start_type: Option<StartType>,
    ) -> Option<usize> {
        self.services
            .iter()
            .position(|entry| match &entry.selector {
                Selector::Name(name) => name == service,
                Selector::NameGlob(glob) => glob.matches(service.as_str()),
                Selector::DisplayName(glob) => {
                    display_name.is_some_and(|shown| glob.matches(shown))
                }
                Selector::Start(wanted) => {
                    start_type.is_some_and(|start| starts_so(*wanted, start))
                }
            })
    }
}

/// Whether a service that starts so is meant by an entry for this start type. What starts with a delay is automatic
/// too; an entry for that alone comes first.
pub fn starts_so(wanted: StartType, start: StartType) -> bool {
    wanted == start || (wanted == StartType::Automatic && start == StartType::AutomaticDelayed)
}

/// The place of no entry: of a target that no entry means any more.
pub const NO_ENTRY: usize = usize::MAX;

/// The entries of a host that say a service's own name, by that name: there may be many of them, and many to be found.
#[derive(Debug)]
pub struct Named<'a> {
    places: Vec<(&'a Name, usize)>,
    /// Where the last one was found: mostly the next one is asked for next.
    last: usize,
}

impl<'a> Named<'a> {
    /// Those of a host.
    pub fn of(plan: &'a HostPlan) -> Self {
        let entries = plan.services.iter().enumerate();
        let mut places: Vec<(&Name, usize)> = entries
            .filter_map(|(place, entry)| match &entry.selector {
                Selector::Name(name) => Some((name, place)),
                Selector::NameGlob(_) | Selector::DisplayName(_) | Selector::Start(_) => None,
            })
            .collect();
        places.sort();
        // Of several with one name the first counts.
        places.dedup_by(|next, first| next.0 == first.0);
        Self { places, last: 0 }
    }

    /// The place of the entry with this name.
    pub fn find(&mut self, service: &Name) -> Option<usize> {
        let next = self.last.saturating_add(1);
        let found = |at: usize| self.places.get(at).filter(|(name, _)| *name == service);
        let at = if found(next).is_some() {
            next
        } else {
            let by_name = |(name, _): &(&Name, usize)| (*name).cmp(service);
            self.places.binary_search_by(by_name).ok()?
        };
        self.last = at;
        self.places.get(at).map(|(_, place)| *place)
    }
}

/// One entry of a host's services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPlan {
    /// Which services it means.
    pub selector: Selector,
    /// How they should be.
    pub expect: Expect,
    /// How long they must be otherwise before it is told.
    pub for_span: Span,
    /// Whether an end that its host may mend by itself is left to it first, for as long as its failure actions take;
    /// and whether restarts are told.
    pub recovery: bool,
    /// How many readings must agree; at least 1.
    pub confirm: u32,
    /// Whether its changes are to be heard at once, and told without being held.
    pub instant: bool,
    /// Whether an uninstalled service is told: exact names on a host and start types yes, globs and groups no, unless
    /// the configuration says otherwise.
    pub required: bool,
    /// Whether a group counts it ([`GroupPlan`]): then it is watched, seen or not, and not told by itself for not
    /// running.
    pub counted: bool,
    /// Which stops are as good as running.
    pub stopped_ok: StoppedOk,
    /// Whether changes of how it is set up are told; they are kept in any case.
    pub changes: bool,
    /// What is taken for noise; only an entry for a start type has it.
    pub noise: Option<Arc<Noise>>,
    /// Whether and how it is started again by us.
    pub remedy: Option<Arc<EntryRemedy>>,
    /// What people call it.
    pub friendly_name: Option<Arc<str>>,
    /// Instead of the event's own severity.
    pub severity: Option<Severity>,
    /// Labels on top of the host's.
    pub labels: Labels,
}

impl EntryPlan {
    /// Whether a service is judged by this entry as by another one.
    pub fn judges_like(&self, other: &Self) -> bool {
        self.expect == other.expect
            && self.stopped_ok == other.stopped_ok
            && self.required == other.required
            && self.counted == other.counted
            && self.noise == other.noise
            && self.selector.is_named() == other.selector.is_named()
    }

    /// Whether what it means is told at first sight; others are learned first. What should not be there at all is
    /// wrong whether it ever ran or not.
    pub fn at_first_sight(&self) -> bool {
        self.selector.is_named() || self.expect == Expect::Absent
    }
}

words! {
    /// Which stops of a service are as good as running, by the code that it stopped with.
    pub enum StoppedOk {
        /// An orderly one, with 0.
        Exit0 = "exit0",
        /// None.
        Never = "never",
        /// Every one.
        Always = "always",
    }
}

/// Which services an entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this key name.
    Name(Name),
    /// Key names like this.
    NameGlob(Glob),
    /// A display name, or display names like this.
    DisplayName(Glob),
    /// Those that start so.
    Start(StartType),
}

impl Selector {
    /// Whether somebody wrote the service's own name: such a service is told at first sight, others are learned first.
    pub fn is_named(&self) -> bool {
        match self {
            Self::Name(_) => true,
            Self::DisplayName(glob) => !Glob::is_pattern(glob.as_str()),
            Self::NameGlob(_) | Self::Start(_) => false,
        }
    }

    /// The entry as somebody would write it.
    pub fn in_words(&self) -> String {
        match self {
            Self::Name(name) => format!("name: {name}"),
            Self::NameGlob(glob) => format!("name: {}", glob.as_str()),
            Self::DisplayName(glob) => format!("display_name: {}", glob.as_str()),
            Self::Start(start_type) => format!("start: {start_type}"),
        }
    }
}

words! {
    /// How a service should be.
    pub enum Expect {
        /// Running.
        Running = "running",
        /// Stopped.
        Stopped = "stopped",
        /// Running or stopped, but neither paused nor stuck.
        Either = "either",
        /// Not installed at all.
        Absent = "absent",
    }
}

/// One destination of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationPlan {
    /// Its identity.
    pub name: Name,
    /// Each gets deliveries of its own; one empty text where the destination itself is the recipient.
    pub recipients: Vec<Arc<str>>,
    /// How much it is told at most.
    pub limit: Option<Limit>,
}

/// At most one message in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub per: LimitPer,
    /// The time between two messages.
    pub every: Span,
}

words! {
    /// What a limit counts.
    pub enum LimitPer {
        /// Messages about one service.
        Service = "service",
        /// All messages of the destination.
        Destination = "destination",
    }
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoutePlan {
    /// Which notices.
    pub matcher: Matcher,
    /// To which destinations.
    pub to: Vec<Name>,
    /// Whether later routes are looked at too.
    pub go_on: bool,
    /// How often what stays wrong is told again: `None` as in [`NoticePlan`], `Some(None)` never.
    pub reminder: Option<Option<Span>>,
}

/// All lists must match; an empty list matches everything, a list matches by any of its members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matcher {
    /// Host names.
    pub host: Vec<Glob>,
    /// Sites; a host without a site matches only an empty list.
    pub site: Vec<Glob>,
    /// Service key names; a notice without a service matches only an empty list.
    pub service: Vec<Glob>,
    /// Severities.
    pub severity: Vec<Severity>,
    /// Kinds of notice.
    pub kind: Vec<Kind>,
    /// Events.
    pub event: Vec<ToldEvent>,
    /// Label names, each with the values that match.
    pub labels: Vec<(String, Vec<Glob>)>,
}

/// Rules of all notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticePlan {
    /// More than so many already wrong at a start are told as one.
    pub summary_above: usize,
    /// How often what stays wrong is told again.
    pub reminder: Option<Span>,
    /// After how long a message that could not be delivered is given up.
    pub expiry: Span,
}

impl Default for NoticePlan {
    fn default() -> Self {
        Self {
            summary_above: 5,
            reminder: None,
            expiry: Span::hours(24),
        }
    }
}

/// When a pending state is stuck: no progress for three wait hints, and at least for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StuckAfter {
    /// Starting, or going on after a pause.
    pub start: Span,
    /// Stopping or pausing.
    pub stop: Span,
    /// Either of them, where it began in boot grace.
    pub boot: Span,
}

impl Default for StuckAfter {
    fn default() -> Self {
        Self {
            start: Span::minutes(5),
            stop: Span::minutes(10),
            boot: Span::minutes(15),
        }
    }
}
