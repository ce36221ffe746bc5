//! What is proposed is good, says why, and raises no alarm on the hosts that it was made from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use svcwatch_core::effect::Effect;
use svcwatch_core::engine::Engine;
use svcwatch_core::event::Event;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{
    HostReading, Logon, Observation, Outcome, Reading, ServiceConfig, ServiceReading, StartType,
    State,
};
use svcwatch_core::record::{Record, Restored};
use svcwatch_core::time::{Now, Span, Tick, Wall};

use super::*;
use crate::config::{self, Config, LoadOptions};

const AUTO: Option<StartType> = Some(StartType::Automatic);
const MANUAL: Option<StartType> = Some(StartType::Manual);

fn service(name: &str, state: State, start_type: Option<StartType>) -> SeenService {
    SeenService {
        name: name.to_owned(),
        display_name: format!("The {name} service"),
        state,
        exit_code: Some(0),
        start_type,
        trigger_start: Some(false),
        per_user: Some(false),
    }
}

fn host(name: &str, more: Vec<SeenService>) -> Seen {
    let mut services = vec![
        service("Dnscache", State::Running, AUTO),
        service("LanmanServer", State::Running, AUTO),
        service("Spooler", State::Running, AUTO),
        service("msiserver", State::Stopped, MANUAL),
        service("AppMgmt", State::Running, MANUAL),
        service("sppsvc", State::Stopped, AUTO),
        service("CDPUserSvc_1a2b3", State::Running, AUTO),
        service("ssh-agent", State::Stopped, Some(StartType::Disabled)),
        SeenService {
            trigger_start: Some(true),
            ..service("W32Time", State::Running, AUTO)
        },
        SeenService {
            exit_code: Some(1_077),
            ..service(
                "Forgotten",
                State::Stopped,
                Some(StartType::AutomaticDelayed),
            )
        },
    ];
    services.extend(more);
    Seen {
        name: name.to_owned(),
        services: Ok(services),
        ..Seen::new()
    }
}

fn estate() -> Vec<Seen> {
    let failed = |code| SeenService {
        exit_code: Some(code),
        ..service("Backup", State::Stopped, AUTO)
    };
    vec![
        Seen {
            computer_name: Some("SQL-A".to_owned()),
            site: Some("Oslo: east".to_owned()),
            labels: [("team".to_owned(), "it's db".to_owned())].into(),
            ..host(
                "srv01.corp.example",
                vec![
                    service(
                        "MSSQL$PROD",
                        State::Running,
                        Some(StartType::AutomaticDelayed),
                    ),
                    failed(1_067),
                ],
            )
        },
        Seen {
            address: Some("10.0.0.2".to_owned()),
            port: Some(4_450),
            ..host(
                "srv02",
                vec![service("W3SVC", State::Running, AUTO), failed(0)],
            )
        },
        host(
            "srv03",
            vec![
                service("W3SVC", State::Running, AUTO),
                service("Hidden way", State::Running, None),
                service("odd*name", State::Running, AUTO),
                service("evil\u{1b}[2J\n- name: x", State::Running, MANUAL),
            ],
        ),
        Seen {
            services: Err(
                "no cannot be read (timeout): no answer within 30 s\nhosts: [evil]".to_owned(),
            ),
            ..host("no", Vec::new())
        },
    ]
}

fn by(password: PasswordAt) -> As {
    As {
        account: Some(Account {
            user: "CORP\\svc'watch".to_owned(),
            password,
            encryption: Some("off"),
        }),
        remarks: Vec::new(),
    }
}

#[test]
fn the_machine_itself_needs_no_account() {
    let own = Seen {
        address: Some("localhost".to_owned()),
        own: true,
        ..host("SRV01", vec![service("Spooler", State::Running, AUTO)])
    };
    let by = As {
        account: None,
        remarks: Vec::new(),
    };
    let text = write(&[own], &by, Wall(1_790_000_000_000));
    assert!(!text.contains("credentials"), "{text}");
    let host = "  - name: SRV01\n    address: localhost\n    transport: local\n    services:\n";
    assert!(text.contains(host), "{text}");
    assert!(text.contains("- Spooler  # "), "{text}");
}

#[test]
fn each_line_says_why() {
    let text = write(
        &estate(),
        &by(PasswordAt::NewFile("monitor.password")),
        Wall(1_790_000_000_000),
    );
    insta::assert_snapshot!(text.replace(crate::VERSION, "VERSION"));
}

/// Writes the file and reads it as `check` does.
fn load(seen: &[Seen]) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("monitor.password");
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let path = folder.path().join("svcwatch.yaml");
    let text = write(seen, &by(PasswordAt::File(secret)), Wall(0));
    assert!(!text.contains("secret\n") && text.contains("monitor.password"));
    fs::write(&path, text).unwrap();
    let config =
        config::load(&[path], LoadOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let warnings: Vec<&str> = config
        .warnings
        .iter()
        .map(|warning| &*warning.what)
        .collect();
    assert!(
        warnings
            .iter()
            .all(|warning| warning.contains("destination")),
        "{warnings:?}"
    );
    config
}

