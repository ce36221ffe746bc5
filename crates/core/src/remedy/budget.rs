//! How much may be tried: so many within a time that slides.

use super::Budget;
use crate::{
    planted::{self, Planted},
    time::Tick,
};

/// When a budget has room again; nothing where it has room now. `begun` are the times of the tries that it counts, the
/// newest first.
pub fn full_until(budget: Budget, now: Tick, begun: impl Iterator<Item = Tick>) -> Option<Tick> {
    if planted::is(Planted::BudgetIgnored) {
        return None;
    }
    let place = usize::try_from(budget.acts).unwrap_or(usize::MAX);
    // With so many newer ones this one must have left the time before the next.
    let Some(last) = place.checked_sub(1) else {
        return Some(now + budget.within);
    };
    let mut begun = begun;
    let oldest = begun.nth(last)?;
    let free = oldest + budget.within;
    (free > now).then_some(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn the_time_slides() {
        let budget = Budget {
            acts: 2,
            within: Span(100),
        };
        let full = |now, begun: &[u64]| {
            full_until(budget, Tick(now), begun.iter().copied().map(Tick)).map(|tick| tick.0)
        };
        assert_eq!(full(1_000, &[]), None);
        assert_eq!(full(1_000, &[990]), None);
        assert_eq!(full(1_000, &[990, 950]), Some(1_050));
        assert_eq!(full(1_049, &[990, 950]), Some(1_050));
        assert_eq!(full(1_050, &[990, 950]), None);
        assert_eq!(
            full(1_000, &[990, 980, 950]),
            Some(1_080),
            "the second newest counts, however many there are"
        );
    }

    #[test]
    fn a_budget_of_nothing_is_always_full() {
        let budget = Budget {
            acts: 0,
            within: Span(100),
        };
        assert!(full_until(budget, Tick(5), core::iter::empty()).is_some());
    }
}
