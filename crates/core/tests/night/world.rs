//! Three thousand hosts in virtual time, of which some are booted in a night: what the engine asks and tells, when, and
//! how much time of the processor it needs for that. Everything else answers as a world in which all works.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use svcwatch_core::{
    effect::{Effect, ProbeRequest, Step},
    engine::Engine,
    event::{Event, Verdict},
    guest::GuestPlan,
    id::{Name, StoreId},
    notice::Notice,
    observe::{
        Fault, HostFault, HostReading, Logon, Observation, Outcome, Reading, Refusal,
        ServiceReading, State,
    },
    plan::{
        DestinationPlan, EntryPlan, Expect, HostPlan, NoticePlan, Plan, Selector, StoppedOk,
        StuckAfter,
    },
    record::Restored,
    time::{Now, Span, Tick, Wall},
};

/// How many hosts there are.
pub(crate) const HOSTS: usize = 3_000;
/// How many of them are booted in the night.
pub(crate) const BOOTED: usize = 1_000;
/// The watched services of each.
const SERVICES: [&str; 4] = ["DHCPServer", "LanmanServer", "Spooler", "W3SVC"];
/// How long a service takes to go down as its host shuts down, in milliseconds.
const STEP: u64 = 700;
/// When a host that shuts down begins to say so, in milliseconds.
const SAYS_SO: u64 = 2_000;

/// A boot of a host, in milliseconds of the world.
#[derive(Debug, Clone, Copy)]
struct Boot {
    /// When it begins to shut down.
    down: u64,
    /// When nothing answers any more.
    gone: u64,
    /// When it is back.
    back: u64,
    /// Whether the last of its services stays stopped then.
    lacks: bool,
}

/// A message that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// When, in milliseconds of the world.
    pub(crate) at: u64,
    /// Where to.
    pub(crate) destination: Name,
    /// What.
    pub(crate) notice: Arc<Notice>,
}

/// The world with its one engine.
#[derive(Debug)]
pub(crate) struct World {
    engine: Engine,
    /// Milliseconds since it began.
    now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    asked: BTreeMap<(u64, u64), ProbeRequest>,
    queued: u64,
    sessions: BTreeSet<Name>,
    boots: BTreeMap<Name, Boot>,
    /// Hosts with which the password of the account is another one.
    pub(crate) refusing: BTreeSet<Name>,
    /// When each logon was refused.
    pub(crate) refused: Vec<u64>,
    /// When each logon was made.
    pub(crate) logons: Vec<u64>,
    /// When each host was read first.
    pub(crate) read: BTreeMap<Name, u64>,
    /// What was sent.
    pub(crate) sent: Vec<Sent>,
    /// How long the engine itself took.
    pub(crate) busy: Duration,
}

/// The name of a host.
fn name(host: usize) -> Name {
    Name::new(&format!("srv{host:04}"))
}

fn entry(service: &str) -> EntryPlan {
    EntryPlan {
        selector: Selector::Name(Name::new(service)),
        expect: Expect::Running,
        for_span: Span::ZERO,
        confirm: 1,
        required: true,
        stopped_ok: StoppedOk::Never,
        changes: false,
        noise: None,
        counted: false,
        remedy: None,
        recovery: false,
        instant: false,
        friendly_name: None,
        severity: None,
        labels: Arc::from([]),
    }
}

fn plan() -> Plan {
    let hosts = (0..HOSTS).map(|host| {
        Arc::new(HostPlan {
            name: name(host),
            address: format!("192.0.2.{}", host % 250),
            site: None,
            account: Some(Name::new("ops")),
            every: Span::seconds(30).into(),
            timeout: Span::seconds(10),
            host_for: Span::seconds(90),
            settle: Span::seconds(3),
            boot_grace: Span::minutes(10),
            also_known_as: Vec::new(),
            listed: false,
            tells_by_itself: false,
            labels: Arc::from([]),
            services: SERVICES.iter().map(|service| entry(service)).collect(),
        })
    });
    let destination = |name: &str| DestinationPlan {
        name: Name::new(name),
        recipients: vec![Arc::from("")],
        limit: None,
    };
    Plan {
        hosts: hosts.collect(),
        accounts: vec![Name::new("ops")],
        destinations: vec![destination("duty"), destination("hook")],
        routes: Vec::new(),
        notices: NoticePlan::default(),
        stuck_after: StuckAfter::default(),
        instant_off: false,
        evidence: None,
        maintenance: Vec::new(),
        groups: Vec::new(),
        guests: GuestPlan::default(),
    }
}

