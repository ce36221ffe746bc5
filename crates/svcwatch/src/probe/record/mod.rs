//! A record of what a host was asked and what it answered, that may be sent to others and that tests replay.
//!
//! It is taken above SMB, where everything is decrypted already: the calls of the service control manager with their
//! answers and times, never the logon. What may hold a secret is decoded, masked and encoded again, and what cannot be
//! understood is left out (`redact`), so nothing is in a record that nobody has looked at.
//!
//! The file is text, one JSON value a line: a header that begins with `svcwatch_record`, one line for each call, and an
//! end. Bytes stand as hexadecimal digits, in which `z12.` means twelve zeros (`hex`).

mod hex;
mod redact;
mod replay;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;

pub(super) use replay::ReplayPipe;

use super::rpc::CallError;
use svcwatch_wire::WireError;

/// The version of the form of a record.
const VERSION: u32 = 1;
/// Longest record, in bytes of its file.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most calls of a record; a thousand services take about six thousand.
const CALLS_MAX: usize = 200_000;
/// Longest sentence that is kept, in characters.
const SENTENCE_MAX: usize = 1_000;

/// What stands at the beginning of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the form, 1.
    svcwatch_record: u32,
    /// The svcwatch that made it.
    pub made_by: String,
    /// The host, as it was asked for.
    pub host: String,
    /// The name by which it called itself.
    pub computer_name: Option<String>,
    /// What was agreed on before the first call; nothing where no logon came that far.
    pub agreed: Option<Agreed>,
}

/// What was agreed on with the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// The version of SMB, as `3.1.1`.
    pub dialect: String,
    /// How messages are signed.
    pub signing: String,
    /// How they are encrypted; nothing where they are not.
    pub encryption: Option<String>,
    /// By what we logged on: `ntlm` or `kerberos`.
    pub logon: String,
    /// The version of Windows that the host tells, as `10.0.20348`; only NTLM has it told.
    pub windows: Option<String>,
}

/// One call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    /// Its operation of MS-SCMR.
    #[serde(rename = "call")]
    operation: u16,
    /// When it began, in ms from the beginning of the record.
    at: u64,
    /// How long the answer took, in ms; nothing where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    took: Option<u64>,
    /// Its arguments; empty where they are left out.
    #[serde(with = "hex")]
    request: Vec<u8>,
    #[serde(flatten)]
    answer: Answer,
}

/// What came of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// The answer.
    Reply(#[serde(with = "hex")] Vec<u8>),
    /// An answer that is not kept, because nobody can say what is in it.
    LeftOut {
        /// How long it was, in bytes.
        bytes: usize,
        /// Why it is left out.
        why: String,
    },
    /// A fault of RPC.
    Fault(u32),
    /// The connection failed.
    Failed(String),
    /// None came while the record was made.
    #[default]
    Nothing,
}

/// What stands at the end of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    /// How many calls there are.
    calls: usize,
    /// What it came to, in words.
    outcome: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct EndLine {
    end: End,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is of.
    pub header: Header,
    calls: Vec<Call>,
    end: End,
}

/// Why a file is no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// It is too long.
    #[error("it is longer than 64 MiB, which no record is")]
    TooLong,
    /// It is something else.
    #[error(
        "it is no record of svcwatch: its first line has no `svcwatch_record`; `svcwatch services HOST --record FILE` makes one"
    )]
    Foreign,
    /// Another svcwatch made it.
    #[error("it is a record of version {0}, and this svcwatch reads version 1; take a newer one")]
    Version(u64),
    /// It ends too early.
    #[error("it has no end after {calls} calls, so it was cut; ask for it again")]
    Cut {
        /// How many calls there are.
        calls: usize,
    },
    /// A line is wrong.
    #[error("line {line} is no line of a record: {why}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl Record {
    /// Reads the text of a record.
    pub fn read(text: &[u8]) -> Result<Self, RecordError> {
        if text.len() > BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        let mut lines = text.split(|byte| *byte == b'\n').zip(1..);
        let (first, _) = lines.next().ok_or(RecordError::Foreign)?;
        let about: serde_json::Value =
            serde_json::from_slice(first).map_err(|_| RecordError::Foreign)?;
        match about
            .get("svcwatch_record")
            .and_then(serde_json::Value::as_u64)
        {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(RecordError::Version(version)),
            None => return Err(RecordError::Foreign),
        }
        let wrong = |line: usize, why: &dyn ToString| RecordError::Line {
            line,
            why: why.to_string().chars().take(SENTENCE_MAX).collect(),
        };
        let header = serde_json::from_value(about).map_err(|error| wrong(1, &error))?;
        let (mut calls, mut end) = (Vec::new(), None);
        for (text, line) in lines {
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if end.is_some() {
                return Err(wrong(line, &"it stands behind the end"));
            }
            if calls.len() >= CALLS_MAX {
                return Err(wrong(line, &"there are more than 200,000 calls"));
            }
            if text.starts_with(br#"{"end""#) {
                let read: EndLine =
                    serde_json::from_slice(text).map_err(|error| wrong(line, &error))?;
                end = Some(read.end);
            } else {
                let call: Result<Call, _> = serde_json::from_slice(text);
                // A line that is only begun is what a cut file ends with.
                calls.push(match call {
                    Ok(call) => call,
                    Err(error) if error.is_eof() => {
                        return Err(RecordError::Cut { calls: calls.len() });
                    }
                    Err(error) => return Err(wrong(line, &error)),
                });
            }
        }
        let end = end
            .filter(|end| end.calls == calls.len())
            .ok_or(RecordError::Cut { calls: calls.len() })?;
        Ok(Self { header, calls, end })
    }

    /// The text of the record.
    pub fn to_text(&self) -> String {
        let mut lines = Vec::with_capacity(self.calls.len() + 3);
        lines.extend(serde_json::to_string(&self.header));
        lines.extend(
            self.calls
                .iter()
                .filter_map(|call| serde_json::to_string(call).ok()),
        );
        let end = EndLine {
            end: self.end.clone(),
        };
        lines.extend(serde_json::to_string(&end));
        lines.push(String::new());
        lines.join("\n")
    }

    /// How many calls there are.
    pub const fn calls(&self) -> usize {
        self.calls.len()
    }

    /// What it came to, in words.
    pub fn outcome(&self) -> &str {
        &self.end.outcome
    }
}

