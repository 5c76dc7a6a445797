//! An export in protobuf.

use std::borrow::Cow;

use crate::server::push::{
    PushError,
    wire::{Fields, Value},
};

use super::encoded::{Encoded, Field};

/// The value of a field.
#[derive(Clone, Copy)]
pub(super) struct Protobuf<'m>(Value<'m>);

impl<'m> Protobuf<'m> {
    /// The message that a body is.
    pub(super) fn message(body: &'m [u8]) -> Self {
        Self(Value::Bytes(body))
    }

    fn bytes(self) -> Result<&'m [u8], PushError> {
        match self.0 {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(other_type()),
        }
    }
}

fn other_type() -> PushError {
    PushError::malformed("protobuf", "a field of another type than the protocol gives it")
}

impl<'m> Encoded<'m> for Protobuf<'m> {
    fn fields<F: Copy>(
        self,
        table: &[Field<F>],
        visit: &mut dyn FnMut(F, Self) -> Result<(), PushError>,
    ) -> Result<(), PushError> {
        for field in Fields::new(self.bytes()?) {
            let (number, value) = field.map_err(|error| PushError::malformed("protobuf", &error))?;
            if let Some((.., field)) = table.iter().find(|known| known.0 == number) {
                visit(*field, Self(value))?;
            }
        }
        Ok(())
    }

    fn text(self) -> Result<Cow<'m, [u8]>, PushError> {
        self.bytes().map(Cow::Borrowed)
    }

    fn unsigned(self) -> Result<u64, PushError> {
        match self.0 {
            Value::Varint(bits) | Value::Fixed64(bits) => Ok(bits),
            Value::Fixed32(bits) => Ok(bits.into()),
            Value::Bytes(_) => Err(other_type()),
        }
    }

    fn signed(self) -> Result<i64, PushError> {
        self.unsigned().map(u64::cast_signed)
    }

    fn double(self) -> Result<f64, PushError> {
        match self.0 {
            Value::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(other_type()),
        }
    }

    fn boolean(self) -> Result<bool, PushError> {
        self.unsigned().map(|bits| bits != 0)
    }

    fn base64(self) -> Result<Cow<'m, str>, PushError> {
        self.bytes().map(|bytes| Cow::Owned(base64(bytes)))
    }

    fn hexadecimal(self) -> Result<String, PushError> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = |byte: u8| [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]));
        Ok(self.bytes()?.iter().flat_map(|byte| digits(*byte)).collect())
    }
}

/// Base64 with padding (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS[(bits >> shift & 63) as usize];
            text.push(if at <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, want) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), want);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }
}
