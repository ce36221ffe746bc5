//! What the tables are made of: shapes, keys and kinds of values.

use svcwatch_core::time::Span;

use super::duration::duration_text;
use super::problem::{listed, quoted};
use super::scalar::Plain;
use super::text::Form;
use super::tree::Scalar;

/// The keys of one mapping.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What it is called in the schema and in the list of keys that are not built yet.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) doc: &'static str,
    /// Its keys, in groups that several shapes may share.
    pub(crate) keys: &'static [&'static [Key]],
    /// Exactly one of these keys must be there; empty where no such rule is.
    pub(crate) one_of: &'static [&'static str],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its value may be.
    pub(crate) kind: Kind,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// What holds where it is not there; empty where there is no such value.
    pub(crate) default: &'static str,
    /// What it means.
    pub(crate) doc: &'static str,
    /// The version that first had it.
    pub(crate) since: &'static str,
}

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A text of some form.
    Text(Form),
    /// A whole number.
    Whole { least: i64, most: i64 },
    /// A whole number, or `off`.
    WholeOrOff { least: i64, most: i64 },
    /// `true` or `false`, also written `on` and `off`.
    Switch,
    /// A duration, in milliseconds from … to …; with `off`, that word too.
    Duration { least: u64, most: u64, off: bool },
    /// A duration, in milliseconds from … to …, or this word.
    DurationOr {
        least: u64,
        most: u64,
        word: &'static str,
    },
    /// A duration, in milliseconds from … to …, or a schedule text.
    Rhythm { least: u64, most: u64 },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A mapping.
    Map(&'static Shape),
    /// A mapping whose keys are names that the user gives.
    Named {
        names: Form,
        of: &'static Self,
        most: usize,
    },
    /// A list.
    List { of: &'static Self, most: usize },
    /// A value, or a list of such values.
    OneOrMany { of: &'static Self, most: usize },
    /// A bare text, or a mapping.
    TextOr(Form, &'static Shape),
    /// A mapping whose `type` chooses its shape.
    Typed(&'static [(&'static str, &'static Shape)]),
}

impl Shape {
    /// All keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys.iter().flat_map(|group| group.iter())
    }

    /// The key of that name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.all().find(|key| key.name == name)
    }
}

impl Kind {
    /// What to write, for people.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Self::Text(form) => form.wanted(),
            Self::Whole { least, most } => format!("a whole number from {least} to {most}"),
            Self::WholeOrOff { least, most } => {
                format!("a whole number from {least} to {most}, or `off`")
            }
            Self::Switch => "`true` or `false`".into(),
            Self::Duration { least, most, off } => format!(
                "a duration from {} to {}{}",
                duration_text(Span(*least)),
                duration_text(Span(*most)),
                if *off { ", or `off`" } else { "" }
            ),
            Self::DurationOr { least, most, word } => format!(
                "a duration from {} to {}, or `{word}`",
                duration_text(Span(*least)),
                duration_text(Span(*most)),
            ),
            Self::Rhythm { least, most } => format!(
                "a duration from {} to {}, or a schedule such as `every 5 minutes on mon-fri`",
                duration_text(Span(*least)),
                duration_text(Span(*most)),
            ),
            Self::Choice(words) => listed(words.iter().copied()),
            Self::Map(shape) => keys_wanted(shape),
            Self::Named { of, .. } => format!("a mapping of names, each with {}", of.wanted()),
            Self::List { of, .. } => format!("a list, each of its items {}", of.wanted()),
            Self::OneOrMany { of, .. } => format!("{}, or a list of such", of.wanted()),
            Self::TextOr(form, shape) => format!("{}, or {}", form.wanted(), keys_wanted(shape)),
            Self::Typed(types) => {
                format!(
                    "a mapping whose `type` is {}",
                    listed(types.iter().map(|(name, _)| *name))
                )
            }
        }
    }
}

/// The keys of a shape, for people.
pub(crate) fn keys_wanted(shape: &Shape) -> String {
    if shape.one_of.is_empty() {
        let names: Vec<&str> = shape.all().map(|key| key.name).take(6).collect();
        let dots = if shape.all().count() > names.len() {
            ", …"
        } else {
            ""
        };
        format!("a mapping with keys such as {}{dots}", names.join(", "))
    } else {
        format!(
            "a mapping with exactly one of {}",
            listed(shape.one_of.iter().copied())
        )
    }
}

/// One step of the path to a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'tree> {
    /// Under a key.
    Key(&'tree str),
    /// An item of a list, from 0.
    Item(usize),
}

/// The path as messages show it: `hosts[2].services[0].for`.
pub(crate) fn path_text(steps: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Item(index) => out.extend(["[", &index.to_string(), "]"]),
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                let simple = !key.is_empty()
                    && key
                        .chars()
                        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
                if simple && key.chars().count() <= 128 {
                    out.push_str(key);
                } else {
                    out.push_str(&quoted(key));
                }
            }
        }
    }
    out
}

/// `true`, `false`, `on` or `off`.
pub(crate) fn as_switch(scalar: &Scalar) -> Option<bool> {
    match (scalar.plain, &*scalar.text) {
        (Plain::Switch(on), _) => Some(on),
        (Plain::Text, "on") => Some(true),
        (Plain::Text, "off") => Some(false),
        _ => None,
    }
}

/// The word of a choice; `false` is `off`.
pub(crate) fn as_choice(scalar: &Scalar, words: &'static [&'static str]) -> Option<&'static str> {
    let text = if scalar.plain == Plain::Switch(false) {
        "off"
    } else {
        &*scalar.text
    };
    words.iter().copied().find(|word| *word == text)
}
