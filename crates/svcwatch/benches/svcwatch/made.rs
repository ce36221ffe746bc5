//! Made-up hosts and readings, for what is measured without a network.

use std::sync::Arc;
use svcwatch_core::effect::ProbeRequest;
use svcwatch_core::event::Event;
use svcwatch_core::guest::GuestPlan;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{
    HostReading, Logon, Observation, Outcome, Reading, ServiceConfig, ServiceReading, StartType,
    State,
};
use svcwatch_core::plan::{
    EntryPlan, Expect, HostPlan, NoticePlan, Plan, Selector, StoppedOk, StuckAfter,
};
use svcwatch_core::time::{Now, Span, Tick, Wall};

/// When the measurements begin, on both clocks, in milliseconds.
const BEGUN: (u64, i64) = (10_000_000_000, 1_767_225_600_000);

/// The account that all hosts are read with.
const ACCOUNT: &str = "ops";

/// The time so many milliseconds after the beginning.
pub(crate) fn at(milliseconds: u64) -> Now {
    Now {
        tick: Tick(BEGUN.0 + milliseconds),
        wall: Wall(BEGUN.1 + i64::try_from(milliseconds).unwrap_or(0)),
    }
}

/// The name of a host.
pub(crate) fn host(number: usize) -> Name {
    Name::new(&format!("srv-{number:05}"))
}

/// The key name of a service.
pub(crate) fn service(number: usize) -> String {
    format!("Service{number:03}")
}

/// So many hosts of so many watched services each, read every 30 s and told to nobody.
pub(crate) fn plan(hosts: usize, services: usize) -> Plan {
    let entries: Vec<EntryPlan> = (0..services)
        .map(|number| EntryPlan {
            selector: Selector::Name(Name::new(&service(number))),
            expect: Expect::Running,
            for_span: Span::ZERO,
            confirm: 1,
            instant: false,
            required: true,
            counted: false,
            remedy: None,
            recovery: false,
            stopped_ok: StoppedOk::Never,
            changes: false,
            noise: None,
            friendly_name: None,
            severity: None,
            labels: Arc::from([]),
        })
        .collect();
    let hosts = (0..hosts).map(|number| HostPlan {
        name: host(number),
        address: "192.0.2.1".to_owned(),
        site: Some(Arc::from("oslo")),
        account: Some(ACCOUNT.into()),
        every: Span::seconds(30).into(),
        timeout: Span::seconds(10),
        host_for: Span::seconds(90),
        boot_grace: Span::minutes(10),
        settle: Span::ZERO,
        also_known_as: Vec::new(),
        listed: false,
        tells_by_itself: false,
        labels: Arc::from([]),
        services: entries.clone(),
    });
    Plan {
        hosts: hosts.map(Arc::new).collect(),
        accounts: vec![ACCOUNT.into()],
        destinations: Vec::new(),
        routes: Vec::new(),
        notices: NoticePlan::default(),
        stuck_after: StuckAfter::default(),
        instant_off: false,
        evidence: None,
        maintenance: Vec::new(),
        groups: Vec::new(),
        guests: GuestPlan::default(),
    }
}

/// The answer to a probe: so many services, all running but those that are stopped.
pub(crate) fn answer(
    request: &ProbeRequest,
    services: usize,
    is_stopped: impl Fn(usize) -> bool,
) -> Observation {
    let services = (0..services).map(|number| {
        let stopped = is_stopped(number);
        ServiceReading {
            name: service(number),
            display_name: format!("The Service {number:03}"),
            reading: Reading {
                state: if stopped {
                    State::Stopped
                } else {
                    State::Running
                },
                pid: (!stopped).then_some(4_711),
                exit_code: Some(if stopped { 1_067 } else { 0 }),
                service_exit_code: Some(0),
                checkpoint: 0,
                wait_hint: Span::ZERO,
            },
        }
    });
    Observation {
        host: request.host.clone(),
        probe: request.probe,
        refusals: 0,
        administrator: None,
        took: Span(3),
        logon: if request.may_log_on {
            Logon::Accepted
        } else {
            Logon::None
        },
        computer_name: Some(request.host.as_str().to_uppercase()),
        outcome: Outcome::Read(HostReading {
            services: services.collect(),
            ..HostReading::default()
        }),
        session_kept: true,
    }
}

/// The answer to a question for configuration.
pub(crate) fn config(host: Name, services: &[Name]) -> Event {
    let services = services.iter().map(|service| ServiceConfig {
        name: service.as_str().to_owned(),
        start_type: Some(StartType::Automatic),
        ..ServiceConfig::default()
    });
    Event::ConfigRead {
        host,
        services: Ok(services.collect()),
    }
}
