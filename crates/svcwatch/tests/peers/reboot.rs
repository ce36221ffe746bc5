//! A reboot as Wine and Samba show it: the service control manager ends and comes back with other processes.

use std::sync::Arc;

use svcwatch::probe::{Access, Encryption, Prober};
use svcwatch_core::effect::{Effect, Step};
use svcwatch_core::engine::Engine;
use svcwatch_core::event::{Event, Verdict};
use svcwatch_core::id::{Name, StoreId};
use svcwatch_core::notice::{Kind, Notice, ToldEvent};
use svcwatch_core::plan::{
    DestinationPlan, EntryPlan, Expect, HostPlan, Plan, Selector, StoppedOk,
};
use svcwatch_core::record::{Record, Restored};
use svcwatch_core::time::{Now, Span, Tick, Wall};

use crate::support::samba::{Samba, Settings};
use crate::support::wine::WineHost;
use crate::support::{ADMINISTRATOR, PASSWORD};
use crate::{HOST, access, read, request};

/// The deciding part, with real answers and a clock of its own.
struct Watch {
    engine: Engine,
    prober: Prober,
    access: Access,
    now: u64,
    told: Vec<Arc<Notice>>,
    boots: usize,
}

impl Watch {
    /// Watches two services of the host, of which only one starts by itself.
    fn start(access: Access) -> (Self, Step) {
        let entry = |name: &str| EntryPlan {
            selector: Selector::Name(Name::new(name)),
            expect: Expect::Running,
            for_span: Span::ZERO,
            confirm: 1,
            required: true,
            stopped_ok: StoppedOk::Never,
            changes: false,
            noise: None,
            counted: false,
            remedy: None,
            recovery: false,
            instant: false,
            friendly_name: None,
            severity: None,
            labels: Arc::from([]),
        };
        let host = HostPlan {
            name: Name::new(HOST),
            address: HOST.into(),
            site: None,
            account: None,
            every: Span::seconds(30).into(),
            timeout: Span::seconds(30),
            host_for: Span::seconds(90),
            settle: Span::seconds(3),
            boot_grace: Span::minutes(10),
            also_known_as: Vec::new(),
            listed: false,
            tells_by_itself: false,
            labels: Arc::from([]),
            services: vec![entry("PlugPlay"), entry("Spooler")],
        };
        let plan = Plan {
            hosts: vec![Arc::new(host)],
            destinations: vec![DestinationPlan {
                name: Name::new("hook"),
                recipients: vec![Arc::from("")],
                limit: None,
            }],
            ..Plan::default()
        };
        let restored = Restored {
            store: StoreId([3; 16]),
            ..Restored::default()
        };
        let (engine, step) = Engine::restore(restored, &Arc::new(plan), clocks(0));
        let watch = Self {
            engine,
            prober: Prober::new(),
            access,
            now: 0,
            told: Vec::new(),
            boots: 0,
        };
        (watch, step)
    }

    /// Carries out a step and what follows from it, at this moment of its clock.
    async fn carry_out(&mut self, step: Step) {
        let mut steps = vec![step];
        while let Some(step) = steps.pop() {
            let booted = |record: &&Record| matches!(record, Record::Host(row) if row.boot.grace_until.is_some());
            self.boots += step.commit.iter().filter(booted).count();
            for effect in step.effects {
                let event = match effect {
                    Effect::Probe(request) => {
                        Event::Observed(self.prober.check(&request, &self.access).await)
                    }
                    Effect::Render {
                        delivery, notice, ..
                    } => {
                        self.told.push(notice);
                        let payload = Ok(Arc::from(*b"message"));
                        Event::Rendered { delivery, payload }
                    }
                    Effect::ReadConfig { host, services } => {
                        let timeout = Span::seconds(30);
                        let services = self.prober.read_config(&host, &services, timeout).await;
                        Event::ConfigRead { host, services }
                    }
                    Effect::Send { delivery, .. } => Event::Settled {
                        delivery,
                        verdict: Verdict::Delivered,
                        answer: String::new(),
                    },
                    Effect::Gather(request) => Event::Gathered {
                        host: request.host,
                        gather: request.gather,
                        found: Vec::new(),
                    },
                    Effect::Forget { .. }
                    | Effect::Visit(_)
                    | Effect::Leave(_)
                    | Effect::AnswerVisit { .. }
                    | Effect::Act(_)
                    | Effect::Listen { .. }
                    | Effect::StopListening { .. }
                    | Effect::Show(_)
                    | Effect::Note(_) => continue,
                };
                steps.push(self.engine.apply(clocks(self.now), event));
            }
        }
    }

