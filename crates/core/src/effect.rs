//! What goes out, once the records of the same step are durable.

use crate::{
    cause::Cause,
    evidence::{GatherRequest, Heard},
    guest::{Visit, VisitAnswer, VisitRequest},
    hearing::{EarId, Turn},
    id::{DeliveryKey, IncidentId, Name, Subject},
    notice::{Notice, ToldEvent, Why},
    observe::{Fault, ProbeId, State},
    record::Record,
    remedy::{ActId, Outcome},
    silence::SilenceId,
    time::{Span, Tick},
    view::View,
};
use alloc::{string::String, sync::Arc, vec::Vec};

/// What one event comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// Rows to write in one transaction.
    pub commit: Vec<Record>,
    /// What to do when they are durable.
    pub effects: Vec<Effect>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read a host. Answered by exactly one [`crate::event::Event::Observed`].
    Probe(ProbeRequest),
    /// Read the configuration of services over the kept session. Answered by [`crate::event::Event::ConfigRead`].
    ReadConfig {
        /// The host.
        host: Name,
        /// The services, by key name.
        services: Vec<Name>,
    },
    /// Ask a host over its kept session about services that are not as expected. Answered by exactly one
    /// [`crate::event::Event::Gathered`].
    Gather(GatherRequest),
    /// Close the session with a host that is not watched any more.
    Forget {
        /// The host.
        host: Name,
    },
    /// Read a guest. Answered by exactly one [`crate::event::Event::Visited`].
    Visit(VisitRequest),
    /// Close the session with a guest, and forget all of it.
    Leave(Visit),
    /// Tell those who asked for a guest what came of it.
    AnswerVisit {
        /// Which guest, with which account.
        visit: Visit,
        /// What came of it.
        answer: VisitAnswer,
    },
    /// Ask a host over its kept session to tell of the changes of a service. Answered by
    /// [`crate::event::Event::Heard`], any number of times; the last one is [`crate::hearing::News::Lost`],
    /// [`crate::hearing::News::ShuttingDown`],
    /// [`crate::hearing::News::Refused`] or [`crate::hearing::News::NotOffered`].
    Listen {
        /// The host.
        host: Name,
        /// The service, by key name.
        service: Name,
        /// Which registration this is to be.
        ear: EarId,
    },
    /// End a registration. Nothing more is wanted of it.
    StopListening {
        /// The host.
        host: Name,
        /// The service.
        service: Name,
        /// Which registration.
        ear: EarId,
    },
    /// Make the message of a delivery. Answered by [`crate::event::Event::Rendered`].
    Render {
        /// Which delivery.
        delivery: DeliveryKey,
        /// The destination.
        destination: Name,
        /// The recipient; empty where the destination itself is.
        recipient: Arc<str>,
        /// What is told.
        notice: Arc<Notice>,
    },
    /// Send a message. Answered by exactly one [`crate::event::Event::Settled`].
    Send {
        /// Which delivery.
        delivery: DeliveryKey,
        /// The destination.
        destination: Name,
        /// The recipient; empty where the destination itself is.
        recipient: Arc<str>,
        /// What was rendered.
        payload: Arc<[u8]>,
        /// Which try, from 1.
        attempt: u32,
    },
    /// Start a service again. Answered by exactly one [`crate::event::Event::Acted`], before
    /// [`crate::limits::ACT_MAX`] is over.
    Act(ActRequest),
    /// Show something: the newest view of one thing.
    Show(View),
    /// Say something: one line of log and one metric.
    Note(Fact),
}

impl Effect {
    /// Whether it only reads, so that it need not wait for a commit: nobody is told anything by it.
    pub const fn only_reads(&self) -> bool {
        match self {
            Self::Probe(_)
            | Self::ReadConfig { .. }
            | Self::Gather(_)
            | Self::Forget { .. }
            | Self::Visit(_)
            | Self::Leave(_)
            | Self::Listen { .. }
            | Self::StopListening { .. } => true,
            Self::Render { .. }
            | Self::AnswerVisit { .. }
            | Self::Send { .. }
            | Self::Act(_)
            | Self::Show(_)
            | Self::Note(_) => false,
        }
    }
}

/// What is to be done for a service that is to be started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActRequest {
    /// Which try.
    pub act: ActId,
    /// The host.
    pub host: Name,
    /// The service, by key name.
    pub service: Name,
    /// The name by which the computer must call itself, where it is known: nothing is done on another one.
    pub computer: Option<String>,
    /// The plan that asks for it.
    pub plan: Name,
    /// Which try for this incident, from 1.
    pub attempt: u32,
    /// Whether only to say what would be done.
    pub dry_run: bool,
    /// When it may not be begun any more: it is then answered by [`crate::remedy::Outcome::TooLate`].
    pub begin_before: Tick,
}

