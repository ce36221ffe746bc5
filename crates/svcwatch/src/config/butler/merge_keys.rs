//! Merge keys (`<<`), which Butler's reader of YAML knows: a mapping takes over the keys of another one.

use std::collections::BTreeSet;

use crate::config::problem::{Position, Problems};
use crate::config::tree::{Entry, Node, Value};

/// Resolves the merge keys that stand at these places.
pub(in crate::config) fn resolve(
    node: &mut Node,
    places: &BTreeSet<Position>,
    problems: &mut Problems,
) {
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            for item in items {
                resolve(item, places, problems);
            }
        }
        Value::Map(entries) => {
            let mut own = Vec::with_capacity(entries.len());
            let mut taken = Vec::new();
            for mut entry in std::mem::take(entries) {
                resolve(&mut entry.value, places, problems);
                if &*entry.key == "<<" && places.contains(&entry.key_at) {
                    taken.extend(sources(entry, problems));
                } else {
                    own.push(entry);
                }
            }
            let mut known: BTreeSet<Box<str>> = own.iter().map(|entry| entry.key.clone()).collect();
            for entry in taken {
                if known.insert(entry.key.clone()) {
                    own.push(entry);
                }
            }
            *entries = own;
        }
    }
}

/// Takes out the merge keys that stand at these places, which were told already.
pub(in crate::config) fn leave_out(node: &mut Node, places: &BTreeSet<Position>) {
    if places.is_empty() {
        return;
    }
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| leave_out(item, places)),
        Value::Map(entries) => {
            entries.retain(|entry| !places.contains(&entry.key_at));
            for entry in entries {
                leave_out(&mut entry.value, places);
            }
        }
    }
}

/// The entries that a merge key brings: of one mapping, or of several, of which earlier ones count more.
fn sources(entry: Entry, problems: &mut Problems) -> Vec<Entry> {
    let at = entry.value.at;
    let nodes = match entry.value.value {
        Value::List(items) => items,
        value @ (Value::Map(_) | Value::Scalar(_)) => vec![Node { at, value }],
    };
    let mut all = Vec::new();
    for node in nodes {
        match node.value {
            Value::Map(entries) => all.extend(entries),
            Value::Scalar(_) | Value::List(_) => problems.error(
                node.at,
                "",
                "a merge key (`<<`) takes a mapping, or a list of mappings",
                "write the alias of a mapping, as `<<: *name`",
            ),
        }
    }
    all
}
