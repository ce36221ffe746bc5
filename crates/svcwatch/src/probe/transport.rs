//! What carries DCE/RPC fragments to a host: a named pipe over SMB, or the simulated fleet's plain TCP.

use std::net::SocketAddr;
use std::time::Duration;

use smb2::types::FileId;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::kerberos::KerberosError;
use super::loopback::LoopbackPipe;
use super::record::ReplayPipe;
use super::smb::SmbPipe;

/// `STATUS_OBJECT_NAME_NOT_FOUND` (MS-ERREF 2.3.1).
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;

/// How many of the addresses of one name are tried.
const ADDRESS_LIMIT: usize = 4;

/// Why a host could not be asked, before any answer of its service control manager.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum TransportError {
    /// The host's name has no address.
    #[error("no address for {host}: {reason}")]
    NameNotResolved {
        /// The name that was looked up.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nothing accepts connections there.
    #[error("cannot connect to {address}: {reason}")]
    Unreachable {
        /// The address that was tried last.
        address: String,
        /// What the operating system said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer in time while {doing}")]
    Timeout {
        /// What was waited for.
        doing: &'static str,
    },
    /// The host ended the connection when it had the proof of who we are: what became of the logon nobody knows.
    #[error("the host ended the connection instead of answering the logon: {0}")]
    LogonUnanswered(String),
    /// The host answered with an NTSTATUS (MS-ERREF 2.3.1) that is an error.
    #[error("{} while {doing}", super::codes::status_text(*.status))]
    Status {
        /// The NTSTATUS.
        status: u32,
        /// What was asked for.
        doing: &'static str,
    },
    /// The logon was refused with this NTSTATUS.
    #[error("logon refused: {}", super::codes::status_text(*.status))]
    LogonRefused {
        /// The NTSTATUS.
        status: u32,
    },
    /// The host refused a ticket that a domain controller gave for it, with this NTSTATUS and without a reason.
    #[error("logon refused: the host does not take the ticket that the domain controller gave for it ({}); another computer may answer there, its name may belong to another account of the domain, or its clock may be wrong", super::codes::status_text(*.status))]
    TicketRefused {
        /// The NTSTATUS.
        status: u32,
    },
    /// A logon with Kerberos came to nothing.
    #[error("logon refused: {0}")]
    Kerberos(KerberosError),
    /// A named user was let in only as a guest, or as nobody; such a session is neither signed nor that user's.
    #[error(
        "logon refused: the host let the user in only as {who}, which is as good as a wrong user name or password"
    )]
    GuestRefused {
        /// `a guest` or `nobody`.
        who: &'static str,
    },
    /// Encryption is required by the configuration and the host offers none.
    #[error(
        "the host speaks SMB {version} ({windows}) and offers no encryption, which `encryption: required` asks for; turn SMB encryption on there, or write `encryption: preferred` for this host"
    )]
    NoEncryption {
        /// The version of SMB, as `3.0.2`.
        version: &'static str,
        /// The Windows that speaks no later one.
        windows: &'static str,
    },
    /// The host speaks a version of SMB that knows no encryption, and the configuration does not say that it may.
    #[error(
        "the host speaks only SMB {version}, as {windows} does, which cannot encrypt; write `encryption: off` for this host if its services may be read signed but readable to everyone between, or replace it"
    )]
    OldVersion {
        /// The version of SMB, as `2.1`.
        version: &'static str,
        /// The Windows that speaks no later one.
        windows: &'static str,
    },
    /// The host refused an unencrypted logon.
    #[error(
        "the host refuses to talk without encryption (STATUS_ACCESS_DENIED), and `encryption: off` is set for it; write `encryption: required`"
    )]
    EncryptionDemanded,
    /// The session or the connection that was kept is over; a new one may work.
    #[error("the connection is over: {0}")]
    Closed(String),
    /// The host said something that makes no sense.
    #[error("{0}")]
    Protocol(String),
}

