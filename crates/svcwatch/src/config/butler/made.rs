//! The native config that is made of a Butler file: a tree whose values know where they come from.

use crate::config::problem::Position;
use crate::config::scalar::Plain;
use crate::config::tree::{Entry, Node, Scalar, Value};

/// A value with what is to be said of it.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// Where it comes from.
    pub(super) at: Position,
    pub(super) what: What,
    /// How it is shown where secrets are not; none where it is no secret.
    pub(super) secret: Option<Hint>,
}

/// How a secret is shown.
#[derive(Debug, Clone)]
pub(super) enum Hint {
    /// As `{ file: … }` with this name of a file.
    File(String),
    /// As a text that is refused until somebody writes the true one.
    Placeholder(String),
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum What {
    Scalar(Scalar),
    List(Vec<Made>),
    Map(Vec<(String, Made)>),
}

fn scalar(at: Position, text: impl Into<String>, plain: Plain) -> Made {
    let text = text.into().into_boxed_str();
    Made::new(at, What::Scalar(Scalar { text, plain }))
}

/// A text.
pub(super) fn text(at: Position, text: impl Into<String>) -> Made {
    scalar(at, text, Plain::Text)
}

/// A whole number.
pub(super) fn whole(at: Position, number: i64) -> Made {
    scalar(at, number.to_string(), Plain::Whole(number))
}

/// A switch.
pub(super) fn switch(at: Position, on: bool) -> Made {
    scalar(at, on.to_string(), Plain::Switch(on))
}

/// A list.
pub(super) fn list(at: Position, items: Vec<Made>) -> Made {
    Made::new(at, What::List(items))
}

/// A mapping of these keys.
pub(super) fn map<const N: usize>(at: Position, entries: [(&str, Made); N]) -> Made {
    let entries = entries.into_iter();
    let entries = entries.map(|(key, made)| (key.to_owned(), made)).collect();
    Made::new(at, What::Map(entries))
}

impl Made {
    fn new(at: Position, what: What) -> Self {
        Self {
            at,
            what,
            secret: None,
        }
    }

    /// The same, which is a secret.
    pub(super) fn hidden(self, hint: Hint) -> Self {
        Self {
            secret: Some(hint),
            ..self
        }
    }

    /// Puts a key into a mapping.
    pub(super) fn put(&mut self, key: &str, made: Self) {
        if let What::Map(entries) = &mut self.what {
            entries.push((key.to_owned(), made));
        }
    }

    /// Puts a key into a mapping, if there is something to put.
    pub(super) fn put_some(&mut self, key: &str, made: Option<Self>) {
        if let Some(made) = made {
            self.put(key, made);
        }
    }

    /// Whether it is a mapping or list without anything in it.
    pub(super) fn is_empty(&self) -> bool {
        match &self.what {
            What::Scalar(_) => false,
            What::List(items) => items.is_empty(),
            What::Map(entries) => entries.is_empty(),
        }
    }

    /// As a tree that can be checked like one that was read.
    pub(super) fn node(&self) -> Node {
        let value = match &self.what {
            What::Scalar(scalar) => Value::Scalar(scalar.clone()),
            What::List(items) => Value::List(items.iter().map(Self::node).collect()),
            What::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, made)| Entry {
                        key: key.as_str().into(),
                        key_at: made.at,
                        value: made.node(),
                    })
                    .collect(),
            ),
        };
        Node { at: self.at, value }
    }
}
