//! The network side of the simulated fleet: one port on 127.0.0.1 at which every host can be asked for by its name.

use super::host::{Condition, Host};
use super::manager::{self, Fault};
use super::world::World;
use crate::probe::hello::{Hello, Reply};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use svcwatch_wire::pdu::{Incoming, SERVICE_CONTROL, Server, fragment_length};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a client may take to say which host it wants.
const GREETING_WITHIN: Duration = Duration::from_secs(10);
/// Connections that wait to be taken, at most.
const WAITING_MAX: u32 = 4_096;
/// Connections of each host, at most; whoever comes then waits.
const CONNECTIONS_PER_HOST: usize = 4;
/// How long nobody is let in after the system had no room for a connection.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);
/// Length of the header of a fragment (C706 12.6.3.1).
const HEADER_BYTES: usize = 16;
/// The longest fragment that a client may send.
const FRAGMENT_BYTES_MAX: usize = 8_192;
/// STATUS_LOGON_FAILURE (MS-ERREF 2.3.1).
const LOGON_FAILURE: u32 = 0xC000_006D;

/// A fleet that can be asked. It ends when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    world: Arc<World>,
    address: SocketAddr,
    /// Bound, so that nobody else gets its port, but never listening: connections to it are refused.
    refusing: TcpSocket,
    serving: JoinHandle<()>,
}

impl Fleet {
    /// Begins to answer for the hosts of a world.
    pub fn start(world: Arc<World>) -> io::Result<Self> {
        let refusing = loopback_socket()?;
        let socket = loopback_socket()?;
        let address = socket.local_addr()?;
        let listener = socket.listen(WAITING_MAX)?;
        let connections = world.len().max(1).saturating_mul(CONNECTIONS_PER_HOST);
        let serving = tokio::spawn(serve(listener, Arc::clone(&world), connections));
        Ok(Self {
            world,
            address,
            refusing,
            serving,
        })
    }

