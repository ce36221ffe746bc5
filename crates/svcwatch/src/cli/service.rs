//! `svcwatch service`, on Windows alone.

#[cfg(not(windows))]
use super::failure::Failure;
use super::{Output, run};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Run svcwatch as a Windows service (on Windows alone)
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch service install -c C:\\ProgramData\\svcwatch\\svcwatch.yaml
  svcwatch service install -c svcwatch.yaml --account 'CORP\\svcwatch$'
  svcwatch service start
  svcwatch service status

It starts with the machine, not delayed, and again after a failure. Without -c it watches this machine.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) what: What,
}

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Make it a service; `start` then starts it
    Install(Install),
    /// End it and remove it; its configuration and data stay
    Uninstall,
    /// Start it and wait until it runs
    Start,
    /// End it and wait until it has ended
    Stop,
    /// Say how it is; exit code 1 where it does not run
    Status(Status),
    /// What the service control manager starts
    #[command(hide = true)]
    Run(run::Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Install {
    /// A file of the configuration; several are merged, later ones over earlier ones
    #[arg(short, long = "config", value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,
    /// The folder of the store
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// The account it runs as: DOMAIN\user, or DOMAIN\user$ for a managed one, which needs no password; the system's own
    /// unless named
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// The file that holds its password; else SVCWATCH_PASSWORD, or it is asked for
    #[arg(long, value_name = "FILE", requires = "account")]
    pub(super) password_file: Option<PathBuf>,
}

#[cfg(windows)]
impl Install {
    /// Whether nothing was said of how it is to be.
    const fn is_empty(&self) -> bool {
        self.config.is_empty() && self.data.is_none() && self.account.is_none()
    }
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) output: Output,
}

/// Elsewhere there are no Windows services.
#[cfg(not(windows))]
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    Err(Failure::usage(format!(
        "`svcwatch service {}` is for Windows; here the system's own supervisor runs `svcwatch run`",
        match arguments.what {
            What::Install(_) => "install",
            What::Uninstall => "uninstall",
            What::Start => "start",
            What::Stop => "stop",
            What::Status(_) => "status",
            What::Run(_) => "run",
        }
    )))
}

#[cfg(windows)]
pub(super) use on_windows::{run, serve};

#[cfg(windows)]
mod on_windows {
    use super::{Arguments, Install, Status, What};
    use crate::{
        cli::{Format, failure::Failure, output, password, run as run_command},
        config::LoadOptions,
        os::windows::{
            event_log::{self, Message},
            folder::{self, FolderError},
            install::{self, Account, Installation, Seen},
            service,
        },
    };
    use serde::Serialize;
    use std::{
        io,
        path::{Path, PathBuf},
        process::ExitCode,
    };
    use svcwatch_core::observe::State;

    /// There is no such service.
    const DOES_NOT_EXIST: i32 = 1060;
    /// No service control manager started this process.
    const NOT_A_SERVICE: i32 = 1063;
    /// The service's own code tells more.
    const OWN_CODE: u32 = 1066;

    /// What the service is, as it is printed.
    #[derive(Debug, Serialize)]
    struct Answer {
        state: &'static str,
        pid: Option<u32>,
        exit_code: u32,
        service_exit_code: u32,
    }

    pub(in crate::cli) async fn run(arguments: Arguments) -> Result<(), Failure> {
        match arguments.what {
            What::Install(install) => self::install(install).await,
            What::Uninstall => {
                blocking(install::uninstall).await?;
                output::complain(
                    "svcwatch is no service any more; its configuration and data are left as they are",
                );
                Ok(())
            }
            What::Start => {
                let seen = blocking(install::start).await?;
                if word(&seen) == State::Running.as_str() {
                    return Ok(());
                }
                Err(Failure::met(format!(
                    "the service is {}; the event log (Application, source svcwatch) says why",
                    sentence(&seen)
                )))
            }
            What::Stop => {
                let seen = blocking(install::stop).await?;
                if word(&seen) == State::Stopped.as_str() {
                    return Ok(());
                }
                Err(Failure::met(format!("the service is {}", sentence(&seen))))
            }
            What::Status(status) => self::status(&status).await,
            What::Run(_) => Err(Failure::usage(
                "`svcwatch service run` is for the service control manager; run by hand with `svcwatch run`",
            )),
        }
    }

    /// Who may be in the folder of config and data, and what is looked at besides.
    struct Places {
        account: Option<String>,
        files: Vec<PathBuf>,
        data: Option<PathBuf>,
    }

    impl Places {
        /// Makes the folder of data and takes it over, and looks whether others may write where the config is. Gives what will
        /// keep the service from starting.
        fn prepare(&self) -> Result<Vec<String>, String> {
            let account = match &self.account {
                Some(name) => folder::account(name)
                    .map_err(|error| format!("there is no account {name}: {error}"))?,
                None => None,
            };
            let told = |error: FolderError| error.to_string();
            let usual = crate::os::data_folder().filter(|_| {
                let here = self.data.iter().chain(&self.files);
                self.data.is_none()
                    || here
                        .into_iter()
                        .any(|path| folder::is_in_usual_folder(path))
            });
            let new = self.data.clone().filter(|data| !data.exists());
            for folder in usual.iter().chain(&new) {
                folder::take_over(folder, account.as_ref()).map_err(told)?;
            }
            let mut lacks = Vec::new();
            let folders = self.files.iter().filter_map(|file| file.parent());
            let files = self.files.iter().map(PathBuf::as_path);
            for path in files.chain(folders).chain(self.data.as_deref()) {
                if let Err(error) = folder::check(path, account.as_slice()) {
                    lacks.push(told(error));
                }
            }
            Ok(lacks)
        }
    }

