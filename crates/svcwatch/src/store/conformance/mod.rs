//! What every store must do. [`conformance!`] makes one test of each of these functions for a kind of store.

mod asked;

use super::{
    Store,
    query::{
        DeliveryItem, DeliveryQuery, DroppedQuery, HistoryQuery, IncidentItem, IncidentQuery, Page,
    },
    samples::{
        attempt_row, delivery_row, dropped_row, history_row, host_row, incident_row, lane_row,
        remedy_row, silence_row, target_row,
    },
};
use svcwatch_core::{
    notice::{ToldEvent, Why},
    observe::{Refusal, State},
    record::{
        AccountRow, Acknowledged, DeliveryState, DestinationRow, DroppedRow, FeedRow, GroupRow,
        HistoryRow, LeftAlone, Record, Restored,
    },
    remedy::{Outcome, RemedyRow},
    time::Wall,
};

/// Makes a test of each rule; the function gives a store that is empty, and what must live as long as it.
macro_rules! conformance {
    ($fresh:path; $($rule:ident)+) => {
        $(
            #[test]
            fn $rule() {
                let (store, _kept) = $fresh();
                $crate::store::conformance::$rule(&store);
            }
        )+
    };
    ($fresh:path) => {
        $crate::store::conformance::conformance! { $fresh;
            an_empty_store_gives_nothing_back
            a_start_gives_back_what_was_written
            the_same_batch_twice_is_the_same_as_once
            a_later_row_replaces_an_earlier_one
            what_never_changes_stays_as_it_was_first_written
            a_start_gives_back_only_what_is_open_or_waits
            what_a_silence_holds_back_comes_back
            tries_come_back_as_long_as_they_count
            the_last_number_never_goes_back
            history_comes_newest_first_in_pages
            history_of_a_host_is_that_of_all_its_subjects
            a_page_follows_even_where_its_last_row_has_gone
            incidents_are_found_by_each_filter
            deliveries_are_found_by_each_filter
            deliveries_come_with_their_last_tries
            what_was_not_told_comes_newest_first
            hosts_and_targets_are_found_without_case
            the_newest_spelling_is_shown
            old_rows_go_and_open_ones_stay
            transitions_come_oldest_first_behind_a_record
            a_feed_never_goes_back
        }
    };
}
pub(super) use asked::*;
pub(super) use conformance;

/// All that can be asked of a store, for comparing.
#[derive(Debug, PartialEq)]
pub(super) struct Everything {
    restored: Restored,
    incidents: Vec<IncidentItem>,
    history: Vec<HistoryRow>,
    deliveries: Vec<DeliveryItem>,
    dropped: Vec<DroppedRow>,
}

/// Follows a list from page to page, a few rows at a time.
fn whole<T>(mut page: impl FnMut(Option<u64>) -> Page<T>) -> Vec<T> {
    let (mut items, mut before) = (Vec::new(), None);
    loop {
        let next = page(before);
        items.extend(next.items);
        match next.next {
            Some(number) => before = Some(number),
            None => return items,
        }
    }
}

fn history_of(store: &impl Store, query: &HistoryQuery) -> Vec<HistoryRow> {
    whole(|before| {
        let query = HistoryQuery {
            before,
            ..query.clone()
        };
        store.history(&query).unwrap()
    })
}

fn incidents_of(store: &impl Store, query: &IncidentQuery) -> Vec<IncidentItem> {
    whole(|before| {
        let query = IncidentQuery {
            before,
            ..query.clone()
        };
        store.incidents(&query).unwrap()
    })
}

fn deliveries_of(store: &impl Store, query: &DeliveryQuery) -> Vec<DeliveryItem> {
    whole(|before| {
        let query = DeliveryQuery {
            before,
            ..query.clone()
        };
        store.deliveries(&query).unwrap()
    })
}

fn dropped_of(store: &impl Store, query: &DroppedQuery) -> Vec<DroppedRow> {
    store.dropped(query).unwrap()
}

pub(super) fn everything(store: &impl Store) -> Everything {
    everything_in_pages(store, 200)
}

