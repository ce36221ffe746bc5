//! Hosts in CSV: one line each, under a first line that names the columns. Each value is judged at its place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use ::csv::{ByteRecord, ReaderBuilder};

use super::{LABELS, ListedHost};
use crate::config::near::nearest;
use crate::config::problem::{Position, Problems, quoted};
use crate::config::text::Form;

/// What a line may say of a host.
const COLUMNS: [&str; 6] = ["name", "address", "port", "site", "credentials", "labels"];
/// The first line of a list that says everything.
const EXAMPLE: &str = "name,address,port,site,credentials,labels";
/// The most bytes of one value.
const VALUE_BYTES: usize = 8_192;
/// With these a spreadsheet program begins a formula.
const FORMULA: [char; 4] = ['=', '+', '-', '@'];

/// The hosts of a list while its files are read.
pub(super) struct Table<'run> {
    /// The accounts that they may name; any where none are known.
    accounts: Option<&'run BTreeSet<String>>,
    hosts: Vec<ListedHost>,
    /// Where each name stands, by the name in lower case.
    seen: HashMap<String, Position>,
    files: usize,
}

/// Where in a file a line begins.
struct Line<'text> {
    text: &'text [u8],
    file: u16,
    number: u32,
}

impl Line<'_> {
    /// The place of a value.
    fn at(&self, field: usize) -> Position {
        let (mut line, mut column, mut left) = (self.number, 1_u32, field);
        let mut in_quotes = false;
        for byte in self.text {
            if left == 0 {
                break;
            }
            match byte {
                b'"' => in_quotes = !in_quotes,
                b',' if !in_quotes => left -= 1,
                b'\n' if in_quotes => {
                    line = line.saturating_add(1);
                    column = 0;
                }
                b'\n' => break,
                _ => {}
            }
            // The second and later bytes of a character are not counted.
            if byte & 0xc0 != 0x80 {
                column = column.saturating_add(1);
            }
        }
        Position {
            file: self.file,
            line,
            column,
        }
    }
}

impl<'run> Table<'run> {
    /// A table without a host, whose hosts may name these accounts.
    pub(super) fn new(accounts: Option<&'run BTreeSet<String>>) -> Self {
        Self {
            accounts,
            hosts: Vec::new(),
            seen: HashMap::new(),
            files: 0,
        }
    }

    /// The hosts.
    pub(super) fn hosts(self) -> Vec<ListedHost> {
        self.hosts
    }

