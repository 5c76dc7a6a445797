//! The stored positions: which follower each belongs to, and what becomes of those that no job asks for.

use std::path::Path;

use super::Rounds;
use crate::collect::{
    env::Now,
    follower::Follower,
    generation::Generation,
    positions::{Key, Position},
    sink::Sink,
};

/// Positions of files that no job selects are kept so long: the job may come back.
const UNCLAIMED_AGE_NS: i64 = 7 * 24 * 3600 * 1_000_000_000;

impl<S: Sink> Rounds<S> {
    /// The job that a stored path belongs to.
    pub(super) fn job_of(&self, scope: &str, path: &Path) -> Option<usize> {
        self.shared.jobs.iter().position(|job| (scope.is_empty() || job.job.name == scope) && job.selects(path))
    }

    /// Makes followers of the stored positions that a job asks for.
    pub(super) fn claim(&mut self, now: Now) {
        for (number, mut position) in std::mem::take(&mut self.unclaimed) {
            let Some(job) = self.job_of(&position.scope, &position.path) else {
                let since = *position.gone_since_ns.get_or_insert(now.wall_ns);
                let key = Key::File(number).encode();
                if now.wall_ns - since > UNCLAIMED_AGE_NS {
                    self.outgoing.positions.insert(key, None);
                } else {
                    if since == now.wall_ns {
                        self.outgoing.positions.insert(key, Some(position.encode()));
                    }
                    self.unclaimed.push((number, position));
                }
                continue;
            };
            let same = |follower: &&mut Follower| follower.path == position.path && follower.scope == position.scope;
            let generation = Generation::stored(number, &position, self.shared.jobs[job].pipeline, now.elapsed);
            if let Some(follower) = self.followers.values_mut().find(same) {
                follower.generations.push(generation);
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            let env = self.shared.env(now);
            let mut follower = Follower::new(id, position.path, position.scope, job, &env);
            follower.generations.push(generation);
            self.followers.insert(id, follower);
        }
    }

    /// A follower that no job selects any more: its files are closed, its positions kept.
    pub(super) fn let_go(&mut self, follower: Follower) {
        for generation in follower.generations {
            self.shared.watcher.forget_file(generation.number);
            let value = generation.position(&follower.scope, &follower.path, follower.pipeline).1;
            if generation.stored
                && let Some(position) = value.and_then(|value| Position::decode(&value))
            {
                self.unclaimed.push((generation.number, position));
            }
        }
    }
}