fn observation(seen: &Seen, request: &svcwatch_core::effect::ProbeRequest) -> Observation {
    let services = seen
        .services
        .as_ref()
        .unwrap()
        .iter()
        .map(|service| ServiceReading {
            name: service.name.clone(),
            display_name: service.display_name.clone(),
            reading: Reading {
                state: service.state,
                pid: (service.state == State::Running).then_some(7),
                exit_code: service.exit_code,
                service_exit_code: None,
                checkpoint: 0,
                wait_hint: Span::ZERO,
            },
        });
    Observation {
        host: request.host.clone(),
        probe: request.probe,
        refusals: 0,
        administrator: None,
        took: Span(5),
        logon: if request.may_log_on {
            Logon::Accepted
        } else {
            Logon::None
        },
        computer_name: seen.computer_name.clone(),
        outcome: Outcome::Read(HostReading {
            services: services.collect(),
            asked: Vec::new(),
            uptime: None,
        }),
        session_kept: true,
    }
}

fn configs(seen: &Seen, names: &[Name]) -> Vec<ServiceConfig> {
    let services = seen.services.as_ref().unwrap().iter();
    services
        .filter(|service| names.contains(&Name::new(&service.name)))
        .map(|service| ServiceConfig {
            name: service.name.clone(),
            start_type: service.start_type,
            trigger_start: service.trigger_start,
            per_user: service.per_user,
            ..ServiceConfig::default()
        })
        .collect()
}

#[test]
fn it_raises_no_alarm_on_the_hosts_that_it_was_made_from() {
    let seen = estate();
    let config = load(&seen);
    let names: Vec<&str> = config
        .core
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["srv01.corp.example", "srv02", "srv03"],
        "who cannot be read is not watched"
    );
    let at = |second: u64| Now {
        tick: Tick(1_000_000_000_000 + second * 1_000),
        wall: Wall(1_790_000_000_000) + Span::seconds(second),
    };
    let of = |name: &Name| {
        seen.iter()
            .find(|host| Name::new(&host.name) == *name)
            .unwrap()
    };
    let (mut engine, first) =
        Engine::restore(Restored::default(), &Arc::new(config.plan(Wall(0))), at(0));
    let (mut steps, mut read) = (vec![first], 0);
    for second in 0..600 {
        let mut waiting: Vec<Event> = vec![Event::Tick];
        while let Some(event) = waiting.pop() {
            steps.push(engine.apply(at(second), event));
            for step in std::mem::take(&mut steps) {
                for record in &step.commit {
                    assert!(
                        !matches!(record, Record::Incident(_) | Record::Delivery(_)),
                        "{record:?}"
                    );
                }
                for effect in step.effects {
                    match effect {
                        Effect::Probe(request) => {
                            read += 1;
                            waiting.push(Event::Observed(observation(of(&request.host), &request)));
                        }
                        Effect::ReadConfig { host, services } => waiting.push(Event::ConfigRead {
                            services: Ok(configs(of(&host), &services)),
                            host,
                        }),
                        _ => {}
                    }
                }
            }
        }
    }
    assert!(read > 30, "only {read} checks");
    let explained = engine.explain(at(600), &Name::new("srv02"), None).unwrap();
    let watched: Vec<&str> = explained
        .services
        .iter()
        .map(|one| one.service.as_str())
        .collect();
    assert_eq!(watched, ["Dnscache", "LanmanServer", "Spooler", "W3SVC"]);
}

#[test]
fn many_hosts_make_few_groups() {
    let seen: Vec<Seen> = (0..1_500)
        .map(|number| {
            let own = service(&format!("Own{}", number % 3), State::Running, AUTO);
            let mine = service(&format!("Mine{number}"), State::Running, AUTO);
            host(&format!("srv{number:04}"), vec![own, mine])
        })
        .collect();
    let config = load(&seen);
    assert_eq!(config.core.hosts.len(), 1_500);
    assert!(
        config
            .core
            .hosts
            .iter()
            .all(|host| host.services.len() == 5)
    );
    assert_eq!(propose(&seen).groups.len(), 4);
}

#[test]
fn words_of_yaml_stay_texts() {
    for name in [
        "on",
        "No",
        "1e3",
        "it's",
        "a: b",
        "#x",
        "MSSQL$PROD",
        "null",
        "-",
        "a b",
        "~",
        "{x}",
    ] {
        let seen = [Seen {
            address: Some("10.0.0.1".to_owned()),
            ..host(name, Vec::new())
        }];
        let config = load(&seen);
        assert_eq!(config.core.hosts[0].name.as_str(), name);
    }
}
