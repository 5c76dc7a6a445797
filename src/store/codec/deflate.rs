//! Raw DEFLATE (RFC 1951) parts. A part that does not get smaller is kept as it is: then its stored
//! length equals its raw length, which is how a reader tells.

use miniz_oxide::{
    deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params},
    inflate::TINFLStatus,
    inflate::core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
};

use super::Malformed;

/// No DEFLATE stream is longer once inflated, relative to its own length.
const RATIO_MAX: usize = 1032;

/// Compresses part after part with one allocation of the compressor's tables (about 300 KB).
pub(in crate::store) struct Deflater(Box<CompressorOxide>);

/// A piece of a part, and the level at which it is compressed: zlib's, 1 (fast) to 9 (small).
pub(in crate::store) type Section<'a> = (&'a [u8], u8);

impl Deflater {
    pub(in crate::store) fn new() -> Self {
        let (level, raw) = (6, -15); // the level is set for each section; window bits, negative: no zlib header
        Self(Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(level, raw, 0))))
    }

    /// Appends a raw part to `out`, deflated if that makes it smaller, and returns the stored length. The
    /// part consists of sections of different nature: each has Huffman codes of its own. They inflate as one.
    pub(in crate::store) fn put(&mut self, sections: &[Section<'_>], out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let raw_len: usize = sections.iter().map(|(section, _)| section.len()).sum();
        if raw_len == 0 {
            return 0;
        }
        self.0.reset();
        // Room for one byte less than the raw part: what does not fit would not be smaller.
        out.resize(start + raw_len - 1, 0);
        let mut written_all = 0;
        let mut done = false;
        for (at, (section, level)) in sections.iter().enumerate() {
            self.0.set_compression_level_raw(*level);
            let is_last = at + 1 == sections.len();
            let flush = match (is_last, section.len() < SECTION_BYTES_MIN) {
                (true, _) => TDEFLFlush::Finish,
                (false, true) => TDEFLFlush::None,
                (false, false) => TDEFLFlush::Sync,
            };
            let (status, read, written) = compress(&mut self.0, section, &mut out[start + written_all..], flush);
            written_all += written;
            done = is_last && status == TDEFLStatus::Done;
            if read < section.len() || status == TDEFLStatus::BadParam {
                break;
            }
        }
        if done {
            out.truncate(start + written_all);
        } else {
            out.truncate(start);
            for (section, _) in sections {
                out.extend_from_slice(section);
            }
        }
        out.len() - start
    }
}

/// Sections below this size are not worth Huffman codes of their own.
const SECTION_BYTES_MIN: usize = 1 << 10;

/// The raw part of `raw_len` bytes behind `stored`.
pub(in crate::store) fn inflate(stored: &[u8], raw_len: usize) -> Result<Vec<u8>, Malformed> {
    inflate_padded(stored, raw_len, 0)
}

/// The raw part of `raw_len` bytes behind `stored`, and `padding` zeros behind it.
pub(in crate::store) fn inflate_padded(stored: &[u8], raw_len: usize, padding: usize) -> Result<Vec<u8>, Malformed> {
    if stored.len() > raw_len {
        return Err(Malformed("part longer than its raw length"));
    }
    // DEFLATE's longest match, 258 bytes, takes at least two bits.
    if raw_len / RATIO_MAX > stored.len() {
        return Err(Malformed("raw length beyond what DEFLATE can reach"));
    }
    let mut raw = vec![0; raw_len + padding];
    if stored.len() == raw_len {
        raw[..raw_len].copy_from_slice(stored);
        return Ok(raw);
    }
    let mut state = Box::new(DecompressorOxide::new());
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) = decompress(&mut state, stored, &mut raw[..raw_len], 0, flags);
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
        let mut deflater = Deflater::new();
        let mut noise = 1u32;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        })
        .take(5000)
        .collect();
        for raw in [Vec::new(), vec![7], vec![b'a'; 100_000], random, b"a line\nand another line\n".to_vec()] {
            let mut out = b"before".to_vec();
            let stored = deflater.put(&[(&raw, 6)], &mut out);
            assert!(stored <= raw.len());
            assert_eq!(inflate(&out[6..6 + stored], raw.len()).unwrap(), raw);
            let pieces = raw.chunks(raw.len() / 3 + 1).chain([&b""[..]]);
            let sections: Vec<Section<'_>> = pieces.zip([6, 1, 4, 9]).collect();
            let mut out = Vec::new();
            deflater.put(&sections, &mut out);
            assert_eq!(inflate(&out, raw.len()).unwrap(), raw, "in sections");
        }
    }

    #[test]
    fn each_section_has_codes_of_its_own() {
        let mut noise = 1u32;
        let mut section = |first: u8| -> Vec<u8> {
            let mut next = || {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                first + (noise >> 30) as u8
            };
            (0..8000).map(|_| next()).collect()
        };
        let (low, high) = (section(b'0'), section(b'a'));
        let (mut apart, mut together) = (Vec::new(), Vec::new());
        let mut deflater = Deflater::new();
        deflater.put(&[(&low, 6), (&high, 6)], &mut apart);
        deflater.put(&[(&[low, high].concat(), 6)], &mut together);
        assert!(apart.len() < together.len(), "{} and {}", apart.len(), together.len());
    }

    #[test]
    fn a_lower_level_is_larger() {
        let words = ["error", "warning", "of", "the", "disk", "network", "is", "down", "again"];
        let text: String = (0..9000_usize).map(|n| words[n * n % 83 % 9]).collect();
        let mut deflater = Deflater::new();
        let sizes = [6, 1, 6].map(|level| {
            let mut out = Vec::new();
            deflater.put(&[(text.as_bytes(), level)], &mut out);
            assert_eq!(inflate(&out, text.len()).unwrap(), text.as_bytes());
            out.len()
        });
        assert!(sizes[0] < sizes[1] && sizes[0] == sizes[2], "{sizes:?}");
    }

    #[test]
    fn a_wrong_raw_length_is_malformed() {
        let mut out = Vec::new();
        let raw = vec![b'x'; 1000];
        Deflater::new().put(&[(&raw, 6)], &mut out);
        for wrong in [0, 3, 999, 1001] {
            assert!(inflate(&out, wrong).is_err(), "{wrong}");
        }
    }
}
