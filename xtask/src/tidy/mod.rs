//! `cargo xtask tidy`: the rules that neither compiler nor linter knows.
//!
//! Each rule is a pure function from files to findings; only the check of the commands in the docs runs a program.

mod docs;
mod machine;
mod manifest;
mod mask;
mod source;
mod tree;

use crate::arguments::Arguments;
use crate::project::{Failure, Project};

/// The help text.
pub(crate) const HELP: &str = "\
Holds the tree against the rules of the house: who may depend on whom, how long a file and a function may be, nothing
left over or switched off, no trace of a build machine, and docs that name only commands, options and files that
exist. A finding is one line: file, line, what is wrong and what to do. Builds svcwatch, to ask it for its commands.

Usage: cargo xtask tidy [--no-commands]

Options:
  --no-commands    do not build svcwatch; the commands in the docs are then not checked

Examples:
  cargo xtask tidy
  cargo xtask tidy --no-commands
";

/// One thing to mend.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the project's folder.
    path: String,
    /// The line, from 1.
    line: usize,
    /// What is wrong and what to do.
    what: String,
}

impl Finding {
    fn new(file: &tree::File, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: file.path.clone(),
            line,
            what: what.into(),
        }
    }
}

/// Runs the command.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Result<(), Failure> {
    let commands = !arguments.switch("--no-commands");
    arguments.finish()?;
    let said = hold(project, commands)?;
    println!("{said}");
    Ok(())
}

/// Holds the tree against every rule and says in one sentence what was looked at.
pub(crate) fn check(project: &Project) -> Result<String, String> {
    hold(project, true)
}

fn hold(project: &Project, commands: bool) -> Result<String, String> {
    let files = tree::read(&project.root)?;
    let traces = machine::Traces::of_this_machine(&project.root);
    let mut findings = Vec::new();
    for file in &files {
        findings.extend(manifest::check(file));
        findings.extend(source::check(file));
        findings.extend(machine::check(file, &traces));
        findings.extend(docs::check_links(file, &files));
        findings.extend(docs::check_own_commands(file));
    }
    findings.extend(manifest::check_walls(&files));
    let mentions = docs::mentions(&files);
    if commands {
        findings.extend(docs::check_program(project, &mentions)?);
    }
    findings.sort();
    for finding in &findings {
        println!("{}:{}: {}", finding.path, finding.line, finding.what);
    }
    if findings.is_empty() {
        let asked = if commands {
            ""
        } else {
            ", which were not checked"
        };
        return Ok(format!(
            "{} files; the docs name commands {} times{asked}",
            files.len(),
            mentions.len()
        ));
    }
    Err(format!("{} to mend", findings.len()))
}
