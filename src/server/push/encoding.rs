//! The bytes of a body as its `Content-Encoding` wraps them. Both the sent and the decompressed
//! size are bounded while they are read, so that no body can take more memory than the limits say.

use std::io::{ErrorKind, Read};

use super::{BodyLimits, PushError, inflate};

/// Reads a body and undoes its `Content-Encoding`: none, `identity`, `gzip`, `deflate` (raw or in
/// zlib's wrapping), or `snappy`, which only announces what a protobuf body is anyway.
pub fn read_body(
    content_encoding: Option<&str>,
    body: &mut dyn Read,
    limits: &BodyLimits,
) -> Result<Vec<u8>, PushError> {
    let name = content_encoding.unwrap_or("").trim();
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let mut sent = Sent::new(body, limits.sent_bytes_max);
    if name.is_empty() || is("identity") || is("snappy") {
        sent.rest(limits.plain_bytes_max)
    } else if is("gzip") {
        inflate::gzip(&mut sent, limits.plain_bytes_max)
    } else if is("deflate") {
        inflate::deflate(&mut sent, limits.plain_bytes_max)
    } else {
        Err(PushError::ContentEncoding(name.to_owned()))
    }
}

/// Decompresses the snappy block that a protobuf body is. The block announces its size, which is
/// checked before anything is allocated.
pub(super) fn unsnap(block: &[u8], plain_bytes_max: usize) -> Result<Vec<u8>, PushError> {
    let plain_bytes = snap::raw::decompress_len(block).map_err(|error| PushError::malformed("snappy", &error))?;
    if plain_bytes > plain_bytes_max {
        return Err(PushError::TooLarge { what: "decompressed body", limit: plain_bytes_max });
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(|error| PushError::malformed("snappy", &error))
}

/// A body as it is sent, read in pieces and never beyond its limit.
pub(super) struct Sent<'b> {
    body: &'b mut dyn Read,
    piece: Vec<u8>,
    /// The part of `piece` that was read and not yet taken.
    start: usize,
    end: usize,
    taken_bytes: usize,
    bytes_max: usize,
}

impl<'b> Sent<'b> {
    const PIECE_BYTES: usize = 16 * 1024;

    fn new(body: &'b mut dyn Read, bytes_max: usize) -> Self {
        Self { body, piece: vec![0; Self::PIECE_BYTES], start: 0, end: 0, taken_bytes: 0, bytes_max }
    }

