//! The structured metadata of a block: the distinct sets, then which set each line has, unless
//! there is only one.

use super::super::codec::{Malformed, Reader, put_bytes, put_u64};
use crate::labels::{Entries, LabelSet};

/// Encodes the metadata of all entries; only sets that are used are written.
pub(super) fn encode(entries: &Entries) -> Vec<u8> {
    let mut place = vec![u32::MAX; entries.sets().len()];
    let mut used = Vec::new();
    for set in entries.set_of() {
        let place = &mut place[*set as usize];
        if *place == u32::MAX {
            *place = u32::try_from(used.len()).unwrap_or(u32::MAX);
            used.push(*set);
        }
    }
    let mut out = Vec::new();
    put_u64(&mut out, used.len() as u64);
    for set in &used {
        put_set(&mut out, &entries.sets()[*set as usize]);
    }
    if used.len() > 1 {
        for set in entries.set_of() {
            put_u64(&mut out, place[*set as usize].into());
        }
    }
    out
}

/// Decodes what [`encode`] wrote: the sets, and for each of `lines` the index of its set.
pub(super) fn decode(bytes: &[u8], lines: usize) -> Result<(Vec<LabelSet>, Vec<u32>), Malformed> {
    let mut reader = Reader::new(bytes);
    let sets = (0..reader.count()?).map(|_| take_set(&mut reader)).collect::<Result<Vec<_>, _>>()?;
    let set_of = match sets.len() {
        0 => return Err(Malformed("no metadata set")),
        1 => vec![0; lines],
        known => {
            if lines > bytes.len() {
                return Err(Malformed("metadata of fewer lines"));
            }
            let mut set_of = Vec::with_capacity(lines);
            for _ in 0..lines {
                let set = reader.u32()?;
                if set as usize >= known {
                    return Err(Malformed("metadata set that does not exist"));
                }
                set_of.push(set);
            }
            set_of
        }
    };
    if reader.is_empty() { Ok((sets, set_of)) } else { Err(Malformed("bytes after the metadata")) }
}

/// Appends one set of pairs.
pub(in crate::store) fn put_set(out: &mut Vec<u8>, set: &LabelSet) {
    put_u64(out, set.len() as u64);
    for (name, value) in set.iter() {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

/// Reads one set of pairs.
pub(in crate::store) fn take_set(reader: &mut Reader<'_>) -> Result<LabelSet, Malformed> {
    let count = reader.count()?;
    let mut pairs = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        pairs.push((reader.str()?.to_owned(), reader.str()?.to_owned()));
    }
    Ok(LabelSet::new(pairs))
}
