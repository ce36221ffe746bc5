//! `svcwatch init`.

use super::{
    failure::Failure,
    output::{self, Progress},
    password,
    services::When,
};
use crate::{
    clock, config,
    init::{self, Account, As, PasswordAt, Seen, SeenService},
    os,
    probe::{Access, Auth, Encryption, Prober, Transport},
    secret::Secret,
};
use clap::{Args, ValueEnum};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use svcwatch_core::{
    effect::ProbeRequest,
    id::Name,
    limits::{CONFIGS_PER_READ_MAX, REFUSALS_MAX},
    observe::{HostFault, HostReading, Outcome, ProbeId, Refusal, ServiceConfig},
    time::Span,
};
use tokio::task::JoinSet;

/// Hosts that are read at once, at most.
const AT_ONCE: usize = 16;
/// Where the password is to be put where it was typed in.
const PASSWORD_FILE: &str = "monitor.password";

/// Write a first configuration from what hosts show, with the reason for each proposal
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch init --host srv01.corp.example --host srv02.corp.example --user 'CORP\\svcwatch' -o svcwatch.yaml
  svcwatch init --from servers.csv --user 'CORP\\svcwatch' --password-file monitor.password > svcwatch.yaml

The list is a CSV file whose first line names its columns: name, and any of address, port, site and labels. \
Proposed is what runs and starts with Windows by itself; what is left out stands in the file with the reason.

On Windows, without --user, hosts are read by the Windows API as whoever runs this; without --host and --from it is \
this computer that is read.

Exit code 1 where a host could not be read; the file is written if one could.")]
pub(super) struct Arguments {
    /// A host, by its name or address
    #[cfg_attr(
        not(windows),
        arg(long, value_name = "HOST", required_unless_present = "from")
    )]
    #[cfg_attr(windows, arg(long, value_name = "HOST"))]
    host: Vec<String>,
    /// A list of hosts
    #[arg(long, value_name = "FILE.csv")]
    from: Option<PathBuf>,
    /// The port of SMB, where a host has none of its own
    #[arg(long, value_name = "N", default_value_t = 445, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The account: DOMAIN\user, user@domain or user
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// The file that holds its password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Whether the connections must be encrypted; they are signed always
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    encryption: When,
    /// How the services are read
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    transport: How,
    /// How long one host may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// The file to write; stdout if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "output")]
    force: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(path) = arguments
        .output
        .as_deref()
        .filter(|path| !arguments.force && path.exists())
    {
        return Err(Failure::usage(there_already(path)));
    }
    let How::Rpc = arguments.transport;
    let by_api = by_api(&arguments)?;
    let (mut hosts, remarks) = hosts_of(&arguments)?;
    let (account, way) = if by_api {
        for host in &mut hosts {
            host.own = os::is_this_computer(host.address.as_ref().unwrap_or(&host.name));
        }
        (None, Way::Api)
    } else {
        let who = hosts.first().map_or("the hosts", |host| host.name.as_str());
        let (account, password) = account_of(&arguments, who)?;
        let way = Way::Smb {
            user: account.user.clone(),
            password,
            encryption: arguments.encryption.into(),
        };
        (Some(account), way)
    };
    let by = As { account, remarks };
    let look = Look {
        way,
        port: arguments.port,
        timeout: Span::seconds(arguments.timeout),
    };
    let seen = look.all(hosts).await?;
    let unread = seen.iter().filter_map(|host| host.services.as_ref().err());
    let unread: Vec<&String> = unread.collect();
    for why in &unread {
        output::complain(&format!("svcwatch: {why}"));
    }
    if unread.len() == seen.len() {
        output::complain("svcwatch: no host could be read, so nothing is written");
        return Err(Failure::Told);
    }
    let text = init::write(&seen, &by, clock::wall());
    match &arguments.output {
        None => output::print(&text)?,
        Some(path) => {
            store(path, &text, arguments.force)?;
            output::complain(&format!(
                "{} is written; read it before you use it",
                path.display()
            ));
        }
    }
    if unread.is_empty() {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}

/// Whether hosts are read by the Windows API, as whoever runs this: on Windows, where no account is named.
fn by_api(arguments: &Arguments) -> Result<bool, Failure> {
    let nobody = arguments.user.is_none() && arguments.password_file.is_none();
    if cfg!(windows) && nobody {
        return Ok(true);
    }
    if arguments.host.is_empty() && arguments.from.is_none() {
        return Err(Failure::usage(
            "no host is named, and this computer is read as whoever runs this; leave --user and --password-file away, or name hosts with --host or --from",
        ));
    }
    Ok(false)
}

