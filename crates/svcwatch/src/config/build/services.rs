//! Entries of `services`.

use std::collections::BTreeMap;
use std::sync::Arc;

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::notice::Severity;
use svcwatch_core::observe::StartType;
use svcwatch_core::plan::{EntryPlan, Expect, Labels, Selector, StoppedOk};

use super::fields::Fields;
use super::{Build, remedies};
use crate::config::tables::SERVICE;
use crate::config::tree::Node;

/// The word for an end that is left to the failure actions of the service first.
pub(super) const RECOVERY: &str = "recovery";

/// The entries of `services` of a host or a group.
pub(super) fn entries(
    build: &mut Build<'_>,
    node: &Node,
    (none, on_host): (&Labels, bool),
    path: &str,
) -> Vec<EntryPlan> {
    let items = node
        .get("services")
        .and_then(Node::items)
        .unwrap_or_default();
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let path = format!("{path}.services[{index}]");
            entry(build, item, (none, on_host), &path)
        })
        .collect()
}

fn entry(
    build: &mut Build<'_>,
    node: &Node,
    (none, on_host): (&Labels, bool),
    path: &str,
) -> Option<EntryPlan> {
    let mapping = node.entries().map(|_| node);
    let fields = Fields::new(mapping, &SERVICE);
    let selector = match node.scalar() {
        Some(scalar) => by_name(&scalar.text),
        None => selector(&fields)?,
    };
    let labels = fields.labels("labels");
    let expect = Expect::parse(fields.word("expect")).unwrap_or(Expect::Running);
    let by_start = matches!(selector, Selector::Start(_));
    check_together(build, &fields, expect, path);
    let required = match fields.text("presence") {
        Some(word) => word == "required",
        None => expect != Expect::Absent && (by_start || (on_host && selector.is_named())),
    };
    let stopped_ok = match (fields.text("stopped_ok").and_then(StoppedOk::parse), expect) {
        (Some(chosen), _) => chosen,
        (None, Expect::Either) => StoppedOk::Always,
        (None, _) if by_start => StoppedOk::Exit0,
        (None, _) => StoppedOk::Never,
    };
    let remedy = mapping.and_then(|node| remedies::named(build, node, None, path));
    if let Some(written) = fields.get("remedy")
        && !remedies::is_off(written)
        && matches!(expect, Expect::Stopped | Expect::Absent)
    {
        build.error(
            written.at,
            &format!("{path}.remedy"),
            format!("`remedy` makes no sense beside `expect: {expect}`"),
            "remove one of them",
        );
    }
    Some(EntryPlan {
        required,
        counted: false,
        remedy,
        recovery: fields.word("for") == RECOVERY,
        stopped_ok,
        changes: fields.word("changes") == "told",
        noise: by_start
            .then(|| Arc::clone(&build.noise))
            .filter(|noise| !noise.is_empty()),
        selector,
        expect,
        for_span: fields.duration("for"),
        instant: fields.switch("instant"),
        confirm: fields.whole("confirm").unwrap_or(1),
        friendly_name: fields.text("friendly_name").map(Arc::from),
        severity: fields.text("severity").and_then(Severity::parse),
        labels: if labels.is_empty() {
            Arc::clone(none)
        } else {
            sorted(labels)
        },
    })
}

/// Tells of keys that make no sense beside each other.
fn check_together(build: &mut Build<'_>, fields: &Fields<'_>, expect: Expect, path: &str) {
    if let Some(node) = fields.get("stopped_ok")
        && matches!(expect, Expect::Stopped | Expect::Absent)
    {
        build.error(
            node.at,
            &format!("{path}.stopped_ok"),
            format!("`stopped_ok` says nothing beside `expect: {expect}`"),
            "remove one of them",
        );
    }
    let forbidden_and_required =
        expect == Expect::Absent && fields.text("presence") == Some("required");
    if let Some(node) = fields.get("presence").filter(|_| forbidden_and_required) {
        build.error(
            node.at,
            &format!("{path}.presence"),
            "a service cannot be required and absent",
            "remove one of them",
        );
    }
}

fn selector(fields: &Fields<'_>) -> Option<Selector> {
    if let Some(name) = fields.text("name") {
        return Some(by_name(name));
    }
    if let Some(name) = fields.text("display_name") {
        return Some(Selector::DisplayName(Glob::new(name)));
    }
    fields
        .text("start")
        .and_then(StartType::parse)
        .map(Selector::Start)
}

fn by_name(text: &str) -> Selector {
    if Glob::is_pattern(text) {
        Selector::NameGlob(Glob::new(text))
    } else {
        Selector::Name(Name::new(text))
    }
}

/// Exact key names come first, then display names, patterns and start types.
pub(super) fn precedence(selector: &Selector) -> u8 {
    match selector {
        Selector::Name(_) => 0,
        Selector::DisplayName(glob) if !Glob::is_pattern(glob.as_str()) => 1,
        Selector::DisplayName(_) | Selector::NameGlob(_) => 2,
        // What starts with a delay is automatic too, so its own entry comes first.
        Selector::Start(StartType::AutomaticDelayed) => 3,
        Selector::Start(_) => 4,
    }
}

/// Labels sorted by name.
pub(super) fn sorted(labels: Vec<(String, String)>) -> Labels {
    let all: BTreeMap<String, String> = labels.into_iter().collect();
    all.into_iter().collect()
}
