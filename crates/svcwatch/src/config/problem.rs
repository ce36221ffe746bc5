//! What is wrong with a config, where, and what to write instead.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::butler::ROOT;
use super::shape::{Step, path_text};
use super::tree::{Node, Value};

/// How many problems are kept one by one; further ones are only counted.
const KEPT: usize = 1_000;

/// How much of a value from a file is repeated in a message, in characters.
const QUOTED: usize = 60;

/// A place in one of the config's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// Index of the file among those that were given.
    pub(crate) file: u16,
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
}

/// One problem or one warning, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file that holds it.
    pub file: PathBuf,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 where the whole file is meant.
    pub column: u32,
    /// The path inside the config, as `hosts[2].every`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.what)?;
        if !self.instead.is_empty() {
            write!(f, "; {}", self.instead)?;
        }
        Ok(())
    }
}

/// Something in the config that works and yet is probably not meant.
pub type Warning = Problem;

/// Every problem of a config, in the order of its files and lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ConfigErrors {
    /// The problems, at most a thousand.
    pub problems: Vec<Problem>,
    /// How many there are beyond those.
    pub more: usize,
    /// What is to be known of Butler files among the files.
    pub notes: Notes,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        match self.problems.len().saturating_add(self.more) {
            1 => write!(f, "1 problem"),
            count => write!(f, "{count} problems"),
        }
    }
}

/// What is to be known of files that were written for another program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// Keys that mean nothing here.
    pub ignored: Vec<Problem>,
    /// Where svcwatch does something else than that program.
    pub differences: Vec<Difference>,
}

/// One place where svcwatch does something else than the program that the file was written for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The path inside the file.
    pub path: String,
    /// What svcwatch does.
    pub svcwatch: String,
    /// What the other program does.
    pub other: String,
    /// Whether it holds wherever such a section has a meaning, and not for this value alone.
    pub everywhere: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}: svcwatch {}; Butler {}",
            self.file.display(),
            self.line,
            self.column,
            self.path,
            self.svcwatch,
            self.other
        )
    }
}

/// Gathers problems and warnings while a config is read.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    files: Vec<PathBuf>,
    errors: Vec<(Position, Problem)>,
    warnings: Vec<(Position, Problem)>,
    ignored: Vec<(Position, Problem)>,
    differences: Vec<(Position, Difference)>,
    more: usize,
    /// The paths of values in files that are read as other ones, so that messages name what stands there.
    paths: HashMap<Position, String>,
    butlers: BTreeSet<u16>,
    /// Which of the files are lists of hosts.
    lists: BTreeSet<u16>,
}

/// How many errors there were at some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    kept: usize,
    more: usize,
}

impl Mark {
    /// How many in all.
    pub(crate) const fn count(self) -> usize {
        self.kept.saturating_add(self.more)
    }
}

impl Problems {
    /// Starts with the files that positions point into.
    pub(crate) fn new(files: &[PathBuf]) -> Self {
        Self {
            files: files.to_vec(),
            ..Self::default()
        }
    }

    /// The file of a position.
    pub(crate) fn file(&self, at: Position) -> &Path {
        self.files
            .get(usize::from(at.file))
            .map_or_else(|| Path::new("config"), PathBuf::as_path)
    }

    /// `FILE:LINE:COL` of a position, for a message that points at a second place.
    pub(crate) fn place(&self, at: Position) -> String {
        let file = self.file(at).display();
        match at.line {
            0 => file.to_string(),
            line => format!("{file}:{line}:{}", at.column),
        }
    }

    /// Adds a file, or an address, that a list of hosts is read from.
    pub(crate) fn add_list(&mut self, path: &Path) -> u16 {
        let known = self.files.iter().position(|known| known == path);
        let index = known.unwrap_or_else(|| {
            self.files.push(path.to_owned());
            self.files.len() - 1
        });
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        self.lists.insert(index);
        index
    }

    /// Whether a place lies in a list of hosts.
    pub(crate) fn is_list(&self, at: Position) -> bool {
        self.lists.contains(&at.file)
    }

    /// The errors so far, to tell later which came after them.
    pub(crate) const fn mark(&self) -> Mark {
        Mark {
            kept: self.errors.len(),
            more: self.more,
        }
    }

    /// Takes away the errors that came after this mark, each as a sentence.
    pub(crate) fn take_since(&mut self, mark: Mark) -> Vec<String> {
        let taken = self.errors.split_off(mark.kept.min(self.errors.len()));
        let mut sentences: Vec<String> = taken.iter().map(|(_, one)| one.to_string()).collect();
        let more = self.more.saturating_sub(mark.more);
        self.more = mark.more;
        if more > 0 {
            sentences.push(format!("and {more} more"));
        }
        sentences
    }

    /// The errors at places of this file, each as a sentence.
    pub(crate) fn errors_of(&self, file: &Path) -> Vec<String> {
        let of = self.errors.iter().filter(|(_, one)| one.file == file);
        of.map(|(_, one)| one.to_string()).collect()
    }

