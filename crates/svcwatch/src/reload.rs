//! Another configuration while the program runs: taken over as a whole, or not at all. Files and secrets are looked at
//! every two seconds; a signal does it at once.

use crate::{
    calendar::AGAIN_EVERY,
    clock::{self, Clock},
    config::{self, Config, ListOptions, LoadOptions},
    dest::sender::Destinations,
    lists::Lists,
    os::{self, Stamp},
    parts::{Change, Order},
    runbook::Runbooks,
    web::ProbeModules,
    wiring::{self, DestinationList, Logons, Reach},
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use svcwatch_core::{id::Name, time::Tick};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};

/// How often the files and secrets are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a changed file must stay as it is until it is read, so that none is read while it is being written.
const STEADY_FOR: Duration = Duration::from_millis(200);
/// How often a file that does not come to rest is looked at again within one look.
const STEADY_LOOKS: u32 = 20;
/// How often it is looked whether a service is to be asked for its list of hosts.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Knows when the times of maintenance windows are to be given anew: hourly, and when the clock was set.
#[derive(Debug)]
struct Keeper {
    clock: Clock,
    given: Tick,
}

impl Keeper {
    fn new() -> Self {
        Self {
            clock: Clock::new(),
            given: clock::now().tick,
        }
    }

    fn is_due(&mut self) -> bool {
        let now = clock::now().tick;
        let due = self.clock.jump().is_some() || now.since(self.given) >= AGAIN_EVERY;
        if due {
            self.given = now;
        }
        due
    }
}

/// Takes another configuration over.
#[derive(Debug)]
pub struct Reloader {
    /// One reload after the other.
    turn: tokio::sync::Mutex<()>,
    current: Mutex<Current>,
    /// The base of links while the configuration names none.
    url: String,
    orders: mpsc::Sender<Order>,
    logons: Arc<Logons>,
    lists: Arc<Lists>,
    runbooks: Arc<Runbooks>,
    modules: Arc<ProbeModules>,
}

/// The files of the configuration and of its lists, each as it was seen.
type Stamps = Vec<(PathBuf, Option<Stamp>)>;

/// What is carried out now.
#[derive(Debug)]
struct Current {
    config: Arc<Config>,
    destinations: DestinationList,
    /// The files as they were when they were read, good or bad.
    stamps: Stamps,
    /// The destinations that could not be made ready from the secrets as they are, so that it is told once.
    refused: Option<Vec<String>>,
}

impl Reloader {
    /// Begins with what is carried out.
    pub fn new(
        config: Config,
        destinations: DestinationList,
        url: String,
        orders: mpsc::Sender<Order>,
        logons: Arc<Logons>,
        lists: Arc<Lists>,
    ) -> Self {
        let stamps = stamps(&config);
        let current = Current {
            config: Arc::new(config),
            destinations,
            stamps,
            refused: None,
        };
        Self {
            turn: tokio::sync::Mutex::new(()),
            current: Mutex::new(current),
            url,
            orders,
            logons,
            lists,
            runbooks: Arc::default(),
            modules: Arc::default(),
        }
    }

    /// With the runbooks that are served, whose folder another configuration may name anew, and the modules of /probe.
    #[must_use]
    pub fn with_shown(mut self, runbooks: Arc<Runbooks>, modules: Arc<ProbeModules>) -> Self {
        self.runbooks = runbooks;
        self.modules = modules;
        self
    }

    /// Reads the configuration again and carries it out, or changes nothing and gives every problem of it.
    pub async fn reload(&self) -> Result<(), Vec<String>> {
        let _turn = self.turn.lock().await;
        let before = Arc::clone(&self.lock().config);
        if before.files.is_empty() {
            return Err(vec![
                "this configuration was not read from a file, so there is nothing to read again"
                    .to_owned(),
            ]);
        }
        let (url, lists) = (self.url.clone(), self.lists.options(&before));
        let read =
            tokio::task::spawn_blocking(move || (stamps(&before), read(&before, &url, &lists)));
        let read = match read.await {
            Ok((stamps, read)) => {
                self.lock().stamps = stamps;
                Ok(read)
            }
            Err(error) => Err(error),
        };
        let read =
            read.unwrap_or_else(|_| Err(vec!["reading the configuration broke off".to_owned()]));
        match read {
            Ok(new) => {
                self.take_over(new).await;
                Ok(())
            }
            Err(problems) => {
                tell(
                    "the configuration was not taken over, and the one before stays",
                    &problems,
                );
                Err(problems)
            }
        }
    }

    async fn take_over(&self, new: Read) {
        let Read {
            config,
            list,
            destinations,
        } = new;
        for warning in &config.warnings {
            tracing::warn!(error = %warning, "the configuration");
        }
        let (lists, states) = (Arc::clone(&self.lists), config.lists.clone());
        let taken = tokio::task::spawn_blocking(move || lists.taken(&states)).await;
        if taken.is_err() {
            tracing::error!(error = "keeping the lists of hosts broke off", "a reload");
        }
        {
            // A list that was refused, or says the same in another way, changes nothing.
            let mut current = self.lock();
            if current.config.same_as(&config) && current.destinations == list {
                current.config = Arc::new(config);
                current.refused = None;
                tracing::info!("the configuration was read again, and nothing in it has changed");
                return;
            }
        }
        let change = Change {
            plan: Arc::new(config.plan(clock::wall())),
            reach: Reach::new(&config),
            destinations,
        };
        let (hosts, destinations) = (config.core.hosts.len(), config.core.destinations.len());
        self.runbooks.set_folder(config.runbooks.clone());
        self.modules.replace(&config);
        {
            let mut current = self.lock();
            current.config = Arc::new(config);
            current.destinations = list;
            current.refused = None;
        }
        // Where nobody takes orders the program is ending.
        if self
            .orders
            .send(Order::Replace(Box::new(change)))
            .await
            .is_ok()
        {
            tracing::info!(
                hosts,
                destinations,
                "the configuration was read again and is carried out"
            );
        }
    }

