//! What hosts say by themselves. It is no reading and tells nothing: it has the host read, and what is read then counts.
//! What is not said or gets lost, the next round finds.

use super::Engine;
use crate::{
    effect::Step,
    id::Name,
    planted::{self, Planted},
    time::Now,
};

impl Engine {
    /// A host says that something has happened there.
    pub(super) fn stirred(&mut self, now: Now, name: &Name, step: &mut Step) {
        if planted::is(Planted::StirBelieved) {
            self.pretend_stopped(now, name, step);
        }
        if let Some(host) = self.hosts.get_mut(name) {
            // The reading under way may have looked before it happened.
            host.stirred =
                self.schedule.under_way(name).is_some() && !planted::is(Planted::StirLost);
            self.schedule.no_later(name, now.tick);
        }
    }

    /// A reading has ended; a late one counts for nothing. What was said while it was under way has the host read again.
    pub(super) fn answered_while_stirred(&mut self, now: Now, name: &Name, in_time: bool) {
        let Some(host) = self.hosts.get_mut(name).filter(|_| in_time) else {
            return;
        };
        host.stale = core::mem::take(&mut host.stirred);
        if host.stale {
            self.schedule.no_later(name, now.tick);
        }
    }
}
