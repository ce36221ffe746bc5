//! Which services depend on one: what a stop would take with it, and what has to be started again afterwards.

use std::time::Duration;

use svcwatch_core::id::Name;
use svcwatch_core::observe::{HostFault, State};
use svcwatch_core::time::Span;
use tokio::time::{Instant, timeout_at};

use super::Prober;
use super::session::{busy, no_session};

/// Dependents of one service that are told, at most.
pub const DEPENDENTS_MAX: usize = 256;

/// A service that depends on another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// Its key name, as the host writes it.
    pub name: String,
    /// Its display name.
    pub display_name: String,
    /// Its state.
    pub state: State,
}

impl Prober {
    /// Asks which services depend on one, directly or through others, over the kept session only: in the order in which
    /// they would have to be stopped, and [`DEPENDENTS_MAX`] at most. None where the host does not say it: it does not know
    /// the question, does not let us ask it, has no such service, or is read by WMI. A failure ends the session, and the
    /// next check opens another.
    pub async fn dependents(
        &self,
        host: &Name,
        service: &Name,
        timeout: Span,
    ) -> Result<Option<Vec<Dependent>>, HostFault> {
        let deadline = Instant::now() + Duration::from_millis(timeout.0);
        let Some(slot) = self.known_slot(host) else {
            return Err(no_session());
        };
        let mut kept = timeout_at(deadline, slot.lock())
            .await
            .map_err(|_| busy())?;
        // Out of its place while it is used, as for a check.
        let mut session = kept.take().ok_or_else(no_session)?;
        match Box::pin(session.dependents(service, deadline)).await {
            Ok(found) => {
                *kept = Some(session);
                Ok(found)
            }
            Err(failure) => Err(failure.fault),
        }
    }
}
