//! Mail to a mail server: one connection and one message for one recipient, within a total deadline (RFC 5321,
//! STARTTLS RFC 3207, AUTH RFC 4954). The commands are lettre's; the talk is our own, because the stage at which a
//! server refuses decides what the refusal means, and because every read must have a bound.

use crate::{
    dest::{
        email::{Encryption, Settings},
        judge::{SmtpReply, SmtpStage, too_late},
        payload::Outgoing,
    },
    secret::Secret,
    transport::{
        limited::Limited,
        tls::{self, Roots, TlsError},
    },
};
use lettre::{
    Address,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls},
        extension::{ClientId, MailParameter},
        response::{Category, Code, Detail, Response, Severity},
    },
};
use rustls::pki_types::ServerName;
use std::{fmt::Display, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Bytes that a server may send in one connection, encryption included.
const READ_BYTES_MAX: usize = 131_072;
/// Lines of one reply, at most.
const REPLY_LINES_MAX: usize = 128;
/// Rounds of a logon, at most: LOGIN needs two.
const CHALLENGES_MAX: usize = 4;
/// How long the server gets to take our goodbye; what it says to that is not waited for.
const QUIT_WAIT: Duration = Duration::from_millis(500);

/// Settings that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// The encryption cannot be set up, mostly because of the `ca` file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The name that the certificate must bear is none.
    #[error(
        "{0:?} is no name that a certificate can bear; write the server's name under smtp.server_name"
    )]
    ServerName(String),
}

/// A client for one mail server.
pub struct Smtp {
    host: String,
    port: u16,
    encryption: Encryption,
    tls: TlsConnector,
    server_name: ServerName<'static>,
    logon: Option<(Secret, Secret)>,
    timeout: Duration,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Smtp")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

/// Why a talk ended early.
enum Broken {
    /// The server said a code that ends the talk.
    Refused(u16, String),
    /// It cannot do what is asked for.
    Impossible(String),
    /// The connection failed.
    Failed(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Failed(match tls::find(&error) {
            Some(fault) => tls::describe(fault),
            None => error.to_string(),
        })
    }
}

/// One reply of the server.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn text(&self) -> String {
        self.lines.join(" ")
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open connection.
struct Connection<S> {
    stream: BufReader<S>,
    /// What the server said it can do, in upper case.
    abilities: Vec<String>,
}

impl Smtp {
    /// A client for these settings.
    pub fn new(settings: &Settings, roots: &Roots) -> Result<Self, SmtpError> {
        let smtp = &settings.smtp;
        let name = smtp.server_name.as_deref().unwrap_or(&smtp.host);
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|_| SmtpError::ServerName(name.to_owned()))?;
        let config = roots.client(settings.ca.as_deref(), smtp.verify)?;
        let logon = smtp.user.clone().map(|user| {
            let password = smtp.password.clone().unwrap_or_default();
            (user, password)
        });
        Ok(Self {
            host: smtp.host.clone(),
            port: smtp.port(),
            encryption: smtp.tls,
            tls: TlsConnector::from(Arc::new(config)),
            server_name,
            logon,
            timeout: settings.timeout,
        })
    }

    /// Sends a message to its recipient.
    pub async fn send(&self, outgoing: &Outgoing) -> SmtpReply {
        let mut stage = SmtpStage::Connect;
        let talk = async {
            let mut connection = self.open(&mut stage).await?;
            let text = connection.deliver(outgoing, &mut stage).await?;
            Ok((connection, text))
        };
        match tokio::time::timeout(self.timeout, talk).await {
            Ok(Ok((connection, text))) => {
                connection.quit().await;
                SmtpReply::Accepted { text }
            }
            Ok(Err(broken)) => self.reply(stage, broken),
            Err(_) => self.reply(stage, Broken::Failed(too_late(self.timeout))),
        }
    }

    /// Logs on and goes away again.
    pub async fn check(&self) -> SmtpReply {
        let mut stage = SmtpStage::Connect;
        match tokio::time::timeout(self.timeout, self.open(&mut stage)).await {
            Ok(Ok(connection)) => {
                connection.quit().await;
                let text = format!("{}:{} answers", self.host, self.port);
                SmtpReply::Accepted { text }
            }
            Ok(Err(broken)) => self.reply(stage, broken),
            Err(_) => self.reply(stage, Broken::Failed(too_late(self.timeout))),
        }
    }

    fn reply(&self, stage: SmtpStage, broken: Broken) -> SmtpReply {
        match broken {
            Broken::Refused(code, text) => SmtpReply::Refused { stage, code, text },
            Broken::Impossible(text) => SmtpReply::Impossible { stage, text },
            Broken::Failed(text) => SmtpReply::Failed {
                stage,
                text: format!("{}:{}: {text}", self.host, self.port),
            },
        }
    }

