//! What the query language means, as scripts: `tests/logql/*.test`, run against a store of their own. A script is made of
//! statements; the indented lines below one belong to it:
//!
//!     load {app="web"} with {trace="7"}      entries of a stream, each a time in seconds and a line; `with`: their metadata
//!     query [OPTION]... {app="web"} | json   a log query over everything, oldest first; its entries as `labels time line`
//!     instant [at 60] sum(...)               a metric at one time; each series as `labels value`
//!     range 0 60 step 10 sum(...)            a metric over a range; each series as `labels time:value ...`
//!     fail {app="web"} | jsn                 a query that has no answer; the error's text. `fail at 60` and
//!                                            `fail range 0 60 step 10` run a metric as above
//!     limits max_query_series=3              limits for what follows, of series and of entries
//!     discover                               what is loaded from here on gets `service_name` and `detected_level`, as pushes do
//!     clear                                  forgets what was loaded
//!
//! The options of `query` are `backward`, `limit 10`, `interval 5s`, `from 0 to 10` and `categorized`. A statement that ends
//! in a backslash goes on in the next line. `nothing` is an empty answer; what ends in ` ...` may go on in any way. A line
//! that is empty, starts with a quote or holds control characters is written as a JSON string. `# covers:` names the rows
//! of `docs/logql.md` that a script is about.
//!
//! `UPDATE=1 cargo test --test logql` writes the answers anew. Read the diff: each must follow from the language.

#![expect(clippy::unwrap_used, reason = "what fails in reading a script fails the test")]

use std::{
    collections::BTreeSet,
    error, fmt, fs,
    ops::Range,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use narvi::ingest::{self, StreamBuilder};
use narvi::labels::LabelSet;
use narvi::logql::{self, Expr, LogExpr, MetricExpr};
use narvi::query::{
    self, Cancel, Direction, Grid, LogQuery, MetricQuery, MetricValue, ResultEntry, Sample, Series, Times,
};
use narvi::store::{Append, Options, Store};

/// Second 0 of all scripts: 2024-01-01T00:00:00Z, a multiple of every step that a script may use.
const BASE_NS: i64 = 1_704_067_200 * SECOND_NS;
const SECOND_NS: i64 = 1_000_000_000;
/// When an instant query is evaluated unless it says `at`, in seconds.
const INSTANT_DEFAULT: &str = "60";
/// What an empty answer is written as.
const NOTHING: &str = "nothing";

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

#[test]
fn every_script_holds() {
    let scripts = scripts();
    assert!(!scripts.is_empty(), "no scripts");
    let differences: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = scripts.iter().map(|path| scope.spawn(|| run(path))).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

/// What the tables of `docs/logql.md` say is supported, and each function, has a script.
#[test]
fn what_is_documented_has_a_script() {
    let page = fs::read_to_string(root().join("docs/logql.md")).unwrap();
    let texts: Vec<String> = scripts().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let covered: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| text.lines().filter_map(|line| line.strip_prefix("# covers: ")))
        .flat_map(|rows| rows.split("; ").map(str::trim))
        .collect();
    let rows = section(&page, "## What is supported").chain(section(&page, "### Parsers"));
    let named: Vec<String> = rows
        .filter_map(|line| Some(line.strip_prefix("| ")?.split_once(" |")?.0.replace('`', "")))
        .filter(|name| !name.starts_with("---") && !["part", "parser"].contains(&name.as_str()))
        .collect();
    assert!(named.len() > 30, "the tables of docs/logql.md were not found: {named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !covered.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "rows of docs/logql.md without a script that says `# covers: ...`: {missing:?}");
    let stale: Vec<_> = covered.iter().filter(|row| !named.iter().any(|name| name == *row)).collect();
    assert!(stale.is_empty(), "scripts cover what is no row of docs/logql.md: {stale:?}");

    let statements = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with([' ', '#']));
    let used: BTreeSet<&str> =
        statements.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    let functions = section(&page, "### Templates").filter_map(|line| line.strip_prefix("    "));
    let keywords = section(&page, "## What is supported")
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    let unused: Vec<_> =
        functions.flat_map(str::split_whitespace).chain(keywords).filter(|name| !used.contains(name)).collect();
    assert!(unused.is_empty(), "words of docs/logql.md that no script uses: {unused:?}");
}

/// The lines below a heading, up to the next one.
fn section<'p>(page: &'p str, heading: &str) -> impl Iterator<Item = &'p str> {
    let after = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading:?}")).1;
    after.lines().take_while(|line| !line.starts_with('#'))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/logql")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "test")).collect();
    paths.sort();
    paths
}

