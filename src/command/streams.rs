//! `narvi labels`, `narvi series` and `narvi stats`: which streams there are, and how much is in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, Write},
};

use narvi::client::statistics_text;

use super::{
    arguments::{Arguments, Flag, Group, Subcommand},
    connection::{self, Failure, QUIET, TIMEZONE},
};

const ANALYZE: Flag = Flag::switch("analyze-labels", "how many values each label has, and in how many streams");
const COMMON: Group = Group { explained_by: "", flags: &[QUIET, TIMEZONE] };

pub(super) const LABELS: Subcommand = Subcommand {
    name: "labels",
    operand: "[LABEL]",
    about: "names of labels, or the values of one",
    flags: &[connection::TIME, COMMON, connection::CONNECTION],
    notes: "",
    run: |arguments| connection::finish(labels(arguments)),
};

pub(super) const SERIES: Subcommand = Subcommand {
    name: "series",
    operand: "SELECTOR",
    about: "the label sets of streams",
    flags: &[connection::TIME, Group { explained_by: "", flags: &[ANALYZE] }, COMMON, connection::CONNECTION_BRIEF],
    notes: "The selector {} stands for all streams.\n",
    run: |arguments| connection::finish(series(arguments)),
};

pub(super) const STATS: Subcommand = Subcommand {
    name: "stats",
    operand: "SELECTOR",
    about: "how many streams, chunks, entries and bytes",
    flags: &[connection::TIME, COMMON, connection::CONNECTION_BRIEF],
    notes: "",
    run: |arguments| connection::finish(stats(arguments)),
};

fn labels(arguments: &Arguments) -> Result<(), Failure> {
    let range = connection::range(arguments, &connection::zone(arguments)?)?;
    let mut labels = connection::api(arguments)?.labels(&arguments.operand("LABEL")?, range)?;
    labels.sort();
    print(&labels.iter().flat_map(|label| [label, "\n"]).collect::<String>())
}

fn series(arguments: &Arguments) -> Result<(), Failure> {
    let range = connection::range(arguments, &connection::zone(arguments)?)?;
    let selector = arguments.operand("SELECTOR")?;
    let mut series = connection::api(arguments)?.series(&selector, range)?;
    if !arguments.has(ANALYZE.long) {
        let mut lines: Vec<String> = series.iter().map(|labels| format!("{labels}\n")).collect();
        lines.sort();
        return print(&lines.concat());
    }
    let mut labels: BTreeMap<String, (BTreeSet<String>, usize)> = BTreeMap::new();
    for (name, value) in series.iter_mut().flat_map(|labels| labels.iter()) {
        let (values, streams) = labels.entry(name.to_owned()).or_default();
        values.insert(value.to_owned());
        *streams += 1;
    }
    let mut rows: Vec<_> = labels.into_iter().map(|(name, (values, streams))| (name, values.len(), streams)).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max("Label Name".len());
    let mut text = format!(
        "Total Streams:  {}\nUnique Labels:  {}\n\n{:<width$}  Unique Values  Found In Streams\n",
        series.len(),
        rows.len(),
        "Label Name"
    );
    for (name, values, streams) in rows {
        // A String takes everything that is written to it.
        let _ = writeln!(text, "{name:<width$}  {values:<13}  {streams}");
    }
    print(&text)
}

fn stats(arguments: &Arguments) -> Result<(), Failure> {
    let range = connection::range(arguments, &connection::zone(arguments)?)?;
    let stats = connection::api(arguments)?.stats(&arguments.operand("SELECTOR")?, range)?;
    print(&statistics_text(&stats))
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}
