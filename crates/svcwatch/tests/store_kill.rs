//! What was answered as written is there after kill -9, at whatever moment that comes.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use svcwatch::store::{
    AnyStore, Store, StoreError, StoreOptions, Writer, WriterSettings,
    query::{DeliveryQuery, HistoryQuery},
};
use svcwatch_core::{
    id::{DeliveryKey, Subject},
    notice::{Kind, Notice, Severity, ToldEvent},
    observe::State,
    record::{DeliveryRow, DeliveryState, HistoryRow, Record},
    time::Wall,
};

/// Set to the data folder in the process that writes until it is killed.
const FOLDER: &str = "SVCWATCH_TEST_KILL_FOLDER";
const OPTIONS: StoreOptions = StoreOptions { ballast: 0 };
/// Rows of history in each batch, beside one delivery.
const ROWS: u64 = 8;
/// How often the process is killed.
const KILLS: u32 = 12;

fn wall(number: u64) -> Wall {
    Wall(i64::try_from(number).unwrap())
}

fn history(number: u64) -> Record {
    Record::History(HistoryRow {
        record: number,
        subject: Subject::Host("srv01".into()),
        seq: number,
        at: wall(number),
        from: Some(State::Running),
        to: Some(State::Stopped),
        fault: None,
        event: None,
        incident: None,
        exit_code: None,
        service_exit_code: None,
        pid: None,
        cause: None,
    })
}

fn delivery(batch: u64) -> Record {
    let notice = Notice {
        kind: Kind::Opened,
        event: ToldEvent::HostUnreachable,
        at: wall(batch),
        severity: Severity::Critical,
        subject: Subject::Host("srv01".into()),
        site: None,
        display_name: None,
        friendly_name: None,
        state: None,
        previous_state: None,
        since: None,
        start_type: None,
        details: None,
        exit_code: None,
        service_exit_code: None,
        cause: None,
        evidence: None,
        remedy: Vec::new(),
        labels: Arc::from([]),
        incident: None,
        merged: Vec::new(),
        group: None,
        items: Vec::new(),
        counts: Vec::new(),
        seq: batch,
    };
    Record::Delivery(DeliveryRow {
        key: DeliveryKey::new(&"duty".into(), "", "host", "opened", batch),
        order: batch,
        destination: "duty".into(),
        recipient: Arc::from(""),
        notice: Arc::new(notice),
        state: DeliveryState::Pending,
        reason: None,
        frozen: true,
        payload: Some(Arc::from(vec![0; 500])),
        attempts: 0,
        created: wall(batch),
        due: wall(batch),
    })
}

/// Writes one batch after the other, and says the number of each only when it is answered.
fn write_until_killed(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let store = Arc::new(AnyStore::open(folder, OPTIONS).unwrap());
    let done = store.history(&HistoryQuery::default()).unwrap().items;
    let first = done.first().map_or(0, |row| row.record / ROWS + 1);
    let writer = Writer::start(store, WriterSettings::default()).unwrap();
    let mut stdout = std::io::stdout().lock();
    for batch in first.. {
        let mut records: Vec<_> = (0..ROWS).map(|row| history(batch * ROWS + row)).collect();
        records.push(delivery(batch));
        runtime.block_on(writer.write(records.into())).unwrap();
        writeln!(stdout, "written {batch}").unwrap();
        stdout.flush().unwrap();
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "nothing_that_was_answered_is_lost_by_a_kill",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the process after so many answers and a little time, and gives the last answer.
fn kill_after(mut child: Child, answers: usize, pause: Duration) -> u64 {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    // A line may have the name of the test before it, and the last one may be cut off.
    let number = |line: String| line.split_once("written ")?.1.trim().parse::<u64>().ok();
    let mut seen = 0;
    while seen < answers {
        let line = lines.next().expect("it writes until it is killed").unwrap();
        if let Some(found) = number(line) {
            last = Some(found);
            seen += 1;
        }
    }
    std::thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines.map_while(Result::ok) {
        last = last.max(number(line));
    }
    last.unwrap()
}

#[test]
fn nothing_that_was_answered_is_lost_by_a_kill() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write_until_killed(Path::new(&folder));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut id = None;
    for round in 0..KILLS {
        let child = start(folder.path());
        let pid = child.id();
        let answers = usize::try_from(round * 5 % 17 + 1).unwrap();
        let pause = Duration::from_micros(u64::from(round) * 373);
        let answered = kill_after(child, answers, pause);

        let store = AnyStore::open(folder.path(), OPTIONS)
            .unwrap_or_else(|error| panic!("after the kill of process {pid}: {error}"));
        assert_eq!(*id.get_or_insert(store.id()), store.id());
        let newest = store.history(&HistoryQuery::default()).unwrap().items[0].record;
        assert!(
            newest >= answered * ROWS + ROWS - 1,
            "batch {answered} was answered, and the last row is {newest}"
        );
        assert_eq!(
            (newest + 1) % ROWS,
            0,
            "a batch is there whole or not at all"
        );
        let restored = store.load().unwrap();
        assert_eq!(restored.last_record, newest);
        let places: Vec<_> = restored.deliveries.iter().map(|row| row.order).collect();
        assert_eq!(places, (0..=newest / ROWS).collect::<Vec<_>>());
        let page = store.deliveries(&DeliveryQuery::default()).unwrap();
        assert_eq!(page.items[0].delivery.order, newest / ROWS);
        store.check().unwrap();
    }
}

#[test]
fn a_second_process_is_told_the_number_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let written = lines.any(|line| line.unwrap().contains("written"));
    let result = AnyStore::open(folder.path(), OPTIONS);
    let id = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(written);
    match result.unwrap_err() {
        StoreError::InUse { pid, .. } if cfg!(unix) => assert_eq!(pid, Some(id)),
        StoreError::InUse { .. } => {}
        other => panic!("{other}"),
    }
    assert!(AnyStore::open(folder.path(), OPTIONS).is_ok());
}
