//! What the tests stand on: the real binary on a directory of its own, and clients that speak to it as others do.
//!
//! Nothing here sleeps: a test waits for an answer, for a line of the log, or with [`eventually`] for a condition.

mod dice;
mod directory;
mod entries;
mod http;
mod metrics;
mod narvi;
mod push;
mod tail;
mod tools;
mod wait;

pub(crate) use dice::Dice;
pub(crate) use directory::Directory;
pub(crate) use entries::{Entry, exactly_once};
pub(crate) use http::{Client, Params, encoded};
pub(crate) use metrics::Metrics;
pub(crate) use narvi::{Narvi, Signal, command, configure, unprivileged};
pub(crate) use push::{Stream, gzip, now_ns};
pub(crate) use tail::Tail;
pub(crate) use tools::{program, rounds, skip};
pub(crate) use wait::{eventually, within_patience};
