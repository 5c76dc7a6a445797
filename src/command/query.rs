//! `narvi query` and `narvi instant-query`: what logcli does, with its flags.

use std::io::{self, IsTerminal, Write};

use narvi::client::{
    Api, Entry, Format, Labels, Mode, Outcome, Pages, Printer, metric_text, parse_time, statistics_text,
};

use super::{
    arguments::{self, Arguments, Flag, Group, Subcommand},
    connection::{self, Failure, QUIET, TIMEZONE, number},
    say, tail,
};

/// Entries that logcli prints unless it is told otherwise, and asks for at once.
const LIMIT_DEFAULT: u64 = 30;
const BATCH_DEFAULT: u64 = 1000;

/// `--limit`
pub(super) const LIMIT: Flag = Flag::with("limit", "N", "entries at most, 0 for all; default 30");
const BATCH: Flag = Flag::with("batch", "N", "entries to ask for at once; default 1000");
const STEP: Flag = Flag::with("step", "SPAN", "between the values of a metric");
const FORWARD: Flag = Flag::switch("forward", "oldest first");
const INSTANT: Flag = Flag::switch("instant", "a metric's value at one time, --to");
const NOW: Flag = Flag::with("now", "TIME", "the time of an instant query; default now");
const OUTPUT: Flag = Flag {
    choices: &["default", "raw", "jsonl"],
    ..Flag::with("output", "MODE", "default: time, labels, line; raw: the line; jsonl: JSON").short('o')
};
const NO_LABELS: Flag = Flag::switch("no-labels", "no labels");
const INCLUDE_LABEL: Flag =
    Flag { repeats: true, ..Flag::with("include-label", "NAME", "only these labels; repeatable") };
const EXCLUDE_LABEL: Flag =
    Flag { repeats: true, ..Flag::with("exclude-label", "NAME", "not these labels; repeatable") };
const COMMON_LABELS: Flag = Flag::switch("include-common-labels", "also the labels that all entries have");
const LABELS_LENGTH: Flag = Flag::with("labels-length", "N", "columns for the labels");
const TIMESTAMP_FORMAT: Flag = Flag {
    choices: &["rfc3339", "rfc3339nano"],
    ..Flag::with("output-timestamp-format", "FORM", "rfc3339 (default) or rfc3339nano")
};
const COLORED: Flag = Flag::switch("colored-output", "colours also where there is no terminal");
const STATS: Flag = Flag::switch("stats", "what the query cost, on standard error");
const TAIL: Flag = Flag { aliases: &["follow"], ..Flag::switch("tail", "follow, as narvi tail does").short('t') };

/// How entries are written, for whatever prints some.
pub(super) const FORMAT_FLAGS: &[Flag] =
    &[OUTPUT, QUIET, NO_LABELS, INCLUDE_LABEL, EXCLUDE_LABEL, LABELS_LENGTH, TIMEZONE, TIMESTAMP_FORMAT, COLORED];

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "query",
    operand: "QUERY",
    about: "entries or values over a time",
    flags: &[
        connection::TIME,
        Group { explained_by: "", flags: &[LIMIT, BATCH, FORWARD, STEP, INSTANT, STATS, COMMON_LABELS, TAIL] },
        Group { explained_by: "", flags: FORMAT_FLAGS },
        connection::CONNECTION_BRIEF,
    ],
    notes: "",
    run: |arguments| connection::finish(query(arguments, arguments.has(INSTANT.long))),
};

pub(super) const INSTANT_SUBCOMMAND: Subcommand = Subcommand {
    name: "instant-query",
    operand: "QUERY",
    about: "a metric's value at one time",
    flags: &[
        Group { explained_by: "", flags: &[NOW, LIMIT, FORWARD, STATS, COMMON_LABELS] },
        Group { explained_by: "", flags: FORMAT_FLAGS },
        connection::CONNECTION_BRIEF,
    ],
    notes: "",
    run: |arguments| connection::finish(query(arguments, true)),
};

