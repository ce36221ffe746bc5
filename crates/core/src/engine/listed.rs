//! What the list of a host says: which of its services are targets, old and new.

use super::Engine;
use crate::{
    changes::Part,
    effect::{Effect, Step},
    host::{Host, Line, Listed},
    id::Name,
    limits,
    observe::{Asked, HostFault, HostReading, ServiceConfig, ServiceDetails, StartType, State},
    planted::{self, Planted},
    record::Record,
    target::{Sight, Target},
    time::Now,
    view::View,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    sync::Arc,
    vec::Vec,
};

/// Said of a service that was not there before.
const NEW: &str = "it is new: the host did not show it before";

/// A service that an entry of the plan has selected.
pub(super) struct Selected {
    /// Its key name.
    pub(super) service: Name,
    /// Its display name, where it is known.
    pub(super) display_name: Option<Arc<str>>,
    /// The place of the entry.
    pub(super) entry: usize,
    /// How it is started, where that is known.
    pub(super) start_type: Option<StartType>,
}

/// The services of a list that are not watched yet and that an entry of the plan means.
fn select(host: &Host, names: &[Name], reading: &HostReading) -> Vec<Selected> {
    let mut added = Vec::new();
    let room = limits::TARGETS_PER_HOST_MAX.saturating_sub(host.targets.len());
    for (service, line) in names.iter().zip(&reading.services) {
        let start_type = host
            .listed
            .get(service)
            .and_then(|listed| listed.start_type);
        if added.len() < room
            && host.find(service).is_none()
            && let Some(entry) = host
                .plan
                .entry_for(service, Some(&line.display_name), start_type)
        {
            added.push(Selected {
                service: service.clone(),
                display_name: Some(Arc::from(line.display_name.as_str())),
                entry,
                start_type,
            });
        }
    }
    added
}

/// The one copy of a name that many hosts have in their lists.
fn intern(names: &mut BTreeSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let name: Arc<str> = Arc::from(name);
    if names.len() < limits::NAMES_MAX {
        names.insert(Arc::clone(&name));
    }
    name
}

/// The one copy of a configuration that many hosts have.
fn share(
    known: &mut BTreeSet<Arc<ServiceDetails>>,
    config: &ServiceConfig,
) -> Option<Arc<ServiceDetails>> {
    let details = ServiceDetails::of(config)?;
    if let Some(known) = known.get(&details) {
        return Some(Arc::clone(known));
    }
    let details = Arc::new(details);
    if known.len() < limits::DETAILS_MAX {
        known.insert(Arc::clone(&details));
    }
    Some(details)
}

/// Why a service that was not watched is from now on, where that is a change: it was not there, or it started in
/// another way.
fn why_now(before: Option<Listed>, config: &ServiceConfig) -> Option<String> {
    let before = before?;
    // Those of users come with the users.
    if before.new && config.per_user != Some(true) {
        return Some(String::from(NEW));
    }
    let (was, is) = (before.start_type?, config.start_type?);
    (was != is).then(|| format!("start type: now {is}, before {was}; it is watched from now on"))
}

/// Where somebody wrote a display name for a key name, what the service is really called.
fn hint(service: &Name, reading: &HostReading) -> Option<String> {
    let found = reading
        .services
        .iter()
        .find(|listed| Name::new(&listed.display_name) == *service)?;
    Some(format!("{} is called {}", found.display_name, found.name))
}

