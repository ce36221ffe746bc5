//! The last lines of a host's event logs about one service (MS-EVEN), over the session that reads its services: on a pipe
//! of its own where the session can have several, so that nobody waits for a log that does not answer.

use std::sync::Arc;

use svcwatch_wire::WireError;
use svcwatch_wire::even::{
    CloseEventLog, EVENT_LOG, LogReading, NumberOfRecords, OldestRecord, OpenEventLog,
    ReadingError, status,
};
use svcwatch_wire::scmr::{Code, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::Session;
use super::channel::CallError;
use super::sealed::{SealedChannel, SealedError};
use crate::probe::events::{EventsAsked, EventsFound, LOGS, NoEvents, Sieve, Taken, bounds};
use crate::probe::smb::SmbPipe;
use crate::probe::transport::{AnyPipe, TransportError};
use crate::probe::{Access, Ours, codes};

/// The pipe of the event log (MS-EVEN 2.1).
const PIPE: &str = "eventlog";

/// `STATUS_OBJECT_NAME_NOT_FOUND` (MS-ERREF 2.3.1).
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xc000_0034;

/// Where the log of a host is read while others use its session.
#[derive(Debug)]
pub(in crate::probe) struct LogPlace {
    pipe: Box<SmbPipe>,
    /// One log is read at a time, so that a host that never answers keeps one pipe of ours and no more.
    turns: Arc<Semaphore>,
    /// Says that the session is over.
    session: watch::Receiver<bool>,
}

impl LogPlace {
    /// Reads the lines.
    pub(in crate::probe) async fn events(
        self,
        asked: &EventsAsked,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
    ) -> Result<EventsFound, NoEvents> {
        let Self {
            pipe,
            turns,
            session,
        } = self;
        let Ok(Ok(turn)) = timeout_at(deadline, turns.acquire_owned()).await else {
            return Err(NoEvents::Timeout);
        };
        // A host that takes its time to open a pipe opens it all the same, so it is closed however late that is.
        let mut opening = tokio::spawn(open(pipe, session.clone()));
        let Ok(opened) = timeout_at(deadline, &mut opening).await else {
            tokio::spawn(async move {
                if let Ok(Ok(pipe)) = opening.await {
                    close(*pipe, turn, session).await;
                }
            });
            return Err(NoEvents::Timeout);
        };
        let opened = opened.map_err(|error| NoEvents::Failed(error.to_string()))?;
        let pipe = opened.map_err(|error| no_events(error.into()))?;
        let left_open = pipe.same();
        let mut pipe = AnyPipe::Smb(pipe);
        let read = read_logs(&mut pipe, asked, access, ours, deadline);
        let read = timeout_at(deadline, read).await;
        let closed = tokio::spawn(close(left_open, turn, session));
        let Ok(read) = read else {
            return Err(NoEvents::Timeout);
        };
        // Whoever reads the next log finds this one closed.
        drop(timeout_at(deadline, closed).await);
        read.map_err(no_events)
    }
}

/// Opens the pipe, however long its host takes for it as long as the session lasts.
async fn open(
    mut pipe: Box<SmbPipe>,
    mut session: watch::Receiver<bool>,
) -> Result<Box<SmbPipe>, TransportError> {
    tokio::select! {
        opened = pipe.open_pipe(PIPE) => opened.map(|()| pipe),
        _ = session.wait_for(|over| *over) => {
            Err(TransportError::Closed("the session with the host is over".to_owned()))
        }
    }
}

/// Closes a pipe, however long its host takes for it as long as the session lasts: some close none while a call waits in it.
async fn close(pipe: SmbPipe, turn: OwnedSemaphorePermit, mut session: watch::Receiver<bool>) {
    tokio::select! {
        () = pipe.hang_up() => {}
        _ = session.wait_for(|over| *over) => {}
    }
    drop(turn);
}

impl Session {
    /// Where the log can be read beside everything else; nothing where the session has one pipe only.
    pub(in crate::probe) fn log_place(&self) -> Option<LogPlace> {
        Some(LogPlace {
            pipe: Box::new(self.channel.sibling()?),
            turns: Arc::clone(&self.log_turns),
            session: self.listeners.session(),
        })
    }

    /// Reads the lines; whether the session can be used afterwards stands beside them.
    pub(in crate::probe) async fn events(
        &mut self,
        asked: &EventsAsked,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
    ) -> (Result<EventsFound, NoEvents>, bool) {
        let read = timeout_at(deadline, self.read_events(asked, access, ours, deadline));
        match read.await {
            Ok(Ok(found)) => (found, true),
            Ok(Err(error)) => (Err(no_events(error)), false),
            Err(_) => (Err(NoEvents::Timeout), false),
        }
    }

    /// The outer result is the session's, the inner one that of the logs.
    async fn read_events(
        &mut self,
        asked: &EventsAsked,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
    ) -> Result<Result<EventsFound, NoEvents>, SealedError> {
        let before = match self.channel.leave(PIPE).await {
            Ok(before) => before,
            // The host has no such pipe, or not for us; nothing was changed.
            Err(error @ TransportError::Status { .. }) => {
                return Ok(Err(no_events(error.into())));
            }
            Err(error) => return Err(error.into()),
        };
        let found = read_logs(self.channel.pipe(), asked, access, ours, deadline).await;
        if let Err(SealedError::Call(CallError::Transport(error))) = &found
            && !matches!(error, TransportError::Status { .. })
        {
            return found.map(Ok);
        }
        self.channel.come_back(before).await?;
        Ok(found.map_or_else(|error| Err(no_events(error)), Ok))
    }
}

async fn read_logs(
    pipe: &mut AnyPipe,
    asked: &EventsAsked,
    access: &Access,
    ours: &Ours,
    deadline: Instant,
) -> Result<EventsFound, SealedError> {
    let mut channel = SealedChannel::bind(pipe, EVENT_LOG, access, ours, deadline).await?;
    let mut sieve = Sieve::new(asked);
    for log in LOGS {
        let opened = channel.call(&OpenEventLog { log: log.into() }).await?;
        let Some(handle) = opened.handle else {
            return Err(refused(opened.code, log));
        };
        read_log(&mut channel, handle, log, &mut sieve, deadline).await?;
        channel.call(&CloseEventLog { log: handle }).await?;
    }
    Ok(sieve.found())
}

/// Reads one open log from its end, until there is enough.
async fn read_log(
    channel: &mut SealedChannel<'_>,
    log: Handle,
    name: &'static str,
    sieve: &mut Sieve<'_>,
    deadline: Instant,
) -> Result<(), SealedError> {
    let count = channel.call(&NumberOfRecords { log }).await?;
    let oldest = channel.call(&OldestRecord { log }).await?;
    let (Some(count), Some(oldest)) = (count.number, oldest.number) else {
        let code = if count.number.is_none() {
            count.code
        } else {
            oldest.code
        };
        return Err(refused(code, name));
    };
    if count == 0 {
        return Ok(());
    }
    let mut reading = LogReading::new(log, oldest, count, bounds(sieve.since()));
    let mut longest = std::time::Duration::ZERO;
    loop {
        let begun = Instant::now();
        // What was found so far is worth more than a call that would not end in time.
        if begun + longest * 2 >= deadline {
            sieve.cut();
            return Ok(());
        }
        let reply = channel.call(&reading.next_request()).await?;
        longest = longest.max(begun.elapsed());
        let step = reading.on_reply(&reply).map_err(|error| match error {
            ReadingError::Refused(code) => refused(code, name),
            ReadingError::Wire(error) => SealedError::Call(CallError::Unreadable(error)),
            error @ ReadingError::Disorder { .. } => SealedError::Call(CallError::Transport(
                TransportError::Protocol(error.to_string()),
            )),
        })?;
        if sieve.take_step(name, &step) == Taken::Enough {
            return Ok(());
        }
    }
}

fn refused(code: Code, log: &'static str) -> SealedError {
    let doing = if log == LOGS[0] {
        "reading the event log System"
    } else {
        "reading the event log Application"
    };
    SealedError::Call(CallError::Transport(TransportError::Status {
        status: code.0,
        doing,
    }))
}

/// What a failure means to who wanted the lines.
fn no_events(error: SealedError) -> NoEvents {
    match error {
        SealedError::Weak(reason) => NoEvents::NotSealed(reason.to_owned()),
        SealedError::Kerberos(error) => NoEvents::ProofRefused(error.to_string()),
        SealedError::Refused(fault) => NoEvents::ProofRefused(fault.to_string()),
        SealedError::Call(CallError::Transport(TransportError::Status { status, doing })) => {
            match status {
                codes::STATUS_ACCESS_DENIED => NoEvents::Denied { doing },
                STATUS_OBJECT_NAME_NOT_FOUND => NoEvents::NoPipe,
                code if code == status::END_OF_FILE.0 => NoEvents::NoPipe,
                status => NoEvents::Failed(format!("{} while {doing}", codes::status_text(status))),
            }
        }
        SealedError::Call(CallError::Transport(TransportError::Timeout { .. })) => {
            NoEvents::Timeout
        }
        SealedError::Call(CallError::Transport(error)) => NoEvents::Failed(error.to_string()),
        SealedError::Call(CallError::Wire(
            error @ (WireError::BindRefused { .. }
            | WireError::InterfaceRefused { .. }
            | WireError::Unsealed { .. }
            | WireError::WrongSeal),
        )) => NoEvents::NotSealed(error.to_string()),
        SealedError::Call(CallError::Wire(error) | CallError::Unreadable(error)) => {
            NoEvents::Failed(error.to_string())
        }
    }
}
