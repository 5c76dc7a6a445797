//! A gzip stream (RFC 1952) of another reader, made while it is read. Level 1: on log JSON it is three
//! times as fast as level 6 and gives away a seventh of the size.

use std::io::{self, Read};

use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    deflate::{core::CompressorOxide, stream::deflate},
};

const LEVEL: u8 = 1;
/// Bytes that the deflater gets at a time; it is slow on small bites.
const INPUT_BYTES: usize = 16 * 1024;
/// Magic, method deflate, no flags, no time, fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// Reads as the gzip of `inner`.
pub(super) struct Gzip<R> {
    inner: R,
    deflater: Box<CompressorOxide>,
    input: Vec<u8>,
    consumed: usize,
    input_ended: bool,
    crc: crc32fast::Hasher,
    bytes: u32,
    /// Header or trailer on its way out.
    framing: Vec<u8>,
    deflated_all: bool,
}

impl<R: Read> Gzip<R> {
    pub(super) fn new(inner: R) -> Self {
        let mut deflater = Box::<CompressorOxide>::default();
        deflater.set_format_and_level(DataFormat::Raw, LEVEL);
        Self {
            inner,
            deflater,
            input: Vec::with_capacity(INPUT_BYTES),
            consumed: 0,
            input_ended: false,
            crc: crc32fast::Hasher::new(),
            bytes: 0,
            framing: HEADER.to_vec(),
            deflated_all: false,
        }
    }

    /// Reads a full bite of input, or what is left.
    fn refill(&mut self) -> io::Result<()> {
        self.input.clear();
        self.consumed = 0;
        let read = (&mut self.inner).take(INPUT_BYTES as u64).read_to_end(&mut self.input)?;
        self.input_ended = read < INPUT_BYTES;
        self.crc.update(&self.input);
        // The trailer holds the length modulo 2^32.
        self.bytes = self.bytes.wrapping_add(u32::try_from(read).unwrap_or(0));
        Ok(())
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.framing.is_empty() {
                let sent = self.framing.as_slice().read(buffer)?;
                self.framing.drain(..sent);
                return Ok(sent);
            }
            if self.deflated_all {
                return Ok(0);
            }
            if self.consumed == self.input.len() && !self.input_ended {
                self.refill()?;
            }
            let flush = if self.input_ended { MZFlush::Finish } else { MZFlush::None };
            let result = deflate(&mut self.deflater, &self.input[self.consumed..], buffer, flush);
            self.consumed += result.bytes_consumed;
            match result.status {
                Ok(MZStatus::StreamEnd) => {
                    self.deflated_all = true;
                    self.framing.extend_from_slice(&self.crc.clone().finalize().to_le_bytes());
                    self.framing.extend_from_slice(&self.bytes.to_le_bytes());
                }
                // It took all input and has nothing to give yet.
                Ok(_) | Err(MZError::Buf) => {}
                Err(error) => return Err(io::Error::other(format!("deflate: {error:?}"))),
            }
            if result.bytes_written > 0 {
                return Ok(result.bytes_written);
            }
        }
    }
}

/// Whether an `Accept-Encoding` header takes gzip.
pub(super) fn is_accepted(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|choice| {
        let mut parts = choice.split(';').map(str::trim);
        let coding = parts.next().unwrap_or("");
        let refused = parts.any(|part| {
            part.strip_prefix("q=")
                .is_some_and(|quality| quality.trim().parse::<f64>().is_ok_and(|quality| quality <= 0.0))
        });
        (coding.eq_ignore_ascii_case("gzip") || coding == "*") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], step: usize) {
        let mut gzip = Gzip::new(text);
        let mut out = Vec::new();
        let mut buffer = vec![0; step];
        loop {
            let read = gzip.read(&mut buffer).unwrap();
            if read == 0 {
                break;
            }
            out.extend_from_slice(&buffer[..read]);
        }
        let (body, trailer) = out.split_at(out.len() - 8);
        assert_eq!(&body[..10], &HEADER);
        let back = miniz_oxide::inflate::decompress_to_vec(&body[10..]).unwrap();
        assert!(back == text, "{} bytes in steps of {step}", text.len());
        assert_eq!(trailer[..4], crc32fast::hash(text).to_le_bytes());
        assert_eq!(trailer[4..], u32::try_from(text.len()).unwrap().to_le_bytes());
    }

    #[test]
    fn any_size_comes_back_whatever_the_reader_asks_for() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for bytes in [0, 1, 1000, INPUT_BYTES - 1, INPUT_BYTES, INPUT_BYTES + 1, text.len()] {
            for step in [1000, 16 * 1024] {
                check(&text[..bytes], step);
            }
        }
        check(&vec![b'x'; 100_000], 7);
    }

    #[test]
    fn an_error_of_the_reader_is_passed_on() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::TimedOut.into())
            }
        }
        assert_eq!(Gzip::new(Broken).read_to_end(&mut Vec::new()).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn accept_encoding() {
        for (header, want) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
            ("xgzip", false),
        ] {
            assert_eq!(is_accepted(header), want, "{header}");
        }
    }
}
