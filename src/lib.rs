//! Narvi: a log appliance for one machine. The rooms, in reading order, each standing on those before it:
//!
//! - [`labels`]: the words every room shares: label set, matcher, entries.
//! - [`logql`]: the query language: text in, tree or error out; no disk, no clock, no threads.
//! - [`store`]: streams on disk: write-ahead log, heads, blocks, chunk files, label log.
//! - [`ingest`]: what makes an entry storable, the same for pushed and for followed lines: limits, `service_name`, `detected_level`.
//! - [`query`]: where language meets disk: select, grep, tail.
//! - [`collect`]: log files in: discovery, followers, time stamps.
//! - [`server`]: Loki's HTTP API.
//! - [`client`]: Loki's HTTP API from the other side: questions to a server, and their answers as text.
//! - [`config`]: the configuration file, its errors, and the options it gives to each room.
//!
//! With the feature `fuzzing`, `fuzzing` lists what takes bytes from outside.

pub mod client;
pub mod collect;
pub mod config;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod ingest;
pub mod labels;
pub mod logql;
pub mod query;
pub mod server;
pub mod store;
