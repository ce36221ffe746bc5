//! Fifth stage: is it time to say it again?

use super::Ruling;
use crate::time::{Span, Tick};

/// When what stays wrong is told again, counted from the last time; never where no interval is set.
pub fn due(last: Tick, every: Option<Span>) -> Option<Tick> {
    every
        .filter(|every| *every > Span::ZERO)
        .map(|every| last + every)
}

/// Whether a reminder is due now.
pub fn judge(now: Tick, last: Tick, every: Option<Span>) -> Ruling {
    match due(last, every) {
        Some(due) if now >= due => Ruling::Pass,
        Some(due) => Ruling::Wait(due),
        None => Ruling::Wait(Tick(u64::MAX)),
    }
}
