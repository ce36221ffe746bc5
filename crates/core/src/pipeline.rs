//! The order in which things become true: events are applied together, their records are committed in one
//! transaction, and only then is anything done or shown of it.
//!
//! A transaction begins as soon as none is under way; while one is, the next is gathered, so that a slow disk makes few
//! large ones of many small ones. A commit that failed is tried again with the same
//! records; meanwhile probe results are kept newest a host, everything else in order, and nothing is told from memory.

use crate::{
    effect::{Effect, Step},
    engine::Engine,
    event::Event,
    hearing::{EarId, News},
    id::Name,
    limits,
    planted::{self, Planted},
    record::Record,
    time::{Now, Tick},
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

/// Which transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// What the carrier of the pipeline is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write these rows in one transaction, and say how it went.
    Commit {
        /// Which transaction; the same again where it is tried again.
        batch: BatchId,
        /// The rows.
        records: Arc<[Record]>,
    },
    /// Do this now.
    Do(Vec<Effect>),
}

/// A transaction that is being written.
#[derive(Debug, Clone)]
struct Written {
    batch: BatchId,
    records: Arc<[Record]>,
    effects: Vec<Effect>,
    /// When it is tried again; none while an answer is waited for.
    again: Option<Tick>,
}

/// What is gathered for the next transaction.
#[derive(Debug, Clone, Default)]
struct Gathered {
    records: Vec<Record>,
    effects: Vec<Effect>,
    events: usize,
}

/// The engine with the order around it.
#[derive(Debug)]
pub struct Pipeline {
    engine: Engine,
    /// What waits while the store holds it up, by the number of its arrival.
    waiting: BTreeMap<u64, Event>,
    /// The numbers of observations that wait: a newer one of the same host takes the place of the older.
    observed: BTreeMap<Name, u64>,
    /// The change that waits of each registration: one is as good as many.
    heard: BTreeMap<EarId, u64>,
    arrivals: u64,
    gathered: Gathered,
    written: Option<Written>,
    last_batch: u64,
    failing: bool,
}

impl Pipeline {
    /// A pipeline that begins with what the start itself came to.
    pub fn new(engine: Engine, first: Step) -> Self {
        let gathered = Gathered {
            records: first.commit,
            effects: first.effects,
            events: 1,
        };
        Self {
            engine,
            waiting: BTreeMap::new(),
            observed: BTreeMap::new(),
            heard: BTreeMap::new(),
            arrivals: 0,
            gathered,
            written: None,
            last_batch: 0,
            failing: false,
        }
    }

    /// Takes in an event. It is applied at once unless the store holds everything up; then it waits.
    pub fn push(&mut self, now: Now, event: Event) {
        if self.has_room() && self.waiting.is_empty() {
            self.apply(now, event);
            return;
        }
        self.arrivals = self.arrivals.saturating_add(1);
        match &event {
            Event::Observed(observation) => {
                let host = observation.host.clone();
                if let Some(older) = self.observed.insert(host, self.arrivals) {
                    self.waiting.remove(&older);
                }
            }
            // One that waits already has the host read as well as many do.
            Event::Heard {
                ear,
                news: News::Changed { .. },
                ..
            } => {
                if let Some(older) = self.heard.insert(*ear, self.arrivals) {
                    self.waiting.remove(&older);
                }
            }
            Event::Tick => return,
            // The carrier's own bounds on deliveries and requests keep these few.
            Event::ConfigRead { .. }
            | Event::Gathered { .. }
            | Event::Stirred { .. }
            | Event::Heard { .. }
            | Event::Acted { .. }
            | Event::Rendered { .. }
            | Event::Settled { .. }
            | Event::Acknowledge { .. }
            | Event::PlanReplaced(_)
            | Event::Silence(_)
            | Event::EndSilence { .. }
            | Event::Calendar(_)
            | Event::SecretChanged { .. }
            | Event::ClockJumped { .. }
            | Event::ReadNow { .. }
            | Event::Visit(_)
            | Event::Visited(_)
            | Event::Stop => {}
        }
        self.waiting.insert(self.arrivals, event);
    }

    fn apply(&mut self, now: Now, event: Event) {
        let step = self.engine.apply(now, event);
        self.gather(step);
    }

