//! The destinations of a configuration, ready to send: what the loop asks to render and to send goes through here.

use crate::{
    clock,
    dest::{
        Context, Made, Problem, Settings, email, endpoint,
        judge::{self, HttpReply, Judgement},
        log, mqtt, newrelic,
        payload::{Form, Outgoing},
        redact::Redactor,
        slack, teams, webhook,
    },
    feed::{Fed, Reading},
    transport::{
        file::Lines,
        http::{Http, HttpError},
        influxdb::Influx,
        mqtt::{Message, Mqtt, MqttError},
        smtp::{Smtp, SmtpError},
        tls::Roots,
    },
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};
use svcwatch_core::{
    event::Verdict,
    id::{DeliveryKey, Name},
    notice::Notice,
    time::Wall,
};

/// A destination that cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A key of its settings is wrong.
    #[error("destination {name}: {problem}")]
    Settings {
        /// Which destination.
        name: Name,
        /// What is wrong.
        problem: Problem,
    },
    /// Its HTTP client cannot be made.
    #[error("destination {name}: {error}")]
    Http {
        /// Which destination.
        name: Name,
        /// Why.
        error: HttpError,
    },
    /// Its mail client cannot be made.
    #[error("destination {name}: {error}")]
    Smtp {
        /// Which destination.
        name: Name,
        /// Why.
        error: SmtpError,
    },
    /// Its MQTT client cannot be made.
    #[error("destination {name}: {error}")]
    Mqtt {
        /// Which destination.
        name: Name,
        /// Why.
        error: MqttError,
    },
    /// Two destinations bear one name.
    #[error("destination {name}: stands there twice")]
    Twice {
        /// Which destination.
        name: Name,
    },
}

/// What carries the messages of one destination.
#[derive(Debug)]
enum Carrier {
    File(Lines),
    Http(Http),
    Smtp(Smtp),
    Mqtt(Mqtt),
    Influxdb(Box<Influx>),
}

/// One destination, ready to send.
#[derive(Debug)]
pub struct Destination {
    name: Name,
    settings: Settings,
    redactor: Redactor,
    carrier: Carrier,
}

impl Destination {
    /// Makes a destination ready. Nothing is sent, but its `ca` file is read.
    pub fn new(name: Name, settings: Settings, roots: &Roots) -> Result<Self, BuildError> {
        if let Some(problem) = settings.check().into_iter().next() {
            return Err(BuildError::Settings { name, problem });
        }
        let (carrier, redactor) = match &settings {
            Settings::Log(settings) => (
                Carrier::File(Lines::new(settings.path.clone())),
                Redactor::default(),
            ),
            Settings::Email(settings) => match Smtp::new(settings, roots) {
                Ok(smtp) => (Carrier::Smtp(smtp), settings.redactor()),
                Err(error) => return Err(BuildError::Smtp { name, error }),
            },
            Settings::Webhook(_)
            | Settings::Slack(_)
            | Settings::Teams(_)
            | Settings::NewRelic(_) => {
                let endpoints = settings.endpoints();
                match Http::new(&endpoints, settings.ca(), settings.timeout(), roots) {
                    Ok(http) => (Carrier::Http(http), endpoint::redactor(&endpoints)),
                    Err(error) => return Err(BuildError::Http { name, error }),
                }
            }
            Settings::Mqtt(settings) => match Mqtt::new(settings, roots) {
                Ok(mqtt) => (Carrier::Mqtt(mqtt), settings.redactor()),
                Err(error) => return Err(BuildError::Mqtt { name, error }),
            },
            Settings::Influxdb(settings) => match Influx::new(settings, roots) {
                Ok(influx) => (Carrier::Influxdb(Box::new(influx)), settings.redactor()),
                Err(error) => return Err(BuildError::Http { name, error }),
            },
        };
        Ok(Self {
            name,
            settings,
            redactor,
            carrier,
        })
    }

    /// Its name.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Its settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a rendered message, within the destination's deadline, and judges the reply.
    async fn send(&self, key: &DeliveryKey, payload: &[u8], now: Wall) -> Judgement {
        let outgoing = match Outgoing::from_bytes(payload) {
            Ok(outgoing) => outgoing,
            Err(error) => return Judgement::rejected(error),
        };
        match (&self.carrier, outgoing.form) {
            (Carrier::File(lines), Form::Line | Form::HttpBody) => {
                let reply = lines.write(outgoing.bytes, self.settings.timeout()).await;
                log::Settings::judge(&reply, &self.redactor)
            }
            (Carrier::Http(http), Form::Line | Form::HttpBody | Form::HttpQuery) => {
                match http.send(&outgoing, key, now).await {
                    Some(reply) => self.judge(&reply, now),
                    None => Judgement::rejected(
                        "the message was made for an address or account that is not in the configuration any more",
                    ),
                }
            }
            (Carrier::Smtp(smtp), Form::Mail) => {
                let reply = smtp.send(&outgoing).await;
                email::Settings::judge(&reply, &self.redactor)
            }
            (Carrier::Mqtt(mqtt), Form::Publish) => self.publish(mqtt, outgoing).await,
            (Carrier::File(_) | Carrier::Http(_), Form::Mail | Form::Publish)
            | (Carrier::File(_), Form::HttpQuery)
            | (Carrier::Smtp(_), Form::Line | Form::HttpBody | Form::HttpQuery | Form::Publish)
            | (Carrier::Mqtt(_), Form::Line | Form::HttpBody | Form::HttpQuery | Form::Mail)
            | (Carrier::Influxdb(_), _) => Judgement::rejected(format!(
                "the message was made before the type of the destination was changed to {}",
                self.settings.kind()
            )),
        }
    }

