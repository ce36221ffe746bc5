//! Rules about probes and logons: a host is never read twice at once, the first logon of an account runs alone, and an
//! account that everyone refuses is tried a few times and then once an hour.

use crate::{
    oracle::{Oracle, Window},
    setup::{HOUR, MINUTE},
};
use std::collections::{BTreeMap, BTreeSet};
use svcwatch_core::{effect::ProbeRequest, id::Name, limits, observe::ProbeId, time::Span};

/// A probe that has not ended.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// Which.
    pub(crate) probe: ProbeId,
    /// When it is late.
    pub(crate) late: u64,
    /// Until when others wait where it logs on.
    pub(crate) alone: u64,
    /// The account that it may log on with.
    pub(crate) account: Option<Name>,
}

/// While everyone refuses an account.
#[derive(Debug, Clone)]
struct Episode {
    since: u64,
    first: Option<u64>,
    refused: u64,
    most: u64,
    /// How many refusals one check may bring.
    passwords: u64,
    /// Refusals by guests, and how many there may be.
    of_guests: u64,
    most_of_guests: u64,
}

/// All logons.
#[derive(Debug, Default)]
pub(crate) struct Logons {
    /// Probes under way, by host.
    pub(crate) begun: BTreeMap<Name, Begun>,
    /// When the last probe of each host began, in this life of the monitor.
    pub(crate) last: BTreeMap<Name, u64>,
    /// When each host last refused a logon.
    pub(crate) refused_at: BTreeMap<Name, u64>,
    /// When each account was last refused.
    pub(crate) account_refused_at: BTreeMap<Name, u64>,
    /// Accounts with an accepted logon since the start or the last change of their secret.
    proven: BTreeMap<Name, bool>,
    episodes: BTreeMap<Name, Episode>,
}

impl Logons {
    /// When a host last refused a logon, under whatever of these names.
    pub(crate) fn last_refused(&self, names: &[Name]) -> Option<u64> {
        let refused = names.iter().filter_map(|name| self.refused_at.get(name));
        refused.max().copied()
    }

    /// Whether a host ever refused this account.
    pub(crate) fn was_refused(&self, account: &Name) -> bool {
        self.account_refused_at.contains_key(account)
    }

    /// Whether any logon was ever refused.
    pub(crate) fn was_refused_somewhere(&self) -> bool {
        !self.account_refused_at.is_empty()
    }

    /// Whether any logon was refused in the last hours, so that accounts may have been paused.
    pub(crate) fn was_refused_lately(&self, now: u64) -> bool {
        self.account_refused_at
            .values()
            .any(|at| at + 3 * HOUR > now)
    }

    /// From now on everyone refuses the account, or nobody does any more.
    pub(crate) fn turns(
        &mut self,
        at: u64,
        account: &Name,
        refused: bool,
        (at_once, passwords): (bool, u8),
    ) {
        let most_of_guests = refusals_max();
        let most = if at_once { 1 } else { refusals_max() };
        if refused {
            self.episodes.insert(
                account.clone(),
                Episode {
                    since: at,
                    first: None,
                    refused: 0,
                    most,
                    passwords: u64::from(passwords),
                    of_guests: 0,
                    most_of_guests,
                },
            );
        } else {
            self.episodes.remove(account);
        }
    }

    /// One more check of an account is right: its secret changed, or the note of one was lost in a crash.
    pub(crate) fn allow(&mut self, account: Option<&Name>) {
        for (known, episode) in &mut self.episodes {
            if account.is_none_or(|account| account == known) {
                episode.most += episode.passwords;
                episode.most_of_guests += refusals_max();
            }
        }
    }

    /// The monitor begins anew, or a secret changed: the next logon is a first one.
    pub(crate) fn unproven(&mut self, account: Option<&Name>) {
        self.proven
            .retain(|known, _| account.is_some_and(|account| account != known));
        self.forget_begun(account);
        if account.is_none() {
            self.begun.clear();
            self.last.clear();
        }
    }

    /// What was begun before an account had to be proved anew does not count for its first logon.
    fn forget_begun(&mut self, account: Option<&Name>) {
        for begun in self.begun.values_mut() {
            if account.is_none() || begun.account.as_ref() == account {
                begun.account = None;
            }
        }
    }
}

impl Oracle {
    /// The names that a host had so far: the same address is the same computer.
    pub(crate) fn names_of(&self, host: &Name) -> Vec<Name> {
        let all = || self.plans.iter().flat_map(|(_, plan)| &plan.hosts);
        let addresses: BTreeSet<&String> = all()
            .filter(|known| known.name == *host)
            .map(|known| &known.address)
            .collect();
        let same = all().filter(|known| addresses.contains(&known.address));
        let names: BTreeSet<Name> = same.map(|known| known.name.clone()).collect();
        names.into_iter().collect()
    }

