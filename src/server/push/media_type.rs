//! Which of the two forms a body has, by its `Content-Type` and, where that says nothing, by its first byte.

use super::PushError;

/// The forms of a push body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFormat {
    /// `{"streams": [..]}`
    Json,
    /// One snappy block that holds a `PushRequest`.
    SnappyProtobuf,
}

impl BodyFormat {
    /// The form of a decompressed body. As for Loki, every named type but JSON is protobuf. Only where
    /// a client leaves the choice to its HTTP library (no type, or the one that curl sends with `-d`)
    /// does an opening brace make it JSON.
    pub(super) fn of(content_type: Option<&str>, body: &[u8]) -> Result<Self, PushError> {
        let essence = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let unnamed = essence.is_empty() || is("application/x-www-form-urlencoded");
        if is("application/json") || unnamed && body.trim_ascii_start().starts_with(b"{") {
            Ok(Self::Json)
        } else if essence.is_empty() {
            Err(PushError::MediaType)
        } else {
            Ok(Self::SnappyProtobuf)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_decides_and_the_first_byte_where_it_says_nothing() {
        use BodyFormat::{Json, SnappyProtobuf};
        for (content_type, body, expected) in [
            (Some("application/json"), "", Some(Json)),
            (Some(" Application/JSON ; charset=utf-8"), "x", Some(Json)),
            (Some("application/x-protobuf"), "{", Some(SnappyProtobuf)),
            (Some("text/plain"), "{", Some(SnappyProtobuf)),
            (Some("application/jsonx"), "{", Some(SnappyProtobuf)),
            (Some("application/x-www-form-urlencoded"), " {", Some(Json)),
            (Some("application/x-www-form-urlencoded"), "x", Some(SnappyProtobuf)),
            (None, "\n{}", Some(Json)),
            (None, "x", None),
            (Some("; charset=utf-8"), "x", None),
        ] {
            let format = BodyFormat::of(content_type, body.as_bytes()).ok();
            assert_eq!(format, expected, "{content_type:?} {body:?}");
        }
    }
}
