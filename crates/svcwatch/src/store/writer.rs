//! The one thread that writes, and the work that it does while nothing is to be written.

use super::{AnyStore, RETENTION, Store, StoreError};
use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use svcwatch_core::{
    record::Record,
    time::{Span, Wall},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Batches that may wait, at most; who brings more waits.
const WAITING_MAX: usize = 16;
/// How long nothing must be written until the writer does its other work.
const IDLE_AFTER: Duration = Duration::from_secs(1);
/// How often old rows are looked for, the first time one such span after the start.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// The pause between two chunks of old rows, so that commits are not held up.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// What the writer does beside writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterSettings {
    /// How long history is kept.
    pub retention: Span,
    /// Whether the whole store is looked through for damage at the start.
    pub check: bool,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            retention: RETENTION,
            check: true,
        }
    }
}

/// The one thread that writes. Dropping it waits until the last batch is written.
#[derive(Debug)]
pub struct Writer {
    store: Arc<AnyStore>,
    places: Arc<Semaphore>,
    jobs: Option<mpsc::SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

struct Job {
    records: Arc<[Record]>,
    answer: oneshot::Sender<Result<(), StoreError>>,
    /// Gives the place free when the job is done.
    _place: OwnedSemaphorePermit,
}

impl Writer {
    /// Starts the thread, and another one for the check.
    pub fn start(store: Arc<AnyStore>, settings: WriterSettings) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::sync_channel(WAITING_MAX);
        let mut writer = Self {
            store: Arc::clone(&store),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            jobs: Some(jobs),
            threads: Vec::new(),
        };
        let of_writer = Arc::clone(&store);
        writer.spawn("store-writer", move || {
            Work::new(&of_writer, settings.retention).run(&waiting);
        })?;
        if settings.check {
            writer.spawn("store-check", move || check(&store))?;
        }
        Ok(writer)
    }

    fn spawn<F>(&mut self, name: &'static str, work: F) -> Result<(), StoreError>
    where
        F: FnOnce() + Send + 'static,
    {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|source| StoreError::NoThread { name, source })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Writes all of these rows in one transaction; they are durable when it answers. A caller that stops waiting does
    /// not stop the transaction.
    pub async fn write(&self, records: Arc<[Record]>) -> Result<(), StoreError> {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::WriterGone)?;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            records,
            answer,
            _place: place,
        };
        // There is room: each job holds one of as many places as the channel has.
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.try_send(job).ok())
            .ok_or(StoreError::WriterGone)?;
        answered.await.unwrap_or(Err(StoreError::WriterGone))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.store.stop_check();
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store ended by a fault of the program");
            }
        }
    }
}

fn check(store: &AnyStore) {
    match store.check() {
        Ok(()) => tracing::debug!("the store was looked through"),
        Err(error) => tracing::error!(%error, "the check of the store"),
    }
}

/// What the thread does: batches as they come, and between them old rows and rest.
struct Work<'a> {
    store: &'a AnyStore,
    retention: Span,
    /// When old rows are looked for, or their next chunk is removed.
    sweep_at: Instant,
    /// Whether something was written since the last rest.
    restless: bool,
}

