//! The one walk over the tree, driven by the tables of [`super::tables`].
//!
//! It tells everything that a table can know: unknown keys, missing keys, wrong types, values out of their
//! limits. What depends on several places at once (a name that must exist) is told by [`super::build`].

use svcwatch_core::time::Span;

use super::later;
use super::near::nearest;
use super::problem::{Position, Problems, listed, quoted};
use super::scalar::Plain;
use super::text::{Form, duration, duration_text};
use super::tree::{Entry, Node, Scalar, Value};

/// The keys of one mapping.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What it is called in the schema and in the list of later keys.
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
    /// `true` or `false`, also written `on` and `off`.
    Switch,
    /// A duration, in milliseconds from … to …; with `off`, that word too.
    Duration { least: u64, most: u64, off: bool },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A mapping.
    Map(&'static Shape),
    /// A mapping whose keys are names that the user gives.
    Named {
        names: Form,
        of: &'static Kind,
        most: usize,
    },
    /// A list.
    List { of: &'static Kind, most: usize },
    /// A value, or a list of such values.
    OneOrMany { of: &'static Kind, most: usize },
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
            Self::Switch => "`true` or `false`".into(),
            Self::Duration { least, most, off } => format!(
                "a duration from {} to {}{}",
                duration_text(Span(*least)),
                duration_text(Span(*most)),
                if *off { ", or `off`" } else { "" }
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

fn keys_wanted(shape: &Shape) -> String {
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
            Step::Item(index) => out.push_str(&format!("[{index}]")),
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

/// Checks a whole tree against a shape.
pub(crate) fn walk(root: &Node, shape: &'static Shape, problems: &mut Problems) {
    let mut walk = Walk {
        problems,
        path: Vec::new(),
    };
    walk.map(root, shape, None);
}

struct Walk<'run, 'tree> {
    problems: &'run mut Problems,
    path: Vec<Step<'tree>>,
}

impl<'tree> Walk<'_, 'tree> {
    fn error(&mut self, at: Position, what: impl Into<String>, instead: impl Into<String>) {
        let path = path_text(&self.path);
        self.problems.error(at, &path, what, instead);
    }

    fn below(&mut self, step: Step<'tree>, look: impl FnOnce(&mut Self)) {
        self.path.push(step);
        look(self);
        self.path.pop();
    }

    fn value(&mut self, node: &'tree Node, kind: &'static Kind) {
        if let Value::Scalar(scalar) = &node.value
            && scalar.plain == Plain::Null
        {
            self.error(
                node.at,
                "nothing is written here",
                format!("write {}, or remove the key", kind.wanted()),
            );
            return;
        }
        match (kind, &node.value) {
            (Kind::Map(shape), Value::Map(_)) => self.map(node, shape, None),
            (Kind::Named { names, of, most }, Value::Map(entries)) => {
                self.named(node, entries, *names, of, *most)
            }
            (Kind::List { of, most } | Kind::OneOrMany { of, most }, Value::List(items)) => {
                self.list(node, items, of, *most);
            }
            (Kind::OneOrMany { of, .. }, _) => self.value(node, of),
            (Kind::TextOr(_, shape), Value::Map(_)) => self.map(node, shape, None),
            (Kind::TextOr(form, _) | Kind::Text(form), Value::Scalar(scalar)) => {
                self.text(node.at, scalar, *form)
            }
            (Kind::Typed(types), Value::Map(_)) => self.typed(node, types),
            (Kind::Whole { least, most }, Value::Scalar(scalar)) => {
                self.whole(node.at, scalar, *least, *most, kind)
            }
            (Kind::Switch, Value::Scalar(scalar)) => self.switch(node.at, scalar),
            (Kind::Duration { least, most, off }, Value::Scalar(scalar)) => {
                self.duration(node.at, scalar, (*least, *most), *off, kind);
            }
            (Kind::Choice(words), Value::Scalar(scalar)) => self.choice(node.at, scalar, words),
            (Kind::List { .. }, Value::Scalar(_) | Value::Map(_)) => {
                let what = format!("{} stands where a list is wanted", what_is(node));
                self.error(
                    node.at,
                    what,
                    "write each item on a line of its own that begins with `- `, or all in [ ]",
                );
            }
            _ => {
                let what = format!("{} stands here", what_is(node));
                self.error(node.at, what, format!("write {}", kind.wanted()));
            }
        }
    }

    /// A mapping with known keys; `chosen` is a key that was checked already.
    fn map(&mut self, node: &'tree Node, shape: &'static Shape, chosen: Option<&str>) {
        let Some(entries) = node.entries() else {
            let what = format!("{} stands here", what_is(node));
            self.error(node.at, what, format!("write {}", keys_wanted(shape)));
            return;
        };
        for entry in entries {
            self.below(Step::Key(&entry.key), |walk| match shape.key(&entry.key) {
                _ if chosen == Some(&*entry.key) => {}
                Some(key) => walk.known(entry, shape, key),
                None => walk.unknown(entry, shape),
            });
        }
        for key in shape
            .all()
            .filter(|key| key.required && node.get(key.name).is_none())
        {
            let instead = format!("write `{}: …`, {}", key.name, key.kind.wanted());
            self.error(
                node.at,
                format!("the key `{}` is missing", key.name),
                instead,
            );
        }
        self.one_of(node, shape);
    }

    fn known(&mut self, entry: &'tree Entry, shape: &'static Shape, key: &'static Key) {
        if let Value::Scalar(scalar) = &entry.value.value
            && later::value(shape.name, key.name, &scalar.text)
        {
            let what = format!(
                "{} is not carried out by this version",
                quoted(&scalar.text)
            );
            let instead = match &key.kind {
                Kind::Choice(_) => format!("write {}, or remove the key", key.kind.wanted()),
                _ => format!("write {}", key.kind.wanted()),
            };
            self.error(entry.value.at, what, instead);
            return;
        }
        self.value(&entry.value, &key.kind);
    }

    fn unknown(&mut self, entry: &Entry, shape: &'static Shape) {
        if later::key(shape.name, &entry.key) {
            self.error(
                entry.key_at,
                format!("`{}` is not carried out by this version", entry.key),
                "remove it",
            );
            return;
        }
        let known = shape.all().map(|key| key.name);
        let instead = match nearest(&entry.key, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.error(
            entry.key_at,
            format!("the key {} is not known here", quoted(&entry.key)),
            instead,
        );
    }

    fn one_of(&mut self, node: &Node, shape: &'static Shape) {
        if shape.one_of.is_empty() {
            return;
        }
        let choices = listed(shape.one_of.iter().copied());
        match shape
            .one_of
            .iter()
            .filter(|name| node.get(name).is_some())
            .count()
        {
            1 => {}
            // A key of a later version, or one that is not known, was told already and may be the one that is missing here.
            0 if node
                .entries()
                .is_some_and(|all| all.iter().any(|entry| shape.key(&entry.key).is_none())) => {}
            0 => self.error(
                node.at,
                format!("one of {choices} is missing"),
                "write exactly one of them",
            ),
            _ => self.error(
                node.at,
                format!("more than one of {choices} is written"),
                "write exactly one of them",
            ),
        }
    }

    fn named(
        &mut self,
        node: &'tree Node,
        entries: &'tree [Entry],
        names: Form,
        of: &'static Kind,
        most: usize,
    ) {
        self.at_most(node.at, entries.len(), most);
        for entry in entries {
            self.below(Step::Key(&entry.key), |walk| {
                if let Err((what, instead)) = names.check(&entry.key) {
                    walk.error(entry.key_at, what, instead);
                }
                walk.value(&entry.value, of);
            });
        }
    }

    fn list(&mut self, node: &Node, items: &'tree [Node], of: &'static Kind, most: usize) {
        self.at_most(node.at, items.len(), most);
        for (index, item) in items.iter().enumerate() {
            self.below(Step::Item(index), |walk| walk.value(item, of));
        }
    }

    fn at_most(&mut self, at: Position, count: usize, most: usize) {
        if count > most {
            self.error(
                at,
                format!("{count} entries stand here and {most} may"),
                "write fewer",
            );
        }
    }

    fn typed(&mut self, node: &'tree Node, types: &'static [(&'static str, &'static Shape)]) {
        let names = || types.iter().map(|(name, _)| *name);
        let Some(entry) = node.entry("type") else {
            self.error(
                node.at,
                "the key `type` is missing",
                format!("write `type: {}`", listed(names())),
            );
            return;
        };
        let text = entry.value.scalar().map_or("", |scalar| &*scalar.text);
        if let Some((_, shape)) = types.iter().find(|(name, _)| *name == text) {
            self.map(node, shape, Some("type"));
            return;
        }
        self.below(Step::Key("type"), |walk| {
            if later::value("destination", "type", text) {
                let instead = format!("write {}, or remove the destination", listed(names()));
                walk.error(
                    entry.value.at,
                    format!("`{text}` is not carried out by this version"),
                    instead,
                );
            } else {
                let instead = nearest(text, names()).map_or_else(
                    || format!("write {}", listed(names())),
                    |near| format!("did you mean `{near}`?"),
                );
                walk.error(
                    entry.value.at,
                    format!("{} is no type of destination", quoted(text)),
                    instead,
                );
            }
        });
    }

    fn text(&mut self, at: Position, scalar: &Scalar, form: Form) {
        if let Plain::Switch(_) = scalar.plain {
            let what = format!("`{}` is a switch and no text", scalar.text);
            self.error(
                at,
                what,
                format!("write '{}' in quotes if the text is meant", scalar.text),
            );
            return;
        }
        if let Err((what, instead)) = form.check(&scalar.text) {
            self.error(at, what, instead);
        }
    }

    fn whole(&mut self, at: Position, scalar: &Scalar, least: i64, most: i64, kind: &Kind) {
        match scalar.plain {
            Plain::Whole(number) if (least..=most).contains(&number) => {}
            Plain::Whole(number) => self.error(
                at,
                format!("{number} is out of range"),
                format!("write {}", kind.wanted()),
            ),
            Plain::Text if scalar.text.parse::<i64>().is_ok() => {
                let what = format!("'{}' in quotes is a text", scalar.text);
                self.error(at, what, format!("write {} without quotes", scalar.text));
            }
            _ => {
                let what = format!("{} is no whole number", quoted(&scalar.text));
                self.error(at, what, format!("write {}", kind.wanted()));
            }
        }
    }

    fn switch(&mut self, at: Position, scalar: &Scalar) {
        if as_switch(scalar).is_none() {
            self.error(
                at,
                format!("{} is no switch", quoted(&scalar.text)),
                "write `true` or `false`",
            );
        }
    }

    fn duration(
        &mut self,
        at: Position,
        scalar: &Scalar,
        (least, most): (u64, u64),
        off: bool,
        kind: &Kind,
    ) {
        if off && as_switch(scalar) == Some(false) {
            return;
        }
        match duration(&scalar.text) {
            Ok(span) if (least..=most).contains(&span.0) => {}
            Ok(_) => {
                let what = format!("{} is out of range", quoted(&scalar.text));
                self.error(at, what, format!("write {}", kind.wanted()));
            }
            Err((what, instead)) => self.error(at, what, instead),
        }
    }

    fn choice(&mut self, at: Position, scalar: &Scalar, words: &'static [&'static str]) {
        if as_choice(scalar, words).is_some() {
            return;
        }
        let instead = nearest(&scalar.text, words.iter().copied()).map_or_else(
            || format!("write {}", listed(words.iter().copied())),
            |near| format!("did you mean `{near}`?"),
        );
        self.error(
            at,
            format!("{} is none of the words here", quoted(&scalar.text)),
            instead,
        );
    }
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

fn what_is(node: &Node) -> String {
    match &node.value {
        Value::Map(_) => "a mapping".into(),
        Value::List(_) => "a list".into(),
        // The value itself is not repeated: it may be a password that stands one line too high.
        Value::Scalar(scalar) => match scalar.plain {
            Plain::Null => "nothing".into(),
            Plain::Switch(_) => "a switch".into(),
            Plain::Whole(_) | Plain::Number => "a number".into(),
            Plain::Text => "a text".into(),
        },
    }
}
