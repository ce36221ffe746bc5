//! Plain TCP to the simulated fleet, on this machine only.
//!
//! There is no password, signature or encryption on this transport, so it refuses every address that is not
//! loopback: it can never be the way to a real host.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::hello::{Hello, HelloError, Reply};
use super::transport::{PipeTransport, TransportError, connect, resolve, within};

/// Length of the common header of a DCE/RPC fragment (C706 12.6.3.1).
const FRAGMENT_HEAD: usize = 16;

/// Where the length of the whole fragment stands in that header.
const FRAGMENT_LENGTH: usize = 8;

/// A connection to the simulated fleet.
#[derive(Debug)]
pub(super) struct LoopbackPipe {
    stream: TcpStream,
}

impl LoopbackPipe {
    /// Connects, greets as `user` for the host `host`, and gives the pipe and the computer's name.
    pub(super) async fn open(
        address: &str,
        port: u16,
        user: &str,
        host: &str,
        deadline: Instant,
    ) -> Result<(Self, String), TransportError> {
        let addresses = resolve(address, port, deadline).await?;
        if let Some(foreign) = addresses.iter().find(|address| !is_loopback(**address)) {
            return Err(TransportError::Protocol(format!(
                "the loopback transport is for the simulated fleet on this machine and does not connect to {foreign}"
            )));
        }
        let mut stream = connect(&addresses, deadline).await?;
        let hello = Hello {
            user: user.to_owned(),
            host: host.to_owned(),
        };
        let reply = within(deadline, "greeting the simulated fleet", async {
            hello.send(&mut stream).await.map_err(greeting)?;
            Reply::receive(&mut stream).await.map_err(greeting)
        })
        .await?;
        match reply {
            Reply::Accepted { computer } => Ok((Self { stream }, computer)),
            Reply::Refused { status } => Err(TransportError::LogonRefused { status }),
        }
    }
}

impl PipeTransport for LoopbackPipe {
    async fn transceive(&mut self, fragment: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.write(fragment).await?;
        self.read().await
    }

    async fn read(&mut self) -> Result<Vec<u8>, TransportError> {
        let mut head = [0; FRAGMENT_HEAD];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self
                .stream
                .read(rest)
                .await
                .map_err(|error| closed(&error))?
            {
                0 if filled == 0 => {
                    return Err(TransportError::Closed("the host closed it".into()));
                }
                0 => return Err(half()),
                more => filled += more,
            }
        }
        let [_, _, _, _, _, _, _, _, low, high, ..] = head;
        let length = usize::from(u16::from_le_bytes([low, high]));
        if length < FRAGMENT_HEAD {
            return Err(TransportError::Protocol(format!(
                "a fragment says that it is {length} bytes long (at offset {FRAGMENT_LENGTH}), less than its own header"
            )));
        }
        let mut fragment = vec![0; length];
        let (start, rest) = fragment.split_at_mut(FRAGMENT_HEAD);
        start.copy_from_slice(&head);
        match self.stream.read_exact(rest).await {
            Ok(_) => Ok(fragment),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(half()),
            Err(error) => Err(closed(&error)),
        }
    }

    async fn write(&mut self, fragment: &[u8]) -> Result<(), TransportError> {
        self.stream
            .write_all(fragment)
            .await
            .map_err(|error| closed(&error))
    }

    async fn close(self) {
        drop(self.stream);
    }
}

/// Whether an address is this machine's own, also when written as an IPv4 address inside IPv6.
fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn closed(error: &std::io::Error) -> TransportError {
    TransportError::Closed(error.to_string())
}

fn half() -> TransportError {
    TransportError::Protocol("the host closed the connection in the middle of a fragment".into())
}

fn greeting(error: HelloError) -> TransportError {
    match error {
        HelloError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            TransportError::Protocol("the other side closed the connection in the greeting".into())
        }
        HelloError::Io(error) => closed(&error),
        HelloError::NotAFleet | HelloError::TooLong(_) | HelloError::NotText => {
            TransportError::Protocol(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// A fleet of one host that answers the greeting and then each fragment with the given bytes.
    async fn fleet(reply: Reply, answer: Vec<u8>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let hello = Hello::receive(&mut stream).await.unwrap();
            assert_eq!(
                hello,
                Hello {
                    user: "watcher".into(),
                    host: "web-1".into()
                }
            );
            reply.send(&mut stream).await.unwrap();
            let mut request = [0; FRAGMENT_HEAD];
            if stream.read_exact(&mut request).await.is_ok() {
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    fn fragment(length: u16, sent: usize) -> Vec<u8> {
        let mut bytes = vec![7; sent];
        bytes[FRAGMENT_LENGTH..FRAGMENT_LENGTH + 2].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    async fn ask(reply: Reply, answer: Vec<u8>) -> Result<(String, Vec<u8>), TransportError> {
        let port = fleet(reply, answer).await.port();
        let (mut pipe, computer) =
            LoopbackPipe::open("127.0.0.1", port, "watcher", "web-1", soon()).await?;
        Ok((computer, pipe.transceive(&fragment(16, 16)).await?))
    }

    #[tokio::test]
    async fn a_fragment_comes_back_whole() {
        let accepted = Reply::Accepted {
            computer: "WEB-1".into(),
        };
        let (computer, answer) = ask(accepted, fragment(40, 40)).await.unwrap();
        assert_eq!((computer.as_str(), answer.len()), ("WEB-1", 40));
    }

    #[tokio::test]
    async fn a_refused_logon_and_broken_fragments_are_told_apart() {
        let refused = ask(
            Reply::Refused {
                status: 0xC000_0234,
            },
            vec![],
        )
        .await
        .unwrap_err();
        assert_eq!(
            refused,
            TransportError::LogonRefused {
                status: 0xC000_0234
            }
        );
        let accepted = || Reply::Accepted {
            computer: String::new(),
        };
        assert!(matches!(
            ask(accepted(), fragment(40, 30)).await,
            Err(TransportError::Protocol(_))
        ));
        assert!(matches!(
            ask(accepted(), fragment(3, 30)).await,
            Err(TransportError::Protocol(_))
        ));
        assert!(matches!(
            ask(accepted(), vec![]).await,
            Err(TransportError::Closed(_))
        ));
    }

    #[tokio::test]
    async fn only_this_machine_is_connected_to() {
        for address in ["192.0.2.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1"] {
            let error = LoopbackPipe::open(address, 7, "watcher", "web-1", soon())
                .await
                .unwrap_err();
            assert!(
                error.to_string().contains("does not connect to"),
                "{address}: {error}"
            );
        }
        assert!(is_loopback("[::ffff:127.0.0.1]:1".parse().unwrap()));
        assert!(is_loopback("[::1]:1".parse().unwrap()));
    }
}
