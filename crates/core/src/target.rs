//! The state machine of one service on one host.

use crate::{
    changes::{self, Change},
    health::{self, Health},
    id::Name,
    notice::{ToldEvent, Why},
    observe::{Reading, ServiceConfig, ServiceDetails, State},
    plan::{EntryPlan, StuckAfter},
    planted::{self, Planted},
    policy::{
        Ruling,
        confirm::{self, Candidate},
        mute, recovery,
    },
    record::{Restarts, TargetRow},
    time::{Now, Span, Tick},
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

/// What one check says of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Its state.
    Read(Reading),
    /// It is not installed.
    Missing,
    /// We may not see it.
    Hidden,
}

/// What a reading means for the incident of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing new.
    Nothing,
    /// It is wrong, in this way.
    Wrong(ToldEvent),
    /// It will be wrong at this time, if a reading then still says so.
    WrongAt(Tick),
    /// It is as expected.
    Fine,
}

/// What a reading changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether the confirmed state changed, and from which one; the outer `None` says that it did not.
    pub changed_from: Option<Option<State>>,
    /// Whether the row must be written.
    pub dirty: bool,
    /// What it means for the incident.
    pub meaning: Meaning,
}

/// A pending state whose progress is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    state: State,
    checkpoint: u32,
    since: Tick,
}

/// One service on one host.
#[derive(Debug, Clone)]
pub struct Target {
    /// What is durable of it.
    pub row: TargetRow,
    /// Its place in the host's plan.
    pub entry: usize,
    /// Whether its configuration was asked for since it last changed.
    pub config_read: bool,
    /// Whether it was wrong at the first look after a start or a reload.
    pub first_look: bool,
    /// Whether it was looked at since the start or the reload that brought it.
    pub looked: bool,
    /// What people may have meant, where a service of this name is not installed.
    pub hint: Option<String>,
    wrong_since: Option<Tick>,
    candidate: Option<Candidate<(State, bool)>>,
    /// Few are on their way between two states, and there may be millions of targets.
    progress: Option<Box<Progress>>,
}

impl Target {
    /// A target of which nothing is known but, where it was watched before, the number of its last change.
    pub fn new(host: &Name, service: &Name, entry: usize, seq: u64, now: Now) -> Self {
        let row = TargetRow {
            host: host.clone(),
            service: service.clone(),
            state: State::Unknown,
            since: now.wall,
            previous_state: None,
            hidden: false,
            seq,
            seen_running: false,
            wrong_since: None,
            pid: None,
            exit_code: None,
            service_exit_code: None,
            start_type: None,
            trigger_start: None,
            per_user: None,
            display_name: None,
            details: None,
            selected_start: None,
            restarts: None,
            removed: false,
        };
        Self::restored(row, entry, Span::ZERO, now)
    }

    /// A target as the store knows it. A `for` that was running goes on with what remains of it.
    pub fn restored(row: TargetRow, entry: usize, for_span: Span, now: Now) -> Self {
        let wrong_since = row.wrong_since.map(|since| {
            let due = now.tick_of(since + for_span, for_span);
            Tick(due.0.saturating_sub(for_span.0))
        });
        Self {
            row,
            entry,
            config_read: false,
            first_look: false,
            looked: false,
            hint: None,
            wrong_since,
            candidate: None,
            progress: None,
        }
    }

    /// Whether nothing was ever read of it.
    pub const fn never_seen(&self) -> bool {
        matches!(self.row.state, State::Unknown)
            && self.row.previous_state.is_none()
            && !self.row.hidden
    }

    /// Whether it is installed, as far as we know.
    pub const fn is_seen(&self) -> bool {
        !self.never_seen() && !matches!(self.row.state, State::Missing)
    }

    /// Whether what is known of it is what its last reading has said.
    pub const fn is_sure(&self) -> bool {
        self.looked && self.candidate.is_none() && !self.row.hidden
    }

    /// Whether a reading says exactly what is known already, so that nothing needs to be looked at.
    pub fn is_quiet(&self, reading: &Reading) -> bool {
        self.looked
            && self.wrong_since.is_none()
            && self.candidate.is_none()
            && self.progress.is_none()
            && !reading.state.is_pending()
            && self.row.state == reading.state
            && !self.row.hidden
            && self.row.pid == reading.pid
            && self.row.exit_code == reading.exit_code
            && self.row.service_exit_code == reading.service_exit_code
    }

