//! The board: the newest view of every host and service, for the API and the metrics.
//!
//! The loop puts views on it once their records are durable, and everybody else only looks. It is held lean
//! (a row of a service is [`ROW_BYTES_MAX`] bytes, its texts are shared with the engine) and nobody keeps it locked
//! for long: whoever walks over many rows takes them in pieces of [`PIECE_ROWS`], and none of them does I/O meanwhile.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use svcwatch_core::{
    id::{IncidentId, Name},
    notice::Why,
    observe::{Fault, ServiceDetails, StartType, State},
    plan::{Expect, GroupPlan, Labels},
    silence::SilenceId,
    time::Wall,
    view::{HostView, ServiceView, SilenceView, View},
};

/// Rows that are looked at under one lock, at most: some hundred microseconds.
pub const PIECE_ROWS: usize = 2_000;
/// Bytes that the row of one service takes, at most, its texts not counted.
pub const ROW_BYTES_MAX: usize = 144;

/// The newest view of everything.
#[derive(Debug, Default)]
pub struct Board {
    shown: RwLock<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    hosts: BTreeMap<Name, Slot>,
    outbox: BTreeMap<Name, u64>,
    silences: BTreeMap<SilenceId, SilenceView>,
}

/// One host with its services, which are sorted by name: a list takes a third of a map's room.
#[derive(Debug, Default)]
struct Slot {
    view: Option<HostView>,
    services: Vec<Row>,
}

/// A service as the board keeps it: a [`ServiceView`] without the host.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its key name.
    pub service: Name,
    /// Its display name.
    pub display_name: Option<Arc<str>>,
    /// What people call it.
    pub friendly_name: Option<Arc<str>>,
    /// What else is known of its configuration.
    pub details: Option<Arc<ServiceDetails>>,
    /// Labels of the host and its own.
    pub labels: Labels,
    /// Its open incident.
    pub incident: Option<IncidentId>,
    /// Since when it is in its state.
    pub since: Wall,
    /// The process.
    pub pid: Option<u32>,
    /// Win32's exit code.
    pub exit_code: Option<u32>,
    /// Its last confirmed state, whatever its host's fault.
    pub state: State,
    /// How it should be.
    pub expected: Expect,
    /// Whether its last confirmed state is as expected.
    pub as_expected: bool,
    /// The group that counts it.
    pub group: Option<Arc<GroupPlan>>,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// Whether an event starts it; none where that could not be read.
    pub trigger_start: Option<bool>,
    /// Why it is not told although it is not as expected.
    pub muted: Option<Why>,
}

/// A service on the board, with what matters of its host.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The host's name.
    pub host: &'a Name,
    /// The host, once it was shown.
    pub host_view: Option<&'a HostView>,
    /// The service.
    pub row: &'a Row,
}

