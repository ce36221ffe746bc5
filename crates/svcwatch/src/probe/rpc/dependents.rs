//! Which services depend on one (MS-SCMR 3.1.4.13).

use svcwatch_wire::scmr::{
    Code, EnumDependentServices, EnumeratedService, Handle, OpenService, Reply, access, filter,
};
use tokio::time::Instant;

use super::config::given;
use super::{Failure, Session, code_failure, reading, within};
use crate::probe::dependents::{DEPENDENTS_MAX, Dependent};

/// What is being done, for messages.
const DOING: &str = "reading which services depend on one";
/// The first buffer, in bytes, and the largest: that of as many services with names as long as they may be.
const BYTES: u32 = 4 * 1024;
const BYTES_MAX: u32 = 256 * 1024;
/// How often is asked with a larger buffer, at most: services may be installed meanwhile.
const TRIES: usize = 3;

impl Session {
    /// The services that depend on one, in the order in which they would have to be stopped. None where the host does not
    /// say it: it does not know the call, does not let us, or has no such service.
    pub(in crate::probe) async fn dependents(
        &mut self,
        service: &str,
        deadline: Instant,
    ) -> Result<Option<Vec<Dependent>>, Failure> {
        within(deadline, DOING, async {
            Ok(self.ask_dependents(service).await)
        })
        .await?
    }

    async fn ask_dependents(&mut self, service: &str) -> Result<Option<Vec<Dependent>>, Failure> {
        let open = OpenService {
            manager: self.manager,
            name: service.to_owned(),
            access: access::ENUMERATE_DEPENDENTS,
        };
        let opened = self.channel.call(&open).await;
        let opened = opened.map_err(|error| Failure::of_call(error, DOING))?;
        let handle = match (opened.handle, opened.code) {
            (Some(handle), _) => handle,
            (None, code @ (Code::INVALID_HANDLE | Code::SHUTDOWN_IN_PROGRESS)) => {
                return Err(code_failure(code, DOING));
            }
            (None, _) => return Ok(None),
        };
        let found = self.list_dependents(handle).await?;
        self.close(handle).await?;
        Ok(found.map(told))
    }

    async fn list_dependents(
        &mut self,
        service: Handle,
    ) -> Result<Option<Vec<EnumeratedService>>, Failure> {
        let mut query = EnumDependentServices {
            service,
            state: filter::ALL,
            buffer_size: BYTES,
        };
        for _ in 0..TRIES {
            let Some(reply) = given(self.channel.call(&query).await)? else {
                return Ok(None);
            };
            match reply.code() {
                Code::SUCCESS => return Ok(Some(reply.services)),
                Code::MORE_DATA => {
                    query.buffer_size = reply
                        .needed
                        .max(query.buffer_size.saturating_mul(2))
                        .min(BYTES_MAX);
                }
                code @ (Code::INVALID_HANDLE | Code::SHUTDOWN_IN_PROGRESS) => {
                    return Err(code_failure(code, DOING));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// What the wire has, as far as it is of use.
pub(in crate::probe) fn told(found: Vec<EnumeratedService>) -> Vec<Dependent> {
    let found = found.into_iter().take(DEPENDENTS_MAX);
    found
        .map(|one| Dependent {
            state: reading::reading(&one.status, one.pid).state,
            name: one.name,
            display_name: one.display_name,
        })
        .collect()
}
