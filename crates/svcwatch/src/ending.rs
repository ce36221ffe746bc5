//! How the loop ends: nothing new is begun, readings are given up, what is being sent settles, and what came of it is
//! written. All of it together has one deadline, for who asked for the end does not wait much longer: a service control
//! manager, a supervisor, a machine that shuts down.

use crate::{clock, engine::Loop, store::StoreError};
use std::time::Duration;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

/// How long an end may take in all: a little less than the five seconds that are promised.
pub(crate) const END_WITHIN: Duration = Duration::from_millis(4_500);
/// How long of this answers of the API that are under way may take.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(4);
/// How long of this messages and restarts that are under way may take. The rest is for the store.
const SETTLE_WITHIN: Duration = Duration::from_secs(3);

impl Loop {
    /// Lets what is under way end, breaks off what takes too long, and writes what came of it.
    pub(crate) async fn settle(mut self) -> Result<(), StoreError> {
        let begun = Instant::now();
        let until = begun + END_WITHIN;
        self.parts.asks.close();
        // Nothing that a host would still say counts, and a host that hangs would take all the time.
        self.parts.performer.give_up_readings();
        // What was read before is written and shown, so that feeds send it too, beside what is being sent.
        let shown = self.within(until, true).await;
        let feeds = tokio::spawn(self.parts.feeds.end(until.into_std()));
        let settled = match shown {
            Some(Ok(())) => self.sent(begun + SETTLE_WITHIN, until).await,
            Some(Err(error)) => Err(error),
            None => store_takes_nothing(),
        };
        ended(feeds).await;
        settled
    }

    /// Waits for what is being sent, breaks it off where it takes too long, and writes what came of it.
    async fn sent(&mut self, sent_until: Instant, until: Instant) -> Result<(), StoreError> {
        if let Some(settled) = self.within(sent_until, false).await {
            return settled;
        }
        self.parts.performer.abort();
        let settled = self.within(until, true).await;
        settled.unwrap_or_else(store_takes_nothing)
    }

    /// Carries until nothing is to be written any more and, unless it is broken off, nothing is under way; nothing where
    /// that takes too long.
    async fn within(&mut self, until: Instant, broken_off: bool) -> Option<Result<(), StoreError>> {
        timeout_at(until, self.settled(broken_off)).await.ok()
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
                event = self.parts.performer.one() => if let Some(event) = event {
                    self.happened(event).await;
                },
                () = due => {}
            }
        }
    }
}

/// Said where the last records could not be written in time, which is no failure: the next start decides them anew.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands in the place of what the end came to"
)]
fn store_takes_nothing() -> Result<(), StoreError> {
    tracing::error!(
        error = "the store takes nothing",
        "what was decided last is not written, and is decided anew at the next start"
    );
    Ok(())
}

async fn ended(feeds: JoinHandle<()>) {
    if feeds.await.is_err() {
        tracing::error!(
            error = "a task broke off, which is a fault of svcwatch itself",
            "what feeds have not sent is sent at the next start"
        );
    }
}
