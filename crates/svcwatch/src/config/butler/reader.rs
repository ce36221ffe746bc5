//! Reading a Butler file: typed values with their places, and which keys were asked for.
//!
//! Types are those of Butler's own schema, so that what Butler refuses is told here too, and nothing else is. What was
//! not asked for is ignored, and said to be.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::differences::Difference;
use crate::config::near::nearest;
use crate::config::problem::{Position, Problems, quoted};
use crate::config::scalar::Plain;
use crate::config::shape::{Step, path_text};
use crate::config::tree::{Node, Scalar, Value};

/// A mapping of the file, with its path.
pub(super) struct Section<'tree> {
    pub(super) node: &'tree Node,
    pub(super) path: String,
    asked: RefCell<BTreeSet<&'static str>>,
}

/// What is wrong with a value: it may not be repeated, because it may be a secret that stands on the wrong line.
fn what_is(node: &Node) -> &'static str {
    match &node.value {
        Value::Map(_) => "a mapping stands here",
        Value::List(_) => "a list stands here",
        Value::Scalar(scalar) => match scalar.plain {
            Plain::Null => "nothing is written here",
            Plain::Switch(_) => "a switch stands here",
            Plain::Whole(_) | Plain::Number => "a number stands here",
            Plain::Text => "a text stands here",
        },
    }
}

/// Whether nothing is written.
pub(super) fn is_null(node: &Node) -> bool {
    node.scalar()
        .is_some_and(|scalar| scalar.plain == Plain::Null)
}

impl<'tree> Section<'tree> {
    fn new(node: &'tree Node, path: String) -> Self {
        Self {
            node,
            path,
            asked: RefCell::default(),
        }
    }

    /// The value of a key, which counts as asked for.
    pub(super) fn get(&self, key: &'static str) -> Option<&'tree Node> {
        self.asked.borrow_mut().insert(key);
        self.node.get(key)
    }

    /// Where a key's value stands; where the mapping does if there is none.
    pub(super) fn at(&self, key: &str) -> Position {
        self.node.get(key).map_or(self.node.at, |node| node.at)
    }

    /// The path of a key.
    pub(super) fn path_of(&self, key: &str) -> String {
        format!("{}.{}", self.path, path_text(&[Step::Key(key)]))
    }
}

/// The file that is read, and what is found out about it.
pub(super) struct Reader<'run> {
    pub(super) problems: &'run mut Problems,
    /// Whether the file system may be looked at.
    pub(super) look: bool,
    /// The folder of the file.
    pub(super) folder: PathBuf,
    /// What differs everywhere and has been said.
    pub(super) said: Vec<&'static Difference>,
}

impl<'tree> Reader<'_> {
    /// The mapping at the root.
    pub(super) fn root(&mut self, node: &'tree Node) -> Option<Section<'tree>> {
        self.mapping(node, "Butler".to_owned())
    }

    /// A mapping, or a problem.
    fn mapping(&mut self, node: &'tree Node, path: String) -> Option<Section<'tree>> {
        if node.entries().is_some() {
            return Some(Section::new(node, path));
        }
        self.wrong(node, &path, "a mapping of keys");
        None
    }

    fn wrong(&mut self, node: &Node, path: &str, wanted: &str) {
        self.problems
            .error(node.at, path, what_is(node), format!("write {wanted}"));
    }

    /// The mapping under a key; a section that is not there means that what it is about is off.
    pub(super) fn section(
        &mut self,
        parent: &Section<'tree>,
        key: &'static str,
    ) -> Option<Section<'tree>> {
        let node = parent.get(key)?;
        self.mapping(node, parent.path_of(key))
    }

    /// The mappings of a list under a key; nothing in its place is an empty list.
    pub(super) fn sections(
        &mut self,
        parent: &Section<'tree>,
        key: &'static str,
    ) -> Vec<Section<'tree>> {
        let path = parent.path_of(key);
        let items = self.list(parent, key);
        let of =
            |(index, node): (usize, &'tree Node)| self.mapping(node, format!("{path}[{index}]"));
        items.iter().enumerate().filter_map(of).collect()
    }

    /// A list under a key; nothing in its place is an empty list.
    pub(super) fn list(&mut self, parent: &Section<'tree>, key: &'static str) -> &'tree [Node] {
        let Some(node) = parent.get(key).filter(|node| !is_null(node)) else {
            return &[];
        };
        node.items().unwrap_or_else(|| {
            self.wrong(
                node,
                &parent.path_of(key),
                "a list, each item on a line that begins with `- `",
            );
            &[]
        })
    }

