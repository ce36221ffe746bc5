//! The buffers that lists come in, good and hostile.

use super::{STATUS, STATUS_HEX, service};
use crate::limits::{ENUMERATION_BYTES_MAX, NAME_UNITS_MAX};
use crate::scmr::{
    Code, EnumDependentServicesReply, EnumServicesStatusExReply, EnumServicesStatusReply,
    EnumeratedService, Reply,
};
use crate::testing::{bytes, hex, utf16};
use insta::assert_snapshot;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

/// A reply of 42 around a buffer.
fn ex(buffer: &[u8], returned: u32, code: u32) -> Vec<u8> {
    let size = u32::try_from(buffer.len()).unwrap();
    let mut stub = size.to_le_bytes().to_vec();
    stub.extend(buffer);
    stub.resize(stub.len().next_multiple_of(4), 0);
    for word in [0, returned, 0x0002_0000, 0, code] {
        stub.extend(word.to_le_bytes());
    }
    stub
}

fn refused(buffer: &[u8], returned: u32) -> String {
    let error = EnumServicesStatusExReply::decode(&ex(buffer, returned, 0));
    error.expect_err("it is refused").to_string()
}

/// An entry of 42 with these offsets.
fn entry(name: u32, display_name: u32) -> Vec<u8> {
    let mut entry = name.to_le_bytes().to_vec();
    entry.extend(display_name.to_le_bytes());
    entry.extend(bytes(STATUS_HEX));
    entry.extend(bytes("08010000 01000000"));
    entry
}

#[test]
fn a_list_with_processes() {
    // Entries of 44 bytes, then strings, then what is left of the buffer.
    let mut buffer = entry(44, 48);
    buffer.extend(utf16("a"));
    buffer.extend(utf16("bc"));
    buffer.resize(60, 0);
    let layout = ex(&buffer, 1, 0);
    let reply = EnumServicesStatusExReply {
        services: vec![EnumeratedService {
            name: "a".into(),
            display_name: "bc".into(),
            status: STATUS,
            pid: Some(264),
            flags: Some(1),
        }],
        buffer_size: 60,
        needed: 0,
        resume: Some(0),
        code: Code::SUCCESS,
    };
    assert_eq!(
        EnumServicesStatusExReply::decode(&layout).as_ref(),
        Ok(&reply)
    );
    assert_eq!(hex(&reply.encode()), hex(&layout));
}

#[test]
fn a_list_without_processes_tells_none() {
    let plain = EnumServicesStatusReply::page(&[service("x")], 512, 0);
    let stub = plain.encode();
    // An entry of 36 bytes: the name comes at 36, the display name at 40.
    assert_eq!(hex(&stub[4..12]), "24000000 28000000");
    let decoded = EnumServicesStatusReply::decode(&stub).expect("a list");
    assert_eq!(decoded.services[0].pid, None);
    assert_eq!(decoded.services[0].flags, None);
    assert_eq!(decoded.services[0].status, STATUS);
    // The whole buffer comes back: its size, it, four words and the code.
    assert_eq!(stub.len(), 4 + 512 + 20);
}

#[test]
fn strings_may_lie_anywhere_and_be_shared() {
    // Windows puts the strings at the end of the buffer, in reverse; both entries name the same text.
    let mut buffer = entry(96, 100);
    buffer.extend(entry(100, 100));
    buffer.resize(96, 0xff);
    buffer.extend(utf16("n"));
    buffer.extend(utf16("d"));
    let reply = EnumServicesStatusExReply::decode(&ex(&buffer, 2, 0)).expect("a list");
    let names: Vec<(&str, &str)> = reply
        .services
        .iter()
        .map(|service| (service.name.as_str(), service.display_name.as_str()))
        .collect();
    assert_eq!(names, [("n", "d"), ("d", "d")]);
}

#[test]
fn a_name_with_a_lone_surrogate_is_read() {
    let mut buffer = entry(44, 50);
    buffer.extend(bytes("4100 3dd8 0000 0000"));
    let reply = EnumServicesStatusExReply::decode(&ex(&buffer, 1, 0)).expect("a list");
    assert_eq!(reply.services[0].name, "A\u{fffd}");
    assert_eq!(reply.services[0].display_name, "");
}

#[test]
fn counts_and_offsets_that_lie_are_refused() {
    let text = |name, display_name| {
        let mut buffer = entry(name, display_name);
        buffer.extend(utf16("ab"));
        buffer
    };
    assert_snapshot!(refused(&text(44, 44), u32::MAX), @"the number of services is 4294967295, over the limit of 1");
    assert_snapshot!(refused(&text(44, 44), 2), @"the number of services is 2, over the limit of 1");
    assert_snapshot!(refused(&[], 1), @"the number of services is 1, over the limit of 0");
    assert_snapshot!(refused(&text(45, 44), 1), @"the name of a service points to offset 45 of a buffer of 50 bytes");
    assert_snapshot!(refused(&text(44, 52), 1), @"the display name of a service points to offset 52 of a buffer of 50 bytes");
    assert_snapshot!(refused(&text(0xffff_fffe, 44), 1), @"the name of a service points to offset 4294967294 of a buffer of 50 bytes");
    assert_snapshot!(refused(&text(50, 44), 1), @"the name of a service has no end");
    let mut unterminated = entry(44, 44);
    unterminated.extend(bytes("6100 6200"));
    assert_snapshot!(refused(&unterminated, 1), @"the name of a service has no end");
}

