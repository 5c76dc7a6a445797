//! Who may ask for what: the users of the configuration, and the credentials that a request brings.
//!
//! A password is known by its SHA-256 once it has been right the first time, so that the slow hash of
//! a user is computed once after a start and not for each request.

mod credentials;
mod password;
mod users;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use password::{Secret, SecretError, hash};
pub use users::{Right, Rights, User};

use self::credentials::Credentials;
use super::{error::Error, http::Request, permits::Permits};

/// How long a request waits for its turn to have a password hashed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What lets requests in.
pub(super) struct Gate {
    /// None: everybody may ask for everything.
    users: Vec<Known>,
    /// Slow hashes are computed one at a time: guessing passwords keeps one core busy at most.
    hashing: Arc<Permits>,
}

/// A user and what is known of the password.
struct Known {
    user: User,
    /// Of the right password, once it was seen.
    digest: OnceLock<[u8; 32]>,
}

impl Gate {
    pub(super) fn new(users: &[User]) -> Self {
        let users = users.iter().map(|user| Known {
            user: user.clone(),
            digest: user.secret.plain().map_or_else(OnceLock::new, |password| OnceLock::from(digest(password))),
        });
        Self { users: users.collect(), hashing: Permits::new(1) }
    }

    /// Whether everybody may ask for everything.
    pub(super) fn is_open(&self) -> bool {
        self.users.is_empty()
    }

    /// Lets a request in that needs this right, or says why not.
    pub(super) fn check(&self, request: &Request<'_>, right: Right) -> Result<(), Error> {
        if self.is_open() {
            return Ok(());
        }
        let header = request.header("Authorization");
        let user = self.user_of(header, &|| request.client_is_gone())?;
        if user.rights.hold(right) {
            return Ok(());
        }
        Err(Error::Forbidden(format!("the user {:?} has no right to {right} (rights in server.users)", user.name)))
    }

    fn user_of(&self, header: Option<&str>, gave_up: &dyn Fn() -> bool) -> Result<&User, Error> {
        let header = header.ok_or_else(|| {
            Error::Unauthorized("a name and password, or a bearer token, is needed (server.users)".to_owned())
        })?;
        let credentials = Credentials::parse(header)
            .ok_or_else(|| Error::Unauthorized("the Authorization header is neither Basic nor Bearer".to_owned()))?;
        let sent = digest(credentials.password());
        let found = match self.seen(&credentials, sent) {
            Some(known) => Some(known),
            None => self.first_seen(&credentials, sent, gave_up)?,
        };
        found.map(|known| &known.user).ok_or_else(|| Error::Unauthorized("the name or password is wrong".to_owned()))
    }

    /// The user with a password that was seen before, or is known since the start.
    fn seen(&self, credentials: &Credentials, sent: [u8; 32]) -> Option<&Known> {
        let mut found = None;
        // To the end, so that the time does not tell at which user it stopped.
        for known in self.users.iter().filter(|known| credentials.may_be(&known.user.name)) {
            if known.digest.get().is_some_and(|right| right.ct_eq(&sent).into()) {
                found = found.or(Some(known));
            }
        }
        found
    }

    /// The user whose hash fits a password that was not seen before.
    fn first_seen(
        &self,
        credentials: &Credentials,
        sent: [u8; 32],
        gave_up: &dyn Fn() -> bool,
    ) -> Result<Option<&Known>, Error> {
        let unseen =
            || self.users.iter().filter(|known| known.digest.get().is_none() && credentials.may_be(&known.user.name));
        if unseen().next().is_none() {
            return Ok(None);
        }
        let Some(_permit) = self.hashing.take(PATIENCE, gave_up) else {
            return Err(Error::Busy("too many passwords are being verified; try again".to_owned()));
        };
        // Another request may have brought the same password meanwhile.
        if let Some(known) = self.seen(credentials, sent) {
            return Ok(Some(known));
        }
        let found = unseen().find(|known| known.user.secret.is(credentials.password()));
        if let Some(known) = found {
            // Only a request with the permit sets it.
            let _ = known.digest.set(sent);
        }
        Ok(found)
    }
}

fn digest(password: &[u8]) -> [u8; 32] {
    Sha256::digest(password).into()
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn gate() -> Gate {
        let user = |name: &str, secret, words: &[&str]| User {
            name: name.to_owned(),
            secret,
            rights: Rights::of_words(words.iter().copied()).unwrap(),
        };
        let hashed = |password: &str| Secret::hashed(bcrypt::hash(password, 4).unwrap()).unwrap();
        Gate::new(&[
            user("reader", Secret::of_text("read me"), &["read"]),
            user("shipper", hashed("ship:it"), &["write"]),
            user("twin", hashed("ship:it too"), &["read", "write"]),
        ])
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair.as_bytes()))
    }

    #[test]
    fn credentials_name_a_user() {
        let gate = gate();
        // Twice: the first time hashes are computed, the second time what was seen is compared.
        for _ in 0..2 {
            for (header, want) in [
                (None, Err(401)),
                (Some(basic("reader:read me")), Ok("reader")),
                (Some(basic("reader:read me ")), Err(401)),
                (Some(basic("reader")), Err(401)),
                (Some(basic("shipper:ship:it")), Ok("shipper")),
                (Some(basic("shipper:ship:it too")), Err(401)),
                (Some(basic("Shipper:ship:it")), Err(401)),
                (Some(basic("twin:ship:it too")), Ok("twin")),
                (Some(basic(&format!("twin:{}", "x".repeat(1000)))), Err(401)),
                (Some(basic("nobody:ship:it")), Err(401)),
                (Some("Bearer read me".to_owned()), Ok("reader")),
                (Some("bearer ship:it".to_owned()), Ok("shipper")),
                (Some("Bearer ship:it too".to_owned()), Ok("twin")),
                (Some("Bearer ".to_owned()), Err(401)),
                (Some("Bearer wrong".to_owned()), Err(401)),
                (Some("Digest username=reader".to_owned()), Err(401)),
                (Some("Basic ~~~".to_owned()), Err(401)),
                (Some(String::new()), Err(401)),
            ] {
                let got = gate.user_of(header.as_deref(), &|| false);
                assert_eq!(got.map(|user| user.name.as_str()).map_err(|error| error.status()), want, "{header:?}");
            }
        }
    }

    #[test]
    fn a_hash_is_computed_until_its_password_was_seen_and_by_one_request_at_a_time() {
        let gate = gate();
        let held = gate.hashing.take(Duration::ZERO, &|| false).unwrap();
        let status = |pair: &str| gate.user_of(Some(&basic(pair)), &|| true).map(|_| ()).map_err(|e| e.status());
        assert_eq!(status("shipper:ship:it"), Err(429), "it would have to be hashed");
        assert_eq!(status("reader:read me"), Ok(()));
        assert_eq!(status("reader:wrong"), Err(401));
        drop(held);
        assert_eq!(status("shipper:ship:it"), Ok(()));
        let _held = gate.hashing.take(Duration::ZERO, &|| false).unwrap();
        assert_eq!(status("shipper:ship:it"), Ok(()));
        assert_eq!(status("shipper:wrong"), Err(401), "there is only one right password");
    }
}
