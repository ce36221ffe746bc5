//! Before the first stage, for a service that has ended: does its host start it again by itself?
//!
//! The service control manager takes a service's failure actions when its process ends without having said that it
//! stopped, which it then gives the exit code 1067; and, where the service is set up so, when it stops with an error
//! (MS-SCMR 2.2.39 and 2.2.41).

use crate::{
    health, limits,
    observe::{FailureAction, FailureActions, State},
    plan::{EntryPlan, Expect, StoppedOk},
    planted::{self, Planted},
    record::{Restarts, TargetRow},
    time::{Span, Wall},
};

/// The process ended unexpectedly (`ERROR_PROCESS_ABORTED`).
const PROCESS_ABORTED: u32 = 1_067;
/// The service was never started (`ERROR_SERVICE_NEVER_STARTED`).
const NEVER_STARTED: u32 = 1_077;

/// How long a service that is not as expected must be so: what its entry says, or until its host has had its turn to
/// start it again.
pub fn needed(row: &TargetRow, entry: &EntryPlan) -> Span {
    let at = row.wrong_since.unwrap_or(row.since);
    due(row, entry, at).unwrap_or(entry.for_span)
}

/// How long the host is given to start a service again that has failed at this time; none where it will not.
pub fn due(row: &TargetRow, entry: &EntryPlan, at: Wall) -> Option<Span> {
    let actions = row.details.as_ref()?.failure_actions.as_ref()?;
    let ended = row.state == State::Stopped && !row.hidden && entry.expect == Expect::Running;
    if !entry.recovery || !ended || !is_failure(row.exit_code, actions) {
        return None;
    }
    if planted::is(Planted::RecoveryNotWaited) || health::noise(row, entry).is_some() {
        return None;
    }
    turn(actions, failures(row.restarts.as_deref(), actions, at))
}

/// How long the host is to be left alone with a service that has failed before anybody else starts it, whatever its
/// entry says: until its own actions have had their turn.
pub fn left_to_host(row: &TargetRow) -> Option<Span> {
    let actions = row.details.as_ref()?.failure_actions.as_ref()?;
    if planted::is(Planted::RecoveryNotWaited) || !is_failure(row.exit_code, actions) {
        return None;
    }
    let at = row.wrong_since.unwrap_or(row.since);
    turn(actions, failures(row.restarts.as_deref(), actions, at))
}

/// How long the host would be given if the service failed now; none where it would do nothing.
pub fn would_be_due(row: &TargetRow, entry: &EntryPlan, at: Wall) -> Option<Span> {
    let actions = row.details.as_ref()?.failure_actions.as_ref()?;
    let failures = failures(row.restarts.as_deref(), actions, at);
    turn(actions, failures).filter(|_| entry.recovery && entry.expect == Expect::Running)
}

/// Whether a stop with this exit code is a failure in the eyes of the service control manager.
fn is_failure(exit_code: Option<u32>, actions: &FailureActions) -> bool {
    match exit_code {
        Some(PROCESS_ABORTED) => true,
        Some(0 | NEVER_STARTED) | None => false,
        Some(_) => actions.on_error_exit,
    }
}

/// How many failures the host has counted before this one, as far as we saw them.
fn failures(restarts: Option<&Restarts>, actions: &FailureActions, at: Wall) -> u32 {
    let counted = |restarts: &&Restarts| {
        actions
            .reset_after
            .is_none_or(|reset| at.since(restarts.last) < reset)
    };
    restarts
        .filter(counted)
        .map_or(0, |restarts| restarts.failures)
}

/// How long it takes until the actions from this one on have had their turn, as long as they start the service. What
/// fails again meanwhile has the next one.
fn turn(actions: &FailureActions, failures: u32) -> Option<Span> {
    let first = usize::try_from(failures).unwrap_or(usize::MAX);
    // The last one repeats.
    let first = first.min(actions.actions.len().saturating_sub(1));
    let starts = actions
        .actions
        .iter()
        .skip(first)
        .take_while(|(action, _)| *action == FailureAction::RestartService);
    let mut sum: Option<Span> = None;
    for (_, delay) in starts {
        let so_far = sum.unwrap_or(limits::RECOVERY_SLACK);
        sum = Some(Span(so_far.0.saturating_add(delay.0)));
    }
    sum.map(|sum| sum.min(limits::RECOVERY_MAX))
}

