//! The simulated fleet: hosts that are none, read over the real protocol.
//!
//! [`World`] holds the hosts, [`Fleet`] answers for them at a port of 127.0.0.1 with the server side of MS-SCMR, and a
//! [`story`] makes outages happen to some of them. Everything that looks at them is the real thing: [`Demo`] is an
//! [`App`] with a configuration for the fleet and a store in a temporary folder.

pub mod cast;
mod catalogue;
mod fleet;
mod host;
mod manager;
mod names;
pub mod plan;
mod random;
pub mod story;
mod tail;
pub mod words;
mod world;

pub use catalogue::SERVICES_PER_HOST;
pub use fleet::Fleet;
pub use host::{Condition, Difference};
pub use tail::Tail;
pub use world::{Target, World};

use crate::app::{App, Options, StartError};
use crate::os;
use crate::store::{StoreError, StoreOptions};
use cast::Cast;
use plan::Reached;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use story::Story;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// The most hosts that a fleet may have.
pub const HOSTS_MAX: u32 = 50_000;
/// The seed of the story.
pub const SEED: u64 = 1;
/// Both ends of a connection are in this process, so each host takes two open files.
const FILES_PER_HOST: u64 = 2;
/// Open files beside those.
const FILES_BESIDE: u64 = 1_000;
/// How often removing the temporary folder is tried, and the time between.
const REMOVE_TRIES: u32 = 20;
const REMOVE_AGAIN: Duration = Duration::from_millis(50);

/// What is simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many hosts.
    pub hosts: usize,
    /// So many times as fast: the story, the checks and the waits of the policy.
    pub speed: f64,
    /// Where metrics and the API are served.
    pub listen: SocketAddr,
    /// Which story is told.
    pub seed: u64,
}

/// Why a demo could not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There is no room for the store.
    #[error(
        "no temporary folder can be made for the store: {0}; set TMPDIR to a folder that can be written"
    )]
    Folder(io::Error),
    /// The fleet found no port.
    #[error("the simulated fleet found no port on 127.0.0.1: {0}")]
    Fleet(io::Error),
    /// The rest could not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A simulated fleet with a svcwatch that watches it.
#[derive(Debug)]
pub struct Demo {
    fleet: Fleet,
    cast: Cast,
    app: App,
    told: PathBuf,
    story: JoinHandle<()>,
    folder: TempDir,
}

impl Demo {
    /// Starts all of it, or nothing.
    pub async fn start(settings: &Settings) -> Result<Self, DemoError> {
        let hosts = u64::try_from(settings.hosts).unwrap_or(u64::MAX);
        let files = hosts
            .saturating_mul(FILES_PER_HOST)
            .saturating_add(FILES_BESIDE);
        if let Err(have) = os::raise_open_files(files) {
            tracing::warn!(
                have,
                wanted = files,
                "the limit of open files is too low for so many simulated hosts; some will seem unreachable"
            );
        }
        let folder = tempfile::Builder::new()
            .prefix("svcwatch-demo-")
            .tempdir()
            .map_err(DemoError::Folder)?;
        let world = Arc::new(World::new(settings.hosts));
        let cast = Cast::new(&world, settings.seed);
        cast.set_up(&world);
        let fleet = Fleet::start(Arc::clone(&world)).map_err(DemoError::Fleet)?;
        let told = folder.path().join("told.jsonl");
        let reached = Reached {
            hosts: fleet.address(),
            nobody: fleet.refusing().map_err(DemoError::Fleet)?,
        };
        let config = plan::config(
            &world,
            &cast,
            reached,
            settings.pace(),
            settings.listen,
            told.clone(),
        );
        let options = Options {
            data: Some(folder.path().join("store")),
            store: StoreOptions::default(),
            ..Options::default()
        };
        let app = Box::pin(App::start(config, options)).await?;
        let story = Story::new(world, &cast, settings.seed);
        let story = tokio::spawn(story::tell(story, settings.speed));
        Ok(Self {
            fleet,
            cast,
            app,
            told,
            story,
            folder,
        })
    }

    /// The svcwatch that watches.
    pub const fn app(&mut self) -> &mut App {
        &mut self.app
    }

    /// The fleet that is watched.
    pub const fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Who is in trouble in it.
    pub const fn cast(&self) -> &Cast {
        &self.cast
    }

    /// What is told, as it comes.
    pub fn tail(&self) -> Tail {
        Tail::new(self.told.clone())
    }

    /// The folder that is removed at the end.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Ends all of it and leaves nothing behind.
    pub async fn stop(self) -> Result<(), StoreError> {
        self.story.abort();
        let stopped = self.app.stop().await;
        drop(self.fleet);
        remove(self.folder).await;
        stopped
    }
}

/// Removes the folder of the store, which may take until the last thread has closed its files.
async fn remove(folder: TempDir) {
    let path = folder.keep();
    for _ in 0..REMOVE_TRIES {
        match std::fs::remove_dir_all(&path) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => tracing::debug!(%error, "the temporary folder is in use still"),
        }
        tokio::time::sleep(REMOVE_AGAIN).await;
    }
    tracing::warn!(folder = %path.display(), "the temporary folder could not be removed");
}
