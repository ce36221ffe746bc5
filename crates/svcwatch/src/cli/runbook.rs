//! `svcwatch runbook`.

use super::{failure::Failure, output};
use crate::runbook::{self, Runbooks};
use clap::Args;
use std::path::PathBuf;

/// Print a runbook: what an alert means, and what to do
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch runbook
  svcwatch runbook stopped
  svcwatch runbook stopped srv01 Spooler

It is Markdown. A running svcwatch shows the same page, with what it sees of the service, at /runbooks/NAME.")]
pub(super) struct Arguments {
    /// Its name: that of the event; all names are printed, if not given
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The host that stands in its commands
    #[arg(value_name = "HOST")]
    host: Option<String>,
    /// The service that stands in its commands
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// A folder of your own pages, which come first, as `runbooks` in the configuration
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(folder) = arguments.folder.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!(
            "there is no folder {}",
            folder.display()
        )));
    }
    let runbooks = Runbooks::new(arguments.folder.clone());
    let Some(name) = &arguments.name else {
        let mut list = runbooks.list().join("\n");
        list.push('\n');
        return Ok(output::print(&list)?);
    };
    let variables = runbook::variables(arguments.host.as_deref(), arguments.service.as_deref());
    let Some(page) = runbooks.page(name, &variables) else {
        return Err(Failure::usage(format!(
            "there is no runbook of this name; there are {}",
            runbooks.list().join(", ")
        )));
    };
    if let Some(why) = &page.fallback {
        output::complain(&format!(
            "warning: your own page of this name was not used: {why}"
        ));
    }
    Ok(output::print(&page.markdown)?)
}
