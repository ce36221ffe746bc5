//! The whole program, wired: the only place that knows all parts. It runs in the process of `svcwatch run`, and in
//! that of a test just as well.

use crate::{
    COMMIT, VERSION,
    board::Board,
    clock,
    config::Config,
    ending::END_WITHIN,
    engine::Loop,
    facts::{Build, Facts},
    feed::{Feeds, Surroundings, buffer},
    guests::Guests,
    lists::Lists,
    os,
    parts::{Order, Parts},
    perform::Performer,
    reload::Reloader,
    runbook::Runbooks,
    store::{AnyStore, Store, StoreError, StoreOptions, Writer, WriterSettings},
    wanted::Wanted,
    web::{
        ASKS_MAX, Access, Ask, Bound, ListenError, Names, ProbeModules, Readiness, Web, exposed,
    },
    wiring::{self, Logons, Reach},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use svcwatch_core::{engine::Engine, id::Name, pipeline::Pipeline, record::Restored};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

/// Orders that wait for the loop, at most.
const ORDERS_MAX: usize = 16;
/// Open files beside one connection for each host: the store, the API, destinations.
const FILES_BESIDE_HOSTS: u64 = 1_000;

/// What beats the configuration.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder of the store.
    pub data: Option<PathBuf>,
    /// Where metrics and the API are served.
    pub listen: Option<SocketAddr>,
    /// Whether an address that others can reach may be listened on without a login.
    pub insecure_listen: bool,
    /// Whether lists of hosts that lost many are taken at the start.
    pub accept: bool,
    /// How the store is opened.
    pub store: StoreOptions,
}

/// Why the program could not start. Nothing is left half started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Destinations that cannot be made ready.
    #[error("{}", .0.join("\n"))]
    Destinations(Vec<String>),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The file that guards what is served cannot be used.
    #[error("{}", .0.join("\n"))]
    Access(Vec<String>),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no usual place for the data.
    #[error(
        "there is no usual folder for the data here, because neither HOME nor XDG_STATE_HOME is set; give one with --data"
    )]
    NoDataFolder,
    /// A part broke while it was started.
    #[error(
        "{0} broke off while it was started, which is a fault of svcwatch itself; report it with what stands above"
    )]
    Broken(&'static str),
}

/// The program while it runs.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    listens: String,
    url: String,
    data: PathBuf,
    board: Arc<Board>,
    orders: mpsc::Sender<Order>,
    reloader: Arc<Reloader>,
    /// The loop; none once its end was told.
    running: Option<JoinHandle<Result<(), StoreError>>>,
    watching: JoinHandle<()>,
    web: JoinHandle<std::io::Result<()>>,
    end_web: oneshot::Sender<()>,
}

/// The folder of the store: as somebody says, else as the configuration says, else the usual one.
pub fn data_folder(
    given: Option<PathBuf>,
    configured: Option<PathBuf>,
) -> Result<PathBuf, StartError> {
    given
        .or(configured)
        .or_else(os::data_folder)
        .ok_or(StartError::NoDataFolder)
}

