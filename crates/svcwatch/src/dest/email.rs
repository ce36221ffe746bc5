//! `type: email`: one message a notice and recipient, in HTML and in plain text.

use crate::{
    dest::{
        Context, Problem, TIMEOUT, clean, is_loopback,
        judge::{self, Judgement, SmtpReply},
        layout,
        mailbox::mailbox,
        payload::{Form, Outgoing},
        redact::Redactor,
        text,
        wording::{Drawn, Wording},
    },
    secret::Secret,
};
use lettre::{
    Message,
    message::{
        Body, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name},
    notice::{Kind, Notice, Severity},
    time::Wall,
};

/// Characters of a subject, at most.
const SUBJECT_CHARACTERS_MAX: usize = 200;
/// Recipients of one destination, at most.
const RECIPIENTS_MAX: usize = 100;
/// The last moment that a mail's date can name: the end of the year 9999, in seconds.
const DATE_MAX: u64 = 253_402_300_799;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Begins in the clear and must be encrypted before anything is said (RFC 3207).
    #[default]
    Starttls,
    /// Begins in the clear and is encrypted where the server offers it. Where it does not, nobody logs on.
    Preferred,
    /// Encrypted from the first byte (RFC 8314).
    Implicit,
    /// In the clear.
    Off,
}

impl Encryption {
    /// Every value, in the order in which the configuration names them.
    pub const ALL: &'static [Self] = &[Self::Starttls, Self::Preferred, Self::Implicit, Self::Off];

    /// Its word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Preferred => "preferred",
            Self::Implicit => "implicit",
            Self::Off => "off",
        }
    }

    /// The value of a word. (`false` means `off` too, which the configuration knows.)
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|value| value.as_str() == word)
    }
}

/// How loudly a mail asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Later is fine.
    Low,
    /// As other mail.
    Normal,
    /// At once.
    High,
}

impl Priority {
    /// Every value, in the order in which the configuration names them.
    pub const ALL: &'static [Self] = &[Self::Low, Self::Normal, Self::High];

    /// Its word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// The value of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|value| value.as_str() == word)
    }
}

/// The mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port; `None` for the usual one of the encryption: 587, 465 or 25.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    pub tls: Encryption,
    /// The user to log on as; none where the server asks for no logon.
    pub user: Option<Secret>,
    /// The password of the user.
    pub password: Option<Secret>,
    /// The name that its certificate must bear, where that is not `host`.
    pub server_name: Option<String>,
    /// Whether its certificate is checked.
    pub verify: bool,
}

impl Server {
    /// A server with the settings that are usual.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls: Encryption::default(),
            user: None,
            password: None,
            server_name: None,
            verify: true,
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Encryption::Starttls | Encryption::Preferred => 587,
            Encryption::Implicit => 465,
            Encryption::Off => 25,
        })
    }
}

/// The settings of an `email` destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The mail server.
    pub smtp: Server,
    /// Who the mail is from: `a@b.example` or `Name <a@b.example>`.
    pub from: String,
    /// Who gets it, each a message of its own.
    pub to: Vec<String>,
    /// How loudly it asks for attention; `None` for high where something critical is wrong, normal else.
    pub priority: Option<Priority>,
    /// What is other in mails that something is over.
    pub resolved: Resolved,
    /// Templates and links.
    pub wording: Wording,
    /// A file of certificates (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// What is other in mails that something is over; what is not set there is as in all others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// Who they are from.
    pub from: Option<String>,
    /// How loudly they ask for attention.
    pub priority: Option<Priority>,
}

/// What a message is made for.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The destination.
    pub destination: &'a Name,
    /// The delivery.
    pub key: &'a DeliveryKey,
    /// The recipient, as `to` names them.
    pub recipient: &'a str,
    /// Of a summary's lines, at most so many.
    pub lines: usize,
}

impl Settings {
    /// Mail from one to others through a server.
    pub fn new(smtp: Server, from: impl Into<String>, to: Vec<String>) -> Self {
        Self {
            smtp,
            from: from.into(),
            to,
            priority: None,
            resolved: Resolved::default(),
            wording: Wording::default(),
            ca: None,
            timeout: TIMEOUT,
        }
    }

