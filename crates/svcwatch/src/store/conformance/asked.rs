//! What every store must answer to the API and the command line.

use super::{deliveries_of, dropped_of, everything, history_of, incidents_of};
use crate::store::{
    Store,
    query::{DeliveryQuery, DroppedQuery, HistoryQuery, IncidentQuery},
    samples::{
        at, attempt_row, delivery_row, dropped_row, history_row, host_row, incident_row, service,
        target_row,
    },
};
use svcwatch_core::{
    id::{Name, Subject},
    notice::{Kind, Severity, ToldEvent, Why},
    record::{DeliveryRow, DeliveryState, HistoryRow, Record},
    time::Wall,
};

fn records(rows: &[HistoryRow]) -> Vec<u64> {
    rows.iter().map(|row| row.record).collect()
}

pub(in crate::store) fn history_comes_newest_first_in_pages(store: &impl Store) {
    let rows: Vec<_> = (1..=250)
        .map(|number| {
            let name = if number % 5 == 0 { "W3SVC" } else { "Spooler" };
            Record::History(history_row("srv01", name, number))
        })
        .collect();
    store.commit(&rows).unwrap();
    let query = HistoryQuery {
        host: Some("SRV01".into()),
        service: Some("w3svc".into()),
        limit: 20,
        ..HistoryQuery::default()
    };
    let first = store.history(&query).unwrap();
    assert_eq!(first.items.len(), 20);
    assert_eq!(first.items[0], history_row("srv01", "W3SVC", 250));
    assert_eq!(first.next, Some(155));
    let fives: Vec<u64> = (1..=50).rev().map(|number| number * 5).collect();
    assert_eq!(records(&history_of(store, &query)), fives);
    let of_service = HistoryQuery {
        host: None,
        ..query
    };
    assert_eq!(records(&history_of(store, &of_service)), fives);
    let all = HistoryQuery {
        limit: 7,
        ..HistoryQuery::default()
    };
    let newest_first: Vec<u64> = (1..=250).rev().collect();
    assert_eq!(records(&history_of(store, &all)), newest_first);
}

pub(in crate::store) fn history_of_a_host_is_that_of_all_its_subjects(store: &impl Store) {
    let subjects = [
        service("srv01", "Spooler"),
        Subject::Host("srv01".into()),
        Subject::Visibility("srv01".into()),
        service("srv02", "Spooler"),
        Subject::Account("srv01".into()),
        service("srv01", "W3SVC"),
    ];
    let mut rows = Vec::new();
    for number in 1..=60_u64 {
        let mut row = history_row("srv01", "Spooler", number);
        let place = usize::try_from(number).unwrap() % subjects.len();
        row.subject = subjects[place].clone();
        rows.push(row);
    }
    let batch: Vec<_> = rows.iter().cloned().map(Record::History).collect();
    store.commit(&batch).unwrap();
    let query = HistoryQuery {
        host: Some("srv01".into()),
        limit: 7,
        ..HistoryQuery::default()
    };
    let mut expected: Vec<_> = rows
        .iter()
        .filter(|row| row.subject.host() == Some(&Name::new("srv01")))
        .cloned()
        .collect();
    expected.reverse();
    assert_eq!(expected.len(), 40);
    assert_eq!(history_of(store, &query), expected);
}

pub(in crate::store) fn a_page_follows_even_where_its_last_row_has_gone(store: &impl Store) {
    let rows: Vec<_> = [2, 4, 6, 8]
        .map(|number| Record::History(history_row("srv01", "Spooler", number)))
        .into();
    store.commit(&rows).unwrap();
    for host in [None, Some(Name::new("srv01"))] {
        let query = HistoryQuery {
            host,
            // No row has this number any more.
            before: Some(7),
            limit: 10,
            ..HistoryQuery::default()
        };
        assert_eq!(records(&store.history(&query).unwrap().items), [6, 4, 2]);
    }
}

