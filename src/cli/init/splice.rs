//! Sets one value in a JSON text and leaves every other character as it is.

use std::ops::Range;

use serde_json::Value;

/// Why the value cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SpliceError {
    /// It is no JSON, perhaps for a comment or a comma too many.
    #[error("it is not valid JSON ({0})")]
    Invalid(String),
    /// The text, or what stands under the key, is no object.
    #[error("{0} is not an object")]
    NoObject(String),
    /// Which of them counts is each reader's own guess.
    #[error("it has the key `{0}` twice")]
    Twice(String),
}

/// Gives the value at `outer.inner`, if there is one.
pub(super) fn get(text: &str, outer: &str, inner: &str) -> Result<Option<Value>, SpliceError> {
    let value = parse(text)?;
    Ok(value.get(outer).and_then(|servers| servers.get(inner)).cloned())
}

/// Sets the value at `outer.inner`; objects that are missing are made. A blank text counts as an empty object.
pub(super) fn set(text: &str, outer: &str, inner: &str, value: &Value) -> Result<String, SpliceError> {
    if text.trim().is_empty() {
        let member = serde_json::json!({inner: value});
        return Ok(format!("{:#}\n", serde_json::json!({outer: member})));
    }
    parse(text)?;
    let root = Object::at(text, 0, "the file")?;
    let style = Style::of(text, &root);
    let Some(servers) = root.member(outer)? else {
        let member = serde_json::json!({inner: value});
        return Ok(root.with(text, outer, &member, &style));
    };
    let object = Object::at(text, servers.value.start, outer)?;
    Ok(match object.member(inner)? {
        Some(member) if object.is_on_one_line(text) => {
            replaced(text, member.value.clone(), &value.to_string())
        }
        Some(member) => {
            let indent = style.indent_at(text, member.key);
            let rendered = style.render(value, indent);
            replaced(text, member.value.clone(), &rendered)
        }
        None => object.with(text, inner, value, &style),
    })
}

fn parse(text: &str) -> Result<Value, SpliceError> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|error| SpliceError::Invalid(error.to_string()))
}

fn replaced(text: &str, range: Range<usize>, by: &str) -> String {
    let (before, after) = (text.get(..range.start), text.get(range.end..));
    [before.unwrap_or_default(), by, after.unwrap_or_default()].concat()
}

/// A key with its value, by their places in the text.
struct Member {
    name: String,
    key: usize,
    value: Range<usize>,
}

/// An object in a text that is known to be JSON.
struct Object {
    open: usize,
    close: usize,
    members: Vec<Member>,
}

impl Object {
    fn at(text: &str, start: usize, what: &str) -> Result<Self, SpliceError> {
        let mut scan = Scan { bytes: text.as_bytes(), at: start };
        scan.space();
        if scan.byte() != Some(b'{') {
            return Err(SpliceError::NoObject(what.to_owned()));
        }
        let open = scan.at;
        scan.at += 1;
        let mut members = Vec::new();
        loop {
            scan.space();
            match scan.byte() {
                Some(b',') => scan.at += 1,
                Some(b'"') => {
                    let key = scan.at;
                    scan.string();
                    let name = text.get(key..scan.at).and_then(|name| serde_json::from_str(name).ok());
                    scan.space();
                    // The colon.
                    scan.at += 1;
                    scan.space();
                    let value = scan.at;
                    scan.value();
                    members.push(Member { name: name.unwrap_or_default(), key, value: value..scan.at });
                }
                _ => return Ok(Self { open, close: scan.at, members }),
            }
        }
    }

    fn member(&self, name: &str) -> Result<Option<&Member>, SpliceError> {
        let mut found = self.members.iter().filter(|member| member.name == name);
        match (found.next(), found.next()) {
            (member, None) => Ok(member),
            (_, Some(_)) => Err(SpliceError::Twice(name.to_owned())),
        }
    }

    /// What is written on one line stays on one line.
    fn is_on_one_line(&self, text: &str) -> bool {
        !self.members.is_empty() && !text.get(self.open..self.close).unwrap_or_default().contains('\n')
    }

    /// The text with one more member at this object's end, written as the others are.
    fn with(&self, text: &str, name: &str, value: &Value, style: &Style) -> String {
        let key = Value::from(name).to_string();
        match self.members.last() {
            Some(last) if self.is_on_one_line(text) => {
                let at = last.value.end;
                replaced(text, at..at, &format!(", {key}: {value}"))
            }
            Some(last) => {
                let indent = style.indent_at(text, self.members.first().map_or(last.key, |first| first.key));
                let rendered = style.render(value, indent);
                let at = last.value.end;
                replaced(text, at..at, &format!(",{}{indent}{key}: {rendered}", style.line))
            }
            None => {
                let outer = style.indent_at(text, self.open);
                let indent = format!("{outer}{}", style.unit);
                let rendered = style.render(value, &indent);
                let line = style.line;
                let body = format!("{{{line}{indent}{key}: {rendered}{line}{outer}}}");
                replaced(text, self.open..self.close + 1, &body)
            }
        }
    }
}

