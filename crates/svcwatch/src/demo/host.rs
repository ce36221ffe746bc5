//! One simulated host: what differs on it from the rest of its kind.
//!
//! A fleet may have fifty thousand of them, so a host keeps no list of services: only the differences from its role.

use super::catalogue::Role;
use super::random::mix;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use svcwatch_wire::scmr::{CurrentState, EnumeratedService, ServiceStatus, accepts};
use tokio::sync::Notify;

/// What a host as a whole does with who asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It answers.
    Well,
    /// Nothing listens at its address.
    Refuses,
    /// It has no power: whoever is connected is cut off, and nobody gets further than the connection.
    Dead,
    /// It takes connections and says nothing any more.
    Silent,
    /// It refuses the password.
    RefusesLogon,
    /// It lets the account log on, but not open its service control manager.
    DeniesAccess,
    /// It answers what is no RPC at all.
    Garbage,
}

/// How a service is on a host, where it is otherwise than its kind says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It is in another state.
    Status {
        /// The state.
        state: CurrentState,
        /// Win32's exit code.
        exit_code: u32,
        /// The service's own exit code, where the other is 1066.
        service_exit_code: u32,
        /// Progress of a pending state.
        checkpoint: u32,
        /// How long it asks to be waited for, in milliseconds.
        wait_hint: u32,
    },
    /// It is not installed.
    Missing,
    /// It is there, but we may not see it.
    Hidden,
}

impl Difference {
    /// Running.
    pub const RUNNING: Self = Self::lasting(CurrentState::Running);
    /// Paused.
    pub const PAUSED: Self = Self::lasting(CurrentState::Paused);

    const fn lasting(state: CurrentState) -> Self {
        Self::Status {
            state,
            exit_code: 0,
            service_exit_code: 0,
            checkpoint: 0,
            wait_hint: 0,
        }
    }

    /// Stopped with this exit code of Win32, or of its own where that is 1066 (ERROR_SERVICE_SPECIFIC_ERROR).
    pub const fn stopped(exit_code: u32, service_exit_code: u32) -> Self {
        Self::Status {
            state: CurrentState::Stopped,
            exit_code,
            service_exit_code,
            checkpoint: 0,
            wait_hint: 0,
        }
    }

    /// Starting, with 2 s asked for.
    pub const fn starting(checkpoint: u32) -> Self {
        Self::Status {
            state: CurrentState::StartPending,
            exit_code: 0,
            service_exit_code: 0,
            checkpoint,
            wait_hint: 2_000,
        }
    }
}

/// What changes on a host.
#[derive(Debug)]
struct State {
    condition: Condition,
    /// The name by which another computer that answers in its place calls itself.
    impostor: Option<Box<str>>,
    /// By place in the role's list.
    differences: Vec<(u16, Difference)>,
    /// How often services were started, so that a service that comes back has another process.
    starts: u32,
}

/// One simulated host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: Box<str>,
    pub(super) role: usize,
    pub(super) site: &'static str,
    state: Mutex<State>,
    /// How often its connections were cut.
    cuts: AtomicU32,
    /// Whether somebody has read its list of services.
    read: AtomicBool,
    /// Wakes the connections that are to be cut.
    pub(super) cut: Notify,
}

impl Host {
    pub(super) fn new(name: String, role: usize, site: &'static str) -> Self {
        Self {
            name: name.into_boxed_str(),
            role,
            site,
            state: Mutex::new(State {
                condition: Condition::Well,
                impostor: None,
                differences: Vec::new(),
                starts: 0,
            }),
            cuts: AtomicU32::new(0),
            read: AtomicBool::new(false),
            cut: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it does with who asks it.
    pub(super) fn condition(&self) -> Condition {
        self.state().condition
    }

    /// From now on it does this. Who is connected stays so, unless it is cut off.
    pub(super) fn set_condition(&self, condition: Condition) {
        self.state().condition = condition;
    }

    /// The name by which the computer calls itself.
    pub(super) fn computer(&self) -> String {
        match &self.state().impostor {
            Some(other) => other.to_string(),
            None => self.name.to_uppercase(),
        }
    }

    /// Another computer answers from now on in its place, or it does so itself again.
    pub(super) fn set_impostor(&self, computer: Option<&str>) {
        self.state().impostor = computer.map(Into::into);
    }

    /// Ends every connection to it.
    pub(super) fn cut_off(&self) {
        self.cuts.fetch_add(1, Ordering::AcqRel);
        self.cut.notify_waiters();
    }

    /// How often its connections were cut.
    pub(super) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::Acquire)
    }

    /// Its list of services was read.
    pub(super) fn note_read(&self) {
        self.read.store(true, Ordering::Release);
    }

    /// Whether somebody has read its list of services.
    pub(super) fn was_read(&self) -> bool {
        self.read.load(Ordering::Acquire)
    }

    /// How a service differs from its kind; nothing where it does not.
    pub(super) fn difference(&self, place: usize) -> Option<Difference> {
        let place = u16::try_from(place).ok()?;
        let state = self.state();
        let found = state.differences.iter().find(|(at, _)| *at == place);
        found.map(|(_, difference)| *difference)
    }

    /// Whether all its services are as their kind says.
    pub(super) fn is_at_rest(&self) -> bool {
        self.state().differences.is_empty()
    }

