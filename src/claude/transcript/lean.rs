//! A line as JSON that borrows its texts from the line, without what nobody reads: most of a long transcript is the
//! tools' own records of their results.

use std::borrow::Cow;
use std::ops::Index;
use std::{fmt, io};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value};

/// The members of a line that are kept.
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
    "message",
    "toolUseResult",
];

/// The members of a message that are kept.
const KEPT_OF_MESSAGE: &[&str] = &["content", "id", "model", "usage"];

/// The members of an account of tokens that are kept.
const KEPT_OF_USAGE: &[&str] = &[
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "server_tool_use",
    "service_tier",
    "speed",
    "inference_geo",
];

/// Reads a line. `None` if it is no JSON object.
pub(super) fn read(bytes: &[u8]) -> Option<Json<'_>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let line = Keep::Members(KEPT).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    matches!(line, Json::Object(_)).then_some(line)
}

/// A JSON value. Its texts are copied only where they hold escapes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// The members as they came; of several with one name the last counts.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The elements of a list; of anything else none.
    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    /// As compact JSON, and of that the first `most` bytes or a few less: no character is cut.
    pub(super) fn beginning(&self, most: usize) -> String {
        let mut kept = Beginning { bytes: Vec::new(), most };
        // What goes beyond is an error of the writer, and ends the work.
        let _ = serde_json::to_writer(&mut kept, self);
        String::from_utf8(kept.bytes).unwrap_or_else(|error| {
            let whole = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(whole);
            String::from_utf8(bytes).unwrap_or_default()
        })
    }

    /// The value on its own.
    pub(super) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The member of this name; null where there is none.
impl<'a> Index<&str> for Json<'a> {
    type Output = Json<'a>;

    fn index(&self, name: &str) -> &Self::Output {
        let Self::Object(members) = self else { return &Json::Null };
        members.iter().rev().find(|(key, _)| key == name).map_or(&Json::Null, |(_, value)| value)
    }
}

impl PartialEq<bool> for Json<'_> {
    fn eq(&self, other: &bool) -> bool {
        matches!(self, Self::Bool(this) if this == other)
    }
}

impl PartialEq<&str> for Json<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(other)
    }
}

/// As compact JSON.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// A writer that takes so many bytes and no more.
struct Beginning {
    bytes: Vec<u8>,
    most: usize,
}

impl io::Write for Beginning {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let room = self.most - self.bytes.len();
        let taken = more.get(..room).unwrap_or(more);
        self.bytes.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => writer.serialize_unit(),
            Self::Bool(value) => writer.serialize_bool(*value),
            Self::Number(number) => number.serialize(writer),
            Self::Text(text) => writer.serialize_str(text),
            Self::List(elements) => writer.collect_seq(elements),
            Self::Object(members) => writer.collect_map(members.iter().map(|(name, value)| (name, value))),
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        Keep::Whole.deserialize(reader)
    }
}

/// A member's name.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// How much of a value is kept.
#[derive(Clone, Copy)]
enum Keep {
    /// All of it.
    Whole,
    /// Of an object the members with these names, and of a list nothing.
    Members(&'static [&'static str]),
}

impl Keep {
    /// How much of the member of this name is kept; `None` if nothing.
    fn of(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Whole, _) => Some(Self::Whole),
            (Self::Members(names), _) if !names.contains(&name) => None,
            (Self::Members(_), "message") => Some(Self::Members(KEPT_OF_MESSAGE)),
            (Self::Members(_), "usage") => Some(Self::Members(KEPT_OF_USAGE)),
            // Of a refused call this is a text; else the tool's own record.
            (Self::Members(_), "toolUseResult") => Some(Self::Members(&[])),
            (Self::Members(_), _) => Some(Self::Whole),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Keep {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json<'de>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json<'de>, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        if let Self::Members(_) = self {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Json::Null);
        }
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Json::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            match self.of(&name) {
                Some(keep) => members.push((name, map.next_value_seed(keep)?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Json::Object(members))
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
        json!({"message": {"id": "m", "role": "r", "content": [{"type": "text", "text": "x"}], "usage": {"input_tokens": 1, "iterations": []}}}),
        json!({"message": {"id": "m", "content": [{"type": "text", "text": "x"}], "usage": {"input_tokens": 1}}})
    )]
    #[case::other_shapes(
        json!({"message": null, "content": 7, "toolUseResult": [1]}),
        json!({"message": null, "content": 7, "toolUseResult": null})
    )]
    fn only_what_is_read_is_kept(#[case] line: Value, #[case] kept: Value) {
        assert_eq!(read(line.to_string().as_bytes()).unwrap().to_value(), kept);
    }

    #[test]
    fn texts_are_borrowed_unless_they_hold_escapes() {
        let line = read(br#"{"content": ["plain", "a\nb"], "uuid": "one", "uuid": "two"}"#).unwrap();
        let borrowed =
            line["content"].elements().iter().map(|text| matches!(text, Json::Text(Cow::Borrowed(_))));
        assert_eq!(borrowed.collect::<Vec<_>>(), [true, false]);
        assert_eq!(line["content"].to_string(), r#"["plain","a\nb"]"#);
        assert_eq!(line["content"].beginning(100), line["content"].to_string());
        assert_eq!(line["content"].beginning(12), r#"["plain","a\"#);
        assert_eq!(read(r#"{"content": "aé"}"#.as_bytes()).unwrap()["content"].beginning(3), "\"a");
        assert!(line["uuid"] == "two" && line["uuid"]["deeper"] == Json::Null);
    }

    #[test]
    fn what_is_no_object_is_none() {
        for bytes in ["[]", "7", "{\"type\":", "{} {}", "{\"message\": 1e999}"] {
            assert_eq!(read(bytes.as_bytes()), None, "{bytes}");
        }
    }
}
