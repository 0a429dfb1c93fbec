//! Holding the chain against the secret.

use std::io::{self, BufRead as _, BufReader, Read as _};

use schemars::JsonSchema;
use serde::Serialize;

use super::head::Head;
use super::log::{AuditError, AuditLog, HEAD_LOST};
use super::record::AuditRecord;

/// How the chain holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Whether nothing was changed, left out or added.
    pub valid: bool,
    /// How many records were read.
    pub records: u64,
    /// The hash of the last one; kept elsewhere, it proves later that this one was there.
    pub last_hash: String,
    /// Where it breaks first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

/// Where a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// The file.
    pub file: String,
    /// The line in it, from 1; 0 for the whole file.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

impl AuditLog {
    /// Reads the whole log and tells whether anything was changed, left out, added or cut off.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn verify(&self) -> Result<Verdict, AuditError> {
        self.told(|| {
            let names = self.files()?;
            let mut verdict = Verdict { valid: true, records: 0, last_hash: String::new(), broken: None };
            let lock = match self.open("lock", false) {
                // Nothing was ever written.
                Err(error) if error.kind() == io::ErrorKind::NotFound && names.is_empty() => {
                    return Ok(verdict);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                lock => Some(lock?),
            };
            // While this reads how far the log goes, nobody appends; what comes after is left for the next time.
            if let Some(lock) = &lock {
                lock.lock_shared()?;
            }
            let breaks =
                |file: &str, line, what: &str| Some(Broken { file: file.into(), line, what: what.into() });
            let key = match self.key(false) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    verdict.broken = breaks("key", 0, "the secret is gone: nothing can be verified");
                    verdict.valid = false;
                    return Ok(verdict);
                }
                key => key?,
            };
            let head = match self.open("head", false) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                file => Head::read(&file?, &key)?,
            };
            let names = self.files()?;
            let lengths: Vec<u64> = names
                .iter()
                .map(|name| Ok(self.open(name, false)?.metadata()?.len()))
                .collect::<io::Result<_>>()?;
            drop(lock);
            let mut walk = Walk { key: &key, seq: 0, hash: String::new(), broken: None };
            for (name, length) in names.iter().zip(lengths) {
                let lines = BufReader::new(self.open(name, false)?.take(length)).split(b'\n');
                for (at, line) in (1..).zip(lines) {
                    walk.line(name, at, &line?, &mut verdict.records);
                }
            }
            let Walk { seq, hash, mut broken, .. } = walk;
            if broken.is_none() {
                broken = match &head {
                    None if seq == 0 => None,
                    None => {
                        breaks("head", 0, "the head is missing or damaged: the end may have been cut off")
                    }
                    // A process that was killed before it noted its record leaves one more.
                    Some(head) if head.seq > seq => {
                        let what = format!("it ends at record {seq}; the head knows of {}", head.seq);
                        breaks(names.last().map_or("head", String::as_str), 0, &what)
                    }
                    Some(head) if head.seq == seq && head.hash != hash => {
                        breaks("head", 0, "the head knows another last record")
                    }
                    Some(_) => None,
                };
            }
            verdict.valid = broken.is_none();
            verdict.last_hash = hash;
            verdict.broken = broken;
            Ok(verdict)
        })
    }
}

/// How far the chain was followed.
struct Walk<'a> {
    key: &'a [u8],
    seq: u64,
    hash: String,
    broken: Option<Broken>,
}

impl Walk<'_> {
    fn line(&mut self, file: &str, line: u64, text: &[u8], records: &mut u64) {
        let record = std::str::from_utf8(text).ok().and_then(AuditRecord::read);
        *records += u64::from(record.is_some());
        let what = match &record {
            None => Some("it is no record, or was written anew".to_owned()),
            Some(record) if record.hash != record.sealed(self.key) => {
                Some("it was changed, or made without the secret".to_owned())
            }
            Some(record) if record.seq != self.seq + 1 => Some(format!(
                "record {} follows record {}: what was between them is gone",
                record.seq, self.seq
            )),
            Some(record) if record.prev_hash != self.hash => {
                Some("it follows another record than the one before it".to_owned())
            }
            Some(record) if record.action == HEAD_LOST => {
                Some("the head was lost here: records before it may have been cut off".to_owned())
            }
            Some(_) => None,
        };
        if let Some(record) = record {
            (self.seq, self.hash) = (record.seq, record.hash);
        }
        if let (None, Some(what)) = (&self.broken, what) {
            self.broken = Some(Broken { file: file.into(), line, what });
        }
    }
}
