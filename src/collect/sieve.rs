//! Whether a file holds text, asked once before its first line is read. Reads 4 KiB, never a hole:
//! a sparse file of gigabytes costs one block. Names are only the first sieve; this test decides.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use rustix::{
    fs::{SeekFrom, seek},
    io::Errno,
};

use super::{Encoding, decode::Charset, meta::Meta};

/// Bytes that are judged.
const SAMPLE_BYTES: usize = 4096;
/// Zero bytes that one call skips; a disk full of them must not hold up the other files.
const ZERO_BYTES_MAX: u64 = 1024 * 1024;
/// A file of which less than one part in so many is allocated is sparse.
const SPARSE_RATIO: u64 = 16;
/// A file below this size is never treated as sparse.
const SPARSE_BYTES_MIN: u64 = 1024 * 1024;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing but zero bytes up to here, perhaps nothing at all: ask again when the file grows.
    Undecided {
        /// Where to look next.
        from: u64,
    },
    /// Text.
    Text {
        /// Its character set.
        charset: Charset,
        /// Its first byte, behind a byte order mark or leading zero bytes.
        start: u64,
    },
    /// Something else, and how that was seen.
    Binary {
        /// As in "zero byte at 12; if it is UTF-16 set `encoding`".
        reason: String,
    },
}

impl Content {
    /// What is known of a file before it was looked at.
    pub(super) const UNKNOWN: Self = Self::Undecided { from: 0 };
}

/// Beginnings that no text has.
const MAGIC: [(&[u8], &str); 11] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LPKSHHRH", "systemd journal"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x7fELF", "ELF"),
    (b"\xca\xfe\xba\xbe", "Java class"),
    (b"\x89PNG\r\n", "PNG"),
];

/// Looks at a file. `from` is where an earlier look stopped, `any` takes everything for text.
pub(super) fn examine(
    file: &File,
    meta: &Meta,
    path: &Path,
    encoding: Encoding,
    any: bool,
    from: u64,
) -> io::Result<Content> {
    let mut sample = [0; SAMPLE_BYTES];
    let mut at = from;
    let sparse = meta.size > SPARSE_BYTES_MIN && meta.allocated < meta.size / SPARSE_RATIO;
    if sparse || from > 0 {
        match next_data(file, at)? {
            Some(data) => at = data,
            None => return Ok(Content::Undecided { from }),
        }
    }
    loop {
        let len = read_some(file, &mut sample, at)?;
        let bytes = &sample[..len];
        if at == 0
            && let Some(content) = by_beginning(bytes, path, encoding, any)
        {
            return Ok(content);
        }
        if let Some(zeros) = bytes.iter().position(|byte| *byte != 0) {
            at += zeros as u64;
            let len = if zeros > 0 { read_some(file, &mut sample, at)? } else { len };
            return Ok(match binary_reason(&sample[..len], at) {
                Some(reason) if !any => Content::Binary { reason },
                _ => Content::Text { charset: Charset::without_mark(encoding), start: at },
            });
        }
        at += len as u64;
        if len < SAMPLE_BYTES || at - from > ZERO_BYTES_MAX {
            return Ok(Content::Undecided { from: at });
        }
        match next_data(file, at)? {
            Some(data) => at = data,
            None => return Ok(Content::Undecided { from: at }),
        }
    }
}

/// The first allocated byte at or behind an offset; `None` if only a hole follows. File systems that
/// know no holes say that everything is data.
pub(super) fn next_data(file: &File, from: u64) -> io::Result<Option<u64>> {
    match seek(file, SeekFrom::Data(from)) {
        Ok(at) => Ok(Some(at)),
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL) => Ok(Some(from)),
        Err(error) => Err(error.into()),
    }
}

/// What the first bytes of a file decide on their own.
fn by_beginning(bytes: &[u8], path: &Path, encoding: Encoding, any: bool) -> Option<Content> {
    let text = |charset, start| Some(Content::Text { charset, start });
    let marks_count = encoding != Encoding::Windows1252;
    if marks_count && bytes.starts_with(b"\xff\xfe") {
        return text(Charset::Utf16Le, 2);
    }
    if marks_count && bytes.starts_with(b"\xfe\xff") {
        return text(Charset::Utf16Be, 2);
    }
    if encoding == Encoding::Utf8 && bytes.starts_with(b"\xef\xbb\xbf") {
        return match binary_reason(&bytes[3..], 3) {
            Some(reason) if !any => Some(Content::Binary { reason }),
            _ => text(Charset::Utf8, 3),
        };
    }
    if !any {
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Some(Content::Binary { reason: format!("begins as {kind}") });
        }
        if path.ends_with("container.log") && path.iter().any(|name| name == "local-logs") {
            return Some(Content::Binary { reason: "written by Docker's local driver".into() });
        }
    }
    match encoding {
        Encoding::Utf16 | Encoding::Utf16Le | Encoding::Utf16Be if !bytes.is_empty() => {
            text(Charset::without_mark(encoding), 0)
        }
        Encoding::Utf8 => text(utf16_without_mark(bytes)?, 0),
        _ => None,
    }
}

