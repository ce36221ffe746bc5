//! Takes secrets out of what a destination answered: servers like to repeat what they were asked.

use crate::dest::clean;
use svcwatch_core::limits;

/// What stands in place of a secret.
const MASK: &str = "********";
/// Parts of a path shorter than this are words of an API, not tokens.
const TOKEN_MIN: usize = 8;

/// The secrets of one destination, in every form in which they may come back.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that holds another one is masked as a whole.
    needles: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Redactor")
            .field("secrets", &self.needles.len())
            .finish()
    }
}

impl Redactor {
    /// Adds a secret in all its forms: as it is, percent-decoded, escaped for JSON and for HTML, and in base64.
    pub fn add(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let decoded = percent_decode(secret);
        for form in [secret, decoded.as_str()] {
            self.push(form.to_owned());
            self.push(clean::html(form));
            self.push(json_inside(form));
            self.push(base64(form.as_bytes()));
        }
        self.needles
            .sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        self.needles.dedup();
    }

    /// Adds what a URL may hide: all of its path and query, each long part of them, and its user and password.
    pub fn add_url(&mut self, url: &reqwest::Url) {
        if url.path().len() > 1 {
            self.add(url.path());
        }
        for part in url.path().split('/').filter(|part| part.len() >= TOKEN_MIN) {
            self.add(part);
        }
        if let Some(query) = url.query() {
            self.add(query);
            for (_, value) in url.query_pairs().filter(|(_, value)| value.len() >= 3) {
                self.add(&value);
            }
            for value in query.split('&').filter_map(|pair| pair.split_once('=')) {
                if value.1.len() >= 3 {
                    self.add(value.1);
                }
            }
        }
        if let Some(password) = url.password() {
            self.add_logon(&percent_decode(url.username()), &percent_decode(password));
        } else {
            self.add(url.username());
        }
    }

    /// Adds a user and password, and the forms in which HTTP (RFC 7617) and SMTP (RFC 4616) send both together.
    pub fn add_logon(&mut self, user: &str, password: &str) {
        self.add(user);
        self.add(password);
        self.add(&format!("{user}:{password}"));
        self.add(&format!("\0{user}\0{password}"));
    }

    /// Adds the value of a header, and what follows its scheme (`Bearer …`).
    pub fn add_header(&mut self, value: &str) {
        self.add(value);
        if let Some((_, rest)) = value.split_once(' ') {
            self.add(rest.trim());
        }
    }

    /// The text with every secret masked.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for needle in &self.needles {
            if clean.contains(needle.as_str()) {
                clean = clean.replace(needle.as_str(), MASK);
            }
        }
        clean
    }

    /// An answer as it is kept: without secrets, on one line, shortened.
    pub fn answer(&self, text: &str) -> String {
        clean::line(&self.redact(text), limits::ANSWER_CHARACTERS_MAX)
    }

    fn push(&mut self, form: String) {
        if !form.is_empty() && !MASK.contains(form.as_str()) {
            self.needles.push(form);
        }
    }
}

/// The text inside the quotes of its JSON form.
fn json_inside(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default()
        .to_owned()
}

/// The text with `%XX` taken for the byte XX (RFC 3986 2.1); other percent signs stay.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, hex(after.first()), hex(after.get(1))) {
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Base64 with padding (RFC 4648 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, place| {
            word << 8 | usize::from(chunk.get(place).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let digit = ALPHABET
                .get(word >> (18 - 6 * place) & 0x3f)
                .copied()
                .unwrap_or(b'=');
            text.push(if place <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let mut redactor = Redactor::default();
        redactor.add("ca\"na&ry%21");
        redactor.add_logon("monitor", "opensesame");
        let text = "ca\"na&ry%21 | ca\"na&ry! | ca\\\"na&ry! | ca&quot;na&amp;ry! | bW9uaXRvcjpvcGVuc2VzYW1l | AG1vbml0b3IAb3BlbnNlc2FtZQ==";
        assert_eq!(
            redactor.redact(text),
            "******** | ******** | ******** | ******** | ******** | ********"
        );
        assert_eq!(format!("{redactor:?}").matches("canary").count(), 0);
    }

    #[test]
    fn a_url_hides_its_path_query_and_user() {
        let mut redactor = Redactor::default();
        let url = "https://me:pa%20ss@chat.example/services/T0000TOKEN/in?key=abc%2Fdef";
        redactor.add_url(&reqwest::Url::parse(url).expect("a URL"));
        let answer = redactor.answer(
            "Cannot POST /services/T0000TOKEN/in?key=abc%2Fdef for me:pa ss; T0000TOKEN abc/def",
        );
        assert_eq!(
            answer,
            "Cannot POST ********?******** for ********; ******** ********"
        );
    }

    #[test]
    fn base64_has_its_padding() {
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }
}
