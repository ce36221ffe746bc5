//! Templates: the user's own texts in place of the built-in messages, in the language of Handlebars.
//!
//! A template is refused before it could do harm: it is measured before it is parsed, what nests or calls itself is
//! counted before it runs, and while it runs its steps and its output are counted. Whatever goes wrong, the built-in
//! message is sent instead, and why is told.

mod escape;
mod guard;
mod helpers;
mod measure;
mod run;
mod sample;
#[cfg(test)]
mod tests;
mod variables;

pub use sample::sample;
pub use variables::variables;

use guard::Guarded;
use serde_json::Value;
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};
use svcwatch_core::notice::{Kind, Notice, ToldEvent};

/// Bytes of a template, at most.
pub const SOURCE_BYTES_MAX: usize = 262_144;
/// Bytes that a template may give, at most.
pub const OUTPUT_BYTES_MAX: usize = 262_144;
/// Blocks that may stand inside each other.
pub const NESTING_MAX: usize = 8;
/// Links that templates and messages are given, at most.
pub const LINKS_MAX: usize = 100;
/// Characters of what a template for one line gives, at most.
pub const LINE_CHARACTERS_MAX: usize = 3_000;

/// What a template is to give, and so how the values in it are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// HTML: values are escaped for HTML, but for those in triple braces.
    Html,
    /// A JSON object: values are escaped for the inside of a JSON string, with double and with triple braces.
    Json,
    /// One line of plain text: nothing is escaped; line ends and control characters are taken out.
    Line,
    /// Markdown: line ends, control characters and backticks are taken out of values, so that none ends the piece of
    /// code or the line that it stands in. Who shows it must still not trust its links and HTML.
    Markdown,
}

/// Why the built-in message is sent in place of a template's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The file cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// Which file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// It is longer than is allowed.
    #[error("it has more than {SOURCE_BYTES_MAX} bytes; shorten it")]
    TooLong,
    /// It is not written in UTF-8.
    #[error("it is not UTF-8; save it as UTF-8")]
    NotText,
    /// It is no template.
    #[error("line {line}: {what}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Too much stands inside each other.
    #[error("line {line}: more than {most} {what} stand inside each other; split them up")]
    Nesting {
        /// Where, from 1.
        line: usize,
        /// What nests.
        what: &'static str,
        /// How many may.
        most: usize,
    },
    /// It has more tags than are allowed.
    #[error("it has more than {most} tags in double braces; shorten it")]
    TooManyTags {
        /// How many may be.
        most: usize,
    },
    /// A partial that includes itself, at once or by way of others.
    #[error("the partial {0} includes itself; take that away")]
    Recursive(String),
    /// A partial that is defined nowhere.
    #[error(
        "there is no partial {0}; define it in the template itself with {{{{#*inline \"{0}\"}}}}…{{{{/inline}}}}, because no other files are read"
    )]
    NoPartial(String),
    /// A part of the language that is not carried out.
    #[error("{0}")]
    Unsupported(&'static str),
    /// It broke off while it ran.
    #[error("{0}")]
    Run(String),
    /// It took too many steps.
    #[error("it takes too many steps; nest fewer loops")]
    Steps,
    /// It gave more than is allowed.
    #[error(
        "it gives more than {OUTPUT_BYTES_MAX} bytes, or more than a message may have; shorten it"
    )]
    Output,
    /// It gave nothing.
    #[error("it gives nothing; write a text")]
    Nothing,
    /// It did not give a JSON object.
    #[error("what it gives is no JSON object: {0}")]
    Json(String),
    /// The engine broke.
    #[error(
        "the template engine broke off, which is a fault of svcwatch itself; report it with the template"
    )]
    Broken,
}

/// Where a template stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file of its own, which is read again when it changes.
    File(PathBuf),
    /// In the configuration.
    Text(String),
}

/// One template, read and ready.
#[derive(Debug, Clone)]
pub struct Template {
    origin: Origin,
    target: Target,
    source: Result<Arc<str>, Failure>,
    state: Arc<State>,
}

