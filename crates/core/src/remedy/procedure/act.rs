//! Doing it, one service after another.

use super::{
    Answer, Asked, Deed, Next, Notes, Outcome, Report, Role, Step, Verb, code, note,
    report::Problem, watch::Watch,
};
use crate::{
    id::Name,
    limits::{
        RESTART_AGAIN, RESTART_BEGINS, RESTART_LOST, RESTART_PROOF, RESTART_REFUSALS_MAX,
        RESTART_RETRY,
    },
    observe::{HostFault, Reading, State},
    time::{Span, Tick},
};
use alloc::{collections::VecDeque, format, string::String, vec::Vec};

/// Whether the control of a deed was sent, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    No,
    /// The manager took it.
    Taken(Tick),
    /// No answer came.
    Lost(Tick),
}

/// A deed that is under way.
#[derive(Debug)]
struct Doing {
    deed: Deed,
    watch: Watch,
    sent: Sent,
    /// How often the control was refused for a moment only.
    refusals: u32,
    /// Since when the host does not answer.
    silent: Option<Tick>,
    /// Since when it runs, for the service itself.
    runs: Option<Tick>,
    /// Whether it was seen on its way since the control was sent.
    on_its_way: bool,
    /// Whether the last step was the control itself.
    controls: bool,
    /// Its process when it was read first.
    process: Option<u32>,
}

/// How far it is.
#[derive(Debug)]
pub(super) struct Acting {
    asked: Asked,
    end: Tick,
    queue: VecDeque<Deed>,
    doing: Option<Doing>,
    done: Vec<Deed>,
    /// Whether the service itself was to be stopped.
    restart: bool,
    failed: Option<Problem>,
}

/// What a deed comes to.
enum Came {
    Step(Step),
    Done,
    Failed(Problem),
}

impl Acting {
    /// Begins with the first deed, and says its first step.
    pub(super) fn begin(
        asked: &Asked,
        deeds: Vec<Deed>,
        end: Tick,
        at: Tick,
    ) -> (Self, Option<Step>) {
        let restart = deeds
            .iter()
            .any(|deed| deed.verb == Verb::Stop && deed.role == Role::Service);
        let mut acting = Self {
            asked: asked.clone(),
            end,
            queue: deeds.into(),
            doing: None,
            done: Vec::new(),
            restart,
            failed: None,
        };
        let first = acting.next_deed(at);
        (acting, first)
    }

    /// What came of the last step.
    pub(super) fn heard(&mut self, at: Tick, answer: Answer, notes: &mut Notes) -> Next<Report> {
        let came = match &mut self.doing {
            Some(doing) => doing.heard(&self.asked, at, self.end, answer),
            None => return Next::Over(self.report()),
        };
        let step = match came {
            Came::Step(step) => Some(step),
            Came::Done => {
                self.carried_out(at);
                self.next_deed(at)
            }
            Came::Failed(problem) => {
                self.failed(at, problem, notes);
                self.next_deed(at)
            }
        };
        step.map_or_else(|| Next::Over(self.report()), Next::Step)
    }

    fn next_deed(&mut self, at: Tick) -> Option<Step> {
        let deed = self.queue.pop_front()?;
        let step = Step::Query(deed.service.clone());
        self.doing = Some(Doing {
            deed,
            watch: Watch::new(&self.asked, at),
            sent: Sent::No,
            refusals: 0,
            silent: None,
            runs: None,
            on_its_way: false,
            controls: false,
            process: None,
        });
        Some(step)
    }

    fn carried_out(&mut self, at: Tick) {
        let Some(doing) = self.doing.take() else {
            return;
        };
        let stopped_it = doing.deed.verb == Verb::Stop && doing.deed.role == Role::Service;
        self.done.push(doing.deed);
        if stopped_it {
            self.has_to_start(at);
        }
    }

    /// What was stopped is to be started again, and has time for that whatever was used up before.
    fn has_to_start(&mut self, at: Tick) {
        self.end = self.end.max(at + RESTART_AGAIN);
    }

