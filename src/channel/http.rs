//! The way out for channels that speak HTTP: one request, one answer, nothing followed.
//!
//! The address is looked up for each connection, checked, and exactly what was checked is connected to; name and
//! certificate stay those of the address in the configuration. No redirects, no proxies from the environment, no more
//! of an answer than is needed. Nothing is built before the first request.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::{Host, Url};

use super::SendError;
use crate::domain::{Reach, refused};
use crate::names::Lookup;

/// The most of an answer that is read, in bytes. Telegram's longest, a hundred updates, is below this.
const LONGEST_ANSWER: usize = 1 << 20;

/// How long a connection may take, which is part of the whole time.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection is kept for the next request.
const KEPT: Duration = Duration::from_secs(30);

/// What all of a process's channels share on their way out.
#[derive(Clone)]
pub(super) struct Outside {
    /// How names are looked up.
    pub(super) lookup: Arc<dyn Lookup>,
    /// Certificate authorities beside those that browsers trust.
    pub(super) ca_file: Option<PathBuf>,
}

/// A client for one receiver.
pub(super) struct Http {
    outside: Outside,
    reach: Reach,
    client: OnceLock<Result<reqwest::Client, String>>,
}

/// What a receiver answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// As the receiver said in `Retry-After`, in seconds or as a date.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// A name or address led where it may not lead.
#[derive(Debug, thiserror::Error)]
#[error("{host} is {address}, which is not called: {why}")]
struct Refused {
    host: String,
    address: IpAddr,
    why: &'static str,
}

impl Http {
    pub(super) fn new(outside: &Outside, reach: Reach) -> Self {
        Self { outside: outside.clone(), reach, client: OnceLock::new() }
    }

    /// Posts a body of JSON.
    ///
    /// # Errors
    ///
    /// When the address is not to be called, which lasts if it stands in the URL, or no whole answer came within `within`. An answer of any
    /// status is none.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Answer, SendError> {
        let client = self.client.get_or_init(|| self.build());
        let client = client.as_ref().map_err(|what| SendError::passing(what.clone()))?;
        self.check_literal(url)?;
        let mut map = HeaderMap::new();
        map.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) else {
                return Err(SendError::lasting("a header cannot be sent"));
            };
            value.set_sensitive(true);
            map.insert(name, value);
        }
        let request = client.post(url.clone()).headers(map).body(body).timeout(within);
        let mut response = request.send().await.map_err(told)?;
        let status = response.status().as_u16();
        let retry_after = asked(response.headers(), SystemTime::now());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                // What was answered counts; the rest is not wanted, and the connection is given up with it.
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body })
    }

    fn build(&self) -> Result<reqwest::Client, String> {
        let tls = tls(self.outside.ca_file.as_deref())?;
        let resolver = Checked { lookup: self.outside.lookup.clone(), reach: self.reach };
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(resolver))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECTS_WITHIN)
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(8)
            .tcp_nodelay(true)
            .user_agent(concat!("aegis/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("HTTP cannot be used: {}", chain(&error.without_url())))
    }

    /// Addresses that stand in the URL itself are not looked up, so they are checked here.
    fn check_literal(&self, url: &Url) -> Result<(), SendError> {
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(SendError::lasting("the address names no host")),
        };
        match refused(address, self.reach) {
            None => Ok(()),
            Some(why) => {
                Err(SendError::lasting(Refused { host: address.to_string(), address, why }.to_string()))
            }
        }
    }
}

/// TLS with the authorities that browsers trust, and those of `ca_file`.
pub(super) fn tls(ca_file: Option<&std::path::Path>) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let failed =
            |error: &dyn std::fmt::Display| format!("caFile {} cannot be used: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
            roots.add(certificate.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Looks names up and lets nothing through that is not to be called: one such address among others is enough to refuse.
struct Checked {
    lookup: Arc<dyn Lookup>,
    reach: Reach,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, reach) = (name.as_str().to_owned(), self.reach);
        let looked_up = self.lookup.lookup(host.clone());
        Box::pin(async move {
            let addresses = looked_up.await?;
            for &address in &addresses {
                if let Some(why) = refused(address, reach) {
                    return Err(Refused { host, address, why }.into());
                }
            }
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// A failure without the URL, which may hold a token.
fn told(error: reqwest::Error) -> SendError {
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            // A strange network may answer so for a while, as one that wants a login first.
            return SendError::passing(refused.to_string());
        }
        source = cause.source();
    }
    // Without a connection nothing was sent.
    let unsure = !error.is_connect();
    let what = if timed_out { "no answer in time".to_owned() } else { chain(&error) };
    SendError { unsure, ..SendError::passing(what) }
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

/// How long a receiver wants to be left alone: `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), however
/// long that is. A date counts from the receiver's own clock where its answer tells that, so that a clock that is wrong,
/// here or there, changes nothing; one that has passed asks for no wait.
fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |text| httpdate::parse_http_date(text).ok();
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(value)?;
    Some(until.duration_since(text(DATE).and_then(date).unwrap_or(now)).unwrap_or_default())
}

/// How an answer of this status is to be taken, where nothing closer is known.
pub(super) fn judged(answer: &Answer) -> Result<super::Accepted, SendError> {
    let status = answer.status;
    if (200..300).contains(&status) {
        return Ok(super::Accepted { status: Some(status) });
    }
    let what = match status {
        300..400 => format!("the receiver answered {status}; redirects are not followed"),
        _ => format!("the receiver answered {status}"),
    };
    let retry = matches!(status, 408 | 425 | 429) || status >= 500;
    let unsure = status >= 500;
    Err(SendError { what, status: Some(status), retry, after: answer.retry_after, unsure })
}

#[cfg(test)]
mod tests;
