//! Commands that ask a svcwatch that runs.

use super::failure::Failure;
use crate::web::client::Client;
use clap::Args;

/// Where svcwatch listens unless somebody says otherwise.
const USUAL: &str = "http://127.0.0.1:7467";

/// The svcwatch that is asked.
#[derive(Debug, Args)]
pub(super) struct Api {
    /// The address of the svcwatch that runs
    #[arg(long, value_name = "URL", default_value = USUAL)]
    api: String,
}

impl Api {
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.api)?)
    }
}
