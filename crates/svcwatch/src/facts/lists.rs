//! What is counted of lists of hosts.

use super::Facts;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{
    collections::BTreeSet,
    mem,
    sync::{Mutex, PoisonError},
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
    /// Those that are shown.
    shown: Mutex<BTreeSet<String>>,
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
        let shown: BTreeSet<String> = lists.iter().map(|(list, ..)| list.clone()).collect();
        let mut before = metrics.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for list in mem::replace(&mut *before, shown.clone()) {
            if !shown.contains(&list) {
                let of = OfList { list };
                metrics.hosts.remove(&of);
                metrics.current.remove(&of);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Build;

    #[test]
    fn a_list_is_shown_as_long_as_it_is_configured() {
        let facts = Facts::new(Build {
            version: "1.2.3",
            commit: "abc",
        });
        let text = || {
            let mut text = String::new();
            facts.encode(&mut text).expect("text");
            text
        };
        facts.lists(&[
            ("a.csv".to_owned(), 7, true),
            ("b.csv".to_owned(), 0, false),
        ]);
        facts.list_read("a.csv", ListRead::Refused);
        for line in [
            "svcwatch_host_list_hosts{list=\"a.csv\"} 7",
            "svcwatch_host_list_current{list=\"b.csv\"} 0",
            "svcwatch_host_list_reads_total{list=\"a.csv\",result=\"refused\"} 1",
            "svcwatch_host_list_reads_total{list=\"b.csv\",result=\"taken\"} 0",
        ] {
            assert!(
                text().lines().any(|other| other == line),
                "{line} in {}",
                text()
            );
        }
        facts.lists(&[("a.csv".to_owned(), 7, true)]);
        assert!(!text().contains("hosts{list=\"b.csv\"}"), "{}", text());
    }
}
