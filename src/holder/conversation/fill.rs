//! When the context window fills up: told at the edge, and again only after there was room.

/// How much must be in use, in percent. Claude Code's own footer says nothing below and counts from here on (2.1.197 to
/// 2.1.330).
const WARNS_FROM: u8 = 85;

/// Below this there is room again. A little lower, so that a figure that goes up and down by one is told once.
const ROOM_BELOW: u8 = 80;

/// Whether it was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fill {
    told: bool,
}

impl Fill {
    /// Takes the present figure; gives it if it is to be told. After compaction and in a new conversation there is none
    /// until Claude has answered, and then the figure counts anew.
    pub(super) fn edge(&mut self, used_pct: Option<u8>) -> Option<u8> {
        let Some(used) = used_pct.filter(|used| *used >= ROOM_BELOW) else {
            self.told = false;
            return None;
        };
        if self.told || used < WARNS_FROM {
            return None;
        }
        self.told = true;
        Some(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edge_is_told_once() {
        let mut fill = Fill::default();
        let figures =
            [None, Some(84), Some(85), Some(86), Some(84), Some(90), Some(79), Some(85), None, Some(99)];
        let told: Vec<_> = figures.into_iter().filter_map(|used| fill.edge(used)).collect();
        assert_eq!(told, [85, 85, 99]);
    }
}
