//! Why a push body is refused as a whole. The text is what the client reads.

use std::{error, fmt, io};

/// Why a push body is refused as a whole.
#[derive(Debug)]
pub enum PushError {
    /// The body cannot be taken for anything: "mime: no media type". Answer: 400.
    MediaType,
    /// "content type: text/plain is not supported": an export is only taken as what it is called. Answer: 400.
    ContentType(String),
    /// "Content-Encoding "zstd" not supported". Answer: 400.
    ContentEncoding(String),
    /// "cannot read the gzip body: its checksum is wrong": the body is damaged or no such thing. Answer: 400.
    Malformed {
        /// What the body was taken for: `JSON`, `protobuf`, `snappy`, `gzip`, `deflate`.
        format: &'static str,
        /// What is wrong with it, and where if that is known.
        error: String,
    },
    /// "couldn't parse labels: 1:5: parse error: unexpected character inside braces: '-'". Answer: 400.
    Labels(String),
    /// "error at least one valid stream is required for ingestion". Answer: 422.
    Empty,
    /// "the body is larger than 16777216 bytes; send smaller batches". Answer: 413.
    TooLarge {
        /// What is too large: `body`, `decompressed body`, `decoded body`.
        what: &'static str,
        /// The limit that was passed, in bytes.
        limit: usize,
    },
    /// "cannot read the body: ...": the connection failed, was too slow, or ended too early.
    Read(io::Error),
}

impl PushError {
    /// A body that is not what it was taken for.
    pub(super) fn malformed(format: &'static str, error: &(impl fmt::Display + ?Sized)) -> Self {
        Self::Malformed { format, error: error.to_string() }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MediaType => f.write_str("mime: no media type"),
            Self::ContentType(name) => write!(f, "content type: {name} is not supported"),
            Self::ContentEncoding(name) => write!(f, "Content-Encoding {name:?} not supported"),
            Self::Malformed { format, error } => {
                write!(f, "cannot read the {format} body: {error}")
            }
            Self::Labels(error) => write!(f, "couldn't parse labels: {error}"),
            Self::Empty => f.write_str("error at least one valid stream is required for ingestion"),
            Self::TooLarge { what, limit } => {
                write!(f, "the {what} is larger than {limit} bytes; send smaller batches")
            }
            Self::Read(error) => write!(f, "cannot read the body: {error}"),
        }
    }
}

impl error::Error for PushError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            _ => None,
        }
    }
}
