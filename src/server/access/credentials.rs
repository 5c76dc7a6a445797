//! The header `Authorization`: HTTP basic (RFC 7617) and bearer tokens (RFC 6750).

use data_encoding::{BASE64, BASE64_NOPAD};

/// What a request brings.
pub(super) enum Credentials {
    /// A name and a password.
    Basic { name: Vec<u8>, password: Vec<u8> },
    /// A password alone.
    Bearer(Vec<u8>),
}

impl Credentials {
    /// Reads the value of the header; `None` if it is neither of both.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, value) = header.split_once(' ')?;
        let value = value.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") {
            return (!value.is_empty()).then(|| Self::Bearer(value.as_bytes().to_vec()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let encoding = if value.ends_with('=') { BASE64 } else { BASE64_NOPAD };
        let mut name = encoding.decode(value.as_bytes()).ok()?;
        let colon = memchr::memchr(b':', &name)?;
        let password = name.split_off(colon + 1);
        name.truncate(colon);
        Some(Self::Basic { name, password })
    }

    /// The password that was sent.
    pub(super) fn password(&self) -> &[u8] {
        match self {
            Self::Basic { password, .. } | Self::Bearer(password) => password,
        }
    }

    /// Whether the password may be that of a user of this name.
    pub(super) fn may_be(&self, user: &str) -> bool {
        match self {
            Self::Basic { name, .. } => name == user.as_bytes(),
            Self::Bearer(_) => true,
        }
    }
}
