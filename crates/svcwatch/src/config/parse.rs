//! YAML 1.2 text to a [`super::tree`].
//!
//! The scanner and parser are those of `saphyr-parser`; this module builds the tree from their
//! events and refuses what a config has no use for: several documents, merge keys, foreign tags,
//! keys that are not texts. Depth, size and the number of values are bounded, aliases included.

use std::collections::{BTreeSet, HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::butler;
use super::problem::{Position, Problems, quoted};
use super::scalar::{self, Plain};
use super::tree::{Entry, Node, Scalar, Value};

/// The largest file that is read, in bytes.
pub(crate) const FILE_BYTES: usize = 8 * 1024 * 1024;
/// How deep lists and mappings may lie in one another.
pub(crate) const DEPTH: usize = 32;
/// How many values one file may hold.
pub(crate) const VALUES: usize = 4_000_000;
/// How many values the aliases of one file may add.
pub(crate) const ALIASED_VALUES: usize = 200_000;
/// Reads one file's text. `None` where it cannot be read at all; what is wrong is among the problems.
/// An empty file is an empty mapping.
pub(crate) fn parse(text: &[u8], file: u16, problems: &mut Problems) -> Option<Node> {
    let whole = Position {
        file,
        line: 1,
        column: 1,
    };
    let text = decode(text, whole, problems)?;
    let mut builder = Builder::new(file);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let outcome = match event {
            Ok((event, span)) => builder.event(event, span.start, problems),
            Err(error) => {
                let (what, instead) = scalar::syntax(error.info());
                Err(Fatal::new(builder.position(error.marker()), what, instead))
            }
        };
        match outcome {
            Ok(More::Yes) => {}
            Ok(More::No) => break,
            Err(fatal) => {
                problems.error(fatal.at, "", fatal.what, fatal.instead);
                return None;
            }
        }
    }
    let mut root = builder.root.unwrap_or(Node {
        at: whole,
        value: Value::Map(Vec::new()),
    });
    if root.get(butler::ROOT).is_some() {
        problems.name_paths(&root);
        butler::resolve(&mut root, &builder.merges, problems);
    } else {
        butler::leave_out(&mut root, &builder.merges);
        for at in builder.merges {
            problems.error(
                at,
                "",
                "merge keys (`<<`) are not read",
                "write the keys out, or put what hosts share under `defaults` or `groups`",
            );
        }
    }
    Some(root)
}

/// The bytes as text, or a sentence about their size or encoding.
fn decode<'a>(bytes: &'a [u8], whole: Position, problems: &mut Problems) -> Option<&'a str> {
    if bytes.len() > FILE_BYTES {
        problems.error(
            whole,
            "",
            format!(
                "the file has {} bytes and may have {FILE_BYTES}",
                bytes.len()
            ),
            "split it into several files and name each with -c",
        );
        return None;
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        problems.error(whole, "", "the file is UTF-16", "save it as UTF-8");
        return None;
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let good = String::from_utf8_lossy(good);
            let line = good.matches('\n').count() + 1;
            let begun = good.rsplit('\n').next().unwrap_or_default();
            let column = begun.chars().count() + 1;
            let at = Position {
                line: bounded(line),
                column: bounded(column),
                ..whole
            };
            problems.error(at, "", "this byte is not UTF-8", "save the file as UTF-8");
            None
        }
    }
}

fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Something after which a file is read no further.
struct Fatal {
    at: Position,
    what: String,
    instead: String,
}

impl Fatal {
    fn new(at: Position, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            at,
            what: what.into(),
            instead: instead.into(),
        }
    }
}

/// Whether further events are wanted.
enum More {
    Yes,
    No,
}

/// A list or mapping whose end has not come yet.
enum Open {
    List {
        at: Position,
        anchor: usize,
        items: Vec<Node>,
    },
    Map {
        at: Position,
        anchor: usize,
        entries: Vec<Entry>,
        key: Option<PendingKey>,
    },
}

/// A key whose value has not come yet; `None` where the key was refused and its value is dropped.
type PendingKey = Option<(Box<str>, Position)>;

struct Builder {
    file: u16,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    values: usize,
    aliased: usize,
    /// Where merge keys stand.
    merges: BTreeSet<Position>,
}

impl Builder {
    fn new(file: u16) -> Self {
        Self {
            file,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            values: 0,
            aliased: 0,
            merges: BTreeSet::new(),
        }
    }

    fn position(&self, marker: &Marker) -> Position {
        Position {
            file: self.file,
            line: bounded(marker.line()).max(1),
            column: bounded(marker.col()).saturating_add(1),
        }
    }

