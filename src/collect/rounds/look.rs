//! Looking at the directories: which files are there, who follows them, and what is to be watched.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::Duration,
};

use super::{PAUSE_PER_NAME, Rounds, SOURCES_MAX};
use crate::collect::{
    Watch,
    discover::{Candidate, Found, discover},
    env::Now,
    follower::Follower,
    generation::{Buffers, Generation, Start},
    meta::FileId,
    open::denied,
    sink::Sink,
    watch::is_remote_directory,
};

/// Looks at directories that no watch covers.
const UNWATCHED_RESCAN: Duration = Duration::from_secs(10);

impl<S: Sink> Rounds<S> {
    /// Looks at all directories, and notes which files are there.
    pub(in crate::collect) fn look_around(&mut self, now: Now) {
        self.shared.rescan = false;
        self.shared.stats.rescans += 1;
        self.shared.siblings.forget();
        self.shared.buffers = Buffers::default(); // what catching up needed is not needed when idle
        let mut found = discover(&self.shared.jobs, self.shared.options.max_files, &self.own);
        self.shared.known = found.candidates.iter().map(|candidate| candidate.meta.id).collect();
        let mut of_inode: HashMap<u64, Vec<(u32, u64)>> = HashMap::new();
        for follower in self.followers.values() {
            for generation in &follower.generations {
                of_inode.entry(generation.id.inode).or_default().push((follower.id, generation.number));
                if generation.boot == *self.shared.boot() {
                    self.shared.known.insert(generation.id);
                }
            }
        }
        let candidates = std::mem::take(&mut found.candidates);
        self.old_files = 0;
        let mut named = HashSet::new();
        for candidate in &candidates {
            let owners = of_inode.get(&candidate.meta.id.inode).map_or(&[][..], Vec::as_slice);
            if let Some(follower) = self.assign(candidate, owners, now) {
                named.insert(follower);
            }
        }
        for follower in self.followers.values_mut().filter(|follower| !named.contains(&follower.id)) {
            let mut env = self.shared.env(now);
            follower.unnamed(&mut env);
            self.outgoing.absorb(env.outgoing);
        }
        found.candidates = candidates;
        self.prune(&found, now);
        self.take_stock();
        self.watch_directories(&found, now);
        self.say_once(&found);
        self.look_not_before = now.elapsed + PAUSE_PER_NAME * found.names;
        self.found = found;
        let first: Vec<String> =
            self.shared.jobs.iter().filter(|job| !job.is_off()).map(|job| job.job.name.clone()).collect();
        for name in first {
            if self.ran.insert(name.clone()) {
                self.first_runs.push(name);
            }
        }
        if self.followers.values().any(|follower| follower.generations.iter().any(|generation| generation.awake)) {
            let awake = self.followers.values().filter(|follower| follower.generations.iter().any(|g| g.awake));
            self.dirty.extend(awake.map(|follower| follower.id));
            self.window_ends.get_or_insert(now.elapsed);
        }
    }

    pub(super) fn is_relevant(&self, path: &Path, directory: bool) -> bool {
        let below = directory || path.is_symlink();
        self.followers.values().any(|follower| follower.path == path)
            || self
                .shared
                .jobs
                .iter()
                .flat_map(|job| &job.paths)
                .any(|pattern| pattern.matches(path) || (below && pattern.may_match_below(path)))
    }

