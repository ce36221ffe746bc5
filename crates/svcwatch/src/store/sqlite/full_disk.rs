//! Tests of a disk that gets full: first with a bound on the pages of the database, which works everywhere, then with a
//! small file system of memory, where the system lets us mount one in a namespace of its own.

use super::{tests::history, *};
use crate::store::{
    conformance::everything,
    query::HistoryQuery,
    samples::{delivery_row, history_row},
};
use std::{fs, process::Command};
use svcwatch_core::record::DeliveryState;

/// Set to the folder where the small file system is to be mounted, in the process that does it.
const MOUNT_AT: &str = "SVCWATCH_TEST_MOUNT_AT";
/// What that process prints when it has the file system.
const MOUNTED: &str = "a small file system is mounted";

fn batch(number: u64) -> Vec<Record> {
    let first = number * 256;
    (first..first + 256)
        .map(|number| Record::History(history_row("srv01", "Spooler", number)))
        .collect()
}

/// The greatest number in the history; its rows go without a gap from 0 to there.
fn whole_until(store: &SqliteStore) -> Option<u64> {
    let count: i64 = {
        let writing = store.writing().unwrap();
        let sql = "SELECT count(*) FROM history";
        writing
            .connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    };
    let last = store.history(&HistoryQuery::default()).unwrap().items;
    let last = last.first().map(|row| row.record);
    assert_eq!(
        last.map_or(0, |last| last + 1),
        u64::try_from(count).unwrap()
    );
    last
}

#[test]
fn a_database_that_may_not_grow_says_that_the_disk_is_full_and_goes_on_later() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { ballast: 100_000 };
    let store = SqliteStore::open(folder.path(), options).unwrap();
    let reserve = folder.path().join("svcwatch.reserve");
    assert!(reserve.exists() && !store.health().disk_full);
    let pages = |count: u32| {
        let writing = store.writing().unwrap();
        let done =
            writing
                .connection
                .pragma_update_and_check(None, "max_page_count", count, |_| Ok(()));
        done.unwrap();
    };
    pages(100);
    let mut number = 0;
    let error = loop {
        match store.commit(&batch(number)) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_disk_full(), "{error}");
    assert!(
        error.to_string().contains("is full; free some space"),
        "{error}"
    );
    assert!(store.health().disk_full);
    assert!(!reserve.exists(), "the reserve was given free");
    assert_eq!(whole_until(&store), Some(number * 256 - 1));
    // The same batch again, when there is room.
    pages(1_000_000);
    store.commit(&batch(number)).unwrap();
    assert_eq!(whole_until(&store), Some(number * 256 + 255));
    store.rest().unwrap();
    assert!(reserve.exists() && !store.health().disk_full);
}

#[cfg(target_os = "linux")]
#[test]
fn the_outbox_is_still_written_on_a_full_disk_and_nothing_written_is_lost() {
    if let Some(folder) = std::env::var_os(MOUNT_AT) {
        on_a_small_file_system(Path::new(&folder));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A namespace of its own: the mount goes with the process, however that ends.
    for how in [&["--map-root-user", "--mount"][..], &["--mount"][..]] {
        let output = Command::new("unshare")
            .args(how)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::sqlite::full_disk::the_outbox_is_still_written_on_a_full_disk_and_nothing_written_is_lost")
            .env(MOUNT_AT, folder.path())
            .output();
        let Ok(output) = output else {
            continue;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains(MOUNTED) {
            assert!(
                output.status.success(),
                "{said}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
            return;
        }
    }
    println!("no file system can be mounted here; only the bound on pages was tested");
}

#[cfg(target_os = "linux")]
fn on_a_small_file_system(folder: &Path) {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs"])
        .arg(folder)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return;
    }
    println!("{MOUNTED}");
    let filler = folder.join("somebody else's");
    fs::write(&filler, vec![1; 5 << 20]).unwrap();
    let options = StoreOptions { ballast: 2 << 20 };
    let store = SqliteStore::open(folder, options).unwrap();
    assert!(!store.health().disk_full);

    let mut number = 0;
    while !store.health().disk_full {
        store.commit(&batch(number)).unwrap();
        number += 1;
        assert!(number < 1_000, "the disk never gets full");
    }
    // That commit went through thanks to the reserve, and so do those that the outbox needs now.
    let mut delivery = delivery_row("srv01", "Spooler", 1_000_000);
    for state in [
        DeliveryState::Pending,
        DeliveryState::Sending,
        DeliveryState::Delivered,
    ] {
        delivery.state = state;
        store.commit(&[Record::Delivery(delivery.clone())]).unwrap();
    }
    let error = loop {
        match store.commit(&batch(number)) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(whole_until(&store), Some(number * 256 - 1));
    let before = everything(&store);
    drop(store);

    // Started again on a disk that is still full: a sentence, or a store that is whole.
    match SqliteStore::open(folder, options) {
        Ok(store) => {
            assert!(store.health().disk_full);
            assert_eq!(everything(&store), before);
        }
        Err(error) => assert!(error.is_disk_full(), "{error}"),
    }
    fs::remove_file(&filler).unwrap();
    let store = SqliteStore::open(folder, options).unwrap();
    assert_eq!(everything(&store), before);
    store.commit(&batch(number)).unwrap();
    assert_eq!(whole_until(&store), Some(number * 256 + 255));
    store.rest().unwrap();
    assert!(!store.health().disk_full);
    store.check().unwrap();
}

#[test]
fn a_reserve_that_finds_no_room_at_the_start_does_not_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        ballast: u64::MAX / 4,
    };
    let store = SqliteStore::open(folder.path(), options).unwrap();
    assert!(store.health().disk_full);
    store.commit(&history(3)).unwrap();
}
