//! What the collector says of itself: numbers, and a summary for people.

use super::Rounds;
use crate::collect::{
    Stats,
    discover::Candidate,
    generation::{Place, QUANTUM},
    sieve::Content,
    sink::Sink,
};

impl<S: Sink> Rounds<S> {
    /// The numbers as they are now.
    pub(in crate::collect) fn stats(&self) -> Stats {
        let mut stats = self.shared.stats.clone();
        stats.watch_fallbacks = self.shared.watcher.fallbacks;
        let files = &mut stats.files;
        for follower in self.followers.values() {
            files.unreadable += u64::from(follower.unreadable.is_some());
            for generation in &follower.generations {
                match (generation.place, &generation.content) {
                    (_, Content::Binary { .. }) => files.binary += 1,
                    (Place::Named, _) if generation.lag() >= QUANTUM as u64 => files.backlog += 1,
                    (Place::Named, _) => files.live += 1,
                    (Place::Rotated { .. }, _) => files.rotated += 1,
                    (Place::Finished | Place::Missing | Place::Unknown, _) => {}
                }
            }
            let lag = follower.lag();
            stats.lag_bytes += lag;
            if lag > 0 {
                stats.lags.push((follower.shown().to_string(), lag));
            }
        }
        files.old = self.old_files;
        files.alias = self.found.candidates.iter().map(|candidate| candidate.aliases.len() as u64).sum();
        files.excluded = self.found.excluded;
        files.dangling = self.found.dangling;
        stats.lags.sort_by_key(|(_, lag)| std::cmp::Reverse(*lag));
        stats.lags.truncate(Stats::LAGS_MAX);
        stats
    }

    /// What is followed, in one line: per job how many files, and how many of them cannot be read.
    pub(in crate::collect) fn summary(&self) -> String {
        let mut parts = Vec::new();
        for (number, job) in self.shared.jobs.iter().enumerate() {
            let name = &job.job.name;
            if job.is_off() {
                let present = job.job.unless_exists.iter().find(|path| path.exists());
                let present = present.map(|path| path.display().to_string()).unwrap_or_default();
                parts.push(format!("job {name} is off, because {present} exists"));
                continue;
            }
            let of_job = || self.found.candidates.iter().filter(|candidate| candidate.job == number);
            let count = of_job().count();
            let readable =
                |candidate: &&Candidate| rustix::fs::access(&candidate.path, rustix::fs::Access::READ_OK).is_ok();
            let unreadable = count - of_job().filter(readable).count();
            let files = if count == 1 { "file" } else { "files" };
            let but = if unreadable == 0 { String::new() } else { format!(", {unreadable} of them unreadable") };
            parts.push(format!("job {name} follows {count} {files}{but}"));
        }
        parts.extend(self.sources.summary());
        if parts.is_empty() {
            return "no job follows files".to_owned();
        }
        parts.join(", ")
    }
}
