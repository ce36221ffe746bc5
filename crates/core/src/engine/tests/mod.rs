//! Stories of the engine, told event by event. What happens over days and through crashes is the simulator's.

use super::Engine;
use crate::{
    effect::{Effect, Step},
    event::{Event, Verdict},
    evidence::GatherRequest,
    guest::{GuestPlan, Visit, VisitAnswer, VisitRequest},
    hearing::EarId,
    id::{Name, StoreId},
    notice::{Kind, Notice, ToldEvent},
    observe::{
        Asked, Fault, HostFault, HostReading, Logon, Observation, Outcome, ProbeId, Reading,
        ServiceConfig, ServiceReading, StartType, State,
    },
    plan::{
        DestinationPlan, EntryPlan, Expect, GroupPlan, HostPlan, Limit, LimitPer, Matcher,
        NoticePlan, Plan, RoutePlan, Selector, StoppedOk, StuckAfter, Wanted,
    },
    record::{Record, Restored},
    time::{Now, Span, Tick, Wall},
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};

mod boots;
mod ended;
mod grouped;
mod heard;
mod logons;
mod muted;
mod reasons;
mod remedied;
mod restarts;
mod rested;
mod selection;
mod stirred;
mod told;
mod visited;

/// An engine with a clock, and a world that answers at once.
struct Story {
    engine: Engine,
    now: u64,
    steps: Vec<Step>,
    probes: Vec<(Name, ProbeId)>,
    told: Vec<Arc<Notice>>,
    deliver: bool,
    /// The registrations that are wanted, by service.
    ears: Vec<(Name, EarId)>,
    /// How services are set up, where not as [`config`] says.
    configs: Vec<ServiceConfig>,
    /// What hosts are asked for to explain their services, not answered yet.
    asked: Vec<GatherRequest>,
    /// Guests that are to be read, not answered yet.
    visits: Vec<VisitRequest>,
    /// What those are told who asked for guests.
    answers: Vec<(Visit, VisitAnswer)>,
    /// Guests whose sessions are to be closed.
    left: Vec<Visit>,
}

fn at(milliseconds: u64) -> Now {
    Now {
        tick: Tick(milliseconds),
        wall: Wall(1_700_000_000_000) + Span(milliseconds),
    }
}

fn entry(name: &str) -> EntryPlan {
    EntryPlan {
        selector: Selector::Name(name.into()),
        expect: Expect::Running,
        for_span: Span::ZERO,
        confirm: 1,
        instant: false,
        required: true,
        counted: false,
        remedy: None,
        recovery: false,
        stopped_ok: StoppedOk::Never,
        changes: false,
        noise: None,
        friendly_name: None,
        severity: None,
        labels: Arc::from([]),
    }
}

fn host(name: &str, services: &[&str]) -> HostPlan {
    HostPlan {
        name: name.into(),
        address: name.into(),
        site: None,
        account: None,
        every: Span::seconds(30).into(),
        timeout: Span::seconds(10),
        host_for: Span::seconds(90),
        settle: Span::seconds(3),
        boot_grace: Span::minutes(10),
        also_known_as: Vec::new(),
        listed: false,
        tells_by_itself: false,
        labels: Arc::from([]),
        services: services.iter().map(|name| entry(name)).collect(),
    }
}

fn plan(hosts: Vec<HostPlan>) -> Plan {
    Plan {
        hosts: hosts.into_iter().map(Arc::new).collect(),
        accounts: Vec::new(),
        destinations: vec![DestinationPlan {
            name: "hook".into(),
            recipients: vec![Arc::from("")],
            limit: None,
        }],
        routes: Vec::new(),
        notices: NoticePlan::default(),
        stuck_after: StuckAfter::default(),
        maintenance: Vec::new(),
        instant_off: false,
        evidence: None,
        groups: Vec::new(),
        guests: GuestPlan::default(),
    }
}

fn reading(state: State) -> Reading {
    Reading {
        state,
        pid: (state == State::Running).then_some(4),
        exit_code: Some(0),
        service_exit_code: Some(0),
        checkpoint: 0,
        wait_hint: Span::ZERO,
    }
}

fn list(services: &[(&str, State)]) -> Outcome {
    let services = services
        .iter()
        .map(|(name, state)| ServiceReading {
            name: (*name).to_string(),
            display_name: (*name).to_string(),
            reading: reading(*state),
        })
        .collect();
    Outcome::Read(HostReading {
        services,
        ..HostReading::default()
    })
}

/// How every service is set up.
fn config(service: &Name) -> ServiceConfig {
    ServiceConfig {
        name: service.as_str().to_string(),
        start_type: Some(StartType::Manual),
        binary_path: Some("svchost.exe -k net".to_string()),
        account: Some("LocalSystem".to_string()),
        dependencies: Some(vec!["RPCSS".to_string()]),
        ..ServiceConfig::default()
    }
}

fn fault(fault: Fault) -> Outcome {
    Outcome::Fault(HostFault {
        fault,
        cause: "as the story says".to_string(),
        refusal: None,
    })
}