    /// The hosts.
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Where every host can be asked.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// An address at which every connection is refused.
    pub fn refusing(&self) -> io::Result<SocketAddr> {
        self.refusing.local_addr()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn loopback_socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(socket)
}

async fn serve(listener: TcpListener, world: Arc<World>, connections: usize) {
    let places = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
    // Ends every conversation with the listener.
    let mut conversations = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let world = Arc::clone(&world);
                conversations.spawn(async move {
                    if let Err(error) = converse(stream, &world).await {
                        tracing::trace!(%error, "a connection to the simulated fleet ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "the simulated fleet could not take a connection");
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
        while conversations.try_join_next().is_some() {}
    }
}

/// One connection, from its greeting to its end.
async fn converse(mut stream: TcpStream, world: &World) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Ok(Ok(hello)) = timeout(GREETING_WITHIN, Hello::receive(&mut stream)).await else {
        return Ok(());
    };
    let Some((number, host)) = world
        .find(&hello.host)
        .and_then(|number| Some((number, world.host(number)?)))
    else {
        return Ok(());
    };
    let cuts = host.cuts();
    let answered = match host.condition() {
        Condition::Refuses | Condition::Dead => return cut(&stream),
        Condition::Silent => return hold(stream, host, cuts).await,
        Condition::RefusesLogon => Reply::Refused {
            status: LOGON_FAILURE,
        },
        Condition::Well | Condition::DeniesAccess | Condition::Garbage => Reply::Accepted {
            computer: host.computer(),
        },
    };
    let admitted = matches!(answered, Reply::Accepted { .. });
    answered.send(&mut stream).await.map_err(io::Error::other)?;
    if admitted {
        session(stream, world, number, host, cuts).await
    } else {
        Ok(())
    }
}

/// Answers calls until the client goes or the host cuts it off.
async fn session(
    mut stream: TcpStream,
    world: &World,
    number: usize,
    host: &Host,
    cuts: u32,
) -> io::Result<()> {
    let mut server = Server::new(SERVICE_CONTROL);
    let mut fragment = Vec::new();
    loop {
        if !receive(&mut stream, &mut fragment, host, cuts).await? {
            return Ok(());
        }
        match host.condition() {
            Condition::Silent => return hold(stream, host, cuts).await,
            Condition::Garbage => {
                stream.write_all(&garbage(&fragment)).await?;
                continue;
            }
            Condition::Well
            | Condition::Refuses
            | Condition::Dead
            | Condition::RefusesLogon
            | Condition::DeniesAccess => {}
        }
        match server.on_fragment(&fragment) {
            Ok(Incoming::More) => {}
            Ok(Incoming::Answer(answer)) => stream.write_all(&answer).await?,
            Ok(Incoming::Call {
                call_id,
                operation,
                stub,
            }) => {
                let fragments = match manager::answer(world, number, operation, &stub) {
                    Ok(stub) => server.response(call_id, &stub),
                    Err(Fault(status)) => vec![server.fault(call_id, status)],
                };
                // In one write: each fragment is read by itself all the same.
                stream.write_all(&fragments.concat()).await?;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        // Nothing is kept between two calls but what a bare connection needs.
        fragment = Vec::new();
    }
}

/// Reads one fragment; false where the connection is over.
async fn receive(
    stream: &mut TcpStream,
    fragment: &mut Vec<u8>,
    host: &Host,
    cuts: u32,
) -> io::Result<bool> {
    let cut_off = host.cut.notified();
    tokio::pin!(cut_off);
    cut_off.as_mut().enable();
    if host.cuts() != cuts {
        cut(stream)?;
        return Ok(false);
    }
    tokio::select! {
        () = cut_off => {
            cut(stream)?;
            Ok(false)
        }
        read = read_fragment(stream, fragment) => read,
    }
}

async fn read_fragment(stream: &mut TcpStream, fragment: &mut Vec<u8>) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    match stream.read_exact(&mut header).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    let length = match fragment_length(&header) {
        Some(Ok(length)) => length.clamp(HEADER_BYTES, FRAGMENT_BYTES_MAX),
        Some(Err(error)) => return Err(io::Error::other(error)),
        None => return Ok(false),
    };
    fragment.resize(length, 0);
    let (start, rest) = fragment.split_at_mut(HEADER_BYTES);
    start.copy_from_slice(&header);
    stream.read_exact(rest).await?;
    Ok(true)
}

/// Says nothing until the client goes or the host is cut off.
async fn hold(mut stream: TcpStream, host: &Host, cuts: u32) -> io::Result<()> {
    let mut sink = [0; 256];
    loop {
        let cut_off = host.cut.notified();
        tokio::pin!(cut_off);
        cut_off.as_mut().enable();
        if host.cuts() != cuts {
            return cut(&stream);
        }
        tokio::select! {
            () = cut_off => return cut(&stream),
            read = stream.read(&mut sink) => if read? == 0 {
                return Ok(());
            },
        }
    }
}

/// Ends a connection as a host does whose power fails: the other side is not told politely.
fn cut(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}

/// As long as what was asked, so that nobody waits for more of it, and of no version of RPC that there is.
fn garbage(asked: &[u8]) -> Vec<u8> {
    let mut answer: Vec<u8> = b"\x48\x54\x54\x50\x2f\x31\x2e\x31"
        .iter()
        .copied()
        .cycle()
        .take(asked.len())
        .collect();
    let length = u16::try_from(answer.len())
        .unwrap_or(u16::MAX)
        .to_le_bytes();
    for (to, from) in answer.iter_mut().skip(8).zip(length) {
        *to = from;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::host::Difference;
    use super::*;
    use crate::probe::{Access, Auth, Prober, Transport};
    use crate::secret::Secret;
    use svcwatch_core::effect::ProbeRequest;
    use svcwatch_core::id::Name;
    use svcwatch_core::observe::{
        Asked, Fault as HostFault, HostReading, Observation, Outcome, ProbeId, StartType, State,
    };
    use svcwatch_core::time::Span;

    struct Asking {
        fleet: Fleet,
        prober: Prober,
    }

    impl Asking {
        fn new(hosts: usize) -> Self {
            Self {
                fleet: Fleet::start(Arc::new(World::new(hosts))).unwrap(),
                prober: Prober::new(),
            }
        }

        fn world(&self) -> &World {
            self.fleet.world()
        }

        async fn check_at(&self, address: SocketAddr, host: usize, ask: &[&str]) -> Observation {
            let request = ProbeRequest {
                host: Name::new(self.world().host_name(host)),
                probe: ProbeId(1),
                may_log_on: true,
                logons: 1,
                ask: ask.iter().map(|name| Name::new(name)).collect(),
                uptime: false,
                timeout: Span(500),
            };
            let access = Access {
                address: address.ip().to_string(),
                port: address.port(),
                transport: Transport::Loopback,
                user: r"DEMO\svcwatch".to_owned(),
                password: Secret::from("no one asks for it"),
                second_password: None,
                auth: Auth::Ntlm,
            };
            self.prober.check(&request, &access).await
        }

        async fn check(&self, host: usize, ask: &[&str]) -> Observation {
            self.check_at(self.fleet.address(), host, ask).await
        }

        async fn read(&self, host: usize, ask: &[&str]) -> HostReading {
            match self.check(host, ask).await.outcome {
                Outcome::Read(reading) => reading,
                other => panic!("not read: {other:?}"),
            }
        }

        async fn fault(&self, host: usize) -> HostFault {
            match self.check(host, &[]).await.outcome {
                Outcome::Fault(fault) => fault.fault,
                other => panic!("no fault: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn the_real_probe_reads_sixty_services_and_how_they_are_set_up() {
        let asking = Asking::new(1);
        let reading = asking.read(0, &[]).await;
        assert_eq!(reading.services.len(), 60);
        let running = reading
            .services
            .iter()
            .filter(|service| service.reading.state == State::Running);
        assert!(running.count() > 35);
        let names = [Name::new("WMSVC"), Name::new("Spooler"), Name::new("gone")];
        let host = Name::new(asking.world().host_name(0));
        let configs = asking
            .prober
            .read_config(&host, &names, Span(5_000))
            .await
            .unwrap();
        assert_eq!(configs.len(), 2, "one does not exist");
        assert_eq!(configs[0].start_type, Some(StartType::AutomaticDelayed));
        assert_eq!(configs[1].start_type, Some(StartType::Automatic));
        assert_eq!(configs[1].display_name.as_deref(), Some("Print Spooler"));
        assert_eq!(configs[1].trigger_start, Some(false));
        assert_eq!(configs[1].dependencies, Some(vec!["RpcSs".to_owned()]));
    }

    #[tokio::test]
    async fn every_condition_is_the_fault_that_it_should_be() {
        let asking = Asking::new(1);
        let world = asking.world();
        for (condition, fault) in [
            (Condition::Dead, HostFault::Unreachable),
            (Condition::Silent, HostFault::Timeout),
            (Condition::RefusesLogon, HostFault::LogonRefused),
            (Condition::DeniesAccess, HostFault::AccessDenied),
            (Condition::Garbage, HostFault::ProtocolError),
        ] {
            assert_eq!(asking.read(0, &[]).await.services.len(), 60);
            world.set_condition(0, condition);
            assert_eq!(
                asking.fault(0).await,
                fault,
                "in the kept session: {condition:?}"
            );
            assert_eq!(asking.fault(0).await, fault, "in a new one: {condition:?}");
            world.boot(0);
        }
        let refused = asking
            .check_at(asking.fleet.refusing().unwrap(), 0, &[])
            .await;
        assert!(
            matches!(&refused.outcome, Outcome::Fault(fault) if fault.fault == HostFault::Unreachable),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn stopped_missing_and_hidden_are_told_apart() {
        let asking = Asking::new(1);
        let world = asking.world();
        let target = |name| world.target("web-01", name).unwrap();
        world.set(target("W3SVC"), Some(Difference::stopped(1066, 3)));
        world.set(target("WAS"), Some(Difference::Missing));
        world.set(target("AppHostSvc"), Some(Difference::Hidden));
        let reading = asking.read(0, &["W3SVC", "WAS", "AppHostSvc"]).await;
        assert_eq!(reading.services.len(), 58);
        let stopped = reading
            .services
            .iter()
            .find(|service| service.name == "W3SVC")
            .unwrap()
            .reading;
        assert_eq!(stopped.state, State::Stopped);
        assert_eq!(
            (stopped.exit_code, stopped.service_exit_code),
            (Some(1066), Some(3))
        );
        let asked: Vec<_> = reading.asked.iter().map(|(_, answer)| *answer).collect();
        assert_eq!(asked, [Asked::Missing, Asked::Hidden]);
    }

    #[tokio::test]
    async fn another_computer_gives_its_own_name() {
        let asking = Asking::new(1);
        let first = asking.check(0, &[]).await;
        assert_eq!(first.computer_name.as_deref(), Some("WEB-01"));
        asking.world().set_impostor(0, Some("LAPTOP-7QK2"));
        let other = asking.check(0, &[]).await;
        assert_eq!(other.computer_name.as_deref(), Some("LAPTOP-7QK2"));
    }

    #[tokio::test]
    async fn who_talks_nonsense_to_the_fleet_harms_nobody() {
        let asking = Asking::new(2);
        for nonsense in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            &[0xff; 64],
            b"svcwfl01\xff\xff\xff\xff",
        ] {
            let mut stream = TcpStream::connect(asking.fleet.address()).await.unwrap();
            stream.write_all(nonsense).await.unwrap();
            let mut answer = Vec::new();
            let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "the connection is ended");
            assert!(answer.is_empty());
        }
        assert_eq!(asking.read(1, &[]).await.services.len(), 60);
    }
}
