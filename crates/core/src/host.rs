//! A host: its fault, what it shows us, and its targets.

use crate::{
    boot::Boot,
    hearing::Hearing,
    id::{Name, stable_hash},
    limits,
    notice::ToldEvent,
    observe::{Asked, Fault, HostFault, HostReading, Reading, ServiceReading, StartType},
    plan::HostPlan,
    policy::confirm::Candidate,
    record::{BootRow, HostRow},
    target::Target,
    time::{Now, Span, Tick, Wall},
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

/// One line of a host's list, as it was last read, and the target that it is.
#[derive(Debug, Clone)]
pub struct Line {
    /// The key name as the host writes it.
    pub name: Arc<str>,
    /// Its place among the targets.
    pub target: Option<usize>,
    /// The process that it ran as last, 0 where none is known.
    pub process: u32,
}

/// A reading after which nothing was to be done, kept so that the same reading once more costs next to nothing.
#[derive(Debug, Clone)]
pub struct Calm {
    /// What the lines of targets said, with their places in the list.
    readings: Vec<(usize, Reading)>,
}

/// What is known of a service that is listed, for selection by start type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// How it is started, where that could be read.
    pub start_type: Option<StartType>,
    /// Whether its configuration was asked for.
    pub asked: bool,
    /// Whether the host did not show it before, which is told once it is selected.
    pub new: bool,
}

/// A host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its part of the plan.
    pub plan: Arc<HostPlan>,
    /// What is durable of it.
    pub row: HostRow,
    /// When it was last checked.
    pub checked_at: Option<Wall>,
    /// Whether it was checked since the start or the reload that brought it.
    pub looked: bool,
    /// Whether a session is kept.
    pub session_kept: bool,
    /// How late its last check began.
    pub lag: Span,
    /// Whether it said while it was read that something has happened, which the reading may not show.
    pub stirred: bool,
    /// Whether its last reading may be older than what it said meanwhile; another one follows.
    pub stale: bool,
    /// Whether its fault was there at the first look.
    pub first_look: bool,
    /// The first failed reading of those that still fail.
    pub wrong_since: Option<Tick>,
    /// Failed readings in a row that no confirmed fault explains yet.
    pub failed: u32,
    /// The fault that is to take the place of the confirmed one.
    pub candidate: Option<Candidate<ToldEvent>>,
    /// Whether its account is an administrator there, as far as a logon since the start told.
    pub administrator: Option<bool>,
    /// How it goes down and comes back.
    pub boot: Boot,
    /// Until when no logon is tried because it refused the last one.
    pub refused_until: Option<Tick>,
    /// What that refusal was.
    pub refusal: Option<HostFault>,
    /// Its list as last read.
    pub lines: Vec<Line>,
    /// The last reading, where it was as expected in every way. Whatever changes anything else takes it away.
    pub calm: Option<Calm>,
    /// Its targets, sorted by key name.
    pub targets: Vec<Target>,
    /// Start types of listed services, kept only where a selector asks for them.
    pub listed: BTreeMap<Name, Listed>,
    /// Whether the next list is looked at as if it were new: the plan has changed.
    pub relink: bool,
    /// Names that vanished from the list and of which the host was not asked yet whether they are still installed.
    pub vanished: Vec<Name>,
    /// Those that the check under way asks for.
    pub vanished_asked: Vec<Name>,
    /// Names that vanished from the list although they are installed, as far as we know.
    hidden: BTreeSet<Name>,
    /// Whether a list was read since the start: the first one is what later ones are held against.
    baseline: bool,
    /// How many targets the last list lacked.
    pub absent: usize,
    /// Whether the number of visible services has just changed.
    pub visible_changed: bool,
    /// The names that every check asks for where the list lacks them, once they were needed.
    ask: Option<Arc<[Name]>>,
    /// When the configuration is read next.
    pub config_due: Tick,
    /// Counts the readings of the configuration.
    config_round: u32,
    /// Since when an answer with configuration is waited for.
    pub config_asked: Option<Tick>,
    /// What is heard of it at once; nothing where nothing is to be.
    pub hearing: Option<Box<Hearing>>,
    /// Whether the configuration of its services was asked for and answered at least once since the start.
    pub configured: bool,
}

