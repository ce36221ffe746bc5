//! `svcwatch services`.

use super::{
    Format, Output,
    failure::Failure,
    output::{self, Colour, Progress, Table, maybe, plain},
    password,
};
use crate::probe::{
    Access, Auth, Encryption, Prober, Transport,
    record::{BYTES_MAX, Record, Recorder},
};
use crate::secret::Secret;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, IsTerminal, Read, Write},
    path::{Path, PathBuf},
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
  svcwatch services srv01 --user 'CORP\\svcwatch' --record srv01.jsonl
  svcwatch services --replay srv01.jsonl

On Windows, without --user, it is read by the Windows API as whoever runs this; `localhost` is this computer. \
The password is taken from --password-file, from SVCWATCH_PASSWORD, or asked for.")]
pub(super) struct Arguments {
    /// Its name or address
    #[arg(required_unless_present = "replay")]
    host: Option<String>,
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
    #[arg(long, value_name = "HOW", value_enum)]
    transport: Option<How>,
    /// How long it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Write down what was asked and answered, without secrets, to send it to somebody; the file must be new
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Read such a file in place of a host
    #[arg(long, value_name = "FILE", conflicts_with_all = ["host", "record", "user", "password_file", "port"])]
    replay: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Whether the connection must be encrypted.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum When {
    /// A host that cannot is not read
    #[default]
    Required,
    /// Where the host can
    Preferred,
    /// Not
    Off,
}

impl From<When> for Encryption {
    fn from(when: When) -> Self {
        match when {
            When::Required => Self::Required,
            When::Preferred => Self::Preferred,
            When::Off => Self::Off,
        }
    }
}

/// How the services are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// MS-SCMR over SMB
    Rpc,
    /// The Windows API, on Windows alone
    Local,
    /// WMI, on Windows alone: slower, for hosts that allow nothing else
    Wmi,
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
    let how = how(&arguments)?;
    let timeout = Span::seconds(arguments.timeout);
    let (host, access, prober, recording) = if let Some(file) = &arguments.replay {
        let record = replayed(file)?;
        let host = record.header.host.clone();
        let access = access_of(&arguments, how, &host, Default::default());
        (
            host,
            access,
            Prober::new().replaying(Arc::new(record)),
            None,
        )
    } else {
        let host = arguments.host.clone().unwrap_or_default();
        let account = match how {
            How::Rpc => account_of(&arguments, &host)?,
            How::Local | How::Wmi => Default::default(),
        };
        let recording = arguments
            .record
            .as_deref()
            .map(Recording::begin)
            .transpose()?;
        let access = access_of(&arguments, how, &host, account);
        let prober = match &recording {
            Some(recording) => Prober::new().recording(Arc::clone(&recording.recorder)),
            None => Prober::new(),
        };
        (host, access, prober, recording)
    };
    let found = find(&prober, &host, &access, timeout).await;
    if let Some(recording) = recording {
        let outcome = match &found {
            Ok(answer) => format!("{} services were read", answer.services.len()),
            Err(fault) => format!("{}: {}", fault.fault, fault.cause),
        };
        recording.end(&host, &outcome)?;
    }
    let answer = found.map_err(|fault| of_fault(&Name::new(&host), &fault))?;
    match arguments.output.output {
        Format::Json => output::print_json(&answer)?,
        Format::Table => table(&answer).print()?,
    }
    Ok(())
}

/// How the host is read: on Windows by its API, where no account is named and nothing is written down.
fn how(arguments: &Arguments) -> Result<How, Failure> {
    let over_smb =
        arguments.user.is_some() || arguments.record.is_some() || arguments.replay.is_some();
    let usual = if cfg!(windows) && !over_smb {
        How::Local
    } else {
        How::Rpc
    };
    let how = arguments.transport.unwrap_or(usual);
    let (word, by) = match how {
        How::Rpc => return Ok(how),
        How::Local => ("local", "by the Windows API"),
        How::Wmi => ("wmi", "by WMI"),
    };
    if !cfg!(windows) {
        return Err(Failure::usage(format!(
            "--transport {word} reads {by}, and this is no Windows; use --transport rpc, or run svcwatch on Windows"
        )));
    }
    if over_smb {
        return Err(Failure::usage(format!(
            "--transport {word} reads as whoever runs this, and writes nothing down; leave out --user, --record and --replay, or use --transport rpc"
        )));
    }
    Ok(how)
}

