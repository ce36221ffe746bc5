//! Chat, New Relic, templates and links.

use std::sync::Arc;

use svcwatch_core::id::DeliveryKey;

use super::Build;
use super::destinations::{ca, headers, warn_readable};
use super::fields::{Fields, one_or_many};
use crate::config::chat::{
    NewRelicAccount, NewRelicSettings, SlackEnvelope, SlackFormat, SlackSettings, TeamsEnvelope,
    TeamsFormat, TeamsSettings, TemplateSettings, WordingSettings,
};
use crate::config::source::SecretSource;
use crate::config::tables::{ACCOUNT, LINK, NEWRELIC, RESOLVED_CARD, RESOLVED_CHAT, SLACK, TEAMS};
use crate::config::text::Form;
use crate::config::tree::Node;
use crate::dest::Context;
use crate::dest::newrelic::{Attributes, Dynamic};
use crate::secret::Secret;
use crate::template::{self, Link, Origin, Target, Template, Word};

/// Fields of subjects as they were written once, in single braces.
const OLD_FIELDS: [&str; 8] = [
    "severity", "title", "host", "site", "service", "state", "event", "kind",
];

/// What templates of a destination give.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gives {
    /// A whole message in JSON from a file, one line from a text.
    Chat,
    /// Always this.
    Always(Target),
}

impl Gives {
    const fn target(self, origin: &Origin) -> Target {
        match (self, origin) {
            (Self::Always(target), _) => target,
            (Self::Chat, Origin::File(_)) => Target::Json,
            (Self::Chat, Origin::Text(_)) => Target::Line,
        }
    }
}

/// Reads `links`.
pub(super) fn links(root: &Node) -> Arc<[Link]> {
    let items = root.get("links").and_then(Node::items).unwrap_or_default();
    items
        .iter()
        .map(|item| {
            let fields = Fields::new(Some(item), &LINK);
            let text = |key| fields.text(key).unwrap_or_default().to_owned();
            Link {
                id: text("id"),
                text: text("text"),
                comment: text("comment"),
                url: text("url"),
            }
        })
        .collect()
}

/// Reads `template`.
pub(super) fn messages(
    build: &mut Build<'_>,
    node: &Node,
    path: &str,
    gives: Gives,
) -> Vec<TemplateSettings> {
    by_word(
        build,
        node.get("template"),
        &format!("{path}.template"),
        true,
        gives,
    )
}

/// Reads `subject`: a text for all, or a mapping.
pub(super) fn subjects(
    build: &mut Build<'_>,
    node: Option<&Node>,
    path: &str,
) -> Vec<TemplateSettings> {
    let Some(node) = node else { return Vec::new() };
    let line = Gives::Always(Target::Line);
    if node.scalar().is_some() {
        return one(build, node, path, Word::Any, false, line)
            .into_iter()
            .collect();
    }
    by_word(build, Some(node), path, false, line)
}

/// Reads one subject for messages that something is over.
pub(super) fn subject_of_resolved(
    build: &mut Build<'_>,
    node: &Node,
    path: &str,
) -> Option<TemplateSettings> {
    let over = Word::parse("resolved").unwrap_or(Word::Any);
    one(build, node, path, over, false, Gives::Always(Target::Line))
}

fn by_word(
    build: &mut Build<'_>,
    node: Option<&Node>,
    path: &str,
    bare_is_path: bool,
    gives: Gives,
) -> Vec<TemplateSettings> {
    let mut all = Vec::new();
    for entry in node.and_then(Node::entries).unwrap_or_default() {
        let Some(word) = Word::parse(&entry.key) else {
            continue;
        };
        let path = format!("{path}.{}", entry.key);
        all.extend(one(build, &entry.value, &path, word, bare_is_path, gives));
    }
    all
}

