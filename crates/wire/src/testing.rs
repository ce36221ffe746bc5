//! Bytes as text, for tests that lay them out by hand.

use std::format;
use std::string::String;
use std::vec::Vec;

/// Bytes from hexadecimal digits; white space is for the eye.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    assert_eq!(digits.len() % 2, 0, "an odd number of digits");
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits are a byte"))
        .collect()
}

/// Bytes as hexadecimal digits in groups of four bytes, sixteen a line.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let word = |word: &[u8]| match *word {
        [a, b, c, d] => format!("{:08x}", u32::from_be_bytes([a, b, c, d])),
        ref rest => rest
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}")),
    };
    let line = |line: &[u8]| line.chunks(4).map(word).collect::<Vec<String>>().join(" ");
    let lines: Vec<String> = bytes.chunks(16).map(line).collect();
    lines.join("\n")
}

/// UTF-16LE bytes of a text, with its NUL.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}
