//! A config as the rest of the program uses it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::plan::Plan;
use svcwatch_core::time::{Span, Wall};

pub use super::account::{Acting, Credential, TicketFile};
use super::chat::{NewRelicSettings, SlackSettings, TeamsSettings, WordingSettings};
pub use super::guests::{GuestSettings, MODULE_USUAL, Module, Modules, usual_modules};
use super::lists::{self, ListSource, ListState};
use super::problem::{Notes, Warning};
use super::source::SecretSource;
use crate::calendar::Calendar;
use crate::secret::Secret;
use crate::template::Link;

/// A config that was checked as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is to be watched and told, for the core.
    pub core: Plan,
    /// When the maintenance windows of the plan are; whoever uses the plan gives it their times.
    pub calendar: Calendar,
    /// How each host is read, by its name. There is one for each host of the plan.
    pub connections: BTreeMap<Name, Connection>,
    /// The accounts that hosts are read with.
    pub credentials: BTreeMap<Name, Credential>,
    /// How each destination is reached, by its name. There is one for each destination of the plan, and one for each
    /// feed that takes no notices.
    pub destinations: BTreeMap<Name, DestinationSettings>,
    /// Links that messages and templates offer beside the incident's own.
    pub links: Arc<[Link]>,
    /// Where metrics and the API are served.
    pub listen: SocketAddr,
    /// The folder of the store, where the file names one.
    pub data: Option<PathBuf>,
    /// The folder of the user's own runbooks.
    pub runbooks: Option<PathBuf>,
    /// The base of links in notices, without a slash at its end, where the file names one.
    pub web_url: Option<String>,
    /// The file that says who may ask, and how it is encrypted.
    pub web_config: Option<PathBuf>,
    /// Whether that file asks for encryption, as far as it was looked at.
    pub web_tls: bool,
    /// What /probe gives of a host, by the name of the module.
    pub modules: Modules,
    /// Who may be read without being watched, and how.
    pub guests: GuestSettings,
    /// How long history is kept.
    pub retention: Span,
    /// What works and yet is probably not meant.
    pub warnings: Vec<Warning>,
    /// What is to be known of Butler files among its files.
    pub notes: Notes,
    /// The lists of hosts that stand elsewhere.
    pub lists: Vec<ListState>,
    /// The files that it was read from; a change of one calls for a reload.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// The plan for the core, with the times of its maintenance windows as they are known now.
    pub fn plan(&self, now: Wall) -> Plan {
        let mut plan = self.core.clone();
        self.calendar.fill(&mut plan, now);
        plan
    }

    /// The files that a change of calls for a reload: its own, and those of its lists as they are now. Looks at folders.
    pub fn watched(&self) -> Vec<PathBuf> {
        let mut files = self.files.clone();
        for state in &self.lists {
            if let ListSource::Files(path) = &state.source {
                files.extend(lists::matching(path).unwrap_or_default());
            }
        }
        files
    }

    /// Which list names a host, and where, in words.
    pub fn listed_in(&self, host: &Name) -> Option<String> {
        lists::place_of(&self.lists, host)
    }

    /// Whether the same is carried out, whatever became of lists that were not taken.
    pub fn same_as(&self, other: &Self) -> bool {
        // What is left out is named, so that nothing new is forgotten here.
        let same = Self {
            lists: other.lists.clone(),
            warnings: other.warnings.clone(),
            notes: other.notes.clone(),
            ..self.clone()
        };
        same == *other
    }

    /// The base of links in notices: as configured, or the address that is listened on.
    pub fn web_url(&self, listen: SocketAddr) -> String {
        self.web_url.clone().unwrap_or_else(|| {
            format!("{}://{listen}", if self.web_tls { "https" } else { "http" })
        })
    }

    /// The destinations that every reading goes to.
    pub fn feeds(&self) -> Vec<Name> {
        let all = self.destinations.iter();
        all.filter(|(_, settings)| settings.takes_readings())
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// How a host is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where it is reached: a host name or an IP address.
    pub address: String,
    /// The port of SMB.
    pub port: u16,
    /// The account; `None` only where the transport needs none.
    pub credentials: Option<Name>,
    /// By what it is logged on to.
    pub auth: Auth,
    /// Who may start and stop its services; nobody where there is none.
    pub acting: Option<Acting>,
    /// Whether SMB encryption must be in use.
    pub encryption: Encryption,
    /// How its services are read.
    pub transport: Transport,
    /// How long one check may take.
    pub timeout: Span,
}

/// By what a host is logged on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Kerberos, as this host of the account's realm.
    Kerberos(String),
    /// NTLM, because the configuration says so.
    Ntlm,
    /// NTLM, because this stands against Kerberos.
    NoKerberos(&'static str),
}

/// Whether SMB encryption must be in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// A host that cannot is not read.
    Required,
    /// Used where the host can.
    Preferred,
    /// Not used; messages are signed all the same.
    Off,
}

/// How services are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// MS-SCMR over SMB.
    Rpc,
    /// The Windows API, as the account that svcwatch runs as.
    Local,
    /// WMI, as the account that svcwatch runs as.
    Wmi,
    /// The simulated fleet on this machine; no config can name it.
    Loopback,
}

/// How a destination is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationSettings {
    /// Lines of JSON.
    Log(LogSettings),
    /// HTTP requests.
    Webhook(WebhookSettings),
    /// Mails.
    Email(EmailSettings),
    /// Messages through a broker: notices and readings.
    Mqtt(Box<MqttSettings>),
    /// Points in a database: readings alone.
    Influxdb(Box<InfluxdbSettings>),
    /// Messages of Slack.
    Slack(SlackSettings),
    /// Messages of Microsoft Teams.
    Teams(TeamsSettings),
    /// Events and log entries of New Relic.
    NewRelic(NewRelicSettings),
}

