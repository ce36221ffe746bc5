//! The task that holds the connection to a broker.

use super::{
    Message, Order, Reach, bare,
    packets::{self, GOODBYE, Hello, Incoming, PACKET_BYTES_MAX, PING, Welcome},
};
use crate::{
    dest::{
        judge::too_late,
        mqtt::{Code, Reply},
    },
    secret::Secret,
    transport::tls,
};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

/// Seconds after which the broker is asked whether it is there, when nothing else was said.
const KEEP_ALIVE: u16 = 30;
/// Messages that may be unacknowledged, at most; a broker may want fewer.
const UNACKNOWLEDGED_MAX: usize = 100;
/// How long nobody is tried after a try that failed; who comes meanwhile is told the same.
const HOLD_OFF: Duration = Duration::from_millis(500);
/// How long the broker gets to take our goodbye.
const GOODBYE_WAIT: Duration = Duration::from_millis(500);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open connection.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    welcome: Welcome,
    last_id: u16,
    unacknowledged: VecDeque<Sent>,
}

/// A message that was sent and is not acknowledged yet.
struct Sent {
    id: u16,
    until: Instant,
    /// Nobody waits for what svcwatch says of itself.
    reply: Option<oneshot::Sender<Reply>>,
}

/// Publishes what is ordered until nobody can order any more.
pub(super) async fn run(reach: Arc<Reach>, mut orders: mpsc::Receiver<Order>) {
    while let Some(first) = orders.recv().await {
        let opened = tokio::time::timeout(reach.timeout, open(&reach, true)).await;
        let failed = match opened {
            Ok(Ok(connection)) => match connection.carry(&reach, first, &mut orders).await {
                Ok(()) => return,
                Err(reason) => {
                    tracing::debug!(error = %reason, "the connection to a broker ended");
                    continue;
                }
            },
            Ok(Err(reply)) => reply,
            Err(_) => Reply::Failed(reach.late()),
        };
        answer(first, failed.clone());
        let until = Instant::now() + HOLD_OFF;
        while let Ok(Some(order)) = timeout_at(until, orders.recv()).await {
            answer(order, failed.clone());
        }
    }
}

fn answer(order: Order, reply: Reply) {
    // Who asked may have stopped waiting.
    drop(order.reply.send(reply));
}

/// Connects and logs on; with the presence, so that the broker says when we are gone.
pub(super) async fn open(reach: &Reach, presence: bool) -> Result<Connection, Reply> {
    let failed = |text: &str| Reply::Failed(reach.at(text));
    let of_io = |error: io::Error| {
        failed(&match tls::find(&error) {
            Some(fault) => tls::describe(fault),
            None => format!("cannot be reached: {error}"),
        })
    };
    let socket = TcpStream::connect((bare(&reach.host), reach.port))
        .await
        .map_err(of_io)?;
    socket.set_nodelay(true).map_err(of_io)?;
    let stream: Box<dyn Stream> = match &reach.tls {
        None => Box::new(socket),
        Some((connector, name)) => Box::new(
            connector
                .connect(name.clone(), socket)
                .await
                .map_err(of_io)?,
        ),
    };
    let mut connection = Connection {
        stream,
        received: Vec::new(),
        welcome: Welcome::default(),
        last_id: 0,
        unacknowledged: VecDeque::new(),
    };
    let logon = reach.logon.as_ref();
    let hello = packets::hello(&Hello {
        version: reach.version,
        client_id: &reach.client_id,
        logon: logon.map(|(user, password)| (user.reveal(), password.as_ref().map(Secret::reveal))),
        presence: reach.presence.as_deref().filter(|_| presence),
        keep_alive: KEEP_ALIVE,
    })
    .map_err(Reply::Impossible)?;
    connection
        .write(&hello)
        .await
        .map_err(|text| failed(&text))?;
    match connection.read(reach).await.map_err(|text| failed(&text))? {
        Incoming::Welcome(welcome) if welcome.code == 0 => {
            if reach.acknowledged && !welcome.acknowledges {
                return Err(Reply::Impossible(reach.at(
                    "the broker acknowledges no messages; write qos: 0, which may lose some, or take another broker",
                )));
            }
            connection.welcome = welcome;
            Ok(connection)
        }
        Incoming::Welcome(welcome) => Err(Reply::Refused {
            code: Code::Connect(reach.version, welcome.code),
            text: welcome.text,
        }),
        Incoming::Goodbye { code, text } => Err(Reply::Refused {
            code: Code::Disconnect(code),
            text,
        }),
        Incoming::Acknowledged { .. } | Incoming::Pong => Err(failed(
            "the broker answers out of turn; look at host and port",
        )),
    }
}