impl Host {
    /// A host as the store knows it, without targets.
    pub fn new(plan: Arc<HostPlan>, row: Option<HostRow>, now: Now) -> Self {
        let row = row.unwrap_or_else(|| HostRow {
            host: plan.name.clone(),
            computer_name: None,
            fault: None,
            cause: None,
            wrong_since: None,
            since: now.wall,
            visible: None,
            seq: 0,
            visibility_seq: 0,
            refused_until: None,
            boot: BootRow::default(),
            listed: plan.listed,
            removed: false,
        });
        let wrong_since = row.wrong_since.map(|since| {
            let due = now.tick_of(since + plan.host_for, plan.host_for);
            Tick(due.0.saturating_sub(plan.host_for.0))
        });
        Self {
            checked_at: None,
            looked: false,
            session_kept: false,
            lag: Span::ZERO,
            stirred: false,
            stale: false,
            first_look: false,
            wrong_since,
            failed: 0,
            candidate: None,
            boot: Boot::restored(row.boot, plan.boot_grace, now),
            refused_until: row
                .refused_until
                .map(|at| now.tick_of(at, limits::REFUSED_WAIT)),
            refusal: None,
            administrator: None,
            lines: Vec::new(),
            calm: None,
            targets: Vec::new(),
            listed: BTreeMap::new(),
            relink: true,
            vanished: Vec::new(),
            vanished_asked: Vec::new(),
            baseline: false,
            absent: 0,
            hidden: BTreeSet::new(),
            visible_changed: false,
            ask: None,
            config_due: Tick(0),
            config_round: 0,
            config_asked: None,
            configured: false,
            hearing: plan.hears().then(Box::default),
            plan,
            row,
        }
    }

    /// Whether it is known to be readable, or at least not known to be unreadable.
    pub const fn readable(&self) -> bool {
        self.row.fault.is_none()
    }

    /// Whether what is known of its services is what its last check since the start has said.
    pub const fn is_in_sight(&self) -> bool {
        self.readable() && self.looked && self.failed == 0
    }

    /// The place of a target, by its key name.
    pub fn find(&self, service: &Name) -> Option<usize> {
        self.targets
            .binary_search_by(|target| target.row.service.cmp(service))
            .ok()
    }

    /// Adds a target. Whoever adds or removes some calls [`Self::targets_changed`] when done.
    pub fn insert(&mut self, target: Target) {
        self.calm = None;
        let place = self
            .targets
            .binary_search_by(|known| known.row.service.cmp(&target.row.service));
        if let Err(place) = place {
            self.targets.insert(place, target);
        }
    }

    /// Takes a target away.
    pub fn remove(&mut self, service: &Name) -> Option<Target> {
        self.calm = None;
        self.find(service).map(|place| self.targets.remove(place))
    }

    /// Finds the targets in the list that was read last, and the names to ask for, anew.
    pub fn targets_changed(&mut self) {
        self.calm = None;
        self.choose_ask();
        let places: Vec<Option<usize>> = self
            .lines
            .iter()
            .map(|line| self.find(&Name::new(&line.name)))
            .collect();
        for (line, place) in self.lines.iter_mut().zip(places) {
            line.target = place;
        }
    }

    /// Makes the names to ask for anew when they are needed next.
    pub fn choose_ask(&mut self) {
        self.ask = None;
    }

    /// The names that every check asks for where the list lacks them.
    pub fn ask(&mut self) -> Arc<[Name]> {
        let targets = self.targets.iter();
        let names = || targets.map(|target| target.row.service.clone()).collect();
        Arc::clone(self.ask.get_or_insert_with(names))
    }