    async fn install(arguments: Install) -> Result<(), Failure> {
        let installed = blocking(install::account_of_installed).await?;
        let as_it_is = arguments.is_empty();
        let absolute = |path: &PathBuf| std::path::absolute(path);
        let places = Places {
            account: arguments.account.clone().or_else(|| installed.clone()),
            files: arguments
                .config
                .iter()
                .map(absolute)
                .collect::<Result<_, _>>()?,
            data: arguments.data.as_ref().map(absolute).transpose()?,
        };
        let prepared = blocking(move || Ok(places.prepare())).await?;
        for lack in prepared.map_err(Failure::met)? {
            output::complain(&format!("warning: the service will not start: {lack}"));
        }
        if installed.is_some() {
            let sentence = "svcwatch is a service already and stays as it was set up; its folder belongs to administrators and the service alone now";
            if as_it_is {
                output::complain(sentence);
                return Ok(());
            }
            return Err(Failure::met(format!(
                "{sentence}; to set it up anew, run `svcwatch service uninstall` first"
            )));
        }
        let mut words = vec![
            quoted(&std::env::current_exe()?),
            "service".to_owned(),
            "run".to_owned(),
        ];
        for file in &arguments.config {
            words.extend(["-c".to_owned(), quoted(&std::path::absolute(file)?)]);
        }
        if let Some(data) = &arguments.data {
            words.extend(["--data".to_owned(), quoted(&std::path::absolute(data)?)]);
        }
        if !arguments.config.is_empty() {
            // A service that cannot start is better known before.
            run_command::load(arguments.config.clone(), LoadOptions::default()).await?;
        }
        let account = arguments
            .account
            .map(|name| {
                // A managed account and those of the system have no password that anybody knows.
                let without =
                    name.ends_with('$') || name.to_lowercase().starts_with("nt authority\\");
                let password = if without {
                    None
                } else {
                    Some(password::of(&name, arguments.password_file)?)
                };
                Ok::<_, Failure>(Account { name, password })
            })
            .transpose()?;
        let wanted = Installation {
            command_line: words.join(" "),
            account,
        };
        let lacks = blocking(move || install::install(&wanted)).await?;
        for lack in lacks {
            output::complain(&format!("warning: {lack}"));
        }
        output::complain("svcwatch is a service now; start it with `svcwatch service start`");
        Ok(())
    }

    async fn status(arguments: &Status) -> Result<(), Failure> {
        let seen = blocking(install::status).await?;
        match arguments.output.output {
            Format::Json => output::print_json(&Answer {
                state: word(&seen),
                pid: Some(seen.pid).filter(|pid| *pid != 0),
                exit_code: seen.exit_code,
                service_exit_code: seen.service_exit_code,
            })?,
            Format::Table => output::print(&format!("svcwatch is {}\n", sentence(&seen)))?,
        }
        if word(&seen) == State::Running.as_str() {
            Ok(())
        } else {
            Err(Failure::Told)
        }
    }

    /// Asks the service control manager on a thread that may block.
    async fn blocking<T: Send + 'static>(
        ask: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let asked = tokio::task::spawn_blocking(ask).await;
        let asked = asked.unwrap_or_else(|_| Err(io::Error::other("it broke off")));
        asked.map_err(|error| match error.raw_os_error() {
            Some(DOES_NOT_EXIST) => Failure::met(
                "svcwatch is no service here; `svcwatch service install` makes it one",
            ),
            Some(5) => Failure::met(
                "access denied: services are installed, started and ended by administrators, from an elevated prompt",
            ),
            _ => Failure::met(format!("the service control manager refuses: {error}")),
        })
    }

    /// The state in the words that are used everywhere.
    fn word(seen: &Seen) -> &'static str {
        match seen.state {
            1 => State::Stopped,
            2 => State::StartPending,
            3 => State::StopPending,
            4 => State::Running,
            5 => State::ContinuePending,
            6 => State::PausePending,
            7 => State::Paused,
            _ => State::Unknown,
        }
        .as_str()
    }

    fn sentence(seen: &Seen) -> String {
        match (seen.exit_code, seen.pid) {
            (0, 0) => word(seen).to_owned(),
            (0, pid) => format!("{}, process {pid}", word(seen)),
            (OWN_CODE, _) => format!("{}, exit code {}", word(seen), seen.service_exit_code),
            (code, _) => format!("{}, error {code}", word(seen)),
        }
    }

    /// A path as one word of a command line.
    fn quoted(path: &Path) -> String {
        format!("\"{}\"", path.display())
    }

    /// Runs as the service that the manager started.
    pub(in crate::cli) fn serve(arguments: run_command::Arguments) -> ExitCode {
        let work = move || {
            let done = crate::cli::with_runtime(run_command::run(arguments.for_service()));
            match done {
                Ok(()) => {
                    event_log::write(Message::Stopped, "svcwatch has ended as it was told to");
                    0
                }
                Err(failure) => {
                    let (code, text) = failure.in_words();
                    let kind = if code == 1 {
                        Message::Broken
                    } else {
                        Message::NotStarted
                    };
                    event_log::write(kind, &text);
                    code
                }
            }
        };
        match service::serve(Box::new(work)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.raw_os_error() == Some(NOT_A_SERVICE) => Failure::usage(
                "`svcwatch service run` is for the service control manager; run by hand with `svcwatch run`",
            )
            .tell(),
            Err(error) => Failure::not_started(error).tell(),
        }
    }
}
