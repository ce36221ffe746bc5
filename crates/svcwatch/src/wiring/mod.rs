//! From the configuration to what reaches hosts and destinations. Secrets are read here and nowhere else.

mod destinations;
mod feeds;

use crate::{
    config::{self, Config, Connection, Credential, DestinationSettings, SecretError},
    dest::{self, sender::Destinations},
    probe::{self, Access},
    secret::Secret,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use svcwatch_core::id::Name;

/// How hosts are reached and as whom.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    connections: BTreeMap<Name, Connection>,
    credentials: BTreeMap<Name, Credential>,
}

impl Reach {
    /// That of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            connections: config.connections.clone(),
            credentials: config.credentials.clone(),
        }
    }

    /// How a host is read; nothing where it is not in the configuration.
    pub fn connection(&self, host: &Name) -> Option<&Connection> {
        self.connections.get(host)
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

/// How a host is reached with this password. A kept session needs none.
pub fn access(connection: &Connection, user: &str, password: Secret) -> Access {
    let encryption = match connection.encryption {
        config::Encryption::Required => probe::Encryption::Required,
        config::Encryption::Preferred => probe::Encryption::Preferred,
        config::Encryption::Off => probe::Encryption::Off,
    };
    Access {
        address: connection.address.clone(),
        port: connection.port,
        transport: match connection.transport {
            config::Transport::Rpc => probe::Transport::Smb { encryption },
            config::Transport::Loopback => probe::Transport::Loopback,
        },
        user: user.to_owned(),
        password,
    }
}

/// With which user and secret each account logged on last, so that another secret is noticed.
#[derive(Debug, Default)]
pub struct Logons {
    last: Mutex<BTreeMap<Name, (String, Secret)>>,
}

impl Logons {
    /// Reads the secret of an account for a logon.
    pub fn read(&self, account: &Name, credential: &Credential) -> Result<Secret, SecretError> {
        let secret = credential.password.read()?;
        self.lock()
            .insert(account.clone(), (credential.user.clone(), secret.clone()));
        Ok(secret)
    }

    /// The accounts whose user or secret is another one than at the last logon; each is named once for each change.
    pub fn changed(&self, credentials: &BTreeMap<Name, Credential>) -> Vec<Name> {
        let mut changed = Vec::new();
        for (account, credential) in credentials {
            let Some(last) = self.lock().get(account).cloned() else {
                continue;
            };
            // What cannot be read now is told where it is needed.
            let Ok(secret) = credential.password.read() else {
                continue;
            };
            let now = (credential.user.clone(), secret);
            if now != last {
                self.lock().insert(account.clone(), now);
                changed.push(account.clone());
            }
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, (String, Secret)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretSource;

    fn credential(user: &str, password: &str) -> Credential {
        Credential {
            user: user.to_owned(),
            password: SecretSource::Text(Secret::from(password)),
        }
    }

    #[test]
    fn another_secret_is_noticed_once_and_only_after_a_logon() {
        let logons = Logons::default();
        let ops = Name::new("ops");
        let with = |password: &str| BTreeMap::from([(ops.clone(), credential("u", password))]);
        assert!(
            logons.changed(&with("a")).is_empty(),
            "nobody has logged on yet"
        );
        assert!(logons.read(&ops, &credential("u", "a")).is_ok());
        assert!(logons.changed(&with("a")).is_empty());
        assert_eq!(logons.changed(&with("b")), std::slice::from_ref(&ops));
        assert!(logons.changed(&with("b")).is_empty(), "it was told");
        let other_user = BTreeMap::from([(ops.clone(), credential("v", "b"))]);
        assert_eq!(logons.changed(&other_user), [ops]);
    }
}
