//! What svcwatch promises about its speed, measured, beside what is promised.
//!
//! `cargo bench -p svcwatch -- PART…` measures these parts (all where none is named) and prints one table. Every
//! number is taken on this machine in this run; the numbers of others, too.

mod check;
mod engine;
mod fleet;
mod instant;
mod local;
mod made;
mod mutes;
mod night;
#[path = "../../../core/tests/night/world.rs"]
mod night_world;
#[path = "../../tests/it/run_support.rs"]
#[expect(dead_code, reason = "each program uses its own part of this")]
mod run_support;
mod scrape;
mod seal;
mod store;
#[path = "../../tests/peers/support/mod.rs"]
mod support;
mod table;

use std::process::ExitCode;
use table::Table;

/// The help text.
const HELP: &str = "\
Measures what svcwatch promises about its speed.

Usage: cargo bench -p svcwatch -- [PART]...

Parts:
  check    one check of a real Samba, against impacket's library (needs root, and `cargo xtask peers`)
  engine   deciding at 100,000 targets, and a start with 2 million stored states
  store    transitions from event to committed, and a page of history
  silences  what 10,000 silences cost a notice
  seal     35 KB sealed by RPC itself, as the event log wants it
  instant  stops heard at once beside polling each 30 s, and idle registrations (ten minutes; needs root, and
           `cargo xtask peers`; SVCWATCH_BENCH_STOPS=5 stops the service less often)
  night    1,000 of 3,000 hosts are booted within ten minutes
  scrape   /metrics of 10,000 hosts, and /probe of one
  local    the machine itself, heard at once: svcwatch.exe on Wine, built before with `cargo xtask windows --release`
  fleet    5,000 hosts in a process of their own, read every 30 s (four minutes)

Without a part all of them are measured, one after another.
";

/// A part and what measures it.
type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 10] = [
    ("check", check::measure),
    ("engine", engine::measure),
    ("store", store::measure),
    ("silences", mutes::measure),
    ("seal", seal::measure),
    ("instant", instant::measure),
    ("night", night::measure),
    ("scrape", scrape::measure),
    ("local", local::measure),
    ("fleet", fleet::measure),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let first = words.first().map(String::as_str);
    // Two measurements are taken in a process of their own, which is this program once more.
    match first {
        Some(fleet::CHILD) => return fleet::child(&words),
        Some(check::CHILD) => return check::child(&words),
        Some("-h" | "--help" | "help") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(_) | None => {}
    }
    // Cargo adds a word of its own.
    let named: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "--bench")
        .collect();
    if let Some(unknown) = named
        .iter()
        .find(|word| PARTS.iter().all(|(part, _)| part != *word))
    {
        eprint!("there is no part `{unknown}`\n\n{HELP}");
        return ExitCode::from(2);
    }
    let mut table = Table::default();
    for (part, measure) in PARTS {
        if named.is_empty() || named.contains(&part) {
            eprintln!("measuring {part} …");
            measure(&mut table);
        }
    }
    print!("{table}");
    if table.all_kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
