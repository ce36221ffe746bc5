//! The world and its clock: it drives the monitor's deciding part through virtual hours, jumping from one moment at
//! which something happens to the next.

use crate::{
    guests::Callers,
    instant::Ears,
    item::Item,
    machines::Machine,
    oracle::{Oracle, Violation, Window},
    rng::Rng,
    setup::{CANARY, HOUR, MINUTE, QUIET, Setup, interval},
    store::Store,
    story::{DestinationChange, Happening, StoreChange},
};
use std::{collections::BTreeMap, sync::Arc};
use svcwatch_core::{
    effect::Effect,
    engine::Engine,
    event::Event,
    id::{Name, StoreId},
    observe::Refusal,
    pipeline::{Action, BatchId, Pipeline},
    plan::Plan,
    record::Record,
    time::{Now, Tick, Wall},
    view::{HostView, ServiceView},
};

/// The wall clock at the beginning of the world.
pub(crate) const WALL: i64 = 1_790_000_000_000;
/// Times in a row that the monitor may ask to be looked at for something that is already due, without doing anything.
const SPINS_MAX: u32 = 2_000;
/// Steps of one run at most; more is a monitor that runs in circles.
const STEPS_MAX: u64 = 400_000;
/// How often the promises about time are looked at.
const SCAN: u64 = MINUTE;

/// An account as it truly is.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: Name,
    /// How every host refuses it, where they do.
    pub(crate) refused: Option<Refusal>,
    /// How many passwords are known of it.
    pub(crate) passwords: u8,
    /// Since when.
    pub(crate) since: u64,
}

/// A destination as it truly is.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    /// Its name.
    pub(crate) name: Name,
    /// How it answers.
    pub(crate) mode: DestinationChange,
    /// Since when.
    pub(crate) since: u64,
}

/// A batch that is being written.
#[derive(Debug, Clone)]
pub(crate) struct Writing {
    /// Which.
    pub(crate) batch: BatchId,
    /// Its rows.
    pub(crate) records: Arc<[Record]>,
    /// When it was decided.
    pub(crate) window: Window,
    /// Whether it was written, though that may have counted as a failure: writing it again changes nothing.
    pub(crate) written: bool,
    /// Whether its last commit failed, and when.
    pub(crate) failed: Option<u64>,
}

/// What the page shows.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Hosts.
    pub(crate) hosts: BTreeMap<Name, HostView>,
    /// Services.
    pub(crate) services: BTreeMap<(Name, Name), ServiceView>,
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    /// Milliseconds since it began.
    pub(crate) now: u64,
    /// By how much the wall clock is off.
    pub(crate) wall_off: i64,
    /// The first state of everything.
    pub(crate) setup: Setup,
    /// What happens.
    pub(crate) story: Vec<Happening>,
    /// Machines.
    pub(crate) machines: Vec<Machine>,
    /// Which machine stands behind the name of a host.
    pub(crate) names: BTreeMap<Name, usize>,
    /// Accounts.
    pub(crate) accounts: Vec<Account>,
    /// Destinations.
    pub(crate) destinations: Vec<Destination>,
    /// The store.
    pub(crate) store: Store,
    /// How the store fares, and since when.
    pub(crate) store_mode: (StoreChange, u64),
    /// The configuration.
    pub(crate) plan: Arc<Plan>,
    /// The judge.
    pub(crate) oracle: Oracle,
    /// What is shown.
    pub(crate) page: Page,
    /// The monitor, while it lives.
    pub(crate) monitor: Option<Pipeline>,
    /// Since when it lives, and the zero of its clock.
    pub(crate) up_since: u64,
    tick_zero: u64,
    /// The batch that is being written.
    pub(crate) writing: Option<Writing>,
    /// When the last batch was first asked for, and when it was durable.
    pub(crate) last_batch: (u64, u64),
    /// How long the monitor stays away if it dies at the next commit.
    pub(crate) dies_at_commit: Option<u64>,
    /// When the quiet began.
    pub(crate) quiet_since: Option<u64>,
    /// Services that were stopped in the quiet: machine and service.
    pub(crate) canaries: Vec<(usize, usize)>,
    queue: BTreeMap<(u64, u64), Item>,
    queued: u64,
    next_scan: u64,
    /// Who tells of changes.
    pub(crate) ears: Ears,
    /// Who asks for guests.
    pub(crate) callers: Callers,
    /// Hosts that are asked for reasons, each with until when.
    pub(crate) asked_why: BTreeMap<Name, u64>,
    /// Chance of machines, of destinations, of the store, and of crashes.
    pub(crate) chance: [Rng; 4],
    /// How many events the monitor was given.
    pub(crate) events: u64,
    aloud: bool,
}