impl App {
    /// Starts everything, or nothing. What changes nothing is tried first: secrets, the address, and then the store.
    pub async fn start(config: Config, options: Options) -> Result<Self, StartError> {
        let data = data_folder(options.data, config.data.clone())?;
        let listen = options.listen.unwrap_or(config.listen);
        let access = access(config.web_config.clone()).await?;
        let bound = Bound::guarded(listen, options.insecure_listen, Arc::clone(&access)).await?;
        let address = bound.address();
        let url = config.web_url(address);
        let (config, list, destinations) = ready_destinations(config, url.clone()).await?;
        let (store, restored) = open_store(data.clone(), options.store).await?;
        let settings = WriterSettings {
            retention: config.retention,
            ..WriterSettings::default()
        };
        let writer = Arc::new(Writer::start(Arc::clone(&store), settings)?);
        raise_open_files(config.core.hosts.len());

        let shown = Shown::new(&config, &restored);
        let surroundings = Surroundings {
            board: Arc::clone(&shown.board),
            store: Arc::clone(&store),
            writer: Arc::clone(&writer),
            facts: Arc::clone(&shown.facts),
            room: buffer::BYTES_MAX,
        };
        let feeds = Feeds::new(surroundings, &restored, &destinations);
        let logons = Arc::new(Logons::default());
        let plan = Arc::new(config.plan(clock::wall()));
        let (engine, first) = Engine::restore(restored, &plan, clock::now());
        let reach = Reach::new(&config);
        let mut performer = Performer::new(reach, destinations, Arc::clone(&logons), &data);
        performer.remember_by(Arc::clone(&store));
        performer.count_fallbacks_in(shown.facts.fallbacks());
        let readers = performer.readers();
        let (asks_in, asks) = mpsc::channel(ASKS_MAX);
        let (orders_in, orders) = mpsc::channel(ORDERS_MAX);
        let running = Loop::new(Parts {
            pipeline: Pipeline::new(engine, first),
            performer,
            writer,
            board: Arc::clone(&shown.board),
            feeds,
            facts: Arc::clone(&shown.facts),
            ready: Arc::clone(&shown.ready),
            asks,
            orders,
        });
        let runbooks = Arc::clone(&shown.runbooks);
        let modules = Arc::new(ProbeModules::new(&config));
        let probes = (readers, Arc::clone(&modules));
        let (web, end_web) = shown.serve(bound, &url, (store, asks_in), probes);
        let usual_url = format!("{}://{address}", access.scheme());
        let exposed = exposed(address) && !options.insecure_listen;
        let lists = lists_of(&config, data.clone(), &shown.facts, options.accept).await?;
        let listens = usual_url.clone();
        let reloader = Reloader::new(config, list, usual_url, orders_in.clone(), logons, lists);
        let reloader = Arc::new(reloader.with_shown(runbooks, modules));
        Ok(Self {
            address,
            listens,
            url,
            data,
            board: shown.board,
            orders: orders_in,
            watching: tokio::spawn(watch(Arc::clone(&reloader), access, exposed)),
            reloader,
            running: Some(tokio::spawn(running.run())),
            web,
            end_web,
        })
    }

    /// Where metrics and the API are served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn listens(&self) -> &str {
        &self.listens
    }

    /// The base of links in notices.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of the store.
    pub const fn data(&self) -> &PathBuf {
        &self.data
    }

    /// What is shown.
    pub const fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Reads the configuration again and carries it out, or changes nothing and gives every problem of it.
    pub async fn reload(&self) -> Result<(), Vec<String>> {
        self.reloader.reload().await
    }

    /// Waits until the loop ends by itself, which it does only where the store cannot be written any more at all.
    pub async fn ended(&mut self) -> Result<(), StoreError> {
        ended(&mut self.running).await
    }

    /// Begins nothing new, lets what is under way settle for a few seconds, writes it down, and ends. The loop and the API
    /// end beside each other.
    pub async fn stop(mut self) -> Result<(), StoreError> {
        self.watching.abort();
        if self.end_web.send(()).is_err() {
            tracing::debug!("the API has ended before");
        }
        // A loop that has ended already takes no orders.
        drop(self.orders.send(Order::Stop).await);
        let (ended, answered) =
            tokio::join!(ended(&mut self.running), timeout(END_WITHIN, &mut self.web));
        if answered.is_err() {
            self.web.abort();
            tracing::debug!("answers that were under way are broken off");
        }
        ended
    }
}

async fn ended(running: &mut Option<JoinHandle<Result<(), StoreError>>>) -> Result<(), StoreError> {
    let Some(task) = running else {
        return Ok(());
    };
    let ended = task.await.unwrap_or(Err(StoreError::WriterGone));
    *running = None;
    ended
}

/// Those who read hosts and guests when they are asked to.
type Readers = (Arc<Wanted>, Arc<Guests>);

/// What is shown and said of what happens.
struct Shown {
    board: Arc<Board>,
    facts: Arc<Facts>,
    ready: Arc<Readiness>,
    runbooks: Arc<Runbooks>,
}

