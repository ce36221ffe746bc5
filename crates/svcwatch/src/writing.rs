//! The transaction that is being written. There is one at a time.

use crate::store::{StoreError, Writer};
use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};
use svcwatch_core::{pipeline::BatchId, record::Record};
use tokio::task::JoinHandle;

/// The transaction that is being written, or was written last.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    begun: Option<Begun>,
    records: Arc<[Record]>,
    took: Duration,
}

#[derive(Debug)]
struct Begun {
    batch: BatchId,
    at: Instant,
    task: JoinHandle<Result<(), StoreError>>,
}

impl Writing {
    /// Begins to write. What was handed over is written even where nobody waits for it any more.
    pub(crate) fn begin(writer: &Arc<Writer>, batch: BatchId, records: Arc<[Record]>) -> Self {
        let (writer, rows) = (Arc::clone(writer), Arc::clone(&records));
        let task = tokio::spawn(async move { writer.write(rows).await });
        let begun = Begun {
            batch,
            at: Instant::now(),
            task,
        };
        Self {
            begun: Some(begun),
            records,
            took: Duration::ZERO,
        }
    }

    /// The end of the transaction; never where none is being written. May be dropped and asked again.
    pub(crate) async fn ended(&mut self) -> (BatchId, Result<(), StoreError>) {
        let Some(begun) = &mut self.begun else {
            return pending().await;
        };
        // Where the task itself broke, the writer cannot be trusted either.
        let result = (&mut begun.task)
            .await
            .unwrap_or(Err(StoreError::WriterGone));
        let batch = begun.batch;
        self.took = begun.at.elapsed();
        self.begun = None;
        (batch, result)
    }

    /// The rows of the transaction that ended last.
    pub(crate) const fn records(&self) -> &Arc<[Record]> {
        &self.records
    }

    /// How long the transaction took that ended last.
    pub(crate) const fn took(&self) -> Duration {
        self.took
    }
}
