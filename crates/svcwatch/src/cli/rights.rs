//! `svcwatch rights`.

use super::{
    Format, Output,
    failure::Failure,
    output::{self},
};
use crate::rights::{self, Change, Group, Object};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::{self, Read};

/// Longest descriptor that is read from stdin, in bytes.
const INPUT_MAX: u64 = 1024 * 1024;

/// Print a security descriptor with a group's query rights added, and its undo
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  svcwatch rights 'D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)' --group S-1-5-21-1004336348-1177238915-682003330-1604
  svcwatch rights 'D:(A;;CC;;;AU)(A;;KA;;;BA)' --for manager --group S-1-5-21-1004336348-1177238915-682003330-1604
  sc.exe sdshow Spooler | svcwatch rights - --group S-1-5-21-1004336348-1177238915-682003330-1604 -o json

Nothing is changed anywhere: it only prints. docs/rights.md has the whole way, and a script that goes it.")]
pub(super) struct Arguments {
    /// The descriptor, as `sc.exe sdshow NAME` prints it; `-` reads it from stdin
    #[arg(value_name = "SDDL")]
    sddl: String,
    /// The SID of the group
    #[arg(long, value_name = "SID")]
    group: String,
    /// What the descriptor belongs to: the same letters mean different rights
    #[arg(long = "for", value_name = "WHAT", value_enum, default_value_t)]
    object: What,
    /// Take the rights away again instead
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    output: Output,
}

/// What a descriptor belongs to.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum What {
    /// A service
    #[default]
    Service,
    /// The service control manager
    Manager,
}

/// What is printed for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    r#for: &'static str,
    group: &'a str,
    changed: bool,
    entry: &'a str,
    old: &'a str,
    new: &'a str,
    undo: &'a str,
    notes: &'a [String],
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let object = match arguments.object {
        What::Service => Object::Service,
        What::Manager => Object::Manager,
    };
    let text = if arguments.sddl == "-" {
        let mut text = String::new();
        io::stdin()
            .lock()
            .take(INPUT_MAX)
            .read_to_string(&mut text)
            .map_err(|error| Failure::usage(format!("stdin cannot be read: {error}")))?;
        text
    } else {
        arguments.sddl.clone()
    };
    let group = Group::read(&arguments.group)
        .map_err(|error| Failure::usage(format!("no rights are given: {error}")))?;
    let change = if arguments.undo {
        rights::revoke(&text, &group, object)
    } else {
        rights::grant(&text, &group, object)
    };
    let change = change
        .map_err(|error| Failure::usage(format!("the descriptor is left as it is: {error}")))?;
    match arguments.output.output {
        Format::Json => output::print_json(&Answer {
            r#for: object.as_str(),
            group: group.sid().as_str(),
            changed: change.is_needed(),
            entry: &change.entry,
            old: &change.old,
            new: &change.new,
            undo: &change.old,
            notes: &change.notes,
        })?,
        Format::Table => output::print(&in_words(&change, object, arguments.undo))?,
    }
    Ok(())
}

fn in_words(change: &Change, object: Object, undo: bool) -> String {
    let mut lines = Vec::new();
    if change.is_needed() {
        let (verb, kept) = if undo {
            ("Taken away", "With the rights, as it was")
        } else {
            ("Added", "Undo, as it was")
        };
        let name = match object {
            Object::Manager => "scmanager",
            Object::Service => "NAME",
        };
        lines.extend([
            format!("{verb}: {}", change.entry),
            format!("  {}", object.in_words()),
            String::new(),
            format!("sc.exe sdset {name} \"{}\"", change.new),
            String::new(),
            format!("{kept}:"),
            format!("sc.exe sdset {name} \"{}\"", change.old),
        ]);
    } else {
        lines.push("Nothing to do.".to_owned());
    }
    lines.extend(change.notes.iter().map(|note| format!("note: {note}")));
    lines.push(String::new());
    lines.join("\n")
}
