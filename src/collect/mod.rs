//! Log files in. The [`Collector`]'s one thread sleeps until something happens (`watch`), looks which
//! files the jobs select (`discover`, `glob`, `names`), and lets each follower read what was
//! written under its name (`follower`, `generation`), in rounds in which no file waits long (`rounds`).
//!
//! A file is known by its inode, its birth and two hashes of what was read of it (`identity`), so that
//! rotation, truncation and restarts neither lose a line nor repeat one (`rotation`, `siblings`). Bytes
//! become lines (`sieve`, `decode`, `lines`), lines get a time (`timestamp`), and go to the store in one
//! append with the positions behind them (`batch`, `positions`): no position ever passes a byte whose
//! entry is not in the same append or an earlier one. If the store refuses, nothing more is read.

mod batch;
mod collector;
mod container;
mod decode;
mod discover;
mod env;
mod error;
mod follower;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod generation;
mod glob;
mod identity;
mod job;
mod lines;
mod meta;
mod names;
mod open;
mod options;
mod positions;
mod relabel;
mod rotation;
mod rounds;
#[cfg(test)]
mod scratch;
mod siblings;
mod sieve;
#[cfg(test)]
mod simulation;
mod sink;
pub mod source;
pub mod stage;
mod stats;
#[cfg(test)]
mod testing;
pub(crate) mod timestamp;
mod watch;

pub use collector::Collector;
pub use container::{Container, Fact};
pub use error::Error;
pub use glob::{Pattern, PatternError};
pub use options::{Encoding, Job, LongLines, Options, StartAt, TimestampSource, Watch};
pub use relabel::{Action, Rule};
pub use stats::{FileStats, JobStats, LostStats, Stats};