    fn event(
        &mut self,
        event: Event<'_>,
        start: Marker,
        problems: &mut Problems,
    ) -> Result<More, Fatal> {
        let at = self.position(&start);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fatal::new(
                        at,
                        "a second document begins here",
                        "keep one document a file and name each file with -c",
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(at)?;
                let plain = plain_of(&text, style, tag.as_deref(), at, problems);
                let node = Node {
                    at,
                    value: Value::Scalar(Scalar {
                        text: text.into(),
                        plain,
                    }),
                };
                self.place(node, anchor, style == ScalarStyle::Plain, problems)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(at, tag.as_deref(), problems)?;
                self.open.push(Open::List {
                    at,
                    anchor,
                    items: Vec::new(),
                });
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(at, tag.as_deref(), problems)?;
                self.open.push(Open::Map {
                    at,
                    anchor,
                    entries: Vec::new(),
                    key: None,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(problems)?,
            Event::Alias(anchor) => self.alias(anchor, at, problems)?,
            Event::StreamEnd => return Ok(More::No),
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
        }
        Ok(More::Yes)
    }

    fn count(&mut self, at: Position) -> Result<(), Fatal> {
        self.values += 1;
        if self.values > VALUES {
            return Err(Fatal::new(
                at,
                format!("the file holds more than {VALUES} values"),
                "split it into several files and name each with -c",
            ));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        at: Position,
        tag: Option<&Tag>,
        problems: &mut Problems,
    ) -> Result<(), Fatal> {
        self.count(at)?;
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "map" | "seq"))
        {
            refuse_tag(tag, at, problems);
        }
        if self.open.len() >= DEPTH {
            return Err(Fatal::new(
                at,
                format!("lists and mappings lie more than {DEPTH} deep in one another"),
                "no key of this file needs that depth; look for a bracket or an indentation too many",
            ));
        }
        Ok(())
    }

    fn close(&mut self, problems: &mut Problems) -> Result<(), Fatal> {
        let (node, anchor) = match self.open.pop() {
            Some(Open::List { at, anchor, items }) => (
                Node {
                    at,
                    value: Value::List(items),
                },
                anchor,
            ),
            Some(Open::Map {
                at,
                anchor,
                entries,
                key: _,
            }) => {
                let entries = without_duplicates(entries, problems);
                (
                    Node {
                        at,
                        value: Value::Map(entries),
                    },
                    anchor,
                )
            }
            None => return Ok(()),
        };
        self.place(node, anchor, false, problems)
    }

    fn alias(&mut self, anchor: usize, at: Position, problems: &mut Problems) -> Result<(), Fatal> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Fatal::new(
                at,
                "this alias stands inside the value that it repeats",
                "write the value out",
            ));
        };
        self.repeat(&node, at)?;
        if self.open.len() + node.depth() > DEPTH {
            return Err(Fatal::new(
                at,
                format!(
                    "with this alias lists and mappings lie more than {DEPTH} deep in one another"
                ),
                "write the value out where it is needed",
            ));
        }
        self.place(node, 0, false, problems)
    }

    /// Counts a copy of a node, which an anchor keeps or an alias brings.
    fn repeat(&mut self, node: &Node, at: Position) -> Result<(), Fatal> {
        self.aliased = self.aliased.saturating_add(node.cost());
        if self.aliased > ALIASED_VALUES {
            return Err(Fatal::new(
                at,
                format!(
                    "the anchors and aliases of this file repeat more than {ALIASED_VALUES} values"
                ),
                "write the values out where they are needed, or put them under `defaults` or `groups`",
            ));
        }
        Ok(())
    }

    /// Puts a finished node where it belongs: under its key, into its list, or at the root.
    fn place(
        &mut self,
        node: Node,
        anchor: usize,
        plain: bool,
        problems: &mut Problems,
    ) -> Result<(), Fatal> {
        if anchor > 0 {
            self.repeat(&node, node.at)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => *key = Some(key_of(node, plain, &mut self.merges, problems)),
                Some(None) => {}
                Some(Some((key, key_at))) => entries.push(Entry {
                    key,
                    key_at,
                    value: node,
                }),
            },
        }
        Ok(())
    }
}

/// What a scalar is by YAML's core schema (YAML 1.2.2, section 10.3.2).
fn plain_of(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Position,
    problems: &mut Problems,
) -> Plain {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Plain::Text,
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Plain::Text,
        Some(tag) => {
            refuse_tag(tag, at, problems);
            Plain::Text
        }
        None if style == ScalarStyle::Plain => scalar::resolve(text),
        None => Plain::Text,
    }
}

fn refuse_tag(tag: &Tag, at: Position, problems: &mut Problems) {
    let name = format!("{}{}", tag.handle, tag.suffix);
    problems.error(
        at,
        "",
        format!("the tag {} means nothing here", quoted(&name)),
        "remove it",
    );
}

fn key_of(
    node: Node,
    plain: bool,
    merges: &mut BTreeSet<Position>,
    problems: &mut Problems,
) -> PendingKey {
    let Value::Scalar(scalar) = node.value else {
        problems.error(node.at, "", "a key must be a text", "write `key: value`");
        return None;
    };
    if plain && &*scalar.text == "<<" {
        merges.insert(node.at);
    }
    if scalar.plain == Plain::Null {
        problems.error(
            node.at,
            "",
            "a key is missing before the colon",
            "write `key: value`",
        );
        return None;
    }
    Some((scalar.text, node.at))
}

/// Drops and tells each key that a mapping has twice.
fn without_duplicates(entries: Vec<Entry>, problems: &mut Problems) -> Vec<Entry> {
    let mut seen: HashMap<&str, Position> = HashMap::with_capacity(entries.len());
    let mut twice = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(first) = seen.get(&*entry.key) {
            twice.push(index);
            problems.error(
                entry.key_at,
                "",
                format!(
                    "the key {} stands twice, first on line {} and here on line {}",
                    quoted(&entry.key),
                    first.line,
                    entry.key_at.line
                ),
                "keep one of them",
            );
        } else {
            seen.insert(&entry.key, entry.key_at);
        }
    }
    if twice.is_empty() {
        return entries;
    }
    entries
        .into_iter()
        .enumerate()
        .filter(|(index, _)| twice.binary_search(index).is_err())
        .map(|(_, entry)| entry)
        .collect()
}
