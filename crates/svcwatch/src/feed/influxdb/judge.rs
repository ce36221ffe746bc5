//! What an answer of InfluxDB means for the lines that it was given. Only what it names as bad is given up; everything
//! else stays and is tried again, because settings and rights can be mended.

use crate::dest::{
    judge::{self, HttpReply},
    redact::Redactor,
};
use serde::Deserialize;
use svcwatch_core::{
    event::Verdict,
    time::{Span, Wall},
};

/// How long to wait where only people can mend what is wrong.
const UNTIL_MENDED: Span = Span::seconds(60);

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// It took the lines, but for some.
    Taken {
        /// How many it did not take, and never will.
        dropped: usize,
        /// Why.
        reason: Option<String>,
    },
    /// One of them is bad, or there are too many at once: to be given in smaller parts. One alone is given up.
    Split(String),
    /// Its database, or the retention policy, is not there.
    NotThere(String),
    /// Not now.
    Retry {
        /// After how long at the earliest.
        after: Option<Span>,
        /// Why.
        reason: String,
    },
}

/// The errors of InfluxDB 1 (`error`), 2 (`message`) and 3 (`error` with `data`).
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    data: Option<serde_json::Value>,
}

/// What an answer means for so many lines.
pub fn write(reply: &HttpReply, lines: usize, now: Wall, redactor: &Redactor) -> Meaning {
    let (status, body) = match reply {
        HttpReply::Failed(error) => {
            return Meaning::Retry {
                after: None,
                reason: redactor.answer(error),
            };
        }
        HttpReply::Answer { status, body, .. } => (*status, String::from_utf8_lossy(body)),
    };
    let said: Option<Said> = serde_json::from_str(&body).ok();
    let judged = judge::http(reply, now, redactor);
    let reason = judged.answer;
    match status {
        200..=299 if status != 204 && body.trim_start().starts_with('<') => Meaning::Retry {
            after: Some(UNTIL_MENDED),
            reason: "answers with a web page, so it is not InfluxDB; look at url".to_owned(),
        },
        200..=299 => Meaning::Taken {
            dropped: 0,
            reason: None,
        },
        400 | 422 => match partial(said.as_ref(), lines) {
            Some(dropped) => Meaning::Taken {
                dropped,
                reason: Some(reason),
            },
            None => Meaning::Split(reason),
        },
        413 => Meaning::Split(reason),
        404 if names_what_is_missing(said.as_ref()) => Meaning::NotThere(reason),
        300..=499 if !matches!(judged.verdict, Verdict::Retry { .. }) => Meaning::Retry {
            after: Some(UNTIL_MENDED),
            reason,
        },
        _ => Meaning::Retry {
            after: match judged.verdict {
                Verdict::Retry { after, .. } => after,
                Verdict::Delivered | Verdict::Rejected { .. } => None,
            },
            reason,
        },
    }
}

/// How many lines it did not take, where it says that it took the others.
fn partial(said: Option<&Said>, lines: usize) -> Option<usize> {
    let said = said?;
    let text = said.error.as_deref().or(said.message.as_deref())?;
    if !text.contains("partial write") {
        return None;
    }
    let named = if let Some(serde_json::Value::Array(bad)) = &said.data {
        bad.len()
    } else {
        let (_, after) = text.rsplit_once("dropped=")?;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()?
    };
    // A line that makes no sense at all is not counted by InfluxDB 1.
    Some(named.clamp(1, lines.max(1)))
}

fn names_what_is_missing(said: Option<&Said>) -> bool {
    let text = said.and_then(|said| said.error.as_deref().or(said.message.as_deref()));
    text.is_some_and(|text| {
        ["database not found", "retention policy not found"]
            .iter()
            .any(|words| text.contains(words))
    })
}

