//! A follower: reads what is written under one name, through all files that the name leads to in the
//! course of time, each of them to its end and the older before the newer.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Options, Watch,
    batch::{Batch, key},
    container,
    decode::Charset,
    env::Env,
    generation::{Generation, Outcome, Place, Reading},
    identity::Verdict,
    job::Prepared,
    lines::{End, Framing, LineCounts, LineState, Piece},
    meta::{FileId, Meta},
    open::{denied, open_log},
    positions::BootId,
    sieve::Content,
    stage::{Due, Entries, Entry, Origin, Runner, Surroundings},
    stats::JobStats,
    timestamp::Clock,
    watch::is_remote,
};
use crate::labels::LabelSet;

/// First and longest wait after a file could not be read.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_mins(1);
/// Truncations that one turn goes along with; a file that is rewritten all the time waits for its next turn.
const TRUNCATIONS_MAX: u32 = 8;

/// Reads what is written under one name.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) id: u32,
    pub(super) path: PathBuf,
    /// Index of its job.
    pub(super) job: usize,
    /// The job's name if it takes files that an earlier job has as well, else empty.
    pub(super) scope: String,
    pub(super) labels: LabelSet,
    /// Tells the job's stages from others.
    pub(super) pipeline: u64,
    /// When what lies beside a container's log was last changed.
    container_ns: i64,
    /// The job's stages, if it has any.
    runner: Option<Runner>,
    clock: Clock,
    last_stamp_ns: Option<i64>,
    /// The oldest first; the last is the live one, if there is one.
    pub(super) generations: Vec<Generation>,
    /// Why the live file may not be read, and how that would change.
    pub(super) unreadable: Option<String>,
    /// A stage made it wait when it was to be read.
    waits_for_limit: bool,
    /// When to try again after an error, and how long to wait after the next one.
    retry: Option<(Duration, Duration)>,
    /// Why the limits refuse its stream, if they do.
    pub(super) refused: Option<String>,
}

impl Follower {
    /// A follower of no file yet.
    pub(super) fn new(id: u32, path: PathBuf, scope: String, job: usize, env: &Env<'_>) -> Self {
        let prepared = &env.jobs[job];
        Self {
            id,
            labels: prepared.labels_of(&path).unwrap_or_default(),
            pipeline: prepared.pipeline,
            container_ns: container_ns(prepared, &path),
            runner: runner(prepared, id, env.options),
            clock: clock(prepared, env.options),
            path,
            job,
            scope,
            last_stamp_ns: None,
            generations: Vec::new(),
            unreadable: None,
            waits_for_limit: false,
            retry: None,
            refused: None,
        }
    }

    /// Goes over to a job, which may be the present one with other options.
    pub(super) fn go_to_job(&mut self, job: usize, jobs: &[Prepared], options: &Options) {
        self.job = job;
        self.labels = jobs[job].labels_of(&self.path).unwrap_or_default();
        self.clock = clock(&jobs[job], options);
        self.refused = None;
        if jobs[job].pipeline != std::mem::replace(&mut self.pipeline, jobs[job].pipeline) {
            self.runner = runner(&jobs[job], self.id, options);
            self.generations.iter_mut().for_each(Generation::go_back);
        }
    }

    /// Takes other labels, if the container that writes the file was renamed.
    pub(super) fn look_beside(&mut self, jobs: &[Prepared]) {
        let changed_ns = container_ns(&jobs[self.job], &self.path);
        if changed_ns != self.container_ns {
            self.container_ns = changed_ns;
            self.labels = jobs[self.job].labels_of(&self.path).unwrap_or_default();
        }
    }

    /// The generation that some file is.
    pub(super) fn generation_of(&self, id: &FileId, boot: &BootId) -> Option<usize> {
        self.generations.iter().position(|generation| generation.is(id, boot))
    }

    /// Bytes that were seen and not read.
    pub(super) fn lag(&self) -> u64 {
        self.generations.iter().filter(|generation| generation.file.is_some()).map(Generation::lag).sum()
    }

    /// Looks at the size of each open file; returns the unread bytes.
    pub(super) fn measure(&mut self) -> u64 {
        let mut lag = 0;
        for generation in &self.generations {
            let size =
                generation.file.as_ref().map_or(Ok(generation.size), |file| Meta::of_file(file).map(|meta| meta.size));
            lag += size.unwrap_or(0).saturating_sub(generation.progress.position);
        }
        lag
    }

