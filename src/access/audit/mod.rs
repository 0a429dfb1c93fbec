//! The log of what was done: who, through which door, to which session, and how it came out.
//!
//! One JSON object a line, in a file for each day, only ever appended to. Each record carries the hash of the one
//! before it and its own, made with a secret of this installation (HMAC-SHA-256): whoever has only the log can
//! neither change nor leave out anything, nor make a chain of their own. The head, a file beside, says which record is
//! the last, so that cut ends show too. What this cannot show: the deeds of somebody who reads the secret, and an
//! older copy of log and head together; whoever needs more keeps the last hash elsewhere.
//!
//! | part | what it is |
//! |---|---|
//! | `record` | one record and its canonical text |
//! | `head` | which record is the last |
//! | `log` | appending, by any number of processes |
//! | `verify` | holding the chain against the secret |
//! | `query` | finding records |
//! | `export` | records as lines of JSON or CSV |

mod export;
mod head;
mod log;
mod query;
mod record;
mod verify;

#[cfg(test)]
mod tests;

pub use export::{Export, Format};
pub use log::{AuditError, AuditLog};
pub use query::{AuditPage, AuditQuery, Chain, Start};
pub use record::{AuditRecord, Deed};
pub use verify::{Broken, Verdict};
