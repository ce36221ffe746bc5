//! Hosts that nobody watches, read when somebody asks for them: their sessions, and who waits for what is read. Whether
//! and when one may be logged on to is decided elsewhere; nothing of a guest is shown or kept but its session.

use crate::{
    perform::{access_by, note_refusals},
    probe::Prober,
    wiring::{Logons, Reach},
};
use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use svcwatch_core::{
    effect::ProbeRequest,
    guest::{Full, Met, Visit, VisitAnswer, VisitEnded, VisitRequest},
    id::Name,
    observe::{Fault, HostFault, HostReading, Logon, Observation, Outcome, ProbeId},
};
use tokio::sync::oneshot;

/// What came of asking for a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What was read.
    Reading(HostReading),
    /// Why nothing was.
    Fault(HostFault),
    /// It may not be read.
    NotAllowed,
    /// There is no room for it now.
    TooMany(Full),
}

/// The sessions with guests, and who waits for which of them.
#[derive(Debug, Default)]
pub struct Guests {
    /// The sessions of each account. They are no hosts', so that a guest that becomes a host shares nothing with it. There
    /// are no more accounts than configurations name.
    probers: Mutex<BTreeMap<Name, Arc<Prober>>>,
    waiting: Mutex<BTreeMap<Visit, Waiting>>,
    /// What was said last of each account that no guest can be logged on to with.
    unusable: Mutex<BTreeMap<Name, String>>,
}

#[derive(Debug, Default)]
struct Waiting {
    replies: Vec<oneshot::Sender<Found>>,
    reading: Option<HostReading>,
}

impl Guests {
    /// Waits for the next reading of a guest to end, one that is under way included.
    pub fn wait(&self, visit: &Visit) -> oneshot::Receiver<Found> {
        let (reply, answer) = oneshot::channel();
        let mut all = self.waiting();
        // Who gave up leaves nothing behind.
        all.retain(|_, waiting| {
            waiting.replies.retain(|reply| !reply.is_closed());
            !waiting.replies.is_empty()
        });
        all.entry(visit.clone()).or_default().replies.push(reply);
        answer
    }

    /// Gives on what came of a guest, once that is durable.
    pub fn give(&self, visit: &Visit, answer: VisitAnswer) {
        let mut all = self.waiting();
        let Some(waiting) = all.get_mut(visit) else {
            return;
        };
        // A reading that had ended before anybody waited is for nobody: another one follows.
        if waiting.reading.is_none() && answer == VisitAnswer::Read {
            return;
        }
        let Waiting { replies, reading } = mem::take(waiting);
        all.remove(visit);
        drop(all);
        let found = match (answer, reading) {
            (VisitAnswer::Read, Some(reading)) => Found::Reading(reading),
            (VisitAnswer::Fault(fault), _) => Found::Fault(fault),
            (VisitAnswer::NotAllowed, _) => Found::NotAllowed,
            (VisitAnswer::TooMany(full), _) => Found::TooMany(full),
            // What was read is there wherever it is said that it was.
            (VisitAnswer::Read, _) => Found::TooMany(Full::Readings),
        };
        if let Found::Fault(fault) = &found {
            let (guest, account, cause) = (&visit.guest, &visit.account, &fault.cause);
            tracing::debug!(guest = %guest, account = %account, fault = %fault.fault, cause, "a guest is answered for");
        }
        for reply in replies {
            // Who asked may be gone.
            drop(reply.send(found.clone()));
        }
    }

    /// Reads a guest.
    pub(crate) async fn visit(
        &self,
        request: VisitRequest,
        reach: &Reach,
        logons: &Arc<Logons>,
    ) -> VisitEnded {
        let VisitRequest { visit, .. } = &request;
        let access = match reach.doors().open(visit) {
            Ok((connection, credential)) => {
                let as_whom = Some((&visit.account, credential));
                let access = access_by(&connection, as_whom, logons, request.may_log_on).await;
                access.map(|access| (access, credential))
            }
            Err(cause) => Err((Fault::LogonRefused, cause)),
        };
        let (access, credential) = match access {
            Ok(access) => access,
            Err((fault, cause)) => {
                self.say_unusable(visit, &cause);
                return not_read(&request, fault, &cause);
            }
        };
        self.unusable().remove(&visit.account);
        let check = ProbeRequest {
            host: visit.guest.clone(),
            probe: ProbeId::default(),
            may_log_on: request.may_log_on,
            logons: request.logons,
            ask: Arc::from([]),
            uptime: false,
            timeout: request.timeout,
        };
        let prober = self.prober(&visit.account);
        let observation = Box::pin(prober.check(&check, &access)).await;
        note_refusals(logons, (&visit.account, credential), &observation);
        self.met(request.visit, observation)
    }

