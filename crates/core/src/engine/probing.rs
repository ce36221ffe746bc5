//! Whom to read now, and what may be asked of them.

use super::Engine;
use crate::{
    account::{Account, Change, Gate},
    effect::{Effect, Fact, ProbeRequest, Step},
    id::{Name, Subject, stable_hash},
    limits,
    notice::ToldEvent,
    observe::{Fault, HostFault, Logon, Refusal},
    record::Record,
    schedule::Due,
    time::{Now, Span, Tick},
};
use alloc::{format, string::ToString, vec::Vec};

/// The fault of a host or guest whose account is paused.
pub(super) fn paused(account: &Account) -> HostFault {
    let why = account.row.paused.map_or("refused", Refusal::as_str);
    HostFault {
        fault: Fault::AccountPaused,
        cause: format!("the account {} is paused ({why})", account.row.account),
        refusal: None,
    }
}

/// Whether a host that is due may be asked.
enum Permit {
    /// It may, and it may be logged on to.
    LogOn,
    /// It may over its kept session.
    Kept,
    /// Not now: another host's logon has to end first.
    Later,
    /// It is not asked, and that is a fault of its own.
    No(HostFault),
}

impl Engine {
    /// Begins every probe that may begin now.
    pub(super) fn begin_probes(&mut self, now: Now, step: &mut Step) {
        for (host, probe) in self.schedule.overdue(now) {
            let fault = HostFault {
                fault: Fault::Timeout,
                cause: "the check did not end within its timeout".to_string(),
                refusal: None,
            };
            self.account_of(&host, |account| account.ended(now, &host));
            self.schedule.answered(now, &host, probe, true);
            if let Some(known) = self.hosts.get_mut(&host) {
                known.session_kept = false;
            }
            self.faulted(now, &host, &fault, step);
        }
        self.pass_logons_on(now);
        for due in self.schedule.due(now) {
            if due.missed > 0 {
                step.effects.push(Effect::Note(Fact::MissedRounds {
                    host: due.host.clone(),
                    rounds: due.missed,
                }));
            }
            match self.permit(now, &due.host, step) {
                Permit::LogOn => self.probe(now, &due, true, step),
                Permit::Kept => self.probe(now, &due, false, step),
                Permit::Later => self.schedule.skip(now, &due),
                Permit::No(fault) => {
                    self.schedule.skip(now, &due);
                    self.faulted(now, &due.host, &fault, step);
                }
            }
        }
    }

    fn permit(&mut self, now: Now, name: &Name, step: &mut Step) -> Permit {
        let Some(host) = self.hosts.get(name) else {
            return Permit::Later;
        };
        if host.session_kept {
            return Permit::Kept;
        }
        if self.is_read_as_guest(host) {
            return Permit::Later;
        }
        let Some(account) = host.plan.account.clone() else {
            return Permit::LogOn;
        };
        let timeout = host.plan.timeout;
        let refused = host.refused_until.is_some_and(|until| now.tick < until);
        let cause = host.refusal.clone();
        let Some(account) = self.accounts.get_mut(&account) else {
            return Permit::LogOn;
        };
        if refused && !account.is_paused() {
            return Permit::No(cause.unwrap_or_else(|| HostFault {
                fault: Fault::LogonRefused,
                cause: "the logon was refused; it is tried again within the hour".to_string(),
                refusal: None,
            }));
        }
        let before = account.row.next_try;
        let gate = account.ask(now, name, timeout);
        if account.row.next_try != before {
            step.commit.push(Record::Account(account.row.clone()));
        }
        match gate {
            Gate::Open => Permit::LogOn,
            Gate::Busy => Permit::Later,
            Gate::Paused => Permit::No(paused(account)),
        }
    }

    fn probe(&mut self, now: Now, due: &Due, may_log_on: bool, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(&due.host) else {
            return;
        };
        let mut ask = host.ask();
        if !host.vanished.is_empty() || host.absent > limits::ASKED_MAX {
            // Not all can be asked for in one check: the rest has its turn in the next ones.
            let mut turns: Vec<Name> = ask.to_vec();
            let turn = usize::try_from(due.probe.0)
                .unwrap_or(0)
                .checked_rem(turns.len())
                .unwrap_or(0);
            if host.absent > limits::ASKED_MAX {
                turns.rotate_left(turn);
            }
            host.vanished_asked = host
                .vanished
                .iter()
                .take(limits::ASKED_MAX)
                .cloned()
                .collect();
            ask = host.vanished_asked.iter().chain(&turns).cloned().collect();
        }
        let timeout = host.plan.timeout;
        host.lag = due.lag;
        if let Some(hearing) = &mut host.hearing {
            hearing.read_begins(now.tick);
        }
        let account = host.plan.account.as_ref();
        let logons = account
            .and_then(|account| self.accounts.get(account))
            .map_or(1, Account::logons);
        // A boot ends every session, so that a new one is the time to ask.
        host.boot.asked = !host.session_kept;
        step.effects.push(Effect::Probe(ProbeRequest {
            host: due.host.clone(),
            probe: due.probe,
            may_log_on,
            logons,
            ask,
            uptime: host.boot.asked,
            timeout,
        }));
    }

