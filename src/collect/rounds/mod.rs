//! The collector's work as a sequence of steps, each called with the time: take events, look at
//! directories, read what grew, hand it over. No thread, no sleep, no clock of its own, so that a test
//! can drive it through any history.

mod hand_over;
mod look;
mod report;
mod stored;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Error, Options,
    batch::{Batch, Outgoing, Ready},
    discover::{Found, Own},
    env::{Now, Shared},
    follower::Follower,
    generation::{Place, QUANTUM},
    job::Prepared,
    meta::{Kind, Meta},
    positions::{Key, Position, job_value},
    sieve::Content,
    sink::Sink,
    source::Sources,
    watch::Event,
};
use crate::ingest::Limits;

/// Followers and remembered positions together.
const SOURCES_MAX: usize = 100_000;

/// After a look at all directories none follows for so long, for each name that was looked at. A look
/// takes a tenth of that: where names come and go all the time, looking must not be all we do.
const PAUSE_PER_NAME: Duration = Duration::from_micros(50);

/// Names of no interest that may come and go in a watched directory in one span: twenty a second.
const NOISE_EVENTS_MAX: u32 = 1200;
const NOISE_SPAN: Duration = Duration::from_mins(1);

/// The collector between two steps.
pub(super) struct Rounds<S> {
    shared: Shared,
    sink: S,
    limits: Arc<Limits>,
    own: Own,
    sources: Sources,
    followers: BTreeMap<u32, Follower>,
    next_id: u32,
    /// The follower of each generation.
    owners: HashMap<u64, u32>,
    /// Stored positions that no job asks for.
    unclaimed: Vec<(u64, Position)>,
    /// Jobs that have run before, by name.
    ran: HashSet<String>,
    /// Jobs that run for the first time: stored as such once all their files were opened.
    first_runs: Vec<String>,
    /// Followers to be read when the window ends.
    dirty: BTreeSet<u32>,
    window_ends: Option<Duration>,
    /// Followers with more than a quantum to read, in turn.
    backlog: VecDeque<u32>,
    backlog_from: Duration,
    rescan_at: Duration,
    look_not_before: Duration,
    /// Per watched directory the names of no interest that came and went, and since when they are counted.
    noise: HashMap<PathBuf, (u32, Duration)>,
    /// Directories with too many of them, which are not watched.
    noisy: HashSet<PathBuf>,
    open_files: usize,
    outgoing: Outgoing,
    pending: Option<Ready>,
    retry_at: Duration,
    retry_wait: Option<Duration>,
    /// Warnings that were given, so that none is repeated.
    said: HashSet<String>,
    found: Found,
    old_files: u64,
    events: Vec<Event>,
}

impl<S: Sink> Rounds<S> {
    /// Takes up the stored positions; looks at no directory yet.
    ///
    /// # Errors
    /// A pattern or a zone that is none.
    pub(super) fn new(options: Options, limits: Limits, sink: S, now: Now) -> Result<Self, Error> {
        let jobs = Prepared::all(&options)?;
        let own = own(&options);
        let (mut unclaimed, mut ran, mut next_number) = (Vec::new(), HashSet::new(), 1);
        let mut cursors = BTreeMap::new();
        for (key, value) in sink.positions() {
            match Key::decode(&key) {
                Some(Key::File(number)) => {
                    next_number = next_number.max(number + 1);
                    match Position::decode(&value) {
                        Some(position) if unclaimed.len() < SOURCES_MAX => {
                            unclaimed.push((number, position));
                        }
                        Some(_) => {}
                        None => log::warn!("the position of a file cannot be read; that file is read from its start"),
                    }
                }
                Some(Key::Job(name)) => drop(ran.insert(name)),
                Some(Key::Cursor(name)) => drop(cursors.insert(name, value)),
                None => {}
            }
        }
        unclaimed.sort_by_key(|(number, _)| *number);
        let mut rounds = Self {
            shared: Shared::new(options, jobs, next_number),
            sink,
            limits: Arc::new(limits),
            own,
            sources: Sources::new(cursors),
            followers: BTreeMap::new(),
            next_id: 1,
            owners: HashMap::new(),
            unclaimed,
            ran,
            first_runs: Vec::new(),
            dirty: BTreeSet::new(),
            window_ends: None,
            backlog: VecDeque::new(),
            backlog_from: Duration::ZERO,
            rescan_at: now.elapsed,
            look_not_before: now.elapsed,
            noise: HashMap::new(),
            noisy: HashSet::new(),
            open_files: 0,
            outgoing: Outgoing::default(),
            pending: None,
            retry_at: Duration::ZERO,
            retry_wait: None,
            said: HashSet::new(),
            found: Found::default(),
            old_files: 0,
            events: Vec::new(),
        };
        rounds.claim(now);
        rounds.sources.reload(&rounds.shared.options, now);
        Ok(rounds)
    }

