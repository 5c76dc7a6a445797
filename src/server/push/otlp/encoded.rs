//! What the two encodings of an export offer alike: the fields of a message, and a field's value.
//! Nothing is decoded before it is asked for.

use std::borrow::Cow;

use crate::server::push::PushError;

/// A field of a message that is read: its number in protobuf, its name in JSON, and what stands for it.
pub(super) type Field<F> = (u64, &'static str, F);

/// A value in one of the encodings, where it lies in the body `'m`.
pub(super) trait Encoded<'m>: Copy {
    /// Visits the fields of a message that `table` names, in the order in which they were sent, a
    /// repeated one once for each element. Others are skipped.
    fn fields<F: Copy>(
        self,
        table: &[Field<F>],
        visit: &mut dyn FnMut(F, Self) -> Result<(), PushError>,
    ) -> Result<(), PushError>;

    /// A text; bytes that are no UTF-8 may be in it.
    fn text(self) -> Result<Cow<'m, [u8]>, PushError>;

    /// A number of up to 64 bits without a sign.
    fn unsigned(self) -> Result<u64, PushError>;

    /// A number of 64 bits.
    fn signed(self) -> Result<i64, PushError>;

    /// A floating-point number.
    fn double(self) -> Result<f64, PushError>;

    /// True or false.
    fn boolean(self) -> Result<bool, PushError>;

    /// Bytes, as base64.
    fn base64(self) -> Result<Cow<'m, str>, PushError>;

    /// The bytes of an id, as lower-case hexadecimal.
    fn hexadecimal(self) -> Result<String, PushError>;
}
