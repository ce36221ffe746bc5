//! Conversations with each kind of server, and with servers that never end.

use super::{HANDLE, service};
use crate::WireError;
use crate::limits::{ENUMERATION_BYTES_MAX, ENUMERATION_CALLS_MAX};
use crate::pdu::FAULT_NO_SUCH_OPERATION;
use crate::scmr::{
    Code, EnumServicesStatus, EnumServicesStatusEx, EnumServicesStatusExReply,
    EnumServicesStatusReply, EnumeratedService, Enumeration, EnumerationError, Reply, Request,
};
use std::format;
use std::vec::Vec;

fn services(number: u32) -> Vec<EnumeratedService> {
    (0..number)
        .map(|n| service(&format!("service{n}")))
        .collect()
}

fn asked(enumeration: &Enumeration) -> EnumServicesStatusEx {
    let (operation, stub) = enumeration.next_request();
    assert_eq!(operation, 42);
    EnumServicesStatusEx::decode(&stub).expect("what we ask can be read")
}

/// Drives an enumeration against a server; gives the list and the number of calls.
fn drive(
    enumeration: &mut Enumeration,
    mut server: impl FnMut(EnumServicesStatusEx) -> EnumServicesStatusExReply,
) -> Result<(Vec<EnumeratedService>, u32), EnumerationError> {
    for calls in 1..=ENUMERATION_CALLS_MAX + 2 {
        let reply = server(asked(enumeration)).encode();
        if let Some(services) = enumeration.on_reply(Ok(reply))? {
            return Ok((services, calls));
        }
    }
    panic!("the enumeration must end by itself");
}

#[test]
fn a_server_like_windows_is_asked_twice_and_then_once() {
    let all = services(250);
    let server = |asked: EnumServicesStatusEx| {
        EnumServicesStatusExReply::page(&all, asked.buffer_size, asked.resume.unwrap_or(0))
    };
    let mut enumeration = Enumeration::new(HANDLE, None, true);
    let (list, calls) = drive(&mut enumeration, server).expect("the list");
    assert!(list == all);
    assert_eq!(calls, 2);
    let remembered = enumeration.buffer_size();
    let mut next = Enumeration::new(HANDLE, Some(remembered), true);
    let (list, calls) = drive(&mut next, server).expect("the list");
    assert!(list == all);
    assert_eq!(calls, 1);
    // The same one can be used again, too.
    assert_eq!(drive(&mut enumeration, server).expect("the list").1, 1);
    assert_eq!(enumeration.buffer_size(), remembered);
}

#[test]
fn a_server_like_wine_is_asked_twice_and_then_once() {
    let all = services(250);
    let server =
        |asked: EnumServicesStatusEx| EnumServicesStatusExReply::whole(&all, asked.buffer_size);
    let mut enumeration = Enumeration::new(HANDLE, None, true);
    let (list, calls) = drive(&mut enumeration, server).expect("the list");
    assert!(list == all);
    assert_eq!(calls, 2);
    let mut next = Enumeration::new(HANDLE, Some(enumeration.buffer_size()), true);
    assert_eq!(drive(&mut next, server).expect("the list").1, 1);
}

#[test]
fn a_server_without_the_call_is_asked_the_older_one() {
    let all = services(8);
    let mut enumeration = Enumeration::new(HANDLE, None, true);
    let fault = WireError::Fault(FAULT_NO_SUCH_OPERATION);
    assert_eq!(enumeration.on_reply(Err(fault.clone())), Ok(None));
    let (operation, stub) = enumeration.next_request();
    assert_eq!(operation, 14);
    let asked = EnumServicesStatus::decode(&stub).expect("what we ask can be read");
    assert_eq!(asked.resume, Some(0));
    let reply = EnumServicesStatusReply::whole(&all, asked.buffer_size).encode();
    let list = enumeration
        .on_reply(Ok(reply))
        .expect("an answer")
        .expect("the list");
    assert_eq!(list.len(), 8);
    assert!(list.iter().all(|service| service.pid.is_none()));
    assert!(!enumeration.has_processes());
    // Remembered, it is asked first; and without the older call too, that is the host's fault.
    let mut next = Enumeration::new(HANDLE, None, enumeration.has_processes());
    assert_eq!(next.next_request().0, 14);
    assert_eq!(
        next.on_reply(Err(fault.clone())),
        Err(EnumerationError::Wire(fault))
    );
}

