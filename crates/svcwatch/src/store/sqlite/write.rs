//! Writing rows: each by its natural key, so that writing it again changes nothing.

use super::remedies;
use super::statements::{GROUP, INCIDENT, SILENCE, TARGET};
use crate::store::evidence::evidence_to_json;
use crate::store::matcher::matcher_to_json;
use crate::store::notice::{details_to_json, notice_to_json};
use crate::store::record::{
    SubjectParts, TargetFlags, left_alone_to_json, names_to_json, restarts_to_json, shown, stored,
};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::{collections::HashMap, sync::Arc};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name, Subject},
    notice::{ToldEvent, Why},
    observe::{Fault, Refusal, ServiceDetails, StartType, State},
    record::{
        AccountRow, AttemptRow, DeliveryRow, DestinationRow, DroppedRow, FeedRow, GroupRow,
        HistoryRow, HostRow, IncidentRow, LaneRow, Record, TargetRow,
    },
    silence::SilenceRow,
    time::Wall,
};

/// Subjects whose numbers are remembered, at most.
const SUBJECTS_MAX: usize = 65_536;
/// Details of services whose numbers are remembered, at most.
const DETAILS_MAX: usize = 16_384;

/// The connection that writes, with what it remembers of the database.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) connection: Connection,
    subjects: HashMap<String, Known>,
    details: HashMap<Arc<ServiceDetails>, i64>,
}

/// A subject that is in the database, with its spelling there.
#[derive(Debug)]
struct Known {
    id: i64,
    host_shown: Option<String>,
    name_shown: Option<String>,
}

impl Writing {
    pub(super) fn new(connection: Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(64);
        Self {
            connection,
            subjects: HashMap::new(),
            details: HashMap::new(),
        }
    }

    /// Writes all of these rows or none.
    pub(super) fn write(&mut self, records: &[Record]) -> rusqlite::Result<()> {
        let result = self.try_write(records);
        if result.is_err() {
            // What a transaction that came to nothing has numbered has no number any more.
            self.subjects.clear();
            self.details.clear();
        }
        result
    }

    fn try_write(&mut self, records: &[Record]) -> rusqlite::Result<()> {
        if self.subjects.len() > SUBJECTS_MAX {
            self.subjects.clear();
        }
        if self.details.len() > DETAILS_MAX {
            self.details.clear();
        }
        let mut batch = Batch {
            step: self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?,
            subjects: &mut self.subjects,
            details: &mut self.details,
            last_record: 0,
        };
        for record in records {
            batch.record(record)?;
        }
        if batch.last_record > 0 {
            batch
                .step
                .prepare_cached(LAST_RECORD)?
                .execute([stored(batch.last_record)])?;
        }
        batch.step.commit()
    }
}

struct Batch<'a> {
    step: Transaction<'a>,
    subjects: &'a mut HashMap<String, Known>,
    details: &'a mut HashMap<Arc<ServiceDetails>, i64>,
    /// The greatest number of the batch; 0 for none.
    last_record: u64,
}

fn wall(time: Option<Wall>) -> Option<i64> {
    time.map(|time| time.0)
}

fn unstorable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