impl Story {
    fn new(plan: Plan) -> Self {
        let (engine, step) = Engine::restore(
            Restored {
                store: StoreId([1; 16]),
                ..Restored::default()
            },
            &Arc::new(plan),
            at(0),
        );
        let mut story = Self {
            engine,
            now: 0,
            steps: Vec::new(),
            probes: Vec::new(),
            told: Vec::new(),
            deliver: true,
            ears: Vec::new(),
            configs: Vec::new(),
            asked: Vec::new(),
            visits: Vec::new(),
            answers: Vec::new(),
            left: Vec::new(),
        };
        story.take(step);
        story
    }

    fn apply(&mut self, event: Event) {
        let step = self.engine.apply(at(self.now), event);
        self.take(step);
    }

    /// Does what a step says, as a world in which everything works would.
    fn take(&mut self, step: Step) {
        self.steps.push(step.clone());
        for effect in step.effects {
            match effect {
                Effect::Probe(request) => self.probes.push((request.host, request.probe)),
                Effect::Render {
                    delivery, notice, ..
                } => {
                    self.told.push(notice);
                    self.apply(Event::Rendered {
                        delivery,
                        payload: Ok(Arc::from(*b"message")),
                    });
                }
                Effect::Send { delivery, .. } => {
                    let verdict = if self.deliver {
                        Verdict::Delivered
                    } else {
                        Verdict::Retry {
                            after: None,
                            reason: "down".to_string(),
                        }
                    };
                    self.apply(Event::Settled {
                        delivery,
                        verdict,
                        answer: "200".to_string(),
                    });
                }
                Effect::ReadConfig { host, services } => {
                    let known = |name: &Name| {
                        let mut configs = self.configs.iter();
                        configs
                            .find(|known| Name::new(&known.name) == *name)
                            .cloned()
                    };
                    let services = services.iter();
                    let services = Ok(services
                        .map(|name| known(name).unwrap_or_else(|| config(name)))
                        .collect());
                    self.apply(Event::ConfigRead { host, services });
                }
                Effect::Gather(request) => self.asked.push(request),
                Effect::Listen { service, ear, .. } => self.ears.push((service, ear)),
                Effect::StopListening { ear, .. } => {
                    self.ears.retain(|(_, known)| *known != ear);
                }
                Effect::Visit(request) => self.visits.push(request),
                Effect::AnswerVisit { visit, answer } => self.answers.push((visit, answer)),
                Effect::Leave(visit) => self.left.push(visit),
                Effect::Forget { .. } | Effect::Act(_) | Effect::Show(_) | Effect::Note(_) => {}
            }
        }
    }

    /// Lets time pass, answering every probe with the same outcome.
    fn pass(&mut self, span: Span, outcome: &Outcome) {
        self.pass_each(span, |_| outcome.clone());
    }

    /// Lets time pass, answering every probe with the outcome of its host.
    fn pass_each(&mut self, span: Span, outcome: impl Fn(&str) -> Outcome) {
        let end = self.now + span.0;
        loop {
            for (host, probe) in core::mem::take(&mut self.probes) {
                let outcome = outcome(host.as_str());
                self.answer(host, probe, outcome);
            }
            let next = self
                .engine
                .next_deadline()
                .map_or(end, |at| at.0)
                .max(self.now);
            if next > end {
                break;
            }
            if next == self.now && self.engine.next_deadline().is_none_or(|at| at.0 > self.now) {
                break;
            }
            self.now = next;
            self.apply(Event::Tick);
        }
        self.now = end;
    }

    fn answer(&mut self, host: Name, probe: ProbeId, outcome: Outcome) {
        let session_kept = matches!(outcome, Outcome::Read(_));
        self.apply(Event::Observed(Observation {
            host,
            probe,
            refusals: 0,
            administrator: None,
            took: Span(5),
            logon: Logon::Accepted,
            computer_name: Some("PC".to_string()),
            outcome,
            session_kept,
        }));
    }

    fn words(&self) -> Vec<(Kind, ToldEvent)> {
        self.told
            .iter()
            .map(|notice| (notice.kind, notice.event))
            .collect()
    }
}

#[test]
fn a_service_stops_and_starts() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler"])]));
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Running)]));
    assert_eq!(story.words(), []);
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Stopped)]));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    assert_eq!(story.told[0].previous_state, Some(State::Running));
    story.pass(Span::minutes(2), &list(&[("Spooler", State::Running)]));
    assert_eq!(
        story.words(),
        [
            (Kind::Opened, ToldEvent::Stopped),
            (Kind::Resolved, ToldEvent::Started)
        ]
    );
    assert_eq!(story.told[0].incident, story.told[1].incident);
}

