//! A store in memory that is faithful: rows by their natural keys, a batch wholly or not at all, and a row that breaks
//! a rule of rows (a number that goes back, a message that changes after it was frozen) is noticed when it is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name, StoreId, Subject},
    record::{
        AccountRow, DeliveryRow, DeliveryState, DestinationRow, DroppedRow, GroupRow, HistoryRow,
        HostRow, IncidentRow, LaneRow, Record, Restored, TargetRow,
    },
    remedy::{ActId, RemedyRow},
    silence::{SilenceId, SilenceRow},
    time::Wall,
};

/// A delivery with what the world knows of its times.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// The row.
    pub(crate) row: DeliveryRow,
    /// When it was first written, in the world's time.
    pub(crate) first_at: u64,
    /// When it was last written.
    pub(crate) changed_at: u64,
    /// When it is due, in the world's time.
    pub(crate) due_at: u64,
    /// Whether it was merged into another one.
    pub(crate) merged: bool,
}

impl Stored {
    /// Whether it still waits for its delivery.
    pub(crate) fn waits(&self) -> bool {
        !self.merged
            && matches!(
                self.row.state,
                DeliveryState::Pending | DeliveryState::Sending
            )
    }
}

/// Which recipient at which destination.
pub(crate) type Recipient = (Name, Arc<str>);

/// The rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    /// Which store.
    pub(crate) id: StoreId,
    /// Targets.
    pub(crate) targets: BTreeMap<(Name, Name), TargetRow>,
    /// Hosts.
    pub(crate) hosts: BTreeMap<Name, HostRow>,
    /// Accounts.
    pub(crate) accounts: BTreeMap<Name, AccountRow>,
    /// Destinations.
    pub(crate) destinations: BTreeMap<Name, DestinationRow>,
    /// All incidents.
    pub(crate) incidents: BTreeMap<IncidentId, IncidentRow>,
    /// The open incident of each subject.
    pub(crate) open: BTreeMap<Subject, IncidentId>,
    /// History.
    pub(crate) history: BTreeMap<(Subject, u64), HistoryRow>,
    /// Lanes.
    pub(crate) lanes: BTreeMap<(Recipient, Subject), LaneRow>,
    /// Deliveries, merged ones too.
    pub(crate) deliveries: BTreeMap<DeliveryKey, Stored>,
    /// The keys of deliveries that wait, by their order.
    pub(crate) waiting: BTreeMap<u64, DeliveryKey>,
    /// When the turn in a lane last passed on, because a message of it ended or was merged away.
    pub(crate) turned: BTreeMap<(Recipient, Subject), u64>,
    /// Deliveries that were given up or refused, by their lanes.
    pub(crate) lost: BTreeMap<(Recipient, Subject), BTreeSet<DeliveryKey>>,
    /// What was not told.
    pub(crate) dropped: BTreeMap<(Subject, u64, Option<Name>), DroppedRow>,
    /// Services of groups.
    pub(crate) groups: BTreeMap<(Name, Name), GroupRow>,
    /// Tries to start services.
    pub(crate) remedies: BTreeMap<ActId, RemedyRow>,
    /// Silences.
    pub(crate) silences: BTreeMap<SilenceId, SilenceRow>,
    /// When each silence was first written, in the world's time.
    pub(crate) silenced_at: BTreeMap<SilenceId, u64>,
    /// The greatest number given.
    pub(crate) last_record: u64,
}