/// How a run of the world ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// The rule that was broken, where one was.
    pub(crate) violation: Option<Violation>,
    /// How many events the monitor was given.
    pub(crate) events: u64,
    /// How many different messages arrived.
    pub(crate) messages: u64,
    /// How many incidents there were.
    pub(crate) incidents: usize,
    /// How often the monitor died.
    pub(crate) crashes: usize,
    /// How often it set out to start a service.
    pub(crate) acts: usize,
}

/// Runs a story to its end.
pub(crate) fn run(seed: u64, setup: &Setup, story: &[Happening]) -> Ended {
    live(World::new(seed, setup.clone(), story.to_vec()))
}

/// Runs a story and prints what the monitor decides and sends.
pub(crate) fn run_aloud(seed: u64, setup: &Setup, story: &[Happening]) -> Ended {
    live(World {
        aloud: true,
        ..World::new(seed, setup.clone(), story.to_vec())
    })
}

fn live(mut world: World) -> Ended {
    world.live();
    Ended {
        violation: world.oracle.found.take(),
        events: world.events,
        messages: world.oracle.ledger.messages,
        incidents: world.store.incidents.len(),
        crashes: world.oracle.crashes.len(),
        acts: world.oracle.acts.carried_out,
    }
}

impl World {
    fn new(seed: u64, setup: Setup, story: Vec<Happening>) -> Self {
        let plan = Arc::new(setup.plan.clone());
        let account = |name: &Name| Account {
            name: name.clone(),
            refused: None,
            passwords: if name.as_str().len().is_multiple_of(2) {
                2
            } else {
                1
            },
            since: 0,
        };
        let destination = |name: &Name| Destination {
            name: name.clone(),
            mode: DestinationChange::Heal,
            since: 0,
        };
        let mut id = [0; 16];
        id[..8].copy_from_slice(&seed.to_le_bytes());
        let mut world = Self {
            now: 0,
            wall_off: 0,
            machines: setup.machines.iter().map(Machine::new).collect(),
            names: (0..setup.machines.len())
                .map(|at| (crate::setup::host_name(at), at))
                .collect(),
            accounts: setup.accounts.iter().map(account).collect(),
            destinations: plan
                .destinations
                .iter()
                .map(|one| destination(&one.name))
                .collect(),
            store: Store {
                id: StoreId(id),
                ..Store::default()
            },
            store_mode: (StoreChange::Heal, 0),
            oracle: Oracle::new(Arc::clone(&plan)),
            plan,
            page: Page::default(),
            monitor: None,
            up_since: 0,
            tick_zero: 0,
            writing: None,
            last_batch: (0, 0),
            dies_at_commit: None,
            quiet_since: None,
            canaries: Vec::new(),
            queue: BTreeMap::new(),
            queued: 0,
            next_scan: SCAN,
            ears: Ears::new(seed),
            callers: Callers::new(seed),
            asked_why: BTreeMap::new(),
            chance: [3, 4, 5, 6].map(|purpose| Rng::new(seed, purpose)),
            events: 0,
            aloud: false,
            setup,
            story,
        };
        world.foresee();
        world
    }

    /// Puts all that is certain to happen into the queue, since only what follows from it comes up on the way.
    fn foresee(&mut self) {
        let times: Vec<u64> = self.story.iter().map(|happening| happening.at).collect();
        let horizon = self.setup.horizon;
        let every = self
            .plan
            .hosts
            .iter()
            .map(|host| interval(host))
            .max()
            .unwrap_or(MINUTE);
        for (at, time) in times.into_iter().enumerate() {
            if time < horizon {
                self.later(time, Item::Happening(at));
            }
        }
        self.later(0, Item::Up);
        self.later(horizon, Item::Quiet);
        self.later(horizon + CANARY, Item::Canary(false));
        self.later(
            horizon + CANARY + 2 * every + 7 * MINUTE,
            Item::Canary(true),
        );
        self.later(horizon + QUIET, Item::End);
        self.foresee_guests();
    }

