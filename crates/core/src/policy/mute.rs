//! Second stage: is there a reason to say nothing, or to hold it for a while?

use super::Ruling;
use crate::{
    notice::Why,
    planted::{self, Planted},
    time::{Span, Tick},
};

/// Whether a service that is not as expected becomes an incident at all. One that somebody named does at first sight;
/// one that a pattern or a start type matched is learned first: until it has run once, nobody knows that it should.
pub fn opens(at_first_sight: bool, seen_running: bool) -> Ruling {
    if at_first_sight || seen_running || planted::is(Planted::LearnedIsTold) {
        Ruling::Pass
    } else {
        Ruling::Drop(Why::NeverSeenRunning)
    }
}

/// How long an opening is held: a service that is back within its host's `settle` time is not worth a call.
pub fn hold(now: Tick, settle: Span) -> Ruling {
    if settle == Span::ZERO {
        Ruling::Pass
    } else {
        Ruling::Wait(now + settle)
    }
}

/// Whether something of an incident may be told: not in a silence or a window, and what one of them held back not
/// before its host can be read again, because nobody knows whether it is still so.
pub fn tells(mute: Option<Why>, held_back: bool, host_in_sight: bool) -> Ruling {
    match mute {
        Some(why) => Ruling::Drop(why),
        None if held_back && !host_in_sight => Ruling::Drop(Why::HostFault),
        None => Ruling::Pass,
    }
}

/// Whether an open incident is repeated: not where somebody took note, not in a silence or a window, and not where
/// nobody can see how it stands.
pub fn repeats(acknowledged: bool, host_readable: bool, mute: Option<Why>) -> Ruling {
    match mute {
        _ if acknowledged => Ruling::Drop(Why::Acknowledged),
        Some(why) => Ruling::Drop(why),
        None if host_readable => Ruling::Pass,
        None => Ruling::Drop(Why::HostFault),
    }
}
