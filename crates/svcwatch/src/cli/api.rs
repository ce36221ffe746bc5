//! Commands that ask a svcwatch that runs.

use super::{failure::Failure, password};
use crate::web::client::Client;
use clap::Args;
use std::path::PathBuf;

/// Where svcwatch listens unless somebody says otherwise.
const USUAL: &str = "http://127.0.0.1:7467";

/// The svcwatch that is asked.
#[derive(Debug, Args)]
pub(super) struct Api {
    /// The address of the svcwatch that runs
    #[arg(long, value_name = "URL", default_value = USUAL)]
    api: String,
    #[command(flatten)]
    login: Login,
}

/// As whom a svcwatch is asked that has a web.config_file.
#[derive(Debug, Args)]
pub(super) struct Login {
    /// The user, where that svcwatch asks for a login
    #[arg(long = "user", value_name = "USER")]
    name: Option<String>,
    /// The file that holds the user's password; else SVCWATCH_PASSWORD, else it is asked for
    #[arg(long, value_name = "FILE", requires = "name")]
    password_file: Option<PathBuf>,
    /// The authority that signed that svcwatch's certificate, beside those that the system trusts (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Api {
    pub(super) fn client(&self) -> Result<Client, Failure> {
        self.login.client(&self.api)
    }
}

impl Login {
    /// A client of the svcwatch at this address.
    pub(super) fn client(&self, address: &str) -> Result<Client, Failure> {
        let client = Client::trusting(address, self.ca.as_deref())?;
        Ok(match &self.name {
            None => client,
            Some(user) => client.with_login(user, password::of(user, self.password_file.clone())?),
        })
    }
}
