//! Machines that are asked why a service is not as expected. Most answer soon, some late, some never: however that is, an
//! opening waits for it no longer than it may.

use crate::{item::Item, oracle::Oracle, rng::Rng, setup::Setup, world::World};
use svcwatch_core::{
    cause::Told,
    event::Event,
    evidence::{EvidencePlan, GatherRequest, Gathered, Late, LogLine, LogUse},
    id::Subject,
    limits,
    notice::ToldEvent,
    observe::State,
    record::IncidentRow,
    time::Span,
};

/// Half of the worlds ask for reasons, with a chance of its own, so that all else is as it was without it.
pub(crate) fn with_reasons(seed: u64, setup: &mut Setup) {
    let mut rng = Rng::new(seed, 10);
    if rng.chance(50) {
        setup.plan.evidence = Some(EvidencePlan {
            wait: Span(rng.pick(&[0, 500, 500, 2_000])),
            deadline: Span::seconds(10),
            hosts_at_once: rng.pick(&[1, 2, 16]),
            log: rng.pick(&[LogUse::Off, LogUse::Store, LogUse::Tell]),
            late: rng.pick(&[Late::Store, Late::Tell]),
        });
    }
}

impl World {
    /// A machine is asked.
    pub(crate) fn gather(&mut self, request: GatherRequest) {
        let asked = self.asked_why.entry(request.host.clone()).or_default();
        let most = self.plan.evidence.map_or(0, |plan| plan.hosts_at_once);
        *asked = self.now + request.timeout.0;
        let now = self.now;
        let under_way = self.asked_why.values().filter(|until| **until > now);
        if under_way.count() > most {
            let sentence = format!("more than {most} hosts are asked for reasons at once");
            self.oracle.broken("P3", sentence);
        }
        if request.services.len() > limits::GATHERED_AT_ONCE {
            let sentence = format!("{} is asked about too much at once", request.host);
            self.oracle.broken("P3", sentence);
        }
        let wait = match self.chance[0].index(10) {
            0 => return,
            1 | 2 => self.chance[0].between(1_000, request.timeout.0.max(1_001)),
            _ => self.chance[0].between(1, 700),
        };
        self.later(self.now + wait, Item::Gathered(request));
    }

    /// It answers; now and then about less than it was asked.
    pub(crate) fn gathered(&mut self, request: &GatherRequest) {
        self.asked_why.remove(&request.host);
        let mut found = Vec::new();
        for asked in &request.services {
            if self.chance[0].chance(10) {
                continue;
            }
            let crashed = request.log && self.chance[0].chance(30);
            found.push(Gathered {
                dependencies: vec![("RpcSs".to_owned(), Some(State::Running))],
                log: Vec::from_iter(crashed.then(|| LogLine {
                    at: asked.since,
                    from: "Application 1000 Application Error".to_owned(),
                    meaning: None,
                    strings: Vec::new(),
                    proves: Some(Told::Crash { exception: None }),
                })),
                ..Gathered::nothing(asked.service.clone())
            });
        }
        self.tell(Event::Gathered {
            host: request.host.clone(),
            gather: request.gather,
            found,
        });
    }
}

impl Oracle {
    /// An opening that is held waits no longer than its host's services settle and reasons may take.
    pub(crate) fn judge_hold(&mut self, row: &IncidentRow) {
        let (Subject::Service { host, .. }, Some(until)) = (&row.subject, row.held_until) else {
            return;
        };
        let plan = self.plan();
        let settle = plan
            .hosts
            .iter()
            .find(|known| known.name == *host)
            .map_or(Span::ZERO, |known| known.settle);
        let wait = plan.evidence.map_or(Span::ZERO, |plan| plan.wait);
        let held = until.since(row.opened_at);
        if let Some(ended) = row.resolved_at {
            if until.since(ended) > limits::ACT_END_WAIT {
                let sentence = format!("the end of {} is held for too long", row.id);
                self.broken("policy", sentence);
            }
            return;
        }
        if row.event == ToldEvent::Stopped && held > settle.max(wait) + limits::NIGHT_EVERY {
            let sentence = format!("{} is held for {} ms", row.id, held.0);
            self.broken("policy", sentence);
        }
    }
}
