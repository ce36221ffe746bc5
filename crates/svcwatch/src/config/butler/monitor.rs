//! `serviceMonitor`: hosts, their services, how often they are read, and which destinations are told.

use std::collections::{BTreeMap, BTreeSet};

use super::differences as differ;
use super::made::{self, Made};
use super::reader::{Reader, Section};
use crate::config::problem::{Position, quoted};

/// The longest friendly name, in characters.
const FRIENDLY_NAME: usize = 256;

/// Which destinations the monitor tells.
#[derive(Debug, Default, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the seven switches of the file"
)]
pub(super) struct Gates {
    pub(super) influxdb: bool,
    pub(super) newrelic: bool,
    pub(super) email: bool,
    pub(super) mqtt: bool,
    pub(super) teams: bool,
    pub(super) slack: bool,
    pub(super) webhook: bool,
}

/// What the section says.
pub(super) struct Monitor {
    pub(super) at: Position,
    pub(super) hosts: Vec<Made>,
    pub(super) every: Option<Made>,
    pub(super) gates: Gates,
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Monitor {
    let mut monitor = Monitor {
        at: root.node.at,
        hosts: Vec::new(),
        every: None,
        gates: Gates::default(),
    };
    let Some(section) = reader.section(root, "serviceMonitor") else {
        if root.node.get("serviceMonitor").is_none() {
            reader.problems.warn(
                root.node.at,
                "Butler.serviceMonitor",
                "the section is missing, so nothing is watched",
                "write `serviceMonitor:` with hosts and services under `monitor:`",
            );
        }
        return monitor;
    };
    monitor.at = section.node.at;
    let on = reader.is_on(&section, "enable");
    if !on {
        reader.problems.warn(
            section.at("enable"),
            &section.path_of("enable"),
            "the monitor of Windows services is off in this file, so nothing of it is watched",
            "write `enable: true`",
        );
    }
    monitor.every = reader
        .text(&section, "frequency")
        .map(|text| made::text(section.at("frequency"), text));
    let hosts = hosts(reader, &section);
    if on {
        if hosts.is_empty() {
            reader.problems.warn(
                section.at("monitor"),
                &section.path_of("monitor"),
                "no host stands here, so nothing is watched",
                "write hosts, each as `- host: NAME` with `services:`",
            );
        }
        monitor.hosts = hosts;
    }
    monitor.gates = gates(reader, &section);
    reader.finish(&section);
    say_what_differs(reader, &section);
    monitor
}

fn say_what_differs(reader: &mut Reader<'_>, section: &Section<'_>) {
    for difference in [
        &differ::ACCOUNT,
        &differ::HOST_FAULT,
        &differ::MISSING,
        &differ::NAMES,
        &differ::ADDRESSES,
        &differ::PAUSED,
        &differ::FIRST_LOOK,
        &differ::FIRST_STARTED,
        &differ::PENDING_BEFORE,
        &differ::START_TYPE,
        &differ::NO_DETAILS,
        &differ::MASKED,
    ] {
        reader.everywhere(section, "monitor", difference);
    }
    for difference in [&differ::CHECKS, &differ::FREQUENCY] {
        reader.everywhere(section, "frequency", difference);
    }
    for difference in [
        &differ::CASCADE,
        &differ::RETRIES,
        &differ::LIMITS,
        &differ::OTHER_EVENTS,
        &differ::LOG,
    ] {
        reader.everywhere(section, "alertDestination", difference);
    }
}

fn gates(reader: &mut Reader<'_>, section: &Section<'_>) -> Gates {
    let Some(all) = reader.section(section, "alertDestination") else {
        return Gates::default();
    };
    let mut gate = |key: &'static str| {
        reader.section(&all, key).is_some_and(|one| {
            let on = reader.is_on(&one, "enable");
            reader.finish(&one);
            on
        })
    };
    let gates = Gates {
        influxdb: gate("influxDb"),
        newrelic: gate("newRelic"),
        email: gate("email"),
        mqtt: gate("mqtt"),
        teams: gate("teams"),
        slack: gate("slack"),
        webhook: gate("webhook"),
    };
    reader.finish(&all);
    gates
}

/// The hosts. One that stands twice is one host with the services of both.
fn hosts(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<Made> {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut hosts: Vec<(Position, String, Vec<Made>)> = Vec::new();
    let mut services: Vec<BTreeSet<String>> = Vec::new();
    for host in reader.sections(section, "monitor") {
        let name = reader.needed(&host, "host", true);
        let found = reader.sections(&host, "services");
        let found: Vec<_> = found
            .iter()
            .filter_map(|one| service(reader, one))
            .collect();
        reader.finish(&host);
        let Some(name) = name else { continue };
        let place = *known.entry(name.to_lowercase()).or_insert_with(|| {
            hosts.push((host.at("host"), name.to_owned(), Vec::new()));
            services.push(BTreeSet::new());
            hosts.len().saturating_sub(1)
        });
        let (Some((_, _, all)), Some(seen)) = (hosts.get_mut(place), services.get_mut(place))
        else {
            continue;
        };
        for (name, made) in found {
            if seen.insert(name.to_lowercase()) {
                all.push(made);
            } else {
                reader.problems.warn(
                    made.at,
                    &host.path_of("services"),
                    format!("the service {} stands twice for this host", quoted(&name)),
                    "the first one counts; remove the other",
                );
            }
        }
    }
    hosts
        .into_iter()
        .map(|(at, name, services)| {
            made::map(
                at,
                [
                    ("name", made::text(at, name)),
                    ("services", made::list(at, services)),
                ],
            )
        })
        .collect()
}

fn service(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<(String, Made)> {
    let name = reader.needed(section, "name", true);
    let friendly = reader.text(section, "friendlyName");
    reader.finish(section);
    let name = name?;
    let at = section.at("name");
    // Butler tells a stop at once, whatever the service's failure actions are, and knows no restarts.
    let at_once = ("for", made::text(at, "0s"));
    let mut made = made::map(at, [("name", made::text(at, name)), at_once]);
    if let Some(friendly) = friendly.map(one_line).filter(|text| !text.is_empty()) {
        let text = made::text(section.at("friendlyName"), friendly);
        made.put("friendly_name", text);
    }
    Some((name.to_owned(), made))
}

/// Butler takes any text as a name for people; here it is one line of bounded length.
fn one_line(text: &str) -> String {
    let clean = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    text.chars().map(clean).take(FRIENDLY_NAME).collect()
}