    fn failed(&mut self, at: Tick, problem: Problem, notes: &mut Notes) {
        let Some(doing) = self.doing.take() else {
            return;
        };
        let Deed {
            verb,
            service,
            role,
        } = &doing.deed;
        let of_the_host = matches!(problem.outcome, Outcome::HostGoingDown | Outcome::HostFault)
            || (problem.outcome == Outcome::UnknownOutcome && doing.silent.is_some());
        if of_the_host {
            self.queue.clear();
            self.failed.get_or_insert(problem);
            return;
        }
        match (verb, role) {
            (Verb::Start, Role::Dependency) if problem.outcome == Outcome::Denied => {
                note(
                    notes,
                    format!(
                        "{service} may not be started by this account, so the host starts it itself where it must"
                    ),
                );
            }
            (Verb::Start, Role::Dependency) if problem.outcome == Outcome::UnknownOutcome => {
                self.queue.clear();
                self.failed = Some(problem);
            }
            (Verb::Start, Role::Dependency) => {
                let why = format!(
                    "the service depends on {service}, which does not start: {} ({})",
                    problem.because, problem.outcome
                );
                self.queue.clear();
                self.failed = Some(Problem {
                    outcome: Outcome::DependencyDown,
                    because: why,
                    ..problem
                });
            }
            (Verb::Start, Role::Dependent) => {
                note(
                    notes,
                    format!(
                        "{service} does not start again: {} ({})",
                        problem.because, problem.outcome
                    ),
                );
            }
            (Verb::Start, Role::Service) => {
                self.queue.clear();
                self.failed = Some(problem);
            }
            (Verb::Stop, _) => {
                self.queue.clear();
                self.undo(at, &doing);
                self.failed = Some(problem);
            }
        }
    }

    /// A service could not be stopped. Where it still runs, those that were stopped for it are started again.
    fn undo(&mut self, at: Tick, doing: &Doing) {
        if !matches!(doing.watch.state(), Some(State::Running | State::Paused)) {
            return;
        }
        let stopped = self.done.iter().rev();
        let stopped =
            stopped.filter(|deed| deed.verb == Verb::Stop && deed.role == Role::Dependent);
        self.queue = stopped
            .map(|deed| Deed {
                verb: Verb::Start,
                ..deed.clone()
            })
            .collect();
        self.has_to_start(at);
    }

    /// How it ended.
    pub(super) fn report(&mut self) -> Report {
        let was = |verb: Verb, deed: &&Deed| deed.verb == verb && deed.role == Role::Dependent;
        let started: Vec<&Name> = self
            .done
            .iter()
            .filter(|deed| was(Verb::Start, deed))
            .map(|deed| &deed.service)
            .collect();
        let left_down: Vec<Name> = self
            .done
            .iter()
            .filter(|deed| was(Verb::Stop, deed) && !started.contains(&&deed.service))
            .map(|deed| deed.service.clone())
            .collect();
        let mut report = match self.failed.take() {
            Some(problem) => problem.alone(),
            None => Report {
                outcome: match (left_down.first(), self.restart) {
                    (Some(_), _) => Outcome::DependentsDown,
                    (None, true) => Outcome::Restarted,
                    (None, false) => Outcome::Started,
                },
                about: self.asked.service.clone(),
                ..Report::default()
            },
        };
        report.done = core::mem::take(&mut self.done);
        report.left_down = left_down;
        report
    }
}

