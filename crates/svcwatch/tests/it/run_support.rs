//! The whole program in the process of a test: simulated hosts that the test steers, a webhook that the test reads,
//! and the app between them, on the real store.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use svcwatch::{
    app::{App, Options},
    config::{self, LoadOptions, Transport},
    probe::hello::{Hello, Reply as HelloReply},
    store::StoreOptions,
};
use svcwatch_wire::{
    pdu::{FAULT_NO_SUCH_OPERATION, Incoming, Server},
    scmr::{
        CloseServiceHandle, CloseServiceHandleReply, Code, EnumServicesStatusEx,
        EnumServicesStatusExReply, EnumeratedService, Handle, OpenScManager, OpenScManagerReply,
        OpenService, OpenServiceReply, QueryServiceConfig, QueryServiceConfigReply, Reply, Request,
        SERVICE_CONTROL, ServiceConfig, ServiceStatus,
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How long anything may take; ten times and more of what is promised, because tests share the machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// States of services on the wire (MS-SCMR 2.2.47).
pub(crate) const STOPPED: u32 = 1;
pub(crate) const START_PENDING: u32 = 2;
pub(crate) const RUNNING: u32 = 4;
pub(crate) const PAUSED: u32 = 7;

const MANAGER: Handle = Handle([1; 20]);
/// A service of a host, as its manager describes it.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    /// The state, as on the wire (MS-SCMR 2.2.47).
    pub(crate) state: u32,
    pub(crate) display_name: String,
    pub(crate) config: ServiceConfig,
}

impl Described {
    /// A service that starts with its machine, in this state.
    pub(crate) fn new(name: &str, state: u32) -> Self {
        Self {
            state,
            display_name: format!("The {name} service"),
            config: ServiceConfig {
                service_type: 0x10,
                start_type: 2,
                ..ServiceConfig::default()
            },
        }
    }
}

/// The handle of the service at this place.
fn handle(place: usize) -> Handle {
    let mut bytes = [2; 20];
    bytes[1] = u8::try_from(place).unwrap();
    Handle(bytes)
}

/// Waits until something is there.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A simulated host whose services the test starts and stops.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    services: Mutex<BTreeMap<String, Described>>,
    /// The process of all that run.
    pub(crate) pid: AtomicU32,
    /// The NTSTATUS with which logons are refused; 0 for none.
    refuse: Mutex<u32>,
    /// Whether lists of services are kept back, and how many of them are asked for meanwhile.
    holds: watch::Sender<bool>,
    held: AtomicUsize,
}

