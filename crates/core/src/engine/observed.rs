//! What an answer of a probe means for its host.

use super::Engine;
use crate::{
    effect::{Effect, Fact, Step},
    host::{self, Host},
    id::{Name, Subject},
    limits,
    notice::ToldEvent,
    observe::{Fault, HostFault, HostReading, Logon, Observation, Outcome, Reading},
    planted::{self, Planted},
    policy::{
        Ruling,
        confirm::{self, Candidate},
    },
    record::Record,
    target::Sight,
    time::Now,
    view::View,
};
use alloc::{format, string::String};

/// Believes nothing of another computer than the one that answered first under this host's address.
fn check_name(
    host: &mut Host,
    computer_name: Option<String>,
    outcome: Outcome,
    step: &mut Step,
) -> Outcome {
    let Some(given) = computer_name else {
        return outcome;
    };
    match &host.row.computer_name {
        None => {
            if matches!(outcome, Outcome::Read(_)) {
                host.row.computer_name = Some(given);
                step.commit.push(Record::Host(host.row.clone()));
            }
            outcome
        }
        Some(known) if *known == given || Name::new(known) == Name::new(&given) => outcome,
        Some(_)
            if host
                .plan
                .also_known_as
                .iter()
                .any(|glob| glob.matches(&given)) =>
        {
            outcome
        }
        Some(_) if planted::is(Planted::WrongHostBelieved) => outcome,
        Some(known) => Outcome::Fault(HostFault {
            fault: Fault::WrongHost,
            cause: format!(
                "the computer at {} calls itself {given}, but was {known} before; if that is right, add {given} to also_known_as",
                host.plan.address
            ),
            // A refusal by the wrong computer still is one more failed logon: it is not tried every round.
            refusal: if let Outcome::Fault(fault) = &outcome {
                fault.refusal
            } else {
                None
            },
        }),
    }
}

/// The fault of a host that lists more than is read.
fn too_many(services: usize) -> HostFault {
    HostFault {
        fault: Fault::ProtocolError,
        cause: format!("the host lists {services} services, which is more than svcwatch reads"),
        refusal: None,
    }
}

impl Engine {
    /// Takes in the answer of a probe. A late one is dropped.
    pub(super) fn observed(&mut self, now: Now, observation: Observation, step: &mut Step) {
        let Observation {
            host: name,
            probe,
            refusals,
            administrator,
            took,
            logon,
            computer_name,
            outcome,
            session_kept,
        } = observation;
        let dead = matches!(&outcome, Outcome::Fault(fault) if host::is_silent(fault.fault));
        let missed = self.schedule.answered(now, &name, probe, dead);
        self.answered_while_stirred(now, &name, missed.is_some());
        let (Some(missed), Some(host)) = (missed, self.hosts.get_mut(&name)) else {
            step.effects
                .push(Effect::Note(Fact::LateAnswer { host: name }));
            return;
        };
        if missed > 0 {
            step.effects.push(Effect::Note(Fact::MissedRounds {
                host: name.clone(),
                rounds: missed,
            }));
        }
        host.session_kept = session_kept;
        if outcome == Outcome::LogonNeeded {
            // The session was gone: the host asks for a logon like any other, at once.
            host.session_kept = false;
            self.schedule.no_later(&name, now.tick);
            return;
        }
        let lag = host.lag;
        let outcome = check_name(host, computer_name, outcome, step);
        let as_before = match &outcome {
            Outcome::Read(reading) => host.is_as_before(now.tick, reading),
            Outcome::Fault(_) | Outcome::LogonNeeded => false,
        };
        if as_before {
            host.checked_at = Some(now.wall);
        }
        let believed =
            !matches!(&outcome, Outcome::Fault(fault) if fault.fault == Fault::WrongHost);
        let fault = if let Outcome::Fault(fault) = &outcome {
            Some(fault)
        } else {
            None
        };
        host.administrator = administrator.filter(|_| believed).or(host.administrator);
        if fault.is_some() || logon != Logon::None || self.logs_on_alone(&name) {
            self.logon_ended(now, &name, (logon, refusals), fault, believed, step);
        }
        let fact = Fact::Checked {
            host: name.clone(),
            fault: fault.map(|fault| fault.fault),
            took,
            lag,
        };
        step.effects.push(Effect::Note(fact));
        let read = matches!(outcome, Outcome::Read(_));
        self.take_outcome(now, &name, outcome, as_before, step);
        self.listen_after_check(now, &name, (read, logon), step);
    }

