//! The forms that texts of a config take: names, addresses, patterns and the like.

use std::net::{IpAddr, SocketAddr};

use svcwatch_core::glob::Glob;

use super::budget::budget;
use super::near::nearest;
use super::problem::{listed, quoted};
use super::wire;
use crate::dest::mailbox::mailbox;

/// The form of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Any text without control characters, at most so many characters.
    Line(usize),
    /// A name that is somebody's identity: no blanks at its ends, nothing that a pattern would need.
    Name,
    /// The key name of a service, or a pattern for key names.
    ServiceName,
    /// A pattern with `*` and `?`.
    Pattern,
    /// A pattern that must match one of these words.
    PatternOf(fn() -> Vec<&'static str>),
    /// A host name or an IP address, without a port.
    Address,
    /// An IP address with a port.
    Listen,
    /// An address on the web: http or https.
    Url,
    /// An address on the web that may hold a user, a password or a token, and so is shown nowhere.
    SecretUrl,
    /// Where a link leads: any address with a scheme.
    Link,
    /// Any text, lines and all, at most so many characters.
    Text(usize),
    /// A mail address, with or without a name before it.
    Mail,
    /// The beginning of a topic of MQTT, or nothing.
    Topic,
    /// The path of a file.
    Path,
    /// The name of an environment variable.
    Variable,
    /// The name of an HTTP header.
    Header,
    /// A password or token.
    Secret,
    /// So many within so long.
    Budget,
}

/// What is wrong with a text, and what to write instead.
pub(crate) type Fault = (String, String);

pub(super) fn fault<T>(what: impl Into<String>, instead: impl Into<String>) -> Result<T, Fault> {
    Err((what.into(), instead.into()))
}

impl Form {
    /// What to write, for people.
    pub(crate) fn wanted(self) -> String {
        match self {
            Self::Line(_) | Self::Text(_) | Self::Secret => "a text".into(),
            Self::Name => "a name".into(),
            Self::ServiceName => "the key name of a service, or a pattern such as `MSSQL$*`".into(),
            Self::Pattern => "a text or a pattern with `*` and `?`".into(),
            Self::PatternOf(words) => listed(words()),
            Self::Address => "a host name or an IP address".into(),
            Self::Listen => "an address with a port such as `127.0.0.1:7467`".into(),
            Self::Url | Self::SecretUrl => "an address such as `https://chat.example/in`".into(),
            Self::Link => "an address such as `https://wiki.example/runbook`".into(),
            Self::Mail => "a mail address such as `ops@corp.example`".into(),
            Self::Topic => "a topic such as `svcwatch/status`".into(),
            Self::Path => "the path of a file".into(),
            Self::Variable => "the name of an environment variable".into(),
            Self::Header => "the name of a header".into(),
            Self::Budget => "a number and a time such as `3/h` or `5/10m`".into(),
        }
    }

    /// Checks a text.
    pub(crate) fn check(self, text: &str) -> Result<(), Fault> {
        let (least, most) = self.length();
        let length = text.chars().count();
        if length < least {
            return fault("the text is empty", format!("write {}", self.wanted()));
        }
        if length > most {
            return fault(
                format!("the text has {length} characters and may have {most}"),
                "shorten it",
            );
        }
        let lines = matches!(self, Self::Text(_));
        let allowed = |character: char| lines && matches!(character, '\n' | '\r' | '\t');
        let mut controls = text.chars().filter(|character| character.is_control());
        if let Some(control) = controls.find(|character| !allowed(*character)) {
            return fault(
                format!(
                    "the text holds the control character {}",
                    control.escape_default()
                ),
                "remove it; in double quotes a `\\` begins an escape, in single quotes it is only itself",
            );
        }
        match self {
            Self::Line(_) | Self::Text(_) | Self::Path | Self::Secret => Ok(()),
            Self::Name => name(text),
            Self::ServiceName => service_name(text),
            Self::Pattern => pattern(text),
            Self::PatternOf(words) => pattern(text).and_then(|()| word(text, &words())),
            Self::Address => address(text),
            Self::Listen => listen(text).map(|_| ()),
            Self::Url => url(text).and_then(|url| without_login(&url)),
            Self::SecretUrl => url(text).map(|_| ()),
            Self::Link => link(text),
            Self::Mail => mail(text),
            Self::Topic => wire::topic(text),
            Self::Variable => variable(text),
            Self::Header => wire::header(text),
            Self::Budget => budget(text).map(|_| ()),
        }
    }

