//! The time stamps of a block: divided by the largest power of ten that all of them share, then
//! each as the difference to the one before. Milliseconds in nanoseconds cost no more than milliseconds.
//!
//! Layout: one byte, the exponent of the power of ten, at most 13; the first time stamp as a zigzag LEB128 number;
//! the difference of each other one to the one before, modulo 2^64, as a LEB128 number.

use super::super::codec::{Malformed, Reader, put_u64, unzigzag, zigzag};

/// Powers of ten up to a day's worth of nanoseconds are looked for.
const EXPONENT_MAX: u8 = 13;

/// Encodes rising time stamps in nanoseconds.
pub(super) fn encode(timestamps_ns: &[i64]) -> Vec<u8> {
    let (exponent, unit) = common_unit(timestamps_ns);
    let mut out = Vec::with_capacity(timestamps_ns.len() * 2 + 10);
    out.push(exponent);
    let mut before = 0;
    for (at, timestamp_ns) in timestamps_ns.iter().enumerate() {
        let value = timestamp_ns / unit;
        if at == 0 {
            put_u64(&mut out, zigzag(value));
        } else {
            put_u64(&mut out, value.wrapping_sub(before).cast_unsigned());
        }
        before = value;
    }
    out
}

/// Decodes what [`encode`] wrote; `lines` time stamps, or it is malformed.
pub(super) fn decode(bytes: &[u8], lines: usize) -> Result<Vec<i64>, Malformed> {
    let mut reader = Reader::new(bytes);
    let exponent = reader.u8()?;
    if exponent > EXPONENT_MAX || lines > bytes.len() {
        return Err(Malformed("time stamps of another shape"));
    }
    let unit = 10i64.pow(exponent.into());
    let mut out = Vec::with_capacity(lines);
    let mut value = 0i64;
    for at in 0..lines {
        value = if at == 0 { unzigzag(reader.u64()?) } else { value.wrapping_add(reader.u64()?.cast_signed()) };
        out.push(value.checked_mul(unit).ok_or(Malformed("time stamp over 64 bits"))?);
    }
    if reader.is_empty() { Ok(out) } else { Err(Malformed("bytes after the last time stamp")) }
}

fn common_unit(timestamps_ns: &[i64]) -> (u8, i64) {
    let mut exponent = EXPONENT_MAX;
    let mut unit = 10i64.pow(EXPONENT_MAX.into());
    for timestamp_ns in timestamps_ns {
        while timestamp_ns % unit != 0 {
            exponent -= 1;
            unit /= 10;
        }
        if exponent == 0 {
            break;
        }
    }
    (exponent, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_come_back() {
        for stamps in [
            vec![0],
            vec![i64::MIN, i64::MIN, -1, 0, 1, i64::MAX],
            vec![1_795_356_123_000_000_000, 1_795_356_123_500_000_000, 1_795_356_124_000_000_000],
            (0..1000).map(|n| n * n * 1_000_000).collect(),
        ] {
            assert_eq!(decode(&encode(&stamps), stamps.len()), Ok(stamps));
        }
    }

    #[test]
    fn milliseconds_are_stored_as_milliseconds() {
        let stamps: Vec<i64> = (0..100).map(|n| 1_795_356_123_000_000_000 + n * 1_000_000).collect();
        assert_eq!(encode(&stamps).len(), 1 + 6 + 99, "exponent, first, one byte for each of the others");
    }

    #[test]
    fn what_does_not_fit_is_malformed() {
        let bytes = encode(&[5, 6, 7]);
        assert!(decode(&bytes, 2).is_err() && decode(&bytes, 4).is_err());
        assert!(decode(&bytes[..2], 3).is_err());
        assert!(decode(&[], 0).is_err());
        assert!(decode(&[14, 0], 1).is_err());
    }
}
