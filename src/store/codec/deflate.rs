//! Raw DEFLATE (RFC 1951) parts. A part that does not get smaller is kept as it is: then its stored
//! length equals its raw length, which is how a reader tells.

use miniz_oxide::{
    deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params},
    inflate::TINFLStatus,
    inflate::core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
};

use super::Malformed;

/// Compresses part after part with one allocation of the compressor's tables (about 300 KB).
pub(in crate::store) struct Deflater(Box<CompressorOxide>);

impl Deflater {
    /// A compressor at zlib's `level`, 1 (fast) to 9 (small).
    pub(in crate::store) fn new(level: u8) -> Self {
        let raw = -15; // window bits; negative: no zlib header
        Self(Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(level.into(), raw, 0))))
    }

    /// Appends `raw` to `out`, deflated if that makes it smaller, and returns the stored length.
    pub(in crate::store) fn put(&mut self, raw: &[u8], out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if raw.is_empty() {
            return 0;
        }
        self.0.reset();
        // Room for one byte less than the raw part: what does not fit would not be smaller.
        out.resize(start + raw.len() - 1, 0);
        let (status, _, written) = compress(&mut self.0, raw, &mut out[start..], TDEFLFlush::Finish);
        if status == TDEFLStatus::Done {
            out.truncate(start + written);
        } else {
            out.truncate(start);
            out.extend_from_slice(raw);
        }
        out.len() - start
    }
}

/// The raw part of `raw_len` bytes behind `stored`.
pub(in crate::store) fn inflate(stored: &[u8], raw_len: usize) -> Result<Vec<u8>, Malformed> {
    if stored.len() == raw_len {
        return Ok(stored.to_vec());
    }
    if stored.len() > raw_len {
        return Err(Malformed("part longer than its raw length"));
    }
    let mut raw = vec![0; raw_len];
    let mut state = Box::new(DecompressorOxide::new());
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) = decompress(&mut state, stored, &mut raw, 0, flags);
    if status == TINFLStatus::Done && read == stored.len() && written == raw_len {
        Ok(raw)
    } else {
        Err(Malformed("deflated part does not inflate to its raw length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_whether_they_shrink_or_not() {
        let mut deflater = Deflater::new(6);
        let mut noise = 1u32;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        })
        .take(5000)
        .collect();
        for raw in [Vec::new(), vec![7], vec![b'a'; 100_000], random, b"a line\nand another line\n".to_vec()] {
            let mut out = b"before".to_vec();
            let stored = deflater.put(&raw, &mut out);
            assert!(stored <= raw.len());
            assert_eq!(inflate(&out[6..6 + stored], raw.len()).unwrap(), raw);
        }
    }

    #[test]
    fn a_wrong_raw_length_is_malformed() {
        let mut out = Vec::new();
        let raw = vec![b'x'; 1000];
        Deflater::new(6).put(&raw, &mut out);
        for wrong in [0, 3, 999, 1001] {
            assert!(inflate(&out, wrong).is_err(), "{wrong}");
        }
    }
}