    /// What was read and not yet taken; empty at the end of the body.
    pub(super) fn peek(&mut self) -> Result<&[u8], PushError> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.read_more()?;
        }
        Ok(&self.piece[self.start..self.end])
    }

    /// As [`Sent::peek`], but tries to have so many bytes at hand (at most a piece).
    pub(super) fn peek_at_least(&mut self, bytes: usize) -> Result<&[u8], PushError> {
        if self.end - self.start < bytes {
            self.piece.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < bytes && self.read_more()? > 0 {}
        Ok(&self.piece[self.start..self.end])
    }

    /// Takes so many of the bytes that were peeked at.
    pub(super) fn take(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// The next byte; `None` at the end of the body.
    pub(super) fn byte(&mut self) -> Result<Option<u8>, PushError> {
        let first = self.peek()?.first().copied();
        self.take(usize::from(first.is_some()));
        Ok(first)
    }

    /// All that was not yet taken, of a body of which nothing was peeked at.
    fn rest(&mut self, bytes_max: usize) -> Result<Vec<u8>, PushError> {
        let mut all = Vec::new();
        // One byte more than is allowed shows that there are too many.
        let limit = self.bytes_max.min(bytes_max) as u64;
        (&mut *self.body).take(limit.saturating_add(1)).read_to_end(&mut all).map_err(PushError::Read)?;
        if all.len() > self.bytes_max {
            return Err(PushError::TooLarge { what: "body", limit: self.bytes_max });
        }
        if all.len() > bytes_max {
            return Err(PushError::TooLarge { what: "decompressed body", limit: bytes_max });
        }
        Ok(all)
    }

    fn read_more(&mut self) -> Result<usize, PushError> {
        loop {
            match self.body.read(&mut self.piece[self.end..]) {
                Ok(bytes) => {
                    self.end += bytes;
                    self.taken_bytes += bytes;
                    if self.taken_bytes > self.bytes_max {
                        return Err(PushError::TooLarge { what: "body", limit: self.bytes_max });
                    }
                    return Ok(bytes);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(PushError::Read(error)),
            }
        }
    }
}

/// Appends to decompressed bytes unless they would pass their limit.
pub(super) fn append_bounded(plain: &mut Vec<u8>, bytes: &[u8], bytes_max: usize) -> Result<(), PushError> {
    if plain.len() + bytes.len() > bytes_max {
        return Err(PushError::TooLarge { what: "decompressed body", limit: bytes_max });
    }
    plain.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;

    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

    use super::*;

    /// A member of a gzip file, with the optional parts of a header that `flags` name.
    fn gzip_member(plain: &[u8], flags: u8) -> Vec<u8> {
        let mut member = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255];
        for (flag, part) in [(4, &b"\x03\x00abc"[..]), (8, b"name\0"), (16, b"comment\0"), (2, b"hc")] {
            if flags & flag != 0 {
                member.extend_from_slice(part);
            }
        }
        member.extend(compress_to_vec(plain, 6));
        member.extend(crc32fast::hash(plain).to_le_bytes());
        member.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
        member
    }

    /// A body that comes a few bytes at a time, as over a slow line.
    struct Trickle<'b>(&'b [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = buffer.len().min(3);
            self.0.read(&mut buffer[..bytes])
        }
    }

    fn limits(sent_bytes_max: usize, plain_bytes_max: usize) -> BodyLimits {
        BodyLimits { sent_bytes_max, plain_bytes_max, ..BodyLimits::default() }
    }

    fn read(encoding: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        read_body(Some(encoding), &mut Trickle(body), &limits(1 << 20, 1 << 20)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_encoding_is_undone() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(|n| (n % 1000).to_string().into_bytes()).collect();
        let twice = [&plain[..], &plain].concat();
        let (raw, zlib) = (compress_to_vec(&plain, 6), compress_to_vec_zlib(&plain, 6));
        let members = [gzip_member(&plain, 0), gzip_member(&plain, 30)].concat();
        for (encoding, body, expected) in [
            ("", &plain, &plain),
            (" Identity ", &plain, &plain),
            ("snappy", &plain, &plain),
            ("gzip", &gzip_member(&plain, 0), &plain),
            ("GZIP", &gzip_member(&plain, 31), &plain),
            ("gzip", &gzip_member(b"", 0), &Vec::new()),
            ("gzip", &members, &twice),
            ("deflate", &raw, &plain),
            ("deflate", &zlib, &plain),
            ("deflate", &compress_to_vec(b"", 6), &Vec::new()),
        ] {
            assert!(read(encoding, body).as_ref() == Ok(expected), "{encoding}");
        }
    }

    #[test]
    fn damaged_bodies_are_refused() {
        let member = gzip_member(b"plain", 30);
        for cut in 0..member.len() {
            assert_eq!(
                read("gzip", &member[..cut]),
                Err("cannot read the gzip body: it ends too early".into()),
                "{cut}"
            );
        }
        for encoded in [compress_to_vec(b"plain", 6), compress_to_vec_zlib(b"plain", 6)] {
            for cut in 0..encoded.len() {
                assert_eq!(
                    read("deflate", &encoded[..cut]),
                    Err("cannot read the deflate body: it ends too early".into()),
                    "{cut}"
                );
            }
        }
        for (bytes_before_end, error) in
            [(member.len(), "it does not begin as gzip does"), (8, "its checksum is wrong"), (1, "its size is wrong")]
        {
            let mut damaged = member.clone();
            damaged[member.len() - bytes_before_end] ^= 0x40;
            assert_eq!(read("gzip", &damaged), Err(format!("cannot read the gzip body: {error}")));
        }
        for (encoding, body, error) in [
            ("gzip", &b"plain text, no gzip"[..], "cannot read the gzip body: it does not begin as gzip does"),
            (
                "gzip",
                &[&member[..], b"0123456789"].concat(),
                "cannot read the gzip body: it does not begin as gzip does",
            ),
            ("deflate", b"\xff\xff\xff", "cannot read the deflate body: its compressed data is damaged"),
            ("zstd", b"", "Content-Encoding \"zstd\" not supported"),
            ("gzip, gzip", b"", "Content-Encoding \"gzip, gzip\" not supported"),
        ] {
            assert_eq!(read(encoding, body), Err(error.into()));
        }
    }

    /// Bodies of a thousand times their size are given up as soon as they pass the limit.
    #[test]
    fn both_sizes_are_bounded_while_they_grow() {
        let zeros = vec![0; 3 << 20];
        let members: Vec<u8> = (0..3).flat_map(|_| gzip_member(&zeros[..1 << 20], 0)).collect();
        for (encoding, body) in [
            ("gzip", gzip_member(&zeros, 0)),
            ("gzip", members),
            ("deflate", compress_to_vec(&zeros, 6)),
            ("deflate", compress_to_vec_zlib(&zeros, 6)),
            ("", zeros.clone()),
        ] {
            let read = |sent, plain| match read_body(Some(encoding), &mut &body[..], &limits(sent, plain)) {
                Err(PushError::TooLarge { what, .. }) => what,
                Err(error) => panic!("{error}"),
                Ok(plain) => {
                    assert_eq!(plain.len(), 3 << 20);
                    "nothing"
                }
            };
            assert_eq!(read(4 << 20, (3 << 20) - 1), "decompressed body", "{encoding}");
            assert_eq!(read(4 << 20, 3 << 20), "nothing", "{encoding}");
            assert_eq!(read(body.len(), 3 << 20), "nothing", "{encoding}");
            assert_eq!(read(body.len() - 1, 3 << 20), "body", "{encoding}");
        }
    }

    #[test]
    fn the_size_that_snappy_announces_is_checked_first() {
        let block = snap::raw::Encoder::new().compress_vec(&[0; 1000]).unwrap();
        assert_eq!(unsnap(&block, 1000).unwrap().len(), 1000);
        assert!(matches!(unsnap(&block, 999), Err(PushError::TooLarge { what: "decompressed body", limit: 999 })));
        let announces_4_gib = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(matches!(unsnap(&announces_4_gib, 1000), Err(PushError::TooLarge { .. })));
    }

    #[test]
    fn an_error_of_the_connection_is_handed_on() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::TimedOut.into())
            }
        }
        let error = read_body(None, &mut Broken, &BodyLimits::default()).unwrap_err();
        assert!(matches!(error, PushError::Read(error) if error.kind() == ErrorKind::TimedOut));
    }
}
