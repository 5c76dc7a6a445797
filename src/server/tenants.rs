//! Tenants: whose streams a request is about, by its header `X-Scope-OrgID`. Names are what Loki takes
//! as such, so that a client can move between both.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::{error::Error, http::Request};
use crate::store::{Store, TENANT_DEFAULT, TENANT_LABEL};

/// Bytes of a tenant's name, as in Loki.
const NAME_BYTES_MAX: usize = 150;

/// The tenants of a server.
pub(super) struct Tenants {
    /// More are refused.
    count_max: usize,
    /// Those that have stored something.
    known: Mutex<BTreeSet<String>>,
}

impl Tenants {
    /// The tenants that a store holds streams of.
    pub(super) fn of(store: &Store, count_max: usize) -> Self {
        let streams = store.streams(&[], i64::MIN, i64::MAX);
        let known = streams.iter().map(|stream| stream.labels.get(TENANT_LABEL).unwrap_or(TENANT_DEFAULT).to_owned());
        Self { count_max, known: Mutex::new(known.collect()) }
    }

    /// The part of the store that a request asks for.
    pub(super) fn asked(&self, request: &Request<'_>, store: &Store) -> Result<Store, Error> {
        let names = names_of(request.header("X-Scope-OrgID"))?;
        if names.len() > self.count_max {
            return Err(Error::bad(format!("at most {} tenants can be asked for at once\n", self.count_max)));
        }
        Ok(store.of_tenants(&names))
    }

    /// The part of the store that a request adds to.
    pub(super) fn fed(&self, request: &Request<'_>, store: &Store) -> Result<Store, Error> {
        let name = only(request)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&name) {
            if known.len() >= self.count_max {
                let count_max = self.count_max;
                return Err(Error::Busy(format!("there are {count_max} tenants already (server.tenants_max)\n")));
            }
            known.insert(name.clone());
        }
        Ok(store.of_tenants(&[name]))
    }
}

/// The one tenant that a request is about which cannot be about several.
pub(super) fn only(request: &Request<'_>) -> Result<String, Error> {
    match names_of(request.header("X-Scope-OrgID"))?.as_slice() {
        [name] => Ok(name.clone()),
        _ => Err(Error::bad("multiple org IDs present: only queries can be about several tenants\n")),
    }
}

/// The names in a header: one, or several with `|` between them; sorted, each once.
fn names_of(header: Option<&str>) -> Result<Vec<String>, Error> {
    let header = header.filter(|header| !header.is_empty()).ok_or(Error::NoTenant)?;
    let mut names = Vec::new();
    for name in header.split('|') {
        check_name(name).map_err(|why| Error::bad(format!("{why}\n")))?;
        names.push(name.to_owned());
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether a text may be a tenant's name, or why not.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("tenant ID is empty".to_owned());
    }
    if let Some(other) = name.chars().find(|&c| !c.is_ascii_alphanumeric() && !"!-_.*'()".contains(c)) {
        return Err(format!("tenant ID '{name}' contains unsupported character '{other}'"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("tenant ID is too long: max {NAME_BYTES_MAX} characters"));
    }
    if matches!(name, "." | "..") {
        return Err("tenant ID is '.' or '..'".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_tenants() {
        let long = "x".repeat(150);
        let too_long = "x".repeat(151);
        for (header, want) in [
            (Some("a"), Ok(&["a"][..])),
            (Some("b|a|b"), Ok(&["a", "b"])),
            (Some("Team-1_(x).*'!"), Ok(&["Team-1_(x).*'!"])),
            (Some(&long), Ok(&[&long])),
            (Some(&too_long), Err(400)),
            (None, Err(401)),
            (Some(""), Err(401)),
            (Some("a|"), Err(400)),
            (Some("a/b"), Err(400)),
            (Some("a b"), Err(400)),
            (Some(".."), Err(400)),
        ] {
            let got = names_of(header).map_err(|error| error.status());
            let want: Result<Vec<String>, u16> = want.map(|names| names.iter().map(|&name| name.to_owned()).collect());
            assert_eq!(got, want, "{header:?}");
        }
    }
}
