//! How often the news of a computer has it read: at once where little happens, and not more often than is of use where
//! a thousand things happen.

use std::time::{Duration, Instant};

/// Readings that news leads to without a pause, at most …
const AT_ONCE: u32 = 10;
/// … and how often where news does not end.
const EVERY: Duration = Duration::from_millis(100);

/// Which news is passed on.
#[derive(Debug)]
pub(super) struct Pace {
    left: u32,
    counted: Instant,
    /// Whether there is news that was not passed on.
    waits: bool,
}

impl Pace {
    /// Nothing has happened for long.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            left: AT_ONCE,
            counted: now,
            waits: false,
        }
    }

    /// Something has happened.
    pub(super) const fn happened(&mut self) {
        self.waits = true;
    }

    /// Whether it is to be passed on now.
    pub(super) fn passes(&mut self, now: Instant) -> bool {
        while self.left < AT_ONCE && now.duration_since(self.counted) >= EVERY {
            self.left += 1;
            self.counted += EVERY;
        }
        if self.left == AT_ONCE {
            self.counted = now;
        }
        if !self.waits || self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.waits = false;
        true
    }

    /// How long what waits has to wait; nothing where nothing waits.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.waits
            .then(|| EVERY.saturating_sub(now.duration_since(self.counted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_news_passes_at_once_and_a_storm_ten_times_a_second_with_its_last_word() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!(!pace.passes(start), "nothing has happened");
        let mut passed = 0;
        for millisecond in 0..1_000 {
            pace.happened();
            passed += u32::from(pace.passes(start + Duration::from_millis(millisecond)));
        }
        assert!((18..=20).contains(&passed), "{passed}");
        let end = start + Duration::from_secs(1);
        let wait = pace.wait(end).unwrap();
        assert!(wait <= EVERY);
        assert!(pace.passes(end + wait), "the last word passes");
        assert_eq!(pace.wait(end + wait), None);
        let later = end + Duration::from_mins(1);
        pace.happened();
        assert!(pace.passes(later), "and then at once again");
    }
}
