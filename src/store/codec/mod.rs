//! Bytes of the disk formats: variable-length numbers and strings, and deflated parts. Decoding
//! never panics: what does not fit is [`Malformed`].

mod deflate;
mod varint;

pub(super) use deflate::{Deflater, inflate};
pub(super) use varint::{Reader, put_bytes, put_u64, unzigzag, zigzag};

/// The bytes are not what an encoder wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);