fn one(
    build: &mut Build<'_>,
    node: &Node,
    path: &str,
    word: Word,
    bare_is_path: bool,
    gives: Gives,
) -> Option<TemplateSettings> {
    let text = |node: &Node| Some(Origin::Text(node.scalar()?.text.to_string()));
    let origin = match (node.scalar(), node.get("file"), node.get("text")) {
        (Some(_), _, _) if bare_is_path => Origin::File(build.path(node)?),
        (Some(_), _, _) => text(node)?,
        (None, Some(file), None) => Origin::File(build.path(file)?),
        (None, None, Some(value)) => text(value)?,
        (None, _, _) => return None,
    };
    let settings = TemplateSettings {
        target: gives.target(&origin),
        word,
        origin,
    };
    if build.look {
        try_it(build, node, path, &settings);
    }
    Some(settings)
}

/// Fills a template in with a sample; where that fails, the built-in message will be sent, so it is a warning.
fn try_it(build: &mut Build<'_>, node: &Node, path: &str, settings: &TemplateSettings) {
    let template = Template::read(settings.origin.clone(), settings.target);
    let notice = template::sample(settings.word);
    let key = DeliveryKey::new(&"check".into(), "", "check", notice.kind.as_str(), 1);
    let context = Context {
        base_url: Some(Arc::from("http://127.0.0.1:7467")),
        now: notice.at,
    };
    let variables = template::variables(&key, &notice, &context, &build.links);
    if let Err(failure) = template.render(&variables) {
        let what = match &settings.origin {
            Origin::File(file) => format!("the template {} is not used: {failure}", file.display()),
            Origin::Text(_) => format!("the template is not used: {failure}"),
        };
        build.warn(
            node.at,
            path,
            what,
            "the built-in text is sent instead until it is mended",
        );
    } else if let Origin::Text(text) = &settings.origin {
        let old = OLD_FIELDS.iter().find(|field| {
            text.contains(&format!("{{{field}}}")) && !text.contains(&format!("{{{{{field}}}}}"))
        });
        if let Some(field) = old {
            let what = format!("{{{field}}} is sent as it stands, because fields have two braces");
            build.warn(node.at, path, what, format!("write {{{{{field}}}}}"));
        }
    }
}

/// An address that is a secret as a whole: it stands in the file, or elsewhere.
fn address(build: &mut Build<'_>, node: Option<&Node>, path: &str) -> Option<SecretSource> {
    let node = node?;
    let path = format!("{path}.url");
    let source = build.secret(node, &path, false)?;
    if build.look
        && let Ok(url) = source.read()
    {
        match Form::SecretUrl.check(url.reveal()) {
            Err((what, instead)) if !matches!(source, SecretSource::Text(_)) => {
                build.error(node.at, &path, what, instead);
            }
            Ok(()) => warn_readable(build, node, &path, url.reveal()),
            Err(_) => {}
        }
    }
    Some(source)
}

pub(super) fn slack(build: &mut Build<'_>, node: &Node, path: &str) -> Option<SlackSettings> {
    let fields = Fields::new(Some(node), &SLACK);
    let format = |word: Option<&str>| match word {
        Some("text") => SlackFormat::Text,
        _ => SlackFormat::Blocks,
    };
    let usual = SlackEnvelope {
        url: address(build, node.get("url"), path)?,
        channel: fields.text("channel").map(str::to_owned),
        username: fields.text("username").map(str::to_owned),
        icon_emoji: fields.text("icon_emoji").map(str::to_owned),
        format: format(fields.text("format")),
    };
    let resolved = node.get("resolved").map(|over| {
        let fields = Fields::new(Some(over), &RESOLVED_CHAT);
        let own = |key, usual: &Option<String>| {
            fields
                .text(key)
                .map(str::to_owned)
                .or_else(|| usual.clone())
        };
        SlackEnvelope {
            url: address(build, over.get("url"), &format!("{path}.resolved"))
                .unwrap_or_else(|| usual.url.clone()),
            channel: own("channel", &usual.channel),
            username: own("username", &usual.username),
            icon_emoji: own("icon_emoji", &usual.icon_emoji),
            format: fields
                .text("format")
                .map_or(usual.format, |word| format(Some(word))),
        }
    });
    Some(SlackSettings {
        usual,
        resolved,
        wording: WordingSettings {
            message: messages(build, node, path, Gives::Chat),
            subject: Vec::new(),
        },
        ca: ca(build, node, path),
        timeout: fields.duration("timeout"),
    })
}