/// Runs a script; what differs from it, one text for each statement.
fn run(path: &Path) -> Vec<String> {
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    let source = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = source.lines().collect();
    let mut world = World::new(path.file_stem().unwrap().to_str().unwrap());
    let mut differences = Vec::new();
    let mut renewed = String::new();
    let mut kept = 0; // Lines that are in `renewed` already.
    let mut statements = 0;
    let renews = std::env::var_os("UPDATE").is_some();
    for statement in Statement::all(&lines) {
        statements += 1;
        let place = format!("{name}:{}", statement.head.start + 1);
        let answer = match world.execute(&statement.text, &lines[statement.body.clone()]) {
            Ok(None) => continue,
            Ok(Some(answer)) => answer,
            Err(error) => {
                differences.push(format!("{place}: {}\n  {error}", statement.text));
                continue;
            }
        };
        let expected: Vec<&str> = lines[statement.body.clone()].iter().map(|line| line.trim_start()).collect();
        if expected.len() == answer.len() && expected.iter().zip(&answer).all(|(pattern, line)| agrees(pattern, line)) {
            continue;
        }
        for line in &lines[kept..statement.head.end] {
            renewed.extend([line, "\n"]);
        }
        for line in &answer {
            renewed.extend(["  ", line, "\n"]);
        }
        kept = statement.body.end;
        if !renews {
            differences.push(format!("{place}: {}\n{}", statement.text, difference(&expected, &answer)));
        }
    }
    assert!(statements > 0, "{name} is empty");
    if renews {
        for line in &lines[kept..] {
            renewed.extend([line, "\n"]);
        }
        fs::write(path, renewed).unwrap();
    }
    differences
}

/// Whether a line of an answer is what a script says.
fn agrees(expected: &str, line: &str) -> bool {
    expected.strip_suffix(" ...").map_or(expected == line, |start| line.starts_with(start))
}

/// The lines of both answers; `-` before one that is missing, `+` before one too many.
fn difference(expected: &[&str], answer: &[String]) -> String {
    let mut lines = Vec::new();
    let mut rest = answer;
    for line in expected {
        match rest.iter().position(|found| agrees(line, found)) {
            Some(at) => {
                lines.extend(rest[..at].iter().map(|extra| format!("  + {extra}")));
                lines.push(format!("    {line}"));
                rest = &rest[at + 1..];
            }
            None => lines.push(format!("  - {line}")),
        }
    }
    lines.extend(rest.iter().map(|extra| format!("  + {extra}")));
    lines.join("\n")
}

/// A statement and where it stands.
struct Statement {
    /// Its lines, joined.
    text: String,
    head: Range<usize>,
    /// The indented lines below it.
    body: Range<usize>,
}

impl Statement {
    fn all(lines: &[&str]) -> Vec<Self> {
        let mut statements = Vec::new();
        let mut at = 0;
        while at < lines.len() {
            if lines[at].is_empty() || lines[at].starts_with('#') {
                at += 1;
                continue;
            }
            let start = at;
            let mut text = String::new();
            while let Some(part) = lines[at].strip_suffix('\\') {
                text.extend([part, "\n"]);
                at += 1;
            }
            text += lines[at];
            at += 1;
            let end = at + lines[at..].iter().take_while(|line| line.starts_with(' ')).count();
            statements.push(Self { text, head: start..at, body: at..end });
            at = end;
        }
        statements
    }
}

/// What the statements of a script act on.
struct World {
    store: Store,
    directory: PathBuf,
    discovers: bool,
    limits: query::Limits,
}

