//! More entries than a server gives at once: one answer after the other, without gap or repeat.

use serde_json::Value;

use super::{answer::Outcome, api::Api, boundary::Boundary, error::Error};
use crate::labels::time::format_rfc3339_ns;

/// A span of time: from `start_ns` on, before `end_ns`; nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Its beginning.
    pub start_ns: i64,
    /// Its end, which does not belong to it.
    pub end_ns: i64,
}

impl Range {
    pub(super) fn params(self) -> [(&'static str, String); 2] {
        [("start", self.start_ns.to_string()), ("end", self.end_ns.to_string())]
    }
}

/// A query over a range, page by page.
///
/// The next page begins at the last time stamp of this one, not behind it: the server may have more entries there. What
/// was given already is left out, and asked for in addition, so that every page makes progress.
pub struct Pages<'a> {
    api: &'a Api,
    query: String,
    step: Option<String>,
    range: Range,
    forward: bool,
    /// Entries that are still wanted; `None` for all.
    wanted: Option<u64>,
    batch: u64,
    boundary: Boundary,
    is_done: bool,
}

impl<'a> Pages<'a> {
    /// Asks for a query's entries, newest first or with `forward` oldest first: `limit` of them, 0 for all, `batch` at a
    /// time; and for its values `step` apart if it is a metric.
    pub fn new(
        api: &'a Api,
        query: &str,
        range: Range,
        forward: bool,
        limit: u64,
        batch: u64,
        step: Option<String>,
    ) -> Self {
        Self {
            api,
            query: query.to_owned(),
            step,
            range,
            forward,
            wanted: (limit > 0).then_some(limit),
            batch,
            boundary: Boundary::default(),
            is_done: range.start_ns >= range.end_ns,
        }
    }

    /// Path and parameters of the question that comes next.
    pub fn question(&self) -> (&'static str, Vec<(&'static str, String)>) {
        let wanted = self.page_size() + self.boundary.len() as u64;
        let mut params = vec![("query", self.query.clone()), ("limit", wanted.to_string())];
        params.extend(self.range.params());
        params.push(("direction", if self.forward { "FORWARD" } else { "BACKWARD" }.to_owned()));
        params.extend(self.step.clone().map(|step| ("step", step)));
        ("/loki/api/v1/query_range", params)
    }

    fn page_size(&self) -> u64 {
        self.wanted.map_or(self.batch, |wanted| wanted.min(self.batch))
    }

    /// The next page, with the server's statistics; `None` behind the last.
    ///
    /// # Errors
    /// Those of [`Error`].
    pub fn next_page(&mut self) -> Result<Option<(Outcome, Value)>, Error> {
        if self.is_done || self.wanted == Some(0) {
            return Ok(None);
        }
        let (path, params) = self.question();
        let asked = self.page_size() + self.boundary.len() as u64;
        let (outcome, statistics) = self.api.query(path, &params, self.forward)?;
        let Outcome::Entries(mut entries) = outcome else {
            self.is_done = true;
            return Ok(Some((outcome, statistics)));
        };
        self.is_done = (entries.len() as u64) < asked;
        self.boundary.hide_seen(&mut entries);
        if let Some(wanted) = &mut self.wanted {
            entries.truncate(usize::try_from(*wanted).unwrap_or(usize::MAX));
            *wanted -= entries.len() as u64;
        }
        if entries.is_empty() && !self.is_done {
            let time = self.boundary.timestamp_ns().map(format_rfc3339_ns).unwrap_or_default();
            return Err(Error::Stuck { server: self.api.url.to_string(), time });
        }
        self.boundary.pass(&entries);
        if let Some(timestamp_ns) = self.boundary.timestamp_ns() {
            if self.forward {
                self.range.start_ns = timestamp_ns;
            } else {
                self.range.end_ns = timestamp_ns.saturating_add(1);
            }
        }
        Ok(Some((Outcome::Entries(entries), statistics)))
    }

    /// All of a range, oldest first, but for what was seen at its start.
    pub(super) fn continuing(api: &'a Api, query: &str, range: Range, batch: u64, boundary: Boundary) -> Self {
        Self { boundary, ..Self::new(api, query, range, true, 0, batch, None) }
    }

    /// What was seen at the end.
    pub(super) fn into_boundary(self) -> Boundary {
        self.boundary
    }
}
