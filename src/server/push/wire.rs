//! The fields of a protobuf message, one by one and borrowed. A push is walked like this rather
//! than decoded to messages: an empty entry is two bytes on the wire and hundreds in memory, so
//! that a small body could otherwise fill it, and lines would be copied once more.

use std::fmt;

/// One field: its number and its value.
pub(super) type Field<'m> = (u64, Value<'m>);

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'m> {
    /// An integer, as the 64 bits that were sent.
    Varint(u64),
    /// Text, bytes or a message.
    Bytes(&'m [u8]),
    /// A number of 64 bits.
    Fixed64(u64),
    /// A number of 32 bits.
    Fixed32(u32),
}

/// A message ends too early, or holds what no message may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireError {
    /// Where in the message, in bytes from its end.
    bytes_before_end: usize,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad or cut field {} bytes before the end of its message", self.bytes_before_end)
    }
}

/// The fields of a message in the order they were sent. Ends after the first error.
#[derive(Clone, Debug)]
pub(super) struct Fields<'m> {
    rest: &'m [u8],
}

impl<'m> Fields<'m> {
    pub(super) fn new(message: &'m [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Option<Field<'m>> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.bytes(usize::try_from(length).ok()?)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return None, // groups have been deprecated since protobuf 2
        };
        (key >> 3 > 0).then_some((key >> 3, value))
    }

    fn bytes(&mut self, count: usize) -> Option<&'m [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// A varint of at most ten bytes; bits beyond the 64th are lost, as everywhere in protobuf.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Result<Field<'m>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes_before_end = self.rest.len();
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(WireError { bytes_before_end }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_wire_type_are_read_or_stepped_over() {
        let message = [
            &[0x08, 0xac, 0x02][..],                                          // 1: varint 300
            &[0x12, 0x02, b'h', b'i'],                                        // 2: bytes
            &[0x19, 1, 2, 3, 4, 5, 6, 7, 8],                                  // 3: 64 bits
            &[0x25, 1, 2, 3, 4],                                              // 4: 32 bits
            &[0x28, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], // 5: varint -1
            &[0x12, 0],                                                       // 2: no bytes
        ]
        .concat();
        let fields: Vec<_> = Fields::new(&message).map(Result::unwrap).collect();
        let expected = [
            (1, Value::Varint(300)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed64(0x0807_0605_0403_0201)),
            (4, Value::Fixed32(0x0403_0201)),
            (5, Value::Varint(u64::MAX)),
            (2, Value::Bytes(b"")),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_is_no_message_is_one_error_and_the_end() {
        for message in [
            &[0x08][..],                                                            // no value
            &[0x08, 0x80],                                                          // cut varint
            &[0x12, 5, b'x'],                                                       // cut bytes
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],       // more than there can be
            &[0x19, 1],                                                             // cut 64 bits
            &[0x0b],                                                                // a group
            &[0x00, 0x00],                                                          // number 0
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], // endless varint
        ] {
            let mut fields = Fields::new(message);
            let error = WireError { bytes_before_end: message.len() };
            assert_eq!((fields.next(), fields.next()), (Some(Err(error)), None), "{message:x?}");
        }
    }
}
