//! The text of a security descriptor (SDDL, MS-DTYP 2.5.1), kept character for character where it is not changed.

use super::entry::Entry;
use super::{RightsError, Sid};

/// Longest text that is read, in bytes; a list of 64 KiB, the largest there is, is shorter as text in practice.
const TEXT_MAX: usize = 256 * 1024;
/// Most entries of one list.
const ENTRIES_MAX: usize = 2_000;
/// Deepest parentheses of a condition.
const DEPTH_MAX: usize = 64;
/// How much of a wrong text is shown, in characters.
const SHOWN: usize = 24;

/// A piece of the text that knows where it stands.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_field_names,
    reason = "the text of a piece of text has no better name"
)]
pub(super) struct Text<'a> {
    whole: &'a str,
    begin: usize,
    /// The piece itself.
    pub(super) text: &'a str,
}

impl<'a> Text<'a> {
    fn new(whole: &'a str) -> Self {
        Self {
            whole,
            begin: 0,
            text: whole,
        }
    }

    /// A piece of the piece, by bytes.
    pub(super) fn part(&self, begin: usize, end: usize) -> Self {
        Self {
            whole: self.whole,
            begin: self.begin + begin,
            text: self.text.get(begin..end).unwrap_or_default(),
        }
    }

    fn rest(&self, begin: usize) -> Self {
        self.part(begin, self.text.len())
    }

    /// That something is wrong where the piece begins.
    pub(super) fn wrong(&self, what: &str) -> RightsError {
        let before = self.whole.get(..self.begin).unwrap_or_default();
        RightsError::Text {
            at: before.chars().count() + 1,
            what: what.to_owned(),
        }
    }

    /// The piece, cut for a message.
    pub(super) fn shown(&self) -> String {
        let mut shown: String = self.text.chars().take(SHOWN).collect();
        if shown.len() < self.text.len() {
            shown.push('…');
        }
        shown
    }
}

/// A security descriptor as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What stands before the list of who may do what: the owner and the group, with their marks.
    before: String,
    /// Whose the object is, where the text says it.
    pub owner: Option<Sid>,
    /// `D:` and the flags of that list.
    head: String,
    /// Who may do what, in order.
    pub entries: Vec<Entry>,
    /// What stands behind it: the list of what is audited, as it is.
    after: String,
}

impl Descriptor {
    /// Reads a descriptor, as `sc.exe sdshow` prints it.
    pub fn read(text: &str) -> Result<Self, RightsError> {
        let text = text.trim();
        let whole = Text::new(text);
        if text.is_empty() {
            return Err(whole.wrong("there is no descriptor; give what `sc.exe sdshow` prints"));
        }
        if text.len() > TEXT_MAX {
            return Err(whole.wrong(
                "the text is longer than 256 KiB, which no descriptor of a service is; beginning",
            ));
        }
        let mut reader = Reader { rest: whole };
        let (mut before, mut lists, mut after) = (String::new(), None, String::new());
        let mut owner = None;
        let mut seen = String::new();
        while !reader.rest.text.is_empty() {
            let part = reader.rest;
            let mark = reader.mark(&seen)?;
            seen.push(mark);
            let length = |reader: &Reader<'_>| part.text.len() - reader.rest.text.len();
            match mark {
                'D' => {
                    let flags = reader.flags()?;
                    let head = part.part(0, length(&reader)).text.to_owned();
                    if flags.contains(&"NO_ACCESS_CONTROL") {
                        return Err(RightsError::NoList);
                    }
                    let mut entries = Vec::new();
                    for entry in reader.entries()? {
                        entries.push(Entry::read(&entry)?);
                    }
                    lists = Some((head, entries));
                    continue;
                }
                'S' => {
                    reader.flags()?;
                    reader.entries()?;
                }
                'O' => owner = Some(reader.sid()?),
                _ => drop(reader.sid()?),
            }
            let kept = part.part(0, length(&reader)).text;
            if lists.is_some() {
                after.push_str(kept);
            } else {
                before.push_str(kept);
            }
        }
        let (head, entries) = lists.ok_or(RightsError::NoList)?;
        Ok(Self {
            before,
            owner,
            head,
            entries,
            after,
        })
    }

    /// Whether what denies stands before what allows, and what came from above behind all else (MS-DTYP 2.4.5).
    pub fn is_in_usual_order(&self) -> bool {
        let rank = |entry: &Entry| (entry.inherited, !entry.inherited && !entry.is_denial());
        self.entries.is_sorted_by_key(rank)
    }

