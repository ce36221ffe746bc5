//! `svcwatch schedule`.

use super::{
    Format, Output,
    failure::Failure,
    output::{self, Table, plain},
};
use crate::{clock, config, dest::text};
use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use svcwatch_core::time::Wall;

/// Say when a schedule text runs, or why it is refused
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch schedule 'every 5 minutes on mon-fri'
  svcwatch schedule 'at 8:00 am on the last day instance on friday' --next 12
  svcwatch schedule 'every 2 hours after 6:00 before 22:00' --from 2027-01-01T00:00:00Z -o json

Such a text may stand wherever the configuration has `every:`. Everything is in UTC. \
A text that is refused ends with exit code 2, and with what to write instead.")]
pub(super) struct Arguments {
    /// The text
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// The time after which it is looked for, as 2027-01-01T00:00:00Z; now, if not given
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Wall>,
    /// How many times are printed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    next: u16,
    #[command(flatten)]
    output: Output,
}

/// What is printed for programs.
#[derive(Debug, Serialize)]
struct Next {
    next: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let text = arguments.text.join(" ");
    let schedule = config::parse_schedule(&text)
        .map_err(|refusal| Failure::usage(format!("the schedule is refused: {refusal}")))?;
    for note in &schedule.notes {
        output::complain(&format!(
            "note: {} (column {} of the text)",
            note.text, note.column
        ));
    }
    let from = arguments.from.unwrap_or_else(clock::wall);
    let occurrences = &schedule.occurrences;
    let times: Vec<Wall> =
        std::iter::successors(occurrences.next(from), |at| occurrences.next(*at))
            .take(usize::from(arguments.next))
            .collect();
    match arguments.output.output {
        Format::Json => output::print_json(&Next {
            next: times.iter().map(|at| stamp(*at).to_string()).collect(),
        })?,
        Format::Table if times.is_empty() => {
            output::print(&format!("It does not run after {}.\n", text::moment(from)))?;
        }
        Format::Table => table(from, &times).print()?,
    }
    Ok(())
}

fn table(from: Wall, times: &[Wall]) -> Table {
    let mut table = Table::new(&["AT", "DAY", "AFTER"]);
    let mut before = from;
    for at in times {
        let day = stamp(*at)
            .to_zoned(TimeZone::UTC)
            .strftime("%A")
            .to_string();
        table.row([
            plain(text::moment(*at)),
            plain(day),
            plain(text::duration(at.since(before))),
        ]);
        before = *at;
    }
    table
}

fn stamp(at: Wall) -> Timestamp {
    Timestamp::from_millisecond(at.0).unwrap_or_default()
}

fn moment(text: &str) -> Result<Wall, String> {
    text.parse::<Timestamp>()
        .map(|at| Wall(at.as_millisecond()))
        .map_err(|_| "write a time with its zone, as 2027-01-01T00:00:00Z".to_owned())
}
