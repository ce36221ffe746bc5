//! A native file as text, with comments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::made::{Hint, Made, What};
use crate::config::problem::{Difference, Notes};
use crate::config::scalar::{self, Plain};
use crate::config::tree::Scalar;

/// The longest line that is tried to be kept, in characters.
const WIDTH: usize = 110;

/// The file, with comments that name the Butler file of that name.
pub(super) fn print(made: &Made, file: &Path, notes: &Notes, with_secrets: bool) -> String {
    let mut printer = Printer {
        with_secrets,
        here: BTreeMap::new(),
        files: BTreeMap::new(),
        lines: Vec::new(),
    };
    for note in notes.differences.iter().filter(|note| !note.everywhere) {
        let here = printer.here.entry((note.line, note.column)).or_default();
        here.push(note);
    }
    if let What::Map(entries) = &made.what {
        printer.entries(entries, 0);
    }
    let mut lines = head(file, notes, &printer);
    lines.push(String::new());
    lines.append(&mut printer.lines);
    lines.push(String::new());
    lines.join("\n")
}

fn head(file: &Path, notes: &Notes, printer: &Printer<'_>) -> Vec<String> {
    let mut head = Vec::new();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().filter(|one| !one.is_control()).collect();
    comment(
        &format!(
            "What {name} says, in the native form of svcwatch: it watches and tells the same."
        ),
        0,
        &mut head,
    );
    comment(
        "Hosts are read with an account, which Butler's file does not name. Write it here or into a second file:",
        0,
        &mut head,
    );
    for line in [
        r"  credentials: { butler: { user: 'DOMAIN\user', password: { file: /etc/svcwatch/butler.password } } }",
        "  defaults: { credentials: butler }, beside the keys that `defaults` has below",
    ] {
        head.push(format!("# {line}"));
    }
    if !printer.files.is_empty() {
        head.push("#".into());
        comment(
            "Secrets are not carried over; `--with-secrets` does so. Write each into its file, which only the user that svcwatch runs as may read (chmod 600). Addresses that may hold tokens have to be written in below.",
            0,
            &mut head,
        );
        for (name, line) in &printer.files {
            head.push(format!(
                "#   {name}: what stands on line {line} of {name_of}",
                name_of = quiet(file)
            ));
        }
    }
    let everywhere: Vec<&Difference> = notes
        .differences
        .iter()
        .filter(|note| note.everywhere)
        .collect();
    if !everywhere.is_empty() {
        head.push("#".into());
        comment(
            "Where svcwatch does something else than Butler:",
            0,
            &mut head,
        );
        let mut told = BTreeSet::new();
        for note in everywhere {
            if told.insert(note.svcwatch.as_str()) {
                item(note, 0, &mut head);
            }
        }
    }
    head
}

fn quiet(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.chars().filter(|one| !one.is_control()).collect()
}

fn item(note: &Difference, depth: usize, lines: &mut Vec<String>) {
    let text = format!("- Butler {}; svcwatch {}.", note.other, note.svcwatch);
    comment(&text, depth, lines);
}

/// A comment, broken into lines.
fn comment(text: &str, depth: usize, lines: &mut Vec<String>) {
    let begin = format!("{}#", "  ".repeat(depth));
    let mut line = begin.clone();
    let mut first = true;
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() >= WIDTH && !first {
            lines.push(std::mem::replace(&mut line, format!("{begin}  ")));
        }
        line.push(' ');
        line.push_str(word);
        first = false;
    }
    lines.push(line);
}

struct Printer<'notes> {
    with_secrets: bool,
    /// What differs at a place.
    here: BTreeMap<(u32, u32), Vec<&'notes Difference>>,
    /// The files of secrets that are named, each with the line of the Butler file that holds it.
    files: BTreeMap<String, u32>,
    lines: Vec<String>,
}

