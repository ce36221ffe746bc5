//! Hosts that shut down and boot: what of their services is not told one by one, and the one report of what did not
//! come back.

use super::{Engine, together::Summary};
use crate::{
    boot::Processes,
    effect::{Effect, Fact, Step},
    host::Host,
    id::{Name, Subject},
    limits,
    notice::{ToldEvent, Why},
    observe::{Fault, HostFault, HostReading},
    planted::{self, Planted},
    policy::Ruling,
    record::Record,
    time::{Now, Span, Tick},
};
use alloc::{collections::BTreeMap, vec::Vec};

impl Engine {
    /// What the store knows of hosts that were shutting down or booting when we ended.
    pub(super) fn restore_boots(&mut self, now: Now) {
        for host in self.hosts.values_mut() {
            if planted::is(Planted::BootGraceForgotten) {
                host.boot = crate::boot::Boot::default();
            }
            let name = &host.plan.name;
            if let Some(until) = host.boot.grace().or_else(|| host.boot.shutting_down()) {
                self.night.hold(name, until);
            }
            let lately = |at| now.wall.since(at) < limits::NIGHT_LENGTH;
            if host.boot.grace().is_some() || host.row.boot.booted_at.is_some_and(lately) {
                self.night.booted(name);
            }
        }
    }

    /// Whether a reading is the first one after a boot, and what follows from that.
    pub(super) fn judge_boot(
        &mut self,
        now: Now,
        name: &Name,
        reading: &HostReading,
        step: &mut Step,
    ) -> bool {
        let Some(host) = self.hosts.get_mut(name) else {
            return false;
        };
        let processes = host.compare_processes(reading);
        let known = host.row.boot.booted_at;
        let booted = processes != Processes::Same
            && host.boot.is_boot(now, reading.uptime, known, processes);
        let was_read = host.boot.was_read() || !host.lines.is_empty();
        host.boot.keep_uptime(now.tick, reading.uptime);
        let at = |uptime: Span| crate::time::Wall(now.wall.0.saturating_sub_unsigned(uptime.0));
        if !booted {
            host.boot.went_down &= host.boot.shutting_down().is_some();
            if known.is_none() && reading.uptime.is_some() {
                host.row.boot.booted_at = reading.uptime.map(at);
                step.commit.push(Record::Host(host.row.clone()));
            }
            return false;
        }
        // Whoever watched it go down counts from the first reading after the boot; a boot while nobody watched is over
        // for as long as the host runs.
        let ago = reading.uptime.filter(|_| !was_read).unwrap_or(Span::ZERO);
        let left = Span(host.plan.boot_grace.0.saturating_sub(ago.0));
        let until = (left > Span::ZERO).then(|| now.tick + left);
        host.boot.booted(now.tick, until);
        host.row.boot.booted_at = Some(reading.uptime.map_or(now.wall, at));
        host.row.boot.grace_until = until.map(|until| now.wall_of(until));
        host.row.boot.shutting_down_until = None;
        step.commit.push(Record::Host(host.row.clone()));
        step.effects
            .push(Effect::Note(Fact::Booted { host: name.clone() }));
        self.night.booted(name);
        match until {
            Some(until) => self.night.hold(name, until),
            None => self.night.release(name),
        }
        self.recovered.push(name.clone());
        self.unshown.insert(name.clone());
        true
    }

    /// A watched service of a host left running: it is looked at again before the notice about that is told, and where
    /// enough left the host is shutting down.
    pub(super) fn leaves_running(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let settle = host.plan.settle;
        if host.boot.leaves(now.tick, settle) {
            self.shuts_down(now, name, step);
        } else if settle > Span::ZERO {
            let again = Span(settle.0.saturating_mul(2).checked_div(3).unwrap_or(0));
            self.schedule.no_later(name, now.tick + again);
        }
    }

    /// A host that says in its answer that it shuts down (1115).
    pub(super) fn heed_shutdown(
        &mut self,
        now: Now,
        name: &Name,
        fault: &HostFault,
        step: &mut Step,
    ) {
        if fault.fault == Fault::ShuttingDown {
            self.shuts_down(now, name, step);
        }
    }

