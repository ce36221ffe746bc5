//! What a reply means: delivered, not now, or never. Pure, so that every answer a server can give stands in a table.

use crate::dest::{redact::Redactor, webhook};
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{StatusCode, Url};
use std::time::Duration;
use svcwatch_core::{
    event::Verdict,
    limits,
    time::{Span, Wall},
};

/// What a transport judged and what is kept of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Delivered, not now, or never.
    pub verdict: Verdict,
    /// What the destination answered: on one line, shortened, without secrets.
    pub answer: String,
}

impl Judgement {
    /// Not now, for a reason that is the answer too.
    pub fn retry(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            verdict: Verdict::Retry {
                after: None,
                reason: reason.clone(),
            },
            answer: reason,
        }
    }

    /// Never, for a reason that is the answer too.
    pub fn rejected(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            verdict: Verdict::Rejected {
                reason: reason.clone(),
            },
            answer: reason,
        }
    }
}

/// How an HTTP request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpReply {
    /// The server answered.
    Answer {
        /// The status code.
        status: u16,
        /// The header `Retry-After`.
        retry_after: Option<String>,
        /// The header `Location`.
        location: Option<String>,
        /// The beginning of the body, at most [`crate::transport::http::BODY_BYTES_MAX`] bytes.
        body: Vec<u8>,
    },
    /// There was no answer: why, in words. It may still hold secrets.
    Failed(String),
}

/// How far the talk with a mail server came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpStage {
    /// Finding and reaching it.
    Connect,
    /// Its greeting and what it can do.
    Greeting,
    /// Encryption.
    Tls,
    /// User and password.
    Logon,
    /// The sender.
    Sender,
    /// The recipient.
    Recipient,
    /// The message itself.
    Message,
}

impl SmtpStage {
    /// The stage in words, after "at".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "the connection",
            Self::Greeting => "the greeting",
            Self::Tls => "the encryption",
            Self::Logon => "the logon",
            Self::Sender => "the sender",
            Self::Recipient => "the recipient",
            Self::Message => "the message",
        }
    }
}

/// How the talk with a mail server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmtpReply {
    /// It took the message.
    Accepted {
        /// What it said.
        text: String,
    },
    /// It refused (RFC 5321 4.2.1: 4xx for now, 5xx for good).
    Refused {
        /// What it refused.
        stage: SmtpStage,
        /// Its code.
        code: u16,
        /// What it said.
        text: String,
    },
    /// It lacks what the settings ask for, and no later try changes that.
    Impossible {
        /// At what.
        stage: SmtpStage,
        /// What it lacks and what to do.
        text: String,
    },
    /// The talk broke off, or nobody answered.
    Failed {
        /// At what.
        stage: SmtpStage,
        /// Why, in words.
        text: String,
    },
}

/// How writing a line ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileReply {
    /// It is written.
    Written,
    /// It is not: why, in words.
    Failed(String),
}

/// What an HTTP reply means.
pub fn http(reply: &HttpReply, now: Wall, redactor: &Redactor) -> Judgement {
    let (status, retry_after, location, body) = match reply {
        HttpReply::Failed(error) => return Judgement::retry(redactor.answer(error)),
        HttpReply::Answer {
            status,
            retry_after,
            location,
            body,
        } => (*status, retry_after.as_deref(), location.as_deref(), body),
    };
    let said = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .map_or_else(
            || format!("HTTP {status}"),
            |words| format!("HTTP {status} {words}"),
        );
    let text = String::from_utf8_lossy(body);
    let answer = if text.trim().is_empty() {
        said.clone()
    } else {
        redactor.answer(&format!("{said}: {text}"))
    };
    let verdict = match status {
        200..=299 => Verdict::Delivered,
        300..=399 => Verdict::Rejected {
            reason: redactor.answer(&redirected(&said, location)),
        },
        408 | 409 | 421 | 423 | 425 | 429 | 500..=599 => Verdict::Retry {
            after: retry_after.and_then(|value| wait(value, now)),
            reason: said,
        },
        400..=499 => Verdict::Rejected { reason: said },
        _ => Verdict::Retry {
            after: None,
            reason: format!("{said}, which is no status of HTTP"),
        },
    };
    Judgement { verdict, answer }
}

/// The sentence for a redirect, which is never followed: it could lead a signed message anywhere.
fn redirected(said: &str, location: Option<&str>) -> String {
    let place = location
        .and_then(|location| Url::parse(location).ok())
        .map(|url| format!("{}{}", webhook::place(&url), url.path()));
    match place {
        Some(place) => {
            format!("{said} to {place}; redirects are not followed, so write the new url")
        }
        None => format!("{said}; redirects are not followed, so write the url that answers itself"),
    }
}

/// The time that `Retry-After` asks for (RFC 9110 10.2.3): seconds, or a date. Clamped to what is sensible; none
/// where it is neither.
fn wait(value: &str, now: Wall) -> Option<Span> {
    let value = value.trim();
    let span = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Span::seconds(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = DateTimeParser::new().parse_timestamp(value).ok()?;
        Wall(date.as_millisecond()).since(now)
    };
    Some(span.clamp(limits::RETRY_AFTER_MIN, limits::RETRY_AFTER_MAX))
}

