//! x
pub struct ScratchHome;