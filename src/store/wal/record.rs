//! What a commit of the write-ahead log holds: entries of streams, and positions of the files they
//! were read from. Layout: docs/format.md, "Write-ahead log".

use std::{borrow::Cow, ops::RangeInclusive};

use super::super::{
    block::{put_set, take_set},
    codec::{Deflater, Malformed, Reader, inflate, put_bytes, put_u64, unzigzag, zigzag},
};
use crate::labels::Entries;

const ENTRIES: u8 = 1;
const POSITION: u8 = 2;
const POSITION_FORGOTTEN: u8 = 3;
const POSITIONS_COMPLETE: u8 = 4;
const GONE: u8 = 5;
const DEFLATED: u8 = 6;

/// Records of a commit with so many bytes are deflated: what is committed by time on a quiet machine then
/// changes a page of the disk less often. Smaller ones gain nothing, and larger ones, of which a busy machine
/// writes many, would cost more than they save.
const DEFLATE_BYTES: RangeInclusive<usize> = if cfg!(test) { 64..=32 << 10 } else { 512..=32 << 10 };
/// What log lines leave to be gained beyond zlib's fastest level is not worth its time here.
const DEFLATE_LEVEL: u8 = 1;

/// One record of a commit.
#[derive(Debug)]
pub(in crate::store) enum Record<'a> {
    /// Entries of one stream; `first_entry` is the number of the first within its stream.
    Entries { stream: u32, first_entry: u64, entries: Entries },
    /// A reader's position.
    Position { key: &'a [u8], value: &'a [u8] },
    /// A position that is no longer needed.
    PositionForgotten { key: &'a [u8] },
    /// All positions follow; those of earlier commits no longer count.
    PositionsComplete,
    /// Entries of a stream with numbers below `end` are not needed from the log: they are in blocks, or
    /// were deleted from them.
    Gone { stream: u32, end: u64 },
}

/// Appends the record of the entries `range`.
pub(in crate::store) fn put_entries(
    out: &mut Vec<u8>,
    stream: u32,
    first_entry: u64,
    entries: &Entries,
    range: std::ops::Range<usize>,
) {
    out.push(ENTRIES);
    put_u64(out, stream.into());
    put_u64(out, first_entry);
    put_u64(out, entries.sets().len() as u64);
    for set in entries.sets() {
        put_set(out, set);
    }
    put_u64(out, range.len() as u64);
    let mut before = 0;
    for at in range {
        let timestamp_ns = entries.timestamp_ns(at);
        put_u64(out, zigzag(timestamp_ns.wrapping_sub(before)));
        before = timestamp_ns;
        put_u64(out, entries.set_of()[at].into());
        put_bytes(out, entries.line(at));
    }
}

/// Appends the record that the entries of a stream below a number are not needed from the log.
pub(in crate::store) fn put_gone(out: &mut Vec<u8>, stream: u32, end: u64) {
    out.push(GONE);
    put_u64(out, stream.into());
    put_u64(out, end);
}

/// Appends the record of a position, or of its end.
pub(super) fn put_position(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    out.push(if value.is_some() { POSITION } else { POSITION_FORGOTTEN });
    put_bytes(out, key);
    if let Some(value) = value {
        put_bytes(out, value);
    }
}

/// Appends the record that all positions follow.
pub(super) fn put_positions_complete(out: &mut Vec<u8>) {
    out.push(POSITIONS_COMPLETE);
}

/// The payload of a commit: its records, deflated if that is worth it.
pub(super) fn pack(records: &[u8]) -> Cow<'_, [u8]> {
    if !DEFLATE_BYTES.contains(&records.len()) {
        return Cow::Borrowed(records);
    }
    let mut packed = vec![DEFLATED];
    put_u64(&mut packed, records.len() as u64);
    Deflater::new().put(&[(records, DEFLATE_LEVEL)], &mut packed);
    if packed.len() < records.len() { Cow::Owned(packed) } else { Cow::Borrowed(records) }
}

/// The records of a payload.
pub(super) fn unpack(payload: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    let Some((&DEFLATED, packed)) = payload.split_first() else { return Ok(Cow::Borrowed(payload)) };
    let mut reader = Reader::new(packed);
    let bytes = reader.size()?;
    if bytes > *DEFLATE_BYTES.end() {
        return Err(Malformed("more deflated records than a commit has"));
    }
    Ok(Cow::Owned(inflate(reader.take(reader.len())?, bytes)?))
}

