//! The configuration that a simulated fleet is watched with: what somebody would write for such hosts.

use super::Settings;
use super::cast::Cast;
use super::world::{Target, World};
use crate::config::{
    Auth, Config, Connection, Credential, DestinationSettings, Encryption, GuestSettings,
    LogSettings, Notes, SecretSource, Transport, WordingSettings, usual_modules,
};
use crate::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use svcwatch_core::evidence::{EvidencePlan, Late, LogUse};
use svcwatch_core::glob::Glob;
use svcwatch_core::guest::GuestPlan;
use svcwatch_core::id::Name;
use svcwatch_core::observe::StartType;
use svcwatch_core::plan::{
    DestinationPlan, EntryPlan, Expect, HostPlan, NoticePlan, Plan, Selector, StoppedOk, StuckAfter,
};
use svcwatch_core::time::Span;

/// The account that the hosts are read with.
const ACCOUNT: &str = "fleet";
/// Its user name.
const USER: &str = r"DEMO\svcwatch";
/// The destination that is told on the terminal.
const TERMINAL: &str = "terminal";
/// The shortest time between two checks of a host, in milliseconds.
const SHORTEST: u64 = 100;

/// How fast the fleet is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often each host is read.
    pub every: Span,
    /// How long one check may take.
    pub timeout: Span,
    /// How long a fault of a host must last before it is told.
    pub host_for: Span,
    /// How long a notice about a host's services is held.
    pub settle: Span,
    /// How long notices about services are held after a boot.
    pub boot_grace: Span,
    /// When a service that starts is stuck.
    pub stuck: Span,
}

impl Pace {
    /// That of a demo: few hosts are read more often, so that it is lively; many as in real life.
    pub fn new(hosts: usize, speed: f64) -> Self {
        let every = match hosts {
            0..=500 => Span::seconds(2),
            501..=2_000 => Span::seconds(5),
            _ => Span::seconds(30),
        };
        let faster = |span: Span| {
            let shorter = std::time::Duration::from_millis(span.0).div_f64(speed);
            Span(u64::try_from(shorter.as_millis()).unwrap_or(u64::MAX))
        };
        Self {
            every: Span(faster(every).0.max(SHORTEST)),
            // The program does not get faster, so neither does what it is given time for.
            timeout: Span(faster(Span::seconds(3)).0.clamp(500, 3_000)),
            host_for: faster(Span::seconds(5)),
            settle: faster(Span::seconds(1)),
            boot_grace: faster(Span::seconds(20)),
            stuck: faster(Span::seconds(15)),
        }
    }
}

/// Where a fleet is reached, which may run in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Where every host can be asked.
    pub hosts: SocketAddr,
    /// Where nothing listens, for the hosts that cannot even be connected to.
    pub nobody: SocketAddr,
}

/// The configuration for a fleet; what is told goes to the file.
pub fn config(
    world: &World,
    cast: &Cast,
    reached: Reached,
    pace: Pace,
    listen: SocketAddr,
    told: PathBuf,
) -> Config {
    let refusing: BTreeSet<usize> = cast.refusing().collect();
    let connections = (0..world.len()).map(|host| {
        let address = if refusing.contains(&host) {
            reached.nobody
        } else {
            reached.hosts
        };
        let connection = Connection {
            address: address.ip().to_string(),
            port: address.port(),
            credentials: Some(Name::new(ACCOUNT)),
            auth: Auth::Ntlm,
            acting: None,
            encryption: Encryption::Off,
            transport: Transport::Loopback,
            timeout: pace.timeout,
        };
        (Name::new(world.host_name(host)), connection)
    });
    let credential = Credential {
        user: USER.to_owned(),
        password: Some(SecretSource::Text(Secret::from(
            "the simulated fleet asks for no password",
        ))),
        previous: None,
        realm: None,
        file: None,
        kdc: Vec::new(),
        acting: false,
    };
    let log = LogSettings {
        path: Some(told),
        wording: WordingSettings::default(),
        timeout: Span::seconds(10),
    };
    let terminal = Name::new(TERMINAL);
    Config {
        calendar: crate::calendar::Calendar::default(),
        core: plan(world, pace),
        connections: connections.collect(),
        credentials: BTreeMap::from([(Name::new(ACCOUNT), credential)]),
        destinations: BTreeMap::from([(terminal, DestinationSettings::Log(log))]),
        links: Arc::from([]),
        listen,
        data: None,
        runbooks: None,
        web_url: None,
        web_config: None,
        modules: usual_modules(),
        guests: GuestSettings::default(),
        web_tls: false,
        retention: Span::hours(24),
        warnings: Vec::new(),
        lists: Vec::new(),
        notes: Notes::default(),
        files: Vec::new(),
    }
}

