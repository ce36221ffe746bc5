//! A service control manager with services that have habits.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a habit concerns one control, and every other habit obeys it"
)]

use super::super::*;
use crate::{
    id::Name,
    observe::{Fault, HostFault, Reading, StartType, State},
    time::{Span, Tick},
};
use alloc::{borrow::ToOwned, collections::BTreeMap, format, string::String, vec::Vec};

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It stops and starts within a second or so.
    Obeys,
    /// It takes so long for each, and counts meanwhile.
    Slow(Span),
    /// It stays in STOP_PENDING.
    NeverStops,
    /// It takes a stop and runs on.
    Deaf,
    /// It stays in START_PENDING.
    NeverStarts,
    /// It ends with this exit code when it was started.
    Ends(u32),
    /// The manager refuses its stop so.
    RefusesStop(u32),
    /// The manager refuses its start so.
    RefusesStart(u32),
    /// The manager refuses so many controls of each kind for a moment.
    BusyFor(u32),
    /// We may not stop or start it.
    Denies,
    /// Its controls are not answered, and are carried out or not.
    Loses { works: bool },
}

/// One service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) state: State,
    pub(super) start_type: StartType,
    pub(super) needs: Vec<String>,
    pub(super) habit: Habit,
    /// When it will be in which state.
    coming: Option<(Tick, State)>,
    exit_code: u32,
    pid: u32,
    busy: u32,
    /// Whether it ran at the beginning.
    pub(super) ran: bool,
    /// Whether a control to it was lost.
    pub(super) lost: bool,
}

/// A manager, its clock, and what it was told.
#[derive(Debug)]
pub(super) struct Manager {
    services: BTreeMap<Name, Service>,
    pub(super) clock: Tick,
    /// When the restart began.
    pub(super) began: Tick,
    /// Whether it lists dependents of dependents too.
    pub(super) lists_all: bool,
    /// The control with which its host falls silent.
    pub(super) goes_at: Option<String>,
    gone: bool,
    pub(super) controls: Vec<String>,
    /// Controls that were against the rules.
    pub(super) wrong: Vec<String>,
    pub(super) steps: usize,
}

/// A control in words.
pub(super) fn told(step: &Step) -> Option<String> {
    match step {
        Step::Stop(name) => Some(format!("stop {name}")),
        Step::Start(name) => Some(format!("start {name}")),
        _ => None,
    }
}

impl Manager {
    /// Services with whether they run and what they depend on.
    pub(super) fn of(services: &[(&str, bool, &[&str])]) -> Self {
        let services = services.iter().enumerate().map(|(at, (name, up, needs))| {
            let service = Service {
                state: if *up { State::Running } else { State::Stopped },
                start_type: StartType::Manual,
                needs: needs.iter().map(|need| (*need).to_owned()).collect(),
                habit: Habit::Obeys,
                coming: None,
                exit_code: 1077,
                pid: u32::try_from(at).unwrap() * 4 + 100,
                busy: 0,
                ran: *up,
                lost: false,
            };
            (Name::new(name), service)
        });
        Self {
            services: services.collect(),
            clock: Tick(1_000_000),
            began: Tick(0),
            lists_all: false,
            goes_at: None,
            gone: false,
            controls: Vec::new(),
            wrong: Vec::new(),
            steps: 0,
        }
    }

    pub(super) fn service(&mut self, name: &str) -> &mut Service {
        self.services.get_mut(&Name::new(name)).unwrap()
    }

    pub(super) fn services(&self) -> &BTreeMap<Name, Service> {
        &self.services
    }

    /// A service is in a state, and will be in another after a while.
    pub(super) fn set(&mut self, name: &str, state: State, coming: Option<(Span, State)>) {
        let clock = self.clock;
        let service = self.service(name);
        service.state = state;
        service.coming = coming.map(|(after, state)| (clock + after, state));
    }

    pub(super) fn told(&self) -> String {
        self.controls.join(", ")
    }

    /// Carries out a restart to its end.
    pub(super) fn run(&mut self, asked: Asked) -> Report {
        self.began = self.clock;
        let (mut procedure, mut step) = Procedure::begin(asked, self.clock);
        loop {
            self.steps += 1;
            assert!(self.steps < 100_000, "it does not end");
            if let Step::Done(report) = step {
                let again = procedure.next(self.clock, Answer::Done);
                assert_eq!(again, Step::Done(report.clone()), "it stays over");
                return *report;
            }
            let answer = self.answer(&step);
            self.clock = self.clock + Span(5);
            step = procedure.next(self.clock, answer);
        }
    }

