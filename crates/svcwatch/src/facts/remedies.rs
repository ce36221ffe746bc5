//! What is said and counted of services that svcwatch starts again.

use super::words::{name, plain};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use svcwatch_core::{effect::Fact, remedy::Outcome};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

/// The metrics of tries to start services again.
#[derive(Debug)]
pub(super) struct RemedyMetrics {
    ended: Family<ByOutcome, Counter>,
    under_way: Gauge,
}

impl RemedyMetrics {
    /// All at zero.
    pub(super) fn new() -> Self {
        let ended: Family<ByOutcome, Counter> = Family::default();
        for outcome in Outcome::ALL {
            let outcome = outcome.as_str();
            drop(ended.get_or_create(&ByOutcome { outcome }));
        }
        Self {
            ended,
            under_way: Gauge::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "svcwatch_remedies",
            "Tries to start services again, by how they ended",
            self.ended.clone(),
        );
        registry.register(
            "svcwatch_remedies_under_way",
            "Services that are being started again now",
            self.under_way.clone(),
        );
    }

    /// A try begins or has ended. One that was under way as the program ended begins in no run of this one.
    pub(super) fn note(&self, fact: &Fact) {
        match fact {
            Fact::Acting {
                act,
                host,
                service,
                plan,
                attempt,
                dry_run,
            } => {
                self.under_way.inc();
                tracing::info!(
                    act = %act, host = %name(host), service = %name(service), plan = %name(plan),
                    attempt, dry_run, "service is started again"
                );
            }
            Fact::Acted {
                act,
                host,
                service,
                outcome,
                text,
            } => {
                let word = outcome.as_str();
                self.ended.get_or_create(&ByOutcome { outcome: word }).inc();
                if self.under_way.get() > 0 {
                    self.under_way.dec();
                }
                tracing::info!(
                    act = %act, host = %name(host), service = %name(service), outcome = word,
                    text = %plain(text), "try to start a service has ended"
                );
            }
            _ => {}
        }
    }
}
