//! Destinations and their settings.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::plan::{DestinationPlan, Limit, LimitPer};

use super::Build;
use super::chat::{self, Gives};
use super::feeds;
use super::fields::{Fields, one_or_many};
use crate::config::chat::{NewRelicSettings, WordingSettings};
use crate::config::settings::{
    Body, DestinationSettings, EmailSettings, LogSettings, Method, Priority, ResolvedMail,
    SmtpSettings, SmtpTls, WebhookSettings,
};
use crate::config::source::SecretSource;
use crate::config::tables::{EMAIL, LIMIT, LOG, RESOLVED_MAIL, SMTP, WEBHOOK};
use crate::config::tree::{Entry, Node};
use crate::dest::is_loopback;
use crate::secret::Secret;
use crate::template::Target;

/// The largest file of certificates that is read, in bytes.
const CA_BYTES: u64 = 1024 * 1024;

/// Reads `destinations`; where there are none, one that prints on stdout.
pub(super) fn read(
    build: &mut Build<'_>,
) -> (Vec<DestinationPlan>, BTreeMap<Name, DestinationSettings>) {
    let entries = build
        .root
        .get("destinations")
        .and_then(Node::entries)
        .unwrap_or_default();
    let mut plans = Vec::with_capacity(entries.len());
    let mut all = BTreeMap::new();
    for entry in entries {
        let Some((settings, recipients)) = settings(build, entry) else {
            continue;
        };
        let name = Name::new(&entry.key);
        // A feed that takes no notices is none of the plan's business.
        if settings.takes_notices() {
            plans.push(DestinationPlan {
                name: name.clone(),
                recipients,
                limit: limit(entry.value.get("limit")),
            });
        }
        all.insert(name, settings);
    }
    let only_feeds = feeds::only_feeds(&all).len() == entries.len();
    if only_feeds
        && build
            .root
            .get("destinations")
            .is_none_or(|node| node.entries().is_some())
    {
        build.warn(
            build.root.at,
            "destinations",
            if entries.is_empty() {
                "no destination is configured, so notices are only printed on stdout"
            } else {
                "all destinations are feeds, which take no notices, so notices are only printed on stdout"
            },
            "write one under `destinations`, for example { type: webhook, url: … }",
        );
        let name = Name::new(if all.contains_key(&Name::new("log")) {
            "stdout"
        } else {
            "log"
        });
        plans.push(DestinationPlan {
            name: name.clone(),
            recipients: itself(),
            limit: None,
        });
        all.insert(
            name,
            DestinationSettings::Log(LogSettings {
                path: None,
                wording: WordingSettings::default(),
                timeout: Fields::new(None, &LOG).duration("timeout"),
            }),
        );
    }
    (plans, all)
}

/// The recipient of a destination that is its own recipient.
fn itself() -> Vec<Arc<str>> {
    vec![Arc::from("")]
}

fn settings(build: &mut Build<'_>, entry: &Entry) -> Option<(DestinationSettings, Vec<Arc<str>>)> {
    let path = format!("destinations.{}", entry.key);
    let node = &entry.value;
    let settings = match &*node.get("type")?.scalar()?.text {
        "log" => DestinationSettings::Log(log(build, node, &path)),
        "webhook" => DestinationSettings::Webhook(webhook(build, node, &path)),
        "mqtt" => DestinationSettings::Mqtt(Box::new(feeds::mqtt(build, node, &path))),
        "influxdb" => {
            let settings = feeds::influxdb(build, node, &path);
            return Some((
                DestinationSettings::Influxdb(Box::new(settings)),
                Vec::new(),
            ));
        }
        "email" => {
            let settings = email(build, node, &path);
            let recipients = settings
                .to
                .iter()
                .map(|address| Arc::from(address.as_str()))
                .collect();
            return Some((DestinationSettings::Email(settings), recipients));
        }
        "slack" => DestinationSettings::Slack(chat::slack(build, node, &path)?),
        "teams" => DestinationSettings::Teams(chat::teams(build, node, &path)?),
        "newrelic" => {
            let settings = chat::newrelic(build, node, &path);
            let recipients = accounts(&settings);
            return Some((DestinationSettings::NewRelic(settings), recipients));
        }
        _ => return None,
    };
    Some((settings, itself()))
}

/// The recipients of New Relic: an event and a log entry for each account.
fn accounts(settings: &NewRelicSettings) -> Vec<Arc<str>> {
    [("event", settings.events), ("log", settings.logs)]
        .into_iter()
        .filter(|(_, on)| *on)
        .flat_map(|(gets, _)| {
            let accounts = settings.accounts.iter();
            accounts.map(move |account| Arc::from(format!("{gets}:{}", account.name)))
        })
        .collect()
}

