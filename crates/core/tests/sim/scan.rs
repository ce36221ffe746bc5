//! Promises about time, looked at every minute: what is wrong is known soon, what is well is not called wrong, and
//! nothing that fails holds up what does not (P3, P4).

use crate::{
    machines::Mode,
    readings::{Sight, entry_of, wrong},
    services::Visible,
    setup::{HOUR, MINUTE, SECOND, interval},
    story::{DestinationChange, StoreChange},
    world::World,
};
use std::{collections::BTreeSet, sync::Arc};
use svcwatch_core::{
    id::{DeliveryKey, Name, Subject},
    limits,
    notice::ToldEvent,
    observe::{Fault, State},
    plan::{EntryPlan, HostPlan},
    record::DeliveryState,
};

/// How long a new message may take to be rendered and sent.
const SEND_AT_ONCE: u64 = 2 * SECOND;
/// How long a message that is due may wait at a destination that is well.
const SEND_WITHIN: u64 = 45 * SECOND;

impl World {
    /// Looks at the promises about time.
    pub(crate) fn scan(&mut self) {
        if let Some(failed) = self.writing.as_ref().and_then(|writing| writing.failed)
            && self.now > failed + limits::COMMIT_RETRY.0 + 10 * SECOND
        {
            self.oracle
                .broken("P5", "a failed commit was not tried again".to_string());
        }
        let Some(steady) = self.steady_since() else {
            return;
        };
        let plan = Arc::clone(&self.plan);
        for host in &plan.hosts {
            self.scan_host(host, steady);
            self.scan_boot(&host.name, steady);
        }
        self.scan_groups(steady);
        self.scan_deliveries(steady);
        self.scan_news();
        self.scan_ends(steady);
    }

    /// Since when the monitor runs with this configuration and with a store that is well.
    pub(crate) fn steady_since(&self) -> Option<u64> {
        if self.monitor.is_none() || self.store_mode.0 != StoreChange::Heal {
            return None;
        }
        let planned = self.oracle.plans.last().map_or(0, |(at, _)| *at);
        // What the store had held up is caught up with first.
        Some(
            self.up_since
                .max(self.store_mode.1 + 40 * SECOND)
                .max(planned),
        )
    }

    /// How long it may take until a host that is well is read again.
    pub(crate) fn round(&self, host: &HostPlan, session: bool) -> u64 {
        let turns = if session {
            1
        } else {
            u64::try_from(self.plan.hosts.len()).unwrap_or(1) + 1
        };
        interval(host) + turns * (host.timeout.0 + limits::PROBE_GRACE.0) + 30 * SECOND
    }

    /// Since when a host can be read, where it can.
    pub(crate) fn fine_since(&self, host: &HostPlan) -> Option<u64> {
        let machine = &self.machines[*self.names.get(&host.name)?];
        let allowed = host
            .also_known_as
            .iter()
            .any(|glob| glob.matches(&machine.computer));
        if machine.mode(self.now) != Mode::Well || (machine.computer.ends_with("-NEW") && !allowed)
        {
            return None;
        }
        let mut since = machine.mode_since;
        if machine.session.is_some() {
            since = since.max(machine.session_since);
        }
        if machine.session.is_none()
            && let Some(name) = &host.account
        {
            let account = self.accounts.iter().find(|account| account.name == *name)?;
            if account.refused.is_some() {
                return None;
            }
            let wait = HOUR + 2 * MINUTE;
            // What is left of an hour's wait may begin anew at a start, where the clock was set.
            let begins_anew = |at: &u64| {
                // Nothing is decided while the store takes nothing, so its hour begins when it does again.
                let slow = self.oracle.store_slow_at;
                let heeded = (*at).max(if slow < at + HOUR { slow } else { 0 });
                heeded.max(self.up_since)
            };
            let refused = self
                .oracle
                .logons
                .account_refused_at
                .get(name)
                .map_or(0, |at| begins_anew(at) + wait);
            since = since.max(account.since).max(refused);
        }
        Some(since)
    }

