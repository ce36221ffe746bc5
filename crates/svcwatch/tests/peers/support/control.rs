//! Starts and stops services of a Wine host at once, straight through the relay, so that it is known when.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use svcwatch_wire::WireError;
use svcwatch_wire::pdu::{Client, Progress, SERVICE_CONTROL};
use svcwatch_wire::scmr::{
    Code, ControlService, CurrentState, Handle, OpenScManager, OpenService, QueryServiceStatusEx,
    Reply, Request, StartService, access, controls,
};

/// How long a service may take to start or stop.
const CHANGES_WITHIN: Duration = Duration::from_secs(30);

/// The right to say the state of a service (`SERVICE_SET_STATUS`, MS-SCMR 3.1.4).
const SET_STATUS: u32 = 0x8000;

/// `RSetServiceStatus` (MS-SCMR 3.1.4.8), which only services send.
#[derive(Debug)]
struct SetServiceStatus {
    service: Handle,
    runs: bool,
    exit_code: u32,
}

impl Request for SetServiceStatus {
    const OPNUM: u16 = 7;
    type Reply = SetServiceStatusReply;

    fn encode(&self) -> Vec<u8> {
        let state: u32 = if self.runs { 4 } else { 1 };
        // A process of its own that takes a stop, and nothing else.
        let words = [0x10, state, 1, self.exit_code, 0, 0, 0];
        let status = words.into_iter().flat_map(u32::to_le_bytes);
        self.service.0.into_iter().chain(status).collect()
    }

    fn decode(_: &[u8]) -> Result<Self, WireError> {
        Err(WireError::BadValue {
            what: "a call that only clients send",
            value: u32::from(Self::OPNUM),
        })
    }
}

/// The answer to it.
#[derive(Debug)]
struct SetServiceStatusReply(Code);

impl Reply for SetServiceStatusReply {
    fn encode(&self) -> Vec<u8> {
        self.0.0.to_le_bytes().to_vec()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let code = stub.try_into().map_err(|_| WireError::Truncated {
            what: "a code",
            need: 4,
            have: stub.len(),
        })?;
        Ok(Self(Code(u32::from_le_bytes(code))))
    }

    fn code(&self) -> Code {
        self.0
    }
}

/// The right to change how a service is set up (`SERVICE_CHANGE_CONFIG`, MS-SCMR 3.1.4).
const CHANGE_CONFIG: u32 = 0x2;

/// `RChangeServiceConfigW` (MS-SCMR 3.1.4.11), of which only the start type is used.
#[derive(Debug)]
struct ChangeStart {
    service: Handle,
    start_type: u32,
}

impl Request for ChangeStart {
    const OPNUM: u16 = 11;
    type Reply = ChangeStartReply;

    fn encode(&self) -> Vec<u8> {
        // SERVICE_NO_CHANGE for the type and the error control, and no pointer to anything else.
        let words = [u32::MAX, self.start_type, u32::MAX];
        let words = words.into_iter().chain([0; 9]);
        let words = words.flat_map(u32::to_le_bytes);
        self.service.0.into_iter().chain(words).collect()
    }

    fn decode(_: &[u8]) -> Result<Self, WireError> {
        Err(WireError::BadValue {
            what: "a call that only tests send",
            value: u32::from(Self::OPNUM),
        })
    }
}

/// The answer to it: behind the tag, which is not asked for, stands the code.
#[derive(Debug)]
struct ChangeStartReply(Code);

impl Reply for ChangeStartReply {
    fn encode(&self) -> Vec<u8> {
        [[0; 4], self.0.0.to_le_bytes()].concat()
    }

    fn decode(stub: &[u8]) -> Result<Self, WireError> {
        let code = stub.last_chunk().ok_or(WireError::Truncated {
            what: "a code",
            need: 4,
            have: stub.len(),
        })?;
        Ok(Self(Code(u32::from_le_bytes(*code))))
    }

    fn code(&self) -> Code {
        self.0
    }
}

/// A connection to the service control manager itself.
#[derive(Debug)]
pub(crate) struct Control {
    stream: TcpStream,
    client: Client,
    manager: Handle,
}

