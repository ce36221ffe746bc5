//! A list that lost many of its hosts at once is mostly a mistake: an export that broke off, a file that was saved
//! empty. It is not taken until somebody says that it is right.

use std::collections::BTreeSet;

use super::{Found, HostList, ListOptions};
use crate::config::problem::{Problems, quoted};
use crate::config::tree::Node;

/// More than one in so many hosts gone is too many …
const ONE_IN: usize = 5;
/// … unless it is one alone.
const ALONE: usize = 1;
/// Hosts that a message names.
const NAMED: usize = 3;

/// Holds what was read of the lists against what they said before. Hosts that the config or another list names are not
/// gone.
pub(super) fn hold(
    found: &mut [Found],
    root: &Node,
    options: &ListOptions,
    problems: &mut Problems,
) {
    let mut named: BTreeSet<String> = configured(root);
    for one in found.iter() {
        let list = one.new.as_ref().or(one.known.as_deref());
        named.extend(list.into_iter().flat_map(names));
    }
    for one in found.iter_mut() {
        let Some(new) = &one.new else { continue };
        let shown = one.source.shown();
        let before = one.known.as_deref().filter(|list| !list.hosts.is_empty());
        let Some(before) = before else {
            if new.hosts.is_empty() {
                let what = format!("the list {} names no host", quoted(&shown));
                problems.warn(one.at, "hosts_from", what, "write hosts into it");
            }
            continue;
        };
        let Some((what, instead)) = judge(&shown, before, new, &named) else {
            continue;
        };
        if options.accept.covers(&one.source.key()) {
            continue;
        }
        if options.strict {
            problems.warn(one.at, "hosts_from", what, instead);
        } else {
            one.refused = vec![format!("{what}; {instead}")];
            one.new = None;
        }
    }
}

/// What is wrong with a list that was another before.
fn judge(
    shown: &str,
    before: &HostList,
    new: &HostList,
    named: &BTreeSet<String>,
) -> Option<(String, String)> {
    let gone: Vec<&str> = before
        .hosts
        .iter()
        .filter(|host| !named.contains(&host.name.to_lowercase()))
        .map(|host| host.name.as_str())
        .collect();
    let (had, shown) = (before.hosts.len(), quoted(shown));
    if new.hosts.is_empty() && !gone.is_empty() {
        return Some((
            format!("the list {shown} names no host any more, and named {had}"),
            format!(
                "the hosts of before stay watched; bring the list back, or, if it is right, {ACCEPT}"
            ),
        ));
    }
    if gone.len() <= ALONE || gone.len().saturating_mul(ONE_IN) <= had {
        return None;
    }
    let some: Vec<String> = gone.iter().take(NAMED).map(|name| quoted(name)).collect();
    let more = if gone.len() > some.len() { " …" } else { "" };
    Some((
        format!(
            "the list {shown} lacks {} of the {had} hosts that it named ({}{more}), which is more than one in {ONE_IN}",
            gone.len(),
            some.join(", "),
        ),
        format!(
            "the hosts of before stay watched; bring back all but {} of them, or, if it is right, {ACCEPT}",
            had / ONE_IN
        ),
    ))
}

const ACCEPT: &str = "stop svcwatch and start it with `svcwatch run --accept`";

fn names(list: &HostList) -> impl Iterator<Item = String> {
    list.hosts.iter().map(|host| host.name.to_lowercase())
}

/// The hosts that the config names itself, in lower case.
fn configured(root: &Node) -> BTreeSet<String> {
    let items = root.get("hosts").and_then(Node::items).unwrap_or_default();
    let names = items
        .iter()
        .filter_map(|host| Some(host.get("name")?.scalar()?.text.to_lowercase()));
    names.collect()
}
