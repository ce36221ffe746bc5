//! YAML's core schema, and the parser's complaints in our words.

/// What a scalar is by the core schema (YAML 1.2.2, section 10.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Nothing: an empty value, `null` or `~`.
    Null,
    /// `true` or `false`.
    Switch(bool),
    /// A whole number that fits 64 bits.
    Whole(i64),
    /// Another number.
    Number,
    /// A text, or anything in quotes.
    Text,
}

/// Resolves a scalar that stands without quotes.
pub(crate) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Switch(true),
        "false" | "False" | "FALSE" => return Plain::Switch(false),
        _ => {}
    }
    if let Some((digits, radix)) = whole(text) {
        return i64::from_str_radix(digits, radix).map_or(Plain::Number, Plain::Whole);
    }
    if float(text) {
        Plain::Number
    } else {
        Plain::Text
    }
}

/// The digits, with their sign, and the base of a whole number as the core schema writes it.
fn whole(text: &str) -> Option<(&str, u32)> {
    let (digits, radix) = match (text.strip_prefix("0o"), text.strip_prefix("0x")) {
        (Some(octal), _) => (octal, 8),
        (None, Some(hexadecimal)) => (hexadecimal, 16),
        (None, None) => (text, 10),
    };
    let unsigned = if radix == 10 {
        digits.strip_prefix(['-', '+']).unwrap_or(digits)
    } else {
        digits
    };
    let good = !unsigned.is_empty() && unsigned.chars().all(|digit| digit.is_digit(radix));
    good.then_some((digits, radix))
}

/// Whether a text is a float of the core schema: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_good = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((before, fraction)) => digits(before) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa_good
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

/// What the parser complains of: a part of its words, what is wrong in ours, and what to write instead. The first
/// line that fits counts, so their order matters.
const COMPLAINTS: &[(&str, &str, &str)] = &[
    (
        "tab",
        "a tab stands where YAML wants spaces",
        "indent with spaces",
    ),
    (
        "unknown anchor",
        "this alias repeats a name that no anchor (`&name`) has given",
        "write the value out",
    ),
    (
        "found unprintable character",
        "an unprintable character stands here",
        "remove it, or write it as an escape in double quotes",
    ),
    (
        "byte order mark",
        "a byte order mark stands inside the file",
        "remove it",
    ),
    (
        "mapping values are not allowed",
        "a colon stands where no value may begin",
        "put the text in quotes, or begin the key on its own line",
    ),
    (
        "simple key expect",
        "this line is no `key: value`",
        "write a colon and a space after the key, or indent the line to go on with the text above",
    ),
    (
        "did not find expected key",
        "this is not a key of the mapping above",
        "begin it in the same column as the keys above",
    ),
    (
        "did not find expected '-'",
        "this is not an item of the list above",
        "begin it with `- ` in the same column as the items above",
    ),
    (
        "flow mapping, did not find",
        "a mapping in braces goes wrong here",
        "separate its entries by commas and end it with `}`",
    ),
    (
        "flow sequence, expected",
        "a list in brackets goes wrong here",
        "separate its items by commas and end it with `]`",
    ),
    (
        "misplaced bracket",
        "a bracket closes here that was not opened",
        "remove it, or put the text in quotes",
    ),
    (
        "recursion limit",
        "brackets lie too deep in one another",
        "look for a bracket too many",
    ),
    (
        "unexpected end of stream",
        "the file ends inside a quoted text",
        "close the quotes",
    ),
    (
        "unknown escape",
        "this escape is not one of YAML's",
        "put the text in single quotes, where `\\` is only itself",
    ),
    (
        "hexadecimal number",
        "this escape is not one of YAML's",
        "put the text in single quotes, where `\\` is only itself",
    ),
    (
        "Unicode character escape",
        "this escape is no character",
        "put the text in single quotes, where `\\` is only itself",
    ),
    (
        "trailing content after double-quoted",
        "something follows the closing quote",
        "put the whole text in quotes",
    ),
    (
        "unexpected character",
        "no value may begin with this character",
        "put the text in quotes",
    ),
    (
        "invalid indentation",
        "this line is indented less than what it belongs to",
        "indent it with more spaces",
    ),
    (
        "block sequence entries are not allowed",
        "a list may not begin here",
        "begin it on a line of its own",
    ),
    (
        "block scalar",
        "a text after `|` or `>` goes wrong here",
        "indent every line of it alike, with spaces",
    ),
    (
        "directive",
        "lines that begin with `%` are not read",
        "remove the line",
    ),
    (
        "document",
        "something stands here that belongs to no value",
        "remove it, or indent it under its key",
    ),
    (
        "expected node content",
        "a value is missing here",
        "write one, or remove the key",
    ),
];

/// The parser's complaint as a sentence of ours: what is wrong, and what to write instead.
pub(crate) fn syntax(info: &str) -> (String, &'static str) {
    COMPLAINTS
        .iter()
        .find(|(part, _, _)| info.contains(part))
        .map_or_else(
            || {
                (
                    format!("this is not YAML ({info})"),
                    "put texts with special characters in quotes",
                )
            },
            |(_, what, instead)| ((*what).to_owned(), *instead),
        )
}

#[cfg(test)]
mod tests {
    use super::{Plain, resolve};

    #[test]
    fn scalars_without_quotes_follow_the_core_schema() {
        for (text, wanted) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("null", Plain::Null),
            ("nuLL", Plain::Text),
            ("true", Plain::Switch(true)),
            ("FALSE", Plain::Switch(false)),
            ("yes", Plain::Text),
            ("no", Plain::Text),
            ("off", Plain::Text),
            ("445", Plain::Whole(445)),
            ("-12", Plain::Whole(-12)),
            ("+3", Plain::Whole(3)),
            ("007", Plain::Whole(7)),
            ("0x1F", Plain::Whole(31)),
            ("0o17", Plain::Whole(15)),
            ("0xG", Plain::Text),
            ("99999999999999999999", Plain::Number),
            ("1.5", Plain::Number),
            (".5e-3", Plain::Number),
            ("1e3", Plain::Number),
            (".inf", Plain::Number),
            ("-.inf", Plain::Number),
            (".", Plain::Text),
            ("-", Plain::Text),
            ("1.2.3", Plain::Text),
            ("10.0.0.1", Plain::Text),
            ("30s", Plain::Text),
        ] {
            assert_eq!(resolve(text), wanted, "{text:?}");
        }
    }
}
