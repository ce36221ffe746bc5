//! What of a call is kept. Everything is decoded and encoded again, so that nothing goes along that was not understood;
//! command lines are masked as wherever else they are shown, and free texts are blanked.

use svcwatch_wire::WireError;
use svcwatch_wire::scmr::{
    CloseServiceHandle, CloseServiceHandleReply, Config2, Config2Level, EnumServicesStatus,
    EnumServicesStatusEx, OpenScManager, OpenScManagerReply, OpenService, OpenServiceReply,
    QueryServiceConfig, QueryServiceConfig2, QueryServiceConfig2Reply, QueryServiceConfigEx,
    QueryServiceConfigExReply, QueryServiceConfigReply, QueryServiceStatus, QueryServiceStatusEx,
    QueryServiceStatusExReply, QueryServiceStatusReply, Reply, Request,
};

use crate::probe::command_line;

/// Size of a service in a list with processes and in one without, in bytes (MS-SCMR 2.2.13 and 2.2.11).
const WITH_PROCESS: usize = 44;
const PLAIN: usize = 36;

/// The arguments of a call; None where they are not understood.
pub(super) fn request(operation: u16, stub: &[u8]) -> Option<Vec<u8>> {
    fn again<R: Request>(stub: &[u8]) -> Option<Vec<u8>> {
        R::decode(stub).ok().map(|request| request.encode())
    }
    match operation {
        CloseServiceHandle::OPNUM => again::<CloseServiceHandle>(stub),
        QueryServiceStatus::OPNUM => again::<QueryServiceStatus>(stub),
        EnumServicesStatus::OPNUM => again::<EnumServicesStatus>(stub),
        OpenScManager::OPNUM => again::<OpenScManager>(stub),
        OpenService::OPNUM => again::<OpenService>(stub),
        QueryServiceConfig::OPNUM => again::<QueryServiceConfig>(stub),
        QueryServiceConfig2::OPNUM => again::<QueryServiceConfig2>(stub),
        QueryServiceStatusEx::OPNUM => again::<QueryServiceStatusEx>(stub),
        EnumServicesStatusEx::OPNUM => again::<EnumServicesStatusEx>(stub),
        QueryServiceConfigEx::OPNUM => again::<QueryServiceConfigEx>(stub),
        _ => None,
    }
}

/// The answer to a call, or why it is left out.
pub(super) fn reply(operation: u16, request: &[u8], stub: &[u8]) -> Result<Vec<u8>, String> {
    fn again<R: Reply>(stub: &[u8]) -> Result<Vec<u8>, WireError> {
        R::decode(stub).map(|reply| reply.encode())
    }
    let kept = match operation {
        CloseServiceHandle::OPNUM => again::<CloseServiceHandleReply>(stub),
        QueryServiceStatus::OPNUM => again::<QueryServiceStatusReply>(stub),
        OpenScManager::OPNUM => again::<OpenScManagerReply>(stub),
        OpenService::OPNUM => again::<OpenServiceReply>(stub),
        QueryServiceStatusEx::OPNUM => again::<QueryServiceStatusExReply>(stub),
        // Of lists the very bytes are kept, because it is their layout that differs between servers.
        EnumServicesStatus::OPNUM => return list(stub, PLAIN),
        EnumServicesStatusEx::OPNUM => return list(stub, WITH_PROCESS),
        QueryServiceConfig::OPNUM => config(stub),
        // What an error of these tells may be a piece of the text.
        QueryServiceConfig2::OPNUM => {
            return config2(request, stub).map_err(|_| "it is not understood".to_owned());
        }
        QueryServiceConfigEx::OPNUM => triggers(stub),
        _ => {
            return Err(format!(
                "nobody says what may be in answers to call {operation}"
            ));
        }
    };
    kept.map_err(|error| format!("it is not understood: {error}"))
}

fn config(stub: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut reply = QueryServiceConfigReply::decode(stub)?;
    if let Some(config) = &mut reply.config {
        config.binary_path = config.binary_path.as_deref().map(command_line::masked);
    }
    Ok(reply.encode())
}

fn config2(request: &[u8], stub: &[u8]) -> Result<Vec<u8>, WireError> {
    let unknown = WireError::BadValue {
        what: "the level of the configuration",
        value: 0,
    };
    let asked = QueryServiceConfig2::decode(request)?;
    let level = Config2Level::from_raw(asked.level).ok_or(unknown)?;
    let mut reply = QueryServiceConfig2Reply::decode(stub)?;
    let size = reply.buffer.len();
    reply.buffer.clear();
    if let Some(mut config) = QueryServiceConfig2Reply::decode(stub)?.config(level)? {
        match &mut config {
            Config2::Description(Some(text)) => *text = blanked(text),
            Config2::FailureActions(actions) => {
                actions.command = actions.command.as_deref().map(command_line::masked);
                actions.reboot_message = actions.reboot_message.as_deref().map(blanked);
            }
            Config2::Description(None)
            | Config2::DelayedAutoStart(_)
            | Config2::FailureActionsFlag(_)
            | Config2::ServiceSid(_)
            | Config2::RequiredPrivileges(_)
            | Config2::Preshutdown(_) => {}
        }
        reply.buffer = config.encode();
    }
    if reply.buffer.len() < size {
        reply.buffer.resize(size, 0);
    }
    Ok(reply.encode())
}

fn triggers(stub: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut reply = QueryServiceConfigExReply::decode(stub)?;
    let triggers = reply.triggers.iter_mut().flatten();
    for item in triggers.flat_map(|trigger| trigger.items.iter_mut().flatten()) {
        if let Some(data) = &mut item.data {
            data.fill(0);
        }
    }
    Ok(reply.encode())
}

/// A text of the same length that says nothing.
fn blanked(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_whitespace() { ' ' } else { 'x' })
        .collect()
}

/// The bytes of a list in which everything is zero that neither belongs to a service nor to its names. A host may have
/// left in the buffer what was in its memory before.
fn list(stub: &[u8], entry: usize) -> Result<Vec<u8>, String> {
    let mut kept = stub.to_vec();
    let short = || "it is shorter than it says".to_owned();
    let size = word(stub, 0).ok_or_else(short)?;
    let end = size
        .checked_add(4)
        .filter(|end| *end <= stub.len())
        .ok_or_else(short)?;
    let behind = end.next_multiple_of(4);
    let returned = word(stub, behind.saturating_add(4)).ok_or_else(short)?;
    let buffer = stub.get(4..end).unwrap_or_default();
    let fixed = returned.saturating_mul(entry).min(size);
    let mut used = vec![false; size];
    used.iter_mut().take(fixed).for_each(|used| *used = true);
    // Offsets may lead to the same text again and again; each place is walked once.
    for service in (0..fixed).step_by(entry) {
        for field in [service, service.saturating_add(4)] {
            let mut at = word(buffer, field).unwrap_or(usize::MAX);
            // No name stands among the fixed parts, so one that seems to is not followed.
            while at >= fixed
                && let Some([low, high]) = buffer.get(at..).and_then(|rest| rest.first_chunk())
            {
                let ended = (low, high) == (&0, &0);
                let walked = used.get(at) == Some(&true);
                if let Some(both) = used.get_mut(at..at.saturating_add(2)) {
                    both.fill(true);
                }
                if ended || walked {
                    break;
                }
                at = at.saturating_add(2);
            }
        }
    }
    for (byte, used) in kept.iter_mut().skip(4).zip(used) {
        if !used {
            *byte = 0;
        }
    }
    Ok(kept)
}

/// The little-endian word that stands at a place.
fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*word)).ok()
}
