//! The little of ASN.1's distinguished encoding (X.690) that Kerberos needs.

/// An element: its tag, the length of its body, its body.
pub(super) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(body.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            let length = body.len().to_be_bytes();
            let digits: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// An element with a number of the context.
pub(super) fn context(number: u8, body: &[u8]) -> Vec<u8> {
    element(0xa0 | number, body)
}

/// A message of the application.
pub(super) fn application(number: u8, body: &[u8]) -> Vec<u8> {
    element(0x60 | number, body)
}

/// Elements one after the other.
pub(super) fn sequence(items: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &items.concat())
}

/// A whole number.
pub(super) fn integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // Leading bytes that only repeat the sign are left out.
    let mut start = 0;
    while let Some([first, second]) = bytes.get(start..start + 2)
        && (*first == 0 && *second < 0x80 || *first == 0xff && *second >= 0x80)
    {
        start += 1;
    }
    element(2, bytes.get(start..).unwrap_or(&bytes))
}

/// Bytes.
pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(4, bytes)
}

/// A text.
pub(super) fn text(text: &str) -> Vec<u8> {
    element(0x1b, text.as_bytes())
}

/// A moment, as `20261122104500Z`.
pub(super) fn moment(moment: &str) -> Vec<u8> {
    element(0x18, moment.as_bytes())
}

/// 32 flags, the first in the highest bit.
pub(super) fn flags(flags: u32) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(flags.to_be_bytes());
    element(3, &body)
}

/// Reads the first element; gives its tag, its body and what follows.
pub(super) fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let length = if *first < 0x80 {
        usize::from(*first)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, after) = rest.split_at_checked(count)?;
        rest = after;
        digits
            .iter()
            .fold(0_usize, |length, digit| length << 8 | usize::from(*digit))
    };
    let (body, after) = rest.split_at_checked(length)?;
    Some((*tag, body, after))
}

/// The body of the first element, where it has this tag.
pub(super) fn body(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    read(bytes)
        .filter(|(known, ..)| *known == tag)
        .map(|(_, body, _)| body)
}

/// The elements that stand in a body one after the other; ends at the first that makes no sense.
pub(super) fn items(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (tag, body, after) = read(rest)?;
        rest = after;
        Some((tag, body))
    })
}

/// The field of a sequence's body with this number of the context.
pub(super) fn field(bytes: &[u8], number: u8) -> Option<&[u8]> {
    items(bytes)
        .find(|(tag, _)| *tag == 0xa0 | number)
        .map(|(_, body)| body)
}

/// The whole number in an element.
pub(super) fn number(bytes: &[u8]) -> Option<i64> {
    let body = body(bytes, 2).filter(|body| (1..=8).contains(&body.len()))?;
    let sign = if body.first()? & 0x80 == 0 { 0 } else { -1 };
    Some(
        body.iter()
            .fold(sign, |number, byte| number << 8 | i64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short_and_read_back() {
        for (number, bytes) in [
            (0, &[2, 1, 0][..]),
            (5, &[2, 1, 5]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 255]),
            (-138, &[2, 2, 0xff, 0x76]),
            (0x7fff_ffff, &[2, 4, 0x7f, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(integer(number), bytes);
            assert_eq!(super::number(bytes), Some(number));
        }
        assert_eq!(number(&[2, 0]), None);
        assert_eq!(number(&[2, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
    }

    #[test]
    fn elements_are_read_back_and_lies_about_lengths_are_not_believed() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let bytes = element(0x30, &vec![7; length]);
            let (tag, body, rest) = read(&bytes).unwrap();
            assert_eq!((tag, body.len(), rest.len()), (0x30, length, 0));
            assert!(read(&bytes[..bytes.len() - 1]).is_none());
        }
        assert!(read(&[0x30, 0x80]).is_none());
        assert!(read(&[0x30, 0x85, 0, 0, 0, 0, 1, 0]).is_none());
        assert!(read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none());
        let both = sequence(&[context(0, &integer(5)), context(6, &integer(24))]);
        let inner = body(&both, 0x30).unwrap();
        assert_eq!(field(inner, 6).and_then(number), Some(24));
        assert_eq!(field(inner, 7), None);
    }
}
