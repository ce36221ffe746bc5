//! What the world will do, each thing at its time.

use crate::{instant::Turn, ledger::End};
use std::sync::Arc;
use svcwatch_core::{
    effect::{ActRequest, ProbeRequest},
    evidence::GatherRequest,
    guest::VisitRequest,
    id::{DeliveryKey, Name},
    observe::{Observation, ProbeId},
    pipeline::BatchId,
    remedy::{ActId, Outcome},
};

/// How a message fares.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    /// Which.
    pub(crate) key: DeliveryKey,
    /// Where.
    pub(crate) destination: Name,
    /// Whether it is taken.
    pub(crate) taken: bool,
    /// How the monitor is told that it ended.
    pub(crate) end: End,
}

/// Something that the world will do.
#[derive(Debug)]
pub(crate) enum Item {
    /// Something of the story.
    Happening(usize),
    /// A probe comes back.
    Probe(ProbeRequest, u64),
    /// A probe comes back with what was true long ago.
    LateProbe(Box<Observation>),
    /// A probe can be given up.
    GiveUp(Name, ProbeId),
    /// A host does something about a registration.
    Ear(Turn),
    /// The configuration of services was read.
    Config(Name, Vec<Name>),
    /// A host says why services are not as expected.
    Gathered(GatherRequest),
    /// The monitor hears that something happened at a host.
    Stirs(Name),
    /// What was heard of a host then has had it read by now.
    StirIsOver(Name, u64),
    /// Somebody asks for a guest.
    Asks,
    /// Many guests are asked for at once, with the account of this place.
    AsksMany(usize),
    /// A reading of a guest comes back.
    Visit(VisitRequest, u64),
    /// A message was rendered.
    Rendered(DeliveryKey, Arc<[u8]>),
    /// A try ended.
    Sent(Sending),
    /// A try to start a service ends.
    Act(ActRequest),
    /// The answer of such a try.
    Acted(ActId, Outcome),
    /// A commit ended; whether it was written, and whether it counts as written.
    Committed(BatchId, bool, bool),
    /// The monitor comes up.
    Up,
    /// From now on everything is well.
    Quiet,
    /// Whatever still mutes ends.
    Unmute,
    /// One service of each host goes down, or comes back.
    Canary(bool),
    /// The last moment.
    End,
}

impl Item {
    /// Whether it is lost with the monitor.
    pub(crate) const fn dies(&self) -> bool {
        match self {
            Self::Probe(..)
            | Self::LateProbe(_)
            | Self::GiveUp(..)
            | Self::Visit(..)
            | Self::Config(..)
            | Self::Gathered(_)
            | Self::Stirs(_)
            | Self::StirIsOver(..)
            | Self::Ear(_)
            | Self::Rendered(..)
            | Self::Sent(_)
            | Self::Act(_)
            | Self::Acted(..)
            | Self::Committed(..) => true,
            Self::Happening(_)
            | Self::Asks
            | Self::AsksMany(_)
            | Self::Up
            | Self::Quiet
            | Self::Unmute
            | Self::Canary(_)
            | Self::End => false,
        }
    }
}
