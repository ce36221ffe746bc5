//! What the monitor asks for, and how the world answers.

use crate::{
    item::{Item, Sending},
    ledger::End,
    oracle::Window,
    setup::SECOND,
    store::Recipient,
    story::{DestinationChange, StoreChange},
    world::{World, Writing},
};
use std::sync::Arc;
use svcwatch_core::{
    effect::{Effect, Fact, ProbeRequest},
    event::{Event, Verdict},
    id::{DeliveryKey, Name},
    limits,
    observe::{Asked, Fault, Logon, Observation, Outcome, State},
    pipeline::BatchId,
    record::Record,
    view::View,
};

impl World {
    /// Carries out one effect.
    pub(crate) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Probe(request) => self.probe(request),
            Effect::ReadConfig { host, services } => {
                let wait = self.chance[0].between(1, 100);
                self.later(self.now + wait, Item::Config(host, services));
            }
            Effect::Gather(request) => self.gather(request),
            Effect::Forget { host } => {
                self.oracle.logons.begun.remove(&host);
                self.ears.forget(&host);
                if let Some(machine) = self.names.get(&host) {
                    self.machines[*machine].session = None;
                }
            }
            Effect::Visit(request) => self.begin_visit(request),
            Effect::Leave(visit) => self.leave(&visit),
            Effect::AnswerVisit { visit, answer } => self.answered(&visit, &answer),
            Effect::Listen { host, service, ear } => self.listen(&host, &service, ear),
            Effect::StopListening { ear, .. } => self.ears.end(ear),
            Effect::Render {
                delivery,
                destination,
                recipient,
                notice,
            } => {
                let stored = self
                    .store
                    .deliveries
                    .get(&delivery)
                    .filter(|stored| stored.waits());
                if stored.is_none_or(|stored| *stored.row.notice != *notice || !stored.row.frozen) {
                    let sentence = format!(
                        "{delivery} to {destination} {recipient} is rendered, but is not durable so"
                    );
                    self.oracle.broken("I5", sentence);
                }
                let nonce = self.chance[1].next();
                let payload: Arc<[u8]> =
                    Arc::from([delivery.as_str().as_bytes(), &nonce.to_le_bytes()].concat());
                let wait = self.chance[1].between(1, 4);
                self.later(self.now + wait, Item::Rendered(delivery, payload));
            }
            Effect::Send {
                delivery,
                destination,
                recipient,
                payload,
                attempt: _,
            } => {
                if self
                    .oracle
                    .sends(&self.store, &delivery, &destination, &recipient, &payload)
                    .is_some()
                {
                    self.judge_promptness(&delivery);
                    self.send(delivery, &destination, &recipient);
                }
            }
            Effect::Act(request) => self.begin_act(request),
            Effect::Show(view) => self.show(view),
            Effect::Note(fact) => self.note(&fact),
        }
    }

    fn probe(&mut self, request: ProbeRequest) {
        let Some(&at) = self.names.get(&request.host) else {
            self.oracle.broken(
                "P3",
                format!("{} is probed, which was never planned", request.host),
            );
            return;
        };
        let session = self.machines[at].session.is_some();
        self.oracle.probe_begins(&request, session);
        self.reading_follows(&request.host, request.timeout.0);
        let give_up = self.now + request.timeout.0 + limits::PROBE_GRACE.0;
        self.later(give_up, Item::GiveUp(request.host.clone(), request.probe));
        let Some((wait, stale)) =
            self.machines[at].travel(self.now, request.timeout.0, &mut self.chance[0])
        else {
            return;
        };
        let arrives = self.now + wait;
        if stale {
            let observation = self.observation(&request, wait);
            self.later(arrives, Item::LateProbe(Box::new(observation)));
        } else {
            self.later(arrives, Item::Probe(request, self.now));
        }
    }

    fn observation(&mut self, request: &ProbeRequest, took: u64) -> Observation {
        let at = self.names.get(&request.host).copied().unwrap_or(0);
        let account = self.account_of(&request.host);
        let refused = account
            .as_ref()
            .and_then(|name| self.accounts.iter().find(|known| known.name == *name))
            .map_or((None, 1), |known| (known.refused, known.passwords));
        self.machines[at].answer(self.now, took, request, account.is_some(), refused)
    }

    /// The account that a host is read with.
    pub(crate) fn account_of(&self, host: &Name) -> Option<Name> {
        crate::readings::host_of(&self.plan, host).and_then(|host| host.account.clone())
    }

    /// A probe comes back in time, unless it was given up.
    pub(crate) fn probe_returns(&mut self, request: &ProbeRequest, began: u64) {
        let observation = self.observation(request, self.now - began);
        let host = &observation.host;
        if let Some(account) = self.account_of(host) {
            match (&observation.outcome, observation.logon) {
                (_, Logon::Accepted) => self.oracle.logon_accepted(&account),
                (Outcome::Fault(fault), _) if fault.fault == Fault::LogonRefused => {
                    for _ in 0..observation.refusals {
                        self.oracle.logon_refused(host, &account, began);
                    }
                }
                _ => {}
            }
        }
        self.say(|| crate::readings::words_of(&observation));
        self.look_at_ears();
        if self.oracle.probe_ends(host, request.probe) {
            self.believe(&observation);
            self.oracle.read_for_acts(host, began);
        }
        self.tell(Event::Observed(observation));
    }

    /// A reading is worth believing where the right computer gave it.
    fn believe(&mut self, observation: &Observation) {
        let host = &observation.host;
        let stored = self
            .store
            .hosts
            .get(host)
            .and_then(|row| row.computer_name.clone());
        let allowed = |name: &String| {
            stored
                .as_ref()
                .is_none_or(|known| known.eq_ignore_ascii_case(name))
                || crate::readings::host_of(&self.plan, host)
                    .is_some_and(|host| host.also_known_as.iter().any(|glob| glob.matches(name)))
        };
        let right = observation.computer_name.as_ref().is_none_or(allowed);
        match &observation.outcome {
            Outcome::LogonNeeded => {}
            Outcome::Fault(fault) => {
                let fault = if right { fault.fault } else { Fault::WrongHost };
                if fault == Fault::ShuttingDown {
                    self.oracle.says_so(host);
                }
                self.oracle.readings.failed(self.now, host, fault);
            }
            Outcome::Read(_) if !right => {
                self.oracle
                    .readings
                    .failed(self.now, host, Fault::WrongHost);
            }
            Outcome::Read(reading) => {
                for service in &reading.services {
                    if service.reading.state == State::Running && !service.name.starts_with("Fill")
                    {
                        self.oracle
                            .ran
                            .insert((host.clone(), Name::new(&service.name)));
                    }
                }
                for (name, asked) in &reading.asked {
                    if matches!(asked, Asked::Read(reading) if reading.state == State::Running) {
                        self.oracle.ran.insert((host.clone(), name.clone()));
                    }
                }
                let machine = self.names.get(host).copied().unwrap_or(0);
                let booted = self.machines[machine].booted_at(self.now);
                self.oracle.sees_boot(&self.store, host, booted, reading);
                self.oracle.readings.read(self.now, host, reading);
            }
        }
    }

    fn send(&mut self, key: DeliveryKey, destination: &Name, recipient: &Arc<str>) {
        let known = self
            .destinations
            .iter()
            .find(|known| known.name == *destination);
        let mode = known.map_or(DestinationChange::Vanish, |known| known.mode);
        let planned = self
            .plan
            .destinations
            .iter()
            .find(|known| known.name == *destination);
        let last = planned.and_then(|known| known.recipients.last());
        let chance = &mut self.chance[1];
        let quick = chance.between(5, 300);
        let (wait, taken, end) = match mode {
            DestinationChange::LoseAnswers(percent) if chance.chance(percent) => {
                (10 * SECOND, true, End::Retry(None))
            }
            DestinationChange::Throttle(after) => (quick, false, End::Retry(Some(after))),
            DestinationChange::Fail => (quick, false, End::Retry(None)),
            DestinationChange::Flaky(percent) if chance.chance(percent) => {
                (quick, false, End::Retry(None))
            }
            DestinationChange::Hang => (10 * SECOND, false, End::Retry(None)),
            DestinationChange::Vanish => (chance.between(1, 3 * SECOND), false, End::Retry(None)),
            DestinationChange::Reject => (quick, false, End::Rejected),
            DestinationChange::RejectSome(percent) if chance.chance(percent) => {
                (quick, false, End::Rejected)
            }
            DestinationChange::RejectLast if last == Some(recipient) => {
                (quick, false, End::Rejected)
            }
            _ => (quick, true, End::Delivered),
        };
        let sending = Sending {
            key,
            destination: destination.clone(),
            taken,
            end,
        };
        self.later(self.now + wait, Item::Sent(sending));
    }

    /// A try of a message ends.
    pub(crate) fn sent(&mut self, sending: &Sending) {
        self.say(|| {
            format!(
                "sent {} taken {} {:?}",
                sending.key, sending.taken, sending.end
            )
        });
        if sending.taken {
            self.oracle.takes(&self.store, &sending.key);
        }
        self.oracle
            .answers(&sending.key, &sending.destination, sending.end);
        let (verdict, answer) = match sending.end {
            End::Delivered => (Verdict::Delivered, "200"),
            End::Retry(after) => (
                Verdict::Retry {
                    after: after.map(svcwatch_core::time::Span),
                    reason: "not now".to_string(),
                },
                "503",
            ),
            End::Rejected => (
                Verdict::Rejected {
                    reason: "never".to_string(),
                },
                "400",
            ),
        };
        self.tell(Event::Settled {
            delivery: sending.key.clone(),
            verdict,
            answer: answer.to_string(),
        });
    }

    /// A batch is to be written.
    pub(crate) fn write(&mut self, batch: BatchId, records: Arc<[Record]>) {
        match self.writing.take() {
            Some(before) if before.failed.is_some() => {
                if before.batch != batch || before.records != records {
                    self.oracle.broken(
                        "P5",
                        "a batch whose commit failed was not tried again".to_string(),
                    );
                }
                self.writing = Some(Writing {
                    failed: None,
                    ..before
                });
            }
            Some(_) => {
                self.oracle
                    .broken("pipeline", "two batches are written at once".to_string());
                return;
            }
            None => {
                let follows = self.now <= self.last_batch.1 + 20;
                let from = if follows { self.last_batch.0 } else { self.now };
                let window = Window {
                    from: from.saturating_sub(20),
                    until: self.now,
                };
                self.last_batch.0 = self.now;
                self.writing = Some(Writing {
                    batch,
                    records,
                    window,
                    failed: None,
                    written: false,
                });
            }
        }
        if let Some(down) = self.dies_at_commit.take() {
            self.crash(down);
            return;
        }
        let chance = &mut self.chance[2];
        let (wait, written, counts) = match self.store_mode.0 {
            StoreChange::Heal => (chance.between(1, 12), true, true),
            StoreChange::Slow(most) => (chance.between(1, most), true, true),
            StoreChange::Fail => (chance.between(1, 100), false, false),
            StoreChange::FailWritten => (chance.between(1, 100), true, false),
        };
        if self.store_mode.0 != StoreChange::Heal {
            self.oracle.store_slow_at = self.now + wait;
        }
        self.later(self.now + wait, Item::Committed(batch, written, counts));
    }

    /// A commit ends.
    pub(crate) fn committed(&mut self, batch: BatchId, written: bool, counts: bool) {
        let Some(mut writing) = self.writing.take() else {
            return;
        };
        if written && !writing.written {
            self.write_rows(&writing);
            writing.written = true;
        }
        self.last_batch.1 = self.now;
        if !counts {
            writing.failed = Some(self.now);
            self.writing = Some(writing);
        }
        let clocks = self.clocks();
        let Some(monitor) = &mut self.monitor else {
            return;
        };
        if counts {
            let actions = monitor.committed(clocks, batch);
            self.act(actions);
        } else {
            monitor.commit_failed(clocks, batch);
        }
    }

    /// Writes the rows of a batch, each looked at first.
    pub(crate) fn write_rows(&mut self, writing: &Writing) {
        let wall = self.clocks().wall;
        self.oracle.judge_news(&self.store, &writing.records);
        self.oracle
            .judge_restarts(&self.store, writing.window, &writing.records);
        self.judge_vanished(&writing.records);
        for record in writing.records.iter() {
            self.say(|| words_of(record));
            self.oracle
                .before_write(&self.store, writing.window, record);
            if let Some((rule, sentence)) = self.store.apply(
                (writing.window.from, self.now),
                wall,
                std::slice::from_ref(record),
            ) {
                self.oracle.broken(rule, sentence);
            }
        }
        self.oracle.changes_are_whole();
    }

    fn show(&mut self, view: View) {
        match view {
            View::Host(view) => {
                self.page.hosts.insert(view.name.clone(), view);
            }
            View::HostGone(host) => {
                self.page.hosts.remove(&host);
                self.page.services.retain(|(known, _), _| *known != host);
            }
            View::Service(view) => {
                if let Some(incident) = &view.incident
                    && !self.store.incidents.contains_key(incident)
                {
                    self.oracle.broken(
                        "P5",
                        format!("incident {incident} is shown before it is durable"),
                    );
                }
                self.page
                    .services
                    .insert((view.host.clone(), view.service.clone()), view);
            }
            View::ServiceGone { host, service } => {
                self.page.services.remove(&(host, service));
            }
            View::Checked { .. }
            | View::Outbox { .. }
            | View::Silence(_)
            | View::SilenceGone(_)
            | View::Complete => {}
        }
    }

    fn note(&mut self, fact: &Fact) {
        self.note_ear(fact);
        if let Fact::IncidentOpened { incident, .. } | Fact::IncidentResolved { incident, .. } =
            fact
            && !self.store.incidents.contains_key(incident)
        {
            self.oracle.broken(
                "P5",
                format!("incident {incident} is noted before it is durable"),
            );
        }
    }

    /// The recipients at all destinations of the plan, each with its destination's place.
    pub(crate) fn recipients(&self) -> Vec<Recipient> {
        let mut all = Vec::new();
        for destination in &self.plan.destinations {
            all.extend(
                destination
                    .recipients
                    .iter()
                    .map(|one| (destination.name.clone(), Arc::clone(one))),
            );
        }
        all
    }
}

/// What a row says, short.
fn words_of(record: &Record) -> String {
    match record {
        Record::Delivery(row) => format!(
            "delivery {} #{} {} {} {:?} {} {} seq {} {:?} merged {:?} items {} frozen {} tries {} due {} reason {:?}",
            row.key,
            row.order,
            row.destination,
            row.recipient,
            row.notice.subject,
            row.notice.kind,
            row.notice.event,
            row.notice.seq,
            row.state,
            row.notice
                .merged
                .iter()
                .map(|merged| merged.incident.as_str())
                .collect::<Vec<_>>(),
            row.notice.items.len(),
            row.frozen,
            row.attempts,
            row.due.0,
            row.reason
        ),
        Record::History(row) => format!(
            "history {:?} seq {} {:?} {:?}",
            row.subject, row.seq, row.to, row.event
        ),
        other => format!("{other:?}"),
    }
}
