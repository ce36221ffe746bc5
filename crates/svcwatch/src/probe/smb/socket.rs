//! The TCP side of an SMB connection, with the mends that the SMB library needs.
//!
//! The library speaks SMB correctly but for two bits of its NEGOTIATE: it leaves out the capability of
//! encryption, without which servers choose no cipher for SMB 3.1.1, and it asks for signing only as an
//! option. Both are set here, on the way out; that is also why the handshake's bytes are kept, since the
//! keys of SMB 3.1.1 are derived from what was really sent.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use smb2::transport::{TransportReceive, TransportSend};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::probe::transport::TransportError;

/// The longest message that is read from a host, in bytes. An answer carries at most 64 KiB of data.
const MESSAGE_LIMIT: usize = 256 * 1024;

/// Length of an SMB2 header (MS-SMB2 2.2.1.2).
const HEADER: usize = 64;

/// How many outgoing messages of a handshake are kept: NEGOTIATE and two SESSION_SETUP.
const HANDSHAKE_LIMIT: usize = 3;

/// `SMB2_NEGOTIATE_SIGNING_REQUIRED` (MS-SMB2 2.2.3).
const SIGNING_REQUIRED: u8 = 0x02;

/// `SMB2_GLOBAL_CAP_ENCRYPTION` (MS-SMB2 2.2.3).
const CAPABILITY_ENCRYPTION: u8 = 0x40;

/// What was really sent and received before there were keys.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    /// Outgoing messages in their order: NEGOTIATE, then each SESSION_SETUP.
    pub(super) sent: Vec<Vec<u8>>,
    /// The answer to NEGOTIATE.
    pub(super) negotiated: Vec<u8>,
}

/// What the two halves of the socket and the logon share.
#[derive(Debug, Default)]
pub(super) struct Tap {
    ask_for_encryption: bool,
    handshake: Mutex<Option<Handshake>>,
    failure: Mutex<Option<TransportError>>,
}

impl Tap {
    /// Takes the handshake's messages so far, and goes on recording.
    pub(super) fn with_handshake<T>(&self, look: impl FnOnce(&Handshake) -> T) -> Option<T> {
        self.handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(look)
    }

    /// Ends the recording and forgets what was recorded; the connection is kept for hours.
    pub(super) fn stop(&self) {
        *self
            .handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why the socket failed, if it did: the library itself only says that the connection is gone.
    pub(super) fn failure(&self) -> Option<TransportError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fail(&self, error: TransportError) -> smb2::Error {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        smb2::Error::Disconnected
    }

    fn note_sent(&self, message: &[u8]) {
        if let Some(handshake) = self
            .handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            && handshake.sent.len() < HANDSHAKE_LIMIT
        {
            handshake.sent.push(message.to_vec());
        }
    }

    fn note_received(&self, message: &[u8]) {
        if let Some(handshake) = self
            .handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            && handshake.negotiated.is_empty()
            && is_negotiate(message)
        {
            handshake.negotiated = message.to_vec();
        }
    }
}

/// The outgoing half.
#[derive(Debug)]
pub(super) struct Sender {
    half: tokio::sync::Mutex<OwnedWriteHalf>,
    tap: Arc<Tap>,
}

/// The incoming half.
#[derive(Debug)]
pub(super) struct Receiver {
    half: tokio::sync::Mutex<OwnedReadHalf>,
    tap: Arc<Tap>,
}

/// Splits a connected stream into what the SMB library wants.
pub(super) fn halves(stream: TcpStream, ask_for_encryption: bool) -> (Sender, Receiver, Arc<Tap>) {
    let tap = Arc::new(Tap {
        ask_for_encryption,
        handshake: Mutex::new(Some(Handshake::default())),
        failure: Mutex::new(None),
    });
    let (reader, writer) = stream.into_split();
    let sender = Sender {
        half: tokio::sync::Mutex::new(writer),
        tap: Arc::clone(&tap),
    };
    let receiver = Receiver {
        half: tokio::sync::Mutex::new(reader),
        tap: Arc::clone(&tap),
    };
    (sender, receiver, tap)
}

impl Sender {
    async fn send_message(&self, message: &[u8]) -> smb2::Result<()> {
        // The frame of direct TCP transport: a zero byte and a length of three bytes (MS-SMB2 2.1).
        let length = u32::try_from(message.len())
            .ok()
            .filter(|length| *length < 1 << 24);
        let Some(length) = length else {
            return Err(self.tap.fail(TransportError::Protocol(
                "a request is longer than SMB allows".into(),
            )));
        };
        let mut frame = Vec::with_capacity(4 + message.len());
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(message);
        if let Some(message) = frame.get_mut(4..) {
            mend_negotiate(message, self.tap.ask_for_encryption);
            self.tap.note_sent(message);
        }
        let sent = self.half.lock().await.write_all(&frame).await;
        sent.map_err(|error| self.tap.fail(TransportError::Closed(error.to_string())))
    }
}

impl Receiver {
    async fn receive_message(&self) -> Result<Vec<u8>, TransportError> {
        let mut half = self.half.lock().await;
        let closed = |error: std::io::Error| TransportError::Closed(error.to_string());
        let mut head = [0; 4];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match half.read(rest).await.map_err(closed)? {
                0 if filled == 0 => {
                    return Err(TransportError::Closed("the host closed it".into()));
                }
                0 => return Err(cut_short()),
                more => filled += more,
            }
        }
        let length = message_length(head)?;
        // The buffer grows with what arrives, not with what the host claims.
        let mut message = Vec::with_capacity(length.min(8 * 1024));
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        (&mut *half)
            .take(wanted)
            .read_to_end(&mut message)
            .await
            .map_err(closed)?;
        if message.len() < length {
            return Err(cut_short());
        }
        check_magic(&message)?;
        self.tap.note_received(&message);
        message.shrink_to_fit();
        Ok(message)
    }
}

