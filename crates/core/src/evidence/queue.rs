//! Who is to be asked, who is being asked, and until when.

use super::{EvidencePlan, GatherId, Heard};
use crate::{
    id::{IncidentId, Name},
    limits,
    record::HistoryRow,
    time::{Span, Tick},
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
    /// When it is explained by what is known, or given up where it was.
    pub until: Tick,
    /// Whether it was explained by what is known, because its host was not asked in time. It is asked once no other waits.
    pub late: bool,
    /// Until when its opening waits for evidence.
    pub waits_until: Option<Tick>,
    /// Until when its opening is held for another reason; nothing where it waits for evidence alone.
    pub held_until: Option<Tick>,
    /// What was found to have changed since it waits, the newest first.
    pub changes: Vec<HistoryRow>,
}

/// An incident that is explained by what is known, because its host has not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The host.
    pub host: Name,
    /// The service.
    pub service: Name,
    /// What waited. It still does where its host may still be asked.
    pub waiting: Waiting,
    /// Why there is no answer.
    pub heard: Heard,
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

/// Hosts in a row, each once.
#[derive(Debug, Clone, Default)]
struct Row {
    order: VecDeque<Name>,
    /// Those that stand in `order`.
    queued: BTreeSet<Name>,
}

impl Row {
    fn push(&mut self, host: &Name) {
        if self.queued.insert(host.clone()) {
            self.order.push_back(host.clone());
        }
    }

    fn pop(&mut self) -> Option<Name> {
        let host = self.order.pop_front()?;
        self.queued.remove(&host);
        Some(host)
    }
}

/// Who is to be asked and who is being asked: of each host one thing at a time, in the order in which they came; those whose
/// time is over come after all others.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// By host and service.
    waiting: BTreeMap<Name, BTreeMap<Name, Waiting>>,
    row: Row,
    /// Those of which nothing waits any more that could still be answered in time.
    late: Row,
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
        self.row.push(host);
        true
    }

    /// Keeps a change of a service about which its host is to be asked, or is being asked: its history may be read already.
    pub fn changed(&mut self, host: &Name, service: &Name, row: &HistoryRow) {
        let services = self.waiting.get_mut(host);
        if let Some(waiting) = services.and_then(|services| services.get_mut(service)) {
            waiting.changes.insert(0, row.clone());
            waiting.changes.truncate(limits::CLUES_OF_A_KIND);
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
    fn take(&mut self, host: &Name, service: &Name) -> Option<Waiting> {
        let services = self.waiting.get_mut(host)?;
        let taken = services.remove(service);
        if services.is_empty() {
            self.waiting.remove(host);
        }
        taken
    }

    /// The host whose turn it is.
    fn next(&mut self) -> Option<Name> {
        while let Some(host) = self.row.pop() {
            let services = self.waiting.get(&host);
            if services.is_none_or(|services| services.values().any(|one| !one.late)) {
                return Some(host);
            }
            self.late.push(&host);
        }
        self.late.pop()
    }

    /// Hosts that may be asked now, each with the services and until when an answer is waited for.
    pub fn begin(&mut self, plan: &EvidencePlan, now: Tick) -> Vec<(Name, Asked)> {
        let mut begun = Vec::new();
        let mut passed = Vec::new();
        while self.asked.len() < plan.hosts_at_once {
            let Some(host) = self.next() else {
                break;
            };
            if self.asked.contains_key(&host) {
                passed.push(host);
                continue;
            }
            let Some(services) = self.waiting.get(&host) else {
                continue;
            };
            let in_time = services.iter().filter(|(_, one)| !one.late);
            let until = in_time.clone().map(|(_, one)| one.until).max();
            // Who is asked late has time to answer all the same.
            let least = until.map_or(plan.deadline, |_| Span(plan.deadline.0.div_euclid(2)));
            let until = until.unwrap_or(now).max(now + least);
            let late = services.iter().filter(|(_, one)| one.late);
            let names = in_time.chain(late).map(|(name, _)| name.clone());
            let names: Vec<Name> = names.take(limits::GATHERED_AT_ONCE).collect();
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
        for host in passed {
            self.row.push(&host);
        }
        begun
    }

    /// An answer has come: the services that were asked about, where it is the answer to the last asking.
    pub fn answered(&mut self, host: &Name, gather: GatherId) -> Option<Asked> {
        if self.asked.get(host)?.gather != gather {
            return None;
        }
        // Others of the same host may still wait.
        self.row.push(host);
        self.asked.remove(host)
    }

    /// What is explained now by what is known: who was asked and has not answered in time, and who was not asked in time.
    pub fn overdue(&mut self, now: Tick) -> Vec<GivenUp> {
        let mut overdue = Vec::new();
        while let Some((at, host)) = self.until.first().cloned() {
            if at > now {
                break;
            }
            self.until.remove(&(at, host.clone()));
            self.end_asking(now, &host, &mut overdue);
            self.end_waiting(now, &host, &mut overdue);
        }
        overdue
    }

    /// Gives up a host that has not answered in its time.
    fn end_asking(&mut self, now: Tick, host: &Name, overdue: &mut Vec<GivenUp>) {
        if self.asked.get(host).is_none_or(|asked| asked.until > now) {
            return;
        }
        let Some(asked) = self.asked.remove(host) else {
            return;
        };
        self.row.push(host);
        for service in asked.services {
            if let Some(waiting) = self.take_answered(host, &service, Some(asked.gather)) {
                overdue.push(GivenUp {
                    host: host.clone(),
                    service,
                    waiting,
                    heard: Heard::Silent,
                });
            }
        }
    }

    /// Lets nobody wait without an explanation whose time is over, and nobody at all for ever.
    fn end_waiting(&mut self, now: Tick, host: &Name, overdue: &mut Vec<GivenUp>) {
        let asked = self.asked.get(host);
        let mut over = Vec::new();
        for (service, one) in self.waiting.get_mut(host).into_iter().flatten() {
            let is_asked = asked
                .is_some_and(|asked| asked.gather > one.after && asked.services.contains(service));
            if one.until > now || (one.late && is_asked) {
                continue;
            }
            let given_up = |waiting: &Waiting, heard| GivenUp {
                host: host.clone(),
                service: service.clone(),
                waiting: waiting.clone(),
                heard,
            };
            if one.late {
                over.push(given_up(one, Heard::NotAsked));
                continue;
            }
            one.late = true;
            one.until = now + limits::GATHER_LATE_MAX;
            self.until.insert((one.until, host.clone()));
            overdue.push(given_up(one, Heard::Queued));
        }
        for one in &over {
            drop(self.take(&one.host, &one.service));
        }
        overdue.append(&mut over);
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