    /// Lets hosts ask again that waited for another one's logon, a little apart.
    pub(super) fn pass_logons_on(&mut self, now: Now) {
        let accounts: Vec<Name> = self
            .accounts
            .iter()
            .filter(|(_, one)| one.deadline().is_some_and(|at| at <= now.tick))
            .map(|(name, _)| name.clone())
            .collect();
        for name in accounts {
            let Some(account) = self.accounts.get_mut(&name) else {
                continue;
            };
            let mut at = now.tick;
            for host in account.next(now) {
                self.schedule.no_later(&host, at);
                at = at + limits::LOGON_SPACING;
            }
        }
    }

    /// Does something with the account of a host, where it has one.
    fn account_of<T>(&mut self, host: &Name, act: impl FnOnce(&mut Account) -> T) -> Option<T> {
        let account = self.hosts.get(host)?.plan.account.clone()?;
        self.accounts.get_mut(&account).map(act)
    }

    /// Whether the logon of this host is the one that others of its account wait for.
    pub(super) fn logs_on_alone(&self, host: &Name) -> bool {
        let mut trials = self.accounts.values().filter_map(Account::trial);
        trials.any(|trial| trial == host)
    }

    /// Tells the account of a host how a check ended that may have logged on.
    pub(super) fn logon_ended(
        &mut self,
        now: Now,
        host: &Name,
        (logon, refusals): (Logon, u8),
        fault: Option<&HostFault>,
        believed: bool,
        step: &mut Step,
    ) {
        let refusal = fault.and_then(|fault| fault.refusal);
        let Some((change, row)) = self.account_of(host, |account| {
            let before = account.row.clone();
            let change = match (refusal, logon) {
                // What another computer says of the account is not believed.
                (Some(refusal), _) if believed => account.refused(now, host, refusal, refusals),
                (None, Logon::Accepted) if believed => account.accepted(now, host),
                (Some(_), _) | (None, Logon::Accepted | Logon::None) => {
                    account.ended(now, host);
                    Change::None
                }
            };
            (change, (account.row != before).then(|| account.row.clone()))
        }) else {
            return;
        };
        step.commit.extend(row.map(Record::Account));
        match (fault, refusal) {
            (Some(fault), Some(_)) => self.park(now, host, fault, step),
            (_, None) if logon == Logon::Accepted && believed => {
                self.unpark(host, step);
                self.rest(now, host, fault);
            }
            _ => {}
        }
        if let Some(account) = self
            .hosts
            .get(host)
            .and_then(|host| host.plan.account.clone())
        {
            self.account_changed(now, &account, change, step);
        }
        self.pass_logons_on(now);
    }

