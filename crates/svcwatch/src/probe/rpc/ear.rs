//! A service that is heard at once: a registration with the service control manager, on a pipe of its own in the kept
//! session, since the call that waits for news holds its pipe. Nothing here logs on.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use svcwatch_core::hearing::News;
use svcwatch_core::id::Name;
use svcwatch_wire::WireError;
use svcwatch_wire::pdu::{FAULT_ACCESS_DENIED, FAULT_NO_SUCH_OPERATION, FAULT_UNKNOWN_INTERFACE};
use svcwatch_wire::scmr::{
    Code, GetNotifyResults, Handle, Notification, NotifyServiceStatusChange, OpenScManager,
    OpenService, access, notify_mask,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::loopback::LoopbackPipe;
use super::super::transport::{AnyPipe, TransportError, within};
use super::super::{Access, smb::SmbPipe};
use super::channel::{CallError, Channel};
use super::{PIPE, reading};
use crate::probe::codes;

/// What is told of: states that last, and the mark that the service is to be deleted. Pending states are left to the
/// readings, since each piece of news costs one.
const MASK: u32 =
    notify_mask::STOPPED | notify_mask::RUNNING | notify_mask::PAUSED | notify_mask::DELETE_PENDING;

/// How long it may take to ask for news anew, which keeps what was just heard waiting.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a pipe may take to be closed.
const GOODBYE: Duration = Duration::from_secs(1);

/// How often an idle session is asked for a sign of life, and for how long it is waited for. It also keeps firewalls
/// between from forgetting the connection.
pub(super) const ECHO_EVERY: Duration = Duration::from_mins(1);
pub(super) const ECHO_WITHIN: Duration = Duration::from_secs(20);

/// `RPC_S_UNKNOWN_IF`, `RPC_S_PROCNUM_OUT_OF_RANGE` and `ERROR_NOT_SUPPORTED` (MS-ERREF 2.2).
const NOT_OFFERED: [Code; 5] = [
    Code(1717),
    Code(1745),
    Code(50),
    Code::CALL_NOT_IMPLEMENTED,
    Code::INVALID_LEVEL,
];

/// `ERROR_REQUEST_ABORTED` and `ERROR_SERVICE_NOTIFY_CLIENT_LAGGING` (MS-ERREF 2.2).
const ABORTED: Code = Code(1235);
const LAGGING: Code = Code(1294);

/// What a session knows of those that listen over it. With it they end.
#[derive(Debug)]
pub(super) struct Listeners {
    /// Says that the session is over.
    over: watch::Sender<bool>,
    echoes: bool,
    turns: Arc<Semaphore>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            over: watch::Sender::new(false),
            echoes: false,
            turns: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.over.send_replace(true);
    }
}

impl Listeners {
    /// Whether the session is not to be used any more.
    pub(super) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Says when the session is over.
    pub(super) fn session(&self) -> watch::Receiver<bool> {
        self.over.subscribe()
    }

    /// One more that listens over this session.
    pub(super) fn begin(&mut self, channel: &Channel, host: &Name, access: &Access) -> EarPlace {
        if let (Some(pipe), false) = (channel.sibling(), self.echoes) {
            self.echoes = true;
            tokio::spawn(echo(pipe, self.over.clone()));
        }
        EarPlace {
            over: self.over.clone(),
            turns: Arc::clone(&self.turns),
            way: match channel.sibling() {
                Some(pipe) => Way::Smb(Box::new(pipe)),
                None => Way::Loopback(Box::new((host.clone(), access.clone()))),
            },
        }
    }
}

/// Asks for a sign of life as long as somebody listens. Who gives none is as good as gone.
pub(super) async fn echo(pipe: SmbPipe, over: watch::Sender<bool>) {
    let mut ended = over.subscribe();
    while timeout(ECHO_EVERY, ended.wait_for(|over| *over))
        .await
        .is_err()
    {
        // The receiver that waits here is one of them.
        let heard_by = over.receiver_count();
        if heard_by > 1 && !matches!(timeout(ECHO_WITHIN, pipe.echo()).await, Ok(Ok(()))) {
            over.send_replace(true);
            return;
        }
    }
}

/// Where a pipe is opened to listen on.
#[derive(Debug)]
pub(in crate::probe) struct EarPlace {
    over: watch::Sender<bool>,
    turns: Arc<Semaphore>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Smb(Box<SmbPipe>),
    Loopback(Box<(Name, Access)>),
}

/// A registration that stands.
#[derive(Debug)]
pub(in crate::probe) struct Ear {
    channel: Channel,
    service: Handle,
    notify: Handle,
    over: watch::Sender<bool>,
    session: watch::Receiver<bool>,
}