    /// Reads at most one quantum. Returns whether there is more.
    pub(super) fn turn(&mut self, env: &mut Env<'_>, batch: &mut Batch<'_>) -> bool {
        if self.retry.is_some_and(|(at, _)| at > env.now.elapsed) || self.is_paused(env.now.elapsed) {
            return false;
        }
        let (mut at, mut truncations, mut more, mut failed) = (0, 0, false, false);
        while at < self.generations.len() {
            match self.turn_of(at, env, batch) {
                Ok(Outcome::AtEnd) => {
                    self.retire(at, env, batch);
                    at += 1;
                }
                Ok(Outcome::Binary) => {
                    self.set_aside(at, env);
                    at += 1;
                }
                Ok(Outcome::Rearranged) => at = 0,
                Ok(Outcome::Truncated) if truncations < TRUNCATIONS_MAX => {
                    truncations += 1;
                    self.release(Due::Generation(self.generations[at].number), env, batch);
                    self.truncated(at, env);
                    at = 0; // copies may have been put before it
                }
                Ok(Outcome::More | Outcome::Truncated) => {
                    more = true;
                    break;
                }
                Err(error) => {
                    self.fail(at, &error, env);
                    failed = true;
                    at += 1;
                }
            }
        }
        if !failed {
            self.retry = None;
        }
        if !more && self.runner.as_ref().and_then(Runner::deadline).is_some_and(|due| due <= env.now.elapsed) {
            self.release(Due::At(env.now.elapsed), env, batch);
        }
        self.note_held();
        // Of a name that the store knows, what is rotated away while we are down is found again. So a new
        // name is made known at once.
        let is_known = self.generations.iter().any(|generation| generation.stored);
        env.outgoing.commit |= !is_known && self.generations.iter().any(|generation| generation.moved);
        for generation in &mut self.generations {
            if std::mem::take(&mut generation.moved) {
                generation.stored = true;
                let (key, value) = generation.position(&self.scope, &self.path, self.pipeline);
                env.outgoing.positions.insert(key, value);
            }
        }
        more
    }

    /// When the follower has to be looked at although nothing happened.
    pub(super) fn deadline(&self, options: &Options) -> Option<Duration> {
        let of = |generation: &Generation| {
            generation.file.as_ref()?;
            let waits_for_newline =
                generation.lag() > 0 && !generation.fragment_tried && !options.partial_flush.is_zero();
            let fragment = waits_for_newline.then(|| generation.grown_at + options.partial_flush);
            let retirement = match generation.place {
                Place::Rotated { since, .. } => Some(since.max(generation.grown_at) + options.rotate_wait),
                _ => None,
            };
            [fragment, retirement].into_iter().flatten().min()
        };
        if let Some((at, _)) = self.retry {
            return Some(at);
        }
        let runner = self.runner.as_ref();
        if let Some(until) = runner.and_then(Runner::pause).filter(|_| self.waits_for_limit) {
            return Some(until);
        }
        self.generations.iter().filter_map(of).chain(runner.and_then(Runner::deadline)).min()
    }

    /// When a file that no watch covers is to be looked at.
    pub(super) fn poll_due(&self) -> Option<Duration> {
        self.generations.iter().filter_map(|generation| Some(generation.poll?.0)).min()
    }