impl World {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("logql-{name}-{}", std::process::id()));
        let store = open(&directory);
        Self { store, directory, discovers: false, limits: query::Limits::default() }
    }

    /// Runs a statement; the lines of its answer if it is a query.
    fn execute(&mut self, text: &str, body: &[&str]) -> Result<Option<Vec<String>>> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb {
            "load" => self.load(rest, body).map(|()| None),
            "discover" => {
                self.discovers = true;
                Ok(None)
            }
            "clear" => {
                self.store.close()?;
                self.store = open(&self.directory);
                Ok(None)
            }
            "limits" => self.limit(rest).map(|()| None),
            "query" => self.twice(|world| world.query(rest)).map(Some),
            "instant" => self.twice(|world| world.instant(rest)).map(Some),
            "range" => self.twice(|world| world.range(rest)).map(Some),
            "fail" => match self.twice(|world| world.fail(rest)) {
                Ok(answer) => Err(format!("no error, but\n  {}", answer.join("\n  ")).into()),
                Err(error) => Ok(Some(error.to_string().trim_end().lines().map(str::to_owned).collect())),
            },
            _ => Err("no such statement".into()),
        }
    }

    /// Runs a query on entries in memory, then on entries in blocks on disk: the answers are the same.
    fn twice(&self, run: impl Fn(&Self) -> Result<Vec<String>>) -> Result<Vec<String>> {
        let run = || run(self).map_err(|error| error.to_string());
        let of_heads = run();
        self.store.flush()?;
        let of_blocks = run();
        assert_eq!(of_heads, of_blocks, "an answer from memory, and from disk");
        Ok(of_blocks?)
    }

    fn load(&self, rest: &str, body: &[&str]) -> Result<()> {
        let (labels, metadata) = rest.split_once(" with ").unwrap_or((rest, "{}"));
        let metadata = logql::parse_label_set(metadata)?;
        let metadata: Vec<_> = metadata.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut limits = ingest::Limits {
            discover_log_levels: self.discovers,
            creation_grace_period_ns: 0,
            ..ingest::Limits::default()
        };
        if !self.discovers {
            limits.discover_service_name.clear();
        }
        let labels: LabelSet = logql::parse_label_set(labels)?;
        let mut builder = StreamBuilder::new(labels, &limits, BASE_NS).map_err(|refused| refused.to_string())?;
        for line in body {
            let (time, line) = line.trim_start().split_once(' ').ok_or("an entry is a time and a line")?;
            let line = if line.starts_with('"') { serde_json::from_str(line)? } else { line.to_owned() };
            builder.add(time_ns(time)?, line.as_bytes(), metadata.clone());
        }
        let (entries, rejections) = builder.finish();
        if !rejections.is_empty() {
            return Err("an entry was refused".into());
        }
        Ok(self.store.append(&Append { streams: vec![entries], drop_duplicates: true, ..Append::default() })?)
    }

    fn limit(&mut self, rest: &str) -> Result<()> {
        for pair in rest.split(' ') {
            match pair.split_once('=').ok_or("a limit is name=value")? {
                ("max_query_series", value) => self.limits.max_query_series = value.parse()?,
                ("max_entries_limit_per_query", value) => self.limits.max_entries_limit_per_query = value.parse()?,
                (name, _) => return Err(format!("no limit {name}").into()),
            }
        }
        Ok(())
    }

    fn query(&self, rest: &str) -> Result<Vec<String>> {
        let (options, text) = rest.split_at(rest.find(['{', '(']).unwrap_or(rest.len()));
        let Expr::Log(expr) = logql::parse(text)? else {
            return Err("this is a metric: say `instant` or `range`".into());
        };
        self.select(&expr, options)
    }

    fn instant(&self, rest: &str) -> Result<Vec<String>> {
        let (time, text) = at_time(rest)?;
        match logql::parse(text)? {
            Expr::Log(_) => Err("this is a log query: say `query`".into()),
            Expr::Metric(expr) => self.measure(&expr, Times::Instant(time)),
        }
    }

    fn range(&self, rest: &str) -> Result<Vec<String>> {
        let mut words = rest.splitn(5, ' ');
        let (Some(start), Some(end), Some("step"), Some(step), Some(text)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return Err("say `range START END step STEP QUERY`".into());
        };
        let Expr::Metric(expr) = logql::parse(text)? else { return Err("this is a log query: say `query`".into()) };
        let grid = Grid::aligned(time_ns(start)?, time_ns(end)?, time_ns(step)? - BASE_NS);
        self.measure(&expr, Times::Grid(grid))
    }

    fn fail(&self, rest: &str) -> Result<Vec<String>> {
        if let Some(rest) = rest.strip_prefix("range ") {
            return self.range(rest);
        }
        let (time, text) = at_time(rest)?;
        match logql::parse(text)? {
            Expr::Log(expr) => self.select(&expr, ""),
            Expr::Metric(expr) => self.measure(&expr, Times::Instant(time)),
        }
    }

    fn select(&self, expr: &LogExpr, options: &str) -> Result<Vec<String>> {
        let mut query = LogQuery {
            expr,
            start_ns: 0,
            end_ns: i64::MAX,
            limit: 100,
            direction: Direction::Forward,
            interval_ns: 0,
            categorize_labels: false,
        };
        let mut words = options.split_whitespace();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or("an option lacks its value");
            match word {
                "backward" => query.direction = Direction::Backward,
                "categorized" => query.categorize_labels = true,
                "limit" => query.limit = value()?.parse()?,
                "interval" => query.interval_ns = time_ns(value()?)? - BASE_NS,
                "from" => query.start_ns = time_ns(value()?)?,
                "to" => query.end_ns = time_ns(value()?)?,
                _ => return Err(format!("no option {word:?}").into()),
            }
        }
        let answer = query::select(&self.store, &query, &self.limits, &no_timeout(), &|| false)?;
        let lines = answer
            .streams
            .iter()
            .flat_map(|stream| stream.entries.iter().map(|entry| format!("{} {}", stream.labels, Entry(entry))));
        Ok(or_nothing(lines.chain(answer.warnings.iter().map(|warning| format!("warning: {warning}"))).collect()))
    }

    fn measure(&self, expr: &MetricExpr, times: Times) -> Result<Vec<String>> {
        let clock = query::clock();
        let query = MetricQuery { expr, times, clock: &clock, may_be_partial: false };
        let answer = query::measure(&self.store, &query, &self.limits, &no_timeout(), &|| false)?;
        let of_series = |series: &Series, sample: &dyn Fn(&Sample) -> String| {
            let samples: Vec<_> = series.samples.iter().map(sample).collect();
            format!("{} {}", series.labels, samples.join(" "))
        };
        let value = |sample: &Sample| number(sample.value);
        let value_at =
            |sample: &Sample| format!("{}:{}", seconds(sample.timestamp_ms * 1_000_000), number(sample.value));
        let mut lines: Vec<String> = match &answer.value {
            MetricValue::Scalar(sample) => vec![value(sample)],
            MetricValue::Vector(vector) => vector.iter().map(|series| of_series(series, &value)).collect(),
            MetricValue::Matrix(matrix) => matrix.iter().map(|series| of_series(series, &value_at)).collect(),
        };
        lines.extend(answer.warnings.iter().map(|warning| format!("warning: {warning}")));
        Ok(or_nothing(lines))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A directory that stays behind is in the way of nobody.
        let _ = self.store.close();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A new store, without what the directory held before.
fn open(directory: &Path) -> Store {
    let _ = fs::remove_dir_all(directory);
    Store::open(Options { free_disk_min: None, retention: None, ..Options::new(directory) }).unwrap()
}

/// For queries that no clock must end.
fn no_timeout() -> Cancel {
    Cancel::after(Duration::MAX)
}

fn or_nothing(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec![NOTHING.to_owned()] } else { lines }
}

