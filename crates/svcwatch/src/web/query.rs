//! What stands behind the question mark: filters named as the fields of the items, `limit` and `next`.
//!
//! Lists of what is watched take patterns with `*` and `?`, without case; `null` matches what is null. Lists out of
//! the store take whole values. A filter that does not exist, or can match nothing, is an error, never ignored.

use super::problem::Problem;
use std::collections::BTreeMap;
use svcwatch_core::{glob::Glob, id::Name};

/// Items of one answer unless asked otherwise.
pub const LIMIT_DEFAULT: usize = 100;
/// Items of one answer, at most.
pub const LIMIT_MAX: usize = 1_000;
/// Deliveries of one answer, at most: the store reads each with the whole message.
pub const DELIVERIES_MAX: usize = 100;
/// Characters of one value, at most.
const VALUE_CHARACTERS_MAX: usize = 512;
/// The word that matches what is null.
pub const NULL: &str = "null";

/// The parameters of one request, each given once and each known.
#[derive(Debug)]
pub struct Parameters {
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// Takes the pairs as they came; `known` are the filters of this list.
    pub fn new(pairs: Vec<(String, String)>, known: &[&str]) -> Result<Self, Problem> {
        Self::taken(pairs, |name| {
            if known.contains(&name) || name == "limit" || name == "next" {
                return Ok(());
            }
            Err(format!(
                "There is no filter {}; use {}, limit or next.",
                quoted(name),
                known.join(", ")
            ))
        })
    }

    /// Takes the pairs as they came of what is no list; `known` are all parameters that it has.
    pub fn of_one(pairs: Vec<(String, String)>, known: &[&str]) -> Result<Self, Problem> {
        Self::taken(pairs, |name| {
            if known.contains(&name) {
                return Ok(());
            }
            Err(format!(
                "There is no parameter {}; use {}.",
                quoted(name),
                known.join(" or ")
            ))
        })
    }

    fn taken(
        pairs: Vec<(String, String)>,
        is_known: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            is_known(&name).map_err(Problem::bad_request)?;
            if value.chars().count() > VALUE_CHARACTERS_MAX {
                return Err(Problem::bad_request(format!(
                    "The value of {name} is too long; give at most {VALUE_CHARACTERS_MAX} characters."
                )));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(Problem::bad_request(format!(
                    "{name} stands there twice; give it once."
                )));
            }
        }
        Ok(Self { values })
    }

    /// How many items are wished, of at most so many.
    pub fn limit(&self, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.values.get("limit") else {
            return Ok(LIMIT_DEFAULT);
        };
        match text.parse() {
            Ok(limit) if limit > 0 && limit <= most => Ok(limit),
            Ok(_) | Err(_) => Err(Problem::bad_request(format!(
                "The limit {} is not a number from 1 to {most}; without it you get {LIMIT_DEFAULT} items.",
                quoted(text)
            ))),
        }
    }

    /// A value as it was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A value that is a name.
    pub fn name(&self, name: &str) -> Option<Name> {
        self.text(name).map(Name::new)
    }

    /// A value that is one word of a closed list.
    pub fn word<T: Copy>(
        &self,
        name: &str,
        all: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let found = all
            .iter()
            .copied()
            .find(|word| as_str(*word).eq_ignore_ascii_case(text));
        found.map(Some).ok_or_else(|| {
            let words: Vec<&str> = all.iter().map(|word| as_str(*word)).collect();
            Problem::bad_request(format!(
                "{} is no {name}; use one of {}.",
                quoted(text),
                words.join(", ")
            ))
        })
    }

    /// A value that is a word of a closed list, or `null`.
    pub fn word_or_null<T: Copy>(
        &self,
        name: &str,
        all: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<Word<T>, Problem> {
        if self.text(name) == Some(NULL) {
            return Ok(Word::Null);
        }
        Ok(self.word(name, all, as_str)?.map_or(Word::Any, Word::Is))
    }

    /// A value that is a pattern, or `null`.
    pub fn pattern(&self, name: &str) -> Pattern {
        match self.text(name) {
            None => Pattern::Any,
            Some(NULL) => Pattern::Null,
            Some(text) => Pattern::Like(Glob::new(text)),
        }
    }

    /// A filter of labels: `team=db` or only `team`.
    pub fn label(&self) -> Option<LabelFilter> {
        let text = self.text("labels")?;
        Some(match text.split_once('=') {
            Some((name, value)) => LabelFilter {
                name: name.to_owned(),
                value: Some(Glob::new(value)),
            },
            None => LabelFilter {
                name: text.to_owned(),
                value: None,
            },
        })
    }

    /// The number that an earlier page of a list out of the store gave as `next`.
    pub fn before(&self) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text("next") else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| not_a_next(text))
    }

    /// The names that an earlier page of a list of what is watched gave as `next`.
    pub fn after(&self) -> Result<Option<(Name, Name)>, Problem> {
        let Some(text) = self.text("next") else {
            return Ok(None);
        };
        let names = text
            .split_once('.')
            .and_then(|(host, service)| Some((from_hex(host)?, from_hex(service)?)));
        names
            .map(|(host, service)| Some((Name::new(&host), Name::new(&service))))
            .ok_or_else(|| not_a_next(text))
    }
}

/// What to give as `next` for the items behind these names.
pub fn next_after(host: &Name, service: &Name) -> String {
    format!("{}.{}", to_hex(host.key()), to_hex(service.key()))
}

/// A filter of one text field.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Everything.
    Any,
    /// Only what is null.
    Null,
    /// What looks like this.
    Like(Glob),
}

