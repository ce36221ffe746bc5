//! Values made fit for what a template gives.

use super::{LINE_CHARACTERS_MAX, Target};
use crate::dest::clean;
use std::fmt::Write as _;

/// The value as it may stand in this target.
pub(super) fn escape(target: Target, value: &str) -> String {
    match target {
        Target::Html => html(value),
        Target::Json => json(value),
        Target::Line => value.to_owned(),
        Target::Markdown => clean::line(value, LINE_CHARACTERS_MAX).replace('`', "'"),
    }
}

/// For an HTML element or attribute. Beside what HTML asks for, `` ` `` and `=` are escaped, as Handlebars does, so
/// that a value cannot end an attribute that was written without quotes.
fn html(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            '`' => escaped.push_str("&#x60;"),
            '=' => escaped.push_str("&#x3D;"),
            '\n' | '\t' | '\r' => escaped.push(character),
            character if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            character => escaped.push(character),
        }
    }
    escaped
}

/// For the inside of a JSON string (RFC 8259, section 7).
fn json(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            character
                if u32::from(character) < 0x20 || matches!(character, '\u{2028}' | '\u{2029}') =>
            {
                // Writing into a text does not fail.
                let written = write!(escaped, "\\u{:04x}", u32::from(character));
                debug_assert!(written.is_ok(), "a String takes everything");
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_as_handlebars_does() {
        assert_eq!(
            escape(Target::Html, "a=<b> & 'c' \"d\" `e`\0\n"),
            "a&#x3D;&lt;b&gt; &amp; &#x27;c&#x27; &quot;d&quot; &#x60;e&#x60;\u{FFFD}\n"
        );
    }

    #[test]
    fn any_text_in_a_json_string_comes_back() {
        let hostile: String = (0_u32..0x3000).filter_map(char::from_u32).collect();
        let text = format!("\"{}\"", escape(Target::Json, &hostile));
        assert_eq!(serde_json::from_str::<String>(&text).ok(), Some(hostile));
    }
}
