//! `svcwatch rights`, as people and programs call it.

use crate::cli_support::{command, done, svcwatch};
use std::{io::Write, process::Stdio};

const GROUP: &str = "S-1-5-21-1004336348-1177238915-682003330-1604";
const MANAGER: &str = "D:(A;;CC;;;AU)(A;;CCLCRPWPRC;;;SY)(A;;KA;;;BA)S:(AU;FA;KA;;;WD)";

#[test]
fn the_descriptor_and_its_undo_are_printed_for_programs() {
    let ask = |sddl: &str, more: &[&str]| {
        let called = svcwatch(
            &[
                &[
                    "rights", sddl, "--for", "manager", "--group", GROUP, "-o", "json",
                ],
                more,
            ]
            .concat(),
        );
        assert_eq!((called.code, called.err.as_str()), (Some(0), ""));
        serde_json::from_str::<serde_json::Value>(&called.out).unwrap()
    };
    let given = ask(MANAGER, &[]);
    let new = format!(
        "D:(A;;CC;;;AU)(A;;CCLCRPWPRC;;;SY)(A;;KA;;;BA)(A;;CCLCRPRC;;;{GROUP})S:(AU;FA;KA;;;WD)"
    );
    assert_eq!(
        given,
        serde_json::json!({
            "for": "manager", "group": GROUP, "changed": true, "entry": format!("(A;;CCLCRPRC;;;{GROUP})"),
            "old": MANAGER, "new": new, "undo": MANAGER, "notes": [],
        })
    );
    let again = ask(&new, &[]);
    assert_eq!(
        (&again["changed"], &again["new"]),
        (&false.into(), &new.clone().into())
    );
    let undone = ask(&new, &["--undo"]);
    assert_eq!(
        (&undone["changed"], &undone["new"]),
        (&true.into(), &MANAGER.into())
    );
}

#[test]
fn people_get_the_lines_to_type() {
    let called = svcwatch(&["rights", MANAGER, "--for", "manager", "--group", GROUP]);
    assert_eq!(called.code, Some(0), "{}", called.err);
    assert!(
        called
            .out
            .contains("\nsc.exe sdset scmanager \"D:(A;;CC;;;AU)"),
        "{}",
        called.out
    );
    assert!(
        called.out.contains(&format!(
            "Undo, as it was:\nsc.exe sdset scmanager \"{MANAGER}\""
        )),
        "{}",
        called.out
    );

    // From a pipe, with the empty line that sc.exe prints before it.
    let mut child = command(&["rights", "-", "--group", GROUP])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"\r\nD:(A;;CCLCSWLOCRRC;;;IU)\r\n")
        .unwrap();
    let called = done(child);
    assert_eq!(called.code, Some(0), "{}", called.err);
    assert!(
        called.out.contains(&format!(
            "sc.exe sdset NAME \"D:(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCRC;;;{GROUP})\""
        )),
        "{}",
        called.out
    );
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (arguments, said) in [
        (
            &["D:(A;;QQ;;;SY)", "--group", GROUP][..],
            "`QQ` is no right (character 7)",
        ),
        (
            &["D:(A;;KA;;;BA)", "--group", "S-1-1-0"],
            "more than the members of one group",
        ),
        (&["D:(A;;KA;;;BA)"], "--group"),
        (
            &[
                "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)",
                "--group",
                GROUP,
                "--for",
                "manager",
            ],
            "leave out `--for manager`",
        ),
    ] {
        let called = svcwatch(&[&["rights"], arguments].concat());
        assert_eq!(called.code, Some(2), "{arguments:?}");
        assert!(called.err.contains(said), "{arguments:?}: {}", called.err);
        assert_eq!(called.out, "");
    }
}
