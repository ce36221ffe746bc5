//! Time as numbers. Nothing here reads a clock: the time of an event comes in with it.

use core::ops::Add;

/// Milliseconds of a clock that only goes forward and counts the time that the machine was suspended.
/// Its zero is arbitrary but long past ([`crate::limits::TICK_ORIGIN`]), so that what began before a start of the
/// machine can be told in it; it measures durations and never leaves the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub u64);

/// Milliseconds since 1970-01-01T00:00:00Z, for what is stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub i64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub u64);

/// The time of one event on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For durations and deadlines.
    pub tick: Tick,
    /// For what is stored and shown.
    pub wall: Wall,
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// A span of whole minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// A span of whole hours.
    pub const fn hours(hours: u64) -> Self {
        Self::minutes(hours.saturating_mul(60))
    }

    /// This span so many times over.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Add<Span> for Tick {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Tick {
    /// The time since an earlier tick; zero where that one is not earlier.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Wall {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }
}

impl Wall {
    /// The time since an earlier moment; zero where that one is not earlier.
    pub const fn since(self, earlier: Self) -> Span {
        let difference = self.0.saturating_sub(earlier.0);
        if difference <= 0 {
            Span::ZERO
        } else {
            Span(difference.unsigned_abs())
        }
    }
}

impl Now {
    /// The tick at which a stored wall deadline is reached: what remains of it, between nothing and its full length.
    /// A clock that was set back or forward can therefore neither skip nor stretch a deadline beyond its own length.
    pub fn tick_of(self, deadline: Wall, full: Span) -> Tick {
        let remaining = deadline.since(self.wall);
        self.tick + if remaining > full { full } else { remaining }
    }

    /// The wall time that belongs to a tick in the past or the future.
    pub fn wall_of(self, tick: Tick) -> Wall {
        if tick >= self.tick {
            self.wall + tick.since(self.tick)
        } else {
            Wall(self.wall.0.saturating_sub_unsigned(self.tick.since(tick).0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_of_a_deadline_is_clamped() {
        let now = Now {
            tick: Tick(1_000),
            wall: Wall(50_000),
        };
        let full = Span::seconds(10);
        assert_eq!(
            now.tick_of(Wall(54_000), full),
            Tick(5_000),
            "four seconds remain"
        );
        assert_eq!(
            now.tick_of(Wall(10_000), full),
            Tick(1_000),
            "a past deadline is due"
        );
        assert_eq!(
            now.tick_of(Wall(9_000_000), full),
            Tick(11_000),
            "never more than its full length"
        );
    }

    #[test]
    fn wall_follows_tick_both_ways() {
        let now = Now {
            tick: Tick(1_000),
            wall: Wall(50_000),
        };
        assert_eq!(now.wall_of(Tick(1_500)), Wall(50_500));
        assert_eq!(now.wall_of(Tick(400)), Wall(49_400));
    }
}
