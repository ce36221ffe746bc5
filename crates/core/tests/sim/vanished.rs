//! Hosts that lists let go of: half of the machines stand in a list. That one is not watched any more is told, or there
//! is a written reason why not, in the very transaction that forgets it; of the others nothing is told (P5).

use crate::{
    rng::Rng,
    setup::{MINUTE, Setup},
    story::{Happening, Reload, What},
    world::World,
};
use std::collections::{BTreeMap, BTreeSet};
use svcwatch_core::{
    id::{Name, Subject},
    notice::{Kind, ToldEvent, Why},
    record::Record,
};

/// Some hosts vanish while the monitor is down, with a chance of their own, so that all else is as it was without them.
pub(crate) fn vanish(seed: u64, setup: &Setup, story: &mut Vec<Happening>) {
    let mut rng = Rng::new(seed, 9);
    if !rng.chance(15) {
        return;
    }
    let at = rng.between(10 * MINUTE, setup.horizon - 10 * MINUTE);
    let machine = rng.index(setup.machines.len());
    let mut add = |at: u64, what: What| story.push(Happening { at, what });
    add(at, What::Crash(2 * MINUTE));
    add(at + MINUTE, What::Reload(Reload::RemoveHost(machine)));
    add(at + 8 * MINUTE, What::Reload(Reload::ReturnHost(machine)));
}

impl World {
    /// Looks at a batch before it is written.
    pub(crate) fn judge_vanished(&mut self, records: &[Record]) {
        let mut watched: BTreeMap<&Name, bool> = BTreeMap::new();
        let mut gone: BTreeSet<&Name> = BTreeSet::new();
        for record in records {
            let Record::Host(row) = record else { continue };
            let stored = self.store.hosts.get(&row.host);
            let before = watched.insert(&row.host, !row.removed);
            let before = before.unwrap_or_else(|| stored.is_some_and(|stored| !stored.removed));
            if before && row.removed {
                gone.insert(&row.host);
            }
        }
        let told = |host: &Name| {
            let subject = Subject::Host(host.clone());
            records.iter().any(|record| {
                matches!(record, Record::Delivery(row)
                    if row.notice.subject == subject
                        && row.notice.kind == Kind::Info
                        && row.notice.event == ToldEvent::Unwatched
                        && !self.store.deliveries.contains_key(&row.key))
            })
        };
        // The end of an incident may have such a reason too.
        let reason = |host: &Name| {
            let subject = Subject::Host(host.clone());
            records.iter().any(|record| match record {
                Record::Dropped(row) => {
                    let at_once = matches!(
                        row.why,
                        Why::Silenced | Why::Maintenance | Why::NoRoute | Why::Summarized
                    );
                    row.subject == subject && row.event == ToldEvent::Unwatched && at_once
                }
                _ => false,
            })
        };
        let all_there = self.plan.destinations.len() == self.setup.plan.destinations.len();
        let mut broken = None;
        for (host, machine) in &self.names {
            let listed = self.setup.plan.hosts[*machine].listed;
            let (gone, told) = (gone.contains(host), told(host));
            if gone && listed && !told && !reason(host) && all_there {
                broken = Some(format!("{host} vanished from its list and nobody is told"));
            } else if told && !(gone && listed) {
                broken = Some(format!("{host} is told to have vanished from a list"));
            }
        }
        if let Some(sentence) = broken {
            self.oracle.broken("P5", sentence);
        }
    }
}
