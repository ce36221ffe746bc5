//! The receivers of a Butler file's seven destinations, which keep what comes in the form of the records of what Butler
//! sent, and the hosts of that file.

use crate::{
    butler_json::{Json, map, text},
    dest_smtp,
    run_support::{Described, Host, RUNNING, STOPPED},
};
use flate2::read::GzDecoder;
use std::{
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use svcwatch_wire::scmr::ServiceConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The folder with the file, its templates and the records.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/butler")
}

/// Headers that are compared.
const HEADERS: [&str; 3] = ["content-type", "x-my-header", "api-key"];

/// Everything that came, in the form of the records.
#[derive(Debug, Default)]
pub(crate) struct Told {
    all: Mutex<Vec<Json>>,
}

impl Told {
    fn keep(&self, record: Json) {
        self.all.lock().unwrap().push(record);
    }

    /// What came so far.
    pub(crate) fn all(&self) -> Vec<Json> {
        self.all.lock().unwrap().clone()
    }
}

/// A server on a free port.
async fn serve<R>(told: &Arc<Told>, serve: fn(TcpStream, Arc<Told>) -> R) -> SocketAddr
where
    R: Future<Output = Option<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = Arc::clone(told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&told)));
        }
    });
    address
}

/// Starts the receivers and gives the text of the file with their ports in place of its own.
pub(crate) async fn receivers(told: &Arc<Told>) -> String {
    let http = serve(told, http).await;
    let influx = serve(told, influx).await;
    let broker = serve(told, broker).await;
    let mut mail = dest_smtp::Server::start("off", None, &[]).await;
    let port = mail.port;
    let kept = Arc::clone(told);
    tokio::spawn(async move {
        while let Some(message) = mail.next().await {
            kept.keep(mail_record(&message));
        }
    });
    let file = std::fs::read_to_string(data().join("butler.yaml")).unwrap();
    let templates = data().join("templates").display().to_string();
    file.replace("18080", &http.port().to_string())
        .replace("18086", &influx.port().to_string())
        .replace(
            "brokerPort: 1883",
            &format!("brokerPort: {}", broker.port()),
        )
        .replace("18025", &port.to_string())
        .replace(
            "templateFile: templates",
            &format!("templateFile: {templates}"),
        )
        .replace(
            "bodyFileDirectory: templates",
            &format!("bodyFileDirectory: {templates}"),
        )
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if self.header("content-encoding") == Some("gzip") {
            GzDecoder::new(&self.body[..])
                .read_to_string(&mut text)
                .unwrap();
            return text;
        }
        String::from_utf8(self.body.clone()).unwrap()
    }
}

async fn request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Request> {
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
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
            if received.len() >= end + 4 + length {
                let body = received.drain(..end + 4 + length).skip(end + 4).collect();
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

/// Answers as Slack, Teams, New Relic and any webhook do where all is well.
async fn http(mut stream: TcpStream, told: Arc<Told>) -> Option<()> {
    let mut received = Vec::new();
    loop {
        let request = request(&mut stream, &mut received).await?;
        let mut headers = Vec::new();
        for name in HEADERS {
            if let Some(value) = request.header(name) {
                headers.push((name.to_owned(), text(value)));
            }
        }
        if request.header("idempotency-key").is_some() {
            headers.push(("idempotency-key".to_owned(), text("*")));
        }
        let body = Json::parse(&request.text()).unwrap_or_else(|| text(request.text()));
        told.keep(map([
            ("dest", text("http")),
            ("method", text(request.method.as_str())),
            ("path", text(request.path.as_str())),
            ("headers", Json::Map(headers)),
            ("body", body),
        ]));
        let status = if request.path.starts_with("/nr") {
            202
        } else {
            200
        };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// Answers as InfluxDB 1 does that has the database.
async fn influx(mut stream: TcpStream, told: Arc<Told>) -> Option<()> {
    let mut received = Vec::new();
    let databases = r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["butler"]]}]}]}"#;
    loop {
        let request = request(&mut stream, &mut received).await?;
        if !request.path.starts_with("/write") {
            let length = databases.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{databases}");
            stream.write_all(answer.as_bytes()).await.ok()?;
            continue;
        }
        for line in request.text().lines() {
            // The last word is the time, which the records are without.
            let (body, time) = line.rsplit_once(' ').unwrap();
            assert!(time.len() >= 13 && time.parse::<u64>().is_ok(), "{line}");
            told.keep(map([
                ("dest", text("influx")),
                ("path", text(request.path.as_str())),
                ("body", text(body)),
            ]));
        }
        stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").await.ok()?;
    }
}

