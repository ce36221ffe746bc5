//! Entries of `services`.

use std::collections::BTreeMap;
use std::sync::Arc;

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::notice::Severity;
use svcwatch_core::observe::StartType;
use svcwatch_core::plan::{EntryPlan, Expect, Labels, Selector};

use super::fields::Fields;
use crate::config::tables::SERVICE;
use crate::config::tree::Node;

/// The entries of `services` of a host or a group.
pub(super) fn entries(node: &Node, none: &Labels, on_host: bool) -> Vec<EntryPlan> {
    let items = node
        .get("services")
        .and_then(Node::items)
        .unwrap_or_default();
    items
        .iter()
        .filter_map(|item| entry(item, none, on_host))
        .collect()
}

fn entry(node: &Node, none: &Labels, on_host: bool) -> Option<EntryPlan> {
    let mapping = node.entries().map(|_| node);
    let fields = Fields::new(mapping, &SERVICE);
    let selector = match node.scalar() {
        Some(scalar) => by_name(&scalar.text),
        None => selector(&fields)?,
    };
    let labels = fields.labels("labels");
    Some(EntryPlan {
        required: on_host && selector.is_named(),
        selector,
        expect: Expect::parse(fields.word("expect")).unwrap_or(Expect::Running),
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
        Selector::Start(_) => 3,
    }
}

/// Labels sorted by name.
pub(super) fn sorted(labels: Vec<(String, String)>) -> Labels {
    let all: BTreeMap<String, String> = labels.into_iter().collect();
    all.into_iter().collect()
}