/// Takes down what a host is asked and answers.
#[derive(Debug)]
pub struct Recorder {
    begun: Instant,
    tape: Mutex<Tape>,
}

#[derive(Debug, Default)]
struct Tape {
    computer_name: Option<String>,
    agreed: Option<Agreed>,
    calls: Vec<Call>,
    bytes: usize,
    full: bool,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            tape: Mutex::default(),
        }
    }
}

impl Recorder {
    /// Notes who the host is and what was agreed on.
    pub(super) fn met(&self, computer_name: Option<String>, agreed: Option<Agreed>) {
        let mut tape = self.tape();
        (tape.computer_name, tape.agreed) = (computer_name, agreed);
    }

    /// Notes that a call begins; gives its number.
    pub(super) fn asked(&self, operation: u16, request: &[u8]) -> usize {
        let mut tape = self.tape();
        let request = redact::request(operation, request).unwrap_or_default();
        tape.bytes = tape.bytes.saturating_add(request.len());
        // Half of the limit, because text takes two characters a byte.
        if tape.calls.len() >= CALLS_MAX || tape.bytes > BYTES_MAX / 4 {
            tape.full = true;
            return usize::MAX;
        }
        tape.calls.push(Call {
            operation,
            at: millis(self.begun.elapsed()),
            request,
            ..Call::default()
        });
        tape.calls.len() - 1
    }

    /// Notes what came of the call of this number.
    pub(super) fn answered(
        &self,
        number: usize,
        operation: u16,
        request: &[u8],
        answer: &Result<Vec<u8>, CallError>,
    ) {
        let answer = match answer {
            Ok(reply) => match redact::reply(operation, request, reply) {
                Ok(kept) => Answer::Reply(kept),
                Err(why) => Answer::LeftOut {
                    bytes: reply.len(),
                    why,
                },
            },
            Err(CallError::Wire(WireError::Fault(fault))) => Answer::Fault(*fault),
            Err(CallError::Wire(error) | CallError::Unreadable(error)) => {
                Answer::Failed(error.to_string())
            }
            Err(CallError::Transport(error)) => Answer::Failed(error.to_string()),
        };
        let now = millis(self.begun.elapsed());
        let mut tape = self.tape();
        if let Answer::Reply(reply) = &answer {
            tape.bytes = tape.bytes.saturating_add(reply.len());
        }
        if let Some(call) = tape.calls.get_mut(number) {
            call.took = Some(now.saturating_sub(call.at));
            call.answer = answer;
        }
    }

    /// The record so far, of the host of this name. `outcome` says in words what it came to.
    pub fn record(&self, host: &str, outcome: &str) -> Record {
        let tape = self.tape();
        let full = if tape.full {
            " (the record was full and lacks later calls)"
        } else {
            ""
        };
        let outcome: String = outcome.chars().take(SENTENCE_MAX).collect();
        Record {
            header: Header {
                svcwatch_record: VERSION,
                made_by: format!("{} (commit {})", crate::VERSION, crate::COMMIT),
                host: host.to_owned(),
                computer_name: tape.computer_name.clone(),
                agreed: tape.agreed.clone(),
            },
            end: End {
                calls: tape.calls.len(),
                outcome: format!("{outcome}{full}"),
            },
            calls: tape.calls.clone(),
        }
    }

    fn tape(&self) -> std::sync::MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
