//! The nearest known word to one that is not known.

/// Words that people bring along from other programs, and what they are called here.
const KNOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("interval", "every"),
    ("frequency", "every"),
    ("period", "every"),
    ("hostname", "name"),
    ("hostname", "host"),
    ("host", "name"),
    ("username", "user"),
    ("login", "user"),
    ("ip", "address"),
    ("tags", "labels"),
    ("friendlyname", "friendly_name"),
    ("receiver", "to"),
    ("matchers", "match"),
    ("webhook_url", "url"),
];

/// The known word that was most likely meant, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(word);
    if wanted.len() > 64 {
        return None;
    }
    let known: Vec<&str> = known.collect();
    let reach = (wanted.chars().count() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in &known {
        let far = distance(&wanted, &plain(candidate));
        if far <= reach && best.is_none_or(|(least, _)| far < least) {
            best = Some((far, candidate));
        }
    }
    let elsewhere = KNOWN_ELSEWHERE
        .iter()
        .filter(|(other, _)| *other == wanted)
        .find_map(|(_, ours)| known.iter().find(|candidate| *candidate == ours));
    best.map(|(_, candidate)| candidate).or(elsewhere.copied())
}

/// Whether a pattern matches one of these words; what to write instead where it does not.
pub(crate) fn meant_word<'a>(
    pattern: &str,
    words: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), String> {
    let glob = svcwatch_core::glob::Glob::new(pattern);
    if words.clone().any(|word| glob.matches(word)) {
        return Ok(());
    }
    Err(match nearest(pattern, words.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write {}", super::problem::listed(words)),
    })
}

/// Letter case and the choice between `-` and `_` are no difference.
fn plain(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// How many insertions, deletions, replacements and swaps of neighbours lie between two words.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, one) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let at =
                |list: &[usize], index: usize| list.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&above, column) + usize::from(one != other);
            let mut least = replaced
                .min(at(&above, column + 1) + 1)
                .min(at(&line, column) + 1);
            let swapped = row > 0
                && column > 0
                && left.get(row - 1) == Some(other)
                && right.get(column - 1) == Some(one);
            if swapped {
                least = least.min(at(&before, column - 1) + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let known = ["every", "timeout", "encryption", "friendly_name"].into_iter();
        assert_eq!(nearest("evrey", known.clone()), Some("every"));
        assert_eq!(nearest("Timeout", known.clone()), Some("timeout"));
        assert_eq!(nearest("encription", known.clone()), Some("encryption"));
        assert_eq!(
            nearest("friendly-name", known.clone()),
            Some("friendly_name")
        );
        assert_eq!(
            nearest("friendlyName", known.clone()),
            Some("friendly_name")
        );
        assert_eq!(nearest("interval", known.clone()), Some("every"));
        assert_eq!(nearest("colour", known.clone()), None);
        assert_eq!(
            nearest("hostname", ["host", "site"].into_iter()),
            Some("host")
        );
        assert_eq!(
            nearest("hostname", ["name", "address"].into_iter()),
            Some("name")
        );
    }

    #[test]
    fn distances_are_symmetric_and_count_swaps_once() {
        assert_eq!(distance("every", "evrey"), 1);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
