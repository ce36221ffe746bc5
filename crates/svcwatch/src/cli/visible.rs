//! Which rights an account lacks on a host, from what the host let it see.

use crate::probe::{Access, Prober, Transport, events::EventsAsked};
use svcwatch_core::{
    id::Name,
    observe::{Asked, HostReading, ServiceConfig},
    plan::{EntryPlan, HostPlan, Selector, starts_so},
};

/// Services that every Windows has, and whose absence from the list therefore means that they are hidden: Windows leaves
/// out those whose status an account may not query, without a word.
const ALWAYS: [&str; 8] = [
    "EventLog",
    "LanmanServer",
    "PlugPlay",
    "Power",
    "ProfSvc",
    "RpcSs",
    "Schedule",
    "Winmgmt",
];
/// How many names are written out.
const NAMES_SHOWN: usize = 5;
/// What to do about rights that lack.
pub(super) const MEND: &str = "to give the rights, run Grant-SvcwatchRights.ps1 -Group 'DOMAIN\\group' there, or see docs/rights.md";

/// The services to ask for by name, to learn whether they are hidden.
pub(super) fn always() -> impl Iterator<Item = Name> {
    ALWAYS.iter().map(|name| Name::new(name))
}

/// The services that the account may not see: at least these, because nobody tells how many more.
pub(super) fn hidden(reading: &HostReading) -> Vec<String> {
    let hidden = reading
        .asked
        .iter()
        .filter(|(_, answer)| *answer == Asked::Hidden);
    hidden.map(|(name, _)| name.to_string()).collect()
}

/// Tries whether the event log of a host may be read; why not, as a sentence. Nothing for the simulated fleet, which has none.
pub(super) async fn event_log(
    prober: &Prober,
    plan: &HostPlan,
    access: &Access,
) -> Option<Result<(), String>> {
    if matches!(access.transport, Transport::Loopback) {
        return None;
    }
    let asked = EventsAsked::whether_it_may();
    let tried = prober
        .events(&plan.name, access, &asked, plan.timeout, plan.timeout)
        .await;
    Some(
        tried
            .map(drop)
            .map_err(|error| format!("its event log cannot be read: {error}")),
    )
}

/// The services whose configuration the account may not read.
pub(super) fn unreadable(configs: &[ServiceConfig]) -> Vec<String> {
    let unreadable = configs.iter().filter(|config| config.start_type.is_none());
    unreadable.map(|config| config.name.clone()).collect()
}

/// What lacks, each a sentence, with what to do about it as the last.
pub(super) fn lacks(visible: usize, hidden: &[String], unreadable: &[String]) -> Vec<String> {
    let mut lacks = Vec::new();
    if !hidden.is_empty() {
        lacks.push(format!(
            "at least {} of its services are hidden from the account beside the {visible} that it shows (SERVICE_QUERY_STATUS lacks on {})",
            hidden.len(),
            some(hidden)
        ));
    }
    if !unreadable.is_empty() {
        lacks.push(format!(
            "the start type of {} services may not be read (SERVICE_QUERY_CONFIG lacks on {})",
            unreadable.len(),
            some(unreadable)
        ));
    }
    if !lacks.is_empty() {
        lacks.push(MEND.to_owned());
    }
    lacks
}

/// Some of the names, and how many more there are.
fn some(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether an entry means a service.
pub(super) fn selects(
    entry: &EntryPlan,
    name: &str,
    display_name: &str,
    configs: &[ServiceConfig],
) -> bool {
    match &entry.selector {
        Selector::Name(wanted) => *wanted == Name::new(name),
        Selector::NameGlob(glob) => glob.matches(name),
        Selector::DisplayName(glob) => glob.matches(display_name),
        Selector::Start(start) => configs.iter().any(|config| {
            config.start_type.is_some_and(|is| starts_so(*start, is))
                && config.name.eq_ignore_ascii_case(name)
        }),
    }
}

/// What is wrong with an entry that means no service of the host.
pub(super) fn lack(
    entry: &EntryPlan,
    reading: &HostReading,
    configs: &[ServiceConfig],
) -> Option<String> {
    let found = reading
        .services
        .iter()
        .any(|service| selects(entry, &service.name, &service.display_name, configs));
    if found {
        return None;
    }
    let Selector::Name(name) = &entry.selector else {
        return Some(format!(
            "no service is meant by {}",
            entry.selector.in_words()
        ));
    };
    let displayed = reading
        .services
        .iter()
        .find(|service| Name::new(&service.display_name) == *name);
    if let Some(service) = displayed {
        return Some(format!("{name} is called {}", service.name));
    }
    let asked = reading
        .asked
        .iter()
        .find(|(asked, _)| asked == name)
        .map(|(_, answer)| *answer);
    match asked {
        Some(Asked::Missing) => Some(format!("{name} is not installed")),
        Some(Asked::Hidden) => Some(format!(
            "{name} is hidden from us (SERVICE_QUERY_STATUS lacks)"
        )),
        Some(Asked::Read(_)) => None,
        None => Some(format!("{name} is not in the list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::observe::StartType;

    #[test]
    fn what_lacks_is_said_with_names_and_what_to_do() {
        let reading = HostReading {
            services: Vec::new(),
            asked: [
                ("RpcSs", Asked::Hidden),
                ("Spooler", Asked::Hidden),
                ("NoSuch", Asked::Missing),
            ]
            .map(|(name, answer)| (Name::new(name), answer))
            .to_vec(),
            uptime: None,
        };
        let config = |name: &str, start_type| ServiceConfig {
            name: name.to_owned(),
            start_type,
            ..ServiceConfig::default()
        };
        let mut configs = vec![config("A", Some(StartType::Manual))];
        assert!(lacks(3, &[], &unreadable(&configs)).is_empty());
        configs.extend((1..=7).map(|number| config(&format!("S{number}"), None)));
        assert_eq!(
            lacks(3, &hidden(&reading), &unreadable(&configs)),
            [
                "at least 2 of its services are hidden from the account beside the 3 that it shows (SERVICE_QUERY_STATUS lacks on RpcSs, Spooler)",
                "the start type of 7 services may not be read (SERVICE_QUERY_CONFIG lacks on S1, S2, S3, S4, S5 and 2 more)",
                MEND,
            ]
        );
    }
}
