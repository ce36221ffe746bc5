//! The subject of a mail: a text with fields, filled in once.

use crate::dest::{clean, text};
use svcwatch_core::{id::Name, notice::Notice};

/// The value of a field of the subject; none where there is no such field.
pub(super) fn value(field: &str, notice: &Notice) -> Option<String> {
    let name =
        |name: Option<&Name>| name.map_or_else(String::new, |name| clean::name(name.as_str()));
    Some(match field {
        "severity" => text::urgency(notice).to_owned(),
        "title" => text::title(notice),
        "host" => name(notice.subject.host()),
        "site" => notice.site.as_deref().map_or_else(String::new, clean::name),
        "service" => name(notice.subject.service()),
        "state" => notice.state.map_or("", text::state).to_owned(),
        "event" => notice.event.as_str().to_owned(),
        "kind" => notice.kind.as_str().to_owned(),
        _ => return None,
    })
}

/// Names of the fields of the subject.
const FIELDS: [&str; 8] = [
    "severity", "title", "host", "site", "service", "state", "event", "kind",
];

/// The text with its fields filled in, once: what a field brings along is never looked at again.
pub(super) fn fill(
    subject: &str,
    value: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(subject.len());
    let mut rest = subject;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (field, behind) = after
            .split_once('}')
            .ok_or("has a { without its }; fields are written {title}")?;
        match value(field).filter(|_| FIELDS.contains(&field)) {
            Some(value) => filled.push_str(&value),
            None => {
                return Err(format!(
                    "has {{{field}}}, which is none of {}",
                    FIELDS.map(|field| format!("{{{field}}}")).join(" ")
                ));
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_once() {
        let value = |field: &str| (field == "title").then(|| "{host} {{7*7}}".to_owned());
        assert_eq!(
            fill("a {title} b", value),
            Ok("a {host} {{7*7}} b".to_owned())
        );
        assert!(fill("{nonsense}", value).is_err());
        assert!(fill("{title", value).is_err());
    }
}
