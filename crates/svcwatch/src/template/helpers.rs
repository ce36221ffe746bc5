//! The helpers that templates may call beside those of the language itself.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};
use serde_json::Value;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// The helper that counts steps; the guard puts a call of it into each block.
pub(super) const STEP: &str = "svcwatch_step";
/// What the counter says where the steps are used up.
pub(super) const STEPS_USED_UP: &str = "svcwatch: the steps are used up";
/// What it says where the time is.
pub(super) const TIME_USED_UP: &str = "it took too long on this machine";
/// Elements that a template may carry out, at most. A message of a hundred lines takes a few thousand.
const STEPS_MAX: u64 = 20_000;
/// How long it may take at the very most, where the machine is slow.
const TIME_MAX: Duration = Duration::from_secs(5);

thread_local! {
    /// What is left of the steps of the template that this thread carries out, and until when.
    static LEFT: Cell<Option<(u64, Instant)>> = const { Cell::new(None) };
}

/// Begins a new count on this thread.
pub(super) fn begin() {
    LEFT.set(Some((STEPS_MAX, Instant::now() + TIME_MAX)));
}

/// `{{eq a b}}`: whether both are the same, of the same type, also as `(eq a b)`.
pub(super) struct Eq;

impl HelperDef for Eq {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = |place| {
            let value = helper.param(place)?;
            (!value.is_value_missing()).then(|| value.value())
        };
        let same = match (value(0), value(1)) {
            (None, None) => true,
            (Some(one), Some(other)) => strictly_equal(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        Ok(ScopedJson::Derived(Value::Bool(same)))
    }
}

/// Equality without conversion. Lists and mappings are never equal, since two of them are never the same one.
fn strictly_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::String(one), Value::String(other)) => one == other,
        _ => false,
    }
}

/// `{{log …}}`: carried out, but nothing is logged for a template.
pub(super) struct Log;

impl HelperDef for Log {
    fn call<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        Ok(())
    }
}

/// Takes the steps of one block from what is left, and breaks the template off where nothing is.
pub(super) struct Step;

impl HelperDef for Step {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        let taken = helper.param(0).and_then(|taken| taken.value().as_u64());
        let used_up = |what: &str| Err(RenderErrorReason::Other(what.to_owned()).into());
        let Some((left, until)) = LEFT.get() else {
            return used_up(STEPS_USED_UP);
        };
        let Some(left) = left.checked_sub(taken.unwrap_or(1)) else {
            return used_up(STEPS_USED_UP);
        };
        if Instant::now() >= until {
            return used_up(TIME_USED_UP);
        }
        LEFT.set(Some((left, until)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_converted_before_it_is_compared() {
        assert!(strictly_equal(&json!("1"), &json!("1")));
        assert!(strictly_equal(&json!(1), &json!(1.0)));
        for (one, other) in [
            (json!("1"), json!(1)),
            (json!(0), json!(false)),
            (json!(null), json!("")),
            (json!("a"), json!("A")),
            (json!([1]), json!([1])),
        ] {
            assert!(!strictly_equal(&one, &other), "{one} {other}");
        }
    }
}
