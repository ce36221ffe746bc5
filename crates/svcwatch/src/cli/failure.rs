//! How a command ends that did not do what it was asked, and its exit code.

use crate::{app::StartError, config::ConfigErrors, store::StoreError, web::client::ClientError};
use std::{error::Error, io, process::ExitCode};

/// It ran, and found or met a failure.
const MET: u8 = 1;
/// Bad usage or configuration.
pub(super) const USAGE: u8 = 2;
/// It could not start.
const NOT_STARTED: u8 = 3;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// It ran, and found or met a failure: one sentence, as a fragment.
    Met(String),
    /// It ran and has printed what it found already.
    Told,
    /// Bad usage.
    Usage(String),
    /// A bad configuration: a line for each problem.
    Config(Vec<String>),
    /// It could not start: one sentence, as a fragment.
    NotStarted(String),
    /// Nobody reads what is printed any more, which is no failure.
    NobodyReads,
}

impl Failure {
    pub(super) fn met(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Met(error.into().to_string())
    }

    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    pub(super) fn not_started(error: impl Into<Box<dyn Error>>) -> Self {
        Self::NotStarted(error.into().to_string())
    }

    /// The exit code, and what there is to say, for who has no stderr.
    #[cfg(windows)]
    pub(super) fn in_words(self) -> (u8, String) {
        match self {
            Self::NobodyReads => (0, String::new()),
            Self::Told => (MET, "it met a failure".to_owned()),
            Self::Met(sentence) => (MET, sentence),
            Self::Usage(sentence) => (USAGE, sentence),
            Self::Config(problems) => (USAGE, problems.join("\n")),
            Self::NotStarted(sentence) => (NOT_STARTED, sentence),
        }
    }

    /// Says it on stderr, and gives the exit code.
    pub(super) fn tell(self) -> ExitCode {
        let (code, sentence) = match self {
            Self::NobodyReads => return ExitCode::SUCCESS,
            Self::Told => return ExitCode::from(MET),
            Self::Met(sentence) => (MET, sentence),
            Self::Usage(sentence) => (USAGE, sentence),
            Self::Config(problems) => {
                for problem in problems {
                    super::output::complain(&problem);
                }
                return ExitCode::from(USAGE);
            }
            Self::NotStarted(sentence) => (NOT_STARTED, sentence),
        };
        super::output::complain(&format!("svcwatch: {}", sentence.trim_end_matches('.')));
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::NobodyReads
        } else {
            Self::Met(format!("the answer cannot be printed: {error}"))
        }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors.to_string().lines().map(str::to_owned).collect())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Destinations(problems) | StartError::Access(problems) => {
                Self::Config(problems)
            }
            StartError::Listen(_)
            | StartError::Store(_)
            | StartError::NoDataFolder
            | StartError::Broken(_) => Self::not_started(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::not_started(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotAnAddress { .. } | ClientError::Authority(_) => {
                Self::Usage(error.to_string())
            }
            ClientError::NoAnswer { .. }
            | ClientError::Refused { .. }
            | ClientError::NotOurs { .. }
            | ClientError::NoClient(_) => Self::met(error),
        }
    }
}
