//! What the engine wants done, carried out with an account that shall not be locked out.

use super::super::actor::read;
use super::host::{Greeting, Host, Trick};
use super::{Actor, Hand, Journal, Reach, Turn, journal, may_act, order, restart};
use crate::clock;
use crate::config::{self, Config, LoadOptions, SecretSource, Transport};
use crate::secret::Secret;
use crate::wiring::Logons;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use svcwatch_core::{
    effect::ActRequest,
    id::Name,
    remedy::{ActId, Outcome},
    time::Span,
};
use tokio::task::JoinHandle;

const SERVICES: &[(&str, bool, &[&str])] = &[
    ("A", false, &[]),
    ("B", false, &[]),
    ("C", false, &[]),
    ("D", false, &[]),
];

/// Three hosts that are one computer, and who acts on them.
pub(super) struct Stage {
    data: tempfile::TempDir,
    pub(super) host: Arc<Host>,
    actor: Arc<Actor>,
    pub(super) config: Config,
    logons: Arc<Logons>,
}

impl Stage {
    pub(super) async fn new(trick: Trick) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (host, access) = Host::start(SERVICES, trick).await;
        let text = "
credentials:
  ops: { user: reader, password: one }
  hands: { user: hands, password: two, acting: true, hosts: ['web-*'] }
defaults: { credentials: ops }
destinations: { out: { type: log } }
hosts:
  - { name: web-1, services: [A] }
  - { name: web-2, services: [A] }
  - { name: web-3, services: [A] }
  - { name: lab, services: [A] }
";
        let options = LoadOptions {
            look: false,
            ..LoadOptions::default()
        };
        let mut config = config::load_text(text.as_bytes(), Path::new("a.yaml"), options).unwrap();
        for connection in config.connections.values_mut() {
            connection.transport = Transport::Loopback;
            connection.address = access.address.clone();
            connection.port = access.port;
        }
        Self {
            actor: Arc::new(Actor::new(data.path().to_owned())),
            data,
            host,
            config,
            logons: Arc::default(),
        }
    }

    /// Another password, and one that may be tried where it is wrong.
    pub(super) fn passwords(&mut self, first: SecretSource, second: Option<&str>) {
        let hands = self.config.credentials.get_mut(&Name::new("hands"));
        let hands = hands.unwrap();
        hands.password = Some(first);
        hands.previous = second.map(|text| SecretSource::Text(Secret::from(text)));
    }

    pub(super) fn greets(&self, greetings: &[Greeting]) {
        self.host.greetings.lock().unwrap().extend(greetings);
    }

    fn begin(&self, request: ActRequest) -> JoinHandle<(Outcome, String)> {
        let reach = Reach::new(&self.config);
        let (actor, logons) = (Arc::clone(&self.actor), Arc::clone(&self.logons));
        tokio::spawn(async move { actor.act(&request, &reach, &logons).await })
    }

    async fn act(&self, host: &str) -> (Outcome, String) {
        self.begin(request(host, "A")).await.unwrap()
    }

    pub(super) fn logons(&self) -> usize {
        self.host.logons.load(Ordering::SeqCst)
    }

    /// Waits until so many logons have begun.
    async fn until_logons(&self, number: usize) {
        while self.logons() < number {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn course(&self) -> String {
        self.host.course.lock().unwrap().clone()
    }
}

pub(super) fn text(password: &str) -> SecretSource {
    SecretSource::Text(Secret::from(password))
}

fn request(host: &str, service: &str) -> ActRequest {
    let now = clock::now();
    ActRequest {
        act: ActId(Arc::from("one")),
        host: Name::new(host),
        service: Name::new(service),
        computer: None,
        plan: Name::new("restart"),
        attempt: 1,
        dry_run: false,
        begin_before: now.tick + Span::seconds(30),
    }
}

#[tokio::test]
async fn a_refused_account_logs_on_nowhere_until_its_secret_is_another_one() {
    let mut stage = Stage::new(Trick::None).await;
    stage.greets(&[Greeting::Refuses(0)]);
    let (outcome, text_of) = stage.act("web-1").await;
    assert_eq!(outcome, Outcome::Denied, "{text_of}");
    assert!(text_of.contains("logon_refused"), "{text_of}");
    for host in ["web-2", "web-1", "web-3"] {
        let (outcome, text) = stage.act(host).await;
        assert_eq!(outcome, Outcome::Denied);
        assert!(text.contains("left alone"), "{text}");
    }
    assert_eq!(stage.logons(), 1);
    // A new one that is wrong too is tried once as well.
    stage.passwords(text("three"), None);
    stage.greets(&[Greeting::Refuses(0)]);
    for _ in 0..2 {
        assert_eq!(stage.act("web-2").await.0, Outcome::Denied);
    }
    assert_eq!(stage.logons(), 2);
    stage.passwords(text("four"), None);
    let (outcome, text) = stage.act("web-1").await;
    assert_eq!(outcome, Outcome::Started, "{text}");
    assert_eq!(stage.host.controls(), "start A");
}

#[tokio::test]
async fn those_that_wait_for_a_logon_that_is_refused_do_not_log_on() {
    let stage = Stage::new(Trick::None).await;
    stage.greets(&[Greeting::Refuses(200)]);
    let acts = ["web-1", "web-2", "web-3"].map(|host| stage.begin(request(host, "A")));
    for act in acts {
        assert_eq!(act.await.unwrap().0, Outcome::Denied);
    }
    assert_eq!(stage.logons(), 1);
}

#[tokio::test]
async fn the_first_logs_on_alone_and_the_others_go_on_together_once_it_is_accepted() {
    let stage = Stage::new(Trick::None).await;
    stage.greets(&[Greeting::Accepts(300); 3]);
    let acts = [("web-1", "A"), ("web-2", "B"), ("web-3", "C")]
        .map(|(host, service)| stage.begin(request(host, service)));
    for act in acts {
        let (outcome, text) = act.await.unwrap();
        assert_eq!(outcome, Outcome::Started, "{text}");
    }
    assert_eq!(stage.course(), "+-++--");
    // Each is told apart on record, however near to each other they began.
    let lines = journal(stage.data.path());
    let begun = lines.iter().filter(|line| line["event"] == "begun");
    let ids: std::collections::BTreeSet<_> = begun.map(|line| line["id"].to_string()).collect();
    assert_eq!(ids.len(), 3, "{lines:?}");
}

#[tokio::test]
async fn an_unreachable_host_passes_the_turn_on_and_is_no_refusal() {
    let stage = Stage::new(Trick::None).await;
    stage.greets(&[Greeting::Breaks]);
    let (outcome, text) = stage.act("web-1").await;
    assert_eq!(outcome, Outcome::Unknown, "{text}");
    assert_eq!(stage.act("web-2").await.0, Outcome::Started);
    assert_eq!(stage.logons(), 2);
}

#[tokio::test]
async fn another_secret_is_tried_alone_although_the_old_one_was_accepted() {
    let mut stage = Stage::new(Trick::None).await;
    assert_eq!(stage.act("web-1").await.0, Outcome::Started);
    stage.passwords(text("wrong"), None);
    stage.greets(&[Greeting::Refuses(200), Greeting::Refuses(200)]);
    let acts = ["web-1", "web-2", "web-3"].map(|host| stage.begin(request(host, "B")));
    for act in acts {
        assert_eq!(act.await.unwrap().0, Outcome::Denied);
    }
    assert_eq!(stage.logons(), 2);
}

#[tokio::test]
async fn the_previous_password_is_tried_once_and_the_accepted_one_first_from_then_on() {
    let mut stage = Stage::new(Trick::None).await;
    stage.passwords(text("new"), Some("old"));
    stage.greets(&[Greeting::Refuses(0)]);
    assert_eq!(stage.act("web-1").await.0, Outcome::Started);
    assert_eq!(stage.logons(), 2, "the new one, and then the old one");
    // Were the new one tried first again, a domain would count one wrong password more for each host.
    let (reach, hands) = (Reach::new(&stage.config), Name::new("hands"));
    let (connection, account) = may_act(&reach, &Name::new("web-2")).unwrap();
    let turns = stage.actor.turns_of(&hands);
    let access = read(&turns, connection, account.unwrap(), &stage.logons).await;
    let access = access.unwrap();
    assert_eq!(access.password.reveal(), "old");
    assert_eq!(access.second_password, Some(Secret::from("new")));
    assert_eq!(stage.act("web-2").await.0, Outcome::Started);
    assert_eq!(stage.logons(), 3);
    stage.greets(&[Greeting::Refuses(0), Greeting::Refuses(0)]);
    for _ in 0..2 {
        assert_eq!(stage.act("web-3").await.0, Outcome::Denied);
    }
    assert_eq!(stage.logons(), 5, "both of them, and then none");
}

#[tokio::test]
async fn a_second_try_that_breaks_leaves_the_refusal_of_the_first() {
    let mut stage = Stage::new(Trick::None).await;
    stage.passwords(text("new"), Some("old"));
    stage.greets(&[Greeting::Refuses(0), Greeting::Breaks]);
    let (outcome, text) = stage.act("web-1").await;
    assert_eq!(outcome, Outcome::Denied, "{text}");
    assert_eq!(stage.act("web-2").await.0, Outcome::Denied);
    assert_eq!(stage.logons(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_prints_the_secret_is_asked_anew_after_a_refusal() {
    let mut stage = Stage::new(Trick::None).await;
    let said = stage.data.path().join("said");
    std::fs::write(&said, "two").unwrap();
    let program = config::Program {
        path: "/bin/cat".into(),
        arguments: vec![Secret::new(said.to_str().unwrap())],
    };
    stage.passwords(SecretSource::Exec(program), None);
    stage.greets(&[Greeting::Refuses(0)]);
    assert_eq!(stage.act("web-1").await.0, Outcome::Denied);
    std::fs::write(&said, "three").unwrap();
    let (outcome, text) = stage.act("web-1").await;
    assert_eq!(outcome, Outcome::Started, "{text}");
}

#[tokio::test]
async fn what_has_waited_too_long_is_not_begun() {
    let stage = Stage::new(Trick::None).await;
    let mut late = request("web-1", "A");
    late.begin_before = clock::now().tick;
    assert_eq!(stage.begin(late).await.unwrap().0, Outcome::TooLate);
    assert_eq!(stage.logons(), 0);

    stage.greets(&[Greeting::Accepts(2_000)]);
    let first = stage.begin(request("web-1", "A"));
    stage.until_logons(1).await;
    let mut waits = request("web-2", "B");
    waits.begin_before = clock::now().tick + Span(200);
    let began = Instant::now();
    assert_eq!(stage.begin(waits).await.unwrap().0, Outcome::TooLate);
    assert!(began.elapsed() < Duration::from_millis(1_500));
    assert_eq!(first.await.unwrap().0, Outcome::Started);
    assert_eq!(stage.host.controls(), "start A");
    assert_eq!(stage.logons(), 1);
}

#[tokio::test]
async fn a_hand_whose_record_took_too_long_logs_on_no_more() {
    let data = tempfile::tempdir().unwrap();
    let (host, access) = Host::start(SERVICES, Trick::None).await;
    let hand = Hand::new("web-1".into(), access, Span::seconds(5));
    let mut hand = hand.beginning_before(clock::now().tick);
    let record = Arc::new(Journal::new(data.path()));
    let act = restart(&mut hand, &order("A", false), &record, |_| ()).await;
    assert!(act.unwrap().text.contains("soon enough"));
    assert!(hand.is_late() && !hand.is_refused());
    assert_eq!(host.logons.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn one_act_at_a_time_on_a_host() {
    let stage = Stage::new(Trick::None).await;
    stage.greets(&[Greeting::Accepts(0), Greeting::Accepts(300)]);
    assert_eq!(stage.act("web-2").await.0, Outcome::Started);
    let first = stage.begin(request("web-1", "B"));
    stage.until_logons(2).await;
    let (outcome, text) = stage.begin(request("web-1", "C")).await.unwrap();
    assert_eq!(outcome, Outcome::TooLate);
    assert!(text.contains("somebody else acts"), "{text}");
    assert_eq!(first.await.unwrap().0, Outcome::Started);
    assert_eq!(stage.logons(), 2);
    // It is given back, also after a refusal.
    drop(Turn::take(stage.data.path(), &Name::new("web-1")).unwrap());
    stage.greets(&[Greeting::Refuses(0)]);
    assert_eq!(stage.act("web-1").await.0, Outcome::Denied);
    drop(Turn::take(stage.data.path(), &Name::new("web-1")).unwrap());
}

#[tokio::test]
async fn what_cannot_be_put_on_record_or_cannot_be_read_sends_nothing_and_blocks_nobody() {
    let mut stage = Stage::new(Trick::None).await;
    let file = stage.data.path().join("acts.jsonl");
    std::fs::create_dir(&file).unwrap();
    let (outcome, said) = stage.act("web-1").await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(said.contains("not on record"), "{said}");
    std::fs::remove_dir(&file).unwrap();

    stage.passwords(SecretSource::File(stage.data.path().join("nothing")), None);
    let (outcome, said) = stage.act("web-1").await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(said.contains("there is no password"), "{said}");
    let (outcome, said) = stage.act("lab").await;
    assert_eq!(outcome, Outcome::Denied);
    assert!(said.contains("acting: true"), "{said}");
    assert_eq!(stage.logons(), 0);

    stage.passwords(text("two"), None);
    assert_eq!(stage.act("web-1").await.0, Outcome::Started);
}

#[tokio::test]
async fn another_computer_is_left_alone_and_is_no_refusal_of_the_account() {
    let stage = Stage::new(Trick::None).await;
    let mut other = request("web-2", "A");
    other.computer = Some("WEB-2".to_owned());
    let (outcome, text) = stage.begin(other).await.unwrap();
    assert_eq!(outcome, Outcome::Unknown);
    assert!(text.contains("wrong_host"), "{text}");
    assert_eq!(stage.host.controls(), "");
    assert_eq!(stage.logons(), 1);
    let mut right = request("web-1", "A");
    right.computer = Some("web-1".to_owned());
    assert_eq!(stage.begin(right).await.unwrap().0, Outcome::Started);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_needs_no_account() {
    let stage = Stage::new(Trick::None).await;
    let dry = |host| ActRequest {
        dry_run: true,
        ..request(host, "A")
    };
    let (outcome, text) = stage.begin(dry("web-1")).await.unwrap();
    assert_eq!((outcome, text.as_str()), (Outcome::DryRun, "would start A"));
    let (outcome, text) = stage.begin(dry("lab")).await.unwrap();
    assert_eq!(outcome, Outcome::DryRun);
    assert!(text.starts_with("would start A, but no account"), "{text}");
    assert_eq!(stage.host.controls(), "");
    assert!(journal(stage.data.path()).is_empty());
    // It logs on as any other does, and so a refusal counts.
    stage.greets(&[Greeting::Refuses(0)]);
    assert_eq!(stage.begin(dry("web-2")).await.unwrap().0, Outcome::Denied);
    assert_eq!(stage.begin(dry("web-3")).await.unwrap().0, Outcome::Denied);
    assert_eq!(stage.logons(), 2);
}
