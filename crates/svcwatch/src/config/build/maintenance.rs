//! Maintenance windows: what is not told when, because it is expected.

use std::collections::BTreeMap;
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::plan::{MaintenancePlan, Matcher};

use super::Build;
use super::fields::{Fields, one_or_many};
use super::routes::matcher;
use crate::calendar::{self, Calendar, Weekly, When};
use crate::clock;
use crate::config::problem::{Position, quoted};
use crate::config::tables::WINDOW;
use crate::config::tree::Node;
use crate::dest::text::moment;

/// Reads `maintenance`: the windows for the core, whose times are given later, and when they are.
pub(super) fn read(build: &mut Build<'_>) -> (Vec<MaintenancePlan>, Calendar) {
    let nodes = build
        .root
        .get("maintenance")
        .and_then(Node::items)
        .unwrap_or_default();
    let mut plans = Vec::with_capacity(nodes.len());
    let mut windows = Vec::with_capacity(nodes.len());
    let mut known: BTreeMap<Name, Position> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let fields = Fields::new(Some(node), &WINDOW);
        let path = format!("maintenance[{index}]");
        let Some(name) = fields.text("name").map(Name::new) else {
            continue;
        };
        if let Some(first) = known.insert(name.clone(), node.at) {
            let what = format!(
                "a window called {} stands in line {} already",
                quoted(name.as_str()),
                first.line
            );
            build.error(node.at, &path, what, "give each window a name of its own");
        }
        let meant = matcher(fields.get("match"));
        if let Some(at) = fields.get("match").map(|node| node.at)
            && meant == Matcher::default()
        {
            build.error(
                at,
                &format!("{path}.match"),
                "the window says not what it is about",
                "write a host, a site, a service or a label; `match: { host: '*' }` is every host",
            );
        }
        if let Some(when) = when(build, node, &path) {
            windows.push((name.clone(), when));
        }
        plans.push(MaintenancePlan {
            name,
            matcher: meant,
            ranges: Arc::from([]),
        });
    }
    (plans, Calendar { windows })
}

fn when(build: &mut Build<'_>, node: &Node, path: &str) -> Option<When> {
    let fields = Fields::new(Some(node), &WINDOW);
    match fields.get("weekly") {
        Some(weekly) => every_week(build, node, weekly, path),
        None => once(build, node, path),
    }
}

fn every_week(build: &mut Build<'_>, node: &Node, weekly: &Node, path: &str) -> Option<When> {
    let fields = Fields::new(Some(node), &WINDOW);
    if let Some(to) = fields.get("to") {
        build.error(
            to.at,
            &format!("{path}.to"),
            "`to` belongs to a window with `from`",
            "remove it, or write `from` and `to` in the place of `weekly`",
        );
    }
    let mut times = Vec::new();
    for (item, text) in one_or_many(weekly) {
        match Weekly::parse(text) {
            Ok(weekly) => times.push(weekly),
            Err((what, instead)) => build.error(item.at, &format!("{path}.weekly"), what, instead),
        }
    }
    let Some(name) = fields.text("zone") else {
        build.error(
            node.at,
            path,
            "the window says not in which time zone its times are",
            "write one such as `zone: Europe/Oslo` or `zone: UTC`",
        );
        return None;
    };
    match calendar::zone(name) {
        Ok(zone) => Some(When::Weekly { times, zone }),
        Err((what, instead)) => {
            let at = fields.get("zone").map_or(node.at, |zone| zone.at);
            build.error(at, &format!("{path}.zone"), what, instead);
            None
        }
    }
}

fn once(build: &mut Build<'_>, node: &Node, path: &str) -> Option<When> {
    let fields = Fields::new(Some(node), &WINDOW);
    if let Some(zone) = fields.get("zone") {
        build.error(
            zone.at,
            &format!("{path}.zone"),
            "`zone` belongs to a window with `weekly`",
            "remove it; `from` and `to` bear their offset themselves",
        );
    }
    let Some(to) = fields.get("to") else {
        if fields.get("from").is_some() {
            build.error(
                node.at,
                path,
                "the window never ends",
                "write `to:` with a time such as `2026-03-02T04:00:00+01:00`",
            );
        }
        return None;
    };
    let mut time = |key: &str| {
        let text = fields.text(key)?;
        let at = fields.get(key).map_or(node.at, |node| node.at);
        calendar::moment(text)
            .map_err(|(what, instead)| build.error(at, &format!("{path}.{key}"), what, instead))
            .ok()
    };
    let (from, until) = (time("from")?, time("to")?);
    if until <= from {
        build.error(
            to.at,
            &format!("{path}.to"),
            format!(
                "the window ends at {}, before it starts at {}",
                moment(until),
                moment(from)
            ),
            "write a later `to`",
        );
        return None;
    }
    if build.look && until <= clock::wall() {
        build.warn(
            to.at,
            &format!("{path}.to"),
            format!("the window is over since {}", moment(until)),
            "remove it, or write a later time",
        );
    }
    Some(When::Once { from, until })
}