    /// Says why no guest can be logged on to with an account: once, and not at every scrape.
    fn say_unusable(&self, visit: &Visit, cause: &str) {
        let (guest, account) = (&visit.guest, &visit.account);
        let before = self.unusable().insert(account.clone(), cause.to_owned());
        if before.as_deref() == Some(cause) {
            tracing::debug!(guest = %guest, account = %account, error = cause, "a guest cannot be logged on to");
        } else {
            tracing::warn!(guest = %guest, account = %account, error = cause, "a guest cannot be logged on to");
        }
    }

    /// Keeps what was read for those who wait for it, and says how it ended.
    fn met(&self, visit: Visit, observation: Observation) -> VisitEnded {
        let met = match observation.outcome {
            Outcome::Read(reading) => {
                if let Some(waiting) = self.waiting().get_mut(&visit) {
                    waiting.reading = Some(reading);
                }
                Met::Read
            }
            Outcome::Fault(fault) => {
                say(&visit, &fault);
                Met::Fault(fault)
            }
            Outcome::LogonNeeded => Met::LogonNeeded,
        };
        VisitEnded {
            visit,
            logon: observation.logon,
            refusals: observation.refusals,
            met,
            session_kept: observation.session_kept,
        }
    }

    /// Ends the session with a guest, politely.
    pub(crate) async fn leave(&self, visit: &Visit) {
        let known = self.probers().get(&visit.account).cloned();
        if let Some(prober) = known {
            prober.forget(&visit.guest).await;
        }
    }

    /// The number of sessions that are open; those in use at the moment count.
    pub fn sessions(&self) -> usize {
        let probers = self.probers();
        probers.values().map(|prober| prober.sessions()).sum()
    }

    fn prober(&self, account: &Name) -> Arc<Prober> {
        let mut probers = self.probers();
        let known = probers
            .entry(account.clone())
            .or_insert_with(|| Arc::new(Prober::new()));
        Arc::clone(known)
    }

    fn probers(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<Prober>>> {
        self.probers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unusable(&self) -> MutexGuard<'_, BTreeMap<Name, String>> {
        self.unusable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Visit, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says why a guest was not read: the answer to who asked holds only a word. A refused logon happens once an hour at most,
/// everything else as often as somebody asks.
fn say(visit: &Visit, fault: &HostFault) {
    let (guest, account, cause) = (&visit.guest, &visit.account, &fault.cause);
    if fault.refusal.is_some() {
        tracing::warn!(guest = %guest, account = %account, fault = %fault.fault, cause, "a guest refused a logon");
    } else {
        tracing::debug!(guest = %guest, account = %account, fault = %fault.fault, cause, "a guest was not read");
    }
}

/// The end of a reading that did not come to read.
pub(crate) fn not_read(request: &VisitRequest, fault: Fault, cause: &str) -> VisitEnded {
    VisitEnded {
        visit: request.visit.clone(),
        logon: Logon::None,
        refusals: 0,
        met: Met::Fault(HostFault {
            fault,
            cause: cause.to_owned(),
            refusal: None,
        }),
        session_kept: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::time::Span;

    fn visit(guest: &str) -> Visit {
        Visit {
            guest: guest.into(),
            account: "ops".into(),
        }
    }

    fn observation(outcome: Outcome) -> Observation {
        Observation {
            host: "a".into(),
            probe: ProbeId::default(),
            refusals: 0,
            administrator: None,
            took: Span::ZERO,
            logon: Logon::None,
            computer_name: None,
            outcome,
            session_kept: true,
        }
    }

    #[tokio::test]
    async fn all_who_wait_share_one_reading() {
        let guests = Guests::default();
        let read = || observation(Outcome::Read(HostReading::default()));
        guests.met(visit("a"), read());
        let (first, second) = (guests.wait(&visit("a")), guests.wait(&visit("A")));
        let mut other = guests.wait(&Visit {
            account: "lab".into(),
            ..visit("a")
        });
        guests.give(&visit("a"), VisitAnswer::Read);
        assert_eq!(guests.met(visit("a"), read()).met, Met::Read);
        guests.give(&visit("a"), VisitAnswer::Read);
        let reading = Found::Reading(HostReading::default());
        assert_eq!(first.await.unwrap(), reading);
        assert_eq!(second.await.unwrap(), reading);
        assert!(other.try_recv().is_err(), "that is another account");
        drop(other);
        let third = guests.wait(&visit("b"));
        guests.give(&visit("b"), VisitAnswer::NotAllowed);
        assert_eq!(third.await.unwrap(), Found::NotAllowed);
        drop(guests.wait(&visit("c")));
        drop(guests.wait(&visit("d")));
        assert_eq!(guests.waiting().len(), 1, "who gave up is forgotten");
    }
}