    /// Adds the hosts of a file.
    pub(super) fn add(&mut self, bytes: &[u8], file: u16, problems: &mut Problems) {
        let place = self.files;
        self.files = place.saturating_add(1);
        let begin = Position {
            file,
            line: 1,
            column: 1,
        };
        // Windows writes a mark of three bytes in front of UTF-8.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
            problems.error(
                begin,
                "",
                "this is no UTF-8, but mostly UTF-16",
                "save it as `CSV UTF-8`",
            );
            return;
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .from_reader(bytes);
        let (mut record, mut counted) = (ByteRecord::new(), (0, 1));
        let mut columns: Option<Vec<&'static str>> = None;
        // What is read from memory fails never.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            let start = record.position().map_or(0, ::csv::Position::byte);
            let start = first_of(bytes, usize::try_from(start).unwrap_or(usize::MAX));
            counted = count_lines(bytes, counted, start);
            let line = Line {
                text: bytes.get(start..).unwrap_or_default(),
                file,
                number: counted.1,
            };
            match &columns {
                None => match head(&record, &line, problems) {
                    Some(found) => columns = Some(found),
                    None => return,
                },
                Some(columns) => {
                    if let Some(host) = self.row(&record, columns, &line, problems) {
                        self.hosts.push(ListedHost {
                            file: place,
                            line: line.number,
                            ..host
                        });
                    }
                }
            }
        }
        if columns.is_none() {
            let instead =
                format!("write `{EXAMPLE}` as its first line, and below it a line for each host");
            problems.error(begin, "", "the file is empty", instead);
        }
    }

    /// The host of one line.
    fn row(
        &mut self,
        record: &ByteRecord,
        columns: &[&'static str],
        line: &Line<'_>,
        problems: &mut Problems,
    ) -> Option<ListedHost> {
        if record.iter().all(|value| value.trim_ascii().is_empty()) {
            return None;
        }
        if record.len() != columns.len() {
            let what = format!(
                "this line has {}, and the first line names {}",
                counted(record.len(), "value"),
                counted(columns.len(), "column")
            );
            let instead = if record.len() > columns.len() {
                "put a value that holds a comma in double quotes"
            } else {
                "write a comma for each value that is left out"
            };
            problems.error(line.at(0), "", what, instead);
            return None;
        }
        let before = problems.count();
        let mut host = ListedHost::default();
        for (field, (column, value)) in columns.iter().zip(record.iter()).enumerate() {
            let text = match readable(value) {
                Ok("") => continue,
                Ok(text) => text,
                Err((what, instead)) => {
                    problems.error(line.at(field), column, what, instead);
                    continue;
                }
            };
            if let Err((what, instead)) = self.value(&mut host, column, text) {
                problems.error(line.at(field), column, what, instead);
            }
        }
        if host.name.is_empty() && problems.count() == before {
            let at = columns.iter().position(|column| *column == "name");
            problems.error(
                line.at(at.unwrap_or(0)),
                "name",
                "the host has no name",
                "write its name, or remove the line",
            );
        }
        if problems.count() > before {
            return None;
        }
        self.first_time(&host, line, problems).then_some(host)
    }

    /// Whether no line before names the host.
    fn first_time(&mut self, host: &ListedHost, line: &Line<'_>, problems: &mut Problems) -> bool {
        let at = line.at(0);
        let Some(first) = self.seen.insert(host.name.to_lowercase(), at) else {
            return true;
        };
        let what = format!(
            "the host {} stands twice, first at {}",
            quoted(&host.name),
            problems.place(first)
        );
        let instead = "keep one of them; names compare without case";
        problems.error(at, "name", what, instead);
        false
    }

    fn value(&self, host: &mut ListedHost, column: &str, text: &str) -> Result<(), Fault> {
        match column {
            "name" => {
                Form::Name.check(text)?;
                text.clone_into(&mut host.name);
            }
            "address" => {
                Form::Address.check(text)?;
                host.address = Some(text.to_owned());
            }
            "port" => host.port = Some(port(text)?),
            "site" => {
                Form::Name.check(text)?;
                host.site = Some(text.to_owned());
            }
            "credentials" => {
                if let Some(accounts) = self.accounts {
                    account(text, accounts)?;
                } else {
                    Form::Name.check(text)?;
                }
                host.credentials = Some(text.to_owned());
            }
            _ => host.labels = labels(text)?,
        }
        Ok(())
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What is wrong, and what to write instead.
pub(super) type Fault = (String, String);

fn fault<T>(what: impl Into<String>, instead: impl Into<String>) -> Result<T, Fault> {
    Err((what.into(), instead.into()))
}

/// The columns of a list, by its first line.
fn head(
    record: &ByteRecord,
    line: &Line<'_>,
    problems: &mut Problems,
) -> Option<Vec<&'static str>> {
    let only = record.get(0).filter(|_| record.len() == 1);
    for (other, separator) in [("semicolons", b';'), ("tabs", b'\t')] {
        if only.is_some_and(|text| text.contains(&separator)) {
            problems.error(
                line.at(0),
                "",
                format!("the columns are separated by {other}"),
                format!(
                    "separate them by commas, as in `{EXAMPLE}`; semicolons stand between labels"
                ),
            );
            return None;
        }
    }
    let before = problems.count();
    let mut columns = Vec::with_capacity(record.len());
    for (field, value) in record.iter().enumerate() {
        let text = String::from_utf8_lossy(value).trim().to_lowercase();
        let Some(column) = COLUMNS.iter().copied().find(|column| *column == text) else {
            let known = format!("known are {}", COLUMNS.join(", "));
            let instead = match nearest(&text, COLUMNS.iter().copied()) {
                Some(near) => format!("did you mean `{near}`? {known}"),
                None => format!("{known}; the first line names the columns"),
            };
            let what = format!("no column is called {}", quoted(&text));
            problems.error(line.at(field), "", what, instead);
            continue;
        };
        if columns.contains(&column) {
            let what = format!("the column `{column}` stands twice");
            problems.error(line.at(field), "", what, "keep one of them");
        }
        columns.push(column);
    }
    if problems.count() == before && !columns.contains(&"name") {
        let what = "the column `name` is missing";
        let instead = format!("write `{EXAMPLE}` as the first line, or those of it that you need");
        problems.error(line.at(0), "", what, instead);
    }
    (problems.count() == before).then_some(columns)
}

/// A value as text, without the blanks around it.
fn readable(value: &[u8]) -> Result<&str, Fault> {
    if value.len() > VALUE_BYTES {
        return fault(
            format!("the value has {} bytes", value.len()),
            format!(
                "write at most {VALUE_BYTES}; a double quote that is not closed takes in what follows"
            ),
        );
    }
    let Ok(text) = std::str::from_utf8(value) else {
        return fault("the value is no UTF-8", "save the file as `CSV UTF-8`");
    };
    let text = text.trim();
    if text.contains(['\n', '\r']) {
        return fault(
            "the value goes over several lines",
            "close the double quote in which it begins; a double quote itself is written twice",
        );
    }
    if text.starts_with(FORMULA) {
        return fault(
            format!(
                "{} begins as a formula of spreadsheet programs does",
                quoted(text)
            ),
            "write the plain value; none here begins with `=`, `+`, `-` or `@`",
        );
    }
    Ok(text)
}

fn port(text: &str) -> Result<u16, Fault> {
    match text.parse() {
        Ok(0) | Err(_) => fault(
            format!("{} is no port", quoted(text)),
            "write a whole number from 1 to 65535, or nothing for the usual one",
        ),
        Ok(port) => Ok(port),
    }
}

/// Whether the config has this account.
pub(super) fn account(text: &str, accounts: &BTreeSet<String>) -> Result<(), Fault> {
    if accounts.contains(&text.to_lowercase()) {
        return Ok(());
    }
    let instead = match nearest(text, accounts.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "write the name of an account under `credentials:` of the configuration, or nothing"
                .to_owned()
        }
    };
    fault(format!("no account is called {}", quoted(text)), instead)
}

