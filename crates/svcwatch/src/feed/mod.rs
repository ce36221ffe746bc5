//! Feeds: every reading of every watched service, for databases and brokers that want all of them.
//!
//! Feeds hang on the publish step: what is shown on the board is durable, and whenever a host was read each of its
//! services gives one [`Reading`]. Each feed has a buffer with a bound and a task of its own, so that one that is slow,
//! down or lying delays nothing else. What is in a buffer is lost with the process; how far a feed is stands in the
//! store, and transitions that it missed are sent again from history.

pub mod buffer;
pub mod influxdb;
pub mod words;
mod worker;

use crate::{
    board::{Board, Seen},
    clock,
    dest::sender::{Destination, Destinations},
    facts::Facts,
    store::{AnyStore, Writer},
};
use buffer::Item;
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Instant};
use svcwatch_core::{
    id::{Name, Subject},
    observe::{ServiceDetails, StartType, State},
    plan::Labels,
    record::{Record, Restored},
    time::{Span, Wall},
    view::View,
};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::timeout_at,
};
use worker::Feed;

/// One service at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The host.
    pub host: Name,
    /// The site of the host.
    pub site: Option<Arc<str>>,
    /// The service, by its key name.
    pub service: Name,
    /// Its display name.
    pub display_name: Option<Arc<str>>,
    /// What people call it.
    pub friendly_name: Option<Arc<str>>,
    /// Its confirmed state; unknown where its host cannot be read.
    pub state: State,
    /// How it is started.
    pub start_type: Option<StartType>,
    /// What it runs and needs.
    pub details: Option<Arc<ServiceDetails>>,
    /// Labels of the host and its own.
    pub labels: Labels,
    /// When it was read.
    pub at: Wall,
    /// Whether its state is another one than at the reading before.
    pub changed: bool,
    /// The state before, where it is another one and known.
    pub previous: Option<State>,
}

impl Reading {
    /// A service as the board shows it.
    fn of(seen: &Seen<'_>, at: Wall) -> Self {
        let row = seen.row;
        Self {
            host: seen.host.clone(),
            site: seen.host_view.and_then(|host| host.site.clone()),
            service: row.service.clone(),
            display_name: row.display_name.clone(),
            friendly_name: row.friendly_name.clone(),
            state: seen.state(),
            start_type: row.start_type,
            details: row.details.clone(),
            labels: Arc::clone(&row.labels),
            at,
            changed: false,
            previous: None,
        }
    }

    /// A service that is not watched any more: nobody knows from now on how it is.
    fn last(seen: &Seen<'_>) -> Self {
        Self {
            state: State::Unknown,
            ..Self::of(seen, clock::wall())
        }
    }
}

/// What follows from something that is shown.
enum Follows {
    Nothing,
    /// The readings of all services of a host.
    Reading {
        host: Name,
        at: Wall,
    },
    /// The last readings of services that are not watched any more.
    Last(Vec<Reading>),
}

/// What became of readings that a destination was fed with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fed {
    /// How many of them are done with, from the first one on.
    pub done: usize,
    /// How many of these the destination will never take.
    pub dropped: u64,
    /// Why it does not take the last of them.
    pub reason: Option<String>,
    /// What comes next.
    pub next: Next,
}

/// What comes after readings were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Next {
    /// All is well.
    #[default]
    GoOn,
    /// The rest is to be tried again.
    Retry {
        /// After how long at the earliest.
        after: Option<Span>,
        /// Why it was not taken, without secrets.
        reason: String,
    },
}

impl Next {
    /// To be tried again.
    pub const fn retry(after: Option<Span>, reason: String) -> Self {
        Self::Retry { after, reason }
    }
}

impl Fed {
    /// All of so many are done.
    pub fn all(done: usize) -> Self {
        Self {
            done,
            ..Self::default()
        }
    }

    /// So many are done, and the rest is to be tried again.
    pub fn retry(done: usize, after: Option<Span>, reason: String) -> Self {
        Self {
            done,
            next: Next::retry(after, reason),
            ..Self::default()
        }
    }

    /// Counts some that will never be taken.
    pub fn drop_some(&mut self, count: usize, reason: Option<String>) {
        self.dropped = self
            .dropped
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if reason.is_some() {
            self.reason = reason;
        }
    }
}

/// What all feeds share.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where services are shown.
    pub board: Arc<Board>,
    /// Where history stands.
    pub store: Arc<AnyStore>,
    /// What writes how far a feed is.
    pub writer: Arc<Writer>,
    /// What is said and counted.
    pub facts: Arc<Facts>,
    /// Bytes that the buffer of one feed takes, about, at most: [`buffer::BYTES_MAX`] but for tests.
    pub room: usize,
}

/// All feeds of the program.
#[derive(Debug)]
pub struct Feeds {
    around: Surroundings,
    all: BTreeMap<Name, Feed>,
    /// How far feeds were when they were heard of last: those of the store, and those that a reload took away.
    known: BTreeMap<Name, u64>,
    /// The record before those of the batch that is shown now: every transition up to it has been shown.
    shown: u64,
    /// The last record that is durable.
    durable: u64,
    /// Whether all services are on the board: only then can what was missed be told with their names.
    complete: bool,
    /// Services whose state has changed since their host was read last, with the state before.
    changed: BTreeMap<(Name, Name), Option<State>>,
}

impl Feeds {
    /// The feeds of these destinations, as far as the store says that they were.
    pub fn new(around: Surroundings, restored: &Restored, destinations: &Destinations) -> Self {
        let known = restored.feeds.iter();
        let mut feeds = Self {
            around,
            all: BTreeMap::new(),
            known: known
                .map(|row| (row.destination.clone(), row.record))
                .collect(),
            shown: restored.last_record,
            durable: restored.last_record,
            complete: false,
            changed: BTreeMap::new(),
        };
        feeds.replace(destinations);
        feeds
    }

