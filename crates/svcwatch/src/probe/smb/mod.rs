//! A named pipe of a Windows host over SMB 2 or 3.
//!
//! Nothing of the SMB library shows outside of this module. It signs always, encrypts by the host's setting,
//! refuses guest sessions, and uses no compression.

mod logon;
mod ntlm;
pub(super) mod proof;
mod socket;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smb2::client::connection::{Connection, Frame};
use smb2::msg::close::CloseRequest;
use smb2::msg::create::{
    CreateDisposition, CreateRequest, CreateResponse, ImpersonationLevel, ShareAccess,
};
use smb2::msg::echo::EchoRequest;
use smb2::msg::ioctl::{FSCTL_PIPE_TRANSCEIVE, IoctlRequest, SMB2_0_IOCTL_IS_FSCTL};
use smb2::msg::logoff::LogoffRequest;
use smb2::msg::read::ReadRequest;
use smb2::msg::tree_connect::{TreeConnectRequest, TreeConnectRequestFlags};
use smb2::msg::tree_disconnect::TreeDisconnectRequest;
use smb2::msg::write::WriteRequest;
use smb2::pack::{Pack, ReadCursor, Unpack};
use smb2::types::flags::FileAccessMask;
use smb2::types::{Command, FileId, OplockLevel, TreeId};
use tokio::time::{Instant, timeout};

use super::Encryption;
use super::codes;
use super::kerberos::{Kerberos, Tickets};
use super::record::Agreed;
use super::transport::{PipeTransport, TransportError, connect, resolve, within};
use crate::secret::Secret;
use socket::Tap;

/// How much is asked for at once, in bytes: what one credit pays for (MS-SMB2 3.2.4.1.5).
const READ_SIZE: u32 = 65_535;

/// The longest fragment that a host may send, in bytes: what the length in its header can say.
const FRAGMENT_LIMIT: usize = 65_535;

/// `SMB2_FILE_NON_DIRECTORY_FILE` would be refused for a pipe by some servers; none is asked for.
const CREATE_OPTIONS: u32 = 0;

/// How long a polite goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// Where to log on, and as whom.
#[derive(Clone, Copy)]
pub(super) struct SmbTarget<'a> {
    /// Name or IP address to connect to; also the name that the logon is bound to.
    pub(super) address: &'a str,
    /// TCP port, usually 445.
    pub(super) port: u16,
    /// `DOMAIN\user`, `.\user`, `user@domain` or `user`.
    pub(super) user: &'a str,
    /// The user's password.
    pub(super) password: &'a Secret,
    /// Our own computer's name, which the host writes into its security log.
    pub(super) workstation: &'a str,
    /// Whether the session must be encrypted.
    pub(super) encryption: Encryption,
    /// The tickets, and who logs on to what with them; nothing for a logon with NTLM.
    pub(super) kerberos: Option<(&'a Tickets, &'a Kerberos)>,
}

/// An open named pipe, with the session and connection under it.
pub(super) struct SmbPipe {
    connection: Connection,
    tap: Arc<Tap>,
    tree: TreeId,
    file: FileId,
}

