//! A thread that holds a connection and asks over it: what COM hands out stays with the thread that it was made for. A
//! computer that hangs keeps nobody else waiting: a thread that hangs is not waited for, and ends when it comes back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, mpsc};

use svcwatch_core::observe::{Fault, HostFault};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::probe::rpc::{After, Failure};

/// Threads at once, at most: as many as hosts can be read by WMI, and some that hang.
const WORKERS_MAX: usize = 256;
/// Of one computer: the one that is asked, and one that hangs.
const OF_ONE_MAX: usize = 2;
/// The stack of such a thread, in bytes.
const STACK_BYTES: usize = 512 * 1024;

static PLACES: Semaphore = Semaphore::const_new(WORKERS_MAX);
/// How many threads each computer has.
static BUSY: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// The right to have a thread for one computer; given back when the thread ends.
struct Place {
    computer: String,
    _permit: SemaphorePermit<'static>,
}

impl Place {
    async fn take(computer: &str, deadline: Instant) -> Result<Self, Failure> {
        let Ok(Ok(permit)) = timeout_at(deadline, PLACES.acquire()).await else {
            return Err(late(format!(
                "{WORKERS_MAX} hosts are read by WMI already, which is as many as can be; read others by `transport: local`"
            )));
        };
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        let count = busy.entry(computer.to_owned()).or_default();
        if *count >= OF_ONE_MAX {
            return Err(late(
                "earlier questions to it have not come back".to_owned(),
            ));
        }
        *count += 1;
        Ok(Self {
            computer: computer.to_owned(),
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = busy.get_mut(&self.computer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                busy.remove(&self.computer);
            }
        }
    }
}

/// What a thread is to do with what it holds.
type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that holds an `S`, as long as this value lives or a job is under way.
#[derive(Debug)]
pub(super) struct Worker<S> {
    jobs: mpsc::Sender<Job<S>>,
}

impl<S: 'static> Worker<S> {
    /// Starts one for a computer, which makes what it holds, and waits for that until the deadline.
    pub(super) async fn start<E: Send + 'static>(
        computer: &str,
        deadline: Instant,
        doing: &str,
        make: impl FnOnce() -> Result<S, E> + Send + 'static,
    ) -> Result<Result<Self, E>, Failure> {
        let place = Place::take(computer, deadline).await?;
        let (jobs, to_do) = mpsc::channel::<Job<S>>();
        let (made, answer) = oneshot::channel();
        let work = move || {
            // Dropped last: what is held may take its time to be let go of.
            let _place = place;
            match make() {
                Ok(mut held) => {
                    if made.send(Ok(())).is_ok() {
                        while let Ok(job) = to_do.recv() {
                            job(&mut held);
                        }
                    }
                }
                Err(error) => drop(made.send(Err(error))),
            }
        };
        let started = std::thread::Builder::new()
            .name("wmi".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(work);
        if let Err(error) = started {
            return Err(late(format!("the system gives no thread: {error}")));
        }
        let made = wait(deadline, doing, answer).await?;
        Ok(made.map(|()| Self { jobs }))
    }

    /// Has the thread do something, and waits for it until the deadline. After a failure it is not to be asked again.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        deadline: Instant,
        doing: &str,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (done, answer) = oneshot::channel();
        let job: Job<S> = Box::new(move |held| drop(done.send(work(held))));
        // Where nobody takes it, nobody answers either.
        drop(self.jobs.send(job));
        wait(deadline, doing, answer).await
    }
}

async fn wait<T>(
    deadline: Instant,
    doing: &str,
    answer: oneshot::Receiver<T>,
) -> Result<T, Failure> {
    match timeout_at(deadline, answer).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(late(format!("{doing} broke off"))),
        Err(_) => Err(late(format!("no answer in time while {doing}"))),
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
    use std::rc::Rc;
    use std::time::Duration;

    fn soon(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    /// A worker that holds what cannot leave its thread.
    async fn worker(computer: &str) -> Result<Worker<Rc<u32>>, Failure> {
        let made = Worker::start(computer, soon(5_000), "connecting", || {
            Ok::<_, ()>(Rc::new(7))
        });
        Ok(made.await?.unwrap())
    }

    #[tokio::test]
    async fn what_is_held_stays_and_is_asked_again_and_again() {
        let worker = worker("steady").await.unwrap();
        for round in 0..3 {
            let answer = worker.ask(soon(5_000), "listing", move |held| **held + round);
            assert_eq!(answer.await, Ok(7 + round));
        }
        let refused: Result<Worker<u32>, &str> =
            Worker::start("refusing", soon(5_000), "connecting", || Err("no"))
                .await
                .unwrap();
        assert_eq!(refused.err(), Some("no"));
    }

    #[tokio::test]
    async fn a_computer_that_hangs_is_asked_once_more_and_then_waited_for() {
        let (go, wait) = mpsc::channel::<()>();
        let wait = std::sync::Arc::new(Mutex::new(wait));
        for _ in 0..OF_ONE_MAX {
            let worker = worker("hanging").await.unwrap();
            let wait = std::sync::Arc::clone(&wait);
            let hangs = worker.ask(soon(50), "listing", move |_| {
                drop(wait.lock().map(|wait| wait.recv()));
            });
            let failure = hangs.await.unwrap_err();
            assert_eq!(failure.fault.cause, "no answer in time while listing");
            assert_eq!(failure.fault.fault, Fault::Timeout);
        }
        let again = worker("hanging").await.unwrap_err();
        assert_eq!(
            again.fault.cause,
            "earlier questions to it have not come back"
        );
        let other = worker("another").await.unwrap();
        assert_eq!(
            other.ask(soon(5_000), "listing", |held| **held).await,
            Ok(7)
        );
        drop(go);
        let end = soon(5_000);
        while worker("hanging").await.is_err() {
            assert!(Instant::now() < end, "the places are given back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_thread_that_breaks_is_told_and_its_place_is_free() {
        for _ in 0..=OF_ONE_MAX {
            let worker = worker("breaking").await.unwrap();
            let broken: Result<(), Failure> = worker
                .ask(soon(5_000), "listing", |_| panic!("on purpose"))
                .await;
            assert_eq!(broken.unwrap_err().fault.cause, "listing broke off");
        }
    }
}
