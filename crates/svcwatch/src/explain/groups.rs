//! Why a service of a group is told or not, in sentences.

use super::{Lines, reason};
use crate::dest::text;
use svcwatch_core::{engine::GroupExplained, policy::quorum::Count};

impl Lines {
    /// A service that a group counts.
    pub(super) fn group(&mut self, group: &GroupExplained, named: bool) {
        if named {
            self.add("service", group.service.to_string());
        }
        self.add(
            "group",
            format!(
                "{} counts it: it should run on {} of {} hosts; otherwise for {} before it is told, and a move within that is told as one",
                group.seen.name,
                group.seen.expected.in_words(),
                group.seen.members.len(),
                text::duration(group.for_span),
            ),
        );
        self.standing(group);
        if let Some(severity) = group.severity {
            let said = format!("its notices are {severity}, as the config says");
            self.add("severity", said);
        }
        if let Some(incident) = &group.incident {
            self.add("incident", format!("the incident {incident} is open"));
        }
        if let Some(by) = &group.acknowledged_by {
            let taken = format!("{by} has taken note, so it is not repeated");
            self.add("acknowledged", taken);
        }
        if let Some(why) = group.muted {
            self.add(
                "muted",
                format!(
                    "it is not told: {} ({why}), on each of its hosts",
                    reason(why)
                ),
            );
        }
        if let Some((by, until)) = &group.muted_by {
            self.add(
                "silence",
                format!(
                    "{by}; until {}, and then what is still wrong is told",
                    text::moment(*until)
                ),
            );
        }
        if group.lanes.is_empty() {
            let nowhere = "no route leads anywhere for it, so nobody is told";
            self.add("route", nowhere.to_owned());
        }
        for lane in &group.lanes {
            self.lane(lane);
        }
    }

    /// That a group counts a service of a host.
    pub(super) fn counted(&mut self, group: &GroupExplained) {
        self.add(
            "group",
            format!(
                "{} counts it, so it is not told by itself for being stopped; it should run on {} of the {} hosts of the group",
                group.seen.name,
                group.seen.expected.in_words(),
                group.seen.members.len(),
            ),
        );
        self.standing(group);
        if let Some(incident) = &group.incident {
            self.add(
                "group",
                format!("the incident {incident} of the group is open"),
            );
        }
    }

    /// How a group stands.
    fn standing(&mut self, group: &GroupExplained) {
        self.add(
            "members",
            format!(
                "it is seen running on {}: {}",
                group.seen.running,
                text::members(&group.seen)
            ),
        );
        let stands = match group.count {
            Count::Right => "it runs on as many hosts as it should".to_owned(),
            Count::RightAsSeen => format!(
                "it is seen to run on as many hosts as it should; of {} it is not known, and they are not taken for stopped",
                group.unknown
            ),
            Count::TooFew => "it runs on too few hosts".to_owned(),
            Count::TooMany => "it runs on too many hosts".to_owned(),
            Count::Unclear => format!(
                "it is seen running on too few hosts, but of {} it is not known; they may run it, so nothing is told",
                group.unknown
            ),
        };
        self.add("state", stands);
        if let Some(since) = group.wrong_since {
            self.add(
                "wrong",
                format!("it is not as expected since {}", text::moment(since)),
            );
        }
    }
}