    /// The least and the greatest number of characters.
    pub(crate) fn length(self) -> (usize, usize) {
        match self {
            Self::Line(most) | Self::Text(most) => (1, most),
            Self::Name | Self::Variable | Self::Header => (1, 128),
            // MS-SCMR 3.1.4.12: a service name has at most 256 characters; a display name too.
            Self::ServiceName | Self::Pattern | Self::PatternOf(_) => (1, 256),
            Self::Address => (1, 253),
            Self::Listen | Self::Budget => (1, 64),
            Self::Url | Self::SecretUrl | Self::Link => (1, 2_048),
            Self::Topic => (0, 1_024),
            Self::Mail => (1, 320),
            Self::Path | Self::Secret => (1, 4_096),
        }
    }
}

fn name(text: &str) -> Result<(), Fault> {
    if text.trim() != text {
        return fault(
            format!("the name {} begins or ends with a blank", quoted(text)),
            "remove the blank",
        );
    }
    if Glob::is_pattern(text) {
        return fault(
            format!(
                "the name {} holds `*` or `?`, which belong to patterns",
                quoted(text)
            ),
            "write one name; `groups` take patterns of hosts",
        );
    }
    Ok(())
}

fn service_name(text: &str) -> Result<(), Fault> {
    pattern(text)?;
    // MS-SCMR 3.1.4.12: neither of the slashes is allowed in a service name.
    if text.contains(['/', '\\']) {
        return fault(
            format!(
                "no service's key name holds a slash, as {} does",
                quoted(text)
            ),
            "write the key name, as `svcwatch services HOST` shows it",
        );
    }
    Ok(())
}

fn pattern(text: &str) -> Result<(), Fault> {
    if text.trim() != text {
        return fault(
            format!("{} begins or ends with a blank", quoted(text)),
            "remove the blank",
        );
    }
    if text.matches('*').count() > 16 {
        return fault("a pattern may hold 16 stars", "write several patterns");
    }
    Ok(())
}

fn word(text: &str, words: &[&'static str]) -> Result<(), Fault> {
    let glob = Glob::new(text);
    if words.iter().any(|word| glob.matches(word)) {
        return Ok(());
    }
    let what = format!("{} is none of the words here", quoted(text));
    match nearest(text, words.iter().copied()) {
        Some(near) => fault(what, format!("did you mean `{near}`?")),
        None => fault(what, format!("write {}", listed(words.iter().copied()))),
    }
}

/// Whether a text is a host name or an IP address without a port.
pub(crate) fn address(text: &str) -> Result<(), Fault> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if text.contains("://") {
        return fault(
            format!("{} is a web address", quoted(text)),
            "write only the host name or IP address",
        );
    }
    if text.starts_with('[') || text.parse::<SocketAddr>().is_ok() {
        return fault(
            format!("{} is more than an address", quoted(text)),
            "write the address without brackets, and the port as `port:`",
        );
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return fault(
            format!("{} holds a port", quoted(text)),
            format!("write `address: {host}` and `port: {port}`"),
        );
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character.is_alphanumeric() || matches!(character, '-' | '_'))
    };
    if !text.strip_suffix('.').unwrap_or(text).split('.').all(label) {
        return fault(
            format!("{} is neither a host name nor an IP address", quoted(text)),
            "write one such as `srv01.corp.example` or `10.0.0.7`",
        );
    }
    if text
        .chars()
        .all(|character| character.is_ascii_digit() || character == '.')
    {
        return fault(
            format!("{} is no IP address", quoted(text)),
            "write four numbers from 0 to 255, as `10.0.0.7`",
        );
    }
    Ok(())
}

/// An IP address with a port.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let what = format!("{} is no IP address with a port", quoted(text));
    match text
        .strip_prefix("localhost:")
        .or_else(|| text.strip_prefix(':'))
        .unwrap_or(text)
        .parse::<u16>()
    {
        Ok(port) => fault(what, format!("write `127.0.0.1:{port}`")),
        Err(_) if text.parse::<IpAddr>().is_ok() => {
            fault(what, format!("write `{}:7467`", bracketed(text)))
        }
        Err(_) => fault(what, "write one such as `127.0.0.1:7467`"),
    }
}