impl<'a> Work<'a> {
    fn new(store: &'a AnyStore, retention: Span) -> Self {
        Self {
            store,
            retention,
            sweep_at: Instant::now() + SWEEP_EVERY,
            restless: true,
        }
    }

    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        loop {
            match jobs.recv_timeout(self.patience()) {
                Ok(job) => {
                    let result = self.store.commit(&job.records);
                    self.restless = true;
                    // Who asked may have stopped waiting; the rows are written all the same.
                    drop(job.answer.send(result));
                }
                Err(RecvTimeoutError::Timeout) => self.rest(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.sweep(Instant::now());
        }
        self.rest();
    }

    /// How long to wait for a batch: no longer than until there is something else to do.
    fn patience(&self) -> Duration {
        let until_sweep = self.sweep_at.saturating_duration_since(Instant::now());
        until_sweep.clamp(Duration::from_millis(1), IDLE_AFTER)
    }

    fn rest(&mut self) {
        if !self.restless && !self.store.health().disk_full {
            return;
        }
        self.restless = false;
        match self.store.rest() {
            // It was said when it got full, and is tried again every second until there is room.
            Err(error) if error.is_disk_full() => tracing::debug!(%error, "the rest of the store"),
            Err(error) => tracing::warn!(%error, "the rest of the store"),
            Ok(()) => {}
        }
    }

    fn sweep(&mut self, now: Instant) {
        if now < self.sweep_at {
            return;
        }
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            });
        let before = Wall(wall.saturating_sub_unsigned(self.retention.0));
        let more = match self.store.expire(before) {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "old rows stay for now");
                false
            }
        };
        self.sweep_at = now + if more { SWEEP_PAUSE } else { SWEEP_EVERY };
        self.restless = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        MemoryStore, StoreOptions,
        query::HistoryQuery,
        samples::{history_row, target_row},
    };
    use svcwatch_core::id::StoreId;

    fn memory() -> Arc<AnyStore> {
        Arc::new(AnyStore::Memory(MemoryStore::new(StoreId([1; 16]))))
    }

    #[tokio::test]
    async fn what_was_answered_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(AnyStore::open(folder.path(), StoreOptions { ballast: 0 }).unwrap());
        let writer = Writer::start(Arc::clone(&store), WriterSettings::default()).unwrap();
        for number in 1..=20 {
            let row = Record::History(history_row("srv01", "Spooler", number));
            writer.write(Arc::from([row])).await.unwrap();
            let query = HistoryQuery {
                limit: 1,
                ..HistoryQuery::default()
            };
            let found = ask_history(&store, query).await;
            assert_eq!(found, Some(number));
        }
    }

    async fn ask_history(store: &Arc<AnyStore>, query: HistoryQuery) -> Option<u64> {
        let page = crate::store::ask(Arc::clone(store), move |store| store.history(&query)).await;
        page.unwrap().items.first().map(|row| row.record)
    }

    #[tokio::test]
    async fn more_batches_than_places_all_get_their_answer() {
        let store = memory();
        let writer =
            Arc::new(Writer::start(Arc::clone(&store), WriterSettings::default()).unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..200 {
            let writer = Arc::clone(&writer);
            tasks.spawn(async move {
                let row = Record::Target(target_row("srv01", &format!("svc{number}")));
                writer.write(Arc::from([row])).await
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap().unwrap();
        }
        assert_eq!(store.load().unwrap().targets.concat().len(), 200);
    }

    #[tokio::test]
    async fn dropping_the_writer_writes_what_was_handed_over() {
        let store = memory();
        let writer = Writer::start(Arc::clone(&store), WriterSettings::default()).unwrap();
        let row = Record::Target(target_row("srv01", "Spooler"));
        {
            let write = writer.write(Arc::from([row]));
            tokio::pin!(write);
            // One poll hands the batch over; then nobody waits for it any more.
            let poll = std::future::poll_fn(|context| {
                std::task::Poll::Ready(write.as_mut().poll(context).is_pending())
            });
            let _pending: bool = poll.await;
        }
        drop(writer);
        assert_eq!(store.load().unwrap().targets.concat().len(), 1);
    }

    #[test]
    fn old_rows_go_in_chunks_until_none_is_left() {
        let store = memory();
        let mut row = history_row("srv01", "Spooler", 1);
        row.at = Wall(0);
        store.commit(&[Record::History(row)]).unwrap();
        let mut work = Work::new(&store, RETENTION);
        work.sweep(Instant::now());
        let count = || store.history(&HistoryQuery::default()).unwrap().items.len();
        assert_eq!(count(), 1, "its time has not come");
        let at = work.sweep_at;
        work.sweep(at);
        assert_eq!(count(), 0);
        assert_eq!(work.sweep_at, at + SWEEP_EVERY, "nothing is left");
    }
}
