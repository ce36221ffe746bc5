//! `svcwatch run`.

use super::{failure::Failure, output};
use crate::{
    VERSION,
    app::{App, Options},
    config::{self, Accept, Config, ListOptions, LoadOptions},
    os::{Signal, Signals},
    store::{StoreError, StoreOptions},
};
#[cfg(windows)]
use crate::{
    app::data_folder,
    os::{self, windows::folder},
};
use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

/// What to do instead where no configuration is given.
#[cfg(not(windows))]
const WITHOUT_CONFIG: &str = "\
no configuration is given, so there is nothing to watch; write one and name it with -c FILE, \
look at one host with `svcwatch services HOST`, or see it at work on a simulated fleet with `svcwatch demo`";

/// Watch what the configuration names, until SIGTERM or SIGINT; on Windows without one the services of this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch run -c /etc/svcwatch/svcwatch.yaml
  svcwatch run -c hosts.yaml -c destinations.yaml --data ./data --listen 127.0.0.1:7468

SIGHUP, and a change of a file, read the configuration again. RUST_LOG sets what is logged.")]
pub(super) struct Arguments {
    /// A file of the configuration; several are merged, later ones over earlier ones
    #[arg(short, long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
    /// The folder of the store
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where metrics and the API are served
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Listen without a login where others can reach it
    #[arg(long)]
    insecure_listen: bool,
    /// Take lists of hosts that lost more than a fifth of their hosts, or all, as they are now
    #[arg(long)]
    accept: bool,
    /// Whether the service control manager started it
    #[cfg(windows)]
    #[arg(skip)]
    as_service: bool,
}

#[cfg(windows)]
impl Arguments {
    /// Whether this machine is watched, because nothing else is named.
    pub(super) const fn has_no_config(&self) -> bool {
        self.config.is_empty()
    }

    /// The same, started by the service control manager.
    pub(super) fn for_service(self) -> Self {
        Self {
            as_service: true,
            ..self
        }
    }

    /// Whether nobody but administrators and ourselves may write what is read and run by. Where others may, a service does not
    /// start, because what stands there would run as it; who runs it by hand in the usual folder is warned.
    fn guard(&self, paths: &[PathBuf]) -> Result<(), Failure> {
        let ours = folder::own_account().map_err(|error| {
            Failure::not_started(format!("the own account cannot be read: {error}"))
        })?;
        for path in paths {
            if !self.as_service && !folder::is_in_usual_folder(path) {
                continue;
            }
            match folder::check(path, std::slice::from_ref(&ours)) {
                Ok(()) => {}
                Err(error) if self.as_service => return Err(Failure::not_started(error)),
                Err(error) => output::complain(&format!("warning: {error}")),
            }
        }
        Ok(())
    }

    /// The same for the files of the configuration, and the folders that they are in.
    fn guard_config(&self) -> Result<(), Failure> {
        for file in &self.config {
            let file = std::path::absolute(file)?;
            let folder = file.parent().map(std::path::Path::to_path_buf);
            let both: Vec<PathBuf> = [file].into_iter().chain(folder).collect();
            self.guard(&both)?;
        }
        Ok(())
    }
}

/// What is watched where nothing is named: the services of this machine that start by themselves. Who stands before it
/// wants to see a stop when it happens, and not after `settle`.
#[cfg(windows)]
fn without_config() -> Result<Config, Failure> {
    let name = os::windows::computer_name().unwrap_or_else(|| "localhost".to_owned());
    let text = format!(
        "hosts:\n  - {{ name: '{}', address: localhost, services: [{{ start: automatic, instant: true }}, {{ start: automatic_delayed, instant: true }}] }}\n\
         destinations:\n  console: {{ type: log }}\n",
        name.replace('\'', "''")
    );
    let place = std::path::Path::new("the configuration for this machine");
    let config = config::load_text(text.as_bytes(), place, LoadOptions::default())?;
    Ok(config)
}

