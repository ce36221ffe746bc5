use super::*;
use crate::WireError;
use crate::limits::{EVENT_LOG_BYTES_MAX, EVENT_STRINGS_MAX};
use crate::scmr::{Code, Handle, Reply, Request};
use crate::testing::utf16;
use proptest::prelude::*;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

const LOG: Handle = Handle([7; 20]);

const BOUNDS: Bounds = Bounds {
    records: 100,
    bytes: 1024 * 1024,
    calls: 20,
    buffer: 4096,
    since: 0,
};

fn record(number: u32) -> EventRecord {
    EventRecord {
        number,
        generated: 1_700_000_000 + number,
        written: 1_700_000_000 + number,
        id: 0xc000_1b7a,
        kind: kind::ERROR,
        category: 0,
        source: "Service Control Manager".into(),
        computer: "srv01".into(),
        strings: vec!["Print Spooler".into(), "1".into()],
    }
}

/// A log, read as Windows does it, or from its start as Samba does.
struct Log {
    records: Vec<EventRecord>,
    from_start: bool,
    /// Where the next sequential read begins, counted from the end that it reads from.
    at: usize,
    calls: usize,
}

impl Log {
    fn of(count: u32) -> Self {
        Self {
            records: (1..=count).map(record).collect(),
            from_start: false,
            at: 0,
            calls: 0,
        }
    }

    fn answer(&mut self, request: ReadEventLog) -> ReadEventLogReply {
        self.calls += 1;
        assert!(request.buffer_size <= EVENT_LOG_BYTES_MAX);
        let mut order: Vec<&EventRecord> = self.records.iter().rev().collect();
        if request.flags & flags::SEEK != 0 {
            order.retain(|record| record.number <= request.offset);
        } else {
            if self.from_start {
                order.reverse();
            }
            order = order.split_off(self.at.min(order.len()));
        }
        let mut records = Vec::new();
        let mut needed = 0;
        let mut code = status::END_OF_FILE;
        for record in order {
            let bytes = record.encode();
            if records.len() + bytes.len() > request.buffer_size as usize {
                if records.is_empty() {
                    needed = u32::try_from(bytes.len()).unwrap();
                    code = status::BUFFER_TOO_SMALL;
                }
                break;
            }
            records.extend(bytes);
            self.at += 1;
            code = status::SUCCESS;
        }
        ReadEventLogReply {
            records,
            needed,
            code,
        }
    }

    fn read(&mut self, bounds: Bounds) -> Result<(Vec<u32>, Ended), ReadingError> {
        let count = u32::try_from(self.records.len()).unwrap();
        let mut reading = LogReading::new(LOG, 1, count, bounds);
        let mut numbers = Vec::new();
        loop {
            let reply = self.answer(reading.next_request());
            let again = ReadEventLogReply::decode(&reply.encode()).unwrap();
            assert_eq!(again, reply);
            let step = reading.on_reply(&reply)?;
            numbers.extend(step.records.iter().map(|record| record.number));
            if let Some(ended) = step.ended {
                return Ok((numbers, ended));
            }
        }
    }
}

#[test]
fn a_short_log_is_read_to_its_start() {
    for from_start in [false, true] {
        let mut log = Log::of(60);
        log.from_start = from_start;
        let (numbers, ended) = log.read(BOUNDS).unwrap();
        assert_eq!(numbers, (1..=60).rev().collect::<Vec<_>>(), "{from_start}");
        assert_eq!(ended, Ended::Start);
    }
}

#[test]
fn a_long_log_costs_no_more_than_the_bounds() {
    for from_start in [false, true] {
        let mut log = Log::of(20_000);
        log.from_start = from_start;
        let (numbers, ended) = log.read(BOUNDS).unwrap();
        assert_eq!(
            (numbers.len(), numbers[0], ended),
            (100, 20_000, Ended::Bound)
        );
        assert!(log.calls <= 6, "{}", log.calls);

        let mut log = Log::of(20_000);
        let few = Bounds { calls: 1, ..BOUNDS };
        assert_eq!(log.read(few).unwrap().1, Ended::Bound);
        assert_eq!(log.calls, 1);

        let mut log = Log::of(20_000);
        let small = Bounds {
            bytes: 5000,
            records: u32::MAX,
            ..BOUNDS
        };
        assert_eq!(log.read(small).unwrap().1, Ended::Bound);
        assert_eq!(log.calls, 2);
    }
}