    /// Does something at a later time.
    pub(crate) fn later(&mut self, at: u64, item: Item) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), item);
    }

    /// Prints what happens, where somebody wants to read it.
    pub(crate) fn say(&self, words: impl FnOnce() -> String) {
        if self.aloud {
            println!("{}  {}", crate::story::clock(self.now), words());
        }
    }

    /// The time as the monitor's clocks show it.
    pub(crate) fn clocks(&self) -> Now {
        let wall = WALL + i64::try_from(self.now).unwrap_or(i64::MAX) + self.wall_off;
        Now {
            tick: Tick(self.now - self.up_since + self.tick_zero),
            wall: Wall(wall),
        }
    }

    /// Gives the monitor an event.
    pub(crate) fn tell(&mut self, event: Event) {
        let clocks = self.clocks();
        if let Some(monitor) = &mut self.monitor {
            self.events += 1;
            monitor.push(clocks, event);
        }
    }

    fn live(&mut self) {
        let (mut spins, mut steps) = (0_u32, 0_u64);
        while self.oracle.found.is_none() {
            let Some((&(first, _), _)) = self.queue.first_key_value() else {
                return;
            };
            let asked = self.deadline();
            let mut at = asked.map_or(first, |asked| asked.min(first)).max(self.now);
            spins = if at == self.now { spins + 1 } else { 0 };
            if spins > SPINS_MAX {
                at += 1;
                self.oracle.broken(
                    "pipeline",
                    "it asks for the same moment again and again".to_string(),
                );
            }
            steps += 1;
            if steps > STEPS_MAX {
                self.oracle
                    .broken("pipeline", format!("{STEPS_MAX} steps were not enough"));
            }
            self.now = at;
            self.oracle.now = at;
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= at) {
                let item = entry.remove();
                if matches!(item, Item::End) {
                    self.last_words();
                    return;
                }
                self.happen(item);
            }
            self.pump();
            if self.now >= self.next_scan {
                self.next_scan = self.now + SCAN;
                self.scan();
            }
        }
    }

    /// When the monitor wants to be looked at.
    fn deadline(&self) -> Option<u64> {
        let monitor = self.monitor.as_ref()?;
        let tick = monitor.next_deadline()?;
        Some(self.now + tick.since(self.clocks().tick).0)
    }

    /// Carries out what the monitor wants.
    fn pump(&mut self) {
        for _ in 0..1_000 {
            let clocks = self.clocks();
            let Some(monitor) = &mut self.monitor else {
                return;
            };
            let actions = monitor.poll(clocks);
            if actions.is_empty() {
                return;
            }
            self.act(actions);
        }
        self.oracle
            .broken("pipeline", "it gives actions without end".to_string());
    }

    /// Carries out actions, in their order, as long as the monitor lives.
    pub(crate) fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            if self.monitor.is_none() || self.oracle.found.is_some() {
                return;
            }
            match action {
                Action::Commit { batch, records } => self.write(batch, records),
                Action::Do(effects) => self.perform(effects),
            }
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.carry_out(effect);
        }
    }

    /// The monitor begins: from what the store has.
    pub(crate) fn come_up(&mut self) {
        self.up_since = self.now;
        self.tick_zero = self.chance[3].between(1, HOUR);
        let clocks = self.clocks();
        let (engine, first) = Engine::restore(self.store.restored(), &self.plan, clocks);
        self.asked_why.clear();
        self.monitor = Some(Pipeline::new(engine, first));
    }

    /// The monitor dies, and comes back after so long.
    pub(crate) fn crash(&mut self, down: u64) {
        if self.monitor.take().is_none() {
            return;
        }
        self.say(|| "CRASH".to_string());
        self.ears.clear();
        self.callers.clear(self.now, self.oracle.store_slow_at);
        // What was on its way to a destination may arrive, and what was being written may be written.
        let dying: Vec<(u64, u64)> = self
            .queue
            .iter()
            .filter(|(_, item)| item.dies())
            .map(|(key, _)| *key)
            .collect();
        for key in dying {
            match self.queue.remove(&key) {
                Some(Item::Sent(sending)) if sending.taken && self.chance[3].chance(50) => {
                    self.oracle.takes(&self.store, &sending.key);
                }
                Some(Item::Act(request)) => self.act_dies(&request),
                _ => {}
            }
        }
        if let Some(writing) = self.writing.take()
            && self.chance[3].chance(50)
            && writing.failed.is_none()
            && !writing.written
        {
            self.write_rows(&writing);
        }
        self.dies_at_commit = None;
        self.last_batch = (self.now, self.now);
        self.page = Page::default();
        for machine in &mut self.machines {
            machine.session = None;
        }
        self.oracle.crashed(&self.store);
        self.later(self.now + down.max(1), Item::Up);
    }
}
