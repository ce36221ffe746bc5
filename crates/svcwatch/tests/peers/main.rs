//! The program against real servers: Samba, and Wine's service control manager behind it, an MQTT broker and InfluxDB.
//!
//! These need root and the Debian packages that `cargo xtask peers` installs; without them they fail and say so.

mod acting;
mod cli;
mod dashboards;
mod dead;
#[path = "../it/dest_support.rs"]
#[expect(dead_code, reason = "each test program uses its own part of this")]
mod dest_support;
mod event_log;
mod events;
mod evidence;
mod evidence_whole;
#[path = "../it/feed_support.rs"]
#[expect(dead_code, reason = "each test program uses its own part of this")]
mod feed_support;
mod guests;
mod hostile;
mod influx;
mod instant;
mod kerberos;
mod mqtt;
mod packages;
mod prometheus;
mod reboot;
mod remedy;
#[path = "../it/run_support.rs"]
#[expect(dead_code, reason = "each test program uses its own part of this")]
mod run_support;
mod samba;
mod scrape;
mod story;
mod support;
mod windows;
mod wine;

use svcwatch::probe::{Access, Auth, Encryption, Prober, Transport};
use svcwatch::secret::Secret;
use svcwatch_core::effect::ProbeRequest;
use svcwatch_core::id::Name;
use svcwatch_core::observe::{
    HostFault, HostReading, Observation, Outcome, ProbeId, ServiceReading,
};
use svcwatch_core::time::Span;

/// The host's name in these tests.
const HOST: &str = "ci-host";

/// A check that may log on and asks for the given names besides.
fn request(ask: &[&str]) -> ProbeRequest {
    ProbeRequest {
        host: Name::new(HOST),
        probe: ProbeId(1),
        may_log_on: true,
        logons: 1,
        ask: ask.iter().map(|name| Name::new(name)).collect(),
        uptime: false,
        // Ten times what a check promises, and the first use of a pipe takes Samba seconds.
        timeout: Span::seconds(30),
    }
}

/// Access to a server on this machine.
fn access(port: u16, user: &str, password: &str, encryption: Encryption) -> Access {
    Access {
        address: "127.0.0.1".into(),
        port,
        transport: Transport::Smb { encryption },
        user: user.into(),
        password: Secret::new(password),
        second_password: None,
        auth: Auth::Ntlm,
    }
}

/// One check on a new session.
async fn check_once(access: &Access) -> Observation {
    Prober::new().check(&request(&[]), access).await
}

/// What was read; fails the test where nothing was.
fn read(observation: Observation) -> HostReading {
    match observation.outcome {
        Outcome::Read(reading) => reading,
        other => panic!("the host was not read: {other:?}"),
    }
}

/// The fault; fails the test where there is none.
fn fault(observation: Observation) -> HostFault {
    match observation.outcome {
        Outcome::Fault(fault) => fault,
        other => panic!("the host has no fault: {other:?}"),
    }
}

/// One service of a list.
fn find<'a>(reading: &'a HostReading, name: &str) -> &'a ServiceReading {
    let names: Vec<_> = reading
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    let found = reading.services.iter().find(|service| service.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in the list: {names:?}"))
}
