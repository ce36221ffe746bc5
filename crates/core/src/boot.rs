//! How a host goes down and comes back: what tells a shutdown from services that stop, and a boot from processes that
//! were started anew.

use crate::{
    limits,
    planted::{self, Planted},
    record::BootRow,
    time::{Now, Span, Tick, Wall},
};
use alloc::vec::Vec;

/// How the processes of a reading stand against those that were known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// None is another one, or nothing is known to compare with.
    Same,
    /// Some are others.
    Some,
    /// None is the one it was, and so many of them are gone.
    All(usize),
}

/// What is known of a host's boots since our own start.
#[derive(Debug, Clone, Default)]
pub struct Boot {
    /// The uptime that was read last, and when.
    uptime: Option<(Span, Tick)>,
    /// When the first reading after its last boot was taken.
    booted: Option<Tick>,
    /// Whether the check under way asks for its uptime.
    pub asked: bool,
    /// When watched services left running, lately.
    left: Vec<Tick>,
    /// Since it is shutting down: until when it is taken for that, and when that was seen last.
    shutting_down: Option<(Tick, Tick)>,
    /// Whether the host was shutting down when it was seen last.
    pub went_down: bool,
    /// Until when notices about its services are held; set until they were told.
    grace: Option<Tick>,
    /// Until when a service that begins to start gets the time that a boot takes.
    pub starting_until: Option<Tick>,
}

impl Boot {
    /// As the store knows it.
    pub fn restored(row: BootRow, boot_grace: Span, now: Now) -> Self {
        let grace = row.grace_until.map(|at| now.tick_of(at, boot_grace));
        let shutting_down = row.shutting_down_until.map(|at| {
            let until = now.tick_of(at, limits::SHUTTING_DOWN_MAX);
            (until, now.tick)
        });
        Self {
            grace,
            starting_until: grace,
            went_down: shutting_down.is_some(),
            shutting_down,
            ..Self::default()
        }
    }

    /// Whether a reading is the first one after a boot. `known` is when the host was booted, as the store has it.
    ///
    /// An uptime that goes on as it should, or began anew after 49.7 days, is no boot whatever the processes say; one
    /// that went down is a boot where processes changed, because a suspended machine stops counting too. Where the
    /// uptime says nothing, or was last read by another run of ours, all processes must have changed.
    pub fn is_boot(
        &self,
        now: Now,
        uptime: Option<Span>,
        known: Option<Wall>,
        processes: Processes,
    ) -> bool {
        let (changed, all, enough) = match processes {
            Processes::Same => (false, false, false),
            Processes::Some => (true, false, false),
            Processes::All(gone) => (true, true, gone >= limits::BOOT_PROCESSES_MIN),
        };
        match (uptime, self.uptime, known) {
            (Some(is), Some((was, at)), _) => {
                let passed = now.tick.since(at);
                changed && !agrees(is, was + passed, passed) && (is < was || all)
            }
            (Some(is), None, Some(known)) => {
                let expected = now.wall.since(known);
                all && !agrees(is, expected, expected)
            }
            // Whoever tells its uptime is asked at each new session, and a boot ends every session.
            (None, Some(_), _) if !self.asked => false,
            (Some(_), None, None) | (None, ..) => enough,
        }
    }

    /// Keeps the uptime of a reading.
    pub fn keep_uptime(&mut self, now: Tick, uptime: Option<Span>) {
        if let Some(uptime) = uptime {
            self.uptime = Some((uptime, now));
        }
    }

    /// Whether this reading follows others of this run of ours.
    pub const fn was_read(&self) -> bool {
        self.uptime.is_some()
    }

    /// The host was booted: its services are left alone until then, and it is not shutting down any more.
    pub fn booted(&mut self, now: Tick, grace_until: Option<Tick>) {
        self.booted = Some(now);
        self.left.clear();
        self.shutting_down = None;
        self.went_down = false;
        self.grace = grace_until;
        self.starting_until = grace_until;
    }

    /// When the first reading after its last boot was taken, as far as this run of ours knows.
    pub const fn booted_at(&self) -> Option<Tick> {
        self.booted
    }

    /// A watched service left running; whether so many did within `settle` that the host is shutting down. Without
    /// `settle` that is never so, and what the first reading after a boot shows left with the boot.
    pub fn leaves(&mut self, now: Tick, settle: Span) -> bool {
        if settle == Span::ZERO || self.booted == Some(now) {
            return false;
        }
        self.left.retain(|at| now.since(*at) <= settle);
        if self.left.len() < limits::SHUTTING_DOWN_LEFT {
            self.left.push(now);
        }
        if let Some((_, seen)) = &mut self.shutting_down {
            *seen = now;
        }
        self.left.len() >= limits::SHUTTING_DOWN_LEFT
    }

    /// The host is shutting down; until when it is taken for that, where that is new. It is given time once until it
    /// can be read again.
    pub fn shuts_down(&mut self, now: Tick) -> Option<Tick> {
        if let Some((_, seen)) = &mut self.shutting_down {
            *seen = now;
        }
        if core::mem::replace(&mut self.went_down, true) {
            return None;
        }
        let until = now + limits::SHUTTING_DOWN_MAX;
        self.shutting_down = Some((until, now));
        Some(until)
    }

    /// Until when the host is taken for shutting down.
    pub fn shutting_down(&self) -> Option<Tick> {
        self.shutting_down.map(|(until, _)| until)
    }

