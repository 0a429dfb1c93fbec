//! The menu that Claude Code opens under a command: when Escape closes it, and when Enter may be pressed.

use std::time::Duration;

use tokio::time::Instant;

/// How long after the text the menu may open: it is worked out apart from the box, and drawn later (2.1.197).
const OPENS: Duration = Duration::from_millis(500);
/// When Escape is pressed again over a menu that still stands: one that came close after another Escape was taken
/// together with it. Two in quick succession would clear the box instead.
const ESCAPE_AGAIN: Duration = Duration::from_millis(1000);
/// When a menu that still stands is given up.
const STUCK: Duration = Duration::from_millis(4500);

/// A menu that is to be closed.
#[derive(Debug)]
pub(super) struct Menu {
    since: Instant,
    escaped: Option<Instant>,
}

/// What the screen shows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// Our text, and no menu.
    Text,
    /// Our text and a menu.
    Menu,
    /// Something else: nothing may be pressed over that.
    Other,
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Escape is to be pressed; to be looked at again then at the latest.
    Escape(Instant),
    /// To be looked at again then at the latest.
    Wait(Instant),
    /// No menu is open: Enter takes what stands in the box.
    Closed,
    /// It did not close.
    Stuck,
}

impl Menu {
    /// The box shows the command since `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, escaped: None }
    }

    /// The next step.
    pub(super) fn next(&mut self, now: Instant, shows: Shows) -> Next {
        let opens_by = self.since + OPENS;
        let stuck_at = self.since + STUCK;
        let again = self.escaped.map(|at| at + ESCAPE_AGAIN);
        match shows {
            Shows::Text if self.escaped.is_some() || now >= opens_by => Next::Closed,
            Shows::Text => Next::Wait(opens_by),
            Shows::Menu | Shows::Other if now >= stuck_at => Next::Stuck,
            Shows::Menu if again.is_none_or(|again| now >= again) => {
                self.escaped = Some(now);
                Next::Escape((now + ESCAPE_AGAIN).min(stuck_at))
            }
            Shows::Menu => Next::Wait(again.unwrap_or(stuck_at).min(stuck_at)),
            Shows::Other => Next::Wait(stuck_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn escape_comes_only_over_an_open_menu_and_again_while_it_stands() {
        let start = Instant::now();
        let mut menu = Menu::new(start);
        assert_eq!(menu.next(start, Shows::Text), Next::Wait(after(start, 500)));
        assert_eq!(menu.next(after(start, 100), Shows::Menu), Next::Escape(after(start, 1100)));
        assert_eq!(menu.next(after(start, 300), Shows::Menu), Next::Wait(after(start, 1100)));
        assert_eq!(menu.next(after(start, 1100), Shows::Menu), Next::Escape(after(start, 2100)));
        assert_eq!(menu.next(after(start, 1200), Shows::Text), Next::Closed);
    }

    #[test]
    fn without_a_menu_enter_waits_until_none_can_come() {
        let start = Instant::now();
        let mut menu = Menu::new(start);
        assert_eq!(menu.next(after(start, 499), Shows::Text), Next::Wait(after(start, 500)));
        assert_eq!(menu.next(after(start, 500), Shows::Text), Next::Closed);
    }

    #[test]
    fn nothing_is_pressed_over_something_else() {
        let start = Instant::now();
        let mut menu = Menu::new(start);
        assert_eq!(menu.next(after(start, 100), Shows::Other), Next::Wait(after(start, 4500)));
        assert_eq!(menu.next(after(start, 4500), Shows::Other), Next::Stuck);
    }

    #[test]
    fn a_menu_that_stays_is_given_up() {
        let start = Instant::now();
        let mut menu = Menu::new(start);
        let mut now = start;
        let mut escapes = 0;
        loop {
            match menu.next(now, Shows::Menu) {
                Next::Escape(at) => {
                    escapes += 1;
                    now = at;
                }
                Next::Wait(at) => now = at,
                Next::Closed => panic!("it stands"),
                Next::Stuck => break,
            }
        }
        assert_eq!((escapes, now), (5, after(start, 4500)));
    }
}