#[test]
fn a_named_service_is_told_at_first_sight_and_a_matched_one_is_not() {
    let mut lab = host("lab", &["Spooler"]);
    lab.services.push(EntryPlan {
        selector: Selector::NameGlob(crate::glob::Glob::new("*")),
        required: false,
        ..entry("x")
    });
    let mut story = Story::new(plan(vec![lab]));
    story.pass(
        Span::minutes(1),
        &list(&[("Spooler", State::Stopped), ("Themes", State::Stopped)]),
    );
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    assert_eq!(story.told[0].subject.service(), Some(&"Spooler".into()));
    assert_eq!(story.told[0].previous_state, None);
}

#[test]
fn many_already_wrong_are_one_summary_and_each_end_is_told() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut story = Story::new(plan(vec![host("srv01", &names)]));
    let stopped: Vec<(&str, State)> = names.iter().map(|name| (*name, State::Stopped)).collect();
    story.pass(Span::minutes(1), &list(&stopped));
    assert_eq!(story.words(), [(Kind::Summary, ToldEvent::Stopped)]);
    assert_eq!(story.told[0].items.len(), 6);
    let running: Vec<(&str, State)> = names.iter().map(|name| (*name, State::Running)).collect();
    story.pass(Span::minutes(1), &list(&running));
    assert_eq!(story.words().len(), 7);
    assert!(
        story.words()[1..]
            .iter()
            .all(|word| *word == (Kind::Resolved, ToldEvent::Started))
    );
}

#[test]
fn a_dead_host_is_one_notice_and_its_services_none() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler", "W3SVC"])]));
    let running = list(&[("Spooler", State::Running), ("W3SVC", State::Running)]);
    story.pass(Span::minutes(1), &running);
    story.pass(Span::seconds(80), &fault(Fault::Unreachable));
    assert_eq!(story.words(), [], "it has not lasted yet");
    story.pass(Span::minutes(3), &fault(Fault::Timeout));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::HostUnreachable)]);
    story.pass(Span::minutes(1), &running);
    assert_eq!(
        story.words()[1..],
        [(Kind::Resolved, ToldEvent::HostRecovered)]
    );
}

#[test]
fn another_computer_is_not_believed() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler"])]));
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    let end = story.now + 180_000;
    while story.now < end {
        story.now = story
            .engine
            .next_deadline()
            .map_or(end, |at| at.0)
            .max(story.now + 1);
        story.apply(Event::Tick);
        for (host, probe) in core::mem::take(&mut story.probes) {
            story.apply(Event::Observed(Observation {
                host,
                probe,
                refusals: 0,
                administrator: None,
                took: Span(5),
                logon: Logon::Accepted,
                computer_name: Some("OTHER".to_string()),
                outcome: list(&[("Spooler", State::Stopped)]),
                session_kept: true,
            }));
        }
    }
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::WrongHost)]);
}

#[test]
fn hidden_and_missing_are_not_stopped() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler"])]));
    story.pass(Span::minutes(1), &list(&[("Spooler", State::Running)]));
    let gone = |asked| {
        Outcome::Read(HostReading {
            services: Vec::new(),
            asked: vec![("Spooler".into(), asked)],
            uptime: None,
        })
    };
    story.pass(Span::minutes(1), &gone(Asked::Hidden));
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Hidden)]);
    story.pass(Span::minutes(1), &gone(Asked::Missing));
    assert_eq!(story.words()[1..], [(Kind::Updated, ToldEvent::Missing)]);
}

#[test]
fn a_limit_merges_and_never_drops_the_last_word() {
    let mut often = host("srv01", &["Spooler"]);
    often.settle = Span::ZERO;
    often.every = Span::seconds(5).into();
    let mut planned = plan(vec![often]);
    planned.destinations[0].limit = Some(Limit {
        per: LimitPer::Service,
        every: Span::minutes(10),
    });
    let mut story = Story::new(planned);
    let (running, stopped) = (
        list(&[("Spooler", State::Running)]),
        list(&[("Spooler", State::Stopped)]),
    );
    story.pass(Span::seconds(30), &running);
    for _ in 0..5 {
        story.pass(Span::seconds(30), &stopped);
        story.pass(Span::seconds(30), &running);
    }
    assert_eq!(story.words(), [(Kind::Opened, ToldEvent::Stopped)]);
    story.pass(Span::minutes(30), &running);
    assert_eq!(story.words()[1..], [(Kind::Resolved, ToldEvent::Started)]);
    assert_eq!(
        story.told[1].merged.len(),
        4,
        "the four that came and went untold"
    );
}

#[test]
fn a_destination_that_is_down_gets_everything_in_order_later() {
    let mut story = Story::new(plan(vec![host("srv01", &["Spooler"])]));
    let (running, stopped) = (
        list(&[("Spooler", State::Running)]),
        list(&[("Spooler", State::Stopped)]),
    );
    story.pass(Span::minutes(1), &running);
    story.deliver = false;
    story.pass(Span::minutes(1), &stopped);
    story.pass(Span::minutes(1), &running);
    story.deliver = true;
    story.pass(Span::minutes(10), &running);
    assert_eq!(
        story.words(),
        [
            (Kind::Opened, ToldEvent::Stopped),
            (Kind::Resolved, ToldEvent::Started)
        ]
    );
}