/// Text that is mostly ASCII has its zero bytes on every second place.
fn utf16_without_mark(bytes: &[u8]) -> Option<Charset> {
    let zeros = |odd: usize| bytes.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if bytes.len() < 4 || (even + odd) * 10 < bytes.len() * 3 {
        return None;
    }
    if even * 20 <= odd {
        Some(Charset::Utf16Le)
    } else if odd * 20 <= even {
        Some(Charset::Utf16Be)
    } else {
        None
    }
}

/// Why bytes are no text in UTF-8 or a set of single bytes. Zero bytes at the end prove nothing: a
/// power cut leaves them there.
fn binary_reason(bytes: &[u8], offset: u64) -> Option<String> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = &bytes[..end];
    if let Some(zero) = memchr::memchr(0, text) {
        return Some(format!("zero byte at {}; if it is UTF-16 set `encoding`", offset + zero as u64));
    }
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c' | b'\x08' | b'\x1b');
    let controls = text.iter().filter(|byte| control(byte)).count();
    (controls * 10 > text.len()).then(|| format!("{controls} control characters in {} bytes", text.len()))
}

/// Reads until the buffer is full or the file ends.
fn read_some(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match file.read_at(&mut buffer[len..], at + len as u64) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::scratch::Scratch;

    fn utf16le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn content(bytes: &[u8], encoding: Encoding) -> Content {
        let scratch = Scratch::new();
        let path = scratch.path("file");
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        let meta = Meta::of_file(&file).unwrap();
        examine(&file, &meta, &path, encoding, false, 0).unwrap()
    }

    #[test]
    fn tells_text_from_the_rest() {
        let text = |charset, start| Some((charset, start));
        let utf16be: Vec<u8> = "a line\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let latin: &[u8] = b"gr\xfcn\n";
        let mut utmp = vec![7_u8, 0, 0, 0, 0x39, 5, 0, 0];
        utmp.extend(b"pts/0");
        utmp.resize(384, 0);
        let mut faillog = vec![0_u8; 3 * 32];
        faillog.extend([1, 0, 1, 0, b't', b't', b'y']);
        faillog.resize(4 * 32, 0);
        for (name, bytes, encoding, expected) in [
            ("text", b"Nov 22 line\n".to_vec(), Encoding::Utf8, text(Charset::Utf8, 0)),
            ("latin1 unlabelled", latin.to_vec(), Encoding::Utf8, text(Charset::Utf8, 0)),
            ("latin1", latin.to_vec(), Encoding::Windows1252, text(Charset::Windows1252, 0)),
            ("colours", b"\x1b[31mred\x1b[0m\n".to_vec(), Encoding::Utf8, text(Charset::Utf8, 0)),
            ("mark", b"\xef\xbb\xbftext\n".to_vec(), Encoding::Utf8, text(Charset::Utf8, 3)),
            ("utf-16 mark", [b"\xff\xfe", &utf16le("a\n")[..]].concat(), Encoding::Utf8, text(Charset::Utf16Le, 2)),
            ("utf-16 no mark", utf16le("a line\n"), Encoding::Utf8, text(Charset::Utf16Le, 0)),
            ("utf-16 big no mark", utf16be, Encoding::Utf8, text(Charset::Utf16Be, 0)),
            ("utf-16 told", utf16le("äöü\n"), Encoding::Utf16, text(Charset::Utf16Le, 0)),
            ("leading hole", [&[0; 9000][..], b"text\n"].concat(), Encoding::Utf8, text(Charset::Utf8, 9000)),
            ("zeros at the end", b"text\n\0\0\0".to_vec(), Encoding::Utf8, text(Charset::Utf8, 0)),
            ("gzip", b"\x1f\x8b\x08\x08abc".to_vec(), Encoding::Utf8, None),
            ("journal", b"LPKSHHRH\0\0".to_vec(), Encoding::Utf8, None),
            ("elf", b"\x7fELF\x02\x01".to_vec(), Encoding::Utf8, None),
            ("utmp", utmp, Encoding::Utf8, None),
            ("faillog", faillog, Encoding::Utf8, None),
            ("controls", b"\x01\x02\x03\x04abcdef".to_vec(), Encoding::Utf8, None),
        ] {
            match (content(&bytes, encoding), expected) {
                (Content::Text { charset, start }, Some(expected)) => {
                    assert_eq!((charset, start), expected, "{name}");
                }
                (Content::Binary { .. }, None) => {}
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(content(b"", Encoding::Utf8), Content::UNKNOWN);
        assert_eq!(content(&[0; 100], Encoding::Utf8), Content::Undecided { from: 100 });
    }

    /// One record at the end of 2 GiB: neither time nor memory for the hole before it.
    #[test]
    fn a_sparse_lastlog_costs_one_block() {
        let scratch = Scratch::new();
        let path = scratch.path("lastlog");
        let file = File::create_new(&path).unwrap();
        file.set_len(2 << 30).unwrap();
        let hole = File::open(&path).unwrap();
        let look = |from| examine(&hole, &Meta::of_file(&hole).unwrap(), &path, Encoding::Utf8, false, from).unwrap();
        assert_eq!(look(0), Content::UNKNOWN);
        file.write_all_at(b"\x39\x05\x00\x00pts/0\0\0\0host", (2 << 30) - 4096).unwrap();
        assert!(matches!(look(0), Content::Binary { .. }), "{:?}", look(0));
    }
}
