//! What is known of a notice, as pairs of a word and a value, and where one can look further: for mail and chat alike.

use crate::{
    dest::{Context, clean, text},
    template::Link,
};
use svcwatch_core::{
    id::{Name, Subject},
    notice::{Kind, Notice, Severity},
    observe::ServiceDetails,
};

/// Labels that are shown, at most.
const LABELS_MAX: usize = 20;
/// Dependencies that are shown, at most.
const DEPENDENCIES_MAX: usize = 20;

/// What is known, in the order in which people read it.
pub(super) fn facts(notice: &Notice) -> Vec<(String, String)> {
    let shown = |text: Option<&str>| text.map(clean::name);
    let service = notice.subject.service().map(Name::as_str);
    let other = |name: Option<&str>| shown(name.filter(|name| Some(*name) != service));
    let account = match &notice.subject {
        Subject::Account(account) => Some(account.as_str()),
        _ => None,
    };
    let pairs = [
        ("Host", shown(notice.subject.host().map(Name::as_str))),
        ("Group", shown(notice.subject.group().map(Name::as_str))),
        ("Hosts", notice.group.as_deref().map(text::members)),
        ("Site", shown(notice.site.as_deref())),
        ("Service", shown(service)),
        ("Display name", other(notice.display_name.as_deref())),
        ("Friendly name", other(notice.friendly_name.as_deref())),
        ("Account", shown(account)),
        (
            "State",
            notice.state.map(|state| text::state(state).to_owned()),
        ),
        ("Since", notice.since.map(text::moment)),
        (
            "Before",
            notice
                .previous_state
                .map(|state| text::state(state).to_owned()),
        ),
        (
            "Start type",
            notice
                .start_type
                .map(|kind| text::start_type(kind).to_owned()),
        ),
        ("Ended with", text::exit_code(notice)),
        (
            "Depends on",
            notice.details.as_deref().and_then(dependencies),
        ),
        ("At", Some(text::moment(notice.at))),
        (
            "Incident",
            notice
                .incident
                .as_ref()
                .map(|incident| incident.id.to_string()),
        ),
    ];
    let labels = notice
        .labels
        .iter()
        .take(LABELS_MAX)
        .map(|(name, value)| (clean::name(name), clean::name(value)));
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .chain(labels)
        .collect()
}

/// What a service needs; a name that begins with `+` is that of a group (MS-SCMR 2.2.15, lpDependencies).
fn dependencies(details: &ServiceDetails) -> Option<String> {
    let all = details.dependencies.as_deref()?;
    let names: Vec<String> = all
        .iter()
        .take(DEPENDENCIES_MAX)
        .map(|name| match name.strip_prefix('+') {
            Some(group) => format!("the group {}", clean::name(group)),
            None => clean::name(name),
        })
        .collect();
    let more = all.len().saturating_sub(names.len());
    match (names.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(names.join(", ")),
        (false, more) => Some(format!("{} and {more} more", names.join(", "))),
    }
}

/// Where one can look further: the incident first, then the links of the house. Only what a browser or mail program
/// opens is offered.
pub(super) fn links(notice: &Notice, context: &Context, links: &[Link]) -> Vec<(String, String)> {
    let incident = notice
        .incident
        .as_ref()
        .and_then(|incident| context.incident_url(&incident.id))
        .map(|url| ("Look at the incident".to_owned(), url));
    let house = links.iter().filter_map(|link| {
        let url = reqwest::Url::parse(&link.url).ok()?;
        matches!(url.scheme(), "http" | "https" | "mailto")
            .then(|| (clean::name(&link.text), url.to_string()))
    });
    let runbook = context
        .runbook_url(notice)
        .map(|url| ("What to do".to_owned(), url));
    incident.into_iter().chain(runbook).chain(house).collect()
}

/// How bad it is, or that it is over, for colours and signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Over,
    Critical,
    Warning,
    Info,
}

impl Tone {
    /// That of a notice.
    pub(super) const fn of(notice: &Notice) -> Self {
        match (notice.kind, notice.severity) {
            (Kind::Resolved, _) => Self::Over,
            (_, Severity::Critical) => Self::Critical,
            (_, Severity::Warning) => Self::Warning,
            (_, Severity::Info) => Self::Info,
        }
    }

    /// Its colour; each has a contrast of at least 4.5 to white.
    pub(super) const fn colour(self) -> &'static str {
        match self {
            Self::Over => "#15803d",
            Self::Critical => "#b91c1c",
            Self::Warning => "#b45309",
            Self::Info => "#1d4ed8",
        }
    }

    /// Its sign, which is seen before anything is read.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Over => "✅",
            Self::Critical => "🔴",
            Self::Warning => "🟠",
            Self::Info => "🔵",
        }
    }
}
