//! `svcwatch schema`.

use super::{failure::Failure, output};
use clap::Args;

/// Print the JSON Schema of the configuration, for editors
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  svcwatch schema > svcwatch.schema.json")]
pub(super) struct Arguments {}

pub(super) fn run(_arguments: &Arguments) -> Result<(), Failure> {
    Ok(output::print_json(&crate::config::schema())?)
}
