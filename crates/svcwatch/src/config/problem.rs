//! What is wrong with a config, where, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

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

/// Gathers problems and warnings while a config is read.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    files: Vec<PathBuf>,
    errors: Vec<(Position, Problem)>,
    warnings: Vec<(Position, Problem)>,
    more: usize,
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
        format!("{}:{}:{}", self.file(at).display(), at.line, at.column)
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
        })
    }

    fn problem(&self, at: Position, path: &str, what: String, instead: String) -> Problem {
        Problem {
            file: self.file(at).to_path_buf(),
            line: at.line,
            column: at.column,
            path: path.to_owned(),
            what,
            instead,
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
