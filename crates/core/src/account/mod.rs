//! When a host may be logged on to, so that a wrong password is tried a few times at most in the whole domain.

mod guest;

pub use guest::{Hosts, Rest};

use crate::{
    id::Name,
    limits,
    observe::Refusal,
    planted::{self, Planted},
    record::AccountRow,
    time::{Now, Span, Tick},
};
use alloc::{collections::BTreeMap, vec::Vec};

/// Whether a host may be logged on to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Another host's logon has to end first.
    Busy,
    /// The account is not used until it is mended.
    Paused,
}

/// What the end of a logon means for the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing that others need to know.
    None,
    /// The account is paused from now on.
    Paused,
    /// The account is used again.
    Mended,
}

/// An account that hosts are read with.
#[derive(Debug, Clone)]
pub struct Account {
    /// What is durable of it.
    pub row: AccountRow,
    /// Until when others need not wait for each other, because a logon was accepted a short while ago.
    proven_until: Option<Tick>,
    /// The host whose logon runs alone, and until when the others wait for it.
    trial: Option<(Name, Tick)>,
    /// Hosts that wait for their turn, in the order in which they first asked.
    waiting: BTreeMap<u64, Name>,
    /// The place of each of them.
    places: BTreeMap<Name, u64>,
    /// How many have asked so far.
    asked: u64,
    /// When one host may try a paused account.
    next_try: Option<Tick>,
    /// What is known of its guests.
    guests: guest::Guests,
}

impl Account {
    /// An account of which nothing is known.
    pub fn new(account: &Name) -> Self {
        let row = AccountRow {
            account: account.clone(),
            paused: None,
            paused_at: None,
            next_try: None,
            refused_by: Vec::new(),
            left_alone: Vec::new(),
            seq: 0,
        };
        Self::with(row, None, guest::Guests::default())
    }

    /// An account as the store knows it: paused stays paused, and what remains of the wait goes on.
    pub fn restored(row: AccountRow, now: Now) -> Self {
        let next_try = row.next_try.map(|at| now.tick_of(at, limits::REFUSED_WAIT));
        let guests = guest::Guests::restored(&row.left_alone, now);
        Self::with(row, next_try, guests)
    }

    const fn with(row: AccountRow, next_try: Option<Tick>, guests: guest::Guests) -> Self {
        Self {
            row,
            proven_until: None,
            trial: None,
            waiting: BTreeMap::new(),
            places: BTreeMap::new(),
            asked: 0,
            next_try,
            guests,
        }
    }

    /// Whether a logon was accepted a short while ago.
    fn is_proven(&self, now: Now) -> bool {
        self.proven_until.is_some_and(|until| now.tick < until)
    }

    /// Whether it is paused.
    pub const fn is_paused(&self) -> bool {
        self.row.paused.is_some()
    }

    /// Asks for a logon of this host. Where the gate is open the logon counts as begun; where it is busy the host is
    /// remembered and is among those that [`Self::next`] gives later.
    pub fn ask(&mut self, now: Now, host: &Name, timeout: Span) -> Gate {
        if planted::is(Planted::LogonsUnpaced) {
            return Gate::Open;
        }
        if self.is_paused() && !planted::is(Planted::PauseIgnored) {
            let gate = self.ask_paused(now, host, timeout);
            if gate == Gate::Open {
                self.leave_queue(host);
            } else if self.is_busy(now, host) {
                // Where that try comes to nothing it is this one's turn, and not again that of whoever asks first.
                self.queue(host);
            }
            return gate;
        }
        if self.is_proven(now) {
            return Gate::Open;
        }
        if self.is_busy(now, host) {
            self.queue(host);
            return Gate::Busy;
        }
        self.leave_queue(host);
        self.trial = Some((host.clone(), now.tick + timeout));
        Gate::Open
    }

    /// Puts a host at the end of the queue; one that stands in it keeps its place.
    fn queue(&mut self, host: &Name) {
        if !self.places.contains_key(host) {
            self.asked = self.asked.saturating_add(1);
            self.places.insert(host.clone(), self.asked);
            self.waiting.insert(self.asked, host.clone());
        }
    }

    fn leave_queue(&mut self, host: &Name) {
        if let Some(place) = self.places.remove(host) {
            self.waiting.remove(&place);
        }
    }

    fn ask_paused(&mut self, now: Now, host: &Name, timeout: Span) -> Gate {
        let due = self.next_try.is_none_or(|at| now.tick >= at);
        if !due || self.is_busy(now, host) {
            return Gate::Paused;
        }
        self.trial = Some((host.clone(), now.tick + timeout));
        self.wait_again(now);
        Gate::Open
    }

