//! Why a service is started again by us, or not now.

use super::{Engine, remedied::Key};
use crate::{
    id::Name,
    remedy::{
        RemedyTold,
        decide::{Held, Ruling},
    },
    time::{Now, Wall},
};
use alloc::vec::Vec;

/// What applies to a service that may be started again by us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemedyExplained {
    /// The plan.
    pub plan: Name,
    /// The group that asks for it, where it is not the host's own entry.
    pub group: Option<Name>,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
    /// Tries for one incident, at most.
    pub attempts: u32,
    /// What was tried for the open incident, oldest first.
    pub tries: Vec<RemedyTold>,
    /// Why it is not started now; nothing where it is, with the next reading that says that it is stopped.
    pub held: Option<Held>,
    /// Until when, where that is known.
    pub until: Option<Wall>,
}

impl Engine {
    /// Explains whether a service is started again; nothing where that was not asked for.
    pub(super) fn explain_remedy(&self, now: Now, key: &Key) -> Option<RemedyExplained> {
        let remedy = self.remedy_of(key)?;
        let (held, until) = match self.rule(now, key)? {
            Ruling::Act(_) => (None, None),
            Ruling::Wait(at, why) => (Some(why), Some(now.wall_of(at))),
            Ruling::No(why) => (Some(why), None),
        };
        Some(RemedyExplained {
            plan: remedy.plan.name.clone(),
            group: remedy.group.clone(),
            dry_run: remedy.plan.dry_run,
            attempts: remedy.plan.attempts,
            tries: self.tries_of(key),
            held,
            until,
        })
    }
}