    fn gather(&mut self, step: Step) {
        self.gathered.events = self.gathered.events.saturating_add(1);
        self.gathered.records.extend(step.commit);
        self.gathered.effects.extend(step.effects);
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        // What waited happened before what is due now: an answer that waited must not be given up as missing.
        let waited = self.take_waiting(now);
        let due = self.engine.next_deadline().is_some_and(|at| at <= now.tick);
        if (waited || due) && self.waiting.is_empty() && self.has_room() {
            self.apply(now, Event::Tick);
        }
        self.release_reads(&mut actions);
        if let Some(written) = &mut self.written
            && written.again.is_some_and(|at| at <= now.tick)
        {
            written.again = None;
            actions.push(Action::Commit {
                batch: written.batch,
                records: Arc::clone(&written.records),
            });
        }
        // Nobody waits for more to come: what comes while this is written goes into the next one.
        if self.written.is_none() && self.gathered.events > 0 {
            self.write(&mut actions);
        }
        actions
    }

    /// Whether events can be applied: not while the store fails, and not beyond what one transaction holds.
    const fn has_room(&self) -> bool {
        !self.failing && self.gathered.events < limits::BATCH_EVENTS_MAX
    }

    /// Applies what waited in its order, as far as there is room in the next transaction; whether there was any.
    fn take_waiting(&mut self, now: Now) -> bool {
        let mut any = false;
        while self.has_room() {
            let Some((_, event)) = self.waiting.pop_first() else {
                break;
            };
            if let Event::Observed(observation) = &event {
                self.observed.remove(&observation.host);
            }
            if let Event::Heard {
                ear,
                news: News::Changed { .. },
                ..
            } = &event
            {
                self.heard.remove(ear);
            }
            let step = self.engine.take(now, event);
            self.gather(step);
            any = true;
        }
        any
    }

    /// What only reads need not wait: nobody is told anything by it.
    fn release_reads(&mut self, actions: &mut Vec<Action>) {
        let early =
            |effect: &Effect| effect.only_reads() || planted::is(Planted::EffectsBeforeCommit);
        if self.gathered.effects.iter().any(early) {
            let (reads, others) = core::mem::take(&mut self.gathered.effects)
                .into_iter()
                .partition(early);
            self.gathered.effects = others;
            actions.push(Action::Do(reads));
        }
    }

    fn write(&mut self, actions: &mut Vec<Action>) {
        let Gathered {
            records, effects, ..
        } = core::mem::take(&mut self.gathered);
        if records.is_empty() {
            if !effects.is_empty() {
                actions.push(Action::Do(effects));
            }
            return;
        }
        self.last_batch = self.last_batch.saturating_add(1);
        let (batch, records) = (BatchId(self.last_batch), Arc::<[Record]>::from(records));
        actions.push(Action::Commit {
            batch,
            records: Arc::clone(&records),
        });
        self.written = Some(Written {
            batch,
            records,
            effects,
            again: None,
        });
    }

    /// A transaction is durable: what it comes to may be done.
    pub fn committed(&mut self, now: Now, batch: BatchId) -> Vec<Action> {
        let Some(written) = self.written.take_if(|written| written.batch == batch) else {
            return Vec::new();
        };
        self.failing = false;
        let mut actions = Vec::new();
        if !written.effects.is_empty() {
            actions.push(Action::Do(written.effects));
        }
        actions.extend(self.poll(now));
        actions
    }

    /// A transaction failed: it is tried again with the same rows, and until then nothing is told.
    pub fn commit_failed(&mut self, now: Now, batch: BatchId) {
        if planted::is(Planted::CommitNotRetried) {
            self.written.take_if(|written| written.batch == batch);
            return;
        }
        if let Some(written) = self
            .written
            .as_mut()
            .filter(|written| written.batch == batch)
        {
            written.again = Some(now.tick + limits::COMMIT_RETRY);
            self.failing = true;
        }
    }

    /// When [`Self::poll`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Tick> {
        let engine = if self.failing || self.gathered.events >= limits::BATCH_EVENTS_MAX {
            None
        } else {
            self.engine.next_deadline()
        };
        let again = self.written.as_ref().and_then(|written| written.again);
        // What is gathered while nothing is written is written at once.
        let ripe = (self.written.is_none() && self.gathered.events > 0).then_some(Tick(0));
        [engine, again, ripe].into_iter().flatten().min()
    }

    /// Whether the store does not take what it is given.
    pub const fn store_failing(&self) -> bool {
        self.failing
    }

    /// Whether everything that was decided is durable and done.
    pub fn is_idle(&self) -> bool {
        self.written.is_none() && self.gathered.events == 0 && self.waiting.is_empty()
    }

    /// The engine, to look at.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}
