//! What is shown of hosts and services.

use super::Engine;
use crate::{
    effect::{Effect, Step},
    glob::Glob,
    host::Host,
    id::{Name, Subject},
    limits,
    notice::Why,
    plan::{Labels, Matcher},
    target::Target,
    view::{HostView, ServiceView, View},
};
use alloc::{string::String, sync::Arc, vec::Vec};

impl Engine {
    /// Shows a host with all its services: their state is shown by the fault of their host.
    pub(super) fn show_host(&self, name: &Name, step: &mut Step) {
        if !self.unshown.contains(name)
            && let Some(host) = self.hosts.get(name)
        {
            step.effects.push(Effect::Show(View::Host(host_view(host))));
        }
    }

    /// Shows a service, and its host's count of watched services with it where that changed.
    pub(super) fn show_service(&self, host_name: &Name, service: &Name, step: &mut Step) {
        let Some(host) = self
            .hosts
            .get(host_name)
            .filter(|_| !self.unshown.contains(host_name))
        else {
            return;
        };
        let Some(target) = host.find(service).and_then(|place| host.targets.get(place)) else {
            return;
        };
        if let Some(view) = self.service_view(host, target) {
            step.effects.push(Effect::Show(View::Service(view)));
        }
    }

    /// Shows some of the hosts of which nothing was shown yet. At a start there may be millions of services: nothing
    /// waits for all of them to be shown.
    pub(super) fn show_more(&mut self, step: &mut Step) {
        let mut services = 0_usize;
        while services < limits::SHOWN_AT_ONCE {
            let Some(name) = self.unshown.pop_first() else {
                break;
            };
            let Some(host) = self.hosts.get(&name) else {
                continue;
            };
            services = services.saturating_add(host.targets.len());
            step.effects.push(Effect::Show(View::Host(host_view(host))));
            let views = host
                .targets
                .iter()
                .filter_map(|target| self.service_view(host, target));
            step.effects
                .extend(views.map(View::Service).map(Effect::Show));
        }
        if self.unshown.is_empty() && !core::mem::replace(&mut self.complete, true) {
            step.effects.push(Effect::Show(View::Complete));
        }
    }

    fn service_view(&self, host: &Host, target: &Target) -> Option<ServiceView> {
        let entry = host.plan.services.get(target.entry)?;
        let row = &target.row;
        let subject = Subject::Service {
            host: row.host.clone(),
            service: row.service.clone(),
        };
        let group = if entry.counted {
            self.group_of(&row.host, &row.service)
        } else {
            None
        };
        let muted = target
            .muted(entry)
            .or_else(|| self.mute_of(&subject))
            .or_else(|| {
                let fault = host.row.fault?;
                Some(if fault == crate::observe::Fault::AccountPaused {
                    Why::AccountPaused
                } else {
                    Why::HostFault
                })
            });
        Some(ServiceView {
            host: host.plan.name.clone(),
            service: row.service.clone(),
            display_name: row.display_name.clone(),
            friendly_name: entry.friendly_name.clone(),
            state: row.state,
            since: row.since,
            expected: entry.expect,
            as_expected: target.as_expected(entry)
                && group.is_none_or(|group| group.is_right_with(row.state)),
            group: group.map(|group| Arc::clone(&group.plan)),
            start_type: row.start_type,
            trigger_start: row.trigger_start,
            details: row.details.clone(),
            pid: row.pid,
            exit_code: row.exit_code,
            incident: self
                .incidents
                .of(&subject)
                .or_else(|| self.incidents.of(&group?.subject()))
                .map(|incident| incident.row.id.clone()),
            muted,
            labels: labels_of(&host.plan.labels, &entry.labels),
        })
    }
}

/// Whether a matcher may mean something of this host.
pub(super) fn host_means(matcher: &Matcher, host: &Host) -> bool {
    let any = |globs: &[Glob], text: Option<&str>| {
        globs.is_empty() || text.is_some_and(|text| globs.iter().any(|glob| glob.matches(text)))
    };
    any(&matcher.host, Some(host.plan.name.as_str()))
        && any(&matcher.site, host.plan.site.as_deref())
}

fn host_view(host: &Host) -> HostView {
    let row = &host.row;
    HostView {
        name: host.plan.name.clone(),
        address: host.plan.address.clone(),
        site: host.plan.site.clone(),
        fault: row.fault,
        cause: row.cause.clone(),
        since: (row.visible.is_some() || row.fault.is_some()).then_some(row.since),
        checked_at: host.checked_at,
        visible: row.visible,
        watched: u32::try_from(host.targets.len()).unwrap_or(u32::MAX),
        labels: Arc::clone(&host.plan.labels),
    }
}

/// The labels of a host with those of a service on top, sorted by name.
pub(super) fn labels_of(host: &Labels, service: &Labels) -> Labels {
    if service.is_empty() {
        return Arc::clone(host);
    }
    let mut all: Vec<(String, String)> = host
        .iter()
        .filter(|(name, _)| !service.iter().any(|(known, _)| known == name))
        .cloned()
        .collect();
    all.extend(service.iter().cloned());
    all.sort();
    Arc::from(all)
}
