//! Accounts, hosts, services and groups.

use super::{
    A_SECRET, DAY, LABELS, MINUTE, NAME, PATTERN, PATTERNS, SECOND, SEVERITIES, duration,
    duration_or_off, optional, required,
};
use crate::config::shape::{Key, Kind, Shape};
use crate::config::text::Form;

pub(crate) static CREDENTIAL: Shape = Shape {
    name: "credential",
    doc: "An account that hosts are read with.",
    keys: &[&[
        required(
            "user",
            Kind::Text(Form::Line(256)),
            "The user: `DOMAIN\\user`, `user@realm` or `user`.",
        ),
        optional(
            "password",
            A_SECRET,
            "",
            "Its password; read again at each logon. A keytab or a ticket cache stands in its place with Kerberos.",
        ),
        optional(
            "previous",
            A_SECRET,
            "",
            "The password before this one, tried where the new one is refused, while a change reaches every host.",
        ),
        optional(
            "realm",
            NAME,
            "",
            "Its realm of Kerberos, which is the name of its domain, as `CORP.EXAMPLE`.",
        ),
        optional(
            "keytab",
            Kind::Text(Form::Path),
            "",
            "A file of its keys, in place of its password.",
        ),
        optional(
            "ccache",
            Kind::Text(Form::Path),
            "",
            "A ticket cache that `kinit` or the like keeps, in place of its password.",
        ),
        optional(
            "kdc",
            Kind::OneOrMany {
                of: &Kind::Text(Form::Line(256)),
                most: 16,
            },
            "",
            "The domain controllers that give its tickets, with or without a port; those of krb5.conf or of the realm's own name if not set.",
        ),
        optional(
            "hosts",
            PATTERNS,
            "",
            "The hosts that are read with it where they name no account, by name or pattern.",
        ),
        optional(
            "labels",
            Kind::Named {
                names: Form::Name,
                of: &PATTERNS,
                most: 64,
            },
            "",
            "The labels that such a host must have, each with a text or pattern.",
        ),
        optional(
            "acting",
            Kind::Switch,
            "false",
            "Whether it is the account that starts and stops services; it is used for nothing else then, so no host is read with it. `hosts` and `labels` say on which hosts it may act; on all where it names neither.",
        ),
    ]],
    one_of: &[],
};

/// A secret that stands somewhere else.
pub(crate) static SECRET: Shape = Shape {
    name: "secret",
    doc: "Where a secret is read from.",
    keys: &[&[
        optional(
            "file",
            Kind::Text(Form::Path),
            "",
            "A file that only its owner can read; one line end at its end is cut.",
        ),
        optional(
            "env",
            Kind::Text(Form::Variable),
            "",
            "An environment variable.",
        ),
        optional(
            "systemd",
            NAME,
            "",
            "A credential of systemd: a file of that name in $CREDENTIALS_DIRECTORY.",
        ),
        optional(
            "exec",
            Kind::List {
                of: &Kind::Text(Form::Line(4_096)),
                most: 64,
            },
            "",
            "A program with its arguments that prints the secret within 5 s; no shell is asked, and it is run at most once a minute.",
        ),
    ]],
    one_of: &["file", "env", "systemd", "exec"],
};

/// What may stand in `defaults` and on a host alike.
const HOST_SETTINGS: &[Key] = &[
    optional(
        "credentials",
        NAME,
        "",
        "The name of the account it is read with.",
    ),
    optional(
        "port",
        Kind::Whole {
            least: 1,
            most: 65_535,
        },
        "445",
        "The port of SMB.",
    ),
    optional(
        "every",
        Kind::Rhythm {
            least: SECOND,
            most: DAY,
        },
        "30s",
        "When it is read: an interval such as `30s`, or a schedule in UTC such as `every 5 minutes on mon-fri`.",
    ),
    optional(
        "timeout",
        duration(100, 10 * MINUTE),
        "10s",
        "How long one check may take.",
    ),
    optional(
        "host_for",
        duration(0, DAY),
        "90s",
        "How long a fault of the whole host must last before it is told.",
    ),
    optional(
        "settle",
        duration_or_off(0, 5 * MINUTE),
        "3s",
        "How long a notice about its services is held, so that what belongs together is told together. Without it three services that stop at once are no shutdown.",
    ),
    optional(
        "boot_grace",
        duration_or_off(0, DAY),
        "10m",
        "How long notices about its services are held after it was booted; then one tells what did not come back.",
    ),
    optional(
        "transport",
        Kind::Choice(&["auto", "rpc", "local", "wmi"]),
        "auto",
        "How its services are read: over SMB (`rpc`), or by the Windows API as the account that svcwatch runs as (`local`, on Windows alone), or by WMI as that account (`wmi`, on Windows alone), which is slower and for hosts that allow nothing else. `auto` is `local` on Windows for a host without `credentials`, and `rpc` else.",
    ),
    optional(
        "auth",
        Kind::Choice(&["auto", "kerberos", "ntlm"]),
        "auto",
        "By what it is logged on to; with `auto` Kerberos where its name is fully qualified and its account has a realm, keytab or ticket cache.",
    ),
    optional(
        "encryption",
        Kind::Choice(&["required", "preferred", "off"]),
        "required",
        "Whether SMB encryption must be in use. Messages are signed in any case.",
    ),
    optional(
        "also_known_as",
        PATTERNS,
        "",
        "Other computer names that it may give.",
    ),
    optional("labels", LABELS, "", "Labels, for routes and receivers."),
];