/// The same, with lists in pages of so many rows.
pub(super) fn everything_in_pages(store: &impl Store, limit: usize) -> Everything {
    let mut dropped = dropped_of(
        store,
        &DroppedQuery {
            limit: 1_000,
            ..DroppedQuery::default()
        },
    );
    // Rows of the same moment have no order among themselves.
    dropped.sort_by(|one, other| {
        let key = |row: &DroppedRow| (row.subject.clone(), row.seq, row.destination.clone());
        key(one).cmp(&key(other))
    });
    let mut restored = store.load().unwrap();
    restored.store = svcwatch_core::id::StoreId::default();
    Everything {
        restored,
        incidents: incidents_of(
            store,
            &IncidentQuery {
                limit,
                ..IncidentQuery::default()
            },
        ),
        history: history_of(
            store,
            &HistoryQuery {
                limit,
                ..HistoryQuery::default()
            },
        ),
        deliveries: deliveries_of(
            store,
            &DeliveryQuery {
                limit,
                ..DeliveryQuery::default()
            },
        ),
        dropped,
    }
}

fn account_row() -> AccountRow {
    AccountRow {
        account: "Ops".into(),
        paused: Some(Refusal::LockedOut),
        paused_at: Some(Wall(5)),
        next_try: Some(Wall(6)),
        refused_by: vec!["srv01".into(), "SRV02".into()],
        left_alone: vec![LeftAlone {
            guest: "guest.corp.example".into(),
            until: Wall(8),
        }],
        seq: 2,
    }
}

fn destination_row() -> DestinationRow {
    DestinationRow {
        destination: "duty".into(),
        failing_since: None,
        last_sent: Some(Wall(7)),
        seq: 1,
    }
}

fn feed_row(record: u64) -> FeedRow {
    FeedRow {
        destination: "Metrics".into(),
        record,
    }
}

fn group_row() -> GroupRow {
    GroupRow {
        group: "Prod".into(),
        service: "MSSQL$PROD".into(),
        seq: 4,
        wrong_since: Some(Wall(5)),
        ran_on: Some(vec!["Srv01".into()]),
        removed: false,
    }
}

/// One row of each kind.
fn one_of_each() -> Vec<Record> {
    let delivery = delivery_row("srv01", "Spooler", 2);
    vec![
        Record::Host(host_row("srv01")),
        Record::Target(target_row("srv01", "Spooler")),
        Record::Account(account_row()),
        Record::Destination(destination_row()),
        Record::History(history_row("srv01", "Spooler", 1)),
        Record::Incident(incident_row("srv01", "Spooler", 1)),
        Record::Lane(lane_row("srv01", "Spooler")),
        Record::Attempt(attempt_row(&delivery.key, 1)),
        Record::Delivery(delivery),
        Record::Dropped(dropped_row("srv01", "Spooler", 1)),
        Record::Silence(silence_row("a1")),
        Record::Feed(feed_row(1)),
        Record::Group(group_row()),
        Record::Remedy(remedy_row("srv01", "Spooler", 1)),
    ]
}

pub(super) fn an_empty_store_gives_nothing_back(store: &impl Store) {
    let restored = store.load().unwrap();
    let nothing = Restored {
        store: store.id(),
        ..Restored::default()
    };
    assert_eq!(restored, nothing);
    assert_eq!(
        store.history(&HistoryQuery::default()).unwrap(),
        Page::default()
    );
    assert_eq!(store.host(&"srv01".into()).unwrap(), None);
    assert_eq!(store.targets(&"srv01".into()).unwrap(), []);
    store.commit(&[]).unwrap();
    assert_eq!(store.load().unwrap(), nothing);
}

pub(super) fn a_start_gives_back_what_was_written(store: &impl Store) {
    store.commit(&one_of_each()).unwrap();
    let restored = store.load().unwrap();
    let expected = Restored {
        store: store.id(),
        last_record: 2,
        hosts: vec![host_row("srv01")],
        targets: vec![vec![target_row("srv01", "Spooler")]],
        incidents: vec![incident_row("srv01", "Spooler", 1)],
        accounts: vec![account_row()],
        destinations: vec![destination_row()],
        lanes: vec![lane_row("srv01", "Spooler")],
        deliveries: vec![delivery_row("srv01", "Spooler", 2)],
        silences: vec![silence_row("a1")],
        groups: vec![group_row()],
        remedies: vec![remedy_row("srv01", "Spooler", 1)],
        feeds: vec![feed_row(1)],
    };
    assert_eq!(restored, expected);
}

