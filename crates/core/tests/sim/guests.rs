//! Guests: somebody asks again and again for hosts that nobody watches. Their logons count among all others, and who asks
//! is answered. Some guests are not well: one never answers, one refuses every password, and one says that accounts are
//! locked out.

use crate::{
    item::Item,
    logons::Begun,
    oracle::Oracle,
    rng::Rng,
    setup::{HOUR, MINUTE, QUIET, SECOND, Setup},
    story::{AccountChange, What},
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
const GUESTS: u64 = 7;
/// The guest that never answers.
const DEAD: u64 = 4;
/// The guest that refuses every password.
const REFUSER: u64 = 5;
/// The guest that says of every account that it is locked out.
const LIAR: u64 = 6;
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
    /// Guests that must not be logged on to.
    resting: BTreeMap<Visit, Resting>,
}

/// Why a guest must not be logged on to.
#[derive(Debug, Clone, Copy)]
struct Resting {
    since: u64,
    until: u64,
    /// Whether a crash changes nothing about it.
    durable: bool,
}

impl Callers {
    /// Of the world of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chance: Rng::new(seed, 42),
            open: BTreeSet::new(),
            waiting: BTreeMap::new(),
            resting: BTreeMap::new(),
        }
    }

    /// The monitor died: nobody is answered any more. What it could not write down by then it does not know.
    pub(crate) fn clear(&mut self, now: u64, store_slow_at: u64) {
        self.open.clear();
        self.waiting.clear();
        self.resting
            .retain(|_, one| one.durable && one.since + MINUTE < now && one.since > store_slow_at);
    }

    /// An account has another secret: what the old one met does not count.
    pub(crate) fn secret_changed(&mut self, account: &Name) {
        self.resting.retain(|visit, _| visit.account != *account);
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
        // Many ask at once as an account goes bad: before, so that it is proven, and after.
        let turns: Vec<(u64, usize)> = self
            .story
            .iter()
            .filter_map(|happening| match happening.what {
                What::Account(account, AccountChange::Refused(_)) => Some((happening.at, account)),
                _ => None,
            })
            .collect();
        for (at, account) in turns {
            let (before, after) = (
                self.callers.chance.between(SECOND, 40 * SECOND),
                self.callers.chance.between(1, 15 * SECOND),
            );
            self.later(at.saturating_sub(before), Item::AsksMany(account));
            self.later(at + after, Item::AsksMany(account));
        }
    }

    /// Somebody asks for many guests at once.
    pub(crate) fn asks_many(&mut self, account: usize) {
        for number in 0..GUESTS {
            let account = self.setup.accounts[account].clone();
            if self.callers.chance.chance(60) {
                self.asks_for(number, account);
            }
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
        let chance = &mut self.callers.chance;
        let number = chance.below(GUESTS);
        let account = self.setup.accounts[chance.index(self.setup.accounts.len())].clone();
        self.asks_for(number, account);
    }

    fn asks_for(&mut self, number: u64, account: Name) {
        let Some(guest) = name(&format!("guest{number}")).filter(|_| self.monitor.is_some()) else {
            return;
        };
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
        self.judge_rest(&request);
        let dead = is(&request.visit, DEAD);
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
        if is(&visit, DEAD) {
            let hangs = self.callers.chance.chance(50);
            let why = if hangs {
                Fault::Timeout
            } else {
                Fault::Unreachable
            };
            ended.met = fault(why, None);
            if hangs {
                self.rests(&visit, limits::DENIED_WAIT, false);
                self.excuse(&visit.account);
            }
        } else if !self.callers.open.contains(&visit) && !request.may_log_on {
            ended.met = Met::LogonNeeded;
        } else if !self.callers.open.contains(&visit) {
            let account = self.accounts.iter().find(|one| one.name == visit.account);
            let (refused, passwords) =
                account.map_or((None, 1), |known| (known.refused, known.passwords));
            let own = if is(&visit, REFUSER) {
                Some(Refusal::WrongPassword)
            } else {
                is(&visit, LIAR).then_some(Refusal::LockedOut)
            };
            if let Some(refusal) = own.filter(|_| refused.is_none()) {
                ended.refusals = 1;
                ended.met = fault(Fault::LogonRefused, Some(refusal));
                self.rests(&visit, limits::REFUSED_WAIT, true);
                self.excuse(&visit.account);
            } else if let Some(refusal) = refused {
                ended.refusals = match refusal {
                    Refusal::WrongPassword => passwords.min(request.logons),
                    _ => 1,
                };
                ended.met = fault(Fault::LogonRefused, Some(refusal));
                self.rests(&visit, limits::REFUSED_WAIT, refusal != Refusal::Other);
                for _ in 0..ended.refusals {
                    self.oracle.guest_refused(&visit.account);
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

    /// From now on a guest must not be logged on to for a while.
    fn rests(&mut self, visit: &Visit, wait: Span, durable: bool) {
        let rest = Resting {
            since: self.now,
            until: self.now + wait.0,
            durable,
        };
        self.callers.resting.insert(visit.clone(), rest);
    }

    /// One that refused a logon or did not answer it must not be logged on to for a while, whatever happens: crashes and
    /// other configurations too. Where the clock was set before a start, what was left of the wait is another time.
    fn judge_rest(&mut self, request: &VisitRequest) {
        let Some(rest) = self.callers.resting.get(&request.visit).copied() else {
            return;
        };
        let since = |at: &u64| *at >= rest.since;
        let restarted = self.oracle.crashes.iter().any(since);
        let jumped = self.oracle.jumps.iter().any(|(at, _)| since(at));
        if request.may_log_on && self.now + SECOND < rest.until && !(restarted && jumped) {
            let sentence = format!(
                "{} is logged on to with {} although it refused that {} s ago, or did not answer it",
                request.visit.guest,
                request.visit.account,
                (self.now - rest.since) / SECOND
            );
            self.oracle.broken("logons", sentence);
        }
    }

    /// A guest that is not well may renew the pause of an account, or be the last of those that make it. That is no
    /// reason for the pause, but hosts may have to wait for longer.
    fn excuse(&mut self, account: &Name) {
        let row = self.store.accounts.get(account);
        let paused = row.is_some_and(|row| row.paused.is_some());
        let close = row.is_some_and(|row| row.refused_by.len() + 1 >= limits::REFUSALS_MAX);
        let logons = &mut self.oracle.logons;
        if paused || close && logons.was_refused(account) {
            logons.account_refused_at.insert(account.clone(), self.now);
        }
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

/// Whether it is the guest of this number.
fn is(visit: &Visit, number: u64) -> bool {
    visit.guest.key().ends_with(&number.to_string())
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
