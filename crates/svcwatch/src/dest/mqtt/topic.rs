//! Topics: a base that somebody wrote, and levels made of names.
//!
//! A name stands in a topic as it is, but for what would change the meaning of the topic or what brokers refuse: `/`,
//! `+`, `#`, control characters and U+FFFE and U+FFFF (MQTT 3.1.1 1.5.3 and 4.7). These, and `%` itself, are written
//! as `%XX` for each byte of their UTF-8 form, so that two names never share a topic.

/// The level under the status topic that is svcwatch's own.
pub const OWN_LEVEL: &str = "svcwatch";
/// Bytes of a base, at most.
pub const BASE_BYTES_MAX: usize = 1_024;

/// What is wrong with a base, in words.
pub fn check(base: &str) -> Result<(), String> {
    if base.len() > BASE_BYTES_MAX {
        return Err(format!(
            "has {} bytes; {BASE_BYTES_MAX} are allowed",
            base.len()
        ));
    }
    if let Some(wildcard) = base
        .chars()
        .find(|character| matches!(character, '#' | '+'))
    {
        return Err(format!("holds {wildcard}, which only subscribers may use"));
    }
    if let Some(bad) = base
        .chars()
        .find(|character| must_be_written_otherwise(*character) && !matches!(character, '/' | '%'))
    {
        return Err(format!(
            "holds {}, which no topic may",
            bad.escape_default()
        ));
    }
    if base.starts_with('$') {
        return Err("begins with $, which brokers keep for themselves".to_owned());
    }
    Ok(())
}

const fn must_be_written_otherwise(character: char) -> bool {
    matches!(
        character,
        '/' | '+' | '#' | '%' | '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}'
    )
}

/// A name as one level of a topic.
pub fn level(name: &str) -> String {
    let mut level = String::with_capacity(name.len());
    for character in name.chars() {
        if must_be_written_otherwise(character) {
            percent(character, &mut level);
        } else {
            level.push(character);
        }
    }
    level
}

/// The name of a host as the level below a base. One that is called as svcwatch's own level is written otherwise.
pub fn host_level(host: &str) -> String {
    match host.strip_prefix('s') {
        Some(rest) if host == OWN_LEVEL => format!("%73{rest}"),
        Some(_) | None => level(host),
    }
}

fn percent(character: char, level: &mut String) {
    let mut buffer = [0; 4];
    for byte in character.encode_utf8(&mut buffer).bytes() {
        level.push('%');
        for nibble in [byte >> 4, byte & 0x0f] {
            let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            level.push(digit.to_ascii_uppercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_as_they_are_but_for_what_topics_use() {
        for (name, expected) in [
            ("MSSQL$PROD", "MSSQL$PROD"),
            ("a b (c) \"d\" é 👩", "a b (c) \"d\" é 👩"),
            ("a/b+c#d%e", "a%2Fb%2Bc%23d%25e"),
            ("x\0y\nz\u{85}", "x%00y%0Az%C2%85"),
            ("", ""),
        ] {
            assert_eq!(level(name), expected);
        }
        assert_eq!(host_level("svcwatch"), "%73vcwatch");
        assert_eq!(host_level("svcwatch2"), "svcwatch2");
        assert_eq!(host_level("SVCWATCH"), "SVCWATCH");
    }

    #[test]
    fn two_names_never_share_a_topic() {
        let names = [
            "a/b",
            "a%2Fb",
            "a%252Fb",
            "a",
            "a/",
            "/a",
            "svcwatch",
            "%73vcwatch",
        ];
        let mut levels: Vec<String> = names.iter().map(|name| host_level(name)).collect();
        levels.sort_unstable();
        levels.dedup();
        assert_eq!(levels.len(), names.len());
    }

    #[test]
    fn a_base_has_no_wildcards_and_is_no_topic_of_brokers() {
        for base in [
            "qliksense/#",
            "a/+/b",
            "$SYS/x",
            "a\0",
            "a\nb",
            &"x".repeat(1_025),
        ] {
            assert!(check(base).is_err(), "{base}");
        }
        for base in ["qliksense/service_status", "a", "a/b/", "å/$x", "100%"] {
            assert_eq!(check(base), Ok(()), "{base}");
        }
    }
}
