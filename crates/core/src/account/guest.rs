//! Guests of an account: hosts that nobody watches. They come after all hosts, and who refused is remembered here.

use super::{Account, Change, Gate};
use crate::{
    id::Name,
    limits,
    observe::{Fault, Refusal},
    planted::{self, Planted},
    record::LeftAlone,
    time::{Now, Span, Tick},
};
use alloc::{collections::BTreeMap, vec::Vec};

/// The hosts of an account, as far as they matter to a guest that wants to try it while it is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// There are none that could mend it: none at all, or none that answers and does not refuse it.
    None,
    /// All of them are read over kept sessions, so that none of them tries the account.
    Seen,
    /// Some are not read because of it, and try it.
    Unseen,
}

/// Why a guest is not asked again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// What it met last.
    pub why: Fault,
    /// When that was.
    pub since: Tick,
    /// Until when it is left alone.
    pub until: Tick,
    /// Whether it is in the account's row too, and so outlives us.
    kept: bool,
}

/// What is known of an account's guests.
#[derive(Debug, Clone, Default)]
pub(super) struct Guests {
    /// Those that are left alone.
    rests: BTreeMap<Name, Rest>,
    /// Those that are being logged on to, each with until when that counts and how many passwords it may try.
    under_way: BTreeMap<Name, (Tick, u8)>,
    /// When the gate may open again that was last found busy, where nothing happens before.
    busy_until: Tick,
}

impl Guests {
    /// Those that the row of an account names.
    pub(super) fn restored(left_alone: &[LeftAlone], now: Now) -> Self {
        let rests = left_alone.iter().map(|one| {
            let rest = Rest {
                why: Fault::LogonRefused,
                since: now.tick,
                until: now.tick_of(one.until, limits::REFUSED_WAIT),
                kept: true,
            };
            (one.guest.clone(), rest)
        });
        Self {
            rests: rests.collect(),
            ..Self::default()
        }
    }

    /// Another secret: what the old one met does not count.
    pub(super) fn secret_changed(&mut self) {
        self.rests.clear();
    }

    /// Passwords that are being tried at guests.
    fn trying(&self) -> usize {
        let passwords = self.under_way.values();
        passwords.map(|(_, logons)| usize::from(*logons)).sum()
    }
}

impl Account {
    /// Asks for a logon of a guest. Hosts come first: a guest stands in no queue, it asks again, and where hosts wait it
    /// waits too. A paused account is tried by hosts; by a guest only where no host does, and by one that did not make
    /// or renew the pause first: a guest that refuses it for good would else use up the try of each hour.
    ///
    /// However many are asked for, no more passwords are under way at once than may be refused until the account is
    /// paused: what the first of them comes to is known before the others are tried.
    pub fn ask_for_guest(&mut self, now: Now, guest: &Name, timeout: Span, hosts: Hosts) -> Gate {
        if planted::is(Planted::LogonsUnpaced) {
            return Gate::Open;
        }
        self.guests
            .under_way
            .retain(|_, (until, _)| now.tick < *until);
        let gate = self.gate_for_guest(now, guest, timeout, hosts);
        if gate == Gate::Open {
            let logons = self.logons().min(self.room_for_guests().max(1));
            let until = now.tick + timeout + limits::PROBE_GRACE;
            self.guests.under_way.insert(guest.clone(), (until, logons));
        }
        gate
    }

    fn gate_for_guest(&mut self, now: Now, guest: &Name, timeout: Span, hosts: Hosts) -> Gate {
        if self.is_paused() && !planted::is(Planted::PauseIgnored) {
            return if self.may_try_paused(now, guest, hosts) {
                self.ask_paused(now, guest, timeout)
            } else {
                Gate::Paused
            };
        }
        let crowded = self.room_for_guests() == 0 && !self.guests.under_way.is_empty();
        if crowded && !planted::is(Planted::GuestsAtOnce) {
            let ends = self.guests.under_way.values().map(|(until, _)| *until);
            self.guests.busy_until = ends.min().unwrap_or_default();
            return Gate::Busy;
        }
        if self.is_proven(now) {
            return Gate::Open;
        }
        if self.is_busy(now, guest) || !self.waiting.is_empty() {
            let trial = self.trial.as_ref().map(|(_, until)| *until);
            self.guests.busy_until = trial.unwrap_or_default();
            return Gate::Busy;
        }
        self.trial = Some((guest.clone(), now.tick + timeout));
        Gate::Open
    }