impl Host {
    /// Starts a host on which these services run.
    pub(crate) async fn start(services: &[&str]) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            services: Mutex::new(
                services
                    .iter()
                    .map(|name| ((*name).to_owned(), Described::new(name, RUNNING)))
                    .collect(),
            ),
            pid: AtomicU32::new(4_711),
            refuse: Mutex::new(0),
            holds: watch::Sender::new(false),
            held: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&host);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        host
    }

    pub(crate) fn set(&self, service: &str, runs: bool) {
        let state = if runs { RUNNING } else { STOPPED };
        self.put(service, state);
    }

    /// Puts a service into a state; one that is not there comes to be.
    pub(crate) fn put(&self, service: &str, state: u32) {
        let mut services = self.services.lock().unwrap();
        let known = services
            .entry(service.to_owned())
            .or_insert_with(|| Described::new(service, state));
        known.state = state;
    }

    /// Describes a service.
    pub(crate) fn describe(&self, service: &str, described: Described) {
        self.services
            .lock()
            .unwrap()
            .insert(service.to_owned(), described);
    }

    pub(crate) fn refuse(&self, status: u32) {
        *self.refuse.lock().unwrap() = status;
    }

    /// From now on keeps lists of services back, or gives those that are asked for, as they are by then.
    pub(crate) fn hold(&self, holds: bool) {
        self.holds.send_replace(holds);
    }

    /// Whether somebody waits for a list that is kept back.
    pub(crate) fn is_asked(&self) -> bool {
        self.held.load(Ordering::Acquire) > 0
    }

    async fn pass(&self) -> Option<()> {
        self.held.fetch_add(1, Ordering::AcqRel);
        let passed = self
            .holds
            .subscribe()
            .wait_for(|holds| !holds)
            .await
            .is_ok();
        self.held.fetch_sub(1, Ordering::AcqRel);
        passed.then_some(())
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        Hello::receive(&mut stream).await.ok()?;
        let status = *self.refuse.lock().unwrap();
        if status != 0 {
            HelloReply::Refused { status }
                .send(&mut stream)
                .await
                .ok()?;
            return None;
        }
        HelloReply::Accepted {
            computer: "LAB".into(),
        }
        .send(&mut stream)
        .await
        .ok()?;
        let mut server = Server::new(SERVICE_CONTROL);
        loop {
            let mut head = [0; 16];
            stream.read_exact(&mut head).await.ok()?;
            let mut fragment = vec![0; usize::from(u16::from_le_bytes([head[8], head[9]]))];
            fragment[..16].copy_from_slice(&head);
            stream.read_exact(&mut fragment[16..]).await.ok()?;
            match server.on_fragment(&fragment).unwrap() {
                Incoming::More => {}
                Incoming::Answer(answer) => stream.write_all(&answer).await.ok()?,
                Incoming::Call {
                    call_id,
                    operation,
                    stub,
                } => {
                    if operation == EnumServicesStatusEx::OPNUM {
                        self.pass().await?;
                    }
                    match self.answer(operation, &stub) {
                        None => {
                            let fault = server.fault(call_id, FAULT_NO_SUCH_OPERATION);
                            stream.write_all(&fault).await.ok()?;
                        }
                        Some(answer) => {
                            for fragment in server.response(call_id, &answer) {
                                stream.write_all(&fragment).await.ok()?;
                            }
                        }
                    }
                }
            }
        }
    }

    fn answer(&self, operation: u16, stub: &[u8]) -> Option<Vec<u8>> {
        match operation {
            OpenScManager::OPNUM => Some(
                OpenScManagerReply {
                    handle: Some(MANAGER),
                    code: Code::SUCCESS,
                }
                .encode(),
            ),
            EnumServicesStatusEx::OPNUM => {
                let request = EnumServicesStatusEx::decode(stub).ok()?;
                Some(EnumServicesStatusExReply::whole(&self.list(), request.buffer_size).encode())
            }
            OpenService::OPNUM => {
                let name = OpenService::decode(stub).ok()?.name;
                let services = self.services.lock().unwrap();
                let known = services
                    .keys()
                    .position(|one| one.eq_ignore_ascii_case(&name));
                let (handle, code) = match known {
                    Some(place) => (Some(handle(place)), Code::SUCCESS),
                    None => (None, Code::SERVICE_DOES_NOT_EXIST),
                };
                Some(OpenServiceReply { handle, code }.encode())
            }
            QueryServiceConfig::OPNUM => {
                let asked = QueryServiceConfig::decode(stub).ok()?.service;
                let services = self.services.lock().unwrap();
                let described = services.values().nth(usize::from(asked.0[1]))?;
                Some(
                    QueryServiceConfigReply {
                        config: Some(described.config.clone()),
                        needed: 0,
                        code: Code::SUCCESS,
                    }
                    .encode(),
                )
            }
            CloseServiceHandle::OPNUM => Some(
                CloseServiceHandleReply {
                    code: Code::SUCCESS,
                }
                .encode(),
            ),
            _ => None,
        }
    }

    fn list(&self) -> Vec<EnumeratedService> {
        let services = self.services.lock().unwrap();
        let service = |(name, described): (&String, &Described)| EnumeratedService {
            name: name.clone(),
            display_name: described.display_name.clone(),
            status: ServiceStatus {
                service_type: 0x10,
                current_state: described.state,
                win32_exit_code: if described.state == STOPPED { 1067 } else { 0 },
                ..ServiceStatus::default()
            },
            pid: (described.state != STOPPED).then(|| self.pid.load(Ordering::Acquire)),
            flags: Some(0),
        };
        services.iter().map(service).collect()
    }
}

