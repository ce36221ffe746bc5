//! Texts from elsewhere, made fit to be shown: names that hosts gave, answers of destinations.

/// Characters of a name that are shown, at most. Windows allows 256 (MS-SCMR 3.1.4.12, lpServiceName).
pub const NAME_CHARACTERS_MAX: usize = 256;

/// One line of text without control characters and without the marks that turn the writing direction around, at most
/// `characters` long. What is taken out leaves a space or a replacement mark, so that nothing is hidden silently.
pub fn line(text: &str, characters: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(characters));
    let mut space = true;
    let mut count = 0_usize;
    for character in text.chars() {
        let shown = match character {
            character if character.is_whitespace() => ' ',
            character if character.is_control() || turns_direction(character) => {
                char::REPLACEMENT_CHARACTER
            }
            character => character,
        };
        if shown == ' ' && space {
            continue;
        }
        if count == characters {
            clean.push('…');
            return clean;
        }
        space = shown == ' ';
        clean.push(shown);
        count += 1;
    }
    if clean.ends_with(' ') {
        clean.pop();
    }
    clean
}

/// A name, fit to be shown.
pub fn name(text: &str) -> String {
    line(text, NAME_CHARACTERS_MAX)
}

/// Marks that change the direction in which the text after them is shown (Unicode UAX #9), or that begin another line.
const fn turns_direction(character: char) -> bool {
    matches!(
        character,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{202A}'
            ..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
    )
}

/// Text for the inside of an HTML element or of an attribute in double quotes.
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_breaks_a_line_or_turns_it_stays() {
        assert_eq!(
            line("a\r\nBcc: x@y\0\u{202E}z\u{1b}[31m", 100),
            "a Bcc: x@y\u{FFFD}\u{FFFD}z\u{FFFD}[31m"
        );
        assert_eq!(line("  a \t b  ", 100), "a b");
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line("abc", 3), "abc");
        assert_eq!(line("👩\u{200D}💻", 10), "👩\u{200D}💻");
    }

    #[test]
    fn markup_is_shown_and_not_carried_out() {
        assert_eq!(
            html("</script><img onerror=\"x\" a='b'>&"),
            "&lt;/script&gt;&lt;img onerror=&quot;x&quot; a=&#39;b&#39;&gt;&amp;"
        );
    }
}