impl Connection {
    /// Publishes the first order and those that follow. Ends well where nobody can order any more.
    async fn carry(
        mut self,
        reach: &Reach,
        first: Order,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Result<(), String> {
        let ended = self.talk(reach, first, orders).await;
        let reason = match ended {
            Ok(()) => {
                self.leave(reach, reach.presence.as_deref()).await;
                return Ok(());
            }
            Err(reason) => reason,
        };
        for sent in self.unacknowledged.drain(..) {
            if let Some(reply) = sent.reply {
                drop(reply.send(Reply::Failed(reach.at(&reason))));
            }
        }
        Err(reason)
    }

    async fn talk(
        &mut self,
        reach: &Reach,
        first: Order,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Result<(), String> {
        let keep_alive = self.welcome.keep_alive.unwrap_or(KEEP_ALIVE);
        // A broker that wants no pings gets ours all the same, so that a dead connection is noticed.
        let keep_alive = if keep_alive == 0 {
            KEEP_ALIVE
        } else {
            keep_alive.min(KEEP_ALIVE)
        };
        let keep_alive = Duration::from_secs(u64::from(keep_alive)).mul_f64(0.8);
        let window = UNACKNOWLEDGED_MAX.min(usize::from(self.welcome.receive_maximum));
        let mut said = Instant::now();
        let mut pong_until: Option<Instant> = None;
        let mut batch = Vec::new();
        let mut closed = false;
        if let Some(topic) = &reach.presence {
            self.presence(reach, topic, "online", &mut batch)?;
        }
        self.add(reach, first, &mut batch);
        loop {
            while self.unacknowledged.len() < window
                && let Ok(order) = orders.try_recv()
            {
                self.add(reach, order, &mut batch);
            }
            if !batch.is_empty() {
                self.write_within(reach, &batch).await?;
                batch.clear();
                said = Instant::now();
            }
            if closed && self.unacknowledged.is_empty() {
                return Ok(());
            }
            let free = self.unacknowledged.len() < window;
            let overdue = self.unacknowledged.front().map(|sent| sent.until);
            let late = [overdue, pong_until].into_iter().flatten().min();
            tokio::select! {
                order = orders.recv(), if free && !closed => match order {
                    Some(order) => self.add(reach, order, &mut batch),
                    None => closed = true,
                },
                packet = self.read(reach) => match packet? {
                    Incoming::Acknowledged { id, code, text } => self.acknowledged(id, code, text)?,
                    Incoming::Pong if pong_until.take().is_some() => {}
                    Incoming::Goodbye { code, text } => {
                        return Err(Code::Disconnect(code).in_words(text.as_deref()));
                    }
                    Incoming::Pong | Incoming::Welcome(_) => {
                        return Err("the broker answers out of turn".to_owned());
                    }
                },
                () = sleep_until(said + keep_alive) => {
                    batch.extend_from_slice(&PING);
                    pong_until = pong_until.or(Some(Instant::now() + reach.timeout));
                }
                () = sleep_until(late.unwrap_or(said)), if late.is_some() => {
                    return Err(too_late(reach.timeout));
                }
            }
        }
    }

    /// Says whether we are there.
    fn presence(
        &self,
        reach: &Reach,
        topic: &str,
        word: &str,
        batch: &mut Vec<u8>,
    ) -> Result<(), String> {
        let message = Message {
            topic: topic.to_owned(),
            payload: word.as_bytes().to_vec(),
            retain: self.welcome.retains,
            properties: Vec::new(),
        };
        batch.extend(packets::publish(reach.version, None, &message)?);
        Ok(())
    }

    /// Adds a message to what is written next. One that cannot be written is answered at once.
    fn add(&mut self, reach: &Reach, order: Order, batch: &mut Vec<u8>) {
        let Order { mut message, reply } = order;
        // Who gave it up while it waited asks again.
        if reply.is_closed() {
            return;
        }
        message.retain &= self.welcome.retains;
        let id = reach.acknowledged.then(|| self.next_id());
        let packet = match packets::publish(reach.version, id, &message) {
            Ok(packet) => packet,
            Err(error) => return drop(reply.send(Reply::Impossible(error))),
        };
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        if let Some(most) = self.welcome.packet_maximum.filter(|most| length > *most) {
            let text = format!("the message has {length} bytes, and the broker takes {most}");
            return drop(reply.send(Reply::Impossible(text)));
        }
        batch.extend(packet);
        match id {
            Some(id) => self.unacknowledged.push_back(Sent {
                id,
                until: Instant::now() + reach.timeout,
                reply: Some(reply),
            }),
            // It may be lost on its way: that is what qos: 0 means.
            None => drop(reply.send(Reply::Acknowledged(
                "sent, without an acknowledgement".to_owned(),
            ))),
        }
    }

    /// A number that no unacknowledged message has.
    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self
                .unacknowledged
                .iter()
                .all(|sent| sent.id != self.last_id)
            {
                return self.last_id;
            }
        }
    }