    /// Whether the list is the one that was read last, name by name.
    pub fn same_list(&self, services: &[ServiceReading]) -> bool {
        !self.relink
            && self.lines.len() == services.len()
            && self
                .lines
                .iter()
                .zip(services)
                .all(|(line, service)| *line.name == *service.name)
    }

    /// Remembers a reading after which nothing was to be done.
    pub fn calm_down(&mut self, reading: &HostReading) {
        let settled = self.absent == 0
            && self.vanished.is_empty()
            && self.row.fault.is_none()
            && !self.boot.holds();
        if !settled || !self.is_quiet(reading) {
            return;
        }
        let lines = self.lines.iter().zip(&reading.services).enumerate();
        let readings = lines
            .filter(|(_, (line, _))| line.target.is_some())
            .map(|(place, (_, service))| (place, service.reading))
            .collect();
        self.calm = Some(Calm { readings });
    }

    /// Whether a reading says in every way what the last one said, and nothing was to be done about that one.
    pub fn is_as_before(&self, now: Tick, reading: &HostReading) -> bool {
        let Some(calm) = &self.calm else { return false };
        let as_before = now < self.config_due
            && reading.uptime.is_none()
            && self.same_list(&reading.services)
            && calm.readings.iter().all(|(place, known)| {
                let service = reading.services.get(*place);
                service.is_some_and(|service| service.reading == *known)
            });
        debug_assert!(
            !as_before || self.wrong_since.is_none() && self.is_quiet(reading),
            "{:?} was taken for as before",
            self.row.host
        );
        as_before
    }

    /// Whether nothing would be done about any line of a reading, looked at one by one.
    fn is_quiet(&self, reading: &HostReading) -> bool {
        self.lines
            .iter()
            .zip(&reading.services)
            .all(|(line, service)| {
                line.target
                    .and_then(|place| self.targets.get(place))
                    .is_none_or(|target| target.is_quiet(&service.reading))
            })
    }

    /// Whether a list was read since the start, so that what a later one has besides is new there. At a start and after
    /// a change of the plan nobody knows what was there before.
    pub const fn knows_list(&self) -> bool {
        self.baseline && !self.relink
    }

    /// Keeps start types of the services that are listed, and of no others.
    pub fn keep_listed(&mut self, names: &[Name]) {
        let new = self.knows_list();
        let present: BTreeSet<&Name> = names.iter().collect();
        self.listed.retain(|known, _| present.contains(known));
        for service in names {
            self.listed.entry(service.clone()).or_insert(Listed {
                start_type: None,
                asked: false,
                new,
            });
        }
    }

    /// Asks anew for the start types of some of the services that are listed and not watched: of each once in so many
    /// rounds.
    pub fn ask_again_of_listed(&mut self) {
        self.config_round = self.config_round.wrapping_add(1);
        let round = u64::from(self.config_round).checked_rem(limits::LISTED_ROUNDS);
        let watched = |targets: &[Target], name: &Name| {
            targets
                .binary_search_by(|target| target.row.service.cmp(name))
                .is_ok()
        };
        for (name, listed) in &mut self.listed {
            let turn = stable_hash(name.key(), 2).checked_rem(limits::LISTED_ROUNDS);
            if turn == round && !watched(&self.targets, name) {
                listed.asked = false;
            }
        }
    }

    /// Looks at the next list as if it were new.
    pub fn forget_list(&mut self) {
        self.calm = None;
        self.relink = true;
    }

    /// Remembers which names of the last list this one lacks.
    pub fn remember_vanished(&mut self, names: &[Name], reading: &HostReading) {
        let present: BTreeSet<&Name> = names.iter().collect();
        self.hidden.retain(|known| !present.contains(known));
        self.vanished.retain(|known| !present.contains(known));
        for line in &self.lines {
            let name = Name::new(&line.name);
            if present.contains(&name) || self.hidden.contains(&name) {
                continue;
            }
            if Self::answer(reading, &name).is_none() {
                self.vanished.push(name.clone());
            }
            self.hidden.insert(name);
        }
    }