pub(in crate::store) fn incidents_are_found_by_each_filter(store: &impl Store) {
    let mut over = incident_row("srv01", "Spooler", 1);
    over.resolved_at = Some(Wall(9));
    let mut mild = incident_row("srv02", "W3SVC", 2);
    mild.event = ToldEvent::Paused;
    mild.severity = Severity::Warning;
    let mut host = incident_row("srv01", "Spooler", 3);
    host.subject = Subject::Host("srv01".into());
    let open = incident_row("srv01", "Spooler", 4);
    let rows = [over, mild, host, open];
    let mut batch: Vec<_> = rows.iter().cloned().map(Record::Incident).collect();
    batch.push(Record::Delivery(delivery_row("srv01", "Spooler", 4)));
    store.commit(&batch).unwrap();

    let found = |ask: &dyn Fn(&mut IncidentQuery)| -> Vec<u64> {
        let mut query = IncidentQuery {
            limit: 1,
            ..IncidentQuery::default()
        };
        ask(&mut query);
        let items = incidents_of(store, &query);
        items.iter().map(|item| item.incident.seq).collect()
    };
    let host = |name: &str| Some(Name::new(name));
    assert_eq!(found(&|_| {}), [4, 3, 2, 1]);
    assert_eq!(found(&|query| query.open = Some(true)), [4, 3, 2]);
    assert_eq!(found(&|query| query.open = Some(false)), [1]);
    assert_eq!(found(&|query| query.host = host("SRV01")), [4, 3, 1]);
    assert_eq!(found(&|query| query.host = host("srv09")), [0_u64; 0]);
    assert_eq!(found(&|query| query.service = host("spooler")), [4, 1]);
    assert_eq!(found(&|query| query.event = Some(ToldEvent::Paused)), [2]);
    let critical = Some(Severity::Critical);
    assert_eq!(found(&|query| query.severity = critical), [4, 3, 1]);
    assert_eq!(found(&|query| query.id = Some(rows[1].id.clone())), [2]);
    let both = |query: &mut IncidentQuery| {
        query.host = host("srv01");
        query.open = Some(false);
    };
    assert_eq!(found(&both), [1]);

    let page = store.incidents(&IncidentQuery::default()).unwrap();
    assert_eq!(page.items[0].incident, rows[3]);
    assert_eq!(page.items[0].deliveries, 1);
}

pub(in crate::store) fn deliveries_are_found_by_each_filter(store: &impl Store) {
    let mut mail = delivery_row("srv01", "Spooler", 1);
    mail.state = DeliveryState::Delivered;
    let mut hook = delivery_row("srv01", "Spooler", 2);
    hook.destination = "Hook".into();
    hook.recipient = "".into();
    let mut over = delivery_row("srv02", "W3SVC", 3);
    let mut notice = (*over.notice).clone();
    notice.kind = Kind::Resolved;
    over.notice = notice.into();
    over.state = DeliveryState::Parked;
    over.reason = Some("410 gone".to_owned());
    let rows = [mail, hook, over];
    let batch: Vec<_> = rows.iter().cloned().map(Record::Delivery).collect();
    store.commit(&batch).unwrap();

    let found = |ask: &dyn Fn(&mut DeliveryQuery)| -> Vec<u64> {
        let mut query = DeliveryQuery {
            limit: 2,
            ..DeliveryQuery::default()
        };
        ask(&mut query);
        let items = deliveries_of(store, &query);
        items.iter().map(|item| item.delivery.order).collect()
    };
    let to = |recipient: &str| Some(recipient.to_owned());
    let of = |row: &DeliveryRow| row.notice.incident.as_ref().map(|one| one.id.clone());
    assert_eq!(found(&|_| {}), [3, 2, 1]);
    assert_eq!(found(&|query| query.key = Some(rows[0].key.clone())), [1]);
    assert_eq!(found(&|query| query.destination = Some("hook".into())), [2]);
    assert_eq!(
        found(&|query| query.recipient = to("ops@corp.example")),
        [3, 1]
    );
    assert_eq!(found(&|query| query.recipient = to("")), [2]);
    assert_eq!(found(&|query| query.incident = of(&rows[1])), [2]);
    assert_eq!(found(&|query| query.kind = Some(Kind::Resolved)), [3]);
    for (state, expected) in [
        (DeliveryState::Pending, vec![2]),
        (DeliveryState::Sending, vec![]),
        (DeliveryState::Delivered, vec![1]),
        (DeliveryState::Parked, vec![3]),
        (DeliveryState::Expired, vec![]),
    ] {
        assert_eq!(
            found(&|query| query.state = Some(state)),
            expected,
            "{state}"
        );
    }
    let page = store.deliveries(&DeliveryQuery::default()).unwrap();
    assert_eq!(page.items[0].delivery, rows[2]);
}

pub(in crate::store) fn deliveries_come_with_their_last_tries(store: &impl Store) {
    let row = delivery_row("srv01", "Spooler", 1);
    let mut batch = vec![Record::Delivery(row.clone())];
    batch.extend((1..=130).map(|number| Record::Attempt(attempt_row(&row.key, number))));
    store.commit(&batch).unwrap();
    let items = deliveries_of(store, &DeliveryQuery::default());
    let numbers: Vec<_> = items[0].attempts.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (31..=130).collect::<Vec<_>>());
    assert_eq!(items[0].attempts[99], attempt_row(&row.key, 130));
}

pub(in crate::store) fn what_was_not_told_comes_newest_first(store: &impl Store) {
    let mut at_duty = dropped_row("srv01", "Spooler", 2);
    at_duty.destination = Some("duty".into());
    at_duty.why = Why::Parked;
    let mut at_hook = at_duty.clone();
    at_hook.destination = Some("hook".into());
    at_hook.at = at(3);
    let rows = [
        dropped_row("srv01", "Spooler", 1),
        at_duty,
        at_hook,
        dropped_row("srv02", "W3SVC", 4),
    ];
    let batch: Vec<_> = rows.iter().cloned().map(Record::Dropped).collect();
    store.commit(&batch).unwrap();
    let any = || DroppedQuery {
        limit: 10,
        ..DroppedQuery::default()
    };
    let of_service = DroppedQuery {
        host: Some("SRV01".into()),
        service: Some("SPOOLER".into()),
        ..any()
    };
    let [first, second, third, other] = rows;
    assert_eq!(
        dropped_of(store, &of_service),
        [third.clone(), second, first]
    );
    let late = DroppedQuery {
        since: Some(at(3)),
        ..any()
    };
    assert_eq!(dropped_of(store, &late), [other.clone(), third]);
    assert_eq!(
        dropped_of(store, &DroppedQuery { limit: 1, ..any() }),
        [other]
    );
}

