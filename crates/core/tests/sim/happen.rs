//! What becomes of the world when something happens.

use crate::{
    instant::Turn,
    item::Item,
    machines::{Machine, Mode},
    services::Visible,
    story::{
        AccountChange, DestinationChange, MachineChange, Reload, ServiceChange, StoreChange, What,
    },
    world::World,
};
use std::sync::Arc;
use svcwatch_core::{
    event::Event,
    glob::Glob,
    id::{IncidentId, Name},
    observe::{Fault, Refusal, State},
    plan::{Expect, HostPlan, Plan},
    time::Span,
};

impl World {
    /// Something happens.
    pub(crate) fn happen(&mut self, item: Item) {
        match item {
            Item::Happening(at) => {
                let what = self.story[at].what.clone();
                self.turn(&what);
            }
            Item::Probe(request, began) => self.probe_returns(&request, began),
            Item::LateProbe(observation) => {
                // While the store holds the monitor up it cannot know how late an answer is.
                let held_up = self
                    .writing
                    .as_ref()
                    .is_some_and(|one| one.failed.is_some());
                if !held_up && self.store_mode.0 == StoreChange::Heal {
                    self.tell(Event::Observed(*observation));
                }
            }
            Item::GiveUp(host, probe) => {
                if self.oracle.probe_ends(&host, probe) {
                    self.oracle.readings.failed(self.now, &host, Fault::Timeout);
                }
            }
            Item::Config(host, services) => {
                let Some(&machine) = self.names.get(&host) else {
                    return;
                };
                let services = self.machines[machine].config(self.now, &services);
                self.tell(Event::ConfigRead { host, services });
            }
            Item::Asks => self.asks(),
            Item::AsksMany(account) => self.asks_many(account),
            Item::Visit(request, began) => self.visit_returns(&request, began),
            Item::Gathered(request) => self.gathered(&request),
            Item::Stirs(host) => self.stirred(&host),
            Item::StirIsOver(host, heard) => self.judge_stir(&host, heard),
            Item::Ear(turn) => self.turn_ear(turn),
            Item::Rendered(delivery, payload) => self.tell(Event::Rendered {
                delivery,
                payload: Ok(payload),
            }),
            Item::Sent(sending) => self.sent(&sending),
            Item::Act(request) => self.act_ends(&request),
            Item::Acted(act, outcome) => self.answer_act(&act, outcome),
            Item::Committed(batch, written, counts) => self.committed(batch, written, counts),
            Item::Up => self.come_up(),
            Item::Quiet => self.quiet(),
            Item::Unmute => self.end_all_silences(),
            Item::Canary(back) => self.canary(back),
            Item::End => {}
        }
    }

    fn turn(&mut self, what: &What) {
        match what {
            What::Service(machine, service, change) => {
                self.machines[*machine].services[*service].change(self.now, *change);
                self.stirs(*machine);
                self.look_at_ears();
                if let Some((_, steps, step)) = self.machines[*machine].services[*service].then {
                    self.later(self.now + u64::from(steps) * step, Item::Ear(Turn::Look));
                }
            }
            What::Machine(machine, change) => self.turn_machine(*machine, change),
            What::Account(account, change) => self.turn_account(*account, *change),
            What::Destination(destination, change) => {
                let known = &mut self.destinations[*destination];
                known.mode = *change;
                known.since = self.now;
            }
            What::Store(change) => self.store_mode = (*change, self.now),
            What::Clock(by) => {
                self.wall_off += by;
                self.oracle.jumps.push((self.now, *by));
                self.tell(Event::ClockJumped { by: *by });
                self.calendar();
            }
            What::Silence(about, wait, length) => self.silence(*about, *wait, *length),
            What::EndSilence(which) => self.end_silence(*which),
            What::Crash(down) => self.crash(*down),
            What::CrashAtCommit(down) => self.dies_at_commit = Some(*down),
            What::Reload(reload) => self.reload(*reload),
            What::Acknowledge(which) => {
                let open: Vec<&IncidentId> = self.store.open.values().collect();
                let count = u64::try_from(open.len()).unwrap_or(0).max(1);
                let place = usize::try_from(which % count).unwrap_or(0);
                if let Some(incident) = open.get(place).map(|id| (*id).clone()) {
                    self.tell(Event::Acknowledge {
                        incident,
                        by: "ann".to_string(),
                        note: "on it".to_string(),
                    });
                }
            }
        }
    }

