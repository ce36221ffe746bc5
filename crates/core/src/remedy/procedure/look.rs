//! Looking at everything before anything is touched.

use super::{
    Aim, Answer, Asked, Deed, Next, Notes, Outcome, Role, Setup, Step, Verb, code, note,
    report::Problem, walk::Walk, watch::Watch,
};
use crate::{
    id::Name,
    observe::{Reading, StartType, State},
    time::Tick,
};
use alloc::{format, vec::Vec};

/// What was asked last.
#[derive(Debug)]
enum Asking {
    /// The state of the service.
    State,
    /// Nothing: the service is on its way, and is read again.
    Pause,
    /// How it is set up.
    Setup,
    /// Whether we may stop and start it.
    Rights,
    /// What depends on it (none), or on one that depends on it.
    Dependents(Option<Name>),
    /// How a dependent is set up.
    DependentSetup(Name),
    /// Whether we may stop and start a dependent.
    DependentRights(Name),
    /// The state of a dependency.
    Dependency(Name),
    /// How a dependency that does not run is set up.
    DependencySetup(Name),
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Look {
    asking: Asking,
    watch: Watch,
    /// Whether the service is to be stopped first.
    up: bool,
    dependencies: Vec<Name>,
    walk: Walk,
    /// Dependents that run, in the order in which they are stopped.
    dependents: Vec<Name>,
    /// Those of them that are not judged yet, the next one last.
    unjudged: Vec<Name>,
}

/// What a look leads to.
type Found = Result<Next<Vec<Deed>>, Problem>;

impl Look {
    /// The state of the service is asked for first.
    pub(super) fn new(asked: &Asked, at: Tick) -> Self {
        Self {
            asking: Asking::State,
            watch: Watch::new(asked, at),
            up: false,
            dependencies: Vec::new(),
            walk: Walk::new(&asked.service, Vec::new()),
            dependents: Vec::new(),
            unjudged: Vec::new(),
        }
    }

    /// The time is up and nothing was done.
    pub(super) fn out_of_time(&self, asked: &Asked) -> Problem {
        match self.watch.state().filter(|state| state.is_pending()) {
            Some(state) => Self::stuck(asked, state, "for the whole time"),
            None => Problem::new(
                Outcome::OutOfTime,
                &asked.service,
                "the time was up before anything was done",
            ),
        }
    }

    /// What came of the last question.
    pub(super) fn heard(
        &mut self,
        asked: &Asked,
        at: Tick,
        answer: Answer,
        notes: &mut Notes,
    ) -> Found {
        let asking = core::mem::replace(&mut self.asking, Asking::State);
        match (asking, answer) {
            (_, Answer::Fault(fault)) => Err(code::of_fault(&asked.service, &fault)),
            (Asking::Pause, _) => self.ask(Asking::State, Step::Query(asked.service.clone())),
            (Asking::State, Answer::Status(reading)) => self.state(asked, at, &reading),
            (Asking::Setup, Answer::Setup(setup)) => self.setup(asked, setup, notes),
            (Asking::Setup, Answer::NotOffered) => self.setup(asked, Setup::default(), notes),
            (Asking::Rights, Answer::Done) => self.permitted(asked),
            (Asking::Dependents(of), Answer::Dependents(list)) => self.above(asked, of, list),
            (Asking::Dependents(of), Answer::NotOffered) => {
                let what = "the host does not tell which services depend on it";
                note(notes, what.into());
                self.above(asked, of, Vec::new())
            }
            // It was removed meanwhile, so it does not depend on anything any more.
            (Asking::Dependents(Some(of)), Answer::Code(code::DOES_NOT_EXIST)) => {
                self.walk.pass(of);
                self.next_dependent(asked)
            }
            (Asking::DependentSetup(of), Answer::Setup(setup)) => self.judge(of, &setup),
            (Asking::DependentSetup(of), Answer::NotOffered) => self.judge(of, &Setup::default()),
            (Asking::DependentRights(_), Answer::Done) => {
                self.unjudged.pop();
                self.next_judged(asked)
            }
            (Asking::Dependency(of), Answer::Status(reading)) => self.below(asked, of, &reading),
            (Asking::Dependency(of), Answer::NotOffered | Answer::Code(code::ACCESS_DENIED)) => {
                note(
                    notes,
                    format!(
                        "the state of {of} may not be read, so the host starts it itself where it must"
                    ),
                );
                self.walk.pass(of);
                self.next_dependency(asked)
            }
            (Asking::Dependency(of), Answer::Code(code)) => {
                Err(Self::down(&of, &code::words(code)))
            }
            (Asking::DependencySetup(of), Answer::Setup(setup)) => {
                self.enter(asked, of, setup, notes)
            }
            (Asking::DependencySetup(of), Answer::NotOffered) => {
                self.enter(asked, of, Setup::default(), notes)
            }
            (asking, answer) => Err(unexpected(asked, &asking, &answer)),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it ends most of the functions that may find a problem instead"
    )]
    fn ask(&mut self, asking: Asking, step: Step) -> Found {
        self.asking = asking;
        Ok(Next::Step(step))
    }

