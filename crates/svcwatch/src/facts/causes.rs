//! What is said and counted of why services were not as expected.

use super::words::name;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use svcwatch_core::{cause::Cause, effect::Fact, evidence::Heard};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCause {
    cause: &'static str,
}

/// The metrics of causes.
#[derive(Debug)]
pub(super) struct CauseMetrics {
    explained: Family<ByCause, Counter>,
    unanswered: Counter,
    unasked: Counter,
}

impl CauseMetrics {
    /// All at zero.
    pub(super) fn new() -> Self {
        let explained: Family<ByCause, Counter> = Family::default();
        for cause in Cause::ALL {
            let cause = cause.as_str();
            drop(explained.get_or_create(&ByCause { cause }));
        }
        Self {
            explained,
            unanswered: Counter::default(),
            unasked: Counter::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "svcwatch_incidents_explained",
            "Incidents of services whose hosts were asked why, by the cause that was found",
            self.explained.clone(),
        );
        registry.register(
            "svcwatch_evidence_unanswered",
            "Of those, how many hosts did not answer in time",
            self.unanswered.clone(),
        );
        registry.register(
            "svcwatch_evidence_unasked",
            "Incidents of services whose hosts were not asked why in time, because too many were asked at once",
            self.unasked.clone(),
        );
    }

    /// An incident is explained. One whose host may still be asked is counted by its cause only once it was, or will not be.
    pub(super) fn note(&self, fact: &Fact) {
        let Fact::Explained {
            incident,
            subject,
            cause,
            heard,
        } = fact
        else {
            return;
        };
        let word = cause.as_str();
        match heard {
            Heard::Queued => self.unasked.inc(),
            Heard::Silent => self.unanswered.inc(),
            Heard::Answered | Heard::NotAsked => 0,
        };
        if *heard != Heard::Queued {
            self.explained.get_or_create(&ByCause { cause: word }).inc();
        }
        let host = subject.host().map(name);
        let service = subject.service().map(name);
        tracing::info!(
            incident = %incident,
            host = host.as_ref().map(tracing::field::display),
            service = service.as_ref().map(tracing::field::display),
            cause = word,
            heard = heard.as_str(),
            "incident was looked into"
        );
    }
}
