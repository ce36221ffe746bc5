//! Texts that must never be shown: passwords and tokens.

use std::fmt;

/// What is printed in place of a secret.
const MASK: &str = "********";

/// A password or token.
///
/// `Debug` and `Display` print a mask of fixed length, and there is no `Serialize`: the only way to the
/// text is [`Secret::reveal`], so a search for that word finds every place where a secret is used (P7).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all, which no account's password is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_a_mask_of_one_length() {
        for text in ["", "a", "a very long password that says much"] {
            let secret = Secret::new(text);
            assert_eq!(format!("{secret}"), MASK);
            assert_eq!(format!("{secret:?}"), MASK);
            assert_eq!(format!("{:?}", Some(&secret)), format!("Some({MASK})"));
            assert_eq!(secret.reveal(), text);
        }
    }

    #[test]
    fn secrets_compare_by_their_text() {
        assert_eq!(Secret::from("x"), Secret::from(String::from("x")));
        assert_ne!(Secret::from("x"), Secret::from("y"));
        assert!(Secret::default().is_empty());
    }
}
