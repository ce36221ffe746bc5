//! Guests of an account: hosts that nobody watches. They come after all hosts, and who refused is remembered here.

use super::{Account, Gate};
use crate::{
    id::Name,
    limits,
    planted::{self, Planted},
    record::LeftAlone,
    time::{Now, Span, Tick},
};

/// The hosts of an account, as far as they matter to a guest that wants to try it while it is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// There are none.
    None,
    /// All of them are read over kept sessions, so that none of them tries the account.
    Seen,
    /// Some are not read because of it, and try it.
    Unseen,
}

impl Account {
    /// Asks for a logon of a guest. Hosts come first: a guest stands in no queue, it asks again, and where hosts wait it
    /// waits too. A paused account is tried by hosts; by a guest only where no host does, and where there are hosts only by
    /// one that did not refuse it before: a guest that refuses it for good would else use up the try of each hour.
    pub fn ask_for_guest(&mut self, now: Now, guest: &Name, timeout: Span, hosts: Hosts) -> Gate {
        if planted::is(Planted::LogonsUnpaced) {
            return Gate::Open;
        }
        if self.is_paused() && !planted::is(Planted::PauseIgnored) {
            let may_try = match hosts {
                Hosts::None => true,
                Hosts::Seen => !self.row.refused_by.contains(guest),
                Hosts::Unseen => false,
            };
            return if may_try {
                self.ask_paused(now, guest, timeout)
            } else {
                Gate::Paused
            };
        }
        if self.is_proven(now) {
            return Gate::Open;
        }
        if self.is_busy(now, guest) || !self.waiting.is_empty() {
            return Gate::Busy;
        }
        self.trial = Some((guest.clone(), now.tick + timeout));
        Gate::Open
    }

    /// Until when a guest waits that finds the gate busy, where nothing happens before.
    pub fn busy_until(&self) -> Tick {
        self.trial.as_ref().map_or(Tick(0), |(_, until)| *until)
    }

    /// Whether a guest is left alone, because it refused a logon a short while ago.
    pub fn leaves_alone(&self, now: Now, guest: &Name) -> bool {
        self.left_alone
            .get(guest)
            .is_some_and(|until| now.tick < *until)
    }

    /// Whether one more guest could be remembered to have refused it; no other one is tried.
    pub fn has_room_for_guests(&self, now: Now) -> bool {
        let alone = self.left_alone.values().filter(|until| now.tick < **until);
        alone.count() < limits::GUESTS_REFUSED_MAX
    }

    /// A guest has refused a logon: it is left alone for a while. Those whose time is over are forgotten.
    pub fn leave_alone(&mut self, now: Now, guest: &Name) {
        self.left_alone.retain(|_, until| now.tick < *until);
        self.left_alone
            .insert(guest.clone(), now.tick + limits::REFUSED_WAIT);
        let known = &self.left_alone;
        let stays = |one: &LeftAlone| one.guest != *guest && known.contains_key(&one.guest);
        self.row.left_alone.retain(stays);
        self.row.left_alone.push(LeftAlone {
            guest: guest.clone(),
            until: now.wall + limits::REFUSED_WAIT,
        });
    }

    /// A guest has let us in: it is not left alone for what it refused before.
    pub fn let_in_by(&mut self, guest: &Name) {
        if self.left_alone.remove(guest).is_some() {
            self.row.left_alone.retain(|one| one.guest != *guest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{observe::Refusal, time::Wall};

    fn at(milliseconds: u64) -> Now {
        Now {
            tick: Tick(milliseconds),
            wall: Wall(1_700_000_000_000) + Span(milliseconds),
        }
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
            ("a", hour, Hosts::Seen, Gate::Paused),
            ("a", hour, Hosts::None, Gate::Open),
        ] {
            assert_eq!(ask(&account, guest, now, hosts), gate, "{guest} {hosts:?}");
        }
        let first = account.ask_for_guest(at(hour), &"d".into(), timeout, Hosts::None);
        assert_eq!(first, Gate::Open);
        let second = ask(&account, "e", 2 * hour - 1, Hosts::None);
        assert_eq!(second, Gate::Paused, "once an hour");
    }

    #[test]
    fn a_guest_that_refused_is_left_alone_for_an_hour_whatever_is_started_anew() {
        let mut account = Account::new(&"ops".into());
        let guest = Name::from("guest");
        account.leave_alone(at(0), &guest);
        assert!(account.leaves_alone(at(1), &"Guest".into()));
        assert!(!account.leaves_alone(at(1), &"other".into()));
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
        assert!(restored.leaves_alone(later(2_999_999), &guest));
        assert!(!restored.leaves_alone(later(3_000_000), &guest));
        restored.leave_alone(later(3_000_001), &"other".into());
        assert_eq!(
            restored.row.left_alone.len(),
            1,
            "what is over is forgotten"
        );
        restored.secret_changed(later(3_000_002));
        assert!(!restored.leaves_alone(later(3_000_003), &"other".into()));
        assert!(restored.row.left_alone.is_empty());
    }

    #[test]
    fn no_further_guest_is_tried_than_can_be_remembered() {
        let mut account = Account::new(&"ops".into());
        for number in 0..limits::GUESTS_REFUSED_MAX {
            assert!(account.has_room_for_guests(at(1)));
            let guest = Name::new(&alloc::format!("guest{number}"));
            account.leave_alone(at(1), &guest);
        }
        assert!(!account.has_room_for_guests(at(2)));
        account.let_in_by(&"GUEST7".into());
        assert!(account.has_room_for_guests(at(2)));
        assert_eq!(account.row.left_alone.len(), limits::GUESTS_REFUSED_MAX - 1);
    }
}