impl Batch<'_> {
    fn record(&mut self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Target(row) => self.target(row),
            Record::Host(row) => self.host(row),
            Record::Account(row) => self.account(row),
            Record::Destination(row) => self.destination(row),
            Record::Incident(row) => self.incident(row),
            Record::History(row) => self.history(row),
            Record::Lane(row) => self.lane(row),
            Record::Delivery(row) => self.delivery(row),
            Record::DeliveryMerged(key) => self.run(DELIVERY_MERGED, params![key.as_str()]),
            Record::Attempt(row) => self.attempt(row),
            Record::Dropped(row) => self.dropped(row),
            Record::Silence(row) => self.silence(row),
            Record::Feed(row) => self.feed(row),
            Record::Group(row) => self.group(row),
            Record::Remedy(row) => remedies::write(&self.step, row),
        }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.step.prepare_cached(sql)?.execute(params).map(drop)
    }

    /// The number of a subject, which is written where it is new or spelled otherwise than before.
    fn subject(&mut self, subject: &Subject) -> rusqlite::Result<i64> {
        let parts = SubjectParts::of(subject);
        let host_shown = parts.host.and_then(shown);
        let name_shown = parts.name.and_then(shown);
        let key = subject.key();
        if let Some(known) = self.subjects.get(&key)
            && known.host_shown.as_deref() == host_shown
            && known.name_shown.as_deref() == name_shown
        {
            return Ok(known.id);
        }
        let host = parts.host.map_or("", Name::key);
        let name = parts.name.map_or("", Name::key);
        self.run(
            SUBJECT,
            params![host, name, parts.kind, host_shown, name_shown],
        )?;
        let id = self
            .step
            .prepare_cached(SUBJECT_ID)?
            .query_row(params![host, name, parts.kind], |row| row.get(0))?;
        let known = Known {
            id,
            host_shown: host_shown.map(str::to_owned),
            name_shown: name_shown.map(str::to_owned),
        };
        self.subjects.insert(key, known);
        Ok(id)
    }

    /// The number of the details of a service, which are written where they are new.
    fn details(&mut self, details: &Arc<ServiceDetails>) -> rusqlite::Result<i64> {
        if let Some(known) = self.details.get(details) {
            return Ok(*known);
        }
        let text = details_to_json(details).map_err(unstorable)?;
        self.run(DETAILS, [&text])?;
        let number = self
            .step
            .prepare_cached(DETAILS_NUMBER)?
            .query_row([&text], |row| row.get(0))?;
        self.details.insert(Arc::clone(details), number);
        Ok(number)
    }

    fn target(&mut self, row: &TargetRow) -> rusqlite::Result<()> {
        let details = row.details.as_ref();
        let details = details.map(|details| self.details(details)).transpose()?;
        self.run(
            TARGET,
            params![
                row.host.key(),
                row.service.key(),
                shown(&row.service),
                row.state.as_str(),
                row.since.0,
                row.previous_state.map(State::as_str),
                TargetFlags::of(row).0,
                stored(row.seq),
                wall(row.wrong_since),
                row.pid,
                row.exit_code,
                row.service_exit_code,
                row.start_type.map(StartType::as_str),
                row.display_name.as_deref(),
                shown(&row.host),
                row.selected_start.map(StartType::as_str),
                details,
                row.restarts.as_deref().map(restarts_to_json),
            ],
        )
    }

    fn group(&self, row: &GroupRow) -> rusqlite::Result<()> {
        let ran_on = row.ran_on.as_deref().map(names_to_json).transpose();
        self.run(
            GROUP,
            params![
                row.group.key(),
                row.service.key(),
                shown(&row.group),
                shown(&row.service),
                stored(row.seq),
                wall(row.wrong_since),
                ran_on.map_err(unstorable)?,
                row.removed,
            ],
        )
    }

    fn host(&self, row: &HostRow) -> rusqlite::Result<()> {
        self.run(
            HOST,
            params![
                row.host.key(),
                shown(&row.host),
                row.computer_name,
                row.fault.map(Fault::as_str),
                row.cause,
                wall(row.wrong_since),
                row.since.0,
                row.visible,
                stored(row.seq),
                stored(row.visibility_seq),
                wall(row.refused_until),
                row.removed,
                row.listed,
                wall(row.boot.booted_at),
                wall(row.boot.grace_until),
                wall(row.boot.shutting_down_until),
            ],
        )
    }

    fn account(&self, row: &AccountRow) -> rusqlite::Result<()> {
        self.run(
            ACCOUNT,
            params![
                row.account.key(),
                shown(&row.account),
                row.paused.map(Refusal::as_str),
                wall(row.paused_at),
                wall(row.next_try),
                names_to_json(&row.refused_by).map_err(unstorable)?,
                stored(row.seq),
                left_alone_to_json(&row.left_alone).map_err(unstorable)?,
            ],
        )
    }

    fn destination(&self, row: &DestinationRow) -> rusqlite::Result<()> {
        self.run(
            DESTINATION,
            params![
                row.destination.key(),
                shown(&row.destination),
                wall(row.failing_since),
                wall(row.last_sent),
                stored(row.seq),
            ],
        )
    }

    fn incident(&mut self, row: &IncidentRow) -> rusqlite::Result<()> {
        let subject = self.subject(&row.subject)?;
        let acknowledged = row.acknowledged.as_ref();
        let evidence = row.evidence.as_deref().map(evidence_to_json).transpose();
        self.run(
            INCIDENT,
            params![
                row.id.as_str(),
                subject,
                stored(row.seq),
                row.event.as_str(),
                row.severity.as_str(),
                row.opened_at.0,
                wall(row.resolved_at),
                acknowledged.map(|one| one.by.as_str()),
                acknowledged.map(|one| one.at.0),
                acknowledged.map(|one| one.note.as_str()),
                row.cause,
                row.previous_state.map(State::as_str),
                row.told,
                wall(row.held_until),
                wall(row.reminded_at),
                row.first_look,
                row.muted.map(Why::as_str),
                row.untold.map(ToldEvent::as_str),
                evidence.map_err(unstorable)?,
            ],
        )
    }

    fn silence(&self, row: &SilenceRow) -> rusqlite::Result<()> {
        self.run(
            SILENCE,
            params![
                row.id.as_str(),
                matcher_to_json(&row.matcher).map_err(unstorable)?,
                row.author,
                row.comment,
                row.from.0,
                row.until.0,
                wall(row.ended_at),
                row.ended_by,
            ],
        )
    }

    fn history(&mut self, row: &HistoryRow) -> rusqlite::Result<()> {
        self.last_record = self.last_record.max(row.record);
        let subject = self.subject(&row.subject)?;
        self.run(
            HISTORY,
            params![
                subject,
                stored(row.seq),
                stored(row.record),
                row.at.0,
                row.from.map(State::as_str),
                row.to.map(State::as_str),
                row.fault.map(Fault::as_str),
                row.event.map(ToldEvent::as_str),
                row.incident.as_ref().map(IncidentId::as_str),
                row.exit_code,
                row.service_exit_code,
                row.pid,
                row.cause,
            ],
        )
    }

    fn lane(&mut self, row: &LaneRow) -> rusqlite::Result<()> {
        let subject = self.subject(&row.subject)?;
        if row.removed {
            let key = params![row.destination.key(), &*row.recipient, subject];
            return self.run(LANE_REMOVED, key);
        }
        self.run(
            LANE,
            params![
                row.destination.key(),
                &*row.recipient,
                subject,
                shown(&row.destination),
                row.told.as_ref().map(|told| told.incident.as_str()),
                row.told.as_ref().map(|told| told.opened_at.0),
                row.owes_state,
                wall(row.last_sent),
                row.behind.as_ref().map(DeliveryKey::as_str),
            ],
        )
    }

    fn delivery(&mut self, row: &DeliveryRow) -> rusqlite::Result<()> {
        self.last_record = self.last_record.max(row.order);
        let incident = row.notice.incident.as_ref();
        self.run(
            DELIVERY,
            params![
                row.key.as_str(),
                stored(row.order),
                row.destination.key(),
                shown(&row.destination),
                &*row.recipient,
                incident.map(|incident| incident.id.as_str()),
                row.notice.kind.as_str(),
                row.state.as_str(),
                row.reason,
                row.frozen,
                row.attempts,
                row.created.0,
                row.due.0,
                notice_to_json(&row.notice).map_err(unstorable)?,
                row.payload.as_deref(),
            ],
        )
    }

    fn attempt(&self, row: &AttemptRow) -> rusqlite::Result<()> {
        self.run(
            ATTEMPT,
            params![
                row.key.as_str(),
                row.number,
                row.at.0,
                row.result,
                row.answer
            ],
        )
    }

    fn feed(&self, row: &FeedRow) -> rusqlite::Result<()> {
        let destination = &row.destination;
        self.run(
            FEED,
            params![destination.key(), shown(destination), stored(row.record)],
        )
    }

    fn dropped(&mut self, row: &DroppedRow) -> rusqlite::Result<()> {
        let subject = self.subject(&row.subject)?;
        self.run(
            DROPPED,
            params![
                subject,
                stored(row.seq),
                row.destination.as_ref().map_or("", Name::key),
                row.destination.as_ref().and_then(shown),
                row.at.0,
                row.event.as_str(),
                row.why.as_str(),
            ],
        )
    }
}