    /// What a reply means here.
    fn judge(&self, reply: &HttpReply, now: Wall) -> Judgement {
        match &self.settings {
            Settings::Slack(_) => slack::Settings::judge(reply, now, &self.redactor),
            Settings::Teams(_) => teams::Settings::judge(reply, now, &self.redactor),
            Settings::NewRelic(_) => newrelic::Settings::judge(reply, now, &self.redactor),
            Settings::Log(_)
            | Settings::Webhook(_)
            | Settings::Email(_)
            | Settings::Mqtt(_)
            | Settings::Influxdb(_) => webhook::Settings::judge(reply, now, &self.redactor),
        }
    }

    /// Tells of templates that were not used, each once until its text changes.
    fn tell_fallbacks(&self, made: &Made) {
        for fallback in made.fallbacks.iter().filter(|fallback| fallback.news) {
            tracing::warn!(
                destination = %self.name,
                template = %fallback.template,
                error = %fallback.failure,
                "a template was not used, and the built-in message is sent instead"
            );
        }
    }

    async fn publish(&self, mqtt: &Mqtt, outgoing: Outgoing) -> Judgement {
        let topic = outgoing.topic.unwrap_or_default();
        if topic.is_empty() {
            return Judgement {
                verdict: Verdict::Delivered,
                answer: "no topic is configured for this, so nobody is told".to_owned(),
            };
        }
        let message = Message {
            topic,
            payload: outgoing.bytes,
            retain: outgoing.retain,
            properties: outgoing.properties,
        };
        mqtt::judge(&mqtt.publish(message).await, &self.redactor)
    }

    /// Whether it takes notices.
    pub const fn takes_notices(&self) -> bool {
        !matches!(self.settings, Settings::Influxdb(_))
    }

    /// Whether it takes every reading.
    pub const fn is_feed(&self) -> bool {
        self.settings.is_feed()
    }

    /// Sends readings: all of them, or as many as it takes before something goes wrong.
    pub async fn feed(&self, readings: &[&Reading], now: Wall) -> Fed {
        match (&self.carrier, &self.settings) {
            (Carrier::Influxdb(influx), Settings::Influxdb(settings)) => {
                settings.feed(influx, &self.redactor, readings, now).await
            }
            (Carrier::Mqtt(mqtt), Settings::Mqtt(settings)) => {
                settings.feed(mqtt, &self.redactor, readings).await
            }
            _ => Fed::all(readings.len()),
        }
    }

    /// Tries a feed that takes no notices with a point of its own; nothing where a test notice tries it.
    pub async fn try_feed(&self, now: Wall) -> Option<Judgement> {
        let (Carrier::Influxdb(influx), Settings::Influxdb(settings)) =
            (&self.carrier, &self.settings)
        else {
            return None;
        };
        // Where the database lacks it is made, as the feed itself does it.
        if let Err(reason) = influx.prepare(now, &self.redactor).await {
            return Some(Judgement::retry(reason));
        }
        let reply = influx.write(settings.test_line(now)).await;
        Some(judge::http(&reply, now, &self.redactor))
    }

    /// Tries whether the destination can be reached, and whether it takes our logon, without sending a message.
    /// What it said, or what is wrong, without secrets.
    pub async fn check(&self) -> Result<String, String> {
        match &self.carrier {
            Carrier::File(lines) => lines.check(self.settings.timeout()).await,
            Carrier::Http(http) => http
                .check()
                .await
                .map_err(|error| self.redactor.answer(&error)),
            Carrier::Influxdb(influx) => influx.check(clock::wall(), &self.redactor).await,
            Carrier::Mqtt(mqtt) => {
                let judgement = mqtt::judge(&mqtt.check().await, &self.redactor);
                match judgement.verdict {
                    Verdict::Delivered => Ok(judgement.answer),
                    Verdict::Retry { .. } | Verdict::Rejected { .. } => Err(judgement.answer),
                }
            }
            Carrier::Smtp(smtp) => {
                let judgement = email::Settings::judge(&smtp.check().await, &self.redactor);
                match judgement.verdict {
                    Verdict::Delivered => Ok(judgement.answer),
                    Verdict::Retry { .. } | Verdict::Rejected { .. } => Err(judgement.answer),
                }
            }
        }
    }
}

