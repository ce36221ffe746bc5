//! What the loop has to do outside is done here: one effect, one task with a deadline, one event. A task that breaks
//! or hangs is answered for, so that each effect has its one answer whatever happens.

mod access;

pub(crate) use self::access::{access_by, note_refusals};

use self::access::access_of;
use crate::{
    dest::sender::{Destinations, Fallbacks, Senders},
    evidence::Gatherer,
    guests::{self, Guests},
    probe::{Ears, Prober},
    remedy::Actor,
    store::AnyStore,
    wanted::Wanted,
    wiring::{Logons, Reach},
};
use std::{collections::HashMap, future::Future, path::Path, sync::Arc, time::Duration};
use svcwatch_core::{
    effect::{ActRequest, Effect, ProbeRequest},
    event::{Event, Verdict},
    evidence::GatherRequest,
    guest::{Visit, VisitRequest},
    id::Name,
    limits,
    observe::{Fault, HostFault, Logon, Observation, Outcome},
    remedy::Outcome as Came,
    time::{Now, Span},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, Id, JoinSet},
    time::timeout,
};

/// How much longer than its own deadline a task may take until it is answered for.
const GRACE: Duration = Duration::from_secs(2);
/// How long a message may take to be made, and a session to be closed.
const SHORT: Duration = Duration::from_secs(10);
/// How long a delivery may take at the very most; each destination has a shorter deadline of its own.
const SEND_MAX: Duration = Duration::from_secs(90);

/// Hosts that wait to be told of as stirring, at most; more are told of a little later.
const STIRS_MAX: usize = 1_000;

/// Carries out effects and brings back their events.
#[derive(Debug)]
pub struct Performer {
    prober: Arc<Prober>,
    gatherer: Gatherer,
    actor: Arc<Actor>,
    senders: Senders,
    reach: Arc<Reach>,
    logons: Arc<Logons>,
    wanted: Arc<Wanted>,
    guests: Arc<Guests>,
    tasks: JoinSet<Option<Event>>,
    /// What is answered for a task that breaks.
    instead: HashMap<Id, Option<Event>>,
    /// Those of the tasks that read hosts, and what ends them.
    readings: HashMap<Id, AbortHandle>,
    /// Hosts that say that something has happened there.
    stirs: mpsc::Receiver<Name>,
    /// Those that listen to services that are heard at once.
    ears: Ears,
}

impl Performer {
    /// Begins with no session. What is done to services is kept on record in the folder `data`.
    pub fn new(reach: Reach, destinations: Destinations, logons: Arc<Logons>, data: &Path) -> Self {
        let (stirs_in, stirs) = mpsc::channel(STIRS_MAX);
        let prober = Arc::new(Prober::new().that_hears(stirs_in));
        #[cfg(windows)]
        prober.hear(!reach.is_silent());
        Self {
            gatherer: Gatherer::new(Arc::clone(&prober)),
            prober,
            actor: Arc::new(Actor::new(data.to_owned())),
            senders: Senders::new(destinations),
            reach: Arc::new(reach),
            logons,
            wanted: Arc::default(),
            guests: Arc::default(),
            tasks: JoinSet::new(),
            instead: HashMap::new(),
            readings: HashMap::new(),
            stirs,
            ears: Ears::default(),
        }
    }

    /// From now on knows what is remembered of services when it asks why they are not as expected.
    pub fn remember_by(&mut self, store: Arc<AnyStore>) {
        self.gatherer = self.gatherer.clone().that_remembers(store);
    }

    /// From now on counts the templates that are not used there.
    pub fn count_fallbacks_in(&mut self, fallbacks: Fallbacks) {
        self.senders.count_in(fallbacks);
    }

    /// Who waits for readings beside the rounds.
    pub const fn wanted(&self) -> &Arc<Wanted> {
        &self.wanted
    }

    /// Who waits for readings beside the rounds, of hosts and of guests.
    pub fn readers(&self) -> (Arc<Wanted>, Arc<Guests>) {
        (Arc::clone(&self.wanted), Arc::clone(&self.guests))
    }

