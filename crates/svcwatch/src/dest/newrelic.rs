//! `type: newrelic`: an event and a log entry for each account of New Relic, under the names that Butler gave them.
//!
//! Limits are those of the Event API: names of 255 characters, values of 4,096, and 254 attributes an event.

use crate::{
    dest::{
        Context, Problem, TIMEOUT, butler, clean,
        endpoint::{self, Endpoint},
        judge::{self, HttpReply, Judgement},
        payload::{Form, Outgoing},
        redact::Redactor,
        text,
        wording::{Drawn, Wording},
    },
    secret::Secret,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};
use svcwatch_core::{
    event::Verdict,
    id::{Name, Subject},
    notice::Notice,
    time::Wall,
};

/// The media type of the body, as Butler writes it.
const CONTENT_TYPE: &str = "application/json; charset=utf-8";
/// The type of the event.
const EVENT_TYPE: &str = "qs_serviceStateEvent";
/// The type of the log entry.
const LOG_TYPE: &str = "qs_serviceStateLog";
/// Characters of an attribute's value.
const VALUE_CHARACTERS: usize = 4_000;
/// Characters of an attribute's name.
const NAME_CHARACTERS: usize = 255;
/// Static attributes of one kind; with those that are ours fewer than 254.
const ATTRIBUTES_MAX: usize = 200;
/// Accounts of one destination, at most.
pub const ACCOUNTS_MAX: usize = 50;

/// What the recipient of a delivery gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gets {
    Event,
    Log,
}

impl Gets {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Log => "log",
        }
    }
}

/// An account of New Relic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What it is called here.
    pub name: String,
    /// Its number there.
    pub id: u64,
    /// Its key for inserting.
    pub key: Secret,
}

/// Which values of the notice are sent as attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dynamic {
    /// `butler_serviceHost`.
    pub host: bool,
    /// `butler_serviceName`.
    pub name: bool,
    /// `butler_serviceDisplayName`.
    pub display_name: bool,
    /// `butler_serviceStatus` and `butler_servicePrevStatus`.
    pub state: bool,
}

impl Default for Dynamic {
    fn default() -> Self {
        Self {
            host: true,
            name: true,
            display_name: true,
            state: true,
        }
    }
}

/// Static attributes, each a name and a value.
pub type Attributes = Vec<(String, String)>;

/// The settings of a `newrelic` destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The base of the Event API.
    pub event_url: Secret,
    /// The Log API.
    pub log_url: Secret,
    /// Who gets it.
    pub accounts: Vec<Account>,
    /// Whether events are sent.
    pub events: bool,
    /// Whether log entries are sent.
    pub logs: bool,
    /// Headers besides our own, each a name and a value.
    pub headers: Vec<(String, Secret)>,
    /// Attributes of events and log entries.
    pub attributes: Attributes,
    /// Attributes of events, over those of both.
    pub event_attributes: Attributes,
    /// Attributes of log entries, over those of both.
    pub log_attributes: Attributes,
    /// Which values are sent.
    pub dynamic: Dynamic,
    /// Templates and links.
    pub wording: Wording,
    /// A file of certificates (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// How long all of it may take.
    pub timeout: Duration,
}

impl Settings {
    /// Events and log entries for these accounts, in New Relic's house in the United States.
    pub fn new(accounts: Vec<Account>) -> Self {
        Self {
            event_url: Secret::from("https://insights-collector.newrelic.com"),
            log_url: Secret::from("https://log-api.newrelic.com/log/v1"),
            accounts,
            events: true,
            logs: true,
            headers: Vec::new(),
            attributes: Vec::new(),
            event_attributes: Vec::new(),
            log_attributes: Vec::new(),
            dynamic: Dynamic::default(),
            wording: Wording::default(),
            ca: None,
            timeout: TIMEOUT,
        }
    }