impl Printer<'_> {
    fn entries(&mut self, entries: &[(String, Made)], depth: usize) {
        for (key, made) in entries {
            let indent = "  ".repeat(depth);
            self.notes(made, depth);
            let key = text(key);
            if let Some(flow) = self.flow(made, WIDTH.saturating_sub(indent.len() + key.len() + 2))
            {
                self.lines.push(format!("{indent}{key}: {flow}"));
                continue;
            }
            self.lines.push(format!("{indent}{key}:"));
            self.block(made, depth + 1);
        }
    }

    /// What differs here is said once, above the first value that comes from there.
    fn notes(&mut self, made: &Made, depth: usize) {
        for note in self
            .here
            .remove(&(made.at.line, made.at.column))
            .unwrap_or_default()
        {
            item(note, depth, &mut self.lines);
        }
    }

    fn block(&mut self, made: &Made, depth: usize) {
        match &made.what {
            What::Map(entries) => self.entries(entries, depth),
            What::List(items) => {
                for made in items {
                    self.notes(made, depth);
                    let indent = "  ".repeat(depth);
                    if let Some(flow) = self.flow(made, WIDTH.saturating_sub(indent.len() + 2)) {
                        self.lines.push(format!("{indent}- {flow}"));
                        continue;
                    }
                    let at = self.lines.len();
                    self.block(made, depth + 1);
                    // The first line of an item begins with its dash; comments stay above it.
                    let mut fresh = self.lines.iter_mut().skip(at);
                    if let Some(line) = fresh.find(|line| !line.trim_start().starts_with('#')) {
                        let rest = line.trim_start().to_owned();
                        *line = format!("{indent}- {rest}");
                    }
                }
            }
            What::Scalar(_) => {}
        }
    }

    /// A value on one line, if it is a scalar or short and nothing is said inside of it.
    fn flow(&mut self, made: &Made, room: usize) -> Option<String> {
        if let Some(hint) = &made.secret
            && !self.with_secrets
        {
            return Some(match hint {
                Hint::Placeholder(words) => text(&format!("<{words}>")),
                Hint::File(name) => {
                    let name = format!("secrets/{name}");
                    self.files.insert(name.clone(), made.at.line);
                    format!("{{ file: {} }}", text(&name))
                }
            });
        }
        let parts: Vec<String> = match &made.what {
            What::Scalar(scalar) => return Some(written(scalar)),
            What::List(items) => items
                .iter()
                .map(|made| self.inner(made, room))
                .collect::<Option<_>>()?,
            What::Map(entries) => entries
                .iter()
                .map(|(key, made)| Some(format!("{}: {}", text(key), self.inner(made, room)?)))
                .collect::<Option<_>>()?,
        };
        let (open, close) = match &made.what {
            What::List(_) => ("[", "]"),
            What::Map(_) | What::Scalar(_) => ("{ ", " }"),
        };
        let line = if parts.is_empty() {
            format!("{}{}", open.trim(), close.trim())
        } else {
            format!("{open}{}{close}", parts.join(", "))
        };
        (line.chars().count() <= room).then_some(line)
    }

    /// A value inside of another one: not where something is said of it, and no deeper lists of mappings.
    fn inner(&mut self, made: &Made, room: usize) -> Option<String> {
        if self.here.contains_key(&(made.at.line, made.at.column)) {
            return None;
        }
        match &made.what {
            What::List(items) if items.iter().any(|item| matches!(item.what, What::Map(_))) => None,
            What::Scalar(_) | What::List(_) | What::Map(_) => self.flow(made, room),
        }
    }
}

fn written(scalar: &Scalar) -> String {
    if scalar.plain == Plain::Text {
        text(&scalar.text)
    } else {
        scalar.text.to_string()
    }
}

/// A text as YAML reads it back: bare where nothing in it means something else.
fn text(text: &str) -> String {
    let bare = |character: char| character.is_ascii_alphanumeric() || "_./$".contains(character);
    let inside = |character: char| bare(character) || character == '-';
    let plain = text.starts_with(bare)
        && text.chars().all(inside)
        && scalar::resolve(text) == Plain::Text
        && text.parse::<f64>().is_err();
    if plain {
        return text.to_owned();
    }
    if !text.chars().any(is_special) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escaped: String = text.chars().map(escaped).collect();
    format!("\"{escaped}\"")
}

/// A character in double quotes.
fn escaped(character: char) -> String {
    match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        character if is_special(character) => format!("\\u{:04x}", u32::from(character)),
        character => character.to_string(),
    }
}

/// Whether a character cannot stand in a text without an escape.
fn is_special(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::config::parse;
    use crate::config::problem::Problems;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_back(any in "\\PC{0,30}|[-0-9a-z:#'\"\\\\\n\t ]{0,20}|off|true|1.5|~") {
            let mut problems = Problems::new(&[]);
            let yaml = format!("{}: [{}]\n", text("key: 1"), text(&any));
            let node = parse::parse(yaml.as_bytes(), 0, &mut problems);
            let node = node.expect("it is YAML");
            prop_assert!(problems.none(), "{}", yaml);
            let item = &node.get("key: 1").and_then(|list| list.items()).expect("a list")[0];
            let scalar = item.scalar().expect("a text");
            prop_assert_eq!(&*scalar.text, any.as_str());
        }
    }
}
