//! `incidentTool.newRelic` and the accounts under `thirdPartyToolsCredentials`.

use std::collections::BTreeSet;

use super::destinations::{Destinations, Kinds, limit};
use super::differences as differ;
use super::feeds::pairs;
use super::made::{self, Hint, Made};
use super::monitor::Gates;
use super::reader::{Reader, Section};
use crate::config::problem::quoted;
use crate::config::text::Form;

/// The attributes that are found out at each message: Butler's name and ours.
const DYNAMIC: [(&str, &str); 4] = [
    ("serviceHost", "host"),
    ("serviceName", "name"),
    ("serviceDisplayName", "display_name"),
    ("serviceState", "state"),
];

/// An account by its name.
type Account = (String, Made);

/// What is the same for events and logs.
struct Shared {
    limit: Option<Made>,
    headers: Vec<(String, Made)>,
    attributes: Vec<(String, Made)>,
    kinds: Option<Kinds>,
}

/// The section.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    gates: Gates,
    all: &mut Destinations,
) {
    let accounts = accounts(reader, root);
    let Some(tool) = reader.section(root, "incidentTool") else {
        return;
    };
    let section = reader.section(&tool, "newRelic");
    reader.finish(&tool);
    let Some(section) = section else { return };
    let on = gates.newrelic;
    switched(reader, &section, "enable", on);
    let url = reader.section(&section, "url");
    let addresses = url.map(|url| {
        let mut one = |key| {
            let text = reader.needed(&url, key, on)?;
            Some(made::text(url.at(key), text))
        };
        let both = (one("event"), one("log"));
        reader.finish(&url);
        both
    });
    if let Some(monitor) = reader.section(&section, "serviceMonitor") {
        let shared = shared(reader, &monitor);
        if let Some(destination) = reader.section(&monitor, "destination") {
            let (event, log) = addresses.unwrap_or_default();
            for (key, name, address) in [
                ("event", "newrelic_events", event),
                ("log", "newrelic_logs", log),
            ] {
                let Some(part) = reader.section(&destination, key) else {
                    continue;
                };
                switched(reader, &part, "enable", on);
                let made = one(reader, &part, &accounts, on);
                reader.finish(&part);
                if let (true, Some(made), Some(kinds)) = (on, made, shared.kinds) {
                    all.add_for(name, finish(made, &shared, key, address), kinds);
                }
            }
            reader.finish(&destination);
        }
        reader.finish(&monitor);
        if on {
            for difference in [&differ::NEWRELIC_ACCOUNTS, &differ::NEWRELIC_BEFORE] {
                reader.everywhere(&section, "serviceMonitor", difference);
            }
        }
    }
    reader.finish(&section);
}

/// A switch whose value Butler ignores.
fn switched(reader: &mut Reader<'_>, section: &Section<'_>, key: &'static str, on: bool) {
    if reader.switch(section, key) == Some(false) && on {
        let (at, path) = (section.at(key), section.path_of(key));
        reader.differs(at, &path, &differ::NEWRELIC_SWITCHES);
    }
}

fn accounts(reader: &mut Reader<'_>, root: &Section<'_>) -> Vec<Account> {
    let Some(section) = reader.section(root, "thirdPartyToolsCredentials") else {
        return Vec::new();
    };
    let mut accounts = Vec::new();
    for one in reader.sections(&section, "newRelic") {
        let name = reader.needed(&one, "accountName", true);
        let key = reader.needed(&one, "insertApiKey", true);
        let id = reader.whole(&one, "accountId");
        reader.finish(&one);
        let (Some(name), Some(key), Some(id)) = (name, key, id) else {
            continue;
        };
        let hint = format!("newrelic.{}.key", one_word(name));
        let key = made::text(one.at("insertApiKey"), key).hidden(Hint::File(hint));
        let made = made::map(
            one.node.at,
            [
                ("name", made::text(one.at("accountName"), name)),
                ("id", made::whole(one.at("accountId"), id)),
                ("key", key),
            ],
        );
        accounts.push((name.to_owned(), made));
    }
    reader.finish(&section);
    accounts
}

/// A name as part of the name of a file.
fn one_word(name: &str) -> String {
    let clean = |character: char| {
        if character.is_alphanumeric() {
            character
        } else {
            '_'
        }
    };
    name.chars().map(clean).take(40).collect()
}