    /// The follower whose name leads to a candidate, made if there is none. `None` if the file is old,
    /// or has another name of its own by now.
    fn assign(&mut self, candidate: &Candidate, owners: &[(u32, u64)], now: Now) -> Option<u32> {
        let scope = if candidate.overlap { self.shared.jobs[candidate.job].job.name.as_str() } else { "" };
        let boot = *self.shared.boot();
        let owners: Vec<u32> = owners
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| {
                self.followers.get(id).is_some_and(|follower| {
                    follower.scope == scope && follower.generation_of(&candidate.meta.id, &boot).is_some()
                })
            })
            .collect();
        let has_name = |id: &&u32| {
            self.followers.get(id).is_some_and(|f| f.path == candidate.path || candidate.aliases.contains(&f.path))
        };
        let by_name = |follower: &&Follower| follower.path == candidate.path && follower.scope == scope;
        let id = if let Some(id) = owners.iter().find(has_name) {
            *id
        } else if let Some(id) = owners.first() {
            let env = self.shared.env(now);
            let follower = self.followers.get_mut(id)?;
            let at = follower.generation_of(&candidate.meta.id, &boot)?;
            follower.seen_elsewhere(at, &candidate.path, &env);
            return None;
        } else if let Some(follower) = self.followers.values().find(by_name) {
            follower.id
        } else if self.is_old(candidate, now) {
            self.old_files += 1;
            return None;
        } else if self.followers.len() >= SOURCES_MAX {
            return None;
        } else {
            let id = self.next_id;
            self.next_id += 1;
            let (path, scope) = (candidate.path.clone(), scope.to_owned());
            let follower = Follower::new(id, path, scope, candidate.job, &self.shared.env(now));
            self.followers.insert(id, follower);
            id
        };
        let job = &self.shared.jobs[candidate.job].job;
        let start = if self.ran.contains(&job.name) { Start::Beginning } else { Start::first_run(job) };
        let follower = self.followers.get_mut(&id)?;
        if follower.job != candidate.job {
            follower.go_to_job(candidate.job, &self.shared.jobs, &self.shared.options);
        }
        follower.look_beside(&self.shared.jobs);
        let mut env = self.shared.env(now);
        follower.meet(&candidate.meta, start, &mut env);
        self.outgoing.absorb(env.outgoing);
        Some(id)
    }

    fn is_old(&self, candidate: &Candidate, now: Now) -> bool {
        self.shared.jobs[candidate.job].job.ignore_older.is_some_and(|limit| {
            let age_ns = i128::from(now.wall_ns) - i128::from(candidate.meta.modified_ns);
            age_ns > i128::try_from(limit.as_nanos()).unwrap_or(i128::MAX)
        })
    }

    fn prune(&mut self, found: &Found, now: Now) {
        let named: HashSet<FileId> = found.candidates.iter().map(|candidate| candidate.meta.id).collect();
        let is_named = |generation: &Generation| named.contains(&generation.id);
        for follower in self.followers.values_mut() {
            let mut env = self.shared.env(now);
            follower.prune(&is_named, &mut env);
            self.outgoing.absorb(env.outgoing);
        }
        self.followers.retain(|_, follower| !follower.generations.is_empty());
    }

    /// Counts the open files anew and forgets owners of generations that are no more.
    fn take_stock(&mut self) {
        self.open_files = self.followers.values().map(Follower::open_files).sum();
        self.owners.clear();
        for follower in self.followers.values() {
            self.owners.extend(follower.generations.iter().map(|generation| (generation.number, follower.id)));
        }
        let followers = &self.followers;
        self.backlog.retain(|id| followers.contains_key(id));
    }

    fn watch_directories(&mut self, found: &Found, now: Now) {
        let polled = self.shared.jobs.iter().any(|job| job.job.watch == Watch::Poll);
        let quiet = found.directories.iter().filter(|directory| !self.noisy.contains(*directory)).cloned().collect();
        let watched = self.shared.watcher.watch_directories(&quiet) && quiet.len() == found.directories.len();
        self.noise.retain(|directory, _| quiet.contains(directory));
        let remote = found.directories.iter().any(|directory| is_remote_directory(directory));
        let every = self.shared.options.rescan.max(Duration::from_secs(1));
        let every = if watched && !remote && !polled { every } else { every.min(UNWATCHED_RESCAN) };
        self.rescan_at = now.elapsed + every;
    }

    fn say_once(&mut self, found: &Found) {
        let mut warnings = Vec::new();
        for directory in &found.unreadable {
            warnings.push(format!("cannot list {}: {}", directory.display(), denied(directory)));
        }
        let job = |number: usize| self.shared.jobs[number].job.name.as_str();
        for (path, first, second) in &found.taken {
            let (first, second) = (job(*first), job(*second));
            log_once(&mut self.said, log::Level::Info, || {
                format!(
                    "{} is followed by job {first}, not by job {second}: `allow_overlap = true` there gives both",
                    path.display()
                )
            });
        }
        for (number, count) in &found.too_many {
            let max = self.shared.options.max_files;
            warnings.push(format!("job {} selects {count} files; only the newest {max} are followed", job(*number)));
        }
        for (number, prepared) in self.shared.jobs.iter().enumerate() {
            let is_empty = !found.candidates.iter().any(|candidate| candidate.job == number);
            let taken = found.taken.iter().any(|(_, _, second)| *second == number);
            if is_empty && !taken && !prepared.is_off() && !prepared.paths.is_empty() {
                warnings.push(format!("job {}: no file matches {}", job(number), prepared.job.paths.join(", ")));
            }
        }
        for warning in warnings {
            log_once(&mut self.said, log::Level::Warn, || warning);
        }
    }
}

fn log_once(said: &mut HashSet<String>, level: log::Level, text: impl FnOnce() -> String) {
    let text = text();
    if !said.contains(&text) {
        log::log!(level, "{text}");
        said.insert(text);
    }
}
