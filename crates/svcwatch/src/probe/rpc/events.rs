//! The last lines of a host's event logs about one service (MS-EVEN), over the session that reads its services.

use svcwatch_wire::WireError;
use svcwatch_wire::even::{
    CloseEventLog, EVENT_LOG, LogReading, NumberOfRecords, OldestRecord, OpenEventLog,
    ReadingError, status,
};
use svcwatch_wire::scmr::{Code, Handle};
use tokio::time::{Instant, timeout_at};

use super::Session;
use super::channel::CallError;
use super::sealed::{SealedChannel, SealedError};
use crate::probe::events::{EventsAsked, EventsFound, LOGS, NoEvents, Sieve, Taken, bounds};
use crate::probe::transport::TransportError;
use crate::probe::{Access, Ours, codes};

/// The pipe of the event log (MS-EVEN 2.1).
const PIPE: &str = "eventlog";

/// `STATUS_OBJECT_NAME_NOT_FOUND` (MS-ERREF 2.3.1).
const STATUS_OBJECT_NAME_NOT_FOUND: u32 = 0xc000_0034;

impl Session {
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
        let found = read_logs(&mut self.channel, asked, access, ours, deadline).await;
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
    channel: &mut super::Channel,
    asked: &EventsAsked,
    access: &Access,
    ours: &Ours,
    deadline: Instant,
) -> Result<EventsFound, SealedError> {
    let mut channel =
        SealedChannel::bind(channel.pipe(), EVENT_LOG, access, ours, deadline).await?;
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
