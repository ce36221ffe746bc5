//! Why something is told of a service of a group, or not.

use super::{Engine, LaneExplained, grouped};
use crate::{
    group::Group,
    id::{IncidentId, Name},
    notice::{GroupSeen, Severity, ToldEvent, Why},
    policy::quorum::Count,
    time::{Now, Span, Wall},
};
use alloc::{string::String, vec::Vec};

/// What applies to a service of a group, and why it is told or not.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupExplained {
    /// The service, by its key name.
    pub service: Name,
    /// The group with its hosts, as it is seen.
    pub seen: GroupSeen,
    /// Of how many hosts it cannot be seen whether the service runs.
    pub unknown: u32,
    /// How it stands.
    pub count: Count,
    /// How long it must run on too few or too many.
    pub for_span: Span,
    /// Since when it does.
    pub wrong_since: Option<Wall>,
    /// The hosts on which it ran when it was last as expected.
    pub ran_on: Option<Vec<Name>>,
    /// Its severity, where it is set.
    pub severity: Option<Severity>,
    /// Its open incident.
    pub incident: Option<IncidentId>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Why it is not told.
    pub muted: Option<Why>,
    /// The silence or maintenance window that covers it first of all, in words, with its end.
    pub muted_by: Option<(String, Wall)>,
    /// Where it would be told, with the state of each lane.
    pub lanes: Vec<LaneExplained>,
}

impl Engine {
    /// Explains the services that are counted over a group, or one of them; empty where there is no such group.
    pub fn explain_groups(
        &self,
        now: Now,
        group: &Name,
        service: Option<&Name>,
    ) -> Vec<GroupExplained> {
        self.groups
            .named(group)
            .filter(|one| service.is_none_or(|service| one.plan.service == *service))
            .map(|one| self.explain_group(now, one))
            .collect()
    }

    pub(super) fn explain_group(&self, now: Now, group: &Group) -> GroupExplained {
        let subject = group.subject();
        let incident = self.incidents.of(&subject).map(|one| &one.row);
        let severity = group.plan.severity.unwrap_or(Severity::Critical);
        GroupExplained {
            service: group.plan.service.clone(),
            seen: grouped::seen(group),
            unknown: group.counts().1,
            count: group.judge(),
            for_span: group.plan.for_span,
            wrong_since: group.row.wrong_since,
            ran_on: group.row.ran_on.clone(),
            severity: group.plan.severity,
            incident: incident.map(|incident| incident.id.clone()),
            acknowledged_by: incident
                .and_then(|incident| incident.acknowledged.as_ref())
                .map(|note| note.by.clone()),
            muted: self.mute_of(&subject),
            muted_by: self.mute_for(&subject).map(|mute| self.mute_in_words(mute)),
            lanes: self.explain_lanes(now, &subject, (ToldEvent::Stopped, severity)),
        }
    }
}