    fn wait_again(&mut self, now: Now) {
        self.next_try = Some(now.tick + limits::REFUSED_WAIT);
        self.row.next_try = Some(now.wall + limits::REFUSED_WAIT);
    }

    /// Whether another host's logon runs alone.
    fn is_busy(&self, now: Now, host: &Name) -> bool {
        self.trial
            .as_ref()
            .is_some_and(|(other, until)| other != host && now.tick < *until)
    }

    /// The host whose logon runs alone.
    pub fn trial(&self) -> Option<&Name> {
        self.trial.as_ref().map(|(host, _)| host)
    }

    /// A logon was accepted.
    pub fn accepted(&mut self, now: Now, host: &Name) -> Change {
        self.end_trial(host);
        self.proven_until = Some(now.tick + limits::PROVEN_FOR);
        self.row.refused_by.clear();
        self.row.next_try = None;
        self.next_try = None;
        self.row.paused_at = None;
        if self.row.paused.take().is_some() {
            Change::Mended
        } else {
            Change::None
        }
    }

    /// Logons were refused, so many of them. The account is paused where the refusal says that everyone would refuse
    /// it, or where several logons were refused for their password with no success between.
    pub fn refused(&mut self, now: Now, host: &Name, refusal: Refusal, logons: u8) -> Change {
        self.end_trial(host);
        // From now on one at a time, until one is accepted.
        self.proven_until = None;
        if refusal == Refusal::WrongPassword {
            self.count(host, logons);
        }
        self.pause_where(now, refusal, refusal.concerns_the_account())
    }

    /// Pauses it where that is said, or where enough logons were refused.
    fn pause_where(&mut self, now: Now, refusal: Refusal, pause: bool) -> Change {
        if !pause && self.row.refused_by.len() < limits::REFUSALS_MAX {
            return Change::None;
        }
        self.waiting.clear();
        self.places.clear();
        self.wait_again(now);
        if self.is_paused() {
            return Change::None;
        }
        self.row.paused = Some(refusal);
        self.row.paused_at = Some(now.wall);
        Change::Paused
    }

    /// Counts refused passwords. A host that refuses the same again and again is one, but each further password that
    /// it refused is one more: the domain counts them all.
    fn count(&mut self, host: &Name, logons: u8) {
        let logons = if planted::is(Planted::SecondPasswordFree) {
            1
        } else {
            usize::from(logons.max(1))
        };
        let known = self
            .row
            .refused_by
            .iter()
            .filter(|known| *known == host)
            .count();
        for _ in known..logons.min(limits::REFUSALS_MAX) {
            if self.row.refused_by.len() < limits::GUESTS_REFUSED_MAX {
                self.row.refused_by.push(host.clone());
            }
        }
    }

    /// How many logons one check may try: two where the account can bear that both are refused.
    pub fn logons(&self) -> u8 {
        let bearable = self.row.refused_by.len() + 2 <= limits::REFUSALS_MAX;
        if bearable && !self.is_paused() { 2 } else { 1 }
    }

    /// A check that was allowed to log on ended otherwise: the turn passes on. Of a paused account another host may
    /// try at once, for nobody was refused anything.
    pub fn ended(&mut self, now: Now, host: &Name) {
        let tried = self.trial.as_ref().is_some_and(|(other, _)| other == host);
        if tried && self.is_paused() {
            self.next_try = Some(now.tick);
            self.row.next_try = Some(now.wall);
        }
        self.end_trial(host);
    }

    fn end_trial(&mut self, host: &Name) {
        if self.trial.as_ref().is_some_and(|(other, _)| other == host) {
            self.trial = None;
        }
    }

    /// Its secret is another one: one host may try at once, and refusals of the old one do not count.
    pub fn secret_changed(&mut self, now: Now) {
        self.proven_until = None;
        self.row.refused_by.clear();
        self.guests.secret_changed();
        self.row.left_alone.clear();
        if self.is_paused() {
            self.next_try = Some(now.tick);
            self.row.next_try = Some(now.wall);
        }
    }

    /// Hosts that may ask again now: all where logons need no turns, else the next one.
    pub fn next(&mut self, now: Now) -> Vec<Name> {
        if self.is_proven(now) {
            self.places.clear();
            return core::mem::take(&mut self.waiting).into_values().collect();
        }
        if self
            .trial
            .as_ref()
            .is_some_and(|(_, until)| now.tick < *until)
        {
            return Vec::new();
        }
        let Some((_, host)) = self.waiting.pop_first() else {
            return Vec::new();
        };
        self.places.remove(&host);
        alloc::vec![host]
    }