    /// What is wrong with them.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            [("event_url", &self.event_url), ("log_url", &self.log_url)]
                .into_iter()
                .filter_map(|(key, url)| endpoint::check_url(key, url))
                .collect();
        problems.extend(endpoint::check_headers(&self.headers));
        let names: BTreeSet<&str> = self.accounts.iter().map(|one| one.name.as_str()).collect();
        if self.accounts.is_empty() {
            problems.push(Problem::new(
                "accounts",
                "is empty; name at least one account",
            ));
        } else if names.len() < self.accounts.len() {
            problems.push(Problem::new(
                "accounts",
                "has one name twice; give each its own",
            ));
        } else if self.accounts.len() > ACCOUNTS_MAX {
            let text = format!("has {}; {ACCOUNTS_MAX} are allowed", self.accounts.len());
            problems.push(Problem::new("accounts", text));
        }
        if self
            .accounts
            .iter()
            .any(|one| one.key.is_empty() || one.key.reveal().chars().any(char::is_control))
        {
            problems.push(Problem::new(
                "accounts",
                "has a key that is empty or holds control characters",
            ));
        }
        if !self.events && !self.logs {
            problems.push(Problem::new(
                "events",
                "and `logs` are both off, so nothing is sent",
            ));
        }
        for (key, attributes) in [
            ("attributes", &self.attributes),
            ("event_attributes", &self.event_attributes),
            ("log_attributes", &self.log_attributes),
        ] {
            let long = |(name, value): &(String, String)| {
                name.chars().count() > NAME_CHARACTERS || value.chars().count() > VALUE_CHARACTERS
            };
            if attributes.len() > ATTRIBUTES_MAX / 2 || attributes.iter().any(long) {
                let text = format!(
                    "may have {} names of {NAME_CHARACTERS} characters with values of {VALUE_CHARACTERS}",
                    ATTRIBUTES_MAX / 2
                );
                problems.push(Problem::new(key, text));
            }
        }
        problems
    }

    /// What is allowed but worth a warning.
    pub fn warnings(&self) -> Vec<Problem> {
        let urls = [("event_url", &self.event_url), ("log_url", &self.log_url)];
        urls.into_iter()
            .filter_map(|(key, url)| endpoint::warn_url(key, url))
            .collect()
    }

    /// Who gets deliveries of their own: `event:NAME` and `log:NAME`.
    pub fn recipients(&self) -> Vec<Arc<str>> {
        self.gets()
            .flat_map(|gets| {
                self.accounts
                    .iter()
                    .map(move |account| Arc::from(format!("{}:{}", gets.as_str(), account.name)))
            })
            .collect()
    }

    fn gets(&self) -> impl Iterator<Item = Gets> {
        [(Gets::Event, self.events), (Gets::Log, self.logs)]
            .into_iter()
            .filter(|(_, on)| *on)
            .map(|(gets, _)| gets)
    }

    /// Where requests go: for each recipient an address with its key.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let of = |gets: Gets, account: &Account| {
            let url = match gets {
                Gets::Event => format!(
                    "{}/v1/accounts/{}/events",
                    self.event_url.reveal().trim_end_matches('/'),
                    account.id
                ),
                Gets::Log => self.log_url.reveal().to_owned(),
            };
            let name = format!("{}:{}", gets.as_str(), account.name);
            let mut endpoint = Endpoint::new(name, Secret::new(url));
            let own = self
                .headers
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("api-key"));
            endpoint.headers = own.cloned().collect();
            endpoint
                .headers
                .push(("Api-Key".to_owned(), account.key.clone()));
            endpoint
        };
        self.gets()
            .flat_map(|gets| self.accounts.iter().map(move |account| (gets, account)))
            .map(|(gets, account)| of(gets, account))
            .collect()
    }

    /// The message of a notice to one recipient.
    pub fn render(
        &self,
        recipient: &str,
        notice: &Notice,
        context: &Context,
        drawn: &Drawn,
    ) -> Result<Outgoing, String> {
        let gets = match recipient.split_once(':') {
            Some(("event", _)) => Gets::Event,
            Some(("log", _)) => Gets::Log,
            _ => return Err(format!("{recipient:?} is neither event:NAME nor log:NAME")),
        };
        let body = match gets {
            Gets::Event => {
                let own = [("eventType", json!(EVENT_TYPE))];
                format!(
                    "[{}]",
                    self.attributes_of(&self.event_attributes, notice, own)
                )
            }
            Gets::Log => {
                let own = [("logtype", json!(LOG_TYPE))];
                let attributes = self.attributes_of(&self.log_attributes, notice, own);
                let said = drawn.message.as_ref().map(|filled| filled.text.clone());
                let message = json!(said.unwrap_or_else(|| sentence(notice, context)));
                format!(
                    "[{{\"common\":{{\"attributes\":{attributes}}},\"logs\":[{{\"message\":{message}}}]}}]"
                )
            }
        };
        let mut outgoing = Outgoing::new(Form::HttpBody, body.into_bytes());
        outgoing.content_type = Some(CONTENT_TYPE.to_owned());
        outgoing.endpoint = Some(recipient.to_owned());
        Ok(outgoing)
    }

    /// Static attributes, then those of the notice, then the type: a JSON object in Butler's order.
    fn attributes_of(
        &self,
        special: &[(String, String)],
        notice: &Notice,
        own: [(&str, Value); 1],
    ) -> String {
        let shown = |text: &str| json!(clean::line(text, VALUE_CHARACTERS));
        let display_name = butler::display_name(notice);
        let service = notice.subject.service().map(Name::as_str);
        let dynamic = [
            (
                "butler_serviceHost",
                self.dynamic.host,
                (notice.subject.host().or(notice.subject.group())).map(|host| shown(host.as_str())),
            ),
            ("butler_serviceName", self.dynamic.name, service.map(shown)),
            (
                "butler_serviceDisplayName",
                self.dynamic.display_name,
                service.map(|_| shown(display_name)),
            ),
            (
                "butler_serviceStatus",
                self.dynamic.state,
                Some(json!(butler::status(notice))),
            ),
            (
                "butler_servicePrevStatus",
                self.dynamic.state,
                service.map(|_| json!(butler::previous_status(notice))),
            ),
        ];
        let dynamic = dynamic
            .into_iter()
            .filter(|(_, on, _)| *on)
            .filter_map(|(name, _, value)| Some((name, value?)));
        let mut all: Vec<(&str, Value)> = Vec::new();
        let fixed = self.attributes.iter().chain(special);
        let fixed = fixed.map(|(name, value)| (name.as_str(), shown(value)));
        for (name, value) in fixed.chain(dynamic).chain(own) {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        butler::ordered(all.into_iter())
    }

    /// What a reply means.
    pub fn judge(reply: &HttpReply, now: Wall, redactor: &Redactor) -> Judgement {
        let judgement = judge::http(reply, now, redactor);
        let HttpReply::Answer { status, .. } = reply else {
            return judgement;
        };
        let advice = match status {
            403 => {
                "; New Relic does not take the key: look at `accounts`, and at whether the addresses are those of its house in Europe"
            }
            404 => "; look at `event_url` and `log_url`",
            413 => "; New Relic finds the message too large: send fewer attributes",
            _ => return judgement,
        };
        match judgement.verdict {
            Verdict::Rejected { reason } => Judgement {
                verdict: Verdict::Rejected {
                    reason: format!("{reason}{advice}"),
                },
                answer: judgement.answer,
            },
            verdict @ (Verdict::Delivered | Verdict::Retry { .. }) => Judgement {
                verdict,
                answer: judgement.answer,
            },
        }
    }
}

