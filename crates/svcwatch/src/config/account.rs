//! Accounts: those that hosts are read with, and those that act.

use std::path::PathBuf;
use std::sync::Arc;

use svcwatch_core::id::Name;

use super::settings::Auth;
use super::source::{SecretError, SecretSource, guarded_bytes};
use crate::probe::kerberos::{Cache, Keytab, Proof};

/// The most that is read of a keytab or a ticket cache, in bytes.
const TICKETS_BYTES: usize = 4 * 1024 * 1024;

/// Who may start and stop the services of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// The account, which is used for nothing else.
    pub account: Name,
    /// By what it logs on there.
    pub auth: Auth,
}

/// An account that hosts are read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `DOMAIN\user`, `user@realm` or `user`.
    pub user: String,
    /// Its password, read again at each logon.
    pub password: Option<SecretSource>,
    /// The password before this one, where it may still be needed.
    pub previous: Option<SecretSource>,
    /// Its realm of Kerberos.
    pub realm: Option<String>,
    /// What stands in place of its password with Kerberos.
    pub file: Option<TicketFile>,
    /// The domain controllers that give its tickets; to be found by the realm where there are none.
    pub kdc: Vec<String>,
    /// Whether it starts and stops services, and is used for nothing else.
    pub acting: bool,
}

/// What stands in place of a password with Kerberos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketFile {
    /// A file of keys.
    Keytab(PathBuf),
    /// A cache of tickets.
    Cache(PathBuf),
}

impl Credential {
    /// It was refused: what is remembered of its secrets does not count any more.
    pub fn forget(&self) {
        for source in self.password.iter().chain(&self.previous) {
            source.forget();
        }
    }
}

impl TicketFile {
    /// Reads it as it is now.
    pub fn read(&self) -> Result<Proof, SecretError> {
        let (Self::Keytab(path) | Self::Cache(path)) = self;
        let bytes = guarded_bytes(path, TICKETS_BYTES)?;
        let proof = match self {
            Self::Keytab(_) => Keytab::parse(&bytes).map(|keys| Proof::Keytab(Arc::new(keys))),
            Self::Cache(_) => Cache::parse(&bytes).map(|cache| Proof::Cache(Arc::new(cache))),
        };
        proof.map_err(|error| SecretError {
            what: format!("{} cannot be used", path.display()),
            instead: error.to_string(),
        })
    }
}