impl Engine {
    /// What the list and the answers say of each target that is not exactly as before.
    pub(super) fn sights(
        &mut self,
        now: Now,
        name: &Name,
        reading: &HostReading,
        step: &mut Step,
    ) -> Vec<(usize, Sight)> {
        let Some(host) = self.hosts.get(name) else {
            return Vec::new();
        };
        if !host.same_list(&reading.services) {
            self.take_list(now, name, reading, step);
        }
        let Some(host) = self.hosts.get(name) else {
            return Vec::new();
        };
        let mut sights = Vec::new();
        let mut hints = Vec::new();
        let mut seen = alloc::vec![false; host.targets.len()];
        for (line, service) in host.lines.iter().zip(&reading.services) {
            let Some(place) = line.target else { continue };
            // A list that names a service twice is answered by its first line.
            if seen
                .get_mut(place)
                .is_none_or(|seen| core::mem::replace(seen, true))
            {
                continue;
            }
            let quiet = host
                .targets
                .get(place)
                .is_some_and(|target| target.is_quiet(&service.reading));
            if !quiet {
                sights.push((place, Sight::Read(service.reading)));
            }
        }
        let absent = seen.iter().filter(|seen| !**seen).count();
        if absent > 0 {
            for (place, target) in host
                .targets
                .iter()
                .enumerate()
                .filter(|(place, _)| seen.get(*place) == Some(&false))
            {
                match Host::answer(reading, &target.row.service) {
                    Some(Asked::Missing) => {
                        if target.row.state != State::Missing {
                            hints.push((place, hint(&target.row.service, reading)));
                        }
                        sights.push((place, Sight::Missing));
                    }
                    Some(Asked::Hidden) => sights.push((place, Sight::Hidden)),
                    Some(Asked::Read(reading)) => sights.push((place, Sight::Read(*reading))),
                    None => {}
                }
            }
        }
        if let Some(host) = self.hosts.get_mut(name) {
            host.absent = absent;
            for (place, hint) in hints {
                if let Some(target) = host.targets.get_mut(place) {
                    target.hint = hint;
                }
            }
        }
        sights
    }

    /// Takes in a list that is not the one that was read last: finds the targets in it, old and new.
    fn take_list(&mut self, now: Now, name: &Name, reading: &HostReading, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let by_start = host.plan.selects_by_start();
        let names: Vec<Name> = reading
            .services
            .iter()
            .map(|service| Name::new(&service.name))
            .collect();
        host.remember_vanished(&names, reading);
        if by_start {
            host.keep_listed(&names);
        }
        let added = select(host, &names, reading);
        let is_new = host.knows_list();
        let any = !added.is_empty();
        for selected in added {
            let service = selected.service.clone();
            self.watch(now, name, selected, step);
            if is_new {
                self.appeared(now, name, &service, String::from(NEW), step);
            }
        }
        if any {
            self.show_host(name, step);
        }
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        for (service, line) in names.iter().zip(&reading.services) {
            if let Some(target) = host
                .find(service)
                .and_then(|place| host.targets.get_mut(place))
                && target.row.display_name.as_deref() != Some(line.display_name.as_str())
            {
                target.row.display_name = Some(Arc::from(line.display_name.as_str()));
                step.commit.push(Record::Target(target.row.clone()));
            }
        }
        let processes: BTreeMap<&str, u32> = (host.lines.iter())
            .map(|line| (&*line.name, line.process))
            .collect();
        let lines = names
            .iter()
            .zip(&reading.services)
            .map(|(service, line)| Line {
                name: intern(&mut self.names, &line.name),
                target: host.find(service),
                process: processes.get(&*line.name).copied().unwrap_or(0),
            })
            .collect();
        host.lines = lines;
        host.choose_ask();
        host.relink = false;
    }

    /// Watches one more service of a host.
    pub(super) fn watch(
        &mut self,
        now: Now,
        host_name: &Name,
        selected: Selected,
        step: &mut Step,
    ) {
        let Selected {
            service,
            display_name,
            entry,
            start_type,
        } = selected;
        let retired = self
            .retired_targets
            .remove(&(host_name.clone(), service.clone()));
        let seq = if planted::is(Planted::SeqStartsAgain) {
            0
        } else {
            retired.unwrap_or(0)
        };
        let Some(host) = self.hosts.get_mut(host_name) else {
            return;
        };
        let mut target = Target::new(host_name, &service, entry, seq, now);
        target.row.display_name = display_name;
        let by_start = host
            .plan
            .services
            .get(entry)
            .is_some_and(|entry| matches!(entry.selector, crate::plan::Selector::Start(_)));
        if by_start {
            target.row.selected_start = start_type;
        }
        target.row.start_type = start_type;
        step.commit.push(Record::Target(target.row.clone()));
        host.insert(target);
        self.show_service(host_name, &service, step);
    }

