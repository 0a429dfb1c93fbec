//! Mail over SMTP, always with TLS: what happened in a session within some seconds is one mail, as text and as HTML.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::message::{Mailbox, Mailboxes, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::slack::title;
use super::{Accepted, Channel, SendError, Style, chosen};
use crate::config::Email;
use crate::domain::{OutboxEntry, Topic, cut};

/// What mail tells unless its configuration says otherwise.
const USUAL: &[Topic] =
    &[Topic::StatusStall, Topic::StatusDead, Topic::StatusError, Topic::StatusPermissionTimeout];

/// How long each step with the server may take.
const WITHIN: Duration = Duration::from_secs(10);

/// How long all of it may take: a server may take a connection and never say a word.
const WHOLE: Duration = Duration::from_secs(20);

/// The port at which TLS begins at once.
const SMTPS: u16 = 465;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Mail to one or several people.
pub struct EmailChannel {
    config: Email,
    from: Mailbox,
    to: Mailboxes,
    ca_file: Option<PathBuf>,
    transport: OnceLock<Result<Transport, String>>,
}

impl EmailChannel {
    pub(super) fn new(config: &Email, ca_file: Option<PathBuf>) -> Result<Self, SendError> {
        let bad = |what: &str| SendError::lasting(format!("{what} is no mail address"));
        let to = config.to.as_deref().ok_or_else(|| SendError::lasting("email.to is not set"))?;
        let to = to.parse().map_err(|_| bad("email.to"))?;
        let from = config.from.as_deref().unwrap_or("aegis@localhost");
        let from = from.parse().map_err(|_| bad("email.from"))?;
        if config.user.is_some() != config.pass.is_some() {
            return Err(SendError::lasting("email.user and email.pass belong together"));
        }
        Ok(Self { config: config.clone(), from, to, ca_file, transport: OnceLock::new() })
    }

    fn build(&self) -> Result<Transport, String> {
        let host = self.config.host.clone().unwrap_or_default();
        let mut tls = TlsParameters::builder(host.clone()).certificate_store(CertificateStore::WebpkiRoots);
        if let Some(path) = &self.ca_file {
            let failed = |error: &dyn std::fmt::Display| format!("caFile cannot be used: {error}");
            let pem = std::fs::read(path).map_err(|error| failed(&error))?;
            // One at a time: a file may hold several.
            let pem = String::from_utf8_lossy(&pem).into_owned();
            for part in pem.split_inclusive("-----END CERTIFICATE-----") {
                if part.contains("BEGIN CERTIFICATE") {
                    let certificate =
                        Certificate::from_pem(part.as_bytes()).map_err(|error| failed(&error))?;
                    tls = tls.add_root_certificate(certificate);
                }
            }
        }
        let tls = tls.build_rustls().map_err(|error| format!("TLS cannot be used: {error}"))?;
        let at_once = self.config.secure || self.config.port == SMTPS;
        let tls = if at_once { Tls::Wrapper(tls) } else { Tls::Required(tls) };
        let mut builder =
            Transport::builder_dangerous(host).port(self.config.port).tls(tls).timeout(Some(WITHIN));
        if let (Some(user), Some(pass)) = (&self.config.user, &self.config.pass) {
            builder = builder.credentials(Credentials::new(user.clone(), pass.reveal().to_owned()));
        }
        Ok(builder.build())
    }

    fn mail(&self, notices: &[OutboxEntry]) -> Result<Message, SendError> {
        let failed = |_| SendError::lasting("the mail cannot be written");
        let Some(first) = notices.first() else { return Err(SendError::lasting("there is nothing to tell")) };
        let last = notices.last().map_or(first.number, |last| last.number);
        let more = if notices.len() > 1 { format!(" (+{})", notices.len() - 1) } else { String::new() };
        let name = cut(&first.notice.session.name.replace(['\r', '\n'], " "), 100);
        let subject = format!("[Aegis] {} — {name}{more}", title(first.notice.event));
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            // The same for every repeat of the same notices, so that readers and servers can drop them.
            .message_id(Some(format!("<{}.{last}@aegis>", first.id)));
        for to in self.to.clone() {
            builder = builder.to(to);
        }
        builder.multipart(MultiPart::alternative_plain_html(plain(notices), html(notices))).map_err(failed)
    }
}