impl Shown {
    fn new(config: &Config, restored: &Restored) -> Self {
        let build = Build {
            version: VERSION,
            commit: COMMIT,
        };
        let shown = Self {
            board: Arc::new(Board::new()),
            facts: Arc::new(Facts::new(build)),
            ready: Arc::new(Readiness::new()),
            runbooks: Arc::new(Runbooks::new(config.runbooks.clone())),
        };
        let names = config.core.destinations.iter();
        let names: Vec<Name> = names.map(|one| one.name.clone()).collect();
        shown.facts.restored(restored);
        shown.facts.destinations(&shown.board, &names);
        shown
    }

    /// Begins to answer, until the sender that it gives is used or dropped.
    fn serve(
        &self,
        bound: Bound,
        url: &str,
        (store, asks): (Arc<AnyStore>, mpsc::Sender<Ask>),
        (readers, modules): (Readers, Arc<ProbeModules>),
    ) -> (JoinHandle<std::io::Result<()>>, oneshot::Sender<()>) {
        let names = Names::new(bound.address(), &host_of(url)).with_scheme(bound.access().scheme());
        let ready = Arc::clone(&self.ready);
        let web = Web::new(&self.board, &self.facts, store, asks, ready);
        let web = web
            .with_runbooks(Arc::clone(&self.runbooks))
            .with_probes(readers, modules);
        let (end, ended) = oneshot::channel::<()>();
        let ended = async move { ended.await.unwrap_or_default() };
        (tokio::spawn(web.serve(bound, names, ended)), end)
    }
}

/// Says what became of the lists of hosts, and keeps them, on a thread that may block.
async fn lists_of(
    config: &Config,
    data: PathBuf,
    facts: &Arc<Facts>,
    accept: bool,
) -> Result<Arc<Lists>, StartError> {
    let (states, facts) = (config.lists.clone(), Arc::clone(facts));
    blocking("keeping the lists of hosts", move || {
        let lists = Lists::new(data, facts, &states, accept);
        lists.taken(&states);
        Ok(Arc::new(lists))
    })
    .await
}

/// Looks at the files of the configuration and of who may ask, until it is broken off.
async fn watch(reloader: Arc<Reloader>, access: Arc<Access>, exposed: bool) {
    tokio::join!(reloader.watch(), access.watch(exposed));
}

/// Reads who may ask, on a thread that may block.
async fn access(file: Option<PathBuf>) -> Result<Arc<Access>, StartError> {
    blocking("reading web.config_file", move || {
        let access = Access::of(file.as_deref());
        let access = access.map_err(|error| StartError::Access(error.sentences()))?;
        Ok(Arc::new(access))
    })
    .await
}

/// Opens the store and reads it, on a thread that may block.
async fn open_store(
    folder: PathBuf,
    options: StoreOptions,
) -> Result<(Arc<AnyStore>, Restored), StartError> {
    blocking("the store", move || {
        let store = AnyStore::open(&folder, options)?;
        let restored = store.load()?;
        Ok((Arc::new(store), restored))
    })
    .await
}

/// Reads the secrets of the destinations and makes them ready, on a thread that may block.
async fn ready_destinations(
    config: Config,
    url: String,
) -> Result<
    (
        Config,
        wiring::DestinationList,
        crate::dest::sender::Destinations,
    ),
    StartError,
> {
    blocking("making the destinations ready", move || {
        let list = wiring::destination_list(&config).map_err(StartError::Destinations)?;
        let destinations =
            wiring::destinations(list.clone(), &url).map_err(StartError::Destinations)?;
        Ok((config, list, destinations))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(StartError::Broken(what)))
}

/// The host of a URL, under which the API then answers too.
fn host_of(url: &str) -> Vec<String> {
    let url = reqwest::Url::parse(url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned))
        .into_iter()
        .collect()
}

fn raise_open_files(hosts: usize) {
    let hosts = u64::try_from(hosts).unwrap_or(u64::MAX);
    let wanted = hosts
        .saturating_add(hosts / 5)
        .saturating_add(FILES_BESIDE_HOSTS);
    if let Err(have) = os::raise_open_files(wanted) {
        tracing::warn!(
            have,
            wanted,
            error = "the limit of open files is too low",
            "some hosts may be told as unreachable because no connection can be opened; raise LimitNOFILE of the unit, or `ulimit -n`"
        );
    }
}
