//! `svcwatch services`.

use super::{
    Format, Output,
    failure::Failure,
    output::{self, Colour, Progress, Table, maybe, plain},
    password,
};
use crate::probe::{Access, Auth, Encryption, Prober, Transport};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::{
    collections::HashMap,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
};
use svcwatch_core::{
    effect::ProbeRequest,
    id::Name,
    limits::CONFIGS_PER_READ_MAX,
    observe::{HostFault, HostReading, Outcome, ProbeId, ServiceReading, StartType, State},
    time::Span,
};

/// List the services of a host
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch services srv01.corp.example --user 'CORP\\svcwatch'
  svcwatch services 127.0.0.1 --port 4490 --user root --password-file root.password --encryption off
  svcwatch services srv01 --user ops@CORP.EXAMPLE -o json

The password is taken from --password-file, from SVCWATCH_PASSWORD, or asked for.")]
pub(super) struct Arguments {
    /// Its name or address
    host: String,
    /// The port of SMB
    #[arg(long, value_name = "N", default_value_t = 445, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The account: DOMAIN\user, user@domain or user
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// The file that holds its password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Whether the connection must be encrypted; it is signed always
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    encryption: When,
    /// How the services are read
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    transport: How,
    /// How long it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    output: Output,
}

/// Whether the connection must be encrypted.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum When {
    /// A host that cannot is not read
    #[default]
    Required,
    /// Where the host can
    Preferred,
    /// Not
    Off,
}

/// How the services are read.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum How {
    /// MS-SCMR over SMB
    #[default]
    Rpc,
}

/// The services of a host, as they are printed.
#[derive(Debug, Serialize)]
struct Answer {
    host: String,
    services: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    display_name: String,
    state: &'static str,
    pid: Option<u32>,
    exit_code: Option<u32>,
    service_exit_code: Option<u32>,
    start_type: Option<&'static str>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let user = match &arguments.user {
        Some(user) => user.clone(),
        None => ask_user(&arguments.host)?,
    };
    let password = password::of(&user, arguments.password_file.clone())?;
    let encryption = match arguments.encryption {
        When::Required => Encryption::Required,
        When::Preferred => Encryption::Preferred,
        When::Off => Encryption::Off,
    };
    let How::Rpc = arguments.transport;
    let access = Access {
        address: arguments.host.clone(),
        port: arguments.port,
        transport: Transport::Smb { encryption },
        user,
        password,
        second_password: None,
        auth: Auth::Ntlm,
    };
    let host = Name::new(&arguments.host);
    let timeout = Span::seconds(arguments.timeout);
    let prober = Prober::new();
    let reading = read(&prober, &host, &access, timeout)
        .await
        .map_err(|fault| of_fault(&host, &fault))?;
    let start_types = start_types(&prober, &host, &reading, timeout).await;
    prober.forget(&host).await;
    let mut services: Vec<Line> = reading
        .services
        .into_iter()
        .map(|service| line(service, &start_types))
        .collect();
    services.sort_by_cached_key(|service| service.name.to_lowercase());
    let answer = Answer {
        host: arguments.host,
        services,
    };
    match arguments.output.output {
        Format::Json => output::print_json(&answer)?,
        Format::Table => table(&answer).print()?,
    }
    Ok(())
}

fn ask_user(host: &str) -> Result<String, Failure> {
    let nobody = || {
        Failure::usage(format!(
            "there is no account to log on to {host} with; give one with --user"
        ))
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(nobody());
    }
    write!(io::stderr(), "User for {host}: ")?;
    let mut user = String::new();
    io::stdin().lock().read_line(&mut user)?;
    let user = user.trim();
    if user.is_empty() {
        Err(nobody())
    } else {
        Ok(user.to_owned())
    }
}

async fn read(
    prober: &Prober,
    host: &Name,
    access: &Access,
    timeout: Span,
) -> Result<HostReading, HostFault> {
    let request = ProbeRequest {
        host: host.clone(),
        probe: ProbeId(1),
        may_log_on: true,
        logons: 1,
        ask: Arc::from([]),
        uptime: false,
        timeout,
    };
    let progress = Progress::new();
    progress.at(&format!("Reading {host} …"));
    match Box::pin(prober.check(&request, access)).await.outcome {
        Outcome::Read(reading) => Ok(reading),
        Outcome::Fault(fault) => Err(fault),
        Outcome::LogonNeeded => Err(HostFault {
            fault: svcwatch_core::observe::Fault::ProtocolError,
            cause: "the session ended before it was used".to_owned(),
            refusal: None,
        }),
    }
}

fn of_fault(host: &Name, fault: &HostFault) -> Failure {
    Failure::met(format!(
        "{host} cannot be read ({}): {}",
        fault.fault, fault.cause
    ))
}

/// How the services are started, as far as we may read it.
async fn start_types(
    prober: &Prober,
    host: &Name,
    reading: &HostReading,
    timeout: Span,
) -> HashMap<String, StartType> {
    let names: Vec<Name> = reading
        .services
        .iter()
        .map(|service| Name::new(&service.name))
        .collect();
    let progress = Progress::new();
    let mut found = HashMap::new();
    for (number, names) in names.chunks(CONFIGS_PER_READ_MAX).enumerate() {
        progress.at(&format!(
            "Reading how {} services are set up …",
            reading.services.len() - number * CONFIGS_PER_READ_MAX
        ));
        match Box::pin(prober.read_config(host, names, timeout)).await {
            Ok(configs) => found.extend(
                configs
                    .into_iter()
                    .filter_map(|config| Some((config.name.to_lowercase(), config.start_type?))),
            ),
            Err(fault) => {
                drop(progress);
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

fn line(service: ServiceReading, start_types: &HashMap<String, StartType>) -> Line {
    let ServiceReading {
        name,
        display_name,
        reading,
    } = service;
    Line {
        start_type: start_types
            .get(&name.to_lowercase())
            .copied()
            .map(StartType::as_str),
        name,
        display_name,
        state: reading.state.as_str(),
        pid: reading.pid,
        exit_code: reading.exit_code,
        service_exit_code: reading.service_exit_code,
    }
}

fn table(answer: &Answer) -> Table {
    let mut table = Table::new(&["NAME", "STATE", "START", "PID", "EXIT", "DISPLAY NAME"]);
    for service in &answer.services {
        let colour = if service.state == State::Running.as_str() {
            Colour::Good
        } else {
            Colour::Plain
        };
        // An exit code means something only once the service has ended.
        let ended = service.state == State::Stopped.as_str();
        table.row([
            plain(&service.name),
            (service.state.to_owned(), colour),
            maybe(service.start_type),
            maybe(service.pid.filter(|pid| *pid > 0)),
            maybe(service.exit_code.filter(|_| ended)),
            plain(&service.display_name),
        ]);
    }
    table
}
