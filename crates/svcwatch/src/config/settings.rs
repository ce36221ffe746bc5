//! A config as the rest of the program uses it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::plan::Plan;
use svcwatch_core::time::Span;

use super::chat::{NewRelicSettings, SlackSettings, TeamsSettings, WordingSettings};
use super::problem::Warning;
use super::source::SecretSource;
use crate::secret::Secret;
use crate::template::Link;

/// A config that was checked as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is to be watched and told, for the core.
    pub core: Plan,
    /// How each host is read, by its name. There is one for each host of the plan.
    pub connections: BTreeMap<Name, Connection>,
    /// The accounts that hosts are read with.
    pub credentials: BTreeMap<Name, Credential>,
    /// How each destination is reached, by its name. There is one for each destination of the plan.
    pub destinations: BTreeMap<Name, DestinationSettings>,
    /// Links that messages and templates offer beside the incident's own.
    pub links: Arc<[Link]>,
    /// Where metrics and the API are served.
    pub listen: SocketAddr,
    /// The folder of the store, where the file names one.
    pub data: Option<PathBuf>,
    /// The base of links in notices, without a slash at its end, where the file names one.
    pub web_url: Option<String>,
    /// How long history is kept.
    pub retention: Span,
    /// What works and yet is probably not meant.
    pub warnings: Vec<Warning>,
    /// The files that it was read from; a change of one calls for a reload.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// The base of links in notices: as configured, or the address that is listened on.
    pub fn web_url(&self, listen: SocketAddr) -> String {
        self.web_url
            .clone()
            .unwrap_or_else(|| format!("http://{listen}"))
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
    /// Whether SMB encryption must be in use.
    pub encryption: Encryption,
    /// How its services are read.
    pub transport: Transport,
    /// How long one check may take.
    pub timeout: Span,
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
    /// MS-SCMR over SMB, which is also what `auto` means.
    Rpc,
    /// The simulated fleet on this machine; no config can name it.
    Loopback,
}

/// An account that hosts are read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `DOMAIN\user`, `user@realm` or `user`.
    pub user: String,
    /// Its password, read again at each logon.
    pub password: SecretSource,
    /// The password before this one, where it may still be needed.
    pub previous: Option<SecretSource>,
}

impl Credential {
    /// It was refused: what is remembered of its secrets does not count any more.
    pub fn forget(&self) {
        self.password.forget();
        if let Some(previous) = &self.previous {
            previous.forget();
        }
    }
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
    /// Messages of Slack.
    Slack(SlackSettings),
    /// Messages of Microsoft Teams.
    Teams(TeamsSettings),
    /// Events and log entries of New Relic.
    NewRelic(NewRelicSettings),
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