    /// From now on a service is so; nothing for as its kind says, with another process than before.
    pub(super) fn set(&self, place: usize, difference: Option<Difference>) {
        let Ok(place) = u16::try_from(place) else {
            return;
        };
        let mut state = self.state();
        state.differences.retain(|(at, _)| *at != place);
        match difference {
            Some(difference) => state.differences.push((place, difference)),
            None => state.starts = state.starts.wrapping_add(1),
        }
    }

    /// It has been started anew: every service is as its kind says, with another process.
    pub(super) fn boot(&self) {
        let mut state = self.state();
        state.differences.clear();
        state.starts = state.starts.wrapping_add(1);
    }

    /// The list that it shows: what is not installed or hidden is left out.
    pub(super) fn list(&self, role: &Role) -> Vec<EnumeratedService> {
        let (differences, starts) = {
            let state = self.state();
            (state.differences.clone(), state.starts)
        };
        let differs = |place: usize| {
            let mut all = differences.iter();
            all.find(|(at, _)| usize::from(*at) == place)
                .map(|(_, difference)| *difference)
        };
        let mut list = Vec::with_capacity(role.at_rest.len());
        for (place, at_rest) in role.at_rest.iter().enumerate() {
            match differs(place) {
                Some(Difference::Missing | Difference::Hidden) => {}
                Some(difference) => {
                    list.push(self.service(role, place, at_rest, Some(difference), starts));
                }
                None => list.push(self.service(role, place, at_rest, None, starts)),
            }
        }
        list
    }

    /// One service as it is now; nothing where it is not installed.
    pub(super) fn read(&self, role: &Role, place: usize) -> Option<EnumeratedService> {
        let difference = self.difference(place);
        if difference == Some(Difference::Missing) {
            return None;
        }
        let starts = self.state().starts;
        let at_rest = role.at_rest.get(place)?;
        Some(self.service(role, place, at_rest, difference, starts))
    }

    fn service(
        &self,
        role: &Role,
        place: usize,
        at_rest: &EnumeratedService,
        difference: Option<Difference>,
        starts: u32,
    ) -> EnumeratedService {
        let mut service = at_rest.clone();
        if let Some(Difference::Status {
            state,
            exit_code,
            service_exit_code,
            checkpoint,
            wait_hint,
        }) = difference
        {
            service.status = status(
                at_rest.status.service_type,
                state,
                exit_code,
                service_exit_code,
            );
            service.status.checkpoint = checkpoint;
            service.status.wait_hint = wait_hint;
        }
        let runs = service.status.current_state != CurrentState::Stopped.raw();
        let shares = role.services.get(place).is_some_and(|one| one.shared);
        service.pid = Some(if runs {
            self.pid(if shares { 0 } else { place }, starts)
        } else {
            0
        });
        service
    }

    /// A process id as Windows gives them: a multiple of four. Services that share a process have the same.
    fn pid(&self, place: usize, starts: u32) -> u32 {
        let seed = u64::try_from(place).unwrap_or(0) << 32 | u64::from(starts);
        let of_name = self.name.bytes().fold(0_u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let scattered = mix(seed ^ of_name.rotate_left(17)) % 4_000;
        u32::try_from(scattered).unwrap_or(0) * 4 + 600
    }
}

fn status(
    service_type: u32,
    state: CurrentState,
    exit_code: u32,
    service_exit_code: u32,
) -> ServiceStatus {
    ServiceStatus {
        service_type,
        current_state: state.raw(),
        controls_accepted: match state {
            CurrentState::Running => accepts::STOP,
            CurrentState::Paused => accepts::STOP | accepts::PAUSE_CONTINUE,
            CurrentState::Stopped
            | CurrentState::StartPending
            | CurrentState::StopPending
            | CurrentState::ContinuePending
            | CurrentState::PausePending => 0,
        },
        win32_exit_code: exit_code,
        service_exit_code,
        ..ServiceStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{SERVICES_PER_HOST, roles};
    use super::*;

    #[test]
    fn a_host_shows_its_differences_and_no_more() {
        let roles = roles();
        let role = &roles[0];
        let host = Host::new("web-01".to_owned(), 0, "oslo");
        let spooler = role.find("spooler").unwrap();
        let before = host.list(role);
        assert_eq!(before.len(), SERVICES_PER_HOST);
        let pid = before[spooler].pid;
        assert!(pid.is_some_and(|pid| pid >= 600 && pid % 4 == 0));

        host.set(spooler, Some(Difference::stopped(1067, 0)));
        let list = host.list(role);
        let changed: Vec<_> = (0..list.len())
            .filter(|at| list[*at] != before[*at])
            .collect();
        assert_eq!(changed, [spooler]);
        assert_eq!(list[spooler].status.win32_exit_code, 1067);
        assert_eq!(list[spooler].pid, Some(0));

        host.set(spooler, None);
        let list = host.list(role);
        assert_eq!(list[spooler].status, before[spooler].status);
        assert_ne!(list[spooler].pid, pid, "it has another process now");
        assert!(host.is_at_rest());
    }

    #[test]
    fn missing_is_not_there_and_hidden_is_only_not_shown() {
        let roles = roles();
        let role = &roles[0];
        let host = Host::new("web-01".to_owned(), 0, "oslo");
        host.set(0, Some(Difference::Missing));
        host.set(1, Some(Difference::Hidden));
        let list = host.list(role);
        assert_eq!(list.len(), SERVICES_PER_HOST - 2);
        assert_eq!(list[0].name, role.services[2].name);
        assert_eq!(host.read(role, 0), None);
        assert!(host.read(role, 1).is_some());
    }
}
