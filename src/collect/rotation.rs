//! What becomes of a follower when its name comes to lead elsewhere, or its file is truncated. Nothing
//! that was written and still exists somewhere is lost, and nothing is read twice.

use std::{fs::File, io, ops::RangeInclusive, os::unix::fs::FileExt};

use super::{
    env::Env,
    follower::Follower,
    generation::{Generation, Place, Start},
    identity::{COPY_BYTES_MIN, Compared, HEAD_BYTES_MAX, Observed, Progress, Verdict, verdict},
    meta::Meta,
    open::open_log,
    sieve::Content,
};
use crate::labels::duration::nanoseconds;

/// Finished files of one name that are remembered, so that none is taken for a new one.
const FINISHED_MAX: usize = 8;
/// How long the position of a file that was not found is kept: its file system may come back.
const FORGET_AFTER_NS: i64 = 7 * 24 * 3600 * 1_000_000_000;

impl Follower {
    /// The follower's name leads to this file. `start` is for one that was never read.
    pub(super) fn meet(&mut self, meta: &Meta, start: Start, env: &mut Env<'_>) {
        let Some(at) = self.generation_of(&meta.id, &env.boot) else {
            if let Some(last) = self.generations.last_mut()
                && last.id.inode == meta.id.inode
                && last.id.birth_ns != meta.id.birth_ns
            {
                env.stats.reused_inodes += 1;
            }
            self.leave(env);
            let number = env.number();
            let elapsed = env.now.elapsed;
            let mut live = Generation::new(number, meta, env.boot, Place::Named, start, elapsed);
            if !self.generations.is_empty() {
                live.copies_seen_ns = live.age_key_ns(); // it may have been truncated before it was seen
            }
            self.generations.push(live);
            self.settle(env);
            return;
        };
        if at + 1 < self.generations.len() {
            // A file has its name back. The one that had it meanwhile is read to its end as any other.
            self.leave(env);
            let generation = self.generations.remove(at);
            self.generations.push(generation);
        }
        let Some(live) = self.generations.last_mut() else {
            return;
        };
        if live.place != Place::Named {
            live.place = Place::Named;
            live.read_since_rotated = false;
            live.elsewhere = None;
            live.awake = true;
            live.moved |= live.gone_since_ns.take().is_some();
        }
        if matches!(live.content, Content::Binary { .. }) && meta.size < live.size {
            live.content = Content::UNKNOWN; // truncated: it may hold text now
            live.size = meta.size;
        }
        let changed = meta.size != live.size || meta.modified_ns != live.modified_ns;
        live.awake |= self.unreadable.is_some() || changed;
        if self.generations.iter().any(|generation| generation.place == Place::Unknown) {
            self.settle(env);
        }
    }

    /// No name that is to be followed leads to the follower's file.
    pub(super) fn unnamed(&mut self, env: &mut Env<'_>) {
        let Some(last) = self.generations.last() else {
            return;
        };
        match last.place {
            Place::Named => {
                self.leave(env);
                self.settle(env);
            }
            Place::Unknown | Place::Rotated { .. } => self.settle(env),
            Place::Finished | Place::Missing => {}
        }
    }

    /// A generation of this follower was seen under another name.
    pub(super) fn seen_elsewhere(&mut self, at: usize, path: &std::path::Path, env: &Env<'_>) {
        let generation = &mut self.generations[at];
        generation.elsewhere = Some(path.to_owned());
        if matches!(generation.place, Place::Unknown | Place::Missing) {
            generation.place = Place::Rotated { since: env.now.elapsed, complete: false };
            generation.moved |= generation.gone_since_ns.take().is_some();
            generation.awake = true;
        }
    }

    /// The live file loses its name.
    fn leave(&mut self, env: &mut Env<'_>) {
        let Some(live) = self.generations.last_mut() else {
            return;
        };
        if live.place != Place::Named {
            return;
        }
        env.stats.rotations += 1;
        live.awake = true;
        if matches!(live.content, Content::Binary { .. }) {
            if let Some(binary) = self.generations.pop() {
                env.forget(&binary);
            }
        } else if live.file.is_some() {
            live.place = Place::Rotated { since: env.now.elapsed, complete: false };
        } else {
            live.place = Place::Unknown;
        }
    }

    /// Looks for the files that were read before, and for those that had the name in between and were
    /// never seen: several rotations while nobody looked.
    fn settle(&mut self, env: &mut Env<'_>) {
        let named = self.generations.last().is_some_and(|live| live.place == Place::Named);
        let live_at = self.generations.len() - usize::from(named);
        for at in 0..live_at {
            let generation = &mut self.generations[at];
            if generation.place != Place::Unknown {
                continue;
            }
            let Some(found) = env.siblings.find(&self.path, &generation.id, generation.boot == env.boot) else {
                self.miss(at, env);
                continue;
            };
            // The writer of the newest may not know yet that it was renamed; older ones are read or not.
            let quiet_ns = i128::from(env.now.wall_ns) - i128::from(found.meta.modified_ns);
            let quiet = quiet_ns > i128::try_from(env.options.rotate_wait.as_nanos()).unwrap_or(i128::MAX);
            let finished = at + 1 < live_at && quiet && found.meta.size == generation.progress.position;
            generation.place =
                if finished { Place::Finished } else { Place::Rotated { since: env.now.elapsed, complete: false } };
            generation.awake = !finished;
        }
        if let Some(before) = self.generations[..live_at].last() {
            let (progress, age_ns) = (before.progress, before.age_key_ns());
            // What is younger than the live file is a copy of that.
            let until_ns = self.generations.get(live_at).map_or(i64::MAX, Generation::age_key_ns);
            self.take_unseen(live_at, &progress, age_ns..=until_ns, false, env);
        }
    }

