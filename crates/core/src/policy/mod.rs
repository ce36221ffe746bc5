//! What is told is decided by stages in one order. Each knows only its own question, and answers pass, wait until a
//! time, or drop because of a reason from a closed list ([`Why`]):
//!
//! 1. [`confirm`]: do enough readings agree, and has it lasted long enough?
//! 2. [`mute`]: is there a reason to say nothing, or to hold it for a while?
//! 3. [`route`]: to which destinations?
//! 4. [`dedupe`]: what is the least that must be said, given what was told last?
//! 5. [`remind`]: is it time to say it again?
//! 6. [`limit`]: may it be said now?
//!
//! What several hosts of a group come to together is judged before by [`quorum`], as a target's state is by its entry.
//!
//! The first two judge what a target or a host has come to; routing turns it into notices; the last three judge each
//! lane (one recipient at one destination, about one subject) when it is that lane's turn.

pub mod confirm;
pub mod dedupe;
pub mod limit;
pub mod mute;
pub mod quorum;
pub mod recovery;
pub mod remind;
pub mod route;

#[cfg(test)]
mod dedupe_tests;

use crate::{notice::Why, time::Tick};

/// The answer of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing speaks against it.
    Pass,
    /// Not before this time.
    Wait(Tick),
    /// Not at all.
    Drop(Why),
}
