//! `svcwatch explain`.

use super::{
    ConfigFiles, Format, Output,
    api::Login,
    failure::Failure,
    output::{self, Table, plain},
    run::load_with,
};
use crate::{
    app, clock,
    config::{Auth, Config, ListOptions, LoadOptions},
    explain,
    store::{AnyStore, Store, StoreError},
    web::{
        client::ClientError,
        items::{Explanation, ExplanationLine},
    },
};
use clap::Args;
use std::{path::PathBuf, sync::Arc};
use svcwatch_core::{engine::Engine, id::Name, record::Restored};

/// Say what holds for a host or service, and why it is told or not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch explain -c svcwatch.yaml srv01 Spooler
  svcwatch explain -c svcwatch.yaml srv01
  svcwatch explain -c svcwatch.yaml sql-cluster

The svcwatch that runs is asked; where none does, the store and the configuration are read.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: ConfigFiles,
    /// The folder of the store
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address of the svcwatch that runs; as the configuration says, if not given
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    #[command(flatten)]
    login: Login,
    /// The host
    host: String,
    /// The service, by its key name
    service: Option<String>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let options = LoadOptions {
        accounts: false,
        ..LoadOptions::default()
    };
    let lists = ListOptions {
        data: arguments.data.clone(),
        ..ListOptions::default()
    };
    let config = load_with(arguments.files.config, options, lists).await?;
    let (host, service) = (
        Name::new(&arguments.host),
        arguments.service.as_deref().map(Name::new),
    );
    let of_group = config.core.groups.iter().any(|known| known.group == host);
    if !of_group && !config.core.hosts.iter().any(|known| known.name == host) {
        return Err(Failure::usage(not_watched(&config, &host)));
    }
    let logon = logon(&config, &host);
    let list = list(&config, &host);
    let api = arguments.api.clone().unwrap_or_else(|| {
        let scheme = if config.web_tls { "https" } else { "http" };
        format!("{scheme}://{}", config.listen)
    });
    let asked = arguments
        .login
        .client(&api)?
        .explain(&arguments.host, arguments.service.as_deref())
        .await;
    let explanation = match asked {
        Ok(explanation) => explanation,
        Err(error) if arguments.api.is_some() => return Err(error.into()),
        // Nobody runs there, or somebody who does not know this host: then what is stored tells.
        Err(ClientError::NoAnswer { .. } | ClientError::NotOurs { .. }) => {
            from_store(config, arguments.data, host, service).await?
        }
        Err(error) => return Err(error.into()),
    };
    let explanation = with_line(explanation, "logon", logon);
    let explanation = with_line(explanation, "list", list);
    match arguments.output.output {
        Format::Json => output::print_json(&explanation)?,
        Format::Table => table(&explanation).print()?,
    }
    Ok(())
}

/// By what a host is logged on to, as the configuration says.
fn logon(config: &Config, host: &Name) -> Option<String> {
    let connection = config.connections.get(host)?;
    let account = connection.credentials.as_ref()?;
    let user = &config.credentials.get(account)?.user;
    Some(match &connection.auth {
        Auth::Kerberos(name) => {
            format!("it is logged on to with Kerberos, as {user}, for the service cifs/{name}")
        }
        Auth::Ntlm => format!("it is logged on to with NTLM, as {user}"),
        Auth::NoKerberos(why) => {
            format!("it is logged on to with NTLM, as {user}, because {why}")
        }
    })
}

/// Which list names a host, as far as one does.
fn list(config: &Config, host: &Name) -> Option<String> {
    let place = config.listed_in(host)?;
    let mut hosts = config.core.hosts.iter();
    let by_list = hosts.any(|known| known.name == *host && known.listed);
    Some(if by_list {
        format!("{place} names it; it is watched as long as that does")
    } else {
        format!("{place} names it too; what the configuration itself says of it wins")
    })
}

/// Says it behind what is said of the host itself.
fn with_line(mut explanation: Explanation, about: &str, text: Option<String>) -> Explanation {
    if let Some(text) = text {
        let about = about.to_owned();
        let place = explanation.lines.len().min(1);
        explanation
            .lines
            .insert(place, ExplanationLine { about, text });
    }
    explanation
}

fn not_watched(config: &Config, host: &Name) -> String {
    let known: Vec<&str> = config
        .core
        .hosts
        .iter()
        .map(|known| known.name.as_str())
        .collect();
    match known.len() {
        0 => format!("{host} is not in the configuration, which has no hosts"),
        1..=8 => format!(
            "{host} is not in the configuration; it has {}",
            known.join(", ")
        ),
        count => format!("{host} is not among the {count} hosts of the configuration"),
    }
}

/// What the store and the configuration say, where no svcwatch runs that could be asked.
async fn from_store(
    config: Config,
    data: Option<PathBuf>,
    host: Name,
    service: Option<Name>,
) -> Result<Explanation, Failure> {
    let folder = app::data_folder(data, config.data.clone())?;
    let feeds = config.feeds();
    let explained = tokio::task::spawn_blocking(move || {
        let restored = match AnyStore::open_to_read(&folder).and_then(|store| store.load()) {
            Ok(restored) => {
                output::complain(&format!(
                    "No svcwatch answers, so this is what is stored in {}.",
                    folder.display()
                ));
                restored
            }
            Err(StoreError::NoDatabase { .. }) => {
                output::complain(
                    "No svcwatch answers, and nothing is stored yet, so this is what the configuration says.",
                );
                Restored::default()
            }
            Err(error) => return Err(Failure::from(error)),
        };
        let now = clock::now();
        let (engine, _) = Engine::restore(restored, &Arc::new(config.plan(now.wall)), now);
        Ok(explain::of(&engine, now, (&host, service.as_ref()), &feeds))
    });
    match explained.await {
        Ok(explained) => explained?.ok_or_else(|| Failure::met("the host is not watched")),
        Err(_) => Err(Failure::met(
            "explaining broke off, which is a fault of svcwatch itself",
        )),
    }
}

fn table(explanation: &Explanation) -> Table {
    let mut table = Table::new(&["ABOUT", "WHAT HOLDS"]);
    for line in &explanation.lines {
        table.row([plain(&line.about), plain(&line.text)]);
    }
    table
}
