//! Passwords: Argon2id (RFC 9106) with the parameters that OWASP names first, kept as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Fewest characters: NIST SP 800-63B-4 wants 15 where a password is the only factor.
pub(super) const CHARS_MIN: usize = 15;
/// Most bytes: more is nobody's password, and hashing it is work.
pub(super) const BYTES_MAX: usize = 1024;

fn hasher() -> Argon2<'static> {
    // 19 MiB, two passes, one lane.
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Says what keeps a password from being one.
pub(super) fn check(user: &str, password: &str) -> Result<(), String> {
    if password.chars().count() < CHARS_MIN {
        return Err(format!(
            "the password has fewer than {CHARS_MIN} characters; several words are easy to keep in mind"
        ));
    }
    if password.len() > BYTES_MAX {
        return Err(format!("the password has more than {BYTES_MAX} bytes"));
    }
    let distinct = password.chars().collect::<std::collections::BTreeSet<_>>().len();
    if distinct < 5 {
        return Err("the password repeats itself; take one with more different characters".to_owned());
    }
    let lower = password.to_lowercase();
    if ["portcullis", "password", &user.to_lowercase()].iter().any(|word| lower.replace(word, "").chars().count() < 8) {
        return Err("the password is hardly more than a name; take one that nobody can guess".to_owned());
    }
    Ok(())
}

/// Hashes a password. Takes tens of milliseconds by design: not on a thread that serves.
pub(super) fn hash(password: &str) -> Result<String, String> {
    hasher().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Whether it is the password that was hashed. As long as [`hash`].
pub(super) fn verify(password: &str, hash: &str) -> bool {
    if password.len() > BYTES_MAX {
        return false;
    }
    PasswordHash::new(hash).is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_and_never_kept() {
        let hashed = hash("correct horse battery").unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hashed.contains("horse"), "{hashed}");
        assert!(verify("correct horse battery", &hashed));
        for wrong in ["", "correct horse batter", "Correct horse battery", &"x".repeat(2000)] {
            assert!(!verify(wrong, &hashed), "{wrong}");
        }
        assert_ne!(hashed, hash("correct horse battery").unwrap(), "salted");
        assert!(!verify("x", "no hash"));
    }

    #[test]
    fn what_can_be_guessed_is_refused_with_the_reason() {
        for (user, password, why) in [
            ("ann", "too short", "fewer than 15"),
            ("ann", "aaaaaaaaaaaaaaaaaaaa", "repeats itself"),
            ("ann.example.com", "Ann.Example.Com1", "hardly more than a name"),
            ("ann", "Portcullis123456", "hardly more than a name"),
            ("ann", &"ab1!x".repeat(300), "more than 1024"),
        ] {
            assert!(check(user, password).unwrap_err().contains(why), "{password}");
        }
        check("ann", "vier Störche im Nebel").unwrap();
    }
}
