//! A server of the API for one test, with a board, a store and a loop that answers questions; and a client that
//! sends exactly what the test says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use svcwatch::{
    board::Board,
    facts::{Build, Facts},
    store::{AnyStore, Store as _, StoreOptions, query::IncidentQuery},
    web::{
        Access, AckReply, Ask, Bound, Names, Readiness, SilenceReply, Web,
        items::{Explanation, ExplanationLine},
    },
};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name, Subject},
    notice::{IncidentRef, Kind, Notice, Severity, ToldEvent},
    observe::{Fault, StartType, State},
    plan::Expect,
    record::{
        Acknowledged, AttemptRow, DeliveryRow, DeliveryState, HistoryRow, IncidentRow, Record,
    },
    time::Wall,
    view::{HostView, ServiceView, View},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// A text that stands where secrets stand, and must be told nowhere.
pub(crate) const CANARY: &str = "canary-5f3a";

/// How long anything of a test may take.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// 2023-11-14T22:13:20Z.
pub(crate) const BEGIN: i64 = 1_700_000_000_000;

/// Questions that the loop does not answer, until the test drops them.
pub(crate) type Held = Arc<Mutex<Vec<Ask>>>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) board: Arc<Board>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) store: Arc<AnyStore>,
    pub(crate) ready: Arc<Readiness>,
    /// Questions about the host `silent`.
    pub(crate) held: Held,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::guarded(Access::open()).await
    }

    /// A server that answers only those that may ask.
    pub(crate) async fn guarded(access: Access) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = AnyStore::open(folder.path(), StoreOptions { ballast: 0 }).unwrap();
        let (store, board) = (Arc::new(store), Arc::new(Board::new()));
        let facts = Arc::new(Facts::new(Build {
            version: "1.2.3",
            commit: "abc",
        }));
        let ready = Arc::new(Readiness::new());
        let (asks, questions) = mpsc::channel(200);
        let held = Held::default();
        tokio::spawn(answer(questions, Arc::clone(&store), Arc::clone(&held)));
        let address = "127.0.0.1:0".parse().unwrap();
        let bound = Bound::guarded(address, false, Arc::new(access))
            .await
            .unwrap();
        let address = bound.address();
        let names = Names::new(address, &["watch.corp.example".to_owned()]);
        let web = Web::new(&board, &facts, Arc::clone(&store), asks, Arc::clone(&ready));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stop = async move { drop(stopped.await) };
            web.serve(bound, names, stop).await.unwrap();
        });
        Self {
            address,
            board,
            facts,
            store,
            ready,
            held,
            stop: Some(stop),
            serving,
            _folder: folder,
        }
    }

    /// A server with a few hosts, services, incidents and deliveries.
    pub(crate) async fn with_samples() -> Self {
        let server = Self::start().await;
        server.ready.loaded();
        server.board.apply_all(sample_views());
        server.store.commit(&sample_records()).unwrap();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// An answer that must be 200 and JSON.
    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The sentence of an answer that must be a problem with this status.
    pub(crate) async fn problem(&self, status: u16, path: &str) -> String {
        self.get(path).await.problem(status)
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send("POST", path, headers, body).await
    }

    /// Sends a request with the Host header of this server unless `headers` has another.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.0\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request.extend(["Host: ", &self.address.to_string(), "\r\n"]);
        }
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() {
            request.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        self.raw(&format!("{request}\r\n{body}")).await
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            Answer::new(&String::from_utf8(answer).unwrap())
        };
        tokio::time::timeout(DEADLINE, exchange)
            .await
            .expect("no answer in time")
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(DEADLINE, &mut self.serving)
            .await
            .expect("it does not end")
            .unwrap();
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn new(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer with a head");
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        });
        Self {
            status,
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The sentence of a problem with this status.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], "about:blank");
        assert!(!body["title"].as_str().unwrap().is_empty());
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.ends_with('.'), "is a sentence: {detail}");
        detail.to_owned()
    }
}

/// Answers questions as the loop does: what is open is acknowledged, and one host is explained.
async fn answer(mut questions: mpsc::Receiver<Ask>, store: Arc<AnyStore>, held: Held) {
    while let Some(question) = questions.recv().await {
        match question {
            Ask::Ack {
                incident,
                by,
                note,
                reply,
            } => {
                let query = IncidentQuery {
                    id: Some(incident),
                    limit: 1,
                    ..IncidentQuery::default()
                };
                let page = store.incidents(&query).unwrap();
                let mut row = page.items.into_iter().next().unwrap().incident;
                let answer = if row.resolved_at.is_some() {
                    AckReply::NotOpen
                } else {
                    let at = Wall(BEGIN + 9_000);
                    row.acknowledged = Some(Acknowledged { by, at, note });
                    store.commit(&[Record::Incident(row)]).unwrap();
                    AckReply::Acknowledged
                };
                reply.send(answer).unwrap();
            }
            // The tests of the whole program silence.
            Ask::Silence { reply, .. } | Ask::EndSilence { reply, .. } => {
                reply.send(SilenceReply::Refused).unwrap();
            }
            // Those of the whole program probe.
            Ask::ReadNow { .. } | Ask::Visit(_) => {}
            Ask::Explain { ref host, .. } if *host == Name::new("silent") => {
                held.lock().unwrap().push(question);
            }
            Ask::Explain {
                host,
                service,
                reply,
            } => {
                let known = host == Name::new("srv01");
                let explanation = known.then(|| Explanation {
                    host: host.as_str().to_owned(),
                    service: service.map(|service| service.as_str().to_owned()),
                    lines: vec![ExplanationLine {
                        about: "told".to_owned(),
                        text: "It is told to duty.".to_owned(),
                    }],
                });
                drop(reply.send(explanation));
            }
        }
    }
}