    /// When a host that still answers is taken for one that is not shutting down after all.
    pub fn stays_at(&self) -> Option<Tick> {
        self.shutting_down
            .map(|(until, seen)| until.min(seen + limits::SHUTTING_DOWN_QUIET))
    }

    /// It was read, and is still there: when it shuts down another time it is given its time again.
    pub const fn stays(&mut self) {
        self.went_down = false;
    }

    /// It is not shutting down any more.
    pub fn end_shutting_down(&mut self) {
        self.shutting_down = None;
        self.left.clear();
    }

    /// Until when notices about its services are held; it may be over, and what did not come back not told yet.
    pub const fn grace(&self) -> Option<Tick> {
        self.grace
    }

    /// What did not come back is told.
    pub fn end_grace(&mut self) {
        self.grace = None;
    }

    /// Whether notices about its services are held.
    pub fn holds(&self) -> bool {
        (self.grace.is_some() && !planted::is(Planted::BootIgnored)) || self.shutting_down.is_some()
    }
}

/// Whether an uptime is what it should be, give or take what two clocks differ by after so long. It begins anew now and
/// then.
fn agrees(is: Span, expected: Span, passed: Span) -> bool {
    let wrap = limits::UPTIME_WRAP;
    let rest = |span: Span| span.0.checked_rem(wrap).unwrap_or(0);
    let apart = rest(is).abs_diff(rest(expected));
    let apart = apart.min(wrap.saturating_sub(apart));
    let drift = passed
        .0
        .checked_div(limits::UPTIME_DRIFT_ONE_IN)
        .unwrap_or(0);
    apart <= limits::UPTIME_SLACK.0.saturating_add(drift)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Span = Span::hours(24);

    fn now(tick: Span) -> Now {
        Now {
            tick: Tick(tick.0),
            wall: Wall(1_700_000_000_000) + tick,
        }
    }

    fn read(uptime: Span) -> Boot {
        let mut boot = Boot::default();
        boot.keep_uptime(Tick(0), Some(uptime));
        boot
    }

    #[test]
    fn an_uptime_that_goes_on_is_no_boot_whatever_the_processes_say() {
        let boot = read(DAY);
        let later = now(Span::hours(1));
        let uptime = Some(Span::hours(25));
        assert!(!boot.is_boot(later, uptime, None, Processes::All(40)));
        assert!(!boot.is_boot(later, uptime, None, Processes::Some));
    }

    #[test]
    fn an_uptime_that_went_down_is_a_boot_where_processes_changed() {
        let boot = read(DAY);
        let (later, uptime) = (now(Span::hours(1)), Some(Span::minutes(2)));
        assert!(boot.is_boot(later, uptime, None, Processes::Some));
        assert!(!boot.is_boot(later, uptime, None, Processes::Same));
    }

    #[test]
    fn a_second_boot_soon_after_the_first_is_known_by_its_processes() {
        // Its uptime is greater than the one that was read a minute after the first boot.
        let boot = read(Span::minutes(1));
        let (later, uptime) = (now(Span::minutes(10)), Some(Span::minutes(2)));
        assert!(boot.is_boot(later, uptime, None, Processes::All(9)));
        assert!(
            !boot.is_boot(later, uptime, None, Processes::Some),
            "a suspended machine stops counting"
        );
    }

    #[test]
    fn a_count_that_begins_anew_is_no_boot() {
        let boot = read(Span(limits::UPTIME_WRAP - 60_000));
        let (later, uptime) = (now(Span::minutes(3)), Some(Span::minutes(2)));
        assert!(!boot.is_boot(later, uptime, None, Processes::All(40)));
        let boot = read(Span(limits::UPTIME_WRAP - Span::hours(1).0));
        let soon = now(Span::minutes(20));
        assert!(
            boot.is_boot(soon, Some(Span::seconds(2)), None, Processes::Some),
            "it was to begin anew only later"
        );
    }

    #[test]
    fn without_an_uptime_all_processes_must_have_changed() {
        let boot = Boot::default();
        let later = now(Span::hours(1));
        assert!(boot.is_boot(later, None, None, Processes::All(3)));
        assert!(
            !boot.is_boot(later, None, None, Processes::All(2)),
            "a service and what depends on it, started anew"
        );
        assert!(!boot.is_boot(later, None, None, Processes::Some));
        assert!(!boot.is_boot(later, None, None, Processes::Same));
    }

    #[test]
    fn what_was_booted_while_we_were_away_is_known_by_the_time_of_its_boot() {
        let boot = Boot::default();
        let later = now(DAY);
        let known = Some(Wall(1_700_000_000_000));
        assert!(boot.is_boot(later, Some(Span::hours(2)), known, Processes::All(1)));
        assert!(!boot.is_boot(later, Some(DAY), known, Processes::All(30)));
        assert!(
            !boot.is_boot(later, Some(Span::hours(2)), known, Processes::Some),
            "our own clock may have been set"
        );
    }

    #[test]
    fn three_that_leave_within_settle_are_a_shutdown_and_never_without_it() {
        let mut boot = Boot::default();
        let settle = Span::seconds(3);
        assert!(!boot.leaves(Tick(0), settle));
        assert!(!boot.leaves(Tick(1_000), settle));
        assert!(
            !boot.leaves(Tick(3_500), settle),
            "the first one is too long ago"
        );
        assert!(boot.leaves(Tick(3_900), settle));
        let mut boot = Boot::default();
        for at in 0..9 {
            assert!(!boot.leaves(Tick(at), Span::ZERO));
        }
    }
}
