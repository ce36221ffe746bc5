//! A store that keeps nothing beyond the process, for tests.

use super::{
    Store, StoreError,
    query::{
        ATTEMPTS_MAX, DeliveryItem, DeliveryQuery, DroppedQuery, Health, HistoryQuery,
        IncidentItem, IncidentQuery, Page, clamped,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name, StoreId, Subject},
    limits,
    record::{
        AccountRow, AttemptRow, DeliveryRow, DeliveryState, DestinationRow, DroppedRow, FeedRow,
        GroupRow, HistoryRow, HostRow, IncidentRow, LaneRow, Record, Restored, TargetRow,
    },
    remedy::{ActId, RemedyRow},
    silence::{SilenceId, SilenceRow},
    time::Wall,
};

/// A store that keeps nothing beyond the process.
#[derive(Debug)]
pub struct MemoryStore {
    id: StoreId,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    last_record: u64,
    /// Counts incidents and deliveries as they come, for pages.
    last_number: u64,
    targets: BTreeMap<(Name, Name), TargetRow>,
    hosts: BTreeMap<Name, HostRow>,
    accounts: BTreeMap<Name, AccountRow>,
    destinations: BTreeMap<Name, DestinationRow>,
    incidents: BTreeMap<IncidentId, (u64, IncidentRow)>,
    history: BTreeMap<(Subject, u64), HistoryRow>,
    lanes: BTreeMap<(Name, Arc<str>, Subject), LaneRow>,
    deliveries: BTreeMap<DeliveryKey, (u64, DeliveryRow)>,
    attempts: BTreeMap<(DeliveryKey, u32), AttemptRow>,
    dropped: BTreeMap<(Subject, u64, Option<Name>), DroppedRow>,
    silences: BTreeMap<SilenceId, SilenceRow>,
    feeds: BTreeMap<Name, FeedRow>,
    groups: BTreeMap<(Name, Name), GroupRow>,
    remedies: BTreeMap<ActId, RemedyRow>,
}