    /// Connects, encrypts and logs on.
    async fn open(&self, stage: &mut SmtpStage) -> Result<Connection<Box<dyn Stream>>, Broken> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let socket = TcpStream::connect((host, self.port)).await?;
        socket.set_nodelay(true)?;
        let limited = Limited::new(socket, READ_BYTES_MAX);
        let mut connection = match self.encryption {
            Encryption::Implicit => {
                *stage = SmtpStage::Tls;
                let encrypted = self.tls.connect(self.server_name.clone(), limited).await?;
                *stage = SmtpStage::Greeting;
                let mut connection = Connection::new(Box::new(encrypted) as Box<dyn Stream>);
                connection.greet().await?;
                connection
            }
            Encryption::Off => {
                *stage = SmtpStage::Greeting;
                let mut connection = Connection::new(Box::new(limited) as Box<dyn Stream>);
                connection.greet().await?;
                connection
            }
            Encryption::Starttls => self.starttls(limited, stage, true).await?,
            Encryption::Preferred => self.starttls(limited, stage, false).await?,
        };
        if let Some((user, password)) = &self.logon {
            *stage = SmtpStage::Logon;
            connection.log_on(user, password).await?;
        }
        Ok(connection)
    }

    /// Begins in the clear and encrypts before anything is said (RFC 3207). Where the server cannot, that is the end, or,
    /// unless it must be encrypted, goes on in the clear if there is no password to be said.
    async fn starttls(
        &self,
        limited: Limited<TcpStream>,
        stage: &mut SmtpStage,
        must: bool,
    ) -> Result<Connection<Box<dyn Stream>>, Broken> {
        *stage = SmtpStage::Greeting;
        let mut clear = Connection::new(limited);
        clear.greet().await?;
        if !must && self.logon.is_none() && !can(&clear.abilities, "STARTTLS") {
            let stream = Box::new(clear.stream.into_inner()) as Box<dyn Stream>;
            return Ok(Connection {
                stream: BufReader::new(stream),
                abilities: clear.abilities,
            });
        }
        *stage = SmtpStage::Tls;
        if !can(&clear.abilities, "STARTTLS") {
            // Somebody on the way may have taken the word out, so it is no refusal for good.
            return Err(Broken::Failed(
                "the server does not offer STARTTLS; ask its administrator, or write tls: implicit or off".to_owned(),
            ));
        }
        clear.command(Starttls, 220).await?;
        if !clear.stream.buffer().is_empty() {
            // What came in the clear must not count as said under encryption (CVE-2011-0411 and its kin).
            return Err(Broken::Failed(
                "the server sent more in the clear after STARTTLS, which somebody on the way may have put in".to_owned(),
            ));
        }
        let limited = clear.stream.into_inner();
        let encrypted = self.tls.connect(self.server_name.clone(), limited).await?;
        let mut connection = Connection::new(Box::new(encrypted) as Box<dyn Stream>);
        connection.hello().await?;
        Ok(connection)
    }
}