    /// What becomes readable when a file or directory changed, or a source that is no file has something.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let mut descriptors: Vec<_> = self.shared.watcher.descriptor().into_iter().collect();
        if self.pending.is_none() {
            descriptors.extend(self.sources.descriptors());
        }
        descriptors
    }

    /// Does what is due. Returns how long nothing will be, unless an event comes.
    pub(super) fn step(&mut self, now: Now) -> Duration {
        self.shared.stats.wakeups += 1;
        self.take_events(now);
        if !self.hand_over_pending(now) {
            return self.retry_at.saturating_sub(now.elapsed);
        }
        self.take_timers(now);
        let window_over = self.window_ends.is_some_and(|end| end <= now.elapsed);
        if window_over {
            if self.shared.rescan && self.look_not_before <= now.elapsed {
                self.look_around(now);
            }
            self.window_ends = None;
        }
        if window_over || !self.backlog.is_empty() {
            self.round(now, window_over);
        }
        if self.shared.rescan || !self.dirty.is_empty() {
            self.stir(now);
        }
        self.take_sources(now);
        self.wait(now)
    }

    /// Goes over to other options. Files that are still selected are followed without a gap.
    ///
    /// # Errors
    /// A pattern or a zone that is none; the present options stay.
    pub(super) fn reload(&mut self, options: Options, limits: Limits, now: Now) -> Result<(), Error> {
        self.shared.jobs = Prepared::all(&options)?;
        self.own = own(&options);
        self.shared.options = options;
        self.limits = Arc::new(limits);
        self.said.clear();
        self.noisy.clear();
        for mut follower in std::mem::take(&mut self.followers).into_values() {
            match self.job_of(&follower.scope, &follower.path) {
                Some(job) => {
                    follower.go_to_job(job, &self.shared.jobs, &self.shared.options);
                    for generation in &mut follower.generations {
                        generation.awake = true; // binary or not may be decided otherwise
                        if matches!(generation.content, Content::Binary { .. }) {
                            generation.content = Content::UNKNOWN;
                        }
                    }
                    self.followers.insert(follower.id, follower);
                }
                None => self.let_go(follower),
            }
        }
        self.claim(now);
        self.sources.reload(&self.shared.options, now);
        self.shared.rescan = true;
        self.window_ends = Some(now.elapsed);
        Ok(())
    }

    /// A last round without waiting for anything, and everything durable if the store can.
    pub(super) fn finish(&mut self, now: Now) {
        self.take_events(now);
        if self.hand_over_pending(now) {
            self.round(now, true);
            self.take_sources(now);
        }
        if let Err(error) = self.sink.commit() {
            log::warn!("what was read last is read again at the next start: {error}");
        }
    }

    /// Gives the sources that are no files their turn.
    fn take_sources(&mut self, now: Now) {
        if self.pending.is_some() {
            return;
        }
        let limits = Arc::clone(&self.limits);
        let mut batch = self.begin(&limits, now);
        self.sources.turn(now, &mut batch, &mut self.shared.stats);
        self.hand_over(batch, now);
    }

    fn take_events(&mut self, now: Now) {
        let mut events = std::mem::take(&mut self.events);
        self.shared.watcher.take(&mut events);
        for event in events.drain(..) {
            let number = match event {
                Event::Grown(number) => number,
                Event::Changed(number) => {
                    self.shared.rescan = true;
                    number
                }
                Event::Gone(number) => {
                    self.gone(number, now);
                    number
                }
                Event::Name { path, directory } => {
                    if !self.is_relevant(&path, directory) {
                        self.hear_noise(&path, now);
                        continue;
                    }
                    self.shared.rescan = true;
                    self.stir(now);
                    continue;
                }
                Event::Directory => {
                    self.shared.rescan = true;
                    self.stir(now);
                    continue;
                }
                Event::Overflow => {
                    for follower in self.followers.values_mut() {
                        follower.generations.iter_mut().for_each(|generation| generation.awake = true);
                    }
                    self.dirty.extend(self.followers.keys());
                    self.shared.rescan = true;
                    self.stir(now);
                    continue;
                }
            };
            if let Some(follower) = self.owner(number) {
                for generation in &mut follower.generations {
                    generation.awake |= generation.number == number;
                }
                let id = follower.id;
                self.dirty.insert(id);
                self.stir(now);
            }
        }
        self.events = events;
    }

    /// A name that is not ours came or went. A directory where that never ends, such as a spool, is not
    /// worth being woken for.
    fn hear_noise(&mut self, path: &Path, now: Now) {
        let Some(directory) = path.parent() else { return };
        let (count, since) = self.noise.entry(directory.to_owned()).or_insert((0, now.elapsed));
        if now.elapsed.saturating_sub(*since) > NOISE_SPAN {
            (*count, *since) = (0, now.elapsed);
        }
        *count += 1;
        if *count > NOISE_EVENTS_MAX && self.noisy.insert(directory.to_owned()) {
            log::info!(
                "names come and go in {} all the time: it is looked at every ten seconds instead",
                directory.display()
            );
            self.shared.rescan = true;
            self.stir(now);
        }
    }

    /// Opens the window after which dirty followers are read: a busy host wakes us a few times a second.
    fn stir(&mut self, now: Now) {
        self.window_ends.get_or_insert(now.elapsed + self.shared.options.coalesce);
    }

    fn owner(&mut self, number: u64) -> Option<&mut Follower> {
        let knows = |follower: &Follower| follower.generations.iter().any(|generation| generation.number == number);
        let id = match self.owners.get(&number) {
            Some(id) if self.followers.get(id).is_some_and(knows) => *id,
            _ => {
                let id = self.followers.values().find(|follower| knows(follower))?.id;
                self.owners.insert(number, id);
                id
            }
        };
        self.followers.get_mut(&id)
    }

    /// The file of a generation is gone for good.
    fn gone(&mut self, number: u64, now: Now) {
        self.shared.rescan = true;
        let Some(follower) = self.owner(number) else {
            return;
        };
        let id = follower.id;
        let Some(at) = follower.generations.iter().position(|g| g.number == number && g.place == Place::Finished)
        else {
            return;
        };
        let generation = follower.generations.remove(at);
        let mut env = self.shared.env(now);
        env.forget(&generation);
        self.outgoing.absorb(env.outgoing);
        self.owners.remove(&number);
        self.dirty.insert(id);
    }

    fn take_timers(&mut self, now: Now) {
        if self.rescan_at <= now.elapsed {
            self.shared.rescan = true;
            self.window_ends = Some(now.elapsed);
        }
        let mut due = Vec::new();
        for follower in self.followers.values_mut() {
            if follower.poll_due().is_some_and(|at| at <= now.elapsed) && follower.poll(&mut self.shared.env(now)) {
                due.push(follower.id);
            }
            if follower.deadline(&self.shared.options).is_some_and(|at| at <= now.elapsed) {
                due.push(follower.id);
            }
        }
        if !due.is_empty() {
            self.dirty.extend(due);
            self.window_ends = Some(now.elapsed);
        }
    }

    /// How long nothing is to be done.
    fn wait(&self, now: Now) -> Duration {
        if self.pending.is_some() {
            return self.retry_at.saturating_sub(now.elapsed);
        }
        let backlog = (!self.backlog.is_empty()).then(|| self.backlog_from.max(now.elapsed));
        let timers = self.followers.values().flat_map(|f| [f.deadline(&self.shared.options), f.poll_due()]).flatten();
        let next = timers
            .chain(backlog)
            .chain(self.window_ends)
            .chain(self.sources.deadline())
            .min()
            .unwrap_or(self.rescan_at);
        next.min(self.rescan_at).saturating_sub(now.elapsed)
    }

    /// Reads what grew, then a part of what is behind, and hands it over.
    fn round(&mut self, now: Now, window_over: bool) {
        let limits = Arc::clone(&self.limits);
        let mut batch = self.begin(&limits, now);
        if window_over {
            let mut dirty = std::mem::take(&mut self.dirty);
            while let Some(id) = dirty.pop_first() {
                if self.backlog.contains(&id) {
                    continue;
                }
                if self.followers.get_mut(&id).is_some_and(|follower| follower.measure() >= QUANTUM as u64) {
                    self.fall_behind(id);
                    continue;
                }
                if self.turn(id, now, &mut batch) {
                    self.fall_behind(id);
                }
                if batch.is_full() {
                    if !self.hand_over(batch, now) {
                        self.dirty.append(&mut dirty);
                        return;
                    }
                    batch = self.begin(&limits, now);
                }
            }
        }
        let mut turns = if self.backlog_from <= now.elapsed { self.backlog.len() } else { 0 };
        while turns > 0
            && !batch.is_full()
            && let Some(id) = self.backlog.pop_front()
        {
            let before = self.bytes_read();
            if self.turn(id, now, &mut batch) {
                self.backlog.push_back(id);
            }
            if let Some(rate) = self.shared.options.backlog_rate.filter(|rate| *rate > 0) {
                let nanos = (self.bytes_read() - before).saturating_mul(1_000_000_000) / rate;
                self.backlog_from = self.backlog_from.max(now.elapsed) + Duration::from_nanos(nanos);
            }
            turns -= 1;
        }
        if self.dirty.is_empty() && self.backlog.is_empty() {
            for name in self.first_runs.drain(..) {
                batch.outgoing.positions.insert(Key::Job(name).encode(), Some(job_value()));
            }
        }
        self.hand_over(batch, now);
    }

    /// Into the backlog, in which the file that changed the longest ago comes first.
    fn fall_behind(&mut self, id: u32) {
        let age = |id: &u32| {
            let generations = self.followers.get(id).map_or(&[][..], |follower| &follower.generations);
            generations.first().map_or(i64::MAX, |generation| generation.modified_ns)
        };
        let own = age(&id);
        let at = self.backlog.iter().position(|other| age(other) > own).unwrap_or(self.backlog.len());
        self.backlog.insert(at, id);
    }

    fn bytes_read(&self) -> u64 {
        self.shared.stats.jobs.values().map(|job| job.bytes).sum()
    }

    /// One follower's turn. Returns whether it has more to read.
    fn turn(&mut self, id: u32, now: Now, batch: &mut Batch<'_>) -> bool {
        let Some(follower) = self.followers.get_mut(&id) else {
            return false;
        };
        let before = follower.open_files();
        let mut env = self.shared.env(now);
        let more = follower.turn(&mut env, batch);
        batch.outgoing.absorb(env.outgoing);
        self.open_files = (self.open_files + follower.open_files()).saturating_sub(before);
        if self.open_files > self.shared.options.max_open_files {
            if !follower.close_if_quiet() {
                let quietest = self
                    .followers
                    .values_mut()
                    .filter(|follower| follower.lag() == 0 && follower.quiet_since().is_some())
                    .min_by_key(|follower| follower.quiet_since());
                if !quietest.is_some_and(Follower::close_if_quiet) {
                    return more;
                }
            }
            self.open_files -= 1;
        }
        more
    }
}

/// What is never collected.
fn own(options: &Options) -> Own {
    let store = options.store_path.canonicalize().unwrap_or_else(|_| options.store_path.clone());
    let stderr = rustix::io::dup(std::io::stderr()).ok().map(std::fs::File::from);
    let stderr = stderr.and_then(|file| Meta::of_file(&file).ok());
    let stderr = stderr.filter(|meta| meta.kind == Kind::File);
    Own { store, stderr: stderr.map(|meta| (meta.id.device, meta.id.inode)) }
}

#[cfg(test)]
mod tests;
