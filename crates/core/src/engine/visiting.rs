//! Guests: who is let in, when a guest may be logged on to, and what that means for its account.
//!
//! The rules are those of hosts ([`super::probing`]), asked of the same account: the first logon runs alone, a paused
//! account is not used, and who refused a logon is left alone for an hour. A guest knows no rounds, so that it waits for its
//! turn here, after all hosts.

use super::{Engine, probing};
use crate::{
    account::{Account, Change, Gate, Hosts},
    effect::{Effect, Step},
    guest::{Asked, Ended, Met, Visit, VisitAnswer, VisitEnded, VisitRequest},
    host::Host,
    id::Name,
    observe::{Fault, HostFault, Logon},
    planted::{self, Planted},
    record::Record,
    time::{Now, Tick},
};
use alloc::{collections::BTreeMap, string::ToString};

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
    }

    /// Somebody wants a guest to be read. Those who ask at the same time are answered together.
    pub(super) fn visit(&mut self, now: Now, visit: &Visit, step: &mut Step) {
        let answer = if self.stopping {
            VisitAnswer::TooMany
        } else if self.lets_in(visit) {
            match self.guests.ask(now, visit, self.plan.guests.timeout) {
                Asked::Waits | Asked::Joins => return,
                Asked::TooMany => VisitAnswer::TooMany,
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
                logons: account.map_or(1, Account::logons),
                timeout: self.plan.guests.timeout,
                visit,
            }));
        }
    }

    fn permit_visit(&mut self, now: Now, visit: &Visit, step: &mut Step) -> Permit {
        if self.guests.has_session(visit) {
            return Permit::Kept;
        }
        let hosts = &self.hosts;
        let Some(account) = self.accounts.get_mut(&visit.account) else {
            return Permit::No(VisitAnswer::NotAllowed);
        };
        if account.leaves_alone(now, &visit.guest) {
            return Permit::No(if account.is_paused() {
                VisitAnswer::Fault(probing::paused(account))
            } else {
                let cause = "it refused the last logon; it is not tried again for an hour";
                fault(Fault::LogonRefused, cause)
            });
        }
        if !account.has_room_for_guests(now) {
            return Permit::No(VisitAnswer::TooMany);
        }
        let hosts = if account.is_paused() {
            hosts_of(hosts, &visit.account)
        } else {
            Hosts::None
        };
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
        self.guest_logon_ended(now, &visit, (logon, refusals), &answer, step);
        let ended = self.guests.ended(now, &visit, session_kept);
        if ended != Ended::Stays {
            step.effects.push(Effect::Leave(visit.clone()));
        }
        if ended != Ended::Dismissed {
            tell(&visit, answer, step);
        }
    }

    /// Tells the account of a guest how a reading ended that may have logged on, as it is told of a host's check.
    fn guest_logon_ended(
        &mut self,
        now: Now,
        visit: &Visit,
        (logon, refusals): (Logon, u8),
        answer: &VisitAnswer,
        step: &mut Step,
    ) {
        let refusal = match answer {
            VisitAnswer::Fault(fault) => fault.refusal,
            VisitAnswer::Read | VisitAnswer::NotAllowed | VisitAnswer::TooMany => None,
        };
        let Some(account) = self.accounts.get_mut(&visit.account) else {
            return;
        };
        let before = account.row.clone();
        let change = match (refusal, logon) {
            (Some(_), _) if planted::is(Planted::GuestsUncounted) => Change::None,
            (Some(refusal), _) => {
                account.leave_alone(now, &visit.guest);
                account.refused(now, &visit.guest, refusal, refusals)
            }
            (None, Logon::Accepted) => {
                account.let_in_by(&visit.guest);
                account.accepted(now, &visit.guest)
            }
            (None, Logon::None) => {
                account.ended(now, &visit.guest);
                Change::None
            }
        };
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

    /// When a guest is to be looked at.
    pub(super) fn visits_deadline(&self) -> Option<Tick> {
        let waiting = self.guests.waiting().into_iter().map(|(visit, until)| {
            let account = self.accounts.get(&visit.account);
            account.map_or(Tick(0), Account::busy_until).min(until)
        });
        waiting.chain(self.guests.idle_deadline()).min()
    }
}

/// What hosts an account reads.
fn hosts_of(hosts: &BTreeMap<Name, Host>, account: &Name) -> Hosts {
    let mut of_it = hosts
        .values()
        .filter(|host| host.plan.account.as_ref() == Some(account))
        .peekable();
    if of_it.peek().is_none() {
        Hosts::None
    } else if of_it.all(|host| host.session_kept) {
        Hosts::Seen
    } else {
        Hosts::Unseen
    }
}

fn tell(visit: &Visit, answer: VisitAnswer, step: &mut Step) {
    step.effects.push(Effect::AnswerVisit {
        visit: visit.clone(),
        answer,
    });
}