/// What the answer of a mail server means for the one recipient of its message.
pub fn smtp(reply: &SmtpReply, redactor: &Redactor) -> Judgement {
    match reply {
        SmtpReply::Accepted { text } => Judgement {
            verdict: Verdict::Delivered,
            answer: redactor.answer(text),
        },
        SmtpReply::Refused { stage, code, text } => {
            let answer = redactor.answer(&format!("{code} {text} (at {})", stage.as_str()));
            if (500..=599).contains(code) {
                Judgement::rejected(answer)
            } else {
                Judgement::retry(answer)
            }
        }
        SmtpReply::Impossible { stage, text } => {
            Judgement::rejected(redactor.answer(&format!("{text} (at {})", stage.as_str())))
        }
        SmtpReply::Failed { stage, text } => {
            Judgement::retry(redactor.answer(&format!("{text} (at {})", stage.as_str())))
        }
    }
}

/// The sentence for a deadline that was reached.
pub fn too_late(timeout: Duration) -> String {
    format!("no complete answer within {} s", timeout.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-03-13T12:05:00Z.
    const NOW: Wall = Wall(1_710_331_500_000);

    fn judged(status: u16, retry_after: Option<&str>) -> Verdict {
        let reply = HttpReply::Answer {
            status,
            retry_after: retry_after.map(str::to_owned),
            location: None,
            body: Vec::new(),
        };
        http(&reply, NOW, &Redactor::default()).verdict
    }

    #[test]
    fn statuses_are_sorted_into_yes_later_and_never() {
        for status in 100..1_000 {
            let expected = match status {
                200..=299 => "delivered",
                100..=199 | 408 | 409 | 421 | 423 | 425 | 429 | 500..=999 => "retry",
                _ => "rejected",
            };
            assert_eq!(judged(status, None).as_str(), expected, "{status}");
        }
    }

    #[test]
    fn retry_after_is_honoured_within_bounds() {
        let cases = [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("86400", Some(3_600)),
            ("99999999999999999999999999", Some(3_600)),
            ("Wed, 13 Mar 2024 12:06:30 GMT", Some(90)),
            ("Wed, 13 Mar 2024 11:00:00 GMT", Some(1)),
            ("Tue, 01 Jan 2999 00:00:00 GMT", Some(3_600)),
            ("-5", None),
            ("soon", None),
            ("", None),
            ("1e9", None),
        ];
        for (value, seconds) in cases {
            for status in [429, 503] {
                match judged(status, Some(value)) {
                    Verdict::Retry { after, .. } => {
                        assert_eq!(after, seconds.map(Span::seconds), "{value:?}");
                    }
                    other => panic!("{value:?}: {other:?}"),
                }
            }
        }
        assert_eq!(judged(200, Some("120")), Verdict::Delivered);
    }

    #[test]
    fn a_redirect_is_refused_and_its_place_named_without_query() {
        let reply = HttpReply::Answer {
            status: 302,
            retry_after: None,
            location: Some("http://me:pw@169.254.169.254/latest?token=canary#x".to_owned()),
            body: b"<html>moved".to_vec(),
        };
        let judgement = http(&reply, NOW, &Redactor::default());
        assert_eq!(
            judgement.verdict,
            Verdict::Rejected {
                reason: "HTTP 302 Found to http://169.254.169.254/latest; redirects are not followed, so write the new url".to_owned()
            }
        );
        assert_eq!(judgement.answer, "HTTP 302 Found: <html>moved");
    }

    #[test]
    fn an_answer_is_one_short_line_without_secrets() {
        let mut redactor = Redactor::default();
        redactor.add("canary");
        let mut body = b"no such hook: canary\r\n\x1b[31m\xff".to_vec();
        body.extend(std::iter::repeat_n(b'x', 5_000));
        let reply = HttpReply::Answer {
            status: 404,
            retry_after: None,
            location: None,
            body,
        };
        let judgement = http(&reply, NOW, &redactor);
        assert!(
            judgement
                .answer
                .starts_with("HTTP 404 Not Found: no such hook: ******** \u{FFFD}[31m\u{FFFD}xx"),
            "{}",
            judgement.answer
        );
        assert!(judgement.answer.chars().count() <= limits::ANSWER_CHARACTERS_MAX + 1);
    }

    #[test]
    fn mail_servers_refuse_for_now_or_for_good() {
        let refused = |stage, code| {
            let reply = SmtpReply::Refused {
                stage,
                code,
                text: "because".to_owned(),
            };
            smtp(&reply, &Redactor::default()).verdict.as_str()
        };
        for stage in [
            SmtpStage::Greeting,
            SmtpStage::Tls,
            SmtpStage::Logon,
            SmtpStage::Sender,
            SmtpStage::Recipient,
            SmtpStage::Message,
        ] {
            for code in [421, 450, 451, 452, 454] {
                assert_eq!(refused(stage, code), "retry", "{stage:?} {code}");
            }
            for code in [500, 530, 535, 550, 552, 554] {
                assert_eq!(refused(stage, code), "rejected", "{stage:?} {code}");
            }
            assert_eq!(refused(stage, 299), "retry", "an answer out of place");
        }
        let failed = SmtpReply::Failed {
            stage: SmtpStage::Tls,
            text: "the certificate has expired".to_owned(),
        };
        assert_eq!(
            smtp(&failed, &Redactor::default()),
            Judgement::retry("the certificate has expired (at the encryption)")
        );
    }
}
