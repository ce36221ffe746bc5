//! The bodies on the three topics, in the order in which Butler writes their fields: the stopped topic has the
//! friendly name before the display name, the others after it.

use super::Which;
use crate::{
    dest::{Context, text},
    feed::{Reading, words},
};
use serde::Serialize;
use svcwatch_core::{
    id::Name,
    notice::{Kind, Notice},
    observe::ServiceDetails,
};

/// Items that the text of a summary names, at most.
const ITEMS_MAX: usize = 10;

/// What is the same on all topics, before the names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    service_host: Option<&'a str>,
    service_name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Names<'a> {
    #[serde(rename_all = "camelCase")]
    FriendlyFirst {
        service_friendly_name: Option<&'a str>,
        service_display_name: Option<&'a str>,
    },
    #[serde(rename_all = "camelCase")]
    DisplayFirst {
        service_display_name: Option<&'a str>,
        service_friendly_name: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct Setup<'a> {
    #[serde(rename = "serviceDependencies")]
    dependencies: Vec<&'a str>,
    #[serde(rename = "serviceStartType")]
    start_type: Option<&'static str>,
    #[serde(rename = "serviceExePath")]
    exe_path: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    service_prev_status: String,
    service_status_changed: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    target: Target<'a>,
    #[serde(flatten)]
    names: Names<'a>,
    #[serde(flatten)]
    setup: Setup<'a>,
    #[serde(rename = "serviceStatus")]
    status: String,
    #[serde(flatten)]
    change: Option<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Body<'_> {
    fn to_json(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self)
            .map_err(|error| format!("the body cannot be written as JSON: {error}"))
    }
}

impl<'a> Setup<'a> {
    fn new(start_type: Option<&'static str>, details: Option<&'a ServiceDetails>) -> Self {
        let needs = details.and_then(|details| details.dependencies.as_deref());
        let mut dependencies: Vec<&str> = needs
            .unwrap_or_default()
            .iter()
            .map(AsRef::as_ref)
            .collect();
        // Butler's word for a service that needs nothing; where it is not known, the list is empty.
        if needs.is_some_and(<[_]>::is_empty) {
            dependencies.push("");
        }
        Self {
            dependencies,
            start_type,
            exe_path: details.and_then(|details| details.binary_path.as_deref()),
        }
    }
}

/// The body of a notice.
pub(super) fn of_notice(
    which: Which,
    notice: &Notice,
    context: &Context,
) -> Result<Vec<u8>, String> {
    let (display, friendly) = (
        notice.display_name.as_deref(),
        notice.friendly_name.as_deref(),
    );
    let of_service = notice.subject.service().is_some();
    Body {
        target: Target {
            service_host: notice
                .subject
                .host()
                .or(notice.subject.group())
                .map(Name::as_str),
            service_name: notice.subject.service().map(Name::as_str),
        },
        names: match which {
            Which::Stopped => Names::FriendlyFirst {
                service_friendly_name: friendly,
                service_display_name: display,
            },
            Which::Running | Which::Status => Names::DisplayFirst {
                service_display_name: display,
                service_friendly_name: friendly,
            },
        },
        setup: Setup::new(
            notice.start_type.map(words::start_type),
            notice.details.as_deref(),
        ),
        status: words::told(notice),
        change: of_service.then(|| Change {
            service_prev_status: words::previous(notice.previous_state),
            service_status_changed: notice.kind != Kind::Reminder,
        }),
        text: (!of_service).then(|| {
            let link = notice
                .incident
                .as_ref()
                .and_then(|incident| context.incident_url(&incident.id));
            let mut short = notice.clone();
            short.items.truncate(ITEMS_MAX);
            text::sentences(&short, link.as_deref())
        }),
    }
    .to_json()
}

/// The body of a reading.
pub(super) fn of_reading(reading: &Reading) -> Result<Vec<u8>, String> {
    Body {
        target: Target {
            service_host: Some(reading.host.as_str()),
            service_name: Some(reading.service.as_str()),
        },
        names: Names::DisplayFirst {
            service_display_name: reading.display_name.as_deref(),
            service_friendly_name: reading.friendly_name.as_deref(),
        },
        setup: Setup::new(
            reading.start_type.map(words::start_type),
            reading.details.as_deref(),
        ),
        status: words::status(reading.state),
        change: None,
        text: None,
    }
    .to_json()
}
