//! Steps and answers in a few words, for the log, the record and the terminal.

use svcwatch_core::{
    id::Name,
    observe::State,
    remedy::procedure::{Answer, Outcome, Report, Step},
};

/// What a refused start or stop usually means, and what to do.
const NOT_ADMINISTRATOR: &str = "the account is no local administrator there, and since Windows 10 1709 and Server 2019 nobody else may start or stop a service over the network, whatever the service itself allows, unless it stands in RemoteAccessCheckExemptionList; act with an account that is one, or see docs/remedy.md";
/// The same where the host called the account one.
const ADMINISTRATOR: &str =
    "the account is an administrator there, so the service itself denies it; see docs/remedy.md";

/// A step; none for one that needs no words.
pub fn step_text(step: &Step) -> Option<String> {
    Some(match step {
        Step::Query(name) => format!("look at {name}"),
        Step::Setup(name) => format!("look how {name} is set up"),
        Step::Dependents(name) => format!("look what depends on {name}"),
        Step::May {
            service,
            stop: false,
        } => format!("see whether {service} may be started"),
        Step::May {
            service,
            stop: true,
        } => format!("see whether {service} may be stopped and started"),
        Step::Stop(name) => format!("stop {name}"),
        Step::Start(name) => format!("start {name}"),
        Step::Wait(_) | Step::Done(_) => return None,
    })
}

/// What came of a step.
pub fn answer_text(step: &Step, answer: &Answer) -> String {
    match answer {
        Answer::Status(reading) => match (reading.state, reading.pid, reading.exit_code) {
            (State::Stopped, _, Some(code)) => format!("stopped{}", code_text(code)),
            (state, Some(pid), _) => format!("{} (PID {pid})", state.in_words()),
            (state, None, _) => state.in_words().to_owned(),
        },
        Answer::Setup(setup) => {
            let start = setup
                .start_type
                .map_or("an unknown", |start| start.as_str());
            let on = setup.dependencies.as_deref().unwrap_or_default();
            if on.is_empty() {
                format!("{start} start")
            } else {
                format!("{start} start, depends on {}", on.join(", "))
            }
        }
        Answer::Dependents(names) if names.is_empty() => "nothing that runs".to_owned(),
        Answer::Dependents(names) => {
            let names: Vec<&str> = names.iter().map(Name::as_str).collect();
            names.join(", ")
        }
        Answer::NotOffered => "not told".to_owned(),
        Answer::Done if matches!(step, Step::May { .. }) => "yes".to_owned(),
        Answer::Done => "taken".to_owned(),
        Answer::Code(code) => format!("refused{}", code_text(*code)),
        Answer::Fault(fault) => format!("{}: {}", fault.fault, fault.cause),
        Answer::Lost { cause } => format!("no answer: {cause}"),
    }
}

/// A code behind something else; nothing for none.
fn code_text(code: u32) -> String {
    match svcwatch_core::cause::exit_meaning(code) {
        _ if code == 0 => String::new(),
        Some(meaning) => format!(", {meaning} ({code})"),
        None => format!(", error {code}"),
    }
}

/// Why a start or stop is denied, and what to do, by whether the account is an administrator there.
pub(super) fn why_denied(administrator: Option<bool>) -> &'static str {
    if administrator == Some(true) {
        ADMINISTRATOR
    } else {
        NOT_ADMINISTRATOR
    }
}

/// Says what a refusal means, where it was one of the account's rights.
pub(super) fn explain(report: &mut Report, account: Option<&str>, administrator: Option<bool>) {
    if report.outcome != Outcome::Denied {
        return;
    }
    let hint = why_denied(administrator);
    let who = account
        .map(|account| format!(" for {account}"))
        .unwrap_or_default();
    report.because = format!("{}{who}: {hint}", report.because);
}
