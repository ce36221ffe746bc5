//! The two clocks, read together. This is the only place that asks what time it is for what is decided.

use crate::os;
use std::{
    future::pending,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use svcwatch_core::time::{Now, Tick, Wall};
use tokio::time::sleep;

/// The clocks may drift apart by so many milliseconds until that counts as a jump.
const DRIFT_MAX: u64 = 5_000;

/// The tick, which counts the time that the machine was suspended, and the wall clock.
#[derive(Debug)]
pub struct Clock {
    /// How far the wall was ahead of the tick when they were compared last, in milliseconds.
    apart: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Begins to compare the two clocks.
    pub fn new() -> Self {
        Self {
            apart: apart(now()),
        }
    }

    /// By how many milliseconds the wall clock was set since the last look, where that is more than a drift.
    pub fn jump(&mut self) -> Option<i64> {
        self.jump_at(now())
    }

    fn jump_at(&mut self, now: Now) -> Option<i64> {
        let by = apart(now).saturating_sub(self.apart);
        if by.unsigned_abs() <= DRIFT_MAX {
            return None;
        }
        self.apart = apart(now);
        Some(by)
    }
}

/// The time on both clocks.
pub fn now() -> Now {
    Now {
        tick: Tick(os::tick()),
        wall: wall(),
    }
}

/// The time of the wall clock.
pub fn wall() -> Wall {
    let milliseconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |past| -past),
    };
    Wall(milliseconds)
}

/// Waits until a tick is reached; for ever where there is none.
pub async fn reached(deadline: Option<Tick>) {
    let Some(deadline) = deadline else {
        return pending().await;
    };
    // One millisecond at least: a deadline that is over without anything to do must not make the caller spin.
    let wait = deadline.since(Tick(os::tick())).0.max(1);
    sleep(Duration::from_millis(wait)).await;
}

fn apart(now: Now) -> i64 {
    now.wall.0.saturating_sub_unsigned(now.tick.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tick: u64, wall: i64) -> Now {
        Now {
            tick: Tick(tick),
            wall: Wall(wall),
        }
    }

    #[test]
    fn only_more_than_a_drift_is_a_jump_and_it_is_told_once() {
        let mut clock = Clock { apart: 1_000 };
        assert_eq!(clock.jump_at(at(500, 1_500)), None);
        assert_eq!(
            clock.jump_at(at(10_000, 15_999)),
            None,
            "a drift of five seconds"
        );
        assert_eq!(clock.jump_at(at(10_000, 3_611_000)), Some(3_600_000));
        assert_eq!(clock.jump_at(at(20_000, 3_621_000)), None, "it was told");
        assert_eq!(
            clock.jump_at(at(20_000, 21_000)),
            Some(-3_600_000),
            "set back"
        );
    }

    #[test]
    fn the_tick_goes_forward() {
        let first = now();
        std::thread::sleep(Duration::from_millis(5));
        assert!(now().tick > first.tick);
    }
}