/// `defaults`.
pub(crate) static DEFAULTS: Shape = Shape {
    name: "defaults",
    doc: "What holds for every host that does not say otherwise.",
    keys: &[HOST_SETTINGS],
    one_of: &[],
};

pub(crate) static HOST: Shape = Shape {
    name: "host",
    doc: "A host.",
    keys: &[
        &[
            required("name", NAME, "Its identity everywhere."),
            optional(
                "address",
                Kind::Text(Form::Address),
                "",
                "Where it is reached; its name if not set.",
            ),
            optional("site", NAME, "", "The site it stands in, for routes."),
            optional(
                "services",
                SERVICES,
                "",
                "Which of its services are watched.",
            ),
        ],
        HOST_SETTINGS,
    ],
    one_of: &[],
};

const SERVICES: Kind = Kind::List {
    of: &Kind::TextOr(Form::ServiceName, &SERVICE),
    most: 2_000,
};

/// One entry of `services`.
pub(crate) static SERVICE: Shape = Shape {
    name: "service",
    doc: "Which services are watched, and how.",
    keys: &[&[
        optional(
            "name",
            Kind::Text(Form::ServiceName),
            "",
            "The key name, or a pattern for key names.",
        ),
        optional(
            "display_name",
            PATTERN,
            "",
            "The display name, or a pattern for it.",
        ),
        optional(
            "start",
            Kind::Choice(&["automatic", "automatic_delayed", "manual", "disabled"]),
            "",
            "All services that start so.",
        ),
        optional(
            "expect",
            Kind::Choice(&["running", "stopped", "either", "absent"]),
            "running",
            "How it should be; `absent`: not installed at all.",
        ),
        optional(
            "stopped_ok",
            Kind::Choice(&["exit0", "never", "always"]),
            "",
            "Which stops are as good as running: orderly ones with exit code 0 (where `start` selects), none (where a name or display name does), or every one.",
        ),
        optional(
            "presence",
            Kind::Choice(&["required", "optional"]),
            "",
            "Whether it is told when it is not installed; required for exact names on a host and for `start`, else optional.",
        ),
        optional(
            "changes",
            Kind::Choice(&["kept", "told"]),
            "kept",
            "Whether changes of its start type, account, executable, arguments or failure actions, and its coming and going, are told or only kept in history.",
        ),
        optional(
            "for",
            Kind::DurationOr {
                least: 0,
                most: 7 * DAY,
                word: "recovery",
            },
            "recovery",
            "How long it must be otherwise before it is told. With `recovery` it is told at once, unless it has failed and its host starts it again by itself: then it has so long as its failure actions take. In a group with `expect` 2m if not set.",
        ),
        optional(
            "confirm",
            Kind::Whole {
                least: 1,
                most: 100,
            },
            "1",
            "How many readings must agree.",
        ),
        optional(
            "instant",
            Kind::Switch,
            "false",
            "Whether the host is asked to tell of its changes at once, besides being read; it is then told without `settle`.",
        ),
        optional(
            "remedy",
            Kind::Text(Form::Name),
            "",
            "The plan by which it is started again, by its name under `remedy`; `off` where its group names one for all.",
        ),
        optional(
            "friendly_name",
            Kind::Text(Form::Line(256)),
            "",
            "What people call it.",
        ),
        optional(
            "severity",
            Kind::Choice(SEVERITIES),
            "",
            "Instead of the event's own severity.",
        ),
        optional("labels", LABELS, "", "Labels on top of the host's."),
    ]],
    one_of: &["name", "display_name", "start"],
};

/// One group.
pub(crate) static GROUP: Shape = Shape {
    name: "group",
    doc: "The same services on many hosts.",
    keys: &[&[
        required("name", NAME, "Its name."),
        required("hosts", PATTERNS, "The hosts, by name or pattern."),
        required("services", SERVICES, "Which of their services are watched."),
        optional(
            "expect",
            Kind::Map(&GROUP_EXPECT),
            "",
            "On how many of the hosts each of the services should run; the group is then a cluster.",
        ),
        optional(
            "remedy",
            Kind::Text(Form::Name),
            "",
            "The plan by which its services are started again, by its name under `remedy`; not for a cluster.",
        ),
    ]],
    one_of: &[],
};

/// On how many hosts of a group a service should run.
pub(crate) static GROUP_EXPECT: Shape = Shape {
    name: "group_expect",
    doc: "On how many of the hosts of a group each of its services should run.",
    keys: &[&[
        optional("running", MEMBERS, "", "On exactly so many."),
        optional("at_least", MEMBERS, "", "On so many or more."),
    ]],
    one_of: &["running", "at_least"],
};

const MEMBERS: Kind = Kind::Whole {
    least: 1,
    most: 1_000,
};

/// One list of hosts.
pub(crate) static HOSTS_FROM: Shape = Shape {
    name: "host_list",
    doc: "A list of hosts that stands elsewhere.",
    keys: &[&[
        optional(
            "file",
            Kind::Text(Form::Path),
            "",
            "A CSV file, or all files whose name matches a pattern.",
        ),
        optional(
            "http_sd",
            Kind::Text(Form::Url),
            "",
            "The address of a service that answers as Prometheus' HTTP service discovery does.",
        ),
        optional(
            "every",
            duration(SECOND, DAY),
            "1m",
            "How often the service is asked; a file is looked at every two seconds.",
        ),
    ]],
    one_of: &["file", "http_sd"],
};
