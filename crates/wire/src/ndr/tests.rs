use super::{Reader, Writer, text};
use crate::WireError;
use crate::testing::{bytes, hex};
use insta::assert_snapshot;
use std::string::ToString;

#[test]
fn values_are_aligned_from_the_start_of_the_stub() {
    let mut writer = Writer::new();
    writer.u8(0x11).u16(0x2233).u8(0x44).u32(0x5566_7788);
    writer.u8(0x99).u64(0x0102_0304_0506_0708);
    let stub = writer.finish();
    assert_snapshot!(hex(&stub), @r"
    11003322 44000000 88776655 99000000
    08070605 04030201
    ");
    let mut reader = Reader::new(&stub);
    assert_eq!(reader.u8("a"), Ok(0x11));
    assert_eq!(reader.u16("b"), Ok(0x2233));
    assert_eq!(reader.u8("c"), Ok(0x44));
    assert_eq!(reader.u32("d"), Ok(0x5566_7788));
    assert_eq!(reader.u8("e"), Ok(0x99));
    assert_eq!(reader.u64("f"), Ok(0x0102_0304_0506_0708));
    assert_eq!(reader.end("the rest"), Ok(()));
}

#[test]
fn a_string_has_its_counts_its_units_and_its_terminator() {
    let mut writer = Writer::new();
    writer
        .pointer(true)
        .string("A😀")
        .pointer(true)
        .pointer(false);
    let stub = writer.finish();
    // Four units: A, two surrogates, NUL. Each pointer has an id of its own.
    assert_snapshot!(hex(&stub), @r"
    00000200 04000000 00000000 04000000
    41003dd8 00de0000 04000200 00000000
    ");
    let mut reader = Reader::new(&stub);
    assert_eq!(reader.pointer("p"), Ok(true));
    assert_eq!(reader.string("s", 4), Ok("A😀".into()));
    assert_eq!(reader.pointer("p"), Ok(true));
    assert_eq!(reader.pointer("p"), Ok(false));
}

#[test]
fn a_lone_surrogate_becomes_the_replacement_character() {
    assert_eq!(text(&bytes("4100 3dd8 4200")), "A\u{fffd}B");
    assert_eq!(text(&bytes("00de 3dd8")), "\u{fffd}\u{fffd}");
    // An odd last byte is no unit.
    assert_eq!(text(&bytes("4100 42")), "A");
}

#[test]
fn a_string_ends_at_its_first_nul() {
    let stub = bytes("04000000 00000000 04000000 4100 0000 4200 0000");
    let mut reader = Reader::new(&stub);
    assert_eq!(reader.string("s", 16), Ok("A".into()));
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn a_string_without_terminator_is_taken_as_it_is() {
    let stub = bytes("02000000 00000000 02000000 4100 4200");
    assert_eq!(Reader::new(&stub).string("s", 16), Ok("AB".into()));
}

#[test]
fn counts_that_lie_are_refused_before_anything_is_read() {
    let refused = |stub: &str| {
        let stub = bytes(stub);
        let error = Reader::new(&stub).string("the name", 257);
        error.expect_err("the count lies").to_string()
    };
    assert_snapshot!(refused("ffffffff 00000000 ffffffff 4100"), @"the name is 4294967295, over the limit of 257");
    assert_snapshot!(refused("02000000 00000000 03000000 4100 4200 4300"), @"the name is 3, over the limit of 2");
    assert_snapshot!(refused("02000000 01000000 02000000 4100 4200"), @"the name has the impossible value 0x1");
    assert_snapshot!(refused("10000000 00000000 10000000 4100"), @"the message ends inside the name: 32 bytes needed, 2 left");
    assert_snapshot!(refused("10000000 0000"), @"the message ends inside the name: 4 bytes needed, 2 left");
}

#[test]
fn a_conformant_array_may_not_be_longer_than_its_limit_or_its_bytes() {
    let stub = bytes("ffffffff 01020304");
    assert_eq!(
        Reader::new(&stub).conformant_bytes("b", u32::MAX),
        Err(WireError::Truncated {
            what: "b",
            need: usize::try_from(u32::MAX).unwrap(),
            have: 4
        })
    );
    assert_eq!(
        Reader::new(&stub).conformant_bytes("b", 8),
        Err(WireError::OverLimit {
            what: "b",
            value: u32::MAX.into(),
            limit: 8
        })
    );
    let stub = bytes("03000000 010203");
    assert_eq!(
        Reader::new(&stub).conformant_bytes("b", 3),
        Ok(&[1, 2, 3][..])
    );
}

#[test]
fn an_alignment_that_would_pass_the_end_is_refused() {
    let stub = bytes("01 00");
    let mut reader = Reader::new(&stub);
    reader.u8("a").unwrap();
    assert!(matches!(
        reader.u32("b"),
        Err(WireError::Truncated {
            need: 3,
            have: 1,
            ..
        })
    ));
    // What failed took nothing.
    assert_eq!(reader.position(), 1);
    assert!(matches!(
        reader.end("the rest"),
        Err(WireError::OverLimit { value: 1, .. })
    ));
}