    /// Puts an entry that allows to its place: behind all that is the object's own, before what came from above.
    pub(super) fn add(&mut self, entry: Entry) {
        let place = self.entries.iter().position(|entry| entry.inherited);
        self.entries
            .insert(place.unwrap_or(self.entries.len()), entry);
    }
}

impl std::fmt::Display for Descriptor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.before)?;
        formatter.write_str(&self.head)?;
        for entry in &self.entries {
            formatter.write_str(&entry.text)?;
        }
        formatter.write_str(&self.after)
    }
}

/// Reads from left to right.
struct Reader<'a> {
    rest: Text<'a>,
}

impl<'a> Reader<'a> {
    /// `O:`, `G:`, `D:` or `S:`, each once.
    fn mark(&mut self, seen: &str) -> Result<char, RightsError> {
        let here = self.rest;
        let mut characters = here.text.chars();
        let mark = characters
            .next()
            .map(|mark| mark.to_ascii_uppercase())
            .filter(|mark| "OGDS".contains(*mark) && characters.next() == Some(':'));
        match mark {
            Some(mark) if seen.contains(mark) => {
                Err(here.wrong(&format!("`{mark}:` stands here for the second time")))
            }
            Some(mark) => {
                self.rest = here.rest(2);
                Ok(mark)
            }
            None if here.text.starts_with(char::is_whitespace) => Err(here.wrong("the text has white space inside; give it as one line, without the line ends of the terminal")),
            None => Err(here.wrong(&format!(
                "`{}` is not understood; a descriptor consists of O:, G:, D: and S:, and of entries in parentheses",
                here.shown()
            ))),
        }
    }

    fn sid(&mut self) -> Result<Sid, RightsError> {
        let here = self.rest;
        let length = if here.text.to_ascii_uppercase().starts_with("S-") {
            let rest = here.text.get(2..).unwrap_or_default();
            let end = rest.find(|character: char| character != '-' && !character.is_ascii_digit());
            end.map_or(here.text.len(), |end| end + 2)
        } else {
            2
        };
        let sid = Sid::read(here.part(0, length).text).ok_or_else(|| {
            here.wrong(&format!(
                "`{}` is neither a SID nor two letters that stand for one",
                here.shown()
            ))
        })?;
        self.rest = here.rest(length);
        Ok(sid)
    }

    /// The flags of a list.
    fn flags(&mut self) -> Result<Vec<&'static str>, RightsError> {
        let mut found = Vec::new();
        loop {
            let here = self.rest;
            let upper = here
                .text
                .get(..here.text.len().min(17))
                .map_or_else(String::new, str::to_ascii_uppercase);
            let flag = ["NO_ACCESS_CONTROL", "AR", "AI", "P"]
                .into_iter()
                .find(|flag| upper.starts_with(flag));
            let Some(flag) = flag else {
                return Ok(found);
            };
            if found.contains(&flag) {
                return Err(here.wrong(&format!(
                    "the flag `{flag}` stands here for the second time"
                )));
            }
            found.push(flag);
            self.rest = here.rest(flag.len());
        }
    }

    /// The entries of a list, each with its parentheses.
    fn entries(&mut self) -> Result<Vec<Text<'a>>, RightsError> {
        let mut found = Vec::new();
        while self.rest.text.starts_with('(') {
            let here = self.rest;
            if found.len() >= ENTRIES_MAX {
                return Err(here.wrong("the list has more than 2,000 entries, which no service has; here begins one more"));
            }
            let length = entry_length(&here)?;
            found.push(here.part(0, length));
            self.rest = here.rest(length);
        }
        Ok(found)
    }
}

/// How long the entry is that begins here, in bytes.
fn entry_length(here: &Text<'_>) -> Result<usize, RightsError> {
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, character) in here.text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            // White space is part of conditions, and of nothing else.
            _ if depth == 1 && character.is_whitespace() => {
                return Err(here.rest(at).wrong("the text has white space inside an entry; give it as one line, without the line ends of the terminal"));
            }
            _ if character.is_control() => {
                return Err(here
                    .rest(at)
                    .wrong("a control character stands in the text"));
            }
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(here.rest(at).wrong("the parentheses are deeper than 64"));
        }
        if depth == 0 {
            return Ok(at + 1);
        }
    }
    Err(here.wrong("an entry begins here whose parenthesis is not closed"))
}
