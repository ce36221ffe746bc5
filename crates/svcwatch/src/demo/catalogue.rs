//! Which hosts there are and what runs on each of them.

use super::names::{COMMON, KINDS, SITES};
use super::random::mix;
use svcwatch_wire::scmr::{EnumeratedService, ServiceStatus, accepts, service_type};

/// Services of each simulated host.
pub const SERVICES_PER_HOST: usize = 60;

/// When a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Automatic,
    AutomaticDelayed,
    Manual,
    Disabled,
}

/// A service as every host of its kind has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// Its key name.
    pub(super) name: &'static str,
    /// Its display name.
    pub(super) display_name: &'static str,
    pub(super) start: Start,
    /// Whether it runs while all is well.
    pub(super) running: bool,
    /// Whether svcwatch is told to watch it.
    pub(super) watched: bool,
    /// Whether it shares its process with others.
    pub(super) shared: bool,
    /// The account that it runs as.
    pub(super) account: &'static str,
    /// What it runs.
    pub(super) path: &'static str,
    /// The services that it depends on.
    pub(super) needs: &'static [&'static str],
}

impl Service {
    /// The bits of its type (MS-SCMR 2.2.47).
    pub(super) const fn service_type(&self) -> u32 {
        if self.shared {
            service_type::SHARE_PROCESS
        } else {
            service_type::OWN_PROCESS
        }
    }
}

/// A kind of hosts.
#[derive(Debug)]
pub(super) struct Kind {
    /// What the names of its hosts begin with.
    pub(super) prefix: &'static str,
    /// How many of a hundred hosts are of it.
    pub(super) share: usize,
    /// What it has besides what every host has.
    pub(super) services: &'static [Service],
}

/// All services of the hosts of a kind, and their list as it is while all is well.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) services: Vec<Service>,
    /// In the order of `services`; a process id of 1 stands for one that each host chooses.
    pub(super) at_rest: Vec<EnumeratedService>,
}

impl Role {
    fn new(kind: &Kind) -> Self {
        let own = kind.services.iter().copied();
        let services: Vec<Service> = own
            .chain(COMMON.iter().copied())
            .take(SERVICES_PER_HOST)
            .collect();
        let at_rest = services.iter().map(at_rest).collect();
        Self { services, at_rest }
    }

    /// The place of a service among those of this role, by its key name without case.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.services
            .iter()
            .position(|service| service.name.eq_ignore_ascii_case(name))
    }

    /// The places of the services that are watched.
    pub(super) fn watched(&self) -> impl Iterator<Item = usize> {
        let services = self.services.iter().enumerate();
        services
            .filter(|(_, service)| service.watched)
            .map(|(place, _)| place)
    }
}

fn at_rest(service: &Service) -> EnumeratedService {
    let running = service.running;
    EnumeratedService {
        name: service.name.to_owned(),
        display_name: service.display_name.to_owned(),
        status: ServiceStatus {
            service_type: service.service_type(),
            current_state: if running { 4 } else { 1 },
            controls_accepted: if running { accepts::STOP } else { 0 },
            // ERROR_SERVICE_NEVER_STARTED (MS-ERREF 2.2).
            win32_exit_code: if running { 0 } else { 1077 },
            ..ServiceStatus::default()
        },
        pid: Some(u32::from(running)),
        flags: Some(0),
    }
}

/// Every role, in the order of the kinds.
pub(super) fn roles() -> Vec<Role> {
    KINDS.iter().map(Role::new).collect()
}

/// A host of the fleet: its name, the number of its role, its site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) role: usize,
    pub(super) site: &'static str,
}

/// The first `count` hosts of the fleet, the kinds mixed and each numbered from 1.
pub(super) fn places(count: usize) -> Vec<Place> {
    let mut numbers = vec![0_usize; KINDS.len()];
    (0..count)
        .map(|index| {
            // 37 and 100 have no common divisor, so each hundred hosts holds every kind by its share.
            let role = role_of(index.wrapping_mul(37) % 100);
            let number = numbers.get_mut(role).map_or(0, |number| {
                *number += 1;
                *number
            });
            let prefix = KINDS.get(role).map_or("srv", |kind| kind.prefix);
            let scattered = usize::try_from(mix(number as u64 * 31 + role as u64)).unwrap_or(index);
            Place {
                name: format!("{prefix}-{number:02}"),
                role,
                site: SITES
                    .get(scattered % SITES.len())
                    .copied()
                    .unwrap_or("oslo"),
            }
        })
        .collect()
}

fn role_of(hundredth: usize) -> usize {
    let mut before = 0;
    let found = KINDS.iter().position(|kind| {
        before += kind.share;
        hundredth < before
    });
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_host_has_sixty_services_with_names_of_their_own() {
        for (role, kind) in roles().into_iter().zip(KINDS) {
            let keys: BTreeSet<String> = role
                .services
                .iter()
                .map(|service| service.name.to_lowercase())
                .collect();
            let shown: BTreeSet<&str> = role
                .services
                .iter()
                .map(|service| service.display_name)
                .collect();
            let prefix = kind.prefix;
            assert_eq!(keys.len(), SERVICES_PER_HOST, "{prefix}");
            assert_eq!(shown.len(), SERVICES_PER_HOST, "{prefix}");
            assert!(role.watched().count() >= 8, "{prefix}");
            assert!(
                role.watched().all(|place| role.services[place].running),
                "{prefix}: what is watched runs while all is well"
            );
        }
    }

    #[test]
    fn every_hundred_hosts_hold_each_kind_by_its_share() {
        assert_eq!(KINDS.iter().map(|kind| kind.share).sum::<usize>(), 100);
        let places = places(300);
        for (role, kind) in KINDS.iter().enumerate() {
            let count = places.iter().filter(|place| place.role == role).count();
            assert_eq!(count, 3 * kind.share, "{}", kind.prefix);
        }
        let names: BTreeSet<&str> = places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names.len(), 300);
        let sites: BTreeSet<&str> = places.iter().map(|place| place.site).collect();
        assert_eq!(sites.len(), SITES.len());
    }
}
