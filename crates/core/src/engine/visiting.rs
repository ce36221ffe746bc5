//! Guests: who is let in, when a guest may be logged on to, and what that means for its account.
//!
//! The rules are those of hosts ([`super::probing`]), asked of the same account: the first logon runs alone, a paused
//! account is not used, and who refused a logon is left alone for an hour. A guest knows no rounds, so that it waits for its
//! turn here, after all hosts.

use super::{Engine, probing};
use crate::{
    account::{Account, Change, Gate, Hosts, Rest},
    effect::{Effect, Step},
    guest::{self, Asked, Ended, Full, Met, Visit, VisitAnswer, VisitEnded, VisitRequest},
    host::{self, Host},
    id::Name,
    limits,
    observe::{Fault, HostFault, Logon, Refusal},
    planted::{self, Planted},
    record::Record,
    time::{Now, Tick},
};
use alloc::{format, string::ToString, sync::Arc, vec, vec::Vec};

/// Whether a guest that waits may be read.
enum Permit {
    /// It may, and it may be logged on to.
    LogOn,
    /// It may over its kept session.
    Kept,
    /// Not yet: another logon has to end first.
    Later,
    /// It is not read, and this is what those are told who asked.
    No(VisitAnswer),
}

fn fault(fault: Fault, cause: &str) -> VisitAnswer {
    VisitAnswer::Fault(HostFault {
        fault,
        cause: cause.to_string(),
        refusal: None,
    })
}

impl Engine {
    /// Whether a guest may be read with this account. A host of the plan is read as that, and with its own account.
    fn lets_in(&self, visit: &Visit) -> bool {
        let guests = &self.plan.guests;
        guests.accounts.contains(&visit.account)
            && self.accounts.contains_key(&visit.account)
            && guests.lets_in(&visit.guest)
            && !self.hosts.contains_key(&visit.guest)
            && !self.guests.is_host(&visit.guest)
    }

    /// Somebody wants a guest to be read. Those who ask at the same time are answered together.
    pub(super) fn visit(&mut self, now: Now, visit: &Visit, step: &mut Step) {
        let answer = if self.stopping {
            VisitAnswer::TooMany(Full::Ending)
        } else if self.lets_in(visit) {
            match self.guests.ask(now, visit, self.plan.guests.timeout) {
                Asked::Waits | Asked::Joins => return,
                Asked::TooMany(full) => VisitAnswer::TooMany(full),
            }
        } else {
            VisitAnswer::NotAllowed
        };
        tell(visit, answer, step);
    }

    /// Begins to read those guests that may be read now, and ends the sessions with those that nobody asks for.
    pub(super) fn begin_visits(&mut self, now: Now, step: &mut Step) {
        for visit in self.guests.take_idle(now) {
            step.effects.push(Effect::Leave(visit));
        }
        for (visit, until) in self.guests.waiting() {
            let may_log_on = match self.permit_visit(now, &visit, step) {
                Permit::LogOn => true,
                Permit::Kept => false,
                Permit::Later if now.tick < until => continue,
                Permit::Later => {
                    let cause = "the logon at another host did not end in time";
                    self.turn_away(&visit, fault(Fault::Timeout, cause), step);
                    continue;
                }
                Permit::No(answer) => {
                    self.turn_away(&visit, answer, step);
                    continue;
                }
            };
            self.guests.begin(&visit);
            let account = self.accounts.get(&visit.account);
            step.effects.push(Effect::Visit(VisitRequest {
                may_log_on,
                logons: account.map_or(1, |account| account.logons_at(&visit.guest)),
                timeout: self.plan.guests.timeout,
                visit,
            }));
        }
    }

    fn permit_visit(&mut self, now: Now, visit: &Visit, step: &mut Step) -> Permit {
        if self.guests.has_session(visit) {
            return Permit::Kept;
        }
        let paused = self
            .accounts
            .get(&visit.account)
            .is_some_and(Account::is_paused);
        let hosts = if paused {
            self.hosts_of(&visit.account)
        } else {
            Hosts::None
        };
        let Some(account) = self.accounts.get_mut(&visit.account) else {
            return Permit::No(VisitAnswer::NotAllowed);
        };
        if let Some(rest) = account.rest(now, &visit.guest) {
            return Permit::No(VisitAnswer::Fault(resting(now, account, rest)));
        }
        if !account.has_room_for_guests(now) {
            return Permit::No(VisitAnswer::TooMany(Full::Refusals));
        }
        let before = account.row.next_try;
        let timeout = self.plan.guests.timeout;
        let gate = account.ask_for_guest(now, &visit.guest, timeout, hosts);
        if account.row.next_try != before {
            step.commit.push(Record::Account(account.row.clone()));
        }
        match gate {
            Gate::Open => Permit::LogOn,
            Gate::Busy => Permit::Later,
            Gate::Paused => Permit::No(VisitAnswer::Fault(probing::paused(account))),
        }
    }

