//! Names of guests: one form for each, and the patterns that allow them. The rule is about the name alone: whatever a
//! name resolves to, it is the name that somebody allowed.

use crate::{glob::Glob, id::Name};
use alloc::string::ToString;
use core::net::IpAddr;

/// Characters of a host name, at most (RFC 1035 2.3.4, without the dot of the root).
const NAME_CHARACTERS_MAX: usize = 253;
/// Characters of one label of it, at most (RFC 1035 2.3.4).
const LABEL_CHARACTERS_MAX: usize = 63;

/// The one form of a guest's name: a host name in lower case without the dot of the root, or an IP address in its shortest
/// form. Nothing where the text is neither, holds a port or a path, or is one of the odd ways to write an IPv4 address that
/// some resolvers take: those would go round patterns for addresses.
pub fn name(text: &str) -> Option<Name> {
    if let Ok(address) = text.parse::<IpAddr>() {
        // An IPv4 address in the clothes of IPv6 is the IPv4 address.
        return Some(Name::new(&address.to_canonical().to_string()));
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next()?;
    let good =
        text.len() <= NAME_CHARACTERS_MAX && text.split('.').all(is_label) && !is_number(last);
    good.then(|| Name::new(&text.to_ascii_lowercase()))
}

/// Whether a text is one label of a host name. Underscores are no part of the rules, and of many names.
fn is_label(text: &str) -> bool {
    let sound = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    (1..=LABEL_CHARACTERS_MAX).contains(&text.len())
        && text.chars().all(sound)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether a last label makes a resolver take the whole for an IPv4 address, as `127.1` and `0x7f.1` are taken.
fn is_number(label: &str) -> bool {
    let hexadecimal = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.chars().all(|digit| digit.is_ascii_hexdigit()),
        None => label.chars().all(|digit| digit.is_ascii_digit()),
    }
}

/// What a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// A star alone: for all.
    All,
    /// Host names.
    Names,
    /// IPv4 addresses.
    Four,
    /// IPv6 addresses.
    Six,
}

/// Why a text is no pattern for names of guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPattern {
    /// It holds what no name of a guest holds.
    Nobody,
    /// It is nothing but wildcards and dots. Who writes `*.*.*.*` means addresses, and would let in names of four parts.
    Wild,
}

/// A pattern for names of guests. One that is written as an address matches addresses alone: `10.*` must not let in a
/// name that begins so and belongs to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    glob: Glob,
    of: For,
}