    fn turn_machine(&mut self, at: usize, change: &MachineChange) {
        // Somebody else can only take the place of a computer that is known already.
        let needs_known = matches!(change, MachineChange::Impostor | MachineChange::Rename);
        if needs_known && !self.is_known(at) {
            return;
        }
        self.machines[at].change(self.now, change);
        self.look_at_ears();
        if let MachineChange::ShutDownAndBoot(down, ..) = change {
            self.foresee_news(*down);
        }
    }

    /// Whether the monitor has remembered the computer name of a machine under each name that it has in the plan.
    fn is_known(&self, at: usize) -> bool {
        let mut names = self
            .names
            .iter()
            .filter(|(_, machine)| **machine == at)
            .map(|(name, _)| name);
        names.all(|name| {
            let planned = self.plan.hosts.iter().any(|host| host.name == *name);
            let remembered = self
                .store
                .hosts
                .get(name)
                .is_some_and(|row| row.computer_name.is_some());
            remembered || !planned
        })
    }

    fn turn_account(&mut self, at: usize, change: AccountChange) {
        let account = &mut self.accounts[at];
        let name = account.name.clone();
        account.since = self.now;
        match change {
            AccountChange::Refused(refusal) => {
                account.refused = Some(refusal);
                // What guests say of an account is believed no sooner than that they refuse its password.
                let at_once =
                    refusal != Refusal::WrongPassword && self.plan.guests.allow.is_empty();
                self.oracle
                    .logons
                    .turns(self.now, &name, true, (at_once, account.passwords));
            }
            AccountChange::Heal { told } => {
                account.refused = None;
                self.oracle.logons.turns(self.now, &name, false, (false, 1));
                if told {
                    self.oracle.logons.unproven(Some(&name));
                    self.callers.secret_changed(&name);
                    self.tell(Event::SecretChanged { account: name });
                }
            }
        }
    }

    /// Gives the monitor a changed configuration.
    pub(crate) fn replan(&mut self, change: impl FnOnce(&mut Plan)) {
        let mut plan = Plan::clone(&self.plan);
        change(&mut plan);
        self.plan = Arc::new(plan);
        self.oracle.plans.push((self.now, Arc::clone(&self.plan)));
        self.ears.replanned();
        self.tell(Event::PlanReplaced(Arc::clone(&self.plan)));
    }

    /// Changes a machine in the plan under each of its names, since it may have been renamed.
    fn replan_host(&mut self, machine: usize, change: impl Fn(&mut HostPlan)) {
        let names = self.names_of(machine);
        self.replan(|plan| {
            let hosts = plan.hosts.iter_mut();
            hosts
                .filter(|host| names.contains(&host.name))
                .for_each(|host| change(Arc::make_mut(host)));
        });
    }

    fn reload(&mut self, reload: Reload) {
        match reload {
            Reload::RemoveHost(machine) => {
                let names = self.names_of(machine);
                self.replan(|plan| plan.hosts.retain(|host| !names.contains(&host.name)));
            }
            Reload::ReturnHost(machine) => {
                self.plan_host(machine, crate::setup::host_name(machine));
            }
            Reload::RenameHost(machine) => {
                if self.is_itself(machine) {
                    self.plan_host(machine, Name::new(&format!("new{machine}")));
                }
            }
            Reload::RemoveService(machine) => {
                self.replan_host(machine, |host| {
                    if host.services.len() > 1 {
                        host.services.remove(0);
                    }
                });
            }
            Reload::ReturnService(machine) => {
                let services = self.setup.plan.hosts[machine].services.clone();
                self.replan_host(machine, |host| host.services.clone_from(&services));
            }
            Reload::ChangeFor(machine, length) => {
                self.replan_host(machine, |host| {
                    for entry in &mut host.services {
                        entry.for_span = Span(length);
                    }
                });
            }
            Reload::RemoveDestination(at) => {
                let name = self.destinations[at].name.clone();
                self.replan(|plan| plan.destinations.retain(|known| known.name != name));
            }
            Reload::ReturnDestination(at) => self.return_destination(at),
            Reload::AllowName(machine) => {
                self.replan_host(machine, |host| {
                    host.also_known_as = vec![Glob::new("computer*-new")];
                });
            }
            Reload::RemoveGroup | Reload::ReturnGroup | Reload::ChangeGroup(_) => {
                self.reload_group(reload);
            }
            Reload::Same => self.replan(|_| {}),
        }
    }