pub(crate) fn host_view(name: &str) -> HostView {
    HostView {
        name: name.into(),
        address: format!("{name}.corp.example"),
        site: Some("oslo".into()),
        fault: None,
        cause: None,
        since: Some(Wall(BEGIN)),
        checked_at: Some(Wall(BEGIN + 30_000)),
        visible: Some(60),
        watched: 2,
        labels: Arc::from([("team".to_owned(), "db".to_owned())]),
    }
}

pub(crate) fn service_view(host: &str, service: &str) -> ServiceView {
    ServiceView {
        host: host.into(),
        service: service.into(),
        display_name: Some(format!("The {service}").into()),
        friendly_name: None,
        state: State::Running,
        since: Wall(BEGIN),
        expected: Expect::Running,
        as_expected: true,
        group: None,
        start_type: Some(StartType::Automatic),
        trigger_start: Some(false),
        details: None,
        pid: Some(1_234),
        exit_code: Some(0),
        incident: None,
        muted: None,
        labels: Arc::from([("team".to_owned(), "db".to_owned())]),
    }
}

/// Three hosts: one well, one with a stopped service, one that cannot be read.
fn sample_views() -> Vec<View> {
    let mut down = host_view("srv03");
    (down.fault, down.site) = (Some(Fault::Timeout), None);
    let mut stopped = service_view("srv02", "Spooler");
    stopped.state = State::Stopped;
    stopped.as_expected = false;
    stopped.incident = Some(incident_id(1));
    vec![
        View::Host(host_view("SRV01")),
        View::Host(host_view("srv02")),
        View::Host(down),
        View::Service(service_view("SRV01", "Spooler")),
        View::Service(service_view("SRV01", "MSSQL$PROD")),
        View::Service(stopped),
        View::Service(service_view("srv03", "W32Time")),
    ]
}

pub(crate) fn incident_id(seq: u64) -> IncidentId {
    IncidentId(Arc::from(format!("0123456789abcdef-{seq}")))
}

fn subject(seq: u64) -> Subject {
    let host = Name::new("srv02");
    if seq == 3 {
        Subject::Host(host)
    } else {
        Subject::Service {
            host,
            service: "Spooler".into(),
        }
    }
}

fn incident(seq: u64, resolved: bool) -> IncidentRow {
    let opened_at = Wall(BEGIN + i64::try_from(seq).unwrap() * 1_000);
    IncidentRow {
        id: incident_id(seq),
        subject: subject(seq),
        seq,
        event: if seq == 3 {
            ToldEvent::HostUnreachable
        } else {
            ToldEvent::Stopped
        },
        severity: Severity::Critical,
        opened_at,
        resolved_at: resolved.then_some(Wall(BEGIN + 60_000)),
        acknowledged: None,
        cause: None,
        evidence: None,
        previous_state: Some(State::Running),
        told: true,
        held_until: None,
        first_look: false,
        reminded_at: None,
        muted: None,
        untold: None,
    }
}

fn delivery(seq: u64, destination: &str, state: DeliveryState) -> DeliveryRow {
    let id = incident_id(seq);
    let notice = Notice {
        kind: Kind::Opened,
        event: ToldEvent::Stopped,
        at: Wall(BEGIN),
        severity: Severity::Critical,
        subject: subject(seq),
        site: None,
        display_name: None,
        friendly_name: None,
        state: Some(State::Stopped),
        previous_state: Some(State::Running),
        since: None,
        start_type: None,
        details: None,
        exit_code: None,
        service_exit_code: None,
        cause: None,
        evidence: None,
        remedy: Vec::new(),
        labels: Arc::from([]),
        incident: Some(IncidentRef {
            id: id.clone(),
            opened_at: Wall(BEGIN),
        }),
        merged: Vec::new(),
        group: None,
        items: Vec::new(),
        counts: Vec::new(),
        seq,
    };
    DeliveryRow {
        key: DeliveryKey::new(&destination.into(), "", id.as_str(), "opened", seq),
        order: seq,
        destination: destination.into(),
        recipient: "".into(),
        notice: Arc::new(notice),
        state,
        reason: (state == DeliveryState::Parked).then(|| "404 Not Found".to_owned()),
        frozen: true,
        // What is sent may hold a signature or a token.
        payload: Some(Arc::from(CANARY.as_bytes())),
        attempts: 1,
        created: Wall(BEGIN),
        due: Wall(BEGIN),
    }
}

fn history(record: u64) -> HistoryRow {
    HistoryRow {
        record,
        subject: subject(record),
        seq: record,
        at: Wall(BEGIN + i64::try_from(record).unwrap() * 1_000),
        from: Some(State::Running),
        to: Some(State::Stopped),
        fault: None,
        event: Some(ToldEvent::Stopped),
        incident: Some(incident_id(record)),
        exit_code: Some(1_067),
        service_exit_code: None,
        pid: None,
        cause: None,
    }
}

/// Incident 1 is open, 2 and 3 are over; 1 was told to `duty` and `hook`, which did not take it.
fn sample_records() -> Vec<Record> {
    let told = delivery(1, "duty", DeliveryState::Delivered);
    let attempt = AttemptRow {
        key: told.key.clone(),
        number: 1,
        at: Wall(BEGIN + 2_000),
        result: "delivered",
        answer: "200 OK".to_owned(),
    };
    vec![
        Record::Incident(incident(2, true)),
        Record::Incident(incident(3, true)),
        Record::Incident(incident(1, false)),
        Record::Delivery(told),
        Record::Attempt(attempt),
        Record::Delivery(delivery(1, "hook", DeliveryState::Parked)),
        Record::History(history(1)),
        Record::History(history(2)),
        Record::History(history(3)),
    ]
}