// The library declares these two traits through a macro that returns boxed futures; written out here, that
// spares a dependency for two functions.
impl TransportSend for Sender {
    fn send<'life0, 'life1, 'async_trait>(
        &'life0 self,
        data: &'life1 [u8],
    ) -> Pin<Box<dyn Future<Output = smb2::Result<()>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.send_message(data))
    }
}

impl TransportReceive for Receiver {
    fn receive<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = smb2::Result<Vec<u8>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            self.receive_message()
                .await
                .map_err(|error| self.tap.fail(error))
        })
    }
}

/// Sets the two bits that the library leaves out, if this is a NEGOTIATE request (MS-SMB2 2.2.3).
fn mend_negotiate(message: &mut [u8], ask_for_encryption: bool) {
    if !is_negotiate(message) {
        return;
    }
    if let Some(security_mode) = message.get_mut(HEADER + 4) {
        *security_mode |= SIGNING_REQUIRED;
    }
    if let Some(capabilities) = message.get_mut(HEADER + 8).filter(|_| ask_for_encryption) {
        *capabilities |= CAPABILITY_ENCRYPTION;
    }
}

/// Whether this is a NEGOTIATE: command 0 at offset 12 of a plain SMB2 header (MS-SMB2 2.2.1.2).
fn is_negotiate(message: &[u8]) -> bool {
    message.len() > HEADER
        && message.starts_with(b"\xfeSMB")
        && message.get(12..14) == Some(&[0, 0])
}

/// The length of the message behind a frame's four bytes.
fn message_length(head: [u8; 4]) -> Result<usize, TransportError> {
    let [kind, high, middle, low] = head;
    let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
    if kind != 0 {
        return Err(TransportError::Protocol(format!(
            "what answers there does not speak SMB: its first bytes are {kind:02x} {high:02x} {middle:02x} {low:02x}"
        )));
    }
    if !(HEADER..=MESSAGE_LIMIT).contains(&length) {
        return Err(TransportError::Protocol(format!(
            "the host announced an SMB message of {length} bytes, outside {HEADER} to {MESSAGE_LIMIT}"
        )));
    }
    Ok(length)
}

/// Refuses what the library would only drop in silence.
fn check_magic(message: &[u8]) -> Result<(), TransportError> {
    match message.first_chunk::<4>() {
        Some(b"\xfeSMB" | b"\xfdSMB") => Ok(()),
        Some(b"\xffSMB") => Err(TransportError::Protocol(
            "the host speaks only SMB 1, as Windows XP and Windows Server 2003 do, which cannot be read; turn SMB 2 or 3 on there, or replace it".into(),
        )),
        _ => Err(TransportError::Protocol(
            "the host sent a message that is not SMB 2 or 3".into(),
        )),
    }
}

fn cut_short() -> TransportError {
    TransportError::Protocol("the host closed the connection in the middle of a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate() -> Vec<u8> {
        let mut message = vec![0; HEADER + 36];
        message[..4].copy_from_slice(b"\xfeSMB");
        message[HEADER + 4] = 1;
        message[HEADER + 8] = 7;
        message
    }

    #[test]
    fn negotiate_asks_for_signing_and_for_encryption_where_wanted() {
        let mut wanted = negotiate();
        mend_negotiate(&mut wanted, true);
        assert_eq!((wanted[HEADER + 4], wanted[HEADER + 8]), (3, 0x47));

        let mut unwanted = negotiate();
        mend_negotiate(&mut unwanted, false);
        assert_eq!((unwanted[HEADER + 4], unwanted[HEADER + 8]), (3, 7));

        let mut other = negotiate();
        other[12] = 1;
        let before = other.clone();
        mend_negotiate(&mut other, true);
        assert_eq!(other, before);
        mend_negotiate(&mut [], true);
    }

    #[test]
    fn frames_that_are_not_smb_are_refused() {
        assert!(matches!(
            message_length(*b"HTTP"),
            Err(TransportError::Protocol(_))
        ));
        assert!(message_length([0, 0xff, 0xff, 0xff]).is_err());
        assert!(message_length([0, 0, 0, 3]).is_err());
        assert_eq!(message_length([0, 0, 1, 0]).unwrap(), 256);
        assert!(
            check_magic(b"\xffSMBr")
                .unwrap_err()
                .to_string()
                .contains("SMB 1")
        );
        assert!(check_magic(b"").is_err());
        assert!(check_magic(b"\xfdSMB").is_ok());
    }
}
