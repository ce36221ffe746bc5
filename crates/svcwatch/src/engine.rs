//! The loop. It only carries: what happened goes to the pipeline, what the pipeline decides goes to the store, to the
//! performer, onto the board and into the facts. Nothing is decided here.

use crate::{
    acks::Acks,
    clock::{self, Clock},
    parts::{Order, Parts},
    store::StoreError,
    writing::Writing,
};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use svcwatch_core::{
    effect::{Effect, Fact},
    event::Event,
    limits,
    pipeline::{Action, BatchId},
};
use tokio::time::{MissedTickBehavior, interval};

/// How often the two clocks are compared.
const COMPARE_CLOCKS: Duration = Duration::from_secs(1);

/// The loop.
#[derive(Debug)]
pub struct Loop {
    pub(crate) parts: Parts,
    clock: Clock,
    pub(crate) acks: Acks,
    pub(crate) writing: Writing,
    stopping: bool,
}

impl Loop {
    /// A loop over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            clock: Clock::new(),
            acks: Acks::default(),
            writing: Writing::default(),
            stopping: false,
        }
    }

    /// Carries until it is told to stop, or the store cannot be written any more at all.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut compare = interval(COMPARE_CLOCKS);
        compare.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stopping {
            self.turn();
            let due = clock::reached(self.parts.pipeline.next_deadline());
            tokio::select! {
                order = self.parts.orders.recv() => self.ordered(order.unwrap_or(Order::Stop)),
                (batch, result) = self.writing.ended() => self.written(batch, result)?,
                event = self.parts.performer.next() => self.happened(event).await,
                Some(ask) = self.parts.asks.recv() => self.asked(ask),
                _ = compare.tick() => self.compare_clocks(),
                () = due => {}
            }
        }
        self.settle().await
    }

    /// Asks the pipeline what is to be done now, and does it.
    pub(crate) fn turn(&mut self) {
        let actions = self.parts.pipeline.poll(clock::now());
        self.act(actions);
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.parts.pipeline.push(clock::now(), event);
    }

    /// Takes in an event, and those that are there already, so that they go into one transaction.
    pub(crate) async fn happened(&mut self, event: Event) {
        self.push(event);
        for _ in 1..limits::BATCH_EVENTS_MAX {
            // One look, without a timer: those tick no finer than milliseconds.
            let there = {
                let mut next = pin!(self.parts.performer.next());
                poll_fn(|look| Poll::Ready(next.as_mut().poll(look))).await
            };
            let Poll::Ready(event) = there else {
                return;
            };
            self.push(event);
        }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Commit { batch, records } => {
                    self.writing = Writing::begin(&self.parts.writer, batch, records);
                }
                Action::Do(effects) => self.perform(effects),
            }
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let now = clock::now();
        for effect in effects {
            match self.parts.performer.begin(now, effect) {
                Some(Effect::Show(view)) => self.parts.show(view),
                Some(Effect::Note(fact)) => {
                    match &fact {
                        Fact::NotOpen { incident } => self.acks.not_open(incident),
                        Fact::SilenceRefused { silence } => self.acks.silence_refused(silence),
                        _ => {}
                    }
                    self.parts.facts.note(&fact);
                }
                Some(_) | None => {}
            }
        }
    }

    pub(crate) fn written(
        &mut self,
        batch: BatchId,
        result: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(()) => {
                if self.parts.pipeline.store_failing() {
                    self.parts.ready.store_works();
                    tracing::info!("the store takes what it is given again");
                }
                self.parts
                    .facts
                    .committed(self.writing.records(), self.writing.took());
                self.acks.durable(self.writing.records());
                self.parts.feeds.durable(self.writing.records());
                let actions = self.parts.pipeline.committed(clock::now(), batch);
                self.act(actions);
                Ok(())
            }
            // Nobody would be told anything any more; who supervises the program can start it again.
            Err(error @ StoreError::WriterGone) => Err(error),
            Err(error) => {
                self.parts
                    .facts
                    .commit_failed(&error.to_string(), self.writing.took());
                self.parts.ready.store_failed(&error.to_string());
                self.parts.pipeline.commit_failed(clock::now(), batch);
                Ok(())
            }
        }
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Replace(change) => {
                let names = change.destination_names();
                self.parts.facts.destinations(&self.parts.board, &names);
                self.parts.replace(change.reach, change.destinations);
                self.push(Event::PlanReplaced(change.plan));
            }
            Order::Destinations(others) => self.parts.replace_destinations(*others),
            Order::Calendar(times) => self.push(Event::Calendar(times)),
            Order::SecretChanged(account) => self.push(Event::SecretChanged { account }),
            Order::Stop => {
                self.stopping = true;
                self.push(Event::Stop);
            }
        }
    }

    fn compare_clocks(&mut self) {
        if let Some(by) = self.clock.jump() {
            tracing::warn!(milliseconds = by, "the wall clock was set");
            self.push(Event::ClockJumped { by });
        }
    }
}
