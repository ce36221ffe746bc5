//! Runs a template that is ready, and looks at what it gave.

use super::{
    Failure, LINE_CHARACTERS_MAX, OUTPUT_BYTES_MAX, Target, guard, guard::Guarded, helpers,
};
use crate::dest::clean;
use handlebars::{Context, RenderError, RenderErrorReason};
use serde_json::Value;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Takes what a template gives, up to its limit.
#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Taken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_BYTES_MAX {
            self.full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fills a template in.
pub(super) fn run(
    template: &Guarded,
    target: Target,
    variables: &Value,
) -> Result<String, Failure> {
    let context = Context::wraps(variables).map_err(|_| Failure::Broken)?;
    let mut taken = Taken::default();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        helpers::begin();
        template
            .engine
            .render_with_context_to_write(guard::WHOLE, &context, &mut taken)
    }));
    match ran {
        Err(_) => Err(Failure::Broken),
        Ok(Err(_)) if taken.full => Err(Failure::Output),
        Ok(Err(error)) => Err(failure(&error)),
        Ok(Ok(())) => {
            let text = String::from_utf8(taken.bytes).map_err(|_| Failure::Broken)?;
            finish(text, target)
        }
    }
}

fn failure(error: &RenderError) -> Failure {
    if let RenderErrorReason::Other(said) = error.reason() {
        match said.as_str() {
            helpers::STEPS_USED_UP => return Failure::Steps,
            helpers::TIME_USED_UP => return Failure::Run(said.clone()),
            _ => {}
        }
    }
    let what = guard::plain(&error.reason().to_string());
    match error.line_no {
        Some(line) => Failure::Syntax { line, what },
        None => Failure::Run(what),
    }
}

/// What a template gave, as its target wants it.
fn finish(text: String, target: Target) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::Nothing);
    }
    match target {
        Target::Html | Target::Markdown => Ok(text),
        Target::Line => Ok(clean::line(&text, LINE_CHARACTERS_MAX)),
        Target::Json => match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(_)) => Ok(text),
            Ok(_) => Err(Failure::Json(
                "it is another kind of JSON; begin it with {".to_owned(),
            )),
            Err(error) => Err(Failure::Json(error.to_string())),
        },
    }
}
