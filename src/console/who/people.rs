//! Accounts, sessions and failed tries together, as the handlers share them.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::accounts::{AccountError, Accounts, Admitted, Proof};
use super::attempts::Attempts;
use super::sessions::{Session, Sessions};
use super::{Actor, Role, password};
use crate::base::Secret;

/// Everybody who may come in.
#[derive(Debug)]
pub(crate) struct People {
    /// The hash of the token of this box, which may do everything.
    own: [u8; 32],
    accounts: Mutex<Accounts>,
    sessions: Mutex<Sessions>,
    attempts: Mutex<Attempts>,
    /// Failed sign-ins at the identity provider, which itself slows down whoever guesses.
    federated: Mutex<Attempts>,
    /// Passwords are hashed a few at a time: each takes 19 MiB and tens of milliseconds.
    hashing: Semaphore,
}

/// What became of a sign-in.
#[derive(Debug)]
pub(crate) enum SignIn {
    /// The session's id, and the session.
    Open(Secret, Session),
    /// Name or password is wrong; which of them is not told.
    Wrong,
    /// Too many failed: so long to wait.
    Wait(Duration),
}

/// What became of somebody whom the identity provider vouches for.
#[derive(Debug)]
pub(crate) enum Vouched {
    /// The session's id, and the session.
    Open(Secret, Session),
    /// Nothing lets them in, and what would: for the log.
    Unknown(String),
    /// The name is another's: for the log.
    Taken(String),
}

impl People {
    /// Reads the accounts; `token` is that of this box.
    pub(crate) fn open(state: &Path, token: &Secret) -> Result<Self, AccountError> {
        Ok(Self {
            own: Sha256::digest(token.expose()).into(),
            accounts: Mutex::new(Accounts::open(state)?),
            sessions: Mutex::default(),
            attempts: Mutex::default(),
            federated: Mutex::default(),
            hashing: Semaphore::new(HASHING),
        })
    }

    /// Whose token this is.
    pub(crate) fn bearer(&self, token: &str) -> Option<Actor> {
        // Hashes of one length, compared in constant time: neither the token's length nor its start can be felt out.
        let presented: [u8; 32] = Sha256::digest(token).into();
        if bool::from(presented.ct_eq(&self.own)) {
            return Some(Actor { name: "admin-token".to_owned(), role: Role::Admin });
        }
        self.accounts().token(token)
    }

    /// The open session with this id.
    pub(crate) fn session(&self, id: &str) -> Option<Session> {
        lock(&self.sessions).find(id, Instant::now())
    }