pub(super) fn the_same_batch_twice_is_the_same_as_once(store: &impl Store) {
    store.commit(&one_of_each()).unwrap();
    let once = everything(store);
    store.commit(&one_of_each()).unwrap();
    assert_eq!(everything(store), once);
    // The same within one transaction, and after more has followed.
    let mut twice = one_of_each();
    twice.extend(one_of_each());
    store.commit(&twice).unwrap();
    assert_eq!(everything(store), once);
}

pub(super) fn a_later_row_replaces_an_earlier_one(store: &impl Store) {
    store.commit(&one_of_each()).unwrap();
    let mut target = target_row("SRV01", "SPOOLER");
    target.state = State::Stopped;
    target.pid = None;
    let mut host = host_row("srv01");
    host.fault = None;
    let mut incident = incident_row("srv01", "Spooler", 1);
    incident.acknowledged = Some(Acknowledged {
        by: "anna".to_owned(),
        at: Wall(9),
        note: "on it".to_owned(),
    });
    let mut lane = lane_row("srv01", "Spooler");
    lane.told = None;
    let mut delivery = delivery_row("srv01", "Spooler", 2);
    delivery.state = DeliveryState::Sending;
    delivery.payload = Some([0, 1, 255].into());
    let mut dropped = dropped_row("srv01", "Spooler", 1);
    dropped.why = Why::Settled;
    store
        .commit(&[
            Record::Target(target.clone()),
            Record::Host(host.clone()),
            Record::Incident(incident.clone()),
            Record::Lane(lane.clone()),
            Record::Delivery(delivery.clone()),
            Record::Dropped(dropped.clone()),
        ])
        .unwrap();
    let restored = store.load().unwrap();
    assert_eq!(restored.targets, [[target]]);
    assert_eq!(restored.hosts, [host]);
    assert_eq!(restored.incidents, [incident]);
    assert_eq!(restored.lanes, [lane.clone()]);
    assert_eq!(restored.deliveries, [delivery]);
    assert_eq!(dropped_of(store, &DroppedQuery::default()), [dropped]);
    lane.removed = true;
    store.commit(&[Record::Lane(lane)]).unwrap();
    assert_eq!(store.load().unwrap().lanes, []);
}

pub(super) fn what_never_changes_stays_as_it_was_first_written(store: &impl Store) {
    store.commit(&one_of_each()).unwrap();
    let mut history = history_row("srv01", "Spooler", 1);
    history.to = Some(State::Paused);
    let delivery = delivery_row("srv01", "Spooler", 2);
    let mut attempt = attempt_row(&delivery.key, 1);
    attempt.answer = "another".to_owned();
    store
        .commit(&[Record::History(history), Record::Attempt(attempt)])
        .unwrap();
    let found = everything(store);
    assert_eq!(found.history, [history_row("srv01", "Spooler", 1)]);
    assert_eq!(
        found.deliveries[0].attempts,
        [attempt_row(&delivery.key, 1)]
    );
}

pub(super) fn a_start_gives_back_only_what_is_open_or_waits(store: &impl Store) {
    let mut over = incident_row("srv01", "Spooler", 1);
    over.resolved_at = Some(Wall(9));
    let mut records = vec![
        Record::Incident(over),
        Record::Incident(incident_row("srv01", "Spooler", 2)),
    ];
    for (number, state) in (1..).zip(DeliveryState::ALL) {
        // Written in another order than they are to be sent.
        let mut row = delivery_row("srv01", "Spooler", 10 - number);
        row.state = *state;
        records.push(Record::Delivery(row));
    }
    let merged = delivery_row("srv01", "Spooler", 20);
    records.push(Record::Delivery(merged.clone()));
    records.push(Record::DeliveryMerged(merged.key));
    store.commit(&records).unwrap();
    let restored = store.load().unwrap();
    assert_eq!(restored.incidents, [incident_row("srv01", "Spooler", 2)]);
    let orders: Vec<_> = restored
        .deliveries
        .iter()
        .map(|row| (row.order, row.state))
        .collect();
    assert_eq!(
        orders,
        [(8, DeliveryState::Sending), (9, DeliveryState::Pending)]
    );
    let all = deliveries_of(store, &DeliveryQuery::default());
    assert_eq!(all.len(), 5, "the merged one is no more");
}

