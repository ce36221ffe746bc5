//! Who is to be asked, who is being asked, and until when.

use super::{EvidencePlan, GatherId};
use crate::{
    id::{IncidentId, Name},
    limits,
    time::Tick,
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

/// An incident about which its host is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub incident: IncidentId,
    /// The last asking that had begun before it waited: an answer to that is about something earlier.
    pub after: GatherId,
    /// When it is given up.
    pub until: Tick,
    /// Until when its opening waits for evidence.
    pub waits_until: Option<Tick>,
    /// Until when its opening is held for another reason; nothing where it waits for evidence alone.
    pub held_until: Option<Tick>,
}

/// What is being asked of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which asking.
    pub gather: GatherId,
    /// About which services.
    pub services: Vec<Name>,
    /// When no answer is waited for any more.
    pub until: Tick,
}

/// Who is to be asked and who is being asked: of each host one thing at a time, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// By host and service.
    waiting: BTreeMap<Name, BTreeMap<Name, Waiting>>,
    order: VecDeque<Name>,
    /// Those that stand in `order`.
    queued: BTreeSet<Name>,
    asked: BTreeMap<Name, Asked>,
    until: BTreeSet<(Tick, Name)>,
    last: u64,
}

impl Queue {
    /// Puts an incident of a service last. Whether there was room.
    pub fn add(&mut self, host: &Name, service: &Name, mut waiting: Waiting) -> bool {
        waiting.after = GatherId(self.last);
        let known = self.waiting.contains_key(host);
        if !known && self.waiting.len() >= limits::GATHER_HOSTS_MAX {
            return false;
        }
        let services = self.waiting.entry(host.clone()).or_default();
        if services.len() >= limits::GATHER_WAITING_PER_HOST && !services.contains_key(service) {
            return false;
        }
        self.until.insert((waiting.until, host.clone()));
        services.insert(service.clone(), waiting);
        self.enqueue(host);
        true
    }

    fn enqueue(&mut self, host: &Name) {
        if self.queued.insert(host.clone()) {
            self.order.push_back(host.clone());
        }
    }

    /// What waits of a service.
    pub fn of(&self, host: &Name, service: &Name) -> Option<&Waiting> {
        self.waiting.get(host)?.get(service)
    }

    /// Takes what waits of a service for the answer to this asking, or to any.
    pub fn take_answered(
        &mut self,
        host: &Name,
        service: &Name,
        gather: Option<GatherId>,
    ) -> Option<Waiting> {
        let waiting = self.of(host, service)?;
        if gather.is_some_and(|gather| gather <= waiting.after) {
            return None;
        }
        self.take(host, service)
    }

    /// Takes what waits of a service.
    pub fn take(&mut self, host: &Name, service: &Name) -> Option<Waiting> {
        let services = self.waiting.get_mut(host)?;
        let taken = services.remove(service);
        if services.is_empty() {
            self.waiting.remove(host);
        }
        taken
    }

    /// Hosts that may be asked now, each with the services and until when an answer is waited for.
    pub fn begin(&mut self, plan: &EvidencePlan, now: Tick) -> Vec<(Name, Asked)> {
        let mut begun = Vec::new();
        let mut passed = VecDeque::new();
        while self.asked.len() < plan.hosts_at_once {
            let Some(host) = self.order.pop_front() else {
                break;
            };
            if self.asked.contains_key(&host) {
                passed.push_back(host);
                continue;
            }
            self.queued.remove(&host);
            let Some(services) = self.waiting.get(&host) else {
                continue;
            };
            let until = services.values().map(|one| one.until).max();
            let until = until.unwrap_or(now).max(now);
            let names: Vec<Name> = services
                .keys()
                .take(limits::GATHERED_AT_ONCE)
                .cloned()
                .collect();
            self.last = self.last.saturating_add(1);
            let asked = Asked {
                gather: GatherId(self.last),
                services: names,
                until,
            };
            self.until.insert((until, host.clone()));
            self.asked.insert(host.clone(), asked.clone());
            begun.push((host, asked));
        }
        passed.append(&mut self.order);
        self.order = passed;
        begun
    }

    /// An answer has come: the services that were asked about, where it is the answer to the last asking.
    pub fn answered(&mut self, host: &Name, gather: GatherId) -> Option<Asked> {
        if self.asked.get(host)?.gather != gather {
            return None;
        }
        // Others of the same host may still wait.
        self.enqueue(host);
        self.asked.remove(host)
    }

    /// What is given up now: host and service of each.
    pub fn overdue(&mut self, now: Tick) -> Vec<(Name, Name)> {
        let mut overdue = Vec::new();
        while let Some((at, host)) = self.until.first().cloned() {
            if at > now {
                break;
            }
            self.until.remove(&(at, host.clone()));
            if self
                .asked
                .get(&host)
                .is_some_and(|asked| asked.until <= now)
            {
                self.asked.remove(&host);
                self.enqueue(&host);
            }
            let late = self.waiting.get(&host).into_iter().flatten();
            let late = late.filter(|(_, one)| one.until <= now);
            overdue.extend(late.map(|(service, _)| (host.clone(), service.clone())));
        }
        overdue
    }

    /// When something is given up next.
    pub fn deadline(&self) -> Option<Tick> {
        self.until.first().map(|(at, _)| *at)
    }

    /// Nobody is asked about a host any more.
    pub fn forget(&mut self, host: &Name) {
        self.waiting.remove(host);
        self.asked.remove(host);
    }

    /// How many hosts are being asked.
    pub fn under_way(&self) -> usize {
        self.asked.len()
    }
}
