//! What comes back after a kill, a power cut and a failing disk, at every change of the disk.

use super::*;

/// Sealing after a start needs no commit, so nothing has repeated the positions yet.
#[test]
fn positions_outlive_a_start_that_seals_and_a_kill_before_the_next_commit() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let position = (b"file".to_vec(), Some(b"42".to_vec()));
    let streams = vec![stream("a", [(1, "line".to_owned())])];
    store.append(&Append { streams, positions: vec![position], drop_duplicates: false }).unwrap();
    drop(store);
    let store = open(&disk, &dir).unwrap();
    store.flush().unwrap();
    drop(store); // nothing waits for a commit, so this writes nothing more than a kill would
    let store = open(&disk.after_kill(), &dir).unwrap();
    assert_eq!(store.positions(), [(b"file".to_vec(), b"42".to_vec())]);
    assert_eq!(read(&store, "a"), [(1, "line".to_owned())]);
}

/// What a scripted run did: the lines a follower handed over with each position, and the pushed
/// lines that were committed, or at least sent.
#[derive(Debug, Default)]
struct Script {
    committed_pushes: u64,
    sent_pushes: u64,
}

impl Script {
    /// Follows a file of numbered lines and takes pushes, with commits, seals, and closing and joining in
    /// between, until the disk fails.
    fn run(&mut self, store: &Store) -> Result<(), crate::store::Error> {
        for round in 0..9u64 {
            let lines = (round * 3..round * 3 + 3).map(|n| (n as i64, format!("file {n}")));
            let position = (b"file".to_vec(), Some((round * 3 + 3).to_le_bytes().to_vec()));
            store.append(&Append {
                streams: vec![stream("file", lines)],
                positions: vec![position],
                drop_duplicates: false,
            })?;
            push(store, "push", [(round as i64, format!("push {round}"))])?;
            self.sent_pushes = round + 1;
            if round % 2 == 1 {
                store.commit()?;
                self.committed_pushes = round + 1;
            }
            if round % 3 == 2 {
                store.flush()?;
                self.committed_pushes = round + 1;
                tidy(store);
            }
        }
        Ok(())
    }

    /// Nothing followed is missing or twice up to the position, nothing beyond it is there; no
    /// committed push is missing, none is twice.
    fn check(&self, store: &Store, context: &str) {
        let positions: BTreeMap<Vec<u8>, Vec<u8>> = store.positions().into_iter().collect();
        let position =
            positions.get(&b"file"[..]).map_or(0, |value| u64::from_le_bytes(value[..8].try_into().unwrap()));
        let expected: Vec<(i64, String)> = (0..position).map(|n| (n as i64, format!("file {n}"))).collect();
        assert_eq!(read(store, "file"), expected, "followed lines up to position {position}, {context}");
        let pushes = read(store, "push");
        let count = pushes.len() as u64;
        let expected: Vec<(i64, String)> = (0..count).map(|n| (n as i64, format!("push {n}"))).collect();
        assert_eq!(pushes, expected, "pushed lines, {context}");
        assert!(
            (self.committed_pushes..=self.sent_pushes).contains(&count),
            "{count} pushed lines, {self:?}, {context}"
        );
    }
}

fn errno(name: &str) -> rustix::io::Errno {
    match name {
        "ENOSPC" => rustix::io::Errno::NOSPC,
        "EIO" => rustix::io::Errno::IO,
        _ => rustix::io::Errno::MFILE,
    }
}

#[test]
fn a_crash_at_any_change_of_the_disk_keeps_the_promise() {
    let mut random = Random(11);
    let mut from = 0;
    loop {
        let (dir, disk) = (TempDir::new(), MemDisk::default());
        disk.set_fault(Some(Fault { from, until: u64::MAX, error: errno("EIO") }));
        let mut script = Script::default();
        let finished = match open(&disk, &dir) {
            Ok(store) => {
                let finished = script.run(&store).is_ok();
                drop(store);
                finished
            }
            Err(_) => false,
        };
        let crashed = disk.after_kill();
        let store = open(&crashed, &dir).unwrap_or_else(|error| panic!("killed at change {from}: {error}"));
        script.check(&store, &format!("killed at change {from}"));
        drop(store);
        for round in 0..8 {
            let crashed = disk.after_power_cut(&mut random);
            let context = format!("power cut at change {from}, round {round}");
            let store = open(&crashed, &dir).unwrap_or_else(|error| panic!("{context}: {error}"));
            script.check(&store, &context);
            // What comes after the crash must be as safe as what came before it.
            push(&store, "later", [(1, "later".to_owned())]).unwrap();
            store.commit().unwrap();
            drop(store);
            let store = open(&crashed.after_kill(), &dir).unwrap();
            script.check(&store, &format!("{context}, second start"));
            assert_eq!(read(&store, "later").len(), 1, "{context}, second start");
        }
        if finished {
            return;
        }
        from += 1;
    }
}

#[test]
fn a_disk_that_fails_for_a_while_loses_nothing() {
    for error in ["ENOSPC", "EIO", "EMFILE"] {
        let mut from = 0;
        loop {
            let (dir, disk) = (TempDir::new(), MemDisk::default());
            let Ok(store) = open(&disk, &dir) else { unreachable!("nothing fails yet") };
            let start = disk.changes();
            disk.set_fault(Some(Fault { from: start + from, until: start + from + 3, error: errno(error) }));
            let mut sent = 0u64;
            for n in 0..12u64 {
                // A client that keeps what was refused and sends it again, as shippers do.
                while push(&store, "a", [(n as i64, format!("push {n}"))]).is_err() {
                    drop(store.commit());
                    store.0.shared.wake.notify_one();
                    lock_and_retry_now(&store);
                }
                sent += 1;
                if n % 4 == 3 {
                    drop(store.flush());
                    lock_and_retry_now(&store);
                    tidy(&store);
                }
            }
            disk.set_fault(None);
            lock_and_retry_now(&store);
            while store.flush().is_err() {
                lock_and_retry_now(&store);
            }
            assert_eq!(read(&store, "a").len() as u64, sent, "{error} from change {from}");
            let reached = disk.changes() > start + from;
            drop(store);
            let store = open(&disk.after_kill(), &dir).unwrap();
            assert_eq!(read(&store, "a").len() as u64, sent, "{error} from change {from}, reopened");
            if !reached {
                break;
            }
            from += 1;
        }
    }
}
