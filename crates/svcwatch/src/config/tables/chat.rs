//! Chat, New Relic, templates and links.

use super::destinations::{ALL_DESTINATIONS, CA, MAIL};
use super::{A_SECRET, NAME, optional, required};
use crate::config::shape::{Key, Kind, Shape};
use crate::config::text::Form;
use crate::dest::newrelic::ACCOUNTS_MAX;
use crate::template::SOURCE_BYTES_MAX;

/// A path, or a mapping with a file or a text.
const A_TEMPLATE: Kind = Kind::TextOr(Form::Path, &ONE_TEMPLATE);

/// A text, or a mapping with a file or a text.
const A_SUBJECT: Kind = Kind::TextOr(Form::Line(2_000), &ONE_TEMPLATE);

/// The address of a webhook that is a secret as a whole.
const AN_ADDRESS: Kind = Kind::TextOr(Form::SecretUrl, &super::SECRET);

/// `template` of a destination.
pub(super) const TEMPLATE: Key = optional(
    "template",
    Kind::Map(&TEMPLATES),
    "",
    "Templates in place of the built-in messages, each under an event or a kind; that of the event wins.",
);

/// One template.
pub(crate) static ONE_TEMPLATE: Shape = Shape {
    name: "template",
    doc: "A template in the language of Handlebars: a file, or a text of one line.",
    keys: &[&[
        optional("file", Kind::Text(Form::Path), "", "Its file."),
        optional(
            "text",
            Kind::Text(Form::Text(SOURCE_BYTES_MAX)),
            "",
            "Its text.",
        ),
    ]],
    one_of: &["file", "text"],
};

/// The keys of a mapping by event and kind, each with this kind of value.
macro_rules! by_word {
    ($kind:expr) => {
        &[&[
            optional("opened", $kind, "", "When something is wrong."),
            optional("updated", $kind, "", "When it is wrong in another way."),
            optional("reminder", $kind, "", "When it is still wrong."),
            optional("resolved", $kind, "", "When it is over."),
            optional("info", $kind, "", "When something is good to know."),
            optional("summary", $kind, "", "When many things are told at once."),
            optional("stopped", $kind, "", "When a service stopped."),
            optional("started", $kind, "", "When a service runs."),
            optional("paused", $kind, "", "When a service is paused."),
            optional(
                "stuck",
                $kind,
                "",
                "When a service is stuck between two states.",
            ),
            optional("missing", $kind, "", "When a service is not installed."),
            optional("restarted", $kind, "", "When a service was started again."),
            optional("moved", $kind, "", "When a service moved to another host."),
            optional(
                "changed",
                $kind,
                "",
                "When a service is set up in another way, is new or gone, or is installed and should not be.",
            ),
            optional(
                "hidden",
                $kind,
                "",
                "When a service or host is not visible any more.",
            ),
            optional(
                "unwatched",
                $kind,
                "",
                "When a service is not watched any more.",
            ),
            optional(
                "destination_failing",
                $kind,
                "",
                "When a destination takes nothing.",
            ),
            optional(
                "host_unreachable",
                $kind,
                "",
                "When a host cannot be reached.",
            ),
            optional(
                "host_recovered",
                $kind,
                "",
                "When a host can be read again.",
            ),
            optional(
                "access_denied",
                $kind,
                "",
                "When a host does not let us read.",
            ),
            optional("logon_refused", $kind, "", "When a host refuses the logon."),
            optional(
                "account_paused",
                $kind,
                "",
                "When an account is not used any more.",
            ),
            optional("wrong_host", $kind, "", "When another computer answers."),
            optional(
                "after_boot",
                $kind,
                "",
                "When hosts were booted and services did not come back.",
            ),
            optional(
                "protocol_error",
                $kind,
                "",
                "When a host answers what makes no sense.",
            ),
            optional(
                "remedy_budget_used",
                $kind,
                "",
                "When a service is not started again because what may be tried was tried.",
            ),
            optional(
                "test",
                $kind,
                "",
                "When somebody tries whether messages arrive.",
            ),
        ]]
    };
}

