//! Why a schedule text is refused.

use std::fmt;

use crate::config::problem::quoted;

/// Why a schedule text is refused: what stands where, what Butler makes of it without a word, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong, with the place in words.
    pub what: String,
    /// What Butler would have done instead.
    pub butler: String,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem(), self.instead)
    }
}

impl Refusal {
    /// What is wrong and what Butler would have done, without what to write instead.
    pub fn problem(&self) -> String {
        let Self {
            column,
            what,
            butler,
            ..
        } = self;
        format!("{what} (column {column} of the text); Butler would have {butler}")
    }
}

/// Something that works and yet is probably not meant, or that Butler does otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where, in characters from 1.
    pub column: usize,
    /// What it is, as a fragment.
    pub text: String,
}

/// A word as a message repeats it, and the end of the text where there is none.
pub(super) fn shown(word: Option<&str>) -> String {
    word.map_or_else(|| "the end of the text".to_owned(), quoted)
}

/// What Butler does with a text of which it understands nothing.
pub(super) const NEVER: &str = "checked once at its start and then never again, without a word";

/// What Butler does with a time that it does not understand.
pub(super) const WITHOUT_PAUSE: &str = "checked hundreds of times a second, without a word";

/// What Butler does where it understands no further.
pub(super) const LEFT_OUT: &str =
    "left out everything from there to the end of the text, without a word";

/// What Butler does where a number is not among those that its field has.
pub(super) const OTHER_TIMES: &str = "checked at other times or never, without a word";