fn lost(cause: impl Into<String>) -> News {
    let cause = cause.into();
    News::Lost { cause }
}

/// What a code means that a call answered with instead of success.
fn refusal(code: Code, doing: &str) -> News {
    let words = code
        .name()
        .map(|name| format!(", {name}"))
        .unwrap_or_default();
    let cause = format!(
        "the host answered with error {}{words} while {doing}",
        code.0
    );
    match code {
        Code::ACCESS_DENIED => News::Refused { cause },
        ABORTED => lost("the host gave the registration up (error 1235)"),
        LAGGING => lost("there were more changes than the host could tell us of (error 1294)"),
        Code::SHUTDOWN_IN_PROGRESS => News::ShuttingDown {
            cause: "the host is shutting down (error 1115)".to_owned(),
        },
        Code::SERVICE_DOES_NOT_EXIST => lost("the service is not installed any more (error 1060)"),
        code if NOT_OFFERED.contains(&code) => News::NotOffered { cause },
        _ => lost(cause),
    }
}

fn failure(error: CallError, doing: &str) -> News {
    match error {
        CallError::Wire(WireError::Fault(FAULT_NO_SUCH_OPERATION | FAULT_UNKNOWN_INTERFACE)) => {
            News::NotOffered {
                cause: "the host does not know how to tell of changes".to_owned(),
            }
        }
        CallError::Wire(WireError::Fault(FAULT_ACCESS_DENIED)) => {
            refusal(Code::ACCESS_DENIED, doing)
        }
        // What RPC itself answers with may be any code of Windows too.
        CallError::Wire(WireError::Fault(status)) if status < 0x1_0000 => {
            refusal(Code(status), doing)
        }
        CallError::Wire(error) | CallError::Unreadable(error) => {
            lost(format!("{error} while {doing}"))
        }
        CallError::Transport(error) => transport(&error),
    }
}

fn transport(error: &TransportError) -> News {
    let cause = codes::transport_fault(error).cause;
    match error {
        TransportError::Status {
            status: codes::STATUS_ACCESS_DENIED,
            ..
        } => News::Refused { cause },
        _ => lost(cause),
    }
}

