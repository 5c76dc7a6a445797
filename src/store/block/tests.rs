//! Blocks as a whole: whatever goes in comes out, whatever was damaged is noticed.

#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "samples are small")]

use std::cell::RefCell;

use super::{
    samples::{Random, log_entries, odd_entries, random_entries, same},
    *,
};
use crate::labels::LabelSet;

#[test]
fn odd_entries_come_back_sorted() {
    let entries = odd_entries();
    let mut out = b"other bytes".to_vec();
    let header = Encoder::new().encode(3, 40, &entries, &mut out);
    assert_eq!((header.min_ns, header.max_ns, header.lines, header.first_entry), (-7, 9, 6, 40));
    assert_eq!(header.block_bytes() as usize, out.len() - 11);
    same(&decode(&header, &out[11..]).unwrap(), &entries.sorted_by_time().unwrap());
}

#[test]
fn any_bytes_come_back() {
    let mut random = Random(7);
    let mut encoder = Encoder::new();
    for round in 0..400 {
        let entries = random_entries(&mut random, round);
        let mut out = Vec::new();
        let header = encoder.encode(1, 0, &entries, &mut out);
        let sorted = entries.sorted_by_time();
        same(&decode(&header, &out).unwrap(), sorted.as_ref().unwrap_or(&entries));
    }
}

#[test]
fn log_lines_come_back_from_templates() {
    let mut encoder = Encoder::new();
    for lines in [1, 2, 3, 10, 100, 5000, 40] {
        let entries = log_entries(lines);
        let mut out = Vec::new();
        let header = encoder.encode(1, 0, &entries, &mut out);
        assert!(lines < 100 || header.codec == Codec::Templates && header.side.stored > 0);
        same(&decode(&header, &out).unwrap(), &entries);
    }
}

/// With templates only pieces of the lines are looked at.
#[test]
fn the_filter_is_that_of_whole_lines() {
    let mut random = Random(13);
    let mut encoder = Encoder::new();
    let random_blocks = (0..200).map(|round| random_entries(&mut random, round));
    for entries in random_blocks.chain([3, 30, 300, 3000].map(log_entries)) {
        let mut out = Vec::new();
        let header = encoder.encode(1, 0, &entries, &mut out);
        let (mut builder, mut filter) = (FilterBuilder::new(), Vec::new());
        for at in 0..entries.len() {
            builder.mark(entries.line(at));
        }
        builder.finish(&mut filter);
        assert_eq!(out[HEADER_BYTES..][..header.filter.stored as usize], filter, "codec {:?}", header.codec);
    }
}

/// More templates and more distinct values than a byte can tell apart.
#[test]
fn many_templates_and_large_dictionaries_come_back() {
    let mut entries = Entries::new();
    let set = entries.intern(&LabelSet::default());
    let word =
        |n: usize| format!("{}{}{}", "abcdefghij".as_bytes()[n % 10] as char, "-".repeat(n % 31), "x".repeat(n % 37));
    for n in 0..20_000_usize {
        let line = format!("{}={} user{}x", word(n % 600), n % 17, (n * n) % 1013);
        entries.push(n as i64, line.as_bytes(), set);
    }
    let mut out = Vec::new();
    let header = Encoder::new().encode(1, 0, &entries, &mut out);
    assert_eq!(header.codec, Codec::Templates);
    same(&decode(&header, &out).unwrap(), &entries);
}