    /// The destinations that hold now.
    pub fn destinations(&self) -> Arc<Destinations> {
        self.senders.current()
    }

    /// From now on hosts are reached so; what is under way goes on with the old one.
    pub fn replace_reach(&mut self, reach: Reach) {
        #[cfg(windows)]
        self.prober.hear(!reach.is_silent());
        self.reach = Arc::new(reach);
    }

    /// From now on with these destinations.
    pub fn replace_destinations(&self, destinations: Destinations) {
        self.senders.replace(destinations);
    }

    /// Begins an effect. Gives those back that are none of its business: what is to be shown and said.
    pub fn begin(&mut self, now: Now, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Probe(request) => self.probe(request),
            Effect::ReadConfig { host, services } => self.read_config(host, services),
            Effect::Gather(request) => self.gather(request),
            Effect::Act(request) => self.act(request),
            Effect::Forget { host } => self.forget(host),
            Effect::Visit(request) => self.visit(request),
            Effect::Leave(visit) => self.leave(visit),
            Effect::AnswerVisit { visit, answer } => self.guests.give(&visit, answer),
            Effect::Listen { host, service, ear } => {
                self.ears.begin(&self.prober, host, service, ear);
            }
            Effect::StopListening { ear, .. } => self.ears.end(ear),
            Effect::Render {
                delivery,
                destination,
                recipient,
                notice,
            } => {
                let senders = self.senders.clone();
                let instead = Event::Rendered {
                    delivery: delivery.clone(),
                    payload: Err("making the message took too long".to_owned()),
                };
                self.spawn(SHORT, Some(instead), async move {
                    let made =
                        senders.render(delivery.clone(), destination, recipient, notice, now.wall);
                    let payload = made.await;
                    Some(Event::Rendered { delivery, payload })
                });
            }
            Effect::Send {
                delivery,
                destination,
                payload,
                ..
            } => {
                let senders = self.senders.clone();
                let reason = "sending broke off; it is tried again".to_owned();
                let instead = Event::Settled {
                    delivery: delivery.clone(),
                    verdict: Verdict::Retry {
                        after: None,
                        reason: reason.clone(),
                    },
                    answer: reason,
                };
                self.spawn(SEND_MAX, Some(instead), async move {
                    let (verdict, answer) = senders
                        .send(delivery.clone(), destination, payload, now.wall)
                        .await;
                    Some(Event::Settled {
                        delivery,
                        verdict,
                        answer,
                    })
                });
            }
            Effect::Show(_) | Effect::Note(_) => return Some(effect),
        }
        None
    }

    /// The next event; waits for ever where nothing is under way.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.one().await {
                return event;
            }
        }
    }

    /// The next event, or the end of a task that has none.
    pub async fn one(&mut self) -> Option<Event> {
        let ended = tokio::select! {
            ended = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => ended,
            Some(host) = self.stirs.recv() => return Some(Event::Stirred { host }),
            news = self.ears.next() => return Some(news),
        };
        let (id, event) = match ended? {
            Ok((id, event)) => {
                self.instead.remove(&id);
                (id, event)
            }
            Err(error) => (error.id(), self.instead.remove(&error.id()).flatten()),
        };
        self.readings.remove(&id);
        tracing::trace!(task = %id, "a task has ended");
        event
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Breaks off whatever reads hosts or listens to them; nothing of it is answered.
    pub fn give_up_readings(&mut self) {
        self.ears.abort();
        for (id, task) in self.readings.drain() {
            self.instead.insert(id, None);
            task.abort();
        }
    }

    /// Breaks off what is under way.
    pub fn abort(&mut self) {
        self.instead.clear();
        self.ears.abort();
        self.tasks.abort_all();
    }

    /// Reads a host, as long as the program does not end.
    fn spawn_reading<F>(&mut self, limit: Duration, instead: Option<Event>, work: F)
    where
        F: Future<Output = Option<Event>> + Send + 'static,
    {
        let task = self.spawn(limit, instead, work);
        self.readings.insert(task.id(), task);
    }

    fn spawn<F>(&mut self, limit: Duration, instead: Option<Event>, work: F) -> AbortHandle
    where
        F: Future<Output = Option<Event>> + Send + 'static,
    {
        let late = instead.clone();
        let task: AbortHandle = self
            .tasks
            .spawn(async move { timeout(limit, work).await.unwrap_or(late) });
        self.instead.insert(task.id(), instead);
        task
    }

    fn probe(&mut self, request: ProbeRequest) {
        let limit = Duration::from_millis(request.timeout.0) + GRACE;
        let instead = not_read(
            &request,
            Fault::Timeout,
            "the check broke off or did not end within its timeout",
        );
        let (prober, reach, logons, wanted) = (
            Arc::clone(&self.prober),
            Arc::clone(&self.reach),
            Arc::clone(&self.logons),
            Arc::clone(&self.wanted),
        );
        self.spawn_reading(limit, Some(Event::Observed(instead)), async move {
            let observation =
                match access_of(&reach, &logons, &request.host, request.may_log_on).await {
                    Ok(access) => {
                        let observation = Box::pin(prober.check(&request, &access)).await;
                        let connection = reach.connection(&request.host);
                        if let Some(by) = connection.and_then(|one| reach.credential(one)) {
                            note_refusals(&logons, by, &observation);
                        }
                        observation
                    }
                    Err((fault, cause)) => not_read(&request, fault, &cause),
                };
            wanted.observed(&observation);
            Some(Event::Observed(observation))
        });
    }

    fn read_config(&mut self, host: Name, services: Vec<Name>) {
        let span = self
            .reach
            .connection(&host)
            .map_or(Span::ZERO, |connection| connection.timeout);
        let limit = Duration::from_millis(span.0) + GRACE;
        let late = HostFault {
            fault: Fault::Timeout,
            cause: "reading how the services are set up took too long".to_owned(),
            refusal: None,
        };
        let instead = Event::ConfigRead {
            host: host.clone(),
            services: Err(late),
        };
        let prober = Arc::clone(&self.prober);
        self.spawn_reading(limit, Some(instead), async move {
            let services = Box::pin(prober.read_config(&host, &services, span)).await;
            Some(Event::ConfigRead { host, services })
        });
    }

    fn gather(&mut self, request: GatherRequest) {
        let limit = Duration::from_millis(request.timeout.0) + GRACE;
        let answer = |found| Event::Gathered {
            host: request.host.clone(),
            gather: request.gather,
            found,
        };
        let instead = answer(Vec::new());
        let (gatherer, reach, logons) = (
            self.gatherer.clone(),
            Arc::clone(&self.reach),
            Arc::clone(&self.logons),
        );
        self.spawn_reading(limit, Some(instead), async move {
            let access = async {
                let access = access_of(&reach, &logons, &request.host, true).await;
                access.map_err(|(_, cause)| cause)
            };
            let found = Box::pin(gatherer.gather(&request, access)).await;
            Some(Event::Gathered {
                host: request.host,
                gather: request.gather,
                found,
            })
        });
    }

    fn act(&mut self, request: ActRequest) {
        let limit = Duration::from_millis(limits::ACT_MAX.0).saturating_sub(GRACE);
        let act = request.act.clone();
        let ended = move |(outcome, text)| Event::Acted { act, outcome, text };
        let text = "it broke off or did not end in time".to_owned();
        let instead = ended.clone()((Came::Unknown, text));
        let (actor, reach, logons) = (
            Arc::clone(&self.actor),
            Arc::clone(&self.reach),
            Arc::clone(&self.logons),
        );
        self.spawn(limit, Some(instead), async move {
            Some(ended(Box::pin(actor.act(&request, &reach, &logons)).await))
        });
    }

    fn visit(&mut self, request: VisitRequest) {
        let limit = Duration::from_millis(request.timeout.0) + GRACE;
        let cause = "the reading broke off or did not end within its timeout";
        let instead = guests::not_read(&request, Fault::Timeout, cause);
        let (guests, reach, logons) = (
            Arc::clone(&self.guests),
            Arc::clone(&self.reach),
            Arc::clone(&self.logons),
        );
        self.spawn_reading(limit, Some(Event::Visited(instead)), async move {
            let ended = Box::pin(guests.visit(request, &reach, &logons));
            Some(Event::Visited(ended.await))
        });
    }

    fn leave(&mut self, visit: Visit) {
        let guests = Arc::clone(&self.guests);
        self.spawn_reading(SHORT, None, async move {
            guests.leave(&visit).await;
            None
        });
    }

    fn forget(&mut self, host: Name) {
        let prober = Arc::clone(&self.prober);
        self.spawn_reading(SHORT, None, async move {
            prober.forget(&host).await;
            None
        });
    }
}