    /// Takes in what a check says of it.
    pub fn see(
        &mut self,
        now: Now,
        sight: Sight,
        entry: &EntryPlan,
        stuck_after: StuckAfter,
        boot: Option<Tick>,
    ) -> Seen {
        let (state, hidden) = match sight {
            Sight::Read(reading) => (reading.state, false),
            Sight::Missing => (State::Missing, false),
            Sight::Hidden if planted::is(Planted::HiddenIsFine) => (self.row.state, false),
            Sight::Hidden => (State::Unknown, true),
        };
        let stuck = self.watch_progress(now, sight, stuck_after, boot);
        let exit_code = match sight {
            Sight::Read(reading) => reading.exit_code,
            Sight::Missing | Sight::Hidden => None,
        };
        let seen = health::Seen {
            state,
            hidden,
            stuck,
            exit_code,
        };
        let mut dirty = self.watch_wrong(now, health::judge(&self.row, entry, seen));
        let first = !self.looked;
        self.looked = true;

        let mut changed_from = None;
        if (self.row.state, self.row.hidden) == (state, hidden) {
            self.candidate = None;
            dirty |= self.keep_details(sight);
        } else if Candidate::agree(&mut self.candidate, (state, hidden), entry.confirm) {
            changed_from = Some((!self.never_seen()).then_some(self.row.state));
            self.enter(now, state, hidden);
            dirty |= self.keep_details(sight) | true;
            self.note_failure(now, entry);
        }
        let meaning = if self.candidate.is_some() {
            Meaning::Nothing
        } else {
            self.meaning(now, entry, stuck)
        };
        self.first_look |= first && matches!(meaning, Meaning::Wrong(_) | Meaning::WrongAt(_));
        if matches!(meaning, Meaning::Fine) {
            self.first_look = false;
        }
        Seen {
            changed_from,
            dirty,
            meaning,
        }
    }

    /// Enters a confirmed state.
    fn enter(&mut self, now: Now, state: State, hidden: bool) {
        let before = (!self.never_seen()).then_some(self.row.state);
        self.candidate = None;
        self.config_read = false;
        if before != Some(state) || self.row.previous_state.is_none() {
            self.row.previous_state = before;
        }
        self.row.state = state;
        self.row.hidden = hidden;
        self.row.since = now.wall;
        self.row.seen_running |= state == State::Running;
        if matches!(state, State::Missing | State::Unknown) {
            self.row.pid = None;
        }
    }

    /// Notes that it has failed and that its host may be about to start it again.
    fn note_failure(&mut self, now: Now, entry: &EntryPlan) {
        let at = self.row.wrong_since.unwrap_or(now.wall);
        if recovery::due(&self.row, entry, at).is_none() {
            return;
        }
        let restarts = self.row.restarts.get_or_insert_with(|| {
            Box::new(Restarts {
                count: 0,
                since: now.wall,
                last: now.wall,
                failures: 0,
                mending: true,
            })
        });
        restarts.mending = true;
    }

    /// Keeps process and exit codes of a reading; whether one of them is new.
    fn keep_details(&mut self, sight: Sight) -> bool {
        let Sight::Read(reading) = sight else {
            return false;
        };
        let row = &mut self.row;
        let same = row.pid == reading.pid
            && row.exit_code == reading.exit_code
            && row.service_exit_code == reading.service_exit_code;
        row.pid = reading.pid;
        row.exit_code = reading.exit_code;
        row.service_exit_code = reading.service_exit_code;
        !same
    }

    /// Keeps since when it is not as expected; whether that changed.
    fn watch_wrong(&mut self, now: Now, health: Health) -> bool {
        match health {
            Health::Wrong(_) if self.wrong_since.is_none() => {
                self.wrong_since = Some(now.tick);
                self.row.wrong_since = Some(now.wall);
                true
            }
            Health::Fine if self.wrong_since.is_some() => {
                self.wrong_since = None;
                self.row.wrong_since = None;
                true
            }
            Health::Fine | Health::Wrong(_) | Health::Between | Health::Unclear => false,
        }
    }

    /// Whether a pending state has not moved for too long: three wait hints, and at least the configured time.
    /// What began in boot grace, which ends at `boot`, gets the time that a boot takes.
    fn watch_progress(
        &mut self,
        now: Now,
        sight: Sight,
        stuck_after: StuckAfter,
        boot: Option<Tick>,
    ) -> bool {
        let Sight::Read(reading) = sight else {
            self.progress = None;
            return false;
        };
        let least = match reading.state {
            State::StartPending | State::ContinuePending => stuck_after.start,
            State::StopPending | State::PausePending => stuck_after.stop,
            State::Stopped | State::Running | State::Paused | State::Missing | State::Unknown => {
                self.progress = None;
                return false;
            }
        };
        let moved = self.progress.as_ref().is_none_or(|known| {
            known.state != reading.state || known.checkpoint != reading.checkpoint
        });
        if moved {
            self.progress = Some(Box::new(Progress {
                state: reading.state,
                checkpoint: reading.checkpoint,
                since: now.tick,
            }));
        }
        let bound = reading.wait_hint.times(3).max(least);
        self.progress.as_ref().is_some_and(|known| {
            let booting = boot.is_some_and(|until| known.since < until);
            let bound = if booting {
                bound.max(stuck_after.boot)
            } else {
                bound
            };
            now.tick.since(known.since) >= bound
        })
    }