/// What a row broke.
pub(crate) type Broken = (&'static str, String);

impl Store {
    /// Writes a batch that was decided and is written at these times. What is told of the first rule that a row broke comes back; the rows are written all the same.
    pub(crate) fn apply(
        &mut self,
        at: (u64, u64),
        wall: Wall,
        records: &[Record],
    ) -> Option<Broken> {
        let mut broken = None;
        for record in records {
            let fault = self.write(at, wall, record);
            broken = broken.or(fault);
        }
        broken
    }

    fn write(&mut self, at: (u64, u64), wall: Wall, record: &Record) -> Option<Broken> {
        match record {
            Record::Target(row) => {
                let key = (row.host.clone(), row.service.clone());
                let before = self.targets.insert(key, row.clone());
                before.and_then(|before| {
                    seq_back(
                        "target",
                        &format!("{}/{}", row.host, row.service),
                        before.seq,
                        row.seq,
                    )
                })
            }
            Record::Host(row) => self.write_host(row),
            Record::Account(row) => {
                let before = self.accounts.insert(row.account.clone(), row.clone());
                before.and_then(|before| {
                    seq_back("account", row.account.as_str(), before.seq, row.seq)
                })
            }
            Record::Destination(row) => {
                let before = self
                    .destinations
                    .insert(row.destination.clone(), row.clone());
                before.and_then(|before| {
                    seq_back("destination", row.destination.as_str(), before.seq, row.seq)
                })
            }
            Record::Incident(row) => self.write_incident(row),
            Record::History(row) => self.write_history(row),
            Record::Lane(row) => {
                self.write_lane(at.1, row);
                None
            }
            Record::Delivery(row) => self.write_delivery(at, wall, row),
            Record::DeliveryMerged(key) => {
                let stored = self.deliveries.get_mut(key)?;
                stored.merged = true;
                self.waiting.remove(&stored.row.order);
                let recipient = (
                    stored.row.destination.clone(),
                    Arc::clone(&stored.row.recipient),
                );
                let lane = (recipient, stored.row.notice.subject.clone());
                self.turned.insert(lane, at.1);
                stored
                    .row
                    .frozen
                    .then(|| ("P1", format!("the frozen delivery {key} was merged away")))
            }
            // Of feeds the engine writes nothing.
            Record::Attempt(_) | Record::Feed(_) => None,
            Record::Dropped(row) => {
                let key = (row.subject.clone(), row.seq, row.destination.clone());
                self.dropped.insert(key, row.clone());
                None
            }
            Record::Silence(row) => self.write_silence(at.1, row),
            Record::Group(row) => self.write_group(row),
            Record::Remedy(row) => self.write_remedy(row),
        }
    }

    fn write_group(&mut self, row: &GroupRow) -> Option<Broken> {
        let key = (row.group.clone(), row.service.clone());
        let before = self.groups.insert(key, row.clone())?;
        seq_back("group", row.group.as_str(), before.seq, row.seq)
    }

    fn write_remedy(&mut self, row: &RemedyRow) -> Option<Broken> {
        let before = self.remedies.insert(row.id.clone(), row.clone())?;
        let other = before.outcome.is_some() && before.outcome != row.outcome;
        (other || before.at != row.at || before.attempt != row.attempt)
            .then(|| ("P5", format!("the try {} was used again", row.id)))
    }

    fn write_silence(&mut self, at: u64, row: &SilenceRow) -> Option<Broken> {
        self.silenced_at.entry(row.id.clone()).or_insert(at);
        let before = self.silences.insert(row.id.clone(), row.clone())?;
        let again = before.ended_at.is_some() && row.ended_at.is_none();
        again.then(|| ("P5", format!("silence {} was over and holds again", row.id)))
    }

    fn write_host(&mut self, row: &HostRow) -> Option<Broken> {
        let before = self.hosts.insert(row.host.clone(), row.clone())?;
        if before.computer_name.is_some() && before.computer_name != row.computer_name {
            let names = (&before.computer_name, &row.computer_name);
            return Some((
                "P4",
                format!(
                    "the remembered computer name of {} changed: {names:?}",
                    row.host
                ),
            ));
        }
        seq_back("host", row.host.as_str(), before.seq, row.seq).or_else(|| {
            seq_back(
                "visibility",
                row.host.as_str(),
                before.visibility_seq,
                row.visibility_seq,
            )
        })
    }

    /// A lane; one that waits for a summary no more takes its turn now.
    fn write_lane(&mut self, at: u64, row: &LaneRow) {
        let key = (
            (row.destination.clone(), Arc::clone(&row.recipient)),
            row.subject.clone(),
        );
        let before = self.lanes.get(&key).and_then(|lane| lane.behind.clone());
        if before.is_some() && row.behind.is_none() {
            self.turned.insert(key.clone(), at);
        }
        if row.removed {
            self.lanes.remove(&key);
        } else {
            self.lanes.insert(key, row.clone());
        }
    }

    fn write_incident(&mut self, row: &IncidentRow) -> Option<Broken> {
        if row.id != IncidentId::new(self.id, &row.subject, row.seq) {
            return Some((
                "I2",
                format!(
                    "incident {} has not the id of its subject and number {}",
                    row.id, row.seq
                ),
            ));
        }
        let before = self.incidents.insert(row.id.clone(), row.clone());
        if let Some(before) = before
            && (before.subject != row.subject
                || (before.resolved_at.is_some() && row.resolved_at.is_none()))
        {
            return Some((
                "P5",
                format!(
                    "incident {} of {} was used again",
                    row.id,
                    row.subject.key()
                ),
            ));
        }
        let open = self.open.get(&row.subject);
        if row.resolved_at.is_some() {
            if open == Some(&row.id) {
                self.open.remove(&row.subject);
            }
            return None;
        }
        match open {
            Some(other) if *other != row.id => {
                let sentence = format!(
                    "{:?} opened {} while {other} was still open",
                    row.subject, row.id
                );
                self.open.insert(row.subject.clone(), row.id.clone());
                Some(("P5", sentence))
            }
            Some(_) => None,
            None => {
                self.open.insert(row.subject.clone(), row.id.clone());
                None
            }
        }
    }

    fn write_history(&mut self, row: &HistoryRow) -> Option<Broken> {
        let key = (row.subject.clone(), row.seq);
        if let Some(before) = self.history.get(&key) {
            return (before != row).then(|| {
                (
                    "I2",
                    format!(
                        "line {} of the history of {:?} was written twice with different words",
                        row.seq, row.subject
                    ),
                )
            });
        }
        self.history.insert(key, row.clone());
        let back = row.record <= self.last_record;
        self.last_record = self.last_record.max(row.record);
        back.then(|| {
            (
                "I2",
                format!("record number {} was given before", row.record),
            )
        })
    }

    fn write_delivery(
        &mut self,
        (decided, at): (u64, u64),
        wall: Wall,
        row: &DeliveryRow,
    ) -> Option<Broken> {
        let due_at = at + row.due.since(wall).0;
        self.last_record = self.last_record.max(row.order);
        let recipient = (row.destination.clone(), Arc::clone(&row.recipient));
        let lane = (recipient, row.notice.subject.clone());
        if matches!(row.state, DeliveryState::Expired | DeliveryState::Parked) {
            let lost = self.lost.entry(lane.clone()).or_default();
            lost.insert(row.key.clone());
        }
        if !matches!(row.state, DeliveryState::Pending | DeliveryState::Sending) {
            self.turned.insert(lane, at);
        }
        let broken = self
            .deliveries
            .get(&row.key)
            .and_then(|stored| delivery_back(stored, row));
        let stored = self
            .deliveries
            .entry(row.key.clone())
            .or_insert_with(|| Stored {
                row: row.clone(),
                first_at: decided,
                changed_at: at,
                due_at,
                merged: false,
            });
        self.waiting.remove(&stored.row.order);
        stored.row = row.clone();
        stored.changed_at = at;
        stored.due_at = due_at;
        if stored.waits() {
            self.waiting.insert(row.order, row.key.clone());
        }
        broken
    }

    /// Deliveries of a lane that were given up or refused.
    pub(crate) fn given_up(
        &self,
        lane: &(Recipient, Subject),
    ) -> impl Iterator<Item = &DeliveryRow> {
        let keys = self.lost.get(lane).into_iter().flatten();
        let rows = keys
            .filter_map(|key| self.deliveries.get(key))
            .map(|stored| &stored.row);
        rows.filter(|row| matches!(row.state, DeliveryState::Expired | DeliveryState::Parked))
    }

    /// What it gives back at a start.
    pub(crate) fn restored(&self) -> Restored {
        let parked = |stored: &&Stored| {
            stored.row.state == DeliveryState::Parked
                && stored.row.reason.as_deref() == Some("destination_removed")
        };
        let mut deliveries: Vec<DeliveryRow> = self
            .deliveries
            .values()
            .filter(|stored| !stored.merged && (stored.waits() || parked(stored)))
            .map(|stored| stored.row.clone())
            .collect();
        deliveries.sort_by_key(|row| row.order);
        Restored {
            store: self.id,
            last_record: self.last_record,
            hosts: self.hosts.values().cloned().collect(),
            targets: Restored::by_host::<Infallible>(self.targets.values().cloned().map(Ok))
                .unwrap_or_default(),
            incidents: self
                .incidents
                .values()
                .filter(|row| row.resolved_at.is_none() || row.untold.is_some())
                .cloned()
                .collect(),
            accounts: self.accounts.values().cloned().collect(),
            destinations: self.destinations.values().cloned().collect(),
            lanes: self.lanes.values().cloned().collect(),
            deliveries,
            silences: self.open_silences().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            remedies: self.remedies.values().cloned().collect(),
            feeds: Vec::new(),
        }
    }

    /// Silences that are not known to be over.
    pub(crate) fn open_silences(&self) -> impl Iterator<Item = &SilenceRow> {
        self.silences.values().filter(|row| row.ended_at.is_none())
    }
}

fn seq_back(what: &str, name: &str, before: u64, now: u64) -> Option<Broken> {
    (now < before).then(|| {
        (
            "P5",
            format!("the number of the {what} {name} went back from {before} to {now}"),
        )
    })
}

fn delivery_back(stored: &Stored, row: &DeliveryRow) -> Option<Broken> {
    let before = &stored.row;
    let key = &row.key;
    if stored.merged {
        return Some((
            "P1",
            format!("delivery {key} was merged away and came back"),
        ));
    }
    let other_payload = before.payload.is_some() && before.payload != row.payload;
    if before.frozen && (!row.frozen || other_payload || before.notice != row.notice) {
        return Some(("P1", format!("delivery {key} changed after it was frozen")));
    }
    if (before.frozen && before.order != row.order)
        || before.destination != row.destination
        || before.recipient != row.recipient
    {
        return Some((
            "P1",
            format!("delivery {key} changed its place or its recipient"),
        ));
    }
    if row.attempts < before.attempts {
        return Some((
            "P1",
            format!(
                "delivery {key} forgot tries: {} then {}",
                before.attempts, row.attempts
            ),
        ));
    }
    if before.state == DeliveryState::Delivered && row.state != DeliveryState::Delivered {
        return Some((
            "P1",
            format!("delivery {key} was delivered and is {} now", row.state),
        ));
    }
    None
}
