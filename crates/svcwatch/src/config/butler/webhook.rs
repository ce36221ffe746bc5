//! `webhookNotification`.

use super::destinations::{Destinations, limit};
use super::differences as differ;
use super::made::{self, Hint, Made};
use super::monitor::Gates;
use super::reader::{Reader, Section};

/// The section.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    gates: Gates,
    all: &mut Destinations,
) {
    let Some(section) = reader.section(root, "webhookNotification") else {
        return;
    };
    let on = gates.webhook;
    if reader.switch(&section, "enable") == Some(false) && on {
        let (at, path) = (section.at("enable"), section.path_of("enable"));
        reader.differs(at, &path, &differ::WEBHOOK_SWITCH);
    }
    if let Some(monitor) = reader.section(&section, "serviceMonitor") {
        let limit = limit(reader, &monitor, None);
        for hook in reader.sections(&monitor, "webhooks") {
            let name = name_of(reader, &hook);
            if let Some(made) = one(reader, &hook, limit.clone(), on)
                && on
            {
                all.add(&name, made);
            }
        }
        reader.finish(&monitor);
        if on {
            for difference in [
                &differ::WEBHOOK_ALONE,
                &differ::WEBHOOK_LIMIT,
                &differ::WEBHOOK_HEADERS,
            ] {
                reader.everywhere(root, "webhookNotification", difference);
            }
        }
    }
    reader.finish(&section);
}

/// A name that stays the same while the description does.
fn name_of(reader: &mut Reader<'_>, hook: &Section<'_>) -> String {
    let text = reader.text(hook, "description").unwrap_or_default();
    let mut name = String::from("webhook");
    let words = text.split(|character: char| !character.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()).take(6) {
        name.push('_');
        name.extend(word.to_lowercase().chars().take(24));
    }
    name
}

fn one(reader: &mut Reader<'_>, hook: &Section<'_>, limit: Option<Made>, on: bool) -> Option<Made> {
    let url = reader.needed(hook, "webhookURL", on);
    let method = method(reader, hook);
    let cert = reader.section(hook, "cert");
    let mut made = made::map(
        hook.node.at,
        [("type", made::text(hook.node.at, "webhook"))],
    );
    if let Some(url) = url {
        let at = hook.at("webhookURL");
        let hint = format!("the webhookURL of line {} of the Butler file", at.line);
        made.put("url", made::text(at, url).hidden(Hint::Placeholder(hint)));
    }
    if let Some(method) = method {
        if method == "GET" && on {
            let (at, path) = (hook.at("httpMethod"), hook.path_of("httpMethod"));
            reader.differs(at, &path, &differ::WEBHOOK_QUERY);
        }
        made.put("method", made::text(hook.at("httpMethod"), method));
    }
    made.put("body", made::text(hook.node.at, "butler"));
    made.put_some("limit", limit);
    if let Some(cert) = cert {
        let own = reader.is_on(&cert, "enable");
        let checked = reader.switch(&cert, "rejectUnauthorized");
        let file = reader.needed(&cert, "certCA", own && on);
        if own {
            let file = file.map(|file| made::text(cert.at("certCA"), reader.file(file)));
            made.put_some("ca", file);
            if checked == Some(false) {
                let at = cert.at("rejectUnauthorized");
                made.put("verify", made::switch(at, false));
            }
        }
        reader.finish(&cert);
    }
    reader.finish(hook);
    url.map(|_| made)
}

fn method(reader: &mut Reader<'_>, hook: &Section<'_>) -> Option<String> {
    let text = reader.text(hook, "httpMethod")?;
    let plain = text.trim().to_uppercase();
    let (at, path) = (hook.at("httpMethod"), hook.path_of("httpMethod"));
    if !matches!(plain.as_str(), "GET" | "POST" | "PUT") {
        reader
            .problems
            .error(at, &path, "this is no method", "write GET, POST or PUT");
        return None;
    }
    if plain != text {
        reader.differs(at, &path, &differ::SPELLING);
    }
    Some(plain)
}