    /// Takes up the rotated copies beside the name that are of the given age and were never seen, in front
    /// of the generation at `live_at`. Files that hold what was read before are none, nor are those that
    /// begin as the live file does.
    fn take_unseen(
        &mut self,
        mut live_at: usize,
        before: &Progress,
        age_ns: RangeInclusive<i64>,
        complete: bool,
        env: &mut Env<'_>,
    ) {
        let live = self.generations.get(live_at).and_then(|_| open_log(&self.path).ok());
        for sibling in env.siblings.rotated(&self.path, age_ns) {
            let id = sibling.meta.id;
            let known = self.generation_of(&id, &env.boot).is_some() || env.known.contains(&id);
            if known {
                continue;
            }
            let Ok(file) = open_log(&sibling.path) else {
                continue;
            };
            let was_read =
                |progress: &Progress| progress.position >= COPY_BYTES_MIN && progress.is_in(&file).unwrap_or(false);
            if was_read(before)
                || self.generations.iter().any(|generation| was_read(&generation.progress))
                || live.as_ref().is_some_and(|live| begin_alike(live, &file))
            {
                continue;
            }
            env.stats.rotations += 1;
            let place = Place::Rotated { since: env.now.elapsed, complete };
            let number = env.number();
            let elapsed = env.now.elapsed;
            let mut between = Generation::new(number, &sibling.meta, env.boot, place, Start::Beginning, elapsed);
            between.elsewhere = Some(sibling.path);
            self.generations.insert(live_at, between);
            live_at += 1;
        }
    }

    /// A generation cannot be found.
    pub(super) fn miss(&mut self, at: usize, env: &mut Env<'_>) {
        let generation = &mut self.generations[at];
        let last_seen_reading = generation.place;
        generation.place = Place::Missing;
        if generation.gone_since_ns.is_some() {
            return;
        }
        generation.gone_since_ns = Some(env.now.wall_ns);
        generation.moved |= generation.stored;
        let lost = generation.lag();
        if lost > 0 {
            log::warn!("{}: {lost} bytes of a former file were gone before they were read", self.path.display());
            if last_seen_reading == Place::Unknown {
                env.stats.lost.rotated_while_down += lost;
            } else {
                env.stats.lost.deleted += lost;
            }
        }
    }

    /// A new file may hold the text of the one before it, if that is gone: an editor or a restored
    /// backup wrote it. Then it goes on where that one ended, and takes its place. Returns whether it did.
    pub(super) fn continue_copy(&mut self, at: usize, env: &mut Env<'_>) -> io::Result<bool> {
        if at == 0 || self.generations[at].place != Place::Named || self.generations[at].progress.position > 0 {
            return Ok(false);
        }
        let (before, new) = (&self.generations[at - 1], &self.generations[at]);
        let before_is_gone = before.place == Place::Missing || before.unlinked;
        let (Some(file), true, Content::Undecided { from: 0 }) = (&new.file, before_is_gone, &new.content) else {
            return Ok(false);
        };
        let size = Meta::of_file(file)?.size;
        let (head, anchor) = before.progress.compare(file, size)?;
        let observed = Observed { id: new.id, size, head, anchor, old_is_elsewhere: false };
        debug_assert!(anchor != Compared::Short || size < before.progress.position);
        if verdict(&before.id, &before.progress, before.boot == env.boot, &observed) != Verdict::Copied {
            return Ok(false);
        }
        let before = self.generations.remove(at - 1);
        let new = &mut self.generations[at - 1];
        new.progress = before.progress;
        new.state = before.state;
        new.start = Start::Beginning;
        new.moved = true;
        env.forget(&before);
        env.outgoing.closing.extend(before.file);
        Ok(true)
    }

    /// As long as nothing was read of a file, its contents cannot show that it was truncated: only the
    /// copies beside it can. Returns whether some were put in front of it.
    pub(super) fn find_unread_copies(&mut self, at: usize, env: &mut Env<'_>) -> io::Result<bool> {
        let generation = &mut self.generations[at];
        if generation.place != Place::Named || generation.progress.position > 0 {
            return Ok(false);
        }
        let Some(file) = &generation.file else {
            return Ok(false);
        };
        let modified_ns = Meta::of_file(file)?.modified_ns;
        let seen_ns = std::mem::replace(&mut generation.copies_seen_ns, modified_ns);
        if seen_ns == modified_ns {
            return Ok(false);
        }
        let count = self.generations.len();
        env.siblings.forget();
        self.take_unseen(at, &Progress::START, seen_ns..=i64::MAX, true, env);
        Ok(self.generations.len() > count)
    }

