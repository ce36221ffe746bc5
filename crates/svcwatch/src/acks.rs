//! Acknowledgements that wait until they are durable, or until the engine says that the incident is over.

use crate::web::AckReply;
use std::{collections::HashMap, sync::Arc};
use svcwatch_core::{id::IncidentId, record::Record};
use tokio::sync::oneshot;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    waiting: HashMap<IncidentId, Vec<oneshot::Sender<AckReply>>>,
}

impl Acks {
    /// Somebody waits for the acknowledgement of this incident. How many can wait is bounded by the requests that the
    /// API lets in.
    pub(crate) fn wait(&mut self, incident: IncidentId, reply: oneshot::Sender<AckReply>) {
        // Those that have stopped waiting go, so that a store that fails for long keeps no heap of them.
        self.waiting.retain(|_, replies| {
            replies.retain(|reply| !reply.is_closed());
            !replies.is_empty()
        });
        self.waiting.entry(incident).or_default().push(reply);
    }

    /// The engine knows no such open incident.
    pub(crate) fn not_open(&mut self, incident: &IncidentId) {
        self.answer(incident, AckReply::NotOpen);
    }

    /// These rows are durable.
    pub(crate) fn durable(&mut self, records: &Arc<[Record]>) {
        if self.waiting.is_empty() {
            return;
        }
        for record in records.iter() {
            if let Record::Incident(row) = record
                && row.acknowledged.is_some()
            {
                self.answer(&row.id, AckReply::Acknowledged);
            }
        }
    }

    fn answer(&mut self, incident: &IncidentId, answer: AckReply) {
        for reply in self.waiting.remove(incident).unwrap_or_default() {
            if reply.send(answer).is_err() {
                tracing::trace!(incident = %incident, "who acknowledged has stopped waiting");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_answered_once_and_who_has_gone_is_forgotten() {
        let mut acks = Acks::default();
        let id = IncidentId(Arc::from("a-1"));
        let (reply, mut answer) = oneshot::channel();
        let (gone, _) = oneshot::channel();
        acks.wait(IncidentId(Arc::from("b-1")), gone);
        acks.wait(id.clone(), reply);
        assert_eq!(acks.waiting.len(), 1, "the one that has gone is forgotten");
        acks.durable(&Arc::from([]));
        assert!(answer.try_recv().is_err());
        acks.not_open(&id);
        assert_eq!(answer.try_recv(), Ok(AckReply::NotOpen));
        assert!(acks.waiting.is_empty());
    }
}
