//! Narvi: a log appliance for one machine. The rooms, in reading order, each standing on those before it:
//!
//! - [`labels`]: the words every room shares: label set, matcher, entries.

pub mod labels;
