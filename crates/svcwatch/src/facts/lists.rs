//! What is counted of lists of hosts.

use super::Facts;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfList {
    list: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRead {
    list: String,
    result: &'static str,
}

/// How reading a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListRead {
    /// It is carried out.
    Taken,
    /// It says the same as before.
    Same,
    /// It could not be had.
    Failed,
    /// It is wrong, or lacks too many hosts.
    Refused,
}

impl ListRead {
    const ALL: [Self; 4] = [Self::Taken, Self::Same, Self::Failed, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Same => "same",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// The metrics of lists.
#[derive(Debug, Default)]
pub(super) struct ListMetrics {
    hosts: Family<OfList, Gauge>,
    current: Family<OfList, Gauge>,
    reads: Family<OfRead, Counter>,
}

impl ListMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "svcwatch_host_list_hosts",
            "Hosts that a list names, as it is carried out",
            self.hosts.clone(),
        );
        registry.register(
            "svcwatch_host_list_current",
            "1 while what is carried out is what the list says now, 0 while the one before stays",
            self.current.clone(),
        );
        registry.register(
            "svcwatch_host_list_reads",
            "Readings of a list by how they ended: taken, same, failed or refused",
            self.reads.clone(),
        );
    }
}

impl Facts {
    /// Which lists there are, how many hosts each names, and whether it is carried out as it is now.
    pub fn lists(&self, lists: &[(String, usize, bool)]) {
        let metrics = &self.metrics.lists;
        metrics.hosts.clear();
        metrics.current.clear();
        for (list, hosts, current) in lists {
            let of = OfList { list: list.clone() };
            let hosts = i64::try_from(*hosts).unwrap_or(i64::MAX);
            metrics.hosts.get_or_create(&of).set(hosts);
            metrics.current.get_or_create(&of).set(i64::from(*current));
            for read in ListRead::ALL {
                let (list, result) = (list.clone(), read.as_str());
                drop(metrics.reads.get_or_create(&OfRead { list, result }));
            }
        }
    }

    /// A list was read.
    pub fn list_read(&self, list: &str, read: ListRead) {
        let (list, result) = (list.to_owned(), read.as_str());
        self.metrics
            .lists
            .reads
            .get_or_create(&OfRead { list, result })
            .inc();
    }
}