    /// The service was read.
    fn state(&mut self, asked: &Asked, at: Tick, reading: &Reading) -> Found {
        let service = &asked.service;
        self.watch.see(at, reading);
        match reading.state {
            State::Missing => return Err(code::refused(None, service, code::DOES_NOT_EXIST)),
            State::Unknown => {
                let why = "its state cannot be read";
                return Err(Problem::new(Outcome::HostFault, service, why));
            }
            State::Running | State::Paused if asked.aim == Aim::Run => {
                let outcome = if reading.state == State::Paused {
                    Outcome::Paused
                } else {
                    Outcome::AlreadyRunning
                };
                return Err(Problem::new(outcome, service, ""));
            }
            State::Running | State::Paused => self.up = true,
            State::Stopped => {}
            State::StartPending
            | State::StopPending
            | State::ContinuePending
            | State::PausePending => {
                if self.watch.is_still(at) {
                    return Err(Self::stuck(asked, reading.state, "without progress"));
                }
                let pause = self.watch.pause();
                return self.ask(Asking::Pause, Step::Wait(pause));
            }
        }
        self.ask(Asking::Setup, Step::Setup(service.clone()))
    }

    /// It was on its way before anything was done, and does not arrive.
    fn stuck(asked: &Asked, state: State, how: &str) -> Problem {
        let outcome = match state {
            State::StopPending | State::PausePending => Outcome::StopTimeout,
            State::Stopped
            | State::StartPending
            | State::Running
            | State::ContinuePending
            | State::Paused
            | State::Missing
            | State::Unknown => Outcome::StartTimeout,
        };
        let why = format!("it is {} {how}, and nothing was done", state.still());
        Problem::new(outcome, &asked.service, why)
    }

    fn setup(&mut self, asked: &Asked, setup: Setup, notes: &mut Notes) -> Found {
        if setup.start_type == Some(StartType::Disabled) {
            let why = if self.up {
                "it runs, but its start is disabled, so it could not be started again; nothing was done"
            } else {
                "its start is disabled (1058)"
            };
            return Err(Problem::new(Outcome::Disabled, &asked.service, why));
        }
        self.dependencies = services(setup.dependencies, notes);
        let step = Step::May {
            service: asked.service.clone(),
            stop: self.up,
        };
        self.ask(Asking::Rights, step)
    }

    /// We may do it. Only where it is stopped do its dependents matter.
    fn permitted(&mut self, asked: &Asked) -> Found {
        if self.up {
            self.ask(
                Asking::Dependents(None),
                Step::Dependents(asked.service.clone()),
            )
        } else {
            self.begin_below(asked)
        }
    }

    fn above(&mut self, asked: &Asked, of: Option<Name>, list: Vec<Name>) -> Found {
        match of {
            None => self.walk = Walk::new(&asked.service, list),
            Some(of) => self.walk.enter(of, list),
        }
        self.next_dependent(asked)
    }

    fn next_dependent(&mut self, asked: &Asked) -> Found {
        if let Some(next) = self.walk.next()? {
            return self.ask(
                Asking::Dependents(Some(next.clone())),
                Step::Dependents(next),
            );
        }
        let walk = core::mem::replace(&mut self.walk, Walk::new(&asked.service, Vec::new()));
        self.dependents = walk.into_left();
        self.unjudged = self.dependents.iter().rev().cloned().collect();
        self.next_judged(asked)
    }

    /// Each dependent must be one that can be started again.
    fn next_judged(&mut self, asked: &Asked) -> Found {
        match self.unjudged.last().cloned() {
            Some(next) => self.ask(Asking::DependentSetup(next.clone()), Step::Setup(next)),
            None => self.begin_below(asked),
        }
    }

    fn judge(&mut self, dependent: Name, setup: &Setup) -> Found {
        if setup.start_type == Some(StartType::Disabled) {
            let why = "it depends on the service and runs, but its start is disabled, so it could not be started again; nothing was done";
            return Err(Problem::new(Outcome::Disabled, &dependent, why));
        }
        let step = Step::May {
            service: dependent.clone(),
            stop: true,
        };
        self.ask(Asking::DependentRights(dependent), step)
    }