/// What is found out of a template once and kept until its text changes.
#[derive(Debug, Default)]
struct State {
    compiled: OnceLock<Result<Guarded, Failure>>,
    /// Set where it took too many steps: it is not tried again, so that it cannot slow others down.
    given_up: AtomicBool,
    told: AtomicBool,
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        (&self.origin, self.target, &self.source) == (&other.origin, other.target, &other.source)
    }
}

impl Eq for Template {}

impl Template {
    /// Reads a template as it is now. What cannot be read is told where it is used.
    pub fn read(origin: Origin, target: Target) -> Self {
        let source = match &origin {
            Origin::File(path) => read(path),
            Origin::Text(text) if text.len() > SOURCE_BYTES_MAX => Err(Failure::TooLong),
            Origin::Text(text) => Ok(Arc::from(text.as_str())),
        };
        Self {
            origin,
            target,
            source,
            state: Arc::default(),
        }
    }

    /// Whether it stands in a file of its own.
    pub const fn is_file(&self) -> bool {
        matches!(self.origin, Origin::File(_))
    }

    /// What it is to give.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::File(path) => path.display().to_string(),
            Origin::Text(_) => "a text of the configuration".to_owned(),
        }
    }

    /// Fills it in. It always ends: its steps, its output and its depth are bounded.
    pub fn render(&self, variables: &Value) -> Result<String, Failure> {
        if self.state.given_up.load(Ordering::Relaxed) {
            return Err(Failure::Steps);
        }
        let guarded = self.state.compiled.get_or_init(|| {
            let source = self.source.as_ref().map_err(Clone::clone)?;
            guard::compile(source, self.target)
        });
        let rendered = run::run(
            guarded.as_ref().map_err(Clone::clone)?,
            self.target,
            variables,
        );
        if rendered == Err(Failure::Steps) {
            self.state.given_up.store(true, Ordering::Relaxed);
        }
        rendered
    }

    /// Whether a failure of it is told for the first time since its text changed.
    pub fn is_news(&self) -> bool {
        !self.state.told.swap(true, Ordering::Relaxed)
    }
}

/// Reads a file of at most [`SOURCE_BYTES_MAX`] bytes.
fn read(path: &Path) -> Result<Arc<str>, Failure> {
    let unreadable = |why: String| Failure::Unreadable {
        path: path.display().to_string(),
        why,
    };
    // A folder or a pipe is refused before it is opened: opening a pipe could wait for ever.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(unreadable("it is no file".to_owned())),
        Err(error) => return Err(unreadable(error.to_string())),
    }
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let most = u64::try_from(SOURCE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() > SOURCE_BYTES_MAX {
        return Err(Failure::TooLong);
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::NotText)?;
    Ok(Arc::from(text.strip_prefix('\u{FEFF}').unwrap_or(&text)))
}

/// Which notices a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Those of this event.
    Event(ToldEvent),
    /// Those of this kind, where none stands for their event.
    Kind(Kind),
    /// All others.
    Any,
}

impl Word {
    /// The word as the configuration writes it.
    pub fn parse(word: &str) -> Option<Self> {
        ToldEvent::parse(word)
            .map(Self::Event)
            .or_else(|| Kind::parse(word).map(Self::Kind))
    }
}

/// The templates of one destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Templates(Vec<(Word, Template)>);

impl Templates {
    /// Those that are given, each for its word.
    pub fn new(list: Vec<(Word, Template)>) -> Self {
        Self(list)
    }

    /// The template for a notice: that of its event, else that of its kind, else that for all.
    pub fn of(&self, notice: &Notice) -> Option<&Template> {
        [
            Word::Event(notice.event),
            Word::Kind(notice.kind),
            Word::Any,
        ]
        .iter()
        .find_map(|word| self.0.iter().find(|(of, _)| of == word))
        .map(|(_, template)| template)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(Word, Template)> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A link that messages and templates offer beside the incident's own: a runbook, a page of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What templates tell it by.
    pub id: String,
    /// What is shown.
    pub text: String,
    /// A remark on it; may be empty.
    pub comment: String,
    /// Where it leads.
    pub url: String,
}
