//! The structured metadata of a block: the distinct sets, a column per name, then which set each line
//! has. Blocks of very many names, and those of the first program, have the sets one by one instead:
//! their number, for each the number of its pairs and each name and value with their lengths, then,
//! unless there is only one set, for each line the number of its set.
//!
//! Layout, all numbers LEB128: how many sets there are, how many names; for each name the name with its
//! length, how many distinct values it has, and these with their lengths, then for each set which of
//! them it has, unless there is only one. The empty value says that a set does not have the name. If
//! distinct values would not save bytes, their number is 0 and the value of each set follows. Sets are
//! in the order in which lines first have them. If there are several, then for each line: 0 for the
//! first set that no line before had, else the number of its set plus one.

use super::super::codec::{Interner, Malformed, Reader, put_bytes, put_u64};
use crate::labels::{Entries, LabelSet};

/// The structured metadata of a block's lines.
#[derive(Debug)]
pub(in crate::store) struct Metadata {
    /// The distinct sets.
    pub(in crate::store) sets: Vec<LabelSet>,
    /// For each line, the index of its set.
    pub(in crate::store) set_of: Vec<u32>,
}

/// Names times sets of a block with columns, present or not: bounds what a damaged block makes of few bytes.
const CELLS_MAX: usize = 1 << 22;

/// Encodes the metadata of all entries; only sets that are used are written. Also says whether they are
/// columns: with very many names they are whole sets.
pub(super) fn encode(entries: &Entries) -> (Vec<u8>, bool) {
    let mut place = vec![u32::MAX; entries.sets().len()];
    let mut used = Vec::new();
    let mut set_of = Vec::new();
    for set in entries.set_of() {
        let place = &mut place[*set as usize];
        if *place == u32::MAX {
            *place = u32::try_from(used.len()).unwrap_or(u32::MAX);
            used.push(&entries.sets()[*set as usize]);
            set_of.push(0);
        } else {
            put_u64(&mut set_of, u64::from(*place) + 1);
        }
    }
    let mut names: Vec<&str> = used.iter().flat_map(|set| set.iter().map(|(name, _)| name)).collect();
    names.sort_unstable();
    names.dedup();
    let mut out = Vec::new();
    put_u64(&mut out, used.len() as u64);
    if names.len().saturating_mul(used.len()) > CELLS_MAX {
        for set in &used {
            put_set(&mut out, set);
        }
        if used.len() > 1 {
            for set in entries.set_of() {
                put_u64(&mut out, place[*set as usize].into());
            }
        }
        return (out, false);
    }
    put_u64(&mut out, names.len() as u64);
    let mut values = Interner::new();
    let mut places = Vec::with_capacity(used.len());
    for name in names {
        put_bytes(&mut out, name.as_bytes());
        values.clear();
        places.clear();
        places.extend(used.iter().map(|set| values.intern(set.get(name).unwrap_or_default().as_bytes())));
        // Where most values are distinct, a dictionary would only add the places.
        if values.len() > 1 && values.len() > used.len() / 2 {
            put_u64(&mut out, 0);
            for place in &places {
                put_bytes(&mut out, values.get(*place as usize));
            }
            continue;
        }
        put_u64(&mut out, values.len() as u64);
        for number in 0..values.len() {
            put_bytes(&mut out, values.get(number));
        }
        if values.len() > 1 {
            for place in &places {
                put_u64(&mut out, u64::from(*place));
            }
        }
    }
    if used.len() > 1 {
        out.append(&mut set_of);
    }
    (out, true)
}