/// The time after `at`, or the default, and the query.
fn at_time(rest: &str) -> Result<(i64, &str)> {
    let (time, text) = match rest.strip_prefix("at ") {
        Some(rest) => rest.split_once(' ').ok_or("say `at TIME QUERY`")?,
        None => (INSTANT_DEFAULT, rest),
    };
    Ok((time_ns(time)?, text))
}

/// Reads a time of a script: seconds, perhaps with a fraction.
fn time_ns(text: &str) -> Result<i64> {
    let (whole, fraction) = text.trim_end_matches('s').split_once('.').unwrap_or((text.trim_end_matches('s'), ""));
    let fraction: i64 = format!("{fraction:0<9}").parse()?;
    Ok(BASE_NS + whole.parse::<i64>()? * SECOND_NS + fraction)
}

/// Writes a time as scripts have it.
fn seconds(time_ns: i64) -> String {
    let since_ns = time_ns - BASE_NS;
    let fraction = format!(".{:09}", since_ns.rem_euclid(SECOND_NS));
    format!("{}{}", since_ns.div_euclid(SECOND_NS), fraction.trim_end_matches('0').trim_end_matches('.'))
}

/// A number as answers have it.
fn number(value: f64) -> String {
    if value.is_infinite() { format!("{}Inf", if value > 0.0 { '+' } else { '-' }) } else { value.to_string() }
}

/// An entry of an answer: its time, its line, and its own labels if it was asked for by category.
struct Entry<'a>(&'a ResultEntry);

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", seconds(self.0.timestamp_ns))?;
        if let Some(own) = &self.0.categories {
            write!(f, " metadata {} parsed {}", own.structured_metadata, own.parsed)?;
        }
        let line = String::from_utf8_lossy(&self.0.line);
        let is_plain = !line.is_empty()
            && !line.starts_with('"')
            && line.trim() == line
            && !line.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER);
        if is_plain { write!(f, " {line}") } else { write!(f, " {}", serde_json::Value::from(&*line)) }
    }
}