    /// When [`Self::next`] may give somebody although nothing else happens.
    pub fn deadline(&self) -> Option<Tick> {
        if self.waiting.is_empty() {
            return None;
        }
        Some(self.trial.as_ref().map_or(Tick(0), |(_, until)| *until))
    }

    /// A host is not watched any more.
    pub fn forget(&mut self, host: &Name) {
        self.leave_queue(host);
        self.end_trial(host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;

    fn at(milliseconds: u64) -> Now {
        Now {
            tick: Tick(milliseconds),
            wall: Wall(1_700_000_000_000) + Span(milliseconds),
        }
    }

    #[test]
    fn the_first_logon_runs_alone() {
        let mut account = Account::new(&"ops".into());
        let timeout = Span::seconds(10);
        assert_eq!(account.ask(at(0), &"a".into(), timeout), Gate::Open);
        assert_eq!(account.ask(at(1), &"b".into(), timeout), Gate::Busy);
        assert!(account.next(at(2)).is_empty());
        assert_eq!(account.accepted(at(2), &"a".into()), Change::None);
        assert_eq!(account.next(at(3)), ["b".into()]);
        assert_eq!(account.ask(at(4), &"c".into(), timeout), Gate::Open);
        assert_eq!(
            account.ask(at(4), &"d".into(), timeout),
            Gate::Open,
            "it is proven"
        );
    }

    #[test]
    fn a_first_logon_that_hangs_passes_its_turn_on() {
        let mut account = Account::new(&"ops".into());
        let timeout = Span::seconds(10);
        assert_eq!(account.ask(at(0), &"a".into(), timeout), Gate::Open);
        assert_eq!(account.ask(at(1), &"b".into(), timeout), Gate::Busy);
        assert_eq!(account.deadline(), Some(Tick(10_000)));
        assert_eq!(account.next(at(10_000)), ["b".into()]);
    }

    #[test]
    fn three_refusals_pause_and_one_host_tries_each_hour() {
        let mut account = Account::new(&"ops".into());
        let timeout = Span::seconds(10);
        for (host, expected) in [
            ("a", Change::None),
            ("b", Change::None),
            ("a", Change::None),
            ("c", Change::Paused),
        ] {
            assert_eq!(account.ask(at(0), &host.into(), timeout), Gate::Open);
            assert_eq!(
                account.refused(at(0), &host.into(), Refusal::WrongPassword, 1),
                expected,
                "{host}"
            );
        }
        assert_eq!(account.ask(at(1_000), &"d".into(), timeout), Gate::Paused);
        assert_eq!(account.ask(at(3_600_000), &"d".into(), timeout), Gate::Open);
        assert_eq!(
            account.ask(at(3_600_001), &"e".into(), timeout),
            Gate::Paused
        );
        assert_eq!(account.accepted(at(3_600_002), &"d".into()), Change::Mended);
    }

    #[test]
    fn a_dead_host_does_not_use_up_the_hourly_try() {
        let mut account = Account::new(&"ops".into());
        account.refused(at(0), &"a".into(), Refusal::LockedOut, 1);
        let (hour, timeout) = (limits::REFUSED_WAIT.0, Span::seconds(10));
        assert_eq!(account.ask(at(hour), &"dead".into(), timeout), Gate::Open);
        account.ended(at(hour + 5), &"dead".into());
        assert_eq!(account.ask(at(hour + 6), &"b".into(), timeout), Gate::Open);
    }

    #[test]
    fn a_second_password_is_tried_only_while_the_account_can_bear_it() {
        let mut account = Account::new(&"ops".into());
        assert_eq!(account.logons(), 2);
        let refused = |account: &mut Account, host: &str, logons| {
            account.refused(at(0), &host.into(), Refusal::WrongPassword, logons)
        };
        assert_eq!(refused(&mut account, "a", 2), Change::None);
        assert_eq!(account.logons(), 1, "three refusals are the most");
        assert_eq!(
            refused(&mut account, "a", 2),
            Change::None,
            "the same again"
        );
        assert_eq!(refused(&mut account, "b", 1), Change::Paused);
        assert_eq!(account.logons(), 1);
        account.accepted(at(1), &"a".into());
        assert_eq!(account.logons(), 2);
    }

    #[test]
    fn a_locked_account_is_paused_at_once() {
        let mut account = Account::new(&"ops".into());
        account.accepted(at(2), &"a".into());
        assert_eq!(
            account.refused(at(0), &"b".into(), Refusal::LockedOut, 1),
            Change::Paused
        );
        account.secret_changed(at(5));
        assert_eq!(
            account.ask(at(6), &"b".into(), Span::seconds(10)),
            Gate::Open
        );
    }
}
