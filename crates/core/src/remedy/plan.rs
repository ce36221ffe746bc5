//! What the configuration says about starting services again.

use crate::{
    cause::{Cause, Win32},
    id::Name,
    limits,
    planted::{self, Planted},
    time::Span,
};
use alloc::{format, string::String, sync::Arc, vec::Vec};

words! {
    /// What a plan may start a service again after. Other causes than these are never mended by a start.
    pub enum Occasion {
        /// It ended without having been stopped.
        EndedUnexpectedly = "ended_unexpectedly",
        /// Its process crashed.
        Crashed = "crashed",
        /// It stopped with an error.
        EndedWithCode = "ended_with_code",
        /// It was to start and did not report in time that it had.
        StartTimeout = "start_timeout",
        /// It was to start and did not, for whatever reason.
        FailedToStart = "failed_to_start",
        /// Its host was booted and it did not come back.
        HostRebooted = "host_rebooted",
    }
}

/// It hung while it started (`ERROR_SERVICE_START_HANG`, MS-ERREF 2.2).
const START_HUNG: u32 = 1070;

impl Occasion {
    /// What a plan that says nothing else acts upon.
    pub const DEFAULT: &'static [Self] = &[
        Self::EndedUnexpectedly,
        Self::Crashed,
        Self::StartTimeout,
        Self::HostRebooted,
    ];

    /// Whether a cause, with the exit code of the service, is this.
    pub const fn is(self, cause: Cause, exit_code: Option<u32>) -> bool {
        match self {
            Self::EndedUnexpectedly => matches!(cause, Cause::EndedUnexpectedly),
            Self::Crashed => matches!(cause, Cause::Crashed),
            Self::EndedWithCode => matches!(cause, Cause::EndedWithCode),
            // Without a code of its own the start failed by an event, and only those of a timeout say so.
            Self::StartTimeout => {
                matches!(cause, Cause::FailedToStart)
                    && matches!(
                        exit_code,
                        None | Some(0 | Win32::REQUEST_TIMEOUT | START_HUNG)
                    )
            }
            Self::FailedToStart => matches!(cause, Cause::FailedToStart),
            Self::HostRebooted => matches!(cause, Cause::HostRebooted),
        }
    }
}

/// So many tries within so long, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many; at least 1.
    pub acts: u32,
    /// Within how long; at most [`limits::BUDGET_WITHIN_MAX`].
    pub within: Span,
}

impl Budget {
    /// As the configuration writes it, its time in whole units: `3/h`, `5/10m`.
    pub fn in_words(self) -> String {
        let millis = self.within.0;
        let (count, unit) = [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1_000, "s"),
        ]
        .into_iter()
        .find(|(unit, _)| millis.is_multiple_of(*unit))
        .map_or((millis, "ms"), |(unit, word)| {
            (millis.checked_div(unit).unwrap_or(millis), word)
        });
        if count == 1 {
            format!("{}/{unit}", self.acts)
        } else {
            format!("{}/{count}{unit}", self.acts)
        }
    }
}

/// The budgets of a plan. Each counts every try, whatever plan it was for; none is without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// For one service on one host.
    pub service: Budget,
    /// For the services of one group, where the service has its plan by one.
    pub group: Budget,
    /// For all.
    pub fleet: Budget,
}

impl Default for Budgets {
    fn default() -> Self {
        let an_hour = |acts| Budget {
            acts,
            within: Span::hours(1),
        };
        Self {
            service: an_hour(3),
            group: an_hour(5),
            fleet: an_hour(20),
        }
    }
}

/// A named plan: what is done for a service that says its name, and how often at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemedyPlan {
    /// Its identity.
    pub name: Name,
    /// Tries for one incident, at most.
    pub attempts: u32,
    /// The least time between two tries for one service; doubled after each one of an incident.
    pub every: Span,
    /// How much may be tried.
    pub budget: Budgets,
    /// After what a service is started again.
    pub causes: Vec<Occasion>,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
}