    fn return_destination(&mut self, at: usize) {
        let returned = self.setup.plan.destinations[at].clone();
        if !self
            .plan
            .destinations
            .iter()
            .any(|known| known.name == returned.name)
        {
            self.replan(|plan| plan.destinations.push(returned));
        }
    }

    /// Watches a machine under this name, and under no other.
    fn plan_host(&mut self, machine: usize, name: Name) {
        let names = self.names_of(machine);
        let mut planned = HostPlan::clone(&self.setup.plan.hosts[machine]);
        planned.name = name.clone();
        if self.plan.hosts.iter().any(|host| host.name == name) {
            return;
        }
        let first_time = !self.names.contains_key(&name);
        if first_time && !self.is_itself(machine) {
            return;
        }
        // Who watches a host again has it tried again.
        self.oracle.logons.allow(None);
        self.machines[machine].session = None;
        self.names.insert(name, machine);
        self.replan(|plan| {
            plan.hosts.retain(|host| !names.contains(&host.name));
            plan.hosts.push(Arc::new(planned));
        });
    }

    /// Whether a machine answers under its own name.
    fn is_itself(&self, machine: usize) -> bool {
        let machine: &Machine = &self.machines[machine];
        machine.mode != Mode::Impostor && !machine.computer.ends_with("-NEW")
    }

    fn names_of(&self, machine: usize) -> Vec<Name> {
        self.names
            .iter()
            .filter(|(_, at)| **at == machine)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// From now on everything is well, but for services that are left as they are.
    fn quiet(&mut self) {
        self.quiet_since = Some(self.now);
        self.dies_at_commit = None;
        self.end_all_silences();
        for machine in 0..self.machines.len() {
            if self.machines[machine].mode != Mode::Well || !self.is_itself(machine) {
                self.machines[machine].change(self.now, &MachineChange::Heal);
            }
            self.machines[machine].show_all();
        }
        for account in 0..self.accounts.len() {
            if self.accounts[account].refused.is_some() {
                self.turn_account(account, AccountChange::Heal { told: true });
            }
        }
        for destination in 0..self.destinations.len() {
            if self.destinations[destination].mode != DestinationChange::Heal {
                self.turn(&What::Destination(destination, DestinationChange::Heal));
            }
            self.return_destination(destination);
        }
        if self.store_mode.0 != StoreChange::Heal {
            self.store_mode = (StoreChange::Heal, self.now);
        }
    }

    /// One running service of each host goes down, or comes back.
    fn canary(&mut self, back: bool) {
        if back {
            for (machine, service) in std::mem::take(&mut self.canaries) {
                self.machines[machine].services[service].change(self.now, ServiceChange::Start);
            }
            self.look_at_ears();
            return;
        }
        for at in 0..self.machines.len() {
            let names = self.names_of(at);
            let plan = Arc::clone(&self.plan);
            let Some(host) = plan.hosts.iter().find(|host| names.contains(&host.name)) else {
                continue;
            };
            let now = self.now;
            let canary = self.machines[at].services.iter().position(|service| {
                let entry = crate::readings::entry_of(host, &service.name);
                service.state(now).0 == State::Running
                    && service.visible() == Visible::Listed
                    && entry.is_some_and(|entry| {
                        entry.expect == Expect::Running && entry.selector.is_named()
                    })
            });
            if let Some(service) = canary {
                self.machines[at].services[service].change(now, ServiceChange::Die(1));
                self.canaries.push((at, service));
            }
        }
        self.look_at_ears();
    }
}