/// What the log entry says: of a service and of a host what Butler says, else our own sentences.
fn sentence(notice: &Notice, context: &Context) -> String {
    match notice.subject {
        Subject::Service { .. } | Subject::Host(_) => butler::sentence(notice),
        Subject::Visibility(_)
        | Subject::Account(_)
        | Subject::Destination(_)
        | Subject::Fleet
        | Subject::Group { .. } => {
            let incident = notice.incident.as_ref();
            let link = incident.and_then(|incident| context.incident_url(&incident.id));
            text::sentences(notice, link.as_deref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_new_relic_answers_is_understood() {
        let cases = [
            (
                200,
                "{\"success\":true,\"uuid\":\"x\"}",
                "delivered",
                "success",
            ),
            (202, "{\"requestId\":\"x\"}", "delivered", "requestId"),
            (400, "{\"error\":\"bad\"}", "rejected", "400"),
            (
                403,
                "{\"error\":\"forbidden\"}",
                "rejected",
                "does not take the key",
            ),
            (408, "", "retry", "408"),
            (413, "", "rejected", "too large"),
            (429, "{}", "retry", "429"),
            (503, "", "retry", "503"),
        ];
        for (status, body, word, says) in cases {
            let reply = HttpReply::Answer {
                status,
                retry_after: (status == 429).then(|| "60".to_owned()),
                location: None,
                body: body.as_bytes().to_vec(),
            };
            let judgement = Settings::judge(&reply, Wall(0), &Redactor::default());
            assert_eq!(judgement.verdict.as_str(), word, "{status}");
            assert!(
                format!("{judgement:?}").contains(says),
                "{status}: {judgement:?}"
            );
        }
    }

    #[test]
    fn each_wrong_key_is_named() {
        let mut settings = Settings::new(Vec::new());
        settings.event_url = Secret::from("canary");
        settings.events = false;
        settings.logs = false;
        settings.attributes = vec![("n".repeat(256), "v".to_owned())];
        let problems = settings.check();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["event_url", "accounts", "events", "attributes"]);
        assert!(!format!("{problems:?}{settings:?}").contains("canary"));
    }
}
