//! Whether the thread that listens still goes round. It calls a manager that may hang, and then nobody would have the
//! computer read any more until its next round.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use svcwatch_core::id::Name;

use crate::probe::Stirs;

/// How often it is looked at. One that has not gone on since the last look hangs.
const EVERY: Duration = Duration::from_secs(15);

/// How far a thread has come.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    rounds: AtomicU64,
    waits: AtomicBool,
}

impl Pulse {
    /// It goes on.
    pub(super) fn beats(&self) {
        self.waits.store(false, Ordering::Relaxed);
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// It has nothing to do until somebody wakes it, which may be long.
    pub(super) fn rests(&self) {
        self.waits.store(true, Ordering::Relaxed);
    }

    /// Where it is in the middle of something: how far it has come.
    fn at_work(&self) -> Option<u64> {
        let waits = self.waits.load(Ordering::Relaxed);
        (!waits).then(|| self.rounds.load(Ordering::Relaxed))
    }
}

/// Has the computer read as long as the thread hangs that should say when; ends with `alive`.
pub(super) async fn watch_over(host: Name, stirs: Stirs, pulse: Arc<Pulse>, alive: Weak<()>) {
    let mut last = None;
    let mut hangs = false;
    loop {
        tokio::time::sleep(EVERY).await;
        if alive.strong_count() == 0 {
            return;
        }
        let now = pulse.at_work();
        let hung = now.is_some() && now == last;
        last = now;
        if hung && !hangs {
            tracing::warn!(%host, "the service control manager does not answer who listens to it, so that changes are found by reading alone");
        }
        hangs = hung;
        // Where the channel is full, something has it read already.
        if hung && stirs.try_send(host.clone()).is_err() && stirs.is_closed() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;
    use tokio::time::{advance, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_hangs_is_read_for_and_one_that_rests_is_not() {
        let (stirs, mut stirred) = mpsc::channel(4);
        let (pulse, alive) = (Arc::new(Pulse::default()), Arc::new(()));
        let watching = tokio::spawn(watch_over(
            Name::new("here"),
            stirs,
            Arc::clone(&pulse),
            Arc::downgrade(&alive),
        ));
        let long = EVERY * 4;
        pulse.beats();
        pulse.rests();
        assert!(timeout(long, stirred.recv()).await.is_err(), "it rests");
        for _ in 0..8 {
            pulse.beats();
            advance(EVERY / 2).await;
        }
        assert!(stirred.try_recv().is_err(), "it works");
        for _ in 0..3 {
            let told = timeout(long, stirred.recv()).await;
            assert_eq!(told, Ok(Some(Name::new("here"))), "it hangs");
        }
        pulse.beats();
        pulse.rests();
        advance(EVERY).await;
        while stirred.try_recv().is_ok() {}
        assert!(timeout(long, stirred.recv()).await.is_err(), "it is back");
        drop(alive);
        assert!(timeout(EVERY * 2, watching).await.is_ok(), "it ends");
    }
}
