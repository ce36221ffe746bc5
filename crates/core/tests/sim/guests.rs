//! Guests: somebody asks again and again for hosts that nobody watches. Their logons count among all others, and who asks
//! is answered.

use crate::{
    item::Item,
    logons::Begun,
    oracle::Oracle,
    rng::Rng,
    setup::{HOUR, MINUTE, QUIET, SECOND, Setup},
    world::World,
};
use std::collections::{BTreeMap, BTreeSet};
use svcwatch_core::{
    event::Event,
    guest::{Allowed, GuestPlan, Met, Visit, VisitAnswer, VisitEnded, VisitRequest, name},
    id::Name,
    limits,
    observe::{Fault, HostFault, Logon, ProbeId, Refusal},
    time::Span,
};

/// How many guests are asked for.
const GUESTS: u64 = 5;
/// The guest that never answers.
const DEAD: u64 = 4;
/// How often one of them is asked for in one run, at most.
const ASKS: u64 = 150;

/// Lets guests into some worlds, with a chance of their own, so that all else is as it was without them.
pub(crate) fn gather(seed: u64, setup: &mut Setup) {
    if Rng::new(seed, 41).chance(40) {
        setup.plan.guests = GuestPlan {
            allow: Allowed::parse("guest*").into_iter().collect(),
            accounts: setup.accounts.clone(),
            timeout: Span(10 * SECOND),
        };
    }
}

/// The same world without them.
pub(crate) fn without(mut setup: Setup) -> Setup {
    setup.plan.guests = GuestPlan::default();
    setup
}

/// Those who ask for guests.
#[derive(Debug)]
pub(crate) struct Callers {
    chance: Rng,
    /// Sessions that are kept.
    open: BTreeSet<Visit>,
    /// Who waits for an answer, each since when.
    waiting: BTreeMap<Visit, u64>,
}

impl Callers {
    /// Of the world of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chance: Rng::new(seed, 42),
            open: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// The monitor died: nobody is answered any more.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.waiting.clear();
    }
}

impl World {
    /// When somebody asks for a guest.
    pub(crate) fn foresee_guests(&mut self) {
        if self.plan.guests.allow.is_empty() {
            return;
        }
        let end = self.setup.horizon + QUIET;
        for _ in 0..ASKS {
            let at = self.callers.chance.between(SECOND, end - MINUTE);
            self.later(at, Item::Asks);
        }
    }

    /// Somebody asks for a guest.
    pub(crate) fn asks(&mut self) {
        let quiet = self
            .quiet_since
            .is_some_and(|since| self.now > since + HOUR && self.now > self.up_since + HOUR);
        let forgotten = self
            .callers
            .waiting
            .iter()
            .find(|(_, since)| quiet && self.now > **since + MINUTE);
        if let Some((visit, since)) = forgotten {
            let sentence = format!("who asked for {visit:?} at {since} was not answered");
            self.oracle.broken("P3", sentence);
        }
        if self.monitor.is_none() {
            return;
        }
        let chance = &mut self.callers.chance;
        let guest = name(&format!("guest{}", chance.below(GUESTS)));
        let account = self.setup.accounts[chance.index(self.setup.accounts.len())].clone();
        let Some(guest) = guest else { return };
        let visit = Visit { guest, account };
        self.callers
            .waiting
            .entry(visit.clone())
            .or_insert(self.now);
        self.tell(Event::Visit(visit));
    }

    /// A guest is to be read.
    pub(crate) fn begin_visit(&mut self, request: VisitRequest) {
        self.oracle.visit_begins(&request);
        let dead = request.visit.guest.key().ends_with(&DEAD.to_string());
        let chance = &mut self.callers.chance;
        let wait = if dead {
            chance.between(SECOND, request.timeout.0)
        } else {
            chance.between(5, 2 * SECOND)
        };
        self.later(self.now + wait, Item::Visit(request, self.now));
    }

    /// A reading of a guest comes back.
    pub(crate) fn visit_returns(&mut self, request: &VisitRequest, began: u64) {
        let visit = request.visit.clone();
        let mut ended = VisitEnded {
            visit: visit.clone(),
            logon: Logon::None,
            refusals: 0,
            met: Met::Read,
            session_kept: true,
        };
        if self.callers.chance.chance(10) {
            self.callers.open.remove(&visit);
        }
        if visit.guest.key().ends_with(&DEAD.to_string()) {
            ended.met = fault(Fault::Unreachable, None);
        } else if !self.callers.open.contains(&visit) && !request.may_log_on {
            ended.met = Met::LogonNeeded;
        } else if !self.callers.open.contains(&visit) {
            let account = self.accounts.iter().find(|one| one.name == visit.account);
            let (refused, passwords) =
                account.map_or((None, 1), |known| (known.refused, known.passwords));
            if let Some(refusal) = refused {
                ended.refusals = match refusal {
                    Refusal::WrongPassword => passwords.min(request.logons),
                    _ => 1,
                };
                ended.met = fault(Fault::LogonRefused, Some(refusal));
                for _ in 0..ended.refusals {
                    self.oracle
                        .logon_refused(&visit.guest, &visit.account, began);
                }
            } else {
                ended.logon = Logon::Accepted;
                self.oracle.logon_accepted(&visit.account);
                self.callers.open.insert(visit.clone());
            }
        }
        ended.session_kept = ended.met == Met::Read;
        self.say(|| format!("{} {:?} {:?}", visit.guest, ended.logon, ended.met));
        self.oracle.visit_ends(&visit);
        self.tell(Event::Visited(ended));
    }

    /// The session with a guest is to end.
    pub(crate) fn leave(&mut self, visit: &Visit) {
        self.callers.open.remove(visit);
    }

    /// Those who asked for a guest are answered.
    pub(crate) fn answered(&mut self, visit: &Visit, answer: &VisitAnswer) {
        self.say(|| format!("{} is answered with {answer:?}", visit.guest));
        self.callers.waiting.remove(visit);
    }
}

fn fault(fault: Fault, refusal: Option<Refusal>) -> Met {
    Met::Fault(HostFault {
        fault,
        cause: format!("it said {fault}"),
        refusal,
    })
}

/// The name under which a reading of a guest is known among the probes that are under way.
fn key(visit: &Visit) -> Name {
    Name::new(&format!("{} with {}", visit.guest, visit.account))
}

impl Oracle {
    /// A reading of a guest is begun.
    fn visit_begins(&mut self, request: &VisitRequest) {
        let key = key(&request.visit);
        if self.logons.begun.contains_key(&key) {
            self.broken("P3", format!("{key} is read although it is being read"));
        }
        let account = Some(&request.visit.account).filter(|_| request.may_log_on);
        self.logs_on(&key, account);
        let begun = Begun {
            probe: ProbeId::default(),
            late: self.now + request.timeout.0 + limits::PROBE_GRACE.0,
            alone: self.now + request.timeout.0,
            account: account.cloned(),
        };
        self.logons.begun.insert(key, begun);
    }

    /// A reading of a guest has ended.
    fn visit_ends(&mut self, visit: &Visit) {
        self.logons.begun.remove(&key(visit));
    }
}
