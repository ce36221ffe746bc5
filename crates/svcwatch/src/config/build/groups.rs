//! Groups: the same services on many hosts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::plan::{EntryPlan, Labels};

use super::clusters::Clusters;
use super::fields::one_or_many;
use super::services::entries;
use super::{Build, remedies};
use crate::config::problem::{Position, quoted};
use crate::config::tree::Node;

/// The most patterns of hosts that all groups together may have: each is tried on each host.
const PATTERNS: usize = 2_000;

/// The groups, ready to be asked for a host.
pub(super) struct Groups {
    services: Vec<Vec<EntryPlan>>,
    /// Those that count.
    pub(super) clusters: Clusters,
    exact: HashMap<String, Vec<usize>>,
    patterns: Vec<Pattern>,
}

/// A pattern of hosts.
struct Pattern {
    glob: Glob,
    group: usize,
    at: Position,
    used: bool,
}

impl Groups {
    /// Reads `groups` and tells which of the hosts that they name nobody has.
    pub(super) fn read(build: &mut Build<'_>, hosts: &[Node]) -> Self {
        let mut groups = Self {
            services: Vec::new(),
            clusters: Clusters::default(),
            exact: HashMap::new(),
            patterns: Vec::new(),
        };
        let names: Vec<&str> = hosts
            .iter()
            .filter_map(|host| Some(&*host.get("name")?.scalar()?.text))
            .collect();
        let keys: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let nodes = build
            .root
            .get("groups")
            .and_then(Node::items)
            .unwrap_or_default();
        for (index, node) in nodes.iter().enumerate() {
            let path = format!("groups[{index}]");
            let mut services = entries(build, node, (&Labels::default(), false), &path);
            remedy_of(build, node, &mut services, &path);
            groups.clusters.read(build, index, node, &mut services);
            groups.services.push(services);
            for (member, text) in node.get("hosts").into_iter().flat_map(one_or_many) {
                let key = text.to_lowercase();
                if Glob::is_pattern(text) {
                    let glob = Glob::new(text);
                    groups.patterns.push(Pattern {
                        glob,
                        group: index,
                        at: member.at,
                        used: false,
                    });
                } else if keys.contains(&key) {
                    groups.exact.entry(key).or_default().push(index);
                } else if build.root.get("hosts_from").is_some() {
                    // A host that a list lets go of must not make the rest of the config wrong.
                    build.warn(
                        member.at,
                        &format!("groups[{index}].hosts"),
                        format!("no host is called {} now", quoted(text)),
                        "look at its name, and at the lists of hosts",
                    );
                } else {
                    build.unknown(
                        member.at,
                        &format!("groups[{index}].hosts"),
                        "host",
                        text,
                        &names,
                    );
                }
            }
        }
        if let Some(beyond) = groups.patterns.get(PATTERNS) {
            let what = format!("the groups have more than {PATTERNS} patterns of hosts");
            build.error(
                beyond.at,
                &format!("groups[{}].hosts", beyond.group),
                what,
                "write wider patterns, or names",
            );
            groups.patterns.truncate(PATTERNS);
        }
        groups
    }

    /// The services that groups give a host, in the order of the groups.
    pub(super) fn of(&mut self, host: &str) -> Vec<&EntryPlan> {
        let mut indexes: Vec<usize> = self
            .exact
            .get(&host.to_lowercase())
            .cloned()
            .unwrap_or_default();
        for pattern in &mut self.patterns {
            if pattern.glob.matches(host) {
                pattern.used = true;
                indexes.push(pattern.group);
            }
        }
        indexes.sort_unstable();
        indexes.dedup();
        self.clusters.join(&indexes, host);
        indexes
            .iter()
            .filter_map(|index| self.services.get(*index))
            .flatten()
            .collect()
    }

    /// Warns of patterns that matched no host.
    pub(super) fn tell_unused(&self, build: &mut Build<'_>) {
        for pattern in self.patterns.iter().filter(|pattern| !pattern.used) {
            let what = format!("no host is called like {}", quoted(pattern.glob.as_str()));
            build.warn(
                pattern.at,
                &format!("groups[{}].hosts", pattern.group),
                what,
                "look at the names of the hosts",
            );
        }
    }
}

/// Gives the services of a group the plan that the group names for them, unless they say something themselves, and lets
/// all of them count against its budget.
fn remedy_of(build: &mut Build<'_>, node: &Node, services: &mut [EntryPlan], path: &str) {
    let name = node.get("name").and_then(Node::scalar);
    let group = name.map(|name| Name::new(&name.text));
    let shared = remedies::named(build, node, group.as_ref(), path);
    let items = node.get("services").and_then(Node::items);
    for (place, entry) in services.iter_mut().enumerate() {
        let item = items.and_then(|items| items.get(place));
        let own = item.and_then(|item| item.get("remedy"));
        match (&mut entry.remedy, own) {
            (Some(remedy), _) => Arc::make_mut(remedy).group.clone_from(&group),
            (None, None) => entry.remedy.clone_from(&shared),
            (None, Some(_)) => {}
        }
    }
    if let Some(written) = node.get("remedy")
        && node.get("expect").is_some()
    {
        build.error(
            written.at,
            &format!("{path}.remedy"),
            "the services of a group with `expect` are moved by their cluster, and not started by svcwatch",
            "remove `remedy`, or the `expect` of the group",
        );
    }
}
