//! The endpoints, who asks, and how often.

use std::{thread, time::Duration};

use data_encoding::BASE64;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    answer::{Envelope, Outcome, Pairs, QueryData, Series, entries, label_set},
    error::Error,
    http::{self, Headers},
    pages::Range,
    url::Url,
};

/// How long the first pause is before a question is repeated; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Longest pause, also if the server names a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Who asks.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Name and password of HTTP's basic authentication; those of the URL count if there are none here.
    pub user: Option<(String, String)>,
    /// A token instead.
    pub bearer: Option<String>,
    /// The tenant.
    pub org_id: Option<String>,
}

/// Why a question takes its time.
#[derive(Debug)]
pub enum Wait<'a> {
    /// So many bytes have come.
    Reading(usize),
    /// It is repeated after a pause, because of what the server said.
    Repeating(&'a Error, Duration),
    /// The answer is there.
    Done,
}

/// A server that can be asked.
pub struct Api {
    pub(super) url: Url,
    pub(super) headers: Headers,
    retries: u32,
    waiting: Box<dyn Fn(Wait<'_>)>,
}

impl Api {
    /// A server; what it is too busy for is asked again up to `retries` times. `waiting` is told why an answer takes
    /// its time.
    ///
    /// # Errors
    /// Credentials that no header can hold.
    pub fn new(url: Url, who: Credentials, retries: u32, waiting: Box<dyn Fn(Wait<'_>)>) -> Result<Self, Error> {
        let mut headers = vec![("User-Agent", concat!("narvi/", env!("CARGO_PKG_VERSION")).to_owned())];
        if let Some(token) = who.bearer {
            headers.push(("Authorization", format!("Bearer {token}")));
        } else if let Some((name, password)) = who.user.or_else(|| url.user.clone()) {
            headers
                .push(("Authorization", format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes()))));
        }
        headers.extend(who.org_id.map(|org_id| ("X-Scope-OrgID", org_id)));
        let wrong = headers.iter().find(|(_, value)| value.bytes().any(|byte| byte < b' ' || byte == 0x7f));
        if let Some((_, value)) = wrong {
            return Err(Error::Header { value: value.clone() });
        }
        Ok(Self { url, headers, retries, waiting })
    }

    /// The URL that a question is asked with, for the person who asks.
    pub fn url_of(&self, path: &str, params: &[(&str, String)]) -> String {
        let scheme = if self.url.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.url.authority, self.url.target(path, params))
    }

    /// Evaluates a query, and gives the statistics with it.
    ///
    /// # Errors
    /// Those of [`Error`].
    pub fn query(&self, path: &str, params: &[(&str, String)], forward: bool) -> Result<(Outcome, Value), Error> {
        let data: QueryData = self.get(path, params)?;
        let outcome = if data.result_type == "streams" {
            let streams = serde_json::from_str(data.result.get()).map_err(|error| self.not_loki(&error))?;
            Outcome::Entries(entries(streams, forward))
        } else {
            Outcome::Metric(data.result)
        };
        Ok((outcome, data.stats))
    }

    /// The names of labels, or with a name its values; in the server's order.
    ///
    /// # Errors
    /// Those of [`Error`].
    pub fn labels(&self, name: &str, range: Range) -> Result<Vec<String>, Error> {
        let path = if name.is_empty() {
            "/loki/api/v1/labels".to_owned()
        } else {
            let mut path = "/loki/api/v1/label/".to_owned();
            super::url::encode(name, &mut path);
            path + "/values"
        };
        Ok(self.get::<Option<Vec<String>>>(&path, &range.params())?.unwrap_or_default())
    }

    /// The label sets of the streams that a selector selects.
    ///
    /// # Errors
    /// Those of [`Error`].
    pub fn series(&self, selector: &str, range: Range) -> Result<Series, Error> {
        let mut params = range.params().to_vec();
        params.push(("match", selector.to_owned()));
        let sets: Option<Vec<Pairs>> = self.get("/loki/api/v1/series", &params)?;
        Ok(sets.into_iter().flatten().map(label_set).collect())
    }

    /// How many streams, chunks, entries and bytes a selector has.
    ///
    /// # Errors
    /// Those of [`Error`].
    pub fn stats(&self, selector: &str, range: Range) -> Result<Value, Error> {
        let mut params = range.params().to_vec();
        params.push(("query", selector.to_owned()));
        self.json("/loki/api/v1/index/stats", &params)
    }

    /// The data of an answer in its envelope.
    fn get<T: DeserializeOwned>(&self, path: &str, params: &[(&str, String)]) -> Result<T, Error> {
        self.json::<Envelope<T>>(path, params).map(|envelope| envelope.data)
    }

    /// Asks until there is an answer, or the server has been busy too often.
    fn json<T: DeserializeOwned>(&self, path: &str, params: &[(&str, String)]) -> Result<T, Error> {
        let target = self.url.target(path, params);
        let mut pause = PAUSE_MIN;
        let mut retries_left = self.retries;
        loop {
            let answer = http::get(&self.url, &target, &self.headers, &|bytes| self.say(Wait::Reading(bytes)));
            self.say(Wait::Done);
            let answer = answer?;
            if (200..300).contains(&answer.status) {
                return serde_json::from_slice(&answer.body).map_err(|error| self.not_loki(&error));
            }
            let error = self.refusal(answer.status, &answer.body);
            // The others are no matter of time.
            if retries_left == 0 || !matches!(answer.status, 429 | 502 | 503 | 504) {
                return Err(error);
            }
            retries_left -= 1;
            let this_pause = answer.retry_after_s.map_or(pause, Duration::from_secs).min(PAUSE_MAX);
            self.say(Wait::Repeating(&error, this_pause));
            thread::sleep(this_pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// What a server says instead of an answer.
    pub(super) fn refusal(&self, status: u16, body: &[u8]) -> Error {
        /// Bytes of a body that are shown: a sentence, and not a proxy's page.
        const TEXT_BYTES_MAX: usize = 1024;
        let text = String::from_utf8_lossy(&body[..body.len().min(TEXT_BYTES_MAX)]);
        let hint = match status {
            301 | 302 | 307 | 308 => "write the URL that it leads to",
            401 => "give --username and --password, or --bearer-token",
            404 => "is it the right URL?",
            _ => "",
        };
        Error::Status { server: self.url.to_string(), status, text: text.into_owned(), hint }
    }

    pub(super) fn not_loki(&self, error: &serde_json::Error) -> Error {
        Error::NotLoki { server: self.url.to_string(), why: error.to_string() }
    }

    pub(super) fn say(&self, wait: Wait<'_>) {
        (self.waiting)(wait);
    }
}
