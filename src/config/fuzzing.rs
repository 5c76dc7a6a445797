//! Entry points for fuzzing the configuration: each takes any bytes and panics where a promise is broken.

#![expect(clippy::missing_panics_doc, reason = "what a target panics for is what it says it checks")]

use std::collections::BTreeMap;

use super::{Config, Environment};

/// A configuration file: it is taken, or every mistake has a text.
pub fn file(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let variables = BTreeMap::from([("HOME".to_owned(), "/home/x".to_owned()), ("A".to_owned(), "b\"\n".to_owned())]);
    let environment = Environment { variables, host_name: "host".to_owned(), is_root: false };
    if let Err(error) = Config::parse("config.toml", &source, &environment) {
        assert!(!error.to_string().is_empty());
    }
}