impl fmt::Debug for SmbPipe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection holds keys; nothing of it is shown.
        formatter
            .debug_struct("SmbPipe")
            .field("tree", &self.tree)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl SmbPipe {
    /// Connects and logs on until `deadline`; gives the session, whose pipe is not open yet, the name by which
    /// the computer calls itself, which is empty where it gave none, and what was agreed on.
    pub(super) async fn log_on(
        target: &SmbTarget<'_>,
        deadline: Instant,
    ) -> Result<(Self, String, Agreed), TransportError> {
        let addresses = resolve(target.address, target.port, deadline).await?;
        let stream = connect(&addresses, deadline).await?;
        let ask_for_encryption = target.encryption != Encryption::Off;
        let (sender, receiver, tap) = socket::halves(stream, ask_for_encryption);
        let mut connection =
            Connection::from_transport(Box::new(sender), Box::new(receiver), target.address);
        connection.set_compression_requested(false);
        // Deadlines are ours: one for the whole check, so the library's own would only cut some shorter.
        connection.set_response_timeout(None);
        connection.set_keepalive(None);
        connection.set_stale_request_warning(None);
        let (computer, agreed) = within(
            deadline,
            "logging on",
            logon::log_on(&mut connection, &tap, target, deadline),
        )
        .await?;
        Ok((
            Self {
                connection,
                tap,
                tree: TreeId(0),
                file: FileId::SENTINEL,
            },
            computer,
            agreed,
        ))
    }

    /// Opens the pipe `pipe` (as `svcctl`) in the session, until `deadline`.
    pub(super) async fn open(
        &mut self,
        target: &SmbTarget<'_>,
        pipe: &str,
        deadline: Instant,
    ) -> Result<(), TransportError> {
        within(
            deadline,
            "opening the service control manager's pipe",
            async {
                self.connect_tree(target).await?;
                self.open_pipe(pipe).await
            },
        )
        .await
    }

    /// A pipe over a connection that a test made, with nobody logged on.
    #[cfg(test)]
    pub(super) fn over(connection: Connection) -> Self {
        Self {
            connection,
            tap: Arc::default(),
            tree: TreeId(0),
            file: FileId::SENTINEL,
        }
    }

    /// Another pipe in the same session, which is not open yet.
    pub(super) fn sibling(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            tap: Arc::clone(&self.tap),
            tree: self.tree,
            file: FileId::SENTINEL,
        }
    }

    /// The same pipe once more.
    pub(super) fn same(&self) -> Self {
        Self {
            file: self.file,
            ..self.sibling()
        }
    }

    /// Asks the host for a sign of life (MS-SMB2 2.2.28).
    pub(super) async fn echo(&self) -> Result<(), TransportError> {
        let reply = self
            .connection
            .execute(Command::Echo, &EchoRequest, None)
            .await;
        reply
            .map(drop)
            .map_err(|error| failed(&self.tap, &error, "asking for a sign of life"))
    }

    /// Closes the pipe alone; the session stays.
    pub(super) async fn hang_up(self) {
        let request = CloseRequest {
            flags: 0,
            file_id: self.file,
        };
        if let Err(error) = self.ask(Command::Close, &request, "closing a pipe").await {
            tracing::debug!(%error, "a pipe was not closed; it ends with its session");
        }
    }

    /// Opens another pipe of the same session; gives the one that was open, which stays so.
    pub(super) async fn turn_to(&mut self, pipe: &str) -> Result<FileId, TransportError> {
        let before = self.file;
        self.open_pipe(pipe).await?;
        Ok(before)
    }

    /// Closes the pipe that is open and goes back to this one.
    pub(super) async fn turn_back(&mut self, before: FileId) -> Result<(), TransportError> {
        let file_id = std::mem::replace(&mut self.file, before);
        let close = CloseRequest { flags: 0, file_id };
        self.ask(Command::Close, &close, "closing a pipe")
            .await
            .map(drop)
    }

    /// Connects to the share of named pipes (MS-SMB2 2.2.9).
    async fn connect_tree(&mut self, target: &SmbTarget<'_>) -> Result<(), TransportError> {
        const DOING: &str = r"connecting to the share IPC$";
        let request = TreeConnectRequest {
            flags: TreeConnectRequestFlags(0),
            path: format!(r"\\{}\IPC$", target.address),
        };
        let reply = self
            .connection
            .execute(Command::TreeConnect, &request, None)
            .await;
        let frame = reply.map_err(|error| failed(&self.tap, &error, DOING))?;
        if frame.header.status.0 == codes::STATUS_ACCESS_DENIED
            && target.encryption == Encryption::Off
        {
            return Err(TransportError::EncryptionDemanded);
        }
        check(&frame, DOING)?;
        self.tree = frame.header.tree_id.ok_or_else(|| malformed(DOING))?;
        Ok(())
    }

    /// Opens a named pipe for messages in both directions (MS-SMB2 2.2.13).
    pub(super) async fn open_pipe(&mut self, name: &str) -> Result<(), TransportError> {
        const DOING: &str = "opening the service control manager's pipe";
        let request = CreateRequest {
            requested_oplock_level: OplockLevel::None,
            impersonation_level: ImpersonationLevel::Impersonation,
            desired_access: FileAccessMask::new(
                FileAccessMask::FILE_READ_DATA | FileAccessMask::FILE_WRITE_DATA,
            ),
            file_attributes: 0,
            share_access: ShareAccess(ShareAccess::FILE_SHARE_READ | ShareAccess::FILE_SHARE_WRITE),
            create_disposition: CreateDisposition::FileOpen,
            create_options: CREATE_OPTIONS,
            name: name.to_owned(),
            create_contexts: Vec::new(),
        };
        let frame = self.ask(Command::Create, &request, DOING).await?;
        let response = CreateResponse::unpack(&mut ReadCursor::new(&frame.body))
            .map_err(|error| failed(&self.tap, &error, DOING))?;
        self.file = response.file_id;
        Ok(())
    }

    async fn ask(
        &self,
        command: Command,
        request: &dyn Pack,
        doing: &'static str,
    ) -> Result<Frame, TransportError> {
        let reply = self
            .connection
            .execute(command, request, Some(self.tree))
            .await;
        let frame = reply.map_err(|error| failed(&self.tap, &error, doing))?;
        check(&frame, doing)?;
        Ok(frame)
    }

    /// One READ; the flag says that the message goes on.
    async fn read_part(&self) -> Result<(Vec<u8>, bool), TransportError> {
        const DOING: &str = "reading the answer";
        let request = ReadRequest {
            padding: 0x50,
            flags: 0,
            length: READ_SIZE,
            offset: 0,
            file_id: self.file,
            minimum_count: 0,
            channel: 0,
            remaining_bytes: 0,
            read_channel_info: Vec::new(),
        };
        let frame = self.ask(Command::Read, &request, DOING).await?;
        // DataOffset is one byte at 2, DataLength four at 4 (MS-SMB2 2.2.20).
        let body = &frame.body;
        let offset = body
            .get(2)
            .map(|offset| usize::from(*offset))
            .ok_or_else(|| malformed(DOING))?;
        let data = slice(&frame.raw, offset, u32_at(body, 4)).ok_or_else(|| malformed(DOING))?;
        Ok((
            data.to_vec(),
            frame.header.status.0 == codes::STATUS_BUFFER_OVERFLOW,
        ))
    }

    /// Reads on until the message is whole.
    async fn rest(&self, mut message: Vec<u8>, mut more: bool) -> Result<Vec<u8>, TransportError> {
        while more {
            let (part, goes_on) = self.read_part().await?;
            if part.is_empty() || message.len() + part.len() > FRAGMENT_LIMIT {
                return Err(malformed("reading the answer"));
            }
            message.extend_from_slice(&part);
            more = goes_on;
        }
        Ok(message)
    }
}

