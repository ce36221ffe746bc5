//! What comes in.

use crate::{
    evidence::{GatherId, Gathered},
    guest::{Visit, VisitEnded},
    hearing::{EarId, News},
    id::{DeliveryKey, IncidentId, Name},
    observe::{HostFault, Observation, ServiceConfig},
    plan::{Plan, Times},
    remedy::{ActId, Outcome},
    silence::{SilenceId, SilenceRow},
    time::Span,
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

/// Everything that can happen to the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Time has passed: the deadline that the engine asked for is reached, or nothing else happened.
    Tick,
    /// A probe answered.
    Observed(Observation),
    /// A host says that something has happened there, and not what: it is read now, or once more after the reading that
    /// is under way.
    Stirred {
        /// The host.
        host: Name,
    },
    /// A registration with a host brings news of a service.
    Heard {
        /// The host.
        host: Name,
        /// The service.
        service: Name,
        /// Which registration.
        ear: EarId,
        /// What it brings.
        news: News,
    },
    /// The configuration of services was read, or not.
    ConfigRead {
        /// The host.
        host: Name,
        /// What was read; services that vanished meanwhile are left out.
        services: Result<Vec<ServiceConfig>, HostFault>,
    },
    /// A try to start a service again has ended.
    Acted {
        /// Which.
        act: ActId,
        /// How.
        outcome: Outcome,
        /// What happened, in one sentence for people, without a stop, without secrets.
        text: String,
    },
    /// A host was asked about services that are not as expected, and has answered.
    Gathered {
        /// The host.
        host: Name,
        /// Which asking.
        gather: GatherId,
        /// What it answered; a service that it said nothing of is left out.
        found: Vec<Gathered>,
    },
    /// A delivery was rendered for its first try.
    Rendered {
        /// Which.
        delivery: DeliveryKey,
        /// What is to be sent, or why it cannot be made.
        payload: Result<Arc<[u8]>, String>,
    },
    /// A try of a delivery has ended.
    Settled {
        /// Which.
        delivery: DeliveryKey,
        /// How.
        verdict: Verdict,
        /// What the destination answered, shortened and without secrets.
        answer: String,
    },
    /// Somebody acknowledges an incident.
    Acknowledge {
        /// Which.
        incident: IncidentId,
        /// Who.
        by: String,
        /// What they wrote.
        note: String,
    },
    /// Somebody wants to hear nothing of something for a while.
    Silence(Box<SilenceRow>),
    /// A silence is not wanted any more.
    EndSilence {
        /// Which.
        id: SilenceId,
        /// Who ends it.
        by: String,
    },
    /// The times of maintenance windows, as far as they are known now; those of other windows stay.
    Calendar(Times),
    /// A new configuration.
    PlanReplaced(Arc<Plan>),
    /// The secret of an account is another one than at its last logon.
    SecretChanged {
        /// The account.
        account: Name,
    },
    /// Somebody wants a host to be read now, out of its turn; everything else that rounds heed is heeded. One that is
    /// not watched is not read.
    ReadNow {
        /// The host.
        host: Name,
    },
    /// Somebody wants a guest to be read now.
    Visit(Visit),
    /// A reading of a guest has ended.
    Visited(VisitEnded),
    /// The wall clock was set: it differs from the tick by more than before.
    ClockJumped {
        /// By so many milliseconds, forward where positive.
        by: i64,
    },
    /// The program is to end: nothing new is begun.
    Stop,
}

/// How a try of a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The destination took it.
    Delivered,
    /// Not now.
    Retry {
        /// How long the destination asks us to wait.
        after: Option<Span>,
        /// Why, in words.
        reason: String,
    },
    /// Never.
    Rejected {
        /// Why, in words.
        reason: String,
    },
}

impl Verdict {
    /// The word of this verdict, for the log of tries and the metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "retry",
            Self::Rejected { .. } => "rejected",
        }
    }
}
