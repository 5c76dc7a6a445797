//! The words all rooms share: a label set names a stream, a matcher selects streams, entries are
//! what a stream holds, a literal is what a line must hold, and times and durations are written the
//! same everywhere. No I/O, no clock.

pub mod duration;
mod entries;
mod label_set;
mod literal;
mod matcher;
pub mod time;

pub use entries::Entries;
pub use label_set::LabelSet;
pub(crate) use label_set::Quoted;
pub use literal::Literal;
pub use matcher::{MatchOp, Matcher, ValueTest};
