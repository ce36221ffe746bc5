//! Routes: which notices go to which destinations.

use std::collections::{BTreeMap, HashSet};

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::notice::{Kind, Severity, ToldEvent};
use svcwatch_core::plan::{DestinationPlan, Matcher, RoutePlan};

use super::Build;
use super::fields::{Fields, one_or_many, patterns};
use crate::config::problem::quoted;
use crate::config::tables::{MATCH, ROUTE};
use crate::config::tree::Node;

/// Reads `routes`; their destinations must exist, and take notices.
pub(super) fn read(
    build: &mut Build<'_>,
    destinations: &[DestinationPlan],
    only_feeds: &[&Name],
) -> Vec<RoutePlan> {
    let known: Vec<&str> = destinations
        .iter()
        .map(|destination| destination.name.as_str())
        .collect();
    let by_key: BTreeMap<&str, &Name> = destinations
        .iter()
        .map(|destination| (destination.name.key(), &destination.name))
        .collect();
    let nodes = build
        .root
        .get("routes")
        .and_then(Node::items)
        .unwrap_or_default();
    let mut routes = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let fields = Fields::new(Some(node), &ROUTE);
        let mut to: Vec<Name> = Vec::new();
        for (item, name) in fields.get("to").into_iter().flat_map(one_or_many) {
            match by_key.get(&*name.to_lowercase()) {
                Some(name) if to.contains(name) => {}
                Some(name) => to.push((*name).clone()),
                None if only_feeds.contains(&&Name::new(name)) => build.error(
                    item.at,
                    &format!("routes[{index}].to"),
                    format!(
                        "{} is a feed: it takes every reading, and no notices",
                        quoted(name)
                    ),
                    "remove it here; nothing has to lead to a feed",
                ),
                None => build.unknown(
                    item.at,
                    &format!("routes[{index}].to"),
                    "destination",
                    name,
                    &known,
                ),
            }
        }
        routes.push(RoutePlan {
            matcher: matcher(fields.get("match")),
            to,
            go_on: fields.switch("continue"),
            reminder: fields
                .get("reminder")
                .map(|_| fields.duration_or_off("reminder")),
        });
    }
    tell_unreached(build, nodes, &routes, destinations);
    routes
}

fn matcher(node: Option<&Node>) -> Matcher {
    let fields = Fields::new(node, &MATCH);
    let labels = fields
        .get("labels")
        .and_then(Node::entries)
        .unwrap_or_default();
    Matcher {
        host: fields.patterns("host"),
        site: fields.patterns("site"),
        service: fields.patterns("service"),
        severity: words(
            &fields.patterns("severity"),
            Severity::ALL,
            Severity::as_str,
        ),
        kind: words(&fields.patterns("kind"), Kind::ALL, Kind::as_str),
        event: words(&fields.patterns("event"), ToldEvent::ALL, ToldEvent::as_str),
        labels: labels
            .iter()
            .map(|entry| (entry.key.to_string(), patterns(&entry.value)))
            .collect(),
    }
}

/// The words that one of the patterns matches.
fn words<W: Copy>(globs: &[Glob], all: &[W], text: fn(W) -> &'static str) -> Vec<W> {
    all.iter()
        .copied()
        .filter(|word| globs.iter().any(|glob| glob.matches(text(*word))))
        .collect()
}

/// Warns of routes that nothing reaches, and of destinations that no route names.
fn tell_unreached(
    build: &mut Build<'_>,
    nodes: &[Node],
    routes: &[RoutePlan],
    destinations: &[DestinationPlan],
) {
    if routes.is_empty() {
        return;
    }
    let catches_all = |route: &RoutePlan| route.matcher == Matcher::default() && !route.go_on;
    if let Some(last) = routes.iter().position(catches_all)
        && let Some(node) = nodes.get(last + 1)
    {
        let path = format!("routes[{}]", last + 1);
        build.warn(
            node.at,
            &path,
            format!("nothing reaches this route, because routes[{last}] takes everything"),
            "move the route without `match` to the end, or write `continue: true` there",
        );
    }
    let named: HashSet<&Name> = routes.iter().flat_map(|route| &route.to).collect();
    for destination in destinations {
        if !named.contains(&destination.name) {
            let name = destination.name.as_str();
            let at = build
                .root
                .get("destinations")
                .and_then(|all| all.entry(name))
                .map(|entry| entry.key_at);
            build.warn(
                at.unwrap_or_default(),
                &format!("destinations.{name}"),
                format!("no route names the destination {}", quoted(name)),
                "name it under `to:` of a route, or remove it",
            );
        }
    }
}
