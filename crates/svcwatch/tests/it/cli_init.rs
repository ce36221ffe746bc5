//! `svcwatch init` where there is nothing to read.

use crate::cli_support::{arg, command, done, svcwatch};
use std::{fs, net::TcpListener};

/// A port where nobody listens.
fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[test]
fn without_a_host_that_answers_it_says_so_of_each_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("svcwatch.yaml");
    let port = closed();
    let arguments = [
        "init",
        "--host",
        "127.0.0.1",
        "--host",
        "no-such-host.invalid",
        "--port",
        &port,
        "--user",
        "u",
        "--timeout",
        "5",
        "-o",
        arg(&path),
    ];
    let mut command = command(&arguments);
    command.env("SVCWATCH_PASSWORD", "hunter2");
    let done = done(command.spawn().unwrap());
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.err.contains("127.0.0.1 cannot be read (unreachable)"),
        "{done:?}"
    );
    assert!(
        done.err.contains("no-such-host.invalid cannot be read"),
        "{done:?}"
    );
    assert!(
        done.err.contains("nothing is written") && done.out.is_empty(),
        "{done:?}"
    );
    assert!(!path.exists() && !done.err.contains("hunter2"));
}

#[test]
fn what_cannot_be_meant_is_said_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (there, list, none) = (
        folder.path().join("there.yaml"),
        folder.path().join("hosts.csv"),
        folder.path().join("none.csv"),
    );
    fs::write(&there, "precious").unwrap();
    fs::write(&list, "name;site\nsrv01;oslo\n").unwrap();
    for (arguments, said) in [
        (vec!["init"], "--host"),
        (
            vec!["init", "--host", "srv01:445", "--user", "u"],
            "write `address: srv01`",
        ),
        (
            vec!["init", "--host", "srv01", "--user", "u", "-o", arg(&there)],
            "write over it with --force",
        ),
        (
            vec!["init", "--from", arg(&list), "--user", "u"],
            "the columns are separated by semicolons",
        ),
        (
            vec!["init", "--from", arg(&none), "--user", "u"],
            "--from: ",
        ),
        (
            vec!["init", "--host", "srv01", "--user", "u"],
            "there is no password for u",
        ),
        (vec!["init", "--host", "srv01"], "there is no account"),
    ] {
        let done = svcwatch(&arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        assert!(done.err.contains(said), "{arguments:?}: {done:?}");
        assert!(!done.err.contains("hosts_from"), "{arguments:?}: {done:?}");
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
}