/// What is watched and told.
fn plan(world: &World, pace: Pace) -> Plan {
    let sites: BTreeMap<&str, Arc<str>> = (0..world.len())
        .map(|host| (world.site(host), Arc::from(world.site(host))))
        .collect();
    let hosts = (0..world.len()).map(|host| HostPlan {
        name: Name::new(world.host_name(host)),
        address: "127.0.0.1".to_owned(),
        site: sites.get(world.site(host)).cloned(),
        account: Some(Name::new(ACCOUNT)),
        every: pace.every.into(),
        timeout: pace.timeout,
        host_for: pace.host_for,
        settle: pace.settle,
        boot_grace: pace.boot_grace,
        also_known_as: Vec::new(),
        listed: false,
        tells_by_itself: false,
        labels: Arc::from([]),
        services: entries(world, host),
    });
    Plan {
        hosts: hosts.map(Arc::new).collect(),
        accounts: vec![Name::new(ACCOUNT)],
        destinations: vec![DestinationPlan {
            name: Name::new(TERMINAL),
            recipients: vec![Arc::from("")],
            limit: None,
        }],
        routes: Vec::new(),
        instant_off: false,
        evidence: Some(EvidencePlan {
            wait: Span(500),
            deadline: Span::seconds(10),
            hosts_at_once: 16,
            // Simulated hosts have no event log.
            log: LogUse::Off,
            late: Late::Store,
        }),
        notices: NoticePlan::default(),
        maintenance: Vec::new(),
        groups: Vec::new(),
        guests: GuestPlan::default(),
        stuck_after: StuckAfter {
            start: pace.stuck,
            stop: pace.stuck,
            boot: pace.stuck,
        },
    }
}

/// The services of a host: those that it is there for by name, the instances of a database by what they begin with,
/// and of the hosts that keep backups whatever starts by itself.
fn entries(world: &World, host: usize) -> Vec<EntryPlan> {
    let (instances, named): (Vec<Target>, Vec<Target>) = world
        .watched(host)
        .into_iter()
        .partition(|target| world.service_name(*target).contains('$'));
    let mut entries: Vec<EntryPlan> = named
        .into_iter()
        .map(|target| entry(Selector::Name(Name::new(world.service_name(target))), true))
        .collect();
    if !instances.is_empty() {
        for glob in ["MSSQL$*", "SQLAgent$*"] {
            entries.push(entry(Selector::NameGlob(Glob::new(glob)), false));
        }
    }
    if world.host_name(host).starts_with("backup-") {
        entries.push(entry(Selector::Start(StartType::Automatic), false));
    }
    entries
}

fn entry(selector: Selector, required: bool) -> EntryPlan {
    let stopped_ok = match selector {
        Selector::Start(_) => StoppedOk::Exit0,
        Selector::Name(_) | Selector::NameGlob(_) | Selector::DisplayName(_) => StoppedOk::Never,
    };
    EntryPlan {
        selector,
        stopped_ok,
        changes: false,
        noise: None,
        expect: Expect::Running,
        for_span: Span::ZERO,
        confirm: 1,

        instant: false,
        required,
        counted: false,
        remedy: None,
        recovery: false,
        friendly_name: None,
        severity: None,
        labels: Arc::from([]),
    }
}

impl Settings {
    /// How fast the fleet is watched.
    pub fn pace(&self) -> Pace {
        Pace::new(self.hosts, self.speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hosts_are_read_as_in_real_life_and_a_speed_makes_everything_shorter() {
        assert_eq!(Pace::new(5_000, 1.0).every, Span::seconds(30));
        assert_eq!(Pace::new(200, 1.0).every, Span::seconds(2));
        let fast = Pace::new(200, 10.0);
        assert_eq!(fast.every, Span(200));
        assert_eq!(fast.settle, Span(100));
        assert_eq!(Pace::new(200, 1_000.0).every, Span(SHORTEST));
    }

    #[test]
    fn a_scraper_that_names_no_module_is_given_every_service() {
        let world = World::new(3);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
        let reached = Reached {
            hosts: nobody,
            nobody,
        };
        let (cast, pace) = (Cast::new(&world, 1), Pace::new(3, 1.0));
        let config = config(&world, &cast, reached, pace, nobody, PathBuf::new());
        assert_eq!(config.modules, usual_modules());
    }

    #[test]
    fn a_database_is_watched_by_name_and_its_instances_by_what_they_begin_with() {
        let world = World::new(100);
        let entries = entries(&world, world.find("sql-01").unwrap());
        let words: Vec<String> = entries.iter().map(|one| one.selector.in_words()).collect();
        assert!(words.contains(&"name: MSSQLSERVER".to_owned()), "{words:?}");
        assert!(words.contains(&"name: MSSQL$*".to_owned()), "{words:?}");
        assert!(!words.contains(&"name: MSSQL$PROD".to_owned()), "{words:?}");
        let backup = super::entries(&world, world.find("backup-01").unwrap());
        assert!(
            backup
                .iter()
                .any(|one| one.selector == Selector::Start(StartType::Automatic))
        );
    }
}
