//! Those that listen: one task for each service that is heard at once. Each ends with one piece of news that says why,
//! unless nobody wants to hear it any more.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use svcwatch_core::event::Event;
use svcwatch_core::hearing::{EarId, News};
use svcwatch_core::id::Name;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use super::{Ear, Prober};

/// How long it may take until a registration stands.
const STANDS_WITHIN: Duration = Duration::from_secs(20);
/// News that waits for the loop, at most; then those that listen wait too.
const NEWS_MAX: usize = 256;

/// Whose news it is.
#[derive(Debug, Clone)]
struct Whose {
    host: Name,
    service: Name,
    ear: EarId,
}

impl Whose {
    fn event(self, news: News) -> Event {
        Event::Heard {
            host: self.host,
            service: self.service,
            ear: self.ear,
            news,
        }
    }
}

/// All that listen.
#[derive(Debug)]
pub struct Ears {
    tasks: JoinSet<()>,
    whose: HashMap<Id, Whose>,
    stops: HashMap<EarId, oneshot::Sender<()>>,
    news: mpsc::Receiver<Event>,
    tell: mpsc::Sender<Event>,
}

impl Default for Ears {
    fn default() -> Self {
        let (tell, news) = mpsc::channel(NEWS_MAX);
        Self {
            tasks: JoinSet::new(),
            whose: HashMap::new(),
            stops: HashMap::new(),
            news,
            tell,
        }
    }
}

impl Ears {
    /// Begins to listen to a service over the kept session with its host.
    pub fn begin(&mut self, prober: &Arc<Prober>, host: Name, service: Name, ear: EarId) {
        let (stop, stopped) = oneshot::channel();
        let whose = Whose { host, service, ear };
        let task = listen(
            Arc::clone(prober),
            whose.clone(),
            self.tell.clone(),
            stopped,
        );
        let task = self.tasks.spawn(task);
        self.whose.insert(task.id(), whose);
        self.stops.insert(ear, stop);
    }

    /// Does not listen to a service any more. Its pipe is closed; nothing more is told.
    pub fn end(&mut self, ear: EarId) {
        // Dropped, it ends the task that waits for it.
        self.stops.remove(&ear);
    }

    /// The next news; waits for ever where there is none.
    pub async fn next(&mut self) -> Event {
        loop {
            tokio::select! {
                biased;
                Some(event) = self.news.recv() => return event,
                Some(ended) = self.tasks.join_next_with_id() => {
                    if let Some(event) = self.ended(ended) {
                        return event;
                    }
                }
                else => return std::future::pending().await,
            }
        }
    }

    /// One that broke is answered for, where somebody still wants to hear it.
    fn ended(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) -> Option<Event> {
        let (id, broke) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), true),
        };
        let whose = self.whose.remove(&id)?;
        let wanted = self.stops.remove(&whose.ear).is_some();
        let cause = "listening broke off".to_owned();
        (broke && wanted).then(|| whose.event(News::Lost { cause }))
    }

    /// How many listen, or are about to, or have not ended yet.
    pub fn count(&self) -> usize {
        self.tasks.len()
    }

    /// Ends them all at once; their pipes end with their sessions.
    pub fn abort(&mut self) {
        self.stops.clear();
        self.tasks.abort_all();
    }
}

/// Listens to one service until it ends or nobody wants it any more.
///
/// Thousands of these wait for a change most of the time, so what they do besides waiting takes memory of its own and only
/// while it is done.
async fn listen(
    prober: Arc<Prober>,
    whose: Whose,
    tell: mpsc::Sender<Event>,
    stopped: oneshot::Receiver<()>,
) {
    let deadline = Instant::now() + STANDS_WITHIN;
    // Not broken off, so that no pipe is left open half way.
    let opened = Box::pin(prober.listen(&whose.host, &whose.service, deadline)).await;
    match opened {
        Ok(mut ear) => {
            hear(&mut ear, &whose, &tell, stopped).await;
            Box::pin(ear.end()).await;
        }
        Err(news) => say(&tell, &whose, news).await,
    }
    Box::pin(prober.end_where_over(&whose.host)).await;
}

/// Tells of one change after the other, until the registration ends or nobody wants it any more.
async fn hear(
    ear: &mut Ear,
    whose: &Whose,
    tell: &mpsc::Sender<Event>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut next = Box::new(News::Listening);
    loop {
        let telling = say(tell, whose, *next);
        let mut wait = Box::pin(ear.wait(telling));
        let heard = tokio::select! {
            biased;
            _ = &mut stopped => return,
            heard = &mut wait => Box::new(heard),
        };
        drop(wait);
        let ended = match *heard {
            Ok(news) => match Box::pin(ear.ask_again()).await {
                Ok(()) => {
                    *next = news;
                    continue;
                }
                Err(ended) => {
                    say(tell, whose, news).await;
                    ended
                }
            },
            Err(ended) => ended,
        };
        say(tell, whose, ended).await;
        return;
    }
}

/// Tells news; in memory of its own, which is given back as soon as it is told.
fn say<'a>(
    tell: &'a mpsc::Sender<Event>,
    whose: &'a Whose,
    news: News,
) -> Pin<Box<impl Future<Output = ()> + use<'a>>> {
    Box::pin(async move {
        // Where nobody takes it the program is ending.
        drop(tell.send(whose.clone().event(news)).await);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that who listens holds while nothing happens, at most: the task, and the wait for an answer in it.
    const TASK_BYTES_MAX: usize = 1_024;
    const WAIT_BYTES_MAX: usize = 2_688;

    /// The size of the wait for a change, without making one.
    fn wait_bytes<F>(_: impl FnOnce(&'static mut Ear) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn who_listens_holds_little_while_nothing_happens() {
        let (tell, _news) = mpsc::channel(1);
        let (_stop, stopped) = oneshot::channel();
        let whose = Whose {
            host: Name::new("srv01"),
            service: Name::new("Spooler"),
            ear: EarId(1),
        };
        let task = size_of_val(&listen(Arc::new(Prober::new()), whose, tell, stopped));
        let wait = wait_bytes(|ear| ear.wait(Box::pin(async {})));
        println!("a task of {task} bytes, a wait of {wait}");
        assert!(task <= TASK_BYTES_MAX, "{task}");
        assert!(wait <= WAIT_BYTES_MAX, "{wait}");
    }
}