    fn scan_host(&mut self, host: &HostPlan, steady: u64) {
        let Some(&at) = self.names.get(&host.name) else {
            return;
        };
        let session = self.machines[at].session.is_some();
        let round = self.round(host, session);
        match self.fine_since(host) {
            Some(fine) => {
                let base = fine.max(steady);
                let begun = self.oracle.logons.last.get(&host.name).copied();
                let last = begun.unwrap_or(0).max(base);
                let under_way = self.oracle.logons.begun.contains_key(&host.name);
                if !under_way && self.now > last + round {
                    let since = (self.now - last) / SECOND;
                    let sentence = format!(
                        "{} is well, but was not probed for {since} s (the last probe began at {begun:?})",
                        host.name
                    );
                    self.oracle.broken("P3", sentence);
                }
                self.scan_services(host, at, base, round);
            }
            None => self.scan_blind(host, at, steady, round),
        }
    }

    /// A host that cannot be read must be known as such, and must not be green.
    fn scan_blind(&mut self, host: &HostPlan, at: usize, steady: u64, round: u64) {
        let machine = &self.machines[at];
        let event = match machine.mode(self.now) {
            Mode::Well => return,
            Mode::Fault(Fault::AccessDenied | Fault::ShuttingDown)
                if machine.computer.ends_with("-NEW") =>
            {
                return;
            }
            Mode::Fault(Fault::AccessDenied) => ToldEvent::AccessDenied,
            Mode::Fault(Fault::ProtocolError) => ToldEvent::ProtocolError,
            Mode::Fault(_) | Mode::Hangs | Mode::Silent | Mode::Late(_) => {
                ToldEvent::HostUnreachable
            }
            Mode::Impostor => ToldEvent::WrongHost,
            // A host whose account needs no logon refuses nothing.
            Mode::Refuses(_) if host.account.is_none() => return,
            Mode::Refuses(_) => ToldEvent::LogonRefused,
        };
        if self.now < machine.mode_since {
            return;
        }
        let base = machine.mode_since.max(steady);
        let parked = self
            .oracle
            .logons
            .last_refused(&self.oracle.names_of(&host.name))
            .is_some_and(|at| self.anew(at).max(at) + HOUR + MINUTE > base);
        let account = host
            .account
            .as_ref()
            .and_then(|name| self.accounts.iter().find(|known| known.name == *name));
        let refused =
            account.is_some_and(|account| account.refused.is_some() || account.since > base);
        let paused = host
            .account
            .as_ref()
            .and_then(|name| self.store.accounts.get(name))
            .is_some_and(|row| row.paused.is_some());
        // One that shuts down is given time, and so are those that are silent while others boot.
        let patience = limits::SHUTTING_DOWN_MAX.0 + MINUTE;
        if self.now < base + 3 * round + host.host_for.0 + MINUTE + patience {
            return;
        }
        let shown = self.page.hosts.get(&host.name).map(|view| view.fault);
        if shown == Some(None) {
            let sentence = format!(
                "{} cannot be read since {} s and is shown as up",
                host.name,
                (self.now - base) / SECOND
            );
            self.oracle.broken("P4", sentence);
        }
        let incident = self
            .store
            .open
            .get(&Subject::Host(host.name.clone()))
            .and_then(|id| self.store.incidents.get(id));
        let known = incident.map(|incident| incident.event);
        if known != Some(event) && !parked && !refused && !paused {
            let sentence = format!(
                "{} is {event} since {} s, and its incident is {known:?}",
                host.name,
                (self.now - base) / SECOND
            );
            self.oracle.broken("P4", sentence);
        }
    }

