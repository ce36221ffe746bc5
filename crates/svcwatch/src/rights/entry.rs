//! One entry of a list (an ACE, MS-DTYP 2.5.1.1): read as far as needed, kept as it was written.

use super::sddl::Text;
use super::{RightsError, Sid};

/// The rights by their letters (MS-DTYP 2.5.1.1 and 2.4.3), in the order in which Windows writes them.
pub(super) const LETTERS: &[(&str, u32)] = &[
    ("CC", 0x1),
    ("DC", 0x2),
    ("LC", 0x4),
    ("SW", 0x8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", 0x40),
    ("LO", 0x80),
    ("CR", 0x100),
    ("SD", 0x1_0000),
    ("RC", 0x2_0000),
    ("WD", 0x4_0000),
    ("WO", 0x8_0000),
    ("GA", 0x1000_0000),
    ("GX", 0x2000_0000),
    ("GW", 0x4000_0000),
    ("GR", 0x8000_0000),
    ("FA", 0x001f_01ff),
    ("FR", 0x0012_0089),
    ("FW", 0x0012_0116),
    ("FX", 0x0012_00a0),
    ("KA", 0x000f_003f),
    ("KR", 0x0002_0019),
    ("KW", 0x0002_0006),
    ("KX", 0x0002_0019),
];
/// The flags of an entry.
pub(super) const FLAGS: [&str; 9] = ["CI", "OI", "NP", "IO", "ID", "SA", "FA", "TP", "CR"];

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Allows, always.
    Allow,
    /// Denies, always.
    Deny,
    /// Allows some part of an object, or on a condition.
    AllowPartly,
    /// Denies some part of an object, or on a condition.
    DenyPartly,
}

/// One entry of a list of who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it is written, with its parentheses.
    pub text: String,
    /// What it does.
    pub kind: Kind,
    /// Whether it came from above.
    pub inherited: bool,
    /// Whether it is only for what is below, and not for the object itself.
    pub below_only: bool,
    /// Whether it has flags at all.
    pub flagged: bool,
    /// The rights, one bit each.
    pub rights: u32,
    /// Whose they are.
    pub who: Sid,
}

impl Entry {
    /// Reads the text of one entry, which begins and ends with its own parentheses.
    pub(super) fn read(text: &Text<'_>) -> Result<Self, RightsError> {
        let fields = fields(text)?;
        let [
            kind,
            flags,
            rights,
            object,
            inherited_object,
            who,
            rest @ ..,
        ] = fields.as_slice()
        else {
            return Err(text.wrong("an entry has six parts with semicolons between, as (A;;CCLCRC;;;SY); this one has fewer"));
        };
        let (kind, conditional, of_object) = match kind.text.to_ascii_uppercase().as_str() {
            "A" => (Kind::Allow, false, false),
            "D" => (Kind::Deny, false, false),
            "OA" => (Kind::AllowPartly, false, true),
            "OD" => (Kind::DenyPartly, false, true),
            "XA" => (Kind::AllowPartly, true, false),
            "ZA" => (Kind::AllowPartly, true, true),
            "XD" => (Kind::DenyPartly, true, false),
            "AU" | "OU" | "XU" | "AL" | "OL" | "ML" | "RA" | "SP" | "TL" | "FL" => {
                return Err(kind.wrong(&format!(
                    "an entry `{}` belongs into the list behind `S:`, not into the one behind `D:`",
                    kind.text
                )));
            }
            _ => {
                return Err(kind.wrong(&format!(
                    "`{}` is no kind of entry; it is A or D, or OA, OD, XA, XD or ZA",
                    kind.shown()
                )));
            }
        };
        let flags_read = pairs(flags, "flag of an entry", |pair| FLAGS.contains(&pair))?;
        for field in [object, inherited_object] {
            let fits = field.text.is_empty() || (of_object && is_guid(field.text));
            if !fits {
                return Err(field.wrong(&format!("`{}` stands where only an entry of kind OA, OD or ZA has something, and that is a GUID", field.shown())));
            }
        }
        match (conditional, rest) {
            (false, []) => {}
            (true, [condition]) if condition.text.trim().starts_with('(') && condition.text.trim().ends_with(')') => {}
            (true, _) => return Err(text.wrong("an entry with a condition has seven parts, of which the last is the condition in parentheses")),
            (false, [extra, ..]) => return Err(extra.wrong("an entry of this kind has six parts; this is a seventh")),
        }
        Ok(Self {
            text: text.text.to_owned(),
            kind,
            inherited: flags_read.iter().any(|flag| flag == "ID"),
            below_only: flags_read.iter().any(|flag| flag == "IO"),
            flagged: !flags_read.is_empty(),
            rights: mask(rights)?,
            who: Sid::read(who.text).ok_or_else(|| {
                who.wrong(&format!(
                    "`{}` is neither a SID nor two letters that stand for one",
                    who.shown()
                ))
            })?,
        })
    }

