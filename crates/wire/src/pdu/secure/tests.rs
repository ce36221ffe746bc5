use super::*;
use crate::pdu::{
    Client, EVENT_LOG, FAULT_ACCESS_DENIED, Incoming, Progress, SERVICE_CONTROL, fragment_length,
};
use crate::{PacketKind, WireError};
use proptest::prelude::*;
use std::vec;

/// A seal that hides nothing and notices every change: what a seal must do, without the cipher.
#[derive(Debug, Clone)]
struct Toy {
    sent: u8,
    received: u8,
    size: usize,
}

impl Toy {
    const fn new() -> Self {
        Self {
            sent: 0,
            received: 0,
            size: 16,
        }
    }
}

fn sum(packet: &[u8], number: u8, size: usize) -> Vec<u8> {
    let mut sum = vec![number; size];
    for (at, byte) in packet.iter().enumerate() {
        let slot = &mut sum[at % size];
        *slot = slot.rotate_left(3) ^ byte;
    }
    sum
}

impl Protection for Toy {
    fn signature_bytes(&self) -> usize {
        self.size
    }

    fn seal(&mut self, packet: &mut [u8], body: Range<usize>) -> Result<Vec<u8>, BadSeal> {
        assert!(body.len().is_multiple_of(BODY_MULTIPLE), "{body:?}");
        self.sent = self.sent.wrapping_add(1);
        let signature = sum(packet, self.sent, self.size);
        packet[body].iter_mut().for_each(|byte| *byte ^= 0x5a);
        Ok(signature)
    }

    fn unseal(
        &mut self,
        packet: &mut [u8],
        body: Range<usize>,
        signature: &[u8],
    ) -> Result<(), BadSeal> {
        packet[body].iter_mut().for_each(|byte| *byte ^= 0x5a);
        self.received = self.received.wrapping_add(1);
        if sum(packet, self.received, self.size) == signature {
            Ok(())
        } else {
            Err(BadSeal)
        }
    }
}

/// Lets in who says the word, in two rounds or three.
#[derive(Debug)]
struct Door {
    rounds: u8,
}

impl Accept for Door {
    type Protection = Toy;

    fn provider(&self) -> Provider {
        Provider::NTLM
    }

    fn token(&mut self, token: &[u8], signs_headers: bool) -> Accepted<Toy> {
        assert!(signs_headers);
        self.rounds -= 1;
        match token {
            b"wrong" => Accepted::Refused,
            _ if self.rounds == 0 => Accepted::Proved(b"fine".to_vec(), Toy::new()),
            _ => Accepted::Challenge(b"who are you?".to_vec()),
        }
    }
}

fn pair() -> (SecureClient<Toy>, SecureServer<Door>) {
    (
        SecureClient::new(EVENT_LOG, Provider::NTLM),
        SecureServer::new(EVENT_LOG, Door { rounds: 2 }),
    )
}