    fn scan_services(&mut self, host: &HostPlan, at: usize, base: u64, round: u64) {
        for place in 0..self.machines[at].services.len() {
            let service = &self.machines[at].services[place];
            let name = service.name.clone();
            let Some(entry) = entry_of(host, &name) else {
                continue;
            };
            let (state, since, _) = service.state(self.now);
            let hidden = service.visible() == Visible::Hidden && state != State::Missing;
            let row = self
                .store
                .targets
                .get(&(host.name.clone(), name.clone()))
                .filter(|row| !row.removed);
            let learned = !entry.selector.is_named();
            let plain = service.visible() == Visible::Listed && state != State::Missing;
            if learned && (!plain || row.is_none_or(|row| !row.seen_running)) {
                continue;
            }
            if state.is_pending() && !service.hangs() {
                continue;
            }
            let stuck = if state.is_pending() {
                self.stuck_bound(state, service.wait_hint())
            } else {
                0
            };
            let exit_code = service.reading(self.now).exit_code.unwrap_or(0);
            let sight = if hidden {
                Sight::Hidden
            } else {
                Sight::State(state)
            };
            let expected = if state.is_pending() && !hidden {
                Some(ToldEvent::Stuck)
            } else {
                wrong(entry, (sight, exit_code))
            };
            let bound = bound_of(entry, round) + stuck;
            if self.now < base.max(since) + bound {
                continue;
            }
            let long = (self.now - base.max(since)) / SECOND;
            self.judge_incident(host, &name, long, sight, expected);
            if !entry.counted {
                self.judge_shown(host, &name, long, sight, expected);
            }
        }
    }

    /// A service has the incident that fits it, and none otherwise: by now the monitor had time to see how it is.
    fn judge_incident(
        &mut self,
        host: &HostPlan,
        name: &Name,
        long: u64,
        sight: Sight,
        expected: Option<ToldEvent>,
    ) {
        let subject = Subject::Service {
            host: host.name.clone(),
            service: name.clone(),
        };
        let known = self
            .store
            .open
            .get(&subject)
            .and_then(|id| self.store.incidents.get(id))
            .map(|row| row.event);
        // Where a host hides many services that is told instead of each.
        let visibility = Subject::Visibility(host.name.clone());
        let told_for_host =
            matches!(sight, Sight::Hidden) && self.store.open.contains_key(&visibility);
        if known != expected && !told_for_host {
            let sentence = format!(
                "{}/{name} is {sight:?} since {long} s, which is {expected:?}, and its incident is {known:?}",
                host.name
            );
            let hidden = matches!(sight, Sight::Hidden);
            let rule = if hidden { "P4" } else { "I1" };
            self.oracle.broken(rule, sentence);
        }
    }

    /// The page shows whether a service is as expected; of one that is stuck only the incident is judged.
    fn judge_shown(
        &mut self,
        host: &HostPlan,
        name: &Name,
        long: u64,
        sight: Sight,
        expected: Option<ToldEvent>,
    ) {
        let shown = self
            .page
            .services
            .get(&(host.name.clone(), name.clone()))
            .map(|view| view.as_expected);
        let green = expected.is_none();
        if shown != Some(green) && expected != Some(ToldEvent::Stuck) {
            let sentence = format!(
                "{}/{name} is {sight:?} since {long} s and is shown as {shown:?}",
                host.name
            );
            self.oracle.broken("P4", sentence);
        }
    }

    fn stuck_bound(&self, state: State, wait_hint: u64) -> u64 {
        let least = match state {
            State::StartPending | State::ContinuePending => self.plan.stuck_after.start,
            _ => self.plan.stuck_after.stop,
        };
        least.max(self.plan.stuck_after.boot).0.max(3 * wait_hint)
    }