    /// A plain entry that allows.
    pub fn allowing(letters: &str, rights: u32, who: &Sid) -> Self {
        Self {
            text: format!("(A;;{letters};;;{})", who.as_str()),
            kind: Kind::Allow,
            inherited: false,
            below_only: false,
            flagged: false,
            rights,
            who: who.clone(),
        }
    }

    /// Whether it holds for the object itself, without a condition, and allows.
    pub fn allows(&self) -> bool {
        self.kind == Kind::Allow && !self.below_only
    }

    /// Whether it may deny something on the object itself.
    pub fn denies(&self) -> bool {
        self.is_denial() && !self.below_only
    }

    /// Whether it is of a kind that denies.
    pub fn is_denial(&self) -> bool {
        matches!(self.kind, Kind::Deny | Kind::DenyPartly)
    }
}

/// The parts of an entry: what stands between semicolons outside of quotes and inner parentheses.
fn fields<'a>(text: &Text<'a>) -> Result<Vec<Text<'a>>, RightsError> {
    let inner = text
        .text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
        .ok_or_else(|| text.wrong("an entry stands in parentheses"))?;
    let (mut found, mut begin, mut depth, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, character) in inner.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted => depth = depth.saturating_sub(1),
            ';' if !quoted && depth == 0 => {
                found.push(text.part(begin + 1, at + 1));
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(text.part(begin + 1, inner.len() + 1));
    Ok(found)
}

/// Letters two by two, in upper case.
fn pairs(
    field: &Text<'_>,
    what: &str,
    known: impl Fn(&str) -> bool,
) -> Result<Vec<String>, RightsError> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < field.text.len() {
        let pair = field.text.get(at..at + 2).map(str::to_ascii_uppercase);
        let part = field.part(at, field.text.len());
        let Some(pair) = pair.filter(|pair| known(pair)) else {
            let shown: String = part.text.chars().take(2).collect();
            return Err(part.wrong(&format!("`{shown}` is no {what}")));
        };
        found.push(pair);
        at += 2;
    }
    Ok(found)
}

/// Rights as bits: letters, or a number in decimal, octal (0…) or hexadecimal (0x…).
fn mask(field: &Text<'_>) -> Result<u32, RightsError> {
    let text = field.text;
    if !text.starts_with(|character: char| character.is_ascii_digit()) {
        let letters = pairs(field, "right", |pair| bits(pair).is_some())?;
        return Ok(letters
            .iter()
            .filter_map(|pair| bits(pair))
            .fold(0, |all, one| all | one));
    }
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let read = match (hexadecimal, text.strip_prefix('0')) {
        (Some(digits), _) => u32::from_str_radix(digits, 16),
        (None, Some(digits)) if !digits.is_empty() => u32::from_str_radix(digits, 8),
        (None, _) => text.parse(),
    };
    // A sign behind 0x is taken by the standard library, but not here.
    read.ok()
        .filter(|_| !text.contains(['+', '-']))
        .ok_or_else(|| {
            field.wrong(&format!(
                "`{}` is no number of 32 bits, which rights are",
                field.shown()
            ))
        })
}

fn bits(pair: &str) -> Option<u32> {
    LETTERS
        .iter()
        .find(|(letters, _)| *letters == pair)
        .map(|(_, bits)| *bits)
}

fn is_guid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text
            .chars()
            .all(|character| character == '-' || character.is_ascii_hexdigit())
}
