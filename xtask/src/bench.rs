//! `cargo xtask bench`: what is promised about speed, measured.

use crate::arguments::Arguments;
use crate::peers;
use crate::project::{Failure, Project, run as run_program};
use crate::windows;

/// The help text.
pub(crate) const HELP: &str = "\
Measures what svcwatch promises about its speed, and prints one table with the ratio of each promise.
It installs what it compares with first. The table of the last run that was kept stands in docs/benchmarks.md.
Let the machine do nothing else meanwhile.

Usage: cargo xtask bench [PART]...

Parts (all, where none is named):
  check    one check of a real Samba, against another library for the same protocol
  engine   deciding at 100,000 targets, and a start with 2 million stored states
  store    transitions from event to committed, and a page of history
  silences  what 10,000 silences cost a notice
  seal      35 KB sealed by RPC itself, as the event log wants it
  instant  stops heard at once beside polling each 30 s, and idle registrations (ten minutes)
  night    1,000 of 3,000 hosts are booted within ten minutes
  scrape   /metrics of 10,000 hosts, and /probe of one
  local    a service of the machine itself is stopped: svcwatch.exe on Wine, which is built for it
  fleet    5,000 simulated hosts, each read every 30 s

Examples:
  cargo xtask bench
  cargo xtask bench engine store
";

/// The parts that there are.
const PARTS: [&str; 10] = [
    "check", "engine", "store", "silences", "seal", "instant", "night", "scrape", LOCAL, "fleet",
];

/// The part that needs the exe for Windows.
const LOCAL: &str = "local";

/// Runs the command.
pub(crate) fn run(project: &Project, arguments: Arguments) -> Result<(), Failure> {
    let parts = arguments.rest();
    if let Some(unknown) = unknown(&parts) {
        return Err(Failure::Usage(format!("there is no part `{unknown}`")));
    }
    println!("{}", peers::install(project)?);
    if parts.is_empty() || parts.iter().any(|part| part == LOCAL) {
        println!("{}", windows::build(project, true)?);
    }
    let mut command = project.cargo(&["bench", "-p", "svcwatch", "--bench", "svcwatch", "--"]);
    command.args(&parts);
    run_program(&mut command)?;
    Ok(())
}

/// The first word that is no part.
fn unknown(parts: &[String]) -> Option<&str> {
    parts
        .iter()
        .map(String::as_str)
        .find(|part| !PARTS.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_that_there_are_can_be_named() {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(unknown(&words(&[])), None);
        assert_eq!(unknown(&words(&["store", "check"])), None);
        assert_eq!(unknown(&words(&["store", "disk"])), Some("disk"));
        for part in PARTS {
            assert!(
                HELP.contains(&format!("  {part}  ")),
                "{part} is not explained"
            );
        }
    }
}
