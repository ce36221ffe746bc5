//! Services that the monitor starts again: what comes of it in the world, and the rules about when it may.
//!
//! The judge counts tries by itself, from their rows, so that a monitor that forgets or repeats one is found out; and it
//! knows which reading came after which try.

use crate::{
    item::Item,
    oracle::{Oracle, Window},
    readings::{entry_of, host_of},
    rng::Rng,
    setup::{HOUR, MINUTE, SECOND, Setup},
    store::Store,
    story::{Happening, ServiceChange, What},
    world::World,
};
use std::{collections::BTreeMap, sync::Arc};
use svcwatch_core::{
    cause::Cause,
    effect::ActRequest,
    event::Event,
    id::{IncidentId, Name, Subject, stable_hash},
    limits,
    notice::{Kind, Notice, ToldEvent},
    observe::State,
    plan::Expect,
    remedy::{
        ActId, Budget, Budgets, EntryRemedy, Occasion, Outcome, RemedyPlan, RemedyRow, Scope,
    },
    time::Span,
};

/// How soon a machine starts a service again by itself, at the earliest.
const FIRST_TURN: u64 = 30 * SECOND;

/// In some worlds services are to be started again.
pub(crate) fn gather(seed: u64, setup: &mut Setup) {
    let mut rng = Rng::new(seed, 21);
    if rng.chance(50) {
        return;
    }
    let plans: Vec<Arc<RemedyPlan>> = ["restart", "gently"]
        .iter()
        .map(|name| Arc::new(plan(&mut rng, name)))
        .collect();
    let none = rng.chance(10);
    for host in &mut setup.plan.hosts {
        for entry in &mut Arc::make_mut(host).services {
            let plan = Arc::clone(&plans[rng.index(plans.len())]);
            if rng.chance(80) {
                entry.remedy = Some(Arc::new(EntryRemedy {
                    plan,
                    group: rng.pick(&[None, Some("web")]).map(Name::new),
                    may_act: !none,
                }));
            }
        }
    }
}

fn plan(rng: &mut Rng, name: &str) -> RemedyPlan {
    let within = Span(rng.pick(&[10 * MINUTE, HOUR, 5 * HOUR]));
    let mut budget = |most| Budget {
        acts: u32::try_from(rng.between(1, most)).unwrap_or(1),
        within,
    };
    let budget = Budgets {
        service: budget(3),
        group: budget(5),
        fleet: budget(8),
    };
    RemedyPlan {
        attempts: rng.pick(&[1, 2, 3, 3]),
        every: Span(rng.pick(&[5 * SECOND, MINUTE, 5 * MINUTE])),
        budget,
        causes: rng.pick(&[Occasion::DEFAULT, Occasion::ALL]).to_vec(),
        dry_run: rng.chance(15),
        ..RemedyPlan::new(&Name::new(name))
    }
}

/// What happens to such services: they fail, they are stopped on purpose, and the monitor dies while it acts.
pub(crate) fn stories(seed: u64, setup: &Setup, story: &mut Vec<Happening>) {
    let mut rng = Rng::new(seed, 22);
    let mut hosts = setup.plan.hosts.iter();
    if !hosts.any(|host| host.services.iter().any(|entry| entry.remedy.is_some())) {
        return;
    }
    for _ in 0..rng.between(4, 16) {
        let at = rng.between(5 * MINUTE, setup.horizon);
        let machine = rng.index(setup.machines.len());
        let service = rng.index(crate::clusters::others(&setup.machines[machine]));
        let change = match rng.below(8) {
            0 | 1 => ServiceChange::Stop,
            2 => ServiceChange::Die(rng.pick(&[1_058, 1_068, 1_069, 1_053])),
            _ => ServiceChange::Die(1_067),
        };
        story.push(Happening {
            at,
            what: What::Service(machine, service, change),
        });
        if rng.chance(30) {
            let what = What::Service(machine, service, ServiceChange::Start);
            let at = at + rng.between(MINUTE, HOUR);
            story.push(Happening { at, what });
        }
        if rng.chance(30) {
            let what = What::Crash(rng.pick(&[SECOND, MINUTE, 10 * MINUTE]));
            let at = at + rng.between(SECOND, 5 * MINUTE);
            story.push(Happening { at, what });
        }
        // It fails again and again, so that budgets are used up.
        if rng.chance(30) {
            for round in 1..rng.between(3, 7) {
                let what = What::Service(machine, service, ServiceChange::Die(1_067));
                let at = at + round * rng.pick(&[3 * MINUTE, 6 * MINUTE]);
                story.push(Happening { at, what });
            }
        }
    }
}