    /// The texts of a list under a key, each with its node and its path.
    pub(super) fn texts(
        &mut self,
        parent: &Section<'tree>,
        key: &'static str,
    ) -> Vec<(&'tree Node, &'tree str, String)> {
        let path = parent.path_of(key);
        let items = self.list(parent, key);
        let mut texts = Vec::new();
        for (index, node) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if let Some(text) = self.as_text(node, &path) {
                texts.push((node, text, path));
            }
        }
        texts
    }

    fn as_text(&mut self, node: &'tree Node, path: &str) -> Option<&'tree str> {
        match &node.value {
            Value::Scalar(Scalar {
                text,
                plain: Plain::Text,
            }) => Some(text),
            Value::Scalar(Scalar { plain, .. }) if *plain != Plain::Null => {
                self.wrong(node, path, "it in quotes, so that it is a text");
                None
            }
            _ => {
                self.wrong(node, path, "a text");
                None
            }
        }
    }

    /// A text under a key.
    pub(super) fn text(
        &mut self,
        parent: &Section<'tree>,
        key: &'static str,
    ) -> Option<&'tree str> {
        let node = parent.get(key)?;
        self.as_text(node, &parent.path_of(key))
    }

    /// A text under a key, in whose place there may be nothing.
    pub(super) fn text_or_nothing(
        &mut self,
        parent: &Section<'tree>,
        key: &'static str,
    ) -> Option<&'tree str> {
        parent.get(key).filter(|node| !is_null(node))?;
        self.text(parent, key).filter(|text| !text.is_empty())
    }

    /// A text that something cannot do without.
    pub(super) fn needed(
        &mut self,
        parent: &Section<'tree>,
        key: &'static str,
        needed: bool,
    ) -> Option<&'tree str> {
        let text = self.text(parent, key);
        let nothing = parent.get(key).is_none() || text.is_some_and(str::is_empty);
        if needed && nothing {
            self.problems.error(
                parent.at(key),
                &parent.path_of(key),
                format!("the key `{key}` is missing or empty"),
                format!("write `{key}: …`"),
            );
        }
        text.filter(|text| !text.is_empty())
    }

    /// A switch under a key.
    pub(super) fn switch(&mut self, parent: &Section<'tree>, key: &'static str) -> Option<bool> {
        let node = parent.get(key)?;
        if let Some(Plain::Switch(on)) = node.scalar().map(|scalar| scalar.plain) {
            return Some(on);
        }
        self.wrong(
            node,
            &parent.path_of(key),
            "`true` or `false` without quotes",
        );
        None
    }

    /// Whether a switch is there and on.
    pub(super) fn is_on(&mut self, parent: &Section<'tree>, key: &'static str) -> bool {
        self.switch(parent, key).unwrap_or(false)
    }

    /// A number under a key.
    pub(super) fn number(&mut self, parent: &Section<'tree>, key: &'static str) -> Option<f64> {
        let node = parent.get(key)?;
        let scalar = node
            .scalar()
            .filter(|scalar| matches!(scalar.plain, Plain::Whole(_) | Plain::Number));
        let number = scalar.and_then(|scalar| match scalar.plain {
            // Hexadecimal and octal numbers are whole.
            Plain::Whole(number) => i32::try_from(number).ok().map(f64::from),
            _ => scalar.text.parse::<f64>().ok(),
        });
        if number.is_none_or(|number| !number.is_finite()) {
            self.wrong(node, &parent.path_of(key), "a number without quotes");
            return None;
        }
        number
    }

    /// A whole number under a key.
    pub(super) fn whole(&mut self, parent: &Section<'tree>, key: &'static str) -> Option<i64> {
        let node = parent.get(key)?;
        match node.scalar() {
            Some(Scalar {
                plain: Plain::Whole(number),
                ..
            }) => Some(*number),
            // `25.0` is as whole as 25.
            Some(Scalar {
                plain: Plain::Number,
                text,
            }) if text
                .strip_suffix(".0")
                .is_some_and(|text| text.parse::<i64>().is_ok()) =>
            {
                text.strip_suffix(".0").and_then(|text| text.parse().ok())
            }
            _ => {
                self.wrong(node, &parent.path_of(key), "a whole number without quotes");
                None
            }
        }
    }

    /// Asks for keys that mean nothing here, so that they are neither checked nor said to be unknown.
    pub(super) fn skip(&mut self, parent: &Section<'tree>, keys: &[&'static str], why: &str) {
        for key in keys {
            if parent.get(key).is_some() {
                self.problems
                    .ignored(parent.at(key), &parent.path_of(key), why);
            }
        }
    }

    /// Says which keys of a mapping nothing asked for.
    pub(super) fn finish(&mut self, section: &Section<'tree>) {
        let asked = section.asked.borrow();
        for entry in section.node.entries().unwrap_or_default() {
            if asked.contains(&*entry.key) {
                continue;
            }
            let path = section.path_of(&entry.key);
            let absent = asked
                .iter()
                .copied()
                .filter(|key| section.node.get(key).is_none());
            match nearest(&entry.key, absent) {
                Some(near) => self.problems.warn(
                    entry.key_at,
                    &path,
                    format!("the key {} means nothing here", quoted(&entry.key)),
                    format!("did you mean `{near}`?"),
                ),
                None => self.problems.ignored(
                    entry.key_at,
                    &path,
                    "does not concern the monitor of Windows services",
                ),
            }
        }
    }

    /// Says that something is different here.
    pub(super) fn differs(&mut self, at: Position, path: &str, difference: &'static Difference) {
        self.problems
            .differs(at, path, difference.svcwatch, difference.butler, false);
    }

    /// Says once that something is different wherever a section has a meaning.
    pub(super) fn everywhere(
        &mut self,
        section: &Section<'tree>,
        key: &str,
        difference: &'static Difference,
    ) {
        if !self.said.contains(&difference) {
            self.said.push(difference);
            let path = if key.is_empty() {
                section.path.clone()
            } else {
                section.path_of(key)
            };
            let at = section.at(key);
            self.problems
                .differs(at, &path, difference.svcwatch, difference.butler, true);
        }
    }

    /// A path that Butler takes relative to its working directory; where nothing is there, to the file.
    pub(super) fn file(&self, text: &str) -> String {
        if !self.look || text.is_empty() {
            return text.to_owned();
        }
        let here = Path::new(text);
        let found = if here.exists() {
            here.to_owned()
        } else {
            self.folder.join(text)
        };
        let whole = std::path::absolute(&found).unwrap_or(found);
        whole
            .to_str()
            .map_or_else(|| text.to_owned(), str::to_owned)
    }
}
