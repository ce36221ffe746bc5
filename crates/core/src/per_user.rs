//! Per-user services: each user who logs on gets an instance of his own, whose name is that of its template with the
//! number of the logon behind it (`CDPUserSvc_1a2b3`). Such names are new at each logon, so the template stands for all
//! of its instances.

use crate::{
    id::Name,
    observe::{Reading, ServiceReading, State},
    time::Span,
};
use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    string::String,
    vec::Vec,
};

/// Characters that the number of a logon may have: it is a LUID in hexadecimal.
const NUMBER_MAX: usize = 16;

/// The template of an instance by its name; nothing where the name is not made so.
pub fn template_of(instance: &str) -> Option<&str> {
    let (template, number) = instance.rsplit_once('_')?;
    let is_number = (1..=NUMBER_MAX).contains(&number.len())
        && number
            .chars()
            .all(|character| character.is_ascii_hexdigit() && !character.is_ascii_uppercase());
    (is_number && !template.is_empty()).then_some(template)
}

/// A list of services in which instances stand under the name of their template, each template once: as its worst
/// instance, and as it is itself where nobody is logged on. Each line says whether it is an instance.
pub fn folded(lines: impl IntoIterator<Item = (ServiceReading, bool)>) -> Vec<ServiceReading> {
    let mut services: Vec<ServiceReading> = Vec::new();
    let mut instances: BTreeMap<Name, ServiceReading> = BTreeMap::new();
    for (line, is_instance) in lines {
        let template = template_of(&line.name).filter(|_| is_instance);
        let Some(template) = template.map(String::from) else {
            services.push(line);
            continue;
        };
        match instances.entry(Name::new(&template)) {
            Entry::Occupied(mut known) => {
                if badness(&line.reading) > badness(&known.get().reading) {
                    known.get_mut().reading = line.reading;
                }
            }
            Entry::Vacant(place) => {
                let shown = template_of(&line.display_name).unwrap_or(&line.display_name);
                place.insert(ServiceReading {
                    display_name: shown.into(),
                    name: template,
                    reading: line.reading,
                });
            }
        }
    }
    if !instances.is_empty() {
        for service in &mut services {
            if let Some(instance) = instances.remove(&Name::new(&service.name)) {
                service.reading = instance.reading;
            }
        }
    }
    services.extend(instances.into_values());
    services
}

/// How much a state of an instance needs to be looked at.
const fn badness(reading: &Reading) -> u8 {
    match reading.state {
        State::Stopped if !matches!(reading.exit_code, Some(0 | NEVER_STARTED)) => 6,
        State::Paused => 5,
        State::StartPending | State::StopPending | State::ContinuePending | State::PausePending => {
            4
        }
        State::Unknown => 3,
        State::Stopped => 2,
        State::Running => 1,
        State::Missing => 0,
    }
}

/// Win32's ERROR_SERVICE_NEVER_STARTED: no attempt to start it since the machine started.
pub const NEVER_STARTED: u32 = 1077;

/// The reading of a template of which no instance runs: nobody is logged on.
pub const fn nobody() -> Reading {
    Reading {
        state: State::Stopped,
        pid: None,
        exit_code: Some(NEVER_STARTED),
        service_exit_code: Some(0),
        checkpoint: 0,
        wait_hint: Span::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    fn line(name: &str, state: State, exit_code: u32) -> ServiceReading {
        let reading = Reading {
            state,
            exit_code: Some(exit_code),
            ..nobody()
        };
        ServiceReading {
            name: name.to_string(),
            display_name: name.to_string(),
            reading,
        }
    }

    #[test]
    fn a_template_is_what_stands_before_the_number_of_the_logon() {
        for (name, wanted) in [
            ("CDPUserSvc_1a2b3", Some("CDPUserSvc")),
            ("OneSyncSvc_284643e4e", Some("OneSyncSvc")),
            ("My_Service_1", Some("My_Service")),
            (
                "clr_optimization_v4.0.30319_64",
                Some("clr_optimization_v4.0.30319"),
            ),
            ("CDPUserSvc", None),
            ("Some_Agent", None),
            ("Some_ABC", None),
            ("_1a", None),
            ("X_", None),
        ] {
            assert_eq!(template_of(name), wanted, "{name}");
        }
    }

    #[test]
    fn only_instances_are_folded_and_the_worst_one_stands_for_all() {
        let list = folded(vec![
            (line("clr_optimization_64", State::Stopped, 0), false),
            (line("CDPUserSvc", State::Stopped, NEVER_STARTED), false),
            (line("CDPUserSvc_1a", State::Running, 0), true),
            (line("CDPUserSvc_2b", State::Stopped, 1067), true),
            (line("CDPUserSvc_3c", State::Stopped, 0), true),
            (line("WpnUserService_1a", State::Running, 0), true),
        ]);
        let told: Vec<_> = list
            .iter()
            .map(|line| {
                (
                    line.name.as_str(),
                    line.reading.state,
                    line.reading.exit_code,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("clr_optimization_64", State::Stopped, Some(0)),
                ("CDPUserSvc", State::Stopped, Some(1067)),
                ("WpnUserService", State::Running, Some(0)),
            ]
        );
    }
}