    /// Notes an error.
    pub(crate) fn error(
        &mut self,
        at: Position,
        path: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        if self.errors.len() >= KEPT {
            self.more = self.more.saturating_add(1);
            return;
        }
        let problem = self.problem(at, path, what.into(), instead.into());
        self.errors.push((at, problem));
    }

    /// Notes a warning.
    pub(crate) fn warn(
        &mut self,
        at: Position,
        path: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        if self.warnings.len() >= KEPT {
            return;
        }
        let problem = self.problem(at, path, what.into(), instead.into());
        self.warnings.push((at, problem));
    }

    /// Notes a key that means nothing here.
    pub(crate) fn ignored(&mut self, at: Position, path: &str, why: &str) {
        if self.ignored.len() < KEPT {
            let problem = self.problem(at, path, why.to_owned(), String::new());
            self.ignored.push((at, problem));
        }
    }

    /// Notes that something else is done than the program did that the file was written for.
    pub(crate) fn differs(
        &mut self,
        at: Position,
        path: &str,
        svcwatch: &str,
        other: &str,
        everywhere: bool,
    ) {
        if self.differences.len() < KEPT {
            let difference = Difference {
                file: self.file(at).to_path_buf(),
                line: at.line,
                column: at.column,
                path: path.to_owned(),
                svcwatch: svcwatch.to_owned(),
                other: other.to_owned(),
                everywhere,
            };
            self.differences.push((at, difference));
        }
    }

    /// Remembers the paths of a Butler file, which is read as a native one: all further messages name them.
    pub(crate) fn name_paths(&mut self, root: &Node) {
        self.butlers.insert(root.at.file);
        let mut steps = Vec::new();
        name(root, &mut steps, &mut self.paths);
    }

    /// The Butler file that a position lies in, if it is one.
    pub(crate) fn butler_file(&self, at: Position) -> Option<&Path> {
        self.butlers.contains(&at.file).then(|| self.file(at))
    }

    /// Whether one of the files is a Butler file.
    pub(crate) fn any_butler(&self) -> bool {
        !self.butlers.is_empty()
    }

    /// What is to be known of Butler files, in the order of their lines.
    pub(crate) fn take_notes(&mut self) -> Notes {
        self.ignored.sort_by_key(|(at, _)| *at);
        self.differences.sort_by_key(|(at, _)| *at);
        let ignored = std::mem::take(&mut self.ignored);
        let differences = std::mem::take(&mut self.differences);
        Notes {
            ignored: ignored.into_iter().map(|(_, one)| one).collect(),
            differences: differences.into_iter().map(|(_, one)| one).collect(),
        }
    }

    /// How many errors there are so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.len().saturating_add(self.more)
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn none(&self) -> bool {
        self.errors.is_empty()
    }

    /// The warnings, or all errors.
    pub(crate) fn finish(mut self) -> Result<Vec<Warning>, ConfigErrors> {
        if self.errors.is_empty() {
            self.warnings.sort_by_key(|(at, _)| *at);
            return Ok(self
                .warnings
                .into_iter()
                .map(|(_, warning)| warning)
                .collect());
        }
        self.errors.sort_by_key(|(at, _)| *at);
        // An alias brings the same value, and so the same problem, to several places.
        self.errors.dedup();
        Err(ConfigErrors {
            problems: self
                .errors
                .into_iter()
                .map(|(_, problem)| problem)
                .collect(),
            more: self.more,
            notes: Notes::default(),
        })
    }

    /// The path that a message shows: in a Butler file that of the value which stands there, unless the message is about
    /// the file itself and knows better. (A mapping begins where its first key does.)
    fn path_of<'a>(&'a self, at: Position, path: &'a str) -> &'a str {
        if path.starts_with(ROOT) {
            return path;
        }
        // A line of a list knows only what is said of its own host.
        if self.is_list(at) && path.starts_with("hosts[") {
            return path.split_once("].").map_or("", |(_, own)| own);
        }
        self.paths.get(&at).map_or(path, String::as_str)
    }

    fn problem(&self, at: Position, path: &str, what: String, instead: String) -> Problem {
        Problem {
            file: self.file(at).to_path_buf(),
            line: at.line,
            column: at.column,
            path: self.path_of(at, path).to_owned(),
            what,
            instead,
        }
    }
}

fn name<'tree>(
    node: &'tree Node,
    steps: &mut Vec<Step<'tree>>,
    paths: &mut HashMap<Position, String>,
) {
    let mut below = |step: Step<'tree>, key_at: Option<Position>, node: &'tree Node| {
        steps.push(step);
        let path = path_text(steps);
        for at in key_at.into_iter().chain([node.at]) {
            paths.entry(at).or_insert_with(|| path.clone());
        }
        name(node, steps, paths);
        steps.pop();
    };
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                below(Step::Item(index), None, item);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                below(Step::Key(&entry.key), Some(entry.key_at), &entry.value);
            }
        }
    }
}

/// A value from a file as a message may repeat it: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("`");
    for (count, character) in text.chars().enumerate() {
        if count == QUOTED {
            out.push('…');
            break;
        }
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out.push('`');
    out
}

/// `a, b or c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