    /// Takes in the configuration of services, and watches those that are now known to start as an entry says.
    pub(super) fn config_read(
        &mut self,
        now: Now,
        name: &Name,
        services: Result<Vec<ServiceConfig>, HostFault>,
        step: &mut Step,
    ) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        host.config_asked = None;
        let first = !core::mem::replace(&mut host.configured, true);
        let at = host.checked_at.unwrap_or(now.wall);
        self.first_look.looked(name);
        host.calm = None;
        // What could not be read now is asked for again with the next check.
        match services {
            Ok(services) => {
                self.configured(now, name, &services, step);
                self.remedy_soon(name);
            }
            Err(fault) => self.heed_shutdown(now, name, &fault, step),
        }
        if first {
            // The first reading waited for this, so that it can say how its services are set up.
            step.effects.push(Effect::Show(View::Checked {
                host: name.clone(),
                at,
                read: true,
            }));
        }
    }

    /// Takes in how services are set up, as far as it was read.
    pub(super) fn configured(
        &mut self,
        now: Now,
        name: &Name,
        services: &[ServiceConfig],
        step: &mut Step,
    ) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let mut configured = Vec::new();
        let mut forgotten = Vec::new();
        let mut selected = Vec::new();
        for config in services {
            let service = Name::new(&config.name);
            let mut before = None;
            if let Some(listed) = host.listed.get_mut(&service) {
                before = Some(*listed);
                *listed = Listed {
                    start_type: config.start_type,
                    asked: true,
                    new: false,
                };
            }
            if let Some(target) = host
                .find(&service)
                .and_then(|place| host.targets.get_mut(place))
            {
                let (new, changes) = target.configure(config, share(&mut self.details, config));
                let other = changes.iter().any(|change| change.part == Part::StartType);
                if other && planted::is(Planted::SelectionForgotten) {
                    forgotten.push(service.clone());
                }
                if new {
                    step.commit.push(Record::Target(target.row.clone()));
                    configured.push((service, changes));
                }
            } else if let Some(entry) =
                host.plan
                    .entry_for(&service, config.display_name.as_deref(), config.start_type)
            {
                let one = Selected {
                    service,
                    display_name: config.display_name.as_deref().map(Arc::from),
                    entry,
                    start_type: config.start_type,
                };
                selected.push((one, why_now(before, config)));
            }
        }
        for (service, changes) in configured {
            if !changes.is_empty() {
                self.changed(now, name, &service, &changes, step);
            }
            self.show_service(name, &service, step);
        }
        for service in forgotten {
            self.unwatch(now, name, &service, step);
        }
        if !selected.is_empty() {
            self.watch_selected(now, name, selected, step);
        }
    }

    /// Watches services that an entry selects now, each with why that is only now.
    fn watch_selected(
        &mut self,
        now: Now,
        name: &Name,
        selected: Vec<(Selected, Option<String>)>,
        step: &mut Step,
    ) {
        for (one, why_now) in selected {
            let service = one.service.clone();
            self.watch(now, name, one, step);
            if let Some(sentence) = why_now {
                self.appeared(now, name, &service, sentence, step);
            }
        }
        if let Some(host) = self.hosts.get_mut(name) {
            host.targets_changed();
        }
        self.show_host(name, step);
        // Their states are in the list that was already read; the next check brings them.
        self.schedule.no_later(name, now.tick);
    }

    /// Lets go of targets that are not installed any more and that nobody needs to be told of. They come back with the
    /// list.
    pub(super) fn retire(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get(name).filter(|host| host.absent > 0) else {
            return;
        };
        let gone: Vec<Name> = host
            .targets
            .iter()
            .filter(|target| {
                host.plan
                    .services
                    .get(target.entry)
                    .is_some_and(|entry| target.may_go(entry))
            })
            .map(|target| target.row.service.clone())
            .collect();
        if gone.is_empty() {
            return;
        }
        for service in gone {
            self.unwatch(now, name, &service, step);
        }
        if let Some(host) = self.hosts.get_mut(name) {
            host.targets_changed();
        }
        self.show_host(name, step);
    }
}