    /// Whether a guest may try a paused account, where it is time for that. One that made or renewed the pause comes
    /// after those that did not.
    fn may_try_paused(&self, now: Now, guest: &Name, hosts: Hosts) -> bool {
        let later = match hosts {
            Hosts::None => limits::DENIED_WAIT,
            // A host may lose its session at any moment, and needs the try then.
            Hosts::Seen => limits::REFUSED_WAIT,
            Hosts::Unseen => return false,
        };
        !self.row.refused_by.contains(guest)
            || self.next_try.is_none_or(|at| now.tick >= at + later)
    }

    /// How many passwords more may be tried at guests at once.
    fn room_for_guests(&self) -> u8 {
        let taken = self
            .row
            .refused_by
            .len()
            .saturating_add(self.guests.trying());
        u8::try_from(limits::REFUSALS_MAX.saturating_sub(taken)).unwrap_or(u8::MAX)
    }

    /// Until when a guest waits that finds the gate busy, where nothing happens before.
    pub const fn busy_until(&self) -> Tick {
        self.guests.busy_until
    }

    /// How many logons the reading of a guest may try that was let in.
    pub fn logons_at(&self, guest: &Name) -> u8 {
        let under_way = self.guests.under_way.get(guest);
        under_way.map_or(1, |(_, logons)| *logons)
    }

    /// The reading of a guest has ended; whether it was let in to log on.
    pub fn visit_ended(&mut self, guest: &Name) -> bool {
        self.guests.under_way.remove(guest).is_some()
    }

    /// Why a guest is left alone, where it is.
    pub fn rest(&self, now: Now, guest: &Name) -> Option<Rest> {
        if planted::is(Planted::GuestsNotLeftAlone) {
            return None;
        }
        let rest = self.guests.rests.get(guest);
        rest.filter(|rest| now.tick < rest.until).copied()
    }

    /// Whether one more guest could be remembered to have refused its password; no other one is tried.
    pub fn has_room_for_guests(&self, now: Now) -> bool {
        let rests = self.guests.rests.values();
        let kept = rests.filter(|rest| rest.kept && now.tick < rest.until);
        kept.count().saturating_add(self.guests.under_way.len()) < limits::GUESTS_REFUSED_MAX
    }

    /// Leaves a guest alone for so long, because of what it met. What is `kept` outlives us, and is never forgotten for
    /// others: those that the password may be wrong at. Of all else the one is forgotten whose time is over first.
    pub fn leave_alone(&mut self, now: Now, guest: &Name, why: Fault, wait: Span, kept: bool) {
        let rests = &mut self.guests.rests;
        rests.retain(|_, rest| now.tick < rest.until);
        let known = rests.get(guest).copied();
        let until = now.tick + wait;
        if known.is_some_and(|known| known.until > until) {
            return;
        }
        rests.remove(guest);
        let all_kept = rests.values().filter(|rest| rest.kept).count();
        let has_room = all_kept < limits::GUESTS_REFUSED_MAX;
        let rest = Rest {
            why,
            since: now.tick,
            until,
            kept: has_room && (kept || known.is_some_and(|known| known.kept)),
        };
        let mut passing: Vec<(Tick, &Name)> = Vec::new();
        if !rest.kept {
            let others = rests.iter().filter(|(_, rest)| !rest.kept);
            passing.extend(others.map(|(name, rest)| (rest.until, name)));
        }
        if passing.len() >= limits::GUESTS_RESTING_MAX
            && let Some(first) = passing.into_iter().min().map(|(_, name)| name.clone())
        {
            rests.remove(&first);
        }
        rests.insert(guest.clone(), rest);
        self.row.left_alone.retain(|one| {
            one.guest != *guest && rests.get(&one.guest).is_some_and(|rest| rest.kept)
        });
        if rest.kept {
            self.row.left_alone.push(LeftAlone {
                guest: guest.clone(),
                until: now.wall + wait,
            });
        }
    }

    /// A guest has let us in: it is not left alone for what it met before.
    pub fn let_in_by(&mut self, guest: &Name) {
        if self.guests.rests.remove(guest).is_some() {
            self.row.left_alone.retain(|one| one.guest != *guest);
        }
    }

    /// A guest refused logons, so many of them. Whatever it says of the account counts as one that refuses its password:
    /// nobody vouches for it, so that one alone must not take the account from all hosts.
    pub fn refused_by_guest(
        &mut self,
        now: Now,
        guest: &Name,
        refusal: Refusal,
        logons: u8,
    ) -> Change {
        if planted::is(Planted::GuestsBelieved) {
            return self.refused(now, guest, refusal, logons);
        }
        self.end_trial(guest);
        self.proven_until = None;
        if refusal == Refusal::WrongPassword {
            self.count(guest, logons);
        } else if refusal.concerns_the_account() || self.is_paused() {
            self.count(guest, 1);
        }
        self.pause_where(now, refusal, false)
    }

