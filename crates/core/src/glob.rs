//! Patterns with `*` (any run of characters) and `?` (any one character), matched without case in linear-ish time.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

/// A pattern. It has no other special characters and needs none escaped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    shown: Arc<str>,
    folded: Arc<[char]>,
}

impl Glob {
    /// The pattern as written.
    pub fn new(shown: &str) -> Self {
        let folded: Vec<char> = shown.to_lowercase().chars().collect();
        Self {
            shown: Arc::from(shown),
            folded: Arc::from(folded),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Whether a text has the special characters of a pattern.
    pub fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?'])
    }

    /// Whether the whole text matches, without case.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        let (mut at, mut inside) = (0_usize, 0_usize);
        // Where the last star stood, and how much of the text it has taken so far: only the last star
        // ever needs to give back, so the work is at most pattern × text.
        let mut star: Option<(usize, usize)> = None;
        while let Some(&character) = text.get(at) {
            match self.folded.get(inside) {
                Some('*') => {
                    star = Some((inside, at));
                    inside = inside.saturating_add(1);
                }
                Some(&wanted) if wanted == '?' || wanted == character => {
                    at = at.saturating_add(1);
                    inside = inside.saturating_add(1);
                }
                Some(_) | None => match star {
                    Some((position, taken)) => {
                        let taken = taken.saturating_add(1);
                        star = Some((position, taken));
                        at = taken;
                        inside = position.saturating_add(1);
                    }
                    None => return false,
                },
            }
        }
        self.folded.iter().skip(inside).all(|&rest| rest == '*')
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("Spooler", "spooler", true),
            ("MSSQL$*", "MSSQL$PROD", true),
            ("MSSQL$*", "MSSQLSERVER", false),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("*aab", "aaaaab", true),
            ("w?b-*", "web-01", true),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(text),
                expected,
                "{pattern} against {text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_obvious_recursion(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            fn obvious(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) => {
                        obvious(rest, text) || text.split_first().is_some_and(|(_, more)| obvious(pattern, more))
                    }
                    (Some((wanted, rest)), Some((found, more))) => {
                        (*wanted == b'?' || wanted == found) && obvious(rest, more)
                    }
                    (None, Some(_)) | (Some(_), None) => false,
                }
            }
            proptest::prop_assert_eq!(Glob::new(&pattern).matches(&text), obvious(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