/// The account that hosts are logged on to with, and its password.
fn account_of(arguments: &Arguments, who: &str) -> Result<(Account, Secret), Failure> {
    let user = match &arguments.user {
        Some(user) => user.clone(),
        None => super::services::ask_user(who)?,
    };
    let password = password::of(&user, arguments.password_file.clone())?;
    let account = Account {
        user,
        password: password_at(arguments.password_file.as_deref()),
        encryption: match arguments.encryption {
            When::Required => None,
            When::Preferred => Some("preferred"),
            When::Off => Some("off"),
        },
    };
    Ok((account, password))
}

/// This computer, among the hosts.
fn this_computer() -> Seen {
    Seen {
        name: os::computer_name().unwrap_or_else(|| "localhost".to_owned()),
        address: Some("localhost".to_owned()),
        ..Seen::new()
    }
}

fn there_already(path: &Path) -> String {
    format!(
        "{} is there already; give another name, or write over it with --force",
        path.display()
    )
}

/// Writes the file; one that is there stays unless somebody said otherwise.
fn store(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(there_already(path)),
        _ => Failure::met(format!("{} cannot be written: {error}", path.display())),
    })
}

/// Where the file is to say that the password stands: where it was found.
fn password_at(file: Option<&Path>) -> PasswordAt {
    match file {
        Some(path) => {
            PasswordAt::File(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
        }
        None if password::is_set() => PasswordAt::Variable(password::VARIABLE),
        None => PasswordAt::NewFile(PASSWORD_FILE),
    }
}

/// The hosts that are to be looked at, and what is to be said of the list.
fn hosts_of(arguments: &Arguments) -> Result<(Vec<Seen>, Vec<String>), Failure> {
    let (mut hosts, mut remarks): (BTreeMap<Name, Seen>, Vec<String>) =
        (BTreeMap::new(), Vec::new());
    if let Some(path) = &arguments.from {
        // Otherwise a list of the configuration would be spoken of, which this is not.
        let is_pattern = path.to_str().is_some_and(|path| path.contains(['*', '?']));
        if !is_pattern && let Err(error) = File::open(path) {
            return Err(Failure::usage(format!(
                "--from: {} cannot be read: {error}",
                path.display()
            )));
        }
        let listed = config::read_list(path)?;
        if listed.iter().any(|host| host.credentials.is_some()) {
            remarks.push("The column credentials of the list was not used: all hosts were read with one account.".to_owned());
        }
        for host in listed {
            let seen = Seen {
                name: host.name,
                address: host.address,
                port: host.port,
                site: host.site,
                labels: host.labels,
                ..Seen::new()
            };
            hosts.insert(Name::new(&seen.name), seen);
        }
    }
    for name in &arguments.host {
        config::is_address(name)
            .map_err(|(what, instead)| Failure::usage(format!("--host: {what}; {instead}")))?;
        hosts.entry(Name::new(name)).or_insert_with(|| Seen {
            name: name.clone(),
            ..Seen::new()
        });
    }
    if arguments.from.is_none() && arguments.host.is_empty() {
        let own = this_computer();
        hosts.insert(Name::new(&own.name), own);
    }
    if hosts.is_empty() {
        return Err(Failure::usage(
            "the list names no host; write hosts into it",
        ));
    }
    let usual = (arguments.port != 445).then_some(arguments.port);
    let hosts = hosts.into_values().map(|mut host| {
        host.port = host.port.or(usual);
        host
    });
    Ok((hosts.collect(), remarks))
}

/// How the services are read.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum How {
    /// MS-SCMR over SMB
    #[default]
    Rpc,
}

/// How hosts are looked at.
#[derive(Debug, Clone)]
struct Look {
    way: Way,
    port: u16,
    timeout: Span,
}

/// In which way.
#[derive(Debug, Clone)]
enum Way {
    /// Over SMB, with an account.
    Smb {
        user: String,
        password: Secret,
        encryption: Encryption,
    },
    /// By the Windows API, as whoever runs this.
    Api,
}

impl Way {
    /// The transport, and the user with its password.
    fn parts(&self) -> (Transport, String, Secret) {
        match self {
            Self::Smb {
                user,
                password,
                encryption,
            } => {
                let encryption = *encryption;
                let transport = Transport::Smb { encryption };
                (transport, user.clone(), password.clone())
            }
            Self::Api => (Transport::Local, String::new(), Secret::default()),
        }
    }
}

