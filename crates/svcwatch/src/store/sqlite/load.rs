//! All that the engine needs at a start, in one consistent reading.

use super::rows;
use crate::store::record::counted;
use rusqlite::{Connection, Row};
use std::{collections::HashMap, sync::Arc};
use svcwatch_core::{
    id::{Name, StoreId},
    record::{Restored, TargetRow},
};

/// Names and texts that are shared between rows, at most: the same few services run on every host.
const SHARED_MAX: usize = 16_384;

/// Reads everything.
pub(super) fn load(reading: &Connection, store: StoreId) -> rusqlite::Result<Restored> {
    let last_record = reading.query_row(
        "SELECT value FROM meta WHERE key = 'last_record'",
        [],
        |row| row.get(0),
    )?;
    let mut lanes = all(reading, &lanes_sql(), rows::lane)?;
    lanes.sort_by(|one, other| {
        let key = |lane: &svcwatch_core::record::LaneRow| {
            (lane.destination.clone(), Arc::clone(&lane.recipient))
        };
        key(one)
            .cmp(&key(other))
            .then_with(|| one.subject.cmp(&other.subject))
    });
    Ok(Restored {
        store,
        last_record: counted(last_record),
        hosts: all(reading, &select(rows::HOST, "host ORDER BY host"), |row| {
            rows::host(row).map(Some)
        })?,
        targets: targets(reading)?,
        incidents: all(reading, &incidents_sql(), |row| {
            Ok(rows::incident(row)?.map(|(_, incident)| incident))
        })?,
        accounts: all(
            reading,
            &select(rows::ACCOUNT, "account ORDER BY account"),
            |row| rows::account(row).map(Some),
        )?,
        destinations: all(
            reading,
            &select(rows::DESTINATION, "destination ORDER BY destination"),
            |row| rows::destination(row).map(Some),
        )?,
        lanes,
        deliveries: all(reading, &deliveries_sql(), |row| {
            Ok(rows::delivery(row)?.map(|(_, delivery)| delivery))
        })?,
    })
}

fn select(columns: &str, rest: &str) -> String {
    format!("SELECT {columns} FROM {rest}")
}

fn lanes_sql() -> String {
    select(rows::LANE, "lane l JOIN subject s ON s.id = l.subject")
}

fn incidents_sql() -> String {
    let rest = "incident i JOIN subject s ON s.id = i.subject WHERE i.resolved_at IS NULL ORDER BY i.number";
    select(rows::INCIDENT, rest)
}

fn deliveries_sql() -> String {
    let rest = "delivery WHERE state IN ('pending', 'sending') ORDER BY place";
    select(rows::DELIVERY, rest)
}

fn all<T>(
    reading: &Connection,
    sql: &str,
    mut of: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = reading.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.extend(of(row)?);
    }
    Ok(rows)
}

fn targets(reading: &Connection) -> rusqlite::Result<Vec<TargetRow>> {
    let count: i64 = reading.query_row("SELECT count(*) FROM target", [], |row| row.get(0))?;
    let mut targets = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut statement = reading.prepare(&select(rows::TARGET, "target ORDER BY host, service"))?;
    let mut found = statement.query([])?;
    let mut shared = Shared::default();
    while let Some(row) = found.next()? {
        targets.push(shared.target(row)?);
    }
    Ok(targets)
}

/// Names and texts that were met already.
#[derive(Default)]
pub(super) struct Shared {
    host: Option<(String, Name)>,
    names: HashMap<Box<str>, Name>,
    texts: HashMap<Box<str>, Arc<str>>,
}

impl Shared {
    /// The target of a row with the columns [`rows::TARGET`].
    pub(super) fn target(&mut self, row: &Row<'_>) -> rusqlite::Result<TargetRow> {
        let host = self.host(row.get_ref(1)?.as_str()?);
        let service = self.name(row.get_ref(2)?.as_str()?);
        let display_name = rows::meaning(row, 13, |text| self.text(text))?;
        rows::target(row, host, service, display_name)
    }

    /// The rows of a host stand together.
    fn host(&mut self, shown: &str) -> Name {
        if let Some((last, name)) = &self.host
            && last == shown
        {
            return name.clone();
        }
        let name = Name::new(shown);
        self.host = Some((shown.to_owned(), name.clone()));
        name
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
