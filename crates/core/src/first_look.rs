//! What was already wrong when we began to look. It is gathered, so that a start on a bad day is one message and not
//! a hundred.

use crate::{
    id::{Name, Subject},
    limits,
    time::{Now, Tick},
};
use alloc::{collections::BTreeSet, vec::Vec};

/// What was found wrong at the first look and is not told yet.
#[derive(Debug, Clone, Default)]
pub struct FirstLook {
    /// Hosts that were not looked at yet.
    waiting_for: BTreeSet<Name>,
    /// What was found.
    found: BTreeSet<Subject>,
    /// When it is told at the latest.
    deadline: Option<Tick>,
    /// Whether this is the look right after a start or a reload, which is over when every host was looked at.
    first_round: bool,
}

impl FirstLook {
    /// Begins to look at these hosts.
    pub fn begin(&mut self, now: Now, hosts: impl IntoIterator<Item = Name>) {
        self.waiting_for.extend(hosts);
        if !self.waiting_for.is_empty() {
            self.first_round = true;
            self.deadline = Some(now.tick + limits::FIRST_LOOK_MAX);
        }
    }

    /// Whether this host was not looked at yet.
    pub fn waits_for(&self, host: &Name) -> bool {
        self.waiting_for.contains(host)
    }

    /// A host was looked at, or is not watched any more.
    pub fn looked(&mut self, host: &Name) {
        self.waiting_for.remove(host);
    }

    /// Gathers something that was already wrong. Once every host was looked at, what still comes (because it had to
    /// last first) is gathered for a short while.
    pub fn gather(&mut self, now: Now, subject: Subject) {
        self.found.insert(subject);
        if self.deadline.is_none() {
            self.deadline = Some(now.tick + limits::FIRST_LOOK_FOLLOW);
        }
    }

    /// Whether something is gathered but not told.
    pub fn has(&self, subject: &Subject) -> bool {
        self.found.contains(subject)
    }

    /// It is over before it was told.
    pub fn drop_one(&mut self, subject: &Subject) {
        self.found.remove(subject);
    }

    /// Whether it is time to tell.
    pub fn is_over(&self, now: Tick) -> bool {
        self.deadline().is_some_and(|at| now >= at)
    }

    /// When it is time to tell: as soon as every host was looked at, and at the latest at the deadline.
    pub fn deadline(&self) -> Option<Tick> {
        let saw_all = self.first_round && self.waiting_for.is_empty();
        self.deadline.map(|at| if saw_all { Tick(0) } else { at })
    }

    /// Gives what was gathered and is done with it.
    pub fn take(&mut self) -> Vec<Subject> {
        self.deadline = None;
        self.first_round = false;
        self.waiting_for.clear();
        core::mem::take(&mut self.found).into_iter().collect()
    }
}
