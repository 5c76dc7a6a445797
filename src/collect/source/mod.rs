//! Sources of lines that are no files: the journal and the syslog receiver. The collector's thread
//! waits for their descriptors, and gives each its turn in every round.

mod journal;
mod syslog;

use std::{collections::BTreeMap, os::fd::BorrowedFd, path::PathBuf, time::Duration};

pub use journal::Journal;
pub use syslog::{Part, Protocol, Syslog};

use super::{
    Rule, TimestampSource,
    batch::Batch,
    env::Now,
    identity::Mark,
    positions::Key,
    relabel,
    stage::{Due, Entries, Entry, Origin, Runner, Stage, Surroundings},
    stats::Stats,
    timestamp::{Clock, Zone},
};
use crate::labels::LabelSet;

/// Streams of these sources are told from those of files by their number, which files never reach.
const FIRST_NUMBER: u32 = 0xf000_0000;

/// A job whose lines come from no files.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceJob {
    /// Unique name; the label `job` unless `labels` has one.
    pub name: String,
    /// Labels of every stream of the job.
    pub labels: LabelSet,
    /// Which entries are left out, and how their labels are changed.
    pub relabel: Vec<Rule>,
    /// What happens to each line.
    pub stages: Vec<Stage>,
    /// IANA name of the zone of times that carry none. `None`: the host's.
    pub location: Option<String>,
    /// Skip the job while one of these paths exists.
    pub unless_exists: Vec<PathBuf>,
    /// Where the lines come from.
    pub kind: SourceKind,
}

/// Where lines come from, if not from files.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// The journal of systemd.
    Journal(Journal),
    /// What devices and programs send by the syslog protocol.
    Syslog(Syslog),
}

/// What a record brings besides its line.
pub(super) struct Record<'r> {
    pub(super) line: &'r [u8],
    /// Nanoseconds since 1970; `None`: the time of reading.
    pub(super) time_ns: Option<i64>,
    /// Labels of its stream.
    pub(super) labels: &'r [(&'r str, &'r str)],
    /// Stored with the entry.
    pub(super) metadata: Vec<(String, String)>,
    /// What only rules see: names that begin with `__`.
    pub(super) internal: &'r [(String, String)],
    /// It was stored before.
    pub(super) again: bool,
}

/// The way from records to entries: the job's labels, rules and stages.
pub(super) struct Outlet {
    labels: LabelSet,
    relabel: Vec<Rule>,
    runner: Runner,
    clock: Clock,
    job: String,
}

impl Outlet {
    fn new(job: &SourceJob, number: u32, everywhere: &LabelSet, options: &super::Options) -> Self {
        let mut labels = everywhere.clone();
        labels.set("job", &job.name);
        for (name, value) in job.labels.iter() {
            labels.set(name, value);
        }
        // A name that is none was refused when the configuration was read.
        let zone = job.location.as_deref().and_then(|name| Zone::named(name).ok()).unwrap_or_else(Zone::host);
        let surroundings = Surroundings { zone: &zone, line_bytes_max: options.max_line_size };
        let retention_ns = options.retention.and_then(|age| i64::try_from(age.as_nanos()).ok());
        Self {
            runner: Runner::new(&job.name, number, &job.stages, &surroundings),
            clock: Clock::new(TimestampSource::Read, zone, retention_ns),
            relabel: job.relabel.clone(),
            job: job.name.clone(),
            labels,
        }
    }

    /// Whether rules want to see all of a record.
    pub(super) fn has_rules(&self) -> bool {
        !self.relabel.is_empty()
    }

    /// Runs one record through rules and stages.
    pub(super) fn take(&mut self, record: Record<'_>, now: Now, batch: &mut Batch<'_>, stats: &mut Stats) {
        let mut entry = Entry::new(&self.labels, &mut self.clock, now);
        let bytes = record.line.len() as u64;
        entry.begin(record.line, Origin::NONE, now.wall_ns);
        entry.label(record.labels);
        entry.metadata = record.metadata;
        if let Some(ns) = record.time_ns {
            entry.give_time(ns);
        }
        let job = stats.jobs.entry(self.job.clone()).or_default();
        if !record.again {
            job.lines += 1;
            job.bytes += bytes;
        }
        if !self.relabel.is_empty() {
            let mut set = entry.label_set();
            for (name, value) in record.internal {
                set.set(name, value);
            }
            let kept = relabel::apply(&self.relabel, &mut set);
            relabel::without_internal(&mut set);
            if !kept || set.is_empty() {
                *stats.dropped_by_stage.entry((self.job.clone(), "relabel".to_owned())).or_default() += 1;
                return;
            }
            entry.take_labels(&set);
        }
        let mut out = Entries { batch, labels: &self.labels, again: record.again };
        job.entries += u64::from(self.runner.run(&mut entry, &mut out));
    }

