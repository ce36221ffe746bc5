//! Machines that say by themselves that something happened to one of their services. What they say is no reading, so
//! nothing is believed for it alone (P4); but it has the machine read at once, also where it is being read just then.

use crate::{item::Item, setup::SECOND, world::World};
use svcwatch_core::{
    event::Event,
    id::{Name, stable_hash},
    limits,
};

/// How long it takes until what happened is heard, at most.
const HEARD_WITHIN: u64 = 300;

impl World {
    /// Something happened to a service of a machine; every third one says so.
    pub(crate) fn stirs(&mut self, machine: usize) {
        if !machine.is_multiple_of(3) {
            return;
        }
        let names = self.names.iter().filter(|(_, at)| **at == machine);
        let names: Vec<Name> = names.map(|(name, _)| name.clone()).collect();
        for name in names {
            let wait = stable_hash(&format!("{name} {}", self.now), 5) % HEARD_WITHIN;
            self.later(self.now + 1 + wait, Item::Stirs(name));
        }
    }

    /// The monitor hears of it.
    pub(crate) fn stirred(&mut self, host: &Name) {
        self.say(|| format!("{host} stirs"));
        self.tell(Event::Stirred { host: host.clone() });
        if let Some(plan) = crate::readings::host_of(&self.plan, host) {
            let by = self.now + plan.timeout.0 + limits::PROBE_GRACE.0 + 2 * SECOND;
            self.later(by, Item::StirIsOver(host.clone(), self.now));
        }
    }

    /// By now a reading has begun that sees what happened, where nothing was in its way.
    pub(crate) fn judge_stir(&mut self, host: &Name, heard: u64) {
        let Some(plan) = crate::readings::host_of(&self.plan, host) else {
            return;
        };
        let session = self.names.get(host).map(|at| &self.machines[*at]);
        let kept = session.is_some_and(|machine| machine.session.is_some());
        let in_time = |since: Option<u64>| since.is_some_and(|since| since <= heard);
        if !kept || !in_time(self.steady_since()) || !in_time(self.fine_since(plan)) {
            return;
        }
        let last = self.oracle.logons.last.get(host).copied();
        if last.is_none_or(|last| last < heard) {
            let sentence = format!("{host} said that something happened and was not read for it");
            self.oracle.broken("P2", sentence);
        }
    }
}
