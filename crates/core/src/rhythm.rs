//! When a host is read again: after an interval, or when a schedule says so.

use crate::{
    id::{Name, stable_hash},
    later::Occurrences,
    limits,
    time::{Span, Wall},
};
use alloc::sync::Arc;

/// When a host is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rhythm {
    /// Again and again after so long a time, each host at a phase of its own.
    Interval(Span),
    /// When a schedule says so, each host a moment of its own after it.
    Occurrences(Arc<Occurrences>),
}

impl From<Span> for Rhythm {
    fn from(every: Span) -> Self {
        Self::Interval(every)
    }
}

impl Rhythm {
    /// How long it is until a host is read for the first time after `now`. Nothing where it never is.
    pub fn until_first(&self, host: &Name, now: Wall) -> Option<Span> {
        match self {
            Self::Interval(every) => Some(phase_delay(now, host, *every, 0)),
            Self::Occurrences(occurrences) => {
                due_after(occurrences, host, now).map(|due| due.since(now))
            }
        }
    }

    /// How long it is until a host is read again that was read just now. A round that would come a moment after this
    /// one is left to the next: the clock that waits and the one that is read differ by some milliseconds.
    pub fn until_next(&self, host: &Name, now: Wall) -> Option<Span> {
        match self {
            Self::Interval(every) => Some(phase_delay(now, host, *every, moment(*every))),
            Self::Occurrences(occurrences) => {
                next_due(occurrences, host, now).map(|due| due.since(now))
            }
        }
    }

    /// How many further rounds of a host went by since one that was at `from`. Of schedules so many are counted as
    /// [`limits::ROUNDS_COUNTED_MAX`].
    pub fn rounds(&self, host: &Name, from: Wall, now: Wall) -> u64 {
        match self {
            Self::Interval(every) => now.since(from).0.checked_div(every.0).unwrap_or(0),
            Self::Occurrences(occurrences) => {
                let mut due = next_due(occurrences, host, from);
                let mut count = 0;
                while due.is_some_and(|due| due <= now) && count < limits::ROUNDS_COUNTED_MAX {
                    count += 1;
                    due = due.and_then(|due| due_after(occurrences, host, due));
                }
                count
            }
        }
    }
}

/// How long after a round the next one is the same one still, where rounds are so far apart.
fn moment(gap: Span) -> u64 {
    (gap.0 / 20).clamp(1, 500)
}

/// How long until the phase of a host's name within an interval comes, the same after every restart.
fn phase_delay(now: Wall, host: &Name, every: Span, soonest: u64) -> Span {
    let every = every.0.max(1);
    let phase = stable_hash(host.key(), 0).checked_rem(every).unwrap_or(0);
    let position = now.0.rem_euclid(i64::try_from(every).unwrap_or(i64::MAX));
    let position = u64::try_from(position).unwrap_or(0);
    let delay = phase
        .saturating_add(every)
        .saturating_sub(position)
        .checked_rem(every)
        .unwrap_or(0);
    Span(if delay < soonest {
        delay.saturating_add(every)
    } else {
        delay
    })
}

/// How long after an occurrence a host is read, where the next one comes after `gap`.
fn offset(host: &Name, gap: Option<Span>) -> Span {
    let most = gap.map_or(limits::OFFSET_MAX, |gap| {
        Span(gap.0 / 10).min(limits::OFFSET_MAX)
    });
    Span(stable_hash(host.key(), 0) % most.0.saturating_add(1))
}

/// When a host is due after an occurrence.
fn due_of(occurrences: &Occurrences, host: &Name, at: Wall) -> Wall {
    at + offset(host, occurrences.gap(at))
}

/// When a host is due for the first time after `now`. It may be due for an occurrence that is over already: then that
/// one is the last before `now`, and as a host waits a tenth of the time to the next one at most, it is not older than
/// a ninth of the time that is left until then.
fn due_after(occurrences: &Occurrences, host: &Name, now: Wall) -> Option<Wall> {
    let coming = occurrences.next(now);
    let left = coming.map_or(limits::OFFSET_MAX, |coming| Span(coming.since(now).0 / 9));
    let back = i64::try_from(left.min(limits::OFFSET_MAX).0).unwrap_or(0) + 1;
    let mut over = occurrences.next(Wall(now.0.saturating_sub(back)));
    while let Some(at) = over.filter(|at| *at <= now) {
        let due = due_of(occurrences, host, at);
        if due > now {
            return Some(due);
        }
        over = occurrences.next(at);
    }
    coming.map(|at| due_of(occurrences, host, at))
}