    /// Forgets a guest that waited, and answers those who asked for it.
    fn turn_away(&mut self, visit: &Visit, answer: VisitAnswer, step: &mut Step) {
        self.guests.forget(visit);
        step.effects.push(Effect::Leave(visit.clone()));
        tell(visit, answer, step);
    }

    /// A reading of a guest has ended. What its logon came to counts, whether anybody still wants the rest or not.
    pub(super) fn visited(&mut self, now: Now, ended: VisitEnded, step: &mut Step) {
        let VisitEnded {
            visit,
            logon,
            refusals,
            met,
            session_kept,
        } = ended;
        if met == Met::LogonNeeded {
            // The session was gone: the guest asks for a logon like any other, at once.
            let patience = self.plan.guests.timeout;
            if self.guests.needs_logon(now, &visit, patience) {
                step.effects.push(Effect::Leave(visit));
            }
            return;
        }
        let answer = match met {
            Met::Fault(fault) => VisitAnswer::Fault(fault),
            Met::Read | Met::LogonNeeded => VisitAnswer::Read,
        };
        let met = GuestLogon {
            logon,
            refusals,
            session_kept,
        };
        self.guest_logon_ended(now, &visit, met, &answer, step);
        let ended = self.guests.ended(now, &visit, session_kept);
        if ended != Ended::Stays {
            step.effects.push(Effect::Leave(visit.clone()));
        }
        if ended == Ended::Dismissed {
            self.host_was_guest(now, &visit.guest, step);
        } else {
            tell(&visit, answer, step);
        }
    }

    /// Tells the account of a guest how a reading ended that may have logged on, as it is told of a host's check.
    fn guest_logon_ended(
        &mut self,
        now: Now,
        visit: &Visit,
        met: GuestLogon,
        answer: &VisitAnswer,
        step: &mut Step,
    ) {
        let fault = match answer {
            VisitAnswer::Fault(fault) => Some(fault),
            VisitAnswer::Read | VisitAnswer::NotAllowed | VisitAnswer::TooMany(_) => None,
        };
        let Some(account) = self.accounts.get_mut(&visit.account) else {
            return;
        };
        let before = account.row.clone();
        let change = heed(now, account, &visit.guest, met, fault);
        if account.row != before {
            step.commit.push(Record::Account(account.row.clone()));
        }
        self.account_changed(now, &visit.account, change, step);
        self.pass_logons_on(now);
    }

    /// Another plan holds: guests that it does not let in are not read any more, and lose their sessions.
    pub(super) fn dismiss_guests(&mut self, step: &mut Step) {
        for visit in self.guests.all() {
            if self.lets_in(&visit) {
                continue;
            }
            if self.guests.dismiss(&visit) {
                tell(&visit, VisitAnswer::NotAllowed, step);
            }
            // One that is being read is left when that has ended.
            if !self.guests.knows(&visit) {
                step.effects.push(Effect::Leave(visit));
            }
        }
    }

    /// What hosts there are that could mend a paused account. One that does not answer or refuses the account itself
    /// mends nothing, and must not keep guests from trying for ever.
    fn hosts_of(&self, account: &Name) -> Hosts {
        let is_of_it = |host: &&Host| host.plan.account.as_ref() == Some(account);
        let mut seen = false;
        for host in self.hosts.values().filter(is_of_it) {
            let lost = host.refused_until.is_some() || self.schedule.is_dead(&host.plan.name);
            if !host.session_kept && !lost {
                return Hosts::Unseen;
            }
            seen = seen || host.session_kept;
        }
        if seen { Hosts::Seen } else { Hosts::None }
    }

    /// A host is not read any more, or not at its address: whoever asks for it as a guest finds it as it was left. What it
    /// refused holds, and what is under way may be a logon of which nobody will know what it came to.
    pub(super) fn host_is_left(&mut self, now: Now, host: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get(host) else {
            return;
        };
        let refused = host.refused_until.filter(|until| now.tick < *until);
        let logs_on = !host.session_kept && self.schedule.under_way(&host.plan.name).is_some();
        let (why, wait) = match refused {
            Some(until) => (Fault::LogonRefused, until.since(now.tick)),
            None if logs_on => (Fault::Timeout, limits::DENIED_WAIT),
            None => return,
        };
        let plan = Arc::clone(&host.plan);
        // Of a host that was taken out of the plan while we were away nobody knows which account it had.
        let of_it = plan.account.as_ref().map_or_else(
            || self.plan.guests.accounts.clone(),
            |account| vec![account.clone()],
        );
        for account in of_it {
            let Some(account) = self.accounts.get_mut(&account) else {
                continue;
            };
            for guest in guest::names_of(&plan) {
                account.leave_alone(now, &guest, why, wait, refused.is_some());
            }
            if refused.is_some() {
                step.commit.push(Record::Account(account.row.clone()));
            }
        }
    }

