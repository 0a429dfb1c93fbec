//! Where `--http` listens.

use std::net::IpAddr;

/// A host and a port, each of which may be left to the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// The host.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
}

/// Reads `HOST:PORT`, `HOST`, `:PORT`, `PORT` or nothing.
pub(super) fn read(text: &str) -> Result<Listen, String> {
    let wrong = || format!("`{text}` is not HOST:PORT, HOST or PORT");
    if text.is_empty() {
        return Ok(Listen::default());
    }
    if let Ok(port) = text.parse() {
        return Ok(Listen { host: None, port: Some(port) });
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(Listen { host: Some(address.to_string()), port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // A name of one word is a typing mistake or a verb rather than a host; the only one there is is localhost.
    let known = host.is_empty() || host == "localhost" || host.contains(['.', ':']);
    if !known || host.contains(char::is_whitespace) {
        return Err(wrong());
    }
    Ok(Listen { host: (!host.is_empty()).then(|| host.to_owned()), port })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Some((None, None)))]
    #[case("9200", Some((None, Some(9200))))]
    #[case(":9200", Some((None, Some(9200))))]
    #[case("localhost", Some((Some("localhost"), None)))]
    #[case("127.0.0.1:0", Some((Some("127.0.0.1"), Some(0))))]
    #[case("::1", Some((Some("::1"), None)))]
    #[case("[::1]:9200", Some((Some("::1"), Some(9200))))]
    #[case("box.example:9200", Some((Some("box.example"), Some(9200))))]
    #[case("mcp", None)]
    #[case("localhost:http", None)]
    #[case("127.0.0.1:70000", None)]
    fn where_to_listen_is_read(#[case] text: &str, #[case] expected: Option<(Option<&str>, Option<u16>)>) {
        let expected = expected.map(|(host, port)| Listen { host: host.map(str::to_owned), port });
        assert_eq!(read(text).ok(), expected);
    }
}