impl Look {
    /// Looks at all hosts: one at a time until one lets us in, so that no account is locked out, then several at once.
    async fn all(&self, hosts: Vec<Seen>) -> Result<Vec<Seen>, Failure> {
        let progress = Progress::new();
        let total = hosts.len();
        let (mut seen, mut refusals, mut proven) = (Vec::with_capacity(total), 0_usize, false);
        let mut hosts = hosts.into_iter();
        while !proven && let Some(mut host) = hosts.next() {
            progress.at(&format!("Host {} of {total} …", seen.len() + 1));
            if refusals >= REFUSALS_MAX {
                host.services = Err(format!(
                    "{}: it was not tried, because the account was refused before",
                    host.name
                ));
                seen.push(host);
                continue;
            }
            let (host, refusal) = Box::pin(self.one(host)).await;
            proven = host.services.is_ok();
            refusals += match refusal {
                Some(refusal) if refusal.concerns_the_account() => REFUSALS_MAX,
                Some(Refusal::WrongPassword) => 1,
                Some(_) | None => 0,
            };
            seen.push(host);
        }
        let mut reading = JoinSet::new();
        loop {
            while reading.len() < AT_ONCE
                && let Some(host) = hosts.next()
            {
                let look = self.clone();
                reading.spawn(async move { Box::pin(look.one(host)).await.0 });
            }
            let Some(host) = reading.join_next().await else {
                break;
            };
            let broken = "reading a host broke off, which is a fault of svcwatch itself";
            seen.push(host.map_err(|_| Failure::met(broken))?);
            progress.at(&format!("Host {} of {total} …", seen.len()));
        }
        seen.sort_by_cached_key(|host| host.name.to_lowercase());
        Ok(seen)
    }

    /// Looks at one host, and gives how it refused the account if it did.
    async fn one(&self, mut host: Seen) -> (Seen, Option<Refusal>) {
        let name = Name::new(&host.name);
        let (transport, user, password) = self.way.parts();
        let access = Access {
            address: host.address.clone().unwrap_or_else(|| host.name.clone()),
            port: host.port.unwrap_or(self.port),
            transport,
            user,
            password,
            second_password: None,
            auth: Auth::Ntlm,
        };
        let request = ProbeRequest {
            host: name.clone(),
            probe: ProbeId(1),
            may_log_on: true,
            logons: 1,
            ask: Arc::from([]),
            uptime: false,
            timeout: self.timeout,
        };
        let prober = Prober::new();
        let observation = Box::pin(prober.check(&request, &access)).await;
        host.computer_name = observation
            .computer_name
            .filter(|computer| *computer != host.name);
        let cannot =
            |fault: &HostFault| format!("{name} cannot be read ({}): {}", fault.fault, fault.cause);
        let mut refusal = None;
        host.services = match observation.outcome {
            Outcome::Read(reading) => {
                let configs = self.configs(&prober, &name, &reading).await;
                Ok(services(reading, &configs))
            }
            Outcome::Fault(fault) => {
                refusal = fault.refusal;
                Err(cannot(&fault))
            }
            Outcome::LogonNeeded => Err(format!(
                "{name} cannot be read: the session ended before it was used"
            )),
        };
        prober.forget(&name).await;
        (host, refusal)
    }

    /// How the services are set up, as far as we may read it.
    async fn configs(
        &self,
        prober: &Prober,
        host: &Name,
        reading: &HostReading,
    ) -> BTreeMap<Name, ServiceConfig> {
        let names = reading
            .services
            .iter()
            .map(|service| Name::new(&service.name));
        let names: Vec<Name> = names.collect();
        let mut found = BTreeMap::new();
        for names in names.chunks(CONFIGS_PER_READ_MAX) {
            match Box::pin(prober.read_config(host, names, self.timeout)).await {
                Ok(configs) => {
                    let configs = configs.into_iter();
                    found.extend(configs.map(|config| (Name::new(&config.name), config)));
                }
                Err(fault) => {
                    output::complain(&format!(
                        "svcwatch: how services of {host} are set up cannot be read: {}",
                        fault.cause
                    ));
                    break;
                }
            }
        }
        found
    }
}

fn services(reading: HostReading, configs: &BTreeMap<Name, ServiceConfig>) -> Vec<SeenService> {
    let services = reading.services.into_iter().map(|service| {
        let config = configs.get(&Name::new(&service.name));
        SeenService {
            state: service.reading.state,
            exit_code: service.reading.exit_code,
            start_type: config.and_then(|config| config.start_type),
            trigger_start: config.and_then(|config| config.trigger_start),
            per_user: config.and_then(|config| config.per_user),
            name: service.name,
            display_name: service.display_name,
        }
    });
    services.collect()
}