    /// Looks at files and secrets, and asks services for lists of hosts, again and again. Ends only where it is broken
    /// off.
    pub async fn watch(self: Arc<Self>) {
        tokio::join!(self.watch_files(), self.watch_services());
    }

    /// One that answers slowly holds up nothing else.
    async fn watch_services(&self) {
        let mut look = interval(ASK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let config = Arc::clone(&self.lock().config);
            if self.lists.ask(&config.lists).await {
                tracing::info!("a list of hosts has changed");
                drop(self.reload().await);
            }
        }
    }

    async fn watch_files(&self) {
        let mut keeper = Keeper::new();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            if self.files_changed().await {
                tracing::info!("a file of the configuration has changed");
                // Problems are told by the reload itself.
                drop(self.reload().await);
            }
            self.look_at_secrets().await;
            if keeper.is_due() {
                self.give_times().await;
            }
        }
    }

    /// Gives the times of maintenance windows anew.
    async fn give_times(&self) {
        let config = Arc::clone(&self.lock().config);
        if config.calendar.windows.is_empty() {
            return;
        }
        let times = config.calendar.times(clock::wall());
        // Where nobody takes orders the program is ending.
        drop(self.orders.send(Order::Calendar(times)).await);
    }

    /// Whether a file of the configuration is another one than when it was read, and has come to rest.
    async fn files_changed(&self) -> bool {
        let (config, known) = {
            let current = self.lock();
            (Arc::clone(&current.config), current.stamps.clone())
        };
        let Ok(mut seen) = look(&config).await else {
            return false;
        };
        if seen == known {
            return false;
        }
        for _ in 0..STEADY_LOOKS {
            sleep(STEADY_FOR).await;
            let Ok(again) = look(&config).await else {
                return false;
            };
            if again == seen {
                return true;
            }
            seen = again;
        }
        true
    }

    async fn look_at_secrets(&self) {
        let _turn = self.turn.lock().await;
        let (config, known) = {
            let current = self.lock();
            (Arc::clone(&current.config), current.destinations.clone())
        };
        let (logons, url) = (Arc::clone(&self.logons), self.url.clone());
        let found =
            tokio::task::spawn_blocking(move || Secrets::look(&config, &known, &logons, &url))
                .await;
        let Ok(found) = found else { return };
        for account in found.accounts {
            tracing::info!(account = %account, "the secret of an account has changed");
            drop(self.orders.send(Order::SecretChanged(account)).await);
        }
        match found.destinations {
            Ok(None) => self.lock().refused = None,
            Ok(Some((list, destinations))) => {
                {
                    let mut current = self.lock();
                    current.destinations = list;
                    current.refused = None;
                }
                tracing::info!("a secret or a template of a destination has changed");
                drop(
                    self.orders
                        .send(Order::Destinations(Box::new(destinations)))
                        .await,
                );
            }
            Err(problems) => {
                let told = self.lock().refused.replace(problems.clone());
                if told.as_ref() != Some(&problems) {
                    tell("the destinations stay as they were", &problems);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A configuration that was read again and is good.
struct Read {
    config: Config,
    list: DestinationList,
    destinations: Destinations,
}

fn read(before: &Config, url: &str, lists: &ListOptions) -> Result<Read, Vec<String>> {
    let loaded = config::load_with(&before.files, LoadOptions::default(), lists);
    let config = loaded.map_err(|errors| {
        errors
            .to_string()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    })?;
    let list = wiring::destination_list(&config)?;
    let destinations =
        wiring::destinations(list.clone(), config.web_url.as_deref().unwrap_or(url))?;
    for (what, changed) in [
        ("listen", config.listen != before.listen),
        ("data", config.data != before.data),
        ("web.config_file", config.web_config != before.web_config),
        ("store.retention", config.retention != before.retention),
    ] {
        if changed {
            tracing::warn!(error = %format!("{what} has changed"), "this takes effect at the next start");
        }
    }
    Ok(Read {
        config,
        list,
        destinations,
    })
}

/// What another look at all secrets found.
struct Secrets {
    accounts: Vec<Name>,
    destinations: Result<Option<(DestinationList, Destinations)>, Vec<String>>,
}

impl Secrets {
    fn look(config: &Config, known: &DestinationList, logons: &Logons, url: &str) -> Self {
        let destinations = wiring::destination_list(config).and_then(|list| {
            if list == *known {
                return Ok(None);
            }
            let url = config.web_url.as_deref().unwrap_or(url);
            let destinations = wiring::destinations(list.clone(), url)?;
            Ok(Some((list, destinations)))
        });
        Self {
            accounts: logons.changed(&config.credentials),
            destinations,
        }
    }
}

async fn look(config: &Arc<Config>) -> Result<Stamps, tokio::task::JoinError> {
    let config = Arc::clone(config);
    tokio::task::spawn_blocking(move || stamps(&config)).await
}

fn stamps(config: &Config) -> Stamps {
    let files = config.watched().into_iter();
    files
        .map(|path| {
            let stamp = os::stamp(&path);
            (path, stamp)
        })
        .collect()
}

fn tell(what: &str, problems: &[String]) {
    for problem in problems {
        tracing::error!(error = %problem, "{what}");
    }
}