/// A try, as the judge knows it.
#[derive(Debug, Clone)]
struct Seen {
    row: RemedyRow,
    window: Window,
}

/// What the judge knows of tries.
#[derive(Debug, Default)]
pub(crate) struct Acts {
    /// All that were begun, in order.
    begun: Vec<Seen>,
    /// When the last try for a service ended, or the monitor died with it.
    ended: BTreeMap<(Name, Name), u64>,
    /// When the last reading of a host that came to an end was begun.
    read: BTreeMap<Name, u64>,
    /// How many were carried out.
    pub(crate) carried_out: usize,
}

impl World {
    /// The monitor wants a service to be started.
    pub(crate) fn begin_act(&mut self, request: ActRequest) {
        let durable = self
            .store
            .remedies
            .get(&request.act)
            .is_some_and(|row| row.outcome.is_none());
        if !durable {
            let sentence = format!("{} is begun and is not written down as such", request.act);
            self.oracle.broken("P5", sentence);
        }
        if self.clocks().tick >= request.begin_before {
            self.answer_act(&request.act, Outcome::TooLate);
            return;
        }
        if request.dry_run {
            self.answer_act(&request.act, Outcome::DryRun);
            return;
        }
        self.judge_machine_first(&request);
        self.oracle.acts.carried_out += 1;
        let wait = Rng::new(stable_hash(request.act.as_str(), 31), 1).between(50, 40 * SECOND);
        self.later(self.now + wait, Item::Act(request));
    }

    /// A machine that starts a failed service again by itself is let do so.
    fn judge_machine_first(&mut self, request: &ActRequest) {
        let Some(&at) = self.names.get(&request.host) else {
            return;
        };
        let key = (request.host.clone(), request.service.clone());
        let Some(target) = self.store.targets.get(&key) else {
            return;
        };
        let actions = target.details.as_ref().map(|one| &one.failure_actions);
        let first = target.restarts.as_ref().is_none_or(|one| one.failures == 0);
        let has = actions.is_some_and(Option::is_some) && first;
        let mut services = self.machines[at].services.iter();
        let service = services.find(|service| service.name == request.service);
        let Some(service) = service.filter(|_| has) else {
            return;
        };
        let (state, since, _) = service.state(self.now);
        let ago = self.now - since + self.oracle.forward_since(since);
        let failed = state == State::Stopped && service.reading(self.now).exit_code == Some(1_067);
        // What ran between two readings nobody knows of, but for what a try of the monitor's own came to.
        let wrong = target.wrong_since.unwrap_or(target.since);
        let known = self.clocks().wall.since(wrong).0 < FIRST_TURN;
        let ended = self.oracle.acts.ended.get(&key);
        let known = known || ended.is_some_and(|ended| ended + FIRST_TURN > self.now);
        if failed && known && ago < FIRST_TURN {
            let sentence = format!(
                "{}/{} is started {ago} ms after it failed, before its machine had its turn",
                request.host, request.service
            );
            self.oracle.broken("remedy", sentence);
        }
    }

    /// What a try comes to.
    pub(crate) fn act_ends(&mut self, request: &ActRequest) {
        let mut rng = Rng::new(stable_hash(request.act.as_str(), 32), 2);
        let outcome = match rng.below(10) {
            0..5 => Outcome::Started,
            5 | 6 => Outcome::Failed,
            7 => Outcome::Denied,
            _ => Outcome::Unknown,
        };
        let reached = self.acts_on(request, outcome, &mut rng);
        let outcome = if reached { outcome } else { Outcome::Unknown };
        let wait = match outcome {
            Outcome::Started => crate::held::proof(&request.act),
            _ => 0,
        };
        self.later(self.now + wait, Item::Acted(request.act.clone(), outcome));
    }

