//! Values of a mapping that the walk has checked; what was refused there reads as its default.

use svcwatch_core::glob::Glob;
use svcwatch_core::time::Span;

use crate::config::duration::duration;
use crate::config::scalar::{self, Plain};
use crate::config::shape::{Shape, as_switch};
use crate::config::tree::{Node, Scalar};

/// The keys of a mapping, with what holds where a key is not there.
#[derive(Clone, Copy)]
pub(super) struct Fields<'tree> {
    node: Option<&'tree Node>,
    beneath: Option<&'tree Node>,
    shape: &'static Shape,
}

impl<'tree> Fields<'tree> {
    /// The keys of a mapping of this shape; `None` where the whole mapping is not there.
    pub(super) fn new(node: Option<&'tree Node>, shape: &'static Shape) -> Self {
        Self {
            node,
            beneath: None,
            shape,
        }
    }

    /// The same with a second mapping that gives what this one has not.
    pub(super) fn over(self, beneath: Option<&'tree Node>) -> Self {
        Self { beneath, ..self }
    }

    /// A value, if somebody wrote one.
    pub(super) fn get(&self, key: &str) -> Option<&'tree Node> {
        debug_assert!(
            self.shape.key(key).is_some(),
            "the table of {} has no key {key}",
            self.shape.name
        );
        self.node
            .and_then(|node| node.get(key))
            .or_else(|| self.beneath.and_then(|node| node.get(key)))
    }

    fn scalar(&self, key: &str) -> Option<&'tree Scalar> {
        self.get(key)?
            .scalar()
            .filter(|scalar| scalar.plain != Plain::Null)
    }

    fn default(&self, key: &str) -> &'static str {
        self.shape.key(key).map_or("", |key| key.default)
    }

    /// A text that somebody wrote.
    pub(super) fn text(&self, key: &str) -> Option<&'tree str> {
        self.scalar(key).map(|scalar| &*scalar.text)
    }

    /// The word of a choice, with its default.
    pub(super) fn word(&self, key: &str) -> &'tree str {
        match self.scalar(key) {
            Some(scalar) if scalar.plain == Plain::Switch(false) => "off",
            Some(scalar) => &scalar.text,
            None => self.default(key),
        }
    }

    /// A duration, with its default; `off` is `None`.
    pub(super) fn duration_or_off(&self, key: &str) -> Option<Span> {
        let text = match self.scalar(key) {
            Some(scalar) if as_switch(scalar) == Some(false) => return None,
            Some(scalar) => &*scalar.text,
            None => self.default(key),
        };
        duration(text).ok()
    }

    /// A duration, with its default; `off` is no time at all.
    pub(super) fn duration(&self, key: &str) -> Span {
        self.duration_or_off(key).unwrap_or(Span::ZERO)
    }

    /// A whole number, with its default.
    pub(super) fn whole<N: TryFrom<i64>>(&self, key: &str) -> Option<N> {
        let plain = self
            .scalar(key)
            .map_or_else(|| scalar::resolve(self.default(key)), |scalar| scalar.plain);
        match plain {
            Plain::Whole(number) => N::try_from(number).ok(),
            Plain::Null | Plain::Switch(_) | Plain::Number | Plain::Text => None,
        }
    }

    /// A whole number, with its default; `off` is as many as there are.
    pub(super) fn whole_or_off(&self, key: &str) -> Option<usize> {
        match self.scalar(key) {
            Some(scalar) if as_switch(scalar) == Some(false) => Some(usize::MAX),
            Some(_) | None => self.whole(key),
        }
    }

    /// A switch, with its default.
    pub(super) fn switch(&self, key: &str) -> bool {
        self.scalar(key).map_or_else(
            || self.default(key) == "true",
            |scalar| as_switch(scalar).unwrap_or(false),
        )
    }

    /// The patterns of a value that may be one or a list.
    pub(super) fn patterns(&self, key: &str) -> Vec<Glob> {
        self.get(key).map(patterns).unwrap_or_default()
    }

    /// Labels as name and value.
    pub(super) fn labels(&self, key: &str) -> Vec<(String, String)> {
        let entries = self.get(key).and_then(Node::entries).unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| {
                Some((
                    entry.key.to_string(),
                    entry.value.scalar()?.text.to_string(),
                ))
            })
            .collect()
    }
}

/// One text or a list of texts, each with its node.
pub(super) fn one_or_many(node: &Node) -> impl Iterator<Item = (&Node, &str)> {
    let items = node.items().unwrap_or_else(|| std::slice::from_ref(node));
    items
        .iter()
        .filter_map(|item| Some((item, &*item.scalar()?.text)))
}

/// One pattern or a list of patterns.
pub(super) fn patterns(node: &Node) -> Vec<Glob> {
    one_or_many(node).map(|(_, text)| Glob::new(text)).collect()
}
