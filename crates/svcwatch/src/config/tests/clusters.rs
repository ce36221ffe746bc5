//! Groups that count on how many hosts a service runs, and what is left to failure actions.

use super::*;
use svcwatch_core::plan::{EntryPlan, Expect, Selector, Wanted};
use svcwatch_core::time::Span;

fn entry<'a>(config: &'a Config, host: &str, service: &str) -> &'a EntryPlan {
    let mut hosts = config.core.hosts.iter();
    let host = hosts.find(|known| known.name.as_str() == host).unwrap();
    let wanted = Selector::Name(service.into());
    let mut entries = host.services.iter();
    entries.find(|entry| entry.selector == wanted).unwrap()
}

#[test]
fn a_group_with_expect_counts_its_services() {
    let config = text(&format!(
        "{HEAD}hosts: [{{ name: a, services: [Spooler, SQL] }}, {{ name: b }}, {{ name: c }}]\n\
         groups:\n\
         - {{ name: prod, hosts: [a, b], services: [SQL, {{ name: Agent, for: 5m }}], expect: {{ running: 1 }} }}\n\
         - {{ name: farm, hosts: ['?'], services: [Web], expect: {{ at_least: 2 }} }}\n"
    ))
    .unwrap();
    let groups: Vec<_> = config
        .core
        .groups
        .iter()
        .map(|group| {
            (
                group.group.as_str(),
                group.service.as_str(),
                group.members.len(),
            )
        })
        .collect();
    assert_eq!(
        groups,
        [("prod", "SQL", 2), ("prod", "Agent", 2), ("farm", "Web", 3)]
    );
    let expected: Vec<_> = config
        .core
        .groups
        .iter()
        .map(|group| group.expect)
        .collect();
    let one = Wanted::Exactly(1);
    assert_eq!(expected, [one, one, Wanted::AtLeast(2)]);
    assert_eq!(
        config.core.groups[0].for_span,
        Span::minutes(2),
        "its default"
    );
    assert_eq!(config.core.groups[1].for_span, Span::minutes(5));
    let counted = entry(&config, "a", "SQL");
    assert!(counted.counted && !counted.required && !counted.recovery);
    assert_eq!(counted.expect, Expect::Either);
    assert!(!entry(&config, "a", "Spooler").counted);
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .iter()
            .any(|one| one.contains("the entry of the host plays no part")),
        "{warnings:?}"
    );
}

#[test]
fn a_group_that_expects_more_than_it_has_is_a_warning() {
    let config = text(&format!(
        "{HEAD}hosts: [{{ name: a }}]\n\
         groups: [{{ name: prod, hosts: 'a*', services: [SQL], expect: {{ at_least: 2 }} }}]\n"
    ))
    .unwrap();
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .iter()
            .any(|one| one.contains("on 2 hosts and has 1")),
        "{warnings:?}"
    );
}

#[test]
fn only_a_written_time_takes_a_failure_from_its_host() {
    let config = text(&format!(
        "{HEAD}hosts: [{{ name: a, services: [One, {{ name: Two, for: recovery }}, {{ name: Three, for: 0s }}, {{ name: Four, for: 1m }}] }}]\n"
    ))
    .unwrap();
    let left = ["One", "Two", "Three", "Four"].map(|name| {
        let entry = entry(&config, "a", name);
        (entry.recovery, entry.for_span)
    });
    let none = Span::ZERO;
    assert_eq!(
        left,
        [
            (true, none),
            (true, none),
            (false, none),
            (false, Span::minutes(1))
        ]
    );
}