    fn acknowledged(&mut self, id: u16, code: u8, text: Option<String>) -> Result<(), String> {
        let place = self.unacknowledged.iter().position(|sent| sent.id == id);
        let Some(sent) = place.and_then(|place| self.unacknowledged.remove(place)) else {
            return Err("the broker acknowledges a message that it was not given".to_owned());
        };
        let reply = if code < 0x80 {
            Reply::Acknowledged("acknowledged by the broker".to_owned())
        } else {
            Reply::Refused {
                code: Code::Publish(code),
                text,
            }
        };
        if let Some(waiting) = sent.reply {
            drop(waiting.send(reply));
        }
        Ok(())
    }

    /// The next packet. May be dropped and asked again.
    async fn read(&mut self, reach: &Reach) -> Result<Incoming, String> {
        loop {
            if let Some((packet, length)) = packets::take(reach.version, &self.received)? {
                self.received.drain(..length);
                return Ok(packet);
            }
            if self.received.len() > PACKET_BYTES_MAX + 5 {
                return Err("the broker sends too much".to_owned());
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Err("the broker closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) => {
                    return Err(match tls::find(&error) {
                        Some(fault) => tls::describe(fault),
                        None => format!("the connection broke off: {error}"),
                    });
                }
            }
        }
    }

    async fn write_within(&mut self, reach: &Reach, bytes: &[u8]) -> Result<(), String> {
        tokio::time::timeout(reach.timeout, self.write(bytes))
            .await
            .unwrap_or_else(|_| Err(too_late(reach.timeout)))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let broken = |error: io::Error| format!("the connection broke off: {error}");
        self.stream.write_all(bytes).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)
    }

    /// Says goodbye, with the word that we are gone where there is a place for it.
    pub(super) async fn leave(mut self, reach: &Reach, presence: Option<&str>) {
        let mut last = Vec::new();
        if let Some(topic) = presence {
            // A word that cannot be written is missed by nobody: the connection ends all the same.
            drop(self.presence(reach, topic, "offline", &mut last));
        }
        last.extend_from_slice(&GOODBYE);
        let goodbye = async {
            self.write(&last).await?;
            self.stream
                .shutdown()
                .await
                .map_err(|error| error.to_string())
        };
        // A connection that is closed badly is closed too.
        drop(tokio::time::timeout(GOODBYE_WAIT, goodbye).await);
    }
}
