//! One restart, step by step, without doing any of it.
//!
//! [`Procedure::next`] takes what came of the last step and says the next one; whoever carries the steps out decides
//! nothing. First everything is looked at, and nothing is touched before it is known that what would be stopped can be
//! started again: the service, what depends on it and runs, what it depends on and does not run. Then dependencies are
//! started, dependents stopped, the service stopped and started, and the dependents that ran before started again.
//!
//! A control is sent once. Where no answer came it is never sent again: the state says what became of it, and where the
//! state does not say so in time the outcome is [`Outcome::UnknownOutcome`]. What was stopped here is always tried to be
//! started again, also where the time is up, unless the host goes down or cannot be asked any more.

mod act;
mod code;
mod look;
mod report;
mod step;
#[cfg(test)]
mod tests;
mod walk;
mod watch;
mod words;

pub use report::{Deed, Report};
pub use step::{Answer, Asked, Setup, Step};
pub use words::{Aim, Outcome, Role, Verb};

use crate::{limits::RESTART_NOTES_MAX, time::Tick};
use act::Acting;
use alloc::{boxed::Box, string::String, vec::Vec};
use look::Look;
use report::Problem;

/// What comes next while a part of the procedure is under way.
enum Next<T> {
    /// This step.
    Step(Step),
    /// The part is over, with this.
    Over(T),
}

/// Things that are worth knowing and change nothing.
type Notes = Vec<String>;

/// Keeps a note, once.
fn note(notes: &mut Notes, text: String) {
    if notes.len() < RESTART_NOTES_MAX && !notes.contains(&text) {
        notes.push(text);
    }
}

/// One restart of one service.
#[derive(Debug)]
pub struct Procedure {
    asked: Asked,
    end: Tick,
    notes: Notes,
    planned: Vec<Deed>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Looking(Box<Look>),
    Acting(Box<Acting>),
    Over(Box<Report>),
}

impl Procedure {
    /// Begins, and says the first step.
    pub fn begin(asked: Asked, at: Tick) -> (Self, Step) {
        let step = Step::Query(asked.service.clone());
        let end = at + asked.time;
        let procedure = Self {
            stage: Stage::Looking(Box::new(Look::new(&asked, at))),
            asked,
            end,
            notes: Notes::new(),
            planned: Vec::new(),
        };
        (procedure, step)
    }

    /// What came of the last step, and so the next one. Once it is over it stays so.
    pub fn next(&mut self, at: Tick, answer: Answer) -> Step {
        match &mut self.stage {
            Stage::Over(report) => Step::Done(report.clone()),
            Stage::Looking(look) => {
                let found = if at >= self.end && !matches!(answer, Answer::Fault(_)) {
                    Err(look.out_of_time(&self.asked))
                } else {
                    look.heard(&self.asked, at, answer, &mut self.notes)
                };
                match found {
                    Ok(Next::Step(step)) => step,
                    Ok(Next::Over(deeds)) => self.found(at, deeds),
                    Err(problem) => self.over(Report::of(problem, &self.asked)),
                }
            }
            Stage::Acting(acting) => match acting.heard(at, answer, &mut self.notes) {
                Next::Step(step) => step,
                Next::Over(report) => self.over(report),
            },
        }
    }

    /// Everything was looked at, and this is what is to be done.
    fn found(&mut self, at: Tick, deeds: Vec<Deed>) -> Step {
        self.planned = deeds;
        if self.asked.dry_run {
            return self.over(Report::dry_run(&self.asked));
        }
        let (mut acting, first) = Acting::begin(&self.asked, self.planned.clone(), self.end, at);
        match first {
            Some(step) => {
                self.stage = Stage::Acting(Box::new(acting));
                step
            }
            // There is always the service's own start; nothing to do means that it is done.
            None => self.over(acting.report()),
        }
    }

    fn over(&mut self, mut report: Report) -> Step {
        report.planned = core::mem::take(&mut self.planned);
        report.notes = core::mem::take(&mut self.notes);
        let report = Box::new(report);
        self.stage = Stage::Over(report.clone());
        Step::Done(report)
    }
}

impl Problem {
    /// How the procedure ends with it, where nothing was done yet.
    fn alone(self) -> Report {
        Report {
            outcome: self.outcome,
            about: self.about,
            because: self.because,
            code: self.code,
            ..Report::default()
        }
    }
}
