//! Rust source without its comments, texts and characters, so that what is left can be searched as code.

/// The source with the inside of every comment, text and character literal blanked. Line ends stay where they are.
pub(super) fn code_only(source: &str) -> String {
    let mut mask = Mask {
        rest: source,
        kept: String::with_capacity(source.len()),
        before: ' ',
    };
    while !mask.rest.is_empty() {
        mask.step();
    }
    mask.kept
}

/// The work under way.
struct Mask<'source> {
    rest: &'source str,
    kept: String,
    /// The last character of code, which tells a raw text `r"…"` from a name that ends in `r`.
    before: char,
}

impl Mask<'_> {
    /// Takes the next piece: a comment, a literal, or one character of code.
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some(length) = self.literal() {
            self.blank(length);
        } else if let Some(character) = self.rest.chars().next() {
            self.kept.push(character);
            self.before = character;
            self.rest = self.rest.split_at(character.len_utf8()).1;
        }
    }

    /// The length of the literal that begins here, if one does.
    fn literal(&self) -> Option<usize> {
        let in_name = self.before.is_alphanumeric() || self.before == '_';
        if !in_name {
            // b"…", c"…", br"…", cr"…", r"…", r#"…"#
            let after = self.rest.strip_prefix(['b', 'c']).unwrap_or(self.rest);
            if let Some(raw) = after.strip_prefix('r') {
                let hashes = raw.len() - raw.trim_start_matches('#').len();
                if raw.trim_start_matches('#').starts_with('"') {
                    let start = self.rest.len() - raw.len();
                    return Some(start + raw_text(raw, hashes));
                }
            }
            if after.len() < self.rest.len() && after.starts_with(['"', '\'']) {
                return Some(1 + quoted(after)?);
            }
        }
        match self.rest.chars().next() {
            Some('"' | '\'') => quoted(self.rest),
            _ => None,
        }
    }

    /// Blanks so many bytes, except for line ends.
    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.kept.extend(
            gone.chars()
                .map(|character| if character == '\n' { '\n' } else { ' ' }),
        );
        self.rest = rest;
        self.before = ' ';
    }
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = text.split_at(at).1;
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a raw text, from its hashes on.
fn raw_text(text: &str, hashes: usize) -> usize {
    let start = hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    text.split_at(start)
        .1
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

/// The length of a text or character from its quote on; nothing where the quote begins a lifetime.
fn quoted(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    let (_, quote) = characters.next()?;
    if quote == '\'' {
        let mut ahead = text.chars().skip(1);
        let (first, second) = (ahead.next()?, ahead.next());
        if first != '\\' && second != Some('\'') {
            return None;
        }
    }
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return Some(at + 1);
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blanks, then squeezes runs of blanks, so that expectations can be read.
    fn check(source: &str, expected: &str) {
        let masked = code_only(source);
        assert_eq!(masked.lines().count(), source.lines().count());
        let squeezed: Vec<&str> = masked.split_whitespace().collect();
        assert_eq!(squeezed.join(" "), expected, "from {source}");
    }

    #[test]
    fn comments_are_blanked() {
        check("a // fn b() {\nc", "a c");
        check("a /* x /* y */ { */ b", "a b");
        check("a /* never closed {", "a");
    }

    #[test]
    fn texts_are_blanked_with_their_escapes() {
        check(r#"f("{ \" }") + 1"#, "f( ) + 1");
        check("f(\"one\n{\n\") + 1", "f( ) + 1");
        check(
            r##"f(r#"{ " }"#, br"{", b"{", c"{") + 1"##,
            "f( , , , ) + 1",
        );
    }

    #[test]
    fn characters_are_blanked_and_lifetimes_stay() {
        check(
            "match c { '{' => 1, '\\'' => 2, b'}' => 3, 'ä' => 4 }",
            "match c { => 1, => 2, => 3, => 4 }",
        );
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check(
            "'outer: loop { break 'outer; }",
            "'outer: loop { break 'outer; }",
        );
    }

    #[test]
    fn a_name_that_ends_like_a_prefix_is_no_literal() {
        check("for\"{\" bar\"}\"", "for bar");
        check("let r = xr#type;", "let r = xr#type;");
    }
}