impl EarPlace {
    /// Waits for its turn: registrations of one host are made one after the other, so that what each needs while it is made
    /// is not needed for all at once.
    pub(in crate::probe) async fn turn(
        &self,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, News> {
        let turn = timeout_at(deadline, Arc::clone(&self.turns).acquire_owned()).await;
        match turn {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(lost("the host did not answer in time")),
        }
    }

    /// Opens a pipe and asks to be told of a service's changes, until `deadline`.
    pub(in crate::probe) async fn listen(
        self,
        service: &Name,
        deadline: Instant,
    ) -> Result<Box<Ear>, News> {
        let pipe = match self.way {
            Way::Smb(mut pipe) => {
                const DOING: &str = "opening a pipe to be told of changes";
                let opened = within(deadline, DOING, pipe.open_pipe(PIPE)).await;
                opened.map_err(|error| transport(&error))?;
                AnyPipe::Smb(pipe)
            }
            Way::Loopback(to) => {
                let (host, access) = *to;
                let opened = LoopbackPipe::open(
                    &access.address,
                    access.port,
                    &access.user,
                    host.as_str(),
                    deadline,
                );
                let (pipe, _) = opened.await.map_err(|error| transport(&error))?;
                AnyPipe::Loopback(pipe)
            }
        };
        let over = self.over;
        let left_open = pipe.same();
        let registered = timeout_at(deadline, register(pipe, service)).await;
        let registered =
            registered.unwrap_or_else(|_| Err(lost("the host did not answer in time")));
        match registered {
            Ok((channel, service, notify)) => Ok(Box::new(Ear {
                channel,
                service,
                notify,
                session: over.subscribe(),
                over,
            })),
            Err(news) => {
                if let Some(pipe) = left_open {
                    hang_up(pipe.hang_up(), &over).await;
                }
                Err(news)
            }
        }
    }
}

/// Registers on a fresh pipe.
async fn register(pipe: AnyPipe, service: &Name) -> Result<(Channel, Handle, Handle), News> {
    let mut channel = Channel::bind(pipe, None)
        .await
        .map_err(|error| failure(error, "asking to be told of changes"))?;
    let (service, notify) = handles(&mut channel, service).await?;
    Ok((channel, service, notify))
}

async fn handles(channel: &mut Channel, service: &Name) -> Result<(Handle, Handle), News> {
    const DOING: &str = "opening the service to be told of its changes";
    let open = OpenScManager {
        machine: None,
        database: None,
        access: access::MANAGER_CONNECT,
    };
    let opened = channel.call(&open).await;
    let opened = opened.map_err(|error| failure(error, DOING))?;
    let manager = opened.handle.ok_or_else(|| refusal(opened.code, DOING))?;
    let open = OpenService {
        manager,
        name: service.as_str().to_owned(),
        access: access::QUERY_STATUS,
    };
    let opened = channel.call(&open).await;
    let opened = opened.map_err(|error| failure(error, DOING))?;
    let service = opened.handle.ok_or_else(|| refusal(opened.code, DOING))?;
    let notify = ask(channel, service).await?;
    Ok((service, notify))
}

/// Asks to be told of the next change.
async fn ask(channel: &mut Channel, service: Handle) -> Result<Handle, News> {
    const DOING: &str = "asking to be told of changes";
    let request = NotifyServiceStatusChange {
        service,
        mask: MASK,
    };
    let reply = channel.call(&request).await;
    let reply = reply.map_err(|error| failure(error, DOING))?;
    match (reply.notify, reply.code) {
        (Some(notify), Code::SUCCESS) => Ok(notify),
        (_, code) => Err(refusal(code, DOING)),
    }
}

/// Closes the pipe, which frees every handle that was opened over it at the host. Some hosts close none while a call waits
/// in it: there the whole session is given up, so that nothing stays behind.
async fn hang_up(closing: impl Future<Output = ()>, over: &watch::Sender<bool>) {
    if timeout(GOODBYE, closing).await.is_err() {
        tracing::debug!(
            "the host does not close a pipe in which a call waits, so the session is given up"
        );
        over.send_replace(true);
    }
}

/// Waits for something, or for ever where there is nothing to wait for.
async fn until(something: Option<&mut Pin<Box<impl Future<Output = ()>>>>) {
    match something {
        Some(something) => something.await,
        None => std::future::pending().await,
    }
}

impl Ear {
    /// Waits until the service changes. `tell` is carried out when the wait has begun, so that nothing falls between.
    pub(in crate::probe) async fn wait(
        &mut self,
        tell: Pin<Box<impl Future<Output = ()>>>,
    ) -> Result<News, News> {
        const DOING: &str = "waiting to be told of changes";
        let request = GetNotifyResults {
            notify: self.notify,
        };
        let mut call = std::pin::pin!(self.channel.call(&request));
        let mut tell = Some(tell);
        let reply = loop {
            tokio::select! {
                // The wait is begun before anything is told of it.
                biased;
                reply = &mut call => break reply,
                _ = self.session.wait_for(|over| *over) => {
                    return Err(lost("the session with the host is over"));
                }
                () = until(tell.as_mut()), if tell.is_some() => tell = None,
            }
        };
        if let Some(tell) = tell {
            tell.await;
        }
        let reply = reply.map_err(|error| failure(error, DOING))?;
        let Some(notifications) = reply.notifications else {
            return Err(refusal(reply.code, DOING));
        };
        Ok(News::Changed {
            state: said(&notifications),
        })
    }

    /// Asks for the next change. Where that fails, no more is told.
    pub(in crate::probe) async fn ask_again(&mut self) -> Result<(), News> {
        let asked = timeout(AGAIN, ask(&mut self.channel, self.service)).await;
        self.notify = asked.unwrap_or_else(|_| Err(lost("the host did not answer in time")))?;
        Ok(())
    }

    /// Ends the registration.
    pub(in crate::probe) async fn end(self) {
        hang_up(self.channel.hang_up(), &self.over).await;
    }
}

/// The state that the newest of some notifications says.
fn said(notifications: &[Notification]) -> svcwatch_core::observe::State {
    let newest = notifications.last();
    newest.map_or(svcwatch_core::observe::State::Unknown, |one| {
        reading::reading(&one.status.status, Some(one.status.pid)).state
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        assert!(matches!(refusal(Code(5), "x"), News::Refused { .. }));
        for code in [50, 120, 124, 1717, 1745] {
            assert!(
                matches!(refusal(Code(code), "x"), News::NotOffered { .. }),
                "{code}"
            );
        }
        assert!(matches!(
            refusal(Code(1115), "x"),
            News::ShuttingDown { .. }
        ));
        for code in [6, 1060, 1072, 1235, 1294] {
            assert!(
                matches!(refusal(Code(code), "x"), News::Lost { .. }),
                "{code}"
            );
        }
        let fault = |status| failure(CallError::Wire(WireError::Fault(status)), "x");
        assert!(
            matches!(fault(0x1c01_0002), News::NotOffered { .. }),
            "as Samba says it"
        );
        assert!(matches!(fault(1717), News::NotOffered { .. }));
        assert!(matches!(fault(5), News::Refused { .. }));
        assert!(matches!(fault(0x1c00_001a), News::Lost { .. }));
    }
}
