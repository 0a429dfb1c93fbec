//! Memory that only the start or the last piece of work needed, given back while nothing happens.
//!
//! Most of what a process has resident is the program itself: the system maps sixteen pages around each one that was
//! used. They stay in the page cache, which all processes share, and come back by themselves where they are needed, so
//! giving them back costs an idle process nothing and fifty idle holders together half a gigabyte of resident memory
//! less. After work that came all at once the larger part is what was allocated for it: the allocator keeps it, page by
//! page between what is still in use, until it is told to let go.

use std::ffi::c_void;
use std::ptr::with_exposed_provenance_mut;

use procfs::process::{MMPermissions, MMapPath, Process};
use rustix::mm::{Advice, madvise};

/// How long nothing must have happened before memory is given back.
pub const QUIET: std::time::Duration = std::time::Duration::from_secs(2);

/// Gives back what is not needed while nothing happens: pages of freed memory, and those of code and constants. What cannot
/// be given back stays.
pub fn give_back() {
    give_back_freed();
    give_back_program();
}

/// Other allocators than that of glibc give memory back by themselves.
#[cfg_attr(all(target_os = "linux", target_env = "gnu"), allow(unsafe_code))]
fn give_back_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function takes the allocator's own locks, may be called by any thread at any time, and touches only
    // pages on which nothing is allocated.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives the pages of code and constants back.
fn give_back_program() {
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
            give_back_pages(with_exposed_provenance_mut(start), len);
        }
    }
}

#[allow(unsafe_code)]
fn give_back_pages(start: *mut c_void, len: usize) {
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
        give_back();
        let after = resident();
        assert!(after < before, "{before} KiB became {after}");
    }

    #[test]
    fn freed_memory_is_given_back() {
        let resident = || Process::myself().unwrap().status().unwrap().rssanon.unwrap();
        // Small pieces, of which one in a hundred stays: the allocator gives nothing back by itself.
        let mut pieces: Vec<_> = (0..200_000).map(|n| vec![n as u8; 200]).collect();
        let mut n = 0;
        pieces.retain(|_| {
            n += 1;
            n % 100 == 0
        });
        let before = resident();
        give_back();
        let after = resident();
        assert!(after + 10_000 < before, "{before} KiB became {after}");
        assert_eq!(pieces.len(), 2000);
    }
}