/// Lines of nothing but slots: they may not take more memory than the bound says.
#[test]
fn lines_of_many_slots_come_back() {
    let mut entries = Entries::new();
    let set = entries.intern(&LabelSet::default());
    for n in 0..50 {
        entries.push(n, "1 ".repeat(5000).as_bytes(), set);
        entries.push(n, format!("line {n}").as_bytes(), set);
    }
    let mut out = Vec::new();
    let header = Encoder::new().encode(1, 0, &entries, &mut out);
    same(&decode(&header, &out).unwrap(), &entries);
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed() {
    let entries = log_entries(60);
    let mut out = Vec::new();
    let header = Encoder::new().encode(1, 0, &entries, &mut out);
    let notices = |block: &[u8]| {
        let whole = header.block_bytes() as usize == block.len();
        let filter =
            || Parts::new(&header, |range: std::ops::Range<usize>| block.get(range).ok_or("cut")).filter().map(drop);
        !whole || filter().is_err() || decode(&header, block).is_err()
    };
    assert!(!notices(&out));
    for at in HEADER_BYTES..out.len() {
        let mut flipped = out.clone();
        flipped[at] ^= 0x20;
        assert!(notices(&flipped), "byte {at}");
        assert!(decode(&header, &out[..at]).is_err(), "cut at {at}");
    }
}

/// Damage that the checksums do not notice, because they are those of the damaged bytes.
#[test]
fn damage_under_right_checksums_is_an_error_or_other_entries() {
    let mut random = Random(11);
    let mut encoder = Encoder::new();
    for entries in [log_entries(200), odd_entries(), random_entries(&mut random, 0)] {
        let mut out = Vec::new();
        let header = encoder.encode(1, 0, &entries, &mut out);
        for _ in 0..3000 {
            let mut block = out.clone();
            let at = HEADER_BYTES + random.below(out.len() - HEADER_BYTES);
            block[at] ^= 1 << random.below(8);
            let mut header = header;
            let offsets = header.offsets();
            let parts =
                [&mut header.filter, &mut header.timestamps, &mut header.metadata, &mut header.text, &mut header.side];
            for (part, start) in parts.into_iter().zip(offsets) {
                part.crc = crc32fast::hash(&block[start..start + part.stored as usize]);
            }
            match random.below(6) {
                0 => header.lines = 1 + random.below(header.lines as usize * 2) as u32,
                1 => header.text_bytes = random.below(header.text_bytes as usize * 2) as u32,
                2 => header.text.raw = random.below(header.text.raw as usize * 2) as u32,
                3 => header.has_lengths = !header.has_lengths,
                _ => {}
            }
            if let Ok(decoded) = decode(&header, &block) {
                assert_eq!(decoded.len(), header.lines as usize);
            }
        }
    }
}

#[test]
fn only_the_parts_asked_for_are_read_and_verified() {
    let entries = log_entries(500);
    let mut out = Vec::new();
    let header = Encoder::new().encode(1, 0, &entries, &mut out);
    let text_start = header.offsets()[3];
    out[text_start] ^= 1;
    let read = RefCell::new(Vec::new());
    let parts = Parts::new(&header, |range: std::ops::Range<usize>| {
        read.borrow_mut().push(range.clone());
        Ok::<_, &'static str>(out[range].to_vec())
    });
    assert_eq!(parts.timestamps_ns().unwrap(), entries.timestamps_ns());
    let metadata = parts.metadata().unwrap();
    for (at, set) in metadata.set_of.iter().enumerate() {
        assert_eq!(&metadata.sets[*set as usize], entries.metadata(at));
    }
    assert!(may_contain(&parts.filter().unwrap(), b"Accepted password"));
    assert!(read.borrow().iter().all(|range| range.end <= text_start), "no byte of the text");
    assert!(parts.text().is_err(), "damaged, and noticed as soon as it is read");
}

#[test]
fn runs_of_letters_and_digits_are_found_before_lines_are_put_together() {
    let entries = log_entries(2000);
    let mut out = Vec::new();
    let header = Encoder::new().encode(1, 0, &entries, &mut out);
    let parts = Parts::new(&header, |range: std::ops::Range<usize>| out.get(range).ok_or("cut"));
    let text = parts.text().unwrap();
    let mut random = Random(5);
    for _ in 0..5000 {
        let line = entries.line(random.below(entries.len()));
        let start = random.below(line.len() + 1);
        let needle = &line[start..start + random.below(line.len() - start + 1)];
        assert!(text.may_contain(needle), "{}", needle.escape_ascii());
    }
    for absent in ["17 unheard-of", "accepted", "17x17x17", "trace=0123456789abcdef", "deadbeefdeadbeef", "BLK"] {
        assert!(!text.may_contain(absent.as_bytes()), "{absent}");
    }
    assert!(text.may_contain(b"7 12345-6 8"), "numbers are not looked for");
}

/// A block that the first program wrote: codec 1, metadata as whole sets, no filter, its level 4.
#[test]
fn the_first_blocks_are_still_read() {
    let block: Vec<u8> = FIRST_BLOCK
        .split_whitespace()
        .flat_map(|row| (0..row.len()).step_by(2).map(|at| u8::from_str_radix(&row[at..at + 2], 16).unwrap()))
        .collect();
    let header = Header::decode(block[..HEADER_BYTES].try_into().unwrap()).unwrap();
    let mut entries = Entries::new();
    let none = entries.intern(&LabelSet::default());
    let level = entries.intern(&LabelSet::new(vec![("detected_level".into(), "info".into())]));
    entries.push(1_767_610_800_000_000_000, b"a first line, a first line", level);
    entries.push(1_767_610_801_000_000_000, b"two\nrows", none);
    entries.push(1_767_610_801_000_000_000, b"", level);
    same(&decode(&header, &block).unwrap(), &entries);
    let parts = Parts::new(&header, |range: std::ops::Range<usize>| block.get(range).ok_or("cut"));
    assert!(may_contain(parts.filter().unwrap(), b"anything") && parts.text().unwrap().may_contain(b"first"));
}

const FIRST_BLOCK: &str = "
    4e525642010101000700000003000000280000000000000000e0244ba8d08718
    00aabf86a8d08718250000000000000000000000000000000800000008000000
    16bb886e1a0000001a000000afc872f62100000028000000d5447ab700000000
    00000000000000000000000090b401db09e0e6dc950d010002010e6465746563
    7465645f6c6576656c04696e666f000001004b5448cb2c2a2e51c8c9cc4bd551
    4844e2719594e77315e5971773714971300000";