fn limit(node: Option<&Node>) -> Option<Limit> {
    let fields = Fields::new(Some(node?), &LIMIT);
    Some(Limit {
        per: LimitPer::parse(fields.word("per")).unwrap_or(LimitPer::Service),
        every: fields.duration("every"),
    })
}

fn log(build: &mut Build<'_>, node: &Node, path: &str) -> LogSettings {
    let file = node.get("path").and_then(|value| build.path(value));
    if build.look
        && let (Some(file), Some(value)) = (&file, node.get("path"))
    {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            let what = format!("the folder of {} does not exist", file.display());
            build.error(
                value.at,
                &format!("{path}.path"),
                what,
                "make it, or write another path",
            );
        } else if file.is_dir() {
            let what = format!("{} is a folder", file.display());
            build.error(
                value.at,
                &format!("{path}.path"),
                what,
                "write the path of a file in it",
            );
        }
    }
    LogSettings {
        path: file,
        wording: WordingSettings {
            message: chat::messages(build, node, path, Gives::Always(Target::Line)),
            subject: Vec::new(),
        },
        timeout: Fields::new(Some(node), &LOG).duration("timeout"),
    }
}

fn webhook(build: &mut Build<'_>, node: &Node, path: &str) -> WebhookSettings {
    let fields = Fields::new(Some(node), &WEBHOOK);
    if let (Some(node), Some(url)) = (node.get("url"), fields.text("url")) {
        warn_readable(build, node, &format!("{path}.url"), url);
    }
    let method = match fields.word("method") {
        "PUT" => Method::Put,
        "GET" => Method::Get,
        _ => Method::Post,
    };
    if let (Method::Get, Some(template)) = (method, node.get("template")) {
        build.error(
            template.at,
            &format!("{path}.template"),
            "a request by GET has no body that a template could fill",
            "write `method: POST`, or remove the template",
        );
    }
    if !fields.switch("verify") {
        build.warn(
            node.get("verify").map_or(node.at, |verify| verify.at),
            &format!("{path}.verify"),
            "the receiver's certificate is not checked",
            "remove `verify: false` and name its authority's file as `ca`",
        );
    }
    WebhookSettings {
        url: Secret::new(fields.text("url").unwrap_or_default()),
        method,
        body: match fields.word("body") {
            "butler" => Body::Butler,
            _ => Body::Svcwatch,
        },
        headers: headers(build, node, path),
        secret: node
            .get("secret")
            .and_then(|value| build.secret(value, &format!("{path}.secret"), true)),
        wording: WordingSettings {
            message: chat::messages(build, node, path, Gives::Always(Target::Json)),
            subject: Vec::new(),
        },
        ca: ca(build, node, path),
        verify: fields.switch("verify"),
        timeout: fields.duration("timeout"),
    }
}

/// Warns of an address whose messages others on the way can read.
pub(super) fn warn_readable(build: &mut Build<'_>, node: &Node, path: &str, url: &str) {
    let readable = reqwest::Url::parse(url).is_ok_and(|address| {
        address.scheme() == "http" && !address.host_str().is_some_and(is_loopback)
    });
    if readable {
        build.warn(
            node.at,
            path,
            "messages and headers travel readable, because the address begins with http:",
            "write https: where the receiver speaks it",
        );
    }
}

/// Reads `headers`.
pub(super) fn headers(
    build: &mut Build<'_>,
    node: &Node,
    path: &str,
) -> Vec<(String, SecretSource)> {
    let entries = node.get("headers").and_then(Node::entries);
    let mut headers = Vec::new();
    for entry in entries.unwrap_or_default() {
        let path = format!("{path}.headers.{}", entry.key);
        let Some(source) = build.secret(&entry.value, &path, is_secret_header(&entry.key)) else {
            continue;
        };
        if build.look
            && source
                .read()
                .is_ok_and(|secret| secret.reveal().chars().any(char::is_control))
        {
            build.error(
                entry.value.at,
                &path,
                "the header's value has several lines or control characters",
                "a header is one line of text",
            );
        }
        headers.push((entry.key.to_string(), source));
    }
    headers
}

/// Headers whose value gives away an account.
fn is_secret_header(name: &str) -> bool {
    let name = name.to_lowercase();
    [
        "authorization",
        "key",
        "token",
        "secret",
        "password",
        "cookie",
    ]
    .iter()
    .any(|part| name.contains(part))
}

