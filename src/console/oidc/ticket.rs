//! What ties a browser that comes back from the identity provider to the one that went there, without memory of ours.
//!
//! The browser keeps a random secret in a cookie. State, nonce and PKCE verifier are derived from it with a key of this process:
//! whoever has read the cookie knows none of them, and whoever has read the address knows not the cookie.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::super::who::{AccountError, random_secret};
use crate::base::Secret;

/// The key that everything is derived with; it ends with the process, and every sign-in under way with it.
#[derive(Clone, Debug)]
pub(super) struct Tickets(Secret);

/// One sign-in under way.
#[derive(Debug)]
pub(super) struct Ticket {
    /// RFC 6749, section 10.12: what comes back with the browser.
    pub(super) state: Secret,
    /// OpenID Connect Core, section 3.1.2.1: what comes back in the ID token.
    pub(super) nonce: Secret,
    /// RFC 7636: what proves that who asks for the token began this.
    pub(super) verifier: Secret,
}

impl Tickets {
    /// Tickets under a fresh key.
    pub(super) fn new() -> Result<Self, AccountError> {
        Ok(Self(random_secret()?.0))
    }

    /// A fresh ticket, and what the browser's cookie keeps of it.
    pub(super) fn begin(&self, now: Timestamp) -> Result<(Secret, Ticket), AccountError> {
        let (secret, _) = random_secret()?;
        let until = now.as_second().saturating_add(LASTS_S);
        let kept = Secret::new(format!("{}.{until}", secret.expose()));
        let ticket = self.derive(kept.expose());
        Ok((kept, ticket))
    }

    /// The ticket of a cookie, if this state is its own and its time is not over.
    pub(super) fn find(&self, kept: &str, state: &str, now: Timestamp) -> Option<Ticket> {
        let until: i64 = kept.rsplit_once('.')?.1.parse().ok()?;
        let ticket = self.derive(kept);
        let is_its = bool::from(ticket.state.expose().as_bytes().ct_eq(state.as_bytes()));
        (is_its && now.as_second() < until).then_some(ticket)
    }

    fn derive(&self, kept: &str) -> Ticket {
        let of = |purpose: &str| {
            // HMAC takes keys of any length.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose().as_bytes()) else {
                return Secret::new(String::new());
            };
            mac.update(purpose.as_bytes());
            mac.update(&[0]);
            mac.update(kept.as_bytes());
            Secret::new(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
        };
        Ticket { state: of("state"), nonce: of("nonce"), verifier: of("verifier") }
    }
}

impl Ticket {
    /// The challenge of the verifier: RFC 7636, section 4.2, method `S256`.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }
}

/// For how long a browser may be away.
pub(super) const LASTS_S: i64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_its_browser_its_state_and_its_time() {
        let tickets = Tickets::new().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let (kept, ticket) = tickets.begin(now).unwrap();
        let state = ticket.state.expose();
        let again = tickets.find(kept.expose(), state, now).unwrap();
        assert_eq!(again.nonce.expose(), ticket.nonce.expose());
        assert_eq!(again.verifier.expose(), ticket.verifier.expose());
        assert_eq!(again.verifier.expose().len(), 43, "RFC 7636: 43 to 128 characters");
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert!(tickets.find(kept.expose(), state, at(LASTS_S - 1)).is_some());
        assert!(tickets.find(kept.expose(), state, at(LASTS_S)).is_none(), "its time is over");
        let later = kept.expose().replace(&format!(".{LASTS_S}"), ".99999999");
        assert!(tickets.find(&later, state, now).is_none(), "another time is another ticket");
        let (other, _) = tickets.begin(now).unwrap();
        assert!(tickets.find(other.expose(), state, now).is_none(), "another browser");
        for state in ["", "x", ticket.nonce.expose()] {
            assert!(tickets.find(kept.expose(), state, now).is_none());
        }
        assert!(tickets.find("", state, now).is_none() && tickets.find("x", state, now).is_none());
        assert!(Tickets::new().unwrap().find(kept.expose(), state, now).is_none(), "another process");
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        let nothing = || Secret::new(String::new());
        let ticket = Ticket { state: nothing(), nonce: nothing(), verifier };
        assert_eq!(ticket.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