impl RemedyPlan {
    /// A plan of which nothing is said but its name.
    pub fn new(name: &Name) -> Self {
        Self {
            name: name.clone(),
            attempts: 3,
            every: Span::minutes(1),
            budget: Budgets::default(),
            causes: Occasion::DEFAULT.to_vec(),
            dry_run: false,
        }
    }

    /// Whether this cause is one that the plan acts upon.
    pub fn acts_upon(&self, cause: Cause, exit_code: Option<u32>) -> bool {
        self.causes.iter().any(|one| one.is(cause, exit_code))
            || (planted::is(Planted::CleanStopRestarted) && cause == Cause::StoppedCleanly)
    }

    /// How long after the last try the next one may begin, where so many were made for this incident.
    pub fn pause(&self, tries: u32) -> Span {
        let doublings = tries.saturating_sub(1).min(limits::REMEDY_DOUBLINGS_MAX);
        let longest = limits::REMEDY_PAUSE_MAX.max(self.every);
        self.every
            .times(1_u64.checked_shl(doublings).unwrap_or(u64::MAX))
            .min(longest)
    }
}

/// What an entry says about starting its services again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRemedy {
    /// The plan.
    pub plan: Arc<RemedyPlan>,
    /// The group that says so, where it is not the host's own entry.
    pub group: Option<Name>,
    /// Whether there is a credential that may act on this host. Without one nothing is tried.
    pub may_act: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_start_that_timed_out_is_one_by_default() {
        let plan = RemedyPlan::new(&"restart".into());
        let acts = |cause, code| plan.acts_upon(cause, code);
        for code in [None, Some(0), Some(1053), Some(1070)] {
            assert!(acts(Cause::FailedToStart, code), "{code:?}");
        }
        for code in [2, 193, 1054, 1059, 1083] {
            assert!(!acts(Cause::FailedToStart, Some(code)), "{code}");
        }
        assert!(acts(Cause::EndedUnexpectedly, Some(1067)));
        assert!(acts(Cause::Crashed, Some(0)));
        assert!(acts(Cause::HostRebooted, Some(1077)));
        for cause in [
            Cause::StoppedCleanly,
            Cause::EndedWithCode,
            Cause::LogonFailed,
            Cause::DependencyFailed,
            Cause::DependencyDown,
            Cause::StartDisabled,
            Cause::Uninstalled,
            Cause::Unreachable,
            Cause::Denied,
            Cause::Unknown,
        ] {
            assert!(!acts(cause, Some(1067)), "{cause}");
        }
        let every = RemedyPlan {
            causes: Occasion::ALL.to_vec(),
            ..plan
        };
        assert!(every.acts_upon(Cause::FailedToStart, Some(2)));
        assert!(every.acts_upon(Cause::EndedWithCode, Some(5)));
        assert!(
            !every.acts_upon(Cause::StoppedCleanly, Some(0)),
            "a clean stop cannot even be named"
        );
    }

    #[test]
    fn the_pause_doubles_and_is_bounded() {
        let plan = RemedyPlan::new(&"restart".into());
        let pauses: Vec<u64> = (0..9).map(|tries| plan.pause(tries).0 / 60_000).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(plan.pause(u32::MAX), Span::hours(1));
        let slow = RemedyPlan {
            every: Span::hours(5),
            ..plan
        };
        assert_eq!(
            slow.pause(7),
            Span::hours(5),
            "never less than what was asked for"
        );
    }

    #[test]
    fn a_budget_is_written_as_it_was() {
        let words = |acts, within| Budget { acts, within }.in_words();
        assert_eq!(words(3, Span::hours(1)), "3/h");
        assert_eq!(words(5, Span::minutes(90)), "5/90m");
        assert_eq!(words(1, Span::hours(48)), "1/2d");
        assert_eq!(words(1, Span(1_500)), "1/1500ms");
    }
}
