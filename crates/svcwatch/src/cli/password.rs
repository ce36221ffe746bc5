//! Passwords never stand on the command line: a file, the environment, or a prompt.

use super::failure::Failure;
use crate::{config::SecretSource, secret::Secret};
use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

/// The environment variable that may hold the password.
pub(super) const VARIABLE: &str = "SVCWATCH_PASSWORD";

/// Whether the environment holds a password.
pub(super) fn is_set() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// The password for a user: from the file, else from the environment, else asked for.
pub(super) fn of(user: &str, file: Option<PathBuf>) -> Result<Secret, Failure> {
    if let Some(path) = file {
        return SecretSource::File(path)
            .read()
            .map_err(|error| Failure::usage(error.to_string()));
    }
    if is_set() {
        let source = SecretSource::Env(VARIABLE.to_owned());
        return source
            .read()
            .map_err(|error| Failure::usage(error.to_string()));
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "there is no password for {user}; give a file with --password-file, set {VARIABLE}, or run this on a terminal, where it is asked for"
        )));
    }
    rpassword::prompt_password(format!("Password of {user}: "))
        .map(Secret::from)
        .map_err(|error| {
            Failure::usage(format!(
                "the password cannot be read from the terminal: {error}"
            ))
        })
}
