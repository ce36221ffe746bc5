//! `svcwatch restart`.

use super::{
    Output,
    failure::Failure,
    output::{self, Colour, Table, plain},
    password,
    services::{When, ask_user},
};
use crate::{
    app,
    config::{self, Config, LoadOptions},
    dest::clean,
    probe::{Access, Auth, Transport, hand::Hand},
    remedy::{self, Act, Journal, Order, Step, Turn, TurnError},
    secret::Secret,
    wiring::{self, Logons, Reach},
};
use clap::Args;
use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    sync::Arc,
};
use svcwatch_core::{
    id::Name,
    limits::{RESTART_STILL, RESTART_TIME_MAX},
    remedy::procedure::{Aim, Asked, Outcome},
    time::Span,
};

/// Longest line of a step on the terminal, in characters.
const STEP_CHARACTERS: usize = 300;
/// How long a logon or a question may take where no configuration says it.
const QUESTION: Span = Span::seconds(30);

/// Stop a service and start it again, with all that depends on it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch restart -c svcwatch.yaml srv01 Spooler
  svcwatch restart -c svcwatch.yaml srv01 Spooler --dry-run
  svcwatch restart srv01.corp.example Spooler --user 'CORP\\admin' --password-file admin.password
  svcwatch restart -c svcwatch.yaml srv01 Spooler --unless-running -o json

With -c the address of the host and the account come from the configuration: an account with \
`acting: true`, see docs/remedy.md. Services that depend on it and run are stopped first and started \
again afterwards; what it depends on is started first. It asks nothing; --dry-run says what would be \
done, and does nothing.

Exit codes: 0 it runs, or with --dry-run nothing stands in the way; 1 it does not run, something that \
depends on it does not, or with --dry-run it would not be done; 2 bad usage or no account may act \
there; 3 nothing was tried because it could not be put on record.")]
pub(super) struct Arguments {
    /// Its name in the configuration; without one its name or address
    host: String,
    /// The service, by its key name, as `svcwatch services` lists it
    service: String,
    /// A file of the configuration; several are merged, later ones over earlier ones
    #[arg(short, long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
    /// The account, where no configuration is given: DOMAIN\user, user@domain or user
    #[arg(long, value_name = "U", conflicts_with = "config")]
    user: Option<String>,
    /// The file that holds its password; else it is taken from SVCWATCH_PASSWORD, or asked for
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    password_file: Option<PathBuf>,
    /// The port of SMB
    #[arg(long, value_name = "N", default_value_t = 445, conflicts_with = "config", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Whether the connection must be encrypted; it is signed always
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        conflicts_with = "config"
    )]
    encryption: When,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Only start it: leave it alone where it runs or is paused
    #[arg(long)]
    unless_running: bool,
    /// How long all of it may take, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = time)]
    timeout: Span,
    /// The folder where it is put on record; `data` of the configuration if not given, else the usual one, as for `run`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Who wants it
    #[arg(long, value_name = "NAME", env = super::WHO, hide_env_values = true)]
    by: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// How long all of it may take, as a configuration writes durations.
fn time(text: &str) -> Result<Span, String> {
    let span = config::duration(text).map_err(|(what, instead)| format!("{what}; {instead}"))?;
    if (Span::seconds(1)..=RESTART_TIME_MAX).contains(&span) {
        Ok(span)
    } else {
        Err("it may be between 1s and 1h".to_owned())
    }
}

/// How a host is reached, how long a question to it may take, and where what is done there is put on record.
struct Way {
    host: Name,
    access: Access,
    timeout: Span,
    configured: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let way = if arguments.config.is_empty() {
        by_hand(&arguments)?
    } else {
        by_config(&arguments).await?
    };
    let data = app::data_folder(arguments.data.clone(), way.configured)?;
    let order = Order {
        host: way.host,
        asked: Asked {
            service: Name::new(&arguments.service),
            aim: if arguments.unless_running {
                Aim::Run
            } else {
                Aim::Restart
            },
            dry_run: arguments.dry_run,
            time: arguments.timeout,
            still: RESTART_STILL,
        },
        by: arguments.by.unwrap_or_else(|| "unknown".to_owned()),
    };
    let journal = Arc::new(Journal::new(&data));
    let turn = if arguments.dry_run {
        None
    } else {
        Some(Turn::take(&data, &order.host).map_err(|error| match error {
            TurnError::Taken { .. } => Failure::met(error),
            TurnError::Unwritable { .. } => Failure::not_started(error),
        })?)
    };
    let shown = io::stderr().is_terminal();
    let mut hand = Hand::new(order.host.clone(), way.access, way.timeout);
    let done = remedy::restart(&mut hand, &order, &journal, |step| {
        if shown {
            output::complain(&line(step));
        }
    });
    let done = Box::pin(done).await;
    hand.end().await;
    drop(turn);
    let act = done.map_err(Failure::not_started)?;
    output::show(arguments.output.output, &act, || table(&act))?;
    if arguments.output.output == super::Format::Table {
        output::print(&format!("{}\n", sentence(&act)))?;
    }
    let well = act
        .outcome
        .as_deref()
        .and_then(Outcome::parse)
        .is_some_and(Outcome::is_success);
    if well { Ok(()) } else { Err(Failure::Told) }
}