    fn take_outcome(
        &mut self,
        now: Now,
        name: &Name,
        outcome: Outcome,
        as_before: bool,
        step: &mut Step,
    ) {
        match outcome {
            Outcome::Read(_) if as_before => self.checked(now, name, step),
            Outcome::Read(reading) if reading.services.len() > limits::SERVICES_PER_HOST_MAX => {
                self.faulted(now, name, &too_many(reading.services.len()), step);
            }
            Outcome::Read(reading) => self.read(now, name, &reading, step),
            Outcome::Fault(fault) => self.faulted(now, name, &fault, step),
            Outcome::LogonNeeded => {}
        }
    }

    /// Tells that a host was read, whatever was seen.
    fn checked(&mut self, now: Now, name: &Name, step: &mut Step) {
        // That a host is as before is news to a group that waits until it has been wrong for long enough.
        if self.groups.waits() {
            self.regroup(now, name, step);
        }
        // A first look is over when it is also known how the services are set up, so that it can be told with them.
        // The first reading waits for that too.
        self.look_at_remedies(now, name, step);
        let host = self.hosts.get(name);
        let asks = host.is_some_and(|host| host.config_asked.is_some());
        let first = host.is_some_and(|host| !host.configured);
        if !asks && self.first_look.waits_for(name) {
            self.first_look.looked(name);
        }
        step.effects.push(Effect::Show(View::Checked {
            host: name.clone(),
            at: now.wall,
            read: !(asks && first),
        }));
    }

    /// A host could not be read.
    pub(super) fn faulted(&mut self, now: Now, name: &Name, fault: &HostFault, step: &mut Step) {
        self.heed_shutdown(now, name, fault, step);
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let event = host::told_event(fault.fault);
        let first = !host.looked;
        if first {
            self.recovered.push(name.clone());
        }
        host.looked = true;
        host.checked_at = Some(now.wall);
        host.config_asked = None;
        host.calm = None;
        let mut dirty = false;
        if host.wrong_since.is_none() {
            host.wrong_since = Some(now.tick);
            host.row.wrong_since = Some(now.wall);
            host.first_look = first;
            dirty = true;
        }
        let known = host
            .row
            .fault
            .is_some_and(|known| host::told_event(known) == event);
        host.failed = host.failed.saturating_add(1);
        let needed = host::readings_needed(fault.fault);
        // What it is not readable for may differ from reading to reading; that it is not readable is what counts.
        let confirmed = known
            || (host.row.fault.is_none() && host.failed >= needed)
            || (host.row.fault.is_some() && Candidate::agree(&mut host.candidate, event, needed));
        if confirmed {
            host.candidate = None;
            dirty |= host.row.fault != Some(fault.fault);
            if host.row.fault != Some(fault.fault) || host.row.cause.as_ref() != Some(&fault.cause)
            {
                host.row.cause = Some(
                    fault
                        .cause
                        .chars()
                        .take(limits::CAUSE_CHARACTERS_MAX)
                        .collect(),
                );
                dirty = true;
            }
            if !known {
                host.row.since = now.wall;
            }
            host.row.fault = Some(fault.fault);
        } else {
            self.schedule.no_later(name, now.tick + limits::FAULT_RETRY);
        }
        if dirty {
            step.commit.push(Record::Host(host.row.clone()));
        }
        if confirmed && !known {
            self.host_changed(now, name, step);
        } else {
            step.effects.push(Effect::Show(View::Checked {
                host: name.clone(),
                at: now.wall,
                read: false,
            }));
        }
        if confirmed {
            self.judge_fault(now, name, event, fault, step);
        }
        self.regroup(now, name, step);
        self.first_look.looked(name);
    }

    /// Opens the incident of a host's fault once it has lasted long enough.
    fn judge_fault(
        &mut self,
        now: Now,
        name: &Name,
        event: ToldEvent,
        fault: &HostFault,
        step: &mut Step,
    ) {
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        if planted::is(Planted::FaultIsStopped) {
            self.pretend_stopped(now, name, step);
            return;
        }
        // A paused account is told as one notice of its own.
        if fault.fault == Fault::AccountPaused {
            return;
        }
        let needed = if planted::is(Planted::HostForIgnored) {
            crate::time::Span::ZERO
        } else {
            host.plan.host_for
        };
        let since = host.wrong_since.unwrap_or(now.tick);
        let first_look = host.first_look;
        let needed = self.patience(host, event, since, needed);
        match confirm::lasted(now.tick, since, needed) {
            Ruling::Wait(at) => self.schedule.no_later(name, at),
            Ruling::Pass | Ruling::Drop(_) => {
                let went_down = if host.boot.went_down {
                    "it shut down and did not come back: "
                } else {
                    ""
                };
                let cause = Some(format!("{went_down}{} ({})", fault.cause, fault.fault));
                self.wrong(
                    now,
                    &Subject::Host(name.clone()),
                    event,
                    cause,
                    first_look,
                    step,
                );
            }
        }
    }