impl Doing {
    fn heard(&mut self, asked: &Asked, at: Tick, end: Tick, answer: Answer) -> Came {
        let controls = core::mem::take(&mut self.controls);
        match answer {
            Answer::Status(reading) => {
                self.silent = None;
                self.read(asked, at, end, &reading)
            }
            Answer::Fault(fault) => {
                if controls {
                    self.sent = Sent::No;
                }
                self.silent(at, end, &fault)
            }
            Answer::Lost { .. } => {
                self.sent = Sent::Lost(at);
                self.watch.again(at);
                self.query()
            }
            Answer::Code(code) => self.refused(at, end, code),
            // A wait is over, or a control was taken: either way the state says what became of it.
            Answer::Done => {
                if controls {
                    self.sent = Sent::Taken(at);
                    self.watch.again(at);
                }
                self.query()
            }
            Answer::Setup(_) | Answer::Dependents(_) | Answer::NotOffered => {
                let why = "the host answered something else than it was asked";
                self.fails(Outcome::HostFault, why)
            }
        }
    }

    fn query(&self) -> Came {
        Came::Step(Step::Query(self.deed.service.clone()))
    }

    fn fails(&self, outcome: Outcome, because: impl Into<String>) -> Came {
        Came::Failed(Problem::new(outcome, &self.deed.service, because))
    }

    /// Sends the control, once. What comes back says whether it was taken; until then it counts as taken, so that
    /// nothing but a refusal in words ever has it sent again.
    fn send(&mut self, at: Tick) -> Came {
        self.sent = Sent::Taken(at);
        self.controls = true;
        self.on_its_way = false;
        self.watch.again(at);
        let service = self.deed.service.clone();
        Came::Step(match self.deed.verb {
            Verb::Stop => Step::Stop(service),
            Verb::Start => Step::Start(service),
        })
    }

    fn read(&mut self, asked: &Asked, at: Tick, end: Tick, reading: &Reading) -> Came {
        if self.watch.state().is_none() {
            self.process = reading.pid;
        }
        self.watch.see(at, reading);
        if reading.state.is_pending() && self.sent != Sent::No {
            self.on_its_way = true;
        }
        match self.deed.verb {
            Verb::Stop => self.stops(at, end, reading),
            Verb::Start => self.starts(asked, at, end, reading),
        }
    }

    fn stops(&mut self, at: Tick, end: Tick, reading: &Reading) -> Came {
        match (reading.state, self.sent) {
            (State::Stopped, _) => Came::Done,
            (State::Running | State::Paused, Sent::No) if at < end => self.send(at),
            // It has stopped, and somebody else has started it again: another process runs.
            (State::Running, _)
                if self.process.is_some()
                    && reading.pid.is_some()
                    && self.process != reading.pid =>
            {
                Came::Done
            }
            _ => self.waits(at, end),
        }
    }

    fn starts(&mut self, asked: &Asked, at: Tick, end: Tick, reading: &Reading) -> Came {
        match (reading.state, self.sent) {
            // Its place in the order is what matters; that it stays is only waited for where it is the one asked for.
            (State::Running | State::Paused, Sent::No) => Came::Done,
            (State::Running, _) if self.deed.service == asked.service => self.proves(at),
            (State::Running, _) => Came::Done,
            (State::Stopped, Sent::No) if at < end => self.send(at),
            (State::Stopped, Sent::Taken(since)) => {
                if self.on_its_way || self.runs.is_some() || at.since(since) >= RESTART_BEGINS {
                    return self.ended(reading);
                }
                self.waits(at, end)
            }
            (State::Stopped, Sent::Lost(_)) if self.on_its_way || self.runs.is_some() => {
                self.ended(reading)
            }
            _ => self.waits(at, end),
        }
    }

    /// It runs, and is believed once it still does a moment later.
    fn proves(&mut self, at: Tick) -> Came {
        let since = *self.runs.get_or_insert(at);
        match at.since(since) {
            run if run >= RESTART_PROOF => Came::Done,
            run => Came::Step(Step::Wait(Span(RESTART_PROOF.0.saturating_sub(run.0)))),
        }
    }