fn bracketed(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

fn url(text: &str) -> Result<reqwest::Url, Fault> {
    let Ok(url) = reqwest::Url::parse(text) else {
        return fault(
            "this is no web address",
            "write one such as `https://chat.example/in`",
        );
    };
    if !matches!(url.scheme(), "http" | "https") {
        return fault(
            format!("the address begins with `{}:`", url.scheme()),
            "only http:// and https:// are spoken",
        );
    }
    if url.host_str().is_none_or(str::is_empty) {
        return fault(
            "the address names no host",
            "write one such as `https://chat.example/in`",
        );
    }
    if url.fragment().is_some() {
        return fault(
            "the address has a part after `#`, which is never sent",
            "remove it",
        );
    }
    Ok(url)
}

fn without_login(url: &reqwest::Url) -> Result<(), Fault> {
    if !url.username().is_empty() || url.password().is_some() {
        return fault(
            "the address holds a user name or a password",
            "remove it from the address and send it as a header whose value is { file: … } or { env: … }",
        );
    }
    Ok(())
}

fn link(text: &str) -> Result<(), Fault> {
    let good = reqwest::Url::parse(text)
        .is_ok_and(|url| !matches!(url.scheme(), "javascript" | "data" | "vbscript"));
    if good {
        Ok(())
    } else {
        fault(
            "this is no address that a link may lead to",
            "write one such as `https://wiki.example/runbook`",
        )
    }
}

fn mail(text: &str) -> Result<(), Fault> {
    match mailbox(text) {
        Ok(_) => Ok(()),
        Err(_) => fault(
            format!("{} is no mail address", quoted(text)),
            "write one such as `ops@corp.example` or `Monitor <monitor@corp.example>`",
        ),
    }
}

fn variable(text: &str) -> Result<(), Fault> {
    let good = !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_');
    if good {
        Ok(())
    } else {
        fault(
            format!("{} is no name of an environment variable", quoted(text)),
            "write letters, digits and `_` only, without `$`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_names_or_numbers_without_a_port() {
        for good in [
            "srv01",
            "srv01.corp.example",
            "srv01.corp.example.",
            "10.0.0.7",
            "fe80::1",
            "my_host",
            "åse",
        ] {
            assert_eq!(address(good), Ok(()), "{good}");
        }
        for bad in [
            "srv01:4490",
            "[::1]:445",
            "[::1]",
            "http://srv01",
            "a b",
            "-a",
            "a..b",
            "10.0.0.256",
            "10.0.0",
            "a/b",
            "",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
        let told = address("srv01:4490").map_err(|(_, instead)| instead);
        assert_eq!(
            told,
            Err("write `address: srv01` and `port: 4490`".to_owned())
        );
    }

    #[test]
    fn web_addresses_are_http_without_a_login() {
        assert!(Form::Url.check("https://chat.corp.example/in?x=1").is_ok());
        assert!(Form::Url.check("http://[::1]:8080/").is_ok());
        for bad in [
            "chat.corp.example",
            "ftp://x/",
            "https://",
            "https://u:p@x/",
            "file:///etc/passwd",
            "https://a b/",
        ] {
            assert!(Form::Url.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_that_is_secret_may_hold_a_login() {
        assert!(
            Form::SecretUrl
                .check("https://u:p@chat.example/in?token=x")
                .is_ok()
        );
        assert!(Form::SecretUrl.check("ftp://x/").is_err());
        assert!(Form::Link.check("mailto:ops@corp.example").is_ok());
        for bad in ["javascript:alert(1)", "data:text/html,x", "wiki"] {
            assert!(Form::Link.check(bad).is_err(), "{bad}");
        }
        assert!(Form::Text(10).check("a\nb\tc").is_ok());
        assert!(Form::Text(10).check("a\0b").is_err() && Form::Text(2).check("abc").is_err());
    }

    #[test]
    fn no_complaint_about_a_web_address_repeats_its_password() {
        let (what, instead) = Form::Url
            .check("https://u:hunter2@x/")
            .expect_err("a login is refused");
        assert!(!what.contains("hunter2") && !instead.contains("hunter2"));
    }

    #[test]
    fn listening_needs_an_address_and_a_port() {
        assert!(listen("127.0.0.1:7467").is_ok() && listen("[::1]:0").is_ok());
        assert_eq!(
            listen("7467").map_err(|(_, instead)| instead),
            Err("write `127.0.0.1:7467`".into())
        );
        assert_eq!(
            listen(":80").map_err(|(_, instead)| instead),
            Err("write `127.0.0.1:80`".into())
        );
        assert_eq!(
            listen("::1").map_err(|(_, instead)| instead),
            Err("write `[::1]:7467`".into())
        );
        assert!(listen("nonsense").is_err());
    }

    #[test]
    fn mail_addresses_may_bear_a_name() {
        for good in [
            "ops@corp.example",
            "Monitor <monitor@corp.example>",
            "Monitor (no-reply) <monitor-noreply@corp.example>",
            "\"Monitor, Oslo\" <monitor@corp.example>",
            "<ops@corp.example>",
        ] {
            assert!(Form::Mail.check(good).is_ok(), "{good}");
        }
        for bad in ["ops", "ops@", "@corp", "a@b\nBcc: c@d", ""] {
            assert!(Form::Mail.check(bad).is_err(), "{bad}");
        }
    }
}
