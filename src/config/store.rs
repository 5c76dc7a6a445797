//! The section `[store]`: where the streams are kept, for how long, and how often they reach the disk.

use std::path::PathBuf;

use toml::{Spanned, de::DeValue};

use super::{
    keys::{Key, Kind, NO_LIMIT, Zero, duration, duration_up_to, size},
    report::Problem,
    section::{Section, Text},
    units,
};
use crate::store::{FreeDisk, Options};

pub(super) const KEYS: &[Key] = &[
    Key::shown("path", Kind::Text, r#""/var/lib/narvi""#, "not as root: $XDG_STATE_HOME/narvi or ~/.local/state/narvi"),
    Key::new("retention", duration(1000, Zero::Means("for ever")), r#""30d""#, "how long entries are kept"),
    Key::new("retention_size", size(1 << 20, NO_LIMIT), r#""1GiB""#, "the oldest go when the store is larger"),
    Key::new("free_disk_min", Kind::Text, r#""5%""#, "left free on the disk, a part or a size; \"0\": no limit"),
    Key::new(
        "head_memory",
        size(64 << 10, Zero::Refused),
        r#""16MiB""#,
        "memory for the newest entries of all streams",
    ),
    Key::new(
        "commit_interval",
        duration_up_to(3600, Zero::Means("before each push is answered")),
        r#""5s""#,
        "when new entries reach the disk; longer is kinder to flash",
    ),
    Key::new(
        "max_chunk_age",
        duration(1000, Zero::Refused),
        r#""2h""#,
        "after this entries leave memory for a block on disk",
    ),
];

/// Reads `[store]`. Without a path in the file and without a default place the path is empty.
pub(super) fn read(section: &Section<'_>, tail_queue_max: usize) -> Options {
    let path = section.parsed("path", parse_path).or_else(|| section.document.environment.default_store());
    Options {
        path: path.unwrap_or_default(),
        commit_interval: section.duration("commit_interval"),
        head_memory: section.size("head_memory"),
        max_chunk_age: section.duration("max_chunk_age"),
        retention: section.duration_or_off("retention"),
        retention_size: section.size_or_off("retention_size"),
        free_disk_min: section.read("free_disk_min", |value| parse_free_disk(section, value)).flatten(),
        tail_queue_max,
    }
}

fn parse_path(text: &Text) -> Result<PathBuf, Problem> {
    if !text.value.starts_with('/') {
        let what = format!("`{}` is not an absolute path", text.value);
        return Err(Problem::error(text.span.clone(), what)
            .hint("the service has no directory of its own to start from; write it from /"));
    }
    match text.value.find('\0') {
        Some(at) => Err(Problem::error(text.part(at..at + 1), "a path cannot hold a NUL")),
        None => Ok(PathBuf::from(&text.value)),
    }
}

/// A percentage or a size; zero of either is no limit.
fn parse_free_disk(section: &Section<'_>, value: &Spanned<DeValue<'_>>) -> Result<Option<FreeDisk>, Problem> {
    let text = section.number_or_text(value, "a part of the disk or a size, as in \"5%\" or \"1GiB\"")?;
    let unreadable = |what: String| Problem::error(text.span.clone(), what).hint("write it as in \"5%\" or \"1GiB\"");
    if let Some(number) = text.value.strip_suffix('%') {
        let percent = number.trim_end().parse::<f64>().ok().filter(|percent| (0.0..=90.0).contains(percent));
        let percent =
            percent.ok_or_else(|| unreadable(format!("`{}` is not a part of the disk from 0% to 90%", text.value)))?;
        return Ok((percent > 0.0).then_some(FreeDisk::Percent(percent)));
    }
    let bytes = units::parse_size(&text.value).map_err(|error| unreadable(error.what))?;
    Ok((bytes > 0).then_some(FreeDisk::Bytes(bytes)))
}
