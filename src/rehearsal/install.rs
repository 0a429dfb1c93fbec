//! x
pub struct Claude;