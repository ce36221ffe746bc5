//! A new plan. What stays is told apart by its name; what is new begins, and what is gone ends.

use super::{Engine, listed::Selected};
use crate::{
    account::Account,
    effect::{Effect, Step},
    host::{self, Host},
    id::{Name, Subject},
    notice::{Notice, ToldEvent},
    plan::{HostPlan, NO_ENTRY, Named, Plan, Selector},
    record::{BootRow, HostRow, Record, TargetRow},
    time::Now,
    view::View,
};
use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

impl Engine {
    /// Replaces the plan as one.
    pub(super) fn replace_plan(&mut self, now: Now, plan: &Arc<Plan>, step: &mut Step) {
        self.plan = Arc::clone(plan);
        self.mutes.set_windows(&plan.maintenance);
        self.guests.set_hosts(plan);
        let planned: BTreeSet<&Name> = plan.hosts.iter().map(|host| &host.name).collect();
        let gone: Vec<Name> = self
            .hosts
            .keys()
            .filter(|name| !planned.contains(name))
            .cloned()
            .collect();
        self.replace_accounts(plan);
        let mut vanished = Vec::new();
        for name in gone {
            vanished.extend(self.forget_host(now, &name, step));
        }
        self.outbox.replan(now, plan);
        self.outbox.park_removed(step);
        self.tell_vanished(now, vanished, step);
        let mut begun = Vec::new();
        for (place, host) in plan.hosts.iter().enumerate() {
            if self.place_host(now, host, u64::try_from(place).unwrap_or(0), step) {
                begun.push(host.name.clone());
            }
        }
        self.first_look.begin(now, begun);
        self.place_groups(now, plan, step);
        self.dismiss_guests(step);
        self.end_orphans(now, step);
        let told: Vec<Subject> = self
            .incidents
            .iter()
            .filter(|(_, one)| one.row.told)
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in told {
            self.plan_reminder(now, &subject);
        }
        for host in &plan.hosts {
            self.show_host(&host.name, step);
            self.listen_as_planned(now, &host.name, step);
        }
    }

    fn replace_accounts(&mut self, plan: &Plan) {
        // One that the plan lacks is kept as it is: it may return, and its numbers never go back.
        for name in &plan.accounts {
            self.accounts
                .entry(name.clone())
                .or_insert_with(|| Account::new(name));
        }
    }

    /// Puts a host of the plan in its place; whether it has something to look at for the first time.
    fn place_host(&mut self, now: Now, plan: &Arc<HostPlan>, place: u64, step: &mut Step) -> bool {
        let scheduled = self.schedule.knows(&plan.name);
        let dead = self
            .hosts
            .get(&plan.name)
            .and_then(|host| host.row.fault)
            .is_some_and(host::is_silent);
        self.schedule
            .add(now, &plan.name, &plan.every, plan.timeout, place, dead);
        if let Some(host) = self.hosts.get_mut(&plan.name) {
            if !scheduled && Arc::ptr_eq(&host.plan, plan) {
                note_listed(host, plan, step);
                self.lay_plan(now, &plan.name, step);
                return true;
            }
            let account_changed =
                host.plan.account != plan.account || host.plan.address != plan.address;
            if account_changed {
                self.host_is_left(now, &plan.name, step);
            }
            let Some(host) = self.hosts.get_mut(&plan.name) else {
                return false;
            };
            let shown_changed = host.plan.labels != plan.labels || host.plan.site != plan.site;
            let entries_changed = host.plan.services != plan.services;
            let before = core::mem::replace(&mut host.plan, Arc::clone(plan));
            note_listed(host, plan, step);
            if account_changed {
                host.refused_until = None;
                host.refusal = None;
                host.session_kept = false;
                if host.row.refused_until.take().is_some() {
                    step.commit.push(Record::Host(host.row.clone()));
                }
                self.leave_account(now, before.account.as_ref(), plan, place);
                self.take_rest(now, &plan.name, step);
            }
            if entries_changed || shown_changed || !scheduled {
                self.select_again(now, &plan.name, &before, step);
            }
            let host = self.hosts.get(&plan.name);
            return !scheduled
                || host.is_some_and(|host| host.targets.iter().any(|target| !target.looked));
        }
        let row = self.retired_hosts.remove(&plan.name).map(|row| HostRow {
            removed: false,
            fault: None,
            cause: None,
            wrong_since: None,
            refused_until: None,
            boot: BootRow::default(),
            listed: plan.listed,
            ..row
        });
        let host = Host::new(Arc::clone(plan), row, now);
        step.commit.push(Record::Host(host.row.clone()));
        self.hosts.insert(plan.name.clone(), host);
        self.take_rest(now, &plan.name, step);
        self.select_again(now, &plan.name, plan, step);
        self.show_host(&plan.name, step);
        true
    }