    /// What is wrong with them.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let host = &self.smtp.host;
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') {
            problems.push(Problem::new(
                "smtp.host",
                "must be the name or address of a mail server; its port goes under smtp.port",
            ));
        }
        if self.smtp.port == Some(0) {
            problems.push(Problem::new("smtp.port", "must be between 1 and 65535"));
        }
        match (&self.smtp.user, &self.smtp.password) {
            (Some(_), None) => problems.push(Problem::new(
                "smtp.password",
                "is missing; smtp.user is there",
            )),
            (None, Some(_)) => problems.push(Problem::new(
                "smtp.user",
                "is missing; smtp.password is there",
            )),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Err(text) = mailbox(&self.from) {
            problems.push(Problem::new("from", text));
        }
        if let Some(Err(text)) = self.resolved.from.as_deref().map(mailbox) {
            problems.push(Problem::new("resolved.from", text));
        }
        if self.to.is_empty() {
            problems.push(Problem::new("to", "is empty; name at least one address"));
        }
        if self.to.len() > RECIPIENTS_MAX {
            let text = format!(
                "has {} addresses; {RECIPIENTS_MAX} are allowed",
                self.to.len()
            );
            problems.push(Problem::new("to", text));
        }
        for to in &self.to {
            if let Err(text) = mailbox(to) {
                problems.push(Problem::new("to", text));
            }
        }
        problems
    }

    /// What is allowed but worth a warning.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let clear = matches!(self.smtp.tls, Encryption::Off);
        if clear && self.smtp.user.is_some() && !is_loopback(&self.smtp.host) {
            problems.push(Problem::new(
                "smtp.tls",
                "is off, so others on the way can read the password; write starttls or implicit",
            ));
        }
        if !clear && !self.smtp.verify {
            problems.push(Problem::new(
                "smtp.verify",
                "is false, so anybody on the way can pretend to be the server and read the password; name its authority under ca instead",
            ));
        }
        problems
    }

    /// The mail of a notice: the same bytes each time.
    pub fn render(
        &self,
        letter: &Letter<'_>,
        notice: &Notice,
        context: &Context,
        drawn: &Drawn,
    ) -> Result<Outgoing, String> {
        let over = notice.kind == Kind::Resolved;
        let own = self.resolved.from.as_ref().filter(|_| over);
        let from = mailbox(own.unwrap_or(&self.from)).map_err(|text| format!("from {text}"))?;
        let to = mailbox(letter.recipient).map_err(|text| format!("to {text}"))?;
        let domain = from.email.domain().to_owned();
        let sender = from.email.to_string();
        let recipient = to.email.to_string();
        let mut builder = Message::builder()
            .from(from)
            .to(to)
            .subject(subject(notice, drawn))
            .date(date(notice.at))
            .message_id(Some(format!("<{}@{domain}>", letter.key)));
        if let Some(incident) = &notice.incident {
            // One name for the whole incident, so that it is one thread also for who missed its beginning, and the
            // message that opened it, which clients show as answered.
            let root = format!("<incident.{}@{domain}>", incident.id);
            match opening(letter, &incident.id) {
                Some(opening) if opening != *letter.key => {
                    let opening = format!("<{opening}@{domain}>");
                    builder = builder
                        .in_reply_to(opening.clone())
                        .references(format!("{root} {opening}"));
                }
                Some(_) | None => builder = builder.references(root),
            }
        }
        for (name, value) in self.marks(notice) {
            let name = HeaderName::new_from_ascii_str(name);
            builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
        }
        let page = layout::Page::new(notice, context, &self.wording.links, letter.lines);
        let html = drawn.message.as_ref().map(|filled| filled.text.clone());
        let parts = MultiPart::alternative()
            .boundary(format!("svcwatch-{}", letter.key))
            .singlepart(part(ContentType::TEXT_PLAIN, page.plain())?)
            .singlepart(part(
                ContentType::TEXT_HTML,
                html.unwrap_or_else(|| page.html()),
            )?);
        let message = builder
            .multipart(parts)
            .map_err(|error| format!("the mail cannot be made: {error}"))?;
        let mut outgoing = Outgoing::new(Form::Mail, message.formatted());
        outgoing.sender = Some(sender);
        outgoing.recipient = Some(recipient);
        Ok(outgoing)
    }

    /// What the server's answer means.
    pub fn judge(reply: &SmtpReply, redactor: &Redactor) -> Judgement {
        judge::smtp(reply, redactor)
    }

    /// The texts that must not be told.
    pub fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::default();
        if let Some(user) = &self.smtp.user {
            let password = self.smtp.password.as_ref().map_or("", Secret::reveal);
            redactor.add_logon(user.reveal(), password);
        }
        redactor
    }

    /// Headers that tell machines what kind of mail it is.
    fn marks(&self, notice: &Notice) -> Vec<(&'static str, &'static str)> {
        let mut marks = vec![
            // RFC 3834 5; the second is what Exchange heeds, so that nobody's absence answers us.
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
        ];
        let wrong = !matches!(notice.kind, Kind::Resolved | Kind::Info);
        let over = self
            .resolved
            .priority
            .filter(|_| notice.kind == Kind::Resolved);
        let priority = over.or(self.priority).unwrap_or(
            if wrong && matches!(notice.severity, Severity::Critical) {
                Priority::High
            } else {
                Priority::Normal
            },
        );
        // RFC 4021 2.1.54 Importance, and what the programs of Microsoft and others read.
        match priority {
            Priority::High => marks.extend([
                ("X-Priority", "1 (Highest)"),
                ("X-MSMail-Priority", "High"),
                ("Importance", "High"),
            ]),
            Priority::Normal => {}
            Priority::Low => marks.extend([
                ("X-Priority", "5 (Lowest)"),
                ("X-MSMail-Priority", "Low"),
                ("Importance", "Low"),
            ]),
        }
        marks
    }
}

