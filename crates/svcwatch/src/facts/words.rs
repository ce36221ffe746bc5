//! Texts as the log says them.

use std::fmt::{self, Write as _};
use svcwatch_core::id::{Name, Subject};

/// A text that a host or a destination may have chosen: control characters are escaped, so that it cannot begin a
/// line of its own in the log.
pub(super) struct Plain<'a>(&'a str);

/// A text from outside, to be written into the log.
pub(super) const fn plain(text: &str) -> Plain<'_> {
    Plain(text)
}

/// A name as such a text.
pub(super) fn name(name: &Name) -> Plain<'_> {
    Plain(name.as_str())
}

impl fmt::Display for Plain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// What something is about, in words.
pub(super) struct About<'a>(&'a Subject);

/// What something is about, to be written into the log.
pub(super) const fn about(subject: &Subject) -> About<'_> {
    About(subject)
}

impl fmt::Display for About<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Subject::Service { host, service } => {
                write!(formatter, "{} on {}", name(service), name(host))
            }
            Subject::Host(host) => write!(formatter, "host {}", name(host)),
            Subject::Visibility(host) => write!(formatter, "what host {} shows", name(host)),
            Subject::Account(account) => write!(formatter, "account {}", name(account)),
            Subject::Destination(destination) => {
                write!(formatter, "destination {}", name(destination))
            }
            Subject::Fleet => formatter.write_str("all hosts"),
            Subject::Group { group, service } => {
                write!(formatter, "{} of group {}", name(service), name(group))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_text_from_outside_cannot_begin_a_line_of_the_log() {
        assert_eq!(
            plain("a\nlevel=error\u{1b}[31m é").to_string(),
            "a\\nlevel=error\\u{1b}[31m é"
        );
    }
}