    /// A logon at a guest was sent, or may have been, and was not answered: it may have been refused. A paused account is
    /// not tried again for that before its time.
    pub fn unanswered(&mut self, guest: &Name) {
        self.end_trial(guest);
        if self.is_paused() {
            self.count(guest, 1);
        }
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

    fn refuse(account: &mut Account, now: Now, guest: &Name) {
        account.leave_alone(now, guest, Fault::LogonRefused, limits::REFUSED_WAIT, true);
    }

    #[test]
    fn a_guest_stands_behind_the_hosts() {
        let mut account = Account::new(&"ops".into());
        let timeout = Span::seconds(10);
        let ask = |account: &mut Account, now| {
            account.ask_for_guest(at(now), &"guest".into(), timeout, Hosts::Seen)
        };
        assert_eq!(account.ask(at(0), &"a".into(), timeout), Gate::Open);
        assert_eq!(ask(&mut account, 1), Gate::Busy);
        assert_eq!(account.ask(at(2), &"b".into(), timeout), Gate::Busy);
        account.ended(at(3), &"a".into());
        assert_eq!(ask(&mut account, 4), Gate::Busy, "a host waits");
        assert_eq!(account.next(at(5)), ["b".into()]);
        assert_eq!(account.ask(at(5), &"b".into(), timeout), Gate::Open);
        assert_eq!(ask(&mut account, 6), Gate::Busy);
        account.accepted(at(7), &"b".into());
        assert_eq!(ask(&mut account, 8), Gate::Open, "it is proven");
    }

    #[test]
    fn a_guest_does_not_use_up_the_try_of_the_hour_that_hosts_need() {
        let mut account = Account::new(&"ops".into());
        let (hour, timeout) = (limits::REFUSED_WAIT.0, Span::seconds(10));
        for guest in ["a", "b", "c"] {
            account.refused(at(0), &guest.into(), Refusal::WrongPassword, 1);
        }
        let ask = |account: &Account, guest: &str, now, hosts| {
            account
                .clone()
                .ask_for_guest(at(now), &guest.into(), timeout, hosts)
        };
        for (guest, now, hosts, gate) in [
            ("d", hour, Hosts::Unseen, Gate::Paused),
            ("d", hour - 1, Hosts::None, Gate::Paused),
            ("d", hour, Hosts::None, Gate::Open),
            ("d", hour, Hosts::Seen, Gate::Open),
            // Those that made the pause come after all others.
            ("a", hour, Hosts::Seen, Gate::Paused),
            ("a", 2 * hour, Hosts::Seen, Gate::Open),
            ("a", hour, Hosts::None, Gate::Paused),
            ("a", hour + limits::DENIED_WAIT.0, Hosts::None, Gate::Open),
        ] {
            assert_eq!(ask(&account, guest, now, hosts), gate, "{guest} {hosts:?}");
        }
        let first = account.ask_for_guest(at(hour), &"d".into(), timeout, Hosts::None);
        assert_eq!(first, Gate::Open);
        let second = ask(&account, "e", 2 * hour - 1, Hosts::None);
        assert_eq!(second, Gate::Paused, "once an hour");
        // One that does not answer takes neither the try of this hour anew nor that of the next one.
        account.visit_ended(&"d".into());
        account.unanswered(&"d".into());
        let gate = |guest, now| ask(&account, guest, now, Hosts::None);
        assert_eq!(gate("e", hour + 20_000), Gate::Paused);
        assert_eq!(gate("d", 2 * hour), Gate::Paused);
        assert_eq!(gate("e", 2 * hour), Gate::Open);
    }

    #[test]
    fn a_guest_that_refused_is_left_alone_for_an_hour_whatever_is_started_anew() {
        let mut account = Account::new(&"ops".into());
        let guest = Name::from("guest");
        refuse(&mut account, at(0), &guest);
        assert!(account.rest(at(1), &"Guest".into()).is_some());
        assert!(account.rest(at(1), &"other".into()).is_none());
        // The clock of ticks begins anew with the program.
        let begun = Now {
            tick: Tick(5),
            ..at(600_000)
        };
        let mut restored = Account::restored(account.row, begun);
        let later = |milliseconds: u64| Now {
            tick: Tick(5 + milliseconds),
            ..at(600_000 + milliseconds)
        };
        assert!(restored.rest(later(2_999_999), &guest).is_some());
        assert!(restored.rest(later(3_000_000), &guest).is_none());
        refuse(&mut restored, later(3_000_001), &"other".into());
        assert_eq!(
            restored.row.left_alone.len(),
            1,
            "what is over is forgotten"
        );
        restored.secret_changed(later(3_000_002));
        assert!(restored.rest(later(3_000_003), &"other".into()).is_none());
        assert!(restored.row.left_alone.is_empty());
    }

    #[test]
    fn no_further_guest_is_tried_than_can_be_remembered() {
        let mut account = Account::new(&"ops".into());
        for number in 0..limits::GUESTS_REFUSED_MAX {
            assert!(account.has_room_for_guests(at(1)));
            let guest = Name::new(&alloc::format!("guest{number}"));
            refuse(&mut account, at(1), &guest);
        }
        assert!(!account.has_room_for_guests(at(2)));
        account.let_in_by(&"GUEST7".into());
        assert!(account.has_room_for_guests(at(2)));
        assert_eq!(account.row.left_alone.len(), limits::GUESTS_REFUSED_MAX - 1);
    }

    #[test]
    fn what_is_no_wrong_password_is_forgotten_for_others_and_shuts_nobody_out() {
        let mut account = Account::new(&"ops".into());
        let name = |number: usize| Name::new(&alloc::format!("guest{number}"));
        let hour = limits::REFUSED_WAIT;
        account.leave_alone(at(0), &name(0), Fault::Unreachable, Span::minutes(1), false);
        for number in 1..=limits::GUESTS_RESTING_MAX {
            account.leave_alone(at(1), &name(number), Fault::LogonRefused, hour, false);
        }
        assert!(
            account.rest(at(2), &name(0)).is_none(),
            "its time was over first"
        );
        assert!(account.rest(at(2), &name(1)).is_some());
        assert!(account.has_room_for_guests(at(2)));
        assert!(account.row.left_alone.is_empty());
        // A shorter wait takes nothing from a longer one.
        account.leave_alone(at(2), &name(1), Fault::Timeout, Span::minutes(1), false);
        let rest = account.rest(at(3), &name(1)).map(|rest| rest.why);
        assert_eq!(rest, Some(Fault::LogonRefused));
    }

    #[test]
    fn no_more_passwords_are_under_way_than_may_be_refused() {
        let mut account = Account::new(&"ops".into());
        let timeout = Span::seconds(10);
        account.accepted(at(0), &"host".into());
        let ask = |account: &mut Account, guest: &str, now| {
            account.ask_for_guest(at(now), &guest.into(), timeout, Hosts::None)
        };
        assert_eq!(ask(&mut account, "a", 1), Gate::Open);
        assert_eq!(ask(&mut account, "b", 1), Gate::Open);
        let logons = (
            account.logons_at(&"a".into()),
            account.logons_at(&"b".into()),
        );
        assert_eq!(logons, (2, 1), "three passwords in all");
        assert_eq!(ask(&mut account, "c", 2), Gate::Busy);
        assert_eq!(
            account.busy_until(),
            Tick(1) + timeout + limits::PROBE_GRACE
        );
        assert!(account.visit_ended(&"a".into()));
        assert_eq!(ask(&mut account, "c", 3), Gate::Open);
        // One password refused leaves two.
        let change = account.refused_by_guest(at(4), &"a".into(), Refusal::WrongPassword, 1);
        assert_eq!(change, Change::None);
        account.accepted(at(4), &"host".into());
        account.count(&"a".into(), 1);
        assert_eq!(ask(&mut account, "d", 5), Gate::Busy);
        // One that never comes back counts for a while only.
        assert_eq!(ask(&mut account, "d", 15_003), Gate::Open);
    }

    #[test]
    fn what_one_guest_says_of_the_account_is_not_believed() {
        for refusal in [Refusal::LockedOut, Refusal::Disabled, Refusal::Expired] {
            let mut account = Account::new(&"ops".into());
            let says = |account: &mut Account, guest: &str| {
                account.refused_by_guest(at(0), &guest.into(), refusal, 1)
            };
            for _ in 0..5 {
                assert_eq!(says(&mut account, "a"), Change::None);
            }
            assert_eq!(says(&mut account, "b"), Change::None);
            assert_eq!(says(&mut account, "c"), Change::Paused, "{refusal}");
        }
    }
}
