//! `type: log`: one line of JSON a notice, in a file or on the standard output.

use crate::{
    dest::{
        Context, Problem, body,
        judge::{FileReply, Judgement},
        payload::{Form, Outgoing},
        wording::{Drawn, Wording},
    },
    dest::{TIMEOUT, redact::Redactor},
};
use std::{path::PathBuf, time::Duration};
use svcwatch_core::{event::Verdict, id::DeliveryKey, notice::Notice};

/// The settings of a `log` destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file that lines are added to; `None` for the standard output.
    pub path: Option<PathBuf>,
    /// Templates and links.
    pub wording: Wording,
    /// How long writing one line may take.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: None,
            wording: Wording::default(),
            timeout: TIMEOUT,
        }
    }
}

impl Settings {
    /// What is wrong with them.
    pub fn check(&self) -> Vec<Problem> {
        match &self.path {
            Some(path) if path.as_os_str().is_empty() => vec![Problem::new(
                "path",
                "is empty; name a file, or leave the key out for the standard output",
            )],
            Some(path) if path.is_dir() => {
                vec![Problem::new("path", "is a folder; name a file in it")]
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The line of a notice, without its end.
    pub fn render(
        &self,
        key: &DeliveryKey,
        notice: &Notice,
        context: &Context,
        drawn: &Drawn,
        lines: usize,
    ) -> Result<Outgoing, String> {
        let line = match &drawn.message {
            Some(filled) => filled.text.clone().into_bytes(),
            None => body::json(key, notice, context, lines)?,
        };
        Ok(Outgoing::new(Form::Line, line))
    }

    /// What became of a line. A full disk or a missing right may be mended, so it is always tried again.
    pub fn judge(reply: &FileReply, redactor: &Redactor) -> Judgement {
        match reply {
            FileReply::Written => Judgement {
                verdict: Verdict::Delivered,
                answer: "written".to_owned(),
            },
            FileReply::Failed(error) => {
                let answer = redactor.answer(error);
                Judgement {
                    verdict: Verdict::Retry {
                        after: None,
                        reason: answer.clone(),
                    },
                    answer,
                }
            }
        }
    }
}
