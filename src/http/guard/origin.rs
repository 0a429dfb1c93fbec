//! Telling web pages from programs. A page that a user visits can send requests to loopback too; it cannot choose
//! the headers `Host`, `Origin` and `Sec-Fetch-Site`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::http::refusal::Refusal;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names and addresses under which the door answers. Whoever points a name of theirs to this machine (DNS
/// rebinding) is refused.
///
/// A clone is another handle on the same ones.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// Those of the listener itself.
    own: BTreeSet<String>,
    /// Those that the configuration allows, which may change.
    more: Arc<RwLock<BTreeSet<String>>>,
    /// Whether any address literal will do, since the door listens on all of them. A literal was resolved by nobody.
    any_address: bool,
}

impl Hosts {
    /// Those of a door that listens on `bound`, and `more` names that the configuration allows.
    #[must_use]
    pub fn new(bound: SocketAddr, more: impl IntoIterator<Item = String>) -> Self {
        let mut own = BTreeSet::from(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        own.insert(literal(bound.ip()));
        let hosts = Self { own, more: Arc::default(), any_address: bound.ip().is_unspecified() };
        hosts.allow(more);
        hosts
    }

    /// Allows these names from now on, in place of those that were allowed before.
    pub fn allow(&self, more: impl IntoIterator<Item = String>) {
        let more = more.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        *self.more.write().unwrap_or_else(PoisonError::into_inner) = more;
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.own.contains(&host)
            || self.more.read().unwrap_or_else(PoisonError::into_inner).contains(&host)
            || self.any_address
                && host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
    }
}

fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Takes the port off an authority.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

/// Refuses what a foreign web page sends.
pub(super) fn check(hosts: &Hosts, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let authority = authority(request)?;
    if !hosts.knows(without_port(authority)) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "host_refused",
            "this server is not called by that host name",
        )
        .hint("use 127.0.0.1 or localhost, or add the name to allowedHosts (AEGIS_ALLOWED_HOSTS)"));
    }
    if let Some(origin) = single(headers, &header::ORIGIN)? {
        // Its own pages only: the origin names exactly the host that was called.
        let own = ["http://", "https://"].iter().any(|scheme| {
            origin.strip_prefix(scheme).is_some_and(|rest| rest.eq_ignore_ascii_case(authority))
        });
        return if own { Ok(()) } else { Err(foreign("a foreign web page's requests are refused")) };
    }
    match single(headers, &FETCH_SITE)? {
        None | Some("same-origin") => Ok(()),
        // Typed into the address bar, or a bookmark: reading only.
        Some("none") if matches!(*request.method(), Method::GET | Method::HEAD) => Ok(()),
        Some(_) => Err(foreign("a foreign web page's requests are refused")),
    }
}

fn authority(request: &Request) -> Result<&str, Refusal> {
    // An absolute request target counts before the header (RFC 9112, 3.2.2).
    if let Some(authority) = request.uri().authority() {
        return Ok(authority.as_str());
    }
    single(request.headers(), &header::HOST)?
        .filter(|host| !host.is_empty())
        .ok_or_else(|| Refusal::invalid("the request has no header Host"))
}

/// The value of a header that must not come twice.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match (first.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => Err(Refusal::invalid(format!("the header {name} is not one readable value"))),
    }
}

fn foreign(what: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "origin_refused", what)
        .hint("call from a program, or from a page of this server's own")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use rstest::rstest;

    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri("/v1/health");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    const OWN: (&str, &str) = ("host", "127.0.0.1:9100");

    #[rstest]
    #[case::curl("POST", &[OWN], true)]
    #[case::name("POST", &[("host", "localhost:9100")], true)]
    #[case::v6("POST", &[("host", "[::1]:9100")], true)]
    #[case::configured("POST", &[("host", "Box.Example:9100")], true)]
    #[case::own_page("POST", &[OWN, ("origin", "http://127.0.0.1:9100")], true)]
    #[case::own_fetch("POST", &[OWN, ("sec-fetch-site", "same-origin")], true)]
    #[case::address_bar("GET", &[OWN, ("sec-fetch-site", "none")], true)]
    #[case::address_bar_writes("POST", &[OWN, ("sec-fetch-site", "none")], false)]
    #[case::no_host("GET", &[], false)]
    #[case::rebinding("GET", &[("host", "evil.example:9100")], false)]
    #[case::rebinding_suffix("GET", &[("host", "127.0.0.1.evil.example:9100")], false)]
    #[case::rebinding_user("GET", &[("host", "localhost@evil.example")], false)]
    #[case::other_address("GET", &[("host", "10.0.0.1:9100")], false)]
    #[case::two_hosts("GET", &[OWN, ("host", "evil.example")], false)]
    #[case::null("POST", &[OWN, ("origin", "null")], false)]
    #[case::foreign("POST", &[OWN, ("origin", "http://evil.example")], false)]
    #[case::foreign_port("POST", &[OWN, ("origin", "http://127.0.0.1:8000")], false)]
    #[case::foreign_host_and_origin("POST", &[("host", "evil.example"), ("origin", "http://evil.example")], false)]
    #[case::cross_site("GET", &[OWN, ("sec-fetch-site", "cross-site")], false)]
    #[case::same_site("GET", &[OWN, ("sec-fetch-site", "same-site")], false)]
    fn pages_of_others_are_refused(
        #[case] method: &str,
        #[case] headers: &[(&str, &str)],
        #[case] allowed: bool,
    ) {
        let hosts = Hosts::new("127.0.0.1:9100".parse().unwrap(), ["box.example".to_owned()]);
        assert_eq!(check(&hosts, &request(method, headers)).is_ok(), allowed);
    }

    #[test]
    fn a_door_on_all_addresses_answers_to_each_but_to_no_unknown_name() {
        let hosts = Hosts::new("0.0.0.0:9100".parse().unwrap(), []);
        assert!(check(&hosts, &request("GET", &[("host", "10.0.0.1:9100")])).is_ok());
        assert!(check(&hosts, &request("GET", &[("host", "evil.example:9100")])).is_err());
    }
}