    /// Whether the session with this id is open, without keeping it so.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        lock(&self.sessions).is_open(id, Instant::now())
    }

    /// Signs somebody in.
    ///
    /// # Errors
    /// The disk's, or too many sessions.
    pub(crate) async fn sign_in(&self, user: &str, secret: &str, address: IpAddr) -> Result<SignIn, AccountError> {
        // What is no name is nobody's: it is not remembered as such either.
        let user = if user.len() <= NAME_BYTES { user } else { "" };
        if let Some(wait) = lock(&self.attempts).wait(user, address, Instant::now()) {
            return Ok(SignIn::Wait(wait));
        }
        // Counted before the work begins, so that a hundred at once do not all try.
        lock(&self.attempts).failed(user, address, Instant::now());
        let hash = self.accounts().hash_of(user);
        let Ok(_turn) = self.hashing.acquire().await else { return Ok(SignIn::Wrong) };
        let secret = zeroize::Zeroizing::new(secret.to_owned());
        let is_right = tokio::task::spawn_blocking(move || password::verify(&secret, &hash)).await.unwrap_or(false);
        let actor = if is_right { self.accounts().signed_in(user)? } else { None };
        let Some(actor) = actor else { return Ok(SignIn::Wrong) };
        lock(&self.attempts).went_well(user, address);
        let (id, session) = self.begin(&actor)?;
        Ok(SignIn::Open(id, session))
    }

    /// Signs in somebody whom the identity provider vouches for.
    ///
    /// # Errors
    /// The disk's, a name that is none, or too many sessions.
    pub(crate) fn vouched_for(&self, proof: &Proof) -> Result<Vouched, AccountError> {
        let admitted = self.accounts().admit(proof)?;
        match admitted {
            Admitted::As(actor, is_changed) => {
                if is_changed {
                    self.end_all(&actor.name);
                }
                let (id, session) = self.begin(&actor)?;
                Ok(Vouched::Open(id, session))
            }
            Admitted::Unknown(user) => {
                if let Some(user) = &user {
                    self.end_all(user);
                }
                Ok(Vouched::Unknown(format!(
                    "{:?} is no user, and none of their groups has a role; an administrator can make them one, or see \
                     console.oidc.roles",
                    user.as_ref().unwrap_or(&proof.name)
                )))
            }
            Admitted::Taken(user) => Ok(Vouched::Taken(format!(
                "there is a user {user:?} who is somebody else: one with a password, or of another account at the provider"
            ))),
        }
    }

    /// Counts a failed sign-in by the identity provider. `false`: enough of this address's are recorded, and whoever asks for one failure
    /// after the other does not fill the record.
    pub(crate) fn is_news(&self, address: IpAddr) -> bool {
        lock(&self.federated).is_news(address, Instant::now())
    }

    /// Begins a session.
    ///
    /// # Errors
    /// Too many sessions.
    pub(crate) fn begin(&self, actor: &Actor) -> Result<(Secret, Session), AccountError> {
        lock(&self.sessions).begin(&actor.name, actor.role, Instant::now())
    }

    /// Ends a session.
    pub(crate) fn sign_out(&self, id: &str) {
        lock(&self.sessions).end(id);
    }

    /// Ends every session of a user: their role or password changed, or they are gone.
    pub(crate) fn end_all(&self, user: &str) {
        lock(&self.sessions).end_all(user);
    }

    /// Whether there is a user of this name.
    pub(crate) fn is_user(&self, name: &str) -> bool {
        self.accounts().users().iter().any(|user| user.name == name)
    }

    /// The accounts. Hashing a password under this lock holds up those who sign in, and nobody else.
    pub(crate) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.accounts)
    }
}

/// What is behind a poisoned lock is whole: no holder panics between two of its parts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passwords that are hashed at once.
const HASHING: usize = 2;
/// Bytes of a name that is looked up.
const NAME_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "vier Störche im Nebel";

    #[tokio::test(flavor = "multi_thread")]
    async fn who_has_the_password_comes_in_and_who_guesses_waits() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(folder.path(), &Secret::new("t".repeat(40))).unwrap();
        people.accounts().add("ann", Role::Reviewer, Some(GOOD)).unwrap();
        let address = "192.0.2.7".parse().unwrap();
        let SignIn::Open(id, session) = people.sign_in("ann", GOOD, address).await.unwrap() else { panic!() };
        assert_eq!((session.actor.name.as_str(), session.actor.role), ("ann", Role::Reviewer));
        assert!(people.session(id.expose()).is_some());
        people.end_all("ann");
        assert!(people.session(id.expose()).is_none());
        for (user, secret) in [("ann", "x"), ("eve", "x"), ("eve", "nobody has this password"), ("", ""), ("ann", "")] {
            assert!(matches!(people.sign_in(user, secret, address).await.unwrap(), SignIn::Wrong), "{user}");
        }
        for _ in 0..3 {
            people.sign_in("ann", "x", address).await.unwrap();
        }
        assert!(
            matches!(people.sign_in("ann", GOOD, address).await.unwrap(), SignIn::Wait(_)),
            "the right one, too late"
        );
        assert_eq!(people.bearer(&"t".repeat(40)).unwrap().role, Role::Admin);
        assert!(people.bearer("").is_none());
    }
}