pub(super) fn what_a_silence_holds_back_comes_back(store: &impl Store) {
    let mut open = incident_row("srv01", "Spooler", 1);
    open.muted = Some(Why::Silenced);
    open.untold = Some(ToldEvent::Stopped);
    let mut owed = incident_row("srv01", "W32Time", 2);
    owed.resolved_at = Some(Wall(9));
    owed.muted = Some(Why::Maintenance);
    owed.untold = Some(ToldEvent::Started);
    let mut over = silence_row("b2");
    over.ended_at = Some(Wall(9));
    over.ended_by = Some("bo".to_owned());
    let records = [
        Record::Incident(open.clone()),
        Record::Incident(owed.clone()),
        Record::Silence(silence_row("c3")),
        Record::Silence(silence_row("b2")),
        Record::Silence(silence_row("a1")),
        Record::Silence(over),
    ];
    store.commit(&records).unwrap();
    // Not even an old end goes while it is still to be told.
    while store.expire(Wall(i64::MAX)).unwrap() {}
    let restored = store.load().unwrap();
    assert_eq!(restored.incidents, [open, owed.clone()]);
    assert_eq!(restored.silences, [silence_row("a1"), silence_row("c3")]);
    owed.muted = None;
    owed.untold = None;
    store.commit(&[Record::Incident(owed)]).unwrap();
    while store.expire(Wall(i64::MAX)).unwrap() {}
    assert_eq!(store.load().unwrap().incidents.len(), 1);
}

pub(super) fn tries_come_back_as_long_as_they_count(store: &impl Store) {
    const DAY: i64 = 24 * 3_600_000;
    let at = |number, day: i64, ended: bool| {
        let mut row = remedy_row("srv01", "Spooler", number);
        row.at = Wall(day * DAY);
        row.ended_at = ended.then_some(row.at);
        row.outcome = ended.then_some(Outcome::Failed);
        row
    };
    let mut open = incident_row("srv01", "Spooler", 9);
    open.resolved_at = None;
    let of_open = RemedyRow {
        incident: open.id.clone(),
        ..at(1, 1, true)
    };
    let under_way = at(2, 2, false);
    let (old, recent, newest) = (at(3, 3, true), at(4, 9, true), at(5, 12, true));
    let all = [&newest, &old, &under_way, &recent, &of_open];
    let mut records: Vec<Record> = all.map(|row| Record::Remedy(row.clone())).into();
    records.push(Record::Incident(open.clone()));
    store.commit(&records).unwrap();
    while store.expire(Wall(i64::MAX)).unwrap() {}
    let left = [of_open, under_way, recent, newest];
    assert_eq!(store.load().unwrap().remedies, left);
    // Each is one row, however often it is written.
    let ended = RemedyRow {
        ended_at: Some(Wall(2 * DAY)),
        outcome: Some(Outcome::Unknown),
        ..left[1].clone()
    };
    open.resolved_at = Some(Wall(DAY));
    let over = [Record::Remedy(ended), Record::Incident(open)];
    store.commit(&over).unwrap();
    assert_eq!(store.load().unwrap().remedies, left[2..]);
}

pub(super) fn the_last_number_never_goes_back(store: &impl Store) {
    let delivery = delivery_row("srv01", "Spooler", 9);
    store
        .commit(&[
            Record::History(history_row("srv01", "Spooler", 8)),
            Record::Delivery(delivery.clone()),
        ])
        .unwrap();
    assert_eq!(store.load().unwrap().last_record, 9);
    store
        .commit(&[
            Record::DeliveryMerged(delivery.key),
            Record::History(history_row("srv01", "Spooler", 3)),
        ])
        .unwrap();
    while store.expire(Wall(i64::MAX)).unwrap() {}
    assert_eq!(store.load().unwrap().last_record, 9);
}

pub(super) fn a_feed_never_goes_back(store: &impl Store) {
    for record in [7, 3, 9, 9, 8] {
        store.commit(&[Record::Feed(feed_row(record))]).unwrap();
    }
    let mut other = feed_row(4);
    other.destination = "METRICS".into();
    store.commit(&[Record::Feed(other)]).unwrap();
    let mut second = feed_row(2);
    second.destination = "broker".into();
    store.commit(&[Record::Feed(second.clone())]).unwrap();
    assert_eq!(store.load().unwrap().feeds, [second, feed_row(9)]);
}
