//! Reading the event log of a host over its kept session.

use std::time::Duration;

use svcwatch_core::id::Name;
use svcwatch_core::time::Span;
use tokio::time::{Instant, timeout_at};

use super::events::{EventsAsked, EventsFound, NoEvents};
use super::{Access, Prober};

impl Prober {
    /// Reads the last lines of a host's event logs about a service, over the kept session only: the account proves itself
    /// once more with what it logs on with, for the calls are sealed on their own. Where there are none it is said why.
    ///
    /// Checks go on meanwhile, over the same session. Where it cannot be used for both at once they wait, for at most
    /// `hold`; a log that has not answered by then costs such a session.
    pub async fn events(
        &self,
        host: &Name,
        access: &Access,
        asked: &EventsAsked,
        timeout: Span,
        hold: Span,
    ) -> Result<EventsFound, NoEvents> {
        let deadline = Instant::now() + Duration::from_millis(timeout.0);
        let slot = self.slot(host);
        let mut kept = timeout_at(deadline, slot.lock())
            .await
            .map_err(|_| NoEvents::Timeout)?;
        let Some(mut session) = kept.take_if(|session| session.is_for(access)) else {
            return Err(NoEvents::NoSession);
        };
        if let Some(place) = session.log_place() {
            *kept = Some(session);
            drop(kept);
            return Box::pin(place.events(asked, access, &self.ours, deadline)).await;
        }
        let deadline = deadline.min(Instant::now() + Duration::from_millis(hold.0));
        let read = Box::pin(session.events(asked, access, &self.ours, deadline));
        let (found, usable) = read.await;
        if usable {
            *kept = Some(session);
        }
        found
    }
}