/// The answer of a check that did not come to read.
fn not_read(request: &ProbeRequest, fault: Fault, cause: &str) -> Observation {
    Observation {
        host: request.host.clone(),
        probe: request.probe,
        refusals: 0,
        administrator: None,
        took: Span::ZERO,
        logon: Logon::None,
        computer_name: None,
        outcome: Outcome::Fault(HostFault {
            fault,
            cause: cause.to_owned(),
            refusal: None,
        }),
        session_kept: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::{id::DeliveryKey, observe::ProbeId};

    fn performer() -> Performer {
        Performer::new(
            Reach::default(),
            Destinations::default(),
            Arc::default(),
            Path::new(""),
        )
    }

    fn request() -> ProbeRequest {
        ProbeRequest {
            host: Name::new("srv01"),
            probe: ProbeId(7),
            may_log_on: true,
            logons: 1,
            ask: Arc::from([]),
            uptime: false,
            timeout: Span::seconds(1),
        }
    }

    #[tokio::test]
    async fn every_effect_has_one_answer_even_where_nothing_can_be_done() {
        let mut performer = performer();
        let key = DeliveryKey(Arc::from("k"));
        let send = Effect::Send {
            delivery: key.clone(),
            destination: Name::new("gone"),
            recipient: Arc::from(""),
            payload: Arc::from([]),
            attempt: 1,
        };
        for effect in [
            Effect::Probe(request()),
            send,
            Effect::Forget {
                host: Name::new("srv01"),
            },
        ] {
            assert_eq!(performer.begin(Now::default(), effect), None);
        }
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.push(performer.next().await);
        }
        assert!(
            answers
                .iter()
                .any(|answer| matches!(answer, Event::Observed(seen) if seen.probe == ProbeId(7)))
        );
        assert!(answers.iter().any(|answer| {
            matches!(answer, Event::Settled { delivery, verdict: Verdict::Retry { .. }, .. } if *delivery == key)
        }));
        let more = timeout(Duration::from_millis(50), performer.next()).await;
        assert!(
            more.is_err() && performer.is_idle(),
            "closing a session has no answer"
        );
    }

    #[tokio::test]
    async fn a_task_that_breaks_or_hangs_is_answered_for() {
        let mut performer = performer();
        performer.spawn(SHORT, Some(Event::Tick), async {
            panic!("broken on purpose")
        });
        assert_eq!(performer.next().await, Event::Tick);
        performer.spawn(
            Duration::from_millis(10),
            Some(Event::Stop),
            std::future::pending(),
        );
        assert_eq!(performer.next().await, Event::Stop);
    }

    #[tokio::test]
    async fn what_is_broken_off_is_not_answered() {
        let mut performer = performer();
        performer.spawn(SHORT, Some(Event::Tick), std::future::pending());
        performer.abort();
        let answer = timeout(Duration::from_millis(50), performer.next()).await;
        assert!(answer.is_err());
    }
}
