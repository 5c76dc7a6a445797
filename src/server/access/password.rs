//! A password as the configuration has it: itself, or its bcrypt hash, which `htpasswd -B` makes too.
//! bcrypt needs 4 KiB of memory, where younger functions want megabytes that a small machine lacks.

use std::{fmt, ops::RangeInclusive};

use subtle::ConstantTimeEq;

/// bcrypt looks at 72 bytes, of which the last is the zero that ends the password.
const PASSWORD_BYTES_MAX: usize = 71;
/// Of a new hash: 2^10 rounds, 50 ms of one core of 2024.
const COST: u32 = 10;
/// Costs that a hash may have. 2^14 rounds are a second of such a core, for each wrong guess until the
/// right password was seen once.
const COSTS: RangeInclusive<u32> = 4..=14;

/// A password, or its hash.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password.
    Plain(Vec<u8>),
    /// Its bcrypt hash, which was checked.
    Hashed(String),
}

/// Why a text is no hash, or a password cannot be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// "this is no bcrypt hash, which looks like $2b$10$ and 53 more characters"
    NoHash,
    /// "its cost is 17, which is not between 4 and 14"
    Cost(u32),
    /// "a password must have 1 to 71 bytes"
    Length,
    /// "the system gives no random bytes"
    NoRandomness,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHash => f.write_str("this is no bcrypt hash, which looks like $2b$10$ and 53 more characters"),
            Self::Cost(cost) => {
                write!(f, "its cost is {cost}, which is not between {} and {}", COSTS.start(), COSTS.end())
            }
            Self::Length => write!(f, "a password must have 1 to {PASSWORD_BYTES_MAX} bytes"),
            Self::NoRandomness => f.write_str("the system gives no random bytes"),
        }
    }
}

impl std::error::Error for SecretError {}

impl Secret {
    /// A password that is given as it is.
    pub fn of_text(password: &str) -> Self {
        Self::Plain(password.as_bytes().to_vec())
    }

    /// A password of which only the bcrypt hash is known.
    pub fn hashed(hash: String) -> Result<Self, SecretError> {
        let parts: bcrypt::HashParts = hash.parse().map_err(|_| SecretError::NoHash)?;
        if !COSTS.contains(&parts.get_cost()) {
            return Err(SecretError::Cost(parts.get_cost()));
        }
        Ok(Self::Hashed(hash))
    }

    /// The password, if it is known.
    pub(super) fn plain(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(password) => Some(password),
            Self::Hashed(_) => None,
        }
    }

    /// Whether it is this password; slow if only the hash is known.
    pub(super) fn is(&self, password: &[u8]) -> bool {
        match self {
            Self::Plain(plain) => plain.ct_eq(password).into(),
            Self::Hashed(hash) => bcrypt::non_truncating_verify(password, hash).unwrap_or(false),
        }
    }
}

/// No secret ends up in a message by mistake.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// The hash of a password, as the configuration takes it.
pub fn hash(password: &[u8]) -> Result<String, SecretError> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(SecretError::Length);
    }
    bcrypt::non_truncating_hash(password, COST).map_err(|error| match error {
        bcrypt::BcryptError::Truncation(_) => SecretError::Length,
        _ => SecretError::NoRandomness,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_its_password() {
        let hashed = Secret::hashed(hash(b"a long enough one").unwrap()).unwrap();
        assert!(hashed.is(b"a long enough one") && !hashed.is(b"a long enough on"));
        assert_eq!(format!("{hashed:?}"), "<secret>");
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let rest = "abcdefghijklmnopqrstuuBc0w7GkB7p3vJXLVKWpd4vgkLwtb3zi";
        for (text, want) in [
            (format!("$2b$04${rest}"), None),
            (format!("$2y$14${rest}"), None),
            (format!("$2y$15${rest}"), Some(SecretError::Cost(15))),
            (format!("$2y$03${rest}"), Some(SecretError::Cost(3))),
            (format!("$5$rounds=1000${rest}"), Some(SecretError::NoHash)),
            (format!("$2b$04${}", &rest[1..]), Some(SecretError::NoHash)),
            ("password".to_owned(), Some(SecretError::NoHash)),
        ] {
            assert_eq!(Secret::hashed(text.clone()).err(), want, "{text}");
        }
        assert_eq!(hash(b""), Err(SecretError::Length));
        assert_eq!(hash(&[b'x'; 72]), Err(SecretError::Length));
        assert!(hash(&[b'x'; 71]).is_ok());
    }
}