/// As the arguments say. On Windows, without an account, as whoever runs this.
fn by_hand(arguments: &Arguments) -> Result<Way, Failure> {
    let host = &arguments.host;
    let local = cfg!(windows) && arguments.user.is_none();
    let (transport, user, password) = if local {
        (Transport::Local, String::new(), Secret::default())
    } else {
        let user = match &arguments.user {
            Some(user) => user.clone(),
            None => ask_user(host).map_err(|failure| match failure {
                Failure::Usage(_) => Failure::usage(format!(
                    "nothing says with which account to act on {host}; give the configuration with -c FILE, which has one with `acting: true`, or the account with --user"
                )),
                other => other,
            })?,
        };
        let password = password::of(&user, arguments.password_file.clone())?;
        let encryption = arguments.encryption.into();
        (Transport::Smb { encryption }, user, password)
    };
    Ok(Way {
        host: Name::new(host),
        access: Access {
            address: host.clone(),
            port: arguments.port,
            transport,
            user,
            password,
            second_password: None,
            auth: Auth::Ntlm,
        },
        timeout: QUESTION,
        configured: None,
    })
}

/// As the configuration says. An account must be for acting there, or nothing is tried.
async fn by_config(arguments: &Arguments) -> Result<Way, Failure> {
    let (files, host) = (arguments.config.clone(), Name::new(&arguments.host));
    let found = tokio::task::spawn_blocking(move || {
        let config = config::load(&files, LoadOptions::default())?;
        access_of(&config, &host)
    });
    found.await.map_err(|_| {
        Failure::met("reading the configuration broke off, which is a fault of svcwatch itself")
    })?
}

/// How a host is reached to act there, with the secrets as they are now.
fn access_of(config: &Config, host: &Name) -> Result<Way, Failure> {
    let reach = Reach::new(config);
    let may = remedy::may_act(&reach, host);
    let (connection, account) = may.map_err(|error| Failure::usage(error.to_string()))?;
    let passwords = match account {
        Some((name, credential)) => Some(
            Logons::default()
                .read(name, credential)
                .map_err(|error| Failure::usage(error.to_string()))?,
        ),
        None => None,
    };
    let credential = account.map(|(_, credential)| credential);
    // As the configuration writes it.
    let mut hosts = config.core.hosts.iter();
    let shown = hosts.find(|plan| plan.name == *host);
    Ok(Way {
        host: shown.map_or_else(|| host.clone(), |plan| plan.name.clone()),
        access: wiring::acting_access(connection, credential, passwords),
        timeout: connection.timeout,
        configured: config.data.clone(),
    })
}

/// A step on the terminal.
fn line(step: &Step) -> String {
    clean::line(&format!("{}: {}", step.step, step.answer), STEP_CHARACTERS)
}

/// What was to be done, and whether it was.
fn table(act: &Act) -> Table {
    let mut table = Table::new(&["WHAT", "SERVICE", "WHY", "DONE"]);
    for deed in &act.planned {
        let done = match (act.dry_run, act.done.contains(deed)) {
            (true, _) => plain("would be"),
            (false, true) => ("yes".to_owned(), Colour::Good),
            (false, false) => ("no".to_owned(), Colour::Bad),
        };
        table.row([
            plain(&deed.verb),
            plain(&deed.service),
            plain(&deed.role),
            done,
        ]);
    }
    table
}

/// How it ended, in one line.
fn sentence(act: &Act) -> String {
    let mut parts = vec![format!("{} on {}", act.text, act.host)];
    if let (Some(before), Some(after)) = (act.pid_before, act.pid_after)
        && before != after
    {
        parts.push(format!("PID {before}, now {after}"));
    }
    parts.extend(act.notes.iter().cloned());
    clean::line(&parts.join("; "), STEP_CHARACTERS * 8)
}

#[cfg(test)]
mod tests {
    use super::time;
    use svcwatch_core::{
        limits::{RESTART_TIME, RESTART_TIME_MAX},
        time::Span,
    };

    #[test]
    fn the_time_is_a_duration_within_its_limits() {
        assert_eq!(time("5m"), Ok(RESTART_TIME), "the default in the help");
        assert_eq!(time("90s"), Ok(Span::seconds(90)));
        assert_eq!(time("1h"), Ok(RESTART_TIME_MAX));
        for (text, said) in [
            ("90", "write `90s`"),
            ("0", "between 1s and 1h"),
            ("999ms", "between 1s and 1h"),
            ("61m", "between 1s and 1h"),
            ("soon", "as in `30s`"),
        ] {
            let refused = time(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