/// A broker of MQTT 3.1.1 that acknowledges everything and passes nothing on.
async fn broker(mut stream: TcpStream, told: Arc<Told>) -> Option<()> {
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
            1 => stream.write_all(&[0x20, 2, 0, 0]).await.ok()?,
            3 => {
                let end = 2 + usize::from(u16::from_be_bytes([packet[0], packet[1]]));
                let topic = String::from_utf8(packet[2..end].to_vec()).unwrap();
                let mut payload = &packet[end..];
                if kind & 0b110 != 0 {
                    stream
                        .write_all(&[0x40, 2, payload[0], payload[1]])
                        .await
                        .ok()?;
                    payload = &payload[2..];
                }
                let payload = String::from_utf8(payload.to_vec()).unwrap();
                told.keep(map([
                    ("dest", text("mqtt")),
                    ("topic", text(topic)),
                    (
                        "payload",
                        Json::parse(&payload).unwrap_or_else(|| text(payload)),
                    ),
                ]));
            }
            12 => stream.write_all(&[0xd0, 0]).await.ok()?,
            _ => {}
        }
    }
}

fn mail_record(message: &serde_json::Value) -> Json {
    let headers = message["headers"].as_array().unwrap();
    let header = |wanted: &str| {
        let mut found = headers
            .iter()
            .filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(wanted));
        text(
            found
                .next()
                .and_then(|pair| pair[1].as_str())
                .unwrap_or_default(),
        )
    };
    let kind = match header("Content-Type") {
        Json::Text(kind) => kind.split(';').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let to = message["rcpt_tos"].as_array().unwrap().iter();
    let names = [
        "From",
        "To",
        "Subject",
        "X-Priority",
        "X-Msmail-Priority",
        "Importance",
    ];
    let kept = names.map(|name| (name.to_owned(), header(name)));
    let html = message["html"].as_str().unwrap_or_default();
    map([
        ("dest", text("smtp")),
        ("from", text(message["mail_from"].as_str().unwrap())),
        (
            "to",
            Json::List(to.map(|one| text(one.as_str().unwrap())).collect()),
        ),
        ("headers", Json::Map(kept.to_vec())),
        ("content_type", text(kind)),
        ("body", text(html.replace("\r\n", "\n").trim_end())),
    ])
}

/// The hosts of the file, as they are at its start.
pub(crate) struct Hosts {
    pub(crate) srv01: Arc<Host>,
    pub(crate) srv02: Arc<Host>,
}

impl Hosts {
    pub(crate) async fn start() -> Self {
        let hosts = Self {
            srv01: Host::start(&[]).await,
            srv02: Host::start(&[]).await,
        };
        let service = |display: &str, state, start, path: &str, needs: &[&str]| Described {
            state,
            display_name: display.to_owned(),
            config: ServiceConfig {
                service_type: 0x10,
                start_type: start,
                binary_path: Some(path.to_owned()),
                dependencies: Some(needs.iter().map(|&name| name.to_owned()).collect()),
                start_name: Some("LocalSystem".to_owned()),
                ..ServiceConfig::default()
            },
        };
        hosts.srv01.describe(
            "Spooler",
            service(
                "Print Spooler",
                RUNNING,
                2,
                r"C:\Windows\System32\spoolsv.exe",
                &["RPCSS", "http"],
            ),
        );
        hosts.srv01.describe(
            "W32Time",
            service(
                "Windows 'Time' <b>& co",
                STOPPED,
                3,
                r"C:\Windows\system32\svchost.exe -k LocalService",
                &[],
            ),
        );
        let path = r#""C:\Program Files\PostgreSQL\12\bin\pg_ctl.exe" runservice -N "postgresql-x64-12" -w"#;
        hosts.srv02.describe(
            "postgresql-x64-12",
            service(
                "postgresql-x64-12 - PostgreSQL Server 12",
                RUNNING,
                2,
                path,
                &["RPCSS"],
            ),
        );
        hosts
    }

    /// The second file that a Butler file needs.
    pub(crate) fn beside(&self) -> String {
        format!(
            "listen: 127.0.0.1:0\n\
             credentials: {{ ops: {{ user: watcher, password: {{ env: PATH }} }} }}\n\
             hosts:\n\
             \x20 - {{ name: srv01, address: 127.0.0.1, port: {} }}\n\
             \x20 - {{ name: srv02, address: 127.0.0.1, port: {} }}\n",
            self.srv01.address.port(),
            self.srv02.address.port()
        )
    }
}
