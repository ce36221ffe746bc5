//! How guests are reached: hosts that nobody watches, and that the configuration lets in.

use crate::config::{Config, Connection, Credential, GuestSettings};
use std::collections::BTreeMap;
use svcwatch_core::{
    guest::{self, Visit},
    id::Name,
};

/// Who may be read without being watched, how, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    settings: GuestSettings,
    credentials: BTreeMap<Name, Credential>,
    /// The hosts of the configuration, by the names that they would have as guests. Empty where nobody is let in.
    hosts: BTreeMap<Name, Name>,
}

impl Doors {
    /// Those of a configuration.
    pub fn new(config: &Config) -> Self {
        let modules = config.modules.values();
        let accounts = modules.filter_map(|module| module.credentials.as_ref());
        let credentials = accounts.filter_map(|account| {
            let credential = config.credentials.get(account)?;
            // One that starts and stops services reads nobody.
            (!credential.acting).then(|| (account.clone(), credential.clone()))
        });
        let mut hosts = BTreeMap::new();
        if !config.guests.allow.is_empty() {
            for host in &config.core.hosts {
                for guest in guest::names_of(host) {
                    hosts.entry(guest).or_insert_with(|| host.name.clone());
                }
            }
        }
        Self {
            settings: config.guests.clone(),
            credentials: credentials.collect(),
            hosts,
        }
    }

    /// Whether a guest of this name is let in.
    pub fn let_in(&self, guest: &Name) -> bool {
        let allow = &self.settings.allow;
        allow.iter().any(|allowed| allowed.lets_in(guest))
    }

    /// The host of the configuration that a guest is, by another spelling of its name or by its address.
    pub fn host_of(&self, guest: &Name) -> Option<&Name> {
        self.hosts.get(guest)
    }

    /// How a guest is read, and its account, or why it cannot be.
    pub fn open(&self, visit: &Visit) -> Result<(Connection, &Credential), String> {
        if !self.let_in(&visit.guest) {
            return Err("the configuration does not let it in any more".to_owned());
        }
        let account = &visit.account;
        let credential = self
            .credentials
            .get(account)
            .ok_or_else(|| format!("no guest is read with the account {account} any more"))?;
        let connection = self.settings.connection(visit, credential);
        let connection = connection.map_err(|(what, instead)| format!("{what}; {instead}"))?;
        Ok((connection, credential))
    }
}
