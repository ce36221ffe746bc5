//! Going through services that depend on each other, in bounds, until a circle or the end.

use super::{Outcome, report::Problem};
use crate::{
    id::Name,
    limits::{RESTART_DEPTH_MAX, RESTART_SERVICES_MAX},
};
use alloc::{collections::BTreeSet, format, string::ToString, vec::Vec};

/// A walk, depth first: each service once, and after all that it leads to.
#[derive(Debug)]
pub(super) struct Walk {
    /// From the first service to the one that is looked at, each with what it leads to and was not looked at yet, the
    /// next one last.
    path: Vec<(Name, Vec<Name>)>,
    seen: BTreeSet<Name>,
    /// Those that were left, in that order; the first service is none of them.
    left: Vec<Name>,
}

impl Walk {
    /// Begins at a service that leads to these.
    pub(super) fn new(from: &Name, to: Vec<Name>) -> Self {
        let mut walk = Self {
            path: Vec::new(),
            seen: BTreeSet::new(),
            left: Vec::new(),
        };
        walk.put(from.clone(), to);
        walk
    }

    fn put(&mut self, service: Name, mut to: Vec<Name>) {
        to.reverse();
        // More than that many are too many whatever they are.
        to.truncate(RESTART_SERVICES_MAX.saturating_add(1));
        self.seen.insert(service.clone());
        self.path.push((service, to));
    }

    /// The next service to look at: it is either entered or passed then. None at the end.
    pub(super) fn next(&mut self) -> Result<Option<Name>, Problem> {
        while let Some((_, to)) = self.path.last_mut() {
            let Some(next) = to.pop() else {
                if let Some((service, _)) = self.path.pop()
                    && !self.path.is_empty()
                {
                    self.left.push(service);
                }
                continue;
            };
            if let Some(begin) = self.path.iter().position(|(on, _)| *on == next) {
                let circle = self.path.iter().skip(begin).map(|(on, _)| on.to_string());
                let circle: Vec<_> = circle.chain([next.to_string()]).collect();
                let circle = format!("they depend on each other: {}", circle.join(", "));
                return Err(Problem::new(Outcome::DependencyCircle, &next, circle));
            }
            if self.seen.contains(&next) {
                continue;
            }
            if self.seen.len() > RESTART_SERVICES_MAX || self.path.len() > RESTART_DEPTH_MAX {
                let why = format!(
                    "more than {RESTART_SERVICES_MAX} services, or more than {RESTART_DEPTH_MAX} one after another, hang together"
                );
                return Err(Problem::new(Outcome::TooMany, &next, why));
            }
            return Ok(Some(next));
        }
        Ok(None)
    }

    /// Looks next at what this one leads to; it is left after all of that.
    pub(super) fn enter(&mut self, service: Name, to: Vec<Name>) {
        self.put(service, to);
    }

    /// Goes on without this one.
    pub(super) fn pass(&mut self, service: Name) {
        self.seen.insert(service);
    }

    /// Those that were entered, each after all that it leads to.
    pub(super) fn into_left(self) -> Vec<Name> {
        self.left
    }
}
