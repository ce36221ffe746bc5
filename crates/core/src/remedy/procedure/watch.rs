//! Watching one service until it is where it should be, or does not move any more.

use super::Asked;
use crate::{
    limits::{RESTART_POLL_MAX, RESTART_POLL_MIN},
    observe::{Reading, State},
    time::{Span, Tick},
};

/// The progress of one service.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// How long it may be without progress.
    still: Span,
    /// When it moved last.
    moved: Tick,
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    state: State,
    checkpoint: u32,
    wait_hint: Span,
}

impl Watch {
    pub(super) const fn new(asked: &Asked, at: Tick) -> Self {
        Self {
            still: asked.still,
            moved: at,
            seen: None,
        }
    }

    /// Something was done to it: from now on it has time again.
    pub(super) const fn again(&mut self, at: Tick) {
        self.moved = at;
    }

    /// It was read.
    pub(super) fn see(&mut self, at: Tick, reading: &Reading) {
        let now = Seen {
            state: reading.state,
            checkpoint: reading.checkpoint,
            wait_hint: reading.wait_hint,
        };
        let same = self
            .seen
            .is_some_and(|seen| (seen.state, seen.checkpoint) == (now.state, now.checkpoint));
        if !same && self.seen.is_some() {
            self.moved = at;
        }
        self.seen = Some(now);
    }

    /// The state that it was seen in last.
    pub(super) fn state(&self) -> Option<State> {
        self.seen.map(|seen| seen.state)
    }

    /// Whether it has been without progress for too long: three of its own wait hints, or the bound if that is longer.
    /// What a service says of itself counts only while it is on its way.
    pub(super) fn is_still(&self, at: Tick) -> bool {
        let hint = self
            .seen
            .filter(|seen| seen.state.is_pending())
            .map_or(Span::ZERO, |seen| seen.wait_hint.times(3));
        at.since(self.moved) >= hint.max(self.still)
    }

    /// How long it has been without progress.
    pub(super) fn still_for(&self, at: Tick) -> Span {
        at.since(self.moved)
    }

    /// How long to wait until it is read again: a tenth of its wait hint, as Windows' own programs do, but neither
    /// hasty nor idle.
    pub(super) fn pause(&self) -> Span {
        let hint = self.seen.map_or(Span::ZERO, |seen| seen.wait_hint);
        Span(hint.0 / 10).clamp(RESTART_POLL_MIN, RESTART_POLL_MAX)
    }
}
