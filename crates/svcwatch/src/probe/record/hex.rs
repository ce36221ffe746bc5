//! Bytes as text: hexadecimal digits, and for a run of zeros `z`, their number and a dot. Buffers of lists are mostly zeros.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// The shortest run of zeros that is shortened.
const RUN_MIN: usize = 8;
/// Most bytes of one value: more than any answer may be long.
const BYTES_MAX: usize = 16 * 1024 * 1024;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write(bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).map_err(D::Error::custom)
}

/// The text of bytes.
pub(super) fn write(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        if zeros >= RUN_MIN {
            text.push('z');
            text.push_str(&zeros.to_string());
            text.push('.');
            rest = rest.get(zeros..).unwrap_or_default();
            continue;
        }
        for digit in [first >> 4, first & 15] {
            text.extend(
                DIGITS
                    .get(usize::from(digit))
                    .map(|digit| char::from(*digit)),
            );
        }
        rest = after;
    }
    text
}

/// The bytes of a text.
pub(super) fn read(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(run) = rest.strip_prefix('z') {
            let (number, after) = run.split_once('.').ok_or("a run of zeros has no end")?;
            let zeros: usize = number.parse().map_err(|_| "a run of zeros has no number")?;
            if zeros > BYTES_MAX || number.starts_with('+') {
                return Err("a run of zeros is too long");
            }
            bytes.resize(bytes.len().saturating_add(zeros), 0);
            rest = after;
        } else {
            let (pair, after) = rest.split_at_checked(2).ok_or("a digit lacks")?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err("there is something else than hexadecimal digits");
            }
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| "there is no byte")?);
            rest = after;
        }
        if bytes.len() > BYTES_MAX {
            return Err("there are more than 16 MiB");
        }
    }
    Ok(bytes)
}
