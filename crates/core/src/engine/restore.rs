//! A start: what the store kept becomes what is known, and the plan is laid over it.

use super::Engine;
use crate::{
    account::Account,
    effect::Step,
    evidence::Queue,
    first_look::FirstLook,
    group::Groups,
    guest::Guests,
    host::Host,
    id::{Name, Subject},
    incident::Incidents,
    limits,
    night::Night,
    outbox::Outbox,
    plan::{HostPlan, NO_ENTRY, Named, Plan},
    planted::{self, Planted},
    policy::recovery,
    record::{HostRow, IncidentRow, Restored, TargetRow},
    remedy::Tries,
    schedule::Schedule,
    silence::Mutes,
    target::Target,
    time::{Now, Span},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

impl Engine {
    /// The engine as it was when the store was last written, with this plan laid over it. A new store is an empty
    /// [`Restored`]. What the plan changes against what the store knows is in the returned step, to be committed
    /// before anything else.
    pub fn restore(restored: Restored, plan: &Arc<Plan>, now: Now) -> (Self, Step) {
        let Restored {
            store,
            last_record,
            hosts,
            targets,
            incidents,
            accounts,
            destinations,
            lanes,
            deliveries,
            silences,
            groups,
            remedies,
            feeds: _,
        } = restored;
        // The plan is laid over in two steps: first only what the store knows of it, then what is new in it.
        let outbox = Outbox::restore(now, plan, destinations, lanes, deliveries);
        let mut engine = Self {
            store,
            plan: Arc::new(Plan::default()),
            last_record,
            hosts: BTreeMap::new(),
            retired_targets: BTreeMap::new(),
            retired_hosts: BTreeMap::new(),
            accounts: BTreeMap::new(),
            incidents: Incidents::default(),
            groups: Groups::default(),
            guests: Guests::default(),
            outbox,
            schedule: Schedule::default(),
            names: BTreeSet::new(),
            details: BTreeSet::new(),
            first_look: FirstLook::default(),
            evidence: Queue::default(),
            mutes: Mutes::restored(if planted::is(Planted::SilencesForgotten) {
                Vec::new()
            } else {
                silences
            }),
            night: Night::default(),
            remedies: Tries::restored(remedies, now),
            unremedied: BTreeSet::new(),
            recovered: Vec::new(),
            unshown: BTreeSet::new(),
            complete: false,
            stopping: false,
            ears: 0,
            last_ear: 0,
        };
        engine
            .unshown
            .extend(plan.hosts.iter().map(|host| host.name.clone()));
        for row in accounts {
            engine
                .accounts
                .insert(row.account.clone(), Account::restored(row, now));
        }
        let known = groups.into_iter();
        engine.groups.retired = known
            .map(|row| ((row.group.clone(), row.service.clone()), row))
            .collect();
        engine.restore_hosts(now, plan, hosts, targets);
        engine.restore_boots(now);
        if !planted::is(Planted::IncidentsForgotten) {
            engine.restore_incidents(now, incidents);
        }
        let step = engine.lay_over(now, plan);
        (engine, step)
    }

    /// Lays the plan over what the store knows.
    fn lay_over(&mut self, now: Now, plan: &Arc<Plan>) -> Step {
        let mut step = Step::default();
        self.mutes.set_windows(&plan.maintenance);
        self.mutes.look(now.wall);
        self.show_silences(&mut step);
        self.replace_plan(now, plan, &mut step);
        self.give_up_restored_acts(now, &mut step);
        self.look_at_mutes(now, &mut step);
        self.show_more(&mut step);
        step
    }

    /// Hosts that the store knows, with their targets. Those that the plan lacks are taken as they were, so that the
    /// plan can end their incidents.
    fn restore_hosts(
        &mut self,
        now: Now,
        plan: &Plan,
        hosts: Vec<HostRow>,
        targets: Vec<Vec<TargetRow>>,
    ) {
        let planned: BTreeMap<&Name, &Arc<HostPlan>> =
            plan.hosts.iter().map(|host| (&host.name, host)).collect();
        for row in hosts {
            if row.removed {
                self.retired_hosts.insert(row.host.clone(), row);
                continue;
            }
            let row = HostRow {
                listed: row.listed && !planted::is(Planted::ListsForgotten),
                ..row
            };
            let host_plan = planned
                .get(&row.host)
                .map_or_else(|| Arc::new(unplanned(&row.host)), |known| Arc::clone(known));
            self.hosts
                .insert(row.host.clone(), Host::new(host_plan, Some(row), now));
        }
        for rows in targets {
            if let Some(host_name) = rows.first().map(|row| row.host.clone()) {
                self.restore_targets(now, &host_name, rows);
            }
        }
    }

    /// The targets of one host. There may be millions of them in all, so each is moved once.
    fn restore_targets(&mut self, now: Now, host_name: &Name, rows: Vec<TargetRow>) {
        let Some(host) = self.hosts.get_mut(host_name) else {
            for row in rows {
                self.retired_targets
                    .insert((row.host, row.service), row.seq);
            }
            return;
        };
        let plan = Arc::clone(&host.plan);
        let mut named = Named::of(&plan);
        host.targets.reserve_exact(rows.len());
        for row in rows {
            if row.removed {
                self.retired_targets
                    .insert((row.host, row.service), row.seq);
                continue;
            }
            let start_type = row.selected_start.or(row.start_type);
            let entry = named
                .find(&row.service)
                .or_else(|| plan.entry_for(&row.service, row.display_name.as_deref(), start_type));
            let for_span = entry
                .and_then(|at| plan.services.get(at))
                .map_or(Span::ZERO, |entry| recovery::needed(&row, entry));
            // A target that no entry means any more gets a place that no entry has; the plan then takes it away.
            host.targets.push(Target::restored(
                row,
                entry.unwrap_or(NO_ENTRY),
                for_span,
                now,
            ));
        }
        host.targets
            .sort_by(|one, other| one.row.service.cmp(&other.row.service));
    }

    fn restore_incidents(&mut self, now: Now, incidents: Vec<IncidentRow>) {
        for row in incidents {
            let subject = row.subject.clone();
            let gathered = row.first_look && !row.told;
            let (told, muted) = (row.told, row.muted.is_some());
            if row.resolved_at.is_some() {
                self.restore_end(now, row);
                continue;
            }
            self.incidents.add(now, row, limits::SHUTTING_DOWN_MAX);
            if gathered {
                self.first_look.gather(now, subject);
            } else if told {
                self.plan_reminder(now, &subject);
            } else if muted {
                // It is told when nothing covers it any more.
            } else if self
                .incidents
                .of(&subject)
                .is_some_and(|incident| incident.held_until.is_none())
            {
                self.first_look.gather(now, subject);
            }
        }
    }

    /// Whether an incident of this subject can still be ended: its host, account or destination is known.
    pub(super) fn is_known(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Service { host, service } => self
                .hosts
                .get(host)
                .is_some_and(|host| host.find(service).is_some()),
            Subject::Host(host) | Subject::Visibility(host) => self.hosts.contains_key(host),
            Subject::Account(account) => self.plan.accounts.contains(account),
            Subject::Destination(name) => self
                .outbox
                .destinations()
                .any(|one| one.row.destination == *name && one.present),
            Subject::Fleet => true,
            Subject::Group { group, service } => self.groups.get(group, service).is_some(),
        }
    }
}

/// A host that the store knows and the plan does not.
fn unplanned(name: &Name) -> HostPlan {
    HostPlan {
        name: name.clone(),
        address: name.as_str().into(),
        site: None,
        account: None,
        every: Span::seconds(30).into(),
        timeout: Span::seconds(10),
        host_for: Span::ZERO,
        settle: Span::ZERO,
        boot_grace: Span::ZERO,
        also_known_as: Vec::new(),
        listed: false,
        tells_by_itself: false,
        labels: Arc::from([]),
        services: Vec::new(),
    }
}
