//! What the tests of feeds share: a database that keeps what it is given and answers as the test says, and readings.

use flate2::read::GzDecoder;
use std::{
    collections::VecDeque,
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use svcwatch::{
    dest::{
        Settings,
        sender::{Destination, Destinations},
    },
    feed::Reading,
};
use svcwatch_core::{
    id::Name,
    observe::{StartType, State},
    time::Wall,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// 2024-03-13T12:05:00.042Z.
pub(crate) const AT: Wall = Wall(1_710_331_500_042);

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// In lower case, with their values as they came.
    pub(crate) headers: Vec<(String, String)>,
    /// Without its compression.
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn lines(&self) -> usize {
        self.body.lines().count()
    }
}

/// How the database answers a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this status and body.
    Status(u16, &'static str),
    /// With this status, and word of when to come again.
    After(u16, u32),
    /// Not at all, and the connection stays.
    Hang,
    /// Not at all, and the connection ends.
    Close,
    /// As the function says.
    By(fn(&Request) -> (u16, String)),
}

/// A database that keeps what it is given.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) address: SocketAddr,
    requests: Mutex<Vec<Request>>,
    /// How the next requests are answered; then all others as `usual` says.
    next: Mutex<VecDeque<Answer>>,
    usual: Mutex<Answer>,
}

impl Database {
    /// Starts one that takes everything.
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let database = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            requests: Mutex::default(),
            next: Mutex::default(),
            usual: Mutex::new(Answer::Status(204, "")),
        });
        let serving = Arc::clone(&database);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let database = Arc::clone(&serving);
                tokio::spawn(async move { database.serve(stream).await });
            }
        });
        database
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.next.lock().unwrap().extend(answers);
    }

    pub(crate) fn usually(&self, answer: Answer) {
        *self.usual.lock().unwrap() = answer;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The requests that write.
    pub(crate) fn writes(&self) -> Vec<Request> {
        let mut all = self.requests();
        all.retain(|request| request.path.contains("write"));
        all
    }

    /// Every line that came, taken or not.
    pub(crate) fn lines(&self) -> Vec<String> {
        let writes = self.writes();
        let lines = writes.iter().flat_map(|request| request.body.lines());
        lines.map(str::to_owned).collect()
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut received = Vec::new();
        loop {
            let request = read(&mut stream, &mut received).await?;
            self.requests.lock().unwrap().push(request.clone());
            // Questions about databases are answered well unless the test says otherwise.
            let asks = request.path.starts_with("/query") || request.path.starts_with("/ping");
            let next = self.next.lock().unwrap().pop_front();
            let usual = self.usual.lock().unwrap().clone();
            let answer = next.unwrap_or(if asks { databases() } else { usual });
            let (status, head, body) = match answer {
                Answer::Status(status, body) => (status, String::new(), body.to_owned()),
                Answer::After(status, seconds) => {
                    (status, format!("retry-after: {seconds}\r\n"), String::new())
                }
                Answer::By(answer) => {
                    let (status, body) = answer(&request);
                    (status, String::new(), body)
                }
                Answer::Hang => std::future::pending().await,
                Answer::Close => return None,
            };
            let length = if status == 204 {
                String::new()
            } else {
                format!("content-length: {}\r\n", body.len())
            };
            let answer = format!("HTTP/1.1 {status} X\r\n{head}{length}\r\n{body}");
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

/// What a database says that has the one that the tests write to.
fn databases() -> Answer {
    Answer::Status(
        200,
        r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["_internal"],["butler"]]}]}]}"#,
    )
}

async fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Request> {
    let mut buffer = vec![0; 65_536];
    loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let mut lines = head.lines();
            let mut words = lines.next()?.split(' ');
            let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let of = |wanted: &str| headers.iter().find(|(name, _)| name == wanted);
            let length = of("content-length").map_or(0, |(_, value)| value.parse().unwrap());
            if received.len() >= end + 4 + length {
                let body: Vec<u8> = received.drain(..end + 4 + length).skip(end + 4).collect();
                let body = if of("content-encoding").is_some_and(|(_, value)| value == "gzip") {
                    let mut text = String::new();
                    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
                    text
                } else {
                    String::from_utf8(body).unwrap()
                };
                return Some(Request {
                    method,
                    path,
                    headers,
                    body,
                });
            }
        }
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        received.extend_from_slice(&buffer[..read]);
    }
}

/// A service that starts with its machine.
pub(crate) fn reading(host: &str, service: &str, state: State) -> Reading {
    Reading {
        host: host.into(),
        site: None,
        service: service.into(),
        display_name: Some(Arc::from(format!("The {service} service"))),
        friendly_name: Some(Arc::from("Printing")),
        state,
        start_type: Some(StartType::Automatic),
        details: None,
        labels: Arc::from([]),
        at: AT,
        changed: false,
        previous: None,
    }
}

/// So many readings, of ten services each host.
pub(crate) fn readings(count: usize) -> Vec<Reading> {
    (0..count)
        .map(|number| {
            let host = format!("srv{:05}", number / 10);
            reading(&host, &format!("Service{}", number % 10), State::Running)
        })
        .collect()
}

/// A destination of these settings, ready.
pub(crate) async fn ready(settings: Settings) -> Arc<Destination> {
    let name = Name::new("feed");
    let list = [(name.clone(), settings)];
    let made = tokio::task::spawn_blocking(|| Destinations::new(list, None));
    let destinations = made.await.expect("no panic").expect("good settings");
    Arc::clone(destinations.get(&name).expect("it is there"))
}