/// A two-way pipe of DCE/RPC fragments.
///
/// Fragments come and go whole; the caller puts them together (one `transceive` brings the first fragment of
/// an answer, `read` each further one). A future that was dropped half way leaves the pipe unusable.
pub(super) trait PipeTransport {
    /// Sends the last (or only) fragment of a request and gives the first fragment of the answer.
    fn transceive(
        &mut self,
        fragment: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>, TransportError>> + Send;

    /// Gives the next fragment of the answer.
    fn read(&mut self) -> impl Future<Output = Result<Vec<u8>, TransportError>> + Send;

    /// Sends a fragment of a request that is not its last.
    fn write(&mut self, fragment: &[u8])
    -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Ends the connection politely, as far as the host listens.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// One of the transports that there are.
#[derive(Debug)]
pub(super) enum AnyPipe {
    /// A named pipe over SMB 2 or 3.
    Smb(Box<SmbPipe>),
    /// The simulated fleet.
    Loopback(LoopbackPipe),
    /// A record.
    Replay(ReplayPipe),
}

/// The pipe that was open before another one was turned to.
#[derive(Debug)]
pub(super) enum Before {
    /// A pipe that is still open beside it.
    Open(FileId),
    /// There is one pipe only, which the other interface uses too: whoever comes back binds anew.
    Same,
}

impl AnyPipe {
    /// The same pipe once more, to close it where the one that uses it is broken off; nothing where it then closes itself.
    pub(super) fn same(&self) -> Option<SmbPipe> {
        match self {
            Self::Smb(pipe) => Some(pipe.same()),
            Self::Loopback(_) | Self::Replay(_) => None,
        }
    }

    /// Opens another pipe (as `srvsvc`) over the same connection.
    pub(super) async fn turn_to(&mut self, pipe: &str) -> Result<Before, TransportError> {
        match self {
            Self::Smb(smb) => smb.turn_to(pipe).await.map(Before::Open),
            Self::Loopback(_) => Ok(Before::Same),
            // A record has what the service control manager said, and nothing else.
            Self::Replay(_) => Err(TransportError::Status {
                status: STATUS_OBJECT_NAME_NOT_FOUND,
                doing: "opening another pipe",
            }),
        }
    }

    /// Closes it and goes back to the one before; whether that has to be bound anew.
    pub(super) async fn turn_back(&mut self, before: Before) -> Result<bool, TransportError> {
        match (self, before) {
            (Self::Smb(smb), Before::Open(file)) => smb.turn_back(file).await.map(|()| false),
            (Self::Smb(_) | Self::Loopback(_) | Self::Replay(_), _) => Ok(true),
        }
    }
}

impl PipeTransport for AnyPipe {
    async fn transceive(&mut self, fragment: &[u8]) -> Result<Vec<u8>, TransportError> {
        match self {
            Self::Smb(pipe) => pipe.transceive(fragment).await,
            Self::Loopback(pipe) => pipe.transceive(fragment).await,
            Self::Replay(pipe) => pipe.transceive(fragment).await,
        }
    }

    async fn read(&mut self) -> Result<Vec<u8>, TransportError> {
        match self {
            Self::Smb(pipe) => pipe.read().await,
            Self::Loopback(pipe) => pipe.read().await,
            Self::Replay(pipe) => pipe.read().await,
        }
    }

    async fn write(&mut self, fragment: &[u8]) -> Result<(), TransportError> {
        match self {
            Self::Smb(pipe) => pipe.write(fragment).await,
            Self::Loopback(pipe) => pipe.write(fragment).await,
            Self::Replay(pipe) => pipe.write(fragment).await,
        }
    }

    async fn close(self) {
        match self {
            Self::Smb(pipe) => pipe.close().await,
            Self::Loopback(pipe) => pipe.close().await,
            Self::Replay(pipe) => pipe.close().await,
        }
    }
}

/// Runs `work` until `deadline`; `doing` says in the error what was waited for.
pub(super) async fn within<T>(
    deadline: Instant,
    doing: &'static str,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    timeout_at(deadline, work)
        .await
        .unwrap_or(Err(TransportError::Timeout { doing }))
}

/// The addresses of a name, at most [`ADDRESS_LIMIT`].
pub(super) async fn resolve(
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, TransportError> {
    let unresolved = |reason: String| TransportError::NameNotResolved {
        host: host.to_owned(),
        reason,
    };
    let found = within(deadline, "looking up the host's name", async {
        let addresses = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| unresolved(error.to_string()))?;
        Ok(addresses.take(ADDRESS_LIMIT).collect::<Vec<_>>())
    })
    .await?;
    if found.is_empty() {
        Err(unresolved("the name exists but has no address".into()))
    } else {
        Ok(found)
    }
}

/// Connects to the first of the addresses that answers; each gets an equal share of the time that is left.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpStream, TransportError> {
    let mut last = TransportError::Timeout {
        doing: "connecting",
    };
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        last = match timeout_at(
            Instant::now() + share.max(Duration::from_millis(1)),
            TcpStream::connect(address),
        )
        .await
        {
            Ok(Ok(stream)) => {
                // Requests are small and waited for one by one: Nagle's delay would be added to each.
                return match stream.set_nodelay(true) {
                    Ok(()) => Ok(stream),
                    Err(error) => Err(unreachable(*address, &error)),
                };
            }
            Ok(Err(error)) => unreachable(*address, &error),
            Err(_) => TransportError::Timeout {
                doing: "connecting",
            },
        };
    }
    Err(last)
}

fn unreachable(address: SocketAddr, error: &std::io::Error) -> TransportError {
    TransportError::Unreachable {
        address: address.to_string(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_told_from_a_closed_port() {
        let error = resolve("no-such-host.invalid", 445, soon())
            .await
            .unwrap_err();
        assert!(
            matches!(error, TransportError::NameNotResolved { .. }),
            "{error:?}"
        );

        // Bound but not listened on, so that nobody else gets the port meanwhile.
        let closed = tokio::net::TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let free = closed.local_addr().unwrap();
        let addresses = resolve("127.0.0.1", free.port(), soon()).await.unwrap();
        let error = connect(&addresses, soon()).await.unwrap_err();
        assert!(
            matches!(error, TransportError::Unreachable { .. }),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn what_takes_too_long_says_what_it_was_doing() {
        let error = within::<()>(Instant::now(), "waiting for Godot", std::future::pending())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no answer in time while waiting for Godot"
        );
    }
}
