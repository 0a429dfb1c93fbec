//! What we can tell from Claude's screen.
