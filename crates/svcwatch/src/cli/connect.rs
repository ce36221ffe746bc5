//! `svcwatch check --connect`: logs on to each host and destination and says what is visible and what lacks.
//!
//! It must not lock an account out either: of each account one host goes first, and after three that refuse its
//! password with no success between, the others are not tried. The accounts that act come afterwards ([`acting`]).

use super::{
    acting,
    failure::Failure,
    output::{Colour, Progress, Table, maybe, plain},
    visible,
};
use crate::{
    config::{Auth, Config, Connection, Credential},
    dest::sender::Destination,
    explain::ADMINISTRATOR,
    probe::{Access, Prober, turns::Tried},
    remedy::{Granted, Trial},
    wiring::{self, Logons, Reach},
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use svcwatch_core::{
    effect::ProbeRequest,
    evidence::LogUse,
    id::Name,
    limits::{CONFIGS_PER_READ_MAX, REFUSALS_MAX},
    observe::{Fault, HostReading, Logon, Outcome, ProbeId, Refusal, ServiceConfig},
    plan::{EntryPlan, Expect, HostPlan, Selector},
};
use tokio::task::JoinSet;

/// Hosts that are read at once, at most.
pub(super) const AT_ONCE: usize = 16;

/// What every host and destination answered.
#[derive(Debug, Serialize)]
pub(super) struct Connected {
    hosts: Vec<HostFound>,
    destinations: Vec<DestinationFound>,
}

/// What a host let us see.
#[derive(Debug, Clone, Serialize)]
pub(super) struct HostFound {
    host: String,
    address: String,
    /// The name by which the computer calls itself.
    computer_name: Option<String>,
    /// How many services it shows us.
    visible: Option<usize>,
    /// Services that the account may not see, as far as they are known.
    hidden: Vec<String>,
    /// Watched services whose configuration it may not read.
    unreadable: Vec<String>,
    /// How many of them the configuration means.
    watched: Option<usize>,
    /// Whether the account is an administrator there.
    administrator: Option<bool>,
    /// Whether it may read the event log there; nothing where that was not tried.
    event_log: Option<bool>,
    /// What is granted there to what acts; nothing where that was not tried.
    pub(super) acting: Option<Granted>,
    /// Why it cannot be read.
    pub(super) fault: Option<String>,
    /// What lacks, each a sentence.
    pub(super) lacks: Vec<String>,
    /// What is good to know, each a sentence.
    pub(super) notes: Vec<String>,
    /// What is to be tried with what acts there.
    #[serde(skip)]
    pub(super) trial: Trial,
    /// Whether its plan has a remedy that acts.
    #[serde(skip)]
    pub(super) remedied: bool,
    /// What it refused.
    #[serde(skip)]
    pub(super) refused: Option<Tried>,
}

/// What a destination answered.
#[derive(Debug, Serialize)]
struct DestinationFound {
    destination: String,
    reached: bool,
    answer: String,
}

impl Connected {
    pub(super) fn lacks_something(&self) -> bool {
        self.hosts
            .iter()
            .any(|host| host.fault.is_some() || !host.lacks.is_empty())
            || self
                .destinations
                .iter()
                .any(|destination| !destination.reached)
    }

    /// The hosts and the destinations.
    pub(super) fn tables(&self) -> (Table, Table) {
        let mut hosts = Table::new(&[
            "HOST",
            "COMPUTER",
            "VISIBLE",
            "WATCHED",
            "ADMIN",
            "WHAT LACKS",
        ]);
        for host in &self.hosts {
            let lacks = match (&host.fault, host.lacks.as_slice()) {
                (Some(fault), _) => (fault.clone(), Colour::Bad),
                (None, []) => (host.notes.join("; "), Colour::Plain),
                (None, lacks) => (lacks.join("; "), Colour::Bad),
            };
            hosts.row([
                plain(&host.host),
                maybe(host.computer_name.as_ref()),
                maybe(host.visible),
                maybe(host.watched),
                match host.administrator {
                    Some(true) => ("yes".to_owned(), Colour::Bad),
                    no => maybe(no.map(|_| "no")),
                },
                lacks,
            ]);
        }
        let mut destinations = Table::new(&["DESTINATION", "REACHED", "ANSWER"]);
        for found in &self.destinations {
            let reached = if found.reached {
                ("yes", Colour::Good)
            } else {
                ("no", Colour::Bad)
            };
            destinations.row([
                plain(&found.destination),
                (reached.0.to_owned(), reached.1),
                plain(&found.answer),
            ]);
        }
        (hosts, destinations)
    }
}

/// Connects to everything that the configuration names.
pub(super) async fn all(config: &Config) -> Result<Connected, Failure> {
    let progress = Progress::new();
    let destinations = destinations(config, &progress).await?;
    let hosts = hosts(config, &progress).await?;
    Ok(Connected {
        hosts,
        destinations,
    })
}

async fn destinations(
    config: &Config,
    progress: &Progress,
) -> Result<Vec<DestinationFound>, Failure> {
    let (config, url) = (config.clone(), config.web_url(config.listen));
    let ready = tokio::task::spawn_blocking(move || {
        let mut list = wiring::destination_list(&config)?;
        for (_, settings) in &mut list {
            settings.trial();
        }
        wiring::destinations(list, &url)
    });
    let ready = ready
        .await
        .map_err(|_| broken())?
        .map_err(Failure::Config)?;
    let mut checks = JoinSet::new();
    for destination in ready.iter() {
        checks.spawn(check_destination(Arc::clone(destination)));
    }
    let mut found = Vec::new();
    while let Some(one) = checks.join_next().await {
        found.push(one.map_err(|_| broken())?);
        progress.at(&format!("Waiting for {} destinations …", checks.len()));
    }
    found.sort_by(|one, other| one.destination.cmp(&other.destination));
    Ok(found)
}

async fn check_destination(destination: Arc<Destination>) -> DestinationFound {
    let checked = destination.check().await;
    DestinationFound {
        destination: destination.name().to_string(),
        reached: checked.is_ok(),
        answer: checked.unwrap_or_else(|error| error),
    }
}

pub(super) fn broken() -> Failure {
    Failure::met("a check broke off, which is a fault of svcwatch itself")
}

/// A host that is to be read.
#[derive(Debug, Clone)]
struct Job {
    plan: Arc<HostPlan>,
    connection: Connection,
    account: Option<(Name, Credential)>,
    logons: Arc<Logons>,
    /// Whether event logs are to be read.
    event_log: bool,
}

async fn hosts(config: &Config, progress: &Progress) -> Result<Vec<HostFound>, Failure> {
    let (reach, logons) = (Reach::new(config), Arc::<Logons>::default());
    let mut by_account: BTreeMap<Option<Name>, Vec<Job>> = BTreeMap::new();
    for plan in &config.core.hosts {
        let Some(connection) = reach.connection(&plan.name) else {
            continue;
        };
        let job = Job {
            plan: Arc::clone(plan),
            connection: connection.clone(),
            account: reach
                .credential(connection)
                .map(|(account, credential)| (account.clone(), credential.clone())),
            logons: Arc::clone(&logons),
            event_log: config
                .core
                .evidence
                .is_some_and(|plan| plan.log != LogUse::Off),
        };
        by_account
            .entry(plan.account.clone())
            .or_default()
            .push(job);
    }
    let total = config.core.hosts.len();
    let mut found = Vec::with_capacity(total);
    for jobs in by_account.into_values() {
        account(jobs, total, &mut found, progress).await?;
    }
    acting::try_all((reach, logons), &mut found, progress).await?;
    found.sort_by_cached_key(|host: &HostFound| host.host.to_lowercase());
    Ok(found)
}

/// Reads the hosts of one account: one at a time until one lets us in, then several at once.
async fn account(
    jobs: Vec<Job>,
    total: usize,
    found: &mut Vec<HostFound>,
    progress: &Progress,
) -> Result<(), Failure> {
    let mut refusals = 0_usize;
    let mut proven = false;
    let mut jobs = jobs.into_iter();
    while !proven && let Some(job) = jobs.next() {
        progress.at(&format!("Host {} of {total} …", found.len() + 1));
        if refusals >= REFUSALS_MAX {
            found.push(HostFound {
                fault: Some("not tried, because its account was refused before".to_owned()),
                ..HostFound::new(&job)
            });
            continue;
        }
        let bearable = refusals + 2 <= REFUSALS_MAX;
        let (host, refusal, logons) = Box::pin(read(job, if bearable { 2 } else { 1 })).await;
        proven = host.visible.is_some();
        refusals += match refusal {
            Some(refusal) if refusal.concerns_the_account() => REFUSALS_MAX,
            Some(Refusal::WrongPassword) => usize::from(logons),
            Some(_) | None => 0,
        };
        found.push(host);
    }
    let mut reading = JoinSet::new();
    loop {
        while reading.len() < AT_ONCE
            && let Some(job) = jobs.next()
        {
            reading.spawn(Box::pin(read(job, 2)));
        }
        let Some(host) = reading.join_next().await else {
            return Ok(());
        };
        found.push(host.map_err(|_| broken())?.0);
        progress.at(&format!("Host {} of {total} …", found.len()));
    }
}

impl HostFound {
    fn new(job: &Job) -> Self {
        Self {
            host: job.plan.name.to_string(),
            address: format!("{}:{}", job.connection.address, job.connection.port),
            computer_name: None,
            visible: None,
            hidden: Vec::new(),
            unreadable: Vec::new(),
            watched: None,
            administrator: None,
            event_log: None,
            acting: None,
            fault: None,
            lacks: Vec::new(),
            notes: Vec::new(),
            trial: acting::trial(&job.plan),
            remedied: acting::is_remedied(&job.plan),
            refused: None,
        }
    }
}

/// How a host of a job is reached, with the secrets as they are now.
async fn access_of(job: &Job) -> Result<Access, String> {
    let Some((account, credential)) = job.account.clone() else {
        return Ok(wiring::access(&job.connection, None, None));
    };
    let (logons, of_account) = (Arc::clone(&job.logons), credential.clone());
    let read = tokio::task::spawn_blocking(move || logons.read(&account, &of_account)).await;
    let passwords = read
        .map_err(|_| "reading the password broke off".to_owned())?
        .map_err(|error| error.to_string())?;
    Ok(wiring::access(
        &job.connection,
        Some(&credential),
        Some(passwords),
    ))
}

/// What a host lets us see, how it refused the account if it did, and how many logons it refused.
async fn read(job: Job, logons: u8) -> (HostFound, Option<Refusal>, u8) {
    let mut found = HostFound::new(&job);
    let access = match access_of(&job).await {
        Ok(access) => access,
        Err(error) => {
            found.fault = Some(error);
            return (found, None, 0);
        }
    };
    let plan = &job.plan;
    if let Auth::NoKerberos(why) = job.connection.auth {
        found
            .notes
            .push(format!("it is logged on to with NTLM, because {why}"));
    }
    let request = ProbeRequest {
        host: plan.name.clone(),
        probe: ProbeId(1),
        may_log_on: true,
        logons,
        ask: named(plan).cloned().chain(visible::always()).collect(),
        uptime: false,
        timeout: plan.timeout,
    };
    let prober = Prober::new();
    let observation = prober.check(&request, &access).await;
    let refusals = observation.refusals;
    if refusals > 0
        && observation.logon == Logon::Accepted
        && let Some((account, _)) = &job.account
    {
        job.logons.second_accepted(account);
        found.notes.push(format!(
            "it refused the password of {account} that was tried first and accepted the other"
        ));
    }
    found.computer_name = observation.computer_name;
    found.administrator = observation.administrator;
    if found.administrator == Some(true) {
        found.notes.push(ADMINISTRATOR.to_owned());
    }
    match observation.outcome {
        Outcome::Read(reading) => {
            let configs = configs(&prober, plan, &reading, &mut found).await;
            judge(plan, &reading, &configs, &mut found);
            found.trial.computer.clone_from(&found.computer_name);
            found.trial.services = acting::services(plan, &reading, &configs);
            try_event_log(&prober, &job, &access, &mut found).await;
        }
        Outcome::Fault(fault) => {
            found.fault = Some(format!("{}: {}", fault.fault, fault.cause));
            if fault.refusal.is_some() {
                found.refused = Some(Tried::of(&access));
            }
            if fault.fault == Fault::AccessDenied {
                found.lacks.push(visible::MEND.to_owned());
            }
            return (found, fault.refusal, refusals);
        }
        Outcome::LogonNeeded => {
            found.fault = Some("the session ended before it was used".to_owned());
        }
    }
    prober.forget(&plan.name).await;
    (found, None, refusals)
}

/// Tries the event log of a host where it is wanted.
async fn try_event_log(prober: &Prober, job: &Job, access: &Access, found: &mut HostFound) {
    if job.event_log
        && let Some(tried) = visible::event_log(prober, &job.plan, access).await
    {
        found.event_log = Some(tried.is_ok());
        found.lacks.extend(tried.err());
    }
}

/// The services that entries name exactly.
fn named(plan: &HostPlan) -> impl Iterator<Item = &Name> {
    plan.services
        .iter()
        .filter_map(|entry| match &entry.selector {
            Selector::Name(name) => Some(name),
            Selector::NameGlob(_) | Selector::DisplayName(_) | Selector::Start(_) => None,
        })
}

/// How the services are set up: all where an entry selects by start type, else those that are watched.
async fn configs(
    prober: &Prober,
    plan: &HostPlan,
    reading: &HostReading,
    found: &mut HostFound,
) -> Vec<ServiceConfig> {
    let mut configs = Vec::new();
    let by_start = |entry: &EntryPlan| matches!(entry.selector, Selector::Start(_));
    let all = plan.services.iter().any(by_start);
    let meant = |name: &str, display_name: &str| {
        let mut entries = plan.services.iter();
        entries.any(|entry| visible::selects(entry, name, display_name, &[]))
    };
    let names: Vec<Name> = reading
        .services
        .iter()
        .filter(|service| all || meant(&service.name, &service.display_name))
        .map(|service| Name::new(&service.name))
        .collect();
    for names in names.chunks(CONFIGS_PER_READ_MAX) {
        match prober
            .read_config(&plan.name, names, plan.timeout.times(3))
            .await
        {
            Ok(more) => configs.extend(more),
            Err(fault) => {
                found.lacks.push(format!(
                    "how its services are set up cannot be read: {}",
                    fault.cause
                ));
                break;
            }
        }
    }
    configs
}

fn judge(plan: &HostPlan, reading: &HostReading, configs: &[ServiceConfig], found: &mut HostFound) {
    found.visible = Some(reading.services.len());
    let watched = reading.services.iter().filter(|service| {
        plan.services
            .iter()
            .any(|entry| visible::selects(entry, &service.name, &service.display_name, configs))
    });
    found.watched = Some(watched.count());
    if let Some(computer) = &found.computer_name
        && !plan
            .name
            .as_str()
            .split('.')
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(computer))
    {
        found.notes.push(format!(
            "it calls itself {computer}, which is remembered and is no fault"
        ));
    }
    let wanted = plan.services.iter();
    for entry in wanted.filter(|entry| entry.expect != Expect::Absent) {
        if let Some(lack) = visible::lack(entry, reading, configs) {
            if entry.required {
                found.lacks.push(lack);
            } else {
                found.notes.push(lack);
            }
        }
    }
    found.hidden = visible::hidden(reading);
    found.unreadable = visible::unreadable(configs);
    let lacks = visible::lacks(reading.services.len(), &found.hidden, &found.unreadable);
    found.lacks.extend(lacks);
}
