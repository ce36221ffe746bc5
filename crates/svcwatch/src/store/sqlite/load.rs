//! All that the engine needs at a start.
//!
//! There may be millions of targets, and each costs about a microsecond, so they are read in parts on as many threads as
//! there are cores, up to a few, and what most of them share is made once.

use super::{remedies, rows};
use crate::store::record::counted;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{collections::HashMap, sync::Arc};
use svcwatch_core::{
    id::{Name, StoreId},
    observe::ServiceDetails,
    record::{LaneRow, Restored, TargetRow},
};

/// Names and texts that are shared between rows, at most: the same few services run on every host.
const SHARED_MAX: usize = 16_384;

/// Everything but the targets.
pub(super) fn load(reading: &Connection, store: StoreId) -> rusqlite::Result<Restored> {
    let last_record = "SELECT value FROM meta WHERE key = 'last_record'";
    Ok(Restored {
        store,
        last_record: counted(reading.query_row(last_record, [], |row| row.get(0))?),
        hosts: all(reading, rows::HOST, "host ORDER BY host", |row| {
            rows::host(row).map(Some)
        })?,
        targets: Vec::new(),
        incidents: all(reading, rows::INCIDENT, OPEN_INCIDENTS, |row| {
            Ok(rows::incident(row)?.map(|(_, incident)| incident))
        })?,
        accounts: all(reading, rows::ACCOUNT, "account ORDER BY account", |row| {
            rows::account(row).map(Some)
        })?,
        destinations: all(
            reading,
            rows::DESTINATION,
            "destination ORDER BY destination",
            |row| rows::destination(row).map(Some),
        )?,
        lanes: lanes(reading)?,
        deliveries: all(reading, rows::DELIVERY, WAITING_DELIVERIES, |row| {
            Ok(rows::delivery(row)?.map(|(_, delivery)| delivery))
        })?,
        groups: all(
            reading,
            rows::GROUP,
            "counted ORDER BY name, service",
            |row| rows::group(row).map(Some),
        )?,
        silences: all(reading, rows::SILENCE, OPEN_SILENCES, rows::silence)?,
        remedies: remedies::counted(reading)?,
        feeds: all(reading, rows::FEED, "feed ORDER BY destination", |row| {
            rows::feed(row).map(Some)
        })?,
    })
}

const OPEN_INCIDENTS: &str = "incident i JOIN subject s ON s.id = i.subject
    WHERE i.resolved_at IS NULL OR i.untold IS NOT NULL ORDER BY i.number";

const OPEN_SILENCES: &str = "silence WHERE ended_at IS NULL ORDER BY id";

const WAITING_DELIVERIES: &str = "delivery WHERE state IN ('pending', 'sending') ORDER BY place";

fn lanes(reading: &Connection) -> rusqlite::Result<Vec<LaneRow>> {
    let from = "lane l JOIN subject s ON s.id = l.subject";
    let mut lanes = all(reading, rows::LANE, from, rows::lane)?;
    lanes.sort_by(|one, other| {
        let key = |lane: &LaneRow| (lane.destination.clone(), Arc::clone(&lane.recipient));
        let by_destination = key(one).cmp(&key(other));
        by_destination.then_with(|| one.subject.cmp(&other.subject))
    });
    Ok(lanes)
}

fn all<T>(
    reading: &Connection,
    columns: &str,
    from: &str,
    mut of: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = reading.prepare(&format!("SELECT {columns} FROM {from}"))?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.extend(of(row)?);
    }
    Ok(rows)
}

/// Hosts of about equal distance in the order of their keys, one less than the parts that they divide the targets into.
/// They are only looked for among the hosts, of which there are far fewer; where the targets lie otherwise, the parts
/// are less equal.
pub(super) fn borders(reading: &Connection, parts: usize) -> rusqlite::Result<Vec<String>> {
    let count: i64 = reading.query_row("SELECT count(*) FROM host", [], |row| row.get(0))?;
    let parts = i64::try_from(parts).unwrap_or(1);
    let mut nth = reading.prepare("SELECT host FROM host ORDER BY host LIMIT 1 OFFSET ?1")?;
    let mut borders: Vec<String> = Vec::new();
    for part in 1..parts {
        let place = count.saturating_mul(part) / parts;
        let border = nth.query_row([place], |row| row.get(0)).optional()?;
        borders.extend(border.filter(|border| borders.last() != Some(border)));
    }
    Ok(borders)
}

/// The targets of the hosts from one border to before the next, by host key and service key.
pub(super) fn targets(
    reading: &Connection,
    from: &str,
    to: Option<&str>,
) -> rusqlite::Result<Vec<Vec<TargetRow>>> {
    let sql = format!(
        "SELECT {} FROM target WHERE host >= ?1 {} ORDER BY host, service",
        rows::TARGET,
        if to.is_some() {
            "AND host < ?2"
        } else {
            "AND ?2 IS NULL"
        },
    );
    let mut statement = reading.prepare(&sql)?;
    let mut shared = Shared::of(reading)?;
    let found = statement.query_map(params![from, to], |row| shared.target(row))?;
    Restored::by_host(found)
}

/// Names and texts that were met already.
#[derive(Default)]
pub(super) struct Shared {
    host: Option<Name>,
    /// The services of the host before, in their order: mostly this host has the same.
    before: Vec<(Name, Option<Arc<str>>)>,
    /// Those of this host so far.
    now: Vec<(Name, Option<Arc<str>>)>,
    names: HashMap<Box<str>, Name>,
    texts: HashMap<Box<str>, Arc<str>>,
    details: HashMap<i64, Arc<ServiceDetails>>,
}

impl Shared {
    /// Nothing met yet; all details at hand, because a target only names them.
    pub(super) fn of(reading: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            details: rows::details(reading)?,
            ..Self::default()
        })
    }

    /// The target of a row with the columns [`rows::TARGET`].
    pub(super) fn target(&mut self, row: &Row<'_>) -> rusqlite::Result<TargetRow> {
        let host = self.host(row.get_ref(1)?.as_str()?);
        let service = row.get_ref(2)?.as_str()?;
        let display_name = row.get_ref(13)?.as_str_or_null()?;
        let known = self
            .before
            .get(self.now.len())
            .filter(|(name, text)| name.as_str() == service && text.as_deref() == display_name);
        let shared = match known {
            Some(known) => known.clone(),
            None => (self.name(service), display_name.map(|text| self.text(text))),
        };
        if self.now.len() < SHARED_MAX {
            self.now.push(shared.clone());
        }
        rows::target(row, host, shared.0, shared.1, &self.details)
    }

    /// The rows of a host stand together.
    fn host(&mut self, shown: &str) -> Name {
        match &self.host {
            Some(last) if last.as_str() == shown => last.clone(),
            _ => {
                let name = Name::new(shown);
                self.host = Some(name.clone());
                std::mem::swap(&mut self.before, &mut self.now);
                self.now.clear();
                name
            }
        }
    }

    fn name(&mut self, shown: &str) -> Name {
        if let Some(name) = self.names.get(shown) {
            return name.clone();
        }
        let name = Name::new(shown);
        if self.names.len() < SHARED_MAX {
            self.names.insert(Box::from(shown), name.clone());
        }
        name
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let known: Arc<str> = Arc::from(text);
        if self.texts.len() < SHARED_MAX {
            self.texts.insert(Box::from(text), Arc::clone(&known));
        }
        known
    }
}