impl World {
    /// The world at the start of the engine with a new store.
    pub(crate) fn new() -> Self {
        let restored = Restored {
            store: StoreId([7; 16]),
            ..Restored::default()
        };
        let (engine, step) = Engine::restore(restored, &Arc::new(plan()), clocks(0));
        let mut world = Self {
            engine,
            now: 0,
            queue: BTreeMap::new(),
            asked: BTreeMap::new(),
            queued: 0,
            sessions: BTreeSet::new(),
            boots: BTreeMap::new(),
            refusing: BTreeSet::new(),
            refused: Vec::new(),
            logons: Vec::new(),
            read: BTreeMap::new(),
            sent: Vec::new(),
            busy: Duration::ZERO,
        };
        world.take(step);
        world
    }

    /// Each third host is booted within the ten minutes after this; it is away for between one and four minutes, and
    /// these lack a service afterwards.
    pub(crate) fn patch_night(&mut self, begin: u64) -> BTreeSet<Name> {
        let lacking: BTreeSet<Name> = [33, 1_500, 2_997].into_iter().map(name).collect();
        let hosts = (0..HOSTS).step_by(HOSTS / BOOTED).map(name);
        for (turn, host) in (0_u64..).zip(hosts) {
            let down = begin + turn * 600;
            let gone = down + 4_000 + (turn * 7_919) % 26_000;
            let back = gone + 60_000 + (turn * 104_729) % 180_000;
            let lacks = lacking.contains(&host);
            self.boots.insert(
                host,
                Boot {
                    down,
                    gone,
                    back,
                    lacks,
                },
            );
        }
        lacking
    }

    /// Somebody starts what these hosts lack.
    pub(crate) fn repair(&mut self, hosts: &BTreeSet<Name>) {
        for host in hosts {
            if let Some(boot) = self.boots.get_mut(host) {
                boot.lacks = false;
            }
        }
    }

    /// Lets the world live until then.
    pub(crate) fn live_until(&mut self, end: u64) {
        loop {
            let asked = self.asked.first_key_value().map(|((at, _), _)| *at);
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let due = self.engine.next_deadline().map(|at| at.0);
            let Some(next) = [asked, queued, due].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if let Some(first) = self
                .asked
                .first_entry()
                .filter(|one| one.key().0 <= self.now)
            {
                let request = first.remove();
                let observation = self.answer(&request);
                self.apply(Event::Observed(observation));
            } else if let Some(first) = self
                .queue
                .first_entry()
                .filter(|one| one.key().0 <= self.now)
            {
                let event = first.remove();
                self.apply(event);
            } else {
                self.apply(Event::Tick);
            }
        }
        self.now = end;
    }

    fn apply(&mut self, event: Event) {
        let before = Instant::now();
        let step = self.engine.apply(clocks(self.now), event);
        self.busy += before.elapsed();
        self.take(step);
    }

    fn take(&mut self, step: Step) {
        for effect in step.effects {
            self.queued += 1;
            match effect {
                Effect::Probe(request) => {
                    let silent = matches!(self.state(&request.host), Phase::Gone);
                    let wait = if silent { 3_000 } else { 20 };
                    self.asked.insert((self.now + wait, self.queued), request);
                }
                Effect::ReadConfig { host, services } => {
                    let configs =
                        services
                            .iter()
                            .map(|service| svcwatch_core::observe::ServiceConfig {
                                name: service.as_str().to_owned(),
                                ..Default::default()
                            });
                    let services = Ok(configs.collect());
                    let event = Event::ConfigRead { host, services };
                    self.queue.insert((self.now + 30, self.queued), event);
                }
                Effect::Render {
                    delivery,
                    destination,
                    notice,
                    ..
                } => {
                    self.sent.push(Sent {
                        at: self.now,
                        destination,
                        notice,
                    });
                    let payload = Ok(Arc::from(*b"message"));
                    let event = Event::Rendered { delivery, payload };
                    self.queue.insert((self.now + 1, self.queued), event);
                }
                Effect::Send { delivery, .. } => {
                    let event = Event::Settled {
                        delivery,
                        verdict: Verdict::Delivered,
                        answer: "200".to_owned(),
                    };
                    self.queue.insert((self.now + 50, self.queued), event);
                }
                Effect::Forget { .. }
                | Effect::Visit(_)
                | Effect::Leave(_)
                | Effect::AnswerVisit { .. }
                | Effect::Gather(_)
                | Effect::Listen { .. }
                | Effect::StopListening { .. }
                | Effect::Act(_)
                | Effect::Show(_)
                | Effect::Note(_) => {}
            }
        }
    }

