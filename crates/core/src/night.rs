//! A night of reboots: hosts that shut down and boot, and what is told of all of them together.
//!
//! What did not come back on a host waits until no other host is shutting down or in boot grace, at most
//! [`limits::REPORT_WAIT_MAX`], so that a night is one report; and two messages about reboots are at least
//! [`limits::NIGHT_EVERY`] apart.

use crate::{
    id::Name,
    limits,
    time::{Span, Tick},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// The hosts that shut down or boot.
#[derive(Debug, Clone, Default)]
pub struct Night {
    /// When what holds back a host's notices is over, for those of which it is not yet.
    busy: BTreeMap<Name, Tick>,
    agenda: BTreeSet<(Tick, Name)>,
    /// Hosts that were booted, until what did not come back was told.
    booted: BTreeSet<Name>,
    /// Hosts on which something did not come back that is not told yet.
    waiting: BTreeSet<Name>,
    /// Hosts whose time is over and that cannot be read.
    silent: BTreeSet<Name>,
    /// Since when something waits.
    waiting_since: Option<Tick>,
    /// When something was told of such a night last.
    told: Option<Tick>,
}

impl Night {
    /// Whether no host is shutting down or in boot grace, and nothing is left to tell.
    pub fn is_quiet(&self) -> bool {
        self.busy.is_empty() && self.waiting.is_empty() && self.silent.is_empty()
    }

    /// Whether so many hosts shut down or boot that one that is silent is likely to be one of them.
    pub fn is_on(&self) -> bool {
        self.busy.len() >= limits::NIGHT_HOSTS
    }

    /// Notices about a host's services are held until then, because it is shutting down or was booted.
    pub fn hold(&mut self, host: &Name, until: Tick) {
        if let Some(before) = self.busy.insert(host.clone(), until) {
            self.agenda.remove(&(before, host.clone()));
        }
        self.silent.remove(host);
        self.agenda.insert((until, host.clone()));
    }

    /// They are not held any more.
    pub fn release(&mut self, host: &Name) {
        if let Some(until) = self.busy.remove(host) {
            self.agenda.remove(&(until, host.clone()));
        }
        self.silent.remove(host);
        self.rest();
    }

    /// The time of a host is over, but it is silent: its first reading tells what did not come back.
    pub fn is_silent(&mut self, host: &Name) {
        self.silent.insert(host.clone());
    }

    /// A host that was silent is read.
    pub fn awake(&mut self, host: &Name) {
        self.silent.remove(host);
    }

    /// The night is over with the last host.
    pub fn rest(&mut self) {
        if self.is_quiet() {
            self.booted.clear();
        }
    }

    /// A host was booted.
    pub fn booted(&mut self, host: &Name) {
        self.booted.insert(host.clone());
        self.waiting.remove(host);
    }

    /// A host is not watched any more.
    pub fn forget(&mut self, host: &Name) {
        self.waiting.remove(host);
        self.booted.remove(host);
        self.release(host);
    }

    /// Hosts of which what holds back their notices is over now.
    pub fn over(&mut self, now: Tick) -> Vec<Name> {
        let mut hosts = Vec::new();
        while let Some((_, host)) = self.agenda.first().filter(|(at, _)| *at <= now).cloned() {
            self.agenda.pop_first();
            self.busy.remove(&host);
            hosts.push(host);
        }
        hosts
    }

    /// Something did not come back on a host whose boot grace is over.
    pub fn wait(&mut self, now: Tick, host: &Name) {
        self.silent.remove(host);
        self.waiting.insert(host.clone());
        self.waiting_since.get_or_insert(now);
    }

    /// Whether what did not come back on this host waits for the report.
    pub fn waits(&self, host: &Name) -> bool {
        self.waiting.contains(host)
    }

    /// When the report is told, as things are now.
    pub fn report_at(&self) -> Option<Tick> {
        let since = self.waiting_since.filter(|_| !self.waiting.is_empty())?;
        let at = if self.busy.is_empty() {
            since
        } else {
            since + limits::REPORT_WAIT_MAX
        };
        Some(at.max(self.next_message()))
    }

    /// When the next message about a night may be told.
    pub fn next_message(&self) -> Tick {
        self.told.map_or(Tick(0), |told| told + limits::NIGHT_EVERY)
    }

    /// A message about a night is told.
    pub const fn tells(&mut self, now: Tick) {
        self.told = Some(now);
    }

    /// The hosts of the report, and of how many that were booted; they do not wait any more.
    pub fn take_report(&mut self, now: Tick) -> (Vec<Name>, usize) {
        let hosts: Vec<Name> = core::mem::take(&mut self.waiting).into_iter().collect();
        self.waiting_since = None;
        let booted = self.booted.len().max(hosts.len());
        self.rest();
        self.told = Some(now);
        (hosts, booted)
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<Tick> {
        let over = self.agenda.first().map(|(at, _)| *at);
        over.into_iter().chain(self.report_at()).min()
    }

    /// How long a silent host is given in such a night.
    pub fn patience(&self) -> Span {
        if self.is_on() {
            limits::SHUTTING_DOWN_MAX
        } else {
            Span::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Tick {
        Tick(Span::minutes(minutes).0)
    }

    #[test]
    fn a_report_waits_for_the_others_and_not_for_ever() {
        let mut night = Night::default();
        let (one, two): (Name, Name) = ("one".into(), "two".into());
        for host in [&one, &two] {
            night.booted(host);
            night.hold(host, at(10));
        }
        night.hold(&two, at(40));
        assert_eq!(night.over(at(10)), core::slice::from_ref(&one));
        night.wait(at(10), &one);
        assert_eq!(night.report_at(), Some(at(25)));
        night.release(&two);
        assert_eq!(night.report_at(), Some(at(10)), "nobody is waited for");
        assert_eq!(night.take_report(at(10)), (alloc::vec![one], 2));
        assert!(night.is_quiet());
    }

    #[test]
    fn two_messages_are_some_minutes_apart() {
        let mut night = Night::default();
        night.tells(at(9));
        night.wait(at(10), &"one".into());
        assert_eq!(night.report_at(), Some(at(14)));
    }
}