/// Reads the next record; `None` at the end.
pub(in crate::store) fn take<'a>(reader: &mut Reader<'a>) -> Result<Option<Record<'a>>, Malformed> {
    if reader.is_empty() {
        return Ok(None);
    }
    Ok(Some(match reader.u8()? {
        ENTRIES => {
            let (stream, first_entry) = (reader.u32()?, reader.u64()?);
            let mut entries = Entries::new();
            let sets = reader.count()?;
            let sets = (0..sets).map(|_| Ok(entries.intern(&take_set(reader)?))).collect::<Result<Vec<u32>, _>>()?;
            let mut timestamp_ns = 0i64;
            for _ in 0..reader.count()? {
                timestamp_ns = timestamp_ns.wrapping_add(unzigzag(reader.u64()?));
                let set = *sets.get(reader.u32()? as usize).ok_or(Malformed("metadata set that does not exist"))?;
                entries.push(timestamp_ns, reader.bytes()?, set);
            }
            Record::Entries { stream, first_entry, entries }
        }
        POSITION => Record::Position { key: reader.bytes()?, value: reader.bytes()? },
        POSITION_FORGOTTEN => Record::PositionForgotten { key: reader.bytes()? },
        POSITIONS_COMPLETE => Record::PositionsComplete,
        GONE => Record::Gone { stream: reader.u32()?, end: reader.u64()? },
        _ => return Err(Malformed("record of a later version")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelSet;

    #[test]
    fn records_come_back_and_cut_ones_are_malformed() {
        let mut entries = Entries::new();
        let set = entries.intern(&LabelSet::new(vec![("level".into(), "info".into())]));
        entries.push(5, b"skipped", set);
        entries.push(-3, b"a\nb", set);
        entries.push(i64::MAX, b"", set);
        let mut bytes = Vec::new();
        put_entries(&mut bytes, 7, 100, &entries, 1..3);
        let first_end = bytes.len();
        put_positions_complete(&mut bytes);
        put_position(&mut bytes, b"key", Some(b"value"));
        put_position(&mut bytes, b"key", None);
        put_gone(&mut bytes, 3, 1 << 40);

        let mut reader = Reader::new(&bytes);
        let Some(Record::Entries { stream: 7, first_entry: 100, entries: back }) = take(&mut reader).unwrap() else {
            panic!("entries expected")
        };
        assert_eq!(
            (back.line(0), back.timestamp_ns(1), back.metadata(1).get("level")),
            (&b"a\nb"[..], i64::MAX, Some("info"))
        );
        assert!(matches!(take(&mut reader).unwrap(), Some(Record::PositionsComplete)));
        assert!(matches!(take(&mut reader).unwrap(), Some(Record::Position { key: b"key", value: b"value" })));
        assert!(matches!(take(&mut reader).unwrap(), Some(Record::PositionForgotten { key: b"key" })));
        assert!(matches!(take(&mut reader).unwrap(), Some(Record::Gone { stream: 3, end: 0x100_0000_0000 })));
        assert!(take(&mut reader).unwrap().is_none());
        for cut in 1..first_end {
            assert!(take(&mut Reader::new(&bytes[..cut])).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn payloads_come_back_deflated_or_not() {
        let lines = |count: usize| (0..count).flat_map(|n| format!("line {n} of a commit;").into_bytes());
        for records in [Vec::new(), b"short".to_vec(), lines(50).collect(), lines(5000).collect()] {
            let packed = pack(&records);
            assert_eq!(unpack(&packed).unwrap(), records);
            let deflated = DEFLATE_BYTES.contains(&records.len());
            assert_eq!(packed.len() < records.len() / 2, deflated, "{} of {}", packed.len(), records.len());
            if deflated {
                let mut longer = packed.to_vec();
                longer[1] ^= 1;
                assert!(unpack(&longer).is_err() && unpack(&packed[..packed.len() - 1]).is_err());
            }
        }
        let mut bomb = vec![DEFLATED];
        put_u64(&mut bomb, 1 << 40);
        assert!(unpack(&bomb).is_err());
    }
}
