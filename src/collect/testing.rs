//! What the room's tests share: options with short times, and a sink in memory that forgets and fails
//! on demand.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    rc::Rc,
    time::Duration,
};

use super::{Encoding, Job, LongLines, Options, StartAt, TimestampSource, Watch, scratch::Scratch, sink::Sink};
use crate::ingest::Stored;
use crate::labels::LabelSet;
use crate::store::{Append, Error};

/// A job with the defaults of the configuration.
pub(super) fn job(name: &str, paths: &[String]) -> Job {
    Job {
        name: name.into(),
        paths: paths.to_vec(),
        exclude: Vec::new(),
        default_excludes: true,
        hidden: false,
        labels: LabelSet::default(),
        encoding: Encoding::Utf8,
        binary_as_text: false,
        start_at: StartAt::Beginning,
        ignore_older: None,
        backlog_limit: None,
        timestamp: TimestampSource::Read,
        location: Some("UTC".into()),
        watch: Watch::Auto,
        drop_empty: false,
        allow_overlap: false,
        path_labels: None,
        container: None,
        relabel: Vec::new(),
        stages: Vec::new(),
        unless_exists: Vec::new(),
    }
}

/// Options with one job named `j` per pattern, relative to the scratch directory.
pub(super) fn options(scratch: &Scratch, patterns: &[&str]) -> Options {
    let paths: Vec<String> = patterns.iter().map(|p| scratch.path(p).to_string_lossy().into_owned()).collect();
    Options {
        jobs: if paths.is_empty() { Vec::new() } else { vec![job("j", &paths)] },
        sources: Vec::new(),
        labels: LabelSet::default(),
        rescan: Duration::from_mins(1),
        poll_interval: Duration::from_millis(250),
        poll_interval_max: Duration::from_secs(10),
        coalesce: Duration::from_millis(100),
        partial_flush: Duration::from_secs(30),
        rotate_wait: Duration::from_mins(1),
        max_line_size: 256 * 1024,
        max_line_action: LongLines::Truncate,
        max_open_files: 512,
        max_files: 10_000,
        backlog_rate: None,
        retention: None,
        store_path: scratch.path("data"),
    }
}

/// What a sink holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// File name and line, in order of appending.
    pub(super) lines: Vec<(String, String)>,
    pub(super) positions: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A store in memory. Its clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    held: Rc<RefCell<Held>>,
    durable: Rc<RefCell<Held>>,
    /// So many calls fail from now on.
    pub(super) failing: Rc<Cell<u32>>,
    /// Appends that were taken.
    pub(super) appends: Rc<Cell<u64>>,
}

impl Memory {
    /// The lines of one file, or of all.
    pub(super) fn lines(&self, name: Option<&str>) -> Vec<String> {
        let held = self.held.borrow();
        held.lines
            .iter()
            .filter(|(file, _)| name.is_none_or(|name| file == name))
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// The files of all lines, in order.
    pub(super) fn names(&self) -> Vec<String> {
        self.held.borrow().lines.iter().map(|(file, _)| file.clone()).collect()
    }

    /// Loses what was not committed, as a power cut does.
    pub(super) fn lose(&self) {
        *self.held.borrow_mut() = self.durable.borrow().clone();
    }

    /// Forgets one position or all, as damage does.
    pub(super) fn positions_mut(&self, change: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        change(&mut self.held.borrow_mut().positions);
    }

    fn fail(&self) -> Result<(), Error> {
        let left = self.failing.get();
        if left == 0 {
            return Ok(());
        }
        self.failing.set(left - 1);
        let source = io::Error::from(io::ErrorKind::StorageFull);
        Err(Error::Io { action: "write", path: "wal".into(), source })
    }
}

impl Stored for Memory {
    fn streams(&self) -> u64 {
        0
    }

    fn newest_ns(&self, _: &LabelSet) -> Option<i64> {
        None
    }
}

impl Sink for Memory {
    fn append(&self, append: &Append) -> Result<(), Error> {
        self.fail()?;
        assert!(!append.drop_duplicates);
        let mut held = self.held.borrow_mut();
        for stream in &append.streams {
            let path = stream.labels.get("filename").unwrap();
            let name = path.rsplit('/').next().unwrap().to_owned();
            for at in 0..stream.entries.len() {
                held.lines.push((name.clone(), String::from_utf8(stream.entries.line(at).to_vec()).unwrap()));
            }
        }
        for (key, value) in &append.positions {
            match value {
                Some(value) => drop(held.positions.insert(key.clone(), value.clone())),
                None => drop(held.positions.remove(key)),
            }
        }
        self.appends.set(self.appends.get() + 1);
        Ok(())
    }

    fn commit(&self) -> Result<(), Error> {
        self.fail()?;
        *self.durable.borrow_mut() = self.held.borrow().clone();
        Ok(())
    }

    fn positions(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.held.borrow().positions.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}
