//! What is written and has no effect is told.

use super::*;

#[test]
fn what_is_written_about_acting_and_evidence_to_no_effect_is_one_warning_each() {
    let warnings = |more: &str| -> Vec<String> {
        let config = text(&format!(
            "defaults: {{ credentials: ops }}\n\
             destinations: {{ out: {{ type: log, path: out.log }} }}\n\
             hosts: [{{ name: web-1, labels: {{ team: web }}, services: [W3SVC, {{ name: Spooler, remedy: again }}] }}]\n\
             {more}"
        ));
        let config = config.unwrap_or_else(|errors| panic!("{more}\n{errors}"));
        config.warnings.iter().map(ToString::to_string).collect()
    };
    let accounts = |acting: &str| {
        format!(
            "credentials:\n  ops: {{ user: u, password: {{ env: PATH }} }}\n  hands: {{ user: h, password: {{ env: PATH }}, acting: true }}\n{acting}"
        )
    };
    let plan = "remedy: { again: { attempts: 2 } }\n";
    let good = accounts("") + plan;
    assert_eq!(warnings(&good), [""; 0]);
    let second = "  second: { user: h, password: { env: PATH }, acting: true, ";
    for (config, said) in [
        (
            accounts("") + "remedy: { Again: { attempts: 2 }, other: {} }\n",
            "nothing names the plan `other`",
        ),
        (
            good.clone() + "evidence: { wait: 20s }\n",
            "may wait 20s for what is found out, and that is given up after 10s",
        ),
        (
            good.clone() + "evidence: { wait: 3s, deadline: 2s }\n",
            "given up after 2s",
        ),
        (
            good.clone() + "evidence: { gather: off, event_log: tell, wait: 20s }\n",
            "because `gather` is off",
        ),
        (
            accounts(second) + "hosts: ['sql-*', lab] }\n" + plan,
            "the account `second` may act on no host",
        ),
        (
            accounts(second) + "labels: { team: db } }\n" + plan,
            "the account `second` may act on no host",
        ),
    ] {
        let told = warnings(&config);
        assert!(
            told.len() == 1 && told[0].contains(said),
            "{said} is not in {told:?}"
        );
    }
    // The first of the two acts there, and the other could.
    for config in [
        accounts(second) + "hosts: 'WEB-*' }\n" + plan,
        good.clone() + "evidence: { wait: 10s }\n",
        good.clone() + "evidence: { gather: off }\n",
    ] {
        assert_eq!(warnings(&config), [""; 0], "{config}");
    }
}

#[test]
fn an_account_of_guests_that_reads_hosts_too_is_a_warning() {
    let warnings = |probe: &str| -> Vec<String> {
        let config = text(&format!(
            "credentials:\n  ops: {{ user: u, password: {{ env: PATH }} }}\n  guests: {{ user: g, password: {{ env: PATH }} }}\n\
             defaults: {{ credentials: ops }}\n\
             destinations: {{ out: {{ type: log, path: out.log }} }}\n\
             hosts: [{{ name: web-1, services: [W3SVC] }}]\n\
             probe: {probe}\n"
        ));
        let config = config.unwrap_or_else(|errors| panic!("{probe}\n{errors}"));
        config.warnings.iter().map(ToString::to_string).collect()
    };
    for (probe, module) in [
        ("{ allow: 'srv*' }", "`default`"),
        (
            "{ allow: 'srv*', modules: { default: { credentials: guests }, web: {} } }",
            "`web`",
        ),
        (
            "{ allow: 'srv*', modules: { web: { credentials: guests } } }",
            "`default`",
        ),
    ] {
        let told = warnings(probe);
        assert!(
            told.len() == 1 && told[0].contains(module) && told[0].contains("account of their own"),
            "{probe}: {told:?}"
        );
    }
    for probe in [
        "{ modules: { web: {} } }",
        "{ allow: 'srv*', modules: { default: { credentials: guests } } }",
    ] {
        assert_eq!(warnings(probe), [""; 0], "{probe}");
    }
}
