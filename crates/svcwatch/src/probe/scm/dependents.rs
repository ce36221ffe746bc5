//! Which services depend on one (EnumDependentServicesW).

use svcwatch_core::id::Name;
use svcwatch_wire::scmr::access;
use tokio::time::Instant;

use super::session::{Session, ends_all, failure};
use crate::probe::dependents::Dependent;
use crate::probe::rpc::{Failure, dependents::told};

/// What is being done, for messages.
const DOING: &str = "reading which services depend on one";

impl Session {
    /// The services that depend on one, in the order in which they would have to be stopped; none where the manager does
    /// not say it.
    pub(in crate::probe) async fn dependents(
        &mut self,
        service: &Name,
        deadline: Instant,
    ) -> Result<Option<Vec<Dependent>>, Failure> {
        let service = service.as_str().to_owned();
        let asked = self.with_manager(deadline, DOING, move |manager| {
            let opened = manager
                .handle
                .service(&service, access::ENUMERATE_DEPENDENTS);
            Ok(opened.and_then(|service| service.dependents()))
        });
        match asked.await? {
            Ok(found) => Ok(Some(told(found))),
            Err(code) if ends_all(code) => Err(failure(code, DOING)),
            Err(_) => Ok(None),
        }
    }
}
