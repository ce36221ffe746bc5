//! What a broker answered, and what that means.

use super::Version;
use crate::dest::{judge::Judgement, redact::Redactor};
use svcwatch_core::event::Verdict;

/// How publishing a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The broker has it: in words.
    Acknowledged(String),
    /// The broker refuses it, or us.
    Refused {
        /// What it refuses, and with which code.
        code: Code,
        /// Its own words, which only MQTT 5 has.
        text: Option<String>,
    },
    /// It cannot be sent, and no later try changes that: in words.
    Impossible(String),
    /// There was no answer: why, in words.
    Failed(String),
}

/// A code with which a broker refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It does not let us in (MQTT 3.1.1 3.2.2.3, MQTT 5 3.2.2.2).
    Connect(Version, u8),
    /// It does not take a message (MQTT 5 3.4.2.1).
    Publish(u8),
    /// It ends the connection (MQTT 5 3.14.2.1).
    Disconnect(u8),
}

impl Code {
    /// What the broker means, for people.
    pub fn in_words(self, text: Option<&str>) -> String {
        let (what, code, meaning) = match self {
            Self::Connect(Version::V4, code) => ("does not let us in", code, connect_3(code)),
            Self::Connect(Version::V5, code) => ("does not let us in", code, reason(code)),
            Self::Publish(code) => ("refuses the message", code, reason(code)),
            Self::Disconnect(code) => ("ends the connection", code, reason(code)),
        };
        let said = text.map_or_else(String::new, |text| format!(": {text}"));
        format!("the broker {what}: {meaning} (code {code}){said}")
    }

    /// Whether no later try can change it.
    const fn is_for_good(self) -> bool {
        match self {
            // Protocol version, client id, user or password, rights.
            Self::Connect(Version::V4, code) => matches!(code, 1 | 2 | 4 | 5),
            Self::Connect(Version::V5, code) => {
                matches!(
                    code,
                    0x81 | 0x82 | 0x84 | 0x85 | 0x86 | 0x87 | 0x8a | 0x8c | 0x9d
                )
            }
            // Rights, topic, packet too large, content.
            Self::Publish(code) => matches!(code, 0x87 | 0x90 | 0x95 | 0x99),
            Self::Disconnect(_) => false,
        }
    }
}

const fn connect_3(code: u8) -> &'static str {
    match code {
        1 => "it does not speak this version; write version: 5",
        2 => "it does not allow the client id",
        3 => "it is not available now",
        4 => "the user name or password is wrong",
        5 => "we are not authorized",
        _ => "for a reason that the standard does not know",
    }
}

const fn reason(code: u8) -> &'static str {
    match code {
        0x00 => "normally",
        0x81 | 0x82 => "it takes what we say for no MQTT",
        0x84 => "it does not speak this version; write version: 4",
        0x85 => "it does not allow the client id",
        0x86 => "the user name or password is wrong",
        0x87 => "we are not authorized",
        0x88 | 0x89 => "it is not available now",
        0x8a => "we are banned",
        0x8b => "it is shutting down",
        0x8c => "it wants another kind of logon",
        0x8d => "it heard nothing from us for too long",
        0x8e => {
            "another client came with our client id; write a client_id of its own for each svcwatch"
        }
        0x90 => "it does not allow the topic",
        0x93 | 0x96 => "it gets too much at once",
        0x95 => "the packet is too large for it",
        0x97 => "a quota is used up",
        0x98 => "somebody ordered it to",
        0x99 => "it does not take the content",
        0x9a => "it keeps no messages; write retain_status: false",
        0x9b => "it acknowledges no messages; write qos: 0",
        0x9c | 0x9d => "another server is to be used",
        0x9f => "there are too many connections at once",
        _ => "for a reason that it does not tell",
    }
}

/// What a reply means.
pub fn judge(reply: &Reply, redactor: &Redactor) -> Judgement {
    match reply {
        Reply::Acknowledged(text) => Judgement {
            verdict: Verdict::Delivered,
            answer: redactor.answer(text),
        },
        Reply::Refused { code, text } => {
            let answer = redactor.answer(&code.in_words(text.as_deref()));
            if code.is_for_good() {
                Judgement::rejected(answer)
            } else {
                Judgement::retry(answer)
            }
        }
        Reply::Impossible(text) => Judgement::rejected(redactor.answer(text)),
        Reply::Failed(text) => Judgement::retry(redactor.answer(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(code: Code) -> &'static str {
        let reply = Reply::Refused { code, text: None };
        judge(&reply, &Redactor::default()).verdict.as_str()
    }

    #[test]
    fn a_broker_refuses_for_now_or_for_good() {
        for (code, expected) in [
            (Code::Connect(Version::V4, 3), "retry"),
            (Code::Connect(Version::V4, 4), "rejected"),
            (Code::Connect(Version::V4, 5), "rejected"),
            (Code::Connect(Version::V4, 200), "retry"),
            (Code::Connect(Version::V5, 0x86), "rejected"),
            (Code::Connect(Version::V5, 0x89), "retry"),
            (Code::Publish(0x87), "rejected"),
            (Code::Publish(0x97), "retry"),
            (Code::Disconnect(0x8b), "retry"),
        ] {
            assert_eq!(verdict(code), expected, "{code:?}");
        }
    }

    #[test]
    fn what_a_broker_says_is_told_without_secrets() {
        let mut redactor = Redactor::default();
        redactor.add("canary");
        let reply = Reply::Refused {
            code: Code::Connect(Version::V5, 0x86),
            text: Some("no user\r\nhas canary".to_owned()),
        };
        assert_eq!(
            judge(&reply, &redactor).answer,
            "the broker does not let us in: the user name or password is wrong (code 134): no user has ********"
        );
    }
}
