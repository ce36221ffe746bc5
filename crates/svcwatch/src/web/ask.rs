//! What the API asks of the loop, and how the loop answers.

use super::{items::Explanation, problem::Problem};
use std::time::Duration;
use svcwatch_core::{
    guest::Visit,
    id::{IncidentId, Name},
    silence::{SilenceId, SilenceRow},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Questions that wait for the loop, at most; more are refused.
pub const ASKS_MAX: usize = 64;
/// How long the loop may take to answer: longer than a slow commit.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A question to the loop. It is answered once; a sender that was dropped says that svcwatch is ending.
#[derive(Debug)]
pub enum Ask {
    /// Take note of an incident.
    Ack {
        /// Which.
        incident: IncidentId,
        /// Who takes note.
        by: String,
        /// What they want others to know.
        note: String,
        /// Answered once it is durable.
        reply: oneshot::Sender<AckReply>,
    },
    /// Hold back what a silence is about.
    Silence {
        /// The silence.
        row: Box<SilenceRow>,
        /// Answered once it is durable.
        reply: oneshot::Sender<SilenceReply>,
    },
    /// End a silence before its time.
    EndSilence {
        /// Which.
        id: SilenceId,
        /// Who ends it.
        by: String,
        /// Answered once its end is durable.
        reply: oneshot::Sender<SilenceReply>,
    },
    /// Read a host now, out of its turn. What comes of it is shown, and given to those who wait for it.
    ReadNow {
        /// The host.
        host: Name,
    },
    /// Read a guest now. What comes of it is given to those who wait for it.
    Visit(Visit),
    /// Say why a host or a service is told or not.
    Explain {
        /// The host.
        host: Name,
        /// The service; none for the host itself.
        service: Option<Name>,
        /// Answered with nothing where it is not watched.
        reply: oneshot::Sender<Option<Explanation>>,
    },
}

/// What became of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckReply {
    /// It is written down.
    Acknowledged,
    /// The incident is not open.
    NotOpen,
}

/// What became of a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceReply {
    /// It is written down, or its end is.
    Done,
    /// There is no room for it, or there is none to end.
    Refused,
}

/// Asks the loop and waits for its answer.
pub(super) async fn ask<T>(
    asks: &mpsc::Sender<Ask>,
    question: impl FnOnce(oneshot::Sender<T>) -> Ask,
) -> Result<T, Problem> {
    let (reply, answer) = oneshot::channel();
    asks.try_send(question(reply))
        .map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Problem::unavailable(
                "Too many questions wait for an answer. Try again in a moment.",
            ),
            mpsc::error::TrySendError::Closed(_) => ending(),
        })?;
    match timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer.map_err(|_| ending()),
        Err(_) => Err(Problem::unavailable(format!(
            "There was no answer within {} s. Look at /-/ready for what is wrong, and try again.",
            ANSWER_WITHIN.as_secs()
        ))),
    }
}

fn ending() -> Problem {
    Problem::unavailable("svcwatch is ending. Try again when it runs.")
}
