//! `svcwatch check`.

use super::{
    ConfigFiles, Format, Output,
    connect::{self, Connected},
    failure::Failure,
    output,
};
use crate::config::{
    self, Config, ConfigErrors, ListOptions, ListSource, ListState, LoadOptions, Notes, Problem,
};
use crate::lists;
use clap::Args;
use serde::Serialize;
use std::{collections::BTreeSet, path::PathBuf};

/// Find every problem of a configuration, and with --connect of what it names
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch check -c svcwatch.yaml
  svcwatch check -c hosts.yaml -c destinations.yaml --connect
  svcwatch check -c butler.yaml -c accounts.yaml

Of a Butler file it also says what is ignored, and where svcwatch does something else than Butler.

Exit code 2 where the configuration is bad, 1 where --connect found that something lacks.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: ConfigFiles,
    /// Log on to each host and destination too: what is visible, and what lacks
    #[arg(long)]
    connect: bool,
    #[command(flatten)]
    output: Output,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found<'a> {
    problems: &'a [Problem],
    warnings: &'a [Problem],
    #[serde(flatten)]
    notes: &'a Notes,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lists: &'a [ListFound],
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<&'a Connected>,
}

/// What a list of hosts gives.
#[derive(Debug, Serialize)]
struct ListFound {
    list: String,
    hosts: usize,
    files: usize,
    /// How many of them the configuration names itself.
    in_config: usize,
    /// Whether that is what it says now, and not what it said last.
    current: bool,
    /// Why it could not be had.
    fault: Option<String>,
}

impl ListFound {
    fn new(state: &ListState, failed: &[(String, String)]) -> Self {
        let list = state.source.shown();
        let files = match &state.source {
            ListSource::Files(_) => state.list.as_ref().map_or(0, |list| list.files.len()),
            ListSource::HttpSd { .. } => 0,
        };
        let fault = failed.iter().find(|(of, _)| *of == list);
        Self {
            hosts: state.count(),
            files,
            in_config: state.in_config,
            current: state.current,
            fault: fault.map(|(_, why)| why.clone()),
            list,
        }
    }

    fn sentence(&self) -> String {
        let files = match self.files {
            0 => String::new(),
            files => format!(" ({})", counted(files, "file")),
        };
        let too = match self.in_config {
            0 => String::new(),
            count => format!(", of which {count} stand in the configuration too"),
        };
        let now = match (&self.fault, self.current) {
            (Some(fault), _) => format!("; it cannot be had: {fault}"),
            (None, true) => String::new(),
            (None, false) => ", as it was taken last; --connect asks it".to_owned(),
        };
        format!(
            "  {} from {}{files}{too}{now}\n",
            counted(self.hosts, "host"),
            self.list
        )
    }
}

fn counted(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Reads a configuration with lists that must be right now; services are asked where that is wanted. Gives besides why
/// one of them said nothing.
async fn load(
    files: Vec<PathBuf>,
    connect: bool,
) -> Result<(Result<Config, ConfigErrors>, Vec<(String, String)>), Failure> {
    let broken =
        || Failure::met("reading the configuration broke off, which is a fault of svcwatch itself");
    let mut lists = ListOptions {
        strict: true,
        ..ListOptions::default()
    };
    let (paths, options) = (files.clone(), lists.clone());
    let load = move || config::load_with(&paths, LoadOptions::default(), &options);
    let loaded = tokio::task::spawn_blocking(load)
        .await
        .map_err(|_| broken())?;
    let asks = |config: &Config| {
        let mut lists = config.lists.iter();
        lists.any(|state| matches!(state.source, ListSource::HttpSd { .. }))
    };
    match loaded {
        Ok(config) if connect && asks(&config) => {
            let (answers, failed) = lists::ask_once(&config.lists).await;
            lists.answers = answers;
            let load = move || config::load_with(&files, LoadOptions::default(), &lists);
            let loaded = tokio::task::spawn_blocking(load)
                .await
                .map_err(|_| broken())?;
            Ok((loaded, failed))
        }
        loaded => Ok((loaded, Vec::new())),
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let format = arguments.output.output;
    let (loaded, failed) = load(arguments.files.config, arguments.connect).await?;
    let config = match loaded {
        Ok(config) => config,
        Err(errors) => return refuse(format, errors),
    };
    let states = config.lists.iter();
    let lists: Vec<ListFound> = states.map(|state| ListFound::new(state, &failed)).collect();
    let connected = if arguments.connect {
        Some(connect::all(&config).await?)
    } else {
        None
    };
    match format {
        Format::Json => output::print_json(&Found {
            problems: &[],
            warnings: &config.warnings,
            notes: &config.notes,
            lists: &lists,
            connected: connected.as_ref(),
        })?,
        Format::Table => {
            for warning in &config.warnings {
                output::complain(&format!("warning: {warning}"));
            }
            print_notes(&config.notes)?;
            output::print(&summary(&config))?;
            let lines: Vec<String> = lists.iter().map(ListFound::sentence).collect();
            output::print(&lines.concat())?;
            if let Some(connected) = &connected {
                output::print("\n")?;
                connected.tables().0.print()?;
                output::print("\n")?;
                connected.tables().1.print()?;
            }
        }
    }
    match connected {
        Some(connected) if connected.lacks_something() || !failed.is_empty() => Err(Failure::Told),
        Some(_) | None => Ok(()),
    }
}

/// What is ignored of a Butler file, and where svcwatch does something else.
fn print_notes(notes: &Notes) -> Result<(), Failure> {
    let ignored = notes
        .ignored
        .iter()
        .map(|note| format!("ignored: {note}\n"));
    let differs = notes
        .differences
        .iter()
        .map(|note| format!("differs: {note}\n"));
    let lines: Vec<String> = ignored.chain(differs).collect();
    Ok(output::print(&lines.concat())?)
}

fn refuse(format: Format, errors: ConfigErrors) -> Result<(), Failure> {
    if format == Format::Json {
        output::print_json(&Found {
            problems: &errors.problems,
            warnings: &[],
            notes: &errors.notes,
            lists: &[],
            connected: None,
        })?;
    } else {
        print_notes(&errors.notes)?;
    }
    Err(errors.into())
}

fn summary(config: &Config) -> String {
    let plan = &config.core;
    let entries: usize = plan.hosts.iter().map(|host| host.services.len()).sum();
    let sites: BTreeSet<_> = plan
        .hosts
        .iter()
        .filter_map(|host| host.site.as_ref())
        .collect();
    format!(
        "The configuration is good: {}{}, {} of services, {}, {}.\n",
        counted(plan.hosts.len(), "host"),
        if sites.is_empty() {
            String::new()
        } else {
            format!(" at {}", counted(sites.len(), "site"))
        },
        if entries == 1 {
            "1 entry".to_owned()
        } else {
            format!("{entries} entries")
        },
        counted(config.destinations.len(), "destination"),
        counted(plan.routes.len(), "route"),
    )
}