    /// Looks at the files that no watch covers. Returns whether one changed.
    pub(super) fn poll(&mut self, env: &mut Env<'_>) -> bool {
        let now = env.now.elapsed;
        let mut changed = false;
        for generation in &mut self.generations {
            let Some((due, interval)) = generation.poll else {
                continue;
            };
            if due > now {
                continue;
            }
            let seen = match (&generation.file, generation.place) {
                // By path, because that makes a network file system ask its server.
                (_, Place::Named) => Meta::of(&self.path),
                (Some(file), _) => Meta::of_file(file),
                (None, _) => {
                    generation.poll = None;
                    continue;
                }
            };
            let is_quiet = match seen {
                Ok(meta) if meta.id.inode != generation.id.inode => {
                    *env.rescan = true;
                    false
                }
                Ok(meta) => meta.size == generation.size && meta.modified_ns == generation.modified_ns,
                Err(_) => {
                    *env.rescan = true;
                    true
                }
            };
            changed |= !is_quiet;
            generation.awake |= !is_quiet;
            let interval = if is_quiet { interval * 2 } else { env.options.poll_interval };
            let interval = interval.min(env.options.poll_interval_max).max(Duration::from_millis(1));
            // All polls come together at multiples of the shortest interval.
            let step = env.options.poll_interval.as_nanos().max(1_000_000);
            let next = (now + interval).as_nanos().div_ceil(step) * step;
            generation.poll = Some((Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX)), interval));
        }
        changed
    }

    fn turn_of(&mut self, at: usize, env: &mut Env<'_>, batch: &mut Batch<'_>) -> io::Result<Outcome> {
        let generation = &mut self.generations[at];
        let awake = std::mem::take(&mut generation.awake);
        if matches!(generation.place, Place::Unknown | Place::Missing) {
            return Ok(Outcome::AtEnd);
        }
        if generation.file.is_none() {
            if !awake || matches!(generation.content, Content::Binary { .. }) {
                return Ok(Outcome::AtEnd);
            }
            if let Some(outcome) = self.open(at, env)? {
                return Ok(outcome);
            }
        }
        if self.continue_copy(at, env)? || self.find_unread_copies(at, env)? {
            return Ok(Outcome::Rearranged);
        }
        let outcome = self.read(at, End::Open, env, batch)?;
        let generation = &mut self.generations[at];
        let read = matches!(outcome, Outcome::AtEnd | Outcome::More);
        if read && matches!(generation.place, Place::Rotated { .. }) && !generation.read_since_rotated {
            generation.read_since_rotated = true;
            generation.moved = true;
        }
        let quiet = env.now.elapsed.saturating_sub(generation.grown_at);
        let flush = env.options.partial_flush;
        if outcome == Outcome::AtEnd
            && generation.lag() > 0
            && !generation.fragment_tried
            && !flush.is_zero()
            && quiet >= flush
        {
            generation.fragment_tried = true;
            return self.read(at, End::Quiet, env, batch);
        }
        Ok(outcome)
    }

    /// Opens the file of a generation. `Some` if there is nothing to be read from it now.
    fn open(&mut self, at: usize, env: &mut Env<'_>) -> io::Result<Option<Outcome>> {
        let generation = &self.generations[at];
        let path = if generation.place == Place::Named {
            Some(self.path.clone())
        } else {
            let same_boot = generation.boot == env.boot;
            let mut found = env.siblings.find(&self.path, &generation.id, same_boot);
            if found.is_none() {
                env.siblings.forget(); // the next rotation may have given it another name since they were listed
                found = env.siblings.find(&self.path, &generation.id, same_boot);
            }
            found.map(|sibling| sibling.path).or_else(|| generation.elsewhere.clone())
        };
        let Some(path) = path else {
            self.miss(at, env);
            return Ok(Some(Outcome::AtEnd));
        };
        let file = match open_log(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It got another name this very moment, or was deleted: the next look tells.
                *env.rescan = true;
                if generation.place != Place::Named {
                    env.siblings.forget();
                    let generation = &mut self.generations[at];
                    (generation.elsewhere, generation.awake) = (None, true);
                }
                return Ok(Some(Outcome::AtEnd));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let reason = denied(&path);
                if self.unreadable.as_ref() != Some(&reason) {
                    log::warn!("cannot read {}: {reason}", path.display());
                }
                self.unreadable = Some(reason);
                return Ok(Some(Outcome::AtEnd));
            }
            Err(error) => return Err(error),
        };
        self.unreadable = None;
        // The watch before the reading: what is appended in between wakes us.
        let watched = match env.jobs[self.job].job.watch {
            Watch::Poll => false,
            Watch::Inotify => env.watcher.watch_file(generation.number, &file),
            Watch::Auto => !is_remote(&file) && env.watcher.watch_file(generation.number, &file),
        };
        let generation = &mut self.generations[at];
        let interval = env.options.poll_interval;
        generation.poll = (!watched).then(|| (env.now.elapsed + interval, interval));
        match generation.adopt(file, &env.boot, env.now.elapsed)? {
            Verdict::Same => {}
            Verdict::TailLost => log::warn!(
                "{} is shorter than what was read of it before the host went down; going on at its end",
                self.path.display()
            ),
            Verdict::Truncated => return Ok(Some(Outcome::Truncated)),
            Verdict::Rotated | Verdict::Copied | Verdict::Replaced => {
                // The name came to lead to another file since the directory was looked at.
                env.watcher.forget_file(generation.number);
                *env.rescan = true;
                return Ok(Some(Outcome::AtEnd));
            }
        }
        if generation.place == Place::Finished {
            generation.place = Place::Rotated { since: env.now.elapsed, complete: false };
        }
        Ok(None)
    }

    fn read(&mut self, at: usize, end: End, env: &mut Env<'_>, batch: &mut Batch<'_>) -> io::Result<Outcome> {
        let prepared = &env.jobs[self.job];
        let stamps = self.clock.stats();
        let mut counts = LineCounts::default();
        let before = self.generations[at].progress.position;
        let mut reading = Reading {
            path: &self.path,
            job: &prepared.job,
            framing: Framing {
                charset: Charset::Utf8,
                line_bytes_max: env.options.max_line_size,
                long: env.options.max_line_action,
                drop_empty: prepared.job.drop_empty,
            },
            now: env.now.elapsed,
            buffers: env.buffers,
            counts: &mut counts,
            emit: &mut |_, _, _, _| {},
        };
        let generation = &mut self.generations[at];
        let mut entries = 0;
        let outcome = if let Some(runner) = &mut self.runner {
            let mut entry = Entry::new(&self.labels, &mut self.clock, env.now);
            let mut out = Entries { batch, labels: &self.labels, again: false };
            let (number, stored_to) = (generation.number, generation.stored_to);
            let mut emit = |line: &[u8], _: Piece, (offset, state): (u64, LineState), modified_ns: i64| {
                entry.begin(line, Origin { generation: number, offset, state }, modified_ns);
                out.again = offset < stored_to;
                entries += u64::from(runner.run(&mut entry, &mut out));
            };
            reading.emit = &mut emit;
            let outcome = generation.read(end, &mut reading);
            runner.count(env.stats);
            outcome
        } else {
            let (clock, last_stamp_ns) = (&mut self.clock, &mut self.last_stamp_ns);
            let (key, labels, now_ns) = (key(self.id, 0), &self.labels, env.now.wall_ns);
            let mut emit = |line: &[u8], piece: Piece, _: (u64, LineState), modified_ns: i64| {
                let stamp_ns = match (piece, *last_stamp_ns) {
                    (Piece::Further, Some(first_ns)) => Some(first_ns),
                    _ => clock.stamp(line, now_ns, modified_ns),
                };
                *last_stamp_ns = stamp_ns.or(*last_stamp_ns);
                if stamp_ns.is_some_and(|stamp_ns| batch.add(key, labels, stamp_ns, line)) {
                    entries += 1;
                }
            };
            reading.emit = &mut emit;
            generation.read(end, &mut reading)
        };
        let job: &mut JobStats = match env.stats.jobs.get_mut(&prepared.job.name) {
            Some(job) => job,
            None => env.stats.jobs.entry(prepared.job.name.clone()).or_default(),
        };
        *job += counts;
        job.bytes += self.generations[at].progress.position.saturating_sub(before);
        job.entries += entries;
        job.add_stamps(stamps, self.clock.stats());
        outcome
    }

    /// Whether a stage makes the file wait.
    fn is_paused(&mut self, now: Duration) -> bool {
        let until = self.runner.as_ref().and_then(Runner::pause);
        self.waits_for_limit = until.is_some_and(|until| until > now);
        self.waits_for_limit
    }

    /// Stores what stages hold and is due.
    fn release(&mut self, due: Due, env: &mut Env<'_>, batch: &mut Batch<'_>) {
        let Some(runner) = &mut self.runner else { return };
        let stamps = self.clock.stats();
        let mut entry = Entry::new(&self.labels, &mut self.clock, env.now);
        let mut out = Entries { batch, labels: &self.labels, again: false };
        let entries = runner.release(due, &mut entry, &mut out);
        runner.count(env.stats);
        let job = env.stats.jobs.entry(env.jobs[self.job].job.name.clone()).or_default();
        job.entries += entries;
        job.add_stamps(stamps, self.clock.stats());
    }

    /// Notes in each file where what is held begins.
    fn note_held(&mut self) {
        if let Some(runner) = &self.runner {
            for generation in &mut self.generations {
                let place = runner.held(generation.number);
                generation.moved |= generation.hold(place);
            }
        }
    }

    /// Ends a rotated generation that was quiet for long enough.
    fn retire(&mut self, at: usize, env: &mut Env<'_>, batch: &mut Batch<'_>) {
        let generation = &mut self.generations[at];
        let Place::Rotated { since, complete } = generation.place else {
            return;
        };
        if generation.file.is_none() {
            return;
        }
        if generation.unlinked {
            // If we end, nobody can read it again.
            let committed = std::mem::replace(&mut generation.committed_unlinked, true);
            env.outgoing.commit |= generation.moved || !committed;
        }
        let quiet = env.now.elapsed.saturating_sub(since.max(generation.grown_at));
        if !complete && quiet < env.options.rotate_wait {
            return;
        }
        if generation.lag() > 0 {
            match self.read(at, End::Closed, env, batch) {
                Ok(Outcome::AtEnd) => {}
                Ok(_) | Err(_) => return, // it changed after all; the next turn sees
            }
        }
        // What its lines began ends here, unless another file of this name may go on with it.
        if at + 1 == self.generations.len() || self.generations[at].unlinked {
            self.release(Due::Generation(self.generations[at].number), env, batch);
        }
        self.note_held(); // while the file is open
        let generation = &mut self.generations[at];
        let Some(file) = generation.file.take() else {
            return;
        };
        generation.poll = None;
        generation.place = Place::Finished;
        if generation.unlinked {
            env.watcher.forget_file(generation.number);
            // What had the name since then is recognised as its successor, even if nobody saw it come.
            generation.place = Place::Missing;
            generation.gone_since_ns = Some(env.now.wall_ns);
            generation.moved = true;
            env.outgoing.commit = true;
            env.outgoing.closing.push(file);
        }
    }

    /// Remembers that a file is no text.
    fn set_aside(&mut self, at: usize, env: &mut Env<'_>) {
        let generation = &mut self.generations[at];
        if let Content::Binary { reason } = &generation.content {
            log::info!("{} is not followed, it holds no text: {reason}", self.path.display());
        }
        generation.file = None;
        generation.poll = None;
        env.watcher.forget_file(generation.number);
    }

    fn fail(&mut self, at: usize, error: &io::Error, env: &mut Env<'_>) {
        env.stats.read_errors += 1;
        let wait = self.retry.map_or(RETRY_MIN, |(_, wait)| (wait * 2).min(RETRY_MAX));
        if self.retry.is_none() {
            log::warn!("cannot read {}: {error}; trying again", self.path.display());
        }
        self.retry = Some((env.now.elapsed + wait, wait));
        let generation = &mut self.generations[at];
        generation.awake = true;
        if error.raw_os_error() == Some(rustix::io::Errno::STALE.raw_os_error()) && generation.place == Place::Named {
            generation.file = None; // the server forgot the handle; the name still leads to the file
        }
    }

    /// Closes the live file, if nothing in it is unread: its watch wakes it again.
    pub(super) fn close_if_quiet(&mut self) -> bool {
        match self.generations.last_mut() {
            Some(live) if live.place == Place::Named && live.file.is_some() && live.lag() == 0 && !live.unlinked => {
                live.file = None;
                true
            }
            _ => false,
        }
    }

    /// Files held open.
    pub(super) fn open_files(&self) -> usize {
        self.generations.iter().filter(|generation| generation.file.is_some()).count()
    }

    /// When the live file last grew, if it is open.
    pub(super) fn quiet_since(&self) -> Option<Duration> {
        self.generations.last().filter(|live| live.file.is_some()).map(|live| live.grown_at)
    }

    /// The name as it is shown.
    pub(super) fn shown(&self) -> std::path::Display<'_> {
        Path::display(&self.path)
    }
}

/// When what lies beside a container's log was last changed; 0 for other files.
fn container_ns(prepared: &Prepared, path: &Path) -> i64 {
    prepared.job.container.as_ref().map_or(0, |_| container::changed_ns(path))
}

/// The stages of a job, at work on the lines of one follower.
fn runner(prepared: &Prepared, id: u32, options: &Options) -> Option<Runner> {
    let stages = &prepared.job.stages;
    let surroundings = Surroundings { zone: &prepared.zone, line_bytes_max: options.max_line_size };
    (!stages.is_empty()).then(|| Runner::new(&prepared.job.name, id, stages, &surroundings))
}

fn clock(prepared: &Prepared, options: &Options) -> Clock {
    let retention_ns = options.retention.and_then(|age| i64::try_from(age.as_nanos()).ok());
    Clock::new(prepared.job.timestamp, prepared.zone.clone(), retention_ns)
}