    /// A host is shutting down: what its services come to is not told unless it does not come back.
    pub(super) fn shuts_down(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        if planted::is(Planted::ShuttingDownToldEach) {
            return;
        }
        let new = host.boot.shuts_down(now.tick);
        if let Some(stays) = host.boot.stays_at() {
            self.schedule.no_later(name, stays);
        }
        let Some(until) = new else { return };
        host.calm = None;
        host.row.boot.shutting_down_until = Some(now.wall_of(until));
        step.commit.push(Record::Host(host.row.clone()));
        step.effects
            .push(Effect::Note(Fact::ShuttingDown { host: name.clone() }));
        self.night.hold(name, until);
        self.unshown.insert(name.clone());
    }

    /// Whether notices about a service are held because its host is shutting down or was booted.
    pub(super) fn boot_holds(&self, subject: &Subject) -> Option<Why> {
        if self.night.is_quiet() {
            return None;
        }
        let Subject::Service { host, .. } = subject else {
            return None;
        };
        let boot = &self.hosts.get(host)?.boot;
        if boot.shutting_down().is_some() {
            return Some(Why::ShuttingDown);
        }
        boot.holds().then_some(Why::BootGrace)
    }

    /// How long a fault of a host must last: one that is shutting down is given until it should be back, and in a night
    /// of reboots each host that is silent.
    pub(super) fn patience(
        &self,
        host: &Host,
        event: ToldEvent,
        since: Tick,
        needed: Span,
    ) -> Span {
        if event != ToldEvent::HostUnreachable {
            return needed;
        }
        let until = host.boot.shutting_down().unwrap_or(Tick(0));
        needed.max(self.night.patience()).max(until.since(since))
    }

    /// In a night of reboots hosts that do not come back are told together, some minutes after the last message.
    pub(super) fn hold_in_night(
        &mut self,
        now: Now,
        subject: &Subject,
        event: ToldEvent,
        hold: Ruling,
    ) -> Ruling {
        let next = self.night.next_message();
        let silent = matches!(subject, Subject::Host(_)) && event == ToldEvent::HostUnreachable;
        if !silent || !self.night.is_on() {
            return hold;
        }
        if next > now.tick {
            Ruling::Wait(next)
        } else {
            self.night.tells(now.tick);
            hold
        }
    }

    /// What has come due of incidents. Hosts that did not come back in a night of reboots are told as one right away.
    pub(super) fn due_together(&mut self, now: Now, step: &mut Step) -> Vec<Subject> {
        let due = self.incidents.due(now.tick);
        let held = |subject: &&Subject| {
            matches!(subject, Subject::Host(_))
                && self.incidents.of(subject).is_some_and(|incident| {
                    !incident.row.told && incident.held_until.is_some_and(|at| at <= now.tick)
                })
        };
        let silent: Vec<Subject> = due.iter().filter(held).cloned().collect();
        if silent.is_empty() {
            return due;
        }
        self.night.tells(now.tick);
        if silent.len() == 1 {
            return due;
        }
        let mut open = Vec::new();
        for subject in &silent {
            self.incidents.release(subject);
            if !self.withholds(now, subject, step) {
                open.push(subject.clone());
            }
        }
        let cause = "these hosts went silent while others were being booted, and did not come back";
        let summary = Summary {
            above: 1,
            ..Summary::of(self, cause)
        };
        self.tell_together(now, open, &summary, step);
        due.into_iter()
            .filter(|subject| !silent.contains(subject))
            .collect()
    }

    /// After a reading: whether what holds back the notices of a host is over.
    pub(super) fn judge_holds(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get(name).filter(|host| host.boot.holds()) else {
            return;
        };
        if host.boot.stays_at().is_some_and(|at| now.tick >= at) {
            self.stays(now, name, step);
        } else if host.boot.shutting_down().is_none()
            && host.boot.grace().is_some_and(|until| now.tick >= until)
            && !self.night.waits(name)
        {
            self.grace_over(now, name, step);
        }
    }

    /// Looks at the hosts whose time to shut down or to boot is over, and tells the report where it is time to.
    pub(super) fn look_at_boots(&mut self, now: Now, step: &mut Step) {
        let over = self.night.over(now.tick);
        for name in &over {
            let Some(host) = self.hosts.get_mut(name) else {
                continue;
            };
            // Nobody knows how the services of a silent host are: its first reading tells.
            let in_sight = host.is_in_sight();
            if host.boot.shutting_down().is_some() {
                if in_sight {
                    self.stays(now, name, step);
                } else {
                    self.ends_shutting_down(now, name, step);
                }
            } else if in_sight {
                self.grace_over(now, name, step);
            } else {
                self.night.is_silent(name);
            }
        }
        if !over.is_empty() {
            self.night.rest();
        }
        if self.night.report_at().is_some_and(|at| now.tick >= at) {
            self.report(now, step);
        }
    }