impl Allowed {
    /// The pattern of a text, or why it is none.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let sound =
            |character: char| character.is_ascii_alphanumeric() || "-_.:*?".contains(character);
        if !text.chars().any(|character| character != '.') || !text.chars().all(sound) {
            return Err(BadPattern::Nobody);
        }
        let wild = |character: char| "*?.".contains(character);
        let of_six = |character: char| character.is_ascii_hexdigit() || ":*?".contains(character);
        let of = if text.contains(':') {
            // What holds a colon and is no IPv6 address has a port, and would match nobody.
            if !text.chars().all(of_six) {
                return Err(BadPattern::Nobody);
            }
            For::Six
        } else if text == "*" {
            For::All
        } else if text.chars().all(wild) {
            return Err(BadPattern::Wild);
        } else if text
            .chars()
            .all(|character| wild(character) || character.is_ascii_digit())
        {
            For::Four
        } else {
            For::Names
        };
        Ok(Self {
            glob: Glob::new(text),
            of,
        })
    }

    /// Whether it lets in a guest, whose name is in its one form.
    pub fn lets_in(&self, guest: &Name) -> bool {
        let is = match guest.key().parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => For::Four,
            Ok(IpAddr::V6(_)) => For::Six,
            Err(_) => For::Names,
        };
        (self.of == For::All || self.of == is) && self.glob.matches(guest.key())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.glob.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Option<alloc::string::String> {
        name(text).map(|name| name.as_str().to_string())
    }

    #[test]
    fn each_guest_has_one_name() {
        for (text, wanted) in [
            ("SRV01.Corp.Example", "srv01.corp.example"),
            ("srv01.corp.example.", "srv01.corp.example"),
            ("web_1", "web_1"),
            ("10.0.0.7", "10.0.0.7"),
            ("::FFFF:10.0.0.7", "10.0.0.7"),
            ("::ffff:a00:7", "10.0.0.7"),
            ("2001:0DB8:0:0::0001", "2001:db8::1"),
            ("0x7f.corp", "0x7f.corp"),
        ] {
            assert_eq!(form(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_and_no_address_is_no_guest() {
        let long = "a".repeat(64);
        let longer = "abc.".repeat(70);
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "srv01..",
            "-a",
            "a-",
            "srv01:445",
            "10.0.0.1:445",
            "[::1]",
            "[::1]:445",
            "fe80::1%eth0",
            "\\\\srv01\\pipe",
            "srv01/path",
            "http://srv01",
            "user@srv01",
            "srv01 ",
            " srv01",
            "srv01\n",
            "srv01\u{0}",
            "srv01%2ecorp",
            "*.corp.example",
            "srv?",
            // The sign of a kelvin is a k in lower case.
            "\u{212a}ing.example",
            "b\u{fc}ro.example",
            "\u{ff53}rv01",
            // What inet_aton takes for addresses.
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "127.0.0.0x1",
            "10.0.0.256",
            "010.0.0.1",
            "1.2.3.4.5",
            &long,
            &longer,
        ] {
            assert_eq!(form(text), None, "{text:?}");
        }
    }

    fn lets_in(pattern: &str, guest: &str) -> bool {
        let guest = name(guest).expect("a name");
        Allowed::parse(pattern).is_ok_and(|pattern| pattern.lets_in(&guest))
    }

    #[test]
    fn patterns_of_addresses_let_in_addresses_alone() {
        for (pattern, guest, wanted) in [
            ("*.corp.example", "srv01.corp.example", true),
            ("*.Corp.Example.", "SRV01.corp.example.", true),
            ("*.corp.example", "corp.example", false),
            ("*.corp.example", "srv01.corp.example.evil.example", false),
            ("*.corp.example", "srv01xcorp.example", false),
            ("srv0?", "srv01", true),
            ("10.*", "10.1.2.3", true),
            ("10.*", "::ffff:10.1.2.3", true),
            ("10.*", "10.evil.example", false),
            ("10.0.0.?", "10.0.0.12", false),
            ("1*", "1srv.example", false),
            ("2001:db8::*", "2001:db8:0::7", true),
            ("2001:db8::*", "2001:db9::7", false),
            ("*:*", "10.0.0.1", false),
            ("a*", "a::1", false),
            ("a*", "a1", true),
            ("fe80*", "fe80.evil.example", true),
            ("*", "anything.example", true),
            ("*", "::1", true),
        ] {
            assert_eq!(lets_in(pattern, guest), wanted, "{pattern} and {guest}");
        }
    }

    #[test]
    fn a_pattern_holds_only_what_names_hold() {
        for text in [
            "",
            ".",
            "*.b\u{fc}ro",
            "srv01/*",
            "a b",
            "\\\\srv",
            "[::1]",
            "10.0.0.0/8",
            "srv01:445",
            "*.corp.example:445",
            "10.0.0.1:445",
            "::ffff:10.0.*",
        ] {
            assert_eq!(Allowed::parse(text), Err(BadPattern::Nobody), "{text:?}");
        }
        for text in ["*.*.*.*", "?.?.?.?", "*.*", "**", "?", "*?", "*.?."] {
            assert_eq!(Allowed::parse(text), Err(BadPattern::Wild), "{text:?}");
        }
        assert!(Allowed::parse("*.").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn a_name_in_its_form_stays_as_it_is(text in "[a-zA-Z0-9.:_-]{0,24}") {
            if let Some(first) = name(&text) {
                proptest::prop_assert_eq!(name(first.as_str()).map(|name| name.key().to_string()), Some(first.key().to_string()));
                proptest::prop_assert_eq!(first.as_str(), first.key());
            }
        }
    }
}
