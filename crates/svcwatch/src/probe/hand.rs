//! What starts and stops services: the only part of the program that can (P8).
//!
//! A [`Hand`] has one host, the account that may act there, and a session of its own, which is none of those that read.
//! It carries out single steps and decides nothing. A control is sent once; a refused logon is never tried again.

use std::sync::Arc;
use std::time::Duration;

use svcwatch_core::id::Name;
use svcwatch_core::observe::{Fault, HostFault, Refusal};
use svcwatch_core::remedy::procedure::{Answer, Step, Verb};
use svcwatch_core::time::{Span, Tick};
use tokio::time::{Instant, timeout_at};

use super::kerberos::Tickets;
use super::rpc::{After, Failure, LoggedOn};
use super::session::{Opened, Session};
use super::turns::{Alone, Tried, Turns};
use super::{Access, Ours, workstation};
use crate::clock;

/// How long the answer to a control may take. Windows itself waits up to half a minute for a service to answer
/// (`ServicesPipeTimeout`), and answers only then.
const CONTROL_TIMEOUT: Duration = Duration::from_mins(1);

/// What acts on one host.
#[derive(Debug)]
pub struct Hand {
    host: Name,
    access: Access,
    ours: Ours,
    /// How long a logon and its first question, or any other question, may take.
    timeout: Duration,
    session: Option<Session>,
    /// Why no logon is tried any more.
    refused: Option<HostFault>,
    /// The name by which the computer must call itself, where that is known.
    expected: Option<String>,
    computer: Option<String>,
    administrator: Option<bool>,
    /// The turns of the logons of its account, and with what it logs on.
    turns: Option<(Arc<Turns>, Tried)>,
    /// The right to log on while no other does, for the first logon.
    alone: Option<Alone>,
    /// When the first logon may not be begun any more.
    begin_before: Option<Tick>,
    late: bool,
}

impl Hand {
    /// A hand that has not logged on yet.
    pub fn new(host: Name, access: Access, timeout: Span) -> Self {
        Self {
            host,
            access,
            ours: Ours {
                workstation: workstation(),
                tickets: Tickets::default(),
                stirs: None,
                recorder: None,
                replay: None,
                acts: true,
                #[cfg(windows)]
                listening: Arc::default(),
            },
            timeout: Duration::from_millis(timeout.0),
            session: None,
            refused: None,
            expected: None,
            computer: None,
            administrator: None,
            turns: None,
            alone: None,
            begin_before: None,
            late: false,
        }
    }

    /// The same, which logs on in these turns; for the first logon it may have the right to do so alone already.
    #[must_use]
    pub fn taking_turns(mut self, turns: Arc<Turns>, alone: Option<Alone>) -> Self {
        self.turns = Some((turns, Tried::of(&self.access)));
        self.alone = alone;
        self
    }

    /// The same, which does not begin at this time or later.
    #[must_use]
    pub const fn beginning_before(mut self, tick: Tick) -> Self {
        self.begin_before = Some(tick);
        self
    }

    /// Whether it did not begin, because it was too late.
    pub const fn is_late(&self) -> bool {
        self.late
    }

    /// The same, for a computer of this name: nothing is done on any other that answers in its place.
    #[must_use]
    pub fn expecting(mut self, computer: Option<String>) -> Self {
        self.expected = computer;
        self
    }

    /// The name by which the computer called itself.
    pub fn computer(&self) -> Option<&str> {
        self.computer.as_deref()
    }

    /// Whether the account is an administrator there, where the host said so.
    pub const fn administrator(&self) -> Option<bool> {
        self.administrator
    }

    /// The account that acts; none where it is the one that svcwatch runs as.
    pub fn account(&self) -> Option<&str> {
        Some(self.access.user.as_str()).filter(|user| !user.is_empty())
    }

    /// Whether its logon was refused.
    pub fn is_refused(&self) -> bool {
        let fault = self.refused.as_ref().map(|known| known.fault);
        fault == Some(Fault::LogonRefused)
    }

    /// Carries out one step, and says what came of it.
    pub async fn carry_out(&mut self, step: &Step) -> Answer {
        match step {
            Step::Wait(span) => {
                tokio::time::sleep(Duration::from_millis(span.0)).await;
                Answer::Done
            }
            Step::Query(_) | Step::Setup(_) | Step::Dependents(_) | Step::May { .. } => {
                self.question(step).await
            }
            Step::Stop(name) => self.control(Verb::Stop, name).await,
            Step::Start(name) => self.control(Verb::Start, name).await,
            Step::Done(_) => Answer::Done,
        }
    }

    /// Ends the session politely.
    pub async fn end(mut self) {
        if let Some(session) = self.session.take() {
            session.end().await;
        }
    }

    /// Asks; over a fresh session once more where the kept one turns out to be over.
    async fn question(&mut self, step: &Step) -> Answer {
        let deadline = Instant::now() + self.timeout;
        let kept = self.session.is_some();
        match self.ask(step, deadline).await {
            Ok(answer) => answer,
            Err(failure) if kept && failure.after == After::Reopen => {
                let again = self.ask(step, deadline).await;
                again.unwrap_or_else(|failure| Answer::Fault(failure.fault))
            }
            Err(failure) => Answer::Fault(failure.fault),
        }
    }

    async fn ask(&mut self, step: &Step, deadline: Instant) -> Result<Answer, Failure> {
        // Out of its place while it is used, so that none is left that is in the middle of an answer.
        let mut session = self.take(deadline).await?;
        let answer = session.question(step, deadline).await?;
        self.session = Some(session);
        Ok(answer)
    }

