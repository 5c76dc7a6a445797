//! The parameters of a request: of the URL, and of a form in the body, which wins. Checked as Loki
//! checks them, with its words.

use std::io::Read;

use super::{
    error::Error,
    http::Request,
    times::{SECOND_NS, parse_step, parse_time},
};
use crate::labels::duration::{format_go_duration, format_prometheus_duration, parse_prometheus_duration};
use crate::query::Direction;
pub(super) use crate::store::now_ns;

/// Bytes of a form: as much as a URL may have, and a list of selectors fits.
const FORM_BYTES_MAX: u64 = 1 << 20;
/// Points of one series in the answer of a metric query.
const POINTS_MAX: i64 = 11_000;
/// Entries of an answer if the client does not say.
const LIMIT_DEFAULT: usize = 100;
/// Length of a range if the client gives no start.
const SINCE_DEFAULT_NS: i64 = 3600 * SECOND_NS;

/// Names and values, decoded, in order; those of the form first.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

/// A range of time in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimeRange {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
}

impl Params {
    /// The parameters of a request; `form` says whether a body may hold some.
    pub(super) fn of(request: &mut Request<'_>, form: bool) -> Result<Self, Error> {
        let mut pairs = Vec::new();
        let is_form = request.header("Content-Type").is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or(value);
            media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if form && is_form {
            let mut body = Vec::new();
            request.body().take(FORM_BYTES_MAX + 1).read_to_end(&mut body).map_err(Error::Body)?;
            if body.len() as u64 > FORM_BYTES_MAX {
                return Err(Error::TooLarge(format!("a form may have {FORM_BYTES_MAX} bytes")));
            }
            decode_pairs(&body, &mut pairs)?;
        }
        if let Some((_, query)) = request.target().split_once('?') {
            decode_pairs(query.as_bytes(), &mut pairs)?;
        }
        Ok(Self(pairs))
    }

    #[cfg(test)]
    pub(super) fn from_query(query: &str) -> Self {
        let mut pairs = Vec::new();
        decode_pairs(query.as_bytes(), &mut pairs).unwrap();
        Self(pairs)
    }

    /// The first value of a name, if it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// The query; an empty text if there is none, which the parser refuses in Loki's words.
    pub(super) fn query(&self) -> &str {
        self.get("query").unwrap_or("")
    }

    /// A time, if it is given.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, Error> {
        let parse =
            |text| parse_time(text).map_err(|why| Error::bad(format!("could not parse '{name}' parameter: {why}")));
        self.get(name).map(parse).transpose()
    }

    /// `start`, `end` and `since`, whose length must not pass `length_ns_max`.
    pub(super) fn range(&self, now_ns: i64, length_ns_max: i64) -> Result<TimeRange, Error> {
        let end_ns = self.time("end")?.unwrap_or(now_ns);
        let since_ns = match self.get("since") {
            None => SINCE_DEFAULT_NS,
            Some(text) => parse_prometheus_duration(text)
                .map_err(|why| Error::bad(format!("could not parse 'since' parameter: {why}")))?,
        };
        let start_ns = self.time("start")?.unwrap_or_else(|| end_ns.min(now_ns).saturating_sub(since_ns));
        if end_ns < start_ns {
            return Err(Error::bad("end timestamp must not be before or equal to start time"));
        }
        let length_ns = end_ns.saturating_sub(start_ns);
        if length_ns > length_ns_max {
            return Err(Error::bad(format!(
                "the query time range exceeds the limit (query length: {}, limit: {})",
                format_go_duration(length_ns),
                format_prometheus_duration(length_ns_max)
            )));
        }
        Ok(TimeRange { start_ns, end_ns })
    }

    /// How many entries an answer may have.
    pub(super) fn limit(&self) -> Result<usize, Error> {
        let Some(text) = self.get("limit") else {
            return Ok(LIMIT_DEFAULT);
        };
        let limit: i64 =
            text.parse().map_err(|_| Error::bad(format!("strconv.Atoi: parsing \"{text}\": invalid syntax")))?;
        match usize::try_from(limit) {
            Ok(limit) if limit > 0 => Ok(limit),
            _ => Err(Error::bad("limit must be a positive value")),
        }
    }

    /// From which end entries are taken.
    pub(super) fn direction(&self) -> Result<Direction, Error> {
        match self.get("direction") {
            None => Ok(Direction::Backward),
            Some(text) if text.eq_ignore_ascii_case("backward") => Ok(Direction::Backward),
            Some(text) if text.eq_ignore_ascii_case("forward") => Ok(Direction::Forward),
            Some(text) => Err(Error::bad(format!("invalid direction '{text}'"))),
        }
    }

    /// Least time between two entries; zero: off.
    pub(super) fn interval(&self) -> Result<i64, Error> {
        let interval_ns = self.get("interval").map_or(Ok(0), parse_step).map_err(Error::bad)?;
        if interval_ns < 0 {
            return Err(Error::bad("interval must be >= 0"));
        }
        Ok(interval_ns)
    }

    /// Distance of the points of a metric query, in nanoseconds, whole milliseconds.
    pub(super) fn step(&self, range: TimeRange) -> Result<i64, Error> {
        let length_ns = range.end_ns.saturating_sub(range.start_ns);
        let Some(text) = self.get("step") else {
            return Ok((length_ns / SECOND_NS / 250).max(1) * SECOND_NS);
        };
        let step_ns = parse_step(text).map_err(Error::bad)?;
        if step_ns <= 0 {
            return Err(Error::bad(
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ));
        }
        if length_ns / step_ns > POINTS_MAX {
            return Err(Error::bad(
                "exceeded maximum resolution of 11,000 points per time series. \
                 Try increasing the value of the step parameter",
            ));
        }
        Ok(step_ns)
    }
}