/// What a probe is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// The host.
    pub host: Name,
    /// Which probe.
    pub probe: ProbeId,
    /// Whether it may log on where no session is kept.
    pub may_log_on: bool,
    /// How many logons it may try: a second one, with the account's previous password, where a first one is refused.
    pub logons: u8,
    /// Names to ask for one by one where the list lacks them.
    pub ask: Arc<[Name]>,
    /// Whether to ask how long the host runs since its boot.
    pub uptime: bool,
    /// How long all of it may take.
    pub timeout: Span,
}

/// Something worth knowing: each is one line of log and one metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A host was checked.
    Checked {
        /// The host.
        host: Name,
        /// The fault, where it could not be read.
        fault: Option<Fault>,
        /// How long it took.
        took: Span,
        /// How late it was begun.
        lag: Span,
    },
    /// Rounds of a host that were left out because the last check was still under way or no place was free.
    MissedRounds {
        /// The host.
        host: Name,
        /// How many.
        rounds: u64,
    },
    /// A service changed its state.
    Transition {
        /// The host.
        host: Name,
        /// The service.
        service: Name,
        /// From which state; none at first sight.
        from: Option<State>,
        /// To which state.
        to: State,
    },
    /// The confirmed fault of a host changed.
    HostChanged {
        /// The host.
        host: Name,
        /// The fault; none where it can be read.
        fault: Option<Fault>,
        /// The sentence of the fault.
        cause: Option<String>,
    },
    /// A host is shutting down.
    ShuttingDown {
        /// The host.
        host: Name,
    },
    /// A host was booted.
    Booted {
        /// The host.
        host: Name,
    },
    /// An incident was opened.
    IncidentOpened {
        /// Which.
        incident: IncidentId,
        /// About what.
        subject: Subject,
        /// What is wrong.
        event: ToldEvent,
    },
    /// An incident is over.
    IncidentResolved {
        /// Which.
        incident: IncidentId,
        /// About what.
        subject: Subject,
        /// With what.
        event: ToldEvent,
    },
    /// What is known of why a service is not as expected.
    Explained {
        /// The incident.
        incident: IncidentId,
        /// Of which service.
        subject: Subject,
        /// The cause.
        cause: Cause,
        /// What came of asking its host.
        heard: Heard,
    },
    /// Something was not told.
    Dropped {
        /// About what.
        subject: Subject,
        /// At which destination.
        destination: Option<Name>,
        /// Why.
        why: Why,
    },
    /// A try of a delivery ended.
    Attempted {
        /// Which.
        delivery: DeliveryKey,
        /// Where.
        destination: Name,
        /// `delivered`, `retry` or `rejected`.
        result: &'static str,
        /// What was answered.
        answer: String,
    },
    /// A service is about to be started again.
    Acting {
        /// Which try.
        act: ActId,
        /// The host.
        host: Name,
        /// The service.
        service: Name,
        /// The plan.
        plan: Name,
        /// Which try for its incident, from 1.
        attempt: u32,
        /// Whether only what would be done is said.
        dry_run: bool,
    },
    /// A try to start a service again has ended.
    Acted {
        /// Which try.
        act: ActId,
        /// The host.
        host: Name,
        /// The service.
        service: Name,
        /// How.
        outcome: Outcome,
        /// What happened.
        text: String,
    },
    /// A registration with a host has taken a turn.
    Ear {
        /// The host.
        host: Name,
        /// The service.
        service: Name,
        /// Which turn.
        turn: Turn,
        /// Why, where there is a reason.
        cause: Option<String>,
        /// How many registrations there are now, standing or asked for.
        ears: usize,
    },
    /// A late answer of a probe was dropped.
    LateAnswer {
        /// The host.
        host: Name,
    },
    /// An account is paused, or not any more.
    AccountPaused {
        /// Which.
        account: Name,
        /// Whether it is.
        paused: bool,
    },
    /// A silence was added.
    Silenced {
        /// Which.
        silence: SilenceId,
        /// Who wants it.
        author: String,
        /// Why.
        comment: String,
    },
    /// A silence is over.
    SilenceEnded {
        /// Which.
        silence: SilenceId,
        /// Who ended it before its time.
        by: Option<String>,
    },
    /// A silence was not added, because there are too many or it is over already, or cannot be ended, because there is
    /// none.
    SilenceRefused {
        /// Which.
        silence: SilenceId,
    },
    /// An acknowledgement named an incident that is not open.
    NotOpen {
        /// Which.
        incident: IncidentId,
    },
}
