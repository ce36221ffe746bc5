//! `remedy`: plans for starting services again, and who has which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use svcwatch_core::id::Name;
use svcwatch_core::plan::EntryPlan;
use svcwatch_core::remedy::{Budget, Budgets, EntryRemedy, Occasion, RemedyPlan};

use super::Build;
use super::fields::{Fields, one_or_many};
use crate::config::budget::budget as budget_of;
use crate::config::problem::{Position, quoted};
use crate::config::tables::{BUDGET, REMEDY};
use crate::config::tree::Node;

/// The plans by their names in lower case, and what is to be told of them once.
#[derive(Debug, Default)]
pub(super) struct Remedies {
    plans: BTreeMap<String, Arc<RemedyPlan>>,
    /// Those that an entry or a group names.
    named: BTreeSet<String>,
    /// The first host on which a plan would start services and no account may, and how many there are.
    powerless: Option<(Position, String, Name, usize)>,
}

impl Remedies {
    /// Reads `remedy`.
    pub(super) fn read(root: &Node) -> Self {
        let entries = root.get("remedy").and_then(Node::entries);
        let plans = entries.unwrap_or_default().iter().map(|entry| {
            let plan = plan(&Name::new(&entry.key), &entry.value);
            (entry.key.to_lowercase(), Arc::new(plan))
        });
        Self {
            plans: plans.collect(),
            named: BTreeSet::new(),
            powerless: None,
        }
    }

    /// Notes a host on which nothing may act although a plan asks for it.
    pub(super) fn check_host(
        &mut self,
        (at, path): (Position, &str),
        host: &Name,
        services: &[EntryPlan],
    ) {
        let asks = |entry: &EntryPlan| {
            let remedy = entry.remedy.as_deref();
            remedy.is_some_and(|remedy| !remedy.may_act && !remedy.plan.dry_run)
        };
        if services.iter().any(asks) {
            let first = || (at, path.to_owned(), host.clone(), 0);
            let (.., count) = self.powerless.get_or_insert_with(first);
            *count += 1;
        }
    }

    /// Warns of hosts on which nothing may act, once for all.
    pub(super) fn powerless(&mut self) -> Option<(Position, String, String)> {
        let (at, path, host, count) = self.powerless.take()?;
        let what = if count == 1 {
            format!(
                "no account may act on {}, so its services are not started again",
                quoted(host.as_str())
            )
        } else {
            format!(
                "no account may act on {count} hosts, of which {} is the first, so their services are not started again",
                quoted(host.as_str())
            )
        };
        Some((at, path, what))
    }
}

fn plan(name: &Name, node: &Node) -> RemedyPlan {
    let fields = Fields::new(Some(node), &REMEDY);
    let usual = RemedyPlan::new(name);
    let budget = Fields::new(node.get("budget"), &BUDGET);
    let within = |key, usual: Budget| budget_of(budget.word(key)).unwrap_or(usual);
    let causes: Vec<Occasion> = fields
        .get("causes")
        .map(|node| {
            let words = one_or_many(node);
            words
                .filter_map(|(_, word)| Occasion::parse(word))
                .collect()
        })
        .unwrap_or_default();
    RemedyPlan {
        attempts: fields.whole("attempts").unwrap_or(usual.attempts),
        every: fields.duration("every"),
        budget: Budgets {
            service: within("service", usual.budget.service),
            group: within("group", usual.budget.group),
            fleet: within("fleet", usual.budget.fleet),
        },
        causes: if causes.is_empty() {
            usual.causes.clone()
        } else {
            causes
        },
        dry_run: fields.switch("dry_run"),
        ..usual
    }
}

/// The plan that an entry or a group names, where it names one.
pub(super) fn named(
    build: &mut Build<'_>,
    node: &Node,
    group: Option<&Name>,
    path: &str,
) -> Option<Arc<EntryRemedy>> {
    let written = node.get("remedy")?;
    let name = &*written.scalar()?.text;
    if is_off(written) {
        return None;
    }
    let Some(plan) = build.remedies.plans.get(&name.to_lowercase()).cloned() else {
        let plans = build.remedies.plans.values();
        let known: Vec<String> = plans.map(|plan| plan.name.to_string()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        build.unknown(
            written.at,
            &format!("{path}.remedy"),
            "remedy",
            name,
            &known,
        );
        return None;
    };
    build.remedies.named.insert(name.to_lowercase());
    Some(Arc::new(EntryRemedy {
        plan,
        group: group.cloned(),
        may_act: false,
    }))
}

/// Warns of plans that nobody names: whoever writes one thinks that something is started again.
pub(super) fn tell_unused(build: &mut Build<'_>) {
    let written = build.root.get("remedy").and_then(Node::entries);
    for entry in written.unwrap_or_default() {
        if !build.remedies.named.contains(&entry.key.to_lowercase()) {
            build.warn(
                entry.key_at,
                &format!("remedy.{}", entry.key),
                format!(
                    "nothing names the plan {}, so it starts nothing",
                    quoted(&entry.key)
                ),
                format!(
                    "write `remedy: {}` at a group or at an entry of `services`, or remove the plan",
                    entry.key
                ),
            );
        }
    }
}

/// Whether an entry wants none although its group names one.
pub(super) fn is_off(node: &Node) -> bool {
    let scalar = node.scalar();
    scalar.is_some_and(|scalar| matches!(&*scalar.text, "off" | "false"))
}

/// Lets the services of a host be started again, where somebody may.
pub(super) fn allow(services: &mut [EntryPlan]) {
    for entry in services {
        if let Some(remedy) = &mut entry.remedy {
            Arc::make_mut(remedy).may_act = true;
        }
    }
}
