//! Cuts a story to what matters: parts of it are left out as long as the same rule is still broken.

use crate::{
    setup::Setup,
    story::Happening,
    world::{Ended, run},
};

/// Runs that a cut may take, at most.
const TRIES_MAX: u32 = 250;

/// A short story that breaks the same rule, and how it ends.
pub(crate) fn shrink(
    seed: u64,
    setup: &Setup,
    story: &[Happening],
    ended: &Ended,
) -> (Vec<Happening>, Ended) {
    let Some(found) = &ended.violation else {
        return (story.to_vec(), ended.clone());
    };
    let (mut best, mut end) = (story.to_vec(), ended.clone());
    // Nothing that happens after the rule was broken matters.
    best.retain(|happening| happening.at <= found.at);
    let mut tries = 0;
    let mut size = best.len().div_ceil(2).max(1);
    while size > 0 && tries < TRIES_MAX {
        let mut from = 0;
        while from < best.len() && tries < TRIES_MAX {
            let mut shorter = best.clone();
            shorter.drain(from..(from + size).min(best.len()));
            tries += 1;
            let again = run(seed, setup, &shorter);
            if again
                .violation
                .as_ref()
                .is_some_and(|violation| violation.rule == found.rule)
            {
                let at = again
                    .violation
                    .as_ref()
                    .map_or(u64::MAX, |violation| violation.at);
                shorter.retain(|happening| happening.at <= at);
                best = shorter;
                end = again;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    (best, end)
}
