//! Texts that a protocol gives a form: names of HTTP headers, topics of MQTT.

use super::problem::quoted;
use super::text::{Fault, fault};
use crate::dest::mqtt::topic;

/// Headers that are our own, or that only the connection may set.
const RESERVED_HEADERS: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "expect",
    "upgrade",
    "idempotency-key",
    "x-svcwatch-signature",
];

/// The name of a header of HTTP.
pub(super) fn header(text: &str) -> Result<(), Fault> {
    // RFC 9110, section 5.6.2: a header's name is a token.
    let good = text.chars().all(|character| {
        character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
    });
    if RESERVED_HEADERS.contains(&text.to_lowercase().as_str()) {
        return fault(
            format!("svcwatch sets the header {} itself", quoted(text)),
            "remove it",
        );
    }
    if good {
        Ok(())
    } else {
        fault(
            format!("{} is no name of a header", quoted(text)),
            "write one such as `X-Team`, without a colon",
        )
    }
}

/// Topics with wildcards are for subscribers.
pub(super) fn topic(text: &str) -> Result<(), Fault> {
    topic::check(text).or_else(|wrong| {
        fault(
            format!("the topic {wrong}"),
            "write the beginning of a topic, such as `svcwatch/status`",
        )
    })
}