/// A label's name and value.
pub(super) fn label(name: &str, value: &str) -> Result<(), Fault> {
    Form::Name.check(name)?;
    Form::Line(256).check(value)
}

fn labels(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let mut labels = BTreeMap::new();
    for part in text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let Some((name, value)) = part.split_once('=') else {
            return fault(
                format!("the label {} has no value", quoted(part)),
                "write labels as `team=db;tier=1`",
            );
        };
        let (name, value) = (name.trim(), value.trim());
        label(name, value)?;
        if labels.insert(name.to_owned(), value.to_owned()).is_some() {
            return fault(
                format!("the label {} stands twice", quoted(name)),
                "keep one of them",
            );
        }
    }
    if labels.len() > LABELS {
        return fault(
            format!("the host has {} labels", labels.len()),
            format!("write at most {LABELS}"),
        );
    }
    Ok(labels)
}

/// Where the first line that is neither empty nor a remark begins, from this place on.
fn first_of(bytes: &[u8], mut place: usize) -> usize {
    loop {
        match bytes.get(place) {
            Some(b'\n' | b'\r') => place += 1,
            Some(b'#') => {
                let rest = bytes.get(place..).unwrap_or_default();
                let end = rest.iter().position(|byte| *byte == b'\n');
                place += end.unwrap_or(rest.len());
            }
            _ => return place,
        }
    }
}

/// Counts lines on from a place with its line to a later place.
fn count_lines(bytes: &[u8], (from, line): (usize, u32), to: usize) -> (usize, u32) {
    let between = bytes.get(from..to).unwrap_or_default();
    // A file of an old Mac ends its lines with another sign; there all is one line here.
    let ends = between.split(|byte| *byte == b'\n').count() - 1;
    (
        to,
        line.saturating_add(u32::try_from(ends).unwrap_or(u32::MAX)),
    )
}

/// Whatever the bytes are, they are hosts, or there is a problem with a place. It is what the tests with random bytes
/// call.
///
/// # Panics
/// Where that does not hold, which is what those tests look for.
pub fn parse_any(bytes: &[u8]) {
    let accounts = BTreeSet::from(["ops".to_owned()]);
    let mut problems = Problems::new(&[]);
    let file = problems.add_list(Path::new("hosts.csv"));
    let mut table = Table::new(Some(&accounts));
    table.add(bytes, file, &mut problems);
    let hosts = table.hosts();
    let mut names = BTreeSet::new();
    for host in &hosts {
        assert!(!host.name.is_empty() && host.line > 0, "{host:?}");
        assert!(
            names.insert(host.name.to_lowercase()),
            "{host:?} stands twice"
        );
    }
    if let Err(errors) = problems.finish() {
        for problem in &errors.problems {
            assert!(
                problem.line > 0 && problem.column > 0,
                "no place: {problem}"
            );
            assert!(
                !problem.what.is_empty() && !problem.instead.is_empty(),
                "{problem}"
            );
        }
    }
}
