//! Between Samba's socket of the pipe svcctl and the relay inside Wine.
//!
//! smbd hands each opened pipe to a Unix socket: first one record that says who the user is, which is
//! answered, and then messages with two bytes of length in front. The relay speaks bare fragments.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::unix::{OwnedReadHalf as UnixReadHalf, OwnedWriteHalf as UnixWriteHalf};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::{Mutex, oneshot};

/// The version of the opening record that Samba 4.17 and later send.
const LEVEL: u32 = 7;

/// The longest opening record that is taken, in bytes.
const OPENING_LIMIT: u32 = 1 << 20;

/// Length of the common header of a DCE/RPC fragment, and where its length and its call stand (C706 12.6.3.1).
const FRAGMENT_HEAD: usize = 16;
const CALL_AT: std::ops::Range<usize> = 12..16;

/// Where the operation of a request stands (C706 12.6.4.9).
const OPERATION_AT: std::ops::Range<usize> = 22..24;

/// A running bridge, ended when dropped.
#[derive(Debug)]
pub(crate) struct Bridge {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    pipes: Arc<AtomicUsize>,
}

impl Bridge {
    /// Takes over the socket `socket` and carries each of its connections to the relay on `relay_port`.
    pub(crate) fn start(socket: &Path, relay_port: u16) -> Self {
        // Samba's own server goes on listening on the socket that has no name any more; nobody finds it.
        std::fs::remove_file(socket).expect("Samba has made the socket");
        let listener =
            std::os::unix::net::UnixListener::bind(socket).expect("the socket's name is free");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let (stop, stopped) = oneshot::channel();
        let pipes = Arc::new(AtomicUsize::new(0));
        let open = Arc::clone(&pipes);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime can be made").block_on(async {
                let listener =
                    UnixListener::from_std(listener).expect("the socket is non-blocking");
                tokio::select! {
                    () = accept(listener, relay_port, open) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
            pipes,
        }
    }

    /// How many pipes are open.
    pub(crate) fn pipes(&self) -> usize {
        self.pipes.load(Ordering::SeqCst)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            eprintln!("the bridge panicked");
        }
    }
}

async fn accept(listener: UnixListener, relay_port: u16, pipes: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let pipes = Arc::clone(&pipes);
        tokio::spawn(async move {
            pipes.fetch_add(1, Ordering::SeqCst);
            // An end of either side ends the other; which error it was is of no interest.
            if let Err(error) = carry(stream, relay_port).await
                && error.kind() != io::ErrorKind::UnexpectedEof
            {
                eprintln!("bridge: {error}");
            }
            pipes.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn carry(mut front: UnixStream, relay_port: u16) -> io::Result<()> {
    answer_opening(&mut front).await?;
    let relay = TcpStream::connect(("127.0.0.1", relay_port)).await?;
    relay.set_nodelay(true)?;
    let (front_reader, front_writer) = front.into_split();
    let (relay_reader, relay_writer) = relay.into_split();
    let call = AtomicU32::new(0);
    let front = Mutex::new(front_writer);
    tokio::select! {
        ended = carry_up(front_reader, relay_writer, &front, &call) => ended,
        ended = carry_down(relay_reader, &front, &call) => ended,
    }
}

/// Answers the opening record: a pipe in message mode with buffers of 4 KiB, and status 0.
async fn answer_opening(front: &mut UnixStream) -> io::Result<()> {
    let length = front.read_u32().await?;
    if length > OPENING_LIMIT {
        return Err(io::Error::other("the opening record is too long"));
    }
    let mut opening = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    front.read_exact(&mut opening).await?;
    if !opening.starts_with(b"NPAM") || opening.get(4..8) != Some(&LEVEL.to_le_bytes()) {
        return Err(io::Error::other(
            "Samba speaks another version of its pipe record",
        ));
    }
    let mut answer = b"NPAM".to_vec();
    answer.extend_from_slice(&LEVEL.to_le_bytes());
    answer.extend_from_slice(&LEVEL.to_le_bytes());
    answer.extend_from_slice(&2u16.to_le_bytes());
    answer.extend_from_slice(&0x05ffu16.to_le_bytes());
    answer.extend_from_slice(&[0; 4]);
    answer.extend_from_slice(&4096u64.to_le_bytes());
    answer.extend_from_slice(&0u32.to_le_bytes());
    front
        .write_u32(u32::try_from(answer.len()).map_err(io::Error::other)?)
        .await?;
    front.write_all(&answer).await
}

/// From Samba to Wine; notes which call is under way.
async fn carry_up(
    mut from: UnixReadHalf,
    mut to: OwnedWriteHalf,
    front: &Mutex<UnixWriteHalf>,
    call: &AtomicU32,
) -> io::Result<()> {
    loop {
        let length = from.read_u16_le().await?;
        let mut message = vec![0; usize::from(length)];
        from.read_exact(&mut message).await?;
        if let Some(id) = message.get(CALL_AT).and_then(|id| id.first_chunk()) {
            call.store(u32::from_le_bytes(*id), Ordering::Relaxed);
        }
        if is_trigger_query(&message) {
            send_up(front, &no_such_operation(call.load(Ordering::Relaxed))).await?;
        } else {
            to.write_all(&message).await?;
        }
    }
}

/// Whether this is `RQueryServiceConfigEx` (MS-SCMR 3.1.4.48). Wine 8 has no such operation, but instead of saying
/// so it never answers, so the bridge says it.
fn is_trigger_query(message: &[u8]) -> bool {
    message.get(2) == Some(&0) && message.get(OPERATION_AT) == Some(&56u16.to_le_bytes())
}

/// The fault of an operation that a server does not have (C706 12.6.4.7).
fn no_such_operation(call: u32) -> Vec<u8> {
    let mut fault = vec![5, 0, 3, 3, 0x10, 0, 0, 0, 32, 0, 0, 0];
    fault.extend_from_slice(&call.to_le_bytes());
    fault.extend_from_slice(&[0; 8]);
    fault.extend_from_slice(&0x1c01_0002u32.to_le_bytes());
    fault.extend_from_slice(&[0; 4]);
    fault
}

/// Sends one message to Samba, with its length in front.
async fn send_up(front: &Mutex<UnixWriteHalf>, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut front = front.lock().await;
    front.write_all(&length.to_le_bytes()).await?;
    front.write_all(message).await
}

/// From Wine to Samba. Wine calls each answer the one to call 1, so the true number is put in.
async fn carry_down(
    mut from: OwnedReadHalf,
    front: &Mutex<UnixWriteHalf>,
    call: &AtomicU32,
) -> io::Result<()> {
    loop {
        let mut head = [0; FRAGMENT_HEAD];
        from.read_exact(&mut head).await?;
        let length = u16::from_le_bytes([head[8], head[9]]);
        let mut message = vec![0; usize::from(length).max(FRAGMENT_HEAD)];
        message[..FRAGMENT_HEAD].copy_from_slice(&head);
        from.read_exact(&mut message[FRAGMENT_HEAD..]).await?;
        message[CALL_AT].copy_from_slice(&call.load(Ordering::Relaxed).to_le_bytes());
        send_up(front, &message).await?;
    }
}
