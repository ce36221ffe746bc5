//! Hosts of lists become hosts of the config's tree: new ones, or what the config does not say of those it names.

use std::collections::HashMap;

use super::{ListState, ListedHost};
use crate::config::problem::{Position, Problems, quoted};
use crate::config::scalar::Plain;
use crate::config::tables::HOSTS;
use crate::config::tree::{Entry, Node, Scalar, Value};

/// Hosts that stand in two places, told as one.
#[derive(Default)]
struct Twice {
    count: usize,
    first: Option<(Position, String, Position)>,
}

impl Twice {
    fn note(&mut self, wins: Position, name: &str, other: Position) {
        self.count = self.count.saturating_add(1);
        self.first
            .get_or_insert_with(|| (wins, name.to_owned(), other));
    }

    fn tell(self, wins: &str, problems: &mut Problems) {
        let Some((at, name, other)) = self.first else {
            return;
        };
        let who = match self.count {
            1 => format!("the host {} stands", quoted(&name)),
            count => format!(
                "{count} hosts, of which {} is the first, stand",
                quoted(&name)
            ),
        };
        let what = format!("{who} at {} too", problems.place(other));
        problems.warn(at, "", what, wins);
    }
}

/// Adds the hosts of all lists.
pub(super) fn join(root: &mut Node, states: &mut [ListState], problems: &mut Problems) {
    let at = root.get("hosts_from").map_or(root.at, |node| node.at);
    let Some(hosts) = hosts_of(root, at) else {
        return;
    };
    // By the name in lower case: the place among the hosts, and whether a list put it there.
    let mut places: HashMap<String, (usize, bool)> = HashMap::with_capacity(hosts.len());
    for (place, host) in hosts.iter().enumerate() {
        if let Some(name) = host.get("name").and_then(Node::scalar) {
            places.insert(name.text.to_lowercase(), (place, false));
        }
    }
    let (mut in_config, mut in_lists) = (Twice::default(), Twice::default());
    for state in states.iter_mut() {
        let Some(list) = &state.list else { continue };
        let files: Vec<u16> = list
            .files
            .iter()
            .map(|file| problems.add_list(file))
            .collect();
        for listed in &list.hosts {
            let at = Position {
                file: files.get(listed.file).copied().unwrap_or(u16::MAX),
                line: listed.line,
                column: u32::from(listed.line > 0),
            };
            let key = listed.name.to_lowercase();
            let Some((place, by_list)) = places.get(&key).copied() else {
                places.insert(key, (hosts.len(), true));
                hosts.push(node_of(listed, at));
                continue;
            };
            let Some(known) = hosts.get_mut(place) else {
                continue;
            };
            if by_list {
                in_lists.note(known.at, &listed.name, at);
            } else {
                state.in_config = state.in_config.saturating_add(1);
                in_config.note(known.at, &listed.name, at);
                fill(known, node_of(listed, at));
            }
        }
    }
    let count = hosts.len();
    in_config.tell(
        "what is written here wins, and the list says the rest",
        problems,
    );
    in_lists.tell("what the first list says wins", problems);
    if count > HOSTS {
        let what = format!("with those of the lists {count} hosts are named, and {HOSTS} may be");
        problems.error(
            at,
            "hosts_from",
            what,
            "watch fewer hosts with one svcwatch",
        );
    }
}

/// The list of hosts in the tree, which is made where there is none.
fn hosts_of(root: &mut Node, at: Position) -> Option<&mut Vec<Node>> {
    let Value::Map(entries) = &mut root.value else {
        return None;
    };
    let known = entries.iter().position(|entry| &*entry.key == "hosts");
    let place = known.unwrap_or_else(|| {
        entries.push(Entry {
            key: "hosts".into(),
            key_at: at,
            value: Node {
                at,
                value: Value::List(Vec::new()),
            },
        });
        entries.len() - 1
    });
    match &mut entries.get_mut(place)?.value.value {
        Value::List(hosts) => Some(hosts),
        Value::Map(_) | Value::Scalar(_) => None,
    }
}

fn entry(key: &str, at: Position, value: Value) -> Entry {
    Entry {
        key: key.into(),
        key_at: at,
        value: Node { at, value },
    }
}

fn text(text: &str) -> Value {
    Value::Scalar(Scalar {
        text: text.into(),
        plain: Plain::Text,
    })
}

fn node_of(host: &ListedHost, at: Position) -> Node {
    let mut entries = vec![entry("name", at, text(&host.name))];
    for (key, value) in [
        ("address", &host.address),
        ("site", &host.site),
        ("credentials", &host.credentials),
    ] {
        entries.extend(value.as_ref().map(|value| entry(key, at, text(value))));
    }
    if let Some(port) = host.port {
        let value = Value::Scalar(Scalar {
            text: port.to_string().into(),
            plain: Plain::Whole(i64::from(port)),
        });
        entries.push(entry("port", at, value));
    }
    if !host.labels.is_empty() {
        let labels = host.labels.iter();
        let labels = labels.map(|(name, value)| entry(name, at, text(value)));
        entries.push(entry("labels", at, Value::Map(labels.collect())));
    }
    Node {
        at,
        value: Value::Map(entries),
    }
}

/// Adds what a host of the config does not say itself; of labels each by its name.
fn fill(host: &mut Node, listed: Node) {
    let (Value::Map(entries), Value::Map(more)) = (&mut host.value, listed.value) else {
        return;
    };
    for entry in more {
        match entries.iter_mut().find(|known| known.key == entry.key) {
            None => entries.push(entry),
            Some(known) if &*known.key == "labels" => fill(&mut known.value, entry.value),
            Some(_) => {}
        }
    }
}
