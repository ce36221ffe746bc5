//! Third stage: to which destinations?

use crate::{
    glob::Glob,
    id::Name,
    notice::{Kind, Notice},
    plan::{Matcher, Plan, RoutePlan},
    silence::About,
    time::Span,
};
use alloc::vec::Vec;

/// Where a notice goes, each destination once, with the interval of its reminders. A destination that the plan does not
/// have takes nothing, whatever route leads there.
pub fn destinations(plan: &Plan, notice: &Notice) -> Vec<(Name, Option<Span>)> {
    destinations_of_any(plan, notice.kind, &[About::of(notice)])
}

/// The same for a notice of this kind that is about several things at once: it goes where any of them would.
pub fn destinations_of_any(
    plan: &Plan,
    kind: Kind,
    abouts: &[About<'_>],
) -> Vec<(Name, Option<Span>)> {
    let mut found: Vec<(Name, Option<Span>)> = Vec::new();
    if plan.routes.is_empty() {
        return plan
            .destinations
            .iter()
            .map(|one| (one.name.clone(), plan.notices.reminder))
            .collect();
    }
    for route in &plan.routes {
        let matcher = &route.matcher;
        let any = abouts.iter().any(|about| means(matcher, about));
        if !(any && member(&matcher.kind, &kind)) {
            continue;
        }
        let reminder = route.reminder.unwrap_or(plan.notices.reminder);
        for name in &route.to {
            let planned = plan.destinations.iter().any(|one| one.name == *name);
            if planned && !found.iter().any(|(known, _)| known == name) {
                found.push((name.clone(), reminder));
            }
        }
        if !route.go_on {
            break;
        }
    }
    found
}

/// Whether a destination that was told of an opening is to be told of the end too: unless every route to it names the
/// kinds of notice that it wants, and this is none of them.
pub fn wants(plan: &Plan, destination: &Name, kind: Kind) -> bool {
    let leads_there = |route: &&RoutePlan| route.to.contains(destination);
    let mut routes = plan.routes.iter().filter(leads_there).peekable();
    routes.peek().is_none()
        || routes.any(|route| route.matcher.kind.is_empty() || route.matcher.kind.contains(&kind))
}

/// Whether a matcher means this, whatever the kind of notice.
pub fn means(matcher: &Matcher, about: &About<'_>) -> bool {
    any(&matcher.host, about.host.map(Name::as_str))
        && any(&matcher.site, about.site)
        && any(&matcher.service, about.service.map(Name::as_str))
        && member(&matcher.severity, &about.severity)
        && member(&matcher.event, &about.event)
        && matcher.labels.iter().all(|(name, wanted)| {
            let value = about
                .labels
                .iter()
                .flat_map(|labels| labels.iter())
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str());
            any(wanted, value)
        })
}

/// An empty list matches everything; a list matches a text that one of its patterns matches.
fn any(patterns: &[Glob], text: Option<&str>) -> bool {
    patterns.is_empty()
        || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text)))
}

/// An empty list has every member.
fn member<T: PartialEq>(list: &[T], value: &T) -> bool {
    list.is_empty() || list.contains(value)
}
