//! How a service stands against its expectation.

use crate::{
    notice::ToldEvent,
    observe::State,
    per_user::NEVER_STARTED,
    plan::{EntryPlan, Expect, Selector, StoppedOk},
    planted::{self, Planted},
    record::TargetRow,
};

/// How a service stands against its expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As expected.
    Fine,
    /// On its way between two states: neither begins nor ends anything.
    Between,
    /// Not to be read: neither begins nor ends anything.
    Unclear,
    /// Not as expected.
    Wrong(ToldEvent),
}

/// What is known of a service when it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its state.
    pub state: State,
    /// Whether we may not see it.
    pub hidden: bool,
    /// Whether its pending state does not get on.
    pub stuck: bool,
    /// With which code it stopped, where it did and that is known.
    pub exit_code: Option<u32>,
}

/// How a service stands against an entry's expectation. Of the row only what is known of its configuration counts.
pub fn judge(row: &TargetRow, entry: &EntryPlan, seen: Seen) -> Health {
    if seen.hidden {
        return Health::Wrong(ToldEvent::Hidden);
    }
    match (seen.state, entry.expect) {
        (State::Unknown, _) => Health::Unclear,
        (State::Missing, _) if is_required(row, entry) => Health::Wrong(ToldEvent::Missing),
        (State::Missing, _) => Health::Fine,
        (State::Stopped, Expect::Absent) => Health::Wrong(ToldEvent::Changed),
        (State::Running, Expect::Stopped) | (_, Expect::Absent) => {
            Health::Wrong(ToldEvent::Started)
        }
        (
            State::StartPending | State::StopPending | State::ContinuePending | State::PausePending,
            _,
        ) => {
            if seen.stuck {
                Health::Wrong(ToldEvent::Stuck)
            } else {
                Health::Between
            }
        }
        (State::Running, Expect::Running | Expect::Either) | (State::Stopped, Expect::Stopped) => {
            Health::Fine
        }
        (State::Paused, _) if planted::is(Planted::PausedIsRunning) => Health::Fine,
        (State::Paused, _) => Health::Wrong(ToldEvent::Paused),
        (State::Stopped, Expect::Running | Expect::Either) => {
            if may_be_stopped(row, entry, seen.exit_code) {
                Health::Fine
            } else {
                Health::Wrong(ToldEvent::Stopped)
            }
        }
    }
}

/// Whether an uninstalled service is told. Instances of per-user services come and go with the users.
pub fn is_required(row: &TargetRow, entry: &EntryPlan) -> bool {
    entry.required && !(row.per_user == Some(true) && is_by_start(entry))
}

/// Why nothing is said of the stops and changes of a service that its start type selected: it is known for them.
pub fn noise<'a>(row: &TargetRow, entry: &'a EntryPlan) -> Option<&'a str> {
    let noise = entry.noise.as_ref().filter(|_| is_by_start(entry))?;
    noise.reason(&row.service).map(|reason| &**reason)
}

/// Whether an entry selects by start type.
pub const fn is_by_start(entry: &EntryPlan) -> bool {
    matches!(entry.selector, Selector::Start(_))
}

/// Whether a stop with this code is as good as running.
fn may_be_stopped(row: &TargetRow, entry: &EntryPlan, exit_code: Option<u32>) -> bool {
    if exit_code == Some(NEVER_STARTED) && may_wait(row, entry) {
        return true;
    }
    let by_rule = match entry.stopped_ok {
        StoppedOk::Always => true,
        StoppedOk::Exit0 => exit_code == Some(0) || planted::is(Planted::StoppedOkHidesCrash),
        StoppedOk::Never => false,
    };
    by_rule || noise(row, entry).is_some()
}

/// Whether a service that was not started since the machine was may wait for its turn: it is started by an event or by
/// a logon. Any other one did not start although it should have. After a boot nothing is said of that for a while, so
/// that what starts late is not taken for what does not start; that is the hold on the opening, not judged here.
fn may_wait(row: &TargetRow, entry: &EntryPlan) -> bool {
    let per_user = row.per_user == Some(true) && !entry.selector.is_named();
    let by_rule = is_by_start(entry) || entry.stopped_ok != StoppedOk::Never;
    per_user || (row.trigger_start == Some(true) && by_rule)
}
