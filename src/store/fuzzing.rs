//! Entry points for fuzzing the formats on disk: each takes any bytes and panics where a promise is broken.

#![expect(clippy::missing_panics_doc, reason = "what a target panics for is what it says it checks")]

use std::{path::Path, sync::Arc};

use super::{
    block::{self, Codec, Encoder, HEADER_BYTES, Header, Part},
    chunk::Chunks,
    codec::Deflater,
    disk::{Disk, Open},
    label_log::LabelLog,
    snapshot::Columns,
    testing::MemDisk,
    wal,
};
use crate::labels::{Entries, LabelSet, Literal};

/// Lines of a forged block: a header that claims more is bounded by [`super::block`], this only keeps the target fast.
const LINES_MAX: u32 = 1 << 16;

/// A block whose checksums fit, made of any bytes: reading it ends in entries or in an error.
pub fn block_decode(data: &[u8]) {
    let Some((knobs, data)) = data.split_first_chunk::<24>() else { return };
    let half = |at: usize| u32::from(u16::from_le_bytes([knobs[at], knobs[at + 1]]));
    let mut block = vec![0; HEADER_BYTES];
    let mut rest = data;
    let mut deflater = Deflater::new();
    // Filter and side stand as they are; the others are deflated, or random bytes that claim to be.
    let mut part = |length: u32, raw: u32, deflates: bool| {
        let (bytes, behind) = rest.split_at((length as usize).min(rest.len()));
        rest = behind;
        let start = block.len();
        let stored = if deflates { deflater.put(&[(bytes, 1)], &mut block) } else { bytes.len() };
        if !deflates {
            block.extend_from_slice(bytes);
        }
        let crc = crc32fast::hash(&block[start..]);
        let raw = if raw == 0 { u32::try_from(bytes.len()).unwrap_or(0) } else { raw };
        Part { stored: u32::try_from(stored).unwrap_or(0), raw, crc }
    };
    let flags = knobs[0];
    let parts = [
        part(half(2), 0, false),
        part(half(4), half(6), flags & 1 == 0),
        part(half(8), half(10), flags & 2 == 0),
        part(half(12), half(14), flags & 4 == 0),
        part(half(16), 0, false),
    ];
    let [filter, timestamps, metadata, text, side] = parts;
    let lines = (half(18) | u32::from(knobs[20]) << 16).min(LINES_MAX);
    let header = Header {
        codec: if flags & 8 == 0 { Codec::Templates } else { Codec::Text },
        has_lengths: flags & 16 != 0,
        has_metadata_columns: flags & 32 != 0,
        stream: 0,
        lines,
        first_entry: 0,
        min_ns: 0,
        max_ns: i64::MAX,
        text_bytes: half(21),
        filter,
        timestamps,
        metadata,
        text,
        side,
        missing: half(22),
    };
    let Ok(header) = Header::decode(&header.encode()) else { return };
    let required = [vec![Literal { text: b"error".to_vec(), fold_case: false }]];
    _ = block::may_hold(&header, &block, &required);
    for columns in [Columns::ALL, Columns { lines: false, metadata: true }, Columns { lines: true, metadata: false }] {
        for required in [&required[..], &[]] {
            if let Ok(Some(entries)) = block::decode_where(&header, &block, columns, required) {
                assert_eq!(entries.len(), lines as usize);
            }
        }
    }
}

/// Any entries come back from the block that they are written to, and its filter denies none of them.
pub fn block_identity(data: &[u8]) {
    let entries = entries_of(data);
    if entries.is_empty() {
        return;
    }
    let mut written = Vec::new();
    let header = Encoder::new().encode(7, 1000, &entries, &mut written);
    assert_eq!(header.block_bytes(), written.len() as u64);
    let expected = entries.sorted_by_time().unwrap_or(entries);
    let read = block::decode(&header, &written).unwrap_or_else(|error| panic!("{error}: {expected:?}"));
    assert_eq!(read.len(), expected.len());
    for at in 0..read.len() {
        let of =
            |entries: &Entries| (entries.timestamp_ns(at), entries.line(at).to_vec(), entries.metadata(at).to_string());
        assert_eq!(of(&read), of(&expected), "entry {at}");
        let literal = Literal { text: expected.line(at).to_vec(), fold_case: false };
        assert_eq!(block::may_hold(&header, &written, &[vec![literal]]), Ok(true), "the filter denies line {at}");
    }
}