    fn answer(&mut self, step: &Step) -> Answer {
        self.pass();
        if let Some(control) = told(step) {
            if self.goes_at.as_ref() == Some(&control) {
                self.gone = true;
            }
            self.controls.push(control);
            if self.gone {
                return Answer::Lost {
                    cause: "the connection broke".into(),
                };
            }
        }
        match step {
            Step::Wait(span) => {
                self.clock = self.clock + *span;
                Answer::Done
            }
            _ if self.gone => Answer::Fault(HostFault {
                fault: Fault::Unreachable,
                cause: "nothing answers".into(),
                refusal: None,
            }),
            Step::Query(name) => match self.services.get(name) {
                None => Answer::Code(1060),
                Some(service) => Answer::Status(Reading {
                    state: service.state,
                    pid: (service.state != State::Stopped).then_some(service.pid),
                    exit_code: Some(service.exit_code),
                    service_exit_code: Some(0),
                    checkpoint: self.checkpoint(service),
                    wait_hint: Span::seconds(2),
                }),
            },
            Step::Setup(name) => match self.services.get(name) {
                None => Answer::Code(1060),
                Some(service) => Answer::Setup(Setup {
                    start_type: Some(service.start_type),
                    dependencies: Some(service.needs.clone()),
                }),
            },
            Step::May { service, .. } => match self.services.get(service) {
                None => Answer::Code(1060),
                Some(service) if service.habit == Habit::Denies => Answer::Code(5),
                Some(_) => Answer::Done,
            },
            Step::Dependents(name) => Answer::Dependents(self.dependents(name, self.lists_all)),
            Step::Stop(name) => self.stop(&name.clone()),
            Step::Start(name) => self.start(&name.clone()),
            Step::Done(_) => Answer::Done,
        }
    }

    fn checkpoint(&self, service: &Service) -> u32 {
        match (service.habit, service.coming) {
            (Habit::Slow(_), Some(_)) => u32::try_from(self.clock.0 / 1_000).unwrap(),
            _ => 7,
        }
    }

    fn pass(&mut self) {
        for service in self.services.values_mut() {
            if let Some((_, state)) = service.coming.take_if(|(at, _)| *at <= self.clock) {
                service.state = state;
            }
        }
    }

    fn dependents(&self, of: &Name, all: bool) -> Vec<Name> {
        let mut found: Vec<Name> = Vec::new();
        for (name, service) in &self.services {
            let needs = service.needs.iter().any(|need| Name::new(need) == *of);
            if needs && service.state != State::Stopped && !found.contains(name) {
                if all && name != of {
                    for further in self.dependents(name, false) {
                        if !found.contains(&further) {
                            found.push(further);
                        }
                    }
                }
                if !found.contains(name) {
                    found.push(name.clone());
                }
            }
        }
        found
    }

    fn needs_met(&self, name: &Name) -> bool {
        self.services[name].needs.iter().all(|need| {
            need.starts_with('+')
                || self
                    .services
                    .get(&Name::new(need))
                    .is_some_and(|service| service.state == State::Running)
        })
    }

    fn stop(&mut self, name: &Name) -> Answer {
        let depended_on = !self.dependents(name, false).is_empty();
        let clock = self.clock;
        let Some(service) = self.services.get_mut(name) else {
            return Answer::Code(1060);
        };
        if service.lost {
            self.wrong
                .push(format!("stop {name} again after it was lost"));
        }
        match service.habit {
            _ if depended_on => {
                self.wrong
                    .push(format!("stop {name} while others depend on it"));
                return Answer::Code(1051);
            }
            Habit::Denies => return Answer::Code(5),
            Habit::RefusesStop(code) => return Answer::Code(code),
            Habit::BusyFor(times) if service.busy < times => {
                service.busy += 1;
                return Answer::Code(1061);
            }
            Habit::Deaf => return Answer::Done,
            Habit::Loses { works: false } => {
                service.lost = true;
                return Answer::Lost {
                    cause: "no answer".into(),
                };
            }
            _ => {}
        }
        service.busy = 0;
        service.state = State::StopPending;
        service.coming = match service.habit {
            Habit::NeverStops => None,
            Habit::Slow(span) => Some((clock + span, State::Stopped)),
            _ => Some((clock + Span(700), State::Stopped)),
        };
        service.exit_code = 0;
        if service.habit == (Habit::Loses { works: true }) {
            service.lost = true;
            return Answer::Lost {
                cause: "no answer".into(),
            };
        }
        Answer::Done
    }

    fn start(&mut self, name: &Name) -> Answer {
        let met = self.services.contains_key(name) && self.needs_met(name);
        let clock = self.clock;
        let Some(service) = self.services.get_mut(name) else {
            return Answer::Code(1060);
        };
        match service.habit {
            _ if service.start_type == StartType::Disabled => return Answer::Code(1058),
            _ if !met => return Answer::Code(1068),
            Habit::Denies => return Answer::Code(5),
            Habit::RefusesStart(code) => return Answer::Code(code),
            Habit::BusyFor(times) if service.busy < times => {
                service.busy += 1;
                return Answer::Code(1055);
            }
            Habit::Loses { works: false } => {
                return Answer::Lost {
                    cause: "no answer".into(),
                };
            }
            _ => {}
        }
        service.state = State::StartPending;
        service.pid += 1_000;
        service.coming = match service.habit {
            Habit::NeverStarts => None,
            Habit::Slow(span) => Some((clock + span, State::Running)),
            Habit::Ends(code) => {
                service.exit_code = code;
                Some((clock + Span(400), State::Stopped))
            }
            _ => Some((clock + Span(900), State::Running)),
        };
        if service.habit == (Habit::Loses { works: true }) {
            return Answer::Lost {
                cause: "no answer".into(),
            };
        }
        Answer::Done
    }
}
