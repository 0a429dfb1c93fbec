//! Who is let in.

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::http::HttpServer;

#[rstest]
#[case::rebinding(&[("host", "evil.example")], 403, "host_refused")]
#[case::null_origin(&[("origin", "null")], 403, "origin_refused")]
#[case::foreign_origin(&[("origin", "https://evil.example")], 403, "origin_refused")]
#[case::own_origin_of_a_foreign_host(&[("host", "evil.example"), ("origin", "http://evil.example")], 403, "host_refused")]
#[case::cross_site(&[("sec-fetch-site", "cross-site")], 403, "origin_refused")]
#[case::form(&[("content-type", "application/x-www-form-urlencoded")], 415, "unsupported_media_type")]
#[case::plain(&[("content-type", "text/plain")], 415, "unsupported_media_type")]
#[case::untyped(&[("content-type", "")], 415, "unsupported_media_type")]
#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_gets_nothing(
    #[case] headers: &[(&str, &str)],
    #[case] status: u16,
    #[case] reason: &str,
) {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let mut request = Request::builder().method("POST").uri("/v1/sessions");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", server.addr.to_string());
    }
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let body = Full::from(Bytes::from(json!({"workDir": lab.work_dir()}).to_string()));
    let refused = server.send(request.body(body).unwrap()).await.is(status);
    assert_eq!(refused["reason"], reason);
    assert!(lab.session_dirs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_only_its_bearer_is_let_in() {
    let lab = Lab::fake(json!({})).var("AEGIS_AUTH_TOKEN", "hush-hush").build().await;
    let mut server = HttpServer::start(&lab).await;
    server.get("/v1/sessions").await.is(200);
    for wrong in [None, Some("hush"), Some("hush-hush-hush")] {
        server.token = wrong.map(str::to_owned);
        let refused = server.get("/v1/sessions").await;
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        let refused = refused.is(401);
        assert_eq!(
            (refused["code"].as_str(), refused["reason"].as_str()),
            (Some("UNAUTHORIZED"), Some("unauthorized"))
        );
        assert_eq!(server.get("/v1/health").await.is(200), json!({"status": "ok"}));
        server.get("/v1/sessions?token=hush-hush").await.is(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_id_and_its_guards() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let told = server.get("/v1/none").await;
    assert_eq!(told.header("x-frame-options"), Some("DENY"));
    assert_eq!(told.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(told.header("x-aegis-api-version"), Some("1"));
    let id = told.header("x-request-id").unwrap().to_owned();
    let told = told.is(404);
    assert_eq!(told["requestId"], id);
    assert_eq!(told["code"], "NOT_FOUND");
    let wrong = server.call("PATCH", "/v1/sessions", None).await;
    assert!(wrong.header("allow").is_some_and(|allow| allow.contains("GET") && allow.contains("POST")));
    wrong.is(405);
    let older = server.get("/sessions/00000000-0000-4000-8000-000000000000").await;
    assert_eq!(older.header("deprecation"), Some("true"));
    assert_eq!(older.header("x-api-deprecated"), Some("Use /v1/sessions/:id instead"));
    older.is(404);
}
