//! How the loop ends: nothing new is begun, what is under way settles, and what came of it is written.

use crate::{clock, engine::Loop, store::StoreError};
use std::time::Duration;
use tokio::time::timeout;

/// How long what is under way may take to settle after a stop, and how long the last records after that.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);

impl Loop {
    /// Lets what is under way end, breaks off what takes too long, and writes what came of it.
    pub(crate) async fn settle(mut self) -> Result<(), StoreError> {
        self.parts.asks.close();
        let settled = match timeout(SETTLE_WITHIN, self.settled(false)).await {
            Ok(ended) => ended,
            Err(_) => self.broken_off().await,
        };
        // After everything was shown, so that they send it too.
        self.parts.feeds.stop().await;
        settled
    }

    async fn broken_off(&mut self) -> Result<(), StoreError> {
        self.parts.performer.abort();
        timeout(SETTLE_WITHIN, self.settled(true))
            .await
            .unwrap_or_else(|_| {
                tracing::error!(
                    error = "the store takes nothing",
                    "what was decided last is not written, and is decided anew at the next start"
                );
                Ok(())
            })
    }

    async fn settled(&mut self, broken_off: bool) -> Result<(), StoreError> {
        loop {
            self.turn();
            if (broken_off || self.parts.performer.is_idle()) && self.parts.pipeline.is_idle() {
                return Ok(());
            }
            let due = clock::reached(self.parts.pipeline.next_deadline());
            tokio::select! {
                (batch, result) = self.writing.ended() => self.written(batch, result)?,
                event = self.parts.performer.next() => self.happened(event).await,
                () = due => {}
            }
        }
    }
}
