//! Sessions of browsers: an id in a cookie, whose hash is kept here, and a token against forged requests. They end by themselves, with
//! the program, and when the user's role or password changes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::{AccountError, Actor, Role, hashed, random_secret};
use crate::base::Secret;

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Who.
    pub(crate) actor: Actor,
    /// What every change must carry.
    pub(crate) csrf: Secret,
    /// When it ends at the latest.
    pub(crate) expires_at: Timestamp,
    begun: Instant,
    seen: Instant,
}

impl Session {
    /// Whether this is the token that changes must carry.
    pub(crate) fn is_csrf(&self, presented: &str) -> bool {
        hashed(presented).as_bytes().ct_eq(hashed(self.csrf.expose()).as_bytes()).into()
    }
}

/// All of them, by the hash of their id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: HashMap<String, Session>,
}

impl Sessions {
    /// Begins one; gives its id, which is kept nowhere.
    pub(crate) fn begin(&mut self, user: &str, role: Role, now: Instant) -> Result<(Secret, Session), AccountError> {
        self.open.retain(|_, session| is_open(session, now));
        if self.open.len() >= SESSIONS_MAX {
            return Err(AccountError::Failed(format!("{SESSIONS_MAX} sessions are open; try again later")));
        }
        let ((id, hash), (csrf, _)) = (random_secret()?, random_secret()?);
        let expires_at = Timestamp::now().checked_add(LONGEST).unwrap_or(Timestamp::MAX);
        let actor = Actor { name: user.to_owned(), role };
        let session = Session { actor, csrf, expires_at, begun: now, seen: now };
        self.open.insert(hash, session.clone());
        Ok((id, session))
    }

    /// The open session with this id.
    pub(crate) fn find(&mut self, id: &str, now: Instant) -> Option<Session> {
        let hash = hashed(id);
        if !is_open(self.open.get(&hash)?, now) {
            self.open.remove(&hash);
            return None;
        }
        let session = self.open.get_mut(&hash)?;
        session.seen = now;
        Some(session.clone())
    }

    /// Whether this session is open; that somebody asks does not keep it so.
    pub(crate) fn is_open(&self, id: &str, now: Instant) -> bool {
        self.open.get(&hashed(id)).is_some_and(|session| is_open(session, now))
    }

    /// Ends one.
    pub(crate) fn end(&mut self, id: &str) {
        self.open.remove(&hashed(id));
    }

    /// Ends all of a user.
    pub(crate) fn end_all(&mut self, user: &str) {
        self.open.retain(|_, session| session.actor.name != user);
    }
}

fn is_open(session: &Session, now: Instant) -> bool {
    now.duration_since(session.begun) < LONGEST && now.duration_since(session.seen) < IDLE
}

/// How long a session lasts.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// How long a session may lie idle. A page that is open and live is not idle.
const IDLE: Duration = Duration::from_secs(3600);
/// Sessions at once.
const SESSIONS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_time_by_hand_and_with_its_user() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let (id, session) = sessions.begin("ann", Role::Reviewer, now).unwrap();
        assert!(session.is_csrf(session.csrf.expose()) && !session.is_csrf("") && !session.is_csrf("x"));
        assert_ne!(session.csrf.expose(), id.expose());
        assert_eq!(sessions.find(id.expose(), now).unwrap().actor.name, "ann");
        assert!(sessions.find("x", now).is_none());
        let mut at = now;
        while at.duration_since(now) < LONGEST - IDLE {
            at += IDLE - Duration::from_secs(1);
            assert!(sessions.find(id.expose(), at).is_some(), "used again and again");
        }
        assert!(sessions.find(id.expose(), now + LONGEST).is_none());
        let (idle, _) = sessions.begin("ann", Role::Viewer, now).unwrap();
        assert!(sessions.find(idle.expose(), now + IDLE).is_none());
        let (ended, _) = sessions.begin("ann", Role::Viewer, now).unwrap();
        sessions.end(ended.expose());
        assert!(sessions.find(ended.expose(), now).is_none());
        let (ann, _) = sessions.begin("ann", Role::Viewer, now).unwrap();
        let (ben, _) = sessions.begin("ben", Role::Viewer, now).unwrap();
        sessions.end_all("ann");
        assert!(sessions.find(ann.expose(), now).is_none() && sessions.find(ben.expose(), now).is_some());
        assert!(!format!("{sessions:?}").contains(ben.expose()), "an id is kept nowhere");
    }
}
