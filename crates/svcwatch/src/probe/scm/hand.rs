//! The calls of a restart by the Windows API, each with a handle of its own that has the rights for it and no others.

use svcwatch_core::id::Name;
use svcwatch_core::limits::RESTART_SERVICES_MAX;
use svcwatch_core::observe::StartType;
use svcwatch_core::remedy::procedure::{Answer, Setup, Step, Verb};
use svcwatch_wire::scmr::{self, access};
use tokio::time::Instant;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_HANDLE,
};

use super::buffer::Buffer;
use super::calls::{Code, Handle};
use super::session::Session;
use super::thread::blocking;
use crate::probe::rpc::{Failure, reading};

/// `SERVICE_STOPPED` (MS-SCMR 2.2.47, dwCurrentState).
const STOPPED: u32 = 1;

impl Session {
    /// Answers a question of a restart; nothing is changed by one.
    pub(in crate::probe) async fn question(
        &mut self,
        step: &Step,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        const DOING: &str = "asking about a service";
        let step = step.clone();
        self.with_manager(deadline, DOING, move |manager| {
            match answer(&manager.handle, &step) {
                Err(code @ ERROR_INVALID_HANDLE) => Err(code),
                Err(code) => Ok(Answer::Code(code)),
                Ok(answer) => Ok(answer),
            }
        })
        .await
    }

    /// Opens a service for one control. That this fails means that nothing was sent.
    pub(in crate::probe) async fn open_to(
        &mut self,
        verb: Verb,
        name: &Name,
        deadline: Instant,
    ) -> Result<Result<Handle, Answer>, Failure> {
        let rights = match verb {
            Verb::Stop => access::STOP,
            Verb::Start => access::START,
        };
        let name = name.clone();
        self.with_manager(deadline, "opening a service", move |manager| match manager
            .handle
            .service(name.as_str(), rights)
        {
            Err(code @ ERROR_INVALID_HANDLE) => Err(code),
            Err(code) => Ok(Err(Answer::Code(code))),
            Ok(handle) => Ok(Ok(handle)),
        })
        .await
    }

    /// Sends a control, and says whether the session can be used on.
    pub(in crate::probe) async fn control(
        &mut self,
        verb: Verb,
        handle: Handle,
        deadline: Instant,
    ) -> (Answer, bool) {
        let sent = blocking(
            self.line(),
            deadline,
            "waiting for a control",
            move || match verb {
                Verb::Stop => handle.stop(),
                Verb::Start => handle.start(),
            },
        );
        match sent.await {
            Ok(Ok(())) => (Answer::Done, true),
            Ok(Err(code)) => (Answer::Code(code), true),
            Err(Failure { fault, .. }) => (Answer::Lost { cause: fault.cause }, false),
        }
    }
}

fn answer(manager: &Handle, step: &Step) -> Result<Answer, Code> {
    match step {
        Step::Query(name) => {
            let process = manager
                .service(name.as_str(), access::QUERY_STATUS)?
                .status()?;
            Ok(Answer::Status(reading::reading(
                &process.status,
                Some(process.pid),
            )))
        }
        Step::Setup(name) => offered(setup(manager, name)),
        Step::Dependents(name) => offered(dependents(manager, name)),
        Step::May { service, stop } => {
            let rights = access::START | if *stop { access::STOP } else { 0 };
            manager.service(service.as_str(), rights)?;
            Ok(Answer::Done)
        }
        Step::Stop(_) | Step::Start(_) | Step::Wait(_) | Step::Done(_) => Ok(Answer::NotOffered),
    }
}

/// A question that need not be answered.
fn offered(answer: Result<Answer, Code>) -> Result<Answer, Code> {
    match answer {
        Err(ERROR_ACCESS_DENIED | ERROR_CALL_NOT_IMPLEMENTED) => Ok(Answer::NotOffered),
        answer => answer,
    }
}

fn setup(manager: &Handle, name: &Name) -> Result<Answer, Code> {
    let found = manager
        .service(name.as_str(), access::QUERY_CONFIG)?
        .config(|buffer: Buffer<'_>| buffer.config())?;
    Ok(Answer::Setup(Setup {
        start_type: found.start().map(|start| match start {
            scmr::StartType::Boot => StartType::Boot,
            scmr::StartType::System => StartType::System,
            scmr::StartType::Automatic => StartType::Automatic,
            scmr::StartType::Manual => StartType::Manual,
            scmr::StartType::Disabled => StartType::Disabled,
        }),
        dependencies: found.dependencies,
    }))
}

fn dependents(manager: &Handle, name: &Name) -> Result<Answer, Code> {
    let names = manager
        .service(name.as_str(), access::ENUMERATE_DEPENDENTS)?
        .dependents()?;
    // Those that stand still are neither stopped nor started.
    let names = names
        .iter()
        .filter(|one| one.status.current_state != STOPPED)
        .map(|one| Name::new(&one.name));
    Ok(Answer::Dependents(
        names.take(RESTART_SERVICES_MAX + 1).collect(),
    ))
}