    /// How many services that it showed before it does not show any more, uninstalled ones not counted, and how many
    /// it showed before.
    pub fn count_hidden(&mut self, reading: &HostReading) -> (usize, usize) {
        let asked = core::mem::take(&mut self.vanished_asked);
        self.vanished.retain(|name| !asked.contains(name));
        if !core::mem::replace(&mut self.baseline, true) {
            self.accept_visible(reading.services.len());
        }
        for (name, asked) in &reading.asked {
            match asked {
                Asked::Missing => {
                    if self.hidden.remove(name)
                        && let Some(visible) = &mut self.row.visible
                    {
                        *visible = visible.saturating_sub(1);
                        self.visible_changed = true;
                    }
                }
                Asked::Hidden | Asked::Read(_) => {}
            }
        }
        let before = self
            .row
            .visible
            .map_or(0, |visible| usize::try_from(visible).unwrap_or(usize::MAX));
        (before.saturating_sub(reading.services.len()), before)
    }

    /// Whether an entry that means several services has lost sight of all that it matched, not one of them uninstalled.
    pub fn blind_entry(&self) -> Option<usize> {
        let entries = self.plan.services.iter().enumerate();
        entries
            .filter(|(_, entry)| !entry.selector.is_named())
            .map(|(place, _)| place)
            .find(|place| {
                let mut matched = self
                    .targets
                    .iter()
                    .filter(|target| target.entry == *place)
                    .peekable();
                matched.next().is_some_and(|first| first.row.hidden)
                    && matched.peek().is_some()
                    && matched.all(|target| target.row.hidden)
            })
    }

    /// Whether the host is still to be asked for names that vanished. Each is asked for once.
    pub const fn asks_for_vanished(&self) -> bool {
        !self.vanished.is_empty()
    }

    /// Takes the number of services that it shows now for the one that counts.
    pub fn accept_visible(&mut self, visible: usize) {
        let visible = Some(u32::try_from(visible).unwrap_or(u32::MAX));
        self.visible_changed |= self.row.visible != visible;
        self.row.visible = visible;
        self.hidden.clear();
        self.vanished.clear();
    }

    /// What the host answered when it was asked for a name.
    pub fn answer<'a>(reading: &'a HostReading, service: &Name) -> Option<&'a Asked> {
        reading
            .asked
            .iter()
            .find(|(name, _)| name == service)
            .map(|(_, asked)| asked)
    }
}

/// The event that a fault is told as.
pub const fn told_event(fault: Fault) -> ToldEvent {
    match fault {
        Fault::NameNotResolved | Fault::Unreachable | Fault::Timeout | Fault::ShuttingDown => {
            ToldEvent::HostUnreachable
        }
        Fault::LogonRefused => ToldEvent::LogonRefused,
        Fault::AccountPaused => ToldEvent::AccountPaused,
        Fault::AccessDenied => ToldEvent::AccessDenied,
        Fault::WrongHost => ToldEvent::WrongHost,
        Fault::ProtocolError => ToldEvent::ProtocolError,
    }
}

/// Whether a host with this fault did not answer at all.
pub const fn is_silent(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::NameNotResolved | Fault::Unreachable | Fault::Timeout
    )
}

/// How many readings must agree before a fault is believed.
pub const fn readings_needed(fault: Fault) -> u32 {
    match fault {
        Fault::LogonRefused | Fault::AccountPaused | Fault::WrongHost => 1,
        Fault::NameNotResolved
        | Fault::Unreachable
        | Fault::Timeout
        | Fault::AccessDenied
        | Fault::ShuttingDown
        | Fault::ProtocolError => limits::FAULT_CONFIRM,
    }
}
