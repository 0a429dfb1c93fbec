//! What an API message used.

use super::lean::Json;
use crate::domain::Tokens;

/// What one API message used. A message with several blocks has several lines, and each tells all of it (2.1.197).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The API's id for the message.
    pub message_id: String,
    /// The model that answered.
    pub model: String,
    /// The tokens.
    pub tokens: Tokens,
    /// Whether they are billed at the plain price: not in fast mode, nor by batch or priority, nor kept in one
    /// country.
    pub standard: bool,
    /// Whether a subagent used them; its context is its own.
    pub sidechain: bool,
}

/// The model that Claude Code names for what it says itself.
const NOBODY: &str = "<synthetic>";

/// Reads what the message of an assistant line used.
pub(super) fn usage(json: &Json<'_>) -> Option<Box<Usage>> {
    let message = &json["message"];
    let usage = &message["usage"];
    let model = message["model"].as_str().filter(|model| *model != NOBODY)?;
    let message_id = message["id"].as_str()?.to_owned();
    if !matches!(usage, Json::Object(_)) || json["isApiErrorMessage"] == true {
        return None;
    }
    let number = |name: &str| usage[name].as_u64().unwrap_or(0);
    let parts = &usage["cache_creation"];
    let hour = parts["ephemeral_1h_input_tokens"].as_u64().unwrap_or(0);
    let five = parts["ephemeral_5m_input_tokens"].as_u64().unwrap_or(0);
    let plain = |name: &str, words: &[&str]| usage[name].as_str().is_none_or(|word| words.contains(&word));
    Some(Box::new(Usage {
        message_id,
        model: model.to_owned(),
        tokens: Tokens {
            input: number("input_tokens"),
            output: number("output_tokens"),
            cache_read: number("cache_read_input_tokens"),
            cache_creation: number("cache_creation_input_tokens").max(hour.saturating_add(five)),
            cache_creation_1h: hour,
            web_searches: usage["server_tool_use"]["web_search_requests"].as_u64().unwrap_or(0),
        },
        standard: plain("speed", &["standard"])
            && plain("service_tier", &["standard"])
            && usage["inference_geo"].as_str() != Some("us"),
        sidechain: json["isSidechain"] == true,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::Line;
    use super::*;

    fn read(line: &str) -> Option<Usage> {
        Line::parse(line.as_bytes()).unwrap().usage.map(|usage| *usage)
    }

    #[test]
    fn a_line_of_2_1_197_tells_what_its_message_used() {
        let used = read(
            r#"{"type":"assistant","message":{"id":"msg_1","model":"claude-opus-4-8","content":[{"type":"text","text":"x"}],"stop_reason":"tool_use","usage":{"input_tokens":10,"cache_creation_input_tokens":30,"cache_read_input_tokens":500,"output_tokens":28,"server_tool_use":{"web_search_requests":2,"web_fetch_requests":0},"service_tier":"standard","cache_creation":{"ephemeral_1h_input_tokens":20,"ephemeral_5m_input_tokens":10},"speed":"standard"}}}"#,
        );
        let tokens = Tokens {
            input: 10,
            output: 28,
            cache_read: 500,
            cache_creation: 30,
            cache_creation_1h: 20,
            web_searches: 2,
        };
        let (message_id, model) = ("msg_1".into(), "claude-opus-4-8".into());
        assert_eq!(used, Some(Usage { message_id, model, tokens, standard: true, sidechain: false }));
    }

    #[test]
    fn what_claude_code_says_itself_used_nothing() {
        let said = r#"{"type":"assistant","isApiErrorMessage":true,"message":{"id":"m","model":"<synthetic>","content":[],"usage":{"input_tokens":0}}}"#;
        assert_eq!(read(said), None);
        assert_eq!(
            read(r#"{"type":"assistant","message":{"id":"m","model":"claude-x","content":[]}}"#),
            None
        );
    }

    #[test]
    fn another_speed_or_tier_is_no_standard() {
        for usage in [r#""speed":"fast""#, r#""service_tier":"batch""#, r#""inference_geo":"us""#] {
            let line = format!(
                r#"{{"type":"assistant","isSidechain":true,"message":{{"id":"m","model":"x","usage":{{"input_tokens":1,{usage}}}}}}}"#
            );
            let used = read(&line).unwrap();
            assert!(!used.standard && used.sidechain, "{usage}");
        }
    }
}
