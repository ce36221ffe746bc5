use super::header::{FIRST, Header, LAST, begin, finish};
use super::{
    Client, FAULT_NO_SUCH_OPERATION, FAULT_UNKNOWN_INTERFACE, Incoming, Progress, SERVICE_CONTROL,
    Server, fragment_length,
};
use crate::limits::{FRAGMENT_BYTES, FRAGMENTS_MAX, REPLY_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::testing::{bytes, hex};
use crate::{PacketKind, WireError};
use insta::assert_snapshot;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

/// A client and a server that are bound to each other.
fn bound() -> (Client, Server) {
    let mut client = Client::new(SERVICE_CONTROL);
    let mut server = Server::new(SERVICE_CONTROL);
    let Ok(Incoming::Answer(ack)) = server.on_fragment(&client.bind()) else {
        panic!("the server answers a bind");
    };
    client.on_bind_reply(&ack).expect("the bind is taken");
    (client, server)
}

/// A response fragment by hand.
fn response(call_id: u32, flags: u8, stub: &[u8]) -> Vec<u8> {
    packet(PacketKind::RESPONSE, call_id, flags, stub)
}

fn packet(kind: PacketKind, call_id: u32, flags: u8, stub: &[u8]) -> Vec<u8> {
    let mut writer = begin(
        Header {
            kind,
            flags,
            call_id,
        },
        0,
    );
    writer.u32(0).u16(0).u16(0).bytes(stub);
    finish(writer)
}

/// What a client that waits for call 2 says to a fragment.
fn refused(fragment: &[u8]) -> String {
    let (mut client, _) = bound();
    drop(client.request(15, &[]));
    let error = client.on_fragment(fragment).expect_err("it is refused");
    assert!(client.is_broken());
    assert_eq!(client.on_fragment(fragment), Err(WireError::Broken));
    error.to_string()
}

#[test]
fn a_bind_names_the_service_control_manager_in_ndr32() {
    // Version 5.0, bind, whole; little-endian; 72 bytes, no trailer; call 1. Fragments of 4,280 bytes both
    // ways, a new association, one context with one transfer syntax; then the two syntaxes.
    assert_snapshot!(hex(&Client::new(SERVICE_CONTROL).bind()), @r"
    05000b03 10000000 48000000 01000000
    b810b810 00000000 01000000 00000100
    81bb7a36 4498f135 ad3298f0 38001003
    02000000 045d888a eb1cc911 9fe80800
    2b104860 02000000
    ");
}

#[test]
fn the_answer_of_samba_to_a_bind_is_taken() {
    // A secondary address of 13 bytes and three of padding before the results.
    let ack = bytes(
        "05000c03 10000000 44000000 01000000 b810b810 f0530000
         0d00 5c504950455c737663 63746c00 00 01000000 0000 0000
         045d888aeb1cc9119fe808002b104860 02000000",
    );
    let mut client = Client::new(SERVICE_CONTROL);
    assert_eq!(client.on_bind_reply(&ack), Ok(()));
    let fragments = client.request(15, &[1, 2, 3, 4]);
    // Call 2, the hint, context 0, operation 15, the stub.
    assert_eq!(fragments.len(), 1);
    assert_snapshot!(hex(&fragments[0]), @r"
    05000003 10000000 1c000000 02000000
    04000000 00000f00 01020304
    ");
}

#[test]
fn refusals_of_a_bind_are_told_apart() {
    let refused = |packet: &[u8]| {
        let mut client = Client::new(SERVICE_CONTROL);
        let error = client.on_bind_reply(packet).expect_err("it is refused");
        assert!(client.is_broken());
        error.to_string()
    };
    let rejection = bytes(
        "05000c03 10000000 38000000 01000000 b810b810 00000000 0000 0000
         01000000 0200 0200 00000000000000000000000000000000 00000000",
    );
    assert_snapshot!(refused(&rejection), @"the server refused the interface, result 2, reason 2");
    let nothing = bytes(
        "05000c03 10000000 38000000 01000000 b810b810 00000000 0000 0000
         00000000 0000 0000 045d888aeb1cc9119fe808002b104860 02000000",
    );
    assert_snapshot!(refused(&nothing), @"the server refused the interface, result 0, reason 0");
    let nak = bytes("05000d03 10000000 15000000 01000000 0400 01 0500");
    assert_snapshot!(refused(&nak), @"the server refused the bind, reason 4");
    let fault = bytes("05000303 10000000 20000000 01000000 00000000 00000000 0300011c 00000000");
    assert_snapshot!(refused(&fault), @"the server answered with RPC fault 0x1c010003 (unknown interface)");
    let other_call = bytes("05000d03 10000000 15000000 07000000 0400 01 0500");
    assert_snapshot!(refused(&other_call), @"the answer is for call 7, but call 1 was asked");
    let long_address =
        bytes("05000c03 10000000 20000000 01000000 b810b810 00000000 ffff 0000 00000000");
    assert_snapshot!(refused(&long_address), @"the message ends inside the secondary address: 65535 bytes needed, 6 left");
    assert_snapshot!(refused(&response(1, FIRST | LAST, &[])), @"a response packet came where the answer to the bind was due");
}

#[test]
fn a_call_and_its_answer_pass_in_fragments() {
    let (mut client, mut server) = bound();
    let question: Vec<u8> = (0..10_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let fragments = client.request(42, &question);
    assert_eq!(fragments.len(), 3);
    let mut call = None;
    for fragment in &fragments {
        assert!(fragment.len() <= usize::from(FRAGMENT_BYTES));
        assert!(call.is_none(), "only the last fragment completes the call");
        match server.on_fragment(fragment).expect("a call") {
            Incoming::More => {}
            Incoming::Answer(_) => panic!("a call is no bind"),
            Incoming::Call {
                call_id,
                operation,
                stub,
            } => call = Some((call_id, operation, stub)),
        }
    }
    let (call_id, operation, stub) = call.expect("the whole call");
    assert_eq!((call_id, operation), (2, 42));
    assert!(stub == question);
    let answers = server.response(call_id, &question);
    let (last, first) = answers.split_last().expect("fragments");
    for fragment in first {
        assert_eq!(client.on_fragment(fragment), Ok(Progress::More));
    }
    assert_eq!(client.on_fragment(last), Ok(Progress::Done(question)));
    assert!(!client.is_broken());
}

#[test]
fn an_empty_stub_is_one_fragment() {
    let (mut client, server) = bound();
    assert_eq!(client.request(0, &[]).len(), 1);
    let answer = server.response(2, &[]);
    assert_eq!(answer.len(), 1);
    assert_eq!(client.on_fragment(&answer[0]), Ok(Progress::Done(vec![])));
}

#[test]
fn a_fault_ends_the_call_but_not_the_connection() {
    let (mut client, server) = bound();
    drop(client.request(42, &[]));
    let fault = server.fault(2, FAULT_NO_SUCH_OPERATION);
    let error = client.on_fragment(&fault).expect_err("a fault");
    assert_eq!(error, WireError::Fault(FAULT_NO_SUCH_OPERATION));
    assert_snapshot!(error, @"the server answered with RPC fault 0x1c010002 (no such operation)");
    drop(client.request(14, &[]));
    let answer = server.response(3, &[9]);
    assert_eq!(client.on_fragment(&answer[0]), Ok(Progress::Done(vec![9])));
}

#[test]
fn a_fault_in_the_middle_of_an_answer_leaves_nothing_behind() {
    let (mut client, server) = bound();
    drop(client.request(42, &[]));
    assert_eq!(
        client.on_fragment(&response(2, FIRST, &[1; 8])),
        Ok(Progress::More)
    );
    assert_eq!(
        client.on_fragment(&server.fault(2, 5)),
        Err(WireError::Fault(5))
    );
    drop(client.request(14, &[]));
    assert_eq!(
        client.on_fragment(&response(3, FIRST | LAST, &[7])),
        Ok(Progress::Done(vec![7]))
    );
}

#[test]
fn what_no_server_may_answer_breaks_the_connection() {
    let whole = FIRST | LAST;
    assert_snapshot!(refused(&response(1, whole, &[])), @"the answer is for call 1, but call 2 was asked");
    assert_snapshot!(refused(&response(2, LAST, &[1])), @"the first-fragment flag has the impossible value 0x2");
    assert_snapshot!(refused(&response(2, FIRST, &[])), @"the length of a fragment that is not the last has the impossible value 0x0");
    assert_snapshot!(refused(&packet(PacketKind::BIND, 2, whole, &[])), @"a bind packet came where the answer to a call was due");
    assert_snapshot!(refused(&packet(PacketKind(14), 2, whole, &[])), @"a alter_context packet came where the answer to a call was due");
    assert_snapshot!(refused(&packet(PacketKind::FAULT, 2, whole, &[])), @"the message ends inside the status of the fault: 4 bytes needed, 0 left");
    assert_snapshot!(refused(&[]), @"the message ends inside the packet header: 16 bytes needed, 0 left");
    let mut fragment = response(2, whole, &[1, 2, 3, 4]);
    fragment.pop();
    assert_snapshot!(refused(&fragment), @"the message ends inside the packet: 28 bytes needed, 27 left");
    fragment.extend([4, 5]);
    assert_snapshot!(refused(&fragment), @"the length of the packet is 29, over the limit of 28");
    assert_snapshot!(refused(&bytes("05000203 10000000 10000000 02000000")), @"the message ends inside the header of the answer: 8 bytes needed, 0 left");
}

#[test]
fn what_is_no_packet_is_refused() {
    assert_snapshot!(refused(&bytes("04000203 10000000 18000000 02000000 0000000000000000")), @"the protocol version has the impossible value 0x4");
    assert_snapshot!(refused(&bytes("05020203 10000000 18000000 02000000 0000000000000000")), @"the protocol version has the impossible value 0x205");
    assert_snapshot!(refused(&bytes("05000203 00000000 18000000 02000000 0000000000000000")), @"the data representation has the impossible value 0x0");
    assert_snapshot!(refused(&bytes("05000203 10000000 00000000 02000000")), @"the fragment length has the impossible value 0x0");
    assert_snapshot!(refused(b"HTTP/1.1 400 Bad Request"), @"the protocol version has the impossible value 0x5448");
}

#[test]
fn a_second_first_fragment_is_refused() {
    let (mut client, _) = bound();
    drop(client.request(15, &[]));
    assert_eq!(
        client.on_fragment(&response(2, FIRST, &[1])),
        Ok(Progress::More)
    );
    assert_eq!(
        client.on_fragment(&response(2, FIRST, &[1])),
        Err(WireError::BadValue {
            what: "the first-fragment flag",
            value: 1
        })
    );
}

#[test]
fn an_answer_ends_at_its_limit() {
    let (mut client, _) = bound();
    drop(client.request(15, &[]));
    let part = vec![0; 60_000];
    let mut taken = 0;
    let error = loop {
        let flags = if taken == 0 { FIRST } else { 0 };
        match client.on_fragment(&response(2, flags, &part)) {
            Ok(Progress::More) => taken += part.len(),
            Ok(Progress::Done(_)) => panic!("no last fragment was sent"),
            Err(error) => break error,
        }
    };
    assert!(taken <= REPLY_BYTES_MAX && taken + part.len() > REPLY_BYTES_MAX);
    assert!(matches!(
        error,
        WireError::OverLimit {
            what: "the size of the message",
            ..
        }
    ));
}

#[test]
fn an_answer_in_crumbs_ends_at_its_limit() {
    let (mut client, _) = bound();
    drop(client.request(15, &[]));
    let mut number = 0;
    let error = loop {
        let flags = if number == 0 { FIRST } else { 0 };
        match client.on_fragment(&response(2, flags, &[0])) {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(number, FRAGMENTS_MAX);
    assert!(matches!(
        error,
        WireError::OverLimit {
            what: "the number of fragments",
            ..
        }
    ));
}

#[test]
fn a_security_trailer_is_cut_with_its_padding() {
    // Stub 1 2 3 4, four bytes of padding, the trailer (padding 4), eight bytes of security.
    let trailed = bytes(
        "05000203 10000000 30000800 02000000 04000000 00000000
         01020304 aaaaaaaa 0a060400 00000000 ffffffffffffffff",
    );
    let (mut client, _) = bound();
    drop(client.request(15, &[]));
    assert_eq!(
        client.on_fragment(&trailed),
        Ok(Progress::Done(vec![1, 2, 3, 4]))
    );
}

#[test]
fn a_security_trailer_longer_than_its_packet_is_refused() {
    let long = bytes(
        "05000203 10000000 30002000 02000000 04000000 00000000
         01020304 aaaaaaaa 0a060400 00000000 ffffffffffffffff",
    );
    assert_snapshot!(refused(&long), @"the message ends inside the security trailer: 40 bytes needed, 32 left");
    let huge = bytes("05000203 10000000 1800ffff 02000000 04000000 00000000");
    assert_snapshot!(refused(&huge), @"the message ends inside the security trailer: 65543 bytes needed, 8 left");
    let padding = bytes(
        "05000203 10000000 30000800 02000000 04000000 00000000
         01020304 aaaaaaaa 0a06ff00 00000000 ffffffffffffffff",
    );
    assert_snapshot!(refused(&padding), @"the message ends inside the padding before the security trailer: 255 bytes needed, 16 left");
    // Padding that would eat the header of the answer.
    let padding = bytes(
        "05000203 10000000 30000800 02000000 04000000 00000000
         01020304 aaaaaaaa 0a060d00 00000000 ffffffffffffffff",
    );
    assert_snapshot!(refused(&padding), @"the message ends inside the header of the answer: 8 bytes needed, 3 left");
}

#[test]
fn a_stream_says_how_long_its_next_packet_is() {
    let packet = response(2, FIRST | LAST, &[1, 2, 3]);
    for end in 0..16 {
        assert_eq!(fragment_length(&packet[..end]), None);
    }
    assert_eq!(fragment_length(&packet[..16]), Some(Ok(27)));
    assert_eq!(fragment_length(&packet), Some(Ok(27)));
    assert!(matches!(fragment_length(&[0xff; 16]), Some(Err(_))));
}

#[test]
fn calls_out_of_order_are_errors() {
    let mut client = Client::new(SERVICE_CONTROL);
    // An answer where only the bind was sent.
    assert_eq!(client.on_fragment(&[]), Err(WireError::Broken));
    let (mut client, _) = bound();
    // An answer to no call, and a second answer to the bind.
    assert_eq!(
        client.on_fragment(&response(1, FIRST | LAST, &[])),
        Err(WireError::Broken)
    );
    let (mut client, _) = bound();
    assert_eq!(client.on_bind_reply(&[]), Err(WireError::Broken));
}

#[test]
fn the_late_answer_to_a_call_given_up_is_refused() {
    let (mut client, server) = bound();
    drop(client.request(15, &[]));
    let late = server.response(2, &[1]);
    drop(client.request(16, &[]));
    assert_eq!(
        client.on_fragment(&late[0]),
        Err(WireError::CallId {
            expected: 3,
            got: 2
        })
    );
}

#[test]
fn a_server_that_takes_less_is_sent_less() {
    let ack = |takes: &str| {
        bytes(&std::format!(
            "05000c03 10000000 38000000 01000000 b810{takes} 00000000 0000 0000
             01000000 0000 0000 045d888aeb1cc9119fe808002b104860 02000000"
        ))
    };
    // What the server takes, and the longest fragment sent: never more than offered, never less than
    // everyone must take, and whole words.
    for (takes, longest) in [("d007", 2000), ("ffff", 4280), ("0000", 1432)] {
        let mut client = Client::new(SERVICE_CONTROL);
        assert_eq!(client.on_bind_reply(&ack(takes)), Ok(()));
        let fragments = client.request(15, &[0; 9000]);
        assert_eq!(fragments[0].len(), longest);
        let stub: usize = fragments.iter().map(|fragment| fragment.len() - 24).sum();
        assert_eq!(stub, 9000);
    }
}

#[test]
fn a_server_refuses_other_interfaces_and_calls_before_a_bind() {
    let mut other = SERVICE_CONTROL;
    other.version = 1;
    let mut client = Client::new(other);
    let mut server = Server::new(SERVICE_CONTROL);
    let Ok(Incoming::Answer(answer)) = server.on_fragment(&client.bind()) else {
        panic!("the server answers a bind");
    };
    assert_eq!(
        client.on_bind_reply(&answer),
        Err(WireError::InterfaceRefused {
            result: 2,
            reason: 1
        })
    );
    let call = packet(PacketKind::REQUEST, 2, FIRST | LAST, &[]);
    let Ok(Incoming::Answer(fault)) = server.on_fragment(&call) else {
        panic!("a call without a bind is answered with a fault");
    };
    assert_eq!(fault, server.fault(2, FAULT_UNKNOWN_INTERFACE));
}

#[test]
fn a_bind_with_ndr64_beside_ndr32_is_taken_and_one_without_ndr32_is_not() {
    let syntax = "81bb7a36 4498f135 ad3298f0 38001003 02000000";
    let ndr64 = "33057171 babe3749 8319b5db ef9ccc36 01000000";
    let ndr = "045d888a eb1cc911 9fe80800 2b104860 02000000";
    let bind = std::format!(
        "05000b03 10000000 88000000 01000000 b810b810 00000000 02000000
         0000 0100 {syntax} {ndr64}  0100 0200 {syntax} {ndr64} {ndr}"
    );
    let mut server = Server::new(SERVICE_CONTROL);
    let Ok(Incoming::Answer(answer)) = server.on_fragment(&bytes(&bind)) else {
        panic!("the server answers a bind");
    };
    // Two results: no such transfer syntax; taken.
    assert_snapshot!(hex(&answer[28..]), @r"
    02000000 02000200 00000000 00000000
    00000000 00000000 00000000 00000000
    045d888a eb1cc911 9fe80800 2b104860
    02000000
    ");
}

#[test]
fn a_bind_that_cannot_be_read_is_refused_without_breaking() {
    let mut server = Server::new(SERVICE_CONTROL);
    let bind = bytes("05000b03 10000000 1c000000 01000000 b810b810 00000000 ff000000");
    let Ok(Incoming::Answer(nak)) = server.on_fragment(&bind) else {
        panic!("the server answers a bind");
    };
    assert_snapshot!(hex(&nak), @r"
    05000d03 10000000 15000000 01000000
    00000105 00
    ");
}

#[test]
fn a_server_skips_the_object_of_a_call() {
    let (_, mut server) = bound();
    let call = bytes(
        "05000083 10000000 2c000000 02000000 04000000 00001000
         0102030405060708090a0b0c0d0e0f10 aabbccdd",
    );
    assert_eq!(
        server.on_fragment(&call),
        Ok(Incoming::Call {
            call_id: 2,
            operation: 16,
            stub: bytes("aabbccdd")
        })
    );
}

#[test]
fn a_server_refuses_calls_that_mix_or_do_not_end() {
    let (_, mut server) = bound();
    let request = |call_id, flags, stub: &[u8]| packet(PacketKind::REQUEST, call_id, flags, stub);
    assert_eq!(
        server.on_fragment(&request(2, FIRST, &[1])),
        Ok(Incoming::More)
    );
    assert_eq!(
        server.on_fragment(&request(3, LAST, &[1])),
        Err(WireError::CallId {
            expected: 2,
            got: 3
        })
    );
    assert_eq!(
        server.on_fragment(&request(2, LAST, &[1])),
        Err(WireError::Broken)
    );

    let (_, mut server) = bound();
    let part = vec![0; 60_000];
    let mut taken = 0;
    while let Ok(incoming) =
        server.on_fragment(&request(2, if taken == 0 { FIRST } else { 0 }, &part))
    {
        assert_eq!(incoming, Incoming::More);
        taken += part.len();
    }
    assert!(taken <= REQUEST_BYTES_MAX && taken + part.len() > REQUEST_BYTES_MAX);

    let (client, mut server) = bound();
    assert_eq!(
        server.on_fragment(&request(2, FIRST, &[1])),
        Ok(Incoming::More)
    );
    assert!(matches!(
        server.on_fragment(&client.bind()),
        Err(WireError::UnexpectedPacket {
            got: PacketKind::BIND,
            ..
        })
    ));
}
