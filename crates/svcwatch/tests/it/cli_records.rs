//! Records of real hosts, replayed: what was read from them once is read from them still.

use crate::cli_support::{arg, svcwatch};
use std::{fs, path::Path};

/// Samba, and Wine's service control manager behind Samba. The peers' tests make such records; those here were kept, with
/// what was printed when they were made.
const RECORDS: [&str; 2] = ["samba", "wine"];

#[test]
fn records_of_real_hosts_are_read_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/records");
    for name in RECORDS {
        let file = folder.join(format!("{name}.jsonl"));
        let done = svcwatch(&["services", "--replay", arg(&file), "-o", "json"]);
        assert_eq!(done.code, Some(0), "{name}: {}", done.err);
        let expected = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        assert_eq!(done.out, expected, "{name}");
        assert!(
            done.err
                .contains("this is a record of 127.0.0.1, made by svcwatch 0.1.0"),
            "{}",
            done.err
        );
    }
}

#[test]
fn what_is_no_record_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/records/samba.jsonl");
    let good = fs::read_to_string(good).unwrap();
    for (name, text, said) in [
        ("empty", String::new(), "no record of svcwatch"),
        (
            "foreign",
            "PK\u{3}\u{4}".to_owned(),
            "no record of svcwatch",
        ),
        (
            "newer",
            good.replacen("record\":1", "record\":7", 1),
            "version 7",
        ),
        ("cut", good[..good.len() / 2].to_owned(), "so it was cut"),
        (
            "wrong",
            good.replacen("\"request\":\"z", "\"request\":\"q", 1),
            "line 2 is no line of a record",
        ),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let done = svcwatch(&["services", "--replay", arg(&file)]);
        assert_eq!(done.code, Some(2), "{name}: {}", done.err);
        assert!(
            done.err.contains(said) && done.err.lines().count() == 1,
            "{name}: {}",
            done.err
        );
    }
    // Longer than any record, without taking the room on the disk.
    let huge = folder.path().join("huge");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    for (file, said) in [
        (huge.as_path(), "longer than 64 MiB"),
        (Path::new("/nowhere/at/all"), "No such file"),
    ] {
        let done = svcwatch(&["services", "--replay", arg(file)]);
        assert_eq!(done.code, Some(2), "{}", done.err);
        assert!(done.err.contains(said), "{}", done.err);
    }
}