pub(in crate::store) fn hosts_and_targets_are_found_without_case(store: &impl Store) {
    let rows = [
        ("Srv01", "W3SVC"),
        ("Srv01", "Spooler"),
        ("srv010", "Spooler"),
    ]
    .map(|(host, service)| Record::Target(target_row(host, service)));
    store.commit(&rows).unwrap();
    store.commit(&[Record::Host(host_row("Srv01"))]).unwrap();
    assert_eq!(
        store.host(&"sRV01".into()).unwrap(),
        Some(host_row("srv01"))
    );
    let found = store.targets(&"SRV01".into()).unwrap();
    assert_eq!(
        found,
        [target_row("srv01", "spooler"), target_row("srv01", "w3svc")]
    );
    assert_eq!(found[0].host.as_str(), "Srv01");
    assert_eq!(found[0].service.as_str(), "Spooler");
}

pub(in crate::store) fn the_newest_spelling_is_shown(store: &impl Store) {
    store
        .commit(&[
            Record::Incident(incident_row("srv01", "spooler", 1)),
            Record::Target(target_row("srv01", "spooler")),
        ])
        .unwrap();
    store
        .commit(&[
            Record::Incident(incident_row("SRV01", "Spooler", 1)),
            Record::Target(target_row("SRV01", "Spooler")),
        ])
        .unwrap();
    let restored = store.load().unwrap();
    let subject = &restored.incidents[0].subject;
    assert_eq!(subject.host().unwrap().as_str(), "SRV01");
    assert_eq!(subject.service().unwrap().as_str(), "Spooler");
    assert_eq!(restored.targets.concat().len(), 1);
}

pub(in crate::store) fn old_rows_go_and_open_ones_stay(store: &impl Store) {
    let mut over = incident_row("srv01", "Spooler", 1);
    over.resolved_at = Some(at(5));
    let mut delivered = delivery_row("srv01", "Spooler", 1);
    delivered.state = DeliveryState::Delivered;
    let waiting = delivery_row("srv01", "Spooler", 2);
    let mut batch = vec![
        Record::Target(target_row("srv01", "Spooler")),
        Record::Incident(over),
        Record::Incident(incident_row("srv01", "Spooler", 2)),
        Record::Attempt(attempt_row(&delivered.key, 1)),
        Record::Attempt(attempt_row(&waiting.key, 1)),
        Record::Delivery(delivered),
        Record::Delivery(waiting.clone()),
    ];
    batch.extend((1..=20).map(|number| Record::History(history_row("srv01", "Spooler", number))));
    batch.extend((1..=20).map(|number| Record::Dropped(dropped_row("srv01", "Spooler", number))));
    store.commit(&batch).unwrap();
    while store.expire(at(15)).unwrap() {}
    let found = everything(store);
    assert_eq!(records(&found.history), [20, 19, 18, 17, 16, 15]);
    assert_eq!(found.dropped.len(), 6);
    assert_eq!(found.incidents.len(), 1);
    assert_eq!(found.incidents[0].incident.seq, 2, "the open one stays");
    assert_eq!(found.deliveries.len(), 1);
    assert_eq!(found.deliveries[0].delivery, waiting);
    assert_eq!(found.deliveries[0].attempts.len(), 1);
    assert_eq!(found.restored.targets.concat().len(), 1);
}

pub(in crate::store) fn transitions_come_oldest_first_behind_a_record(store: &impl Store) {
    let mut rows: Vec<HistoryRow> = (1..=9)
        .rev()
        .map(|number| history_row("srv01", "Spooler", number))
        .collect();
    // An incident without a change, a host, and what has no state are no transitions of a service.
    for row in &mut rows {
        match row.record {
            3 => row.from = row.to,
            4 => row.subject = Subject::Host("srv01".into()),
            5 => row.to = None,
            6 => row.from = None,
            _ => {}
        }
    }
    let batch: Vec<_> = rows.into_iter().map(Record::History).collect();
    store.commit(&batch).unwrap();
    let asked = |after, limit| records(&store.transitions(after, limit).unwrap());
    assert_eq!(asked(0, 100), [1, 2, 6, 7, 8, 9]);
    assert_eq!(asked(2, 2), [6, 7]);
    assert_eq!(asked(7, 100), [8, 9]);
    assert_eq!(asked(9, 100), [0; 0]);
}
