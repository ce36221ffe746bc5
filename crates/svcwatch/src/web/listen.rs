//! Where svcwatch listens: the address, the names under which it answers, and connections that cannot be kept open
//! by doing nothing.

use super::{access::Access, stream::Stream};
use axum::{http::uri::Authority, serve::Listener};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

/// Connections at once, at most; further ones wait.
pub const CONNECTIONS_MAX: usize = 256;
/// How long a connection may wait for a request, then for all of that request and its answer to begin, and then for
/// each further piece of the answer to be taken: half a request, or an answer that nobody reads, is not kept longer.
/// More than the minute that many scrapers let pass between two requests.
pub const STALLED_AFTER: Duration = Duration::from_secs(90);
/// How long to wait when the system gives no more connections.
const ACCEPT_AGAIN: Duration = Duration::from_millis(250);

/// Why svcwatch cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Other machines could reach it, and nothing guards it.
    #[error(
        "other machines can reach {address}, and nothing guards it; listen on 127.0.0.1:{port}, or name users or certificates of clients in a file under web.config_file, or add --insecure-listen if everybody who reaches it may read all and acknowledge incidents",
        port = address.port()
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// Another program listens there.
    #[error(
        "{address} is in use by another program, maybe another svcwatch; stop that one, or give another address with --listen"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// It is no address of this machine.
    #[error("{address} is no address of this machine; listen on 127.0.0.1:{port}, or on an address that it has", port = address.port())]
    NotHere {
        /// The address.
        address: SocketAddr,
    },
    /// The system does not allow it.
    #[error(
        "the system does not let us listen on {address}; use a port above 1023, or give the program that right"
    )]
    NotAllowed {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}; give another address with --listen")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A place to listen that is ours.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    connections: Arc<Semaphore>,
    access: Arc<Access>,
}

impl Bound {
    /// Takes the address, for everybody. One that is not loopback needs `insecure`, which is warned about each time.
    pub async fn new(address: SocketAddr, insecure: bool) -> Result<Self, ListenError> {
        Self::guarded(address, insecure, Arc::new(Access::open())).await
    }

    /// Takes the address, for those that may ask. One that is not loopback needs a guard, or `insecure`.
    pub async fn guarded(
        address: SocketAddr,
        insecure: bool,
        access: Arc<Access>,
    ) -> Result<Self, ListenError> {
        if exposed(address) {
            warn_of(address, insecure, &access)?;
        }
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse { address },
            io::ErrorKind::AddrNotAvailable => ListenError::NotHere { address },
            io::ErrorKind::PermissionDenied => ListenError::NotAllowed { address },
            _ => ListenError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self {
            listener,
            address,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            access,
        })
    }

    /// Who may ask.
    pub const fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Where it listens, with the port that was given where 0 was asked for.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Whether other machines can reach an address.
