//! Before the first stage, for a service that a group counts: does it run on as many hosts as it should?

use crate::{
    plan::Wanted,
    planted::{self, Planted},
};

/// How a service of a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// It runs on as many hosts as it should, wherever it may run besides.
    Right,
    /// It is seen to run on as many as it should; whether it runs on more cannot be seen.
    RightAsSeen,
    /// It runs on too few, whatever cannot be seen.
    TooFew,
    /// It runs on too many.
    TooMany,
    /// That depends on hosts that cannot be seen.
    Unclear,
}

impl Count {
    /// Whether it is known that something is wrong.
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::TooFew | Self::TooMany)
    }

    /// Whether hosts that cannot be seen could change it.
    pub const fn is_certain(self) -> bool {
        matches!(self, Self::Right | Self::TooFew | Self::TooMany)
    }
}

/// Judges on how many hosts it runs, where on so many it is not known. Unknown is never taken for stopped: while those
/// that cannot be seen could make it right, nothing is wrong.
pub fn judge(wanted: Wanted, running: u32, unknown: u32) -> Count {
    let least = wanted.least();
    let unknown = if planted::is(Planted::UnknownMemberIsStopped) {
        0
    } else {
        unknown
    };
    if running.saturating_add(unknown) < least {
        return Count::TooFew;
    }
    if running < least {
        return Count::Unclear;
    }
    if !wanted.is_exact() {
        return Count::Right;
    }
    if running > least {
        Count::TooMany
    } else if unknown > 0 {
        Count::RightAsSeen
    } else {
        Count::Right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_decides_nothing() {
        let one = Wanted::Exactly(1);
        let table = [
            (one, 1, 0, Count::Right),
            (one, 1, 1, Count::RightAsSeen),
            (one, 0, 0, Count::TooFew),
            (one, 0, 1, Count::Unclear),
            (one, 2, 0, Count::TooMany),
            (one, 2, 3, Count::TooMany),
            (Wanted::AtLeast(2), 2, 0, Count::Right),
            (Wanted::AtLeast(2), 3, 4, Count::Right),
            (Wanted::AtLeast(2), 1, 1, Count::Unclear),
            (Wanted::AtLeast(2), 1, 0, Count::TooFew),
            (Wanted::Exactly(3), 0, 2, Count::TooFew),
        ];
        for (wanted, running, unknown, count) in table {
            assert_eq!(
                judge(wanted, running, unknown),
                count,
                "{wanted:?}: {running} run and {unknown} cannot be seen"
            );
        }
    }
}
