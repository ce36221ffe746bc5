//! First stage: do enough readings agree, and has it lasted long enough?

use super::Ruling;
use crate::{
    planted::{self, Planted},
    time::{Span, Tick},
};

/// Readings that agree with each other and differ from what was believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<T> {
    /// What they say.
    pub seen: T,
    /// How many there are.
    pub count: u32,
}

impl<T: PartialEq + Copy> Candidate<T> {
    /// One more reading; whether so many now agree as are needed.
    pub fn agree(candidate: &mut Option<Self>, seen: T, needed: u32) -> bool {
        let count = match candidate {
            Some(before) if before.seen == seen => before.count.saturating_add(1),
            Some(_) | None => 1,
        };
        *candidate = Some(Self { seen, count });
        count >= needed
    }
}

/// Whether what is wrong has been wrong for long enough. It is asked on a fresh reading only: time in which nobody
/// looked proves nothing.
pub fn lasted(now: Tick, wrong_since: Tick, needed: Span) -> Ruling {
    let due = wrong_since + needed;
    if now >= due || planted::is(Planted::ForIgnored) {
        Ruling::Pass
    } else {
        Ruling::Wait(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_must_agree_in_a_row() {
        let mut candidate = None;
        assert!(!Candidate::agree(&mut candidate, 'a', 2));
        assert!(
            !Candidate::agree(&mut candidate, 'b', 2),
            "another answer starts the count again"
        );
        assert!(Candidate::agree(&mut candidate, 'b', 2));
    }

    #[test]
    fn it_must_last() {
        assert_eq!(lasted(Tick(5), Tick(0), Span(10)), Ruling::Wait(Tick(10)));
        assert_eq!(lasted(Tick(10), Tick(0), Span(10)), Ruling::Pass);
        assert_eq!(lasted(Tick(0), Tick(0), Span::ZERO), Ruling::Pass);
    }
}
