//! Groups that count on how many of their hosts a service runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::limits;
use svcwatch_core::plan::{EntryPlan, Expect, GroupPlan, Selector, StoppedOk, Wanted};
use svcwatch_core::time::Span;

use super::Build;
use super::fields::Fields;
use super::services::RECOVERY;
use crate::config::problem::quoted;
use crate::config::tables::{GROUP_EXPECT, SERVICE};
use crate::config::tree::Node;

/// How long a service may take to move from host to host, unless somebody says otherwise.
const FOR: Span = Span::minutes(2);

/// The groups that count, by their place among all groups.
#[derive(Default)]
pub(super) struct Clusters(BTreeMap<usize, Cluster>);

/// A group that counts.
struct Cluster {
    name: Name,
    expect: Wanted,
    services: Vec<EntryPlan>,
    members: Vec<Name>,
}

impl Clusters {
    /// Reads a group of which the entries of services are these. Where it counts them, they become what each of its
    /// hosts is watched by.
    pub(super) fn read(
        &mut self,
        build: &mut Build<'_>,
        index: usize,
        node: &Node,
        entries: &mut Vec<EntryPlan>,
    ) {
        let Some(expect) = node.get("expect").filter(|node| node.entries().is_some()) else {
            return;
        };
        let fields = Fields::new(Some(expect), &GROUP_EXPECT);
        let exactly = fields.whole("running").map(Wanted::Exactly);
        let at_least = fields.whole("at_least").map(Wanted::AtLeast);
        let name = node.get("name").and_then(Node::scalar);
        let (Some(expect), Some(name)) = (exactly.or(at_least), name) else {
            return;
        };
        let items = node.get("services").and_then(Node::items);
        for (place, item) in items.unwrap_or_default().iter().enumerate() {
            check(build, item, &format!("groups[{index}].services[{place}]"));
        }
        entries.retain(|entry| matches!(entry.selector, Selector::Name(_)));
        for entry in entries.iter_mut() {
            let own = items
                .unwrap_or_default()
                .iter()
                .find(|item| is_of(item, entry));
            if own.is_none_or(|item| item.get("for").is_none()) {
                entry.for_span = FOR;
            }
            entry.counted = true;
            entry.recovery = false;
            entry.remedy = None;
            entry.required = false;
            entry.expect = Expect::Either;
            entry.stopped_ok = StoppedOk::Always;
        }
        let cluster = Cluster {
            name: Name::new(&name.text),
            expect,
            services: entries.clone(),
            members: Vec::new(),
        };
        self.0.insert(index, cluster);
    }

    /// Counts a host to the groups with these places.
    pub(super) fn join(&mut self, indexes: &[usize], host: &str) {
        for index in indexes {
            if let Some(cluster) = self.0.get_mut(index) {
                cluster.members.push(Name::new(host));
            }
        }
    }

    /// What is to be counted, once all hosts are known.
    pub(super) fn plans(self, build: &mut Build<'_>) -> Vec<Arc<GroupPlan>> {
        let mut plans = Vec::new();
        for (index, cluster) in self.0 {
            let (count, least) = (cluster.members.len(), cluster.expect.least());
            let path = format!("groups[{index}].expect");
            let at = build.root.get("groups").and_then(Node::items);
            let at = at.and_then(|nodes| nodes.get(index)).map(|node| node.at);
            let at = at.unwrap_or(build.root.at);
            if count > limits::GROUP_MEMBERS_MAX {
                let most = limits::GROUP_MEMBERS_MAX;
                build.error(
                    at,
                    &path,
                    format!(
                        "the group {} has {count} hosts",
                        quoted(cluster.name.as_str())
                    ),
                    format!("count a service over at most {most} hosts"),
                );
            } else if usize::try_from(least).is_ok_and(|least| least > count) {
                build.warn(
                    at,
                    &path,
                    format!(
                        "the group {} expects its services on {least} hosts and has {count}, so it is always told as stopped",
                        quoted(cluster.name.as_str())
                    ),
                    "write a smaller number, or look at the names of its hosts",
                );
            }
            plans.extend(cluster.services.iter().filter_map(|entry| {
                let Selector::Name(service) = &entry.selector else {
                    return None;
                };
                Some(Arc::new(GroupPlan {
                    group: cluster.name.clone(),
                    service: service.clone(),
                    expect: cluster.expect,
                    for_span: entry.for_span,
                    members: cluster.members.clone(),
                    friendly_name: entry.friendly_name.clone(),
                    severity: entry.severity,
                    labels: Arc::clone(&entry.labels),
                }))
            }));
        }
        plans
    }
}

/// Whether an entry was read from this item.
fn is_of(item: &Node, entry: &EntryPlan) -> bool {
    let name = item.scalar().or_else(|| item.get("name")?.scalar());
    let own = |own: &Name| name.is_some_and(|name| Name::new(&name.text) == *own);
    matches!(&entry.selector, Selector::Name(service) if own(service))
}

/// Tells what an entry says that a group which counts cannot carry out.
fn check(build: &mut Build<'_>, item: &Node, path: &str) {
    let fields = Fields::new(item.entries().map(|_| item), &SERVICE);
    let name = item
        .scalar()
        .map(|scalar| &*scalar.text)
        .or_else(|| fields.text("name"));
    if name.is_none_or(svcwatch_core::glob::Glob::is_pattern) {
        build.error(
            item.at,
            path,
            "a group with `expect` counts one service at a time",
            "write its key name; for several services write several entries, for a pattern a group without `expect`",
        );
    }
    if fields.text("for") == Some(RECOVERY) {
        build.error(
            item.at,
            &format!("{path}.for"),
            "a group with `expect` does not ask for failure actions",
            "write how long a move may take, such as 2m",
        );
    }
    if let Some(written) = item.get("remedy") {
        build.error(
            written.at,
            &format!("{path}.remedy"),
            "the services of a group with `expect` are moved by their cluster, and not started by svcwatch",
            "remove this, or the `expect` of the group",
        );
    }
    if let Some(written) = item.get("expect") {
        build.error(
            written.at,
            &format!("{path}.expect"),
            "a group with `expect` counts where its services run",
            "remove this, or the `expect` of the group",
        );
    }
}

/// Tells of services of a host that two groups count, and of entries of the host itself that a group stands in for.
/// Those that a group counts come first.
pub(super) fn settle(
    build: &mut Build<'_>,
    (node, path, host): (&Node, &str, &str),
    services: &mut [EntryPlan],
) {
    let counted: Vec<Name> = services
        .iter()
        .filter(|entry| entry.counted)
        .filter_map(name_of)
        .collect();
    for (place, name) in counted.iter().enumerate() {
        if counted.iter().take(place).any(|other| other == name) {
            build.error(
                node.at,
                path,
                format!(
                    "the service {} of {} is counted by two groups",
                    quoted(name.as_str()),
                    quoted(host)
                ),
                "let one group with `expect` count it",
            );
        } else if services
            .iter()
            .any(|entry| !entry.counted && entry.required && name_of(entry).as_ref() == Some(name))
        {
            build.warn(
                node.at,
                path,
                format!(
                    "the service {} of {} is counted by a group, so the entry of the host plays no part",
                    quoted(name.as_str()),
                    quoted(host)
                ),
                "remove it from `services` of the host",
            );
        }
    }
    services.sort_by_key(|entry| !entry.counted);
}

fn name_of(entry: &EntryPlan) -> Option<Name> {
    match &entry.selector {
        Selector::Name(name) => Some(name.clone()),
        Selector::NameGlob(_) | Selector::DisplayName(_) | Selector::Start(_) => None,
    }
}
