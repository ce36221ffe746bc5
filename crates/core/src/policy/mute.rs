//! Second stage: is there a reason to say nothing, or to hold it for a while?

use super::Ruling;
use crate::{
    notice::Why,
    time::{Span, Tick},
};

/// Whether a service that is not as expected becomes an incident at all. One that somebody named does at first sight;
/// one that a pattern or a start type matched is learned first: until it has run once, nobody knows that it should.
pub fn opens(named: bool, seen_running: bool) -> Ruling {
    if named || seen_running {
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

/// Whether an open incident is repeated: not where somebody took note, and not where nobody can see how it stands.
pub fn repeats(acknowledged: bool, host_readable: bool) -> Ruling {
    if acknowledged {
        Ruling::Drop(Why::Acknowledged)
    } else if host_readable {
        Ruling::Pass
    } else {
        Ruling::Drop(Why::HostFault)
    }
}
