//! One recorded screen on disk.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use aegis::claude::screen::{Reading, read};
use aegis::term::Grid;
use serde::Serialize;

use super::Fault;

/// What stands in a fixture instead of the scratch directory; filled up to the same length, so that every row keeps
/// its width.
const NEUTRAL: &str = "/home/user/work";

/// What a fixture must never hold: it would tell about the machine it was recorded on.
const TELLING: &str = r"(^|[^\w~-])/(tmp|root|var|private|Users)\b|-tmp-";

/// Where one case of one version and size is kept.
#[derive(Debug)]
pub(crate) struct Fixture {
    directory: PathBuf,
    name: String,
    size: (u16, u16),
}

/// A screen as it was recorded.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The bytes that draw it.
    pub(crate) bytes: Vec<u8>,
    /// The scratch directory it was recorded in.
    pub(crate) scratch: PathBuf,
}

/// `expect.json`.
#[derive(Serialize)]
struct Expect {
    cols: u16,
    rows: u16,
    reading: Reading,
}

impl Fixture {
    /// The place of a case.
    pub(crate) fn new(version: &str, case: &str, (cols, rows): (u16, u16)) -> Self {
        let name = format!("{case}-{cols}x{rows}");
        Self {
            directory: screens().join(version).join(&name),
            name: format!("{version}/{name}"),
            size: (cols, rows),
        }
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Whether this is a screen of `case`.
    pub(crate) fn is_of(&self, case: &str) -> bool {
        self.directory
            .file_name()
            .and_then(|name| name.to_str()?.rsplit_once('-'))
            .is_some_and(|(one, _)| one == case)
    }

    /// Whether it is recorded already.
    pub(crate) fn exists(&self) -> bool {
        self.directory.join("screen.ansi").is_file()
    }

    /// Writes the screen and what the rules read on it.
    pub(crate) fn write(&self, recorded: &Recorded) -> Result<(), Fault> {
        let bytes = neutral(&recorded.bytes, &recorded.scratch)?;
        let (cols, rows) = self.size;
        let reading = read(&self.grid(&bytes).screen());
        let expect = serde_json::to_string_pretty(&Expect { cols, rows, reading })?;
        fs::create_dir_all(&self.directory)?;
        fs::write(self.directory.join("screen.ansi"), bytes)?;
        fs::write(self.directory.join("expect.json"), expect + "\n")?;
        Ok(())
    }

    /// What stands on the recorded screen.
    pub(crate) fn text(&self) -> Result<String, Fault> {
        Ok(self.grid(&fs::read(self.directory.join("screen.ansi"))?).screen().text())
    }

    fn grid(&self, bytes: &[u8]) -> Grid {
        let mut grid = Grid::new(self.size.0, self.size.1, 0);
        // Nobody waits for the answers of a recording.
        let _ = grid.feed(bytes);
        grid
    }
}

impl fmt::Display for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// All that is recorded of a version, by name.
pub(crate) fn recorded(version: &str) -> Result<Vec<Fixture>, Fault> {
    let mut names = Vec::new();
    for entry in fs::read_dir(screens().join(version))? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    let parts = |name: &String| {
        let (case, at) = name.rsplit_once('-')?;
        Some(Fixture::new(version, case, size(at).ok()?))
    };
    Ok(names.iter().filter_map(parts).collect())
}

/// Columns and rows in their usual form.
pub(crate) fn size(text: &str) -> Result<(u16, u16), String> {
    let both = text.split_once('x').and_then(|(cols, rows)| Some((cols.parse().ok()?, rows.parse().ok()?)));
    both.ok_or_else(|| "give columns and rows, such as 80x24".to_owned())
}

/// The repository's own directory of recorded screens.
fn screens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens")
}

/// The bytes with a neutral path in place of the scratch directory's.
fn neutral(bytes: &[u8], scratch: &Path) -> Result<Vec<u8>, Fault> {
    let text = std::str::from_utf8(bytes)?;
    let scratch = scratch.to_str().ok_or("the scratch directory has a name that is no text")?;
    let Some(more) = scratch.len().checked_sub(NEUTRAL.len()) else {
        return Err(format!("{scratch} is shorter than {NEUTRAL}: rows would change their width").into());
    };
    let instead = format!("{NEUTRAL}{}", "-".repeat(more));
    let text = text.replace(scratch, &instead);
    match regex::Regex::new(TELLING)?.find(&text) {
        None => Ok(text.into_bytes()),
        Some(found) => {
            let rest: String = text[found.start()..].chars().take(60).collect();
            Err(format!("a path of this machine would stay in it: {rest:?}").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_keeps_its_width_and_tells_no_path() {
        let scratch = Path::new("/tmp/scr-AbCdEfGh");
        let text = "in /tmp/scr-AbCdEfGh/proj, said by /tmp/scr-AbCdEfGh/home/tmp/x";
        let got = String::from_utf8(neutral(text.as_bytes(), scratch).unwrap()).unwrap();
        assert_eq!(got, "in /home/user/work--/proj, said by /home/user/work--/home/tmp/x");
        for telling in ["at /tmp/other", "/root/.npm", "projects/-tmp-scr-AbCdEfGh-proj"] {
            assert!(neutral(telling.as_bytes(), scratch).is_err(), "{telling}");
        }
        assert!(neutral(b"", Path::new("/tmp/s")).is_err());
    }

    #[test]
    fn a_size_is_columns_and_rows() {
        assert_eq!(size("80x24"), Ok((80, 24)));
        assert!(["80", "80x", "x24", "80x24x1", "-1x2"].iter().all(|text| size(text).is_err()));
    }
}