    fn state(&self, host: &Name) -> Phase {
        let Some(boot) = self.boots.get(host) else {
            return Phase::Before;
        };
        match self.now {
            now if now < boot.down => Phase::Before,
            now if now < boot.down + SAYS_SO => Phase::Leaving((now - boot.down) / STEP),
            now if now < boot.gone => Phase::ShuttingDown,
            now if now < boot.back => Phase::Gone,
            now => Phase::After(now - boot.back, boot.lacks),
        }
    }

    /// What a probe brings back.
    fn answer(&mut self, request: &ProbeRequest) -> Observation {
        let phase = self.state(&request.host);
        let kept = self.sessions.contains(&request.host);
        let (mut logon, mut outcome) = (Logon::None, Outcome::LogonNeeded);
        let fault = |fault| {
            Outcome::Fault(HostFault {
                fault,
                cause: format!("it said {fault}"),
                refusal: (fault == Fault::LogonRefused).then_some(Refusal::WrongPassword),
            })
        };
        let mut refusals = 0;
        if phase == Phase::Gone {
            outcome = fault(Fault::Unreachable);
            self.sessions.remove(&request.host);
        } else if request.may_log_on && self.refusing.contains(&request.host) {
            outcome = fault(Fault::LogonRefused);
            refusals = 1;
            self.refused.push(self.now);
        } else if kept || request.may_log_on {
            if !kept {
                logon = Logon::Accepted;
                self.logons.push(self.now);
                self.sessions.insert(request.host.clone());
            }
            outcome = match phase {
                Phase::ShuttingDown => fault(Fault::ShuttingDown),
                _ => Outcome::Read(reading(phase, request.uptime, self.now)),
            };
            self.read.entry(request.host.clone()).or_insert(self.now);
        }
        Observation {
            host: request.host.clone(),
            probe: request.probe,
            refusals,
            administrator: None,
            took: Span(20),
            logon,
            computer_name: Some(request.host.as_str().to_uppercase()),
            session_kept: self.sessions.contains(&request.host),
            outcome,
        }
    }
}

/// Where a host is in its boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    /// So many of its services are stopped.
    Leaving(u64),
    ShuttingDown,
    Gone,
    /// So long after its boot, and whether it lacks one.
    After(u64, bool),
}

fn reading(phase: Phase, uptime: bool, now: u64) -> HostReading {
    let services = (0_u32..).zip(SERVICES).map(|(place, service)| {
        let last = place == 3;
        let (state, boot) = match phase {
            Phase::Leaving(stopped) if u64::from(place) < stopped => (State::Stopped, 0),
            Phase::After(_, true) if last => (State::Stopped, 1),
            Phase::After(since, _) if since < 20_000 && place > 0 => (State::StartPending, 1),
            Phase::After(..) => (State::Running, 1),
            _ => (State::Running, 0),
        };
        let pid = (state != State::Stopped).then_some(1_000 + 40 * place + 7_000 * boot);
        ServiceReading {
            name: service.to_owned(),
            display_name: service.to_owned(),
            reading: Reading {
                state,
                pid,
                exit_code: Some(0),
                service_exit_code: Some(0),
                checkpoint: 0,
                wait_hint: Span::ZERO,
            },
        }
    });
    let runs = match phase {
        Phase::After(since, _) => since + 30_000,
        _ => now + 86_400_000,
    };
    HostReading {
        services: services.collect(),
        uptime: uptime.then_some(Span(runs)),
        ..HostReading::default()
    }
}

/// Both clocks of the engine; the one for durations shows the time of the world.
fn clocks(now: u64) -> Now {
    Now {
        tick: Tick(now),
        wall: Wall(1_790_000_000_000) + Span(now),
    }
}
