//! What is said and counted of services that are heard at once.

use super::words::{name, plain};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use svcwatch_core::{effect::Fact, hearing::Turn};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTurn {
    event: &'static str,
}

/// The metrics of services that are heard at once.
#[derive(Debug)]
pub(super) struct InstantMetrics {
    registrations: Gauge,
    events: Family<ByTurn, Counter>,
}

impl InstantMetrics {
    /// All at zero.
    pub(super) fn new() -> Self {
        let metrics = Self {
            registrations: Gauge::default(),
            events: Family::default(),
        };
        for turn in Turn::ALL {
            let event = turn.as_str();
            drop(metrics.events.get_or_create(&ByTurn { event }));
        }
        metrics
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "svcwatch_instant_registrations",
            "Services of which hosts were asked to tell at once, standing or not yet",
            self.registrations.clone(),
        );
        registry.register(
            "svcwatch_instant_events",
            "What became of registrations with hosts: listening, heard, lost, shutting_down, refused, not_offered or ended",
            self.events.clone(),
        );
    }

    /// A registration has taken a turn.
    pub(super) fn note(&self, fact: &Fact) {
        let Fact::Ear {
            host,
            service,
            turn,
            cause,
            ears,
        } = fact
        else {
            return;
        };
        self.registrations
            .set(i64::try_from(*ears).unwrap_or(i64::MAX));
        let event = turn.as_str();
        self.events.get_or_create(&ByTurn { event }).inc();
        let (host, service) = (name(host), name(service));
        let cause = plain(cause.as_deref().unwrap_or_default());
        match turn {
            Turn::Listening | Turn::Heard | Turn::Ended => {
                tracing::debug!(%host, %service, turn = event, "heard at once");
            }
            Turn::Lost | Turn::ShuttingDown => {
                tracing::info!(%host, %service, %cause, "the host does not tell of a service any more; it is read and asked again");
            }
            Turn::Refused | Turn::NotOffered => {
                tracing::warn!(%host, %service, error = %cause, "the host does not tell of a service at once, so only readings show its changes");
            }
        }
    }
}