/// Templates by event and kind.
pub(crate) static TEMPLATES: Shape = Shape {
    name: "templates",
    doc: "Templates by event and kind. A bare text is the path of a file.",
    keys: by_word!(A_TEMPLATE),
    one_of: &[],
};

/// Subjects by event and kind.
pub(crate) static SUBJECTS: Shape = Shape {
    name: "subjects",
    doc: "Templates of subjects by event and kind. A bare text is the template itself.",
    keys: by_word!(A_SUBJECT),
    one_of: &[],
};

const CHANNEL: Key = optional(
    "channel",
    Kind::Text(Form::Line(256)),
    "",
    "The channel, where the incoming webhook lets one choose.",
);

const USERNAME: Key = optional(
    "username",
    Kind::Text(Form::Line(256)),
    "",
    "The name that messages are shown under, where the incoming webhook lets one choose.",
);

const ICON_EMOJI: Key = optional(
    "icon_emoji",
    Kind::Text(Form::Line(256)),
    "",
    "The sign beside the name, as `:ghost:`.",
);

/// A destination of type `slack`.
pub(crate) static SLACK: Shape = Shape {
    name: "slack_destination",
    doc: "A message a notice through an incoming webhook of Slack.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            CA,
            TEMPLATE,
            required("url", AN_ADDRESS, "The address of the incoming webhook."),
            CHANNEL,
            USERNAME,
            ICON_EMOJI,
            optional(
                "format",
                Kind::Choice(&["blocks", "text"]),
                "blocks",
                "What a message looks like.",
            ),
            optional(
                "resolved",
                Kind::Map(&RESOLVED_CHAT),
                "",
                "What is other in messages that something is over.",
            ),
        ],
    ],
    one_of: &[],
};

/// `resolved` of a `slack` destination.
pub(crate) static RESOLVED_CHAT: Shape = Shape {
    name: "slack_resolved",
    doc: "What is other in messages that something is over; what is not written is as in all others.",
    keys: &[&[
        optional(
            "url",
            AN_ADDRESS,
            "",
            "The address of the incoming webhook.",
        ),
        CHANNEL,
        USERNAME,
        ICON_EMOJI,
        optional(
            "format",
            Kind::Choice(&["blocks", "text"]),
            "",
            "What a message looks like.",
        ),
    ]],
    one_of: &[],
};

/// A destination of type `teams`.
pub(crate) static TEAMS: Shape = Shape {
    name: "teams_destination",
    doc: "A message a notice through a workflow of Microsoft Teams.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            CA,
            TEMPLATE,
            required("url", AN_ADDRESS, "The address of the workflow."),
            optional(
                "format",
                Kind::Choice(&["card", "text"]),
                "card",
                "What a message looks like: an Adaptive Card, or a plain card with a title and a text.",
            ),
            optional(
                "resolved",
                Kind::Map(&RESOLVED_CARD),
                "",
                "What is other in messages that something is over.",
            ),
        ],
    ],
    one_of: &[],
};

/// `resolved` of a `teams` destination.
pub(crate) static RESOLVED_CARD: Shape = Shape {
    name: "teams_resolved",
    doc: "What is other in messages that something is over; what is not written is as in all others.",
    keys: &[&[
        optional("url", AN_ADDRESS, "", "The address of the workflow."),
        optional(
            "format",
            Kind::Choice(&["card", "text"]),
            "",
            "What a message looks like.",
        ),
    ]],
    one_of: &[],
};

/// `resolved` of an `email` destination.
pub(crate) static RESOLVED_MAIL: Shape = Shape {
    name: "email_resolved",
    doc: "What is other in mails that something is over; what is not written is as in all others.",
    keys: &[&[
        optional("from", MAIL, "", "The sender."),
        optional(
            "priority",
            Kind::Choice(&["low", "normal", "high"]),
            "",
            "The priority that mail programs show.",
        ),
        optional(
            "subject",
            A_SUBJECT,
            "",
            "A template in place of the subject.",
        ),
    ]],
    one_of: &[],
};