    /// Sends a control, if need be over a fresh session; what is opened for it fails before anything is sent.
    async fn control(&mut self, verb: Verb, name: &Name) -> Answer {
        let deadline = Instant::now() + self.timeout;
        let kept = self.session.is_some();
        let opened = match self.open_to(verb, name, deadline).await {
            Err(failure) if kept && failure.after == After::Reopen => {
                self.open_to(verb, name, deadline).await
            }
            opened => opened,
        };
        let (mut session, handle) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(answer)) => return answer,
            Err(failure) => return Answer::Fault(failure.fault),
        };
        let deadline = Instant::now() + CONTROL_TIMEOUT.max(self.timeout);
        let (answer, usable) = session.control(verb, handle, deadline).await;
        if usable {
            self.session = Some(session);
        }
        answer
    }

    async fn open_to(
        &mut self,
        verb: Verb,
        name: &Name,
        deadline: Instant,
    ) -> Result<Result<(Session, Opened), Answer>, Failure> {
        let mut session = self.take(deadline).await?;
        Ok(match session.open_to(verb, name, deadline).await? {
            Ok(handle) => Ok((session, handle)),
            Err(answer) => {
                self.session = Some(session);
                Err(answer)
            }
        })
    }

    /// The kept session, else a new one.
    async fn take(&mut self, deadline: Instant) -> Result<Session, Failure> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        if let Some(fault) = self.refused.clone() {
            return Err(Failure {
                fault,
                after: After::Drop,
            });
        }
        let alone = self.admitted(deadline).await?;
        let mut logon = LoggedOn::default();
        let opened = self.log_on(deadline, &mut logon).await;
        self.learn(opened.as_ref().err(), &logon);
        drop(alone);
        self.administrator = logon.administrator.or(self.administrator);
        let failure = match opened {
            Ok(session) => {
                self.computer = session
                    .computer()
                    .map(str::to_owned)
                    .or(self.computer.take());
                match self.stranger() {
                    None => return Ok(session),
                    Some(fault) => {
                        session.end().await;
                        Failure {
                            fault,
                            after: After::Drop,
                        }
                    }
                }
            }
            Err(failure) => failure,
        };
        if matches!(failure.fault.fault, Fault::LogonRefused | Fault::WrongHost) {
            self.refused = Some(failure.fault.clone());
        }
        Err(Failure {
            // A session that could not be opened is not opened again for the same step.
            after: After::Drop,
            ..failure
        })
    }

    /// Waits until it may log on, or says why it may not.
    async fn admitted(&mut self, deadline: Instant) -> Result<Option<Alone>, Failure> {
        let not = |fault, cause: &str| HostFault {
            fault,
            cause: cause.to_owned(),
            refusal: None,
        };
        let begin_before = self.begin_before.take();
        if begin_before.is_some_and(|before| clock::now().tick >= before) {
            self.late = true;
            let fault = not(Fault::Timeout, "it could not be begun soon enough");
            return Err(self.never(fault));
        }
        let Some((turns, tried)) = &self.turns else {
            return Ok(None);
        };
        let alone = match self.alone.take() {
            Some(alone) => Some(alone),
            None => timeout_at(deadline, turns.enter(tried))
                .await
                .map_err(|_| Failure {
                    fault: not(
                        Fault::Timeout,
                        "other logons of the account did not end in time",
                    ),
                    after: After::Drop,
                })?,
        };
        match turns.check(clock::now().tick, tried) {
            Ok(()) => Ok(alone),
            Err(fault) => Err(self.never(fault)),
        }
    }

    /// No logon is tried any more.
    fn never(&mut self, fault: HostFault) -> Failure {
        self.refused = Some(fault.clone());
        Failure {
            fault,
            after: After::Drop,
        }
    }

    /// What a logon came to is known to the others of its account before any of them goes on.
    fn learn(&self, failure: Option<&Failure>, logon: &LoggedOn) {
        let Some((turns, tried)) = &self.turns else {
            return;
        };
        let now = clock::now().tick;
        if failure.is_some_and(|failure| failure.fault.fault == Fault::LogonRefused) {
            turns.refused(now, tried);
        } else if logon.accepted {
            turns.accepted(now, tried, &self.access.password);
        }
    }

    /// The fault where another computer answers.
    fn stranger(&self) -> Option<HostFault> {
        let (expected, computer) = (self.expected.as_deref()?, self.computer.as_deref()?);
        (!expected.eq_ignore_ascii_case(computer)).then(|| HostFault {
            fault: Fault::WrongHost,
            cause: format!("{computer} answers where {expected} is expected"),
            refusal: None,
        })
    }

    /// Logs on, and once more with the second password where the first is wrong. A second try that fails otherwise says
    /// nothing of the passwords, so the refusal of the first stands.
    async fn log_on(
        &mut self,
        deadline: Instant,
        logon: &mut LoggedOn,
    ) -> Result<Session, Failure> {
        let (host, ours) = (&self.host, &self.ours);
        let first = Box::pin(Session::open(host, &self.access, ours, deadline, logon)).await;
        let wrong =
            matches!(&first, Err(failure) if failure.fault.refusal == Some(Refusal::WrongPassword));
        match self.access.with_second_password().filter(|_| wrong) {
            None => first,
            Some(second) => {
                let again = Box::pin(Session::open(host, &second, ours, deadline, logon)).await;
                if logon.accepted {
                    self.access = second;
                }
                match again {
                    Err(failure) if failure.fault.refusal.is_none() && !logon.accepted => first,
                    again => again,
                }
            }
        }
    }
}
