//! Calls to a service control manager over a pipe.

use std::sync::Arc;

use svcwatch_wire::WireError;
use svcwatch_wire::pdu::{Client, Progress, SERVICE_CONTROL, Syntax};
use svcwatch_wire::scmr::{Reply, Request};

use crate::probe::record::Recorder;
use crate::probe::smb::SmbPipe;
use crate::probe::transport::{AnyPipe, Before, PipeTransport, TransportError};

/// Why a call has no answer.
#[derive(Debug)]
pub(in crate::probe) enum CallError {
    /// The pipe failed; it cannot be used any more.
    Transport(TransportError),
    /// The host answered with a fault of RPC, or with what is no RPC at all.
    Wire(WireError),
    /// The answer came whole, but what is in it makes no sense.
    Unreadable(WireError),
}

impl From<TransportError> for CallError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl From<WireError> for CallError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// A pipe that is bound to the service control manager.
#[derive(Debug)]
pub(super) struct Channel {
    pipe: AnyPipe,
    client: Client,
    recorder: Option<Arc<Recorder>>,
}

impl Channel {
    /// Binds an open pipe to the interface of the service control manager.
    pub(super) async fn bind(
        pipe: AnyPipe,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Self, CallError> {
        let client = Client::new(SERVICE_CONTROL);
        let mut channel = Self {
            pipe,
            client,
            recorder,
        };
        channel.bind_now().await?;
        Ok(channel)
    }

    /// Makes one call; gives the stub of the answer.
    pub(super) async fn call_stub(
        &mut self,
        operation: u16,
        stub: &[u8],
    ) -> Result<Vec<u8>, CallError> {
        let Some(recorder) = self.recorder.clone() else {
            return self.exchange(operation, stub).await;
        };
        let number = recorder.asked(operation, stub);
        let answer = self.exchange(operation, stub).await;
        recorder.answered(number, operation, stub, &answer);
        answer
    }

    async fn exchange(&mut self, operation: u16, stub: &[u8]) -> Result<Vec<u8>, CallError> {
        let fragments = self.client.request(operation, stub);
        let (last, others) = fragments.split_last().ok_or(WireError::Broken)?;
        for fragment in others {
            self.pipe.write(fragment).await?;
        }
        let mut answer = self.pipe.transceive(last).await?;
        // Ended by the client's own limits on the number of fragments and the length of the whole.
        loop {
            match self.client.on_fragment(&answer)? {
                Progress::Done(stub) => return Ok(stub),
                Progress::More => answer = self.pipe.read().await?,
            }
        }
    }

    /// Makes one call and reads its answer.
    pub(super) async fn call<R: Request>(&mut self, request: &R) -> Result<R::Reply, CallError> {
        let stub = self.call_stub(R::OPNUM, &request.encode()).await?;
        R::Reply::decode(&stub).map_err(CallError::Unreadable)
    }

    /// Another pipe in the same session, not open yet; nothing where each pipe is a connection of its own.
    pub(super) fn sibling(&self) -> Option<SmbPipe> {
        match &self.pipe {
            AnyPipe::Smb(pipe) => Some(pipe.sibling()),
            AnyPipe::Loopback(_) | AnyPipe::Replay(_) => None,
        }
    }

    /// Closes the pipe alone; the session stays.
    pub(super) async fn hang_up(self) {
        match self.pipe {
            AnyPipe::Smb(pipe) => pipe.hang_up().await,
            AnyPipe::Loopback(pipe) => pipe.close().await,
            AnyPipe::Replay(pipe) => pipe.close().await,
        }
    }

    /// Makes one call to another interface on a pipe of its own, over the same connection. Whatever comes of the call, the
    /// service control manager can be asked again afterwards, unless going back fails.
    pub(super) async fn call_aside<R: Request>(
        &mut self,
        pipe: &str,
        interface: Syntax,
        request: &R,
    ) -> Result<Result<R::Reply, CallError>, CallError> {
        let before = match self.leave(pipe).await {
            Ok(before) => before,
            // The host has no such pipe, or not for us; nothing was changed.
            Err(error @ TransportError::Status { .. }) => return Ok(Err(error.into())),
            Err(error) => return Err(error.into()),
        };
        let manager = std::mem::replace(&mut self.client, Client::new(interface));
        // What another interface says is no part of a record.
        let recorder = self.recorder.take();
        let answer = match self.bind_now().await {
            Ok(()) => self.call(request).await,
            Err(error) => Err(error),
        };
        self.client = manager;
        self.recorder = recorder;
        if let Err(CallError::Transport(error)) = &answer
            && !matches!(error, TransportError::Status { .. })
        {
            return answer.map(Ok);
        }
        self.come_back(before).await?;
        Ok(answer)
    }

    /// Opens another pipe over the same connection, which [`Self::pipe`] then is, until [`Self::come_back`].
    pub(super) async fn leave(&mut self, pipe: &str) -> Result<Before, TransportError> {
        self.pipe.turn_to(pipe).await
    }

    /// The pipe that is open.
    pub(super) const fn pipe(&mut self) -> &mut AnyPipe {
        &mut self.pipe
    }

    /// Closes the other pipe; the service control manager can be asked again.
    pub(super) async fn come_back(&mut self, before: Before) -> Result<(), CallError> {
        if self.pipe.turn_back(before).await? {
            self.client = Client::new(SERVICE_CONTROL);
            self.bind_now().await?;
        }
        Ok(())
    }

    /// Binds to the interface of the client.
    async fn bind_now(&mut self) -> Result<(), CallError> {
        let answer = self.pipe.transceive(&self.client.bind()).await?;
        self.client.on_bind_reply(&answer)?;
        Ok(())
    }

    /// Ends the connection politely.
    pub(super) async fn close(self) {
        self.pipe.close().await;
    }
}