/// The rows of a notice's table.
fn rows(entry: &OutboxEntry) -> [(&'static str, String); 6] {
    let notice = &entry.notice;
    [
        ("Session", notice.session.name.clone()),
        ("Session ID", notice.session.id.to_string()),
        ("WorkDir", notice.session.work_dir.clone()),
        ("Event", notice.event.to_string()),
        ("Detail", notice.detail.clone()),
        ("Time", notice.timestamp.to_string()),
    ]
}

fn plain(notices: &[OutboxEntry]) -> String {
    let one = |entry: &OutboxEntry| rows(entry).map(|(name, value)| format!("{name}: {value}")).join("\n");
    notices.iter().map(one).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn html(notices: &[OutboxEntry]) -> String {
    let one = |entry: &OutboxEntry| {
        let cells = |(name, value): (&str, String)| {
            format!(
                "<tr><th align=\"left\" valign=\"top\">{name}</th><td style=\"white-space:pre-wrap\">{}</td></tr>",
                escape(&value)
            )
        };
        format!("<table>{}</table>", rows(entry).map(cells).concat())
    };
    format!("<html><body>{}</body></html>", notices.iter().map(one).collect::<Vec<_>>().join("<hr>"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Channel for EmailChannel {
    fn name(&self) -> &'static str {
        "email"
    }

    fn kind(&self) -> &'static str {
        "email"
    }

    fn target(&self) -> String {
        format!("smtp://{}:{}", self.config.host.as_deref().unwrap_or_default(), self.config.port)
    }

    fn wants(&self, topic: Topic) -> bool {
        chosen(topic, &self.config.events, USUAL)
    }

    fn style(&self) -> Style {
        Style {
            most: 50,
            gather: Duration::from_secs(5),
            fold: Some(Duration::from_secs(600)),
            side_by_side: 1,
            // A mail is read as one: many a minute are not.
            pace: Some((10, Duration::from_secs(10))),
        }
    }

    fn send<'a>(&'a self, notices: &'a [OutboxEntry]) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async move {
            let transport = self.transport.get_or_init(|| self.build());
            let transport = transport.as_ref().map_err(|what| SendError::passing(what.clone()))?;
            let sending = transport.send(self.mail(notices)?);
            let Ok(sent) = tokio::time::timeout(WHOLE, sending).await else {
                return Err(SendError::passing("no answer in time"));
            };
            match sent {
                Ok(response) => {
                    let code = response.code();
                    let status = u16::from(code.severity as u8) * 100
                        + u16::from(code.category as u8) * 10
                        + u16::from(code.detail as u8);
                    Ok(Accepted { status: Some(status) })
                }
                Err(error) => Err(SendError {
                    what: format!("the mail was not taken: {}", without_login(&error)),
                    status: error.status().map(u16::from),
                    // A login that is refused is put right in the configuration, and what waited then arrives.
                    retry: !error.is_permanent() || error.status().map(u16::from).is_some_and(is_login),
                    after: None,
                    unsure: false,
                }),
            }
        })
    }
}

/// Whether an answer is about the login.
fn is_login(code: u16) -> bool {
    (530..=538).contains(&code)
}

/// What the server or the system said. A server that echoes a login would echo it in the answer to it, so an answer to a
/// refused login is not told.
fn without_login(error: &lettre::transport::smtp::Error) -> String {
    match error.status().map(u16::from) {
        Some(code) if is_login(code) => format!("the server refused the login ({code})"),
        Some(code) => format!("the server answered {code}"),
        None if error.is_timeout() => "no answer in time".into(),
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                let said = cause.to_string();
                if !text.contains(&said) {
                    text = format!("{text}: {said}");
                }
                source = cause.source();
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