    /// Whether a host refused a logon a short while ago, under another name that it had: it is left alone under the new
    /// one too.
    pub(crate) fn refused_before(&self, host: &Name, window: Window) -> bool {
        let refused = self.logons.last_refused(&self.names_of(host));
        // Where the clock was set back before a start, what is left of the hour is then its full length.
        let back = self.jumps.iter().any(|(_, by)| *by < 0);
        let anew = |at: u64| {
            let starts = self.crashes.iter().filter(|_| back);
            starts.fold(at, |from, crash| {
                let holds = (from..from + HOUR + MINUTE).contains(crash);
                if holds { *crash } else { from }
            })
        };
        refused.is_some_and(|at| anew(at) + HOUR + MINUTE > window.from)
    }

    /// A probe is begun.
    pub(crate) fn probe_begins(&mut self, request: &ProbeRequest, session: bool) {
        let now = self.now;
        let plan = self.plan();
        let planned = crate::readings::host_of(&plan, &request.host);
        if let Some(begun) = self.logons.begun.get(&request.host)
            && now < begun.late
        {
            let sentence = format!(
                "{} is probed although probe {:?} of it is under way",
                request.host, begun.probe
            );
            self.broken("P3", sentence);
        }
        let logs_on = request.may_log_on && !session;
        let account = planned
            .and_then(|host| host.account.clone())
            .filter(|_| logs_on);
        self.logs_on(&request.host, account.as_ref());
        let begun = Begun {
            probe: request.probe,
            late: now + request.timeout.0 + limits::PROBE_GRACE.0,
            alone: now + request.timeout.0,
            account,
        };
        self.logons.begun.insert(request.host.clone(), begun);
        self.logons.last.insert(request.host.clone(), now);
    }

    /// A host or guest may log on: beside a first logon of the account nobody else does.
    pub(crate) fn logs_on(&mut self, host: &Name, account: Option<&Name>) {
        let now = self.now;
        let proven = |account: &Name| self.logons.proven.get(account).copied().unwrap_or(false);
        let Some(account) = account.filter(|account| !proven(account)) else {
            return;
        };
        let other = self.logons.begun.iter().find(|(other, begun)| {
            *other != host && begun.account.as_ref() == Some(account) && now < begun.alone
        });
        if let Some((other, _)) = other {
            let sentence =
                format!("{host} logs on with {account} beside the first logon of {other}");
            self.broken("logons", sentence);
        }
    }

    /// A probe came back, or can be given up.
    pub(crate) fn probe_ends(&mut self, host: &Name, probe: ProbeId) -> bool {
        let known = self
            .logons
            .begun
            .get(host)
            .is_some_and(|begun| begun.probe == probe);
        if known {
            self.logons.begun.remove(host);
        }
        known
    }

    /// A host accepted a logon.
    pub(crate) fn logon_accepted(&mut self, account: &Name) {
        self.logons.proven.insert(account.clone(), true);
    }

    /// A guest refused a logon. However many guests are asked for at once, and whatever is known of the account: no more
    /// of their logons may be refused than pause it.
    pub(crate) fn guest_refused(&mut self, account: &Name) {
        let now = self.now;
        let Some(episode) = self.logons.episodes.get_mut(account) else {
            return;
        };
        episode.of_guests += 1;
        let most = episode.most_of_guests + 2 * ((now - episode.since) / HOUR);
        if episode.of_guests > most {
            let sentence = format!(
                "{} logons with {account} were refused by guests in {} minutes, where {most} are the most",
                episode.of_guests,
                (now - episode.since) / MINUTE
            );
            self.broken("logons", sentence);
        }
    }

    /// A host refused a logon that began then. What began before the first refusal could be known does not count: an
    /// account that was fine is used by many hosts at once.
    pub(crate) fn logon_refused(&mut self, host: &Name, account: &Name, began: u64) {
        let now = self.now;
        self.logons.proven.insert(account.clone(), false);
        self.logons.refused_at.insert(host.clone(), now);
        self.logons.account_refused_at.insert(account.clone(), now);
        self.logons.forget_begun(Some(account));
        let Some(episode) = self.logons.episodes.get_mut(account) else {
            return;
        };
        let first = *episode.first.get_or_insert(now);
        if began < first && first < now {
            return;
        }
        episode.refused += 1;
        // Fewer hosts than pause the account are tried again each hour, one by one.
        let most = episode.most + 2 * ((now - episode.since) / HOUR);
        if episode.refused > most {
            let sentence = format!(
                "{} logons with {account} were refused in {} minutes, where {most} are the most",
                episode.refused,
                (now - episode.since) / MINUTE
            );
            self.broken("logons", sentence);
        }
    }
}

/// How many refusals pause an account.
fn refusals_max() -> u64 {
    u64::try_from(limits::REFUSALS_MAX).unwrap_or(u64::MAX)
}

/// A probe that may log on, for the judge's own tests.
pub(crate) fn probe(host: &str, number: u64) -> ProbeRequest {
    ProbeRequest {
        host: host.into(),
        probe: ProbeId(number),
        may_log_on: true,
        logons: 1,
        ask: std::sync::Arc::from([]),
        uptime: false,
        timeout: Span(10_000),
    }
}