/// Decodes `a=b&c=d` with percent-encoding and `+` for a blank.
fn decode_pairs(text: &[u8], pairs: &mut Vec<(String, String)>) -> Result<(), Error> {
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[pair.len()..]),
        };
        pairs.push((percent_decoded(name, true)?, percent_decoded(value, true)?));
    }
    Ok(())
}

/// Replaces `%41`, and `+` if `plus_is_blank`. Bytes that are no UTF-8 become U+FFFD.
pub(super) fn percent_decoded(text: &[u8], plus_is_blank: bool) -> Result<String, Error> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'%' => {
                let digits = (text.get(at + 1).copied().and_then(hex), text.get(at + 2).copied().and_then(hex));
                let (Some(high), Some(low)) = digits else {
                    let escape = String::from_utf8_lossy(&text[at..text.len().min(at + 3)]);
                    return Err(Error::bad(format!("invalid URL escape \"{escape}\"")));
                };
                bytes.push(high << 4 | low);
                at += 3;
            }
            b'+' if plus_is_blank => {
                bytes.push(b' ');
                at += 1;
            }
            byte => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn pairs_are_decoded_and_the_first_one_counts() {
        let params =
            Params::from_query("query=%7Ba%3D%22b+c%22%7D&limit=2&limit=5&match[]=x&match%5B%5D=y&flag&empty=");
        assert_eq!(params.query(), r#"{a="b c"}"#);
        assert_eq!(params.limit().unwrap(), 2);
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((params.get("flag"), params.get("empty"), params.get("none")), (None, None, None));
        assert!(decode_pairs(b"a=%zz", &mut Vec::new()).unwrap_err().to_string().contains("%zz"));
        assert!(decode_pairs(b"a=%4", &mut Vec::new()).is_err());
    }

    #[test]
    fn ranges_have_lokis_defaults() {
        let now_ns = 10_000 * SECOND_NS;
        for (query, start_s, end_s) in [
            ("", 6400, 10_000),
            ("end=5000", 1400, 5000),
            ("end=20000", 6400, 20_000),
            ("end=5000&since=30m", 3200, 5000),
            ("start=1&end=1", 1, 1),
            ("start=1&since=5m", 1, 10_000),
        ] {
            let want = TimeRange { start_ns: start_s * SECOND_NS, end_ns: end_s * SECOND_NS };
            assert_eq!(Params::from_query(query).range(now_ns, i64::MAX).unwrap(), want, "{query}");
        }
        for (query, want) in [
            (
                "start=yesterday",
                "could not parse 'start' parameter: strconv.ParseInt: parsing \"yesterday\": invalid syntax",
            ),
            ("start=5&end=4", "end timestamp must not be before or equal to start time"),
            ("since=long", "could not parse 'since' parameter: not a valid duration string: \"long\""),
            ("start=0&end=69120000", "the query time range exceeds the limit (query length: 19200h0m0s, limit: 30d1h)"),
        ] {
            assert_eq!(message(Params::from_query(query).range(now_ns, 721 * 3600 * SECOND_NS)), want);
        }
    }

    #[test]
    fn limits_directions_and_steps_are_checked_in_lokis_words() {
        for (query, want) in [
            ("limit=0", "limit must be a positive value"),
            ("limit=-1", "limit must be a positive value"),
            ("limit=ten", "strconv.Atoi: parsing \"ten\": invalid syntax"),
        ] {
            assert_eq!(message(Params::from_query(query).limit()), want);
        }
        assert_eq!(Params::from_query("").limit().unwrap(), 100);
        assert_eq!(Params::from_query("direction=FORWARD").direction().unwrap(), Direction::Forward);
        assert_eq!(Params::from_query("").direction().unwrap(), Direction::Backward);
        assert_eq!(message(Params::from_query("direction=sideways").direction()), "invalid direction 'sideways'");
        assert_eq!(message(Params::from_query("interval=-5").interval()), "interval must be >= 0");
        let range = TimeRange { start_ns: 0, end_ns: 36_000 * SECOND_NS };
        for (query, want_ms) in [("", 144_000), ("step=60000ms", 60_000), ("step=0.25&x", 250)] {
            let narrow =
                TimeRange { end_ns: if query.starts_with("step=0") { SECOND_NS } else { range.end_ns }, ..range };
            assert_eq!(Params::from_query(query).step(narrow).unwrap(), want_ms * 1_000_000, "{query}");
        }
        assert!(message(Params::from_query("step=1").step(range)).starts_with("exceeded maximum resolution of 11,000"));
        assert!(message(Params::from_query("step=0").step(range)).starts_with("zero or negative query resolution"));
    }
}
