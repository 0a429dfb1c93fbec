//! What was done, and by whom.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::access::audit::{AuditRecord, Chain, Export, Format, Verdict};
use crate::domain::Timestamp;
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::Query;
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::ops::{AuditQuery, ExportAudit, GetAudit, VerifyAudit};

/// How many lines of an export wait for a slow reader.
const AHEAD: usize = 64;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/audit", audit)
            .says("Tells what was done, newest page first; as CSV or lines of JSON everything that fits.")
            .admin()
            .query::<Wanted>()
            .gives::<Page>(200),
    ]
}

/// Which records, and how.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    /// Only this actor's: `local`, `session:ID`, `master`, `key:NAME`.
    actor: Option<String>,
    /// Only this key's.
    actor_key_id: Option<String>,
    /// Only this operation.
    action: Option<String>,
    /// Only those about this session.
    session_id: Option<String>,
    /// Not before this.
    from: Option<Timestamp>,
    /// Not after this.
    to: Option<Timestamp>,
    /// How many; 100 unless given. Exports are whole.
    #[serde(alias = "pageSize")]
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
    /// The `nextCursor` of the page before, for older ones.
    cursor: Option<String>,
    /// Which page of that many, from 1, in place of a cursor; pages shift when records are added.
    #[schemars(range(min = 1))]
    page: Option<u64>,
    /// Whether a page's newest record comes first.
    reverse: bool,
    /// Whether to verify the whole log too.
    verify: bool,
    /// `json`, `csv` or `ndjson`; as `Accept` says unless given.
    format: Option<String>,
}

/// A page of the log.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// How many are in this page.
    count: usize,
    /// How many fit.
    total: u64,
    records: Vec<AuditRecord>,
    filters: Filters,
    pagination: Pagination,
    /// All that fit.
    chain: Chain,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrity: Option<Integrity>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Filters {
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    /// Which page was asked for, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u64>,
    limit: usize,
    has_more: bool,
    next_cursor: Option<String>,
    reverse: bool,
}

/// How the chain holds.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Integrity {
    valid: bool,
    /// The line where it breaks first.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_at: Option<u64>,
    /// The file with that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// What is wrong there.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
}

impl From<Verdict> for Integrity {
    fn from(verdict: Verdict) -> Self {
        let (broken_at, file, what) = match verdict.broken {
            Some(broken) => (Some(broken.line), Some(broken.file), Some(broken.what)),
            None => (None, None, None),
        };
        Self { valid: verdict.valid, broken_at, file, what }
    }
}

async fn audit(
    State(door): State<HttpDoor>,
    call: Call,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Reply<Response> {
    let format = format(wanted.format.as_deref(), &headers)?;
    let query = AuditQuery {
        actor: wanted.actor.clone(),
        actor_key_id: wanted.actor_key_id.clone(),
        action: wanted.action.clone(),
        session_id: wanted.session_id.clone(),
        from: wanted.from,
        to: wanted.to,
    };
    let integrity: Option<Integrity> = match wanted.verify {
        true => Some(door.aegis.verify_audit(&call.caller, VerifyAudit {}).await?.into()),
        false => None,
    };
    if let Some(format) = format {
        let export = door.aegis.export_audit(&call.caller, ExportAudit { query, format }).await?;
        return Ok(exported(export, format, integrity.as_ref()));
    }
    let limit = wanted.limit.unwrap_or(100);
    let request = GetAudit { query, limit: Some(limit), cursor: wanted.cursor, page: wanted.page };
    let mut page = door.aegis.get_audit(&call.caller, request).await?;
    if wanted.reverse {
        page.records.reverse();
    }
    let page = Page {
        count: page.records.len(),
        total: page.chain.count,
        records: page.records,
        filters: Filters {
            actor: wanted.actor,
            actor_key_id: wanted.actor_key_id,
            action: wanted.action,
            session_id: wanted.session_id,
            from: wanted.from,
            to: wanted.to,
        },
        pagination: Pagination {
            page: wanted.page,
            limit,
            has_more: page.next_cursor.is_some(),
            next_cursor: page.next_cursor,
            reverse: wanted.reverse,
        },
        chain: page.chain,
        integrity,
    };
    Ok(Json(page).into_response())
}

/// How an export is to be written; none for a page of JSON.
fn format(word: Option<&str>, headers: &HeaderMap) -> Reply<Option<Format>> {
    match word {
        Some("json") => Ok(None),
        Some("csv") => Ok(Some(Format::Csv)),
        Some("ndjson") => Ok(Some(Format::Ndjson)),
        Some(_) => Err(Refusal::invalid("Invalid query params: format is json, csv or ndjson")),
        None => {
            let accept =
                headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
            let first = accept.split([',', ';']).next().unwrap_or_default().trim();
            Ok(match first {
                "text/csv" => Some(Format::Csv),
                "application/x-ndjson" => Some(Format::Ndjson),
                _ => None,
            })
        }
    }
}

fn exported(export: Export, format: Format, integrity: Option<&Integrity>) -> Response {
    let (kind, end) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let chain = export.chain.clone();
    let (lines, read) = mpsc::channel::<String>(AHEAD);
    tokio::task::spawn_blocking(move || {
        let written = export.write(|line| lines.blocking_send(line).is_ok());
        if let Err(error) = written {
            tracing::error!(%error, "an export of the audit log ends early");
        }
    });
    let lines = stream::unfold(read, async |mut read| {
        let line = read.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), read))
    });
    let mut response = Body::from_stream(lines).into_response();
    let name = format!("attachment; filename=\"audit-export-{}.{end}\"", Timestamp::now().millis());
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let mut told = vec![
        ("content-type", kind.to_owned()),
        ("content-disposition", name),
        ("x-aegis-audit-record-count", chain.count.to_string()),
        ("x-aegis-audit-first-hash", chain.first_hash),
        ("x-aegis-audit-last-hash", chain.last_hash),
        ("x-aegis-audit-chain-badge", chain.badge_hash),
        ("x-aegis-audit-first-ts", time(chain.first_ts)),
        ("x-aegis-audit-last-ts", time(chain.last_ts)),
    ];
    if let Some(integrity) = integrity {
        told.push(("x-aegis-audit-integrity-valid", integrity.valid.to_string()));
        told.extend(integrity.broken_at.map(|at| ("x-aegis-audit-integrity-broken-at", at.to_string())));
        told.extend(integrity.file.clone().map(|file| ("x-aegis-audit-integrity-file", file)));
    }
    for (name, value) in told {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
