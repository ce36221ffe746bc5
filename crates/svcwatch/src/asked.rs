//! What the API asks of the loop.

use crate::{clock, engine::Loop, explain, web::Ask};
use svcwatch_core::event::Event;

impl Loop {
    /// Carries a question to the engine; who asked is answered when its answer is durable.
    pub(crate) fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Ack {
                incident,
                by,
                note,
                reply,
            } => {
                self.acks.wait(incident.clone(), reply);
                self.push(Event::Acknowledge { incident, by, note });
            }
            Ask::Silence { row, reply } => {
                self.acks.wait_for_silence(row.id.clone(), false, reply);
                self.push(Event::Silence(row));
            }
            Ask::EndSilence { id, by, reply } => {
                self.acks.wait_for_silence(id.clone(), true, reply);
                self.push(Event::EndSilence { id, by });
            }
            Ask::ReadNow { host } => self.push(Event::ReadNow { host }),
            Ask::Visit(visit) => self.push(Event::Visit(visit)),
            Ask::Explain {
                host,
                service,
                reply,
            } => {
                let engine = self.parts.pipeline.engine();
                // Who asked may be gone, and then nobody misses the answer.
                let feeds = self.parts.feeds.names();
                let words = explain::of(engine, clock::now(), (&host, service.as_ref()), &feeds);
                drop(reply.send(words));
            }
        }
    }
}
