//! gzip (RFC 1952) and deflate (RFC 1950 and 1951) bodies, decompressed piece by piece so that the
//! size is bounded while it grows.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use super::PushError;
use super::encoding::{Sent, append_bounded};

/// Bits of a gzip header's flags.
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Bytes that are decompressed at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// A gzip file: one or more members behind each other, each verified by its checksum and size.
pub(super) fn gzip(sent: &mut Sent<'_>, plain_bytes_max: usize) -> Result<Vec<u8>, PushError> {
    let mut plain = Vec::new();
    loop {
        skip_member_header(sent)?;
        let start = plain.len();
        inflate_one("gzip", DataFormat::Raw, sent, &mut plain, plain_bytes_max)?;
        let member = &plain[start..];
        if little_endian(sent)? != crc32fast::hash(member) {
            return Err(PushError::malformed("gzip", "its checksum is wrong"));
        }
        let size_mod_2_32 = u32::try_from(member.len() & 0xffff_ffff).unwrap_or(u32::MAX);
        if little_endian(sent)? != size_mod_2_32 {
            return Err(PushError::malformed("gzip", "its size is wrong"));
        }
        if sent.peek()?.is_empty() {
            return Ok(plain);
        }
    }
}

/// A deflate stream. Clients disagree whether the name means the raw stream or zlib's wrapping of
/// it, so the first two bytes decide.
pub(super) fn deflate(sent: &mut Sent<'_>, plain_bytes_max: usize) -> Result<Vec<u8>, PushError> {
    let wrapped = match sent.peek_at_least(2)? {
        [method, flags, ..] => method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31),
        _ => false,
    };
    let mut plain = Vec::new();
    let format = if wrapped { DataFormat::Zlib } else { DataFormat::Raw };
    inflate_one("deflate", format, sent, &mut plain, plain_bytes_max)?;
    Ok(plain)
}

/// Appends one deflate stream to `plain` and leaves `sent` behind its last byte.
fn inflate_one(
    name: &'static str,
    format: DataFormat,
    sent: &mut Sent<'_>,
    plain: &mut Vec<u8>,
    plain_bytes_max: usize,
) -> Result<(), PushError> {
    let mut state = InflateState::new_boxed(format);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let result = inflate(&mut state, sent.peek()?, &mut piece, MZFlush::None);
        sent.take(result.bytes_consumed);
        append_bounded(plain, &piece[..result.bytes_written], plain_bytes_max)?;
        match result.status {
            Ok(MZStatus::StreamEnd) => return Ok(()),
            Ok(_) | Err(MZError::Buf) if result.bytes_consumed + result.bytes_written > 0 => {}
            Ok(_) | Err(MZError::Buf) => {
                return Err(PushError::malformed(name, "it ends too early"));
            }
            Err(_) => return Err(PushError::malformed(name, "its compressed data is damaged")),
        }
    }
}

fn skip_member_header(sent: &mut Sent<'_>) -> Result<(), PushError> {
    let mut header = [0; 10];
    for byte in &mut header {
        *byte = gzip_byte(sent)?;
    }
    let flags = header[3];
    if header[..3] != [0x1f, 0x8b, 8] || flags & RESERVED != 0 {
        return Err(PushError::malformed("gzip", "it does not begin as gzip does"));
    }
    if flags & EXTRA != 0 {
        let bytes = u16::from_le_bytes([gzip_byte(sent)?, gzip_byte(sent)?]);
        for _ in 0..bytes {
            gzip_byte(sent)?;
        }
    }
    for text in [NAME, COMMENT] {
        while flags & text != 0 && gzip_byte(sent)? != 0 {}
    }
    if flags & HEADER_CRC != 0 {
        gzip_byte(sent)?;
        gzip_byte(sent)?;
    }
    Ok(())
}

fn little_endian(sent: &mut Sent<'_>) -> Result<u32, PushError> {
    let mut bytes = [0; 4];
    for byte in &mut bytes {
        *byte = gzip_byte(sent)?;
    }
    Ok(u32::from_le_bytes(bytes))
}

fn gzip_byte(sent: &mut Sent<'_>) -> Result<u8, PushError> {
    sent.byte()?.ok_or_else(|| PushError::malformed("gzip", "it ends too early"))
}
