//! The packets of MQTT 3.1.1 and 5 that a client needs which only publishes. The bytes of single packets are
//! `mqtt-protocol-core`'s; where a packet begins and ends, and how large it may be, is looked at here, before anything
//! is given to it.

use crate::dest::mqtt::Version;
use mqtt_protocol_core::mqtt::{
    packet::{
        ContentType, PayloadFormat, PayloadFormatIndicator, Property, Qos, UserProperty, v3_1_1,
        v5_0,
    },
    prelude::PropertyValueAccess,
    result_code::MqttError,
};

/// Bytes of one packet that a broker may send, its head not counted: acknowledgements are far smaller.
pub(super) const PACKET_BYTES_MAX: usize = 65_536;
/// What holds where a broker of MQTT 5 names no bound of what may be unacknowledged (MQTT 5 3.2.2.3.3).
const RECEIVE_MAXIMUM: u16 = u16::MAX;

/// A message as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What: JSON.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
    /// Names and values beside it, which only MQTT 5 has.
    pub properties: Vec<(String, String)>,
}

/// How a client introduces itself.
#[derive(Debug)]
pub(super) struct Hello<'a> {
    pub(super) version: Version,
    pub(super) client_id: &'a str,
    /// User and password; some brokers know their users by their certificates and want no password.
    pub(super) logon: Option<(&'a str, Option<&'a str>)>,
    /// The topic on which the broker says that we are gone.
    pub(super) presence: Option<&'a str>,
    /// Seconds.
    pub(super) keep_alive: u16,
}

/// What a broker said to the introduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Welcome {
    /// 0, or why it refuses (MQTT 3.1.1 3.2.2.3, MQTT 5 3.2.2.2).
    pub(super) code: u8,
    pub(super) text: Option<String>,
    /// How many messages may be unacknowledged.
    pub(super) receive_maximum: u16,
    /// Bytes of a packet that it takes.
    pub(super) packet_maximum: Option<u32>,
    /// Whether it takes messages that it must acknowledge.
    pub(super) acknowledges: bool,
    /// Whether it keeps messages.
    pub(super) retains: bool,
    /// Seconds, where it wants others than ours.
    pub(super) keep_alive: Option<u16>,
}

/// A packet of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming {
    Welcome(Welcome),
    /// It has taken a message, or refuses it: a code from 0x80 on (MQTT 5 3.4.2.1).
    Acknowledged {
        id: u16,
        code: u8,
        text: Option<String>,
    },
    Pong,
    /// It ends the connection (MQTT 5 3.14).
    Goodbye {
        code: u8,
        text: Option<String>,
    },
}

fn malformed(error: MqttError) -> String {
    format!("the broker answers what is no MQTT ({error})")
}

impl Default for Welcome {
    fn default() -> Self {
        welcome_of(&[])
    }
}

fn unmade(error: MqttError) -> String {
    format!("the message cannot be written as MQTT ({error})")
}

/// The introduction.
pub(super) fn hello(hello: &Hello<'_>) -> Result<Vec<u8>, String> {
    const GONE: &str = "offline";
    match hello.version {
        Version::V4 => {
            let mut packet = v3_1_1::Connect::builder()
                .client_id(hello.client_id)
                .map_err(unmade)?
                .clean_session(true)
                .keep_alive(hello.keep_alive);
            if let Some((user, password)) = hello.logon {
                packet = packet.user_name(user).map_err(unmade)?;
                if let Some(password) = password {
                    packet = packet.password(password).map_err(unmade)?;
                }
            }
            if let Some(topic) = hello.presence {
                packet = packet
                    .will_message(topic, GONE, Qos::AtLeastOnce, true)
                    .map_err(unmade)?;
            }
            Ok(packet.build().map_err(unmade)?.to_continuous_buffer())
        }
        Version::V5 => {
            let mut packet = v5_0::Connect::builder()
                .client_id(hello.client_id)
                .map_err(unmade)?
                .clean_start(true)
                .keep_alive(hello.keep_alive);
            if let Some((user, password)) = hello.logon {
                packet = packet.user_name(user).map_err(unmade)?;
                if let Some(password) = password {
                    packet = packet.password(password).map_err(unmade)?;
                }
            }
            if let Some(topic) = hello.presence {
                packet = packet
                    .will_message(topic, GONE, Qos::AtLeastOnce, true)
                    .map_err(unmade)?;
            }
            Ok(packet.build().map_err(unmade)?.to_continuous_buffer())
        }
    }
}

/// A message. Without a number it is not acknowledged.
pub(super) fn publish(
    version: Version,
    id: Option<u16>,
    message: &Message,
) -> Result<Vec<u8>, String> {
    let qos = if id.is_some() {
        Qos::AtLeastOnce
    } else {
        Qos::AtMostOnce
    };
    match version {
        Version::V4 => {
            let mut packet = v3_1_1::Publish::builder()
                .topic_name(message.topic.as_str())
                .map_err(unmade)?
                .qos(qos)
                .retain(message.retain)
                .payload(message.payload.as_slice());
            if let Some(id) = id {
                packet = packet.packet_id(id);
            }
            Ok(packet.build().map_err(unmade)?.to_continuous_buffer())
        }
        Version::V5 => {
            let mut packet = v5_0::Publish::builder()
                .topic_name(message.topic.as_str())
                .map_err(unmade)?
                .qos(qos)
                .retain(message.retain)
                .payload(message.payload.as_slice())
                .props(properties(message)?);
            if let Some(id) = id {
                packet = packet.packet_id(id);
            }
            Ok(packet.build().map_err(unmade)?.to_continuous_buffer())
        }
    }
}