impl MemoryStore {
    /// An empty store with this identity.
    pub fn new(id: StoreId) -> Self {
        Self {
            id,
            tables: Mutex::default(),
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn number(&mut self) -> u64 {
        self.last_number = self.last_number.saturating_add(1);
        self.last_number
    }

    fn write(&mut self, record: &Record) {
        match record {
            Record::Target(row) => {
                let key = (row.host.clone(), row.service.clone());
                self.targets.insert(key, row.clone());
            }
            Record::Host(row) => {
                self.hosts.insert(row.host.clone(), row.clone());
            }
            Record::Account(row) => {
                self.accounts.insert(row.account.clone(), row.clone());
            }
            Record::Destination(row) => {
                self.destinations
                    .insert(row.destination.clone(), row.clone());
            }
            Record::Incident(row) => {
                let known = self.incidents.get(&row.id).map(|(number, _)| *number);
                let number = known.unwrap_or_else(|| self.number());
                self.incidents.insert(row.id.clone(), (number, row.clone()));
            }
            Record::History(row) => {
                self.last_record = self.last_record.max(row.record);
                self.history
                    .entry((row.subject.clone(), row.seq))
                    .or_insert_with(|| row.clone());
            }
            Record::Lane(row) => {
                let key = (
                    row.destination.clone(),
                    Arc::clone(&row.recipient),
                    row.subject.clone(),
                );
                if row.removed {
                    self.lanes.remove(&key);
                } else {
                    self.lanes.insert(key, row.clone());
                }
            }
            Record::Delivery(row) => {
                self.last_record = self.last_record.max(row.order);
                let known = self.deliveries.get(&row.key).map(|(number, _)| *number);
                let number = known.unwrap_or_else(|| self.number());
                self.deliveries
                    .insert(row.key.clone(), (number, row.clone()));
            }
            Record::DeliveryMerged(key) => {
                self.deliveries.remove(key);
            }
            Record::Attempt(row) => {
                self.attempts
                    .entry((row.key.clone(), row.number))
                    .or_insert_with(|| row.clone());
            }
            Record::Dropped(row) => {
                let key = (row.subject.clone(), row.seq, row.destination.clone());
                self.dropped.insert(key, row.clone());
            }
            Record::Silence(row) => {
                self.silences.insert(row.id.clone(), row.clone());
            }
            Record::Feed(row) => self.write_feed(row),
            Record::Group(row) => {
                let key = (row.group.clone(), row.service.clone());
                self.groups.insert(key, row.clone());
            }
            Record::Remedy(row) => drop(self.remedies.insert(row.id.clone(), row.clone())),
        }
    }

    fn write_feed(&mut self, row: &FeedRow) {
        let known = self.feeds.get(&row.destination);
        if known.is_none_or(|known| row.record >= known.record) {
            self.feeds.insert(row.destination.clone(), row.clone());
        }
    }

    /// Tries that still count for something: see [`Restored::remedies`].
    fn counted_tries(&self) -> Vec<RemedyRow> {
        let mut rows: Vec<RemedyRow> = self
            .remedies
            .values()
            .filter(|row| self.counts(row))
            .cloned()
            .collect();
        rows.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        rows
    }

    fn counts(&self, row: &RemedyRow) -> bool {
        let newest = self.remedies.values().map(|row| row.at.0).max();
        let newest = newest.unwrap_or(0);
        let kept = newest.saturating_sub_unsigned(limits::BUDGET_WITHIN_MAX.0);
        let incident = self.incidents.get(&row.incident);
        let open = incident.is_some_and(|(_, incident)| incident.resolved_at.is_none());
        row.ended_at.is_none() || row.at.0 >= kept || open
    }

    fn attempts_of(&self, key: &DeliveryKey) -> Vec<AttemptRow> {
        let all: Vec<_> = self
            .attempts
            .range((key.clone(), 0)..=(key.clone(), u32::MAX))
            .map(|(_, row)| row.clone())
            .collect();
        let skipped = all.len().saturating_sub(ATTEMPTS_MAX);
        all.into_iter().skip(skipped).collect()
    }
}

/// The host that something is about, or the group.
fn place(subject: &Subject) -> Option<&Name> {
    subject.host().or(subject.group())
}

/// Whether what was asked for, where something was, is this.
fn is<T: PartialEq>(asked: Option<&T>, found: Option<&T>) -> bool {
    asked.is_none() || asked == found
}

/// The newest of these rows, one page of them.
fn page<T>(mut rows: Vec<(u64, T)>, before: Option<u64>, limit: usize) -> Page<T> {
    rows.retain(|(number, _)| before.is_none_or(|before| *number < before));
    rows.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Page::of(rows, clamped(limit))
}

impl Store for MemoryStore {
    fn id(&self) -> StoreId {
        self.id
    }

    fn load(&self) -> Result<Restored, StoreError> {
        let tables = self.tables();
        let mut incidents: Vec<_> = tables
            .incidents
            .values()
            .filter(|(_, row)| row.resolved_at.is_none() || row.untold.is_some())
            .cloned()
            .collect();
        incidents.sort_by_key(|(number, _)| *number);
        let mut deliveries: Vec<_> = tables
            .deliveries
            .values()
            .filter(|(_, row)| matches!(row.state, DeliveryState::Pending | DeliveryState::Sending))
            .map(|(_, row)| row.clone())
            .collect();
        deliveries.sort_by_key(|row| row.order);
        Ok(Restored {
            store: self.id,
            last_record: tables.last_record,
            hosts: tables.hosts.values().cloned().collect(),
            targets: Restored::by_host(tables.targets.values().cloned().map(Ok))?,
            incidents: incidents.into_iter().map(|(_, row)| row).collect(),
            accounts: tables.accounts.values().cloned().collect(),
            destinations: tables.destinations.values().cloned().collect(),
            lanes: tables.lanes.values().cloned().collect(),
            deliveries,
            silences: tables
                .silences
                .values()
                .filter(|row| row.ended_at.is_none())
                .cloned()
                .collect(),
            groups: tables.groups.values().cloned().collect(),
            remedies: tables.counted_tries(),
            feeds: tables.feeds.values().cloned().collect(),
        })
    }

    fn commit(&self, records: &[Record]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for record in records {
            tables.write(record);
        }
        Ok(())
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<Page<IncidentItem>, StoreError> {
        let tables = self.tables();
        let rows = tables
            .incidents
            .values()
            .filter(|(_, row)| {
                is(query.id.as_ref(), Some(&row.id))
                    && is(query.host.as_ref(), place(&row.subject))
                    && is(query.service.as_ref(), row.subject.service())
                    && is(query.event.as_ref(), Some(&row.event))
                    && is(query.severity.as_ref(), Some(&row.severity))
                    && is(query.open.as_ref(), Some(&row.resolved_at.is_none()))
            })
            .map(|(number, row)| {
                let of_it = |delivery: &&(u64, DeliveryRow)| {
                    delivery.1.notice.incident.as_ref().map(|one| &one.id) == Some(&row.id)
                };
                let deliveries = tables.deliveries.values().filter(of_it).count();
                let item = IncidentItem {
                    incident: row.clone(),
                    deliveries: u64::try_from(deliveries).unwrap_or(u64::MAX),
                };
                (*number, item)
            })
            .collect();
        Ok(page(rows, query.before, query.limit))
    }

    fn history(&self, query: &HistoryQuery) -> Result<Page<HistoryRow>, StoreError> {
        let rows = self
            .tables()
            .history
            .values()
            .filter(|row| {
                is(query.host.as_ref(), place(&row.subject))
                    && is(query.service.as_ref(), row.subject.service())
            })
            .map(|row| (row.record, row.clone()))
            .collect();
        Ok(page(rows, query.before, query.limit))
    }

    fn transitions(&self, after: u64, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
        let mut rows: Vec<_> = self
            .tables()
            .history
            .values()
            .filter(|row| {
                row.record > after
                    && matches!(row.subject, Subject::Service { .. })
                    && row.to.is_some()
                    && row.from != row.to
            })
            .cloned()
            .collect();
        rows.sort_by_key(|row| row.record);
        rows.truncate(clamped(limit));
        Ok(rows)
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<DeliveryItem>, StoreError> {
        let tables = self.tables();
        let rows = tables
            .deliveries
            .values()
            .filter(|(_, row)| {
                let incident = row.notice.incident.as_ref().map(|incident| &incident.id);
                is(query.key.as_ref(), Some(&row.key))
                    && is(query.destination.as_ref(), Some(&row.destination))
                    && is(query.incident.as_ref(), incident)
                    && is(query.kind.as_ref(), Some(&row.notice.kind))
                    && is(query.state.as_ref(), Some(&row.state))
                    && query
                        .recipient
                        .as_ref()
                        .is_none_or(|recipient| **recipient == *row.recipient)
            })
            .map(|(number, row)| {
                let item = DeliveryItem {
                    delivery: row.clone(),
                    attempts: tables.attempts_of(&row.key),
                };
                (*number, item)
            })
            .collect();
        Ok(page(rows, query.before, query.limit))
    }

    fn dropped(&self, query: &DroppedQuery) -> Result<Vec<DroppedRow>, StoreError> {
        let mut rows: Vec<_> = self
            .tables()
            .dropped
            .values()
            .filter(|row| {
                is(query.host.as_ref(), place(&row.subject))
                    && is(query.service.as_ref(), row.subject.service())
                    && query.since.is_none_or(|since| row.at >= since)
            })
            .cloned()
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.at, row.seq)));
        rows.truncate(clamped(query.limit));
        Ok(rows)
    }

    fn host(&self, host: &Name) -> Result<Option<HostRow>, StoreError> {
        Ok(self.tables().hosts.get(host).cloned())
    }

    fn targets(&self, host: &Name) -> Result<Vec<TargetRow>, StoreError> {
        let tables = self.tables();
        let rows = tables.targets.values().filter(|row| row.host == *host);
        Ok(rows.cloned().collect())
    }

    fn expire(&self, before: Wall) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        tables.history.retain(|_, row| row.at >= before);
        tables.dropped.retain(|_, row| row.at >= before);
        tables.incidents.retain(|_, (_, row)| {
            row.untold.is_some() || row.resolved_at.is_none_or(|at| at >= before)
        });
        tables
            .silences
            .retain(|_, row| row.ended_at.is_none_or(|at| at >= before));
        let old = |row: &&RemedyRow| row.ended_at.is_some_and(|at| at < before);
        let tries = tables.remedies.values().filter(old);
        let tries = tries.filter(|row| !tables.counts(row));
        let tries: Vec<ActId> = tries.map(|row| row.id.clone()).collect();
        tables.remedies.retain(|id, _| !tries.contains(id));
        tables.deliveries.retain(|_, (_, row)| {
            row.created >= before
                || matches!(row.state, DeliveryState::Pending | DeliveryState::Sending)
        });
        let Tables {
            deliveries,
            attempts,
            ..
        } = &mut *tables;
        attempts.retain(|(key, _), row| row.at >= before || deliveries.contains_key(key));
        Ok(false)
    }

    fn rest(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn stop_check(&self) {}

    fn health(&self) -> Health {
        Health {
            checked: true,
            ..Health::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::conformance;

    fn fresh() -> (MemoryStore, ()) {
        (MemoryStore::new(StoreId([1; 16])), ())
    }

    conformance!(fresh);
}
