//! What /probe gives, and who may be read by it without being watched.

use std::collections::BTreeMap;

use svcwatch_core::glob::Glob;
use svcwatch_core::guest::{Allowed, Visit};
use svcwatch_core::id::Name;
use svcwatch_core::time::Span;

use super::build;
use super::settings::{Connection, Credential, Encryption, Transport};

/// The modules of /probe, by their names.
pub type Modules = BTreeMap<Name, Module>;

/// A module of /probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The services that it gives.
    pub services: Vec<Glob>,
    /// The account that guests are read with; its own, or that of the defaults.
    pub credentials: Option<Name>,
}

/// The module of /probe that is meant where none is named.
pub const MODULE_USUAL: &str = "default";

/// The modules that are there without being written: the usual one, which gives every service.
pub fn usual_modules() -> Modules {
    let all = Module {
        services: vec![Glob::new("*")],
        credentials: None,
    };
    Modules::from([(Name::new(MODULE_USUAL), all)])
}

/// Who may be read without being watched, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSettings {
    /// The names that are let in; where there are none, nobody is.
    pub allow: Vec<Allowed>,
    /// The port of SMB.
    pub port: u16,
    /// By what they are logged on to: `auto`, `kerberos` or `ntlm`.
    pub auth: &'static str,
    /// Whether SMB encryption must be in use.
    pub encryption: Encryption,
    /// How their services are read.
    pub transport: Transport,
    /// How long one reading may take.
    pub timeout: Span,
}

impl Default for GuestSettings {
    /// Nobody.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            port: 445,
            auth: "auto",
            encryption: Encryption::Required,
            transport: Transport::Rpc,
            timeout: Span::seconds(10),
        }
    }
}

impl GuestSettings {
    /// How a guest is read with an account, or what stands against it and what to do instead.
    pub fn connection(
        &self,
        visit: &Visit,
        credential: &Credential,
    ) -> Result<Connection, (&'static str, &'static str)> {
        let guest = visit.guest.as_str();
        Ok(Connection {
            address: guest.to_owned(),
            port: self.port,
            credentials: Some(visit.account.clone()),
            auth: build::auth(self.auth, guest, credential)?,
            // Nobody starts or stops anything there.
            acting: None,
            encryption: self.encryption,
            transport: self.transport,
            timeout: self.timeout,
        })
    }
}