#[test]
fn what_is_too_old_ends_the_reading() {
    let mut log = Log::of(60);
    let recent = Bounds {
        since: 1_700_000_051,
        ..BOUNDS
    };
    let (numbers, ended) = log.read(recent).unwrap();
    assert_eq!(
        (numbers, ended),
        ((51..=60).rev().collect::<Vec<_>>(), Ended::Old)
    );
}

#[test]
fn a_log_that_was_cleared_meanwhile_has_no_records() {
    let mut log = Log::of(0);
    let mut reading = LogReading::new(LOG, 1, 5, BOUNDS);
    let step = reading.on_reply(&log.answer(reading.next_request()));
    // It is asked by number once, in case it only does not go back by itself.
    assert_eq!(step.unwrap().ended, None);
    assert_eq!(reading.next_request().flags, flags::SEEK | flags::BACKWARDS);
    let step = reading
        .on_reply(&log.answer(reading.next_request()))
        .unwrap();
    assert_eq!((step.records.len(), step.ended), (0, Some(Ended::Start)));
}

#[test]
fn a_log_that_begins_before_its_oldest_record_is_read_all_the_same() {
    let mut log = Log::of(60);
    let mut reading = LogReading::new(LOG, 1, 60, BOUNDS);
    let nothing = ReadEventLogReply {
        records: Vec::new(),
        needed: 0,
        code: status::SUCCESS,
    };
    assert_eq!(reading.on_reply(&nothing).unwrap().ended, None);
    let step = reading
        .on_reply(&log.answer(reading.next_request()))
        .unwrap();
    assert_eq!(step.records[0].number, 60);
}

#[test]
fn a_record_larger_than_the_buffer_is_asked_for_again_once() {
    let mut log = Log::of(3);
    log.records[2].strings = vec!["x".repeat(4000)];
    let (numbers, _) = log.read(BOUNDS).unwrap();
    // Too small, then the large one alone, then the others.
    assert_eq!((numbers, log.calls), (vec![3, 2, 1], 3));

    let mut reading = LogReading::new(LOG, 1, 3, BOUNDS);
    let huge = ReadEventLogReply {
        records: Vec::new(),
        needed: u32::MAX,
        code: status::BUFFER_TOO_SMALL,
    };
    assert_eq!(reading.on_reply(&huge).unwrap().ended, Some(Ended::Bound));
}

#[test]
fn a_log_that_goes_round_in_circles_is_an_error() {
    let mut reading = LogReading::new(LOG, 1, 5, BOUNDS);
    let reply = ReadEventLogReply {
        records: record(5).encode(),
        needed: 0,
        code: status::SUCCESS,
    };
    assert_eq!(reading.on_reply(&reply).unwrap().ended, None);
    assert_eq!(
        reading.on_reply(&reply),
        Err(ReadingError::Disorder { before: 5, got: 5 })
    );
    let refused = ReadEventLogReply {
        code: status::ACCESS_DENIED,
        ..reply
    };
    assert_eq!(
        reading.on_reply(&refused),
        Err(ReadingError::Refused(status::ACCESS_DENIED))
    );
}

#[test]
fn a_record_is_laid_out_as_the_standard_says() {
    let bytes = record(1).encode();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0) as usize, bytes.len());
    assert_eq!(bytes.len() % 4, 0);
    assert_eq!(&bytes[4..8], b"LfLe");
    assert_eq!((word(20), record(1).code()), (0xc000_1b7a, 7034));
    assert_eq!(&bytes[24..28], [1, 0, 2, 0], "kind and number of strings");
    let source = utf16("Service Control Manager");
    assert_eq!(&bytes[56..56 + source.len()], source);
    let strings = utf16("Print Spooler");
    let at = word(36) as usize;
    assert_eq!(&bytes[at..at + strings.len()], strings);
    assert_eq!(word(bytes.len() - 4) as usize, bytes.len());
}

