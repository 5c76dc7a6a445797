//! A client of Loki's HTTP API, for the command line: it asks a server, this one or a real Loki, and prints the answer
//! as logcli does.
//!
//! [`Api`] knows the endpoints and repeats what a busy server refuses; [`Pages`] asks for more entries than a server
//! gives at once, without gap or repeat; [`tail`] follows live entries and comes back after a lost connection;
//! [`Printer`] writes entries. Nothing here ends the process or knows the command line.

mod answer;
mod api;
mod boundary;
mod error;
mod http;
mod pages;
mod printer;
mod tail;
mod times;
mod transport;
mod url;

pub use answer::{Entry, Outcome, Series};
pub use api::{Api, Credentials, Wait};
pub use error::{Error, Kind};
pub use pages::{Pages, Range};
pub use printer::{Format, Labels, Mode, Printer, metric_text, statistics_text};
pub use tail::{Follow, News, tail};
pub use times::{Zone, parse_span, parse_time};
pub use url::Url;