    /// It was started and has ended again.
    fn ended(&self, reading: &Reading) -> Came {
        let code = reading
            .exit_code
            .filter(|code| *code != code::NEVER_STARTED);
        let because = match (code, reading.service_exit_code) {
            (Some(1066), Some(own)) => format!("it ended at once with its own exit code {own}"),
            (Some(0) | None, _) => String::from("it ended at once without an error"),
            (Some(code), _) => format!("it ended at once: {}", code::words(code)),
        };
        Came::Failed(Problem {
            code,
            ..Problem::new(Outcome::StartFailed, &self.deed.service, because)
        })
    }

    /// It is not where it should be yet.
    fn waits(&self, at: Tick, end: Tick) -> Came {
        let late = at >= end;
        let lost = match self.sent {
            Sent::Lost(since) => !self.on_its_way && at.since(since) >= RESTART_LOST,
            Sent::No | Sent::Taken(_) => false,
        };
        if !late && !lost && !self.watch.is_still(at) {
            return Came::Step(Step::Wait(self.watch.pause()));
        }
        let state = self.watch.state().unwrap_or(State::Unknown);
        let is = state.still();
        let seconds = self.watch.still_for(at).0 / 1_000;
        let sent = match self.deed.verb {
            Verb::Stop => "the stop",
            Verb::Start => "the start",
        };
        if matches!(self.sent, Sent::Lost(_)) {
            let why =
                format!("no answer came to {sent}, and it is {is} since; it was not sent again");
            return self.fails(Outcome::UnknownOutcome, why);
        }
        match (self.sent, self.deed.verb, late) {
            (Sent::No, _, true) if !state.is_pending() => {
                self.fails(Outcome::OutOfTime, format!("the time was up before {sent}"))
            }
            (_, Verb::Stop, late) => {
                let how = if late {
                    "when the time was up"
                } else {
                    "without progress"
                };
                self.fails(
                    Outcome::StopTimeout,
                    format!("it is {is} {how}, {seconds} s after {sent} or its last progress"),
                )
            }
            (_, Verb::Start, late) => {
                let how = if late {
                    "when the time was up"
                } else {
                    "without progress"
                };
                self.fails(
                    Outcome::StartTimeout,
                    format!("it is {is} {how}, {seconds} s after {sent} or its last progress"),
                )
            }
        }
    }

    /// The manager refused, either the control or a question about the service.
    fn refused(&mut self, at: Tick, end: Tick, code: u32) -> Came {
        match (self.deed.verb, code) {
            // It is so already, or was asked already and has not answered: the state says.
            (Verb::Stop, code::NOT_ACTIVE | code::REQUEST_TIMEOUT)
            | (Verb::Start, code::ALREADY_RUNNING) => self.query(),
            (Verb::Stop, code::CANNOT_ACCEPT) | (Verb::Start, code::DATABASE_LOCKED)
                if self.refusals < RESTART_REFUSALS_MAX && at < end =>
            {
                self.refusals = self.refusals.saturating_add(1);
                self.sent = Sent::No;
                self.watch.again(at);
                Came::Step(Step::Wait(RESTART_RETRY))
            }
            (verb, code) => Came::Failed(code::refused(Some(verb), &self.deed.service, code)),
        }
    }

    /// The host does not answer, in the middle of it.
    fn silent(&mut self, at: Tick, end: Tick, fault: &HostFault) -> Came {
        let since = *self.silent.get_or_insert(at);
        let problem = code::of_fault(&self.deed.service, fault);
        let waits = code::may_pass(fault.fault) && at < end && at.since(since) < RESTART_LOST;
        if waits {
            return Came::Step(Step::Wait(RESTART_RETRY));
        }
        match self.sent {
            Sent::No => Came::Failed(problem),
            Sent::Taken(_) | Sent::Lost(_) if problem.outcome == Outcome::HostGoingDown => {
                Came::Failed(problem)
            }
            Sent::Taken(_) | Sent::Lost(_) => {
                let verb = self.deed.verb;
                let why = format!(
                    "the {verb} was sent, and then the host could not be asked: {}",
                    problem.because
                );
                self.fails(Outcome::UnknownOutcome, why)
            }
        }
    }
}