/// A webhook that keeps what it was given.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    bodies: Mutex<Vec<serde_json::Value>>,
    /// The header `x-token` of each request.
    tokens: Mutex<Vec<String>>,
    /// Whether it takes a request and never answers.
    hangs: Mutex<bool>,
}

impl Receiver {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            bodies: Mutex::default(),
            tokens: Mutex::default(),
            hangs: Mutex::new(false),
        });
        let serving = Arc::clone(&receiver);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = Arc::clone(&serving);
                tokio::spawn(async move { receiver.serve(stream).await });
            }
        });
        receiver
    }

    pub(crate) fn hang(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
    }

    /// What came, each as kind, event and service.
    pub(crate) fn told(&self) -> Vec<(String, String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        let bodies = self.bodies.lock().unwrap();
        bodies
            .iter()
            .map(|body| {
                (
                    text(&body["kind"]),
                    text(&body["event"]),
                    text(&body["service"]),
                )
            })
            .collect()
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }

    pub(crate) fn bodies(&self) -> Vec<serde_json::Value> {
        self.bodies.lock().unwrap().clone()
    }

    /// Waits until so many messages have come.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<(String, String, String)> {
        eventually(
            &format!("message {count} (there are {:?})", self.told()),
            async || Some(self.told()).filter(|told| told.len() >= count),
        )
        .await
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
                if let Some(token) = line.strip_prefix("x-token: ") {
                    self.tokens.lock().unwrap().push(token.trim().to_owned());
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            self.bodies
                .lock()
                .unwrap()
                .push(serde_json::from_slice(&body).ok()?);
            if *self.hangs.lock().unwrap() {
                std::future::pending::<()>().await;
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await
                .ok()?;
        }
    }
}

/// A folder with a configuration and a store.
#[derive(Debug)]
pub(crate) struct House {
    folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn new(config: &str) -> Self {
        let house = Self::empty();
        house.write(config);
        house
    }

    /// A folder without a configuration yet.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    /// One host that is read each second and told at once, and one webhook.
    pub(crate) fn of(host: &Host, receiver: &Receiver, services: &str) -> Self {
        Self::new(&format!(
            "{}hosts:\n  - {{ name: lab, address: 127.0.0.1, port: {}, services: {services} }}\n",
            Self::head(receiver),
            host.address.port()
        ))
    }

    /// Everything but the hosts.
    pub(crate) fn head(receiver: &Receiver) -> String {
        format!(
            "listen: 127.0.0.1:0\n\
             credentials: {{ ops: {{ user: watcher, password: {{ env: PATH }} }} }}\n\
             defaults: {{ every: 1s, timeout: 5s, host_for: 0s, settle: 0s, credentials: ops }}\n\
             destinations: {{ hook: {{ type: webhook, url: 'http://{}/in' }} }}\n",
            receiver.address
        )
    }

    pub(crate) fn write(&self, config: &str) {
        std::fs::write(self.config(), config).unwrap();
    }

    /// Writes a secret beside the configuration.
    pub(crate) fn write_secret(&self, name: &str, secret: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("svcwatch.yaml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the app; its hosts are simulated.
    pub(crate) async fn start(&self) -> App {
        let mut config = config::load(&[self.config()], LoadOptions::default()).unwrap();
        config.guests.transport = Transport::Loopback;
        let all = config.connections.values_mut();
        all.for_each(|connection| connection.transport = Transport::Loopback);
        let options = Options {
            data: Some(self.data()),
            store: StoreOptions { ballast: 0 },
            ..Options::default()
        };
        App::start(config, options).await.unwrap()
    }
}

/// A GET to the app, as status and body.
pub(crate) async fn get(app: &App, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", app.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// The items of a list of the API.
pub(crate) async fn items(app: &App, path: &str) -> Vec<serde_json::Value> {
    let (status, body) = get(app, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    let list: serde_json::Value = serde_json::from_str(&body).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// Waits until a service is shown in a state.
pub(crate) async fn shown(app: &App, service: &str, state: &str) {
    eventually(&format!("{service} {state}"), async || {
        let services = items(app, "/api/v1/services").await;
        services
            .iter()
            .any(|one| one["service"] == service && one["state"] == state)
            .then_some(())
    })
    .await;
}