/// The destinations of one configuration.
#[derive(Debug, Default)]
pub struct Destinations {
    list: BTreeMap<Name, Arc<Destination>>,
    base_url: Option<Arc<str>>,
}

impl Destinations {
    /// Makes all of them ready, or says everything that is wrong. Reads files, so it is not for the loop's thread.
    pub fn new(
        settings: impl IntoIterator<Item = (Name, Settings)>,
        base_url: Option<&str>,
    ) -> Result<Self, Vec<BuildError>> {
        let roots = Roots::load();
        let mut list = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, settings) in settings {
            match Destination::new(name.clone(), settings, &roots) {
                Ok(destination) => {
                    if list.insert(name.clone(), Arc::new(destination)).is_some() {
                        errors.push(BuildError::Twice { name });
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self {
                list,
                base_url: base_url.map(Arc::from),
            })
        } else {
            Err(errors)
        }
    }

    /// One of them.
    pub fn get(&self, name: &Name) -> Option<&Arc<Destination>> {
        self.list.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.list.values()
    }
}

/// The destinations that hold now. Cheap to clone; a reload replaces them as one, and what is under way goes on with
/// those that it began with.
#[derive(Debug, Clone, Default)]
pub struct Senders {
    current: Arc<RwLock<Arc<Destinations>>>,
    fallbacks: Fallbacks,
}

/// How often a template was not used, by destination.
#[derive(Debug, Clone, Default)]
pub struct Fallbacks(Family<OfDestination, Counter>);

/// The label of a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfDestination {
    destination: String,
}

impl Fallbacks {
    /// Counts.
    pub fn count(&self, destination: &Name, by: usize) {
        let of = OfDestination {
            destination: destination.as_str().to_owned(),
        };
        let by = u64::try_from(by).unwrap_or(u64::MAX);
        self.0.get_or_create(&of).inc_by(by);
    }

    /// The counts, for a registry of metrics.
    pub fn family(&self) -> Family<OfDestination, Counter> {
        self.0.clone()
    }
}

impl Senders {
    /// Begins with these.
    pub fn new(destinations: Destinations) -> Self {
        Self {
            current: Arc::new(RwLock::new(Arc::new(destinations))),
            fallbacks: Fallbacks::default(),
        }
    }

    /// From now on counts the templates that were not used there.
    pub fn count_in(&mut self, fallbacks: Fallbacks) {
        self.fallbacks = fallbacks;
    }

    /// Replaces them all.
    pub fn replace(&self, destinations: Destinations) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(destinations);
    }

    /// Those that hold now.
    pub fn current(&self) -> Arc<Destinations> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the message of a delivery, away from the loop's thread. A notice that breaks the making of its message
    /// is an error of this delivery and of nothing else.
    pub async fn render(
        &self,
        key: DeliveryKey,
        destination: Name,
        recipient: Arc<str>,
        notice: Arc<Notice>,
        now: Wall,
    ) -> Result<Arc<[u8]>, String> {
        let destinations = self.current();
        let fallbacks = self.fallbacks.clone();
        let rendered = tokio::task::spawn_blocking(move || {
            let target = destinations.get(&destination).ok_or_else(gone)?;
            let context = Context {
                base_url: destinations.base_url.clone(),
                now,
            };
            let made = target
                .settings
                .make(&destination, &key, &recipient, &notice, &context)?;
            if !made.fallbacks.is_empty() {
                fallbacks.count(&destination, made.fallbacks.len());
                target.tell_fallbacks(&made);
            }
            Ok(made.bytes)
        });
        match rendered.await {
            Ok(message) => message.map(Arc::from),
            Err(_) => {
                Err("making the message broke off, which is a fault of svcwatch itself".to_owned())
            }
        }
    }

    /// Sends the message of a delivery. It always ends, within the destination's `timeout`: what it gives is the
    /// verdict and the answer, shortened and without secrets.
    pub async fn send(
        &self,
        key: DeliveryKey,
        destination: Name,
        payload: Arc<[u8]>,
        now: Wall,
    ) -> (Verdict, String) {
        let Some(target) = self.current().get(&destination).map(Arc::clone) else {
            let judgement = Judgement::retry(gone());
            return (judgement.verdict, judgement.answer);
        };
        // In a task of its own, so that a fault of ours ends this delivery and nothing else.
        let sent = tokio::spawn(async move { target.send(&key, &payload, now).await });
        let judgement = sent.await.unwrap_or_else(|_| {
            Judgement::retry("sending broke off, which is a fault of svcwatch itself")
        });
        (judgement.verdict, judgement.answer)
    }
}

fn gone() -> String {
    "the destination is not in the configuration any more".to_owned()
}