    /// What the confirmed state means.
    fn meaning(&self, now: Now, entry: &EntryPlan, stuck: bool) -> Meaning {
        match self.health(entry, stuck) {
            Health::Fine => Meaning::Fine,
            Health::Between | Health::Unclear => Meaning::Nothing,
            Health::Wrong(event) => {
                if mute::opens(entry.at_first_sight(), self.row.seen_running) != Ruling::Pass {
                    return Meaning::Nothing;
                }
                match confirm::lasted(
                    now.tick,
                    self.wrong_since.unwrap_or(now.tick),
                    recovery::needed(&self.row, entry),
                ) {
                    Ruling::Wait(at) => Meaning::WrongAt(at),
                    Ruling::Pass | Ruling::Drop(_) => Meaning::Wrong(event),
                }
            }
        }
    }

    /// Why it is not told although it is not as expected.
    pub fn muted(&self, entry: &EntryPlan) -> Option<Why> {
        let wrong = matches!(self.health(entry, false), Health::Wrong(_));
        match mute::opens(entry.at_first_sight(), self.row.seen_running) {
            Ruling::Drop(why) if wrong => Some(why),
            Ruling::Drop(_) | Ruling::Pass | Ruling::Wait(_) => None,
        }
    }

    /// Whether it is as expected; what cannot be seen is not.
    pub fn as_expected(&self, entry: &EntryPlan) -> bool {
        self.health(entry, false) == Health::Fine
    }

    /// Judges it anew with the next reading although nothing of it has changed: the plan has. What is wrong then counts
    /// as a first look.
    pub const fn judge_again(&mut self) {
        self.looked = false;
    }

    /// Begins the `for` of a target anew, where the plan's `for` or expectation changed.
    pub const fn start_again(&mut self, now: Now) {
        self.judge_again();
        if self.wrong_since.is_some() {
            self.wrong_since = Some(now.tick);
            self.row.wrong_since = Some(now.wall);
        }
    }

    /// Takes in its configuration, of which the details come from `details`; whether something is new, and what of that
    /// is a change.
    pub fn configure(
        &mut self,
        config: &ServiceConfig,
        details: Option<Arc<ServiceDetails>>,
    ) -> (bool, Vec<Change>) {
        self.config_read = true;
        let changes = if planted::is(Planted::ChangeForgotten) {
            Vec::new()
        } else {
            changes::found(&self.row, config, details.as_deref())
        };
        let row = &mut self.row;
        let display_name = config
            .display_name
            .as_deref()
            .map(Arc::from)
            .or_else(|| row.display_name.clone());
        let known = (row.start_type, row.trigger_start, row.per_user);
        let new = known != (config.start_type, config.trigger_start, config.per_user)
            || row.display_name != display_name
            || row.details != details;
        row.start_type = config.start_type;
        row.trigger_start = config.trigger_start;
        row.per_user = config.per_user;
        row.display_name = display_name;
        row.details = details;
        // What starts by an event or for a user may wait for it, so the same reading may now mean another thing.
        // Where neither was known before and neither is so, nothing means another thing.
        let waits = |trigger_start, per_user| (trigger_start == Some(true), per_user == Some(true));
        if waits(known.1, known.2) != waits(row.trigger_start, row.per_user) {
            self.looked = false;
        }
        (new, changes)
    }

    /// Whether nothing is wrong with its being uninstalled, and so nothing is left to watch.
    pub fn may_go(&self, entry: &EntryPlan) -> bool {
        self.row.state == State::Missing
            && self.candidate.is_none()
            && !health::is_required(&self.row, entry)
            && !entry.counted
    }

    /// How it stands as it was seen last.
    fn health(&self, entry: &EntryPlan, stuck: bool) -> Health {
        let seen = health::Seen {
            state: self.row.state,
            hidden: self.row.hidden,
            stuck,
            exit_code: self.row.exit_code,
        };
        health::judge(&self.row, entry, seen)
    }
}
