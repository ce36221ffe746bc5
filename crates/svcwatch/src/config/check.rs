//! The one walk over the tree, driven by the tables.
//!
//! It tells everything that a table can know: unknown keys, missing keys, wrong types, values out of their
//! limits. What depends on several places at once (a name that must exist) is told by [`super::build`].

use std::collections::HashSet;

use svcwatch_core::time::Span;

use super::duration::{duration, duration_text};
use super::later;
use super::near::nearest;
use super::problem::{Position, Problems, listed, quoted};
use super::scalar::Plain;
use super::shape::{Key, Kind, Shape, Step, as_choice, as_switch, keys_wanted, path_text};
use super::tables::instead_of;
use super::text::Form;
use super::tree::{Entry, Node, Scalar, Value};
use super::unbuilt;

/// Checks a whole tree against a shape.
pub(crate) fn walk(root: &Node, shape: &'static Shape, problems: &mut Problems) {
    let mut walk = Walk {
        problems,
        path: Vec::new(),
        schedules: HashSet::new(),
    };
    walk.map(root, shape, None);
}

struct Walk<'run, 'tree> {
    problems: &'run mut Problems,
    path: Vec<Step<'tree>>,
    /// Schedule texts that are good: many hosts have the same one.
    schedules: HashSet<String>,
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
            (Kind::Map(shape) | Kind::TextOr(_, shape), Value::Map(_)) => {
                self.map(node, shape, None);
            }
            (Kind::Named { names, of, most }, Value::Map(entries)) => {
                self.named(node, entries, *names, of, *most);
            }
            (Kind::List { of, most } | Kind::OneOrMany { of, most }, Value::List(items)) => {
                self.list(node, items, of, *most);
            }
            (Kind::OneOrMany { of, .. }, _) => self.value(node, of),
            (Kind::TextOr(form, _) | Kind::Text(form), Value::Scalar(scalar)) => {
                self.text(node.at, scalar, *form);
            }
            (Kind::Typed(types), Value::Map(_)) => self.typed(node, types),
            (Kind::Whole { least, most }, Value::Scalar(scalar)) => {
                self.whole(node.at, scalar, *least, *most, kind);
            }
            (Kind::WholeOrOff { least, most }, Value::Scalar(scalar)) => {
                if as_switch(scalar) != Some(false) {
                    self.whole(node.at, scalar, *least, *most, kind);
                }
            }
            (Kind::Switch, Value::Scalar(scalar)) => self.switch(node.at, scalar),
            (Kind::Duration { least, most, off }, Value::Scalar(scalar)) => {
                self.duration(node.at, scalar, (*least, *most), *off, kind);
            }
            (Kind::DurationOr { least, most, word }, Value::Scalar(scalar)) => {
                if *scalar.text != **word {
                    self.duration(node.at, scalar, (*least, *most), false, kind);
                }
            }
            (Kind::Rhythm { least, most }, Value::Scalar(scalar)) => {
                self.rhythm(node.at, scalar, (*least, *most), kind);
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
            .filter(|key| {
                let instead = instead_of(shape.name, key.name);
                instead.is_none_or(|instead| node.get(instead).is_none())
            })
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
            && unbuilt::value(shape.name, key.name, &scalar.text)
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
        if unbuilt::key(shape.name, &entry.key) {
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
                format!("write `type:` and one of {}", listed(names())),
            );
            return;
        };
        let text = entry.value.scalar().map_or("", |scalar| &*scalar.text);
        if let Some((_, shape)) = types.iter().find(|(name, _)| *name == text) {
            self.map(node, shape, Some("type"));
            return;
        }
        self.below(Step::Key("type"), |walk| {
            if unbuilt::value("destination", "type", text) {
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
            Err((what, instead)) => {
                let instead = with_unit(scalar, least, most).unwrap_or(instead);
                self.error(at, what, instead);
            }
        }
    }

    /// A duration where it begins with a digit, else a schedule.
    fn rhythm(&mut self, at: Position, scalar: &Scalar, limits: (u64, u64), kind: &Kind) {
        if later::is_length(&scalar.text) {
            self.duration(at, scalar, limits, false, kind);
            return;
        }
        if self.schedules.contains(&*scalar.text) {
            return;
        }
        match later::parse(&scalar.text) {
            Ok(_) => {
                self.schedules.insert(scalar.text.to_string());
            }
            Err(refusal) => {
                let or_else = if refusal.column == 1 {
                    " (a duration is written `30s`)"
                } else {
                    ""
                };
                let instead = format!("{}{or_else}", refusal.instead);
                self.error(at, refusal.problem(), instead);
            }
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

/// A number without a unit, with a unit that brings it into its limits: first the one that its least value has.
fn with_unit(scalar: &Scalar, least: u64, most: u64) -> Option<String> {
    let Plain::Whole(number) = scalar.plain else {
        return None;
    };
    let least_text = duration_text(Span(least));
    let usual = least_text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    [usual, "s", "m", "h", "d", "ms"].iter().find_map(|unit| {
        let text = format!("{number}{unit}");
        let Span(span) = duration(&text).ok()?;
        (least..=most)
            .contains(&span)
            .then(|| format!("write it with a unit, for example `{text}`"))
    })
}
