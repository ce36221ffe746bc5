//! All simulated hosts, and what can be done to them.

use super::catalogue::{Place, Role, places, roles};
use super::host::{Condition, Difference, Host};
use std::collections::HashMap;

/// All simulated hosts.
#[derive(Debug)]
pub struct World {
    roles: Vec<Role>,
    hosts: Vec<Host>,
    by_name: HashMap<Box<str>, usize>,
}

/// A service of the fleet, by the numbers of its host and of its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// The number of the host.
    pub host: usize,
    /// The place of the service among those of its host's kind.
    pub service: usize,
}

impl World {
    /// So many hosts, all of them well.
    pub fn new(hosts: usize) -> Self {
        let hosts: Vec<Host> = places(hosts)
            .into_iter()
            .map(|Place { name, role, site }| Host::new(name, role, site))
            .collect();
        let by_name = hosts
            .iter()
            .enumerate()
            .map(|(number, host)| (host.name.clone(), number))
            .collect();
        Self {
            roles: roles(),
            hosts,
            by_name,
        }
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The number of a host, by its name without case.
    pub fn find(&self, host: &str) -> Option<usize> {
        self.by_name.get(host.to_lowercase().as_str()).copied()
    }

    /// A service, by the names of its host and its own.
    pub fn target(&self, host: &str, service: &str) -> Option<Target> {
        let host = self.find(host)?;
        let service = self.role_of(host)?.find(service)?;
        Some(Target { host, service })
    }

    /// The name of a host.
    pub fn host_name(&self, host: usize) -> &str {
        self.hosts.get(host).map_or("", |host| &host.name)
    }

    /// The site of a host.
    pub fn site(&self, host: usize) -> &'static str {
        self.hosts.get(host).map_or("", |host| host.site)
    }

    /// The key name of a service.
    pub fn service_name(&self, target: Target) -> &'static str {
        let service = self
            .role_of(target.host)
            .and_then(|role| role.services.get(target.service));
        service.map_or("", |service| service.name)
    }

    /// The services of a host that svcwatch is to watch.
    pub fn watched(&self, host: usize) -> Vec<Target> {
        let Some(role) = self.role_of(host) else {
            return Vec::new();
        };
        role.watched()
            .map(|service| Target { host, service })
            .collect()
    }

    /// What a host does with who asks it.
    pub fn condition(&self, host: usize) -> Condition {
        self.host(host).map_or(Condition::Refuses, Host::condition)
    }

    /// From now on a host does this with who asks it. One that is dead, or lets nobody log on any more, cuts off who
    /// is connected.
    pub fn set_condition(&self, host: usize, condition: Condition) {
        let Some(host) = self.host(host) else { return };
        host.set_condition(condition);
        match condition {
            // A host that falls silent does so in the middle of a session.
            Condition::Silent | Condition::Well => {}
            Condition::Dead
            | Condition::Refuses
            | Condition::RefusesLogon
            | Condition::DeniesAccess
            | Condition::Garbage => host.cut_off(),
        }
    }

    /// Whether a host answers and all its services are as their kind says.
    pub fn is_at_rest(&self, host: usize) -> bool {
        self.host(host)
            .is_some_and(|host| host.condition() == Condition::Well && host.is_at_rest())
    }

    /// Whether somebody has read the list of services of a host.
    pub fn was_read(&self, host: usize) -> bool {
        self.host(host).is_some_and(Host::was_read)
    }

    /// Whether one service of a host depends on another of it.
    pub(super) fn needs(&self, target: Target, other: Target) -> bool {
        let role = self.role_of(target.host);
        let service = role.and_then(|role| role.services.get(target.service));
        let other = self.service_name(other);
        service.is_some_and(|service| service.name != other && service.needs.contains(&other))
    }

    /// A host has been started anew: it answers, and all its services run that should.
    pub fn boot(&self, host: usize) {
        let Some(host) = self.host(host) else { return };
        host.boot();
        host.set_condition(Condition::Well);
        host.cut_off();
    }

    /// Another computer answers from now on in a host's place, or it does so itself again.
    pub fn set_impostor(&self, host: usize, computer: Option<&str>) {
        let Some(host) = self.host(host) else { return };
        host.set_impostor(computer);
        host.cut_off();
    }

    /// How a service differs from its kind; nothing where it does not.
    pub fn difference(&self, target: Target) -> Option<Difference> {
        self.host(target.host)?.difference(target.service)
    }

    /// From now on a service is so; nothing for as its kind says.
    pub fn set(&self, target: Target, difference: Option<Difference>) {
        if let Some(host) = self.host(target.host) {
            host.set(target.service, difference);
        }
    }

    pub(super) fn host(&self, host: usize) -> Option<&Host> {
        self.hosts.get(host)
    }

    pub(super) fn role_of(&self, host: usize) -> Option<&Role> {
        self.roles.get(self.host(host)?.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_services_are_found_without_case() {
        let world = World::new(40);
        assert_eq!(world.len(), 40);
        let target = world.target("WEB-01", "w3svc").unwrap();
        assert_eq!(world.host_name(target.host), "web-01");
        assert_eq!(world.service_name(target), "W3SVC");
        assert_eq!(world.target("web-01", "MSSQLSERVER"), None);
        assert_eq!(world.find("nobody"), None);
        assert!(world.watched(target.host).contains(&target));
    }

    #[test]
    fn a_boot_mends_everything_and_cuts_who_is_connected() {
        let world = World::new(1);
        let target = world.watched(0)[0];
        world.set(target, Some(Difference::Missing));
        world.set_condition(0, Condition::Dead);
        assert!(!world.is_at_rest(0));
        let cuts = world.host(0).unwrap().cuts();
        world.boot(0);
        assert!(world.is_at_rest(0));
        assert_eq!(world.difference(target), None);
        assert_eq!(world.host(0).unwrap().cuts(), cuts + 1);
    }
}