/// Reads the identity of the store.
pub(super) fn store_id(connection: &Connection) -> rusqlite::Result<Option<[u8; 16]>> {
    connection
        .query_row("SELECT value FROM meta WHERE key = 'store_id'", [], |row| {
            row.get(0)
        })
        .optional()
}

const LAST_RECORD: &str =
    "UPDATE meta SET value = max(value, ?1) WHERE key = 'last_record' AND value < ?1";

const SUBJECT: &str = "INSERT INTO subject (host, name, kind, host_shown, name_shown) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (host, name, kind) DO UPDATE SET host_shown = excluded.host_shown, name_shown = excluded.name_shown
    WHERE host_shown IS NOT excluded.host_shown OR name_shown IS NOT excluded.name_shown";

const SUBJECT_ID: &str = "SELECT id FROM subject WHERE host = ?1 AND name = ?2 AND kind = ?3";

const DETAILS: &str = "INSERT INTO details (text) VALUES (?1) ON CONFLICT (text) DO NOTHING";

const DETAILS_NUMBER: &str = "SELECT number FROM details WHERE text = ?1";

const HOST: &str = "INSERT OR REPLACE INTO host (host, host_shown, computer_name, fault, cause, wrong_since, since, visible, seq,
        visibility_seq, refused_until, removed, listed, booted_at, grace_until, shutting_down_until)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