/// Whether restarts of a service are told: of one that should run all the time. One that an event starts, or a user's,
/// comes and goes.
pub fn tells_restarts(row: &TargetRow, entry: &EntryPlan, failed: bool) -> bool {
    // Where an orderly stop is as good as running, another process alone says nothing.
    let counts = failed || entry.stopped_ok == StoppedOk::Never;
    entry.recovery
        && counts
        && health::noise(row, entry).is_none()
        && entry.expect == Expect::Running
        && !entry.counted
        && row.trigger_start != Some(true)
        && row.per_user != Some(true)
}

/// One more restart at this time.
pub fn one_more(
    before: Option<&Restarts>,
    at: Wall,
    failed: bool,
    reset: Option<Span>,
) -> Restarts {
    let lately = before.filter(|known| at.since(known.last) < limits::RESTARTS_SERIES);
    let failures = before
        .filter(|known| reset.is_none_or(|reset| at.since(known.last) < reset))
        .map_or(0, |known| known.failures);
    Restarts {
        count: lately.map_or(0, |known| known.count).saturating_add(1),
        since: lately.map_or(at, |known| known.since),
        last: at,
        failures: failures.saturating_add(u32::from(failed)),
        mending: false,
    }
}

/// Whether this many restarts of a series are worth a message: the first, and whenever they have doubled, so that a
/// service that fails every minute does not fill a mailbox.
pub const fn is_told(count: u32) -> bool {
    count.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    fn actions(all: &[(FailureAction, u64)], on_error_exit: bool) -> FailureActions {
        let all: Vec<_> = all
            .iter()
            .map(|(action, delay)| (*action, Span::seconds(*delay)))
            .collect();
        FailureActions {
            reset_after: Some(Span::hours(1)),
            actions: all,
            on_error_exit,
        }
    }

    #[test]
    fn actions_that_start_it_have_their_turn() {
        use FailureAction::{
            None as Nothing, RestartComputer, RestartService as Start, RunCommand,
        };
        let wait = |all: &[(FailureAction, u64)], failures| {
            turn(&actions(all, false), failures).map(|span| span.0 / 1_000)
        };
        let usual = [(Start, 60), (Start, 120), (Nothing, 0)];
        assert_eq!(wait(&usual, 0), Some(60 + 120 + 30));
        assert_eq!(wait(&usual, 1), Some(120 + 30));
        assert_eq!(wait(&usual, 2), None, "the third time nothing is done");
        assert_eq!(wait(&usual, 9), None, "the last one repeats");
        assert_eq!(wait(&[(Start, 5)], 7), Some(35));
        assert_eq!(wait(&[], 0), None);
        assert_eq!(wait(&[(RunCommand, 5), (Start, 5)], 0), None);
        assert_eq!(wait(&[(RestartComputer, 5)], 0), None);
        assert_eq!(
            wait(&[(Start, 86_400)], 0),
            Some(900),
            "nobody waits for a day"
        );
    }

    #[test]
    fn only_failures_have_actions() {
        let plain = actions(&[], false);
        let errors = actions(&[], true);
        for (exit_code, on_plain, on_errors) in [
            (Some(0), false, false),
            (Some(1_067), true, true),
            (Some(1), false, true),
            (Some(1_066), false, true),
            (Some(1_077), false, false),
            (None, false, false),
        ] {
            assert_eq!(is_failure(exit_code, &plain), on_plain, "{exit_code:?}");
            assert_eq!(is_failure(exit_code, &errors), on_errors, "{exit_code:?}");
        }
    }

    #[test]
    fn restarts_are_counted_while_they_follow_each_other() {
        let at = |hours: i64| Wall(1_700_000_000_000 + hours * 3_600_000);
        let reset = Some(Span::hours(2));
        let first = one_more(None, at(0), true, reset);
        let second = one_more(Some(&first), at(1), false, reset);
        let third = one_more(Some(&second), at(20), true, reset);
        assert_eq!((third.count, third.since, third.failures), (3, at(0), 1));
        let next = one_more(Some(&third), at(44), true, reset);
        assert_eq!(
            (next.count, next.since),
            (1, at(44)),
            "a day later it is another series"
        );
        let told: Vec<u32> = (1..20).filter(|count| is_told(*count)).collect();
        assert_eq!(told, vec![1, 2, 4, 8, 16]);
    }
}