    /// Stores what stages hold and is due; hands over what was counted.
    pub(super) fn end_turn(&mut self, now: Now, batch: &mut Batch<'_>, stats: &mut Stats) {
        let before = self.clock.stats();
        if self.runner.deadline().is_some_and(|due| due <= now.elapsed) {
            let mut entry = Entry::new(&self.labels, &mut self.clock, now);
            let mut out = Entries { batch, labels: &self.labels, again: false };
            let entries = self.runner.release(Due::At(now.elapsed), &mut entry, &mut out);
            stats.jobs.entry(self.job.clone()).or_default().entries += entries;
        }
        self.runner.count(stats);
        stats.jobs.entry(self.job.clone()).or_default().add_stamps(before, self.clock.stats());
    }

    /// Whether stages hold something back.
    pub(super) fn holds(&self) -> bool {
        self.runner.deadline().is_some()
    }

    /// When something that is held is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.runner.deadline()
    }
}

/// One source at work.
enum Source {
    Journal(Box<journal::Reader>),
    Syslog(Box<syslog::Receiver>),
}

/// A source with the job it serves.
struct Running {
    job: SourceJob,
    source: Source,
}

/// All sources that are no files.
#[derive(Default)]
pub(super) struct Sources {
    running: Vec<Running>,
    next_number: u32,
    /// Where the journal was read up to, by job.
    cursors: BTreeMap<String, Vec<u8>>,
}

impl Sources {
    /// None yet; `cursors` are the stored places in the journal.
    pub(super) fn new(cursors: BTreeMap<String, Vec<u8>>) -> Self {
        Self { running: Vec::new(), next_number: FIRST_NUMBER, cursors }
    }

    /// Starts and ends sources, so that they are those of the options. One that stays as it is goes on.
    pub(super) fn reload(&mut self, options: &super::Options, now: Now) {
        let mut before = std::mem::take(&mut self.running);
        for job in &options.sources {
            if let Some(path) = job.unless_exists.iter().find(|path| path.exists()) {
                log::info!("job {} is off, because {} exists", job.name, path.display());
                continue;
            }
            if let Some(at) = before.iter().position(|running| running.job == *job) {
                self.running.push(before.remove(at));
                continue;
            }
            // What has the same address must let go of it first.
            before.retain(|running| running.job.name != job.name);
            let outlet = Outlet::new(job, self.next_number, &options.labels, options);
            self.next_number = self.next_number.wrapping_add(1).max(FIRST_NUMBER);
            let source = match &job.kind {
                SourceKind::Journal(journal) => {
                    let pipeline = Mark::of(format!("{:?}", (&job.stages, &job.relabel)).as_bytes()).hash;
                    let stored = self.cursors.get(&job.name).map_or(&[][..], Vec::as_slice);
                    let reader = journal::Reader::new(&job.name, journal, outlet, pipeline, stored, now);
                    Source::Journal(Box::new(reader))
                }
                SourceKind::Syslog(syslog) => {
                    match syslog::Receiver::new(&job.name, syslog, outlet, job.location.as_deref()) {
                        Ok(receiver) => Source::Syslog(Box::new(receiver)),
                        Err(error) => {
                            log::error!("job {}: cannot listen on {}: {error}", job.name, syslog.listen_address);
                            continue;
                        }
                    }
                }
            };
            self.running.push(Running { job: job.clone(), source });
        }
    }

    /// What becomes readable when one has something.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.running
            .iter()
            .flat_map(|running| match &running.source {
                Source::Journal(reader) => reader.descriptor().into_iter().collect(),
                Source::Syslog(receiver) => receiver.descriptors(),
            })
            .collect()
    }

    /// When one has to be looked at although nothing came.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let of = |running: &Running| match &running.source {
            Source::Journal(reader) => reader.deadline(),
            Source::Syslog(receiver) => receiver.deadline(),
        };
        self.running.iter().filter_map(of).min()
    }

    /// Takes what came, a bounded part of it from each.
    pub(super) fn turn(&mut self, now: Now, batch: &mut Batch<'_>, stats: &mut Stats) {
        for Running { job, source } in &mut self.running {
            match source {
                Source::Journal(reader) => {
                    if let Some(cursor) = reader.turn(now, batch, stats) {
                        batch.outgoing.positions.insert(Key::Cursor(job.name.clone()).encode(), Some(cursor.clone()));
                        self.cursors.insert(job.name.clone(), cursor);
                    }
                }
                Source::Syslog(receiver) => receiver.turn(now, batch, stats),
            }
        }
    }

    /// What is read, for the line that says so.
    pub(super) fn summary(&self) -> Vec<String> {
        let of = |running: &Running| match &running.source {
            Source::Journal(_) => format!("job {} reads the journal", running.job.name),
            Source::Syslog(receiver) => format!("job {} listens on {}", running.job.name, receiver.address()),
        };
        self.running.iter().map(of).collect()
    }
}
