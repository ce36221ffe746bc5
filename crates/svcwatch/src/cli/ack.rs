//! `svcwatch ack`.

use super::{Output, api::Api, failure::Failure, output};
use clap::Args;

/// Take note of an incident: it is not repeated any more
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch ack 4f2a90c1d3e5b687-12
  svcwatch ack 4f2a90c1d3e5b687-12 --note 'the printer is being moved'")]
pub(super) struct Arguments {
    /// The incident, as `svcwatch incidents` lists it
    id: String,
    /// Who takes note
    #[arg(long, value_name = "NAME", env = super::WHO, hide_env_values = true)]
    by: Option<String>,
    /// What others should know
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let by = arguments.by.filter(|by| !by.trim().is_empty());
    let by =
        by.ok_or_else(|| Failure::usage("it is not known who takes note; say so with --by NAME"))?;
    let incident = arguments
        .api
        .client()?
        .acknowledge(&arguments.id, &by, &arguments.note)
        .await?;
    match arguments.output.output {
        super::Format::Json => output::print_json(&incident)?,
        super::Format::Table => {
            output::print(&format!("{by} has taken note of {}.\n", incident.id))?;
        }
    }
    Ok(())
}
