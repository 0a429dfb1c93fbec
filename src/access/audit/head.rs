//! The head: which record is the last, and where it ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use serde::{Deserialize, Serialize};

use super::record::seal;

/// What the head's file takes; the rest is spaces. One write of so few bytes is not torn by a killed process.
const BYTES: usize = 512;

/// Which record is the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Head {
    /// Its number; 0 before the first.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: String,
    /// The name of the file that it stands in.
    pub(super) file: String,
    /// Where it ends there, in bytes.
    pub(super) length: u64,
    /// The seal of all that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    seal: String,
}

impl Head {
    pub(super) fn new(seq: u64, hash: String, file: String, length: u64) -> Self {
        Self { seq, hash, file, length, seal: String::new() }
    }

    fn sealed(&self, key: &[u8]) -> String {
        let bare = Self { seal: String::new(), ..self.clone() };
        seal(key, format!("head {}", serde_json::to_string(&bare).unwrap_or_default()).as_bytes())
    }

    /// Reads it; `None` if it is missing, damaged, or not sealed with this key.
    pub(super) fn read(file: &File, key: &[u8]) -> io::Result<Option<Self>> {
        let mut bytes = [0; BYTES];
        let mut read = 0;
        loop {
            match file.read_at(bytes.get_mut(read..).unwrap_or_default(), read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        let head: Option<Self> = bytes.get(..read).and_then(|bytes| serde_json::from_slice(bytes).ok());
        Ok(head.filter(|head| crate::access::same(&head.seal, &head.sealed(key))))
    }

    /// Writes it in place of the last.
    pub(super) fn write(mut self, file: &File, key: &[u8]) -> io::Result<()> {
        self.seal = self.sealed(key);
        let text = serde_json::to_string(&self)?;
        file.write_all_at(format!("{text:<width$}", width = BYTES - 1).as_bytes(), 0)?;
        file.write_all_at(b"\n", (BYTES - 1).max(text.len()) as u64)
    }
}
