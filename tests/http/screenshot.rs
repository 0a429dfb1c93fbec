//! Pictures of pages, and where they may not lead, with a real Chromium and a site of the laboratory's own.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aegis::browser::Browser;
use aegis::domain::{ErrorCode, OpError, Reach};
use aegis::names::Lookup;
use aegis::ops::{CreateSession, KillSession, Screenshot, ScreenshotTaken};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;

/// A site on loopback: a page, one that pulls in a picture, and one that leads elsewhere.
struct Site {
    addr: SocketAddr,
    seen: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Site {
    async fn start(elsewhere: &str) -> Self {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let page = move || {
            count.fetch_add(1, Ordering::SeqCst);
            async { Html("<body style='margin:0;height:2000px;background:#00f'></body>") }
        };
        let to = elsewhere.to_owned();
        let moved = move || async move { (StatusCode::FOUND, [(header::LOCATION, to)]).into_response() };
        let router = Router::new().route("/", get(page)).route("/moved", get(moved));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { addr, seen, task }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server with a session, and the path of its screenshots.
async fn server(reach: &str) -> (Lab, HttpServer, String) {
    let lab = Lab::fake(json!({})).var("AEGIS_BROWSER_REACH", reach).build().await;
    let server = HttpServer::start(&lab).await;
    let created = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    let path = format!("/v1/sessions/{}/screenshot", created["id"].as_str().unwrap());
    (lab, server, path)
}

/// The size that a PNG file tells, and the colour type of its header.
fn size(told: &Value) -> (u32, u32) {
    let png = STANDARD.decode(told["screenshot"].as_str().unwrap()).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_shown_as_a_window_or_whole() {
    let (_lab, server, path) = server("loopback").await;
    let site = Site::start("/").await;
    let url = format!("http://{}/", site.addr);
    let told = server.post(&path, json!({"url": url, "width": 300, "height": 200})).await.is(200);
    assert_eq!(size(&told), (300, 200));
    assert_eq!((told["width"].as_u64(), told["mimeType"].as_str()), (Some(300), Some("image/png")));
    let whole = json!({"url": url, "width": 300, "height": 200, "fullPage": true});
    assert_eq!(size(&server.post(&path, whole).await.is(200)), (300, 2000));
    assert!(site.seen.load(Ordering::SeqCst) >= 2);
}

#[rstest]
#[case::loopback("http://127.0.0.1:1/")]
#[case::name("http://localhost:1/")]
#[case::short("http://127.1:1/")]
#[case::number("http://2130706433:1/")]
#[case::mapped("http://[::ffff:127.0.0.1]:1/")]
#[case::six("http://[::1]:1/")]
#[case::metadata("http://169.254.169.254/latest/meta-data/")]
#[case::private("http://10.0.0.1/")]
#[case::nothing("http://0.0.0.0:1/")]
#[case::file("file:///etc/passwd")]
#[case::script("javascript:alert(1)")]
#[case::own("chrome://version")]
#[tokio::test(flavor = "multi_thread")]
async fn no_page_leads_into_this_machine(#[case] url: &str) {
    let (_lab, server, path) = server("public").await;
    let refused = server.post(&path, json!({"url": url})).await.is(400);
    assert_eq!(refused["reason"], "invalid_argument");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_held_to_the_same_rule() {
    // What may be called is this machine; what it leads to is not.
    let (_lab, server, path) = server("loopback").await;
    let site = Site::start("http://169.254.169.254/latest/meta-data/").await;
    let refused = server.post(&path, json!({"url": format!("http://{}/moved", site.addr)})).await.is(400);
    assert!(refused["error"].as_str().unwrap().contains("169.254.169.254"), "{refused}");
}

/// Answers look-ups of whatever name one after the other, the last one for ever.
struct Answers {
    answers: Mutex<VecDeque<IpAddr>>,
    names: Mutex<BTreeSet<String>>,
}

impl Lookup for Answers {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.names.lock().unwrap().insert(name);
        let mut answers = self.answers.lock().unwrap();
        let one = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
        Box::pin(async move { Ok(vec![one]) })
    }
}

/// Takes a picture of the site under a name that leads to these addresses, one at each look-up.
async fn taken_by_name(site: &Site, answers: &[&str], reach: Reach) -> Result<ScreenshotTaken, OpError> {
    let lab = Lab::fake(json!({})).build().await;
    let answers = Mutex::new(answers.iter().map(|address| address.parse().unwrap()).collect());
    let answers = Arc::new(Answers { answers, names: Mutex::default() });
    let search = lab.env["PATH"].to_str().unwrap();
    let browser = Browser::new(None, search, reach).with_lookup(answers.clone());
    let (aegis, caller) = lab.aegis();
    let aegis = aegis.with_browser(Arc::new(browser));
    let new = CreateSession { work_dir: lab.work_dir(), ..CreateSession::default() };
    let session_id = aegis.create_session(&caller, new).await.unwrap().session.id.to_string();
    let url = format!("http://page.example:{}/", site.addr.port());
    let wanted = Screenshot { session_id: session_id.clone(), url, ..Screenshot::default() };
    let taken = aegis.screenshot(&caller, wanted).await;
    // The browser asks for nothing of its own: no updates, no accounts.
    assert_eq!(*answers.names.lock().unwrap(), BTreeSet::from(["page.example".to_owned()]));
    aegis.kill_session(&caller, KillSession { session_id, force: None }).await.unwrap();
    taken
}

#[rstest]
#[case::this_machine("127.0.0.1")]
#[case::mapped("::ffff:127.0.0.1")]
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_turns_to_this_machine_at_its_second_look_up_is_not_followed(#[case] turned: &str) {
    let site = Site::start("/").await;
    // Where this machine may be called the page is shown, so that it would be reached below as well.
    let local = Reach { loopback: true, private: false };
    let shown = taken_by_name(&site, &[turned], local).await.unwrap();
    assert!(!shown.screenshot.is_empty());
    let seen = site.seen.load(Ordering::SeqCst);
    assert!(seen > 0);
    // The first address is looked at before a browser is started, and never connected to.
    let refused = taken_by_name(&site, &["1.1.1.1", turned], Reach::default()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidArgument);
    assert!(
        refused.message.contains("page.example is") && refused.message.contains("127.0.0.1"),
        "{refused:?}"
    );
    assert_eq!(site.seen.load(Ordering::SeqCst), seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_it_says_what_to_install() {
    let lab = Lab::fake(json!({})).var("AEGIS_BROWSER_REACH", "loopback").build().await;
    // A search path with the stand-in's tools and no browser.
    let empty = lab.root.join("bin");
    std::fs::create_dir(&empty).unwrap();
    let lab = lab.with_var("PATH", empty);
    let server = HttpServer::start(&lab).await;
    let created = server.post("/v1/sessions", json!({"workDir": lab.work_dir()})).await.is(201);
    let path = format!("/v1/sessions/{}/screenshot", created["id"].as_str().unwrap());
    let site = Site::start("/").await;
    let told = server.post(&path, json!({"url": format!("http://{}/", site.addr)})).await.is(501);
    assert!(told["hint"].as_str().unwrap().contains("Chromium"), "{told}");
}