/// What an answer to a question in InfluxQL says: the values of its rows, or what is wrong.
pub fn query(reply: &HttpReply, now: Wall, redactor: &Redactor) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        results: Vec<Results>,
    }
    #[derive(Deserialize)]
    struct Results {
        #[serde(default)]
        error: Option<String>,
        #[serde(default)]
        series: Vec<Series>,
    }
    #[derive(Deserialize)]
    struct Series {
        #[serde(default)]
        values: Vec<Vec<serde_json::Value>>,
    }
    let judged = judge::http(reply, now, redactor);
    let HttpReply::Answer { body, .. } = reply else {
        return Err(judged.answer);
    };
    if judged.verdict != Verdict::Delivered {
        return Err(judged.answer);
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| "answers what is not InfluxDB's; look at url".to_owned())?;
    let mut values = Vec::new();
    for result in answer.results {
        if let Some(error) = result.error {
            return Err(redactor.answer(&error));
        }
        let rows = result.series.into_iter().flat_map(|series| series.values);
        values.extend(rows.filter_map(|row| Some(row.first()?.as_str()?.to_owned())));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Meaning {
        let reply = HttpReply::Answer {
            status,
            retry_after: (status == 429).then(|| "7".to_owned()),
            location: None,
            body: body.as_bytes().to_vec(),
        };
        write(&reply, 10, Wall(0), &Redactor::default())
    }

    fn word(meaning: &Meaning) -> String {
        match meaning {
            Meaning::Taken { dropped, .. } => format!("taken but {dropped}"),
            Meaning::Split(_) => "split".to_owned(),
            Meaning::NotThere(_) => "not there".to_owned(),
            Meaning::Retry { after, .. } => format!("retry {:?}", after.map(|span| span.0)),
        }
    }

    #[test]
    fn answers_of_all_three_versions_are_understood() {
        for (status, body, expected) in [
            (204, "", "taken but 0"),
            (200, "", "taken but 0"),
            (200, "<html>log in", "retry Some(60000)"),
            (
                400,
                r#"{"error":"partial write: field type conflict: x dropped=3"}"#,
                "taken but 3",
            ),
            (
                400,
                r#"{"error":"partial write: points beyond retention policy dropped=999"}"#,
                "taken but 10",
            ),
            (
                400,
                r#"{"error":"partial write: unable to parse 'x' dropped=0"}"#,
                "taken but 1",
            ),
            (
                400,
                r#"{"error":"partial write of line protocol occurred","data":[{"line_number":2},{"line_number":5}]}"#,
                "taken but 2",
            ),
            (
                422,
                r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict dropped=2"}"#,
                "taken but 2",
            ),
            (
                400,
                r#"{"code":"invalid","message":"unable to parse 'x': missing fields"}"#,
                "split",
            ),
            (
                400,
                r#"{"error":"parsing failed for write_lp endpoint","data":{"line_number":2}}"#,
                "split",
            ),
            (400, "<html>400", "split"),
            (413, "", "split"),
            (
                404,
                r#"{"error":"database not found: \"butler\""}"#,
                "not there",
            ),
            (404, "404 page not found", "retry Some(60000)"),
            (
                401,
                r#"{"code":"unauthorized","message":"unauthorized access"}"#,
                "retry Some(60000)",
            ),
            (403, "", "retry Some(60000)"),
            (301, "", "retry Some(60000)"),
            (429, "", "retry Some(7000)"),
            (503, "", "retry None"),
            (100, "", "retry None"),
        ] {
            assert_eq!(word(&answered(status, body)), expected, "{status} {body}");
        }
        let failed = HttpReply::Failed("nobody answers".to_owned());
        assert_eq!(
            word(&write(&failed, 1, Wall(0), &Redactor::default())),
            "retry None"
        );
    }

    #[test]
    fn an_answer_to_a_question_is_its_values_or_its_error() {
        let asked = |status, body: &str| {
            let reply = HttpReply::Answer {
                status,
                retry_after: None,
                location: None,
                body: body.as_bytes().to_vec(),
            };
            query(&reply, Wall(0), &Redactor::default())
        };
        let databases = r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["_internal"],["butler"]]}]}]}"#;
        assert_eq!(
            asked(200, databases),
            Ok(vec!["_internal".to_owned(), "butler".to_owned()])
        );
        assert_eq!(
            asked(200, r#"{"results":[{"statement_id":0}]}"#),
            Ok(Vec::new())
        );
        let error = r#"{"results":[{"statement_id":0,"error":"retention policy conflict"}]}"#;
        assert_eq!(
            asked(200, error),
            Err("retention policy conflict".to_owned())
        );
        assert!(
            asked(401, r#"{"error":"authorization failed"}"#)
                .unwrap_err()
                .contains("authorization failed")
        );
        assert!(asked(200, "<html>").is_err());
    }
}
