//! The HTTP door: REST and streams under `/v1`, its older spelling without it, and the description of all that. Other
//! services, such as MCP, are mounted beside it.
//!
//! | part | what it is |
//! |---|---|
//! | `serve` | the listener, connections, and their end |
//! | `door` | what every call may use, and the router made of all routes |
//! | `route` | one route: path, who may, what it takes and gives; the router and `openapi` are made of these |
//! | `guard` | what stands before every call: host, origin, content type, token, permission |
//! | `input`, `call` | what a call brings: its body, query, path and caller |
//! | `refusal` | how a failure is told |
//! | `repeat` | what a repeated call with the same `Idempotency-Key` is told |
//! | `diagnostics` | what went wrong lately in this process |
//! | `routes` | the handlers, a file a resource |
//! | `listed` | the page of sessions that was told last |
//! | `stream`, `terminal` | streams of events, and a session's terminal over a WebSocket |
//! | `shape` | what clients read, where it is not what [`crate::ops`] gives |
//!
//! Clients of an older program know these paths and names; where that program and Aegis differ in words (statuses)
//! Aegis' own are told.

mod call;
mod diagnostics;
mod door;
mod guard;
mod input;
mod listed;
mod openapi;
mod refusal;
mod repeat;
mod route;
mod routes;
mod serve;
mod shape;
mod stream;
mod terminal;

pub use diagnostics::Diagnostics;
pub use door::{HttpDoor, Settings};
pub use guard::Hosts;
pub use serve::{BindError, Listening, bind};