/// How the text is written.
struct Style {
    line: &'static str,
    unit: String,
}

impl Style {
    fn of(text: &str, root: &Object) -> Self {
        let line = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut style = Self { line, unit: "  ".into() };
        if let Some(first) = root.members.first() {
            let indent = style.indent_at(text, first.key);
            if !indent.is_empty() {
                style.unit = indent.to_owned();
            }
        }
        style
    }

    /// The white space at the beginning of the line on which `at` stands.
    fn indent_at<'a>(&self, text: &'a str, at: usize) -> &'a str {
        let line = text.get(..at).map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
        let rest = text.get(line..).unwrap_or_default();
        let end = rest.find(|c| c != ' ' && c != '\t').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    /// The value over several lines, all but the first of them `indent` further in.
    fn render(&self, value: &Value, indent: &str) -> String {
        let pretty = format!("{value:#}");
        let mut lines = pretty.lines();
        let mut text = lines.next().unwrap_or_default().to_owned();
        for line in lines {
            let inner = line.trim_start_matches(' ');
            let depth = (line.len() - inner.len()) / 2;
            text.push_str(self.line);
            text.push_str(indent);
            text.push_str(&self.unit.repeat(depth));
            text.push_str(inner);
        }
        text
    }
}

/// Finds its way through bytes that are known to be JSON.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.byte().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.byte() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }

    fn value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    self.string();
                    if depth == 0 {
                        return;
                    }
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        return;
                    }
                }
                b',' if depth == 0 => return,
                byte if depth == 0 && byte.is_ascii_whitespace() => return,
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        json!({"command": "aegis", "args": []})
    }

    #[rstest]
    #[case::nothing("")]
    #[case::blank(" \n")]
    #[case::empty("{}")]
    #[case::empty_spread("{\n}\n")]
    #[case::other_keys("{\n    \"a\": [1, {\"b\": \"}\"}],\n    \"n\": 1e3\n}")]
    #[case::no_servers("{\"mcpServers\": {}}")]
    #[case::one_line("{\"x\": null, \"mcpServers\": {\"other\": {\"command\": \"x\"}}}")]
    #[case::tabs(
        "{\n\t\"mcpServers\": {\n\t\t\"other\": { \"command\": \"a\\\"}\\\\\" }\n\t},\n\t\"z\": true\n}\n"
    )]
    #[case::windows("{\r\n  \"mcpServers\": {\r\n    \"other\": {}\r\n  }\r\n}\r\n")]
    #[case::there("{\"mcpServers\":{\"aegis\":{\"command\":\"old\",\"env\":{\"A\":\"1\"}},\"z\":1}}")]
    #[case::there_as_text("{\"mcpServers\": {\"aegis\": \"nonsense\"}}")]
    #[case::escaped_key("{\"mcp\\u0053ervers\": {\"a\": 1}}")]
    #[case::unicode("{\"ü\": \"日本\", \"mcpServers\": {\"é\": {}}}")]
    fn only_the_entry_changes(#[case] text: &str) {
        let changed = set(text, "mcpServers", "aegis", &entry()).unwrap();
        let mut expected: Value =
            if text.trim().is_empty() { json!({}) } else { serde_json::from_str(text).unwrap() };
        expected["mcpServers"]["aegis"] = entry();
        assert_eq!(serde_json::from_str::<Value>(&changed).unwrap(), expected, "{changed}");
        // Every line that was there, apart from those that the entry stands on, is there still.
        for line in text.lines().filter(|_| !text.contains("aegis") && text.lines().count() > 2) {
            assert!(changed.contains(line.trim_end()), "{line:?} is lost: {changed}");
        }
        assert_eq!(text.contains("\r\n"), changed.contains("\r\n"));
        assert_eq!(set(&changed, "mcpServers", "aegis", &entry()).unwrap(), changed, "once is enough");
    }

    #[test]
    fn it_is_written_as_its_neighbours_are() {
        let text = "{\n    \"mcpServers\": {\n        \"other\": {\"command\": \"x\"}\n    }\n}\n";
        let expected = "{\n    \"mcpServers\": {\n        \"other\": {\"command\": \"x\"},\n        \"aegis\": {\n            \
                        \"command\": \"aegis\",\n            \"args\": []\n        }\n    }\n}\n";
        assert_eq!(set(text, "mcpServers", "aegis", &entry()).unwrap(), expected);
    }

    #[rstest]
    #[case::comment("{\n // mine\n}")]
    #[case::comma("{\"a\": 1,}")]
    #[case::cut("{\"mcpServers\": {")]
    #[case::list("[]")]
    #[case::text("\"x\"")]
    #[case::servers_a_list("{\"mcpServers\": []}")]
    #[case::servers_null("{\"mcpServers\": null}")]
    #[case::servers_twice("{\"mcpServers\": {}, \"mcpServers\": {}}")]
    #[case::entry_twice("{\"mcpServers\": {\"aegis\": {}, \"aegis\": {}}}")]
    fn what_is_not_understood_is_left_alone(#[case] text: &str) {
        assert!(set(text, "mcpServers", "aegis", &entry()).is_err());
    }
}
