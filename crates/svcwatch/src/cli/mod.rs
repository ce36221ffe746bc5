//! The command line: one file a command. What a command prints for people and programs goes to stdout, everything else
//! to stderr.

mod ack;
mod acting;
mod api;
mod backup;
mod check;
mod completions;
mod connect;
mod dashboard;
mod demo;
mod explain;
mod failure;
mod history;
mod import;
mod incidents;
mod init;
mod output;
mod password;
mod restart;
mod rights;
mod rules;
mod run;
mod runbook;
mod schedule;
mod schema;
mod service;
mod services;
mod silence;
mod test;
mod unknown;
mod visible;

use crate::{COMMIT, VERSION};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use failure::Failure;
use std::{ffi::OsString, io::IsTerminal, path::PathBuf, process::ExitCode, sync::LazyLock};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// What is logged unless `RUST_LOG` says otherwise.
const LOGGED: &str = "warn,svcwatch=info";

/// What a demo logs: what happens is told in words on the terminal already.
const LOGGED_IN_DEMO: &str = "error";

/// The environment variable by which the system says who somebody is.
const WHO: &str = if cfg!(windows) { "USERNAME" } else { "USER" };

/// The version with the commit.
static VERSION_TEXT: LazyLock<String> = LazyLock::new(|| format!("{VERSION} (commit {COMMIT})"));

const AFTER_HELP: &str = "\
Examples:
  svcwatch demo
  svcwatch services srv01.corp.example --user 'CORP\\svcwatch'
  svcwatch check -c svcwatch.yaml --connect
  svcwatch run -c svcwatch.yaml

Exit codes: 0 done, 1 it ran and found or met a failure, 2 bad usage or config, 3 could not start.";

/// Tells you that a Windows service stopped, without an agent, and never loses an alert.
#[derive(Debug, Parser)]
#[command(name = "svcwatch", version = VERSION_TEXT.as_str(), after_help = AFTER_HELP, max_term_width = 100)]
#[command(arg_required_else_help = true, subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Demo(demo::Arguments),
    Check(check::Arguments),
    Services(services::Arguments),
    Init(init::Arguments),
    Test(test::Arguments),
    Explain(explain::Arguments),
    Restart(restart::Arguments),
    Incidents(incidents::Arguments),
    History(history::Arguments),
    Ack(ack::Arguments),
    Silence(silence::Arguments),
    Rules(rules::Arguments),
    Dashboard(dashboard::Arguments),
    Runbook(runbook::Arguments),
    Import(import::Arguments),
    Schedule(schedule::Arguments),
    Rights(rights::Arguments),
    Schema(schema::Arguments),
    Backup(backup::Arguments),
    Service(service::Arguments),
    Completions(completions::Arguments),
}

impl Command {
    /// Whether warnings go to the system's own log too: where nobody may be looking at the console.
    #[cfg(windows)]
    fn told_to_system(&self) -> bool {
        match self {
            Self::Run(arguments) => arguments.has_no_config(),
            Self::Service(arguments) => matches!(arguments.what, service::What::Run(_)),
            _ => false,
        }
    }

    /// What it logs unless `RUST_LOG` says otherwise.
    const fn logged(&self) -> &'static str {
        match self {
            Self::Demo(_) => LOGGED_IN_DEMO,
            _ => LOGGED,
        }
    }
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// The files of a configuration.
#[derive(Debug, Args)]
struct ConfigFiles {
    /// A file of the configuration; several are merged, later ones over earlier ones
    #[arg(short, long = "config", value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
}

/// How data is printed.
#[derive(Debug, Args)]
struct Output {
    /// How the answer is printed
    #[arg(
        short,
        long = "output",
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    output: Format,
}

/// Runs the program as it was called, and says how it ended.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// Runs the program with these arguments, of which the first is its own name.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Where stderr is gone there is nobody to tell.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() {
                failure::USAGE
            } else {
                0
            });
        }
    };
    log(&cli.command);
    #[cfg(windows)]
    if let Command::Service(service::Arguments {
        what: service::What::Run(arguments),
    }) = cli.command
    {
        return service::serve(arguments);
    }
    match with_runtime(carry_out(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// Does something with threads for what waits and for what blocks.
fn with_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::not_started(format!("the system gives no threads: {error}")))
        .and_then(|runtime| {
            let done = runtime.block_on(Box::pin(work));
            // What still blocks (a name that is being resolved) is not waited for.
            runtime.shutdown_background();
            done
        })
}

async fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Check(arguments) => check::run(arguments).await,
        Command::Services(arguments) => services::run(arguments).await,
        Command::Init(arguments) => init::run(arguments).await,
        Command::Test(arguments) => test::run(arguments).await,
        Command::Explain(arguments) => explain::run(arguments).await,
        Command::Restart(arguments) => restart::run(arguments).await,
        Command::Incidents(arguments) => incidents::run(arguments).await,
        Command::History(arguments) => history::run(arguments).await,
        Command::Ack(arguments) => ack::run(arguments).await,
        Command::Silence(arguments) => silence::run(arguments).await,
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Dashboard(arguments) => dashboard::run(&arguments),
        Command::Runbook(arguments) => runbook::run(&arguments),
        Command::Import(arguments) => import::run(arguments).await,
        Command::Schedule(arguments) => schedule::run(&arguments),
        Command::Rights(arguments) => rights::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Backup(arguments) => backup::run(arguments).await,
        #[cfg(windows)]
        Command::Service(arguments) => service::run(arguments).await,
        #[cfg(not(windows))]
        Command::Service(arguments) => service::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, &mut Cli::command()),
    }
}

fn log(command: &Command) {
    let usually = command.logged();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usually));
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(output::colours_on(std::io::stderr().is_terminal()));
    let logging = tracing_subscriber::registry().with(filter).with(to_stderr);
    #[cfg(windows)]
    let logging = {
        use crate::os::windows::event_log::EventLog;
        logging.with(command.told_to_system().then(EventLog::default))
    };
    // A test that runs commands in its own process may log already.
    drop(logging.try_init());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("Example"),
                "{} has no example",
                command.get_name()
            );
            assert!(
                help.contains(&format!("svcwatch {}", command.get_name())),
                "{}",
                command.get_name()
            );
        }
    }
}