    fn begin_below(&mut self, asked: &Asked) -> Found {
        let dependencies = core::mem::take(&mut self.dependencies);
        self.walk = Walk::new(&asked.service, dependencies);
        self.next_dependency(asked)
    }

    fn next_dependency(&mut self, asked: &Asked) -> Found {
        if let Some(next) = self.walk.next()? {
            // It would be stopped for the service, and what is started for the service needs it.
            if self.dependents.contains(&next) {
                let service = &asked.service;
                let why = format!("they depend on each other: {service}, {next}");
                return Err(Problem::new(Outcome::DependencyCircle, &next, why));
            }
            return self.ask(Asking::Dependency(next.clone()), Step::Query(next));
        }
        let walk = core::mem::replace(&mut self.walk, Walk::new(&asked.service, Vec::new()));
        Ok(Next::Over(self.deeds(asked, &walk.into_left())))
    }

    /// A dependency was read: one that does not run is started, after those that it depends on itself.
    fn below(&mut self, asked: &Asked, of: Name, reading: &Reading) -> Found {
        match reading.state {
            State::Missing => Err(Self::down(&of, "it is not installed (1060)")),
            State::Stopped | State::StopPending | State::StartPending => {
                self.ask(Asking::DependencySetup(of.clone()), Step::Setup(of))
            }
            // Nothing is done to one that is paused: the manager asks no more than that it was started.
            State::Running
            | State::Paused
            | State::ContinuePending
            | State::PausePending
            | State::Unknown => {
                self.walk.pass(of);
                self.next_dependency(asked)
            }
        }
    }

    fn enter(&mut self, asked: &Asked, of: Name, setup: Setup, notes: &mut Notes) -> Found {
        if setup.start_type == Some(StartType::Disabled) {
            return Err(Self::down(&of, "its start is disabled"));
        }
        let dependencies = services(setup.dependencies, notes);
        self.walk.enter(of, dependencies);
        self.next_dependency(asked)
    }

    fn down(dependency: &Name, why: &str) -> Problem {
        let why = format!("the service depends on {dependency}, which does not run: {why}");
        Problem::new(Outcome::DependencyDown, dependency, why)
    }

    /// What is to be done, in order.
    fn deeds(&mut self, asked: &Asked, dependencies: &[Name]) -> Vec<Deed> {
        let deed = |verb, service: &Name, role| Deed {
            verb,
            service: service.clone(),
            role,
        };
        let dependents = core::mem::take(&mut self.dependents);
        let below = dependencies.iter();
        let mut deeds: Vec<Deed> = below
            .map(|one| deed(Verb::Start, one, Role::Dependency))
            .collect();
        if self.up {
            let stops = dependents.iter();
            deeds.extend(stops.map(|one| deed(Verb::Stop, one, Role::Dependent)));
            deeds.push(deed(Verb::Stop, &asked.service, Role::Service));
        }
        deeds.push(deed(Verb::Start, &asked.service, Role::Service));
        let again = dependents.iter().rev();
        deeds.extend(again.map(|one| deed(Verb::Start, one, Role::Dependent)));
        deeds
    }
}

/// The services among dependencies. Which services a group has is not looked up: the host minds groups itself.
fn services(dependencies: Option<Vec<alloc::string::String>>, notes: &mut Notes) -> Vec<Name> {
    let mut services = Vec::new();
    for dependency in dependencies.unwrap_or_default() {
        match dependency.strip_prefix('+') {
            Some(group) => note(
                notes,
                format!("it depends on the group {group} too, which the host minds itself"),
            ),
            None if dependency.is_empty() => {}
            None => services.push(Name::new(&dependency)),
        }
    }
    services
}

/// An answer that no question of this part has: a refusal, or a mistake of whoever carries steps out.
fn unexpected(asked: &Asked, asking: &Asking, answer: &Answer) -> Problem {
    let about = match asking {
        Asking::Dependents(Some(name))
        | Asking::DependentSetup(name)
        | Asking::DependentRights(name)
        | Asking::Dependency(name)
        | Asking::DependencySetup(name) => name,
        Asking::State
        | Asking::Pause
        | Asking::Setup
        | Asking::Rights
        | Asking::Dependents(None) => &asked.service,
    };
    match answer {
        Answer::Code(code) => code::refused(None, about, *code),
        Answer::Lost { cause } => Problem::new(Outcome::HostFault, about, cause.clone()),
        Answer::Status(_)
        | Answer::Setup(_)
        | Answer::Dependents(_)
        | Answer::NotOffered
        | Answer::Done
        | Answer::Fault(_) => Problem::new(
            Outcome::HostFault,
            about,
            "the host answered something else than it was asked",
        ),
    }
}