    /// A host is not shutting down any more. It may be in the boot grace of an earlier boot still.
    fn ends_shutting_down(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        host.boot.end_shutting_down();
        host.row.boot.shutting_down_until = None;
        step.commit.push(Record::Host(host.row.clone()));
        self.unshown.insert(name.clone());
        let in_sight = host.is_in_sight();
        match host.boot.grace() {
            None => self.night.release(name),
            Some(until) if until > now.tick => self.night.hold(name, until),
            Some(_) => {
                self.night.release(name);
                if in_sight {
                    self.recovered.push(name.clone());
                    self.night.wait(now.tick, name);
                } else {
                    self.night.is_silent(name);
                }
            }
        }
    }

    /// A host that seemed to shut down is still there: what left running is told now, as one.
    fn stays(&mut self, now: Now, name: &Name, step: &mut Step) {
        self.ends_shutting_down(now, name, step);
        if let Some(host) = self.hosts.get_mut(name) {
            host.boot.stays();
        }
        let held = self.held_of(name, Why::ShuttingDown);
        if held.is_empty() || self.hosts.get(name).is_some_and(|host| host.boot.holds()) {
            // What an earlier boot still holds is in its report.
            self.recovered.push(name.clone());
            return;
        }
        let (told, untold): (Vec<Subject>, Vec<Subject>) =
            held.into_iter().partition(|subject| self.is_told(subject));
        for subject in told {
            self.tell_again(now, &subject, step);
        }
        let cause =
            "several services left running at once, as in a shutdown, and did not come back";
        let summary = Summary {
            about: Subject::Host(name.clone()),
            above: 1,
            ..Summary::of(self, cause)
        };
        self.tell_together(now, untold, &summary, step);
    }

    /// What is held back of a host's services because of this.
    fn held_of(&self, name: &Name, because: Why) -> Vec<Subject> {
        let mut held = self.incidents.withheld_of(name);
        held.retain(|subject| {
            self.incidents
                .of(subject)
                .is_some_and(|incident| incident.row.muted == Some(because))
        });
        held
    }

    fn is_told(&self, subject: &Subject) -> bool {
        self.incidents
            .of(subject)
            .is_some_and(|incident| incident.row.told)
    }

    /// The boot grace of a host is over: where something did not come back it waits for the report.
    fn grace_over(&mut self, now: Now, name: &Name, step: &mut Step) {
        let held = self.held_of(name, Why::BootGrace);
        if held.is_empty() {
            self.night.awake(name);
            self.end_grace(name, step);
        } else {
            self.night.wait(now.tick, name);
        }
    }

    fn end_grace(&mut self, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        host.boot.end_grace();
        host.row.boot.grace_until = None;
        step.commit.push(Record::Host(host.row.clone()));
        self.unshown.insert(name.clone());
    }

    /// Tells what did not come back on the hosts that were booted.
    fn report(&mut self, now: Now, step: &mut Step) {
        let (hosts, booted) = self.night.take_report(now.tick);
        let mut by_host: BTreeMap<Name, Vec<Subject>> = BTreeMap::new();
        for name in hosts {
            // Nobody knows how the services are of one that went down again meanwhile: its first reading tells.
            if self
                .hosts
                .get(&name)
                .is_some_and(|host| !host.is_in_sight())
            {
                self.night.is_silent(&name);
                continue;
            }
            // Another silence or fault may hold some of it by now, and tells it when that is over.
            let held = self.held_of(&name, Why::BootGrace);
            self.end_grace(&name, step);
            let (told, untold): (Vec<Subject>, Vec<Subject>) =
                held.into_iter().partition(|subject| self.is_told(subject));
            for subject in told {
                self.tell_again(now, &subject, step);
            }
            if !untold.is_empty() {
                by_host.insert(name, untold);
            }
        }
        if planted::is(Planted::BootReportForgotten) {
            return;
        }
        let alone = by_host.keys().next().filter(|_| booted <= 1).cloned();
        let summary = Summary {
            above: 0,
            event: Some(ToldEvent::AfterBoot),
            of_hosts: alone.is_none().then_some(booted),
            about: alone.map_or(Subject::Fleet, Subject::Host),
            ..Summary::of(self, "these services did not come back")
        };
        let subjects = by_host.into_values().flatten().collect();
        self.tell_together(now, subjects, &summary, step);
    }
}
