//! A line as JSON, without what nobody reads: most of a long transcript is the tools' own records of their results, and
//! the accounts of tokens.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The members of a line that are kept whole.
const KEPT: &[&str] = &[
    "type",
    "uuid",
    "parentUuid",
    "timestamp",
    "isSidechain",
    "isMeta",
    "isCompactSummary",
    "isApiErrorMessage",
    "promptSource",
    "promptId",
    "operation",
    "subtype",
    "error",
    "content",
    "attachment",
];

/// The members of a message that are kept whole.
const KEPT_OF_MESSAGE: &[&str] = &["content"];

/// Reads a line. `None` if it is no JSON object.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Members(members) = Members::deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(Value::Object(members))
}

/// A member's name, not copied unless it must be.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Line).map(Self)
    }
}

struct Line;

impl<'de> Visitor<'de> for Line {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line of the transcript")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut kept = Map::new();
        while let Some(Key(key)) = map.next_key()? {
            let value = match key.as_ref() {
                "message" => map.next_value::<Slim<true>>()?.0,
                "toolUseResult" => map.next_value::<Slim<false>>()?.0,
                known if KEPT.contains(&known) => map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            kept.insert(key.into_owned(), value);
        }
        Ok(kept)
    }
}

/// A value of which only texts are kept, and of an object, if it is a message, what it says.
struct Slim<const MESSAGE: bool>(Value);

impl<'de, const MESSAGE: bool> Deserialize<'de> for Slim<MESSAGE> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Self(Value::Null))
    }
}

impl<'de, const MESSAGE: bool> Visitor<'de> for Slim<MESSAGE> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self, E> {
        Ok(Self(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut kept = Map::new();
        while let Some(Key(key)) = map.next_key()? {
            if MESSAGE && KEPT_OF_MESSAGE.contains(&key.as_ref()) {
                kept.insert(key.into_owned(), map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Self(Value::Object(kept)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::what_nobody_reads(
        json!({"type": "user", "cwd": "/p", "usage": {"a": [1, 2.5, null]}, "toolUseResult": {"stdout": "long"}}),
        json!({"type": "user", "toolUseResult": {}})
    )]
    #[case::a_refusal(json!({"toolUseResult": "rejected"}), json!({"toolUseResult": "rejected"}))]
    #[case::a_message(
        json!({"message": {"id": "m", "content": [{"type": "text", "text": "x"}], "usage": {}}}),
        json!({"message": {"content": [{"type": "text", "text": "x"}]}})
    )]
    #[case::other_shapes(
        json!({"message": null, "content": 7, "toolUseResult": [1]}),
        json!({"message": null, "content": 7, "toolUseResult": null})
    )]
    fn only_what_is_read_is_kept(#[case] line: Value, #[case] kept: Value) {
        assert_eq!(read(line.to_string().as_bytes()).unwrap(), kept);
    }

    #[test]
    fn what_is_no_object_is_none() {
        for bytes in ["[]", "7", "{\"type\":", "{} {}", "{\"message\": 1e999}"] {
            assert_eq!(read(bytes.as_bytes()), None, "{bytes}");
        }
    }
}