impl Control {
    /// Connects to the relay.
    pub(crate) fn connect(relay_port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", relay_port)).expect("the relay listens");
        stream.set_nodelay(true).expect("it is a TCP connection");
        let client = Client::new(SERVICE_CONTROL);
        let mut control = Self {
            stream,
            client,
            manager: Handle::NULL,
        };
        let bind = control.client.bind();
        control.send(&bind);
        let answer = control.receive();
        let bound = control.client.on_bind_reply(&answer);
        bound.expect("it is the service control manager");
        let opened = control.call(&OpenScManager {
            machine: None,
            database: None,
            access: access::MANAGER_CONNECT,
        });
        control.manager = opened.handle.expect("it can be opened");
        control
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the relay is there");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut head = [0; 16];
        self.stream
            .read_exact(&mut head)
            .expect("the relay answers");
        let mut fragment = vec![0; usize::from(u16::from_le_bytes([head[8], head[9]]))];
        fragment[..16].copy_from_slice(&head);
        let rest = self.stream.read_exact(&mut fragment[16..]);
        rest.expect("a fragment is whole");
        fragment
    }

    fn call<R: Request>(&mut self, request: &R) -> R::Reply {
        let fragments = self.client.request(R::OPNUM, &request.encode());
        // Wine calls each answer the one to call 1.
        let call: [u8; 4] = fragments[0][12..16].try_into().expect("a header is whole");
        for fragment in fragments {
            self.send(&fragment);
        }
        loop {
            let mut fragment = self.receive();
            fragment[12..16].copy_from_slice(&call);
            let progress = self.client.on_fragment(&fragment);
            if let Progress::Done(stub) = progress.expect("Wine answers") {
                return R::Reply::decode(&stub).expect("Wine answers well");
            }
        }
    }

    /// Opens a service to start, stop and look at it.
    pub(crate) fn open(&mut self, name: &str) -> Handle {
        let opened = self.call(&OpenService {
            manager: self.manager,
            name: name.to_owned(),
            access: access::QUERY_STATUS | access::START | access::STOP,
        });
        opened.handle.expect("the service is there")
    }

    /// Opens a service as its own program does, to say its state.
    pub(crate) fn open_as_its_own(&mut self, name: &str) -> Handle {
        let opened = self.call(&OpenService {
            manager: self.manager,
            name: name.to_owned(),
            access: access::QUERY_STATUS | SET_STATUS,
        });
        opened.handle.expect("the service is there")
    }

    /// Says that a service runs or is stopped, as its own program does; Wine believes whoever may.
    pub(crate) fn set_runs(&mut self, service: Handle, runs: bool) {
        self.say(&SetServiceStatus {
            service,
            runs,
            exit_code: 0,
        });
    }

    /// Says that a service has ended with this code of Win32, as a manager that notices the death of a process does;
    /// Wine's own does not notice it.
    pub(crate) fn set_ended(&mut self, service: Handle, exit_code: u32) {
        self.say(&SetServiceStatus {
            service,
            runs: false,
            exit_code,
        });
    }

    fn say(&mut self, status: &SetServiceStatus) {
        let reply = self.call(status);
        assert_eq!(reply.0, Code::SUCCESS, "Wine believes it");
    }

    /// Changes how a service is started (MS-SCMR 2.2.15, dwStartType).
    pub(crate) fn set_start(&mut self, name: &str, start_type: u32) {
        let opened = self.call(&OpenService {
            manager: self.manager,
            name: name.to_owned(),
            access: CHANGE_CONFIG,
        });
        let service = opened.handle.expect("the service is there");
        let reply = self.call(&ChangeStart {
            service,
            start_type,
        });
        assert_eq!(reply.0, Code::SUCCESS, "Wine changes it");
    }

    /// Asks a service to stop; gives when that was asked.
    pub(crate) fn stop(&mut self, service: Handle) -> Instant {
        let begun = Instant::now();
        let reply = self.call(&ControlService {
            service,
            control: controls::STOP,
        });
        assert_eq!(reply.code(), Code::SUCCESS, "the service obeys");
        begun
    }

    /// Starts a service.
    pub(crate) fn start(&mut self, service: Handle) {
        let reply = self.call(&StartService {
            service,
            arguments: Vec::new(),
        });
        assert_eq!(reply.code(), Code::SUCCESS, "the service starts");
        self.wait_for(service, CurrentState::Running);
    }

    /// Waits until a service is in a state.
    pub(crate) fn wait_for(&mut self, service: Handle, state: CurrentState) {
        let begun = Instant::now();
        loop {
            let status = self.call(&QueryServiceStatusEx { service }).status;
            let seen = status.and_then(|process| process.status.state());
            if seen == Some(state) {
                return;
            }
            assert!(
                begun.elapsed() < CHANGES_WITHIN,
                "{seen:?} and not {state:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
