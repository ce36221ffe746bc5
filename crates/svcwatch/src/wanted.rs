//! Readings that somebody waits for beside the rounds: a copy of what a check brought back, given on once everything
//! that it meant is shown.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};
use svcwatch_core::{
    id::Name,
    observe::{HostFault, HostReading, Observation, Outcome},
    view::View,
};
use tokio::sync::oneshot;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    /// The host was read.
    Reading(HostReading),
    /// It was not.
    Fault(HostFault),
    /// The check was not made, or nothing is known of it: the board says why.
    Nothing,
}

/// Who waits for which host.
#[derive(Debug, Default)]
pub struct Wanted {
    hosts: Mutex<BTreeMap<Name, Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    replies: Vec<oneshot::Sender<Brought>>,
    brought: Option<Brought>,
}

impl Wanted {
    /// Waits for the next check of a host to end, one that is under way included.
    pub fn wait(&self, host: &Name) -> oneshot::Receiver<Brought> {
        let (reply, answer) = oneshot::channel();
        let mut hosts = self.lock();
        // Who gave up leaves nothing behind.
        hosts.retain(|_, waiting| {
            waiting.replies.retain(|reply| !reply.is_closed());
            !waiting.replies.is_empty()
        });
        hosts.entry(host.clone()).or_default().replies.push(reply);
        answer
    }

    /// A check has ended.
    pub fn observed(&self, observation: &Observation) {
        if let Some(waiting) = self.lock().get_mut(&observation.host) {
            match &observation.outcome {
                Outcome::Read(reading) => waiting.brought = Some(Brought::Reading(reading.clone())),
                Outcome::Fault(fault) => waiting.brought = Some(Brought::Fault(fault.clone())),
                // Another one follows at once.
                Outcome::LogonNeeded => {}
            }
        }
    }

    /// Whose check something that is to be shown ends: all else that it means has been shown before.
    pub fn ended_by(view: &View) -> Option<Ended> {
        match view {
            View::Checked { host, read, .. } => Some(Ended {
                host: host.clone(),
                read: *read,
            }),
            View::Host(host) if host.fault.is_some() => Some(Ended {
                host: host.name.clone(),
                read: false,
            }),
            View::HostGone(host) => Some(Ended {
                host: host.clone(),
                read: false,
            }),
            _ => None,
        }
    }

    /// Gives on what a check brought, after it was shown.
    pub fn give(&self, ended: &Ended) {
        let mut hosts = self.lock();
        let Some(waiting) = hosts.get_mut(&ended.host) else {
            return;
        };
        // A check that had ended before anybody waited says nothing.
        if waiting.brought.is_none() && ended.read {
            return;
        }
        let waiting = mem::take(waiting);
        hosts.remove(&ended.host);
        drop(hosts);
        let brought = waiting.brought.unwrap_or(Brought::Nothing);
        for reply in waiting.replies {
            // Who asked may be gone.
            drop(reply.send(brought.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Waiting>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    host: Name,
    read: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::{
        observe::{Logon, ProbeId},
        time::{Span, Wall},
    };

    fn observation(host: &str) -> Observation {
        Observation {
            host: host.into(),
            probe: ProbeId(1),
            refusals: 0,
            administrator: None,
            took: Span::ZERO,
            logon: Logon::None,
            computer_name: None,
            outcome: Outcome::Read(HostReading::default()),
            session_kept: true,
        }
    }

    fn checked(host: &str, read: bool) -> Ended {
        Wanted::ended_by(&View::Checked {
            host: host.into(),
            at: Wall(0),
            read,
        })
        .unwrap()
    }

    #[tokio::test]
    async fn who_waits_is_given_what_the_next_check_brings() {
        let wanted = Wanted::default();
        wanted.observed(&observation("a"));
        let (first, second) = (wanted.wait(&"a".into()), wanted.wait(&"A".into()));
        let mut other = wanted.wait(&"b".into());
        wanted.give(&checked("a", true));
        wanted.observed(&observation("a"));
        wanted.give(&checked("a", true));
        let reading = Brought::Reading(HostReading::default());
        assert_eq!(first.await.unwrap(), reading);
        assert_eq!(second.await.unwrap(), reading);
        assert!(other.try_recv().is_err());
        wanted.give(&checked("b", false));
        assert_eq!(other.await.unwrap(), Brought::Nothing);
        drop(wanted.wait(&"c".into()));
        drop(wanted.wait(&"d".into()));
        assert_eq!(wanted.lock().len(), 1, "who gave up is forgotten");
    }
}
