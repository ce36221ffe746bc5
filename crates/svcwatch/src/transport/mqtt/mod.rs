//! MQTT 3.1.1 and 5: one connection to a broker, made when there is something to publish, and kept. A message is
//! delivered when the broker has acknowledged it; what was not acknowledged when a connection ends has failed, and who
//! asked for it asks again. Nothing is kept here.

mod packets;
mod talk;

pub use packets::Message;

use crate::{
    dest::{
        judge::too_late,
        mqtt::{Reply, Settings, Version},
    },
    secret::Secret,
    transport::tls::{Roots, TlsError},
};
use rustls::pki_types::ServerName;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsConnector;

/// Messages that wait for the connection, at most; who brings more waits.
const WAITING_MAX: usize = 256;

/// Settings that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// The encryption cannot be set up, mostly because of a file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The host is no name that a certificate can bear.
    #[error("{0:?} is no name that a certificate can bear; write the broker's name as host")]
    ServerName(String),
}

/// How a broker is reached and as whom.
struct Reach {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    version: Version,
    client_id: String,
    logon: Option<(Secret, Option<Secret>)>,
    /// Where the broker says whether we are there.
    presence: Option<String>,
    /// Whether messages are to be acknowledged.
    acknowledged: bool,
    timeout: Duration,
}

/// A message on its way, and who waits for what becomes of it.
struct Order {
    message: Message,
    reply: oneshot::Sender<Reply>,
}

/// What becomes of a message that was handed over.
#[derive(Debug)]
pub struct Pending {
    reply: Option<oneshot::Receiver<Reply>>,
    timeout: Duration,
}

/// A client for one broker.
pub struct Mqtt {
    reach: Arc<Reach>,
    orders: Mutex<Option<mpsc::Sender<Order>>>,
}

impl std::fmt::Debug for Mqtt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Mqtt")
            .field("host", &self.reach.host)
            .field("port", &self.reach.port)
            .field("client_id", &self.reach.client_id)
            .finish_non_exhaustive()
    }
}

impl Mqtt {
    /// A client for these settings. Nothing is said yet, but the files of its encryption are read.
    pub fn new(settings: &Settings, roots: &Roots) -> Result<Self, MqttError> {
        let tls = match &settings.tls {
            None => None,
            Some(tls) => {
                let identity = tls.cert.as_deref().zip(tls.key.as_deref());
                let config = roots.client_as(tls.ca.as_deref(), true, identity)?;
                let bare = bare(&settings.host).to_owned();
                let name = ServerName::try_from(bare)
                    .map_err(|_| MqttError::ServerName(settings.host.clone()))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        let logon = settings
            .user
            .clone()
            .map(|user| (user, settings.password.clone()));
        Ok(Self {
            reach: Arc::new(Reach {
                host: settings.host.clone(),
                port: settings.port(),
                tls,
                version: settings.version,
                client_id: settings.client_id(),
                logon,
                presence: settings.presence_topic(),
                acknowledged: settings.qos > 0,
                timeout: settings.timeout,
            }),
            orders: Mutex::new(None),
        })
    }

    /// Publishes a message and waits until the broker has taken it, or has not in time.
    pub async fn publish(&self, message: Message) -> Reply {
        let published = async { self.begin(message).await.reply().await };
        tokio::time::timeout(self.reach.timeout, published)
            .await
            .unwrap_or_else(|_| Reply::Failed(self.reach.late()))
    }

    /// Hands a message over. Messages are published in the order in which they are handed over.
    pub async fn begin(&self, message: Message) -> Pending {
        let (reply, replied) = oneshot::channel();
        let order = Order { message, reply };
        let timeout = self.reach.timeout;
        let sent = tokio::time::timeout(timeout, self.orders().send(order)).await;
        Pending {
            reply: matches!(sent, Ok(Ok(()))).then_some(replied),
            timeout,
        }
    }

    /// Connects, logs on and goes away again.
    pub async fn check(&self) -> Reply {
        match tokio::time::timeout(self.reach.timeout, talk::open(&self.reach, false)).await {
            Ok(Ok(connection)) => {
                connection.leave(&self.reach, None).await;
                Reply::Acknowledged(format!(
                    "{}:{} answers and lets us in",
                    self.reach.host, self.reach.port
                ))
            }
            Ok(Err(reply)) => reply,
            Err(_) => Reply::Failed(self.reach.late()),
        }
    }

    /// The way to the task that holds the connection; it is begun where there is none.
    fn orders(&self) -> mpsc::Sender<Order> {
        let mut held = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(orders) if !orders.is_closed() => orders.clone(),
            Some(_) | None => {
                let (orders, waiting) = mpsc::channel(WAITING_MAX);
                tokio::spawn(talk::run(Arc::clone(&self.reach), waiting));
                *held = Some(orders.clone());
                orders
            }
        }
    }
}

impl Pending {
    /// What became of the message.
    pub async fn reply(self) -> Reply {
        let Some(reply) = self.reply else {
            return Reply::Failed(
                "too many messages wait for the broker; it is tried again".to_owned(),
            );
        };
        // The connection gives up after `timeout`; once more as long is for what waited before it.
        match tokio::time::timeout(self.timeout.saturating_mul(2), reply).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Reply::Failed("the connection to the broker broke off".to_owned()),
            Err(_) => Reply::Failed(too_late(self.timeout)),
        }
    }
}

impl Reach {
    /// A sentence with the place before it.
    fn at(&self, text: &str) -> String {
        format!("{}:{}: {text}", self.host, self.port)
    }

    fn late(&self) -> String {
        self.at(&too_late(self.timeout))
    }
}

/// An address without the brackets of IPv6.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
