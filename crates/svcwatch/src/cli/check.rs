//! `svcwatch check`.

use super::{
    ConfigFiles, Format, Output,
    connect::{self, Connected},
    failure::Failure,
    output,
};
use crate::config::{self, Config, ConfigErrors, LoadOptions, Notes, Problem};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<&'a Connected>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let format = arguments.output.output;
    let files = arguments.files.config;
    let loaded = tokio::task::spawn_blocking(move || config::load(&files, LoadOptions::default()));
    let loaded = loaded.await.map_err(|_| {
        Failure::met("reading the configuration broke off, which is a fault of svcwatch itself")
    })?;
    let config = match loaded {
        Ok(config) => config,
        Err(errors) => return refuse(format, errors),
    };
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
            connected: connected.as_ref(),
        })?,
        Format::Table => {
            for warning in &config.warnings {
                output::complain(&format!("warning: {warning}"));
            }
            print_notes(&config.notes)?;
            output::print(&summary(&config))?;
            if let Some(connected) = &connected {
                output::print("\n")?;
                connected.tables().0.print()?;
                output::print("\n")?;
                connected.tables().1.print()?;
            }
        }
    }
    match connected {
        Some(connected) if connected.lacks_something() => Err(Failure::Told),
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
    let count =
        |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    format!(
        "The configuration is good: {}{}, {} of services, {}, {}.\n",
        count(plan.hosts.len(), "host"),
        if sites.is_empty() {
            String::new()
        } else {
            format!(" at {}", count(sites.len(), "site"))
        },
        if entries == 1 {
            "1 entry".to_owned()
        } else {
            format!("{entries} entries")
        },
        count(config.destinations.len(), "destination"),
        count(plan.routes.len(), "route"),
    )
}
