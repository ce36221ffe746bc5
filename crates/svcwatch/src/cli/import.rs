//! `svcwatch import`.

use super::{failure::Failure, output};
use crate::config;
use clap::Args;
use std::path::PathBuf;

/// Print a Butler file in native form, with a note for each thing that Butler does differently
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch import butler.yaml
  (umask 077; svcwatch import --with-secrets butler.yaml > svcwatch.yaml)

Passwords, keys and addresses that may hold tokens are not printed unless --with-secrets asks for it; \
the text then says where each has to be written. Either file tells the same; `run` also takes Butler's own.")]
pub(super) struct Arguments {
    /// The file of Butler
    file: PathBuf,
    /// Print secrets too, so that the text works as it is
    #[arg(long)]
    with_secrets: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { file, with_secrets } = arguments;
    let imported = tokio::task::spawn_blocking(move || config::import(&file, with_secrets));
    let imported = imported.await.map_err(|_| {
        Failure::met("reading the configuration broke off, which is a fault of svcwatch itself")
    })??;
    for warning in &imported.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    Ok(output::print(&imported.text)?)
}
