//! The task of one feed: takes what waits, sends it, tries again while the far side is down, and writes down how far
//! it is.

use super::{
    Fed, Next, Reading, Surroundings, buffer,
    buffer::{Buffer, Item, Work},
    target_of,
};
use crate::{
    clock,
    dest::sender::Destination,
    store::{self, Store as _, query::PAGE_MAX},
};
use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use svcwatch_core::{
    id::{Name, stable_hash},
    record::{FeedRow, HistoryRow, Record},
    time::Span,
};
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinHandle},
    time::{sleep, timeout},
};

/// Readings that are sent at once, about.
const READINGS_MAX: usize = 10_000;
/// How long readings are gathered, so that a few hosts do not make a request each.
const GATHER: Duration = Duration::from_millis(250);
/// How often it is written down how far a feed is, at most.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// The shortest and the longest wait after a try that failed.
const WAIT_MIN: Span = Span::seconds(1);
const WAIT_MAX: Span = Span::minutes(1);
/// The longest wait that a far side may ask for.
const WAIT_ASKED_MAX: Span = Span::minutes(10);
/// How long one last try may take when the program ends.
const LAST_TRY: Duration = Duration::from_secs(2);
/// Services whose state is sent after what they missed, at most.
const RESTATED_MAX: usize = 100_000;