fn query(arguments: &Arguments, is_instant: bool) -> Result<(), Failure> {
    if arguments.has(TAIL.long) {
        return tail::tail(arguments);
    }
    let zone = connection::zone(arguments)?;
    let query = arguments.operand("QUERY")?;
    let forward = arguments.has(FORWARD.long);
    let limit = arguments.read(&LIMIT, number)?.unwrap_or(LIMIT_DEFAULT);
    let mut output = Output::new(arguments)?;
    let api = connection::api(arguments)?;
    if is_instant {
        let time = arguments.read(&NOW, |text| parse_time(text, &zone))?;
        let time_ns = time.map_or_else(|| connection::range(arguments, &zone).map(|range| range.end_ns), Ok)?;
        let direction = if forward { "FORWARD" } else { "BACKWARD" };
        let params = [
            ("query", query),
            ("limit", limit.to_string()),
            ("time", time_ns.to_string()),
            ("direction", direction.to_owned()),
        ];
        let path = "/loki/api/v1/query";
        output.say_url(&api, path, &params);
        let (outcome, statistics) = api.query(path, &params, forward)?;
        output.outcome(&outcome)?;
        output.statistics(&statistics);
        return Ok(output.printer.flush()?);
    }
    let range = connection::range(arguments, &zone)?;
    let batch = arguments.read(&BATCH, |text| {
        number(text).and_then(|batch: u64| if batch == 0 { Err("must be more than 0".to_owned()) } else { Ok(batch) })
    })?;
    let step = arguments.text(&STEP)?;
    let mut pages = Pages::new(&api, &query, range, forward, limit, batch.unwrap_or(BATCH_DEFAULT), step);
    let (path, params) = pages.question();
    output.say_url(&api, path, &params);
    while let Some((outcome, statistics)) = pages.next_page()? {
        output.outcome(&outcome)?;
        output.statistics(&statistics);
    }
    Ok(output.printer.flush()?)
}

/// Where answers go: standard output, with remarks on standard error.
pub(super) struct Output {
    pub(super) printer: Printer<io::StdoutLock<'static>>,
    mode: Mode,
    is_quiet: bool,
    has_statistics: bool,
    /// The common labels that were told last.
    common: String,
}

impl Output {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, arguments::Error> {
        let mode = match arguments.text(&OUTPUT)?.as_deref() {
            Some("raw") => Mode::Raw,
            Some("jsonl") => Mode::JsonLines,
            _ => Mode::Default,
        };
        let format = Format {
            mode,
            zone: connection::zone(arguments)?,
            nanoseconds: arguments.text(&TIMESTAMP_FORMAT)?.is_some_and(|form| form == "rfc3339nano"),
            has_colors: connection::has_colors() || arguments.has(COLORED.long),
            is_terminal: io::stdout().is_terminal(),
            labels: Labels {
                are_hidden: arguments.has(NO_LABELS.long),
                included: arguments.texts(INCLUDE_LABEL.long)?,
                excluded: arguments.texts(EXCLUDE_LABEL.long)?,
                columns: arguments.read(&LABELS_LENGTH, number)?.unwrap_or(0),
                shows_common: arguments.has(COMMON_LABELS.long),
            },
        };
        Ok(Self {
            printer: Printer::new(io::stdout().lock(), format),
            mode,
            is_quiet: arguments.has(QUIET.long),
            has_statistics: arguments.has(STATS.long),
            common: String::new(),
        })
    }

    fn say_url(&self, api: &Api, path: &str, params: &[(&str, String)]) {
        if !self.is_quiet {
            say(&api.url_of(path, params));
        }
    }

    fn outcome(&mut self, outcome: &Outcome) -> io::Result<()> {
        match outcome {
            Outcome::Entries(entries) => self.entries(entries),
            Outcome::Metric(result) => self.printer.text(&metric_text(result, self.mode)),
        }
    }

    fn entries(&mut self, entries: &[Entry]) -> io::Result<()> {
        let common = self.printer.page(entries)?.map(|labels| labels.to_string()).unwrap_or_default();
        if !self.is_quiet && !common.is_empty() && common != self.common {
            // Remarks stand above what they are about.
            say(&format_args!("Common labels: {common}"));
        }
        self.common = common;
        Ok(())
    }

    fn statistics(&self, statistics: &serde_json::Value) {
        if self.has_statistics {
            drop(io::stderr().write_all(statistics_text(statistics).as_bytes()));
        }
    }
}