const ATTRIBUTE: Kind = Kind::Text(Form::Line(4_000));

const ATTRIBUTES: Kind = Kind::Named {
    names: Form::Line(255),
    of: &ATTRIBUTE,
    most: 100,
};

/// A destination of type `newrelic`.
pub(crate) static NEWRELIC: Shape = Shape {
    name: "newrelic_destination",
    doc: "An event and a log entry a notice for each account of New Relic.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            CA,
            TEMPLATE,
            optional(
                "event_url",
                Kind::Text(Form::SecretUrl),
                "https://insights-collector.newrelic.com",
                "The base of the Event API; in Europe https://insights-collector.eu01.nr-data.net.",
            ),
            optional(
                "log_url",
                Kind::Text(Form::SecretUrl),
                "https://log-api.newrelic.com/log/v1",
                "The Log API; in Europe https://log-api.eu.newrelic.com/log/v1.",
            ),
            required(
                "accounts",
                Kind::List {
                    of: &Kind::Map(&ACCOUNT),
                    most: ACCOUNTS_MAX,
                },
                "The accounts; each gets an event and a log entry of its own.",
            ),
            optional("events", Kind::Switch, "true", "Whether events are sent."),
            optional(
                "logs",
                Kind::Switch,
                "true",
                "Whether log entries are sent.",
            ),
            optional(
                "headers",
                Kind::Named {
                    names: Form::Header,
                    of: &A_SECRET,
                    most: 31,
                },
                "",
                "Further headers.",
            ),
            optional(
                "attributes",
                ATTRIBUTES,
                "",
                "Attributes of events and log entries.",
            ),
            optional(
                "event_attributes",
                ATTRIBUTES,
                "",
                "Attributes of events alone.",
            ),
            optional(
                "log_attributes",
                ATTRIBUTES,
                "",
                "Attributes of log entries alone.",
            ),
            optional(
                "dynamic",
                Kind::OneOrMany {
                    of: &Kind::Choice(&["host", "name", "display_name", "state"]),
                    most: 4,
                },
                "",
                "Which values of the notice are sent as attributes; all if not set.",
            ),
        ],
    ],
    one_of: &[],
};

/// One of `accounts`.
pub(crate) static ACCOUNT: Shape = Shape {
    name: "newrelic_account",
    doc: "An account of New Relic.",
    keys: &[&[
        required("name", NAME, "What it is called here."),
        required(
            "id",
            Kind::Whole {
                least: 0,
                most: i64::MAX,
            },
            "Its number there.",
        ),
        required("key", A_SECRET, "Its key for inserting."),
    ]],
    one_of: &[],
};

/// One of `links`.
pub(crate) static LINK: Shape = Shape {
    name: "link",
    doc: "A link that messages and templates offer.",
    keys: &[&[
        required(
            "id",
            Kind::Text(Form::Line(256)),
            "What templates tell it by.",
        ),
        required("text", Kind::Text(Form::Line(256)), "What is shown."),
        optional(
            "comment",
            Kind::Text(Form::Line(1_000)),
            "",
            "A remark on it.",
        ),
        required("url", Kind::Text(Form::Link), "Where it leads."),
    ]],
    one_of: &[],
};

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::notice::{Kind as NoticeKind, ToldEvent};

    #[test]
    fn every_event_and_kind_may_have_a_template_and_a_subject() {
        let events = ToldEvent::ALL.iter().map(|event| event.as_str());
        let kinds = NoticeKind::ALL.iter().map(|kind| kind.as_str());
        let mut words: Vec<&str> = events.chain(kinds).collect();
        words.sort_unstable();
        for shape in [&TEMPLATES, &SUBJECTS] {
            let mut keys: Vec<&str> = shape.all().map(|key| key.name).collect();
            keys.sort_unstable();
            assert_eq!(keys, words);
        }
    }
}
