//! The bytes of a connection: as they come, or encrypted. The handshake is part of the first read, so that it holds up
//! no other connection and ends with the same deadline as everything else.

use rustls::ServerConfig;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

/// The bytes of a connection.
pub(super) struct Stream(Inner);

enum Inner {
    Plain(TcpStream),
    Shaking(Box<Accept<TcpStream>>),
    Encrypted(Box<TlsStream<TcpStream>>),
    /// The handshake failed: nothing can come of it any more.
    Failed,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self.0 {
            Inner::Plain(_) => "Plain",
            Inner::Shaking(_) => "Shaking",
            Inner::Encrypted(_) => "Encrypted",
            Inner::Failed => "Failed",
        })
    }
}

impl Stream {
    /// Encrypted in this way, or not at all.
    pub(super) fn new(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Self {
        Self(match tls {
            None => Inner::Plain(stream),
            Some(tls) => Inner::Shaking(Box::new(TlsAcceptor::from(tls).accept(stream))),
        })
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Plain(_) | Inner::Encrypted(_) => Poll::Ready(Ok(())),
            Inner::Failed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            Inner::Shaking(accept) => match ready!(Pin::new(accept.as_mut()).poll(context)) {
                Ok(stream) => {
                    self.0 = Inner::Encrypted(Box::new(stream));
                    Poll::Ready(Ok(()))
                }
                Err(error) => {
                    tracing::debug!(%error, "a client and svcwatch did not agree on an encryption");
                    self.0 = Inner::Failed;
                    Poll::Ready(Err(error))
                }
            },
        }
    }
}

/// Calls the same on whichever stream there is.
macro_rules! on_stream {
    ($self:ident, $stream:ident, $call:expr) => {
        match &mut $self.0 {
            Inner::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Inner::Encrypted($stream) => {
                let $stream = Pin::new($stream.as_mut());
                $call
            }
            Inner::Shaking(_) | Inner::Failed => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_ready(context))?;
        on_stream!(self, stream, stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ready(context))?;
        on_stream!(self, stream, stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ready(context))?;
        on_stream!(self, stream, stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Plain(stream) => stream.is_write_vectored(),
            Inner::Encrypted(_) | Inner::Shaking(_) => true,
            Inner::Failed => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.0, Inner::Shaking(_)) {
            return Poll::Ready(Ok(()));
        }
        on_stream!(self, stream, stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.0, Inner::Shaking(_) | Inner::Failed) {
            self.0 = Inner::Failed;
            return Poll::Ready(Ok(()));
        }
        on_stream!(self, stream, stream.poll_shutdown(context))
    }
}