/// The subject: what a template gave, else the built-in one.
fn subject(notice: &Notice, drawn: &Drawn) -> String {
    let built_in = || {
        format!(
            "[svcwatch] {} {}",
            text::urgency(notice),
            text::title(notice)
        )
    };
    let subject = drawn.subject.clone().unwrap_or_else(built_in);
    clean::line(&subject, SUBJECT_CHARACTERS_MAX)
}

/// The key of the message that opened an incident: core makes it from the sequence number in the incident's identity.
fn opening(letter: &Letter<'_>, incident: &IncidentId) -> Option<DeliveryKey> {
    let seq = incident.as_str().rsplit_once('-')?.1.parse().ok()?;
    let kind = Kind::Opened.as_str();
    Some(DeliveryKey::new(
        letter.destination,
        letter.recipient,
        incident.as_str(),
        kind,
        seq,
    ))
}

/// When it happened, within what a mail's date can say.
fn date(wall: Wall) -> SystemTime {
    let seconds = (wall.0.max(0).unsigned_abs() / 1_000).min(DATE_MAX);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A part of the mail, encoded so that every line is short and ASCII.
fn part(content_type: ContentType, text: String) -> Result<SinglePart, String> {
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| "the text cannot be encoded".to_owned())?;
    Ok(SinglePart::builder().content_type(content_type).body(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(
            Server::new("mail.example"),
            "svcwatch <svcwatch@corp.example>",
            vec!["ops@corp.example".to_owned()],
        )
    }

    #[test]
    fn good_settings_have_no_problem_and_no_warning() {
        assert!(settings().check().is_empty(), "{:?}", settings().check());
        assert!(settings().warnings().is_empty());
        assert_eq!(settings().smtp.port(), 587);
    }

    #[test]
    fn each_wrong_key_is_named() {
        let mut settings = settings();
        settings.smtp.host = "mail.example/x".to_owned();
        settings.smtp.port = Some(0);
        settings.smtp.user = Some(Secret::from("canary"));
        settings.from = "nobody".to_owned();
        settings.to = vec![
            "a@b.example\r\nBcc: x@y".to_owned(),
            "å@b.example".to_owned(),
        ];
        let problems = settings.check();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key).collect();
        assert_eq!(
            keys,
            [
                "smtp.host",
                "smtp.port",
                "smtp.password",
                "from",
                "to",
                "to"
            ]
        );
        assert!(!format!("{problems:?}{settings:?}").contains("canary"));
    }

    #[test]
    fn a_password_in_the_clear_and_a_certificate_unchecked_are_warned_of() {
        let mut settings = settings();
        settings.smtp.user = Some(Secret::from("u"));
        settings.smtp.password = Some(Secret::from("p"));
        settings.smtp.verify = false;
        assert_eq!(settings.warnings()[0].key, "smtp.verify");
        settings.smtp.tls = Encryption::Off;
        assert_eq!(settings.warnings()[0].key, "smtp.tls");
        assert_eq!(settings.smtp.port(), 25);
        settings.smtp.host = "127.0.0.1".to_owned();
        assert!(settings.warnings().is_empty());
    }
}