/// The account that the host is logged on to with, and its password.
fn account_of(arguments: &Arguments, host: &str) -> Result<(String, Secret), Failure> {
    let user = match &arguments.user {
        Some(user) => user.clone(),
        None => ask_user(host)?,
    };
    let password = password::of(&user, arguments.password_file.clone())?;
    Ok((user, password))
}

/// How the host is reached, as the arguments say.
fn access_of(
    arguments: &Arguments,
    how: How,
    host: &str,
    (user, password): (String, Secret),
) -> Access {
    let encryption = arguments.encryption.into();
    Access {
        address: host.to_owned(),
        port: arguments.port,
        transport: match how {
            How::Rpc => Transport::Smb { encryption },
            How::Local => Transport::Local,
            How::Wmi => Transport::Wmi,
        },
        user,
        password,
        second_password: None,
        auth: Auth::Ntlm,
    }
}

/// The services of the host, with their start types.
async fn find(
    prober: &Prober,
    host: &str,
    access: &Access,
    timeout: Span,
) -> Result<Answer, HostFault> {
    let name = Name::new(host);
    let reading = read(prober, &name, access, timeout).await?;
    let start_types = start_types(prober, &name, &reading, timeout).await;
    prober.forget(&name).await;
    let mut services: Vec<Line> = reading
        .services
        .into_iter()
        .map(|service| line(service, &start_types))
        .collect();
    services.sort_by_cached_key(|service| service.name.to_lowercase());
    Ok(Answer {
        host: host.to_owned(),
        services,
    })
}

/// A record that is being made, and the file that it goes to.
struct Recording {
    recorder: Arc<Recorder>,
    path: PathBuf,
    file: File,
}

impl Recording {
    /// Makes the file, which nobody else can read, before anything is asked.
    fn begin(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            Failure::usage(if error.kind() == io::ErrorKind::AlreadyExists {
                format!(
                    "{} exists already; name a new file for the record",
                    path.display()
                )
            } else {
                format!("{} cannot be written: {error}", path.display())
            })
        })?;
        Ok(Self {
            recorder: Arc::default(),
            path: path.to_owned(),
            file,
        })
    }

    fn end(mut self, host: &str, outcome: &str) -> Result<(), Failure> {
        let record = self.recorder.record(host, outcome);
        let path = self.path.display();
        self.file
            .write_all(record.to_text().as_bytes())
            .map_err(|error| Failure::met(format!("{path} cannot be written: {error}")))?;
        output::complain(&format!(
            "svcwatch: {path} holds {} calls: names of the host and of its services, no password and no logon; arguments that look like secrets are masked, but look through it before you send it",
            record.calls()
        ));
        Ok(())
    }
}

/// The record of a file.
fn replayed(path: &Path) -> Result<Record, Failure> {
    let wrong = |why: String| Failure::usage(format!("{} is not replayed: {why}", path.display()));
    let mut text = Vec::new();
    let limit = u64::try_from(BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut text))
        .map_err(|error| wrong(error.to_string()))?;
    let record = Record::read(&text).map_err(|error| wrong(error.to_string()))?;
    let about = format!(
        "svcwatch: this is a record of {}, made by svcwatch {}: {}",
        record.header.host,
        record.header.made_by,
        record.outcome(),
    );
    output::complain(&about.replace(char::is_control, " "));
    Ok(record)
}

pub(super) fn ask_user(host: &str) -> Result<String, Failure> {
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
