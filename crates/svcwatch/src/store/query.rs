//! What can be asked of a store, beside what it gives back at a start.

use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name},
    notice::{Kind, Severity, ToldEvent},
    record::{AttemptRow, DeliveryRow, DeliveryState, IncidentRow},
    time::Wall,
};

/// Rows of one answer, at most.
pub const PAGE_MAX: usize = 1_000;

/// A part of a longer list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// What to give as `before` for the rows that follow; none where there are no more.
    pub next: Option<u64>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` of these rows, each with its number; the rows are one more where there are more.
    pub(super) fn of(mut rows: Vec<(u64, T)>, limit: usize) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map(|(number, _)| *number).filter(|_| more);
        Self {
            items: rows.into_iter().map(|(_, item)| item).collect(),
            next,
        }
    }
}

/// A wish for so many rows, within bounds.
pub(super) const fn clamped(limit: usize) -> usize {
    if limit == 0 {
        1
    } else if limit > PAGE_MAX {
        PAGE_MAX
    } else {
        limit
    }
}

/// Which incidents. All that is given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentQuery {
    /// Exactly this one.
    pub id: Option<IncidentId>,
    /// Of this host.
    pub host: Option<Name>,
    /// Of this service.
    pub service: Option<Name>,
    /// With this event.
    pub event: Option<ToldEvent>,
    /// With this severity.
    pub severity: Option<Severity>,
    /// Open ones, or those that are over.
    pub open: Option<bool>,
    /// Those that follow an earlier page.
    pub before: Option<u64>,
    /// At most so many; 1 to [`PAGE_MAX`].
    pub limit: usize,
}

/// An incident with what became of its notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentItem {
    /// The incident.
    pub incident: IncidentRow,
    /// How many deliveries belong to it.
    pub deliveries: u64,
}

/// Which lines of history. All that is given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuery {
    /// Of this host: the host itself and all its services.
    pub host: Option<Name>,
    /// Of this service.
    pub service: Option<Name>,
    /// Those with a smaller record number.
    pub before: Option<u64>,
    /// At most so many; 1 to [`PAGE_MAX`].
    pub limit: usize,
}

/// Which deliveries. All that is given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryQuery {
    /// Exactly this one.
    pub key: Option<DeliveryKey>,
    /// To this destination.
    pub destination: Option<Name>,
    /// To this recipient.
    pub recipient: Option<String>,
    /// Of this incident.
    pub incident: Option<IncidentId>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Which stand so.
    pub state: Option<DeliveryState>,
    /// Those that follow an earlier page.
    pub before: Option<u64>,
    /// At most so many; 1 to [`PAGE_MAX`].
    pub limit: usize,
}

/// A delivery with its tries.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryItem {
    /// The delivery.
    pub delivery: DeliveryRow,
    /// Its tries, first one first, at most [`ATTEMPTS_MAX`] of the last.
    pub attempts: Vec<AttemptRow>,
}

/// Tries that are given with one delivery, at most.
pub const ATTEMPTS_MAX: usize = 100;

/// Which of the things that were not told. All that is given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DroppedQuery {
    /// Of this host: the host itself and all its services.
    pub host: Option<Name>,
    /// Of this service.
    pub service: Option<Name>,
    /// Not older than this.
    pub since: Option<Wall>,
    /// At most so many; 1 to [`PAGE_MAX`].
    pub limit: usize,
}

/// How the store itself is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Whether the whole database was looked through since the start.
    pub checked: bool,
    /// What is wrong with it, where something is.
    pub damage: Option<String>,
    /// Whether the disk was full and the reserve is not yet made again.
    pub disk_full: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_last_row_only_where_more_follow() {
        let rows = |count: u64| (0..count).map(|number| (100 - number, ())).collect();
        assert_eq!(Page::of(rows(3), 3).next, None);
        let page: Page<()> = Page::of(rows(4), 3);
        assert_eq!((page.items.len(), page.next), (3, Some(98)));
        assert_eq!(Page::<()>::of(Vec::new(), 3), Page::default());
    }

    #[test]
    fn a_wish_for_rows_is_kept_within_bounds() {
        assert_eq!(
            (clamped(0), clamped(7), clamped(1_000_000)),
            (1, 7, PAGE_MAX)
        );
    }
}