    /// Lets time pass on its clock, with real answers.
    async fn pass(&mut self, span: Span) {
        let end = self.now + span.0;
        while let Some(due) = self.engine.next_deadline().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            let step = self.engine.apply(clocks(self.now), Event::Tick);
            self.carry_out(step).await;
        }
        self.now = end;
    }

    fn words(&self) -> Vec<(Kind, ToldEvent)> {
        let word = |notice: &Arc<Notice>| (notice.kind, notice.event);
        self.told.iter().map(word).collect()
    }
}

fn clocks(now: u64) -> Now {
    Now {
        tick: Tick(now),
        wall: Wall(1_790_000_000_000) + Span(now),
    }
}

#[tokio::test]
async fn all_processes_are_others_and_what_did_not_come_back_is_one_notice() {
    let mut host = WineHost::start();
    host.start_service("Spooler");
    let access = access(host.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    let (mut watch, first) = Watch::start(access);
    watch.carry_out(first).await;
    watch.pass(Span::minutes(2)).await;
    assert_eq!((watch.words(), watch.boots), (Vec::new(), 0));

    host.shut_down();
    watch.pass(Span::seconds(45)).await;
    host.boot();
    watch.pass(Span::minutes(9)).await;
    assert!(watch.boots > 0, "the boot was seen");
    assert_eq!(watch.words(), [], "what does not run may still come back");
    watch.pass(Span::minutes(5)).await;
    assert_eq!(watch.words(), [(Kind::Summary, ToldEvent::AfterBoot)]);
    let services: Vec<_> = watch.told[0]
        .items
        .iter()
        .map(|item| &item.service)
        .collect();
    assert_eq!(
        services,
        [&Some(Name::new("Spooler"))],
        "which starts on demand"
    );
}

#[tokio::test]
async fn samba_answers_the_time_and_does_not_tell_how_long_it_runs() {
    let samba = Samba::start(&Settings::default());
    let prober = Prober::new();
    let access = access(samba.port(), ADMINISTRATOR, PASSWORD, Encryption::Required);
    let mut asks = request(&[]);
    asks.uptime = true;
    for _ in 0..3 {
        let observation = prober.check(&asks, &access).await;
        assert!(observation.session_kept, "{observation:?}");
        let reading = read(observation);
        assert!(!reading.services.is_empty());
        // Samba gives 0, which means that it does not know.
        assert_eq!(reading.uptime, None);
    }
    // And the service control manager is still asked over the session of the first check.
    let mut kept = request(&[]);
    kept.may_log_on = false;
    assert!(!read(prober.check(&kept, &access).await).services.is_empty());
    assert_eq!(prober.sessions(), 1);
}

#[tokio::test]
async fn a_samba_that_comes_back_under_another_name_is_believed_nothing() {
    let samba = Samba::start(&Settings::default());
    let port = samba.port();
    let (mut watch, first) =
        Watch::start(access(port, ADMINISTRATOR, PASSWORD, Encryption::Required));
    watch.carry_out(first).await;
    watch.pass(Span::minutes(5)).await;
    watch.told.clear();

    drop(samba);
    let other = Settings {
        extra: vec!["netbios name = OTHER"],
        ..Settings::default()
    };
    let other = Samba::start_on(port, &other);
    watch.pass(Span::minutes(5)).await;
    assert_eq!(watch.words(), [(Kind::Opened, ToldEvent::WrongHost)]);
    let cause = watch.told[0].cause.clone().unwrap_or_default();
    assert!(cause.contains("OTHER"), "{cause}");

    drop(other);
    let _samba = Samba::start_on(port, &Settings::default());
    watch.pass(Span::minutes(5)).await;
    assert_eq!(
        watch.words(),
        [
            (Kind::Opened, ToldEvent::WrongHost),
            (Kind::Resolved, ToldEvent::HostRecovered)
        ]
    );
}
