//! Sixth stage: may it be said now?

use super::Ruling;
use crate::{
    id::stable_hash,
    limits,
    plan::{Limit, LimitPer},
    time::{Span, Tick},
};

/// Whether a limit lets a message pass, given when the last one of this lane and of this destination was given out.
pub fn judge(
    now: Tick,
    limit: Option<Limit>,
    lane_last: Option<Tick>,
    destination_last: Option<Tick>,
) -> Ruling {
    let Some(limit) = limit else {
        return Ruling::Pass;
    };
    let last = match limit.per {
        LimitPer::Service => lane_last,
        LimitPer::Destination => destination_last,
    };
    match last.map(|last| last + limit.every) {
        Some(open) if open > now => Ruling::Wait(open),
        Some(_) | None => Ruling::Pass,
    }
}

/// How long to wait before the next try of a delivery that failed for now: twice as long each time up to a bound, a
/// share of it taken by a hash of the key (full jitter, the same in every replay), and at least what the destination
/// asked for. One that asks for a second each time, for hours, is left alone longer and longer all the same.
pub fn retry_after(key: &str, attempts: u32, asked: Option<Span>) -> Span {
    let asked = asked.map_or(Span::ZERO, asked_wait);
    let doubled = 1_u64
        .checked_shl(attempts.saturating_sub(1).min(20))
        .unwrap_or(1);
    let ceiling = limits::RETRY_FIRST.times(doubled).min(limits::RETRY_MAX);
    let floor = limits::RETRY_FIRST.0;
    let room = ceiling.0.saturating_sub(floor);
    let share = stable_hash(key, u64::from(attempts))
        .checked_rem(room.saturating_add(1))
        .unwrap_or(0);
    Span(floor.saturating_add(share)).max(asked)
}

/// What a destination asked us to wait, within bounds.
pub fn asked_wait(asked: Span) -> Span {
    asked.clamp(limits::RETRY_AFTER_MIN, limits::RETRY_AFTER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_bounds() {
        for attempts in 1..60 {
            let wait = retry_after("some key", attempts, None);
            assert!(
                wait >= limits::RETRY_FIRST && wait <= limits::RETRY_MAX,
                "{wait:?} after {attempts}"
            );
        }
        assert_eq!(
            retry_after("k", 1, Some(Span::seconds(0))),
            limits::RETRY_AFTER_MIN
        );
        assert_eq!(
            retry_after("k", 1, Some(Span::hours(90))),
            limits::RETRY_AFTER_MAX
        );
        assert_eq!(
            retry_after("k", 1, Some(Span::seconds(7))),
            Span::seconds(7)
        );
        let tired = retry_after("some key", 40, Some(Span::seconds(1)));
        assert!(tired > Span::seconds(1), "{tired:?}");
        assert_eq!(tired, retry_after("some key", 40, None));
    }
}
