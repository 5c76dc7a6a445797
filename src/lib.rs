//! Narvi: a log appliance for one machine. The rooms, in reading order, each standing on those before it:
//!
//! - [`labels`]: the words every room shares: label set, matcher, entries.
//! - [`store`]: streams on disk: write-ahead log, heads, blocks, chunk files, label log.

pub mod labels;
pub mod store;