impl Seen<'_> {
    /// The confirmed fault of the host.
    pub fn fault(&self) -> Option<Fault> {
        self.host_view.and_then(|host| host.fault)
    }

    /// The state that people are shown: what cannot be read is unknown.
    pub fn state(&self) -> State {
        if self.fault().is_some() {
            State::Unknown
        } else {
            self.row.state
        }
    }

    /// Why it is not told: the host's fault says so whatever was shown of the service before or in it.
    pub fn muted(&self) -> Option<Why> {
        match (self.fault(), self.row.muted) {
            (Some(Fault::AccountPaused), _) => Some(Why::AccountPaused),
            (Some(_), _) => Some(Why::HostFault),
            (None, Some(Why::HostFault | Why::AccountPaused)) => None,
            (None, muted) => muted,
        }
    }

    /// Since when the shown state is so: a service is unknown since its host is.
    pub fn since(&self) -> Wall {
        match self.host_view {
            Some(host) if host.fault.is_some() => host.since.unwrap_or(self.row.since),
            Some(_) | None => self.row.since,
        }
    }
}

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the newest view of one thing in the place of the older one.
    pub fn apply(&self, view: View) {
        self.write().apply(view);
    }

    /// Puts many views at once, under one lock.
    pub fn apply_all(&self, views: impl IntoIterator<Item = View>) {
        let mut shown = self.write();
        for view in views {
            shown.apply(view);
        }
    }

    /// A host.
    pub fn host(&self, name: &Name) -> Option<HostView> {
        self.read().hosts.get(name)?.view.clone()
    }

    /// Whether a service of a host is shown.
    pub fn has_service(&self, host: &Name, service: &Name) -> bool {
        self.read()
            .hosts
            .get(host)
            .is_some_and(|slot| slot.find(service).is_ok())
    }

    /// The last confirmed state of a service that is shown.
    pub fn state(&self, host: &Name, service: &Name) -> Option<State> {
        let shown = self.read();
        let slot = shown.hosts.get(host)?;
        let place = slot.find(service).ok()?;
        slot.services.get(place).map(|row| row.state)
    }

    /// Looks at one service, where it is shown.
    pub fn visit_service(&self, host: &Name, service: &Name, mut visit: impl FnMut(Seen<'_>)) {
        let shown = self.read();
        let Some((host, slot)) = shown.hosts.get_key_value(host) else {
            return;
        };
        let place = slot.find(service).ok();
        if let Some(row) = place.and_then(|place| slot.services.get(place)) {
            visit(slot.seen(host, row));
        }
    }

    /// Looks at all services of one host, in their order.
    pub fn visit_services(&self, host: &Name, mut visit: impl FnMut(Seen<'_>)) {
        let shown = self.read();
        let Some((host, slot)) = shown.hosts.get_key_value(host) else {
            return;
        };
        for row in &slot.services {
            visit(slot.seen(host, row));
        }
    }

    /// How many deliveries wait at each destination.
    pub fn outbox(&self) -> Vec<(Name, u64)> {
        let shown = self.read();
        let pending = shown.outbox.iter();
        pending
            .map(|(name, count)| (name.clone(), *count))
            .collect()
    }

    /// The silences that are not over, by their identity.
    pub fn silences(&self) -> Vec<SilenceView> {
        self.read().silences.values().cloned().collect()
    }

    /// Walks over the hosts behind `after` (all where it is none), at most `most` of them, until `visit` breaks off.
    /// Gives the last host that was visited where there are more.
    pub fn walk_hosts(
        &self,
        after: Option<&Name>,
        most: usize,
        mut visit: impl FnMut(&HostView) -> ControlFlow<()>,
    ) -> Option<Name> {
        let shown = self.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut hosts = shown.hosts.range((from, Bound::Unbounded)).peekable();
        let mut visited = 0_usize;
        while let Some((name, slot)) = hosts.next() {
            let Some(view) = &slot.view else { continue };
            visited = visited.saturating_add(1);
            if visit(view).is_break() || visited >= most {
                return hosts.peek().is_some().then(|| name.clone());
            }
        }
        None
    }

    /// Walks over the services behind `after` (a host and a service; all where it is none) in the order of host and
    /// service, at most `most` of them, until `visit` breaks off. Gives the last one visited where there may be more.
    pub fn walk_services(
        &self,
        after: Option<&(Name, Name)>,
        most: usize,
        mut visit: impl FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> Option<(Name, Name)> {
        let shown = self.read();
        let from = after.map_or(Bound::Unbounded, |(host, _)| Bound::Included(host));
        let mut visited = 0_usize;
        for (host, slot) in shown.hosts.range((from, Bound::Unbounded)) {
            let start = match after {
                Some((behind, service)) if behind == host => slot.behind(service),
                Some(_) | None => 0,
            };
            for row in slot.services.get(start..).unwrap_or_default() {
                visited = visited.saturating_add(1);
                let seen = slot.seen(host, row);
                if visit(seen).is_break() || visited >= most {
                    return Some((host.clone(), row.service.clone()));
                }
            }
        }
        None
    }

    fn read(&self) -> RwLockReadGuard<'_, Shown> {
        // Nothing on the board is ever half written: each view is put in whole.
        self.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shown> {
        self.shown.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn apply(&mut self, view: View) {
        match view {
            View::Host(view) => {
                let slot = self.hosts.entry(view.name.clone()).or_default();
                slot.view = Some(view);
            }
            View::Checked { host, at, read: _ } => {
                if let Some(view) = self
                    .hosts
                    .get_mut(&host)
                    .and_then(|slot| slot.view.as_mut())
                {
                    view.checked_at = Some(at);
                }
            }
            View::HostGone(host) => {
                self.hosts.remove(&host);
            }
            View::Service(view) => self.service(view),
            View::ServiceGone { host, service } => self.service_gone(&host, &service),
            View::Outbox {
                destination,
                pending,
            } => {
                self.outbox.insert(destination, pending);
            }
            View::Silence(view) => {
                self.silences.insert(view.row.id.clone(), view);
            }
            View::SilenceGone(id) => {
                self.silences.remove(&id);
            }
            View::Complete => {}
        }
    }

    fn service(&mut self, view: ServiceView) {
        let (host, row) = split(view);
        let slot = self.hosts.entry(host).or_default();
        match slot.find(&row.service) {
            Ok(place) => {
                if let Some(old) = slot.services.get_mut(place) {
                    *old = row;
                }
            }
            Err(place) => {
                if slot.services.capacity() == 0 {
                    // Most services of a host come at once, and the host says how many.
                    let watched = slot.view.as_ref().map_or(0, |host| host.watched);
                    let watched = usize::try_from(watched).unwrap_or(0);
                    slot.services
                        .reserve_exact(watched.min(svcwatch_core::limits::SERVICES_PER_HOST_MAX));
                }
                slot.services.insert(place, row);
            }
        }
    }

    fn service_gone(&mut self, host: &Name, service: &Name) {
        let Some(slot) = self.hosts.get_mut(host) else {
            return;
        };
        if let Ok(place) = slot.find(service) {
            slot.services.remove(place);
        }
        if slot.view.is_none() && slot.services.is_empty() {
            self.hosts.remove(host);
        }
    }
}

impl Slot {
    const fn seen<'a>(&'a self, host: &'a Name, row: &'a Row) -> Seen<'a> {
        Seen {
            host,
            host_view: self.view.as_ref(),
            row,
        }
    }

    fn find(&self, service: &Name) -> Result<usize, usize> {
        self.services
            .binary_search_by(|row| row.service.cmp(service))
    }

    /// The place of the first service behind this one, whether it is still there or not.
    fn behind(&self, service: &Name) -> usize {
        match self.find(service) {
            Ok(place) => place.saturating_add(1),
            Err(place) => place,
        }
    }
}

fn split(view: ServiceView) -> (Name, Row) {
    let ServiceView {
        host,
        service,
        display_name,
        friendly_name,
        state,
        since,
        expected,
        as_expected,
        group,
        start_type,
        trigger_start,
        details,
        pid,
        exit_code,
        incident,
        muted,
        labels,
    } = view;
    let row = Row {
        service,
        display_name,
        friendly_name,
        details,
        labels,
        incident,
        since,
        pid,
        exit_code,
        state,
        expected,
        as_expected,
        group,
        start_type,
        trigger_start,
        muted,
    };
    (host, row)
}

#[cfg(test)]
pub(crate) mod tests;
