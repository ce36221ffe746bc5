//! What is said and counted of feeds.

use super::{
    Facts,
    words::{name, plain},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use svcwatch_core::id::Name;

/// The destination that a series is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDestination {
    destination: String,
}

impl OfDestination {
    fn new(destination: &Name) -> Self {
        Self {
            destination: destination.as_str().to_owned(),
        }
    }
}

/// The metrics of feeds.
#[derive(Debug, Default)]
pub(super) struct FeedMetrics {
    sent: Family<OfDestination, Counter>,
    dropped: Family<OfDestination, Counter>,
    waiting: Family<OfDestination, Gauge>,
}

impl FeedMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "svcwatch_feed_sent",
            "Readings that a destination has taken",
            self.sent.clone(),
        );
        registry.register(
            "svcwatch_feed_dropped",
            "Readings that a destination did not get: it refused them, or was down for too long",
            self.dropped.clone(),
        );
        registry.register(
            "svcwatch_feed_waiting",
            "Readings that wait for a destination",
            self.waiting.clone(),
        );
    }
}

impl Facts {
    /// Which feeds there are, at a start and after a reload: each is counted from zero.
    pub fn feeds(&self, names: &[Name]) {
        for labels in names.iter().map(OfDestination::new) {
            drop(self.metrics.feeds.sent.get_or_create(&labels));
            drop(self.metrics.feeds.dropped.get_or_create(&labels));
            drop(self.metrics.feeds.waiting.get_or_create(&labels));
        }
    }

    /// A destination has taken so many readings.
    pub fn feed_sent(&self, destination: &Name, count: u64) {
        let labels = OfDestination::new(destination);
        self.metrics.feeds.sent.get_or_create(&labels).inc_by(count);
    }

    /// So many readings wait for a destination.
    pub fn feed_waiting(&self, destination: &Name, count: usize) {
        let labels = OfDestination::new(destination);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.feeds.waiting.get_or_create(&labels).set(count);
    }

    /// A destination will not get so many readings.
    pub fn feed_dropped(&self, destination: &Name, count: u64, reason: &str) {
        let labels = OfDestination::new(destination);
        self.metrics
            .feeds
            .dropped
            .get_or_create(&labels)
            .inc_by(count);
        tracing::warn!(
            destination = %name(destination), readings = count, error = %plain(reason), "readings are given up"
        );
    }

    /// A destination did not take readings; they are kept and tried again. The first try that fails is said aloud.
    pub fn feed_failed(&self, destination: &Name, failures: u32, reason: &str) {
        let (destination, reason) = (name(destination), plain(reason));
        if failures == 1 {
            tracing::warn!(%destination, error = %reason, "readings are not taken; they are kept and tried again");
        } else {
            tracing::debug!(%destination, failures, error = %reason, "readings are still not taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Build;

    #[test]
    fn series_begin_at_zero_and_move() {
        let facts = Facts::new(Build {
            version: "1.2.3",
            commit: "abc",
        });
        let has = |line: &str| {
            let mut text = String::new();
            facts.encode(&mut text).expect("text");
            assert!(
                text.lines().any(|other| other == line),
                "no line {line} in\n{text}"
            );
        };
        let metrics: Name = "metrics".into();
        facts.feeds(std::slice::from_ref(&metrics));
        has("svcwatch_feed_dropped_total{destination=\"metrics\"} 0");
        facts.feed_dropped(&metrics, 3, "it is full");
        facts.feed_sent(&metrics, 5);
        facts.feed_waiting(&metrics, 7);
        for line in [
            "svcwatch_feed_dropped_total{destination=\"metrics\"} 3",
            "svcwatch_feed_sent_total{destination=\"metrics\"} 5",
            "svcwatch_feed_waiting{destination=\"metrics\"} 7",
        ] {
            has(line);
        }
    }
}