    /// A message that was never tried is sent at once to a destination that is well, whatever others do.
    pub(crate) fn judge_promptness(&mut self, key: &DeliveryKey) {
        let (Some(stored), Some(steady)) = (self.store.deliveries.get(key), self.steady_since())
        else {
            return;
        };
        let row = &stored.row;
        let recipient = (row.destination.clone(), Arc::clone(&row.recipient));
        let planned = (self.plan.destinations.iter()).find(|known| known.name == recipient.0);
        let known = (self.destinations.iter()).find(|known| known.name == recipient.0);
        let Some(known) = known.filter(|known| known.mode == DestinationChange::Heal) else {
            return;
        };
        if row.attempts > 0 || planned.is_none_or(|planned| planned.limit.is_some()) {
            return;
        }
        let waiting = self.store.waiting.values();
        let beside = waiting.filter(|key| {
            let stored = self.store.deliveries.get(*key);
            stored.is_some_and(|stored| stored.row.destination == recipient.0)
        });
        let beside = u64::try_from(beside.count()).unwrap_or(0);
        // A service waits for the summary that names it.
        let fleet = (recipient.clone(), Subject::Fleet);
        let asked = self.oracle.asked_until(&recipient);
        let of_host = row.notice.subject.host();
        let host = of_host.map_or(Subject::Fleet, |host| Subject::Host(host.clone()));
        let host = (recipient.clone(), host);
        let lane = (recipient, row.notice.subject.clone());
        let turned =
            [&lane, &fleet, &host].map(|lane| self.store.turned.get(lane).copied().unwrap_or(0));
        let base = steady
            .max(known.since + MINUTE)
            .max(stored.first_at)
            .max(turned[0])
            .max(turned[1])
            .max(turned[2])
            .max(asked)
            .max(self.anew(stored.first_at));
        let bound = SEND_AT_ONCE + beside * SECOND / 4;
        if self.now > base + bound {
            let sentence = format!(
                "message {key} waited {} ms although {} is well",
                self.now - base,
                known.name
            );
            self.oracle.broken("P3", sentence);
        }
    }

    /// Until when a wait that was stored may last, where the clock was set back before a start: what is left of it is
    /// then its full length.
    fn anew(&self, stored_at: u64) -> u64 {
        let back = self.oracle.jumps.iter().any(|(_, by)| *by < 0);
        if back && stored_at < self.up_since {
            self.up_since + limits::RETRY_AFTER_MAX.0
        } else {
            0
        }
    }

    /// A message that is due at a destination that is well is sent.
    fn scan_deliveries(&mut self, steady: u64) {
        let mut seen = BTreeSet::new();
        let waiting: Vec<_> = self.store.waiting.values().cloned().collect();
        for key in waiting {
            let Some(stored) = self.store.deliveries.get(&key) else {
                continue;
            };
            let recipient = (
                stored.row.destination.clone(),
                Arc::clone(&stored.row.recipient),
            );
            let lane = (recipient.clone(), stored.row.notice.subject.clone());
            let turned = self.store.turned.get(&lane).copied().unwrap_or(0);
            // The summary that it waits for is a message of its own, and judged as one.
            let behind = self.store.lanes.get(&lane);
            let waits = behind
                .and_then(|lane| lane.behind.as_ref())
                .and_then(|summary| self.store.deliveries.get(summary))
                .is_some_and(|summary| {
                    matches!(
                        summary.row.state,
                        DeliveryState::Pending | DeliveryState::Sending
                    )
                });
            if !seen.insert(lane) || waits {
                continue;
            }
            let planned = self
                .plan
                .destinations
                .iter()
                .find(|known| known.name == recipient.0);
            let Some(planned) = planned.filter(|known| known.limit.is_none()) else {
                continue;
            };
            let Some(known) = self
                .destinations
                .iter()
                .find(|known| known.name == planned.name)
            else {
                continue;
            };
            if known.mode != DestinationChange::Heal || self.oracle.is_under_way(&key) {
                continue;
            }
            let asked = self.oracle.asked_until(&recipient);
            let base = steady
                .max(known.since)
                .max(stored.due_at)
                .max(turned)
                .max(stored.changed_at)
                .max(asked)
                .max(self.anew(stored.changed_at));
            if self.now > base + SEND_WITHIN {
                let sentence = format!(
                    "message {key} is due at {} since {} s and is not sent",
                    known.name,
                    (self.now - base) / SECOND
                );
                self.oracle.broken("P3", sentence);
            }
        }
    }
}

/// How long it may take until what is true of a service is in its incident.
fn bound_of(entry: &EntryPlan, round: u64) -> u64 {
    let turns = if entry.recovery {
        crate::recoveries::TURNS
    } else {
        0
    };
    (u64::from(entry.confirm) + 2) * round + entry.for_span.0 + turns + MINUTE
}
