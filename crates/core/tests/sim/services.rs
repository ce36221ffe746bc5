//! A service as it truly is.

use crate::{changes::SetUp, setup::SECOND, story::ServiceChange};
use svcwatch_core::{
    id::Name,
    observe::{Reading, State},
    time::Span,
};

/// Whether a service can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visible {
    /// In the list.
    Listed,
    /// Left out of the list, but it answers when asked.
    Unlisted,
    /// Refused with 5.
    Hidden,
}

/// A service as it truly is.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Its key name.
    pub(crate) name: Name,
    pub(crate) state: State,
    /// The state that `state` turns into, and the steps until then.
    pub(crate) then: Option<(State, u32, u64)>,
    pub(crate) wait_hint: u64,
    pub(crate) exit_code: u32,
    pub(crate) pid: u32,
    pub(crate) since: u64,
    pub(crate) visible: Visible,
    /// When its machine is booted, and whether it comes back then.
    pub(crate) boot: Option<(u64, bool)>,
    /// How it is set up.
    pub(crate) set_up: SetUp,
}

/// How long a service takes to come back after a boot: so many seconds.
const COMES_BACK: u32 = 3;

impl Service {
    /// Its machine is booted at this time.
    pub(crate) fn boots(&mut self, now: u64, at: u64, comes_back: bool) {
        self.after_boot(now);
        if self.state(now).0 != State::Missing {
            self.boot = Some((at, comes_back));
        }
    }

    /// It leaves running at this time, as the machine shuts down.
    pub(crate) fn leaves(&mut self, now: u64, at: u64) {
        if self.state(now).0 == State::Running {
            let pid = self.pid;
            self.enter(now, State::Running, Some((State::Stopped, 1, at - now)));
            self.pid = pid;
        }
    }

    /// A boot that is over is what it is now.
    fn after_boot(&mut self, now: u64) {
        let Some((at, comes_back)) = self.boot.filter(|(at, _)| now >= *at) else {
            return;
        };
        self.boot = None;
        self.wait_hint = 0;
        self.pid = self.pid.wrapping_add(400);
        self.since = at;
        if comes_back {
            self.state = State::StartPending;
            self.then = Some((State::Running, COMES_BACK, SECOND));
            self.exit_code = 0;
        } else {
            self.state = State::Stopped;
            self.then = None;
            self.exit_code = 1077;
        }
    }

    /// Its state now, since when, and its checkpoint.
    pub(crate) fn state(&self, now: u64) -> (State, u64, u32) {
        if self.boot.is_some_and(|(at, _)| now >= at) {
            let mut booted = self.clone();
            booted.after_boot(now);
            return booted.state(now);
        }
        let Some((then, steps, step)) = self.then else {
            return (self.state, self.since, 1);
        };
        let passed = now.saturating_sub(self.since) / step.max(1);
        if passed >= u64::from(steps) {
            (then, self.since + u64::from(steps) * step, 0)
        } else {
            (
                self.state,
                self.since,
                u32::try_from(passed).unwrap_or(0) + 1,
            )
        }
    }

    /// Whether it can be seen.
    pub(crate) const fn visible(&self) -> Visible {
        self.visible
    }

    /// Whether it is in a pending state that nothing ends.
    pub(crate) const fn hangs(&self) -> bool {
        self.then.is_none() && self.boot.is_none()
    }

    /// How long it asks to be waited for.
    pub(crate) const fn wait_hint(&self) -> u64 {
        self.wait_hint
    }

    /// It enters a state, which turns into another one after so many steps of so long each.
    pub(crate) fn enter(&mut self, now: u64, state: State, then: Option<(State, u32, u64)>) {
        let (before, since, _) = self.state(now);
        self.since = if before == state && then.is_none() && self.then.is_none() {
            since
        } else {
            now
        };
        self.state = state;
        self.then = then;
        self.pid = self.pid.wrapping_add(4);
        self.exit_code = 0;
        self.wait_hint = 0;
    }

    /// It is stopped, with an exit code.
    fn stop(&mut self, now: u64, code: u32) {
        let before = self.exit_code;
        self.enter(now, State::Stopped, None);
        self.exit_code = code;
        // What it means is another thing from now on.
        if code != before {
            self.since = now;
        }
    }

    /// Whether a change is one of how it is set up, which is done then.
    fn set_up_anew(&mut self, change: ServiceChange) -> bool {
        match change {
            ServiceChange::StartAs(start) => self.set_up.start = Some(start),
            ServiceChange::Account(account) => self.set_up.account = account,
            _ => return false,
        }
        true
    }

    /// Something happens to it. What makes no sense for its state does nothing.
    pub(crate) fn change(&mut self, now: u64, change: ServiceChange) {
        self.after_boot(now);
        let (state, ..) = self.state(now);
        if self.set_up_anew(change) {
            return;
        }
        if state == State::Missing && change != ServiceChange::Show {
            return;
        }
        match change {
            ServiceChange::Stop if state == State::Running => self.enter(
                now,
                State::StopPending,
                Some((State::Stopped, 1, 2 * SECOND)),
            ),
            ServiceChange::Stop => self.stop(now, 0),
            ServiceChange::Die(code) => self.stop(now, code),
            ServiceChange::Mend(length) if state == State::Running => {
                self.enter(now, State::Stopped, Some((State::Running, 1, length)));
                self.exit_code = 1_067;
            }
            ServiceChange::Restart if state == State::Running => {
                self.enter(now, State::Running, None);
            }
            ServiceChange::Mend(_)
            | ServiceChange::Restart
            | ServiceChange::StartAs(_)
            | ServiceChange::Account(_) => {}
            ServiceChange::Start if state == State::Running => {}
            ServiceChange::Start => self.enter(now, State::Running, None),
            ServiceChange::SlowStart(steps, step) => self.enter(
                now,
                State::StartPending,
                Some((State::Running, steps, step)),
            ),
            ServiceChange::HangStarting(hint) => {
                self.enter(now, State::StartPending, None);
                self.wait_hint = hint;
            }
            ServiceChange::HangStopping => self.enter(now, State::StopPending, None),
            ServiceChange::Pause => self.enter(now, State::Paused, None),
            ServiceChange::Uninstall => {
                self.boot = None;
                self.enter(now, State::Missing, None);
            }
            ServiceChange::Hide | ServiceChange::Unlist => {
                self.visible = if change == ServiceChange::Hide {
                    Visible::Hidden
                } else {
                    Visible::Unlisted
                };
                self.since = now;
                self.state = state;
                self.then = None;
            }
            ServiceChange::Show => {
                let was = self.visible;
                self.visible = Visible::Listed;
                if state == State::Missing {
                    self.enter(now, State::Stopped, None);
                } else if was != Visible::Listed {
                    self.since = now;
                    self.state = state;
                    self.then = None;
                }
            }
        }
    }

    /// What a probe reads of it.
    pub(crate) fn reading(&self, now: u64) -> Reading {
        let mut booted = self.clone();
        booted.after_boot(now);
        let (pid, exit_code) = (booted.pid, booted.exit_code);
        let (state, _, checkpoint) = self.state(now);
        let runs = !matches!(state, State::Stopped | State::Missing);
        Reading {
            state,
            pid: runs.then_some(pid),
            exit_code: Some(if runs { 0 } else { exit_code }),
            service_exit_code: Some(0),
            checkpoint: if state.is_pending() { checkpoint } else { 0 },
            wait_hint: Span(self.wait_hint),
        }
    }
}
