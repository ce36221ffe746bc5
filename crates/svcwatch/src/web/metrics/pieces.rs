//! An answer that is written while it is sent: in pieces, packed where the client takes that.

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, HeaderValue, header},
};
use flate2::{Compression, write::GzEncoder};
use http_body::Frame;
use std::{
    fmt, io,
    io::Write as _,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Bytes that are sent as one piece, about.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait for the network, at most.
const PIECES_WAITING: usize = 4;

/// Whether an answer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Plain,
    /// By gzip.
    Gzip,
}

impl Packing {
    /// Gzip where the client names it and does not refuse it (RFC 9110, section 12.5.3).
    pub fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
        let takes = accepted
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                let named = parts
                    .next()
                    .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
                let refused = parts
                    .filter_map(|part| part.split_once('='))
                    .any(|(key, value)| {
                        key.trim().eq_ignore_ascii_case("q")
                            && !value
                                .trim()
                                .parse::<f32>()
                                .is_ok_and(|quality| quality > 0.0)
                    });
                named && !refused
            });
        if takes { Self::Gzip } else { Self::Plain }
    }

    /// Says in the headers of an answer how it is packed, and that it depends on who asks.
    pub(super) fn name_in(self, headers: &mut HeaderMap) {
        let vary = HeaderValue::from_static("accept, accept-encoding");
        headers.insert(header::VARY, vary);
        if self == Self::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
}

/// A part of the answer.
enum Piece {
    Bytes(Bytes),
    /// All is written. Without it the answer is cut off, and must not look whole.
    End,
}

/// Collects what is written and sends it in pieces. It blocks while the network is slow, and holds no lock then.
pub(super) struct Pieces {
    /// What is written and goes on when it is a whole piece: packing costs much for each call, and text comes in words.
    text: Vec<u8>,
    /// What packs it, with what is packed and not sent yet.
    packer: Option<GzEncoder<Vec<u8>>>,
    sender: mpsc::Sender<Piece>,
}

/// The two ends of an answer.
pub(super) fn pair(packing: Packing) -> (Pieces, Body) {
    let (sender, pieces) = mpsc::channel(PIECES_WAITING);
    // The lines are so much alike that more effort would gain little.
    let packer = (packing == Packing::Gzip).then(|| GzEncoder::new(empty(), Compression::fast()));
    let text = empty();
    let stream = Stream {
        pieces,
        ended: false,
    };
    let pieces = Pieces {
        text,
        packer,
        sender,
    };
    (pieces, Body::new(stream))
}

/// The body of an answer that is whole already.
pub(super) fn packed(text: String, packing: Packing) -> Body {
    match packing {
        Packing::Plain => Body::from(text),
        Packing::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Packing into memory does not fail.
            let written = encoder.write_all(text.as_bytes());
            let finished = written.and_then(|()| encoder.finish());
            finished.map_or_else(|_| Body::empty(), Body::from)
        }
    }
}

fn empty() -> Vec<u8> {
    Vec::with_capacity(PIECE_BYTES.saturating_add(8 * 1024))
}

impl Pieces {
    fn send(&self, piece: Vec<u8>) -> fmt::Result {
        self.sender
            .blocking_send(Piece::Bytes(Bytes::from(piece)))
            .map_err(|_| fmt::Error)
    }

    /// Passes on what was written; what is packed goes out where it is a whole piece, or all of it at the end.
    fn pass_on(&mut self, at_end: bool) -> fmt::Result {
        let ready = match &mut self.packer {
            None => &mut self.text,
            Some(packer) => {
                // Packing into memory does not fail.
                packer.write_all(&self.text).map_err(|_| fmt::Error)?;
                self.text.clear();
                if at_end {
                    packer.try_finish().map_err(|_| fmt::Error)?;
                }
                packer.get_mut()
            }
        };
        if ready.is_empty() || (ready.len() < PIECE_BYTES && !at_end) {
            return Ok(());
        }
        let piece = std::mem::replace(ready, empty());
        self.send(piece)
    }

    /// Sends what waits, and says that it was all.
    pub(super) fn end(mut self) {
        if self.pass_on(true).is_ok() && self.sender.blocking_send(Piece::End).is_err() {
            tracing::debug!("a client was gone before the end of its scrape");
        }
    }
}

impl fmt::Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.extend_from_slice(text.as_bytes());
        if self.text.len() < PIECE_BYTES {
            return Ok(());
        }
        self.pass_on(false)
    }
}

/// The body of the answer.
struct Stream {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(context).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(io::Error::other(
                    "the answer was not written to its end",
                )))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fmt::Write as _, io::Read as _};

    #[test]
    fn gzip_is_used_only_where_the_client_takes_it() {
        for (accepted, wanted) in [
            ("gzip", Packing::Gzip),
            ("deflate, GZIP;q=0.5", Packing::Gzip),
            ("gzip;q=0", Packing::Plain),
            ("gzip;q=nonsense", Packing::Plain),
            ("identity", Packing::Plain),
            ("*", Packing::Plain),
            (";;,q", Packing::Plain),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_str(accepted).unwrap(),
            );
            assert_eq!(Packing::of(&headers), wanted, "{accepted}");
        }
        assert_eq!(Packing::of(&HeaderMap::new()), Packing::Plain);
    }

    #[tokio::test]
    async fn what_is_packed_is_whole() {
        let (mut writer, body) = pair(Packing::Gzip);
        let writing = tokio::task::spawn_blocking(move || {
            for number in 0..100_000 {
                writeln!(writer, "a{number} {}", number * 7).unwrap();
            }
            writer.end();
        });
        let packed = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        writing.await.unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*packed)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text.lines().count(), 100_000);
        assert!(text.ends_with("a99999 699993\n") && packed.len() * 2 < text.len());
    }

    #[tokio::test]
    async fn what_is_not_written_to_its_end_does_not_look_whole() {
        let (mut writer, body) = pair(Packing::Plain);
        writer.write_str("half").unwrap();
        drop(writer);
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
    }
}
