//! What a terminal answers to the queries of its child, and the modes that `vt100` does not keep.
//!
//! Claude Code asks for the device attributes and the terminal's name at its start and for synchronized output
//! afterwards; 2.1.330 also asks `CSI ?u`, `CSI ?1016$p`, `CSI 16t`, a kitty graphics query (APC) and
//! `OSC 7501;?` (measured). It starts as fast when nothing answers, but marks its frames only when told that
//! synchronized output is known.

use std::collections::BTreeSet;

/// Private modes kept for a redraw, since `vt100` drops them: focus reports and colour scheme reports.
const KEPT: [u16; 2] = [1004, 2031];

/// Synchronized output.
const SYNC: u16 = 2026;

/// Longest title kept. Claude Code cuts its own far below.
const TITLE: usize = 512;

/// What the callbacks of the parser gather.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Bytes owed to the child.
    pub(super) pending: Vec<u8>,
    pub(super) title: String,
    pub(super) in_frame: bool,
    pub(super) frames: u64,
    pub(super) modes: BTreeSet<u16>,
}

impl Answers {
    fn set(&mut self, mode: u16, on: bool) {
        if mode == SYNC {
            self.frames += u64::from(self.in_frame && !on);
            self.in_frame = on;
        } else if KEPT.contains(&mode) {
            if on {
                self.modes.insert(mode)
            } else {
                self.modes.remove(&mode)
            };
        }
    }

    fn say(&mut self, answer: &str) {
        self.pending.extend_from_slice(answer.as_bytes());
    }
}

impl vt100::Callbacks for Answers {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = String::from_utf8_lossy(title).chars().filter(|c| !c.is_control()).take(TITLE).collect();
    }

    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        i1: Option<u8>,
        i2: Option<u8>,
        params: &[&[u16]],
        c: char,
    ) {
        let first = params.first().and_then(|p| p.first()).copied().unwrap_or(0);
        match (i1, i2, c) {
            // vt100 calls this once for each mode it does not know, always with the whole list.
            (Some(b'?'), None, 'h' | 'l') => {
                for mode in params.iter().filter_map(|p| p.first()) {
                    self.set(*mode, c == 'h');
                }
            }
            // DA1: a VT220 with colour.
            (None, None, 'c') if first == 0 => self.say("\x1b[?62;22c"),
            // DA2.
            (Some(b'>'), None, 'c') if first == 0 => self.say("\x1b[>1;10;0c"),
            // XTVERSION.
            (Some(b'>'), None, 'q') if first == 0 => self.say("\x1bP>|aegis\x1b\\"),
            // DECRQM: synchronized output is known and off; of the others we make no promise.
            (Some(b'?'), Some(b'$'), 'p') => {
                let state = if first == SYNC { 2 - u8::from(self.in_frame) } else { 0 };
                self.say(&format!("\x1b[?{first};{state}$y"));
            }
            (None, None, 'n') if first == 5 => self.say("\x1b[0n"),
            (None | Some(b'?'), None, 'n') if first == 6 => {
                let (row, col) = screen.cursor_position();
                let private = if i1.is_some() { "?" } else { "" };
                self.say(&format!("\x1b[{private}{};{}R", row + 1, col + 1));
            }
            // The kitty keyboard protocol: known, no flags set.
            (Some(b'?'), None, 'u') => self.say("\x1b[?0u"),
            _ => {}
        }
    }
}