    /// From now on to these destinations. A feed that stays keeps what it has; one that goes forgets it.
    pub fn replace(&mut self, destinations: &Destinations) {
        let fed: Vec<&Arc<Destination>> = destinations
            .iter()
            .filter(|destination| destination.is_feed())
            .collect();
        let names: Vec<Name> = fed.iter().map(|one| one.name().clone()).collect();
        self.all.retain(|name, feed| {
            self.known.insert(name.clone(), feed.position());
            names.contains(name)
        });
        self.around.facts.feeds(&names);
        for destination in fed {
            if let Some(feed) = self.all.get(destination.name()) {
                feed.replace(Arc::clone(destination));
                continue;
            }
            let name = destination.name().clone();
            let position = self.known.get(&name).copied();
            let destination = Arc::clone(destination);
            let feed = Feed::start(destination, self.around.clone(), position, self.durable);
            if self.complete {
                feed.complete();
            }
            self.all.insert(name, feed);
        }
    }

    /// Their names.
    pub fn names(&self) -> Vec<Name> {
        self.all.keys().cloned().collect()
    }

    /// Records are durable; what they come to is shown next.
    pub fn durable(&mut self, records: &[Record]) {
        self.shown = self.durable;
        for record in records {
            if let Record::History(row) = record {
                self.durable = self.durable.max(row.record);
            }
        }
    }

    /// Shows something on the board, and feeds what was read.
    pub fn show(&mut self, view: View) {
        let board = Arc::clone(&self.around.board);
        if self.all.is_empty() {
            self.complete |= view == View::Complete;
            board.apply(view);
            return;
        }
        let follows = self.look(&board, &view);
        board.apply(view);
        match follows {
            Follows::Nothing => {}
            Follows::Reading { host, at } => self.feed(&board, &host, at),
            Follows::Last(readings) => self.push(readings),
        }
    }

    /// What follows from something that is not on the board yet.
    fn look(&mut self, board: &Board, view: &View) -> Follows {
        match view {
            View::Service(service) => {
                let before = board.state(&service.host, &service.service);
                if before.is_some_and(|before| before != service.state) {
                    let target = (service.host.clone(), service.service.clone());
                    self.changed.entry(target).or_insert(before);
                }
            }
            View::Checked { host, at, read } if *read => {
                return Follows::Reading {
                    host: host.clone(),
                    at: *at,
                };
            }
            // Its services are unknown from now on, and that is said once.
            View::Host(host) => {
                let known = board.host(&host.name).and_then(|known| known.fault);
                if let Some(at) = host.checked_at.or(host.since)
                    && host.fault.is_some()
                    && known.is_none()
                {
                    let host = host.name.clone();
                    return Follows::Reading { host, at };
                }
            }
            View::HostGone(host) => {
                self.changed.retain(|(of, _), _| of != host);
                let mut last = Vec::new();
                board.visit_services(host, |seen| last.push(Reading::last(&seen)));
                return Follows::Last(last);
            }
            View::ServiceGone { host, service } => {
                self.changed.remove(&(host.clone(), service.clone()));
                let mut last = Vec::new();
                board.visit_service(host, service, |seen| last.push(Reading::last(&seen)));
                return Follows::Last(last);
            }
            View::Complete => {
                self.complete = true;
                self.all.values().for_each(Feed::complete);
            }
            View::Checked { .. }
            | View::Outbox { .. }
            | View::Silence(_)
            | View::SilenceGone(_) => {}
        }
        Follows::Nothing
    }

    fn feed(&mut self, board: &Board, host: &Name, at: Wall) {
        let mut readings = Vec::new();
        board.visit_services(host, |seen| {
            let mut reading = Reading::of(&seen, at);
            let target = (host.clone(), reading.service.clone());
            if !self.changed.is_empty()
                && let Some(before) = self.changed.remove(&target)
            {
                (reading.changed, reading.previous) = (true, before);
            }
            readings.push(reading);
        });
        self.push(readings);
    }

    fn push(&self, readings: Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let readings: Arc<[Reading]> = Arc::from(readings);
        let now = Instant::now();
        for feed in self.all.values() {
            let readings = Arc::clone(&readings);
            feed.push(Item::new(readings, self.shown, self.durable, now));
        }
    }

    /// Takes nothing more in from now on. What it gives sends what there is, as far as that is done until then, and writes
    /// down how far each feed is.
    pub fn end(&mut self, until: Instant) -> impl Future<Output = ()> + Send + 'static {
        let (all, durable) = (std::mem::take(&mut self.all), self.durable);
        async move {
            let mut ends = JoinSet::new();
            let mut tasks = Vec::new();
            for feed in all.into_values() {
                tasks.push(feed.abort_handle());
                ends.spawn(feed.stop(durable));
            }
            let all = async { while ends.join_next().await.is_some() {} };
            if timeout_at(until.into(), all).await.is_err() {
                tasks.iter().for_each(AbortHandle::abort);
                tracing::debug!(
                    "a feed did not send all it had; its transitions are sent at the next start"
                );
            }
        }
    }
}

/// The subject of a line of history as host and service.
fn target_of(subject: &Subject) -> Option<(&Name, &Name)> {
    match subject {
        Subject::Service { host, service } => Some((host, service)),
        Subject::Host(_)
        | Subject::Visibility(_)
        | Subject::Account(_)
        | Subject::Destination(_)
        | Subject::Fleet
        | Subject::Group { .. } => None,
    }
}

#[cfg(test)]
pub(crate) mod samples;