impl DestinationSettings {
    /// Whether notices go to it.
    pub const fn takes_notices(&self) -> bool {
        match self {
            Self::Log(_)
            | Self::Webhook(_)
            | Self::Email(_)
            | Self::Slack(_)
            | Self::Teams(_)
            | Self::NewRelic(_)
            | Self::Mqtt(_) => true,
            Self::Influxdb(_) => false,
        }
    }

    /// Whether every reading goes to it.
    pub const fn takes_readings(&self) -> bool {
        match self {
            Self::Log(_)
            | Self::Webhook(_)
            | Self::Email(_)
            | Self::Slack(_)
            | Self::Teams(_)
            | Self::NewRelic(_) => false,
            Self::Mqtt(settings) => settings.topics.status.is_some(),
            Self::Influxdb(_) => true,
        }
    }
}

/// Settings of a `log` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The file; stdout where there is none.
    pub path: Option<PathBuf>,
    /// Templates.
    pub wording: WordingSettings,
    /// How long writing one line may take.
    pub timeout: Span,
}

/// Settings of a `webhook` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where requests are sent. Many services put their token into it.
    pub url: Secret,
    /// How they are sent.
    pub method: Method,
    /// Whose body is sent.
    pub body: Body,
    /// Further headers.
    pub headers: Vec<(String, SecretSource)>,
    /// What signs them.
    pub secret: Option<SecretSource>,
    /// Templates.
    pub wording: WordingSettings,
    /// Certificates that are trusted besides the system's own.
    pub ca: Option<PathBuf>,
    /// Whether the receiver's certificate is checked.
    pub verify: bool,
    /// How long one request may take in all.
    pub timeout: Span,
}

/// The method of a webhook's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
    /// GET, with what there is to say in the query.
    Get,
}

/// Whose body a webhook sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Our own.
    Svcwatch,
    /// Butler's.
    Butler,
}

/// What is other in mails that something is over.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ResolvedMail {
    /// The sender.
    pub from: Option<String>,
    /// The priority.
    pub priority: Option<Priority>,
}

/// Settings of an `email` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailSettings {
    /// The mail server.
    pub smtp: SmtpSettings,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The priority that mail programs show; `None` for high where something critical is wrong, and normal else.
    pub priority: Option<Priority>,
    /// What is other in mails that something is over.
    pub resolved: ResolvedMail,
    /// Templates of messages and subjects.
    pub wording: WordingSettings,
    /// Certificates that are trusted besides the system's own.
    pub ca: Option<PathBuf>,
    /// How long one mail may take in all.
    pub timeout: Span,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// User and password, where it wants a logon.
    pub login: Option<(String, SecretSource)>,
    /// The name in its certificate, where it is another than `host`.
    pub server_name: Option<String>,
    /// Whether its certificate is checked.
    pub verify: bool,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// After STARTTLS, which the server must offer.
    StartTls,
    /// After STARTTLS where the server offers it; nobody logs on where it does not.
    Preferred,
    /// From the first byte.
    Implicit,
    /// Not at all.
    Off,
}

/// The priority of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Low.
    Low,
    /// Normal.
    Normal,
    /// High.
    High,
}

/// Settings of an `mqtt` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSettings {
    /// The broker's name or address.
    pub host: String,
    /// Its port; `None` for the usual one.
    pub port: Option<u16>,
    /// How the connection is encrypted; `None` where it is not.
    pub tls: Option<MqttTls>,
    /// The user to log on as.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// How svcwatch is called; `None` for a name made of the computer's.
    pub client_id: Option<String>,
    /// Whether MQTT 5 is spoken, else 3.1.1.
    pub five: bool,
    /// 0 or 1.
    pub qos: u8,
    /// Whether the broker keeps the last state of each service.
    pub retain_status: bool,
    /// Where messages go.
    pub topics: TopicSettings,
    /// How long one message may take in all.
    pub timeout: Span,
}

/// How a connection to a broker is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttTls {
    /// Certificates that are trusted besides the system's own.
    pub ca: Option<PathBuf>,
    /// A certificate of our own.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// Where messages of an `mqtt` destination go; what is `None` is not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// Services that stopped.
    pub stopped: Option<String>,
    /// Services that run again.
    pub running: Option<String>,
    /// Every reading, and everything else that is told.
    pub status: Option<String>,
}

/// Settings of an `influxdb` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfluxdbSettings {
    /// Where it is.
    pub url: Secret,
    /// 1, 2 or 3.
    pub version: u8,
    /// The database (1 and 3).
    pub database: Option<String>,
    /// The retention policy that is written to (1).
    pub retention_policy: Option<String>,
    /// The retention policy that a database is made with (1).
    pub retention: Option<RetentionSettings>,
    /// The organization (2).
    pub org: Option<String>,
    /// The bucket (2).
    pub bucket: Option<String>,
    /// The token (2 and 3).
    pub token: Option<SecretSource>,
    /// The user (1).
    pub user: Option<String>,
    /// Its password (1).
    pub password: Option<SecretSource>,
    /// Further tags.
    pub tags: Vec<(String, String)>,
    /// Points of one request, at most.
    pub batch: usize,
    /// Certificates that are trusted besides the system's own.
    pub ca: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Span,
}

/// A retention policy of InfluxDB 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Its name.
    pub name: String,
    /// How long points are kept, as InfluxDB writes it.
    pub duration: String,
}
