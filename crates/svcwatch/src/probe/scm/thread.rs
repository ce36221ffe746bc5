//! Calls that block have a thread of their own, so that a computer that hangs in the middle of one keeps nobody else
//! waiting. A thread that hangs is not waited for and holds its place until it comes back.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use svcwatch_core::observe::{Fault, HostFault};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::probe::rpc::{After, Failure};

/// Calls under way at once, at most: as many as hosts are read at once, and some that hang.
const PLACES_MAX: usize = 512;
/// The stack of such a thread, in bytes.
const STACK_BYTES: usize = 512 * 1024;

static PLACES: Semaphore = Semaphore::const_new(PLACES_MAX);
/// The computers that a call is under way to.
static BUSY: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The right to call one computer; given back when the call has come back.
struct Place {
    computer: String,
    _permit: SemaphorePermit<'static>,
}

impl Place {
    /// Takes it, unless an earlier call to the same computer has not come back.
    async fn take(computer: &str, deadline: Instant) -> Result<Self, Failure> {
        let Ok(Ok(permit)) = timeout_at(deadline, PLACES.acquire()).await else {
            return Err(late(format!(
                "{PLACES_MAX} calls to other computers have not come back"
            )));
        };
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        if !busy.insert(computer.to_owned()) {
            return Err(late("an earlier call to it has not come back".to_owned()));
        }
        Ok(Self {
            computer: computer.to_owned(),
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.computer);
    }
}

/// Does something that may block, and waits for it until the deadline. What is not finished then is thrown away when
/// it is, by the thread that did it.
pub(super) async fn blocking<T, W>(
    computer: &str,
    deadline: Instant,
    doing: &str,
    work: W,
) -> Result<T, Failure>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let place = Place::take(computer, deadline).await?;
    let (send, receive) = oneshot::channel();
    let started = std::thread::Builder::new()
        .name("scm".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let done = work();
            drop(place);
            // Who asked may have stopped waiting.
            drop(send.send(done));
        });
    if let Err(error) = started {
        return Err(late(format!("the system gives no thread: {error}")));
    }
    match timeout_at(deadline, receive).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(late(format!("{doing} broke off"))),
        Err(_) => Err(late(format!("no answer in time while {doing}"))),
    }
}

/// Lets go of something that may block, on a thread of its own.
pub(super) fn close_apart(held: impl Send + 'static) {
    let closing = std::thread::Builder::new()
        .name("scm-close".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || drop(held));
    // Where the system gives no thread it was let go of here.
    if let Err(error) = closing {
        tracing::debug!(%error, "a connection was not closed apart");
    }
}

fn late(cause: String) -> Failure {
    Failure {
        fault: HostFault {
            fault: Fault::Timeout,
            cause,
            refusal: None,
        },
        after: After::Drop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    #[tokio::test]
    async fn a_call_that_hangs_keeps_only_its_own_computer_waiting() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let hangs = blocking("hanging", soon(50), "listing", move || wait.recv().is_ok()).await;
        assert_eq!(
            hangs.unwrap_err().fault.cause,
            "no answer in time while listing"
        );
        let again = blocking("hanging", soon(50), "listing", || 1).await;
        assert_eq!(
            again.unwrap_err().fault.cause,
            "an earlier call to it has not come back"
        );
        assert_eq!(blocking("other", soon(5_000), "listing", || 2).await, Ok(2));
        drop(go);
        let end = soon(5_000);
        while blocking("hanging", soon(50), "listing", || 3).await != Ok(3) {
            assert!(Instant::now() < end, "the place is given back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[test]
    fn what_hangs_while_it_is_let_go_of_keeps_nobody_waiting() {
        struct Slow(std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>);
        impl Drop for Slow {
            fn drop(&mut self) {
                if self.0.recv().is_err() && self.1.send(()).is_err() {
                    eprintln!("nobody waits any more");
                }
            }
        }
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (gone, ended) = std::sync::mpsc::channel();
        close_apart(Slow(wait, gone));
        assert!(ended.try_recv().is_err(), "it has not ended");
        drop(go);
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(()));
    }

    #[tokio::test]
    async fn a_call_that_breaks_is_told_and_its_place_is_free() {
        let broken: Result<(), Failure> =
            blocking("breaking", soon(5_000), "listing", || panic!("on purpose")).await;
        assert_eq!(broken.unwrap_err().fault.cause, "listing broke off");
        assert_eq!(
            blocking("breaking", soon(5_000), "listing", || 1).await,
            Ok(1)
        );
    }
}