/// A segment of the write-ahead log: any bytes, and any bytes as the payload of a commit.
pub fn wal(data: &[u8]) {
    for segment in [data.to_vec(), wal::segment_of(data)] {
        let disk = MemDisk::default();
        put(&disk, Path::new("/wal/0000000000000001.wal"), &segment);
        drop(wal::replay(&disk, Path::new("/wal"), |_, _| {}));
    }
}

/// A label log: any bytes; and streams that were appended come back, also behind damage.
pub fn label_log(data: &[u8]) {
    let path = Path::new("/labels");
    let any = MemDisk::default();
    put(&any, path, data);
    let any: Arc<dyn Disk> = Arc::new(any);
    drop(LabelLog::open(&any, path));

    let disk: Arc<dyn Disk> = Arc::new(MemDisk::default());
    let entries = entries_of(data);
    let streams: Vec<_> = (0..).zip(entries.sets().iter().map(|set| Arc::new(set.clone()))).collect();
    let open = || LabelLog::open(&disk, path).unwrap_or_else(|error| panic!("{error}"));
    open().log.append(&streams).unwrap_or_else(|error| panic!("{error}"));
    let read = open().streams;
    assert!(read.iter().map(|(number, set)| (*number, set)).eq(streams.iter().map(|(number, set)| (*number, &**set))));
}

/// A chunk file: any bytes; and blocks behind each other of which some bytes were overwritten.
pub fn chunk(data: &[u8]) {
    let Some((knobs, data)) = data.split_first_chunk::<8>() else { return };
    let entries = entries_of(data);
    let (at, with) = (u32::from_le_bytes([knobs[0], knobs[1], knobs[2], 0]) as usize, &knobs[3..]);
    let mut files = vec![data.to_vec()];
    if !entries.is_empty() {
        let disk: Arc<dyn Disk> = Arc::new(MemDisk::default());
        let dir = Path::new("/chunks");
        let opened = disk
            .create_dir(dir)
            .map_err(|error| error.to_string())
            .and_then(|()| Chunks::open(&disk, dir, &|_| false).map_err(|error| error.to_string()));
        let mut chunks = opened.unwrap_or_else(|error| panic!("{error}")).chunks;
        let (mut encoder, mut block) = (Encoder::new(), Vec::new());
        for first_entry in [0, 1000, 2000] {
            block.clear();
            let header = encoder.encode(1, first_entry, &entries, &mut block);
            chunks.append(&header, &block).unwrap_or_else(|error| panic!("{error}"));
        }
        let paths: Vec<_> = chunks.files().map(|((day, name), _)| dir.join(day).join(name)).collect();
        let mut file = contents(&*disk, &paths[0]);
        let start = at % file.len();
        for (byte, with) in file[start..].iter_mut().zip(with) {
            *byte ^= with;
        }
        files.push(file);
    }
    for file in files {
        let disk = MemDisk::default();
        put(&disk, Path::new("/chunks/2026-01-01/1.chunk"), &file);
        let disk: Arc<dyn Disk> = Arc::new(disk);
        for in_log in [false, true] {
            let Ok(opened) = Chunks::open(&disk, Path::new("/chunks"), &|_| in_log) else { continue };
            for written in &opened.blocks {
                drop(written.block.read_where(&*disk, Columns::ALL, &[]));
            }
        }
    }
}

/// Entries made of any bytes: lines between 0xFF, times and metadata by the first bytes of each.
fn entries_of(data: &[u8]) -> Entries {
    let mut entries = Entries::new();
    let mut timestamp_ns: i64 = 1_700_000_000_000_000_000;
    if data.is_empty() {
        return entries;
    }
    for line in data.split(|byte| *byte == 0xff) {
        let knob = line.first().copied().unwrap_or(0);
        timestamp_ns = timestamp_ns.wrapping_add(match knob % 8 {
            0 => 0,
            1 => -1_000_000,
            2 => i64::from(knob) << 48,
            3 => i64::MIN,
            step => i64::from(step) * 1_000_000_000,
        });
        let names = ["detected_level", "trace_id", "é"];
        let pairs = names.iter().take(usize::from(knob / 64)).map(|name| {
            let value = String::from_utf8_lossy(&line[..line.len().min(16)]).into_owned();
            ((*name).to_owned(), format!("v{value}"))
        });
        let set = entries.intern(&LabelSet::new(pairs.collect()));
        entries.push(timestamp_ns, line, set);
    }
    entries
}

fn put(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let written = disk.create_dir(dir).and_then(|()| disk.open(path, Open::Create)?.write_all_at(bytes, 0));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn contents(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let read = || {
        let file = disk.open(path, Open::Read)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    read().unwrap_or_else(|error: std::io::Error| panic!("{}: {error}", path.display()))
}