    /// Leaves a host alone for a while that refused a logon.
    fn park(&mut self, now: Now, host: &Name, fault: &HostFault, step: &mut Step) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.refused_until = Some(now.tick + limits::REFUSED_WAIT);
            host.row.refused_until = Some(now.wall + limits::REFUSED_WAIT);
            step.commit.push(Record::Host(host.row.clone()));
            let cause = format!("{}; it is not tried again for an hour", fault.cause);
            host.refusal = Some(HostFault {
                fault: fault.fault,
                cause,
                refusal: None,
            });
        }
    }

    /// A host let us in, whatever it said afterwards: it is not left alone for what it refused before.
    fn unpark(&mut self, host: &Name, step: &mut Step) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.refused_until = None;
            host.refusal = None;
            if host.row.refused_until.take().is_some() {
                step.commit.push(Record::Host(host.row.clone()));
            }
        }
    }

    /// Leaves a host alone for some minutes that let us in and denied its services once more: it keeps no session, so that
    /// each reading would be one more logon in its log. One that answers otherwise may be booting, and is read each round.
    fn rest(&mut self, now: Now, host: &Name, fault: Option<&HostFault>) {
        let Some(fault) = fault.filter(|fault| fault.fault == Fault::AccessDenied) else {
            return;
        };
        if let Some(host) = self.hosts.get_mut(host)
            && !host.session_kept
            && host.row.fault == Some(fault.fault)
        {
            host.refused_until = Some(now.tick + limits::DENIED_WAIT);
            host.refusal = Some(fault.clone());
        }
    }

    /// Tells that an account is paused, or not any more.
    pub(super) fn account_changed(
        &mut self,
        now: Now,
        account: &Name,
        change: Change,
        step: &mut Step,
    ) {
        let subject = Subject::Account(account.clone());
        match change {
            Change::None => {}
            Change::Paused => {
                step.effects.push(Effect::Note(Fact::AccountPaused {
                    account: account.clone(),
                    paused: true,
                }));
                let why = self
                    .accounts
                    .get(account)
                    .and_then(|one| one.row.paused)
                    .map_or("", Refusal::as_str);
                let cause = format!(
                    "its logons are refused ({why}), so it is not used until it is mended: correct its password or unlock it"
                );
                self.wrong(
                    now,
                    &subject,
                    ToldEvent::AccountPaused,
                    Some(cause),
                    false,
                    step,
                );
            }
            Change::Mended => {
                step.effects.push(Effect::Note(Fact::AccountPaused {
                    account: account.clone(),
                    paused: false,
                }));
                self.fine(now, &subject, ToldEvent::AccountPaused, step);
                self.try_all(now, account, step);
            }
        }
    }

    /// Reads all hosts of an account soon, a little apart.
    fn try_all(&mut self, now: Now, account: &Name, step: &mut Step) {
        let mut at = now.tick;
        for host in self
            .hosts
            .values_mut()
            .filter(|host| host.plan.account.as_ref() == Some(account))
        {
            if !host.session_kept {
                host.refused_until = None;
                if host.row.refused_until.take().is_some() {
                    step.commit.push(Record::Host(host.row.clone()));
                }
                self.schedule.no_later(&host.plan.name, at);
                at = at + limits::LOGON_SPACING;
            }
        }
    }

    /// The secret of an account is another one: what was refused may be tried again, one host first.
    pub(super) fn secret_changed(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(account) = self.accounts.get_mut(name) else {
            return;
        };
        account.secret_changed(now);
        step.commit.push(Record::Account(account.row.clone()));
        self.try_all(now, name, step);
    }

    /// How many hosts of an account are not read because of it.
    pub(super) fn unseen_hosts(&self, account: &Name) -> u64 {
        let unseen = self
            .hosts
            .values()
            .filter(|host| host.plan.account.as_ref() == Some(account) && !host.session_kept);
        u64::try_from(unseen.count()).unwrap_or(u64::MAX)
    }

    /// Asks for the configuration of services that is not known, or was read too long ago; whether there is nothing to
    /// ask for until it is due again.
    pub(super) fn read_config(&mut self, now: Now, name: &Name, step: &mut Step) -> bool {
        let Some(host) = self.hosts.get_mut(name) else {
            return false;
        };
        let waits = host
            .config_asked
            .is_some_and(|since| now.tick.since(since) < host.plan.timeout.times(3));
        if waits || !host.session_kept {
            return false;
        }
        let hourly = now.tick >= host.config_due;
        if hourly {
            let phase = Span(
                stable_hash(host.plan.name.key(), 1)
                    .checked_rem(limits::CONFIG_EVERY.0)
                    .unwrap_or(0),
            );
            let first = host.config_due == Tick(0);
            host.config_due = now.tick
                + if first {
                    limits::CONFIG_EVERY + phase
                } else {
                    limits::CONFIG_EVERY
                };
        }
        if hourly {
            for target in &mut host.targets {
                target.config_read = false;
            }
            host.ask_again_of_listed();
        }
        let mut services: Vec<Name> = host
            .targets
            .iter()
            .filter(|target| !target.config_read && target.is_seen())
            .map(|target| target.row.service.clone())
            .take(limits::CONFIGS_PER_READ_MAX)
            .collect();
        services.extend(
            host.listed
                .iter()
                .filter(|(_, listed)| !listed.asked)
                .map(|(service, _)| service.clone()),
        );
        services.truncate(limits::CONFIGS_PER_READ_MAX);
        if services.is_empty() {
            return true;
        }
        host.config_asked = Some(now.tick);
        step.effects.push(Effect::ReadConfig {
            host: name.clone(),
            services,
        });
        false
    }
}
