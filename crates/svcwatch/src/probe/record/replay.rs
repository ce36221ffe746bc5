//! A pipe that answers from a record. The client's own fragments are read and answered, so that everything above the
//! pipe runs as with a host.

use std::collections::VecDeque;
use std::sync::Arc;

use svcwatch_wire::pdu::{FAULT_NO_SUCH_OPERATION, Incoming, SERVICE_CONTROL, Server};
use svcwatch_wire::scmr::{OpenScManager, OpenService, QueryServiceConfig2, Request};

use super::{Answer, Call, Record};
use crate::probe::transport::{PipeTransport, TransportError};

/// How much of a call other than an opening names what it is about: a handle, in bytes (MS-SCMR 2.2.4).
const HANDLE: usize = 20;

/// A pipe to a host that exists only in a record.
#[derive(Debug)]
pub(in crate::probe) struct ReplayPipe {
    record: Arc<Record>,
    used: Vec<bool>,
    server: Server,
    ready: VecDeque<Vec<u8>>,
}

impl ReplayPipe {
    /// A pipe that answers from a record.
    pub(in crate::probe) fn new(record: Arc<Record>) -> Self {
        Self {
            used: vec![false; record.calls.len()],
            record,
            server: Server::new(SERVICE_CONTROL),
            ready: VecDeque::new(),
        }
    }

    fn take(&mut self, fragment: &[u8]) -> Result<(), TransportError> {
        let incoming = self
            .server
            .on_fragment(fragment)
            .map_err(|error| TransportError::Protocol(error.to_string()))?;
        match incoming {
            Incoming::More => {}
            Incoming::Answer(answer) => self.ready.push_back(answer),
            Incoming::Call {
                call_id,
                operation,
                stub,
            } => match self.answer(operation, &stub) {
                Answer::Reply(reply) => self.ready.extend(self.server.response(call_id, &reply)),
                // What is not there is an answer that makes no sense, as it may have been.
                Answer::LeftOut { .. } => self.ready.extend(self.server.response(call_id, &[])),
                Answer::Fault(fault) => self.ready.push_back(self.server.fault(call_id, fault)),
                Answer::Failed(why) => return Err(TransportError::Closed(why)),
                Answer::Nothing => {
                    return Err(TransportError::Timeout {
                        doing: "waiting for an answer that the record does not have",
                    });
                }
            },
        }
        Ok(())
    }

    /// The answer of the record: of the same call that was not answered yet, else of the last same one, else of one that
    /// is about the same thing. A newer svcwatch may ask more, which the recorded host then does not know.
    fn answer(&mut self, operation: u16, stub: &[u8]) -> Answer {
        let calls = &self.record.calls;
        let same = |call: &&Call| call.operation == operation && call.request == stub;
        let fresh = calls
            .iter()
            .zip(&self.used)
            .position(|(call, used)| !used && same(&call));
        let about = about(operation, stub);
        let found = fresh
            .or_else(|| calls.iter().rposition(|call| same(&call)))
            .or_else(|| {
                calls.iter().position(|call| {
                    call.operation == operation && self::about(operation, &call.request) == about
                })
            });
        let Some(number) = found else {
            return Answer::Fault(FAULT_NO_SUCH_OPERATION);
        };
        if let Some(used) = self.used.get_mut(number) {
            *used = true;
        }
        calls
            .get(number)
            .map_or(Answer::Nothing, |call| call.answer.clone())
    }
}

/// What a call is about, without sizes and rights.
fn about(operation: u16, stub: &[u8]) -> (Vec<u8>, String, u32) {
    let handle = stub.get(..HANDLE).unwrap_or_default().to_vec();
    match operation {
        OpenScManager::OPNUM => (Vec::new(), String::new(), 0),
        OpenService::OPNUM => {
            let name = OpenService::decode(stub).map_or_else(|_| String::new(), |open| open.name);
            (handle, name.to_lowercase(), 0)
        }
        QueryServiceConfig2::OPNUM => {
            let level = QueryServiceConfig2::decode(stub).map_or(0, |query| query.level);
            (handle, String::new(), level)
        }
        _ => (handle, String::new(), 0),
    }
}

impl PipeTransport for ReplayPipe {
    async fn transceive(&mut self, fragment: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.take(fragment)?;
        self.read().await
    }

    async fn read(&mut self) -> Result<Vec<u8>, TransportError> {
        self.ready
            .pop_front()
            .ok_or_else(|| TransportError::Closed("the record has no more of this answer".into()))
    }

    async fn write(&mut self, fragment: &[u8]) -> Result<(), TransportError> {
        self.take(fragment)
    }

    async fn close(self) {}
}