fn properties(message: &Message) -> Result<Vec<Property>, String> {
    let text = PayloadFormatIndicator::new(PayloadFormat::String).map_err(unmade)?;
    let mut all = vec![Property::PayloadFormatIndicator(text)];
    if message.payload.first() == Some(&b'{') {
        let json = ContentType::new("application/json").map_err(unmade)?;
        all.push(Property::ContentType(json));
    }
    for (name, value) in &message.properties {
        let property = UserProperty::new(name.as_str(), value.as_str()).map_err(unmade)?;
        all.push(Property::UserProperty(property));
    }
    Ok(all)
}

/// The packet that asks whether the broker is still there (MQTT 3.1.1 3.12; the same in MQTT 5).
pub(super) const PING: [u8; 2] = [0xc0, 0];
/// The packet that ends a connection for good, so that no last will is told (MQTT 3.1.1 3.14; the same in MQTT 5).
pub(super) const GOODBYE: [u8; 2] = [0xe0, 0];

/// The first packet of what has come in, with the bytes that it takes; nothing where it is not whole yet.
pub(super) fn take(version: Version, bytes: &[u8]) -> Result<Option<(Incoming, usize)>, String> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    // Said at once: what is no MQTT may never come to the length that its second byte seems to say.
    if !matches!(
        (first, version),
        (0x20 | 0x40 | 0xd0, _) | (0xe0, Version::V5)
    ) {
        return Err(unasked(first));
    }
    let Some((length, head)) = remaining_length(rest)? else {
        return Ok(None);
    };
    let Some(body) = rest.get(head..head.saturating_add(length)) else {
        return Ok(None);
    };
    let packet = read(version, first, body)?;
    Ok(Some((packet, 1 + head + length)))
}

/// How many bytes follow, and how many bytes say so (MQTT 3.1.1 2.2.3).
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let mut length = 0_usize;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            if length > PACKET_BYTES_MAX {
                return Err(format!(
                    "the broker begins a packet of {length} bytes, which is more than any answer has"
                ));
            }
            return Ok(Some((length, place + 1)));
        }
    }
    if bytes.len() >= 4 {
        return Err("the broker answers what is no MQTT (a length without an end)".to_owned());
    }
    Ok(None)
}

fn read(version: Version, first: u8, body: &[u8]) -> Result<Incoming, String> {
    match (first, version) {
        (0x20, Version::V4) => {
            let (packet, _) = v3_1_1::Connack::parse(body).map_err(malformed)?;
            Ok(Incoming::Welcome(Welcome {
                code: packet.return_code() as u8,
                ..Welcome::default()
            }))
        }
        // A broker that speaks 3.1.1 alone refuses version 5 in its own form, which is two bytes (MQTT 3.1.1 3.1.2.2).
        (0x20, Version::V5) if body.len() == 2 => Ok(Incoming::Welcome(Welcome {
            code: 0x84,
            ..Welcome::default()
        })),
        (0x20, Version::V5) => {
            let (packet, _) = v5_0::Connack::parse(body).map_err(malformed)?;
            Ok(Incoming::Welcome(Welcome {
                code: packet.reason_code() as u8,
                ..welcome_of(&packet.props)
            }))
        }
        (0x40, Version::V4) => {
            let (packet, _) = v3_1_1::Puback::parse(body).map_err(malformed)?;
            Ok(Incoming::Acknowledged {
                id: packet.packet_id(),
                code: 0,
                text: None,
            })
        }
        (0x40, Version::V5) => {
            let (packet, _) = v5_0::Puback::parse(body).map_err(malformed)?;
            Ok(Incoming::Acknowledged {
                id: packet.packet_id(),
                code: packet.reason_code().map_or(0, |code| code as u8),
                text: packet.props.as_deref().and_then(reason_string),
            })
        }
        (0xd0, _) if body.is_empty() => Ok(Incoming::Pong),
        (0xe0, Version::V5) => {
            let (packet, _) = v5_0::Disconnect::parse(body).map_err(malformed)?;
            Ok(Incoming::Goodbye {
                code: packet.reason_code().map_or(0, |code| code as u8),
                text: packet.props.as_deref().and_then(reason_string),
            })
        }
        _ => Err(unasked(first)),
    }
}

fn unasked(first: u8) -> String {
    format!(
        "the broker sends what nobody asked it for (a packet that begins with {first:#04x}); look at host and port"
    )
}

fn reason_string(properties: &[Property]) -> Option<String> {
    properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(text.val().to_owned()),
        _ => None,
    })
}

