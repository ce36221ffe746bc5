//! What is remembered: state, history, incidents and the outbox, written in one transaction.
//!
//! One trait, [`Store`], and one set of tests that every store passes. [`SqliteStore`] keeps a database in the data
//! folder; [`MemoryStore`] keeps nothing beyond the process and serves tests. [`Writer`] is the one thread that writes.
//! Everything here blocks; asynchronous callers use [`Writer::write`] and [`ask`].

mod error;
mod evidence;
mod matcher;
mod memory;
mod notice;
pub mod query;
mod record;
mod remedy;
mod sqlite;
mod writer;

#[cfg(test)]
mod any;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod samples;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use sqlite::{BackupProgress, DATABASE_FILE, SqliteStore, backup};
pub use writer::{Writer, WriterSettings};

use query::{
    DeliveryItem, DeliveryQuery, DroppedQuery, Health, HistoryQuery, IncidentItem, IncidentQuery,
    Page,
};
use std::{path::Path, sync::Arc};
use svcwatch_core::{
    id::{Name, StoreId},
    record::{DroppedRow, HistoryRow, HostRow, Record, Restored, TargetRow},
    time::{Span, Wall},
};

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Bytes kept in reserve on the disk, given free when it is full so that the outbox can still be written; 0 for none.
    pub ballast: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            ballast: 16 * 1024 * 1024,
        }
    }
}

/// How long history is kept unless the configuration says otherwise: 400 days, a year and a month to compare it with.
pub const RETENTION: Span = Span::hours(400 * 24);

/// What every store can do. All of it may block on the disk.
pub trait Store: Send + Sync {
    /// The identity that the store got when it was made.
    fn id(&self) -> StoreId;

    /// All that the engine needs at a start.
    fn load(&self) -> Result<Restored, StoreError>;

    /// Writes all of these rows or none; they are durable when it returns. Writing them again changes nothing.
    fn commit(&self, records: &[Record]) -> Result<(), StoreError>;

    /// Incidents, the newest first.
    fn incidents(&self, query: &IncidentQuery) -> Result<Page<IncidentItem>, StoreError>;

    /// Lines of history, the newest first.
    fn history(&self, query: &HistoryQuery) -> Result<Page<HistoryRow>, StoreError>;

    /// Lines of history about services that changed their state, with a greater record number than this; the oldest
    /// first, at most so many, 1 to [`query::PAGE_MAX`].
    fn transitions(&self, after: u64, limit: usize) -> Result<Vec<HistoryRow>, StoreError>;

    /// Deliveries with their tries, the newest first.
    fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<DeliveryItem>, StoreError>;

    /// What was not told, the newest first.
    fn dropped(&self, query: &DroppedQuery) -> Result<Vec<DroppedRow>, StoreError>;

    /// What is known of a host.
    fn host(&self, host: &Name) -> Result<Option<HostRow>, StoreError>;

    /// What is known of the targets of a host, by service key.
    fn targets(&self, host: &Name) -> Result<Vec<TargetRow>, StoreError>;

    /// Removes one chunk of what is older than this and settled; says whether there may be more.
    fn expire(&self, before: Wall) -> Result<bool, StoreError>;

    /// What is better done while nothing is to be written.
    fn rest(&self) -> Result<(), StoreError>;

    /// Looks through the whole store for damage. [`Store::health`] tells the result too.
    fn check(&self) -> Result<(), StoreError>;

    /// Ends a check that is under way.
    fn stop_check(&self);

    /// How the store itself is.
    fn health(&self) -> Health;
}

/// One of the stores there are.
#[derive(Debug)]
pub enum AnyStore {
    /// A database in the data folder.
    Sqlite(SqliteStore),
    /// Nothing beyond the process.
    Memory(MemoryStore),
}

impl AnyStore {
    /// Opens or makes the store of a data folder and holds it against any other process until it is dropped.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        SqliteStore::open(folder, options).map(Self::Sqlite)
    }

    /// Opens the store of a data folder to read it, beside a process that may hold it.
    pub fn open_to_read(folder: &Path) -> Result<Self, StoreError> {
        SqliteStore::open_to_read(folder).map(Self::Sqlite)
    }
}

/// Hands a call on to the store there is.
macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::Sqlite($store) => $call,
            Self::Memory($store) => $call,
        }
    };
}

impl Store for AnyStore {
    fn id(&self) -> StoreId {
        each!(self, store => store.id())
    }

    fn load(&self) -> Result<Restored, StoreError> {
        each!(self, store => store.load())
    }

    fn commit(&self, records: &[Record]) -> Result<(), StoreError> {
        each!(self, store => store.commit(records))
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Page<IncidentItem>, StoreError> {
        each!(self, store => store.incidents(query))
    }

    fn history(&self, query: &HistoryQuery) -> Result<Page<HistoryRow>, StoreError> {
        each!(self, store => store.history(query))
    }

    fn transitions(&self, after: u64, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
        each!(self, store => store.transitions(after, limit))
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<DeliveryItem>, StoreError> {
        each!(self, store => store.deliveries(query))
    }

    fn dropped(&self, query: &DroppedQuery) -> Result<Vec<DroppedRow>, StoreError> {
        each!(self, store => store.dropped(query))
    }

    fn host(&self, host: &Name) -> Result<Option<HostRow>, StoreError> {
        each!(self, store => store.host(host))
    }

    fn targets(&self, host: &Name) -> Result<Vec<TargetRow>, StoreError> {
        each!(self, store => store.targets(host))
    }

    fn expire(&self, before: Wall) -> Result<bool, StoreError> {
        each!(self, store => store.expire(before))
    }

    fn rest(&self) -> Result<(), StoreError> {
        each!(self, store => store.rest())
    }

    fn check(&self) -> Result<(), StoreError> {
        each!(self, store => store.check())
    }

    fn stop_check(&self) {
        each!(self, store => store.stop_check());
    }

    fn health(&self) -> Health {
        each!(self, store => store.health())
    }
}

/// Asks a store something from asynchronous code, on a thread that may block.
pub async fn ask<T, F>(store: Arc<AnyStore>, question: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(&AnyStore) -> Result<T, StoreError> + Send + 'static,
{
    tokio::task::spawn_blocking(move || question(&store))
        .await
        // The thread is lost only where the question panicked or the program is ending.
        .unwrap_or(Err(StoreError::NoAnswer))
}