impl PipeTransport for SmbPipe {
    async fn transceive(&mut self, fragment: &[u8]) -> Result<Vec<u8>, TransportError> {
        const DOING: &str = "waiting for the answer";
        let request = IoctlRequest {
            ctl_code: FSCTL_PIPE_TRANSCEIVE,
            file_id: self.file,
            max_input_response: 0,
            max_output_response: READ_SIZE,
            flags: SMB2_0_IOCTL_IS_FSCTL,
            input_data: fragment.to_vec(),
        };
        let frame = self.ask(Command::Ioctl, &request, DOING).await?;
        // OutputOffset stands at 32, OutputCount at 36 (MS-SMB2 2.2.32).
        let offset = u32_at(&frame.body, 32).and_then(|offset| usize::try_from(offset).ok());
        let data = offset
            .and_then(|offset| slice(&frame.raw, offset, u32_at(&frame.body, 36)))
            .ok_or_else(|| malformed(DOING))?;
        let first = data.to_vec();
        if frame.header.status.0 == codes::STATUS_BUFFER_OVERFLOW {
            // Apart, because what waits for an answer does so for days, and has no need of what reads its rest.
            return Box::pin(self.rest(first, true)).await;
        }
        Ok(first)
    }

    async fn read(&mut self) -> Result<Vec<u8>, TransportError> {
        self.rest(Vec::new(), true).await
    }

    async fn write(&mut self, fragment: &[u8]) -> Result<(), TransportError> {
        let request = WriteRequest {
            // Header (64) and fixed part (48): where the data stands (MS-SMB2 2.2.21).
            data_offset: 112,
            offset: 0,
            file_id: self.file,
            channel: 0,
            remaining_bytes: 0,
            write_channel_info_offset: 0,
            write_channel_info_length: 0,
            flags: 0,
            data: fragment.to_vec(),
        };
        self.ask(Command::Write, &request, "sending the question")
            .await
            .map(drop)
    }

