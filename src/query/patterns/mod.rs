//! The patterns that the newest lines of a selector follow, and how often in each step of time: made
//! when they are asked for. `words` cuts lines, `templates` finds what they have in common.

mod templates;
mod words;

use std::collections::BTreeMap;

use super::{Cancel, Direction, Error, Limits, LogQuery, select};
use crate::labels::Matcher;
use crate::logql::LogExpr;
use crate::store::Store;

/// Lines that are looked at, the newest ones.
const LINES_MAX: usize = 10_000;
/// Patterns of an answer, the most frequent ones.
const PATTERNS_MAX: usize = 300;
/// The level of a line that has none.
const UNKNOWN_LEVEL: &str = "unknown";

/// Which lines, and how they are counted.
#[derive(Clone, Copy, Debug)]
pub struct PatternsQuery<'q> {
    /// Which streams.
    pub selector: &'q [Matcher],
    /// Start of the range in nanoseconds since 1970, inclusive.
    pub start_ns: i64,
    /// End of the range, exclusive.
    pub end_ns: i64,
    /// Length of the steps in which lines are counted, in nanoseconds, above zero.
    pub step_ns: i64,
}

/// A pattern of lines of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Text with `<_>` for what differs; the filter `|>` takes it and matches every line that was counted.
    pub text: String,
    /// The metadata `detected_level` of the lines.
    pub level: String,
    /// For each step with lines, ascending: its start, a multiple of its length, in nanoseconds since
    /// 1970, and how many there are.
    pub steps: Vec<(i64, u64)>,
}

/// The patterns, most frequent first. `client_is_gone` is asked now and then on the calling thread.
pub fn patterns(
    store: &Store,
    query: &PatternsQuery<'_>,
    limits: &Limits,
    cancel: &Cancel,
    client_is_gone: &dyn Fn() -> bool,
) -> Result<Vec<Pattern>, Error> {
    let expr = LogExpr { selector: query.selector.to_vec(), stages: Vec::new() };
    let newest = LogQuery {
        expr: &expr,
        start_ns: query.start_ns,
        end_ns: query.end_ns,
        limit: LINES_MAX,
        direction: Direction::Backward,
        interval_ns: 0,
        categorize_labels: true,
    };
    // The limit on entries is one on what a client may ask for.
    let limits = Limits { max_entries_limit_per_query: LINES_MAX, ..limits.clone() };
    let answer = select(store, &newest, &limits, cancel, client_is_gone)?;
    let entries: Vec<Entry<'_>> = answer
        .streams
        .iter()
        .flat_map(|stream| &stream.entries)
        .filter(|entry| !entry.line.is_empty())
        .map(|entry| {
            let metadata = entry.categories.iter().flat_map(|categories| categories.structured_metadata.iter());
            let level = metadata.clone().find(|(name, _)| *name == "detected_level");
            let level = level.map_or(UNKNOWN_LEVEL, |(_, level)| level);
            Entry { timestamp_ns: entry.timestamp_ns, line: &entry.line, level }
        })
        .collect();
    count(&entries, query.step_ns, cancel)
}

/// A line that is looked at.
struct Entry<'a> {
    timestamp_ns: i64,
    line: &'a [u8],
    level: &'a str,
}

fn count(entries: &[Entry<'_>], step_ns: i64, cancel: &Cancel) -> Result<Vec<Pattern>, Error> {
    let mut counted = Vec::new();
    for (text, lines) in templates::patterns(entries.iter().map(|entry| entry.line), cancel)? {
        let mut levels: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
        for at in lines {
            let entry = &entries[at];
            let step_start_ns = entry.timestamp_ns.div_euclid(step_ns).saturating_mul(step_ns);
            *levels.entry(entry.level).or_default().entry(step_start_ns).or_default() += 1;
        }
        for (level, steps) in levels {
            let pattern = Pattern { text: text.clone(), level: level.to_owned(), steps: steps.into_iter().collect() };
            counted.push((pattern.steps.iter().map(|(_, lines)| lines).sum::<u64>(), pattern));
        }
    }
    // Equal ones stay in order of their texts.
    counted.sort_by_key(|(lines, _)| std::cmp::Reverse(*lines));
    counted.truncate(PATTERNS_MAX);
    Ok(counted.into_iter().map(|(_, pattern)| pattern).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_are_counted_by_pattern_level_and_step() {
        let entries: Vec<Entry<'_>> = [
            (19, &b"job 1 done"[..], "info"),
            (10, b"job 2 done", "info"),
            (-1, b"job 3 done", "info"),
            (10, b"job 4 done", "error"),
            (10, b"other", "info"),
        ]
        .into_iter()
        .map(|(timestamp_ns, line, level)| Entry { timestamp_ns, line, level })
        .collect();
        let patterns = count(&entries, 10, &Cancel::after(Duration::MAX)).unwrap();
        let pattern = |text: &str, level: &str, steps: &[(i64, u64)]| Pattern {
            text: text.to_owned(),
            level: level.to_owned(),
            steps: steps.to_vec(),
        };
        let want = [
            pattern("job <_> done", "info", &[(-10, 1), (10, 2)]),
            pattern("job <_> done", "error", &[(10, 1)]),
            pattern("other", "info", &[(10, 1)]),
        ];
        assert_eq!(patterns, want);
    }

    #[test]
    fn the_most_frequent_patterns_are_shown() {
        // Each of a shape of its own.
        let lines: Vec<String> =
            (0..PATTERNS_MAX + 50).map(|n| format!("{n:010b}").replace('0', "x=").replace('1', "x|")).collect();
        let entry = |line: &'static str| Entry { timestamp_ns: 0, line: line.as_bytes(), level: "info" };
        let mut entries: Vec<Entry<'_>> =
            lines.iter().map(|line| Entry { timestamp_ns: 0, line: line.as_bytes(), level: "info" }).collect();
        entries.extend([entry("often"), entry("often")]);
        let patterns = count(&entries, 1, &Cancel::after(Duration::MAX)).unwrap();
        assert_eq!((patterns.len(), patterns[0].text.as_str()), (PATTERNS_MAX, "often"));
    }
}
