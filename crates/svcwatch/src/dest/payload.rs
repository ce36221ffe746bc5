//! A rendered message as it is kept until it is delivered: all that must be the same in a repeat, and no secret.
//!
//! It is one line of JSON, which says what follows, and then the bytes to be sent. Messages that an older version
//! rendered stay readable: forms and fields are only ever added.

use serde::{Deserialize, Serialize};
use svcwatch_core::limits;

/// The version of the line before the bytes.
const VERSION: u8 = 1;

/// What kind of message it is: which transport can send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// One line of a file.
    Line,
    /// The body of an HTTP request.
    HttpBody,
    /// The query of an HTTP request without a body.
    HttpQuery,
    /// A whole mail with its headers (RFC 5322).
    Mail,
    /// The content of a message that is published under a topic.
    Publish,
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What kind of message it is.
    pub form: Form,
    /// The media type of an HTTP body.
    pub content_type: Option<String>,
    /// The address that a mail comes from (RFC 5321 MAIL FROM).
    pub sender: Option<String>,
    /// The address that a mail goes to (RFC 5321 RCPT TO).
    pub recipient: Option<String>,
    /// Which of the destination's addresses it goes to, where it has several; its name, never the address.
    pub endpoint: Option<String>,
    /// The topic that a message is published under; empty where nobody wants it.
    pub topic: Option<String>,
    /// Whether the broker keeps a published message for those who come later.
    pub retain: bool,
    /// Names and values beside a published message.
    pub properties: Vec<(String, String)>,
    /// The bytes to be sent.
    pub bytes: Vec<u8>,
}

/// The line before the bytes.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u8,
    form: Form,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    topic: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    retain: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<(String, String)>,
}

impl Outgoing {
    /// A message without the fields that only some kinds have.
    pub const fn new(form: Form, bytes: Vec<u8>) -> Self {
        Self {
            form,
            content_type: None,
            sender: None,
            recipient: None,
            endpoint: None,
            topic: None,
            retain: false,
            properties: Vec::new(),
            bytes,
        }
    }

    /// The message as it is stored.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let head = Head {
            version: VERSION,
            form: self.form,
            content_type: self.content_type.clone(),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            endpoint: self.endpoint.clone(),
            topic: self.topic.clone(),
            retain: self.retain,
            properties: self.properties.clone(),
        };
        let mut stored = serde_json::to_vec(&head)
            .map_err(|error| format!("the message cannot be written down: {error}"))?;
        stored.push(b'\n');
        stored.extend_from_slice(&self.bytes);
        if stored.len() > limits::PAYLOAD_BYTES_MAX {
            return Err(format!(
                "the message has {} bytes; {} are allowed",
                stored.len(),
                limits::PAYLOAD_BYTES_MAX
            ));
        }
        Ok(stored)
    }

    /// The message that was stored so.
    pub fn from_bytes(stored: &[u8]) -> Result<Self, String> {
        let (head, bytes) = stored
            .iter()
            .position(|byte| *byte == b'\n')
            .and_then(|end| stored.split_at_checked(end))
            .ok_or("the stored message has no head")?;
        let head: Head = serde_json::from_slice(head)
            .map_err(|error| format!("the head of the stored message is unreadable: {error}"))?;
        if head.version > VERSION {
            return Err(format!(
                "the stored message is of version {}, which a newer svcwatch made",
                head.version
            ));
        }
        Ok(Self {
            form: head.form,
            content_type: head.content_type,
            sender: head.sender,
            recipient: head.recipient,
            endpoint: head.endpoint,
            topic: head.topic,
            retain: head.retain,
            properties: head.properties,
            bytes: bytes.get(1..).unwrap_or_default().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back() {
        let mut outgoing = Outgoing::new(Form::Mail, b"Subject: x\r\n\r\n\0\n".to_vec());
        outgoing.sender = Some("a@b.example".to_owned());
        outgoing.recipient = Some("c@d.example".to_owned());
        outgoing.endpoint = Some("log:First".to_owned());
        let stored = outgoing.to_bytes().expect("small enough");
        assert_eq!(Outgoing::from_bytes(&stored), Ok(outgoing));
        let mut published = Outgoing::new(Form::Publish, b"{}".to_vec());
        published.topic = Some("a/b".to_owned());
        published.retain = true;
        published.properties = vec![("key".to_owned(), "k".to_owned())];
        let stored = published.to_bytes().expect("small enough");
        assert_eq!(Outgoing::from_bytes(&stored), Ok(published));
    }

    #[test]
    fn version_1_stays_readable() {
        let stored =
            b"{\"version\":1,\"form\":\"http_body\",\"content_type\":\"application/json\"}\n{}";
        let outgoing = Outgoing::from_bytes(stored).expect("the form of the first release");
        assert_eq!(outgoing.form, Form::HttpBody);
        assert_eq!(outgoing.bytes, b"{}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for stored in [
            &b""[..],
            b"{}",
            b"{}\n",
            b"\xff\n",
            b"{\"version\":2,\"form\":\"line\"}\nx",
        ] {
            assert!(Outgoing::from_bytes(stored).is_err(), "{stored:?}");
        }
        let large = Outgoing::new(Form::Line, vec![b'x'; limits::PAYLOAD_BYTES_MAX]);
        assert!(large.to_bytes().is_err());
    }
}