fn shared(reader: &mut Reader<'_>, monitor: &Section<'_>) -> Shared {
    let mut gate = |key: &'static str| {
        let state = reader.section(monitor, "monitorServiceState")?;
        let one = reader.section(&state, key)?;
        Some(reader.is_on(&one, "enable"))
    };
    let kinds = match (
        gate("stopped").unwrap_or(false),
        gate("running").unwrap_or(false),
    ) {
        (true, true) => Some(Kinds::All),
        (true, false) => Some(Kinds::NotEnds),
        (false, true) => Some(Kinds::Ends),
        (false, false) => None,
    };
    let mut shared = Shared {
        limit: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        kinds,
    };
    let Some(settings) = reader.section(monitor, "sharedSettings") else {
        return shared;
    };
    shared.limit = limit(reader, &settings, None);
    for (name, value) in pairs(reader, &settings, "header") {
        if let Err((what, instead)) = Form::Header.check(&name) {
            let path = settings.path_of("header");
            reader.problems.warn(value.at, &path, what, instead);
            continue;
        }
        let hint = Hint::File(format!("newrelic.{}", one_word(&name)));
        shared.headers.push((name, value.hidden(hint)));
    }
    if let Some(attribute) = reader.section(&settings, "attribute") {
        shared.attributes = pairs(reader, &attribute, "static");
        reader.finish(&attribute);
    }
    reader.finish(&settings);
    shared
}

/// Accounts and attributes of one of the two kinds.
struct Part {
    made: Made,
    attributes: Vec<(String, Made)>,
}

fn one(
    reader: &mut Reader<'_>,
    part: &Section<'_>,
    accounts: &[Account],
    on: bool,
) -> Option<Part> {
    let mut taken = BTreeSet::new();
    let mut to = Vec::new();
    for (node, name, path) in reader.texts(part, "sendToAccount") {
        if !taken.insert(name) {
            continue;
        }
        match accounts.iter().find(|(known, _)| known == name) {
            Some((_, made)) => to.push(made.clone()),
            None if on => reader.problems.warn(
                node.at,
                &path,
                format!(
                    "there are no credentials for the account {}, so it is left out",
                    quoted(name)
                ),
                "write them under Butler.thirdPartyToolsCredentials.newRelic",
            ),
            None => {}
        }
    }
    let mut attributes = Vec::new();
    let mut dynamic = Vec::new();
    if let Some(attribute) = reader.section(part, "attribute") {
        attributes = pairs(reader, &attribute, "static");
        if let Some(flags) = reader.section(&attribute, "dynamic") {
            for (key, ours) in DYNAMIC {
                if reader.is_on(&flags, key) {
                    dynamic.push(made::text(flags.at(key), ours));
                }
            }
            reader.finish(&flags);
        }
        reader.finish(&attribute);
    }
    if to.is_empty() {
        return None;
    }
    let at = part.node.at;
    let mut made = made::map(at, [("type", made::text(at, "newrelic"))]);
    made.put("accounts", made::list(part.at("sendToAccount"), to));
    if dynamic.len() < DYNAMIC.len() {
        made.put("dynamic", made::list(at, dynamic));
    }
    Some(Part { made, attributes })
}

fn finish(part: Part, shared: &Shared, kind: &str, address: Option<Made>) -> Made {
    let mut made = part.made;
    let (used, unused) = if kind == "event" {
        ("event_url", "logs")
    } else {
        ("log_url", "events")
    };
    made.put_some(used, address);
    made.put(unused, made::switch(made.at, false));
    let mut headers = made::map(made.at, []);
    for (name, value) in &shared.headers {
        headers.put(name, value.clone());
    }
    made.put_some("headers", Some(headers).filter(|made| !made.is_empty()));
    // What the kind says stands over what both say, in the place that it had first.
    let mut attributes: Vec<(String, Made)> = shared.attributes.clone();
    for (name, value) in part.attributes {
        match attributes.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => attributes.push((name, value)),
        }
    }
    let mut all = made::map(made.at, []);
    for (name, value) in attributes {
        all.put(&name, value);
    }
    made.put_some("attributes", Some(all).filter(|made| !made.is_empty()));
    made.put_some("limit", shared.limit.clone());
    made
}
