//! Memory that only the start or the last piece of work needed, given back while nothing happens.
//!
//! Most of what a process has resident is the program itself: the system maps sixteen pages around each one that was
//! used. They stay in the page cache, which all processes share, and come back by themselves where they are needed, so
//! giving them back costs an idle process nothing and fifty idle holders together half a gigabyte of resident memory
//! less.

use std::ffi::c_void;
use std::ptr::with_exposed_provenance_mut;

use procfs::process::{MMPermissions, MMapPath, Process};
use rustix::mm::{Advice, madvise};

/// How long nothing must have happened before memory is given back.
pub const QUIET: std::time::Duration = std::time::Duration::from_secs(2);

/// Gives the pages of code and constants back. What cannot be given back stays.
pub fn give_back_program() {
    let maps = Process::myself().and_then(|me| me.smaps());
    for map in maps.into_iter().flatten() {
        let (from, to) = map.address;
        // What the loader wrote before it made it read-only counts as anonymous.
        let as_in_the_file = !map.perms.contains(MMPermissions::WRITE)
            && map.perms.contains(MMPermissions::PRIVATE)
            && map.extension.map.get("Anonymous") == Some(&0);
        if let (true, MMapPath::Path(_), Ok(start), Ok(len)) =
            (as_in_the_file, &map.pathname, usize::try_from(from), usize::try_from(to.saturating_sub(from)))
        {
            give_back(with_exposed_provenance_mut(start), len);
        }
    }
}

#[allow(unsafe_code)]
fn give_back(start: *mut c_void, len: usize) {
    // SAFETY: the pages are a private mapping of a file that is not writable and of which no page was ever written, as
    // the kernel's own list of mappings says: they hold what the file holds, and are read from it again at the next
    // access.
    if let Err(error) = unsafe { madvise(start, len, Advice::LinuxDontNeed) } {
        tracing::debug!(%error, "the program was not given back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_on_with_less_memory() {
        let resident = || Process::myself().unwrap().status().unwrap().rssfile.unwrap();
        let before = resident();
        give_back_program();
        let after = resident();
        assert!(after < before, "{before} KiB became {after}");
        assert_eq!("12,5".split(',').count(), 2);
    }
}