    /// A host is read with another account or at another address: an answer that is still under way is late.
    fn leave_account(&mut self, now: Now, account: Option<&Name>, plan: &HostPlan, place: u64) {
        if let Some(account) = account.and_then(|account| self.accounts.get_mut(account)) {
            account.forget(&plan.name);
        }
        if self.schedule.under_way(&plan.name).is_some() {
            self.schedule.remove(&plan.name);
            self.schedule
                .add(now, &plan.name, &plan.every, plan.timeout, place, false);
        }
    }

    /// Finds the entry of every target of a host anew: some targets are watched differently now, some not any more,
    /// and services that somebody named are watched from the start.
    fn select_again(&mut self, now: Now, name: &Name, before: &HostPlan, step: &mut Step) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let plan = Arc::clone(&host.plan);
        let mut named = Named::of(&plan);
        let mut shown = Vec::new();
        for place in 0..host.targets.len() {
            let Some(target) = host.targets.get(place) else {
                continue;
            };
            let row = &target.row;
            let start_type = row.selected_start.or(row.start_type);
            let entry = named
                .find(&row.service)
                .or_else(|| plan.entry_for(&row.service, row.display_name.as_deref(), start_type));
            match entry {
                None => {
                    if let Some(target) = host.targets.get_mut(place) {
                        target.entry = NO_ENTRY;
                    }
                }
                Some(entry) => {
                    let was = before
                        .services
                        .get(target.entry)
                        .map(|entry| (entry.for_span, entry.expect, entry.recovery));
                    let is = plan
                        .services
                        .get(entry)
                        .map(|entry| (entry.for_span, entry.expect, entry.recovery));
                    let alike = before
                        .services
                        .get(target.entry)
                        .zip(plan.services.get(entry))
                        .is_none_or(|(was, is)| was.judges_like(is));
                    shown.push(row.service.clone());
                    let Some(target) = host.targets.get_mut(place) else {
                        continue;
                    };
                    target.entry = entry;
                    if !alike {
                        target.judge_again();
                    }
                    if was.is_some() && was != is {
                        target.start_again(now);
                        step.commit.push(Record::Target(target.row.clone()));
                    }
                }
            }
        }
        self.lay_plan(now, name, step);
        for service in shown {
            self.show_service(name, &service, step);
        }
    }

    /// Lets go of the targets of a host that no entry of its plan means, and watches what somebody named.
    fn lay_plan(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        let targets = host.targets.iter();
        let gone: Vec<Name> = targets
            .filter(|target| target.entry == NO_ENTRY)
            .map(|target| target.row.service.clone())
            .collect();
        for service in gone {
            self.unwatch(now, name, &service, step);
        }
        self.watch_named(now, name, step);
        // The next list is looked at as if it were new, so that patterns find what they now mean.
        if let Some(host) = self.hosts.get_mut(name) {
            host.targets_changed();
            host.forget_list();
        }
    }

    /// Watches what somebody named on a host, seen or not.
    fn watch_named(&mut self, now: Now, name: &Name, step: &mut Step) {
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        let mut watched = alloc::vec![false; host.plan.services.len()];
        for target in &host.targets {
            if let Some(watched) = watched.get_mut(target.entry) {
                *watched = true;
            }
        }
        let entries = host.plan.services.iter().enumerate();
        let named: Vec<(Name, usize)> = entries
            .filter(|(place, _)| watched.get(*place) == Some(&false))
            .filter_map(|(place, entry)| match &entry.selector {
                // What may be missing is watched once it was seen.
                Selector::Name(service)
                    if (entry.required || entry.counted) && host.find(service).is_none() =>
                {
                    Some((service.clone(), place))
                }
                Selector::Name(_)
                | Selector::NameGlob(_)
                | Selector::DisplayName(_)
                | Selector::Start(_) => None,
            })
            .collect();
        for (service, entry) in named {
            let selected = Selected {
                service,
                display_name: None,
                entry,
                start_type: None,
            };
            self.watch(now, name, selected, step);
        }
    }

    /// Does not watch a service any more. An open incident of it ends with that.
    pub(super) fn unwatch(&mut self, now: Now, host_name: &Name, service: &Name, step: &mut Step) {
        let subject = Subject::Service {
            host: host_name.clone(),
            service: service.clone(),
        };
        self.fine(now, &subject, ToldEvent::Unwatched, step);
        let Some(host) = self.hosts.get_mut(host_name) else {
            return;
        };
        let Some(target) = host.remove(service) else {
            return;
        };
        self.retired_targets
            .insert((host_name.clone(), service.clone()), target.row.seq);
        step.commit.push(Record::Target(TargetRow {
            removed: true,
            wrong_since: None,
            details: None,
            ..target.row
        }));
        step.effects.push(Effect::Show(View::ServiceGone {
            host: host_name.clone(),
            service: service.clone(),
        }));
    }

    /// Does not watch a host any more. Gives what is to be told of that, where a list named it.
    fn forget_host(&mut self, now: Now, name: &Name, step: &mut Step) -> Option<Notice> {
        let services: Vec<Name> = self
            .hosts
            .get(name)
            .map(|host| {
                host.targets
                    .iter()
                    .map(|target| target.row.service.clone())
                    .collect()
            })
            .unwrap_or_default();
        for service in services {
            self.unwatch(now, name, &service, step);
        }
        self.fine(
            now,
            &Subject::Visibility(name.clone()),
            ToldEvent::Unwatched,
            step,
        );
        self.fine(
            now,
            &Subject::Host(name.clone()),
            ToldEvent::Unwatched,
            step,
        );
        let vanished = self.vanishing(now, name, step);
        self.host_is_left(now, name, step);
        for account in self.accounts.values_mut() {
            account.forget(name);
        }
        self.schedule.remove(name);
        self.night.forget(name);
        self.first_look.looked(name);
        self.stop_listening(name, step);
        if let Some(host) = self.hosts.remove(name) {
            let row = HostRow {
                removed: true,
                ..host.row
            };
            step.commit.push(Record::Host(row.clone()));
            self.retired_hosts.insert(name.clone(), row);
        }
        step.effects.push(Effect::Forget { host: name.clone() });
        step.effects
            .push(Effect::Show(View::HostGone(name.clone())));
        vanished
    }

    /// Ends incidents whose subject is gone: nothing could ever end them later.
    fn end_orphans(&mut self, now: Now, step: &mut Step) {
        let orphans: Vec<Subject> = self
            .incidents
            .iter()
            .filter(|(subject, _)| !self.is_known(subject))
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in orphans {
            self.fine(now, &subject, ToldEvent::Unwatched, step);
        }
    }
}

/// Keeps whether a list names a host: once it does not, perhaps while we are not running, that is told.
fn note_listed(host: &mut Host, plan: &HostPlan, step: &mut Step) {
    if host.row.listed != plan.listed {
        host.row.listed = plan.listed;
        step.commit.push(Record::Host(host.row.clone()));
    }
}
