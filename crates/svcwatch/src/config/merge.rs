//! Several files as one: mapping by mapping, hosts and their services by name; lists and scalars are replaced.

use std::collections::HashMap;
use std::mem;

use super::problem::{Position, Problems, quoted};
use super::scalar::Plain;
use super::shape::{Step, path_text};
use super::tree::{Entry, Node, Scalar, Value};

/// Tells the hosts, groups, services, accounts and destinations that one file names twice.
pub(crate) fn tell_duplicates(root: &Node, problems: &mut Problems) {
    for (section, what) in [("hosts", "host"), ("groups", "group")] {
        let items = root.get(section).and_then(Node::items).unwrap_or_default();
        unique(items, &[Step::Key(section)], what, host_key, problems);
        for (index, item) in items.iter().enumerate() {
            let path = [Step::Key(section), Step::Item(index), Step::Key("services")];
            let services = item
                .get("services")
                .and_then(Node::items)
                .unwrap_or_default();
            unique(services, &path, "service", service_key, problems);
        }
    }
    for (section, what) in [("credentials", "account"), ("destinations", "destination")] {
        let entries = root
            .get(section)
            .and_then(Node::entries)
            .unwrap_or_default();
        unique_names(entries, section, what, problems);
    }
}

/// Lays a later file over what the earlier ones gave.
pub(crate) fn lay_over(base: &mut Node, over: Node) {
    merge(base, over, Place::Root);
}

/// Which part of the config a merged value is, as far as that matters here.
#[derive(Clone, Copy)]
enum Place {
    Root,
    Names,
    Hosts,
    Host,
    Services,
    Other,
}

impl Place {
    fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Root, "hosts") => Self::Hosts,
            (Self::Root, "credentials" | "destinations") => Self::Names,
            (Self::Host, "services") => Self::Services,
            _ => Self::Other,
        }
    }
}

fn merge(base: &mut Node, over: Node, place: Place) {
    let over_at = over.at;
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(more)) => merge_entries(entries, more, place),
        (Value::List(items), Value::List(more)) if matches!(place, Place::Hosts) => {
            merge_named(items, more, Place::Host, host_key);
        }
        (Value::List(items), Value::List(more)) if matches!(place, Place::Services) => {
            merge_named(items, more, Place::Other, service_key);
        }
        (_, value) => *base = Node { at: over_at, value },
    }
}

fn merge_entries(entries: &mut Vec<Entry>, more: Vec<Entry>, place: Place) {
    for entry in more {
        let same = |known: &&mut Entry| match place {
            Place::Names => known.key.to_lowercase() == entry.key.to_lowercase(),
            _ => known.key == entry.key,
        };
        match entries.iter_mut().find(same) {
            // A destination of another type is another destination: nothing of the earlier one fits it.
            Some(known)
                if matches!(place, Place::Names) && types_differ(&known.value, &entry.value) =>
            {
                *known = entry;
            }
            Some(known) => merge(&mut known.value, entry.value, place.under(&entry.key)),
            None => entries.push(entry),
        }
    }
}

fn types_differ(base: &Node, over: &Node) -> bool {
    let of = |node: &Node| {
        node.get("type")
            .and_then(Node::scalar)
            .map(|scalar| scalar.text.clone())
    };
    match (of(base), of(over)) {
        (Some(base), Some(over)) => base != over,
        _ => false,
    }
}

fn merge_named(
    items: &mut Vec<Node>,
    more: Vec<Node>,
    place: Place,
    key_of: fn(&Node) -> Option<String>,
) {
    let mut known: HashMap<String, usize> = HashMap::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if let Some(key) = key_of(item) {
            known.entry(key).or_insert(index);
        }
    }
    for node in more {
        let index = key_of(&node).and_then(|key| known.get(&key).copied());
        match index.and_then(|index| items.get_mut(index)) {
            Some(item) => {
                as_mapping(item);
                let mut node = node;
                as_mapping(&mut node);
                merge(item, node, place);
            }
            None => items.push(node),
        }
    }
}

/// A bare word among services is short for a mapping with a name.
fn as_mapping(node: &mut Node) {
    if let Value::Scalar(_) = node.value {
        let value = mem::replace(&mut node.value, Value::List(Vec::new()));
        let entry = Entry {
            key: "name".into(),
            key_at: node.at,
            value: Node { at: node.at, value },
        };
        node.value = Value::Map(vec![entry]);
    }
}

fn text_of(node: &Node) -> Option<&str> {
    node.scalar()
        .filter(|scalar: &&Scalar| scalar.plain != Plain::Null)
        .map(|scalar| &*scalar.text)
}

fn host_key(node: &Node) -> Option<String> {
    Some(text_of(node.get("name")?)?.to_lowercase())
}

/// What makes two entries of `services` the same: the selector.
fn service_key(node: &Node) -> Option<String> {
    if let Some(text) = text_of(node) {
        return Some(format!("name {}", text.to_lowercase()));
    }
    ["name", "display_name", "start"]
        .iter()
        .find_map(|key| Some(format!("{key} {}", text_of(node.get(key)?)?.to_lowercase())))
}

fn unique(
    items: &[Node],
    path: &[Step<'_>],
    what: &str,
    key_of: fn(&Node) -> Option<String>,
    problems: &mut Problems,
) {
    let mut seen: HashMap<String, Position> = HashMap::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(key) = key_of(item) else { continue };
        match seen.get(&key) {
            Some(first) => {
                let mut path = path.to_vec();
                path.push(Step::Item(index));
                twice(
                    item.at,
                    &path_text(&path),
                    what,
                    shown(item),
                    *first,
                    problems,
                );
            }
            None => {
                seen.insert(key, item.at);
            }
        }
    }
}

fn unique_names(entries: &[Entry], section: &str, what: &str, problems: &mut Problems) {
    let mut seen: HashMap<String, Position> = HashMap::with_capacity(entries.len());
    for entry in entries {
        match seen.get(&entry.key.to_lowercase()) {
            Some(first) => {
                let path = path_text(&[Step::Key(section), Step::Key(&entry.key)]);
                twice(entry.key_at, &path, what, &entry.key, *first, problems);
            }
            None => {
                seen.insert(entry.key.to_lowercase(), entry.key_at);
            }
        }
    }
}

fn shown(node: &Node) -> &str {
    let named = || {
        ["name", "display_name", "start"]
            .iter()
            .find_map(|key| text_of(node.get(key)?))
    };
    text_of(node).or_else(named).unwrap_or_default()
}

fn twice(
    at: Position,
    path: &str,
    what: &str,
    name: &str,
    first: Position,
    problems: &mut Problems,
) {
    let what = format!(
        "the {what} {} stands twice, first at {}",
        quoted(name),
        problems.place(first)
    );
    problems.error(
        at,
        path,
        what,
        "keep one of them; names compare without case",
    );
}
