//! From the configuration to what reaches hosts and destinations. Secrets are read here and nowhere else.

use crate::{
    config::{
        self, Config, Connection, Credential, DestinationSettings, EmailSettings, InfluxdbSettings,
        MqttSettings, SecretError, SecretSource, WebhookSettings,
    },
    dest::{self, sender::Destinations},
    feed::influxdb,
    probe::{self, Access},
    secret::Secret,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use svcwatch_core::{id::Name, time::Span};

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

/// Destinations with their secrets as they are now.
pub type DestinationList = Vec<(Name, dest::Settings)>;

/// Reads the settings of all destinations with their secrets, or says each that cannot be read. Reads files.
pub fn destination_list(config: &Config) -> Result<DestinationList, Vec<String>> {
    let mut list = Vec::new();
    let mut errors = Vec::new();
    for (name, settings) in &config.destinations {
        let settings = match settings {
            DestinationSettings::Log(log) => Ok(dest::Settings::Log(dest::log::Settings {
                path: log.path.clone(),
                ..dest::log::Settings::default()
            })),
            DestinationSettings::Webhook(webhook) => {
                webhook_settings(webhook).map(dest::Settings::Webhook)
            }
            DestinationSettings::Email(email) => email_settings(email).map(dest::Settings::Email),
            DestinationSettings::Mqtt(mqtt) => mqtt_settings(mqtt).map(dest::Settings::Mqtt),
            DestinationSettings::Influxdb(influxdb) => {
                influxdb_settings(influxdb).map(dest::Settings::Influxdb)
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

fn webhook_settings(settings: &WebhookSettings) -> Result<dest::webhook::Settings, SecretError> {
    let mut headers = Vec::with_capacity(settings.headers.len());
    for (name, value) in &settings.headers {
        headers.push((name.clone(), value.read()?));
    }
    Ok(dest::webhook::Settings {
        url: settings.url.clone(),
        method: match settings.method {
            config::Method::Post => dest::webhook::Method::Post,
            config::Method::Put => dest::webhook::Method::Put,
            config::Method::Get => dest::webhook::Method::Get,
        },
        headers,
        secret: settings
            .secret
            .as_ref()
            .map(SecretSource::read)
            .transpose()?,
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

fn email_settings(settings: &EmailSettings) -> Result<dest::email::Settings, SecretError> {
    let (user, password) = match &settings.smtp.login {
        Some((user, password)) => (Some(Secret::from(user.as_str())), Some(password.read()?)),
        None => (None, None),
    };
    Ok(dest::email::Settings {
        smtp: dest::email::Server {
            host: settings.smtp.host.clone(),
            port: Some(settings.smtp.port),
            tls: match settings.smtp.tls {
                config::SmtpTls::StartTls => dest::email::Encryption::Starttls,
                config::SmtpTls::Preferred => dest::email::Encryption::Preferred,
                config::SmtpTls::Implicit => dest::email::Encryption::Implicit,
                config::SmtpTls::Off => dest::email::Encryption::Off,
            },
            user,
            password,
            server_name: settings.smtp.server_name.clone(),
            verify: settings.smtp.verify,
        },
        from: settings.from.clone(),
        to: settings.to.clone(),
        priority: settings.priority.map(|priority| match priority {
            config::Priority::Low => dest::email::Priority::Low,
            config::Priority::Normal => dest::email::Priority::Normal,
            config::Priority::High => dest::email::Priority::High,
        }),
        subject: settings.subject.clone(),
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

fn mqtt_settings(settings: &MqttSettings) -> Result<dest::mqtt::Settings, SecretError> {
    let tls = settings.tls.as_ref().map(|tls| dest::mqtt::Tls {
        ca: tls.ca.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
    });
    let topics = &settings.topics;
    Ok(dest::mqtt::Settings {
        host: settings.host.clone(),
        port: settings.port,
        tls,
        user: settings.user.as_deref().map(Secret::from),
        password: read(settings.password.as_ref())?,
        client_id: settings.client_id.clone(),
        version: if settings.five {
            dest::mqtt::Version::V5
        } else {
            dest::mqtt::Version::V4
        },
        qos: settings.qos,
        retain_status: settings.retain_status,
        topics: dest::mqtt::Topics {
            stopped: topics.stopped.clone(),
            running: topics.running.clone(),
            status: topics.status.clone(),
        },
        timeout: duration(settings.timeout),
        presence: true,
    })
}

fn influxdb_settings(settings: &InfluxdbSettings) -> Result<influxdb::Settings, SecretError> {
    Ok(influxdb::Settings {
        url: settings.url.clone(),
        version: match settings.version {
            1 => influxdb::Version::V1,
            2 => influxdb::Version::V2,
            _ => influxdb::Version::V3,
        },
        database: settings.database.clone(),
        retention_policy: settings.retention_policy.clone(),
        retention: settings
            .retention
            .as_ref()
            .map(|retention| influxdb::Retention {
                name: retention.name.clone(),
                duration: retention.duration.clone(),
            }),
        org: settings.org.clone(),
        bucket: settings.bucket.clone(),
        token: read(settings.token.as_ref())?,
        user: settings.user.as_deref().map(Secret::from),
        password: read(settings.password.as_ref())?,
        tags: settings.tags.clone(),
        batch: settings.batch,
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

fn read(source: Option<&SecretSource>) -> Result<Option<Secret>, SecretError> {
    source.map(SecretSource::read).transpose()
}

const fn duration(span: Span) -> Duration {
    Duration::from_millis(span.0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