impl<S: Stream> Connection<S> {
    fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
            abilities: Vec::new(),
        }
    }

    /// Waits for the greeting, then says hello.
    async fn greet(&mut self) -> Result<(), Broken> {
        let greeting = self.read().await?;
        if greeting.code != 220 {
            return Err(refusal(&greeting));
        }
        self.hello().await
    }

    /// Says hello and learns what the server can do.
    async fn hello(&mut self) -> Result<(), Broken> {
        let reply = self.command(Ehlo::new(ClientId::default()), 250).await?;
        self.abilities = reply
            .lines
            .iter()
            .skip(1)
            .map(|line| line.to_ascii_uppercase())
            .collect();
        Ok(())
    }

    /// Logs on with the first way that the server offers and we know.
    async fn log_on(&mut self, user: &Secret, password: &Secret) -> Result<(), Broken> {
        let offered = self
            .abilities
            .iter()
            .find_map(|ability| ability.strip_prefix("AUTH"))
            .unwrap_or_default();
        let offers = |name: &str| offered.split([' ', '=']).any(|word| word == name);
        let mechanism = if offers("PLAIN") {
            Mechanism::Plain
        } else if offers("LOGIN") {
            Mechanism::Login
        } else {
            return Err(Broken::Impossible(
                "the server offers no logon by PLAIN or LOGIN here; take user and password away, or look at tls and port"
                    .to_owned(),
            ));
        };
        let credentials =
            || Credentials::new(user.reveal().to_owned(), password.reveal().to_owned());
        let unmade = |_| Broken::Failed("the logon makes no sense".to_owned());
        let mut command = Auth::new(mechanism, credentials(), None).map_err(unmade)?;
        for _ in 0..CHALLENGES_MAX {
            self.write(command.to_string().as_bytes()).await?;
            let reply = self.read().await?;
            match reply.code {
                235 => return Ok(()),
                334 => {
                    let code = Code::new(
                        Severity::PositiveIntermediate,
                        Category::Unspecified3,
                        Detail::Four,
                    );
                    let challenge = Response::new(code, reply.lines);
                    command = Auth::new_from_response(mechanism, credentials(), &challenge)
                        .map_err(unmade)?;
                }
                _ => return Err(refusal(&reply)),
            }
        }
        Err(Broken::Failed("the logon does not end".to_owned()))
    }

    /// Hands over the message. Gives what the server said to it.
    async fn deliver(
        &mut self,
        outgoing: &Outgoing,
        stage: &mut SmtpStage,
    ) -> Result<String, Broken> {
        *stage = SmtpStage::Sender;
        let sender = address(outgoing.sender.as_deref())?;
        let mut parameters = Vec::new();
        if can(&self.abilities, "SIZE") {
            // Dot stuffing and the last line end are not counted (RFC 1870 3).
            parameters.push(MailParameter::Size(outgoing.bytes.len()));
        }
        self.command(Mail::new(Some(sender), parameters), 250)
            .await?;
        *stage = SmtpStage::Recipient;
        let recipient = address(outgoing.recipient.as_deref())?;
        let reply = self.exchange(Rcpt::new(recipient, Vec::new())).await?;
        if !matches!(reply.code, 250 | 251) {
            return Err(refusal(&reply));
        }
        *stage = SmtpStage::Message;
        self.command(Data, 354).await?;
        self.write(&stuffed(&outgoing.bytes)).await?;
        let reply = self.read().await?;
        if reply.code != 250 {
            return Err(refusal(&reply));
        }
        Ok(format!("{} {}", reply.code, reply.text()))
    }

    /// Says goodbye without waiting for the answer: the message is delivered, and nothing may make that late.
    async fn quit(mut self) {
        let goodbye = async {
            self.write(Quit.to_string().as_bytes()).await?;
            self.stream.shutdown().await?;
            Ok::<(), Broken>(())
        };
        // A connection that is closed badly is closed too.
        drop(tokio::time::timeout(QUIT_WAIT, goodbye).await);
    }

    /// A command and its reply, which must have this code.
    async fn command(&mut self, command: impl Display, code: u16) -> Result<Reply, Broken> {
        let reply = self.exchange(command).await?;
        if reply.code == code {
            Ok(reply)
        } else {
            Err(refusal(&reply))
        }
    }

    async fn exchange(&mut self, command: impl Display) -> Result<Reply, Broken> {
        self.write(command.to_string().as_bytes()).await?;
        self.read().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Reads a reply of one or more lines (RFC 5321 4.2).
    async fn read(&mut self) -> Result<Reply, Broken> {
        let mut lines = Vec::new();
        for _ in 0..REPLY_LINES_MAX {
            let mut line = Vec::new();
            // Bounded by the limit of the whole connection.
            if self.stream.read_until(b'\n', &mut line).await? == 0 {
                return Err(Broken::Failed(
                    "the server closed the connection".to_owned(),
                ));
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let code = line
                .get(..3)
                .filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|code| code.parse().ok());
            let (Some(code), mark) = (code, line.as_bytes().get(3)) else {
                return Err(no_mail_server());
            };
            if !matches!(mark, None | Some(b' ' | b'-')) {
                return Err(no_mail_server());
            }
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if mark != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
        Err(Broken::Failed(
            "a reply of the server does not end".to_owned(),
        ))
    }
}

/// Whether the server offers something.
fn can(abilities: &[String], what: &str) -> bool {
    abilities
        .iter()
        .any(|ability| ability.split(' ').next() == Some(what))
}

fn no_mail_server() -> Broken {
    Broken::Failed("what answers there does not speak SMTP; look at the port and at tls".to_owned())
}

fn refusal(reply: &Reply) -> Broken {
    Broken::Refused(reply.code, reply.text())
}

/// The address in a rendered message.
fn address(text: Option<&str>) -> Result<Address, Broken> {
    let text = text.unwrap_or_default();
    text.parse()
        .map_err(|_| Broken::Impossible(format!("{text:?} is no mail address")))
}

/// The message with its end, and with a second dot before each line that begins with one (RFC 5321 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + 64);
    let mut at_start = true;
    for &byte in message {
        if at_start && byte == b'.' {
            bytes.push(b'.');
        }
        bytes.push(byte);
        at_start = byte == b'\n';
    }
    if !at_start {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_begin_with_a_dot_are_stuffed() {
        assert_eq!(stuffed(b".a\r\n..b\r\nc."), b"..a\r\n...b\r\nc.\r\n.\r\n");
        assert_eq!(stuffed(b"a\r\n"), b"a\r\n.\r\n");
    }

    #[test]
    fn abilities_are_whole_words() {
        let abilities = ["STARTTLS", "SIZE 1000", "AUTH PLAIN LOGIN"].map(str::to_owned);
        assert!(can(&abilities, "SIZE") && can(&abilities, "STARTTLS"));
        assert!(!can(&abilities, "START") && !can(&abilities, "PLAIN"));
    }
}
