//! A webhook that takes what it is given.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// Listens on a free port and gives each body to `keep`, which says whether it can be taken. Who is told that it
/// cannot, finds its connection closed.
pub(crate) fn webhook(keep: impl Fn(&[u8]) -> Option<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let keep = Arc::new(keep);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keep = Arc::clone(&keep);
            // Who sends keeps the connection, and may end it at any time.
            thread::spawn(move || while take(&stream, &*keep).is_some() {});
        }
    });
    port
}

fn take(stream: &TcpStream, keep: &impl Fn(&[u8]) -> Option<()>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    keep(&body)?;
    (&*stream)
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .ok()
}