#[test]
fn a_name_longer_than_any_is_refused() {
    let named = |units: usize| {
        let mut buffer = entry(44, 44);
        buffer.extend(utf16(&"n".repeat(units)));
        ex(&buffer, 1, 0)
    };
    let longest = EnumServicesStatusExReply::decode(&named(NAME_UNITS_MAX - 1)).expect("a list");
    assert_eq!(longest.services[0].name.len(), 256);
    assert!(EnumServicesStatusExReply::decode(&named(NAME_UNITS_MAX)).is_err());
}

#[test]
fn entries_that_share_a_long_text_over_and_over_are_refused() {
    // 300 entries that name the same 256 units twice each: 300 kB of text from 14 kB of buffer.
    let number = 300;
    let at = number * 44;
    let mut buffer = Vec::new();
    for _ in 0..number {
        buffer.extend(entry(at, at));
    }
    buffer.extend(utf16(&"n".repeat(256)));
    assert_snapshot!(refused(&buffer, number), @"the offsets in a buffer of 13714 bytes lead to more text than it can hold");
}

#[test]
fn a_buffer_longer_than_the_message_is_refused() {
    let mut stub = ex(&entry(0, 0), 1, 0);
    stub[0..4].copy_from_slice(&0x0003_ffff_u32.to_le_bytes());
    let error = EnumServicesStatusExReply::decode(&stub).expect_err("too long");
    assert_snapshot!(error, @"the message ends inside the list of services: 262143 bytes needed, 64 left");
    stub[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = EnumServicesStatusExReply::decode(&stub).expect_err("too long");
    assert_snapshot!(error, @"the list of services is 4294967295, over the limit of 262144");
}

#[test]
fn a_refusal_does_not_look_into_the_buffer() {
    let reply = EnumServicesStatusExReply::decode(&ex(&[0xff; 64], u32::MAX, 5)).expect("a code");
    assert_eq!(reply.code, Code::ACCESS_DENIED);
    assert_eq!(reply.services, []);
}

#[test]
fn a_server_pages_as_windows_does() {
    let services: Vec<EnumeratedService> =
        ["one", "two", "three"].map(service).into_iter().collect();
    // An entry with both its texts: 44 + 8 + 24 bytes for "one".
    let first = EnumServicesStatusExReply::page(&services, 76, 0);
    assert_eq!(first.code, Code::MORE_DATA);
    assert_eq!(first.services, services[..1]);
    assert_eq!(first.resume, Some(1));
    assert_eq!(first.needed, 76 + 84);
    let rest = EnumServicesStatusExReply::page(&services, first.needed, 1);
    assert_eq!(rest.code, Code::SUCCESS);
    assert_eq!(rest.services, services[1..]);
    assert_eq!(rest.resume, Some(0));
    let past = EnumServicesStatusExReply::page(&services, 76, u32::MAX);
    assert_eq!((past.code, past.services.len()), (Code::SUCCESS, 0));
    // Both survive the wire, in a buffer of exactly the size asked for.
    for reply in [first, rest] {
        let stub = reply.encode();
        assert_eq!(EnumServicesStatusExReply::decode(&stub), Ok(reply));
    }
}

#[test]
fn a_server_gives_all_or_none_as_samba_does() {
    let services: Vec<EnumeratedService> = ["one", "two"].map(service).into_iter().collect();
    let none = EnumServicesStatusReply::whole(&services, 100);
    assert_eq!((none.code, none.services.len()), (Code::MORE_DATA, 0));
    assert_eq!(none.needed, 2 * (36 + 8 + 24));
    let all = EnumServicesStatusReply::whole(&services, none.needed);
    assert_eq!((all.code, all.services.len()), (Code::SUCCESS, 2));
    // Nobody gets a buffer larger than the protocol has.
    let huge = EnumServicesStatusReply::whole(&services, u32::MAX);
    assert_eq!(huge.buffer_size, ENUMERATION_BYTES_MAX);
    assert_eq!(
        EnumServicesStatusReply::refused(Code(5), u32::MAX).buffer_size,
        ENUMERATION_BYTES_MAX
    );
}

#[test]
fn dependents_come_without_resume_index() {
    let reply = EnumDependentServicesReply::whole(&[service("x")], 64);
    let stub = reply.encode();
    // The size of the buffer, the buffer (36 + 4 + 20 of 64), needed, returned, code.
    let tail = format!("{:08x} {:08x} {:08x}", 0, 0x0100_0000, 0);
    assert_eq!(stub.len(), 4 + 64 + 12);
    assert_eq!(hex(&stub[68..]), tail);
    assert_eq!(
        EnumDependentServicesReply::decode(&stub)
            .unwrap()
            .services
            .len(),
        1
    );
}