    async fn close(self) {
        let goodbye = async {
            self.ask(
                Command::Close,
                &CloseRequest {
                    flags: 0,
                    file_id: self.file,
                },
                "closing",
            )
            .await?;
            self.ask(Command::TreeDisconnect, &TreeDisconnectRequest, "closing")
                .await?;
            let reply = self
                .connection
                .execute(Command::Logoff, &LogoffRequest, None)
                .await;
            reply
                .map(drop)
                .map_err(|error| failed(&self.tap, &error, "logging off"))
        };
        // A host that does not answer a goodbye loses nothing: the connection ends right after.
        if let Ok(Err(error)) = timeout(GOODBYE, goodbye).await {
            tracing::debug!(%error, "goodbye not answered");
        }
    }
}

/// What the library's error means. Where the socket failed, its own reason says more than the library's.
fn failed(tap: &Tap, error: &smb2::Error, doing: &'static str) -> TransportError {
    match error {
        smb2::Error::Protocol { status, .. } => TransportError::Status {
            status: status.0,
            doing,
        },
        smb2::Error::SessionExpired => TransportError::Status {
            status: codes::STATUS_NETWORK_SESSION_EXPIRED,
            doing,
        },
        smb2::Error::Timeout
        | smb2::Error::SendTimeout { .. }
        | smb2::Error::ServerUnresponsive { .. } => TransportError::Timeout { doing },
        smb2::Error::InvalidData { .. }
        | smb2::Error::SignatureInvalid { .. }
        | smb2::Error::Auth { .. } => TransportError::Protocol(format!(
            "the host's answer makes no sense while {doing}: {error}"
        )),
        _ => tap
            .failure()
            .unwrap_or_else(|| TransportError::Closed(format!("{error} while {doing}"))),
    }
}

/// Refuses an answer whose status is an error; a warning carries data.
fn check(frame: &Frame, doing: &'static str) -> Result<(), TransportError> {
    match frame.header.status.0 {
        0 | codes::STATUS_BUFFER_OVERFLOW => Ok(()),
        status => Err(TransportError::Status { status, doing }),
    }
}

fn slice(message: &[u8], offset: usize, length: Option<u32>) -> Option<&[u8]> {
    let length = usize::try_from(length?).ok()?;
    message.get(offset..offset.checked_add(length)?)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn malformed(doing: &str) -> TransportError {
    TransportError::Protocol(format!(
        "the host sent a malformed SMB message while {doing}"
    ))
}

#[cfg(test)]
mod tests {
    use smb2::Error;
    use smb2::types::status::NtStatus;

    use super::*;

    #[tokio::test]
    async fn what_the_library_reports_is_told_apart() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (_sender, _receiver, tap) = socket::halves(stream, true);
        let told = |error: Error| failed(&tap, &error, "asking");
        let status = |status| TransportError::Status {
            status,
            doing: "asking",
        };
        assert_eq!(
            told(Error::SessionExpired),
            status(codes::STATUS_NETWORK_SESSION_EXPIRED)
        );
        let deleted = Error::Protocol {
            status: NtStatus::USER_SESSION_DELETED,
            command: Command::Ioctl,
        };
        assert_eq!(told(deleted), status(0xC000_0203));
        assert_eq!(
            told(Error::Timeout),
            TransportError::Timeout { doing: "asking" }
        );
        assert!(matches!(
            told(Error::Disconnected),
            TransportError::Closed(_)
        ));
        let rubbish = Error::InvalidData {
            message: "bad".into(),
        };
        assert!(matches!(told(rubbish), TransportError::Protocol(_)));
    }

    #[test]
    fn parts_of_a_message_stay_inside_it() {
        let message = [1, 2, 3, 4, 5];
        assert_eq!(slice(&message, 1, Some(3)), Some([2, 3, 4].as_slice()));
        assert_eq!(slice(&message, 3, Some(3)), None);
        assert_eq!(slice(&message, usize::MAX, Some(2)), None);
        assert_eq!(slice(&message, 0, None), None);
        assert_eq!(u32_at(&message, 1), Some(0x0504_0302));
        assert_eq!(u32_at(&message, 2), None);
    }
}
