//! Acknowledgements and silences that wait until they are durable, or until the engine refuses them.

use crate::web::{AckReply, SilenceReply};
use std::{collections::HashMap, sync::Arc};
use svcwatch_core::{id::IncidentId, record::Record, silence::SilenceId};
use tokio::sync::oneshot;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    waiting: HashMap<IncidentId, Vec<oneshot::Sender<AckReply>>>,
    /// Whose silence is added, or ended where that is wanted.
    silences: HashMap<(SilenceId, bool), Vec<oneshot::Sender<SilenceReply>>>,
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

    /// Somebody waits until a silence is added, or ended. How many can wait is bounded as above.
    pub(crate) fn wait_for_silence(
        &mut self,
        id: SilenceId,
        ended: bool,
        reply: oneshot::Sender<SilenceReply>,
    ) {
        self.silences.retain(|_, replies| {
            replies.retain(|reply| !reply.is_closed());
            !replies.is_empty()
        });
        self.silences.entry((id, ended)).or_default().push(reply);
    }

    /// The engine does not take this silence, or knows none to end.
    pub(crate) fn silence_refused(&mut self, id: &SilenceId) {
        for ended in [false, true] {
            self.answer_silence(id, ended, SilenceReply::Refused);
        }
    }

    fn answer_silence(&mut self, id: &SilenceId, ended: bool, answer: SilenceReply) {
        for reply in self
            .silences
            .remove(&(id.clone(), ended))
            .unwrap_or_default()
        {
            if reply.send(answer).is_err() {
                tracing::trace!(silence = %id, "who asked has stopped waiting");
            }
        }
    }

    /// These rows are durable.
    pub(crate) fn durable(&mut self, records: &Arc<[Record]>) {
        if !self.silences.is_empty() {
            for record in records.iter() {
                if let Record::Silence(row) = record {
                    let ended = row.ended_at.is_some();
                    self.answer_silence(&row.id, ended, SilenceReply::Done);
                }
            }
        }
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

    #[test]
    fn who_silences_is_answered_when_it_is_durable_or_refused() {
        let mut acks = Acks::default();
        let row = svcwatch_core::silence::SilenceRow {
            id: SilenceId(Arc::from("a1")),
            matcher: svcwatch_core::plan::Matcher::default(),
            author: "anna".to_owned(),
            comment: "a new disk".to_owned(),
            from: svcwatch_core::time::Wall(1),
            until: svcwatch_core::time::Wall(2),
            ended_at: None,
            ended_by: None,
        };
        let (reply, mut added) = oneshot::channel();
        acks.wait_for_silence(row.id.clone(), false, reply);
        let (reply, mut ended) = oneshot::channel();
        acks.wait_for_silence(row.id.clone(), true, reply);
        acks.durable(&Arc::from([Record::Silence(row.clone())]));
        assert_eq!(added.try_recv(), Ok(SilenceReply::Done));
        assert!(ended.try_recv().is_err(), "its end is not durable yet");
        acks.silence_refused(&row.id);
        assert_eq!(ended.try_recv(), Ok(SilenceReply::Refused));
        assert!(acks.silences.is_empty());
    }
}
