//! What is left after damage to every byte, and after a file was cut off at every byte.

use super::*;

/// Small files of each kind; `closed` says whether the chunk file has a footer.
fn sample(dir: &TempDir, closed: bool) -> MemDisk {
    let disk = MemDisk::default();
    let store = open(&disk, dir).unwrap();
    for app in ["a", "b", "c", "d"] {
        push(&store, app, [(1, format!("line of {app}"))]).unwrap();
        store.flush().unwrap();
    }
    if closed {
        tidy(&store);
    }
    push(&store, "a", [(9, "in the log".to_owned())]).unwrap();
    drop(store);
    disk.after_kill()
}

/// How many lines the store still gives.
fn lines_left(store: &Store) -> usize {
    let snapshot = store.snapshot(&[], i64::MIN, i64::MAX);
    let pieces = snapshot.streams.iter().flat_map(|stream| &stream.pieces);
    pieces.flat_map(crate::store::Piece::read).map(|entries| entries.len()).sum()
}

#[test]
fn damage_to_any_byte_is_survived_and_hides_nothing_else() {
    for closed in [false, true] {
        let dir = TempDir::new();
        let disk = sample(&dir, closed);
        for path in disk.paths() {
            let is_log = path.extension().is_some_and(|extension| extension == "wal");
            let mut len = 0;
            disk.edit(&path, |bytes| len = bytes.len());
            // Behind the commits a segment is zeros.
            for at in 0..if is_log { len.min(600) } else { len } {
                let damaged = disk.after_kill();
                damaged.edit(&path, |bytes| bytes[at] ^= 0x41);
                let context = format!("byte {at} of {}, closed: {closed}", path.display());
                let store = match open(&damaged, &dir) {
                    Ok(store) => store,
                    Err(error @ crate::store::Error::Format { .. }) => {
                        assert!(at < 16, "{context}: {error}");
                        continue;
                    }
                    Err(error) => panic!("{context}: {error}"),
                };
                let lines = lines_left(&store);
                assert!(lines >= 4, "{context}: {lines} lines left of 5");
            }
        }
    }
}

/// A file that ends early gives what stands before its end, and what the log still has.
#[test]
fn a_file_cut_off_at_any_byte_keeps_what_stands_before() {
    for closed in [false, true] {
        let dir = TempDir::new();
        let disk = sample(&dir, closed);
        for path in disk.paths() {
            let mut len = 0;
            disk.edit(&path, |bytes| len = bytes.len());
            let is_chunk = path.extension().is_some_and(|extension| extension == "chunk");
            // Behind the commits a segment is zeros.
            for at in 0..if is_chunk { len } else { len.min(500) } {
                let cut = disk.after_kill();
                cut.edit(&path, |bytes| bytes.truncate(at));
                let context = format!("{} cut at byte {at}, closed: {closed}", path.display());
                let store = open(&cut, &dir).unwrap_or_else(|error| panic!("{context}: {error}"));
                // The log still has what was sealed last, so a chunk file may lose all it has.
                assert!(!is_chunk || lines_left(&store) == 5, "{context}: {} lines left", lines_left(&store));
                push(&store, "later", [(1, "later".to_owned())]).unwrap();
                store.commit().unwrap();
            }
        }
    }
}

/// Makes a header's checksum fit.
fn seal(header: &mut [u8]) {
    let crc = crc32fast::hash(&header[..HEADER_BYTES - 4]);
    header[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
}

/// A change of a file whose last block starts at the offset.
type Edit = fn(&mut Vec<u8>, usize);

/// What becomes of the end of the file at the next start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Cut,
    Kept,
    Refused,
}