    /// Does what a try does; whether it got there.
    pub(crate) fn acts_on(
        &mut self,
        request: &ActRequest,
        outcome: Outcome,
        rng: &mut Rng,
    ) -> bool {
        let Some(&at) = self.names.get(&request.host) else {
            return false;
        };
        if self.machines[at].mode(self.now) != crate::machines::Mode::Well {
            return false;
        }
        let now = self.now;
        let mut services = self.machines[at].services.iter_mut();
        let Some(service) = services.find(|service| service.name == request.service) else {
            return false;
        };
        let stopped = service.state(now).0 == State::Stopped;
        let change = match outcome {
            Outcome::Started => Some(ServiceChange::Start),
            Outcome::Failed => Some(ServiceChange::Die(1_053)),
            Outcome::Unknown => rng
                .chance(50)
                .then_some(ServiceChange::SlowStart(3, SECOND)),
            Outcome::Denied | Outcome::TooLate | Outcome::DryRun => None,
        };
        if let Some(change) = change.filter(|_| stopped) {
            service.change(now, change);
            self.stirs(at);
            self.look_at_ears();
        }
        true
    }

    /// The monitor is told what a try came to.
    pub(crate) fn answer_act(&mut self, act: &ActId, outcome: Outcome) {
        self.tell(Event::Acted {
            act: act.clone(),
            outcome,
            text: "as the world says".to_string(),
        });
    }

    /// The monitor dies while it acts: what was asked for may happen all the same.
    pub(crate) fn act_dies(&mut self, request: &ActRequest) {
        let mut rng = Rng::new(stable_hash(request.act.as_str(), 33), 3);
        if rng.chance(50) {
            self.acts_on(request, Outcome::Started, &mut rng);
        }
    }
}

impl Oracle {
    /// A reading of a host has come to an end.
    pub(crate) fn read_for_acts(&mut self, host: &Name, began: u64) {
        self.acts.read.insert(host.clone(), began);
    }

    /// A try is written down.
    pub(crate) fn judge_remedy(&mut self, store: &Store, window: Window, row: &RemedyRow) {
        let key = (row.host.clone(), row.service.clone());
        let known = store.remedies.get(&row.id);
        if row.outcome.is_some() {
            if known.is_some_and(|known| known.outcome.is_none()) {
                self.acts.ended.insert(key, window.from);
            }
            return;
        }
        if known.is_some() {
            // Only that a budget was told.
            return;
        }
        let broken = Self::judge_twice(store, row)
            .or_else(|| self.judge_reading(row))
            .or_else(|| self.judge_cause(store, row))
            .or_else(|| self.judge_covered(store, window, row))
            .or_else(|| self.judge_tries(store, window, row));
        if let Some(why) = broken {
            let sentence = format!("{}/{} is to be started {why}", row.host, row.service);
            self.broken("remedy", sentence);
        }
        let row = row.clone();
        self.acts.begun.push(Seen { row, window });
    }

    fn judge_twice(store: &Store, row: &RemedyRow) -> Option<String> {
        let open = store.remedies.values().filter(|one| one.outcome.is_none());
        let open: Vec<&RemedyRow> = open.collect();
        let there = open.iter().filter(|one| one.host == row.host).count();
        if open
            .iter()
            .any(|one| one.host == row.host && one.service == row.service)
        {
            return Some("while it is being started".to_string());
        }
        (there >= limits::ACTS_PER_HOST_MAX || open.len() >= limits::ACTS_MAX)
            .then(|| "beside more others than may be at once".to_string())
    }

    /// It is decided by a reading that was begun after the last try had ended.
    fn judge_reading(&self, row: &RemedyRow) -> Option<String> {
        let key = (row.host.clone(), row.service.clone());
        let ended = self.acts.ended.get(&key)?;
        let read = self.acts.read.get(&row.host).copied().unwrap_or(0);
        // The batch that wrote the end down began a moment before it.
        (read < *ended)
            .then(|| format!("by a reading of {read}, and the last try ended at {ended}"))
    }

    fn judge_cause(&self, store: &Store, row: &RemedyRow) -> Option<String> {
        let key = (row.host.clone(), row.service.clone());
        let target = store.targets.get(&key)?;
        if target.state != State::Stopped {
            return Some(format!("while it is {}", target.state));
        }
        match target.exit_code {
            Some(code @ (1_058 | 1_068 | 1_069 | 1_075)) => {
                return Some(format!("although it ended with {code}"));
            }
            Some(0) if !self.is_explained(store, row) => {
                return Some("although it was stopped in an orderly way".to_string());
            }
            _ => {}
        }
        let plan = self.plan();
        let entry = host_of(&plan, &row.host).and_then(|host| entry_of(host, &row.service))?;
        let wanted = matches!(entry.expect, Expect::Running | Expect::Either) && !entry.counted;
        (!wanted).then(|| "although it is none to be started".to_string())
    }