/// A feed with its task.
#[derive(Debug)]
pub(super) struct Feed {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What the loop and the task share.
#[derive(Debug)]
struct Shared {
    name: Name,
    around: Surroundings,
    buffer: Mutex<Buffer>,
    /// Something waits, or the destination is another one.
    wake: Notify,
    destination: RwLock<Arc<Destination>>,
    /// Every transition up to this record has been sent.
    position: AtomicU64,
    /// Whether all services are on the board.
    complete: AtomicBool,
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn destination(&self) -> Arc<Destination> {
        let held = self.destination.read();
        Arc::clone(&held.unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts and says that readings were given up.
    fn dropped(&self, count: u64, reason: &str) {
        self.around.facts.feed_dropped(&self.name, count, reason);
    }
}

impl Feed {
    /// Starts a feed that was so far when it was last heard of; one that never was begins at the last record.
    pub(super) fn start(
        destination: Arc<Destination>,
        around: Surroundings,
        position: Option<u64>,
        last_record: u64,
    ) -> Self {
        let missed = position
            .filter(|position| *position < last_record)
            .map(|_| last_record);
        let shared = Arc::new(Shared {
            name: destination.name().clone(),
            buffer: Mutex::new(Buffer::new(around.room, missed)),
            around,
            wake: Notify::new(),
            destination: RwLock::new(destination),
            position: AtomicU64::new(position.unwrap_or(last_record)),
            complete: AtomicBool::new(false),
        });
        let (stop, stopping) = watch::channel(false);
        let worker = Worker {
            shared: Arc::clone(&shared),
            stopping,
            saved: position,
            saved_at: Instant::now(),
            failures: 0,
        };
        Self {
            shared,
            stop,
            task: tokio::spawn(worker.run()),
        }
    }

    /// Every transition up to this record has been sent.
    pub(super) fn position(&self) -> u64 {
        self.shared.position.load(Ordering::Acquire)
    }

    /// All services are on the board.
    pub(super) fn complete(&self) {
        self.shared.complete.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }

    /// What ends its task at once.
    pub(super) fn abort_handle(&self) -> AbortHandle {
        self.task.abort_handle()
    }

    /// From now on to this destination.
    pub(super) fn replace(&self, destination: Arc<Destination>) {
        let held = self.shared.destination.write();
        *held.unwrap_or_else(PoisonError::into_inner) = destination;
        self.shared.wake.notify_one();
    }

    /// Adds an item. Never waits.
    pub(super) fn push(&self, item: Item) {
        let now = item.pushed;
        let (dropped, waiting) = {
            let mut buffer = self.shared.buffer();
            (buffer.push(item, now), buffer.len())
        };
        self.shared
            .around
            .facts
            .feed_waiting(&self.shared.name, waiting);
        if dropped > 0 {
            let count = u64::try_from(dropped).unwrap_or(u64::MAX);
            self.shared
                .dropped(count, "more readings wait than there is room or time for");
        }
        self.shared.wake.notify_one();
    }

    /// Sends what there is, once, and ends. Every transition up to the record has been pushed.
    pub(super) async fn stop(self, record: u64) {
        self.push(Item::new(Arc::from([]), record, record, Instant::now()));
        self.stop.send_replace(true);
        self.shared.wake.notify_one();
        drop(self.task.await);
    }
}

struct Worker {
    shared: Arc<Shared>,
    /// True, or closed, where the feed is to end.
    stopping: watch::Receiver<bool>,
    /// What stands in the store.
    saved: Option<u64>,
    saved_at: Instant,
    failures: u32,
}

/// Whether to go on.
type Flow = ControlFlow<()>;

impl Worker {
    async fn run(mut self) {
        self.save().await;
        loop {
            let ended = self.gather().await.is_break();
            let work = self.shared.buffer().take(READINGS_MAX);
            self.shared
                .around
                .facts
                .feed_waiting(&self.shared.name, self.shared.buffer().len());
            let flow = match work {
                Work::Nothing if ended => Flow::Break(()),
                Work::Nothing => Flow::Continue(()),
                // Nothing was ever sent: the next start sends it.
                _ if !self.shared.complete.load(Ordering::Acquire) => Flow::Break(()),
                Work::Missed(upto) => self.catch_up(upto).await,
                Work::Readings(items) => self.send_items(items).await,
            };
            if flow.is_break() {
                break;
            }
            if self.saved_at.elapsed() >= SAVE_EVERY {
                self.save().await;
            }
        }
        self.save().await;
    }

    /// Waits until there is something to do, and a little longer for more of it. Breaks where the feed is to end.
    async fn gather(&mut self) -> Flow {
        loop {
            let waiting = {
                let begun = self.shared.complete.load(Ordering::Acquire);
                let buffer = self.shared.buffer();
                (begun && !buffer.is_empty()).then(|| buffer.len())
            };
            if self.is_stopping() {
                return Flow::Break(());
            }
            match waiting {
                Some(readings) if readings >= READINGS_MAX => return Flow::Continue(()),
                Some(_) => {
                    tokio::select! {
                        () = sleep(GATHER) => {}
                        _ = self.stopping.changed() => {}
                    }
                    return Flow::Continue(());
                }
                None => {
                    let unsaved = self.saved != Some(self.position());
                    tokio::select! {
                        () = self.shared.wake.notified() => {}
                        _ = self.stopping.changed() => {}
                        () = sleep(SAVE_EVERY), if unsaved => self.save().await,
                    }
                }
            }
        }
    }

    fn position(&self) -> u64 {
        self.shared.position.load(Ordering::Acquire)
    }

    fn reached(&self, record: u64) {
        self.shared.position.fetch_max(record, Ordering::AcqRel);
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    async fn send_items(&mut self, items: Vec<Item>) -> Flow {
        let Some((record, upto)) = items.last().map(|item| (item.record, item.upto)) else {
            return Flow::Continue(());
        };
        let oldest = items.first().map_or_else(Instant::now, |item| item.pushed);
        let readings: Vec<&Reading> = items.iter().flat_map(|item| item.readings.iter()).collect();
        let flow = self.send(&readings, Some(oldest)).await;
        match flow {
            Sent::All => self.reached(record),
            Sent::TooOld => self.shared.buffer().missed(upto),
            Sent::Ended => return Flow::Break(()),
        }
        Flow::Continue(())
    }

    /// Sends transitions again that the feed missed, and then the state of each of these services as it is now.
    async fn catch_up(&mut self, upto: u64) -> Flow {
        tracing::info!(
            destination = %self.shared.name, from = self.position(), upto, "a feed sends transitions again that it missed"
        );
        let mut services = BTreeSet::new();
        while self.position() < upto {
            let after = self.position();
            let store = Arc::clone(&self.shared.around.store);
            let page = store::ask(store, move |store| store.transitions(after, PAGE_MAX)).await;
            let rows = match page {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(destination = %self.shared.name, %error, "history cannot be read for a feed");
                    if self.wait(None).await.is_break() {
                        return Flow::Break(());
                    }
                    continue;
                }
            };
            let full = rows.len() >= PAGE_MAX;
            let rows: Vec<HistoryRow> = rows.into_iter().filter(|row| row.record <= upto).collect();
            let last = rows.last().map(|row| row.record);
            let readings: Vec<Reading> =
                rows.iter().filter_map(|row| self.reading_of(row)).collect();
            let all: Vec<&Reading> = readings.iter().collect();
            if !matches!(self.send(&all, None).await, Sent::All) {
                return Flow::Break(());
            }
            for reading in readings {
                if services.len() < RESTATED_MAX {
                    services.insert((reading.host, reading.service));
                }
            }
            self.reached(match last {
                Some(record) if full => record,
                Some(_) | None => upto,
            });
            self.save().await;
        }
        self.shared.buffer().caught_up(upto);
        self.restate(services, upto);
        Flow::Continue(())
    }

    /// Adds the state of services as it is now behind all that waits: what was sent again is older, and of a host that
    /// cannot be read nothing newer may wait.
    fn restate(&self, services: BTreeSet<(Name, Name)>, upto: u64) {
        let board = &self.shared.around.board;
        let mut readings = Vec::with_capacity(services.len());
        for (host, service) in services {
            board.visit_service(&host, &service, |seen| {
                let at = seen.host_view.and_then(|view| view.checked_at);
                readings.push(Reading::of(&seen, at.unwrap_or_else(clock::wall)));
            });
        }
        let item = Item::new(Arc::from(readings), upto, upto, Instant::now());
        if !self.shared.buffer().push_where_there_is_room(item) {
            tracing::debug!(destination = %self.shared.name, "the states of now come with the next readings");
        }
    }

    /// A line of history as a reading; none where the service is not watched any more.
    fn reading_of(&self, row: &HistoryRow) -> Option<Reading> {
        let (host, service) = target_of(&row.subject)?;
        let mut reading = None;
        self.shared
            .around
            .board
            .visit_service(host, service, |seen| {
                reading = Some(Reading::of(&seen, row.at));
            });
        let mut reading = reading?;
        reading.state = row.to?;
        (reading.changed, reading.previous) = (true, row.from);
        Some(reading)
    }

    /// Sends readings until the destination has taken or refused them all. Those pushed at a moment may get too old
    /// meanwhile.
    async fn send(&mut self, readings: &[&Reading], pushed: Option<Instant>) -> Sent {
        let mut rest = readings;
        while !rest.is_empty() {
            if pushed.is_some_and(|pushed| pushed.elapsed() > buffer::AGE_MAX) {
                let count = u64::try_from(rest.len()).unwrap_or(u64::MAX);
                self.shared.dropped(
                    count,
                    "readings were not taken for so long that they are too old",
                );
                return Sent::TooOld;
            }
            let last = self.is_stopping();
            let destination = self.shared.destination();
            let feeding = destination.feed(rest, clock::wall());
            let fed = if last {
                match timeout(LAST_TRY, feeding).await {
                    Ok(fed) => fed,
                    Err(_) => return Sent::Ended,
                }
            } else {
                feeding.await
            };
            let Fed {
                done,
                dropped,
                reason,
                next,
            } = fed;
            let taken = u64::try_from(done)
                .unwrap_or(u64::MAX)
                .saturating_sub(dropped);
            self.shared.around.facts.feed_sent(&self.shared.name, taken);
            if dropped > 0 {
                self.shared.dropped(
                    dropped,
                    reason
                        .as_deref()
                        .unwrap_or("the destination does not take them"),
                );
            }
            rest = rest.get(done..).unwrap_or_default();
            match next {
                Next::GoOn => self.recovered(),
                Next::Retry { after, reason } => {
                    self.failed(&reason);
                    if last || self.wait(after).await.is_break() {
                        return Sent::Ended;
                    }
                }
            }
        }
        Sent::All
    }

    fn failed(&mut self, reason: &str) {
        self.failures = self.failures.saturating_add(1);
        self.shared
            .around
            .facts
            .feed_failed(&self.shared.name, self.failures, reason);
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!(destination = %self.shared.name, "the feed goes on");
        }
    }

    /// Waits before the next try: longer each time, as long as the far side asks, and not at all where the destination
    /// is another one. Breaks where the feed is to end and has had its last try.
    async fn wait(&mut self, asked: Option<Span>) -> Flow {
        if self.is_stopping() {
            return Flow::Break(());
        }
        let doubled = WAIT_MIN.times(1_u64 << self.failures.saturating_sub(1).min(6));
        let longest = doubled.min(WAIT_MAX);
        // Between half of it and all of it, so that feeds that failed together do not come back together.
        let salt = u64::from(self.failures);
        let part = stable_hash(self.shared.name.key(), salt) % (longest.0 / 2).max(1);
        let span = Span(longest.0 / 2 + part).max(asked.unwrap_or(Span::ZERO).min(WAIT_ASKED_MAX));
        let before = self.shared.destination();
        let until = Instant::now() + Duration::from_millis(span.0);
        while Instant::now() < until && Arc::ptr_eq(&before, &self.shared.destination()) {
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                () = self.shared.wake.notified() => {}
                _ = self.stopping.changed() => return Flow::Continue(()),
            }
        }
        Flow::Continue(())
    }

    /// Writes down how far the feed is. What is not written is sent once more after a crash.
    async fn save(&mut self) {
        self.saved_at = Instant::now();
        let position = self.position();
        if self.saved == Some(position) {
            return;
        }
        let row = Record::Feed(FeedRow {
            destination: self.shared.name.clone(),
            record: position,
        });
        match self.shared.around.writer.write(Arc::from([row])).await {
            Ok(()) => self.saved = Some(position),
            Err(error) => {
                tracing::debug!(destination = %self.shared.name, %error, "how far a feed is cannot be written");
            }
        }
    }
}

/// What became of readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    All,
    TooOld,
    Ended,
}
