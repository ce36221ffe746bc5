//! Services that end and are started again: by their hosts themselves, or by somebody between two looks.

use super::{Engine, service::Turn};
use crate::{
    effect::Step,
    host::Host,
    id::{Name, Subject},
    notice::{ToldEvent, Why},
    observe::{Reading, State},
    planted::{self, Planted},
    policy::recovery,
    record::Record,
    target::{Sight, Target},
    time::Now,
};
use alloc::{boxed::Box, string::ToString, vec::Vec};

/// Whether a service runs that ran when it was last read, in another process.
fn is_another(target: &Target, reading: &Reading) -> bool {
    let runs = target.row.state == State::Running && reading.state == State::Running;
    runs && matches!((target.row.pid, reading.pid), (Some(before), Some(now)) if before != now)
}

/// Whether all that is seen means that the host was started anew, which is no restart of single services: every watched
/// service that ran has left its process. Of one service alone that says it only where the host could not be read
/// meanwhile (`gap`). Where the time of the boot is known, that decides; this is the place to ask it.
fn is_boot(host: &Host, sights: &[(usize, Sight)], gap: bool) -> bool {
    let ran = |target: &&Target| target.row.state == State::Running && target.row.pid.is_some();
    // What cannot be seen now says nothing.
    let unseen = sights.iter().filter(|(place, sight)| {
        matches!(sight, Sight::Missing | Sight::Hidden)
            && host.targets.get(*place).as_ref().is_some_and(ran)
    });
    let before = host.targets.iter().filter(ran).count();
    let before = before.saturating_sub(unseen.count());
    let left = sights.iter().filter(|(place, sight)| {
        let target = host.targets.get(*place).filter(ran);
        target.is_some_and(|target| match sight {
            Sight::Read(reading) => reading.state != State::Running || is_another(target, reading),
            Sight::Missing | Sight::Hidden => false,
        })
    });
    let all = before == left.count() && !planted::is(Planted::BootIsRestarts);
    all && (before > 1 || gap)
}

impl Engine {
    /// The places of services that run in another process than when they were last read. `gap` says that the host was
    /// not read just before.
    pub(super) fn restarted_meanwhile(
        &self,
        name: &Name,
        sights: &[(usize, Sight)],
        gap: bool,
    ) -> Vec<usize> {
        let Some(host) = self.hosts.get(name) else {
            return Vec::new();
        };
        let others = sights.iter().filter_map(|(place, sight)| {
            let Sight::Read(reading) = sight else {
                return None;
            };
            let target = host.targets.get(*place)?;
            is_another(target, reading).then_some(*place)
        });
        let others: Vec<usize> = others.collect();
        if others.is_empty() || is_boot(host, sights, gap) {
            return Vec::new();
        }
        others
    }

    /// A service was started again: it is counted, and told where it was not told as stopped before. `failed` says that
    /// it was seen to have failed.
    pub(super) fn restarted(
        &mut self,
        now: Now,
        host_name: &Name,
        place: usize,
        failed: bool,
        step: &mut Step,
    ) {
        let Some(host) = self.hosts.get_mut(host_name) else {
            return;
        };
        let Some(target) = host.targets.get_mut(place) else {
            return;
        };
        let tells = host
            .plan
            .services
            .get(target.entry)
            .is_some_and(|entry| recovery::tells_restarts(&target.row, entry, failed));
        if !tells {
            return;
        }
        let row = &mut target.row;
        let actions = row
            .details
            .as_ref()
            .and_then(|one| one.failure_actions.as_ref());
        let reset = actions.and_then(|actions| actions.reset_after);
        let restarts = recovery::one_more(row.restarts.as_deref(), now.wall, failed, reset);
        row.restarts = Some(Box::new(restarts));
        step.commit.push(Record::Target(row.clone()));
        let subject = Subject::Service {
            host: host_name.clone(),
            service: row.service.clone(),
        };
        let cause = Some(
            if failed {
                "it ended unexpectedly and was started again"
            } else {
                "it runs in another process than when it was last read"
            }
            .to_string(),
        );
        let event = ToldEvent::Restarted;
        self.write_turn(now, &subject, Turn::Updates(event), cause.clone(), step);
        if recovery::is_told(restarts.count) {
            let count = Some(u64::from(restarts.count));
            self.inform(now, &subject, event, (cause, count), step);
        } else {
            self.not_told(now, &subject, event, Why::MergedLater, step);
        }
    }

    /// Looks whether a service that failed was started again before it was told; `open` says that it was told, or is
    /// about to be.
    pub(super) fn look_at_mending(
        &mut self,
        now: Now,
        host_name: &Name,
        place: usize,
        open: bool,
        step: &mut Step,
    ) {
        let Some(target) = self
            .hosts
            .get_mut(host_name)
            .and_then(|host| host.targets.get_mut(place))
        else {
            return;
        };
        let running = target.row.state == State::Running && target.is_sure();
        let Some(restarts) = target.row.restarts.as_mut().filter(|one| one.mending) else {
            return;
        };
        if !open && !running {
            return;
        }
        restarts.mending = false;
        step.commit.push(Record::Target(target.row.clone()));
        if !open {
            self.restarted(now, host_name, place, true, step);
        }
    }
}
