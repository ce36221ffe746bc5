//! How long a host runs, as its server service tells (MS-SRVS 3.1.4.21).

use std::time::Duration;

use svcwatch_core::time::Span;
use svcwatch_wire::srvs::{RemoteTimeOfDay, SERVER_SERVICE};
use tokio::time::{Instant, timeout};

use super::Session;

/// The pipe of the server service (MS-SRVS 2.1).
const PIPE: &str = "srvsvc";

/// How long the answer may take, at most: the reading itself is there already and must not be late because of it.
const WAIT: Duration = Duration::from_secs(2);

/// What was learnt of a host's uptime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::probe) enum Uptime {
    /// It runs so long, or does not tell.
    Told(Option<Span>),
    /// It did not answer, and the session is of no use any more.
    Lost,
}

impl Session {
    /// Asks how long the host runs. One that refuses, or has no such service, does not tell.
    pub(in crate::probe) async fn uptime(&mut self, deadline: Instant) -> Uptime {
        let left = deadline.saturating_duration_since(Instant::now());
        let call = self
            .channel
            .call_aside(PIPE, SERVER_SERVICE, &RemoteTimeOfDay);
        match timeout(WAIT.min(left / 2), call).await {
            Ok(Ok(Ok(reply))) => Uptime::Told(
                reply
                    .time
                    .filter(|time| time.uptime != 0)
                    .map(|time| Span(time.uptime.into())),
            ),
            Ok(Ok(Err(error))) => {
                tracing::debug!(?error, "the host does not tell how long it runs");
                Uptime::Told(None)
            }
            Ok(Err(_)) | Err(_) => Uptime::Lost,
        }
    }
}