/// The same, but for a round that would come a moment after `now`.
fn next_due(occurrences: &Occurrences, host: &Name, now: Wall) -> Option<Wall> {
    let due = due_after(occurrences, host, now)?;
    let Some(later) = due_after(occurrences, host, due) else {
        return Some(due);
    };
    let same = due.since(now).0 < moment(later.since(due));
    Some(if same { later } else { due })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::later::{Constraint, Field, Rule, Test, steps};
    use alloc::{format, vec, vec::Vec};
    use proptest::prelude::*;

    /// 2024-01-01T00:00:00Z.
    const NEW_YEAR: i64 = 1_704_067_200_000;

    fn every(field: Field, step: i64) -> Rhythm {
        let (least, greatest) = field.range();
        let test = Test::one_of(steps(least, greatest, step));
        let rule = Rule::new(&[Constraint { field, test }]);
        let occurrences = Occurrences::new("text", vec![rule], vec![]).unwrap();
        Rhythm::Occurrences(Arc::new(occurrences))
    }

    fn dues(rhythm: &Rhythm, host: &Name, from: Wall, count: usize) -> Vec<Wall> {
        let mut now = from;
        (0..count)
            .map(|_| {
                now = now + rhythm.until_next(host, now).unwrap();
                now
            })
            .collect()
    }

    #[test]
    fn hosts_are_read_a_moment_of_their_own_after_each_occurrence() {
        let minutes = every(Field::Minute, 5);
        let mut offsets: Vec<i64> = (0..50)
            .map(|number| {
                let host = Name::new(&format!("srv{number}"));
                let dues = dues(&minutes, &host, Wall(NEW_YEAR - 60_000), 3);
                let offsets: Vec<i64> = dues
                    .iter()
                    .zip([0, 300_000, 600_000])
                    .map(|(due, at)| due.0 - NEW_YEAR - at)
                    .collect();
                assert!(
                    offsets.iter().all(|offset| *offset == offsets[0]),
                    "{offsets:?}"
                );
                assert!((0..=30_000).contains(&offsets[0]), "{offsets:?}");
                offsets[0]
            })
            .collect();
        offsets.sort_unstable();
        offsets.dedup();
        assert!(offsets.len() > 40, "they are spread: {offsets:?}");
    }

    #[test]
    fn a_round_that_went_by_is_counted_and_one_that_begins_a_little_early_is_not_another() {
        let (minutes, host) = (every(Field::Minute, 1), Name::new("srv01"));
        let first = dues(&minutes, &host, Wall(NEW_YEAR), 1)[0];
        let early = Wall(first.0 - 3);
        assert_eq!(minutes.until_next(&host, early), Some(Span(60_003)));
        assert_eq!(minutes.until_first(&host, early), Some(Span(3)));
        assert_eq!(minutes.rounds(&host, early, first + Span(59_999)), 0);
        assert_eq!(minutes.rounds(&host, early, first + Span(60_000)), 1);
        assert_eq!(minutes.rounds(&host, first, first + Span(150_000)), 2);
        let day = first + Span::hours(24);
        assert_eq!(
            minutes.rounds(&host, first, day),
            limits::ROUNDS_COUNTED_MAX
        );
        assert_eq!(
            Rhythm::Interval(Span(10)).rounds(&host, first, first + Span(25)),
            2
        );
    }

    #[test]
    fn what_is_over_for_good_does_not_come_again() {
        let rule = Rule::new(&[Constraint {
            field: Field::Year,
            test: Test::one_of(vec![2024]),
        }]);
        let occurrences = Occurrences::new("in 2024", vec![rule], vec![]).unwrap();
        let (once, host) = (
            Rhythm::Occurrences(Arc::new(occurrences)),
            Name::new("srv01"),
        );
        let until = once.until_first(&host, Wall(NEW_YEAR - 1)).unwrap();
        assert!(until.0 <= 30_001, "{until:?}");
        assert_eq!(once.until_next(&host, Wall(NEW_YEAR + 30_000)), None);
        assert_eq!(
            once.rounds(&host, Wall(NEW_YEAR + 30_000), Wall(i64::MAX)),
            0
        );
    }

    proptest! {
        /// From whatever moment it is asked, a host is due once for each occurrence and at the same time.
        #[test]
        fn when_a_host_is_due_does_not_depend_on_when_it_is_asked(
            step in 1..40_i64,
            field in prop_oneof![Just(Field::Second), Just(Field::Minute), Just(Field::Hour)],
            number in 0..1_000_u32,
            asked in proptest::collection::vec(0..7_200_000_i64, 1..20),
        ) {
            let (rhythm, host) = (every(field, step), Name::new(&format!("srv{number}")));
            let mut due = Wall(NEW_YEAR);
            let mut all = Vec::new();
            while due.0 < NEW_YEAR + 7_200_000 && all.len() < 8_000 {
                due = due + rhythm.until_first(&host, due).unwrap();
                all.push(due);
            }
            for after in asked.into_iter().map(|after| Wall(NEW_YEAR + after)) {
                if let Some(wanted) = all.iter().find(|due| **due > after) {
                    prop_assert_eq!(after + rhythm.until_first(&host, after).unwrap(), *wanted);
                }
            }
        }
    }
}
