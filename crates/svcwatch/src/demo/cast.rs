//! Who plays which part: the hosts and services that are in trouble from the beginning, and those of the story.

use super::host::{Condition, Difference};
use super::random::Random;
use super::world::{Target, World};

/// Of so many hosts one is in trouble in each way.
const ONE_IN: usize = 100;
/// Hosts that are in trouble in one way, at most.
const IN_ONE_WAY_MAX: usize = 25;
/// Hosts that refuse the logon, at most: three that do so with no success between would pause the account.
const REFUSE_LOGON_MAX: usize = 2;
/// Of the hosts, one in so many is in trouble as a whole, at most.
const IN_TROUBLE_ONE_IN: usize = 3;

/// The ways in which a host is in trouble from the beginning.
pub const HOST_TROUBLES: [Condition; 5] = [
    Condition::Refuses,
    Condition::Silent,
    Condition::RefusesLogon,
    Condition::DeniesAccess,
    Condition::Garbage,
];

/// The ways in which a service is not as expected from the beginning. The last one starts for ever.
pub const SERVICE_TROUBLES: [Difference; 5] = [
    Difference::stopped(1067, 0),
    Difference::PAUSED,
    Difference::Missing,
    Difference::Hidden,
    Difference::starting(1),
];

/// Who plays which part.
#[derive(Debug, Clone, Default)]
pub struct Cast {
    /// Hosts in trouble from the beginning.
    pub hosts: Vec<(usize, Condition)>,
    /// Services in trouble from the beginning, each on a host that is well otherwise.
    pub services: Vec<(Target, Difference)>,
    /// Hosts in whose place another computer answers after a while.
    pub impostors: Vec<usize>,
    /// Hosts that are well.
    pub well: Vec<usize>,
}

impl Cast {
    /// Gives out the parts: the same for the same world and seed.
    pub fn new(world: &World, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x00ca_57ca);
        let mut hosts: Vec<usize> = (0..world.len()).collect();
        random.shuffle(&mut hosts);
        let each = (hosts.len() / ONE_IN).clamp(1, IN_ONE_WAY_MAX);
        let mut budget = hosts.len() / IN_TROUBLE_ONE_IN;
        let mut cast = Self::default();
        for round in 0..each {
            for condition in HOST_TROUBLES {
                let enough = condition == Condition::RefusesLogon && round >= REFUSE_LOGON_MAX;
                if budget > 0 && !enough {
                    budget -= 1;
                    cast.hosts.extend(hosts.pop().map(|host| (host, condition)));
                }
            }
            if budget > 0 && round < REFUSE_LOGON_MAX {
                budget -= 1;
                cast.impostors.extend(hosts.pop());
            }
        }
        let mut budget = hosts.len() / IN_TROUBLE_ONE_IN;
        for _ in 0..each {
            for trouble in SERVICE_TROUBLES {
                if budget > 0
                    && let Some(host) = hosts.pop()
                    && let Some(target) = random.pick(&world.watched(host))
                {
                    budget -= 1;
                    cast.services.push((*target, trouble));
                }
            }
        }
        cast.well = hosts;
        cast
    }

    /// Makes the trouble that there is from the beginning.
    pub fn set_up(&self, world: &World) {
        for (host, condition) in &self.hosts {
            world.set_condition(*host, *condition);
        }
        for (target, difference) in &self.services {
            world.set(*target, Some(*difference));
        }
    }

    /// The hosts at whose address nothing listens.
    pub fn refusing(&self) -> impl Iterator<Item = usize> {
        let hosts = self.hosts.iter();
        hosts
            .filter(|(_, condition)| *condition == Condition::Refuses)
            .map(|(host, _)| *host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn twenty_hosts_are_enough_for_every_trouble() {
        let world = World::new(20);
        let cast = Cast::new(&world, 1);
        let conditions: Vec<Condition> = cast.hosts.iter().map(|(_, how)| *how).collect();
        assert_eq!(conditions, HOST_TROUBLES);
        assert_eq!(cast.impostors.len(), 1);
        assert!(cast.services.len() >= 4);
        assert!(cast.well.len() >= 8);
        let mut everyone: Vec<usize> = cast.well.clone();
        everyone.extend(&cast.impostors);
        everyone.extend(cast.hosts.iter().map(|(host, _)| *host));
        everyone.extend(cast.services.iter().map(|(target, _)| target.host));
        let different: BTreeSet<usize> = everyone.iter().copied().collect();
        assert_eq!((everyone.len(), different.len()), (20, 20));
    }

    #[test]
    fn few_hosts_are_mostly_well_and_many_refuse_no_logons_in_a_row() {
        for hosts in [1, 2, 3, 5, 11] {
            let cast = Cast::new(&World::new(hosts), 1);
            assert!(cast.well.len() * 2 >= hosts, "{hosts}: {cast:?}");
        }
        let cast = Cast::new(&World::new(3_000), 1);
        let refusing = cast.hosts.iter();
        let refusing = refusing.filter(|(_, how)| *how == Condition::RefusesLogon);
        assert_eq!(refusing.count(), REFUSE_LOGON_MAX);
        assert_eq!(cast.refusing().count(), IN_ONE_WAY_MAX);
    }
}
