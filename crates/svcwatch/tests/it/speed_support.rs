//! Receivers that answer at once and keep of each message only which service it is about and its key, so that what is
//! measured is the program and not they.

use flate2::read::GzDecoder;
use std::{
    collections::HashSet,
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// Services in all, each with a number of its own.
pub(crate) const SERVICES: usize = 10_000;
/// What the name of each service begins with; its number of five digits follows.
const PREFIX: &[u8] = b"Svc";

/// The name of a service.
pub(crate) fn name(number: usize) -> String {
    format!("Svc{number:05}")
}

/// The number of the first service that a text names.
fn number(text: &[u8]) -> usize {
    let place = text
        .windows(PREFIX.len())
        .position(|window| window == PREFIX)
        .unwrap_or_else(|| panic!("no service in {}", String::from_utf8_lossy(text)));
    let digits = &text[place + PREFIX.len()..][..5];
    String::from_utf8_lossy(digits).parse().unwrap()
}

/// What came to one place.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// How often each service was told of.
    pub(crate) times: Vec<u32>,
    /// Services told of at least once.
    pub(crate) services: usize,
    /// The keys of the messages, where they have one.
    pub(crate) keys: HashSet<String>,
    /// Messages in all.
    pub(crate) messages: usize,
    /// Requests in all, where one may hold many.
    pub(crate) requests: usize,
    pub(crate) first: Option<Instant>,
    /// When the last service was told of that had not been.
    pub(crate) whole: Option<Instant>,
}

impl Default for Arrived {
    fn default() -> Self {
        Self {
            times: vec![0; SERVICES],
            services: 0,
            keys: HashSet::new(),
            messages: 0,
            requests: 0,
            first: None,
            whole: None,
        }
    }
}

impl Arrived {
    fn keep(&mut self, number: usize, key: Option<String>) {
        self.messages += 1;
        self.keys.extend(key);
        self.times[number] += 1;
        if self.times[number] == 1 {
            let now = Instant::now();
            self.services += 1;
            self.first.get_or_insert(now);
            self.whole = Some(now);
        }
    }
}

/// All places to which messages go.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) slack: Mutex<Arrived>,
    pub(crate) teams: Mutex<Arrived>,
    pub(crate) webhook: Mutex<Arrived>,
    pub(crate) events: Mutex<Arrived>,
    pub(crate) logs: Mutex<Arrived>,
    pub(crate) email: Mutex<Arrived>,
    pub(crate) mqtt: Mutex<Arrived>,
    /// Readings on MQTT's status topic of services that are stopped.
    pub(crate) status: Mutex<Arrived>,
    /// Readings at the database of services that run, …
    pub(crate) running: Mutex<Arrived>,
    /// … and of services that are stopped.
    pub(crate) stopped: Mutex<Arrived>,
}

impl Places {
    /// The places to which notices go, one for each recipient.
    pub(crate) fn of_notices(&self) -> [(&'static str, &Mutex<Arrived>); 7] {
        [
            ("slack", &self.slack),
            ("teams", &self.teams),
            ("webhook", &self.webhook),
            ("newrelic events", &self.events),
            ("newrelic logs", &self.logs),
            ("email", &self.email),
            ("mqtt", &self.mqtt),
        ]
    }

    fn of_path(&self, path: &str) -> &Mutex<Arrived> {
        match path {
            "/slack" => &self.slack,
            "/teams" => &self.teams,
            "/webhook" => &self.webhook,
            "/log" => &self.logs,
            _ if path.starts_with("/events/") => &self.events,
            _ => panic!("nothing is at {path}"),
        }
    }
}

/// A server on a free port.
pub(crate) async fn serve<R>(
    places: &Arc<Places>,
    serve: fn(TcpStream, Arc<Places>) -> R,
) -> SocketAddr
where
    R: Future<Output = Option<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let places = Arc::clone(places);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream, Arc::clone(&places)));
        }
    });
    address
}