pub(super) fn teams(build: &mut Build<'_>, node: &Node, path: &str) -> Option<TeamsSettings> {
    let fields = Fields::new(Some(node), &TEAMS);
    let format = |word: Option<&str>| match word {
        Some("text") => TeamsFormat::Text,
        _ => TeamsFormat::Card,
    };
    let usual = TeamsEnvelope {
        url: address(build, node.get("url"), path)?,
        format: format(fields.text("format")),
    };
    let resolved = node.get("resolved").map(|over| {
        let fields = Fields::new(Some(over), &RESOLVED_CARD);
        TeamsEnvelope {
            url: address(build, over.get("url"), &format!("{path}.resolved"))
                .unwrap_or_else(|| usual.url.clone()),
            format: fields
                .text("format")
                .map_or(usual.format, |word| format(Some(word))),
        }
    });
    Some(TeamsSettings {
        usual,
        resolved,
        wording: WordingSettings {
            message: messages(build, node, path, Gives::Chat),
            subject: Vec::new(),
        },
        ca: ca(build, node, path),
        timeout: fields.duration("timeout"),
    })
}

pub(super) fn newrelic(build: &mut Build<'_>, node: &Node, path: &str) -> NewRelicSettings {
    let fields = Fields::new(Some(node), &NEWRELIC);
    for key in ["event_url", "log_url"] {
        if let (Some(value), Some(url)) = (node.get(key), fields.text(key)) {
            warn_readable(build, value, &format!("{path}.{key}"), url);
        }
    }
    let accounts = accounts(build, node, path);
    let (events, logs) = (fields.switch("events"), fields.switch("logs"));
    if !events && !logs {
        build.error(
            node.at,
            path,
            "`events` and `logs` are both off, so nothing is sent",
            "switch one of them on, or remove the destination",
        );
    }
    NewRelicSettings {
        event_url: Secret::new(fields.word("event_url")),
        log_url: Secret::new(fields.word("log_url")),
        accounts,
        events,
        logs,
        headers: headers(build, node, path),
        attributes: attributes(&fields, "attributes"),
        event_attributes: attributes(&fields, "event_attributes"),
        log_attributes: attributes(&fields, "log_attributes"),
        dynamic: fields.get("dynamic").map_or_else(Dynamic::default, dynamic),
        wording: WordingSettings {
            message: messages(build, node, path, Gives::Always(Target::Line)),
            subject: Vec::new(),
        },
        ca: ca(build, node, path),
        timeout: fields.duration("timeout"),
    }
}

fn attributes(fields: &Fields<'_>, key: &str) -> Attributes {
    fields.labels(key)
}

fn dynamic(node: &Node) -> Dynamic {
    let named = |word: &str| one_or_many(node).any(|(_, named)| named == word);
    Dynamic {
        host: named("host"),
        name: named("name"),
        display_name: named("display_name"),
        state: named("state"),
    }
}

fn accounts(build: &mut Build<'_>, node: &Node, path: &str) -> Vec<NewRelicAccount> {
    let items = node
        .get("accounts")
        .and_then(Node::items)
        .unwrap_or_default();
    if let (Some(list), true) = (node.get("accounts"), items.is_empty()) {
        build.error(
            list.at,
            &format!("{path}.accounts"),
            "the list of accounts is empty",
            "write at least one, with name, id and key",
        );
    }
    let mut accounts: Vec<NewRelicAccount> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let path = format!("{path}.accounts[{place}]");
        let fields = Fields::new(Some(item), &ACCOUNT);
        let key = item.get("key");
        let key = key.and_then(|key| build.secret(key, &format!("{path}.key"), true));
        let (Some(name), Some(id), Some(key)) = (fields.text("name"), fields.whole("id"), key)
        else {
            continue;
        };
        if accounts
            .iter()
            .any(|known| known.name.eq_ignore_ascii_case(name))
        {
            build.error(
                item.at,
                &path,
                "this account's name stands twice",
                "give each its own",
            );
        }
        accounts.push(NewRelicAccount {
            name: name.to_owned(),
            id,
            key,
        });
    }
    accounts
}