    /// A guest is a host from now on: what it refused as a guest holds.
    pub(super) fn take_rest(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let account = host.plan.account.as_ref();
        let Some(account) = account.and_then(|account| self.accounts.get(account)) else {
            return;
        };
        let rests = guest::names_of(&host.plan).filter_map(|guest| account.rest(now, &guest));
        let refused = rests.filter(|rest| rest.why == Fault::LogonRefused);
        let Some(until) = refused.map(|rest| rest.until).max() else {
            return;
        };
        if host.refused_until.is_none_or(|known| known < until) {
            host.refused_until = Some(until);
            host.row.refused_until = Some(now.wall_of(until));
            step.commit.push(Record::Host(host.row.clone()));
        }
    }

    /// Whether a host is still being read as the guest that it was: it is not logged on to twice at once.
    pub(super) fn is_read_as_guest(&self, host: &Host) -> bool {
        guest::names_of(&host.plan).any(|guest| self.guests.is_read(&guest))
    }

    /// The reading of a guest has ended that had become a host meanwhile: what it refused holds, and it is read as a host.
    fn host_was_guest(&mut self, now: Now, guest: &Name, step: &mut Step) {
        let hosts = self.hosts.values();
        let hosts = hosts.filter(|host| guest::names_of(&host.plan).any(|name| name == *guest));
        let hosts: Vec<Name> = hosts.map(|host| host.plan.name.clone()).collect();
        for host in hosts {
            self.take_rest(now, &host, step);
            self.schedule.no_later(&host, now.tick);
        }
    }

    /// When a guest is to be looked at.
    pub(super) fn visits_deadline(&self) -> Option<Tick> {
        let waiting = self.guests.waiting().into_iter().map(|(visit, until)| {
            let account = self.accounts.get(&visit.account);
            account.map_or(Tick(0), Account::busy_until).min(until)
        });
        waiting.chain(self.guests.idle_deadline()).min()
    }
}

/// How the logon of a reading ended.
#[derive(Debug, Clone, Copy)]
struct GuestLogon {
    logon: Logon,
    refusals: u8,
    session_kept: bool,
}

/// What the end of a reading means for the account, and how long the guest is left alone.
fn heed(
    now: Now,
    account: &mut Account,
    guest: &Name,
    met: GuestLogon,
    fault: Option<&HostFault>,
) -> Change {
    let might_log_on = account.visit_ended(guest);
    let refusal = fault.and_then(|fault| fault.refusal);
    let fault = fault.map(|fault| fault.fault);
    let mut rest = |wait| {
        let why = fault.unwrap_or(Fault::LogonRefused);
        // What everybody would refuse must outlive us.
        let kept = refusal.is_some_and(|refusal| refusal != Refusal::Other);
        account.leave_alone(now, guest, why, wait, kept);
    };
    match (refusal, met.logon, fault) {
        (Some(_), ..) if planted::is(Planted::GuestsUncounted) => Change::None,
        (Some(refusal), ..) => {
            rest(limits::REFUSED_WAIT);
            account.refused_by_guest(now, guest, refusal, met.refusals)
        }
        (None, Logon::Accepted, _) => {
            account.let_in_by(guest);
            match fault {
                // It keeps no session, so that each reading would be one more logon.
                Some(Fault::AccessDenied) if !met.session_kept => {
                    account.leave_alone(
                        now,
                        guest,
                        Fault::AccessDenied,
                        limits::DENIED_WAIT,
                        false,
                    );
                }
                Some(why) if host::is_silent(why) => {
                    account.leave_alone(now, guest, why, limits::GUEST_SILENT_WAIT, false);
                }
                _ => {}
            }
            account.accepted(now, guest)
        }
        // The logon was sent, or may have been, and nobody knows what it came to. It may be one more wrong password.
        (None, Logon::None, Some(Fault::Timeout | Fault::ProtocolError | Fault::AccessDenied))
            if might_log_on && !planted::is(Planted::GuestsUnansweredForgotten) =>
        {
            rest(limits::DENIED_WAIT);
            account.unanswered(guest);
            Change::None
        }
        (None, Logon::None, _) => {
            if fault.is_some_and(host::is_silent) {
                rest(limits::GUEST_SILENT_WAIT);
            }
            account.ended(now, guest);
            Change::None
        }
    }
}

/// The answer of a guest that is left alone, from what it met last.
fn resting(now: Now, account: &Account, rest: Rest) -> HostFault {
    let refused = rest.why == Fault::LogonRefused;
    if refused && account.is_paused() {
        return probing::paused(account);
    }
    let cause = if refused {
        "it refused the last logon; it is not tried again for an hour".to_string()
    } else {
        format!(
            "{} s ago it was {}; it is asked again in {} s",
            now.tick.since(rest.since).0.div_euclid(1_000),
            rest.why,
            rest.until.since(now.tick).0.div_ceil(1_000)
        )
    };
    HostFault {
        fault: rest.why,
        cause,
        refusal: None,
    }
}

fn tell(visit: &Visit, answer: VisitAnswer, step: &mut Step) {
    step.effects.push(Effect::AnswerVisit {
        visit: visit.clone(),
        answer,
    });
}