fn welcome_of(properties: &[Property]) -> Welcome {
    let mut welcome = Welcome {
        code: 0,
        text: reason_string(properties),
        receive_maximum: RECEIVE_MAXIMUM,
        packet_maximum: None,
        acknowledges: true,
        retains: true,
        keep_alive: None,
    };
    for property in properties {
        match property {
            Property::ReceiveMaximum(_) => {
                welcome.receive_maximum = property.as_u16().unwrap_or(RECEIVE_MAXIMUM).max(1);
            }
            Property::MaximumPacketSize(_) => welcome.packet_maximum = property.as_u32(),
            Property::MaximumQos(_) => welcome.acknowledges = property.as_u8() != Some(0),
            Property::RetainAvailable(_) => welcome.retains = property.as_u8() != Some(0),
            Property::ServerKeepAlive(_) => welcome.keep_alive = property.as_u16(),
            _ => {}
        }
    }
    welcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            topic: "a/b".to_owned(),
            payload: b"{}".to_vec(),
            retain: true,
            properties: vec![("key".to_owned(), "k1".to_owned())],
        }
    }

    #[test]
    fn a_message_is_written_as_the_standard_says() {
        // MQTT 3.1.1 3.3: PUBLISH with QoS 1 and RETAIN, the topic, the number, the payload.
        let packet = publish(Version::V4, Some(7), &message()).expect("a good message");
        assert_eq!(packet, b"\x33\x09\x00\x03a/b\x00\x07{}");
        let unnumbered = publish(Version::V4, None, &message()).expect("a good message");
        assert_eq!(unnumbered, b"\x31\x07\x00\x03a/b{}");
        let packet = publish(Version::V5, Some(7), &message()).expect("a good message");
        assert!(packet.starts_with(b"\x33") && packet.ends_with(b"{}"));
        let text = String::from_utf8_lossy(&packet);
        assert!(text.contains("application/json") && text.contains("key\0\u{2}k1"));
    }

    #[test]
    fn answers_are_taken_one_by_one_and_only_when_they_are_whole() {
        let bytes = b"\x20\x02\x00\x00\x40\x02\x00\x07\xd0\x00";
        let mut rest = &bytes[..];
        let mut taken = Vec::new();
        while let Some((packet, length)) = take(Version::V4, rest).expect("good packets") {
            taken.push(packet);
            rest = &rest[length..];
        }
        assert_eq!(taken.len(), 3);
        assert!(matches!(&taken[0], Incoming::Welcome(welcome) if welcome.code == 0));
        assert!(matches!(
            &taken[1],
            Incoming::Acknowledged { id: 7, code: 0, .. }
        ));
        assert_eq!(taken[2], Incoming::Pong);
        for end in [0, 1, 3] {
            assert_eq!(take(Version::V4, &bytes[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn a_broker_of_version_5_says_what_it_can() {
        let bytes = b"\x20\x10\x00\x00\x0d\x21\x00\x14\x25\x00\x27\x00\x00\x10\x00\x13\x00\x0a";
        let (packet, _) = take(Version::V5, bytes).expect("good").expect("whole");
        let Incoming::Welcome(welcome) = packet else {
            panic!("{packet:?}");
        };
        assert_eq!((welcome.receive_maximum, welcome.retains), (20, false));
        assert_eq!(
            (welcome.packet_maximum, welcome.keep_alive),
            (Some(4_096), Some(10))
        );
        let old = take(Version::V5, b"\x20\x02\x00\x01")
            .expect("good")
            .expect("whole");
        assert!(matches!(old.0, Incoming::Welcome(welcome) if welcome.code == 0x84));
        let refused = take(Version::V5, b"\x40\x03\x00\x07\x87")
            .expect("good")
            .expect("whole");
        assert!(matches!(
            refused.0,
            Incoming::Acknowledged {
                id: 7,
                code: 0x87,
                ..
            }
        ));
    }

    #[test]
    fn garbage_is_refused_and_nothing_endless_is_waited_for() {
        let long = [b"\x20".as_slice(), &[0xff; 8]].concat();
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\x20\xff\xff\xff\x7f",
            b"\x20\x02\x00",
            b"\x20\x02\x00\xff",
            b"\x40\x02\x00\x00",
            b"\x40\x01\x00",
            b"\x30\x03\x00\x01a",
            b"\xd0\x01x",
            &long,
        ] {
            for version in [Version::V4, Version::V5] {
                let taken = take(version, bytes);
                let whole = !matches!(taken, Ok(None));
                assert!(
                    taken.is_err() || !whole || bytes == b"\x20\x02\x00\xff",
                    "{bytes:?} {version:?}: {taken:?}"
                );
            }
        }
        for length in 0..64 {
            for first in 0..=255_u8 {
                let bytes: Vec<u8> = (0..length)
                    .map(|byte| first.wrapping_mul(31) ^ byte)
                    .collect();
                // Whatever it is, it is an answer and no panic.
                drop(take(Version::V4, &bytes));
                drop(take(Version::V5, &bytes));
            }
        }
    }
}