fn answer(server: &mut SecureServer<Door>, packet: &[u8]) -> Vec<u8> {
    match server.on_fragment(packet) {
        Ok(Incoming::Answer(answer)) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

fn bound() -> (SecureClient<Toy>, SecureServer<Door>) {
    let (mut client, mut server) = pair();
    let ack = answer(&mut server, &client.bind(b"hello").unwrap());
    let bound = client.on_bind_reply(&ack).unwrap();
    assert_eq!(
        (bound.token.as_slice(), bound.signs_headers),
        (b"who are you?".as_slice(), true)
    );
    let proof = client.prove(b"me").unwrap();
    assert_eq!(server.on_fragment(&proof), Ok(Incoming::More));
    client.protect(Toy::new()).unwrap();
    (client, server)
}

/// Sends a call and gives what the server read.
fn call(
    client: &mut SecureClient<Toy>,
    server: &mut SecureServer<Door>,
    operation: u16,
    stub: &[u8],
) -> (u32, u16, Vec<u8>) {
    for packet in client.request(operation, stub).unwrap() {
        assert_eq!(fragment_length(&packet), Some(Ok(packet.len())));
        assert!(packet.len() <= 4280, "{}", packet.len());
        match server.on_fragment(&packet).unwrap() {
            Incoming::More => {}
            Incoming::Call {
                call_id,
                operation,
                stub,
            } => return (call_id, operation, stub),
            Incoming::Answer(answer) => panic!("refused: {answer:?}"),
        }
    }
    panic!("the call never ended");
}

fn reply(client: &mut SecureClient<Toy>, packets: &[Vec<u8>]) -> Vec<u8> {
    for packet in packets {
        match client.on_fragment(packet).unwrap() {
            Progress::More => {}
            Progress::Done(stub) => return stub,
        }
    }
    panic!("the answer never ended");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn calls_of_every_size_go_there_and_back(
        sizes in proptest::collection::vec((0..9_000_usize, 0..20_000_usize), 1..4),
    ) {
        let (mut client, mut server) = bound();
        for (there, back) in sizes {
            let stub: Vec<u8> = (0..there).map(|at| at.to_le_bytes()[0]).collect();
            let (call_id, operation, read) = call(&mut client, &mut server, 10, &stub);
            prop_assert_eq!((operation, &read), (10, &stub));
            let stub = vec![7; back];
            let packets = server.response(call_id, &stub).unwrap();
            prop_assert_eq!(reply(&mut client, &packets), stub);
        }
    }

    #[test]
    fn no_changed_byte_of_an_answer_is_believed(
        size in 0..6_000_usize,
        at in any::<prop::sample::Index>(),
        with in 1..=255_u8,
    ) {
        let (mut client, mut server) = bound();
        let (call_id, ..) = call(&mut client, &mut server, 10, b"read");
        let mut packets = server.response(call_id, &vec![7; size]).unwrap();
        let which = at.index(packets.len());
        let packet = &mut packets[which];
        let at = at.index(packet.len());
        packet[at] ^= with;
        let refused = packets.iter().any(|packet| client.on_fragment(packet).is_err());
        prop_assert!(refused);
        prop_assert!(client.is_broken());
    }
}

#[test]
fn a_packet_is_laid_out_as_the_standard_says() {
    let (mut client, _server) = bound();
    let packets = client.request(4, b"twenty bytes of stub").unwrap();
    let [packet] = packets.as_slice() else {
        panic!("one packet is enough");
    };
    // Header 24, stub 20, filling 12, trailer 8, signature 16.
    assert_eq!(packet.len(), 80);
    assert_eq!(packet[8..12], [80, 0, 16, 0]);
    assert_eq!(packet[22..24], [4, 0], "the operation is readable");
    assert_eq!(packet[56..64], [10, 6, 12, 0, 1, 0, 0, 0]);
    assert!(!packet.windows(6).any(|bytes| bytes == b"twenty"));
}

#[test]
fn three_rounds_go_by_a_further_bind() {
    let mut client = SecureClient::new(EVENT_LOG, Provider::NTLM);
    let mut server = SecureServer::new(EVENT_LOG, Door { rounds: 2 });
    let ack = answer(&mut server, &client.bind(b"hello").unwrap());
    client.on_bind_reply(&ack).unwrap();
    let alter = client.alter(b"me").unwrap();
    assert_eq!(PacketKind(alter[2]), PacketKind::ALTER_CONTEXT);
    let ack = answer(&mut server, &alter);
    assert_eq!(client.on_alter_reply(&ack).unwrap(), b"fine");
    client.protect(Toy::new()).unwrap();
    let (call_id, ..) = call(&mut client, &mut server, 1, b"stub");
    let packets = server.response(call_id, b"answer").unwrap();
    assert_eq!(reply(&mut client, &packets), b"answer");
}

#[test]
fn a_server_that_wants_privacy_refuses_calls_without() {
    let mut client = Client::new(EVENT_LOG);
    let mut server = SecureServer::new(EVENT_LOG, Door { rounds: 2 });
    let ack = answer(&mut server, &client.bind());
    client.on_bind_reply(&ack).unwrap();
    let fault = answer(&mut server, &client.request(7, b"open")[0]);
    assert_eq!(
        client.on_fragment(&fault),
        Err(WireError::Fault(FAULT_ACCESS_DENIED))
    );
}

#[test]
fn a_refused_proof_is_a_fault_of_the_first_call() {
    let (mut client, mut server) = pair();
    let ack = answer(&mut server, &client.bind(b"hello").unwrap());
    client.on_bind_reply(&ack).unwrap();
    let proof = client.prove(b"wrong").unwrap();
    assert_eq!(server.on_fragment(&proof), Ok(Incoming::More));
    client.protect(Toy::new()).unwrap();
    let packets = client.request(7, b"open").unwrap();
    let fault = answer(&mut server, &packets[0]);
    assert_eq!(
        client.on_fragment(&fault),
        Err(WireError::Fault(FAULT_ACCESS_DENIED))
    );
    assert!(client.is_broken(), "who is not believed cannot go on");
    assert_eq!(client.request(7, b"open"), Err(WireError::Broken));
}

#[test]
fn answers_without_a_seal_are_not_taken() {
    let (mut client, _) = bound();
    let call_id = 2;
    client.request(10, b"read").unwrap();
    let plain = crate::pdu::Server::new(EVENT_LOG).response(call_id, b"forged");
    assert_eq!(
        client.on_fragment(&plain[0]),
        Err(WireError::Unsealed { what: "the answer" })
    );

    let (mut client, _) = pair();
    client.bind(b"hello").unwrap();
    let mut open = crate::pdu::Server::new(EVENT_LOG);
    let Ok(Incoming::Answer(ack)) = open.on_fragment(&Client::new(EVENT_LOG).bind()) else {
        panic!("the bind is answered");
    };
    assert_eq!(
        client.on_bind_reply(&ack),
        Err(WireError::Unsealed {
            what: "the answer to the bind"
        })
    );
}

#[test]
fn an_answer_that_was_heard_before_is_not_taken_again() {
    let (mut client, mut server) = bound();
    let (call_id, ..) = call(&mut client, &mut server, 10, b"read");
    let mut packets = server.response(call_id, &[7; 9000]).unwrap();
    assert_eq!(client.on_fragment(&packets[0]), Ok(Progress::More));
    packets.swap(1, 2);
    assert_eq!(client.on_fragment(&packets[1]), Err(WireError::WrongSeal));
}

#[test]
fn keys_that_cannot_seal_are_an_error() {
    for size in [0, 257] {
        let (mut client, mut server) = pair();
        let ack = answer(&mut server, &client.bind(b"hello").unwrap());
        client.on_bind_reply(&ack).unwrap();
        client.protect(Toy { size, ..Toy::new() }).unwrap();
        assert_eq!(client.request(7, b"open"), Err(WireError::CannotSeal));
    }
    let long = vec![0; 70_000];
    assert!(matches!(
        pair().0.bind(&long),
        Err(WireError::OverLimit { .. })
    ));
}

#[test]
fn an_interface_that_is_not_there_is_refused() {
    let mut client = SecureClient::<Toy>::new(SERVICE_CONTROL, Provider::NTLM);
    let mut server = SecureServer::new(EVENT_LOG, Door { rounds: 2 });
    let ack = answer(&mut server, &client.bind(b"hello").unwrap());
    assert!(matches!(
        client.on_bind_reply(&ack),
        Err(WireError::InterfaceRefused { .. })
    ));
}