const ACCOUNT: &str = "INSERT OR REPLACE INTO account (account, account_shown, paused, paused_at, next_try, refused_by, seq, left_alone)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const DESTINATION: &str = "INSERT OR REPLACE INTO destination (destination, destination_shown, failing_since, last_sent, seq)
    VALUES (?1, ?2, ?3, ?4, ?5)";

const HISTORY: &str = "INSERT INTO history (subject, seq, record, at, from_state, to_state, fault, event, incident, exit_code,
        service_exit_code, pid, cause)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (subject, seq) DO NOTHING";

const LANE: &str = "INSERT OR REPLACE INTO lane (destination, recipient, subject, destination_shown, told_incident, told_opened_at,
        owes_state, last_sent, behind)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const LANE_REMOVED: &str =
    "DELETE FROM lane WHERE destination = ?1 AND recipient = ?2 AND subject = ?3";

const DELIVERY: &str = "INSERT INTO delivery (key, place, destination, destination_shown, recipient, incident, kind, state, reason,
        frozen, attempts, created, due, notice, payload)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
    ON CONFLICT (key) DO UPDATE SET place = excluded.place, destination = excluded.destination,
        destination_shown = excluded.destination_shown, recipient = excluded.recipient, incident = excluded.incident,
        kind = excluded.kind, state = excluded.state, reason = excluded.reason, frozen = excluded.frozen,
        attempts = excluded.attempts, created = excluded.created, due = excluded.due, notice = excluded.notice,
        payload = excluded.payload";

const DELIVERY_MERGED: &str = "DELETE FROM delivery WHERE key = ?1";

const ATTEMPT: &str =
    "INSERT INTO attempt (delivery, number, at, result, answer) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (delivery, number) DO NOTHING";

const FEED: &str = "INSERT INTO feed (destination, destination_shown, record) VALUES (?1, ?2, ?3)
    ON CONFLICT (destination) DO UPDATE SET destination_shown = excluded.destination_shown, record = excluded.record
    WHERE excluded.record >= record";

const DROPPED: &str =
    "INSERT OR REPLACE INTO dropped (subject, seq, destination, destination_shown, at, event, why)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