#[test]
fn a_list_larger_than_the_largest_buffer_comes_in_parts() {
    let all = services(4000);
    let mut enumeration = Enumeration::new(HANDLE, None, true);
    let (list, calls) = drive(&mut enumeration, |asked| {
        assert!(asked.buffer_size <= ENUMERATION_BYTES_MAX);
        EnumServicesStatusExReply::page(&all, asked.buffer_size, asked.resume.unwrap_or(0))
    })
    .expect("the list");
    assert!(list == all);
    assert!(calls <= 4, "{calls} calls");
    assert_eq!(enumeration.buffer_size(), ENUMERATION_BYTES_MAX);
}

#[test]
fn a_list_larger_than_the_largest_buffer_from_a_server_that_gives_all_or_none_is_an_error() {
    let all = services(4000);
    let mut enumeration = Enumeration::new(HANDLE, None, true);
    let error = drive(&mut enumeration, |asked| {
        EnumServicesStatusExReply::whole(&all, asked.buffer_size)
    });
    assert_eq!(
        error.map(|(_, calls)| calls),
        Err(EnumerationError::TooLarge {
            limit: ENUMERATION_BYTES_MAX
        })
    );
}

#[test]
fn codes_and_faults_are_handed_on() {
    let mut enumeration = Enumeration::new(HANDLE, None, true);
    let refused = EnumServicesStatusExReply::refused(Code::SHUTDOWN_IN_PROGRESS, 4096);
    assert_eq!(
        enumeration.on_reply(Ok(refused.encode())),
        Err(EnumerationError::Refused(Code::SHUTDOWN_IN_PROGRESS))
    );
    assert_eq!(
        enumeration.on_reply(Err(WireError::Fault(5))),
        Err(EnumerationError::Wire(WireError::Fault(5)))
    );
    assert!(matches!(
        enumeration.on_reply(Ok(Vec::new())),
        Err(EnumerationError::Wire(WireError::Truncated { .. }))
    ));
}

/// An answer that says there is more.
fn more(
    services: Vec<EnumeratedService>,
    needed: u32,
    resume: Option<u32>,
) -> EnumServicesStatusExReply {
    EnumServicesStatusExReply {
        services,
        buffer_size: 4096,
        needed,
        resume,
        code: Code::MORE_DATA,
    }
}

#[test]
fn servers_that_never_end_are_left() {
    let endless = |result: Result<(Vec<EnumeratedService>, u32), EnumerationError>| match result {
        Err(EnumerationError::Endless { what }) => what,
        other => panic!("not endless: {other:?}"),
    };
    let start = || Enumeration::new(HANDLE, None, true);
    let one = || services(1);
    // The resume index stands still, goes back, or is missing.
    let still = drive(&mut start(), |_| more(one(), 100, Some(1)));
    assert_eq!(endless(still), "the resume index does not advance");
    let back = drive(&mut start(), |asked| {
        more(
            one(),
            100,
            Some(if asked.resume == Some(0) { 5 } else { 3 }),
        )
    });
    assert_eq!(endless(back), "the resume index does not advance");
    let missing = drive(&mut start(), |_| more(one(), 100, None));
    assert_eq!(endless(missing), "the resume index does not advance");
    // It advances for ever.
    let on = drive(&mut start(), |asked| {
        more(one(), 100, asked.resume.map(|resume| resume + 1))
    });
    assert_eq!(endless(on), "too many calls");
    // Nothing comes, and nothing more is asked for.
    let nothing = drive(&mut start(), |_| more(Vec::new(), 0, Some(0)));
    assert_eq!(endless(nothing), "nothing came and nothing more is needed");
    // What is needed grows by one each time.
    let crumbs = drive(&mut start(), |_| more(Vec::new(), 1, Some(0)));
    assert_eq!(endless(crumbs), "too many calls");
    // What is needed grows with what was asked for.
    let growing = drive(&mut start(), |asked| {
        more(Vec::new(), asked.buffer_size + 1, Some(0))
    });
    assert!(matches!(growing, Err(EnumerationError::TooLarge { .. })));
    let most = drive(&mut start(), |_| more(Vec::new(), u32::MAX, Some(0)));
    assert!(matches!(most, Err(EnumerationError::TooLarge { .. })));
}

#[test]
fn a_remembered_size_is_kept_within_bounds() {
    for (remembered, size) in [
        (Some(0), 1024),
        (Some(5000), 5000),
        (Some(u32::MAX), ENUMERATION_BYTES_MAX),
        (None, Enumeration::FIRST_BYTES),
    ] {
        let enumeration = Enumeration::new(HANDLE, remembered, true);
        assert_eq!(asked(&enumeration).buffer_size, size);
    }
}