/// What stands behind the last block that can be read is cut off only if no program can make
/// anything of it; in the log there is nothing that could replace it.
#[test]
fn only_the_remains_of_an_append_are_cut_off() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    push(&store, "a", [(1, "first".to_owned())]).unwrap();
    store.flush().unwrap();
    let last = usize::try_from(store.stats().chunk_bytes).unwrap();
    push(&store, "b", [(2, "last".to_owned())]).unwrap();
    store.flush().unwrap();
    drop(store);
    let chunk = disk.paths().into_iter().find(|path| path.ends_with("mixed.chunk")).unwrap();
    for path in disk.paths().iter().filter(|path| path.extension().is_some_and(|extension| extension == "wal")) {
        disk.edit(path, |bytes| bytes.fill(0));
    }
    let table: [(&str, Edit, Then); 12] = [
        ("zeros in the place of the header", |bytes, at| bytes[at..at + HEADER_BYTES].fill(0), Then::Cut),
        ("zeros in the place of the block", |bytes, at| bytes[at..].fill(0), Then::Cut),
        ("half a header", |bytes, at| bytes.truncate(at + HEADER_BYTES / 2), Then::Cut),
        ("half a block", |bytes, at| bytes.truncate(at + HEADER_BYTES + 3), Then::Cut),
        ("another magic", |bytes, at| bytes[at] ^= 1, Then::Kept),
        ("another version, as damage", |bytes, at| bytes[at + 4] = 2, Then::Kept),
        ("another number of lines", |bytes, at| bytes[at + 12] ^= 1, Then::Kept),
        ("another checksum", |bytes, at| bytes[at + HEADER_BYTES - 1] ^= 1, Then::Kept),
        (
            "a damaged header in front of half a block",
            |bytes, at| {
                let mut half = bytes[at..].to_vec();
                half.pop();
                bytes[at + 12] ^= 1;
                bytes.extend(half);
            },
            Then::Kept,
        ),
        (
            "a later version",
            |bytes, at| {
                bytes[at + 4] = 2;
                seal(&mut bytes[at..at + HEADER_BYTES]);
            },
            Then::Refused,
        ),
        (
            "a later codec",
            |bytes, at| {
                bytes[at + 5] = 99;
                seal(&mut bytes[at..at + HEADER_BYTES]);
            },
            Then::Refused,
        ),
        (
            "a later version behind a damaged header",
            |bytes, at| {
                let mut later = bytes[at..].to_vec();
                later[4] = 2;
                seal(&mut later[..HEADER_BYTES]);
                bytes[at + 12] ^= 1;
                bytes.extend(later);
            },
            Then::Refused,
        ),
    ];
    let bytes_of = |disk: &MemDisk| {
        let mut copy = Vec::new();
        disk.edit(&chunk, |bytes| copy.clone_from(bytes));
        copy
    };
    let block_bytes = bytes_of(&disk).len() - last;
    for (name, edit, then) in table {
        let disk = disk.after_kill();
        disk.edit(&chunk, |bytes| edit(bytes, last));
        let before = bytes_of(&disk);
        let store = open(&disk, &dir);
        if then == Then::Refused {
            let error = store.map(drop).unwrap_err().to_string();
            assert!(error.contains("mixed.chunk") && error.contains("a newer narvi wrote"), "{name}: {error}");
            assert!(bytes_of(&disk) == before, "{name}: the file was changed");
            continue;
        }
        let store = store.unwrap();
        let kept = if then == Then::Kept { last + block_bytes } else { last };
        assert!(bytes_of(&disk) == before[..kept], "{name}: {} bytes of {}", bytes_of(&disk).len(), before.len());
        assert_eq!(store.stats().damaged_blocks, u64::from(then == Then::Kept), "{name}");
        // What is appended later is found behind it.
        for n in 0..2 {
            push(&store, "c", [(n, format!("later {n}"))]).unwrap();
            store.flush().unwrap();
        }
        drop(store);
        let store = open(&disk.after_kill(), &dir).unwrap();
        assert_eq!(read(&store, "a").len(), 1, "{name}");
        assert_eq!(read(&store, "b").len(), 0, "{name}");
        assert_eq!(read(&store, "c").len(), 2, "{name}");
        assert_eq!(store.stats().damaged_blocks, u64::from(then == Then::Kept), "{name}, second start");
    }
}