pub fn exposed(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// Refuses what nothing guards unless that is wanted, and warns of what others could read.
fn warn_of(address: SocketAddr, insecure: bool, access: &Access) -> Result<(), ListenError> {
    if access.guards() {
        if insecure {
            tracing::warn!(
                %address,
                error = "--insecure-listen is given although web.config_file guards the listen address",
                "should that file come to guard nothing, everybody could read all and acknowledge incidents; leave --insecure-listen out"
            );
        }
    } else if insecure {
        tracing::warn!(
            %address,
            error = "nothing guards the listen address",
            "everybody who reaches this address can read all and acknowledge incidents"
        );
    } else {
        return Err(ListenError::NotLoopback { address });
    }
    if access.tells_passwords() {
        tracing::warn!(
            %address,
            error = "logins are asked for, and nothing is encrypted",
            "whoever listens on the way reads the passwords; add tls_server_config to web.config_file"
        );
    }
    Ok(())
}

impl Listener for Bound {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok(permit) = Arc::clone(&self.connections).acquire_owned().await else {
                // The semaphore is never closed.
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // Answers are written in few pieces, and nobody gains from the last of them being held back.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "what is sent to a client may wait for its acknowledgement");
                    }
                    let stream = Stream::new(stream, self.access.tls());
                    return (Connection::new(stream, permit), address);
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that ends when it stands still for [`STALLED_AFTER`]. Of what comes in only the first byte of a request
/// counts as getting on: a byte now and then keeps nothing open.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    stalled: Pin<Box<Sleep>>,
    /// Nothing of a further request has come since we wrote last.
    waits_for_request: bool,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: Stream, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            stalled: Box::pin(sleep(STALLED_AFTER)),
            waits_for_request: true,
            _permit: permit,
        }
    }

    fn unless_stalled<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_pending() && self.stalled.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }

    fn wrote(&mut self, poll: &Poll<io::Result<usize>>) {
        if matches!(poll, Poll::Ready(Ok(1..))) {
            self.waits_for_request = true;
            self.stalled.as_mut().reset(Instant::now() + STALLED_AFTER);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Looked at even when there is something to read.
        if self.stalled.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.waits_for_request && buffer.filled().len() > before {
            self.waits_for_request = false;
            self.stalled.as_mut().reset(Instant::now() + STALLED_AFTER);
        }
        poll
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(&poll);
        self.unless_stalled(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(&poll);
        self.unless_stalled(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_stalled(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_stalled(context, poll)
    }
}

/// Under which names and addresses svcwatch answers. A page that somebody visits could otherwise give its own name
/// our address and read all through the visitor's browser.
#[derive(Debug, Clone)]
pub struct Names {
    address: SocketAddr,
    others: Vec<String>,
    scheme: &'static str,
}

impl Names {
    /// The address that is listened on, and further names by which people reach it (the host of `web.url`).
    pub fn new(address: SocketAddr, names: &[String]) -> Self {
        Self {
            address,
            others: names.iter().map(|name| name.to_lowercase()).collect(),
            scheme: "http",
        }
    }

    /// With the scheme by which people reach it.
    #[must_use]
    pub fn with_scheme(self, scheme: &'static str) -> Self {
        Self { scheme, ..self }
    }

    /// Where people reach it, for sentences.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Whether svcwatch answers to what stands in a Host header.
    pub fn answers_to(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        if authority.as_str().contains('@') {
            return false;
        }
        let name = authority.host().to_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            let listening = self.address.ip().to_canonical();
            // Whoever listens on all addresses is reached under any; and an address, unlike a name, cannot be
            // made to mean another machine.
            return listening.is_unspecified()
                || listening == address.to_canonical()
                || self.others.iter().any(|known| known == bare);
        }
        let name = name.strip_suffix('.').unwrap_or(&name);
        let listening = self.address.ip().to_canonical();
        (name == "localhost" && (listening.is_loopback() || listening.is_unspecified()))
            || self.others.iter().any(|known| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    fn names(address: &str, more: &[&str]) -> Names {
        let more: Vec<String> = more.iter().map(|name| (*name).to_owned()).collect();
        Names::new(address.parse().unwrap(), &more)
    }

    #[test]
    fn only_names_that_are_listened_on_are_answered() {
        let local = names("127.0.0.1:7467", &["Watch.corp.example"]);
        for good in [
            "127.0.0.1:7467",
            "127.0.0.1",
            "localhost:7467",
            "LOCALHOST",
            "localhost.:7467",
            "watch.corp.example",
        ] {
            assert!(local.answers_to(good), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:7467",
            "localhost.evil.example",
            "10.0.0.1:7467",
            "[::1]:7467",
            "localhost@evil.example",
            "evil@localhost",
            "",
            "local host",
            "localhost:7467:1",
        ] {
            assert!(!local.answers_to(bad), "{bad}");
        }
    }

    #[test]
    fn other_addresses_are_answered_under_their_own_names() {
        let six = names("[::1]:7467", &[]);
        assert!(six.answers_to("[::1]:7467") && six.answers_to("localhost"));
        assert!(!six.answers_to("127.0.0.1"));
        let all = names("0.0.0.0:7467", &["monitor"]);
        assert!(all.answers_to("10.1.2.3:7467") && all.answers_to("monitor:7467"));
        assert!(!all.answers_to("evil.example"));
        let one = names("10.1.2.3:7467", &[]);
        assert!(one.answers_to("10.1.2.3") && !one.answers_to("localhost"));
    }

    #[tokio::test]
    async fn an_address_that_others_reach_needs_a_word() {
        let address: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let error = Bound::new(address, false).await.unwrap_err().to_string();
        assert!(error.contains("--insecure-listen"), "{error}");
        assert!(Bound::new(address, true).await.is_ok());
    }

    #[tokio::test]
    async fn a_port_in_use_is_said_so() {
        let first = Bound::new("127.0.0.1:0".parse().unwrap(), false)
            .await
            .unwrap();
        let error = Bound::new(first.address(), false)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("in use") && error.contains("--listen"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_said_so() {
        let error = Bound::new("192.0.2.1:0".parse().unwrap(), true)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("no address of this machine"), "{error}");
    }

    async fn connection() -> (Connection, TcpStream) {
        let mut bound = Bound::new("127.0.0.1:0".parse().unwrap(), false)
            .await
            .unwrap();
        let client = TcpStream::connect(bound.address()).await.unwrap();
        (bound.accept().await.0, client)
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_keeps_no_connection_open() {
        let (mut connection, mut client) = connection().await;
        let begin = Instant::now();
        let dripping = tokio::spawn(async move {
            while client.write_all(b"G").await.is_ok() {
                sleep(Duration::from_secs(7)).await;
            }
        });
        let error = loop {
            let mut byte = [0];
            if let Err(error) = connection.read_exact(&mut byte).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begin.elapsed() <= STALLED_AFTER + Duration::from_secs(7));
        drop(connection);
        dripping.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_lives_on_while_answers_are_taken() {
        let (mut connection, mut client) = connection().await;
        for _ in 0..5 {
            // Almost too long without a request, and then almost too long until its answer.
            sleep(STALLED_AFTER.mul_f64(0.98)).await;
            client.write_all(b"G").await.unwrap();
            connection.read_exact(&mut [0]).await.unwrap();
            sleep(STALLED_AFTER.mul_f64(0.98)).await;
            connection.write_all(b"answer").await.unwrap();
            let mut answer = [0; 6];
            client.read_exact(&mut answer).await.unwrap();
        }
        drop(client);
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (mut connection, client) = connection().await;
        let answer = vec![b'x'; 64 * 1024];
        let error = loop {
            if let Err(error) = connection.write_all(&answer).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