fn email(build: &mut Build<'_>, node: &Node, path: &str) -> EmailSettings {
    let fields = Fields::new(Some(node), &EMAIL);
    let mut to: Vec<String> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for (item, address) in fields.get("to").into_iter().flat_map(one_or_many) {
        if !seen.insert(address.to_lowercase()) {
            build.error(
                item.at,
                &format!("{path}.to"),
                "this recipient stands twice",
                "keep one of them",
            );
        }
        to.push(address.to_owned());
    }
    if fields
        .get("to")
        .and_then(Node::items)
        .is_some_and(<[Node]>::is_empty)
    {
        build.error(
            fields.get("to").map_or(node.at, |to| to.at),
            &format!("{path}.to"),
            "the list of recipients is empty",
            "write at least one mail address",
        );
    }
    let mut subject = chat::subjects(build, node.get("subject"), &format!("{path}.subject"));
    let over = Fields::new(node.get("resolved"), &RESOLVED_MAIL);
    if let Some(own) = over.get("subject") {
        let own = chat::subject_of_resolved(build, own, &format!("{path}.resolved.subject"));
        // The first of two for the same notices holds.
        subject.splice(0..0, own);
    }
    EmailSettings {
        smtp: smtp(build, node.get("smtp"), &format!("{path}.smtp")),
        from: fields.text("from").unwrap_or_default().to_owned(),
        to,
        priority: priority(&fields),
        resolved: ResolvedMail {
            from: over.text("from").map(str::to_owned),
            priority: priority(&over),
        },
        wording: WordingSettings {
            message: chat::messages(build, node, path, Gives::Always(Target::Html)),
            subject,
        },
        ca: ca(build, node, path),
        timeout: fields.duration("timeout"),
    }
}

fn priority(fields: &Fields<'_>) -> Option<Priority> {
    match fields.text("priority") {
        Some("low") => Some(Priority::Low),
        Some("normal") => Some(Priority::Normal),
        Some("high") => Some(Priority::High),
        Some(_) | None => None,
    }
}

fn smtp(build: &mut Build<'_>, node: Option<&Node>, path: &str) -> SmtpSettings {
    let fields = Fields::new(node, &SMTP);
    let (tls, port) = match fields.word("tls") {
        "off" => (SmtpTls::Off, 25),
        "preferred" => (SmtpTls::Preferred, 587),
        "implicit" => (SmtpTls::Implicit, 465),
        _ => (SmtpTls::StartTls, 587),
    };
    let user = fields.text("user");
    let password = fields
        .get("password")
        .and_then(|value| build.secret(value, &format!("{path}.password"), true));
    if let Some(node) = node {
        let written = |key: &str| node.get(key).is_some();
        if written("user") != written("password") {
            let (there, missing) = if written("user") {
                ("user", "password")
            } else {
                ("password", "user")
            };
            build.error(
                node.at,
                path,
                format!("`{there}` is written without `{missing}`"),
                "write both, or neither where the server wants no logon",
            );
        }
        if tls == SmtpTls::Off
            && written("password")
            && !fields.text("host").is_some_and(is_loopback)
        {
            let what = "the password travels readable, because `tls` is off";
            build.warn(
                node.at,
                path,
                what,
                "write `tls: starttls` or `tls: implicit`",
            );
        }
        if !fields.switch("verify") && tls != SmtpTls::Off {
            let what = "the server's certificate is not checked";
            build.warn(
                node.at,
                path,
                what,
                "remove `verify: false` and name its authority's file as `ca`",
            );
        }
    }
    SmtpSettings {
        host: fields.text("host").unwrap_or_default().to_owned(),
        port: fields.whole("port").unwrap_or(port),
        tls,
        login: user.map(str::to_owned).zip(password),
        server_name: fields.text("server_name").map(str::to_owned),
        verify: fields.switch("verify"),
    }
}

pub(super) fn ca(build: &mut Build<'_>, node: &Node, path: &str) -> Option<PathBuf> {
    let value = node.get("ca")?;
    let file = build.path(value)?;
    if build.look {
        let path = format!("{path}.ca");
        let shown = file.display();
        let pem = match fs::metadata(&file) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= CA_BYTES => fs::read(&file),
            Ok(_) => {
                let what = format!("{shown} is no file of at most {CA_BYTES} bytes");
                build.error(value.at, &path, what, "name a file of certificates in PEM");
                return Some(file);
            }
            Err(error) => Err(error),
        };
        match pem {
            Ok(bytes)
                if String::from_utf8_lossy(&bytes).contains("-----BEGIN CERTIFICATE-----") => {}
            Ok(_) => {
                let what = format!("{shown} holds no certificate in PEM");
                build.error(
                    value.at,
                    &path,
                    what,
                    "convert it, for example with `openssl x509 -inform der`",
                );
            }
            Err(error) => {
                build.error(
                    value.at,
                    &path,
                    format!("{shown} cannot be read: {error}"),
                    "look at its path and permissions",
                );
            }
        }
    }
    Some(file)
}
