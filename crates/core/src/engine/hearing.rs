//! What is heard from hosts at once. News is no reading: it has the host read, and only what is read then is told. What
//! is missed or merged on the way the next round finds.

use super::Engine;
use crate::{
    effect::{Effect, Fact, Step},
    hearing::{EarId, Hears, News, Turn},
    host::Host,
    id::{Name, Subject},
    limits,
    observe::{Logon, Reading},
    planted::{self, Planted},
    target::{Sight, Target},
    time::{Now, Span},
};
use alloc::{format, string::String, vec::Vec};

impl Engine {
    /// A registration brings news.
    pub(super) fn heard(
        &mut self,
        now: Now,
        (name, service): (&Name, &Name),
        id: EarId,
        news: News,
        step: &mut Step,
    ) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let in_sight = host.is_in_sight();
        let Some(hearing) = &mut host.hearing else {
            return;
        };
        let Some(ear) = hearing.ear(service, id) else {
            return;
        };
        let (turn, cause, reads) = match news {
            // What changed between the last reading and now was told to nobody.
            News::Listening => {
                ear.since = Some((now.tick, now.wall));
                (Turn::Listening, None, true)
            }
            News::Changed { state } => {
                if planted::is(Planted::HeardIsTold) {
                    self.believe_news(now, name, service, state, step);
                    return;
                }
                (Turn::Heard, None, true)
            }
            News::Lost { .. } if planted::is(Planted::NotifyLostForgotten) => return,
            News::Lost { cause } => {
                ear.lost(now);
                self.ears = self.ears.saturating_sub(1);
                (Turn::Lost, Some(cause), in_sight)
            }
            News::ShuttingDown { cause } => {
                ear.lost(now);
                self.ears = self.ears.saturating_sub(1);
                (Turn::ShuttingDown, Some(cause), in_sight)
            }
            News::Refused { cause } => {
                ear.refused(now, cause.clone());
                self.ears = self.ears.saturating_sub(1);
                (Turn::Refused, Some(cause), false)
            }
            News::NotOffered { cause } => {
                let others: Vec<(Name, EarId)> = hearing
                    .open()
                    .filter(|(_, ear)| *ear != id)
                    .map(|(service, ear)| (service.clone(), ear))
                    .collect();
                hearing.not_offered(now, cause.clone());
                self.ears = self.ears.saturating_sub(1);
                self.end_ears(name, others, step);
                (Turn::NotOffered, Some(cause), false)
            }
        };
        self.note_ear(name, service, turn, cause, step);
        if turn == Turn::ShuttingDown && !planted::is(Planted::HeardShutdownIgnored) {
            self.shuts_down(now, name, step);
        }
        if reads {
            self.read_for_news(now, name);
        }
    }

    /// Has a host read because of news, now or as soon as its turn is.
    fn read_for_news(&mut self, now: Now, name: &Name) {
        let under_way = self.schedule.under_way(name).is_some();
        let Some(hearing) = self.hearing_of(name) else {
            return;
        };
        if let Some(at) = hearing.news(now.tick, under_way) {
            self.schedule.no_later(name, at);
        }
    }

    fn hearing_of(&mut self, name: &Name) -> Option<&mut crate::hearing::Hearing> {
        self.hosts.get_mut(name)?.hearing.as_deref_mut()
    }

    /// A host was read or not: news that came meanwhile has it read again, and where it was read it is asked to tell of
    /// what is not heard yet.
    pub(super) fn listen_after_check(
        &mut self,
        now: Now,
        name: &Name,
        (read, logon): (bool, Logon),
        step: &mut Step,
    ) {
        if logon == Logon::Accepted
            && let Some(hearing) = self.hearing_of(name)
        {
            hearing.new_session();
        }
        let again = self
            .hearing_of(name)
            .is_some_and(crate::hearing::Hearing::read_ended);
        if again && !planted::is(Planted::HeardMeanwhileForgotten) {
            self.read_for_news(now, name);
        }
        if read {
            self.listen(now, name, step);
        }
    }

    /// Asks a host to tell of the services that are to be heard at once, and of no others.
    pub(super) fn listen(&mut self, now: Now, name: &Name, step: &mut Step) {
        let silent = self.plan.instant_off;
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        // One that tells by itself knows no registrations.
        let nobody = silent || host.hearing.is_none() || host.plan.tells_by_itself;
        let wanted = if nobody { Vec::new() } else { wanted(host) };
        let kept = host.session_kept && host.is_in_sight();
        let Some(hearing) = &mut host.hearing else {
            return;
        };
        let ended = hearing.keep(&wanted);
        let asks = kept && hearing.is_offered(now.tick);
        let (mut begun, mut later) = (Vec::new(), None);
        for service in wanted {
            let ear = hearing.ears.entry(service.clone()).or_default();
            if ear.id.is_some() || !asks {
                continue;
            }
            if now.tick < ear.not_before {
                if ear.refused.is_none() {
                    later = Some(later.map_or(ear.not_before, |at: crate::time::Tick| {
                        at.min(ear.not_before)
                    }));
                }
            } else if self.ears < limits::EARS_MAX {
                self.ears = self.ears.saturating_add(1);
                self.last_ear = self.last_ear.saturating_add(1);
                ear.refused = None;
                ear.id = Some(EarId(self.last_ear));
                begun.push((service, EarId(self.last_ear)));
            }
        }
        if let Some(at) = later {
            self.schedule.no_later(name, at);
        }
        for (service, ear) in begun {
            let host = name.clone();
            step.effects.push(Effect::Listen { host, service, ear });
        }
        self.end_ears(name, ended, step);
    }

    /// Another plan may want other services of a host to be heard, or none.
    pub(super) fn listen_as_planned(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        if host.plan.hears() {
            host.hearing.get_or_insert_default();
        }
        if host.hearing.is_some() {
            self.listen(now, name, step);
        }
    }

    /// Does not listen to anything of a host any more.
    pub(super) fn stop_listening(&mut self, name: &Name, step: &mut Step) {
        let ended = self
            .hearing_of(name)
            .map(|hearing| hearing.keep(&[]))
            .unwrap_or_default();
        self.end_ears(name, ended, step);
    }

    fn end_ears(&mut self, name: &Name, ended: Vec<(Name, EarId)>, step: &mut Step) {
        for (service, ear) in ended {
            self.ears = self.ears.saturating_sub(1);
            self.note_ear(name, &service, Turn::Ended, None, step);
            let host = name.clone();
            step.effects
                .push(Effect::StopListening { host, service, ear });
        }
    }

    fn note_ear(
        &self,
        host: &Name,
        service: &Name,
        turn: Turn,
        cause: Option<String>,
        step: &mut Step,
    ) {
        step.effects.push(Effect::Note(Fact::Ear {
            host: host.clone(),
            service: service.clone(),
            turn,
            cause,
            ears: self.ears,
        }));
    }

    /// How long the opening of a service's incident is held: the first one of a host that is heard at once is not, and
    /// those that follow it are.
    pub(super) fn held_for(&mut self, now: Now, subject: &Subject, settle: Span) -> Span {
        let (Subject::Service { host, service }, false) = (subject, self.plan.instant_off) else {
            return settle;
        };
        let Some(host) = self.hosts.get_mut(host) else {
            return settle;
        };
        let target = host.find(service).and_then(|place| host.targets.get(place));
        let instant = target.is_some_and(|target| is_instant(host, target));
        let Some(hearing) = host.hearing.as_mut().filter(|_| instant) else {
            return settle;
        };
        let follows = hearing
            .told_at
            .as_ref()
            .is_some_and(|(first, told)| first != service && now.tick.since(*told) < settle);
        if follows {
            return settle;
        }
        hearing.told_at = Some((service.clone(), now.tick));
        Span::ZERO
    }

    /// How changes of a service come to us; nothing where they are not to be heard at once.
    pub(super) fn hears(&self, host: &Host, target: &Target) -> Option<Hears> {
        let (instant, by_itself) = (is_instant(host, target), host.plan.tells_by_itself);
        if !instant && !by_itself {
            return None;
        }
        let service = &target.row.service;
        let by_readings = |cause: String| Some(Hears::ByReadings { cause });
        if self.plan.instant_off {
            return by_readings("`instant: off` stands in the configuration".into());
        }
        if by_itself {
            let held = if instant {
                Span::ZERO
            } else {
                host.plan.settle
            };
            return Some(Hears::ByItself { held });
        }
        let hearing = host.hearing.as_ref()?;
        if !target.is_seen() {
            return by_readings("it is not installed".into());
        }
        let heard = hearing.hears(service);
        let among =
            hearing.ears.len() < limits::EARS_PER_HOST_MAX || hearing.ears.contains_key(service);
        // One that was asked for counts itself.
        let asked = hearing
            .ears
            .get(service)
            .is_some_and(|ear| ear.id.is_some());
        match &heard {
            Hears::Soon if !among => by_readings(format!(
                "no more than {} services of a host are heard at once",
                limits::EARS_PER_HOST_MAX
            )),
            Hears::Soon if !asked && self.ears >= limits::EARS_MAX => by_readings(format!(
                "no more than {} services are heard at once",
                limits::EARS_MAX
            )),
            Hears::AtOnce { .. }
            | Hears::ByItself { .. }
            | Hears::Soon
            | Hears::ByReadings { .. } => Some(heard),
        }
    }

    /// The planted fault that takes news for a reading.
    fn believe_news(
        &mut self,
        now: Now,
        name: &Name,
        service: &Name,
        state: crate::observe::State,
        step: &mut Step,
    ) {
        let place = self.hosts.get(name).and_then(|host| host.find(service));
        let reading = Reading {
            state,
            pid: None,
            exit_code: None,
            service_exit_code: None,
            checkpoint: 0,
            wait_hint: Span::ZERO,
        };
        if let Some(place) = place {
            self.see(now, name, place, Sight::Read(reading), false, step);
        }
    }
}

fn is_instant(host: &Host, target: &Target) -> bool {
    let entry = host.plan.services.get(target.entry);
    entry.is_some_and(|entry| entry.instant)
}

/// The services of a host that are to be heard at once: as many as may be, by the order of their entries.
fn wanted(host: &Host) -> Vec<Name> {
    let mut targets: Vec<&Target> = host
        .targets
        .iter()
        .filter(|target| target.is_seen() && !target.row.hidden && is_instant(host, target))
        .collect();
    targets.sort_by_key(|target| target.entry);
    let names = targets.iter().map(|target| target.row.service.clone());
    names.take(limits::EARS_PER_HOST_MAX).collect()
}
