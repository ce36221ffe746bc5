//! The words with which Slack answers, and what they mean.

use serde_json::Value;

/// The word of an answer: the whole body where it is one word, or the error of `{"ok": false, "error": …}`.
pub(super) fn word(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let is_word = |text: &str| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if is_word(text) {
        return Some(text.to_owned());
    }
    let answer: Value = serde_json::from_str(text).ok()?;
    let error = answer.get("error")?.as_str()?;
    is_word(error).then(|| error.to_owned())
}

/// What a word means.
pub(super) enum Said {
    Later,
    Never(&'static str),
}

/// Words of Slack's incoming webhooks that tell a failure.
pub(super) fn known(word: &str) -> Option<Said> {
    Some(match word {
        "rate_limited"
        | "ratelimited"
        | "rollup_error"
        | "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => Said::Later,
        "invalid_payload"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "invalid_attachments"
        | "no_text"
        | "missing_text_or_fallback_or_attachments"
        | "too_many_attachments"
        | "msg_too_long"
        | "msg_blocks_too_long" => {
            Said::Never("it does not understand the message; look at the template")
        }
        "channel_not_found" | "user_not_found" => {
            Said::Never("there is no such channel; look at `channel`, or invite the app to it")
        }
        "channel_is_archived" => Said::Never("the channel is archived; choose another one"),
        "no_service" | "no_service_id" | "invalid_token" | "no_active_hooks" | "invalid_auth"
        | "token_revoked" | "account_inactive" => Said::Never(
            "the incoming webhook is gone or disabled; make a new one and write its url",
        ),
        "no_team" | "team_disabled" => Said::Never("the workspace is gone or disabled"),
        "action_prohibited"
        | "posting_to_general_channel_denied"
        | "not_in_channel"
        | "restricted_action"
        | "access_denied" => Said::Never("the workspace does not allow it; ask its administrator"),
        _ => return None,
    })
}
