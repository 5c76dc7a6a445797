//! Bytes of the disk formats: variable-length numbers and strings, and deflated parts. Decoding
//! never panics: what does not fit is [`Malformed`].

mod bits;
mod decimal;
mod deflate;
mod interner;
mod varint;

pub(super) use bits::{Unpacker as BitUnpacker, pack as pack_bits, packed_bytes, width as bit_width};
pub(super) use decimal::{DIGITS_MAX, is_plain, parse as parse_decimal, put as put_decimal};
pub(super) use deflate::{Deflater, Section, inflate, inflate_padded};
pub(super) use interner::Interner;
pub(super) use varint::{Reader, put_bytes, put_u64, unzigzag, zigzag};

/// The bytes are not what an encoder wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);