/// Elsewhere there is nothing to watch then.
#[cfg(not(windows))]
fn without_config() -> Result<Config, Failure> {
    Err(Failure::usage(WITHOUT_CONFIG))
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let files = arguments.config.clone();
    #[cfg(windows)]
    arguments.guard_config()?;
    let lists = ListOptions {
        data: arguments.data.clone(),
        accept: if arguments.accept {
            Accept::All
        } else {
            Accept::None
        },
        ..ListOptions::default()
    };
    let config = if files.is_empty() {
        without_config()?
    } else {
        load_with(files, LoadOptions::default(), lists).await?
    };
    #[cfg(windows)]
    {
        let data = data_folder(arguments.data.clone(), config.data.clone())?;
        arguments.guard(&[std::path::absolute(data)?])?;
    }
    for warning in &config.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    let mut signals = Signals::listen()
        .map_err(|error| Failure::not_started(format!("signals cannot be listened to: {error}")))?;
    let banner = Banner::of(&config);
    let options = Options {
        data: arguments.data,
        listen: arguments.listen,
        insecure_listen: arguments.insecure_listen,
        accept: arguments.accept,
        store: StoreOptions::default(),
    };
    let app = Box::pin(App::start(config, options)).await?;
    output::complain(&banner.text(&app));
    Box::pin(until_stopped(app, &mut signals))
        .await
        .map_err(Failure::met)
}

/// Reads a configuration on a thread that may block.
pub(super) async fn load(files: Vec<PathBuf>, options: LoadOptions) -> Result<Config, Failure> {
    load_with(files, options, ListOptions::default()).await
}

/// The same, and its lists of hosts in this way.
pub(super) async fn load_with(
    files: Vec<PathBuf>,
    options: LoadOptions,
    lists: ListOptions,
) -> Result<Config, Failure> {
    let loaded = tokio::task::spawn_blocking(move || config::load_with(&files, options, &lists));
    match loaded.await {
        Ok(loaded) => Ok(loaded?),
        Err(_) => Err(Failure::not_started(
            "reading the configuration broke off, which is a fault of svcwatch itself",
        )),
    }
}

/// Runs until somebody asks for the end. A second one who asks ends it at once, which loses nothing either.
async fn until_stopped(mut app: App, signals: &mut Signals) -> Result<(), StoreError> {
    tracing::info!("svcwatch is ready");
    #[cfg(windows)]
    os::windows::ready();
    loop {
        tokio::select! {
            ended = app.ended() => return ended,
            signal = signals.next() => match signal {
                // Problems are told by the reload itself.
                Signal::Reload => drop(app.reload().await),
                Signal::Stop => break,
            },
        }
    }
    tracing::info!("svcwatch is ending; what is under way may take a few seconds to settle");
    let again = async { while signals.next().await != Signal::Stop {} };
    tokio::select! {
        stopped = app.stop() => stopped,
        () = again => {
            tracing::warn!("svcwatch ends at once");
            Ok(())
        }
    }
}

/// What is said at a start.
#[derive(Debug)]
struct Banner {
    hosts: usize,
    destinations: Vec<String>,
    files: Vec<String>,
}

impl Banner {
    fn of(config: &Config) -> Self {
        Self {
            hosts: config.core.hosts.len(),
            destinations: config
                .core
                .destinations
                .iter()
                .map(|one| one.name.to_string())
                .collect(),
            files: config
                .files
                .iter()
                .map(|file| file.display().to_string())
                .collect(),
        }
    }

    fn text(&self, app: &App) -> String {
        let hosts = if self.hosts == 1 {
            "1 host".to_owned()
        } else {
            format!("{} hosts", self.hosts)
        };
        format!(
            "svcwatch {VERSION} watches {hosts}\n  config  {}\n  tells   {}\n  stores  {}\n  listens {}",
            if self.files.is_empty() {
                "none: the services of this machine that start by themselves".to_owned()
            } else {
                self.files.join(", ")
            },
            self.destinations.join(", "),
            app.data().display(),
            app.listens(),
        )
    }
}