    /// What was read of a file is not in it any more.
    pub(super) fn truncated(&mut self, at: usize, env: &mut Env<'_>) {
        if self.generations[at].read_since_rotated {
            // A file that lost its name long ago is overwritten by the next copy, not by its writer.
            let overwritten = self.generations.remove(at);
            env.forget(&overwritten);
            return;
        }
        env.stats.truncations += 1;
        env.outgoing.commit = true; // what was read last exists nowhere else
        env.siblings.forget();
        let old = &self.generations[at];
        let (id, progress, state) = (old.id, old.progress, old.state);
        let unread = old.size_before.saturating_sub(progress.position);
        let seen_ns = old.modified_before_ns;
        let copy = env.siblings.copy_of(&self.path, &id, &progress, seen_ns);
        self.generations[at].restart(env.now.elapsed);
        self.generations[at].awake = true;
        let Some((sibling, file)) = copy else {
            if unread > 0 {
                env.stats.lost.truncated += unread;
                log::warn!("{} was truncated before {unread} bytes of it were read", self.path.display());
            }
            // Copies made since then hold what was written since then.
            self.take_unseen(at, &progress, seen_ns..=i64::MAX, true, env);
            return;
        };
        // A script that copies to the same name each time overwrites the former copy in place.
        if let Some(former) = self.generation_of(&sibling.meta.id, &env.boot) {
            let former = self.generations.remove(former);
            env.forget(&former);
        }
        let place = Place::Rotated { since: env.now.elapsed, complete: true };
        let number = env.number();
        let mut rest = Generation::new(number, &sibling.meta, env.boot, place, Start::Beginning, env.now.elapsed);
        rest.progress = progress;
        rest.state = state;
        rest.moved = true;
        rest.elsewhere = Some(sibling.path);
        rest.file = Some(file);
        let copy_age_ns = rest.age_key_ns();
        let live_at = self.generation_of(&id, &env.boot).unwrap_or(self.generations.len());
        self.generations.insert(live_at, rest);
        // It may have been truncated more than once since it was read.
        self.take_unseen(live_at + 1, &progress, copy_age_ns..=i64::MAX, true, env);
    }

    /// Looks again for the files that were not found before: a directory is not listed in one moment, and
    /// a name that changes meanwhile may be missed.
    fn seek_missing(&mut self, env: &mut Env<'_>) {
        for generation in self.generations.iter_mut().filter(|generation| generation.place == Place::Missing) {
            let Some(found) = env.siblings.find(&self.path, &generation.id, generation.boot == env.boot) else {
                continue;
            };
            let holds_it = || open_log(&found.path).is_ok_and(|file| generation.progress.is_in(&file).unwrap_or(false));
            // Without a time of birth another file may have got the number of the inode.
            if generation.id.birth_ns.is_some() || holds_it() {
                generation.place = Place::Rotated { since: env.now.elapsed, complete: false };
                generation.moved |= generation.gone_since_ns.take().is_some() && generation.stored;
                generation.awake = true;
            }
        }
    }

    /// Forgets files that are gone for long, and finished ones beyond a few. A file in `named` is known
    /// under another name and must not be forgotten, else it would be taken for a new one.
    pub(super) fn prune(&mut self, named: &dyn Fn(&Generation) -> bool, env: &mut Env<'_>) {
        self.seek_missing(env);
        let wait_ns = nanoseconds(env.options.rotate_wait);
        let (mut finished, mut followed_up) = (0, false);
        let mut kept = Vec::with_capacity(self.generations.len());
        for generation in std::mem::take(&mut self.generations).into_iter().rev() {
            let forget = match generation.place {
                Place::Finished => {
                    finished += 1;
                    finished > FINISHED_MAX && !named(&generation)
                }
                Place::Missing => {
                    let gone_ns = generation.gone_since_ns.map_or(i64::MAX, |since| env.now.wall_ns - since);
                    // One that is only out of sight would be taken for a new file when it is seen again.
                    let gone = generation.unlinked || gone_ns > wait_ns;
                    gone && (!generation.stored || followed_up) || gone_ns > FORGET_AFTER_NS
                }
                Place::Named | Place::Rotated { .. } | Place::Unknown => false,
            };
            followed_up |= generation.stored && generation.progress.position > 0;
            if forget {
                env.forget(&generation);
            } else {
                kept.push(generation);
            }
        }
        kept.reverse();
        self.generations = kept;
    }
}

/// Whether two files have the same first bytes, as many as both have and enough to prove something.
fn begin_alike(one: &File, other: &File) -> bool {
    let (mut first, mut second) = ([0; HEAD_BYTES_MAX], [0; HEAD_BYTES_MAX]);
    match (one.read_at(&mut first, 0), other.read_at(&mut second, 0)) {
        (Ok(one), Ok(other)) => {
            let both = one.min(other);
            both as u64 >= COPY_BYTES_MIN && first[..both] == second[..both]
        }
        _ => false,
    }
}