    /// Whether an event or a boot says that an end with code 0 was none that somebody wanted.
    fn is_explained(&self, store: &Store, row: &RemedyRow) -> bool {
        let incident = store.incidents.get(&row.incident);
        let evidence = incident.and_then(|incident| incident.evidence.as_ref());
        evidence.is_some_and(|evidence| match evidence.cause {
            Cause::Crashed | Cause::FailedToStart => self.plan().evidence.is_some(),
            Cause::HostRebooted => true,
            _ => false,
        })
    }

    fn judge_covered(&self, store: &Store, window: Window, row: &RemedyRow) -> Option<String> {
        let subject = Subject::Service {
            host: row.host.clone(),
            service: row.service.clone(),
        };
        let any = Notice::new(Kind::Opened, ToldEvent::Stopped, row.at, Subject::Fleet, 0);
        if let Some(mute) = self.surely_muted(store, window, &subject, &any) {
            return Some(format!("although {mute} covers it"));
        }
        let boot = store.hosts.get(&row.host)?.boot;
        let jumped = self.jumps.iter().any(|(at, _)| *at + HOUR > window.from);
        let grace = boot.grace_until.is_some_and(|until| until > row.at);
        (grace && !jumped).then(|| "although its host was just booted".to_string())
    }

    fn judge_tries(&self, store: &Store, window: Window, row: &RemedyRow) -> Option<String> {
        let plan = self.remedy_within(window, row)?;
        let counts = |one: &&Seen| {
            let outcome = store.remedies.get(&one.row.id).and_then(|one| one.outcome);
            one.row.dry_run == row.dry_run && outcome != Some(Outcome::TooLate)
        };
        let of_incident = |incident: &IncidentId| {
            let begun = self.acts.begun.iter().filter(counts);
            begun.filter(|one| one.row.incident == *incident).count()
        };
        let made = of_incident(&row.incident);
        if made >= usize::try_from(plan.attempts).unwrap_or(0) {
            return Some(format!("for the {}th time for one incident", made + 1));
        }
        if made + 1 != usize::try_from(row.attempt).unwrap_or(0) {
            return Some(format!("as try {} after {made} tries", row.attempt));
        }
        for scope in Scope::ALL {
            let budget = match scope {
                Scope::Service => plan.budget.service,
                Scope::Group if row.group.is_none() => continue,
                Scope::Group => plan.budget.group,
                Scope::Fleet => plan.budget.fleet,
            };
            let means = |one: &&Seen| match scope {
                Scope::Service => (&one.row.host, &one.row.service) == (&row.host, &row.service),
                Scope::Group => one.row.group == row.group,
                Scope::Fleet => true,
            };
            // A clock that was set forward before a restart makes tries look older than they are.
            let within = |one: &&Seen| {
                let from = one.window.from;
                window.until - from + self.forward_since(from) < budget.within.0
            };
            let begun = self.acts.begun.iter().filter(counts).filter(means);
            let used = begun.filter(within).count();
            if used >= usize::try_from(budget.acts).unwrap_or(0) {
                return Some(format!(
                    "although {used} tries within {} ms use up the budget of its {scope}",
                    budget.within.0
                ));
            }
        }
        None
    }

    /// The plan of a service, where it was the same in the whole window.
    fn remedy_within(&self, window: Window, row: &RemedyRow) -> Option<Arc<RemedyPlan>> {
        let plans = self.plans_within(window);
        let of = |plan: &Arc<svcwatch_core::plan::Plan>| {
            let entry = host_of(plan, &row.host).and_then(|host| entry_of(host, &row.service))?;
            entry.remedy.as_ref().map(|remedy| Arc::clone(&remedy.plan))
        };
        let first = plans.first().and_then(of)?;
        plans
            .iter()
            .all(|plan| of(plan).as_ref() == Some(&first))
            .then_some(first)
    }
}