#[test]
fn lengths_that_lie_are_named() {
    let good = record(1).encode();
    let with = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        EventRecord::decode_all(&bytes)
    };
    assert!(matches!(with(0, 0), Err(WireError::BadValue { .. })));
    assert!(matches!(with(0, 60), Err(WireError::BadValue { .. })));
    assert!(matches!(
        with(0, u32::MAX),
        Err(WireError::Truncated { .. })
    ));
    assert!(matches!(with(4, 0), Err(WireError::BadValue { .. })));
    assert!(matches!(
        with(good.len() - 4, 8),
        Err(WireError::BadValue { .. })
    ));
    for at in [0, 55, u32::MAX, u32::try_from(good.len()).unwrap()] {
        assert!(
            matches!(with(36, at), Err(WireError::BadOffset { .. })),
            "{at}"
        );
    }
    // A thousand strings where there are two.
    assert!(matches!(
        with(24, 1000 << 16),
        Err(WireError::Unterminated { .. })
    ));
    for cut in 4..good.len() {
        assert!(EventRecord::decode_all(&good[..cut]).is_err(), "{cut}");
    }
    assert_eq!(EventRecord::decode_all(&[]), Ok(Vec::new()));
}

#[test]
fn many_and_long_strings_are_cut() {
    let mut long = record(1);
    long.strings = vec!["y".repeat(5000); 3];
    let read = EventRecord::decode_all(&long.encode()).unwrap();
    assert_eq!(read[0].strings, vec!["y".repeat(4096); 3]);
    let mut many = record(1);
    many.strings = (0..200).map(|at| at.to_string()).collect();
    let read = EventRecord::decode_all(&many.encode()).unwrap();
    assert_eq!(read[0].strings.len(), EVENT_STRINGS_MAX);
}

#[test]
fn calls_are_read_as_they_were_written() {
    for log in ["System", "Ä log", ""] {
        let open = OpenEventLog { log: log.into() };
        assert_eq!(OpenEventLog::decode(&open.encode()), Ok(open));
    }
    let read = ReadEventLog {
        log: LOG,
        flags: flags::BACKWARDS | flags::SEEK,
        offset: 12,
        buffer_size: 4096,
    };
    assert_eq!(ReadEventLog::decode(&read.encode()), Ok(read));
    let count = NumberOfRecords { log: LOG };
    assert_eq!(NumberOfRecords::decode(&count.encode()), Ok(count));
    let oldest = OldestRecord { log: LOG };
    assert_eq!(OldestRecord::decode(&oldest.encode()), Ok(oldest));
    let close = CloseEventLog { log: LOG };
    assert_eq!(CloseEventLog::decode(&close.encode()), Ok(close));
    let denied = OpenEventLogReply {
        handle: None,
        code: status::ACCESS_DENIED,
    };
    assert_eq!(OpenEventLogReply::decode(&denied.encode()), Ok(denied));
    let number = NumberReply {
        number: Some(5),
        code: Code(0),
    };
    assert_eq!(NumberReply::decode(&number.encode()), Ok(number));
}

proptest! {
    #[test]
    fn records_are_read_as_they_were_written(
        texts in proptest::collection::vec("[^\u{0}]{0,40}", 0..8),
        source in "[^\u{0}]{0,40}",
        number in any::<u32>(),
        id in any::<u32>(),
    ) {
        let written: Vec<EventRecord> = (0..3).map(|at| EventRecord {
            number: number.wrapping_add(at),
            id,
            source: source.clone(),
            strings: texts.clone(),
            ..record(1)
        }).collect();
        let buffer: Vec<u8> = written.iter().flat_map(EventRecord::encode).collect();
        prop_assert_eq!(EventRecord::decode_all(&buffer), Ok(written));
    }

    #[test]
    fn no_bytes_make_the_decoder_fail_otherwise_than_by_an_error(
        mut bytes in Just(record(1).encode()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(records) = EventRecord::decode_all(&bytes) {
            let length: usize = records.iter().flat_map(|record| &record.strings).map(String::len).sum();
            prop_assert!(length <= bytes.len() * 3, "{}", format!("{records:?}"));
        }
    }
}
