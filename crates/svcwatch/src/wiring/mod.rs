//! From the configuration to what reaches hosts and destinations. Secrets are read here and nowhere else.

mod destinations;
mod feeds;
mod guests;
mod logons;

pub use self::{guests::Doors, logons::Logons};

use crate::{
    config::{self, Config, Connection, Credential, DestinationSettings},
    dest::{self, sender::Destinations},
    probe::{
        self, Access, Auth,
        kerberos::{Kerberos, Proof},
    },
    secret::Secret,
};
use std::collections::BTreeMap;
use svcwatch_core::id::Name;

/// How hosts are reached and as whom.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    connections: BTreeMap<Name, Connection>,
    credentials: BTreeMap<Name, Credential>,
    doors: Doors,
    silent: bool,
}

impl Reach {
    /// That of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            connections: config.connections.clone(),
            credentials: config.credentials.clone(),
            doors: Doors::new(config),
            silent: config.core.instant_off,
        }
    }

    /// How a host is read; nothing where it is not in the configuration.
    pub fn connection(&self, host: &Name) -> Option<&Connection> {
        self.connections.get(host)
    }

    /// Whether nothing is to be heard at once.
    pub const fn is_silent(&self) -> bool {
        self.silent
    }

    /// How guests are read.
    pub const fn doors(&self) -> &Doors {
        &self.doors
    }

    /// The accounts.
    pub const fn credentials(&self) -> &BTreeMap<Name, Credential> {
        &self.credentials
    }

    /// The account of a host, where it is read with one.
    pub fn credential(&self, connection: &Connection) -> Option<(&Name, &Credential)> {
        self.credentials
            .get_key_value(connection.credentials.as_ref()?)
    }
}

/// What a host is logged on to with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passwords {
    /// Tried first.
    pub first: Secret,
    /// Tried where the first is refused.
    pub second: Option<Secret>,
    /// What stands in place of a password with Kerberos.
    pub file: Option<Proof>,
}

/// How a host is reached, and with what it may be logged on to. A kept session needs nothing of that.
pub fn access(
    connection: &Connection,
    credential: Option<&Credential>,
    passwords: Option<Passwords>,
) -> Access {
    let encryption = match connection.encryption {
        config::Encryption::Required => probe::Encryption::Required,
        config::Encryption::Preferred => probe::Encryption::Preferred,
        config::Encryption::Off => probe::Encryption::Off,
    };
    let auth = match (&connection.auth, credential) {
        (config::Auth::Kerberos(host), Some(credential)) => Auth::Kerberos(Box::new(Kerberos {
            realm: credential.realm.clone(),
            kdc: credential.kdc.clone(),
            host: host.clone(),
            proof: passwords.as_ref().map(|passwords| {
                let file = passwords.file.clone();
                file.unwrap_or_else(|| Proof::Password(passwords.first.clone()))
            }),
        })),
        (config::Auth::Kerberos(_) | config::Auth::Ntlm | config::Auth::NoKerberos(_), _) => {
            Auth::Ntlm
        }
    };
    let passwords = passwords.unwrap_or_default();
    Access {
        address: connection.address.clone(),
        port: connection.port,
        transport: match connection.transport {
            config::Transport::Rpc => probe::Transport::Smb { encryption },
            config::Transport::Loopback => probe::Transport::Loopback,
            config::Transport::Local => probe::Transport::Local,
            config::Transport::Wmi => probe::Transport::Wmi,
        },
        user: credential.map_or_else(String::new, |credential| credential.user.clone()),
        password: passwords.first,
        second_password: passwords.second,
        auth,
    }
}

/// How a host is reached to act there: as it is read, but logged on to in the way of the acting account.
pub fn acting_access(
    connection: &Connection,
    credential: Option<&Credential>,
    passwords: Option<Passwords>,
) -> Access {
    let mut connection = connection.clone();
    if let Some(acting) = &connection.acting {
        connection.auth = acting.auth.clone();
    }
    access(&connection, credential, passwords)
}

/// Destinations with their secrets and templates as they are now.
pub type DestinationList = Vec<(Name, dest::Settings)>;

/// Reads the settings of all destinations with their secrets and templates, or says each that cannot be read. Reads files.
pub fn destination_list(config: &Config) -> Result<DestinationList, Vec<String>> {
    let mut list = Vec::new();
    let mut errors = Vec::new();
    let links = &config.links;
    for (name, settings) in &config.destinations {
        let settings = match settings {
            DestinationSettings::Log(log) => Ok(dest::Settings::Log(dest::log::Settings {
                path: log.path.clone(),
                wording: destinations::wording(&log.wording, links),
                ..dest::log::Settings::default()
            })),
            DestinationSettings::Webhook(webhook) => {
                destinations::webhook(webhook, links).map(dest::Settings::Webhook)
            }
            DestinationSettings::Email(email) => {
                destinations::email(email, links).map(dest::Settings::Email)
            }
            DestinationSettings::Slack(slack) => {
                destinations::slack(slack, links).map(dest::Settings::Slack)
            }
            DestinationSettings::Teams(teams) => {
                destinations::teams(teams, links).map(dest::Settings::Teams)
            }
            DestinationSettings::NewRelic(newrelic) => {
                destinations::newrelic(newrelic, links).map(dest::Settings::NewRelic)
            }
            DestinationSettings::Mqtt(mqtt) => feeds::mqtt(mqtt).map(dest::Settings::Mqtt),
            DestinationSettings::Influxdb(influxdb) => {
                feeds::influxdb(influxdb).map(dest::Settings::Influxdb)
            }
        };
        match settings {
            Ok(settings) => list.push((name.clone(), settings)),
            Err(error) => errors.push(format!("destination {name}: {error}")),
        }
    }
    if errors.is_empty() {
        Ok(list)
    } else {
        Err(errors)
    }
}

/// Makes destinations ready to send, or says everything that is wrong with them. Reads files.
pub fn destinations(list: DestinationList, base_url: &str) -> Result<Destinations, Vec<String>> {
    Destinations::new(list, Some(base_url))
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}