    /// The planted fault that takes a host's silence for its services' end.
    pub(super) fn pretend_stopped(&mut self, now: Now, name: &Name, step: &mut Step) {
        let count = self.hosts.get(name).map_or(0, |host| host.targets.len());
        let reading = Reading {
            state: crate::observe::State::Stopped,
            pid: None,
            exit_code: None,
            service_exit_code: None,
            checkpoint: 0,
            wait_hint: crate::time::Span::ZERO,
        };
        for place in 0..count {
            self.see(now, name, place, Sight::Read(reading), false, step);
        }
    }

    /// A host was read.
    fn read(&mut self, now: Now, name: &Name, reading: &HostReading, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let gap = !host.looked || host.failed > 0 || host.row.fault.is_some();
        if gap {
            self.recovered.push(name.clone());
        }
        host.looked = true;
        host.checked_at = Some(now.wall);
        host.calm = None;
        host.candidate = None;
        host.failed = 0;
        host.refused_until = None;
        host.refusal = None;
        let had_fault = host.row.fault.is_some();
        let was_wrong =
            host.wrong_since.take().is_some() || had_fault || host.row.refused_until.is_some();
        if was_wrong {
            host.row.refused_until = None;
            host.row.wrong_since = None;
            host.row.fault = None;
            host.row.cause = None;
            host.first_look = false;
            if had_fault {
                host.row.since = now.wall;
            }
            step.commit.push(Record::Host(host.row.clone()));
        }
        let booted = self.judge_boot(now, name, reading, step);
        if had_fault {
            self.host_changed(now, name, step);
        }
        self.fine(
            now,
            &Subject::Host(name.clone()),
            ToldEvent::HostRecovered,
            step,
        );
        let sights = self.sights(now, name, reading, step);
        let hidden_is_told = self.judge_visibility(now, name, reading, step);
        let nothing_new = sights.is_empty() && !hidden_is_told;
        if let Some(host) = self.hosts.get_mut(name) {
            host.keep_processes(reading, booted);
        }
        let restarted = if booted {
            alloc::vec::Vec::new()
        } else {
            self.restarted_meanwhile(name, &sights, gap)
        };
        for (place, sight) in sights {
            self.see(now, name, place, sight, hidden_is_told, step);
            if restarted.contains(&place) {
                self.restarted(now, name, place, false, step);
            }
        }
        self.judge_holds(now, name, step);
        self.retire(now, name, step);
        self.regroup(now, name, step);
        let nothing_to_ask = self.read_config(now, name, step);
        if nothing_new
            && nothing_to_ask
            && let Some(host) = self.hosts.get_mut(name)
        {
            host.calm_down(reading);
        }
        self.checked(now, name, step);
    }

    /// Whether the host shows us so many fewer services that this is told, instead of each service by itself.
    fn judge_visibility(
        &mut self,
        now: Now,
        name: &Name,
        reading: &HostReading,
        step: &mut Step,
    ) -> bool {
        let subject = Subject::Visibility(name.clone());
        let Some(host) = self.hosts.get_mut(name) else {
            return false;
        };
        let (hidden, before) = host.count_hidden(reading);
        let too_many =
            hidden >= limits::HIDDEN_MIN && hidden.saturating_mul(limits::HIDDEN_ONE_IN) > before;
        if too_many && host.asks_for_vanished() {
            // Perhaps they were uninstalled: that is asked before anything is said.
            self.schedule.no_later(name, now.tick);
            return true;
        }
        let blind = host
            .blind_entry()
            .and_then(|place| host.plan.services.get(place));
        let cause = if too_many {
            Some(format!(
                "the host shows {} of {before} services it showed before; perhaps the account lost rights",
                before.saturating_sub(hidden)
            ))
        } else {
            blind.map(|entry| {
                format!(
                    "nothing is visible any more of what {} matched",
                    entry.selector.in_words()
                )
            })
        };
        if !too_many {
            host.accept_visible(reading.services.len());
        }
        let changed = core::mem::take(&mut host.visible_changed);
        if changed {
            step.commit.push(Record::Host(host.row.clone()));
            self.show_host(name, step);
        }
        match cause {
            Some(cause) => self.wrong(now, &subject, ToldEvent::Hidden, Some(cause), false, step),
            None => self.fine(now, &subject, ToldEvent::Hidden, step),
        }
        too_many
    }
}
