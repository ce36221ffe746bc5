//! The tools of this project, started as `cargo xtask COMMAND`.
//!
//! Standard library only, so that the first thing that a newcomer runs builds in a second. Each command is a file.

mod arguments;
mod bench;
mod ci;
mod deny;
mod disk;
mod fuzz;
mod package;
mod peers;
mod project;
mod sim;
mod tidy;
mod tools;
mod windows;

use std::process::ExitCode;

use arguments::Arguments;
use project::{Failure, Project};

/// One command of `cargo xtask`.
struct Command {
    /// The word that starts it.
    name: &'static str,
    /// What it does, on one line.
    about: &'static str,
    /// Its help text, with examples.
    help: &'static str,
    /// What it does.
    run: fn(&Project, Arguments) -> Result<(), Failure>,
}

/// Every command. `tidy` holds the docs against this list.
const COMMANDS: &[Command] = &[
    Command {
        name: "ci",
        about: "everything that must hold, as CI runs it",
        help: ci::HELP,
        run: ci::run,
    },
    Command {
        name: "tidy",
        about: "the rules that neither compiler nor linter knows",
        help: tidy::HELP,
        run: tidy::run,
    },
    Command {
        name: "peers",
        about: "install the real servers that the tests talk to",
        help: peers::HELP,
        run: peers::run,
    },
    Command {
        name: "sim",
        about: "run the seeded simulator of the deciding code",
        help: sim::HELP,
        run: sim::run,
    },
    Command {
        name: "bench",
        about: "measure what is promised about speed",
        help: bench::HELP,
        run: bench::run,
    },
    Command {
        name: "windows",
        about: "build svcwatch.exe here and look at what it asks of Windows",
        help: windows::HELP,
        run: windows::run,
    },
    Command {
        name: "package",
        about: "make and try what is handed out",
        help: package::HELP,
        run: package::run,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(word) = words.next() else {
        eprint!("{}", overview());
        return ExitCode::from(2);
    };
    let mut words: Vec<String> = words.collect();
    if matches!(word.as_str(), "-h" | "--help" | "help") && words.is_empty() {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    }
    // `help ci` and `ci --help` are the same question.
    let name = if word == "help" {
        words.remove(0)
    } else {
        word.clone()
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("xtask: there is no command `{name}`\n");
        eprint!("{}", overview());
        return ExitCode::from(2);
    };
    if word == "help" || words.iter().any(|word| word == "-h" || word == "--help") {
        print!("{}", command.help);
        return ExitCode::SUCCESS;
    }
    let result = Project::find().and_then(|project| (command.run)(&project, Arguments::new(words)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(message)) => {
            eprintln!("xtask {}: {message}", command.name);
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            eprintln!("xtask {}: {message}\n", command.name);
            eprint!("{}", command.help);
            ExitCode::from(2)
        }
    }
}

/// What `cargo xtask --help` prints.
fn overview() -> String {
    let commands: Vec<String> = COMMANDS
        .iter()
        .map(|command| format!("  {:<7} {}\n", command.name, command.about))
        .collect();
    let commands = commands.concat();
    format!(
        "The tools of this project.

Usage: cargo xtask COMMAND [OPTIONS]

Commands:
{commands}
Examples:
  cargo xtask ci           everything, as CI runs it
  cargo xtask ci --help    the help of one command

Exit codes: 0 done, 1 it ran and something failed, 2 bad usage.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_help_with_its_usage_and_an_example() {
        for command in COMMANDS {
            let usage = format!("Usage: cargo xtask {}", command.name);
            assert!(
                command.help.contains(&usage),
                "{}: no usage line",
                command.name
            );
            assert!(
                command.help.contains("Examples:\n"),
                "{}: no examples",
                command.name
            );
            assert!(
                command.help.ends_with('\n'),
                "{}: no line end",
                command.name
            );
        }
    }

    #[test]
    fn the_overview_names_every_command() {
        let text = overview();
        for command in COMMANDS {
            assert!(text.contains(&format!("\n  {}", command.name)));
        }
    }
}