impl Pattern {
    /// Whether a field passes.
    pub fn takes(&self, text: Option<&str>) -> bool {
        match (self, text) {
            (Self::Any, _) | (Self::Null, None) => true,
            (Self::Null, Some(_)) | (Self::Like(_), None) => false,
            (Self::Like(glob), Some(text)) => glob.matches(text),
        }
    }

    /// The one name that can pass, where there is only one.
    pub fn only_name(&self) -> Option<Name> {
        match self {
            Self::Like(glob) if !Glob::is_pattern(glob.as_str()) => Some(Name::new(glob.as_str())),
            Self::Any | Self::Null | Self::Like(_) => None,
        }
    }
}

/// A filter of one field that holds a word of a closed list, or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<T> {
    /// Everything.
    Any,
    /// Only what is null.
    Null,
    /// Only this word.
    Is(T),
}

impl<T: Copy + PartialEq> Word<T> {
    /// Whether a field passes.
    pub fn takes(self, word: Option<T>) -> bool {
        match self {
            Self::Any => true,
            Self::Null => word.is_none(),
            Self::Is(wanted) => word == Some(wanted),
        }
    }
}

/// A filter of labels.
#[derive(Debug, Clone)]
pub struct LabelFilter {
    name: String,
    value: Option<Glob>,
}

impl LabelFilter {
    /// Whether these labels pass.
    pub fn takes(&self, labels: &[(String, String)]) -> bool {
        labels.iter().any(|(name, value)| {
            *name == self.name && self.value.as_ref().is_none_or(|glob| glob.matches(value))
        })
    }
}

/// A text that somebody sent, short and in quotation marks.
pub fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

fn not_a_next(text: &str) -> Problem {
    Problem::bad_request(format!(
        "{} is no value of next; give the one from the answer before, or none to begin.",
        quoted(text)
    ))
}

fn to_hex(text: &str) -> String {
    let mut hex = String::with_capacity(text.len().saturating_mul(2));
    for byte in text.bytes() {
        for nibble in [byte >> 4, byte & 0x0f] {
            hex.extend(char::from_digit(u32::from(nibble), 16));
        }
    }
    hex
}

fn from_hex(hex: &str) -> Option<String> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let bytes: Option<Vec<u8>> = digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some((high << 4) | low),
            _ => None,
        })
        .collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &[(&str, &str)]) -> Result<Parameters, Problem> {
        let pairs = text
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Parameters::new(pairs.collect(), &["host", "fault", "labels"])
    }

    #[test]
    fn a_filter_that_does_not_exist_is_an_error_that_names_those_that_do() {
        let problem = parameters(&[("hots", "a")]).unwrap_err();
        assert_eq!(
            problem.detail,
            "There is no filter \"hots\"; use host, fault, labels, limit or next."
        );
        let pairs = vec![("limit".to_owned(), "5".to_owned())];
        let problem = Parameters::of_one(pairs, &["host", "service"]).unwrap_err();
        assert_eq!(
            problem.detail,
            "There is no parameter \"limit\"; use host or service."
        );
        let twice = parameters(&[("host", "a"), ("host", "b")]).unwrap_err();
        assert!(twice.detail.contains("twice"), "{twice}");
        let long = "x".repeat(600);
        assert!(
            parameters(&[("host", &long)])
                .unwrap_err()
                .detail
                .contains("too long")
        );
    }

    #[test]
    fn limits_are_numbers_within_bounds() {
        let limit = |text: &str| parameters(&[("limit", text)]).unwrap().limit(LIMIT_MAX);
        assert_eq!(parameters(&[]).unwrap().limit(LIMIT_MAX), Ok(100));
        assert_eq!(limit("1000"), Ok(1_000));
        for bad in ["0", "1001", "-1", "ten", ""] {
            assert!(
                limit(bad).unwrap_err().detail.contains("1 to 1000"),
                "{bad}"
            );
        }
    }

    #[test]
    fn next_goes_there_and_back_for_any_name() {
        for (host, service) in [("srv01", "MSSQL$PROD"), ("a\"b\\c\nd", "Ærø 😀"), ("h", "")] {
            let next = next_after(&host.into(), &service.into());
            let after = parameters(&[("next", &next)])
                .unwrap()
                .after()
                .unwrap()
                .unwrap();
            assert_eq!(after, (host.into(), service.into()));
        }
        for bad in ["", "zz.00", "abc.00", "00", "ff.00", "0a"] {
            assert!(
                parameters(&[("next", bad)]).unwrap().after().is_err(),
                "{bad}"
            );
        }
        assert!(parameters(&[("next", "12x")]).unwrap().before().is_err());
        assert_eq!(
            parameters(&[("next", "12")]).unwrap().before(),
            Ok(Some(12))
        );
    }

    #[test]
    fn patterns_have_no_case_and_null_is_a_word() {
        let pattern = |text: &str| parameters(&[("host", text)]).unwrap().pattern("host");
        assert!(pattern("WEB-*").takes(Some("web-1")));
        assert!(!pattern("web-*").takes(None) && !pattern("*").takes(None));
        assert!(pattern("null").takes(None) && !pattern("null").takes(Some("x")));
        assert!(parameters(&[]).unwrap().pattern("host").takes(None));
        assert_eq!(pattern("Web-1").only_name(), Some("web-1".into()));
        assert_eq!(pattern("web-?").only_name(), None);
    }

    #[test]
    fn labels_are_filtered_by_name_and_value() {
        let labels = [("team".to_owned(), "db".to_owned())];
        let takes = |text: &str| {
            parameters(&[("labels", text)])
                .unwrap()
                .label()
                .unwrap()
                .takes(&labels)
        };
        assert!(takes("team") && takes("team=DB") && takes("team=d*"));
        assert!(!takes("team=web") && !takes("tier"));
    }
}