/// Decodes what [`encode`] wrote for so many lines.
pub(super) fn decode(bytes: &[u8], lines: usize) -> Result<Metadata, Malformed> {
    let mut reader = Reader::new(bytes);
    let count = reader.size()?;
    // Several sets take a byte each, for the line that has each first.
    if count == 0 || count > 1 && count > reader.len() {
        return Err(Malformed("number of metadata sets"));
    }
    let names = reader.count()?;
    if names.saturating_mul(count) > CELLS_MAX {
        return Err(Malformed("more metadata than columns hold"));
    }
    let mut pairs: Vec<Vec<(String, String)>> = vec![Vec::new(); count];
    for _ in 0..names {
        let name = reader.str()?;
        let distinct = reader.count()?;
        let values = (0..distinct).map(|_| reader.str()).collect::<Result<Vec<_>, _>>()?;
        for pairs in &mut pairs {
            let value = match values[..] {
                [] => reader.str()?,
                [only] => only,
                _ => values.get(reader.size()?).ok_or(Malformed("metadata value that does not exist"))?,
            };
            if !value.is_empty() {
                pairs.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    let sets: Vec<LabelSet> = pairs.into_iter().map(LabelSet::new).collect();
    let set_of = if count == 1 { vec![0; lines] } else { set_numbers(&mut reader, lines, count)? };
    if reader.is_empty() { Ok(Metadata { sets, set_of }) } else { Err(Malformed("bytes after the metadata")) }
}

fn set_numbers(reader: &mut Reader<'_>, lines: usize, count: usize) -> Result<Vec<u32>, Malformed> {
    if lines > reader.len() {
        return Err(Malformed("metadata of fewer lines"));
    }
    let mut next = 0;
    let mut set_of = Vec::with_capacity(lines);
    for _ in 0..lines {
        let set = reader.u32()?.checked_sub(1).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        if set as usize >= count {
            return Err(Malformed("metadata set that does not exist"));
        }
        set_of.push(set);
    }
    Ok(set_of)
}

/// Decodes the form before columns: the number of sets and each set, then, unless there is only one,
/// the number of each line's set.
pub(super) fn decode_sets(bytes: &[u8], lines: usize) -> Result<Metadata, Malformed> {
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
    if reader.is_empty() { Ok(Metadata { sets, set_of }) } else { Err(Malformed("bytes after the metadata")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn entries(sets: &[LabelSet]) -> Entries {
        let mut entries = Entries::new();
        entries.intern(&set(&[("never", "used")]));
        for (at, set) in (0..).zip(sets) {
            let set = entries.intern(set);
            entries.push(at, b"", set);
        }
        entries
    }

    fn samples() -> [Vec<LabelSet>; 4] {
        let trace = |n: usize| format!("{:032x}", n as u64 * 0x9e37_79b9_7f4a);
        [
            vec![set(&[]); 3],
            vec![set(&[("k", "only")]), set(&[]), set(&[("k", "only")])],
            (0..100).map(|n| set(&[("detected_level", ["info", "warn"][n % 2])])).collect(),
            (0..100).map(|n| set(&[("trace_id", &trace(n)), (["a", "b"][n % 2], "1")])).collect(),
        ]
    }

    #[test]
    fn sets_come_back_in_the_order_of_their_lines() {
        for sets in samples() {
            let decoded = decode(&encode(&entries(&sets)).0, sets.len()).unwrap();
            let back: Vec<_> = decoded.set_of.iter().map(|set| &decoded.sets[*set as usize]).collect();
            assert_eq!(back, sets.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn levels_cost_a_byte_per_line_and_ids_no_more_than_their_text() {
        let [_, _, levels, ids] = samples();
        assert!(encode(&entries(&levels)).0.len() < 100 + 40);
        assert!(encode(&entries(&ids)).0.len() < 100 * (33 + 1 + 1 + 1) + 40);
    }

    #[test]
    fn very_many_names_make_whole_sets() {
        let sets: Vec<_> = (0..2100).map(|n| set(&[(&format!("name{n}"), "1"), ("all", "2")])).collect();
        let (bytes, are_columns) = encode(&entries(&sets));
        assert!(!are_columns);
        let decoded = decode_sets(&bytes, sets.len()).unwrap();
        assert_eq!((decoded.sets.len(), &decoded.sets[2099]), (2100, &sets[2099]));
        assert!(decode(&[&[0x80, 0x80, 4, 0x80, 0x80, 4][..], &vec![0; 70_000]].concat(), 70_000).is_err());
    }

    #[test]
    fn what_is_cut_or_changed_is_malformed_or_other_metadata() {
        for sets in samples() {
            let bytes = encode(&entries(&sets)).0;
            assert!(decode(&bytes, sets.len() + 1).is_err() || sets.iter().all(|set| *set == sets[0]));
            for at in 0..bytes.len() {
                assert!(decode(&bytes[..at], sets.len()).is_err(), "cut at {at}");
                for flip in [1, 0x20, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    if let Ok(metadata) = decode(&changed, sets.len()) {
                        assert!(metadata.set_of.iter().all(|set| (*set as usize) < metadata.sets.len()));
                    }
                }
            }
        }
    }

    #[test]
    fn the_form_before_columns_is_still_read() {
        let mut bytes = vec![2];
        put_set(&mut bytes, &set(&[("a", "1")]));
        put_set(&mut bytes, &set(&[]));
        bytes.extend([1, 0, 1]);
        let decoded = decode_sets(&bytes, 3).unwrap();
        assert_eq!((decoded.sets.len(), decoded.set_of), (2, vec![1, 0, 1]));
        assert!(decode_sets(&bytes, 2).is_err() && decode_sets(&bytes[..bytes.len() - 1], 3).is_err());
    }
}
