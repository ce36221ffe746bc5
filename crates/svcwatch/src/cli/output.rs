//! Printing: tables whose columns fit, JSON, colours only where somebody sees them, and quiet where nobody reads.

use super::Format;
use crate::dest::clean;
use serde::Serialize;
use std::{
    env,
    io::{self, IsTerminal, Write},
};

/// Characters of one cell, at most.
const CELL_MAX: usize = 1_000;

/// A colour of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Good,
    Bad,
    Weak,
}

/// Whether colours are used where there is a terminal or not: never where NO_COLOR is set (no-color.org).
pub(super) fn colours_on(terminal: bool) -> bool {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// A text in a colour.
fn coloured(text: &str, colour: Colour, on: bool) -> String {
    let code = match colour {
        Colour::Plain => return text.to_owned(),
        Colour::Good => "32",
        Colour::Bad => "31",
        Colour::Weak => "2",
    };
    if on {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// A line on stderr. Where stderr is gone there is nobody to tell.
pub(super) fn complain(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Text on stdout.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Data as JSON on stdout.
pub(super) fn print_json(data: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(data)?;
    text.push('\n');
    print(&text)
}

/// Rows under a head.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<(String, Colour)>>,
}

impl Table {
    pub(super) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. What hosts and people wrote is made fit for a terminal here.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = (String, Colour)>) {
        let cells = cells
            .into_iter()
            .map(|(text, colour)| (clean::line(&text, CELL_MAX), colour));
        self.rows.push(cells.collect());
    }

    pub(super) fn print(&self) -> io::Result<()> {
        print(&self.text(colours_on(io::stdout().is_terminal())))
    }

    fn text(&self, colours: bool) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                let head = self.head.get(column).map_or(0, |head| head.chars().count());
                cells
                    .map(|(text, _)| text.chars().count())
                    .fold(head, usize::max)
            })
            .collect();
        let head: Vec<(String, Colour)> = self
            .head
            .iter()
            .map(|head| ((*head).to_owned(), Colour::Weak))
            .collect();
        let mut text = line(&head, &widths, colours);
        for row in &self.rows {
            text.push_str(&line(row, &widths, colours));
        }
        text
    }
}

fn line(cells: &[(String, Colour)], widths: &[usize], colours: bool) -> String {
    let mut line = String::new();
    let last = cells.len().saturating_sub(1);
    for (column, ((text, colour), width)) in cells.iter().zip(widths).enumerate() {
        line.push_str(&coloured(text, *colour, colours));
        // No spaces at the end of a line.
        if column < last {
            let gap = width.saturating_sub(text.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', gap));
        }
    }
    let mut line = line.trim_end_matches(' ').to_owned();
    line.push('\n');
    line
}

/// A cell in no colour.
pub(super) fn plain(text: impl Into<String>) -> (String, Colour) {
    (text.into(), Colour::Plain)
}

/// A cell that may be empty.
pub(super) fn maybe(text: Option<impl ToString>) -> (String, Colour) {
    text.map_or_else(
        || ("-".to_owned(), Colour::Weak),
        |text| (text.to_string(), Colour::Plain),
    )
}

/// Prints data as a table or as JSON.
pub(super) fn show(
    format: Format,
    data: &impl Serialize,
    table: impl FnOnce() -> Table,
) -> io::Result<()> {
    match format {
        Format::Json => print_json(data),
        Format::Table => table().print(),
    }
}

/// How far long work is: one line on a terminal that writes over itself, and nothing anywhere else.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            shown: io::stderr().is_terminal()
                && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    pub(super) fn at(&self, text: &str) {
        if self.shown {
            drop(write!(io::stderr(), "\r\u{1b}[K{text}"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            drop(write!(io::stderr(), "\r\u{1b}[K"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_and_what_hosts_wrote_cannot_steer_the_terminal() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row([plain("Spooler"), ("running".to_owned(), Colour::Good)]);
        table.row([plain("evil\u{1b}[2J"), maybe(None::<u32>)]);
        assert_eq!(
            table.text(false),
            "NAME      STATE\nSpooler   running\nevil\u{fffd}[2J  -\n"
        );
        assert!(table.text(true).contains("\u{1b}[32mrunning\u{1b}[0m"));
    }
}
