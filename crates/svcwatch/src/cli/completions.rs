//! `svcwatch completions`.

use super::{failure::Failure, output};
use clap::{Args, Command};
use clap_complete::Shell;

/// Print what a shell needs to complete the commands and options
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch completions bash > /etc/bash_completion.d/svcwatch
  svcwatch completions zsh > ~/.zfunc/_svcwatch")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, command: &mut Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "svcwatch", &mut script);
    Ok(output::print(&String::from_utf8_lossy(&script))?)
}
