//! `svcwatch backup`.

use super::{
    failure::Failure,
    output::{self, Progress},
};
use crate::{app, store};
use clap::Args;
use std::path::PathBuf;

/// Copy the store to a new file, also while svcwatch runs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch backup /backup/svcwatch.db
  svcwatch backup --data /var/lib/svcwatch /backup/svcwatch.db

To put a copy back: stop svcwatch, remove svcwatch.db-wal and svcwatch.db-shm from the data folder, copy the file there \
as svcwatch.db, and start it.")]
pub(super) struct Arguments {
    /// The folder of the store
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The new file
    file: PathBuf,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { data, file } = arguments;
    let folder = app::data_folder(data, None)?;
    let target = file.clone();
    let copied = tokio::task::spawn_blocking(move || {
        let progress = Progress::new();
        store::backup(&folder, &target, |at| {
            progress.at(&format!("{} of {} pages", at.done, at.of));
        })
    });
    match copied.await {
        Ok(copied) => copied.map_err(Failure::met)?,
        Err(_) => {
            return Err(Failure::met(
                "the copy broke off, which is a fault of svcwatch itself",
            ));
        }
    }
    Ok(output::print(&format!(
        "The store is copied to {}.\n",
        file.display()
    ))?)
}
