//! Users and what they may do.

use std::fmt;

use super::password::Secret;

/// A user, `[[server.users]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// For HTTP basic; not empty and without a colon.
    pub name: String,
    /// The password, which is also the user's bearer token.
    pub secret: Secret,
    /// What the user may do.
    pub rights: Rights,
}

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Queries and all else that shows what is stored.
    Read,
    /// Pushes.
    Write,
    /// Deletion, flushes, the level of messages, the configuration.
    Admin,
}

impl Right {
    /// The words of the configuration.
    pub const WORDS: &[&str] = &["read", "write", "admin"];

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "administer",
        })
    }
}

/// A set of rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(Vec<Right>);

impl Rights {
    /// Reads [`Right::WORDS`]; `None` if one of them is no such word.
    pub fn of_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        words.into_iter().map(Right::of_word).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether this one is among them; an administrator has all.
    pub fn hold(&self, right: Right) -> bool {
        self.0.iter().any(|held| *held == right || *held == Right::Admin)
    }
}