/// Answers as the chats, New Relic, any webhook and InfluxDB 1 do where all is well.
pub(crate) async fn http(stream: TcpStream, places: Arc<Places>) -> Option<()> {
    let databases = r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["butler"]]}]}]}"#;
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut key, mut length) = (String::new(), None, 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("idempotency-key", value)) => key = Some(value.to_owned()),
                None if line.is_empty() => break,
                None => path = line.split(' ').nth(1)?.to_owned(),
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let answer = if path.starts_with("/write") {
            written(&places, &body);
            "HTTP/1.1 204 X\r\n\r\n".to_owned()
        } else if path.starts_with("/query") || path.starts_with("/ping") {
            let length = databases.len();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{databases}")
        } else {
            let mut arrived = places.of_path(&path).lock().unwrap();
            assert!(key.is_some(), "no key at {path}");
            arrived.keep(number(&body), key);
            let status = if path == "/slack" { 200 } else { 202 };
            format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok")
        };
        stream.get_mut().write_all(answer.as_bytes()).await.ok()?;
    }
}

/// Takes compressed lines of readings.
fn written(places: &Places, body: &[u8]) {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).unwrap();
    for (state, place) in [
        ("state_text=\"RUNNING\"", &places.running),
        ("state_text=\"STOPPED\"", &places.stopped),
    ] {
        let mut arrived = place.lock().unwrap();
        let before = arrived.messages;
        for line in text.lines().filter(|line| line.contains(state)) {
            arrived.keep(number(line.as_bytes()), None);
        }
        arrived.requests += usize::from(arrived.messages > before);
    }
}

/// A mail server without encryption and logon.
pub(crate) async fn mail(stream: TcpStream, places: Arc<Places>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream
        .get_mut()
        .write_all(b"220 mail.test\r\n")
        .await
        .ok()?;
    let mut letter: Option<Vec<u8>> = None;
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        let answer: &[u8] = match &mut letter {
            Some(text) if line == b".\r\n" => {
                let head = String::from_utf8_lossy(text).into_owned();
                let key = head
                    .lines()
                    .find_map(|line| line.strip_prefix("Message-ID: "));
                assert!(key.is_some(), "no key in {head}");
                let key = key.map(str::to_owned);
                places.email.lock().unwrap().keep(number(text), key);
                letter = None;
                b"250 2.0.0 queued\r\n"
            }
            Some(text) => {
                text.extend(line);
                continue;
            }
            None if line.starts_with(b"DATA") => {
                letter = Some(Vec::new());
                b"354 go on\r\n"
            }
            None if line.starts_with(b"QUIT") => b"221 bye\r\n",
            None => b"250 fine\r\n",
        };
        stream.get_mut().write_all(answer).await.ok()?;
    }
}

/// A broker of MQTT 3.1.1 that acknowledges everything and passes nothing on.
pub(crate) async fn broker(stream: TcpStream, places: Arc<Places>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let kind = stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut packet = vec![0; length];
        stream.read_exact(&mut packet).await.ok()?;
        match kind >> 4 {
            1 => stream.get_mut().write_all(&[0x20, 2, 0, 0]).await.ok()?,
            3 => {
                let end = 2 + usize::from(u16::from_be_bytes([packet[0], packet[1]]));
                let topic = String::from_utf8_lossy(&packet[2..end]).into_owned();
                if topic.starts_with("told/stopped/") {
                    let mut arrived = places.mqtt.lock().unwrap();
                    arrived.keep(number(topic.as_bytes()), None);
                } else if topic.starts_with("told/status/h")
                    && String::from_utf8_lossy(&packet[end..]).contains("STOPPED")
                {
                    let mut arrived = places.status.lock().unwrap();
                    arrived.keep(number(topic.as_bytes()), None);
                }
                if kind & 0b110 != 0 {
                    let answer = [0x40, 2, packet[end], packet[end + 1]];
                    stream.get_mut().write_all(&answer).await.ok()?;
                }
            }
            12 => stream.get_mut().write_all(&[0xd0, 0]).await.ok()?,
            _ => {}
        }
    }
}
