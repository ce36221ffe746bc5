//! What entries of services mean for selection: the defaults that depend on how they select, and noise.

use svcwatch_core::id::Name;
use svcwatch_core::plan::{EntryPlan, Expect, StoppedOk};

use super::{HEAD, text};

/// The entries of one host with these services, below these lines.
fn entries(services: &str, above: &str) -> Vec<EntryPlan> {
    let config = text(&format!(
        "{HEAD}{above}\nhosts: [{{ name: srv01, services: [{services}] }}]\n"
    ));
    let config = config.unwrap_or_else(|errors| panic!("{services}\n{errors}"));
    config.core.hosts[0].services.clone()
}

fn entry(service: &str) -> EntryPlan {
    entries(service, "").remove(0)
}

#[test]
fn stops_and_presence_have_the_defaults_of_their_selector() {
    use StoppedOk::{Always, Exit0, Never};
    for (service, required, stopped_ok) in [
        ("Spooler", true, Never),
        ("'MSSQL*'", false, Never),
        ("{ display_name: Print Spooler }", true, Never),
        ("{ start: automatic }", true, Exit0),
        ("{ start: automatic, stopped_ok: never }", true, Never),
        ("{ start: automatic, presence: optional }", false, Exit0),
        ("{ name: 'MSSQL*', presence: required }", true, Never),
        ("{ name: Spooler, presence: optional }", false, Never),
        ("{ name: Spooler, stopped_ok: exit0 }", true, Exit0),
        ("{ name: Spooler, expect: either }", true, Always),
        (
            "{ name: Spooler, expect: either, stopped_ok: exit0 }",
            true,
            Exit0,
        ),
        ("{ name: Spooler, expect: absent }", false, Never),
    ] {
        let found = entry(service);
        assert_eq!(
            (found.required, found.stopped_ok),
            (required, stopped_ok),
            "{service}"
        );
    }
    assert_eq!(entry("{ name: X, expect: absent }").expect, Expect::Absent);
    assert!(entry("{ name: X, changes: told }").changes);
    assert!(!entry("X").changes);
}

#[test]
fn noise_is_a_list_that_can_be_replaced_extended_and_switched_off() {
    let reason = |above: &str, service: &str| {
        let entry = entries("{ start: automatic }", above).remove(0);
        let noise = entry.noise?;
        noise.reason(&Name::new(service)).map(ToString::to_string)
    };
    assert!(reason("", "sppsvc").is_some());
    assert!(reason("noise: default", "SPPSVC").is_some());
    assert_eq!(reason("noise: []", "sppsvc"), None);
    assert_eq!(reason("noise: [AcmeUpdate]", "sppsvc"), None);
    let by_config = "the config names it under `noise`";
    assert_eq!(
        reason("noise: 'Acme*'", "acmeupdate").as_deref(),
        Some(by_config)
    );
    let both = "noise: [default, AcmeUpdate]";
    assert_eq!(reason(both, "AcmeUpdate").as_deref(), Some(by_config));
    assert!(reason(both, "gupdate").is_some());
    assert_eq!(entry("sppsvc").noise, None, "who names it means it");
}

#[test]
fn what_starts_with_a_delay_has_its_own_entry_first() {
    let both = entries(
        "{ start: automatic }, { start: automatic_delayed }, Spooler",
        "",
    );
    let selectors: Vec<String> = both.iter().map(|entry| entry.selector.in_words()).collect();
    assert_eq!(
        selectors,
        [
            "name: Spooler",
            "start: automatic_delayed",
            "start: automatic"
        ]
    );
}
