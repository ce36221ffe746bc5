//! Lists of hosts while the program runs: services are asked again and again, what became of each list is said once and
//! counted, and what is carried out is kept for the next start.

use crate::{
    clock,
    config::{self, Accept, Config, LIST_BYTES, ListOptions, ListSource, ListState},
    facts::{Facts, ListRead},
    transport::listing::{Answer, Listing, Mark},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use svcwatch_core::time::Tick;
use tokio::task::JoinSet;

/// How long a service may take to answer in all.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What is known of lists.
#[derive(Debug)]
pub struct Lists {
    /// The folder of the store.
    data: PathBuf,
    facts: Arc<Facts>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Asks services; made when the first one is asked.
    listing: Option<Listing>,
    services: BTreeMap<String, Service>,
    /// The lists whose next version is taken whatever it lacks.
    accept: BTreeSet<String>,
    /// What was said of each list last, so that it is said once.
    told: BTreeMap<String, Vec<String>>,
}

/// A service, by what it said last.
#[derive(Debug, Default)]
struct Service {
    body: Option<Arc<[u8]>>,
    mark: Mark,
    next: Tick,
    /// Why it could not be asked.
    failed: Option<String>,
}

impl Lists {
    /// Begins with the lists of a configuration; with `accept`, those that are not current are taken whatever they lack.
    pub fn new(data: PathBuf, facts: Arc<Facts>, states: &[ListState], accept: bool) -> Self {
        let waiting = states.iter().filter(|state| accept && !state.current);
        let known = Known {
            accept: waiting.map(|state| state.source.key()).collect(),
            ..Known::default()
        };
        Self {
            data,
            facts,
            known: Mutex::new(known),
        }
    }

    /// How lists are read the next time.
    pub fn options(&self, before: &Config) -> ListOptions {
        let known = self.lock();
        let bodies = known.services.iter();
        let answers =
            bodies.filter_map(|(key, one)| Some((key.clone(), Arc::clone(one.body.as_ref()?))));
        ListOptions {
            data: Some(self.data.clone()),
            known: Some(before.lists.clone()),
            answers: answers.collect(),
            accept: Accept::These(known.accept.clone()),
            strict: false,
        }
    }

    /// These are carried out from now on: that is said, counted and kept. Writes files.
    pub fn taken(&self, states: &[ListState]) {
        let mut keys = BTreeSet::new();
        for state in states {
            let key = state.source.key();
            self.tell(state, &key);
            if state.current {
                self.lock().accept.remove(&key);
            }
            keys.insert(key);
        }
        self.lock().services.retain(|key, _| keys.contains(key));
        self.show(states);
        if let Err(error) = config::keep_lists(&self.data, states) {
            tracing::error!(error = %error, "the lists of hosts could not be kept for the next start");
        }
    }

    /// Says what became of a list, where that is another than before.
    fn tell(&self, state: &ListState, key: &str) {
        let list = state.source.shown();
        let told = self
            .lock()
            .told
            .insert(key.to_owned(), state.refused.clone());
        match (told, state.refused.as_slice()) {
            (told, []) => {
                let mended = told.is_some_and(|told| !told.is_empty());
                if mended && state.current {
                    tracing::info!(%list, hosts = state.count(), "a list of hosts is taken again");
                }
            }
            (Some(told), refused) if told == refused => return,
            (_, refused) => {
                for error in refused {
                    tracing::error!(%list, hosts = state.count(), %error, "a list of hosts was not taken, and the one before stays");
                }
            }
        }
        let read = match (&state.source, state.refused.is_empty()) {
            (_, false) => ListRead::Refused,
            (ListSource::HttpSd { .. }, true) if !state.current => return,
            (_, true) => ListRead::Taken,
        };
        self.facts.list_read(&list, read);
    }

    fn show(&self, states: &[ListState]) {
        let known = self.lock();
        let shown = states.iter().map(|state| {
            let service = known.services.get(&state.source.key());
            let failed = service.is_some_and(|service| service.failed.is_some());
            (
                state.source.shown(),
                state.count(),
                state.current && !failed,
            )
        });
        self.facts.lists(&shown.collect::<Vec<_>>());
    }

    /// Asks the services whose time has come. Whether one of them says something else than before.
    pub async fn ask(&self, states: &[ListState]) -> bool {
        let mut asked = JoinSet::new();
        for state in states {
            let ListSource::HttpSd { url, every } = &state.source else {
                continue;
            };
            let (key, now) = (state.source.key(), clock::now().tick);
            let Some(listing) = self.listing().await else {
                return false;
            };
            let mark = {
                let mut known = self.lock();
                let service = known.services.entry(key.clone()).or_default();
                if service.next > now {
                    continue;
                }
                service.next = now + *every;
                service.mark.clone()
            };
            let (url, list) = (url.clone(), state.source.shown());
            asked.spawn(async move { (key, list, listing.ask(&url, &mark).await) });
        }
        if asked.is_empty() {
            return false;
        }
        let mut changed = false;
        while let Some(answer) = asked.join_next().await {
            if let Ok((key, list, answer)) = answer {
                changed |= self.answered(&key, &list, answer);
            }
        }
        if !changed {
            self.show(states);
        }
        changed
    }

    /// What asks services, made on a thread that may block.
    async fn listing(&self) -> Option<Listing> {
        if let Some(listing) = &self.lock().listing {
            return Some(listing.clone());
        }
        let made = tokio::task::spawn_blocking(|| Listing::new(ANSWER_WITHIN, LIST_BYTES)).await;
        match made {
            Ok(Ok(listing)) => {
                self.lock().listing = Some(listing.clone());
                Some(listing)
            }
            Ok(Err(error)) => {
                tracing::error!(error = %error, "no list of hosts can be asked for");
                None
            }
            Err(_) => None,
        }
    }

    /// A service answered, or not. Whether it says something else than before.
    fn answered(&self, key: &str, list: &str, answer: Result<Answer, String>) -> bool {
        let mut known = self.lock();
        let service = known.services.entry(key.to_owned()).or_default();
        let failed = service.failed.take();
        match answer {
            Err(error) => {
                self.facts.list_read(list, ListRead::Failed);
                if failed.as_ref() != Some(&error) {
                    tracing::error!(%list, %error, "a list of hosts cannot be had, and the one before stays");
                }
                service.failed = Some(error);
                false
            }
            Ok(answer) => {
                if failed.is_some() {
                    tracing::info!(%list, "a list of hosts can be had again");
                }
                let Answer::New { body, mark } = answer else {
                    self.facts.list_read(list, ListRead::Same);
                    return false;
                };
                service.mark = mark;
                if service.body.as_deref() == Some(body.as_slice()) {
                    self.facts.list_read(list, ListRead::Same);
                    return false;
                }
                service.body = Some(body.into());
                true
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the services of a configuration once, for who only looks: what each said, and why another said nothing.
pub async fn ask_once(
    states: &[ListState],
) -> (BTreeMap<String, Arc<[u8]>>, Vec<(String, String)>) {
    let (mut answers, mut failed) = (BTreeMap::new(), Vec::new());
    let services = states.iter().filter_map(|state| match &state.source {
        ListSource::HttpSd { url, .. } => Some((state, url)),
        ListSource::Files(_) => None,
    });
    for (state, url) in services {
        let made = tokio::task::spawn_blocking(|| Listing::new(ANSWER_WITHIN, LIST_BYTES)).await;
        let answer = match made {
            Ok(Ok(listing)) => listing.ask(url, &Mark::default()).await,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("asking broke off".to_owned()),
        };
        match answer {
            Ok(Answer::New { body, .. }) => {
                answers.insert(state.source.key(), body.into());
            }
            Ok(Answer::Same) => {
                let error = "it says that nothing changed, and was not asked before".to_owned();
                failed.push((state.source.shown(), error));
            }
            Err(error) => failed.push((state.source.shown(), error)),
        }
    }
    (answers, failed)
}
